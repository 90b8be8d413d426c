"""Metrics whose inverse acts on whole vectors: the full Gauss-Newton metric and Adam's; and every metric by its name."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from ..._errors import OrbitscopeError
from ...emulators import second_moments
from .._gradients import flatten, pullback, pushforward
from .._subject import Subject
from ._applied import Applied, Inverse
from ._gauss_newton import GaussNewton
from ._kronecker import Kronecker
from ._krylov import solve
from ._metric import Euclidean, Metric


@dataclass(frozen=True)
class GaussNewtonFull(Applied):
    r"""$\chi = J^\top J / M + \lambda$ on all parameters, the truth that `GaussNewton` restricts to a span.

    Solved by block conjugate gradients with full reorthogonalisation (Galerkin on the block Krylov space of the right sides), in float64,
    until every relative residual $\|\chi v - g\| / \|g\|$ is at most `tolerance`, or `depth` blocks; the result says which residual was
    reached. For small models: the basis has up to (right sides) x `depth` vectors of p numbers. With $\lambda$ far below the
    spectrum of the curvature many blocks are needed.

    * `damping`: $\lambda$, in units of the curvature $J^\top J / M$.
    * `tolerance`: largest relative residual that ends the iteration.
    * `depth`: blocks at the most.
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

    def kept(self, subject: Subject, x: Tensor, elements: int) -> int:
        return super().kept(subject, x, elements) + 2 * len(x) * (self.depth // 2) * subject.count * 8  # the Krylov basis, float64

    @property
    def advice(self) -> str:
        return ", or metric='gauss_newton', which keeps no Krylov basis"

    @property
    def settings(self) -> dict[str, Any]:
        return {"metric": self.name, "damping": self.damping, "tolerance": self.tolerance, "depth": self.depth}


@dataclass(frozen=True, eq=False)
class Adam(Applied):
    r"""$\chi = \sqrt{\hat v} + \epsilon$, diagonal: the metric that AdamW's own step uses at that point of the training.

    $\hat v$ is the bias-corrected second moment of the gradient per parameter, from the training state of a run (`Adam.from_run`): that of
    the *last* finished epoch, so probe the last weights with it (`load_run(path, "last")`). Momentum and weight decay are left out:
    the first does not depend on the example, the second not on the loss.

    * `moments`: $\hat v$ by the name of the parameter, each in its shape.
    * `epsilon`: $\epsilon$ of the optimiser.
    * `source`: where the moments came from, for the result's attributes.
    """

    moments: dict[str, Tensor] = field(repr=False)
    epsilon: float = 1e-8
    source: str = ""
    name: ClassVar[str] = "adam"

    @classmethod
    def from_run(cls, path: str | Path, *, trust: bool | str = False) -> "Adam":
        """From the folder `path` of a run; `trust` as of `load_run`. Raises `OrbitscopeError` where its training state is gone."""
        moments, epsilon = second_moments(path, trust=trust)
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
