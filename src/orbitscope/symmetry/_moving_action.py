"""Boosts and changes of unit as actions on states, so that they are symmetries of a map like any other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .._errors import OrbitscopeError
from ._frames import Factors, Velocity
from ._grid_action import GridAction
from ._moving import Boost, Scaling
from ._states import State, parts


@dataclass(frozen=True)
class BoostAction(GridAction):
    r"""A Galilean boost on states that are `time` after the moment at which nothing is displaced: see `Boost` for the formulas.

    $$u'(p) = u(p - c\,t) + c$$

    with c the components of the element, a `Velocity`. So a map over a time step dt has the symmetry $f(B_0 x) = B_{dt} f(x)$: its input is
    at time 0, its output at time dt.

    * `layout`: the fields of a state, in order.
    * `grid`: the grid that the states live on.
    * `order`: degree of the Lagrange interpolation at angles that the grid does not have; odd.
    * `frames`: stacked states, oldest first, of which the last is at `time`. `dt`: time between two of them.
    * `time`: of the state, in the unit of length over velocity; 0 is where nothing is displaced.
    * `roles`: field name -> meaning ("velocity", "density", ...), where its own name does not say it.
    """

    time: float = 0.0
    dt: float = 0.0
    roles: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, element: Any, state: State) -> Tensor:
        (values,) = parts(state)
        boost, axis = self._boost(element), values.ndim - self.grid.ndim - 1
        count = values.shape[axis] // self.layout.channels if values.shape[axis] == self.frames * self.layout.channels else 1
        moved = [
            boost.state(one, self.time - back * self.dt)
            for back, one in zip(reversed(range(count)), values.chunk(count, dim=axis), strict=True)
        ]
        return torch.cat(moved, dim=axis) if count > 1 else moved[0]

    def require(self, element: Any) -> None:
        self._boost(element)

    def is_exact(self, element: Any) -> bool:
        return self._boost(element).is_exact(self.time)

    def mask(self, element: Any) -> Tensor:
        return torch.ones(self.grid.shape, dtype=torch.bool)

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "time": self.time}

    def _boost(self, element: Any) -> Boost:
        if not isinstance(element, Velocity):
            raise OrbitscopeError(f"BoostAction: it moves states by a Velocity, got {element!r}.")
        return Boost(self.layout, self.grid, element.components, self.roles)


@dataclass(frozen=True)
class ScalingAction(GridAction):
    r"""States in other units at the same time step and on the same grid: densities by r, momenta, energies and pressures with them.

    See `Scaling`. A change of the unit of velocity by a also changes the time step, $\Delta t' = \Delta t / a n$, and n copies change the
    grid: no map at one time step and on one grid has those, so elements with a or n other than 1 are refused.

    * `layout`: the fields of a state, in order.
    * `grid`: the grid that the states live on.
    * `order`: degree of the Lagrange interpolation at angles that the grid does not have; odd.
    * `frames`: successive states that are stacked along the channels, oldest first.
    * `roles`: field name -> meaning ("velocity", "density", ...), where its own name does not say it.
    """

    roles: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, element: Any, state: State) -> Tensor:
        (values,) = parts(state)
        factors = self._scaling(element).factors
        channels = values.shape[values.ndim - self.grid.ndim - 1]
        return values * factors.repeat(channels // len(factors)).to(values).reshape(-1, *[1] * self.grid.ndim)

    def require(self, element: Any) -> None:
        self._scaling(element)

    def is_exact(self, element: Any) -> bool:
        return True

    def mask(self, element: Any) -> Tensor:
        return torch.ones(self.grid.shape, dtype=torch.bool)

    def _scaling(self, element: Any) -> Scaling:
        if not isinstance(element, Factors):
            raise OrbitscopeError(f"ScalingAction: it moves states by Factors, got {element!r}.")
        if element.velocity != 1 or element.copies != 1:
            raise OrbitscopeError(
                f"ScalingAction: {element!r} also changes the time step or the grid, which are those of the map. Scale the density alone, "
                "or look at the generator 'scaling' of `lie_derivative`, which knows the law."
            )
        return Scaling(self.layout, self.grid, density=element.density, roles=self.roles)
