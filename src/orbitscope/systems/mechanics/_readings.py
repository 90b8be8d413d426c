"""What a probe of a map of motion says beside symmetries: errors of forecasts, energy, symplectic form, reversal."""

import copy

import numpy as np
import torch
import xarray as xr

from ...data import Examples
from ._about import motion_of, numbers_of, trajectories_of
from ._bodies import BODIES
from ._measures import energy_errors, errors_by_horizon, reversal_error, symplectic_defect
from ._models import MotionModel

HORIZONS = (8, 32, 120)
STATES = 4


def measured(examples: Examples, model: MotionModel) -> xr.Dataset:
    r"""Measures of forecasts at `examples`, with codes that the reader of `model` has from the first start: `value` [measure].

    Each has a `unit` and `words`. Coordinates' errors are medians over trajectories of mean squares up to a horizon, in units of the root
    mean square of the training, squared (in rad squared for angles). Energy changes are root mean squares with the true energy, and are
    left out where nobody knows it. $|J^\top \Omega J - \Omega|_F$ is the largest of a few states, and is left out for maps that read
    several frames.
    """
    net, motion = copy.deepcopy(model).double().eval(), motion_of(examples)
    paths, numbers = trajectories_of(examples).double(), numbers_of(examples)
    at = list(range(1, paths.shape[1])) or [0]
    with torch.no_grad():
        z = net.encode(paths[:, 0, : motion.context]).repeat_interleave(len(at), 0)
    others, many = paths[:, at].flatten(0, 1), numbers.repeat_interleave(len(at), 0)
    given = net.history
    ahead = net.forecast(others[:, :given], others.shape[1] - given, z)
    errors = errors_by_horizon(ahead, others[:, given:], float(net.get_buffer("sizes")[0]), net.pairs)
    last = errors.shape[1]
    rows = [
        (f"error, {h} frames", float(errors[:, h - 1].median()), "1", "mean square error of the coordinates up to there, median")
        for h in sorted({*(h for h in HORIZONS if h <= last), last})
    ]
    body = BODIES.get(motion.body)
    if body is not None and body.conservative:
        found = energy_errors(ahead, body, many, others[:, given - 1])
        rows += [
            ("energy, rms", found["rms"], "J", "change of the true energy in the last quarter of the forecast"),
            ("energy, secular", found["secular"], "J", "mean of the last quarter less that of the first"),
            ("energy, to compare", found["mean"], "J", "mean true energy above the least among the starts"),
        ]
    if net.history == 1:
        some = slice(0, len(others), max(len(others) // STATES, 1))
        start = net.scale(others[some, 0])
        for steps in (1, 16):
            defect = float(symplectic_defect(net, start, z[some], steps).max())
            rows.append(
                (f"symplectic defect, {steps} frame{'s' * (steps > 1)}", defect, "1", "of the map's derivative, largest of a few states")
            )
    if motion.even and others.shape[1] >= given + 16:
        back = float(reversal_error(net, others[:, :given], z).max())
        rows.append(
            ("reversal, 16 frames", back, "1", "distance from the start after 16 frames on, momenta reversed, and 16 back; largest")
        )
    names, values, units, told = zip(*rows, strict=True)
    return xr.Dataset(
        {"value": ("measure", np.array(values)), "unit": ("measure", list(units)), "words": ("measure", list(told))},
        {"measure": list(names)},
        {"title": f"What forecasts keep: {len(others)} motions of {len(paths)} systems, codes from {motion.context} frames"},
    )
