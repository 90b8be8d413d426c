"""The staggered scheme of `Smoke`: fluxes, pressure, Runge-Kutta; velocities on cell faces, everything in units of one cell."""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ._equation import SolverError


class Plume(NamedTuple):
    """What moves: smoke s [B, n, n] in the cells, u [B, n + 1, n] on x faces, v [B, n, n + 1] on y faces (walls included, 0 there)."""

    s: Tensor
    u: Tensor
    v: Tensor


class Drive(NamedTuple):
    """What stays: smoke added per unit time, buoyant acceleration of unit smoke along x and y, each [B, n, n]; factor on (u . grad) u."""

    inflow: Tensor
    bx: Tensor
    by: Tensor
    self_advection: float


class Table(NamedTuple):
    """Matrices of one resolution, dtype and device, between folded values (see `fold`): zero wherever parities differ."""

    analysis: Tensor  # folded cell values -> cosine modes, [n, n]
    synthesis: Tensor  # cosine modes -> folded cell values, [n, n]
    inverse: Tensor  # inverse Laplacian on cosine modes, 0 for the mean, [n, n]
    centre: Tensor  # folded inner faces -> folded cell centres, [n, n - 1]; an isometry of what they stand for
    face: Tensor  # its inverse on its range, [n - 1, n]


@lru_cache(maxsize=16)
def table(n: int, dtype: torch.dtype, device: torch.device) -> Table:
    k, centres = np.arange(n), np.arange(n) + 0.5
    cosine = np.sqrt(2 / n) * np.cos(np.pi / n * np.outer(k, centres))
    cosine[0] /= np.sqrt(2)
    square = 4 * np.sin(np.pi * k / (2 * n)) ** 2
    laplacian = square[:, None] + square[None, :]
    laplacian[0, 0] = 1.0
    inverse = -1 / laplacian
    inverse[0, 0] = 0.0
    # sin(pi k x) for k < n on inner faces and on cell centres: both orthogonal, so that the half-cell shift loses nothing.
    waves = np.pi / n * k[1:]
    centre = 2 / n * np.sin(np.outer(centres, waves)) @ np.sin(np.outer(waves, k[1:]))

    def inverse_of(change: Callable[[Tensor], Tensor], size: int) -> NDArray[np.float64]:
        return np.linalg.inv(change(torch.eye(size, dtype=torch.float64)[None])[0].numpy())

    matrices = (
        cosine @ inverse_of(fold, n),
        inverse_of(unfold, n) @ cosine.T,
        inverse,
        inverse_of(unfold, n) @ centre @ inverse_of(fold, n - 1),
        inverse_of(unfold, n - 1) @ centre.T @ inverse_of(fold, n),
    )
    return Table(*(torch.from_numpy(np.where(np.abs(a) < 1e-12, 0.0, a)).to(device, dtype) for a in matrices))


def fold(x: Tensor) -> Tensor:
    """Along axis 1: sums of what lies mirrored, the middle if there is one, differences.

    A mirrored field changes the sign of the differences and nothing else. Products with matrices that keep the two apart then
    commute with this mirror to the last bit, whatever the order of their sums. With the mirror of the other axis they do if that
    one is folded too, or if the product treats all columns alike (`times_columns`).
    """
    m = x.shape[1]
    low, middle, high = x[:, : m // 2], x[:, m // 2 : m - m // 2], x[:, m - m // 2 :].flip(1)
    return torch.cat([low + high, middle, low - high], 1)


def unfold(y: Tensor) -> Tensor:
    """From (even part, middle, odd part) along axis 1 back to values in order."""
    m = y.shape[1]
    even, middle, odd = y[:, : m // 2], y[:, m // 2 : m - m // 2], y[:, m - m // 2 :]
    return torch.cat([even + odd, middle, (even - odd).flip(1)], 1)


def times(left: Tensor, x: Tensor) -> Tensor:
    """left @ x for each matrix of the batch x."""
    if x.device.type != "cpu":
        return left @ x.contiguous()
    # One by one, from fresh memory: a product rounds otherwise in a batch, from another alignment or order of axes.
    return torch.stack([left @ one.clone(memory_format=torch.contiguous_format) for one in x])


def times_columns(left: Tensor, x: Tensor) -> Tensor:
    """left @ x with every column of x treated alike: sums in the order of the rows, one product and one sum at a time.

    A library's product rounds its last columns otherwise than the others on some processors, and a mirror moves columns. Element by
    element there is one way to round. It is slower; it is needed where an axis is not folded, once at each end of a step.
    """
    result = left[:, :1] * x[:, :1]
    for k in range(1, x.shape[1]):
        result = result + left[:, k, None] * x[:, k, None]
    return result


def both_ways(change: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`change` along axis 1, then along axis 2."""
    return change(change(x).mT).mT


def to_faces(velocity: Tensor, t: Table) -> tuple[Tensor, Tensor]:
    """Centred components [B, 2, n, n] -> (u, v) on all faces, 0 on the walls; the checkerboard that faces cannot carry is dropped."""
    u, v = (pad_x(unfold(times_columns(t.face, fold(c)))) for c in (velocity[:, 0], velocity[:, 1].mT))
    return u, v.mT


def to_centres(u: Tensor, v: Tensor, t: Table) -> Tensor:
    """The inverse of `to_faces` on its range: [B, 2, n, n]."""
    x, y = (unfold(times_columns(t.centre, fold(c[:, 1:-1]))) for c in (u, v.mT))
    return torch.stack([x, y.mT], 1)


def pad_x(inner: Tensor) -> Tensor:
    """A zero on both ends of axis x."""
    zero = torch.zeros_like(inner[:, :1])
    return torch.cat([zero, inner, zero], 1)


def divergence(u: Tensor, v: Tensor) -> Tensor:
    """Net outflow of every cell, [B, n, n]."""
    return (u[:, 1:] - u[:, :-1]) + (v[:, :, 1:] - v[:, :, :-1])


def pressure(outflow: Tensor, t: Table) -> Tensor:
    """The solution of Laplace p = outflow with no slope at the walls, by cosine modes; x first, then y."""
    modes = both_ways(lambda x: times(t.analysis, x), both_ways(fold, outflow)) * t.inverse
    return both_ways(unfold, both_ways(lambda x: times(t.synthesis, x), modes))


def project(u: Tensor, v: Tensor, t: Table) -> tuple[Tensor, Tensor]:
    """The divergence-free part, by an exact pressure solve, the mean of both orders of the axes: commutes with D4 to the last bit."""
    outflow = divergence(u, v)
    p = 0.5 * (pressure(outflow, t) + pressure(outflow.mT, t).mT)
    return u - pad_x(p[:, 1:] - p[:, :-1]), v - pad_x(p.mT[:, 1:] - p.mT[:, :-1]).mT


def smoke_rate_x(s: Tensor, u: Tensor) -> Tensor:
    """Minus the difference along x of the upwind flux of s, van Leer slopes, none at the walls; times the cell size."""
    jump = pad_x(s[:, 1:] - s[:, :-1])
    low, high = jump[:, :-1], jump[:, 1:]
    product = low * high
    half_slope = torch.where(product > 0, product / torch.where(product > 0, low + high, 1.0), 0.0)  # half the harmonic mean
    inner = u[:, 1:-1]
    flux = pad_x(inner * torch.where(inner > 0, (s + half_slope)[:, :-1], (s - half_slope)[:, 1:]))
    return flux[:, :-1] - flux[:, 1:]


def upwind_third(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """The value between cells b and c from the means of a, b, c in a row: third order."""
    return (5 * b - a + 2 * c) / 6


def u_rate(u: Tensor, v: Tensor) -> Tensor:
    """Minus the divergence of the momentum flux u (u, v) over the volumes around x faces, times the cell size; 0 on the walls."""
    row = torch.cat([-u[:, 1:2], u, -u[:, -2:-1]], 1)  # u is odd across the walls that it points at
    carrier = 0.5 * (u[:, :-1] + u[:, 1:])
    from_left = upwind_third(row[:, :-3], row[:, 1:-2], row[:, 2:-1])
    from_right = upwind_third(row[:, 3:], row[:, 2:-1], row[:, 1:-2])
    along = carrier * torch.where(carrier > 0, from_left, from_right)

    inner = u[:, 1:-1].mT  # even across the other walls: they let it slip
    row = torch.cat([inner[:, :1], inner, inner[:, -1:]], 1)
    carrier = (0.5 * (v[:, :-1, 1:-1] + v[:, 1:, 1:-1])).mT  # at the corners
    from_left = upwind_third(row[:, :-3], row[:, 1:-2], row[:, 2:-1])
    from_right = upwind_third(row[:, 3:], row[:, 2:-1], row[:, 1:-2])
    across = pad_x(carrier * torch.where(carrier > 0, from_left, from_right)).mT
    return pad_x((along[:, :-1] - along[:, 1:]) + (across[:, :, :-1] - across[:, :, 1:]))


def rates(y: Plume, d: Drive) -> Plume:
    """Time derivatives before the pressure. Along y is along x of the transposed state: both axes are treated alike to the bit."""
    s = smoke_rate_x(y.s, y.u) + smoke_rate_x(y.s.mT, y.v.mT).mT + d.inflow
    fx, fy = y.s * d.bx, (y.s * d.by).mT
    u = d.self_advection * u_rate(y.u, y.v) + pad_x(0.5 * (fx[:, :-1] + fx[:, 1:]))
    v = (d.self_advection * u_rate(y.v.mT, y.u.mT) + pad_x(0.5 * (fy[:, :-1] + fy[:, 1:]))).mT
    return Plume(s, u, v)


def runge_kutta(y: Plume, d: Drive, h: Tensor, t: Table) -> Plume:
    """One step of the strong-stability-preserving scheme of order 3 (Shu and Osher 1988), projected after every stage."""
    result = y
    for keep, new in ((0.0, 1.0), (3 / 4, 1 / 4), (1 / 3, 2 / 3)):
        rate = rates(result, d)
        s, u, v = (keep * a + new * (b + h * c) for a, b, c in zip(y, result, rate, strict=True))
        result = Plume(s, *project(u, v, t))
    return result


def stable_step(y: Plume, d: Drive, cfl: float, longest: float) -> list[float]:
    """The longest step of each trajectory: `cfl` over the strongest outflow of a cell, and over what the buoyancy will add to it."""
    out = (y.u[:, 1:].clamp(min=0) - y.u[:, :-1].clamp(max=0)) + (y.v[:, :, 1:].clamp(min=0) - y.v[:, :, :-1].clamp(max=0))
    push = (y.s.abs() + longest * d.inflow.abs()) * (d.bx.abs() + d.by.abs())
    speed, acceleration = out.amax((1, 2)).double() * max(1.0, abs(d.self_advection)), push.amax((1, 2)).double()
    step = torch.minimum(cfl / speed, (cfl / acceleration).sqrt())
    return torch.where(step > longest, longest, step).tolist()  # a NaN stays one


def integrate(y: Plume, d: Drive, dt: float, cfl: float, longest: float, t: Table, offset: int) -> Plume:
    """Evolve every trajectory by `dt` in equal-as-possible steps of its own; those that arrive leave the batch."""
    done = [torch.empty_like(a) for a in y]
    active: list[int] = list(range(len(y.s)))  # types are told where the loop below would be inferred round and round
    left: list[float] = [dt] * len(y.s)
    y = Plume(y.s, *project(y.u, y.v, t))
    while active:
        limits = stable_step(y, d, cfl, longest)
        for item, limit, remaining in zip(active, limits, left, strict=True):
            if not limit > 1e-9 * min(longest, dt):
                raise SolverError(
                    f"smoke.step: trajectory {item + offset} of the batch left the finite states.", item + offset, dt - remaining
                )
        counts = [max(1, math.ceil(remaining / limit - 1e-9)) for remaining, limit in zip(left, limits, strict=True)]
        steps = [remaining / count for remaining, count in zip(left, counts, strict=True)]
        y = runge_kutta(y, d, torch.tensor(steps, dtype=y.s.dtype, device=y.s.device)[:, None, None], t)
        left = [0.0 if count == 1 else remaining - step for remaining, count, step in zip(left, counts, steps, strict=True)]
        if 0.0 in left:
            for place, values in zip(done, y, strict=True):
                for row, remaining in enumerate(left):
                    if remaining == 0.0:
                        place[active[row]] = values[row]
            rows = [row for row, remaining in enumerate(left) if remaining > 0.0]
            active, left = [active[row] for row in rows], [left[row] for row in rows]
            y = Plume(*(a[rows] for a in y))
            d = Drive(d.inflow[rows], d.bx[rows], d.by[rows], d.self_advection)
    return Plume(*done)
