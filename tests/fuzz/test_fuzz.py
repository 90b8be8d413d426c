"""A small part of benchmarks/robustness.py: changed inputs of fixed seeds through every door, kills, full disks, two writers."""

import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("needs fork and /proc", allow_module_level=True)

from doors import DOORS, Doors
from fuzzing import FAULTS, tally
from interrupted import INTERRUPTIONS

COUNTS = {"pt2": 4, "state": 12, "run": 12, "words": 1, "cli": 12, "toml": 16, "h5": 12, "bytes": 20, "foreign": 8, "zarr": 12}


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Doors:
    """The sound inputs."""
    return Doors(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("door", DOORS)
def test_changed_inputs_are_read_or_refused(doors: Doors, tmp_path: Path, door: str) -> None:
    log = tmp_path / "log"
    found = tally(doors(door), COUNTS[door], log)
    assert not any(found[fault] for fault in FAULTS), f"{dict(found)}\n{log.read_text()[-4000:]}"


@pytest.mark.parametrize("name", sorted(INTERRUPTIONS))
def test_interrupted_writing_leaves_whole_files(tmp_path: Path, name: str) -> None:
    assert not INTERRUPTIONS[name](tmp_path, range(4))
