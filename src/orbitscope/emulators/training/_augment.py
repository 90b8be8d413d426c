"""Augmentation: every transition of a batch moved by an element of its own, drawn anew at every step."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from ...symmetry import Grid, GridAction, Group, Layout, parse_group
from ...training import integers


@dataclass(frozen=True)
class Augmentation:
    r"""Moves transitions $(x, y)$ to $(g x, g y)$ with $g = g_1 \circ g_2 \cdots$, one uniform element per factor of a product of groups.

    The factors are kept apart, so that D4 times all shifts of a 256^2 grid costs a handful of index permutations and no list of half a
    million elements. Acts on states in physical units, before the normalisation; after it would be the same, because the normalisation
    commutes (one scale per field, a mean on scalars only).
    """

    action: GridAction
    factors: tuple[Group, ...]

    @classmethod
    def of(cls, words: str, layout: Layout, grid: Grid) -> "Augmentation":
        """From words such as d4*tx*ty; raises for a group that the grid cannot represent without turning between its points."""
        action = GridAction(layout, grid)
        factors = tuple(parse_group(word, points=grid.shape) for word in words.split("*"))
        for group in factors:
            for g in group:
                action.require(g)
                layout.matrix(g)
                if not g.is_lattice:
                    raise OrbitscopeError(
                        f"augment: {g.name} of {group.name} turns the grid between its points, which leaves holes at the corners. "
                        "Take c4, d4, flips or shifts."
                    )
        return cls(action, factors)

    def draw(self, length: int, seed: int, epoch: int, step: int) -> Tensor:
        """Element numbers [length, factor] of a step; they depend on (seed, epoch, step) alone."""
        return torch.stack([integers(length, len(g), seed, "augment", epoch, step, i) for i, g in enumerate(self.factors)], dim=1)

    def __call__(self, numbers: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """Each of `states` [batch, n * channel, *grid] (n states of the layout stacked) with row b moved by the elements `numbers[b]`."""
        channels = self.action.layout.channels
        # The last factor acts first, as in a product of groups.
        for group, column in reversed(list(zip(self.factors, numbers.T, strict=True))):
            moved = [torch.empty_like(state) for state in states]
            for number in column.unique().tolist():
                rows = (column == number).nonzero().flatten()
                for state, out in zip(states, moved, strict=True):
                    here = rows.to(state.device)
                    apart = state[here].unflatten(1, (-1, channels))
                    out[here] = self.action(group.elements[number], apart).flatten(1, 2)
            states = tuple(moved)
        return states
