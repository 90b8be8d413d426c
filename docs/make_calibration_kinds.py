# ruff: noqa: E501 - prose templates
"""How often the words on the output are wrong for maps that are no fields: breakings of known size in many small models.

    python docs/make_calibration_kinds.py           # everything, some minutes; goes on where it stopped
    python docs/make_calibration_kinds.py --page    # the page alone, from the numbers that are there

Writes docs/calibration/kinds.json and docs/calibration-kinds.md. The maps stand in tests/small_maps.py, and a small version of the same
counts is a test.
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
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import orbitscope as osc
from orbitscope.probe import learnt_subgroup, machine
from orbitscope.probe._provenance import versions
from orbitscope.symmetry import State, called, mapped
from small_maps import KINDS, Kind

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("policy", "cloud", "graph", "parts")
SHARES, UNITS, MODELS, MARGIN, POPULATION = (0.025, 0.05, 0.1), (8, 16, 32), 200, 0.05, 4000


class Planted(nn.Module):
    """The truth, an error that commutes, and a breaking whose mean over the group is 0, of a known share of the squared error."""

    def __init__(self, kind: Kind, seed: int, share: float) -> None:
        super().__init__()
        self.kind, self.elements = kind, kind.symmetry.elements()
        self.even, self.odd = kind.model(equivariant=True, seed=seed), kind.model(equivariant=False, seed=seed + 10_000)
        with torch.no_grad():
            for p in self.odd.parameters():
                p.mul_(3)
        self.size = 0.0
        if share:
            torch.manual_seed(seed)
            x = kind.draw(POPULATION)
            even, odd = (float(self._square(v)) for v in (self._map(self.even, x), self._breaking(x)))
            self.size = (share / (1 - share) * even / odd) ** 0.5

    @torch.no_grad()
    def forward(self, *x: Tensor) -> State:
        state = x if len(x) > 1 else x[0]
        return self._sum(self.kind.truth(*x), self._map(self.even, state), self._breaking(state))

    def _sum(self, true: State, even: State, odd: State) -> State:
        return mapped(lambda t, e, o: t + e + self.size * o, true, even, odd)

    @staticmethod
    def _map(model: nn.Module, x: State) -> State:
        with torch.no_grad():
            return called(model, x)

    def _breaking(self, x: State) -> State:
        symmetry, plain, total = self.kind.symmetry, self._map(self.odd, x), None
        for g in self.elements:
            back = symmetry.output(g.inverse(), self._map(self.odd, symmetry.input(g, x)))
            total = back if total is None else mapped(torch.add, total, back)
        assert total is not None
        return mapped(lambda p, t: p - t / len(self.elements), plain, total)

    def _square(self, answer: State) -> Tensor:
        """In the units that the instruments take: every field over its mean square in the data."""
        output, truth = self.kind.symmetry.output, self.kind.examples(units=200, slots=1).y
        return (output.features(answer) * output.weights(truth)).square().sum(1).mean()


def words(kind: Kind, share: float, units: int, models: int) -> dict[str, float]:
    """How often the whole group is said to hold, to be broken, and neither, over models and their samples."""
    said = []
    for seed in range(models):
        model = Planted(kind, seed, share)
        torch.manual_seed(seed + 77_000)
        x = kind.draw(units)
        y = kind.truth(*x) if isinstance(x, tuple) else kind.truth(x)
        error = osc.equivariance(model, osc.Examples(x, y), kind.symmetry, trajectories=None, times=None)
        table = learnt_subgroup(kind.symmetry.group, error, margin=MARGIN)
        said.append(str(table["word"].values[int(table["member"].values.sum(1).argmax())]))
    holds = np.mean([w in ("holds", "exact up to rounding") for w in said])
    return {"holds": float(holds), "broken": float(np.mean([w == "broken" for w in said]))}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what is missing, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", action="store_true", help="measure nothing")
    parser.add_argument("--models", type=int, default=MODELS, help="models per cell")
    parser.add_argument("--root", type=Path, default=ROOT, help="repository whose docs/ are written")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    path = options.root / "docs" / "calibration" / "kinds.json"
    record: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"cells": {}}
    for name in () if options.page else NAMES:
        for share in SHARES:
            for units in UNITS:
                key = f"{name}|{share}|{units}"
                if key in record["cells"]:
                    continue
                record["cells"][key] = words(KINDS[name], share, units, options.models)
                record |= {"machine": machine(), "date": datetime.now(UTC).strftime("%Y-%m-%d"), "models": options.models, **versions()}
                _write(path, json.dumps(record, indent=0, allow_nan=False) + "\n")
                print(key, record["cells"][key], flush=True)
    _write(options.root / "docs" / "calibration-kinds.md", page(record))
    return 0


def page(record: dict[str, Any]) -> str:
    """The page of docs."""
    cells = record["cells"]
    head = "| True share | " + " | ".join(f"broken, n = {n} | holds, n = {n}" for n in UNITS) + " |\n"
    rows = [head, "| --- |" + " ---: | ---: |" * len(UNITS) + "\n"]
    for share in SHARES:
        row = [f"| {100 * share:g} % "]
        for n in UNITS:
            for word in ("broken", "holds"):
                found = [100 * cells[f"{k}|{share}|{n}"][word] for k in NAMES]
                row.append(f"| {np.mean(found):.1f} ({max(found):.0f}) ")
        rows.append("".join(row) + "|\n")
    false = max(cells[f"{k}|{s}|{n}"]["broken"] for k in NAMES for s in SHARES if s <= MARGIN for n in UNITS)
    missed = max(cells[f"{k}|{s}|{n}"]["holds"] for k in NAMES for s in SHARES if s >= MARGIN for n in UNITS)
    return f"""# How often the verdicts on other maps are wrong

The words on the output are the same for every kind of state, so their rates of error are measured on every kind too: here {record["models"]} small models
for each kind of map, size of breaking and number of units, {record["models"] * len(cells)} in all. Written by `python docs/make_calibration_kinds.py` on
{record["machine"]}, {record["date"]}, orbitscope {record["orbitscope_version"]}, torch {record["torch_version"]}.

**What is planted.** The truth of the map, a random network that commutes (the symmetric error), and a random network minus its mean over the group (the
breaking), scaled so that the breaking is the true share of the squared error in a population of {POPULATION}. The maps: a policy (D4 on an offset, a force
out), the energy of a cloud (the 24 rotations of the cube), a graph of four nodes with vectors (D2), and a state of two parts with an answer of two
parts (C8). The margin is {100 * MARGIN:g} %, the units are independent examples.

{"".join(rows)}
*Per cent of models for which the whole group is said to be broken, or to hold: mean over the kinds (largest of any).*

"Broken" at a share of at most {100 * MARGIN:g} % is a false alarm: {100 * false:.1f} % at the most in any cell. "Holds" at a share of at least {100 * MARGIN:g} % is a miss: {100 * missed:.1f} % at
the most. Either rate of one cell is known to {100 * (MARGIN * (1 - MARGIN) / record["models"]) ** 0.5:.1f} points (standard error). The rest is "undecided": with few
units whose errors differ widely, a breaking of twice the margin is often left undecided, not missed. For fields on grids see [the other page](calibration.md).
"""


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)


if __name__ == "__main__":
    raise SystemExit(main())
