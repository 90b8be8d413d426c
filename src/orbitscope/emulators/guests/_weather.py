"""How weather models are called, whose axes, variables and times are objects."""

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...symmetry import Layout


def earth2studio(model: nn.Module, layout: Layout | None) -> Mapping[str, Any]:
    """Any prognostic model of earth2studio: (x, coordinates) -> (y, coordinates), axes and past states as its `input_coords` says.

    x is the longitude, y the latitude to the north; channels are those of its `variable`. The date is 2000-01-01; `kwargs={"time": ...}`
    gives another.
    """
    if not callable(getattr(model, "input_coords", None)):
        raise OrbitscopeError(f"like: 'earth2studio' needs a prognostic model, which has input_coords(); {type(model).__name__} has none.")
    said: Mapping[str, Any] = model.input_coords()  # pyright: ignore[reportCallIssue]
    letters = {"batch": "b", "time": "1", "lead_time": "t", "variable": "c", "lon": "x", "lat": "y"}
    if strange := [name for name in said if name not in letters]:
        raise OrbitscopeError(
            f"like: the model has an axis {strange[0]!r}; 'earth2studio' knows {', '.join(letters)}. Say axes= and call=."
        )
    letters["lat"] = "-y" if np.all(np.diff(np.asarray(said["lat"], dtype=np.float64)) < 0) else "y"  # ours runs to the north

    def called(inside: nn.Module, states: Tensor, time: str = "2000-01-01") -> Tensor:
        sizes = {"batch": np.arange(states.shape[list(said).index("batch")]), "time": np.array([np.datetime64(time, "ns")])}
        return inside(states, OrderedDict((name, sizes.get(name, values)) for name, values in said.items()))[0]

    axes = " ".join(letters[name] for name in said)
    return {"axes": axes, "out": axes, "step": -1, "frames": len(said["lead_time"]), "call": called}


def aurora(model: nn.Module, layout: Layout | None) -> Mapping[str, Any]:
    """Aurora: a Batch of surface variables and of variables by pressure level, two past states, latitude from north to south.

    Channels are `model.surf_vars`, then each of `model.atmos_vars` on every level of `kwargs={"levels": (850, 500)}`. x is the longitude,
    y the latitude to the north, cells centred; static fields are 0 (an ocean), the date is 2000-01-01: `static` ({name: [lat, lon]}),
    `lat`, `lon` and `time` say otherwise.
    """
    surface, upper = (tuple(getattr(model, name, ())) for name in ("surf_vars", "atmos_vars"))
    if not surface and not upper:
        raise OrbitscopeError(f"like: 'aurora' needs a model with surf_vars and atmos_vars; {type(model).__name__} has none.")

    def called(inside: nn.Module, states: Tensor, levels: Any = (), time: str = "2000-01-01", **places: Any) -> Tensor:
        heights = tuple(levels) if isinstance(levels, tuple | list) else (levels,)
        needed = len(surface) + len(upper) * len(heights)
        if states.shape[2] != needed:
            raise OrbitscopeError(
                f"kwargs: {states.shape[2]} channels go into the model; {', '.join(surface)} and {', '.join(upper)} on {len(heights)} "
                f"levels are {needed}. Give the pressure levels in hPa: kwargs={{'levels': (850, 500)}}."
            )
        flat, high = states.split([len(surface), len(upper) * len(heights)], 2)
        answer = inside(
            _batch(
                dict(zip(surface, flat.unbind(2), strict=True)),
                dict(zip(upper, high.unflatten(2, (len(upper), len(heights))).unbind(2), strict=True)),
                tuple(getattr(inside, "static_vars", ())), heights, time, **places,
            )
        )  # fmt: skip
        return torch.cat([*(answer.surf_vars[n][:, -1:, None] for n in surface), *(answer.atmos_vars[n][:, -1:] for n in upper)], 2)

    return {"axes": "b t c -y x", "out": "b t c -y x", "step": -1, "frames": int(getattr(model, "max_history_size", 2)), "call": called}


def _batch(
    surface: dict[str, Tensor], upper: dict[str, Tensor], names: tuple[str, ...], levels: tuple[Any, ...], time: str,
    static: Mapping[str, Any] | None = None, lat: Any = None, lon: Any = None,
) -> Any:  # fmt: skip
    """Aurora's own Batch of variables [b, t, (level,) lat, lon] on the whole sphere, unless `lat` and `lon` in degrees say otherwise."""
    from aurora import Batch, Metadata  # pyright: ignore[reportMissingImports]: the guest's own package

    like = next(iter((surface | upper).values()))
    rows, columns = like.shape[-2:]
    there = {"dtype": like.dtype, "device": like.device}
    latitude = 90 - (torch.arange(rows, **there) + 0.5) * 180 / rows if lat is None else torch.as_tensor(lat, **there)
    longitude = (torch.arange(columns, **there) + 0.5) * 360 / columns if lon is None else torch.as_tensor(lon, **there)
    fixed = {name: torch.as_tensor((static or {}).get(name, 0.0), **there).expand(rows, columns) for name in names}
    return Batch(surface, fixed, upper, Metadata(latitude, longitude, (datetime.fromisoformat(time),) * len(like), levels))
