"""The figure of the standardised influence matrix."""

import json

import numpy as np
import xarray as xr

from orbitscope.report._case import Group
from orbitscope.report._standardised_figures import standardised_caption, standardised_figure

DIMS = ("element", "bra_time", "bra_trajectory", "ket_time", "ket_trajectory")


def group(elements: int = 4, trajectories: int = 5) -> Group:
    values = np.random.default_rng(0).normal(size=(elements, 2, trajectories, 2, trajectories))
    names = ["e", "r<b>", "s", "sr"][:elements]
    return Group("D4", "D4", {"influence": xr.Dataset({"influence": (DIMS, values)}, coords={"element": names})})


def test_elements_by_mini_batches_with_the_uniform_baseline() -> None:
    figure = standardised_figure(group())
    assert figure is not None
    heat, medians = figure.traces
    assert np.shape(heat["z"]) == (4, 5) and len(medians["y"]) == 3 and len(figure.layout["shapes"]) == 2
    spec = json.loads(figure.to_json())
    assert "<b>" not in json.dumps(spec["data"][0]["y"]) and spec["layout"]["coloraxis"]["cmin"] < 0
    assert "Uniformity" in standardised_caption(group())


def test_nothing_to_draw() -> None:
    for one in (group(trajectories=2), group(elements=1), Group("D4", "D4", {}), Group("D4", "D4", {"influence": xr.Dataset()})):
        assert standardised_figure(one) is None and "Uniformity" not in standardised_caption(one)
