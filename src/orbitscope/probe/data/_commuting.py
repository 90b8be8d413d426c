"""Do a normalisation and a loss commute with the group? If not, they break the symmetry that a model is then blamed for."""

from collections.abc import Callable

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ..._errors import OrbitscopeError
from ...data import Normalisation, Trajectories
from ...symmetry import Group
from .._gradients import Loss
from .._sample import resolve_grid, sample_transitions

_EXACT = 1e-9  # in double precision; interpolated elements are judged by their own error


def commuting(
    data: Trajectories,
    group: Group | str,
    *,
    normalisation: Normalisation | Callable[[Tensor], Tensor] | None = None,
    loss: Loss | None = None,
    elements: list[str] | None = None,
    transitions: int = 8,
    seed: int = 0,
) -> xr.Dataset:
    r"""How far a normalisation N and a loss are from commuting with each element, on transitions (x, y) of the data, in float64.

    * `normalisation` [element]: the largest $\|N(g x) - g N(x)\| / \|N(x)\|$; zero where one scale serves all components of a field and
      nothing but invariants has a mean. Any callable on states [N, channel, *grid] will do.
    * `loss` [element]: the largest $|L(g x, g y) - L(x, y)| / |L(x, y)|$ with x as the prediction of y, for one transition at a time;
      zero for an invariant loss. It sees the loss at these states only.
    * `floor` [element]: the error of resampling itself, $\|g^{-1} g x - x\| / \|x\|$; 0 for exact elements.

    NaN for what was not given. The attributes are `worst_normalisation`, `worst_loss` (names of elements) and `verdict` ("commutes" or a
    sentence).
    Raises `OrbitscopeError` if nothing is to be checked, or the callable returns other shapes or values that are not finite.

    * `data`: `Trajectories`.
    * `group`: a `Group` or its name.
    * `normalisation`: N: a `Normalisation`, or a callable on states [N, channel, *grid].
    * `loss`: L: a callable (prediction, target).
    * `elements`: names of the elements to look at; None: all that `group.probes()` gives.
    * `transitions`: how many, drawn at random by `seed`.
    * `seed`: of the random choice of transitions (and of what is resampled); the same seed gives the same result.
    """
    if normalisation is None and loss is None:
        raise OrbitscopeError("commuting: give a `normalisation`, a `loss`, or both.")
    group, chosen, action = resolve_grid(data, group, elements)
    pairs = sample_transitions(data, trajectories=transitions, times=2, seed=seed, dtype=torch.float64)
    x, y = pairs.x[-transitions:], pairs.y[-transitions:]
    apply = normalisation.normalise if isinstance(normalisation, Normalisation) else normalisation
    plain = None if apply is None else _checked(apply(x), x.shape, "normalisation")
    losses = None if loss is None else _losses(loss, x, y)
    of_normalisation, of_loss, floor = [], [], []
    for g in chosen:
        gx, gy = action.pair(g, x, y)
        mask = action.mask(g)
        floor.append(max(action.error(g, one) for one in x))
        if apply is None or plain is None:
            of_normalisation.append(np.nan)
        else:
            moved = _checked(apply(gx), x.shape, "normalisation")
            gap, size = ((v * mask).flatten(1).norm(dim=1) for v in (moved - action(g, plain), plain))
            of_normalisation.append(float((gap / (size + 1e-300)).max()))
        of_loss.append(
            np.nan if loss is None or losses is None else float(((_losses(loss, gx, gy) - losses).abs() / (losses.abs() + 1e-300)).max())
        )
    result = xr.Dataset(
        {"normalisation": ("element", of_normalisation), "loss": ("element", of_loss), "floor": ("element", floor)},
        coords={"element": [g.name for g in chosen]},
    )
    sentences = []
    for name in ("normalisation", "loss"):
        values = result[name].values
        if np.isnan(values).all():
            continue
        worst = int(np.nanargmax(values))
        result.attrs[f"worst_{name}"] = chosen[worst].name
        broken = values > np.maximum(_EXACT, 3 * result["floor"].values)
        if broken.any():
            others = f", and {broken.sum() - 1} other elements" if broken.sum() > 1 else ""
            sentences.append(f"the {name} does not commute with {chosen[worst].name} (relative error {values[worst]:.2g}){others}")
    result.attrs.update(kind="commuting", group=group.name, verdict="; ".join(sentences) or "commutes")
    return result


def _losses(loss: Loss, x: Tensor, y: Tensor) -> Tensor:
    return _checked(
        torch.stack([torch.as_tensor(loss(a[None], b[None])).reshape(()) for a, b in zip(x, y, strict=True)]), (len(x),), "loss"
    )


def _checked(values: Tensor, shape: tuple[int, ...] | torch.Size, what: str) -> Tensor:
    if tuple(values.shape) != tuple(shape):
        raise OrbitscopeError(f"commuting: `{what}` should return shape {tuple(shape)}, got {tuple(values.shape)}.")
    if not torch.isfinite(values).all():
        raise OrbitscopeError(f"commuting: `{what}` returned NaN or infinite values on states of the data.")
    return values.double()


__all__ = ["commuting"]
