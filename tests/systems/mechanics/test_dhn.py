"""The Denoising Hamiltonian Network: denoising against a slow loop, masks, stages of spacing, what is left out to compare with."""

import pytest
import torch
from torch.func import grad

from orbitscope import OrbitscopeError
from orbitscope.systems.mechanics import DHN, Every, First, motion_of, trajectories_of

from .motions import motion, network

DATA = motion()
PATHS = trajectories_of(DATA)[:, 0]


def slope(f, first, second, level, z):
    """Along the second block, by automatic differentiation of the scalar."""
    return grad(lambda v: f.value(torch.cat([first, v])[None], level[None], z)[0])(second)


@pytest.mark.parametrize(("block", "stride", "net"), [(2, 1, "mlp"), (4, 2, "mlp"), (3, 3, "transformer")])
def test_the_published_network_denoises_as_a_slow_loop_does(block, stride, net):
    model = network("dhn", DATA, gain=1.0, block=block, stride=stride, net=net, width=16, refinements=3)
    x, _, context, _ = (p[::17] for p in DATA.x)
    whole, z = model.scale(x)[:, -block:], model.encode(context)
    later = torch.full_like(whole[:, :stride], 7.0)  # not looked at
    found = model.denoised(torch.cat([whole, later], 1), torch.arange(block + stride) < block, z)
    for n in range(len(x)):
        q, p = whole[n, :, :1], whole[n, :, 1:]
        new_q, new_p = torch.zeros(stride, 1, dtype=torch.float64), torch.zeros(stride, 1, dtype=torch.float64)
        for k in range(4):
            a = k / 3
            q_in, p_in = torch.cat([q[stride:], a * new_q]), torch.cat([p[stride:], a * new_p])
            level = torch.tensor([1.0] * block + [1.0] * (block - stride) + [a] * stride, dtype=torch.float64)
            slope_p = slope(model.right[0], q, p_in, level, z[n : n + 1])
            slope_q = slope(model.left[0], p, q_in, level, z[n : n + 1])
            new_q, new_p = (q + slope_p)[-stride:], (p - slope_q)[-stride:]
        assert (found[n, -stride:] - torch.cat([new_q, new_p], 1)).abs().max() < 1e-12
        assert torch.equal(found[n, :block], whole[n])


def test_a_frame_between_two_is_the_mean_of_what_both_blocks_say():
    model = network("dhn", DATA, gain=1.0, block=2, stride=1, masks="both", refinements=2)
    z = model.encode(PATHS[:, :16])
    whole = model.scale(PATHS[:, :3])
    found = model.denoised(torch.where(torch.tensor([1, 0, 1])[:, None] > 0, whole, 9.0), torch.tensor([True, False, True]), z)[:, 1]
    for n in range(len(whole)):
        first, last, guess = whole[n, 0], whole[n, 2], torch.zeros(2, dtype=torch.float64)
        for k in range(3):
            a = k / 2
            q, p = (torch.stack([first[i], a * guess[i]])[:, None] for i in (0, 1))
            later_q, later_p = (torch.stack([a * guess[i], last[i]])[:, None] for i in (0, 1))
            level = torch.tensor([1.0, a, a, 1.0], dtype=torch.float64)
            args = (level[None], z[n : n + 1])
            along_q, along_p = (g[0] for g in model.right[0].gradient(q[None], later_p[None], *args))
            back_p, back_q = (g[0] for g in model.left[0].gradient(p[None], later_q[None], *args))
            as_target = torch.stack([(q + along_p)[0, 0], (p - back_q)[0, 0]])
            as_source = torch.stack([(later_q - back_p)[1, 0], (later_p + along_q)[1, 0]])
            guess = 0.5 * (as_target + as_source)
        assert (found[n] - guess).abs().max() < 1e-12


def test_stages_halve_the_spacing():
    model = network("dhn", DATA, gain=1.0, block=2, stride=1, masks="both", spacings=(1, 2), refinements=2)
    z = model.encode(PATHS[:, :16])
    blind = torch.where(Every(4)(25)[:, None], PATHS, 9.0)
    found = model.scale(model.refine(blind, Every(4), z)[0])
    seen, whole = torch.tensor([True, False, True]), model.scale(PATHS)
    for t in (0, 8, 20):
        middle = model.denoised(whole[:, [t, t, t + 4]], seen, z, stage=1)[:, 1]
        assert (found[:, t + 2] - middle).abs().max() < 1e-13
        ends = torch.stack([middle, middle, whole[:, t + 4]], 1)
        assert (found[:, t + 3] - model.denoised(ends, seen, z)[:, 1]).abs().max() < 1e-13
    assert torch.equal(found[:, ::4], model.scale(model.unscale(whole[:, ::4])))
    beyond = model.refine(torch.where(Every(4)(24)[:, None], PATHS[:, :24], 9.0), Every(4), z)[0]
    assert torch.isfinite(beyond).all() and (beyond[:, 21:] - 9).abs().min() > 1e-6  # the last ones are a forecast


def test_the_loss_is_the_published_one_and_its_mask_is_drawn():
    model = network("dhn", DATA, gain=1.0, block=2, stride=1, masks="both")
    whole, z = model.scale(PATHS[:, :3]), model.encode(PATHS[:, :16])
    torch.manual_seed(3)
    drawn = torch.randn(4, 7, dtype=torch.float64)
    drawn[:, 0] = torch.tensor([1.0, -1, 2, -2])  # the middle, the last, ...
    found = model.block_loss(whole, z, drawn)
    for n in range(4):
        at = 1 if drawn[n, 0] > 0 else 2
        part, noise = 0.5 * (1 + torch.erf(drawn[n, at] / 2**0.5)), drawn[n, 3 + 2 * (at - 1) : 5 + 2 * (at - 1)]
        mixed, level = whole[n].clone(), torch.ones(3, dtype=torch.float64)
        mixed[at], level[at] = part * whole[n, at] + (1 - part) * noise, part
        slow = 0.0
        for frames, levels, weight in ((whole[n], torch.ones(3, dtype=torch.float64), 1.0), (mixed, level, 0.1)):
            made = model.errors(frames[None], levels[None], z[n : n + 1])
            truth = (whole[n, 1:, :1], whole[n, :2, 1:], whole[n, :2, :1], whole[n, 1:, 1:])
            slow = slow + weight * sum((m[0] - t).square().mean() for m, t in zip(made, truth, strict=True)) / 4
        assert abs(found[n] - slow) < 1e-12


def test_without_noise_and_without_a_scalar():
    clean = network("dhn", DATA, gain=1.0, denoise=False, refinements=0)
    z = clean.encode(PATHS[:, :16])
    block = clean.scale(PATHS[:, :4])
    still = torch.cat([block, block[:, 3:].expand(-1, 2, -1)], 1)  # starts where the last known frame stands, all taken for known
    later_q, _, _, later_p = clean.errors(still, torch.ones(4, 6, dtype=torch.float64), z)
    assert (clean.advance(block, z) - torch.cat([later_q, later_p], -1)[:, 2]).abs().max() < 1e-13
    drawn = torch.randn(4, 13, dtype=torch.float64)
    assert torch.equal(clean.block_loss(still, z, drawn), clean.block_loss(still, z, 2 * drawn))
    plain = network("dhn", DATA, structure="none")
    assert not any(hasattr(f, "value") for f in plain.right)
    assert torch.isfinite(plain.forecast(PATHS[:, :5], 3, plain.encode(PATHS[:, :16]))).all()


def test_an_ensemble_is_drawn_by_its_seed_and_small_for_small_noise():
    model = network("dhn", DATA, gain=1.0, refinements=2)
    z = model.encode(PATHS[:, :16])
    found = model.ensemble(PATHS[:, :5], 3, z, 4, seed=1)
    assert found.shape == (4, 4, 3, 2) and torch.equal(found, model.ensemble(PATHS[:, :5], 3, z, 4, seed=1))
    assert (found.std(0) > 0).all() and not torch.equal(found, model.ensemble(PATHS[:, :5], 3, z, 4, seed=2))
    still = network("dhn", DATA, gain=0.0).ensemble(PATHS[:, :5], 3, torch.zeros(4, 8, dtype=torch.float64), 4)
    assert torch.allclose(still, still[:1], atol=1e-12)  # a network of zeros looks at no noise


def test_a_network_of_zeros_lets_blocks_stand_still():
    model = network("dhn", DATA, gain=0.0)
    x, direction, context, numbers = (p[:5] for p in DATA.x)
    b, s = model.block, model.stride
    assert torch.allclose(model(x, direction, context, numbers), x[:, -b + b - s], atol=1e-12)  # Q' = Q, s frames later
    assert torch.allclose(model(x, -direction, context, numbers), x.flip(1)[:, s - 1], atol=1e-12)  # listed back in time


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"block": 4, "stride": 5}, "stride"),
        ({"block": 5, "stride": 3}, "history=7"),
        ({"block": 2, "stride": 0}, "block"),
        ({"block": 2, "stride": 1, "spacings": (1, 4)}, "history=8"),
        ({"block": 2, "stride": 1, "spacings": (2,)}, "spacings"),
        ({"masks": "both"}, "`masks`"),
        ({"structure": "some"}, "`structure`"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, said):
    with pytest.raises(OrbitscopeError, match=said):
        DHN(motion_of(DATA), **options)


@pytest.mark.parametrize("mask", [Every(3), Every(8), Every(1), First(5)])
def test_gaps_that_were_not_trained_are_refused(mask):
    model = network("dhn", DATA, block=2, stride=1, masks="both", spacings=(1, 2))
    with pytest.raises(OrbitscopeError, match="--preset refine"):
        model.refine(PATHS, mask, model.encode(PATHS[:, :16]))
