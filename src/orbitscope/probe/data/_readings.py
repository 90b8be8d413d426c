"""The ways a file may be read other than as declared, and which of them physics can tell apart."""

import itertools
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..._errors import OrbitscopeError
from ...physics import Equation
from ...symmetry import Grid, GridAction, Isometry, Layout, Representation, fourier_shift, parse_group

Matrix = tuple[tuple[int, ...], ...]
_CELLS = (0, 0.5, -0.5, 1, -1, 2, -2)
_UNMIXED = ("scalar", "pseudoscalar", "vertical")


@dataclass(frozen=True)
class Reading:
    """What has to be done to the values of a file to get what its declaration says; nothing by default.

    `components` is the signed permutation that the components of every vector undergo, `axes` that of the grid (components left in
    place). `reverse`: the frames are in the wrong order. `factor`: the true time between frames over the declared one. `faces`: +1 where
    component i is sampled half a cell above the centre along axis i, -1 below. `displaced`: (component, axis, cells) by which one
    component of the vectors lies too far up that axis. `length`: the true sides of the box over the declared ones.
    `uncertainty`: of `factor` or `length`, relative; `representations`: (field, true
    representation).
    """

    name: str
    components: Matrix = ()
    axes: Matrix = ()
    reverse: bool = False
    factor: float = 1.0
    faces: int = 0
    displaced: tuple[tuple[int, int, float], ...] = ()
    length: float = 1.0
    uncertainty: float = 0.0
    representations: tuple[tuple[str, str], ...] = ()

    @property
    def changes(self) -> int:
        """How many things are wrong under this reading: the fewer, the likelier."""
        moved = self.faces != 0 or bool(self.displaced)
        scaled = self.factor != 1 or self.length != 1
        return sum((bool(self.components), bool(self.axes), self.reverse, scaled, moved, len(self.representations)))

    @property
    def timed(self) -> bool:
        """Whether only laws in time can tell this reading from the one without it."""
        return self.factor != 1 or self.length != 1 or self.reverse

    def box(self, grid: Grid) -> Grid:
        """The grid with the true sides."""
        return replace(grid, extent=tuple(self.length * e for e in grid.extent)) if self.length != 1 else grid

    @property
    def resampled(self) -> bool:
        """Whether values are moved by parts of a cell, so that it takes more than an exchange of numbers to undo."""
        return self.faces != 0 or bool(self.displaced)

    def states(self, state: Tensor, layout: Layout, grid: Grid) -> Tensor:
        """[..., channel, *grid] as it should have been stored; time is not touched."""
        if self.axes:
            still = Layout.of(*(f"c{i}" for i in range(layout.channels)), ndim=layout.ndim)
            state = GridAction(still, grid)(Isometry(self.axes), state)
        if self.components:
            state = _mixed(torch.as_tensor(mixing(layout, np.array(self.components)), dtype=state.dtype), state, layout.ndim)
        if self.faces:
            state = _centred(state, layout, grid, self.faces)
        for component, axis, cells in self.displaced:
            state = _moved_back(state, layout, grid, component, axis, cells)
        return state

    def pair(self, x: Tensor, y: Tensor, layout: Layout, grid: Grid) -> tuple[Tensor, Tensor]:
        """A transition as it should have been stored."""
        moved = self.states(x, layout, grid), self.states(y, layout, grid)
        return (moved[1], moved[0]) if self.reverse else moved

    def declared(self, layout: Layout) -> Layout:
        """The layout with the true representations."""
        true = dict(self.representations)
        return Layout(tuple(replace(f, representation=true.get(f.name, f.representation)) for f in layout.fields), layout.ndim)  # pyright: ignore[reportArgumentType]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Reading":
        """The inverse of `to_dict`."""
        try:
            rows = {k: tuple(tuple(int(v) for v in row) for row in data.get(k, ())) for k in ("components", "axes")}
            pairs = tuple((str(a), str(b)) for a, b in data.get("representations", ()))
            plain = {k: data[k] for k in ("reverse", "factor", "faces", "length", "uncertainty") if k in data}
            displaced = tuple((int(c), int(a), float(n)) for c, a, n in data.get("displaced", ()))
            return cls(str(data["name"]), **rows, **plain, displaced=displaced, representations=pairs)  # pyright: ignore[reportArgumentType]
        except (KeyError, TypeError, ValueError) as error:
            raise OrbitscopeError(f"reading: not the description of a reading ({error!r}): {data!r}.") from error

    def __str__(self) -> str:
        return self.name


def readings(layout: Layout, grid: Grid, law: Equation | None) -> tuple[tuple[Reading, ...], tuple[tuple[str, ...], ...]]:
    """One reading per class that physics can tell apart, the declared one first, and the names of the others in each class.

    Two readings are in one class where a symmetry g of the law takes what the one makes of any file to what the other makes of it: a
    grid reversed along x with its components left in place is a sign error of component x, seen in a mirror. Whoever relabels
    the whole world, components along with axes, by a symmetry of the law is in the class of "declared".
    """
    if layout.ndim not in (2, 3):
        return (Reading("declared"),), ((),)
    mixes = any(f.representation.size(layout.ndim) > 1 for f in layout.fields)
    symmetries = _point_group(layout, grid, law)
    found: dict[bytes, tuple[Reading, list[str]]] = {}
    for reading in _named(layout.ndim, mixes, grid):
        key = _class_of(reading, layout, symmetries, blind=law is None)
        if key in found:
            found[key][1].append(reading.name)
        else:
            found[key] = (reading, [])
    kept = [*found.values(), (Reading("time reversed", reverse=True), [])]
    if mixes and grid.periodic and grid.centring == "cell":
        kept += [(Reading(f"components on {side} faces", faces=sign), []) for side, sign in (("upper", 1), ("lower", -1))]
    return tuple(r for r, _ in kept), tuple(tuple(others) for _, others in kept)


def mixing(layout: Layout, matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """How the channels mix where the components of every vector do: a relabelling, so without the sign that a pseudo-field would get from
    a reflection of space."""
    blocks = [_block(f.representation, matrix, layout.ndim) for f in layout.fields]
    out, start = np.zeros((layout.channels, layout.channels)), 0
    for block in blocks:
        out[start : start + len(block), start : start + len(block)] = block
        start += len(block)
    return out


def _block(rep: Representation, matrix: NDArray[np.int64], ndim: int) -> NDArray[np.float64]:
    base, _, copies = repr(rep).partition("*")
    if base in _UNMIXED:
        return np.eye(rep.size(ndim))
    block = np.asarray(matrix, dtype=np.float64) if base == "pseudovector" else rep.matrix(matrix)
    return np.asarray(np.kron(np.eye(int(copies)), block), dtype=np.float64) if base == "pseudovector" and copies else block


def _mixed(mix: Tensor, state: Tensor, ndim: int) -> Tensor:
    return (state.movedim(-ndim - 1, -1) @ mix.T).movedim(-1, -ndim - 1)


def _centred(state: Tensor, layout: Layout, grid: Grid, side: int) -> Tensor:
    """Components of vectors from the faces to the centres."""
    parts = []
    for f, part in zip(layout.fields, state.split(layout.sizes, dim=-layout.ndim - 1), strict=True):
        if f.representation.name not in ("vector", "pseudovector"):
            parts.append(part)
            continue
        for i in range(layout.ndim):
            one = part.select(-layout.ndim - 1, i)
            parts.append(fourier_shift(one, 0.5 * side / grid.shape[i], one.ndim - layout.ndim + i).unsqueeze(-layout.ndim - 1))
    return torch.cat(parts, dim=-layout.ndim - 1)


def _moved_back(state: Tensor, layout: Layout, grid: Grid, component: int, axis: int, cells: float) -> Tensor:
    """One component of every vector moved down an axis."""
    state, start = state.clone(), 0
    for f, size in zip(layout.fields, layout.sizes, strict=True):
        if f.representation.name in ("vector", "pseudovector"):
            one = state.select(-layout.ndim - 1, start + component)
            one.copy_(fourier_shift(one.clone(), -cells / grid.shape[axis], one.ndim - layout.ndim + axis))
        start += size
    return state


def displacements(layout: Layout, grid: Grid) -> tuple[Reading, ...]:
    """One component of the vectors up to two cells away from where it is said to be, along either or both axes; none but in a plane
    periodic box with one vector."""
    if layout.ndim != 2 or not grid.periodic or not layout.fields_with("vector"):
        return ()
    # With nothing but the vector in the file, only how far its components are apart can be told.
    components = (0,) if len(layout.fields) == 1 else (0, 1)
    found = []
    for component, a, b in itertools.product(components, _CELLS, _CELLS):
        moves = tuple((component, axis, float(n)) for axis, n in ((0, a), (1, b)) if n)
        if moves:
            told = " and ".join(f"{n:g} cell{'s' if abs(n) > 1 else ''} along {'xy'[axis]}" for _, axis, n in moves)
            found.append(Reading(f"component {'xy'[component]} displaced by {told}", displaced=moves))
    return tuple(found)


def signed_permutations(ndim: int) -> list[NDArray[np.int64]]:
    """All 2^d d! of them, the identity first, those without signs before those with.

    >>> len(signed_permutations(2)), len(signed_permutations(3))
    (8, 48)
    """
    found = []
    for signs in sorted(itertools.product((1, -1), repeat=ndim), key=lambda s: s.count(-1)):
        for order in itertools.permutations(range(ndim)):
            found.append(np.array([[signs[i] * (order[i] == j) for j in range(ndim)] for i in range(ndim)]))
    return found


def _named(ndim: int, mixes: bool, grid: Grid) -> Iterable[Reading]:
    """The likely mistakes: components, then axes, then both together."""
    yield Reading("declared")
    matrices = signed_permutations(2) if ndim == 2 else [m for m in signed_permutations(3) if _likely(m)]
    for matrix in _ordered(matrices[1:]) if mixes else ():
        yield Reading(_component_words(matrix), components=_rows(matrix))
    plain = Layout.of("c", ndim=ndim)
    moves = [m for m in _ordered(matrices[1:]) if GridAction(plain, grid).can(Isometry(_rows(m)))]
    for matrix in moves:
        yield Reading(_axis_words(matrix), axes=_rows(matrix))
    for matrix in moves if mixes else ():
        yield Reading(f"{_axis_words(matrix)}, components along", components=_rows(matrix), axes=_rows(matrix))


def _likely(m: NDArray[np.int64]) -> bool:
    """In three dimensions: a permutation, one sign, or all signs."""
    negative = int((m < 0).sum())
    return negative == 0 or (negative in (1, 3) and bool(np.array_equal(np.abs(m), np.eye(3))))


def _ordered(matrices: list[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    """Fewest changes first: exchanges without a sign, then signs without an exchange, then both."""

    def key(m: NDArray[np.int64]) -> tuple[int, int, list[int]]:
        negated = [i for i, row in enumerate(m) if row.min() < 0]
        return 2 * bool(negated) + bool(negated and (np.diag(m) == 0).any()), len(negated), negated

    return sorted(matrices, key=key)


def _component_words(m: NDArray[np.int64]) -> str:
    """Such as "components swapped, x negated": row i of `m` makes component i from one of the file's."""
    ndim, negated = len(m), ["xyz"[i] for i in range(len(m)) if m[i].min() < 0]
    order = [int(np.abs(row).argmax()) for row in m]
    all_of = "both" if ndim == 2 else "all"
    if order == list(range(ndim)):
        if len(negated) == ndim:
            return f"{all_of} components negated"
        return f"component {negated[0]} negated" if len(negated) == 1 else f"components {', '.join(negated)} negated"
    if ndim == 2:
        words = "components swapped"
    elif sum(order[i] != i for i in range(3)) == 2:
        words = f"components {', '.join('xyz'[i] for i in range(3) if order[i] != i)} swapped"
    else:
        words = f"components in the order {', '.join('xyz'[i] for i in order)}"
    return words if not negated else f"{words}, {all_of if len(negated) == ndim else ', '.join(negated)} negated"


def _axis_words(m: NDArray[np.int64]) -> str:
    words = _component_words(m).replace("components", "axes").replace("component", "axis")
    return words.replace("negated", "reversed").replace("swapped", "transposed")


def _rows(m: NDArray[np.int64]) -> Matrix:
    return tuple(tuple(int(v) for v in row) for row in m)


def _point_group(layout: Layout, grid: Grid, law: Equation | None) -> list[NDArray[np.int64]]:
    """Rotations and reflections that the law has and the grid can do; without a law, all that the grid can do."""
    action = GridAction(layout, grid)
    if law is None:
        candidates = signed_permutations(grid.ndim)
    else:
        linear = {g.linear for words in law.symmetries for g in parse_group(words, points=grid.shape) if g.is_lattice}
        candidates = [np.array(rows, dtype=np.int64) for rows in linear]
    kept = []
    for matrix in candidates:
        try:
            layout.matrix(matrix)
        except OrbitscopeError:  # a "vertical" field knows no turn of its axis
            continue
        if action.can(Isometry(_rows(matrix))):
            kept.append(matrix)
    return kept


def _class_of(reading: Reading, layout: Layout, symmetries: list[NDArray[np.int64]], blind: bool) -> bytes:
    """Of all (channel mixing, grid motion) that the symmetries make of this reading, the first in some order.

    `blind`: nobody asks how pseudo-fields transform, as where the only laws are of vectors and scalars.
    """
    eye = np.eye(layout.ndim, dtype=np.int64)
    mix = mixing(layout, np.array(reading.components)) if reading.components else np.eye(layout.channels)
    axes = np.array(reading.axes) if reading.axes else eye
    images = []
    for g in symmetries or [eye]:
        moved = (mixing(layout, g) if blind else layout.matrix(g)) @ mix
        images.append((g @ axes).astype(np.int8).tobytes() + np.rint(moved).astype(np.int8).tobytes())
    return min(images)


__all__ = ["Reading", "displacements", "mixing", "readings", "signed_permutations"]
