"""What makes a planner's decisions turn with the world: a finite group, how it moves actions, the conditions that it must meet."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from ..._expect import expect
from ...symmetry import Action, Group, Symmetry, parse_group, representation
from ._noise import Shape
from ._planner_actions import ActionSet

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Turning:
    """A finite group with its matrices on actions.

    * `name`: of the group. `elements`: all. `matrices`: on actions, [|G|, m, m], float64. `states`: how states move, None: not declared.
    """

    name: str
    elements: tuple[Any, ...]
    matrices: Tensor
    states: Action[Any] | None

    def __len__(self) -> int:
        return len(self.elements)

    def back(self, size: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Matrices and offsets of the inverses of all elements on states of `size` numbers, [|G|, n, n] and [|G|, 1, n]."""
        assert self.states is not None
        eye, origin = torch.eye(size, dtype=torch.float64), torch.zeros(1, size, dtype=torch.float64)
        offsets = [self.states(g.inverse(), origin) for g in self.elements]
        matrices = [(self.states(g.inverse(), eye) - offset).T for g, offset in zip(self.elements, offsets, strict=True)]
        return torch.stack(matrices).to(dtype), torch.stack(offsets).to(dtype)

    @property
    def signed(self) -> bool:
        """Whether every element only exchanges and negates components of an action."""
        return bool((self.matrices - self.matrices.round()).abs().max() < _ROUNDING)


def turning(group: Group | str | None, action: Any, symmetry: Symmetry | None, size: int) -> Turning | None:
    """The group of a planner, from words, from a group, or from a `Symmetry` of states and actions; None where there is none.

    * `group`: with `action`, the representation on actions. `symmetry`: in place of both. `size`: components of an action.
    """
    if symmetry is None and group is None:
        return None
    if symmetry is not None:
        claim = getattr(symmetry, "policy", symmetry)
        expect(claim, Symmetry, "Planner: `symmetry`", "a Symmetry of states and actions")
        if group is not None or action is not None:
            raise OrbitscopeError("Planner: give either `symmetry`, or `group` and `action`, not both.")
        return _of(claim.group, lambda g: _matrix(claim.output, g, size), size, claim.input)
    group = parse_group(group) if isinstance(group, str) else group
    assert group is not None
    expect(group, Group, "Planner: `group`", "words such as 'd4' or a Group")
    if action is None:
        raise OrbitscopeError(
            f"Planner: how does {group.name} move an action? Say `action='vector'` ('vector*2' for two, 'scalar', ...), or give a "
            "`symmetry`."
        )
    kind = representation(action, group)
    return _of(group, kind.matrix, size, None)


def _matrix(action: Action[Any], element: Any, size: int) -> np.ndarray:
    """The matrix of an action on vectors, from what it does to unit vectors."""
    eye = torch.eye(size, dtype=torch.float64)
    origin = action(element, torch.zeros(1, size, dtype=torch.float64))
    if float(origin.abs().max()) > _ROUNDING:
        raise OrbitscopeError(f"Planner: {element!r} shifts actions; noise has no origin to be shifted. Give a linear representation.")
    return action(element, eye).T.numpy()


def _of(group: Group, matrix: Any, size: int, states: Action[Any] | None) -> Turning:
    if not group.finite:
        raise OrbitscopeError(f"Planner: {group.name} is infinite; take a finite subgroup, for example 'd8', 'c16', 'so2/16' or 'o'.")
    made = [np.asarray(matrix(g), dtype=np.float64) for g in group]
    if made[0].shape != (size, size):
        raise OrbitscopeError(
            f"Planner: the representation of {group.name} moves {made[0].shape[0]} components, and actions have {size}. "
            "Several vectors side by side are 'vector*2', numbers that stay are 'scalar'."
        )
    matrices = np.ascontiguousarray(np.stack(made))
    for g, m in zip(group, made, strict=True):
        if np.abs(m @ m.T - np.eye(size)).max() > _ROUNDING:
            raise OrbitscopeError(f"Planner: {g!r} moves actions by a matrix that is not orthogonal, which changes the noise's covariance.")
        if np.abs(np.einsum("ij,gjk->gik", m, matrices)[:, None] - matrices).max((2, 3)).min(1).max() > _ROUNDING:
            raise OrbitscopeError(f"Planner: {group.name} is not closed: {g!r} times another element is none of its elements on actions.")
    return Turning(group.name, tuple(group), torch.as_tensor(matrices), states)


def require_invariant(turn: Turning, actions: ActionSet, shape: Shape, refit: str, horizon: int, samples: int) -> None:
    """Raise `OrbitscopeError` unless decisions commute with the group, saying which condition fails and what to take."""
    if samples % len(turn):
        nearest = max(1, round(samples / len(turn))) * len(turn)
        raise OrbitscopeError(
            f"Planner: `samples` should be a multiple of {len(turn)}, the order of {turn.name}; got {samples}. Take {nearest}."
        )
    for g, m in zip(turn.elements, turn.matrices.numpy(), strict=True):
        if not actions.kept_by(m):
            raise OrbitscopeError(f"Planner: {g!r} of {turn.name} does not leave `actions` {actions} alone. {actions.advice()}")
    covariance = shape.full(horizon, actions.size)
    for g, m in zip(turn.elements, turn.matrices, strict=True):
        whole = torch.kron(torch.eye(horizon, dtype=torch.float64), m)
        if (whole @ covariance @ whole.T - covariance).abs().max() > 1e-6 * covariance.abs().max():
            raise OrbitscopeError(
                f"Planner: {g!r} of {turn.name} does not leave the noise alone: give components that it mixes one `std`, or a `covariance` "
                "that commutes with it."
            )
    if refit == "diagonal" and not turn.signed:
        raise OrbitscopeError(
            f"Planner: `refit` 'diagonal' fits single components, which {turn.name} mixes. Take refit='step', a full covariance for "
            "each time."
        )
