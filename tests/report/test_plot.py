"""Figures from Python: every function on what its instrument returns, the numbers they show, and what they refuse."""

import subprocess
import sys
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
import xarray as xr

import orbitscope as osc
from orbitscope import plot


@pytest.fixture(scope="module")
def measured():
    """A convolution and noise, with the results of the instruments that are cheap."""
    torch.manual_seed(0)
    data = osc.Trajectories(torch.randn(6, 3, 2, 8, 8), osc.Layout.of("v:vector"), osc.Grid.square(8), dt=0.1)
    model = torch.nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular")
    return model, data


def test_results_of_instruments_are_drawn(measured):
    model, data = measured
    error = osc.equivariance(model, data, "c2", trajectories=4, times=1)
    figure = plot.equivariance(error, osc.verdict(osc.cyclic(2), error))
    layout: Any = figure.layout
    assert isinstance(figure, go.Figure) and "Commutator" in str(layout.annotations)
    shifts = plot.equivariance(osc.equivariance(model, data, osc.translations(4), trajectories=4, times=1))
    layout = shifts.layout
    assert "shift" in layout.xaxis.title.text
    rolled = osc.rollout(model, data)
    curves = [t for t in plot.rollout(rolled).data if t.name == "model" and t.fill is None]
    want = np.median(rolled["relative_l2"].isel(channel=1).values, axis=0)
    np.testing.assert_allclose(curves[1].y, want, rtol=1e-4)
    modes = osc.probe.spectrum(model, data, trajectories=1, times=1, modes=4)
    np.testing.assert_allclose(plot.spectrum(modes).data[0].y, modes["eigenvalue"].values, rtol=1e-4)
    act = osc.FieldAction(osc.Layout.of("force:vector"), osc.Values())
    x = torch.randn(8, 2)
    so2 = osc.symmetry.special_orthogonal(2)
    curve = osc.probe.orbit_curve(torch.nn.Linear(2, 2), osc.Examples(x, x), osc.Symmetry(so2, act, act), [0.1, 1.0, 3.0])
    middle = np.median(curve["commutator"].values, axis=1)
    np.testing.assert_allclose([t for t in plot.orbit_curve(curve).data if t.name == "commutator"][0].y, middle, rtol=1e-4)


def test_a_probe_is_drawn(case, tmp_path):
    tree = case(groups=("D4", "Tx8"))
    made = [plot.verdicts(tree), plot.readings(tree), plot.training(tree)]
    made += [f(tree, group=g) for f in (plot.equivariance, plot.influence, plot.audit) for g in ("D4", "Tx8")]
    assert all(isinstance(f, go.Figure) and len(f.data) for f in made)
    matrix = plot.influence_matrix(tree, "r", "influence", group="D4")
    layout: Any = matrix.layout
    assert layout.coloraxis.colorbar.title.text == "influence, g = r"
    picture = plot.fields(tree, "velocity_x")
    picture.savefig(tmp_path / "f.png")
    assert (tmp_path / "f.png").exists()
    assert isinstance(plot.audit(tree["D4/audit"].to_dataset()), go.Figure)
    assert isinstance(plot.standardised(tree["D4/influence"].to_dataset()), go.Figure)


@pytest.mark.parametrize("name", plot.__all__)
def test_another_kind_of_result_is_refused(name):
    for wrong in (xr.Dataset({"a": ("b", [1.0])}, attrs={"kind": "lie"}), 3.0):
        with pytest.raises(osc.OrbitscopeError):
            getattr(plot, name)(wrong)


def test_wrong_names_are_refused_with_those_that_are_there(case):
    tree = case(groups=("D4",))
    with pytest.raises(osc.OrbitscopeError, match="for D4, not for 'D8'"):
        plot.equivariance(tree, group="D8")
    with pytest.raises(osc.OrbitscopeError, match="not among|is not among"):
        plot.influence_matrix(tree, "q")
    with pytest.raises(osc.OrbitscopeError, match="velocity_x"):
        plot.fields(tree, "pressure")
    with pytest.raises(osc.OrbitscopeError, match="relative_error, commutator.*kind 'audit'"):
        plot.equivariance(tree["D4/audit"].to_dataset().assign_attrs(kind="audit"))


def test_nothing_is_imported_before_it_is_used():
    code = "import sys, orbitscope; assert not {'plotly', 'matplotlib', 'torch'} & set(sys.modules); orbitscope.plot.equivariance"
    subprocess.run([sys.executable, "-c", code], check=True)
