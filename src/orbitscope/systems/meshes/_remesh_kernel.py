"""Compiled re-meshing of padded triangle soups in place: every operation touches a few faces and mends who borders on whom.

`corners` [F, 3, 3] and `neighbours` [F, 3] have room for F faces, of which the first `count` are there; edge e of a face runs from corner
e to corner e + 1. This module imports numba and is therefore itself imported only when a mesh is moved.
"""

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

_njit: Callable[..., Any] = numba.njit(nogil=True, cache=True, error_model="numpy")
_SLIVER = 1e-4  # a flip that leaves a triangle with less than this part of the area is not made


@_njit
def _same(a, b):
    return a[0] == b[0] and a[1] == b[1] and a[2] == b[2]


@_njit
def _edge_of(corners, neighbours, f, g, start, end):
    """The edge of `f` that borders on `g` and runs from `start` to `end`; -1 for none."""
    for e in range(3):
        if neighbours[f, e] == g and _same(corners[f, e], start) and _same(corners[f, (e + 1) % 3], end):
            return e
    return -1


@_njit
def _point_to(corners, neighbours, other, was, now, start, end):
    """Face `other` bordered on `was` along the edge that it runs from `end` to `start`; it borders on `now`."""
    if other >= 0:
        e = _edge_of(corners, neighbours, other, was, end, start)
        if e >= 0:
            neighbours[other, e] = now


@_njit
def split_face(corners, neighbours, count, f, u, v, w):
    """A new vertex inside face `f`, at barycentric (u, v, w): one face becomes three. Returns the new count."""
    a, b, c = corners[f, 0].copy(), corners[f, 1].copy(), corners[f, 2].copy()
    p = u * a + v * b + w * c
    i, j = count, count + 1
    n0, n1, n2 = neighbours[f, 0], neighbours[f, 1], neighbours[f, 2]
    _point_to(corners, neighbours, n1, f, i, b, c)
    _point_to(corners, neighbours, n2, f, j, c, a)
    corners[f, 2] = p
    corners[i, 0], corners[i, 1], corners[i, 2] = b, c, p
    corners[j, 0], corners[j, 1], corners[j, 2] = c, a, p
    neighbours[f, 0], neighbours[f, 1], neighbours[f, 2] = n0, i, j
    neighbours[i, 0], neighbours[i, 1], neighbours[i, 2] = n1, j, f
    neighbours[j, 0], neighbours[j, 1], neighbours[j, 2] = n2, f, i
    return count + 2


@_njit
def split_edge(corners, neighbours, count, f, e, t):
    """A new vertex on edge `e` of face `f`, at the part `t` of it: both faces become two. Returns the new count."""
    a, b, c = corners[f, e].copy(), corners[f, (e + 1) % 3].copy(), corners[f, (e + 2) % 3].copy()
    m = a + t * (b - a)
    g, bc, ca = neighbours[f, e], neighbours[f, (e + 1) % 3], neighbours[f, (e + 2) % 3]
    h = -1 if g < 0 else _edge_of(corners, neighbours, g, f, b, a)
    if g >= 0 and h < 0:
        return count
    i = count
    count += 1
    _point_to(corners, neighbours, bc, f, i, b, c)
    corners[f, 0], corners[f, 1], corners[f, 2] = a, m, c
    corners[i, 0], corners[i, 1], corners[i, 2] = m, b, c
    neighbours[f, 0], neighbours[f, 1], neighbours[f, 2] = -1, i, ca
    neighbours[i, 0], neighbours[i, 1], neighbours[i, 2] = g, bc, f
    if g >= 0:
        d = corners[g, (h + 2) % 3].copy()
        ad, db = neighbours[g, (h + 1) % 3], neighbours[g, (h + 2) % 3]
        j = count
        count += 1
        _point_to(corners, neighbours, ad, g, j, a, d)
        corners[g, 0], corners[g, 1], corners[g, 2] = b, m, d
        corners[j, 0], corners[j, 1], corners[j, 2] = m, a, d
        neighbours[g, 0], neighbours[g, 1], neighbours[g, 2] = i, j, db
        neighbours[j, 0], neighbours[j, 1], neighbours[j, 2] = f, ad, g
        neighbours[f, 0] = j
    return count


@_njit
def _cross(a, b, c):
    x, y, z = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    p, q, r = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    return y * r - z * q, z * p - x * r, x * q - y * p


@_njit
def flip_edge(corners, neighbours, f, e, flat):
    """The other diagonal of the two faces at edge `e` of face `f`, where the sine of the angle between them is below
    `flat` and they make a convex quadrilateral."""
    g = neighbours[f, e]
    if g < 0 or g == f:
        return False
    a, b, c = corners[f, e].copy(), corners[f, (e + 1) % 3].copy(), corners[f, (e + 2) % 3].copy()
    h = _edge_of(corners, neighbours, g, f, b, a)
    if h < 0:
        return False
    d = corners[g, (h + 2) % 3].copy()
    p, q = _cross(a, b, c), _cross(b, a, d)
    pp, qq = math.sqrt(p[0] ** 2 + p[1] ** 2 + p[2] ** 2), math.sqrt(q[0] ** 2 + q[1] ** 2 + q[2] ** 2)
    out = (p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0])
    if math.sqrt(out[0] ** 2 + out[1] ** 2 + out[2] ** 2) > flat * pp * qq or p[0] * q[0] + p[1] * q[1] + p[2] * q[2] <= 0:
        return False
    r, s = _cross(a, d, c), _cross(d, b, c)
    least = _SLIVER * (pp + qq) * pp
    if r[0] * p[0] + r[1] * p[1] + r[2] * p[2] < least or s[0] * p[0] + s[1] * p[1] + s[2] * p[2] < least:
        return False
    bc, ca = neighbours[f, (e + 1) % 3], neighbours[f, (e + 2) % 3]
    ad, db = neighbours[g, (h + 1) % 3], neighbours[g, (h + 2) % 3]
    if bc == g or ca == g:  # they share two edges
        return False
    _point_to(corners, neighbours, ad, g, f, a, d)
    _point_to(corners, neighbours, bc, f, g, b, c)
    corners[f, 0], corners[f, 1], corners[f, 2] = a, d, c
    corners[g, 0], corners[g, 1], corners[g, 2] = d, b, c
    neighbours[f, 0], neighbours[f, 1], neighbours[f, 2] = ad, g, ca
    neighbours[g, 0], neighbours[g, 1], neighbours[g, 2] = db, bc, f
    return True


@_njit
def cut_all(corners, neighbours, count, out, near):
    """Every face in four at the middles of its edges, into `out` and `near`. Returns the new count."""
    child, slot = np.array([[0, 1], [1, 2], [2, 0]]), np.array([[0, 0], [1, 1], [2, 2]])
    for f in range(count):
        a, b, c = corners[f, 0], corners[f, 1], corners[f, 2]
        ab, bc, ca = 0.5 * (a + b), 0.5 * (b + c), 0.5 * (c + a)
        k = 4 * f
        out[k, 0], out[k, 1], out[k, 2] = a, ab, ca
        out[k + 1, 0], out[k + 1, 1], out[k + 1, 2] = ab, b, bc
        out[k + 2, 0], out[k + 2, 1], out[k + 2, 2] = ca, bc, c
        out[k + 3, 0], out[k + 3, 1], out[k + 3, 2] = ab, bc, ca
        near[k, 1], near[k + 1, 2], near[k + 2, 0] = k + 3, k + 3, k + 3
        near[k + 3, 0], near[k + 3, 1], near[k + 3, 2] = k + 1, k + 2, k
        for e in range(3):
            g = neighbours[f, e]
            h = -1 if g < 0 else _edge_of(corners, neighbours, g, f, corners[f, (e + 1) % 3], corners[f, e])
            for half in range(2):
                there = -1 if h < 0 else 4 * g + child[h, 1 - half]
                near[k + child[e, half], slot[e, half]] = there
    return 4 * count


@_njit
def many_faces(corners, neighbours, count, most, times, numbers):
    """`times` interior splits of faces drawn by `numbers` [times, 4], uniform, while there is room for `most`."""
    for n in range(times):
        if count + 2 > most:
            break
        f = min(int(numbers[n, 0] * count), count - 1)
        u, v, w = 0.1 + numbers[n, 1], 0.1 + numbers[n, 2], 0.1 + numbers[n, 3]
        total = u + v + w
        count = split_face(corners, neighbours, count, f, u / total, v / total, w / total)
    return count


@_njit
def many_edges(corners, neighbours, count, most, times, numbers):
    """`times` splits of edges drawn by `numbers` [times, 3], between a quarter and three quarters, while there is room."""
    for n in range(times):
        if count + 2 > most:
            break
        f = min(int(numbers[n, 0] * count), count - 1)
        count = split_edge(corners, neighbours, count, f, min(int(numbers[n, 1] * 3), 2), 0.25 + 0.5 * numbers[n, 2])
    return count


@_njit
def many_flips(corners, neighbours, count, times, numbers, flat):
    """`times` attempts to flip edges drawn by `numbers` [times, 2]. Returns how many were flipped."""
    done = 0
    for n in range(times):
        f = min(int(numbers[n, 0] * count), count - 1)
        if flip_edge(corners, neighbours, f, min(int(numbers[n, 1] * 3), 2), flat):
            done += 1
    return done
