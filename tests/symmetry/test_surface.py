"""Charts on cylinder and sphere: places, lengths, vectors, poles, edges, and what a turn of the whole does to them."""

import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.symmetry import Cylinder, Icosahedral, Layout, LonLat, Patch, SphereAction, SurfaceCharts, special_orthogonal

SCALAR, WIND = Layout.of("heat"), Layout.of("wind:vector", "heat")
CENTRES = [(10.0, 5.0), (200.0, -47.0), (33.0, 90.0), (300.0, -88.0), (359.9, 71.0)]
PATCH = Patch((7, 7), 0.06)


def heat(p):
    """A smooth function of points [..., 3]."""
    return np.sin(2 * p[..., 0] + p[..., 2]) + p[..., 1] * p[..., 2]


def wind(p):
    """A smooth tangent vector field, [..., 3]: the part along the sphere of a smooth field of space."""
    v = np.stack([np.sin(p[..., 1]), p[..., 2] ** 2, np.cos(p[..., 0])], -1)
    return v - (v * p).sum(-1, keepdims=True) * p


def on_grid(sphere, turn=None):
    """`wind` and `heat`, turned by a matrix, as a field [3, *shape] of east, north, heat: point by point, by plain formulas."""
    turn = np.eye(3) if turn is None else turn
    rows = []
    for p in sphere.directions:
        lon, lat = np.arctan2(p[1], p[0]), np.arcsin(np.clip(p[2], -1, 1))
        east = np.array([-np.sin(lon), np.cos(lon), 0])
        north = np.array([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
        v = turn @ wind(turn.T @ p)
        rows.append([v @ east, v @ north, heat(turn.T @ p)])
    return torch.tensor(np.array(rows).T).reshape(3, *sphere.shape)


def expected(sphere, centre, patch, turn=None):
    """The chart by spherical trigonometry: where each point lies, and its wind brought to the centre by the rotation along the arc."""
    turn = np.eye(3) if turn is None else turn
    lon, lat = np.radians(centre)
    c = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    east = np.array([-np.sin(lon), np.cos(lon), 0])
    north = np.cross(c, east)
    out = np.zeros((3, *patch.shape))
    for i in range(patch.shape[0]):
        for j in range(patch.shape[1]):
            x, y = patch.coordinates[:, i, j].numpy() / sphere.radius
            size = np.hypot(x, y)
            angle = {"orthographic": np.arcsin, "gnomonic": np.arctan, "equidistant": float}[sphere.projection](size)
            along = (x * east + y * north) / max(size, 1e-300)
            p = np.cos(angle) * c + np.sin(angle) * along
            v = turn @ wind(turn.T @ p)
            # In the basis (along the arc, across it) transport changes nothing.
            across = np.cross(c, along)
            here = np.cos(angle) * along - np.sin(angle) * c
            v = (v @ here) * along + (v @ across) * across if size > 0 else v
            out[:, i, j] = v @ east, v @ north, heat(turn.T @ p)
    return torch.tensor(out)


def error(sphere, patch=PATCH, centres=CENTRES):
    found = SurfaceCharts(sphere, patch, centres).cut(on_grid(sphere), WIND)
    return max(float((f - expected(sphere, c, patch)).abs().max()) for f, c in zip(found, centres, strict=True))


@pytest.mark.parametrize("projection", ["orthographic", "gnomonic", "equidistant"])
def test_charts_hold_the_field_with_its_vectors_at_poles_too(projection):
    assert error(LonLat(96, 48, projection=projection)) < 1e-4
    assert error(Icosahedral(4, projection=projection)) < 1e-2


@pytest.mark.parametrize(("make", "coarse", "order"), [(lambda n: LonLat(2 * n, n), 24, 4), (lambda n: Icosahedral(n), 3, 3)])
def test_the_error_falls_with_the_grid(make, coarse, order):
    fine = 2 * coarse if order == 4 else coarse + 1  # half the spacing
    assert error(make(coarse)) > 2 ** (order - 0.7) * error(make(fine)) > 0


def test_lengths_are_those_of_the_sphere():
    earth = LonLat(96, 48, radius=6371.0)
    patch = Patch((7, 7), 0.06 * 6371.0)
    assert error(earth, patch) == pytest.approx(error(LonLat(96, 48)), rel=1e-6)
    assert earth.distance((0.0, 90.0)).max() < np.pi * 6371.0
    with pytest.raises(OrbitscopeError, match="leave the surface"):
        SurfaceCharts(earth, Patch((7, 7), 3000.0), [(0.0, 0.0)])  # beyond the horizon


@pytest.mark.parametrize("sphere", [LonLat(48, 24), Icosahedral(3)])
def test_a_turn_of_the_sphere_moves_patches(sphere):
    """The chart about the turned centre is the old chart, turned by the angle between the two norths."""
    g = special_orthogonal(3).probes(2, 3)[1]
    turn = g.matrix
    moved = SphereAction(WIND, sphere)(g, on_grid(sphere)[None])
    coarse = 0.02
    assert float((moved[0] - on_grid(sphere, turn)).abs().max()) < coarse
    (lon, lat) = np.radians(CENTRES[1])
    c = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    to = turn @ c
    there = (np.degrees(np.arctan2(to[1], to[0])), np.degrees(np.arcsin(to[2])))
    east = np.array([-np.sin(lon), np.cos(lon), 0])
    new = np.radians(there[0])
    angle = np.arctan2(-np.cross(turn @ east, [-np.sin(new), np.cos(new), 0]) @ to, (turn @ east) @ [-np.sin(new), np.cos(new), 0])
    old, found = (SurfaceCharts(sphere, PATCH, [k]).cut(f, WIND)[0] for k, f in ((CENTRES[1], on_grid(sphere)), (there, moved[0])))
    a = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    mixed = torch.cat([torch.einsum("ij,jxy->ixy", torch.tensor(a), old[:2]), old[2:]])
    kept = PATCH.mask(a)
    assert kept.sum() > 20 and float(((PATCH.move(a, mixed) - found) * kept).abs().max()) < coarse


def test_turns_compose_and_there_and_back_is_the_error():
    sphere = Icosahedral(4)
    act, x = SphereAction(WIND, sphere), on_grid(Icosahedral(4))[None]
    g, h = special_orthogonal(3).probes(3, 0)[1:]
    assert float((act(g @ h, x) - act(g, act(h, x))).abs().max()) < 1e-2
    assert act.is_exact(g @ g.inverse()) and not act.is_exact(g) and 0 < act.error(g, x) < 1e-2
    for bad in (np.diag([1.0, 1.0, -1.0]), np.eye(2), 2 * np.eye(3)):
        with pytest.raises(OrbitscopeError, match="rotations of space"):
            act(bad, x)
    with pytest.raises(OrbitscopeError, match="region"):
        SphereAction(SCALAR, LonLat(24, 12, south=0.0))(g, torch.zeros(1, 1, 24, 12))


def test_centres_cover_every_point_and_one_for_each():
    for surface, radius in ((LonLat(24, 12), 0.5), (Icosahedral(2), 0.5), (Cylinder(12, 9), 3.0)):
        centres = surface.cover(radius)
        near = np.array([surface.distance(c) for c in centres])
        assert near.min(0).max() <= radius and len(centres) < len(surface.places) / 2
        own = [np.delete(surface.distance(c)[[surface.each().index(k) for k in centres]], i).min() for i, c in enumerate(centres)]
        assert min(own) > radius
        assert len(surface.each()) == len(surface.places)
        with pytest.raises(OrbitscopeError, match="radius"):
            surface.cover(0.0)


def test_the_icosahedral_grid_has_its_points_apart_on_the_sphere():
    for level in (1, 3):
        points = Icosahedral(level).directions
        assert len(points) == 10 * 4**level + 2 and np.abs(np.linalg.norm(points, axis=1) - 1).max() < 1e-12
        gaps = np.sort(np.arccos(np.clip(points @ points.T, -1, 1)) + 9 * np.eye(len(points)), axis=1)
        assert gaps[:, 0].min() > 0.8 * gaps[:, 0].max()
        assert (np.abs(points.sum(0)) < 1e-9).all()


def test_regions_and_cylinders_refuse_charts_that_leave():
    region = LonLat(30, 20, west=-20.0, east=40.0, south=10.0, north=50.0)
    inside = SurfaceCharts(region, Patch((5, 5), 0.05), [(0.0, 30.0), (-10.0, 25.0)])
    lon, lat = np.meshgrid(-20 + 2 * (np.arange(30) + 0.5), 10 + 2 * (np.arange(20) + 0.5), indexing="ij")
    whole = torch.tensor(lat)[None]
    assert float(inside.cut(whole, SCALAR)[0, 0, 2, 2]) == pytest.approx(30.0, abs=1e-9)
    for centre in ((-19.0, 30.0), (0.0, 48.0), (180.0, 30.0)):
        with pytest.raises(OrbitscopeError, match="leave the surface about 1 of `centres`"):
            SurfaceCharts(region, Patch((5, 5), 0.05), [(0.0, 30.0), centre])
    drum = Cylinder(12, 8)
    with pytest.raises(OrbitscopeError, match="leave the surface"):
        SurfaceCharts(drum, Patch((5, 5)), [(0.0, 1.0)])
    assert drum.each(Patch((5, 5))) == [(float(i), float(j)) for i in range(12) for j in range(2, 6)]


def test_a_chart_on_a_cylinder_is_a_window_that_goes_around():
    field = torch.randn(2, 3, 12, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = SurfaceCharts(Cylinder(12, 8), Patch((5, 5)), [(1.0, 4.0), (7.0, 3.0)]).cut(field, WIND)
    assert torch.allclose(found[:, 0], field.roll(3, -2)[..., 2:7, 2:7], atol=1e-12)
    assert torch.allclose(found[:, 1], field[..., 5:10, 1:6], atol=1e-12)
    between = SurfaceCharts(Cylinder(12, 8, order=1), Patch((5, 5)), [(1.5, 4.0)]).cut(field, WIND)
    assert torch.allclose(between[:, 0], (found[:, 0] + field.roll(2, -2)[..., 2:7, 2:7]) / 2, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LonLat(7, 12), "`longitudes` should be even"),
        (lambda: LonLat(8, 3), "`latitudes`"),
        (lambda: LonLat(8, 8, order=2), "`order`"),
        (lambda: LonLat(8, 8, radius=-1.0), "`radius`"),
        (lambda: LonLat(8, 8, projection="mercator"), "`projection`"),  # pyright: ignore[reportArgumentType]
        (lambda: LonLat(8, 8, south=20.0, north=10.0), "`south`"),
        (lambda: Icosahedral(0), "`level`"),
        (lambda: Cylinder(8, 8, spacing=0.0), "`spacing`"),
        (lambda: SurfaceCharts(LonLat(8, 8), Patch((4, 4), 0.1), []), "`centres` is empty"),
        (lambda: SurfaceCharts(LonLat(8, 8), Patch((8,), 0.1), [(0, 0)]), "two axes"),
        (lambda: SurfaceCharts(LonLat(8, 8), Patch((4, 4), 0.1), [(0, 0)]).cut(torch.zeros(1, 8, 9), SCALAR), "`field`"),
        (lambda: SurfaceCharts(LonLat(8, 8), Patch((4, 4), 0.1), [(0, 0)]).cut(torch.zeros(4, 8, 8), Layout.of("s:tensor2")), "tensor2"),
    ],
)
def test_what_is_wrong_is_named(make, words):
    with pytest.raises(OrbitscopeError, match=words):
        make()
