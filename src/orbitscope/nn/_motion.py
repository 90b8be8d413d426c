"""Uniform motion, values only: layers that commute with adding one constant vector to all velocities."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ._surround import Surrounds, check_counts, check_surround, convolve, surround


class MotionConv(nn.Module):
    r"""Convolution in the frame of the local mean: $w \mapsto a\big(K * (w - \mu) + b\big) + \mu$, which commutes with $w \mapsto w + c$.

    * `vectors_in`, `vectors_out`: vectors that come in and go out. Their channels come first, all components of vector 0 before those of 1.
    * `kernel`: width of $K$ in cells.
    * `invariant_in`, `invariant_out`: further channels that motion leaves alone, in and out.
    * `components`: of a vector.
    * `ndim`: dimensions of space, 1 to 3.
    * `stride`: at most `kernel`; the answer lies on a grid `stride` times coarser.
    * `boundary`: "circular" or "replicate", one word or one per axis; zeros would change the mean at the edge.
    * `activation`: a, applied in the moving frame; None: nothing.

    $\mu(p)$, one number per component, is the mean over all vectors and the cells of the kernel's window around p; it is
    added back to the vectors of the output and not to its invariants.
    As $\mu$ is constant over a window, $K * (w - \mu) = K_0 * w$ with $K_0$ the kernel minus its mean over vectors and cells: a plain
    convolution, exact to rounding and at its cost.

    State [batch, channel, *grid] with `ndim` axes. Raises `OrbitscopeError` for counts that make no layer and for other boundaries.

    *Limits.* This is not a Galilean boost: that moves the frames too (see `Galilean`). Momentum shifts by density times c, so give
    velocities. c is one constant for all vectors, hidden ones included. A residual branch $x + f(x)$ commutes only with an *invariant* f
    (see `MotionBlock`). Source: Wang, Walters and Yu, ICLR 2021, uniform motion; there as an unfolded convolution of k^d times the memory.
    """

    def __init__(
        self,
        vectors_in: int,
        vectors_out: int,
        kernel: int = 3,
        *,
        invariant_in: int = 0,
        invariant_out: int = 0,
        components: int = 2,
        ndim: int = 2,
        stride: int = 1,
        boundary: Surrounds = "circular",
        activation: nn.Module | None = None,
    ) -> None:
        super().__init__()
        check_counts("MotionConv", vectors_in=vectors_in, kernel=kernel, components=components, ndim=ndim, stride=stride)
        check_counts("MotionConv", 0, vectors_out=vectors_out, invariant_in=invariant_in, invariant_out=invariant_out)
        check_surround("MotionConv", boundary, ndim, constant=True)
        if stride > kernel or not vectors_out + invariant_out:
            raise OrbitscopeError("MotionConv: `stride` must not exceed `kernel`, and there must be an output.")
        self.vectors_in, self.vectors_out, self.components = vectors_in, vectors_out, components
        self.kernel, self.ndim, self.stride = kernel, ndim, stride
        self.boundary: Surrounds = boundary
        self.channels_in, self.channels_out = vectors_in * components + invariant_in, vectors_out * components + invariant_out
        bound = 1 / math.sqrt(self.channels_in * kernel**ndim)
        self.weight = nn.Parameter(torch.empty(self.channels_out, self.channels_in, *[kernel] * ndim).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(self.channels_out).uniform_(-bound, bound))
        self.activation = activation

    def centred(self) -> Tensor:
        """The kernel $K_0$: no mean over vectors and cells, per component; [out, in, *kernel]."""
        shifting = self.weight[:, : self.vectors_in * self.components]
        parts = shifting.reshape(len(self.weight), self.vectors_in, self.components, -1)
        parts = parts - parts.mean((1, 3), keepdim=True)
        return torch.cat([parts.reshape(shifting.shape), self.weight[:, self.vectors_in * self.components :]], dim=1)

    def forward(self, state: Tensor) -> Tensor:
        """`state` [batch, channel, *grid] -> the same with the output's channels, on a grid `stride` times coarser."""
        if state.ndim != self.ndim + 2 or state.shape[1] != self.channels_in:
            raise OrbitscopeError(
                f"MotionConv: expected [batch, {self.channels_in}, *grid] with {self.ndim} axes, got {tuple(state.shape)}."
            )
        wide = surround(state, self.kernel - self.stride + 1, self.ndim, self.boundary)
        out = convolve(wide, self.centred(), self.bias, self.stride)
        if self.activation is not None:
            out = self.activation(out)
        if not self.vectors_out:
            return out
        mean = self._mean(wide).repeat(1, self.vectors_out, *[1] * self.ndim)
        moved = out[:, : mean.shape[1]] + mean
        return moved if mean.shape[1] == out.shape[1] else torch.cat([moved, out[:, mean.shape[1] :]], dim=1)

    def _mean(self, wide: Tensor) -> Tensor:
        vectors = wide[:, : self.vectors_in * self.components]
        vectors = vectors.reshape(len(wide), self.vectors_in, self.components, *wide.shape[2:]).mean(1)
        pool = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[self.ndim - 1]
        return pool(vectors, self.kernel, self.stride)


class MotionBlock(nn.Module):
    r"""$x + f(x)$ on vectors, with f = convolution, activation, convolution; commutes with $w \mapsto w + c$.

    The first convolution commutes and the second is *invariant* (it does not add the mean back): $x + f(x)$ commutes with adding c
    exactly if $f(x + c) = f(x)$. Where the number of vectors changes, the skip is a 1x1 `MotionConv`.

    * `vectors_in`, `vectors_out`: vectors that come in and go out.
    * `kernel`: width of both kernels in cells.
    * `components`, `ndim`, `boundary`: as of `MotionConv`.
    """

    def __init__(
        self, vectors_in: int, vectors_out: int, kernel: int = 3, *, components: int = 2, ndim: int = 2, boundary: Surrounds = "circular"
    ) -> None:
        super().__init__()
        options = {"components": components, "ndim": ndim, "boundary": boundary}
        self.first = MotionConv(vectors_in, vectors_out, kernel, activation=nn.SiLU(), **options)
        self.second = MotionConv(vectors_out, 0, kernel, invariant_out=vectors_out * components, **options)
        self.skip = nn.Identity() if vectors_in == vectors_out else MotionConv(vectors_in, vectors_out, 1, **options)

    def forward(self, state: Tensor) -> Tensor:
        """`state` [batch, vectors_in * components, *grid] -> [batch, vectors_out * components, *grid]."""
        return self.skip(state) + self.second(self.first(state))
