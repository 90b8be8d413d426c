# ruff: noqa: E501 - prose templates
"""How often `check` and the test of distributions are wrong: changes and noise of known size in many small models.

    python docs/make_calibration_changes.py           # everything, some minutes; goes on where it stopped
    python docs/make_calibration_changes.py --page    # the page alone, from the numbers that are there

Writes docs/calibration/changes.json and docs/calibration-changes.md; a small version of the same counts is a test.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "probe"))
from make_calibration_kinds import KINDS, Planted

import orbitscope as osc
from orbitscope.probe import distribution_equivariance, machine
from orbitscope.probe._provenance import versions

ROOT = Path(__file__).resolve().parent.parent
COUNT = 100
# Share of the squared error that the breaking carries, before and now.
CHANGES, UNITS = ((0.02, 0.02), (0.05, 0.05), (0.2, 0.2), (0.05, 0.1), (0.05, 0.2), (0.05, 0.5)), (16, 64)
# Ratio of the noise of the two components, and wind in units of the noise.
NOISES, DRAWS = ((1.0, 0.0), (1.5, 0.0), (2.0, 0.0), (1.0, 0.25), (1.0, 0.5)), (8, 16, 32)


class Turned(nn.Module):
    """Another model whose breaking is as large for every element: $r_2^{-1} f(r_2 x)$, half a turn commuting with all of D4."""

    def __init__(self, model: Planted) -> None:
        super().__init__()
        self.model = model
        self.half = next(g for g in model.elements if g.name == "r2")

    def forward(self, *x: Tensor) -> Any:
        symmetry = self.model.kind.symmetry
        return symmetry.output(self.half.inverse(), self.model(symmetry.input(self.half, x if len(x) > 1 else x[0])))


def change(before: float, now: float, units: int, count: int) -> dict[str, float]:
    """How often `compare` says worse and better of two models with breakings of these shares, on the same examples."""
    kind, said = KINDS["policy"], []
    for seed in range(count):
        torch.manual_seed(seed + 77_000)
        x = kind.draw(units)
        data = osc.Examples(x, kind.truth(*x) if isinstance(x, tuple) else kind.truth(x))
        trees = []
        for model in (Planted(kind, seed, before), Turned(Planted(kind, seed, now))):
            error = osc.equivariance(model, data, kind.symmetry, trajectories=None, times=None)
            found = osc.verdict(kind.symmetry.group, error)
            trees.append(xr.DataTree.from_dict({"/group/equivariance": error, "/group/verdict": found}))
        said.append(osc.compare(trees[1], trees[0]).outcome)
    return {word: float(np.mean([s == word for s in said])) for word in ("worse", "better")}


class Noisy(nn.Module):
    """Nine tenths of the state, a wind, and noise whose components differ."""

    def __init__(self, ratio: float, wind: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.9))
        self.noise = 0.3 * torch.tensor([ratio**0.5, ratio**-0.5]).reshape(2, 1, 1)
        self.wind = 0.3 * wind * torch.tensor([1.0, 0.0]).reshape(2, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x + self.noise * torch.randn_like(x) + self.wind


def noise(ratio: float, wind: float, draws: int, count: int) -> float:
    """How often the distribution is said to change under an element of C4."""
    said = []
    for seed in range(count):
        values = torch.randn(2, 2, 2, 6, 6, generator=torch.Generator().manual_seed(seed))
        data = osc.Trajectories(values, osc.Layout.of("velocity:vector"), osc.Grid.square(6), 0.1)
        model = osc.adapt(Noisy(ratio, wind), randomness="distribution")
        found = distribution_equivariance(model, data, "c4", draws=draws, trajectories=2, permutations=199, seed=seed)
        said.append(bool((found["p_holm"] < 0.05).any()))
    return float(np.mean(said))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what is missing, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", action="store_true", help="measure nothing")
    parser.add_argument("--count", type=int, default=COUNT, help="models per cell")
    parser.add_argument("--root", type=Path, default=ROOT, help="repository whose docs/ are written")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    path = options.root / "docs" / "calibration" / "changes.json"
    record: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"changes": {}, "noise": {}}
    cells = [("changes", f"{a}|{b}|{n}", (change, a, b, n)) for a, b in CHANGES for n in UNITS]
    cells += [("noise", f"{r}|{w}|{d}", (noise, r, w, d)) for r, w in NOISES for d in DRAWS]
    for part, key, (measure, *about) in [] if options.page else cells:
        if key not in record[part]:
            record[part][key] = measure(*about, options.count)
            record |= {"machine": machine(), "date": datetime.now(UTC).strftime("%Y-%m-%d"), "count": options.count, **versions()}
            _write(path, json.dumps(record, indent=0, allow_nan=False) + "\n")
            print(part, key, record[part][key], flush=True)
    _write(options.root / "docs" / "calibration-changes.md", page(record))
    return 0


def page(record: dict[str, Any]) -> str:
    """The page of docs."""
    changes, noises = record["changes"], record["noise"]
    rows = [
        f"| {100 * a:g} % | {100 * b:g} % | "
        + " | ".join(f"{100 * changes[f'{a}|{b}|{n}'][w]:.0f}" for n in UNITS for w in ("worse", "better"))
        + " |"
        for a, b in CHANGES
    ]
    drawn = [f"| {r:g} | {w:g} | " + " | ".join(f"{100 * noises[f'{r}|{w}|{d}']:.0f}" for d in DRAWS) + " |" for r, w in NOISES]
    null = max(changes[f"{a}|{b}|{n}"][w] for a, b in CHANGES if a == b for n in UNITS for w in ("worse", "better"))
    false = max(noises[f"1.0|0.0|{d}"] for d in DRAWS)
    error = 100 * (0.05 * 0.95 / record["count"]) ** 0.5
    return f"""# How often a comparison and a test of distributions are wrong

Written by `python docs/make_calibration_changes.py` on {record["machine"]}, {record["date"]}, orbitscope {record["orbitscope_version"]},
torch {record["torch_version"]}: {record["count"]} models or pairs of models in every cell, so that a rate of 5 % is known to {error:.1f} points (standard error).

## `orbitscope check`

Two models are probed on the same examples (a policy: an offset in, a force out, D4). The share of the squared error that the broken symmetry carries
in the population is planted, as in [the other pages](calibration-kinds.md); the second model is seen half a turn later, so that without a change every
element has the same share in the population and another one in the sample.

| share before | share now | {" | ".join(f"{w}, n = {n}" for n in UNITS for w in ("worse", "better"))} |
| ---: | ---: |{" ---: | ---: |" * len(UNITS)}
{chr(10).join(rows)}

*Per cent of pairs; the rest is "same".* The first rows have no change, so that either word is false: {100 * null:.0f} % at the most. The lower
rows have one, so that what is not "worse" is missed.

## `distribution_equivariance`

A model that keeps nine tenths of a state of 6 x 6 cells and adds noise: the ratio of the standard deviations of its two components, and a wind in
units of the noise. C4, two transitions, 199 relabellings.

| ratio | wind | {" | ".join(f"{d} draws" for d in DRAWS)} |
| ---: | ---: |{" ---: |" * len(DRAWS)}
{chr(10).join(drawn)}

*Per cent of models whose distribution is said to change under an element (Holm, 5 %).* The first row is equivariant in distribution, so that its rates
are false alarms: {100 * false:.0f} % at the most. In the other rows a distribution that changes is missed in the rest of the cases.
"""


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)


if __name__ == "__main__":
    raise SystemExit(main())
