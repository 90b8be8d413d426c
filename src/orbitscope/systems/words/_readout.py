"""What a `MatrixNet` has learnt: how far from a representation it is, whether it is unitary, how it grows, and which irreps it holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from ...symmetry import FromMatrices, Word, WordGroup
from ._characters import CharacterTable


@dataclass(frozen=True)
class ReadOut:
    """What matrices of generators are.

    * `relations`: relative error of each relation. `unitarity`: the largest $\\|M^T M - c 1\\|_2 / c$ over generators, c the mean of the
      eigenvalues of $M^T M$. `growth`: the spectral radius per letter, the largest of $\\rho(M_w)^{1/L}$ over drawn words.
    * `commutant`: dimension of the matrices that commute with all generators; for a sum of irreps with multiplicities $m_i$ it is
      $\\sum m_i^2$ (over the complex numbers). `tolerance`: singular values below this count as 0.
    * `multiplicities`: how often each irrep of a finite group is held, by name; empty where no table was given.
    """

    relations: dict[str, float]
    unitarity: float
    growth: float
    commutant: int
    tolerance: float
    multiplicities: dict[str, float]

    def __str__(self) -> str:
        worst = max(self.relations.values(), default=0.0)
        held = ", ".join(f"{v:.2f} x {k}" for k, v in self.multiplicities.items() if abs(v) > 0.05)
        return (
            f"relations broken by at most {worst:.1e}; distance from a multiple of an isometry {self.unitarity:.1e}; growth "
            f"{self.growth:.3f} a letter; commutant of dimension {self.commutant}" + (f"; holds {held}" if held else "")
        )


def read_out(
    found: FromMatrices, group: WordGroup, *, tolerance: float = 1e-2, length: int = 12, seed: int = 0,
    characters: CharacterTable | Mapping[str, Mapping[Word, float]] | None = None,
) -> ReadOut:  # fmt: skip
    r"""What the matrices of `found` are, held against the presentation of `group`.

    * `found`: a matrix for each generator. `group`: whose relations.
    * `tolerance`: singular values below this times the largest count as 0 in the commutant.
    * `length`, `seed`: letters of the 64 words, drawn with the seed, on which growth is measured.
    * `characters`: of a finite group, from `character_table` or `symmetric_characters`, or irrep -> element -> character of every element:
      multiplicities $\frac{1}{|G|} \sum_g \mathrm{tr} M_g\, \overline{\chi(g)}$, whole numbers where the relations hold.

    Raises `OrbitscopeError` where the generators differ.
    """
    if set(found.generators) != set(group.generators):
        raise OrbitscopeError(f"read_out: `found` has matrices of {', '.join(found.generators)}, the group {', '.join(group.generators)}.")
    matrices = [found.generators[g] for g in group.generators]
    return ReadOut(
        relations=group.check_relations(found.generators),
        unitarity=max(_from_isometry(m) for m in matrices),
        growth=_growth(matrices, length, seed),
        commutant=commutant(matrices, tolerance),
        tolerance=tolerance,
        multiplicities={} if characters is None else _multiplicities(found, characters),
    )


def commutant(matrices: Sequence[NDArray[Any]], tolerance: float = 1e-2) -> int:
    r"""The dimension of $\{X : X M = M X \text{ for all } M\}$: the null space of the stacked $M^T \otimes 1 - 1 \otimes M$.

    * `matrices`: square, of one size n. `tolerance`: singular values below this times the largest count as 0.
    """
    one = np.eye(len(matrices[0]))
    rows = np.concatenate([np.kron(m.T, one) - np.kron(one, m) for m in matrices])
    values = np.linalg.svd(rows, compute_uv=False)
    return int((values <= tolerance * max(values[0], 1e-300)).sum())


def _from_isometry(m: NDArray[np.float64]) -> float:
    gram = m.T @ m
    mean = float(np.trace(gram)) / len(m)
    return float(np.linalg.norm(gram / mean - np.eye(len(m)), 2))


def _growth(matrices: list[NDArray[np.float64]], length: int, seed: int) -> float:
    rng = np.random.default_rng([seed, 0x67726F])
    largest = 0.0
    for _ in range(64):
        product = np.eye(len(matrices[0]))
        for k in rng.integers(0, len(matrices), length):
            product = product @ matrices[k]
        largest = max(largest, float(np.abs(np.linalg.eigvals(product)).max()) ** (1 / length))
    return largest


def _multiplicities(found: FromMatrices, characters: CharacterTable | Mapping[str, Mapping[Word, float]]) -> dict[str, float]:
    if isinstance(characters, CharacterTable):
        return characters.multiplicities(np.array([np.trace(found.matrix(w)) for w in characters.classes]))
    return {name: float(np.mean([np.trace(found.matrix(g)) * value for g, value in table.items()])) for name, table in characters.items()}
