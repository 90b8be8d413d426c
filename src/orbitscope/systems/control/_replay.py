"""Episodes that an agent has seen, and short sequences drawn from them."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor


class Episodes:
    """Episodes as they come, and batches of sequences of `horizon` steps that lie within one.

    * `horizon`: steps of a sequence.
    """

    def __init__(self, horizon: int) -> None:
        self.horizon = horizon
        self._seen: list[np.ndarray] = []  # observations; an episode has one more than actions
        self._actions: list[np.ndarray] = []
        self._rewards: list[float] = []
        self._ended: list[bool] = []
        self._starts: list[int] = []  # numbers of steps from which a whole sequence is there
        self._length = 0
        self._cached: tuple[int, tuple[Tensor, Tensor, Tensor, Tensor]] | None = None

    def begin(self, observation: np.ndarray) -> None:
        """A new episode, first `observation` [n]."""
        self._length = 0
        self._last = np.asarray(observation, dtype=np.float32)

    def add(self, action: np.ndarray, reward: float, observation: np.ndarray, ended: bool) -> None:
        """One step: `action` [m], `reward`, the next `observation` [n], whether the world `ended` there."""
        following = np.asarray(observation, dtype=np.float32)
        self._seen.append(np.stack([self._last, following]))
        self._actions.append(np.asarray(action, dtype=np.float32))
        self._rewards.append(reward)
        self._ended.append(ended)
        self._last, self._length = following, self._length + 1
        if self._length >= self.horizon:
            self._starts.append(len(self._actions) - self.horizon)

    @property
    def ready(self) -> bool:
        """Whether a whole sequence can be drawn."""
        return bool(self._starts)

    def state(self) -> dict[str, Tensor]:
        """All that was seen, as tensors by name."""
        if not len(self):
            return {}
        seen, actions, rewards, goes_on = self._arrays()
        return {"seen": seen, "actions": actions, "rewards": rewards, "goes_on": goes_on, "starts": torch.tensor(self._starts)}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to a `state`; an episode that had begun is over."""
        self.__init__(self.horizon)
        if not tensors:
            return
        self._seen = list(tensors["seen"].numpy())
        self._actions = list(tensors["actions"].numpy())
        self._rewards = tensors["rewards"].tolist()
        self._ended = (tensors["goes_on"] == 0).tolist()
        self._starts = tensors["starts"].tolist()

    def __len__(self) -> int:
        return len(self._actions)

    def batch(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """`count` sequences drawn by `generator`: observations [H + 1, B, n], actions [H, B, m], rewards [H, B], goes on [H, B]."""
        seen, actions, rewards, goes_on = self._arrays()
        starts = torch.tensor(self._starts)[torch.randint(len(self._starts), (count,), generator=generator)]
        at = starts[None] + torch.arange(self.horizon)[:, None]
        return torch.cat([seen[at[:1], 0], seen[at, 1]]), actions[at], rewards[at], goes_on[at]

    def _arrays(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """All steps as tensors; those that are new are added to what was there."""
        have = 0 if self._cached is None else self._cached[0]
        if self._cached is None or have < len(self):
            new = (
                torch.from_numpy(np.stack(self._seen[have:])),
                torch.from_numpy(np.stack(self._actions[have:])),
                torch.tensor(self._rewards[have:], dtype=torch.float32),
                1.0 - torch.tensor(self._ended[have:], dtype=torch.float32),
            )
            old = None if self._cached is None else self._cached[1]
            made = new if old is None else tuple(torch.cat([a, b]) for a, b in zip(old, new, strict=True))
            self._cached = (len(self), (made[0], made[1], made[2], made[3]))
        return self._cached[1]
