"""Generators of our own flows, from data and from a trained emulator. Writes results/flows/; finished parts are kept.

    python studies/discovery/flows_study.py     # about forty minutes of one core

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
from flow_motions import KNOWN, OTHERS, TRUTH, symmetry

from orbitscope._whole import write_whole
from orbitscope.data import Examples
from orbitscope.discover import Forms, Problem, principal_cosines, rates, weigh
from orbitscope.probe import machine

RESULTS = Path(__file__).parent / "results" / "flows"
SEEDS = (0, 1, 2)
FLOWS, EACH, HELD = 450, 60, 240


def degrees(cosines: np.ndarray) -> float:
    """The largest of the principal angles."""
    return float(np.degrees(np.arccos(np.clip(cosines.min(), -1, 1)))) if len(cosines) else float("nan")


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
    """What holds of the whole space, how far it lies from the truth, and the breaking of every motion that has a name."""
    found = rates(asked)
    forms, unit = Forms.of(found), asked.examples.unit
    evidence = weigh(forms, found.moved, unit, seed=asked.seed)
    basis = np.einsum("ik,iab->kab", evidence.directions, asked.basis())
    known = np.stack([KNOWN[name] for name in truth])
    row: dict[str, Any] = {
        "breaking": evidence.breaking.tolist(), "noise": evidence.noise.tolist(), "words": list(evidence.words), "count": evidence.count,
        "rough": evidence.rough, "wanted": len(truth), "levels": list(evidence.levels), "named": {},
    }  # fmt: skip
    for name, k in (("inner", evidence.count), ("outer", evidence.rough)):
        cosines = principal_cosines(basis[:k], known) if k else np.zeros(0)
        row[name] = {"cosines": np.asarray(cosines).tolist(), "angle": degrees(np.asarray(cosines))}
    for name, matrix in (KNOWN | OTHERS).items():
        span = asked.basis().reshape(asked.size, -1) @ matrix.reshape(-1, 1)
        one = weigh(forms, found.moved, unit, span, seed=asked.seed, draws=50)
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


def main(seeds: tuple[int, ...] = SEEDS) -> None:
    """Measure what is not there yet; each row is written when it is whole."""
    torch.set_num_threads(1)
    file = RESULTS / "flows.json"
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"machine": machine(), "rows": [], "emulators": []}
    there = {(r["medium"], r["seed"]) for r in kept["rows"]}
    for seed, medium in [(s, m) for s in seeds for m in flows.MEDIA if (m, s) not in there]:
        kept["rows"].append(row := measured(medium, seed))
        _write(file, kept)
        print(f"{medium}, seed {seed}: {row['count']} ({row['rough']} roughly) of {row['wanted']}, {row['seconds']:.0f} CPU s", flush=True)
    for seed in [s for s in seeds if s not in {r["seed"] for r in kept["emulators"]}]:
        kept["emulators"].append(row := emulated(seed))
        _write(file, kept)
        print(f"emulator {seed}: SMSE {row['smse']:.2e}, {row['count']} ({row['rough']} roughly), {row['seconds']:.0f} CPU s", flush=True)


def _write(file: Path, kept: dict[str, Any]) -> None:
    write_whole(file, lambda part: part.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8"))


if __name__ == "__main__":
    main(tuple(int(s) for s in sys.argv[1:]) or SEEDS)
