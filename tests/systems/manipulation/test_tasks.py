"""Tasks of the table top: scripts do them, nothing else does, and what is wrong is said."""

import dataclasses

import numpy as np
import pytest

from orbitscope import OrbitscopeError
from orbitscope.symmetry import Rigid
from orbitscope.systems.manipulation import TASKS, Scene, Start, demonstrate, replay, task

SEEDS = (0, 1)


@pytest.mark.parametrize("name", TASKS)
def test_the_script_does_the_task_and_doing_nothing_does_not(name):
    scene = Scene(task(name))
    for seed in SEEDS:
        episode = demonstrate(scene, seed)
        assert episode.success and 0 < len(episode) < scene.task.horizon, (name, seed)
        scene.reset(seed)
        for _ in range(5):
            scene.act((0, 0, 0, 0, 0, 0, 1 if scene.open else -1))
        assert not scene.task.done(scene), f"{name} is done before anything was done"


@pytest.mark.parametrize("name", ["peg", "ring", "pour", "tool", "l-block"])
def test_what_is_held_begins_in_the_hand_at_another_pose_every_time(name):
    scene, found = Scene(task(name)), []
    for seed in range(4):
        scene.reset(seed)
        held = scene.hand.inverse() @ scene.pose(scene.task.held or "")
        drawn = scene.task.start(np.random.default_rng(0))
        assert np.linalg.norm(held.offset) < 0.15 and scene.opening < 0.012 and drawn.opening == 0.008
        found.append(held)
        for _ in range(10):  # half a second in the air: the heavy cup turns a little, nothing falls
            scene.act((0, 0, 0.1, 0, 0, 0, -1))
        later = scene.hand.inverse() @ scene.pose(scene.task.held or "")
        assert np.linalg.norm(later.offset - held.offset) < 8e-3
    turns = [np.arccos(np.clip((np.trace(a.matrix.T @ b.matrix) - 1) / 2, -1, 1)) for a in found for b in found if a is not b]
    assert min(turns) > 0.05 and max(turns) > 0.5


def test_a_button_in_the_wrong_order_is_no_success():
    scene = Scene(task("buttons"))
    scene.reset(3)
    start = scene.task.start(np.random.default_rng(5))
    bodies = dict(start.bodies)
    bodies["red"], bodies["green"] = bodies["green"], bodies["red"]
    good = demonstrate(scene, 0, start=start)
    assert good.success and scene.memory[0] == 3
    again = replay(scene, good, start=dataclasses.replace(start, bodies=bodies))  # the same presses, with two colours exchanged
    assert not again.success and scene.memory[1] == 1


def test_the_own_symmetry_of_a_thing_changes_nothing():
    """A peg that is turned by a quarter about itself is moved along in the same way."""
    scene = Scene(task("peg"))
    scene.reset(2)
    start = scene.task.start(np.random.default_rng(7))
    quarter = Rigid(np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]))
    turned = dataclasses.replace(start, bodies={**start.bodies, "peg": start.bodies["peg"] @ quarter})
    plain, other = demonstrate(scene, 0, start=start), demonstrate(scene, 0, start=turned)
    assert plain.success and other.success and len(plain) == len(other)
    assert np.abs(plain.hand - other.hand).max() < 1e-4
    third = dataclasses.replace(start, bodies={**start.bodies, "peg": start.bodies["peg"] @ _turn(0.6)})
    assert np.abs(demonstrate(scene, 0, start=third).hand[:20] - plain.hand[:20]).max() > 1e-2


def _turn(angle: float) -> Rigid:
    c, s = np.cos(angle), np.sin(angle)
    return Rigid([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def test_unknown_tasks_and_layouts_that_do_not_fit_are_refused():
    with pytest.raises(OrbitscopeError, match="no task 'pegs'.*peg"):
        task("pegs")
    scene = Scene(task("lift"))
    fine = scene.task.start(np.random.default_rng(0))
    with pytest.raises(OrbitscopeError, match="places block, got nothing|places block, got "):
        scene.reset(start=Start(fine.hand, {}, 0.045, True))
    far = {"block": Rigid(np.eye(3), [0.9, 0, 0.02])}
    with pytest.raises(OrbitscopeError, match="block of lift is at .* outside the workspace"):
        scene.reset(start=Start(fine.hand, far, 0.045, True))
    with pytest.raises(OrbitscopeError, match="`seed` should be a whole number"):
        scene.reset(1.5)  # pyright: ignore[reportArgumentType]
    with pytest.raises(OrbitscopeError, match="episode is of lift, the scene of peg"):
        replay(Scene(task("peg")), demonstrate(scene, 0))
