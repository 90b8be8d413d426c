"""Codes, frames between frames, noise and measures, each against something slow and obvious."""

import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.systems.mechanics import (
    BODIES,
    CodePrior,
    Every,
    First,
    HamiltonianMap,
    Mask,
    Scattered,
    code_probe,
    energy_errors,
    errors_by_horizon,
    fit_code,
    motion_of,
    reversal_error,
    symplectic_defect,
    trajectories_of,
    valid_times,
)

from .motions import KINDS, motion, network

DATA = motion()
NET = network("hamiltonian_map", DATA, code=2, width=12)
PATHS = trajectories_of(DATA)


def made(z, steps=24):
    """Motions that the map itself makes, [4, steps + 1, 2]: it fits them exactly."""
    start = PATHS[:, 0, :1]
    return torch.cat([start, NET.forecast(start, steps, z)], 1)


def test_a_code_is_found_from_a_motion_of_the_map_itself():
    torch.manual_seed(2)
    z = 0.4 * torch.randn(4, 2, dtype=torch.float64)
    prior = CodePrior(torch.zeros(2, dtype=torch.float64), torch.eye(2, dtype=torch.float64), 1e-12)
    frames = made(z)
    for given in (frames[:, :16], torch.stack([frames[:, :9], frames[:, 9:18]], 1)):
        found = fit_code(NET, given, prior, 40)
        assert (NET.residual(NET.scale(frames), found.z)).abs().max() < 1e-6
    assert torch.allclose(NET.complete(frames[:, :16], prior, 40).z, fit_code(NET, frames[:, :16], prior, 40).z)


@pytest.mark.parametrize(("kind", "options"), [*((k, {}) for k in sorted(KINDS)), ("dhn", {"net": "transformer"})])
def test_every_map_completes_a_system_after_its_training(kind, options):
    """As a finished run is loaded, where layers may take kernels that have no derivative along a code."""
    net = network(kind, DATA, gain=1.0, code=2, width=8, **options).eval()
    prior = CodePrior.of(net, DATA)
    frames = PATHS[:, 0, :12]

    def cost(z):
        away = z - prior.mean
        return net.residual(net.scale(frames), z).square().sum() / prior.variance + (away @ torch.linalg.inv(prior.covariance) * away).sum()

    found = net.complete(frames, prior, 5).z
    assert cost(found) < cost(prior.mean.expand(4, 2)) and found.isfinite().all()


def test_the_fit_is_at_the_least_of_its_cost_and_knows_its_width():
    prior = CodePrior.of(NET, DATA, noise=0.05)
    assert prior.variance >= 0.05**2 and prior.mean.shape == (2,)
    frames = PATHS[:1, 0, :16]
    inverse = torch.linalg.inv(prior.covariance)

    def cost(z):
        away = z - prior.mean
        return (NET.residual(NET.scale(frames), z[None]).square().sum() / prior.variance + away @ inverse @ away) / 2

    found = fit_code(NET, frames, prior, 60)
    z = found.z[0].clone().requires_grad_()
    slope = torch.autograd.grad(cost(z), z)[0]
    newton = found.covariance[0] @ slope
    assert newton.abs().max() < 1e-6 * prior.covariance.diagonal().sqrt().max()
    assert torch.allclose(2 * cost(z).detach(), found.cost[0], rtol=1e-9)
    assert torch.linalg.eigvalsh(prior.covariance - found.covariance[0]).min() > -1e-12  # frames only add knowledge


def test_frames_between_frames_of_the_map_itself_are_found_exactly():
    z = torch.zeros(4, 2, dtype=torch.float64)
    frames = made(z)
    for mask in (Every(4), Every(7), Scattered(0.3, 1), First(3)):
        known = mask(25)
        blind = torch.where(known[:, None], frames, torch.full_like(frames, 7.0))
        found, spread = NET.refine(blind, mask, z)
        assert (found - frames).abs().max() < 1e-9 and spread is None
        assert torch.equal(found[:, known], NET.unscale(NET.scale(frames))[:, known])


def test_smoothing_is_the_least_of_its_cost_and_its_width_is_that_of_many_draws():
    z, noise, slack = torch.zeros(4, 2, dtype=torch.float64), 0.02, 1e-3
    frames = NET.scale(made(z, 8))
    torch.manual_seed(0)
    many = frames[:1].expand(300, -1, -1) + noise * torch.randn(300, *frames.shape[1:], dtype=torch.float64)
    found, spread = NET.refine(NET.unscale(many), Every(2), z[:1].expand(300, -1), noise=noise, slack=slack)
    found, spread = NET.scale(found), NET.scale(spread)
    x, known = found[:1].clone().requires_grad_(), Every(2)(9)
    cost = NET.residual(x, z[:1]).square().sum() / slack**2 + ((x - many[:1])[:, known] / noise).square().sum()
    slope = torch.autograd.grad(cost, x)[0]
    assert slope.abs().max() < 1e-4 * 2 / noise
    ratio = (found - frames[:1]).std(0) / spread.mean(0)  # the truth obeys the map exactly: narrower than with its slack at most
    assert ratio.min() > 0.7 and ratio.max() < 1.2
    assert spread.mean() < noise


def test_forecasts_are_steps_one_by_one_for_maps_of_one_frame_and_of_blocks():
    for kind in ("hamiltonian_map", "dhn"):
        net = network(kind, DATA, gain=1.0)
        z = net.encode(DATA.x[2][:3])
        past, on = DATA.x[0][:3], torch.ones(3, 1, dtype=torch.float64)
        found, frames = net.forecast(past, 4, z), net.scale(past)
        for k in range(4):
            new = net.step(frames[:, -net.history :], on, z)
            frames = torch.cat([frames, new[:, None]], 1)
            assert (net.unscale(new) - found[:, k]).abs().max() < 1e-14
        whole = net.scale(torch.cat([past, found], 1))
        assert net.fewest <= whole.shape[1] and len(net.residual(whole, z)) == 3


def test_measures():
    d = torch.arange(6.0, dtype=torch.float64)[None, :, None] * torch.tensor([1.0, 5.0])
    assert torch.allclose(errors_by_horizon(d, 0 * d, 2.0, 1)[0], torch.tensor([0, 1, 5, 14, 30, 55.0]).double() / 4 / torch.arange(1, 7))
    assert valid_times(d, 0 * d, 1, 0.5, limit=2.5).tolist() == [1.5] and valid_times(0 * d, 0 * d, 1, 0.5).tolist() == [3.0]
    body, n = BODIES["pendulum"], np.array([[1.0]])
    flat = torch.zeros(1, 8, 2, dtype=torch.float64)
    flat[..., 1] = torch.linspace(0, 2, 8)
    found = energy_errors(flat, body, n, flat[:, 0])
    e = flat[0, :, 1].numpy() ** 2 / 2
    assert np.isclose(found["rms"], np.sqrt((e[-2:] ** 2).mean())) and np.isclose(found["secular"], e[-2:].mean() - e[:2].mean())


def test_structure_is_seen_where_it_is_and_missed_where_it_is_not():
    z = NET.encode(PATHS[:, 1, :16])
    x = NET.scale(PATHS[:, 0, 0])
    assert symplectic_defect(NET, x, z, 16).max() < 1e-10
    assert reversal_error(NET, PATHS[:, 0, :5], z).max() < 1e-10
    plain = network("motion_mlp", DATA)
    other = plain.encode(PATHS[:, 1, :16])
    assert symplectic_defect(plain, x, other).min() > 1e-3 and reversal_error(plain, PATHS[:, 0, :5], other).max() > 1e-3
    step = lambda v: plain.step(v[None, None], torch.ones(1, 1, dtype=torch.float64), other[:1])[0].detach()  # noqa: E731
    h, e = 1e-6, torch.eye(2, dtype=torch.float64)
    j = torch.stack([(step(x[0] + h * c) - step(x[0] - h * c)) / (2 * h) for c in e], 1)
    w = torch.tensor([[0.0, 1], [-1, 0]], dtype=torch.float64)
    assert abs(float(torch.linalg.matrix_norm(j.T @ w @ j - w) - symplectic_defect(plain, x[:1], other[:1])[0])) < 1e-7


def test_a_probe_of_codes():
    torch.manual_seed(0)
    z = torch.randn(60, 3, dtype=torch.float64)
    told = z @ torch.tensor([[1.0], [2], [3]], dtype=torch.float64) + 4
    assert code_probe(z[:40], told[:40], z[40:], told[40:])[0] > 1 - 1e-12
    assert code_probe(z[:40], told[:40], z[40:].flip(0), told[40:])[0] < 0.5


class Nothing(Mask):
    def known(self, frames):
        return torch.zeros(frames, dtype=torch.bool)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Nothing()(5), "at least one"),
        (lambda: Every(0)(5), "`gap`"),
        (lambda: Scattered(2.0)(5), "`part`"),
        (lambda: NET.forecast(PATHS[:, 0, :0], 3, torch.zeros(4, 2)), "`past`"),
        (lambda: NET.complete(PATHS[:, 0, :1], CodePrior.of(NET, DATA)), "`frames`"),
        (lambda: network("dhn", DATA).complete(PATHS[:, 0, :5], CodePrior.of(network("dhn", DATA), DATA)), "at least 6"),
        (lambda: network("dhn", DATA).refine(PATHS[:, 0], Every(4), torch.zeros(4, 8).double()), "masks=both"),
        (lambda: network("motion_transformer", DATA).refine(PATHS[:, 0], Every(4), torch.zeros(4, 8).double()), "reads 4 frames"),
    ],
)
def test_what_is_refused(call, said):
    with pytest.raises(OrbitscopeError, match=said):
        call()


def test_scattered_frames_keep_both_ends_and_their_draw():
    known = Scattered(0.2, 3)(50)
    assert known[0] and known[-1] and 10 <= known.sum() <= 12 and torch.equal(known, Scattered(0.2, 3)(50))
    assert isinstance(NET, HamiltonianMap) and motion_of(DATA).pairs == 1
