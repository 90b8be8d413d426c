"""Initial conditions of the rotating shallow water: a random flow near balance."""

import numpy as np
import torch
from torch import Tensor

from .._errors import OrbitscopeError
from ..symmetry import Grid
from ._initial import square_shape, stream


def shallow_water_balanced(
    grid: Grid,
    seed: int,
    index: int,
    dtype: torch.dtype = torch.float32,
    *,
    speed: float = 0.2,
    wave: float = 3.0,
    depth: float = 1.0,
    coriolis: float = 10.0,
    gravity: float = 1.0,
) -> Tensor:
    r"""A random rotational flow with the height that balances it, on a plane that turns either way. State [4, X, Y].

    Stream function $\psi = \sum_k a_k \cos(2 \pi k \cdot x) + b_k \sin(2 \pi k \cdot x)$ over $|k_x|, |k_y| \le \lceil 2 w \rceil$ with
    a, b normal of variance proportional to $\exp(-|k|^2 / w^2)$, w = `wave`; $u = (-\partial_y \psi, \partial_x \psi)$, scaled so that the
    *expected* mean square of |u| is `speed`^2. f is constant in space, `coriolis` or -`coriolis` with equal odds. The height has the
    mean `depth` and otherwise solves the nonlinear balance equation (Charney), under which the divergence has no tendency at first:

    $$g \Delta h = f \Delta \psi + 2 (\partial_{xx} \psi\, \partial_{yy} \psi - (\partial_{xy} \psi)^2)$$

    so that waves stay weak. Rossby number about 2 pi `wave` `speed` / `coriolis`, Froude number `speed` / sqrt(g `depth`). The modes a grid
    keeps (|k| < n/3 per axis) are the same on every grid. `gravity` should be that of the equation.

    The law is invariant under all translations and, with f a pseudoscalar, under D4; with f declared a scalar, reflections would
    change it: a high pressure goes with one sense of rotation. Raises `OrbitscopeError` where the height would not stay positive.
    """
    nx, ny = square_shape(grid, "shallow-water")
    if not (speed >= 0 and wave > 0 and depth > 0 and gravity > 0):
        raise OrbitscopeError(
            f"shallow-water: `wave`, `depth` and `gravity` should be positive and `speed` not negative, "
            f"got {wave}, {depth}, {gravity} and {speed}."
        )
    draw = stream(seed, "shallow-water", index)
    f = coriolis if draw.random() < 0.5 else -coriolis
    top = int(np.ceil(2 * wave))
    k = np.arange(-top, top + 1)
    square = (k[:, None] ** 2 + k[None, :] ** 2).astype(float)
    weight = np.exp(-0.5 * square / wave**2) * (square > 0)
    # E |grad psi|^2 = sum_k (2 pi |k|)^2 weight^2: a_k cos + b_k sin has the mean square (a^2 + b^2) / 2.
    scale = speed / np.sqrt((4 * np.pi**2 * square * weight**2).sum())
    noise = draw.standard_normal((2, 2 * top + 1, 2 * top + 1)) * weight * scale
    keep = (3 * np.abs(k) < min(nx, ny)).astype(float)
    psi = (noise[0] - 1j * noise[1]) * keep[:, None] * keep[None, :]
    along_x = np.exp(2j * np.pi * np.outer((np.arange(nx) + 0.5) / nx, k))
    along_y = np.exp(2j * np.pi * np.outer((np.arange(ny) + 0.5) / ny, k))

    def on_grid(a: int, b: int) -> np.ndarray:
        """The derivative of psi of order (a, b)."""
        return np.real((along_x * (2j * np.pi * k) ** a) @ psi @ (along_y * (2j * np.pi * k) ** b).T)

    pull = f * (on_grid(2, 0) + on_grid(0, 2)) + 2 * (on_grid(2, 0) * on_grid(0, 2) - on_grid(1, 1) ** 2)
    kx, ky = np.fft.fftfreq(nx, 1 / nx)[:, None], np.fft.rfftfreq(ny, 1 / ny)[None, :]
    laplacian = -4 * np.pi**2 * (kx**2 + ky**2)
    laplacian[0, 0] = 1.0
    spectrum = np.fft.rfft2(pull) / (gravity * laplacian) * ((3 * np.abs(kx) < nx) & (3 * ky < ny))
    spectrum[0, 0] = depth * nx * ny
    height = np.fft.irfft2(spectrum, s=(nx, ny))
    if height.min() <= 0:
        raise OrbitscopeError(f"shallow-water: trajectory {index} would have dry ground. Raise `depth`, or lower `speed` or `coriolis`.")
    return torch.from_numpy(np.stack([height, -on_grid(0, 1), on_grid(1, 0), np.full((nx, ny), f)])).to(dtype)
