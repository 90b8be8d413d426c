"""Policies that name the next keyframe, and how often they do a task."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ..._expect import expect_number
from ...data import Examples
from ._cameras import Cameras, Cloud
from ._drive import follow, toward
from ._episode import Episode, Recording
from ._files import checked_settings, thinned
from ._mjcf import WORKSPACE
from ._scene import Scene, flattened, unflattened
from ._task import Keyframe
from ._voxels import saturated, splatted
from ._wilson import wilson


@dataclass(frozen=True, eq=False)
class Sight:
    """What a keyframe policy sees.

    * `cloud`: the thinned cloud. `hand`: its pose [12] as of `Scene.observe`. `open`: what its fingers were told, 1 or 0.
    """

    cloud: Cloud
    hand: np.ndarray
    open: float

    def tensors(self, dtype: torch.dtype = torch.float32) -> tuple[Tensor, ...]:
        """As a batch of one example: points, colours, mask, hand, open.

        * `dtype`: of the numbers.
        """
        found = (self.cloud.points, self.cloud.colours, np.ones(len(self.cloud)), self.hand, np.array([self.open]))
        return tuple(torch.tensor(np.asarray(v)[None], dtype=dtype) for v in found)


@dataclass(frozen=True)
class Chunk:
    """Several keyframes at once.

    * `way`: in order. `by_step`: whether each is for one control step, fingers and all; else the hand passes by all but the last, at which
      it waits and moves its fingers.
    """

    way: tuple[Keyframe, ...]
    by_step: bool = False


class Policy(Protocol):
    """Anything that names the next keyframe, or a chunk of them."""

    def predict_action(self, seen: Sight) -> Keyframe | Chunk:
        """What to do next for what is `seen`."""
        ...


class ModelPolicy:
    """A trained model as a policy.

    * `model`: takes points, colours, mask, hand and open, and gives a pose [B, 12] and the logit [B, 1] of open fingers.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model.eval()

    @torch.no_grad()
    def predict_action(self, seen: Sight) -> Keyframe:
        """The next keyframe.

        * `seen`: by the cameras. Raises `OrbitscopeError` for an empty cloud.
        """
        if not len(seen.cloud):
            raise OrbitscopeError("predict_action: the cloud is empty. Look where the cameras stand.")
        dtype = next(self.model.parameters()).dtype
        pose, logit, *_ = self.model(*seen.tensors(dtype))
        return Keyframe(unflattened(pose[0].double().numpy()), bool(logit[0, 0] > 0))


class NearestDemonstration:
    """The keyframe of the demonstration that looked most like this, as it was: what a policy has to beat.

    * `examples`: keyframes of demonstrations. `cells`, `edge`: voxels by which scenes are compared, and their edge, m.
    """

    def __init__(self, examples: Examples, cells: int = 16, edge: float = 0.04) -> None:
        assert isinstance(examples.x, tuple) and isinstance(examples.y, tuple)
        self.cells, self.edge = cells, edge
        self.seen = self._fields(*examples.x)
        self.goals, self.then = examples.y[:2]

    def _fields(self, points: Tensor, colours: Tensor, mask: Tensor, hand: Tensor, told: Tensor) -> Tensor:
        lift = torch.tensor([0.0, 0.0, 0.18]).to(points)
        features = torch.cat([torch.ones_like(mask)[..., None], colours], 2)
        fields = saturated(splatted(points - lift, features, mask, self.cells, self.edge))
        return torch.cat([fields.flatten(1), 3 * told], 1)

    def predict_action(self, seen: Sight) -> Keyframe:
        """The keyframe that followed.

        * `seen`: by the cameras.
        """
        mine = self._fields(*seen.tensors(self.seen.dtype))
        best = int((self.seen - mine).norm(dim=1).argmin())
        return Keyframe(unflattened(self.goals[best].double().numpy()), bool(self.then[best, 0] > 0))


@dataclass(frozen=True)
class Evaluation:
    """How often a policy did a task.

    * `successes`, `episodes`: counts. `outcomes`: of each episode, "done", "not done" or why it ended. `keyframes`: named in all.
    """

    successes: int
    episodes: int
    outcomes: tuple[str, ...]
    keyframes: int

    @property
    def interval(self) -> tuple[float, float]:
        """Of Wilson, 95 %."""
        return wilson(self.successes, self.episodes)

    def __str__(self) -> str:
        low, high = (100 * v for v in self.interval)
        return f"{self.successes} of {self.episodes} done: {100 * self.successes / self.episodes:.0f} % (95 %: {low:.0f} to {high:.0f})"


def evaluate(
    policy: Policy, scene: Scene, seeds: Sequence[int], *, settings: dict[str, Any] | None = None, most: int = 14,
    progress: Callable[[str, float, float], None] | None = None, played: list[Episode] | None = None,
    disturb: Callable[[Scene, int], object] | None = None,
) -> Evaluation:  # fmt: skip
    """Let a policy do a task from the layouts of some seeds, keyframe after keyframe, until it is done or the time is up.

    * `policy`: names keyframes. `scene`: of the task. `seeds`: of the layouts. `settings`: of the cameras, as of `record`.
    * `most`: keyframes in an episode. `progress(stage, done, total)`: called as it goes. `played`: the episodes are appended to it.
    * `disturb(scene, k)`: called after the k-th keyframe of an episode, from 1 on; may push things.

    A simulation that leaves all bounds, an empty cloud and a pose out of reach end an episode without success. Raises `OrbitscopeError`
    without seeds.
    """
    if not seeds:
        raise OrbitscopeError("evaluate: `seeds` should be at least one, got none.")
    chosen, outcomes, named = checked_settings(settings), [], 0
    pixels = int(chosen["pixels"])
    cameras = Cameras(scene, (pixels, pixels), renderer=chosen["renderer"])
    for k, seed in enumerate(seeds):
        expect_number(seed, "evaluate: a seed", whole=True)
        scene.reset(seed)
        recording = Recording(scene) if played is not None else None
        said = "not done"
        try:
            for times in range(most):
                seen = Sight(thinned(cameras.cloud(), scene, float(chosen["voxel"])), flattened(scene.hand), float(scene.open))
                _go(scene, policy.predict_action(seen))
                named += 1
                if scene.task.done(scene):
                    said = "done"
                if said == "done" or scene.steps >= scene.task.horizon:
                    break
                if disturb is not None:
                    disturb(scene, times + 1)
        except OrbitscopeError as error:
            said = str(error)
        if said == "not done" and scene.unreached:
            said = "not done: the arm could not reach what was asked for"
        outcomes.append(said)
        if played is not None and recording is not None:
            played.append(recording.finish(seed, said == "done"))
        if progress is not None:
            progress("episodes", k + 1, len(seeds))
    cameras.close()
    return Evaluation(sum(o == "done" for o in outcomes), len(outcomes), tuple(outcomes), named)


def _go(scene: Scene, answer: Keyframe | Chunk) -> None:
    chunk = answer if isinstance(answer, Chunk) else Chunk((answer,))
    for keyframe in chunk.way if chunk.by_step else chunk.way[-1:]:
        _check_reach(scene, keyframe)
    for action in _steps(scene, chunk) if chunk.by_step else follow(scene, chunk.way):
        scene.act(action)
        if scene.broken:
            raise OrbitscopeError("evaluate: the simulation left all bounds.")
        if scene.steps >= scene.task.horizon:
            return


def _steps(scene: Scene, chunk: Chunk) -> Iterator[np.ndarray]:
    for keyframe in chunk.way:
        yield np.append(toward(scene, keyframe.pose), 1.0 if keyframe.open else -1.0)


def _check_reach(scene: Scene, keyframe: Keyframe) -> None:
    place = scene.frame.inverse().matrix @ (keyframe.pose.offset - scene.frame.offset)
    if not np.isfinite(place).all() or np.hypot(place[0], place[1]) > WORKSPACE[0] + 0.05 or not -0.05 < place[2] < WORKSPACE[1] + 0.05:
        raise OrbitscopeError(f"evaluate: the keyframe at {np.round(place, 3).tolist()} is out of reach.")
