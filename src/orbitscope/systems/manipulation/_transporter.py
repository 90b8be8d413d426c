"""The keyframe transporter: poses of the hand are scored by correlating what lies in the scene with what lies in the hand."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...nn import EquivariantConv, Features
from ...symmetry import Group, octahedral
from ._poses import turned
from ._rotations import small_turns
from ._voxels import saturated, splatted

_HAND = (0.085, -0.03, 0.13)  # half width and reach of the box about the hand, as of `in_hand_box`
_BONES = torch.tensor([[0.0, y, z] for y in (-0.03, 0.0, 0.03) for z in (0.0, -0.04, -0.08)], dtype=torch.float64)


class Level(NamedTuple):
    """One level of the search.

    * `cells`: voxels along each axis of the cube about its centre. `edge`: of a voxel, m. `kernel`: voxels of what is held, odd.
    """

    cells: int
    edge: float
    kernel: int


LEVELS = (Level(16, 0.04, 5), Level(16, 0.012, 7))
"""Coarse and fine: the whole table at 4 cm, then 19 cm about what was found, at 12 mm; what is held within 8 cm counts there."""
_MIDDLE = (0.0, 0.0, 0.18)  # of the coarse cube, above the table's top
_SPREAD = np.deg2rad(15.0)


def turns_about_vertical(order: int = 4) -> Group:
    """The quarter turns of space about z, 1, 2 or 4 of them.

    * `order`: how many. Raises `OrbitscopeError` for another number: a lattice has no others.
    """
    if order not in (1, 2, 4):
        raise OrbitscopeError(f"turns_about_vertical: `order` should be 1, 2 or 4, got {order}.")
    upright = [g for g in octahedral() if np.asarray(g.matrix)[2, 2] == 1 and np.linalg.det(np.asarray(g.matrix)) > 0]
    kept = [g for g in upright if _power_of(np.asarray(g.matrix)) % (4 // order) == 0]
    return Group(f"C{order}z", kept)


def _power_of(matrix: np.ndarray) -> int:
    return round(float(np.arctan2(matrix[1, 0], matrix[0, 0])) / (np.pi / 2)) % 4


class FieldNet(nn.Module):
    """Scalar fields to scalar fields by convolutions that commute with quarter turns about the vertical, exactly.

    * `channels`: that come in. `width`: regular fields inside. `out`: scalar fields that go out. `order`: 4; 1 for a plain network.
    """

    def __init__(self, channels: int, width: int, out: int, order: int = 4) -> None:
        super().__init__()
        group = turns_about_vertical(order)
        into, inside = Features.of(group, f"scalar*{channels}"), Features.of(group, f"regular*{width * 4 // order}")
        self.layers = nn.ModuleList(
            [
                EquivariantConv(into, inside, 3, boundary="zero"),
                EquivariantConv(inside, inside, 3, boundary="zero"),
                EquivariantConv(inside, Features.of(group, f"scalar*{out}"), 3, boundary="zero"),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, out, n, n, n] of the fields `x` [B, channels, n, n, n]."""
        first, second, last = self.layers
        x = F.relu(first(x))
        return last(x + F.relu(second(x)))


class RunningScale(nn.Module):
    """Numbers [B, C] less their running mean, over their running standard deviation: correlations grow to hundreds in training, and what
    tells two keyframes apart may be a tenth of them."""

    mean: Tensor
    square: Tensor
    seen: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        for name, value in (("mean", torch.zeros(channels)), ("square", torch.ones(channels)), ("seen", torch.zeros(()))):
            self.register_buffer(name, value)

    def forward(self, x: Tensor) -> Tensor:
        """`x` [B, C] scaled; in training it is counted first."""
        if self.training:
            with torch.no_grad():
                self.seen += 1
                weight = float(torch.clamp(1 / self.seen, min=0.02))
                self.mean.lerp_(x.detach().mean(0), weight)
                self.square.lerp_(x.detach().square().mean(0), weight)
        return (x - self.mean) / (self.square - self.mean.square()).clamp(min=1e-6).sqrt()


class Transporter(nn.Module):
    r"""Scores of hand poses, $Q(a) = \sum_y f_S(a y) \cdot f_H(y)$ over SE(3), coarse to fine; the pose and fingers of the next keyframe.

    * `turns` [R, 3, 3]: orientations of the coarse level, which quarter turns permute (`rotation_grid`, `used_rotations`).
    * `width`, `features`: of the networks (`FieldNet`), and fields that are correlated. `order`: 4, or 1 without built-in symmetry.
    * `lift`: whether the hand's network sees the turned contents of the hand for every orientation; else they are turned afterwards, and
      only what its network commutes with is exact. `levels`: of the search.

    The scene's network sees all points that are not in a box about the hand, and where the hand is; the hand's network those in the box,
    turned by each orientation R: $Q(R, t) = \sum_k f_S[t + k]\, f_H(R H)[k]$. Then
    $$Q(g_1 a g_2^{-1} \mid g_1 S, g_2 H) = Q(a \mid S, H)$$
    for quarter turns and shifts by whole voxels $g_1$ (away from the edge of the cube), for every rotation $g_2$ of what is held, and for
    shifts $g_2$ that R takes to whole voxels; for others up to the size of a voxel. In training, x has three parts more, see `WithAnswer`,
    and beside the answer there is the loss: the cross-entropy of the nearest cell at each level, plus that of the fingers.

    Source: the claim of Zhu et al., arXiv 2502.01773 (abstract); the construction is of this package.
    """

    turns: Tensor
    """Orientations of the coarse level, [R, 3, 3]."""
    small: Tensor
    """Turns of the fine level about a coarse one, [27, 3, 3]."""

    def __init__(
        self, turns: np.ndarray, *, width: int = 3, features: int = 8, order: int = 4, lift: bool = True, levels: tuple[Level, ...] = LEVELS
    ) -> None:
        super().__init__()
        self.levels, self.lift = tuple(Level(*level) for level in levels), lift
        self.register_buffer("turns", torch.tensor(np.asarray(turns), dtype=torch.float32))
        self.register_buffer("small", torch.tensor(small_turns(_SPREAD), dtype=torch.float32))
        self.scene_nets = nn.ModuleList(FieldNet(6, width, features, order) for _ in self.levels)
        self.hand_nets = nn.ModuleList(FieldNet(4, width, features, order) for _ in self.levels)
        self.fingers = nn.Sequential(RunningScale(features + 1), nn.Linear(features + 1, 1))

    # --- fields --------------------------------------------------------------------------------------------------------------------

    def scene_field(self, level: int, x: tuple[Tensor, ...], centre: Tensor) -> Tensor:
        """f_S [B, features, n, n, n] of what is seen, on the cube of a level.

        * `level`: its number. `x`: points, colours, mask, hand, open, as of the examples. `centre` [B, 3]: of the cube, m.
        """
        points, colours, mask, hand, told = x
        which = self.levels[level]
        outside = mask * (1 - self.in_hand(points, hand))
        one = torch.ones_like(mask)[..., None]
        seen = saturated(splatted(points - centre[:, None], torch.cat([one, colours], 2), outside, which.cells, which.edge))
        place, turn = _parts(hand)
        bones = place[:, None] + _BONES.to(hand) @ turn.mT
        told_ = told[:, None].expand(-1, len(_BONES), -1)
        marks = torch.cat([torch.ones_like(told_), told_], 2)
        where = splatted(bones - centre[:, None], marks, torch.ones_like(marks[..., 0]), which.cells, which.edge)
        return self.scene_nets[level](torch.cat([seen, where], 1))

    def hand_kernels(self, level: int, x: tuple[Tensor, ...], turns: Tensor) -> Tensor:
        """f_H [B, R, features, k, k, k] of what is held, turned.

        * `level`: its number. `x`: what is seen. `turns` [B, R, 3, 3]: orientations of the hand.
        """
        points, colours, mask, hand, _ = x
        which, (batch, count) = self.levels[level], turns.shape[:2]
        place, turn = _parts(hand)
        inside = (points - place[:, None]) @ turn  # in the frame of the hand
        weights = mask * self.in_hand(points, hand)
        most = int((weights > 0).sum(1).max()) if bool((weights > 0).any()) else 1
        keep = weights.topk(most, dim=1).indices  # few points are in the hand, and many orientations follow
        parts = (inside, colours, weights[..., None])
        inside, colours, weights = (torch.gather(t, 1, keep[..., None].expand(-1, -1, t.shape[2])) for t in parts)
        held = torch.cat([torch.ones_like(weights), colours], 2)

        def field(moved: Tensor, repeat: int) -> Tensor:
            f, w = (t.repeat_interleave(repeat, 0) for t in (held, weights[..., 0]))
            return saturated(splatted(moved, f, w, which.kernel, which.edge))

        if self.lift:
            moved = torch.einsum("brij,bpj->brpi", turns, inside).flatten(0, 1)
            return self.hand_nets[level](field(moved, count)).unflatten(0, (batch, count))
        plain = self.hand_nets[level](field(inside, 1))
        return _turned(plain, turns)

    def in_hand(self, points: Tensor, hand: Tensor) -> Tensor:
        """1 for `points` [B, P, 3] in the box about the `hand` [B, 12], else 0."""
        place, turn = _parts(hand)
        inside = (points - place[:, None]) @ turn
        half, low, high = _HAND
        near = (inside[..., :2].abs() < half).all(-1) & (inside[..., 2] > low) & (inside[..., 2] < high)
        return near.to(points.dtype)

    def scores(self, level: int, x: tuple[Tensor, ...], turns: Tensor, centre: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Q [B, R, n, n, n] for orientations and voxels; and f_S and f_H.

        * `level`: its number. `x`: what is seen. `turns` [B, R, 3, 3]: orientations. `centre` [B, 3]: of the cube of voxels, m.
        """
        scene, kernels = self.scene_field(level, x, centre), self.hand_kernels(level, x, turns)
        batch, count, features, k = kernels.shape[:4]
        flat = F.conv3d(scene.reshape(1, batch * features, *scene.shape[2:]), kernels.flatten(0, 1), padding=k // 2, groups=batch)
        return flat.unflatten(1, (batch, count))[0] / (features * k**3) ** 0.5, scene, kernels

    # --- answers -------------------------------------------------------------------------------------------------------------------

    def forward(self, *x: Tensor) -> tuple[Tensor, ...]:
        """Pose [B, 12] of the next keyframe and the logit [B, 1] that its fingers are open; in training the loss [B] too.

        * `x`: points, colours, mask, hand, open; in training also the answer, its fingers and numbers.
        """
        seen, extra = x[:5], x[5:]
        if extra:
            loss = self.loss(seen, *extra)
            return extra[0], torch.zeros_like(extra[1]), loss
        return self.find(seen)

    def middle(self, like: Tensor) -> Tensor:
        """The centre of the coarse cube, [B, 3], for as many examples and in the precision as `like` [B, ...]."""
        return torch.tensor(_MIDDLE, dtype=like.dtype, device=like.device).expand(len(like), 3)

    def loss(self, x: tuple[Tensor, ...], goal: Tensor, then: Tensor, drawn: Tensor) -> Tensor:
        """The loss of each example, [B].

        * `x`: what is seen. `goal` [B, 12], `then` [B, 1]: the next keyframe. `drawn` [B, 4]: uniform numbers, for the jitter of the cube.
        """
        place, turn = _parts(goal)
        turns = self.turns.to(goal).expand(len(goal), -1, -1, -1)
        centre = self.middle(goal)
        scores, _, _ = self.scores(0, x, turns, centre)
        near = torch.einsum("brij,bij->br", turns, turn).argmax(1)
        total = F.cross_entropy(scores.flatten(1), self._cell(0, place, centre, near), reduction="none")
        base = turns[torch.arange(len(goal)), near]
        fine = self.levels[1]
        off = (drawn[:, :3] - 0.5) * (self.levels[0].edge)  # the coarse level is right to half a voxel
        centre = place + off
        turns = self.small.to(goal) @ base[:, None]
        scores, scene, kernels = self.scores(1, x, turns, centre)
        near = torch.einsum("brij,bij->br", turns, turn).argmax(1)
        total = total + F.cross_entropy(scores.flatten(1), self._cell(1, place, centre, near), reduction="none")
        at = self._indices(fine, place - centre)
        logit = self._told(scene, kernels, at, near, x[4])
        return total + F.binary_cross_entropy_with_logits(logit, then, reduction="none")[:, 0]

    @torch.no_grad()
    def find(self, x: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """The best pose [B, 12] and the logit [B, 1] of open fingers, level by level, for what is seen, `x`."""
        turns = self.turns.to(x[0]).expand(len(x[0]), -1, -1, -1)
        centre = self.middle(x[0])
        rows = torch.arange(len(centre))
        scores, _, _ = self.scores(0, x, turns, centre)
        place, best, _ = self._best(0, scores, centre)
        base = turns[rows, best]
        turns = self.small.to(base) @ base[:, None]
        scores, scene, kernels = self.scores(1, x, turns, place)
        found, best, at = self._best(1, scores, place)
        turn = _between(scores, best, at) @ base
        logit = self._told(scene, kernels, at, best, x[4])
        return torch.cat([found, turn.mT.flatten(1)], 1), logit

    def _indices(self, level: Level, away: Tensor) -> Tensor:
        return (away / level.edge + (level.cells - 1) / 2).round().long().clamp(0, level.cells - 1)

    def _cell(self, level: int, place: Tensor, centre: Tensor, turn: Tensor) -> Tensor:
        n = self.levels[level].cells
        i = self._indices(self.levels[level], place - centre)
        return ((turn * n + i[:, 0]) * n + i[:, 1]) * n + i[:, 2]

    def _best(self, level: int, scores: Tensor, centre: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Place [B, 3] of the best score, refined by a parabola along each axis; number of its orientation; its indices [B, 3]."""
        n, edge = self.levels[level].cells, self.levels[level].edge
        flat = scores.flatten(1).argmax(1)
        at = torch.stack([flat // n**2 % n, flat // n % n, flat % n], 1)
        turn = flat // n**3
        rows = torch.arange(len(scores))
        mine = scores[rows, turn]
        fraction = torch.zeros_like(centre)
        for d in range(3):
            step = torch.zeros(3, dtype=torch.long)
            step[d] = 1
            low, high = ((at + s * step).clamp(0, n - 1) for s in (-1, 1))
            a, b, c = (mine[rows, p[:, 0], p[:, 1], p[:, 2]] for p in (low, at, high))
            bend = a - 2 * b + c
            inner = (at[:, d] > 0) & (at[:, d] < n - 1) & (bend < 0)
            fraction[:, d] = torch.where(inner, ((a - c) / (2 * bend.clamp(max=-1e-12))), torch.zeros_like(a)).clamp(-0.5, 0.5)
        return centre + (at + fraction - (n - 1) / 2) * edge, turn, at

    def _told(self, scene: Tensor, kernels: Tensor, at: Tensor, turn: Tensor, told: Tensor) -> Tensor:
        """The logit of open fingers, [B, 1], from the correlation of each feature at the pose: what no motion changes."""
        k = kernels.shape[-1]
        padded = F.pad(scene, [k // 2] * 6)
        found = []
        for b in range(len(scene)):
            i, j, m = (int(v) for v in at[b])
            window = padded[b, :, i : i + k, j : j + k, m : m + k]
            found.append((window * kernels[b, turn[b]]).sum((1, 2, 3)) / k**1.5)
        return self.fingers(torch.cat([torch.stack(found), told], 1))


def _parts(poses: Tensor) -> tuple[Tensor, Tensor]:
    """Positions [B, 3] and rotations [B, 3, 3] of poses [B, 12]."""
    return poses[:, :3], poses[:, 3:].unflatten(1, (3, 3)).mT


def _turned(fields: Tensor, turns: Tensor) -> Tensor:
    """Fields [B, C, k, k, k] turned by each of `turns` [B, R, 3, 3], resampled: [B, R, C, k, k, k]."""
    (batch, count), k = turns.shape[:2], fields.shape[-1]
    axis = (torch.arange(k, dtype=fields.dtype, device=fields.device) - (k - 1) / 2) / ((k - 1) / 2)
    where = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1)
    back = torch.einsum("brji,xyzj->brxyzi", turns, where).flatten(0, 1)  # at R^-1 of each centre
    out = F.grid_sample(fields.repeat_interleave(count, 0), back.flip(-1), align_corners=True, padding_mode="zeros")
    return out.unflatten(0, (batch, count))


def _between(scores: Tensor, best: Tensor, at: Tensor) -> Tensor:
    """The small turn [B, 3, 3] between the 27 of the fine level: the best one, refined by a parabola along each axis of its vector."""
    rows = torch.arange(len(scores))
    here = scores[rows, :, at[:, 0], at[:, 1], at[:, 2]].unflatten(1, (3, 3, 3))
    index = torch.stack([best // 9, best // 3 % 3, best % 3], 1)
    vector = (index - 1).to(scores)
    for d in range(3):
        line = torch.stack([here[b].movedim(d, 0)[:, *[int(index[b, e]) for e in range(3) if e != d]] for b in range(len(here))])
        bend = line[:, 0] - 2 * line[:, 1] + line[:, 2]
        inner = (index[:, d] == 1) & (bend < 0)
        step = torch.where(inner, (line[:, 0] - line[:, 2]) / (2 * bend.clamp(max=-1e-12)), torch.zeros_like(bend)).clamp(-0.5, 0.5)
        vector[:, d] += step
    made = [turned(_SPREAD * v) for v in vector.double().cpu().numpy()]
    return torch.tensor(np.stack(made)).to(scores)
