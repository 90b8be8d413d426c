"""A file of `orbitscope discover` where the name of a group is asked for."""

import contextlib
from collections.abc import Iterator
from typing import Any

from .._errors import OrbitscopeError
from ..data import Examples
from ..symmetry import Grid, Group, Symmetry
from ._discovery import load_discovery
from ._hypothesis import acting


def is_file(words: object) -> bool:
    """Whether `words`, given where a group is named, are the name of a file of results."""
    return isinstance(words, str) and words.lower().endswith(".nc")


@contextlib.contextmanager
def naming(path: str) -> Iterator[None]:
    """Within the block, a mistake names the file at `path`."""
    try:
        yield
    except OrbitscopeError as error:
        words = str(error)
        raise OrbitscopeError(words if path in words else f"group: {path}: {words.removeprefix('discovery: ')}") from error


def group_from(path: str, grid: Grid | None) -> Group[Any]:
    """What of the group in a file acts on fields on a grid, rotations, reflections and shifts together.

    * `path`: a file of `orbitscope discover`. `grid`: where the fields live.

    Raises `OrbitscopeError` that names the file where it holds no discovery, or none whose group acts there.
    """
    with naming(path):
        return load_discovery(path).on_grid(grid).group


def symmetry_from(path: str, examples: Examples) -> Symmetry:
    """The group in a file, acting on examples as it was said where it was discovered.

    * `path`: a file of `orbitscope discover`. `examples`: vectors or point sets, of as many numbers as those it was found in.

    Raises `OrbitscopeError` that names the file where nothing was found, where the examples are others, and where it was discovered under
    actions that a file cannot hold.
    """
    with naming(path):
        found = load_discovery(path)
        output = found.about.get("output")
        if not isinstance(output, str):
            raise OrbitscopeError(
                "it was discovered under actions of its own, which a file cannot hold. Say them: Symmetry(found.group(), input, output)."
            )
        return acting(found.group(), found.homogeneous, examples, output)
