"""What data say of parameters: likelihood with the error of the emulator in it, and the region of the training as the prior."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from ._correlation import checked_correlation
from ._emulators import CorrelationEmulator
from ._losses import gaussian_nll
from ._vector import DataVector


class Posterior:
    r"""$-\ln p = \tfrac12 [g^T C^{-1} g + \ln \det 2 \pi C] - \sum_j \ln c_j (1 - c_j)$, $g = d - \overline{m}(\theta)$, in coordinates u
    without bounds.

    * `model`: the emulator; a copy in float64 is used. `data`: d with its covariance S, or None in it.
    * `fixed`: values of parameters that are not inferred, by name. `emulator_error`: whether the covariance E of members is added.
    * `correlation`: R of the noise of bins, [K, K], such as `noise_correlation` finds; None: that of the emulator's own factors, and
      none where it has no factors. Only where the data bring no covariance.

    $C = S + E(\theta)$, or $A(\theta) + E(\theta)$ with the emulator's own aleatoric covariance A where the data bring none; with R that
    is $A = D^{1/2} R D^{1/2}$, D the aleatoric variances. The prior is uniform in log Mmin and, given that, in the interval of each other
    parameter: $c = 1 / (1 + e^{-u})$ is uniform in the unit cube, which the region maps to $\theta$. So no chain leaves the region. Without
    the emulator's error a posterior is too narrow where that is not small beside the noise, and with independent bins it can be where
    their noise goes together. Raises `OrbitscopeError` for fixed values outside the region, where nothing is left to infer, for what is
    no correlation, and for one beside a covariance of the data or of an emulator that has factors of its own.
    """

    def __init__(
        self, model: CorrelationEmulator, data: DataVector, fixed: Mapping[str, float] | None = None, emulator_error: bool = True,
        correlation: Tensor | None = None,
    ) -> None:  # fmt: skip
        import copy

        self.model = copy.deepcopy(model).double().eval().requires_grad_(False)
        self.data, self.fixed, self.emulator_error = data, dict(fixed or {}), emulator_error
        region = self.model.region
        low, high = region.pivot_range(self.fixed)
        self.names = tuple(name for name in region.names if name not in self.fixed)
        if not self.names:
            raise OrbitscopeError("fix: all parameters are fixed; nothing is left to infer.")
        if data.value.shape[-2:] != (len(self.model.links), self.model.bins):
            raise OrbitscopeError(f"data: should be [3, {self.model.bins}] as the emulator has it, got {list(data.value.shape)}.")
        first, last = float(region.low[region.pivot]), float(region.high[region.pivot])
        self._pivot = ((low - first) / (last - first), (high - first) / (last - first))
        self._free = [region.names.index(name) for name in self.names]
        self._held = {region.names.index(name): float(value) for name, value in self.fixed.items()}
        self._used = data.used.flatten()
        root = None if data.covariance is None else torch.linalg.cholesky(data.covariance)
        self._white = None if root is None else torch.linalg.inv(root)
        self._logdet = 0.0 if root is None else float(root.diagonal().log().sum())
        self._apart = None if correlation is None else self._taken_apart(correlation)

    def _taken_apart(self, correlation: Tensor) -> Tensor:
        """The inverse of the Cholesky factor of the correlation of the used bins: once, as it is the same for all parameters."""
        if self._white is not None:
            raise OrbitscopeError("correlation: the data bring a covariance, which holds one. Give one of the two.")
        middle = self.theta(torch.zeros(1, len(self.names), dtype=torch.float64))
        if self.model.moments(middle)[2].shape[2]:
            raise OrbitscopeError("correlation: this emulator was trained with a covariance of its own (`rank`). Leave `correlation` out.")
        whole = checked_correlation(correlation, len(self._used))
        root = torch.linalg.cholesky(whole[self._used][:, self._used])
        self._logdet = float(root.diagonal().log().sum())
        return torch.linalg.inv(root)

    @property
    def noise(self) -> str:
        """Where the noise of the likelihood is from, in words."""
        if self._white is not None:
            return "covariance of the data"
        return "emulator" if self._apart is None else "emulator, bins correlated"

    def theta(self, u: Tensor) -> Tensor:
        """Parameters [..., 7] from coordinates without bounds.

        * `u`: [..., k], one for each free parameter.
        """
        region = self.model.region
        cube = torch.full((*u.shape[:-1], len(region.names)), 0.5, dtype=u.dtype)
        cube = cube.index_copy(-1, torch.tensor(self._free), torch.sigmoid(u))
        at = torch.arange(len(region.names)) == region.pivot
        low, high = self._pivot
        cube = torch.where(at, low + (high - low) * cube, cube)
        theta = region.from_cube(cube)
        for j, value in self._held.items():
            theta = torch.where(torch.arange(len(region.names)) == j, torch.full_like(theta, value), theta)
        return theta

    def expected(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean [B, K], variances [B, K] and factors [B, F, K] of the used bins, C = diag(variances) + F^T F without `correlation`.

        * `theta`: parameters, [B, 7].
        """
        mean, variance, factor = self.model.moments(theta)
        middle, members = mean.mean(1), mean.shape[1]
        parts = []
        if self._white is None:
            parts.append(factor.flatten(1, 2) / members**0.5)
        if self.emulator_error and members > 1:
            parts.append((mean - middle[:, None]) / (members - 1) ** 0.5)
        low_rank = torch.cat(parts, 1) if parts else mean[:, :0]
        return middle[:, self._used], variance.mean(1)[:, self._used], low_rank[:, :, self._used]

    def _terms(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        r"""Gap, variances and factors of `theta`, whitened by the covariance of the data where there is one.

        With a correlation $R = L L^T$ all is multiplied by $T = D^{1/2} L^{-1} D^{-1/2}$: $T A T^T = D$, and det T is one over that of L.
        """
        middle, variance, factor = self.expected(theta)
        gap = self.data.value.flatten(-2)[..., self._used] - middle
        if self._white is not None:
            gap, factor, variance = gap @ self._white.mT, factor @ self._white.mT, torch.ones_like(variance)
        elif self._apart is not None:
            size = variance.sqrt()
            gap = size * ((gap / size) @ self._apart.mT)
            factor = size[:, None] * ((factor / size[:, None]) @ self._apart.mT)
        return gap, variance, factor

    def misfit(self, theta: Tensor) -> Tensor:
        r"""$g^T C^{-1} g$ at each of some points, [B]: the chi-squared of the data.

        * `theta`: parameters, [B, 7], one for each data vector where the data are several, [B, 3, R].
        """
        gap, variance, factor = self._terms(theta)
        return 2 * (_nll(gap, variance, factor) - _nll(torch.zeros_like(gap), variance, factor))

    def log_likelihood(self, theta: Tensor) -> Tensor:
        """Natural logarithm of the density of the data, [B].

        * `theta`: parameters, [B, 7], as of `misfit`.
        """
        return -_nll(*self._terms(theta)) - self._logdet

    def potential(self, u: Tensor) -> Tensor:
        """Minus the logarithm of the posterior density of `u`, up to a constant, [B]; differentiable.

        * `u`: coordinates without bounds, [B, k].
        """
        prior = -(torch.nn.functional.softplus(u) + torch.nn.functional.softplus(-u)).sum(-1)
        return -self.log_likelihood(self.theta(u)) - prior


def _nll(gap: Tensor, variance: Tensor, factor: Tensor) -> Tensor:
    return gaussian_nll(gap[:, None], variance[:, None], factor[:, :, None], torch.ones_like(gap, dtype=torch.bool)[:, None])
