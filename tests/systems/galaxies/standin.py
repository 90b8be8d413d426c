"""A stand-in for the simulator: parameters of the published design, smooth means and variances that are known."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from orbitscope.data import Examples
from orbitscope.systems.galaxies import CorrelationEmulator
from orbitscope.systems.galaxies._amplitude import Amplitude

BINS = 20
EDGES = torch.logspace(-1, 1.2, BINS + 1, dtype=torch.float64)
RADII = (EDGES[1:] * EDGES[:-1]).sqrt()


def design(count: int, seed: int = 0) -> Tensor:
    """Parameters [count, 7] around lines in log Mmin."""
    g = torch.Generator().manual_seed(seed)
    u = torch.rand(count, 7, generator=g, dtype=torch.float64)
    m = 12 + 1.5 * u[:, 2]
    spread = lambda k, half: half * (2 * u[:, k] - 1)  # noqa: E731
    columns = (
        2 * u[:, 0] - 1, 2 * u[:, 1] - 1, m, 0.173 * m - 1.784 + spread(3, 0.2), 1.128 * m - 1.895 + spread(4, 0.8),
        0.725 * m + 4.436 + spread(5, 0.5), -0.0016 * m + 1.033 + spread(6, 0.3),
    )  # fmt: skip
    return torch.stack(columns, 1)


def held_parts(theta: Tensor) -> Tensor:
    """The parts of omega and eta with places held, [N, 5, 20]."""
    r = RADII.to(theta)
    lift = torch.exp(0.3 * (theta[:, 2:3] - 12.75) + 0.2 * (theta[:, 6:7] - 1))
    sizes = (0.08, 6.0), (0.05, 1.0), (0.02, 2.0), (0.01, 1.5), (0.005, 0.5)
    return torch.stack([a * lift * torch.exp(-r / scale) for a, scale in sizes], 1)


def truth(theta: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation [N, 3, 20] of the statistics; xi follows a power law with a knee, and has negative values far out."""
    r = RADII.to(theta)
    m, alpha = theta[:, 2:3] - 12.75, theta[:, 6:7] - 1
    log_xi = 1.5 + 0.6 * m + 0.5 * alpha - (1.9 + 0.2 * theta[:, 5:6] - 0.2 * 13.7) * r.log() + 0.4 * torch.tanh(theta[:, 4:5] - 12.5)
    xi = torch.exp(log_xi) - 0.02
    w_c, w_s, e_cc, e_cs, e_ss = held_parts(theta).unbind(1)
    c, s = Amplitude()(theta[:, :2]).mT[..., None]
    omega, eta = c * w_c + s * w_s, c * c * e_cc + c * s * e_cs + s * s * e_ss
    few = torch.exp(0.5 * m)
    noise = torch.stack([0.05 * few * (xi + 0.1), 0.004 * few * (1 + 1 / r).expand_as(omega), 0.002 * few * (1 + 1 / r).expand_as(eta)], 1)
    return torch.stack([xi, omega, eta], 1), noise


def mocks(points: int, realisations: int, seed: int = 0, missing: float = 0.0, held: bool = False, masses: bool = False) -> Examples:
    """Realisations of the stand-in, a unit for each parameter point; bins without pairs, a part `missing`, as a training file has them;
    with `held` the parts of omega and eta beside them, with a tenth of the noise; with `masses` halos of the training."""
    theta = design(points, seed)
    mean, noise = truth(theta)
    g = torch.Generator().manual_seed(seed + 1000)
    z = torch.randn(points, realisations, 3, BINS, generator=g, dtype=torch.float64)
    y = (mean[:, None] + noise[:, None] * z).flatten(0, 1)
    none = torch.rand(points * realisations, BINS, generator=g) < missing
    y = torch.where(none[:, None], torch.tensor([-1.0, 0.0, 0.0], dtype=torch.float64)[:, None], y)
    unit = torch.arange(points).repeat_interleave(realisations)
    slot = torch.arange(realisations).repeat(points)
    x, about = theta.repeat_interleave(realisations, 0), dict[str, Any](edges=EDGES.tolist())
    if masses:
        log_mass = torch.linspace(11.5, 15.0, 28, dtype=torch.float64)
        about["masses"] = {"log_mass": log_mass.tolist(), "count": (1e4 * 10 ** (11.5 - log_mass)).tolist()}
    if not held:
        return Examples(x, y, unit, slot, "stand-in", about)
    loud = noise[:, [1, 1, 2, 2, 2]].repeat_interleave(realisations, 0)
    quiet = 0.1 * loud * torch.randn(loud.shape, generator=g, dtype=torch.float64)
    paired = ~none[:, None]
    known = torch.stack([torch.ones_like(none), ~none, ~none], 1)
    return Examples(x, (y, known, torch.where(paired, held_parts(x) + quiet, torch.zeros_like(loud))), unit, slot, "stand-in", about)


class Oracle(CorrelationEmulator):
    """Knows the stand-in: its mean times `bias`, its noise times `noise`; members that are off by as much as they say, if asked."""

    links: ClassVar[Any] = ("identity",) * 3

    def __init__(self, bias: float = 1.0, noise: float = 1.0, off: float = 0.0, says: float = 0.0) -> None:
        super().__init__(mocks(30, 2), (0.5, 0.5, 0.5))
        self.bias, self.size, self.off, self.says = bias, noise, off, says
        self.weight = torch.nn.Parameter(torch.ones((), dtype=torch.float64))

    def heads(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, noise = truth(theta.double())
        wave = torch.sin(40 * theta[:, 0])[:, None, None] * 2**0.5  # an error of unit size that depends on the parameters
        mean = self.bias * mean + self.off * noise * wave
        members = torch.stack([mean + s * self.says * noise / 2**0.5 for s in (-1, 1)], 1)
        return members, (self.size * noise).square()[:, None].expand_as(members), members.new_zeros(len(mean), 2, 0, 3, 20)
