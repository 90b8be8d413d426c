"""Training emulators."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from .._errors import OrbitscopeError
from ..data import Trajectories
from . import _files as files
from ._config import TrainConfig
from ._fit import OnEpoch, Trainer
from ._launch import launch
from ._peers import Peers
from ._prepare import Prepared
from ._progress import ProgressOption, Reporter

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def train(
    data: Trajectories,
    config: TrainConfig | None = None,
    out: str | Path = "runs/emulator",
    *,
    force: bool = False,
    progress: ProgressOption = "auto",
    tensorboard: bool = True,
    on_epoch: OnEpoch | None = None,
) -> Path:
    r"""Train on every transition state(t) -> state(t + dt) of the training split; return the folder with the run.

    Minimises `smse` in physical units with AdamW. Several seeds make one run each, in out/seed-0 and so on. Every epoch is saved, whole or
    not at all; calling again with the same `out` resumes where it stopped, bit for bit as if never stopped (same device and thread
    count), and returns at once if it is finished. `progress` is a callback that gets a `TrainProgress` after every step, "auto" (a bar on a
    terminal), or None. With `config.devices` > 1 the steps run in that many processes of their own, data-parallel.

    `on_epoch(seed, epoch, model)` is called after every epoch that is trained here, and before the first one with epoch 0: look at the
    model (it is in evaluation mode), do not change it; the training is the same bit for bit with and without. One device only.

    Raises `OrbitscopeError` for an `out` that holds another training or other files (unless `force`, which removes that training), data
    that the model cannot take or that hold a NaN (named by its place, before anything is removed), a loss that is not finite, in a step
    or on the validation or test part, and, with several devices, a process that gives no sign of life for a minute. What was saved
    stays.
    """
    config = config or TrainConfig()
    out = Path(out)
    if on_epoch is not None and config.devices > 1:
        raise OrbitscopeError(
            "train: `on_epoch` is called in this process, but with `devices` > 1 the model lives in others. Use one device, or keep='all' "
            "and look at the checkpoints afterwards (by_epoch)."
        )
    folders = _folders(config, out)
    ours = config.devices == 1 or "LOCAL_RANK" not in os.environ  # else another launcher has started this, as one of several
    peers = Peers(None if ours else _fabric(config))
    peers.decide(lambda: _check_out(config, out, folders), "looking at `out`")
    prepared = Prepared.of(data, config)  # before anything is removed
    unfinished = peers.decide(lambda: _unfinished(config, folders, prepared.fingerprint, force), "looking for what is finished")
    if unfinished:
        prepared.model(unfinished[0])  # raises here, before any process or file, where the model does not fit the data
        if config.devices > 1 and ours:
            launch(data, config, out, unfinished, progress, tensorboard)
            for seed in unfinished:
                Reporter(progress, "").say(_summary(_title(config, seed), folders[seed]))
        else:
            run_seeds(prepared, out, unfinished, progress, tensorboard, on_epoch)
    return out


def run_seeds(
    prepared: Prepared, out: Path, seeds: list[int], progress: ProgressOption, tensorboard: bool, on_epoch: OnEpoch | None = None
) -> None:
    """Train the given seeds in this process, one of `config.devices`."""
    config = prepared.config
    for seed in seeds:
        fabric = _fabric(config)
        folder = _folders(config, out)[seed]
        title = _title(config, seed)
        with Reporter(progress if fabric.is_global_zero else None, title) as reporter:
            trainer = Trainer(fabric, prepared, seed, folder, reporter, on_epoch)
            with _writer(folder, tensorboard and fabric.is_global_zero) as writer:
                trainer.run(writer)
            reporter.say(_summary(title, folder))


def _fabric(config: TrainConfig) -> "Fabric":
    from lightning_fabric import Fabric  # takes a second to import

    accelerator = config.device
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    if accelerator == "cuda" and torch.cuda.device_count() < config.devices:
        here = torch.cuda.device_count()
        raise OrbitscopeError(f"train: {config.devices} CUDA `devices` asked for, {here} are here. Use device='cpu'.")
    precision = {"32": "32-true", "64": "64-true", "bf16": "bf16-mixed"}[config.precision]
    fabric = Fabric(
        accelerator=accelerator,
        devices=config.devices,
        strategy="ddp" if config.devices > 1 else "auto",
        precision=precision,  # pyright: ignore[reportArgumentType]
    )
    fabric.launch()
    return fabric


def _folders(config: TrainConfig, out: Path) -> dict[int, Path]:
    return {seed: out / f"seed-{seed}" for seed in config.seeds} if len(config.seeds) > 1 else dict.fromkeys(config.seeds, out)


def _check_out(config: TrainConfig, out: Path, folders: dict[int, Path]) -> None:
    if out.exists() and not out.is_dir():
        raise OrbitscopeError(f"out: {out} is a file; give a folder.")
    if not out.is_dir():
        return
    ours = (
        {files.SIDECAR, files.BEST, files.LAST, files.STATE, "checkpoints", "tensorboard"}
        if len(folders) == 1
        else {f.name for f in folders.values()}
    )
    foreign = sorted(p.name for p in out.iterdir() if p.name not in ours and not p.name.endswith(".part") and not p.name.startswith("."))
    if foreign and len(folders) == 1 and not (out / files.SIDECAR).exists():
        raise OrbitscopeError(f"out: {out} holds other files ({', '.join(foreign[:3])}); give a folder of its own.")
    if len(folders) > 1 and (out / files.SIDECAR).exists():
        raise OrbitscopeError(f"out: {out} holds the run of one seed; several `seeds` need another folder.")


def _unfinished(config: TrainConfig, folders: dict[int, Path], fingerprint: str, force: bool) -> list[int]:
    """The seeds that are still to be trained; with `force` all, and what is there of this training is removed."""
    if force:
        for folder in folders.values():
            _clear(folder)
    return [seed for seed, folder in folders.items() if not _finished(folder, config.replace(seeds=(seed,)), fingerprint)]


def _finished(folder: Path, config: TrainConfig, fingerprint: str) -> bool:
    """Whether the run there is complete; raises where it is another one."""
    if not (folder / files.SIDECAR).exists():
        return False
    kept = files.read_json(folder / files.SIDECAR)
    was, now = {**TrainConfig().to_dict(), **kept.get("config", {})}, config.to_dict()  # older runs lack newer settings
    changed = [name for name in now if was.get(name) != now[name]]
    if changed:
        name = changed[0]
        raise OrbitscopeError(
            f"out: {folder} holds a run with {name} = {was.get(name)!r}, now {now[name]!r}. "
            "Give another folder, or force=True to replace it."
        )
    if kept.get("data", {}).get("fingerprint") != fingerprint:
        raise OrbitscopeError(f"out: {folder} holds a run on other data. Give another folder, or force=True to replace it.")
    return bool(kept.get("finished"))


def _clear(folder: Path) -> None:
    """Remove a run's own files and nothing else; the sidecar last, so that a stop in between still shows a run."""
    paths = [*folder.glob("checkpoints/epoch-*.safetensors"), *folder.glob("tensorboard/events.*"), *folder.glob("*.part")]
    for path in [*paths, *(folder / name for name in (files.BEST, files.LAST, files.STATE, files.SIDECAR))]:
        path.unlink(missing_ok=True)


@contextmanager
def _writer(folder: Path, wanted: bool) -> Iterator[Any]:
    if not wanted:
        yield None
        return
    from torch.utils.tensorboard.writer import SummaryWriter  # slow to import

    writer = SummaryWriter(str(folder / "tensorboard"))
    try:
        yield writer
    finally:
        writer.close()


def _title(config: TrainConfig, seed: int) -> str:
    return f"{config.model} {config.preset}" + (f" seed {seed}" if len(config.seeds) > 1 else "")


def _summary(title: str, folder: Path) -> str:
    kept = files.read_json(folder / files.SIDECAR)
    metrics, parameters = kept["metrics"], kept["parameters"]
    part = "test" if "test" in metrics else "validation" if "validation" in metrics else None
    if part is None:
        return f"{title}: {parameters:,} parameters, {folder}"
    error, persistence = metrics[part]["smse"], metrics[part]["smse_persistence"]
    gain = f"{persistence / error:.1f} times better" if error > 0 else "exact"
    return f"{title}: {part} SMSE {error:.2e}, persistence {persistence:.2e} ({gain}); {parameters:,} parameters; {folder}"
