"""How the elements of a group move states of a motion: matrices of the phase space, and the direction of time."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...symmetry import Action, Group, Linear, State, cyclic, parts
from ._about import Motion
from ._bodies import BODIES, reversed_momenta

TURNS = 8


class OfMotion(Action[Linear]):
    """States (past frames, direction, context, numbers) under matrices that move phase space and, by their last entry, time.

    Frames stay listed along the direction; numbers stay as they are.

    * `motion`: what the examples are.
    """

    def __init__(self, motion: Motion) -> None:
        d = motion.pairs
        self.pairs = d
        frames = tuple(f"{what}{k + 1}" for what in "qp" for k in range(d))
        self.channels = (*frames, "direction", *(f"context {n}" for n in frames), *motion.names)

    def __call__(self, element: Linear, state: State) -> State:
        past, direction, context, numbers = parts(state)
        matrix, sign = phase_part(element, past)
        return past @ matrix.T, direction * sign, context @ matrix.T, numbers

    def blocks(self, state: State) -> tuple[Tensor, ...]:
        past, direction, context, numbers = parts(state)
        d = self.pairs
        first, second = past.mT, context.mT
        others = [numbers[..., None]] if numbers.shape[-1] else []
        return (first[:, :d], first[:, d:], direction[..., None], second[:, :d], second[:, d:], *others)


class OfFrames(Action[Linear]):
    """Single frames (q, p), [N, 2d], under the same elements.

    * `motion`: what the examples are.
    """

    def __init__(self, motion: Motion) -> None:
        self.pairs = motion.pairs
        self.channels = tuple(f"{what}{k + 1}" for what in "qp" for k in range(motion.pairs))

    def __call__(self, element: Linear, state: State) -> State:
        (frame,) = parts(state)
        return frame @ phase_part(element, frame)[0].T

    def blocks(self, state: State) -> tuple[Tensor, ...]:
        (frame,) = parts(state)
        return frame[:, : self.pairs, None], frame[:, self.pairs :, None]


def phase_part(element: Linear, like: Tensor) -> tuple[Tensor, float]:
    """The matrix on phase space, in the precision of `like`, and the sign of time of an `element`."""
    return torch.as_tensor(element.matrix[:-1, :-1].copy(), dtype=like.dtype, device=like.device), float(element.matrix[-1, -1])


def groups_of(motion: Motion) -> dict[str, Group[Any]]:
    """The groups that the motions of a body should have, by name; of somebody's own examples the reversal, where it is claimed.

    * `motion`: what the examples are.
    """
    body = BODIES.get(motion.body)
    claimed = {} if body is None else dict(body.motions)
    if body is None and motion.even:
        claimed["reversal"] = (reversed_momenta(motion.pairs), -1)
    one = _element(np.eye(2 * motion.pairs), 1, "e")
    found: dict[str, Group[Any]] = {word: Group(word, [one, _element(m, s, word)]) for word, (m, s) in claimed.items()}
    if body is not None and body.turns:
        turns = [_element(np.kron(np.eye(motion.pairs), g.matrix), 1, g.name) for g in cyclic(TURNS)]
        found["rotation"] = Group(f"C{TURNS}", turns)
    return found


def _element(matrix: np.ndarray, sign: int, name: str) -> Linear:
    whole = np.zeros((len(matrix) + 1, len(matrix) + 1))
    whole[:-1, :-1], whole[-1, -1] = matrix, sign
    return Linear(whole, name)
