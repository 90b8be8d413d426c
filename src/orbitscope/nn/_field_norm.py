"""Normalisation that commutes with a group."""

from typing import Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ._features import Features
from ._pair import Constant

Over = Literal["layer", "field"]


class FieldNorm(Constant):
    r"""Each sample divided by its own size, with one gain per field and an offset where one is allowed.

    $$x \mapsto a_f\, \frac{x - m}{\sqrt{\langle (x - m)^2 \rangle + \epsilon}} + b_f$$

    * `features`: the fields of the channels, in and out.
    * `over`: the mean square runs over space and over all channels ("layer") or those of the field ("field").
    * `epsilon`: $\epsilon$, above 0, in the square of the unit of x: samples much smaller than its root are not brought to size 1.

    The mean m is that of the
    fields whose components are only exchanged (scalars, regular fields), over the same range; others keep theirs, and have no offset.
    Nothing is shared between the samples of a batch. Raises `OrbitscopeError` for an unknown `over`.
    """

    field_of_channel: Tensor
    centred: Tensor
    member: Tensor
    anchor: Tensor

    def __init__(self, features: Features, over: Over = "layer", epsilon: float = 1e-5) -> None:
        super().__init__()
        if over not in get_args(Over):
            raise OrbitscopeError(f"FieldNorm: `over` is 'layer' or 'field', got {over!r}.")
        self.features, self.over, self.epsilon = features, over, epsilon
        self.weight = nn.Parameter(torch.ones(len(features.fields)))
        shifted = sum(f.permutes for f in features.fields)
        self.bias = nn.Parameter(torch.zeros(shifted)) if shifted else None
        self.plain = shifted == len(features.fields)
        self.register_buffer("anchor", torch.zeros(()), persistent=False)
        self.fill(self.anchor)

    def constants(self) -> dict[str, NDArray]:
        fields = self.features.fields
        field_of_channel = np.repeat(np.arange(len(fields)), [f.size for f in fields])
        place = np.cumsum([f.permutes for f in fields])  # 1 .. shifted; 0 is "no offset"
        offset = np.array([place[i] * fields[i].permutes for i in field_of_channel], dtype=np.int64)
        member = np.eye(len(fields))[field_of_channel]
        return {"field_of_channel": field_of_channel.astype(np.int64), "centred": (offset > 0) * 1.0, "offset": offset, "member": member}

    def reference(self) -> Tensor:
        return self.anchor

    def forward(self, x: Tensor) -> Tensor:
        """`x` [B, channels, *grid] -> the same shape."""
        self.features.check(x, "FieldNorm")
        weight = self.weight.index_select(0, self.field_of_channel)
        bias = None
        if self.bias is not None:
            bias = torch.cat([self.bias.new_zeros(1), self.bias]).index_select(0, self.get_buffer("offset"))
        if self.plain and self.over == "layer":
            return F.group_norm(x, 1, weight, bias, self.epsilon)
        wide = (-1, *[1] * (x.ndim - 2))
        x = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
        x = x - self._mean(x) * self.centred.reshape(wide)
        square = x.square().mean(tuple(range(2, x.ndim)), keepdim=True)
        x = x * torch.rsqrt(self._over(square) + self.epsilon) * weight.reshape(wide)
        return x if bias is None else x + bias.reshape(wide)

    def _mean(self, x: Tensor) -> Tensor:
        mean = x.mean(tuple(range(2, x.ndim)), keepdim=True)
        if self.over == "field":
            return self._over(mean)
        count = self.centred.sum().clamp(min=1)
        return (mean * self.centred.reshape(-1, *[1] * (x.ndim - 2))).sum(1, keepdim=True) / count

    def _over(self, values: Tensor) -> Tensor:
        """[B, channels, 1, ...]: the mean over the channels that share a size."""
        if self.over == "layer":
            return values.mean(1, keepdim=True)
        per_channel = values.flatten(1)
        means = per_channel @ (self.member / self.member.sum(0)).to(values.dtype)
        return means.index_select(1, self.field_of_channel).reshape(values.shape)
