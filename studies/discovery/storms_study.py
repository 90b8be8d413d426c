"""Where on a sphere does a local symmetry hold? A map over planted weather. Writes results/storms/.

    python studies/discovery/storms_study.py     # about a minute of one core for each grid and seed; what is finished is kept

A predictor for each chart of a cover: one filter over the chart for every answer, by ridge regression on weathers of its own.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import storms as st
import torch
from torch import Tensor, nn
from torch.nn import functional

from orbitscope._whole import write_whole
from orbitscope.data import Examples
from orbitscope.discover import HOLDS, Forms, Problem, principal_cosines, rates, weigh
from orbitscope.probe import machine
from orbitscope.symmetry import Charts, FieldAction, Symmetry, general_linear

RESULTS = Path(__file__).parent / "results" / "storms"
SEEDS = (0, 1, 2)
COVER, TRAIN, HELD, RIDGE = 0.42, 120, 30, 1e-3
TURN = np.array([[0.0, -1.0], [1.0, 0.0]])


class Filters(nn.Module):
    """One linear filter on all channels and a constant for each chart, by ridge regression: x [N, chart, 4, x, y] -> [N, chart, 1, ...]."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        super().__init__()
        size, found = x.shape[-1] - y.shape[-1] + 1, []
        for c in range(x.shape[1]):
            rows = functional.unfold(x[:, c], size).transpose(1, 2).flatten(0, 1)
            rows = torch.cat([rows, torch.ones(len(rows), 1, dtype=rows.dtype)], 1)
            gram = rows.T @ rows / len(rows)
            found.append(torch.linalg.solve(gram + RIDGE * torch.diag(torch.diag(gram)), rows.T @ y[:, c].reshape(-1) / len(rows)))
        weights = torch.stack(found)
        self.register_buffer("kernel", weights[:, :-1].reshape(len(found), x.shape[2], size, size))
        self.register_buffer("constant", weights[:, -1].clone())

    def forward(self, x: Tensor) -> Tensor:
        """Answers [N, chart, 1, x, y]."""
        return functional.conv2d(x.flatten(1, 2), self.kernel, self.constant, groups=x.shape[1])[:, :, None]  # type: ignore[arg-type]


def measured(grid: str, seed: int) -> dict[str, Any]:
    """What is found on one grid, and the map."""
    clock, sphere = time.process_time(), st.GRIDS[grid]
    centres = sphere.cover(COVER)
    x, y = st.charts(st.planted(sphere, 2 * TRAIN + HELD, seed), centres)
    trained = tuple(Filters(x[rows], y[rows]) for rows in (slice(TRAIN), slice(TRAIN, 2 * TRAIN)))
    x, y = x[2 * TRAIN :], y[2 * TRAIN :]
    error = ((trained[0](x) - y).square().mean((0, 2, 3, 4)) / y.square().mean((0, 2, 3, 4))).sqrt()
    inner = Charts(st.PATCH.inner(st.MARGIN))
    hypothesis = Symmetry(general_linear(2), FieldAction(st.LAYOUT, Charts(st.PATCH)), FieldAction(st.ANSWER, inner))
    asked = Problem(hypothesis, Examples(x, y), trained, charts=len(centres), seed=seed)
    found = rates(asked)
    forms = Forms.of(found)
    away = np.array([_from(c) for c in centres])
    turn = asked.basis().reshape(4, -1) @ TURN.reshape(-1, 1) / np.sqrt(2)
    by_chart = weigh(forms, found.moved, asked.examples.unit, turn, draws=20).by_chart[:, 0]
    reach = st.WIDTH + float(st.PATCH.inner(st.MARGIN).coordinates.norm(dim=0).max())
    return {
        "grid": grid, "seed": seed, "centres": centres, "away": away.tolist(), "error": error.tolist(), "breaking": by_chart.tolist(),
        "reach": reach, "holds": HOLDS, "everywhere": _found(asked, forms, found.moved, np.ones(len(centres), bool)),
        "free": _found(asked, forms, found.moved, away > reach), "inside": _found(asked, forms, found.moved, away < st.WIDTH),
        "seconds": time.process_time() - clock,
    }  # fmt: skip


def _from(centre: tuple[float, float]) -> float:
    """Distance from the middle of the region without symmetry."""
    (a, b), (c, d) = np.radians(centre), np.radians(st.RANGE)
    return float(np.arccos(np.clip(np.sin(b) * np.sin(d) + np.cos(b) * np.cos(d) * np.cos(a - c), -1, 1)))


def _found(asked: Problem, forms: Forms, moved: np.ndarray, kept: np.ndarray) -> dict[str, Any]:
    """The directions that hold on some of the charts."""
    some = Forms(*(f[:, kept] for f in (forms.signal, forms.noise, forms.scale, forms.null)))
    evidence = weigh(some, moved, asked.examples.unit, seed=asked.seed)
    first = np.einsum("i,iab->ab", evidence.directions[:, 0], asked.basis())
    cosine = float(principal_cosines(first[None], TURN[None])[0])
    return {
        "charts": int(kept.sum()), "count": evidence.count, "words": list(evidence.words), "breaking": evidence.breaking.tolist(),
        "generator": first.tolist(), "angle": float(np.degrees(np.arccos(min(1.0, cosine)))),
    }  # fmt: skip


def main(most: int = 100) -> None:
    """The next `most` rows that are not there yet; each is written when it is whole."""
    torch.set_num_threads(1)
    file = RESULTS / "storms.json"
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"machine": machine(), "rows": []}
    there = {(r["grid"], r["seed"]) for r in kept["rows"]}
    for seed, grid in [(s, g) for s in SEEDS for g in st.GRIDS if (g, s) not in there][:most]:
        kept["rows"].append(row := measured(grid, seed))
        write_whole(file, lambda part: part.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8"))
        print(
            f"{grid}, seed {seed}: free {row['free']['count']} at {row['free']['angle']:.2f} degrees, {row['seconds']:.0f} CPU s",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
