"""Audits of environments: the table is exact, wrong declarations are named and mended, breakings are measured."""

import functools
from typing import Any

import gymnasium
import numpy as np
import pytest
import xarray as xr
from gymnasium.spaces import Box

from orbitscope import FieldAction, OrbitscopeError
from orbitscope.cli import main
from orbitscope.probe import open_results
from orbitscope.report import write_environment
from orbitscope.systems.control import (
    AUDIT_KIND,
    BREAKINGS,
    Broken,
    EnvSymmetry,
    audit_environment,
    environment,
    environments,
    epsilons,
    symmetry_of,
)

SMALL: dict[str, Any] = {"episodes": 16, "length": 2, "horizon": 20}


class Drift(gymnasium.Env):
    """Two numbers with known steps, so that every epsilon is known in closed form."""

    def __init__(self, push=0.0, bonus=0.0, chance=0.0):
        self.observation_space, self.action_space = Box(-np.inf, np.inf, (2,), np.float64), Box(-1, 1, (1,), np.float32)
        self.push, self.bonus, self.chance, self.x = push, bonus, chance, np.zeros(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x = self.np_random.normal(size=2)
        return self.x.copy(), {}

    def get_state(self):
        return self.x.copy()

    def set_state(self, state):
        self.x = np.array(state)
        return self.x.copy()

    def step(self, action):
        reward = float(np.exp(-(self.x[0] ** 2)) + self.bonus * (self.x[0] > 0))
        rng = self.np_random.normal() if self.chance else 0.0
        self.x = np.array([0.9 * self.x[0] + float(action[0]) + self.push + self.chance * rng, 0.5 * self.x[1]])
        return self.x.copy(), reward, False, False, {}


MIRROR = EnvSymmetry("d1", ("x:pseudoscalar", "y"), "push:pseudoscalar", ("x:pseudoscalar", "y"))


def test_epsilons_are_those_of_the_formula():
    table = audit_environment(Drift(push=0.05, bonus=0.3), MIRROR, repair=False)
    row = table.sel(element="s")
    rewards, steps = epsilons(table)
    assert rewards == pytest.approx(0.3, abs=1e-12)
    # (gs)' - g s' = (2 push, 0), over the size of x among the visited states, in a mean over two fields.
    sizes = np.sqrt(np.mean([s**2 for s in xs(0.05)]))
    assert steps == pytest.approx(2 * 0.05 / sizes / np.sqrt(2), rel=1e-9)
    assert str(row["verdict"].values) == "not a symmetry"  # of such a reward
    assert audit_environment(Drift(push=0.05), MIRROR).attrs["verdict"] == "approximate"
    assert epsilons(audit_environment(Drift(), MIRROR)) == (0.0, 0.0)


def xs(push):
    from orbitscope.systems.control._pairs import visited

    return visited(Drift(push=push, bonus=0.3), 64, 4, 0).state[:, 0]


@pytest.mark.parametrize(
    "name", [n for n in environments() if isinstance(symmetry_of(n).observation, FieldAction)]
)  # pictures: test_pixels
def test_every_entry_of_the_table_is_exact(name):
    if not hasattr(environment(name), "get_state"):
        pytest.skip("no environment of the suite")
    table = audit_environment(environment(name), symmetry_of(name), **SMALL)
    assert table.attrs["verdict"] == "exact", table.attrs["explanation"]
    assert max(epsilons(table)) <= 1e-9 and float(table["observation_error"].max()) <= 1e-9


OBSERVED, STATE = ("cos", "sin:pseudoscalar", "velocity:pseudoscalar"), ("angle:pseudoscalar", "velocity:pseudoscalar")


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ((OBSERVED, "torque:scalar", STATE), "exact if action torque changed its sign"),
        ((OBSERVED, "torque:pseudoscalar", ("angle:pseudoscalar", "velocity")), "exact if state velocity changed its sign"),
        ((("cos:pseudoscalar", *OBSERVED[1:]), "torque:pseudoscalar", STATE), "Observation cos is declared to become -cos; it becomes cos"),
        (
            (("cos", "sin", "velocity:pseudoscalar"), "torque:pseudoscalar", STATE),
            "Observation sin is declared to become sin; it becomes -sin",
        ),
    ],
)
def test_a_wrong_declaration_is_named_with_what_would_mend_it(declared, said):
    table = audit_environment(environment("pendulum"), EnvSymmetry("d1", *declared), **SMALL)
    assert table.attrs["verdict"] == "not a symmetry" and said in table.attrs["explanation"]


def test_exchanged_actions_are_named():
    torque = ("force_x:pseudoscalar", "force_y:scalar")  # under the flip of the first axis; the declaration has them the wrong way round
    words = {"observation": ("position:vector", "velocity:vector"), "state": ("position:vector", "velocity:vector")}
    right = EnvSymmetry("d1", words["observation"], torque, words["state"])
    assert audit_environment(environment("point_mass"), right, **SMALL).attrs["verdict"] == "exact"
    table = audit_environment(environment("point_mass"), EnvSymmetry("d1", words["observation"], torque[::-1], words["state"]), **SMALL)
    assert "No change of one sign" in table.attrs["explanation"] or "exact if" in table.attrs["explanation"]


@pytest.mark.parametrize("kind", BREAKINGS)
def test_a_breaking_is_measured_and_grows_with_its_size(kind):
    index = 1 if kind == "bonus" else 0
    found = []
    for size in (0.0, 0.02, 0.2):
        env = Broken(environment("pendulum"), kind, size, index=index)
        found.append(audit_environment(env, env.of(symmetry_of("pendulum")), repair=False, **SMALL))
    sizes = [max(epsilons(table)) for table in found]
    assert sizes[1] > 1e-6 and sizes[2] > 1.5 * sizes[1]
    assert found[0].attrs["verdict"] == "exact" and sizes[0] == 0.0
    assert found[1].attrs["verdict"] != "exact"


def test_a_breaking_that_cannot_be_is_refused():
    env = environment("pendulum")
    for words, said in (("wind", "cannot read the breaking"), ("storm=2", "`kind` should be"), ("gain=0.2@3", "`index` should be 0 .. 0")):
        with pytest.raises(OrbitscopeError, match=said):
            environment(f"pendulum+{words}")
    with pytest.raises(OrbitscopeError, match="acts on MuJoCo"):
        Broken(Drift(), "wind", 1.0)
    with pytest.raises(OrbitscopeError, match="finite"):
        Broken(env, "gain", float("nan"))


def test_environments_that_cannot_be_paired_are_refused_with_a_way_out():
    class Without(Drift):
        def __getattribute__(self, name):
            if name in ("get_state", "set_state"):
                raise AttributeError(name)
            return super().__getattribute__(name)

    with pytest.raises(OrbitscopeError, match=r"has no `get_state`.*np.concatenate"):
        audit_environment(Without(), MIRROR)
    with pytest.raises(OrbitscopeError, match=r"is not decided by state and action.*set_state"):
        audit_environment(Drift(chance=0.1), MIRROR)
    with pytest.raises(OrbitscopeError, match="`state` should be a vector of values with a layout here; it is not declared"):
        audit_environment(Drift(), EnvSymmetry("d1", ("x:pseudoscalar", "y"), "push:pseudoscalar"))
    with pytest.raises(OrbitscopeError, match="`state` declares 1 numbers"):
        audit_environment(Drift(), EnvSymmetry("d1", ("x:pseudoscalar", "y"), "push:pseudoscalar", "x:pseudoscalar"))
    with pytest.raises(OrbitscopeError, match="`observation` declares 3 numbers"):
        audit_environment(Drift(), EnvSymmetry("d1", ("x:pseudoscalar*3",), "push:pseudoscalar", ("x:pseudoscalar", "y")))
    with pytest.raises(OrbitscopeError, match="NaN"):
        audit_environment(Drift(push=np.nan), MIRROR)
    with pytest.raises(OrbitscopeError, match="`episodes` should be"):
        audit_environment(Drift(), MIRROR, episodes=0)


@pytest.mark.parametrize("rounding", [0.0, 2.3e-16])
def test_a_constant_reward_is_not_tested(rounding):
    class Nothing(Drift):
        def step(self, action):
            return (*super().step(action)[:1], 1.0 + rounding * (self.x[0] > 0), False, False, {})

    table = audit_environment(Nothing(), MIRROR)
    assert table.attrs["verdict"] == "exact" and "not tested" in table.attrs["explanation"]
    assert np.isnan(table["reward_share"]).all()


def test_from_the_command_line(tmp_path, capsys):
    out = tmp_path / "reacher.nc"
    run = functools.partial(main)
    assert run(["audit", "reacher", "--group", "d2", "--samples", "40", "--out", str(out)]) == 0
    assert "reacher, D2: exact" in capsys.readouterr().out
    tree = open_results(out)
    assert tree["D2"].attrs["verdict"] == "exact" and float(tree["D2"].to_dataset()["transition_epsilon"].max()) < 1e-9
    assert run(["info", str(out)]) == 0 and "D2: exact. All 4 elements" in capsys.readouterr().out
    assert run(["audit", "reacher", "--out", str(out)]) == 2 and "exists" in capsys.readouterr().err
    assert run(["audit", "pendulum+gravity=1", "--samples", "8"]) == 1
    assert "not a symmetry" in capsys.readouterr().out
    assert run(["audit", "cartpole", "--group", "d4*tx4"]) == 2
    assert run(["audit", "reacher", "--law", "euler"]) == 2 and "--law has no meaning" in capsys.readouterr().err


def test_the_page_of_an_audit(tmp_path, capsys):
    """Verdicts of every group in words and figures; observations that move otherwise are named."""
    out, page = tmp_path / "audit.nc", tmp_path / "audit.html"
    assert main(["audit", "point_mass+gain=0.3", "--group", "d1", "c2", "--samples", "8", "--out", str(out)]) == 0
    assert main(["report", str(out), "--out", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    body = text[text.index("<main>") : text.index("</main>")]
    assert body.count("<figure") == 2 and "NaN" not in body and "--policy relaxed" in body and "approximate: transitions differ by" in body
    assert "D1, element by element" in body and "C2, element by element" in body
    other = main(["report", str(out), str(out), "--out", str(tmp_path / "b.html")])
    assert other == 2 and "has a page of its own" in capsys.readouterr().err
    wrong = EnvSymmetry("d1", ("x", "y"), "push:pseudoscalar", ("x:pseudoscalar", "y"))
    table = audit_environment(Drift(), wrong, **SMALL)
    tree = xr.DataTree.from_dict({"/": xr.Dataset(attrs={"kind": AUDIT_KIND, "environment": "drift"}), "/D1": table})
    body = write_environment(tree, tmp_path / "c.html").read_text(encoding="utf-8")
    assert "Observations that do not move as declared" in body and "Take a smaller group" in body
    with pytest.raises(OrbitscopeError, match="no audit of an environment"):
        write_environment(xr.DataTree(), tmp_path / "d.html")
