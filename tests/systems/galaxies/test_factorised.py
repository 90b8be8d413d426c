"""The emulator that knows how strengths of alignment enter, and its quick answers."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import erfc

from orbitscope import OrbitscopeError
from orbitscope.systems.galaxies import (
    PARTS,
    AlignmentEmulator,
    BetaNLL,
    IAEmu,
    QuickEmulator,
    RegionWarning,
    alignment_amplitude,
    expected_orientations,
    mean_occupation,
)
from orbitscope.systems.galaxies._amplitude import Amplitude
from orbitscope.systems.galaxies._occupation import OccupationNumbers
from orbitscope.systems.galaxies._quick_math import erfc32, exp32, log32
from orbitscope.training import FitConfig, fit

from .standin import design, held_parts, mocks, truth


def _made(held: bool = True, masses: bool = False, **options: Any) -> AlignmentEmulator:
    torch.manual_seed(0)
    return AlignmentEmulator(mocks(40, 3, missing=0.01, held=held, masses=masses), **options).eval()


def test_the_amplitude_is_that_of_the_law_and_its_slope():
    mu = torch.cat([torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64), 2 * torch.rand(60, dtype=torch.float64) - 1]).requires_grad_()
    found = Amplitude()(mu)
    np.testing.assert_allclose(found.detach().numpy(), [alignment_amplitude(float(m)) for m in mu.detach()], atol=1e-8)
    (slope,) = torch.autograd.grad(found[3:].sum(), mu)
    middle = mu.detach()[3:].clamp(-0.999, 0.999)
    steps = [(alignment_amplitude(float(m) + 1e-5) - alignment_amplitude(float(m) - 1e-5)) / 2e-5 for m in middle]
    inside = (mu.detach()[3:] == middle).numpy()
    np.testing.assert_allclose(slope[3:].numpy()[inside], np.array(steps)[inside], atol=1e-4)


@torch.no_grad()
def test_strengths_enter_as_they_must():
    model, theta = _made().double(), design(20, 5)
    said = model.predict(theta, outside="ignore").mean
    none = torch.cat([torch.zeros(20, 2, dtype=torch.float64), theta[:, 2:]], 1)
    without = model.predict(none, outside="ignore").mean
    assert torch.allclose(without[:, 0], said[:, 0], rtol=1e-12) and float(without[:, 1:].abs().max()) < 1e-8
    parts = model.functions(theta).mean(0)[:, 1:]
    wanted = [expected_orientations(p, *mu) for p, mu in zip(parts.numpy(), theta[:, :2].tolist(), strict=True)]
    np.testing.assert_allclose(said[:, 1:].numpy(), wanted, atol=1e-7 * float(said[:, 1:].abs().max()))


def test_the_loss_on_parts_is_a_likelihood_of_them_and_of_the_noise():
    given = mocks(12, 3, missing=0.1, held=True)
    model = _made(beta=(0.0, 0.0, 0.0)).train()
    model.after_step(1.0, torch.optim.SGD([torch.zeros(1)]))
    said = model(given.x)
    found = BetaNLL(model.links).each(said, given.y)
    mean, variance, _, _, held, loud, _ = (p.detach().double() for p in said)
    value, known, parts = given.y
    row = 7
    k, p = known[row].bool(), known[row, 1].bool()
    law = lambda t, m, v: 0.5 * ((t - m).square() / v + v.log() + np.log(2 * np.pi))  # noqa: E731
    slow = []
    for m in range(model.members):
        own = law(value[row], mean[row, m], variance[row, m])[k].sum()
        slow.append(own + law(parts[row], held[row, m], loud[row, 0])[:, p].sum())
    assert float(found[row].detach()) == pytest.approx(float(torch.stack(slow).mean() / k.sum()), rel=1e-5)
    of_noise = torch.autograd.grad(said[0][row, 0, 1:].sum() + said[0][row, 0, 0].sum(), model.centre.bias, retain_graph=True)[0]
    assert bool((of_noise.reshape(model.members, 6, -1)[:, 1:] == 0).all()) and bool(of_noise.any())  # rows teach no mean of omega, eta
    with pytest.raises(OrbitscopeError, match="have none"):
        BetaNLL(model.links)(said, given.y[:2])


@torch.no_grad()
def _error(model: AlignmentEmulator) -> float:
    theta = model.region.from_cube(0.1 + 0.8 * torch.rand(200, 7, generator=torch.Generator().manual_seed(9), dtype=torch.float64))
    mean, noise = truth(theta)
    return float((((model.predict(theta).mean - mean) / noise)[:, 1:]).square().mean().sqrt())


def test_parts_teach_omega_and_eta_better_than_rows_do():
    config = FitConfig(epochs=25, batch=128, learning_rate=5e-3, weight_decay=0.0)
    errors = []
    for held in (True, False):
        examples = mocks(250, 4, held=held)
        torch.manual_seed(0)
        model = AlignmentEmulator(examples, width=24, depth=1, members=2, noise_width=8)
        found = fit(model, examples, config, loss=BetaNLL(model.links), validation=0.1, progress=None)
        errors.append(_error(found.model))
    assert errors[0] < 0.3 and errors[1] < 0.8 and errors[0] < 0.8 * errors[1]


@pytest.mark.parametrize("options", [{}, {"masses": True}, {"head": "pca", "components": 9}, {"members": 1, "depth": 0, "masses": True}])
@torch.no_grad()
def test_quick_answers_are_those_of_predict(options):
    model = _made(**options)
    theta = model.region.from_cube(torch.rand(600, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64))
    mean, deviation = QuickEmulator(model)(theta.numpy())
    said = model.predict(theta)
    scale = said.mean.abs().mean((0, 2), keepdim=True)
    assert float(((torch.from_numpy(mean) - said.mean) / scale).abs().max()) < 1e-4  # single precision of xi of some thousands
    np.testing.assert_allclose(deviation, said.deviation().numpy(), rtol=1e-3)
    one = QuickEmulator(model)(theta[3].numpy())
    for some, whole in zip(one, (mean, deviation), strict=True):
        np.testing.assert_allclose(some[0], whole[3], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("quick", "slow", "x", "error"),
    [
        (exp32, np.exp, np.linspace(-80, 80, 4001), lambda y, x: 3e-7 * (1 + abs(x) / 4) * y),
        (log32, np.log, np.logspace(-30, 30, 4001), lambda y, x: 2e-7 * (1 + abs(y))),
        (erfc32, erfc, np.linspace(-6, 6, 4001), lambda y, x: 1e-6),
    ],
)
def test_functions_in_single_precision(quick, slow, x, error):
    x = x.astype(np.float32)
    found, wanted = np.array([quick(v) for v in x], dtype=np.float64), slow(x.astype(np.float64))
    assert (np.abs(found - wanted) <= error(wanted, x.astype(np.float64))).all()


def test_quick_answers_know_the_region_and_their_kind():
    model = _made()
    quick, theta = QuickEmulator(model), model.region.from_cube(torch.full((2, 7), 0.5, dtype=torch.float64)).numpy()
    theta[1, 5] += 2
    with pytest.warns(RegionWarning, match="logM1"):
        quick(theta)
    for wrong in (theta, np.full((1, 7), np.nan)):
        with pytest.raises(OrbitscopeError, match="logM1|NaN"):
            quick(wrong, "raise")
    with pytest.raises(OrbitscopeError, match="7"):
        quick(theta[:, :3])
    for other in (IAEmu(mocks(40, 3)).eval(), _made(rank=1), _made(held=False, factorised=False)):
        with pytest.raises(OrbitscopeError, match="QuickEmulator"):
            QuickEmulator(other)  # pyright: ignore[reportArgumentType]


def test_occupation_numbers_are_sums_over_halos():
    given = mocks(40, 1, masses=True)
    classes, theta = given.about["masses"], given.x
    found = OccupationNumbers(classes, theta)
    raw = found(theta) * found.size + found.middle
    m, n = np.array(classes["log_mass"]), np.array(classes["count"])
    for row in (0, 17):
        central, satellites = mean_occupation(10**m, theta[row].numpy())
        many, few, pairs = ((n * p).sum() for p in (central + satellites, satellites, 2 * central * satellites + satellites**2))
        wanted = [
            np.log(many),
            np.log(few / many),
            np.log(pairs / many**2),
            (n * (2 * central + satellites) * satellites * m).sum() / pairs,
        ]
        np.testing.assert_allclose(raw[row, [0, 1, 4, 6]].numpy(), wanted, atol=0.03)  # the edge at M0 is rounded
    heavy = theta.clone()
    heavy[:, 4] += 2.5  # far below M0 the rounded edge is a difference of numbers that are nearly the same
    assert torch.allclose(found(heavy.float()).double(), found(heavy), atol=1e-3)
    slope = torch.func.jacrev(found)(theta[3])
    step = torch.stack([(found(theta[3] + 1e-6 * e) - found(theta[3] - 1e-6 * e)) / 2e-6 for e in torch.eye(7, dtype=torch.float64)], -1)
    assert torch.allclose(slope, step, atol=1e-5 * float(slope.abs().max()))
    assert found(theta).std(0, correction=0).numpy() == pytest.approx(1.0) and OccupationNumbers(None, theta)(theta).shape == (40, 0)
    with pytest.raises(OrbitscopeError, match="masses"):
        OccupationNumbers({"log_mass": [12.0], "count": [0.0]}, theta)


@torch.no_grad()
def test_noise_starts_with_one_over_the_number_of_pairs():
    model = _made(masses=True).double()
    for layer in (model.scatter, model.centre):
        layer.weight.zero_()
    theta = design(30, 3)
    said = model.predict(theta, outside="ignore").deviation("aleatoric")
    many = model.numbers.log_galaxies(theta)
    assert torch.allclose(said[:, 2].log() + many[:, None], (said[0, 2].log() + many[0]).expand(30, -1), atol=1e-10)


def test_parts_have_their_names():
    assert len(PARTS) == held_parts(design(3)).shape[1] and [n.split("_")[0] for n in PARTS] == ["omega"] * 2 + ["eta"] * 3
