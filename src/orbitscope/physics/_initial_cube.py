"""Initial conditions in the periodic cube: the Taylor-Green vortex, random solenoidal fields."""

import numpy as np
import torch
from torch import Tensor

from .._errors import OrbitscopeError
from ..symmetry import Grid
from ._initial import stream

Range = tuple[float, float]


def navier_stokes_3d_taylor_green(
    grid: Grid, seed: int, index: int, dtype: torch.dtype = torch.float32, *, speed: Range = (0.5, 1.5), waves: int = 1
) -> Tensor:
    r"""A Taylor-Green vortex of random speed, place and axis. Velocity [3, X, Y, Z], divergence-free, no mean flow.

    $$u = U (\sin \tilde x \cos \tilde y \cos \tilde z,\ -\cos \tilde x \sin \tilde y \cos \tilde z,\ 0), \qquad
    \tilde x = 2 \pi m (x - s_x),\ \ldots, \qquad U \sim U[0.5, 1.5],\ s \sim U[0, 1]^3$$

    with m = `waves`; the component that is zero is z, x or y with equal odds, the axes exchanged cyclically. The law is invariant under
    the octahedral group and all translations. Source: Taylor and Green, Proc. R. Soc. Lond. A 158 (1937) 499 (the vortex); the random
    parameters are of this package.
    """
    n = cube_size(grid, "navier-stokes-3d.taylor-green")
    if int(waves) != waves or waves < 1 or 3 * waves >= n:
        raise OrbitscopeError(
            f"navier-stokes-3d.taylor-green: `waves` should be a positive whole number below a third of the points per axis, got {waves}."
        )
    if not 0 <= speed[0] <= speed[1]:
        raise OrbitscopeError(f"navier-stokes-3d.taylor-green: `speed` should be a range (low, high) from 0, got {speed}.")
    draw = stream(seed, "navier-stokes-3d.taylor-green", index)
    size, shift, turn = draw.uniform(*speed), draw.uniform(0.0, 1.0, 3), int(draw.integers(3))
    points = 2 * np.pi * waves * ((np.arange(n) + 0.5) / n - shift[:, None])
    (sx, sy, _), (cx, cy, cz) = np.sin(points), np.cos(points)
    u = np.einsum("i,j,k->ijk", sx, cy, cz)
    v = -np.einsum("i,j,k->ijk", cx, sy, cz)
    field = size * np.stack([u, v, np.zeros_like(u)])
    # The same cyclic exchange of positions and of components: a rotation about the diagonal.
    order = [(i - turn) % 3 for i in range(3)]
    return torch.from_numpy(np.ascontiguousarray(field[order].transpose(0, *(1 + o for o in order)))).to(dtype)


def navier_stokes_3d_random(
    grid: Grid, seed: int, index: int, dtype: torch.dtype = torch.float32, *, speed: float = 1.0, peak: float = 2.0
) -> Tensor:
    r"""A Gaussian random flow with a given spectrum. Velocity [3, X, Y, Z], divergence-free, no mean flow.

    Energy per mode number $E(k) \propto k^4 \exp(-2 (k / k_0)^2)$, largest at $k_0$ = `peak`; the coefficients of the three components
    are independent and normal before the Leray projection. `speed` is the root of the expected mean of |u|^2. Modes up to 3 `peak` per
    axis, the same on every grid that keeps them (|k_i| < n/3).

    The law is invariant under the octahedral group and all translations; helicity vanishes on average, not in each flow. The spectrum is
    of the kind usual for decaying turbulence; the field is of this package.
    """
    n = cube_size(grid, "navier-stokes-3d.random")
    if not (speed >= 0 and peak > 0):
        raise OrbitscopeError(f"navier-stokes-3d.random: `peak` should be positive and `speed` not negative, got {peak} and {speed}.")
    top = int(np.ceil(3 * peak))
    k = np.arange(-top, top + 1)
    box = np.stack(np.meshgrid(k, k, k, indexing="ij")).astype(float)
    square = (box**2).sum(0)
    square[top, top, top] = 1.0
    # E(k) is spread over a shell of area ~ k^2.
    weight = np.sqrt(square * np.exp(-2 * square / peak**2))
    weight[top, top, top] = 0.0
    draw = stream(seed, "navier-stokes-3d.random", index)
    noise = draw.standard_normal((2, 3, *square.shape)) * weight * speed / np.sqrt(2 * (weight**2).sum())
    noise = noise - box * (box * noise).sum(1, keepdims=True) / square
    basis = np.exp(2j * np.pi * np.outer((np.arange(n) + 0.5) / n, k)) * (3 * np.abs(k) < n)
    field = np.einsum("cabd,xa,yb,zd->cxyz", noise[0] - 1j * noise[1], basis, basis, basis, optimize=True)
    return torch.from_numpy(np.ascontiguousarray(field.real)).to(dtype)


def cube_size(grid: Grid, name: str) -> int:
    """Points per axis; raises unless `grid` is the periodic, cell-centred unit cube."""
    same = len(set(grid.shape)) == 1 and set(grid.extent) == {1.0}
    if grid.ndim != 3 or not grid.periodic or grid.centring != "cell" or not same or grid.shape[0] < 4:
        raise OrbitscopeError(f"{name}: `grid` should be the periodic, cell-centred unit cube, Grid.square(n, ndim=3), n >= 4, got {grid}.")
    return grid.shape[0]
