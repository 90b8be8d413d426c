"""Metrics on parameter space: what "the same update" means."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from ..._errors import OrbitscopeError


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
    residual: float = float("nan")
    """Largest relative residual of the linear systems, where they were solved by iteration."""


class Metric(ABC):
    """An inverse metric on the span of some gradients, from inner products alone.

    To add one, write a frozen dataclass with a `name`, whether it `needs_pushforward`, and `response`. For a metric whose inverse acts on
    whole vectors (an optimiser's preconditioner) see `Applied`.
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

    def sweep(self) -> tuple["Metric", ...]:
        """The same metric with other dampings, to see whether conclusions depend on it; empty where there is none."""
        return ()


@dataclass(frozen=True)
class Euclidean(Metric):
    r"""$\chi = 1$: influence is the inner product of gradients, one step of plain gradient descent of unit rate."""

    name: ClassVar[str] = "euclidean"

    def response(self, gram: Tensor, pushed: Tensor | None, kets: int, dtype: torch.dtype) -> Response:
        diagonal = gram.diagonal()
        rank, condition = _rank(gram, dtype)
        return Response(gram[kets:, :kets], diagonal[kets:], diagonal[:kets], rank, condition)


@dataclass(frozen=True)
class GaussNewton(Metric):
    r"""$\chi = J^\top J / M + \lambda$ restricted to the span of the gradients at hand (Amarel et al., arXiv 2601.20172).

    With Q an orthonormal basis of the span, $\chi^{-1} \to Q (Q^\top \eta Q + \lambda)^{-1} Q^\top$. Computed from inner products:
    $K = U S U^\top$, $Q = G U S^{-1/2}$, directions with singular value below 2N rounding units of the largest dropped (`rank` says how
    many stay). Both matrices are float64, because a Gram matrix squares the condition number.

    `span="element"`: kets and bras of one element, as published, so every element has a metric of its own. `span="orbit"`: kets and the
    bras of all elements together, one metric for all; it keeps all gradients in memory.

    The restriction is an approximation: the full inverse leaves the span. It grows more exact with the number of examples;
    `GaussNewtonFull` is what it approximates.
    """

    damping: float = 1e-6
    span: Literal["element", "orbit"] = "element"
    name: ClassVar[str] = "gauss_newton"
    needs_pushforward: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.damping > 0:
            raise OrbitscopeError(f"GaussNewton: `damping` must be positive, got {self.damping}; the paper uses 1e-6 and 1e-4.")
        if self.span not in ("element", "orbit"):
            raise OrbitscopeError(f"GaussNewton: `span` must be 'element' or 'orbit', got {self.span!r}.")

    def response(self, gram: Tensor, pushed: Tensor | None, kets: int, dtype: torch.dtype) -> Response:
        assert pushed is not None
        whole, rank, condition = self.products(gram, pushed, dtype)
        return Response(whole[kets:, :kets], whole.diagonal()[kets:], whole.diagonal()[:kets], rank, condition)

    def products(self, gram: Tensor, pushed: Tensor, dtype: torch.dtype) -> tuple[Tensor, int, float]:
        """All products in the inverse metric, the dimension of the span and the condition number of what was inverted."""
        half, _, rank, condition = self._factors(gram, pushed, dtype)
        return half.T @ half, rank, condition

    def coefficients(self, gram: Tensor, pushed: Tensor, dtype: torch.dtype) -> Tensor:
        r"""[2N, 2N]: column k holds the combination of the gradients that is $\chi^{-1}$ of gradient k."""
        half, lift, _, _ = self._factors(gram, pushed, dtype)
        return lift @ half

    def _factors(self, gram: Tensor, pushed: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor, int, float]:
        values, vectors = torch.linalg.eigh(gram)
        keep = values > values[-1] * cutoff(dtype, len(gram))
        whiten = vectors[:, keep] / values[keep].sqrt()
        metric = whiten.T @ pushed @ whiten
        spectrum, axes = torch.linalg.eigh((metric + metric.T) / 2)
        spectrum = spectrum.clamp_min(0.0) + self.damping  # a sketched metric may have eigenvalues a rounding below 0
        lift = whiten @ (axes / spectrum.sqrt())
        return lift.T @ gram, lift, int(keep.sum()), float(spectrum[-1] / spectrum[0])

    @property
    def settings(self) -> dict[str, Any]:
        return {"metric": self.name, "damping": self.damping, "span": self.span}

    def sweep(self) -> tuple[Metric, ...]:
        return tuple(replace(self, damping=self.damping * 10.0**k) for k in (-2, -1, 0, 1, 2))


def _rank(gram: Tensor, dtype: torch.dtype) -> tuple[int, float]:
    values = torch.linalg.eigvalsh(gram)
    kept = values[values > values[-1] * cutoff(dtype, len(gram))]
    return len(kept), float(kept[-1] / kept[0]) if len(kept) else float("nan")


def cutoff(dtype: torch.dtype, size: int) -> float:
    """Relative eigenvalue of a Gram matrix below which a direction is rounding: (2N eps)^2, no finer than float64 resolves."""
    return max((size * torch.finfo(dtype).eps) ** 2, 1e-14)
