"""Metrics that act on whole vectors: what each of them has to say."""

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from .._subject import Subject
from ._metric import Metric, Response

Inverse = Callable[[Tensor], tuple[Tensor, float]]
"""Vectors [K, p] -> (inverse metric times each, largest relative residual; NaN where nothing was iterated)."""


class Applied(Metric):
    """A metric that acts on whole vectors: write `inverse`, and everything else follows."""

    @abstractmethod
    def inverse(self, subject: Subject, x: Tensor, chunk: int) -> Inverse:
        """The inverse metric at the model's parameters, taken over the states `x` [N, C, *grid]."""

    def inverses(self, subject: Subject, x: Tensor, chunk: int) -> "tuple[Inverse, list[Inverse], float]":
        """The inverse metric; where it is an estimate, the same without one fold of its draws each, for a jackknife; and the share of the
        jackknife's variance that counts (below 1 where the draws are a large part of all that there are, 0 where the metric is exact)."""
        return self.inverse(subject, x, chunk), [], 0.0

    def response(self, gram: Tensor, pushed: Tensor | None, kets: int, dtype: torch.dtype) -> Response:
        raise OrbitscopeError(f"{self.name}: inner products do not determine this metric; it acts on vectors (`inverse`).")
