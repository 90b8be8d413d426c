"""Any examples as pairs (x, y): what `fit` takes, by number, and a part of them set aside."""

import hashlib
from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from .._errors import OrbitscopeError
from .._seed import permutation
from ..symmetry import State, mapped, parts
from ._batches import Batches
from ._states import floats_to

_HASHED = 64


@runtime_checkable
class Indexed(Protocol):
    """Examples that are asked for by their numbers [B], an int64 tensor: (x, y), each a tensor [B, ...] or a tuple of them."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: Tensor, /) -> Any: ...


ExamplesLike: TypeAlias = Any
"""A tuple (x, y), an object with `x` and `y`, or `Indexed`; x and y are tensors [N, ...] or tuples of tensors."""


class Pairs:
    """Examples in memory: x and y [N, ...], tensors or tuples of tensors."""

    def __init__(self, x: State, y: State, unit: Any = None) -> None:
        self.x, self.y, self.unit = _tensors(x, "examples: x"), _tensors(y, "examples: y"), unit
        lengths = {what: [len(p) for p in parts(s)] for what, s in (("x", self.x), ("y", self.y))}
        if len({n for found in lengths.values() for n in found}) != 1:
            raise OrbitscopeError(f"examples: all parts of x and y need one length, got {lengths['x']} for x and {lengths['y']} for y.")
        _check_finite(self.x, "x")
        _check_finite(self.y, "y")

    def __len__(self) -> int:
        return len(parts(self.x)[0])

    def __getitem__(self, index: Tensor) -> tuple[State, State]:
        return mapped(lambda t: t[index], self.x), mapped(lambda t: t[index], self.y)


class Part:
    """Some of the examples, by number."""

    def __init__(self, whole: Indexed, index: Tensor) -> None:
        self.whole, self.index = whole, index

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, index: Tensor) -> Any:
        return self.whole[self.index[index]]


def indexed(examples: ExamplesLike, what: str = "examples") -> Indexed:
    """Examples of any kind as `Indexed`; raises `OrbitscopeError` for what is none, and for none at all."""
    if hasattr(examples, "x") and hasattr(examples, "y"):
        found = Pairs(examples.x, examples.y, getattr(examples, "unit", None))
    elif isinstance(examples, tuple | list):
        if len(examples) != 2:
            raise OrbitscopeError(
                f"{what}: a tuple of examples is (x, y), got {len(examples)} entries. Put the parts of a state in a tuple."
            )
        found = Pairs(*examples)
    elif isinstance(examples, Indexed):
        found = examples
    else:
        raise OrbitscopeError(
            f"{what}: should be a tuple (x, y) of tensors, an object with x and y, or one with len() that gives (x, y) for an index "
            f"tensor; got {type(examples).__name__}."
        )
    if not len(found):
        raise OrbitscopeError(f"{what}: there is none. Give at least one.")
    return found


def set_aside(examples: Indexed, fraction: float) -> tuple[Indexed, Indexed]:
    """The rest, and about this fraction for validation: whole units where the examples have `unit` [N], the same at every call."""
    if not 0 < fraction < 1:
        raise OrbitscopeError(f"validation: a fraction should lie between 0 and 1, got {fraction}; or give examples, or None.")
    unit = getattr(examples, "unit", None)
    labels = np.arange(len(examples)) if unit is None else np.asarray(unit)
    units = np.unique(labels)
    count = min(max(1, round(fraction * len(units))), len(units) - 1)
    if count < 1:
        raise OrbitscopeError("validation: one unit of examples cannot be split. Give validation examples, or None.")
    held = np.isin(labels, units[permutation(len(units), 0, "validation").numpy()[:count]])
    return Part(examples, torch.from_numpy(np.flatnonzero(~held))), Part(examples, torch.from_numpy(np.flatnonzero(held)))


class ExampleBatches(Batches):
    """Examples for the loop: floating-point numbers in its precision, everything on its device."""

    def __init__(self, examples: Indexed, dtype: torch.dtype, device: torch.device) -> None:
        self.source, self.dtype, self.device = examples, dtype, device

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: Tensor) -> tuple[State, State]:
        x, y = _pair(self.source[index])
        return self._place(x), self._place(y)

    def _place(self, state: State) -> State:
        return floats_to(mapped(lambda t: t.to(self.device), _tensors(state, "examples: x and y")), self.dtype)


def fingerprint(examples: Sequence[Indexed]) -> str:
    """A hash of the numbers, shapes and up to 64 of the examples: tells others from the same, not every edit."""
    digest = hashlib.sha256()
    for some in examples:
        n = len(some)
        digest.update(str(n).encode())
        index = torch.linspace(0, n - 1, min(n, _HASHED), dtype=torch.float64).round().long()
        for state in _pair(some[index]):
            for part in parts(_tensors(state, "examples: x and y")):
                digest.update(f"{part.dtype} {tuple(part.shape)}".encode())
                digest.update(part.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _pair(found: Any) -> tuple[State, State]:
    if not isinstance(found, tuple | list) or len(found) != 2:
        came = f"{len(found)} things" if isinstance(found, tuple | list) else type(found).__name__
        raise OrbitscopeError(f"examples: examples[index] should give (x, y), got {came}.")
    return found[0], found[1]


def _tensors(state: Any, what: str) -> State:
    made = tuple(torch.as_tensor(p) for p in state) if isinstance(state, tuple | list) else torch.as_tensor(state)
    if not parts(made) or not all(p.ndim for p in parts(made)):
        raise OrbitscopeError(f"{what} should have examples along the first axis of every tensor, got a number or nothing.")
    return made


def _check_finite(state: State, what: str) -> None:
    for part in parts(state):
        if part.is_floating_point() and not bool(torch.isfinite(part).all()):
            n = int((~torch.isfinite(part.reshape(len(part), -1)).all(1)).nonzero()[0])
            raise OrbitscopeError(f"examples: {what} holds NaN or infinite values, first in example {n}. Leave it out.")
