"""Examples on disk: what is written comes back, and a file that holds none says which array is wrong."""

import numpy as np
import pytest
import torch
import xarray as xr

from orbitscope import Examples, OrbitscopeError, load_examples, save_examples

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((6, 3, 2)), RNG.standard_normal((6, 1)).astype(np.float32)


def made() -> Examples:
    return Examples(X, Y, unit=[0, 0, 1, 1, 2, 2], slot=[0, 1] * 3, name="pairs", about={"from": "a test", "mass": 2.5})


@pytest.mark.parametrize("suffix", ["npz", "nc"])
def test_what_is_written_comes_back(tmp_path, suffix):
    path = save_examples(made(), tmp_path / f"pairs.{suffix}")
    back = load_examples(path)
    assert torch.equal(back.x, torch.from_numpy(X)) and torch.equal(back.y, torch.from_numpy(Y))
    assert back.unit.tolist() == [0, 0, 1, 1, 2, 2] and back.slot.tolist() == [0, 1] * 3
    assert back.name == "pairs" and back.about == {"from": "a test", "mass": 2.5}
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    with pytest.raises(OrbitscopeError, match="exists"):
        save_examples(made(), path)
    save_examples(made().take([0, 1]), path, force=True)
    assert len(load_examples(path)) == 2


@pytest.mark.parametrize("suffix", ["npz", "nc"])
def test_parts_classes_and_booleans(tmp_path, suffix):
    poses = Examples((torch.from_numpy(X), torch.ones(6, 4)), torch.tensor([0, 1, 2, 0, 1, 2]))
    back = load_examples(save_examples(poses, tmp_path / f"poses.{suffix}"))
    assert isinstance(back.x, tuple) and [tuple(p.shape) for p in back.x] == [(6, 3, 2), (6, 4)]
    assert back.y.dtype == torch.int64 and back.unit.tolist() == list(range(6))
    flags = Examples(X, torch.tensor([True, False] * 3))
    assert load_examples(save_examples(flags, tmp_path / f"flags.{suffix}")).y.tolist() == [1, 0] * 3


def test_a_file_of_somebody_else(tmp_path):
    np.savez(tmp_path / "a.npz", x=X[:, 0].astype(">f4"), y=np.arange(6, dtype=np.uint8))
    back = load_examples(tmp_path / "a.npz")
    assert back.x.dtype == torch.float32 and back.y.dtype == torch.int64 and back.name == "a"
    data = xr.Dataset({"x": (("event", "component"), X[:, 0]), "y": ("event", Y[:, 0])}, coords={"event": np.arange(6)})
    data.to_netcdf(tmp_path / "b.nc", engine="h5netcdf")
    assert torch.equal(load_examples(tmp_path / "b.nc").x, torch.from_numpy(X[:, 0]))


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = save_examples(made(), tmp_path / "pairs.npz")
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OrbitscopeError, match="No space left"):
        save_examples(made(), path, force=True)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": X}, "gives no y"),
        ({"y": Y}, "gives no x"),
        ({"x": X, "y": Y, "units": np.arange(6)}, "'units' has no meaning"),
        ({"x": X, "y": Y[:5]}, "one length"),
        ({"x": X, "y": np.full_like(Y, np.nan)}, "part 0 of `y` holds NaN"),
        ({"x": X, "y": Y, "unit": np.arange(5)}, "`unit` should be 6 whole numbers"),
        ({"x": X, "y": np.array(["a"] * 6)}, "'y' of .* has dtype <U1"),
        ({"x": X, "y": np.array([object()] * 6)}, "'y' of .* holds Python objects"),
        ({"x": X, "y": np.float64(1.0)}, "'y' of .* is a single number"),
        ({"x_0": X, "x_2": X, "y": Y}, "gives no x"),
        ({"x": X, "x_0": X, "y": Y}, "gives no x"),
        ({"x": X * 1j, "y": Y}, "complex128"),
        ({}, "nothing"),
    ],
)
def test_mistakes_name_the_file_and_the_array(tmp_path, arrays, said):
    np.savez(tmp_path / "wrong.npz", **arrays)
    with pytest.raises(OrbitscopeError, match=said) as caught:
        load_examples(tmp_path / "wrong.npz")
    assert "wrong.npz" in str(caught.value)


def test_files_that_are_none(tmp_path):
    whole = {s: save_examples(made(), tmp_path / f"whole.{s}").read_bytes() for s in ("npz", "nc")}
    for suffix, content in whole.items():
        for cut in (0, 10, len(content) // 2):
            (tmp_path / f"cut.{suffix}").write_bytes(content[:cut])
            with pytest.raises(OrbitscopeError, match=f"cut.{suffix}"):
                load_examples(tmp_path / f"cut.{suffix}")
    for name, said in (("no.npz", "there is no file"), ("pairs.csv", "should end in .npz"), (".", "should end in .npz")):
        with pytest.raises(OrbitscopeError, match=said):
            load_examples(tmp_path / name)
    xr.Dataset({"u": (("x", "y"), np.zeros((4, 4)))}, coords={"x": np.arange(4.0)}).to_netcdf(tmp_path / "field.nc", engine="h5netcdf")
    with pytest.raises(OrbitscopeError, match="'x' is the coordinate of an axis"):
        load_examples(tmp_path / "field.nc")
    with pytest.raises(OrbitscopeError, match="should be Examples"):
        save_examples((X, Y), tmp_path / "pairs.npz")  # pyright: ignore[reportArgumentType]
