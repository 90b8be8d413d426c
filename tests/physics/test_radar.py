"""Physical optics on triangles: closed form against quadrature, plates, spheres, cylinders, and other triangulations of the same faces."""

import numpy as np
import pytest

from orbitscope import OrbitscopeError
from orbitscope.physics import cylinder_backscatter, physical_optics, radar_cross_section, range_profile, sphere_backscatter

PLATE = np.array([[[0, 0, 0], [1, 0, 0], [1, 1, 0]], [[0, 0, 0], [1, 1, 0], [0, 1, 0]]], dtype=float)


def direction(seed: int) -> np.ndarray:
    d = np.random.default_rng(seed).normal(size=3)
    return d / np.linalg.norm(d)


def by_quadrature(triangles, towards, k, points=40):
    """The slow, obvious form: Gauss points on every triangle."""
    x, w = np.polynomial.legendre.leggauss(points)
    s, t = np.meshgrid((x + 1) / 2, (x + 1) / 2, indexing="ij")
    weight, total = np.outer(w, w) / 4 * s, 0.0
    for a, b, c in triangles:
        normal = np.cross(b - a, c - a)
        if normal @ towards > 0:
            at = a + (s * (1 - t))[..., None] * (b - a) + (s * t)[..., None] * (c - a)
            total += (normal @ towards) * (weight * np.exp(2j * k * (at @ towards))).sum()
    return 1j * k / (2 * np.pi) * total


@pytest.mark.parametrize("size", [1e-4, 3e-2, 0.2, 1.0, 2.0])
@pytest.mark.parametrize("even", [True, False])
def test_the_closed_form_is_the_integral(size, even):
    k = np.linspace(1.0, 5.0, 5) if even else np.array([0.3, 1.9, 2.0, 5.0])
    for seed in range(4):
        triangles, towards = np.random.default_rng(seed).normal(size=(5, 3, 3)) * size, direction(seed)
        found = physical_optics(triangles, [towards], k)[0]
        expected = np.array([by_quadrature(triangles, towards, kk) for kk in k])
        area = np.linalg.norm(np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]), axis=1).sum() / 2
        assert (np.abs(found - expected) <= 1e-10 * k * area / (2 * np.pi)).all()


@pytest.mark.parametrize("phase", [0.0, 1e-9, 1e-4, 0.0999, 0.1001, 0.5999, 0.6001, 0.7, 3.0])
@pytest.mark.parametrize("share", [0.0, 1e-9, 1e-5, 0.3, 0.5, 1.0])
def test_confluent_phases_are_as_exact_as_others(phase, share):
    # A naive switch to a limit is wrong by tens of per cent on thin triangles: corners at phases 0, share * phase, phase.
    x = np.array([0.0, share * phase, phase]) / 2
    triangle = np.stack([x, [0.0, 1.0, 0.3], np.zeros(3)], 1)
    triangle[:, 2] = [0.0, 0.0, 1.0]
    if np.cross(triangle[1] - triangle[0], triangle[2] - triangle[0])[0] < 0:
        triangle = triangle[::-1]
    found = physical_optics([triangle], [[1.0, 0, 0]], [1.0])[0, 0]
    assert abs(found - by_quadrature([triangle], np.array([1.0, 0, 0]), 1.0)) < 1e-14


def test_even_spacing_gives_what_single_wavenumbers_give():
    triangles, k = np.random.default_rng(3).normal(size=(20, 3, 3)), np.linspace(0.01, 40, 800)
    towards = np.stack([direction(i) for i in range(3)])
    together = physical_optics(triangles, towards, k)
    singly = np.concatenate([physical_optics(triangles, towards, [kk]) for kk in k], 1)
    assert np.abs(together - singly).max() < 1e-12 * np.abs(singly).max()
    assert np.array_equal(together, physical_optics(triangles, towards, k, threads=3))


def test_a_plate_at_normal_incidence_returns_area_over_wavelength():
    k = np.linspace(5, 60, 12)
    found = physical_optics(PLATE * 2, [[0, 0, 1]], k)[0]
    assert np.allclose(np.abs(found), 4 * k / (2 * np.pi), rtol=1e-12)
    assert np.allclose(radar_cross_section(found), 4 * np.pi * (4 * k / (2 * np.pi)) ** 2, rtol=1e-12)


def test_a_plate_aside_follows_the_sinc():
    angle, k = 0.2, np.array([7.0, 31.0])
    found = physical_optics(PLATE, [[np.sin(angle), 0, np.cos(angle)]], k)[0]
    expected = k / (2 * np.pi) * np.cos(angle) * np.abs(np.sinc(k * np.sin(angle) / np.pi))
    assert np.allclose(np.abs(found), expected, rtol=1e-12)


def test_a_sphere_is_its_own_physical_optics_and_near_mie(sphere):
    k = np.linspace(30.0, 60.0, 41)
    found, q = physical_optics(sphere(5), [[0, 0, 1]], k)[0], 2 * k
    exact = 0.5 * (np.exp(1j * q) - (np.exp(1j * q) - 1) / (1j * q))  # the integral over the lit half of a sphere of radius 1
    assert np.abs(found - exact).max() < 0.03 * 0.5
    mie = sphere_backscatter(1.0, k)
    mean = np.sqrt((np.abs(found) ** 2).mean() / (np.abs(mie) ** 2).mean())
    assert abs(mean - 1) < 0.01 and np.abs(np.abs(found) / np.abs(mie) - 1).max() < 0.04
    assert np.abs(np.angle(exact / mie)).max() < 0.03  # the phase is that of one convention


def test_errors_of_a_sphere_fall_with_the_square_of_the_edge(sphere):
    k = np.array([4.0, 5.0])
    q = 2 * k
    exact = 0.5 * (np.exp(1j * q) - (np.exp(1j * q) - 1) / (1j * q))
    errors = [np.abs(physical_optics(sphere(n), [direction(1)], k)[0] - exact).max() for n in (2, 3, 4)]
    assert all(3.0 < a / b < 5.5 for a, b in zip(errors, errors[1:], strict=False)), errors


def test_a_cylinder_seen_broadside_returns_k_a_squared_length():
    turns, k, length = 1600, np.linspace(100.0, 140.0, 21), 2.0
    angle = 2 * np.pi * np.arange(turns + 1) / turns
    low, high = (np.stack([np.cos(angle), np.sin(angle), np.full(turns + 1, z)], 1) for z in (0.0, length))
    sides = np.concatenate([np.stack([low[:-1], low[1:], high[1:]], 1), np.stack([low[:-1], high[1:], high[:-1]], 1)])
    found = physical_optics(sides, [[1.0, 0, 0]], k)[0] / length
    for polarisation in ("parallel", "perpendicular"):
        exact = cylinder_backscatter(1.0, k, polarisation)
        assert abs(np.abs(found).mean() / np.abs(exact).mean() - 1) < 0.01
        assert np.abs(np.angle(found / exact)).max() < 0.1
    assert np.allclose(radar_cross_section(cylinder_backscatter(1.0, [400.0])), 400.0, rtol=1e-3)


@pytest.mark.parametrize(("ka", "expected", "rtol"), [(0.01, 9 * 0.01**4, 1e-3), (300.0, 1.0, 0.02)])
def test_mie_has_its_two_limits(ka, expected, rtol):
    for radius in (1.0, 0.2):
        sigma = radar_cross_section(sphere_backscatter(radius, [ka / radius]))[0]
        assert np.isclose(sigma / (np.pi * radius**2), expected, rtol=rtol)


def test_mie_at_resonance_has_its_published_height():
    ka = np.linspace(0.5, 2.0, 301)
    sigma = radar_cross_section(sphere_backscatter(1.0, ka)) / np.pi
    assert abs(ka[sigma.argmax()] - 1.03) < 0.02 and abs(sigma.max() - 3.66) < 0.05  # the first peak of the textbooks' curve


def split_faces(triangles, rng, times):
    """Interior splits of random faces: the same surface, other triangles."""
    found = list(triangles)
    for _ in range(times):
        a, b, c = found.pop(int(rng.integers(len(found))))
        u = rng.dirichlet([1, 1, 1])
        p = u[0] * a + u[1] * b + u[2] * c
        found += [np.stack([a, b, p]), np.stack([b, c, p]), np.stack([c, a, p])]
    return np.array(found)


def test_cutting_flat_faces_changes_nothing():
    rng, k = np.random.default_rng(0), np.linspace(0.5, 25.0, 32)
    towards = np.stack([direction(i) for i in range(8)])
    body = rng.normal(size=(4, 3))[[[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]]
    plain = physical_optics(body, towards, k)
    for times in (1, 30, 300):
        cut = physical_optics(split_faces(body, rng, times), towards, k)
        assert np.abs(cut - plain).max() < 1e-12 * np.abs(plain).max()


def test_moving_a_body_shifts_the_phase_and_turning_both_changes_nothing():
    rng, k = np.random.default_rng(5), np.linspace(1.0, 9.0, 9)
    body, towards, shift = rng.normal(size=(6, 3, 3)), direction(2), np.array([0.3, -1.0, 0.5])
    plain = physical_optics(body, [towards], k)[0]
    moved = physical_optics(body + shift, [towards], k)[0]
    assert np.allclose(moved, plain * np.exp(2j * k * (shift @ towards)), rtol=0, atol=1e-12 * np.abs(plain).max())
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    turned = physical_optics(body @ turn.T, [turn @ towards], k)[0]
    assert np.allclose(turned, plain, rtol=0, atol=1e-11 * np.abs(plain).max())


def test_shaded_faces_return_nothing():
    k = [3.0, 4.0]
    whole = physical_optics(PLATE, [[0, 0, 1]], k)
    first = physical_optics(PLATE, [[0, 0, 1]], k, lit=[[True, False]])
    assert np.allclose(first, physical_optics(PLATE[:1], [[0, 0, 1]], k)) and not np.allclose(first, whole)
    assert not physical_optics(PLATE, [[0, 0, -1]], k).any()  # seen from behind


def test_the_range_profile_finds_two_plates():
    k = np.linspace(20.0, 60.0, 160)
    far = PLATE - [0, 0, 1.5]
    lit = physical_optics(np.concatenate([PLATE + [0, 0, 1.0], far + [3.0, 0, 0]]), [[0, 0, 1]], k)
    ranges, profile = range_profile(lit / k, k)
    height = np.abs(profile[0])
    peaks = np.flatnonzero((height[1:-1] > height[:-2]) & (height[1:-1] > height[2:]) & (height[1:-1] > 0.5 * height.max())) + 1
    assert np.allclose(ranges[peaks], [-1.5, 1.0], atol=np.pi / 80)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"triangles": np.zeros((2, 3))}, r"corners \[face, 3, 3\]"),
        ({"triangles": np.zeros((0, 3, 3))}, r"corners \[face, 3, 3\]"),
        ({"triangles": np.full((1, 3, 3), np.nan)}, "first in face 0"),
        ({"directions": [[0, 0, 2.0]]}, "unit vectors"),
        ({"directions": [0, 0, 1.0]}, "directions"),
        ({"wavenumbers": [2.0, 1.0]}, "ascending"),
        ({"wavenumbers": [0.0, 1.0]}, "positive"),
        ({"lit": [[True]]}, r"\(1, 2\)"),
    ],
)
def test_wrong_arguments_are_named(changed, told):
    given = {"triangles": PLATE, "directions": [[0, 0, 1.0]], "wavenumbers": [1.0, 2.0], **changed}
    with pytest.raises(OrbitscopeError, match=told):
        physical_optics(given["triangles"], given["directions"], given["wavenumbers"], lit=given.get("lit"))


def test_wrong_series_and_profiles_are_named():
    with pytest.raises(OrbitscopeError, match="polarisation"):
        cylinder_backscatter(1.0, [1.0], "round")
    with pytest.raises(OrbitscopeError, match="positive"):
        sphere_backscatter(-1.0, [1.0])
    with pytest.raises(OrbitscopeError, match="evenly spaced"):
        range_profile(np.ones(3), [1.0, 2.0, 4.0])
    with pytest.raises(OrbitscopeError, match="last axis"):
        range_profile(np.ones(4), [1.0, 2.0, 3.0])
