"""JSON that every reader can read: no bare NaN or Infinity, which Python writes and the format does not have."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from ._errors import OrbitscopeError


def json_text(
    data: Any, *, what: str, indent: int | None = None, sort_keys: bool = False, default: Callable[[Any], Any] | None = None
) -> str:
    """`data` as JSON; raises `OrbitscopeError` that names the entry where a number is not finite. `what` says what is written."""
    try:
        return json.dumps(data, indent=indent, sort_keys=sort_keys, default=default, allow_nan=False)
    except ValueError as error:
        place = _first_bad(data)
        if place is None:  # a circular reference, or a value that `default` made
            raise
        raise OrbitscopeError(
            f"{what}: {place[0]} is {place[1]}, and JSON has no such number. Nothing was written; look for what made it so."
        ) from error


def finite_json(value: Any) -> Any:
    """The same with every number that is not finite as its text ("nan", "inf"): for what others recorded, such as provenance."""
    if isinstance(value, Mapping):
        return {key: finite_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite_json(item) for item in value]
    return str(float(value)) if isinstance(value, float) and not math.isfinite(value) else value


def _first_bad(value: Any, path: str = "") -> tuple[str, float] | None:
    if isinstance(value, float):
        return None if math.isfinite(value) else (path or "the value", value)
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, item in items:
        found = _first_bad(item, f"{path}.{key}" if path else str(key))
        if found is not None:
            return found
    return None
