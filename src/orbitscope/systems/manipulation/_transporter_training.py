"""What the training of a keyframe policy minimises and is told, and how the model is made for its examples."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from ..._expect import shown
from ..._seed import derive
from ...data import Examples
from ...symmetry import State, parts
from ...training import Loss
from ._rotations import rotation_grid, used_rotations
from ._search import Level
from ._transporter import LEVELS, Transporter
from ._transporter_flat import FlatTransporter

SEARCHES = {"two": LEVELS, "three": (*LEVELS, Level(8, 0.005, 15, 5.0)), "one": (Level(24, 0.025, 5),)}
"""Levels of a search by name: coarse and fine; a third level of 5 mm and 5 degrees; one level of 25 mm over the whole table."""
FLAT = "flat"
"""The search that scores every pose at the fine voxels at once, see `FlatTransporter`."""
_FINGERS = 3.0  # what wrong fingers weigh: as 3 cm


class KeyframeLoss(Loss):
    """The loss that a model in training hands over beside its answer; of an answer alone the distance of the pose, in cm and 15 degrees,
    and 3 where the fingers would do something else.

    Invariant under motions of space, which keep distances and angles.
    """

    name = "keyframe"

    def each(self, prediction: State, target: State, state: State = None) -> Tensor:
        """[B]: `prediction` (pose [B, 12], logit [B, 1]) with or without a loss [B], `target` (pose [B, 12], open [B, 1])."""
        answer, logit, *own = parts(prediction)
        if own:
            return own[0]
        wanted, then = nearest_of(answer, parts(target)), parts(target)[1]
        away = (answer[:, :3] - wanted[:, :3]).norm(dim=1) / 0.01 + angles(answer, wanted) / np.deg2rad(15)
        return away + _FINGERS * ((logit > 0).to(then) - then).abs()[:, 0]


class PlaceError(Loss):
    """Distance of the place of the pose, m; no motion of space changes it."""

    name = "place"

    def each(self, prediction: State, target: State, state: State = None) -> Tensor:
        """[B]: `prediction` (pose, logit), `target` (pose, open)."""
        answer = parts(prediction)[0]
        return (answer[:, :3] - nearest_of(answer, parts(target))[:, :3]).norm(dim=1)


class TurnError(Loss):
    """Angle of the orientation of the pose, radians, modulo a half turn about the fingers: the two of a parallel jaw are alike."""

    name = "turn"

    def each(self, prediction: State, target: State, state: State = None) -> Tensor:
        """[B]: `prediction` (pose, logit), `target` (pose, open)."""
        answer = parts(prediction)[0]
        return angles(answer, nearest_of(answer, parts(target)))


class FingerError(Loss):
    """Share of keyframes at which the fingers would do something else; no motion changes it."""

    name = "fingers"

    def each(self, prediction: State, target: State, state: State = None) -> Tensor:
        """[B]: `prediction` (pose, logit), `target` (pose, open)."""
        logit, then = parts(prediction)[1], parts(target)[1]
        return ((logit > 0).to(then) - then).abs()[:, 0]


def nearest_of(answer: Tensor, target: tuple[Tensor, ...]) -> Tensor:
    """Of the poses that are as good as the demonstrated one, that [B, 12] which is nearest to the `answer` [B, 12], in cm and 15 degrees.

    The `target` is (pose [B, 12], open [B, 1]) or has such poses [B, M, 12] as a third part.
    """
    wanted, alike = target[0], target[2:]
    if not alike:
        return wanted
    same = alike[0]
    mine = answer[:, None].expand_as(same).flatten(0, 1)
    turn = angles(mine, same.flatten(0, 1)).unflatten(0, same.shape[:2])
    away = (answer[:, None, :3] - same[..., :3]).norm(dim=2) / 0.01 + turn / np.deg2rad(15)
    return same[torch.arange(len(same), device=same.device), away.argmin(1)]


def angles(found: Tensor, wanted: Tensor) -> Tensor:
    """Angles between orientations of poses [B, 12], modulo a half turn about the fingers, [B]."""
    a, b = (p[:, 3:].unflatten(1, (3, 3)) for p in (found, wanted))  # rows are axes
    cosines = (a * b).sum(2)
    plain, half = cosines.sum(1), cosines[:, 2] - cosines[:, 0] - cosines[:, 1]
    return ((torch.maximum(plain, half) - 1) / 2).clamp(-1, 1).acos()


class WithAnswer:
    """Turns and shifts each example in the plane, and hands its answer to the model: the fine level is trained about the true pose.

    * `turn`: whether scenes are turned by any angle; else they stay. `shift`: the largest, m along x and y.
    * `modulo`: whether poses that are as good count as right too, where the examples know them (see `equivalents`).
    """

    def __init__(self, turn: bool = True, shift: float = 0.04, modulo: bool = True) -> None:
        self.turn, self.shift, self.modulo = turn, shift, modulo
        kinds = ("turned" if turn else "not turned", f"shifted by {shift} m", "modulo own symmetry" if modulo else "one answer")
        self.name = f"answer given, {', '.join(kinds)}"

    def draw(self, length: int, seed: int, epoch: int, step: int) -> Tensor:
        """Uniform numbers [length, 36]: angle, two shifts, 33 for the model.

        * `length`: number of examples. `seed`, `epoch`, `step`: of the training; the numbers depend on these alone.
        """
        generator = torch.Generator().manual_seed(derive(seed, "keyframe jitter", epoch * 2**20 + step))
        return torch.rand(length, 36, generator=generator, dtype=torch.float64)

    def __call__(self, drawn: Tensor, x: State, y: State, /) -> tuple[State, ...]:
        """The examples moved, with the answer and numbers as three more parts of x."""
        points, colours, mask, hand, told = parts(x)
        goal, then, *same = parts(y)
        drawn = drawn.to(points)
        angle = 2 * np.pi * drawn[:, 0] * float(self.turn)
        c, s, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
        turn = torch.stack([c, -s, zero, s, c, zero, zero, zero, zero + 1], 1).unflatten(1, (3, 3))
        shift = torch.cat([(2 * drawn[:, 1:3] - 1) * self.shift, zero[:, None]], 1)
        points = points @ turn.mT + shift[:, None]
        hand, goal = (_moved(p, turn, shift) for p in (hand, goal))
        alike = [_moved_alike(p, turn, shift) for p in same]
        return (points, colours, mask, hand, told, goal, then, drawn[:, 3:], *(alike if self.modulo else [])), (goal, then, *alike)


def _moved_alike(poses: Tensor, turn: Tensor, shift: Tensor) -> Tensor:
    """Poses [B, M, 12], those of each example by its own motion."""
    each = (v.repeat_interleave(poses.shape[1], 0) for v in (turn, shift))
    return _moved(poses.flatten(0, 1), *each).unflatten(0, poses.shape[:2])


def _moved(poses: Tensor, turn: Tensor, shift: Tensor) -> Tensor:
    rows = poses.unflatten(1, (4, 3)) @ turn.mT
    return torch.cat([rows[:, 0] + shift, rows[:, 1:].flatten(1)], 1)


def transporter_for(
    examples: Examples, *, spacing: int = 45, width: int = 3, features: int = 8, order: int = 4, lift: bool = True, held: bool = True,
    turn_prior: bool = False, search: str = "two",
) -> Transporter:  # fmt: skip
    """A `Transporter` whose coarse orientations are those of a grid that the examples use, and their quarter turns.

    * `examples`: keyframes of demonstrations. `spacing`: of the grid, degrees. `search`: which of `SEARCHES`, or `FLAT`.
    * `width`, `features`, `order`, `lift`, `held`, `turn_prior`: as of `Transporter`.

    Raises `OrbitscopeError` for other examples and an unknown search.
    """
    if search not in (*SEARCHES, FLAT):
        raise OrbitscopeError(f"transporter: `search` should be one of {', '.join((*SEARCHES, FLAT))}, got {shown(search)}.")
    goals = goals_of(examples)
    if len(examples.y) == 3:
        goals = np.concatenate([goals, examples.y[2].double().numpy().reshape(-1, 12)])
    wanted = goals[:, 3:].reshape(-1, 3, 3).transpose(0, 2, 1)
    grid = rotation_grid(np.deg2rad(spacing))
    # A scene may come turned by any angle: the demonstrations are looked at in turned copies.
    copies = [_about_vertical(a) @ wanted for a in np.linspace(0, np.pi / 2, 6, endpoint=False)]
    turns = used_rotations(grid, np.concatenate(copies))
    options: Any = {"width": width, "features": features, "order": order, "lift": lift, "held": held, "turn_prior": turn_prior}
    return FlatTransporter(turns, **options) if search == FLAT else Transporter(turns, levels=SEARCHES[search], **options)


def goals_of(examples: Examples) -> np.ndarray:
    """The poses [N, 12] that examples ask for; raises `OrbitscopeError` for examples that are no keyframes."""
    y: Any = examples.y
    right = isinstance(y, tuple) and len(y) in (2, 3) and y[0].shape[1:] == (12,)
    if not right or not isinstance(examples.x, tuple) or len(examples.x) != 5:
        raise OrbitscopeError(f"transporter: needs keyframes of demonstrations, which `simulate manipulation.peg` makes; got {examples!r}.")
    return y[0].double().numpy()


def _about_vertical(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
