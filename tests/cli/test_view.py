"""Picture sheets and animations: what is drawn where, which colours, and the mistakes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from orbitscope.cli import main
from orbitscope.cli._view import movie, sheet
from orbitscope.data import Trajectories, save
from orbitscope.symmetry import Grid, Layout


@pytest.fixture
def gas() -> Trajectories:
    """A positive density with unit that grows along x, and a momentum of both signs, on a 12 x 8 grid."""
    x = torch.linspace(0, 1, 12)[:, None].expand(12, 8)
    momentum = torch.stack([x - 0.25, -2 * x])
    state = torch.cat([(1 + x)[None], momentum])
    values = state.expand(3, 4, 3, 12, 8) * torch.tensor([1.0, 1.1, 1.2, 1.3])[None, :, None, None, None]
    layout = Layout.of("density:scalar:kg/m^3", "momentum:vector")
    return Trajectories(values.contiguous(), layout, Grid((12, 8), (1.5, 1.0), ("periodic", "open")), 0.05, {"scenario": "ramp"})


@pytest.fixture
def file(gas: Trajectories, tmp_path: Path) -> Path:
    return save(gas, tmp_path / "gas.nc")


def test_sheet_shows_x_to_the_right_and_one_scale_per_field(gas: Trajectories) -> None:
    figure = sheet(gas, [0, 2], times=3)
    pictures = [a for a in figure.axes if a.images]
    assert len(pictures) == 3 * 2 * 3  # channels x trajectories x times
    first = pictures[0].images[0]
    shown = np.asarray(first.get_array())
    assert shown.shape == (8, 12) and shown[0, 0] < shown[0, -1] and np.allclose(shown[0], shown[-1])
    assert first.origin == "lower" and list(first.get_extent()) == [0, 1.5, 0, 1.0]
    limits = [a.images[0].get_clim() for a in pictures]
    assert len(set(limits[:6])) == 1 and len(set(limits[6:])) == 1  # the components of the vector share theirs
    assert limits[0] == pytest.approx((1.0, 2 * 1.3)) and limits[6] == pytest.approx((-2.6, 2.6))
    assert pictures[0].images[0].get_cmap().name == "cividis" and pictures[6].images[0].get_cmap().name == "RdBu_r"
    bars = [a.get_ylabel() for a in figure.axes if not a.images]
    assert bars == ["density [kg/m^3]", "momentum"]
    assert [a.get_title() for a in pictures[:3]] == ["t = 0", "t = 0.1", "t = 0.15"]


def test_files_are_written_whole(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, film = tmp_path / "sheet.png", tmp_path / "movie.gif"
    assert main(["view", str(file), "--out", str(out), "--animation", str(film), "--trajectory", "1", "--field", "density"]) == 0
    assert capsys.readouterr().out.split() == [str(out), str(film)]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["gas.nc", "movie.gif", "sheet.png"]
    with Image.open(out) as picture:
        assert min(picture.size) > 150 and len(picture.getcolors(10**6) or []) > 50
    with Image.open(film) as moving:
        assert moving.n_frames == 4  # pyright: ignore[reportAttributeAccessIssue]


def test_animation_plays_at_the_given_speed_and_loops(gas: Trajectories, tmp_path: Path) -> None:
    (tmp_path / "a.gif").write_bytes(movie(gas, [0], fps=10))
    with Image.open(tmp_path / "a.gif") as film:
        assert [f.info["duration"] for f in ImageSequence.Iterator(film)] == [100, 100, 100, 1000] and film.info["loop"] == 0


def test_missing_values_and_a_third_dimension() -> None:
    values = torch.randn(1, 2, 1, 4, 4, 6)
    values[0, 0, 0, 1, 1] = float("nan")
    data = Trajectories(values, Layout.of("p:scalar", ndim=3), Grid.square(4, ndim=3).__class__((4, 4, 6), (1, 1, 1), ("wall",) * 3), 1.0)
    figure = sheet(data, [0], times=2)
    shown = np.ma.masked_invalid(np.asarray(figure.axes[0].images[0].get_array(), dtype=float))
    assert shown.mask.sum() == 1 and np.array_equal(shown.filled(0)[0], values[0, 0, 0, :, 0, 3].numpy().astype(float))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--out", "sheet.png"], "--force"),
        (["--animation", "sheet.gif"], "--force"),
        ([], "--out sheet.png"),
        (["--out", "sheet.bmp"], ".png"),
        (["--animation", "new.mp4"], ".gif"),
        (["--out", "no/new.png"], "folder"),
        (["--out", "new.png", "--trajectory", "3"], "has 3"),
        (["--out", "new.png", "--field", "heat"], "heat"),
        (["--animation", "new.gif", "--fps", "0"], "fps"),
    ],
)
def test_mistakes(file: Path, options: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    for name in ("sheet.png", "sheet.gif"):
        Path(name).touch()
    assert main(["view", "gas.nc", *options]) == 2
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error and not Path("new.png").exists()


def test_missing_file_and_force(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["view", str(tmp_path / "none.nc"), "--out", str(tmp_path / "a.png")]) == 2
    assert "there is no file" in capsys.readouterr().err
    (tmp_path / "a.png").touch()
    assert main(["view", str(file), "--out", str(tmp_path / "a.png"), "--force"]) == 0
    assert (tmp_path / "a.png").stat().st_size > 1000
