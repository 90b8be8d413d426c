"""Which transitions a probe looks at."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._errors import OrbitscopeError
from .._expect import expect_number
from ..data import Examples, Trajectories
from ..discover import group_from, is_file, symmetry_from
from ..symmetry import GridAction, Group, Isometry, Symmetry
from ._packing import packed_pairs, packed_symmetry
from ._subject import Subject, check_module

Index = NDArray[np.int64]
Source = Trajectories | Examples
"""What an instrument takes."""


@dataclass(frozen=True)
class Transitions:
    """States [N, frames C, X, Y] and next states [N, C, X, Y], N = times * trajectories, time-major, and where they came from.

    With several frames `x` holds that many successive states, oldest first; `times` are those of the newest.
    """

    x: Tensor
    y: Tensor
    times: tuple[int, ...]
    trajectories: tuple[int, ...]

    @property
    def time_of(self) -> np.ndarray:
        """Time index of each transition, shape [N]."""
        return np.repeat(self.times, len(self.trajectories))

    @property
    def trajectory_of(self) -> np.ndarray:
        """Trajectory index of each transition, shape [N]."""
        return np.tile(self.trajectories, len(self.times))


def sample_transitions(
    data: Trajectories,
    *,
    trajectories: int | None = None,
    times: int | None = None,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    frames: int = 1,
    lead: int = 1,
) -> Transitions:
    """`trajectories` at random (by `seed`) and `times` evenly spread from the first to the last transition; None takes all.

    A transition leads from `frames` successive states to the one `lead` steps after the last of them. Raises `OrbitscopeError` for data
    without a transition and for NaN or infinite values, naming the first.
    """
    if data.trajectories < 1 or data.times < frames + lead:
        needed = "two" if frames + lead == 2 else f"{frames + lead}"
        why = "" if frames + lead == 2 else f" (the model sees {frames}, the next is {lead} later)"
        raise OrbitscopeError(
            f"data: a probe needs at least one trajectory of {needed} states{why}, got {data.trajectories} of {data.times}."
        )
    for name, value in (("trajectories", trajectories), ("times", times)):
        if value is not None:
            expect_number(value, f"`{name}`", whole=True)
        if value is not None and value < 1:
            raise OrbitscopeError(f"`{name}` must be at least 1, got {value}.")
    expect_number(seed, "`seed`", whole=True)
    rng = np.random.default_rng([seed, 0x5A4D])
    count = min(trajectories or data.trajectories, data.trajectories)
    chosen = np.sort(rng.permutation(data.trajectories)[:count])
    possible = data.times - frames - lead + 1
    steps = frames - 1 + np.unique(np.linspace(0, possible - 1, min(times or possible, possible)).round().astype(int))
    x, y = windows(data, np.tile(chosen, len(steps)), np.repeat(steps, len(chosen)), frames, lead)
    for name, values, offset in (("state", x, 0), ("next state", y, lead)):
        bad = ~torch.isfinite(values)
        if bool(bad.any()):
            n, c = (int(i) for i in bad.nonzero()[0][:2])
            if name == "state":
                offset, c = c // data.channels - frames + 1, c % data.channels
            raise OrbitscopeError(
                f"data: {name} of trajectory {chosen[n % len(chosen)]}, time {steps[n // len(chosen)] + offset}, channel "
                f"{data.layout.channel_names[c]} holds NaN or infinite values. Remove the trajectory, or fill the values."
            )
    return Transitions(x.to(device, dtype), y.to(device, dtype), tuple(int(t) for t in steps), tuple(int(i) for i in chosen))


def windows(data: Trajectories, trajectory: Index, time: Index, frames: int, lead: int = 1) -> tuple[Tensor, Tensor]:
    """The `frames` states up to (trajectory[k], time[k]), stacked along channels, oldest first, and the state `lead` steps after."""
    x, y = data.pairs(trajectory, time, lead=lead)
    past = [data.pairs(trajectory, time - back)[0] for back in range(frames - 1, 0, -1)]
    return (torch.cat([*past, x], 1) if past else x), y


def sample_examples(
    data: Examples, *, trajectories: int | None = None, times: int | None = None, seed: int = 0, like: Tensor
) -> Transitions:
    """`trajectories` units at random (by `seed`) and `times` slots evenly spread; None takes all. Packed, in the precision of `like`."""
    for name, value in (("trajectories", trajectories), ("times", times)):
        if value is not None and value < 1:
            raise OrbitscopeError(f"`{name}` must be at least 1, got {value}.")
    units, slots = data.units, data.slots
    if len(data) != len(units) * len(slots):
        raise OrbitscopeError(
            f"data: {len(units)} units and {len(slots)} slots should make {len(units) * len(slots)} examples, got {len(data)}. "
            "`Examples.complete()` leaves out the units that miss a slot."
        )
    rng = np.random.default_rng([seed, 0x5A4D])
    chosen = np.sort(rng.permutation(units)[: min(trajectories or len(units), len(units))])
    at = slots[np.unique(np.linspace(0, len(slots) - 1, min(times or len(slots), len(slots))).round().astype(int))]
    place = {(int(u), int(s)): n for n, (u, s) in enumerate(zip(data.unit, data.slot, strict=True))}
    index = [place[int(u), int(s)] for s in at for u in chosen]
    x, y = packed_pairs(data, index, like)
    return Transitions(x, y, tuple(int(s) for s in at), tuple(int(u) for u in chosen))


def sample_for(subject: Subject, data: Source, *, trajectories: int | None, times: int | None, seed: int, lead: int = 1) -> Transitions:
    """What `sample_transitions` or `sample_examples` gives for this model: its frames, precision and device. Raises if the model cannot be
    probed on them."""
    if isinstance(data, Examples):
        like = torch.empty((), dtype=subject.dtype, device=subject.device)
        pairs = sample_examples(data, trajectories=trajectories, times=times, seed=seed, like=like)
        check_module(subject.module, pairs.x[:2], subject.answer)
        return pairs
    pairs = sample_transitions(
        data, trajectories=trajectories, times=times, seed=seed, dtype=subject.dtype, device=subject.device, frames=subject.frames,
        lead=lead,
    )  # fmt: skip
    check_module(subject.module, pairs.x[:2])
    return pairs


def resolve_grid(
    data: Trajectories, group: Group | str, elements: list[str] | tuple[str, ...] | None
) -> tuple[Group, tuple[Isometry, ...], GridAction]:
    """`resolve` for what is about fields on a grid alone: the third is their action."""
    group, chosen, symmetry = resolve(data, group, elements)
    assert isinstance(symmetry.output, GridAction)
    return group, chosen, symmetry.output


def resolve(
    data: Source, group: Symmetry | Group | str, elements: list[str] | tuple[str, ...] | None, frames: int = 1
) -> tuple[Group, tuple[Any, ...], Symmetry]:
    """The group (from words if need be), the elements asked for (all by default), the symmetry on this data.

    Of an infinite group the elements are its `probes`.

    * `data`: `Trajectories`; `Examples` of any map where `group` is a `Symmetry`.
    * `group`: a `Symmetry`, a `Group`, its name ("d4", "tx8"), or a file of `orbitscope discover` ("found.nc"), whose group is taken.
    * `elements`: names; None: all that `group.probes()` gives.
    * `frames`: the actions also move stacks of so many states along channels.

    Raises `OrbitscopeError` where the data cannot be moved by an element, and for examples without a `Symmetry`.
    """
    if elements is not None and not elements:
        raise OrbitscopeError("`elements` is empty; name some, or leave it out for all.")
    if isinstance(group, str) and is_file(group):
        group = symmetry_from(group, data) if isinstance(data, Examples) else group_from(group, data.grid)
    if isinstance(group, Symmetry):
        symmetry = packed_symmetry(group, data) if isinstance(data, Examples) else group
    elif isinstance(data, Examples):
        raise OrbitscopeError(
            f"group: examples do not say how an element moves them. Give a Symmetry(group, input, output) in place of {group!r}."
        )
    else:
        symmetry = Symmetry.of(data, group, frames=frames)
    return symmetry.group, symmetry.elements(elements), symmetry
