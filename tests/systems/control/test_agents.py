"""Agents: equivariant at the start, free to leave or not, trained bit for bit through interruptions, saved without pickles."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import RewardWrapper, Wrapper
from stable_baselines3 import SAC

from orbitscope import OrbitscopeError
from orbitscope.cli import main
from orbitscope.nn import relaxation, relaxation_penalty
from orbitscope.probe import open_probe
from orbitscope.systems.control import (
    ARMS,
    Agent,
    Head,
    NetworkPlan,
    SymmetricReplayBuffer,
    Trunk,
    audit_environment,
    environment,
    open_agent,
    probed_maps,
    returns,
    symmetry_of,
    train_agent,
)

SMALL: dict[str, Any] = {"width": 8, "options": {"batch_size": 8, "learning_starts": 20}}
PPO: dict[str, Any] = {"width": 8, "options": {"n_steps": 40, "batch_size": 20, "n_epochs": 2}}
QUICK = {"batch_size": 8, "learning_starts": 20, "width": 8}


def wander(net, seed=0):
    """Every parameter moved at random: what training may do."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.3 * torch.randn_like(p))


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("name", ["reacher", "point_mass", "walker", "ant"])
def test_networks_commute_at_the_start_and_the_exact_ones_for_ever(arm, name):
    symmetry = symmetry_of(name)
    torch.manual_seed(0)
    trunk = Trunk(NetworkPlan(arm, width=16), symmetry.group, symmetry.layout("observation"))
    net = torch.nn.Sequential(trunk, Head(trunk, symmetry.layout("action"))).double()
    x = torch.randn(6, symmetry.layout("observation").channels, dtype=torch.float64)

    def gap():
        with torch.no_grad():
            gaps = [net(symmetry.policy.input(g, x)) - symmetry.policy.output(g, net(x)) for g in symmetry.group]
            return float(torch.stack(gaps).abs().max()), float(net(x).abs().max())

    start, size = gap()
    assert size > 1e-3
    assert start > 1e-3 if arm in ("plain", "augmented") else start < 1e-12
    if arm == "gated":
        opened = trunk.opened(x).detach()
        assert float(opened.max() - opened.min()) < 1e-15 and 0.1 < float(opened.mean()) < 0.15
    wander(net)
    later, size = gap()
    assert later < 1e-12 * (1 + size) if arm == "exact" else later > 1e-3


class Short(Wrapper):
    """An environment whose steps lose a number."""

    def step(self, action):
        seen, reward, terminated, truncated, info = self.env.step(action)
        return seen[:-1], reward, terminated, truncated, info


def test_an_observation_of_another_shape_than_its_space_is_named():
    env: Any = Short(environment("pendulum"))
    symmetry = symmetry_of("pendulum")
    with pytest.raises(OrbitscopeError, match=r"learn: `step` of Short should return an observation of shape \[3\].* returned \[2\]"):
        Agent(env, symmetry, **SMALL).learn(20)
    env.get_state, env.set_state = env.unwrapped.get_state, env.unwrapped.set_state
    with pytest.raises(OrbitscopeError, match="audit: `step` of Short should return an observation"):
        audit_environment(env, symmetry)
    env.step = env.unwrapped.step
    env.set_state = forget
    with pytest.raises(OrbitscopeError, match="audit: `set_state` of Short should return .* returned None"):
        audit_environment(env, symmetry)


def forget(state):
    """A `set_state` that returns nothing."""


def test_learning_leaves_no_folder_behind_and_talks_when_asked(tmp_path, monkeypatch, capsys):
    """Where no logger is set, stable-baselines3 makes a folder for every start of a learning."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("SB3_LOGDIR", raising=False)
    for arm, verbose in (("plain", 0), ("exact", 1)):
        options = {**SMALL["options"], "verbose": verbose}
        agent = Agent("pendulum", policy=arm, width=8, options=options).learn(30)
        agent.model.logger.record("spoken", 1.0)
        agent.model.logger.dump(agent.steps)
        assert ("spoken" in capsys.readouterr().out) == bool(verbose)
    assert not list(tmp_path.glob("SB3*"))
    SAC("MlpPolicy", environment("pendulum"), learning_starts=20, batch_size=8).learn(2)
    assert list(tmp_path.glob("SB3*"))  # what a model of theirs does alone


@pytest.mark.parametrize("agent", ["sac", "ppo"])
@pytest.mark.parametrize("name", ["reacher", "point_mass"])
def test_actors_and_critics_commute(agent, name):
    """Mean, deviation and value of the policies of stable-baselines3, with weights far from their start."""
    made = Agent(name, agent=agent, policy="exact", **(SMALL if agent == "sac" else PPO))
    policy, symmetry = made.model.policy.double(), made.symmetry
    wander(policy)
    rng = np.random.default_rng(0)
    o = torch.from_numpy(rng.normal(size=(5, symmetry.layout("observation").channels)))
    a = torch.from_numpy(rng.uniform(-1, 1, (5, symmetry.layout("action").channels)))
    sizes = np.abs(symmetry.matrices("action"))
    for g, size in zip(symmetry.group, sizes, strict=True):
        go, ga = torch.from_numpy(symmetry.observe(g, o)), torch.from_numpy(symmetry.act(g, a))
        with torch.no_grad():
            if agent == "sac":
                trunk, actor = policy.actor.latent_pi, policy.actor
                mean, std = (head(trunk(o)) for head in (actor.mu, actor.log_std))
                moved_mean, moved_std = (head(trunk(go)) for head in (actor.mu, actor.log_std))
                values = [(net(torch.cat([o, a], 1)), net(torch.cat([go, ga], 1))) for net in policy.critic.q_networks]
            else:
                here, there = (policy._get_action_dist_from_latent(policy.mlp_extractor.actor(x)).distribution for x in (o, go))
                mean, moved_mean, std, moved_std = here.mean, there.mean, here.stddev, there.stddev
                values = [tuple(policy.value_net(policy.mlp_extractor.critic(x)) for x in (o, go))]
        assert float((moved_mean - torch.from_numpy(symmetry.act(g, mean))).abs().max()) < 1e-6  # PPO ties deviations in float32
        assert float((moved_std - std @ torch.from_numpy(size).T).abs().max()) < 1e-6
        assert all(float((v - w).abs().max()) < 1e-10 for v, w in values)


def test_learning_leaves_an_exact_agent_exact_and_a_relaxed_one_says_what_it_broke():
    exact, relaxed = (Agent("pendulum", policy=p, **SMALL).learn(60) for p in ("exact", "relaxed"))
    x = np.random.default_rng(0).normal(size=(8, 3))
    for agent, holds in ((exact, True), (relaxed, False)):
        s = agent.symmetry
        gap = np.abs(agent.predict(s.observe(s.group["s"], x))[0] - s.act(s.group["s"], agent.predict(x)[0])).max()
        assert (gap < 1e-6) == holds
    found = relaxation(relaxed.networks["actor"])
    assert float(found["broken"].max()) > 1e-4 and float(relaxation_penalty(relaxed.networks["critic"]).detach()) > 0
    with pytest.raises(OrbitscopeError, match="no relaxed layer"):
        relaxation(exact.networks["actor"])


def test_a_penalty_pulls_back():
    free, held = (Agent("pendulum", policy="relaxed", penalty=w, **SMALL).learn(60) for w in (0.0, 100.0))
    penalties = [float(relaxation_penalty(a.networks["actor"]).detach()) for a in (free, held)]
    assert penalties[1] < 0.5 * penalties[0]


def test_the_replay_hands_out_moved_transitions():
    env, symmetry = environment("reacher"), symmetry_of("reacher")
    kinds = {"replay_buffer_class": SymmetricReplayBuffer, "replay_buffer_kwargs": {"symmetry": symmetry}}
    model = SAC("MlpPolicy", env, learning_starts=1000, buffer_size=200, device="cpu", seed=0, **kinds)
    model.learn(30)
    buffer = model.replay_buffer
    assert buffer is not None
    np.random.seed(0)
    found = buffer.sample(64)
    stored = [buffer.observations[:30, 0], buffer.actions[:30, 0], buffer.next_observations[:30, 0], buffer.rewards[:30]]
    seen = set()

    def moved(g):
        observed = (symmetry.observe(g, stored[k]) for k in (0, 2))
        return np.concatenate([next(observed), symmetry.act(g, stored[1]), next(observed), stored[3]], 1)

    for o, a, n, r in zip(found.observations, found.actions, found.next_observations, found.rewards, strict=True):
        whole = torch.cat([o, a.double(), n, r.double()]).numpy()
        gaps = {g.name: np.abs(moved(g) - whole).max(1).min() for g in symmetry.group}
        seen.add(min(gaps, key=lambda k: gaps[k]))
        assert min(gaps.values()) < 1e-6
    assert seen == {g.name for g in symmetry.group}


def test_what_is_saved_predicts_the_same(tmp_path):
    agent = Agent("reacher", policy="gated", **SMALL).learn(30)
    path = agent.save(tmp_path / "agent")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["agent.json", "agent.safetensors"]
    assert json.loads((tmp_path / "agent.json").read_text())["policy"] == "gated"
    again = Agent.load(path, "reacher")
    x = np.random.default_rng(0).normal(size=(5, 8))
    assert np.array_equal(agent.predict(x)[0], again.predict(x)[0]) and again.steps == 30
    with pytest.raises(OrbitscopeError, match="was trained with the group D2, now D1"):
        Agent.load(path, "pendulum")
    with pytest.raises(OrbitscopeError, match="was trained with the group D2"):
        Agent.load(path, "reacher", symmetry_of("reacher", "c2"))
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(OrbitscopeError, match="safetensors"):
        Agent.load(path, "reacher")


def same(a, b):
    def weights(p) -> Any:
        agent: Any = open_agent(p, "last").agent
        return agent.model.policy.state_dict()

    first, second = weights(a), weights(b)
    return all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize(("agent", "policy"), [("sac", "augmented"), ("sac", "relaxed"), ("ppo", "exact")])
def test_a_run_that_was_interrupted_goes_on_bit_for_bit(tmp_path, agent, policy):
    options = QUICK if agent == "sac" else {**PPO["options"], "width": 8}
    more: dict[str, Any] = {"agent": agent, "policy": policy, "every": 40, "episodes": 1, "repeat": 50, "options": options}
    train_agent("pendulum", tmp_path / "whole", steps=120, **more)
    train_agent("pendulum", tmp_path / "parts", steps=40, **more)

    def stop(stage, done, total):
        if done > 60:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_agent("pendulum", tmp_path / "parts", steps=120, progress=stop, **more)
    (run,) = train_agent("pendulum", tmp_path / "parts", steps=120, **more)
    assert same(tmp_path / "whole", tmp_path / "parts") and run.finished
    curves = [[(h["steps"], h["returns"]) for h in open_agent(tmp_path / p).history] for p in ("whole", "parts")]
    assert curves[0] == curves[1] and len(curves[0]) == 3


def test_noise_and_seeds_of_an_evaluation():
    agent, env = Agent("pendulum", policy="exact", **SMALL), environment("pendulum", repeat=50)
    first = returns(agent, env, episodes=3, seed=1)
    assert np.array_equal(first, returns(agent, env, episodes=3, seed=1)) and first.shape == (3,)
    noisy = returns(agent, env, episodes=3, seed=1, observation_noise=5.0, action_noise=1.0)
    assert noisy.shape == (3,) and not np.array_equal(noisy, first)


def test_maps_for_probes_are_the_agents_own():
    for agent in ("sac", "ppo"):
        made = Agent("reacher", agent=agent, policy="exact", **(SMALL if agent == "sac" else PPO)).learn(40)
        policy, critic = probed_maps(made, episodes=3, length=6, every=2)
        x = policy.examples.x
        assert isinstance(x, torch.Tensor) and len(policy.examples) == 9
        with torch.no_grad():
            assert np.abs(np.clip(policy.model(x).numpy(), -1, 1) - made.predict(x.numpy())[0]).max() < 1e-5
        assert critic.examples.y.shape == (9, 1) and torch.isfinite(critic.examples.y).all()
        pull = policy.examples.y - policy.model(x).detach()
        assert float(pull.square().mean().sqrt()) == pytest.approx(0.2, rel=1e-3)
    with pytest.raises(OrbitscopeError, match="at least 3 episodes"):
        probed_maps(made, episodes=1)


def test_returns_of_a_critic_are_discounted_sums():
    class One(RewardWrapper):
        def reward(self, reward):
            return 1.0

    made = Agent(One(environment("pendulum", repeat=100)), symmetry_of("pendulum"), policy="plain", **SMALL)
    with torch.no_grad():
        for p in made.model.policy.critic.parameters():
            p.zero_()
    (_, critic) = probed_maps(made, episodes=3, length=4, every=1)
    expected = [(1 - 0.99**n) / 0.01 for n in (4, 3, 2, 1)]
    assert critic.examples.y[:4, 0].tolist() == pytest.approx(expected, rel=1e-5)


def test_from_the_command_line(tmp_path, capsys):
    folder, probe, page = tmp_path / "run", tmp_path / "p.nc", tmp_path / "r.html"
    words = ["train", "reacher", "--agent", "sac", "--policy", "relaxed", "--steps", "60", "--out", str(folder), "--override"]
    assert main([*words, "width=8", "repeat=50", "every=60", "episodes=1", "batch_size=8", "learning_starts=20"]) == 0
    assert "sac relaxed in reacher" in capsys.readouterr().out
    assert sorted(p.suffix for p in folder.iterdir() if not p.name.startswith(".")) == [".json", *[".safetensors"] * 3]
    assert main(["info", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "returns by steps    60:" in said and "broken, actor" in said and "r " in said
    short = ["--trajectories", "4", "--times", "2", "--steps", "0"]
    assert main(["probe", str(folder), "--out", str(probe), *short]) == 0
    assert "verdict" in open_probe(probe)["D2"] and "verdict" in open_probe(tmp_path / "p.critic.nc")["D2"]
    assert main(["report", str(probe), str(tmp_path / "p.critic.nc"), "--out", str(page)]) == 0
    assert "sac relaxed in reacher" in page.read_text(encoding="utf-8")
    capsys.readouterr()
    for words, said in (
        (["train", "reacher", "--epochs", "3", "--out", str(folder)], "--epochs has no meaning"),
        (["train", "reacher", "--policy", "exact", "--steps", "9", "--out", str(folder)], "holds a run with policy = 'relaxed'"),
        (["train", "reacher", "--agent", "ppo", "--policy", "augmented", "--out", str(tmp_path / "b")], "PPO has none"),
        (["train", "reacher", "--group", "so2/8", "--out", str(tmp_path / "c")], "builds a finite group into layers"),
        (["train", "no.nc", "--policy", "plain", "--out", str(tmp_path / "d")], "--policy has no meaning"),
        (["train", "reacher", "--override", "depths=3", "--out", str(tmp_path / "e")], "does not take"),
        (["probe", str(folder), "x.nc", "--law", "euler", "--out", str(tmp_path / "q.nc")], "--law has no meaning"),
    ):
        assert main(words) == 2 and said in capsys.readouterr().err


def test_bad_input_is_refused_with_what_to_do():
    with pytest.raises(OrbitscopeError, match="policy: should be one of"):
        Agent("reacher", policy="strict")
    with pytest.raises(OrbitscopeError, match="agent: should be one of"):
        Agent("reacher", agent="td3")
    with pytest.raises(OrbitscopeError, match="has no relaxed layers"):
        Agent("reacher", policy="exact", penalty=1.0)
    with pytest.raises(OrbitscopeError, match="`symmetry` should say"):
        Agent(environment("reacher"))
    with pytest.raises(OrbitscopeError, match="declares 3 numbers"):
        Agent(environment("reacher"), symmetry_of("pendulum"))
    with pytest.raises(OrbitscopeError, match="`total_timesteps`"):
        Agent("pendulum", **SMALL).learn(0)

    class Bad(RewardWrapper):
        def reward(self, reward):
            return float("nan")

    with pytest.raises(OrbitscopeError, match="the reward at step 1 is"):
        Agent(Bad(environment("pendulum")), symmetry_of("pendulum"), **SMALL).learn(5)

    for wrong in (np.zeros(2), np.full(3, np.nan)):
        with pytest.raises(OrbitscopeError, match="`observation` should be finite numbers"):
            Agent("pendulum", **SMALL).predict(wrong)
