"""The work of `orbitscope discover`: examples from a file, predictors that can be resumed, the answer in words and numbers."""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from torch import nn

from .._errors import OrbitscopeError
from .._whole import write_whole
from ..data import Examples, load, load_examples
from ..discover import Discovery, Method, as_method, discover_symmetry, load_discovery, search_space
from ..probe import command, load_model
from ..report import write_discovery
from ..training import FitConfig
from ._early import check_out
from ._output import record
from ._progress import stages

_ASKED = "asked.json"
_ROWS = 12  # directions in the table
_SMALL = 6  # matrices up to this size are printed


@dataclass(frozen=True)
class Asked:
    """What is asked of a file of examples; the names are those of the flags."""

    hypothesis: str
    method: str
    generators: int | None
    output: str
    model: str | None
    weights: Path | None
    predictor: str | None
    charts: int | None
    candidates: int
    epochs: int | None
    batch: int | None
    learning_rate: float | None
    seed: int
    trust: bool

    def way(self) -> Method:
        """The method with its settings."""
        method = as_method(self.method)
        if self.generators is None:
            return method
        if not any(f.name == "generators" for f in dataclasses.fields(method)):  # pyright: ignore[reportArgumentType]
            raise OrbitscopeError(f"generators: the method {self.method} is told no number of generators. Leave --generators out.")
        return dataclasses.replace(method, generators=self.generators)  # pyright: ignore[reportArgumentType, reportCallIssue]

    def config(self) -> FitConfig | None:
        """Of the training, where any of it was asked for."""
        if self.epochs is None and self.batch is None and self.learning_rate is None:
            return None
        return FitConfig(
            epochs=self.epochs or 20, batch=self.batch or 64, learning_rate=self.learning_rate or 3e-3, weight_decay=1e-3, device="cpu"
        )

    def depends(self, data: Path) -> str:
        """What the training depends on, as JSON."""
        kept = ("output", "predictor", "charts", "epochs", "batch", "learning_rate", "seed")
        settings = {name: getattr(self, name) for name in kept}
        return json.dumps({**settings, "data": hashlib.sha256(data.read_bytes()).hexdigest()}, sort_keys=True)


def discover_to_file(path: Path, asked: Asked, out: Path, *, force: bool) -> int:
    """Look for symmetry in a file of examples; print and write what is found."""
    _check(asked)
    if out.suffix.lower() != ".nc":
        raise OrbitscopeError(f"out: what is found is written as NetCDF, so its name ends in .nc; got {out}.")
    check_out(force, out=out)
    model = _model(asked)  # what can be refused is refused before the data are read
    examples = examples_from(path)
    folder = None if isinstance(model, nn.Module) else _training_folder(out, asked.depends(path), force)
    try:
        with stages() as bars:
            found = discover_symmetry(
                examples, asked.hypothesis, asked.way(), output=asked.output, model=model, charts=asked.charts, config=asked.config(),
                out=folder, seed=asked.seed, candidates=asked.candidates, tell=lambda done, total, words: bars(words, done, total),
            )  # fmt: skip
    except OrbitscopeError:
        if folder is not None:  # refused, not interrupted: there is nothing to go on with
            shutil.rmtree(folder, ignore_errors=True)
        raise
    about = {"data_path": str(path), "model_path": asked.model, "data_name": examples.name}
    found = dataclasses.replace(found, about={**found.about, **{k: v for k, v in about.items() if v is not None}})
    found.save(out)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    record(file=out, **about_discovery(found))
    say_discovery(Console(), found)
    print(out)
    return 0


def examples_from(path: Path) -> Examples:
    """The examples in a file; raises `OrbitscopeError` that says what has to be done with a file of fields on a grid."""
    try:
        return load_examples(path)
    except OrbitscopeError as error:
        if not path.exists() or not _is_trajectories(path):
            raise
        raise OrbitscopeError(
            f"data: {path} holds trajectories, fields on a grid, and no matrix moves a whole grid but by isometries, which have names: "
            f"`orbitscope audit {path} --group d4 tx` says which of them hold. To discover one without, cut patches out of the fields "
            "as charts, symmetry.Patch(...).cut(values, centres), and give x = the patches, y = what comes of their centres, and "
            "Symmetry(group, FieldAction(layout, Charts(Patch(...))), ...) to osc.discover_symmetry in Python (docs/how-to/discover.md)."
        ) from error


def say_discovery(console: Console, found: Discovery) -> None:
    """The sentence, the directions, the generators."""
    console.print(found.sentence(), highlight=False, soft_wrap=True, markup=False)
    console.print(_table(found))
    if found.count and found.basis.shape[1] <= _SMALL:
        for k, x in enumerate(found.algebra):
            console.print(f"generator {k + 1}, {found.evidence.words[k]}:", highlight=False)
            for row in x:
                console.print("  " + " ".join(f"{_tidy(v):7.3f}" for v in row), highlight=False)
    if found.about.get("components") and len(found.components):
        console.print(str(found.about["components"]), highlight=False, soft_wrap=True, markup=False)


def describe_discovery(path: Path) -> str:
    """Words on a file of `orbitscope discover`."""
    found = load_discovery(path)
    record(kind="discovery", **about_discovery(found))
    about = found.about
    lines = [found.sentence(), f"looked for within {found.hypothesis} by {found.method}, seed {about.get('seed')}"]
    lines.append(f"examples: {about.get('examples')}, {about.get('held')} held out; data: {about.get('data_path', 'not recorded')}")
    error = ", ".join(f"{e:.1%}" for e in found.predictor_error)
    return "\n".join([*lines, f"error of each predictor, over that of the best constant: {error}"])


def discovery_page(paths: Sequence[Path], out: Path, *, title: str | None, force: bool) -> int:
    """Write the page on a discovery and print where it is."""
    if len(paths) > 1:
        raise OrbitscopeError("probes: a discovered symmetry has a page of its own. Give its file alone, and the probes in another call.")
    found = load_discovery(paths[0])
    options = {} if title is None else {"title": title}
    write_discovery(paths[0], out, force=force, command=command(), **options)
    record(file=out, **about_discovery(found))
    say_discovery(Console(), found)
    print(out)
    return 0


def about_discovery(found: Discovery) -> dict[str, Any]:
    """What was found, for programs: sizes are parts of what an unrelated motion changes."""
    e = found.evidence
    return {
        "sentence": found.sentence(), "hypothesis": found.hypothesis, "method": found.method, "count": found.count,
        "name": found.identification().name if found.count else None, "angle": found.angle, "words": e.words,
        "breaking": _sizes(e.breaking), "noise": _sizes(e.noise), "generators": found.algebra, "components": found.components,
        "predictor_error": found.predictor_error, "settings": e.settings, "about": found.about,
    }  # fmt: skip


def _check(asked: Asked) -> None:
    search_space(asked.hypothesis)
    asked.way()
    if asked.model is not None and asked.predictor is not None:
        raise OrbitscopeError("predictor: a trained --model is examined as it is, so none is trained. Give one of the two.")
    if asked.weights is not None and asked.model is None:
        raise OrbitscopeError('weights: they go with --model "package.module:callable". Give the model.')
    if asked.model is not None and asked.config() is not None:
        raise OrbitscopeError("model: a trained model is examined as it is; leave out --epochs, --batch and --learning-rate.")
    if asked.candidates < 0:
        raise OrbitscopeError(f"candidates: should be a number of starts, 0 for none, got {asked.candidates}.")
    for name, value in (("charts", asked.charts), ("epochs", asked.epochs), ("batch", asked.batch)):
        if value is not None and value < 1:
            raise OrbitscopeError(f"{name}: should be at least 1, got {value}.")
    if asked.learning_rate is not None and asked.learning_rate <= 0:
        raise OrbitscopeError(f"learning_rate: should be positive, got {asked.learning_rate}.")


def _model(asked: Asked) -> nn.Module | Callable[[], nn.Module] | None:
    if asked.model is not None:
        return load_model(asked.model, asked.weights, trust=asked.trust)
    if (name := asked.predictor) is None:
        return None
    if ":" not in name:
        raise OrbitscopeError(f'predictor: should be "package.module:callable", which makes an untrained module, got {name!r}.')
    load_model(name)  # whether it can be made at all
    return lambda: load_model(name)


def _training_folder(out: Path, depends: str, force: bool) -> Path:
    """A folder beside `out` for the training runs, removed when all is done; what another command left in it is not gone on with."""
    folder = out.with_name(f"{out.name}.training")
    said = folder / _ASKED
    if folder.exists() and (not said.is_file() or said.read_text(encoding="utf-8") != depends):
        if not force:
            raise OrbitscopeError(
                f"out: {folder} holds the training of an interrupted command with other data or settings. Run that command again to finish "
                "it, give another --out, or --force to begin anew."
            )
        shutil.rmtree(folder) if folder.is_dir() else folder.unlink()
    write_whole(said, lambda part: part.write_text(depends, encoding="utf-8"))
    return folder


def _is_trajectories(path: Path) -> bool:
    try:
        load(path)
    except OrbitscopeError:
        return False
    return True


def _table(found: Discovery) -> Table:
    """The directions, with sizes in parts of what an unrelated motion changes."""
    e = found.evidence
    table = Table(title=f"directions of {found.hypothesis}, in parts of what an unrelated motion changes", title_justify="left")
    for head in ("direction", "word", "breaking", "95 % interval", "noise"):
        table.add_column(head)
    low, high = _sizes(e.low), _sizes(e.high)
    for k, (word, size, noise) in enumerate(zip(e.words, _sizes(e.breaking), _sizes(e.noise), strict=True)):
        if k == _ROWS:
            table.add_row("...", f"{len(e.words) - k} more", "", "", "")
            break
        table.add_row(
            str(k + 1), word, *(["", "", ""] if size != size else [f"{size:.2%}", f"{low[k]:.2%} to {high[k]:.2%}", f"{noise:.2%}"])
        )
    return table


def _sizes(squares: Any) -> list[float]:
    """Sizes of squares, of which crossed ones may be a little negative."""
    return np.sqrt(np.maximum(np.asarray(squares, dtype=np.float64), 0.0)).tolist()


def _tidy(value: float) -> float:
    return 0.0 if abs(value) < 5e-4 else float(value)
