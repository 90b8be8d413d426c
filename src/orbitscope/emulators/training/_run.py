"""Trained emulators from disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from ..._errors import OrbitscopeError, reading
from ..._expect import expect
from ..._html import table_html
from ...data import WINDOWS, Trajectories
from ...symmetry import Grid, Layout
from ...training import to_precision
from ...training.files import BEST, LAST, SIDECAR, entries, load_weights, read_json, read_weights
from ..networks import Emulator, assembled, build, models
from ._config import TrainConfig

_ENTRIES = {
    "config": dict, "layout": dict, "grid": dict, "dt": (int, float), "normalisation": dict, "epoch": int, "finished": bool,
    "metrics": dict, "history": list, "split": dict, "parameters": int, "seed": int, "versions": dict, "data": dict,
}  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """A trained emulator with everything that a probe or a report needs to know about it.

    * `path`: the folder. `model`: the emulator, in evaluation mode, with the weights of `epoch`.
    * `config`: what it was trained with.
    * `layout`, `grid`, `dt`: those of the training data; dt in physical units, between two states.
    * `epoch`: of these weights, from 1; 0 is before training.
    * `finished`: whether the training reached its last epoch.
    * `metrics`: part of the split -> its errors ("smse", "smse_persistence", ...) with the best weights; empty while unfinished.
    * `history`: one row per epoch: "epoch", "train" and "validation" (SMSE), "learning_rate", "seconds".
    * `split`: "train", "validation", "test" -> numbers of trajectories.
    * `parameters`: how many numbers were trained. `seed`: of the weights and the order of batches.
    * `versions`: with what it was trained: package -> version, and "python", "machine", "threads".
    * `data`: fingerprint, shape and provenance of the training data.
    """

    path: Path
    model: Emulator
    config: TrainConfig
    layout: Layout
    grid: Grid
    dt: float
    epoch: int
    finished: bool
    metrics: dict[str, Any]
    history: list[dict[str, float]]
    split: dict[str, list[int]]
    parameters: int
    seed: int
    versions: dict[str, str]
    data: dict[str, Any]

    def __str__(self) -> str:
        test = self.metrics.get("test")
        result = f"test SMSE {test['smse']:.2e}, persistence {test['smse_persistence']:.2e}" if test else "unfinished"
        return f"{self.config.model} {self.config.preset} seed {self.seed}: {self.parameters:,} parameters, epoch {self.epoch}, {result}"

    def __repr__(self) -> str:
        return f"Run({self}; {self.path})"  # one line: a list of runs is read in a notebook, and the network has a repr of its own

    def _repr_html_(self) -> str:
        errors = {part: found.get("smse") for part, found in self.metrics.items() if isinstance(found, dict)}
        return table_html(str(self), [
            ("folder", self.path),
            ("layout", self.layout),
            ("grid", self.grid),
            ("time step", f"{self.dt:g}"),
            ("SMSE", ", ".join(f"{part} {value:.2e}" for part, value in errors.items() if value is not None)),
            ("trajectories", ", ".join(f"{part} {len(numbers)}" for part, numbers in self.split.items())),
            ("versions", ", ".join(f"{name} {version}" for name, version in self.versions.items())),
        ])  # fmt: skip

    def cut(self, data: Trajectories) -> Trajectories:
        """`data` as this training numbered them: a series in the windows that it was trained on, others as they are."""
        said = self.data.get("provenance", {}).get(WINDOWS)
        if said is None or WINDOWS in data.provenance or data.times < int(said["length"]):
            return data
        return data.windows(int(said["length"]), int(said["every"]))

    def part(self, data: Trajectories, name: str = "test") -> Trajectories | None:
        """The trajectories (windows of a series) of the part `name` of the split; None where `data` have another number of them."""
        numbered = self.cut(data)
        count = (self.data.get("shape") or [sum(map(len, self.split.values()))])[0]
        return numbered[self.split[name]] if self.split.get(name) and count == len(numbered) else None


def load_run(
    path: str | Path,
    weights: Literal["best", "last"] | int = "best",
    device: str | torch.device = "cpu",
    *,
    trust: bool | str = False,
) -> Run:
    """The run in a folder that `train` wrote; the model is in evaluation mode.

    * `path`: the folder of one seed.
    * `weights`: "best" (lowest validation error), "last", or an epoch (needs `keep="all"`; 0 is before training).
    * `device`: where the model goes.
    * `trust`: whether the folder may name code to import ("package.module:callable"); or the one such name that it may. Names that are
      built in or registered need no trust.

    Raises `OrbitscopeError` where there is no run, where there are several seeds (see `load_runs`), where the folder names code without
    `trust`, and where the weights do not fit the model, naming the first tensors that differ.
    """
    expect(path, (str, Path), "load_run: `path`", "the folder of a run")
    path = Path(path)
    if not (path / SIDECAR).exists() and (seeds := _seed_folders(path)):
        raise OrbitscopeError(
            f"load_run: {path} holds {len(seeds)} seeds ({', '.join(s.name for s in seeds[:4])}); give one, or use load_runs."
        )
    sidecar, advice = path / SIDECAR, "Train again with force=True (--force), or copy the folder again."
    with reading(sidecar, "run", advice):
        kept = entries(read_json(sidecar), sidecar, _ENTRIES, advice)
        for part, measured in kept["metrics"].items():
            entries(measured, sidecar, {"smse": (int, float), "smse_persistence": (int, float)}, f"It belongs to {part!r}. {advice}")
        for epoch in kept["history"]:
            entries(epoch, sidecar, dict.fromkeys(("epoch", "train", "validation", "seconds"), (int, float)), advice)
        for part, numbers in kept["split"].items():
            if not isinstance(numbers, list) or not all(isinstance(n, int) for n in numbers):
                raise OrbitscopeError(f"run: {sidecar}: the split {part!r} should list numbers of trajectories. {advice}")
        return _assemble(path, kept, _weights_file(path, weights), torch.device(device), trust)


def load_runs(
    path: str | Path,
    weights: Literal["best", "last"] | int = "best",
    device: str | torch.device = "cpu",
    *,
    trust: bool | str = False,
) -> list[Run]:
    """The runs of all seeds below a folder, in the order of the seeds; one for the folder of a single run.

    * `path`: the folder that `train` was given.
    * `weights`, `device`, `trust`: as of `load_run`, for every seed.

    Raises `OrbitscopeError` as `load_run` does.
    """
    path = Path(path)
    seeds = [] if (path / SIDECAR).exists() else _seed_folders(path)
    return [load_run(folder, weights, device, trust=trust) for folder in seeds or [path]]


def _assemble(path: Path, kept: dict[str, Any], file: Path, device: torch.device, trust: bool | str) -> Run:
    config, layout, grid = TrainConfig.from_dict(kept["config"]), Layout.from_dict(kept["layout"]), Grid.from_dict(kept["grid"])
    if config.model not in models() and trust is not True and trust != config.model:
        raise OrbitscopeError(
            f"run: {path / SIDECAR} names the model {config.model!r}, which is neither built in nor registered in this process. A file "
            "does not choose what code runs here: if you know where the folder comes from, --trust (trust=True); or register the model."
        )
    norm, dtype = kept["normalisation"], torch.float64 if config.precision == "64" else torch.float32
    backbone = build(
        config.model,
        config.preset,
        channels_in=config.frames * layout.channels + len(norm.get("units", {}).get("sizes", ())),
        channels_out=layout.channels,
        resolution=grid.shape,
        layout=layout,
        grid=grid,
        residual=config.residual,
        differences=config.differences,
        **dict[str, Any](config.overrides),
    )
    model = to_precision(assembled(backbone, norm, residual=norm["residual"], frames=config.frames, dtype=dtype), dtype)
    tensors, metadata = read_weights(file)
    load_weights(model, tensors, str(file))
    model.to(device).eval()
    return Run(
        path=path,
        model=model,
        config=config,
        layout=layout,
        grid=grid,
        dt=float(kept["dt"]),
        epoch=int(metadata.get("epoch", kept["epoch"])),
        finished=bool(kept["finished"]),
        metrics=kept["metrics"],
        history=kept["history"],
        split=kept["split"],
        parameters=int(kept["parameters"]),
        seed=int(kept["seed"]),
        versions=kept["versions"],
        data=kept["data"],
    )


def _weights_file(path: Path, weights: str | int) -> Path:
    if isinstance(weights, int):
        return path / "checkpoints" / f"epoch-{weights:04d}.safetensors"
    names = {"best": BEST, "last": LAST}
    if weights not in names:
        raise OrbitscopeError(f"load_run: `weights` must be 'best', 'last' or an epoch, got {weights!r}.")
    return path / names[weights]


def _seed_folders(path: Path) -> list[Path]:
    found = [p for p in path.glob("seed-*") if (p / SIDECAR).exists() and p.name.removeprefix("seed-").isdigit()]
    return sorted(found, key=lambda p: int(p.name.removeprefix("seed-")))
