"""Which transitions a probe looks at."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._errors import OrbitscopeError
from ..data import Trajectories
from ..symmetry import GridAction, Group, Isometry, parse_group
from ._subject import Subject, check_module

Index = NDArray[np.int64]


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
        if value is not None and value < 1:
            raise OrbitscopeError(f"`{name}` must be at least 1, got {value}.")
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


def sample_for(
    subject: Subject, data: Trajectories, *, trajectories: int | None, times: int | None, seed: int, lead: int = 1
) -> Transitions:
    """What `sample_transitions` gives for this model: its frames, precision and device. Raises if the model cannot be probed on them."""
    pairs = sample_transitions(
        data, trajectories=trajectories, times=times, seed=seed, dtype=subject.dtype, device=subject.device, frames=subject.frames,
        lead=lead,
    )  # fmt: skip
    check_module(subject.module, pairs.x[:2])
    return pairs


def resolve(
    data: Trajectories, group: Group | str, elements: list[str] | tuple[str, ...] | None, frames: int = 1
) -> tuple[Group, tuple[Isometry, ...], GridAction]:
    """The group (from words if need be), the elements asked for (all by default), the action on this data; raise if it cannot act.

    The action also moves stacks of `frames` states.
    """
    if elements is not None and not elements:
        raise OrbitscopeError("`elements` is empty; name some, or leave it out for all.")
    if isinstance(group, str):
        group = parse_group(group, points=data.grid.shape)
    action = GridAction(data.layout, data.grid, frames=frames)
    chosen = group.elements if elements is None else group.subset(elements)
    for g in chosen:
        action.require(g)
    return group, chosen, action
