"""The irreducible representations of the cube's groups O and O_h, as matrices of signed permutations."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._errors import OrbitscopeError
from ._linear import linear_part
from ._representation import Representation

Matrix = NDArray[np.float64]

#: Number of components of each irrep of O, in Mulliken's names; those of O_h are the same with g (even) or u (odd under inversion).
OCTAHEDRAL_IRREPS = {"A1": 1, "A2": 1, "E": 2, "T1": 3, "T2": 3}
# Orthonormal rows: 2z^2 - x^2 - y^2 and x^2 - y^2 in the squares of the coordinates.
_E = np.array([[-1.0, -1.0, 2.0], [math.sqrt(3.0), -math.sqrt(3.0), 0.0]]) / math.sqrt(6.0)


@dataclass(frozen=True, repr=False, eq=False)
class OctahedralIrrep(Representation):
    """An irrep of O or O_h; `mulliken` is its name, formulas and components stand in `octahedral_irrep`. In words "irrep:Eg".

    Raises `OrbitscopeError` for another name; `matrix` for what is no signed permutation of three axes and, without g or u, for a
    reflection.

    >>> OctahedralIrrep("T1u").matrix([[0, -1, 0], [1, 0, 0], [0, 0, -1]]).astype(int).tolist()
    [[0, -1, 0], [1, 0, 0], [0, 0, -1]]
    """

    mulliken: str

    def __post_init__(self) -> None:
        octahedral_irrep(self.mulliken, np.eye(3))

    def size(self, ndim: int) -> int:
        return OCTAHEDRAL_IRREPS[self.mulliken.rstrip("gu")]

    def matrix(self, element: Any, /) -> Matrix:
        return octahedral_irrep(self.mulliken, linear_part(element, repr(self)))

    @property
    def keeps_mean(self) -> bool:
        return self.mulliken in ("A1", "A1g")

    def __repr__(self) -> str:
        return f"irrep:{self.mulliken}"


def octahedral_irrep(name: str, linear: ArrayLike) -> Matrix:
    r"""The matrix of one irrep of O or O_h at an element A, a signed permutation of three axes; orthogonal, [1, 1] to [3, 3].

    With $R = \pm A$ the rotation among the two, $P_{ij} = |R_{ij}|$ and its sign $\sigma = \det P$:

    | irrep | components | matrix | transforms like |
    |---|---|---|---|
    | A1 | 1 | 1 | $x^2 + y^2 + z^2$ |
    | A2 | 1 | $\sigma$ | $xyz$ (under O) |
    | E | 2 | P on what is left of $x^2, y^2, z^2$ without their sum | $2z^2 - x^2 - y^2,\ \sqrt 3 (x^2 - y^2)$ |
    | T1 | 3 | R | $x, y, z$ (under O) |
    | T2 | 3 | $\sigma R$ | $yz, zx, xy$ |

    `name`: A1, A2, E, T1, T2 for O; A1g .. T2g, the same for A and -A, and A1u .. T2u, times $\det A$, for O_h. So a scalar is A1g, a
    pseudoscalar A1u, a vector T1u, a pseudovector T1g, and a tensor A1g + Eg + T1g + T2g. Raises `OrbitscopeError` for another name, a
    matrix that is no signed permutation, and a reflection in an irrep of O.

    * `linear`: A, a signed permutation matrix [3, 3].

    >>> octahedral_irrep("T1u", [[0, -1, 0], [1, 0, 0], [0, 0, -1]]).astype(int).tolist()
    [[0, -1, 0], [1, 0, 0], [0, 0, -1]]
    >>> octahedral_irrep("Eg", np.eye(3)).shape
    (2, 2)
    """
    given = np.array(linear, dtype=np.float64)
    if given.shape != (3, 3) or np.abs(given - np.rint(given)).max() > 1e-12:
        raise _no_permutation(name, given)
    return _irrep(name, tuple(np.rint(given).astype(int).ravel().tolist())).copy()


@lru_cache(maxsize=1024)
def _irrep(name: str, entries: tuple[int, ...]) -> Matrix:
    base, parity = (name[:-1], name[-1]) if name[-1:] in ("g", "u") else (name, "")
    if base not in OCTAHEDRAL_IRREPS:
        raise OrbitscopeError(f"irrep: none of O or O_h is called {name!r}. Known: {', '.join(OCTAHEDRAL_IRREPS)}; with g or u for O_h.")
    matrix = np.array(entries, dtype=np.float64).reshape(3, 3)
    places = np.abs(matrix)
    if not np.array_equal(places.T @ places, np.eye(3)):
        raise _no_permutation(name, matrix)
    determinant = round(float(np.linalg.det(matrix)))
    if determinant < 0 and not parity:
        raise OrbitscopeError(f"irrep: {name!r} is of rotations alone; for a reflection say {name}g or {name}u.")
    made = _rotation(base, determinant * matrix, places)
    return made * determinant if parity == "u" else made


def _no_permutation(name: str, given: Matrix) -> OrbitscopeError:
    return OrbitscopeError(f"irrep: {name!r} is of signed permutations of three axes, got {given.tolist()}.")


def _rotation(name: str, rotation: Matrix, places: Matrix) -> Matrix:
    sign = round(float(np.linalg.det(places)))
    if name == "E":
        return _E @ places @ _E.T
    if name in ("T1", "T2"):
        return rotation if name == "T1" else sign * rotation
    return np.array([[1.0 if name == "A1" else float(sign)]])
