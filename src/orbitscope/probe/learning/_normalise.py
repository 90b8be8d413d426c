"""Scales for influence, which has none of its own."""

from typing import Literal, get_args

import numpy as np
import xarray as xr

from ..._errors import OrbitscopeError

Normalisation = Literal["none", "cosine", "trace", "frobenius", "standardised"]
_PAIR = ("bra_time", "bra_trajectory", "ket_time", "ket_trajectory")


def normalised(result: xr.Dataset, how: Normalisation = "cosine") -> xr.DataArray:
    r"""The influence of a result of `influence`, divided per element by

    * `none`: 1;
    * `cosine`: $\sqrt{I(gx, gx)\, I(x', x')}$, pair by pair ("gradient coherence"; self-response 1);
    * `trace`: the mean self-response of the kets, $\frac1N \sum_k I(x_k, x_k)$;
    * `frobenius`: the root mean square of the whole matrix $I(g x_b, x_k)$;
    * `standardised`: the standard deviation of the entries between different trajectories, so that 1 means one standard deviation of
      what unrelated states do to each other.
    * `result`: a result of `influence`.
    * `how`: which division; cosine by default.

    Raises `OrbitscopeError` for another word, and for `standardised` with a single trajectory.
    """
    if how not in get_args(Normalisation):
        raise OrbitscopeError(f"normalised: `how` must be one of {get_args(Normalisation)}, got {how!r}.")
    values = result["influence"]
    if how == "cosine":
        return cosine(result)
    if how == "trace":
        return values / result["ket_self"].mean(["ket_time", "ket_trajectory"])
    if how == "frobenius":
        return values / np.sqrt((values**2).mean(_PAIR))
    if how == "standardised":
        apart = values.where(result["bra_trajectory"] != result["ket_trajectory"])
        if result.sizes["ket_trajectory"] < 2:
            raise OrbitscopeError("normalised: 'standardised' needs at least two trajectories; probe more, or take another normalisation.")
        return values / apart.std(_PAIR)
    return values


def cosine(result: xr.Dataset) -> xr.DataArray:
    """Influence over the geometric mean of the two self-responses; NaN where one of them is 0."""
    scale = (result["bra_self"] * result["ket_self"]) ** 0.5
    return (result["influence"] / scale.where(scale > 0)).transpose(*result["influence"].dims)


def standardised_matrix(result: xr.Dataset, *, batch: int = 1) -> xr.Dataset:
    r"""Influence between mini-batches and their own copies, in standard deviations of what unrelated mini-batches do to each other.

    $$Z_{gB} = \frac{I(gB, B)}{\mathrm{std}_{B' \ne B''} I(gB', B'')}, \qquad I(gB, B') = \mathrm{mean}_{b \in B, k \in B'} I(g x_b, x_k)$$

    A mini-batch is some trajectories with all their times; influence is linear in the gradients on both sides, so its value between
    the mean gradients of mini-batches is the mean of the entries. What remains of the trajectories is left out.

    Result [element, mini_batch]: `standardised` (1 = as large as one standard deviation between unrelated mini-batches, whose mean is not
    taken off: unrelated states cohere too; positive = a step on the mini-batch lowers the loss of its copy); `uniform` [mini_batch], the
    mean over elements but the first: what every one of them would be if all shared alike; `uniformity` [mini_batch], 1 minus their range
    over the largest size of them: 1 = all alike. Source: the standardised influence of Amarel et al., arXiv 2601.20172.

    * `result`: a result of `influence`.
    * `batch`: trajectories in a mini-batch.

    Raises `OrbitscopeError` for fewer than three mini-batches: two have a single pair in each direction, and no spread to speak of.
    """
    count = result.sizes["ket_trajectory"] // batch if batch >= 1 else 0
    if count < 3:
        raise OrbitscopeError(
            f"standardised_matrix: {result.sizes['ket_trajectory']} trajectories make {count} mini-batches of `batch` = {batch}; three are "
            "needed. Probe more trajectories, or take smaller mini-batches."
        )
    values = result["influence"].transpose("element", *_PAIR).values[:, :, : count * batch, :, : count * batch]
    shape = (len(values), values.shape[1], count, batch, values.shape[3], count, batch)
    means = values.reshape(shape).mean((1, 3, 4, 6))  # [element, bra batch, ket batch]
    apart = ~np.eye(count, dtype=bool)
    spread = means[:, apart].std(1)
    own = np.diagonal(means, axis1=1, axis2=2) / np.where(spread > 0, spread, np.nan)[:, None]
    others = own[1:] if len(own) > 1 else own
    size = np.abs(others).max(0)
    found = xr.Dataset(coords={"element": result["element"].values, "mini_batch": np.arange(count)}, attrs={"batch": batch})
    words = "influence of a mini-batch on its copy, in standard deviations of that between unrelated ones"
    found["standardised"] = (("element", "mini_batch"), own, {"long_name": words, "units": "1", "sign": "positive = helps"})
    found["uniform"] = ("mini_batch", others.mean(0), {"long_name": "mean over elements but the first", "units": "1"})
    about = {"long_name": "1 minus the range over elements, of the largest size", "units": "1"}
    found["uniformity"] = ("mini_batch", 1.0 - np.ptp(others, axis=0) / np.where(size > 0, size, np.nan), about)
    return found
