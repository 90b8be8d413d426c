"""Meshes in files: what is read, what is refused with a name, what is mended with --fix."""

import numpy as np
import pytest
import trimesh

from orbitscope import OrbitscopeError
from orbitscope.cli import main
from orbitscope.data import load_examples
from orbitscope.systems.meshes import Mesh, box, faults, hull, load_mesh, mend, random_shape, sphere

CUBE = box((1.0, 2.0, 3.0))


def written(mesh: Mesh, path):
    trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(path)
    return path


def names(mesh: Mesh):
    return [f.name for f in faults(mesh)]


@pytest.mark.parametrize("suffix", ["stl", "obj", "ply", "off", "glb"])
@pytest.mark.parametrize("kind", ["box", "capsule"])
def test_every_format_gives_the_mesh_back(suffix, kind, tmp_path):
    mesh = random_shape(kind, 0, 0, "all")
    found, done = load_mesh(written(mesh, tmp_path / f"m.{suffix}"), unit=None if suffix == "glb" else "m")
    assert not done and len(found) == len(mesh) and found.closed
    assert np.isclose(found.volume, mesh.volume, rtol=1e-5) and np.isclose(found.area, mesh.area, rtol=1e-5)


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1e-3), ("in", 0.0254), ("m", 1.0)])
def test_units_become_metres(unit, factor, tmp_path):
    found, _ = load_mesh(written(CUBE, tmp_path / "c.ply"), unit=unit)
    assert np.allclose(np.ptp(found.vertices, axis=0), np.array([1, 2, 3]) * factor)


def test_a_missing_unit_is_asked_for(tmp_path):
    with pytest.raises(OrbitscopeError, match="does not say its unit"):
        load_mesh(written(CUBE, tmp_path / "c.stl"))
    with pytest.raises(OrbitscopeError, match="unit: should be one of"):
        load_mesh(written(CUBE, tmp_path / "c.stl"), unit="furlong")
    assert len(load_mesh(tmp_path / "c.stl", check=False)[0]) == 12


def bad(kind: str) -> Mesh:
    points, faces = CUBE.vertices, CUBE.faces
    if kind == "winding":
        return Mesh(points, np.concatenate([faces[:3], faces[3:4, ::-1], faces[4:]]))
    if kind == "inverted":
        return Mesh(points, faces[:, ::-1])
    if kind == "open":
        return Mesh(points, faces[1:])
    if kind == "degenerate":
        return Mesh(points, np.concatenate([faces, [[0, 0, 1]]]))
    if kind == "doubled":
        return Mesh(points, np.concatenate([faces, faces[2:3]]))
    fin = np.concatenate([points, [[5.0, 5, 5]]])  # a third face at an edge
    return Mesh(fin, np.concatenate([faces, [[faces[0, 0], faces[0, 1], 8]]]))


@pytest.mark.parametrize("kind", ["winding", "inverted", "open", "degenerate", "doubled"])
def test_a_fault_is_named_and_mended(kind, tmp_path):
    mesh = bad(kind)
    assert kind in names(mesh) and not names(CUBE)
    path = tmp_path / "bad.ply"
    written(mesh, path)
    with pytest.raises(OrbitscopeError, match=rf"{kind}: .*--fix"):
        load_mesh(path, unit="m")
    found, done = load_mesh(path, unit="m", fix=True)
    assert not names(found) and np.isclose(found.volume, 6) and done
    same, nothing = mend(CUBE)
    assert same is CUBE and not nothing


def test_what_cannot_be_mended_is_said(tmp_path):
    path = written(bad("non-manifold"), tmp_path / "fin.ply")
    assert "non-manifold" in names(bad("non-manifold"))
    with pytest.raises(OrbitscopeError, match="more than two faces.*Mend it by hand"):
        load_mesh(path, unit="m")
    with pytest.raises(OrbitscopeError, match="cannot be mended"):
        load_mesh(path, unit="m", fix=True)
    with pytest.raises(OrbitscopeError, match="no face with an area"):
        mend(Mesh(np.zeros((3, 3)), np.array([[0, 1, 2]])))


def test_hostile_files_are_named(tmp_path):
    for name, content in (
        ("a.stl", b""),
        ("b.ply", b"ply\nformat ascii 1.0\nend_header\n"),
        ("c.obj", b"v 0 0 zero\nf 1 2 3\n"),
        ("d.glb", b"xx"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(OrbitscopeError, match=name):
            load_mesh(tmp_path / name, unit="m")
    nan = "v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"
    (tmp_path / "n.obj").write_text(nan)
    with pytest.raises(OrbitscopeError, match=r"n\.obj.*NaN"):
        load_mesh(tmp_path / "n.obj", unit="m")
    with pytest.raises(OrbitscopeError, match="there is no file"):
        load_mesh(tmp_path / "gone.stl", unit="m")
    with pytest.raises(OrbitscopeError, match=r"one of \.stl"):
        load_mesh(tmp_path / "x.step", unit="m")


def test_view_draws_meshes_and_mends_when_asked(tmp_path, capsys):
    path = written(bad("open"), tmp_path / "open.stl")
    assert main(["view", str(path), "--out", str(tmp_path / "a.png")]) == 0
    assert main(["view", str(path), "--out", str(tmp_path / "b.svg"), "--fix"]) == 0
    said = capsys.readouterr()
    assert "holes filled with 1 faces" in said.err and (tmp_path / "a.png").stat().st_size > 5000
    assert "closed" in (tmp_path / "b.svg").read_text() or (tmp_path / "b.svg").stat().st_size > 5000
    for words, told in (
        (["view", str(path), "--out", str(tmp_path / "c.txt")], "a sheet is one of"),
        (["view", str(path), "--out", str(tmp_path / "a.png")], "exists"),
        (["view", str(path), "--out", str(tmp_path / "d.png"), "--fps", "3"], "--fps"),
        (["view", str(path), "--out", str(tmp_path / "d.png"), "--trajectory", "1"], "one mesh"),
    ):
        assert main(words) == 2
        assert told in capsys.readouterr().err


def test_files_become_examples(tmp_path, capsys):
    one, two = written(CUBE, tmp_path / "a.stl"), written(hull(sphere(1).vertices), tmp_path / "b.stl")
    out = tmp_path / "own.nc"
    words = ["simulate", "radar.files", "--trajectories", "4", "--out", str(out), "--initial", f"files={one},{two}"]
    assert main(words) == 2 and "does not say its unit" in capsys.readouterr().err
    # The comma makes a list of two words; numbers are tried first.
    assert main([*words, "unit=mm", "size=1.5"]) == 0
    found = load_examples(out)
    assert len(found) == 4 and found.x[0].shape[1] == 80 and np.isclose(float(found.x[0][0].max() - found.x[0][0].min()), 1.5, rtol=0.5)
    assert main(["view", str(out), "--out", str(tmp_path / "own.png")]) == 0
