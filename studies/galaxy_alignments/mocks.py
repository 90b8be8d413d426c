"""The mocks of the study: shards of the training set, and points beyond its region."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import Folder

from orbitscope.data import Examples, load_examples, save_examples
from orbitscope.systems.galaxies import SYSTEM

JUDGE = 9000  # seed of the points that errors are judged at
Rows = dict[str, list[dict[str, Any]]]


def shard_file(place: Folder, number: int) -> Path:
    return place.out / "data" / f"shard-{number}.nc"


def data_file(place: Folder) -> Path:
    return place.out / "mocks.nc"


def given(place: Folder) -> dict[str, Any]:
    """The parameters of the scenario."""
    s = place.settings
    return {"realisations": s.realisations, "low": s.low, "high": s.high, "lightest": s.lightest, "grid": s.grid, "box": s.box}


def simulate_shard(place: Folder, number: int) -> Rows:
    """One shard of the training set; its number is its seed, the halos are those of seed 0 in all."""
    began = time.process_time()
    out, count = shard_file(place, number), place.settings.points
    file = SYSTEM.simulate("galaxies.hod", out, count=count, seed=number, parameters=given(place), force=True)
    made = load_examples(file)
    seconds = time.process_time() - began
    row = {"rows": len(made), "galaxies": int(np.sum(made.about["galaxies"])), "cpu_seconds": seconds, "halos": made.about["halos"]}
    return {"shards": [row]}


def judge_file(place: Folder) -> Path:
    return place.out / "data" / "judge.nc"


def judge(place: Folder, model: str, seed: int) -> Rows:
    """Points that no training sees, with many mocks each, so that their means are known better than any emulator is."""
    began, s = time.process_time(), place.settings
    many = {**given(place), "realisations": s.judge_realisations}
    file = SYSTEM.simulate("galaxies.hod", judge_file(place), count=s.judge_points, seed=JUDGE, parameters=many, force=True)
    return {"judged": [{"rows": len(load_examples(file)), "points": s.judge_points, "cpu_seconds": time.process_time() - began}]}


def joined(place: Folder) -> Rows:
    """All shards in one file, with numbers of parameter points of their own."""
    shards = [load_examples(shard_file(place, k)) for k in range(place.settings.shards)]
    assert all(isinstance(s.x, torch.Tensor) and isinstance(s.y, tuple) for s in shards)
    step = max(int(s.unit.max()) + 1 for s in shards)
    unit = np.concatenate([s.unit + k * step for k, s in enumerate(shards)])
    y = tuple(torch.cat([s.y[p] for s in shards]) for p in range(len(shards[0].y)))
    about = {**shards[0].about, "galaxies": [n for s in shards for n in s.about["galaxies"]]}
    whole = Examples(torch.cat([s.x for s in shards]), y, unit, np.concatenate([s.slot for s in shards]), "galaxies.hod", about)  # pyright: ignore[reportArgumentType,reportCallIssue]
    save_examples(whole, data_file(place), force=True)
    value, known, *_ = y
    low = int((value[:, 0] <= 0).any(1).sum())
    row = {"points": len(whole.units), "rows": len(whole), "rows_with_xi_below_0": low, "missing": int((known == 0).sum())}
    return {"set": [row]}
