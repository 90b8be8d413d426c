"""Does a file keep the axis convention that it declares? Laws of the physics tell."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..physics import Equation, SolverError, equation
from ..symmetry import Grid, Layout

CONSISTENT = "consistent"
CONTRADICTS = "file contradicts its declared convention"
UNDETERMINED = "undetermined"
_MARGIN = 2.0
_SOLVED = 0.5  # of a step's change: a solver with somewhat different parameters still does better
_KEPT = 0.1  # a constraint's residual below which it counts as kept on a coarse grid
_CONVENTIONS = {
    "declared": ((1, 0), (0, 1)),
    "components swapped": ((0, 1), (1, 0)),
    "component x negated": ((-1, 0), (0, 1)),
    "component y negated": ((1, 0), (0, -1)),
    # Rows counted from the top of a picture, columns along x: the two turns are alike up to the sign of the whole field.
    "components swapped, x negated": ((0, -1), (1, 0)),
    "components swapped, y negated": ((0, 1), (-1, 0)),
}
_CONVENTIONS_3D = {
    "declared": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "components x, y swapped": ((0, 1, 0), (1, 0, 0), (0, 0, 1)),
    "components y, z swapped": ((1, 0, 0), (0, 0, 1), (0, 1, 0)),
    "components x, z swapped": ((0, 0, 1), (0, 1, 0), (1, 0, 0)),
    "components in the order y, z, x": ((0, 1, 0), (0, 0, 1), (1, 0, 0)),
    "components in the order z, x, y": ((0, 0, 1), (1, 0, 0), (0, 1, 0)),
    "component x negated": ((-1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "component y negated": ((1, 0, 0), (0, -1, 0), (0, 0, 1)),
    "component z negated": ((1, 0, 0), (0, 1, 0), (0, 0, -1)),
}


@dataclass(frozen=True)
class ConventionReport:
    """Scores [convention, check], lower fits better, and what follows."""

    conventions: tuple[str, ...]
    checks: tuple[str, ...]
    scores: np.ndarray
    verdict: str
    fits: str
    explanation: str


def check_conventions(x: Tensor, y: Tensor, layout: Layout, grid: Grid, dt: float, law: Equation | None) -> ConventionReport:
    """Score each way of reading the components by the equation's constraints and its solver; see `_decide` for the verdict.

    Without an equation the only check is the divergence of a vector field, and only a file that is divergence-free under one
    reading and not under another can be judged. There a plane compression wave along one axis is taken for a swapped shear flow.
    """
    has_vectors = any(f.representation.size(layout.ndim) > 1 for f in layout.fields)
    readings: dict[str, tuple[tuple[int, ...], ...]] = {2: _CONVENTIONS, 3: _CONVENTIONS_3D}.get(layout.ndim, {})
    names = tuple(readings) if has_vectors and readings else ("declared",)
    rows = []
    for name in names:
        # Only the components change, the grid stays: that is what a mislabelled file looks like.
        mix = torch.as_tensor(layout.matrix(readings[name] if readings else np.eye(layout.ndim)), dtype=x.dtype)
        rows.append(_scores(_mixed(mix, x), _mixed(mix, y), layout, grid, dt, law))
    checks = tuple(rows[0])
    scores = np.array([[row[c] for c in checks] for row in rows]).reshape(len(names), len(checks))
    return ConventionReport(names, checks, scores, *_decide(names, checks, scores, law))


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
    scores = {}
    if law is not None:
        scores = {name: float(values.median()) for name, values in law.constraints(x, y, dt, grid).items()}
        scores["solver"] = float(solver_residual(law, x, y, dt).median())
    elif grid.periodic and len(layout.fields_with("vector")) == 1 and layout.ndim == 2:
        part = layout.slice(layout.fields_with("vector")[0].name)
        scores = {
            name: float(values.median())
            for name, values in equation("navier-stokes").constraints(x[:, part], y[:, part], dt, grid).items()
            if name == "divergence"
        }
    return scores


def _decide(names: tuple[str, ...], checks: tuple[str, ...], scores: np.ndarray, law: Equation | None) -> tuple[str, str, str]:
    """(verdict, reading that fits, sentence). Another reading wins if it beats the declared one by a factor of 2 in some check, loses
    by that factor in none, and keeps a law: the least bad of several readings that all fail is no convention."""
    if not checks:
        return UNDETERMINED, "unknown", "No law is known that could tell one reading of the components from another."
    declared = scores[0]
    best, gain = 0, 1.0
    for i in range(1, len(names)):
        with np.errstate(invalid="ignore"):  # inf / inf: unphysical for the solver either way, so that check does not tell
            ratios = np.nan_to_num((declared + 1e-9) / (scores[i] + 1e-9), nan=1.0, posinf=np.inf)
        keeps = any(s < (_SOLVED if c == "solver" else _KEPT) for c, s in zip(checks, scores[i], strict=True))
        if keeps and ratios.max() > _MARGIN and ratios.min() > 1 / _MARGIN and ratios.max() > gain:
            best, gain = i, float(ratios.max())
    listing = ", ".join(f"{c} {declared[j]:.2g}" for j, c in enumerate(checks))
    if best:
        other = ", ".join(f"{c} {scores[best][j]:.2g}" for j, c in enumerate(checks))
        return (
            CONTRADICTS,
            names[best],
            f"Under the declared convention the laws fail ({listing}); with {names[best].replace('component', 'vector component')} "
            f"they hold ({other}). Convert the file before blaming a model.",
        )
    if law is None:
        free = declared[0] < 0.1 * scores[1:, 0].min() if len(names) > 1 else False
        if free:
            return CONSISTENT, "declared", f"The vector field is divergence-free as declared ({listing}) and under no other reading."
        return (
            UNDETERMINED,
            "unknown",
            f"No solver is known for this file and its vector field is compressible ({listing}): nothing to judge by.",
        )
    solved = declared[checks.index("solver")]
    if solved < _SOLVED:
        return CONSISTENT, "declared", f"The declared convention satisfies the laws of {law.name} ({listing})."
    return (
        UNDETERMINED,
        "unknown",
        f"The solver of {law.name} does not reproduce this file under any reading ({listing}): other parameters?",
    )


def _mixed(mix: Tensor, state: Tensor) -> Tensor:
    return torch.einsum("cd,nd...->nc...", mix, state)
