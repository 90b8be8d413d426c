"""A keyframe transporter without coarse to fine: every pose of the table at the fine voxels, trained by a sampled softmax."""

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..._errors import OrbitscopeError
from ._rotations import small_turns
from ._search import Level, between, indices, joined, peak
from ._seen import middle
from ._transporter import LEVELS, Transporter, held_at

_NEAR = 9  # orientations that are always scored about the right place: as many as a fine level is trained with
_AROUND = 8  # voxels along each axis about the right place that are always scored: those of a fine level


class FlatTransporter(Transporter):
    r"""The scores of `Transporter` on one fine level: $Q(a)$ for all orientations and places at once, which coarse to fine does without.

    * `turns` [R, 3, 3]: coarse orientations; 27 fine ones about each of them are scored, as by the second level of `LEVELS`.
    * `cells`: voxels along each axis, of the edge of that level. `drawn`: orientations that are drawn for every example in training.
    * `stride`: in training places are drawn as every so-manieth voxel along each axis, from a first one that is drawn.
    * `corrected`: whether what was drawn counts by one over the probability of being drawn. `options`: as of `Transporter`.

    The softmax over all poses is not affordable in training. Its denominator is estimated by what is always scored (the right poses A,
    and N, nine orientations in 8 x 8 x 8 voxels about one of them), and a uniform draw D of the others,
    $$\hat Z = \sum_{A \cup N} e^{Q(a)} + \frac{1}{\pi} \sum_{D} e^{Q(a)}, \qquad L = \log \hat Z - \log \sum_A e^{Q(a)},$$
    with $\pi$ the share of orientations and places that are drawn. The mean of $\hat Z$ over draws is Z, so that the mean of L is at most
    the full cross-entropy; it is the full cross-entropy where everything is drawn. Gradients are those of L, and not unbiased.

    Raises `OrbitscopeError` for `drawn` or `stride` out of range. Fails for want of memory on much finer grids.
    Source: the sampled softmax of Bengio and Senecal, IEEE Trans. Neural Networks 19 (2008) 713, with a stratum that is always drawn.
    """

    def __init__(
        self, turns: np.ndarray, *, cells: int = 50, drawn: int = 16, stride: int = 2, corrected: bool = True, **options: Any
    ) -> None:  # fmt: skip
        fine = LEVELS[-1]
        every = np.concatenate([small_turns(np.deg2rad(fine.spread)) @ base for base in np.asarray(turns)])
        if not 1 <= drawn <= len(every):
            raise OrbitscopeError(f"FlatTransporter: `drawn` should be from 1 to the {len(every)} orientations, got {drawn}.")
        if not 1 <= stride <= cells:
            raise OrbitscopeError(f"FlatTransporter: `stride` should be from 1 to the {cells} voxels, got {stride}.")
        super().__init__(every, levels=(Level(cells, fine.edge, fine.kernel, fine.spread),), **options)
        self.drawn, self.stride, self.corrected = drawn, stride, corrected

    def loss(self, x: tuple[Tensor, ...], goal: Tensor, then: Tensor, drawn: Tensor, same: Tensor | None = None) -> Tensor:
        """The loss of each example, [B], see above, and that of the fingers.

        * `x`: what is seen. `goal` [B, 12], `then` [B, 1]: the next keyframe. `drawn` [B, 33]: uniform numbers; the first chooses what is
          drawn, the sixth the right pose about which nine orientations are scored. `same` [B, M, 12]: poses that are as good as `goal`.
        """
        which, centre = self.levels[0], middle(goal)
        wide = self._wide(0, self.scene_field(0, x, centre))
        places, turned = held_at(goal[:, None] if same is None else same, self.contents(x)[3])
        cells = torch.cat([torch.einsum("rij,bmij->bmr", self.turns.to(goal), turned).argmax(2)[..., None],
                           indices(which, places - centre[:, None])], 2)  # fmt: skip
        total = []
        for b in range(len(goal)):
            mine = tuple(t[b : b + 1] for t in x)
            first = int(drawn[b, 5] * cells.shape[1])
            missed, kernel = self._missed(wide[b], mine, cells[b], first, int(drawn[b, 0] * 2**52))
            at, turn = cells[b, first, 1:][None], torch.zeros(1, dtype=torch.long)
            logit = self._told(wide[b : b + 1], kernel[None, None], at, turn, mine[4])
            total.append(missed + F.binary_cross_entropy_with_logits(logit, then[b : b + 1])[None])
        return torch.cat(total)

    def _missed(self, wide: Tensor, x: tuple[Tensor, ...], right: Tensor, first: int, seed: int) -> tuple[Tensor, Tensor]:
        """Minus the logarithm of the probability [1] of the right poses, and the kernel of the `first` of them.

        * `wide` [F, N, N, N]: the scene's field. `x`: what is seen. `right` [M, 4]: orientation and voxel of each right pose.
        """
        which, device, count = self.levels[0], wide.device, len(self.turns)
        n, k = which.cells, which.kernel
        generator = torch.Generator().manual_seed(seed)
        right = torch.cat([right[first : first + 1], right]).unique_consecutive(dim=0)
        main = right[0].clone()
        rest = right[1:].unique(dim=0)
        right = torch.cat([right[:1], rest[(rest != main).any(1)]])
        some = torch.randperm(count, generator=generator)[: self.drawn].to(device)
        shift = torch.randint(self.stride, (3,), generator=generator).tolist()
        near = torch.einsum("rij,ij->r", self.turns, self.turns[main[0]]).topk(min(_NEAR, count)).indices
        asked = torch.cat([right[:, 0], near, some])
        turns, back = asked.unique(return_inverse=True)
        kernels = self.hand_kernels(0, x, self.turns[turns].to(wide)[None])[0][back]
        scale = (kernels.shape[1] * k**3) ** -0.5
        mine, about, far = kernels.split([len(right), len(near), len(some)])
        prior = self.prior(0, x[3], self.turns[turns].to(wide)[None])[0][back]
        mine_prior, about_prior, far_prior = prior.split([len(right), len(near), len(some)])

        windows = torch.stack([wide[:, i : i + k, j : j + k, m : m + k] for _, i, j, m in right.tolist()])
        hits = scale * (windows * mine).sum((1, 2, 3, 4)) + mine_prior
        size = min(_AROUND, n)
        low = (main[1:] - size // 2).clamp(0, n - size).tolist()
        crop = wide[:, *[slice(a, a + size + k - 1) for a in low]]
        close = scale * F.conv3d(crop[None], about)[0] + about_prior[:, None, None, None]
        spread = scale * F.conv3d(wide[:, *[slice(s, None) for s in shift]][None], far, stride=self.stride)[0]
        spread = spread + far_prior[:, None, None, None]

        axes = [torch.arange(a, a + size, device=device) for a in low]
        counted = self._others(near, axes, right)
        axes = [torch.arange(s, n, self.stride, device=device) for s in shift]
        new = self._others(some, axes, right) & ~_within(some, near, axes, low, size)
        weight = math.log(count / self.drawn) + 3 * math.log(self.stride) if self.corrected else 0.0
        others = torch.cat([close[counted], spread[new] + weight])
        return (torch.cat([hits, others]).logsumexp(0) - hits.logsumexp(0))[None], mine[0]

    @staticmethod
    def _others(turns: Tensor, axes: list[Tensor], right: Tensor) -> Tensor:
        """Whether cells of the product of `turns` and three `axes` are none of `right` [M, 4]."""
        found = torch.ones(len(turns), *map(len, axes), dtype=torch.bool, device=right.device)
        for cell in right:
            r, i, j, m = (a == c for a, c in zip((turns, *axes), cell, strict=True))
            found &= ~(r[:, None, None, None] & i[:, None, None] & j[:, None] & m)
        return found

    @torch.no_grad()
    def find(self, x: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """The best pose [B, 12] of all and the logit [B, 1] of open fingers for what is seen, `x`, one example after the other."""
        found = [self._find(tuple(t[b : b + 1] for t in x)) for b in range(len(x[0]))]
        return torch.cat([pose for pose, _ in found]), torch.cat([logit for _, logit in found])

    def _find(self, x: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        which, centre = self.levels[0], middle(x[3])
        wide, best, answer = self._wide(0, self.scene_field(0, x, centre)), -math.inf, (torch.zeros(0), torch.zeros(0))
        for turns in self.turns.to(wide).split(27):  # those about one coarse orientation
            kernels = self.hand_kernels(0, x, turns[None])
            scores = F.conv3d(wide, kernels[0])[None, 0] * (kernels.shape[2] * which.kernel**3) ** -0.5
            scores = scores + self.prior(0, x[3], turns[None])[..., None, None, None]
            top = float(scores.max())
            if top > best:
                place, turn, at = peak(which, scores, centre)
                base = between(which, scores, turn, at) @ turns[13]
                pose = joined(place - (base @ self.contents(x)[3][..., None])[..., 0], base)
                best, answer = top, (pose, self._told(wide, kernels, at, turn, x[4]))
        return answer


def _within(turns: Tensor, near: Tensor, axes: list[Tensor], low: list[int], size: int) -> Tensor:
    """Whether cells of the product of `turns` and three `axes` lie in the block that is always scored."""
    i, j, m = ((a >= c) & (a < c + size) for a, c in zip(axes, low, strict=True))
    return torch.isin(turns, near)[:, None, None, None] & i[:, None, None] & j[:, None] & m
