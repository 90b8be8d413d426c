"""The shell block of the README runs from top to bottom in an empty folder."""

import pytest
from blocks import ROOT, blocks, commands, run, small

README = ROOT / "README.md"


def _contract():
    return next(b for b in blocks(README) if b.language == "bash" and "orbitscope simulate" in b.text)


def test_the_readme_shows_the_contract_commands():
    assert [" ".join(words) for words in commands(_contract())] == [
        "orbitscope simulate navier-stokes.gauss --trajectories 64 --resolution 64 --seed 0 --out ns.nc",
        "orbitscope train ns.nc --model unet --preset small --epochs 10 --out runs/unet",
        "orbitscope audit ns.nc --group d4",
        "orbitscope probe runs/unet ns.nc --group d4 --metric gauss_newton --out probe.nc",
        "orbitscope report probe.nc --out report.html",
    ]


def test_shrinking_replaces_the_sizes_and_keeps_the_rest():
    words = small(["orbitscope", "simulate", "x", "--trajectories", "64", "--resolution", "64", "--seed", "0", "--out", "ns.nc"])
    assert " ".join(words) == "simulate x --trajectories 8 --resolution 16 --seed 0 --out ns.nc --frames 4"
    assert small(["orbitscope", "probe", "a b", "--title", "two words"])[1:4] == ["a b", "--title", "two words"]


@pytest.mark.filterwarnings("ignore:.*isinstance.treespec:FutureWarning")
def test_readme_runs(tmp_path, monkeypatch):
    python, shell = run(README, tmp_path, monkeypatch)
    assert python == 2 and shell == 9
    assert {"ns.nc", "runs", "probe.nc", "report.html", "braid3-probe.nc", "braid3.html"} <= {p.name for p in tmp_path.iterdir()}
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
