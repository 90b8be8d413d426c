"""Does learning transfer? Fine-tune on the copies under each element, measure all others, and compare with what was predicted."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import nn

from ..._errors import OrbitscopeError
from ...data import Examples, Trajectories
from ...symmetry import Group, Symmetry
from .._gradients import Loss
from .._measure import default_loss
from .._provenance import stamp
from .._sample import Transitions, resolve, sample_for
from .._subject import Subject
from ._metric import Metric
from ._transfer_predictions import PAIR, loss_of, mean_loss, same_kind, transfer_predictions

Array = NDArray[np.float64]
Factory = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
_RATE = 5e-4


def transfer_test(
    model: nn.Module,
    data: Trajectories | Examples,
    held_out: Trajectories | Examples,
    group: Symmetry | Group | str,
    *,
    optimiser: torch.optim.Optimizer | Factory | None = None,
    steps: int | Sequence[int] = 32,
    batch: int = 16,
    metric: str | Metric | Sequence[str | Metric] = "euclidean",
    elements: list[str] | None = None,
    trajectories: int | None = 16,
    times: int | None = 4,
    blocks: Mapping[str, int | str] | None = None,
    predictions: xr.Dataset | None = None,
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
    * `steps`, `batch`: how many, and transitions in each. Several numbers of steps, say (1, 4, 16, 32): one training as long as the last,
      looked at after each of them, and a dimension `steps` in front.
    * `metric`: of the influence and the coherence, or several; see `transfer_predictions`.
    * `blocks`: the block of every element; None: those of `coherence_blocks` on the held-out transitions.
    * `predictions`: a result of `transfer_predictions` for these elements, or any arrays [ket_element, bra_element] of your own, each of
      which is a predictor; `block` [bra_element] may stand beside them. None: all of `transfer_predictions`.

    Result [ket_element g, bra_element h]: `realised`, `realised_share` (of the loss before); the predictions, by default `influence`,
    `cosine`, `sign_ket`, `coherence`, `excess`, `error`, `distance`; `loss_before` [bra_element], `block` [bra_element]. Spearman's rank
    correlation of every predictor with `realised` over pairs g != h: `correlation` [predictor], `correlation_by_block` [predictor,
    of_block] (pairs inside a block of at least three elements), `correlation_within`, their mean weighted by pairs. Two blocks alone make
    a high correlation over all pairs, so read that within blocks beside it, and `error` and `distance` as the baselines that any
    predictor must beat.

    * `model`: a `torch.nn.Module`, in evaluation mode while it is measured.
    * `group`: a `Symmetry`, a `Group`, or its name ("d4", "tx8").
    * `elements`: names of the elements to look at; None: all that `group.probes()` gives.
    * `loss`: a function (prediction, target) that the steps lower; None: the one of `influence`.
    * `chunk`: examples whose gradients are taken at once; changes memory and time, and no number beyond rounding.
    * `progress`: called with (done, total) after each piece of work; None: nothing is said.

    Where it fails: some tens of steps are no retraining. Raises `OrbitscopeError` for wrong arguments, an optimiser of other parameters or
    with a rate of 0, a loss that is no longer finite, and what `influence` raises.
    """
    horizons = _horizons(steps, batch)
    subject = Subject.of(model, data)
    made = _optimiser(model, optimiser)
    group, chosen, symmetry = resolve(data, group, elements, subject.frames)
    if len(chosen) < 2:
        raise OrbitscopeError("transfer_test: `elements` should name at least two; learning is transferred from one to another.")
    same_kind(data, held_out)
    train = sample_for(subject, data, trajectories=trajectories, times=times, seed=seed)
    test = sample_for(subject, held_out, trajectories=trajectories, times=times, seed=seed)
    loss = default_loss(symmetry.output, train.y) if loss is None else loss
    names = [g.name for g in chosen]
    labels = None if blocks is None else _labels(blocks, names)
    if predictions is None:
        predictions = transfer_predictions(
            model, data, held_out, group, metric=metric, elements=names, trajectories=trajectories, times=times, loss=loss, seed=seed,
            chunk=chunk,
        )  # fmt: skip
    predicted, block = _predicted(predictions, names, labels)
    module = subject.module
    before = np.array([mean_loss(module, test, g, symmetry, loss, chunk) for g in chosen])
    order = _order(len(train.x), horizons[-1], batch, seed)
    realised = np.empty((len(horizons), len(chosen), len(chosen)))
    for k, g in enumerate(chosen):
        for t, tuned in enumerate(_tuned(module, made, train, g, symmetry, loss, order, horizons)):
            realised[t, k] = before - [mean_loss(tuned, test, h, symmetry, loss, chunk) for h in chosen]
        if not np.isfinite(realised[:, k]).all():
            raise OrbitscopeError(f"transfer_test: training on copies under {g.name} ends in a loss that is not finite. Lower the rate.")
        if progress is not None:
            progress(k + 1, len(chosen))
    result = _result(realised, before, predicted, names, block).assign_coords(steps=horizons)
    result = result.isel(steps=0, drop=True) if isinstance(steps, int) else result
    result.attrs.update(
        sign="positive = training on copies under the ket's element lowers the loss at the bra's",
        steps=steps if isinstance(steps, int) else horizons, batch=order.shape[1],
        transitions=len(train.x), optimiser=_said(made), moments=_moments(made), loss=getattr(loss, "__name__", type(loss).__name__),
        metric=predictions.attrs.get("metric", ""),
    )  # fmt: skip
    return stamp(result, "transfer", group, data, subject, seed=seed, steps=result.attrs["steps"], batch=batch)


def _horizons(steps: int | Sequence[int], batch: int) -> list[int]:
    """The numbers of steps after which to look, in rising order."""
    asked = [steps] if isinstance(steps, int) else list(steps)
    for name, values in (("steps", asked), ("batch", [batch])):
        if not values or any(not isinstance(v, int) or v < 1 for v in values):
            raise OrbitscopeError(f"transfer_test: `{name}` should be at least 1, got {steps if name == 'steps' else batch}.")
    return sorted(set(asked))


def _predicted(
    predictions: xr.Dataset, names: list[str], labels: NDArray[np.int64] | None
) -> tuple[dict[str, xr.DataArray], NDArray[np.int64]]:
    """Every array [g, h] of `predictions`, and the blocks: those that were asked for, or those beside the predictions."""
    for d in PAIR:
        if d not in predictions.coords or not set(names) <= set(predictions[d].values.tolist()):
            raise OrbitscopeError(f"transfer_test: `predictions` should have a coordinate {d} that names {', '.join(names)}.")
    here = predictions.sel({d: names for d in PAIR})
    found = {str(n): v.transpose(*PAIR) for n, v in here.data_vars.items() if set(v.dims) == set(PAIR)}
    if labels is None and "block" not in here:
        raise OrbitscopeError("transfer_test: `predictions` do not say the block of every element; name `blocks`.")
    if clash := {"realised", "realised_share"} & set(found):
        raise OrbitscopeError(f"transfer_test: `predictions` hold {sorted(clash)[0]}, which is the name of what happened.")
    return found, here["block"].values.astype(np.int64) if labels is None else labels


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


def _tuned(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    pairs: Transitions,
    g: Any,
    symmetry: Symmetry,
    loss: Loss,
    order: NDArray[np.int64],
    horizons: list[int],
) -> Iterator[nn.Module]:
    """A copy of the model after so many steps of a copy of its optimiser: the same module each time, further trained."""
    tuned, own = copy.deepcopy((model, optimiser))  # together, so that the copied optimiser holds the copied parameters
    for step, index in enumerate(order, 1):
        with torch.enable_grad():
            x, y = symmetry.pair(g, pairs.x[index], pairs.y[index])
            own.zero_grad()
            loss_of(tuned, x, y, loss).backward()
            own.step()
        if step in horizons:
            yield tuned


def _result(realised: Array, before: Array, predictions: dict[str, xr.DataArray], names: list[str], block: NDArray[np.int64]) -> xr.Dataset:
    """Everything beside each other; `realised` [steps, g, h]."""
    dims = ("steps", *PAIR)
    result = xr.Dataset(
        {
            "realised": (dims, realised, {"long_name": "fall of the loss at h by training on copies under g", "units": "loss"}),
            "realised_share": (dims, realised / before, {"long_name": "the same, of the loss before", "units": "1"}),
            "loss_before": ("bra_element", before, {"long_name": "loss at h of the model as it came", "units": "loss"}),
            "block": ("bra_element", block, {"long_name": "block of elements that share learning", "units": "1"}),
        },
        coords={d: names for d in PAIR},
    )
    for name, values in predictions.items():
        result[name] = (PAIR, values.values, values.attrs)
    values = {name: v.values for name, v in predictions.items()}
    found = [correlations(one, values, block) for one in realised]
    whole, each = (np.stack([one[k] for one in found]) for k in (0, 1))
    known, pairs = np.isfinite(each), found[0][2]
    weight = np.where(known, pairs, 0).sum(-1)
    within = np.where(weight > 0, np.where(known, each * pairs, 0.0).sum(-1) / np.maximum(weight, 1), np.nan)
    about = {"units": "1", "long_name": "Spearman's rank correlation of prediction and realised change, pairs g != h"}
    result = result.assign_coords(predictor=list(predictions), of_block=np.arange(each.shape[-1]))
    result["correlation"] = (("steps", "predictor"), whole, about)
    result["correlation_by_block"] = (("steps", "predictor", "of_block"), each, about)
    result["correlation_within"] = (("steps", "predictor"), within, {**about, "long_name": about["long_name"] + ", mean over blocks"})
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
