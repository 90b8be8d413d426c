"""Copernicus-style currents: a small file made here, with a coast, packing and depth."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from orbitscope import OrbitscopeError
from orbitscope.data import load

EAST, NORTH = np.arange(-30, -28, 0.25, dtype=np.float32), np.arange(40, 41.25, 0.25, dtype=np.float32)


def ocean(path: Path, *, descending: bool = False, packed: bool = False, fill: float = 9.96921e36, deep: bool = True) -> np.ndarray:
    """uo, vo [component, time, level, latitude, longitude] with land in the north-west corner (NaN in what is returned)."""
    values = np.random.default_rng(0).uniform(-1, 1, (2, 3, 2, 5, 8)).astype(np.float32)
    values = np.round(values, 3)
    values[..., -2:, :3] = np.nan
    north, stored = (NORTH[::-1], values[..., ::-1, :]) if descending else (NORTH, values)
    with h5py.File(path, "w") as file:
        file["longitude"], file["latitude"], file["depth"] = EAST, north, np.array([0.494, 9.57], dtype=np.float32)
        file["time"] = np.array([447000, 447024, 447048], dtype=np.int64)
        file["time"].attrs["units"] = "hours since 1950-01-01"
        file["thetao"] = np.zeros((3, 2, 5, 8), dtype=np.float32)
        for name, part in zip(("uo", "vo"), stored, strict=True):
            if packed:
                array = np.where(np.isnan(part), -32767, np.round(np.nan_to_num(part) / 0.001)).astype(np.int16)
                attributes = {"_FillValue": np.int16(-32767), "scale_factor": 0.001, "add_offset": 0.0}
            else:
                array, attributes = np.where(np.isnan(part), np.float32(fill), part), {"_FillValue": np.float32(fill)}
            file[name] = array if deep else array[:, 0]
            file[name].attrs.update(attributes)
    return values


@pytest.mark.parametrize("options", [{}, {"descending": True}, {"packed": True}, {"fill": np.nan}, {"deep": False}])
def test_x_is_east_and_y_is_north(tmp_path: Path, options: dict) -> None:
    values = ocean(tmp_path / "a.nc", **options)
    data = load(tmp_path / "a.nc", land=-9.0)
    assert data.shape == (1, 3, 2, 8, 5) and data.lazy and str(data.layout) == "velocity:vector" and data.dt == 86400
    expected = np.nan_to_num(values[:, :, 0], nan=-9.0)  # [component, time, latitude, longitude]
    read = data.tensor().numpy()
    for c, t, j, i in np.ndindex(2, 3, 5, 8):
        assert read[0, t, c, i, j] == pytest.approx(expected[c, t, j, i], abs=1e-6)
    assert np.array_equal(data.values[0, 1:, 1, 2:5, [4, 0, 2]].numpy(), read[0, 1:, 1, 2:5][..., [4, 0, 2]])
    assert any("6 of 40 cells" in n for n in data.notes) and any("left out: thetao" in n for n in data.notes)


def test_land_is_refused_unless_one_says_what_stands_there(tmp_path: Path) -> None:
    ocean(tmp_path / "a.nc")
    with pytest.raises(OrbitscopeError, match=r"6 of 40 cells.*-30 E, 40.75 N.*box=.*land=0.0"):
        load(tmp_path / "a.nc")


def test_a_box_of_open_sea(tmp_path: Path) -> None:
    values = ocean(tmp_path / "a.nc", descending=True)
    data = load(tmp_path / "a.nc", box=(-29.25, -28, 40, 41), depth=1)
    assert data.shape == (1, 3, 2, 5, 5) and any("land: none" in n for n in data.notes) and any("9.57" in n for n in data.notes)
    assert np.array_equal(data.values[0].numpy(), values[:, :, 1, :, 3:].transpose(1, 0, 3, 2))
    data.check_finite()
    assert data.grid.boundary == ("open", "open")
    # A degree of latitude is 111.2 km; of longitude that times cos(40.5 degrees).
    assert data.grid.extent == pytest.approx((1.25 * 111194.93 * np.cos(np.deg2rad(40.5)), 1.25 * 111194.93), rel=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"box": (0, 10, 40, 41)}, "holds no area"),
        ({"depth": 2, "land": 0.0}, "2 levels"),
        ({"land": 0.0, "layout": "wrong"}, "two currents"),
    ],
)
def test_mistakes(tmp_path: Path, options: dict, words: str) -> None:
    from orbitscope.symmetry import Layout

    ocean(tmp_path / "a.nc")
    options = {**options, **({"layout": Layout.of("a", "b", "c")} if "layout" in options else {})}
    with pytest.raises(OrbitscopeError, match=words):
        load(tmp_path / "a.nc", **options)


def test_a_belt_around_the_earth_is_periodic_in_longitude(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "belt.nc", "w") as file:
        file["lon"], file["lat"], file["time"] = np.arange(0, 360, 30.0), np.array([-1.0, 0.0, 1.0]), np.array([0.0, 0.5])
        file["time"].attrs["units"] = "days since 2000-01-01"
        file["uo"] = file["vo"] = np.ones((2, 3, 12), dtype=np.float32)
    data = load(tmp_path / "belt.nc")
    assert data.grid.boundary == ("periodic", "open") and data.dt == 43200
