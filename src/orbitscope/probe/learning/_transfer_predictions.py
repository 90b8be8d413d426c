"""What a transfer between elements can be predicted from: gradients, errors, and how far the states lie apart."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...data import Examples, Trajectories
from ...symmetry import Group, Symmetry
from .._gradients import Loss, example_gradients
from .._measure import default_loss
from .._provenance import stamp
from .._sample import Transitions, resolve, sample_for
from .._subject import Subject
from ._blocks import coherence_blocks
from ._curvature import metric_of
from ._metric import Metric

Array = NDArray[np.float64]
Predictor = Literal["influence", "cosine", "sign_ket", "coherence", "excess", "error", "distance"]
PAIR = ("ket_element", "bra_element")
_WORDS = {
    "influence": "sum of influences, gradient at h . inverse metric . gradient on copies under g",
    "cosine": "cosine of the mean gradient at h and that on copies under g",
    "sign_ket": "gradient at h . sign of the gradient on copies under g",
    "coherence": "median coherence of hx and gx",
    "excess": "coherence minus that of different trajectories at one time",
    "error": "loss at h of the model alone: the baseline that needs no gradient",
    "distance": "minus the median distance from hx to the nearest training copy under g: the baseline that needs no model",
}
_UNITS = {"influence": "loss^2", "sign_ket": "loss", "error": "loss", "distance": "that of the states"}


def transfer_predictions(
    model: nn.Module,
    data: Trajectories | Examples,
    held_out: Trajectories | Examples,
    group: Symmetry | Group | str,
    *,
    metric: str | Metric | Sequence[str | Metric] = "euclidean",
    predictors: Sequence[Predictor] | None = None,
    elements: list[str] | None = None,
    trajectories: int | None = 16,
    times: int | None = 4,
    loss: Loss | None = None,
    seed: int = 0,
    chunk: int = 8,
) -> xr.Dataset:
    r"""What training on the copies under g should do at h, by several predictors; `transfer_test` trains and says which of them is right.

    With $k_g$ the mean gradient on training transitions moved by g, and $b_h$ that on held-out transitions moved by h,

    $$\mathrm{influence} = b_h \cdot \chi^{-1} k_g, \quad \mathrm{sign\_ket} = b_h \cdot \mathrm{sign}\, k_g, \quad
    \mathrm{cosine} = \frac{b_h \cdot \chi^{-1} k_g}{\sqrt{(b_h \cdot \chi^{-1} b_h)(k_g \cdot \chi^{-1} k_g)}}$$

    Result [ket_element g, bra_element h]: those three; `coherence` and `excess` of `coherence_blocks` on the held-out transitions, with
    `block` [bra_element]; `error`, the loss at h, whatever g: the baseline without gradients; `distance`, minus the median distance (root
    of the sum of squares, in the unit of the states) from a held-out hx to the nearest training copy gx': the baseline without a model.
    Larger = more help is predicted, of each of them.

    * `model`: a `torch.nn.Module`, in evaluation mode while it is measured.
    * `data`, `held_out`: where the steps would be taken, where the losses would be measured.
    * `group`: a `Symmetry`, a `Group`, or its name ("d4", "tx8").
    * `metric`: $\chi$, also of the coherence. `gauss_newton`: restricted to the span of the mean gradients $k_g$, $b_h$ (for the coherence:
      to that of the copies at one time); `Adam.from_run(folder)`: the metric of the optimiser. Of several, which share the gradients, the
      first is meant by the plain names, and the influence and the cosine of the others bear their name: `influence_adam`.
    * `predictors`: names of those that are wanted; None: all.
    * `elements`: names of the elements to look at; None: all that `group.probes()` gives.
    * `trajectories`: how many of each of the two, drawn at random by `seed`; None: all.
    * `times`: how many transitions of each trajectory, evenly spread over its time; None: all.
    * `loss`: a function (prediction, target); None: the one of `influence`.
    * `seed`: of the random choice of transitions (and of what is resampled).
    * `chunk`: examples whose gradients are taken at once; changes memory and time, and no number beyond rounding.

    Raises `OrbitscopeError` for wrong arguments and what `influence` and `coherence_blocks` raise.
    """
    wanted = _wanted(predictors)
    rules = [metric_of(m) for m in ((metric,) if isinstance(metric, str | Metric) else metric)]
    if not rules:
        raise OrbitscopeError("transfer_predictions: `metric` should name at least one metric.")
    subject = Subject.of(model, data)
    group, chosen, symmetry = resolve(data, group, elements, subject.frames)
    same_kind(data, held_out)
    train, test = (sample_for(subject, one, trajectories=trajectories, times=times, seed=seed) for one in (data, held_out))
    loss = default_loss(symmetry.output, train.y) if loss is None else loss
    names, found, block = [g.name for g in chosen], {}, None
    if not wanted.isdisjoint(("coherence", "excess")):
        shown = coherence_blocks(
            model,
            held_out,
            group,
            metric=rules[0],
            elements=names,
            trajectories=trajectories,
            times=times,
            loss=loss,
            seed=seed,
            chunk=chunk,
        )
        found = {n: shown[n].transpose(*PAIR).values for n in ("coherence", "excess")}
        block = shown["block"].values
    if not wanted.isdisjoint(("influence", "cosine", "sign_ket")):
        found |= _of_gradients(subject, train, test, chosen, symmetry, loss, rules, chunk)
    if "error" in wanted:
        found["error"] = np.tile([mean_loss(subject.module, test, g, symmetry, loss, chunk) for g in chosen], (len(chosen), 1))
    if "distance" in wanted:
        found["distance"] = _distance(train, test, chosen, symmetry)
    result = xr.Dataset(coords={d: names for d in PAIR}, attrs={"metric": rules[0].name, "transitions": len(train.x)})
    for kind in (k for k in get_args(Predictor) if k in wanted):
        for name in (n for n in found if n == kind or n.startswith(f"{kind}_")):
            other = name[len(kind) + 1 :]
            about = {"long_name": _WORDS[kind] + (f", metric {other}" if other else ""), "units": _UNITS.get(kind, "1")}
            result[name] = (PAIR, found[name], about)
    if block is not None:
        result["block"] = ("bra_element", block, {"long_name": "block of elements that share learning", "units": "1"})
    return stamp(result, "transfer predictions", group, data, subject, seed=seed, metric=", ".join(r.name for r in rules))


def _wanted(predictors: Sequence[str] | None) -> set[str]:
    known = get_args(Predictor)
    if unknown := [p for p in predictors or () if p not in known]:
        raise OrbitscopeError(f"transfer_predictions: `predictors` must be of {', '.join(known)}; got {unknown[0]!r}.")
    return set(known if predictors is None else predictors)


def same_kind(data: Trajectories | Examples, held_out: Trajectories | Examples) -> None:
    """Raise `OrbitscopeError` unless one model can answer to both, and be judged by one loss."""
    if type(data) is not type(held_out):
        raise OrbitscopeError(
            f"transfer_test: `data` are {type(data).__name__}, `held_out` {type(held_out).__name__}; both should be one kind."
        )
    if isinstance(data, Examples):
        return
    for what in ("layout", "grid", "dt"):
        mine, other = getattr(data, what), getattr(held_out, what)
        if mine != other:
            raise OrbitscopeError(f"transfer_test: `data` and `held_out` differ in {what}: {mine} and {other}.")


def loss_of(model: nn.Module, x: Tensor, y: Tensor, loss: Loss) -> Tensor:
    """Mean over examples of the loss of each; a loss of one example need not be that of a batch."""
    answer = model(x)
    if getattr(loss, "needs_state", False):
        last = x[:, x.shape[1] - y.shape[1] :]
        return torch.func.vmap(lambda p, t, s: loss(p[None], t[None], s[None]))(answer, y, last).mean()
    return torch.func.vmap(lambda p, t: loss(p[None], t[None]))(answer, y).mean()


@torch.no_grad()
def mean_loss(model: nn.Module, pairs: Transitions, g: Any, symmetry: Symmetry, loss: Loss, chunk: int) -> float:
    """On the copies under g of all transitions."""
    x, y = symmetry.pair(g, pairs.x, pairs.y)
    parts = zip(x.split(max(chunk, 32)), y.split(max(chunk, 32)), strict=True)
    return sum(float(loss_of(model, a, b, loss).double()) * len(a) for a, b in parts) / len(x)


def _of_gradients(
    subject: Subject, train: Transitions, test: Transitions, chosen: tuple[Any, ...], symmetry: Symmetry, loss: Loss,
    rules: list[Metric], chunk: int,
) -> dict[str, Array]:  # fmt: skip
    """[g, h]: products of the mean gradients in the metric, their cosines, and the products with the sign of the ket."""

    def mean(pairs: Transitions, g: Any) -> Tensor:
        x, y = symmetry.pair(g, pairs.x, pairs.y)
        total = torch.zeros(subject.count, dtype=torch.float64, device=subject.device)
        for a, b in zip(x.split(chunk), y.split(chunk), strict=True):
            total += example_gradients(subject, loss, a, b, chunk)[0].double().sum(0)
        return total / len(x)

    kets, bras = (torch.stack([mean(pairs, g) for g in chosen]) for pairs in (train, test))
    both = torch.cat([kets, bras])  # together, because a metric may be restricted to the span of what it is given
    found = {"sign_ket": kets.sign() @ bras.T}
    for k, rule in enumerate(rules):
        stepped = rule.lift(subject, train.x, chunk, "transfer_test")(both.to(subject.dtype)).double()
        products, own = stepped[: len(kets)] @ bras.T, (stepped * both).sum(1).clamp_min(0).sqrt()
        scale = own[: len(kets), None] * own[None, len(kets) :]
        name = f"_{rule.name}" if k else ""
        found |= {f"influence{name}": products, f"cosine{name}": torch.where(scale > 0, products / scale, torch.nan)}
    return {name: values.cpu().numpy() for name, values in found.items()}


def _distance(train: Transitions, test: Transitions, chosen: tuple[Any, ...], symmetry: Symmetry) -> Array:
    """[g, h]: minus the median over held-out hx of the distance to the nearest training copy gx'."""

    def moved(pairs: Transitions, g: Any) -> Tensor:
        return symmetry.pair(g, pairs.x, pairs.y)[0].double().flatten(1)

    kets, bras = ([moved(pairs, g) for g in chosen] for pairs in (train, test))
    return np.array([[-float(torch.cdist(b, k).amin(1).median()) for b in bras] for k in kets])
