"""The work of `orbitscope audit`: symmetries and conventions, trajectories to look at again, leakage, a corrected copy."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr
from rich.console import Console
from rich.table import Table

from .._errors import OrbitscopeError
from .._executor import run_parts
from .._json import finite_json, json_text
from .._part import tell
from ..data import Normalisation, Trajectories
from ..emulators import SIDECAR, load_runs, smse
from ..probe import KIND, audit, command, commuting, correct, leakage, resolve, save_probe, screen
from ..probe.data import law_of
from ._early import check_law, check_out, read_groups
from ._output import record, several
from ._progress import Stages, stages
from ._words import load_words

_ROWS = 16
_SCREEN = "screening"


@dataclass(frozen=True)
class Asked:
    """What is asked of every file."""

    groups: tuple[str, ...]
    law: str | None
    samples: int
    seed: int
    options: tuple[str, ...] = ()
    screening: bool = True
    splits: tuple[Path, ...] = ()
    trust: bool = False


def audit_files(
    paths: Sequence[Path],
    asked: Asked,
    *,
    out: Path | None,
    force: bool,
    fix: Path | None = None,
    choose: str | None = None,
    executor: Executor | None = None,
) -> int:
    """Print the audit of every file; 1 if one of them contradicts its convention, breaks its laws, holds NaN or infinite values, or shares
    states with another part of its split.

    `splits`: files of the other parts, or the folder of a run, whose split of this file is checked. `fix`: write a corrected copy.
    Several files have a result each, named after `out` and the file.
    """
    asked = replace(asked, groups=read_groups(asked.groups))
    check_law(asked.law)
    outs = _outs(paths, out)
    for one in outs:
        check_out(force, out=one)
    check_out(force, fix=fix)
    if fix is not None and len(paths) > 1:
        raise OrbitscopeError(f"fix: {fix} can be the corrected copy of one file alone, and {len(paths)} are audited.")
    if fix is not None and fix.resolve() == paths[0].resolve():
        raise OrbitscopeError(f"fix: {fix} is the file that is audited. Write the corrected copy beside it.")
    files = [load_words(path, asked.options) for path in paths]
    for trajectories in files:
        for note in trajectories.notes:
            Console(stderr=True).print(note, style="dim", highlight=False, soft_wrap=True, markup=False)
        for words in asked.groups:  # whether they fit the file, before all of it is read
            resolve(trajectories, words, None)
        law_of(trajectories, asked.law)
    # The screening first, before the audit, which stops at the first value that is not finite.
    parts = [(k, words) for k in range(len(files)) for words in ((_SCREEN,) if asked.screening else ()) + asked.groups]
    bars: list[Stages] = []
    found = run_parts(
        executor, parts, _computed, _together, (files, [path.name for path in paths], asked),
        name=lambda part: f"{part[1]} of {paths[part[0]]}", hear=lambda *words: bars[-1](*words),
    )  # fmt: skip
    codes = []
    with contextlib.closing(found):
        for path, trajectories, target in zip(paths, files, outs, strict=True):
            with several(len(paths)):
                codes.append(_audited(path, trajectories, asked, found, bars, target, force, fix, choose))
    return max(codes)


def _outs(paths: Sequence[Path], out: Path | None) -> list[Path | None]:
    if not paths:
        raise OrbitscopeError("audit: give the file to audit, or several.")
    if out is None or len(paths) == 1:
        return [out] * len(paths)
    names = [out.with_name(f"{out.stem}.{path.stem}{out.suffix}") for path in paths]
    if len(set(names)) < len(names):
        raise OrbitscopeError("out: two of the files have one name, and so would their results. Audit them one after the other.")
    return list(names)


def _together(files: list[Trajectories], names: list[str], asked: Asked) -> tuple[list[Trajectories], list[str], Asked]:
    return files, names, asked


def _computed(given: tuple[list[Trajectories], list[str], Asked], part: tuple[int, str]) -> xr.Dataset:
    """The screening of a file, or its audit by one group."""
    files, names, asked = given
    k, words = part
    if words == _SCREEN:
        return screen(files[k])
    stage = f"audit {words}" if len(files) == 1 else f"audit {names[k]} {words}"
    return audit(files[k], words, law=asked.law, samples=asked.samples, seed=asked.seed, progress=partial(tell, stage))


def _audited(
    path: Path,
    trajectories: Trajectories,
    asked: Asked,
    found: Iterator[xr.Dataset],
    shown: list[Stages],
    out: Path | None,
    force: bool,
    fix: Path | None,
    choose: str | None,
) -> int:
    """The words on one file; the next results are its own."""
    console = Console()
    screening, splits, groups = asked.screening, asked.splits, asked.groups
    nodes: dict[str, xr.Dataset] = {}
    results = {}
    with stages() as bars:
        shown.append(bars)
        if screening:
            nodes["/screen"] = next(found)
    if screening:
        _list(console, "trajectories", nodes["/screen"])
    with stages() as bars:
        shown.append(bars)
        for _ in groups:
            result = next(found)
            results[result.attrs["group"]] = result
    first = next(iter(results.values()))
    record(file=path, groups=results)
    broken = np.flatnonzero(nodes["/screen"]["nonfinite"].values > 0).tolist() if screening else []
    refused = first.attrs["verdict"] not in ("consistent", "undetermined") or bool(broken)
    said, why = first.attrs["verdict"], first.attrs["explanation"]
    if broken:
        why = (
            f"Trajectories {_few(broken)} hold NaN or infinite values, so the file as a whole passes nothing. Of the states that were "
            f"sampled: {said}. {why}"
        )
        said = "not finite"
    record(verdict=said, explanation=why)
    console.print(
        f"{path}: [bold {'red' if refused else 'yellow' if said == 'undetermined' else 'green'}]{said}[/]. {why}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    _by_trajectory(console, first)
    for result in results.values():
        if result.attrs["distribution_note"]:
            console.print(f"{result.attrs['group']}: {result.attrs['distribution_note']}", highlight=False, soft_wrap=True)
    for name, result in results.items():
        console.print(audit_table(name, result))
    leaks = False
    if splits:
        nodes["/leakage"] = _leakage(console, trajectories, path, splits, groups, asked.options, asked.trust)
        leaks = nodes["/leakage"].attrs["verdict"] == "leak"
    record(
        **{
            name.strip("/"): {"verdict": node.attrs["verdict"], "findings": json.loads(node.attrs["findings"])}
            for name, node in nodes.items()
        }
    )
    if out is not None:
        about = {"kind": KIND, "title": path.name, "data_path": str(path), "command": command(), "data_description": repr(trajectories)}
        # Beside `audit` stand only groups: the report takes every other node for one. So the rest is kept as attributes.
        about |= {name.strip("/"): json_text(finite_json(json.loads(node.attrs["findings"])), what=name) for name, node in nodes.items()}
        tree = {"/": xr.Dataset(attrs=about), "/audit": first[["score"]].assign_attrs(first.attrs)}
        tree |= {f"/{name.replace('/', '-')}/audit": result for name, result in results.items()}
        save_probe(xr.DataTree.from_dict(tree), out, force=force)
        print(out)
    if fix is not None:
        print(correct(trajectories, first, fix, choose=choose, force=force))
    return 1 if refused or leaks else 0


def _by_trajectory(console: Console, found: xr.Dataset) -> None:
    """How many trajectories keep the laws under the file's reading, and which others there are."""
    readings = found["reading"].values.astype(str)
    known = readings[readings != "not looked at"]
    if known.size:
        parts = [f"{name} {int((known == name).sum())}" for name in dict.fromkeys(known.tolist())]
        console.print(f"trajectories one by one, {len(known)} in all: {'; '.join(parts)}", highlight=False, soft_wrap=True, markup=False)
        for name in dict.fromkeys(known.tolist()):
            if len(parts) > 1 and (known == name).sum() <= len(known) / 2:
                console.print(f"  {name}: {_few(np.flatnonzero(readings == name).tolist())}", highlight=False, soft_wrap=True, markup=False)


def _few(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:20])) + (f", ... ({len(numbers)} in all)" if len(numbers) > 20 else "")


def _leakage(
    console: Console,
    trajectories: Trajectories,
    path: Path,
    splits: Sequence[Path],
    groups: Sequence[str],
    options: Sequence[str],
    trust: bool,
) -> xr.Dataset:
    """Of this file and the others, or of the parts that a run made of this file; the run's normalisation and loss besides."""
    if len(splits) == 1 and splits[0].is_dir() and ((splits[0] / SIDECAR).exists() or any(splits[0].glob(f"*/{SIDECAR}"))):
        run = load_runs(splits[0], trust=trust)[0]
        trajectories = run.cut(trajectories)
        if run.part(trajectories, "train") is None:
            raise OrbitscopeError(f"splits: the run in {splits[0]} was trained on another number of trajectories than {path} holds.")
        found = leakage(trajectories, run.split)
        used = Normalisation(run.model.mean.cpu(), run.model.scale.cpu(), trajectories.grid.ndim)
        for words in groups:
            verdict = commuting(trajectories, words, normalisation=used, loss=smse).attrs["verdict"]
            console.print(f"normalisation and loss of the run under {words}: {verdict}", highlight=False, soft_wrap=True)
    else:
        parts = {path.name: trajectories}
        for other in splits:
            parts[other.name if other.name not in parts else str(other)] = load_words(other, options)
        found = leakage(parts)
    _list(console, "splits", found)
    return found


def _list(console: Console, what: str, found: xr.Dataset) -> None:
    good = found.attrs["verdict"] in ("clean", "disjoint")
    console.print(f"{what}: [bold {'green' if good else 'red'}]{found.attrs['verdict']}[/]", highlight=False)
    for sentence in json.loads(found.attrs["findings"]):
        console.print(f"  {sentence}", highlight=False, soft_wrap=True, markup=False)


def audit_table(name: str, result: xr.Dataset) -> Table:
    """One row per element; for a group of many, one per run of elements with the same verdict, with its worst numbers."""
    table = Table(title=f"{name}: residual floor {float(result['residual_floor']):.1e}", title_justify="left")
    for column in ("element", "solver residual", "p (invariant distribution)", "verdict"):
        table.add_column(column)
    names, verdicts = [str(n) for n in result["element"].values], [str(v) for v in result["verdict"].values]
    for i, j in _runs(verdicts, apart=len(names) <= _ROWS):
        p = result["p_value"].values[i:j]
        shown = names[i] if j == i + 1 else f"{names[i]} ... {names[j - 1]} ({j - i})"
        least = "not tested" if np.isnan(p).all() else f"{np.nanmin(p):.3g}"
        table.add_row(shown, _worst(result["residual"].values[i:j]), least, verdicts[i])
    return table


def _worst(residual: np.ndarray) -> str:
    known = residual[~np.isnan(residual)]
    return f"{known.max():.1e}" if known.size else "no law"


def _runs(words: Sequence[str], apart: bool) -> list[tuple[int, int]]:
    """First and behind-last of every stretch of equal words; every word by itself if `apart`."""
    edges = [0, *(k for k in range(1, len(words)) if apart or words[k] != words[k - 1]), len(words)]
    return list(zip(edges[:-1], edges[1:], strict=True))


__all__ = ["Asked", "audit_files", "audit_table"]
