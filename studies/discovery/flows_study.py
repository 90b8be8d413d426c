"""Generators of our own flows, from data and from a trained emulator. Writes results/flows/; finished parts are kept.

    python studies/discovery/flows_study.py [data|emulators [ROWS]]     # half a minute of one core for each row; ROWS: stop after so many

From data: predictors (`flows.Local`) on charts of two sets of flows, four media, of which three should give less than the free flow.
From an emulator: the trained network is the predictor, its whole box the chart; `probe`'s Lie derivatives of the same network beside it.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import flow_emulator
import flows
import numpy as np
import torch
from flow_motions import DIRECTIONS, KNOWN, OTHERS, TRUTH, motions, symmetry

from orbitscope._whole import write_whole
from orbitscope.data import Examples
from orbitscope.discover import Forms, Problem, principal_cosines, rates, weigh
from orbitscope.probe import machine

RESULTS = Path(__file__).parent / "results" / "flows"
SEEDS = (0, 1, 2)
FLOWS, EACH, HELD = 500, 60, 300


def degrees(found: np.ndarray, known: np.ndarray) -> float | None:
    """The largest angle between the smaller of two spans and the larger; None where nothing was found."""
    return None if not len(found) else float(np.degrees(np.arccos(np.clip(principal_cosines(found, known).min(), -1, 1))))


def problem(medium: str, seed: int) -> tuple[Problem, float]:
    """Predictors on two sets of flows, charts of others held out, and the predictors' error there over the size of the answers."""
    now, later = flows.pairs(FLOWS, seed, flows.MEDIA[medium])
    x, y, unit, slot = flows.charts(now, later, EACH, seed)
    part = len(x) * 2 // 5 // EACH * EACH  # whole flows
    trained = tuple(flows.Local(x[rows], y[rows]) for rows in (slice(part), slice(part, 2 * part)))
    held = np.arange(2 * part, len(x))[:: (len(x) - 2 * part) // HELD][:HELD]
    x, y = x[held], y[held]
    error = float(((trained[0](x) - y).square().mean() / y.square().mean()).sqrt())
    hypothesis = symmetry(flows.SEEN, flows.ANSWERED)
    return Problem(hypothesis, Examples(x, y, unit[held], slot[held]), trained, charts=1, seed=seed), error


def judged(asked: Problem, truth: tuple[str, ...]) -> dict[str, Any]:
    """What holds, how far it lies from the truth, and the breaking of every motion that has a name.

    Over a short step every map is nearly linear, so that faster flow with as much more vorticity is nearly a symmetry of each. With the
    vorticity's factor among what is searched it lies close to the limit; "searched" is without that factor, "wider" with it.
    """
    found = rates(asked)
    forms, unit, known = Forms.of(found), asked.examples.unit, np.stack([KNOWN[name] for name in truth])
    flat, row = asked.basis().reshape(asked.size, -1), {"wanted": len(truth), "named": {}}
    without = flat @ np.stack([m.ravel() for m, name in zip(motions().algebra, DIRECTIONS, strict=True) if name != "vorticity times"], 1)
    for name, span in (("searched", without), ("wider", None)):
        evidence = weigh(forms, found.moved, unit, span, seed=asked.seed)
        basis = np.einsum("ik,iab->kab", evidence.directions, asked.basis())
        row[name] = {
            "count": evidence.count, "rough": evidence.rough, "withdrawn": evidence.withdrawn, "words": list(evidence.words),
            "levels": list(evidence.levels), "turned": float(np.quantile(evidence.spread, 0.95)) if len(evidence.spread) else None,
            **{key: getattr(evidence, key).tolist() for key in ("breaking", "low", "high", "noise")},
            **{f"{key}_angle": degrees(basis[:k], known) for key, k in (("count", evidence.count), ("rough", evidence.rough))},
        }  # fmt: skip
    for name, matrix in (KNOWN | OTHERS).items():
        one = weigh(forms, found.moved, unit, flat @ matrix.reshape(-1, 1), seed=asked.seed, draws=50)
        row["named"][name] = {key: float(getattr(one, key)[0]) for key in ("breaking", "low", "high", "noise")} | {"word": one.words[0]}
    return row


def measured(medium: str, seed: int) -> dict[str, Any]:
    """One medium and seed, from data."""
    clock = time.process_time()
    asked, error = problem(medium, seed)
    trained = time.process_time() - clock
    row = judged(asked, TRUTH[medium])
    return {"medium": medium, "seed": seed, "error": error, "train_seconds": trained, "seconds": time.process_time() - clock} | row


def emulated(seed: int) -> dict[str, Any]:
    """One emulator: what is found in it, and what `probe` says of it."""
    clock = time.process_time()
    made = flow_emulator.trained(seed)
    trained = time.process_time() - clock
    row = judged(flow_emulator.problem(made, seed), TRUTH["free"])
    return {
        "seed": seed, "smse": made.smse, "epochs": made.epochs, "parameters": made.parameters, "train_seconds": trained,
        "lie": flow_emulator.lie(made, seed), "seconds": time.process_time() - clock,
    } | row  # fmt: skip


def main(most: int = 100, seeds: tuple[int, ...] = SEEDS) -> None:
    """Measure what is not there yet from data, `most` rows of it; each is written when it is whole."""
    kept, file = _kept("flows.json")
    there = {(r["medium"], r["seed"]) for r in kept["rows"]}
    for seed, medium in [(s, m) for s in seeds for m in flows.MEDIA if (m, s) not in there][:most]:
        kept["rows"].append(row := measured(medium, seed))
        _write(file, kept)
        print(f"{medium}, seed {seed}: {said(row)}, {row['seconds']:.0f} CPU s", flush=True)


def emulators(most: int = 100, seeds: tuple[int, ...] = SEEDS) -> None:
    """The same from emulators; a file of its own, so that both can run at once."""
    kept, file = _kept("emulators.json")
    for seed in [s for s in seeds if s not in {r["seed"] for r in kept["rows"]}][:most]:
        kept["rows"].append(row := emulated(seed))
        _write(file, kept)
        print(f"emulator {seed}: SMSE {row['smse']:.2e}, {said(row)}, {row['seconds']:.0f} CPU s", flush=True)


def _kept(name: str) -> tuple[dict[str, Any], Path]:
    """What is there already, and where."""
    torch.set_num_threads(1)
    file = RESULTS / name
    return (json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"machine": machine(), "rows": []}), file


def said(row: dict[str, Any]) -> str:
    """The counts in words."""
    return (
        ", ".join(f"{name} {row[name]['count']} ({row[name]['rough']} roughly)" for name in ("searched", "wider")) + f" of {row['wanted']}"
    )


def _write(file: Path, kept: dict[str, Any]) -> None:
    write_whole(file, lambda part: part.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8"))


if __name__ == "__main__":
    many = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    if sys.argv[1:2] != ["emulators"]:
        main(many)
    if sys.argv[1:2] != ["data"]:
        emulators(many)
