"""Audit of the data: which symmetries the physics has, which the file has, and whether the file says the truth about itself."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import xarray as xr

from .._errors import OrbitscopeError
from ..data import Trajectories
from ..physics import Equation, equation
from ..symmetry import Grid, GridAction, Group, Isometry
from ._conventions import CONTRADICTS, UNDETERMINED, check_conventions, solver_residual
from ._provenance import stamp
from ._sample import resolve, sample_transitions
from ._twosample import can_reject, holm, invariance_p_value, sample_states

HOLDS = "symmetry of the physics and of the file"
PHYSICS_ONLY = "symmetry of the physics, not of this file's distribution"
UNTESTED = "symmetry of the physics; too few trajectories to test the file"
NOT = "not a symmetry"
UNCHECKED = "not contradicted by the file; physics unchecked"


def audit(
    data: Trajectories,
    group: Group | str,
    *,
    law: Equation | str | None = None,
    elements: list[str] | None = None,
    transitions: int = 12,
    samples: int = 128,
    alpha: float = 0.01,
    permutations: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    r"""Which elements are symmetries of the physics and of this file, and does the file keep its declared convention?

    * `score` [convention, check]: how badly each reading of the file breaks the laws of the equation (dimensionless; divergence or
      mass residual, transport of vorticity between snapshots, and `solver`: $\|S_{dt}(x) - y\| / \|y - x\|$). Read otherwise are
      components, axes, the direction of time, faces for centres, and where a doubt remains the time step. `overall` [convention] is
      the geometric mean over the checks, `rank` [convention] its order, `equivalent` [convention] names the readings that no physics
      can tell from that one. Attributes `verdict`, `convention_fits`, `margin` (second best overall over best), `explanation` draw the
      conclusion; `fixes` are what `correct` can do. Fields that transform otherwise than declared are found too.
    * `residual` [element]: the median of $\|S_{dt}(g x) - g y\| / \|y - x\|$: does g map solutions to solutions *as stored*? NaN
      without a solver and for interpolated elements, which no periodic box obeys.
    * `p_value` [element]: two-sample test of the invariance of the file's distribution under g (see `invariance_p_value`),
      Holm-corrected over the elements; NaN where the file has too few trajectories for any outcome to be significant; `p_value_raw`
      before the correction; 1 for the identity by definition.
    * `verdict` [element]: "symmetry of the physics and of the file"; "symmetry of the physics, not of this file's distribution" (a
      shear layer has a direction though its equation has none); "symmetry of the physics; too few trajectories to test the file"; "not
      a symmetry"; "file contradicts its declared convention"; "not contradicted by
      the file; physics unchecked" where no solver is known; "undetermined".

    `law` is the equation; by default the one that the file's provenance names, if any. `alpha` is the level of the two-sample test.

    Where it fails: a test that finds nothing proves nothing; with few trajectories its power is small. A file made with other solver
    parameters than the known ones leaves a residual at the identity, and then only factors beyond it count.

    Raises `OrbitscopeError` for data that cannot be read, or that the group cannot act on.
    """
    for name, value in (("transitions", transitions), ("samples", samples), ("permutations", 1 if permutations is None else permutations)):
        if value < 1:
            raise OrbitscopeError(f"audit: `{name}` must be at least 1, got {value}.")
    if not 0 < alpha < 1:
        raise OrbitscopeError(f"audit: `alpha` must lie between 0 and 1, got {alpha}.")
    group, chosen, action = resolve(data, group, elements)
    law = _law(data, law)
    pairs = sample_transitions(data, trajectories=transitions, times=2, seed=seed, dtype=torch.float64)
    picked = _alternating(len(pairs.trajectories), len(pairs.times))[:transitions]
    x, y = pairs.x[picked], pairs.y[picked]
    report = check_conventions(x, y, data.layout, data.grid, data.dt, law)
    states = sample_states(data, samples, 2, seed)
    permutations = permutations or max(999, int(4 * len(chosen) / alpha))
    testable = can_reject(len(states), len(chosen), alpha)
    residual, raw = [], []
    for done, g in enumerate(chosen):
        residual.append(_residual(law, g, action, x, y, data.dt))
        identity = g == group.identity
        if identity or not testable:
            raw.append(1.0 if identity else float("nan"))
        else:
            raw.append(invariance_p_value(states, g, action, seed=seed, permutations=permutations))
        if progress is not None:
            progress(done + 1, len(chosen))
    raw, residual = np.array(raw), np.array(residual)
    corrected = np.ones_like(raw)
    others = np.array([g != group.identity for g in chosen], dtype=bool)
    corrected[others] = holm(raw[others]) if testable else np.nan
    floor = _residual(law, group.identity, action, x, y, data.dt)
    verdicts = [_verdict(report.verdict, r, floor, p, alpha, g, law) for r, p, g in zip(residual, corrected, chosen, strict=True)]
    result = xr.Dataset(
        {
            "score": (("convention", "check"), report.scores),
            "overall": ("convention", report.overall),
            "rank": ("convention", report.ranks),
            "equivalent": ("convention", ["; ".join(names) for names in report.equivalent]),
            "residual": ("element", residual),
            "residual_floor": floor,
            "p_value": ("element", corrected),
            "p_value_raw": ("element", raw),
            "verdict": ("element", verdicts),
            "determinant": ("element", [round(float(np.linalg.det(g.matrix))) for g in chosen]),
            "shift": (("element", "axis"), [[float(s) for s in g.shift] for g in chosen]),
        },
        coords={
            "element": [g.name for g in chosen],
            "convention": list(report.conventions),
            "check": list(report.checks),
            "axis": list("xyz"[: data.grid.ndim]),
        },
    )
    result["residual"].attrs.update(long_name="||S(gx) - gy|| / ||y - x||, median over transitions", units="1")
    result["p_value"].attrs.update(long_name="p-value that x and gx have one distribution, Holm-corrected", units="1")
    result["score"].attrs.update(long_name="violation of the laws under each reading of the components; lower fits better", units="1")
    result["overall"].attrs.update(long_name="geometric mean of the scores; lower fits better", units="1")
    result["shift"].attrs.update(long_name="shift in fractions of the period", units="1")
    result.attrs.update(
        verdict=report.verdict,
        convention_declared=_declared(data.grid.ndim),
        convention_fits=report.fits,
        explanation=report.explanation,
        margin=report.margin,
        ambiguous=int(report.ambiguous),
        fixes=json.dumps([reading.to_dict() for reading in report.fixes]),
        law=str(law) if law else "unknown",
        alpha=alpha,
    )
    return stamp(result, "audit", group, data, None, seed=seed, transitions=len(x), samples=len(states), permutations=permutations)


def _declared(ndim: int) -> str:
    parts = [f"component {i} along {'xyz'[i]} (array axis {i - ndim})" for i in range(ndim)]
    return f"vector {', '.join(parts)}"


def _alternating(trajectories: int, times: int) -> list[int]:
    """Indices into time-major transitions: one per trajectory from the start and the end in turn, then the others.

    A fluid at rest at first says nothing about its components.
    """
    turn = [(n % times) * trajectories + n for n in range(trajectories)]
    return turn + [k for k in range(trajectories * times) if k not in set(turn)]


def _law(data: Trajectories, law: Equation | str | None) -> Equation | None:
    if isinstance(law, Equation):
        found = law
    elif law is not None:
        found = equation(law)
    else:
        known: Any = data.provenance.get("equation")
        if not known:
            return None
        try:
            found = equation(str(known), **dict(data.provenance.get("parameters") or {}))
        except (OrbitscopeError, TypeError, ValueError):
            return None  # a file of somebody else's equation: audited without a solver
    if found.layout.channels != data.layout.channels or found.layout.ndim != data.grid.ndim or not _lives_on(found, data.grid):
        return None
    return found


def _lives_on(law: Equation, grid: Grid) -> bool:
    """Whether the law's own grid has these walls, this shape and this extent."""
    for resolution in (min(grid.shape), max(grid.shape)):
        own = law.grid(resolution)
        if own.boundary == grid.boundary and (own.periodic or (own.shape == grid.shape and np.allclose(own.extent, grid.extent))):
            return True
    return False


def _residual(law: Equation | None, g: Isometry, action: GridAction, x: torch.Tensor, y: torch.Tensor, dt: float) -> float:
    if law is None or not g.is_lattice:
        return float("nan")
    return float(solver_residual(law, *action.pair(g, x, y), dt).median())


def _verdict(file: str, residual: float, floor: float, p: float, alpha: float, g: Isometry, law: Equation | None) -> str:
    if file == CONTRADICTS:
        return CONTRADICTS
    invariant = not p < alpha
    if law is None or np.isnan(residual):
        return NOT if not invariant else UNCHECKED if law is None and not np.isnan(p) else UNDETERMINED
    if not floor < 0.5:
        return UNDETERMINED
    # The solver repeats a file of its own to rounding; 1e-3 of a step's change is far below any broken symmetry's.
    if residual <= max(3 * floor, 1e-3):
        return UNTESTED if np.isnan(p) else HOLDS if invariant else PHYSICS_ONLY
    return NOT


__all__ = ["CONTRADICTS", "HOLDS", "NOT", "PHYSICS_ONLY", "UNCHECKED", "UNDETERMINED", "UNTESTED", "audit"]
