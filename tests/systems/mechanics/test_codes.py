"""Codes: an autodecoder's table, draws of the posterior, whether spreads are right."""

import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.systems.mechanics import (
    SYSTEM,
    CodePrior,
    EndsKnown,
    FittedCode,
    MotionLoss,
    MotionModel,
    calibration,
    motion_of,
    numbers_of,
)

from .motions import motion

DATA = motion(count=5)


@pytest.mark.parametrize("kind", ["hamiltonian_map", "dhn"])
def test_an_autodecoder_has_a_code_for_each_system_which_its_reader_learns(kind):
    torch.manual_seed(0)
    net, plain = (SYSTEM.models[kind].make(DATA, width=16, autodecoder=a).double() for a in (True, False))
    assert isinstance(net, MotionModel) and isinstance(plain, MotionModel) and net.table is not None
    numbers = numbers_of(DATA)
    assert torch.equal(net.remembered(numbers.flip(0)), 3 * net.table.flip(0))
    assert torch.equal(net.remembered(DATA.x[3]), 3 * net.table[np.searchsorted(np.unique(DATA.unit), DATA.unit)])
    ends = EndsKnown(20)
    x, y = ends(ends.draw(len(DATA), 0, 1, 1), DATA.x, DATA.y)
    loss = MotionLoss(motion_of(DATA)).each(net(*x), y)
    plain.load_state_dict({k: v for k, v in net.state_dict().items() if k not in ("table", "labels")})
    read = plain.reader(net.scale(x[2]), x[1])
    code = net.remembered(DATA.x[3])
    plain.reader.forward = lambda frames, direction: code  # what the map alone would lose with these codes
    slow = MotionLoss(motion_of(DATA)).each(plain(*x), y) + (read - code).square().mean(-1)
    assert (loss - slow).abs().max() < 1e-12
    loss.sum().backward()
    assert net.table.grad is not None and (net.table.grad.abs().sum(1) > 0).all()
    prior = CodePrior.of(net, DATA)
    assert torch.allclose(prior.mean, 3 * net.table.mean(0), atol=1e-12)


def test_systems_without_numbers_of_their_own_have_no_autodecoder():
    net = SYSTEM.models["hamiltonian_map"].make(DATA)
    assert isinstance(net, MotionModel)
    for numbers in (torch.ones(3, 1), torch.ones(3, 0)):
        with pytest.raises(OrbitscopeError, match="autodecoder"):
            net.remember(numbers)


def test_draws_have_the_covariance_of_the_posterior():
    root = torch.randn(2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    fitted = FittedCode(torch.tensor([[1.0, 2, 3], [4, 5, 6]]).double(), root @ root.mT, torch.zeros(2))
    found = fitted.draws(20_000, 3)
    assert torch.equal(found, fitted.draws(20_000, 3)) and not torch.equal(found, fitted.draws(20_000, 4))
    assert (found.mean(0) - fitted.z).abs().max() < 0.1
    for s in range(2):
        assert torch.allclose(torch.cov(found[:, s].T), fitted.covariance[s], atol=0.05 * float(fitted.covariance[s].trace()))


def test_calibration_of_normal_errors():
    generator = torch.Generator().manual_seed(0)
    spread = 0.1 + torch.rand(40_000, generator=generator, dtype=torch.float64)
    error = spread * torch.randn(40_000, generator=generator, dtype=torch.float64)
    right, sure = calibration(error, spread, 0 * error), calibration(error, spread / 3, 0 * error)
    assert abs(right["z"] - 1) < 0.02 and abs(right["within1"] - 0.683) < 0.01 and abs(right["within2"] - 0.954) < 0.01
    assert abs(sure["z"] - 3) < 0.06 and sure["within1"] < 0.3
    assert np.isnan(calibration(error, 0 * spread, error)["z"])
    half = torch.where(torch.arange(40_000) % 2 == 0, spread, 0.0)
    assert abs(calibration(error, half, 0 * error)["z"] - 1) < 0.02
