"""The times of a file: numbers with a unit and perhaps a date they count from, in any calendar."""

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from .._uniform import fault, uniform_step
from ._units import seconds

_SINCE = re.compile(r"\s*(\S+)\s+(?:since|after|from)\s+(.+?)\s*", re.I)


@dataclass(frozen=True)
class Times:
    """A time axis: `values` [time] in units of `unit` seconds (None: the file does not say), counted from the date `since` ("" : none)."""

    values: NDArray[Any]
    unit: float | None
    since: str
    calendar: str
    name: str
    words: str

    @classmethod
    def of(cls, variable: xr.Variable, name: str) -> "Times":
        """From a coordinate as it is stored, or as xarray has decoded it."""
        values = np.atleast_1d(np.asarray(variable.values))
        if values.dtype.kind == "M":
            return cls(values.astype("datetime64[ns]").astype(np.int64), 1e-9, "1970-01-01", "standard", name, "dates")
        if values.dtype.kind == "m":
            return cls(values.astype("timedelta64[ns]").astype(np.int64), 1e-9, "", "standard", name, "durations")
        if values.dtype.kind == "O":
            return cls._of_dates(values, name)
        units = str(variable.attrs.get("units", ""))
        found = _SINCE.fullmatch(units)
        unit = seconds(found[1] if found else units)
        if units.strip() and unit is None and units.strip() not in ("1", "-"):
            unit = float("nan")
        return cls(values, unit, found[2] if found else "", str(variable.attrs.get("calendar", "standard")).lower(), name, units)

    @classmethod
    def _of_dates(cls, values: NDArray[Any], name: str) -> "Times":
        try:
            import cftime

            calendar, since = values[0].calendar, "seconds since 1900-01-01"
            return cls(np.asarray(cftime.date2num(values, since, calendar)), 1.0, "1900-01-01", calendar, name, f"dates ({calendar})")
        except (ImportError, AttributeError, IndexError, ValueError) as error:
            raise OrbitscopeError(f"path: the times {name!r} are {type(values.flat[0]).__name__}; expected numbers or dates.") from error

    @property
    def dated(self) -> bool:
        """Whether the times are points on a calendar, so that files can be put in order by them."""
        return bool(self.since)

    def label(self, k: int) -> str:
        """The k-th time for people: a date where the calendar is the usual one."""
        if self.since and self.unit and np.isfinite(self.unit) and self.calendar in ("standard", "gregorian", "proleptic_gregorian"):
            try:
                since = np.datetime64(self.since.split("+")[0].replace("UTC", "").strip().rstrip("Z").replace(" ", "T", 1), "ms")
                return str(since + np.timedelta64(round(float(self.values[k]) * self.unit * 1000), "ms")).removesuffix(".000")
            except (ValueError, OverflowError):
                pass
        return f"{self.values[k]} {self.words}".strip()

    def step(self, where: str) -> tuple[float, str]:
        """The time between two states, in seconds where the unit is known, and a note.

        Raises `OrbitscopeError` for a gap, a repetition, another fault, or a unit without a fixed length, each named.
        """
        step = uniform_step(self.values)
        insist = "Take a part without it, or pass dt=... to insist."
        if step is None:
            known = self.unit is not None and np.isfinite(self.unit)
            values = self.values * self.unit if known and self.values.dtype.kind in "iuf" else self.values  # steps in seconds
            said = fault(values if self.values.dtype != np.float32 else self.values, self.label)
            raise OrbitscopeError(f"path: {where}: the time axis {self.name!r} {said}. {insist}")
        if self.unit is not None and not np.isfinite(self.unit):
            raise OrbitscopeError(f"path: {where}: the time axis {self.name!r} is in {self.words!r}, which is no fixed time. Pass dt=...")
        dt = float(f"{step * (1.0 if self.unit is None else self.unit):.12g}")
        return dt, f"dt: {dt:g}{' s' if self.unit else ''}, from {self.name!r}" + (f" in {self.words}" if self.words else "")

    def since_epoch(self, where: str) -> "Times":
        """The same times counted in seconds from 1970 (in their own calendar), so that two files can be compared."""
        variable = xr.Variable(("time",), self.values, {"units": self.words, "calendar": self.calendar})
        if self.words.startswith("dates"):
            return self
        try:
            found = xr.decode_cf(xr.Dataset({"time": variable}))["time"].variable
        except Exception as error:
            hint = "" if self.calendar in ("standard", "gregorian", "proleptic_gregorian") else " Calendars other than the usual one need"
            raise OrbitscopeError(
                f"path: {where}: the times in {self.words!r} ({self.calendar}) cannot be read as dates ({error})."
                + (f"{hint} cftime: pip install 'orbitscope[formats]'." if hint else "")
            ) from error
        return replace(Times.of(found, self.name), calendar=self.calendar)

    def take(self, index: NDArray[np.int64]) -> "Times":
        """Some of them."""
        return replace(self, values=self.values[index])
