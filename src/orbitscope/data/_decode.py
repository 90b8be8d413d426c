"""Stored numbers into physical ones by the CF conventions (sections 2.5.1 and 8.1) and the NetCDF User's Guide.

xarray unpacks (`scale_factor`, `add_offset`, `_Unsigned`) and masks `_FillValue` and `missing_value`. What it leaves to the reader is
added here: the fill values that the NetCDF library writes unasked, and `valid_min`, `valid_max`, `valid_range`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import OrbitscopeError

DEFAULT_FILL: Mapping[str, float] = {
    "f4": 9.969209968386869e36, "f8": 9.969209968386869e36, "i2": -32767, "u2": 65535, "i4": -2147483647, "u4": 4294967295,
    "i8": -9223372036854775806, "u8": 18446744073709551614,
}  # fmt: skip
"""By type; bytes have none that means "missing" (netcdf.h, NC_FILL_*)."""

_PACKING = ("scale_factor", "add_offset", "_Unsigned")
_MASKING = ("_FillValue", "missing_value")
_LIMITS = ("valid_min", "valid_max", "valid_range")
_FLAGS = ("flag_values", "flag_masks", "flag_meanings")
CODED = (*_PACKING, *_MASKING, *_LIMITS)
"""The attributes that say how numbers are stored."""


def packed(attributes: Mapping[str, Any]) -> bool:
    """Whether a variable's attributes say that its numbers are not yet the physical ones."""
    return any(name in attributes for name in CODED)


def require_numbers(attributes: Mapping[str, Any], dtype: np.dtype[Any], who: str) -> None:
    """Raise for what is no physical quantity: text, complex numbers, flags."""
    if dtype.kind not in "fiu":
        hint = " Take its real and imaginary part as two variables." if dtype.kind == "c" else ""
        raise OrbitscopeError(f"{who} has dtype {dtype}; expected real numbers.{hint}")
    if any(name in attributes for name in _FLAGS):
        raise OrbitscopeError(f"{who} holds flags ({', '.join(n for n in _FLAGS if n in attributes)}), no physical quantity.")


def float_type(dtype: np.dtype[Any], attributes: Mapping[str, Any]) -> np.dtype[Any]:
    """float64 where the file has float64, or packs so many digits that float32 would round them; else float32."""
    wide = dtype.kind in "iu" and dtype.itemsize >= 4 and "scale_factor" in attributes
    return np.dtype(np.float64 if dtype.newbyteorder("=") == np.float64 or wide else np.float32)


def decoded(raw: NDArray[Any], attributes: Mapping[str, Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    r"""Physical values, shape of `raw`, in `dtype`: $v = r \cdot \mathrm{scale\_factor} + \mathrm{add\_offset}$, NaN where missing.

    Missing: `_FillValue`, every `missing_value`, what lies outside the valid limits, and, where no `_FillValue` is declared, the
    default fill of the NetCDF library for this type. The limits count in packed numbers if they have the type of the packed ones.
    """
    attributes = _plain({k: v for k, v in attributes.items() if k in CODED}, raw.dtype)
    if raw.dtype.kind == "i" and str(attributes.get("_Unsigned", "")).lower() == "true":
        numbers = raw.view(raw.dtype.str.replace("i", "u"))
    else:
        numbers = raw
    missing = _missing(numbers, attributes)
    values = _unpacked(raw, attributes)
    low, high = _limits(attributes, raw.dtype, packed_ones=False)
    for outside in ((values < low) if low is not None else None, (values > high) if high is not None else None):
        if outside is not None:
            missing = outside if missing is None else missing | outside
    values = values.astype(dtype, copy=False)
    if missing is not None and missing.any():
        values = np.where(missing, dtype.type(np.nan), values)
    return values


def _unpacked(raw: NDArray[Any], attributes: Mapping[str, Any]) -> NDArray[Any]:
    known = {k: v for k, v in attributes.items() if k in (*_PACKING, "_FillValue")}
    if not known:
        return raw
    from xarray import Variable
    from xarray.conventions import decode_cf_variable

    dims = tuple(f"d{k}" for k in range(raw.ndim))
    return np.asarray(decode_cf_variable("values", Variable(dims, raw, known), decode_times=False, decode_timedelta=False).values)


def _plain(attributes: dict[str, Any], dtype: np.dtype[Any]) -> dict[str, Any]:
    """Attributes as numbers, however they were written: as text, as arrays of one, in another type than the variable."""
    found: dict[str, Any] = {}
    for name, value in attributes.items():
        if name == "_Unsigned":
            found[name] = value.decode() if isinstance(value, bytes) else str(np.asarray(value).reshape(-1)[0])
            continue
        try:
            listed = [
                float(v) if isinstance(v, bytes | str | np.bytes_ | np.str_) else v for v in np.atleast_1d(np.asarray(value)).tolist()
            ]
        except ValueError:
            continue  # "none", "NaN?": a word that declares nothing
        numbers = np.asarray(listed if isinstance(value, bytes | str) or np.asarray(value).dtype.kind in "SUO" else value).reshape(-1)
        if not numbers.size:
            continue
        if name in _MASKING:
            numbers = np.array([n for n in numbers if dtype.kind == "f" or np.isfinite(n)])
            if not numbers.size:
                continue
            # 1e20 as float64 is not the 1e20 of a float32 variable: compared in the type of the variable.
            numbers = numbers.astype(dtype) if dtype.kind == "f" or _fits(numbers, dtype) else numbers
        found[name] = numbers if name in ("missing_value", "valid_range") else numbers[0]
    return found


def _fits(numbers: NDArray[Any], dtype: np.dtype[Any]) -> bool:
    limits = np.iinfo(dtype)
    return bool(((numbers >= limits.min) & (numbers <= limits.max)).all())


def _missing(numbers: NDArray[Any], attributes: Mapping[str, Any]) -> NDArray[np.bool_] | None:
    """Where the stored numbers themselves say that there is no value; None where nothing can be missing."""
    tests = [numbers == numbers.dtype.type(v) for v in attributes.get("missing_value", ()) if not np.isnan(v)]
    if "_FillValue" not in attributes and (default := DEFAULT_FILL.get(numbers.dtype.str[1:])) is not None:
        tests.append(numbers == numbers.dtype.type(default))
    low, high = _limits(attributes, numbers.dtype, packed_ones=True)
    tests += [numbers < low] if low is not None else []
    tests += [numbers > high] if high is not None else []
    if not tests:
        return None
    return np.logical_or.reduce(tests)


def _limits(attributes: Mapping[str, Any], dtype: np.dtype[Any], *, packed_ones: bool) -> tuple[Any, Any]:
    """Smallest and largest valid number, of the packed or of the unpacked ones; None where there is no such limit."""
    low, high = attributes.get("valid_min"), attributes.get("valid_max")
    if (both := attributes.get("valid_range")) is not None and len(both) == 2:
        low, high = both
    scaled = "scale_factor" in attributes or "add_offset" in attributes
    unsigned = str(attributes.get("_Unsigned", "")).lower() == "true"

    def mine(limit: Any) -> Any:
        if limit is None:
            return None
        kind = np.asarray(limit).dtype
        of_packed = not scaled or (dtype.kind in "iu" and kind.kind in "iu") or (dtype.kind == "f" and kind.itemsize <= dtype.itemsize)
        if of_packed != packed_ones:
            return None
        return kind.type(limit).view(f"u{kind.itemsize}") if unsigned and kind.kind == "i" else limit

    return mine(low), mine(high)
