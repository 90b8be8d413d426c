"""Two-dimensional Riemann problems with published structure, as plain functions: initial data, runs, exact waves along the edges.

Four constant states meet at the centre of the unit square, so chosen that each pair of neighbours is joined by one wave. Numbers,
times and states of the configurations follow Schulz-Rinne, SIAM J. Math. Anal. 24 (1993) 76, Lax and Liu, SIAM J. Sci. Comput. 19
(1998) 319, and Kurganov and Tadmor, Numer. Methods Partial Differential Equations 18 (2002) 584, which agree on these.

Published runs have outflow at the edges of the square; the solver's box is periodic. The problem is therefore put in the middle of a
box three times as wide (lengths and times divided by three, speeds as they are): what starts at the seams of the box is still
outside the square at the published time, and so is the influence of the centre, where the waves along the edges are one-dimensional.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from orbitscope.physics import Euler
from orbitscope.physics._riemann_exact import GasState, riemann_exact

#: Width of the periodic box in units of the published square.
BOX = 3

Side = Literal["top", "left", "bottom", "right"]


@dataclass(frozen=True)
class Configuration:
    """States (density, velocity_x, velocity_y, pressure) of the quadrants, counted from upper right against the clock; time; waves."""

    states: tuple[tuple[float, float, float, float], ...]
    time: float
    #: "S" shock or "J" contact, on top (between quadrants 2 and 1), left (3 and 2), bottom (3 and 4) and right (4 and 1).
    waves: str
    #: Whether the exchange of x and y maps it to itself.
    diagonal: bool


CONFIGURATIONS = {
    3: Configuration(
        ((1.5, 0.0, 0.0, 1.5), (0.5323, 1.206, 0.0, 0.3), (0.138, 1.206, 1.206, 0.029), (0.5323, 0.0, 1.206, 0.3)), 0.3, "SSSS", True
    ),
    4: Configuration(
        ((1.1, 0.0, 0.0, 1.1), (0.5065, 0.8939, 0.0, 0.35), (1.1, 0.8939, 0.8939, 1.1), (0.5065, 0.0, 0.8939, 0.35)), 0.25, "SSSS", True
    ),
    6: Configuration(((1.0, 0.75, -0.5, 1.0), (2.0, 0.75, 0.5, 1.0), (1.0, -0.75, 0.5, 1.0), (3.0, -0.75, -0.5, 1.0)), 0.3, "JJJJ", False),
    12: Configuration(
        ((0.5313, 0.0, 0.0, 0.4), (1.0, 0.7276, 0.0, 1.0), (0.8, 0.0, 0.0, 1.0), (1.0, 0.0, 0.7276, 1.0)), 0.25, "SJJS", True
    ),
}

#: Pairs of quadrants (before, after, counted from 0) along x (top, bottom) or y (left, right).
_PAIRS: dict[Side, tuple[int, int]] = {"top": (1, 0), "left": (2, 1), "bottom": (2, 3), "right": (3, 0)}


def initial(number: int, cells: int) -> torch.Tensor:
    """Conserved state [1, 4, BOX * cells, BOX * cells], float64; `cells` per unit length, even."""
    half = BOX * cells // 2
    one, two, three, four = (
        torch.tensor(s, dtype=torch.float64)[:, None, None].expand(4, half, half) for s in CONFIGURATIONS[number].states
    )
    low, high = torch.cat([three, two], 2), torch.cat([four, one], 2)  # x below and above the centre
    return Euler().conserved(torch.cat([low, high], 1))[None].contiguous()


def run(number: int, cells: int, time: float | None = None, solver: Euler | None = None) -> NDArray[Any]:
    """(density, velocity_x, velocity_y, pressure) [4, BOX * cells, BOX * cells] at `time` (the published one) on the whole box."""
    law = Euler() if solver is None else solver
    time = CONFIGURATIONS[number].time if time is None else time
    return law.primitive(law.step(initial(number, cells), time / BOX))[0].numpy()


def window(field: NDArray[Any], width: float = 1.0) -> NDArray[Any]:
    """The middle `width` x `width` of a field [..., n, n] on the box: by default the published unit square, for pictures."""
    n = field.shape[-1]
    cut = round((BOX - width) / 2 * n / BOX)
    return field[..., cut : n - cut, cut : n - cut]


def side_states(number: int, side: Side) -> tuple[GasState, GasState]:
    """The states before and after the membrane of one side, velocities along the normal."""
    normal = 1 if side in ("top", "bottom") else 2
    before, after = (CONFIGURATIONS[number].states[q] for q in _PAIRS[side])
    return GasState(before[0], before[normal], before[3]), GasState(after[0], after[normal], after[3])


def edge_error(number: int, field: NDArray[Any], side: Side, time: float | None = None, distance: float = 0.7) -> dict[str, float]:
    """Mean |found - exact| of density, normal velocity and pressure along the line at `distance` from the centre, over |s| < 0.7.

    Exact: cell averages of the one-dimensional Riemann solution. `tangential`: how far the tangential velocity leaves the range of
    the two states.
    """
    time = CONFIGURATIONS[number].time if time is None else time
    n = field.shape[-1]
    cells = n // BOX
    row = round((BOX / 2 + (distance if side in ("top", "right") else -distance)) * cells)
    line = field[:, :, row] if side in ("top", "bottom") else field[[0, 2, 1, 3], row, :]
    fine = 20
    speed = ((np.arange(n * fine) + 0.5) / fine / cells - BOX / 2) / time
    exact = riemann_exact(*side_states(number, side), speed).reshape(3, n, fine).mean(2)
    near = np.abs((np.arange(n) + 0.5) / cells - BOX / 2) < 0.7
    found = {
        k: float(np.abs(line[c] - e)[near].mean())
        for (k, c), e in zip((("density", 0), ("velocity", 1), ("pressure", 3)), exact, strict=True)
    }
    tangent = 2 if side in ("top", "bottom") else 1
    ends = [CONFIGURATIONS[number].states[q][tangent] for q in _PAIRS[side]]
    found["tangential"] = float(max((line[2] - max(ends))[near].max(), (min(ends) - line[2])[near].max(), 0.0))
    return found


def diagonal_error(field: NDArray[Any]) -> float:
    """Largest difference between a field [4, n, n] and its mirror image under the exchange of x and y."""
    return float(np.abs(field - field[[0, 2, 1, 3]].swapaxes(1, 2)).max())


def lens_error(cells: int, solver: Euler | None = None) -> dict[str, float]:
    """Configuration 4 seen from a frame that moves with half the velocity of quadrant 3: a half turn maps the flow to itself.

    In that frame the four states are (1.1; -w, -w; 1.1), (0.5065; w, -w; 0.35), (1.1; w, w; 1.1), (0.5065; -w, w; 0.35): the lens of
    the two curved shocks is symmetric about both diagonals. The scheme knows the diagonal x = y exactly and the half turn (hence the
    other diagonal) up to its error, because the frame moves across the cells. The time is the one near 0.25 at which the frame has moved
    by whole cells. `half_turn` and `still` are mean density differences over the square: with the half turn about the moving centre, and
    (the control) about the fixed one.
    """
    half = CONFIGURATIONS[4].states[2][1] / 2
    shift = round(0.25 * half * cells)
    density = run(4, cells, shift / cells / half, solver)[0]
    centred = np.roll(density, (-shift, -shift), (0, 1))
    return {
        "half_turn": float(np.abs(window(centred - centred[::-1, ::-1])).mean()),
        "still": float(np.abs(window(density - density[::-1, ::-1])).mean()),
        "cells_moved": float(shift),
    }


def vorticity(field: NDArray[Any]) -> NDArray[Any]:
    """dv/dx - du/dy [n, n] by central differences, per unit of the published square's length."""
    cells = field.shape[-1] // BOX
    _, u, v, _ = field
    return 0.5 * cells * (np.roll(v, -1, 0) - np.roll(v, 1, 0) - np.roll(u, -1, 1) + np.roll(u, 1, 1))


def self_differences(number: int, sizes: tuple[int, ...], solver: Euler | None = None) -> list[float]:
    """Mean density differences over the square between successive resolutions, the finer averaged down."""
    fields = [window(run(number, cells, solver=solver)[0]) for cells in sizes]
    out = []
    for coarse, fine in zip(fields[:-1], fields[1:], strict=True):
        k = fine.shape[0] // coarse.shape[0]
        mean = fine.reshape(coarse.shape[0], k, coarse.shape[1], k).mean((1, 3))
        out.append(float(np.abs(mean - coarse).mean()))
    return out
