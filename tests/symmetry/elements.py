"""Plain elements for the tests: an affine map, a boost, a word. The library's own kinds have the same attributes."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Motion:
    """p -> A p + b, with a frame that moves at c: u -> A u + c."""

    matrix: np.ndarray
    offset: np.ndarray
    components: np.ndarray

    def __matmul__(self, other: "Motion") -> "Motion":
        a = self.matrix
        return Motion(a @ other.matrix, a @ other.offset + self.offset, a @ other.components + self.components)

    def inverse(self) -> "Motion":
        back = np.linalg.inv(self.matrix)
        return Motion(back, -back @ self.offset, -back @ self.components)

    @classmethod
    def random(cls, rng: np.random.Generator, ndim: int, *, orthogonal: bool = True) -> "Motion":
        matrix = random_orthogonal(rng, ndim) if orthogonal else np.eye(ndim) + 0.4 * rng.normal(size=(ndim, ndim))
        return cls(matrix, rng.normal(size=ndim), rng.normal(size=ndim))


@dataclass(frozen=True)
class Boosted:
    """A boost alone, without a matrix."""

    components: tuple[float, ...]

    def __matmul__(self, other: "Boosted") -> "Boosted":
        return Boosted(tuple(np.add(self.components, other.components)))


@dataclass(frozen=True)
class Spelled:
    """A product of generators and their inverses."""

    letters: tuple[str, ...]

    def __matmul__(self, other: "Spelled") -> "Spelled":
        return Spelled(self.letters + other.letters)

    def inverse(self) -> "Spelled":
        return Spelled(tuple(x.removesuffix("^-1") if x.endswith("^-1") else x + "^-1" for x in reversed(self.letters)))


def random_orthogonal(rng: np.random.Generator, ndim: int, determinant: int = 0) -> np.ndarray:
    """Haar on O(n), or on the part with that determinant."""
    q, r = np.linalg.qr(rng.normal(size=(ndim, ndim)))
    q = q * np.sign(np.diag(r))
    if determinant and np.linalg.det(q) * determinant < 0:
        q[:, 0] *= -1
    return q
