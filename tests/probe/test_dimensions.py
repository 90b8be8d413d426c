"""Every instrument on fields of one, two and three dimensions: definitions written out, and what commutes by construction."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.probe import equivariance_by_step, step_test

from ..cases import convolutions

POINTS = {1: 8, 2: 5, 3: 4}
CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
ALL = pytest.mark.parametrize("ndim", [1, 2, 3])


def data_of(ndim: int, trajectories: int = 5) -> osc.Trajectories:
    torch.manual_seed(ndim)
    layout = osc.Layout.of("velocity:vector", "density", ndim=ndim)
    grid = osc.Grid((POINTS[ndim],) * ndim, (1.0,) * ndim, ("periodic",) * ndim)
    values = torch.randn(trajectories, 3, layout.channels, *grid.shape, dtype=torch.float64)
    return osc.Trajectories(values, layout, grid, dt=0.1)


def plain(ndim: int) -> nn.Module:
    return convolutions(ndim + 1, 3, ndim=ndim)


class Speed(nn.Module):
    """A scalar of the invariants times the state: commutes with everything that mixes a vector orthogonally and moves cells."""

    def __init__(self, ndim: int) -> None:
        super().__init__()
        self.weight, self.ndim = nn.Parameter(torch.tensor([0.3, -0.2], dtype=torch.float64)), ndim

    def forward(self, x: Tensor) -> Tensor:
        size = x[:, : self.ndim].square().sum(1, keepdim=True) + x[:, self.ndim :].square()
        return x * (self.weight[0] + self.weight[1] * torch.tanh(size))


def group_of(ndim: int) -> osc.Group:
    """All signed permutations that matter here: the flip of the line, D4, O_h."""
    if ndim == 1:
        return osc.Group("flip", [osc.Isometry(((1,),), name="e"), osc.Isometry(((-1,),), name="s")])
    return osc.dihedral(4) if ndim == 2 else osc.octahedral()


@ALL
def test_commutator_is_its_definition(ndim: int) -> None:
    data, model, group = data_of(ndim), plain(ndim), group_of(ndim)
    names = [g.name for g in group][:: max(1, len(group) // 4)]
    found = osc.equivariance(model, data, group, elements=names, trajectories=None, times=None)
    action = osc.GridAction(data.layout, data.grid)
    for name in names:
        for n, (i, t) in enumerate(zip(found["trajectory"].values, found["time"].values, strict=True)):
            x = data.pairs([int(i)], [int(t)])[0]
            with torch.no_grad():
                gap = model(action(group[name], x)) - action(group[name], model(x))
                expected = float(gap.norm() / model(x).norm())
            assert float(found["commutator"].sel(element=name)[n]) == pytest.approx(expected, rel=1e-10, abs=1e-14)


@ALL
@pytest.mark.parametrize("metric", ["euclidean", "gauss_newton"])
def test_influence_is_its_definition(ndim: int, metric: str) -> None:
    """Dense matrices: gradients one by one, the Jacobian row by row."""
    data, model, group, damping = data_of(ndim, trajectories=2), plain(ndim), group_of(ndim), 1e-3
    name = group.elements[1].name
    found = osc.influence(
        model,
        data,
        group,
        metric=metric,
        damping=damping if metric == "gauss_newton" else None,
        elements=[name],
        trajectories=None,
        times=1,
    )  # fmt: skip
    action, parameters = osc.GridAction(data.layout, data.grid), list(model.parameters())
    x, y = data.pairs([0, 1], [0, 0])
    row = lambda v: np.concatenate([g.numpy().ravel() for g in torch.autograd.grad(v, parameters, retain_graph=True)])  # noqa: E731
    kets = np.stack([row(osc.smse(model(a[None]), b[None])) for a, b in zip(x, y, strict=True)])
    gx, gy = action.pair(group[name], x, y)
    bras = np.stack([row(osc.smse(model(a[None]), b[None])) for a, b in zip(gx, gy, strict=True)])
    expected = bras @ kets.T
    if metric == "gauss_newton":
        j = np.stack([row(v) for v in model(x).flatten()])
        s, q = np.linalg.svd(np.concatenate([kets, bras]), full_matrices=False)[1:]
        q = q[s**2 > s[0] ** 2 * 1e-14].T
        expected = bras @ q @ np.linalg.solve(q.T @ (j.T @ j / len(j)) @ q + damping * np.eye(q.shape[1]), q.T @ kets.T)
    got = found["influence"].values.reshape(2, 2)
    assert np.abs(got - expected).max() < 1e-8 * np.abs(expected).max()


@ALL
def test_what_commutes_is_exact_in_every_instrument(ndim: int) -> None:
    data, model, group = data_of(ndim), Speed(ndim), group_of(ndim)
    names = [g.name for g in group][:: max(1, len(group) // 3)]
    error = osc.equivariance(model, data, group, elements=names)
    assert float(error["commutator"].max()) < 1e-14
    shared = osc.influence(model, data, group, elements=names, trajectories=4, times=1)
    np.testing.assert_allclose(shared["response"].values, 1, atol=1e-9)
    assert set(osc.verdict(group, error, shared)["output"].values.tolist()) == {"exact up to rounding"}
    rolled = equivariance_by_step(model, data, group, 2, elements=names)
    assert float(rolled["commutator"].max()) < 1e-13
    assert float(step_test(model, data, group, elements=names[:1], trajectories=2, times=1)["correlation"]) > 0.99


@ALL
def test_a_whole_probe_and_its_report(ndim: int, tmp_path) -> None:
    from orbitscope.report import write_report

    config = osc.ProbeConfig(trajectories=2, times=1, influence_elements=2, control=0, steps=0)
    tree = osc.examine(plain(ndim), data_of(ndim, trajectories=8), group_of(ndim), config, title=f"{ndim} dimensions")
    assert ("fields" if ndim == 2 else "answers") in next(iter(c for n, c in tree.children.items() if n != "audit")).children
    assert write_report([tree], tmp_path / "page.html").stat().st_size > 10_000
