"""What the command line imports before there is work to do."""

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import orbitscope as osc

HEAVY = ("torch", "numpy", "scipy", "xarray", "h5py", "numba", "matplotlib", "plotly", "pandas", "lightning_fabric", "typeguard")
SCRIPT = f"""
import sys
from orbitscope.cli import main
from orbitscope.cli._verbs import TABLE

for words in (["--help"], ["--version"], *([verb, "--help"] for verb in TABLE)):
    assert main(words) == 0, words
    found = [name for name in {HEAVY} if name in sys.modules]
    assert not found, f"orbitscope {{' '.join(words)}} imports {{found}}"
"""


def test_no_help_imports_torch_or_any_other_heavy_library():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_stub_and_what_python_finds_are_one_list():
    """Type checkers and Python read the same file: every name in `__all__` is imported there, and nothing else beside the rooms."""
    tree = ast.parse(Path(str(osc.__file__)).with_suffix(".pyi").read_text(encoding="utf-8"))
    told = next(ast.literal_eval(n.value) for n in tree.body if isinstance(n, ast.Assign))
    assert sorted(told) == sorted(osc.__all__)
    assert all(getattr(osc, name) is not None for name in osc.__all__)
    assert set(osc.__all__) <= set(dir(osc)) and osc.training.fit and osc.data.load is osc.load


INTERRUPTED = """
import os, signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts with the signal ignored

class Stop:
    def find_spec(self, name, *_):
        if name == sys.argv[1]:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

import orbitscope.cli
sys.meta_path.insert(0, Stop())
sys.exit(orbitscope.cli.main(["audit", "none.nc", "--quiet"]))
"""


@pytest.mark.parametrize("where", ["orbitscope.cli._main", "tyro", "torch", "orbitscope.data"])
def test_an_interrupt_during_an_import_is_one_line(where):
    """A signal that comes at the very moment when a module is looked for: of the program, of the flags, of the libraries."""
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, where], capture_output=True, text=True)
    assert done.stderr == "interrupted. What was finished is kept: the same command goes on from there.\n"
    assert done.returncode == 1


def test_an_interrupt_while_a_file_is_written_leaves_what_the_same_command_goes_on_with(tmp_path, monkeypatch):
    """At the last moment, when all is written and not yet on the disk: a simulation, and a result that is there whole or not at all."""
    out, real = tmp_path / "ns.nc", os.fsync
    simulate = [
        "simulate",
        "navier-stokes.gauss",
        "--trajectories",
        "2",
        "--resolution",
        "8",
        "--frames",
        "2",
        "--out",
        str(out),
        "--quiet",
    ]
    audit = ["audit", str(out), "--group", "c2", "--no-screening", "--out", str(tmp_path / "audit.nc")]

    def stop(stream: int) -> None:
        monkeypatch.setattr(os, "fsync", real)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        for words, left in ((simulate, {"ns.nc.part"}), (audit, {"ns.nc"})):
            monkeypatch.setattr(os, "fsync", stop)
            assert osc.cli.main(words) == 1
            assert {path.name for path in tmp_path.iterdir()} == left
            assert osc.cli.main(words) == 0
    finally:
        signal.signal(signal.SIGINT, before)
    assert {path.name for path in tmp_path.iterdir()} == {"ns.nc", "audit.nc"}


LATE = """
import os, signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)

class Late:
    def __del__(self, kill=os.kill, process=os.getpid(), number=signal.SIGINT):
        kill(process, number)

late = Late()  # taken down with the modules, after Python has taken its handlers of signals away
from orbitscope.cli import main
sys.argv = ["orbitscope", "--version"]
sys.exit(main())
"""


def test_an_interrupt_after_the_work_is_done_changes_nothing():
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("orbitscope ")
