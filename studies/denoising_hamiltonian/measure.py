"""What is measured of one trained map: other motions of new systems, forecast with codes fitted to one of their motions."""

import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent.parent)]
import harness  # noqa: E402, F401  # one thread, before torch
import numpy as np  # noqa: E402
import torch  # noqa: E402
from scipy.interpolate import CubicHermiteSpline, CubicSpline  # noqa: E402
from torch import Tensor  # noqa: E402

from orbitscope.systems import SystemRun  # noqa: E402
from orbitscope.systems.mechanics import (  # noqa: E402
    BODIES,
    CodePrior,
    Every,
    Motion,
    MotionModel,
    code_probe,
    energy_errors,
    errors_by_horizon,
    motion_of,
    numbers_of,
    reversal_error,
    symplectic_defect,
    trajectories_of,
)

GIVEN = 8
"""True frames before a forecast, as published."""
HORIZONS = (8, 32, 120)
Rows = list[dict[str, Any]]


def measured(run: SystemRun, gaps: list[int]) -> dict[str, Rows]:
    """All tables of one run: codes fitted with a prior ("fit"), and read by the encoder ("reader")."""
    model, train, test = run.model.double(), run.examples["train"], run.examples["test"]  # trained in float32, measured in float64
    assert isinstance(model, MotionModel)
    motion = motion_of(test)
    paths, numbers = trajectories_of(test), numbers_of(test)
    known = paths[:, 0, : motion.context]
    prior = CodePrior.of(model, train)
    with torch.no_grad():
        codes = {"reader": model.encode(known), "fit": model.complete(known, prior).z}
        trained = model.encode(trajectories_of(train)[:, 0, : motion.context])
    others = paths[:, 1:]
    tables: dict[str, Rows] = {"forecast": [], "energy": [], "probe": [], "structure": [], "refine": []}
    for how, z in codes.items():
        many = z.repeat_interleave(others.shape[1], 0)
        forecasts(tables, how, model, others.flatten(0, 1), many, numbers.repeat_interleave(others.shape[1], 0), motion)
        score = code_probe(trained, numbers_of(train), z, numbers)
        tables["probe"] += [{"codes": how, "number": n, "r2": float(s)} for n, s in zip(motion.names, score, strict=True)]
    many = codes["fit"].repeat_interleave(others.shape[1], 0)
    structure(tables, model, others.flatten(0, 1), many)
    for gap in gaps:
        refined(tables, model, others.flatten(0, 1), many, gap, motion, numbers.repeat_interleave(others.shape[1], 0))
    return tables


def forecasts(tables: dict[str, Rows], how: str, model: MotionModel, paths: Tensor, z: Tensor, numbers: Tensor, motion: Motion) -> None:
    """Errors by horizon and energies."""
    found = model.forecast(paths[:, :GIVEN], paths.shape[1] - GIVEN, z)
    truth, size = paths[:, GIVEN:], np.pi / 2 if motion.angles else 1.0  # angles in units of a right angle, as published
    errors = errors_by_horizon(found, truth, size, motion.pairs)
    still = errors_by_horizon(paths[:, GIVEN - 1 : GIVEN].expand_as(truth), truth, size, motion.pairs)
    for h in (h for h in HORIZONS if h <= errors.shape[1]):
        row = {"codes": how, "horizon": h}
        lasting = {"persistence_median": float(still[:, h - 1].median())}
        tables["forecast"].append({**row, "median": float(errors[:, h - 1].median()), "mean": float(errors[:, h - 1].mean()), **lasting})
    tables["energy"].append({"codes": how, **energy_errors(found, BODIES[motion.body], numbers, paths[:, GIVEN - 1])})


def structure(tables: dict[str, Rows], model: MotionModel, paths: Tensor, z: Tensor) -> None:
    """Symplectic form (of maps of single frames) and reversal."""
    some = slice(0, len(paths), max(len(paths) // 6, 1))
    row: dict[str, Any] = {"reversal16": float(reversal_error(model, paths[:, :GIVEN], z).max())}
    if model.history == 1:
        start = model.scale(paths[some, GIVEN - 1])
        row |= {f"defect{n}": float(symplectic_defect(model, start, z[some], n).max()) for n in (1, 16)}
    tables["structure"].append(row)


def refined(tables: dict[str, Rows], model: MotionModel, paths: Tensor, z: Tensor, gap: int, motion: Motion, numbers: Tensor) -> None:
    """Frames between every `gap`-th one: the map against splines, over the filled frames only."""
    last = (paths.shape[1] - 1) // gap * gap
    whole = paths[:, : last + 1]
    known = Every(gap)(last + 1).numpy()
    t, d = motion.dt * np.arange(last + 1), motion.pairs
    q = whole[..., :d].numpy()
    rate = BODIES[motion.body].rate(
        whole.reshape(-1, 2 * d).numpy(), np.repeat(numbers.numpy(), last + 1, 0), np.zeros((whole.shape[0] * (last + 1), 1))
    )
    speed = rate.reshape(*whole.shape)[..., :d]
    found = {
        "cubic spline": CubicSpline(t[known], q[:, known], axis=1)(t),
        "Hermite, true velocity": CubicHermiteSpline(t[known], q[:, known], speed[:, known], axis=1)(t),
    }
    if model.history == 1:
        found["map"] = model.refine(whole, Every(gap), z)[0][..., :d].numpy()
    size = np.pi / 2 if motion.angles else 1.0
    for name, filled in found.items():
        error = (((filled - q)[:, ~known] / size) ** 2).mean((1, 2))
        tables["refine"].append({"gap": gap, "method": name, "median": float(np.median(error)), "mean": float(error.mean())})
