"""From the scores of the readings to a verdict on the file, in words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...physics import Equation
from ...symmetry import Layout
from ._checks import KEPT, SURE, judged, limit, listing
from ._readings import Reading

CONSISTENT = "consistent"
CONTRADICTS = "file contradicts its declared convention"
BREAKS = "file breaks its laws"
UNDETERMINED = "undetermined"
_SMALLEST = 1e-9
_TOLD = 5.0  # by this factor another reading has to be worse, where no solver is known, to be told from the declared one


@dataclass(frozen=True)
class Words:
    """The verdict on a file, the reading that fits, and why."""

    verdict: str
    fits: str
    explanation: str


def decide(
    tried: tuple[Reading, ...],
    equivalent: tuple[tuple[str, ...], ...],
    checks: tuple[str, ...],
    scores: NDArray[np.float64],
    best: int,
    tied: Sequence[int],
    layout: Layout,
    law: Equation | None,
) -> Words:
    """Another reading fits: contradicts. Every law kept as declared: consistent. One law kept and another not: breaks its laws, or, where
    nobody says which laws the file has, undetermined. No law kept: undetermined."""
    if not checks:
        return Words(UNDETERMINED, "unknown", "No law is known that could tell one reading of the components from another.")
    rows = [dict(zip(checks, row.tolist(), strict=True)) for row in scores]
    if best:
        return _another(tried, equivalent, rows, best, tied)
    failed = [c for c in judged(checks, rows[0]) if not rows[0][c] < limit(c)]
    return _without_law(tried, rows, failed, layout) if law is None else _with_law(rows[0], failed, law)


def _another(
    tried: tuple[Reading, ...], equivalent: tuple[tuple[str, ...], ...], rows: list[dict[str, float]], best: int, tied: Sequence[int]
) -> Words:
    fits = " or ".join(tried[i].name for i in (best, *tied))
    name = fits.replace("component", "vector component")
    others = f" (or, which no physics can tell from it: {'; '.join(equivalent[best])})" if equivalent[best] else ""
    why = (
        f"Under the declared convention the laws fail ({listing(rows[0])}); with {name}{others} they hold "
        f"({listing(rows[best])}). Convert the file before blaming a model."
    )
    reading = tried[best]
    if reading.uncertainty:
        factor, what = (reading.factor, "time step") if reading.factor != 1 else (reading.length, "box's sides")
        low, high = factor * np.exp(-reading.uncertainty), factor * np.exp(reading.uncertainty)
        why += f" The factor of the {what} lies between {low:.3g} and {high:.3g}; a wrong unit of velocity looks much the same."
    return Words(CONTRADICTS, fits, why)


def _with_law(row: dict[str, float], failed: list[str], law: Equation) -> Words:
    said = listing(row)
    if "solver" in failed:
        why = f"The solver of {law.name} does not reproduce this file under any reading ({said}): other parameters?"
        return Words(UNDETERMINED, "unknown", why)
    if failed:
        return Words(BREAKS, "unknown", f"No reading of this file keeps all the laws of {law.name}: {_failures(row, failed)} ({said}).")
    why = f"The declared convention satisfies the laws of {law.name} ({said})."
    if row["solver"] > SURE:
        why += (
            f" The solver misses {100 * row['solver']:.2g} % of a step's change: another scheme, other parameters, or a fault that no "
            "reading on the list mends."
        )
    return Words(CONSISTENT, "declared", why)


def _without_law(tried: tuple[Reading, ...], rows: list[dict[str, float]], failed: list[str], layout: Layout) -> Words:
    """Consistent where every law that was asked is kept as declared and every other reading of the components breaks one, its overall
    sign apart."""
    declared, said = rows[0], listing(rows[0])
    kept = [c for c in declared if c not in failed]
    if not kept:
        why = f"No solver is known for this file and its vector field is compressible ({said}): nothing to judge by."
        if "mass" in declared:
            why = f"No solver is known for this file and two snapshots do not balance ({said}): too far apart, or read wrongly."
        return Words(UNDETERMINED, "unknown", why)
    if failed:
        why = (
            f"Some laws of an incompressible flow hold and others do not: {_failures(declared, failed)} ({said}). Time step, unit, axes "
            "and places of the components are then unproven; or the flow has forces. Name the equation (`law`) to know."
        )
        return Words(UNDETERMINED, "unknown", why)
    doubtful = []
    for reading, row in zip(tried[1:], rows[1:], strict=True):
        told = any(row[c] > _TOLD * (declared[c] + _SMALLEST) and row[c] > KEPT for c in kept)
        if not told and not reading.resampled and reading.factor == 1 == reading.length:
            doubtful.append(reading.name)
    if set(doubtful) <= {"both components negated", "time reversed"}:
        rest = f" It cannot be told from: {'; '.join(doubtful)}." if doubtful else ""
        unseen = [f.name for f in layout.fields if f.name not in _seen(declared, layout)]
        rest += f" No check looked at: {', '.join(unseen)}." if unseen else ""
        rest += " Only the largest scales were asked: a component displaced by a cell or two would not show." if "mass" in declared else ""
        what = "divergence-free as declared" if "divergence" in declared else "in balance with the density as declared"
        return Words(CONSISTENT, "declared", f"The vector field is {what} ({said}) and under no other reading.{rest}")
    why = f"The laws hold as declared ({said}), and no better than under another reading ({'; '.join(doubtful)})."
    return Words(UNDETERMINED, "unknown", why)


def _seen(row: dict[str, float], layout: Layout) -> set[str]:
    vectors = {f.name for f in layout.fields_with("vector")}
    return vectors | ({"density", "height"} if "mass" in row else set())


def _failures(row: dict[str, float], failed: Sequence[str]) -> str:
    return ", ".join(f"{c} is {row[c]:.2g}, above its limit of {limit(c):g}" for c in failed)


__all__ = ["BREAKS", "CONSISTENT", "CONTRADICTS", "UNDETERMINED", "Words", "decide"]
