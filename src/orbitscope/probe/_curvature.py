"""Metrics whose inverse acts on whole vectors: the full Gauss-Newton metric, a Kronecker-factored one, and Adam's."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from .._errors import OrbitscopeError
from ..emulators import second_moments
from ._gradients import flatten, output_probes, pullback, pushforward
from ._krylov import solve
from ._metric import Euclidean, GaussNewton, Metric, Response
from ._subject import Parameters, Subject

Inverse = Callable[[Tensor], tuple[Tensor, float]]
"""Vectors [K, p] -> (inverse metric times each, largest relative residual; NaN where nothing was iterated)."""


class Applied(Metric):
    """A metric that acts on whole vectors: write `inverse`, and everything else follows."""

    @abstractmethod
    def inverse(self, subject: Subject, x: Tensor, chunk: int) -> Inverse:
        """The inverse metric at the model's parameters, taken over the states `x` [N, C, *grid]."""

    def response(self, gram: Tensor, pushed: Tensor | None, kets: int, dtype: torch.dtype) -> Response:
        raise OrbitscopeError(f"{self.name}: inner products do not determine this metric; it acts on vectors (`inverse`).")


@dataclass(frozen=True)
class GaussNewtonFull(Applied):
    r"""$\chi = J^\top J / M + \lambda$ on all parameters, the truth that `GaussNewton` restricts to a span.

    Solved by block conjugate gradients with full reorthogonalisation (Galerkin on the block Krylov space of the right sides), in float64,
    until every relative residual $\|\chi v - g\| / \|g\|$ is at most `tolerance`, or `depth` blocks; the result says which residual was
    reached. For small models: the basis has up to (right sides) x `depth` vectors of p numbers. With $\lambda$ far below the
    spectrum of the curvature many blocks are needed.
    """

    damping: float = 1e-6
    tolerance: float = 1e-6
    depth: int = 60
    name: ClassVar[str] = "gauss_newton_full"

    def __post_init__(self) -> None:
        if not (self.damping > 0 and self.tolerance > 0 and self.depth >= 1):
            raise OrbitscopeError(
                f"GaussNewtonFull: `damping` and `tolerance` must be positive, `depth` at least 1, got {self.damping}, {self.tolerance}, "
                f"{self.depth}."
            )

    def inverse(self, subject: Subject, x: Tensor, chunk: int) -> Inverse:
        def curvature(vectors: Tensor) -> Tensor:
            wide = pushforward(subject, x, vectors.to(subject.dtype), max(chunk, 32))
            return pullback(subject, x, wide, chunk) / subject.outputs(x)

        def apply(vectors: Tensor) -> tuple[Tensor, float]:
            answer = solve(curvature, vectors, self.damping, self.tolerance, self.depth)
            return answer.solution.to(vectors.dtype), float(answer.residual.max())

        return apply

    @property
    def settings(self) -> dict[str, Any]:
        return {"metric": self.name, "damping": self.damping, "tolerance": self.tolerance, "depth": self.depth}


@dataclass(frozen=True)
class Kronecker(Applied):
    r"""The Gauss-Newton metric, block diagonal over the parameter tensors, each block diagonal in a Kronecker eigenbasis.

    For a tensor reshaped to [out, rest] with derivatives $G_{ns} = \partial (w_{ns} \cdot f(x_n))$ along random signs $w_{ns}$ of the
    outputs: $U$, $V$ are the eigenvectors of $\sum G G^\top$, $\sum G^\top G$, and $D = \sum (U^\top G V)^2 / S M$ the curvature along
    them, so $\chi^{-1} g = U [(U^\top g V) / (D + \lambda)] V^\top$. D is exact for these axes up to the noise of `probes` S
    signs per example. Any module: it needs gradients only, no layer is special.

    The eigenvalue correction is that of EK-FAC (George et al., arXiv 1806.03884), the axes are those of Shampoo (Gupta et al., arXiv
    1802.09568) instead of activations and output gradients, which exist for dense and convolution layers only. Where it fails: curvature
    between layers is left out, which is most of what two layers share.
    """

    damping: float = 1e-6
    probes: int = 4
    seed: int = 0
    largest: int = 4096
    name: ClassVar[str] = "kronecker"

    def __post_init__(self) -> None:
        if not (self.damping > 0 and self.probes >= 1):
            raise OrbitscopeError(f"Kronecker: `damping` must be positive and `probes` at least 1, got {self.damping} and {self.probes}.")

    def inverse(self, subject: Subject, x: Tensor, chunk: int) -> Inverse:
        rows = output_probes(subject, x, self.probes, self.seed, chunk)
        scale = 1.0 / (self.probes * subject.outputs(x))
        blocks = [self._block(part, shape, scale) for part, shape in _tensors(rows, subject.parameters)]

        def apply(vectors: Tensor) -> tuple[Tensor, float]:
            parts = []
            for (part, shape), (left, right, curvature) in zip(_tensors(vectors, subject.parameters), blocks, strict=True):
                turned = _turn(part.reshape(len(part), shape[0], -1), left, right)
                parts.append(_turn(turned / (curvature + self.damping), left.T, right.T).reshape(len(part), -1))
            return torch.cat(parts, 1), float("nan")

        return apply

    def _block(self, rows: Tensor, shape: torch.Size, scale: float) -> tuple[Tensor, Tensor, Tensor]:
        grads = rows.reshape(len(rows), shape[0], -1)
        left = self._axes(torch.einsum("kab,kcb->ac", grads, grads))
        right = self._axes(torch.einsum("kab,kac->bc", grads, grads))
        return left, right, _turn(grads, left, right).square().sum(0) * scale

    def _axes(self, second: Tensor) -> Tensor:
        if len(second) > self.largest:
            return torch.eye(len(second), dtype=second.dtype, device=second.device)
        return torch.linalg.eigh(second.double())[1].to(second.dtype)

    @property
    def settings(self) -> dict[str, Any]:
        return {"metric": self.name, "damping": self.damping, "probes": self.probes, "metric_seed": self.seed}


@dataclass(frozen=True, eq=False)
class Adam(Applied):
    r"""$\chi = \sqrt{\hat v} + \epsilon$, diagonal: the metric that AdamW's own step uses at that point of the training.

    $\hat v$ is the bias-corrected second moment of the gradient per parameter, from the training state of a run (`Adam.from_run`): that of
    the *last* finished epoch, so probe the last weights with it (`load_run(path, "last")`). Momentum and weight decay are left out:
    the first does not depend on the example, the second not on the loss.
    """

    moments: dict[str, Tensor] = field(repr=False)
    epsilon: float = 1e-8
    source: str = ""
    name: ClassVar[str] = "adam"

    @classmethod
    def from_run(cls, path: str | Path) -> "Adam":
        """From the folder of a run; raises `OrbitscopeError` where its training state is gone."""
        moments, epsilon = second_moments(path)
        return cls(moments, epsilon, str(path))

    def inverse(self, subject: Subject, x: Tensor, chunk: int) -> Inverse:
        wrong = [k for k, p in subject.parameters.items() if k not in self.moments or self.moments[k].shape != p.shape]
        if wrong:
            raise OrbitscopeError(
                f"adam: the second moments do not fit the model: {wrong[0]} is missing or has another shape. Take those of the run "
                "that the model came from."
            )
        flat = flatten({k: self.moments[k][None] for k in subject.parameters}, 1)[0].to(subject.device, subject.dtype)
        scale = flat.sqrt() + self.epsilon
        return lambda vectors: (vectors / scale, float("nan"))

    @property
    def settings(self) -> dict[str, Any]:
        return {"metric": self.name, "epsilon": self.epsilon, "moments": self.source}


def _tensors(rows: Tensor, parameters: Parameters) -> list[tuple[Tensor, torch.Size]]:
    sizes = [p.numel() for p in parameters.values()]
    shapes = [p.shape if p.ndim else torch.Size([1]) for p in parameters.values()]
    return list(zip(rows.split(sizes, 1), shapes, strict=True))


def _turn(values: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """left^T values right, for each."""
    return left.T @ values @ right


_BY_NAME: dict[str, Callable[[], Metric]] = {
    "euclidean": Euclidean,
    "gauss_newton": GaussNewton,
    "gauss_newton_full": GaussNewtonFull,
    "kronecker": Kronecker,
    "ekfac": Kronecker,
}


def metric_of(metric: str | Metric, damping: float | None = None) -> Metric:
    """A metric from its name: euclidean, gauss_newton, gauss_newton_full or kronecker, with `damping` (1e-6 if None)."""
    if metric == "adam":
        raise OrbitscopeError("influence: 'adam' needs the optimiser's moments: metric=Adam.from_run(folder).")
    if not isinstance(metric, Metric) and metric not in _BY_NAME:
        known = ", ".join(repr(name) for name in _BY_NAME)
        raise OrbitscopeError(f"influence: `metric` must be one of {known}, Adam.from_run(folder) or a Metric of your own, got {metric!r}.")
    if damping is not None and (isinstance(metric, Metric) or metric == "euclidean"):
        raise OrbitscopeError(
            f"influence: `damping` goes with the name of a metric that has one, such as 'gauss_newton', not with {metric!r}. Leave it out."
        )
    made = metric if isinstance(metric, Metric) else _BY_NAME[metric]()
    return made if damping is None else replace(made, damping=damping)  # pyright: ignore[reportArgumentType,reportCallIssue]
