"""Group averaging: any module made equivariant at the price of one evaluation per element."""

from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from .._errors import OrbitscopeError
from .._expect import expect, shown
from ..symmetry import GridAction, Group, Symmetry, parse_group
from ._past import frames_of


class Symmetrized(nn.Module):
    r"""$F(x) = \frac{1}{|G|} \sum_{g \in G} g^{-1} f(g\,x)$, which commutes with every element of a group $G$ that acts exactly.

    Shares the parameters of `model` (it is not copied). Costs |G| evaluations; they run one after the other, so memory during a forward
    pass without gradients does not grow with |G|. Where the action interpolates, F commutes up to the interpolation error only. A model
    that sees several states (`frames_of`) has all of them moved.

    - `model`: [batch, channel, *grid] -> the same shape.
    - `group`: a group, or words as `parse_group` reads them; words such as "tx" mean all shifts of the grid of `action`.
    - `action`: how an element moves a state (`GridAction`), or a `Symmetry`, whose input and output may differ; means of its answers
      must make sense (fields and vectors have them, classes and poses have not).

    Raises `OrbitscopeError` if the grid cannot represent an element.
    """

    def __init__(self, model: nn.Module, group: Group | str, action: GridAction | Symmetry) -> None:
        super().__init__()
        if not callable(model):
            raise OrbitscopeError(f"symmetrize: `model` should be a torch.nn.Module, got {shown(model)}.")
        expect(action, (GridAction, Symmetry), "symmetrize: `action`", "a GridAction or a Symmetry")
        if isinstance(group, str):
            group = parse_group(group, points=action.grid.shape) if isinstance(action, GridAction) else parse_group(group)
        expect(group, Group, "symmetrize: `group`", "words such as 'd4' or a Group")
        if isinstance(action, Symmetry) and not action.output.linear:
            raise OrbitscopeError(f"symmetrize: answers such as {action.output.channels[:2]} cannot be averaged; average in front of them.")
        for g in group:
            action.require(g)
        if group.sampled:
            # Equal angles are closed under composition, but only quarter turns act without interpolation.
            bad = [g.name for g in group if not action.is_exact(g)]
            if bad:
                raise OrbitscopeError(f"symmetrize: elements {bad[:4]} of {group.name} are interpolated on this grid; take c4 or d4.")
        self.model = model
        self.group = group
        # A model that sees several states has them moved one by one; what it returns is one.
        self.frames = frames_of(model)
        if isinstance(action, GridAction):
            self.frames = max(self.frames, action.frames)
            self.input = self.output = replace(action, frames=self.frames)
        else:
            self.input, self.output = action.input, action.output

    def forward(self, state: Tensor) -> Tensor:
        """The mean over the orbit of each `state` [batch, channel, *grid], moved back."""
        first, *others = self.group
        total = self._term(first, state)
        for g in others:
            total = total + self._term(g, state)
        return total / len(self.group)

    def _term(self, g: Any, state: Tensor) -> Tensor:
        return self.output(self.group.inverse(g), self.model(self.input(g, state)))


def symmetrize(model: nn.Module, group: Group | str, action: GridAction | Symmetry) -> Symmetrized:
    """The average of `model` over a group, which commutes with it exactly: see `Symmetrized`.

    * `model`: any map of states.
    * `group`: a finite group, or words such as "d4*tx".
    * `action`: how its elements move states, or a `Symmetry`, which says it for input and answer.

    Raises `OrbitscopeError` as `Symmetrized` does.
    """
    return Symmetrized(model, group, action)
