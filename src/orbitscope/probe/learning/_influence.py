"""Influence: how much a gradient step on a state lowers the loss at its symmetric copy."""

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ..._errors import LearningError, OrbitscopeError
from ..._executor import Where, run_parts
from ...data import Examples, Trajectories
from ...nn import symmetrize
from ...symmetry import FiniteGroup, GridAction, Group, Symmetry
from .._gradients import Loss, example_gradients, gram
from .._measure import default_loss
from .._provenance import actions_of, stamp
from .._sample import Transitions, resolve, sample_for
from .._subject import Subject
from ._curvature import metric_of
from ._engine import Answer, Engine, Task
from ._losses import bra_loss as named_loss
from ._memory import Plan
from ._metric import Metric
from ._normalise import cosine
from ._permutation import trajectories_needed
from ._plan import plan_influence
from ._statistics import medians, summarise


def influence(
    model: nn.Module,
    data: Trajectories | Examples,
    group: Symmetry | Group | str,
    *,
    metric: str | Metric = "gauss_newton",
    damping: float | None = None,
    elements: list[str] | None = None,
    trajectories: int | None = 8,
    times: int | None = 3,
    loss: Loss | None = None,
    bra_loss: str | Loss | None = None,
    sketch: int | None = None,
    lead: int = 1,
    seed: int = 0,
    chunk: int = 8,
    memory: str | int | None = None,
    control: bool = False,
    planned: Callable[[Plan], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
    executor: Where = None,
) -> xr.Dataset:
    r"""Influence of each ket x on each bra gx, for every element, in one metric:

    $$I(g x_b, x_k) = (\partial_\mu C_{g x_b})\, \chi^{\mu\nu}\, (\partial_\nu C_{x_k}), \qquad C_x = \mathrm{loss}(f_\theta(x), y)$$

    Sign: positive = a small step on the ket (x_k, y_k) lowers the loss of the bra (g x_b, g y_b). Unit: loss squared per metric, so
    there is no canonical scale; `coherence` is $I(gx, x') / \sqrt{I(gx, gx)\, I(x', x')}$ in [-1, 1], and `normalised` offers others.

    * `loss`: (prediction, target) of one example; by default the scaled mean squared error on a grid, squares in units of each field's mean
      square for other values, cross-entropy for classes.
    * `metric`: euclidean, gauss_newton, gauss_newton_full, kronecker, or a `Metric` (see each; `Adam.from_run` for the optimiser's own).
      It is taken over the untransformed kets.
    * `bra_loss`: another loss on the bra's side (mass, momentum, energy, divergence, residual, or a callable; see `bra_loss`): does a step
      on the data loss also help there?
    * `sketch`: probes per example, for large groups with gauss_newton: the curvature between bras is estimated from random output probes
      drawn once for all elements (`SketchEngine`), with `coherence_error`, a standard error per entry.
    * `lead`: how many stored times after the last state that the model sees its answer is due, for one that leaps (`Unrolled`).
    * `memory`: a budget such as "4GiB", from which the batch sizes follow; None: `chunk` examples at a time. Neither changes a number
      beyond rounding.
    * `chunk`: examples whose gradients are taken at once, where there is no budget.
    * `planned`: called with the `Plan` before the work begins; None: nothing is said.
    * `control`: whether the group-averaged model is measured as well, which must have coherence 1.

    Result, dimensions [element, bra_time, bra_trajectory, ket_time, ket_trajectory]: `influence`, `coherence`; `bra_self`, `loss` [element,
    bra_time, bra_trajectory]; `ket_self` [element, ket_time, ket_trajectory]; and per element, over same-transition pairs against the null
    of different trajectories at the same time: `response`, `null` (medians, with quartiles `_low`, `_high`), `excess` (difference, with a
    bootstrap 95 % interval over trajectories), `p_value`, `p_holm`, `p_least` (two-sided permutation test, see `learning_words`; attribute
    `test` says what it can show: a single trajectory has no null, and with few of them no outcome is significant), `kept_rank`,
    `condition`, `residual` (of the linear systems, where iterated); `response_by_damping` [damping, element] and `null_by_damping` over
    four decades of damping, for gauss_newton; `control`, the coherence of the group-averaged model of this one, which must be 1 (NaN for
    interpolated elements).

    Gradients run over the whole module through torch.func; no layer is special.

    * `model`: a `torch.nn.Module`, in evaluation mode while it is measured.
    * `data`: `Trajectories`; `Examples` of any map where `group` is a `Symmetry`.
    * `group`: a `Symmetry`, a `Group`, or its name ("d4", "tx8").
    * `damping`: $\lambda$, added to the curvature; only with the name of a metric that has one. None: 1e-6.
    * `elements`: names of the elements to look at; None: all that `group.probes()` gives.
    * `trajectories`: how many trajectories, drawn at random by `seed`; None: all.
    * `times`: how many transitions of each, evenly spread over its time; None: all.
    * `seed`: of the random choice of transitions (and of what is resampled); the same seed gives the same result.
    * `progress`: called with (done, total) after each piece of work; None: nothing is said.
    * `executor`: where the bras of each element are computed (see `executor`); every worker keeps the kets, so the memory is needed once
      for each. A metric that looks at all elements together (`Metric.by_element`) is computed here. None: here.

    Where it fails: coherence alone says little. Late in training it can vanish for a model that commutes well, early it is high between
    unrelated states; read `excess` with the equivariance error beside it. An excess above 0 says that the step is specific to this state,
    not that training on copies helps: `coherence_blocks` shows which elements share learning, `transfer_test` what training on copies
    does. An interpolated element moves x and y with its own error.

    Raises `OrbitscopeError` for a model that cannot be probed or differentiated, data without transitions, an unknown metric, a budget
    that is too small.
    """
    subject = Subject.of(model, data)
    if not subject.parameters:
        raise LearningError("model: it has no parameters, so it learns nothing to share; influence is not defined.")
    for name, value in (("chunk", chunk), ("lead", lead)):
        if value < 1:
            raise OrbitscopeError(f"influence: `{name}` must be at least 1, got {value}.")
    rule = metric_of(metric, damping)
    if sketch is not None:
        rule = rule.sketched(sketch)
    group, chosen, symmetry = resolve(data, group, elements, subject.frames)
    asked = (model, data, symmetry, trajectories, times, seed, lead, loss, bra_loss, rule, len(chosen), memory, chunk)
    task = _task(*asked)
    pairs, loss, other, plan = task.pairs, task.ket_loss, task.bra_loss, task.plan
    if planned is not None:
        planned(plan)
    unreached = task.unreached()
    answers: list[Answer] = []
    if executor is None or not rule.by_element:
        engine = rule.engine(task)
        for done, answer in enumerate(engine.run(chosen), 1):
            answers.append(answer)
            if progress is not None:
                progress(done, len(chosen))
        check = engine.check
    else:
        checks = []
        found = run_parts(executor, chosen, _of_element, _engine, asked, name=lambda g: g.name, bundle=True, finished=progress)
        with contextlib.closing(found):
            for answer, of_engine in found:
                answers.append(answer.to(pairs.x.device))
                checks.append(of_engine)
        check = checks[0]  # every worker looks at the same gradients
    result = _dataset(answers, pairs, chosen)
    result = result.merge(_sweep(rule, answers, len(pairs.x), subject.dtype, chosen, pairs))
    if control:
        result["control"] = ("element", _control(subject, pairs, group, chosen, symmetry, loss))
        result["control"].attrs.update(long_name="coherence of the group-averaged model with itself; 1 if all is right", units="1")
    for name, value in summarise(result["coherence"], seed, identity=group.identity.name).items():
        result[name] = value
    names = [getattr(one, "__name__", type(one).__name__) for one in (loss, other)]
    result.attrs.update(
        sign="positive = a step on the ket lowers the bra's loss",
        loss=names[0],
        bra_loss=names[1],
        pushforward_check=check,
        sketch=getattr(rule, "sketch", None) or 0,
        plan=str(plan),
        without_gradient=json.dumps(unreached),
        test=_said(result, len(pairs.trajectories)),
        **actions_of(symmetry),
        **rule.settings,
    )
    return stamp(
        result, "influence", group, data, subject, seed=seed, trajectories=len(pairs.trajectories), times=len(pairs.times), **rule.settings
    )


def _task(
    model: nn.Module,
    data: Trajectories | Examples,
    symmetry: Symmetry,
    trajectories: int | None,
    times: int | None,
    seed: int,
    lead: int,
    loss: Loss | None,
    bra_loss: str | Loss | None,
    rule: Metric,
    elements: int,
    memory: str | int | None,
    chunk: int,
) -> Task:
    """What the engine needs, from what `influence` was asked for."""
    subject = Subject.of(model, data)
    pairs = sample_for(subject, data, trajectories=trajectories, times=times, seed=seed, lead=lead)
    loss = default_loss(symmetry.output, pairs.y) if loss is None else loss
    later = data.replace(dt=lead * data.dt) if isinstance(data, Trajectories) else data
    other = loss if bra_loss is None else named_loss(bra_loss, later)
    return Task(
        subject, pairs, loss, other, symmetry, plan_influence(subject, pairs.x, rule, elements=elements, memory=memory, chunk=chunk)
    )


def _engine(*asked: Any) -> Engine:
    task = _task(*asked)
    return asked[9].engine(task)


def _of_element(engine: Engine, g: Any) -> tuple[Answer, float]:
    """One element, and the check of the engine that found it."""
    (answer,) = engine.run([g])
    return answer, engine.check


def _said(result: xr.Dataset, trajectories: int) -> str:
    """What the test of the excess is, and what it can show."""
    tested = int(np.isfinite(result["p_holm"].values).sum())
    if trajectories == 1:
        needed = trajectories_needed(max(1, result.sizes["element"] - 1))
        return f"none: one trajectory has no other to compare with, so null, excess and p-values are NaN; probe at least {needed}"
    if not tested:
        return "none: no element but the identity, or no coherence that is defined"
    needed = trajectories_needed(tested)
    can = "" if trajectories >= needed else f"; no outcome can be significant at 5 %, which takes at least {needed} trajectories"
    return f"two-sided permutation test over {trajectories} trajectories, Holm's correction for {tested} elements{can}"


def _dataset(answers: list[Answer], pairs: Transitions, chosen: tuple[Any, ...]) -> xr.Dataset:
    shape = (len(pairs.times), len(pairs.trajectories))
    bra, ket = ("element", "bra_time", "bra_trajectory"), ("element", "ket_time", "ket_trajectory")

    def stack(values: list[Tensor], *tail: int) -> np.ndarray:
        return torch.stack(values).double().cpu().numpy().reshape(len(values), *shape, *tail)

    result = xr.Dataset(
        {
            "influence": ((*bra, *ket[1:]), stack([a.response.cross for a in answers], *shape)),
            "bra_self": (bra, stack([a.response.bra for a in answers])),
            "ket_self": (ket, stack([a.response.ket for a in answers])),
            "loss": (bra, stack([a.loss for a in answers])),
            "kept_rank": ("element", [a.response.rank for a in answers]),
            "condition": ("element", [a.response.condition for a in answers]),
            "residual": ("element", [a.response.residual for a in answers]),
        },
        coords={
            "element": [g.name for g in chosen],
            **{f"{side}_time": list(pairs.times) for side in ("bra", "ket")},
            **{f"{side}_trajectory": list(pairs.trajectories) for side in ("bra", "ket")},
        },
    )
    result["influence"].attrs.update(
        long_name="influence, bra . chi^-1 . ket; positive = a step on the ket lowers the bra's loss", units="loss^2"
    )
    result["coherence"] = cosine(result)
    result["coherence"].attrs.update(long_name="cosine-normalised influence", units="1")
    errors = [a.error for a in answers if a.error is not None]
    if len(errors) == len(answers):
        result["coherence_error"] = ((*bra, *ket[1:]), stack(errors, *shape))
        result["coherence_error"].attrs.update(long_name="standard error of the coherence from random probes (jackknife)", units="1")
    return result


def _sweep(rule: Metric, answers: list[Answer], kets: int, dtype: torch.dtype, chosen: tuple[Any, ...], pairs: Transitions) -> xr.Dataset:
    """Medians of same-transition and unrelated coherence for other dampings, from the matrices at hand: does a conclusion hang on it?"""
    rules = rule.sweep()
    if not rules or any(a.gram is None for a in answers):
        return xr.Dataset()
    same_time = torch.as_tensor(pairs.time_of[:, None] == pairs.time_of[None, :])
    apart = (same_time & ~torch.eye(kets, dtype=torch.bool)).numpy()
    response, null = np.full((2, len(rules), len(answers)), np.nan)
    for i, one in enumerate(rules):
        for j, a in enumerate(answers):
            assert a.gram is not None
            r = one.response(a.gram, a.pushed, kets, dtype)
            coherence = (r.cross / (r.bra[:, None] * r.ket[None, :]).sqrt()).cpu().numpy()
            response[i, j] = medians(coherence.diagonal()[None])[0]
            if apart.any():
                null[i, j] = medians(coherence[apart][None])[0]  # undefined where no gradient is left, as of a critic of constant rewards
    dims = ("damping", "element")
    about = {"units": "1", "long_name": "median coherence at another damping, same transition and unrelated"}
    return xr.Dataset(
        {"response_by_damping": (dims, response, about), "null_by_damping": (dims, null, about)},
        coords={"damping": [one.damping for one in rules], "element": [g.name for g in chosen]},  # pyright: ignore[reportAttributeAccessIssue]
    )


def _control(subject: Subject, pairs: Transitions, group: Group, chosen: tuple[Any, ...], symmetry: Symmetry, loss: Loss) -> np.ndarray:
    """Coherence, on one transition, of the group average with itself: its loss at gx and at x is one function of the parameters.

    The average runs over the elements that act without resampling, a subgroup; the others have no exact average, so NaN.
    """
    if not symmetry.output.linear or not isinstance(group, FiniteGroup):
        return np.full(len(chosen), np.nan)
    exact = Group(group.name, [g for g in group if symmetry.is_exact(g)])
    acting = symmetry.output if isinstance(symmetry.output, GridAction) and symmetry.input == symmetry.output else symmetry
    averaged = symmetrize(subject.module, exact, acting)
    subject = replace(Subject.of(averaged), answer=subject.answer)
    x, y = pairs.x[:1], pairs.y[:1]
    ket = example_gradients(subject, loss, x, y, 1)[0]
    values = []
    for g in chosen:
        if g not in exact:
            values.append(float("nan"))
            continue
        bra = example_gradients(subject, loss, *symmetry.pair(g, x, y), 1)[0]
        values.append(float(gram(bra, ket) / (gram(bra, bra) * gram(ket, ket)).sqrt()))
    return np.array(values)
