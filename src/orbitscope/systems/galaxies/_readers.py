"""Somebody's own halos from a file: HDF5 as halotools writes it, or CSV, with units that are declared and checked."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..._errors import OrbitscopeError, reading
from ..._expect import expect
from ..._whole import write_whole
from ._catalogue import Halos, Real
from ._halos import Cosmos, HaloConfig

UNITS = ("Mpc/h", "Mpc", "kpc/h")
"""Units of length that are read. With Mpc masses are in solar masses, else in solar masses / h."""
_DENSITY = (150.0, 2500.0)  # of halos, over the mean density of matter, whatever the definition
_FILLED = 0.9  # part of the box that a catalogue of many halos reaches along some axis at least
_MANY = 200


class CatalogueWarning(UserWarning):
    """Something in a catalogue of halos is not as it should be, and was put right or left out as the words say."""


@dataclass(frozen=True)
class Columns:
    """What the columns of a file are called; the defaults are halotools' names.

    * `x`, `y`, `z`: of the centre. `mass`: virial mass. `radius`: virial radius. `concentration`: of an NFW profile.
    * `axis_x`, `axis_y`, `axis_z`: of the long axis. `elongation`: short over long axis. `parent`: -1 for a halo that is in no other.
    """

    x: str = "halo_x"
    y: str = "halo_y"
    z: str = "halo_z"
    mass: str = "halo_mvir"
    radius: str = "halo_rvir"
    concentration: str = "halo_nfw_conc"
    axis_x: str = "halo_axisA_x"
    axis_y: str = "halo_axisA_y"
    axis_z: str = "halo_axisA_z"
    elongation: str = "halo_c_to_a"
    parent: str = "halo_upid"


def save_halos(halos: Halos, path: str | Path, *, force: bool = False) -> Path:
    """Write halos to an HDF5 file in halotools' form: one table `data` with halotools' columns, and the box as attribute `Lbox`.

    * `halos`: which. `path`: .hdf5 or .h5. `force`: whether a file that exists is replaced.
    """
    path = Path(path)
    if path.suffix.lower() not in (".hdf5", ".h5"):
        raise OrbitscopeError(f"path: {path} should end in .hdf5 or .h5.")
    if path.exists() and not force:
        raise OrbitscopeError(f"path: {path} exists. Choose another name, or replace it with force=True (--force).")
    names, columns = Columns(), {"x": halos.positions[:, 0], "y": halos.positions[:, 1], "z": halos.positions[:, 2], "mass": halos.mass}
    columns |= {"radius": halos.radius, "concentration": halos.concentration}
    if halos.axis is not None:
        columns |= {f"axis_{c}": halos.axis[:, k] for k, c in enumerate("xyz")}
    if halos.elongation is not None:
        columns["elongation"] = halos.elongation
    table = np.empty(len(halos), dtype=[(getattr(names, key), "f8") for key in columns] + [(names.parent, "i8"), ("halo_id", "i8")])
    for key, values in columns.items():
        table[getattr(names, key)] = values
    table[names.parent], table["halo_id"] = -1, np.arange(len(halos))

    def write(part: Path) -> None:
        with h5py.File(part, "w") as file:
            file["data"] = table
            file.attrs["Lbox"] = halos.box
            file.attrs["redshift"] = float(halos.about.get("redshift", 0.0))

    write_whole(path, write)
    return path


def read_halos(
    path: str | Path, *, units: str = "", box: float | None = None, h: float | None = None,
    columns: Columns | Mapping[str, str] | None = None, zero_axes: str = "error", cosmology: str = "multidark-planck",
) -> Halos:  # fmt: skip
    """The halos in a file: positions, masses, radii, concentrations, long axes.

    * `path`: .hdf5 or .h5 with a table `data` (halotools' form) or with one array for each column, or .csv with a line of names.
    * `units`: of lengths, and with them of masses: "Mpc/h" or "kpc/h" (solar masses / h), or "Mpc" (solar masses), which needs `h`. A file
      with the attribute `Lbox` is halotools' and in Mpc/h where nothing is said; any other needs to be told.
    * `box`: side of the periodic cube in the same unit; None: the attribute `Lbox`. `h`: Hubble constant over 100 km/s/Mpc.
    * `columns`: what the columns are called, as `Columns` or as a mapping of some of its names.
    * `zero_axes`: "error", or "drop" the halos whose long axis has length 0. `cosmology`: of colossus, for radii and concentrations.

    Only halos that lie in no other are kept, where the column of parents tells. Missing radii and concentrations (of single halos: not
    finite or not positive) are those of colossus' models for the mass, with a `CatalogueWarning`; so is the want of shapes, with which no
    aligned mock can be made.

    Raises `OrbitscopeError` for missing columns and units, axes of length 0, and for lengths, masses and box that cannot be in one unit:
    radii whose spheres are too thin or too dense for halos, centres outside the box or in a corner of it.
    """
    expect(path, (str, Path), "path:", "a catalogue of halos, .hdf5, .h5 or .csv")
    path = Path(path).expanduser()
    if not path.is_file():
        raise OrbitscopeError(f"path: there is no file {path}.")
    if zero_axes not in ("error", "drop"):
        raise OrbitscopeError(f"zero_axes: should be 'error' or 'drop', got {zero_axes!r}.")
    names = columns if isinstance(columns, Columns) else Columns(**dict(columns or {}))
    with reading(path):
        table, said = _hdf5(path) if path.suffix.lower() in (".hdf5", ".h5") else _csv(path)
    length, mass_unit, side = _unit(path, units, h, box, said)
    found = _with_axes(path, _hosts(path, table, names), zero_axes)
    mass, places = found["mass"] * mass_unit, np.stack([found[c] for c in "xyz"], -1) * length
    redshift = float(said.get("redshift", 0.0))
    config = HaloConfig(box=side, redshift=redshift, cosmology=cosmology)
    radius, concentration = found.get("radius"), found.get("concentration")
    radius = None if radius is None else radius * length
    _check_units(path, places, mass, radius, side, config)
    cosmos = Cosmos(config)
    if radius is None or concentration is None:
        what = " and ".join(w for w, v in (("radii", radius), ("concentrations", concentration)) if v is None)
        warnings.warn(f"{path.name}: no {what} in the file; those of colossus for the mass are taken.", CatalogueWarning, stacklevel=2)
        radius = cosmos.radius(mass) if radius is None else radius
        concentration = cosmos.concentration(mass) if concentration is None else concentration
    unknown = ~(np.isfinite(concentration) & (concentration > 0)) & (mass > 0)
    if unknown.any():  # halo finders write infinity where a scale radius was not found
        said = f"{int(unknown.sum())} of {len(mass)} halos have no concentration"
        warnings.warn(f"{path.name}: {said}; that of colossus for the mass is taken.", CatalogueWarning, stacklevel=2)
        concentration = np.where(unknown, cosmos.concentration(np.maximum(mass, mass[unknown].min())), concentration)
    axis = np.stack([found[f"axis_{c}"] for c in "xyz"], -1) if "axis_x" in found else None
    about = {"made": "read_halos", "file": path.name, "units": units or "Mpc/h", "redshift": redshift}
    try:
        return Halos(places, mass, radius, concentration, axis, side, found.get("elongation"), about)
    except OrbitscopeError as error:
        raise OrbitscopeError(f"path: {path}: {error}") from error


def _hosts(path: Path, table: Mapping[str, NDArray[Any]], names: Columns) -> dict[str, Real]:
    """The columns that are known, by our names, of halos that lie in no other."""
    if missing := [name for name in (names.x, names.y, names.z, names.mass) if name not in table]:
        raise OrbitscopeError(
            f"path: {path} has no column {missing[0]!r}. It has: {', '.join(table)}. Say what columns are called: columns=dict(mass='M')."
        )
    keys = [f.name for f in fields(names)]
    found = {key: table[getattr(names, key)].astype(np.float64) for key in keys if getattr(names, key) in table}
    axes = [c for c in "xyz" if f"axis_{c}" in found]
    if 0 < len(axes) < 3:
        raise OrbitscopeError(f"path: {path} has the {', '.join(axes)} component of the long axis alone; it needs x, y and z.")
    if "parent" not in found:
        return found
    kept = found["parent"] == -1
    if not kept.any():
        raise OrbitscopeError(f"path: {path} holds no halo whose {names.parent} is -1, that is none that lies in no other.")
    return {key: values[kept] for key, values in found.items()}


def _with_axes(path: Path, found: dict[str, Real], zero_axes: str) -> dict[str, Real]:
    """The columns without the halos whose long axis has length 0, if these are to be dropped."""
    if "axis_x" not in found:
        warnings.warn(f"{path.name}: no long axes in the file: a catalogue without shapes.", CatalogueWarning, stacklevel=3)
        return found
    gone = np.maximum.reduce([np.abs(found[f"axis_{c}"]) for c in "xyz"]) == 0
    if not gone.any():
        return found
    said = f"{int(gone.sum())} of {len(gone)} halos"
    if zero_axes == "error":
        raise OrbitscopeError(
            f"path: the long axis of {said} of {path} has length 0, first of halo {int(np.flatnonzero(gone)[0])}. Leave them out with "
            "zero_axes='drop', as the published sets do."
        )
    warnings.warn(f"{path.name}: {said} without a long axis are left out.", CatalogueWarning, stacklevel=3)
    return {key: values[~gone] for key, values in found.items()}


def _unit(path: Path, units: str, h: float | None, box: float | None, said: Mapping[str, Any]) -> tuple[float, float, float]:
    """Factors of lengths and masses to Mpc/h and solar masses / h, and the side of the box in Mpc/h."""
    if not units:
        if "Lbox" not in said:
            raise OrbitscopeError(f"units: {path} does not say in which unit its lengths are. Say so: one of {', '.join(UNITS)}.")
        units = "Mpc/h"
    if units not in UNITS:
        raise OrbitscopeError(f"units: should be one of {', '.join(UNITS)}, got {units!r}.")
    if units == "Mpc" and (h is None or not 0.3 < h < 1.5):
        raise OrbitscopeError(f"h: lengths in Mpc need the Hubble constant over 100 km/s/Mpc, such as h=0.678; got {h}.")
    length = {"Mpc/h": 1.0, "kpc/h": 1e-3, "Mpc": h or 1.0}[units]
    side = said.get("Lbox", None) if box is None else box * length
    if side is None or not np.isfinite(float(side)) or float(side) <= 0:
        raise OrbitscopeError(f"box: {path} does not say how wide its periodic box is. Give `box`, in {units}.")
    return length, (h or 1.0) if units == "Mpc" else 1.0, float(side)


def _check_units(path: Path, places: Real, mass: Real, radius: Real | None, side: float, config: HaloConfig) -> None:
    reach = np.ptp(places, axis=0).max() / side
    if len(mass) >= _MANY and reach < _FILLED:
        raise OrbitscopeError(
            f"path: {len(mass)} halos of {path} reach over {reach:.3f} of the box of {side:.4g} Mpc/h alone. Are box and places in one "
            "unit (Mpc against Mpc/h differ by h, about 0.7)?"
        )
    if radius is None:
        return
    with np.errstate(invalid="ignore", divide="ignore"):
        dense = float(np.nanmedian(mass / (4 / 3 * np.pi * radius**3))) / Cosmos(config).mean_density
    if not _DENSITY[0] < dense < _DENSITY[1]:
        raise OrbitscopeError(
            f"path: halos of {path} are {dense:.3g} times as dense as matter is on average, with these masses and radii; virial halos are "
            f"{_DENSITY[0]:g} to {_DENSITY[1]:g} times. Lengths and masses are in other units than `units` says: Mpc/h with solar masses "
            "/ h, Mpc with solar masses."
        )


def _hdf5(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    with h5py.File(path, "r") as file:
        said = {name: _number(path, name, file.attrs[name]) for name in ("Lbox", "redshift") if name in file.attrs}
        table = file.get("data")
        if isinstance(table, h5py.Dataset) and table.dtype.names:
            rows = table[()]
            return {name: np.asarray(rows[name]) for name in table.dtype.names}, said
        return {name: np.asarray(item[()]) for name, item in file.items() if isinstance(item, h5py.Dataset) and item.ndim == 1}, said


def _number(path: Path, name: str, stored: Any) -> float:
    """One number of an attribute, which halotools stores as a number, as text, or three times, for the sides of the box."""
    values = np.unique(np.array([float(v) for v in np.ravel(stored)]))
    if len(values) != 1:
        raise OrbitscopeError(f"path: {name} of {path} is {values.tolist()}; a cube of one side is needed.")
    return float(values[0])


def _csv(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    if path.suffix.lower() != ".csv":
        raise OrbitscopeError(f"path: {path} should end in .hdf5, .h5 or .csv.")
    with path.open(encoding="utf-8") as stream:
        names = [n.strip() for n in stream.readline().lstrip("#").split(",")]
        rows = np.loadtxt(stream, delimiter=",", ndmin=2)
    if rows.shape[1:] != (len(names),) or not len(rows):
        raise OrbitscopeError(f"path: {path} names {len(names)} columns and has rows of {rows.shape[-1] if rows.size else 0} numbers.")
    return dict(zip(names, rows.T, strict=True)), {}


def is_halotools(path: Path) -> bool:
    """Whether an HDF5 file says how wide its box is.

    * `path`: the file.
    """
    if path.suffix.lower() not in (".hdf5", ".h5") or not path.is_file():
        return False
    with reading(path), h5py.File(path, "r") as file:
        return "Lbox" in file.attrs
