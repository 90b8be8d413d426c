"""The loss along the straight line between two models, element by element."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...data import Examples, Trajectories
from ...symmetry import Group, Symmetry
from .._gradients import Loss
from .._measure import default_loss, predict
from .._provenance import stamp
from .._sample import resolve, sample_for
from .._subject import Parameters, Subject

Space = Literal["weights", "answers"]


def loss_along_line(
    first: nn.Module,
    second: nn.Module,
    data: Trajectories | Examples,
    group: Symmetry | Group | str,
    *,
    space: Space = "weights",
    points: int = 11,
    elements: list[str] | None = None,
    trajectories: int | None = 8,
    times: int | None = 3,
    loss: Loss | None = None,
    seed: int = 0,
    batch: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    r"""Loss of the models between two models, on every copy of the transitions: are they in one basin, and in that of every element?

    $$L_g(a) = \mathrm{mean}_n\, \mathrm{loss}\big(f_a(g x_n), g y_n\big), \qquad
    f_a = f_{(1 - a)\, \theta_0 + a\, \theta_1} \ \text{or}\ (1 - a) f_0 + a f_1$$

    Result: `loss` [element, position, transition]; `barrier` [element], $\max_a L_g(a) - (1 - a) L_g(0) - a L_g(1)$, by how much the
    path rises above the straight line between its ends (0: it never does); `relative_barrier` [element], over the larger of the two
    ends: 1 = the rise doubles the error.

    * `first`, `second`: the ends, a = 0 and 1. With `space="weights"` both have the same parameters by name and shape.
    * `data`: `Trajectories`; `Examples` of any map where `group` is a `Symmetry`.
    * `group`: a `Symmetry`, a `Group`, or its name ("d4", "tx8").
    * `space`: "weights" mixes all parameters, and the floating-point buffers (normalisation, running statistics); "answers" mixes the
      answers, for models without common weights, such as a model and its average over a group (`nn.Symmetrized`).
    * `points`: values of a, evenly from 0 to 1, at least 3.
    * `elements`: names of the elements to look at; None: all that `group.probes()` gives.
    * `trajectories`: how many trajectories, drawn at random by `seed`; None: all.
    * `times`: how many transitions of each, evenly spread over its time; None: all.
    * `loss`: that of one example, as in `influence`; None: its default.
    * `seed`: of the random choice of transitions; the same seed gives the same result.
    * `batch`: states given to a model at a time.
    * `progress`: called with (done, total) after each point; None: nothing is said.

    What it says: no barrier between two checkpoints means that training did not leave the basin. What it does not: a barrier between two
    seeds need not be there once their hidden units are put in the same order, and running statistics of batch norms between the ends
    are not those of the model there. A loss that is convex in the answer has no barrier with `space="answers"`.

    Raises `OrbitscopeError` for models whose weights do not match, and what `influence` raises. Source: Frankle et al. 2020, "Linear mode
    connectivity and the lottery ticket hypothesis" (the barrier); per element it is new here.
    """
    if points < 3:
        raise OrbitscopeError(f"loss_along_line: `points` should be at least 3, the ends and one between, got {points}.")
    if space not in ("weights", "answers"):
        raise OrbitscopeError(f"loss_along_line: `space` must be 'weights' or 'answers', got {space!r}.")
    ends = [Subject.of(one, data) for one in (first, second)]
    if space == "weights":
        _check_ends(ends[0], ends[1])
    if ends[0].frames != ends[1].frames:
        raise OrbitscopeError(f"loss_along_line: `first` sees {ends[0].frames} frames and `second` {ends[1].frames}. Give two alike.")
    group, chosen, symmetry = resolve(data, group, elements, ends[0].frames)
    pairs = sample_for(ends[0], data, trajectories=trajectories, times=times, seed=seed)
    loss = default_loss(symmetry.output, pairs.y) if loss is None else loss
    where = np.linspace(0.0, 1.0, points)
    rows = np.empty((len(chosen), points, len(pairs.x)))
    copies = [symmetry.pair(g, pairs.x, pairs.y) for g in chosen]
    answers = [[predict(end.module, x, batch) for end in ends] for x, _ in copies] if space == "answers" else []
    for k, a in enumerate(where):
        between = _between(ends[0], ends[1], float(a)) if space == "weights" else None
        for i, (x, y) in enumerate(copies):
            if between is None:
                answer = answers[i][0].lerp(answers[i][1], float(a))
            else:
                answer = torch.cat([_answer(between, part) for part in x.split(batch)])
            rows[i, k] = _each(loss, answer, y, ends[0].last(x))
        if progress is not None:
            progress(k + 1, points)
    result = _result(rows, where, [g.name for g in chosen])
    result.attrs["space"] = space
    return stamp(result, "loss along a line", group, data, ends[0], seed=seed, space=space, points=points)


def _check_ends(first: Subject, second: Subject) -> None:
    """Raise where the weights of two models cannot be mixed."""
    for what, one, other in (
        ("parameters", first.parameters, second.parameters), ("buffers", first.buffers, second.buffers),
    ):  # fmt: skip
        shapes, others = ({k: tuple(v.shape) for k, v in side.items()} for side in (one, other))
        if shapes != others:
            name = next(k for k in [*shapes, *others] if shapes.get(k) != others.get(k))
            raise OrbitscopeError(
                f"loss_along_line: the {what} of `first` and `second` do not match: {name!r} has shape {shapes.get(name)} and "
                f"{others.get(name)}. Give two models of one architecture, or space='answers'."
            )


def _between(first: Subject, second: Subject, a: float) -> tuple[Subject, Parameters]:
    mixed = {k: v.lerp(second.parameters[k].to(v), a) for k, v in first.parameters.items()}
    buffers: dict[str, Any] = {k: v.lerp(second.buffers[k].to(v), a) if v.is_floating_point() else v for k, v in first.buffers.items()}
    return replace(first, buffers=buffers), mixed


@torch.no_grad()
def _answer(model: tuple[Subject, Parameters], states: Tensor) -> Tensor:
    subject, parameters = model
    return subject(parameters, states)


@torch.no_grad()
def _each(loss: Loss, answer: Tensor, target: Tensor, state: Tensor) -> np.ndarray:
    """The loss of every example by itself, [N]."""
    make = getattr(loss, "targets", None)
    target = target if make is None else make(state, target)
    sees = getattr(loss, "needs_state", False)
    parts = zip(answer.split(1), target.split(1), state.split(1), strict=True)
    return torch.stack([loss(p, t, s) if sees else loss(p, t) for p, t, s in parts]).double().cpu().numpy()


def _result(rows: np.ndarray, where: np.ndarray, names: list[str]) -> xr.Dataset:
    means = rows.mean(-1)
    straight = (1 - where) * means[:, :1] + where * means[:, -1:]
    barrier = (means - straight).max(1)
    larger = np.maximum(means[:, 0], means[:, -1])
    result = xr.Dataset(coords={"element": names, "position": where})
    result["position"].attrs.update(long_name="part of the way from the first model to the second", units="1")
    result["loss"] = (("element", "position", "transition"), rows, {"long_name": "loss of each copy", "units": "loss"})
    result["barrier"] = ("element", barrier, {"long_name": "largest rise above the straight line between the ends", "units": "loss"})
    about = {"long_name": "barrier over the larger of the ends", "units": "1"}
    result["relative_barrier"] = ("element", np.divide(barrier, larger, out=np.full_like(barrier, np.nan), where=larger > 0), about)
    return result
