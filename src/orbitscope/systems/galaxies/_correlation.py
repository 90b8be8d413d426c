"""How the noise of bins goes together: one correlation for all parameters, from the realisations of a training set."""

import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from ...data import Examples
from ._emulators import CorrelationEmulator
from ._targets import checked, means_of_points

_CHUNK = 512
_SYMMETRIC = 1e-8


@torch.no_grad()
def noise_correlation(model: CorrelationEmulator, examples: Examples) -> Tensor:
    r"""Correlation of the noise of bins, pooled over parameter points and shrunk towards independent bins, [K, K] with K = S R.

    * `model`: in evaluation mode, whose aleatoric deviations $\sigma$ standardise. `examples`: those of the training, with at least two
      realisations of some parameter points; none that is judged later.

    With $z = (y - \bar y_u) / \sigma(\theta_u)$ of every realisation about the mean of its point u, 0 where a bin has no value,

    $$r_{ij} = \frac{\sum_u w_{u,ij}}{\sqrt{\sum_u w_{u,ii} \sum_u w_{u,jj}}}, \quad w_u = \sum_{k \in u} z_k z_k^T, \quad
    R = (1 - \lambda) r + \lambda 1, \quad \lambda = \frac{\sum_{i \ne j} \mathrm{Var}\, r_{ij}}{\sum_{i \ne j} r_{ij}^2},$$

    $\lambda$ from 0 to 1, with variances from the scatter between points, the denominators held, as the realisations of a point share a
    mean. Being made of products of vectors, R has no negative eigenvalue. A bin without noise is independent of all. What is lost: that
    the correlation may differ from parameters to parameters, and noise that is not Gaussian. Correlations with bins that often have no
    value come out too small. Raises `OrbitscopeError` for a model in training, and without two points with repeated realisations.

    Source: the rule for $\lambda$ is that of Schäfer & Strimmer (2005), Stat. Appl. Genet. Mol. Biol. 4, 32, target identity.
    """
    x, value, known = checked(examples)
    mean, rows = means_of_points(value.double(), known, examples.unit)
    _, at = torch.unique(torch.as_tensor(examples.unit), return_inverse=True)
    repeated = int((rows.flatten(1).amax(1) > 1).sum())
    if repeated < 2:
        raise OrbitscopeError(
            f"noise_correlation: {repeated} parameter points have more than one realisation, at least 2 are needed. Make the examples "
            "with several realisations of each."
        )
    dtype = next(model.parameters()).dtype
    deviation = torch.cat([model.moments(part.to(dtype))[1].mean(1) for part in x.split(_CHUNK)]).sqrt()
    there = known & (rows[at] > 1)
    z = torch.where(there, (value.double() - mean[at]) / deviation.reshape(value.shape), 0.0).flatten(1)
    size = z.square().sum(0).sqrt()
    z = torch.where(size > 0, z / size, 0.0)  # now the sum of all products is r itself
    r = z.mT @ z
    order = torch.argsort(at, stable=True)
    squares = torch.zeros_like(r)
    for of_point in z[order].split(torch.bincount(at).tolist()):
        squares += (of_point.mT @ of_point).square()
    points = len(rows)
    variance = points / (points - 1) * (squares - r.square() / points)
    off = ~torch.eye(len(r), dtype=torch.bool)
    total = r[off].square().sum()
    shrunk = float((variance[off].sum() / total).clamp(0, 1)) if total > 0 else 1.0
    return (1 - shrunk) * r.masked_fill(~off, 0.0) + torch.eye(len(r), dtype=r.dtype)


def checked_correlation(correlation: Tensor, size: int) -> Tensor:
    """A correlation matrix in float64, as it was given.

    * `correlation`: what came. `size`: rows that it should have.

    Raises `OrbitscopeError` for another shape, for what is not symmetric, not 1 on the diagonal, or not positive definite.
    """
    found = torch.as_tensor(correlation).double()
    if found.shape != (size, size):
        raise OrbitscopeError(
            f"correlation: should be [{size}, {size}], all bins of xi, omega and eta one after the other, got {list(found.shape)}."
        )
    if not bool(torch.isfinite(found).all()) or float((found - found.mT).abs().max()) > _SYMMETRIC:
        raise OrbitscopeError("correlation: is not symmetric, or holds NaN. Give what `noise_correlation` found.")
    if float((found.diagonal() - 1).abs().max()) > _SYMMETRIC:
        raise OrbitscopeError("correlation: should be 1 on its diagonal; a covariance belongs to the data.")
    if int(torch.linalg.cholesky_ex(found).info):
        raise OrbitscopeError("correlation: is not positive definite. Shrink it towards the identity, as `noise_correlation` does.")
    return found
