"""Rivals of the Hamiltonian map: what SympNets keep, what Euler steps and plain networks do not."""

import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.systems.mechanics import MotionTransformer, SympNet, motion_of, reversal_error, symplectic_defect, trajectories_of

from .motions import motion, network

DATA = motion()


@pytest.mark.parametrize("name", ["pendulum", "kepler"])
def test_a_sympnet_is_symplectic_has_an_inverse_and_is_not_reversible(name):
    data = motion(name, count=3)
    net = network("sympnet", data, gain=1.3)
    with torch.no_grad():
        for size in net.of_size:
            size.weight.normal_()
    x, direction, context, numbers = (p[::13] for p in data.x)
    z, now = net.encode(context), net.scale(x)[:, -1]
    assert symplectic_defect(net, now, z, 3).max() < 1e-10
    there = net(x, direction, context, numbers)
    assert (there - x[:, -1]).abs().max() > 1e-2
    back = net(there[:, None], -direction, context.flip(1), numbers)
    assert (back - x[:, -1]).abs().max() < 1e-11
    assert reversal_error(net, x, z, 2).max() > 1e-3


@pytest.mark.parametrize("name", ["pendulum", "kepler"])
def test_a_module_is_the_gradient_of_its_potential(name):
    net = network("sympnet", motion(name, count=3))
    d = net.pairs
    u, z = torch.randn(5, d, dtype=torch.float64), torch.randn(5, net.code, dtype=torch.float64)
    for k in (0, 1):

        def potential(v, k=k):
            a = v[:, list(net.angles)] if k == 0 else v[:, :0]
            seen = torch.cat([a.sin(), a.cos(), v[:, list(net.plain)]], 1) if k == 0 else v
            inner = seen @ net.along[k].T + net.of_code[k](z)
            return (net.weights[k] * (1 + net.of_size[k](z)) * inner.cosh().log()).sum()

        assert (net.pushed(k, u, z) - torch.func.grad(potential)(u)).abs().max() < 1e-12


def test_an_euler_step_follows_the_gradient_and_breaks_the_symplectic_form():
    net = network("hnn_euler", DATA)
    x, direction, context, _ = (p[::13] for p in DATA.x)
    z, past = net.encode(context), net.scale(x)
    slope = torch.func.grad(lambda v: net.function(v, z).sum())(past[:, -1])
    wanted = past[:, -1] - direction * torch.stack([slope[:, 1], -slope[:, 0]], 1)
    assert (net.step(past, -direction, z) - wanted).abs().max() < 1e-12
    assert symplectic_defect(net, past[:, -1], z).min() > 1e-4


def test_a_transformer_reads_the_order_of_the_frames_and_their_direction():
    net = network("motion_transformer", DATA, width=16)
    x, direction, context, numbers = (p[::13] for p in DATA.x)
    found = net(x, direction, context, numbers)
    assert net.history == 4 and (found - net(torch.cat([x[:, :1] + 3, x[:, 1:]], 1), direction, context, numbers)).abs().max() == 0
    mixed = x.clone()
    mixed[:, [1, 2]] = x[:, [2, 1]]
    assert (found - net(mixed, direction, context, numbers)).abs().max() > 1e-6
    z, past = net.encode(context), net.scale(x)
    assert (net.step(past, direction, z) - net.step(past, -direction, z)).abs().max() > 1e-6
    turned = past.clone()
    turned[..., 0] += 2 * torch.pi
    assert (net.step(turned, direction, z) - net.step(past, direction, z))[:, 0].sub(2 * torch.pi).abs().max() < 1e-10


@pytest.mark.parametrize("kind", ["dhn", "sympnet", "hamiltonian_map", "hnn"])
def test_one_direction_for_all_is_the_same_step(kind):
    net = network(kind, DATA, gain=1.0)
    x, direction, context, _ = (p[::13] for p in DATA.x)
    z, past = net.encode(context), net.scale(x)
    for sign in (1.0, -1.0):
        assert (net.advance(past, z, sign) - net.step(past, sign * direction, z)).abs().max() < 1e-12


@pytest.mark.parametrize("options", [{"history": 6}, {"history": 0}, {"width": 30}])
def test_a_transformer_that_cannot_be_is_refused(options):
    with pytest.raises(OrbitscopeError, match="`history`"):
        MotionTransformer(motion_of(DATA), **options)


def test_modules_of_both_kinds():
    net = SympNet(motion_of(DATA), modules=3)
    assert [len(w.T) for w in net.along] == [2, 1, 2] and trajectories_of(DATA).shape[-1] == 2
