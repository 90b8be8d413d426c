"""The normaliser that belongs to a guest: into its units before it is called, and back after."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from ..._errors import OrbitscopeError

Undo = Callable[[Tensor, Sequence[int]], Tensor]
"""(answer [b, channel, *space] in the guest's units, which channel of the guest each is) -> physical units."""


class Normaliser(Protocol):
    """States [b, t, channel, *space] into the guest's units, with what brings an answer back."""

    def encode(self, states: Tensor) -> tuple[Tensor, Undo]: ...


@dataclass(frozen=True)
class Affine:
    """$(u_c - m_c) / s_c$ per channel of the guest.

    * `mean`: $m_c$, shape [channel], in the units of the data.
    * `scale`: $s_c$ above 0, shape [channel], in the units of the data.
    """

    mean: Tensor
    scale: Tensor

    def encode(self, states: Tensor) -> tuple[Tensor, Undo]:
        """`states` [b, t, channel, *space] in the guest's units, and what brings an answer back."""
        if states.shape[2] != len(self.scale):
            raise OrbitscopeError(
                f"normaliser: has {len(self.scale)} channels, {states.shape[2]} go into the model. Give one of both for each, in the "
                "guest's order."
            )
        mean, scale = self.mean.to(states), self.scale.to(states)
        wide = (-1, *[1] * (states.ndim - 3))

        def undo(answer: Tensor, channels: Sequence[int]) -> Tensor:
            return answer * scale[list(channels)].reshape(wide) + mean[list(channels)].reshape(wide)

        return (states - mean.reshape(wide)) / scale.reshape(wide), undo


@dataclass(frozen=True)
class OfSample:
    """Statistics of the sample itself, per channel over its times and places: mean and standard deviation, or the root mean square.

    * `kind`: "instance" (mean and standard deviation), "rms" (root mean square, no mean), or "rms-delta": as "rms", and the answer is a
      change in units of the root mean square of the past changes, which takes at least two past states.

    1e-7 is added to every scale, in the units of the data: fields much smaller than that are not brought to size 1.
    """

    kind: str

    @property
    def changes(self) -> bool:
        """Whether answers are changes in units of their own."""
        return self.kind == "rms-delta"

    def encode(self, states: Tensor) -> tuple[Tensor, Undo]:
        """`states` [b, t, channel, *space] in the guest's units, and what brings an answer back."""
        over = (1, *range(3, states.ndim))
        mean = states.mean(over, keepdim=True) if self.kind == "instance" else torch.zeros_like(states[:, :1, :, :1].mean(over, True))
        scale = (states - mean).square().mean(over, keepdim=True).sqrt() + 1e-7
        back = scale
        if self.changes:
            if states.shape[1] < 2:
                raise OrbitscopeError("normaliser: 'rms-delta' measures the change between past states, so frames must be at least 2.")
            back = states.diff(dim=1).square().mean(over, keepdim=True).sqrt() + 1e-7

        def undo(answer: Tensor, channels: Sequence[int]) -> Tensor:
            return answer * back[:, 0, list(channels)] + mean[:, 0, list(channels)]

        return (states - mean) / scale, undo


@dataclass(frozen=True)
class Functions:
    """A pair of functions of states [b, channel, *space] that keep the shape; times are taken one by one.

    * `forward`: physical units -> the guest's units.
    * `backward`: its inverse.
    """

    forward: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor], Tensor]

    def encode(self, states: Tensor) -> tuple[Tensor, Undo]:
        """`states` [b, t, channel, *space] in the guest's units, and what brings an answer back."""
        inside = self.forward(states.flatten(0, 1))
        if inside.numel() != states.numel():
            raise OrbitscopeError(
                f"normaliser: made {tuple(inside.shape)} of {tuple(states.flatten(0, 1).shape)}. It should keep the shape."
            )
        count = states.shape[2]

        def undo(answer: Tensor, channels: Sequence[int]) -> Tensor:
            if list(channels) == list(range(count)):
                return self.backward(answer)
            # The functions know all channels of the guest; those that the answer lacks are cut off again.
            whole = answer.new_zeros(()).expand(len(answer), count, *answer.shape[2:])
            parts = [answer[:, list(channels).index(k)] if k in channels else whole[:, k] for k in range(count)]
            return self.backward(torch.stack(parts, 1))[:, list(channels)]

        return inside.reshape(states.shape), undo

    def affine(self, channels: int, ndim: int, like: Tensor) -> Affine | None:
        """The same as one mean and one scale for each of `channels`, or None where it is no such thing.

        Tried on three states.

        * `channels`: how many there are.
        * `ndim`: axes of a state, batch and channels among them.
        * `like`: a tensor whose precision and device the states get.
        """
        shape = (1, channels, *[4] * ndim)
        zero, one = (torch.full(shape, v, dtype=like.dtype, device=like.device) for v in (0.0, 1.0))
        try:
            low, high, two = self.forward(zero), self.forward(one), self.forward(2 * one)
        except (RuntimeError, ValueError, TypeError):  # tied to a grid, for one
            return None
        slope = (high - low).flatten(2)
        flat = (slope - slope[..., :1]).abs().max() <= 1e-6 * slope.abs().max()
        straight = (two - high - (high - low)).abs().max() <= 1e-5 * slope.abs().max()
        if not (flat and straight) or not bool((slope > 0).all()):
            return None
        scale = 1 / slope[0, :, 0]
        return Affine(-low.flatten(2)[0, :, 0] * scale, scale)


_PAIRS = (
    ("encode", "decode"), ("transform", "inverse_transform"), ("normalise", "denormalise"), ("normalize", "denormalize"),
    ("normalize", "unnormalize"), ("forward_transform", "inverse_transform"),
)  # fmt: skip


def normaliser_of(given: Any, argument: str = "normaliser") -> Normaliser | None:
    """From what `adapt` takes: (mean, std), {"mean", "std"}, {"min", "max"}, "instance", "rms", "rms-delta", two functions, an object."""
    if given is None or isinstance(given, Affine | OfSample | Functions):
        return given
    if isinstance(given, str):
        if given in ("instance", "rms", "rms-delta"):
            return OfSample(given)
        raise OrbitscopeError(
            f"{argument}: {given!r} is none of 'instance', 'rms', 'rms-delta' and no path of a stats.yaml. Or give (mean, std) per channel."
        )
    if isinstance(given, Mapping):
        return _of_mapping(given, argument)
    for encode, decode in _PAIRS:
        if callable(getattr(given, encode, None)) and callable(getattr(given, decode, None)):
            return Functions(getattr(given, encode), getattr(given, decode))
    if isinstance(given, Sequence) and len(given) == 2:
        if all(callable(g) for g in given):
            return Functions(given[0], given[1])
        return _affine(given[0], given[1], argument)
    pairs = ", ".join(f"{a}/{b}" for a, b in _PAIRS[:4])
    raise OrbitscopeError(
        f"{argument}: cannot use {type(given).__name__}. Give (mean, std) with a number per channel, {{'mean': ..., 'std': ...}}, "
        f"{{'min': ..., 'max': ...}}, two functions, or an object with {pairs}."
    )


def _of_mapping(given: Mapping[str, Any], argument: str) -> Affine:
    keys = set(given)
    if keys == {"min", "max"}:
        low, high = (_row(given[k], argument) for k in ("min", "max"))
        return _affine(low, high - low, argument)
    scale = keys - {"mean"}
    if len(scale) == 1 and scale <= {"std", "rms", "scale"}:
        spread = given[next(iter(scale))]
        return _affine(given.get("mean", torch.zeros(len(_row(spread, argument)))), spread, argument)
    raise OrbitscopeError(f"{argument}: has {', '.join(sorted(map(str, keys)))}; it should have mean and std, rms alone, or min and max.")


def _row(values: Any, argument: str) -> Tensor:
    try:
        row = torch.as_tensor(values, dtype=torch.float64).detach()
    except (TypeError, ValueError, RuntimeError):
        raise OrbitscopeError(f"{argument}: should hold a number per channel, got {values!r}.") from None
    if row.numel() != max(row.shape, default=1):
        raise OrbitscopeError(f"{argument}: should hold a number per channel, got an array of shape {tuple(row.shape)}.")
    return row.reshape(-1)


def _affine(mean: Any, scale: Any, argument: str) -> Affine:
    m, s = _row(mean, argument), _row(scale, argument)
    m, s = torch.broadcast_tensors(m, s) if 1 in (len(m), len(s)) else (m, s)
    if m.shape != s.shape or not bool((s > 0).all()) or not bool(torch.isfinite(m).all() & torch.isfinite(s).all()):
        raise OrbitscopeError(f"{argument}: needs one mean and one positive scale per channel, got {m.tolist()} and {s.tolist()}.")
    return Affine(m.clone(), s.clone())
