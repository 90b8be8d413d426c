"""Means over long axes with places held: against the sum over all pairs, and against many draws of the axes."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate

from orbitscope import OrbitscopeError
from orbitscope.systems.galaxies import (
    Galaxies,
    HaloConfig,
    Halos,
    Population,
    alignment_amplitude,
    alignment_statistics,
    axes_about,
    edges,
    expected_orientations,
    make_halos,
    mock_statistics,
    populate,
)  # fmt: skip

THETA = [0.7, -0.4, 12.3, 0.3, 11.8, 12.9, 1.0]


@pytest.fixture(scope="module")
def halos() -> Halos:
    return make_halos(0, HaloConfig(box=60.0, grid=24, lightest=2e11))


@pytest.fixture(scope="module")
def mock(halos: Halos) -> Galaxies:
    return populate(halos, THETA, 2)


def second_moment(strength: float, n: np.ndarray) -> np.ndarray:
    """Mean of e e^T about the direction n by numerical integration of the law, [3, 3]."""
    kappa = -np.tan(np.pi * strength / 2)
    weight = lambda t: np.exp(-kappa * t * t)  # noqa: E731
    square = integrate.quad(lambda t: t * t * weight(t), 0, 1)[0] / integrate.quad(weight, 0, 1)[0]
    along = np.outer(n, n)
    return square * along + (1 - square) / 2 * (np.eye(3) - along)


def slow(mock: Galaxies, mu_cen: float, mu_sat: float, limits: np.ndarray) -> np.ndarray:
    """Means of omega and eta from all pairs and the second moments of every axis, [2, B]."""
    assert mock.about is not None
    moments = np.array([second_moment(mu_cen if c else mu_sat, n) for c, n in zip(mock.central, mock.about, strict=True)])
    apart = mock.positions[None] - mock.positions[:, None]
    apart -= mock.box * np.round(apart / mock.box)
    r = np.linalg.norm(apart, axis=2)
    one, two = np.nonzero((r >= limits[0]) & (r < limits[-1]))
    unit = apart[one, two] / r[one, two, None]
    ed, ee = np.einsum("pi,pij,pj->p", unit, moments[one], unit), np.einsum("pij,pij->p", moments[one], moments[two])
    at = np.digitize(r[one, two], limits) - 1
    count = np.bincount(at, minlength=len(limits) - 1)
    return np.stack([np.bincount(at, w, len(limits) - 1) / count - 1 / 3 for w in (ed, ee)])


@pytest.mark.parametrize(("mu_cen", "mu_sat"), [(0.7, -0.4), (-0.9, 0.95), (0.0, 0.3)])
def test_parts_give_the_sum_over_all_pairs(halos: Halos, mu_cen: float, mu_sat: float) -> None:
    bins = np.array([0.1, 0.5, 2.0, 6.0, 15.0])
    few = populate(halos, [0, 0, 13.0, 0.3, 12.3, 13.3, 1.0], 1)
    assert 200 < len(few) < 1500
    _, held = mock_statistics(few, bins)
    np.testing.assert_allclose(expected_orientations(held, mu_cen, mu_sat), slow(few, mu_cen, mu_sat, bins), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("box", [32.0, 40.0, 60.0, 250.0])
def test_statistics_are_those_of_the_other_counter(box: float) -> None:
    rng = np.random.default_rng(4)
    first = rng.uniform(0, box, (400, 3))
    places = np.mod(np.concatenate([first, first + 0.5 * rng.normal(size=first.shape)]), box)
    axes = rng.normal(size=(2, len(places), 3))
    axes /= np.linalg.norm(axes, axis=2, keepdims=True)
    made = Galaxies(places, axes[0], np.arange(len(places)), rng.uniform(size=len(places)) < 0.5, box, axes[1])
    statistics, held = mock_statistics(made)
    np.testing.assert_allclose(statistics, alignment_statistics(places, axes[0], box), rtol=1e-10, atol=1e-10)
    whole = alignment_statistics(places, axes[1], box)  # both kinds along n: amplitudes of 1
    np.testing.assert_allclose(expected_orientations(held, 1.0, 1.0), whole[1:], rtol=1e-10, atol=1e-10)


def test_they_are_means_of_draws(mock: Galaxies) -> None:
    assert mock.about is not None
    rng, rows = np.random.default_rng(0), []
    for _ in range(60):
        axes = np.empty_like(mock.axes)
        for kind, mu in ((mock.central, 0.7), (~mock.central, -0.4)):
            axes[kind] = axes_about(mock.about[kind], mu, rng)
        rows.append(alignment_statistics(mock.positions, axes, mock.box)[1:])
    wanted = expected_orientations(mock_statistics(mock)[1], 0.7, -0.4)
    z = (np.mean(rows, 0) - wanted) / (np.std(rows, 0, ddof=1) / np.sqrt(60))
    there = np.isfinite(z) & (np.std(rows, 0) > 0)
    assert there.sum() > 35 and np.abs(z[there]).max() < 5 and 0.4 < (z[there] ** 2).mean() < 1.8


def test_amplitudes_at_the_ends() -> None:
    assert (alignment_amplitude(1.0), alignment_amplitude(-1.0)) == (1.0, -0.5) and abs(alignment_amplitude(0.0)) < 1e-12
    assert alignment_amplitude(0.3) > 0 > alignment_amplitude(-0.3)


def test_bins_without_pairs_are_nan(halos: Halos) -> None:
    statistics, held = mock_statistics(populate(halos, [0, 0, 14.0, 0.2, 13.9, 15.0, 1.0], 1))
    none = statistics[0] == -1
    assert none.any() and np.isnan(held[:, none]).all() and np.isfinite(held[:, ~none]).all() and held.shape == (5, len(edges()) - 1)


def test_one_population_gives_the_mocks_of_populate(halos: Halos, mock: Galaxies) -> None:
    from orbitscope.systems.galaxies._mocks import mock_stream

    people = Population(halos, THETA)
    people.draw(mock_stream(2, 5))
    again = people.draw(mock_stream(2, 0))
    np.testing.assert_array_equal(again.positions, mock.positions)
    np.testing.assert_array_equal(again.axes, mock.axes)


def test_wrong_mocks_are_refused(mock: Galaxies) -> None:
    assert mock.about is not None
    one = Galaxies(mock.positions[:1], mock.axes[:1], mock.host[:1], mock.central[:1], mock.box, mock.about[:1])
    for wrong, words in ((replace(mock, about=None), "directions"), (one, "two galaxies"), (replace(mock, box=20.0), "twice the largest")):
        with pytest.raises(OrbitscopeError, match=words):
            mock_statistics(wrong)
