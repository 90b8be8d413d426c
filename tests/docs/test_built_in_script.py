"""benchmarks/built_in.py measures the table of docs/built-in.md, and the page says what was measured."""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import pytest
from blocks import ROOT

EXACT = 1e-12
PAGE = Path("docs") / "built-in.md"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("built_in", ROOT / "benchmarks" / "built_in.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["built_in"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["built_in"]


def between(script, text: str) -> str:
    return text.split(script.BEGIN)[1].split(script.END)[0].strip()


def holds(rows: list[dict]) -> None:
    """Exact where the table says so, and nowhere by the test being blind: the plain network fails every one."""
    for row in rows:
        errors = [row[name] for name in ("layer_error", "emulator_error") if row[name] is not None]
        approximate = "45°" in row["symmetry"] or "ladder" in row["symmetry"]
        assert approximate or max(errors) < EXACT, row
        assert row["plain"] is None or row["plain"] > 0.05, row
        assert max(errors) < 1 and (row["layer_error"] or 0) < 0.1, row


def test_the_page_says_what_was_measured(script):
    found = json.loads((ROOT / "benchmarks" / "results" / "built_in.json").read_text(encoding="utf-8"))
    assert between(script, (ROOT / PAGE).read_text(encoding="utf-8")) == script.table(found)
    holds(found["rows"])
    assert found["swapped"] > 0.1 and found["machine"] and found["date"]


def test_the_script_runs(script, tmp_path, monkeypatch):
    """On a coarser grid, into a copy; what is not between the markers stays."""
    monkeypatch.setattr(script, "POINTS", 16)
    monkeypatch.setattr(script, "GRID", script.LAW.grid(16))
    (tmp_path / PAGE).parent.mkdir()
    shutil.copy(ROOT / PAGE, tmp_path / PAGE)
    assert script.main(["--root", str(tmp_path)]) == 0
    before, after = ((root / PAGE).read_text(encoding="utf-8") for root in (ROOT, tmp_path))
    assert after.split(script.BEGIN)[0] == before.split(script.BEGIN)[0] and after.split(script.END)[1] == before.split(script.END)[1]
    found = json.loads((tmp_path / "benchmarks" / "results" / "built_in.json").read_text(encoding="utf-8"))
    assert between(script, after) == script.table(found) and found["grid"] == "16 x 16"
    exact = [row for row in found["rows"] if "45°" not in row["symmetry"] and "ladder" not in row["symmetry"]]
    holds(exact)
    kept = json.loads((ROOT / "benchmarks" / "results" / "built_in.json").read_text(encoding="utf-8"))
    assert [row["symmetry"] for row in found["rows"]] == [row["symmetry"] for row in kept["rows"]]


def test_a_page_without_its_place_is_refused(script, tmp_path):
    (tmp_path / PAGE).parent.mkdir()
    (tmp_path / PAGE).write_text("nothing")
    with pytest.raises(SystemExit, match="builds-in:begin"):
        script.write_between(tmp_path / PAGE, "x")
