"""Plain zarr stores, described in TOML, read lazily."""

import builtins
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.cli import main
from orbitscope.data import Trajectories, load, save
from orbitscope.symmetry import Grid, Layout

zarr = pytest.importorskip("zarr", minversion="3", reason="the optional package zarr is not installed")


def test_there_and_back(tmp_path: Path, rich: Trajectories) -> None:
    """Values, layout, grid, time step, provenance; also of slices, another process and three dimensions."""
    cube = Trajectories(
        torch.randn(3, 4, 4, 5, 4, 3), Layout.of("velocity:vector:m/s", "p", ndim=3), Grid((5, 4, 3), (1.0, 2.0, 3.0), ("wall",) * 3), 0.1
    ).replace(provenance={"scenario": "cube", "parameters": {"nu": 1e-5}})
    for k, data in enumerate((rich, cube)):
        back = load(save(data, tmp_path / f"{k}.zarr"))
        assert back.lazy and torch.equal(back.tensor(), data.tensor())
        assert (back.layout, back.grid, back.dt, back.provenance) == (data.layout, data.grid, data.dt, data.provenance)
        assert torch.equal(back.values[[2, 0, 2], 1:, -1, 1:3], data.values[[2, 0, 2]][:, 1:, -1, 1:3])
        copy = pickle.loads(pickle.dumps(back.values))
        assert torch.equal(copy[1], data.values[1])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0.toml", "0.zarr", "1.toml", "1.zarr"]


def test_another_order_of_axes_and_several_arrays(tmp_path: Path) -> None:
    u, v = np.random.default_rng(0).normal(size=(2, 4, 3, 6, 5))  # [time, trajectory, y, x], float64
    root = zarr.open_group(str(tmp_path / "a.zarr"), mode="w")
    for name, values in (("u", u), ("v", v), ("w", v)):
        root.create_array(name, shape=values.shape, chunks=(2, 2, 3, 5), dtype="float64")[...] = values
    (tmp_path / "a.toml").write_text(
        'variable = ["u", "v"]\nlayout = ["velocity:vector"]\naxes = ["time", "trajectory", "y", "x"]\ndt = 0.1\n'
        '[grid]\nextent = [1, 2]\nboundary = ["periodic", "wall"]\n'
    )
    data = load(tmp_path / "a.zarr")
    expected = torch.from_numpy(np.stack([u, v], 2).transpose(1, 0, 2, 4, 3).copy())  # [trajectory, time, channel, x, y]
    assert data.shape == (3, 4, 2, 5, 6) and data.grid.boundary == ("periodic", "wall")
    assert torch.equal(data.tensor(), expected) and torch.equal(data.values[1, [3, 0], 1, ::2], expected[1, [3, 0], 1, ::2])
    with pytest.raises(OrbitscopeError, match="holds u, v, w"):
        load(tmp_path / "a.zarr", variable="q")


def test_a_store_that_is_one_array_described_by_the_caller(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(3, 4, 1, 5, 6)).astype(np.float32)
    zarr.create_array(str(tmp_path / "a.zarr"), shape=values.shape, chunks=(1, 4, 1, 5, 6), dtype="float32")[...] = values
    with pytest.raises(OrbitscopeError, match="nothing says the layout, dt, grid"):
        load(tmp_path / "a.zarr")
    data = load(tmp_path / "a.zarr", layout=Layout.of("h"), grid=Grid((5, 6), (1.0, 1.0), ("open", "open")), dt=1.0)
    assert np.array_equal(data.tensor().numpy(), values)


def test_mistakes(tmp_path: Path, flow: Trajectories, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(flow, tmp_path / "a.zarr")
    with pytest.raises(OrbitscopeError, match=r"exists.*--force"):
        save(flow, path)
    assert torch.equal(load(save(flow[:2], path, force=True)).tensor(), flow[:2].tensor())
    bad = flow.tensor().clone()
    bad[1, 2, 0, 3, 3] = float("nan")
    with pytest.raises(OrbitscopeError, match="is nan"):
        save(flow.replace(values=bad), tmp_path / "b.zarr")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.toml", "a.zarr"]
    with pytest.raises(OrbitscopeError, match="no folder"):
        load(tmp_path / "none.zarr")
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(OrbitscopeError, match="not a zarr store"):
        load(tmp_path / "empty.zarr", layout=flow.layout, grid=flow.grid, dt=1.0)
    with pytest.raises(OrbitscopeError, match=r"\.zarr is not written piece by piece"):
        from orbitscope.data import Writer

        Writer(tmp_path / "c.zarr", flow.layout, flow.grid, 0.1, 2, 2)
    real = builtins.__import__

    def without(name: str, *args, **kwargs):
        if name.split(".")[0] == "zarr":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    for call in (lambda: load(path), lambda: save(flow, tmp_path / "d.zarr")):
        with pytest.raises(OrbitscopeError, match=r"pip install 'orbitscope\[zarr\]'"):
            call()


def test_on_the_command_line(tmp_path: Path, flow: Trajectories, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(flow, tmp_path / "a.zarr")
    assert main(["info", str(path), "--check"]) == 0
    said = capsys.readouterr().out
    assert "format: zarr" in said and "7 trajectories intact (no checksums" in said
    assert main(["view", str(path), "--out", str(tmp_path / "a.png")]) == 0
