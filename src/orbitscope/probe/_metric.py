"""Metrics on parameter space: what "the same update" means."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from .._errors import OrbitscopeError


@dataclass(frozen=True)
class Response:
    """Influences of kets on bras within one metric, and how sound the numbers are."""

    cross: Tensor
    """bra . chi^-1 . ket, [bra, ket]."""
    bra: Tensor
    """bra . chi^-1 . bra, [bra]."""
    ket: Tensor
    """ket . chi^-1 . ket, [ket]."""
    rank: int
    condition: float


class Metric(ABC):
    """An inverse metric on the span of some gradients, from inner products alone.

    To add one, write a frozen dataclass with a `name`, whether it `needs_pushforward`, and `response`.
    """

    name: ClassVar[str]
    needs_pushforward: ClassVar[bool] = False

    @abstractmethod
    def response(self, gram: Tensor, pushed: Tensor | None, kets: int, dtype: torch.dtype) -> Response:
        r"""Influences from $K = G^\top G$ and, if asked for, $H = (JG)^\top (JG) / M$, both float64 [2N, 2N], kets first.

        `dtype` is the precision in which the gradients were taken.
        """

    @property
    def settings(self) -> dict[str, Any]:
        """For the attributes of a result."""
        return {"metric": self.name}


@dataclass(frozen=True)
class Euclidean(Metric):
    r"""$\chi = 1$: influence is the inner product of gradients, one step of plain gradient descent of unit rate."""

    name: ClassVar[str] = "euclidean"

    def response(self, gram: Tensor, pushed: Tensor | None, kets: int, dtype: torch.dtype) -> Response:
        diagonal = gram.diagonal()
        values = torch.linalg.eigvalsh(gram)
        kept = values[values > values[-1] * _cutoff(dtype, len(gram))]
        return Response(
            gram[kets:, :kets], diagonal[kets:], diagonal[:kets], len(kept), float(kept[-1] / kept[0]) if len(kept) else float("nan")
        )


@dataclass(frozen=True)
class GaussNewton(Metric):
    r"""$\chi = J^\top J / M + \lambda$ restricted to the span of the gradients at hand (Amarel et al., arXiv 2601.20172).

    With Q an orthonormal basis of the span, $\chi^{-1} \to Q (Q^\top \eta Q + \lambda)^{-1} Q^\top$. Computed from inner products:
    $K = U S U^\top$, $Q = G U S^{-1/2}$, directions with singular value below 2N rounding units of the largest dropped (`rank` says how
    many stay). Both matrices are float64, because a Gram matrix squares the condition number.

    The restriction is an approximation: the full inverse leaves the span. It grows more exact with the number of examples.
    """

    damping: float = 1e-6
    name: ClassVar[str] = "gauss_newton"
    needs_pushforward: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.damping > 0:
            raise OrbitscopeError(f"GaussNewton: `damping` must be positive, got {self.damping}; the paper uses 1e-6 and 1e-4.")

    def response(self, gram: Tensor, pushed: Tensor | None, kets: int, dtype: torch.dtype) -> Response:
        assert pushed is not None
        values, vectors = torch.linalg.eigh(gram)
        keep = values > values[-1] * _cutoff(dtype, len(gram))
        whiten = vectors[:, keep] / values[keep].sqrt()
        metric = whiten.T @ pushed @ whiten
        metric = (metric + metric.T) / 2 + self.damping * torch.eye(len(metric), dtype=metric.dtype, device=metric.device)
        coordinates = gram @ whiten
        factor = torch.linalg.cholesky(metric)
        half = torch.linalg.solve_triangular(factor, coordinates.T, upper=False)
        ket, bra = half[:, :kets], half[:, kets:]
        spectrum = torch.linalg.eigvalsh(metric)
        return Response(bra.T @ ket, bra.square().sum(0), ket.square().sum(0), int(keep.sum()), float(spectrum[-1] / spectrum[0]))

    @property
    def settings(self) -> dict[str, Any]:
        return {"metric": self.name, "damping": self.damping}


def _cutoff(dtype: torch.dtype, size: int) -> float:
    """Relative eigenvalue of a Gram matrix below which a direction is rounding: (2N eps)^2, no finer than float64 resolves."""
    return max((size * torch.finfo(dtype).eps) ** 2, 1e-14)


def metric_of(metric: str | Metric, damping: float | None = None) -> Metric:
    """A metric from its name: euclidean or gauss_newton (with `damping`, 1e-6 if None)."""
    if damping is not None and metric != "gauss_newton":
        raise OrbitscopeError(f"influence: `damping` goes with metric='gauss_newton'; {metric!r} has none of its own here. Leave it out.")
    if isinstance(metric, Metric):
        return metric
    if metric == "euclidean":
        return Euclidean()
    if metric == "gauss_newton":
        return GaussNewton() if damping is None else GaussNewton(damping)
    raise OrbitscopeError(f"influence: `metric` must be 'euclidean', 'gauss_newton' or a Metric, got {metric!r}.")
