"""Flow in the plane, looked at in small charts: velocity now -> vorticity a step later. Data, media, and predictors point by point.

    w_t + u . grad w = nu (w_xx + w_yy) + extra w_xx - drag curl(|u| u),    w = du_y/dx - du_x/dy

The vorticity's law is local; that of the velocity is not (pressure). Lengths are in cells and velocities in cells per step, so that all
motions that are searched are of one size. The space to search is in `flow_motions.py`.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from orbitscope.physics import NavierStokes, scenario, simulate

POINTS, STEP = 64, 0.05
#: Points per side: what a predictor sees, what it answers on, and its window about each answer.
SEEN, ANSWERED, WINDOW = 11, 5, 7
WIDTHS, VORTICES, WIND = (0.06, 0.12), 40, 0.4
SMOOTH, RIDGE = 4, 1e-6
_KICKS, _ROWS = 4, 2048


@dataclass(frozen=True)
class Medium:
    """What the flow feels: `viscosity`, `extra` viscosity along x alone, and `drag`, quadratic friction of a ground that stands still."""

    viscosity: float = 1e-4
    extra: float = 0.0
    drag: float = 0.0


MEDIA = {
    "free": Medium(), "viscous": Medium(viscosity=0.012), "anisotropic viscosity": Medium(extra=0.03), "ground friction": Medium(drag=6.0),
}  # fmt: skip


def states(count: int, seed: int, points: int = POINTS) -> Tensor:
    """`count` flows of Gaussian vortices, each in a mean wind of its own, [count, 2, x, y] in box lengths per unit of time, float64.

    Without the winds a chart's velocity would be that of vortices nearby, which pressure changes within a step in ways no chart can see.
    """
    plan = scenario("navier-stokes.gauss", width=WIDTHS, vortices=VORTICES)
    found = simulate(plan, trajectories=count, resolution=points, frames=1, seed=seed, dtype=torch.float64)
    wind = np.random.default_rng([seed, 0x1D]).normal(0, WIND, (count, 2))
    return torch.cat([v[:, 0] for _, v in found]) + torch.as_tensor(wind)[:, :, None, None]


def step(now: Tensor, medium: Medium = MEDIA["free"], kicks: int = _KICKS) -> Tensor:
    """The states a `STEP` later; what the medium adds alternates with the flow's own law (Strang), `kicks` times."""
    law, short = NavierStokes(viscosity=medium.viscosity), STEP / kicks
    if not (medium.extra or medium.drag):
        return law.step(now, STEP)
    points = now.shape[-1]
    k = 2 * math.pi * torch.fft.fftfreq(points, 1 / points, dtype=torch.float64)
    decay = torch.exp(-0.5 * short * medium.extra * k[:, None] ** 2)

    def kick(u: Tensor) -> Tensor:
        u = torch.fft.irfft2(torch.fft.rfft2(u) * decay, s=u.shape[-2:]) if medium.extra else u
        speed = u.square().sum(1, keepdim=True).sqrt()
        return u / (1 + 0.5 * short * medium.drag * speed)  # exact for u' = -drag |u| u

    for _ in range(kicks):
        now = kick(law.step(kick(now), short))
    return now


def vorticity(u: Tensor) -> Tensor:
    """du_y/dx - du_x/dy per step by spectral derivatives, [N, 1, x, y], of a whole periodic `u` [N, 2, x, y] in cells per step."""
    k = 2 * math.pi * torch.fft.fftfreq(u.shape[-1], dtype=torch.float64)
    k[u.shape[-1] // 2] = 0.0
    ahead = torch.fft.fft2(u)
    return torch.fft.ifft2(1j * k[:, None] * ahead[:, 1:] - 1j * k[None, :] * ahead[:, :1]).real


def pairs(count: int, seed: int, medium: Medium) -> tuple[Tensor, Tensor]:
    """Velocity [count, 2, x, y] and, a step later, vorticity [count, 1, x, y], in cells and steps."""
    now = states(count, seed)
    return now * STEP * POINTS, vorticity(step(now, medium) * STEP * POINTS)


def windows(field: Tensor, corners: Tensor, size: int) -> Tensor:
    """Patches of `size` points of periodic fields [N, C, x, y] with first points `corners` [N, P, 2]: [N P, C, size, size]."""
    n, line = field.shape[-1], torch.arange(size)
    rows, columns = ((corners[..., i, None] + line) % n for i in (0, 1))  # [N, P, size]
    at = torch.arange(len(field))[:, None, None, None]
    return field.movedim(1, -1)[at, rows[..., :, None], columns[..., None, :]].movedim(-1, 2).flatten(0, 1)


def charts(velocity: Tensor, later: Tensor, each: int, seed: int) -> tuple[Tensor, Tensor, np.ndarray, np.ndarray]:
    """x [N, 1, 2, `SEEN`, `SEEN`], y [N, 1, 1, `ANSWERED`, `ANSWERED`] in `each` charts at random places of every flow; flow and number."""
    corners = torch.from_numpy(np.random.default_rng([seed, 0xF10]).integers(velocity.shape[-1], size=(len(velocity), each, 2)))
    x, y = windows(velocity, corners, SEEN), windows(later, corners + (SEEN - ANSWERED) // 2, ANSWERED)
    return x[:, None], y[:, None], np.repeat(np.arange(len(velocity)), each), np.tile(np.arange(each), len(velocity))


class Local(torch.nn.Module):
    """Each answer by a filter over its window that depends on velocity and gradient there as a polynomial, by ridge regression.

    The filters of the 25 points are 25 regressions, so that no shift is built in, and no other motion either.
    """

    def __init__(self, x: Tensor, y: Tensor) -> None:
        super().__init__()
        x, y = x.flatten(0, 1), y.flatten(0, 1)
        basis, probes = _windowed()
        self.register_buffer("basis", basis)
        self.register_buffer("probes", probes)
        middle = self._window(x, ANSWERED // 2, ANSWERED // 2) @ probes
        self.register_buffer("unit", middle.flatten(1).square().mean(0).sqrt())
        found = []
        for i, j in itertools.product(range(ANSWERED), repeat=2):
            gram, right = torch.zeros(()), torch.zeros(())
            for rows in range(0, len(x), _ROWS):
                f = self._features(x[rows : rows + _ROWS], i, j)
                gram, right = gram + f.T @ f, right + f.T @ y[rows : rows + _ROWS, 0, i, j]
            found.append(torch.linalg.solve(gram + RIDGE * torch.diag(torch.diag(gram).clamp_min(1e-12)), right))
        self.register_buffer("weights", torch.stack(found))

    @staticmethod
    def _window(x: Tensor, i: int, j: int) -> Tensor:
        return x[..., i : i + WINDOW, j : j + WINDOW].flatten(2)

    def _features(self, x: Tensor, i: int, j: int) -> Tensor:
        seen = self._window(x, i, j)
        z = (seen @ self.probes).flatten(1) / self.unit  # type: ignore[operator]  # u, u_x, u_y, v, v_x, v_y
        u, v, (rows, columns) = z[:, 0], z[:, 3], torch.triu_indices(6, 6)
        cubes = torch.stack([u**a * v ** (3 - a) for a in range(4)], 1)
        powers = torch.cat([torch.ones_like(z[:, :1]), z, z[:, rows] * z[:, columns], cubes], 1)
        return (powers[:, :, None] * (seen @ self.basis).flatten(1)[:, None, :]).flatten(1)  # type: ignore[operator]

    def forward(self, x: Tensor) -> Tensor:
        """Vorticities [N, chart, 1, `ANSWERED`, `ANSWERED`] of velocities [N, chart, 2, `SEEN`, `SEEN`]."""
        lead, x = x.shape[:-3], x.flatten(0, -4)
        rows = [self._features(x, i, j) @ w for (i, j), w in zip(itertools.product(range(ANSWERED), repeat=2), self.weights, strict=True)]  # type: ignore[arg-type]
        return torch.stack(rows, 1).reshape(*lead, 1, ANSWERED, ANSWERED)


def _windowed() -> tuple[Tensor, Tensor]:
    """Orthonormal polynomials of total degree up to `SMOOTH` of a window, and weights that give value and slopes at its centre."""
    line = torch.linspace(-1, 1, WINDOW, dtype=torch.float64)
    x, y = torch.meshgrid(line, line, indexing="ij")
    powers = torch.stack([(x**i * y**j).flatten() for i in range(SMOOTH + 1) for j in range(SMOOTH + 1 - i)], 1)
    bell = torch.exp(-3 * line**2)
    at = [torch.outer(a, b).flatten() for a, b in ((bell, bell), (line * bell, bell), (bell, line * bell))]
    return torch.linalg.qr(powers)[0], torch.stack([a / a.norm() for a in at], 1)
