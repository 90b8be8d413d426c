"""Invertible matrices of generators: what is learnt, and how it is made invertible, orthogonal, unitary or a reflection."""

from abc import ABC, abstractmethod
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from ..._errors import OrbitscopeError

Block = Literal["linear", "two-layer", "tanh", "silu"]
Kind = Literal["expm", "free", "orthogonal", "cayley", "unitary", "householder", "permutation"]
_SINKHORN = 20  # rounds


class Coefficients(nn.Module):
    """The numbers behind the matrices of generators, [G, channels, rows]: the published blocks on a one-hot letter, without biases.

    * `generators`, `channels`, `rows`: G, C and numbers per matrix. `block`: "linear" W x; "two-layer" W2 W1 x; "tanh" and "silu" of that.
      `hidden`: width between the layers.

    Odd functions of the letter give the inverse letter the negative numbers; silu is not odd, so there the inverse is not in this block's
    hands either: matrices are inverted exactly by what stands behind it.
    """

    def __init__(self, generators: int, channels: int, rows: int, block: Block, hidden: int) -> None:
        super().__init__()
        if block not in get_args(Block):
            raise OrbitscopeError(f"MatrixNet: `block` should be one of {', '.join(get_args(Block))}, got {block!r}.")
        self.shape, self.block = (generators, channels, rows), block
        outputs = channels * rows
        self.first = nn.Linear(generators, outputs if block == "linear" else hidden, bias=False)
        self.second = None if block == "linear" else nn.Linear(hidden, outputs, bias=False)

    def forward(self) -> Tensor:
        """[G, C, rows]."""
        made = self.first.weight.T
        if self.second is not None:
            made = self.second(made)
        made = torch.tanh(made) if self.block == "tanh" else nn.functional.silu(made) if self.block == "silu" else made
        return made.reshape(self.shape).contiguous()  # matrix_exp wants its matrices in one piece


class Generators(nn.Module, ABC):
    """Matrices of generators and of their inverses, [G, C, n, n] each; the subclass says of which kind."""

    exact_inverse = True

    def __init__(self, generators: int, channels: int, size: int, block: Block, hidden: int) -> None:
        super().__init__()
        self.size, self.channels = size, channels
        self.numbers = Coefficients(generators, channels, self.rows(size), block, hidden)

    def rows(self, size: int) -> int:
        """How many numbers a matrix is made of."""
        return size * size

    def square(self) -> Tensor:
        """The numbers as matrices, [G, C, n, n]."""
        return self.numbers().reshape(*self.numbers.shape[:2], self.size, self.size)

    @abstractmethod
    def forward(self) -> tuple[Tensor, Tensor]:
        """The matrices and their inverses."""


class Expm(Generators):
    r"""$M = \exp A$, $M^{-1} = \exp(-A)$: every matrix with a real logarithm. A reflection has none, as its determinant is negative."""

    def forward(self) -> tuple[Tensor, Tensor]:
        a = self.square()
        return torch.linalg.matrix_exp(a), torch.linalg.matrix_exp(-a)


class Free(Generators):
    r"""$M = 1 + A$, inverted by a solve: every invertible matrix; near a singular one the inverse is large."""

    def forward(self) -> tuple[Tensor, Tensor]:
        a = self.square()
        made = a + torch.eye(self.size, dtype=a.dtype, device=a.device)
        return made, torch.linalg.inv(made)


class Orthogonal(Generators):
    r"""$M = \exp(A - A^T)$: rotations."""

    def forward(self) -> tuple[Tensor, Tensor]:
        a = self.square()
        made = torch.linalg.matrix_exp(a - a.mT)
        return made, made.mT


class Cayley(Generators):
    r"""$M = (1 + S)^{-1} (1 - S)$ with $S = A - A^T$: rotations without the eigenvalue -1, by one solve."""

    def forward(self) -> tuple[Tensor, Tensor]:
        a = self.square()
        s, one = a - a.mT, torch.eye(self.size, dtype=a.dtype, device=a.device)
        made = torch.linalg.solve(one + s, one - s)
        return made, made.mT


class Unitary(Generators):
    r"""$M = \exp(A - A^*)$ of complex matrices of half the size, as real ones: $a + ib$ is $(a, -b; b, a)$."""

    def rows(self, size: int) -> int:
        if size % 2:
            raise OrbitscopeError(f"MatrixNet: unitary matrices need an even `size`, got {size}.")
        return size * size // 2

    def forward(self) -> tuple[Tensor, Tensor]:
        half = self.size // 2
        parts = self.numbers().reshape(*self.numbers.shape[:2], 2, half, half)
        real, imag = parts[:, :, 0] - parts[:, :, 0].mT, parts[:, :, 1] + parts[:, :, 1].mT
        made = torch.linalg.matrix_exp(torch.cat([torch.cat([real, -imag], -1), torch.cat([imag, real], -1)], -2))
        return made, made.mT


class Householder(Generators):
    r"""$M = 1 - 2 v v^T / |v|^2$: reflections, so that $s^2 = 1$ holds exactly, as in a Coxeter group."""

    def rows(self, size: int) -> int:
        return size

    def forward(self) -> tuple[Tensor, Tensor]:
        v = self.numbers()
        v = v / v.norm(dim=-1, keepdim=True).clamp_min(torch.finfo(v.dtype).tiny)
        made = torch.eye(self.size, dtype=v.dtype, device=v.device) - 2 * v[..., :, None] * v[..., None, :]
        return made, made


class Permutation(Generators):
    r"""Permutation matrices: places of the largest numbers, one in each row and column, taken one after another.

    The step between permutations has no derivative; that of Sinkhorn's doubly stochastic matrix $S(e^A)$ stands for it, so that training is
    a search: take a `relation_weight` and the best of several seeds. Relations then hold exactly or not at all.
    """

    def forward(self) -> tuple[Tensor, Tensor]:
        soft = self.square()
        for _ in range(_SINKHORN):
            soft = soft.log_softmax(-1).log_softmax(-2)
        soft = soft.exp()
        made = _assigned(soft.detach()) + (soft - soft.detach())
        return made, made.mT


def _assigned(scores: Tensor) -> Tensor:
    """The permutation matrices [..., n, n] of the largest scores, which is taken first; its row and column are then closed."""
    size = scores.shape[-1]
    at = torch.arange(size * size, device=scores.device)
    left, made = scores, torch.zeros_like(scores)
    for _ in range(size):
        best = left.flatten(-2).argmax(-1, keepdim=True)
        one = (at == best).reshape(scores.shape)
        made = made + one
        closed = one.any(-1, keepdim=True) | one.any(-2, keepdim=True)
        left = left.masked_fill(closed, -torch.inf)
    return made


class Fixed(nn.Module):
    """Matrices that are given and not learnt.

    * `matrices`: [G, n, n], invertible.
    """

    exact_inverse = True

    def __init__(self, matrices: Tensor) -> None:
        super().__init__()
        made = matrices[:, None]
        self.size, self.channels = int(made.shape[-1]), 1
        self.register_buffer("given", made, persistent=False)
        self.register_buffer("inverse", torch.linalg.inv(made.double()).to(made.dtype), persistent=False)

    def forward(self) -> tuple[Tensor, Tensor]:
        """The matrices and their inverses, [G, 1, n, n]."""
        return self.get_buffer("given"), self.get_buffer("inverse")


KINDS: dict[str, type[Generators]] = {
    "expm": Expm, "free": Free, "orthogonal": Orthogonal, "cayley": Cayley, "unitary": Unitary, "householder": Householder,
    "permutation": Permutation,
}  # fmt: skip
