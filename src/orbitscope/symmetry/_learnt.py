"""Representations that are given by matrices: of generators, or by a function that was learnt."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from .._errors import OrbitscopeError
from ._linear import linear_part
from ._representation import Representation

_INVERSE = "^-1"
_LIMIT = 4096


@dataclass(frozen=True, repr=False)
class Learnt(Representation):
    r"""A representation by a function from elements to matrices, such as a trained network: $\rho(g)$ = `function(g)`.

    * `function`: element -> [k, k], an array or a tensor.
    * `components`: k.
    * `label`: what results call it.

    Nothing makes it a homomorphism; `homomorphism_error(elements)` says how far from one it is. Two are equal if they hold the same
    function. `matrix` raises `OrbitscopeError` for an answer of another shape.

    >>> from orbitscope.symmetry import dihedral
    >>> wrong = Learnt(lambda g: 1.01 * g.matrix, 2)
    >>> round(wrong.homomorphism_error(dihedral(4)), 4)
    0.0099
    """

    function: Callable[[Any], Any]
    components: int
    label: str = "learnt"

    def size(self, ndim: int) -> int:
        return self.components

    def matrix(self, element: Any, /) -> NDArray[np.float64]:
        made = self.function(element)
        made = np.array(made.detach().cpu().numpy() if isinstance(made, torch.Tensor) else made, dtype=np.float64)
        if made.shape != (self.components, self.components):
            raise OrbitscopeError(
                f"{self.label}: `function` gave {made.shape} for {element!r}; it should give [{self.components}, {self.components}]."
            )
        return made

    def __repr__(self) -> str:
        return self.label


class FromMatrices(Representation):
    r"""A representation by one matrix per generator: $\rho(a b^{-1}) = M_a M_b^{-1}$, and so on for every product.

    * `matrices`: element -> [k, k] for the generators of a finite group, whose other elements are the shortest products of generators that
      reach them; or name -> [k, k] for words, elements with `letters` such as "a" and "b^-1".
    * `label`: what results call it.

    A homomorphism if the matrices obey the relations of the group; `homomorphism_error(elements)` says how far they are from that. Raises
    `OrbitscopeError` for matrices of different shapes, generators of more than 4096 elements, and, in `matrix`, elements that they do not
    make.

    >>> from orbitscope.symmetry import cyclic
    >>> c4 = cyclic(4)
    >>> FromMatrices({c4["r"]: [[0, -1], [1, 0]]}).matrix(c4["r3"]).tolist()
    [[0.0, 1.0], [-1.0, 0.0]]
    """

    def __init__(self, matrices: Mapping[Any, ArrayLike], label: str = "from-matrices") -> None:
        self.label = label
        self.generators = {g: linear_part(m, label) for g, m in matrices.items()}
        if len({m.shape for m in self.generators.values()}) != 1:
            raise OrbitscopeError(f"{label}: `matrices` should hold one square matrix per generator, all of one size.")
        self._named = all(isinstance(g, str) for g in self.generators)
        self._known = {} if self._named else _products(self.generators, label)

    def size(self, ndim: int) -> int:
        return len(next(iter(self.generators.values())))

    def matrix(self, element: Any, /) -> NDArray[np.float64]:
        if self._named and hasattr(element, "letters"):
            return self._spelled(element.letters)
        if self._named or not hasattr(element, "inverse") or element not in self._known:
            raise OrbitscopeError(f"{self.label}: {element!r} is no product of the generators {', '.join(map(str, self.generators))}.")
        return self._known[element].copy()

    def _spelled(self, letters: Iterable[str]) -> NDArray[np.float64]:
        out = np.eye(self.size(0))
        for letter in letters:
            name = letter.removesuffix(_INVERSE)
            if name not in self.generators:
                raise OrbitscopeError(f"{self.label}: no matrix is given for the generator {name!r}; given: {', '.join(self.generators)}.")
            factor = self.generators[name]
            out = out @ (np.linalg.inv(factor) if letter.endswith(_INVERSE) else factor)
        return out

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, FromMatrices)
            and self.generators.keys() == other.generators.keys()
            and all(np.array_equal(m, other.generators[g]) for g, m in self.generators.items())
        )

    def __hash__(self) -> int:
        return hash((FromMatrices, frozenset(self.generators)))

    def __repr__(self) -> str:
        return self.label


def _products(generators: Mapping[Any, NDArray[np.float64]], label: str) -> dict[Any, NDArray[np.float64]]:
    """The matrix of every product of the generators, shortest products first."""
    one, size = next(iter(generators)), len(next(iter(generators.values())))
    found = {one @ one.inverse(): np.eye(size)}
    frontier = list(found)
    while frontier:
        reached = []
        for g in frontier:
            for h, m in generators.items():
                if (product := g @ h) not in found:
                    found[product] = found[g] @ m
                    reached.append(product)
        frontier = reached
        if len(found) > _LIMIT:
            raise OrbitscopeError(f"{label}: the generators make more than {_LIMIT} elements. Give words, or a function (`Learnt`).")
    return found
