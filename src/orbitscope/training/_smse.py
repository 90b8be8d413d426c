"""The training loss and its persistence baseline."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from .._errors import OrbitscopeError
from ..symmetry import Layout

EPSILON = 1e-6
State = Float[Tensor, "batch channel x y"]
Reduction = Literal["mean", "none", "channel"]


def smse(
    prediction: State,
    target: State,
    reduction: Reduction = "mean",
    *,
    per: Literal["channel", "field"] = "channel",
    layout: Layout | None = None,
) -> Tensor:
    r"""Scaled mean squared error: squared error over the target's root mean square in space.

    $$\mathrm{SMSE} = \mathrm{mean}_{b,c,x,y} \frac{(y - \hat y)^2}{\mathrm{rms}_{xy}(y)_{bc} + 10^{-6}}$$

    Shapes: both [B, C, X, Y]; the result is a number for `reduction="mean"`, [B] for "none" (per sample), [B, C] for "channel". It carries
    the unit of the field (squared over once), so compare it with `persistence` or with another model, not across data sets.

    Invariance: a shift, quarter turn or flip permutes cells and at most exchanges components, so `per="channel"` is invariant under
    D4 and translations. It is *not* invariant under other rotations, which mix components of different rms. `per="field"` takes one rms
    for all components of a field, $\sqrt{\mathrm{mean}_{c,x,y}\, y_c^2}$, and is invariant under all orthogonal representations; it
    needs `layout`.

    Raises `OrbitscopeError` where the shapes differ. Source: Amarel et al., arXiv 2601.20172, training loss.
    """
    if prediction.shape != target.shape or target.ndim != 4:
        raise OrbitscopeError(
            f"smse: `prediction` {tuple(prediction.shape)} and `target` {tuple(target.shape)} must be the same [batch, channel, x, y]."
        )
    power = target.square().mean(dim=(-2, -1))
    if per == "field":
        power = _field_mean(power, layout)
    error = (target - prediction).square().mean(dim=(-2, -1)) / (power.sqrt() + EPSILON)
    if reduction == "channel":
        return error
    if reduction == "none":
        return error.mean(dim=-1)
    if reduction == "mean":
        return error.mean()
    raise OrbitscopeError(f"smse: `reduction` must be 'mean', 'none' or 'channel', got {reduction!r}.")


def relative_l2(prediction: State, target: State) -> Float[Tensor, "batch channel"]:
    r"""$\|y - \hat y\| / \|y\|$ over space, per sample and channel, [B, C]; dimensionless (inf or nan where the target is 0)."""
    return (target - prediction).square().sum(dim=(-2, -1)).sqrt() / target.square().sum(dim=(-2, -1)).sqrt()


def _field_mean(power: Tensor, layout: Layout | None) -> Tensor:
    if layout is None:
        raise OrbitscopeError("smse: per='field' needs `layout`, to know which channels are components of one field.")
    if layout.channels != power.shape[-1]:
        raise OrbitscopeError(f"smse: `layout` has {layout.channels} channels, the state {power.shape[-1]}.")
    return torch.cat([part.mean(-1, keepdim=True).expand_as(part) for part in power.split(layout.sizes, dim=-1)], dim=-1)
