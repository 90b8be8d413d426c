"""Isotropy, parity and homogeneity of the pair statistics, through the audit; estimators that lack them are found out."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from orbitscope import OrbitscopeError
from orbitscope.cli import main
from orbitscope.data import Examples, load_examples
from orbitscope.probe import audit
from orbitscope.symmetry import Isometry, dihedral
from orbitscope.systems import load_system, of_file
from orbitscope.systems.galaxies import InBox, StatisticsLaw, catalogue_symmetries

SYSTEM = load_system("galaxies")
BOX = 40.0
FEW = {"box": BOX, "grid": 16, "lightest": 5e11, "galaxies": 250, "logMmin": 11.9}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return SYSTEM.simulate("galaxies.catalogue", tmp_path_factory.mktemp("set") / "catalogues.nc", count=20, seed=1, parameters=FEW)


@pytest.fixture(scope="module")
def examples(file: Path) -> Examples:
    return load_examples(file)


def test_catalogues_say_what_they_are(file: Path, examples: Examples) -> None:
    assert of_file(file) == "galaxies" and [p.shape for p in examples.x] == [(20, 250, 3)] * 2
    assert [p.shape for p in examples.y] == [(20, 20)] * 3 and set(SYSTEM.symmetries(examples)) == {"rotations", "parity", "shifts", "oh"}
    places = examples.x[0]
    assert float(places.min()) >= 0 and float(places.max()) < BOX
    law = SYSTEM.law(examples)
    assert law is not None
    for found, kept in zip(law(*examples.x), examples.y, strict=True):
        torch.testing.assert_close(found, kept, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["rotations", "parity", "shifts", "oh"])
def test_every_statistic_keeps_every_motion_of_the_box(examples: Examples, name: str) -> None:
    symmetry, law = SYSTEM.symmetries(examples)[name], StatisticsLaw(BOX)
    assert len(symmetry.group) == {"rotations": 24, "parity": 2, "shifts": 27, "oh": 48}[name]
    some = tuple(p[:2] for p in examples.x)
    reference = law(*some)
    for g in list(symmetry.group)[:: 1 + len(symmetry.group) // 12]:
        moved = symmetry.input(g, some)
        for found, kept in zip(law(*moved), reference, strict=True):
            torch.testing.assert_close(found, kept, rtol=1e-10, atol=1e-10)


def test_moving_is_an_action_of_the_group() -> None:
    places = torch.rand(3, 20, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * BOX
    symmetry = catalogue_symmetries(BOX)["oh"]
    shift = Isometry(((1, 0, 0), (0, 1, 0), (0, 0, 1)), (0.25, 0.5, 0), name="shift")
    action, rng = InBox(BOX), np.random.default_rng(0)
    for a, b in rng.choice(len(symmetry.group), (12, 2)):
        first, second = list(symmetry.group)[a] @ shift, list(symmetry.group)[b]
        gap = action.squares(action(first @ second, places), action(first, action(second, places)))
        assert gap.shape == (3, 3) and float(gap.max()) < 1e-20
        assert action.error(first, places) < 1e-12
    torch.testing.assert_close(action(symmetry.group.identity, places), places, rtol=1e-12, atol=1e-12)
    for wrong in (dihedral(4)["r"], Isometry(((0.6, -0.8, 0), (0.8, 0.6, 0), (0, 0, 1)))):
        with pytest.raises(OrbitscopeError, match="cube onto itself"):
            action(wrong, places)
    with pytest.raises(OrbitscopeError, match="box"):
        InBox(0.0)


@pytest.mark.parametrize("name", ["rotations", "shifts"])
def test_the_audit_finds_the_statistics_consistent(examples: Examples, name: str) -> None:
    found = audit(examples, SYSTEM.symmetries(examples)[name], law=SYSTEM.law(examples), seed=0)
    assert found.attrs["verdict"] == "consistent" and float(found["residual"].max()) < 1e-10
    assert set(found["verdict"].values) == {"symmetry of the physics and of the file"}
    assert float(found["residual_floor"]) < 1e-10 and float(found["p_value"].min()) > 0.01


class Leaning(StatisticsLaw):
    """Long axes that are seen better along one direction, in eta alone, the smallest of the three."""

    def __call__(self, places: Tensor, axes: Tensor) -> tuple[Tensor, ...]:
        xi, omega, _ = super().__call__(places, axes)
        return xi, omega, super().__call__(places, axes * torch.tensor([1.0, 1.0, 1.2], dtype=axes.dtype))[2]


class Open(StatisticsLaw):
    """A box that is not periodic: pairs across its faces are lost."""

    def __call__(self, places: Tensor, axes: Tensor) -> tuple[Tensor, ...]:
        return tuple(p for p in StatisticsLaw(10 * self.box)(places, axes))


@pytest.mark.parametrize(("kind", "broken", "kept"), [(Leaning, "rotations", "parity"), (Open, "shifts", "oh")])
def test_estimators_that_prefer_a_direction_or_a_place_are_found_out(
    examples: Examples, kind: type[StatisticsLaw], broken: str, kept: str
) -> None:
    wrong = kind(BOX)
    answers = wrong(*(p[:3] for p in examples.x))
    few = Examples(tuple(p[:3] for p in examples.x), answers, name="galaxies.catalogue", about=examples.about)
    known = SYSTEM.symmetries(few)
    found = audit(few, known[broken], law=wrong, seed=0)
    assert float(found["residual"].max()) > 1e-2 and "not a symmetry" in found["verdict"].values
    assert float(audit(few, known[kept], law=wrong, seed=0)["residual"].max()) < 1e-10


def test_the_command_line_audits_catalogues(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "audit.nc"
    assert main(["audit", str(file), "--group", "parity", "rotations", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "consistent" in said and "parity" in said and "rotations" in said and out.is_file()
    assert main(["report", str(out), "--out", str(tmp_path / "audit.html")]) == 0
    capsys.readouterr()
    assert main(["audit", str(file), "--group", "d4x"]) != 0 and "rotations, parity" in capsys.readouterr().err
    assert main(["audit", str(file), "--splits", str(file)]) != 0 and "--splits" in capsys.readouterr().err


def test_catalogues_and_training_sets_have_pictures(file: Path, tmp_path: Path) -> None:
    figure, _ = SYSTEM.view(file, [0, 2])
    figure.savefig(tmp_path / "slice.png", dpi=60)
    assert len(figure.axes) == 2 and (tmp_path / "slice.png").stat().st_size > 5000
    small = {"box": 40.0, "grid": 16, "lightest": 5e11, "realisations": 2, "high": 12.6, "fewest": 30.0}
    points = SYSTEM.simulate("galaxies.hod", tmp_path / "points.nc", count=2, parameters=small)
    figure, _ = SYSTEM.view(points, [])
    figure.savefig(tmp_path / "points.png", dpi=60)
    assert [a.get_title() for a in figure.axes] == ["xi", "omega", "eta"]
    assert SYSTEM.law(load_examples(points)) is None and not SYSTEM.symmetries(load_examples(points))
    with pytest.raises(OrbitscopeError, match="20 examples"):
        SYSTEM.view(file, [20])
    with pytest.raises(OrbitscopeError, match="--fix"):
        SYSTEM.view(file, [], fix=True)


def test_too_few_galaxies_are_told(tmp_path: Path) -> None:
    with pytest.raises(OrbitscopeError, match="fewer than the 100000"):
        SYSTEM.simulate("galaxies.catalogue", tmp_path / "x.nc", count=1, parameters={**FEW, "galaxies": 100000})
