"""Verbs and parts on a dask cluster of two workers of this machine: the same bits as alone, one cluster for the file."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import cloudpickle
import pytest
import xarray as xr

import orbitscope as osc
from orbitscope._executor import run_parts
from orbitscope._part import tell
from orbitscope.cli import main

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Its address, as `--cluster` takes it."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # pytest's modules have no name in a worker
    with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as found:
        yield found.scheduler_address.replace("tcp://", "dask://")
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("flow") / "ns.nc"
    assert main([*SIMULATE, "--out", str(out)]) == 0
    return out


SIMULATE = ["simulate", "navier-stokes.gauss", "--trajectories", "5", "--resolution", "8", "--frames", "3", "--t-end", "0.1", "--quiet"]


def folder_of(folder: Path) -> Path:
    return folder


def killed_once(folder: Path, part: int) -> int:
    tell("part", part)
    mark = folder / "killed"
    if part == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return part


def test_a_killed_workers_part_is_done_again_and_progress_is_told(cluster, tmp_path):
    told, seen = [], []
    parts = run_parts(
        cluster, range(6), killed_once, folder_of, (tmp_path,), finished=lambda *n: seen.append(n), hear=lambda *w: told.append(w)
    )
    assert list(parts) == list(range(6)) and (tmp_path / "killed").exists()
    assert seen[-1] == (6, 6) and set(told) <= {("part", k) for k in range(6)} and told


def test_simulate_and_audit_are_those_of_one_process(cluster, flow, tmp_path, capsys):
    assert main([*SIMULATE[:-1], "--out", str(tmp_path / "there.nc"), "--cluster", cluster]) == 0
    assert "simulate navier-stokes.gauss" in capsys.readouterr().err  # its progress
    with xr.open_dataset(flow) as one, xr.open_dataset(tmp_path / "there.nc") as other:
        assert one.equals(other)
    files = [str(flow), str(tmp_path / "there.nc")]
    codes = [main(["audit", *files, "--group", "c4", "tx2", "--out", str(tmp_path / f"{n}.nc"), *more]) for n, more in
             (("alone", []), ("shared", ["--cluster", cluster]))]  # fmt: skip
    assert codes[0] == codes[1]
    for name in ("ns", "there"):
        assert_same(osc.open_probe(tmp_path / f"alone.{name}.nc"), osc.open_probe(tmp_path / f"shared.{name}.nc"))


def test_a_probe_is_that_of_one_process(cluster, flow):
    data, model = osc.load(flow), osc.build("resnet", "small", channels_in=2, width=4, depth=1)
    config = osc.ProbeConfig(trajectories=4, times=1, steps=0)
    assert_same(osc.examine(model, data, "c2", config), osc.examine(model, data, "c2", config, executor=cluster))


def assert_same(one: xr.DataTree, other: xr.DataTree) -> None:
    changing = {"created": "", "command": ""}
    assert set(one.groups) == set(other.groups)
    for name in one.groups:
        a, b = (tree[name].to_dataset().assign_attrs(changing) for tree in (one, other))
        xr.testing.assert_identical(a, b)


def test_a_worker_with_other_versions_is_refused(cluster, monkeypatch):
    monkeypatch.setattr("torch.__version__", "1.0")
    with pytest.raises(osc.OrbitscopeError, match="cluster: the worker .* has other versions .torch .* there, 1.0 here"):
        osc.executor(cluster)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cluster", "10.0.0.1:8786"], "expected dask://host:port"),
        (["--cluster", "dask://127.0.0.1:9"], "no dask scheduler answers at 127.0.0.1:9"),
        (["--workers", "0"], "--workers: expected at least 1"),
        (["--workers", "2", "--cluster", "dask://a:1"], "--workers: .* --cluster"),
    ],
)
def test_wrong_places_are_refused_before_a_file_is_made(tmp_path, capsys, monkeypatch, words, said):
    monkeypatch.setattr("orbitscope._cluster._WAIT", 0.5)
    assert main([*SIMULATE[:-1], "--out", str(tmp_path / "a.nc"), *words]) == 2
    assert re.search(said, capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []


def test_without_dask_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(osc.OrbitscopeError, match=r"cluster: dask.distributed is not installed.*orbitscope\[cluster\]"):
        osc.executor("dask://localhost:8786")
