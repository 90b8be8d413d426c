"""The staggered grid of the convection solver in eager torch: operators, projection, rate of change, time steps.

Inside the solver arrays are [batch, y, x], so that transforms along x and whole rows are contiguous. In a cell (j, i) of size
(dy, dx): u sits on its left face, v on its bottom face, theta in its centre, the stream function on its lower left corner. v and the
stream function have one row more, and v = psi = 0 on both plates (but for the mean flow, which is kept as rows of u).
"""

import math
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from ._convection_status import OK, STALLED, UNPHYSICAL


class Faces(NamedTuple):
    """Velocities on faces and temperature in centres: u [B, ny, nx], v [B, ny + 1, nx], t [B, ny, nx]."""

    u: Tensor
    v: Tensor
    t: Tensor


class Box(NamedTuple):
    """Everything that depends only on shape, spacing, dtype and device. Modes are those of `rfft` along x, K of them."""

    dx: float
    dy: float
    sine: Tensor  # orthogonal sine transform over the interior corners, symmetric [ny - 1, ny - 1]
    poisson: Tensor  # inverse of the discrete Laplacian, [ny - 1, K]; 0 for the mean and the Nyquist mode
    gram: Tensor  # inverse normal matrix of the projection of stored states, [ny - 1, K]; 0 likewise
    slope: Tensor  # i times the symbol of the centred difference over one cell, [K]; 0 for the Nyquist mode
    half: Tensor  # phase that moves a field by half a cell to the right, [K]; 0 for the Nyquist mode


@lru_cache(maxsize=16)
def make_box(nx: int, ny: int, dx: float, dy: float, dtype: torch.dtype, device: torch.device) -> Box:
    k = torch.arange(nx // 2 + 1, dtype=torch.float64)
    angle = math.pi * k / nx
    alive = (2 * k != nx).double()  # the Nyquist mode of u has no value between its points, so it is dropped everywhere
    symbol = 2.0 / dx * angle.sin() * alive
    m = torch.arange(1, ny, dtype=torch.float64)
    sine = math.sqrt(2.0 / ny) * torch.sin(math.pi / ny * m[:, None] * m[None, :])
    wave = math.pi * m / (2 * ny)
    rows = (2.0 / dy * wave.sin()).square()[:, None]
    moving = alive * (k > 0)
    poisson = -moving / (rows + symbol.square())
    gram = moving / (rows + (wave.cos()[:, None] * symbol).square())
    cast = dtype.to_complex()
    return Box(
        dx,
        dy,
        sine.to(device, dtype),
        poisson.to(device, dtype),
        gram.to(device, dtype),
        (1j * symbol).to(device, cast),
        (torch.polar(torch.ones_like(angle), angle) * alive).to(device, cast),
    )


def _along_y(sine: Tensor, spectrum: Tensor) -> Tensor:
    """The sine transform of a complex array [B, ny - 1, K], which is its own inverse."""
    parts = torch.view_as_real(spectrum.contiguous()).flatten(-2)
    return torch.view_as_complex((sine @ parts).unflatten(-1, (-1, 2)).contiguous())


def differences(psi: Tensor, mean: Tensor, box: Box) -> tuple[Tensor, Tensor]:
    """(u, v) on faces, divergence-free by construction, from psi on interior corners and the mean flow [B, ny, 1]."""
    psi = torch.nn.functional.pad(psi, (0, 0, 1, 1))
    return psi.diff(dim=1) / box.dy + mean, (psi - psi.roll(-1, 2)) / box.dx


def project(u: Tensor, v: Tensor, box: Box) -> tuple[Tensor, Tensor]:
    """The nearest divergence-free (u, v) with v = 0 on the plates, without Nyquist mode; only interior rows of v count."""
    inner = v[:, 1:-1]
    curl = u.diff(dim=1) / box.dy - (inner - inner.roll(1, 2)) / box.dx
    stream = _along_y(box.sine, box.poisson * _along_y(box.sine, torch.fft.rfft(curl)))
    return differences(torch.fft.irfft(stream, n=u.shape[2]), u.mean(2, keepdim=True), box)


def faces_of(state: Tensor, box: Box) -> Faces:
    """Stored [B, 3, X, Y] -> staggered, through the stream function whose stored form is nearest (least squares)."""
    nx = state.shape[2]
    u, v, t = (part.transpose(1, 2).contiguous() for part in state.unbind(1))
    us, vs = torch.fft.rfft(u), torch.fft.rfft(v)
    right = -us.diff(dim=1) / box.dy + box.slope * (0.5 * (vs[:, 1:] + vs[:, :-1]))
    stream = box.half.conj() * _along_y(box.sine, box.gram * _along_y(box.sine, right))
    return Faces(*differences(torch.fft.irfft(stream, n=nx), u.mean(2, keepdim=True), box), t)


def stored(faces: Faces, box: Box) -> Tensor:
    """Staggered -> stored [B, 3, X, Y]: u moved by half a cell by a phase, v averaged from its two faces."""
    u = torch.fft.irfft(box.half * torch.fft.rfft(faces.u), n=faces.u.shape[2])
    v = 0.5 * (faces.v[:, 1:] + faces.v[:, :-1])
    return torch.stack([u, v, faces.t], 1).transpose(2, 3).contiguous()


def gradients(faces: Faces, box: Box) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """(u_x, u_y, v_x, v_y, t_x, t_y); y-derivatives of u and t sit on ny + 1 rows, those on the plates are one-sided."""
    u, v, t = faces
    low, high = slice(None, 1), slice(-1, None)
    u_y = torch.cat([2.0 * u[:, low], u.diff(dim=1), -2.0 * u[:, high]], 1) / box.dy
    t_y = torch.cat([2.0 * (t[:, low] - 0.5), t.diff(dim=1), -2.0 * (t[:, high] + 0.5)], 1) / box.dy
    u_x, v_x, t_x = (u.roll(-1, 2) - u) / box.dx, (v - v.roll(1, 2)) / box.dx, (t - t.roll(1, 2)) / box.dx
    return u_x, u_y, v_x, v.diff(dim=1) / box.dy, t_x, t_y


def rate(faces: Faces, viscosity: float, diffusivity: float, box: Box) -> Faces:
    """Minus the divergence of the fluxes, buoyancy, and the pressure's share (projection)."""
    u, v, t = faces
    u_x, u_y, v_x, v_y, t_x, t_y = gradients(faces, box)
    centre_u, centre_v = 0.5 * (u + u.roll(-1, 2)), 0.5 * (v[:, 1:] + v[:, :-1])
    # Momentum through corners; v = 0 on the plates, so nothing is carried through them.
    carried = torch.nn.functional.pad(0.25 * (v + v.roll(1, 2))[:, 1:-1] * (u[:, 1:] + u[:, :-1]), (0, 0, 1, 1))
    xx, yy = centre_u * centre_u - viscosity * u_x, centre_v * centre_v - viscosity * v_y
    xy, yx = carried - viscosity * u_y, (carried - viscosity * v_x)[:, 1:-1]
    face_t = 0.5 * (t[:, 1:] + t[:, :-1])
    force_u = (xx.roll(1, 2) - xx) / box.dx - xy.diff(dim=1) / box.dy
    force_v = (yx - yx.roll(-1, 2)) / box.dx - yy.diff(dim=1) / box.dy + face_t
    heat_x = 0.5 * u * (t + t.roll(1, 2)) - diffusivity * t_x
    heat_y = torch.nn.functional.pad(v[:, 1:-1] * face_t, (0, 0, 1, 1)) - diffusivity * t_y
    change = (heat_x - heat_x.roll(-1, 2)) / box.dx - heat_y.diff(dim=1) / box.dy
    return Faces(*project(force_u, torch.nn.functional.pad(force_v, (0, 0, 1, 1)), box), change)


def slowest(faces: Faces, viscosity: float, diffusivity: float, cfl: float, box: Box) -> Tensor:
    """1 / (the largest stable step) of every trajectory, [B] float64 on the CPU; NaN where a value is."""
    u, v, t = faces
    # Both faces of a cell along x: one alone would give a flow and its mirror image different steps.
    fastest = torch.maximum(u.abs(), u.roll(-1, 2).abs())
    speed = (fastest / box.dx + 0.5 * (v[:, 1:] + v[:, :-1]).abs() / box.dy).amax((1, 2)).double().cpu()
    # amax passes NaN on, so the sum of temperatures is looked at as well.
    hottest = t.abs().amax((1, 2)).double().cpu()
    spread = 4.0 * max(viscosity, diffusivity) * (1.0 / box.dx**2 + 1.0 / box.dy**2)
    # A fluid at rest is no reason for a long step: buoyancy accelerates it by no more than the largest temperature.
    return torch.maximum(speed / cfl + spread / 2.5, (hottest / (cfl * min(box.dx, box.dy))).sqrt())


def _combine(a: Faces, b: Faces, h: Tensor) -> Faces:
    return Faces(*(x + h * y for x, y in zip(a, b, strict=True)))


def _runge_kutta(start: Faces, h: Tensor, viscosity: float, diffusivity: float, box: Box) -> Faces:
    k = rate(start, viscosity, diffusivity, box)
    total = _combine(start, k, h / 6.0)
    for ahead, weight in ((0.5, 3.0), (0.5, 3.0), (1.0, 6.0)):
        k = rate(_combine(start, k, ahead * h), viscosity, diffusivity, box)
        total = _combine(total, k, h / weight)
    return total


def advance(
    faces: Faces, dt: float, viscosity: float, diffusivity: float, cfl: float, most: int, box: Box
) -> tuple[Faces, list[int], list[float]]:
    """RK4 over `dt`, each trajectory with its own steps: (result, status, time reached) per trajectory."""
    size = len(faces.u)
    result = [list(part.unbind(0)) for part in faces]
    status, reached = [STALLED] * size, [0.0] * size
    active, left = list(range(size)), torch.full((size,), dt, dtype=torch.float64)
    for _ in range(most + 1):
        inverse = slowest(faces, viscosity, diffusivity, cfl, box)
        count = torch.ceil(left * inverse).clamp_min(1.0)
        good = torch.isfinite(inverse)
        for position, item in enumerate(active):
            if not good[position]:
                status[item], reached[item] = UNPHYSICAL, dt - float(left[position])
            elif left[position] == 0.0:
                status[item], reached[item] = OK, dt
                for whole, part in zip(result, faces, strict=True):
                    whole[item] = part[position]
            else:
                reached[item] = dt - float(left[position])
        keep = (good & (left > 0.0)).nonzero().flatten()
        if len(keep) < len(active):
            if not len(keep):
                break
            active, left, count = [active[i] for i in keep.tolist()], left[keep], count[keep]
            faces = Faces(*(part[keep.to(part.device)] for part in faces))
        h = left / count
        faces = _runge_kutta(faces, h.to(faces.u.device, faces.u.dtype).reshape(-1, 1, 1), viscosity, diffusivity, box)
        left = torch.where(count > 1.0, left - h, 0.0)
    return Faces(*(torch.stack(part) for part in result)), status, reached
