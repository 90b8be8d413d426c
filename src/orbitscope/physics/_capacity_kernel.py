"""The compiled matrix of boundary elements: potentials of uniformly charged triangles.

This module imports numba and is therefore itself imported only when a matrix is made.
"""

import math
from collections.abc import Callable
from typing import Any

import numba

_njit: Callable[..., Any] = numba.njit(nogil=True, cache=True, error_model="numpy")


@_njit
def potentials(points, corners, normals, out):
    """`out` [P, F] = INT_f dA / |p - x| at `points` [P, 3], of triangles `corners` [F, 3, 3] with unit `normals` [F, 3]; exact."""
    for p in range(points.shape[0]):
        for f in range(corners.shape[0]):
            n0, n1, n2 = normals[f, 0], normals[f, 1], normals[f, 2]
            ax, ay, az = (
                points[p, 0] - corners[f, 0, 0], points[p, 1] - corners[f, 0, 1], points[p, 2] - corners[f, 0, 2],
            )  # fmt: skip
            height = abs(ax * n0 + ay * n1 + az * n2)
            total = 0.0
            for e in range(3):
                g = (e + 1) % 3
                tx, ty, tz = (
                    corners[f, g, 0] - corners[f, e, 0], corners[f, g, 1] - corners[f, e, 1], corners[f, g, 2] - corners[f, e, 2],
                )  # fmt: skip
                length = math.sqrt(tx * tx + ty * ty + tz * tz)
                tx, ty, tz = tx / length, ty / length, tz / length
                bx, by, bz = corners[f, e, 0] - points[p, 0], corners[f, e, 1] - points[p, 1], corners[f, e, 2] - points[p, 2]
                # The distance of the edge from the foot of the point, positive where the foot lies inside: along t x n, outwards.
                across = bx * (ty * n2 - tz * n1) + by * (tz * n0 - tx * n2) + bz * (tx * n1 - ty * n0)
                low = bx * tx + by * ty + bz * tz
                high = low + length
                square = across * across + height * height
                if square < 1e-28 * length * length:  # on the line of the edge, whose part of the integral vanishes
                    continue
                r_low, r_high = math.sqrt(square + low * low), math.sqrt(square + high * high)
                ratio = (r_high + high) / (r_low + low) if low + high > 0 else (r_low - low) / (r_high - high)
                total += across * math.log(ratio)
                if height > 0:
                    total -= height * (
                        math.atan2(across * high, square + height * r_high) - math.atan2(across * low, square + height * r_low)
                    )
            out[p, f] = total
