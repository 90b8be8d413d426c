"""Formats of other people, each written by their writer where a package has one, else by their documentation."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import h5py
import numpy as np
import pytest
import torch
import xarray as xr
from scipy.io import savemat

from orbitscope import OrbitscopeError
from orbitscope.data import Candidate, Reader, Trajectories, load, option, readers, register_reader
from orbitscope.symmetry import Grid, Layout

from ..narrow import dataset

RANDOM = np.random.default_rng(0)
BOX = {"extent": (1.0, 1.0), "boundary": ("periodic", "periodic")}


def check(data: Trajectories, expected: np.ndarray, layout: str) -> None:
    """Values [trajectory, time, channel, *space] and layout; lazily read blocks are those of the whole."""
    whole = data.tensor()
    np.testing.assert_allclose(whole.numpy(), expected, rtol=1e-6)
    assert str(data.layout) == layout
    last = whole.shape[1] - 1
    assert torch.equal(data.values[-1, [last, 0], :, 1:, ...], whole[-1, [last, 0], :, 1:, ...])


def test_matlab_v5_and_v73(tmp_path: Path) -> None:
    u = RANDOM.normal(size=(3, 4, 5, 6))  # trajectory, x, y, time: as size(u) shows it
    savemat(tmp_path / "v5.mat", {"u": u, "a": u[..., 0], "t": np.arange(1, 7) * 0.5})
    with h5py.File(tmp_path / "v73.mat", "w", userblock_size=512) as file:  # save -v7.3: axes reversed, MATLAB_class
        for name, values in (("u", u), ("a", u[..., 0]), ("t", np.arange(1, 7)[None] * 0.5)):
            file.create_dataset(name, data=np.ascontiguousarray(values.T)).attrs["MATLAB_class"] = np.bytes_("double")
    with open(tmp_path / "v73.mat", "r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(116) + b"\0" * 8 + b"\x00\x02IM")
    for name in ("v5.mat", "v73.mat"):
        with pytest.raises(OrbitscopeError, match=r"no names on their axes .*u 3x4x5x6.* axes="):
            load(tmp_path / name)
        data = load(tmp_path / name, fields="vorticity=u:pseudoscalar", axes="trajectory,x,y,time", **BOX)
        check(data, u.transpose(0, 3, 1, 2)[:, :, None], "vorticity:pseudoscalar")
        assert data.dt == 0.5 and data.grid.periodic and data.lazy


def test_npy(tmp_path: Path) -> None:
    values = RANDOM.normal(size=(5, 2, 4, 6)).astype(np.float32)
    np.save(tmp_path / "a.npy", values)
    data = load(tmp_path / "a.npy", layout="velocity:vector", axes="time,channel,y,x", dt=0.1, **BOX)
    check(data, values.swapaxes(-1, -2)[None], "velocity:vector")
    as_it_lies = load(tmp_path / "a.npy", layout="velocity:vector", axes="time,channel,x,y", dt=0.1, **BOX)
    np.testing.assert_array_equal(as_it_lies.tensor()[0], values)
    np.save(tmp_path / "b.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(OrbitscopeError, match="never unpickled"):
        load(tmp_path / "b.npy", layout="a", dt=1, **BOX)


@pytest.mark.parametrize("names", [("tensor",), ("density", "Vx", "pressure"), ("density", "Vx", "Vy", "Vz", "pressure")])
def test_pdebench_in_one_and_three_dimensions(tmp_path: Path, names: tuple[str, ...]) -> None:
    space = (4, 5, 6) if "Vz" in names else (8,)
    held = {n: RANDOM.uniform(size=(2, 3, *space)).astype(np.float32) for n in names}
    with h5py.File(tmp_path / "1D.hdf5", "w") as file:
        file.update(held)
        for axis, n in zip("xyz", space, strict=False):
            file[f"{axis}-coordinate"] = ((np.arange(n) + 0.5) / 8).astype(np.float32)
        file["t-coordinate"] = np.arange(4) * 0.25  # one more than there are states
    if names == ("tensor",):
        with pytest.raises(OrbitscopeError, match='fields="tensor"'):
            load(tmp_path / "1D.hdf5")
    data = load(tmp_path / "1D.hdf5", fields="u=tensor" if names == ("tensor",) else None)
    layout = "u:scalar" if names == ("tensor",) else "density:scalar, velocity:vector, pressure:scalar"
    check(data, np.stack([held[n] for n in names], 2), layout)
    assert data.dt == 0.25 and data.grid.spacing[0] == pytest.approx(1 / 8)


def test_pdebench_in_groups_and_darcy(tmp_path: Path) -> None:
    values = RANDOM.normal(size=(3, 4, 5, 6, 2)).astype(np.float32)  # trajectory, time, x, y, channel
    with h5py.File(tmp_path / "2D_diff-react_NA_NA.h5", "w") as file:
        for k, one in enumerate(values):
            file[f"{k:04d}/data"] = one
            file[f"{k:04d}/grid/x"], file[f"{k:04d}/grid/y"] = np.arange(5) / 5 + 0.1, np.arange(6) / 5 + 0.1
            file[f"{k:04d}/grid/t"] = np.arange(4) * 0.5
    data = load(tmp_path / "2D_diff-react_NA_NA.h5", fields="activator=data:vector")
    check(data, np.moveaxis(values, -1, 2), "activator:vector")
    with h5py.File(tmp_path / "uneven.h5", "w") as file:
        file["0000/data"], file["0001/data"] = values[0], values[1, :3]
    with pytest.raises(OrbitscopeError, match="0001/data has the shape"):
        load(tmp_path / "uneven.h5", fields="activator=data:vector")
    nu, solution = RANDOM.normal(size=(2, 4, 5)).astype(np.float32), RANDOM.normal(size=(2, 1, 4, 5)).astype(np.float32)
    with h5py.File(tmp_path / "2D_DarcyFlow.hdf5", "w") as file:
        file["nu"], file["tensor"], file["x-coordinate"], file["y-coordinate"] = nu, solution, np.arange(4.0), np.arange(5.0)
    check(load(tmp_path / "2D_DarcyFlow.hdf5", fields="nu tensor", dt=1), np.stack([nu[:, None], solution], 2), "nu:scalar, tensor:scalar")


def test_pdearena(tmp_path: Path) -> None:
    held = {n: RANDOM.normal(size=(2, 3, 4, 5)).astype(np.float32) for n in ("vx", "vy", "u")}
    with h5py.File(tmp_path / "NavierStokes2D_train.h5", "w") as file:
        file.create_group("train").update({**held, "t": np.tile(np.arange(3) * 1.5, (2, 1)), "x": np.arange(4.0), "y": np.arange(5.0)})
    data = load(tmp_path / "NavierStokes2D_train.h5")
    check(data, np.stack(list(held.values()), 2), "velocity:vector, smoke:scalar")
    assert data.dt == 1.5


def test_pbdl_and_apebench(tmp_path: Path) -> None:
    values = RANDOM.normal(size=(11, 3, 3, 4, 4)).astype(np.float32)  # trajectory, time, channel, and two axes without names
    with h5py.File(tmp_path / "apebench.hdf5", "w") as file:
        for k, one in enumerate(values):
            file[f"sims/sim{k}"] = one
        file["sims"].attrs.update({"PDE": "Navier-Stokes", "Dt": 0.1, "Fields Scheme": "VVp"})
    with pytest.raises(OrbitscopeError, match="never guessed"):
        load(tmp_path / "apebench.hdf5")
    data = load(tmp_path / "apebench.hdf5", axes="time,channel,y,x", **BOX)
    check(data, values.swapaxes(-1, -2), "V:vector, p:scalar")
    assert data.dt == pytest.approx(0.1) and data.trajectories == 11


def test_dedalus(tmp_path: Path) -> None:
    u, b = RANDOM.normal(size=(3, 2, 8, 4)), RANDOM.normal(size=(3, 8, 4))
    with h5py.File(tmp_path / "snapshots_s1.h5", "w") as file:
        file["scales/sim_time"] = np.arange(3) * 0.25
        file["scales/x_hash_1"], file["scales/z_hash_1"] = np.arange(8) / 8, np.arange(4) / 4
        for name, values, labels in (("u", u, ["t", "", "x", "z"]), ("b", b, ["t", "x", "z"])):
            file[f"tasks/{name}"] = values
            for k, label in enumerate(labels):
                dataset(file, f"tasks/{name}").dims[k].label = label
                scale = {"t": "sim_time", "x": "x_hash_1", "z": "z_hash_1"}.get(label)
                if scale:
                    dataset(file, f"scales/{scale}").make_scale(scale)
                    dataset(file, f"tasks/{name}").dims[k].attach_scale(file[f"scales/{scale}"])
    data = load(tmp_path / "snapshots_s1.h5", fields="velocity=u:vector buoyancy=b", boundary="periodic,wall")
    check(data, np.concatenate([u, b[:, None]], 1)[None], "velocity:vector, buoyancy:scalar")
    assert data.dt == 0.25 and data.grid.boundary == ("periodic", "wall")


def test_vtk_by_meshio(tmp_path: Path) -> None:
    meshio = pytest.importorskip("meshio")
    x, y = np.meshgrid(np.arange(4) * 0.5, np.arange(3) * 0.5, indexing="ij")
    order = RANDOM.permutation(12)
    points = np.stack([x, y, 0 * x], -1).reshape(-1, 3)[order]
    states = RANDOM.normal(size=(3, 12, 3))
    for k, one in enumerate(states):
        mesh = meshio.Mesh(points, [("vertex", np.arange(12)[:, None])], point_data={"U": one[order], "p": one[order, 2]})
        mesh.write(tmp_path / f"flow_{8 + k}.vtu")  # 8, 9, 10: numbers in their order
    data = load(tmp_path, fields="velocity=U:vector p", dt=0.1, boundary="open,open")
    check(data, states.reshape(3, 4, 3, 3).transpose(0, 3, 1, 2)[None], "velocity:vector, p:scalar")
    with pytest.raises(OrbitscopeError, match="hold no time"):
        load(tmp_path, fields="p")


def test_grib_by_eccodes(tmp_path: Path) -> None:
    try:
        import cfgrib  # noqa: F401  # pyright: ignore[reportMissingImports]
    except (ImportError, RuntimeError) as error:  # its library in C may be missing
        pytest.skip(str(error))
    import eccodes  # pyright: ignore[reportMissingImports]

    values = RANDOM.normal(size=(2, 3, 16)).astype(np.float64)
    with (tmp_path / "a.grib2").open("wb") as stream:
        for hour, one in enumerate(values):
            message = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
            for key, value in {
                "Ni": 16, "Nj": 3, "latitudeOfFirstGridPointInDegrees": 10, "latitudeOfLastGridPointInDegrees": 6,
                "longitudeOfFirstGridPointInDegrees": 0, "longitudeOfLastGridPointInDegrees": 30, "iDirectionIncrementInDegrees": 2,
                "jDirectionIncrementInDegrees": 2, "dataDate": 20200101, "dataTime": 600 * hour, "shortName": "2t", "bitsPerValue": 24,
            }.items():  # fmt: skip
                eccodes.codes_set(message, key, value)
            eccodes.codes_set_values(message, one.reshape(-1))
            eccodes.codes_write(message, stream)
            eccodes.codes_release(message)
    data = load(tmp_path / "a.grib2", fields="temperature=t2m")
    np.testing.assert_allclose(data.tensor()[0, :, 0].numpy(), values[:, ::-1].swapaxes(1, 2), atol=1e-4)
    assert data.dt == 6 * 3600 and data.layout.fields[0].unit == "K"


def test_a_reader_of_your_own(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Csv(Reader):
        """One state per line."""

        points: int = option(4, "points per axis")
        name: ClassVar[str] = "csv-of-mine"
        title: ClassVar[str] = "comma-separated states"

        @classmethod
        def recognises(cls, found: Candidate) -> bool:
            return found.suffix == ".csv"

        def read(self, path: Path) -> Trajectories:
            values = np.loadtxt(path, delimiter=",").reshape(1, -1, 1, self.points, self.points)
            return Trajectories(torch.from_numpy(values), self.layout or Layout.of("q"), Grid.square(self.points), self.dt or 1.0)

    np.savetxt(tmp_path / "a.csv", RANDOM.normal(size=(3, 16)), delimiter=",")
    assert load(tmp_path / "a.csv", format=Csv(points=4, dt=0.5)).dt == 0.5
    assert load(tmp_path / "a.csv", format=Csv, points=2).shape == (1, 12, 1, 2, 2)
    with pytest.raises(OrbitscopeError, match="handed over with its options"):
        load(tmp_path / "a.csv", format=Csv(), dt=1)
    with pytest.raises(OrbitscopeError, match="none of the formats that are read: MATLAB"):
        load(tmp_path / "a.csv")
    register_reader(Csv)
    try:
        assert load(tmp_path / "a.csv", extent=(2, 2)).grid.extent == (2.0, 2.0) and "csv-of-mine" in readers()
        with pytest.raises(OrbitscopeError, match="takes no such option. It takes: .*points"):
            load(tmp_path / "a.csv", depth=1)
    finally:
        from orbitscope.data import _reader

        del _reader._KNOWN["csv-of-mine"]


def test_every_reader_has_a_title_and_words_for_its_options() -> None:
    for name, reader in readers().items():
        assert reader.name == name and reader.title and all(reader.options().values())
        assert {"layout", "grid", "dt", "extent", "boundary"} <= set(reader.options())


def test_xarray_is_read_as_the_file(tmp_path: Path) -> None:
    found = xr.Dataset({"q": (("time", "x"), RANDOM.normal(size=(3, 5)))}, {"time": [0.0, 1.0, 2.0], "x": np.arange(5.0)})
    check(Trajectories.from_xarray(found, fields="q"), found["q"].values[None, :, None], "q:scalar")
