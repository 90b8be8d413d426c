"""Examples: what the instruments see of any data set."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from .._errors import OrbitscopeError
from ..symmetry import State, length, parts, taken


@dataclass(frozen=True, eq=False, init=False)  # `__init__` takes more than the attributes hold
class Examples:
    r"""Pairs (x, y) of what goes into a map and what should come out, and which of them are related.

    * `x`, `y`: tensors [N, ...] or tuples of such tensors; y may be class numbers [N]. Floats of any precision; NaN is refused.
    * `unit` [N]: what is independent of what: trajectories, subjects, episodes. Intervals are taken over units. Default: each its own.
    * `slot` [N]: which examples of different units correspond (the time, the task). The null of an influence pairs examples of other
      units at the same slot. Default: one slot for all.
    * `name`, `about`: for results.

    Every unit needs every slot once (see `complete`). Raises `OrbitscopeError` for lengths that differ, NaN, doubled or missing slots.

    >>> Examples(torch.randn(6, 4), torch.randn(6, 2), unit=[0, 0, 1, 1, 2, 2], slot=[0, 1] * 3)
    Examples(6: 3 units x 2 slots, x (4,), y (2,))
    """

    x: State
    y: State
    unit: NDArray[np.int64]
    slot: NDArray[np.int64]
    name: str
    about: dict[str, Any]

    def __init__(
        self,
        x: State | ArrayLike,
        y: State | ArrayLike,
        unit: ArrayLike | Tensor | None = None,
        slot: ArrayLike | Tensor | None = None,
        name: str = "examples",
        about: dict[str, Any] | None = None,
    ) -> None:
        object.__setattr__(self, "x", _tensors(x, "x"))
        object.__setattr__(self, "y", _tensors(y, "y"))
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "about", {} if about is None else about)
        count = length(self.x)
        for what, state in (("x", self.x), ("y", self.y)):
            if any(len(p) != count for p in parts(state)) or not count:
                raise OrbitscopeError(
                    f"Examples: all parts of `x` and `y` need one length, at least 1; `x` has {count}, `{what}` "
                    f"{[len(p) for p in parts(state)]}."
                )
        object.__setattr__(self, "unit", _labels(unit, np.arange(count), "unit"))
        object.__setattr__(self, "slot", _labels(slot, np.zeros(count), "slot"))
        pairs = set(zip(self.unit.tolist(), self.slot.tolist(), strict=True))
        if len(pairs) < count:
            raise OrbitscopeError("Examples: a (unit, slot) is there twice. Give every example of a unit a slot of its own.")

    def __len__(self) -> int:
        return length(self.x)

    @property
    def units(self) -> NDArray[np.int64]:
        """The units, in order."""
        return np.unique(self.unit)

    @property
    def slots(self) -> NDArray[np.int64]:
        """The slots, in order."""
        return np.unique(self.slot)

    def take(self, index: ArrayLike) -> "Examples":
        """The examples of `index`: numbers, or a mask of booleans [N]."""
        chosen = np.asarray(index)
        chosen = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        at = torch.as_tensor(chosen)
        return Examples(taken(self.x, at), taken(self.y, at), self.unit[chosen], self.slot[chosen], self.name, self.about)

    def complete(self) -> "Examples":
        """Without the units that miss a slot which another unit has. Raises if none is left."""
        counts = {u: int((self.unit == u).sum()) for u in self.units}
        full = [u for u, n in counts.items() if n == len(self.slots)]
        if not full:
            raise OrbitscopeError(
                f"Examples: no unit has all {len(self.slots)} slots, so nothing is comparable. Number the slots from 0 in every unit, "
                "or leave `slot` out and give every example a unit of its own."
            )
        return self.take(np.isin(self.unit, full))

    def __repr__(self) -> str:
        x, y = (", ".join(str(tuple(p.shape[1:])) for p in parts(s)) for s in (self.x, self.y))
        return f"Examples({len(self)}: {len(self.units)} units x {len(self.slots)} slots, x {x}, y {y})"


def _tensors(state: Any, what: str) -> State:
    made = tuple(torch.as_tensor(p) for p in state) if isinstance(state, tuple | list) else torch.as_tensor(state)
    for k, p in enumerate(parts(made)):
        if not p.ndim:
            raise OrbitscopeError(f"Examples: `{what}` should have examples along its first axis, got a single number.")
        if p.is_floating_point() and not bool(torch.isfinite(p).all()):
            n = int((~torch.isfinite(p.reshape(len(p), -1)).all(1)).nonzero()[0])
            raise OrbitscopeError(f"Examples: part {k} of `{what}` holds NaN or infinite values, first in example {n}. Leave it out.")
    return made


def _labels(given: Any, default: NDArray[Any], what: str) -> NDArray[np.int64]:
    if given is None:
        return default.astype(np.int64)
    labels = np.asarray(given.cpu() if isinstance(given, Tensor) else given)
    if labels.shape != default.shape or not np.array_equal(labels, labels.astype(np.int64)):
        raise OrbitscopeError(f"Examples: `{what}` should be {len(default)} whole numbers, got shape {labels.shape} of {labels.dtype}.")
    return labels.astype(np.int64)
