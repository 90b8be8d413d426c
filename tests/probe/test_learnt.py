"""The learnt subgroup with its uncertainty, and tests corrected for many elements."""

import numpy as np
import pytest
import xarray as xr

import orbitscope as osc
from orbitscope.probe import learnt_subgroup

D4 = osc.dihedral(4)
NAMES = [g.name for g in D4]


def _errors(levels: dict[str, float], spread: float, trajectories: int = 8, seed: int = 0) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(trajectories), 3)
    shift = rng.normal(size=(len(NAMES), trajectories))[:, owner] * spread
    values = np.array([levels.get(n, 1.0) for n in NAMES])[:, None] * np.exp(shift)
    return xr.Dataset(
        {"relative_error": (("element", "transition"), values)}, coords={"element": NAMES, "trajectory": ("transition", owner)}
    )


def _coherence(shared: set[str], trajectories: int = 8, seed: int = 1) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    values = 0.1 * rng.normal(size=(len(NAMES), 2, trajectories, 2, trajectories))
    for k, n in enumerate(NAMES):
        for t in range(2):
            values[k, t, :, t, :] += 0.8 * np.eye(trajectories) * (n in shared)
    return xr.Dataset(
        {"coherence": (("element", "bra_time", "bra_trajectory", "ket_time", "ket_trajectory"), values)}, coords={"element": NAMES}
    )


def test_a_clear_case_is_certain() -> None:
    broken = {n: 80.0 for n in ("r", "r3", "s", "sr2")}
    found = learnt_subgroup(D4, _errors(broken, 0.05), _coherence({"e", "r2", "sr", "sr3"}))
    assert found.attrs["output_subgroup"] == found.attrs["learnt_subgroup"] == "e, r2, sr, sr3"
    assert found.attrs["learnt_subgroup_support"] == found.attrs["output_subgroup_support"] == 1.0
    assert found["output"].sel(element="r") == 0 and found["output"].sel(element="sr") == 1


def test_a_borderline_element_lowers_the_support_and_the_candidates_add_up() -> None:
    found = learnt_subgroup(D4, _errors({"r": 1.25, "r3": 1.25, "s": 9.0, "sr": 9.0, "sr2": 9.0, "sr3": 9.0}, 0.3))
    assert 0.05 < found.attrs["output_subgroup_support"] < 0.999
    assert float(found["output_subgroup_support"].sum()) == pytest.approx(1.0)
    assert {"e, r2", "e, r, r2, r3"} <= set(found["output_subgroup"].values)


def test_learning_is_asked_too() -> None:
    found = learnt_subgroup(D4, _errors({}, 0.02), _coherence({"r2"}))
    assert found.attrs["output_subgroup_order"] == 8 and found.attrs["learnt_subgroup"] == "e, r2"
    for wrong in ({"tolerance": 0.5}, {"resamples": 0}):
        with pytest.raises(osc.OrbitscopeError, match="at least 1"):
            learnt_subgroup(D4, _errors({}, 0.1), **wrong)  # type: ignore[arg-type]
