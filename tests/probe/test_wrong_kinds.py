"""Arguments of another kind than they should be: one sentence that names the argument, at every public door."""

# The arguments below are wrong on purpose.
# pyright: reportArgumentType=false, reportCallIssue=false

import numpy as np
import pytest
import torch
from torch import nn

import orbitscope as osc

LAYOUT, GRID = osc.Layout.of("velocity:vector"), osc.Grid.square(8)
VALUES = torch.randn(6, 3, 2, 8, 8, generator=torch.Generator().manual_seed(0))
DATA = osc.Trajectories(VALUES, LAYOUT, GRID, dt=0.1)
ACTION = osc.GridAction(LAYOUT, GRID)
NET = nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular")
META = nn.Conv2d(2, 2, 3, padding=1, device="meta")


@pytest.mark.parametrize("call", [osc.equivariance, osc.influence, lambda _, data, group: osc.audit(data, group)])
@pytest.mark.parametrize(
    ("data", "group", "said"),
    [
        (DATA, ["d4"], "group:.*got list"),
        (DATA, None, "group:.*got None"),
        (DATA, 4, "group:.*got 4"),
        (VALUES, "d4", r"data:.*got Tensor of shape \(6, 3"),
        ("ns.nc", "d4", "data:.*load.*got 'ns.nc'"),
        (None, "d4", "data:.*got None"),
    ],
)
def test_data_and_group_of_the_instruments(call, data, group, said):
    with pytest.raises(osc.OrbitscopeError, match=said):
        call(NET, data, group)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: osc.equivariance(META, DATA, "d4"), "model:.*meta device"),
        (lambda: osc.equivariance(NET, DATA, "d4", trajectories="4"), "trajectories.*'4'"),
        (lambda: osc.equivariance(NET, DATA, "d4", trajectories=2.5), "trajectories.*2.5"),
        (lambda: osc.equivariance(NET, DATA, "d4", seed="x"), "seed.*'x'"),
        (lambda: osc.influence(NET, DATA, "d4", damping="1e-6"), "damping.*'1e-6'"),
        (lambda: osc.audit(DATA, "d4", law=3), "law:.*got 3"),
        (lambda: osc.examine(NET, DATA, ["d4"], {"times": 1}), "config.*got dict"),
        (lambda: osc.examine(NET, DATA, None), "groups.*got None"),
        (lambda: osc.ProbeConfig(trajectoris=3), "'trajectoris'. Did you mean `trajectories`"),
        (lambda: osc.ProbeConfig(margin="a"), "margin.*'a'"),
        (lambda: osc.TrainConfig(epoch=3), "'epoch'. Did you mean `epochs`"),
        (lambda: osc.TrainConfig(learning_rate="1e-3"), "learning_rate.*'1e-3'"),
        (lambda: osc.TrainConfig(weight_decay=None), "weight_decay.*None"),
        (lambda: osc.training.FitConfig(epoch=3), "'epoch'. Did you mean `epochs`"),
        (lambda: osc.train("ns.nc"), "data.*got 'ns.nc'"),
        (lambda: osc.train(DATA, {"epochs": 1}), "config.*got dict"),
        (lambda: osc.train(DATA, None, None), "out.*got None"),
        (lambda: osc.Trajectories(VALUES, LAYOUT, GRID, dt=None), "dt.*got None"),
        (lambda: osc.Trajectories(VALUES, LAYOUT, GRID, dt=np.ones(3)), r"dt.*ndarray of shape \(3,\)"),
        (lambda: osc.Trajectories(VALUES, LAYOUT, GRID, dt="a"), "dt.*'a'"),
        (lambda: osc.Trajectories(VALUES, "velocity:vector", GRID, dt=0.1), "layout.*got 'velocity"),
        (lambda: osc.Trajectories(VALUES, LAYOUT, (8, 8), dt=0.1), "grid.*got tuple"),
        (lambda: osc.GridAction("velocity:vector", GRID), "layout"),
        (lambda: osc.symmetrize(NET, ["d4"], ACTION), "group.*got list"),
        (lambda: osc.symmetrize(NET, "d4", None), "action.*got None"),
        (lambda: osc.symmetrize("unet", "d4", ACTION), "model.*got 'unet'"),
        (lambda: osc.dihedral("4"), "got '4'"),
        (lambda: osc.translations(8.5), "got 8.5"),
        (lambda: osc.save(VALUES, "x.nc"), "trajectories.*got Tensor"),
        (lambda: osc.rollout(NET, VALUES), "data.*got Tensor"),
        (lambda: osc.open_probe(None), "path.*got None"),
        (lambda: osc.load_run(None), "path.*got None"),
    ],
)
def test_other_arguments(call, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(osc.OrbitscopeError, match=said):
        call()
    assert not list(tmp_path.iterdir())


def test_numbers_of_other_libraries_are_numbers():
    for dt in (np.float32(0.5), torch.tensor(0.5), 1, np.int64(1)):
        assert osc.Trajectories(VALUES, LAYOUT, GRID, dt=dt).dt == float(dt)
    assert osc.symmetrize(NET, "d4", ACTION)(VALUES[0]).shape == VALUES[0].shape
    assert osc.ProbeConfig(np.int64(3)).trajectories == 3
