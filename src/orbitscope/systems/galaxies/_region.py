"""The region of the parameters on which an emulator was trained: not a box, as the parameters are drawn along a line."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from ..._errors import OrbitscopeError

PARAMETERS = ("mu_cen", "mu_sat", "logMmin", "sigma_logM", "logM0", "logM1", "alpha")
"""The parameters, in the order of x."""
PIVOT = PARAMETERS.index("logMmin")
_SLACK = 1e-6
Outside = Literal["warn", "raise", "ignore"]


class RegionWarning(UserWarning):
    """An emulator was asked outside the region that it was trained on."""


class Region(nn.Module):
    r"""All $\theta$ with $\theta_P \in [l_P, h_P]$ and $\theta_j \in [\max(f_j, \lambda_j + l_j),\, \min(c_j, \lambda_j + h_j)]$, where
    $\lambda_j = a_j + b_j \theta_P$ is a line in the pivot P.

    * `x`: parameters of the training [N, D], in the units of the training. `pivot`: number of the parameter along which the others are
      drawn, log10 of the least halo mass by default. `names`: of the D parameters.

    The lines are fitted by least squares, the bounds are the least and largest residuals and values. A published design that draws the
    others around a line in log Mmin, or in a box, is met exactly. It moves and is saved with the weights of the emulator that holds it.
    Raises `OrbitscopeError` for fewer points than parameters.
    """

    slope: Tensor
    shift: Tensor
    low: Tensor
    high: Tensor
    floor: Tensor
    ceiling: Tensor

    def __init__(self, x: Tensor, pivot: int = PIVOT, names: Sequence[str] = PARAMETERS) -> None:
        super().__init__()
        if x.ndim != 2 or x.shape[1] != len(names):
            raise OrbitscopeError(f"Region: `x` should be parameters [N, {len(names)}], got {list(x.shape)}.")
        points = torch.unique(x.double(), dim=0)
        if len(points) < len(names) + 1:
            raise OrbitscopeError(f"Region: {len(points)} parameter points cannot say where a region of {len(names)} parameters ends.")
        self.pivot, self.names = pivot, tuple(names)
        p = points[:, pivot]
        spread = (p - p.mean()).square().sum()
        slope = ((p - p.mean())[:, None] * points).sum(0) / spread if float(spread) > 0 else torch.zeros(len(names), dtype=p.dtype)
        slope[pivot] = 0.0
        # The slope of a parameter that does not depend on the pivot would tilt its box by chance.
        rest = points - points.mean(0) - slope * (p - p.mean())[:, None]
        noise = (rest.square().sum(0) / max(len(points) - 2, 1) / spread.clamp_min(1e-300)).sqrt()
        slope = torch.where(slope.abs() > 4 * noise, slope, torch.zeros_like(slope))
        shift = points.mean(0) - slope * p.mean()
        shift[pivot] = 0.0
        rest = points - shift - slope * p[:, None]
        for name, value in (
            ("slope", slope), ("shift", shift), ("low", rest.amin(0)), ("high", rest.amax(0)), ("floor", points.amin(0)),
            ("ceiling", points.amax(0)),
        ):  # fmt: skip
            self.register_buffer(name, value)

    def bounds(self, pivot: Tensor) -> tuple[Tensor, Tensor]:
        """Least and largest value of each parameter, [..., D] both.

        * `pivot`: values of the pivot, [...].
        """
        line = self.shift.to(pivot) + self.slope.to(pivot) * pivot[..., None]
        low = torch.maximum(line + self.low.to(pivot), self.floor.to(pivot))
        high = torch.minimum(line + self.high.to(pivot), self.ceiling.to(pivot))
        return low, torch.maximum(high, low + 1e-12)

    def excess(self, theta: Tensor) -> Tensor:
        """How far each parameter lies outside, in widths of its interval, [..., D]; 0 inside.

        * `theta`: parameters, [..., D].
        """
        low, high = self.bounds(theta[..., self.pivot])
        return torch.maximum(torch.maximum(low - theta, theta - high) / (high - low), torch.zeros_like(theta))

    def contains(self, theta: Tensor) -> Tensor:
        """Which of some points lie inside, [...], booleans.

        * `theta`: parameters, [..., D].
        """
        return torch.isfinite(theta).all(-1) & (self.excess(theta) <= _SLACK).all(-1)

    def check(self, theta: Tensor, outside: Outside = "raise") -> None:
        """Warn of or refuse points outside the region, naming the first parameter that leaves it.

        * `theta`: parameters, [..., D]. `outside`: what to do: "warn" (`RegionWarning`), "raise" or "ignore".

        Raises `OrbitscopeError` for points that are not finite whatever `outside` is, and for a word that is none of these.
        """
        if outside not in ("warn", "raise", "ignore"):
            raise OrbitscopeError(f"outside: should be 'warn', 'raise' or 'ignore', got {outside!r}.")
        if theta.shape[-1] != len(self.names):
            raise OrbitscopeError(f"theta: should end in {len(self.names)} parameters ({', '.join(self.names)}); got {list(theta.shape)}.")
        if not bool(torch.isfinite(theta).all()):
            raise OrbitscopeError("theta: holds NaN or infinite parameters.")
        inside = self.contains(theta).reshape(-1)
        if outside == "ignore" or bool(inside.all()):
            return
        flat = theta.detach().reshape(-1, theta.shape[-1])
        row = int((~inside).nonzero()[0])
        j = int(self.excess(flat[row]).argmax())
        low, high = (float(b[j]) for b in self.bounds(flat[row, self.pivot]))
        given = "" if j == self.pivot else f" at {self.names[self.pivot]} = {float(flat[row, self.pivot]):.4g}"
        said = (
            f"theta: {int((~inside).sum())} of {len(flat)} points lie outside the region of the training; in point {row} "
            f"{self.names[j]} = {float(flat[row, j]):.4g}, and the training has {low:.4g} to {high:.4g}{given}."
        )
        if outside == "raise":
            raise OrbitscopeError(f"{said} Stay inside, or train on more parameter points.")
        warnings.warn(f"{said} The answer is an extrapolation, and its uncertainty is not to be trusted.", RegionWarning, stacklevel=3)

    def features(self, theta: Tensor) -> Tensor:
        """The parameters without what the pivot says of them, from -1 to 1 inside, [..., D]: linear, so smooth everywhere.

        * `theta`: parameters, [..., D].
        """
        rest = theta - self.shift.to(theta) - self.slope.to(theta) * theta[..., self.pivot : self.pivot + 1]
        middle, half = (self.high + self.low) / 2, ((self.high - self.low) / 2).clamp_min(1e-12)
        return (rest - middle.to(theta)) / half.to(theta)

    def from_cube(self, u: Tensor) -> Tensor:
        """Parameters [..., D] from numbers in the unit cube: the pivot first, then each of the others between its bounds there.

        * `u`: [..., D], from 0 to 1; uniform numbers give the prior of `infer`.
        """
        low, high = self.low.to(u)[self.pivot], self.high.to(u)[self.pivot]
        pivot = low + (high - low) * u[..., self.pivot]
        least, most = self.bounds(pivot)
        theta = least + (most - least) * u
        at = torch.arange(len(self.names), device=u.device) == self.pivot
        return torch.where(at, pivot[..., None], theta)

    def pivot_range(self, fixed: Mapping[str, float]) -> tuple[float, float]:
        """Between which values of the pivot some fixed parameters are inside the region.

        * `fixed`: values of parameters by name.

        Raises `OrbitscopeError` for a name that there is not, and where there is no such value.
        """
        low, high = float(self.low[self.pivot]), float(self.high[self.pivot])
        for name, value in fixed.items():
            if name not in self.names:
                raise OrbitscopeError(f"fix: there is no parameter {name!r}. They are {', '.join(self.names)}.")
            j = self.names.index(name)
            if j == self.pivot:
                low, high = max(low, value - _SLACK), min(high, value + _SLACK)
                continue
            if not float(self.floor[j]) - _SLACK <= value <= float(self.ceiling[j]) + _SLACK:
                low, high = 1.0, 0.0
            b, a = float(self.slope[j]), float(self.shift[j])
            ends = (value - a - float(self.low[j]), value - a - float(self.high[j]))
            if b:
                low, high = max(low, min(e / b for e in ends)), min(high, max(e / b for e in ends))
            elif not ends[1] - _SLACK <= 0 <= ends[0] + _SLACK:
                low, high = 1.0, 0.0
            if low > high:
                raise OrbitscopeError(
                    f"fix: {name} = {value:g} lies outside the region of the training"
                    + (f" beside {', '.join(f'{n} = {v:g}' for n, v in fixed.items() if n != name)}" if len(fixed) > 1 else "")
                    + f"; it has {float(self.floor[j]):.4g} to {float(self.ceiling[j]):.4g} in all."
                )
        return low, high
