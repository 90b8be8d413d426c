"""Does a file keep the convention that it declares? Laws of the physics tell."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..physics import Equation, SolverError
from ..symmetry import Grid, Layout
from ._parity import ParityReport, check_parity, words
from ._readings import Reading, readings
from ._snapshot_laws import snapshot_residuals
from ._timing import timed_by_snapshots, timed_by_solver

CONSISTENT = "consistent"
CONTRADICTS = "file contradicts its declared convention"
UNDETERMINED = "undetermined"
_MARGIN = 2.0
_SOLVED = 0.5  # of a step's change: a solver with somewhat different parameters still does better
_KEPT = 0.1  # a constraint's residual below which it counts as kept on a coarse grid
_DYNAMIC = {"solver": _SOLVED, "transport": 0.25, "mass": 0.25}  # laws in time, whose residual has an error of the time step too
_TIE = 1.05  # overall scores closer than this do not tell two readings apart
_SURE = 0.01  # a solver's residual below which the time step needs no second look
_SMALLEST, _LARGEST = 1e-9, 1e3


@dataclass(frozen=True)
class ConventionReport:
    """Scores [convention, check], lower fits better, and what follows.

    `overall` is the geometric mean over the checks, `margin` that of the second best over that of the best. `equivalent` names, per
    convention, those that no physics can tell from it. `fixes` are the readings that put the file right, several where they fit
    alike, none where it is right or nothing is known.
    """

    conventions: tuple[str, ...]
    checks: tuple[str, ...]
    scores: NDArray[np.float64]
    verdict: str
    fits: str
    explanation: str
    overall: NDArray[np.float64]
    margin: float
    equivalent: tuple[tuple[str, ...], ...]
    fixes: tuple[Reading, ...]
    parity: ParityReport

    @property
    def ambiguous(self) -> bool:
        """Whether several readings fit alike."""
        return len(self.fixes) > 1

    @property
    def ranks(self) -> NDArray[np.int64]:
        """1 for the convention that fits best."""
        return np.argsort(np.argsort(self.overall, kind="stable"), kind="stable") + 1


def check_conventions(x: Tensor, y: Tensor, layout: Layout, grid: Grid, dt: float, law: Equation | None) -> ConventionReport:
    """Score each way of reading the file by the equation's constraints and its solver; see `_decide` for the verdict.

    Read are the components of vectors, the axes of the grid, the direction of time, and faces for centres; where the best of these leaves
    a doubt, the time step too, alone and with others (see `_timing`). Without an equation only what two snapshots say counts
    (see `_snapshot_laws`): there a plane compression wave along one axis is taken for a swapped shear flow.
    """
    tried, equivalent = readings(layout, grid, law)

    def score(reading: Reading) -> dict[str, float]:
        return _scores(*reading.pair(x, y, layout, grid), layout, grid, reading.factor * dt, law)

    rows = [score(tried[0])]
    if not rows[0]:
        tried, equivalent = tried[:1], equivalent[:1]
    rows += [score(r) for r in tried[1:]]
    for reading in _timed(tried, rows, x, y, layout, grid, dt, law):
        if reading not in tried and all(reading.name != r.name for r in tried):
            tried, equivalent, rows = (*tried, reading), (*equivalent, ()), [*rows, score(reading)]
    checks = tuple(rows[0])
    scores = np.array([[row[c] for c in checks] for row in rows]).reshape(len(tried), len(checks))
    overall = np.exp(np.log(np.clip(np.nan_to_num(scores, nan=_LARGEST), _SMALLEST, _LARGEST)).mean(1)) if checks else np.ones(len(tried))
    better = _better(tried, checks, scores)
    lowest = min((overall[i] for i in better), default=0.0)
    alike = [i for i in better if overall[i] < _TIE * lowest]
    simplest = min((tried[i].changes for i in alike), default=0)
    best, *tied = sorted((i for i in alike if tried[i].changes == simplest), key=lambda i: overall[i]) or [0]
    verdict, fits, explanation = _decide(tried, equivalent, checks, scores, best, tied, law)
    fixes = [tried[i] for i in (best, *tied)] if verdict == CONTRADICTS else []
    parity, fix = ParityReport(), tried[best] if verdict == CONTRADICTS else tried[0]
    if verdict != UNDETERMINED or law is None:
        a, b = fix.pair(x, y, layout, grid)
        parity = check_parity(a, b, layout, grid, fix.factor * dt, law)
    if parity.ways:
        named = " or ".join(words(w) for w in parity.ways)
        fits = named if verdict != CONTRADICTS else f"{fits}; {named}"
        explanation = parity.why if verdict != CONTRADICTS else f"{explanation} {parity.why}"
        verdict = CONTRADICTS
        fixes = [_also(f, way) for f in fixes or [fix] for way in parity.ways]
    order = np.sort(overall)
    margin = float(order[1] / order[0]) if len(order) > 1 and checks else 1.0
    names = tuple(r.name for r in tried)
    return ConventionReport(names, checks, scores, verdict, fits, explanation, overall, margin, equivalent, tuple(fixes), parity)


def _also(reading: Reading, way: tuple[tuple[str, str], ...]) -> Reading:
    """The reading and other representations besides."""
    name = words(way) if reading.name == "declared" else f"{reading.name}; {words(way)}"
    return replace(reading, name=name, representations=way)


def solver_residual(law: Equation, x: Tensor, y: Tensor, dt: float) -> Tensor:
    r"""$\|S_{dt}(x) - y\| / \|y - x\|$ per transition [N]: 0 if the solver makes y from x, about 1 if it predicts no better than
    persistence.

    inf where the state is unphysical for the solver.
    """
    change = (y - x).flatten(1).norm(dim=1) + 1e-300
    try:
        return (law.step(x, dt) - y).flatten(1).norm(dim=1) / change
    except SolverError:
        values = []
        for a, b, c in zip(x, y, change, strict=True):
            try:
                values.append(float((law.step(a[None], dt)[0] - b).norm() / c))
            except SolverError:
                values.append(float("inf"))
        return torch.tensor(values, dtype=torch.float64)


def _scores(x: Tensor, y: Tensor, layout: Layout, grid: Grid, dt: float, law: Equation | None) -> dict[str, float]:
    scores = {} if law is None else {name: float(v.median()) for name, v in law.constraints(x, y, dt, grid).items()}
    scores |= {name: float(v.median()) for name, v in snapshot_residuals(x, y, dt, layout, grid, law).items()}
    if law is not None:
        scores["solver"] = float(solver_residual(law, x, y, dt).median())
    return scores


def _timed(
    tried: tuple[Reading, ...],
    rows: Sequence[dict[str, float]],
    x: Tensor,
    y: Tensor,
    layout: Layout,
    grid: Grid,
    dt: float,
    law: Equation | None,
) -> list[Reading]:
    """Readings with another time step, where the ones at hand do not settle it."""
    if law is not None:
        if min(row["solver"] for row in rows) <= _SURE:
            return []
        return timed_by_solver(tried, x, y, layout, grid, dt, law)
    check = next((c for c in rows[0] if c in _DYNAMIC), None)
    if check is None or min(row[check] for row in rows) <= _DYNAMIC[check] / 3:
        return []
    found = []
    for reading in tried:
        if not reading.faces:
            pair = reading.pair(x, y, layout, grid)
            found.append(timed_by_snapshots(reading, lambda f, p=pair: snapshot_residuals(*p, f * dt, layout, grid, None)[check]))
    return [r for r in found if r is not None]


def _better(tried: tuple[Reading, ...], checks: tuple[str, ...], scores: NDArray[np.float64]) -> list[int]:
    """The readings that win over the declared one.

    Such a reading beats it by a factor of 2 in a check and keeps that law, and loses by that factor in none: the least bad of several
    readings that all fail is no convention.
    """
    found = []
    for i in range(1, len(tried)):
        with np.errstate(invalid="ignore"):  # inf / inf: unphysical for the solver either way, so that check does not tell
            ratios = np.nan_to_num((scores[0] + _SMALLEST) / (scores[i] + _SMALLEST), nan=1.0, posinf=np.inf)
        timed = tried[i].factor != 1 or tried[i].reverse
        gains = [r > _MARGIN and s < _limit(c, timed) for r, s, c in zip(ratios, scores[i], checks, strict=True)]
        if any(gains) and ratios.min() > 1 / _MARGIN:
            found.append(i)
    return found


def _limit(check: str, timed: bool) -> float:
    """Where a law counts as kept; another time step can be told by laws in time alone."""
    if check in _DYNAMIC:
        return _DYNAMIC[check]
    return 0.0 if timed else _KEPT


def _decide(
    tried: tuple[Reading, ...],
    equivalent: tuple[tuple[str, ...], ...],
    checks: tuple[str, ...],
    scores: NDArray[np.float64],
    best: int,
    tied: list[int],
    law: Equation | None,
) -> tuple[str, str, str]:
    """(verdict, reading that fits, sentence)."""
    if not checks:
        return UNDETERMINED, "unknown", "No law is known that could tell one reading of the components from another."
    declared, listing = scores[0], _listing(checks, scores[0])
    if best:
        fits = " or ".join(tried[i].name for i in (best, *tied))
        name = fits.replace("component", "vector component")
        others = f" (or, which no physics can tell from it: {'; '.join(equivalent[best])})" if equivalent[best] else ""
        return (
            CONTRADICTS,
            fits,
            f"Under the declared convention the laws fail ({listing}); with {name}{others} "
            f"they hold ({_listing(checks, scores[best])}). Convert the file before blaming a model.",
        )
    if law is None:
        return _without_law(tried, checks, scores, listing)
    if declared[checks.index("solver")] < _SOLVED:
        return CONSISTENT, "declared", f"The declared convention satisfies the laws of {law.name} ({listing})."
    return (
        UNDETERMINED,
        "unknown",
        f"The solver of {law.name} does not reproduce this file under any reading ({listing}): other parameters?",
    )


def _without_law(tried: tuple[Reading, ...], checks: tuple[str, ...], scores: NDArray[np.float64], listing: str) -> tuple[str, str, str]:
    """Consistent where a law is kept as declared and every other reading of the components breaks one, its overall sign apart."""
    kept = [s < _limit(c, False) for s, c in zip(scores[0], checks, strict=True)]
    told = {
        r.name: any(k and s > 5 * (d + _SMALLEST) and s > _KEPT for k, s, d in zip(kept, row, scores[0], strict=True))
        for r, row in zip(tried, scores, strict=True)
    }
    doubtful = [r.name for r in tried[1:] if not told[r.name] and not r.faces and r.factor == 1]
    allowed = {"both components negated", "time reversed"}
    if any(kept) and set(doubtful) <= allowed:
        rest = f" It cannot be told from: {'; '.join(doubtful)}." if doubtful else ""
        what = "divergence-free as declared" if "divergence" in checks else "in balance with the density as declared"
        return CONSISTENT, "declared", f"The vector field is {what} ({listing}) and under no other reading.{rest}"
    return (
        UNDETERMINED,
        "unknown",
        f"No solver is known for this file and its vector field is compressible ({listing}): nothing to judge by.",
    )


def _listing(checks: tuple[str, ...], row: NDArray[np.float64]) -> str:
    return ", ".join(f"{c} {s:.2g}" for c, s in zip(checks, row, strict=True))
