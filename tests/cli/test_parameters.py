"""Parameters of laws and solvers, kept fields and load options on the command line, and what a file remembers of them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError, load
from orbitscope.cli import main
from orbitscope.cli._words import parse_words, to_words
from orbitscope.data import repair_file
from orbitscope.physics import Scenario, scenario, scenarios, simulate
from orbitscope.physics import _simulate as registry
from orbitscope.physics._heat import Heat
from orbitscope.symmetry import Grid, Layout

SIZE = ["--trajectories", "3", "--resolution", "12", "--frames", "3", "--t-end", "0.02", "--seed", "3"]
CHANGED = ["--initial", "p=3", "amplitude=0.05", "density=0.2,0.9", "--equation", "cfl=0.3", "gamma=2"]


def damage(path: Path, trajectory: int) -> None:
    """Flip bits in the first chunk of a trajectory of the only large dataset, past HDF5."""
    import h5py

    with h5py.File(path) as file:
        found: list[h5py.Dataset] = []
        file.visititems(lambda _, item: found.append(item) if isinstance(item, h5py.Dataset) and item.ndim > 3 else None)
        place = found[0].id.get_chunk_info_by_coord((trajectory,) + (0,) * (found[0].ndim - 1)).byte_offset
    with path.open("rb+") as stream:
        stream.seek(place + 100)
        seven = stream.read(7)
        stream.seek(place + 100)
        stream.write(bytes(255 - b for b in seven))


def mended(path: Path, trajectory: int = 1) -> bool:
    before = path.read_bytes()
    damage(path, trajectory)
    assert path.read_bytes() != before
    return repair_file(path) == [trajectory] and path.read_bytes() == before


def test_parameters_reach_the_solver_the_file_and_the_repair(tmp_path: Path) -> None:
    path = tmp_path / "a.nc"
    assert main(["simulate", "CE-CRP", *SIZE, *CHANGED, "--out", str(path)]) == 0
    plan = scenario("CE-CRP", p=3, amplitude=0.05, density=(0.2, 0.9))
    law = plan.equation(cfl=0.3, gamma=2.0)
    options = {"trajectories": 3, "resolution": 12, "frames": 3, "t_end": 0.02, "seed": 3}
    expected = torch.cat([v for _, v in simulate(plan, equation=law, **options)])
    data = load(path)
    # The gas is stored as velocity and pressure: momentum comes back within rounding, density and energy exactly.
    assert torch.equal(data.select(["density", "energy"]).tensor(), expected[:, :, [0, 3]])
    assert torch.allclose(data.tensor(), expected, rtol=1e-5, atol=1e-6)
    plain = torch.cat([v for _, v in simulate("CE-CRP", **options)])
    assert (plain - expected).abs().max() > 0.1
    said = data.provenance
    assert said["initial_parameters"]["p"] == 3 and said["initial_parameters"]["density"] == [0.2, 0.9]
    assert said["parameters"]["cfl"] == 0.3 and said["parameters"]["gamma"] == 2.0 and said["resolution"] == 12
    assert mended(path)


def test_a_toml_file_says_the_same_as_the_flags(tmp_path: Path) -> None:
    settings = tmp_path / "s.toml"
    settings.write_text(
        f'scenario = "CE-CRP"\nout = "{tmp_path / "b.nc"}"\ntrajectories = 3\nresolution = 12\nframes = 3\nt_end = 0.02\nseed = 3\n'
        "[initial]\np = 3\namplitude = 0.05\ndensity = [0.2, 0.9]\n[equation]\ncfl = 0.3\ngamma = 2\n"
    )
    assert main(["simulate", "CE-CRP", *SIZE, *CHANGED, "--out", str(tmp_path / "a.nc")]) == 0
    assert main(["simulate", "--config", str(settings), "CE-CRP"]) == 0
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--initial", "q=3"], "--initial: q is no parameter .* Known, with the defaults: p=2"),
        (["--initial", "p=2.5"], "--initial p: expected a whole number"),
        (["--initial", "p"], "--initial: expected name=value"),
        (["--initial", "p=1", "p=2"], "p is given twice"),
        (["--equation", "viscosity=1"], "--equation: viscosity is no parameter .* gamma=1.4"),
        (["--equation", "gamma=high"], "--equation gamma: expected a number"),
        (["--keep", "wind"], "--keep: euler.curved has no field wind. Known: density, momentum, energy"),
    ],
)
def test_mistakes_name_the_flag_and_what_is_known(
    tmp_path: Path, options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import re

    assert main(["simulate", "CE-CRP", *SIZE, *options, "--out", str(tmp_path / "a.nc")]) == 2
    assert re.search(words, capsys.readouterr().err) and not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".nc", ".h5"])
def test_some_fields_are_kept(tmp_path: Path, suffix: str) -> None:
    whole, part = tmp_path / f"whole{suffix}", tmp_path / f"part{suffix}"
    for path, keep in ((whole, []), (part, ["--keep", "energy", "density"])):
        assert main(["simulate", "CE-RP", *SIZE, *keep, "--out", str(path)]) == 0
    a, b = load(whole).select(["energy", "density"]), load(part)
    assert torch.equal(a.tensor(), b.tensor()) and a.layout == b.layout
    assert a.provenance == b.provenance and b.provenance["kept_fields"] == ["energy", "density"]
    assert mended(part, 2)


class Oblong(Heat):
    """Heat on a box of 2 x 1 (for these tests)."""

    name = ""

    def grid(self, resolution: int) -> Grid:
        """Resolution counts the cells of the short side, which is the second axis."""
        return Grid((2 * resolution, resolution), (2.0, 1.0), ("periodic", "periodic"))

    def _evolve(self, state: torch.Tensor, dt: float) -> torch.Tensor:
        return state * (1 - dt)


class Cube(Oblong):
    """Decay in a cube (for these tests)."""

    layout = Layout.of("temperature:scalar", "velocity:vector", ndim=3)

    def grid(self, resolution: int) -> Grid:
        """A cube."""
        return Grid.square(resolution, ndim=3)


@pytest.fixture
def boxes(monkeypatch: pytest.MonkeyPatch):
    """Two scenarios that exist for one test only."""

    def initial(grid: Grid, seed: int, index: int, dtype: torch.dtype, *, scale: float = 1.0) -> torch.Tensor:
        random = np.random.default_rng((seed, index))
        channels = 1 if grid.ndim == 2 else 4
        return torch.from_numpy(scale * random.normal(size=(channels, *grid.shape))).to(dtype)

    new = {c.__name__.lower(): Scenario(c.__name__.lower(), c, initial, "a box") for c in (Oblong, Cube)}
    monkeypatch.setattr(registry, "_SCENARIOS", {**registry._SCENARIOS, **new})


@pytest.mark.parametrize("suffix", [".nc", ".h5"])
@pytest.mark.parametrize("name", ["oblong", "cube"])
def test_boxes_that_are_not_squares(tmp_path: Path, name: str, suffix: str, boxes: None, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"a{suffix}"
    assert main(["simulate", name, *SIZE, "--initial", "scale=2", "--resolution", "6", "--out", str(path)]) == 0
    data = load(path)
    assert data.grid.shape == ((12, 6) if name == "oblong" else (6, 6, 6)) and data.provenance["resolution"] == 6
    # Damage of a kind that a checksum finds, where the chunk of a small box may start past 100 bytes.
    assert mended(path)
    capsys.readouterr()
    assert main(["info", str(path), "--check"]) == 0 and "3 trajectories intact" in capsys.readouterr().out
    assert main(["view", str(path), "--out", str(tmp_path / "a.png"), "--animation", str(tmp_path / "a.gif")]) == 0


def test_an_old_file_without_its_resolution_is_mended(tmp_path: Path, boxes: None) -> None:
    import json

    import h5py

    path = tmp_path / "a.nc"
    assert main(["simulate", "oblong", *SIZE, "--out", str(path)]) == 0
    with h5py.File(path, "r+") as file:
        said = json.loads(str(file.attrs["orbitscope_provenance"]))
        del said["resolution"]
        file.attrs["orbitscope_provenance"] = json.dumps(said)
        del file.attrs["orbitscope_description_checksum"]  # which files of that age did not have
    before = load(path).tensor()
    damage(path, 1)
    assert repair_file(path) == [1] and torch.equal(load(path).tensor(), before)


def test_every_scenario_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios"]) == 0
    said = capsys.readouterr().out
    for plan in scenarios().values():
        assert f"{plan.name}" in said and plan.notes in said
        assert all(f"{k}=" in said for k in (*plan.initial_parameters, *plan.equation().parameters))
    assert main(["scenarios", "ce-crp"]) == 0
    said = capsys.readouterr().out
    assert "p=2" in said and "not published" in said and "navier" not in said
    assert main(["scenarios", "x"]) == 2


def test_words_of_a_table_are_words_of_the_flag() -> None:
    table = {"p": 3, "nu": 1e-3, "box": [-30, -28, 40.5, 41], "tracer": True, "limiter": "mc", "none": None}
    assert parse_words(to_words(table), "--x") == {**table, "box": (-30, -28, 40.5, 41)}


@pytest.fixture
def sea(tmp_path: Path) -> Path:
    """The ocean file of the format's own tests, without packing: land in one corner, two depths."""
    from importlib import util

    spec = util.spec_from_file_location("ocean_of_the_data_tests", Path(__file__).parent.parent / "data" / "test_ocean.py")
    assert spec is not None and spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.ocean(tmp_path / "sea.nc")
    return tmp_path / "sea.nc"


def test_an_ocean_file_on_the_command_line(sea: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(sea)]) == 2 and "land" in capsys.readouterr().err
    box = ["--load", "box=-29.25,-28,40,41", "depth=1"]
    assert main(["info", str(sea), *box]) == 0
    said = capsys.readouterr().out
    assert "5 x 5" in said and "9.57" in said and "land: none" in said
    assert main(["info", str(sea), "--load", "land=0"]) == 0 and "6 of 40 cells" in capsys.readouterr().out
    assert main(["view", str(sea), *box, "--out", str(tmp_path / "sea.png")]) == 0 and (tmp_path / "sea.png").stat().st_size > 10_000
    (tmp_path / "sea.toml").write_text("[load]\nbox = [-29.25, -28, 40, 41]\ndepth = 1\n")
    assert main(["view", str(sea), "--config", str(tmp_path / "sea.toml"), "--out", str(tmp_path / "b.png")]) == 0
    assert main(["audit", str(sea), *box, "--group", "c2"]) in (0, 1)
    for wrong, words in ((["dept=1"], "dept: the reader 'netcdf'"), (["box=1,2"], "west,east"), (["depth=7"], "2 levels")):
        capsys.readouterr()
        assert main(["info", str(sea), "--load", *wrong]) == 2 and words in " ".join(capsys.readouterr().err.split())


def test_boxes_and_layouts_are_declared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import h5py

    with h5py.File(tmp_path / "a.nc", "w") as file:
        file["solution"] = np.ones((2, 3, 4, 8, 8), dtype=np.float32)
    words = ["--load", "variable=solution", "layout=density,velocity:vector,pressure", "extent=1,2", "boundary=periodic,wall", "dt=0.1"]
    assert main(["info", str(tmp_path / "a.nc"), *words]) == 0
    said = capsys.readouterr().out
    assert "extent 1 x 2" in said and "velocity:vector" in said and "dt 0.1" in said and "declared by the caller" in said
    assert main(["info", str(tmp_path / "a.nc"), *words[:-2], "boundary=periodic,open,wall"]) == 2


def test_options_are_plain_python_as_well(tmp_path: Path) -> None:
    with pytest.raises(OrbitscopeError, match="expected name=value"):
        parse_words(["=3"], "--load")
