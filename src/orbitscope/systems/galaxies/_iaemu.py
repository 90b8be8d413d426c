"""The published emulator of intrinsic alignments: a shared embedding and three convolutional decoders."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...data import Examples
from ._emulators import CorrelationEmulator
from ._moments import Link

_FLOOR = 1e-6


def _dense(into: int, out: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(into, out), nn.LeakyReLU(), nn.BatchNorm1d(out), nn.Dropout(dropout))


class _Embedding(nn.Module):
    """7-128-128-256-256-128, with a shortcut around each of the two layers that end in 256."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.one, self.two = _dense(7, 128, dropout), _dense(128, 128, dropout)
        self.three, self.around = _dense(128, 256, dropout), nn.Linear(128, 256)
        self.four, self.five = _dense(256, 256, dropout), _dense(256, 128, dropout)

    def forward(self, x: Tensor) -> Tensor:
        h = self.two(self.one(x))
        h = self.three(h) + self.around(h)
        return self.five(self.four(h) + h)


def _conv(into: int, out: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Conv1d(into, out, 3, padding=1), nn.LeakyReLU(), nn.BatchNorm1d(out), nn.Dropout(dropout))


class _Decoder(nn.Module):
    """128 numbers to 20 bins of a mean and a variance, through seven signals of 100 places."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.first = _dense(128, 700, dropout)
        self.one, self.two, self.three = _conv(7, 14, dropout), _conv(14, 28, dropout), _conv(28, 28, dropout)
        self.four, self.five, self.six = _conv(28, 56, dropout), _conv(56, 112, dropout), _conv(112, 112, dropout)
        self.last = nn.Conv1d(112, 2, 5, stride=5, padding=1)
        with torch.no_grad():
            assert self.last.bias is not None
            self.last.bias[1] = 1.0

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        h = self.two(self.one(self.first(z).unflatten(1, (7, 100))))
        h = self.five(self.four(self.three(h) + h))
        found = self.last(self.six(h) + h)
        return found[:, 0], nn.functional.softplus(found[:, 1]) + _FLOOR


class IAEmu(CorrelationEmulator):
    r"""IAEmu as published: 660,602 parameters; log xi, omega and eta in units of one standard deviation each; dropout for the epistemic
    part.

    * `examples`: of the training, with 20 bins. `dropout`: in every layer. `beta`: as of `CorrelationEmulator`.

    Kept from the publication: layers, starts, log xi with rows left out in which any xi <= 0, one scale for each statistic, scaled inputs,
    the loss. Mended: scales come from the training part and travel with the weights; dropout is off again after it was drawn; moments of xi
    are those of a log-normal. The published code trains for 500 epochs with steps in the rate, and chooses by a sum of two errors.
    Raises `OrbitscopeError` for another number of bins.

    Source: arXiv:2504.05235.
    """

    links: ClassVar[tuple[Link, ...]] = ("log", "identity", "identity")
    centre: Tensor
    size: Tensor
    level: Tensor
    scale: Tensor

    def __init__(self, examples: Examples, dropout: float = 0.2, beta: Sequence[float] = (0.9, 0.5, 0.5)) -> None:
        super().__init__(examples, beta)
        if self.bins != 20:
            raise OrbitscopeError(f"IAEmu: the published network has 20 bins, these examples have {self.bins}. Take alignment_emulator.")
        x = examples.x
        assert isinstance(x, Tensor)
        self.register_buffer("centre", x.double().mean(0))
        self.register_buffer("size", x.double().std(0).clamp_min(1e-12))
        # One mean and one deviation for each statistic: the total of bins that differ in both.
        level = self.mean.mean(1, keepdim=True)
        self.register_buffer("level", level)
        self.register_buffer("scale", (self.spread.square() + (self.mean - level).square()).mean(1, keepdim=True).sqrt())
        self.embedding = _Embedding(dropout)
        self.decoders = nn.ModuleList(_Decoder(dropout) for _ in self.links)

    def reference(self, mean: Tensor) -> Tensor:
        """One scale for each statistic, [S, 1]."""
        return self.scale.to(mean)

    def heads(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and variance of the one member; no factors; `theta`: parameters [B, D]."""
        dtype = next(self.parameters()).dtype
        if self.training and len(theta) == 1:  # the last batch of an epoch: batch normalisation needs two rows
            return tuple(p[:1] for p in self.heads(theta.expand(2, -1)))  # pyright: ignore[reportReturnType]
        z = self.embedding(((theta - self.centre.to(theta)) / self.size.to(theta)).to(dtype))
        means, variances = zip(*(decode(z) for decode in self.decoders), strict=True)
        scale = self.scale.to(dtype)
        mean = self.level.to(dtype) + scale * torch.stack(means, 1)
        variance = scale.square() * torch.stack(variances, 1)
        return mean[:, None], variance[:, None], variance.new_zeros(len(mean), 1, 0, *mean.shape[1:])
