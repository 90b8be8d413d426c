"""What the command line imports before there is work to do."""

import ast
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
