"""What policies did, in a file that `view` and `report` read: the episodes of each, what came of them, film strips."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from ..._errors import OrbitscopeError, reading
from ..._json import json_text
from ..._whole import write_whole
from .._system import Story
from ._episode import Episode
from ._files import episode_table, read_episodes
from ._policy import Evaluation
from ._tasks import task
from ._wilson import wilson

_SHOWN, _COLUMNS = 3, 7  # episodes of each kind in a picture, and pictures of each


@dataclass(frozen=True, eq=False)
class Played:
    """One episode that a policy played: `policy`, its name; `outcome`, "done", "not done" or why it ended; the `episode`."""

    policy: str
    outcome: str
    episode: Episode


def write_played(path: Path, found: Mapping[str, tuple[Evaluation, list[Episode]]], about: Mapping[str, str], force: bool = False) -> Path:
    """Write the episodes of some policies to one file, whole or not at all.

    * `path`: the file, .nc. `found`: by the name of a policy its evaluation and episodes. `about`: where it comes from, in words.
    * `force`: whether a file that exists is replaced.

    Raises `OrbitscopeError` for another ending and a file that exists.
    """
    check_played(path, force)

    def write(part: Path) -> None:
        xr.Dataset(attrs={"played_in": "manipulation", "about": json_text(dict(about), what="about")}).to_netcdf(part, engine="h5netcdf")
        rows = [Played(name, o, e) for name, (one, episodes) in found.items() for o, e in zip(one.outcomes, episodes, strict=True)]
        for k, row in enumerate(rows):
            table = episode_table(row.episode).assign_attrs(policy=row.policy, outcome=row.outcome)
            table.to_netcdf(part, mode="a", group=f"episode_{k:05d}", engine="h5netcdf")

    write_whole(path, write)
    return path


def check_played(path: Path, force: bool = False) -> None:
    """Raise `OrbitscopeError` unless a file of episodes can be written to `path`; one that exists only with `force`."""
    if path.suffix.lower() != ".nc":
        raise OrbitscopeError(f"played: episodes are written as NetCDF, .nc, got {path}.")
    if path.exists() and not force:
        raise OrbitscopeError(f"played: {path} exists. Give another name, or remove it.")


def read_played(path: Path) -> list[Played]:
    """The episodes in a file of `write_played`.

    * `path`: the file. Raises `OrbitscopeError` for a file that holds none.
    """
    episodes = read_episodes(path)
    with reading(path), xr.open_datatree(path, engine="h5netcdf") as tree:
        attrs = [tree[name].attrs for name in sorted(tree.children)]
    if any("policy" not in a for a in attrs):
        raise OrbitscopeError(f"path: {path} holds demonstrations, and not what policies did. `orbitscope view` shows them.")
    return [Played(str(a["policy"]), str(a["outcome"]), e) for a, e in zip(attrs, episodes, strict=True)]


def story(path: Path) -> Story:
    """What policies did in the episodes of a file, with film strips of successes and failures of each.

    * `path`: of `write_played`.
    """
    rows, pictures, lines = read_played(path), [], []
    policies = list(dict.fromkeys(r.policy for r in rows))
    name = rows[0].episode.task
    for policy in policies:
        mine = [r for r in rows if r.policy == policy]
        done = sum(r.outcome == "done" for r in mine)
        low, high = wilson(done, len(mine))
        words = f"{100 * done / len(mine):.0f} % (95 %: {100 * low:.0f} to {100 * high:.0f})"
        steps = float(np.mean([len(r.episode) for r in mine])) / 20.0
        lines.append((policy, f"{done} of {len(mine)}", words, f"{steps:.1f} s", _reasons(mine)))
        pictures += _strips(policy, mine)
    first = lines[0]
    answer = f"{first[0]} does the task {name} in {first[1]} episodes, {first[2]}; " + ", ".join(f"{r[0]} in {r[1]}" for r in lines[1:])
    known = [
        ("The task", f"{task(name).description[0].upper()}{task(name).description[1:]}, from layouts that no demonstration had."),
        (
            "How sure it is",
            "Intervals are Wilson's, over episodes of one trained policy; another training may do otherwise.",
        ),
    ]
    return Story(answer.rstrip("; ") + ".", known, ("policy", "done", "rate", "mean length", "the others"), lines, pictures)


def _reasons(rows: list[Played]) -> str:
    found = [r.outcome for r in rows if r.outcome != "done"]
    short = ["out of reach" if "out of reach" in o else "diverged" if "all bounds" in o else o for o in found]
    return ", ".join(f"{short.count(word)} {word}" for word in dict.fromkeys(short)) or "–"


def _strips(policy: str, rows: list[Played]) -> list[tuple[str, str, bytes]]:
    from ._view import strip  # matplotlib

    found = []
    for title, wanted in (("successes", True), ("failures", False)):
        chosen = [r for r in rows if (r.outcome == "done") == wanted][:_SHOWN]
        if not chosen:
            continue
        buffer = io.BytesIO()
        strip([r.episode for r in chosen], most=_COLUMNS).savefig(buffer, format="png", dpi=110, metadata={"Software": None})
        layouts = ", ".join(str(r.episode.seed) for r in chosen)
        why = "" if wanted else " Outcomes: " + "; ".join(r.outcome.rstrip(".") for r in chosen) + "."
        found.append(
            (
                f"{policy}: {title}",
                f"The beginning and keyframes, {_COLUMNS} pictures at most; layouts of the seeds {layouts}.{why}",
                buffer.getvalue(),
            )
        )
    return found
