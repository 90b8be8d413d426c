"""Equivariance and coherence over a training: from checkpoints, or while it runs."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr
from torch import nn

from .._errors import OrbitscopeError
from ..data import Examples, Trajectories
from ..emulators import load_run, load_runs
from ..symmetry import Group, Symmetry
from ..training import load_fit
from .learning._influence import influence
from .learning._metric import Metric
from .output._equivariance import equivariance

_COHERENCE = (
    "response", "response_low", "response_high", "null", "null_low", "null_high", "excess", "excess_low", "excess_high",
)  # fmt: skip


@dataclass
class EpochProbe:
    r"""What symmetry a model has after each epoch: a callback for `train(..., on_epoch=...)` and `training.fit(..., on_epoch=...)`.

    Calling it with (seed, epoch, model) takes one reading, the same transitions every time; `result()` gives all of them, with the
    variables of `by_epoch`. Epoch 0, before the first step, is read with `keep="all"` or not. The model is not changed.

    * `data`: `Trajectories`; `Examples` of any map where `group` is a `Symmetry`.
    * `group`: a `Symmetry`, a `Group`, or its name ("d4", "tx8").
    * `every`: epochs between readings.
    * `coherence`: False leaves out the influence, which costs most.
    * `seed`: of the probe: of the random choice of transitions.
    * `elements`: names of the elements to look at; None: all that `group.probes()` gives.
    * `trajectories`: how many trajectories, drawn at random by `seed`; None: all.
    * `times`: how many transitions of each, evenly spread over its time; None: all.
    * `metric`: how gradients are compared: a name or a `Metric` (see `influence`).
    * `damping`: $\lambda$, added to the curvature; only with the name of a metric that has one. None: 1e-6.
    * `chunk`: examples whose gradients are taken at once; changes memory and time, and no number beyond rounding.
    * `readings`: what was read so far, by (seed, epoch); starts empty.
    """

    data: Trajectories | Examples
    group: Symmetry | Group | str
    every: int = 1
    elements: list[str] | None = None
    trajectories: int | None = 8
    times: int | None = 3
    coherence: bool = True
    metric: str | Metric = "gauss_newton"
    damping: float | None = None
    seed: int = 0
    chunk: int = 8
    readings: dict[tuple[int, int], xr.Dataset] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.every < 1:
            raise OrbitscopeError(f"EpochProbe: `every` must be at least 1, got {self.every}.")

    def __call__(self, seed: int, epoch: int, model: nn.Module) -> None:
        if epoch % self.every == 0:
            self.readings[seed, epoch] = self._read(model)

    def result(self) -> xr.Dataset:
        """All readings, dimensions [seed, epoch, element]; raises `OrbitscopeError` if there is none or if epochs differ between seeds."""
        if not self.readings:
            raise OrbitscopeError("EpochProbe: there is no reading yet. Hand it to train(..., on_epoch=...), or call it.")
        seeds = sorted({s for s, _ in self.readings})
        epochs = sorted({e for _, e in self.readings})
        if missing := [(s, e) for s in seeds for e in epochs if (s, e) not in self.readings]:
            raise OrbitscopeError(f"EpochProbe: seed {missing[0][0]} has no reading of epoch {missing[0][1]}, which another seed has.")
        rows = [xr.concat([self.readings[s, e] for e in epochs], "epoch", combine_attrs="drop_conflicts") for s in seeds]
        result = xr.concat(rows, "seed", combine_attrs="drop_conflicts").assign_coords(epoch=epochs, seed=seeds)
        result["epoch"].attrs.update(long_name="passes over the training split", units="epoch")
        result.attrs.update(kind="by_epoch", seed_of_the_probe=self.seed)
        return result

    def _read(self, model: nn.Module) -> xr.Dataset:
        error = equivariance(
            model, self.data, self.group, elements=self.elements, trajectories=self.trajectories, times=self.times, seed=self.seed
        )
        found = xr.Dataset(attrs=error.attrs)
        for name in ("commutator", "relative_error"):
            low, middle, high = error[name].quantile([0.25, 0.5, 0.75], "transition").transpose("quantile", ...).drop_vars("quantile")
            for suffix, value in (("_low", low), ("", middle), ("_high", high)):
                words = f"{error[name].attrs['long_name']}; {'median' if not suffix else 'quartile'} over transitions"
                found[name + suffix] = value.assign_attrs(long_name=words, units="1", sign="larger is worse")
        found["skill"] = error["skill"].median("transition").assign_attrs(error["skill"].attrs)
        found["floor"] = error["floor"]
        if self.coherence:
            response = influence(
                model, self.data, self.group, metric=self.metric, damping=self.damping, elements=self.elements,
                trajectories=self.trajectories, times=self.times, seed=self.seed, chunk=self.chunk,
            )  # fmt: skip
            found = found.merge(response[[name for name in _COHERENCE if name in response]], compat="override", combine_attrs="override")
            found["loss"] = response["loss"].median(("bra_time", "bra_trajectory"))
            found["loss"].attrs.update(long_name="loss at gx, median over transitions", units="unit of the loss", sign="larger is worse")
        return found


def by_epoch(
    run: str | Path,
    data: Trajectories | Examples,
    group: Symmetry | Group | str,
    *,
    epochs: Sequence[int] | None = None,
    every: int = 1,
    elements: list[str] | None = None,
    trajectories: int | None = 8,
    times: int | None = 3,
    coherence: bool = True,
    metric: str | Metric = "gauss_newton",
    damping: float | None = None,
    seed: int = 0,
    chunk: int = 8,
    model: nn.Module | None = None,
    progress: Callable[[int, int], None] | None = None,
    trust: bool | str = False,
) -> xr.Dataset:
    r"""Equivariance error and coherence of the kept checkpoints of a run (or of all seeds below a folder), by epoch.

    Dimensions [seed, epoch, element]; epoch 0 is before the first step. Medians over the same sampled transitions at every epoch, with
    quartiles `_low` and `_high`: `commutator`, `relative_error` (see `equivariance`); `response`, `null`, and `excess` with its bootstrap
    interval over trajectories (see `influence`); `loss`; `floor`; and `skill` [seed, epoch], the error over that of persistence.

    A training in progress can be read too.

    * `run`: the folder of a run, or of several seeds, trained with `keep="all"`.
    * `data`: usually the test part, `data[load_run(run).split["test"]]`.
    * `epochs`: which of the kept ones; None: those that all seeds have.
    * `every`: of these without `epochs`, the first and every so many after it.
    * `model`: of a run of `training.fit`, a module built as the trained one was; the checkpoints are loaded into a copy of it. None is for
      runs of `train`, which know their model.
    * `trust`: whether the run may name code to import, see `load_run`.
    * `group`: a `Symmetry`, a `Group`, or its name ("d4", "tx8").
    * `elements`: names of the elements to look at; None: all that `group.probes()` gives.
    * `trajectories`: how many trajectories, drawn at random by `seed`; None: all.
    * `times`: how many transitions of each, evenly spread over its time; None: all.
    * `metric`: how gradients are compared: a name or a `Metric` (see `influence`).
    * `damping`: $\lambda$, added to the curvature; only with the name of a metric that has one. None: 1e-6.
    * `seed`: of the random choice of transitions (and of what is resampled); the same seed gives the same result.
    * `chunk`: examples whose gradients are taken at once; changes memory and time, and no number beyond rounding.
    * `progress`: called with (done, total) after each piece of work; None: nothing is said.
    * `coherence`: whether the influence is measured as well, which costs most.

    Raises `OrbitscopeError` for a run without checkpoints (train with keep="all") and epochs that it does not have.
    """
    folders = [one.path for one in load_runs(run, "last", trust=trust)] if model is None else [Path(run)]
    kept = [_epochs(folder) for folder in folders]
    wanted = sorted(set(kept[0]).intersection(*kept[1:]))[::every] if epochs is None else list(epochs)
    if every < 1 or not wanted:
        raise OrbitscopeError(f"by_epoch: `every` = {every} and `epochs` = {epochs} leave nothing to read of {kept[0]}.")
    for folder, have in zip(folders, kept, strict=True):
        if missing := [e for e in wanted if e not in have]:
            raise OrbitscopeError(f"by_epoch: {folder} has no checkpoint of epoch {missing[0]}; it has {have[0]} .. {have[-1]}.")
    probe = EpochProbe(
        data, group, elements=elements, trajectories=trajectories, times=times, coherence=coherence, metric=metric, damping=damping,
        seed=seed, chunk=chunk,
    )  # fmt: skip
    for done, (folder, epoch) in enumerate((f, e) for f in folders for e in wanted):
        one = load_run(folder, int(epoch), trust=trust) if model is None else load_fit(folder, copy.deepcopy(model), int(epoch))
        probe(one.seed, int(epoch), one.model)
        if progress is not None:
            progress(done + 1, len(folders) * len(wanted))
    result = probe.result()
    runs = load_runs(run, "last", trust=trust) if model is None else [load_fit(run, copy.deepcopy(model), "last")]
    rates = {one.seed: {int(h["epoch"]): h for h in one.history} for one in runs}
    for name, words in (("learning_rate", "learning rate at the end of the epoch"), ("validation", "validation loss")):
        table = [[rates[int(s)].get(int(e), {}).get(name, np.nan) for e in result["epoch"].values] for s in result["seed"].values]
        result[name] = (("seed", "epoch"), np.array(table, dtype=float), {"long_name": words, "units": "1"})
    return result


def _epochs(folder: Path) -> list[int]:
    found = sorted(int(p.stem.removeprefix("epoch-")) for p in (folder / "checkpoints").glob("epoch-*.safetensors"))
    if not found:
        raise OrbitscopeError(f"by_epoch: {folder} has no checkpoints. Train with TrainConfig(keep='all').")
    return found
