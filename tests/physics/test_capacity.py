"""Boundary elements: exact potentials of triangles, the sphere's capacity and its order, the published cube."""

import numpy as np
import pytest

from orbitscope import OrbitscopeError
from orbitscope.physics import capacity, potential_matrix, surface_charge


def by_quadrature(point, triangle, points=60):
    """Duffy's points about the nearest corner would do; off the plane plain Gauss points converge."""
    x, w = np.polynomial.legendre.leggauss(points)
    s, t = np.meshgrid((x + 1) / 2, (x + 1) / 2, indexing="ij")
    a, b, c = triangle
    at = a + (s * (1 - t))[..., None] * (b - a) + (s * t)[..., None] * (c - a)
    area2 = np.linalg.norm(np.cross(b - a, c - a))
    return area2 * (np.outer(w, w) / 4 * s / np.linalg.norm(at - point, axis=-1)).sum() / (4 * np.pi)


def test_potentials_are_the_integrals():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        triangle = rng.normal(size=(3, 3))
        normal = np.cross(triangle[1] - triangle[0], triangle[2] - triangle[0])
        point = triangle.mean(0) + normal / np.linalg.norm(normal) * rng.uniform(1, 3) * np.sign(rng.normal()) + 0.3 * rng.normal(size=3)
        assert abs(potential_matrix([point], [triangle])[0, 0] - by_quadrature(point, triangle)) < 1e-10


def test_in_the_plane_the_potential_is_the_sum_over_sectors():
    # At the corner of three triangles that fill one, the polar integral is exact: INT rho(angle) d angle.
    triangle = np.array([[0.0, 0, 0], [1.3, 0.2, 0], [0.4, 0.9, 0]])
    inside = triangle.mean(0)
    angles, w = np.polynomial.legendre.leggauss(80)
    total = 0.0
    for a, b in zip(triangle - inside, np.roll(triangle, -1, 0) - inside, strict=True):
        start, end = np.arctan2(a[1], a[0]), np.arctan2(b[1], b[0])
        end += 2 * np.pi * (end < start)
        along, normal = (b - a)[:2], np.array([(b - a)[1], -(b - a)[0]])
        at = (start + end) / 2 + (end - start) / 2 * angles
        total += (end - start) / 2 * (w * (a[:2] @ normal) / (np.stack([np.cos(at), np.sin(at)], 1) @ normal)).sum()
        assert np.linalg.norm(along) > 0
    assert abs(potential_matrix([inside], [triangle])[0, 0] - total / (4 * np.pi)) < 1e-10
    for p in (triangle[0], (triangle[0] + triangle[1]) / 2, 3 * triangle[1] - 2 * triangle[0]):  # a corner, an edge, its line
        near = potential_matrix([p + [0, 0, 1e-7]], [triangle])[0, 0]
        assert abs(potential_matrix([p], [triangle])[0, 0] - near) < 1e-6


def test_a_sphere_has_its_radius_with_second_order(sphere):
    errors = [1 - capacity(2.5 * sphere(n)) / 2.5 for n in (1, 2, 3)]
    assert errors[-1] < 0.004 and all(3.4 < a / b < 4.4 for a, b in zip(errors, errors[1:], strict=False)), errors


def test_the_charge_of_a_sphere_is_even_and_adds_up(sphere):
    triangles = sphere(2)
    charge = surface_charge(triangles)
    assert np.ptp(charge) < 0.12 * charge.mean() and abs(charge.mean() - 1) < 0.05


def test_a_cube_has_its_published_capacity():
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    triangles = np.array([corners[list(t)] for a, b, c, d in sides for t in ((a, b, c), (a, c, d))])
    for _ in range(2):
        a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
        ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
        triangles = np.concatenate([np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    assert abs(capacity(triangles) - 0.6606782) < 0.02  # edges converge slowly: 0.6534 here


@pytest.mark.parametrize(
    ("triangles", "told"),
    [(np.zeros((1, 3, 3)), "no area"), (np.full((1, 3, 3), np.inf), "NaN"), (np.zeros((3, 3)), "corners"), (np.ones((8001, 3, 3)), "8000")],
)
def test_wrong_surfaces_are_named(triangles, told):
    with pytest.raises(OrbitscopeError, match=told):
        capacity(triangles)


def test_wrong_points_are_named():
    with pytest.raises(OrbitscopeError, match="points"):
        potential_matrix([0.0, 1.0], np.eye(3)[None])
