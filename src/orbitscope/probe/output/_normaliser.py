"""What the normaliser of a model does to its symmetry."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...data import Trajectories
from ...emulators import Affine, Functions, Guest, OfChange, OfSample
from ...symmetry import Group
from .._measure import commutator, numpy, predict
from .._provenance import stamp
from .._sample import resolve_grid, sample_for
from .._subject import Subject


@dataclass(frozen=True)
class _Averaged:
    """An affine normaliser whose scales (a matrix over our channels) and means are averages over a group."""

    mean: Tensor
    scale: Tensor
    rest: Affine
    at: tuple[int, ...]
    change: tuple[Tensor, Tensor] | None = None
    """Mean and scale of answers that are changes, averaged; None: those of the states."""

    @property
    def changes(self) -> bool:
        """Whether answers are changes in units of their own."""
        return self.change is not None

    def encode(self, states: Tensor) -> tuple[Tensor, Any]:
        wide = (-1, *[1] * (states.ndim - 3))
        mean, scale = self.mean.to(states), self.scale.to(states)
        ours = states[:, :, list(self.at)] - mean.reshape(wide)
        inside = torch.einsum("ij,btj...->bti...", torch.linalg.inv(scale), ours)
        whole = list(self.rest.encode(states)[0].unbind(2))
        for k, n in enumerate(self.at):
            whole[n] = inside[:, :, k]

        def undo(answer: Tensor, channels: Sequence[int]) -> Tensor:
            back = (mean, scale) if self.change is None else (self.change[0].to(states), self.change[1].to(states))
            return torch.einsum("ij,bj...->bi...", back[1], answer) + back[0].reshape(wide)

        return torch.stack(whole, 2), undo


def normaliser_audit(
    model: nn.Module, data: Trajectories, group: Group | str, *, trajectories: int | None = 16, times: int | None = 2, seed: int = 0,
    batch: int = 32,
) -> xr.Dataset:  # fmt: skip
    r"""How far the normaliser N of an adapted model is from commuting with each element, and how much of the model's error is its own.

    * `normaliser_commutator` [element, transition]: $\|N(g x) - g N(x)\| / \|N(x)\|$ over our channels; 0 for one scale per field.
    * `commutator`: that of the model as it is; `commutator_averaged`: with the normaliser replaced by its average over the group, one scale
      per field and no mean of vectors; NaN where the normaliser is no mean and scale per channel.
    * `own_share` [element]: $1 - \sum c_\mathrm{averaged}^2 / \sum c^2$, the part of the squared commutator that goes with the normaliser.

    * `model`: what `adapt` makes, with a normaliser. `data`, `group`, `trajectories`, `times`, `seed`, `batch`: as in `equivariance`.

    Where it fails: a model that was trained with the normaliser has learnt around it, so the share says what the output gains from another
    normaliser today, not after another training. Raises `OrbitscopeError` for a model without a normaliser.
    """
    if not isinstance(model, Guest) or model.normaliser is None:
        raise OrbitscopeError("normaliser_audit: `model` has no normaliser that is known. Say it: orbitscope.adapt(model, normaliser=...).")
    subject = Subject.of(model, data)
    group, every, action = resolve_grid(data, group, None)
    pairs = sample_for(subject, data, trajectories=trajectories, times=times, seed=seed, lead=0)
    stack = type(action)(action.layout, action.grid, action.order, model.frames)
    averaged = _averaged(model, pairs.x, [action.layout.matrix(g) for g in every])
    plain, inside = predict(model, pairs.x, batch), model.normalise(pairs.x)
    other = None if averaged is None else predict(averaged, pairs.x, batch)
    rows: dict[str, list[np.ndarray]] = {"normaliser_commutator": [], "commutator": [], "commutator_averaged": []}
    for g in every:
        moved = stack(g, pairs.x)
        rows["normaliser_commutator"].append(numpy(commutator(model.normalise(moved), stack(g, inside), stack, g)))
        rows["commutator"].append(numpy(commutator(predict(model, moved, batch), action(g, plain), action, g)))
        rows["commutator_averaged"].append(
            np.full(len(plain), np.nan) if averaged is None or other is None
            else numpy(commutator(predict(averaged, moved, batch), action(g, other), action, g))
        )  # fmt: skip
    found = xr.Dataset(
        {name: (("element", "transition"), np.stack(values), {"units": "1"}) for name, values in rows.items()},
        coords={"element": [g.name for g in every]},
    )
    squares = [found[name].values ** 2 for name in ("commutator", "commutator_averaged")]
    whole, left = (s.sum(1) for s in squares)
    tiny = 1e-20 * len(plain)
    found["own_share"] = ("element", np.where(whole > tiny, 1 - left / np.where(whole > tiny, whole, 1), np.nan), {"units": "1"})
    moving = [i for i, g in enumerate(every) if not g.is_identity]
    found.attrs["sentence"] = _sentence(found.isel(element=moving))
    return stamp(found, "normaliser", group, data, subject, seed=seed, trajectories=len(pairs.trajectories), times=len(pairs.times))


def _averaged(model: Guest, x: Tensor, matrices: Sequence[np.ndarray]) -> Guest | None:
    """The model with the group average of its normaliser; None where that is no mean and scale per channel."""
    ours, rule = x.shape[1] // model.frames, model.normaliser
    if isinstance(rule, Functions):
        rule = rule.affine(len(model.channels.full(ours)), x.ndim - 2, x)
    if not isinstance(rule, Affine) or isinstance(rule, OfSample):
        return None
    at = model.channels.at(ours)
    moved = [torch.as_tensor(np.asarray(m), dtype=torch.float64) for m in matrices]

    def average(mean: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        mean, scale = (v.to(torch.float64).cpu()[list(at)] for v in (mean, scale))
        return torch.stack([m.T @ mean for m in moved]).mean(0), torch.stack([m.T @ torch.diag(scale) @ m for m in moved]).mean(0)

    found = copy.copy(model)
    change = average(rule.change_mean, rule.change_scale) if isinstance(rule, OfChange) else None
    found.normaliser = _Averaged(*average(rule.mean, rule.scale), rule, at, change)
    return found


def _sentence(found: xr.Dataset) -> str:
    if not found.sizes["element"]:
        return "The group has no element that moves anything, so nothing is asked of the normaliser."
    own, whole = (float(found[name].median("transition").max()) for name in ("normaliser_commutator", "commutator"))
    if own < 1e-5:
        return "The normaliser commutes with the group up to rounding."
    share = float(found["own_share"].median()) if np.isfinite(found["own_share"]).any() else float("nan")
    said = f"The normaliser does not commute with the group: moving a state changes what goes into the model by up to {own:.2%}"
    if not np.isfinite(share):
        return f"{said}; the model's commutator is {whole:.2%}."
    gone = "" if share < 0 else f", {share:.0%} of the square of the model's commutator ({whole:.2%}) goes"
    return f"{said}. With one scale per field and no mean of vectors{gone or ' the commutator is no smaller'}."
