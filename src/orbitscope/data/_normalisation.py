"""Normalisation that commutes with every symmetry of the layout."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .._errors import OrbitscopeError
from ..symmetry import Layout
from ._trajectories import Trajectories


@dataclass(frozen=True, eq=False)
class Normalisation:
    r"""$\hat u_c = (u_c - m_c) / \sigma_{f(c)}$: one scale $\sigma_f$ per field $f$, a mean only where the field is invariant.

    A vector has one scale for all its components and no mean, since a scale per component or a constant vector picks out a direction.
    So $\hat{}\,(g u) = g\,(\hat u)$ for every group element $g$.

    - `mean`: $m_c$, shape [channel], in the units of the data; kept as float64.
    - `scale`: $\sigma_{f(c)}$ above 0, shape [channel], in the units of the data; kept as float64.
    - `ndim`: dimensions of space, the axes of a state behind its channels.

    `Normalisation.fit(data)` makes it from data. Raises `OrbitscopeError` for values that are not finite or scales that are not positive.
    """

    mean: Float[Tensor, " channel"]
    scale: Float[Tensor, " channel"]
    ndim: int = 2

    def __post_init__(self) -> None:
        for name in ("mean", "scale"):
            value = torch.as_tensor(getattr(self, name), dtype=torch.float64)
            if value.ndim != 1 or not torch.isfinite(value).all():
                raise OrbitscopeError(f"Normalisation: `{name}` should be finite with shape [channel], got {value}.")
            object.__setattr__(self, name, value)
        if self.mean.shape != self.scale.shape or (self.scale <= 0).any():
            raise OrbitscopeError(f"Normalisation: need one mean and one positive scale per channel, got {self.mean} and {self.scale}.")

    @classmethod
    def fit(cls, data: Trajectories) -> "Normalisation":
        r"""From the training part `data`, streamed in blocks with float64 sums.

        $m_c = \langle u_c \rangle$ where `representation.keeps_mean`, else 0; $\sigma_f^2 = \langle (u_c - m_c)^2 \rangle$ over all
        states, cells and the components of the field. A field that does not vary beyond rounding gets scale 1.

        Raises `OrbitscopeError` for empty data and for NaN or infinity (named by trajectory, time and channel).
        """
        count, mean, spread = 0, torch.zeros(data.channels, dtype=torch.float64), torch.zeros(data.channels, dtype=torch.float64)
        for _, _, block in data.blocks():
            flat = block.to(torch.float64).transpose(0, 2).flatten(1)
            if not flat.shape[1]:
                continue
            # Merging centred sums (Chan, Golub, LeVeque 1983) keeps the digits that a sum of squares would lose.
            here = flat.mean(dim=1)
            gap, total = here - mean, count + flat.shape[1]
            spread += (flat - here[:, None]).square().sum(dim=1) + gap.square() * (count * flat.shape[1] / total)
            mean = mean + gap * (flat.shape[1] / total)
            count = total
        if not count:
            raise OrbitscopeError(f"Normalisation.fit: `data` is empty, shape {data.shape}.")
        if not (torch.isfinite(mean) & torch.isfinite(spread)).all():
            data.check_finite()
        eps = torch.finfo(data.values.dtype).eps
        return cls(*_per_field(data.layout, mean, spread / count, eps), data.layout.ndim)

    def normalise(self, state: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Physical units to dimensionless, [..., channel, x, y]; keeps the dtype and device of `state`."""
        mean, scale = self._shaped(state)
        return (state - mean) / scale

    def denormalise(self, state: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The inverse of `normalise`: `state` [..., channel, x, y] from dimensionless to physical units."""
        mean, scale = self._shaped(state)
        return state * scale + mean

    def _shaped(self, state: Tensor) -> tuple[Tensor, Tensor]:
        if state.ndim <= self.ndim or state.shape[-self.ndim - 1] != len(self.mean):
            axes = ", ".join("xyz"[: self.ndim])
            raise OrbitscopeError(f"Normalisation: expected [..., {len(self.mean)} channels, {axes}], got shape {tuple(state.shape)}.")
        space = (1,) * self.ndim
        return self.mean.to(state).reshape(-1, *space), self.scale.to(state).reshape(-1, *space)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist(), "ndim": self.ndim}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Normalisation":
        """The inverse of `to_dict`; raises `OrbitscopeError` where `data` is no such description."""
        try:
            mean, scale = (torch.tensor(data[k], dtype=torch.float64) for k in ("mean", "scale"))
            return cls(mean, scale, int(data.get("ndim", 2)))
        except (KeyError, TypeError, RuntimeError) as error:
            raise OrbitscopeError(f"Normalisation: not a normalisation ({error!r}): {data!r}.") from error


def _per_field(layout: Layout, mean: Tensor, variance: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    shift, scale = torch.zeros_like(mean), torch.ones_like(mean)
    for item in layout.fields:
        part = layout.slice(item.name)
        square = variance[part] + mean[part].square()
        if item.representation.keeps_mean:
            shift[part] = mean[part]
        sigma = (variance[part] if item.representation.keeps_mean else square).mean().sqrt()
        # Below rounding of the values themselves the spread is noise; dividing by it would only magnify that.
        scale[part] = sigma if sigma > eps * square.mean().sqrt() and sigma > 0 else torch.ones_like(sigma)
    return shift, scale
