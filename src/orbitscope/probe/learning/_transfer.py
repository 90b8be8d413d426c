"""Does learning transfer? Fine-tune on the copies under each element, measure all others, and compare with what was predicted."""

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any

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
Factory = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
_RATE = 5e-4
_WORDS = {
    "influence": "sum of influences, gradient at h . inverse metric . gradient on copies under g",
    "sign_ket": "gradient at h . sign of the gradient on copies under g",
    "coherence": "median coherence of hx and gx",
    "excess": "coherence minus that of different trajectories at one time",
    "error": "loss at h of the model alone: the baseline that needs no gradient",
}


def transfer_test(
    model: nn.Module,
    data: Trajectories | Examples,
    held_out: Trajectories | Examples,
    group: Symmetry | Group | str,
    *,
    optimiser: torch.optim.Optimizer | Factory | None = None,
    steps: int = 32,
    batch: int = 16,
    metric: str | Metric = "euclidean",
    elements: list[str] | None = None,
    trajectories: int | None = 16,
    times: int | None = 4,
    blocks: Mapping[str, int | str] | None = None,
    loss: Loss | None = None,
    seed: int = 0,
    chunk: int = 8,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    r"""Train a copy of the model for a few steps on the copies $g(x, y)$ of training transitions, for each g; how does every loss change?

    $$\Delta_{gh} = L_h(\theta) - L_h(\theta_g), \qquad L_h = \mathrm{mean}\, C_{hx}\ \text{over held-out transitions}$$

    Sign: positive = training on copies under g lowers the loss at h. Unit: that of the loss. Every g sees the same transitions in the same
    batches (by `seed`). The model, its optimiser and the random state of torch are untouched afterwards.

    * `data`, `held_out`: where the steps are taken, where the losses are measured.
    * `trajectories`: how many of each of the two, drawn at random by `seed`; None: all.
    * `times`: how many transitions of each trajectory, evenly spread over its time; None: all.
    * `seed`: of every random choice, the order of the batches among them.
    * `optimiser`: the one that trained the model, *with its moments* (an object over the model's parameters; `emulators.kept_optimiser`
      for a run); or a function of the parameters that makes a fresh one; None: a fresh AdamW of rate 5e-4. A fresh Adam moves every weight
      by its full rate in its first step, whatever the gradient: attribute `moments` says `kept` or `fresh`.
    * `steps`, `batch`: how many, and transitions in each.
    * `metric`: of the sum of influences; euclidean, or one that acts on vectors (`Adam.from_run`).
    * `blocks`: the block of every element; None: those of `coherence_blocks` on the held-out transitions.

    Result [ket_element g, bra_element h]: `realised`, `realised_share` (of the loss before); the predictions `influence`, `sign_ket`,
    `coherence`, `excess`, `error`; `loss_before` [bra_element], `block` [bra_element]. Spearman's rank correlation of every predictor with
    `realised` over pairs g != h: `correlation` [predictor], `correlation_by_block` [predictor, of_block] (pairs inside a block of at least
    three elements), `correlation_within`, their mean weighted by pairs. Two blocks alone make a high correlation over all pairs, so read
    that within blocks beside it, and `error` as the baseline that any predictor must beat.

    * `model`: a `torch.nn.Module`, in evaluation mode while it is measured.
    * `group`: a `Symmetry`, a `Group`, or its name ("d4", "tx8").
    * `elements`: names of the elements to look at; None: all that `group.probes()` gives.
    * `loss`: a function (prediction, target) that the steps lower; None: the one of `influence`.
    * `chunk`: examples whose gradients are taken at once; changes memory and time, and no number beyond rounding.
    * `progress`: called with (done, total) after each piece of work; None: nothing is said.

    Where it fails: some tens of steps are no retraining. Raises `OrbitscopeError` for wrong arguments, an optimiser of other parameters or
    with a rate of 0, a loss that is no longer finite, and what `influence` raises.
    """
    _check(steps, batch)
    subject = Subject.of(model, data)
    made = _optimiser(model, optimiser)
    group, chosen, symmetry = resolve(data, group, elements, subject.frames)
    if len(chosen) < 2:
        raise OrbitscopeError("transfer_test: `elements` should name at least two; learning is transferred from one to another.")
    _same_kind(data, held_out)
    train = sample_for(subject, data, trajectories=trajectories, times=times, seed=seed)
    test = sample_for(subject, held_out, trajectories=trajectories, times=times, seed=seed)
    loss = default_loss(symmetry.output, train.y) if loss is None else loss
    names = [g.name for g in chosen]
    labels = None if blocks is None else _labels(blocks, names)
    shown = coherence_blocks(
        model, held_out, group, metric=metric, elements=names, trajectories=trajectories, times=times, loss=loss, seed=seed, chunk=chunk
    )
    sums, signs = _predicted(subject, train, test, chosen, symmetry, loss, metric, chunk)
    module = subject.module
    before = np.array([_loss(module, test, g, symmetry, loss, chunk) for g in chosen])
    order = _order(len(train.x), steps, batch, seed)
    realised = np.empty((len(chosen), len(chosen)))
    for k, g in enumerate(chosen):
        tuned = _tuned(module, made, train, g, symmetry, loss, order)
        realised[k] = before - [_loss(tuned, test, h, symmetry, loss, chunk) for h in chosen]
        if not np.isfinite(realised[k]).all():
            raise OrbitscopeError(f"transfer_test: training on copies under {g.name} ends in a loss that is not finite. Lower the rate.")
        if progress is not None:
            progress(k + 1, len(chosen))
    coherence, excess = (shown[n].transpose("ket_element", "bra_element").values for n in ("coherence", "excess"))
    predictions = {
        "influence": sums, "sign_ket": signs, "coherence": coherence, "excess": excess, "error": np.tile(before, (len(chosen), 1)),
    }  # fmt: skip
    result = _result(realised, before, predictions, names, shown["block"].values if labels is None else labels)
    result.attrs.update(
        sign="positive = training on copies under the ket's element lowers the loss at the bra's", steps=steps, batch=order.shape[1],
        transitions=len(train.x), optimiser=_said(made), moments=_moments(made), loss=getattr(loss, "__name__", type(loss).__name__),
        metric=metric_of(metric).name,
    )  # fmt: skip
    return stamp(result, "transfer", group, data, subject, seed=seed, steps=steps, batch=batch)


def _check(steps: int, batch: int) -> None:
    for name, value in (("steps", steps), ("batch", batch)):
        if value < 1:
            raise OrbitscopeError(f"transfer_test: `{name}` should be at least 1, got {value}.")


def _same_kind(data: Trajectories | Examples, held_out: Trajectories | Examples) -> None:
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


def _labels(blocks: Mapping[str, int | str], names: list[str]) -> NDArray[np.int64]:
    if missing := [n for n in names if n not in blocks]:
        raise OrbitscopeError(f"transfer_test: `blocks` does not say in which block {missing[0]} is; it should name {', '.join(names)}.")
    order = {label: k for k, label in enumerate(dict.fromkeys(blocks[n] for n in names))}
    return np.array([order[blocks[n]] for n in names])


def _optimiser(model: nn.Module, given: torch.optim.Optimizer | Factory | None) -> torch.optim.Optimizer:
    """The optimiser of this very model."""
    if isinstance(given, torch.optim.Optimizer):
        made = given
    else:
        made = torch.optim.AdamW(model.parameters(), lr=_RATE) if given is None else given(model.parameters())
        if not isinstance(made, torch.optim.Optimizer):
            raise OrbitscopeError(
                f"transfer_test: `optimiser` should be a torch optimiser or a function of the parameters that makes one; it made "
                f"{type(made).__name__}."
            )
    own = {id(p) for p in model.parameters()}
    held = [p for part in made.param_groups for p in part["params"]]
    if not held or any(id(p) not in own for p in held):
        raise OrbitscopeError(
            "transfer_test: `optimiser` holds parameters that are not the model's. Build it from model.parameters(), then "
            "load its state (load_state_dict)."
        )
    if all(float(part["lr"]) == 0.0 for part in made.param_groups):
        raise OrbitscopeError(
            "transfer_test: the learning rate of `optimiser` is 0, as an annealed schedule leaves it. Set a rate in its param_groups."
        )
    return made


def _moments(made: torch.optim.Optimizer) -> str:
    return "kept" if any(len(state) for state in made.state.values()) else "fresh"


def _said(made: torch.optim.Optimizer) -> str:
    rates = ", ".join(f"{float(part['lr']):g}" for part in made.param_groups)
    return f"{type(made).__name__}, rate {rates}"


def _order(count: int, steps: int, batch: int, seed: int) -> NDArray[np.int64]:
    """[steps, batch]: passes over all transitions in an order of their own each, one after the other."""
    rng, size = np.random.default_rng([seed, 0x7A5]), min(batch, count)
    passes = -(-steps * size // count)
    return np.concatenate([rng.permutation(count) for _ in range(passes)])[: steps * size].reshape(steps, size)


def _mean(model: nn.Module, x: Tensor, y: Tensor, loss: Loss) -> Tensor:
    """Mean over examples of the loss of each; a loss of one example need not be that of a batch."""
    answer = model(x)
    if getattr(loss, "needs_state", False):
        last = x[:, x.shape[1] - y.shape[1] :]
        return torch.func.vmap(lambda p, t, s: loss(p[None], t[None], s[None]))(answer, y, last).mean()
    return torch.func.vmap(lambda p, t: loss(p[None], t[None]))(answer, y).mean()


@torch.no_grad()
def _loss(model: nn.Module, pairs: Transitions, g: Any, symmetry: Symmetry, loss: Loss, chunk: int) -> float:
    x, y = symmetry.pair(g, pairs.x, pairs.y)
    parts = zip(x.split(max(chunk, 32)), y.split(max(chunk, 32)), strict=True)
    return sum(float(_mean(model, a, b, loss).double()) * len(a) for a, b in parts) / len(x)


def _tuned(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    pairs: Transitions,
    g: Any,
    symmetry: Symmetry,
    loss: Loss,
    order: NDArray[np.int64],
) -> nn.Module:
    """A copy of the model after the steps of a copy of its optimiser."""
    tuned, own = copy.deepcopy((model, optimiser))  # together, so that the copied optimiser holds the copied parameters
    with torch.enable_grad():
        for index in order:
            x, y = symmetry.pair(g, pairs.x[index], pairs.y[index])
            own.zero_grad()
            _mean(tuned, x, y, loss).backward()
            own.step()
    return tuned


def _predicted(
    subject: Subject, train: Transitions, test: Transitions, chosen: tuple[Any, ...], symmetry: Symmetry, loss: Loss,
    metric: str | Metric, chunk: int,
) -> tuple[Array, Array]:  # fmt: skip
    """[g, h]: bra at h . inverse metric . ket on copies under g, and bra . sign of the ket, of the mean gradients."""

    def mean(pairs: Transitions, g: Any) -> Tensor:
        x, y = symmetry.pair(g, pairs.x, pairs.y)
        total = torch.zeros(subject.count, dtype=torch.float64, device=subject.device)
        for a, b in zip(x.split(chunk), y.split(chunk), strict=True):
            total += example_gradients(subject, loss, a, b, chunk)[0].double().sum(0)
        return total / len(x)

    kets, bras = (torch.stack([mean(pairs, g) for g in chosen]) for pairs in (train, test))
    stepped = metric_of(metric).lift(subject, train.x, chunk, "transfer_test")(kets.to(subject.dtype)).double()
    return (stepped @ bras.T).cpu().numpy(), (kets.sign() @ bras.T).cpu().numpy()


def _result(realised: Array, before: Array, predictions: dict[str, Array], names: list[str], block: NDArray[np.int64]) -> xr.Dataset:
    dims = ("ket_element", "bra_element")
    result = xr.Dataset(
        {
            "realised": (dims, realised, {"long_name": "fall of the loss at h by training on copies under g", "units": "loss"}),
            "realised_share": (dims, realised / before, {"long_name": "the same, of the loss before", "units": "1"}),
            "loss_before": ("bra_element", before, {"long_name": "loss at h of the model as it came", "units": "loss"}),
            "block": ("bra_element", block, {"long_name": "block of elements that share learning", "units": "1"}),
        },
        coords={d: names for d in dims},
    )
    units = {"influence": "loss^2", "sign_ket": "loss", "error": "loss"}
    for name, values in predictions.items():
        result[name] = (dims, values, {"long_name": _WORDS[name], "units": units.get(name, "1")})
    whole, each, pairs = correlations(realised, predictions, block)
    known = np.isfinite(each)
    weight = np.where(known, pairs, 0).sum(1)
    within = np.where(weight > 0, np.where(known, each * pairs, 0.0).sum(1) / np.maximum(weight, 1), np.nan)
    about = {"units": "1", "long_name": "Spearman's rank correlation of prediction and realised change, pairs g != h"}
    result = result.assign_coords(predictor=list(predictions), of_block=np.arange(each.shape[1]))
    result["correlation"] = ("predictor", whole, about)
    result["correlation_by_block"] = (("predictor", "of_block"), each, about)
    result["correlation_within"] = ("predictor", within, {**about, "long_name": about["long_name"] + ", mean over blocks"})
    return result


def correlations(realised: Array, predictions: dict[str, Array], block: NDArray[np.int64]) -> tuple[Array, Array, Array]:
    """Spearman over all pairs g != h [predictor], over those of each block of at least three elements [predictor, block]; their number."""
    apart = ~np.eye(len(block), dtype=bool)
    masks = [apart & (block[:, None] == k) & (block[None, :] == k) for k in range(int(block.max()) + 1)]
    whole = np.array([_spearman(p[apart], realised[apart]) for p in predictions.values()])
    each = np.array([[_spearman(p[m], realised[m]) if m.sum() >= 6 else np.nan for m in masks] for p in predictions.values()])
    return whole, each, np.array([float(m.sum()) for m in masks])


def _spearman(a: Array, b: Array) -> float:
    from scipy.stats import rankdata

    if len(a) < 3 or not (np.isfinite(a).all() and np.isfinite(b).all()) or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])
