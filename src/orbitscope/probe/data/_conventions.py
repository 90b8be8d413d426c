"""Does a file keep the convention that it declares? Laws of the physics tell: the readings of a file and their competition."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..._errors import OrbitscopeError
from ...physics import Equation
from ...symmetry import Grid, Layout
from ._checks import DYNAMIC, SURE, limit, medians, residuals
from ._decide import CONTRADICTS, UNDETERMINED, Words, decide
from ._parity import ParityReport, check_parity, words
from ._readings import Reading, displacements, readings
from ._snapshot_laws import snapshot_residuals
from ._timing import WRITABLE, timed_by_snapshots, timed_by_solver

_MARGIN = 2.0
_TIE = 1.05  # overall scores closer than this do not tell two readings apart
_SMALLEST, _LARGEST = 1e-9, 1e3
_DISTURBED = 1e-3  # a constraint's residual above which a displaced component is looked for
_LOOKED_AT, _TRIED = 4, 3  # transitions by which displacements are ranked, and how many of them are then scored


@dataclass(frozen=True)
class ConventionReport:
    """Scores [convention, check], lower fits better, and what follows.

    `overall` is the geometric mean over the checks, `margin` that of the second best over that of the best. `equivalent` names, per
    convention, those that no physics can tell from it. `best` is the reading that fits (the declared one where nothing is known). `fixes`
    are the readings that put the file right, several where they fit alike, none where it is right, nothing is known, or the number
    to be written has too wide a margin.
    """

    readings: tuple[Reading, ...]
    checks: tuple[str, ...]
    scores: NDArray[np.float64]
    words: Words
    overall: NDArray[np.float64]
    margin: float
    equivalent: tuple[tuple[str, ...], ...]
    best: Reading
    fixes: tuple[Reading, ...]
    parity: ParityReport

    @property
    def conventions(self) -> tuple[str, ...]:
        """The names of the readings."""
        return tuple(r.name for r in self.readings)

    @property
    def ambiguous(self) -> bool:
        """Whether several readings fit alike."""
        return len(self.fixes) > 1

    @property
    def ranks(self) -> NDArray[np.int64]:
        """1 for the convention that fits best."""
        return np.argsort(np.argsort(self.overall, kind="stable"), kind="stable") + 1


def check_conventions(x: Tensor, y: Tensor, layout: Layout, grid: Grid, dt: float, law: Equation | None) -> ConventionReport:
    """Score each way of reading the file by the equation's constraints and its solver; see `decide` for the verdict.

    Read are the components of vectors, the axes of the grid, the direction of time, and faces for centres; where the best of these leaves
    a doubt, one component displaced, and the time step, alone and with others (see `_timing`). Without an equation only what two
    snapshots say counts (see `_snapshot_laws`): there a plane compression wave along one axis is taken for a swapped shear flow.
    """
    tried, equivalent = readings(layout, grid, law)

    def score(reading: Reading) -> dict[str, float]:
        return medians(residuals(reading, x, y, layout, grid, dt, law))

    rows = [score(tried[0])]
    if not rows[0]:
        tried, equivalent = tried[:1], equivalent[:1]
    rows += [score(r) for r in tried[1:]]
    more = [*_displaced(rows, x, y, layout, grid, dt, law), *_timed(tried, rows, x, y, layout, grid, dt, law)]
    for reading in more:
        if reading not in tried and all(reading.name != r.name for r in tried):
            tried, equivalent, rows = (*tried, reading), (*equivalent, ()), [*rows, score(reading)]
    checks = tuple(rows[0])
    scores = np.array([[row[c] for c in checks] for row in rows]).reshape(len(tried), len(checks))
    overall = np.exp(np.log(np.clip(np.nan_to_num(scores, nan=_LARGEST), _SMALLEST, _LARGEST)).mean(1)) if checks else np.ones(len(tried))
    lowest = min((overall[i] for i in better(tried, checks, scores)), default=0.0)
    alike = [i for i in better(tried, checks, scores) if overall[i] < _TIE * lowest]
    simplest = min((tried[i].changes for i in alike), default=0)
    best, *tied = sorted((i for i in alike if tried[i].changes == simplest), key=lambda i: overall[i]) or [0]
    said = decide(tried, equivalent, checks, scores, best, tied, layout, law)
    fixes = [tried[i] for i in (best, *tied)] if said.verdict == CONTRADICTS else []
    said, fixes, parity = _with_parity(said, fixes, tried[best], x, y, layout, grid, dt, law)
    order = np.sort(overall)
    margin = float(order[1] / order[0]) if len(order) > 1 and checks else 1.0
    writable = tuple(fixes) if all(f.uncertainty <= WRITABLE for f in fixes) else ()
    return ConventionReport(tried, checks, scores, said, overall, margin, equivalent, tried[best], writable, parity)


def better(tried: Sequence[Reading], checks: tuple[str, ...], scores: NDArray[np.float64], margin: float = _MARGIN) -> list[int]:
    """The readings that win over the first.

    Such a reading beats it by a factor of `margin` in a check and keeps that law, and loses by a factor of 2 in none: the least bad of
    several readings that all fail is no convention.
    """
    found = []
    for i in range(1, len(tried)):
        with np.errstate(invalid="ignore"):  # inf / inf: unphysical for the solver either way, so that check does not tell
            ratios = np.nan_to_num((scores[0] + _SMALLEST) / (scores[i] + _SMALLEST), nan=1.0, posinf=np.inf)
        gains = [r > margin and s < limit(c, tried[i].timed) for r, s, c in zip(ratios, scores[i], checks, strict=True)]
        if any(gains) and ratios.min() > 1 / _MARGIN:
            found.append(i)
    return found


def _with_parity(
    said: Words, fixes: list[Reading], best: Reading, x: Tensor, y: Tensor, layout: Layout, grid: Grid, dt: float, law: Equation | None
) -> tuple[Words, list[Reading], ParityReport]:
    """The verdict with the fields that transform otherwise than declared."""
    if said.verdict == UNDETERMINED and law is not None:
        return said, fixes, ParityReport()
    a, b = best.pair(x, y, layout, grid)
    parity = check_parity(a, b, layout, best.box(grid), best.factor * dt, law)
    if not parity.ways:
        return said, fixes, parity
    named, refused = " or ".join(words(w) for w in parity.ways), said.verdict == CONTRADICTS
    fits = f"{said.fits}; {named}" if refused else named
    said = Words(CONTRADICTS, fits, f"{said.explanation} {parity.why}" if refused else parity.why)
    return said, [_also(f, way) for f in fixes or [best] for way in parity.ways], parity


def _also(reading: Reading, way: tuple[tuple[str, str], ...]) -> Reading:
    """The reading and other representations besides."""
    name = words(way) if reading.name == "declared" else f"{reading.name}; {words(way)}"
    return replace(reading, name=name, representations=way)


def _displaced(
    rows: Sequence[dict[str, float]], x: Tensor, y: Tensor, layout: Layout, grid: Grid, dt: float, law: Equation | None
) -> list[Reading]:
    """The displacements of one component that mend the laws of two snapshots best, where no reading at hand keeps them well."""
    static = [c for c in rows[0] if c != "solver"]
    if not static or (law is not None and min(row["solver"] for row in rows) <= SURE):
        return []
    first = next((c for c in static if c not in DYNAMIC), static[0])
    if law is None and min(row[first] for row in rows) <= (_DISTURBED if first not in DYNAMIC else DYNAMIC[first] / 3):
        return []

    def distance(reading: Reading) -> float:
        return medians(residuals(reading, x[:_LOOKED_AT], y[:_LOOKED_AT], layout, grid, dt, law, solver=False))[first]

    found = sorted(((distance(r), r.changes, len(r.displaced), r) for r in displacements(layout, grid)), key=lambda entry: entry[:3])
    return [r for _, _, _, r in found[:_TRIED]]


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
        if min(row["solver"] for row in rows) <= SURE:
            return []
        timed = timed_by_solver(tried, x, y, layout, grid, dt, law)
        return [*timed, *_boxed(timed, x, y, layout, grid, dt, law)]
    check = next((c for c in rows[0] if c in DYNAMIC), None)
    if check is None or min(row[check] for row in rows) <= DYNAMIC[check] / 3:
        return []
    found = []
    for reading in tried:
        if not reading.faces:
            pair = reading.pair(x, y, layout, grid)
            found.append(timed_by_snapshots(reading, lambda f, p=pair: snapshot_residuals(*p, f * dt, layout, grid, None)[check]))
    return [r for r in found if r is not None]


def _boxed(timed: Sequence[Reading], x: Tensor, y: Tensor, layout: Layout, grid: Grid, dt: float, law: Equation) -> list[Reading]:
    """Another size of the box where that fits clearly better than another time step: without viscosity or gravity the two are one."""

    def solver(reading: Reading) -> float:
        return medians(residuals(reading, x[:_LOOKED_AT], y[:_LOOKED_AT], layout, grid, dt, law))["solver"]

    found = []
    for reading in timed:
        if reading.factor != 1:
            name = reading.name.replace(f"dt x {reading.factor:.4g}", f"box x {1 / reading.factor:.4g}")
            boxed = replace(reading, name=name, factor=1.0, length=1 / reading.factor)
            if _takes(law, boxed.box(grid)) and _MARGIN * solver(boxed) < solver(reading):
                found.append(boxed)
    return found


def _takes(law: Equation, grid: Grid) -> bool:
    """Whether the solver can be asked on that box."""
    try:
        law.on(grid)
    except OrbitscopeError:
        return False
    return True


__all__ = ["ConventionReport", "better", "check_conventions"]
