"""The four tasks on a file of motions: what a trained map says of systems that it has not seen, as a dataset."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ..._errors import OrbitscopeError
from ...data import Examples
from ._about import Motion, motion_of, numbers_of, trajectories_of
from ._codes import CodePrior
from ._masks import Every, First, Mask, Scattered
from ._measures import calibration, code_probe
from ._models import MotionModel

CODES = ("fit", "reader")
OPTIONS: dict[str, dict[str, Any]] = {
    "forecast": {"given": 8, "steps": 0, "codes": "fit"},
    "complete": {"iterations": 20},
    "encode": {},
    "refine": {"every": 0, "first": 0, "scattered": 0.0, "noise": 0.0, "codes": "fit", "seed": 0},
}
"""Options of each task: frames that are known and frames to come (0: all there are), whose codes, which frames are known, their noise."""


def answered(model: MotionModel, task: str, examples: Examples, training: Examples, options: Mapping[str, Any]) -> xr.Dataset:
    r"""What `model` says of the motions in `examples`.

    * `task`: "forecast", the frames to come of every start but the first; "complete", codes fitted to the first start, and "encode", codes
      read from it, with what a linear fit makes of the hidden numbers; "refine", the unknown frames, or all behind noise, of every start
      but the first. With one start for each system that one is taken for all.
    * `examples`: whole trajectories. `training`: those of the training, for the prior of the codes and the fit of the numbers.
    * `options`: of `OPTIONS`.

    Frames in their own units, `dt` in s; errors of the coordinates are mean squares. Raises `OrbitscopeError` for an unknown task or
    option, and for motions of another kind than the map was trained on.
    """
    if task not in OPTIONS:
        raise OrbitscopeError(f"forecast: `task` should be one of {', '.join(OPTIONS)}, got {task!r}.")
    if unknown := sorted(set(options) - set(OPTIONS[task])):
        known = ", ".join(f"{k}={v}" for k, v in OPTIONS[task].items()) or "none"
        raise OrbitscopeError(f"forecast: {task} has no option {unknown[0]!r}. It has: {known}.")
    motion, trained = motion_of(examples), motion_of(training)
    if (motion.pairs, motion.angles) != (trained.pairs, trained.angles) or abs(motion.dt - trained.dt) > 1e-6 * trained.dt:
        raise OrbitscopeError(
            f"forecast: the map was trained on {trained.pairs} pairs with angles {trained.angles} and dt = {trained.dt:.6g} s; these "
            f"motions have {motion.pairs}, {motion.angles} and {motion.dt:.6g} s. A map knows one step: resample them, or train on them."
        )
    asked = {**OPTIONS[task], **options}
    if asked.get("codes", "fit") not in CODES:
        raise OrbitscopeError(f"forecast: `codes` should be fit or reader, got {asked['codes']!r}.")
    net = copy.deepcopy(model).double().eval()
    paths = trajectories_of(examples).double()
    known = paths[:, 0, : motion.context]
    prior = CodePrior.of(net, training)
    found = {"forecast": _ahead, "complete": _completed, "encode": _encoded, "refine": _between}[task]
    made = found(net, paths, known, prior, asked, (examples, training))
    made.attrs |= {"task": task, "body": motion.body, "dt": motion.dt, **{f"option_{k}": v for k, v in asked.items()}}
    return made.assign_coords(system=examples.units, time=("frame", motion.dt * made["frame"].values)) if "frame" in made else made


def _codes(net: MotionModel, known: Tensor, prior: CodePrior, how: str) -> Tensor:
    with torch.no_grad():
        return net.complete(known, prior).z if how == "fit" else net.encode(known)


def _starts(paths: Tensor) -> tuple[Tensor, int, list[int]]:
    """The motions that are asked about, [systems * starts, frames, 2d], how many for each system, and which."""
    at = list(range(1, paths.shape[1])) or [0]
    return paths[:, at].flatten(0, 1), len(at), at


def _frames(values: Tensor, systems: int, at: list[int], first: int) -> xr.DataArray:
    shaped = values.reshape(systems, len(at), *values.shape[1:]).numpy()
    d = shaped.shape[-1] // 2
    names = [f"{what}{k + 1}" for what in "qp" for k in range(d)]
    frames = np.arange(first, first + shaped.shape[2])
    return xr.DataArray(shaped, {"start": at, "frame": frames, "coordinate": names}, ("system", "start", "frame", "coordinate"))


def _ahead(net: MotionModel, paths: Tensor, known: Tensor, prior: CodePrior, asked: Mapping[str, Any], _: Any) -> xr.Dataset:
    others, count, at = _starts(paths)
    given = int(asked["given"])
    if not net.history <= given <= others.shape[1]:
        raise OrbitscopeError(f"forecast: `given` should be between {net.history} and {others.shape[1]} frames, got {given}.")
    left = others.shape[1] - given
    steps = int(asked["steps"]) or left
    if steps < 1:
        raise OrbitscopeError(f"forecast: `steps` should be at least 1, got {steps}: all {given} frames are given.")
    z = _codes(net, known, prior, asked["codes"])
    ahead = net.forecast(others[:, :given], steps, z.repeat_interleave(count, 0))
    made = xr.Dataset({"forecast": _frames(ahead, len(paths), at, given), "code": (("system", "number_of_code"), z.numpy())})
    both = min(steps, left)
    if both:
        gap = (ahead[:, :both] - others[:, given : given + both])[..., : net.pairs]
        made["error"] = (("system", "start"), gap.square().mean((1, 2)).reshape(len(paths), count).numpy())
    return made


def _completed(
    net: MotionModel, paths: Tensor, known: Tensor, prior: CodePrior, asked: Mapping[str, Any], about: tuple[Examples, Examples]
) -> xr.Dataset:
    fitted = net.complete(known, prior, int(asked["iterations"]))
    made = _told(net, fitted.z, about, lambda frames: net.complete(frames, prior, int(asked["iterations"])).z)
    made["code_covariance"] = (("system", "number_of_code", "other_number_of_code"), fitted.covariance.numpy())
    return made


def _encoded(
    net: MotionModel, paths: Tensor, known: Tensor, prior: CodePrior, asked: Mapping[str, Any], about: tuple[Examples, Examples]
) -> xr.Dataset:
    with torch.no_grad():
        return _told(net, net.encode(known), about, net.encode)


def _told(net: MotionModel, z: Tensor, about: tuple[Examples, Examples], code: Any) -> xr.Dataset:
    """Codes with what a linear fit on systems of the training makes of the hidden numbers."""
    examples, training = about
    motion: Motion = motion_of(training)
    made = xr.Dataset({"code": (("system", "number_of_code"), z.numpy())}, {"system": examples.units})
    before, now = numbers_of(training).double(), numbers_of(examples).double()
    if not motion.names or motion_of(examples).names != motion.names or len(before) <= z.shape[1]:
        return made
    with torch.no_grad():
        seen = code(trajectories_of(training)[:, 0, : motion.context].double())
    fit = torch.linalg.lstsq(torch.cat([seen, torch.ones_like(seen[:, :1])], 1), before).solution
    made["number"] = (("system", "name"), (torch.cat([z, torch.ones_like(z[:, :1])], 1) @ fit).numpy())
    if len(now) > 1:
        made["r2"] = ("name", code_probe(seen, before, z, now).numpy())
    return made.assign_coords(name=list(motion.names))


def mask_of(asked: Mapping[str, Any]) -> Mask:
    """The one mask that the options name; every frame behind noise where they name none.

    * `asked`: options of "refine".

    Raises `OrbitscopeError` for several masks, and for none without noise.
    """
    named = [k for k in ("every", "first", "scattered") if asked[k]]
    if len(named) > 1 or (not named and asked["noise"] <= 0):
        raise OrbitscopeError(
            "refine: exactly one of `every`, `first` and `scattered` says which frames are known (or none, all of them behind `noise`); "
            f"got {', '.join(f'{k}={asked[k]}' for k in named) or 'none, without noise'}."
        )
    if not named:
        return Every(1)
    kinds = {"every": Every, "first": First}
    return Scattered(float(asked["scattered"]), int(asked["seed"])) if named == ["scattered"] else kinds[named[0]](int(asked[named[0]]))


def _between(net: MotionModel, paths: Tensor, known: Tensor, prior: CodePrior, asked: Mapping[str, Any], _: Any) -> xr.Dataset:
    mask = mask_of(asked)
    others, count, at = _starts(paths)
    z = _codes(net, known, prior, asked["codes"])
    seen, noise = mask(others.shape[1]), float(asked["noise"])
    found, spread = net.refine(others, mask, z.repeat_interleave(count, 0), noise=noise, slack=max(prior.variance, 1e-12) ** 0.5)
    made = xr.Dataset({"refined": _frames(found, len(paths), at, 0), "known": ("frame", seen.numpy())})
    if spread is not None:
        made["deviation"] = _frames(spread, len(paths), at, 0)
        held = calibration(found, spread, others)  # against the frames of the file, which the noise is in
        made.attrs |= {f"against_file_{k}": v for k, v in held.items()}
    elif not bool(seen.all()):
        gap = (found - others)[:, ~seen, : net.pairs]
        made["error"] = (("system", "start"), gap.square().mean((1, 2)).reshape(len(paths), count).numpy())
    return made
