"""Files of demonstrations: NetCDF with the examples of keyframes at the root and a group for each recorded episode."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..._errors import OrbitscopeError, reading
from ..._expect import shown
from ..._json import json_text
from ..._whole import write_whole
from ...data import Examples
from ._arm import ARMS
from ._cameras import Cameras, Cloud
from ._episode import Episode, demonstrate
from ._equivalents import equivalents
from ._keyframes import decisions
from ._poses import Array
from ._scene import Scene, flattened, unflattened
from ._tasks import task

Progress = Callable[[str, float, float], None]
_ARRAYS = {
    "actions": ("step", "seven"), "hand": ("frame", "twelve"), "opening": ("frame",), "open": ("frame",), "speed": ("frame", "two"),
    "bodies": ("frame", "body", "twelve"), "joints": ("frame", "joint"), "scripted": ("mark",),
}  # fmt: skip
SETTINGS: Mapping[str, Any] = {"pixels": 48, "renderer": "rays", "voxel": 0.01, "cone": "elliptic", "between": 0, "arm": "none"}
"""Settings of a recording: width of the square pictures, how they are made, edge of the voxels whose points become one, m, cones, how often
a policy looks between two keyframes, and the arm that carries the hand."""


def record(
    name: str, out: str | Path, *, count: int, seed: int = 0, settings: Mapping[str, Any] | None = None, force: bool = False,
    progress: Progress | None = None,
) -> Path:  # fmt: skip
    """Record demonstrations of a task and write them to one file.

    * `name`: of the task. `out`: the file, .nc. `count`: how many episodes. `seed`: layouts are those of seed, seed + 1, ...
    * `settings`: in place of those of `SETTINGS`. `force`: whether a file that exists is replaced.
    * `progress(stage, done, total)`: called as it goes.

    Each episode is written to a part of its own in the folder OUT.parts, whole or not at all; interrupted, the same call goes on after the
    last one. Raises `OrbitscopeError` for unknown names and settings, a file that exists, parts of another recording, and where no episode
    succeeds, so that there is nothing to learn.
    """
    chosen, out = checked_settings(settings), Path(out)
    if out.suffix.lower() != ".nc":
        raise OrbitscopeError(f"out: demonstrations are written as NetCDF, .nc, got {out}.")
    if out.exists() and not force:
        raise OrbitscopeError(f"out: {out} exists. Give another name, or replace it with force.")
    if count < 1:
        raise OrbitscopeError(f"record: `count` should be at least 1 episode, got {count}.")
    about = {"system": "manipulation", "scenario": f"manipulation.{name}", "parameters": chosen, "seed": seed}
    parts = out.with_name(out.name + ".parts")
    scene = scene_for(name, chosen)
    _claim(parts, json_text(about, what="settings", indent=1), force)
    for k in range(count):
        part = parts / f"episode-{k:05d}.nc"
        if not part.exists():
            table = recorded(scene, seed + k, chosen)
            write_whole(part, lambda p, t=table: t.to_netcdf(p, engine="h5netcdf"))
        if progress is not None:
            progress("episodes", k + 1, count)
    tables = [_loaded(parts / f"episode-{k:05d}.nc") for k in range(count)]
    examples = examples_of(tables, about)
    write_whole(out, lambda p: _assembled(p, examples, tables))
    shutil.rmtree(parts)
    return out


def checked_settings(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """The settings of a recording with defaults filled in; raises `OrbitscopeError` for an unknown name or a value that cannot be."""
    found = {**SETTINGS, **(given or {})}
    if unknown := set(found) - set(SETTINGS):
        raise OrbitscopeError(f"record: there is no setting {sorted(unknown)[0]!r}. Known: {', '.join(SETTINGS)}.")
    voxel = found["voxel"]
    if isinstance(voxel, bool) or not isinstance(voxel, int | float) or not 1e-3 <= voxel <= 0.1:
        raise OrbitscopeError(f"record: `voxel` should be between 0.001 and 0.1 m, got {shown(voxel)}.")
    between = found["between"]
    if isinstance(between, bool) or not isinstance(between, int) or not 0 <= between <= 100:
        raise OrbitscopeError(f"record: `between` should be a whole number from 0 to 100, got {shown(between)}.")
    if found["arm"] not in ("none", *ARMS):
        raise OrbitscopeError(f"record: `arm` should be one of none, {', '.join(ARMS)}, got {shown(found['arm'])}.")
    return found


def scene_for(name: str, settings: Mapping[str, Any]) -> Scene:
    """The scene of a task by its `name`, with the cones and the arm of `settings`."""
    return Scene(task(name), cone=settings["cone"], arm=None if settings["arm"] == "none" else settings["arm"])


def recorded(scene: Scene, seed: int, settings: Mapping[str, Any]) -> xr.Dataset:
    """One episode as a table, with the clouds that were seen where a policy would have to decide.

    * `scene`: is begun anew. `seed`: of the layout. `settings`: as of `record`, all of them.
    """
    states: list[Array] = []
    episode = demonstrate(scene, seed, watch=lambda s: states.append(s.get_state()))
    pixels = int(settings["pixels"])
    cameras = Cameras(scene, (pixels, pixels), renderer=settings["renderer"])
    clouds = []
    pairs = decisions(episode, int(settings["between"])) if episode.success else []
    for looks, _ in pairs:
        scene.set_state(states[looks])
        clouds.append(thinned(cameras.cloud(), scene, float(settings["voxel"])))
    cameras.close()
    found = episode_table(episode)
    if pairs:
        found["same"] = (("decision", "pose", "twelve"), np.stack([equivalents(scene.task, episode, a, b) for a, b in pairs]))
    found["looks"], found["goals"] = ("decision", [a for a, _ in pairs]), ("decision", [b for _, b in pairs])
    if clouds:
        found["points"] = (("point", "three"), np.concatenate([c.points for c in clouds]).astype(np.float32))
        found["colours"] = (("point", "three"), np.concatenate([c.colours for c in clouds]).astype(np.float32))
        found["decision_of"] = ("point", np.repeat(np.arange(len(clouds)), [len(c) for c in clouds]))
    return found


def thinned(cloud: Cloud, scene: Scene, voxel: float) -> Cloud:
    """One point for each voxel of a lattice that stands with the table: the mean of place and colour, in no order that cameras give.

    * `cloud`: what was seen. `scene`: where the table is. `voxel`: the edge, m.
    """
    at = np.floor(cloud.moved(scene.frame.inverse()).points / voxel + 1e-6).astype(np.int64)
    _, which, many = np.unique(at, axis=0, return_inverse=True, return_counts=True)
    which = which.reshape(-1)
    sums = np.zeros((len(many), 6))
    np.add.at(sums, which, np.concatenate([cloud.points, cloud.colours], 1))
    return Cloud(*np.split(sums / many[:, None], 2, axis=1))


def examples_of(tables: list[xr.Dataset], about: Mapping[str, Any]) -> Examples:
    """What a keyframe policy learns: (points, colours, mask, hand, open) -> (pose of the next keyframe, open, equivalents); units are
    episodes.

    * `tables`: of `recorded`. `about`: kept with the examples.

    Points [N, P, 3] of clouds with fewer are filled up with zeros where the mask [N, P] is 0. Raises `OrbitscopeError` where no episode
    succeeded.
    """
    rows = [(u, k, t) for u, t in enumerate(tables) for k in range(t.sizes.get("decision", 0))]
    if not rows:
        raise OrbitscopeError("record: no episode succeeded, so there is no keyframe to learn. Look at them with `orbitscope view`.")
    clouds = []
    for _, k, t in rows:
        mine = t.decision_of.values == k
        clouds.append((t.points.values[mine], t.colours.values[mine]))
    most = max(len(p) for p, _ in clouds)
    fill = [np.stack([np.pad(c[i], ((0, most - len(c[i])), (0, 0))) for c in clouds]) for i in range(2)]
    mask = np.stack([np.arange(most) < len(p) for p, _ in clouds]).astype(np.float32)
    looks = np.array([[int(t[n].values[k]) for n in ("looks", "goals")] for _, k, t in rows])
    hand, goal = (np.stack([t.hand.values[a] for (_, _, t), a in zip(rows, column, strict=True)]) for column in looks.T)
    told, then = (np.stack([t.open.values[[a]] for (_, _, t), a in zip(rows, column, strict=True)]) for column in looks.T)
    x = tuple(np.asarray(v, dtype=np.float32) for v in (*fill, mask, hand, told))
    same = [np.stack([t["same"].values[k] for _, k, t in rows])] if all("same" in t for _, _, t in rows) else []
    y = tuple(np.asarray(v, dtype=np.float32) for v in (goal, then, *same))
    return Examples(x, y, [u for u, _, _ in rows], [k for _, k, _ in rows], str(about["scenario"]), dict(about))


def read_episodes(path: str | Path) -> list[Episode]:
    """The recorded episodes of a file of demonstrations.

    * `path`: the file, or a part of one. Raises `OrbitscopeError` for a file that holds none.
    """
    path = Path(path)
    if not path.is_file():
        raise OrbitscopeError(f"path: there is no file {path}.")
    with reading(path), xr.open_datatree(path, engine="h5netcdf") as tree:
        groups = sorted(name for name in tree.children if name.startswith("episode"))
        tables = [tree[name].to_dataset().load() for name in groups] or [tree.to_dataset().load()]
    if any(set(_ARRAYS) - set(map(str, t.data_vars)) for t in tables):
        raise OrbitscopeError(f"path: {path} holds no recorded episodes. `orbitscope simulate manipulation.peg --out demos.nc` makes them.")
    with reading(path):
        return [_episode(t) for t in tables]


def episode_table(episode: Episode) -> xr.Dataset:
    """An `episode` as a table of a file."""
    arrays = {name: (axes, np.asarray(getattr(episode, name))) for name, axes in _ARRAYS.items()}
    attrs = {
        "task": episode.task, "seed": episode.seed, "success": int(episode.success), "frame": flattened(episode.frame).tolist(),
        "units": "m, rad, s; poses are position then x, y and z axis", "rate": 20.0,
    }  # fmt: skip
    return xr.Dataset(arrays, attrs=attrs)


def _episode(table: xr.Dataset) -> Episode:
    arrays = {name: table[name].values for name in _ARRAYS}
    at = table.attrs
    return Episode(str(at["task"]), int(at["seed"]), unflattened(at["frame"]), bool(at["success"]), **arrays)


def _loaded(path: Path) -> xr.Dataset:
    with reading(path), xr.open_dataset(path, engine="h5netcdf") as found:
        return found.load()


def _assembled(path: Path, examples: Examples, tables: list[xr.Dataset]) -> None:
    """The root is what `save_examples` writes, so that every verb that takes examples takes the file."""
    from ...data import save_examples

    rooted = path.with_name(path.name + ".nc")  # its writer goes by the ending
    save_examples(examples, rooted, force=True)
    rooted.replace(path)
    for k, table in enumerate(tables):
        light = table.drop_vars(["points", "colours", "decision_of", "same"], errors="ignore")
        light.to_netcdf(path, mode="a", group=f"episode_{k:05d}", engine="h5netcdf")


def _claim(parts: Path, said: str, force: bool) -> None:
    """The folder of parts, begun or gone on with."""
    kept = parts / "recording.json"
    if parts.exists() and (not kept.is_file() or kept.read_text(encoding="utf-8") != said):
        was = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else "something else"
        if not force:
            raise OrbitscopeError(f"out: {parts} holds parts of another recording ({was}). Remove it, give another name, or use force.")
        shutil.rmtree(parts)
    parts.mkdir(parents=True, exist_ok=True)
    write_whole(kept, lambda p: p.write_text(said, encoding="utf-8"))
