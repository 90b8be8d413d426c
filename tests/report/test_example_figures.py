"""One example and its copies in the report: clouds, graphs, vectors among values, words."""

import json

import numpy as np
import pytest
import torch
import xarray as xr

import orbitscope as osc
from orbitscope.probe._drawn import example
from orbitscope.report._case import Group
from orbitscope.report._example_figures import example_caption, example_figure, example_table
from orbitscope.symmetry import FieldAction, Invariant, Nodes, PartsAction, Points, Symmetry, Values, Words, braid

CLOUD = FieldAction(osc.Layout.of("place:vector", "mass", ndim=3), Points())
GRAPH = FieldAction(osc.Layout.of("flow:vector"), Nodes(((0, 1), (1, 2)), 3))
FORCE = FieldAction(osc.Layout.of("speed", "force:vector"), Values())


def group_of(action: object, group: object, x: torch.Tensor | tuple[torch.Tensor, ...]) -> tuple[Group, Symmetry]:
    symmetry = Symmetry(group, action, Invariant())  # pyright: ignore[reportArgumentType]
    names = [g.name for g in symmetry.elements()]
    error = xr.Dataset({"relative_error": (("element", "transition"), np.arange(len(names))[:, None] + 1.0)}, coords={"element": names})
    count = len(x[0]) if isinstance(x, tuple) else len(x)
    found = example(osc.Examples(x, torch.zeros(count, 1)), symmetry, error)
    return Group("g", "G", {} if found is None else {"example": found}), symmetry


@pytest.mark.parametrize(
    ("action", "group", "x"),
    [(CLOUD, osc.octahedral(), torch.randn(2, 4, 4)), (GRAPH, osc.dihedral(4), torch.randn(2, 3, 2)),
     (FORCE, osc.dihedral(4), torch.randn(2, 3)),
     (PartsAction(Invariant(), GRAPH), osc.cyclic(4), (torch.zeros(2, 1), torch.randn(2, 3, 2)))],
    ids=["cloud", "graph", "values", "parts"],
)  # fmt: skip
def test_the_copies_are_the_moved_example(action: object, group: object, x: torch.Tensor) -> None:
    case, symmetry = group_of(action, group, x)
    data = case.part("example")
    assert data is not None and data["copy"].values[0] == "x" and data.sizes["copy"] == 4
    last = next(g for g in symmetry.elements() if g.name == data["copy"].values[-1])
    places = data["place"].values
    np.testing.assert_allclose(places[-1], places[0] @ np.asarray(last.matrix).T, atol=1e-6)
    figure = example_figure(case)
    assert figure is not None and json.loads(figure.to_json())["data"]
    assert len({t["xaxis"] for t in figure.traces}) == 4
    assert ("nearer points" in example_caption(case)) == (places.shape[-1] == 3)
    assert example_table(case) is None


def test_words_are_a_table() -> None:
    act = Words(braid(3), 16)
    case, _ = group_of(act, braid(3), act.encode(["s1 s2", "s1"]))
    table = example_table(case)
    assert table is not None and table.rows[0] == ("x", "s1 s2") and len(table.rows) == 4
    assert example_figure(case) is None


def test_what_is_no_picture_has_none() -> None:
    case, _ = group_of(Invariant(3), osc.cyclic(4), torch.randn(2, 3))
    assert case.part("example") is None and example_figure(case) is None and example_table(case) is None
