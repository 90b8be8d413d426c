"""What the audit refuses it can put right, and the corrected file passes the audit."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

import orbitscope as osc
from orbitscope.probe import correct

Make = Callable[..., osc.Trajectories]


def audit(data: osc.Trajectories):
    """A quick one."""
    return osc.audit(data, "c2", permutations=9)


def sign(channel: int) -> Callable[[Tensor], Tensor]:
    """One component with the wrong sign."""

    def change(values: Tensor) -> Tensor:
        values[:, :, channel] *= -1
        return values

    return change


FAULTS: dict[str, Callable[[Tensor], Tensor]] = {
    "swapped": lambda v: v[:, :, [1, 0]] if v.shape[2] == 2 else v[:, :, [0, 2, 1, 3]],
    "sign": sign(1),
    "flipped": lambda v: v.flip(3),
    "transposed": lambda v: v.transpose(3, 4),
    "reversed": lambda v: v.flip(1),
}


# The other format with one fault of the components and one of the axes: how a file is written does not know what is mended.
@pytest.mark.parametrize(("fault", "suffix"), [*((fault, ".nc") for fault in FAULTS), ("swapped", ".h5"), ("transposed", ".h5")])
@pytest.mark.parametrize("name", ["navier-stokes.gauss", "euler.riemann"])
def test_the_corrected_file_passes_the_audit(simulated: Make, tmp_path: Path, name: str, fault: str, suffix: str) -> None:
    """Read lazily from one file, written to another; the history says what, why and with which scores."""
    right = simulated(name, dtype=torch.float32)
    path = osc.save(right.replace(values=FAULTS[fault](right.tensor().clone())), tmp_path / f"wrong{suffix}")
    wrong = osc.load(path)
    refusal = audit(wrong)
    assert refusal.attrs["verdict"] == "file contradicts its declared convention"
    mended = osc.load(correct(wrong, refusal, tmp_path / f"right{suffix}"))
    assert audit(mended).attrs["verdict"] == "consistent"
    (entry,) = mended.provenance["history"]
    assert refusal.attrs["convention_fits"] in entry["what"] and entry["why"] == refusal.attrs["explanation"]
    assert entry["scores"]["declared"]["solver"] > 100 * entry["scores"][refusal.attrs["convention_fits"]]["solver"]
    assert entry["orbitscope_version"] == osc.__version__ and entry["date"]
    if fault in ("swapped", "sign", "reversed"):  # the others come back in a mirror, which is a symmetry
        torch.testing.assert_close(mended.tensor(), right.tensor(), rtol=1e-5, atol=1e-6)


def test_a_time_step_and_a_swap_are_put_right_together(simulated: Make, tmp_path: Path) -> None:
    """Twice in a row: the history keeps both."""
    right = simulated("navier-stokes.gauss", dtype=torch.float32)
    once = right.swap_components().replace(dt=right.dt / 2)
    mended = osc.load(correct(once, audit(once), tmp_path / "a.nc"))
    assert mended.dt == pytest.approx(right.dt) and not mended.provenance["components_swapped"]
    assert torch.equal(mended.tensor(), right.tensor())
    again = mended.swap_components()
    twice = osc.load(correct(again, audit(again), tmp_path / "b.nc"))
    assert len(twice.provenance["history"]) == 2 and torch.equal(twice.tensor(), right.tensor())


def test_representations_are_put_right(simulated: Make, tmp_path: Path) -> None:
    """The values stay, the declaration changes."""
    right = simulated("shallow-water", dtype=torch.float32)
    wrong = right.replace(layout=osc.Layout.of("height", "velocity:vector", "coriolis"))
    mended = osc.load(correct(wrong, audit(wrong), tmp_path / "a.nc"))
    assert mended.layout == right.layout and torch.equal(mended.tensor(), right.tensor())
    assert audit(mended).attrs["verdict"] == "consistent"


def test_nothing_is_done_without_a_reason(simulated: Make, tmp_path: Path) -> None:
    """A right file, an undecided one, another result, an existing target."""
    right = simulated("navier-stokes.gauss", dtype=torch.float32)
    with pytest.raises(osc.OrbitscopeError, match="nothing to correct"):
        correct(right, audit(right), tmp_path / "a.nc")
    reversed_ = right.replace(values=right.tensor().flip(1), provenance={})
    doubtful = audit(reversed_)
    with pytest.raises(osc.OrbitscopeError, match="2 readings fit this file alike"):
        correct(reversed_, doubtful, tmp_path / "a.nc")
    with pytest.raises(osc.OrbitscopeError, match="offers"):
        correct(reversed_, doubtful, tmp_path / "a.nc", choose="upside down")
    assert not list(tmp_path.iterdir())
    path = correct(reversed_, doubtful, tmp_path / "a.nc", choose="time reversed")
    assert torch.equal(osc.load(path).tensor(), right.tensor())
    with pytest.raises(osc.OrbitscopeError, match="exists"):
        correct(reversed_, doubtful, path, choose="time reversed")
    with pytest.raises(osc.OrbitscopeError, match="result of `audit`"):
        correct(right, doubtful.assign_attrs(fixes=json.dumps([{}])), tmp_path / "b.nc")
