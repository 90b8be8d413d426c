"""Which elements share learning with which: coherence between the copies of one state, element by element, and its blocks."""

from collections.abc import Callable, Iterator
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
from ._curvature import metric_of
from ._metric import Metric

_LARGEST = 16
_GAP = 0.1
_ALONE = 0.1


def coherence_blocks(
    model: nn.Module,
    data: Trajectories | Examples,
    group: Symmetry | Group | str,
    *,
    metric: str | Metric = "euclidean",
    elements: list[str] | None = None,
    trajectories: int | None = 8,
    times: int | None = 3,
    threshold: float | None = None,
    loss: Loss | None = None,
    seed: int = 0,
    chunk: int = 8,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    r"""Coherence between all pairs of elements (`influence` has those with the identity only), and the blocks that it falls into:

    $$c_{hg} = \mathrm{median}_x\, \frac{\langle \partial C_{hx}, \partial C_{gx} \rangle}{\|\partial C_{hx}\|\, \|\partial C_{gx}\|}$$

    Result [bra_element, ket_element], both in the order of the group: `coherence` (1 on the diagonal; positive = a step on gx lowers the
    loss of hx); `null`, the same between different trajectories at the same time; `excess`, their difference; `block` [bra_element]: 0 for
    the block of the first element, 1, ... in order of appearance. Attributes `within`, `between`: median coherence inside and between
    blocks (NaN where there is no such pair), `cut`.

    * `metric`: euclidean, gauss_newton (on the span of all copies at one time) or one that acts on vectors (`Kronecker`,
      `Adam.from_run`).
    * `elements`: at most 16, whose gradients at one time are held together.
    * `threshold`: elements are joined while their average coherence is above it (average linkage). None: the middle of the widest gap in
      the coherences at which they join, 0 counting as the last of them, if it is at least 0.1 wide; else 0.1.

    What it says: copies of a block are learnt together, as far as one step tells. What it does not: an order inside a block, or a benefit
    for another block (`transfer_test` measures both). Raises `OrbitscopeError` for more elements, another metric, and what `influence`
    raises.

    * `model`: a `torch.nn.Module`, in evaluation mode while it is measured.
    * `data`: `Trajectories`; `Examples` of any map where `group` is a `Symmetry`.
    * `group`: a `Symmetry`, a `Group`, or its name ("d4", "tx8").
    * `trajectories`: how many trajectories, drawn at random by `seed`; None: all.
    * `times`: how many transitions of each, evenly spread over its time; None: all.
    * `loss`: a function (prediction, target); None: the one of `influence`.
    * `seed`: of the random choice of transitions (and of what is resampled); the same seed gives the same result.
    * `chunk`: examples whose gradients are taken at once; changes memory and time, and no number beyond rounding.
    * `progress`: called with (done, total) after each piece of work; None: nothing is said.
    """
    subject = Subject.of(model, data)
    group, chosen, symmetry = resolve(data, group, elements, subject.frames)
    if len(chosen) > _LARGEST:
        raise OrbitscopeError(f"coherence_blocks: {group.name} has {len(chosen)} elements; name at most {_LARGEST} of them in `elements`.")
    if threshold is not None and not -1 <= threshold <= 1:
        raise OrbitscopeError(f"coherence_blocks: `threshold` is a coherence, between -1 and 1, got {threshold}.")
    pairs = sample_for(subject, data, trajectories=trajectories, times=times, seed=seed)
    loss = default_loss(symmetry.output, pairs.y) if loss is None else loss
    rule = metric_of(metric)
    lift = rule.lift(subject, pairs.x, chunk, "coherence_blocks")
    same, other = [], []
    for done, rows in enumerate(_by_time(subject, pairs, chosen, symmetry, loss, chunk), 1):
        values = _cosines(rows, lift)  # [bra element, bra trajectory, ket element, ket trajectory]
        own = np.eye(values.shape[1], dtype=bool)
        blocks = values.transpose(0, 2, 1, 3)
        same.append(blocks[..., own])
        other.append(blocks[..., ~own])
        if progress is not None:
            progress(done, len(pairs.times))
    return _result(np.concatenate(same, -1), np.concatenate(other, -1), chosen, group, data, subject, rule, threshold, seed)


def _by_time(
    subject: Subject, pairs: Transitions, chosen: tuple[Any, ...], symmetry: Symmetry, loss: Loss, chunk: int
) -> Iterator[list[Tensor]]:
    """For every time, the gradients [trajectory, p] of the copies under each element."""
    for at in np.arange(len(pairs.x)).reshape(len(pairs.times), -1):
        x, y = pairs.x[at], pairs.y[at]
        yield [example_gradients(subject, loss, *symmetry.pair(g, x, y), chunk)[0] for g in chosen]


def _cosines(rows: list[Tensor], lift: Callable[[Tensor], Tensor]) -> NDArray[np.float64]:
    bras = torch.cat(rows)
    kets = lift(bras)
    products = torch.stack([bras.double() @ k.double() for k in kets], 1)
    own = products.diagonal()
    scale = (own[:, None] * own[None, :]).clamp_min(0).sqrt()
    found = torch.where(scale > 0, products / scale, torch.nan).cpu().numpy()
    return found.reshape(len(rows), len(rows[0]), len(rows), len(rows[0]))


def _result(
    same: NDArray[np.float64], other: NDArray[np.float64], chosen: tuple[Any, ...], group: Group, data: Trajectories | Examples,
    subject: Subject, rule: Metric, threshold: float | None, seed: int,
) -> xr.Dataset:  # fmt: skip
    coherence, null = _median(same), _median(other)
    block, cut = clustered(coherence, threshold)
    dims, pair = ("bra_element", "ket_element"), {"units": "1", "sign": "positive = a step on the ket lowers the bra's loss"}
    result = xr.Dataset(
        {
            "coherence": (dims, coherence, {"long_name": "median coherence of copies of one state", **pair}),
            "null": (dims, null, {"long_name": "median coherence of copies of different trajectories at one time", **pair}),
            "excess": (dims, coherence - null, {"long_name": "coherence minus null", **pair}),
            "block": ("bra_element", block, {"long_name": "block of elements that share learning", "units": "1"}),
        },
        coords={d: [g.name for g in chosen] for d in dims},
    )
    apart = ~np.eye(len(block), dtype=bool)
    together = block[:, None] == block[None, :]
    for name, where in (("within", together & apart), ("between", ~together)):
        result.attrs[name] = float(np.nanmedian(coherence[where])) if np.isfinite(coherence[where]).any() else float("nan")
    result.attrs.update(cut=cut, **rule.settings)
    return stamp(result, "coherence blocks", group, data, subject, seed=seed, **rule.settings)


def _median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the last axis, undefined entries left out; NaN where all are."""
    known = np.isfinite(values).any(-1)
    found = np.full(values.shape[:-1], np.nan)
    found[known] = np.nanmedian(values[known], -1) if known.any() else np.nan
    return found


def clustered(coherence: NDArray[np.float64], threshold: float | None = None) -> tuple[NDArray[np.int64], float]:
    """Blocks of a symmetric matrix of coherences by average linkage, numbered by first appearance, and the coherence of the cut."""
    if len(coherence) == 1:
        return np.zeros(1, dtype=np.int64), float("nan")
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    distance = 1.0 - np.nan_to_num((coherence + coherence.T) / 2)
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(np.clip(distance, 0.0, None), checks=False), "average")
    cut = _cut(1.0 - tree[:, 2]) if threshold is None else threshold
    labels = fcluster(tree, 1.0 - cut, "distance")
    order = {label: k for k, label in enumerate(dict.fromkeys(labels.tolist()))}
    return np.array([order[label] for label in labels.tolist()], dtype=np.int64), float(cut)


def _cut(joined: NDArray[np.float64]) -> float:
    """The middle of the widest gap between the coherences at which blocks join, down to 0; where none is wide, close to 0."""
    levels = np.sort(np.append(joined, 0.0))[::-1]
    gaps = levels[:-1] - levels[1:]
    k = int(np.argmax(gaps))
    return float((levels[k] + levels[k + 1]) / 2) if gaps[k] >= _GAP else _ALONE
