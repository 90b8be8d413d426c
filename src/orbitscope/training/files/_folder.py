"""What is in a run folder before a training starts: nothing, this training, another one, or other files."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..._errors import OrbitscopeError
from . import _files as files


def seed_folders(out: Path, seeds: Sequence[int]) -> dict[int, Path]:
    """The folder of each seed's run: `out` itself for one seed, out/seed-0 and so on for several."""
    return {seed: out / f"seed-{seed}" for seed in seeds} if len(seeds) > 1 else dict.fromkeys(seeds, out)


def check_folder(out: Path, folders: Mapping[int, Path]) -> None:
    """Raise `OrbitscopeError` where `out` is a file, holds files of others, or one run where several belong."""
    if out.exists() and not out.is_dir():
        raise OrbitscopeError(f"out: {out} is a file; give a folder.")
    if not out.is_dir():
        return
    ours = (
        {files.SIDECAR, files.BEST, files.LAST, files.STATE, "checkpoints", "tensorboard", "csv"}
        if len(folders) == 1
        else {f.name for f in folders.values()}
    )
    foreign = sorted(p.name for p in out.iterdir() if p.name not in ours and not p.name.endswith(".part") and not p.name.startswith("."))
    if foreign and len(folders) == 1 and not (out / files.SIDECAR).exists():
        raise OrbitscopeError(f"out: {out} holds other files ({', '.join(foreign[:3])}); give a folder of its own.")
    if len(folders) > 1 and (out / files.SIDECAR).exists():
        raise OrbitscopeError(f"out: {out} holds the run of one seed; several `seeds` need another folder.")


def unfinished(
    folders: Mapping[int, Path], config: Callable[[int], dict[str, Any]], defaults: dict[str, Any], fingerprint: str, *, force: bool
) -> list[int]:
    """The seeds that are still to be trained; with `force` all, and what is there of this training is removed.

    `config(seed)` says what the run of a seed depends on, `fingerprint` on which data, `defaults` what an older run that lacks a newer
    setting had. Raises `OrbitscopeError` where a folder holds another run.
    """
    if force:
        for folder in folders.values():
            _clear(folder)
    return [seed for seed, folder in folders.items() if not _finished(folder, config(seed), defaults, fingerprint)]


def _finished(folder: Path, config: dict[str, Any], defaults: dict[str, Any], fingerprint: str) -> bool:
    """Whether the run there is complete; raises where it is another one."""
    if not (folder / files.SIDECAR).exists():
        return False
    path = folder / files.SIDECAR
    kept = files.entries(
        files.read_json(path), path, {"config": dict, "data": dict, "finished": bool}, "Train again with force=True (--force)."
    )
    was = {**defaults, **kept.get("config", {})}
    changed = [name for name in config if was.get(name) != config[name]]
    if changed:
        name = changed[0]
        raise OrbitscopeError(
            f"out: {folder} holds a run with {name} = {was.get(name)!r}, now {config[name]!r}. "
            "Give another folder, or force=True (--force) to replace it."
        )
    if kept.get("data", {}).get("fingerprint") != fingerprint:
        raise OrbitscopeError(f"out: {folder} holds a run on other data. Give another folder, or force=True (--force) to replace it.")
    return bool(kept.get("finished"))


def _clear(folder: Path) -> None:
    """Remove a run's own files and nothing else; the sidecar last, so that a stop in between still shows a run."""
    paths = [
        *folder.glob("checkpoints/epoch-*.safetensors"),
        *folder.glob("tensorboard/events.*"),
        *folder.glob("csv/metrics.csv"),
        *folder.glob("*.part"),
    ]
    for path in [*paths, *(folder / name for name in (files.BEST, files.LAST, files.STATE, files.SIDECAR))]:
        path.unlink(missing_ok=True)
