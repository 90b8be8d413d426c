"""Chains of the No-U-Turn sampler that can be stopped and gone on with, bit for bit."""

import importlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from ..._json import json_text
from ..._seed import derive
from ..._whole import write_whole

_STARTS = 64
_BLOCK = 50
_DEEPEST = 8
Tell = Callable[[str, float, float], None]


@dataclass(frozen=True)
class NUTSConfig:
    """How chains are run.

    * `draws`, `warmup`: of each chain, kept and to adapt. `chains`: how many. `seed`: of all of them. `accept`: aim of the step size.

    Raises `OrbitscopeError` for numbers out of range.
    """

    draws: int = 1000
    warmup: int = 300
    chains: int = 4
    seed: int = 0
    accept: float = 0.8

    def __post_init__(self) -> None:
        for name, least in (("draws", 4), ("warmup", 50), ("chains", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise OrbitscopeError(f"infer: `{name}` should be at least {least}, got {getattr(self, name)}.")
        if not 0 < self.accept < 1:
            raise OrbitscopeError(f"infer: `accept` should lie between 0 and 1, got {self.accept}.")


@dataclass(frozen=True, eq=False)
class Chains:
    """Draws of all chains: `u` [C, N, k], `potential` and `acceptance` [C, N], `divergent` [C, N], `step` [C], `seconds` of processor
    [C] and `gradients` [C], both with the warm-up."""

    u: np.ndarray
    potential: np.ndarray
    acceptance: np.ndarray
    divergent: np.ndarray
    step: np.ndarray
    seconds: np.ndarray
    gradients: np.ndarray


def run_nuts(
    potential: Callable[[Tensor], Tensor], size: int, config: NUTSConfig, *, folder: Path | None = None,
    settings: Mapping[str, Any] | None = None, progress: Tell | None = None,
) -> Chains:  # fmt: skip
    """Chains of the No-U-Turn sampler with a dense mass matrix.

    * `potential`: minus the log density, [B, k] to [B], differentiable. `size`: k. `config`: how many draws.
    * `folder`: where draws are kept after every 50; the same call goes on from there. None: nowhere. `settings`: what these draws depend
      on; a folder of other settings is refused. `progress`: called with (stage, done, total).

    Each draw has random numbers of its own, from (seed, chain, draw), so that a run that was stopped ends with the same draws as one that
    was not. Raises `OrbitscopeError` where pyro is not installed, or the folder holds other draws.
    """
    nuts = _pyro()
    told = json_text({"size": size, **vars(config), **dict(settings or {})}, what="settings", default=str)
    if folder is not None:
        _introduce(folder, told)
    rows = []
    for chain in range(config.chains):
        file = None if folder is None else folder / f"chain-{chain}.npz"
        rows.append(_chain(nuts, potential, size, config, chain, file, progress))
    return Chains(*(np.stack([r[name] for r in rows]) for name in Chains.__dataclass_fields__))


def _pyro() -> Any:
    try:
        return importlib.import_module("pyro.infer.mcmc").NUTS
    except ImportError as error:
        raise OrbitscopeError("infer: needs the extra cosmo. Install it with: pip install 'orbitscope[cosmo]'.") from error


def _introduce(folder: Path, told: str) -> None:
    said = folder / "settings.json"
    if not said.is_file():
        write_whole(said, lambda part: part.write_text(told, encoding="utf-8"))
    elif json.loads(said.read_text(encoding="utf-8")) != json.loads(told):
        raise OrbitscopeError(
            f"out: {folder} holds draws of other data, another emulator or other settings. Call it again as before, give another out, or "
            "force=True (--force) to begin anew."
        )


def _start(potential: Callable[[Tensor], Tensor], size: int, config: NUTSConfig, chain: int) -> Tensor:
    """The best of some draws from the prior, others for every chain."""
    g = torch.Generator().manual_seed(derive(config.seed, "nuts start", chain))
    c = torch.rand(_STARTS, size, generator=g, dtype=torch.float64).clamp(0.01, 0.99)
    u = torch.logit(c)
    with torch.no_grad():
        level = potential(u)
    return u[int(torch.where(torch.isfinite(level), level, torch.inf).argmin())]


def _chain(
    nuts: Any, potential: Any, size: int, config: NUTSConfig, chain: int, file: Path | None, progress: Tell | None
) -> dict[str, Any]:
    count = [0]

    def one(z: dict[str, Tensor]) -> Tensor:
        count[0] += 1
        return potential(z["u"][None])[0]

    state = _kept(file)
    stage = f"chain {chain + 1} of {config.chains}"
    started = time.process_time()
    if state is None:
        u, step, inverse = _warm(nuts, one, _start(potential, size, config, chain), config, chain, stage, progress)
        state = {"u": np.empty((0, size)), "now": u.numpy(), "inverse": inverse.numpy(), "step": step}
        state |= {name: np.empty(0) for name in ("potential", "acceptance", "divergent")} | {"seconds": 0.0, "gradients": 0}
    kernel = nuts(
        potential_fn=one, step_size=float(state["step"]), adapt_step_size=False, adapt_mass_matrix=False, full_mass=True,
        max_tree_depth=_DEEPEST,
    )  # fmt: skip
    kernel.initial_params = {"u": torch.from_numpy(state["now"].copy())}
    kernel.setup(warmup_steps=0)
    kernel.mass_matrix_adapter.inverse_mass_matrix = {("u",): torch.from_numpy(state["inverse"].copy())}
    z, before = dict(kernel.initial_params), len(state["u"])
    new: dict[str, list[Any]] = {name: [] for name in ("u", "potential", "acceptance", "divergent")}
    for draw in range(before, config.draws):
        kernel._t, kernel._mean_accept_prob = 0, 0.0  # pyro keeps a mean over all draws; here each has its own
        kernel._divergences.clear()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(config.seed, f"nuts chain {chain}", config.warmup + draw))
            z = kernel.sample(z)
        new["u"].append(z["u"].detach().numpy().copy())
        new["potential"].append(float(kernel._potential_energy_last.detach()))
        new["acceptance"].append(float(kernel._mean_accept_prob))
        new["divergent"].append(float(len(kernel._divergences) > 0))
        if (draw + 1) % _BLOCK == 0 or draw + 1 == config.draws:
            state = _grown(state, new, started, count)
            started, new = time.process_time(), {name: [] for name in new}
            _keep(file, state)
        if progress is not None:
            progress(stage, config.warmup + draw + 1, config.warmup + config.draws)
    return {name: state[name] for name in Chains.__dataclass_fields__}


def _warm(
    nuts: Any, one: Any, start: Tensor, config: NUTSConfig, chain: int, stage: str, progress: Tell | None
) -> tuple[Tensor, float, Tensor]:
    """Position, step size and inverse mass matrix after the warm-up."""
    kernel = nuts(potential_fn=one, step_size=0.1, full_mass=True, target_accept_prob=config.accept, max_tree_depth=_DEEPEST)
    kernel.initial_params = {"u": start.clone()}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(config.seed, f"nuts start of chain {chain}"))
        kernel.setup(warmup_steps=config.warmup)
    z = dict(kernel.initial_params)
    for k in range(config.warmup):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(config.seed, f"nuts chain {chain}", k))
            z = kernel.sample(z)
        if progress is not None:
            progress(stage, k + 1, config.warmup + config.draws)
    return z["u"].detach().clone(), float(kernel.step_size), kernel.inverse_mass_matrix[("u",)].clone()


def _grown(state: dict[str, Any], new: dict[str, list[Any]], started: float, count: list[int]) -> dict[str, Any]:
    found = {name: np.concatenate([state[name], np.asarray(values)]) for name, values in new.items() if values}
    seconds = float(state["seconds"]) + time.process_time() - started
    whole = {**state, **found, "now": found["u"][-1], "seconds": seconds, "gradients": int(state["gradients"]) + count[0]}
    count[0] = 0
    return whole


def _keep(file: Path | None, state: dict[str, Any]) -> None:
    if file is None:
        return

    def write(part: Path) -> None:
        with part.open("wb") as stream:
            np.savez(stream, **{name: np.asarray(value) for name, value in state.items()})  # pyright: ignore[reportArgumentType]

    write_whole(file, write)


def _kept(file: Path | None) -> dict[str, Any] | None:
    if file is None or not file.is_file():
        return None
    with np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
