"""systems/control/_model_based: the world model commutes, decisions do, sequences lie within episodes, learning runs, saving keeps all."""

from typing import Any

import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.systems.control import BallsEnv, DiscActions, ModelBasedAgent, ModelBasedConfig, balls, decision_errors
from orbitscope.systems.control._model_based import _moved
from orbitscope.systems.control._replay import Episodes

BALL = balls("ball2d")
SMALL: dict[str, Any] = {"width": 8, "samples": 16, "elites": 6, "horizon": 3, "batch": 16, "first": 20, "iterations": 2}


def agent(**kwargs):
    return ModelBasedAgent(BALL.symmetry("d4"), BALL.actions, ModelBasedConfig(**{**SMALL, **kwargs}))


def some(rows=5):
    return BALL.start(torch.Generator().manual_seed(1), rows).float(), torch.randn(rows, 2, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize(("networks", "commutes"), [("equivariant", True), ("plain", False)])
def test_a_world_model_commutes_where_it_is_built_in(networks, commutes):
    m, symmetry, (s, a) = agent(networks=networks).model, BALL.symmetry("d4"), some()
    worst = 0.0
    with torch.no_grad():
        for g in symmetry.group:
            gs, ga = symmetry.input(g, s), symmetry.output(g, a)
            for gap in (m.step(gs, ga) - symmetry.input(g, m.step(s, a)), m.reward(gs, ga) - m.reward(s, a), m.value(gs) - m.value(s),
                        m.act(gs) - symmetry.output(g, m.act(s))):  # fmt: skip
                worst = max(worst, float(gap.abs().max()))
    assert (worst < 1e-5) == commutes
    with torch.no_grad(), m.held():
        held = m.step(s, a)
    assert torch.equal(held, m.step(s, a).detach())


@pytest.mark.parametrize(("networks", "sampling", "commutes"), [
    ("equivariant", True, True), ("equivariant", False, False), ("plain", True, False),
])  # fmt: skip
def test_decisions_need_both(networks, sampling, commutes):
    a = agent(networks=networks, sampling=sampling)
    worst = float(decision_errors(a.planner, some()[0], BALL.symmetry("d4")).error.max())
    assert (worst < 1e-5) == commutes


@pytest.mark.parametrize("networks", ["plain", "augmented", "equivariant"])
def test_it_learns_saves_and_goes_on(networks, tmp_path):
    a, heard = agent(networks=networks), []
    before = [p.clone() for p in a.model.parameters()]
    rows = a.learn(BallsEnv("ball2d", length=15), 40, evaluate=[BallsEnv("ball2d", length=5)], each=20, progress=lambda *w: heard.append(w))
    assert [r["step"] for r in rows] == [20, 40] and len(heard) == 2 and a.updates == 21
    assert all(not torch.equal(p, q) for p, q in zip(before, a.model.parameters(), strict=True))
    same = agent(networks=networks)
    again = same.learn(BallsEnv("ball2d", length=15), 40, evaluate=[BallsEnv("ball2d", length=5)], each=20)
    assert again == rows
    back = ModelBasedAgent.load(a.save(tmp_path / "agent"), BALL.symmetry("d4"), BALL.actions)
    assert back.config == a.config and back.updates == 21
    observation = some()[0][0].numpy()
    a.reset()
    a.planner.calls = 0
    assert np.array_equal(back.predict(observation)[0], a.predict(observation)[0])
    with pytest.raises(OrbitscopeError, match="was learnt with D4"):
        ModelBasedAgent.load(tmp_path / "agent", BALL.symmetry("c4"), BALL.actions)


def test_sequences_lie_within_episodes_and_show_what_happened():
    episodes = Episodes(3)
    for episode in range(3):
        episodes.begin(np.array([100.0 * episode]))
        for step in range(1, 6):
            episodes.add(np.array([episode + 0.1 * step]), float(step), np.array([100.0 * episode + step]), step == 5)
    seen, done, rewards, goes_on = episodes.batch(200, torch.Generator().manual_seed(0))
    assert seen.shape == (4, 200, 1) and done.shape == (3, 200, 1)
    assert torch.equal(seen[1:, :, 0] - seen[:-1, :, 0], torch.ones(3, 200))
    assert torch.equal(rewards, seen[1:, :, 0] % 100) and torch.equal(goes_on, (rewards != 5).float())
    assert {float(v) for v in seen[0, :, 0]} == {100.0 * e + s for e in range(3) for s in range(3)}  # every start, and none across an end
    episodes.begin(np.array([0.0]))
    episodes.add(np.array([0.0]), 0.0, np.array([1.0]), False)
    assert len(episodes) == 16


def test_augmented_batches_are_moved_as_they_should():
    s, a = torch.randn(4, 64, 6), torch.randn(3, 64, 2)
    symmetry = BALL.symmetry("d4")
    seen, done = _moved(symmetry, s, a, torch.Generator().manual_seed(0))
    used = set()
    for row in range(64):
        fits = [g.name for g in symmetry.group if torch.allclose(symmetry.input(g, s[:, row]), seen[:, row])
                and torch.allclose(symmetry.output(g, a[:, row]), done[:, row])]  # fmt: skip
        assert len(fits) == 1
        used |= set(fits)
    assert len(used) == 8


def test_settings_that_do_not_fit():
    with pytest.raises(OrbitscopeError, match="`networks` should be"):
        ModelBasedConfig(networks="relaxed")
    with pytest.raises(OrbitscopeError, match="`batch` should be at least 1"):
        ModelBasedConfig(batch=0)
    with pytest.raises(OrbitscopeError, match="no agent.json"):
        ModelBasedAgent.load("nowhere", BALL.symmetry("d4"), BALL.actions)
    with pytest.raises(OrbitscopeError, match="has no list of elements"):
        ModelBasedAgent(BALL.symmetry("so2/8"), DiscActions(1.0), ModelBasedConfig(**SMALL))
