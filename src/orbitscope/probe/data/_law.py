"""Which equation a file is audited with, and why none where none fits."""

import ast
from dataclasses import dataclass
from typing import Any

from ..._errors import OrbitscopeError
from ..._expect import expect
from ...data import Trajectories
from ...physics import Equation, equation


@dataclass(frozen=True)
class Law:
    """The equation whose solver takes this file, or None; `note` says why a named one does not."""

    equation: Equation | None = None
    note: str = ""


def law_of(data: Trajectories, law: Equation | str | None) -> Law:
    """The equation asked for, in words ("navier-stokes:viscosity=2e-3") or as an object, or the one that the provenance names.

    A box of another size is rescaled (see `Equation.on`); where the solver cannot take the box, the laws of two snapshots decide and the
    note says so. Raises `OrbitscopeError` for an equation asked for whose fields or walls are not the file's, naming both.
    """
    asked = law is not None
    expect(law, (str, Equation, type(None)), "law:", "words such as 'navier-stokes:viscosity=2e-3' or an Equation")
    found = law if isinstance(law, Equation) else parse_law(law) if law is not None else _named_by(data)
    if found is None:
        return Law(note=_stranger(data))
    theirs, own = _said(data.layout), _said(found.layout)
    if found.layout.channels != data.layout.channels or found.layout.ndim != data.grid.ndim or _other_kinds(data, found):
        why = f"{found.name} has the fields {own}, the file has {theirs}"
        if asked:
            raise OrbitscopeError(f"law: {why}. {_way_out(data, found)}")
        return Law(note=f"the file names {found.name}, but {why}")
    try:
        found.on(data.grid)
    except OrbitscopeError as error:
        periodic = found.grid(min(data.grid.shape)).boundary == data.grid.boundary
        if asked and not periodic:
            raise OrbitscopeError(
                f"law: {found.name} cannot be solved on the file's grid ({data.grid}, extent {data.grid.extent}): {error}. Declare "
                "the right walls (--load boundary=...), or leave `law` out: the laws of two snapshots are then asked on the interior."
            ) from error
        return Law(note=f"the solver of {found.name} was not used: {error}")
    return Law(found)


def parse_law(words: str) -> Equation:
    """An equation from words: its name, and after a colon the parameters that differ from the defaults.

    >>> parse_law("navier-stokes:viscosity=2e-3").parameters["viscosity"]
    0.002
    """
    name, _, rest = words.partition(":")
    parameters: dict[str, Any] = {}
    for part in filter(None, (p.strip() for p in rest.split(","))):
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise OrbitscopeError(f"law: expected name:parameter=value,parameter=value, got {words!r}.")
        key = key.strip().replace("-", "_")
        if key in parameters:
            raise OrbitscopeError(f"law: {key} is given twice in {words!r}.")
        try:
            parameters[key] = {"true": True, "false": False, "none": None}.get(value.strip().lower(), ast.literal_eval(value.strip()))
        except (ValueError, SyntaxError):
            parameters[key] = {"true": True, "false": False, "none": None}.get(value.strip().lower(), value.strip())
    try:
        return equation(name.strip(), **parameters)
    except TypeError as error:  # a word where a number belongs
        raise OrbitscopeError(f"law: {words!r}: a parameter has the wrong kind of value ({error}).") from error


def _named_by(data: Trajectories) -> Equation | None:
    known: Any = data.provenance.get("equation")
    if not known:
        return None
    try:
        return equation(str(known), **dict(data.provenance.get("parameters") or {}))
    except (OrbitscopeError, TypeError, ValueError):
        return None  # a file of somebody else's equation: audited without a solver


def _stranger(data: Trajectories) -> str:
    known = data.provenance.get("equation")
    return f"the file names the equation {known}, for which there is no solver here" if known else ""


def _said(layout: Any) -> str:
    return ", ".join(f"{f.name}:{f.representation}" for f in layout.fields)


def _sizes(layout: Any) -> list[int]:
    return [f.representation.size(layout.ndim) for f in layout.fields]


def _other_kinds(data: Trajectories, law: Equation) -> bool:
    """The same number of channels in other pieces: two scalars where a vector belongs."""
    return _sizes(data.layout) != _sizes(law.layout)


def _way_out(data: Trajectories, law: Equation) -> str:
    """What to do: select the equation's fields if the file has them."""
    have = {f.name: f.representation.size(data.layout.ndim) for f in data.layout.fields}
    need = {f.name: f.representation.size(law.layout.ndim) for f in law.layout.fields}
    if law.layout.ndim == data.layout.ndim and all(have.get(n) == size for n, size in need.items()):
        names = ", ".join(repr(n) for n in need)
        return f"Audit those alone: data.select({names}), or keep only them in the file; or leave `law` out."
    return "Declare the fields in the equation's order (--load layout=...), name another equation, or leave `law` out."


__all__ = ["Law", "law_of", "parse_law"]
