"""Examples of several parts as one tensor, so that every instrument sees one: a vector per example that is taken apart where it counts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ..data import Examples
from ..symmetry import Action, State, Symmetry, called, parts, taken


@dataclass(frozen=True)
class Packing:
    """Shapes and kinds of the parts of a state; a state of one part is left as it is."""

    shapes: tuple[tuple[int, ...], ...]
    kinds: tuple[torch.dtype, ...]
    single: bool

    @classmethod
    def of(cls, state: State) -> "Packing":
        """From an example of it."""
        some = parts(state)
        return cls(tuple(tuple(p.shape[1:]) for p in some), tuple(p.dtype for p in some), isinstance(state, Tensor))

    def pack(self, state: State, dtype: torch.dtype | None = None) -> Tensor:
        """[N, F]; whole numbers and masks become floats on the way."""
        if isinstance(state, Tensor):
            return state
        kind = dtype or next((p.dtype for p in state if p.is_floating_point()), torch.float32)
        return torch.cat([p.reshape(len(p), -1).to(kind) for p in state], 1)

    def unpack(self, packed: Tensor) -> State:
        """The parts, whole numbers and masks as they were, floats in the precision of `packed`."""
        if self.single:
            return packed
        sizes = [math.prod(shape) for shape in self.shapes]
        pieces = zip(packed.split(sizes, dim=1), self.shapes, self.kinds, strict=True)
        return tuple(p.reshape(len(packed), *shape).to(p.dtype if kind.is_floating_point else kind) for p, shape, kind in pieces)


class PackedModel(nn.Module):
    """A model of states of several parts as one of vectors."""

    def __init__(self, model: nn.Module, into: Packing, out: Packing) -> None:
        super().__init__()
        self.model, self.into, self.out = model, into, out

    def forward(self, x: Tensor) -> Tensor:
        """The packed answer."""
        return self.out.pack(called(self.model, self.into.unpack(x)))


class PackedAction(Action[Any]):
    """An action on states of several parts as one on vectors."""

    def __init__(self, action: Action[Any], packing: Packing) -> None:
        self.action, self.packing, self.channels, self.linear = action, packing, action.channels, action.linear

    def __call__(self, element: Any, state: State) -> Tensor:
        (packed,) = parts(state)
        return self.packing.pack(self.action(element, self.packing.unpack(packed)), packed.dtype)

    def require(self, element: Any) -> None:
        self.action.require(element)

    def is_exact(self, element: Any) -> bool:
        return self.action.is_exact(element)

    def blocks(self, state: State) -> tuple[Tensor, ...]:
        return self.action.blocks(self._parts(state))

    def squares(self, a: State, b: State | None = None, element: Any = None) -> Tensor:
        return self.action.squares(self._parts(a), None if b is None else self._parts(b), element)

    def features(self, state: State) -> Tensor:
        return self.action.features(self._parts(state))

    def weights(self, state: State) -> Tensor:
        return self.action.weights(self._parts(state))

    def describe(self) -> dict[str, Any]:
        return self.action.describe()

    def _parts(self, state: State) -> State:
        return self.packing.unpack(parts(state)[0])


def packed_model(module: nn.Module, data: Examples) -> tuple[nn.Module, tuple[int, ...]]:
    """The model on packed examples, and the shape of one packed answer."""
    like = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(()))
    some = _cast(taken(data.x, slice(0, 2)), like)
    try:
        with torch.no_grad():
            answer = called(module, some)
    except OrbitscopeError:
        raise
    except Exception as error:  # forward is somebody's code and may raise anything
        shapes = ", ".join(str(tuple(p.shape)) for p in parts(some))
        raise OrbitscopeError(
            f"model: it fails on the examples' x of shape {shapes}: {type(error).__name__}: {(str(error).splitlines() or [''])[0]}. "
            "The parts of x are its arguments, in order; wrap it in a module that takes them so."
        ) from error
    if not all(isinstance(p, Tensor) for p in (answer if isinstance(answer, tuple) else (answer,))):
        raise OrbitscopeError(f"model: it should answer with a tensor or a tuple of tensors, got {type(answer).__name__}.")
    into, out = Packing.of(data.x), Packing.of(answer)
    if not (into.single and out.single):
        module = PackedModel(module, into, out)
    packed = out.pack(answer)
    return module, tuple(packed.shape[1:])


def packed_symmetry(symmetry: Symmetry, data: Examples) -> Symmetry:
    """The symmetry on packed examples."""
    into, out = Packing.of(data.x), Packing.of(data.y)
    return replace(
        symmetry,
        input=symmetry.input if into.single else PackedAction(symmetry.input, into),
        output=symmetry.output if out.single else PackedAction(symmetry.output, out),
    )


def packed_pairs(data: Examples, index: Sequence[int], like: Tensor) -> tuple[Tensor, Tensor]:
    """x and y of some examples as one tensor each, floats in the precision and on the device of `like`."""
    at = torch.as_tensor(index)
    found = []
    for state in (data.x, data.y):
        found.append(Packing.of(state).pack(_cast(taken(state, at), like), like.dtype))
    return found[0], found[1]


def _cast(state: State, like: Tensor) -> State:
    made = tuple(p.to(like.device, like.dtype if p.is_floating_point() else p.dtype) for p in parts(state))
    return made[0] if isinstance(state, Tensor) else made
