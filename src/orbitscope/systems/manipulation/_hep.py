"""The hierarchical equivariant policy: a high level names a keypose, a low level acts in the frame of it."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...data import Examples
from ._diffusion import Diffusion
from ._field_nets import turns_about_vertical
from ._hep_actions import SIZE, Frame, as_numbers, at_place, heading_turns, turned_pairs, way
from ._hep_high import Keypose, KeyposeNet
from ._hep_low import ChunkNet
from ._hep_voxels import middle_of
from ._transporter_training import goals_of

FRAMES = ("translation", "se2", "none")
CONTROLS = ("open", "closed")
GRIDS = ("world", "hand")
_ABOVE = 0.1  # m from the mean of the points to the origin of chunks that no keypose frames


class HierarchicalPolicy(nn.Module):
    r"""$\pi(o) = \tau(\phi(\tau(o, t)), -t)$ with $t = \pi_{high}(o)$: a keypose, and a chunk of actions told in its frame.

    * `hierarchy`: else there is no high level, and chunks are told about the middle of the scene. `frame_transfer`: "translation" as
      published; "se2", the heading too; "none": the low level is only told where the keypose is. `equivariant`: turns about the vertical
      built in, at the same number of channels. `turns`: how many, 4, or 8, whose kernels are circular harmonics. `stacked_voxels`: as of
      `StackedVoxels`. Without hierarchy and equivariance it is a plain diffusion policy.
    * `control`: "open": a chunk is the way to the keyframe, all done; "closed": its steps are those of the control, half of them done,
      which needs demonstrations with looks `between` keyframes.
    * `grid`: along which axes the voxels of both levels stand: those of the "world", as published, or, about the vertical, those of the
      "hand": its heading turns with the scene, so that every turn about the vertical is exact, and not only those by a quarter.
    * `cells`, `edge`, `near`: voxels along x and y of both grids (half as many along z), and their edges, m: of the high and the low level.
    * `width`, `hidden`: of the networks, as of `KeyposeNet` and `ChunkNet`. `steps`: of a chunk. `predicts`: as of `Diffusion`; noise in
      the publication.
    * `levels`: of the chain of noise. `sampler`: steps of DDIM; 0: DDPM over all levels. `draws`: chunks that DDIM draws for an answer, of
      which `agreed` makes one. `jitter`: standard deviation of the keypose in the low level's training, m. `votes`: as of `KeyposeNet`.

    The answer of a trained model is the last pose of the chunk and whether its fingers open; `chunk` is all of it. The noise of an answer
    is fixed and turned into the heading of the hand, $\epsilon = \rho(\theta_{hand})\, \epsilon_0$: then each sample, and not only their
    distribution, moves with the scene. With quarter turns built in the policy commutes with them and with every shift of the scene to
    rounding; with `grid` "world" other turns move points among voxels, and what comes of it has to be measured. A hand whose x axis is
    vertical has no heading. In training x has three parts more, see `WithAnswer`, and the loss stands beside the answer: that of both
    levels; they share no weights.

    Raises `OrbitscopeError` for words and numbers that are none of these. Source: Zhao et al., ICML 2025, arXiv 2502.05728; sizes,
    offsets, jitter and heading are of this package.
    """

    noise: Tensor
    """Standard normal numbers of every answer, [levels + 1, steps, 10]."""

    def __init__(
        self, *, hierarchy: bool = True, frame_transfer: str = "translation", equivariant: bool = True, stacked_voxels: bool = True,
        control: str = "open", grid: str = "world", cells: int = 32, edge: float = 0.02, near: float = 0.015, width: int = 3,
        hidden: int = 32, steps: int = 18, predicts: str = "sample", levels: int = 100, sampler: int = 10, jitter: float = 0.01,
        votes: int = 1, turns: int = 4, draws: int = 1,
    ) -> None:  # fmt: skip
        super().__init__()
        for name, value, known in (("frame_transfer", frame_transfer, FRAMES), ("control", control, CONTROLS), ("grid", grid, GRIDS)):
            if value not in known:
                raise OrbitscopeError(f"hep: `{name}` should be one of {', '.join(known)}, got {value!r}.")
        if steps < 6 or steps % 2:
            raise OrbitscopeError(f"hep: `steps` should be an even number from 6 on, got {steps}.")
        if votes not in (0, 1, 2):
            raise OrbitscopeError(f"hep: `votes` should be 0, 1 or 2 voxels to each side, got {votes!r}.")
        if not (edge > 0 and near > 0 and jitter >= 0):
            raise OrbitscopeError(f"hep: `edge` and `near` should be above 0 m and `jitter` at least 0, got {edge}, {near}, {jitter}.")
        if not 0 <= sampler <= levels:
            raise OrbitscopeError(f"hep: `sampler` should be 0, for every level, or up to the {levels} `levels`, got {sampler}.")
        if not 1 <= draws <= levels + 1 or (draws > 1 and not sampler):
            raise OrbitscopeError(
                f"hep: `draws` should be from 1 to {levels + 1}, and 1 for DDPM over every level, got {draws} with sampler={sampler}."
            )
        self.frame_transfer, self.control, self.grid, self.steps = frame_transfer, control, grid, steps
        self.sampler, self.draws, self.jitter = sampler, draws, jitter
        if turns not in (4, 8):
            raise OrbitscopeError(f"hep: `turns` should be 4 or 8, got {turns!r}.")
        group = turns_about_vertical(turns if equivariant else 1)
        self.high = KeyposeNet(group, cells=cells, edge=edge, width=width, stacked=stacked_voxels, votes=votes) if hierarchy else None
        self.low = ChunkNet(
            group, cells=cells, edge=near, width=2 * width, hidden=hidden, steps=steps, stacked=stacked_voxels,
            pointed=hierarchy and frame_transfer == "none", diffusion=Diffusion(levels, predicts),
        )  # fmt: skip
        self.register_buffer("noise", torch.randn(levels + 1, steps, SIZE))

    # --- frames --------------------------------------------------------------------------------------------------------------------

    def frame(self, x: tuple[Tensor, ...], place: Tensor | None, heading: Tensor | None = None) -> Frame:
        """The frame in which chunks are told.

        * `x`: what is seen. `place` [B, 3], `heading` [B, 2]: of the keypose; None: without one.
        """
        if place is None or self.frame_transfer == "none":
            return at_place(middle_of(x, _ABOVE))
        if self.frame_transfer == "se2" and heading is not None:
            return Frame(place, heading_turns(heading))
        return at_place(place)

    def target(self, hand: Tensor, told: Tensor, goal: Tensor, then: Tensor) -> Tensor:
        """The chunk [B, steps, 13] that a demonstration does, see `way`: `hand`, `told` now, `goal`, `then` at the keyframe."""
        return way(hand, told, goal, then, self.steps, by_step=self.control == "closed")

    # --- answers -------------------------------------------------------------------------------------------------------------------

    def forward(self, *x: Tensor) -> tuple[Tensor, ...]:
        """Pose [B, 12] at the end of the chunk and the logit [B, 1] that its fingers are open; in training the loss [B] too.

        * `x`: points, colours, mask, hand, open; in training also the answer, its fingers and numbers; what is as good is not looked at.
        """
        seen, extra = x[:5], x[5:]
        if extra:
            return extra[0], torch.zeros_like(extra[1]), self.loss(seen, *extra[:3])
        chunk = self.chunk(seen)
        return chunk[:, -1, :12], 4 * (chunk[:, -3:, 12].mean(1, keepdim=True) - 0.5)

    def loss(self, x: tuple[Tensor, ...], goal: Tensor, then: Tensor, drawn: Tensor) -> Tensor:
        """The loss of each example, [B].

        * `x`: what is seen. `goal` [B, 12], `then` [B, 1]: the next keyframe. `drawn`: uniform numbers, not looked at.
        """
        own = self.own(x[3])
        x, goal = own.seen(x), own.poses(goal)
        chunk = self.target(x[3], x[4], goal, then)
        if self.high is None:
            return self.low.loss(x, self.frame(x, None), chunk, None)
        place = goal[:, :3] + self.jitter * torch.randn_like(goal[:, :3])
        heading = goal[:, 3:5] + (0.1 * torch.randn_like(goal[:, 3:5]) if self.frame_transfer == "se2" else 0.0)
        low = self.low.loss(x, self.frame(x, place, heading), chunk, place if self.low.pointed else None)
        return self.high.loss(x, goal) + low

    def chunk(self, x: tuple[Tensor, ...], noise: Tensor | None = None, *, place: Tensor | None = None) -> Tensor:
        """What to do, [B, steps, 13]: poses in the world, and fingers, open above a half.

        * `x`: points, colours, mask, hand, open. `noise` [S, B, steps, 10]: as of `ChunkNet.sample`; None: that of the model, turned into
          the heading of the hand. `place` [B, 3]: of a keypose in place of the high level's, m.
        """
        if noise is None:
            noise = self.turned_noise(x[3])
        own = self.own(x[3])
        x, noise = own.seen(x), turned_pairs(noise, own.turn[None, :, None, :2, :2].mT)
        place = None if place is None else own.points(place[:, None])[:, 0]
        found = self._chunk(x, noise, place)
        return torch.cat([own.world(found[..., :12]), found[..., 12:]], -1)

    def keypose(self, x: tuple[Tensor, ...]) -> Keypose:
        """What the high level says, in the world.

        * `x`: points, colours, mask, hand, open. Raises `OrbitscopeError` for a policy without hierarchy.
        """
        if self.high is None:
            raise OrbitscopeError("keypose: the policy has no hierarchy, and so no keypose.")
        own = self.own(x[3])
        found = self.high(own.seen(x))
        return Keypose((own.turn @ found.place[..., None])[..., 0], (own.turn[:, :2, :2] @ found.heading[..., None])[..., 0])

    def own(self, hand: Tensor) -> Frame:
        """The frame along which the voxels stand: turned into the heading of each hand, or that of the world.

        * `hand` [B, 12]: poses.
        """
        nowhere = torch.zeros_like(hand[:, :3])
        return Frame(nowhere, heading_turns(hand[:, 3:5])) if self.grid == "hand" else at_place(nowhere)

    def _chunk(self, x: tuple[Tensor, ...], noise: Tensor, place: Tensor | None) -> Tensor:
        """The chunk in the frame of the grid."""
        heading = None
        if self.high is not None and place is None:
            place, heading = self.high(x)
        if self.high is not None and self.frame_transfer == "se2" and heading is None:
            heading = self.high(x).heading
        pointed = place if self.low.pointed else None
        frame = self.frame(x, None if self.high is None else place, heading)
        return self.low.sample(x, frame, noise, pointed, steps=self.sampler or 1, every=not self.sampler)

    def turned_noise(self, hand: Tensor) -> Tensor:
        """The model's noise [S, B, steps, 10] in the heading of hands, `hand` [B, 12]."""
        some = self.noise if not self.sampler else self.noise[: self.draws]
        turn = heading_turns(hand[:, 3:5])[None, :, None, :2, :2]
        return turned_pairs(some[:, None].to(hand).expand(-1, len(hand), -1, -1), turn)

    def scaled(self, batches: Iterator[tuple[tuple[Tensor, ...], Tensor, Tensor]]) -> "HierarchicalPolicy":
        """The policy with the scales of its chunks set to those of demonstrations: one for x and y.

        * `batches`: what is seen, the pose and the fingers of the next keyframe.
        """
        found = []
        for seen, goal, then in batches:
            own = self.own(seen[3])
            x, goal = own.seen(seen), own.poses(goal)
            place = None if self.high is None else goal[:, :3]
            frame = self.frame(x, place, goal[:, 3:5])
            chunk = self.target(x[3], x[4], goal, then)
            here = torch.cat([frame.poses(chunk[..., :12]), chunk[..., 12:]], -1)
            found.append(as_numbers(here, torch.tensor([1.0, 0.0, 1.0])).flatten(0, 1))
        numbers = torch.cat(found)
        plane, height = numbers[:, :2].square().mean().sqrt(), numbers[:, 8]
        self.low.scale.copy_(torch.stack([plane.clamp(min=1e-3), height.mean(), height.std().clamp(min=1e-3)]))
        return self


def hep_for(examples: Examples, **options: object) -> HierarchicalPolicy:
    """A `HierarchicalPolicy` whose chunks have the scale of those of demonstrations.

    * `examples`: keyframes of demonstrations. `options`: of `HierarchicalPolicy`.

    Raises `OrbitscopeError` for other examples.
    """
    goals_of(examples)
    policy = HierarchicalPolicy(**options)  # type: ignore[arg-type]
    seen, answers = examples.x, examples.y
    assert isinstance(seen, tuple) and isinstance(answers, tuple)
    parts = torch.arange(len(answers[0])).split(64)
    return policy.scaled((tuple(v[p] for v in seen), answers[0][p], answers[1][p]) for p in parts)
