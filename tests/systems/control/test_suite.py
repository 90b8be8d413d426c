"""Tasks of the suite: clean environments, reproducible, with states that can be set, and exactly the symmetries that are declared."""

import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as gymnasium_check
from stable_baselines3.common.env_checker import check_env

from orbitscope import FieldAction, OrbitscopeError
from orbitscope.systems import of_environment
from orbitscope.systems.control import SuiteEnv, environment, environments, register_environment, symmetry_of


@pytest.mark.parametrize("name", ["reacher", "cartpole", "walker", "swimmer", "ant", "hopper"])
def test_checkers_of_others_find_nothing(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*(infinity|normalized|float64|spec).*")  # observations have no bounds
        check_env(environment(name), warn=True)
        gymnasium_check(environment(name), skip_render_check=True)


def test_a_seed_is_an_episode():
    env, other = environment("reacher"), environment("reacher")
    first, again, another = env.reset(seed=3)[0], other.reset(seed=3)[0], other.reset(seed=4)[0]
    assert np.array_equal(first, again) and not np.array_equal(first, another)
    following = [env.reset()[0] for _ in range(2)]
    assert not np.array_equal(*following)
    env.reset(seed=3)
    assert np.array_equal(env.reset()[0], following[0])


@pytest.mark.parametrize(
    "name", [n for n in environments() if isinstance(symmetry_of(n).observation, FieldAction)]
)  # pictures: test_pixels
def test_states_that_were_set_go_on_in_the_same_way_and_moved_ones_as_declared(name):
    """Paired steps in the simulator: observation, next state and reward commute with every element, to rounding."""
    env, symmetry = environment(name), symmetry_of(name)
    symmetry.check(env)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(5):
        state, action = env.get_state(), rng.uniform(-1, 1, env.action_space.shape)
        seen = env.set_state(state)
        assert np.abs(env.get_state() - state).max() < 1e-14
        after, reward, *_ = env.step(action)
        following = env.get_state()
        env.set_state(state)
        assert np.array_equal(env.step(action)[0], after)
        for g in symmetry.group:
            scale = 1 + np.abs(following).max()
            assert np.abs(env.set_state(symmetry.move(g, state)) - symmetry.observe(g, seen)).max() < 1e-11 * scale
            moved, same, *_ = env.step(symmetry.act(g, action))
            assert np.abs(moved - symmetry.observe(g, after)).max() < 1e-11 * scale
            assert np.abs(env.get_state() - symmetry.move(g, following)).max() < 1e-11 * scale
            assert abs(same - reward) < 1e-11
        env.set_state(following)


@pytest.mark.parametrize(("name", "group"), [("reacher", "d8"), ("swimmer", "d4")])
def test_larger_groups_hold_where_the_table_says_so(name, group):
    env, symmetry = environment(name), symmetry_of(name, group)
    env.reset(seed=1)
    state, action = env.get_state(), env.action_space.sample()
    env.step(action)
    following = env.get_state()
    for g in symmetry.group:
        env.set_state(symmetry.move(g, state))
        env.step(symmetry.act(g, action))
        assert np.abs(env.get_state() - symmetry.move(g, following)).max() < 1e-11


def test_an_action_holds_for_so_many_steps_and_rewards_add_up():
    slow, fast = environment("pendulum", repeat=4), environment("pendulum")
    slow.reset(seed=0)
    fast.reset(seed=0)
    after, reward, *_ = slow.step([0.5])
    steps = [fast.step([0.5]) for _ in range(4)]
    assert np.array_equal(after, steps[-1][0]) and reward == sum(s[1] for s in steps)
    assert slow.time_step == pytest.approx(4 * fast.time_step)
    ends = [slow.step([0.0])[2:4] for _ in range(249)]
    assert ends[-1] == (False, True) and not any(t for _, t in ends[:-1])


def test_what_is_refused_says_what_to_do():
    env = environment("reacher")
    env.reset(seed=0)
    for action in ([0.0], [0.0, np.nan], [[0.0, 0.0]]):
        with pytest.raises(OrbitscopeError, match="should be 2 finite numbers"):
            env.step(action)
    for name, size in (("reacher", 7), ("hopper", 12)):
        held = environment(name)
        held.reset(seed=0)
        for state in (np.zeros(3), np.full(size, np.nan)):
            with pytest.raises(OrbitscopeError, match=f"`state` should be {size} finite numbers, as of `get_state`"):
                held.set_state(state)
    with pytest.raises(OrbitscopeError, match="there is none called 'reach'. Did you mean 'reacher'.*reacher-easy"):
        environment("reach")
    with pytest.raises(OrbitscopeError, match="does not take"):
        environment("reacher", depth=3)
    with pytest.raises(OrbitscopeError, match="no symmetry of a task 'hopper-hop' is declared"):
        SuiteEnv("hopper-hop")
    with pytest.raises(OrbitscopeError, match="`repeat`"):
        environment("reacher", repeat=0)
    with pytest.raises(OrbitscopeError, match="`render_mode`"):
        environment("reacher", render_mode="human")
    with pytest.raises(OrbitscopeError, match="comes with the library"):
        register_environment("reacher", SuiteEnv, symmetry_of("reacher"))
    assert of_environment("reacher-hard") == "control" and of_environment("ns.nc") is None


def test_ids_of_gymnasium():
    env = gymnasium.make("orbitscope/cartpole-swingup-v0", repeat=2)
    assert env.reset(seed=0)[0].shape == (5,)


def test_without_the_extra_packages_declarations_can_be_read_and_the_rest_says_what_to_install():
    code = """
import sys
for name in ("gymnasium", "mujoco", "dm_control", "stable_baselines3"):
    sys.modules[name] = None
from orbitscope import OrbitscopeError
from orbitscope.systems import control
print(control.symmetry_of("reacher"))
for ask in (lambda: control.SuiteEnv, lambda: control.environment("reacher"), lambda: control.Agent):
    try:
        ask()
    except OrbitscopeError as error:
        print(error)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.count("pip install 'orbitscope[robots]'") == 3 and "EnvSymmetry(D2: arm_x" in said


@pytest.mark.parametrize("name", ["cartpole", "ball2d", "ant"])
def test_without_opengl_a_picture_says_what_to_set(name, monkeypatch):
    def fails(*args, **kwargs):
        raise RuntimeError("no display")

    env = environment(name, render_mode="rgb_array")
    env.reset(seed=0)
    monkeypatch.setattr("mujoco.Renderer", fails)
    if name == "cartpole":
        monkeypatch.setattr(env.physics, "render", fails)
    if name == "ant":
        monkeypatch.setattr(env.unwrapped._inner, "render", fails)
    with pytest.raises(OrbitscopeError, match=f"{name}.*no display.*MUJOCO_GL=egl"):
        env.render()
