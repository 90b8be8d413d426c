"""The words on the learning are calibrated: a fast version of docs/make_calibration_learning.py, and its page."""

import importlib.util
import json
import sys

import pytest
from blocks import ROOT


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_calibration_learning", ROOT / "docs" / "make_calibration_learning.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def test_false_words_are_rare_whatever_is_correlated(script):
    """Any false word in at most 5 % of draws: 40 draws of two planted nulls, at most 7 (binomial, one in 1000 beyond it)."""
    for case in script.NULLS[1:4:2]:
        assert script.false_words(case, 6, 40, seed=7)["rate"] <= 7 / 40, case.words
    assert script.false_words(script.NULLS[1], 5, 10)["undetermined"] == 1.0


def test_planted_sharing_is_found_in_both_directions(script):
    for excess in (0.6, -0.6):
        found = script.power(excess, 8, 6, seed=5)
        assert found["right"] >= 0.8 and found["opposite"] == 0.0


def test_planted_numbers_are_what_they_say(script):
    """The excess that is planted is the excess that is measured, and the null is the coherence of unrelated states."""
    import numpy as np

    case = script.Planted("both", sharing=(0.6,), common=0.5)
    values = case.coherence(60, np.random.default_rng(0)).values[:, 0, :, 0, :]
    apart = ~np.eye(60, dtype=bool)
    assert np.median(values[2][apart]) == pytest.approx(0.5, abs=0.08)
    plain = script.Planted("sharing", sharing=(0.6,)).coherence(60, np.random.default_rng(0)).values[1, 0, :, 0, :]
    assert np.median(plain.diagonal()) - np.median(plain[apart]) == pytest.approx(0.6, abs=0.08)


def test_the_page_is_written_from_the_stored_numbers(script, tmp_path):
    """Small run: numbers stored, table between the markers, the rest untouched; again from the numbers alone."""
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs" / "calibration-learning.md"
    page.write_text(f"head\n\n{script.BEGIN}\nold\n{script.END}\ntail\n")
    assert script.main(["--draws", "2", "--sizes", "3", "6", "--root", str(tmp_path)]) == 0
    stored = json.loads((tmp_path / "docs" / "calibration" / "learning.json").read_text())
    assert stored["sizes"] == [3, 6] and stored["draws"] == 2 and stored["machine"]
    first = page.read_text()
    assert first.startswith("head\n\n" + script.BEGIN) and first.endswith(script.END + "\ntail\n") and "old" not in first
    assert script.main(["--from-json", "--root", str(tmp_path)]) == 0 and page.read_text() == first
