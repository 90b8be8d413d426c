"""One door to several processes: results in order and bit for bit, killed workers, messages, interrupts. Two workers for the file."""

import copy
import importlib
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cloudpickle
import pytest
import torch
import xarray as xr

import orbitscope as osc
from orbitscope._executor import run_parts
from orbitscope._part import tell
from orbitscope._whole import write_whole
from orbitscope._workers import Workers


@pytest.fixture(scope="module")
def pool() -> Iterator[Workers]:
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # as what a notebook defines: pytest's modules have no name in a worker
    with Workers(2) as pool:
        yield pool
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def prepare(folder: Path) -> Path:
    return folder


def square(folder: Path, part: int) -> int:
    tell("square", part)
    return part * part


def killed_once(folder: Path, part: int) -> int:
    """The worker of part 1 is killed the first time, in the middle of it."""
    mark = folder / "killed"
    if part == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return part


def killed_always(folder: Path, part: int) -> int:
    if part == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return part


def wrong(folder: Path, part: int) -> int:
    raise osc.OrbitscopeError(f"part: {part} is wrong.")


class Odd(Exception):
    """Cannot be rebuilt from its arguments, as not every library's can."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")


def odd(folder: Path, part: int) -> int:
    raise Odd(1, 2)


def test_results_come_in_order_with_what_was_told(pool, tmp_path):
    told, finished = [], []
    seen = {"finished": lambda *n: finished.append(n), "hear": lambda *w: told.append(w)}
    found = run_parts(pool, range(40), square, prepare, (tmp_path,), bundle=True, **seen)
    assert list(found) == [k * k for k in range(40)]
    assert finished[-1] == (40, 40) and set(told) <= {("square", k) for k in range(40)} and told


def test_alone_is_the_same_without_processes(tmp_path):
    told = []
    assert list(run_parts(None, range(3), square, prepare, (tmp_path,), hear=lambda *w: told.append(w))) == [0, 1, 4]
    assert told == [("square", k) for k in range(3)]


def test_the_part_of_a_killed_worker_is_done_again(pool, tmp_path):
    assert list(run_parts(pool, range(4), killed_once, prepare, (tmp_path,))) == [0, 1, 2, 3]
    assert (tmp_path / "killed").exists()


def test_a_part_that_always_kills_its_worker_is_named(pool, tmp_path):
    with pytest.raises(osc.OrbitscopeError, match="the part no. 1 has no result.*killed 3 times"):
        list(run_parts(pool, range(4), killed_always, prepare, (tmp_path,), name=lambda part: f"no. {part}"))


def test_a_probe_is_that_of_one_process(pool, tmp_path):
    """Every number and every word, for a network with an audit, on data that lie in a file."""
    values = torch.cat([v for _, v in osc.simulate("navier-stokes.gauss", trajectories=5, resolution=8, frames=3, t_end=0.1)])
    osc.save(osc.Trajectories(values, osc.Layout.of("velocity:vector"), osc.Grid.square(8), dt=0.05), tmp_path / "ns.nc")
    data = osc.load(tmp_path / "ns.nc")
    model = osc.build("resnet", "small", channels_in=2, width=4, depth=1)
    config, told = osc.ProbeConfig(trajectories=4, times=1, steps=0), []
    alone = osc.examine(model, data, ["c4", "tx2"], config)
    there = osc.examine(model, data, ["c4", "tx2"], config, executor=pool, progress=lambda *w: told.append(w))
    assert {stage for stage, _, _ in told} == {f"{g} {s}" for g in ("C4", "Tx2") for s in ("audit", "equivariance", "influence")}
    assert set(there.groups) == set(alone.groups)
    for name in alone.groups:
        one, other = (tree[name].to_dataset().assign_attrs(created="") for tree in (alone, there))
        xr.testing.assert_identical(one, other)


@pytest.mark.filterwarnings("ignore:.*isinstance.treespec:FutureWarning")  # torch's own, when an exported module is copied
def test_an_exported_program_goes_to_the_workers(pool, tmp_path):
    """As its archive and the tensors that it holds here, which may no longer be those of the file."""
    model = torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, 3, padding=1), torch.nn.SiLU(), torch.nn.BatchNorm2d(3), torch.nn.Conv2d(3, 2, 1)
    ).eval()
    program = torch.export.export(model, (torch.zeros(3, 2, 4, 4),), dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(program, tmp_path / "net.pt2")
    loaded = osc.load_model(tmp_path / "net.pt2")
    with torch.no_grad():
        next(loaded.parameters()).mul_(2)
    data = osc.Trajectories(torch.randn(3, 3, 2, 4, 4), osc.Layout.of("velocity:vector"), osc.Grid.square(4), dt=0.1)
    for instrument in (osc.equivariance, osc.influence):
        xr.testing.assert_equal(instrument(loaded, data, "c4", executor=pool), instrument(loaded, data, "c4"))
    assert torch.equal(next(copy.deepcopy(loaded).parameters()), next(pickle.loads(pickle.dumps(loaded)).parameters()))


@pytest.mark.parametrize(("where", "words"), [(0, "at least 1"), ("tcp://a:1", "dask://host:port"), (2.5, "expected a concurrent.futures")])
def test_what_is_no_executor_is_refused(where, words):
    with pytest.raises(osc.OrbitscopeError, match=words):
        next(osc.simulate("navier-stokes.gauss", trajectories=1, resolution=8, frames=2, executor=where))


@pytest.mark.parametrize(("work", "error", "words"), [(wrong, osc.OrbitscopeError, "is wrong"), (odd, RuntimeError, "Odd: 1 and 2")])
def test_errors_come_back_with_where_they_were_raised(pool, tmp_path, work, error, words):
    with pytest.raises(error, match=words) as caught:
        list(run_parts(pool, range(2), work, prepare, (tmp_path,)))
    assert any(work.__name__ in note for note in caught.value.__notes__)


def test_simulated_trajectories_are_those_of_one_process(pool):
    size = {"trajectories": 5, "resolution": 16, "frames": 3, "t_end": 0.1, "seed": 3}
    alone = list(osc.simulate("navier-stokes.gauss", **size))
    there = list(osc.simulate("navier-stokes.gauss", executor=pool, **size))
    assert [i for chunk, _ in there for i in chunk] == list(range(5)) and len(there) > len(alone)
    assert torch.equal(torch.cat([v for _, v in alone]), torch.cat([v for _, v in there]))


def writes_slowly(folder: Path, part: int) -> None:
    def write(path: Path) -> None:
        path.write_text("half")
        tell("half")
        time.sleep(60)

    write_whole(folder / "file.txt", write)


def test_an_interrupted_worker_takes_away_what_is_half_written(pool, tmp_path):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(run_parts(1, [0], writes_slowly, prepare, (tmp_path,), hear=stop))
    assert list(tmp_path.iterdir()) == []


STUDIES = Path(osc.__file__).parents[2] / "studies"


def case(place, job, deadline, tell):
    place.write_case(f"job-{job}", "square", {"job": job}, {"t": [{"square": job * job}]}, 0.0)
    tell(f"job {job}")


def test_the_jobs_of_a_study_go_through_the_same_door(pool, tmp_path, capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(STUDIES))
    harness = importlib.import_module("harness")
    place = harness.Folder(tmp_path, harness.argparse.Namespace())
    monkeypatch.setattr(place, "claim", lambda: None)
    harness.compute(place, case, range(3), pool, None, lambda: None)
    assert [c["tables"]["t"][0]["square"] for c in place.cases()] == [0, 1, 4]
    assert json.loads((tmp_path / "timing.json").read_text())["cases"] == 3
    said = capsys.readouterr().out
    assert all(f"job {k}" in said for k in range(3)) and "min, " in said


INTERRUPTED = """
import signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts with the signal ignored
from orbitscope.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""


def test_ctrl_c_while_workers_work_is_one_line_and_leaves_no_process(tmp_path):
    """The signal goes to the whole group, as from a terminal: to the workers, too, some of which are still starting."""
    out = tmp_path / "ns.nc"
    words = ["simulate", "navier-stokes.gauss", "--trajectories", "4000", "--resolution", "32", "--out", str(out), "--workers", "2"]
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTED, *words], stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 120
    while not (tmp_path / "ns.nc.part").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=120)[1]  # to the end of what any process of the group could say
    assert process.returncode == 1, said
    assert "Traceback" not in said and said.endswith("the same command goes on from there.\n"), said
    assert {p.name for p in tmp_path.iterdir()} == {"ns.nc.part"}  # which the same command goes on with
