"""Which axis of a stored array is which: by what its file says of it, then by its name, never by its length."""

import re
from collections.abc import Iterable, Mapping, Sequence

from .._errors import OrbitscopeError

ROLES = ("trajectory", "time", "channel", "x", "y", "z")
"""What an axis may be."""

_NAMES = {
    "trajectory": "trajectory traj trajectories sample samples batch b n_samples ensemble ens member members realization realisation "
    "number run runs simulation simulations sim case instance n_sims num_samples",
    "time": "time t times valid_time time_counter ocean_time timestep timesteps time_step frame frames snapshot snapshots nt n_time",
    "channel": "channel channels c component components variable variables field fields comp",
    "x": "x lon longitude longitudes width w nx rlon grid_longitude easting xi_rho xt xt_ocean st_x projection_x_coordinate n_x",
    "y": "y lat latitude latitudes ny rlat grid_latitude northing eta_rho yt yt_ocean projection_y_coordinate n_y",
    "z": "z depth deptht depthu depthv depthw lev level levels nz plev pressure_level pressure isobaricinhpa altitude s_rho st_ocean "
    "heightaboveground hybrid model_level n_z",
}
_ROLE = {name: role for role, names in _NAMES.items() for name in names.split()}
_NAMELESS = re.compile(r"(phony_)?dim_\d+|")


def named(name: str) -> bool:
    """Whether a dimension has a name of its own; libraries number those that have none (`phony_dim_0`, `dim_0`)."""
    return _NAMELESS.fullmatch(name) is None


def role(name: str, others: Iterable[str] = ()) -> str | None:
    """What an axis of that name is; None where the name does not tell. `others` are its neighbours.

    `height` is the second axis of a picture beside `width`, and else the vertical; `h` and `w` go together likewise.

    >>> role("Latitude"), role("time_counter"), role("height", ["width"]), role("height", ["lon"]), role("i")
    ('y', 'time', 'y', 'z', None)
    """
    plain = _plain(name)
    beside = {_plain(other) for other in others}
    if plain in ("height", "h"):
        return "y" if beside & {"width", "w"} else "z" if plain == "height" else None
    if plain == "w" and "h" not in beside:
        return None
    return _ROLE.get(plain)


def _plain(name: str) -> str:
    return name.rsplit("/", 1)[-1].lower().removesuffix("-dim").removesuffix("_dim").strip()


def roles_of(names: Sequence[str], said: Mapping[str, str] | None = None) -> dict[str, str | None]:
    """The role of every dimension: what `said` has of it, else what its name tells."""
    said = said or {}
    return {name: said.get(name) or role(name, [n for n in names if n != name]) for name in names}


def stored_order(names: Sequence[str], expected: Sequence[str], where: str, insist: str) -> tuple[int, ...] | None:
    """The position in `expected` of every stored axis, by its name; None where no axis has a name.

    Raises `OrbitscopeError` for names that do not tell, or tell something else: an order is never guessed. `insist` says what to do.
    """
    if not any(named(n) for n in names):
        return None
    found = [roles_of(names)[n] for n in names]
    if sorted(map(str, found)) == sorted(expected):
        return tuple(expected.index(str(r)) for r in found)
    told = ", ".join(f"{n or '?'} ({r or 'unknown'})" for n, r in zip(names, found, strict=True))
    raise OrbitscopeError(f"{where} has the axes {told}; expected {', '.join(expected)} in any order. {insist}")


def parse_pairs(value: object, what: str) -> dict[str, str]:
    """{"T": "time"} from "T=time,i=x" or from a mapping.

    >>> parse_pairs("T=time, i=x", "dims")
    {'T': 'time', 'i': 'x'}
    """
    if isinstance(value, Mapping):
        return {str(k): str(v) for k, v in value.items()}
    if not isinstance(value, str):
        raise OrbitscopeError(f"{what}: expected words such as T=time,i=x or a mapping, got {value!r}.")
    pairs = [re.split(r"[=:]", word, maxsplit=1) for word in re.split(r"[,\s]+", value.strip()) if word]
    if wrong := [p for p in pairs if len(p) != 2 or not all(p)]:
        raise OrbitscopeError(f"{what}: expected words such as T=time,i=x, got {'='.join(wrong[0])!r} in {value!r}.")
    return dict(pairs)
