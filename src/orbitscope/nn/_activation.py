"""Nonlinearities that commute with a group."""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ..symmetry import Restriction
from ._features import Features

Function = Callable[[Tensor], Tensor]


class Pointwise(nn.Module):
    """`function` of every value: commutes where elements only exchange components (regular fields, scalars).

    * `features`: the fields of the channels, in and out.
    * `function`: tensor -> tensor of the same shape, value by value; by default $x\\, \\sigma(x)$ (swish).

    Raises `OrbitscopeError` for fields whose components change sign or mix.
    """

    def __init__(self, features: Features, function: Function = F.silu) -> None:
        super().__init__()
        if bad := [f.word for f, _ in features.blocks if not f.permutes]:
            raise OrbitscopeError(
                f"Pointwise: {bad[0]!r} fields change sign or mix under {features.group.name}; use Activation, NormActivation or Gate."
            )
        self.features, self.function = features, function

    def forward(self, x: Tensor) -> Tensor:
        """`x` [B, channels, ...] -> the same shape."""
        self.features.check(x, "Pointwise")
        return self.function(x)


class NormActivation(nn.Module):
    r"""$v \mapsto v\, \sigma(a |v| + b)$ for each field v, with its own gain a and bias b; $|v| = \sqrt{v \cdot v + \epsilon}$.

    * `features`: the fields of the channels, in and out; an element has to mix their components orthogonally, else $|v|$ is no invariant.
    * `epsilon`: $\epsilon$, above 0, in the square of the unit of v: it keeps the derivative finite at v = 0.
    """

    def __init__(self, features: Features, epsilon: float = 1e-6) -> None:
        super().__init__()
        self.features, self.epsilon = features, epsilon
        self.gain = nn.Parameter(torch.ones(len(features.fields)))
        self.bias = nn.Parameter(torch.zeros(len(features.fields)))

    def forward(self, x: Tensor) -> Tensor:
        """`x` [B, channels, ...] -> the same shape."""
        self.features.check(x, "NormActivation")
        parts, first = [], 0
        for f, count, part in runs(self.features, x):
            fields = part.unflatten(1, (count, f.size))
            size = (fields.square().sum(2, keepdim=True) + self.epsilon).sqrt()
            gain, bias = (p[first : first + count].reshape(count, *[1] * (x.ndim - 1)) for p in (self.gain, self.bias))
            parts.append((fields * torch.sigmoid(gain * size + bias)).flatten(1, 2))
            first += count
        return torch.cat(parts, 1)


class Gate(nn.Module):
    """Fields times the sigmoid of a scalar each: from `into`, which has one scalar per field in front of `features`, to `features`."""

    def __init__(self, features: Features) -> None:
        super().__init__()
        self.features = features
        self.into = Features(features.group, [f"scalar*{len(features.fields)}"]) + features

    def forward(self, x: Tensor) -> Tensor:
        """`x` [B, into.channels, ...] -> [B, features.channels, ...]."""
        self.into.check(x, "Gate")
        count = len(self.features.fields)
        gates, parts, first = torch.sigmoid(x[:, :count]), [], 0
        for f, number, part in runs(self.features, x[:, count:]):
            fields = part.unflatten(1, (number, f.size))
            parts.append((fields * gates[:, first : first + number].unsqueeze(2)).flatten(1, 2))
            first += number
        return torch.cat(parts, 1)


class Activation(nn.Module):
    """`Pointwise` on the fields whose components are only exchanged, `NormActivation` on the others: right for any features.

    * `features`: the fields of the channels, in and out.
    * `function`: value by value, for the first kind of fields; by default swish.
    """

    def __init__(self, features: Features, function: Function = F.silu) -> None:
        super().__init__()
        self.features, self.function = features, function
        other = [f.representation for f in features.fields if not f.permutes]
        self.gated = NormActivation(Features(features.group, other)) if other else None

    def forward(self, x: Tensor) -> Tensor:
        """`x` [B, channels, ...] -> the same shape."""
        self.features.check(x, "Activation")
        if self.gated is None:
            return self.function(x)
        pieces = list(runs(self.features, x))
        gated = self.gated(torch.cat([part for f, _, part in pieces if not f.permutes], 1))
        parts, first = [], 0
        for f, _, part in pieces:
            if f.permutes:
                parts.append(self.function(part))
            else:
                parts.append(gated[:, first : first + part.shape[1]])
                first += part.shape[1]
        return torch.cat(parts, 1)


class GroupPool(nn.Module):
    """One invariant per field: the mean or the maximum over the components of regular fields and scalars; the norm of others.

    * `features`: the fields of the channels that come in; one scalar per field goes out (`out`).
    * `how`: "mean" or "max", for fields whose components are only exchanged.
    * `epsilon`: above 0; the norm of the others is $\\sqrt{v \\cdot v + \\epsilon}$.

    Raises `OrbitscopeError` for another `how`.
    """

    def __init__(self, features: Features, how: str = "mean", epsilon: float = 1e-6) -> None:
        super().__init__()
        if how not in ("mean", "max"):
            raise OrbitscopeError(f"GroupPool: `how` is 'mean' or 'max', got {how!r}.")
        self.features, self.how, self.epsilon = features, how, epsilon
        self.out = Features(features.group, [f"scalar*{len(features.fields)}"])

    def forward(self, x: Tensor) -> Tensor:
        """`x` [B, channels, ...] -> [B, fields, ...]."""
        self.features.check(x, "GroupPool")
        return torch.cat([self._pooled(f, part.unflatten(1, (count, f.size))) for f, count, part in runs(self.features, x)], 1)

    def _pooled(self, f: Restriction, fields: Tensor) -> Tensor:
        if not f.permutes:
            return (fields.square().sum(2) + self.epsilon).sqrt()
        return fields.mean(2) if self.how == "mean" else fields.amax(2)


def runs(features: Features, x: Tensor) -> Iterator[tuple[Restriction, int, Tensor]]:
    """Neighbouring fields of one type, their number and their channels."""
    for f, count, start, stop in features.runs:
        yield f, count, x[:, start:stop]
