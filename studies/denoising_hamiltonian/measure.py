"""What is measured of one trained map: other motions of new systems, forecast with codes fitted to one of their motions."""

import sys
import time
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent.parent)]
import harness  # noqa: E402, F401  # one thread, before torch
import numpy as np  # noqa: E402
import torch  # noqa: E402
from fill import calibrated, filled  # noqa: E402
from torch import Tensor  # noqa: E402

from orbitscope.systems import SystemRun  # noqa: E402
from orbitscope.systems.mechanics import (  # noqa: E402
    BODIES,
    CodePrior,
    Motion,
    MotionModel,
    code_probe,
    energy_errors,
    errors_by_horizon,
    lyapunov,
    motion_of,
    numbers_of,
    reversal_error,
    symplectic_defect,
    trajectories_of,
    valid_times,
)

GIVEN = 8
"""True frames before a forecast, as published."""
HORIZONS = (8, 32, 120)
LOST = 0.4
"""Error of the coordinates at which a forecast is lost, in rad."""
REGULAR = 0.25
"""Exponents below are those of regular motions, in 1/s: such a motion gives about ln(60) / 60 = .07 in 60 s."""
Rows = list[dict[str, Any]]


def measured(run: SystemRun, gaps: list[int], chaotic: bool) -> dict[str, Rows]:
    """All tables of one run: codes fitted with a prior ("fit"), and read by the encoder ("reader").

    A chaotic body has its codes from the second start, so that the first, the published one, is among those that are forecast.
    """
    model, train, test = run.model.double(), run.examples["train"], run.examples["test"]  # trained in float32, measured in float64
    assert isinstance(model, MotionModel)
    motion = motion_of(test)
    paths, numbers = trajectories_of(test), numbers_of(test)
    seen = 1 if chaotic else 0
    known = paths[:, seen, : motion.context]
    prior = CodePrior.of(model, train)
    began = time.process_time()
    fitted = model.complete(known, prior)
    spent = time.process_time() - began
    of_training = trajectories_of(train)[:, seen, : motion.context]
    with torch.no_grad():  # codes of one kind for systems of the training and for new ones: what a probe compares
        codes = {"reader": model.encode(known), "fit": fitted.z}
        trained = {"reader": model.encode(of_training), "fit": model.complete(of_training, prior).z}
    at = [k for k in range(paths.shape[1]) if k != seen]
    others, many = paths[:, at].flatten(0, 1), numbers.repeat_interleave(len(at), 0)
    tables: dict[str, Rows] = {"forecast": [], "energy": [], "probe": [], "structure": []}
    for how, z in codes.items():
        forecasts(tables, how, model, others, z.repeat_interleave(len(at), 0), many, motion)
    for how, before, after in (("reader", "reader", "reader"), ("fit", "fit", "fit"), ("mixed", "reader", "fit")):
        score = code_probe(trained[before], numbers_of(train), codes[after], numbers)
        tables["probe"] += [{"codes": how, "number": n, "r2": float(s)} for n, s in zip(motion.names, score, strict=True)]
    each = codes["fit"].repeat_interleave(len(at), 0)
    structure(tables, model, others, each)
    tables["refine"] = filled(model, prior, others, each, gaps, motion, many)
    tables["calibration"] = calibrated(model, fitted, others, len(at), motion, GIVEN)
    if chaotic:
        tables["chaos"] = lost(model, others, each, many, motion, np.tile(at, len(paths)))
    tables["solve"] = [{"fit_seconds": spent, "systems": len(paths)}]
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
    some = slice(0, len(paths), max(len(paths) // 4, 1))
    row: dict[str, Any] = {"reversal16": float(reversal_error(model, paths[:, :GIVEN], z).max())}
    if model.history == 1:
        start = model.scale(paths[some, GIVEN - 1])
        row |= {f"defect{n}": float(symplectic_defect(model, start, z[some], n).max()) for n in (1, 16)}
    tables["structure"].append(row)


def lost(model: MotionModel, paths: Tensor, z: Tensor, numbers: Tensor, motion: Motion, start: np.ndarray) -> Rows:
    """Valid times, in s and in Lyapunov times of the very trajectory, of chaotic and of regular ones, from the published start and near it.

    A forecast that is never lost counts as lost at its end, so that its time is too short.
    """
    rate = exponents(paths, numbers, motion)
    found = model.forecast(paths[:, :GIVEN], paths.shape[1] - GIVEN, z)
    valid = valid_times(found, paths[:, GIVEN:], motion.pairs, motion.dt, LOST).numpy()
    still = valid_times(paths[:, GIVEN - 1 : GIVEN].expand_as(found), paths[:, GIVEN:], motion.pairs, motion.dt, LOST).numpy()
    whole, quarter = motion.dt * (paths.shape[1] - GIVEN), max(found.shape[1] // 4, 1)
    energy = changes(found, paths[:, GIVEN - 1], numbers, motion)
    rms = np.sqrt((energy[:, -quarter:] ** 2).mean(1))  # of each trajectory: a few that leave what was trained on decide the rest
    rows = []
    for where, some in (("published start", start == 0), ("near it", start != 0)):
        for kind, those in (("chaotic", rate >= REGULAR), ("regular", rate < REGULAR)):
            mine = some & those
            if not mine.any():
                continue
            rows.append({
                "start": where, "kind": kind, "trajectories": int(mine.sum()), "exponent": float(np.median(rate[mine])),
                "seconds": float(np.median(valid[mine])), "quartile": float(np.quantile(valid[mine], 0.25)),
                "lyapunov_times": float(np.median(valid[mine] * rate[mine])), "never_lost": float((valid[mine] >= whole).mean()),
                "persistence_seconds": float(np.median(still[mine])), "energy": float(np.median(rms[mine])),
            })  # fmt: skip
    return rows


def changes(found: Tensor, start: Tensor, numbers: Tensor, motion: Motion) -> np.ndarray:
    """How the true energy of forecasts differs from that of the start, [N, T], in J."""
    energy, (count, frames, wide) = BODIES[motion.body].energy, found.shape
    along = energy(found.reshape(-1, wide).numpy(), np.repeat(numbers.numpy(), frames, 0)).reshape(count, frames)
    return along - energy(start.numpy(), numbers.numpy())[:, None]


def exponents(paths: Tensor, numbers: Tensor, motion: Motion) -> np.ndarray:
    """The largest Lyapunov exponent along each trajectory in 60 s, in 1/s."""
    return lyapunov(BODIES[motion.body].rate, paths[:, 0].numpy(), numbers.numpy(), duration=60.0)
