"""The scene: its controller, its state, its environment of gymnasium."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from scipy.spatial.transform import Rotation

from orbitscope import OrbitscopeError
from orbitscope.symmetry import Rigid
from orbitscope.systems.manipulation import TASKS, Keyframe, Scene, TableTop, demonstrate, drive, replay, task
from orbitscope.systems.manipulation._poses import about, angle_of, nearest, pose, turned, vector_of


def test_poses_agree_with_scipy():
    rng = np.random.default_rng(0)
    for _ in range(50):
        v = rng.standard_normal(3)
        v *= rng.uniform(0, np.pi) / np.linalg.norm(v)
        assert np.abs(turned(v) - Rotation.from_rotvec(v).as_matrix()).max() < 1e-12
        assert np.abs(vector_of(turned(v)) - v).max() < 1e-8 and abs(angle_of(turned(v)) - np.linalg.norm(v)) < 1e-12
    for v in (np.array([np.pi, 0, 0]), np.array([0, -3.141, 0.01]), np.array([1e-10, 0, 0])):
        assert np.abs(turned(vector_of(turned(v))) - turned(v)).max() < 1e-8
    assert np.abs(about(1, 0.3) - Rotation.from_euler("y", 0.3).as_matrix()).max() < 1e-15
    far, near = pose(np.zeros(3), about(2, 2.0)), pose(np.zeros(3), about(2, 0.1))
    assert nearest([far, near], pose(np.zeros(3))) is near
    with pytest.raises(OrbitscopeError, match="at least one pose"):
        nearest([], far)


def test_the_hand_goes_where_it_is_told_at_its_bounded_speed():
    scene = Scene(task("reach"))
    scene.reset(0)
    goal = pose((0.1, -0.12, 0.2), about(0, 2.4) @ about(2, 1.0))
    before = scene.hand
    for action in drive(scene, Keyframe(goal, False)):
        assert np.linalg.norm(action[:3]) <= 1 + 1e-12 and np.linalg.norm(action[3:6]) <= 1 + 1e-12
        last = scene.target
        scene.act(action)
        assert np.linalg.norm(scene.target.offset - last.offset) <= 0.4 / 20 + 1e-12
    assert np.linalg.norm(scene.hand.offset - goal.offset) < 1e-3 < np.linalg.norm(before.offset - goal.offset)
    assert angle_of(scene.hand.matrix.T @ goal.matrix) < 0.01 and scene.opening < 1e-3


def test_actions_are_bounded_by_a_ball_and_the_target_by_the_workspace_and_a_leash():
    scene = Scene(task("reach"), frame=pose((1.0, 2.0, 0.5), about(2, 0.7)))
    scene.reset(0)
    first = scene.target
    scene.act((1, 1, 0, 0, 0, 0, 1))
    assert abs(np.linalg.norm(scene.target.offset - first.offset) - 0.02) < 1e-6
    for _ in range(60):
        scene.act((1, 0, 0, 0, 0, 0, 1))
    place = scene.frame.inverse().matrix @ (scene.target.offset - scene.frame.offset)
    assert np.hypot(place[0], place[1]) < 0.32 + 1e-9
    for _ in range(60):  # down, against the table
        scene.act((0, 0, -1, 0, 0, 0, 1))
    assert np.linalg.norm(scene.hand.offset - scene.target.offset) < 0.031 and scene.on_table("hand").offset[2] > 0.01


def test_a_state_that_is_set_goes_on_as_it_went_on():
    scene, other = Scene(task("buttons"), frame=pose((0.2, 0, 0.1), about(2, 1.0))), Scene(task("buttons"))
    actions = demonstrate(scene, 4).actions
    scene.reset(4)
    for a in actions[:30]:
        scene.act(a)
    state = scene.get_state()
    for a in actions[30:60]:
        scene.act(a)
    other.set_state(state)
    assert np.array_equal(other.get_state(), state)
    for a in actions[30:60]:
        other.act(a)
    assert np.abs(other.get_state() - scene.get_state()).max() < 1e-6
    with pytest.raises(OrbitscopeError, match="`state` of buttons should be .* finite numbers"):
        other.set_state(state[:-1])
    with pytest.raises(OrbitscopeError, match="7 finite numbers"):
        other.act(np.full(7, np.nan))


def test_an_episode_is_replayed_and_another_seed_is_another():
    scene = Scene(task("stack"))
    one, again, other = demonstrate(scene, 1), demonstrate(scene, 1), demonstrate(scene, 2)
    assert np.array_equal(one.actions, again.actions) and np.array_equal(one.bodies, again.bodies)
    assert len(one) != len(other) or not np.array_equal(one.actions, other.actions)
    played = replay(Scene(task("stack")), one)
    assert played.success and np.abs(played.bodies - one.bodies).max() < 1e-9 and np.array_equal(played.scripted, one.scripted)


@pytest.mark.parametrize("name", ["peg", "buttons", "reach"])
def test_environments_are_clean(name):
    env = gymnasium.make(f"orbitscope/{TASKS[name].identifier}-v0").unwrapped
    assert isinstance(env, TableTop)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env, skip_render_check=True)
    first, _ = env.reset(seed=5)
    second, info = env.reset(seed=5)
    assert all(np.array_equal(first[k], second[k]) for k in first) and info["seed"] == 5
    third, _ = env.reset()
    assert not np.array_equal(first["hand"], third["hand"])


def test_every_task_has_its_environment_and_a_script_ends_it_with_reward():
    for kind in TASKS.values():
        assert f"orbitscope/{kind.identifier}-v0" in gymnasium.registry
    actions = demonstrate(Scene(task("peg")), 3).actions
    env = gymnasium.make("orbitscope/Peg-v0")
    env.reset(seed=3)
    total, over = 0.0, False
    for a in actions:
        _, reward, over, _, _ = env.step(a)
        total += float(reward)
        if over:
            break
    assert over and total == 1.0


def test_a_diverging_simulation_ends_the_episode_without_success():
    env = TableTop("lift")
    env.reset(seed=0)
    env.scene.throw("block", (0, 0, 5e3))
    _, reward, over, _, info = env.step(np.zeros(7))
    assert over and reward == 0 and info["diverged"] and not info["success"]


def test_wrong_settings_are_said():
    with pytest.raises(OrbitscopeError, match="'elliptic' or 'pyramidal', got 'round'"):
        Scene(task("lift"), cone="round")
    with pytest.raises(OrbitscopeError, match="turn about the vertical"):
        Scene(task("lift"), frame=Rigid(about(0, 0.2)))
    with pytest.raises(OrbitscopeError, match="no body 'bloc'. It has"):
        Scene(task("lift")).pose("bloc")
    with pytest.raises(OrbitscopeError, match="`render_mode`"):
        TableTop("lift", render_mode="human")
    with pytest.raises(OrbitscopeError, match="no free thing of drawer"):
        Scene(task("drawer")).throw("cabinet", (0, 0, 1))
