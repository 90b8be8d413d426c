"""Parameters from measured correlation functions: chains, what they are worth, and whether the model fits at all."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ..._errors import OrbitscopeError
from ..._whole import write_whole
from ._emulators import CorrelationEmulator
from ._nuts import Chains, NUTSConfig, run_nuts
from ._posterior import Posterior
from ._targets import STATISTICS
from ._vector import DataVector

_EDGE = 0.02
_PREDICTED = 200
Tell = Callable[[str, float, float], None]


def infer(
    model: CorrelationEmulator, data: DataVector, config: NUTSConfig | None = None, *, fixed: Mapping[str, float] | None = None,
    emulator_error: bool = True, correlation: Tensor | None = None, out: str | Path | None = None, force: bool = False,
    progress: Tell | None = None,
) -> xr.Dataset:  # fmt: skip
    """The posterior of the parameters of galaxies given their correlation functions, by the No-U-Turn sampler.

    * `model`: a trained emulator. `data`: what was measured. `config`: number of draws and chains; None: `NUTSConfig()`.
    * `fixed`: values of parameters that are not inferred, by name. `emulator_error`: whether the likelihood holds it; see `Posterior`.
    * `correlation`: of the noise of bins, where the data bring no covariance, [K, K]; None: bins as the emulator has them. See `Posterior`.
    * `out`: NetCDF file for the result; draws are kept in a folder beside it on the way, so that the same call goes on where it was
      stopped. None: nothing is written. `force`: replace what is there. `progress`: called with (stage, done, total).

    What comes back has `sample` [chain, draw, parameter], `potential`, `acceptance` and `divergent` of each draw; `r_hat`, `ess` and `edge`
    of each parameter (near 1; as many as there are; the part of draws within 2 % of a bound of the region: above .2 the data want to
    leave it); `data`, `used`, `predicted` and `deviation` of each bin; and, as attributes, `chi2` of the best draw over `bins` bins and
    `p_value`, the mean over draws of the probability of a larger misfit: below .01 no parameters of the model give such data. Raises
    `OrbitscopeError` for an `out` that exists, and what `Posterior` and `run_nuts` raise.
    """
    config = config or NUTSConfig()
    target = Posterior(model, data, fixed, emulator_error, correlation)
    path = None if out is None else Path(out)
    folder = None if path is None else path.with_name(f"{path.name}.draws")
    if path is not None and path.exists() and not force:
        raise OrbitscopeError(f"out: {path} exists. Give another file, or replace it with force=True (--force).")
    if folder is not None and force and folder.is_dir():
        shutil.rmtree(folder)
    settings = {"data": _digest(data), "emulator": _weights(target.model), "fixed": dict(fixed or {}), "emulator_error": emulator_error}
    if correlation is not None:
        settings["correlation"] = hashlib.sha256(torch.as_tensor(correlation).double().numpy().tobytes()).hexdigest()
    chains = run_nuts(target.potential, len(target.names), config, folder=folder, settings=settings, progress=progress)
    found = _result(target, chains, config)
    if path is not None:
        write_whole(path, lambda part: found.to_netcdf(part, engine="h5netcdf"))
        assert folder is not None
        shutil.rmtree(folder)
    return found


def _digest(data: DataVector) -> str:
    digest = hashlib.sha256()
    for part in (data.value, data.used, data.covariance):
        digest.update(b"none" if part is None else part.numpy().tobytes())
    return digest.hexdigest()


def _weights(model: CorrelationEmulator) -> str:
    digest = hashlib.sha256()
    for name, part in model.state_dict().items():
        digest.update(name.encode() + part.numpy().tobytes())
    return digest.hexdigest()


@torch.no_grad()
def _result(target: Posterior, chains: Chains, config: NUTSConfig) -> xr.Dataset:
    from pyro.ops.stats import effective_sample_size, split_gelman_rubin

    u = torch.from_numpy(chains.u)
    theta = target.theta(u.flatten(0, 1)).reshape(*u.shape[:2], -1)
    free = theta[..., [target.model.region.names.index(n) for n in target.names]]
    ess = effective_sample_size(free, chain_dim=0, sample_dim=1)
    cube = torch.sigmoid(u).flatten(0, 1)
    seconds = float(chains.seconds.sum())
    draw = ("chain", "draw")
    by = ("statistic", "bin")
    predicted, deviation = _predictive(target, theta.flatten(0, 1), config.seed)
    variables = {
        "sample": ((*draw, "parameter"), free.numpy()), "potential": (draw, chains.potential), "acceptance": (draw, chains.acceptance),
        "divergent": (draw, chains.divergent.astype(np.int8)), "step": ("chain", chains.step), "seconds": ("chain", chains.seconds),
        "gradients": ("chain", chains.gradients), "r_hat": ("parameter", split_gelman_rubin(free, 0, 1).numpy()),
        "ess": ("parameter", ess.numpy()), "edge": ("parameter", ((cube < _EDGE) | (cube > 1 - _EDGE)).double().mean(0).numpy()),
        "data": (by, torch.where(target.data.used, target.data.value, torch.nan).numpy()),
        "used": (by, target.data.used.numpy().astype(np.int8)), "predicted": (by, predicted.numpy()), "deviation": (by, deviation.numpy()),
    }  # fmt: skip
    some = theta.flatten(0, 1)[_spread(theta.shape[0] * theta.shape[1])]
    square = target.misfit(some)
    best = theta.flatten(0, 1)[int(np.argmin(chains.potential.ravel()))]
    bins = int(target.data.used.sum())
    tail = torch.special.gammaincc(torch.full_like(square, bins / 2), square / 2)
    about = {
        "what": "posterior of galaxies", "fixed": json.dumps(target.fixed), "emulator_error": int(target.emulator_error),
        "noise": target.noise, "bins": bins,
        "chi2": float(target.misfit(best[None])), "p_value": float(tail.mean()), "warmup": config.warmup, "seed": config.seed,
        "seconds": seconds, "ess_per_second": float(ess.min()) / max(seconds, 1e-9),
    }  # fmt: skip
    return xr.Dataset(variables, {"parameter": list(target.names), "statistic": list(STATISTICS)}, about)


def _spread(count: int) -> Tensor:
    return torch.linspace(0, count - 1, min(count, _PREDICTED)).round().long()


def _predictive(target: Posterior, theta: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Mean of the emulator over the posterior, and its deviation there, [S, R] both: without the noise of the data."""
    mean = torch.cat([target.model.moments(part)[0].mean(1) for part in theta[_spread(len(theta))].split(100)])
    shape = target.data.value.shape[-2:]
    return mean.mean(0).reshape(shape), mean.std(0).reshape(shape)


def say(found: xr.Dataset) -> list[str]:
    """A posterior in lines for people: each parameter with its 68 % interval, the chains, the fit.

    * `found`: of `infer`.
    """
    lines = []
    for k, name in enumerate(found["parameter"].values):
        low, middle, high = np.quantile(found["sample"].values[..., k], [0.16, 0.5, 0.84])
        at_edge = float(found["edge"][k])
        words = f", {at_edge:.0%} of it at a bound of the training" if at_edge > 0.2 else ""
        lines.append(f"{name}: {middle:.3f} (+{high - middle:.3f} -{middle - low:.3f}){words}")
    a = found.attrs
    worst, bad = float(found["r_hat"].max()), int(found["divergent"].sum())
    judged = "mixed" if worst < 1.05 else "not mixed: run longer"
    lines.append(
        f"chains: R-hat up to {worst:.3f} ({judged}), at least {float(found['ess'].min()):.0f} effective draws, "
        f"{a['ess_per_second']:.2f} a second, {bad} divergent"
    )
    fits = "such parameters give such data" if a["p_value"] >= 0.01 else "no parameters of this model give such data"
    lines.append(f"fit: chi2 {a['chi2']:.1f} on {a['bins']} bins, p = {a['p_value']:.2g}: {fits}; noise: {a['noise']}")
    return lines
