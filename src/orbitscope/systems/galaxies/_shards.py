"""A training set in parts on disk: any number of processes, an interruption loses at most what was under way."""

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..._errors import OrbitscopeError
from ..._executor import run_parts
from ..._json import json_text
from ..._whole import write_whole
from ...data import Examples, load_examples, save_examples
from ._catalogue import Halos
from ._design import Design
from ._halos import Progress
from ._readers import read_halos, save_halos
from ._scenarios import check, halos_of, hod_about, hod_examples, point_rows

_POINTS = 4  # in a part
_SETTINGS, _HALOS = "settings.json", "halos.hdf5"
Prepared = tuple[Halos, Design, int, dict[str, Any]]
Part = tuple[int, int, str]


def simulated_in_parts(
    folder: Path, count: int, seed: int, given: Mapping[str, Any], *, force: bool, progress: Progress | None, executor: Executor | None
) -> Examples:
    """The examples of galaxies.hod, by way of files of a few points each in a folder that stays until they are put together.

    * `folder`: of the parts. `count`, `seed`, `given`: as of `simulated`. `force`: whether parts of other settings are thrown away.
    * `progress`: called with (stage, done, total), or None. `executor`: who computes; None: this process.

    A folder of the same settings is gone on with, also to a larger count. Raises `OrbitscopeError` for one of other settings.
    """
    design = check(given)
    settings = json_text({"seed": seed, "parameters": dict(given)}, what="parameters", default=str)
    kept = folder / _SETTINGS
    if kept.is_file() and json.loads(kept.read_text(encoding="utf-8")) != json.loads(settings):
        if not force:
            raise OrbitscopeError(
                f"out: {folder} holds parts of a set with other settings. Finish that one, remove the folder, or use --force."
            )
        shutil.rmtree(folder)
    if not kept.is_file():
        halos = halos_of(given, progress)
        folder.mkdir(parents=True, exist_ok=True)
        save_halos(halos, folder / _HALOS, force=True)
        write_whole(kept, lambda part: part.write_text(settings, encoding="utf-8"))
    spans = [(first, min(first + _POINTS, count)) for first in range(0, count, _POINTS)]
    parts = [(first, end, str(folder / f"points-{first:06d}-{end:06d}.npz")) for first, end in spans]
    todo = [part for part in parts if not Path(part[2]).is_file()]
    already = len(parts) - len(todo)

    def finished(done: int, total: int) -> None:
        if progress is not None:
            progress("galaxies.hod", min((already + done) * _POINTS, count), count)

    for _ in run_parts(executor, todo, _made, _prepared, (str(folder), seed, dict(given)), name=_named, finished=finished):
        pass
    return _joined([load_examples(path) for _, _, path in parts], hod_about(_prepared(str(folder), seed, dict(given))[0], design, given))


def _prepared(folder: str, seed: int, given: dict[str, Any]) -> Prepared:
    halos = read_halos(Path(folder) / _HALOS)
    return halos, check(given), seed, given


def _made(prepared: Prepared, part: Part) -> str:
    halos, design, seed, given = prepared
    first, end, path = part
    save_examples(hod_examples([point_rows(halos, design, seed, i, given) for i in range(first, end)], first, {}), path, force=True)
    return path


def _named(part: Part) -> str:
    return f"points {part[0]} to {part[1] - 1}"


def _joined(some: list[Examples], about: Mapping[str, Any]) -> Examples:
    refused: Counter[str] = sum((Counter(e.about["rejected"]) for e in some), Counter())
    said = {**about, "galaxies": [n for e in some for n in e.about["galaxies"]], "rejected": dict(refused)}
    x = torch.cat([e.x for e in some])  # pyright: ignore[reportCallIssue, reportArgumentType]
    values, there, held = (torch.cat(p) for p in zip(*(e.y for e in some), strict=True))
    unit, slot = (np.concatenate([getattr(e, name) for e in some]) for name in ("unit", "slot"))
    return Examples(x, (values, there.bool(), held), unit, slot, "galaxies.hod", said)
