"""Emulators: the published network by its counts, learning of a known mean and variance, derivatives, what travels with the weights."""

from typing import Any

import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.data import Examples
from orbitscope.systems.galaxies import AlignmentEmulator, BetaNLL, IAEmu, RegionWarning, XiOf, flips, values_and_known, xi_examples
from orbitscope.systems.galaxies._losses import gaussian_nll, marginal_nll
from orbitscope.training import FitConfig, fit, load_fit

from .standin import design, mocks, truth

_FAST = FitConfig(epochs=30, batch=128, learning_rate=5e-3, weight_decay=0.0)


def _made(kind: Any = AlignmentEmulator, examples: Examples | None = None, **options: Any) -> Any:
    torch.manual_seed(0)
    return kind(examples or mocks(40, 3, missing=0.01), **options)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    examples = mocks(500, 4, held=True)
    out = tmp_path_factory.mktemp("run") / "run"
    torch.manual_seed(0)
    model = AlignmentEmulator(examples, width=32, depth=1, members=3)
    found = fit(model, examples, _FAST, loss=BetaNLL(model.links), validation=0.1, out=out, progress=None)
    return found.model, examples, out


def test_the_published_network_has_its_number_of_parameters():
    model = _made(IAEmu)
    count = lambda m: sum(p.numel() for p in m.parameters())  # noqa: E731
    assert (count(model.embedding), count(model.decoders[0]), count(model)) == (184_064, 158_846, 660_602)


def test_the_published_network_takes_20_bins_and_one_row():
    given = mocks(40, 3)
    value, known = values_and_known(given.y)
    with pytest.raises(OrbitscopeError, match="has 20 bins, these examples have 12"):
        IAEmu(Examples(given.x, (value[..., :12], known[..., :12]), given.unit, given.slot))
    model = _made(IAEmu).train()
    assert [tuple(p.shape) for p in model(design(1))][:2] == [(1, 1, 3, 20)] * 2


@torch.no_grad()
def test_dropout_is_random_while_it_is_drawn_and_off_afterwards():
    model = _made(IAEmu).eval()
    before = model.predict(design(4), outside="ignore").mean
    torch.manual_seed(1)
    drawn = model.predict(design(4), draws=6, outside="ignore")
    assert float(drawn.deviation("epistemic").max()) > 0 and not any(m.training for m in model.modules())
    assert torch.equal(before, model.predict(design(4), outside="ignore").mean)
    with pytest.raises(OrbitscopeError, match="no dropout"):
        _made().eval().predict(design(4), draws=3)
    with pytest.raises(OrbitscopeError, match="training mode"):
        _made().train().predict(design(4))


def test_covariance_is_learnt_by_a_likelihood_that_is_torchs():
    g = torch.Generator().manual_seed(0)
    gap, v = torch.randn(5, 3, 4, generator=g, dtype=torch.float64), torch.rand(5, 3, 4, generator=g, dtype=torch.float64) + 0.5
    f = torch.randn(5, 2, 3, 4, generator=g, dtype=torch.float64)
    there = torch.rand(5, 3, 4, generator=g) > 0.3
    found = gaussian_nll(torch.where(there, gap, torch.zeros_like(gap)), v, f, there)
    for k in range(5):
        at = there[k].flatten()
        c = torch.diag(v[k].flatten()) + f[k].flatten(1).mT @ f[k].flatten(1)
        law = torch.distributions.MultivariateNormal(torch.zeros(int(at.sum()), dtype=torch.float64), c[at][:, at])
        assert float(found[k]) == pytest.approx(-float(law.log_prob(gap[k].flatten()[at])), abs=1e-10)
    none = gaussian_nll(gap, v, f[:, :0], torch.ones_like(there))
    assert torch.allclose(none, marginal_nll(gap, v, torch.ones_like(there)).sum((-2, -1)), atol=1e-10)


@pytest.mark.parametrize(
    "options", [{}, {"rank": 2}, {"held": True}, {"head": "pca", "components": 6, "held": True}, {"head": "pca", "factorised": False}]
)
def test_missing_bins_count_for_nothing(options):
    options = dict(options)
    given = mocks(30, 2, held=options.pop("held", False))
    rest = tuple(given.y[2:]) if isinstance(given.y, tuple) else ()
    value, known = values_and_known(given.y)
    known = known.clone()
    known[3, 1, 4:] = False
    broken = torch.where(known, value, torch.full_like(value, float("nan")))
    loss = BetaNLL(AlignmentEmulator.links)
    model = _made(examples=given, width=8, **options)
    wild = torch.where(known, value, torch.full_like(value, 1e6))
    targets: list[Any] = [(broken, known, *rest), (wild, known, *rest)]
    if not rest:
        targets.append(broken)
    for target in targets:
        model.zero_grad()
        loss(model(given.x), target).backward()
        slopes = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
        assert torch.isfinite(slopes).all() and float(slopes.abs().max()) > 0
    a, *others = (loss.each(model.eval()(given.x), t) for t in targets)
    assert all(torch.allclose(a, b, atol=1e-12) for b in others)


@torch.no_grad()
def test_mean_and_noise_of_the_stand_in_are_learnt(trained):
    model, _, _ = trained
    theta = model.region.from_cube(0.1 + 0.8 * torch.rand(200, 7, generator=torch.Generator().manual_seed(9), dtype=torch.float64))
    mean, noise = truth(theta)
    found = model.predict(theta)
    error = (found.mean - mean) / noise
    assert float(error.square().mean().sqrt()) < 0.8  # of the noise of one realisation
    ratio = (found.deviation("aleatoric") / noise).log()
    assert float(ratio.abs().mean()) < 0.25
    assert float(found.deviation("epistemic").mean()) > 0
    assert found.covariance.shape == (200, 60, 60)
    assert float(torch.linalg.eigvalsh(found.covariance).min()) > -1e-12


@torch.no_grad()
def test_a_row_alone_is_a_row_of_a_batch(trained):
    model, _, _ = trained
    theta = design(8, 4)
    whole, one = model.predict(theta, outside="ignore"), model.predict(theta[3], outside="ignore")
    assert torch.allclose(whole.mean[3], one.mean[0], rtol=1e-5, atol=1e-6)
    scale = whole.deviation()[3].flatten()[:, None] * whole.deviation()[3].flatten()
    assert float(((whole.covariance[3] - one.covariance[0]) / scale).abs().max()) < 1e-3


@pytest.mark.parametrize(("kind", "steps"), [(AlignmentEmulator, (1e-5,)), (IAEmu, (1e-6, 3e-7))])
def test_gradients_are_those_of_finite_differences(kind, steps):
    """IAEmu is linear in pieces, thousands of them: the better of two steps, as one may cross from piece to piece."""
    model = _made(kind).double().eval()
    theta = model.region.from_cube(torch.full((1, 7), 0.45, dtype=torch.float64))[0]
    value = lambda t: model.predict(t, outside="ignore").mean.detach().flatten()  # noqa: E731
    jacobian: Any = torch.autograd.functional.jacobian(lambda t: model.predict(t, outside="ignore").mean.flatten(), theta)
    for j, e in enumerate(torch.eye(7, dtype=torch.float64)):
        gaps = [(jacobian[:, j] - (value(theta + s * e) - value(theta - s * e)) / (2 * s)).abs().max() for s in steps]
        assert float(min(gaps)) < 1e-4 * float(jacobian.abs().max())


def test_hessian_is_that_of_finite_differences():
    model = _made(width=8, depth=1).double().eval()
    theta = model.region.from_cube(torch.full((1, 7), 0.45, dtype=torch.float64))[0]
    value = lambda t: model.predict(t, outside="ignore").mean.sum()  # noqa: E731
    hessian: Any = torch.autograd.functional.hessian(value, theta)
    slope = lambda t: torch.autograd.functional.jacobian(value, t)  # noqa: E731
    rows = []
    for j in range(7):
        e = torch.zeros(7, dtype=torch.float64)
        e[j] = 1e-5
        rows.append((slope(theta + e) - slope(theta - e)) / 2e-5)
    assert torch.allclose(hessian, torch.stack(rows), rtol=1e-5, atol=1e-7 * float(hessian.abs().max()))
    assert torch.allclose(hessian, hessian.mT, atol=1e-10 * float(hessian.abs().max()))


@torch.no_grad()
def test_scales_and_region_come_back_with_the_weights(trained):
    model, _, out = trained
    other = AlignmentEmulator(mocks(60, 2, seed=7, held=True), width=32, depth=1, members=3)
    back = load_fit(out, other).model
    theta = design(5, 3)
    assert torch.equal(back.predict(theta, outside="ignore").mean, model.predict(theta, outside="ignore").mean)
    assert torch.equal(back.region.low, model.region.low)


@torch.no_grad()
def test_a_query_outside_the_region_warns_or_is_refused(trained):
    model, _, _ = trained
    theta = design(2)
    theta[0, 5] += 2
    with pytest.warns(RegionWarning, match="logM1"):
        model.predict(theta)
    with pytest.raises(OrbitscopeError, match="logM1"):
        model.predict(theta, outside="raise")


def test_beta_is_one_in_the_first_fifth(trained):
    model, _, _ = trained
    assert model.beta.tolist() == [0.5] * 3
    fresh = _made()
    fresh.after_step(0.1, torch.optim.SGD([torch.zeros(1)]))
    assert fresh.beta.tolist() == [1.0] * 3


def test_wrong_options_are_named():
    wrong: tuple[tuple[Any, str], ...] = (
        ({"head": "spline"}, "`head` should be"), ({"members": 0}, "`members` should be"), ({"beta": (0.5,)}, "beta: should be 3 numbers"),
        ({"head": "pca", "components": 99, "factorised": False}, "`components` should be 1 to 60"),
        ({"head": "pca"}, "needs examples with"),
    )  # fmt: skip
    for options, words in wrong:
        with pytest.raises(OrbitscopeError, match=words):
            _made(AlignmentEmulator, None, **options)
    with pytest.raises(OrbitscopeError, match="orbitscope simulate galaxies.hod"):
        AlignmentEmulator(Examples(torch.randn(20, 3), torch.randn(20, 2)))


@pytest.mark.parametrize(("kind", "options"), [(AlignmentEmulator, {"rank": 2, "members": 2}), (IAEmu, {})])
@torch.no_grad()
def test_moments_of_members_are_those_of_predict(kind, options):
    model = _made(kind, **options).double().eval()
    theta = model.region.from_cube(torch.full((2, 7), 0.4, dtype=torch.float64))
    mean, variance, factor = model.moments(theta)
    said = model.predict(theta)
    inner = torch.diag_embed(variance) + factor.mT @ factor
    scale = said.aleatoric.abs().amax()
    assert torch.allclose(mean.mean(1), said.mean.flatten(1), rtol=1e-10)
    assert float((inner.mean(1) - said.aleatoric).abs().max() / scale) < 1e-10


def test_flips_leave_everything_but_the_signs_alone():
    given = mocks(12, 3)
    points = xi_examples(given)
    assert len(points) == 12 and isinstance(points.y, torch.Tensor) and points.y.shape == (12, 20)
    symmetry = flips(20)
    signs = {g.name: symmetry.input(g, points.x)[:, :2] / points.x[:, :2] for g in symmetry.elements()}
    wanted = {"e": (1, 1), "r": (-1, -1), "s": (-1, 1), "sr": (1, -1)}
    for name, pair in wanted.items():
        assert torch.allclose(signs[name], torch.tensor(pair, dtype=torch.float64).expand(12, 2))
        g = next(e for e in symmetry.elements() if e.name == name)
        assert torch.equal(symmetry.input(g, points.x)[:, 2:], points.x[:, 2:])  # pyright: ignore[reportCallIssue, reportArgumentType]
    model = _made(AlignmentEmulator, given, width=8).eval()
    said = model.predict(points.x, outside="ignore").mean[:, 0]
    assert torch.allclose(XiOf(model)(points.x), torch.log1p(said).to(torch.float32), atol=1e-5)
