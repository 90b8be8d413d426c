"""Normalisation: numbers against numpy in float64, and commuting with the group."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orbitscope import OrbitscopeError
from orbitscope.data import Normalisation, Trajectories, load, save
from orbitscope.symmetry import Grid, GridAction, Layout, dihedral

D4 = dihedral(4)


def reference(data: Trajectories) -> tuple[np.ndarray, np.ndarray]:
    """All at once, in float64, field by field."""
    values = data.tensor().double().numpy()
    mean, scale = np.zeros(data.channels), np.ones(data.channels)
    for field in data.layout.fields:
        part = values[:, :, data.layout.slice(field.name)]
        if field.representation.keeps_mean:
            mean[data.layout.slice(field.name)] = part.mean(axis=(0, 1, 3, 4))
            part = part - part.mean(axis=(0, 1, 3, 4), keepdims=True)
        scale[data.layout.slice(field.name)] = np.sqrt((part**2).mean())
    return mean, scale


def test_against_numpy(rich: Trajectories, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offset = torch.arange(10.0)[:, None, None] * 1e4  # a sum of squares in float32 would lose everything here
    data = rich.replace(values=rich.tensor().double() + offset)
    for limit in (10**9, 5000, 1):
        monkeypatch.setattr(Trajectories.blocks, "__defaults__", (limit,))
        found = Normalisation.fit(data)
        for a, b in zip((found.mean, found.scale), reference(data), strict=True):
            np.testing.assert_allclose(a.numpy(), b, rtol=1e-10)
    lazy = load(save(rich, tmp_path / "rich.nc"))
    np.testing.assert_allclose(Normalisation.fit(lazy).scale.numpy(), Normalisation.fit(rich).scale.numpy(), rtol=1e-12)


def test_shape_of_the_answer(euler: Trajectories) -> None:
    found = Normalisation.fit(euler)
    assert found.scale[1] == found.scale[2] and (found.mean[1:3] == 0).all() and found.mean[0] > 0 and found.mean[3] > 0
    unit = found.normalise(euler.tensor())
    assert unit.dtype == torch.float32 and abs(float(unit[:, :, 3].std()) - 1) < 1e-2
    assert torch.allclose(found.denormalise(unit), euler.tensor(), atol=1e-5)
    again = Normalisation.from_dict(found.to_dict())
    assert torch.equal(again.mean, found.mean) and torch.equal(again.scale, found.scale)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), name=st.sampled_from([g.name for g in D4]))
def test_commutes_with_d4(seed: int, name: str) -> None:
    layout = Layout.of("p:scalar", "w:pseudoscalar", "u:vector", "b:pseudovector", "q:tensor", "h:scalar*2", "v:vector*2")
    random = torch.Generator().manual_seed(seed)
    size = torch.logspace(-3, 3, layout.channels, dtype=torch.float64)[torch.randperm(layout.channels, generator=random)]
    values = (torch.randn(2, 3, layout.channels, 6, 6, generator=random, dtype=torch.float64) + 0.7) * size[:, None, None]
    data = Trajectories(values, layout, Grid.square(6), 0.1)
    norm, action = Normalisation.fit(data), GridAction(layout, data.grid)
    g = D4[name]
    assert torch.allclose(norm.normalise(action(g, values)), action(g, norm.normalise(values)), rtol=1e-12, atol=1e-12)
    assert torch.allclose(norm.denormalise(action(g, values)), action(g, norm.denormalise(values)), rtol=1e-12, atol=1e-12)


def test_a_scale_per_component_would_not_commute(flow: Trajectories) -> None:
    """The positive control of the test above."""
    bad, action = Normalisation(torch.zeros(2), torch.tensor([1.0, 2.0])), GridAction(flow.layout, flow.grid)
    x = flow.tensor()
    assert not torch.allclose(bad.normalise(action(D4["r"], x)), action(D4["r"], bad.normalise(x)), rtol=1e-3)


def test_constant_fields_are_left_alone(euler: Trajectories) -> None:
    values = euler.tensor().clone()
    values[:, :, 0], values[:, :, 1:3] = 1e6, 0.0
    values[0, 0, 0, 0, 0] += 0.0625  # one last bit of float32: noise, not a spread to divide by
    found = Normalisation.fit(euler.replace(values=values))
    assert found.scale[:3].tolist() == [1.0, 1.0, 1.0] and abs(float(found.mean[0]) - 1e6) < 1e-3
    assert torch.isfinite(found.normalise(values)).all()


def test_errors(flow: Trajectories) -> None:
    with pytest.raises(OrbitscopeError, match="is empty"):
        Normalisation.fit(flow[:0])
    values = flow.tensor().clone()
    values[2, 1, 0] = float("nan")
    with pytest.raises(OrbitscopeError, match="'velocity_x' is nan at trajectory 2, time 1"):
        Normalisation.fit(flow.replace(values=values))
    with pytest.raises(OrbitscopeError, match=r"expected .* 2 channels"):
        Normalisation.fit(flow).normalise(torch.zeros(3, 8, 8))
    with pytest.raises(OrbitscopeError, match="positive scale"):
        Normalisation(torch.zeros(2), torch.zeros(2))
    with pytest.raises(OrbitscopeError, match="not a normalisation"):
        Normalisation.from_dict({"mean": [0.0]})


def test_three_dimensions() -> None:
    layout = Layout.of("p:scalar", "u:vector", ndim=3)
    data = Trajectories(torch.randn(2, 2, 4, 3, 4, 5, dtype=torch.float64), layout, Grid((3, 4, 5), (1, 1, 1), ("periodic",) * 3), 0.1)
    norm = Normalisation.fit(data)
    again = Normalisation.from_dict(norm.to_dict())
    assert torch.allclose(again.denormalise(norm.normalise(data.tensor())), data.tensor())
    assert float(norm.normalise(data.tensor())[:, :, 1:].square().mean()) == pytest.approx(1)
