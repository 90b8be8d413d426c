"""Audit of the data: which symmetries the physics has, which the file has, and whether the file says the truth about itself."""

import json
from collections.abc import Callable

import numpy as np
import torch
import xarray as xr

from ..._errors import OrbitscopeError
from ...data import Examples, Trajectories
from ...discover import is_file, symmetry_from
from ...physics import Equation
from ...symmetry import GridAction, Group, Isometry, Symmetry
from .._provenance import stamp
from .._sample import resolve_grid, sample_transitions
from ._audit_examples import Law, audit_examples
from ._census import Census, census, mending, with_census
from ._checks import solver_residual
from ._conventions import ConventionReport, check_conventions
from ._decide import BREAKS, CONSISTENT, CONTRADICTS, UNDETERMINED, Words
from ._distribution import Distribution, distribution_of
from ._law import law_of
from ._twosample import sample_states
from ._words import HOLDS, NOT, NOT_OF_FILE, PHYSICS_ONLY, UNCHECKED, UNTESTED, said_of


def audit(
    data: Trajectories | Examples,
    group: Symmetry | Group | str,
    *,
    law: Equation | str | Law | None = None,
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
      mass residual, transport of vorticity between snapshots, and `solver`: $\|S_{dt}(x) - y\| / \|y - x\|$, on the box of the file's
      grid). Read otherwise are components, axes, the direction of time, faces for centres, and where a doubt remains one component
      displaced, the time step and the size of the box. `overall` [convention] is the geometric mean over the checks, `rank`
      [convention] its order, `equivalent` [convention] names the readings that no physics can tell from that one. Attributes `verdict`,
      `convention_fits`, `margin` (second best overall over best), `explanation` draw the conclusion; `fixes` are what `correct` can do.
      Fields that transform otherwise than declared are found too.
    * `violation` [trajectory, check], `keeps` [trajectory, convention], `reading` [trajectory]: every trajectory by itself, one transition
      each: by the laws of two snapshots, and `samples` of them by the solver. A file whose trajectories do not share one reading
      contradicts its convention, and the sentence names them; the attribute `share` is that of those that keep the laws.
    * `residual` [element]: the median of $\|S_{dt}(g x) - g y\| / \|y - x\|$: does g map solutions to solutions *as stored*? NaN
      without a solver and for interpolated elements, which no periodic box obeys.
    * `p_value` [element]: two-sample test of the invariance of the file's distribution under the powers of g, corrected over the
      cyclic subgroups (see `distribution_of`); NaN where the file has too few trajectories for any outcome to be significant;
      `p_value_raw` before the correction; 1 for the identity by definition. Where the elements that do not differ form no
      subgroup, the attribute `distribution_note` says so.
    * `verdict` [element]: "symmetry of the physics and of the file"; "symmetry of the physics, not of this file's distribution" (a
      shear layer has a direction though its equation has none); "symmetry of the physics; too few trajectories to test the file"; "not
      a symmetry", which the solver alone can say; "not a symmetry of this file's distribution; physics unchecked" and "not contradicted
      by the file; physics unchecked" where no solver is known; "file contradicts its declared convention"; "undetermined".

    The verdict on the file: "consistent"; "file contradicts its declared convention" where another reading fits it or some of its
    trajectories; "file breaks its laws" where its equation is known and one law is kept and another is not under any reading;
    "undetermined".

    `Examples` of any map need a `Symmetry` as `group`. They have `residual`, $\|F(g x) - g y\| / \|y\|$ over all examples with the map F
    from x to y as `law`, and the test of the distribution of x, by units; they declare no convention, so the rest is left out.

    * `data`: `Trajectories`; `Examples` of any map where `group` is a `Symmetry`.
    * `group`: a `Symmetry`, a `Group`, its name ("d4", "tx8"), or a file of `orbitscope discover` ("found.nc"), whose group is taken.
    * `law`: the equation, as an object or in words ("navier-stokes:viscosity=2e-3"); None: the one that the file's provenance names, if
      any.
    * `samples`: how many trajectories at most the solver and the two-sample test see. `alpha`: level of the test, between 0 and 1.
    * `elements`: names of the elements to look at; None: all that `group.probes()` gives.
    * `transitions`: how many the readings of the file are scored on.
    * `permutations`: of the two-sample test; None: 999, or 4 for every element over `alpha` where that is more.
    * `seed`: of the random choice of transitions (and of what is resampled); the same seed gives the same result.
    * `progress`: called with (done, total) after each piece of work; None: nothing is said.

    Where it fails: a test that finds nothing proves nothing; with few trajectories its power is small. A file made with other solver
    parameters than the known ones leaves a residual at the identity, and then only factors beyond it count. A fault within a trajectory,
    between its first and last transition, is not looked for. Values outside the sampled states are not read: `screen` finds NaN there.

    Raises `OrbitscopeError` for data that cannot be read, that the group cannot act on, or that are not of the equation asked for.
    """
    for name, value in (("transitions", transitions), ("samples", samples), ("permutations", 1 if permutations is None else permutations)):
        if value < 1:
            raise OrbitscopeError(f"audit: `{name}` must be at least 1, got {value}.")
    if not 0 < alpha < 1:
        raise OrbitscopeError(f"audit: `alpha` must lie between 0 and 1, got {alpha}.")
    if isinstance(data, Examples):
        return audit_examples(
            data, _declared_for(data, group), _map(law), elements=elements, samples=samples, alpha=alpha, permutations=permutations,
            seed=seed, progress=progress,
        )  # fmt: skip
    if isinstance(group, Symmetry):
        if not (isinstance(group.output, GridAction) and group.input == group.output):
            raise OrbitscopeError(f"audit: trajectories are audited by a group that moves all states alike, not by {group!r}.")
        group = group.group
    if callable(law):
        raise OrbitscopeError("audit: `law` should be an equation or its name; a map x -> y is for examples.")
    group, chosen, action = resolve_grid(data, group, elements)
    known = law_of(data, law)
    pairs = sample_transitions(data, trajectories=transitions, times=2, seed=seed, dtype=torch.float64)
    picked = _alternating(len(pairs.trajectories), len(pairs.times))[:transitions]
    x, y = pairs.x[picked], pairs.y[picked]
    report = check_conventions(x, y, data.layout, data.grid, data.dt, known.equation)
    looked = census(data, report, known.equation, samples)
    words = with_census(report.words, looked, known.equation)
    if known.note:
        words = Words(words.verdict, words.fits, f"{words.explanation} Note: {known.note}.")
    states = sample_states(data, samples, 2, seed)
    floor = _residual(known.equation, group.identity, action, x, y, data.dt)
    file = distribution_of(states, group, chosen, action, alpha=alpha, permutations=permutations, seed=seed)
    residual = np.zeros(len(chosen))
    for done, g in enumerate(chosen):
        residual[done] = _residual(known.equation, g, action, x, y, data.dt)
        if progress is not None:
            progress(done + 1, len(chosen))
    verdicts = [
        said_of(words.verdict, r, floor, p, alpha, law=known.equation is not None) for r, p in zip(residual, file.p_value, strict=True)
    ]
    result = _dataset(report, looked, chosen, residual, floor, file, verdicts, data)
    result.attrs.update(
        verdict=words.verdict,
        convention_declared=_declared(data.grid.ndim),
        convention_fits=words.fits,
        explanation=words.explanation,
        margin=report.margin,
        ambiguous=int(report.ambiguous),
        fixes=json.dumps([reading.to_dict() for reading in report.fixes] if words.verdict == CONTRADICTS else []),
        readings=mending(looked, report),
        share=looked.share,
        law=str(known.equation) if known.equation else "unknown",
        law_note=known.note,
        distribution_note=file.note,
        alpha=alpha,
    )
    return stamp(result, "audit", group, data, None, seed=seed, transitions=len(x), samples=len(states), permutations=file.permutations)


def _declared_for(data: Examples, group: Symmetry | Group | str) -> Symmetry:
    if isinstance(group, Symmetry):
        return group
    if isinstance(group, str) and is_file(group):
        return symmetry_from(group, data)
    raise OrbitscopeError(
        f"group: examples do not say how an element moves them. Give a Symmetry(group, input, output) in place of {group!r}."
    )


def _map(law: Equation | str | Law | None) -> Law | None:
    if law is None or (callable(law) and not isinstance(law, Equation)):
        return law
    raise OrbitscopeError(f"audit: the `law` of examples should be a callable that maps x to y, got {law!r}.")


def _dataset(
    report: ConventionReport,
    looked: Census,
    chosen: tuple[Isometry, ...],
    residual: np.ndarray,
    floor: float,
    file: Distribution,
    verdicts: list[str],
    data: Trajectories,
) -> xr.Dataset:
    result = xr.Dataset(
        {
            "score": (("convention", "check"), report.scores),
            "overall": ("convention", report.overall),
            "rank": ("convention", report.ranks),
            "equivalent": ("convention", ["; ".join(names) for names in report.equivalent]),
            "violation": (("trajectory", "check"), looked.scores),
            "keeps": (("trajectory", "convention"), looked.keeps),
            "reading": ("trajectory", np.array(looked.reading, dtype=str)),
            "residual": ("element", residual),
            "residual_floor": floor,
            "p_value": ("element", file.p_value),
            "p_value_raw": ("element", file.raw),
            "verdict": ("element", verdicts),
            "determinant": ("element", [round(float(np.linalg.det(g.matrix))) for g in chosen]),
            "shift": (("element", "axis"), [[float(s) for s in g.shift] for g in chosen]),
        },
        coords={
            "element": [g.name for g in chosen],
            "convention": list(report.conventions),
            "check": list(report.checks),
            "trajectory": looked.trajectories,
            "axis": list("xyz"[: data.grid.ndim]),
        },
    )
    for name, (said, units) in {
        "residual": ("||S(gx) - gy|| / ||y - x||, median over transitions", "1"),
        "p_value": ("p-value that x and gx have one distribution, corrected over the cyclic subgroups", "1"),
        "score": ("violation of the laws under each reading of the components; lower fits better", "1"),
        "overall": ("geometric mean of the scores; lower fits better", "1"),
        "violation": ("violation of the laws by each trajectory, as the reading that fits the file has it", "1"),
        "keeps": ("whether a trajectory keeps the laws under a reading: 1, 0, NaN not asked", "1"),
        "shift": ("shift in fractions of the period", "1"),
    }.items():
        result[name].attrs.update(long_name=said, units=units)
    return result


def _declared(ndim: int) -> str:
    parts = [f"component {i} along {'xyz'[i]} (array axis {i - ndim})" for i in range(ndim)]
    return f"vector {', '.join(parts)}"


def _alternating(trajectories: int, times: int) -> list[int]:
    """Indices into time-major transitions: one per trajectory from the start and the end in turn, then the others.

    A fluid at rest at first says nothing about its components.
    """
    turn = [(n % times) * trajectories + n for n in range(trajectories)]
    return turn + [k for k in range(trajectories * times) if k not in set(turn)]


def _residual(law: Equation | None, g: Isometry, action: GridAction, x: torch.Tensor, y: torch.Tensor, dt: float) -> float:
    if law is None or not g.is_lattice:
        return float("nan")
    return float(solver_residual(law, *action.pair(g, x, y), dt, action.grid).median())


__all__ = [
    "BREAKS", "CONSISTENT", "CONTRADICTS", "HOLDS", "NOT", "NOT_OF_FILE", "PHYSICS_ONLY", "UNCHECKED", "UNDETERMINED", "UNTESTED", "audit",
]  # fmt: skip
