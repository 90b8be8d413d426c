"""How often the rules beside the spectrum are right: further components, elements on a grid; one run, counted against the truth."""

import dataclasses
from typing import Any

import numpy as np
import torch
from known import Case

from orbitscope import OrbitscopeError
from orbitscope.discover import Commutator, Components, Discovery, Evidence, Problem, components, distance_to_group
from orbitscope.symmetry import dihedral, octahedral

Array = np.ndarray[Any, np.dtype[np.float64]]
CANDIDATES = 24
NEAR = 0.3  # distance below which an element that was found counts as one of a true component
DRAWS, OFF = 16, (0.3, 1.0)  # elements of a kind; sizes of the motion that takes an element out of the true group
_ROWS = 256


def discovery(problem: Problem, evidence: Evidence, errors: tuple[float, ...], others: Array) -> Discovery:
    """What `discover_symmetry` would give back."""
    group = problem.group
    return Discovery(
        hypothesis=group.name, method="gradient", kind=group.kind.__name__, homogeneous=group.homogeneous,
        basis=np.einsum("ik,iab->kab", evidence.directions, problem.basis()), evidence=evidence, components=others,
        predictor_error=errors, finite={}, about={},
    )  # fmt: skip


def component_rows(case: Case, problem: Problem, algebra: Array, angle: float) -> tuple[Components, dict[str, Any], list[dict[str, Any]]]:
    """What was found beside `algebra`; how many true components, how many of them found, how many wrong; and the rule on drawn elements."""
    found = components(problem, algebra, angle=angle, candidates=CANDIDATES)
    true = [np.eye(algebra.shape[1]), *case.finite]
    at = [min(range(len(true)), key=lambda k: _apart(true[k], m, case)) for m in found.matrices]
    near = [k if _apart(true[k], m, case) < NEAR else -1 for k, m in zip(at, found.matrices, strict=True)]
    row = {
        "wanted": len(case.finite), "found": len(near), "right": len({k for k in near if k > 0}),
        "wrong": sum(k <= 0 for k in near), "closed": found.closed, "limit": found.limit, "random": found.random, "error": found.error,
    }  # fmt: skip
    return found, row, _rule(case, problem, found.limit)


def _apart(component: Array, matrix: Array, case: Case) -> float:
    return distance_to_group(np.asarray(np.linalg.solve(component, matrix), dtype=np.float64), case.algebra)


def _rule(case: Case, problem: Problem, limit: float) -> list[dict[str, Any]]:
    """How many elements of the true group, and how many outside of it, the rule lets pass; these are drawn and not searched for."""
    rng, size = np.random.default_rng([problem.seed, 0x2417]), problem.basis().shape[1]
    inside, outside = _spans(case, problem)
    true = [np.eye(size), *case.finite]
    commutator, rows = Commutator(problem), []
    for kind, off in (("of the group", 0.0), *((f"off by {d:g}", d) for d in OFF)):
        if off and not len(outside):
            continue
        passed = 0
        for k in range(DRAWS):
            element = problem.group.element(true[k % len(true)]) @ problem.group.exp(_drawn(rng, inside, rng.uniform(0, 1)))
            passed += _breaking(commutator, element @ problem.group.exp(_drawn(rng, outside, off)) if off else element) <= limit
        rows.append({"kind": kind, "drawn": DRAWS, "passed": passed})
    return rows


def _spans(case: Case, problem: Problem) -> tuple[Array, Array]:
    """The true algebra, and what is orthogonal to it, both without the change of volume, orthonormal, [k, N, N]."""
    basis, n = problem.basis(), problem.group.ndim
    flat, one = basis.reshape(len(basis), -1), np.zeros(basis.shape[1:])
    one[:n, :n] = np.eye(n) / n**0.5
    dilation = flat @ one.reshape(-1, 1)
    own = flat @ case.algebra.reshape(len(case.algebra), flat.shape[1]).T
    own = _orthonormal(own - dilation @ (dilation.T @ own))
    taken = np.concatenate([own, dilation], 1)
    rest = _orthonormal(np.eye(len(basis)) - taken @ taken.T)
    return (own.T @ flat).reshape(-1, *one.shape), (rest.T @ flat).reshape(-1, *one.shape)


def _orthonormal(columns: Array) -> Array:
    left, values, _ = np.linalg.svd(columns, full_matrices=False)
    return left[:, values > 1e-9]


def _drawn(rng: np.random.Generator, span: Array, size: float) -> Array:
    if not len(span):
        return np.zeros(span.shape[1:])
    x = np.tensordot(rng.standard_normal(len(span)), span, 1)
    return size * x / np.linalg.norm(x)


def _breaking(commutator: Commutator, element: Any) -> float:
    """As `components` measures it."""
    problem = commutator.problem
    rows = torch.arange(min(_ROWS, len(problem.examples)))
    at, nothing = commutator.at(element), torch.zeros(len(rows), problem.size, dtype=torch.float64)
    with torch.no_grad():
        return float(np.mean([float(at(p, rows, nothing)) for p in range(len(problem.predictors))]))


def grid_row(case: Case, found: Discovery, looked: bool) -> dict[str, Any] | None:
    """The rotations, reflections and shifts that `on_grid` takes from what was found, beside those of the true group; None beyond space.

    `looked`: whether further components were looked for; if not, the truth is that of the identity's component.
    """
    k, size = len(case.algebra), found.basis.shape[1]
    if size - found.homogeneous > 3:
        return None
    e = found.evidence
    words = tuple("exact" if i < k else "broken" for i in range(len(e.words)))
    sure = dataclasses.replace(e, words=words, levels=(), spread=np.zeros(min(k, 1)), withdrawn=0)
    basis = case.algebra / np.linalg.norm(case.algebra, axis=(1, 2), keepdims=True) if k else case.algebra
    others = np.array(case.finite).reshape(-1, size, size) if looked else np.zeros((0, size, size))
    truth = dataclasses.replace(found, basis=basis, evidence=sure, components=others)
    wanted, given = _acts(truth, k), _acts(found, None)
    return {
        "looked": looked, "claimed": found.count, "wanted": len(wanted), "missed": len(wanted - given), "false": len(given - wanted),
        "of": _possible(found),
    }  # fmt: skip


def _elements(found: Discovery) -> list[Any]:
    every = dihedral(16) if found.basis.shape[1] - found.homogeneous == 2 else octahedral()
    return [g for g in every.elements if not g.is_identity]


def _possible(found: Discovery) -> int:
    return len(_elements(found)) + (found.basis.shape[1] - 1 if found.homogeneous else 0)


def _acts(found: Discovery, count: int | None) -> set[str]:
    """Names of the elements of D16 (in space: of the cube's group) and of the axes along which all shifts act."""
    try:
        part = found.on_grid(count=count)
    except OrbitscopeError:
        return set()
    turns = set() if part.turns is None else {g.name for g in _elements(found) if g in part.turns}
    return turns | {group.name[:2] for group in part.shifts}
