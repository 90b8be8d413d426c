"""What the relaxed layers broke: in the probe's tree and on the page."""

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

import orbitscope as osc
from orbitscope.nn import EquivariantConv, Features, relax, relaxation
from orbitscope.report._case import read_cases
from orbitscope.report._page import build
from orbitscope.report._relaxed_figures import relaxed_caption, relaxed_figure


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    flow, hidden = Features.from_layout(osc.Layout.of("v:vector"), "d4"), Features.of("d4", "regular*2")
    made = relax(nn.Sequential(EquivariantConv(flow, hidden, 3), nn.Tanh(), EquivariantConv(hidden, flow, 3)), "group").eval()
    with torch.no_grad():
        for p in made.parameters():
            p.add_(0.2 * torch.randn_like(p))
    return made


def _tree(model) -> xr.DataTree:
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs={"kind": "orbitscope probe"}), "/relaxation": relaxation(model)})


def test_the_figure_shows_every_layer_and_element(model):
    (case,) = read_cases([_tree(model)])
    figure = relaxed_figure(case)
    assert figure is not None
    broken = relaxation(model)["broken"].drop_sel(element="e").values
    np.testing.assert_array_equal(figure.traces[0]["z"], broken)
    np.testing.assert_allclose(figure.traces[1]["y"], np.median(broken, axis=0))
    middle = dict(zip(figure.traces[1]["x"], figure.traces[1]["y"], strict=True))
    assert f"broken most: {max(middle, key=lambda name: middle[name])}" in relaxed_caption(case)
    figure.to_json()


def test_a_strict_model_is_said_to_be_strict(model):
    (case,) = read_cases([_tree(osc.nn.strict(model))])
    assert case.relaxation is not None
    broken = case.relaxation["broken"].values
    assert np.nanmax(broken) < 1e-6
    case.relaxation["broken"][:] = 0.0
    assert "Nothing is broken" in relaxed_caption(case)


def test_the_probe_keeps_it_and_the_page_shows_it(model):
    values = torch.randn(3, 3, 2, 8, 8)
    data = osc.Trajectories(values, osc.Layout.of("v:vector"), osc.Grid.square(8), dt=0.1)
    config = osc.ProbeConfig(trajectories=2, times=1, steps=0, control=0)
    tree = osc.examine(model, data, "c2", config)
    xr.testing.assert_identical(tree["/relaxation"].to_dataset(), relaxation(model))
    (view,) = build(read_cases([tree]))["cases"]
    assert view.relaxed is not None and [s.title for s in view.sections] == ["Group C2"]
    plain = nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular")
    assert "/relaxation" not in osc.examine(plain, data, "c2", config).groups
    assert build(read_cases([osc.examine(plain, data, "c2", config)]))["cases"][0].relaxed is None
