"""Errors against exact solutions, float64, and the order fitted to them."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from orbitscope.physics import Equation, Euler, NavierStokes, equation
from orbitscope.physics._riemann_exact import GasState, riemann_exact
from orbitscope.symmetry import Grid

GAMMA = 1.4
#: Two gas states and the time at which their waves fill about half of the tube.
TUBES: dict[str, tuple[GasState, GasState, float]] = {
    "Sod": (GasState(1.0, 0.0, 1.0), GasState(0.125, 0.0, 0.1), 0.12),
    "Lax": (GasState(0.445, 0.698, 3.528), GasState(0.5, 0.0, 0.571), 0.05),
    "123": (GasState(1.0, -2.0, 0.4), GasState(1.0, 2.0, 0.4), 0.06),
}


def order(sizes: Sequence[float], errors: Sequence[float]) -> float:
    """The power p of errors ~ sizes^-p, by least squares on logarithms.

    >>> round(order([10, 20, 40], [1.0, 0.25, 0.0625]), 12)
    2.0
    """
    return float(-np.polyfit(np.log(sizes), np.log(errors), 1)[0])


def isentropic_vortex(n: int, t: float, drift: tuple[float, float] = (0.6, -0.4), width: float = 0.08) -> torch.Tensor:
    """Cell averages (4 x 4 points) of a vortex in equilibrium, carried along by a uniform wind; conserved variables [1, 4, n, n]."""
    x, y = Grid.square(4 * n).coordinates()
    dx, dy = ((p - d * t) % 1 - 0.5 for p, d in ((x, drift[0]), (y, drift[1])))
    swirl = 1 / (2 * math.pi) * torch.exp(0.5 * (1 - (dx * dx + dy * dy) / width**2))
    temperature = 1 - (GAMMA - 1) / (2 * GAMMA) * swirl**2
    density = temperature ** (1 / (GAMMA - 1))
    w = torch.stack([density, drift[0] - swirl * dy / width, drift[1] + swirl * dx / width, density * temperature])
    return Euler().conserved(w).reshape(4, n, 4, n, 4).mean((2, 4))[None]


def vortex_error(solver: Equation, n: int, t: float = 0.2) -> float:
    """Mean error of density after the vortex has drifted for `t`."""
    found = solver.step(isentropic_vortex(n, 0.0), t)
    return float((found - isentropic_vortex(n, t))[0, 0].abs().mean())


def tube(solver: Euler, case: str, n: int, fine: int = 20) -> dict[str, NDArray[Any]]:
    """Centres `x` of the half of the tube that holds the waves, and there `found` and `exact` [density, velocity, pressure, n / 2].

    `exact` are averages of `fine` points a cell of the exact solution; the membrane stands at 1/2. The seam of the periodic box sends
    mirror waves, which stay in the other half.
    """
    left, right, t = TUBES[case]
    cell = (np.arange(n) + 0.5) / n
    sides = [np.array([s.density, s.velocity, 0.0, s.pressure]) for s in (left, right)]
    w = torch.from_numpy(np.where(cell < 0.5, sides[0][:, None], sides[1][:, None]))[:, :, None].repeat(1, 1, 4)
    found = solver.primitive(solver.step(solver.conserved(w)[None], t))[0, [0, 1, 3], :, 0].numpy()
    at = ((np.arange(n * fine) + 0.5) / (n * fine) - 0.5) / t
    exact = riemann_exact(left, right, at).reshape(3, n, fine).mean(2)
    middle = (cell > 0.25) & (cell < 0.75)
    return {"x": cell[middle], "found": found[:, middle], "exact": exact[:, middle]}


def tube_error(solver: Euler, case: str, n: int) -> float:
    """Mean error of density over the half of the tube that holds the waves."""
    profile = tube(solver, case, n)
    return float(np.abs(profile["found"][0] - profile["exact"][0]).mean())


def taylor_green(n: int, t: float, viscosity: float, drift: tuple[float, float], waves: int = 1) -> torch.Tensor:
    """The decaying vortex array in a uniform wind, velocity [1, 2, n, n]."""
    k = 2 * math.pi * waves
    x, y = Grid.square(n).coordinates()
    x, y = x - drift[0] * t, y - drift[1] * t
    decay = math.exp(-2 * viscosity * k * k * t)
    return torch.stack([decay * torch.sin(k * x) * torch.cos(k * y) + drift[0], -decay * torch.cos(k * x) * torch.sin(k * y) + drift[1]])[
        None
    ]


def taylor_green_error(cfl: float, drift: tuple[float, float], n: int = 32, t: float = 0.25, viscosity: float = 0.01) -> float:
    """Largest error of velocity after `t`."""
    found = NavierStokes(viscosity=viscosity, cfl=cfl).step(taylor_green(n, 0.0, viscosity, drift), t)
    return float((found - taylor_green(n, t, viscosity, drift)).abs().max())


def heat_error(n: int, diffusivity: float = 0.01, width: float = 0.05, t: float = 0.1) -> float:
    """Largest error of a periodic Gaussian of peak 1 that spreads: width^2 grows by 2 kappa t."""

    def blob(square: float) -> torch.Tensor:
        total = torch.ones((), dtype=torch.float64)
        for axis, centre in zip(Grid.square(n).coordinates(), (0.3, 0.6), strict=True):
            total = total * sum(torch.exp(-((axis - centre - i) ** 2) / (2 * square)) for i in range(-3, 4))
        return (total * width**2 / square)[None, None]

    found = equation("heat", diffusivity=diffusivity).step(blob(width**2), t)
    return float((found - blob(width**2 + 2 * diffusivity * t)).abs().max())
