"""The claim that a map commutes with a group, whatever goes in and comes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from .._errors import OrbitscopeError
from .._expect import expect, shown
from .._html import table_html
from ._action import Action
from ._frames import boosts, scalings
from ._grid import Grid
from ._grid_action import GridAction
from ._group import Group
from ._layout import Layout
from ._moving_action import BoostAction, ScalingAction
from ._parse import parse_group
from ._states import State


class OnGrid(Protocol):
    """What `Symmetry.of` needs of data: a layout and a grid."""

    @property
    def layout(self) -> Layout: ...
    @property
    def grid(self) -> Grid: ...


class InTime(OnGrid, Protocol):
    """What `Symmetry.boosts` needs beyond that: the time between two states."""

    @property
    def dt(self) -> float: ...


@dataclass(frozen=True, init=False)  # `__init__` takes more than the attributes hold
class Symmetry:
    r"""The claim $f(g x) = g f(x)$ for all g of a group, with an action on what goes into f and another on what comes out.

    * `group`: its elements act through both actions. `input`: moves x. `output`: moves f(x) and the truth y.
    * `name`: for results and reports; by default that of the group.

    A field on a grid has one action for both (`Symmetry.of`). A policy takes an observation and gives an action; a classifier's output is
    `Invariant`; a Galilean boost moves the next state further than the state (`boosts`); a planner takes (state, noise).

    Raises `OrbitscopeError` for what is no group and no action.

    >>> from orbitscope.symmetry import FieldAction, Invariant, Values, dihedral
    >>> distance = Symmetry(dihedral(4), FieldAction(Layout.of("offset:vector"), Values()), Invariant(("distance",)))
    >>> distance
    Symmetry(D4: offset_x, offset_y -> distance)
    """

    group: Group
    input: Action[Any]
    output: Action[Any]
    name: str

    def __init__(self, group: Group | str, input: Action[Any], output: Action[Any], *, name: str = "") -> None:
        group = parse_group(group) if isinstance(group, str) else group
        expect(group, Group, "group:", "words such as 'd4' or a Group, one of them")
        for what, action in (("input", input), ("output", output)):
            if not isinstance(action, Action):
                came = type(action).__name__
                raise OrbitscopeError(f"Symmetry: `{what}` should be an action (FieldAction, GridAction, PartsAction, ...), got {came}.")
        for what, value in (("group", group), ("input", input), ("output", output), ("name", name or group.name)):
            object.__setattr__(self, what, value)

    @classmethod
    def of(cls, data: OnGrid, group: "Group | str", *, frames: int = 1) -> "Symmetry":
        """A group of isometries on fields on a grid, moving states and next states alike.

        * `data`: has a layout and a grid, as `Trajectories` have.
        * `group`: a `Group`, or words, which are read on the grid of the data ("tx" has a shift per point).
        * `frames`: above 1 the action moves stacks of so many states too.
        """
        if not hasattr(data, "grid") or not hasattr(data, "layout"):
            raise OrbitscopeError(f"data: should be Trajectories (load(path) reads a file), got {shown(data)}.")
        if isinstance(group, str):
            group = parse_group(group, points=data.grid.shape)
        action = GridAction(data.layout, data.grid, frames=frames)
        return cls(group, action, action)

    @classmethod
    def boosts(
        cls, data: InTime, speeds: Sequence[float] = (1.0,), *, frames: int = 1, roles: Mapping[str, str] | None = None
    ) -> "Symmetry":
        """Galilean boosts of flow on a grid: the next state is displaced by c dt more than the state, so the two actions differ.

        * `data`: has a layout, a grid and a time step, as `Trajectories` have.
        * `speeds`: of the elements that are looked at, in random directions, in lengths of the grid over time (see `boosts`).
        * `frames`: past states that the model sees. `roles`: which field is the velocity, where its name does not say it (see `Boost`).

        Raises `OrbitscopeError` for walls and for fields whose change in a moving frame is not known.
        """
        into = BoostAction(data.layout, data.grid, frames=frames, time=0.0, dt=data.dt, roles=dict(roles or {}))
        return cls(boosts(data.grid.ndim, speeds), into, replace(into, frames=1, time=data.dt))

    @classmethod
    def densities(cls, data: OnGrid, factor: float = 2.0, *, frames: int = 1, roles: Mapping[str, str] | None = None) -> "Symmetry":
        """Another unit of mass: densities, momenta, energies and pressures times one number between 1 / `factor` and `factor`.

        * `data`: has a layout and a grid, as `Trajectories` have.
        * `frames`: past states that the model sees. `roles`: which field is the density, where its name does not say it (see `Scaling`).

        The law of a gas without viscosity has this symmetry. Raises `OrbitscopeError` for fields whose dimension is not known.
        """
        action = ScalingAction(data.layout, data.grid, frames=frames, roles=dict(roles or {}))
        return cls(scalings(1.0, factor, 1), action, action)

    def pair(self, element: Any, x: State, y: State) -> tuple[State, State]:
        """The example (`x`, `y`) moved by `element`."""
        return self.input(element, x), self.output(element, y)

    def require(self, element: Any) -> None:
        """Raise `OrbitscopeError` unless both sides can be moved by `element`."""
        self.input.require(element)
        self.output.require(element)

    def is_exact(self, element: Any) -> bool:
        """Whether neither side is resampled by `element`."""
        return self.input.is_exact(element) and self.output.is_exact(element)

    def elements(self, names: Sequence[str] | None = None, count: int | None = None, seed: int = 0) -> tuple[Any, ...]:
        """The elements to look at: all of a finite group, `count` (by default 16) of another, drawn by `seed`, or those `names` name."""
        found = self.group.probes(count, seed)
        if names is not None:
            known = {g.name: g for g in found}
            if missing := [n for n in names if n not in known]:
                raise OrbitscopeError(f"Group {self.group.name}: no element is called {missing[0]!r}. Known: {', '.join(known)}.")
            found = tuple(known[n] for n in names)
        for g in found:
            self.require(g)
        return found

    def __repr__(self) -> str:
        return f"Symmetry({self.name}: {_said(self.input)} -> {_said(self.output)})"

    def _repr_html_(self) -> str:
        names = [g.name for g in self.group] if self.group.finite else []
        shown = (
            f"{len(names)}: {', '.join(names[:16])}{', ...' if len(names) > 16 else ''}"
            if names
            else "not finite; instruments take a sample"
        )
        rows = [("claim", "f(g x) = g f(x)"), ("elements", shown), ("x", _said(self.input)), ("f(x)", _said(self.output))]
        return table_html(f"Symmetry {self.name}", rows)


def _said(action: Action[Any]) -> str:
    names = action.channels
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
