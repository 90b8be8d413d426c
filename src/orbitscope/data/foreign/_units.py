"""Units of files into units of a layout, by pint with the symbols of CF (udunits)."""

import logging
from functools import cache
from typing import Any

from ..._errors import OrbitscopeError

_NONE = ("", "1", "none", "dimensionless", "unitless", "-")


def conversion(stored: str, wanted: str, who: str) -> tuple[float, float]:
    """(scale, offset) such that wanted = stored * scale + offset.

    Raises `OrbitscopeError` where the two are different quantities, or one is no unit that pint knows.

    >>> seconds("s"), seconds("hours"), seconds("months")
    (1.0, 3600.0, None)
    >>> conversion("cm s-1", "m/s", "u"), conversion("degC", "K", "T")
    ((0.01, 0.0), (1.0, 273.15))
    """
    stored, wanted = (" ".join(u.split()) for u in (stored, wanted))
    if stored == wanted or (stored.lower() in _NONE and wanted.lower() in _NONE):
        return 1.0, 0.0
    try:
        registry = _registry()
        zero, one, thousand = (float(registry.Quantity(v, stored).to(wanted).magnitude) for v in (0.0, 1.0, 1000.0))
    except Exception as error:  # pint raises many kinds, its parser others
        raise OrbitscopeError(
            f"{who} is in {stored or 'no unit'!r}, which cannot be converted to {wanted!r} ({error}). Name another unit in the mapping, "
            f"such as {who.rsplit(' ', 1)[-1]}::{stored or '1'}, or convert the file."
        ) from error
    offset, scale = zero, one - zero
    if abs(thousand - offset - 1000 * scale) > 1e-6 * max(abs(thousand), 1e-30):
        raise OrbitscopeError(f"{who} is in {stored!r}, which is no linear scale for {wanted!r}. Convert the file.")
    return float(f"{(thousand - zero) / 1000:.15g}"), offset


def seconds(unit: str) -> float | None:
    """How many seconds one unit of time has; None for what is no unit of time, and for months and years, which differ in length."""
    word = unit.strip().lower()
    if not word or word.startswith(("month", "year", "common_year", "season", "decade")) or word in ("mon", "mons", "yr", "yrs", "a"):
        return None
    try:
        return conversion(unit.strip(), "s", "time")[0]
    except OrbitscopeError:
        return None


def metres(unit: str) -> float | None:
    """How many metres one unit of length has; None for what is no length."""
    try:
        return conversion(unit, "m", "coordinate")[0] if unit.strip().lower() not in _NONE else None
    except OrbitscopeError:
        return None


@cache
def _registry() -> Any:
    # cf-xarray defines some units of pint anew, and pint logs a warning for each.
    log = logging.getLogger("pint.util")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        from cf_xarray.units import units
    finally:
        log.setLevel(level)
    return units
