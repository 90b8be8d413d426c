"""Words such as p=3 on the command line, and the settings that they name: of a scenario's law, of an equation, of `load`."""

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from .._errors import OrbitscopeError
from ..data import Trajectories, load
from ..physics import Equation, Scenario, scenario
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


def planned(name: str, initial: Mapping[str, Any], law: Mapping[str, Any]) -> tuple[Scenario, Equation]:
    """A scenario with other parameters of its initial states, and its equation with other parameters.

    The values are brought to the kind of the defaults (1 where a float belongs becomes 1.0), so that the same words always make the same
    provenance. Raises `OrbitscopeError` that names the flag and the known parameters.
    """
    plan = scenario(name)
    initial = fitted(initial, plan.initial_parameters, "--initial", f"the initial states of {plan.name}")
    if initial:
        plan = scenario(name, **initial)
    known = plan.equation().parameters
    return plan, plan.equation(**fitted(law, known, "--equation", f"the equation of {plan.name}"))


def fitted(given: Mapping[str, Any], known: Mapping[str, Any], flag: str, owner: str) -> dict[str, Any]:
    """The given values as the kinds of the known ones; an unknown name or another kind raises."""
    if unknown := sorted(set(given) - set(known)):
        listed = ", ".join(f"{k}={v}" for k, v in known.items()) or "none"
        raise OrbitscopeError(f"{flag}: {', '.join(unknown)} is no parameter of {owner}. Known, with the defaults: {listed}.")
    return {name: _fit(value, known[name], f"{flag} {name}") for name, value in given.items()}


def _fit(value: Any, like: Any, what: str) -> Any:
    """`value` as the kind of `like`."""
    if isinstance(like, bool) or like is None or value is None:
        good, made = like is None or value is None or isinstance(value, bool), value
    elif isinstance(like, float):
        good = isinstance(value, int | float) and not isinstance(value, bool)
        made = float(value) if good else value
    elif isinstance(like, int):
        good = isinstance(value, int | float) and not isinstance(value, bool) and int(value) == value
        made = int(value) if good else value
    elif isinstance(like, tuple | list):
        parts = tuple(value) if isinstance(value, tuple | list) else (value,)
        good, made = True, tuple(_fit(v, like[0] if like else None, what) for v in parts)
    else:
        good, made = isinstance(value, type(like)), value
    if not good:
        kind = {bool: "true or false", float: "a number", int: "a whole number", str: "a word"}.get(type(like), type(like).__name__)
        raise OrbitscopeError(f"{what}: expected {kind} (default {like}), got {value!r}.")
    return made


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
