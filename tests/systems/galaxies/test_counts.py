"""Pair counts and statistics against the slow sum over all pairs, against halotools, and moved catalogues."""

import numpy as np
import pytest
from halotools.mock_observables import tpcf
from halotools.mock_observables.ia_correlations import ed_3d, ee_3d

from orbitscope import OrbitscopeError
from orbitscope.systems.galaxies import (
    alignment_statistics,
    correlations,
    edges,
    filled,
    jackknife,
    pair_sums,
    present,
    realisation_spread,
)  # fmt: skip


def clustered(count: int, box: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Half the galaxies anywhere, half near one of those, with axes that lean to one side."""
    rng = np.random.default_rng(seed)
    first = rng.uniform(0, box, (count // 2, 3))
    second = first[: count - count // 2] + rng.normal(size=(count - count // 2, 3)) * 0.7
    axes = rng.normal(size=(count, 3)) + [0.5, 0, 0]
    return np.concatenate([first, second]) % box, axes / np.linalg.norm(axes, axis=1, keepdims=True)


def slow(positions: np.ndarray, axes: np.ndarray, box: float, limits: np.ndarray) -> np.ndarray:
    """xi, omega, eta from all ordered pairs."""
    apart = positions[None] - positions[:, None]
    apart -= box * np.round(apart / box)
    r = np.linalg.norm(apart, axis=2)
    first, second = np.nonzero((r >= limits[0]) & (r < limits[-1]))
    ed = np.einsum("pi,pi->p", axes[first], apart[first, second] / r[first, second, None]) ** 2
    ee = np.einsum("pi,pi->p", axes[first], axes[second]) ** 2
    at = np.digitize(r[first, second], limits) - 1
    found = np.full((3, len(limits) - 1), np.nan)
    for b in range(len(limits) - 1):
        shell = 4 / 3 * np.pi * (limits[b + 1] ** 3 - limits[b] ** 3)
        found[0, b] = (at == b).sum() / (len(positions) ** 2 * shell / box**3) - 1
        if (at == b).any():
            found[1:, b] = ed[at == b].mean() - 1 / 3, ee[at == b].mean() - 1 / 3
    return found


@pytest.mark.parametrize(("box", "count"), [(32.0, 60), (32.0, 700), (50.0, 900), (250.0, 900), (95.0, 1500)])
def test_the_fused_counter_is_the_sum_over_all_pairs(box: float, count: int) -> None:
    positions, axes = clustered(count, box)
    np.testing.assert_allclose(alignment_statistics(positions, axes, box), slow(positions, axes, box, edges()), rtol=1e-10, atol=1e-10)


def test_it_gives_what_halotools_gives() -> None:
    positions, axes = clustered(3000, 60.0, 1)
    theirs = tpcf(positions, edges(), period=60.0), ed_3d(positions, axes, positions, edges(), period=60.0)
    theirs = [*theirs, ee_3d(positions, axes, positions, axes, edges(), period=60.0)]
    np.testing.assert_allclose(alignment_statistics(positions, axes, 60.0), theirs, rtol=1e-10, atol=1e-10)


def test_places_outside_the_box_and_lengths_of_axes_do_not_matter() -> None:
    positions, axes = clustered(400, 40.0)
    rng = np.random.default_rng(3)
    outside = positions + 40.0 * rng.integers(-2, 3, positions.shape)
    scaled = axes * rng.uniform(0.1, 5, (400, 1)) * rng.choice([-1, 1], (400, 1))
    expected = alignment_statistics(positions, axes, 40.0)
    np.testing.assert_allclose(alignment_statistics(outside, scaled, 40.0), expected, rtol=1e-10, atol=1e-10)
    tiny = np.array([[-1e-20, 1.0, 1.0], [0.5, 1.0, 1.0]])  # -1e-20 modulo the box is the box
    assert pair_sums(tiny, np.ones((2, 3)), 40.0).total[:, 0].sum() == 1


def test_two_galaxies_of_known_orientation() -> None:
    angle = 0.3
    axes = np.array([[1.0, 0, 0], [np.cos(angle), np.sin(angle), 0]])
    found = alignment_statistics([[39.5, 1, 1], [0.5, 1, 1]], axes, 40.0, [0.5, 1.5, 3.0])
    np.testing.assert_allclose(found[1:, 0], [(1 + np.cos(angle) ** 2) / 2 - 1 / 3, np.cos(angle) ** 2 - 1 / 3], atol=1e-12)
    assert found[0, 1] == -1 and np.isnan(found[1:, 1]).all()
    kept = filled(found)
    assert (kept[1:, 1] == 0).all() and present(kept).tolist() == [[True, True], [True, False], [True, False]]


def test_regions_share_out_the_pairs() -> None:
    positions, axes = clustered(500, 60.0)
    whole, parts = pair_sums(positions, axes, 60.0), pair_sums(positions, axes, 60.0, regions=3)
    assert parts.inside.shape == (27, 20, 3) and parts.across.sum() > 0
    np.testing.assert_allclose(parts.total, whole.total, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(correlations(parts), correlations(whole), rtol=1e-10, atol=1e-10)


def test_the_jackknife_knows_the_scatter_of_galaxies_without_clustering() -> None:
    rng, bins, many = np.random.default_rng(5), np.array([2.0, 6.0, 12.0]), 150
    sets = [(rng.uniform(0, 60, (600, 3)), rng.normal(size=(600, 3))) for _ in range(many)]
    true = realisation_spread(np.array([alignment_statistics(*s, 60.0, bins) for s in sets])).deviation
    found = [jackknife(*s, 60.0, bins, regions=4) for s in sets[:40]]
    guessed = np.sqrt(np.mean([f.deviation**2 for f in found], axis=0))
    assert found[0].covariance.shape == (6, 6) and found[0].samples == 64
    ratio = guessed / true  # 150 sets give a deviation to 6 %
    assert (np.abs(ratio - 1)[:, 0] < 0.2).all() and (np.abs(ratio - 1)[1:, 1] < 0.2).all()
    assert 0.9 < ratio[0, 1] < 1.5  # shells as wide as half a region
    means = np.mean([f.mean for f in found], axis=0)
    assert (np.abs(means) < 5 * true / np.sqrt(40)).all()


def test_the_spread_of_realisations_is_their_covariance() -> None:
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(6, 6))
    drawn = (rng.normal(size=(4000, 6)) @ mixing.T).reshape(4000, 3, 2)
    drawn[:, 0] += 50  # xi far above -1
    found = realisation_spread(drawn)
    np.testing.assert_allclose(found.covariance, mixing @ mixing.T, atol=0.12 * np.abs(mixing @ mixing.T).max())
    drawn[7, 0, 1] = -1.0
    gone = realisation_spread(drawn)
    assert np.isnan(gone.mean).tolist() == [[False, False], [False, True], [False, True]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"positions": np.zeros((4, 2))}, "positions"),
        ({"axes": np.zeros((4, 3))}, "length 0"),
        ({"axes": np.ones((3, 3))}, "axes"),
        ({"positions": np.full((4, 3), np.nan)}, "NaN"),
        ({"positions": np.zeros((1, 3)), "axes": np.ones((1, 3))}, "two galaxies"),
        ({"box": 30.0}, "twice the largest"),
        ({"box": np.nan}, "twice the largest"),
        ({"bins": [0.0, 1.0]}, "rise"),
        ({"bins": [2.0, 1.0]}, "rise"),
    ],
)
def test_wrong_catalogues_are_refused(change: dict, words: str) -> None:
    given = {"positions": np.random.default_rng(0).uniform(0, 40, (4, 3)), "axes": np.ones((4, 3)), "box": 40.0, "bins": None, **change}
    with pytest.raises(OrbitscopeError, match=words):
        pair_sums(**given)


def test_a_jackknife_needs_regions_wider_than_the_largest_separation() -> None:
    positions, axes = clustered(50, 40.0)
    with pytest.raises(OrbitscopeError, match="fewer `regions`"):
        jackknife(positions, axes, 40.0)
    with pytest.raises(OrbitscopeError, match="at least 2"):
        jackknife(positions, axes, 40.0, regions=1)
    with pytest.raises(OrbitscopeError, match="at least 2"):
        realisation_spread(np.zeros((1, 3, 20)))
