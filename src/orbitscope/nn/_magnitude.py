"""Magnitude: layers and wrappers that commute with multiplying a flow by a positive number, and with rotations."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ._surround import Surrounds, check_counts, check_surround, convolve, surround


class MagnitudeConv(nn.Module):
    r"""Convolution in the units of the local magnitude: $F(w) = \sigma\, a(K * w / \sigma + b)$: $F(m w) = m F(w)$, m > 0.

    $\sigma(p)$ is the root mean square of all scaled channels over the kernel's window around p: one number for all components, a
    scalar under rotations and flips, so the layer commutes with those if $K$, $a$ and $b$ do.

    * `scaled_in`, `scaled_out`: channels that carry the magnitude, in and out; they come first.
    * `kernel`: width of $K$ in cells.
    * `invariant_in`: further channels that do not scale. `invariant_out`: further output channels that are not multiplied back.
    * `ndim`: dimensions of space, 1 to 3.
    * `stride`: at most `kernel`; the answer lies on a grid `stride` times coarser.
    * `boundary`: what lies beyond the edge: "circular", "replicate" or "zero", one word or one per axis.
    * `activation`: $a$, applied in units of $\sigma$; None: nothing.

    Where $\sigma = 0$ the scaled output is 0: exact, without
    an epsilon (the gradient there is 0 too).

    State [batch, channel, *grid]. Raises `OrbitscopeError` for counts that make no layer. Not for m < 0: $a$ and $b$ would have to be
    odd. Source: Wang, Walters and Yu, ICLR 2021, magnitude; there max minus min per component, which does not commute with rotations,
    plus 1e-6, which is not exact.
    """

    def __init__(
        self,
        scaled_in: int,
        scaled_out: int,
        kernel: int = 3,
        *,
        invariant_in: int = 0,
        invariant_out: int = 0,
        ndim: int = 2,
        stride: int = 1,
        boundary: Surrounds = "circular",
        activation: nn.Module | None = None,
    ) -> None:
        super().__init__()
        check_counts("MagnitudeConv", scaled_in=scaled_in, kernel=kernel, ndim=ndim, stride=stride)
        check_counts("MagnitudeConv", 0, scaled_out=scaled_out, invariant_in=invariant_in, invariant_out=invariant_out)
        check_surround("MagnitudeConv", boundary, ndim)
        if stride > kernel or not scaled_out + invariant_out:
            raise OrbitscopeError("MagnitudeConv: `stride` must not exceed `kernel`, and there must be an output.")
        self.scaled_in, self.scaled_out, self.kernel, self.ndim, self.stride = scaled_in, scaled_out, kernel, ndim, stride
        self.boundary: Surrounds = boundary
        self.channels_in, self.channels_out = scaled_in + invariant_in, scaled_out + invariant_out
        bound = 1 / math.sqrt(self.channels_in * kernel**ndim)
        self.weight = nn.Parameter(torch.empty(self.channels_out, self.channels_in, *[kernel] * ndim).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(self.channels_out).uniform_(-bound, bound))
        self.activation = activation

    def forward(self, state: Tensor) -> Tensor:
        """`state` [batch, channel, *grid] -> the same with the output's channels, on a grid `stride` times coarser."""
        if state.ndim != self.ndim + 2 or state.shape[1] != self.channels_in:
            raise OrbitscopeError(
                f"MagnitudeConv: expected [batch, {self.channels_in}, *grid] with {self.ndim} axes, got {tuple(state.shape)}."
            )
        wide = surround(state, self.kernel - self.stride + 1, self.ndim, self.boundary)
        pool = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[self.ndim - 1]
        # The largest modulus is taken out before squaring, so that tiny and huge flows do not under- or overflow.
        largest = wide[:, : self.scaled_in].detach().abs().flatten(1).amax(1).reshape(-1, *[1] * (self.ndim + 1))
        power = pool(divided(wide[:, : self.scaled_in], largest).square().mean(1, keepdim=True), self.kernel, self.stride)
        sigma = root(power) * largest
        out = divided(convolve(wide[:, : self.scaled_in], self.weight[:, : self.scaled_in], None, self.stride), sigma)
        if self.scaled_in < self.channels_in:
            out = out + convolve(wide[:, self.scaled_in :], self.weight[:, self.scaled_in :], None, self.stride)
        out = out + self.bias.reshape(-1, *[1] * self.ndim)
        if self.activation is not None:
            out = self.activation(out)
        scaled = out[:, : self.scaled_out] * sigma
        return scaled if self.scaled_out == self.channels_out else torch.cat([scaled, out[:, self.scaled_out :]], dim=1)


class Magnitude(nn.Module):
    r"""$F(x) = \sigma\, f(x / \sigma)$ with one $\sigma$ per state, the root mean square of its scaled channels.

    * `model`: f, any module of states [batch, channel, *grid] that keeps the channels, trained or not; its parameters are shared, not
      copied.
    * `scaled`: numbers of the channels that carry the magnitude (None: all); the others pass as they are, in and out.

    $F(m x) = m F(x)$ for every m > 0. Commutes with every rotation, flip and shift that f commutes with. A state that is 0 in the scaled
    channels goes to 0 in them. Raises `OrbitscopeError`, when called, where the model changes the number of channels.
    """

    def __init__(self, model: nn.Module, scaled: Sequence[int] | slice | None = None) -> None:
        super().__init__()
        self.model = model
        self.scaled = list(scaled) if isinstance(scaled, Sequence) else scaled

    def forward(self, state: Tensor) -> Tensor:
        """The answer of the model for `state` [batch, channel, *grid], with the magnitude of the state."""
        mask = torch.zeros(state.shape[1], dtype=torch.bool, device=state.device)
        mask[slice(None) if self.scaled is None else self.scaled] = True
        carried = state * mask.reshape(-1, *[1] * (state.ndim - 2))
        largest = carried.detach().flatten(1).abs().amax(1).reshape(-1, *[1] * (state.ndim - 1))
        power = divided(carried, largest).flatten(1).square().sum(1) / (mask.sum() * state[0, 0].numel())
        sigma = root(power).reshape(largest.shape) * largest
        mask = mask.reshape(-1, *[1] * (state.ndim - 2))
        out = self.model(torch.where(mask, divided(state, sigma), state))
        if out.shape[1] != state.shape[1]:
            raise OrbitscopeError(f"Magnitude: the model turns {state.shape[1]} channels into {out.shape[1]}; it must keep them.")
        return torch.where(mask, out * sigma, out)


def divided(value: Tensor, scale: Tensor) -> Tensor:
    """The quotient `value` / `scale` of two tensors, and 0 where `scale` is 0 (or below), with derivative 0 there."""
    good = scale > 0
    return torch.where(good, value, torch.zeros_like(value)) / torch.where(good, scale, torch.ones_like(scale))


def root(power: Tensor) -> Tensor:
    """Square root of the tensor `power`, with derivative 0 at 0; 0 for numbers below 0."""
    good = power > 0
    return torch.where(good, torch.where(good, power, torch.ones_like(power)).sqrt(), torch.zeros_like(power))
