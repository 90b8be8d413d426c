"""What of a discovered group acts on fields on a grid: the rotations, reflections and shifts among its elements."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .._errors import OrbitscopeError
from ..nn import restrict
from ..symmetry import (
    FiniteGroup,
    Grid,
    Group,
    Isometry,
    cyclic,
    dihedral,
    octahedral,
    product,
    rotations,
    rotations_reflections,
    same_elements,
    translations,
)
from ._membership import distance_to_group
from ._problem import Array

if TYPE_CHECKING:
    from ._discovery import Discovery

_LEAST = 2.0  # degrees: predictors and interpolation leave at least this much in practice
_WIDE = 3.0  # times the angle to which the span is known
_TURNS = 16  # the finest rotation that is looked for where rotations are not continuous


@dataclass(frozen=True)
class OnGrid:
    """The part of a discovered group that moves fields on a grid, and what is left out of it.

    * `turns`: rotations and reflections about the centre of the box, a group of isometries; None where there are none.
    * `shifts`: one group of shifts for each axis of the grid along which all shifts are in the group.
    * `words`: the same as `parse_group` reads them, such as ("so2", "tx"): those of `turns` first. None where `turns` has no word.
    * `left`: in words, which part of the group does not act, and why; empty where all acts.
    """

    turns: Group[Isometry] | None
    shifts: tuple[Group[Isometry], ...]
    words: tuple[str, ...] | None
    left: str

    @property
    def group(self) -> Group[Isometry]:
        """All of it as one finite group: the product of `turns` and `shifts`, which has as many elements as their sizes multiplied.

        Shifts from point to point and rotations between the points make no finite group: beside shifts, the `lattice` part is taken.
        """
        turns = self.turns if self.turns is None or not self.shifts else self.lattice().turns
        factors = [*([] if turns is None else [turns]), *self.shifts]
        whole = factors[-1]
        for factor in reversed(factors[:-1]):
            whole = product(factor, whole)
        return whole

    def lattice(self) -> "OnGrid":
        """What of it maps every square lattice onto itself, as moving training data needs: quarter turns, flips along axes, shifts."""
        if self.turns is None or all(g.is_lattice for g in self.turns):
            return self
        every = dihedral(4) if self.turns.ndim == 2 else octahedral()
        kept = _called(every.largest_subgroup(g for g in every if g in self.turns))
        if kept is None and not self.shifts:
            raise OrbitscopeError(f"discovery: no element of {self.turns} but the identity maps the points of a grid onto points.")
        return OnGrid(kept, self.shifts, _words(kept, self.shifts), self.left)


def on_grid(found: "Discovery", grid: Grid | None = None, count: int | None = None) -> OnGrid:
    """What `Discovery.on_grid` gives back: see there for `grid` and `count`; `found` is the discovery."""
    known = _Members(found, count)
    ndim = known.n
    if ndim not in (1, 2, 3) or (grid is not None and grid.ndim != ndim):
        has = "1, 2 or 3" if grid is None else str(grid.ndim)
        raise OrbitscopeError(
            f"discovery: its group moves {ndim} numbers, and a grid has {has} axes. What was found among other numbers than places and "
            "vectors of the space of the grid does not act on fields."
        )
    axes = [k for k in range(ndim) if known.shift(k) and (grid is None or grid.boundary[k] == "periodic")]
    points = (32,) * ndim if grid is None else grid.shape
    shifts = tuple(translations(points[k], k, ndim=ndim) for k in axes)
    turns = _turns(known, grid)
    if turns is None and not shifts:
        raise OrbitscopeError(
            f"discovery: {found.sentence()} No element of it but the identity is an isometry of the grid (a rotation, reflection or shift, "
            f"to {known.degrees:.1f} degrees), so it has no action on fields and kernels.{known.left(0)} On vectors and points it acts: "
            "`equivariance(model, examples, 'found.nc')`, or Symmetry(found.group(), input, output)."
        )
    used = len(shifts) + sum(known.turn(i, j) for i in range(ndim) for j in range(i))
    return OnGrid(turns, shifts, _words(turns, shifts), known.left(used))


class _Members:
    """Which matrices lie in the group $c\\,e^X$ of a discovery, to what its algebra is known."""

    def __init__(self, found: "Discovery", count: int | None) -> None:
        algebra = found.basis[: found.count if count is None else count]
        if not len(algebra) and not len(found.components):
            found.group(count)  # raises, and says what was found instead
        self.degrees = max(_LEAST, _WIDE * found.angle) if found.angle == found.angle else _LEAST
        self.slack, self.size = math.sin(math.radians(self.degrees)), found.basis.shape[1]
        self.homogeneous, self.n = found.homogeneous, self.size - found.homogeneous
        self.components = [np.eye(self.size), *found.components]
        self.basis = np.linalg.qr(algebra.reshape(len(algebra), self.size**2).T)[0]
        # With every shift in the group, a turn about one place is a turn about any other.
        self.anywhere = self.homogeneous and all(self.shift(k) for k in range(self.n))

    def generator(self, x: Array) -> bool:
        """Whether the direction `x` [N, N] is in the algebra."""
        flat = x.ravel() / np.linalg.norm(x)
        return bool(self.basis.size and np.linalg.norm(flat - self.basis @ (self.basis.T @ flat)) <= self.slack)

    def shift(self, axis: int) -> bool:
        """Whether all shifts along an axis are in the group."""
        x = np.zeros((self.n + 1, self.n + 1))
        x[axis, self.n] = 1.0
        return self.homogeneous and self.generator(x)

    def turn(self, i: int, j: int) -> bool:
        """Whether all rotations of the plane of the axes `i` and `j` about the origin are in the group."""
        x = np.zeros((self.size, self.size))
        x[i, j], x[j, i] = -1.0, 1.0
        return self.generator(x)

    def __contains__(self, element: Isometry) -> bool:
        goal = np.eye(self.size)
        goal[: self.n, : self.n] = element.matrix
        return any(self._reached(k, goal) for k in range(len(self.components)))

    def _reached(self, number: int, goal: Array) -> bool:
        """Whether $c\\,e^X$ comes as near to the goal as the uncertainties of X and of c let it."""
        inner = self.n if self.anywhere else self.size
        rest = np.linalg.solve(self.components[number], goal)[:inner, :inner]
        own = self.slack * math.sqrt(self.size) if number else 1e-9
        # An error of X grows with X; a solution that winds more often than it need may not be less exact for that.
        size = float(np.linalg.norm(np.angle(np.linalg.eigvals(rest[: self.n, : self.n]))))
        return distance_to_group(rest, self.linear) * math.sqrt(inner) <= own + self.slack * size

    @cached_property
    def linear(self) -> Array:
        """A basis of the algebra [k, N, N]; of its linear part [k, n, n] where all shifts are in the group and places play no part."""
        whole = self.basis.T.reshape(-1, self.size, self.size)
        if not self.anywhere:
            return whole
        _, sizes, rows = np.linalg.svd(whole[:, : self.n, : self.n].reshape(len(whole), -1), full_matrices=False)
        return rows[sizes > self.slack].reshape(-1, self.n, self.n)  # what a shift turns by is within its error

    def left(self, used: int) -> str:
        """What does not act, where `used` directions do."""
        known = self.basis.shape[1]
        if known <= used:
            return ""
        who = "Its generator" if known == 1 else f"{known - used} of its {known} generators"
        one = known - used == 1
        return (
            f" {who} {'changes' if one else 'change'} lengths or {'turns' if one else 'turn'} along ellipses (shears, boosts, scalings), "
            f"so {'it maps' if one else 'they map'} no grid onto itself."
        )


def _turns(known: _Members, grid: Grid | None) -> Group[Isometry] | None:
    """The rotations and reflections of the group that the grid bears, or None."""
    n = known.n
    if n == 2 and known.turn(0, 1) and (grid is None or grid.alike(0, 1)):
        return (rotations_reflections if Isometry(((-1, 0), (0, 1))) in known else rotations)()
    if n == 2:
        fine = next((k for k in range(_TURNS, 1, -1) if cyclic(k).elements[1] in known), 1)
        every: Group[Isometry] = dihedral(math.lcm(fine, 4))
    else:
        every = octahedral() if n == 3 else FiniteGroup("D1", [Isometry(((1,),), name="e"), Isometry(((-1,),), name="s")])
    every = every if grid is None else restrict(every, grid)
    return _called(every.largest_subgroup(g for g in every if g in known))


def _called(kept: tuple[Isometry, ...]) -> Group[Isometry] | None:
    """The group of these elements, by its usual name where it has one; None for the identity alone."""
    n = kept[0].ndim
    if len(kept) == 1:
        return None
    made = FiniteGroup(f"found({', '.join(g.name for g in kept)})", kept)
    return next((g for g in _named(n, len(kept)) if same_elements(g, made)), made)


def _named(ndim: int, size: int) -> list[Group[Isometry]]:
    """Groups of that many rotations and reflections that have a word."""
    if ndim == 2:
        return [cyclic(size), *([dihedral(size // 2)] if size % 2 == 0 else [])]
    return [octahedral(reflections=False), octahedral()] if ndim == 3 else []


def _words(turns: Group[Isometry] | None, shifts: tuple[Group[Isometry], ...]) -> tuple[str, ...] | None:
    """How `parse_group` calls them; None where the rotations and reflections have no word."""
    moved = tuple(g.name[:2].lower() for g in shifts)
    if turns is None:
        return moved
    if turns.sampled:
        return ("o2" if turns.name.startswith("O") else "so2", *moved)
    return None if turns.name.startswith("found") or turns.ndim == 1 else (turns.name.lower(), *moved)
