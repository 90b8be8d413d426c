"""Plain numpy archives and the TOML file beside them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.data import Trajectories, load, save
from orbitscope.symmetry import Grid, Layout

GRID = "[grid]\nextent = [1.0, 2.0]\nboundary = ['periodic', 'wall']\n"


def test_round_trip(rich: Trajectories, tmp_path: Path) -> None:
    data = rich.replace(provenance={"equation": "none", "parameters": {"a": 1.5}, "say": 'a "word"\n'})
    save(data, tmp_path / "rich.npz")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["rich.npz", "rich.toml"]
    back = load(tmp_path / "rich.npz")
    assert torch.equal(back.tensor(), data.tensor())
    assert (back.layout, back.grid, back.dt, back.provenance) == (data.layout, data.grid, data.dt, data.provenance)
    assert any("all in memory" in n for n in back.notes)
    with pytest.raises(OrbitscopeError, match="exists"):
        save(data, tmp_path / "rich.npz")
    save(data, tmp_path / "rich.npz", force=True, dtype=torch.float64)
    assert load(tmp_path / "rich.npz").tensor().dtype == torch.float64


def test_axes_are_put_in_order(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((3, 4, 6, 5, 2))  # [trajectory, time, y, x, channel]
    np.savez(tmp_path / "a.npz", u=values)
    head = "layout = ['velocity:vector:m/s']\naxes = ['trajectory', 'time', 'y', 'x', 'channel']\ndt = 0.5\n"
    (tmp_path / "a.toml").write_text(head + GRID)
    data = load(tmp_path / "a.npz")
    assert data.shape == (3, 4, 2, 5, 6) and data.layout.fields[0].unit == "m/s" and data.grid.boundary == ("periodic", "wall")
    for k in np.ndindex(3, 4, 6, 5, 2):
        assert data.values[k[0], k[1], k[4], k[3], k[2]] == values[k]


def test_components_in_arrays_of_their_own(tmp_path: Path) -> None:
    u, v = np.arange(24.0).reshape(4, 3, 2), -np.arange(24.0).reshape(4, 3, 2)
    np.savez_compressed(tmp_path / "b.npz", v=v, u=u)
    head = "variable = ['u', 'v']\nlayout = ['velocity:vector']\naxes = ['time', 'x', 'y']\ndt = 1.0\n"
    (tmp_path / "b.toml").write_text(head + GRID)
    assert np.array_equal(load(tmp_path / "b.npz").tensor(), np.stack([u, v], axis=1)[None])


def test_the_caller_can_say_it_all(tmp_path: Path) -> None:
    values = np.ones((1, 2, 1, 4, 4), dtype=np.float32)
    np.savez(tmp_path / "c.npz", q=values)
    data = load(tmp_path / "c.npz", layout=Layout.of("q"), grid=Grid.square(4), dt=0.1)
    assert data.shape == values.shape and data.dt == 0.1


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        (None, "layout, dt, grid"),
        ("layout = ['q']\ndt = 1.0\n", "nothing says the grid"),
        ("layout = ['q']\ndt = 1.0\nunits = 'm'\n" + GRID, "units"),
        ("layout = ['q']\ndt = 1.0\naxes = ['x', 'y']\n" + GRID, "do not fit"),
        ("layout = ['q']\ndt = 1.0\naxes = ['time', 'y', 'y']\n" + GRID, "each once"),
        ("layout = ['q:vector']\ndt = 1.0\n" + GRID, "channels"),
        ("layout = ['q']\ndt = 1.0\nvariable = 'p'\n" + GRID, "'p' is not in"),
        ("layout = \n", "not a TOML file"),
        ("layout = ['q']\ndt = 1.0\n[grid]\nextent = [1.0, 1.0]\n", "boundary"),
    ],
)
def test_mistakes(tmp_path: Path, toml: str | None, words: str) -> None:
    np.savez(tmp_path / "d.npz", q=np.ones((1, 2, 1, 4, 4), dtype=np.float32))
    if toml is not None:
        (tmp_path / "d.toml").write_text(toml)
    with pytest.raises(OrbitscopeError, match=words):
        load(tmp_path / "d.npz")


def test_pickles_and_rubbish_are_refused(tmp_path: Path) -> None:
    options = {"layout": Layout.of("q"), "grid": Grid.square(4), "dt": 0.1}
    np.savez(tmp_path / "e.npz", q=np.array([{"a": 1}, None], dtype=object))
    with pytest.raises(OrbitscopeError, match="never unpickled"):
        load(tmp_path / "e.npz", **options)
    (tmp_path / "f.npz").write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(OrbitscopeError, match="not a plain numpy archive"):
        load(tmp_path / "f.npz", **options)
    with (tmp_path / "h.npz").open("wb") as stream:
        np.save(stream, np.ones(3))
    with pytest.raises(OrbitscopeError, match="not a plain numpy archive"):
        load(tmp_path / "h.npz", **options)
    with pytest.raises(OrbitscopeError, match="there is no file"):
        load(tmp_path / "g.npz")
