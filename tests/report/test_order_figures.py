"""Order parameters on the page: sizes, errors held and moved, the group that is left, the directions in space."""

import numpy as np
import pytest
import torch
import xarray as xr

from orbitscope.nn import relaxed_weights
from orbitscope.report._case import read_cases
from orbitscope.report._order_figures import directions, groups, order_caption, order_figure, order_pictures, order_table
from orbitscope.report._page import build
from orbitscope.systems.points import SYSTEM, reading


@pytest.fixture(scope="module")
def order() -> xr.Dataset:
    plan = SYSTEM.scenario("particle.field")
    data = plan.make(4, 0, None, **{**plan.parameters, "frames": 2})
    torch.manual_seed(0)
    net = SYSTEM.model("relaxed_e3net").make(data, hidden="2x0e+2x1o", layers=2).double()
    relaxed_weights(net).set({"1o": torch.tensor([0.0, 0.0, 1.5]), "1e": torch.tensor([0.5, 0.0, 0.0])})
    return reading(net, data, elements=4)


def tree(order: xr.Dataset) -> xr.DataTree:
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs={"kind": "orbitscope probe"}), "/order": order})


def test_the_figure_and_the_table_show_what_was_read_off(order):
    (case,) = read_cases([tree(order)])
    assert case.order is not None and not case.groups
    figure = order_figure(case)
    assert figure is not None
    np.testing.assert_allclose(figure.traces[0]["y"], order["size"][0])
    np.testing.assert_allclose(figure.traces[2]["y"], order["held"])
    figure.to_json()
    table = order_table(case)
    assert table is not None and len(table.rows) == order.sizes["irrep"] == 9
    row = dict(zip(table.header, next(r for r in table.rows if r[0] == "1o"), strict=True))
    assert row["size"] == "1.5" and row["components"] == "3"


def test_the_words_name_the_irreps_the_group_and_both_errors(order):
    (case,) = read_cases([tree(order)])
    words = order_caption(case)
    assert "1o (1.5)" in words and "1e (0.5)" in words and "The group that is left: Cs" in words and "mirror across (1.00" in words
    assert float(order["moved"].max()) < 1e-10 < 1e-3 < float(order["held"].min()) and "moved too" in words
    nothing = order.copy(deep=True)
    nothing["size"][:] = 0.0
    assert "nothing is broken" in order_caption(read_cases([tree(nothing)])[0])


def test_the_directions_in_space_are_those_of_the_weights(order):
    unit, value = directions({"1o": np.array([0.0, 0.0, 1.0])})
    assert np.allclose(value, 3**0.5 * unit[..., 2])
    (case,) = read_cases([tree(order)])
    (picture,) = order_pictures(case)
    assert picture.uri.startswith("data:image/png;base64,") and picture.channel == "Cs" and groups(case)[0]["axes"]


def test_the_page_has_the_section_and_a_file_without_it_has_none(order):
    (view,) = build(read_cases([tree(order)]))["cases"]
    assert view.relaxed is not None and [f.title for f in view.relaxed.figures] == ["Order parameters", "Broken directions"]
    damaged = order.drop_vars("held")
    (view,) = build(read_cases([tree(damaged)]))["cases"]
    assert view.relaxed is None
