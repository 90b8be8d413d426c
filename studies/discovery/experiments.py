"""One case of the suite: predictors, then every method on the same ones; tidy rows."""

import time
from typing import Any

import numpy as np
from calibration import component_rows, discovery, grid_row
from study import METHODS, Job, Place, Settings, case_of

from orbitscope import Examples
from orbitscope.discover import (
    Adversarial,
    Atlas,
    Evidence,
    Forms,
    Problem,
    Rates,
    Trained,
    hypothesis,
    identify,
    principal_cosines,
    rates,
    trained,
    weigh,
)
from orbitscope.training import FitConfig


def work(place: Place, job: Job, deadline: float, tell: Any) -> None:
    """Everything about one case, kept when it is whole."""
    if place.case_file(job.key, "suite").exists():
        return
    started = time.process_time()
    tables = measured(place.settings, job)
    seconds = time.process_time() - started
    place.write_case(job.key, "suite", job.label, tables, seconds)
    first = tables["suite"][0]
    tell(f"{job.case} {job.planted:g}, seed {job.seed}: {first['found']} of {first['wanted']}, {first['name']}, {seconds:.0f} CPU s")


def measured(settings: Settings, job: Job) -> dict[str, list[dict[str, Any]]]:
    """Tables: "suite", a row for every method; "grid", "components" and "rule", see `calibration`."""
    case = case_of(job)
    x = case.inputs(job.examples or settings.examples, 1000 + job.seed)
    examples = Examples(x, case.function(x))
    space = hypothesis(case.words, examples, case.output)
    clock = time.process_time()
    config = FitConfig(**settings.config) if settings.config else None
    made = trained(examples, space.output, config=config, seed=job.seed)
    problem = Problem(space, made.held, made.predictors, None, job.seed)
    training, clock = time.process_time() - clock, time.process_time()
    found = rates(problem)
    forms = Forms.of(found)
    evidence = weigh(forms, found.moved, made.held.unit, seed=job.seed)
    rows = [row(job, "gradient", problem, evidence, training, clock, made)]
    tables = {"suite": rows}
    if job.planted or job.examples:
        return tables
    wanted = len(case.algebra)
    if job.seed in settings.seeds[: settings.slow_seeds] and wanted:
        for method in (Atlas(generators=wanted, **settings.atlas), Adversarial(generators=wanted, **settings.adversarial)):
            clock = time.process_time()
            basis = method.search(problem).basis
            span = problem.basis().reshape(problem.size, -1) @ basis.reshape(len(basis), -1).T
            rows.append(row(job, method.name, problem, judged(forms, found, made, span, job.seed), training, clock, made, basis))
    return tables | calibrated(settings, job, problem, evidence, made)


def calibrated(settings: Settings, job: Job, problem: Problem, evidence: Evidence, made: Trained) -> dict[str, list[dict[str, Any]]]:
    """What acts on a grid, and for the first seeds the further components, beside the truth."""
    case, size = case_of(job), problem.basis().shape[1]
    tables: dict[str, list[dict[str, Any]]] = {}
    whole = discovery(problem, evidence, made.error, np.zeros((0, size, size)))
    looked = job.seed in settings.seeds[: settings.component_seeds] and not evidence.withdrawn
    if looked:
        clock = time.process_time()
        others, tally, rule = component_rows(case, problem, whole.algebra, whole.angle)
        tables |= {"components": [tally | {"search_seconds": time.process_time() - clock}], "rule": rule}
        whole = discovery(problem, evidence, made.error, others.matrices)
    acts = grid_row(case, whole, looked)
    return tables if acts is None else tables | {"grid": [acts]}


def judged(forms: Forms, found: Rates, made: Trained, span: np.ndarray, seed: int) -> Evidence:
    """The evidence on the directions that a method gave."""
    return weigh(forms, found.moved, made.held.unit, span, seed=seed)


def row(
    job: Job, method: str, problem: Problem, evidence: Evidence, training: float, clock: float, made: Trained,
    basis: np.ndarray | None = None,
) -> dict[str, Any]:  # fmt: skip
    """What came out, beside the truth. `cosine`: the smallest principal cosine of the accepted span (of all that a learnt method gave)."""
    case, k = case_of(job), evidence.count
    matrices = np.einsum("ik,iab->kab", evidence.directions, problem.basis())
    angle = float(np.quantile(evidence.spread, 0.95)) if len(evidence.spread) else float("nan")
    name = ""
    if k:
        name = identify(matrices[:k], tolerance=float(np.sin(np.radians(angle))), homogeneous=problem.group.homogeneous).name
    given = matrices[:k] if basis is None else basis
    cosine = float(principal_cosines(given, case.algebra).min()) if len(given) and len(case.algebra) else float("nan")
    accepted, refused = evidence.breaking[:k], evidence.breaking[k:]
    return {
        "method": method, "wanted": len(case.algebra), "found": k, "identified": case.identified, "name": name, "cosine": cosine,
        "angle": angle, "accepted": float(accepted.max()) if k else float("nan"),
        "refused": float(np.nanmin(refused)) if len(refused) else float("nan"), "null": evidence.null,
        "error": max(made.error), "undetermined": evidence.words.count("undetermined"), "first": evidence.words[0],
        "words": " ".join(evidence.words), "withdrawn": evidence.withdrawn,
        "smallest": float(evidence.breaking[0]), "training_seconds": training, "search_seconds": time.process_time() - clock,
    }  # fmt: skip


__all__ = ["METHODS", "measured", "work"]
