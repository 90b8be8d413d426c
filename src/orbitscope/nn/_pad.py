"""What a convolution sees beyond the edge."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from .._errors import OrbitscopeError
from ..symmetry import Boundary, Isometry
from ._features import Features
from ._pair import Constant
from ._shared_kernel import signed
from ._wrap import wrap

BOUNDARIES = ("circular", "zero", "replicate", "symmetric", "reflect")
_OF_GRID = {"periodic": "circular", "wall": "symmetric", "open": "replicate"}


def boundaries_of(grid: Sequence[Boundary], mirror: bool = False) -> tuple[str, ...]:
    """The words of `Pad` for the boundaries of a grid: periodic is circular, open replicates, a wall is symmetric.

    * `grid`: one kind of boundary per axis, as in `Grid.boundary`.
    * `mirror`: True makes walls mirrors that turn vectors ("reflect").
    """
    return tuple("reflect" if mirror and b == "wall" else _OF_GRID[b] for b in grid)


class Pad(Constant):
    r"""`width` more cells at both ends of every spatial axis of [batch, channel, *space], one kind of boundary per axis.

    * `features`: the fields of the channels.
    * `width`: cells at each end.
    * `boundary`: a word of the table, or one per axis.

    | word | beyond the edge |
    |---|---|
    | `circular` | the other end |
    | `zero` | nothing |
    | `replicate` | the last cell |
    | `symmetric` | the cells before the edge in reverse order, all components as they are |
    | `reflect` | a mirror at the face of the last cell: in reverse order, the normal component of vectors with the opposite sign |

    Each commutes with every element that exchanges only axes of the same kind. `reflect` is the image in a free-slip wall; it needs
    fields that can be reflected, so hidden fields need a group with the flips of the walls (d2, d4, oh; `restrict`).

    Raises `OrbitscopeError` for unknown words, hidden fields that cannot be reflected, and grids smaller than `width`.
    """

    anchor: Tensor

    def __init__(self, features: Features, width: int, boundary: str | Sequence[str] = "circular") -> None:
        super().__init__()
        self.features, self.width = features, width
        self.boundary: tuple[str, ...] = (boundary,) * features.ndim if isinstance(boundary, str) else tuple(boundary)
        if len(self.boundary) != features.ndim or any(b not in BOUNDARIES for b in self.boundary):
            raise OrbitscopeError(f"boundary: say one of {', '.join(BOUNDARIES)}, or one per axis; got {boundary!r}.")
        self.register_buffer("anchor", torch.zeros(()), persistent=False)
        self.fill(self.anchor)

    def constants(self) -> dict[str, NDArray]:
        out: dict[str, NDArray] = {}
        for axis, kind in enumerate(self.boundary):
            if kind == "reflect":
                source, sign = mirror_map(self.features, axis)
                out |= {f"source_{axis}": source, f"sign_{axis}": sign}
        return out

    def reference(self) -> Tensor:
        return self.anchor

    def forward(self, x: Tensor) -> Tensor:
        """`x` [B, channels, *grid], larger by `width` cells on every side."""
        if not self.width:
            return x
        self._check(x)
        if self.boundary == ("circular", "circular"):
            return wrap(x, self.width, self.width)
        if set(self.boundary) == {"zero"}:
            return F.pad(x, (self.width,) * (2 * self.features.ndim))
        for axis, kind in enumerate(self.boundary):
            x = self._along(x, axis, kind)
        return x

    def _along(self, x: Tensor, axis: int, kind: str) -> Tensor:
        w, dim = self.width, axis + 2
        take = 1 if kind in ("replicate", "zero") else w
        head, tail = x.narrow(dim, 0, take), x.narrow(dim, x.shape[dim] - take, take)
        if kind == "circular":
            head, tail = tail, head
        elif kind in ("replicate", "zero"):
            head, tail = (torch.cat([t if kind == "replicate" else torch.zeros_like(t)] * w, dim) for t in (head, tail))
        else:
            head, tail = head.flip(dim), tail.flip(dim)
        if kind == "reflect":
            source, sign = getattr(self, f"source_{axis}"), getattr(self, f"sign_{axis}")
            sign = sign.to(x.dtype).reshape(-1, *[1] * self.features.ndim)
            head, tail = (t.index_select(1, source) * sign for t in (head, tail))
        return torch.cat([head, x, tail], dim)

    def _check(self, x: Tensor) -> None:
        least = min(x.shape[2:])
        if least < self.width and set(self.boundary) - {"zero", "replicate"}:
            raise OrbitscopeError(
                f"resolution: a kernel that reaches {self.width} cells beyond the edge is too wide for the grid {tuple(x.shape[2:])}. "
                "Use a finer grid, fewer stages or smaller kernels (overrides `kernels`, `kernel`)."
            )

    def extra_repr(self) -> str:
        return f"{self.width}, {self.boundary}"


def mirror_map(features: Features, axis: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Source channel and sign of the flip of one axis."""
    linear = tuple(tuple((-1 if i == axis else 1) * int(i == j) for j in range(features.ndim)) for i in range(features.ndim))
    flip = Isometry(linear, name=f"the flip of {'xyz'[axis]}")
    source, sign, start = [], [], 0
    for f in features.fields:
        if not f.knows(flip):
            raise OrbitscopeError(
                f"boundary: 'reflect' needs the flip of {'xyz'[axis]}, which moves no {f.word!r} field of {features.group.name}. "
                "Take a group with that flip (d2, d4, oh), or boundary 'symmetric', 'replicate' or 'zero'."
            )
        to, s = signed(f, flip)
        source.append(to + start)
        sign.append(s)
        start += f.size
    return np.concatenate(source), np.concatenate(sign)  # a flip is its own inverse, so targets are sources
