"""Basic shapes as coarse meshes, centred, and their random draws."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from ._mesh import Mesh

Real = NDArray[np.float64]
Rng = np.random.Generator


def prism(outline: Real, height: float, top: float = 1.0, shift: tuple[float, float] = (0.0, 0.0)) -> Mesh:
    """A body between a polygon and its scaled copy above it; top 0 makes a pyramid or cone.

    * `outline`: corners of the polygon, counterclockwise, [corner, 2]; seen from its first corner, or from another if need be, it must
      fall into triangles (ear clipping). `height`: of the body, its lower half below 0. `top`: scale of the upper polygon.
      `shift`: of the upper polygon, aside.
    """
    n, low = len(outline), np.column_stack([outline, np.full(len(outline), -height / 2)])
    flat = clip_ears(outline)
    floor = [(a, c, b) for a, b, c in flat]
    if top == 0:
        apex = np.array([[*shift, height / 2]])
        sides = [(i, (i + 1) % n, n) for i in range(n)]
        return Mesh(np.concatenate([low, apex]), np.array(floor + sides))
    high = np.column_stack([outline * top + np.asarray(shift), np.full(n, height / 2)])
    roof = [(a + n, b + n, c + n) for a, b, c in flat]
    sides = [t for i in range(n) for j in [(i + 1) % n] for t in ((i, j, j + n), (i, j + n, i + n))]
    return Mesh(np.concatenate([low, high]), np.array(floor + roof + sides))


def clip_ears(outline: Real) -> list[tuple[int, int, int]]:
    """Triangles that fill a simple polygon; raises `OrbitscopeError` for one that crosses itself or runs clockwise.

    * `outline`: corners, counterclockwise, [corner, 2].
    """
    left, found = list(range(len(outline))), []

    def turn(i: int, j: int, k: int) -> float:
        (ax, ay), (bx, by), (cx, cy) = outline[i], outline[j], outline[k]
        return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)

    while len(left) > 3:
        for at in range(len(left)):
            i, j, k = left[at - 1], left[at], left[(at + 1) % len(left)]
            inside = (m for m in left if m not in (i, j, k))
            if turn(i, j, k) > 1e-12 and not any(min(turn(i, j, m), turn(j, k, m), turn(k, i, m)) >= 0 for m in inside):
                found.append((i, j, k))
                left.pop(at)
                break
        else:
            raise OrbitscopeError("clip_ears: `outline` should be a simple polygon, counterclockwise.")
    return [*found, (left[0], left[1], left[2])]


def regular(sides: int, radius: float = 1.0) -> Real:
    """Corners of a regular polygon, counterclockwise, [side, 2].

    * `sides`: at least 3. `radius`: of the corners.
    """
    angle = 2 * np.pi * (np.arange(sides) + 0.5) / sides
    return radius * np.stack([np.cos(angle), np.sin(angle)], 1)


def box(size: tuple[float, float, float]) -> Mesh:
    """A box of 12 faces about the origin.

    * `size`: along x, y and z.
    """
    x, y, z = size
    return prism(np.array([[-x, -y], [x, -y], [x, y], [-x, y]]) / 2, z)


def sphere(times: int = 1, radius: float = 1.0) -> Mesh:
    """An icosahedron whose faces are cut in four, `times` times, its points on the sphere.

    * `times`: 0 and more; 20 * 4^times faces. `radius`: of the sphere.
    """
    g = (1 + 5**0.5) / 2
    points = np.array([[s * a, t * b, 0.0] for a, b in ((1, g),) for s in (-1, 1) for t in (-1, 1)])
    points = np.concatenate([points, points[:, [2, 0, 1]], points[:, [1, 2, 0]]])
    mesh = hull(points)
    for _ in range(times):
        a, b, c = np.moveaxis(mesh.corners, 1, 0)
        ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
        cut = np.concatenate([np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
        mesh = Mesh.of_corners(cut / np.linalg.norm(cut, axis=2, keepdims=True))
    return Mesh(radius * mesh.vertices / np.linalg.norm(mesh.vertices, axis=1, keepdims=True), mesh.faces)


def hull(points: Real) -> Mesh:
    """The convex hull of some points.

    * `points`: [point, 3], not all in a plane.
    """
    from scipy.spatial import ConvexHull

    found = ConvexHull(points)
    corners = points[found.simplices]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inwards = (normal * found.equations[:, :3]).sum(1) < 0
    corners[inwards] = corners[inwards][:, ::-1]
    return Mesh.of_corners(corners)


def capsule(radius: float, length: float, sections: int = 8, rings: int = 2) -> Mesh:
    """A cylinder with half a sphere at both ends.

    * `radius`, `length`: of the cylinder. `sections`: around it. `rings`: of points on each half sphere, the rim counted.
    """
    angle = np.pi / 2 * np.arange(rings) / rings
    ring = [(radius * np.cos(t), length / 2 + radius * np.sin(t)) for t in angle]
    profile = [(r, -z) for r, z in reversed(ring)] + ring
    turn = 2 * np.pi * np.arange(sections) / sections
    points = np.array([[r * np.cos(t), r * np.sin(t), z] for r, z in profile for t in turn])
    poles = np.array([[0, 0, -length / 2 - radius], [0, 0, length / 2 + radius]])
    low, high, last = len(points), len(points) + 1, len(profile) - 1
    faces = []
    for s in range(sections):
        t = (s + 1) % sections
        for r in range(last):
            a, b, c, d = r * sections + s, r * sections + t, (r + 1) * sections + t, (r + 1) * sections + s
            faces += [(a, b, c), (a, c, d)]
        faces += [(low, t, s), (high, last * sections + s, last * sections + t)]
    return Mesh(np.concatenate([points, poles]), np.array(faces))


def _sizes(rng: Rng, count: int) -> Real:
    return rng.uniform(0.5, 1.5, count)


def _l_outline(rng: Rng) -> Real:
    a, b, s, t = *_sizes(rng, 2), *rng.uniform(0.3, 0.6, 2)
    return np.array([[0, 0], [a, 0], [a, b * t], [a * s, b * t], [a * s, b], [0, b]]) - [a / 2, b / 2]


def _t_outline(rng: Rng) -> Real:
    a, b, s, t = *_sizes(rng, 2), *rng.uniform(0.3, 0.6, 2)
    w = a * s / 2
    return np.array([[-w, 0], [w, 0], [w, b * t], [a / 2, b * t], [a / 2, b], [-a / 2, b], [-a / 2, b * t], [-w, b * t]]) - [0, b / 2]


def _rectangle(rng: Rng) -> Real:
    x, y = _sizes(rng, 2) / 2
    return np.array([[-x, -y], [x, -y], [x, y], [-x, y]])


def _wedge(rng: Rng) -> Mesh:
    x, y = _sizes(rng, 2)
    return prism(np.array([[-x / 2, -y / 2], [x / 2, -y / 2], [-x / 2, y / 2]]), float(_sizes(rng, 1)[0]))


SHAPES: dict[str, Callable[[Rng], Mesh]] = {
    "box": lambda rng: box(tuple(_sizes(rng, 3))),
    "frustum": lambda rng: prism(_rectangle(rng), rng.uniform(0.5, 1.5), rng.uniform(0.3, 0.8)),
    "wedge": _wedge,
    "prism": lambda rng: prism(regular(int(rng.integers(5, 9)), rng.uniform(0.4, 0.8)), rng.uniform(0.5, 1.5)),
    "pyramid": lambda rng: prism(regular(int(rng.integers(3, 7)), rng.uniform(0.5, 0.9)), rng.uniform(0.5, 1.5), 0.0),
    "l": lambda rng: prism(_l_outline(rng), rng.uniform(0.4, 1.2)),
    "t": lambda rng: prism(_t_outline(rng), rng.uniform(0.4, 1.2)),
    "cylinder": lambda rng: prism(regular(12, rng.uniform(0.3, 0.7)), rng.uniform(0.5, 1.5)),
    "cone": lambda rng: prism(regular(12, rng.uniform(0.4, 0.8)), rng.uniform(0.5, 1.5), 0.0),
    "sphere": lambda rng: sphere(1, rng.uniform(0.4, 0.8)),
    "capsule": lambda rng: capsule(rng.uniform(0.25, 0.5), rng.uniform(0.3, 1.0)),
}
"""Name -> a random one, lengths near 1, about the origin, its axis along z."""
CURVED = ("cylinder", "cone", "sphere", "capsule")
CONVEX = tuple(name for name in SHAPES if name not in ("l", "t"))


def random_shape(kind: str, seed: int, index: int, turned: str = "z") -> Mesh:
    """A basic shape of random sizes, turned at random.

    * `kind`: a name in `SHAPES`. `seed`, `index`: which one. `turned`: "z" (about the vertical), "all" (any rotation) or "none".

    Raises `OrbitscopeError` for other words.
    """
    if kind not in SHAPES:
        raise OrbitscopeError(f"shapes: there is no {kind!r}. Known: {', '.join(SHAPES)}.")
    if turned not in ("none", "z", "all"):
        raise OrbitscopeError(f"turned: should be none, z or all, got {turned!r}.")
    rng = np.random.default_rng([seed, 0x5A4B, index])
    mesh = SHAPES[kind](rng)
    if turned == "none":
        return mesh
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    if turned == "all":
        q, r = np.linalg.qr(rng.normal(size=(3, 3)))
        turn = q * np.sign(np.diag(r))
        turn *= np.sign(np.linalg.det(turn))
    return mesh.moved(turn)
