"""Symmetries that move frames, values and time: they act on transitions, not on states alone."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .._errors import OrbitscopeError
from ._grid import Grid
from ._grid_action import GridAction
from ._isometry import Isometry
from ._layout import Layout

#: What a field means -> its powers of (density, velocity, inverse length) under a scaling.
DIMENSIONS: Mapping[str, tuple[int, int, int]] = {
    "velocity": (0, 1, 0),
    "vorticity": (0, 1, 1),
    "density": (1, 0, 0),
    "momentum": (1, 1, 0),
    "energy": (1, 2, 0),
    "pressure": (1, 2, 0),
    "tracer": (0, 0, 0),
}
#: Parameters of equations -> their powers of (density, velocity, inverse length); None: they carry no unit.
_PARAMETERS: Mapping[str, tuple[int, int, int] | None] = {
    "viscosity": (0, 1, -1), "diffusivity": (0, 1, -1), "modes": None,
    "gamma": None, "cfl": None, "limiter": None, "backend": None, "reconstruction": None,
}  # fmt: skip


class MovedPair(NamedTuple):
    """A transition after the move: `x` becomes `y` within the time `dt`."""

    x: Tensor
    y: Tensor
    dt: float


class PairSymmetry(ABC):
    r"""A symmetry of a law of motion that acts on transitions $(x, y, \Delta t)$ and on the parameters of the law.

    If y follows x after dt under the law with parameters p, then y' follows x' after dt' under the same law with `parameters(p)`. An
    isometry is the case that moves both states alike and leaves time and parameters (see `GridAction.pair`).
    """

    @abstractmethod
    def pair(self, state: Tensor, next_state: Tensor, dt: float, *, time: float = 0.0) -> MovedPair:
        """The moved transition of `state` [..., channel, *grid] at `time` and `next_state` at `time + dt`."""

    @abstractmethod
    def parameters(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters of the law that the moved transition obeys, from `parameters`, those of the original."""

    @abstractmethod
    def inverse(self) -> "PairSymmetry":
        """The move that undoes this one."""

    @abstractmethod
    def error(self, state: Tensor, dt: float) -> float:
        """Measured interpolation error of moving a next `state`, `dt` later, there and back, relative to the state (L2); 0 if exact."""


@dataclass(frozen=True)
class Boost(PairSymmetry):
    r"""The same flow seen from a frame that moves with velocity $-c$: a Galilean boost.

    $$u'(p, t) = u(p - c\,t,\, t) + c, \qquad \rho'(p, t) = \rho(p - c\,t,\, t), \qquad m' = m + \rho\, c, \qquad
    E' = E + m \cdot c + \tfrac12 \rho |c|^2$$

    with the right-hand sides at $p - c t$. At time 0 nothing is shifted, so x is not and y is shifted by c dt; `time` of `pair` says
    otherwise. Parameters of the law stay as they are.

    Fields are recognised by their names: velocity; momentum (needs density); energy (needs density and momentum). Scalars with another
    name (pressure, tracer) are carried along unchanged.

    Boosts compose by adding velocities: `a @ b` is `Boost(a.velocity + b.velocity)`. The shift is an index permutation for whole cells
    and a Fourier phase otherwise: exact for fields without power at the Nyquist mode, and ringing at shocks (see `error`). Boosting
    cell averages is exact: the map of values is linear in the conserved variables.

    * `layout`: the fields of a state, in order.
    * `grid`: the grid that the states live on.
    * `velocity`: c, one number per axis, in lengths of `grid` per unit of time; 0 along walls.
    * `roles`: field name -> what it is, where its own name does not say it, for example {"u": "velocity"}.

    Raises `OrbitscopeError` for a velocity across a wall, for fields whose change under a boost is not known.

    >>> import torch
    >>> boost = Boost(Layout.of("velocity:vector"), Grid.square(4), (0.5, 0.0))
    >>> x, y, dt = boost.pair(torch.zeros(2, 4, 4), torch.zeros(2, 4, 4), 0.5)
    >>> x[:, 0, 0].tolist(), dt
    ([0.5, 0.0], 0.5)
    """

    layout: Layout
    grid: Grid
    velocity: tuple[float, ...]
    roles: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        velocity = tuple(float(v) for v in self.velocity)
        object.__setattr__(self, "velocity", velocity)
        if len(velocity) != self.grid.ndim or not all(math.isfinite(v) for v in velocity):
            raise OrbitscopeError(f"Boost: `velocity` needs {self.grid.ndim} finite numbers, one per axis, got {self.velocity}.")
        for axis, (v, boundary) in enumerate(zip(velocity, self.grid.boundary, strict=True)):
            if v and boundary != "periodic":
                raise OrbitscopeError(
                    f"Boost: `velocity` along axis {axis}, whose boundary is {boundary!r}: only a periodic axis looks the same in motion."
                )
        meanings = field_meanings("Boost", self.layout, self.roles)
        for f in self.layout.fields:
            known = meanings[f.name] in ("velocity", "momentum") and f.representation.name == "vector"
            if not known and f.representation.name not in ("scalar", "pseudoscalar", "vertical"):
                raise OrbitscopeError(
                    f"Boost: how {f.name!r} ({f.representation!r}) changes in a moving frame is not known. "
                    f"Say whether it is a velocity or a momentum with `roles`, for example roles={{{f.name!r}: 'velocity'}}."
                )
        present = set(meanings.values())
        for what, needs in (("momentum", {"density"}), ("energy", {"density", "momentum"})):
            if what in present and not needs <= present:
                raise OrbitscopeError(
                    f"Boost: {what} changes by {' and '.join(sorted(needs))}, but the layout has only "
                    f"{', '.join(self.layout.channel_names)}. Name the missing fields with `roles`."
                )

    def pair(self, state: Tensor, next_state: Tensor, dt: float, *, time: float = 0.0) -> MovedPair:
        return MovedPair(self.state(state, time), self.state(next_state, time + dt), dt)

    def state(self, state: Tensor, time: float = 0.0) -> Tensor:
        """`state` [..., channel, *grid] at `time` in the other frame: values changed and shifted by c time."""
        return self._carried(self.values(state), time)

    def values(self, state: Tensor) -> Tensor:
        """`state` with its values changed and not shifted."""
        self.layout.check(state, "Boost: `state`")
        self.grid.check(state, "Boost: `state`")
        c = torch.tensor(self.velocity, dtype=state.dtype, device=state.device).reshape(-1, *[1] * self.grid.ndim)
        parts = {f.name: _part(state, self.layout, f.name) for f in self.layout.fields}
        named = {meaning: parts[name] for name, meaning in self._roles.items()}
        moved = []
        for f in self.layout.fields:
            value, meaning = parts[f.name], self._roles[f.name]
            if meaning == "velocity":
                value = value + c
            elif meaning == "momentum":
                value = value + named["density"] * c
            elif meaning == "energy":
                work = (named["momentum"] * c).sum(-self.grid.ndim - 1, keepdim=True)
                value = value + work + 0.5 * named["density"] * c.square().sum()
            moved.append(value)
        return torch.cat(moved, dim=-self.grid.ndim - 1)

    def parameters(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        return dict(parameters)

    def inverse(self) -> "Boost":
        return Boost(self.layout, self.grid, tuple(-v for v in self.velocity), self.roles)

    def __matmul__(self, other: "Boost") -> "Boost":
        if (self.layout, self.grid) != (other.layout, other.grid):
            raise OrbitscopeError("Boost: two boosts compose on one layout and grid only.")
        return Boost(self.layout, self.grid, tuple(a + b for a, b in zip(self.velocity, other.velocity, strict=True)), self.roles)

    def error(self, state: Tensor, dt: float) -> float:
        if self._action.is_exact(self._shift(dt)):
            return 0.0
        back = self._carried(self._carried(state, dt), -dt)
        return float((back - state).norm() / (state.norm() + torch.finfo(state.dtype).tiny))

    def is_exact(self, time: float) -> bool:
        """Whether the displacement at `time` is by whole cells."""
        return self._action.is_exact(self._shift(time))

    @cached_property
    def _roles(self) -> dict[str, str]:
        return field_meanings("Boost", self.layout, self.roles)

    @cached_property
    def _action(self) -> GridAction:
        return GridAction(self.layout, self.grid)

    def _shift(self, time: float) -> Isometry:
        eye = tuple(tuple(int(i == j) for j in range(self.grid.ndim)) for i in range(self.grid.ndim))
        return Isometry(eye, tuple(v * time / e for v, e in zip(self.velocity, self.grid.extent, strict=True)))

    def _carried(self, state: Tensor, time: float) -> Tensor:
        return self._action(self._shift(time), state)


@dataclass(frozen=True)
class Scaling(PairSymmetry):
    r"""The same flow in other units: faster, denser, and repeated n times along each axis of the box.

    $$u'(p, t) = a\, u(n p,\, a n t), \quad \rho'(p, t) = r\, \rho(n p,\, a n t), \quad m' = r a\, m, \quad E' = r a^2 E, \qquad
    \Delta t' = \frac{\Delta t}{a n}, \qquad \nu' = \frac{a}{n} \nu$$

    n is whole, so that the box stays periodic: the moved state holds n copies per axis on n times as many points per axis (`moved_grid`),
    an index map without arithmetic. Vorticity gets a n, pressure r a^2.

    Fields are recognised by name: velocity, vorticity, density, momentum, energy, pressure, tracer. `a @ b`
    scales by b first; its factors are the products. Exact, so `error` is 0.

    * `layout`: the fields of a state, in order.
    * `grid`: the grid that the states live on.
    * `velocity`, `density`: the factors a and r, above 0.
    * `copies`: n, from 1.
    * `roles`: field name -> what it is, where its own name does not say it, for example {"u": "velocity"}.

    Raises `OrbitscopeError` for a field without a known dimension, a box with walls and several copies, and, in `parameters`, for spectral
    viscosity (`viscosity=None`), which belongs to the grid and does not scale.

    >>> faster = Scaling(Layout.of("velocity:vector"), Grid.square(8), velocity=2.0, copies=2)
    >>> faster.parameters({"viscosity": 0.01}), faster.moved_grid.shape
    ({'viscosity': 0.01}, (16, 16))
    """

    layout: Layout
    grid: Grid
    velocity: float = 1.0
    density: float = 1.0
    copies: int = 1
    roles: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("velocity", "density"):
            if not 0.0 < getattr(self, name) < math.inf:
                raise OrbitscopeError(f"Scaling: `{name}` should be positive and finite, got {getattr(self, name)}.")
        if int(self.copies) != self.copies or self.copies < 1:
            raise OrbitscopeError(f"Scaling: `copies` should be a whole number from 1 up, else the box is not periodic; got {self.copies}.")
        if self.copies > 1 and not self.grid.periodic:
            raise OrbitscopeError(f"Scaling: `copies` = {self.copies} of a box with walls do not make a larger one: {self.grid}.")
        for name, meaning in field_meanings("Scaling", self.layout, self.roles).items():
            if meaning not in DIMENSIONS:
                raise OrbitscopeError(
                    f"Scaling: the dimension of the field {name!r} is not known. Say what it is with `roles`: {', '.join(DIMENSIONS)}."
                )

    @property
    def moved_grid(self) -> Grid:
        """The grid of moved states."""
        g = self.grid
        return Grid(tuple(n * self.copies for n in g.shape), g.extent, g.boundary, g.centring)

    def pair(self, state: Tensor, next_state: Tensor, dt: float, *, time: float = 0.0) -> MovedPair:
        return MovedPair(self.state(state), self.state(next_state), dt / (self.velocity * self.copies))

    def state(self, state: Tensor) -> Tensor:
        """`state` [..., channel, *grid] in the other units, [..., channel, *moved_grid]."""
        self.layout.check(state, "Scaling: `state`")
        self.grid.check(state, "Scaling: `state`")
        scaled = state * self.factors.to(state).reshape(-1, *[1] * self.grid.ndim)
        if self.copies == 1:
            return scaled
        return scaled.repeat(*[1] * (state.ndim - self.grid.ndim), *[self.copies] * self.grid.ndim)

    @cached_property
    def factors(self) -> Tensor:
        """What each channel is multiplied by, float64 [channel]."""
        meanings = field_meanings("Scaling", self.layout, self.roles)
        per_field = [self._factor(DIMENSIONS[meanings[f.name]]) for f in self.layout.fields]
        return torch.tensor([per_field[i] for i in self.layout.field_of_channel], dtype=torch.float64)

    def parameters(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        moved = dict(parameters)
        for name, value in parameters.items():
            if name not in _PARAMETERS:
                raise OrbitscopeError(f"Scaling.parameters: how {name!r} scales is not known. Leave it out and scale it yourself.")
            powers = _PARAMETERS[name]
            if powers is None or self.factor_of_viscosity == 1.0 == self.copies:
                continue
            if value is None and name == "viscosity":
                raise OrbitscopeError(
                    "Scaling.parameters: spectral viscosity (`viscosity` None) belongs to the grid and does not scale. "
                    "Use an equation with a number for `viscosity`; 0 will do."
                )
            moved[name] = None if value is None else value * self._factor(powers)
        return moved

    @property
    def factor_of_viscosity(self) -> float:
        """What viscosities and diffusivities are multiplied by, a / n."""
        return self.velocity / self.copies

    def inverse(self) -> "Scaling":
        if self.copies > 1:
            raise OrbitscopeError(f"Scaling: {self.copies} copies of a box cannot be undone on any state but such copies.")
        return Scaling(self.layout, self.grid, 1 / self.velocity, 1 / self.density, 1, self.roles)

    def __matmul__(self, other: "Scaling") -> "Scaling":
        if self.layout != other.layout or self.grid != other.moved_grid:
            raise OrbitscopeError(f"Scaling: the second one acts on {other.moved_grid} of the first, but was made for {self.grid}.")
        return Scaling(
            self.layout,
            other.grid,
            self.velocity * other.velocity,
            self.density * other.density,
            self.copies * other.copies,
            other.roles,
        )

    def error(self, state: Tensor, dt: float) -> float:
        return 0.0

    def _factor(self, powers: tuple[int, int, int]) -> float:
        return self.density ** powers[0] * self.velocity ** powers[1] * float(self.copies) ** powers[2]


def field_meanings(who: str, layout: Layout, roles: Mapping[str, str]) -> dict[str, str]:
    """What each field means: its role if one is given, else its own name.

    * `who`: what asks, for the error's text.
    * `layout`: the fields.
    * `roles`: field name -> meaning.

    Raises `OrbitscopeError` for roles of fields that are not there, and for meanings that are not known.
    """
    names = [f.name for f in layout.fields]
    if unknown := sorted(set(roles) - set(names)):
        raise OrbitscopeError(f"{who}: `roles` names {', '.join(unknown)}, but the fields are {', '.join(names)}.")
    if wrong := sorted(set(roles.values()) - set(DIMENSIONS)):
        raise OrbitscopeError(f"{who}: `roles` knows {', '.join(DIMENSIONS)}, got {', '.join(wrong)}.")
    return {name: roles.get(name, name) for name in names}


def _part(state: Tensor, layout: Layout, name: str) -> Tensor:
    piece = layout.slice(name)
    return state.narrow(state.ndim - layout.ndim - 1, piece.start, piece.stop - piece.start)
