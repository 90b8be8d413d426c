"""Maps to compare with: Hamilton's equations by leapfrog and by Euler (HNN), gradient modules (SympNet), plain networks."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..._attention import plain_attention
from ..._errors import OrbitscopeError
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


class EulerHNN(MotionModel):
    r"""Hamilton's equations by one explicit Euler step for a frame, $x_1 = x_0 + s\, \Omega \nabla H(x_0; z)$: not symplectic.

    * `motion`, `code`, `width`: as of `MotionModel`.

    Source: Greydanus et al., Hamiltonian Neural Networks (2019).
    """

    def __init__(self, motion: Motion, code: int = CODE, width: int = WIDTH) -> None:
        super().__init__(motion, code, width)
        self.function = PhaseFunction(motion.pairs, motion.angles, motion.even, code, width)

    def step(self, past: Tensor, direction: Tensor, z: Tensor, end: Tensor | None = None) -> Tensor:
        """One Euler step; `end` is not looked at."""
        x = past[..., -1, :]
        slope = self.function.gradient(x, z)
        return x + direction * torch.cat([slope[..., self.pairs :], -slope[..., : self.pairs]], -1)


class SympNet(MotionModel):
    r"""Gradient modules in turn, $P \leftarrow P - \nabla V_i(Q; z)$ and $Q \leftarrow Q + \nabla T_i(P; z)$, each with
    $V(u; z) = \sum_j a_j \ln \cosh(W u + B z + b)_j$: symplectic, with an exact inverse, and not reversible.

    Coordinates that are angles enter by sine and cosine.

    * `motion`, `code`: as of `MotionModel`. `width`: j of each module, and of the reader. `modules`: how many, half of each kind.

    Source: Jin et al., SympNets (2020), gradient modules; the codes in them are of this package.
    """

    def __init__(self, motion: Motion, code: int = CODE, width: int = WIDTH, modules: int = 6) -> None:
        super().__init__(motion, code, width)
        self.angles, d = motion.angles, motion.pairs
        self.plain = tuple(k for k in range(d) if k not in motion.angles)
        sizes = [2 * len(self.angles) + len(self.plain) if k % 2 == 0 else d for k in range(modules)]
        self.along = nn.ParameterList(nn.Parameter(torch.randn(width, n) / n**0.5) for n in sizes)
        self.weights = nn.ParameterList(nn.Parameter(0.1 * torch.randn(width) / width**0.5) for _ in sizes)
        self.of_code = nn.ModuleList(nn.Linear(code, width) for _ in sizes)
        self.of_size = nn.ModuleList(nn.Linear(code, width) for _ in sizes)
        for layer in self.of_size:
            nn.init.zeros_(layer.weight)  # pyright: ignore[reportArgumentType]
            nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]

    def pushed(self, k: int, u: Tensor, z: Tensor) -> Tensor:
        """The gradient of the k-th module along its d inputs.

        * `k`: of the modules; even ones are functions of coordinates. `u`: coordinates or momenta, [B, d]. `z`: codes, [B, c].
        """
        seen = u
        if k % 2 == 0:
            a = u[..., self.angles]
            seen = torch.cat([a.sin(), a.cos(), u[..., self.plain]], -1)
        inner = seen @ self.along[k].T + self.of_code[k](z)
        slope = ((self.weights[k] * (1 + self.of_size[k](z))) * torch.tanh(inner)) @ self.along[k]
        if k % 2:
            return slope
        n, found = len(self.angles), torch.zeros_like(u)
        a = u[..., self.angles]
        turning = slope[..., :n] * a.cos() - slope[..., n : 2 * n] * a.sin()
        both, order = torch.cat([turning, slope[..., 2 * n :]], -1), [*self.angles, *self.plain]
        return found.index_add(-1, torch.tensor(order, device=u.device), both)

    def run(self, x: Tensor, z: Tensor, sign: float) -> Tensor:
        """All modules on scaled `x` [B, 2d], or with `sign` -1 the inverse of all; `z`: codes."""
        q, p = x[..., : self.pairs], x[..., self.pairs :]
        order = range(len(self.along)) if sign > 0 else reversed(range(len(self.along)))
        for k in order:
            if k % 2 == 0:
                p = p - sign * self.pushed(k, q, z)
            else:
                q = q + sign * self.pushed(k, p, z)
        return torch.cat([q, p], -1)

    def advance(self, past: Tensor, z: Tensor, sign: float = 1.0) -> Tensor:
        """All modules, or their inverse, without the other; see `MotionModel.advance`."""
        return self.run(past[..., -1, :], z, sign)

    def step(self, past: Tensor, direction: Tensor, z: Tensor, end: Tensor | None = None) -> Tensor:
        """All modules, or their inverse where `direction` is -1; `end` is the sign that directions are onwards, as in training."""
        if end is not None:
            return self.advance(past, z)
        return torch.where(direction > 0, self.advance(past, z), self.advance(past, z, -1.0))


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


class MotionTransformer(MotionModel):
    r"""$x_1 = x_0 + N(x_{1-H}, .., x_0; s, z)$ with an encoder of two layers over the past frames and a token of the code.

    * `motion`, `code`: as of `MotionModel`. `width`: of the tokens, a multiple of 4. `history`: H, at most that of the examples.

    Source: the plain transformer that Deng et al., arXiv:2503.07596, compare with.
    """

    def __init__(self, motion: Motion, code: int = CODE, width: int = 32, history: int = 4) -> None:
        if not 1 <= history <= motion.history or width % 4:
            raise OrbitscopeError(
                f"motion_transformer: `history` should be between 1 and {motion.history}, that of the examples, and `width` a multiple of "
                f"4; got {history} and {width}."
            )
        super().__init__(motion, code, width)
        self.history, self.angles = history, motion.angles
        self.plain = tuple(k for k in range(2 * motion.pairs) if k not in motion.angles)
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.into, self.of_code = nn.Linear(2 * motion.pairs + len(motion.angles), width), nn.Linear(code + 1, width)
        self.place = nn.Parameter(0.02 * torch.randn(history + 1, width))
        self.out = nn.Linear(width, 2 * motion.pairs)

    def step(self, past: Tensor, direction: Tensor, z: Tensor, end: Tensor | None = None) -> Tensor:
        """The network's change added; `end` is not looked at."""
        frames = past[..., -self.history :, :]
        a = frames[..., self.angles]
        tokens = self.into(torch.cat([a.sin(), a.cos(), frames[..., self.plain]], -1))
        code = self.of_code(torch.cat([z, direction], -1))[..., None, :]
        with plain_attention():  # derivatives of single examples and along codes are asked for
            seen = self.layers(torch.cat([code, tokens], -2) + self.place)
        return frames[..., -1, :] + self.out(seen[..., 0, :])
