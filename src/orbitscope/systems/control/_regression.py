"""Coordinate regression: where is the marker? An energy of picture and place, minimised by sampling, a planner of one step."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ..._seed import derive
from ...symmetry import Grid, GridAction, Group, Layout, parse_group
from ._planner import Planner
from ._planner_actions import BoxActions


def marker_pictures(places: Tensor, size: int = 12, width: float = 0.15) -> Tensor:
    r"""Pictures with a round marker, $I_{ij} = e^{-|p_{ij} - p|^2 / 2 w^2}$, [N, `size`, `size`].

    * `places`: p, [N, 2], between -1 and 1; axis 1 of a picture is x, axis 2 is y. `size`: pixels along an edge. `width`: w.
    """
    line = (2 * torch.arange(size, dtype=places.dtype) + 1) / size - 1
    x, y = ((line - places[:, i : i + 1]).square() for i in (0, 1))
    return torch.exp(-(x[:, :, None] + y[:, None, :]) / (2 * width**2))


class PlaceEnergy(nn.Module):
    r"""An energy E of a picture and a place, low where the marker is; with a group $E(I, p) = \frac1{|G|} \sum_g e(g I, g p)$.

    * `size`: pixels along an edge. `group`: of exact moves of the square, "c4" or "d4", or None for e itself. `width`: of the two hidden
      layers of e. `seed`: of the weights.

    The mean is invariant, E(gI, gp) = E(I, p), for any e. Raises `OrbitscopeError` for a group that interpolates pictures.
    """

    def __init__(self, size: int = 12, group: Group | str | None = None, width: int = 64, seed: int = 0) -> None:
        super().__init__()
        self.size = size
        group = parse_group(group) if isinstance(group, str) else group
        act = GridAction(Layout.of("ink"), Grid.square(size))
        numbers = torch.arange(size * size, dtype=torch.float64).reshape(1, 1, size, size)
        elements: list[Any] = [] if group is None else list(group)
        for g in elements:
            if not act.is_exact(g):
                raise OrbitscopeError(f"PlaceEnergy: {g!r} of `group` interpolates a picture; take c4, d4 or a subgroup.")
        pixels = [act(g, numbers).round().long().flatten() for g in elements] or [numbers.long().flatten()]
        turns = [np.array(g.matrix, dtype=np.float64) for g in elements] or [np.eye(2)]
        self.register_buffer("pixels", torch.stack(pixels))
        self.register_buffer("turns", torch.as_tensor(np.stack(turns), dtype=torch.float32))
        self.pixels: Tensor
        self.turns: Tensor
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(seed, "place energy"))
            self.picture = nn.Linear(size * size, width)
            self.place = nn.Linear(2, width, bias=False)
            self.rest = nn.Sequential(nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, pictures: Tensor, places: Tensor) -> Tensor:
        """Energies [N, K] of the `places` [N, K, 2] in each of the `pictures` [N, size, size]."""
        total = torch.zeros(places.shape[:2], dtype=places.dtype)
        for pixels, turn in zip(self.pixels, self.turns, strict=True):
            seen = self.picture(pictures.flatten(1)[:, pixels])
            total = total + self.rest(seen[:, None] + self.place(places @ turn.T))[..., 0]
        return total / len(self.pixels)

    def fit(self, pictures: Tensor, places: Tensor, *, steps: int = 400, negatives: int = 64, seed: int = 0) -> list[float]:
        r"""Train on `pictures` [N, size, size] with the marker at `places` [N, 2]; the losses.

        The loss is $-\log \frac{e^{-E(I, p)}}{e^{-E(I, p)} + \sum_k e^{-E(I, p_k)}}$ over places drawn evenly, as in implicit behavioural
        cloning (Florence et al., arXiv 2109.00137).

        * `steps`: of Adam, on batches of 64. `negatives`: places drawn for each picture. `seed`: of batches and places.
        """
        optimiser, losses = torch.optim.Adam(self.parameters(), lr=2e-3), []
        for step in range(steps):
            generator = torch.Generator().manual_seed(derive(seed, "place batches", step))
            pick = torch.randint(len(pictures), (64,), generator=generator)
            wrong = 2 * torch.rand(64, negatives, 2, generator=generator) - 1
            energies = self(pictures[pick], torch.cat([places[pick][:, None], wrong], 1))
            loss = -torch.log_softmax(-energies, 1)[:, 0].mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
        return losses

    def planner(self, group: Group | str | None = None, *, samples: int = 64, seed: int = 0) -> Planner:
        """The place of least energy as a planner's decision over one step; states are pictures, flat, [B, size^2].

        * `group`: whose copies of the noise are tried; None: none.
        * `samples`: places tried in each of four iterations. `seed`: of the noise.
        """

        def cost(states: Tensor, actions: Tensor) -> Tensor:
            return self(states.reshape(-1, self.size, self.size), actions[:, None])[:, 0]

        words: dict[str, Any] = {} if group is None else {"group": group, "action": "vector"}
        return Planner(
            lambda states, actions: states, cost, BoxActions([-1, -1], [1, 1]), method="cem", horizon=1, samples=samples,
            elites=max(2, samples // 8), iterations=4, std=0.7, least_std=0.01, dtype=torch.float32, seed=seed, **words,
        )  # fmt: skip
