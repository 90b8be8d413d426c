"""Values of every kind where others belong: a message and exit code 2, never a traceback."""

from pathlib import Path

import pytest
import torch

from orbitscope import Grid, Layout, OrbitscopeError, Trajectories, parse_group, save
from orbitscope.cli import main
from orbitscope.data import Shard
from orbitscope.probe import memory_bytes
from orbitscope.symmetry import dihedral, product, representation, times, translations


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small file."""
    data = Trajectories(torch.randn(3, 3, 2, 8, 8), Layout.of("velocity:vector"), Grid.square(8), 0.1)
    return save(data, tmp_path_factory.mktemp("values") / "flow.nc")


TABLES = [
    ("info", "path = 5"), ("info", "path = [1.0, 1.0]"), ("info", "path = 'FLOW'\nload = 'dt=0.1'"), ("info", "path = 'FLOW'\ncheck = 1"),
    ("info", "path = 'FLOW'\n[load]\ndt = [[1]]"), ("info", "path = 1979-05-27T07:32:00Z"), ("info", "path = 'FLOW'\nload = [1.0]"),
    ("simulate", "scenario = 'navier-stokes.gauss'\nout = ['a', 'b']"), ("simulate", "scenario = -1e308\nout = 'o.nc'"),
    ("simulate", "SIMULATE\ndevice = '../../x'"), ("simulate", "SIMULATE\nframes = 'x'"),
    ("simulate", "SIMULATE\nt-end = nan"), ("simulate", "SIMULATE\nt-end = '<script>'"),
    ("simulate", "SIMULATE\nequation = true"), ("simulate", "SIMULATE\nkeep = '<script>'"),
    ("simulate", "SIMULATE\nresolution = [0, 0]"),
    ("simulate", "SIMULATE\nseed = 99999999999999999999"),
    ("audit", "data = 'FLOW'\ngroup = [-1, 1]"), ("audit", "data = 'FLOW'\nsplits = [[]]"), ("audit", "data = 'FLOW'\nsamples = ['x']"),
    ("train", "data = 'FLOW'\nout = 'r'\nclip = ['x']"), ("train", "data = 'FLOW'\nout = 'r'\nseed = inf"),
    ("view", "data = 'FLOW'\nanimation = [-1, 1]"), ("view", "data = 'FLOW'\nout = 'a.png'\nfps = inf"),
    ("report", "probes = 'x'\ntitle = [1, 2]"), ("report", "probes = [1]"),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "table"), TABLES, ids=lambda words: words.replace("\n", " ")[:50])
def test_a_toml_value_of_another_type(
    flow: Path, tmp_path: Path, verb: str, table: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.toml").write_text(table.replace("FLOW", str(flow)).replace("SIMULATE", "scenario = 'navier-stokes.gauss'\nout = 'o.nc'"))
    assert main([verb, "--config", "c.toml"]) == 2
    assert "error" in capsys.readouterr().err and [p.name for p in tmp_path.iterdir()] == ["c.toml"]


def test_words_of_the_command_line(flow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    heat = ["simulate", "navier-stokes.gauss", "--out", "o.nc"]
    lines = [
        ["info", str(flow), "--load", "extent=a,b"], ["info", str(flow), "--load", "boundary=1,2"], ["info", "x" * 300 + ".nc"],
        ["info", str(flow), "--load", "layout=velocity:vector*99999999"], [*heat, "--equation", "p=" + "-" * 100_000 + "1"],
        [*heat, "--equation", "p=" + "(" * 5000], [*heat, "--t-end", "inf"],
        [*heat, "--shard", "1/" + "9" * 5000], [*heat, "--t-end", "nan"],
        [*heat, "--equation", "viscosity=1e999"], ["audit", str(flow), "--group", "d99999999"], ["info", str(flow), "--load", "box=1"],
    ]  # fmt: skip
    for line in lines:
        assert main(line) == 2, line
    assert not list(tmp_path.iterdir())


def test_limits_of_groups_layouts_and_sizes() -> None:
    for words in ("d99999999", "so2/100000000", "tx99999*ty99999", "tx200*ty200", "so3/99999999", "se3@nan", "so9999", "b9999", "(" * 400,
                  "d4*" * 900 + "d4", "9" * 5000, "o(9999,9999)", "d4096 x d4096", "boosts999", "scalings@inf,1,1"):  # fmt: skip
        with pytest.raises(OrbitscopeError):
            parse_group(words)
    with pytest.raises(OrbitscopeError, match="16,384"):
        dihedral(10_000)
    for make in (lambda: product(translations(200, 0), translations(200, 1)), lambda: times(dihedral(200), dihedral(200))):
        with pytest.raises(OrbitscopeError, match="more than 16,384"):
            make()
    for name in ("vector*99999999", "standard(99999999)", "(" * 500 + "vector" + ")" * 500):
        with pytest.raises(OrbitscopeError):
            representation(name)
    for extent in (float("nan"), float("inf"), -1.0, "x", None):
        with pytest.raises(OrbitscopeError):
            Grid((8, 8), (extent, 1.0), ("periodic", "periodic"))  # pyright: ignore[reportArgumentType]
    with pytest.raises(OrbitscopeError, match="channels"):
        Layout.of(*(f"q{k}:vector*16000" for k in range(3)))
    for text in ("9" * 400, "0", "inf"):
        with pytest.raises(OrbitscopeError):
            memory_bytes(text)
    with pytest.raises(OrbitscopeError, match="shard"):
        Shard.parse("1/" + "9" * 5000)


def test_a_finished_simulation_is_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["simulate", "navier-stokes.gauss", "--trajectories", "2", "--resolution", "8", "--frames", "3", "--out", str(tmp_path / "o.nc")]
    assert main(line) == 0
    made = (tmp_path / "o.nc").stat()
    assert main(line) == 0 and "is there already" in capsys.readouterr().err and (tmp_path / "o.nc").stat() == made
    assert main([*line, "--seed", "1"]) == 2 and "exists" in capsys.readouterr().err
