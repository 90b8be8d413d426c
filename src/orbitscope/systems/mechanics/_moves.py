"""How the elements of a group move states of a motion: affine maps of the phase space, the direction of time, the numbers of a system."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...symmetry import Action, FiniteGroup, Group, LieGroup, Linear, State, cyclic, parts
from ._about import Motion
from ._bodies import BODIES, reversed_momenta

TURNS = 8
REACH = 0.3
"""Shifts, and logarithms of changes of scale, are drawn up to this size."""


class OfMotion(Action[Linear]):
    """States (past frames, direction, context, numbers) under matrices of (phase space, 1, numbers, direction of time).

    Frames stay listed along the direction. A system's numbers move under changes of scale alone: a planet twice as far out has its old
    period around a star with eight times the pull.

    * `motion`: what the examples are.
    """

    def __init__(self, motion: Motion) -> None:
        d = motion.pairs
        self.pairs = d
        frames = tuple(f"{what}{k + 1}" for what in "qp" for k in range(d))
        self.channels = (*frames, "direction", *(f"context {n}" for n in frames), *motion.names)

    def __call__(self, element: Linear, state: State) -> State:
        past, direction, context, numbers = parts(state)
        matrix, offset, of_numbers, sign = moved_parts(element, self.pairs, past)
        return past @ matrix.T + offset, direction * sign, context @ matrix.T + offset, numbers @ of_numbers.to(numbers).T

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
        matrix, offset, *_ = moved_parts(element, self.pairs, frame)
        return frame @ matrix.T + offset

    def blocks(self, state: State) -> tuple[Tensor, ...]:
        (frame,) = parts(state)
        return frame[:, : self.pairs, None], frame[:, self.pairs :, None]


def moved_parts(element: Linear, pairs: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor, float]:
    """Of an `element`: matrix and offset on the phase space of `pairs`, matrix on the numbers, in the precision of `like`; sign of time."""
    whole, n = torch.as_tensor(element.matrix.copy(), dtype=like.dtype, device=like.device), 2 * pairs
    return whole[:n, :n], whole[:n, n], whole[n + 1 : -1, n + 1 : -1], float(element.matrix[-1, -1])


def groups_of(motion: Motion) -> dict[str, Group[Any]]:
    """The groups that the motions of a body should have, by name; of somebody's own examples the reversal, where it is claimed.

    * `motion`: what the examples are.
    """
    body = BODIES.get(motion.body)
    claimed = {} if body is None else dict(body.motions)
    if body is None and motion.even:
        claimed["reversal"] = (reversed_momenta(motion.pairs), -1)
    count = len(motion.names)
    one = _element(np.eye(2 * motion.pairs), count, 1, "e")
    found: dict[str, Group[Any]] = {word: FiniteGroup(word, [one, _element(m, count, s, word)]) for word, (m, s) in claimed.items()}
    if body is not None and body.turns:
        turns = [_element(np.kron(np.eye(motion.pairs), g.matrix), count, 1, g.name) for g in cyclic(TURNS)]
        found["rotation"] = FiniteGroup(f"C{TURNS}", turns)
    if body is not None and body.shifts:
        found["translation"] = LieGroup("translation", [_shift(motion.pairs, count, axis) for axis in (0, 1)], scale=REACH)
    if body is not None and body.powers is not None:
        rate = np.diag([1.0] * (2 * motion.pairs) + [0.0] + list(body.powers) + [0.0])
        found["scale"] = LieGroup("scale", [rate], scale=REACH)
    return found


def _element(matrix: np.ndarray, numbers: int, sign: int, name: str) -> Linear:
    whole = np.eye(len(matrix) + numbers + 2)
    whole[: len(matrix), : len(matrix)], whole[-1, -1] = matrix, sign
    return Linear(whole, name)


def _shift(pairs: int, numbers: int, axis: int) -> np.ndarray:
    """The rate of moving all bodies of a plane along an axis."""
    rate = np.zeros((2 * pairs + numbers + 2, 2 * pairs + numbers + 2))
    rate[axis:pairs:2, 2 * pairs] = 1
    return rate
