"""What the channels of a layer are: fields of a group, the project's own or hidden ones."""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .._errors import OrbitscopeError
from ..symmetry import OCTAHEDRAL_IRREPS, Grid, Group, Isometry, Layout, cyclic, octahedral, octahedral_irrep, parse_group, representation

Matrix = NDArray[np.float64]
FLIP_X = Isometry(((-1, 0), (0, 1)))


@dataclass(frozen=True)
class GroupKey:
    """A group as a value: what caches and comparisons need."""

    elements: tuple[Isometry, ...]
    sampled: bool

    @property
    def ndim(self) -> int:
        """Number of space dimensions."""
        return self.elements[0].ndim

    @property
    def lattice(self) -> bool:
        """Whether every element maps the cells onto themselves, so that layers are exact."""
        return not self.sampled and all(g.is_lattice for g in self.elements)

    @property
    def reflects(self) -> bool:
        """Whether some element is a reflection."""
        return any(np.linalg.det(g.matrix) < 0 for g in self.elements)

    @cached_property
    def index(self) -> dict[Isometry, int]:
        """Position of each element."""
        return {g: i for i, g in enumerate(self.elements)}

    @property
    def turns(self) -> int:
        """Number of rotations."""
        return sum(bool(np.linalg.det(g.matrix) > 0) for g in self.elements)


@dataclass(frozen=True)
class FieldType:
    r"""How the components of one hidden or physical field mix: a word, read in a group.

    | word | field |
    |---|---|
    | `scalar`, `pseudoscalar`, `vector`, `pseudovector`, `tensor`, `vertical`, any registered representation | as in a `Layout` |
    | `regular` | one component per element, $(\rho(g) v)_{h} = v_{g^{-1} h}$ |
    | `irrep:k` | $k \ge 1$: two components, $\rho(R_\theta) = R(k\theta)$, and the flip of y is diag(1, -1); $k = 0$: one, invariant |
    | `irrep:0-` | one component, odd under reflections |
    | `irrep:n/2`, `irrep:n/2-` (as numbers) | one component, $(-1)^j$ under j steps of 2 pi/n; even or odd under the flip of y |

    | `irrep:A1`, `A2`, `E`, `T1`, `T2` (each with g or u in O_h) | in space: one, one, two, three, three components, `octahedral_irrep` |

    Irreps are those of C_n, D_n (n > 2), SO(2), O(2) in the plane, O and O_h in space. `irrep:1` is the vector, in space `irrep:T1u`.
    Raises `OrbitscopeError` for a word that the group does not have.
    """

    word: str
    group: GroupKey
    size: int = field(init=False, compare=False)
    """Number of components."""
    permutes: bool = field(init=False, compare=False)
    """Whether every element only exchanges components: then any function of single values commutes."""
    signed: bool = field(init=False, compare=False)
    """Whether every element only exchanges and negates components."""

    def __post_init__(self) -> None:
        if self.word == "regular":
            if self.group.sampled:
                raise OrbitscopeError(
                    "Features: 'regular' needs a finite group; SO(2) and O(2) have 'irrep:k', scalars and vectors. Or take c16 or d16."
                )
        elif self.word.startswith("irrep:"):
            self._cubic if self.group.ndim == 3 else self._irrep  # noqa: B018 (raises where there is none)
        else:
            representation(self.word)
        # Plain attributes, not cached properties: layers read them in forward, where a compiler follows.
        object.__setattr__(self, "size", self._size())
        every = [] if self.word == "regular" else [self.matrix(g) for g in _some(self.group)]
        object.__setattr__(self, "permutes", all(_is_permutation(m) for m in every))
        object.__setattr__(
            self, "signed", all(np.allclose(m, np.rint(m), atol=1e-12) and _is_permutation(np.abs(np.rint(m))) for m in every)
        )

    def _size(self) -> int:
        if self.word == "regular":
            return len(self.group.elements)
        if self.word.startswith("irrep:"):
            return OCTAHEDRAL_IRREPS[self._cubic.rstrip("gu")] if self.group.ndim == 3 else self._irrep[2]
        return representation(self.word).size(self.group.ndim)

    def matrix(self, element: Isometry) -> Matrix:
        """The mixing matrix [size, size]; hidden fields know the elements of their group only."""
        if self.word == "regular":
            return self._permutation(element)
        if not self.word.startswith("irrep:"):
            return representation(self.word).matrix(element.matrix)
        if self.group.ndim == 3:
            if not element.is_lattice or (not self.group.reflects and np.linalg.det(element.matrix) < 0):
                raise self._unknown(element)
            return octahedral_irrep(self._cubic, element.matrix)
        frequency, sign, size = self._irrep
        angle, flipped = math.atan2(element.matrix[1, 0], element.matrix[0, 0]), np.linalg.det(element.matrix) < 0
        if flipped and not self.group.reflects:
            raise self._unknown(element)
        if size == 1:
            value = 1.0 if frequency == 0 else float((-1) ** round(angle * frequency / math.pi))
            return np.array([[value * (sign if flipped else 1)]])
        return turn(frequency * angle) @ np.diag([1.0, -1.0 if flipped else 1.0])

    def knows(self, element: Isometry) -> bool:
        """Whether `matrix` is defined for the element."""
        try:
            self.matrix(element)
        except OrbitscopeError:
            return False
        return True

    @cached_property
    def invariants(self) -> Matrix:
        """Orthonormal rows that span what every element leaves alone, [count, size]: where a bias may be added."""
        if self.word == "regular":
            return np.full((1, self.size), 1 / math.sqrt(self.size))
        mean = np.mean([self.matrix(g) for g in averaged_over(self.group)], axis=0)
        values, vectors = np.linalg.eigh((mean + mean.T) / 2)
        return vectors[:, values > 0.5].T

    def _permutation(self, element: Isometry) -> Matrix:
        if element not in self.group.index:
            raise self._unknown(element)
        out = np.zeros((self.size, self.size))
        for h, g in enumerate(self.group.elements):
            out[self.group.index[element @ g], h] = 1.0
        return out

    def _unknown(self, element: Isometry) -> OrbitscopeError:
        return OrbitscopeError(
            f"Features: a field {self.word!r} of a group without {element!r} cannot be moved by it; take a larger group."
        )

    @cached_property
    def _cubic(self) -> str:
        """The name of an irrep of O or O_h."""
        name, reflects = self.word.removeprefix("irrep:"), self.group.reflects
        known = [base + parity for parity in ("gu" if reflects else ("",)) for base in OCTAHEDRAL_IRREPS]
        if name not in known or set(self.group.elements) != set(octahedral(reflections=reflects)):
            raise OrbitscopeError(
                f"Features: {self.word!r} is no irrep here; in space O has irrep:A1, A2, E, T1, T2, and O_h the same with g or u. "
                "Their subgroups have vectors, tensors and regular fields."
            )
        return name

    @cached_property
    def _irrep(self) -> tuple[int, int, int]:
        """Frequency, sign under reflection, components."""
        digits, order = self.word.removeprefix("irrep:"), self.group.turns
        odd = digits.endswith("-")
        number = digits.removesuffix("-")
        most = 10**6 if self.group.sampled else order // 2
        if self.group.ndim != 2 or not number.isdigit() or int(number) > most or not is_planar(self.group):
            raise OrbitscopeError(
                f"Features: {self.word!r} is no irrep here; in the plane 'irrep:k' has k = 0 .. {most}, with a '-' for the odd one."
            )
        frequency = int(number)
        single = frequency == 0 or (not self.group.sampled and 2 * frequency == order)
        if odd and not (single and self.group.reflects):
            raise OrbitscopeError(f"Features: {self.word!r}: only one-component irreps of a group with reflections come odd and even.")
        return frequency, -1 if odd else 1, 1 if single else 2


class Features:
    """The fields that the channels of a layer hold, in order, and the group that moves them.

    `words`: field types, "*n" for n fields side by side: `Features.of("d4", "regular*8", "scalar*2")`. Channels are field after field,
    the components of one field next to each other. `group` is a `Group` or a word such as "c4", "d8", "so2", "oh".

    Raises `OrbitscopeError` for unknown words, and for groups that hold shifts.

    >>> hidden = Features.of("d4", "regular*8", "vector")
    >>> hidden.channels, hidden
    (66, Features(D4: regular*8, vector))
    """

    def __init__(self, group: Group, words: Sequence[str]) -> None:
        if any(any(g.shift) for g in group):
            raise OrbitscopeError(f"Features: `group` {group.name} holds shifts; a convolution has them anyway. Give rotations and flips.")
        self.group = group
        self.key = GroupKey(group.elements, group.sampled)
        every = [w for word in words for w in _repeated(word)]
        if not every:
            raise OrbitscopeError("Features: no field is given.")
        types = {w: FieldType(w, self.key) for w in dict.fromkeys(every)}
        self.fields: tuple[FieldType, ...] = tuple(types[w] for w in every)
        sizes = [f.size for f in self.fields]
        self.channels: int = sum(sizes)
        """Number of channels."""
        self.starts: tuple[int, ...] = tuple(sum(sizes[:i]) for i in range(len(sizes)))
        """The first channel of each field."""
        self.ndim: int = self.key.ndim
        """Number of space dimensions."""
        self.runs: tuple[tuple[FieldType, int, int, int], ...] = tuple(self._runs())
        """Neighbouring fields of one type: type, number, first channel, last channel + 1."""

    @classmethod
    def of(cls, group: Group | str, *words: str, ndim: int | None = None) -> "Features":
        """From words; see the class."""
        return cls(as_group(group, ndim), words)

    @classmethod
    def from_layout(cls, layout: Layout, group: Group | str) -> "Features":
        """The fields of a state."""
        return cls(as_group(group, layout.ndim), [repr(f.representation) for f in layout.fields])

    def _runs(self) -> Iterator[tuple[FieldType, int, int, int]]:
        start = 0
        for _, same in itertools.groupby(self.fields, lambda f: f.word):
            some = list(same)
            stop = start + len(some) * some[0].size
            yield some[0], len(some), start, stop
            start = stop

    @cached_property
    def blocks(self) -> tuple[tuple[FieldType, tuple[int, ...]], ...]:
        """The fields by type, in the order of their first appearance: (type, numbers of its fields)."""
        found: dict[FieldType, list[int]] = {}
        for i, f in enumerate(self.fields):
            found.setdefault(f, []).append(i)
        return tuple((f, tuple(numbers)) for f, numbers in found.items())

    @cached_property
    def order(self) -> tuple[int, ...]:
        """For each channel its place when the fields are sorted into `blocks`."""
        place, out = 0, [0] * self.channels
        for f, numbers in self.blocks:
            for i in numbers:
                for c in range(f.size):
                    out[self.starts[i] + c] = place
                    place += 1
        return tuple(out)

    def matrix(self, element: Isometry) -> Matrix:
        """Block-diagonal channel mixing [channels, channels]."""
        out = np.zeros((self.channels, self.channels))
        for f, start in zip(self.fields, self.starts, strict=True):
            out[start : start + f.size, start : start + f.size] = f.matrix(element)
        return out

    def check(self, x: Tensor, who: str) -> None:
        """Raise unless `x` is [batch, channels, *space]."""
        if x.ndim != self.ndim + 2 or x.shape[1] != self.channels:
            raise OrbitscopeError(
                f"{who}: expected [batch, {self.channels}, {', '.join('xyz'[: self.ndim])}] ({self}), got shape {tuple(x.shape)}."
            )

    def __add__(self, other: "Features") -> "Features":
        if self.key != other.key:
            raise OrbitscopeError(f"Features: {self} and {other} belong to different groups.")
        return Features(self.group, [f.word for f in (*self.fields, *other.fields)])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Features) and self.fields == other.fields

    def __hash__(self) -> int:
        return hash(self.fields)

    def __repr__(self) -> str:
        words = ", ".join(f.word if n == 1 else f"{f.word}*{n}" for f, n, _, _ in self.runs)
        return f"Features({self.group.name}: {words})"


def restrict(group: Group | str, boundary: Grid | str | Sequence[str], ndim: int | None = None) -> Group:
    """The largest subgroup that keeps the boundaries: no quarter turn exchanges an axis with walls and a periodic one.

    `boundary`: a grid (whose points and extents count too), or one word per axis.

    >>> [g.name for g in restrict("d4", ("circular", "zero"))]
    ['e', 'r2', 's', 'sr2']
    """
    group = as_group(group, ndim)
    kept = group.largest_subgroup(g for g in group if not exchanged(g, boundary))
    return group if len(kept) == len(group) else Group(f"{group.name}|{len(kept)}", kept)


def exchanged(element: Isometry, boundary: Grid | str | Sequence[str]) -> bool:
    """Whether the element exchanges axes that differ."""
    pairs = [(i, j) for i in range(element.ndim) for j in range(element.ndim) if i != j and element.matrix[i, j] != 0]
    if isinstance(boundary, Grid):
        return any(not boundary.alike(i, j) for i, j in pairs)
    return not isinstance(boundary, str) and any(boundary[i] != boundary[j] for i, j in pairs)


def as_group(group: Group | str, ndim: int | None = None) -> Group:
    """A group from a word or itself."""
    if isinstance(group, Group):
        return group
    word = group.strip().lower()
    return parse_group(group, ndim=ndim or (3 if word in ("o", "oh") else 2))


def turn(angle: float) -> Matrix:
    """The rotation of the plane, exact for quarter turns."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s], [s, c]]) if min(abs(c), abs(s)) > 1e-13 else np.round([[c, -s], [s, c]])


@lru_cache(maxsize=64)
def averaged_over(group: GroupKey, order: int = 32) -> tuple[Isometry, ...]:
    """Elements whose mean is the mean over the group: itself, or `order` equal angles where it is continuous."""
    if not group.sampled:
        return group.elements
    return tuple(parse_group(f"{'d' if group.reflects else 'c'}{order}", ndim=2))


def is_planar(group: GroupKey) -> bool:
    """Whether the rotations are all multiples of one step and the flip of x is there if any reflection is."""
    turns = {g for g in group.elements if np.linalg.det(g.matrix) > 0}
    return turns == set(cyclic(len(turns))) and (not group.reflects or FLIP_X in group.index)


def _some(group: GroupKey) -> Iterable[Isometry]:
    return averaged_over(group, 5) if group.sampled else group.elements


def _is_permutation(matrix: Matrix) -> bool:
    return bool(np.isin(matrix, (0.0, 1.0)).all() and (matrix.sum(1) == 1).all())


def _repeated(word: str) -> list[str]:
    base, star, count = word.strip().partition("*")
    if star and not count.isdigit():
        raise OrbitscopeError(f"Features: cannot read {word!r}; say 'regular*8'.")
    return [base] * (int(count) if star else 1)
