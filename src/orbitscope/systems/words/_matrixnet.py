"""MatrixNet: a network that learns the matrices that stand for generators, multiplies them along a word, and reads the product."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...symmetry import FromMatrices, WordGroup, Words
from ._blocks import KINDS, Block, Fixed, Generators, Kind


class MatrixNet(nn.Module):
    r"""$f(w) = h(\mathrm{vec}(M_{g_1} M_{g_2} \cdots M_{g_L}))$ for a word $w = g_1 \cdots g_L$, with learnt invertible matrices $M_g$.

    Words come as states of `Words`: [N, L] whole numbers, 0 no letter (the identity wherever it stands), 2k + 1 generator k, 2k + 2 its
    inverse, which is exactly $M_g^{-1}$. The answer is [N, outputs]. Any length goes in.

    * `group`: whose generators the letters are, and whose relations `relation_errors` looks at. `outputs`: numbers of an answer.
    * `size`, `channels`: the matrices are [channels, size, size], a block-diagonal representation of `channels` blocks.
    * `kind`: "expm" (any matrix with a real logarithm), "free" (any invertible one), "orthogonal", "cayley", "unitary", "householder",
      "permutation".
    * `block`, `hidden`: how the matrices' numbers are parametrised ("linear", "two-layer", "tanh" or "silu"), and with which width.
    * `head`: widths of the layers h after the product. `homogeneous`: h without biases and with ReLU, so that $h(c M) = c\, h(M)$ for
      c > 0: for labels that scale with the product, which then extrapolate.
    * `vectors`: how many learnt vectors v the product acts on, h(M v) in place of h(vec(M)); 0: none. For labels of an *object* that the
      word acts on, such as counts of w P: the head then sees n numbers and not n^2, and cannot learn from what the object does not show.
    * `even`: absolute values after the first layer, which has no bias, so that $h(-M) = h(M)$: for counts, which do not see a shift of
      the object, that is the sign of its class.
    * `traces`: how many powers of M the head sees, each by its trace, $h(\mathrm{tr}\,M, \mathrm{tr}\,M^2, \dots)$, and not M: then
      $f(g w g^{-1}) = f(w)$ exactly, for labels of conjugacy classes such as orders; 0: none. Not together with `vectors` or `even`.
    * `relation_weight`: weight of the mean $\|M_l - M_r\|_F$ over relations l = r in the training loss (`WordLoss`); 0: none.
    * `matrices`: name of a generator -> matrix, given and not learnt (the baseline of a fixed representation).

    Raises `OrbitscopeError` for sizes below 1, unknown kinds, and matrices that do not fit. Laird et al., NeurIPS 2024, section 4.

    >>> from orbitscope.symmetry import Words, braid
    >>> net = MatrixNet(braid(3), 3)
    >>> net(Words(braid(3), 4).encode(["s1 s2 s1^-1", "s2"])).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        group: WordGroup,
        outputs: int,
        *,
        size: int = 8,
        channels: int = 1,
        kind: Kind = "expm",
        block: Block = "tanh",
        hidden: int = 64,
        head: Sequence[int] = (64, 64),
        homogeneous: bool = False,
        vectors: int = 0,
        even: bool = False,
        traces: int = 0,
        relation_weight: float = 0.0,
        matrices: Mapping[str, Sequence[Sequence[float]] | NDArray[np.float64]] | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("size", size), ("channels", channels), ("outputs", outputs), ("hidden", hidden)):
            if value < 1:
                raise OrbitscopeError(f"MatrixNet: `{name}` should be at least 1, got {value}.")
        if kind not in KINDS:
            raise OrbitscopeError(f"MatrixNet: `kind` should be one of {', '.join(KINDS)}, got {kind!r}.")
        for name, value in (("vectors", vectors), ("traces", traces)):
            if value < 0:
                raise OrbitscopeError(f"MatrixNet: `{name}` should be at least 0, got {value}.")
        if traces and (vectors or even):
            raise OrbitscopeError(
                f"MatrixNet: `traces` = {traces} goes without `vectors` and `even`: the head sees either classes of elements or what an "
                "element does to an object."
            )
        if relation_weight < 0:
            raise OrbitscopeError(f"MatrixNet: `relation_weight` should be at least 0, got {relation_weight}.")
        self.group, self.relation_weight = group, relation_weight
        count = len(group.generators)
        self.generators: Generators | Fixed
        if matrices is None:
            self.generators = KINDS[kind](count, channels, size, block, hidden)
        else:
            self.generators = Fixed(_given(group, matrices))
        self.kind = kind if matrices is None else "fixed"
        channels, size = self.generators.channels, self.generators.size
        self.vectors = nn.Parameter(torch.randn(channels, size, vectors) / size**0.5) if vectors else None
        self.traces = traces
        widths = [channels * (traces or size * (vectors or size)), *head]
        self.head = nn.Sequential(*_head(widths, outputs, homogeneous, even))
        self._letters = _letters(group)

    def matrices(self) -> Tensor:
        """The matrices of all letters in the order of `Words.vocabulary`, [2G + 1, C, n, n]; the first is the identity."""
        made, inverse = self.generators()
        one = torch.eye(made.shape[-1], dtype=made.dtype, device=made.device).expand(1, *made.shape[1:])
        return torch.cat([one, torch.stack([made, inverse], 1).flatten(0, 1)])

    def product(self, words: Tensor) -> Tensor:
        """The matrix of each of `words` [N, L], as [N, C, n, n]: neighbours are multiplied until one is left, in log2 L rounds."""
        return multiplied(self.matrices(), words)

    def forward(self, words: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """The answers [N, outputs] to `words` [N, L]; in training with a `relation_weight` the weighted relation error too, once a word."""
        matrices = self.matrices()
        product = multiplied(matrices, words)
        answer = self.head(self._seen(product).flatten(1))
        if not (self.training and self.relation_weight):
            return answer
        return answer, self.relation_weight * self.broken(matrices).mean().expand(len(words))

    def _seen(self, product: Tensor) -> Tensor:
        """What the head is given of the `product` [N, C, n, n]: traces of powers, what vectors become, or all of it."""
        if self.traces:
            power, found = product, [product.diagonal(dim1=-2, dim2=-1).sum(-1)]
            for _ in range(self.traces - 1):
                power = power @ product
                found.append(power.diagonal(dim1=-2, dim2=-1).sum(-1))
            return torch.stack(found, -1)
        return product if self.vectors is None else product @ self.vectors

    def broken(self, matrices: Tensor) -> Tensor:
        """The Frobenius norm of left minus right for every relation, [R]; `matrices` as `matrices()` gives them."""
        if not self._letters:
            return matrices.new_zeros(1)
        sides = [multiplied(matrices, side[None].to(matrices.device)) for pair in self._letters for side in pair]
        both = torch.cat(sides).reshape(len(self._letters), 2, *matrices.shape[1:])
        return (both[:, 0] - both[:, 1]).square().sum((1, 2, 3)).add(1e-24).sqrt()

    def representation(self) -> FromMatrices:
        """The learnt matrices as a `Representation` of the group's words, blocks on the diagonal; layers and probes take it."""
        made = self.generators()[0].detach().double().cpu()
        whole = {name: torch.block_diag(*m).numpy() for name, m in zip(self.group.generators, made, strict=True)}
        return FromMatrices(whole, f"matrixnet-{self.kind}")

    def relation_errors(self) -> dict[str, float]:
        r"""$\|M_l - M_r\| / \max(\|M_l\|, \|M_r\|)$ for each relation l = r of the group, in double precision; 0 for a representation."""
        return self.group.check_relations(self.representation().generators)


class _Absolute(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.abs()


def _head(widths: Sequence[int], outputs: int, homogeneous: bool, even: bool) -> list[nn.Module]:
    """The layers of h."""
    layers: list[nn.Module] = []
    for place, (a, b) in enumerate(pairwise(widths)):
        first = even and place == 0
        layers += [
            nn.Linear(a, b, bias=not (homogeneous or first)),
            _Absolute() if first else nn.ReLU() if homogeneous else nn.SiLU(),
        ]
    return [*layers, nn.Linear(widths[-1], outputs, bias=not homogeneous)]


def multiplied(matrices: Tensor, words: Tensor) -> Tensor:
    """The products [N, C, n, n] of `matrices` [V, C, n, n] along `words` [N, L], from the left; the first matrix is the identity."""
    if words.shape[1] == 0:
        return matrices[:1].expand(len(words), *matrices.shape[1:])
    made = matrices[words]
    while made.shape[1] > 1:
        if made.shape[1] % 2:
            made = torch.cat([made, matrices[:1].expand(len(words), *matrices.shape[1:])[:, None]], 1)
        made = made[:, ::2] @ made[:, 1::2]
    return made[:, 0]


def _letters(group: WordGroup) -> list[tuple[Tensor, Tensor]]:
    """Both sides of every relation as numbers of letters."""
    longest = max([len(side) for relation in group.relations for side in relation], default=1)
    encode = Words(group, max(longest, 1)).encode
    return [(encode([left])[0], encode([right])[0]) for left, right in group.relations]


def _given(group: WordGroup, matrices: Mapping[str, object]) -> Tensor:
    if set(matrices) != set(group.generators):
        raise OrbitscopeError(
            f"MatrixNet: `matrices` should hold one matrix for each of {', '.join(group.generators)}, got {', '.join(matrices) or 'none'}."
        )
    made = [torch.as_tensor(np.asarray(cast(NDArray[np.float64], matrices[g]), dtype=np.float64)) for g in group.generators]
    if any(m.ndim != 2 or m.shape != made[0].shape or m.shape[0] != m.shape[1] for m in made):
        raise OrbitscopeError(f"MatrixNet: `matrices` should be square and of one size, got {[tuple(m.shape) for m in made]}.")
    return torch.stack(made).float()
