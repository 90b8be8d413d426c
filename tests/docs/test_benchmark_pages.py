"""The benchmark pages say what the committed results say."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / "benchmarks" / "results"


@pytest.fixture(scope="module")
def pages():
    spec = importlib.util.spec_from_file_location("benchmark_pages", ROOT / "benchmarks" / "write_pages.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["influence", "layers", "galaxies", "planner"])
def test_page_is_what_the_script_writes(pages, name):
    results = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "benchmarks" / f"{name}.md").read_text(encoding="utf-8")
    assert getattr(pages, name)(results) == page


def test_a_missed_bar_is_said(pages):
    results = json.loads((RESULTS / "layers.json").read_text(encoding="utf-8"))
    assert "missed" not in pages.layers(results)
    results["training_steps"][0]["ratio"] = 1.4
    assert "1.4 (bar 1.15: missed)" in pages.layers(results)
