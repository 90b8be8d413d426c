"""The keypose network with an MLP: its angles, what it learns, that it is a model like the others."""

import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.cli import main
from orbitscope.data import Examples
from orbitscope.systems.manipulation import KeyposeMLP, angles_of, keypose_mlp_for, record, rotation_of
from orbitscope.systems.manipulation._poses import about, turned

DOWN = np.diag([1.0, -1.0, -1.0])


def test_angles_are_those_of_the_formula_and_come_back():
    rng = np.random.default_rng(0)
    angles = rng.uniform(-1.4, 1.4, (20, 3))
    wanted = np.stack([about(2, a) @ about(1, b) @ about(0, c) @ DOWN for a, b, c in angles])
    found = rotation_of(torch.tensor(angles))
    assert np.abs(found.numpy() - wanted).max() < 1e-12
    assert np.abs(angles_of(found).numpy() - angles).max() < 1e-12
    turns = torch.tensor(np.stack([turned(rng.standard_normal(3)) for _ in range(20)]))
    assert (rotation_of(angles_of(turns)) - turns).abs().max() < 1e-12


def test_it_learns_one_keyframe_by_heart():
    torch.manual_seed(0)
    rng, model = np.random.default_rng(0), KeyposeMLP(width=1, features=3)
    points = np.concatenate([rng.uniform(-0.2, 0.2, (1, 60, 3)) * (1, 1, 0), rng.uniform(-0.02, 0.02, (1, 30, 3)) + (0.05, -0.08, 0.03)], 1)
    hand = np.concatenate([[0.0, 0.0, 0.25], DOWN.T.ravel()])[None]
    x = tuple(torch.tensor(v, dtype=torch.float32) for v in (points, rng.random(points.shape), np.ones((1, 90)), hand, np.ones((1, 1))))
    goal = torch.tensor(np.concatenate([[0.05, -0.08, 0.03], (about(2, 0.7) @ DOWN).T.ravel()])[None], dtype=torch.float32)
    then, optimizer = torch.zeros(1, 1), torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(80):
        optimizer.zero_grad()
        loss = model(*x, goal, then, torch.rand(1, 33))[2].mean()
        loss.backward()
        optimizer.step()
    pose, logit = model.eval()(*x)
    assert (pose[0, :3] - goal[0, :3]).norm() < 0.012 and (pose[0, 3:] - goal[0, 3:]).abs().max() < 0.1 and float(logit[0, 0]) < 0


def test_it_trains_and_acts_from_the_command_line(tmp_path, capsys):
    demos = record("reach", tmp_path / "demos.nc", count=4, seed=100, settings={"pixels": 16, "voxel": 0.03})
    assert main(["train", str(demos), "--model", "keypose_mlp", "--epochs", "1", "--out", str(tmp_path / "run")]) == 0
    assert main(["evaluate", str(tmp_path / "run"), "--episodes", "1"]) == 0
    assert "keypose_mlp: " in capsys.readouterr().out
    with pytest.raises(OrbitscopeError, match="needs keyframes"):
        keypose_mlp_for(Examples(torch.zeros(3, 2), torch.zeros(3, 1)))
