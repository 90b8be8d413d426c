"""Heat in a plate with an obstacle: initial waves, an explicit solver, and charts. The data of AtlasD (arXiv:2504.10777), made here.

    u_t = div(K grad u), K = alpha I, on 128 x 128 cells of dx = 0.1, 50 explicit steps of dt = 0.01, twice-central differences

Initial states are c sin(a u + b) + f cos(d v + e) with u, v in [0, 1], a ~ N(15, 6^2), d ~ N(12, 5^2), b, e ~ N(0, 3^2) and c, f =
(|N| + 1) / 2; the block u in (.1, .3), v in (.2, .5) and everything outside of the plate are
held at sqrt(2). Negative controls are another medium
(`Medium`): anisotropic, sheared, or carried along by a wind.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from orbitscope.symmetry import Patch

POINTS, STEP, TIME, STEPS = 128, 0.1, 0.01, 50
HELD = 2.0**0.5
BLOCK = (slice(13, 39), slice(26, 64))  # the cells with u in (.1, .3) and v in (.2, .5)

#: Centres of the charts, as indices. All output patches stay ten cells (the length over which heat spreads) or more from the block.
CHARTS = {
    19: [(u, v) for u in (62, 78, 94) for v in (24, 40, 56, 72, 88, 104)] + [(44, 96)],
    3: [(80, 40), (80, 88), (34, 92)],
    1: [(80, 72)],
}
RADII = {19: (14, 10), 3: (26, 20), 1: (14, 10)}
#: A lattice over the whole plate, with charts on the obstacle and at its edge, for the map.
MAP = [(u, v) for u in range(16, 113, 16) for v in range(16, 113, 16)]


@dataclass(frozen=True)
class Medium:
    """What carries the heat: conductivity K = [[`uu`, `uv`], [`uv`, `vv`]] in units of alpha, and a `wind` in lengths over time."""

    uu: float = 1.0
    vv: float = 1.0
    uv: float = 0.0
    wind: tuple[float, float] = (0.0, 0.0)
    obstacle: bool = True

    @property
    def conductivity(self) -> np.ndarray:
        """K, [2, 2]."""
        return np.array([[self.uu, self.uv], [self.uv, self.vv]])

    @property
    def generator(self) -> np.ndarray:
        """The turn that K allows, J K^-1 up to scale: A K A^T = K for A = exp(t K J'), [2, 2], Frobenius norm 1."""
        turn = self.conductivity @ np.array([[0.0, -1.0], [1.0, 0.0]])
        return turn / np.linalg.norm(turn)


MEDIA = {
    "isotropic": Medium(),
    "anisotropic": Medium(uu=0.5, vv=1.5),  # u_uu + 3 u_vv, slowed down so that the explicit steps stay stable
    "sheared": Medium(uu=2 / 3, vv=2 / 3, uv=1 / 3),
    "wind": Medium(wind=(1.0, 0.5)),
}


def initial(count: int, seed: int, *, waves: int = 1) -> Tensor:
    """`count` initial states [count, u, v] in float64; above 1 `waves` adds up so many pairs in random directions."""
    rng = np.random.default_rng([seed, 0x4EA7])
    at = (np.arange(POINTS) + 0.5) / POINTS
    u, v = at[:, None], at[None, :]
    total = np.zeros((count, POINTS, POINTS))
    for _ in range(waves):
        a, d = rng.normal(15, 6, count), rng.normal(12, 5, count)
        b, e = rng.normal(0, 3, (2, count))
        c, f = (np.abs(rng.standard_normal((2, count))) + 1) / 2
        turn = rng.uniform(0, 2 * np.pi, count) if waves > 1 else np.zeros(count)
        p, q = ((m[:, None, None] * r).astype(float) for m, r in ((np.cos(turn), u), (np.sin(turn), v)))
        along, across = p + q, np.cos(turn)[:, None, None] * v - np.sin(turn)[:, None, None] * u
        total += c[:, None, None] * np.sin(a[:, None, None] * along + b[:, None, None])
        total += f[:, None, None] * np.cos(d[:, None, None] * across + e[:, None, None])
    return torch.as_tensor(total / np.sqrt(waves))


def solve(states: Tensor, medium: Medium = MEDIA["isotropic"], steps: int = STEPS) -> tuple[Tensor, Tensor]:
    """The states as they start (block and border held), and after `steps` explicit steps, [N, u, v]."""
    start = _held(states.clone(), medium)
    now = start
    for _ in range(steps):
        padded = torch.nn.functional.pad(now, (2, 2, 2, 2), value=HELD)
        u = (padded[:, 2:, :] - padded[:, :-2, :])[:, :, :] / (2 * STEP)  # d/du on [N, 130, 132]
        v = (padded[:, :, 2:] - padded[:, :, :-2]) / (2 * STEP)  # on [N, 132, 130]
        uu = (u[:, 2:, 2:-2] - u[:, :-2, 2:-2]) / (2 * STEP)
        vv = (v[:, 2:-2, 2:] - v[:, 2:-2, :-2]) / (2 * STEP)
        rate = medium.uu * uu + medium.vv * vv
        if medium.uv:
            rate = rate + 2 * medium.uv * (u[:, 1:-1, 3:-1] - u[:, 1:-1, 1:-3]) / (2 * STEP)
        if any(medium.wind):
            rate = rate - medium.wind[0] * u[:, 1:-1, 2:-2] - medium.wind[1] * v[:, 2:-2, 1:-1]
        now = _held(now + TIME * rate, medium)
    return start, now


def _held(states: Tensor, medium: Medium) -> Tensor:
    if medium.obstacle:
        states[:, BLOCK[0], BLOCK[1]] = HELD
    return states


def charts(
    start: Tensor, end: Tensor, centres: list[tuple[int, int]], radii: tuple[int, int], order: int = 3
) -> tuple[Tensor, Tensor, Patch]:
    """x [N, chart, 1, u, v] and y about the `centres` with the input and output `radii`, and the input patch, in units of cells."""
    into = Patch((2 * radii[0] + 1,) * 2, 1.0, order)
    out = into.inner(radii[0] - radii[1])
    return into.cut(start[:, None], centres).contiguous(), out.cut(end[:, None], centres).contiguous(), into
