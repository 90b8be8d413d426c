"""Comparisons and the test of distributions are calibrated: a small version of docs/make_calibration_changes.py, and its page."""

import importlib.util
import json
import sys

import pytest
from blocks import ROOT


@pytest.fixture(scope="module")
def script():
    sys.path[:0] = [str(ROOT / "docs"), str(ROOT / "tests" / "probe")]  # where the script finds its maps, too
    spec = importlib.util.spec_from_file_location("make_calibration_changes", ROOT / "docs" / "make_calibration_changes.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_large_change_is_seen_and_none_is_not(script):
    assert script.change(0.05, 0.5, 64, 3) == {"worse": 1.0, "better": 0.0} and script.change(0.5, 0.05, 64, 3)["better"] == 1.0
    assert script.change(0.02, 0.02, 16, 3) == {"worse": 0.0, "better": 0.0}
    assert script.noise(1.0, 1.0, 8, 2) == 1.0 and script.noise(1.0, 0.0, 8, 2) == 0.0


def test_the_page_is_that_of_its_numbers(script, tmp_path):
    stored = tmp_path / "docs" / "calibration"
    stored.mkdir(parents=True)
    (stored / "changes.json").write_text((ROOT / "docs" / "calibration" / "changes.json").read_text())
    assert script.main(["--page", "--root", str(tmp_path)]) == 0
    assert (tmp_path / "docs" / "calibration-changes.md").read_text() == (ROOT / "docs" / "calibration-changes.md").read_text()
    assert json.loads((stored / "changes.json").read_text())["count"] == script.COUNT
