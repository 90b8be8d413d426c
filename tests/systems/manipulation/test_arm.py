"""The hand on an arm: joints that reach, demonstrations that succeed and move with the scene, states to go back to, and what is out of
reach."""

import numpy as np
import pytest

from orbitscope import OrbitscopeError
from orbitscope.cli import main
from orbitscope.systems.manipulation import (
    Cameras,
    Keyframe,
    Scene,
    Start,
    TableTop,
    demonstrate,
    difference,
    evaluate,
    read_episodes,
    scene_elements,
    task,
)
from orbitscope.systems.manipulation._poses import about, angle_of, pointing_down, pose

pytest.importorskip("dm_control")


@pytest.fixture(scope="module")
def scene():
    return Scene(task("lift"), arm="jaco")


def test_joints_bring_the_hand_where_it_shall_be(scene):
    """Forward kinematics of the angles found is the pose asked for, and limits are kept."""
    scene.reset(3)
    near, rng = np.array(scene.data.ctrl[scene.arm._ctrl]), np.random.default_rng(0)
    for _ in range(5):
        shift = rng.uniform(-0.05, 0.05, 3)
        wanted = pose(scene.hand.offset + shift - (0, 0, 0.05), about(2, rng.uniform(-0.4, 0.4)) @ scene.hand.matrix)
        angles = scene.arm.joints(wanted, near)
        data = scene.mujoco.MjData(scene.model)
        data.qpos[scene.arm._at] = angles
        scene.mujoco.mj_kinematics(scene.model, data)
        site, where = data.site("arm-wristsite"), wanted @ pose((0, 0, -0.15))
        assert np.abs(site.xpos - where.offset).max() < 1e-6 and angle_of(site.xmat.reshape(3, 3).T @ where.matrix) < 1e-6
        for at, low, high in ((1, 0.820305, 5.462881), (2, 0.331613, 5.951573)):
            assert low <= angles[at] <= high
    assert scene.arm.joints(pointing_down(np.array([2.0, 0, 0.1])), near) is None


def test_a_demonstration_succeeds_and_moves_with_the_scene(scene):
    scene.move(pose(np.zeros(3)))
    gaps = []
    scene.watch = lambda _: gaps.append(float(np.linalg.norm(scene.hand.offset - scene.target.offset)))
    one = demonstrate(scene, 5)
    scene.watch = None
    assert one.success and scene.unreached == 0 and max(gaps) < 0.03
    assert gaps[-1] < 1e-3, "the hand is where its target is"
    g = scene_elements()[-1]
    scene.move(g)
    other = demonstrate(scene, 5)
    assert other.success and len(one) == len(other) and difference(one, other, g) < 1e-3
    floating = demonstrate(Scene(task("lift")), 5)
    assert np.abs(one.hand[-1] - floating.hand[-1]).max() < 5e-3 and len(one) != len(floating), "it goes the same way in another time"


def test_states_and_pictures(scene):
    scene.move(pose(np.zeros(3)))
    scene.reset(7)
    state, action = scene.get_state(), np.array([0.3, -0.5, -0.4, 0.1, 0.2, 0.3, 1.0])
    for _ in range(4):
        scene.act(action)
    first = scene.get_state()
    scene.set_state(state)
    for _ in range(4):
        scene.act(action)
    assert np.array_equal(first, scene.get_state())
    scene.reset(7)
    plain = Scene(task("lift"))
    plain.reset(7)
    mine, other = (Cameras(s, (24, 24)).cloud() for s in (scene, plain))
    assert len(mine) == len(other) and np.abs(mine.points - other.points).max() < 2e-3, "cameras do not see the arm"


def test_out_of_reach_is_told(scene, tmp_path, capsys):
    scene.move(pose(np.zeros(3)))
    upward = pose((0.1, 0.0, 0.1), about(0, 0.3))
    with pytest.raises(OrbitscopeError, match="out of the arm's reach"):
        scene.reset(start=Start(upward @ pose((0, 0, -0.1)), {"block": pose((0.1, 0.1, 0.02))}, 0.045, True))
    with pytest.raises(OrbitscopeError, match="should be one of jaco"):
        Scene(task("lift"), arm="panda")

    class Over:
        def predict_action(self, seen):
            return Keyframe(pose((0.25, 0.0, 0.05), about(0, 0.1)), True)  # fingers up, under the table

    found = evaluate(Over(), scene, [1], most=2, settings={"pixels": 8})
    assert found.outcomes[0] == "not done: the arm could not reach what was asked for" and found.successes == 0
    out = tmp_path / "arm.nc"
    assert main(["simulate", "manipulation.reach", "--trajectories", "1", "--initial", "arm=jaco", "pixels=8", "--out", str(out)]) == 0
    assert read_episodes(out)[0].success
    assert main(["simulate", "manipulation.reach", "--trajectories", "1", "--initial", "arm=panda", "--out", str(tmp_path / "b.nc")]) == 2
    assert "none, jaco" in capsys.readouterr().err


def test_an_environment_with_an_arm():
    env = TableTop("button", arm="jaco")
    seen, _ = env.reset(seed=1)
    after, reward, done, cut, info = env.step(np.array([0, 0, -1.0, 0, 0, 0, 1]))
    assert set(seen) == set(after) and not (done or cut or info["diverged"]) and reward == 0.0
    assert after["hand"][2] < seen["hand"][2] - 0.005
