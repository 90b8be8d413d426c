"""Small networks with their gradients written out: scalar functions of a phase space, and the reader of a system's code."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ScalarNet(nn.Module):
    r"""$S(u) = w_3 \cdot \tanh(W_2 \tanh(W_1 u + b_1) + b_2)$, a number for each u, and $\partial S / \partial u$ in closed form.

    * `inputs`, `width`: numbers of u and of a hidden layer.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(inputs, width), nn.Linear(width, width)
        self.last = nn.Linear(width, 1, bias=False)

    def forward(self, u: Tensor) -> Tensor:
        """S, [B]."""
        return self.last(torch.tanh(self.second(torch.tanh(self.first(u)))))[..., 0]

    def gradient(self, u: Tensor) -> Tensor:
        """The slope at `u`, [B, inputs]."""
        h1 = torch.tanh(self.first(u))
        h2 = torch.tanh(self.second(h1))
        back = ((1 - h2.square()) * self.last.weight[0]) @ self.second.weight
        return ((1 - h1.square()) * back) @ self.first.weight

    def curvature(self, u: Tensor, along: Tensor) -> Tensor:
        r"""The change of the slope at `u` [B, inputs] along each of several directions, $H v$: [n, B, inputs], as `along` is."""
        h1 = torch.tanh(self.first(u))
        h2 = torch.tanh(self.second(h1))
        d1, d2 = 1 - h1.square(), 1 - h2.square()
        moved1 = d1 * (along @ self.first.weight.T)
        moved2 = d2 * (moved1 @ self.second.weight.T)
        back = (d2 * self.last.weight[0]) @ self.second.weight
        moved_back = (-2 * h2 * moved2 * self.last.weight[0]) @ self.second.weight
        return (-2 * h1 * moved1 * back + d1 * moved_back) @ self.first.weight


class PhaseFunction(nn.Module):
    r"""A scalar function $S(Q, P; z)$ on a phase space with a code z, and its gradient along Q and P.

    Angles enter by sine and cosine, so that S has their period; with `even`, momenta enter as products $P_i P_j$, so that
    $S(Q, -P) = S(Q, P)$.

    * `pairs`: d. `angles`: which coordinates are angles. `even`: see above. `code`: numbers of z. `width`: of the hidden layers.
    """

    def __init__(self, pairs: int, angles: Sequence[int], even: bool, code: int, width: int) -> None:
        super().__init__()
        self.pairs, self.even = pairs, even
        self.angles = tuple(angles)
        self.plain = tuple(k for k in range(pairs) if k not in self.angles)
        first, second = torch.triu_indices(pairs, pairs)
        self.register_buffer("first", first, persistent=False)
        self.register_buffer("second", second, persistent=False)
        squares = len(first) if even else pairs
        self.net = ScalarNet(2 * len(self.angles) + len(self.plain) + squares + code, width)

    def inputs(self, x: Tensor, z: Tensor) -> Tensor:
        """What the network sees of `x` [B, 2d] and `z` [B, code]."""
        q, p = x[..., : self.pairs], x[..., self.pairs :]
        a = q[..., self.angles]
        momenta = p[..., self.get_buffer("first")] * p[..., self.get_buffer("second")] if self.even else p
        return torch.cat([a.sin(), a.cos(), q[..., self.plain], momenta, z], -1)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """S, [B]."""
        return self.net(self.inputs(x, z))

    def gradient(self, x: Tensor, z: Tensor) -> Tensor:
        r"""$(\partial S / \partial Q, \partial S / \partial P)$, [B, 2d]."""
        slope = self.net.gradient(self.inputs(x, z))
        n, m = len(self.angles), len(self.plain)
        q, p = x[..., : self.pairs], x[..., self.pairs :]
        a = q[..., self.angles]
        turning = slope[..., :n] * a.cos() - slope[..., n : 2 * n] * a.sin()
        both = torch.cat([turning, slope[..., 2 * n : 2 * n + m]], -1)
        along_q = both[..., _order(self.angles, self.plain)]
        squares = slope[..., 2 * n + m : slope.shape[-1] - z.shape[-1]]
        if not self.even:
            return torch.cat([along_q, squares], -1)
        i, j = self.get_buffer("first"), self.get_buffer("second")
        along_p = torch.zeros_like(p).index_add(-1, i, squares * p[..., j]).index_add(-1, j, squares * p[..., i])
        return torch.cat([along_q, along_p], -1)

    def hessian(self, x: Tensor, z: Tensor) -> Tensor:
        """The second derivatives along Q and P, [B, 2d, 2d], written out: no derivative of a derivative is asked of autograd."""
        slope, wide = self.net.gradient(self.inputs(x, z)), 2 * self.pairs
        n, m, order = len(self.angles), len(self.plain), _order(self.angles, self.plain)
        q, p = x[..., : self.pairs], x[..., self.pairs :]
        way = torch.eye(wide, dtype=x.dtype, device=x.device).reshape(wide, *[1] * (x.ndim - 1), wide).expand(wide, *x.shape)
        dq, dp = way[..., : self.pairs], way[..., self.pairs :]
        a, da = q[..., self.angles], dq[..., self.angles]
        i, j = self.get_buffer("first"), self.get_buffer("second")
        moved_p = dp[..., i] * p[..., j] + p[..., i] * dp[..., j] if self.even else dp
        rest = torch.zeros(*dq.shape[:-1], z.shape[-1], dtype=x.dtype, device=x.device)
        change = self.net.curvature(self.inputs(x, z), torch.cat([da * a.cos(), -da * a.sin(), dq[..., self.plain], moved_p, rest], -1))
        first, second = slope[..., :n], slope[..., n : 2 * n]
        turning = change[..., :n] * a.cos() - change[..., n : 2 * n] * a.sin() - da * (first * a.sin() + second * a.cos())
        along_q = torch.cat([turning, change[..., 2 * n : 2 * n + m]], -1)[..., order]
        end = slope.shape[-1] - z.shape[-1]
        old, new = slope[..., 2 * n + m : end], change[..., 2 * n + m : end]
        if not self.even:
            return torch.cat([along_q, new], -1).movedim(0, -1)
        first_p, second_p = new * p[..., j] + old * dp[..., j], new * p[..., i] + old * dp[..., i]
        along_p = torch.zeros_like(along_q).index_add(-1, i, first_p).index_add(-1, j, second_p)
        return torch.cat([along_q, along_p], -1).movedim(0, -1)


def _order(first: Sequence[int], second: Sequence[int]) -> list[int]:
    """Where each coordinate stands among the first ones followed by the second ones."""
    at = [*first, *second]
    return [at.index(k) for k in range(len(at))]


class CodeReader(nn.Module):
    r"""The code of a system from frames of a motion of it: the mean over pairs of neighbours of a network of
    $(x_t, x_{t+1}, 4 (x_{t+1} - x_t))$.

    With `even` also over the same pairs run backwards, $(R x_{t+1}, R x_t)$, so that a motion and its reversal have one code.

    * `pairs`, `angles`, `even`: as of `PhaseFunction`. `code`: numbers of the code. `width`: of two hidden layers.
    """

    def __init__(self, pairs: int, angles: Sequence[int], even: bool, code: int, width: int) -> None:
        super().__init__()
        self.even, self.angles = even, tuple(angles)
        self.plain = tuple(k for k in range(2 * pairs) if k not in self.angles)
        inputs = 2 * (2 * pairs + len(self.angles)) + 2 * pairs
        self.net = nn.Sequential(nn.Linear(inputs, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, code))
        self.register_buffer("sign", torch.tensor([1.0] * pairs + [-1.0] * pairs), persistent=False)

    def forward(self, frames: Tensor, direction: Tensor) -> Tensor:
        """The codes [B, code] of scaled frames [B, K, 2d], or pairs of neighbours [B, m, 2, 2d], listed along `direction` [B, 1]: 1
        onwards, -1 back in time."""
        before, after = (frames[..., 0, :], frames[..., 1, :]) if frames.ndim == 4 else (frames[..., :-1, :], frames[..., 1:, :])
        back = direction[..., None] < 0
        first, then = torch.where(back, after, before), torch.where(back, before, after)
        found = self._read(first, then)
        if self.even:
            sign = self.get_buffer("sign").to(frames.dtype)
            found = 0.5 * (found + self._read(sign * then, sign * first))
        return found.mean(-2)

    def _read(self, first: Tensor, then: Tensor) -> Tensor:
        seen = [torch.cat([x[..., self.angles].sin(), x[..., self.angles].cos(), x[..., self.plain]], -1) for x in (first, then)]
        return self.net(torch.cat([*seen, 4 * (then - first)], -1))
