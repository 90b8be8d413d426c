"""Keyframes that are as good as the demonstrated one: what they do in the simulator, and how the loss counts them."""

import numpy as np
import pytest
import torch

from orbitscope.systems.manipulation import (
    EQUIVALENTS,
    Keyframe,
    Level,
    PlaceError,
    Scene,
    Transporter,
    TurnError,
    decisions,
    demonstrate,
    drive,
    equivalents,
    rotation_grid,
    task,
)
from orbitscope.systems.manipulation._scene import unflattened
from orbitscope.systems.manipulation._transporter import _missed


@pytest.mark.parametrize("name, orders", [("lift", 4), ("ring", 24), ("peg", 16), ("button", 24), ("reach", 1), ("tool", 2)])
def test_every_one_leads_on_as_the_demonstrated_one_does(name, orders):
    """The first keyframe is replaced by one that is as good; the script, which looks where things are, does the task from there."""
    scene = Scene(task(name))
    episode = demonstrate(scene, seed=101)
    look, goal = decisions(episode)[0]
    found = equivalents(scene.task, episode, look, goal)
    assert found.shape == (EQUIVALENTS, 12) and np.abs(found[0] - episode.hand[goal]).max() < 1e-9
    assert len(np.unique(found.round(6), axis=0)) == orders
    if orders == 1:
        return
    for row in found[[orders // 2, orders - 1]]:
        scene.reset(101)
        for action in drive(scene, Keyframe(unflattened(row), bool(episode.open[goal]))):
            scene.act(action)
        for keyframe in scene.task.script(scene):
            for action in drive(scene, keyframe):
                scene.act(action)
        assert scene.task.done(scene)


def test_a_hand_that_is_nearly_there_goes_on_with_the_turn_that_it_has():
    scene = Scene(task("lift"))
    episode = demonstrate(scene, seed=101)
    look, goal = decisions(episode)[1]
    found = equivalents(scene.task, episode, look, goal)
    assert np.abs(found - episode.hand[goal]).max() < 1e-9


def test_all_right_cells_count_and_none_twice():
    rng = np.random.default_rng(0)
    level, turns = Level(4, 0.05, 3), torch.tensor(rotation_grid(np.pi / 2)[None])
    scores = torch.tensor(rng.standard_normal((1, turns.shape[1], 4, 4, 4)))
    places, centre = torch.tensor(rng.uniform(-0.08, 0.08, (1, 5, 3))), torch.zeros(1, 3, dtype=torch.float64)
    turned = turns[:, [3, 5, 5, 0, 3]]
    places[0, 4] = places[0, 0]  # the same pose again
    cells = [tuple(int(np.clip(round(v / 0.05 + 1.5), 0, 3)) for v in p) for p in places[0].tolist()]
    right = {(r, *c) for r, c in zip((3, 5, 5, 0, 3), cells, strict=True)}
    chances = torch.softmax(scores.flatten(), 0).reshape(scores.shape[1:])
    wanted = -np.log(sum(float(chances[c]) for c in right))
    near, at = torch.tensor([3]), torch.tensor([list(cells[0])])
    found = _missed(level, scores, turns, centre, (places, turned), near, at, False)
    assert abs(float(found[0]) - wanted) < 1e-10
    alone = _missed(level, scores, turns, centre, None, near, at, False)
    assert abs(float(alone[0]) + np.log(float(chances[(3, *cells[0])]))) < 1e-10


def test_errors_are_those_to_the_nearest_of_what_is_as_good():
    rng = np.random.default_rng(0)
    same = torch.tensor(np.stack([np.concatenate([rng.uniform(-0.1, 0.1, 3), r.T.ravel()]) for r in rotation_grid(np.pi / 2)[:6]]))[None]
    target = (same[:, 0], torch.zeros(1, 1), same)
    for k in (0, 4):
        answer = (same[:, k], torch.zeros(1, 1))
        assert float(PlaceError().each(answer, target)[0]) == 0 and float(TurnError().each(answer, target)[0]) < 1e-3
    assert float(PlaceError().each((same[:, 4], torch.zeros(1, 1)), target[:2])[0]) > 0.01


def test_a_loss_with_one_pose_is_the_plain_one():
    torch.manual_seed(0)
    model = Transporter(rotation_grid(np.pi / 2), width=1, features=2, levels=(Level(6, 0.1, 3), Level(4, 0.03, 3)))
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.1, 0.1, (2, 40, 3)) + (0, 0, 0.15)
    hand = np.concatenate([[0.0, 0, 0.2], np.diag([1.0, -1, -1]).ravel()])[None].repeat(2, 0)
    x = tuple(torch.tensor(v, dtype=torch.float32) for v in (points, rng.random(points.shape), np.ones((2, 40)), hand, np.ones((2, 1))))
    goal, then, drawn = x[3] + 0.0, torch.ones(2, 1), torch.rand(2, 33)
    goal[:, :3] += 0.04
    plain, alike = (model.loss(x, goal, then, drawn, same) for same in (None, goal[:, None].repeat(1, 5, 1)))
    assert (plain - alike).abs().max() < 1e-4
