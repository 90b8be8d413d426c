"""Files and datasets with named variables: the conventions as a whole, decoded beside what xarray makes of the same bytes."""

from pathlib import Path
from typing import Any

import h5netcdf
import numpy as np
import pytest
import torch
import xarray as xr

from orbitscope import OrbitscopeError
from orbitscope.cli import main
from orbitscope.data import Trajectories, load

X, Y = np.arange(6) * 10.0, np.arange(4) * 10.0


def dataset(dims=("time", "y", "x"), seed: int = 0, times: int = 3, names=("u", "v", "T"), **sizes: int) -> xr.Dataset:
    """Independent numbers in every variable, coordinates x, y in metres, time in hours."""
    lengths = {"time": times, "y": 4, "x": 6, "member": 2, "level": 3, **sizes}
    random = np.random.default_rng(seed)
    fields = {n: (dims, random.normal(size=[lengths[d] for d in dims])) for n in names}
    found = xr.Dataset(fields, {"x": ("x", X, {"units": "m"}), "y": ("y", Y, {"units": "m"}), "time": np.arange(times) * 6})
    found["time"].attrs["units"] = "hours since 2000-01-01"
    return found


def packed(path: Path, raw: np.ndarray, **attributes: object) -> Path:
    """One variable q(time, y, x) with raw numbers and attributes as they are."""
    with h5netcdf.File(path, "w") as file:
        file.dimensions = dict(zip(("time", "y", "x"), raw.shape, strict=True))
        for name, values in (("time", np.arange(raw.shape[0])), ("y", np.arange(raw.shape[1])), ("x", np.arange(raw.shape[2]))):
            file.create_variable(name, (name,), data=values)
        file.create_variable("q", ("time", "y", "x"), data=raw, fillvalue=attributes.pop("_FillValue", None)).attrs.update(attributes)
    return path


@pytest.mark.parametrize(
    ("dtype", "attributes", "stored", "value"),
    [
        ("i2", {"scale_factor": 1e-3, "add_offset": 5.0}, 2000, 7.0),
        ("i1", {"_Unsigned": "true", "scale_factor": 0.5}, -56, 100.0),
        ("i2", {"scale_factor": "0.01"}, 150, 1.5),
        ("i4", {"scale_factor": np.array([1e-6])}, 1234567, 1.234567),
        ("i2", {"_FillValue": np.int16(-1)}, -1, np.nan),
        ("f4", {"missing_value": 1e20}, 1e20, np.nan),
        ("f4", {"missing_value": np.array([1e20, -999.0])}, -999.0, np.nan),
        ("i2", {"scale_factor": 0.1}, -32767, np.nan),
        ("f8", {}, 9.969209968386869e36, np.nan),
        ("f8", {"valid_range": np.array([-10.0, 10.0])}, 11.0, np.nan),
        ("f4", {"valid_max": np.float32(3.0)}, 4.0, np.nan),
        ("i2", {"scale_factor": 0.1, "valid_min": np.int16(-5)}, -6, np.nan),
        ("i2", {"scale_factor": 0.1, "valid_max": 2.0}, 21, np.nan),
        ("i2", {"scale_factor": 0.1, "valid_max": 2.0}, 19, 1.9),
    ],
)
def test_packing_and_missing_values(tmp_path: Path, dtype: str, attributes: dict, stored: float, value: float) -> None:
    raw = np.ones((2, 3, 4), dtype)
    raw[1, 2, 3] = stored
    data = load(packed(tmp_path / "q.nc", raw, **attributes), fields="q", boundary="open,open")
    assert float(data.values[0, 1, 0, 3, 2]) == pytest.approx(value, rel=1e-6, nan_ok=True)
    raw[0] = raw[1]
    path = packed(tmp_path / "first.nc", raw, **attributes)
    if np.isnan(value):
        with pytest.raises(OrbitscopeError, match="land: 1 of 12 cells"):
            load(path, fields="q")
        assert float(load(path, fields="q", land=-3.0).values[0, 0, 0, 3, 2]) == -3


def test_flags_are_no_field(tmp_path: Path) -> None:
    path = packed(tmp_path / "q.nc", np.ones((2, 3, 4), "i1"), flag_values=np.array([0, 1], "i1"), flag_meanings="land sea")
    with pytest.raises(OrbitscopeError, match="holds flags"):
        load(path, fields="q")


@pytest.mark.parametrize("dims", [("time", "y", "x"), ("x", "time", "y"), ("y", "x", "member", "time"), ("time", "level", "x", "y")])
def test_names_decide_the_order(dims: tuple[str, ...]) -> None:
    found = dataset(dims)
    data = Trajectories.from_xarray(found, fields="velocity=u,v:vector T:scalar:K", **({"depth": 2} if "level" in dims else {}))
    some = found.isel(level=2) if "level" in dims else found
    some = some.expand_dims("member") if "member" not in dims else some
    for c, name in enumerate(("u", "v", "T")):
        assert np.array_equal(data.tensor()[:, :, c].numpy(), some[name].transpose("member", "time", "x", "y").values)
    assert data.grid.extent == (50.0, 30.0) and data.dt == 21600 and str(data.layout) == "velocity:vector, T:scalar"


def test_attributes_beat_names_and_falling_axes_are_turned() -> None:
    found = dataset().rename(x="north", y="east").isel(north=slice(None, None, -1))
    found["north"].attrs.update(axis="Y", units="km")
    found["east"].attrs["standard_name"] = "projection_x_coordinate"
    data = load(found, fields="u")
    assert np.array_equal(
        data.tensor()[0, :, 0].numpy(), found["u"].isel(north=slice(None, None, -1)).transpose("time", "east", "north").values
    )
    assert data.grid.extent == pytest.approx((30.0, 50_000.0))


def test_a_square_with_unknown_names_is_refused_with_the_line_to_use() -> None:
    found = dataset(("time", "y", "x")).drop_vars(["x", "y"]).rename(x="i", y="j").isel(i=slice(4))
    with pytest.raises(OrbitscopeError, match=r'never guessed.*dims="j=y,i=x"'):
        load(found, fields="u")
    data = load(found, fields="u", dims="j=y,i=x", extent=(1, 1), boundary=("periodic", "periodic"))
    assert np.array_equal(data.tensor()[0, :, 0].numpy(), found["u"].transpose("time", "i", "j").values) and data.grid.periodic
    with pytest.raises(OrbitscopeError, match=r"no coordinate along .*extent="):
        load(found, fields="u", dims="j=y,i=x")


def test_the_wizard_lists_what_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = dataset()
    found["u"].attrs.update(units="cm s-1", long_name="zonal current")
    found.to_netcdf(tmp_path / "own.nc", engine="h5netcdf")
    with pytest.raises(OrbitscopeError, match=r'(?s)u \(time, y, x\) \[cm s-1\] zonal.*axes: .*time 3.*fields="velocity=u,v:vector T"'):
        load(tmp_path / "own.nc")
    with pytest.raises(OrbitscopeError, match=r"(?s)'w' is not in .*own.nc.*velocity=u,v:vector"):
        load(tmp_path / "own.nc", fields="velocity=u,w:vector")
    (tmp_path / "own.toml").write_text('[load.fields]\nvelocity = "u,v:vector:m/s"\ntemperature = "T"\n')
    for more in (["--load", "fields=velocity=u,v:vector:m/s temperature=T"], ["--config", str(tmp_path / "own.toml")]):
        assert main(["info", str(tmp_path / "own.nc"), *more]) == 0
        said = capsys.readouterr().out
        assert "u converted from cm s-1 to m/s" in said and "v has no unit" in said and "temperature:scalar" in said
    data = load(tmp_path / "own.nc", fields={"velocity": ["u", "v"]}, layout="velocity:vector:m/s")
    np.testing.assert_allclose(data.tensor()[0, :, 0].numpy(), 0.01 * found["u"].transpose("time", "x", "y"), rtol=1e-12)
    with pytest.raises(OrbitscopeError, match="cannot be converted to 'K'"):
        load(tmp_path / "own.nc", fields="u:scalar:K")


def test_lazy_blocks_are_those_of_the_whole_in_every_order(tmp_path: Path) -> None:
    dataset(("y", "member", "time", "x")).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    data = load(tmp_path / "a.nc", fields="velocity=u,v:vector")
    whole = data.tensor()
    assert data.lazy and torch.equal(data.values[1, [2, 0], 1, 3:, ::2], whole[1, [2, 0], 1, 3:, ::2])
    assert torch.equal(data.values[[1, 0, 1]], whole[[1, 0, 1]])


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        ([0, 6, 12, 24, 30], r"gap: from 2 \(2000-01-01T12:00:00\) to 3"),
        ([0, 6, 6, 12], "repeats a value: 1 and 2"),
        ([0, 6, 3, 9, 12], "runs backwards"),
        ([0, 1, 3, 7], "not uniform"),
        ([0], "one value"),
    ],
)
def test_faults_of_the_time_axis_are_named(hours: list[int], words: str) -> None:
    found = dataset(times=len(hours)).assign_coords(time=("time", np.array(hours), {"units": "hours since 2000-01-01"}))
    with pytest.raises(OrbitscopeError, match=words):
        load(found, fields="u")
    with pytest.raises(OrbitscopeError, match=words):  # decoded by xarray: dates
        load(xr.decode_cf(found), fields="u")
    assert load(found, fields="u", dt=1.0).dt == 1


@pytest.mark.parametrize(
    ("units", "calendar", "dt"), [("days since 2000-02-28", "360_day", 86400.0), ("minutes", "standard", 60.0), ("", "", 1.0)]
)
def test_units_and_calendars_of_time(units: str, calendar: str, dt: float) -> None:
    found = dataset().assign_coords(time=("time", np.arange(3), {"units": units, "calendar": calendar} if units else {}))
    assert load(found, fields="u").dt == dt
    with pytest.raises(OrbitscopeError, match="no fixed time"):
        load(found.assign_coords(time=("time", np.arange(3), {"units": "months since 2000-01-01"})), fields="u")


@pytest.mark.parametrize(
    ("standard", "taken"),
    [
        ("{}_wind", True),
        ("surface_geostrophic_{}_sea_water_velocity", True),
        ("{}_sea_water_velocity", True),
        ("surface_downward_{}_stress", False),
    ],
)
def test_a_pair_that_declares_itself_is_taken(standard: str, taken: bool) -> None:
    found = dataset(names=("a", "b", "T"))
    for name, way in (("a", "eastward"), ("b", "northward")):
        found[name].attrs.update(standard_name=standard.format(way), units="km h-1")
    if taken:
        data = load(found)
        assert data.layout.fields[0].unit == "m/s" and str(data.layout) == "velocity:vector"
        np.testing.assert_allclose(data.tensor()[0, 0, 0].numpy(), found["a"][0].T / 3.6, rtol=1e-12)
    else:
        with pytest.raises(OrbitscopeError, match="nothing says which"):
            load(found)


def test_one_point_of_the_other_axes() -> None:
    found = dataset(("time", "pressure_level", "y", "x"), pressure_level=2).assign_coords(pressure_level=[500, 850])
    data = load(found, fields="u", select={"pressure_level": 850})
    assert np.array_equal(data.tensor()[0, :, 0].numpy(), found["u"].isel(pressure_level=1).transpose("time", "x", "y").values)
    refused: list[tuple[dict[str, Any], str]] = [
        ({"select": "pressure_level=700"}, "which has 500, 850"),
        ({"select": "p=1"}, "is no axis"),
        ({"depth": 2}, "2 levels"),
    ]
    for options, words in refused:
        with pytest.raises(OrbitscopeError, match=words):
            load(found, fields="u", **options)


def test_boxes_cross_the_date_line() -> None:
    lon = np.arange(0, 360, 10.0)
    found = xr.Dataset(
        {"u": (("time", "lat", "lon"), np.broadcast_to(lon, (2, 3, 36)).copy())}, {"time": [0.0, 1.0], "lat": [-1.0, 0.0, 1.0], "lon": lon}
    )
    data = load(found, fields="u", box=(-20, 20, -2, 2))
    assert data.tensor()[0, 0, 0, :, 0].tolist() == [340, 350, 0, 10, 20] and data.grid.boundary == ("open", "open")
    assert load(found, fields="u").grid.boundary == ("periodic", "open")


def test_components_that_the_grid_does_not_follow_are_refused() -> None:
    found = dataset()
    found["u"].attrs["standard_name"], found["x"].attrs["standard_name"] = "eastward_wind", "grid_longitude"
    with pytest.raises(OrbitscopeError, match="points east"):
        load(found, fields="velocity=u,v:vector")
    bent = dataset().drop_vars(["x", "y"]).assign_coords(nav_lat=(("y", "x"), np.add.outer(Y, X)), nav_lon=(("y", "x"), np.add.outer(Y, X)))
    with pytest.raises(OrbitscopeError, match="curvilinear"):
        load(bent, fields="u")


def test_staggered_components_come_to_the_centres() -> None:
    faces = np.arange(7.0)
    found = xr.Dataset(
        {
            "u": (("time", "y", "x_outer"), np.broadcast_to(faces**2, (2, 4, 7)).copy()),
            "v": (("time", "y_outer", "x"), np.broadcast_to(np.arange(5.0)[:, None] * 10, (2, 5, 6)).copy()),
        },
        {"time": [0.0, 1.0], "x": np.arange(6) + 0.5, "y": np.arange(4) + 0.5},
    )
    said: dict[str, Any] = {"dims": "x_outer=x,y_outer=y", "fields": "velocity=u,v:vector"}
    data = load(found, staggered="outer", **said)
    assert data.tensor()[0, 0, 0, :, 0].tolist() == ((faces[1:] ** 2 + faces[:-1] ** 2) / 2).tolist()
    assert data.tensor()[0, 0, 1, 0].tolist() == [5, 15, 25, 35]
    with pytest.raises(OrbitscopeError, match="Say where its points are"):
        load(found, **said)
    nemo = dataset(names=("vozocrtx", "vomecrty"))
    with pytest.raises(OrbitscopeError, match="faces of cells"):
        load(nemo, fields="velocity=vozocrtx,vomecrty:vector")
    right = load(nemo, fields="velocity=vozocrtx,vomecrty:vector", staggered="right")
    u = nemo["vozocrtx"].transpose("time", "x", "y").values
    assert right.shape[3:] == (5, 3) and np.allclose(right.tensor()[0, :, 0].numpy(), ((u[:, 1:] + u[:, :-1]) / 2)[..., 1:])


def test_netcdf3_and_zarr(tmp_path: Path) -> None:
    found = dataset()
    found.to_netcdf(tmp_path / "a.nc", engine="scipy")
    found.to_zarr(tmp_path / "b.zarr", consolidated=False, zarr_format=2)
    for name in ("a.nc", "b.zarr"):
        data = load(tmp_path / name, fields="velocity=u,v:vector T")
        assert torch.equal(data.tensor(), load(found, fields="velocity=u,v:vector T").tensor()) and data.dt == 21600


def test_a_store_whose_codec_unpickles_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    dataset().to_zarr(tmp_path / "b.zarr", consolidated=False, zarr_format=2)
    about = tmp_path / "b.zarr" / "u" / ".zarray"
    about.write_text(about.read_text().replace('"filters": null', '"filters": [{"id": "pickle"}]'))
    with pytest.raises(OrbitscopeError, match="codec 'pickle'"):
        load(tmp_path / "b.zarr", fields="u")


def test_daily_files_are_one_series(tmp_path: Path) -> None:
    whole = dataset(times=6)
    for k in (3, 0, 4, 1, 2, 5):
        whole.isel(time=slice(k, k + 1)).to_netcdf(tmp_path / f"day_{k}.nc", engine="h5netcdf")
    data = load(tmp_path, fields="velocity=u,v:vector T")
    assert data.lazy and torch.equal(data.tensor(), load(whole, fields="velocity=u,v:vector T").tensor()) and data.dt == 21600
    assert torch.equal(data.values[0, [4, 1], 1], data.tensor()[0, [4, 1], 1])
    files = [tmp_path / f"day_{k}.nc" for k in (0, 1, 3, 4, 5)]
    with pytest.raises(OrbitscopeError, match=r"between day_1.nc and day_3.nc the time goes from .*06:00:00 to .*18:00:00"):
        load(files, fields="u")
    whole.isel(time=slice(1, 3)).to_netcdf(tmp_path / "again.nc", engine="h5netcdf")
    with pytest.raises(OrbitscopeError, match="overlap"):
        load(tmp_path, fields="u")
    assert torch.equal(load(tmp_path, fields="u", overlap="first").tensor(), data.tensor()[:, :, :1])
    same = [tmp_path / "day_0.nc", tmp_path / "day_0.nc"]
    assert load(same, fields="u", dt=1.0).trajectories == 2  # members of an ensemble: the same times


def test_an_option_that_the_reader_lacks_is_refused(tmp_path: Path) -> None:
    dataset().to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with pytest.raises(OrbitscopeError, match=r"tracer: the reader 'netcdf' .* takes no such option. It takes: .*fields"):
        load(tmp_path / "a.nc", fields="u", tracer=True)
    with pytest.raises(OrbitscopeError, match="depth: 'deep' does not fit"):
        load(tmp_path / "a.nc", fields="u", depth="deep")
    with pytest.raises(OrbitscopeError, match="'csv' is not known. Choose one of"):
        load(tmp_path / "a.nc", format="csv")


def test_real_files_of_other_programs() -> None:
    """Sea surface temperature and an ocean model, from the package iris-sample-data."""
    folder = Path(pytest.importorskip("iris_sample_data").path)
    path = folder / "ostia_monthly.nc"
    with pytest.raises(OrbitscopeError, match="land: "):
        load(path, fields="temperature=surface_temperature::degC", dt=1.0)
    data = load(path, fields="temperature=surface_temperature::degC", land=0.0, dt=1.0)
    with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as found:
        assert found["surface_temperature"].attrs["units"] == "K"
        expected = (found["surface_temperature"].isel(time=5).transpose("longitude", "latitude") - 273.15).fillna(0.0).values
    np.testing.assert_allclose(data.values[0, 5, 0].numpy(), expected, atol=1e-4)
    with pytest.raises(OrbitscopeError, match="curvilinear"):
        load(sorted((folder / "NEMO").glob("*.nc"))[0], fields="tos", dt=1.0)
