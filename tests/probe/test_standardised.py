"""The standardised influence matrix against loops, and against mean gradients."""

import numpy as np
import pytest
import xarray as xr

import orbitscope as osc
from orbitscope.probe import standardised_matrix

DIMS = ("element", "bra_time", "bra_trajectory", "ket_time", "ket_trajectory")


def planted(trajectories: int = 7, times: int = 2, p: int = 9) -> tuple[np.ndarray, np.ndarray, xr.Dataset]:
    """Gradients of bras [element, time, trajectory, p] and kets, and their influences."""
    rng = np.random.default_rng(0)
    kets = rng.normal(size=(times, trajectories, p))
    bras = np.stack([kets, 0.5 * kets + rng.normal(size=kets.shape), rng.normal(size=kets.shape)])
    values = np.einsum("etbp,skp->etbsk", bras, kets)
    return bras, kets, xr.Dataset({"influence": (DIMS, values)}, coords={"element": ["e", "r", "s"]})


@pytest.mark.parametrize("batch", [1, 2])
def test_it_is_the_influence_of_mean_gradients(batch: int) -> None:
    bras, kets, result = planted()
    found, count = standardised_matrix(result, batch=batch), 7 // batch
    assert found.sizes["mini_batch"] == count
    for e in range(3):
        mean_bras = [bras[e, :, k * batch : (k + 1) * batch].reshape(-1, 9).mean(0) for k in range(count)]
        mean_kets = [kets[:, k * batch : (k + 1) * batch].reshape(-1, 9).mean(0) for k in range(count)]
        table = np.array([[b @ k for k in mean_kets] for b in mean_bras])
        spread = np.std([table[i, j] for i in range(count) for j in range(count) if i != j])
        np.testing.assert_allclose(found["standardised"][e], table.diagonal() / spread)
    others = found["standardised"].values[1:]
    np.testing.assert_allclose(found["uniform"], others.mean(0))
    np.testing.assert_allclose(found["uniformity"], 1 - (others.max(0) - others.min(0)) / np.abs(others).max(0))


def test_elements_that_share_alike_are_uniform() -> None:
    _, _, result = planted()
    same = result.isel(element=[0, 1, 1]).assign_coords(element=["e", "r", "s"])
    assert standardised_matrix(same)["uniformity"].values == pytest.approx(1.0)


def test_too_few_mini_batches_are_named() -> None:
    for trajectories, batch in ((2, 1), (7, 3), (7, 0)):
        with pytest.raises(osc.OrbitscopeError, match="mini-batches"):
            standardised_matrix(planted(trajectories)[2], batch=batch)
