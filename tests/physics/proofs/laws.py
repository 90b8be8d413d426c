"""Conserved totals, and boosts and scaling on the rate du/dt, float64."""

import torch

from orbitscope.physics import Equation, Euler, NavierStokes, initial_condition
from orbitscope.physics._spectral import gradient
from orbitscope.symmetry import Grid

from .orders import isentropic_vortex


def drift(solver: Equation, x: torch.Tensor, t: float, steps: int = 1) -> dict[str, float]:
    """|mean(t) - mean(0)| / rms(0) per field of [B, C, *grid], a vector as a whole, the largest of the batch; means taken in float64."""
    y = x
    for _ in range(steps):
        y = solver.step(y, t / steps)
    first, last = (s.double().flatten(2).mean(2) for s in (x, y))
    square = x.double().flatten(2).square().mean(2)
    found = {}
    for field in solver.layout.fields:
        where = solver.layout.slice(field.name)
        found[field.name] = float(((last - first)[:, where].norm(dim=1) / square[:, where].sum(1).sqrt()).max())
    return found


def boosted(state: torch.Tensor, c: tuple[float, float]) -> torch.Tensor:
    """The gas [B, 4, X, Y] as seen by somebody who moves with velocity -c."""
    density, mx, my, energy = state.unbind(1)
    kinetic = c[0] * mx + c[1] * my + 0.5 * density * (c[0] ** 2 + c[1] ** 2)
    return torch.stack([density, mx + c[0] * density, my + c[1] * density, energy + kinetic], 1)


def euler_boost_error(n: int, c: tuple[float, float] = (0.7, 0.3)) -> float:
    """Mean difference between the rate of a boosted vortex and the boosted rate with its advection, relative.

    U'(x, t) = B U(x - c t, t), so dU'/dt = B (dU/dt - c . grad U), B linear.
    """
    x = isentropic_vortex(n, 0.0, drift=(0.0, 0.0), width=0.1)
    slopes = gradient(x, (1.0, 1.0))
    expected = boosted(Euler().rate(x) - c[0] * slopes[:, :, 0] - c[1] * slopes[:, :, 1], c)
    return float((Euler().rate(boosted(x, c)) - expected).abs().mean() / expected.abs().mean())


def euler_scaling_errors(n: int = 16, faster: float = 1.7, denser: float = 0.3) -> dict[str, float]:
    """Largest relative errors of the rate under scaling of speed and of density."""
    x = initial_condition("CE-RP")(Grid.square(n), 0, 0, torch.float64)[None]
    weight = torch.tensor([1.0, faster, faster, faster**2], dtype=torch.float64)[:, None, None]
    rate = Euler().rate(x)
    pairs = {"speed": (Euler().rate(weight * x), faster * weight * rate), "density": (Euler().rate(denser * x), denser * rate)}
    return {name: _relative(found, expected) for name, (found, expected) in pairs.items()}


def navier_stokes_errors(viscosity: float | None, n: int = 16, c: tuple[float, float] = (0.7, -1.3)) -> dict[str, float]:
    """Largest relative errors of the rate under a boost, scaling of speed (with the viscosity) and of size (by one half)."""
    law, grid = NavierStokes(viscosity=viscosity), Grid.square(n)
    u = initial_condition("NS-Gauss")(grid, 0, 0, torch.float64)[None]
    rate, slopes = law.rate(u), gradient(u, (1.0, 1.0))
    wind = torch.tensor(c, dtype=torch.float64)[None, :, None, None]
    errors = {"boost": _relative(law.rate(u + wind), rate - c[0] * slopes[:, :, 0] - c[1] * slopes[:, :, 1])}
    scaled = NavierStokes(viscosity=None if viscosity is None else 1.7 * viscosity)
    errors["speed"] = _relative(scaled.rate(1.7 * u), 1.7**2 * rate)
    # Half the size, twice as often in the box: u'(x) = u(2 x), so du'/dt = 2 du/dt at 2 x, with half the viscosity.
    tiled = u.repeat(1, 1, 2, 2)
    halved = NavierStokes(viscosity=None if viscosity is None else viscosity / 2)
    errors["size"] = _relative(halved.rate(tiled), 2 * rate.repeat(1, 1, 2, 2))
    return errors


def _relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())
