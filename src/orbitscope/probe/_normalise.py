"""Scales for influence, which has none of its own."""

from typing import Literal, get_args

import numpy as np
import xarray as xr

from .._errors import OrbitscopeError

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
