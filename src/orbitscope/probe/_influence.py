"""Influence: how much a gradient step on a state lowers the loss at its symmetric copy."""

from collections.abc import Callable

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ..data import Trajectories
from ..emulators import smse
from ..nn import symmetrize
from ..symmetry import GridAction, Group, Isometry
from ._gradients import Loss, check_pushforward, example_gradients, gram, pushforward
from ._metric import Metric, Response, metric_of
from ._normalise import cosine
from ._provenance import stamp
from ._sample import Transitions, resolve, sample_transitions
from ._statistics import summarise
from ._subject import Subject, check_module

_PUSHFORWARD_TOLERANCE = 1e-2


def influence(
    model: nn.Module,
    data: Trajectories,
    group: Group | str,
    *,
    metric: str | Metric = "gauss_newton",
    damping: float | None = None,
    elements: list[str] | None = None,
    trajectories: int | None = 8,
    times: int | None = 3,
    loss: Loss = smse,
    seed: int = 0,
    chunk: int = 8,
    control: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    r"""Influence of each ket x on each bra gx, for every element, in one metric:

    $$I(g x_b, x_k) = (\partial_\mu C_{g x_b})\, \chi^{\mu\nu}\, (\partial_\nu C_{x_k}), \qquad C_x = \mathrm{loss}(f_\theta(x), y)$$

    Sign: positive = a small step on the ket (x_k, y_k) lowers the loss of the bra (g x_b, g y_b). Unit: loss squared per metric, so
    there is no canonical scale; `coherence` is $I(gx, x') / \sqrt{I(gx, gx)\, I(x', x')}$ in [-1, 1], and `normalised` offers others.

    Result, dimensions [element, bra_time, bra_trajectory, ket_time, ket_trajectory]: `influence`, `coherence`; `bra_self`, `loss` [element,
    bra_time, bra_trajectory]; `ket_self` [element, ket_time, ket_trajectory]; and per element, over same-transition pairs against the null
    of different trajectories at the same time: `response`, `null` (medians, with quartiles `_low`, `_high`), `excess` (difference, with a
    bootstrap 95 % interval over trajectories), `kept_rank`, `condition`; `control`, the coherence of the group-averaged model of this
    one, which must be 1 (NaN for interpolated elements).

    The metric (see `GaussNewton`) is taken over the untransformed kets, the span over kets and bras of one element. Gradients run over the
    whole module through torch.func; no layer is special. Memory: 2 N p numbers for gradients and, for gauss_newton, 2 N * outputs.

    Where it fails: coherence alone says little. Late in training it can vanish for a model that commutes well, early it is high between
    unrelated states; read `excess` with the equivariance error beside it. An interpolated element moves x and y with its own error.

    Raises `OrbitscopeError` for a model that cannot be probed or differentiated, data without transitions, an unknown metric.
    """
    subject = Subject.of(model)
    if not subject.parameters:
        raise OrbitscopeError("model: it has no parameters, so it learns nothing to share; influence is not defined.")
    if chunk < 1:
        raise OrbitscopeError(f"influence: `chunk` must be at least 1, got {chunk}.")
    rule = metric_of(metric, damping)
    group, chosen, action = resolve(data, group, elements)
    pairs = sample_transitions(data, trajectories=trajectories, times=times, seed=seed, dtype=subject.dtype, device=subject.device)
    check_module(model, pairs.x[:2])
    kets, ket_loss = example_gradients(subject, loss, pairs.x, pairs.y, chunk)
    engine = _Engine(subject, rule, pairs, loss, chunk, kets)
    answers, losses = [], []
    for done, g in enumerate(chosen):
        answer, bra_loss = engine.respond(g, action) if g != group.identity else engine.respond_to(kets, ket_loss)
        answers.append(answer)
        losses.append(bra_loss)
        if progress is not None:
            progress(done + 1, len(chosen))
    result = _dataset(answers, losses, pairs, chosen)
    if control:
        result["control"] = ("element", _control(model, pairs, group, chosen, action, loss))
        result["control"].attrs.update(long_name="coherence of the group-averaged model with itself; 1 if all is right", units="1")
    for name, value in summarise(result["coherence"], seed).items():
        result[name] = value
    result.attrs.update(
        sign="positive = a step on the ket lowers the bra's loss",
        loss=getattr(loss, "__name__", type(loss).__name__),
        pushforward_check=engine.check,
        **rule.settings,
    )
    return stamp(
        result, "influence", group, data, subject, seed=seed, trajectories=len(pairs.trajectories), times=len(pairs.times), **rule.settings
    )


class _Engine:
    """Keeps the kets and what the metric needs of them, so that each element costs its own bras only."""

    def __init__(self, subject: Subject, metric: Metric, pairs: Transitions, loss: Loss, chunk: int, kets: Tensor) -> None:
        self.subject, self.metric, self.pairs, self.loss, self.chunk, self.kets = subject, metric, pairs, loss, chunk, kets
        self.own = gram(kets, kets)
        self.check = float("nan")
        if metric.needs_pushforward:
            self.pushed = pushforward(subject, pairs.x, kets, max(chunk, 32))
            self.pushed_own = gram(self.pushed, self.pushed)
            self.check = self._verify()

    def respond(self, g: Isometry, action: GridAction) -> tuple[Response, Tensor]:
        gx, gy = action.pair(g, self.pairs.x, self.pairs.y)
        return self.respond_to(*example_gradients(self.subject, self.loss, gx, gy, self.chunk))

    def respond_to(self, bras: Tensor, bra_loss: Tensor) -> tuple[Response, Tensor]:
        same = bras is self.kets
        matrix = _blocks(self.own, gram(bras, self.kets), self.own if same else gram(bras, bras))
        pushed = None
        if self.metric.needs_pushforward:
            moved = self.pushed if same else pushforward(self.subject, self.pairs.x, bras, max(self.chunk, 32))
            pushed = _blocks(self.pushed_own, gram(moved, self.pushed), gram(moved, moved)) / self.pushed.shape[1]
        return self.metric.response(matrix, pushed, len(self.kets), self.kets.dtype), bra_loss

    def _verify(self) -> float:
        sample = self.pairs.x[:1]
        pushed = self.pushed[0, : sample.numel()]
        gap = check_pushforward(self.subject, sample, self.kets[0], pushed)
        if not gap < _PUSHFORWARD_TOLERANCE:
            raise OrbitscopeError(
                f"model: its forward-mode derivative disagrees with its reverse-mode derivative by {gap:.2g} (relative), so one of them "
                "is wrong: a layer with a jvp of its own, most likely. metric='euclidean' needs the reverse mode only."
            )
        return gap


def _blocks(own: Tensor, cross: Tensor, other: Tensor) -> Tensor:
    return torch.cat([torch.cat([own, cross.T], 1), torch.cat([cross, other], 1)], 0)


def _dataset(answers: list[Response], losses: list[Tensor], pairs: Transitions, chosen: tuple[Isometry, ...]) -> xr.Dataset:
    shape = (len(pairs.times), len(pairs.trajectories))
    bra, ket = ("element", "bra_time", "bra_trajectory"), ("element", "ket_time", "ket_trajectory")

    def stack(values: list[Tensor], *tail: int) -> np.ndarray:
        return torch.stack(values).double().cpu().numpy().reshape(len(values), *shape, *tail)

    result = xr.Dataset(
        {
            "influence": ((*bra, *ket[1:]), stack([a.cross for a in answers], *shape)),
            "bra_self": (bra, stack([a.bra for a in answers])),
            "ket_self": (ket, stack([a.ket for a in answers])),
            "loss": (bra, stack(losses)),
            "kept_rank": ("element", [a.rank for a in answers]),
            "condition": ("element", [a.condition for a in answers]),
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
    return result


def _control(
    model: nn.Module, pairs: Transitions, group: Group, chosen: tuple[Isometry, ...], action: GridAction, loss: Loss
) -> np.ndarray:
    """Coherence, on one transition, of the group average with itself: its loss at gx and at x is one function of the parameters.

    The average runs over the elements that act without resampling, a subgroup; the others have no exact average, so NaN.
    """
    exact = Group(group.name, [g for g in group if action.is_exact(g)])
    subject = Subject.of(symmetrize(model, exact, action))
    x, y = pairs.x[:1], pairs.y[:1]
    ket = example_gradients(subject, loss, x, y, 1)[0]
    values = []
    for g in chosen:
        if g not in exact:
            values.append(float("nan"))
            continue
        bra = example_gradients(subject, loss, *action.pair(g, x, y), 1)[0]
        values.append(float(gram(bra, ket) / (gram(bra, bra) * gram(ket, ket)).sqrt()))
    return np.array(values)
