"""The scaled mean squared error and the relative L2 error, of fields in any number of space dimensions and of vectors."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from .._errors import OrbitscopeError
from ..symmetry import Layout

EPSILON = 1e-6
State = Float[Tensor, "batch channel *space"]
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

    $$\mathrm{SMSE} = \mathrm{mean}_{b,c,p} \frac{(y - \hat y)^2_{bcp}}{\mathrm{rms}_p(y)_{bc} + 10^{-6}}$$

    * `prediction`, `target`: both [B, C, *space], with one to three space axes or none. Values without a space axis, [B, C], have no
      root mean square in space: theirs is taken over all channels of the vector, or, with `per="field"`, over those of each field.
    * `reduction`: "mean" gives a number, "none" [B] (per sample), "channel" [B, C].
    * `per`: "channel" divides each channel by its own rms. "field" takes one rms for all components of a field,
      $\sqrt{\mathrm{mean}_{c,p}\, y_{cp}^2}$.
    * `layout`: which channels are components of one field; for `per="field"`.

    It carries the unit of the field (squared over once), so compare it with that of persistence or of another model, not across data sets.

    Invariance: a shift, quarter turn or flip permutes cells and at most exchanges components, so `per="channel"` is invariant under
    D4 and translations. It is *not* invariant under other rotations, which mix components of different rms. `per="field"` is invariant
    under all orthogonal representations; so is the default without a space axis.

    Raises `OrbitscopeError` where the shapes differ or `layout` is missing or does not fit. Source: Amarel et al., arXiv 2601.20172,
    training loss.
    """
    _same("smse", prediction, target)
    power = _over_space(target.square())
    if per == "field":
        power = _field_mean(power, layout)
    elif target.ndim == 2:
        power = power.mean(-1, keepdim=True)
    error = _over_space((target - prediction).square()) / (power.sqrt() + EPSILON)
    if reduction == "channel":
        return error
    if reduction == "none":
        return error.mean(dim=-1)
    if reduction == "mean":
        return error.mean()
    raise OrbitscopeError(f"smse: `reduction` must be 'mean', 'none' or 'channel', got {reduction!r}.")


def relative_l2(prediction: State, target: State) -> Float[Tensor, "batch channel"]:
    r"""$\|y - \hat y\| / \|y\|$ over space, per sample and channel, [B, C]; dimensionless (inf or nan where the target is 0).

    * `prediction`, `target`: both [B, C, *space]. Without a space axis it is $|y_c - \hat y_c|$ over the rms of the vector's channels.

    Raises `OrbitscopeError` where the shapes differ.
    """
    _same("relative_l2", prediction, target)
    if target.ndim == 2:
        return (target - prediction).abs() / target.square().mean(1, keepdim=True).sqrt()
    space = tuple(range(2, target.ndim))
    return (target - prediction).square().sum(dim=space).sqrt() / target.square().sum(dim=space).sqrt()


def _same(who: str, prediction: Tensor, target: Tensor) -> None:
    if prediction.shape != target.shape or target.ndim < 2:
        raise OrbitscopeError(
            f"{who}: `prediction` {tuple(prediction.shape)} and `target` {tuple(target.shape)} must be the same [batch, channel, *space]."
        )


def _over_space(values: Tensor) -> Tensor:
    return values.mean(dim=tuple(range(2, values.ndim))) if values.ndim > 2 else values


def _field_mean(power: Tensor, layout: Layout | None) -> Tensor:
    if layout is None:
        raise OrbitscopeError("smse: per='field' needs `layout`, to know which channels are components of one field.")
    if layout.channels != power.shape[-1]:
        raise OrbitscopeError(f"smse: `layout` has {layout.channels} channels, the state {power.shape[-1]}.")
    return torch.cat([part.mean(-1, keepdim=True).expand_as(part) for part in power.split(layout.sizes, dim=-1)], dim=-1)
