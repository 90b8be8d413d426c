"""Equivariance of a model that draws random numbers: do the answers have one distribution?"""

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from ..._errors import OrbitscopeError
from ..._seed import derive
from ...data import Examples, Trajectories
from ...emulators import Guest
from ...symmetry import Group, Symmetry
from .._measure import TINY
from .._provenance import actions_of, stamp
from .._sample import resolve, sample_for
from .._subject import Subject
from ..data import holm

Array = NDArray[np.float64]


def distribution_equivariance(
    model: Guest,
    data: Trajectories | Examples,
    group: Symmetry | Group | str,
    *,
    draws: int = 32,
    elements: list[str] | None = None,
    trajectories: int | None = 4,
    times: int | None = 1,
    permutations: int = 999,
    seed: int = 0,
) -> xr.Dataset:
    r"""Whether $g^{-1} f(g x)$ and $f(x)$ have one distribution over the draws of f, element by element.

    From `draws` answers a to the moved state, brought back, and as many independent ones b to the state:

    * `energy` [element, transition]: $2 E|a - b| - E|a - a'| - E|b - b'|$ between whole answers, over $E|b - b'|$; 0 for one distribution.
    * `mean_gap`: $|\bar a - \bar b| / |\bar b|$. `covariance_gap`: $\|\Sigma_a - \Sigma_b\|_F / \|\Sigma_b\|_F$.
    * `energy_floor`, `mean_floor`, `covariance_floor` [transition]: the same between b and a third set of draws of $f(x)$, which is what
      the finite number of draws alone shows.
    * `p_energy`, `p_covariance` [element]: of relabelling a and b within every transition, by the sum of the energies and by that of
      $|\Sigma_a - \Sigma_b|^2$ about their common mean; `p_holm` [element]: the smaller one after Holm's correction for all of them.

    Dimensions: element, transition. All values are dimensionless.

    * `model`: what `adapt(model, randomness="distribution")` makes. `data`: where states come from. `group`: a group, its name, or a
      `Symmetry`. `draws`: answers of each set, at least 4. `elements`: names; None for all.
    * `trajectories`, `times`, `seed`: which transitions, as in `equivariance`; the draws follow from `seed`, too.
    * `permutations`: relabellings; no p-value is below 1 / (permutations + 1).

    Where it fails: few draws show differences of the mean and of the covariance long before those of higher moments, and a large p-value
    is no proof; interpolated elements are compared on the disc inside the box. Raises `OrbitscopeError` for a model that does not draw.

    Source: the energy distance of Székely and Rizzo, J. Stat. Plan. Inference 143 (2013).
    """
    if not isinstance(model, Guest) or model.randomness != "distribution":
        raise OrbitscopeError(
            "distribution_equivariance: `model` should draw in forward, and say so: orbitscope.adapt(model, randomness='distribution')."
        )
    if draws < 4:
        raise OrbitscopeError(f"distribution_equivariance: `draws` must be at least 4, got {draws}.")
    subject = Subject.of(model, data)
    known, chosen, symmetry = resolve(data, group, elements, subject.frames)
    pairs = sample_for(subject, data, trajectories=trajectories, times=times, seed=seed)
    x, output = pairs.x, symmetry.output
    plain, other = (_answers(model, x, draws, seed, k) for k in range(2))
    rows, p_values = [], list[tuple[float, float]]()
    rng = np.random.default_rng([seed, 0xD157])
    for k, g in enumerate(chosen, 2):
        # The identity has draws of its own, too: what it shows is chance.
        moved = _answers(model, symmetry.input(g, x), draws, seed, k)
        back = torch.stack([output(g.inverse(), one) for one in moved])
        brought, left = ((a * output.mask(g).to(a)).flatten(2).double().cpu() for a in (back, plain))
        rows.append(_gaps(brought, left))
        p_values.append(_p_values(brought, left, permutations, rng))
    floor = _gaps(other.flatten(2).double().cpu(), plain.flatten(2).double().cpu())
    found = xr.Dataset(
        {name: (("element", "transition"), np.stack([row[name] for row in rows]), {"units": "1"}) for name in floor},
        coords={
            "element": [g.name for g in chosen],
            "trajectory": ("transition", pairs.trajectory_of),
            "time": ("transition", pairs.time_of),
        },
    )
    for name, values in floor.items():
        found[name.replace("_gap", "") + "_floor"] = ("transition", values, {"units": "1"})
    p = np.array(p_values)
    moving = np.array([not g.is_identity for g in chosen])
    corrected = np.ones_like(p)
    corrected[moving] = holm(p[moving].ravel()).reshape(-1, 2)
    for name, values in (("p_energy", p[:, 0]), ("p_covariance", p[:, 1]), ("p_holm", corrected.min(1))):
        found[name] = ("element", values, {"units": "1"})
    found.attrs.update(draws=draws, permutations=permutations, sentence=_sentence(found, draws), **actions_of(symmetry))
    return stamp(found, "distribution", known, data, subject, seed=seed, trajectories=len(pairs.trajectories), times=len(pairs.times))


def _answers(model: Guest, x: Tensor, draws: int, seed: int, which: int) -> Tensor:
    """Answers of the set number `which`, [draw, transition, ...]; no two of all the sets and transitions share a draw."""
    count = len(x)
    with torch.no_grad():
        sets = [
            [model.drawn(x[n : n + 1], derive(seed, "distribution", (which * draws + k) * count + n)) for n in range(count)]
            for k in range(draws)
        ]
    return torch.stack([torch.cat(one) for one in sets])


def _gaps(a: Tensor, b: Tensor) -> dict[str, Array]:
    """Energy, gap of the means and of the covariances of two sets [draw, transition, place], per transition."""
    found: dict[str, list[float]] = {"energy": [], "mean_gap": [], "covariance_gap": []}
    for one, two in zip(a.unbind(1), b.unbind(1), strict=True):
        within = _off_diagonal(torch.cdist(two, two))
        energy = 2 * torch.cdist(one, two).mean() - _off_diagonal(torch.cdist(one, one)) - within
        found["energy"].append(float(energy / (within + TINY)))
        means = one.mean(0), two.mean(0)
        found["mean_gap"].append(float((means[0] - means[1]).norm() / (means[1].norm() + TINY)))
        left, right = one - means[0], two - means[1]
        # |A^T A - B^T B|_F from the products of draws, which are few, and not of places, which are many.
        squares = [(u @ v.T).square().sum() for u, v in ((left, left), (right, right), (left, right))]
        found["covariance_gap"].append(float((squares[0] + squares[1] - 2 * squares[2]).clamp_min(0).sqrt() / (squares[1].sqrt() + TINY)))
    return {name: np.array(values) for name, values in found.items()}


def _off_diagonal(distance: Tensor) -> Tensor:
    return distance.sum() / (len(distance) * (len(distance) - 1))


def _p_values(a: Tensor, b: Tensor, permutations: int, rng: np.random.Generator) -> tuple[float, float]:
    """How often relabelling within every transition gives as large a sum of energies, and of squared gaps of the covariances."""
    pooled = torch.cat([a, b])
    centred = pooled - pooled.mean(0)
    distances = [torch.cdist(one, one) for one in pooled.unbind(1)]
    products = [-(one @ one.T).square().fill_diagonal_(0) for one in centred.unbind(1)]  # <a a^T, b b^T>
    return _relabelled(distances, len(a), permutations, rng), _relabelled(products, len(a), permutations, rng)


def _relabelled(between: list[Tensor], count: int, permutations: int, rng: np.random.Generator) -> float:
    """The p-value of the mean of `between` [draw, draw] across two sets of `count` over that within them, summed over transitions."""
    total, label = np.zeros(permutations + 1), np.repeat([1.0, -1.0], count)
    for matrix in between:
        signs = np.concatenate([label[None], rng.permuted(np.broadcast_to(label, (permutations, 2 * count)), axis=1)])
        # Both sets are equally large, so that this differs from the statistic by a factor and a constant.
        total -= ((signs @ matrix.numpy()) * signs).sum(1) / (float(matrix.abs().mean()) + TINY)
    return float((1 + (total[1:] >= total[0] - 1e-12 * abs(total[0])).sum()) / (1 + permutations))


def _sentence(found: xr.Dataset, draws: int) -> str:
    broken = [str(name) for name, p in zip(found["element"].values, found["p_holm"].values, strict=True) if p < 0.05]
    if not broken:
        return f"With {draws} draws no element changes the distribution of the answers noticeably (Holm, 5 %)."
    return f"The distribution of the answers changes under {', '.join(broken)} (Holm, 5 %; {draws} draws)."
