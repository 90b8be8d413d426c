"""What every equation offers, and the list of those that exist."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any, ClassVar

import torch
from torch import Tensor

from .._errors import OrbitscopeError
from ..symmetry import Grid, Group, Layout, parse_group

_REGISTRY: dict[str, type["Equation"]] = {}


class SolverError(OrbitscopeError):
    """A solver left the physical states. `item` is the index within the batch, `time` the physical time since the call began.

    * `message`: what happened and what to do.
    """

    def __init__(self, message: str, item: int, time: float) -> None:
        super().__init__(message)
        self.item = item
        self.time = time

    def __reduce__(self) -> tuple[type, tuple[str, int, float]]:  # else it could not come back from another process
        return type(self), (str(self), self.item, self.time)


class Equation(ABC):
    """One partial differential equation on its box (by default the periodic unit square or cube): solver, layout, symmetries.

    To add one, write a frozen dataclass with a `name`, a `layout`, `symmetries`, `_evolve` and `constraints`; it is then found by
    its name everywhere. Its dataclass fields are its parameters.

    States are [batch, channel, x, y] (and z, where the layout is for three dimensions); x is the first spatial axis and vector
    component 0 points along it. Cells are centred. On the default box point i of n sits at (i + 1/2) / n and the spacing is 1 / n; an
    equation on another box (walls, another extent) overrides `grid`.
    """

    name: ClassVar[str] = ""
    layout: ClassVar[Layout]
    #: Groups, in the words of `symmetry.parse_group`, whose elements map solutions to solutions (on this square, this grid).
    symmetries: ClassVar[tuple[str, ...]] = ("d4", "tx", "ty")
    #: Continuous symmetries that act on transitions: "boost" (`symmetry.Boost`), "scaling" (`symmetry.Scaling`, with the parameters that
    #: it asks for). They hold for the equations; the scheme keeps them up to its error.
    continuous: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if cls.name:
            _REGISTRY[cls.name] = cls

    @property
    def parameters(self) -> dict[str, Any]:
        """Every parameter by name, plain values, for provenance: `equation(name, **parameters)` rebuilds this one."""
        return asdict(self)  # pyright: ignore[reportArgumentType]  # subclasses are dataclasses

    def grid(self, resolution: int) -> Grid:
        """Where states of that resolution live: here the periodic, cell-centred unit box with `resolution` points per axis."""
        return Grid.square(resolution, ndim=self.layout.ndim)

    def rescaled(self, length: float) -> "tuple[Equation, tuple[float, ...]]":
        r"""(equation, units): how flows in a box `length` times as large are solved in the own one, with the same time.

        With $x = \ell x'$ and t = t', a state there is `units` (a number per channel) times a state of `equation` here. Exact for every
        equation that overrides this; one that does not knows its own box only.

        * `length`: $\ell$, the size of that box in those of the own one.

        Raises `OrbitscopeError` where the equation does not say how it changes with the size of its box.
        """
        if length == 1.0:
            return self, (1.0,) * self.layout.channels
        raise OrbitscopeError(f"{self.name or type(self).__name__} does not say how it changes with the size of its box")

    def on(self, grid: Grid) -> "tuple[Equation, tuple[float, ...]]":
        """(equation, units) as `rescaled` gives them, for the box of `grid`: $S(x) = u S'(x / u)$ with the units u and the solver S' of
        that equation.

        Raises `OrbitscopeError`, with the reason alone, where the solver has other walls, another number of points between them, or a box
        of another shape.
        """
        if grid.ndim != self.layout.ndim:
            raise OrbitscopeError(f"the solver works in {self.layout.ndim} dimensions, the grid has {grid.ndim}")
        own = [self.grid(n) for n in dict.fromkeys((min(grid.shape), max(grid.shape)))]
        walls = next((g for g in own if g.boundary == grid.boundary), None)
        if walls is None:
            raise OrbitscopeError(f"the solver's box is {'/'.join(own[0].boundary)}, the file's {'/'.join(grid.boundary)}")
        if not walls.periodic:
            walls = next((g for g in own if g.shape == grid.shape), None)
            if walls is None:
                raise OrbitscopeError(
                    f"between walls the solver has a grid of {_by(own[0].shape)} points, the file one of {_by(grid.shape)}"
                )
        lengths = [theirs / mine for theirs, mine in zip(grid.extent, walls.extent, strict=True)]
        if max(lengths) > (1 + 1e-6) * min(lengths):
            raise OrbitscopeError(f"the solver's box has sides in the ratio {_by(walls.extent)}, the file's {_by(grid.extent)}")
        return self.rescaled(1.0 if abs(lengths[0] - 1) < 1e-6 else lengths[0])

    def groups(self, resolution: int) -> tuple[Group, ...]:
        """The declared symmetry groups, translations by whole cells of `grid(resolution)`."""
        return tuple(parse_group(words, points=self.grid(resolution).shape) for words in self.symmetries)

    def step(self, state: Tensor, dt: float, grid: Grid | None = None) -> Tensor:
        """The state after the physical time `dt`, same shape; substeps follow each trajectory's own CFL condition.

        * `state`: [B, C, *grid], float32 or float64. `dt`: at least 0.
        * `grid`: where the state lives, if that is not the equation's own box; a box of another size is rescaled exactly (`rescaled`).

        Deterministic. Each trajectory is independent of the others in the batch, bit for bit on the CPU.

        Raises `OrbitscopeError` for a wrong shape, dtype, `dt` or a box that the solver cannot take, and its subclass `SolverError` (with
        `.item` and `.time`) if a trajectory leaves the physical states (NaN, infinite, negative density or pressure).
        """
        self.layout.check(state, f"{self.name}.step: `state`")
        if state.ndim != 2 + self.layout.ndim or min(state.shape[2:]) < 4:
            axes = ", ".join("xyz"[: self.layout.ndim])
            raise OrbitscopeError(
                f"{self.name}.step: `state` should be [batch, {self.layout.channels}, {axes}] with at least 4 points per axis, "
                f"got shape {tuple(state.shape)}."
            )
        if state.dtype not in (torch.float32, torch.float64):
            raise OrbitscopeError(f"{self.name}.step: `state` should be float32 or float64, got {state.dtype}. Convert it first.")
        if not 0.0 <= dt < float("inf"):
            raise OrbitscopeError(f"{self.name}.step: `dt` should be finite and not negative, got {dt}.")
        if grid is not None:
            grid.check(state, f"{self.name}.step: `state`")
            try:
                inner, units = self.on(grid)
            except OrbitscopeError as error:
                raise OrbitscopeError(f"{self.name}.step: `grid`: {error}.") from error
            if any(u != 1 for u in units) or inner is not self:
                unit = torch.tensor(units, dtype=state.dtype, device=state.device).reshape(-1, *[1] * self.layout.ndim)
                return inner.step(state / unit, dt) * unit
        return self._evolve(state, float(dt)) if len(state) else state.clone()

    @abstractmethod
    def _evolve(self, state: Tensor, dt: float) -> Tensor:
        """The work of `step`, on checked arguments."""

    def rate(self, state: Tensor) -> Tensor:
        """The time derivative that the scheme assigns to `state` [B, C, X, Y], same shape: what continuous symmetries are tested on.

        Raises `OrbitscopeError` for an equation that does not offer it.
        """
        raise OrbitscopeError(f"{self.name}.rate: this equation offers `step` only.")

    @abstractmethod
    def constraints(self, state: Tensor, next_state: Tensor, dt: float, grid: Grid) -> dict[str, Tensor]:
        """Dimensionless residuals [B], by name, of laws that every transition of this equation obeys; near 0 for a right file.

        * `state`, `next_state`: [B, C, *grid].
        * `dt`: the time between them.
        * `grid`: where they live.

        They serve to tell a file that contradicts its declared axis convention from one that keeps it.
        """

    def coarsen(self, state: Tensor, factor: int) -> Tensor:
        """`state` [..., C, *grid] on a grid with `factor` times fewer points per axis: the mean over cells, which conserves."""
        ndim = self.layout.ndim
        blocks = [size for n in state.shape[-ndim:] for size in (n // factor, factor)]
        return state.reshape(*state.shape[:-ndim], *blocks).mean(tuple(range(-2 * ndim + 1, 0, 2)))

    def _check_pair(self, state: Tensor, next_state: Tensor, dt: float, grid: Grid) -> None:
        for what, value in (("state", state), ("next_state", next_state)):
            self.layout.check(value, f"{self.name}.constraints: `{what}`")
            grid.check(value, f"{self.name}.constraints: `{what}`")
        if state.ndim != 2 + self.layout.ndim or state.shape != next_state.shape:
            axes = ", ".join("xyz"[: self.layout.ndim])
            raise OrbitscopeError(
                f"{self.name}.constraints: `state` and `next_state` should both be [batch, channel, {axes}], got {tuple(state.shape)} "
                f"and {tuple(next_state.shape)}."
            )
        own = self.grid(8)
        if grid.boundary != own.boundary:
            raise OrbitscopeError(f"{self.name}.constraints: `grid` should have the boundaries {'/'.join(own.boundary)}, got {grid}.")
        if not dt > 0.0:
            raise OrbitscopeError(f"{self.name}.constraints: `dt` should be positive, got {dt}.")

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(f'{k}={v}' for k, v in self.parameters.items())})"


def _by(numbers: Iterable[float]) -> str:
    return " x ".join(f"{n:g}" for n in numbers)


def equations() -> tuple[str, ...]:
    """The names that `equation` knows."""
    return tuple(sorted(_REGISTRY))


def equation(name: str, **parameters: Any) -> Equation:
    """The equation of that name with those parameters; the rest keep their defaults.

    * `name`: of the equation, as `equations()` lists it.
    * `parameters`: fields of the equation, such as viscosity.

    Raises `OrbitscopeError` for an unknown name, an unknown parameter, and a value that the equation does not take.

    >>> equation("euler", gamma=5 / 3).layout.channel_names
    ('density', 'momentum_x', 'momentum_y', 'energy')
    """
    if name not in _REGISTRY:
        raise OrbitscopeError(f"equation: no equation is called {name!r}. Known: {', '.join(equations())}.")
    cls = _REGISTRY[name]
    known = [f.name for f in fields(cls)]  # pyright: ignore[reportArgumentType]
    if unknown := sorted(set(parameters) - set(known)):
        raise OrbitscopeError(f"equation: {name} has no parameter {', '.join(unknown)}. Known: {', '.join(known)}.")
    return cls(**parameters)
