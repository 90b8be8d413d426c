"""Where our channels stand among those of a guest, and what fills the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from ...symmetry import Layout
from ._axes import SPACE

Fill = float | str | Tensor


@dataclass(frozen=True)
class Channels:
    """The guest's channels in its order: the number of one of ours, or the name of one that the data lack and `fill` has a value for.

    `order` None: ours as they come, then the filled ones.
    """

    order: tuple[int | str, ...] | None = None
    fill: Mapping[str, Fill] = field(default_factory=dict)
    picks: tuple[int, ...] | None = None

    def at(self, ours: int) -> tuple[int, ...]:
        """Positions of our channels among the guest's."""
        order = self.full(ours)
        places = {k: n for n, k in enumerate(order) if isinstance(k, int)}
        if set(places) != set(range(ours)):
            raise OrbitscopeError(
                f"channels: the data have {ours} channels, 0 to {ours - 1}; {order} places {sorted(places)}. Place each once, and give "
                "a value for each of the others by name: channels=('density', 0, 1), fill={'density': 1}."
            )
        return tuple(places[k] for k in range(ours))

    def full(self, ours: int) -> tuple[int | str, ...]:
        """All channels of the guest, in its order."""
        return (*range(ours), *self.fill) if self.order is None else self.order

    def place(self, states: Tensor) -> Tensor:
        """The guest's channels [b, t, guest channel, *space] from ours [b, t, channel, *space], in physical units."""
        order = self.full(states.shape[2])
        self.at(states.shape[2])
        if order == tuple(range(states.shape[2])):
            return states
        return torch.stack([states[:, :, k] if isinstance(k, int) else self._filled(k, states) for k in order], 2)

    def _filled(self, name: str, states: Tensor) -> Tensor:
        value, space = self.fill[name], states.shape[3:]
        if isinstance(value, str):
            axis = SPACE.index(value)
            line = torch.linspace(0, 1, space[axis], dtype=states.dtype, device=states.device)
            value = line.reshape(*[-1 if k == axis else 1 for k in range(len(space))]).expand(space)
        elif isinstance(value, Tensor):
            if value.shape != space:
                raise OrbitscopeError(f"fill: {name} has shape {tuple(value.shape)}, the grid has {tuple(space)}. Give one value per cell.")
            value = value.to(states)
        else:
            value = torch.full(space, float(value), dtype=states.dtype, device=states.device)
        return value.expand(states.shape[:2] + space)

    def select(self, answer: Tensor, ours: int) -> tuple[int, ...]:
        """For each channel of ours its position in an answer [b, channel, *space]."""
        count, guest = answer.shape[1], len(self.full(ours))
        if self.picks is not None:
            if len(self.picks) != ours or max(self.picks, default=0) >= count:
                raise OrbitscopeError(
                    f"picks: should name one of the {count} channels of the answer for each of our {ours}, got {self.picks}."
                )
            return self.picks
        if count == guest:
            return self.at(ours)
        if count == ours:
            return tuple(range(ours))
        raise OrbitscopeError(
            f"picks: the answer has {count} channels, the data have {ours} and {guest} went in. Say which of its channels are ours, in "
            "our order: picks=(1, 2)."
        )


def channels_of(order: Any, fill: Any, picks: Any, layout: Layout | None) -> Channels:
    """From the words of `adapt`; names that the layout has are our channels, the others need a value in `fill`."""
    filled = {str(k): _value(str(k), v) for k, v in dict(fill or {}).items()}
    if isinstance(order, str):
        order = order.replace(",", " ").split()
    if order is not None:
        if not isinstance(order, Sequence):
            raise OrbitscopeError(f"channels: should list the guest's channels, such as ('density', 0, 1), got {order!r}.")
        names = layout.channel_names if layout is not None else ()
        order = tuple(_channel(k, names, filled) for k in order)
        twice = [k for k in order if order.count(k) > 1]
        if twice:
            raise OrbitscopeError(f"channels: {twice[0]!r} stands in two places. Name each channel once.")
        if unused := [k for k in filled if k not in order]:
            filled = {k: v for k, v in filled.items() if k in order}
            # A value for a channel that the data have is not needed; one for a channel that nobody has is a slip.
            if lost := [k for k in unused if k not in names]:
                raise OrbitscopeError(f"fill: {lost[0]!r} is no channel of `channels` = {order}. Name it there, where the guest has it.")
    if picks is not None:
        picks = tuple(picks) if isinstance(picks, Sequence) else (picks,)
        if not all(isinstance(k, int) and not isinstance(k, bool) and k >= 0 for k in picks):
            raise OrbitscopeError(f"picks: should be positions in the answer, such as (1, 2), got {picks!r}.")
    return Channels(order, filled, picks)


def _channel(word: Any, names: Sequence[str], fill: Mapping[str, Fill]) -> int | str:
    if isinstance(word, int) and not isinstance(word, bool):
        return word
    for name in str(word).split("|"):  # a preset knows several names of one channel
        if name in names:
            return names.index(name)
        if name.isdigit():
            return int(name)
    first = str(word).split("|")[0]
    if first in fill:
        return first
    known = f" The data have {', '.join(names)}." if names else " Give layout=data.layout, so that channels of the data are known by name."
    raise OrbitscopeError(f"channels: the data have no channel {first!r}, and `fill` has no value for it: fill={{{first!r}: 0}}.{known}")


def _value(name: str, value: Any) -> Fill:
    if isinstance(value, str):
        if value in SPACE:
            return value
        try:
            value = {"zeros": 0.0, "ones": 1.0}.get(value) if value in ("zeros", "ones") else float(value)
        except ValueError:
            raise OrbitscopeError(
                f"fill: {name} should be a number, an array [*space] or the name of an axis whose coordinate from 0 to 1 is meant, got "
                f"{value!r}."
            ) from None
    if isinstance(value, bool | int | float):
        return float(value)
    try:
        return torch.as_tensor(value).detach()
    except (TypeError, ValueError, RuntimeError):
        raise OrbitscopeError(f"fill: {name} should be a number or an array [*space], got {type(value).__name__}.") from None
