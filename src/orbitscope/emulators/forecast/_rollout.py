"""Roll-out: a model fed with its own predictions."""

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ..._expect import expect
from ...data import Trajectories
from ...nn import frames_of
from ...training import relative_l2, smse


@torch.no_grad()
def rollout(
    model: nn.Module,
    data: Trajectories,
    steps: int | None = None,
    *,
    start: int | None = None,
    batch: int = 32,
    keep_states: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    r"""Autoregressive prediction $\hat u_{h+1} = f(\hat u_h)$ from $\hat u_0 = u(t_{start})$ and its error by horizon $h$.

    * `model`: maps states [N, C, *space] to states of the same shape; with an attribute `frames` > 1, [N, frames C, *space] to
      [N, C, *space].
    * `data`: the trajectories, each of which is forecast once.
    * `steps`: the longest horizon, in steps of `data.dt`; None: as far as the data go.
    * `start`: number of the last known state; None: the first possible. A model with `frames` > 1 is given the ones before it too.
    * `batch`: trajectories given to the model at a time.
    * `keep_states`: whether the predicted states are part of the result.
    * `progress(done, total)`: called in trajectories, after every batch.

    Variables, each [trajectory, horizon, channel]: `smse` and `relative_l2` of the prediction against the data, `smse_persistence` and
    `relative_l2_persistence` of the unchanged initial state; `finite` [trajectory, horizon]; with `keep_states` also `prediction`
    [trajectory, horizon, channel, *space]. Horizon counts steps of `data.dt`, from 1. SMSE carries the unit of its field, relative L2 none.
    A blow-up stays in the result as inf or nan. The model runs in evaluation mode on its own device, in its own dtype.

    Raises `OrbitscopeError` where the data are shorter than `start` + `steps` or the model returns another shape.
    """
    expect(model, nn.Module, "rollout: `model`", "a torch.nn.Module")
    expect(data, Trajectories, "rollout: `data`", "Trajectories")
    frames = frames_of(model)
    start = frames - 1 if start is None else start
    longest = data.times - 1 - start
    steps = longest if steps is None else steps
    if start < frames - 1 or not 1 <= steps <= longest:
        raise OrbitscopeError(
            f"rollout: `steps` must lie in 1..{longest} for {data.times} times and start {start} (from {frames - 1}), got {steps}."
        )
    if batch < 1 or not data.trajectories:
        raise OrbitscopeError(f"rollout: needs at least one trajectory and batch 1, got {data.trajectories} and {batch}.")
    example = next(model.parameters(), torch.zeros(()))
    errors: dict[str, list[Tensor]] = {name: [] for name in ("smse", "smse_persistence", "relative_l2", "relative_l2_persistence")}
    states: list[Tensor] = []
    with _evaluation(model):
        for first in range(0, data.trajectories, batch):
            known = data.values[first : first + batch, start - frames + 1 : start + steps + 1].to(example.device, example.dtype)
            truth = known[:, frames - 1 :]
            predicted = _predict(model, known[:, :frames].flatten(1, 2), steps, truth.shape[2])
            for name, against in (("", predicted), ("_persistence", truth[:, :1].expand_as(predicted))):
                errors["smse" + name].append(_by_horizon(lambda a, b: smse(a, b, "channel"), against, truth[:, 1:]))
                errors["relative_l2" + name].append(_by_horizon(relative_l2, against, truth[:, 1:]))
            if keep_states:
                states.append(predicted.cpu())
            if progress is not None:
                progress(min(first + batch, data.trajectories), data.trajectories)
    return _dataset(data, {name: torch.cat(parts) for name, parts in errors.items()}, torch.cat(states) if states else None, start, steps)


def _predict(model: nn.Module, state: Tensor, steps: int, channels: int) -> Tensor:
    predicted = []
    for _ in range(steps):
        following = model(state)
        if following.shape != state[:, -channels:].shape:
            raise OrbitscopeError(f"rollout: the model turns {tuple(state.shape)} into {tuple(following.shape)}; it must keep the shape.")
        state = torch.cat([state[:, channels:], following], dim=1)
        predicted.append(following)
    return torch.stack(predicted, dim=1)


def _by_horizon(measure: Callable[[Tensor, Tensor], Tensor], prediction: Tensor, target: Tensor) -> Tensor:
    flat = measure(prediction.flatten(0, 1), target.flatten(0, 1))
    return flat.reshape(*target.shape[:2], -1).double().cpu()


@contextlib.contextmanager
def _evaluation(model: nn.Module) -> Any:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def _dataset(data: Trajectories, errors: dict[str, Tensor], states: Tensor | None, start: int, steps: int) -> xr.Dataset:
    dims = ("trajectory", "horizon", "channel")
    variables: dict[str, Any] = {}
    for name, value in errors.items():
        kind = "scaled mean squared error" if name.startswith("smse") else "relative L2 error"
        of = "persistence (initial state)" if name.endswith("persistence") else "prediction"
        units = "unit of the field" if name.startswith("smse") else "1"
        variables[name] = (dims, value.numpy(), {"long_name": f"{kind} of the {of}", "units": units, "sign": "0 is exact, larger is worse"})
    variables["finite"] = (dims[:2], np.isfinite(errors["smse"].numpy()).all(axis=-1), {"long_name": "prediction is finite"})
    if states is not None:
        variables["prediction"] = ((*dims, *"xyz"[: data.grid.ndim]), states.numpy(), {"long_name": "predicted state"})
    coordinates = {
        "trajectory": np.arange(data.trajectories),
        "horizon": np.arange(1, steps + 1),
        "time": ("horizon", data.dt * (start + np.arange(1, steps + 1)), {"long_name": "physical time since the first stored state"}),
        "channel": list(data.layout.channel_names),
    }
    return xr.Dataset(
        variables, coordinates, {"start": start, "steps": steps, "dt": data.dt, "layout": str(data.layout), "grid": str(data.grid)}
    )
