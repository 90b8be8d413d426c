"""The optimiser's second moments, from the training state of a run."""

from pathlib import Path

import torch
from torch import Tensor, nn

from ..._errors import OrbitscopeError, reading
from ...training import adamw
from ...training.files import STATE, read_state
from ._run import load_run


def second_moments(path: str | Path, *, trust: bool | str = False) -> tuple[dict[str, Tensor], float]:
    r"""Bias-corrected second moments $\hat v = v / (1 - \beta_2^t)$ by parameter name, and AdamW's epsilon, after the last finished epoch.

    * `path`: the folder of a run.
    * `trust`: whether the run may name code to import, see `load_run`.

    Raises `OrbitscopeError` where the run has no training state (`state.pt`).
    """
    path = Path(path)
    model = load_run(path, "last", trust=trust).model
    if not (path / STATE).exists():
        raise OrbitscopeError(f"run: {path} has no {STATE}, with the optimiser's moments. Train it again, or take another metric.")
    with reading(path / STATE, "run", "Train it again with force=True (--force)."):
        return _moments(path, model)


def _moments(path: Path, model: nn.Module) -> tuple[dict[str, Tensor], float]:
    optimiser = read_state(path / STATE)["optimiser"]
    group, state = optimiser["param_groups"][0], optimiser["state"]
    found = {}
    for (name, parameter), index in zip(model.named_parameters(), group["params"], strict=True):
        moments = state.get(index)
        if moments is None or moments["exp_avg_sq"].shape != parameter.shape:
            raise OrbitscopeError(f"run: the training state of {path} has no moments for {name}. Train it again with force=True (--force).")
        correction = 1.0 - group["betas"][1] ** float(torch.as_tensor(moments["step"]))
        found[name] = moments["exp_avg_sq"].to(parameter.dtype) / correction
    return found, float(group["eps"])


def kept_optimiser(
    path: str | Path, model: nn.Module, *, learning_rate: float | None = None, trust: bool | str = False
) -> torch.optim.AdamW:
    """The AdamW of a run over the parameters of `model`, with its moments after the last finished epoch.

    * `path`: the folder of a run.
    * `model`: the last weights of the same run, `load_run(path, "last").model`.
    * `learning_rate`: None takes the one it stopped at, or the run's peak where an annealed schedule has left 0.
    * `trust`: whether the run may name code to import, see `load_run`.

    Raises `OrbitscopeError` where the run has no training state, or the model has other parameters.
    """
    path = Path(path)
    run = load_run(path, "last", trust=trust)
    if not (path / STATE).exists():
        raise OrbitscopeError(f"run: {path} has no {STATE}, with the optimiser's moments. Train it again.")
    state = read_state(path / STATE)["optimiser"]
    mine, own = ([(n, tuple(p.shape)) for n, p in m.named_parameters()] for m in (run.model, model))
    if mine != own:
        raise OrbitscopeError(f"kept_optimiser: `model` should be the last weights of {path}; it has other parameters.")
    found = adamw(model)
    with reading(path / STATE, "run", "Train it again with force=True (--force)."):
        found.load_state_dict(state)
    for group in found.param_groups:
        if learning_rate is not None or not float(group["lr"]) > 0:
            group["lr"] = run.config.learning_rate if learning_rate is None else learning_rate
    return found
