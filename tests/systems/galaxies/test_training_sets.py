"""Training sets: the published design, shards that go on after an interruption, several processes, a catalogue of one's own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError, executor
from orbitscope.cli import main
from orbitscope.data import load_examples
from orbitscope.systems import load_system, of_scenario
from orbitscope.systems.galaxies import (
    PARAMETERS,
    PARTS,
    Design,
    HaloConfig,
    Halos,
    edges,
    expected_galaxies,
    make_halos,
    parameters,
    present,
    save_halos,
    values_and_known,
)  # fmt: skip
from orbitscope.systems.galaxies import _shards as shards
from orbitscope.systems.galaxies._design import LINES, SPREAD

SMALL: dict[str, Any] = {"box": 40.0, "grid": 16, "lightest": 5e11, "realisations": 2, "high": 12.6, "fewest": 30.0}
SYSTEM = load_system("galaxies")


@pytest.fixture(scope="module")
def halos() -> Halos:
    return make_halos(0, HaloConfig(box=40.0, grid=16, lightest=5e11))


def test_the_scenario_belongs_to_galaxies() -> None:
    assert of_scenario("galaxies.hod") == "galaxies" and set(SYSTEM.scenarios) == {"galaxies.hod", "galaxies.catalogue"}


def test_points_lie_in_the_published_bands_and_fill_them(halos: Halos) -> None:
    design = Design(11.0, 13.0, 2.0)
    points = np.array([design.point(7, i, halos, "published")[0] for i in range(400)])
    assert points.shape == (400, len(PARAMETERS)) and (points[:, 3] > 0).all()
    for column, (slope, intercept, scatter) in zip((3, 4, 5, 6), LINES.values(), strict=True):
        gap = (points[:, column] - slope * points[:, 2] - intercept) / (SPREAD * scatter)
        assert (np.abs(gap) <= 1).all() and (gap.max() > 0.95) and (column == 3 or gap.min() < -0.95)
    assert np.abs(points[:, :2]).max() <= 1 and np.abs(points[:, :2].mean(0)).max() < 0.15
    assert np.abs(np.sort(points[:, 2]) - np.linspace(11, 13, 400)).max() < 0.02  # evenly, more so than random numbers
    again = Design(11.0, 13.0, 2.0).point(7, 5, halos, "published")[0]
    assert np.array_equal(again, points[5]) and not np.array_equal(design.point(8, 5, halos, "published")[0], points[5])


def test_points_are_drawn_again_by_rules_that_have_names(halos: Halos) -> None:
    design, refused = Design(11.0, 15.0, 200.0), {}
    for i in range(60):
        theta, why = design.point(0, i, halos, "published")
        assert expected_galaxies(halos, theta) >= 200 and not design.fault(theta, halos, "published")
        refused |= why
    assert set(refused) == {"sigma_logM should be above 0", "fewer than 200 galaxies are expected"}
    with pytest.raises(OrbitscopeError, match="were refused"):
        Design(14.5, 15.0, 1e7).point(0, 0, halos, "published")
    for wrong in ({"low": 13.0, "high": 12.0}, {"fewest": 0.0}):
        with pytest.raises(OrbitscopeError, match="design"):
            Design(**wrong)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return SYSTEM.simulate("galaxies.hod", tmp_path_factory.mktemp("set") / "whole.nc", count=9, seed=4, parameters=SMALL)


def test_a_training_set_says_what_it_is(whole: Path, halos: Halos) -> None:
    found = load_examples(whole)
    x, (values, known) = found.x, values_and_known(found.y)
    assert isinstance(x, torch.Tensor) and x.shape == (18, 7) and values.shape == (18, 3, 20) and x.dtype == torch.float64
    assert found.unit.tolist() == [i // 2 for i in range(18)] and found.slot.tolist() == [0, 1] * 9
    assert torch.equal(x[::2], x[1::2]) and len(found.about["galaxies"]) == 18
    assert found.about["edges"] == edges().tolist() and found.about["box"] == 40.0 and found.about["occupation"] == "published"
    assert found.about["design"]["parameters"] == list(PARAMETERS) and found.about["scenario"] == "galaxies.hod"
    assert np.array_equal(known.numpy(), present(values.numpy())) and torch.isfinite(values).all()
    mean = [expected_galaxies(halos, parameters(row), "published") for row in x.numpy()]
    assert (np.abs(np.array(found.about["galaxies"]) - mean) < 6 * np.sqrt(mean)).all() and min(mean) >= 30
    assert not whole.with_name("whole.nc.parts").exists()
    assert isinstance(found.y, tuple) and found.y[2].shape == (18, 5, 20) and found.about["parts"] == list(PARTS)
    assert sum(found.about["masses"]["count"]) == len(halos)


def test_bins_without_pairs_are_marked(tmp_path: Path) -> None:
    few = {**SMALL, "low": 13.2, "high": 13.8, "fewest": 5.0}
    found = load_examples(SYSTEM.simulate("galaxies.hod", tmp_path / "few.nc", count=2, parameters=few))
    values, known = values_and_known(found.y)
    assert not known.all() and known[:, 0].all() and (values[~known] == 0).all()
    assert torch.equal(values[:, 0] == -1, ~known[:, 1]) and torch.equal(known[:, 1], known[:, 2])


def test_an_interrupted_set_goes_on_where_it_was(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, made, rows = tmp_path / "cut.nc", [], shards.point_rows

    def interrupted(halos: Any, design: Any, seed: int, index: int, given: Any) -> Any:
        if index == 5:
            raise KeyboardInterrupt
        made.append(index)
        return rows(halos, design, seed, index, given)

    monkeypatch.setattr(shards, "point_rows", interrupted)
    with pytest.raises(KeyboardInterrupt):
        SYSTEM.simulate("galaxies.hod", out, count=9, seed=4, parameters=SMALL)
    assert not out.exists() and made == [0, 1, 2, 3, 4]
    monkeypatch.setattr(shards, "point_rows", lambda h, d, s, i, g: (made.append(i), rows(h, d, s, i, g))[1])
    with pytest.raises(OrbitscopeError, match="other settings"):
        SYSTEM.simulate("galaxies.hod", out, count=9, seed=5, parameters=SMALL)
    seen = []
    SYSTEM.simulate("galaxies.hod", out, count=9, seed=4, parameters=SMALL, progress=lambda *said: seen.append(said))
    assert made == [0, 1, 2, 3, 4, 4, 5, 6, 7, 8] and seen[-1] == ("galaxies.hod", 9, 9)
    assert_alike(out, whole)


def assert_alike(one: Path, two: Path) -> None:
    a, b = load_examples(one), load_examples(two)
    assert isinstance(a.x, torch.Tensor) and isinstance(b.x, torch.Tensor) and torch.equal(a.x, b.x)
    assert all(torch.equal(p, q) for p, q in zip(a.y, b.y, strict=True)) and a.about == b.about
    assert np.array_equal(a.unit, b.unit) and np.array_equal(a.slot, b.slot)


def test_several_processes_make_the_same_set(whole: Path, tmp_path: Path) -> None:
    with executor(2) as pool:
        assert_alike(SYSTEM.simulate("galaxies.hod", tmp_path / "two.nc", count=9, seed=4, parameters=SMALL, executor=pool), whole)
        with pytest.raises(OrbitscopeError, match="one process"):
            SYSTEM.simulate("galaxies.catalogue", tmp_path / "one.nc", count=1, executor=pool)


def test_the_command_line_shares_the_parts_of_scenarios_that_have_some(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "set.nc"
    small = [f"{name}={value}" for name, value in {**SMALL, "realisations": 1}.items()]
    assert main(["simulate", "galaxies.hod", "--trajectories", "1", "--out", str(out), "--initial", *small]) == 0
    assert str(out) in capsys.readouterr().out and len(load_examples(out)) == 1
    wrong = ["simulate", "galaxies.catalogue", "--workers", "2", "--out", str(tmp_path / "x.nc")]
    assert main(wrong) != 0 and "one process" in capsys.readouterr().err


def test_parts_of_other_settings_give_way_to_force(tmp_path: Path) -> None:
    folder = tmp_path / "set.nc.parts"
    folder.mkdir()
    (folder / "settings.json").write_text("{}")
    few = {**SMALL, "realisations": 1}
    SYSTEM.simulate("galaxies.hod", tmp_path / "set.nc", count=1, parameters=few, force=True)
    assert not folder.exists() and len(load_examples(tmp_path / "set.nc")) == 1


def test_a_catalogue_of_one_s_own_gives_the_same_mocks(halos: Halos, whole: Path, tmp_path: Path) -> None:
    path = save_halos(halos, tmp_path / "own.hdf5")
    out = SYSTEM.simulate("galaxies.hod", tmp_path / "own.nc", count=2, seed=4, parameters={**SMALL, "catalogue": str(path)})
    own, made = load_examples(out), load_examples(whole)
    assert torch.allclose(values_and_known(own.y)[0], values_and_known(made.y)[0][:4], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"occupation": "zheng"}, "occupation"),
        ({"satellites": "isothermal"}, "satellites"),
        ({"realisations": 0}, "realisations"),
        ({"catalogue": "missing.hdf5"}, "missing.hdf5"),
        ({"low": 14.0}, "low < high"),
        ({"colour": 1}, "no parameter 'colour'"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(tmp_path: Path, change: dict, words: str) -> None:
    with pytest.raises(OrbitscopeError, match=words):
        SYSTEM.simulate("galaxies.hod", tmp_path / "x.nc", count=1, parameters={**SMALL, **change})
    assert not list(tmp_path.iterdir())
