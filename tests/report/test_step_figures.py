"""Figures that say whether an influence is to be believed."""

import numpy as np
import xarray as xr

from orbitscope.report._case import Group, read_cases
from orbitscope.report._page import build
from orbitscope.report._step_figures import damping_caption, damping_figure, step_caption, step_figure


def _steps(noise: float) -> xr.Dataset:
    rng = np.random.default_rng(0)
    predicted = -np.abs(rng.normal(size=(2, 2, 3))) * 1e-4
    measured = predicted * (1 + noise * rng.normal(size=predicted.shape))
    dims = ("element", "ket", "bra")
    return xr.Dataset(
        {
            "predicted": (dims, predicted), "measured": (dims, measured), "loss": (("element", "bra"), np.full((2, 3), 0.1)),
            "slope": 0.99, "correlation": 0.9987,
        },
        coords={"element": ["e", "r"]}, attrs={"relative": 1e-3},
    )  # fmt: skip


def _swept() -> xr.Dataset:
    values = np.linspace(0.1, 0.5, 10).reshape(5, 2)
    dims = ("damping", "element")
    return xr.Dataset(
        {"response_by_damping": (dims, values), "null_by_damping": (dims, np.zeros((5, 2)))},
        coords={"damping": 10.0 ** np.arange(-8, -3), "element": ["e", "r"]},
    )


def test_the_step_figure_shows_every_pair_in_percent_of_its_loss() -> None:
    group = Group("D4", "D4", {"steps": _steps(0.01)})
    figure = step_figure(group)
    assert figure is not None and len(figure.traces) == 3
    np.testing.assert_allclose(figure.traces[1]["x"], _steps(0.01)["predicted"].values[0].ravel() / 0.1 * 100)
    low, high = figure.layout["xaxis"]["range"]
    assert low < min(figure.traces[1]["x"]) and high > 0
    assert "0.9987" in step_caption(group) and "0.99" in step_caption(group) and "0.1 %" in step_caption(group)


def test_the_damping_figure_names_the_largest_change() -> None:
    group = Group("D4", "D4", {"influence": _swept()})
    figure = damping_figure(group)
    assert figure is not None and [t["name"] for t in figure.traces if t["showlegend"]] == ["r"]
    assert "0.178 (e)" in damping_caption(group)
    assert damping_figure(Group("D4", "D4", {})) is None and step_figure(Group("D4", "D4", {})) is None


def test_they_are_on_the_page_where_there_are_numbers() -> None:
    nodes = {"/": xr.Dataset(attrs={"kind": "orbitscope probe"}), "/D4": xr.Dataset(attrs={"group": "D4"}), "/D4/steps": _steps(0.0)}
    view = build(read_cases([xr.DataTree.from_dict(nodes)]))
    titles = [f.title for c in view["cases"] for s in c.sections for f in s.figures]
    assert "Steps that were taken" in titles and "Other dampings" not in titles
