"""The compiled pass over pairs of a mock: counts, orientation sums, and what those are on average over long axes with places held.

This module imports numba and is therefore itself imported only when pairs are counted.
"""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

_njit: Callable[..., Any] = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})


@_njit
def accumulate_mock(x, y, z, rows, kind, starts, cells, reach, box, squares, guess, sums):
    """Add the sums of every pair to its bin, each pair once.

    `x`, `y`, `z` [N]: places in [0, box); `rows` [N, 6]: unit axes e, unit directions n about which they were drawn; `kind` [N]: 0 for
    centrals, 1 for satellites; all sorted by cell. `starts`, `cells`, `reach`, `box`, `squares`: as of `accumulate`. `guess` [T]: the
    bin at the lower end of each of T equal parts of the largest squared separation. `sums` [B, 8] takes
    1, (e_i.r)^2 + (e_j.r)^2, (e_i.e_j)^2; (n.r)^2 - 1/3 of centrals, of satellites; (n_i.n_j)^2 - 1/3 of two centrals, one, none.
    """
    smallest, largest = squares[0], squares[squares.shape[0] - 1]
    width = box / cells
    low, high = -reach, reach + 1
    if high - low > cells:  # cells that are both on the left and on the right of one another are met once
        low, high = 0, cells
    apart, near = np.empty((4, x.shape[0])), np.empty(x.shape[0], dtype=np.int64)
    for cx in range(cells):
        for cy in range(cells):
            for cz in range(cells):
                here = (cx * cells + cy) * cells + cz
                if starts[here] == starts[here + 1]:
                    continue
                for ox in range(low, high):
                    tx = (cx + ox) % cells
                    gx = max(min(abs(ox), cells - abs(ox)) - 1, 0)
                    for oy in range(low, high):
                        ty = (cy + oy) % cells
                        gy = max(min(abs(oy), cells - abs(oy)) - 1, 0)
                        left = largest - (gx * gx + gy * gy) * width * width
                        if left <= 0:
                            continue
                        if high - low == cells:
                            first, many = 0, cells
                        else:
                            deep = min(int(np.sqrt(left) / width) + 1, reach)
                            first, many = (cz - deep) % cells, 2 * deep + 1
                        column = (tx * cells + ty) * cells
                        one = min(many, cells - first)  # cells of a column lie one after the other in memory, but for the end of the box
                        for turn in range(2):
                            begin = starts[column + first] if turn == 0 else starts[column]
                            end = starts[column + first + one] if turn == 0 else starts[column + many - one]
                            if end <= starts[here] + 1:
                                continue
                            for i in range(starts[here], starts[here + 1]):
                                _pairs_of(i, max(begin, i + 1), end, x, y, z, rows, kind, box, smallest, largest, squares, guess, apart,
                                          near, sums)  # fmt: skip


@_njit
def _pairs_of(i, begin, end, x, y, z, rows, kind, box, smallest, largest, squares, guess, apart, near, sums):
    count = end - begin
    if count <= 0:
        return
    xi, yi, zi, back = x[i], y[i], z[i], 1.0 / box
    for k in range(count):  # all of a column at once, so that the processor's vectors are filled
        dx, dy, dz = x[begin + k] - xi, y[begin + k] - yi, z[begin + k] - zi
        dx -= box * np.rint(dx * back)
        dy -= box * np.rint(dy * back)
        dz -= box * np.rint(dz * back)
        apart[0, k], apart[1, k], apart[2, k] = dx, dy, dz
        apart[3, k] = dx * dx + dy * dy + dz * dz
    kept = 0
    for k in range(count):
        near[kept] = k
        kept += 1 if (apart[3, k] < largest) & (apart[3, k] >= smallest) else 0
    scale, top = guess.shape[0] / largest, guess.shape[0] - 1
    a, b, c, p, q, s, kind_i = rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3], rows[i, 4], rows[i, 5], kind[i]
    third = 1.0 / 3.0
    for m in range(kept):
        k = near[m]
        j = begin + k
        dx, dy, dz, d2 = apart[0, k], apart[1, k], apart[2, k], apart[3, k]
        n = guess[min(int(d2 * scale), top)]
        while d2 >= squares[n + 1]:
            n += 1
        while d2 < squares[n]:  # a part holds an edge that rounding moved
            n -= 1
        over = 1.0 / d2
        mine = a * dx + b * dy + c * dz
        other = rows[j, 0] * dx + rows[j, 1] * dy + rows[j, 2] * dz
        both = a * rows[j, 0] + b * rows[j, 1] + c * rows[j, 2]
        sums[n, 0] += 1.0
        sums[n, 1] += (mine * mine + other * other) * over
        sums[n, 2] += both * both
        mine = p * dx + q * dy + s * dz
        other = rows[j, 3] * dx + rows[j, 4] * dy + rows[j, 5] * dz
        both = p * rows[j, 3] + q * rows[j, 4] + s * rows[j, 5]
        kind_j = kind[j]
        sums[n, 3 + kind_i] += mine * mine * over - third
        sums[n, 3 + kind_j] += other * other * over - third
        sums[n, 5 + kind_i + kind_j] += both * both - third
