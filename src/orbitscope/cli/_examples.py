"""What the verbs do with a file of examples (x, y) that no system made: their group is one that was discovered on examples like them."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import nn

from .._errors import OrbitscopeError
from ..data import Examples, load_examples
from ..discover import is_file, symmetry_from
from ..probe import ProbeConfig, examine, load_model, save_probe
from ..report import summary_table
from ..symmetry import Symmetry, length, mapped, parts
from ._early import check_out
from ._output import about_probe, record
from ._progress import stages
from ._systems import audit_by
from ._where import at_work

_SUFFIXES = (".npz", ".nc")


def holds_examples(path: Path) -> bool:
    """Whether the file at `path` holds examples, and not trajectories or anything else; one with a description beside it does not."""
    if path.suffix.lower() not in _SUFFIXES or not path.is_file() or path.with_suffix(".toml").exists():
        return False
    try:
        load_examples(path)
    except OrbitscopeError:
        return False
    return True


def describe_examples(path: Path) -> str:
    """Words on a file of examples."""
    examples = load_examples(path)
    shapes = {what: [list(p.shape[1:]) for p in parts(state)] for what, state in (("x", examples.x), ("y", examples.y))}
    record(
        kind="examples", examples=len(examples), units=len(examples.units), slots=len(examples.slots), shapes=shapes, about=examples.about
    )
    each = "; ".join(f"{what} {' and '.join(map(str, some))}" for what, some in shapes.items())
    return f"{path}: {len(examples)} examples of {len(examples.units)} units, one of them: {each}"


def audit_examples(path: Path, groups: Sequence[str], *, samples: int, seed: int, out: Path | None, force: bool) -> int:
    """Print whether the x of a file of examples are distributed as their moved copies; what their law is, nobody knows."""
    check_out(force, out=out)
    examples = load_examples(path)
    return audit_by(path, examples, _symmetries(path, examples, groups), None, samples=samples, seed=seed, out=out, force=force)


def probe_examples(
    model: str, path: Path, out: Path, groups: Sequence[str], config: ProbeConfig, *, weights: Path | None, title: str | None, trust: bool,
    workers: int | None, cluster: str | None, force: bool,
) -> int:  # fmt: skip
    """Probe a model on all examples of a file by discovered groups, print the verdict, write the results."""
    check_out(force, out=out)
    examples = load_examples(path)
    asked = _symmetries(path, examples, groups)
    net = load_model(model, weights, trust=trust)
    tested = _like(examples, net)
    _answers(net, tested, model)
    about: dict[str, Any] = {
        "model_path": model,
        "title": title or f"{model} on {path.name}",
        "data_path": str(path),
        "data_part": "all of the file",
    }
    with at_work(workers, cluster) as pool, stages() as bars:
        tree = examine(net, tested, list(asked.values()), config, progress=bars, executor=pool, **about)
    save_probe(tree, out, force=force)
    print(out)
    record(probes=[{"file": out, **about_probe(tree)}])
    Console().print(summary_table([tree]))
    return 0


def _symmetries(path: Path, examples: Examples, groups: Sequence[str]) -> dict[str, Symmetry]:
    """The discovered groups in files, acting on the examples, by the names of the files."""
    named = [g for g in groups if not is_file(g)]
    if not groups or named:
        got = f", got {named[0]!r}" if named else ""
        raise OrbitscopeError(
            f"--group: {path} holds examples (x, y), and nothing says how a group with a name moves them{got}. Give a file of `orbitscope "
            "discover`, --group found.nc, or say it in Python: osc.Symmetry(group, input, output)."
        )
    return {group: symmetry_from(group, examples) for group in groups}


def _like(examples: Examples, net: nn.Module) -> Examples:
    """The examples in the precision of the network."""
    dtype = next((p.dtype for p in net.parameters() if p.is_floating_point()), torch.float64)
    cast = partial(mapped, lambda t: t.to(dtype) if t.is_floating_point() else t)
    return Examples(cast(examples.x), cast(examples.y), examples.unit, examples.slot, examples.name, examples.about)


def _answers(net: nn.Module, examples: Examples, name: str) -> None:
    """Raise where the network does not take one example of the file, before anything long begins."""
    one = examples.take(np.arange(1))
    try:
        with torch.no_grad():
            found = net(*parts(one.x))
    except Exception as error:  # somebody else's model fails in its own way
        shapes = ", ".join(str(list(p.shape)) for p in parts(one.x))
        raise OrbitscopeError(f"model: {name} failed on one example, x {shapes}: {type(error).__name__}: {error}") from error
    if isinstance(found, torch.Tensor) and length(found) != 1:
        raise OrbitscopeError(f"model: {name} gave {length(found)} answers to one example. It should give one row for each.")
