"""systems/control/_planning and the verb plan: episodes by name, written and drawn, with and without a group; bad input."""

import numpy as np
import pytest
import xarray as xr

from orbitscope import OrbitscopeError
from orbitscope.cli import main
from orbitscope.report import write_plan
from orbitscope.systems.control import balls, environment, plan_episodes, plan_picture, symmetry_of


@pytest.mark.parametrize(("name", "group", "samples", "bar"), [
    ("ball2d", "d8", 32, 1e-12), ("ball3d", None, 48, 1e-12), ("reacher", "d2", 8, 1e-10), ("point_mass", "none", 8, None),
])  # fmt: skip
def test_decisions_turn_with_the_world_by_name(name, group, samples, bar):
    """The true simulator as the model: its own rounding, times costs over temperature, is all that is left."""
    found = plan_episodes(name, group=group, samples=samples, horizon=3, steps=3)
    assert found.sizes["step"] == 3 and found.sizes["time"] == 4
    error, scale = float(found.decision_error.max()), float(found.decision_scale)
    assert (error < bar if bar else error > 1e-3) and scale > 1e-3
    env = environment(name)  # what is written is what happens
    env.reset(seed=0)
    for step in range(3):
        assert np.abs(env.get_state() - found.state[0, step].values).max() < 1e-12
        assert env.step(found.action[0, step].values)[1] == pytest.approx(float(found.reward[0, step]), abs=1e-12)
    assert plan_picture(found) is not None


def test_the_verb_writes_a_file_and_a_picture(tmp_path, capsys):
    out = tmp_path / "plan.nc"
    words = [
        "plan",
        "ball2d",
        "--planner",
        "mixture",
        "--group",
        "d4",
        "--samples",
        "32",
        "--steps",
        "3",
        "--episodes",
        "2",
        "--out",
        str(out),
    ]
    assert main(words) == 0
    assert "decisions turn with D4" in capsys.readouterr().out
    with xr.open_dataset(out, engine="h5netcdf") as found:
        assert found.attrs["group"] == "D4" and found.sizes["episode"] == 2 and float(found.decision_error.max()) < 1e-12
    assert (tmp_path / "plan.png").read_bytes().startswith(b"\x89PNG")
    assert main(words) == 2 and "exists" in capsys.readouterr().err


def test_the_page_of_plans(tmp_path, capsys):
    """With the group and without, side by side: the page and `info` say which decisions turn; other files are refused."""
    with_group, without, page = tmp_path / "with.nc", tmp_path / "without.nc", tmp_path / "plans.html"
    common = ["plan", "ball2d", "--samples", "32", "--steps", "3", "--horizon", "3"]
    assert main([*common, "--out", str(with_group)]) == 0 and main([*common, "--group", "none", "--out", str(without)]) == 0
    assert main(["report", str(with_group), str(without), "--out", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    body = text[text.index("<main>") : text.index("</main>")]
    assert body.count("<figure") == 5 and "NaN" not in body and "every decision turns with D4, to rounding" in body
    assert "decisions do not turn with D4: they differ by up to" in body and "orbitscope audit ball2d" in body
    assert body.index("Figure 1.") < body.index("Figure 2.") < body.index("Figure 5.")
    capsys.readouterr()
    assert main(["info", str(without)]) == 0 and "decisions turn with D4: largest error" in capsys.readouterr().out
    with xr.open_dataset(without, engine="h5netcdf") as found:
        share = float(found.decision_error.max()) / float(found.decision_scale)
        assert found.component.values[0].startswith("position") and share > 0.01
        world, first = balls("ball2d"), found.state.values[0]
        assert np.array_equal(found.place.values[0, :, 0], first[:, : world.ndim]) and np.array_equal(
            found.target.values[0, 0], first[0, 4:]
        )
    (tmp_path / "folder").mkdir()
    assert main(["report", str(without), str(tmp_path / "folder"), "--out", str(tmp_path / "b.html")]) == 2
    assert "have a page of their own" in capsys.readouterr().err
    with pytest.raises(OrbitscopeError, match="no record of a plan"):
        write_plan([xr.Dataset()], tmp_path / "c.html")


@pytest.mark.parametrize(("words", "kwargs"), [
    ("there is none called", {"name": "ball4d"}), ("`planner` should be", {"planner": "ilqr"}), ("`episodes` should be", {"episodes": 0}),
    ("multiple of 8", {"samples": 12}), ("nothing is declared of r of D8", {"name": "point_mass", "group": "d8"}),
    ("nothing is declared", {"group": "tx4"}), ("is its own future", {"name": "trading"}),
])  # fmt: skip
def test_what_does_not_fit(words, kwargs):
    with pytest.raises(OrbitscopeError, match=words):
        plan_episodes(**{"name": "ball2d", "steps": 1, **kwargs})


def test_the_declared_group_is_taken_where_none_is_said():
    assert plan_episodes("ball2d", steps=1, samples=8, horizon=2).attrs["group"] == symmetry_of("ball2d").group.name == "D4"
