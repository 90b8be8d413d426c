"""The work of `orbitscope audit`: symmetries and conventions, trajectories to look at again, leakage, a corrected copy."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from rich.console import Console
from rich.table import Table

from .._errors import OrbitscopeError
from .._json import finite_json, json_text
from ..data import Normalisation, Trajectories
from ..emulators import SIDECAR, load_runs, smse
from ..probe import KIND, audit, command, commuting, correct, leakage, resolve, save_probe, screen
from ..probe.data import law_of
from ._early import check_groups, check_law, check_out
from ._output import record
from ._progress import stages
from ._words import load_words

_ROWS = 16


def audit_file(
    path: Path,
    groups: Sequence[str],
    *,
    law: str | None,
    samples: int,
    seed: int,
    out: Path | None,
    force: bool,
    options: Sequence[str] = (),
    screening: bool = True,
    splits: Sequence[Path] = (),
    fix: Path | None = None,
    choose: str | None = None,
    trust: bool = False,
) -> int:
    """Print the audit of a file; 1 if it contradicts its convention, breaks its laws, holds NaN or infinite values, or shares states with
    another part of its split.

    `splits`: files of the other parts, or the folder of a run, whose split of this file is checked. `fix`: write a corrected copy.
    """
    check_groups(groups)
    check_law(law)
    check_out(force, out=out, fix=fix)
    trajectories = load_words(path, options)
    console = Console()
    for note in trajectories.notes:
        Console(stderr=True).print(note, style="dim", highlight=False, soft_wrap=True, markup=False)
    if fix is not None and fix.resolve() == path.resolve():
        raise OrbitscopeError(f"fix: {fix} is the file that is audited. Write the corrected copy beside it.")
    for words in groups:  # whether they fit the file, before all of it is read
        resolve(trajectories, words, None)
    law_of(trajectories, law)
    nodes: dict[str, xr.Dataset] = {}
    if screening:  # before the audit, which stops at the first value that is not finite
        nodes["/screen"] = screen(trajectories)
        _list(console, "trajectories", nodes["/screen"])
    results = {}
    with stages() as bars:
        for words in groups:
            result = audit(
                trajectories, words, law=law, samples=samples, seed=seed, progress=lambda d, t, words=words: bars(f"audit {words}", d, t)
            )
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
        console.print(_audit_table(name, result))
    leaks = False
    if splits:
        nodes["/leakage"] = _leakage(console, trajectories, path, splits, groups, options, trust)
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


def _audit_table(name: str, result: xr.Dataset) -> Table:
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


__all__ = ["audit_file"]
