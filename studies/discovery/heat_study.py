"""Heat with an obstacle: generators by `gradient` and `atlas`, components, a chart on the obstacle. Writes results/heat.*.

    python studies/discovery/heat_study.py [case ...]     # a minute or two of one core for each case; finished cases are kept

Predictors are the best linear maps from an input patch to an output patch, chart by chart, by ridge regression on two halves of the data
that do not overlap: heat is linear, and they have no start and no schedule.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from heat import CHARTS, MEDIA, charts, initial, solve
from torch import Tensor
from torch.nn import functional

from orbitscope.data import Examples
from orbitscope.discover import Atlas, Evidence, Forms, Problem, components, principal_cosines, rates, weigh
from orbitscope.symmetry import Charts, FieldAction, Layout, Symmetry, general_linear

RESULTS = Path(__file__).parent / "results"
TRAIN, HELD, RIDGE = 80, 40, 1e-4
OBSTACLE = (30, 60)  # a chart whose output patch reaches over the edge of the block
#: case -> medium, waves in an initial state (1: as published), radii, charts
CASES: dict[str, tuple[str, int, tuple[int, int], list[tuple[int, int]]]] = {
    "published": ("isotropic", 1, (14, 10), [CHARTS[19][k] for k in (1, 9, 14)]),
    "directions": ("isotropic", 3, (18, 8), [(78, 72), (94, 40), OBSTACLE]),
    "anisotropic": ("anisotropic", 3, (18, 8), [(78, 72), (94, 40)]),
    "sheared": ("sheared", 3, (18, 8), [(78, 72), (94, 40)]),
    "wind": ("wind", 3, (18, 8), [(78, 72), (94, 40)]),
}


class Ridge(torch.nn.Module):
    """One linear filter and a constant for each chart, fitted to x [N, chart, 1, u, v] and y by ridge regression."""

    def __init__(self, x: Tensor, y: Tensor, ridge: float) -> None:
        super().__init__()
        size, self.charts = x.shape[-1] - y.shape[-1] + 1, x.shape[1]
        found = []
        for c in range(self.charts):
            rows = functional.unfold(x[:, c], size).transpose(1, 2).reshape(-1, size * size)
            rows = torch.cat([rows, torch.ones(len(rows), 1, dtype=rows.dtype)], 1)
            left = rows.T @ rows / len(rows) + ridge * torch.eye(rows.shape[1], dtype=rows.dtype)
            found.append(torch.linalg.solve(left, rows.T @ y[:, c].reshape(-1) / len(rows)))
        weights = torch.stack(found)
        self.register_buffer("kernel", weights[:, :-1].reshape(-1, 1, size, size))
        self.register_buffer("constant", weights[:, -1].clone())

    def forward(self, x: Tensor) -> Tensor:
        """Answers [N, chart, 1, u, v]."""
        return functional.conv2d(x[:, :, 0], self.kernel, self.constant, groups=self.charts).unsqueeze(2)  # type: ignore[arg-type]


def problem(medium: str, waves: int, radii: tuple[int, int], centres: list[tuple[int, int]], seed: int = 0) -> tuple[Problem, list[float]]:
    """Predictors on two halves, the held-out examples, and the predictors' error there over the spread of the answers, chart by chart."""
    start, end = solve(initial(2 * TRAIN + HELD, seed, waves=waves).float(), MEDIA[medium])
    x, y, patch = charts(start.double(), end.double(), centres, radii)
    trained = tuple(Ridge(x[part], y[part], RIDGE) for part in (slice(TRAIN), slice(TRAIN, 2 * TRAIN)))
    x, y = x[2 * TRAIN :], y[2 * TRAIN :]
    layout, out = Layout.of("temperature"), patch.inner(radii[0] - radii[1])
    symmetry = Symmetry(general_linear(2), FieldAction(layout, Charts(patch)), FieldAction(layout, Charts(out)))
    spread = (y - y.mean(0)).square().mean((0, 2, 3, 4))
    error = ((trained[0](x) - y).square().mean((0, 2, 3, 4)) / spread).sqrt()
    return Problem(symmetry, Examples(x, y), trained, charts=len(centres), seed=seed), error.tolist()


def angle(found: np.ndarray, truth: np.ndarray) -> float:
    """Between two generators, in degrees."""
    return float(np.degrees(np.arccos(min(1.0, float(principal_cosines(found[None], truth[None])[0])))))


def free(problem: Problem, centres: list[tuple[int, int]]) -> Problem:
    """The same on the charts away from the obstacle."""
    kept = [k for k, c in enumerate(centres) if c != OBSTACLE]
    if len(kept) == len(centres):
        return problem
    models = []
    for model in problem.predictors:
        made = torch.nn.Module.__new__(Ridge)
        torch.nn.Module.__init__(made)
        made.charts = len(kept)
        made.register_buffer("kernel", model.kernel[kept])  # type: ignore[attr-defined]
        made.register_buffer("constant", model.constant[kept])  # type: ignore[attr-defined]
        models.append(made)
    examples = Examples(problem.examples.x[:, kept], problem.examples.y[:, kept])
    return Problem(problem.hypothesis, examples, tuple(models), charts=len(kept), seed=problem.seed)


def measured(case: str) -> dict[str, Any]:
    """One case: what each method finds, how long it takes, and the components."""
    medium, waves, radii, centres = CASES[case]
    clock = time.process_time()
    everywhere, error = problem(medium, waves, radii, centres)
    row: dict[str, Any] = {"error": error, "train_seconds": time.process_time() - clock, "truth": MEDIA[medium].generator.tolist()}
    some, truth = free(everywhere, centres), MEDIA[medium].generator
    clock = time.process_time()
    found = rates(everywhere if OBSTACLE in centres else some)
    seconds = time.process_time() - clock
    if OBSTACLE in centres:
        away = [k for k, c in enumerate(centres) if c != OBSTACLE]
        forms = Forms.of(found)
        local = Forms(*(f[:, away] for f in (forms.signal, forms.noise, forms.scale, forms.null)))
        evidence = weigh(local, found.moved, some.examples.unit)
        turn = (some.basis().reshape(4, -1) @ truth.reshape(-1, 1)) / np.linalg.norm(truth)
        row["by_chart"] = dict(
            zip(map(str, centres), weigh(forms, found.moved, some.examples.unit, turn).by_chart[:, 0].tolist(), strict=True)
        )
    else:
        evidence = weigh(Forms.of(found), found.moved, some.examples.unit)
    row["gradient"] = _gradient(evidence, some, truth, seconds)
    clock = time.process_time()
    directions = Atlas(steps=200, batch=8, magnitude=0.03).search(some)
    row["atlas"] = {
        "generator": directions.basis[0].tolist(), "score": float(directions.scores[0]), "angle": angle(directions.basis[0], truth),
        "seconds": time.process_time() - clock,
    }  # fmt: skip
    clock = time.process_time()
    algebra = directions.basis if case != "wind" else np.zeros((0, 2, 2))
    others = components(some, algebra, candidates=6, steps=40)
    row["components"] = {
        "matrices": others.matrices.tolist(), "sentence": others.sentence(), "limit": others.limit, "random": others.random,
        "error": others.error, "seconds": time.process_time() - clock,
    }  # fmt: skip
    return row


def _gradient(evidence: Evidence, some: Problem, truth: np.ndarray, seconds: float) -> dict[str, Any]:
    basis = np.einsum("ik,iab->kab", evidence.directions, some.basis())
    return {
        "breaking": evidence.breaking.tolist(), "words": list(evidence.words), "count": evidence.count, "generator": basis[0].tolist(),
        "angle": angle(basis[0], truth), "seconds": seconds,
    }  # fmt: skip


def table(rows: dict[str, Any]) -> str:
    """The rows as a page."""
    lines = [
        "# Heat with an obstacle",
        "",
        "Written by `studies/discovery/heat_study.py`. Angles are in degrees to the turn that the medium allows, of the first direction of",
        "`gradient` and of the one generator of `atlas`; seconds are of one processor, without the simulation and the training.",
        "",
        "| case | predictor's error | gradient: holds | angle | s | atlas: score | angle | s | components |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for case, r in rows.items():
        g, a = r["gradient"], r["atlas"]
        error = ", ".join(f"{e:.0%}" for e in r["error"])
        lines.append(
            f"| {case} | {error} | {g['count']} ({', '.join(g['words'])}) | {g['angle']:.2f} | {g['seconds']:.0f} | {a['score']:.3f} "
            f"| {a['angle']:.2f} | {a['seconds']:.0f} | {r['components']['sentence']} |"
        )
    if "directions" in rows and "by_chart" in rows["directions"]:
        lines += [
            "",
            "Breaking of the turn by chart (0 for a symmetry, 1 for a motion that means nothing); the last chart lies on the obstacle:",
            "",
        ]
        lines += [f"- centre {c}: {b:.3f}" for c, b in rows["directions"]["by_chart"].items()]
    return "\n".join(lines) + "\n"


def main(cases: list[str]) -> None:
    """Measure what is not there yet and write both files."""
    torch.set_num_threads(1)
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / "heat.json"
    rows = json.loads(file.read_text()) if file.exists() else {}
    for case in cases or list(CASES):
        if case not in rows:
            rows[case] = measured(case)
            file.write_text(json.dumps(rows, indent=1) + "\n")
            (RESULTS / "heat.md").write_text(table({c: rows[c] for c in CASES if c in rows}))
            print(case, json.dumps({k: rows[case][k] for k in ("gradient", "atlas", "components")}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
