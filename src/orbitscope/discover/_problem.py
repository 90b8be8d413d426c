"""What a method of discovery gets, and what it gives back."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from .._errors import OrbitscopeError
from ..data import Examples
from ..symmetry import LieGroup, State, Symmetry, parts

Array = NDArray[np.float64]
Predictor: TypeAlias = Callable[..., State]
"""A map from states to answers, called with x; where x is a tuple of tensors, with its parts as arguments."""


class Tell(Protocol):
    """Is told how far a method has come."""

    def __call__(self, done: int, total: int, words: str, /) -> object:
        """`done` of `total` steps, and in `words` what is being done."""


def silent(done: int, total: int, words: str, /) -> None:
    """Tell nobody."""


@dataclass(frozen=True, eq=False)
class Problem:
    """In what, and with what, a symmetry is looked for.

    * `hypothesis`: the search space, a `Symmetry` whose group is a `LieGroup`: its algebra [m, N, N] is searched, and its two actions say
      how what is found moves inputs and answers.
    * `examples`: pairs (x, y) that no predictor has seen, in float64.
    * `predictors`: maps x -> y that work in float64, trained on parts of the data that do not overlap; or one model that is to be examined.
    * `charts`: how many charts there are, along axis 1 of every part of x, of y and of the answers; None for data without charts.
    * `seed`: of everything that a method draws.

    Raises `OrbitscopeError` for a hypothesis whose group has no algebra, and for no predictor.
    """

    hypothesis: Symmetry
    examples: Examples
    predictors: tuple[Predictor, ...]
    charts: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.hypothesis.group, LieGroup):
            raise OrbitscopeError(
                f"hypothesis: its group should be a LieGroup (gl2, aff2, so3, lorentz, ...), whose algebra is searched; "
                f"{self.hypothesis.group} has none. What of a finite group holds is measured by `equivariance`."
            )
        if not self.predictors:
            raise OrbitscopeError("predictors: there is none. Give a model, or leave `model` out and one is trained.")

    @property
    def group(self) -> LieGroup[Any]:
        """The hypothesis group."""
        assert isinstance(self.hypothesis.group, LieGroup)
        return self.hypothesis.group

    @property
    def size(self) -> int:
        """Dimension m of the algebra that is searched."""
        return self.group.size

    def basis(self) -> Array:
        """The algebra's basis made orthonormal under the Frobenius product, [m, N, N]; directions are coefficients in it."""
        flat = self.group.algebra.reshape(self.size, -1)
        if np.allclose(gram := flat @ flat.T, np.eye(self.size), atol=1e-12):
            return self.group.algebra.copy()
        values, vectors = np.linalg.eigh(gram)
        return ((vectors / np.sqrt(values)) @ vectors.T @ flat).reshape(self.group.algebra.shape)

    def answer(self, number: int, x: State) -> State:
        """The answers of predictor `number` to `x`, in float64."""
        with torch.no_grad():  # forward-mode derivatives go through
            found = self.predictors[number](*parts(x))
        return found if not isinstance(found, torch.Tensor) or found.dtype == torch.float64 else found.double()


@dataclass(frozen=True, eq=False)
class Directions:
    """Directions in the algebra, the most symmetric first.

    * `basis`: matrices [k, N, N].
    * `scores`: [k], of the method's own kind, the smaller the more symmetric. How many directions hold is not the method's to say: the
      evidence on held-out examples does.
    * `collapsed`: how many generators shrank while they were learnt until their elements were the identity, which is a symmetry of every
      map and says nothing. Their directions are what was left, and are weighed at full length as all others.
    """

    basis: Array
    scores: Array
    collapsed: int = 0


COLLAPSED = 0.1
"""Part of its first length below which a learnt generator has shrunk to the identity."""


class Method(ABC):
    """A way to look for continuous symmetry: settings as attributes, one call."""

    name: str = ""

    @abstractmethod
    def search(self, problem: Problem, tell: Tell = silent) -> Directions:
        """Directions in the algebra of the hypothesis of `problem`; `tell(done, total, words)` hears of the progress."""
