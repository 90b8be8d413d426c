"""Rayleigh-Benard convection against linear theory and published heat transport, float64 unless said."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from orbitscope.physics import RayleighBenard, scenario

#: Onset between two plates that do not slip (Chandrasekhar 1961, chapter II).
CRITICAL_RAYLEIGH, CRITICAL_WAVE = 1707.762, 3.117
#: Published fit Nu = PREFACTOR Ra^EXPONENT for this very case: two dimensions, plates that do not slip, fixed temperatures, periodic
#: sideways with aspect ratio 2, Pr = 1, Ra from 1e7 on (Johnston and Doering, Phys. Rev. Lett. 102 (2009) 064501).
PREFACTOR, EXPONENT = 0.138, 0.285


def state_of(law: RayleighBenard, resolution: int, dtype: torch.dtype = torch.float64, **options: float) -> torch.Tensor:
    """One initial state of the scenario, [1, 3, X, Y]."""
    return scenario("rayleigh-benard", **options).initial(law.grid(resolution), 5, 0, dtype)[None]


def growth_rate(rayleigh: float, resolution: int, spin_up: float = 12.0, time: float = 4.0) -> float:
    """Half the rate of growth of the kinetic energy of one pair of critical rolls, too weak to act on itself; 1 / free-fall time."""
    law = RayleighBenard(rayleigh=rayleigh, prandtl=0.71, aspect=2 * math.pi / CRITICAL_WAVE)
    x = law.step(state_of(law, resolution, amplitude=1e-6, waves=0.5, levels=1), spin_up)
    y = law.step(x, time)
    return float((law.kinetic_energy(y) / law.kinetic_energy(x)).log()) / (2 * time)


def onset(resolutions: Sequence[int] = (12, 16, 24, 32)) -> dict[str, Any]:
    """The Rayleigh number where the growth rate changes its sign, by resolution; relative errors; order.

    Found from growth rates 4 % below and above theory, then 0.5 % below and above what they say (linear in between).
    Keys: `theory`, `found` {resolution: Ra}, `rates` {resolution: the last two growth rates}, `error` {resolution: relative}, `order`
    (minus the slope of log error against log resolution).
    """
    found, rates = {}, {}
    for n in resolutions:
        centre, apart = CRITICAL_RAYLEIGH, 0.04
        for _ in range(2):
            low, high = centre * (1 - apart), centre * (1 + apart)
            below, above = rates[n] = growth_rate(low, n), growth_rate(high, n)
            centre, apart = low + (high - low) * below / (below - above), 0.005
        found[n] = centre
    error = {n: abs(r / CRITICAL_RAYLEIGH - 1) for n, r in found.items()}
    return {"theory": CRITICAL_RAYLEIGH, "found": found, "rates": rates, "error": error, "order": order_of(error)}


def nusselt(rayleigh: float = 1e7, resolution: int = 96, spin_up: float = 100.0, time: float = 200.0) -> dict[str, Any]:
    """Mean Nusselt numbers by five definitions in statistical equilibrium, Pr = 1, aspect ratio 2, float32, against the published fit.

    Keys: `published`, `found` {definition: Nu}, `deviation` (of `flux` from the fit, relative), `spread` (largest minus smallest
    definition over their mean), `standard_error` (of `flux`, from ten equal parts of the time), `cells_in_layer` (1 / (2 Nu) in cells).
    """
    law = RayleighBenard(rayleigh=rayleigh, prandtl=1.0, aspect=2.0)
    x = law.step(state_of(law, resolution, torch.float32), spin_up)
    samples = []
    for _ in range(int(4 * time)):
        x = law.step(x, 0.25)
        samples.append(law.nusselt(x))
    series = {name: torch.cat([s[name] for s in samples]).double() for name in samples[0]}
    found = {name: float(values.mean()) for name, values in series.items()}
    parts = torch.stack([part.mean() for part in series["flux"].chunk(10)])
    published, mean = PREFACTOR * rayleigh**EXPONENT, sum(found.values()) / len(found)
    return {
        "published": published,
        "found": found,
        "deviation": found["flux"] / published - 1,
        "spread": (max(found.values()) - min(found.values())) / mean,
        "standard_error": float(parts.std() / math.sqrt(len(parts))),
        "cells_in_layer": resolution / (2 * mean),
    }


def diffusion_errors(resolutions: Sequence[int] = (8, 16, 32)) -> dict[int, float]:
    """Largest error of a decaying shear flow and a decaying temperature profile, exact solutions of the full equations, by resolution."""
    law = RayleighBenard(rayleigh=100.0, aspect=1.0)
    errors = {}
    for n in resolutions:
        y = law.grid(n).axis(1)

        def profile(t: float, y: torch.Tensor = y, n: int = n) -> torch.Tensor:
            flow = sum(
                a * math.exp(-law.viscosity * (m * math.pi) ** 2 * t) * torch.sin(m * math.pi * y)
                for m, a in ((1, 1.0), (2, 0.5), (3, 0.3))
            )
            heat = 0.5 - y + math.exp(-law.diffusivity * (2 * math.pi) ** 2 * t) * 0.2 * torch.sin(2 * math.pi * y)
            return torch.stack([torch.as_tensor(flow), torch.zeros_like(y), heat])[None, :, None].expand(1, 3, n, n).clone()

        errors[n] = float((law.step(profile(0.0), 0.5) - profile(0.5)).abs().max())
    return errors


def self_convergence(resolutions: Sequence[int] = (16, 32, 64, 128), time: float = 2.0) -> dict[int, float]:
    """Relative rms difference between convection on n and on 2 n cells per height (averaged to n), for all n but the last."""
    law = RayleighBenard(rayleigh=2e4, prandtl=0.71, aspect=2.0)
    ends = {n: law.step(state_of(law, n, amplitude=0.3, waves=1.0, levels=2), time) for n in resolutions}
    pairs = zip(resolutions, resolutions[1:], strict=False)
    return {n: float((ends[n] - law.coarsen(ends[m], m // n)).norm() / ends[n].norm()) for n, m in pairs}


def order_of(errors: Mapping[int, float] | Mapping[float, float]) -> float:
    """Minus the slope of log error against log resolution, by least squares."""
    x = torch.tensor([math.log(n) for n in errors])
    y = torch.tensor([math.log(e) for e in errors.values()])
    x, y = x - x.mean(), y - y.mean()
    return -float((x * y).sum() / (x * x).sum())
