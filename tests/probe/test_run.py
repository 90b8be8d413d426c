"""The whole probe, its file, and what happens when the disk does not play along."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import h5netcdf
import numpy as np
import pytest
import torch
import xarray as xr
from torch import Tensor, nn

import orbitscope as osc

from ..cases import convolutions
from ..narrow import variable

Make = Callable[..., osc.Trajectories]
CONFIG = osc.ProbeConfig(trajectories=2, times=1)


class Solver(nn.Module):
    """The solver as a model that knows everything; with `swap` it believes a file whose components are exchanged."""

    def __init__(self, dt: float, swap: bool = False) -> None:
        super().__init__()
        self.law, self.dt, self.swap = osc.equation("navier-stokes"), dt, swap
        self.share = nn.Parameter(torch.tensor(0.9, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        x = x.flip(1) if self.swap else x
        y = x + self.share * (self.law.step(x.detach(), self.dt) - x)
        return y.flip(1) if self.swap else y


def conv() -> nn.Module:
    """Something to probe."""
    return convolutions(hidden=3, last=1)


@pytest.fixture(scope="module")
def tree(random_data: Make) -> xr.DataTree:
    """A result with everything in it."""
    training = xr.Dataset({"train_loss": ("epoch", [1.0, 0.5])}, attrs={"test_smse": 0.1})
    data = random_data(trajectories=10)
    return osc.examine(conv(), data, ["c4", osc.translations(4)], CONFIG, title="a case", model="conv", training=training)


@pytest.fixture(scope="module")
def little(tree: xr.DataTree) -> xr.DataTree:
    """A part of it and 80 kB of numbers, for what happens to files: those do not care how many tables are in them."""
    part = xr.DataTree.from_dict({"/": tree.to_dataset(), "/C4/verdict": tree["C4/verdict"].to_dataset()})
    part["filler"] = xr.DataTree(xr.Dataset({"noise": ("n", np.random.default_rng(0).normal(size=10_000))}))
    return part


def test_the_tree_has_what_the_report_reads(tree: xr.DataTree) -> None:
    """Every node, every variable, every attribute of the schema."""
    assert set(tree.children) == {"C4", "Tx4", "audit", "training"}
    wanted = {
        "audit": {"residual", "residual_floor", "p_value", "p_value_raw", "verdict", "shift", "determinant"},
        "equivariance": {"commutator", "relative_error", "commutator_by_channel", "relative_error_by_channel", "floor", "skill"},
        "influence": {
            "influence", "coherence", "loss", "response", "response_low", "response_high", "null", "null_low", "null_high",
            "excess", "excess_low", "excess_high", "control", "kept_rank", "condition",
        },
        "fields": {"state", "next_state", "gx", "f_gx", "g_fx", "difference"},
        "verdict": {"data", "output", "learning"},
    }  # fmt: skip
    for group, order in (("C4", 4), ("Tx4", 4)):
        assert tree[group].attrs["group"] == group and tree[group].attrs["order"] == order
        for node, names in wanted.items():
            assert names <= set(tree[group][node].dataset), (group, node)
            assert tree[group][node].sizes["element"] <= 4
    assert set(tree["audit"].dataset) == {"score"} and tree["audit"].attrs["verdict"] == "undetermined"
    for name in (
        "orbitscope_version",
        "torch_version",
        "created",
        "command",
        "machine",
        "device",
        "layout",
        "grid",
        "settings",
        "dt",
        "seed",
    ):
        assert name in tree.attrs
    assert tree.attrs["kind"] == "orbitscope probe" and tree.attrs["model"] == "conv" and tree.attrs["title"] == "a case"
    assert tree.attrs["model_parameters"] == sum(p.numel() for p in conv().parameters())
    assert osc.Layout.from_dict(json.loads(tree.attrs["layout"])).channel_names == ("velocity_x", "velocity_y")
    assert json.loads(tree.attrs["settings"])["metric"] == "gauss_newton"


def test_the_parts_are_those_of_the_instruments(tree: xr.DataTree, random_data: Make) -> None:
    """Nothing is computed another way."""
    model, data = conv(), random_data(trajectories=10)
    error = osc.equivariance(model, data, "c4", trajectories=8, times=1)
    np.testing.assert_array_equal(tree["C4/equivariance"]["commutator"], error["commutator"])
    shared = osc.influence(model, data, "c4", trajectories=2, times=1)
    np.testing.assert_array_equal(tree["C4/influence"]["influence"], shared["influence"])
    checked = osc.audit(data, "c4")
    np.testing.assert_array_equal(tree["C4/audit"]["p_value"], checked["p_value"])
    words = osc.verdict(osc.cyclic(4), error, shared, checked)
    assert tree["C4/verdict"].attrs["sentence_output"] == words.attrs["sentence_output"]


def test_pictures_are_of_one_transition(tree: xr.DataTree, random_data: Make) -> None:
    """x, gx, f(gx), g f(x), and the difference of the last two."""
    fields = tree["C4/fields"].dataset
    data = random_data(trajectories=10)
    x = data.state(fields.attrs["trajectory"], fields.attrs["time"])
    np.testing.assert_allclose(fields["state"], x, rtol=1e-6)
    np.testing.assert_allclose(fields["next_state"], data.state(fields.attrs["trajectory"], fields.attrs["time"] + 1), rtol=1e-6)
    action, model = osc.GridAction(data.layout, data.grid), conv()
    assert "e" not in fields["element"].values
    for name in fields["element"].values:
        g = osc.cyclic(4)[str(name)]
        with torch.no_grad():
            f_gx, g_fx = model(action(g, x)[None])[0], action(g, model(x[None])[0])
        one = fields.sel(element=name)
        np.testing.assert_allclose(one["gx"], action(g, x), rtol=1e-6)
        np.testing.assert_allclose(one["f_gx"], f_gx, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(one["g_fx"], g_fx, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(one["difference"], f_gx - g_fx, rtol=1e-4, atol=1e-6)


def test_saving_and_opening_changes_nothing(tree: xr.DataTree, tmp_path: Path) -> None:
    """Values, words, coordinates and attributes; also into a folder that is not there yet."""
    path = osc.save_probe(tree, tmp_path / "new" / "folder" / "probe.nc")
    again = osc.open_probe(path)
    assert [p.name for p in path.parent.iterdir()] == ["probe.nc"]
    assert {n.path for n in again.subtree} == {n.path for n in tree.subtree}
    for node in tree.subtree:
        other = again[node.path]
        assert set(other.dataset.variables) == set(node.dataset.variables)
        for name, written in node.dataset.variables.items():
            found = other.dataset[name]
            assert found.dims == written.dims and found.attrs == written.attrs
            if written.dtype.kind in "OUST":
                assert found.values.astype(str).tolist() == written.values.astype(str).tolist()
            else:
                np.testing.assert_array_equal(found.values, written.values)
        for name, value in node.attrs.items():
            assert np.array_equal(other.attrs[name], value), (node.path, name)
    path.unlink()  # the file is closed and in memory
    assert float(variable(again, "C4/equivariance/commutator").sum()) > 0


def test_the_file_is_netcdf(tree: xr.DataTree, tmp_path: Path) -> None:
    """Readable without this library."""
    path = osc.save_probe(tree, tmp_path / "probe.nc")
    with h5netcdf.File(path, "r") as file:
        assert file.attrs["kind"] == "orbitscope probe"
        assert file["C4/influence"].variables["influence"].dimensions == (
            "element", "bra_time", "bra_trajectory", "ket_time", "ket_trajectory",
        )  # fmt: skip


def test_an_existing_file_needs_force(little: xr.DataTree, tmp_path: Path) -> None:
    """And is whole, old or new, whatever happens."""
    path = tmp_path / "probe.nc"
    path.write_bytes(b"precious")
    with pytest.raises(osc.OrbitscopeError, match=r"probe\.nc exists.*--force"):
        osc.save_probe(little, path)
    assert path.read_bytes() == b"precious"
    osc.save_probe(little, path, force=True)
    assert osc.open_probe(path).attrs["title"] == "a case"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("late", [False, True])
def test_a_full_disk_or_an_interruption_loses_nothing(
    little: xr.DataTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, late: bool
) -> None:
    """Before, or after half of the file was written: the old file stays, no part is left."""
    path = tmp_path / "probe.nc"
    path.write_bytes(b"precious")

    def full(self: Path, content: bytes) -> None:
        if late:
            self.open("wb").close()
        raise error

    monkeypatch.setattr(Path, "write_bytes", full)
    expected = osc.OrbitscopeError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected, match="No space left" if isinstance(error, OSError) else None):
        osc.save_probe(little, path, force=True)
    assert os.listdir(tmp_path) == ["probe.nc"] and path.read_bytes() == b"precious"


def test_a_disk_that_really_fills(little: xr.DataTree, tmp_path: Path) -> None:
    """The limit on the size of a file stands for it; HDF5 writing to such a disk by itself crashes the process."""
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, before[1]))
    try:
        with pytest.raises(osc.OrbitscopeError, match=r"cannot write .*probe\.nc"):
            osc.save_probe(little, tmp_path / "probe.nc")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_made(little: xr.DataTree, tmp_path: Path) -> None:
    """A file in the way of the folder, a folder in the way of the file."""
    (tmp_path / "file").write_text("")
    with pytest.raises(osc.OrbitscopeError, match="cannot write"):
        osc.save_probe(little, tmp_path / "file" / "probe.nc")
    (tmp_path / "folder.nc").mkdir()
    with pytest.raises(osc.OrbitscopeError, match="cannot write"):
        osc.save_probe(little, tmp_path / "folder.nc", force=True)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.nc"]


def test_files_of_others_are_refused(little: xr.DataTree, tmp_path: Path) -> None:
    """A NetCDF file of something else, text, a truncated result, nothing, a folder."""
    xr.Dataset({"velocity": ("x", [1.0, 2.0])}).to_netcdf(tmp_path / "foreign.nc", engine="h5netcdf")
    (tmp_path / "text.nc").write_text("not a result")
    (tmp_path / "empty.nc").write_bytes(b"")
    whole = osc.save_probe(little, tmp_path / "probe.nc").read_bytes()
    (tmp_path / "short.nc").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "folder.nc").mkdir()
    for name, message in (
        ("foreign.nc", r"foreign\.nc is no probe result \(kind None\).*'orbitscope probe'"),
        ("text.nc", r"text\.nc cannot be read as a probe result"),
        ("empty.nc", r"empty\.nc cannot be read as a probe result"),
        ("short.nc", r"short\.nc cannot be read as a probe result"),
        ("folder.nc", r"folder\.nc cannot be read as a probe result"),
        ("absent.nc", r"there is no file .*absent\.nc"),
    ):
        with pytest.raises(osc.OrbitscopeError, match=message):
            osc.open_probe(tmp_path / name)


def test_large_groups_get_an_influence_for_some_elements_and_an_error_for_all(random_data: Make) -> None:
    """The first half of them next to each other, where strides show."""
    config = osc.ProbeConfig(trajectories=2, times=1, influence_elements=4, control=4, metric="euclidean")
    tree = osc.examine(conv(), random_data(points=8), "tx", config)
    assert tree["Tx8/equivariance"].sizes["element"] == 8
    assert variable(tree, "Tx8/influence/element").values.tolist() == ["0", "1", "4", "7"]
    assert "control" not in tree["Tx8/influence"]
    assert tree["Tx8/verdict"]["learning"].sel(element="2").item() == "undetermined"


def test_sampled_groups_can_be_probed(random_data: Make) -> None:
    """SO(2): interpolated elements have no control, everything else has."""
    tree = osc.examine(conv(), random_data(points=8, trajectories=10), "so2/8", CONFIG)
    assert np.isnan(tree["SO(2)-8/influence"]["control"]).sum() == 4
    assert tree["SO(2)-8"].attrs["group"] == "SO(2)/8"


def test_one_trajectory_gives_no_word_on_learning(random_data: Make) -> None:
    """And no warning."""
    tree = osc.examine(conv(), random_data(trajectories=1), "c2", CONFIG)
    sentence = "Undetermined on {r}: one trajectory has no other to compare with; at least 5 are needed for one element."
    assert tree["C2/verdict"].attrs["sentence_learning"] == sentence
    assert tree["C2/influence"].attrs["test"].startswith("none: one trajectory")
    assert set(variable(tree, "C2/verdict/learning").values) == {"undetermined"}


def test_no_group_is_a_mistake(random_data: Make) -> None:
    """An empty list would give an empty result."""
    with pytest.raises(osc.OrbitscopeError, match="`groups` is empty"):
        osc.examine(conv(), random_data(), [], CONFIG)


def test_progress_names_stages(random_data: Make) -> None:
    """Three stages per group, each to its end."""
    seen: list[tuple[str, int, int]] = []
    osc.examine(conv(), random_data(), "c2", CONFIG, progress=lambda *step: seen.append(step))
    assert seen == [(f"C2 {stage}", done, 2) for stage in ("audit", "equivariance", "influence", "step test") for done in (1, 2)]


def test_a_perfect_model_on_a_right_and_on_a_swapped_file(simulated: Make) -> None:
    """The trap, without training: the solver on its own file holds on D4; believing the swapped file, it holds on {e, r2, sr, sr3} only.

    The audit tells them apart, and refuses the second.
    """
    data = simulated("navier-stokes.gauss", trajectories=16)
    d4 = osc.dihedral(4)
    right = osc.verdict(d4, osc.equivariance(Solver(data.dt), data, d4), None, osc.audit(data, d4))
    assert right.attrs["learnt_order"] == 8 and set(right["data"].values) == {"symmetry of the physics and of the file"}
    wrong_file = data.swap_components()
    error = osc.equivariance(Solver(data.dt, swap=True), wrong_file, d4)
    wrong = osc.verdict(d4, error, None, osc.audit(wrong_file, d4))
    assert wrong.attrs["learnt_subgroup"] == "e, r2, sr, sr3" and wrong.attrs["sentence_data"].startswith("REFUSED")
    assert error["relative_error"].median("transition").sel(element="r").item() > 10
    assert wrong.attrs["sentence_next"].startswith("Convert the file (components swapped)")


def test_the_old_name_of_the_verb_warns_and_still_works(random_data):
    with pytest.warns(DeprecationWarning, match="examine"):
        tree = osc.probe(conv(), random_data(points=8), "c2", CONFIG)  # pyright: ignore[reportCallIssue]  # a package that can be called
    assert tree.attrs["kind"] == osc.examine(conv(), random_data(points=8), "c2", CONFIG).attrs["kind"]
    import orbitscope.probe as instruments

    assert instruments.shift_curve is osc.probe.shift_curve
