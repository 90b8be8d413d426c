"""Where the voxels of the hierarchical policy stand, and what the high level makes of them."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from orbitscope import OrbitscopeError
from orbitscope.nn import Features
from orbitscope.systems.manipulation import SYSTEM, HierarchicalPolicy
from orbitscope.systems.manipulation._hep_layers import UprightConv
from orbitscope.systems.manipulation._hep_voxels import middle_of
from orbitscope.systems.manipulation._poses import about

from .hep_scenes import QUARTER, SHIFT, moved, moved_pose, policy, posed, sight


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


# --- eighths of a turn -------------------------------------------------------------------------------------------------------------


def test_an_upright_convolution_is_a_stack_of_planar_ones():
    torch.manual_seed(0)
    into, out = Features.of("c8", "scalar", "regular"), Features.of("c8", "scalar", "vector", "regular")
    for kernel, stride, sizes in ((3, 1, (5, 5, 4)), (2, 2, (4, 4, 6))):
        layer = UprightConv(into, out, kernel, stride).double().requires_grad_(False)
        for bias in layer.planar.biases.values():
            bias.normal_()
        x = torch.randn(2, into.channels, *sizes).double()
        found, width = layer(x), (kernel - stride) // 2
        tall, parts = F.pad(x, (width,) * 6), layer.planar.kernel_tensor().chunk(kernel)  # one kernel for each height
        said = layer.planar.bias_tensor()
        assert said is not None
        bias = torch.stack(said.chunk(kernel)).sum(0)
        for at in range(found.shape[4]):
            planes = [F.conv2d(tall[..., at * stride + k], parts[k], stride=stride) for k in range(kernel)]
            assert (found[..., at] - (sum(planes) + bias[None, :, None, None])).abs().max() < 1e-12


def test_kernels_of_eighths_know_eighths_of_a_turn():
    """Of a smooth field, an isotropic answer turned by 45 degrees is the answer to the turned field; a plain kernel's is not."""
    torch.manual_seed(0)
    axis = torch.arange(24).double() - 11.5
    cells = torch.stack(torch.meshgrid(axis, axis, torch.arange(4).double() - 1.5, indexing="ij"), -1)
    spots = torch.tensor([[5.0, 1.0, 0.5], [-3.0, -4.0, -0.5], [1.0, 6.0, 0.0]]).double()

    def field(turn):
        away = cells[..., None, :] - spots @ turn.mT
        return (torch.exp(-away.square().sum(-1) / (2 * 2.5**2)) * torch.tensor([1.0, -0.7, 0.5])).sum(-1)[None, None]

    turn, errors = torch.tensor(about(2, np.pi / 4)), {}
    for name in ("c8", "c1"):
        words = Features.of(name, "scalar", "vector")
        layer = UprightConv(Features.of(name, "scalar"), words, 3).double().requires_grad_(False)
        plain, there = layer(field(torch.eye(3).double())), layer(field(turn))
        wanted = F.grid_sample(plain, (cells @ turn / torch.tensor([12, 12, 2])).flip(-1)[None], align_corners=False)
        mix = torch.block_diag(torch.eye(1), turn[:2, :2].float()).double()
        wanted, inner = torch.einsum("ij,bjxyz->bixyz", mix, wanted), (slice(None), slice(None), slice(5, 19), slice(5, 19))
        errors[name] = float((there - wanted)[inner].norm() / wanted[inner].norm())
    assert errors["c8"] < 0.05 < 0.2 < errors["c1"], errors


@pytest.mark.parametrize("options", [{}, {"hierarchy": False}, {"frame_transfer": "none"}, {"stacked_voxels": False}], ids=str)
def test_a_policy_of_eighths_is_exact_for_quarters(options):
    model, x = policy(turns=8, **options), sight(5)
    plain = model.chunk(x)
    for k in (1, 2):
        turn = torch.matrix_power(QUARTER, k)
        assert (model.chunk(moved(x, turn, SHIFT))[..., :12] - moved_pose(plain[..., :12], turn, SHIFT)).abs().max() < 1e-10


def test_the_preset_for_a_gpu_in_small():
    """The layers of grid64, eighths of a turn on four depths of grids, on half its voxels along each axis and with fewer channels."""
    preset = dict(SYSTEM.model("hep", "grid64").presets["grid64"])
    assert preset["cells"] == 64 and preset["turns"] == 8
    model = HierarchicalPolicy(**{**preset, "cells": 32, "edge": 0.02, "near": 0.016, "width": 1, "hidden": 8, "steps": 8, "sampler": 2})
    x, goal = tuple(v.float() for v in sight(8)), posed(torch.rand(3).double() / 10, about(2, 0.3)).float()
    loss = model.loss(x, goal, torch.ones(1, 1), torch.zeros(1, 33))
    loss.sum().backward()
    assert torch.isfinite(loss).all() and model.chunk(x).shape == (1, 8, 13)
    assert all(p.grad is not None for p in model.low.parameters())
