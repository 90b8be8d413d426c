"""Heat with an obstacle: generators by `gradient` and `atlas`, components, a map of where the turn holds. Writes results/heat/.

    python studies/discovery/heat_study.py     # about fifteen minutes of one core; finished cases are kept

Predictors are the best linear maps from an input patch to an output patch, chart by chart, by ridge regression on two halves of the data
that do not overlap: heat is linear, and they have no start and no schedule.
"""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from heat import CHARTS, MAP, MEDIA, RADII, charts, initial, solve
from torch import Tensor
from torch.nn import functional

from orbitscope._whole import write_whole
from orbitscope.data import Examples
from orbitscope.discover import Atlas, Evidence, Forms, Problem, components, identify, principal_cosines, rates, weigh
from orbitscope.probe import machine
from orbitscope.symmetry import Charts, FieldAction, Layout, Symmetry, general_linear

RESULTS = Path(__file__).parent / "results" / "heat"
SEEDS = (0, 1, 2)
MAP_RADII = (14, 6)
TRAIN, HELD, RIDGE = 80, 40, 1e-4
TRIES, GOOD = 3, 0.05  # starts of `atlas`, and the score that ends them
OBSTACLE = (30, 60)  # a chart whose output patch reaches over the edge of the block
#: case -> medium, waves in an initial state (1: as published), radii, charts
CASES: dict[str, tuple[str, int, tuple[int, int], list[tuple[int, int]]]] = {
    "published": ("isotropic", 1, (14, 10), [CHARTS[19][k] for k in (1, 9, 14)]),
    "directions": ("isotropic", 3, (18, 8), [(78, 72), (94, 40), OBSTACLE]),
    "anisotropic": ("anisotropic", 3, (18, 8), [(78, 72), (94, 40)]),
    "sheared": ("sheared", 3, (18, 8), [(78, 72), (94, 40)]),
    "wind": ("wind", 3, (18, 8), [(78, 72), (94, 40)]),
    "published, 19 charts": ("isotropic", 1, RADII[19], CHARTS[19]),
    "published, 3 charts": ("isotropic", 1, RADII[3], CHARTS[3]),
    "directions, 19 charts": ("isotropic", 3, RADII[19], CHARTS[19]),
    "directions, 3 charts": ("isotropic", 3, RADII[3], CHARTS[3]),
}
#: Beside the shear that the published states allow further components mean little, and the atlases are those of the first cases.
COMPONENTS = ("directions", "anisotropic", "sheared", "wind")


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


def problem(
    medium: str, waves: int, radii: tuple[int, int], centres: list[tuple[int, int]], seed: int = 0
) -> tuple[Problem, list[float], float]:
    """Predictors on two halves, the held-out examples; the predictors' error there over the spread of the answers, chart by chart; the
    processor seconds of the training."""
    start, end = solve(initial(2 * TRAIN + HELD, seed, waves=waves).float(), MEDIA[medium])
    x, y, patch = charts(start.double(), end.double(), centres, radii)
    clock = time.process_time()
    trained = tuple(Ridge(x[part], y[part], RIDGE) for part in (slice(TRAIN), slice(TRAIN, 2 * TRAIN)))
    seconds = time.process_time() - clock
    x, y = x[2 * TRAIN :], y[2 * TRAIN :]
    layout, out = Layout.of("temperature"), patch.inner(radii[0] - radii[1])
    symmetry = Symmetry(general_linear(2), FieldAction(layout, Charts(patch)), FieldAction(layout, Charts(out)))
    spread = (y - y.mean(0)).square().mean((0, 2, 3, 4))
    error = ((trained[0](x) - y).square().mean((0, 2, 3, 4)) / spread).sqrt()
    return Problem(symmetry, Examples(x, y), trained, charts=len(centres), seed=seed), error.tolist(), seconds


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


def measured(case: str, seed: int) -> dict[str, Any]:
    """One case: what each method finds, how long it takes, and the components beside what `gradient` found."""
    medium, waves, radii, centres = CASES[case]
    everywhere, error, training = problem(medium, waves, radii, centres, seed)
    row: dict[str, Any] = {
        "case": case,
        "seed": seed,
        "error": error,
        "train_seconds": training,
        "truth": MEDIA[medium].generator.tolist(),
    }
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
    row["atlas"] = learnt(some, truth)
    algebra = np.array(row["gradient"]["algebra"]).reshape(-1, 2, 2)
    # Beside what is no algebra, or is not claimed, there is no group whose components could be told apart.
    nameless = len(algebra) > 1 and identify(algebra).name == "no algebra"
    if case not in COMPONENTS or evidence.withdrawn or nameless:
        return row | {"components": None}
    clock = time.process_time()
    others = components(some, algebra, angle=row["gradient"]["known"], candidates=6, steps=40)
    row["components"] = {
        "matrices": others.matrices.tolist(), "sentence": others.sentence(), "closed": others.closed,
        "wrong": wrong(others.matrices, medium), "limit": others.limit, "random": others.random,
        "error": others.error, "seconds": time.process_time() - clock,
    }  # fmt: skip
    return row


def learnt(some: Problem, truth: np.ndarray, found: dict[str, Any] | None = None) -> dict[str, Any]:
    """What `atlas` finds: up to `TRIES` starts, as long as its own score is above `GOOD`; the one of the best score.

    `found`: of the first start, where that is known already.
    """
    found = found or {"score": float("inf"), "seconds": 0.0, "tries": 0}
    found = {"tries": 1} | found
    while found["tries"] < TRIES and found["score"] > GOOD:
        clock = time.process_time()
        asked = replace(some, seed=some.seed + 1000 * found["tries"])
        directions = Atlas(steps=200, batch=8, magnitude=0.03).search(asked)
        seconds, tries = found["seconds"] + time.process_time() - clock, found["tries"] + 1
        if (score := float(directions.scores[0])) < found["score"]:
            found = {"generator": directions.basis[0].tolist(), "score": score, "angle": angle(directions.basis[0], truth)}
        found = found | {"seconds": seconds, "tries": tries}
    return found


def _gradient(evidence: Evidence, some: Problem, truth: np.ndarray, seconds: float) -> dict[str, Any]:
    basis = np.einsum("ik,iab->kab", evidence.directions, some.basis())
    return {
        "breaking": evidence.breaking.tolist(), "words": list(evidence.words), "count": evidence.count, "generator": basis[0].tolist(),
        "algebra": basis[: evidence.count].tolist(), "angle": angle(basis[0], truth), "seconds": seconds,
        "known": float(np.quantile(evidence.spread, 0.95)) if len(evidence.spread) else 0.0, "withdrawn": evidence.withdrawn,
    }  # fmt: skip


def wrong(found: np.ndarray, medium: str) -> int:
    """How many of the components found are none: in coordinates that make the conductivity a number they should be reflections.

    Of the wind's medium every component is wrong. A rotation would be of the identity's component.
    """
    if medium == "wind":
        return len(found)
    root = np.linalg.cholesky(MEDIA[medium].conductivity)
    plain = [np.linalg.inv(root) @ m @ root for m in found]
    return sum(1 for m in plain if np.abs(m @ m.T - np.eye(2)).max() > 0.2 or np.linalg.det(m) > 0)


def the_map(seed: int = 0) -> list[dict[str, Any]]:
    """The breaking of the turn on charts over the whole plate, obstacle and its edge included."""
    asked, error, _ = problem("isotropic", 3, MAP_RADII, MAP, seed)
    found, truth = rates(asked), MEDIA["isotropic"].generator
    turn = (asked.basis().reshape(4, -1) @ truth.reshape(-1, 1)) / np.linalg.norm(truth)
    breaking = weigh(Forms.of(found), found.moved, asked.examples.unit, turn, draws=10).by_chart[:, 0]
    return [{"u": u, "v": v, "breaking": float(b), "error": e} for (u, v), b, e in zip(MAP, breaking, error, strict=True)]


def main() -> None:
    """Measure what is not there yet; each case is written when it is whole."""
    torch.set_num_threads(1)
    file = RESULTS / "heat.json"
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"machine": machine(), "rows": [], "map": []}
    if not kept["map"]:
        kept["map"] = the_map()
        _write(file, kept)
    there = {(r["case"], r["seed"]) for r in kept["rows"]}
    for seed, case in [(seed, case) for seed in SEEDS for case in CASES if (case, seed) not in there]:
        kept["rows"].append(measured(case, seed))
        _write(file, kept)
        row = kept["rows"][-1]
        print(
            case,
            seed,
            f"gradient {row['gradient']['angle']:.2f}, atlas {row['atlas']['angle']:.2f}:",
            (row["components"] or {}).get("sentence", "what holds is no algebra"),
            flush=True,
        )


def _write(file: Path, kept: dict[str, Any]) -> None:
    write_whole(file, lambda part: part.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8"))


if __name__ == "__main__":
    main()
