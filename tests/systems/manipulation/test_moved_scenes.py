"""The audit of the simulator: it holds where the physics does, and finds what was broken on purpose."""

import numpy as np
import pytest

from orbitscope import OrbitscopeError
from orbitscope.cli import main
from orbitscope.probe import open_results
from orbitscope.symmetry import Rigid
from orbitscope.systems.manipulation import (
    Scene,
    audit_sliding,
    audit_task,
    demonstrate,
    difference,
    moved,
    scene_elements,
    task,
)
from orbitscope.systems.manipulation._poses import about, pose


@pytest.mark.parametrize("name", ["lift", "button", "drawer"])
def test_the_simulator_commutes_with_motions_of_the_scene(name):
    found = audit_task(task(name), (0,))
    assert set(found.table.verdict.values) == {"holds"} and float(found.table.gap.max()) < 1e-5
    assert float(found.table.away.min()) > 0.05 and name in str(found)


@pytest.mark.parametrize("name,bound", [("stack", 1e-5), ("peg", 5e-3)])
def test_the_script_is_equivariant_too(name, bound):
    """The script run anew in a moved scene does what the moved script would; rods between pads lose digits, blocks do not."""
    g = scene_elements()[-1]
    one, other = demonstrate(Scene(task(name)), 4), demonstrate(Scene(task(name), frame=g), 4)
    assert other.success and len(one) == len(other)
    assert np.abs(moved(one, g).actions[:8] - other.actions[:8]).max() < bound and difference(one, other, g) < bound


def test_pyramidal_cones_break_turns_and_elliptic_ones_do_not():
    round_, square = audit_sliding("elliptic", (30, 45, 90)), audit_sliding("pyramidal", (30, 45, 90))
    assert set(round_.table.verdict.values) == {"holds"} and float(round_.table.gap.max()) < 1e-6
    assert float(square.table.gap[:2].min()) > 2e-3 and float(square.table.gap[2].max()) < 1e-6
    assert list(square.table.verdict.values[:2]) == ["broken", "broken"]
    # A block slides v^2 / 2 mu g.
    assert float(round_.table.away[0]) == pytest.approx(0.7**2 / (2 * 9.81), rel=0.1)


def test_the_command_line_audits_the_simulator(tmp_path, capsys, monkeypatch):
    out = tmp_path / "lift.nc"
    assert main(["audit", "manipulation.lift", "--samples", "16", "--seed", "3", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "manipulation.lift: holds." in said and "turn and shift" in said
    table = open_results(out)["audit"].to_dataset()
    wanted = audit_task(task("lift"), (3,)).table
    assert np.array_equal(table.gap.values, wanted.gap.values[:, 0]) and table.attrs["episodes"] == 1
    assert main(["audit", "manipulation.lfit"]) == 2 and "manipulation.lift" in capsys.readouterr().err
    assert main(["audit", "manipulation.lift", "--law", "euler"]) == 2 and "--law has no meaning" in capsys.readouterr().err
    assert main(["audit", "mechanics.pendulum"]) == 2 and "cannot be moved" in capsys.readouterr().err
    act, drift = Scene.act, 0.05 * np.eye(7)[0]  # a controller that drifts along an axis of the world
    monkeypatch.setattr(Scene, "act", lambda self, action: act(self, np.asarray(action, float) + drift))
    assert main(["audit", "manipulation.reach", "--samples", "16"]) == 1
    said = capsys.readouterr().out
    assert "manipulation.reach: broken." in said and "shift x" in said


def test_a_wind_is_found():
    scene = Scene(task("lift"))
    scene.model.opt.gravity[:] = (0.5, 0, -9.81)
    base = demonstrate(scene, 0)
    turn = pose(np.zeros(3), about(2, 1.0))
    windy = Scene(task("lift"), frame=turn)
    windy.model.opt.gravity[:] = (0.5, 0, -9.81)
    still = difference(demonstrate(Scene(task("lift")), 0), demonstrate(Scene(task("lift"), frame=turn), 0), turn)
    assert difference(base, demonstrate(windy, 0), turn) > 1e3 * still


def test_moving_twice_is_moving_once():
    episode = demonstrate(Scene(task("reach")), 0)
    a, b = scene_elements()[3], scene_elements()[-1]
    once, twice = moved(episode, a @ b), moved(moved(episode, b), a)
    assert np.abs(once.hand - twice.hand).max() < 1e-12 and np.abs(once.actions - twice.actions).max() < 1e-12
    assert difference(episode, once, a @ b) < 1e-12


def test_what_the_audit_refuses():
    with pytest.raises(OrbitscopeError, match="at least one"):
        audit_task(task("lift"), ())
    with pytest.raises(OrbitscopeError, match="turn about the vertical"):
        audit_task(task("reach"), (0,), elements=(Rigid(about(1, 0.5)),))
    with pytest.raises(OrbitscopeError, match="`task` should be a Task"):
        audit_task("lift")  # pyright: ignore[reportArgumentType]
