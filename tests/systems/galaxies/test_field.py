"""The density field and its displacements against closed forms, and against the spectrum that was asked for."""

import numpy as np
import pytest

from orbitscope import OrbitscopeError
from orbitscope.systems.galaxies._field import density, deposited, displacements, interpolated, smoothed, spectrum, tide, to_field, to_modes

BOX, GRID = 40.0, 16
K = 2 * np.pi / BOX
X, Y, Z = np.meshgrid(*[np.arange(GRID) * BOX / GRID] * 3, indexing="ij")
SECOND = -3 / 7 * 0.3 ** (-1 / 143)


def test_one_plane_wave_moves_matter_to_first_order_alone() -> None:
    first, second = displacements(0.3 * np.cos(K * X), BOX, 0.3)
    np.testing.assert_allclose(first[0], -0.3 / K * np.sin(K * X), atol=1e-12)  # towards the crest
    np.testing.assert_allclose(first[1:], 0, atol=1e-12)
    np.testing.assert_allclose(second, 0, atol=1e-12)


def test_two_crossing_waves_have_the_second_order_of_the_formula() -> None:
    a, b = 0.3, 0.2
    _, second = displacements(a * np.cos(K * X) + b * np.cos(2 * K * Y), BOX, 0.3)
    # phi_xx = a cos kx, phi_yy = b cos 2ky, so laplacian phi_2 = a b cos kx cos 2ky and phi_2 is that over -5 k^2.
    x = SECOND * a * b / (5 * K) * np.sin(K * X) * np.cos(2 * K * Y)
    y = SECOND * 2 * a * b / (5 * K) * np.cos(K * X) * np.sin(2 * K * Y)
    np.testing.assert_allclose(second, [x, y, np.zeros_like(x)], atol=1e-12)


def test_an_oblique_wave_has_no_second_order_either() -> None:
    _, second = displacements(0.3 * np.cos(K * (X + Y - 2 * Z)), BOX, 0.3)
    np.testing.assert_allclose(second, 0, atol=1e-12)


def test_growth_multiplies_first_and_second_order_by_its_powers() -> None:
    field = density(GRID, BOX, lambda k: 50 / (1 + k**2), 1)
    one, two = displacements(field, BOX, 0.3), displacements(0.5 * field, BOX, 0.3)
    np.testing.assert_allclose(two[0], 0.5 * one[0], atol=1e-12)
    np.testing.assert_allclose(two[1], 0.25 * one[1], atol=1e-12)


def test_the_tide_is_the_curvature_of_the_potential_and_its_trace_the_density() -> None:
    field = 0.4 * np.cos(K * (X + Y)) + 0.1 * np.cos(2 * K * Z)
    points = np.stack([X, Y, Z], -1).reshape(-1, 3)[::37]
    found = tide(field, BOX, 0.0, points)
    wave = 0.2 * np.cos(K * points[:, :2].sum(1))
    expected = np.zeros((len(points), 3, 3))
    expected[:, :2, :2] = wave[:, None, None]
    expected[:, 2, 2] = 0.1 * np.cos(2 * K * points[:, 2])
    np.testing.assert_allclose(found, expected, atol=1e-12)
    once = tide(field, BOX, 3.0, points)  # averaging damps each wave by its own number
    np.testing.assert_allclose(once[:, 0, 0], wave * np.exp(-9 * K**2), atol=1e-12)
    np.testing.assert_allclose(np.trace(found, axis1=1, axis2=2), interpolated(field, BOX, points), atol=1e-12)


def test_interpolation_and_deposition_are_one_another_s_transposes() -> None:
    rng = np.random.default_rng(0)
    field, points = rng.normal(size=(6, 6, 6)), rng.uniform(-4, 11, (50, 3))
    points[0], points[1] = [0, 0, 0], [5.999999, 0, 3]
    mass = (deposited(points, 6, 6.0) + 1) * len(points) / 6**3
    assert (mass * field).sum() == pytest.approx(interpolated(field, 6.0, points).sum(), rel=1e-12)
    corner = np.array([[1.0, 2.0, 5.0]])
    assert interpolated(field, 6.0, corner)[0] == pytest.approx(field[1, 2, 5]) and deposited(corner, 6, 6.0)[1, 2, 5] == 215
    stacked = interpolated(np.stack([field, 2 * field]), 6.0, points)
    np.testing.assert_allclose(stacked[:, 1], 2 * stacked[:, 0], atol=1e-12)


def test_a_field_has_the_spectrum_that_was_asked_for() -> None:
    def power(k: np.ndarray) -> np.ndarray:
        return 300 * k / (1 + (k / 0.3) ** 2) ** 1.5

    limits = np.array([0.1, 0.4, 0.8, 1.2])
    k, found, modes = np.transpose([spectrum(f, f, BOX, limits) for f in (density(GRID, BOX, power, s) for s in range(12))], (1, 0, 2))
    ratio = found.mean(0) / power(k[0])
    assert (np.abs(ratio - 1) < 5 * np.sqrt(2 / (12 * modes[0])) + 0.06).all()  # the spectrum bends within a shell
    field = density(GRID, BOX, power, 0)
    assert abs(field.mean()) < 1e-12 and np.array_equal(field, density(GRID, BOX, power, 0))
    assert not np.allclose(field, density(GRID, BOX, power, 1))


def test_the_spectrum_of_a_wave_is_its_square() -> None:
    wave = 0.3 * np.cos(2 * K * X)
    k, power, modes = spectrum(wave, wave, BOX, np.array([1.5, 2.5]) * K)
    assert power[0] * modes[0] == pytest.approx(2 * (0.15**2) * BOX**3) and k[0] == pytest.approx(2 * K, rel=0.2)
    np.testing.assert_allclose(to_field(smoothed(to_modes(wave), BOX, 2.0)), wave * np.exp(-0.5 * 4 * (2 * K) ** 2), atol=1e-12)
    with pytest.raises(OrbitscopeError, match="grid"):
        density(4, BOX, lambda k: k, 0)
