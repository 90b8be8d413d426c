"""The Gauss-Newton metric on the span of the gradients, with its engines: element by element, over the whole orbit, sketched."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from ..._expect import expect_number
from .._gradients import gram, output_probes, pullback, pushforward
from .._subject import Subject
from ._engine import Answer, ElementEngine, Engine, Task, blocks
from ._metric import Metric, cutoff
from ._response import Response

_FOLDS = 8


@dataclass(frozen=True)
class GaussNewton(Metric):
    r"""$\chi = J^\top J / M + \lambda$ restricted to the span of the gradients at hand (Amarel et al., arXiv 2601.20172).

    With Q an orthonormal basis of the span, $\chi^{-1} \to Q (Q^\top \eta Q + \lambda)^{-1} Q^\top$. Computed from inner products:
    $K = U S U^\top$, $Q = G U S^{-1/2}$, directions with singular value below 2N rounding units of the largest dropped (`rank` says how
    many stay). Both matrices are float64, because a Gram matrix squares the condition number.

    `span="element"`: kets and bras of one element, as published, so every element has a metric of its own. `span="orbit"`: kets and the
    bras of all elements together, one metric for all; it keeps all gradients in memory.

    `sketch`: probes per example for large groups: the curvature between bras from random output probes (`SketchEngine`); None: exact.

    The restriction is an approximation: the full inverse leaves the span. It grows more exact with the number of examples;
    `GaussNewtonFull` is what it approximates.

    * `damping`: $\lambda$, in units of the curvature $J^\top J / M$.
    """

    damping: float = 1e-6
    span: Literal["element", "orbit"] = "element"
    sketch: int | None = None
    name: ClassVar[str] = "gauss_newton"
    needs_pushforward: ClassVar[bool] = True

    def __post_init__(self) -> None:
        expect_number(self.damping, "GaussNewton: `damping`")
        if not self.damping > 0:
            raise OrbitscopeError(f"GaussNewton: `damping` must be positive, got {self.damping}; the paper uses 1e-6 and 1e-4.")
        if self.span not in ("element", "orbit"):
            raise OrbitscopeError(f"GaussNewton: `span` must be 'element' or 'orbit', got {self.span!r}.")
        if self.sketch is not None and (self.sketch < 1 or self.span != "element"):
            raise OrbitscopeError(
                f"influence: `sketch` should be a number of probes per example, at least 1, with span='element', got {self.sketch} "
                f"and {self.span!r}."
            )

    def response(self, gram: Tensor, pushed: Tensor | None, kets: int, dtype: torch.dtype) -> Response:
        assert pushed is not None
        whole, rank, condition = self.products(gram, pushed, dtype)
        return Response(whole[kets:, :kets], whole.diagonal()[kets:], whole.diagonal()[:kets], rank, condition)

    def products(self, gram: Tensor, pushed: Tensor, dtype: torch.dtype) -> tuple[Tensor, int, float]:
        """All products in the inverse metric, the dimension of the span and the condition number of what was inverted.

        * `gram`, `pushed`, `dtype`: as of `response`.
        """
        half, _, rank, condition = self._factors(gram, pushed, dtype)
        return half.T @ half, rank, condition

    def coefficients(self, gram: Tensor, pushed: Tensor, dtype: torch.dtype) -> Tensor:
        r"""[2N, 2N]: column k holds the combination of the gradients that is $\chi^{-1}$ of gradient k.

        * `gram`, `pushed`, `dtype`: as of `response`.
        """
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

    def engine(self, task: Task) -> Engine:
        if self.sketch is not None:
            return SketchEngine(task, self, self.sketch)
        return OrbitEngine(task, self) if self.span == "orbit" else super().engine(task)

    @property
    def by_element(self) -> bool:
        return self.span == "element"

    def kept(self, subject: Subject, x: Tensor, elements: int) -> int:
        row, answers = len(x) * subject.count * x.element_size(), len(x) * subject.outputs(x) * x.element_size()
        if self.sketch is not None:
            return 2 * row + (self.sketch + 1) * row + answers
        return (elements + 1) * row + answers if self.span == "orbit" else super().kept(subject, x, elements)

    @property
    def advice(self) -> str:
        if self.sketch is not None:
            return f", or fewer than {self.sketch} probes"
        return ", or span='element'" if self.span == "orbit" else ""

    def directions(self, task: Task, gradients: Tensor, bras: Tensor, picked: Tensor) -> Tensor:
        span = gradients if bras is gradients else torch.cat([gradients, bras])
        pushed = task.push(span)
        combine = self.coefficients(gram(span, span), gram(pushed, pushed) / pushed.shape[1], span.dtype)
        return (combine[:, picked].T @ span.double()).to(span.dtype)

    def lift(self, subject: Subject, x: Tensor, chunk: int, who: str) -> Callable[[Tensor], Tensor]:
        """The inverse metric restricted to the span of the very vectors [K, p] that it is given together."""

        def apply(vectors: Tensor) -> Tensor:
            pushed = torch.zeros(len(vectors), len(vectors), dtype=torch.float64, device=vectors.device)
            for part in x.split(chunk):  # a few states at a time, so that J v is never kept
                moved = pushforward(subject, part, vectors.to(subject.dtype), chunk)
                pushed += gram(moved, moved)
            combine = self.coefficients(gram(vectors, vectors), pushed / subject.outputs(x), vectors.dtype)
            return (combine.T @ vectors.double()).to(vectors.dtype)

        return apply

    def sketched(self, draws: int) -> "GaussNewton":
        return replace(self, sketch=draws)

    @property
    def settings(self) -> dict[str, Any]:
        return {"metric": self.name, "damping": self.damping, "span": self.span}

    def sweep(self) -> tuple[Metric, ...]:
        return tuple(replace(self, damping=self.damping * 10.0**k) for k in (-2, -1, 0, 1, 2))


class OrbitEngine(Engine):
    """Gauss-Newton on the span of the kets and the bras of all elements together: one metric for the whole orbit."""

    def __init__(self, task: Task, metric: "GaussNewton") -> None:
        super().__init__(task)
        self.metric = metric

    def run(self, elements: Sequence[Any]) -> Iterator[Answer]:
        made = [self._bras(g) for g in elements]
        distinct = [self.kets, *(b for b, _ in made if b is not self.kets)]
        everything = torch.cat(distinct)
        x = self.task.pairs.x
        pushed = torch.zeros(len(everything), len(everything), dtype=torch.float64, device=x.device)
        for part in x.split(self.task.plan.push_chunk):
            moved = self.task.push(everything, part)
            if math.isnan(self.check):
                self.check = self._verify(moved[0, : self.task.width])
            pushed += gram(moved, moved)
        whole, rank, condition = self.metric.products(gram(everything, everything), pushed / self.task.outputs, everything.dtype)
        n, position = len(self.kets), 1
        for bras, loss in made:
            at = slice(0, n) if bras is self.kets else slice(position * n, (position + 1) * n)
            position += bras is not self.kets
            response = Response(whole[at, :n], whole.diagonal()[at], whole.diagonal()[:n], rank, condition)
            yield Answer(response, loss)


class SketchEngine(ElementEngine):
    r"""Gauss-Newton where the curvature between bras is seen through random output probes, drawn once for all elements.

    Exact: the curvature $\eta k$ along every ket, hence all of $k^\top \eta k$ and $b^\top \eta k$. With $b = C^\top k + r$ and C chosen to
    make r short in $\eta$, only $r^\top \eta r$ is estimated, $\frac{1}{S M} \sum (J_n^\top w_{ns} \cdot r)^2$. A delete-one-fold jackknife
    over the draws gives the standard error of every coherence.
    """

    def __init__(self, task: Task, metric: "GaussNewton", draws: int) -> None:
        super().__init__(task)
        self.metric, self.draws = metric, draws
        x = task.pairs.x
        pushed = task.push(self.kets)
        self.check = self._verify(pushed[0, : task.width])
        self.own = gram(self.kets, self.kets)
        self.curved = pullback(task.subject, x, pushed, task.plan.chunk, task.plan.together) / task.outputs
        self.pushed_own = gram(pushed, pushed) / task.outputs
        del pushed
        self.probes = output_probes(task.subject, x, draws, 0, task.plan.chunk)
        self.probed = self.probes @ self.kets.T  # [draws * N, N]
        ridge = 1e-12 * self.pushed_own.diagonal().mean()
        self.factor = torch.linalg.cholesky(self.pushed_own + ridge * torch.eye(len(self.kets), dtype=torch.float64, device=x.device))

    def answer(self, bras: Tensor, loss: Tensor) -> Answer:
        n, x = len(self.kets), self.task.pairs.x
        if bras is self.kets:
            matrix = blocks(self.own, self.own, self.own)
            pushed = blocks(self.pushed_own, self.pushed_own, self.pushed_own)
            response = self.metric.response(matrix, pushed, n, bras.dtype)
            return Answer(response, loss, matrix, pushed, torch.zeros_like(response.cross))
        matrix = blocks(self.own, gram(bras, self.kets), gram(bras, bras))
        cross = gram(bras, self.curved)  # exact
        combine = torch.cholesky_solve(cross.T, self.factor)  # [ket, bra]
        rest = (self.probes @ bras.T).double() - self.probed.double() @ combine
        folds = min(_FOLDS, self.draws)
        parts = [torch.einsum("dnb,dnc->bc", p, p) for p in rest.reshape(self.draws, len(x), -1).tensor_split(folds)]
        sizes = [len(p) for p in torch.arange(self.draws).tensor_split(folds)]
        total = torch.stack(parts).sum(0)

        def respond(sketched: Tensor, draws: int) -> tuple[Response, Tensor]:
            known = combine.T @ cross.T
            own = known + known.T - combine.T @ self.pushed_own @ combine + sketched / (draws * self.task.outputs)
            pushed = blocks(self.pushed_own, cross, (own + own.T) / 2)
            return self.metric.response(matrix, pushed, n, bras.dtype), pushed

        response, pushed = respond(total, self.draws)
        error = torch.full_like(response.cross, float("nan"))
        if folds > 1:
            left_out = torch.stack([respond(total - part, self.draws - size)[0].coherence for part, size in zip(parts, sizes, strict=True)])
            error = ((folds - 1) / folds * (left_out - left_out.mean(0)).square().sum(0)).sqrt()
        return Answer(response, loss, matrix, pushed, error)
