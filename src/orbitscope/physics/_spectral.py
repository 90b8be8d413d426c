"""Fourier tools on the periodic, cell-centred grid: wavenumbers, masks, projection, change of resolution."""

import math
from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=32)
def modes(shape: tuple[int, int], device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Integer mode numbers (k_x [n, 1], k_y [1, m // 2 + 1]) of `rfft2`; multiply by 2 pi / L for wavenumbers."""
    kx = torch.fft.fftfreq(shape[0], 1.0 / shape[0], device=device, dtype=dtype)[:, None]
    ky = torch.fft.rfftfreq(shape[1], 1.0 / shape[1], device=device, dtype=dtype)[None, :]
    return kx, ky


@lru_cache(maxsize=32)
def derivative_modes(shape: tuple[int, int], device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """As `modes`, with the Nyquist mode of an even axis set to 0: its derivative is not representable on the grid."""
    return tuple(torch.where(2 * k.abs() == n, 0.0, k) for k, n in zip(modes(shape, device, dtype), shape, strict=True))  # type: ignore[return-value]


def kept(shape: tuple[int, int], device: torch.device) -> Tensor:
    """The modes that the two-thirds rule keeps: |k_x| < n / 3 and |k_y| < m / 3, bool [n, m // 2 + 1]."""
    kx, ky = modes(shape, device, torch.float64)
    return (3 * kx.abs() < shape[0]) & (3 * ky.abs() < shape[1])


def project(spectrum: Tensor, shape: tuple[int, int]) -> Tensor:
    r"""Leray projection $\hat u - k (k \cdot \hat u) / |k|^2$ of a velocity spectrum [..., 2, n, m // 2 + 1]; the mean flow stays.

    Meant for spectra without Nyquist modes (after `kept`); those have no defined divergence and pass unchanged.
    """
    kx, ky = derivative_modes(shape, spectrum.device, spectrum.real.dtype)
    square = kx * kx + ky * ky
    along = (kx * spectrum[..., 0, :, :] + ky * spectrum[..., 1, :, :]) / torch.where(square == 0, 1.0, square)
    return spectrum - torch.stack([kx * along, ky * along], -3)


def solenoidal(velocity: Tensor) -> Tensor:
    """The divergence-free part of a velocity [..., 2, n, m], without the modes that the two-thirds rule removes."""
    shape = (velocity.shape[-2], velocity.shape[-1])
    spectrum = torch.fft.rfft2(velocity) * kept(shape, velocity.device)
    return torch.fft.irfft2(project(spectrum, shape), s=shape)


def resample(field: Tensor, shape: tuple[int, int]) -> Tensor:
    """A field [..., n, m] on another cell-centred grid by Fourier interpolation; the Nyquist modes of both grids are dropped."""
    old = (field.shape[-2], field.shape[-1])
    spectrum = torch.fft.rfft2(field)
    out = torch.zeros(*field.shape[:-2], shape[0], shape[1] // 2 + 1, dtype=spectrum.dtype, device=field.device)
    half_x, half_y = (min(old[0], shape[0]) - 1) // 2, (min(old[1], shape[1]) - 1) // 2
    columns = slice(0, half_y + 1)
    out[..., : half_x + 1, columns] = spectrum[..., : half_x + 1, columns]
    if half_x:
        out[..., -half_x:, columns] = spectrum[..., -half_x:, columns]
    # Cell centres differ: the first point moves from 1 / (2 n) to 1 / (2 n').
    kx, ky = modes(shape, field.device, field.dtype)
    turn = math.pi * (kx * (1 / shape[0] - 1 / old[0]) + ky * (1 / shape[1] - 1 / old[1]))
    scale = shape[0] * shape[1] / (old[0] * old[1])
    return torch.fft.irfft2(out * torch.polar(torch.full_like(turn, scale), turn), s=shape)


def gradient(field: Tensor, extent: tuple[float, ...]) -> Tensor:
    """Spectral derivatives along both axes of a field [..., n, m] on a box of size `extent`: shape [..., 2, n, m]."""
    shape = (field.shape[-2], field.shape[-1])
    kx, ky = derivative_modes(shape, field.device, field.dtype)
    spectrum = torch.fft.rfft2(field)
    slopes = torch.stack([2j * math.pi / extent[0] * kx * spectrum, 2j * math.pi / extent[1] * ky * spectrum], -3)
    return torch.fft.irfft2(slopes, s=shape)


@lru_cache(maxsize=32)
def box_modes(shape: tuple[int, ...], device: torch.device, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """As `modes` in any number of dimensions: one tensor per axis, shaped to broadcast over the spectrum of `rfftn`."""
    last = len(shape) - 1
    lines = [(torch.fft.rfftfreq if i == last else torch.fft.fftfreq)(n, 1.0 / n, device=device, dtype=dtype) for i, n in enumerate(shape)]
    return tuple(line.reshape([-1 if j == i else 1 for j in range(last + 1)]) for i, line in enumerate(lines))


def cut(field: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A field [..., *grid] on a coarser cell-centred grid `shape`, in any number of dimensions: the modes that both hold.

    As `resample`, which does the same and more in the plane; Nyquist modes are dropped.
    """
    axes = tuple(range(-len(shape), 0))
    old = tuple(field.shape[i] for i in axes)
    spectrum = torch.fft.rfftn(field, dim=axes)
    turn = torch.zeros((), dtype=field.dtype, device=field.device)
    for axis, k, n, m in zip(axes, box_modes(shape, field.device, field.dtype), shape, old, strict=True):
        # On the last axis the spectrum has no negative modes.
        rows = [i if i <= n // 2 else i - n + m for i in range(n if axis != -1 else n // 2 + 1)]
        spectrum = spectrum.index_select(axis, torch.tensor(rows, device=field.device)) * (2 * k.abs() < n)
        turn = turn + math.pi * k * (1 / n - 1 / m)
    return torch.fft.irfftn(spectrum * torch.polar(torch.full_like(turn, math.prod(shape) / math.prod(old)), turn), s=shape, dim=axes)
