"""The keyframe transporter: poses of the hand are scored by correlating what lies in the scene with what lies in the hand."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..._expect import expect
from ._field_nets import FieldNet, RunningScale
from ._rotations import small_turns
from ._search import Level, between, indices, joined, peak, resampled, split
from ._seen import BONES, middle, seen_fields
from ._voxels import saturated, splatted

_HAND = (0.085, -0.03, 0.13)  # half width and reach of the box about the hand, as of `in_hand_box`
_TABLE = 0.012  # m above the table's top below which nothing is in the hand
_LIFTED = 1  # levels up to this one see what is held in every orientation; finer ones resample its field by some degrees
_TRIED = 9  # of the 27 small turns, in training

LEVELS = (Level(12, 0.05, 5), Level(8, 0.012, 7))
"""Coarse and fine: the whole table at 5 cm, then 10 cm about what was found, at 12 mm and 15 degrees."""


class Transporter(nn.Module):
    r"""Scores of hand poses, $Q(a) = \sum_y f_S(a y) \cdot f_H(y)$ over SE(3), coarse to fine; the pose and fingers of the next keyframe.

    * `turns` [R, 3, 3]: orientations of the coarse level, which quarter turns permute (`rotation_grid`, `used_rotations`).
    * `width`, `features`: of the networks (`FieldNet`), and fields that are correlated. `order`: 4, or 1 without built-in symmetry.
    * `lift`: whether the hand's network sees the turned contents of the hand for every orientation; else a plain network sees them once
      and its fields are turned, so that nothing about what is held is built in. `held`: whether what is in the hand is told apart; else
      all points are the scene, and the hand is its own bones. `levels`: of the search, at least one.
    * `turn_prior`: whether a learnt weight at each level is against turning the hand, see `prior`.

    The scene's network sees all points that are not in a box about the hand, and where the hand is; the hand's network those in the box,
    turned by each orientation R about their mean c: $Q(R, p) = \sum_k f_S[p + k]\, f_H(R (H - c))[k]$, for a hand at $p - R c$. Then
    $$Q(g_1 a g_2^{-1} \mid g_1 S, g_2 H) = Q(a \mid S, H)$$
    for quarter turns and shifts by whole voxels $g_1$ (away from the edge of the cube), and for every rigid motion $g_2$ of what is held;
    for other $g_1$ up to the size of a voxel. What the cameras see of the hand itself is in the box too, and no $g_2$ moves it. In
    training, x has three parts more, see `WithAnswer`, and beside the answer there is the loss: the cross-entropy of the nearest cell at
    each level, plus that of the fingers. Raises `OrbitscopeError` for a switch that is neither true nor false.

    Source: the claim of Zhu et al., arXiv 2502.01773 (abstract); the construction is of this package.
    """

    turns: Tensor
    """Orientations of the coarse level, [R, 3, 3]."""

    def __init__(
        self, turns: np.ndarray, *, width: int = 3, features: int = 8, order: int = 4, lift: bool = True, held: bool = True,
        turn_prior: bool = False, levels: Sequence[Level] = LEVELS,
    ) -> None:  # fmt: skip
        super().__init__()
        for name, switch in (("lift", lift), ("held", held), ("turn_prior", turn_prior)):
            expect(switch, bool, f"transporter: `{name}`", "true or false")
        self.levels, self.lift, self.held = tuple(Level(*level) for level in levels), lift, held
        self.register_buffer("turns", torch.tensor(np.asarray(turns), dtype=torch.float32))
        self.scene_nets = nn.ModuleList(FieldNet(6, width, features, order) for _ in self.levels)
        self.hand_nets = nn.ModuleList(FieldNet(4, width, features, order if lift else 1) for _ in self.levels)
        self.fingers = nn.Sequential(RunningScale(features + 1), nn.Linear(features + 1, 16), nn.ReLU(), nn.Linear(16, 1))
        self.against = nn.Parameter(torch.zeros(len(self.levels))) if turn_prior else None

    # --- fields --------------------------------------------------------------------------------------------------------------------

    def scene_field(self, level: int, x: tuple[Tensor, ...], centre: Tensor) -> Tensor:
        """f_S [B, features, m, m, m] of what is seen, on the cube of a level; at finer levels that cube is wider by a kernel.

        * `level`: its number. `x`: points, colours, mask, hand, open, as of the examples. `centre` [B, 3]: of the cube, m.
        """
        which = self.levels[level]
        cells = which.cells + (which.kernel - 1 if level else 0)
        weights = x[2] * (1 - self.in_hand(x[0], x[3])) if self.held else x[2]
        return self.scene_nets[level](seen_fields(x, weights, centre, cells, which.edge))

    def contents(self, x: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What is in the hand, in its frame: points [B, M, 3] less their mean, features [B, M, 4], weights [B, M]; and the mean [B, 3].

        * `x`: what is seen. Where nothing is in the hand, its mean is the hand's origin.
        """
        points, colours, mask, hand, _ = x
        if not self.held:
            bones = BONES.to(hand).expand(len(hand), -1, -1)
            held = torch.cat([torch.ones_like(bones[..., :1]), torch.full_like(bones, 0.3)], 2)
            return bones, held, torch.ones_like(bones[..., 0]), torch.zeros_like(bones[:, 0])
        place, turn = split(hand)
        inside = (points - place[:, None]) @ turn
        weights = mask * self.in_hand(points, hand)
        most = max(1, int((weights > 0).sum(1).max()))
        keep = weights.topk(most, dim=1).indices  # few points are in the hand, and many orientations follow
        parts = (inside, colours, weights[..., None])
        inside, colours, weights = (torch.gather(t, 1, keep[..., None].expand(-1, -1, t.shape[2])) for t in parts)
        mean = (weights * inside).sum(1) / weights.sum(1).clamp(min=1.0)
        return inside - mean[:, None], torch.cat([torch.ones_like(weights), colours], 2), weights[..., 0], mean

    def hand_kernels(self, level: int, x: tuple[Tensor, ...], turns: Tensor, base: Tensor | None = None) -> Tensor:
        """f_H [B, R, features, k, k, k] of what is held, turned.

        * `level`: its number. `x`: what is seen. `turns` [B, R, 3, 3]: orientations of the hand. `base` [B, 3, 3]: the one that the small
          turns of a third level and finer are about.
        """
        which, (batch, count) = self.levels[level], turns.shape[:2]
        inside, held, weights, _ = self.contents(x)

        def field(moved: Tensor, repeat: int) -> Tensor:
            f, w = (t.repeat_interleave(repeat, 0) for t in (held, weights))
            return saturated(splatted(moved, f, w, which.kernel, which.edge))

        net = self.hand_nets[level]
        if not self.lift:
            return resampled(net(field(inside, 1)), turns)
        if level > _LIFTED and base is not None:
            return resampled(net(field(inside @ base.mT, 1)), turns @ base.mT[:, None])
        moved = torch.einsum("brij,bpj->brpi", turns, inside).flatten(0, 1)
        return net(field(moved, count)).unflatten(0, (batch, count))

    def in_hand(self, points: Tensor, hand: Tensor) -> Tensor:
        """1 for `points` [B, P, 3] in the box about the `hand` [B, 12] and clear of the table, else 0."""
        place, turn = split(hand)
        inside = (points - place[:, None]) @ turn
        half, low, high = _HAND
        near = (inside[..., :2].abs() < half).all(-1) & (inside[..., 2] > low) & (inside[..., 2] < high) & (points[..., 2] > _TABLE)
        return near.to(points.dtype)

    def scores(
        self, level: int, x: tuple[Tensor, ...], turns: Tensor, centre: Tensor, base: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        """Q [B, R, n, n, n] for orientations and places of what is held (its mean); and f_S and f_H.

        * `level`: its number. `x`: what is seen. `turns` [B, R, 3, 3]: orientations. `centre` [B, 3]: of the cube of voxels, m.
        * `base`: as of `hand_kernels`.
        """
        scene, kernels = self.scene_field(level, x, centre), self.hand_kernels(level, x, turns, base)
        batch, count, features, k = kernels.shape[:4]
        wide = self._wide(level, scene)
        flat = F.conv3d(wide.reshape(1, batch * features, *wide.shape[2:]), kernels.flatten(0, 1), groups=batch)
        found = flat.unflatten(1, (batch, count))[0] / (features * k**3) ** 0.5
        if self.against is not None:
            found = found + self.prior(level, x[3], turns)[..., None, None, None]
        return found, scene, kernels

    def prior(self, level: int, hand: Tensor, turns: Tensor) -> Tensor:
        r"""What is added to scores, $-10\, w (1 - \cos\theta)$ where the hand is turned by $\theta$, [B, R]; 0 without `turn_prior`.

        Bi-equivariant scores know what is held and not how the hand holds it: of poses that are as good they cannot prefer the one that is
        nearest to the present turn, which a demonstrator takes. This does, and moves with the scene; turned in the hand, a thing is not
        turned back by it.

        * `level`: its number. `hand` [B, 12]: the present pose. `turns` [B, R, 3, 3]: orientations that are scored.
        """
        if self.against is None:
            return torch.zeros_like(turns[..., 0, 0])
        cosine = (torch.einsum("brij,bij->br", turns, split(hand)[1]) - 1) / 2
        return -10 * self.against[level] * (1 - cosine)

    def _wide(self, level: int, scene: Tensor) -> Tensor:
        """Wider by a kernel: beyond the coarse cube there is nothing, and finer fields come so."""
        return scene if level else F.pad(scene, [self.levels[0].kernel // 2] * 6)

    # --- answers -------------------------------------------------------------------------------------------------------------------

    def forward(self, *x: Tensor) -> tuple[Tensor, ...]:
        """Pose [B, 12] of the next keyframe and the logit [B, 1] that its fingers are open; in training the loss [B] too.

        * `x`: points, colours, mask, hand, open; in training also the answer, its fingers, numbers, and where known what is as good.
        """
        seen, extra = x[:5], x[5:]
        if extra:
            loss = self.loss(seen, *extra)
            return extra[0], torch.zeros_like(extra[1]), loss
        return self.find(seen)

    def finer(self, level: int, base: Tensor) -> Tensor:
        """Orientations [B, 27, 3, 3] of a level after the first.

        * `level`: its number. `base` [B, 3, 3]: the orientation that they are about.
        """
        return torch.tensor(small_turns(np.deg2rad(self.levels[level].spread))).to(base) @ base[:, None]

    def loss(self, x: tuple[Tensor, ...], goal: Tensor, then: Tensor, drawn: Tensor, same: Tensor | None = None) -> Tensor:
        """The loss of each example, [B].

        * `x`: what is seen. `goal` [B, 12], `then` [B, 1]: the next keyframe. `drawn` [B, 33]: uniform numbers, three for each finer level
          whose cube is off by them, as the level before would be, and 27 that choose the turns about the right one that are tried.
        * `same` [B, M, 12]: poses that are as good as `goal`. The cells of all of them are right, and one of them, drawn, is that which
          finer levels are about.
        """
        rows, mean = torch.arange(len(goal), device=goal.device), self.contents(x)[3]
        same = goal[:, None] if same is None else same
        places, turned = held_at(same, mean)
        chosen = (drawn[:, 5] * same.shape[1]).long()
        place, turn = places[rows, chosen], turned[rows, chosen]
        total, base = torch.zeros_like(place[:, 0]), turn
        scene = kernels = near = at = torch.zeros(0)
        for level, which in enumerate(self.levels):
            centre, turns = middle(goal), self.turns.to(goal).expand(len(goal), -1, -1, -1)
            if level:
                off = drawn[:, 3 * level - 3 : 3 * level] - 0.5  # the level before is right to half a voxel
                centre, turns = place + off * self.levels[level - 1].edge, self.finer(level, base)
            near = torch.einsum("brij,bij->br", turns, turn).argmax(1)
            if level:  # a third of the small turns, the right one first: the others are no news
                order = drawn[:, -27:].scatter(1, near[:, None], -1.0).argsort(1)[:, :_TRIED]
                turns, near = turns[rows[:, None], order], torch.zeros_like(near)
            scores, scene, kernels = self.scores(level, x, turns, centre, base)
            at = indices(which, place - centre)
            total = total + _missed(which, scores, turns, centre, (places, turned) if same.shape[1] > 1 else None, near, at, level > 0)
            base = turns[rows, near]
        logit = self._told(self._wide(len(self.levels) - 1, scene), kernels, at, near, x[4])
        return total + F.binary_cross_entropy_with_logits(logit, then, reduction="none")[:, 0]

    @torch.no_grad()
    def find(self, x: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """The best pose [B, 12] and the logit [B, 1] of open fingers, level by level, for what is seen, `x`."""
        place, base = middle(x[0]), torch.zeros(0)
        scene = kernels = best = at = torch.zeros(0)
        for level, which in enumerate(self.levels):
            turns = self.finer(level, base) if level else self.turns.to(x[0]).expand(len(x[0]), -1, -1, -1)
            scores, scene, kernels = self.scores(level, x, turns, place, base if level else None)
            place, best, at = peak(which, scores, place)
            base = between(which, scores, best, at) @ base if level else turns[torch.arange(len(place)), best]
        logit = self._told(self._wide(len(self.levels) - 1, scene), kernels, at, best, x[4])
        return joined(place - (base @ self.contents(x)[3][..., None])[..., 0], base), logit

    def _told(self, scene: Tensor, kernels: Tensor, at: Tensor, turn: Tensor, told: Tensor) -> Tensor:
        """The logit of open fingers, [B, 1], from the correlation of each feature at the pose as a cosine: what no motion changes.

        Bare correlations grow a hundredfold in training, faster than a head could follow.
        """
        k = kernels.shape[-1]
        found = []
        for b in range(len(scene)):
            i, j, m = (int(v) for v in at[b])
            window, mine = scene[b, :, i : i + k, j : j + k, m : m + k], kernels[b, turn[b]]
            size = (window.square().sum((1, 2, 3)) * mine.square().sum((1, 2, 3))).clamp(min=1e-12).sqrt()
            found.append((window * mine).sum((1, 2, 3)) / size)
        return self.fingers(torch.cat([torch.stack(found), told], 1))


def held_at(poses: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """Places [B, M, 3] of what is held, and rotations [B, M, 3, 3], of hands [B, M, 12] that hold it by `mean` [B, 3]."""
    hands, turns = split(poses.flatten(0, 1))
    places = hands + (turns @ mean.repeat_interleave(poses.shape[1], 0)[..., None])[..., 0]
    return places.unflatten(0, poses.shape[:2]), turns.unflatten(0, poses.shape[:2])


def _missed(
    level: Level, scores: Tensor, turns: Tensor, centre: Tensor, same: tuple[Tensor, Tensor] | None, near: Tensor, at: Tensor, local: bool
) -> Tensor:  # fmt: skip
    """Minus the logarithm of the probability [B] of the right cell, or of all cells of poses that are as good.

    * `scores` [B, R, n, n, n] at orientations `turns` and about `centre`. `same`: places [B, M, 3] and rotations of what is as good.
    * `near` [B], `at` [B, 3]: orientation and voxel of the one that surely counts. `local`: whether `turns` and voxels are those about
      one pose, so that those of others may lie elsewhere.
    """
    flat, n = scores.flatten(1), level.cells
    cell = ((near * n + at[:, 0]) * n + at[:, 1]) * n + at[:, 2]
    if same is None:
        return F.cross_entropy(flat, cell, reduction="none")
    places, turned = same
    cosine, which = torch.einsum("brij,bmij->bmr", turns, turned).max(2)
    away = places - centre[:, None]
    cells = indices(level, away)
    each = ((which * n + cells[..., 0]) * n + cells[..., 1]) * n + cells[..., 2]
    if local:
        inside = (away.abs() < level.edge * n / 2).all(2) & (cosine > 1 + 2 * np.cos(np.deg2rad(0.75 * level.spread)))
        each = torch.where(inside, each, cell[:, None])
    right = torch.zeros_like(flat, dtype=torch.bool).scatter(1, torch.cat([each, cell[:, None]], 1), True)
    return flat.logsumexp(1) - flat.masked_fill(~right, -torch.inf).logsumexp(1)
