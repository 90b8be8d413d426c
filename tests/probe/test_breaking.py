"""The sums over copies of the forecasts: against index arithmetic and loops, on every kind of element, in any blocks."""

import importlib
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import orbitscope as osc
from orbitscope.probe import learnt_subgroup
from orbitscope.probe.output import _breaking
from orbitscope.symmetry import GridAction


class Mixed(nn.Module):
    """A nonlinear model that commutes with nothing."""

    def __init__(self, channels: int, frames: int = 1) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.inner = nn.Conv2d(channels * frames, 5, 3, padding=1, padding_mode="circular")
        self.outer = nn.Conv2d(5, channels, 1)
        self.frames = frames
        self.channels = channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ramp = torch.linspace(0, 1, x.shape[-1], dtype=x.dtype)
        return x[:, -self.channels :] + 0.3 * self.outer(torch.tanh(self.inner(x))) * (1 + ramp)


def some_data(points: int = 6, trajectories: int = 5, times: int = 4) -> osc.Trajectories:
    torch.manual_seed(0)
    layout = osc.Layout.of("density", "velocity:vector")
    values = torch.randn(trajectories, times, 3, points, points, dtype=torch.float64) * torch.tensor([5.0, 1, 1]).reshape(3, 1, 1)
    return osc.Trajectories(values, layout, osc.Grid.square(points), dt=0.1)


@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize("words", ["d4", "tx", "c8"])
def test_every_sum_against_loops(words: str, frames: int) -> None:
    """Copies brought back one by one; each field in units of its mean square; on the disc where something is interpolated."""
    data, group = some_data(), osc.parse_group(words, points=6)
    model = Mixed(3, frames).double().eval()
    found = osc.equivariance(model, data, group, trajectories=None, times=2)
    single, stacked = GridAction(data.layout, data.grid), GridAction(data.layout, data.grid, frames=frames)
    mask = torch.stack([single.mask(g) for g in group]).all(0).double()
    pairs = list(zip(found["trajectory"].values, found["time"].values, strict=True))
    y_all = torch.stack([data.state(int(i), int(t) + 1) for i, t in pairs])
    size = torch.stack([y_all[:, 0].square().mean(), *[y_all[:, 1:].square().mean()] * 2]).reshape(3, 1, 1)

    def square(values: torch.Tensor) -> float:
        return float((values.square() / size * mask).sum() / mask.sum())

    for n, (i, t) in enumerate(pairs):
        past = torch.cat([data.state(int(i), int(t) - k) for k in range(frames - 1, -1, -1)])[None]
        x, y = data.state(int(i), int(t)), y_all[n]
        copies = {g.name: single(g.inverse(), model(stacked(g, past)))[0].detach() for g in group}
        plain = copies[group.identity.name]
        for k, g in enumerate(group):
            assert float(found["copy_error"][k, n]) == pytest.approx(square(copies[g.name] - y), rel=1e-10)
            assert float(found["copy_gap"][k, n]) == pytest.approx(square(copies[g.name] - plain), rel=1e-10, abs=1e-25)
        for s, inside in enumerate(found["member"].values):
            mine = [copies[g.name] for g, m in zip(group, inside, strict=True) if m]
            mean = torch.stack(mine).mean(0)
            error, breaking = (np.mean([square(p - other) for p in mine]) for other in (y, mean))
            assert float(found["squared_error"][s, n]) == pytest.approx(error, rel=1e-10)
            assert float(found["breaking"][s, n]) == pytest.approx(breaking, rel=1e-10, abs=1e-25)
            assert float(found["squared_error"][s, n] - found["breaking"][s, n]) == pytest.approx(square(mean - y), rel=1e-9)
            assert float(found["copies_step"][s, n]) == pytest.approx(np.mean([square(p - x) for p in mine]), rel=1e-10)
        assert float(found["answer"][n]) == pytest.approx(square(plain), rel=1e-10)
        assert float(found["step"][n]) == pytest.approx(square(y - x), rel=1e-10)


def test_averaging_has_the_error_that_the_sums_promise() -> None:
    """`symmetrize` of the model, measured on the originals, against E - A of the whole group."""
    data, model = some_data(), Mixed(3).double().eval()
    action = GridAction(data.layout, data.grid)
    found = osc.equivariance(model, data, "d4", trajectories=None, times=None)
    averaged = osc.equivariance(osc.symmetrize(model, osc.dihedral(4), action), data, "d4", trajectories=None, times=None)
    whole = int(found["member"].values.sum(1).argmax())
    left = (found["squared_error"] - found["breaking"])[whole]
    np.testing.assert_allclose(averaged["copy_error"][0], left, rtol=1e-10)
    share = learnt_subgroup(osc.dihedral(4), averaged)
    assert set(share["word"].values) == {"exact up to rounding"}


def test_blocks_of_transitions_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large group on a large grid is worked through a few transitions at a time."""
    data, model, seen = some_data(), Mixed(3).double().eval(), []
    whole = osc.equivariance(model, data, "d4", trajectories=None, times=None)
    slices: Callable[..., list[slice]] = _breaking.blocks
    module = importlib.import_module("orbitscope.probe.output._equivariance")  # the verb of that name hides it
    monkeypatch.setattr(module, "blocks", lambda n, size: slices(n, size, budget=4 * size))
    parts = osc.equivariance(model, data, "d4", trajectories=None, times=None, progress=lambda *p: seen.append(p))
    for name in whole.data_vars:
        if name != "member":
            np.testing.assert_allclose(parts[name].values, whole[name].values, rtol=1e-10, atol=1e-25, err_msg=str(name))
    assert seen[-1] == (32, 32) and [p[0] for p in seen] == list(range(1, 33))
    assert slices(5, 10**12) == [slice(k, k + 1) for k in range(5)]


def test_a_subset_of_elements_has_the_subgroups_within_it() -> None:
    """Without the identity too: it is always compared with."""
    data, model = some_data(), Mixed(3).double().eval()
    whole = osc.equivariance(model, data, "d4")
    some = osc.equivariance(model, data, "d4", elements=["r2", "s"])
    assert some["subgroup"].values.tolist() == ["{e}", "{e, r2}", "{e, s}"] and some["element"].values.tolist() == ["r2", "s"]
    for name in ("breaking", "squared_error"):
        np.testing.assert_allclose(some[name].sel(subgroup="{e, s}"), whole[name].sel(subgroup="{e, s}"), rtol=1e-12)
    np.testing.assert_allclose(some["copy_gap"].sel(element="s"), whole["copy_gap"].sel(element="s"), rtol=1e-12)


def test_without_truth_only_the_breaking_is_known() -> None:
    """States of a single time will do; the breaking is the same, and proves an error whatever the truth."""
    data, model = some_data(), Mixed(3).double().eval()
    states = osc.Trajectories(data.values[:, :1], data.layout, data.grid, dt=0.1)
    found = osc.equivariance(model, states, "d4", truth=False)
    for name in ("relative_error", "skill", "copy_error", "squared_error", "step"):
        assert np.isnan(found[name]).all(), name
    assert np.isfinite(found["breaking"]).all() and np.isfinite(found["commutator"]).all() and found.attrs["truth"] == 0
    known = osc.equivariance(model, data, "d4", trajectories=None, times=1)
    k = int(known["member"].values.sum(1).argmax())
    assert (known["squared_error"][k] >= known["breaking"][k]).all()
    words = osc.verdict(osc.dihedral(4), found)
    assert not {"holds", "broken"} & set(words["output"].values)
    assert "of its own squared step" in words.attrs["sentence_output"] and "is at least" in words.attrs["sentence_output"]
    assert words.attrs["learnt_subgroup"] == "" and "transitions" in words.attrs["sentence_next"]


def test_a_field_that_is_zero_everywhere_does_no_harm() -> None:
    data = some_data()
    values = data.tensor().clone()
    values[:, :, 0] = 0
    found = osc.equivariance(Mixed(3).double().eval(), osc.Trajectories(values, data.layout, data.grid, dt=0.1), "d4")
    assert all(np.isfinite(found[n]).all() for n in ("breaking", "squared_error", "copy_gap"))
