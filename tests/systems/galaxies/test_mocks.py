"""Occupation, radii and axes against formulas and numerical integrals, and whole mocks against halotools'."""

import numpy as np
import pytest
from scipy import integrate, stats

from orbitscope import OrbitscopeError
from orbitscope.systems.galaxies import (
    PARAMETERS,
    HaloConfig,
    Halos,
    alignment_statistics,
    axes_about,
    expected_galaxies,
    make_halos,
    mean_occupation,
    mean_square_cosine,
    parameters,
    populate,
    populate_halotools,
    watson_cosines,
)  # fmt: skip
from orbitscope.systems.galaxies._mocks import nfw_radii

THETA: dict[str, float] = {"mu_cen": 0.7, "mu_sat": 0.4, "logMmin": 12.0, "sigma_logM": 0.3, "logM0": 11.6, "logM1": 12.9, "alpha": 1.0}


@pytest.fixture(scope="module")
def halos() -> Halos:
    return make_halos(0, HaloConfig(box=60.0, grid=24, lightest=2e11))


def angles(strength: float, low: float, high: float) -> float:
    kappa = -np.tan(np.pi * strength / 2)
    top = max(-kappa, 0.0)  # so that the exponential does not overflow
    return integrate.quad(
        lambda t: np.exp(-kappa * t * t - top), low, high, epsabs=0, epsrel=1e-12, points=[0] if low < 0 < high else None
    )[0]


@pytest.mark.parametrize("strength", [-0.97, -0.5, -1e-6, 0.0, 1e-9, 1e-4, 0.3, 0.8, 0.97])
def test_cosines_invert_the_distribution_of_dimroth_and_watson(strength: float) -> None:
    shares = np.array([1e-6, 0.01, 0.2, 0.5, 0.73, 0.99, 1 - 1e-6])
    found = watson_cosines(strength, shares)
    whole = angles(strength, -1, 1)
    np.testing.assert_allclose([angles(strength, -1, t) / whole for t in found], shares, atol=1e-9)
    kappa = -np.tan(np.pi * strength / 2)
    top = max(-kappa, 0.0)
    square = integrate.quad(lambda t: t * t * np.exp(-kappa * t * t - top), 0, 1, epsabs=0, epsrel=1e-12)[0] / angles(strength, 0, 1)
    assert mean_square_cosine(strength) == pytest.approx(square, rel=1e-6)


def test_the_ends_of_the_law() -> None:
    shares = np.linspace(0.01, 0.99, 9)
    assert (np.abs(watson_cosines(1.0, shares)) == 1).all() and (watson_cosines(-1.0, shares) == 0).all()
    assert mean_square_cosine(1.0) == 1 and mean_square_cosine(-1.0) == 0 and mean_square_cosine(0.0) == pytest.approx(1 / 3)
    with pytest.raises(OrbitscopeError, match="strength"):
        watson_cosines(1.1, shares)


def test_axes_lie_about_their_directions_at_any_azimuth() -> None:
    rng = np.random.default_rng(0)
    n = rng.normal(size=(20000, 3))
    n[:3] = np.eye(3)
    n /= np.linalg.norm(n, axis=1, keepdims=True)
    axes = axes_about(n, 0.6, rng)
    np.testing.assert_allclose(np.linalg.norm(axes, axis=1), 1, atol=1e-12)
    cosine = (axes * n).sum(1)
    assert (cosine**2).mean() == pytest.approx(mean_square_cosine(0.6), abs=0.012)
    one = axes_about(np.repeat([[0.0, 0.0, 1.0]], 20000, 0), 0.6, rng)
    assert stats.kstest(np.arctan2(one[:, 1], one[:, 0]), stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-3


@pytest.mark.parametrize("strength", [-1.0, -0.6, 0.0, 0.05, 0.5, 0.9, 0.9999])
def test_drawn_cosines_follow_the_law(strength: float) -> None:
    n = np.zeros((4000, 3)) + [0, 0, 1]
    cosine = axes_about(n, strength, np.random.default_rng(1))[:, 2]
    if strength == -1:
        assert np.abs(cosine).max() < 1e-12
        return
    shares = np.linspace(0, 1, 2001)[1:-1]
    points = watson_cosines(strength, shares)
    assert stats.kstest(cosine, lambda t: np.interp(t, [-1, *points, 1], [0, *shares, 1])).pvalue > 1e-3


@pytest.mark.parametrize("concentration", [1.0, 7.0, 40.0])
def test_radii_hold_their_share_of_the_mass(concentration: float) -> None:
    shares = np.array([0.0, 1e-14, 1e-9, 1e-5, 0.1, 0.5, 0.99, 1.0])
    x = concentration * nfw_radii(np.full(len(shares), concentration), shares)
    mass = [integrate.quad(lambda t: t / (1 + t) ** 2, 0, top, epsabs=0, epsrel=1e-12)[0] for top in x]
    np.testing.assert_allclose(mass, shares * integrate.quad(lambda t: t / (1 + t) ** 2, 0, concentration)[0], rtol=1e-6)


def test_mean_occupations_are_those_of_zheng_and_others() -> None:
    theta, mass = parameters(THETA), np.array([1e11, 1e12, 10**12.3, 1e14])
    centrals, satellites = mean_occupation(mass, theta)
    np.testing.assert_allclose(centrals, stats.norm.cdf((np.log10(mass) - 12) / 0.3 * np.sqrt(2)), atol=1e-12)
    np.testing.assert_allclose(satellites, [0, *((mass[1:] - 10**11.6) / 10**12.9)], rtol=1e-12)
    np.testing.assert_allclose(mean_occupation(mass, theta, "product")[1], satellites * centrals, rtol=1e-12)
    with pytest.raises(OrbitscopeError, match="occupation"):
        mean_occupation(mass, theta, "zheng")


@pytest.mark.parametrize("occupation", ["published", "product"])
def test_mocks_have_the_numbers_of_galaxies_that_are_expected(halos: Halos, occupation: str) -> None:
    theta = parameters({**THETA, "sigma_logM": 0.8})
    mocks = [populate(halos, theta, 3, occupation=occupation, index=i) for i in range(60)]
    centrals, satellites = (n.sum() for n in mean_occupation(halos.mass, theta, occupation))
    assert expected_galaxies(halos, theta, occupation) == pytest.approx(centrals + satellites)
    assert np.mean([m.central.sum() for m in mocks]) == pytest.approx(centrals, abs=4 * np.sqrt(centrals / 60))
    assert np.mean([(~m.central).sum() for m in mocks]) == pytest.approx(satellites, abs=4 * np.sqrt(satellites / 60))


def test_centrals_and_satellites_are_where_they_should_be(halos: Halos) -> None:
    mock = populate(halos, {**THETA, "mu_cen": 1.0, "mu_sat": 1.0}, 1)
    assert halos.axis is not None and (~mock.central).sum() > 200
    np.testing.assert_array_equal(mock.positions[mock.central], halos.positions[mock.host[mock.central]])
    np.testing.assert_allclose(np.abs((mock.axes[mock.central] * halos.axis[mock.host[mock.central]]).sum(1)), 1, atol=1e-12)
    host = mock.host[~mock.central]
    apart = mock.positions[~mock.central] - halos.positions[host]
    apart -= halos.box * np.round(apart / halos.box)
    r = np.linalg.norm(apart, axis=1)
    np.testing.assert_allclose(np.abs((mock.axes[~mock.central] * apart).sum(1)) / r, 1, atol=1e-9)
    c, x = halos.concentration[host], halos.concentration[host] * r / halos.radius[host]
    share = (np.log1p(x) - x / (1 + x)) / (np.log1p(c) - c / (1 + c))  # uniform for radii of an NFW halo
    assert stats.kstest(share, "uniform").pvalue > 1e-3 and share.max() <= 1 + 1e-9


def test_prolate_satellites_lie_along_their_halo(halos: Halos) -> None:
    def second(kind: str) -> float:
        mock = populate(halos, THETA, 1, satellites=kind)
        host = mock.host[~mock.central]
        apart = mock.positions[~mock.central] - halos.positions[host]
        apart -= halos.box * np.round(apart / halos.box)
        assert halos.axis is not None
        return float(((apart * halos.axis[host]).sum(1) ** 2 / (apart**2).sum(1)).mean())

    assert second("nfw") == pytest.approx(1 / 3, abs=0.04) and second("prolate") > 0.42


def test_mocks_repeat_and_differ_by_seed_and_index(halos: Halos) -> None:
    first = populate(halos, THETA, 1, index=2)
    np.testing.assert_array_equal(first.positions, populate(halos, list(THETA.values()), 1, index=2).positions)
    for other in (populate(halos, THETA, 2, index=2), populate(halos, THETA, 1, index=3)):
        assert len(other) != len(first) or not np.array_equal(other.axes, first.axes)


@pytest.mark.parametrize("occupation", ["published", "product"])
def test_mocks_agree_with_those_of_halotools(halos: Halos, occupation: str) -> None:
    state = np.random.get_state(legacy=False)["state"]
    sets: list[np.ndarray] = []
    for make in (populate, populate_halotools):
        mocks = [make(halos, THETA, 5, occupation=occupation, index=i) for i in range(8)]
        bins = np.array([0.1, 0.4, 1.0, 3.0, 9.0])
        rows = [[*alignment_statistics(m.positions, m.axes, m.box, bins).ravel(), m.central.sum(), (~m.central).sum()] for m in mocks]
        sets.append(np.array(rows, dtype=float))
    mine, theirs = sets
    error = np.sqrt((mine.var(0, ddof=1) + theirs.var(0, ddof=1)) / 8)
    z = (mine.mean(0) - theirs.mean(0)) / error
    assert np.abs(z).max() < 5 and np.sqrt((z**2).mean()) < 2
    assert error[:4].max() / np.abs(mine.mean(0)[:4]).max() < 0.1  # xi is known well enough to tell something
    assert str(np.random.get_state(legacy=False)["state"]) == str(state)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sigma_logM": 0.0}, "sigma_logM"),
        ({"sigma_logM": -0.016}, "sigma_logM"),
        ({"mu_cen": 1.2}, "mu_cen"),
        ({"alpha": 0.0}, "alpha"),
        ({"logM1": np.nan}, "finite"),
        ({"extra": 1.0}, "needs"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(change: dict, words: str) -> None:
    with pytest.raises(OrbitscopeError, match=words):
        parameters({**THETA, **change})
    with pytest.raises(OrbitscopeError, match="7 numbers"):
        parameters([1.0, 2.0])


def test_mocks_without_galaxies_and_halos_without_shapes_are_refused(halos: Halos) -> None:
    with pytest.raises(OrbitscopeError, match="without galaxies"):
        populate(halos, {**THETA, "logMmin": 17.0, "logM0": 16.9})
    bare = Halos(halos.positions, halos.mass, halos.radius, halos.concentration, None, halos.box)
    with pytest.raises(OrbitscopeError, match="no shapes"):
        populate(bare, THETA)
    with pytest.raises(OrbitscopeError, match="elongation"):
        populate(Halos(halos.positions, halos.mass, halos.radius, halos.concentration, halos.axis, halos.box), THETA, satellites="prolate")
    with pytest.raises(OrbitscopeError, match="satellites"):
        populate(halos, THETA, satellites="round")
    assert list(THETA) == list(PARAMETERS)
