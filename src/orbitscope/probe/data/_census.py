"""Every trajectory by itself: which keep the laws under the reading that fits the file, and what fits the others."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data import Trajectories
from ...physics import Equation
from ._checks import DYNAMIC, SURE, limit, residuals
from ._conventions import ConventionReport, better
from ._decide import BREAKS, CONSISTENT, CONTRADICTS, UNDETERMINED, Words
from ._readings import Reading

_CLEAR = 3.0  # factor by which another reading must be better for one trajectory, or one trajectory worse than the typical one
_NEARLY = 0.05  # share of trajectories that may fail without an explanation
_NAMED = 12
_REREAD = 64  # failing trajectories that are read in every other way
_BLOCK = 32 * 2**20
NONE, UNKNOWN = "none", "not looked at"


@dataclass(frozen=True)
class Census:
    """One row per trajectory: `scores` [trajectory, check] under the reading that fits the file (NaN: not asked), `keeps` [trajectory,
    convention] (1 yes, 0 no, NaN not asked) and `reading`, the name of the one that fits it ("none" where none does)."""

    trajectories: NDArray[np.int64]
    checks: tuple[str, ...]
    scores: NDArray[np.float64]
    keeps: NDArray[np.float64]
    reading: tuple[str, ...]

    @property
    def share(self) -> float:
        """Of the trajectories, how many keep the laws under the file's reading."""
        known = [r for r in self.reading if r != UNKNOWN]
        return float(np.mean([r == self.reading_of_file for r in known])) if known else math.nan

    reading_of_file: str = "declared"

    def where(self, name: str) -> list[int]:
        """The trajectories that this reading fits."""
        return [int(t) for t, r in zip(self.trajectories, self.reading, strict=True) if r == name]


def census(data: Trajectories, report: ConventionReport, law: Equation | None, solved: int) -> Census:
    """All trajectories by the laws of two snapshots, and the first `solved` of a regular choice by the solver too.

    Of each its first or last transition is taken, whichever changes more. A trajectory fails where a check is above its limit and
    `_CLEAR` times that of the file's better quarter; then it is read in every other way, and the reading that keeps the laws and is
    that much better fits.
    """
    everyone, home = np.arange(data.trajectories), report.best
    others = (home, *(r for r in report.readings if r.name != home.name))
    checks, names = report.checks, list(report.conventions)
    scores = np.full((len(everyone), len(checks)), np.nan)
    keeps = np.full((len(everyone), len(names)), np.nan)
    reading = np.full(len(everyone), UNKNOWN, dtype=object)
    if not checks:
        return Census(everyone, checks, scores, keeps, tuple(reading), home.name)
    by_solver = set(np.unique(np.linspace(0, len(everyone) - 1, min(solved, len(everyone))).round().astype(int)).tolist()) if law else set()
    for rows in _blocks(data):
        for solver in (True, False):
            mine = np.array([i for i in rows if (i in by_solver) == solver], dtype=np.int64)
            if len(mine):
                x, y = _transition(data, mine)
                scores[mine] = _table(home, x, y, data, law, checks, solver)
    # The better quarter, not the median: half of the trajectories may be read wrongly.
    typical = np.array([np.nanquantile(c, 0.25, method="lower") if np.isfinite(c).any() else np.nan for c in scores.T])
    reading[:] = home.name
    keeps[:, names.index(home.name)] = 1.0
    failing, unasked = _doubted(home, np.flatnonzero(_fails(checks, scores, typical)), scores, typical, data, law, checks)
    keeps[unasked] = np.nan
    reading[unasked] = UNKNOWN
    keeps[failing] = np.nan
    reading[failing] = NONE
    for solver in (True, False):
        mine = np.array([i for i in failing if (int(i) in by_solver) == solver][:_REREAD], dtype=np.int64)
        if len(mine):
            _reread(mine, others, scores, keeps, reading, data, law, checks, names, solver)
    return Census(everyone, checks, scores, keeps, tuple(str(r) for r in reading), home.name)


def _doubted(
    home: Reading,
    failing: NDArray[np.int64],
    scores: NDArray[np.float64],
    typical: NDArray[np.float64],
    data: Trajectories,
    law: Equation | None,
    checks: tuple[str, ...],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The trajectories that fail when the solver has been asked too, and those that nobody can tell: snapshots that are too far apart for
    the laws between them fail by those laws alone, as those of a faster class of flows in a file of several do.

    The solver is asked about so many of them; where it repeats all of these, the rest are left open.
    """
    if law is None or "solver" not in checks:
        return failing, failing[:0]
    column = checks.index("solver")
    over = _over(checks, scores[failing])
    static = np.array([c not in DYNAMIC for c in checks])
    open_ = failing[np.isnan(scores[failing, column]) & ~over[:, static].any(1)]
    chosen = open_[np.unique(np.linspace(0, len(open_) - 1, min(len(open_), _REREAD)).round().astype(int))] if len(open_) else open_
    for start in range(0, len(chosen), 8):
        some = chosen[start : start + 8]
        x, y = _transition(data, some)
        scores[some, column] = _table(home, x, y, data, law, checks, solver=True)[:, column]
    still = np.flatnonzero(_fails(checks, scores, typical))
    if set(chosen.tolist()) & set(still.tolist()):
        return still, failing[:0]
    rest = np.setdiff1d(open_, chosen)
    return np.setdiff1d(still, rest), rest


def _reread(
    mine: NDArray[np.int64],
    others: tuple[Reading, ...],
    scores: NDArray[np.float64],
    keeps: NDArray[np.float64],
    reading: NDArray[np.object_],
    data: Trajectories,
    law: Equation | None,
    checks: tuple[str, ...],
    names: list[str],
    solver: bool,
) -> None:
    """Every other reading of the trajectories that fail, the solver only where the laws of two snapshots leave a chance."""
    x, y = _transition(data, mine)
    tables = np.full((len(mine), len(others), len(checks)), np.nan)
    tables[:, 0] = scores[mine]
    for k, other in enumerate(others[1:], start=1):
        tables[:, k] = _table(other, x, y, data, law, checks, solver=False)
        static = np.array([c not in DYNAMIC for c in checks])
        chance = np.asarray(~_over(checks, tables[:, k])[:, static].any(1))
        if solver and law is not None:
            tables[:, k, checks.index("solver")] = np.inf
            if chance.any():
                hope = torch.from_numpy(chance)
                tables[chance, k] = _table(other, x[hope], y[hope], data, law, checks, solver=True)
    for i, table in zip(mine, tables, strict=True):
        asked = np.asarray(~np.isnan(table).any(0))
        seen = tuple(c for c, a in zip(checks, asked, strict=True) if a)
        fit = [k for k in better(others, seen, table[:, asked], _CLEAR) if not _over(seen, table[k, asked]).any()]
        keeps[i] = 0.0
        for k in fit:
            keeps[i, names.index(others[k].name)] = 1.0
        fit.sort(key=lambda k: (others[k].changes, float(np.log(table[k, asked] + 1e-9).sum())))
        reading[i] = others[fit[0]].name if fit else NONE


def with_census(words: Words, found: Census, law: Equation | None) -> Words:
    """The verdict on a file whose trajectories have been looked at one by one."""
    total = len(found.trajectories)
    other = {name: found.where(name) for name in dict.fromkeys(found.reading) if name not in (found.reading_of_file, NONE, UNKNOWN)}
    lost = found.where(NONE)
    if other:
        home = total - len(lost) - sum(map(len, other.values()))
        parts = [f"{name} in {len(them)} of {total} trajectories ({numbers(them)})" for name, them in other.items()]
        rest = f" No reading fits {len(lost)} more ({numbers(lost)})." if lost else ""
        why = (
            f"The trajectories of this file do not share one convention: read {found.reading_of_file}, {home} of {total} keep the laws; "
            f"what fits the others: {'; '.join(parts)}.{rest} Convert those, not the whole file."
        )
        return Words(CONTRADICTS, f"{found.reading_of_file} in {home} of {total} trajectories; {'; '.join(parts)}", why)
    if len(lost) <= _NEARLY * total or words.verdict == UNDETERMINED:
        return words
    why = f"{len(lost)} of {total} trajectories ({numbers(lost)}) break the laws that the others keep, under every reading."
    if words.verdict == CONTRADICTS:
        return Words(CONTRADICTS, words.fits, f"{words.explanation} {why}")
    if words.verdict == CONSISTENT:
        return Words(BREAKS if law is not None else UNDETERMINED, "unknown", why)
    return Words(words.verdict, words.fits, f"{words.explanation} {why}")


def numbers(found: list[int]) -> str:
    """The first few of a list."""
    return ", ".join(map(str, found[:_NAMED])) + (", ..." if len(found) > _NAMED else "")


def mending(found: Census, report: ConventionReport) -> str:
    """JSON {reading: its description} of those that fit single trajectories; empty where one fits all."""
    names = {r for r in found.reading if r not in (UNKNOWN, NONE)}
    return json.dumps({r.name: r.to_dict() for r in report.readings if r.name in names} if len(names) > 1 else {})


def _fails(checks: tuple[str, ...], scores: NDArray[np.float64], typical: NDArray[np.float64]) -> NDArray[np.bool_]:
    over = _over(checks, scores) & (scores > _CLEAR * typical)
    if "solver" in checks:
        solver = scores[:, checks.index("solver")]
        # Snapshots too far apart for their laws prove nothing against what the solver repeats.
        dynamic = np.array([c in DYNAMIC and c != "solver" for c in checks])
        over[np.ix_(solver < SURE, dynamic)] = False
    return np.asarray(over.any(1))


def _over(checks: tuple[str, ...], scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Above the limit; twice that for laws in time, in which single transitions differ more than their median."""
    limits = np.array([limit(c) * (2 if c in DYNAMIC else 1) for c in checks])
    with np.errstate(invalid="ignore"):
        return scores > limits


def _table(
    reading: Reading, x: Tensor, y: Tensor, data: Trajectories, law: Equation | None, checks: tuple[str, ...], solver: bool
) -> NDArray[np.float64]:
    found = residuals(reading, x, y, data.layout, data.grid, data.dt, law, solver=solver)
    missing = torch.full((len(x),), torch.nan, dtype=torch.float64)
    return torch.stack([found.get(c, missing).double().cpu() for c in checks], 1).numpy()


def _blocks(data: Trajectories) -> Iterator[NDArray[np.int64]]:
    size = max(1, _BLOCK // (8 * data.channels * math.prod(data.grid.shape)))
    for start in range(0, data.trajectories, size):
        yield np.arange(start, min(start + size, data.trajectories))


def _transition(data: Trajectories, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """The first or last transition of each trajectory, whichever changes more, in float64."""
    ends = [data.pairs(rows, np.full(len(rows), t)) for t in dict.fromkeys((0, data.times - 2))]
    change = torch.stack([(y.double() - x.double()).flatten(1).norm(dim=1) for x, y in ends])
    choice = change.argmax(0)
    x, y = (torch.stack([ends[int(k)][part][i].double() for i, k in enumerate(choice)]) for part in (0, 1))
    return x, y


__all__ = ["Census", "census", "mending", "with_census"]
