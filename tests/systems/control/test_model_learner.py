"""systems/control/_model_learner: runs go on bit for bit, agents come back, maps commute as their networks do, wrong input is named."""

import gymnasium
import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.cli import main
from orbitscope.probe import open_probe
from orbitscope.systems.control import (
    ModelLearner,
    agent_summary,
    environment,
    is_agent_run,
    open_agent,
    probed_maps,
    returns,
    symmetry_of,
    train_agent,
)

SMALL = {"width": 8, "samples": 16, "elites": 4, "horizon": 2, "batch": 8, "first": 5, "iterations": 1}
RUN = {"agent": "model_based", "every": 10, "episodes": 1, "options": SMALL}


def same(one, other):
    """Whether returns and weights are the same bits; seconds differ."""
    if [(h["steps"], h["returns"]) for h in one.history] != [(h["steps"], h["returns"]) for h in other.history]:
        return False
    weights = other.agent.weights.state_dict()
    return all(torch.equal(v, weights[k]) for k, v in one.agent.weights.state_dict().items())


class Stopped(Exception):
    """As if the machine had gone."""


@pytest.mark.parametrize("policy", ["exact", "augmented"])
def test_an_interrupted_training_goes_on_bit_for_bit(tmp_path, policy):
    through = train_agent("ball2d", tmp_path / "through", policy=policy, steps=30, **RUN)[0]

    def stop(what, done, total):
        if done == 20:
            raise Stopped

    with pytest.raises(Stopped):  # after the second stage and before it is written
        train_agent("ball2d", tmp_path / "broken", policy=policy, steps=30, progress=stop, **RUN)
    assert open_agent(tmp_path / "broken").history[-1]["steps"] == 10
    assert same(through, train_agent("ball2d", tmp_path / "broken", policy=policy, steps=30, **RUN)[0])
    shorter = train_agent("ball2d", tmp_path / "longer", policy=policy, steps=10, **RUN)[0]
    assert shorter.finished and not same(through, shorter)
    assert same(through, train_agent("ball2d", tmp_path / "longer", policy=policy, steps=30, **RUN)[0])
    assert not same(shorter, train_agent("ball2d", tmp_path / "other", policy=policy, steps=10, seeds=(1,), **RUN)[0])
    with pytest.raises(OrbitscopeError, match="holds a run with policy"):
        train_agent("ball2d", tmp_path / "through", policy="plain", steps=30, **RUN)


def test_learning_needs_no_run_and_what_was_saved_comes_back(tmp_path):
    made = ModelLearner("ball2d", options=SMALL).learn(30)
    assert made.steps == 30 and made.agent.updates == 26
    seen = environment("ball2d").reset(seed=0)[0]
    made.reset()
    action = made.predict(seen)[0]
    back = ModelLearner.load(made.save(tmp_path / "agent"), "ball2d")
    assert np.array_equal(back.predict(seen)[0], action) and back.steps == 30 and back.parameters == made.parameters
    found = returns(made, environment("ball2d"), episodes=2)
    assert np.array_equal(found, returns(back, environment("ball2d"), episodes=2)) and len(found) == 2


@pytest.mark.parametrize(("policy", "commutes"), [("exact", True), ("plain", False)])
def test_the_maps_of_a_probe_commute_as_the_networks_do(policy, commutes):
    made = ModelLearner("point_mass", policy=policy, options=SMALL)
    maps = {m.name: m for m in probed_maps(made, episodes=3, length=6, every=2)}
    assert list(maps) == ["policy", "critic", "dynamics"]
    for m in maps.values():
        x = m.examples.x if isinstance(m.examples.x, tuple) else (m.examples.x,)
        with torch.no_grad():
            plain = m.model(*x)
            gaps = []
            for g in m.symmetry.group:
                moved = m.symmetry.input(g, m.examples.x)
                gaps.append(float((m.model(*(moved if isinstance(moved, tuple) else (moved,))) - m.symmetry.output(g, plain)).abs().max()))
        assert (max(gaps) < 1e-5) == commutes, (m.name, gaps)
    dynamics = maps["dynamics"]
    assert isinstance(dynamics.examples.x, tuple) and isinstance(dynamics.examples.y, torch.Tensor)
    env = environment("point_mass")
    observation, action = (p[0].double().numpy() for p in dynamics.examples.x)
    env.reset(seed=0)
    env.set_state(observation)  # what is observed is the state
    assert np.abs(env.step(action)[0] - dynamics.examples.y[0].double().numpy()).max() < 1e-6


def test_from_the_command_line_to_a_page(tmp_path, capsys):
    words = [f"{k}={v}" for k, v in {**SMALL, "horizon": 1, "samples": 4, "elites": 2}.items()]
    run = str(tmp_path / "run")
    assert main(["train", "ball2d", "--agent", "model_based", "--policy", "exact", "--steps", "20", "--group", "c2", "--out", run,
                 "--override", "every=20", "episodes=1", *words]) == 0  # fmt: skip
    assert is_agent_run(run) and main(["info", run]) == 0
    assert "model_based exact in ball2d" in capsys.readouterr().out
    assert main(["probe", run, "--out", str(tmp_path / "p.nc")]) == 0
    for name in ("p.nc", "p.critic.nc", "p.dynamics.nc"):
        assert open_probe(tmp_path / name).children
    summary = agent_summary(open_agent(run), episodes=3)
    found = summary["asymmetry"].to_dataset()
    assert found["map"].values.tolist() == ["policy", "critic", "dynamics"] and float(found["relative"].max()) < 1e-4
    assert main(["report", run, "--out", str(tmp_path / "page.html")]) == 0


class Faulty(gymnasium.Env):
    """One of its rewards is no number."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float64)
    action_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        self.time = 0
        return np.zeros(2), {}

    def step(self, action):
        self.time += 1
        return np.zeros(2), float("nan") if self.time == 5 else 0.0, False, False, {}


def test_wrong_input_is_named(tmp_path):
    symmetry = symmetry_of("point_mass")
    for made, words in (
        (lambda: ModelLearner("point_mass", policy="relaxed"), "a model_based agent has one of plain, augmented, exact"),
        (lambda: ModelLearner("point_mass", options={"samplez": 3}), "Did you mean `samples`"),
        (lambda: ModelLearner("point_mass", options={"networks": "plain"}), "`networks` is what the policy says"),
        (lambda: ModelLearner("point_mass", symmetry.within("so2/8"), options=SMALL), "no list of elements|box of actions"),
        (lambda: ModelLearner(Faulty()), "`symmetry` should say what is declared"),
        (lambda: ModelLearner(Faulty(), symmetry), "declares 4 numbers"),
        (lambda: ModelLearner("point_mass", options=SMALL).predict(np.zeros(3)), r"should be finite numbers \[4\]"),
        (lambda: ModelLearner("point_mass", options=SMALL).predict([np.nan] * 4), "should be finite numbers"),
        (lambda: ModelLearner("point_mass", options=SMALL).learn(0), "`total_timesteps` should be at least 1"),
        (lambda: ModelLearner.load(tmp_path, "point_mass"), "holds no agent.json"),
        (lambda: train_agent("point_mass", tmp_path / "run", agent="dreamer"), "agent: should be one of"),
    ):
        with pytest.raises(OrbitscopeError, match=words):
            made()
    from orbitscope.systems.control import EnvSymmetry

    with pytest.raises(OrbitscopeError, match="after step 5 is NaN or infinite"):
        ModelLearner(Faulty(), EnvSymmetry("c2", "place:vector", "push:vector"), options=SMALL).learn(20)
