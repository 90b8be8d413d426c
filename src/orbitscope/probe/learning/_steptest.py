"""The step test: take the small step that an influence speaks of, and see what it does."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...data import Examples, Trajectories
from ...symmetry import Group, Symmetry
from .._gradients import Loss, gram, unflatten
from .._measure import default_loss
from .._provenance import stamp
from .._sample import resolve, sample_for
from .._subject import Subject, doubled
from ._curvature import metric_of
from ._engine import Task
from ._losses import bra_loss as named_loss
from ._metric import Metric
from ._plan import plan_influence


def step_test(
    model: nn.Module,
    data: Trajectories | Examples,
    group: Symmetry | Group | str,
    *,
    metric: str | Metric = "gauss_newton",
    damping: float | None = None,
    elements: list[str] | None = None,
    trajectories: int | None = 4,
    times: int | None = 2,
    kets: int = 4,
    relative: float = 1e-3,
    loss: Loss | None = None,
    bra_loss: str | Loss | None = None,
    precision: Literal["64", "model"] = "64",
    seed: int = 0,
    chunk: int = 8,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    r"""Steps $\delta\theta = -\epsilon\, \chi^{-1} \partial C_{x_k}$ that are really taken, against what the influence predicts of them.

    Predicted: $\Delta C_{g x_b} = -\epsilon\, I(g x_b, x_k)$. Measured: $C_{g x_b}(\theta + \delta\theta) - C_{g x_b}(\theta)$. Per ket,
    $\epsilon$ is such that the prediction for the ket's own loss is the share `relative` of it. With `metric="euclidean"` it is a step of
    gradient descent, with `Adam.from_run` one of the optimiser's own (without its momentum), with `gauss_newton` the natural-gradient step
    within the span.

    Result: `predicted`, `measured` [element, ket, bra] (negative = the loss falls), `loss` [element, bra], and over all pairs `slope` (of
    measured on predicted through the origin; 1 = right size) and `correlation` (Pearson), both also `_by_element`. Losses and derivatives
    are taken in float64 by default: a change of a thousandth of a loss drowns in float32.

    * `model`: a `torch.nn.Module`, in evaluation mode while it is measured.
    * `data`: `Trajectories`; `Examples` of any map where `group` is a `Symmetry`.
    * `group`: a `Symmetry`, a `Group`, or its name ("d4", "tx8").
    * `damping`: $\lambda$, added to the curvature; only with the name of a metric that has one. None: 1e-6.
    * `elements`: names of the elements to look at; None: all that `group.probes()` gives.
    * `trajectories`: how many trajectories, drawn at random by `seed`; None: all.
    * `times`: how many transitions of each, evenly spread over its time; None: all.
    * `metric`: $\chi$, a name or a `Metric`, as in `influence`.
    * `kets`: how many examples step, each by itself.
    * `relative`: share of a ket's own loss that its step is predicted to take away.
    * `loss`: that of one example, as in `influence`.
    * `bra_loss`: another loss on the bra's side, as in `influence`.
    * `precision`: 64 (float64), or model: the precision that the model has.
    * `seed`: of the random choice of transitions (and of what is resampled); the same seed gives the same result.
    * `chunk`: examples whose gradients are taken at once; changes memory and time, and no number beyond rounding.
    * `progress`: called with (done, total) after each piece of work; None: nothing is said.

    Where it fails: a loss that is far from linear over the step; make `relative` smaller. Raises what `influence` raises.
    """
    if not 0 < relative < 1:
        raise OrbitscopeError(f"step_test: `relative` should lie between 0 and 1, got {relative}.")
    if kets < 1:
        raise OrbitscopeError(f"step_test: `kets` should be at least 1, got {kets}.")
    if precision == "64":
        model = _doubled(model)
    subject = Subject.of(model, data)
    rule = metric_of(metric, damping)
    group, chosen, symmetry = resolve(data, group, elements, subject.frames)
    pairs = sample_for(subject, data, trajectories=trajectories, times=times, seed=seed)
    loss = default_loss(symmetry.output, pairs.y) if loss is None else loss
    other = loss if bra_loss is None else named_loss(bra_loss, data)
    plan = plan_influence(subject, pairs.x, rule, elements=1, chunk=chunk)
    task = Task(subject, pairs, loss, other, symmetry, plan)
    gradients, ket_loss = task.kets()
    picked = np.unique(np.linspace(0, len(pairs.x) - 1, min(kets, len(pairs.x))).round().astype(int))
    chosen_kets, fixed = torch.as_tensor(picked, device=subject.device), None
    predicted, measured, losses = [], [], []
    for done, g in enumerate(chosen, 1):
        bras, before = (gradients, ket_loss) if task.same(g) else task.bras(g)
        if fixed is None or not rule.fixed:
            fixed = rule.directions(task, gradients, bras, chosen_kets)
        directions = fixed  # chi^-1 ket, [kets, p]
        size = relative * ket_loss[picked].double() / gram(directions, gradients[picked]).diagonal()
        predicted.append(-(gram(directions, bras) * size[:, None]))
        measured.append(torch.stack([_losses(task, g, d, float(s)) - before.double() for d, s in zip(directions, size, strict=True)]))
        losses.append(before)
        if progress is not None:
            progress(done, len(chosen))
    result = _result(predicted, measured, losses, [g.name for g in chosen])
    result.attrs.update(relative=relative, sign="negative = the loss falls", **rule.settings)
    return stamp(result, "step test", group, data, subject, seed=seed, kets=len(picked), **rule.settings)


@torch.no_grad()
def _losses(task: Task, g: Any, direction: Tensor, size: float) -> Tensor:
    """The bra losses [N] after the step."""
    moved = {k: p - size * d for (k, p), d in zip(task.subject.parameters.items(), _parts(task, direction), strict=True)}
    x, y = task.symmetry.pair(g, task.pairs.x, task.pairs.y)
    make = getattr(task.bra_loss, "targets", None)
    y = y if make is None else make(task.subject.last(x), y)
    values = []
    for a, b in zip(x.split(1), y.split(1), strict=True):
        state = (task.subject.last(a),) if getattr(task.bra_loss, "needs_state", False) else ()
        values.append(task.bra_loss(task.subject(moved, a), b, *state))
    return torch.stack(values).double()


def _parts(task: Task, direction: Tensor) -> list[Tensor]:
    return list(unflatten(direction, task.subject.parameters).values())


def _doubled(model: nn.Module) -> nn.Module:
    try:
        return doubled(model)
    except (RuntimeError, TypeError, NotImplementedError) as error:
        raise OrbitscopeError(
            f"step_test: the model cannot be converted to float64 ({error}). Use precision='model', with a larger `relative`."
        ) from error


def _result(predicted: list[Tensor], measured: list[Tensor], losses: list[Tensor], names: list[str]) -> xr.Dataset:
    a, b = (torch.stack(v).double().cpu().numpy() for v in (predicted, measured))
    dims = ("element", "ket", "bra")
    result = xr.Dataset(
        {
            "predicted": (dims, a, {"long_name": "change of the bra's loss by -step * influence", "units": "loss"}),
            "measured": (dims, b, {"long_name": "change of the bra's loss by the step that was taken", "units": "loss"}),
            "loss": (("element", "bra"), torch.stack(losses).double().cpu().numpy(), {"units": "loss"}),
            "slope": _slope(a, b),
            "correlation": _correlation(a, b),
            "slope_by_element": ("element", [_slope(x, y) for x, y in zip(a, b, strict=True)]),
            "correlation_by_element": ("element", [_correlation(x, y) for x, y in zip(a, b, strict=True)]),
        },
        coords={"element": names},
    )
    return result


def _slope(predicted: np.ndarray, measured: np.ndarray) -> float:
    below = float((predicted**2).sum())
    return float((predicted * measured).sum()) / below if below > 0 else float("nan")


def _correlation(predicted: np.ndarray, measured: np.ndarray) -> float:
    if predicted.size < 2 or predicted.std() == 0 or measured.std() == 0:
        return float("nan")
    return float(np.corrcoef(predicted.ravel(), measured.ravel())[0, 1])
