"""The transitions of some trajectories, and what a training measures on them before the first step."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ...data import Trajectories, read_batches
from ...symmetry import Layout
from ...training import Batches


class Transitions(Batches):
    """Pairs (state, next state) of some trajectories, held in memory where they are small enough, else read ahead by worker processes.

    With several `frames` or `steps` the first is so many states and the second so many later ones, along channels, oldest first.
    """

    def __init__(
        self,
        data: Trajectories,
        part: list[int],
        dtype: torch.dtype,
        device: torch.device,
        limit_bytes: float,
        frames: int = 1,
        steps: int = 1,
    ) -> None:
        self.source, self.frames, self.steps = data[part], frames, steps
        self.dtype, self.device = dtype, device
        self.values = self.source.tensor(dtype).to(device) if self.source.nbytes <= limit_bytes else None
        self.leads = self.source.times - frames - steps + 1

    def __len__(self) -> int:
        return self.source.trajectories * self.leads

    def __getitem__(self, index: Tensor) -> tuple[Tensor, Tensor]:
        trajectory, time = index // self.leads, index % self.leads
        if self.frames + self.steps > 2:
            x, y = self._window(trajectory, time)
        elif self.values is None:
            x, y = self.source.pairs(trajectory, time)
        else:
            x, y = self.values[trajectory, time], self.values[trajectory, time + 1]
        return self._place(x), self._place(y)

    def read(self, batches: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """The transitions with these numbers, batch by batch; what is not in memory is read while the caller computes."""
        if self.values is not None or not self.source.lazy or self.frames + self.steps > 2:
            yield from (self[index] for index in batches)
        else:
            for x, y in read_batches(self.source, batches, pin_memory=self.device.type == "cuda"):
                yield self._place(x), self._place(y)

    def _window(self, trajectory: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        length = self.frames + self.steps
        if self.values is not None:
            states = [self.values[trajectory, time + t] for t in range(length)]
        else:
            states = []
            for t in range(0, length, 2):
                # The last of an odd number is read with the one before it.
                first = min(t, length - 2)
                states += self.source.pairs(trajectory, time + first)[t - first :]
        return torch.cat(states[: self.frames], 1), torch.cat(states[self.frames :], 1)

    def _place(self, state: Tensor) -> Tensor:
        # Channels last: training steps of six small UNets ran 1.1 to 1.4 times as fast on 2 cores; other models were not measured.
        state = state.to(self.device, self.dtype, non_blocking=state.is_pinned())
        return state.contiguous(memory_format=torch.channels_last if state.ndim == 4 else torch.contiguous_format)


def difference_scales(data: Trajectories, orders: int = 1) -> Float[Tensor, "order channel"]:
    r"""$\mathrm{rms}(\delta^k u)$, k = 1 to `orders`, per field and repeated over its components, [order, C], float64; 1 where it is 0."""
    power, count = torch.zeros(orders, data.channels, dtype=torch.float64), [0] * orders
    for _, _, block in data.blocks():
        step = block.to(torch.float64)
        for k in range(orders):
            step = step.diff(dim=1)
            flat = step.transpose(0, 2).flatten(1)
            power[k] += flat.square().sum(dim=1)
            count[k] += flat.shape[1]
    return torch.stack([_per_field(p / max(n, 1), data.layout) for p, n in zip(power, count, strict=True)])


def _per_field(power: Tensor, layout: Layout) -> Tensor:
    scale = torch.cat([part.mean().sqrt().expand(part.shape) for part in power.split(list(layout.sizes))])
    return torch.where(scale > 0, scale, torch.ones_like(scale))


def fingerprint(data: Trajectories) -> str:
    """A hash of the shape, the declarations and four states: tells other data from the same data, not every edit."""
    what: dict[str, Any] = {"shape": list(data.shape), "layout": data.layout.to_dict(), "grid": data.grid.to_dict(), "dt": data.dt}
    digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode())
    for trajectory in (0, data.trajectories - 1):
        for time in (0, data.times - 1):
            digest.update(data.state(trajectory, time).to(torch.float64).contiguous().numpy().tobytes())
    return digest.hexdigest()
