"""Where the voxels of the hierarchical policy stand, and what the high level makes of them."""

import itertools

import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.systems.manipulation._hep_voxels import middle_of
from orbitscope.systems.manipulation._poses import about

from .hep_scenes import SHIFT, moved, moved_pose, policy, posed, sight


@pytest.mark.parametrize("options", [{}, {"hierarchy": False}, {"frame_transfer": "none"}, {"equivariant": False}], ids=str)
def test_a_grid_along_the_hand_makes_every_turn_exact(options):
    """The whole policy, for any angle and every shift: its voxels turn with the scene."""
    model, x, turn = policy(grid="hand", **options), sight(5), torch.tensor(about(2, 0.7))
    found, plain = model.chunk(moved(x, turn, SHIFT)), model.chunk(x)
    assert (found[..., :12] - moved_pose(plain[..., :12], turn, SHIFT)).abs().max() < 1e-10
    given = torch.tensor([[0.05, -0.02, 0.1]]).double()
    there = model.chunk(moved(x, turn, SHIFT), place=given @ turn.mT + SHIFT)[..., :12]
    assert (there - moved_pose(model.chunk(x, place=given)[..., :12], turn, SHIFT)).abs().max() < 1e-10
    if model.high is not None:
        assert (model.keypose(moved(x, turn, SHIFT)).place - (model.keypose(x).place @ turn.mT + SHIFT)).abs().max() < 1e-10
    else:
        with pytest.raises(OrbitscopeError, match="no hierarchy"):
            model.keypose(x)
    world = policy(**options)
    assert (world.chunk(moved(x, turn, SHIFT))[..., :12] - moved_pose(world.chunk(x)[..., :12], turn, SHIFT)).abs().max() > 1e-4


def test_the_training_along_the_hand_sees_no_turn_either():
    x, goal = sight(8, 2), torch.cat([posed(torch.rand(3).double() / 10, about(2, a)) for a in (0.1, 2.0)])
    then, turn = torch.ones(2, 1).double(), torch.tensor(about(2, 0.7))
    for grid, same in (("hand", True), ("world", False)):
        model, losses = policy(grid=grid), []
        for seen, wanted in ((x, goal), (moved(x, turn, SHIFT), moved_pose(goal, turn, SHIFT))):
            torch.manual_seed(0)
            losses.append(model.loss(seen, wanted, then, torch.zeros(2, 33)))
        assert (bool((losses[0] - losses[1]).abs().max() < 1e-9)) == same


@pytest.mark.parametrize("votes", [0, 1])
def test_the_keypose_is_what_the_formula_says(votes):
    """The heat-weighted mean of what the best voxel and its neighbours say, voxel by voxel."""
    model, x = policy(votes=votes), sight(9)
    assert model.high is not None
    centre = middle_of(x, 0.12)
    heat, *rest = model.high.fields(x, centre)[0]
    best = divmod(int(heat.argmax()), 8 * 4)
    i, (j, k) = best[0], divmod(best[1], 4)
    places, weights = [], []
    for cell in itertools.product(*(range(n - votes, n + votes + 1) for n in (i, j, k))):
        if all(0 <= c < n for c, n in zip(cell, (8, 8, 4), strict=True)):
            middle = (torch.tensor(cell).double() - torch.tensor([3.5, 3.5, 1.5])) * 0.06
            places.append(centre[0] + middle + 0.06 * torch.stack([r[cell] for r in rest[:3]]))
            weights.append(heat[cell].exp())
    wanted = (torch.stack(places) * torch.stack(weights)[:, None]).sum(0) / torch.stack(weights).sum()
    assert (model.high(x).place[0] - wanted).abs().max() < 1e-10 and len(places) > 8 * votes


def test_the_learning_can_be_measured():
    """Derivatives by the weights, forward, as influence needs them: norms refuse them where the fields of voxels lie in another order."""
    model, x = policy(cells=16, edge=0.04, near=0.03), sight(10)
    weights = {k: v.detach() for k, v in model.named_parameters()}
    way = {k: torch.randn(v.shape, generator=torch.Generator().manual_seed(1)).double() for k, v in weights.items()}

    def answer(given):
        return torch.func.functional_call(model, given, x)[0]

    slope = torch.func.jvp(answer, (weights,), (way,))[1]
    ahead, behind = (answer({k: v + s * 1e-7 * way[k] for k, v in weights.items()}) for s in (1, -1))
    assert (slope - (ahead - behind) / 2e-7).abs().max() < 1e-4 * slope.abs().max()
