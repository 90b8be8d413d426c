"""What is asked of taggers of jets: the form on gl(4), its spectrum, and how far its lowest directions are from so(1,3)."""

from dataclasses import dataclass

import numpy as np
import torch
from known import lorentz
from numpy.typing import NDArray
from torch import Tensor, nn

from orbitscope.discover import identify, principal_cosines

Array = NDArray[np.float64]

# (E, px, py, pz); boosts along x, y, z, turns in xy, xz, yz, as `known.lorentz` has them; then the scaling of all.
NAMES = ("Kx", "Ky", "Kz", "Rxy", "Rxz", "Ryz", "D")
SO13 = lorentz(4) / np.sqrt(2)
DILATION = np.eye(4)[None] / 2
SEVEN = np.concatenate([SO13, DILATION])
WIDTH = SEVEN[[NAMES.index("Kz"), NAMES.index("Rxy"), NAMES.index("D")]]  # what a width in the detector's frame leaves alone
METRIC = np.diag([1.0, -1.0, -1.0, -1.0]) / 2


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Directions of gl(4) by how much a tagger changes along them.

    * `basis` [16, 4, 4]: matrices of Frobenius norm 1, least changed first. `values` [16]: the form's value along each.
    * `correlation` [16]: of the two taggers' rates along each.
    """

    basis: Array
    values: Array
    correlation: Array


def slopes(model: nn.Module, x: Tensor) -> Array:
    r"""Per jet the 16 numbers $v_{ab} = \sqrt{p (1 - p)} \sum_i (\partial f / \partial p_i^a)\, p_i^b$, f the logit of class 1 against 0.

    * `x` [N, points, 4] in float64. A motion $e^{tX}$ changes f at the rate $\sum_{ab} v_{ab} X_{ab}$; the root is Fisher's.
    """
    found = []
    for batch in x.split(2048):
        batch = batch.detach().requires_grad_(True)
        logits = model(batch)
        f = logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits[:, 0]
        (gradient,) = torch.autograd.grad(f.sum(), batch)
        p = torch.sigmoid(f.detach())
        found.append((p * (1 - p)).sqrt()[:, None] * torch.einsum("nia,nib->nab", gradient, batch.detach()).flatten(1))
    return torch.cat(found).numpy()


def form(first: Array, second: Array) -> Array:
    """The crossed form, [16, 16]: the mean of v1 v2^T over jets, made symmetric. The taggers' own noise cancels in the mean."""
    q = first.T @ second / len(first)
    return (q + q.T) / 2


def spectra(first: Array, second: Array) -> dict[str, Spectrum]:
    """The crossed form's eigenvectors under the Frobenius product, and those of the mean over the two taggers of the plain one."""
    crossed = form(first, second)
    mean = (form(first, first) + form(second, second)) / 2
    found = {}
    for name, q in (("crossed", crossed), ("mean", mean)):
        values, vectors = np.linalg.eigh(q)
        along = np.array([first @ vectors, second @ vectors])
        correlation = (along[0] * along[1]).sum(0) / np.sqrt((along[0] ** 2).sum(0) * (along[1] ** 2).sum(0))
        found[name] = Spectrum(vectors.T.reshape(-1, 4, 4), values, correlation)
    return found


def along(q: Array) -> dict[str, float]:
    """The form's value along each true generator."""
    flat = SEVEN.reshape(7, -1)
    return dict(zip(NAMES, np.einsum("ki,ij,kj->k", flat, q, flat).tolist(), strict=True))


def scores(s: Spectrum) -> dict[str, float]:
    """How the lowest directions stand to so(1,3), {Kz, Rxy, D} and the metric; ratios of neighbours in the spectrum, in squares.

    `six` needs no seventh generator; `six_in_seven` is the score that is published. Where the form's value is negative within its noise
    its size is taken.
    """
    size, six, whole = np.abs(s.values), s.basis[:6], len(s.values) > 7
    return {
        "six": float(principal_cosines(six, SO13).min()),
        "six_in_seven": float(principal_cosines(s.basis[:7], SO13).min()),
        "seven": float(principal_cosines(s.basis[:7], SEVEN).min()),
        "dilation": float(np.abs((s.basis[6] * DILATION[0]).sum()) / np.linalg.norm(s.basis[6])),
        "width_three": float(principal_cosines(s.basis[:3], WIDTH).min()),
        "metric": metric_cosine(six),
        **{f"l{k}/l{k + 1}": float(size[k - 1] / size[k]) if whole else float("nan") for k in (3, 6, 7)},
    }


def metric_cosine(basis: Array) -> float:
    """Cosine of the metric that the span of `basis` keeps with diag(1, -1, -1, -1), by the library; 0 where it names none."""
    metric = identify(basis).metric
    return 0.0 if metric is None else float(abs((metric * METRIC).sum()) / np.linalg.norm(metric))


def area(logit: Array, label: NDArray[np.int64]) -> float:
    """Area under the curve of true against false positives."""
    from scipy.stats import rankdata

    ranks, positive = rankdata(logit), label == 1
    count = int(positive.sum())
    return float((ranks[positive].sum() - count * (count + 1) / 2) / max(count * (len(label) - count), 1))
