"""Halos made from a seed: masses, places, bias and shapes against what they were made from."""

import numpy as np
import pytest
from scipy import integrate
from scipy.spatial import KDTree

from orbitscope import OrbitscopeError
from orbitscope.systems.galaxies import HaloConfig, Halos, halo_bias, make_halos, mean_square_cosine, tidal_axes
from orbitscope.systems.galaxies._field import density, deposited, displacements, spectrum
from orbitscope.systems.galaxies._halos import Cosmos

CONFIG = HaloConfig(box=160.0, grid=64, lightest=3e11)


@pytest.fixture(scope="module")
def halos() -> Halos:
    return make_halos(3, CONFIG)


@pytest.fixture(scope="module")
def fields() -> tuple[np.ndarray, np.ndarray]:
    """Linear density and the density of matter that was moved."""
    cosmos = Cosmos(CONFIG)
    linear = density(CONFIG.grid, CONFIG.box, cosmos.power, 3)
    grid = np.stack(np.meshgrid(*[np.arange(CONFIG.grid) * CONFIG.box / CONFIG.grid] * 3, indexing="ij"), -1).reshape(-1, 3)
    moved = grid + np.sum(displacements(linear, CONFIG.box, cosmos.matter), axis=0).reshape(3, -1).T
    return linear, deposited(np.mod(moved, CONFIG.box), CONFIG.grid, CONFIG.box)


def test_the_linear_field_has_the_spectrum_of_colossus_and_moved_matter_keeps_it_on_large_scales(fields: tuple) -> None:
    linear, moved = fields
    limits = np.array([0.05, 0.12, 0.2, 0.3])
    k, power, modes = spectrum(linear, linear, CONFIG.box, limits)
    assert (np.abs(power / Cosmos(CONFIG).power(k) - 1) < 4 * np.sqrt(2 / modes) + 0.05).all()
    ratio = spectrum(moved, moved, CONFIG.box, limits)[1] / power
    assert (ratio > [0.85, 0.8, 0.7]).all() and (ratio < 1.1).all()  # crossing orbits lose power, more on small scales
    cross = spectrum(moved, linear, CONFIG.box, limits)[1]
    assert cross[0] / np.sqrt(power[0] ** 2 * ratio[0]) > 0.9


def test_growth_is_that_of_colossus() -> None:
    from colossus.cosmology import cosmology

    k = np.array([0.01, 0.1])
    early, late = (Cosmos(HaloConfig(redshift=z)).power(k) for z in (1.0, 0.0))
    model = cosmology.setCosmology(CONFIG.cosmology, persistence="")
    growth = [float(np.asarray(model.growthFactor(z))) for z in (1.0, 0.0)]
    np.testing.assert_allclose(early / late, (growth[0] / growth[1]) ** 2, rtol=1e-3)


def test_masses_follow_the_mass_function(halos: Halos) -> None:
    cosmos = Cosmos(CONFIG)
    limits = np.array([3e11, 1e12, 3e12, 1e13, 3e13, 1e16])
    for low, high in zip(limits, limits[1:], strict=False):
        table = np.geomspace(low, high, 400)
        expected = integrate.trapezoid(cosmos.counts(table), np.log(table)) * CONFIG.box**3
        assert ((halos.mass >= low) & (halos.mass < high)).sum() == pytest.approx(expected, rel=0.01, abs=2)


@pytest.mark.parametrize(("low", "high", "tolerance"), [(3e11, 1e12, 0.08), (1e12, 5e12, 0.1), (5e12, 3e13, 0.15)])
def test_the_bias_is_that_of_the_model(halos: Halos, fields: tuple, low: float, high: float, tolerance: float) -> None:
    some = halos.take((halos.mass >= low) & (halos.mass < high))
    found, _ = halo_bias(some, fields[1], np.array([0.05, 0.12, 0.2]))
    expected = Cosmos(CONFIG).bias(some.mass).mean()
    np.testing.assert_allclose(found, expected, rtol=tolerance)


def test_no_centre_lies_within_a_heavier_halo(halos: Halos) -> None:
    pairs = KDTree(halos.positions, boxsize=halos.box).query_pairs(float(halos.radius.max()), output_type="ndarray")
    apart = halos.positions[pairs[:, 0]] - halos.positions[pairs[:, 1]]
    apart -= halos.box * np.round(apart / halos.box)
    assert len(pairs) > 100 and (np.linalg.norm(apart, axis=1) >= halos.radius[pairs].max(1) * (1 - 1e-9)).all()


def test_long_axes_scatter_about_the_axis_of_least_compression(halos: Halos) -> None:
    weakest = tidal_axes(halos)
    assert halos.axis is not None
    square = (halos.axis * weakest).sum(1) ** 2
    assert square.mean() == pytest.approx(mean_square_cosine(CONFIG.alignment), abs=5 * square.std() / np.sqrt(len(halos)))
    unaligned = make_halos(3, HaloConfig(box=60.0, grid=24, lightest=1e12, alignment=0.0))
    assert unaligned.axis is not None
    square = (unaligned.axis * tidal_axes(unaligned)).sum(1) ** 2
    assert square.mean() == pytest.approx(1 / 3, abs=5 * square.std() / np.sqrt(len(unaligned)))


def test_radii_and_concentrations_are_those_of_the_mass(halos: Halos) -> None:
    cosmos = Cosmos(CONFIG)
    dense = halos.mass / (4 / 3 * np.pi * halos.radius**3) / cosmos.mean_density
    np.testing.assert_allclose(dense, dense[0], rtol=1e-6)
    assert 300 < dense[0] < 380  # virial halos of today
    scatter = np.log10(halos.concentration / cosmos.concentration(halos.mass))
    assert abs(scatter.mean()) < 0.01 and scatter.std() == pytest.approx(CONFIG.scatter, rel=0.03)


def test_a_seed_repeats_and_another_one_differs() -> None:
    config = HaloConfig(box=40.0, grid=16, lightest=1e12)
    one, two, other = make_halos(1, config), make_halos(1, config), make_halos(2, config)
    for name in ("positions", "mass", "axis", "concentration"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert not np.array_equal(one.positions[:20], other.positions[:20])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"box": 0.0}, "box"),
        ({"grid": 4}, "grid"),
        ({"alignment": 1.5}, "alignment"),
        ({"cosmology": "newton"}, "colossus has no 'newton'"),
        ({"lightest": 1e15, "box": 10.0}, "holds no halo"),
        ({"colour": 1}, "colour"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change: dict, words: str) -> None:
    with pytest.raises(OrbitscopeError, match=words):
        make_halos(0, HaloConfig(**{"box": 40.0, "grid": 16, "lightest": 1e12, **change}))


def test_only_halos_that_were_made_here_know_their_tide() -> None:
    halos = make_halos(1, HaloConfig(box=40.0, grid=16, lightest=1e12))
    with pytest.raises(OrbitscopeError, match="make_halos"):
        tidal_axes(Halos(halos.positions, halos.mass, halos.radius, halos.concentration, halos.axis, halos.box))
