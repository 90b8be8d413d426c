"""Random initial states against the laws that they are drawn from: measured, expected, and how far apart in standard errors."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from orbitscope.physics import Euler, initial_condition
from orbitscope.physics._spectral import gradient
from orbitscope.symmetry import Grid

Samples = NDArray[Any]


class Statistic(NamedTuple):
    """One moment of a law: mean over trajectories, its standard error, and the value that the law gives."""

    quantity: str
    measured: float
    error: float
    expected: float

    @property
    def deviation(self) -> float:
        """(measured - expected) / standard error."""
        return (self.measured - self.expected) / self.error if self.error else 0.0


def draw(name: str, n: int, count: int, **parameters: Any) -> torch.Tensor:
    """`count` initial states of a scenario on the unit square, float64."""
    law = initial_condition(name, **parameters)
    return torch.stack([law(Grid.square(n), 0, i, torch.float64) for i in range(count)])


def statistic(quantity: str, per_trajectory: Samples | torch.Tensor, expected: float) -> Statistic:
    """Trajectories are independent, so the standard error is that of their mean."""
    values = np.asarray(per_trajectory, dtype=float)
    return Statistic(quantity, float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values))), expected)


def uniform_pieces(name: str, n: int, count: int, ranges: tuple[tuple[float, float], ...]) -> list[Statistic]:
    """Mean and variance of density, both velocities, pressure: every cell is a draw from its range, whatever the shape of the pieces."""
    w = Euler().primitive(draw(name, n, count)).flatten(2).numpy()
    found = []
    for channel, word in enumerate(("density", "velocity x", "velocity y", "pressure")):
        low, high = ranges[channel]
        middle = (low + high) / 2
        found.append(statistic(f"mean of {word}", w[:, channel].mean(1), middle))
        found.append(statistic(f"variance of {word}", ((w[:, channel] - middle) ** 2).mean(1), (high - low) ** 2 / 12))
    return found


def flow_moments(name: str, n: int, count: int, enstrophy: NDArray[Any], **parameters: Any) -> list[Statistic]:
    """Energy |u|^2 / 2 and enstrophy w^2 / 2 of an incompressible law whose E|w_k|^2 per mode [n, n] is `enstrophy`."""
    u = draw(name, n, count, **parameters)
    u = Euler().primitive(u)[:, 1:3] if u.shape[1] == 4 else u
    slopes = gradient(u, (1.0, 1.0))
    square = wavenumbers(n) ** 2
    square[0, 0] = np.inf
    curl = slopes[:, 1, 0] - slopes[:, 0, 1]
    return [
        statistic("energy", 0.5 * u.square().sum(1).mean((1, 2)), float((enstrophy / (4 * np.pi**2 * square)).sum() / 2)),
        statistic("enstrophy", 0.5 * curl.square().mean((1, 2)), float(enstrophy.sum() / 2)),
    ]


def wavenumbers(n: int) -> NDArray[Any]:
    """|k| of every mode, [n, n]."""
    k = np.fft.fftfreq(n, 1 / n)
    return np.sqrt(k[:, None] ** 2 + k[None, :] ** 2)


def kept(n: int) -> NDArray[Any]:
    """The modes of the two-thirds rule but the mean, [n, n]."""
    k = np.fft.fftfreq(n, 1 / n)
    inside = 3 * np.abs(k) < n
    return inside[:, None] & inside[None, :] & (wavenumbers(n) > 0)


def gauss_enstrophy(n: int, count: int = 100, low: float = 0.01, high: float = 0.1) -> NDArray[Any]:
    """E|w_k|^2 of a sum of Gaussian vortices: count E[alpha^2] E[(2 pi sigma)^2 exp(-4 pi^2 sigma^2 k^2)], on the kept modes."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    sigma = low + (high - low) * (nodes + 1) / 2
    k = wavenumbers(n)
    mean = sum(w / 2 * (2 * np.pi * s) ** 2 * np.exp(-4 * np.pi**2 * s**2 * k**2) for s, w in zip(sigma, weights, strict=True))
    return np.asarray(count / 3 * mean * kept(n))


def patches_enstrophy(n: int, p: int = 10) -> NDArray[Any]:
    """E|w_k|^2 of p x p independent squares of vorticity U[-1, 1]."""
    side = np.sinc(np.fft.fftfreq(n, 1 / n) / p) / p
    return np.asarray(p * p / 3 * side[:, None] ** 2 * side[None, :] ** 2 * kept(n))


def bridge_enstrophy(n: int, exponent: float = 1.5) -> NDArray[Any]:
    """E|w_k|^2 of the projected bridge before its spin-up: projection keeps half of (2/3) |k|^-3 per pair of coefficients.

    A coefficient with k_x, k_y > 0 shares its energy among the four modes (+-k_x, +-k_y); on an axis among two.
    """
    k = np.fft.fftfreq(n, 1 / n)
    shared = np.where(k[:, None] == 0, 1, 2) * np.where(k[None, :] == 0, 1, 2)
    length = np.where(wavenumbers(n) > 0, wavenumbers(n), 1.0)
    energy = length ** (-2 * exponent) / 3 / shared
    return np.asarray(4 * np.pi**2 * length**2 * energy * kept(n))


def sines_enstrophy(n: int) -> NDArray[Any]:
    """E|w_k|^2 of the projected random sines: per pair (i, j), E[a^2] (i + j)^2 / (i^2 + j^2) / 4 of |u|^2 over four modes."""
    found = np.zeros((n, n))
    for i in range(1, 11):
        for j in range(1, 11):
            square = 1 / 3 / (2 * np.pi * (i + j)) * (i + j) ** 2 / (i * i + j * j) / 4
            for a in (i, -i):
                for b in (j, -j):
                    found[a, b] += 4 * np.pi**2 * (i * i + j * j) * square / 4
    return found * kept(n)


def spectrum(name: str, n: int, count: int, **parameters: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Mean over trajectories of |w_k|^2 / 2 summed over shells of width one, and the shells' wave numbers."""
    u = draw(name, n, count, **parameters)
    u = Euler().primitive(u)[:, 1:3] if u.shape[1] == 4 else u
    slopes = gradient(u, (1.0, 1.0))
    power = (torch.fft.fft2(slopes[:, 1, 0] - slopes[:, 0, 1]) / n**2).abs().square().mean(0).numpy()
    return shells(power)


def shells(power: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Half of [n, n] summed over the rings round(|k|) = 1, 2, ..., n / 3."""
    ring = np.rint(wavenumbers(len(power))).astype(int)
    k = np.arange(1, len(power) // 3)
    return k, 0.5 * np.bincount(ring.ravel(), power.ravel(), minlength=len(power))[k]


def shear_layers(n: int, count: int) -> list[Statistic]:
    """Offset and thickness of the unperturbed layers: where u_x changes sign near y = 1/4, and how steeply there."""
    rows = draw("NS-SL", n, count, delta=0.0)[:, 0, 0].numpy()  # the profile along y
    fine = 16 * n  # trigonometric interpolation, so that the grid does not hide the steepest point
    modes = np.fft.rfft(rows) * np.exp(-1j * np.pi * np.arange(n // 2 + 1) / n)  # from cell centres to whole multiples of 1 / fine
    slopes = np.fft.irfft(2j * np.pi * np.arange(n // 2 + 1) * modes, fine) * fine / n
    lower = slopes[:, : fine // 2]
    offset = 0.25 - lower.argmax(1) / fine
    return [
        statistic("mean offset of the layers", offset, 0.0),
        statistic("variance of the offset", offset**2, 0.125**2 / 12),
        statistic("mean slope in the layers", lower.max(1), 2 * np.pi * math.log(0.12 / 0.08) / 0.04),
    ]


def contact_layers(n: int, count: int) -> list[Statistic]:
    """Position of the lower Kelvin-Helmholtz interface; its variance from 10^5 draws of the law's own coefficients."""
    heavy = Euler().primitive(draw("CE-KH", n, count))[:, 0] > 1.5
    height = heavy.int().argmax(2).numpy() / n - 0.25  # rounded to a cell, without bias
    alpha = np.random.default_rng(0).uniform(0, 1, (100_000, 10))
    expected = 0.05**2 / 2 * float(((alpha**2).sum(1) / alpha.sum(1) ** 2).mean())
    return [statistic("variance of the interface", (height**2).mean(1), expected + 1 / (12 * n**2))]


def sheet_length(n: int, count: int) -> list[Statistic]:
    """Far from the sheet the vorticity is minus its length; the law's mean length from 10^4 draws of its own coefficients."""
    slopes = gradient(draw("NS-SVS", n, count), (1.0, 1.0))
    curl = slopes[:, 1, 0] - slopes[:, 0, 1]
    rng = np.random.default_rng(0)
    alpha, beta = rng.uniform(0, 0.003125, (10_000, 10)), rng.uniform(0, 1, (10_000, 10))
    x = np.arange(256) / 256
    wave = (alpha * np.exp(2j * np.pi * beta)).sum(1)  # all ten terms have the same wave number
    slope = 0.4 * np.pi * np.cos(2 * np.pi * x) + 2 * np.pi * (wave[:, None] * np.exp(2j * np.pi * x)).real
    return [statistic("length of the sheet", -curl[:, :, : n // 16].mean((1, 2)), float(np.sqrt(1 + slope**2).mean()))]


PIECES: dict[str, tuple[tuple[float, float], ...]] = {
    "CE-RP": ((0.1, 1), (-1, 1), (-1, 1), (0.1, 1)),
    "CE-CRP": ((0.1, 1), (-1, 1), (-1, 1), (0.1, 1)),
    "CE-RPUI": ((1, 3), (-10, 10), (-10, 10), (5, 7)),
}
#: Law by name: E|w_k|^2 on n points per axis, and the parameters to draw with.
FLOWS: dict[str, tuple[Callable[[int], NDArray[Any]], dict[str, Any]]] = {
    "NS-Gauss": (gauss_enstrophy, {}),
    "NS-Sines": (sines_enstrophy, {}),
    "NS-BB": (bridge_enstrophy, {"spin_up": 0.0}),
    "NS-PwC": (patches_enstrophy, {}),
    "CE-Gauss": (gauss_enstrophy, {}),
}


def all_statistics(count: int) -> dict[str, list[Statistic]]:
    """Every random law of initial states on the unit square that this module knows, `count` trajectories each."""
    found = {name: uniform_pieces(name, 24, count, ranges) for name, ranges in PIECES.items()}
    for name, (law, parameters) in FLOWS.items():
        found[name] = flow_moments(name, 64, count, law(64), **parameters)
    found["NS-SL"] = shear_layers(192, count)
    found["NS-SVS"] = sheet_length(96, count)
    found["CE-KH"] = contact_layers(128, count)
    return found
