"""How far a model's output is from commuting with a group."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ..._executor import Where, run_parts
from ...data import Examples, Trajectories
from ...symmetry import Action, Group, Symmetry
from .._measure import TINY, ErrorOf, error_of, numpy, precision_floor, predict, skill_of
from .._provenance import actions_of, stamp
from .._sample import Transitions, resolve, sample_for
from .._subject import Subject
from ._breaking import Copies, as_variables, blocks, subgroup_members


def equivariance(
    model: nn.Module,
    data: Trajectories | Examples,
    group: Symmetry | Group | str,
    *,
    elements: list[str] | None = None,
    trajectories: int | None = 16,
    times: int | None = 4,
    seed: int = 0,
    batch: int = 32,
    truth: bool = True,
    progress: Callable[[int, int], None] | None = None,
    executor: Where = None,
) -> xr.Dataset:
    r"""Equivariance error of `model` under each element, per transition and channel.

    * `commutator`: $\|f(g x) - g f(x)\| / \|f(x)\|$, L2 over channels and space; 0 for an equivariant model, whatever the truth is.
    * `relative_error`: $\mathrm{SMSE}(g y, f(g x)) / \mathrm{SMSE}(y, f(x))$ (Amarel et al., arXiv 2601.20172); 1 if the model is as good
      on the moved transition as on the original. It can be 1 for a model that does not commute, and above 1 for data that does not obey g.
    * both `_by_channel`: the same with numerator and denominator restricted to one channel of the *moved* state.
    * `skill`: $\mathrm{SMSE}(y, f(x)) / \mathrm{SMSE}(y, x)$ per transition, the error over that of persistence. A model without skill
      (1 or more) is as wrong on gx as on x: its relative error is near 1 and means nothing. An untrained network shows that.
    * `floor`: what float precision and, for interpolated elements, resampling alone leave of the commutator.
    * The copies $p_g = g^{-1} f(g x)$, brought back and compared with y and with each other: `copy_error` [element] $|p_g - y|^2$,
      `copy_gap` [element] $|p_g - f(x)|^2$, and for each subgroup H within the elements (`member` [subgroup, element]) `squared_error`
      $E_H = \mathrm{mean}_h |p_h - y|^2$ and `breaking` $A_H = \mathrm{mean}_h |p_h - \bar p|^2$, so that averaging over H has the error
      $|\bar p - y|^2 = E_H - A_H$ exactly. `verdict` makes shares and intervals of them. `copies_step` is
      $\mathrm{mean}_h |p_h - x|^2$, `answer` $|f(x)|^2$, `step` $|y - x|^2$. Mean squares over space, summed over channels, each field in
      units of its own mean square over the transitions looked at.

    Dimensions: element, subgroup, transition, channel. All values are dimensionless. The model should be in evaluation mode. One
    that sees several states (its attribute `frames`) has all of them moved, and persistence is the last of them.

    * `model`: maps states [N, C, X, Y] to states of the same shape; with `frames`, [N, frames C, X, Y] to [N, C, X, Y].
    * `data`: `Trajectories`, whose transitions (x, y) are looked at; `Examples` of any map where `group` is a `Symmetry`.
    * `group`: a `Symmetry`, a `Group`, or its name ("d4", "tx8").
    * `elements`: names of the elements to look at; all by default.
    * `trajectories`: how many, drawn at random by `seed`; None: all.
    * `times`: how many transitions of each, evenly spread over its time; None: all.
    * `seed`: of the random choice of trajectories.
    * `batch`: states given to the model at a time.
    * `truth`: False looks at states alone, of data that may have a single time: everything that compares with y is NaN.
    * `progress(done, total)`: called after every element.
    * `executor`: where the answers to moved states are computed, whole elements at a time (see `executor`); None: here.

    Where it fails: interpolated elements are compared on the disc inside the box only; the commutator divides by $\|f(x)\|$, so a
    model with a large mean (a density near 1) looks better than one that predicts the same increments around zero.

    Raises `OrbitscopeError` for a model or data that cannot be probed (see `check_module`, `sample_transitions`, `GridAction`).
    """
    subject = Subject.of(model, data)
    if batch < 1:
        raise OrbitscopeError(f"equivariance: `batch` must be at least 1, got {batch}.")
    group, chosen, symmetry = resolve(data, group, elements, subject.frames)
    if not truth and isinstance(data, Examples):
        raise OrbitscopeError("equivariance: `truth` False is for trajectories of states; examples have their y.")
    asked = (model, data, symmetry, trajectories, times, seed, batch, truth)
    bench = _bench(*asked)
    pairs, plain, error, y, output = bench.pairs, bench.plain, bench.error, bench.y, symmetry.output
    same = subject.answer is None or (pairs.x.shape == pairs.y.shape and symmetry.input is symmetry.output)
    persistence = subject.last(pairs.x) if same else None
    compared = chosen if any(g.is_identity for g in chosen) else (group.identity, *chosen)
    names, members = subgroup_members(group, compared)
    mask = torch.stack([output.mask(g) for g in compared]).all(0).to(plain.device)
    copies = Copies(members, output, pairs.y, mask)
    extent = blocks(len(plain), len(compared) * plain[0].numel() * 3 * 8)
    columns, sums = [], []
    parts = [(part, g, g in chosen) for part in extent for g in compared]
    found = run_parts(executor, parts, _moved, _bench, asked, here=bench, name=lambda p: p[1].name, bundle=True, finished=progress)
    with contextlib.closing(found):
        for part in extent:
            moved = [next(found) for _ in compared]
            rows = [row for row, _ in moved if row is not None]
            columns.append({name: np.stack([row[name] for row in rows]) for name in rows[0]})
            back = [copy.to(plain.device) for _, copy in moved]
            sums.append(copies.sums(back, None if persistence is None else persistence[part], y[part]))
    floor = precision_floor(subject.module, pairs.x, plain, output)
    result = _result(columns, sums, compared, chosen, members, names)
    skill, baseline = _skill(plain, persistence, pairs, y, output, error)
    result["skill"] = ("transition", numpy(skill))
    result["floor"] = ("element", np.array([floor + output.error(g, plain[: min(4, len(plain))]) for g in chosen]))
    result = result.assign_coords(
        channel=list(output.channels), trajectory=("transition", pairs.trajectory_of), time=("transition", pairs.time_of)
    )
    if not truth:
        for name in ("relative_error", "relative_error_by_channel", "skill", "copy_error", "squared_error", "step"):
            result[name] = result[name] * np.nan
    for name, words in _WORDS.items():
        result[name].attrs.update(long_name=words, units="1")
    result.attrs.update(truth=int(truth), baseline=baseline, error=error.name, **actions_of(symmetry))
    return stamp(
        result,
        "equivariance",
        group,
        data,
        subject,
        seed=seed,
        trajectories=len(pairs.trajectories),
        times=len(pairs.times),
    )


@dataclass(frozen=True)
class _Bench:
    """What the comparison of one element needs."""

    model: nn.Module
    pairs: Transitions
    symmetry: Symmetry
    plain: Tensor
    y: Tensor
    error: ErrorOf
    batch: int


def _bench(
    model: nn.Module,
    data: Trajectories | Examples,
    symmetry: Symmetry,
    trajectories: int | None,
    times: int | None,
    seed: int,
    batch: int,
    truth: bool,
) -> _Bench:
    subject = Subject.of(model, data)
    pairs = sample_for(subject, data, trajectories=trajectories, times=times, seed=seed, lead=int(truth))
    plain = predict(subject.module, pairs.x, batch)
    error = error_of(symmetry.output, pairs.y)
    return _Bench(subject.module, pairs, symmetry, plain, pairs.y if truth else plain, error, batch)


def _moved(bench: _Bench, part: tuple[slice, Any, bool]) -> tuple[dict[str, np.ndarray] | None, Tensor]:
    """Some transitions under one element: the errors, where they were asked for, and the answers brought back."""
    some, g, asked = part
    output, plain = bench.symmetry.output, bench.plain[some]
    answer = predict(bench.model, bench.symmetry.input(g, bench.pairs.x[some]), bench.batch)
    row = compare(answer, plain, bench.y[some], g, output, bench.error) if asked else None
    return row, plain if g.is_identity else output(g.inverse(), answer)


_WORDS = {
    "commutator": "||f(gx) - g f(x)|| / ||f(x)||, L2 over channels and space",
    "relative_error": "SMSE(g y, f(g x)) / SMSE(y, f(x))",
    "skill": "SMSE(y, f(x)) / SMSE(y, x); below 1 = better than persistence",
    "floor": "commutator that float precision and resampling alone would show",
}


def _skill(plain: Tensor, persistence: Tensor | None, pairs: Transitions, y: Tensor, output: Action, error: ErrorOf) -> tuple[Tensor, str]:
    """The error over that of persistence for states, over that of the best constant or linear map for other answers; which it was."""
    if persistence is not None:
        return error.each(plain, y) / (error.each(persistence, y) + TINY), "persistence"
    return skill_of(plain, pairs.x, y, pairs.trajectory_of, output)


def _result(
    columns: list[dict[str, np.ndarray]],
    sums: list[dict[str, np.ndarray]],
    compared: Sequence[Any],
    chosen: Sequence[Any],
    members: np.ndarray,
    names: list[str],
) -> xr.Dataset:
    """The blocks put together, with the elements that were asked for."""
    by_element = {
        name: (("element", "transition", "channel")[: columns[0][name].ndim], np.concatenate([c[name] for c in columns], axis=1))
        for name in columns[0]
    }
    of_copies = xr.Dataset(dict(as_variables(sums)), coords={"element": [g.name for g in compared], "subgroup": names})
    of_copies["member"] = (("subgroup", "element"), members, {"long_name": "whether the subgroup holds the element"})
    asked = of_copies.sel(element=[g.name for g in chosen])
    return asked.assign({name: xr.Variable(*value) for name, value in by_element.items()})


def compare(answer: Tensor, plain: Tensor, y: Tensor, g: Any, output: Action, error: ErrorOf) -> dict[str, np.ndarray]:
    """Commutator and relative error of the answers f(gx) to f(x), whole and by channel, as in `equivariance`."""
    expected, gy = output(g, plain), output(g, y)
    gap, size = output.squares(answer, expected, g), output.squares(expected, None, g)
    if (mask := output.mask(g)).ndim:
        answer, expected, gy = (v * mask.to(answer) for v in (answer, expected, gy))
    ours = error.channel(answer, gy)
    original = error.channel(expected, gy)  # the error of g f(x) on g y: that of f(x) on y, in the moved channels
    return {
        "commutator": numpy(output.relative(answer, expected, g)),
        "commutator_by_channel": numpy((gap / (size + TINY)).sqrt()),
        "relative_error": numpy(ours.mean(1) / (original.mean(1) + TINY)),
        "relative_error_by_channel": numpy(ours / (original + TINY)),
    }
