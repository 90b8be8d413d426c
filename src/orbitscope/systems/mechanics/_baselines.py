"""Maps to compare with: Hamilton's equations by leapfrog (HNN), and a plain network with a residual."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ._about import Motion
from ._models import CODE, WIDTH, MotionModel
from ._networks import PhaseFunction


class LeapfrogHNN(MotionModel):
    r"""A separable $H = T(P; z) + V(Q; z)$, one step of leapfrog for a frame: half a kick, a drift, half a kick.

    Symplectic, and reversible where T is even, as it is where the motion says so; a system that is not separable, such as the double
    pendulum, it cannot hold.

    * `motion`, `code`, `width`: as of `MotionModel`.

    Source: Greydanus et al., Hamiltonian Neural Networks (2019), with the integrator of Chen et al., SRNN (2020).
    """

    def __init__(self, motion: Motion, code: int = CODE, width: int = WIDTH) -> None:
        super().__init__(motion, code, width)
        self.kinetic = PhaseFunction(motion.pairs, motion.angles, motion.even, code, width)
        self.potential = PhaseFunction(motion.pairs, motion.angles, motion.even, code, width)

    def step(self, past: Tensor, direction: Tensor, z: Tensor, end: Tensor | None = None) -> Tensor:
        """One step of leapfrog; `end` is not looked at."""
        d, x = self.pairs, past[..., -1, :]
        q, p = x[..., :d], x[..., d:]
        zero = torch.zeros_like(q)
        p = p - 0.5 * direction * self.potential.gradient(torch.cat([q, zero], -1), z)[..., :d]
        q = q + direction * self.kinetic.gradient(torch.cat([zero, p], -1), z)[..., d:]
        p = p - 0.5 * direction * self.potential.gradient(torch.cat([q, zero], -1), z)[..., :d]
        return torch.cat([q, p], -1)


class ResidualMLP(MotionModel):
    r"""$x_1 = x_0 + s\, N(x_0; z)$ with a plain network N of two hidden layers: no energy, no symplectic form.

    * `motion`, `code`, `width`: as of `MotionModel`.
    """

    def __init__(self, motion: Motion, code: int = CODE, width: int = WIDTH) -> None:
        super().__init__(motion, code, width)
        self.angles: Sequence[int] = motion.angles
        self.plain = tuple(k for k in range(2 * motion.pairs) if k not in motion.angles)
        inputs = 2 * motion.pairs + len(motion.angles) + code
        self.net = nn.Sequential(
            nn.Linear(inputs, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 2 * motion.pairs)
        )

    def step(self, past: Tensor, direction: Tensor, z: Tensor, end: Tensor | None = None) -> Tensor:
        """The network's change added; `end` is not looked at."""
        x = past[..., -1, :]
        a = x[..., self.angles]
        return x + direction * self.net(torch.cat([a.sin(), a.cos(), x[..., self.plain], z], -1))
