"""Fields of a layout on any domain: mix the channels, move the places."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._errors import OrbitscopeError
from ._action import Action, differentiated
from ._domain import Domain
from ._layout import Layout
from ._linear import linear_part
from ._states import State, parts


@dataclass(frozen=True)
class FieldAction(Action[Any]):
    r"""$(g s)(p) = \rho(g)\, s(g^{-1} p) + b(g)$: fields of a `layout` on a `domain` that is no grid (there, `GridAction`).

    `layout` says how channels mix, `domain` how places move; neither knows the other. Linear, or affine for points, in the state.
    Raises `OrbitscopeError` for elements that a field or the domain does not know.

    >>> from orbitscope.symmetry import Values, dihedral
    >>> act = FieldAction(Layout.of("wind:vector", "speed"), Values())
    >>> act(dihedral(4)["r"], torch.tensor([[1.0, 0.0, 5.0]])).tolist()
    [[0.0, 1.0, 5.0]]
    """

    layout: Layout
    domain: Domain

    @property
    def channels(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Names of the channels of the layout."""
        return self.layout.channel_names

    def __call__(self, element: Any, state: State) -> State:
        self.require(element)
        if not isinstance(state, Tensor):
            raise OrbitscopeError(f"FieldAction: `state` should be one tensor, got {len(state)} parts. See `PartsAction`.")
        self.domain.check(state, self.layout.channels, "FieldAction: `state`")
        return self.domain.move(element, self._mixed(element, state))

    def require(self, element: Any) -> None:
        self.domain.require(element)
        self.layout.matrix(element)  # raises where a field does not know the element

    def is_exact(self, element: Any) -> bool:
        return self.domain.exact(element)

    def mask(self, element: Any) -> Tensor:
        return self.domain.mask(element)

    def tangent(self, flow: Callable[[float], Any], state: State) -> State:
        (values,) = parts(state)
        self.domain.check(values, self.layout.channels, "FieldAction: `state`")
        rate, offset = _velocity(flow)
        drift = self.domain.drift(rate, offset, values.double()) if len(rate) else None
        if drift is None:
            return super().tangent(flow, state)
        return (differentiated(lambda t: self._mixed(flow(t), values.double())) + drift).to(values.dtype)

    def blocks(self, state: State) -> tuple[Tensor, ...]:
        (values,) = parts(state)
        moved = values.movedim(self.domain.channel, 1)
        return tuple(b.reshape(len(b), b.shape[1], -1) for b in moved.split(self.layout.sizes, dim=1))

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "layout": self.layout.to_dict(), "domain": repr(self.domain)}

    def _mixed(self, element: Any, state: Tensor) -> Tensor:
        matrix, offset = self.layout.matrix(element), self.layout.offset(element)
        moved = state.movedim(self.domain.channel, -1) @ torch.as_tensor(matrix.T.copy(), dtype=state.dtype, device=state.device)
        if offset is not None:
            moved = moved + torch.as_tensor(offset, dtype=state.dtype, device=state.device)
        return moved.movedim(-1, self.domain.channel)


def _velocity(flow: Callable[[float], Any]) -> tuple[np.ndarray, np.ndarray]:
    """The rates of matrix and offset along a flow at 0; empty for elements without a matrix."""
    if not hasattr(flow(0.0), "matrix"):
        return np.zeros((0, 0)), np.zeros(0)
    matrix = differentiated(lambda t: torch.as_tensor(linear_part(flow(t))))
    offset = differentiated(lambda t: torch.tensor(np.asarray(getattr(flow(t), "offset", np.zeros(len(matrix))))))
    return matrix.numpy(), offset.numpy()
