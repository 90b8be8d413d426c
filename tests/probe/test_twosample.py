"""The two-sample test: exact where it should be, sharp where it can be, and corrected for many elements."""

import importlib

import numpy as np
import pytest
import torch
from torch import Tensor

import orbitscope as osc
from orbitscope.probe.data._twosample import _energy, features, holm, invariance_p_value

VECTOR, SCALAR = osc.Layout.of("velocity:vector"), osc.Layout.of("density")
GRID = osc.Grid.square(8)
D4 = osc.dihedral(4)


def noise(count: int, channels: int, seed: int, scale: float = 1.0) -> Tensor:
    """Independent normal cells: invariant under every permutation of cells and components."""
    return scale * torch.randn(count, 1, channels, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_p_values_are_uniform_under_invariance() -> None:
    """200 samples of 16: the distribution of p is within the 99.9 % Kolmogorov band of the uniform one, and 5 % lie below 5 %."""
    action = osc.GridAction(VECTOR, GRID)
    p = np.sort([invariance_p_value(noise(16, 2, seed), D4["r"], action, seed=seed, permutations=99) for seed in range(200)])
    gap = np.abs(p - (np.arange(200) + 1) / 200).max()
    assert gap < 1.95 / np.sqrt(200) + 0.01
    assert 0.01 <= (p <= 0.05).mean() <= 0.10


def test_p_values_are_exact_for_heavy_tails_and_few_samples() -> None:
    """Amplitudes over four decades, ten samples: where scaling each half by itself would be off."""
    action = osc.GridAction(SCALAR, GRID)
    values = []
    for seed in range(200):
        amplitude = 10 ** (4 * torch.rand(10, 1, 1, 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)))
        values.append(invariance_p_value(noise(10, 1, 1000 + seed) * amplitude, D4["s"], action, seed=seed, permutations=99))
    assert (np.array(values) <= 0.05).mean() <= 0.095  # 5 % and three standard deviations
    assert 0.4 < np.mean(values) < 0.65


def shear(count: int, seed: int) -> Tensor:
    """u = (f(y), 0) with a random profile: the same under s and sr2, another under a quarter turn."""
    profile = torch.randn(count, 1, 1, 1, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return torch.cat([profile.expand(count, 1, 1, 8, 8), torch.zeros(count, 1, 1, 8, 8, dtype=torch.float64)], 2)


def test_a_shear_has_a_direction() -> None:
    """Quarter turns and diagonal flips are detected; the others are not, though most single fields look different under them."""
    action = osc.GridAction(VECTOR, GRID)
    p = {g.name: invariance_p_value(shear(48, 0), g, action, permutations=999) for g in D4}
    assert max(p[n] for n in ("r", "r3", "sr", "sr3")) == pytest.approx(1e-3)
    assert min(p[n] for n in ("r2", "s", "sr2")) > 0.02


def blobs(count: int, centre: tuple[float, float] | None, seed: int) -> Tensor:
    """A bump of random height at one place, or at a random cell of the grid."""
    rng = np.random.default_rng(seed)
    x, y = GRID.coordinates()
    fields = []
    for _ in range(count):
        cx, cy = centre or (rng.integers(8) / 8 + 1 / 16, rng.integers(8) / 8 + 1 / 16)
        away = sum(torch.sin(torch.pi * (a - b)) ** 2 for a, b in ((x, cx), (y, cy)))
        fields.append(rng.uniform(0.5, 2) * torch.exp(-20 * torch.as_tensor(away)))
    return torch.stack(fields)[:, None, None]


def test_a_blob_at_one_place_is_not_invariant_under_shifts() -> None:
    """Every shift moves it; at random places none does in distribution."""
    action, group = osc.GridAction(SCALAR, GRID), osc.translations(8)
    fixed, anywhere = blobs(48, (0.3, 0.6), 0), blobs(48, None, 1)
    assert all(invariance_p_value(fixed, group[str(k)], action, permutations=999) == pytest.approx(1e-3) for k in (2, 4, 6))
    assert min(invariance_p_value(anywhere, group[str(k)], action, permutations=999) for k in (2, 4, 6)) > 0.01


def test_a_handedness_is_detected_by_reflections_alone() -> None:
    """A turning vortex in the middle: rotations keep it, reflections turn it the other way."""
    x, y = GRID.coordinates() - 0.5
    swirl = torch.exp(-20 * (x**2 + y**2)) * torch.stack([-y, x])
    heights = torch.rand(48, 1, 1, 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 0.5
    p = {g.name: invariance_p_value(heights * swirl, g, osc.GridAction(VECTOR, GRID), permutations=999) for g in D4}
    assert min(p[n] for n in ("r", "r2", "r3")) > 0.01 and max(p[n] for n in ("s", "sr", "sr2", "sr3")) == pytest.approx(1e-3)


def test_units_do_not_matter() -> None:
    """A field a million times larger than its neighbour hides nothing."""
    layout = osc.Layout.of("density", "energy")
    pair = torch.cat([blobs(32, (0.3, 0.6), 0), noise(32, 1, 0)], 2)
    action, g = osc.GridAction(layout, GRID), osc.translations(8)["4"]
    one = invariance_p_value(pair, g, action, permutations=199)
    other = invariance_p_value(pair * torch.tensor([1.0, 1e6])[:, None, None], g, action, permutations=199)
    assert one == other == pytest.approx(1 / 200)


def test_it_is_reproducible_and_memory_is_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed gives the same p; blocks of relabellings change nothing about its level."""
    action = osc.GridAction(VECTOR, GRID)
    first = invariance_p_value(noise(16, 2, 0), D4["r"], action, seed=3, permutations=250)
    assert first == invariance_p_value(noise(16, 2, 0), D4["r"], action, seed=3, permutations=250)
    monkeypatch.setattr(importlib.import_module("orbitscope.probe.data._twosample"), "_BLOCK", 100)
    assert first == invariance_p_value(noise(16, 2, 0), D4["r"], action, seed=3, permutations=250)
    assert round(first * 251) == pytest.approx(first * 251)


def test_energy_distance_is_its_definition() -> None:
    """Means over all pairs, in plain loops."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(7, 3))
    label = np.array([1, 1, 1, 0, 0, 0, 0.0])
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    a, b = [i for i in range(7) if label[i]], [i for i in range(7) if not label[i]]

    def mean(one: list[int], other: list[int]) -> float:
        return float(np.mean([distance[i, j] for i in one for j in other]))

    assert _energy(distance, label[None])[0] == pytest.approx(2 * mean(a, b) - mean(a, a) - mean(b, b))


def test_features_are_per_sample_and_see_constant_fields() -> None:
    """One row per sample whatever else is in the batch up to the common scale; a field of zeros gives no NaN."""
    states = noise(5, 2, 0)
    assert features(states).shape[0] == 5
    np.testing.assert_allclose(features(states.flip(0)), features(states)[::-1], rtol=1e-12, atol=1e-12)
    assert np.isfinite(features(torch.zeros(3, 2, 1, 8, 8))).all()
    assert invariance_p_value(torch.zeros(10, 1, 1, 8, 8), D4["r"], osc.GridAction(SCALAR, GRID), permutations=19) == 1


def test_holm_by_hand() -> None:
    """Smallest times 4, next times 3, and so on, never decreasing, at most 1; the order of the elements stays."""
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm(np.array([0.5, 0.2, 0.9])), [1.0, 0.6, 1.0])
    np.testing.assert_allclose(holm(np.array([0.02])), [0.02])
    assert holm(np.array([])).shape == (0,)


def test_the_family_wise_error_stays_below_its_level() -> None:
    """150 invariant data sets, all of D4 but the identity tested on each: after Holm at most 5 % have any rejection (and 3 deviations)."""
    action = osc.GridAction(VECTOR, GRID)
    others = [g for g in D4 if g.name != "e"]
    rejected = 0
    for seed in range(150):
        states = noise(12, 2, 5000 + seed)
        p = holm(np.array([invariance_p_value(states, g, action, seed=seed, permutations=199) for g in others]))
        rejected += bool(p.min() <= 0.05)
    assert rejected / 150 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)


def test_power_grows_with_the_sample_and_with_the_effect() -> None:
    """One component stronger than the other: rejected at 5 % the more often the more samples and the more difference."""
    action = osc.GridAction(VECTOR, GRID)

    def power(count: int, ratio: float) -> float:
        p = []
        for seed in range(40):
            states = noise(count, 2, 9000 + seed)
            states[:, :, 0] *= ratio
            p.append(invariance_p_value(states, D4["r"], action, seed=seed, permutations=99))
        return float((np.array(p) <= 0.05).mean())

    weak, some, more_samples, more_effect = power(12, 1.03), power(12, 1.2), power(40, 1.2), power(12, 1.6)
    assert weak < some <= min(more_samples, more_effect) and min(more_samples, more_effect) > 0.9
    assert power(12, 1.0) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 40)
