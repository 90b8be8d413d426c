"""The rival that scores every pose: its sampled softmax beside the full one, what is drawn, and what turning the hand costs."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from orbitscope import OrbitscopeError
from orbitscope.systems.manipulation import SYSTEM, FlatTransporter, Level, Transporter, record, rotation_grid, transporter_for
from orbitscope.systems.manipulation._poses import about
from orbitscope.systems.manipulation._rotations import nearest_rotation
from orbitscope.systems.manipulation._search import indices, joined, split
from orbitscope.systems.manipulation._seen import middle
from orbitscope.systems.manipulation._transporter import held_at

from .test_transporter import QUARTER, moved, sight

CELLS = 10


def rival(tilt: float = 0.0, coarse: int | None = None, **options) -> FlatTransporter:
    """Small and random, its voxels 50 mm in place of 12 mm, so that few of them hold everything."""
    torch.manual_seed(1)
    model = FlatTransporter(rotation_grid(np.pi / 2, tilt=tilt)[:coarse], cells=CELLS, width=1, features=3, **options)
    model.levels = (model.levels[0]._replace(edge=0.05),)
    return model.double().requires_grad_(False)


def goals(model: FlatTransporter, x: tuple, count: int = 1, turns: tuple = (30, 61, 7)) -> torch.Tensor:
    """Poses [1, M, 12] of the hand: different orientations of the grid, what is held at different voxels."""
    rng = np.random.default_rng(5)
    chosen = model.turns.double()[list(turns[:count])]
    held = torch.tensor(rng.uniform(-0.12, 0.12, (count, 3)))
    place = held + middle(x[3]) - (chosen @ model.contents(x)[3][0][:, None])[..., 0]
    return joined(place, chosen)[None]


def cells_of(model: FlatTransporter, x: tuple, same: torch.Tensor) -> list[tuple[int, ...]]:
    """(orientation, voxel) of each right pose, one after the other."""
    places, turned = (v[0] for v in held_at(same, model.contents(x)[3]))
    nearest = [nearest_rotation(model.turns.double().numpy(), r) for r in turned.numpy()]
    return [(r, *indices(model.levels[0], (p - middle(x[3]))).tolist()[0]) for r, p in zip(nearest, places, strict=True)]


def all_scores(model: FlatTransporter, x: tuple) -> torch.Tensor:
    return model.scores(0, x, model.turns.double()[None], middle(x[3]))[0][0]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("prior", [False, True])
def test_with_all_poses_drawn_it_is_the_full_cross_entropy(count, prior):
    model, x = rival(drawn=108, stride=1, turn_prior=prior), sight()
    if model.against is not None:
        model.against.fill_(0.3)
    same = goals(model, x, count)
    then, drawn = torch.ones(1, 1, dtype=torch.float64), torch.rand(1, 33, dtype=torch.float64)
    found = model.loss(x, same[:, 0], then, drawn, same if count > 1 else None)
    scores, right = all_scores(model, x), cells_of(model, x, same)
    total = torch.tensor([float(s) for s in scores.flatten()], dtype=torch.float64)
    wanted = total.exp().sum().log() - torch.stack([scores[c].exp() for c in right]).sum().log()
    r, *at = right[int(drawn[0, 5] * count)]
    kernels = model.hand_kernels(0, x, model.turns.double()[None, r : r + 1])
    wide = model._wide(0, model.scene_field(0, x, middle(x[3])))
    logit = model._told(wide, kernels, torch.tensor([at]), torch.zeros(1, dtype=torch.long), x[4])
    wanted = wanted + F.softplus(-logit[0, 0])
    assert abs(float(found[0] - wanted)) < 1e-10 and len(set(right)) == count


def test_the_mean_of_the_estimated_denominator_is_the_full_one(monkeypatch):
    """Over every orientation that could be drawn and every first voxel, one by one: 27 x 8 draws."""
    model, x = rival(coarse=1, drawn=1, stride=2), sight(1)
    same = goals(model, x, turns=(20,))
    cell = cells_of(model, x, same)[0]
    scores, wide = all_scores(model, x), model._wide(0, model.scene_field(0, x, middle(x[3])))[0]
    given: list = []
    monkeypatch.setattr(torch, "randperm", lambda n, generator: torch.tensor([given[0], *(k for k in range(n) if k != given[0])]))
    monkeypatch.setattr(torch, "randint", lambda high, size, generator: torch.tensor(given[1]))
    known = model.hand_kernels(0, x, model.turns.double()[None])
    turns = model.turns.double()
    monkeypatch.setattr(
        model, "hand_kernels", lambda _, __, asked: known[:, [int((turns - r).abs().sum((1, 2)).argmin()) for r in asked[0]]]
    )
    found = []
    for turn, first in itertools.product(range(len(turns)), itertools.product((0, 1), repeat=3)):
        given[:] = [turn, list(first)]
        missed, _ = model._missed(wide, x, torch.tensor([cell]), 0, 0)
        found.append(float((missed + scores[cell]).exp()))
    assert abs(np.mean(found) / float(scores.exp().sum()) - 1) < 1e-10 and np.std(found) > 1e-6 * np.mean(found)
    plain = rival(coarse=1, drawn=1, stride=2, corrected=False)
    less = float((plain._missed(wide, x, torch.tensor([cell]), 0, 0)[0] + scores[cell]).exp())
    assert less < 0.5 * float(scores.exp().sum()), "uncorrected, most of the poses are not counted"


def test_it_finds_the_best_of_all_scores_and_draws_by_its_numbers_alone():
    model, x = rival(tilt=1.6, drawn=5).eval(), sight(2)
    pose, _ = model.find(x)
    scores = all_scores(model, x)
    r, i, j, m = np.unravel_index(int(scores.argmax()), scores.shape)
    place, turn = split(pose)
    held = place + (turn @ model.contents(x)[3][..., None])[..., 0] - middle(x[3])
    at = (held[0] / 0.05 + (CELLS - 1) / 2 - torch.tensor([i, j, m])).abs().max()
    cosine = (float((turn[0] * model.turns[int(r)]).sum()) - 1) / 2
    assert at <= 0.5 + 1e-9 and cosine > np.cos(np.deg2rad(7.5 * 3**0.5 + 1e-6)), "refined by less than half a step"
    same, then = goals(model, x), torch.ones(1, 1, dtype=torch.float64)
    numbers = torch.linspace(0.1, 0.9, 33, dtype=torch.float64)[None]
    once, again = (model.loss(x, same[:, 0], then, numbers) for _ in range(2))
    assert torch.equal(once, again) and not torch.equal(once, model.loss(x, same[:, 0], then, numbers * 0.99))


def test_what_turning_the_hand_costs_moves_with_the_scene_and_is_the_formula():
    torch.manual_seed(0)
    model = Transporter(
        rotation_grid(np.pi / 4, tilt=0.8), width=1, features=3, turn_prior=True, levels=(Level(8, 0.05, 5), Level(6, 0.03, 5))
    )
    model, x = model.double().requires_grad_(False), sight()
    turns = model.turns.double()[None]
    without = model.scores(0, x, turns, middle(x[3]))[0]
    assert model.against is not None and not model.prior(0, x[3], turns).any(), "nothing is against turning before training"
    model.against.copy_(torch.tensor([0.7, 0.2], dtype=torch.float64))
    found, hand = model.prior(0, x[3], turns)[0], split(x[3])[1][0]
    exact = torch.tensor(rotation_grid(np.pi / 4, tilt=0.8))
    assert (found - model.prior(0, x[3], exact[None])[0]).abs().max() < 1e-5, "orientations are kept in float32"
    for r, value in zip(exact, model.prior(0, x[3], exact[None])[0], strict=True):
        angle = np.arccos(np.clip((np.trace((hand.T @ r).numpy()) - 1) / 2, -1, 1))
        assert abs(float(value) + 10 * 0.7 * (1 - np.cos(angle))) < 1e-10
    assert torch.allclose(model.scores(0, x, turns, middle(x[3]))[0], without + found[None, :, None, None, None], atol=1e-12)
    there = moved(x[3], QUARTER, torch.zeros(3, dtype=torch.float64))
    assert (model.prior(1, there, QUARTER @ turns) - model.prior(1, x[3], turns)).abs().max() < 1e-12
    other = x[3].clone()
    other[:, 3:] = torch.tensor(about(2, 1.0).T @ np.eye(3)).flatten()
    assert (model.prior(0, other, turns) - model.prior(0, x[3], turns)).abs().max() > 0.1


def test_flat_is_a_search_that_trains(tmp_path):
    examples = SYSTEM.read(record("button", tmp_path / "demos.nc", count=1, seed=100, settings={"pixels": 12, "voxel": 0.04}))
    model = transporter_for(examples, search="flat", width=1, features=2, turn_prior=True)
    assert isinstance(model, FlatTransporter) and len(model.turns) % 108 == 0 and model.against is not None
    with pytest.raises(OrbitscopeError, match=r"one of two, three, one, flat, got 'four'"):
        transporter_for(examples, search="four")
    for wrong, words in (({"drawn": 0}, "`drawn` should be from 1 to"), ({"stride": 51}, "`stride` should be from 1 to the 50")):
        with pytest.raises(OrbitscopeError, match=words):
            FlatTransporter(model.turns.numpy()[:4], **wrong)  # pyright: ignore[reportArgumentType]
    with pytest.raises(OrbitscopeError, match="`lift` should be true or false, got 7"):
        transporter_for(examples, lift=7)  # pyright: ignore[reportArgumentType]
    small = FlatTransporter(model.turns.numpy()[13:40:27], cells=12, drawn=4, width=1, features=2)
    x, (goal, then, same) = (tuple(v[:2] for v in parts) for parts in (examples.x, examples.y))
    loss = small.loss(x, goal, then, torch.rand(2, 33, dtype=goal.dtype), same)
    loss.sum().backward()
    assert loss.shape == (2,) and all(p.grad is not None and torch.isfinite(p.grad).all() for p in small.parameters())
