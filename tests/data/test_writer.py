"""Writer: interrupted runs go on, failed ones leave no final file."""

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.data import Trajectories, Writer, load, save
from orbitscope.data._pdegym import PDEgym
from orbitscope.symmetry import Grid, Layout

from ..narrow import dataset


def opened(path: Path, flow: Trajectories, **changes: Any) -> Writer:
    """A Writer for the seven trajectories of `flow`."""
    settings = {"layout": flow.layout, "grid": flow.grid, "dt": flow.dt, "trajectories": 7, "times": 5, "provenance": flow.provenance}
    return Writer(path, **{**settings, **changes})


@pytest.mark.parametrize("name", ["a.nc", "a.h5"])
def test_piece_by_piece(flow: Trajectories, tmp_path: Path, name: str) -> None:
    values = flow.tensor()
    with opened(tmp_path / name, flow) as writer:
        writer.write([5, 1], values[[5, 1]])
        writer.write(0, values[0])
        writer.write(torch.tensor([2, 3, 4, 6]), values[[2, 3, 4, 6]])
        assert writer.missing == [] and not (tmp_path / name).exists()
    assert [p.name for p in tmp_path.iterdir()] == [name]
    back = load(tmp_path / name)
    assert torch.equal(back.tensor(), values) and back.provenance == flow.provenance


@pytest.mark.parametrize("name", ["a.nc", "a.h5"])
def test_resume_after_an_exception(flow: Trajectories, tmp_path: Path, name: str) -> None:
    values = flow.tensor()
    with pytest.raises(KeyboardInterrupt), opened(tmp_path / name, flow) as writer:
        writer.write([1, 4], values[[1, 4]])
        raise KeyboardInterrupt
    assert [p.name for p in tmp_path.iterdir()] == [f"{name}.part"]
    with opened(tmp_path / name, flow) as writer:
        assert writer.missing == [0, 2, 3, 5, 6] and writer.complete.tolist().count(True) == 2
        for index in writer.missing:
            writer.write(index, values[index])
    assert torch.equal(load(tmp_path / name).tensor(), values)
    uninterrupted = save(flow, tmp_path / f"whole_{name}")
    with h5py.File(tmp_path / name) as a, h5py.File(uninterrupted) as b:
        variable = "velocity" if name == "a.nc" else "t1_fields/velocity"
        assert np.array_equal(dataset(a, variable), dataset(b, variable)) and dict(a.attrs).keys() == dict(b.attrs).keys()


KILLED = """
import os, signal, sys, torch
from orbitscope.data import Writer
from orbitscope.symmetry import Grid, Layout
writer = Writer(sys.argv[1], Layout.of("velocity:vector"), Grid.square(64), 0.05, 9, 5)
for i in range(9):
    writer.write(i, torch.full((5, 2, 64, 64), float(i)))
    if i == 5:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_resume_after_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "killed.nc"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL and not path.exists()
    with Writer(path, Layout.of("velocity:vector"), Grid.square(64), 0.05, 9, 5) as writer:
        assert writer.missing == [6, 7, 8]
        writer.write(writer.missing, torch.stack([torch.full((5, 2, 64, 64), float(i)) for i in writer.missing]))
    values = load(path).tensor()
    assert torch.equal(values, torch.arange(9.0)[:, None, None, None, None].expand_as(values))


def test_other_settings_are_refused(flow: Trajectories, tmp_path: Path) -> None:
    path = tmp_path / "a.nc"
    first = opened(path, flow)
    first.write(0, flow.tensor()[0])
    first.close()
    changes: list[dict[str, Any]] = [
        {"dt": 0.1}, {"provenance": {"equation": "navier-stokes", "seed": 1}}, {"trajectories": 8}, {"format": "the_well"},
        {"layout": Layout.of("u:scalar", "v:scalar")}, {"grid": Grid.square(8, boundary="wall")}, {"dtype": torch.float64},
    ]  # fmt: skip
    for change in changes:
        with pytest.raises(OrbitscopeError, match=f"other settings .*{next(iter(change))}.*--force"):
            opened(path, flow, **change)
    same = opened(path, flow, provenance={**flow.provenance, "created": "today", "machine": "this one"})
    assert same.missing == [1, 2, 3, 4, 5, 6]
    same.close()
    fresh = opened(path, flow, dt=0.1, force=True)
    assert len(fresh.missing) == 7
    fresh.close()


def test_leftovers_that_are_not_ours(flow: Trajectories, tmp_path: Path) -> None:
    part = tmp_path / "a.nc.part"
    part.write_text("a download that stopped")
    with pytest.raises(OrbitscopeError, match=r"cannot be read .*--force"):
        opened(tmp_path / "a.nc", flow)
    with h5py.File(part, "w") as file:
        file["x"] = 1
    with pytest.raises(OrbitscopeError, match=r"not written by orbitscope.*--force"):
        opened(tmp_path / "a.nc", flow)
    opened(tmp_path / "a.nc", flow, force=True).close()


def test_existing_path(flow: Trajectories, tmp_path: Path) -> None:
    path = save(flow[:2], tmp_path / "a.nc")
    for attempt in (lambda: opened(path, flow), lambda: save(flow, path)):
        with pytest.raises(OrbitscopeError, match=r"exists.*force=True \(--force\)"):
            attempt()
    assert len(load(path)) == 2
    save(flow, path, force=True)
    assert len(load(path)) == 7
    with opened(path, flow, force=True) as writer:
        writer.write(range(7), flow.tensor())
        assert len(load(path)) == 7  # the old one stays until the new one is whole
    with pytest.raises(OrbitscopeError, match="exists"):
        opened(tmp_path, flow, force=True)
    with pytest.raises(OrbitscopeError, match=r"folder .* does not exist"):
        opened(tmp_path / "no" / "a.nc", flow)


def test_a_lazy_file_can_be_saved_over_itself(flow: Trajectories, tmp_path: Path) -> None:
    path = save(flow, tmp_path / "a.nc")
    save(load(path).swap_components(), path, force=True)
    assert torch.equal(load(path).tensor(), flow.tensor()[:, :, [1, 0]])
    assert load(path).provenance["components_swapped"] is True


def test_two_writers_at_once(flow: Trajectories, tmp_path: Path) -> None:
    writer = opened(tmp_path / "a.nc", flow)
    code = (
        "import sys; from orbitscope.data import Writer; from orbitscope.symmetry import Grid, Layout\n"
        "Writer(sys.argv[1], Layout.of('velocity:vector'), Grid.square(8), 0.05, 7, 5, {'equation': 'navier-stokes'})"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.nc")], capture_output=True, text=True, timeout=120, check=False)
    assert f"a.nc is being written by process {os.getpid()}" in done.stderr and "since 2" in done.stderr
    for force in (False, True):  # the file that is being filled is not taken away either, and a second one here is no better
        with pytest.raises(OrbitscopeError, match="is being written by this process"):
            opened(tmp_path / "a.nc", flow, force=force)
    writer.close()
    assert [p.name for p in tmp_path.iterdir()] == ["a.nc.part"]


def test_full_disk(flow: Trajectories, tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk: the system refuses the bytes in the same way."""
    path, grid, values = tmp_path / "a.nc", Grid.square(64), torch.randn(3, 5, 2, 64, 64)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (250_000, hard))
    try:
        with pytest.raises(OrbitscopeError, match=r"disk .* is full"):
            Writer(path, flow.layout, grid, 0.1, 3, 5)
        with pytest.raises(OrbitscopeError, match=r"disk .* is full"):
            save(Trajectories(values, flow.layout, grid, 0.1), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
    with Writer(path, flow.layout, grid, 0.1, 3, 5) as writer:
        writer.write([0, 1, 2], values)
    assert torch.equal(load(path).tensor(), values)


def test_refused_in_the_middle(flow: Trajectories, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that breaks its promise of space (copy on write): no final file, and what was finished can be gone on with."""
    values, put = flow.tensor(), PDEgym.put

    def full(self: PDEgym, file: h5py.File, spec: Any, first: int, block: Any) -> None:
        if first <= 2 < first + len(block):
            raise OSError(errno.ENOSPC, "No space left on device")
        put(self, file, spec, first, block)

    monkeypatch.setattr(PDEgym, "put", full)
    with pytest.raises(OrbitscopeError, match=r"disk .* is full.*finished is in .*a.nc.part"), opened(tmp_path / "a.nc", flow) as writer:
        for i in range(7):
            writer.write(i, values[i])
    with pytest.raises(OrbitscopeError, match=r"disk .* is full"):
        save(flow, tmp_path / "b.nc")
    assert [p.name for p in tmp_path.iterdir()] == ["a.nc.part"]
    monkeypatch.undo()
    with opened(tmp_path / "a.nc", flow) as writer:
        assert writer.missing == [2, 3, 4, 5, 6]
        writer.write(writer.missing, values[2:])
    assert torch.equal(load(tmp_path / "a.nc").tensor(), values)


def test_too_large_for_the_disk_is_said_before(flow: Trajectories, tmp_path: Path) -> None:
    with pytest.raises(OrbitscopeError, match=r"needs .* TiB, and .* are free"):
        opened(tmp_path / "a.nc", flow, trajectories=10**12)
    assert list(tmp_path.iterdir()) == []


def test_bad_values_and_settings(flow: Trajectories, tmp_path: Path) -> None:
    writer = opened(tmp_path / "a.nc", flow)
    with pytest.raises(OrbitscopeError, match=r"should have shape \(5, 2, 8, 8\), got \(5, 3, 8, 8\)"):
        writer.write(0, torch.zeros(5, 3, 8, 8))
    with pytest.raises(OrbitscopeError, match="7 is out of range"):
        writer.write([7], torch.zeros(1, 5, 2, 8, 8))
    bad = torch.zeros(2, 5, 2, 8, 8)
    bad[1, 3, 1, 0, 2] = float("nan")
    with pytest.raises(OrbitscopeError, match=r"'velocity_y' is nan at trajectory 4, time 3, cell \(0, 2\)"):
        writer.write([2, 4], bad)
    assert len(writer.missing) == 7
    with pytest.raises(OrbitscopeError, match="7 of 7 trajectories were not written"):
        writer.commit()
    writer.close()
    with pytest.raises(OrbitscopeError, match="is closed"):
        writer.write(0, bad[0])
    for change, message in (
        ({"dt": 0.0}, "must be positive"),
        ({"dtype": torch.float16}, "`dtype`"),
        ({"format": "zarr"}, "pdegym, the_well"),
        ({"provenance": {"model": object()}}, "cannot be written as JSON"),
        ({"grid": Grid.square(8, ndim=3)}, "space dimensions"),
    ):
        with pytest.raises(OrbitscopeError, match=message):
            opened(tmp_path / "b.nc", flow, **change)
    assert not list(tmp_path.glob("b.nc*"))


def test_leaving_early_is_not_silent(flow: Trajectories, tmp_path: Path) -> None:
    with pytest.raises(OrbitscopeError, match="6 of 7 trajectories were not written"), opened(tmp_path / "a.nc", flow) as writer:
        writer.write(0, flow.tensor()[0])
    assert [p.name for p in tmp_path.iterdir()] == ["a.nc.part"]
    with opened(tmp_path / "a.nc", flow) as writer:
        writer.close()  # says: on purpose
    with pytest.raises(OrbitscopeError, match="no trajectory to save"):
        save(flow[:0], tmp_path / "b.nc")


def test_errors_inside_are_not_masked_by_an_unfinished_file(flow: Trajectories, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), opened(tmp_path / "a.nc", flow) as writer:
        writer.write(0, flow.tensor()[0])
        _ = 1 / 0


@pytest.mark.parametrize("name", ["a.nc", "a.h5"])
def test_provenance_of_any_size(flow: Trajectories, tmp_path: Path, name: str) -> None:
    """HDF5 attributes have a classic limit of 64 KiB."""
    provenance = {"scenario": "öfter", "table": [0.1 * i for i in range(20_000)], "parameters": {"nu": 0.1, "name": "x", "on": True}}
    assert load(save(flow.replace(provenance=provenance), tmp_path / name)).provenance == provenance


def test_numpy_values(flow: Trajectories, tmp_path: Path) -> None:
    with opened(tmp_path / "a.nc", flow) as writer:
        writer.write(np.arange(7), flow.tensor().double().numpy())
    assert torch.equal(load(tmp_path / "a.nc").tensor(), flow.tensor())
