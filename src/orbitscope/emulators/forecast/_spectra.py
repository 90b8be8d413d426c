"""Errors of forecasts: root mean square, and spectra of what was forecast."""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ..._errors import OrbitscopeError
from ...symmetry import Grid

Window = Literal["none", "hann"]
Forecast = Float[Tensor, "sample time channel ..."]


def rmse(prediction: Tensor, target: Tensor) -> float:
    r"""$\sqrt{\mathrm{mean}\, (\hat u - u)^2}$ over everything, in the unit of the field; the root is taken last, of the whole mean.

    * `prediction`: $\hat u$, any shape.
    * `target`: $u$, what is true, of the same shape.

    Raises `OrbitscopeError` where the shapes differ.
    """
    _same("rmse", prediction, target)
    return float((prediction.double() - target.double()).square().mean().sqrt())


def energy_spectrum(
    state: Float[Tensor, "..."], grid: Grid, window: Window = "none"
) -> tuple[Float[Tensor, " shell"], Float[Tensor, "... shell"]]:
    r"""Energy by wave number, $E_j = \tfrac12 \sum_{|\,|m| - j| \le 1/2} \sum_c |\hat u_c(m)|^2$.

    $\sum_j E_j = \tfrac12 \langle |u|^2 \rangle$, the mean kinetic energy per mass.

    * `state`: the velocity alone, [..., channel, *grid.shape].
    * `grid`: where the values lie; $L$ is its longest side.
    * `window`: "none", or "hann", which multiplies by a Hann window of mean square 1 along every axis that is not periodic (for a piece cut
      out of a flow, whose edges do not meet); the sum is then the energy weighted by the window, and the mean flow reaches into shells 1
      and 2.

    Returns the wave numbers $k_j = 2 \pi j / L$, [shell], float64, and E [..., shell]. Shell 0 is the mean flow, and the last ones are
    the corners beyond the Nyquist wave number. m counts waves over L.

    Raises `OrbitscopeError` for a state that does not fit the grid.
    """
    grid.check(state, "energy_spectrum: `state`")
    if state.ndim <= grid.ndim:
        raise OrbitscopeError(f"energy_spectrum: `state` should be [..., channel, *grid], got shape {tuple(state.shape)}.")
    if window not in ("none", "hann"):
        raise OrbitscopeError(f"energy_spectrum: `window` should be 'none' or 'hann', got {window!r}.")
    values, axes, longest = state.double(), tuple(range(-grid.ndim, 0)), max(grid.extent)
    radius = torch.zeros(grid.shape, dtype=torch.float64)
    for axis, (n, extent, boundary) in enumerate(zip(grid.shape, grid.extent, grid.boundary, strict=True)):
        line = [1] * grid.ndim
        line[axis] = n
        if window == "hann" and boundary != "periodic":
            values = values * _hann(n).reshape(line).to(values)
        radius = radius + (torch.fft.fftfreq(n, 1 / n, dtype=torch.float64) * longest / extent).square().reshape(line)
    shell = radius.sqrt().round().long().flatten()
    power = 0.5 * torch.fft.fftn(values, dim=axes, norm="forward").abs().square().sum(-grid.ndim - 1)
    count = int(shell.max()) + 1
    energy = torch.zeros(*power.shape[: -grid.ndim], count, dtype=power.dtype, device=power.device)
    energy = energy.index_add(-1, shell.to(power.device), power.flatten(-grid.ndim))
    return 2 * math.pi / longest * torch.arange(count, dtype=torch.float64), energy


def spectrum_error(prediction: Forecast, target: Forecast, grid: Grid, window: Window = "none") -> float:
    r"""Error of the energy spectrum: $\sqrt{\mathrm{mean}_{b,j} \log_{10}^2 (\hat E_{bj} / E_{bj})}$, E averaged over the time axis.

    * `prediction`: velocities that were forecast, $\hat u$, [sample, time, channel, *grid].
    * `target`: true velocities, of the same shape.
    * `grid`: where the values lie, for the wave numbers.
    * `window`: as in `energy_spectrum`.

    Shells 0 (the mean flow) to the Nyquist number of the coarsest axis count. 0 is exact; 0.3 is a factor
    of 2 in energy, in the typical shell. Both spectra are raised by 1e-9 of the target's energy, so that an empty shell has a
    logarithm. Blind to phases: a forecast at the wrong place or time has none of this error.

    Raises `OrbitscopeError` where the shapes differ or do not fit the grid.
    """
    _same("spectrum_error", prediction, target)
    (_, found), (_, true) = (energy_spectrum(u, grid, window) for u in (prediction, target))
    found, true = found.mean(1), true.mean(1)
    last = int(min(n * max(grid.extent) / e for n, e in zip(grid.shape, grid.extent, strict=True))) // 2
    tiny = 1e-9 * true.sum(-1, keepdim=True) + torch.finfo(torch.float64).tiny
    return float(((found + tiny).log10() - (true + tiny).log10())[..., : last + 1].square().mean().sqrt())


def ese(prediction: Forecast, target: Forecast) -> float:
    r"""The "energy spectrum error" as published with the equivariant networks, for comparison; `spectrum_error` is what its name says.

    Per sample: $q = \tfrac12 \sum_c \langle (u_c - \langle u_c \rangle_t)^2 \rangle_t$, a *field* [x, y]; power $|\hat q|^2$ of its 2-D
    FFT (zero frequency in the centre), averaged over rings of unit width around the middle of the array, without the first and the last
    ring; $\log_{10}$. ESE is the root mean square over rings of the difference of the mean over samples.

    * `prediction`: velocities that were forecast, [sample, time, channel, x, y].
    * `target`: true velocities, of the same shape.

    **What it does not see.** The temporal mean: adding any constant flow changes nothing, and one frame has no q at all. It is the
    spectrum of the energy's *image*, not of the velocity: a forecast of the wrong sign is perfect. A factor a in amplitude gives
    $4 \log_{10} a$.

    Raises `OrbitscopeError` where the shapes differ, for fewer than 2 times, and for other than square states. Source: Wang, Walters and
    Yu, ICLR 2021, and their evaluation code.
    """
    _same("ese", prediction, target)
    if target.ndim != 5 or target.shape[-1] != target.shape[-2] or target.shape[1] < 2 or target.shape[-1] < 6:
        raise OrbitscopeError(
            f"ese: expected [sample, time, channel, x, y], at least 2 times, square and 6 points wide; got {tuple(target.shape)}."
        )
    return float((_image_spectrum(prediction) - _image_spectrum(target)).square().mean().sqrt())


def _image_spectrum(flow: Tensor) -> Tensor:
    flow = flow.double()
    image = (flow - flow.mean(1, keepdim=True)).square().mean(1).sum(1) / 2
    power = torch.fft.fftshift(torch.fft.fft2(image), dim=(-2, -1)).abs().square()
    n = flow.shape[-1]
    offset = torch.arange(n, dtype=torch.float64, device=flow.device) - (n - 1) / 2
    ring = (offset[:, None].square() + offset.square()).sqrt().long().flatten()
    count = int(ring.max()) + 1
    total = torch.zeros(len(flow), count, dtype=power.dtype, device=flow.device).index_add(1, ring, power.flatten(1))
    cells = torch.zeros(count, dtype=power.dtype, device=flow.device).index_add(0, ring, torch.ones_like(power[0].flatten()))
    mean = (total / cells)[:, 1:-1]
    return (mean + torch.finfo(torch.float64).tiny).log10().mean(0)


def _hann(points: int) -> Tensor:
    """Hann window at cell centres, mean square 1."""
    window = torch.sin(math.pi * (torch.arange(points, dtype=torch.float64) + 0.5) / points).square()
    return window / window.square().mean().sqrt()


def _same(who: str, prediction: Tensor, target: Tensor) -> None:
    if prediction.shape != target.shape:
        raise OrbitscopeError(f"{who}: `prediction` {tuple(prediction.shape)} and `target` {tuple(target.shape)} must have one shape.")
