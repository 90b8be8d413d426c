"""The actions that a planner may take: a box or discs, how a sequence is brought back into them, which matrices leave them alone."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..._errors import OrbitscopeError
from ..._expect import expect_number, shown

_ALIKE = 1e-9  # entries of matrices closer than this are one


class ActionSet(ABC):
    """A convex set of actions [m] with a projection onto it; to add one, write `size`, `project`, `squash`, `kept_by`, `advice`."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Number m of components of an action."""

    @abstractmethod
    def project(self, action: Tensor) -> Tensor:
        """`action` [..., m], brought into the set; what lies in it stays."""

    @abstractmethod
    def squash(self, action: Tensor) -> Tensor:
        """A smooth map of all `action` [..., m] into the set, which commutes with the matrices that keep it: for policies."""

    @abstractmethod
    def kept_by(self, matrix: NDArray[np.float64]) -> bool:
        """Whether the orthogonal `matrix` [m, m] maps the set onto itself; then it commutes with `project`."""

    @abstractmethod
    def advice(self) -> str:
        """What to take in place of a set that a group does not leave alone, a sentence."""


@dataclass(frozen=True, init=False)
class BoxActions(ActionSet):
    r"""The box $l_i \le a_i \le h_i$; what lies outside is cut component by component.

    * `low`, `high`: l and h, one number for every component, in the unit of the actions; `low` below `high`, both finite.

    Only signed permutations leave a square box about 0 alone (D4 and the cube's group do; D8 and SO(2) do not: take `DiscActions`). Raises
    `OrbitscopeError` for limits that do not fit together.

    >>> BoxActions([-1, -1], [1, 1]).project(torch.tensor([2.0, 0.5])).tolist()
    [1.0, 0.5]
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __init__(self, low: Sequence[float], high: Sequence[float]) -> None:
        least, most = (np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (low, high))
        if least.ndim != 1 or least.shape != most.shape or not np.isfinite([least, most]).all() or not (least < most).all():
            raise OrbitscopeError(
                f"BoxActions: `low` and `high` should be as many finite numbers, low below high; got {least.tolist()} and {most.tolist()}."
            )
        object.__setattr__(self, "low", tuple(least.tolist()))
        object.__setattr__(self, "high", tuple(most.tolist()))

    @property
    def size(self) -> int:
        return len(self.low)

    def project(self, action: Tensor) -> Tensor:
        if len(set(self.high)) == 1 and {-v for v in self.low} == set(self.high):  # one number: much cheaper than tensors
            return action.clamp(-self.high[0], self.high[0])
        low, high = (torch.as_tensor(v, dtype=action.dtype, device=action.device) for v in (self.low, self.high))
        return torch.minimum(torch.maximum(action, low), high)

    def squash(self, action: Tensor) -> Tensor:
        low, high = (torch.as_tensor(v, dtype=action.dtype, device=action.device) for v in (self.low, self.high))
        return (low + high) / 2 + (high - low) / 2 * torch.tanh(action)

    def kept_by(self, matrix: NDArray[np.float64]) -> bool:
        centre, half = (np.add(self.high, self.low)) / 2, np.subtract(self.high, self.low) / 2
        whole = np.rint(matrix)
        signed = np.abs(matrix - whole).max() < _ALIKE and (np.abs(whole).sum(0) == 1).all() and (np.abs(whole).sum(1) == 1).all()
        return bool(signed and np.allclose(whole @ centre, centre, atol=_ALIKE) and np.allclose(np.abs(whole) @ half, half, atol=_ALIKE))

    def advice(self) -> str:
        radius = min(min(-v for v in self.low), min(self.high))
        return f"Take DiscActions({radius:g}, size={self.size}), the largest ball in it, or a group of signed permutations such as D4."


@dataclass(frozen=True, init=False)
class DiscActions(ActionSet):
    r"""`count` vectors of `size` components, each of length at most `radius`: $a \mapsto a \min(1, r / |a|)$.

    * `radius`: r, positive, in the unit of the actions. `size`: components of one vector: 2 a disc, 3 a ball. `count`: how many vectors
      an action has, one after the other.

    Every rotation and reflection leaves a disc alone, and permutations of the vectors do. Raises `OrbitscopeError` for a radius that is not
    positive.

    >>> DiscActions(1.0).project(torch.tensor([3.0, 4.0])).tolist()
    [0.6000000238418579, 0.800000011920929]
    """

    radius: float
    size_of_one: int
    count: int

    def __init__(self, radius: float, size: int = 2, count: int = 1) -> None:
        for name, value in (("size", size), ("count", count)):
            expect_number(value, f"DiscActions: `{name}`", whole=True)
        expect_number(radius, "DiscActions: `radius`")
        if not (0 < radius < np.inf) or size < 1 or count < 1:
            raise OrbitscopeError(f"DiscActions: `radius` positive, `size` and `count` at least 1; got {radius}, {size} and {count}.")
        for name, value in (("radius", float(radius)), ("size_of_one", int(size)), ("count", int(count))):
            object.__setattr__(self, name, value)

    @property
    def size(self) -> int:
        return self.size_of_one * self.count

    def project(self, action: Tensor) -> Tensor:
        apart = action.unflatten(-1, (self.count, self.size_of_one))
        squares = apart.square().sum(-1, keepdim=True)
        return (apart * (self.radius * squares.clamp_min(self.radius**2).rsqrt())).flatten(-2)

    def squash(self, action: Tensor) -> Tensor:
        apart = action.unflatten(-1, (self.count, self.size_of_one))
        length = apart.square().sum(-1, keepdim=True).clamp_min(1e-12).sqrt()
        return (self.radius * torch.tanh(length) / length * apart).flatten(-2)

    def kept_by(self, matrix: NDArray[np.float64]) -> bool:
        blocks = matrix.reshape(self.count, self.size_of_one, self.count, self.size_of_one)
        full = np.abs(blocks).max((1, 3)) > _ALIKE  # which vector goes where
        return bool((full.sum(0) == 1).all() and (full.sum(1) == 1).all())

    def advice(self) -> str:
        return "Take a representation that moves each vector of an action as a whole, or DiscActions with one vector of all components."


def action_set(actions: Any) -> ActionSet:
    """An `ActionSet` as it is, or the box of a space of gymnasium (anything with `low` and `high`)."""
    if isinstance(actions, ActionSet):
        return actions
    if hasattr(actions, "low") and hasattr(actions, "high"):
        return BoxActions(np.ravel(actions.low).tolist(), np.ravel(actions.high).tolist())
    raise OrbitscopeError(
        f"Planner: `actions` should be BoxActions(low, high), DiscActions(radius) or a Box of gymnasium, got {shown(actions)}."
    )
