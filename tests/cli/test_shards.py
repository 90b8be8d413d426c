"""A data set made in parts: the union equals the single run, bit for bit, values and attributes."""

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from orbitscope import OrbitscopeError
from orbitscope.cli import main
from orbitscope.data import Shard, Writer, assemble, load

SIZE = ["--trajectories", "5", "--resolution", "16", "--frames", "3", "--t-end", "0.1", "--seed", "3"]


def simulate(scenario: str, out: Path, *options: str) -> Path:
    assert main(["simulate", scenario, *SIZE, "--out", str(out), *options]) == 0
    return out


def everything(path: Path) -> tuple[dict, dict]:
    """All datasets as bytes, all attributes of the root."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: np.asarray(item[()])}) if isinstance(item, h5py.Dataset) else None)
        values = {k: (v.dtype, v.shape, v.tobytes() if v.dtype != object else v.tolist()) for k, v in found.items()}
        return values, {k: repr(v) for k, v in file.attrs.items()}


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    return [simulate("navier-stokes.gauss", tmp_path / f"part{k}.nc", "--shard", f"{k}/3") for k in (1, 2, 3)]


@pytest.mark.parametrize(("scenario", "suffix"), [("navier-stokes.gauss", ".nc"), ("euler.riemann", ".nc"), ("euler.riemann", ".h5")])
def test_the_union_of_shards_is_the_single_run(tmp_path: Path, scenario: str, suffix: str) -> None:
    whole = simulate(scenario, tmp_path / f"whole{suffix}", "--batch", "3")
    parts = [simulate(scenario, tmp_path / f"p{k}{suffix}", "--shard", f"{k}/2") for k in (2, 1)]
    assert main(["assemble", *map(str, parts), "--out", str(tmp_path / f"all{suffix}")]) == 0
    assert everything(tmp_path / f"all{suffix}") == everything(whole)


def test_a_part_says_what_it_is(parts: list[Path]) -> None:
    part = load(parts[1])
    assert part.trajectories == 2
    assert part.provenance["shard"] == {"number": 2, "of": 3, "first": 1, "trajectories_in_all": 5}


def test_a_part_resumes_and_refuses_another_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = simulate("navier-stokes.gauss", tmp_path / "a.nc", "--shard", "1/2")
    out.rename(tmp_path / "done.nc")
    (tmp_path / "a.nc.part").write_bytes(b"")
    assert main(["simulate", "navier-stokes.gauss", *SIZE, "--out", str(out), "--shard", "2/2"]) == 2
    assert "a.nc.part" in capsys.readouterr().err


def test_torchrun_ranks_make_a_part_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = simulate("navier-stokes.gauss", tmp_path / "ns.nc")
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        simulate("navier-stokes.gauss", tmp_path / "run.nc")
    names = sorted(p.name for p in tmp_path.glob("run*"))
    assert names == ["run.shard-1-of-2.nc", "run.shard-2-of-2.nc"]
    assemble([tmp_path / n for n in names], tmp_path / "all.nc")
    assert everything(tmp_path / "all.nc") == everything(whole)


def test_under_the_real_torchrun(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "orbitscope"]
    command += ["simulate", "navier-stokes.gauss", *SIZE, "--out", "run.nc"]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.shard-1-of-2.nc", "run.shard-2-of-2.nc"]


def test_missing_repeated_and_strange_parts_are_named(parts: list[Path], tmp_path: Path) -> None:
    first, second, third = parts
    out = tmp_path / "all.nc"
    with pytest.raises(OrbitscopeError, match="part 2/3 is missing"):
        assemble([first, third], out)
    with pytest.raises(OrbitscopeError, match="both part 1/3"):
        assemble([first, second, third, first], out)
    other = simulate("navier-stokes.gauss", tmp_path / "other.nc", "--shard", "2/3", "--refine", "2")
    with pytest.raises(OrbitscopeError, match="different data sets.*refine"):
        assemble([first, other, third], out)
    whole = simulate("navier-stokes.gauss", tmp_path / "whole.nc")
    with pytest.raises(OrbitscopeError, match="one is a part"):
        assemble([first, second, whole], out)
    with pytest.raises(OrbitscopeError, match="exists"):
        assemble(parts, whole)
    assert not out.exists()


def test_files_that_are_no_parts_follow_each_other(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    values = random.standard_normal((4, 3, 2, 8, 8)).astype(np.float32)
    for k in range(2):  # as PDEgym distributes them: numbered, one variable, nothing else
        with h5py.File(tmp_path / f"velocity_{k}.nc", "w") as file:
            file["velocity"] = values[2 * k : 2 * k + 2]
    whole = load(assemble([tmp_path / "velocity_0.nc", tmp_path / "velocity_1.nc"], tmp_path / "all.nc"))
    assert np.array_equal(whole.tensor().numpy(), values)
    assert whole.provenance["assembled"] == ["velocity_0.nc", "velocity_1.nc"]


def test_an_interrupted_assembly_goes_on(parts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, seen = Writer.write_stored, []
    monkeypatch.setattr("orbitscope.data._shard._COPY_BYTES", 1)  # one trajectory at a time

    def stop(self: Writer, index: int, stored: dict) -> None:
        if len(seen) == 3:
            raise KeyboardInterrupt
        seen.append(index)
        write(self, index, stored)

    monkeypatch.setattr(Writer, "write_stored", stop)
    with pytest.raises(KeyboardInterrupt):
        assemble(parts, tmp_path / "all.nc")
    monkeypatch.setattr(Writer, "write_stored", lambda self, i, s: (seen.append(i), write(self, i, s)))
    assemble(parts, tmp_path / "all.nc")
    assert seen == [0, 1, 2, 3, 4]
    whole = simulate("navier-stokes.gauss", tmp_path / "whole.nc")
    assert everything(tmp_path / "all.nc") == everything(whole)


@pytest.mark.parametrize("text", ["3", "0/4", "5/4", "a/b", "1/0", "-1/3"])
def test_wrong_shards(text: str) -> None:
    with pytest.raises(OrbitscopeError, match="K/N|K <= N"):
        Shard.parse(text)


@pytest.mark.parametrize(("trajectories", "count"), [(8, 3), (16, 16), (17, 16), (100, 7)])
def test_blocks_are_disjoint_complete_and_even(trajectories: int, count: int) -> None:
    blocks = [Shard(k, count).indices(trajectories) for k in range(1, count + 1)]
    assert [i for b in blocks for i in b] == list(range(trajectories))
    assert max(map(len, blocks)) - min(map(len, blocks)) <= 1
    with pytest.raises(OrbitscopeError, match="fewer parts"):
        Shard(1, count).indices(count - 1)
