"""Frame averaging: a model made equivariant by moving every state into a frame that the state itself chooses."""

import math

import torch
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ..symmetry import GridAction, Group, parse_group

_MODES = 2  # wave numbers of the template, per axis and direction


class FrameAveraged(nn.Module):
    r"""$F(x) = \sum_{g \in \mathcal F(x)} w_g(x)\; g f(g^{-1} x)$ with one or a few elements $\mathcal F(x)$ of a group, chosen by x.

    Every element gets the score $s_g(x) = \langle g T, x \rangle$, T a fixed field of low modes without any symmetry. Since
    $s_{hg}(hx) = s_g(x)$, the `frames` = k elements of largest score move along with x, $\mathcal F(hx) = h \mathcal F(x)$, and F commutes
    with every element: exactly, for translations, flips and quarter turns alike, at k evaluations of the model instead of |G|.

    *Discontinuities.* With k = 1, F jumps where two elements have the same score: two states next to each other there are put into
    different frames, and where f is far from equivariant the answers differ. With k > 1 the weights are $w_g \propto s_g - s_{(k+1)}$,
    so that an element enters with weight 0, and F is continuous wherever not all of the first k + 1 scores are equal; with k = |G| it
    is the group average. A state with a symmetry of its own (a rest state, say) has tied scores: F(x) need not have that symmetry, unless k
    covers the tie. `margin` says how far a state is from the next jump. Shifts are the common case: neighbouring shifts of a smooth
    state have nearly equal scores, so k = 1 jumps there, by the difference of the model under one cell.

    Source: Puny et al. 2022, "Frame averaging", and for the weights Dym et al. 2024, "Equivariant frames and the impossibility of
    continuous canonicalization" (the idea of weighted frames; the weights here are simpler).

    * `model`: f, states [batch, channel, *grid] -> the same shape; its parameters are shared, not copied.
    * `group`: a finite group, or words as `parse_group` reads them ("d4*tx*ty": all shifts of the grid of `action`).
    * `action`: how an element moves a state.
    * `frames`: k, the evaluations of the model.

    Raises `OrbitscopeError` for an element that the grid cannot move by an index permutation, and `frames` out of 1..|G|.
    """

    coefficients: Tensor
    modes: Tensor
    linear: Tensor
    cells: Tensor
    inverse: Tensor
    source: Tensor
    sign: Tensor

    def __init__(self, model: nn.Module, group: Group | str, action: GridAction, frames: int = 1) -> None:
        super().__init__()
        group = parse_group(group, points=action.grid.shape) if isinstance(group, str) else group
        if not 1 <= frames <= len(group):
            raise OrbitscopeError(f"frames: must lie in 1..{len(group)} for {group.name}, got {frames}.")
        for g in group:
            action.require(g)
            if not action.is_exact(g):
                raise OrbitscopeError(f"frames: {g.name} of {group.name} is interpolated on this grid; take c4, d4 and whole cells.")
        self.model, self.group, self.action, self.count = model, group, action, frames
        for name, value in _tables(group, action).items():
            self.register_buffer(name, value, persistent=False)  # made from group and grid; not part of the weights

    def forward(self, state: Tensor) -> Tensor:
        """The answer of the model in the frames of each `state` [batch, channel, *grid], moved back."""
        self.action.layout.check(state)
        scores = self.scores(state)
        chosen, weights = self._choose(scores)
        total = torch.zeros_like(state)
        for k in range(self.count):
            g = chosen[:, k]
            answer = self._move(g, self.model(self._move(self.inverse[g], state)))
            total = total + weights[:, k].reshape(-1, *[1] * (state.ndim - 1)) * answer
        return total

    def scores(self, state: Tensor) -> Tensor:
        """$s_g(x) / \\|x\\|$ of every element for each x of `state` [batch, channel, *grid]: [batch, element]."""
        flat = state.flatten(1)
        low = torch.einsum("bcn,mn->bcm", state.flatten(2), self.modes.to(state.dtype)).flatten(1)
        return (low @ self.coefficients.to(state.dtype).T) / (flat.norm(dim=1, keepdim=True) + torch.finfo(state.dtype).tiny)

    def margin(self, state: Tensor) -> Tensor:
        """Gap between the k-th and the (k + 1)-th score of each `state`, [batch], relative to its norm; 0 at a discontinuity for k = 1."""
        if self.count == len(self.group):
            return torch.full(state.shape[:1], math.inf)
        top = self.scores(state).topk(self.count + 1, dim=1).values
        return top[:, -2] - top[:, -1]

    def _choose(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        if self.count == 1:
            return scores.argmax(1, keepdim=True), torch.ones_like(scores[:, :1])
        if self.count == len(self.group):
            return torch.arange(self.count, device=scores.device).expand_as(scores), torch.full_like(scores, 1 / self.count)
        top, chosen = scores.topk(self.count + 1, dim=1)
        ahead = top[:, :-1] - top[:, -1:]
        # All tied: nothing to prefer, equal weights.
        tied = ahead.sum(1, keepdim=True) <= 0
        ahead = torch.where(tied, torch.ones_like(ahead), ahead)
        return chosen[:, :-1], ahead / ahead.sum(1, keepdim=True)

    def _move(self, element: Tensor, state: Tensor) -> Tensor:
        """Each state by its own element [batch]; gathers only, so that vmap and both modes of differentiation pass."""
        which = self.linear[element]
        moved = state.flatten(1).gather(1, self.source[which]) * self.sign[which].to(state.dtype)
        moved = moved.reshape(state.shape)
        first = state.ndim - self.action.grid.ndim
        for axis, n in enumerate(self.action.grid.shape):
            index = (torch.arange(n, device=state.device) - self.cells[element, axis, None]).remainder(n)
            shape = [1] * state.ndim
            shape[0], shape[first + axis] = -1, n
            moved = moved.gather(first + axis, index.reshape(shape).expand(state.shape))
        return moved


def _tables(group: Group, action: GridAction) -> dict[str, Tensor]:
    """What scores and moves need: coefficients of every gT in the low modes, and each element as signed permutation, then shift."""
    grid, channels = action.grid, action.layout.channels
    shape = (channels, *grid.shape)
    modes = _low_modes(grid.shape)
    template = (_generic(channels, len(modes)) @ modes).reshape(shape)
    coefficients = torch.stack([(action(g, template).flatten(1) @ modes.T).flatten() for g in group])
    numbered = torch.arange(1, math.prod(shape) + 1, dtype=torch.float64).reshape(shape)
    linear, sources, signs, known = [], [], [], {}
    for g in group:
        if g.linear not in known:
            known[g.linear] = len(known)
            turned = action(type(g)(g.linear), numbered).flatten()
            sources.append(turned.abs().round().long() - 1)
            signs.append(turned.sign())
            if not torch.equal(turned.abs(), turned.abs().round()) or len(sources[-1].unique()) < len(sources[-1]):
                raise OrbitscopeError(f"frames: {g.name} mixes channels other than by exchange and sign; use `symmetrize`.")
        linear.append(known[g.linear])
    cells = [[round(float(s) * n) for s, n in zip(g.shift, grid.shape, strict=True)] for g in group]
    return {
        "coefficients": coefficients,
        "modes": modes,
        "linear": torch.tensor(linear),
        "cells": torch.tensor(cells),
        "inverse": torch.tensor([group.index(group.inverse(g)) for g in group]),
        "source": torch.stack(sources),
        "sign": torch.stack(signs),
    }


def _low_modes(shape: tuple[int, ...]) -> Tensor:
    """Real Fourier modes of wave number up to 2 per axis, orthonormal, [mode, points], float64: closed under shifts, flips and turns."""
    found = torch.ones(1, 1, dtype=torch.float64)
    for n in shape:
        position = (torch.arange(n, dtype=torch.float64) + 0.5) / n
        rows = [torch.ones(n, dtype=torch.float64)]
        for k in range(1, _MODES + 1):
            if 2 * k < n:
                rows += [torch.cos(2 * math.pi * k * position), torch.sin(2 * math.pi * k * position)]
        axis = torch.stack([row / row.norm() for row in rows])
        found = torch.einsum("ap,bq->abpq", found, axis).reshape(found.shape[0] * len(axis), -1)
    return found


def _generic(rows: int, columns: int) -> Tensor:
    """Fixed numbers without any pattern, in (-1, 1), [rows, columns]: fractional parts of multiples of an irrational."""
    index = torch.arange(1, rows * columns + 1, dtype=torch.float64)
    return (2 * ((index * index * (math.sqrt(5) - 1) / 2) % 1) - 1).reshape(rows, columns)
