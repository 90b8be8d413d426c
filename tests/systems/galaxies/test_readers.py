"""Halos from files: the same ones come back; units, shapes and axes that are wrong are told."""

import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest

from orbitscope import OrbitscopeError
from orbitscope.systems.galaxies import CatalogueWarning, Columns, HaloConfig, Halos, make_halos, populate, read_halos, save_halos

H = 0.6777


@pytest.fixture(scope="module")
def halos() -> Halos:
    return make_halos(0, HaloConfig(box=40.0, grid=16, lightest=5e11))


def table(halos: Halos) -> dict[str, np.ndarray]:
    assert halos.axis is not None and halos.elongation is not None
    columns = {
        "halo_x": halos.positions[:, 0], "halo_y": halos.positions[:, 1], "halo_z": halos.positions[:, 2], "halo_mvir": halos.mass,
        "halo_rvir": halos.radius, "halo_nfw_conc": halos.concentration, "halo_axisA_x": 40 * halos.axis[:, 0],
        "halo_axisA_y": 40 * halos.axis[:, 1], "halo_axisA_z": 40 * halos.axis[:, 2], "halo_c_to_a": halos.elongation,
    }  # fmt: skip
    return {name: values.copy() for name, values in columns.items()}  # the tests write into them


def csv(path: Path, columns: dict[str, np.ndarray]) -> Path:
    np.savetxt(path, np.stack(list(columns.values()), -1), delimiter=",", header=",".join(columns), comments="", fmt="%.17g")
    return path


def same(a: Halos, b: Halos, tolerance: float = 1e-12) -> None:
    assert a.axis is not None and b.axis is not None and a.elongation is not None and b.elongation is not None
    assert a.box == pytest.approx(b.box)
    for name in ("positions", "mass", "radius", "concentration", "axis", "elongation"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=tolerance, atol=tolerance)


def test_halos_come_back_from_every_kind_of_file(halos: Halos, tmp_path: Path) -> None:
    same(read_halos(save_halos(halos, tmp_path / "own.hdf5")), halos)
    same(read_halos(csv(tmp_path / "own.csv", table(halos)), units="Mpc/h", box=40.0), halos)
    with h5py.File(tmp_path / "arrays.h5", "w") as file:
        for name, values in table(halos).items():
            file[name] = values
    same(read_halos(tmp_path / "arrays.h5", units="Mpc/h", box=40.0), halos)


def test_halos_come_back_from_a_file_that_halotools_can_read(halos: Halos, tmp_path: Path) -> None:
    from astropy.table import Table

    path = save_halos(halos, tmp_path / "own.hdf5")
    found = Table.read(path, path="data")
    np.testing.assert_array_equal(found["halo_mvir"], halos.mass)


def test_a_file_as_halotools_stores_it_is_read(halos: Halos, tmp_path: Path) -> None:
    from astropy.table import Table

    path = tmp_path / "cached.hdf5"
    Table(table(halos)).write(path, path="data")
    with h5py.File(path, "a") as file:  # three sides, and the redshift as bytes
        file.attrs.create("Lbox", np.full(3, 40.0))
        file.attrs.create("redshift", np.bytes_("0.0000"))
    same(read_halos(path), halos)
    with h5py.File(path, "a") as file:
        file.attrs["Lbox"] = np.array([40.0, 40.0, 80.0])
    with pytest.raises(OrbitscopeError, match="cube"):
        read_halos(path)


def test_units_are_converted_and_named_columns_found(halos: Halos, tmp_path: Path) -> None:
    columns = table(halos)
    for name in ("halo_x", "halo_y", "halo_z", "halo_rvir", "halo_mvir"):
        columns[name] = columns[name] / H  # Mpc and solar masses
    columns["M"] = columns.pop("halo_mvir")
    path = csv(tmp_path / "mpc.csv", columns)
    same(read_halos(path, units="Mpc", box=40.0 / H, h=H, columns={"mass": "M"}), halos)
    same(read_halos(path, units="Mpc", box=40.0 / H, h=H, columns=Columns(mass="M")), halos)
    with pytest.raises(OrbitscopeError, match="no column 'halo_mvir'.*M"):
        read_halos(path, units="Mpc", box=40.0 / H, h=H)
    with pytest.raises(OrbitscopeError, match="Hubble"):
        read_halos(path, units="Mpc", box=40.0 / H, columns={"mass": "M"})


def test_subhalos_are_left_out(halos: Halos, tmp_path: Path) -> None:
    columns = {**table(halos), "halo_upid": np.where(np.arange(len(halos)) % 3 == 0, -1.0, 7.0)}
    found = read_halos(csv(tmp_path / "all.csv", columns), units="Mpc/h", box=40.0)
    np.testing.assert_allclose(found.mass, halos.mass[::3])
    columns["halo_upid"][:] = 7.0
    with pytest.raises(OrbitscopeError, match="halo_upid"):
        read_halos(csv(tmp_path / "subs.csv", columns), units="Mpc/h", box=40.0)


@pytest.mark.parametrize("part", ["box", "radius", "places", "kpc"])
def test_mixed_units_are_told(halos: Halos, tmp_path: Path, part: str) -> None:
    columns, box = table(halos), 40.0
    if part == "box":
        box = box / H
    elif part == "radius":
        columns["halo_rvir"] = columns["halo_rvir"] / H  # Mpc beside Mpc/h
    elif part == "kpc":
        columns["halo_rvir"] = columns["halo_rvir"] * 1000
    else:
        for c in "xyz":
            columns[f"halo_{c}"] = columns[f"halo_{c}"] / H
    with pytest.raises(OrbitscopeError, match="unit"):
        read_halos(csv(tmp_path / "mixed.csv", columns), units="Mpc/h", box=box)


def test_a_unit_that_nobody_says_is_not_guessed(halos: Halos, tmp_path: Path) -> None:
    path = csv(tmp_path / "own.csv", table(halos))
    for units, box, words in (("", 40.0, "does not say in which unit"), ("Mpc/h", None, "how wide"), ("pc", 40.0, "one of")):
        with pytest.raises(OrbitscopeError, match=words):
            read_halos(path, units=units, box=box)


def test_axes_of_length_zero_are_told_or_dropped(halos: Halos, tmp_path: Path) -> None:
    columns = table(halos)
    for c in "xyz":
        columns[f"halo_axisA_{c}"][5:9] = 0.0
    path = csv(tmp_path / "zero.csv", columns)
    with pytest.raises(OrbitscopeError, match="4 of .* first of halo 5.*drop"):
        read_halos(path, units="Mpc/h", box=40.0)
    with pytest.warns(CatalogueWarning, match="4 of"):
        found = read_halos(path, units="Mpc/h", box=40.0, zero_axes="drop")
    assert len(found) == len(halos) - 4


def test_what_is_missing_is_told(halos: Halos, tmp_path: Path) -> None:
    columns = {name: values for name, values in table(halos).items() if "axisA" not in name}
    with pytest.warns(CatalogueWarning, match="without shapes"):
        bare = read_halos(csv(tmp_path / "round.csv", columns), units="Mpc/h", box=40.0)
    with pytest.raises(OrbitscopeError, match="no shapes"):
        populate(bare, [0, 0, 12, 0.3, 12, 13, 1])
    columns = {name: values for name, values in table(halos).items() if name not in ("halo_rvir", "halo_nfw_conc")}
    with pytest.warns(CatalogueWarning, match="no radii and concentrations"):
        filled = read_halos(csv(tmp_path / "thin.csv", columns), units="Mpc/h", box=40.0)
    np.testing.assert_allclose(filled.radius, halos.radius, rtol=1e-6)
    columns = {name: values for name, values in table(halos).items() if name != "halo_axisA_y"}
    with pytest.raises(OrbitscopeError, match="x, z component"):
        read_halos(csv(tmp_path / "flat.csv", columns), units="Mpc/h", box=40.0)


def test_single_halos_without_a_concentration_take_that_of_their_mass(halos: Halos, tmp_path: Path) -> None:
    columns = table(halos)
    columns["halo_nfw_conc"][2:4] = [np.inf, np.nan]
    columns["halo_nfw_conc"][9] = 0.0
    with pytest.warns(CatalogueWarning, match="3 of .* no concentration"):
        found = read_halos(csv(tmp_path / "some.csv", columns), units="Mpc/h", box=40.0)
    known = np.isin(np.arange(len(halos)), [2, 3, 9], invert=True)
    np.testing.assert_allclose(found.concentration[known], halos.concentration[known])
    assert (np.abs(np.log(found.concentration[~known] / np.median(halos.concentration))) < 1).all()


def test_damaged_and_wrong_files_are_told(halos: Halos, tmp_path: Path) -> None:
    (tmp_path / "noise.hdf5").write_bytes(b"no hdf5")
    (tmp_path / "short.csv").write_text("halo_x,halo_y\n1,2,3\n")
    (tmp_path / "empty.csv").write_text("halo_x,halo_y\n")
    (tmp_path / "letters.csv").write_text("halo_x,halo_y\n1,b\n")
    (tmp_path / "halos.dat").write_text("1 2 3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's, of an empty file
        for name in ("noise.hdf5", "short.csv", "empty.csv", "letters.csv", "halos.dat", "missing.csv"):
            with pytest.raises(OrbitscopeError, match=name):
                read_halos(tmp_path / name, units="Mpc/h", box=40.0)
    columns = table(halos)
    columns["halo_mvir"][3] = -1.0
    with pytest.raises(OrbitscopeError, match="mass"):
        read_halos(csv(tmp_path / "negative.csv", columns), units="Mpc/h", box=40.0)
    with pytest.raises(OrbitscopeError, match="exists"):
        save_halos(halos, save_halos(halos, tmp_path / "own.h5"))
    with pytest.raises(OrbitscopeError, match="end in"):
        save_halos(halos, tmp_path / "own.fits")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mass": np.array([1e12, 0.0])}, "mass"),
        ({"radius": np.ones(3)}, "radius"),
        ({"axis": np.zeros((2, 3))}, "length 0"),
        ({"elongation": np.array([0.5, 1.2])}, "elongation"),
        ({"positions": np.array([[1.0, 2, 3], [1, 2, 900]])}, "outside the box"),
        ({"positions": np.array([[1.0, 2, 3], [1, 2, np.nan]])}, "finite"),
        ({"box": 0.0}, "box"),
    ],
)
def test_catalogues_that_make_no_sense_are_refused(change: dict, words: str) -> None:
    good = {
        "positions": np.array([[1.0, 2, 3], [1, 2, 9]]), "mass": np.full(2, 1e12), "radius": np.ones(2), "concentration": np.ones(2),
        "axis": np.ones((2, 3)), "box": 10.0,
    }  # fmt: skip
    assert len(Halos(**good).take(np.array([True, False]))) == 1
    with pytest.raises(OrbitscopeError, match=words):
        Halos(**{**good, **change})
