"""Frames between known ones, clean and behind noise, against interpolations that know no dynamics; and whether spreads are right."""

from typing import Any

import numpy as np
import torch
from scipy.interpolate import CubicHermiteSpline, CubicSpline
from torch import Tensor

from orbitscope.systems.mechanics import (
    BODIES,
    DHN,
    CodePrior,
    Every,
    FittedCode,
    Mask,
    Motion,
    MotionModel,
    Scattered,
    calibration,
    gaussian_process,
)

NOISE = 0.02
"""Standard deviation of noisy frames, in root mean squares of the training (of coordinates in rad where they are angles)."""
MEMBERS = 20
Rows = list[dict[str, Any]]


def filled(model: MotionModel, prior: CodePrior, paths: Tensor, z: Tensor, gaps: list[int], motion: Motion, numbers: Tensor) -> Rows:
    """Errors of the filled frames alone: every so many known, a random quarter known, and every fourth behind noise."""
    rows: Rows = []
    for gap in gaps:
        last = (paths.shape[1] - 1) // gap * gap
        rows += one_mask(f"every {gap}", model, paths[:, : last + 1], z, Every(gap), motion, numbers)
    rows += one_mask("random quarter", model, paths, z, Scattered(0.25, 0), motion, numbers)
    rows += noisy(model, prior, paths, z, Every(4), motion)
    return rows


def one_mask(name: str, model: MotionModel, paths: Tensor, z: Tensor, mask: Mask, motion: Motion, numbers: Tensor) -> Rows:
    """A row for the map, if it fills, and for each interpolation; the Hermite spline and one of the processes know the true velocity."""
    count, d = paths.shape[1], motion.pairs
    known = mask(count).numpy()
    t, q = motion.dt * np.arange(count), paths[..., :d].numpy()
    speed = velocities(paths, numbers, motion)
    found = {
        "cubic spline": CubicSpline(t[known], q[:, known], axis=1)(t),
        "Hermite, true velocity": CubicHermiteSpline(t[known], q[:, known], speed[:, known], axis=1)(t),
        "Gaussian process": gaussian_process(t[known], q[:, known], t)[0],
        "Gaussian process, true velocity": gaussian_process(t[known], q[:, known], t, speed[:, known])[0],
    }
    if fills(model, mask):
        found["map"] = model.refine(paths, mask, z)[0][..., :d].numpy()
    return [{"known": name, "method": m, **errors(f, q, ~known, motion)} for m, f in found.items()]


def noisy(model: MotionModel, prior: CodePrior, paths: Tensor, z: Tensor, mask: Mask, motion: Motion) -> Rows:
    """All frames from noisy known ones, and whether the standard deviations are right."""
    count, d = paths.shape[1], motion.pairs
    known, t = mask(count).numpy(), motion.dt * np.arange(count)
    generator = torch.Generator().manual_seed(0)
    sizes = model.get_buffer("sizes").to(paths.dtype)
    seen = paths + NOISE * sizes * torch.randn(paths.shape, generator=generator, dtype=paths.dtype)
    q, size = paths[..., :d].numpy(), float(sizes[0])
    mean, spread = gaussian_process(t[known], seen[:, known, :d].numpy(), t, noise=NOISE * size)
    found = {
        "cubic spline": (CubicSpline(t[known], seen[:, known, :d].numpy(), axis=1)(t), np.zeros_like(q)),
        "Gaussian process": (mean, spread),
    }
    if model.history == 1 and not isinstance(model, DHN):
        made, width = model.refine(seen, mask, z, noise=NOISE, slack=max(prior.variance, 1e-12) ** 0.5)
        assert width is not None
        found["map"] = (made[..., :d].numpy(), width[..., :d].numpy())
    every = np.ones(count, bool)
    rows = []
    for method, (made, width) in found.items():
        row = {"known": "every 4, noise", "method": method, **errors(made, q, every, motion)}
        rows.append({**row, **calibration(torch.from_numpy(made), torch.from_numpy(width), torch.from_numpy(q))})
    return rows


def fills(model: MotionModel, mask: Mask) -> bool:
    """Whether a map fills the frames that a mask leaves out."""
    if isinstance(model, DHN):
        return model.masks == "both" and isinstance(mask, Every) and mask.gap == 2 * max(model.spacings)
    return model.history == 1


def errors(found: np.ndarray, truth: np.ndarray, where: np.ndarray, motion: Motion) -> dict[str, float]:
    """Median and mean over motions of the mean square error of some frames."""
    size = np.pi / 2 if motion.angles else 1.0
    square = (((found - truth)[:, where] / size) ** 2).mean((1, 2))
    return {"median": float(np.median(square)), "mean": float(square.mean())}


def velocities(paths: Tensor, numbers: Tensor, motion: Motion) -> np.ndarray:
    """The true velocities, from the equation of motion."""
    flat, count = paths.reshape(-1, paths.shape[-1]).numpy(), paths.shape[1]
    rate = BODIES[motion.body].rate(flat, np.repeat(numbers.numpy(), count, 0), np.zeros((len(flat), 1)))
    return rate.reshape(paths.shape)[..., : motion.pairs]


def calibrated(model: MotionModel, fitted: FittedCode, paths: Tensor, starts: int, motion: Motion, given: int) -> Rows:
    """Ensembles of forecasts: from codes of the posterior for every map, from the noise of the denoising for the published one."""
    steps, past = min(32, paths.shape[1] - given), paths[:, :given]
    truth = paths[:, given : given + steps, : motion.pairs]
    drawn = fitted.draws(MEMBERS, 0).repeat_interleave(starts, 1).flatten(0, 1)
    ensembles = {"codes": model.forecast(past.repeat(MEMBERS, 1, 1), steps, drawn).reshape(MEMBERS, len(past), steps, -1)}
    if isinstance(model, DHN) and model.denoise:
        z = fitted.z.repeat_interleave(starts, 0)
        ensembles["denoising"] = model.ensemble(past, steps, z, MEMBERS, 0)
    rows = []
    for how, made in ensembles.items():
        q = made[..., : motion.pairs]
        found = calibration(q.mean(0), q.std(0), truth)
        rows.append({"ensemble": how, "members": MEMBERS, "frames": steps, "spread": float(q.std(0).median()), **found})
    return rows
