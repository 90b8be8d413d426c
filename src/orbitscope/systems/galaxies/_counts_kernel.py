"""The compiled pass over pairs of galaxies: numbers and both orientation sums of every bin at once, from lists of cells.

This module imports numba and is therefore itself imported only when pairs are counted.
"""

from collections.abc import Callable
from typing import Any

import numba

_njit: Callable[..., Any] = numba.njit(nogil=True, cache=True, error_model="numpy")


@_njit
def accumulate(rows, region, starts, cells, reach, box, squares, inside, across):
    """Add the sums of every pair to its bin, each pair once.

    `rows` [N, 6]: places in [0, box) and unit axes, sorted by cell; `region` [N]; `starts` [cells^3 + 1]; cells are `box` / `cells` wide,
    `reach` of them cover the largest separation; `squares` [B + 1]: squared edges. `inside` [K, B, 3] takes pairs within a region, `across`
    [K, B, 3] those between two, at both. The three numbers: 1, (e_i.r)^2 + (e_j.r)^2, (e_i.e_j)^2.
    """
    last = squares.shape[0] - 2
    smallest, largest = squares[0], squares[last + 1]
    half = 0.5 * box
    width = box / cells
    low, high = -reach, reach + 1
    if high - low > cells:  # cells that are both on the left and on the right of one another are met once
        low, high = 0, cells
    for cx in range(cells):
        for cy in range(cells):
            for cz in range(cells):
                here = (cx * cells + cy) * cells + cz
                first, end = starts[here], starts[here + 1]
                if first == end:
                    continue
                for ox in range(low, high):
                    tx = (cx + ox) % cells
                    gx = max(min(abs(ox), cells - abs(ox)) - 1, 0)
                    for oy in range(low, high):
                        ty = (cy + oy) % cells
                        gy = max(min(abs(oy), cells - abs(oy)) - 1, 0)
                        for oz in range(low, high):
                            tz = (cz + oz) % cells
                            there = (tx * cells + ty) * cells + tz
                            if there < here or starts[there] == starts[there + 1]:
                                continue
                            gz = max(min(abs(oz), cells - abs(oz)) - 1, 0)
                            if (gx * gx + gy * gy + gz * gz) * width * width > largest:
                                continue
                            for i in range(first, end):
                                x, y, z = rows[i, 0], rows[i, 1], rows[i, 2]
                                a, b, c = rows[i, 3], rows[i, 4], rows[i, 5]
                                for j in range(i + 1 if there == here else starts[there], starts[there + 1]):
                                    dx, dy, dz = rows[j, 0] - x, rows[j, 1] - y, rows[j, 2] - z
                                    dx = dx - box if dx > half else (dx + box if dx < -half else dx)
                                    dy = dy - box if dy > half else (dy + box if dy < -half else dy)
                                    dz = dz - box if dz > half else (dz + box if dz < -half else dz)
                                    d2 = dx * dx + dy * dy + dz * dz
                                    if d2 >= largest or d2 < smallest:
                                        continue
                                    n = last
                                    while d2 < squares[n]:
                                        n -= 1
                                    p, q, s = rows[j, 3], rows[j, 4], rows[j, 5]
                                    mine = a * dx + b * dy + c * dz
                                    other = p * dx + q * dy + s * dz
                                    both = a * p + b * q + c * s
                                    ed = (mine * mine + other * other) / d2
                                    ee = both * both
                                    k, m = region[i], region[j]
                                    if k == m:
                                        inside[k, n, 0] += 1.0
                                        inside[k, n, 1] += ed
                                        inside[k, n, 2] += ee
                                    else:
                                        across[k, n, 0] += 1.0
                                        across[k, n, 1] += ed
                                        across[k, n, 2] += ee
                                        across[m, n, 0] += 1.0
                                        across[m, n, 1] += ed
                                        across[m, n, 2] += ee
