"""A hierarchical policy as one that acts."""

import numpy as np
import torch

from ..._errors import OrbitscopeError
from ._hep import HierarchicalPolicy
from ._policy import Chunk, Sight
from ._scene import unflattened
from ._task import Keyframe


class ChunkPolicy:
    """A trained `HierarchicalPolicy` as a policy of chunks.

    * `model`: the policy. `done`: steps of a chunk that are done; None: all in open loop, half in closed loop.
    """

    def __init__(self, model: HierarchicalPolicy, done: int | None = None) -> None:
        self.model = model.eval()
        self.closed = model.control == "closed"
        self.done = done or (model.steps // 2 if self.closed else model.steps)

    @torch.no_grad()
    def predict_action(self, seen: Sight) -> Chunk:
        """What to do next.

        * `seen`: by the cameras. Raises `OrbitscopeError` for an empty cloud.
        """
        if not len(seen.cloud):
            raise OrbitscopeError("predict_action: the cloud is empty. Look where the cameras stand.")
        x = seen.tensors(self.model.noise.dtype)
        chunk = self.model.chunk(x)[0].double().numpy()
        if not np.isfinite(chunk).all():
            raise OrbitscopeError("predict_action: the policy answers what is not finite. Train it again, with a lower learning rate.")
        fingers = chunk[:, 12] > 0.5
        if not self.closed:
            fingers[-1] = chunk[-3:, 12].mean() > 0.5
        way = tuple(Keyframe(unflattened(row[:12]), bool(open_)) for row, open_ in zip(chunk, fingers, strict=True))
        return Chunk(way[: self.done], by_step=self.closed)
