"""systems/control/_balls: the batched step is MuJoCo's, starts are even, worlds are symmetric, environments are clean."""

import warnings

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env as gymnasium_check
from stable_baselines3.common.env_checker import check_env

from orbitscope import OrbitscopeError
from orbitscope.systems.control import BALLS, Balls, BallsEnv, SimulatorModel, balls, environment, symmetry_of


@pytest.mark.parametrize("changed", [{}, {"wind": True, "damping": 0.3, "mass": 0.7}])
@pytest.mark.parametrize("name", BALLS)
def test_the_batched_step_is_that_of_mujoco(name, changed):
    if changed:
        changed = {**changed, "wind": (0.4, -0.2, 0.1)[: BALLS[name]["ndim"]]}
    env = BallsEnv(name, **changed)
    state = torch.as_tensor(env.reset(seed=0)[0])[None]
    rng = np.random.default_rng(0)
    for _ in range(20):
        action = rng.uniform(-1, 1, env.action_space.shape)
        seen, reward, *_ = env.step(action)
        state = env.balls.step(state, torch.as_tensor(action)[None])
        assert np.abs(state[0].numpy() - seen).max() < 1e-13
        assert abs(float(env.balls.reward(state, torch.as_tensor(action)[None])) - reward) < 1e-13


@pytest.mark.parametrize("name", BALLS)
def test_a_step_and_a_reward_turn_with_the_world(name):
    b = balls(name)
    symmetry = b.symmetry("d8" if b.ndim == 2 else "oh")
    states, actions = b.start(torch.Generator().manual_seed(0), 5), torch.randn(5, b.size, dtype=torch.float64)
    for g in symmetry.group:
        s, a = symmetry.input(g, states), symmetry.output(g, actions)
        assert float((b.step(s, a) - symmetry.input(g, b.step(states, actions))).abs().max()) < 1e-13
        assert float((b.reward(s, a) - b.reward(states, actions)).abs().max()) < 1e-13
    g = next(g for g in symmetry.group if np.asarray(g)[0, 0] != 1)
    windy = Balls(b.ndim, b.count, wind=(0.5,) + (0.0,) * (b.ndim - 1))
    turned = windy.step(symmetry.input(g, states), symmetry.output(g, actions))
    assert float((turned - symmetry.input(g, windy.step(states, actions))).abs().max()) > 1e-3


@pytest.mark.parametrize("ndim", [2, 3])
def test_starts_are_even_in_the_ball(ndim):
    made = Balls(ndim, arena=2.0).start(torch.Generator().manual_seed(0), 4000)
    for part in (made[:, :ndim], made[:, 2 * ndim :]):
        inside = part.norm(dim=-1) / 2.0
        assert float(inside.max()) <= 1 and abs(float((inside**ndim).mean()) - 0.5) < 0.02  # even: r^n is even in (0, 1)
    assert not made[:, ndim : 2 * ndim].any()


@pytest.mark.parametrize("name", ["ball2d", "balls3d-2"])
def test_checkers_of_others_find_nothing(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*(infinity|float64|spec).*")  # observations have no bounds
        check_env(environment(name), warn=True)
        gymnasium_check(environment(name), skip_render_check=True)
    made = gymnasium.make(f"orbitscope/{name}-v0")
    assert np.array_equal(made.reset(seed=1)[0], environment(name).reset(seed=1)[0])


def test_an_episode_ends_and_larger_groups_hold():
    env = BallsEnv("ball2d", length=3)
    env.reset(seed=0)
    assert [env.step([0.1, 0.2])[3] for _ in range(3)] == [False, False, True]
    for g in symmetry_of("ball2d", "d8").group:
        symmetry = symmetry_of("ball2d", "d8")
        state, action = env.get_state(), np.array([0.9, 0.8])  # longer than 1: it is cut to the disc, not to the box
        after = env.step(action)[0]
        env.set_state(symmetry.move(g, state))
        assert np.abs(env.step(symmetry.act(g, action))[0] - symmetry.observe(g, after)).max() < 1e-13


def test_a_simulator_is_a_model():
    env = environment("ball2d")
    env.reset(seed=0)
    model, b = SimulatorModel(env), balls("ball2d")
    states, actions = b.start(torch.Generator().manual_seed(0), 4), torch.randn(4, 2, dtype=torch.float64)
    following = model.step(states, actions)
    assert float((following - b.step(states, actions)).abs().max()) < 1e-13
    assert float((model.cost(following, actions) + b.reward(following, actions)).abs().max()) < 1e-13 and model.steps == 4
    with pytest.raises(OrbitscopeError, match="in that order"):
        model.cost(states, actions)
    with pytest.raises(OrbitscopeError, match="has no get_state"):
        SimulatorModel(gymnasium.make("CartPole-v1"))


@pytest.mark.parametrize(("words", "call"), [
    ("`ndim` 2 or 3", lambda: Balls(4)), ("`wind` should be", lambda: Balls(2, wind=(1.0,))), ("there is no", lambda: balls("ball4d")),
    ("`render_mode`", lambda: BallsEnv(render_mode="human")), ("`action` should be 2", lambda: BallsEnv().step([1.0])),
    ("`state` should be 6", lambda: BallsEnv().set_state([1.0])),
])  # fmt: skip
def test_what_does_not_fit(words, call):
    with pytest.raises(OrbitscopeError, match=words):
        call()
