"""What the output says, in words: does it commute, how much of the error is the breaking, and what does moving cost."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...symmetry import Group
from ._interval import FEWEST, Interval
from ._learnt import BROKEN, COSTS, EXACT, FREE, HOLDS, SKILL, UNDECIDED, Measured, learnt_subgroup, words
from ._listed import listed

_LEVEL = 0.95


_BASELINES = {"constant": "the best constant", "linear": "the best linear map"}


@dataclass(frozen=True)
class Output:
    """Words and intervals per element, the table of subgroups, and the numbers that sentences quote.

    `word`, `moving` [element]; `share` of {e, g} and `moved` = error on the moved states over the originals', [element]; `table` is a
    result of `learnt_subgroup`; `step` is the breaking over the model's own step [subgroup], `least_error` [subgroup] the root mean square
    error over the copies that the breaking alone proves, in units of each field's size.
    """

    names: list[str]
    word: NDArray[np.object_]
    moving: NDArray[np.object_]
    share: Interval
    moved: Interval
    table: xr.Dataset
    step: Interval
    least_error: NDArray[np.float64]
    truth: bool
    skill: float
    trajectories: int
    identity: NDArray[np.bool_]
    baseline: str

    @property
    def skilled(self) -> bool:
        """Whether the error is at most half of persistence's."""
        return self.skill <= SKILL

    @property
    def enough(self) -> bool:
        """Whether there are trajectories enough for an interval."""
        return self.trajectories >= FEWEST

    def whole(self) -> int:
        """Index of the largest subgroup of the table."""
        return int(self.table["member"].values.sum(1).argmax())

    def having(self, kind: str) -> list[str]:
        """Names of the elements with this word or this cost of moving."""
        return [n for n, w, m in zip(self.names, self.word, self.moving, strict=True) if kind in (w, m)]


def judge(group: Group, equivariance: xr.Dataset, margin: float, tolerance: float) -> Output:
    """The words and numbers of a result of `equivariance`; see `verdict` for the rules."""
    measured = Measured.of(equivariance)
    exact = measured.element_exact()
    share, moved = measured.element_share(_LEVEL), measured.moved_error(_LEVEL)
    own = measured.identity(group)
    word = words(share, measured.element_floor(), exact | own, margin)
    moving = np.full(len(own), UNDECIDED, dtype=object)
    moving[moved.high <= tolerance] = FREE
    moving[moved.low > tolerance] = COSTS
    moving[exact | own] = FREE
    proved = np.sqrt(np.maximum(measured.result["breaking"].mean("transition").values, 0))
    return Output(
        measured.names, word, moving, share, moved, learnt_subgroup(group, equivariance, margin=margin, level=_LEVEL),
        measured.subgroup_step(_LEVEL), proved, measured.truth, measured.skill, measured.count, own,
        _BASELINES.get(str(equivariance.attrs.get("baseline", "persistence")), "persistence"),
    )  # fmt: skip


def output_sentence(group: Group, found: Output) -> str:
    """The words of all elements, what the breaking carries, and what moving costs."""
    if not found.truth:
        return _without_truth(group, found)
    parts = []
    for word, text, limit in (
        (EXACT, "Commutes up to rounding on", None),
        (HOLDS, "holds on", "its breaking carries at most {high} of the squared error"),
        (BROKEN, "broken on", "the breaking carries {span} of the squared error, at least {low}"),
        (UNDECIDED, "not decided on", "the breaking carries between {low} and {high} of the squared error"),
    ):
        mine = [i for i, w in enumerate(found.word) if w == word]
        if mine and (len(mine) > 1 or not found.identity[mine[0]] or len(found.names) == 1):
            told = f" ({limit.format(**_numbers(found, mine))})" if limit and found.enough else ""
            parts.append(f"{text} {_where(found.names, mine)}{told}")
    sentences = ["; ".join(parts) + "."]
    if UNDECIDED in found.word and not found.enough:
        sentences.append(f"With {found.trajectories} trajectories there is no interval: probe at least {FEWEST}, better 8.")
    sentences += _whole(group, found) + _moving(found)
    if not found.skilled:
        sentences.append(
            f"The model has too little skill for this to be learnt: its error is {found.skill:.2g} of that of {found.baseline}, and a "
            "small share of a large error is no small breaking."
        )
    return " ".join(s[0].upper() + s[1:] for s in sentences)


def _numbers(found: Output, mine: Sequence[int]) -> dict[str, str]:
    value, low, high = found.share.value[mine], found.share.low[mine], found.share.high[mine]
    span = percent(value.min()) if percent(value.min()) == percent(value.max()) else f"{percent(value.min())} to {percent(value.max())}"
    return {"low": percent(np.min(low)), "high": percent(np.max(high)), "span": span}


def _whole(group: Group, found: Output) -> list[str]:
    """The share over the whole of what was measured, where that says more than its elements."""
    k = found.whole()
    row = found.table.isel(subgroup=k)
    if int(row["member"].sum()) < 3 or str(row["word"].values) == EXACT or not found.enough:
        return []
    share, low, high = (percent(float(row[n])) for n in ("share", "share_low", "share_high"))
    return [f"over {title(group, row)} the breaking carries {share} of the squared error ({low} to {high})."]


def _moving(found: Output) -> list[str]:
    inexact = [i for i, w in enumerate(found.word) if w != EXACT]
    if not inexact or not found.enough:
        return []
    costly, free = ([i for i in inexact if found.moving[i] == word] for word in (COSTS, FREE))
    if not costly:
        return ["moving a state costs nothing: the error is equally large on moved states."] if len(free) == len(inexact) else []
    ratio = found.moved.value[costly]
    factor = f"{ratio.min():.3g}" if f"{ratio.min():.3g}" == f"{ratio.max():.3g}" else f"{ratio.min():.3g} to {ratio.max():.3g}"
    where = _where(found.names, costly)
    return [f"it favours the orientation of the data: on {where} the squared error is {factor} times that of the originals."]


def _without_truth(group: Group, found: Output) -> str:
    exact = [i for i, w in enumerate(found.word) if w == EXACT]
    if len(exact) == len(found.word):
        return f"Commutes up to rounding on {_where(found.names, exact)}."
    k = found.whole()
    step, low, high = (percent(float(v[k])) for v in (found.step.value, found.step.low, found.step.high))
    told = f"breaks {title(group, found.table.isel(subgroup=k))} by {step} of its own squared step ({low} to {high})"
    head = f"Commutes up to rounding on {_where(found.names, exact)}; it {told}." if len(exact) > 1 else f"The output {told}."
    return (
        f"{head} Without a truth that is neither much nor little; but whatever the truth, if it has the symmetry, the root mean square "
        f"error over the copies is at least {found.least_error[k]:.2g} of the size of the fields."
    )


def title(group: Group, row: xr.Dataset) -> str:
    """The group's name for the whole of it, else the elements."""
    members = [str(n) for n, inside in zip(row["element"].values, row["member"].values, strict=True) if inside]
    whole = group.finite and len(members) == len(group) or not group.finite and len(members) > 1
    return group.name if whole else listed(members)


def percent(share: float) -> str:
    """A share in per cent, with two digits where it is near 0 or 1.

    >>> percent(0.344), percent(0.0123), percent(0.0), percent(3e-5), percent(0.9993)
    ('34 %', '1.2 %', '0 %', '0.003 %', '99.93 %')
    """
    value = 100 * float(share)
    if 99 <= value < 100:
        return f"{100 - max(float(f'{100 - value:.1g}'), 0.001):g} %"
    return f"{value:.0f} %" if abs(value) >= 10 or value == 0 else f"{value:.2g} %" if abs(value) >= 1e-3 else "less than 0.001 %"


def _where(names: Sequence[str], mine: Sequence[int]) -> str:
    if len(mine) > 2 and len(mine) >= len(names) - 1:
        rest = [n for i, n in enumerate(names) if i not in set(mine)]
        return f"all {len(mine)} elements{f' but {rest[0]}' if rest else ''}"
    return listed([names[i] for i in mine])
