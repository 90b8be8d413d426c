"""Maps from the past frames of a motion to the next one: what they share, and the consistent Hamiltonian map."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ._about import Motion
from ._codes import CodePrior, FittedCode, fit_code
from ._masks import Mask
from ._networks import CodeReader, PhaseFunction
from ._tasks import blended, smoothed

CODE, WIDTH, NEWTON = 8, 64, 4
TABLE = 3.0
"""Unit of an autodecoder's codes: they move so many times as far in a step as weights do."""


class MotionModel(nn.Module, ABC):
    r"""A map of one frame: $x_{t + s} = f(x_t, s; z)$, s = 1 onwards or -1 back in time, z the code of the system.

    Inside, coordinates and momenta are divided by one constant each, which keeps Hamilton's equations: H is divided by the product. A code
    comes from frames by the reader that is trained with the map (`encode`), or is fitted (`fit_code`).

    * `motion`: what the examples are. `code`: numbers of z. `width`: of hidden layers.
    """

    history = 1
    """Frames that are read."""

    def __init__(self, motion: Motion, code: int, width: int) -> None:
        super().__init__()
        self.pairs, self.code = motion.pairs, code
        d = motion.pairs
        self.register_buffer("sizes", torch.tensor([motion.sizes[0]] * d + [motion.sizes[1]] * d, dtype=torch.float64))
        self.reader = CodeReader(d, motion.angles, self.reader_is_even(motion), code, width)
        self.table: nn.Parameter | None = None

    def reader_is_even(self, motion: Motion) -> bool:
        """Whether a motion and its reversal have one code; the description of the `motion` says whether they may."""
        return False

    @property
    def fewest(self) -> int:
        """Frames that `residual` needs at least."""
        return self.history + 1

    def scale(self, frames: Tensor) -> Tensor:
        """`frames` [..., 2d] in the units of the network."""
        return frames / self.get_buffer("sizes").to(frames.dtype)

    def unscale(self, frames: Tensor) -> Tensor:
        """`frames` [..., 2d] in their own units again."""
        return frames * self.get_buffer("sizes").to(frames.dtype)

    def encode(self, frames: Tensor, direction: Tensor | None = None) -> Tensor:
        """Codes [B, code] of the systems behind `frames` [B, K, 2d] of a motion.

        * `direction`: 1 where frames are listed onwards (the default), -1 back in time, [B, 1].

        Raises `OrbitscopeError` for fewer than two frames and another number of coordinates.
        """
        if frames.ndim != 3 or frames.shape[1] < 2 or frames.shape[2] != 2 * self.pairs:
            raise OrbitscopeError(f"encode: `frames` should be [systems, at least 2, {2 * self.pairs}], got {list(frames.shape)}.")
        return self.reader(self.scale(frames), torch.ones_like(frames[:, 0, :1]) if direction is None else direction)

    def remember(self, numbers: Tensor) -> None:
        """Give each system of the training a code of its own (an autodecoder); the reader then learns to tell these codes.

        * `numbers`: of these systems, [S, k]: they serve as names and are not read otherwise.

        Raises `OrbitscopeError` where two systems have the same numbers, or none.
        """
        different = len(torch.unique(numbers, dim=0)) if numbers.shape[1] else 0
        if different < len(numbers):
            raise OrbitscopeError(
                "autodecoder: every system needs numbers of its own, by which its code is found again; got "
                f"{different} of {len(numbers)} that differ. Leave `autodecoder` out: the reader needs none."
            )
        self.register_buffer("labels", numbers.double())
        self.table = nn.Parameter(torch.randn(len(numbers), self.code) / (3 * TABLE))

    def remembered(self, numbers: Tensor) -> Tensor:
        """The codes of systems of the training, [B, code], by their `numbers` [B, k]."""
        assert self.table is not None
        labels = self.get_buffer("labels").to(numbers.dtype)
        size = labels.std(0).clamp_min(1e-12)
        at = ((numbers[..., None, :] - labels) / size).square().sum(-1).argmin(-1)
        return TABLE * self.table[at]

    def known_codes(self, frames: Tensor, numbers: Tensor) -> Tensor:
        """Codes [B, code] of systems of the training: their own where the map has them, else read from `frames` [B, K, 2d].

        * `numbers`: of the systems, [B, k].
        """
        return self.encode(frames) if self.table is None else self.remembered(numbers)

    def own_loss(self, past: Tensor, end: Tensor, z: Tensor, drawn: Tensor) -> Tensor | None:
        """A loss of its own, [B], for a map that is not trained on its next frame; None for others.

        * `past`: scaled, [B, H, 2d]. `end`: the next frame, scaled, [B, 2d]. `z`: codes. `drawn`: standard normal numbers, [B, n].
        """
        return None

    def advance(self, past: Tensor, z: Tensor, sign: float = 1.0) -> Tensor:
        """`step` without derivatives and with one direction for all, which may cost less: the next frame, [B, 2d].

        * `past`: scaled, [B, H, 2d], the present last. `z`: codes, [B, c]. `sign`: 1 onwards, -1 back in time.
        """
        return self.step(past, torch.full_like(past[..., 0, :1], sign), z)

    @abstractmethod
    def step(self, past: Tensor, direction: Tensor, z: Tensor, end: Tensor | None = None) -> Tensor:
        """The next frame [B, 2d], scaled.

        * `past`: scaled frames [B, H, 2d], the present last. `direction`: [B, 1]. `z`: [B, code].
        * `end`: the true next frame where it is known, in training: an implicit map need not be solved then.
        """

    def residual(self, frames: Tensor, z: Tensor) -> Tensor:
        """What is left of the map between neighbours, [B, R], for scaled `frames` [B, K, 2d] and codes `z` [B, c]."""
        h, (batch, count, wide) = self.history, frames.shape
        past = frames.unfold(1, h, 1)[:, :-1].movedim(-1, -2).reshape(-1, h, wide)
        end = frames[:, h:].reshape(-1, wide)
        made = self.step(past, torch.ones_like(end[:, :1]), z.repeat_interleave(count - h, 0), end)
        return (made - end).reshape(batch, -1)

    @torch.no_grad()
    def forecast(self, past: Tensor, steps: int, z: Tensor) -> Tensor:
        """The next `steps` frames, [B, steps, 2d], after `past` [B, at least `history`, 2d], of systems with codes `z` [B, c].

        Raises `OrbitscopeError` for too few past frames.
        """
        self.check_past(past)
        frames = list(self.scale(past)[:, -self.history :].unbind(1))
        for _ in range(steps):
            frames.append(self.advance(torch.stack(frames[-self.history :], 1), z))
        return self.unscale(torch.stack(frames[self.history :], 1))

    def check_past(self, past: Tensor) -> None:
        """Raise `OrbitscopeError` unless `past` are frames [B, at least `history`, 2d]."""
        if past.ndim != 3 or past.shape[1] < self.history or past.shape[2] != 2 * self.pairs:
            raise OrbitscopeError(
                f"forecast: `past` should be [systems, at least {self.history}, {2 * self.pairs}], got {list(past.shape)}."
            )

    def complete(self, frames: Tensor, prior: CodePrior, iterations: int = 20) -> FittedCode:
        """The codes of systems that were never seen, fitted to frames of their motions; see `fit_code`.

        * `frames`: [S, K, 2d] or [S, motions, K, 2d]. `prior`: of the training. `iterations`: steps that are tried.
        """
        return fit_code(self, frames, prior, iterations)

    @torch.no_grad()
    def refine(self, frames: Tensor, mask: Mask, z: Tensor, noise: float = 0.0, slack: float = 1e-3) -> tuple[Tensor, Tensor | None]:
        """All frames [B, T, 2d] of motions of which the `mask` knows some, and their standard deviations where there is `noise`.

        * `frames`: [B, T, 2d]; unknown ones are not looked at. `z`: codes, [B, c].
        * `noise`: standard deviation of the known frames, scaled; 0: they stay as they are. `slack`: see `smoothed`.

        Raises `OrbitscopeError` for a map that reads blocks, and for a mask that knows nothing.
        """
        known, scaled = mask(frames.shape[1]), self.scale(frames)
        if noise <= 0:
            return self.unscale(self.filled(scaled, mask, z)), None
        found, spread = smoothed(self, scaled, known, z, noise, slack)
        return self.unscale(found), self.unscale(spread)

    def filled(self, frames: Tensor, mask: Mask, z: Tensor) -> Tensor:
        """The unknown frames between those that `mask` knows, scaled, [B, T, 2d].

        * `frames`: scaled. `z`: codes, [B, c].
        """
        return blended(self, frames, mask(frames.shape[1]), z)

    def forward(
        self, past: Tensor, direction: Tensor, context: Tensor, numbers: Tensor, end: Tensor | None = None, drawn: Tensor | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        """The next frame [B, 2d], from `past` [B, H, 2d], `direction` [B, 1] and `context` [B, K, 2d].

        * `numbers`: of the system; an autodecoder finds its code by them in training, and nothing else looks at them.
        * `end`: the next frame, in training. `drawn`: random numbers for the training of those that need them.

        A map with a loss of its own, and an autodecoder, give in training a stand-in for the frame and that loss, [B].
        """
        read = self.reader(self.scale(context), direction)
        if end is None:
            return self.unscale(self.step(self.scale(past), direction, read))
        z = read if self.table is None else self.remembered(numbers)
        before, then = self.scale(past), self.scale(end)
        own = None if drawn is None else self.own_loss(before, then, z, drawn)
        if own is None and self.table is None:
            return self.unscale(self.step(before, direction, z, then))
        if own is None:
            own = (self.step(before, direction, z, then) - then).square().mean(-1)
        return end, own if self.table is None else own + (read - z.detach()).square().mean(-1)


class HamiltonianMap(MotionModel):
    r"""The map of a midpoint (Poincare) generating function S: $x_1 = x_0 + s\, \Omega \nabla S(\tfrac{x_0 + x_1}{2}; z)$.

    Exactly symplectic for every S; the inverse is the same map with the other s; with S even in the momenta exactly reversible. It is
    trained without a solve, as both ends are known; a forecast solves by Newton's method, four steps and one more with the derivative,
    whose gradient is exact by the implicit function theorem. S exists for frequencies with $\omega\, dt < \pi$, and is well fitted below 2.

    * `motion`: what the examples are. `code`, `width`: as of `MotionModel`. `newton`: steps of Newton's method in a forecast.
    * `even`: whether S is even in the momenta; None: as `motion` says.

    Source: Feng and Qin, Symplectic Geometric Algorithms (2010), ch. 5; S = dt H gives the implicit midpoint rule.
    """

    def __init__(self, motion: Motion, code: int = CODE, width: int = WIDTH, newton: int = NEWTON, even: bool | None = None) -> None:
        self._even = motion.even if even is None else even
        super().__init__(motion, code, width)
        self.newton = newton
        self.function = PhaseFunction(motion.pairs, motion.angles, self._even, code, width)
        if motion.angles and motion.sizes[0] != 1:
            raise OrbitscopeError("HamiltonianMap: angles keep their unit; `sizes` of the motion should begin with 1.")

    def reader_is_even(self, motion: Motion) -> bool:
        """As S is."""
        return self._even

    def push(self, x: Tensor, direction: Tensor, z: Tensor) -> Tensor:
        r"""$s\, \Omega \nabla S(x; z)$, scaled, [B, 2d].

        * `x`: scaled, [B, 2d]. `direction`: s, 1 or -1, [B, 1]. `z`: codes, [B, c].
        """
        slope = self.function.gradient(x, z)
        return direction * torch.cat([slope[..., self.pairs :], -slope[..., : self.pairs]], -1)

    def step(self, past: Tensor, direction: Tensor, z: Tensor, end: Tensor | None = None) -> Tensor:
        """The next frame; with `end` known $x_0 + s \\Omega \\nabla S$ at the true midpoint, whose distance from `end` is the residual."""
        x = past[..., -1, :]
        if end is not None:
            return x + self.push(0.5 * (x + end), direction, z)
        with torch.no_grad():
            m = x + 0.5 * self.push(x, direction, z)
            for _ in range(self.newton):
                m = m - self._solved(m.detach(), direction, z, m - x - 0.5 * self.push(m, direction, z))
        m = m.detach()
        m = m - self._solved(m, direction.detach(), z.detach(), m - x - 0.5 * self.push(m, direction, z))
        return 2 * m - x

    @torch.no_grad()
    def advance(self, past: Tensor, z: Tensor, sign: float = 1.0) -> Tensor:
        """By Newton's method, until nothing changes any more; see `MotionModel.advance`."""
        x = past[..., -1, :]
        way = torch.full_like(x[..., :1], sign)
        m = x + 0.5 * self.push(x, way, z)
        for _ in range(2 * self.newton):
            change = self._solved(m, way, z, m - x - 0.5 * self.push(m, way, z))
            m = m - change
            if not bool(change.abs().max() > 4 * torch.finfo(x.dtype).eps):
                break
        return 2 * m - x

    def _solved(self, m: Tensor, direction: Tensor, z: Tensor, gap: Tensor) -> Tensor:
        """The `gap` of the midpoint equation solved with its Jacobian at `m`, which is held."""
        with torch.no_grad():
            curved, d = self.function.hessian(m, z), self.pairs
            push = direction[..., None] * torch.cat([curved[..., d:, :], -curved[..., :d, :]], -2)
            jacobian = torch.eye(2 * d, dtype=m.dtype, device=m.device) - 0.5 * push
        return torch.linalg.solve(jacobian.detach(), gap)
