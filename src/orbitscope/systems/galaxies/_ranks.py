"""Simulation-based calibration: where the truths of many mocks stand in their posteriors."""

from collections.abc import Callable

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ..._errors import OrbitscopeError
from ._emulators import CorrelationEmulator
from ._hamiltonian import Potential, hamiltonian_chains
from ._posterior import Posterior
from ._vector import DataVector

_CLIMB = 150  # steps to the best place of a posterior
_FAR, _FLATTEST = 8.0, 0.3  # of coordinates without bounds: beyond which none begins, and the least curvature that is believed
_WIDER = 1.5  # chains that begin far out show whether they find back
_NOTHING = 8.0  # below the highest summit by so much, a place has no weight
_TRIED = 200  # draws of the prior for each posterior, of which the best are places to begin at
Tell = Callable[[str, float, float], None]


def simulation_based_calibration(
    model: CorrelationEmulator, theta: Tensor, y: Tensor, *, chains: int = 4, warmup: int = 150, draws: int = 60, ranks: int = 19,
    seed: int = 0, used: Tensor | None = None, emulator_error: bool = True, correlation: Tensor | None = None,
    progress: Tell | None = None,
) -> xr.Dataset:  # fmt: skip
    r"""Where the true parameters of many mocks stand in their posteriors: ranks $\#\{l : \theta_l < \theta\}$, uniform if all is right.

    * `model`: a trained emulator. `theta`: true parameters [D, 7], drawn as those of the training. `y`: one realisation each, [D, 3, R].
    * `chains`, `warmup`, `draws`: of each posterior and chain, of `hamiltonian_chains`, which samples all posteriors side by side.
    * `ranks`: draws of each posterior that a truth is ranked among, far apart; ranks run from 0 to this. `seed`: of the chains.
    * `used`: bins that are looked at, [3, R], booleans; None: all. `emulator_error`, `correlation`: as of `Posterior`.
    * `progress`: called with (stage, done, total).

    Hollow histograms (many ranks at both ends) say that posteriors are too narrow, or that there are fewer independent draws than `ranks`:
    look at `ess` first. The noise is that of the emulator, for mocks of the training's box. Mocks of the emulator's own (mean plus noise)
    test the sampler alone, those of the simulator also the emulator. The result has `rank` [mock, parameter], `share`, the part of all
    draws below the truth, `p_value` of a chi-squared test for uniformity in ten classes, `covered`: the part of truths within the central
    68 and 95 % of the draws; and `r_hat` and `ess` [mock, parameter] over the chains of each posterior. Raises `OrbitscopeError` for fewer
    draws than `ranks`, other shapes, and what `hamiltonian_chains` and `Posterior` raise.

    Source: Talts et al., arXiv:1804.06788.
    """
    if theta.ndim != 2 or y.shape[:2] != (len(theta), len(model.links)) or y.shape[2] != model.bins:
        raise OrbitscopeError(
            f"calibration: `theta` should be [D, 7] and `y` [D, 3, {model.bins}], got {list(theta.shape)}, {list(y.shape)}."
        )
    if chains < 2 or draws < 4 or chains * draws < ranks:
        raise OrbitscopeError(
            f"calibration: {chains} chains of {draws} draws are too few to rank a truth among {ranks}: take at least 2 chains, 4 draws in "
            "each, and as many in all as `ranks`."
        )
    used = torch.ones(len(model.links), model.bins, dtype=torch.bool) if used is None else used
    target = Posterior(model, DataVector(y[0], used), None, emulator_error, correlation)
    g = torch.Generator().manual_seed(seed)
    mocks = len(theta)

    def potential(u: Tensor, which: Tensor) -> Tensor:
        target.data = DataVector(y.double()[which], used)
        return torch.nan_to_num(target.potential(u), nan=torch.inf)

    start, scale = _starts(potential, mocks, len(target.names), chains, g)
    found = hamiltonian_chains(potential, start, scale, draws, warmup, seed, progress=progress)
    with torch.no_grad():
        sample = target.theta(found.u)  # [D, C, N, 7]
    r_hat, ess = _diagnosed(sample)
    flat, truth = sample.flatten(1, 2), theta[:, None].double()
    chosen = flat[:, torch.linspace(0, flat.shape[1] - 1, ranks).round().long()]
    rank, share = (chosen < truth).sum(1), (flat < truth).double().mean(1)
    covered = torch.stack([((share - 0.5).abs() <= level / 2).double().mean(0) for level in (0.68, 0.95)])
    by = ("mock", "parameter")
    return xr.Dataset(
        {
            "rank": (by, rank.numpy()), "share": (by, share.numpy()), "covered": (("level", "parameter"), covered.numpy()),
            "p_value": ("parameter", [_uniform(r.numpy(), ranks) for r in rank.T]), "r_hat": (by, r_hat.numpy()), "ess": (by, ess.numpy()),
            "accepted": ("mock", found.accepted.numpy()), "step": ("mock", found.step.numpy()), "truth": (by, theta.double().numpy()),
        },
        {"parameter": list(target.names), "level": [0.68, 0.95]},
        {"what": "simulation-based calibration", "ranks": ranks, "chains": chains, "warmup": warmup, "draws": draws, "seed": seed,
         "noise": target.noise},
    )  # fmt: skip


def _diagnosed(sample: Tensor) -> tuple[Tensor, Tensor]:
    """Split R-hat and number of effective draws, [D, k] both, of chains [D, C, N, k]."""
    from pyro.ops.stats import effective_sample_size, split_gelman_rubin

    together = sample.permute(1, 2, 0, 3)  # chains and draws first, all posteriors at once
    return split_gelman_rubin(together, 0, 1), effective_sample_size(together, 0, 1)


def _starts(potential: Potential, mocks: int, size: int, chains: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Where chains begin, [D, C, k], and how wide the posteriors seem, roots of their covariances [D, k, k]: each chain climbs from another
    good draw of the prior, so that other summits are seen, and begins about where it came to, somewhat wider than the curvature of the
    highest says; a chain that came to a place of no weight begins about the highest."""
    each = torch.arange(mocks)
    many = torch.logit(torch.rand(mocks, _TRIED, size, generator=g, dtype=torch.float64).clamp(0.01, 0.99))
    with torch.no_grad():
        order = potential(many.flatten(0, 1), each.repeat_interleave(_TRIED)).reshape(mocks, -1).argsort(1)
    top = many.gather(1, order[:, :chains, None].expand(-1, -1, size)).flatten(0, 1).requires_grad_()
    optimiser = torch.optim.Adam([top], lr=0.1)
    for step in range(_CLIMB):
        optimiser.param_groups[0]["lr"] = 0.1 * (1 - step / _CLIMB) + 1e-3
        (slope,) = torch.autograd.grad(potential(top, each.repeat_interleave(chains)).sum(), top)
        top.grad = torch.nan_to_num(slope)
        optimiser.step()
        with torch.no_grad():
            top.clamp_(-_FAR, _FAR)
    with torch.no_grad():
        level, found = potential(top, each.repeat_interleave(chains)).reshape(mocks, chains), top.detach().reshape(mocks, chains, size)
    best = level.argmin(1)
    summit = found[each, best].clone().requires_grad_()
    (slope,) = torch.autograd.grad(potential(summit, each).sum(), summit, create_graph=True)
    rows = [torch.autograd.grad(slope[:, k].sum(), summit, retain_graph=True)[0] for k in range(size)]
    curvature = torch.nan_to_num(torch.stack(rows, 1))
    value, vector = torch.linalg.eigh((curvature + curvature.mT) / 2)
    scale = vector * value.clamp_min(_FLATTEST).rsqrt()[:, None]
    high = (level < level.gather(1, best[:, None]) + _NOTHING)[..., None]
    at = torch.where(high, found, summit.detach()[:, None])
    z = torch.randn(found.shape, generator=g, dtype=many.dtype)
    return (at + _WIDER * torch.einsum("dij,dcj->dci", scale, z)).clamp(-_FAR, _FAR), scale


def _uniform(rank: np.ndarray, ranks: int) -> float:
    """p of a chi-squared test for equal counts in ten classes of ranks 0 to `ranks`."""
    from scipy.stats import chisquare

    edges = np.linspace(0, ranks + 1, 11)
    counts = np.histogram(rank, edges)[0]
    share = np.histogram(np.arange(ranks + 1), edges)[0] / (ranks + 1)
    return float(chisquare(counts, share * len(rank)).pvalue)
