"""Roll-out errors against a plain loop."""

import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.data import Trajectories
from orbitscope.emulators import relative_l2, rollout, smse
from orbitscope.symmetry import Grid, Layout


class Shift(torch.nn.Module):
    """Moves by one cell and damps."""

    def __init__(self, factor=1.0):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor(factor, dtype=torch.float64))

    def forward(self, x):
        return x.roll(1, -2) * self.factor


def moving(trajectories=5, times=6):
    first = torch.randn(trajectories, 2, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    values = torch.stack([first.roll(t, -2) for t in range(times)], dim=1)
    return Trajectories(values, Layout.of("velocity:vector"), Grid.square(4), dt=0.1)


def test_errors_equal_a_plain_loop_whatever_the_batch():
    data, model = moving(), Shift(0.9)
    for batch in (1, 3, 32):
        result = rollout(model, data, steps=4, start=1, batch=batch, keep_states=True)
        state = data.values[:, 1]
        for h in range(4):
            with torch.no_grad():
                state = model(state)
            truth = data.values[:, 2 + h]
            for name, value in (("smse", smse(state, truth, "channel")), ("relative_l2", relative_l2(state, truth))):
                torch.testing.assert_close(torch.from_numpy(result[name].values[:, h]), value, rtol=1e-12, atol=0)
            still = smse(data.values[:, 1], truth, "channel")
            torch.testing.assert_close(torch.from_numpy(result["smse_persistence"].values[:, h]), still, rtol=1e-12, atol=0)
            torch.testing.assert_close(torch.from_numpy(result["prediction"].values[:, h]), state, rtol=0, atol=0)
    assert result["time"].values.tolist() == pytest.approx([0.2, 0.3, 0.4, 0.5])
    assert list(result["channel"].values) == ["velocity_x", "velocity_y"] and result["smse"].attrs["units"]


def test_an_exact_model_has_no_error_and_a_blow_up_is_told(tmp_path):
    exact = rollout(Shift(), moving())
    assert exact.sizes["horizon"] == 5 and float(exact["smse"].max()) == 0 and bool(exact["finite"].all())
    assert float(exact["smse_persistence"][:, :3].min()) > 0  # the fourth step comes round to the start
    blown = rollout(Shift(1e200), moving())
    assert bool(blown["finite"].values[:, 0].all()) is False or not bool(blown["finite"].values[:, -1].any())
    blown.to_netcdf(tmp_path / "rollout.nc", engine="h5netcdf")


def test_the_mode_of_the_model_is_kept():
    model = Shift()
    rollout(model.train(), moving())
    assert model.training


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        (Shift(), {"steps": 6}, r"1\.\.5"),
        (Shift(), {"steps": 0}, "steps"),
        (Shift(), {"start": 5}, "start 5"),
        (torch.nn.Conv2d(2, 3, 1).double(), {}, "keep the shape"),
    ],
)
def test_mistakes_are_named(model, options, words):
    with pytest.raises(OrbitscopeError, match=words):
        rollout(model, moving(), **options)
