"""A Kronecker-factored Gauss-Newton metric for any module, from random cotangents, with an error of its own."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..._errors import OrbitscopeError
from .._gradients import output_rows, random_signs
from .._subject import Parameters, Subject
from ._applied import Applied, Inverse

_FOLDS = 8
HELD = 2**28  # bytes of rows that are kept between the two passes; beyond that they are computed twice


@dataclass(frozen=True)
class Kronecker(Applied):
    r"""The Gauss-Newton metric, block diagonal over the parameter tensors, each block diagonal in a Kronecker eigenbasis.

    For a tensor reshaped to [out, rest] with derivatives $G_{ns} = \partial (w_{ns} \cdot f(x_n))$ along sign vectors $w_{ns}$ of the
    outputs: $U$, $V$ are the eigenvectors of $\sum G G^\top$, $\sum G^\top G$, and $D = \sum (U^\top G V)^2 / S M$ the curvature along
    them, so $\chi^{-1} g = U [(U^\top g V) / (D + \lambda)] V^\top$. Any module: it needs gradients only, no layer is special.

    * `probes`: S sign vectors per example, each one backward pass: columns of a Hadamard matrix, drawn without replacement, times
      random signs of each example. Their error falls faster than that of independent signs, and with as many probes as one example has
      outputs D is exact (then one output after the other is taken). `influence` gives the standard error of every coherence
      (`coherence_error`), from leaving out an eighth of the probes at a time.

    The eigenvalue correction is that of EK-FAC (George et al., arXiv 1806.03884), the axes are those of Shampoo (Gupta et al., arXiv
    1802.09568) instead of activations and output gradients, which exist for dense and convolution layers only. Where it fails: curvature
    between layers is left out, which is most of what two layers share.

    * `damping`: $\lambda$, in units of the curvature.
    * `seed`: of the sign vectors.
    * `largest`: axes of a tensor longer than this get no eigenbasis of their own.
    """

    damping: float = 1e-6
    probes: int = 64
    seed: int = 0
    largest: int = 4096
    name: ClassVar[str] = "kronecker"
    estimated: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not (self.damping > 0 and self.probes >= 1):
            raise OrbitscopeError(f"Kronecker: `damping` must be positive and `probes` at least 1, got {self.damping} and {self.probes}.")

    def inverse(self, subject: Subject, x: Tensor, chunk: int) -> Inverse:
        return self.inverses(subject, x, chunk)[0]

    def inverses(self, subject: Subject, x: Tensor, chunk: int) -> tuple[Inverse, list[Inverse], float]:
        outputs = subject.outputs(x[:1])
        draws, population = min(self.probes, outputs), _power_of_two(outputs)
        exact = draws == outputs
        folds = 1 if exact or draws < 2 else min(_FOLDS, draws)
        fold_of = np.arange(draws) * folds // draws
        rows: Iterable[Tensor] = _Rows(self, subject, x, chunk, draws, population)
        if draws * len(x) * subject.count * x.element_size() <= HELD:
            rows = list(rows)
        moments = _Moments(subject.parameters, self.largest, folds)
        for fold, part in zip(fold_of, rows, strict=True):
            moments.add(int(fold), part)
        axes = [moments.axes(left_out) for left_out in ([None] if folds == 1 else [None, *range(folds)])]
        curvature = [[torch.zeros(len(u), len(v), dtype=subject.dtype, device=x.device) for u, v in one] for one in axes]
        for fold, part in zip(fold_of, rows, strict=True):
            for k, one in enumerate(axes):
                if k == 0 or k - 1 != fold:
                    for total, (u, v), (piece, shape) in zip(curvature[k], one, tensors(part, subject.parameters), strict=True):
                        total += _turn(piece.reshape(len(piece), shape[0], -1), u, v).square().sum(0)
        counts = [draws, *(draws - int((fold_of == f).sum()) for f in range(folds))]
        made = [
            self._apply(subject, one, [c / (count * len(x) * outputs) for c in found])
            for one, found, count in zip(axes, curvature, counts, strict=False)
        ]
        return made[0], made[1:], 0.0 if exact else max(0.0, 1.0 - draws / population)

    def _apply(self, subject: Subject, axes: "Axes", curvature: list[Tensor]) -> Inverse:
        def apply(vectors: Tensor) -> tuple[Tensor, float]:
            parts = []
            for (part, shape), (left, right), d in zip(tensors(vectors, subject.parameters), axes, curvature, strict=True):
                turned = _turn(part.reshape(len(part), shape[0], -1), left, right)
                parts.append(_turn(turned / (d + self.damping), left.T, right.T).reshape(len(part), -1))
            return torch.cat(parts, 1), float("nan")

        return apply

    def kept(self, subject: Subject, x: Tensor, elements: int) -> int:
        row = len(x) * subject.count * x.element_size()
        held = min(self.probes, subject.outputs(x[:1])) * row
        return 2 * row + (held if held <= HELD else row) + 11 * row  # kets lifted by the metric and by its 8 folds

    @property
    def settings(self) -> dict[str, Any]:
        return {"metric": self.name, "damping": self.damping, "probes": self.probes, "metric_seed": self.seed}


Axes = list[tuple[Tensor, Tensor]]
"""Orthonormal bases of both sides of every parameter tensor."""


@dataclass(frozen=True)
class _Rows:
    """The derivatives along one cotangent per example after the other, [N, p] each; the same ones every time."""

    metric: Kronecker
    subject: Subject
    x: Tensor
    chunk: int
    draws: int
    population: int

    def __iter__(self):  # noqa: ANN204 - an iterator of tensors
        shape = self.subject.answer_shape(self.x)
        outputs = int(np.prod(shape[1:]))
        signs = random_signs(torch.empty(shape, dtype=self.subject.dtype, device=self.x.device), self.metric.seed, 0).reshape(
            len(self.x), -1
        )
        columns = np.random.default_rng([self.metric.seed, 0x4AD]).permutation(self.population)[: self.draws]
        for draw in range(self.draws):
            if self.draws == outputs:
                w = torch.zeros_like(signs)
                w[:, draw] = outputs**0.5
            else:
                w = signs * torch.as_tensor(hadamard(outputs, int(columns[draw]))).to(signs)
            yield output_rows(self.subject, self.x, w.reshape(shape), self.chunk)


class _Moments:
    """Sums of G G^T and of G^T G for every tensor and fold."""

    def __init__(self, parameters: Parameters, largest: int, folds: int) -> None:
        self.parameters, self.largest, self.folds = parameters, largest, folds
        self.sums: dict[tuple[int, int, int], Tensor] = {}
        self.sizes: list[tuple[int, int]] = []

    def add(self, fold: int, rows: Tensor) -> None:
        pieces = [part.reshape(len(part), shape[0], -1) for part, shape in tensors(rows, self.parameters)]
        self.sizes = [(g.shape[1], g.shape[2]) for g in pieces]
        for k, g in enumerate(pieces):
            for side, words in enumerate(("kab,kcb->ac", "kab,kac->bc")):
                if self.sizes[k][side] <= self.largest:
                    value = torch.einsum(words, g, g)
                    self.sums[k, side, fold] = self.sums[k, side, fold] + value if (k, side, fold) in self.sums else value

    def axes(self, left_out: int | None) -> Axes:
        """Eigenvectors of the sums without one fold."""
        found = []
        for k, sizes in enumerate(self.sizes):
            sides = []
            for side, size in enumerate(sizes):
                kept = [self.sums[k, side, f] for f in range(self.folds) if f != left_out and (k, side, f) in self.sums]
                some = next(iter(self.parameters.values()))
                sides.append(_eigenvectors(torch.stack(kept).sum(0)) if kept else torch.eye(size, dtype=some.dtype, device=some.device))
            found.append((sides[0], sides[1]))
        return found


def _eigenvectors(second: Tensor) -> Tensor:
    return torch.linalg.eigh(second.double())[1].to(second.dtype)


def hadamard(rows: int, column: int) -> NDArray[np.float64]:
    """The first entries of a column of Sylvester's Hadamard matrix: (-1)^(number of bits that row and column share)."""
    common = np.arange(rows) & column
    parity = np.zeros(rows, dtype=np.int64)
    while common.any():
        parity ^= common & 1
        common >>= 1
    return np.asarray(1.0 - 2.0 * parity, dtype=np.float64)


def _power_of_two(count: int) -> int:
    return 1 << (count - 1).bit_length()


def tensors(rows: Tensor, parameters: Parameters) -> list[tuple[Tensor, torch.Size]]:
    """The parts of vectors that belong to each parameter tensor, and its shape."""
    sizes = [p.numel() for p in parameters.values()]
    shapes = [p.shape if p.ndim else torch.Size([1]) for p in parameters.values()]
    return list(zip(rows.split(sizes, 1), shapes, strict=True))


def _turn(values: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """left^T values right, for each."""
    return left.T @ values @ right
