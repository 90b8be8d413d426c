"""The optimiser's second moments, from the training state of a run."""

from pathlib import Path

import torch
from torch import Tensor

from .._errors import OrbitscopeError
from . import _files as files
from ._run import load_run


def second_moments(path: str | Path) -> tuple[dict[str, Tensor], float]:
    r"""Bias-corrected second moments $\hat v = v / (1 - \beta_2^t)$ by parameter name, and AdamW's epsilon, after the last finished epoch.

    Raises `OrbitscopeError` where the run has no training state (`state.pt`).
    """
    path = Path(path)
    model = load_run(path, "last").model
    if not (path / files.STATE).exists():
        raise OrbitscopeError(f"run: {path} has no {files.STATE}, with the optimiser's moments. Train it again, or take another metric.")
    optimiser = files.read_state(path / files.STATE)["optimiser"]
    group, state = optimiser["param_groups"][0], optimiser["state"]
    found = {}
    for (name, parameter), index in zip(model.named_parameters(), group["params"], strict=True):
        moments = state.get(index)
        if moments is None or moments["exp_avg_sq"].shape != parameter.shape:
            raise OrbitscopeError(f"run: the training state of {path} has no moments for {name}. Train it again with force=True.")
        correction = 1.0 - group["betas"][1] ** float(torch.as_tensor(moments["step"]))
        found[name] = moments["exp_avg_sq"].to(parameter.dtype) / correction
    return found, float(group["eps"])
