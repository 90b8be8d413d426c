"""What can be refused before any data are read: words that name nothing, models that do not exist, files that must not be replaced."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console

from .._errors import OrbitscopeError
from ..discover import is_file, load_discovery, naming
from ..emulators import require_model
from ..probe.data import parse_law
from ..symmetry import parse_group

Use = Literal["measure", "one", "kernels", "augment"]


def read_groups(words: Sequence[str], use: Use = "measure") -> tuple[str, ...]:
    """The words as `parse_group` reads them; raises for those that name no group in any dimension. Whether it fits the data is seen later.

    A file of `orbitscope discover` stands for what of the group in it acts on grids, which is said on stderr: for "measure" every part by
    itself; for "one" the first; for "kernels" rotations and reflections; for "augment" what maps the points of a grid onto points.
    """
    found: list[str] = []
    for word in words:
        if is_file(word):
            found += _from_file(word, use)
            continue
        errors = []
        for ndim in (2, 1, 3):
            try:
                parse_group(word, points=2, ndim=ndim)  # the number of shifts is the data's, and plays no part in reading the words
                break
            except OrbitscopeError as error:
                errors.append(error)
        else:
            raise errors[0]
        found.append(word)
    return tuple(dict.fromkeys(found))


def _from_file(path: str, use: Use) -> list[str]:
    with naming(path):
        acting = load_discovery(path).on_grid()
        acting = acting.lattice() if use == "augment" else acting
        if use == "kernels" and acting.turns is None:
            raise OrbitscopeError(
                "its group acts on grids by shifts alone, and every convolution has those. Leave --group out, and take a plain model."
            )
        if acting.words is None:
            raise OrbitscopeError(
                f"what of its group acts on grids, {acting.turns}, has no word, and a command line takes words alone. In Python it is "
                f"osc.load_discovery({path!r}).on_grid().turns."
            )
    words = list(acting.words)
    if use in ("kernels", "one"):
        words = words[:1]
    if use == "augment":
        words = ["*".join(words)]
    line = f"{path}: taken for {' '.join(words)}, what of its group acts on grids.{acting.left}"
    Console(stderr=True).print(line, style="dim", highlight=False, soft_wrap=True, markup=False)
    return words


def check_law(words: str | None) -> None:
    """Raise for words that name no equation, or give it parameters that it has not."""
    if words is not None:
        parse_law(words)


def check_model(model: str, preset: str) -> None:
    """Raise for a name that is no model, or a preset that it has not."""
    require_model(model, preset)


def check_out(force: bool, **targets: Path | None) -> None:
    """Raise for a file that exists, where it may not be replaced, and for a name below something that is no folder."""
    for flag, path in targets.items():
        if path is None:
            continue
        if path.exists() and not force:
            raise OrbitscopeError(f"{flag}: {path} exists. Give another --{flag}, or --force to replace it.")
        if path.is_dir():
            raise OrbitscopeError(f"{flag}: {path} is a folder. Give the name of a file.")
        above = next((p for p in path.absolute().parents if p.exists()), None)
        if above is not None and not above.is_dir():
            raise OrbitscopeError(f"{flag}: {above} is a file, so there is no room for {path} below it. Give another --{flag}.")
