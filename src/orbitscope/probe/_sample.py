"""Which transitions a probe looks at."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .._errors import OrbitscopeError
from ..data import Trajectories
from ..symmetry import GridAction, Group, Isometry, parse_group


@dataclass(frozen=True)
class Transitions:
    """States and next states [N, C, X, Y], N = times * trajectories, time-major, and where they came from."""

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
) -> Transitions:
    """`trajectories` at random (by `seed`) and `times` evenly spread from the first to the last transition; None takes all.

    Raises `OrbitscopeError` for data without a transition and for NaN or infinite values, naming the first.
    """
    if data.trajectories < 1 or data.times < 2:
        raise OrbitscopeError(f"data: a probe needs at least one trajectory of two states, got {data.trajectories} of {data.times}.")
    for name, value in (("trajectories", trajectories), ("times", times)):
        if value is not None and value < 1:
            raise OrbitscopeError(f"`{name}` must be at least 1, got {value}.")
    rng = np.random.default_rng([seed, 0x5A4D])
    count = min(trajectories or data.trajectories, data.trajectories)
    chosen = np.sort(rng.permutation(data.trajectories)[:count])
    steps = np.unique(np.linspace(0, data.times - 2, min(times or data.times - 1, data.times - 1)).round().astype(int))
    x, y = data.pairs(np.tile(chosen, len(steps)), np.repeat(steps, len(chosen)))
    for name, values, offset in (("state", x, 0), ("next state", y, 1)):
        bad = ~torch.isfinite(values)
        if bool(bad.any()):
            n, c = (int(i) for i in bad.nonzero()[0][:2])
            raise OrbitscopeError(
                f"data: {name} of trajectory {chosen[n % len(chosen)]}, time {steps[n // len(chosen)] + offset}, channel "
                f"{data.layout.channel_names[c]} holds NaN or infinite values. Remove the trajectory, or fill the values."
            )
    return Transitions(x.to(device, dtype), y.to(device, dtype), tuple(int(t) for t in steps), tuple(int(i) for i in chosen))


def resolve(
    data: Trajectories, group: Group | str, elements: list[str] | tuple[str, ...] | None
) -> tuple[Group, tuple[Isometry, ...], GridAction]:
    """The group (from words if need be), the elements asked for (all by default), the action on this data; raise if it cannot act."""
    if elements is not None and not elements:
        raise OrbitscopeError("`elements` is empty; name some, or leave it out for all.")
    if isinstance(group, str):
        group = parse_group(group, points=data.grid.shape)
    action = GridAction(data.layout, data.grid)
    chosen = group.elements if elements is None else group.subset(elements)
    for g in chosen:
        action.require(g)
    return group, chosen, action
