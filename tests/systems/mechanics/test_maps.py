"""What the maps keep: symplectic form, reversal, fixed points, gradients through the solve; slow references beside the closed forms."""

import numpy as np
import pytest
import torch
from torch.func import functional_call, grad, hessian, jvp, vmap

from orbitscope import OrbitscopeError
from orbitscope.systems.mechanics import HamiltonianMap, motion_of
from orbitscope.systems.mechanics._networks import CodeReader, PhaseFunction, ScalarNet

from .motions import KINDS, motion, network


def omega(pairs):
    one, zero = torch.eye(pairs, dtype=torch.float64), torch.zeros(pairs, pairs, dtype=torch.float64)
    return torch.cat([torch.cat([zero, one], 1), torch.cat([-one, zero], 1)])


def tangents(net, x, z, direction):
    step = lambda v: net.step(v[None, None], direction[:1], z[:1])[0]  # noqa: E731
    return torch.stack([torch.func.jacrev(step)(v) for v in x])


@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("angles", [(), (1,), (0, 1)])
def test_closed_gradients_are_those_of_autograd(even, angles):
    torch.manual_seed(0)
    f = PhaseFunction(2, angles, even, 3, 16).double()
    x, z = torch.randn(7, 4, dtype=torch.float64), torch.randn(7, 3, dtype=torch.float64)
    assert (f.gradient(x, z) - grad(lambda u: f(u, z).sum())(x)).abs().max() < 1e-13
    slow = vmap(hessian(lambda u, c: f(u[None], c[None])[0]))(x, z)
    assert (f.hessian(x, z) - slow).abs().max() < 1e-12
    net, u = ScalarNet(5, 9).double(), torch.randn(4, 5, dtype=torch.float64)
    assert (net.gradient(u) - grad(lambda v: net(v).sum())(u)).abs().max() < 1e-13
    if even:
        assert torch.equal(f(x, z), f(x * torch.tensor([1.0, 1, -1, -1]), z))
    turned = x.clone()
    turned[:, list(angles)] += 2 * np.pi
    assert (f(x, z) - f(turned, z)).abs().max() < 1e-12


@pytest.mark.parametrize("name", ["pendulum", "kepler", "springs"])
@pytest.mark.parametrize("kind", ["hamiltonian_map", "hnn"])
def test_hamiltonian_maps_are_symplectic_and_reversible(name, kind):
    data = motion(name)
    net = network(kind, data)
    x, direction, context, numbers = (p[::9] for p in data.x)
    z = net.encode(context)
    for s in (direction, -direction):
        j, w = tangents(net, net.scale(x)[:6, -1], z, s), omega(net.pairs)
        assert (j.mT @ w @ j - w).abs().max() < 1e-10
    there = net(x, direction, context, numbers)
    back = net(there[:, None], -direction, context.flip(1), numbers)  # the same frames, listed back in time
    assert (back - x[:, -1]).abs().max() < 1e-10
    sign = torch.tensor([1.0] * net.pairs + [-1.0] * net.pairs, dtype=torch.float64)
    if kind == "hamiltonian_map":
        assert (net(x * sign, -direction, context * sign, numbers) - there * sign).abs().max() < 1e-10


def test_without_even_the_reversal_breaks_and_the_plain_map_keeps_nothing():
    data = motion()
    x, direction, context, numbers = (p[::9] for p in data.x)
    sign = torch.tensor([1.0, -1.0], dtype=torch.float64)
    free = network("hamiltonian_map", data, even=False)
    assert (free(x * sign, -direction, context * sign, numbers) - free(x, direction, context, numbers) * sign).abs().max() > 1e-3
    plain = network("motion_mlp", data)
    j, w = tangents(plain, plain.scale(x)[:6, -1], plain.encode(context), direction), omega(1)
    assert (j.mT @ w @ j - w).abs().max() > 1e-3


def test_the_solve_meets_the_equation_and_a_slow_iteration():
    data = motion("double-pendulum-low")
    net = network("hamiltonian_map", data)
    x, direction, context, _ = (p[::11] for p in data.x)
    z, past = net.encode(context), net.scale(x)
    end = net.step(past, direction, z)
    assert (net.step(past, direction, z, end) - end).abs().max() < 1e-12
    m = past[:, -1]
    for _ in range(300):
        m = 0.7 * m + 0.3 * (past[:, -1] + 0.5 * net.push(m, direction, z))
    assert (2 * m - past[:, -1] - end).abs().max() < 1e-10


@pytest.mark.parametrize("kind", ["hamiltonian_map", "dhn"])
def test_derivatives_by_weights_through_the_solve(kind):
    data = motion()
    net = network(kind, data, gain=1.0, **({"refinements": 2} if kind == "dhn" else {}))
    x = tuple(p[::13] for p in data.x)
    weights, held = dict(net.named_parameters()), dict(net.named_buffers())
    torch.manual_seed(1)
    along = {k: torch.randn_like(v) / 100 for k, v in weights.items()}
    f = lambda w: functional_call(net, ({**w, **held}), x)  # noqa: E731
    pushed = jvp(f, (weights,), (along,))[1]
    h = 1e-4
    numeric = (f({k: v + h * along[k] for k, v in weights.items()}) - f({k: v - h * along[k] for k, v in weights.items()})) / (2 * h)
    assert (pushed - numeric).abs().max() < 1e-6 * pushed.abs().max()
    one = lambda w, *s: functional_call(net, {**w, **held}, tuple(p[None] for p in s)).square().sum()  # noqa: E731
    each = vmap(grad(one), in_dims=(None, 0, 0, 0, 0))(weights, *x)
    found = sum((each[k].sum(0) * along[k]).sum() for k in weights)
    assert abs(found - (2 * f(weights) * pushed).sum()) < 1e-10 * abs(found)


def test_a_code_does_not_know_the_direction_in_which_frames_are_listed():
    torch.manual_seed(0)
    frames = torch.randn(3, 6, 4, dtype=torch.float64)
    on, sign = torch.ones(3, 1, dtype=torch.float64), torch.tensor([1.0, 1, -1, -1], dtype=torch.float64)
    even, plain = (CodeReader(2, (0,), e, 5, 8).double() for e in (True, False))
    for reader in (even, plain):
        assert (reader(frames, on) - reader(frames.flip(1), -on)).abs().max() < 1e-14
    assert (even(frames, on) - even(frames.flip(1) * sign, on)).abs().max() < 1e-14
    assert (plain(frames, on) - plain(frames.flip(1) * sign, on)).abs().max() > 1e-3


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_numbers_of_a_system_are_not_looked_at(kind):
    data = motion()
    net = network(kind, data)
    x, direction, context, numbers = (p[:4] for p in data.x)
    assert torch.equal(net(x, direction, context, numbers), net(x, direction, context, 7 * numbers))
    with pytest.raises(OrbitscopeError, match="`frames`"):
        net.encode(x[:, :1])


def test_angles_keep_their_unit():
    with pytest.raises(OrbitscopeError, match="`sizes`"):
        HamiltonianMap(motion_of(motion()).__class__(**{**motion_of(motion()).__dict__, "sizes": (2.0, 1.0)}))
