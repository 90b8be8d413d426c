"""Which variables of a file are which fields of a state: the mapping `fields`, in words or as a table, and the help where it is missing.

    velocity=u,v:vector temperature=T:scalar:K vorticity:pseudoscalar

Each word is [name=]variable[,variable...][:representation[:unit]]; without a name the field has that of its one variable.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr

from ..._errors import OrbitscopeError
from ...symmetry import Field, Layout, representation

_PAIRS = (
    ("u", "v"), ("uo", "vo"), ("u10", "v10"), ("ugos", "vgos"), ("water_u", "water_v"), ("vozocrtx", "vomecrty"), ("ua", "va"),
    ("ux", "uy"), ("vx", "vy"), ("vel_x", "vel_y"), ("velocity_x", "velocity_y"), ("u_x", "u_y"), ("10u", "10v"), ("uwnd", "vwnd"),
    ("10m_u_component_of_wind", "10m_v_component_of_wind"), ("u_component_of_wind", "v_component_of_wind"),
)  # fmt: skip
_EAST = re.compile(r"(?:.*_)?(?P<way>eastward|x)_(?:.*_)?(velocity|wind)")
"""Standard names of the first component: eastward_wind, surface_geostrophic_eastward_sea_water_velocity, sea_water_x_velocity, ..."""


@dataclass(frozen=True)
class Mapped:
    """One field and the variables that hold it: one per component, or one with an axis of components."""

    name: str
    variables: tuple[str, ...]
    kind: str = ""
    unit: str = ""

    def field(self, ndim: int, size: int, unit: str) -> Field:
        """The field of a layout. Without a representation one channel is a scalar, and `ndim` are a vector."""
        kind = self.kind or ("scalar" if size == 1 else "vector" if size == ndim else "")
        if not kind or representation(kind).size(ndim) != size:
            raise OrbitscopeError(
                f"fields: {self.name} has {size} channel{'s' * (size > 1)} ({', '.join(self.variables)}), and in {ndim} dimensions "
                + (f"{kind!r} has {representation(kind).size(ndim)}." if kind else "no representation was named: say it, name=a,b:vector.")
            )
        return Field(self.name, representation(kind), unit or "1")


def parse_fields(value: object) -> tuple[Mapped, ...]:
    """The mapping in words, as a list of words, or as a table {name: "u,v:vector"} or {name: ["u", "v"]}.

    >>> parse_fields("velocity=u,v:vector T:scalar:K")[1]
    Mapped(name='T', variables=('T',), kind='scalar', unit='K')
    """
    if isinstance(value, Mapping):
        words = [f"{name}={v if isinstance(v, str) else ','.join(map(str, v))}" for name, v in value.items()]
    elif isinstance(value, str):
        words = re.sub(r"\s*([,=])\s*", r"\1", value).replace(";", " ").split()
        words = _rejoined(words)
    elif isinstance(value, Sequence) and all(isinstance(v, str) for v in value):
        words = [str(v) for v in value]
    else:
        raise OrbitscopeError(f'fields: expected words such as "velocity=u,v:vector temperature=T", got {value!r}.')
    found: tuple[Mapped, ...] = tuple(_mapped(word) for word in words)
    names = [m.name for m in found]
    if not found or len(set(names)) != len(names):
        raise OrbitscopeError(f"fields: expected at least one field, each with its own name, got {value!r}.")
    return found


def _rejoined(words: list[str]) -> list[str]:
    """Words whose unit has blanks ("u,v:vector:m s-1") put together again: a piece such as s-1 or m**2 is no word of its own."""
    found: list[str] = []
    for word in words:
        if found and found[-1].count(":") == 2 and re.fullmatch(r"[A-Za-z%]+(\*\*|\^)?-\d+|[A-Za-z]+\d", word) and "=" not in word:
            found[-1] += f" {word}"
        else:
            found.append(word)
    return found


def _mapped(word: str) -> Mapped:
    match = re.fullmatch(r"(?:(?P<name>[^=:,]+)=)?(?P<variables>[^=:]+?)(?::(?P<kind>[^:]*(?:(?<=irrep):[^:]+)?))?(?::(?P<unit>.*))?", word)
    variables: tuple[str, ...] = tuple(v.strip() for v in match["variables"].split(",")) if match else ("",)
    if match is None or not all(variables):
        raise OrbitscopeError(f"fields: {word!r} is not name=variable,variable:representation:unit, such as velocity=u,v:vector:m/s.")
    if match["name"] is None and len(variables) > 1:
        raise OrbitscopeError(f"fields: the field of {', '.join(variables)} needs a name: velocity={','.join(variables)}:vector.")
    kind = (match["kind"] or "").strip()
    if kind:
        representation(kind)
    return Mapped((match["name"] or next(iter(variables))).strip().rsplit("/", 1)[-1], variables, kind, (match["unit"] or "").strip())


def conventional(dataset: xr.Dataset, names: Sequence[str]) -> tuple[Mapped, ...] | None:
    """The one pair of variables that declares itself as the eastward and the northward part of a velocity; None for none or several."""
    found = [(a, b) for a, b in _pairs(dataset, names) if "eastward_" in _standard(dataset, a)]
    if not found and {"uo", "vo"} <= set(names):
        found = [("uo", "vo")]
    return tuple(Mapped("velocity", pair, "vector", "m/s") for pair in found) if len(found) == 1 else None


def _standard(dataset: xr.Dataset, name: str) -> str:
    return str(dataset[name].attrs.get("standard_name", ""))


def _pairs(dataset: xr.Dataset, names: Sequence[str]) -> list[tuple[str, str]]:
    """Variables that look like two components of one vector, by standard name, else by name."""
    standard = {_standard(dataset, n): n for n in names if _standard(dataset, n)}
    found: list[tuple[str, str]] = []
    for word, name in standard.items():
        match = _EAST.fullmatch(word)
        there = word.replace("eastward_", "northward_") if match and match["way"] == "eastward" else re.sub(r"(^|_)x_", r"\1y_", word)
        other = standard.get(there)
        if match and other and other != name:
            found.append((name, other))
    lower = {n.rsplit("/", 1)[-1].lower(): n for n in names}
    taken = {n for pair in found for n in pair}
    for a, b in _PAIRS:
        if a in lower and b in lower and lower[a] not in taken:
            found.append((lower[a], lower[b]))
    return found


def suggestion(dataset: xr.Dataset, names: Sequence[str]) -> str:
    """Words for `fields` that fit what is there; the reader of the message decides whether they are right."""
    words: list[str] = []
    taken: set[str] = set()
    for k, (a, b) in enumerate(_pairs(dataset, names)):
        words.append(f"velocity{k + 1 if k else ''}={a},{b}:vector")
        taken |= {a, b}
    rest = [n for n in names if n not in taken]
    dims = dataset[next(iter(taken))].dims if taken else (dataset[rest[0]].dims if rest else ())
    words += [n for n in rest if dataset[n].dims == dims][: 3 if taken else 2]
    return " ".join(words)


def inventory(dataset: xr.Dataset, names: Sequence[str], limit: int = 14) -> str:
    """What is in there: variables with axes and units, lengths of the axes."""

    def one(name: str) -> str:
        variable = dataset[name]
        unit = str(variable.attrs.get("units", "")) or "no unit"
        long = str(variable.attrs.get("long_name", variable.attrs.get("standard_name", "")))
        return f"  {name} ({', '.join(map(str, variable.dims))}) [{unit}]" + (f" {long}" if long else "")

    lines = [one(n) for n in names[:limit]] + ([f"  and {len(names) - limit} more"] if len(names) > limit else [])
    sizes = ", ".join(f"{k} {n}" for k, n in dataset.sizes.items())
    return "\n".join([*lines, f"  axes: {sizes or 'none'}"]) if names else "  nothing with axes"


def checked(fields: Sequence[Mapped], dataset: xr.Dataset, where: str, names: Sequence[str]) -> None:
    """Raise for variables that are not there, with what is."""
    for name in (v for m in fields for v in m.variables):
        if name not in dataset.variables:
            raise OrbitscopeError(
                f"fields: {name!r} is not in {where}. It holds:\n{inventory(dataset, names)}\n"
                f'Name the fields, for example: load(path, fields="{suggestion(dataset, names)}").'
            )


def layout_of(fields: Sequence[tuple[Mapped, int, str]], ndim: int) -> Layout:
    """The layout of mapped fields with their numbers of channels and units."""
    return Layout(tuple(m.field(ndim, size, unit) for m, size, unit in fields), ndim)


def plain_attrs(variable: Any) -> dict[str, Any]:
    """Attributes of a variable with those that xarray moved to its encoding when it decoded it."""
    return {**{k: v for k, v in variable.encoding.items() if k in ("scale_factor", "add_offset")}, **variable.attrs}
