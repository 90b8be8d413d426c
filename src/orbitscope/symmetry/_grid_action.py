"""How an element moves a state that lives on a grid."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from jaxtyping import Inexact
from torch import Tensor

from .._errors import OrbitscopeError
from .._expect import expect
from ._action import Action
from ._grid import Grid
from ._interpolate import fourier_shift, sample
from ._isometry import Isometry
from ._layout import Layout
from ._states import State, parts


@dataclass(frozen=True)
class GridAction(Action[Isometry]):
    r"""$(g\,x)(p) = \rho(A)\, x(g^{-1} p)$ for states [..., channel, *grid] of one layout on one grid.

    Signed permutations of the axes (C4, D4, the octahedral group) and shifts by whole cells are exact: an index permutation and
    a signed permutation of channels, no arithmetic but sign. Shifts by fractions of a cell use a Fourier phase. Other angles
    use Lagrange interpolation; they are no symmetry of a periodic box, so compare them only on `mask`, the disc that stays inside the box,
    and look at `error`.

    Linear in the state, differentiable in both modes, usable under `torch.func` transforms, on any dtype and device.

    * `layout`: the fields of a state, in order.
    * `grid`: the grid that the states live on.
    * `order`: degree of the Lagrange interpolation at angles that the grid does not have; odd.
    * `frames`: above 1 it also moves stacks of so many states along channels, oldest first (`Layout.stack`), each of them alike.

    Raises `OrbitscopeError` if the grid cannot represent the element: exchanged axes that differ in points, extent or boundary;
    a shift along a wall.

    >>> from orbitscope.symmetry import dihedral
    >>> action = GridAction(Layout.of("u:vector"), Grid.square(4))
    >>> x = torch.zeros(2, 4, 4); x[0, 3, 0] = 1.0
    >>> (action(dihedral(4)["r"], x) != 0).nonzero().tolist()
    [[1, 3, 3]]
    """

    layout: Layout
    grid: Grid
    order: int = 5
    frames: int = 1

    def __post_init__(self) -> None:
        expect(self.layout, Layout, "GridAction: `layout`", "a Layout (Layout.of('velocity:vector'))")
        expect(self.grid, Grid, "GridAction: `grid`", "a Grid (Grid.square(64))")
        if self.layout.ndim != self.grid.ndim:
            raise OrbitscopeError(f"GridAction: `layout` is for {self.layout.ndim} dimensions, `grid` has {self.grid.ndim}.")
        if self.order < 1 or self.order % 2 == 0:
            raise OrbitscopeError(f"GridAction: `order` must be odd and positive, got {self.order}.")
        if self.frames < 1:
            raise OrbitscopeError(f"GridAction: `frames` must be at least 1, got {self.frames}.")

    def __call__(self, element: Isometry, state: Inexact[Tensor, "..."]) -> Inexact[Tensor, "..."]:
        """The moved state, same shape."""
        self.require(element)
        axis = -self.grid.ndim - 1
        if self.frames > 1 and state.ndim >= -axis and state.shape[axis] == self.frames * self.layout.channels:
            return self(element, state.unflatten(axis, (self.frames, self.layout.channels))).flatten(axis - 1, axis)
        self.layout.check(state)
        self.grid.check(state)
        if not element.is_translation:
            state = self._mix(element, self._turn(element, state))
        return self._shift(element, state)

    def pair(self, element: Isometry, state: Tensor, next_state: Tensor) -> tuple[Tensor, Tensor]:
        """The transition (`state`, `next_state`) moved by `element`. An isometry moves both alike; what moves time or frames would not."""
        return self(element, state), self(element, next_state)

    def require(self, element: Isometry) -> None:
        """Raise `OrbitscopeError` unless the grid can represent `element`."""
        if not isinstance(element, Isometry):
            raise OrbitscopeError(
                f"GridAction: a grid is moved by isometries of its box, not by {element!r} ({type(element).__name__}). Take a group such "
                "as 'd4' or 'so2/16'; boosts and scalings have actions of their own (`Symmetry.boosts`, `Symmetry.densities`)."
            )
        if element.ndim != self.grid.ndim:
            raise OrbitscopeError(f"element {element!r} moves {element.ndim} dimensions; the grid has {self.grid.ndim}.")
        for i, row in enumerate(element.linear):
            for j, value in enumerate(row):
                if i != j and value != 0 and not self.grid.alike(i, j):
                    raise OrbitscopeError(
                        f"element {element!r} exchanges axes {i} and {j}, but they differ on the grid {self.grid} with extent "
                        f"{self.grid.extent}. Use a square grid, or a group without quarter turns (c2, d2, tx, ty)."
                    )
        for i, s in enumerate(element.shift):
            if s != 0 and self.grid.boundary[i] != "periodic":
                raise OrbitscopeError(f"element {element!r} shifts axis {i}, whose boundary is {self.grid.boundary[i]!r}, not periodic.")

    def is_exact(self, element: Isometry) -> bool:
        """Whether `element` acts by a permutation: no interpolation, no Fourier phase."""
        whole = all(_cells(s, n) is not None for s, n in zip(element.shift, self.grid.shape, strict=True))
        return element.is_lattice and whole

    def mask(self, element: Isometry) -> Tensor:
        """Where a state moved by `element` is defined by the original alone, bool [*shape]: everywhere, or the inscribed disc."""
        if element.is_lattice:
            return torch.ones(self.grid.shape, dtype=torch.bool)
        extent = torch.tensor(self.grid.extent, dtype=torch.float64).reshape(-1, *[1] * self.grid.ndim)
        offset = self.grid.coordinates() - extent / 2
        return offset.square().sum(0).sqrt() <= min(self.grid.extent) / 2 - max(self.grid.spacing)

    def error(self, element: Isometry, state: Tensor) -> float:
        r"""Measured resampling error of `element` g on `state` x: $\|g^{-1} g x - x\| / \|x\|$ on the mask; 0 if exact."""
        if self.is_exact(element):
            return 0.0
        mask = self.mask(element).to(state.device)
        back = self(element.inverse(), self(element, state))
        return float(((back - state) * mask).norm() / ((state * mask).norm() + torch.finfo(state.dtype).tiny))

    @property
    def channels(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Names of the channels of one state."""
        return self.layout.channel_names

    def blocks(self, state: State) -> tuple[Tensor, ...]:
        (values,) = parts(state)
        return tuple(b.flatten(2) for b in values.split(self.layout.sizes, dim=1))

    def squares(self, a: State, b: State | None = None, element: Isometry | None = None) -> Tensor:
        """Squared differences of `a` and `b`, or squares of `a`, summed over the mask of `element`, [N, channel], in their precision."""
        (values,) = parts(a)
        gap = values if b is None else values - parts(b)[0]
        gap = gap if element is None else gap * self.mask(element).to(gap)
        return gap.square().sum(tuple(range(-self.grid.ndim, 0)))

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "layout": self.layout.to_dict(), "grid": self.grid.to_dict()}

    def _mix(self, element: Isometry, state: Tensor) -> Tensor:
        matrix = self.layout.matrix(element)
        ndim = self.grid.ndim
        if np.array_equal(np.abs(matrix), matrix != 0) and (np.abs(matrix).sum(1) == 1).all():
            source = torch.as_tensor(np.abs(matrix).argmax(1), device=state.device)
            sign = torch.as_tensor(matrix.sum(1), dtype=state.dtype, device=state.device)
            return state.index_select(state.ndim - ndim - 1, source) * sign.reshape(-1, *[1] * ndim)
        moved = state.movedim(-ndim - 1, -1) @ torch.as_tensor(matrix.T.copy(), dtype=state.dtype, device=state.device)
        return moved.movedim(-1, -ndim - 1)

    def _turn(self, element: Isometry, state: Tensor) -> Tensor:
        if not element.is_lattice:
            return self._resample(element, state)
        first = state.ndim - self.grid.ndim
        # New axis i runs along the old axis j with linear[i][j] = +-1.
        source = [next(j for j, v in enumerate(row) if v != 0) for row in element.linear]
        state = state.permute(*range(first), *(first + j for j in source))
        for i, j in enumerate(source):
            if element.linear[i][j] == -1:
                state = state.flip(first + i)
                if self.grid.centring == "node" and self.grid.boundary[i] == "periodic":
                    state = state.roll(1, first + i)  # point i L/n goes to (n - i) L/n, and n is 0
        return state

    def _resample(self, element: Isometry, state: Tensor) -> Tensor:
        extent = torch.tensor(self.grid.extent, dtype=torch.float64).reshape(-1, *[1] * self.grid.ndim)
        spacing = torch.tensor(self.grid.spacing, dtype=torch.float64).reshape(extent.shape)
        origin = spacing / 2 if self.grid.centring == "cell" else torch.zeros_like(spacing)
        inverse = torch.as_tensor(element.matrix.T.copy())
        source = torch.tensordot(inverse, self.grid.coordinates() - extent / 2, dims=1) + extent / 2
        periodic = tuple(b == "periodic" for b in self.grid.boundary)
        return sample(state, (source - origin) / spacing, periodic, self.order)

    def _shift(self, element: Isometry, state: Tensor) -> Tensor:
        first = state.ndim - self.grid.ndim
        for i, (s, n) in enumerate(zip(element.shift, self.grid.shape, strict=True)):
            cells = _cells(s, n)
            if cells is None:
                state = fourier_shift(state, float(s), first + i)
            elif cells:
                state = state.roll(cells, first + i)
        return state


def _cells(shift: int | float | Fraction, points: int) -> int | None:
    """The shift in whole cells, or None."""
    cells = shift * points
    nearest = round(cells)
    return nearest if abs(cells - nearest) < 1e-9 else None
