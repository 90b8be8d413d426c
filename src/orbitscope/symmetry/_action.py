"""What an action is: how the elements of a group move states of one kind, and how two such states are compared."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from .._errors import OrbitscopeError
from ._states import State, mapped, parts

E = TypeVar("E", bound=Any)
_TINY = 1e-30
_STEP = 1e-2
_CENTRAL = (3 / 4, -3 / 20, 1 / 60)  # of f(kh) - f(-kh), error of order h^6


class Action(ABC, Generic[E]):
    r"""$(g, s) \mapsto g s$ for states of one kind: $e s = s$ and $(a b) s = a (b s)$.

    States are tensors [N, ...] or tuples of them, N examples. To add one, write `__call__` and `channels`; a state that is no flat space
    (poses, classes) says in `squares` and `features` how two of them are compared. The rest follows:

    >>> class Turned(Action):
    ...     channels = ("re", "im")
    ...     def __call__(self, element, state):
    ...         return state @ torch.as_tensor(element.matrix, dtype=state.dtype).T
    >>> from orbitscope.symmetry import cyclic
    >>> Turned().error(cyclic(8)["r"], torch.ones(1, 2, dtype=torch.float64)) < 1e-15
    True
    """

    channels: tuple[str, ...]
    """Names of what `squares` tells apart."""
    linear: bool = True
    """Whether `features` of a difference is the difference of the features."""

    @abstractmethod
    def __call__(self, element: E, state: State) -> State:
        """The moved state, of the same shape."""

    def require(self, element: E) -> None:
        """Raise `OrbitscopeError` unless states of this kind can be moved by `element`."""

    def can(self, element: E) -> bool:
        """Whether states of this kind can be moved by `element`."""
        try:
            self.require(element)
        except OrbitscopeError:
            return False
        return True

    def is_exact(self, element: E) -> bool:
        """Whether moving by `element` and back returns every number up to rounding: no resampling."""
        return True

    def mask(self, element: E) -> Tensor:
        """Where states moved by `element` are defined by the originals alone; it multiplies them, a single True for everywhere."""
        return torch.ones((), dtype=torch.bool)

    def error(self, element: E, state: State) -> float:
        r"""Measured error of moving `state` s by `element` g and back, $\|g^{-1} g s - s\| / \|s\|$ in the distance of `squares`; 0 where
        only signs and places change."""
        back = self(element.inverse(), self(element, state))
        gap, size = self.squares(back, state, element), self.squares(state, None, element)
        return float((gap.sum() / (size.sum() + _TINY)).sqrt())

    def blocks(self, state: State) -> tuple[Tensor, ...]:
        """The numbers of `state` by channel: tensors [N, C_i, K_i], the C_i adding up to `channels`."""
        return tuple(p.reshape(len(p), -1, 1) if p.ndim < 3 else p.flatten(2) for p in parts(state))

    def squares(self, a: State, b: State | None = None, element: E | None = None) -> Tensor:
        """Squared distance of the states `a` and `b` by channel, float64 [N, channel], on the mask of `element`; without `b` from 0."""
        if element is not None and (mask := self.mask(element)).ndim:
            a, b = mapped(lambda t: t * mask.to(t), a), None if b is None else mapped(lambda t: t * mask.to(t), b)
        gaps = zip(self.blocks(a), self.blocks(a if b is None else b), strict=True)
        return torch.cat([(p.double() if b is None else p.double() - q.double()).square().sum(2) for p, q in gaps], 1)

    def relative(self, a: State, b: State, element: E | None = None) -> Tensor:
        r"""Distance of `a` and `b` over the size of `b`, $\|a - b\| / \|b\|$ where the space is flat, on the mask of `element`, [N]."""
        return (self.squares(a, b, element).sum(1) / (self.squares(b, None, element).sum(1) + _TINY)).sqrt()

    def features(self, state: State) -> Tensor:
        """The examples of `state` as vectors in which a mean over moved copies makes sense, [N, F]."""
        return torch.cat([b.flatten(1) for b in self.blocks(state)], 1)

    def scales(self, state: State) -> Tensor:
        """The mean square over all of `state` of each channel's field, float64 [channel]; 1 where that is 0."""
        blocks = self.blocks(state)
        return torch.cat([torch.full((b.shape[1],), float(b.double().square().mean()) or 1.0, dtype=torch.float64) for b in blocks])

    def weights(self, state: State) -> Tensor:
        """By what each entry of the `features` of `state` is multiplied, float64 [F], so that its squares add up to a mean over places, in
        units of `scales`, summed over channels."""
        scales, found = iter(self.scales(state).tolist()), []
        for b in self.blocks(state):
            sizes = torch.tensor([next(scales) for _ in range(b.shape[1])], dtype=torch.float64)
            found.append((1 / (b.shape[2] * sizes)).sqrt().repeat_interleave(b.shape[2]))
        return torch.cat(found)

    def tangent(self, flow: Callable[[float], E], state: State) -> State:
        r"""$\frac{d}{dt} g_t s$ at t = 0, of `state` s along a one-parameter group `flow`: t -> $g_t$.

        By central differences of sixth order in float64, exact to $10^{-12}$ of the state for flows of unit speed.
        """
        wide = mapped(lambda t: t.double() if t.is_floating_point() else t, state)
        return mapped(lambda a, like: a.to(like.dtype), differentiated(lambda t: self(flow(t), wide)), state)

    def describe(self) -> dict[str, Any]:
        """Plain data for the attributes of a result."""
        return {"action": type(self).__name__, "channels": list(self.channels)}


def differentiated(path: Callable[[float], State]) -> State:
    """The derivative at 0 of a `path` of states, by central differences of sixth order with a step of 0.01."""
    total = None
    for k, weight in enumerate(_CENTRAL, 1):
        term = mapped(lambda a, b, w=weight: (a - b) * (w / _STEP), path(k * _STEP), path(-k * _STEP))
        total = term if total is None else mapped(torch.add, total, term)
    return total


class PartsAction(Action[E]):
    """States of several parts, each moved by an action of its own: (positions, features), (mean, covariance), (image, pose).

    * `actions`: one per part, in order.
    * `parted`: True for elements of a product group: part k of the state is moved by part k of the element. False: all by the whole
      element.

    Raises `OrbitscopeError` where no action is given.
    """

    def __init__(self, *actions: Action[Any], parted: bool = False) -> None:
        if not actions:
            raise OrbitscopeError("PartsAction: give an action for every part of the state.")
        self.actions, self.parted, self.linear = actions, parted, all(a.linear for a in actions)
        self.channels = tuple(f"{k}.{c}" for k, a in enumerate(actions) for c in a.channels)

    def __call__(self, element: E, state: State) -> State:
        return tuple(self._one(a(g, s)) for a, g, s in zip(self.actions, self._elements(element), self._parts(state), strict=True))

    def require(self, element: E) -> None:
        for a, g in zip(self.actions, self._elements(element), strict=True):
            a.require(g)

    def is_exact(self, element: E) -> bool:
        return all(a.is_exact(g) for a, g in zip(self.actions, self._elements(element), strict=True))

    def blocks(self, state: State) -> tuple[Tensor, ...]:
        return tuple(b for a, s in zip(self.actions, self._parts(state), strict=True) for b in a.blocks(s))

    def squares(self, a: State, b: State | None = None, element: E | None = None) -> Tensor:
        given = [None] * len(self.actions) if element is None else self._elements(element)
        others = [None] * len(self.actions) if b is None else self._parts(b)
        rows = zip(self.actions, self._parts(a), others, given, strict=True)
        return torch.cat([one.squares(s, t, g) for one, s, t, g in rows], 1)

    def features(self, state: State) -> Tensor:
        return torch.cat([a.features(s) for a, s in zip(self.actions, self._parts(state), strict=True)], 1)

    def weights(self, state: State) -> Tensor:
        return torch.cat([a.weights(s) for a, s in zip(self.actions, self._parts(state), strict=True)])

    def _elements(self, element: E) -> list[Any]:
        return list(element.parts) if self.parted else [element] * len(self.actions)

    def _parts(self, state: State) -> tuple[Tensor, ...]:
        if isinstance(state, Tensor) or len(state) != len(self.actions):
            came = "one tensor" if isinstance(state, Tensor) else f"{len(state)} parts"
            raise OrbitscopeError(f"PartsAction: `state` should be a tuple of {len(self.actions)} tensors, got {came}.")
        return state

    @staticmethod
    def _one(state: State) -> Tensor:
        assert isinstance(state, Tensor), "an action of one part moves one tensor"
        return state


class Invariant(Action[E]):
    """States that no element moves: labels, energies, parameters that are numbers.

    * `channels`: their names, or how many there are.
    """

    def __init__(self, channels: tuple[str, ...] | int = 1) -> None:
        self.channels = tuple(f"value{k}" for k in range(channels)) if isinstance(channels, int) else tuple(channels)

    def __call__(self, element: E, state: State) -> State:
        return state

    def error(self, element: E, state: State) -> float:
        return 0.0
