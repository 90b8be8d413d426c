"""Words such as p=3 on the command line, and the settings that they name: of a scenario's law, of an equation, of `load`."""

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from .._errors import OrbitscopeError
from ..data import Trajectories, load
from ..physics import fitted
from ..symmetry import Grid, Layout

_LOAD = {
    "depth": "level of an ocean file, 0 is the first",
    "land": "value to put on the land of an ocean file",
    "box": "west,east,south,north in degrees, of an ocean file",
    "variable": "name of the variable to read",
    "tracer": "true: keep the passive tracer",
    "dt": "time between two stored states",
    "layout": "fields with their representations, such as density,velocity:vector,pressure",
    "extent": "size of the box, one number per axis",
    "boundary": "periodic, wall or open, one word per axis",
}


def parse_words(words: Sequence[str], flag: str) -> dict[str, Any]:
    """{"p": 3} from ("p=3",): numbers, true and false, lists with commas; everything else stays text.

    >>> parse_words(["p=3", "nu=1e-3", "box=-30,-28,40,41", "tracer=true", "limiter=minmod"], "--set")
    {'p': 3, 'nu': 0.001, 'box': (-30, -28, 40, 41), 'tracer': True, 'limiter': 'minmod'}
    """
    found: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name:
            raise OrbitscopeError(f"{flag}: expected name=value, got {word!r}.")
        if name in found:
            raise OrbitscopeError(f"{flag}: {name} is given twice.")
        try:
            found[name] = {"true": True, "false": False, "none": None}[value.lower()]
        except KeyError:
            try:
                found[name] = ast.literal_eval(value)
            except (ValueError, SyntaxError):
                found[name] = value
    return found


def to_words(table: Mapping[str, Any]) -> tuple[str, ...]:
    """The inverse of `parse_words`, for a table of a TOML file."""
    return tuple(f"{k}={','.join(map(str, v)) if isinstance(v, list) else v}" for k, v in table.items())


def load_words(path: Any, words: Sequence[str] = ()) -> Trajectories:
    """`load` with options in words; `extent` and `boundary` declare the box.

    Raises `OrbitscopeError` for an unknown option, which names the known ones.
    """
    given = parse_words(words, "--load")
    if unknown := sorted(set(given) - set(_LOAD)):
        known = "; ".join(f"{k} ({v})" for k, v in _LOAD.items())
        raise OrbitscopeError(f"--load: {', '.join(unknown)} is no option. Known: {known}.")
    options = fitted(
        {k: v for k, v in given.items() if k in ("depth", "land", "box", "variable", "tracer", "dt")},
        {"depth": 0, "land": 0.0, "box": (0.0,), "variable": "", "tracer": False, "dt": 0.0}, "--load", "load",
    )  # fmt: skip
    if len(options.get("box", (0,) * 4)) != 4:
        raise OrbitscopeError(f"--load box: expected west,east,south,north, got {options['box']}.")
    if "layout" in given:
        fields = str(given["layout"]).split(",")
        options["layout"] = Layout.of(*fields, ndim=len(_list(given.get("extent", (1, 1)))))
    data = load(path, **options)
    if "extent" in given or "boundary" in given:
        extent = tuple(float(e) for e in _list(given.get("extent", data.grid.extent)))
        boundary = tuple(str(b) for b in _list(given.get("boundary", data.grid.boundary)))
        grid = Grid(data.grid.shape, extent, boundary, data.grid.centring)  # pyright: ignore[reportArgumentType]
        said = f"{' x '.join(f'{e:g}' for e in extent)}, {'/'.join(boundary)}"
        data = data.replace(grid=grid, notes=(*data.notes, f"grid: {said}, declared by --load, beats the line above"))
    return data


def _list(value: Any) -> Sequence[Any]:
    if isinstance(value, str):
        return [w.strip() for w in value.split(",")]
    return value if isinstance(value, Sequence) else (value,)
