"""Shapes are closed surfaces; re-meshing leaves the surface and its radar return alone, and keeps the books on neighbours."""

import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.physics import physical_optics
from orbitscope.symmetry import Word
from orbitscope.systems.meshes import (
    APPROXIMATE,
    CURVED,
    EXACT,
    SHAPES,
    Mesh,
    RandomRemesh,
    Remesh,
    box,
    mesh_of,
    mesh_state,
    prism,
    random_shape,
    remeshing,
    sphere,
    surface_error,
)  # fmt: skip

K = np.linspace(1.0, 6.0, 4)
TOWARDS = sphere(0).vertices


def moved(mesh: Mesh, letters: tuple[str, ...], dtype=torch.float64, seed=0, room=400):
    state = mesh_state([mesh], room, dtype)
    return Remesh(seed)(Word(letters), state)


@pytest.mark.parametrize("kind", SHAPES)
def test_shapes_are_closed_and_look_outwards(kind):
    for index in range(4):
        mesh = random_shape(kind, 0, index, "all")
        assert mesh.closed and mesh.volume > 0.01 and mesh.areas.min() > 1e-4
        assert np.allclose(mesh.weights.sum(0), 0, atol=1e-12 * mesh.area)  # the normals of a closed surface add up to nothing
    same, other = random_shape(kind, 0, 1, "all"), random_shape(kind, 1, 1, "all")
    assert np.array_equal(same.vertices, random_shape(kind, 0, 1, "all").vertices) and not np.allclose(same.area, other.area)


def test_volumes_and_areas_of_known_bodies():
    assert np.isclose(box((1, 2, 3)).volume, 6) and np.isclose(box((1, 2, 3)).area, 22)
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=float)
    assert np.isclose(prism(square, 3, 0.0).volume, 1) and np.isclose(prism(square, 1, 0.5).volume, (1 + 0.5 + 0.25) / 3)
    assert abs(sphere(3).volume / (4 / 3 * np.pi) - 1) < 0.02 and len(sphere(3)) == 1280
    with pytest.raises(OrbitscopeError, match="simple polygon"):
        prism(square[::-1], 1)


def borders(state, i=0):
    """What a mesh says of its neighbours against what its corners say."""
    corners, neighbours, there = (p[i].numpy() for p in state)
    n = int(there.sum())
    edges = {}
    for f in range(n):
        for e in range(3):
            edges[corners[f, e].tobytes(), corners[f, (e + 1) % 3].tobytes()] = f
    found = [[edges.get((corners[f, (e + 1) % 3].tobytes(), corners[f, e].tobytes()), -1) for e in range(3)] for f in range(n)]
    return np.array(found), neighbours[:n]


@pytest.mark.parametrize("letters", [(m,) for m in EXACT] + [("flip_200", "split_100", "edge_100"), ("split_30", "midpoint")])
@pytest.mark.parametrize("kind", ["box", "l", "cone", "sphere"])
def test_exact_moves_leave_surface_and_response_alone(letters, kind):
    mesh = random_shape(kind, 3, 5, "all")
    state = moved(mesh, letters)
    expected, said = borders(state)
    assert np.array_equal(expected, said) and (said >= 0).all()
    other = mesh_of(state, 0)
    assert other.closed and abs(other.area - mesh.area) < 1e-12 * mesh.area and abs(other.volume - mesh.volume) < 1e-12 * mesh.area
    plain = physical_optics(mesh.corners, TOWARDS, K)
    assert np.abs(physical_optics(other.corners, TOWARDS, K) - plain).max() < 1e-12 * np.abs(plain).max()
    if len(other) < 80:
        assert surface_error(mesh, other) < 1e-12


def test_moves_do_something():
    mesh = random_shape("prism", 0, 0)
    counts = {m: int(moved(mesh, (m,))[2].sum()) for m in EXACT}
    n = len(mesh)
    assert counts["split_100"] == 3 * n and counts["midpoint"] == 4 * n and n < counts["edge_30"] < counts["edge_100"]
    assert counts["flip_200"] == n and not torch.equal(moved(mesh, ("flip_200",))[0], mesh_state([mesh], 400, torch.float64)[0])


def test_what_is_cut_depends_on_shape_move_and_seed_alone():
    meshes = [random_shape("box", 0, i) for i in range(3)]
    together = Remesh()(Word(("split_100",)), mesh_state(meshes, 60, torch.float64))
    alone = moved(meshes[1], ("split_100",), room=60)
    assert all(torch.equal(a[1], b[0]) for a, b in zip(together, alone, strict=True))
    assert not torch.equal(moved(meshes[1], ("split_100",), seed=1, room=60)[0], alone[0])
    single = moved(meshes[1], ("split_100",), torch.float32, room=60)
    assert torch.allclose(single[0].double(), alone[0], atol=1e-6) and torch.equal(single[1], alone[1])


@pytest.mark.parametrize("move", APPROXIMATE)
def test_approximate_moves_stay_near(move):
    (word,) = remeshing([move]).probes()[1:]
    for kind, limit in (("box", 2e-3), ("cylinder", 0.12)):
        mesh = random_shape(kind, 0, 0)
        other = mesh_of(Remesh()(word, mesh_state([mesh], 400, torch.float64)), 0)
        assert surface_error(mesh, other) < limit and other.closed
    assert not Remesh().is_exact(word) and 0 < Remesh().error(word, mesh_state([random_shape("cylinder", 0, 0)], 400)) < 0.12


def test_the_surface_error_is_a_distance():
    a, b = box((1, 1, 1)), box((1, 1, 1.5))
    assert surface_error(a, a) < 1e-15 and np.isclose(surface_error(a, b), 0.25) and np.isclose(surface_error(b, a), 0.25)


def to_triangle(point, triangle):
    """Distance of a point from one triangle: from its plane where the foot lies inside, else from the nearest edge."""
    found = []
    for u, v in zip(triangle, np.roll(triangle, -1, axis=0), strict=True):
        t = np.clip((point - u) @ (v - u) / max((v - u) @ (v - u), 1e-300), 0, 1)
        found.append(np.linalg.norm(u + t * (v - u) - point))
    sides = np.stack([triangle[1] - triangle[0], triangle[2] - triangle[0]], 1)
    if np.linalg.matrix_rank(sides) == 2:
        share = np.linalg.lstsq(sides, point - triangle[0], rcond=None)[0]
        if share.min() >= 0 and share.sum() <= 1:
            found.append(np.linalg.norm(triangle[0] + sides @ share - point))
    return min(found)


def test_the_surface_error_is_that_of_a_loop_over_all_triangles():
    rng = np.random.default_rng(0)
    body = sphere(1)
    others = (box((1.0, 1.0, 1.0)), Mesh.of_corners(body.corners + 0.05 * rng.normal(size=body.corners.shape)))
    flat = Mesh(others[0].vertices, np.vstack([others[0].faces, [[0, 1, 1]]]))  # a face without area hides no distance
    for other in (*others, flat):
        ways = []
        for one, two in ((body, other), (other, body)):
            at = np.concatenate([one.corners.reshape(-1, 3), ((one.corners + np.roll(one.corners, 1, axis=1)) / 2).reshape(-1, 3)])
            ways.append(max(min(to_triangle(p, t) for t in two.corners) for p in np.unique(at, axis=0)))
        assert abs(surface_error(body, other) - max(ways)) < 1e-10 and max(ways) > 0.01


def test_augmentation_moves_meshes_and_nothing_else():
    meshes = [random_shape(kind, 0, i) for i, kind in enumerate(SHAPES)]
    x, y, way = mesh_state(meshes, 320), torch.arange(len(meshes))[:, None].float(), RandomRemesh()
    drawn = way.draw(len(meshes), 0, 1, 2)
    assert torch.equal(drawn, way.draw(len(meshes), 0, 1, 2)) and not torch.equal(drawn, way.draw(len(meshes), 0, 1, 3))
    new, same = way(drawn, x, y)
    assert torch.equal(same, y) and all(a.shape == b.shape for a, b in zip(new, x, strict=True))
    changed = [i for i in range(len(meshes)) if not torch.equal(new[0][i], x[0][i])]
    assert len(changed) > len(meshes) // 2
    for i in range(len(meshes)):
        assert abs(mesh_of(new, i).area - meshes[i].area) < 1e-5 * meshes[i].area


def test_too_little_room_cuts_less_or_is_said():
    mesh = random_shape("box", 0, 0)
    assert int(moved(mesh, ("split_100",), room=16)[2].sum()) == 16
    with pytest.raises(OrbitscopeError, match="midpoint gives 48 faces"):
        moved(mesh, ("midpoint",), room=40)
    with pytest.raises(OrbitscopeError, match="room for `faces` = 10"):
        mesh_state([mesh], 10)


@pytest.mark.parametrize("letter", ["split", "split_x", "midpoint_3", "melt_10", "split_30^-1"])
def test_what_is_no_move_is_said(letter):
    with pytest.raises(OrbitscopeError, match="remeshing"):
        Remesh()(Word((letter,)), mesh_state([box((1, 1, 1))], 40))


def test_wrong_meshes_and_shapes_are_named():
    with pytest.raises(OrbitscopeError, match="first in vertex 1"):
        Mesh(np.array([[0, 0, 0], [np.nan, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]]))
    with pytest.raises(OrbitscopeError, match="vertices 0 to 2"):
        Mesh(np.eye(3), np.array([[0, 1, 3]]))
    with pytest.raises(OrbitscopeError, match="at least one"):
        Mesh(np.eye(3), np.zeros((0, 3), dtype=int))
    with pytest.raises(OrbitscopeError, match="no 'torus'"):
        random_shape("torus", 0, 0)
    with pytest.raises(OrbitscopeError, match="turned"):
        random_shape("box", 0, 0, "upside")
    assert set(CURVED) < set(SHAPES)
