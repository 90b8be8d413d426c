"""studies/discovery: the tiny suite from data to page; its rules on hand-made numbers."""

import importlib

import numpy as np
import pandas as pd
import pytest

STUDY = "discovery"


@pytest.fixture(scope="module")
def study(script, tmp_path_factory):
    """A finished tiny suite, and what its run printed."""
    folder = tmp_path_factory.mktemp("discovery")
    where = ["--results", folder / "results", "--docs", folder / "docs", "--out", folder / "out", "--workers", 1]
    return folder, script("--config", "tiny.toml", *where), where


def test_page_figure_and_table(study):
    folder, said, _ = study
    page = (folder / "docs" / "discovery.md").read_text(encoding="utf-8")
    assert (folder / "docs" / "discovery-suite.png").stat().st_size > 10_000
    rows = pd.read_csv(folder / "results" / "suite.csv").to_dict("records")
    assert {r["method"] for r in rows} == {"gradient", "atlas", "adversarial"} and {r["case"] for r in rows} == {"circle", "nothing, plane"}
    assert "circle 0, seed 0: 1 of 1, so(2)" in said and "so(2) (1)" in page and "None" not in page and "nan" not in page
    (circle,) = [r for r in rows if (r["case"], r["method"], r["planted"]) == ("circle", "gradient", 0)]
    assert circle["found"] == 1 and circle["cosine"] > 0.99
    assert all(r["found"] == 0 for r in rows if r["case"] == "nothing, plane")


def test_a_second_start_computes_nothing(study, script):
    folder, _, where = study
    before = (folder / "results" / "suite.csv").read_bytes()
    assert "CPU s" not in script("--config", "tiny.toml", *where)
    assert (folder / "results" / "suite.csv").read_bytes() == before


def test_right_asks_for_number_span_and_name(modules):
    tables = modules("tables")
    whole = {"found": 2, "wanted": 2, "cosine": 0.999, "name": "a", "identified": "a"}
    wrong = [{"found": 1}, {"cosine": 0.9}, {"name": "b"}, {"name": np.nan}]
    assert tables.right(pd.DataFrame([whole, *({**whole, **w} for w in wrong)])).tolist() == [True, False, False, False, False]
    none = {"found": 0, "wanted": 0, "cosine": np.nan, "name": np.nan, "identified": np.nan}
    assert tables.right(pd.DataFrame([none, {**none, "found": 1}])).tolist() == [True, False]
    assert tables.share(pd.Series([True, True, False])) == "2 of 3 (9 to 99 %)"


@pytest.mark.parametrize("name", ["circle", "windmill", "distances"])
def test_rules_on_exact_maps_are_right(modules, name):
    """Nothing trained: all components, no wrong one; what is of the group passes, what is far from it does not; on a grid the truth."""
    calibration, study = modules("calibration"), modules("study")
    discover, data = importlib.import_module("orbitscope.discover"), importlib.import_module("orbitscope.data")
    case = study.EVERY[name]
    x = case.inputs(300, 0)
    made = data.Examples(x, case.function(x))
    asked = discover.Problem(discover.hypothesis(case.words, made), made, (case.module(),))
    rates = discover.rates(asked)
    evidence = discover.weigh(discover.Forms.of(rates), rates.moved, made.unit, draws=20)
    calibration.CANDIDATES = 8
    found, row, rule = calibration.component_rows(case, asked, case.algebra, 0.0)
    assert row["right"] == row["wanted"] == len(case.finite) and row["wrong"] == 0 and row["closed"]
    passed = {r["kind"]: r["passed"] / r["drawn"] for r in rule}
    assert passed["of the group"] == 1 and passed["off by 1"] == 0
    whole = calibration.discovery(asked, evidence, (0.0,), found.matrices)
    acts = calibration.grid_row(case, whole, True)
    assert acts["missed"] == acts["false"] == 0 and acts["wanted"] == {"circle": 31, "windmill": 3, "distances": 33}[name]
    # Without components the circle has its turns alone, the windmill nothing: both differ from the whole truth.
    bare = calibration.discovery(asked, evidence, (0.0,), found.matrices[:0])
    assert calibration.grid_row(case, bare, True)["missed"] == {"circle": 16, "windmill": 3, "distances": 16}[name]
    assert calibration.grid_row(case, bare, False)["missed"] == 0


def test_an_element_that_is_taken_out_of_the_group_lies_outside(modules):
    calibration, study = modules("calibration"), modules("study")
    discover, data = importlib.import_module("orbitscope.discover"), importlib.import_module("orbitscope.data")
    case = study.EVERY["masses"]
    x = case.inputs(20, 0)
    asked = discover.Problem(discover.hypothesis("gl4", made := data.Examples(x, case.function(x))), made, (case.module(),))
    inside, outside = calibration._spans(case, asked)
    assert len(inside) == 6 and len(outside) == 9  # with dilation all of gl(4)
    assert np.abs(np.trace(outside, axis1=1, axis2=2)).max() < 1e-12 and discover.principal_cosines(inside, case.algebra).min() > 1 - 1e-12
    assert discover.principal_cosines(outside, case.algebra).max() < 1e-6


def test_words_are_counted_against_the_truth(modules):
    page = modules("calibration_page")
    rows = [
        {"words": "exact broken", "wanted": 1},
        {"words": "exact approximate", "wanted": 1},
        {"words": "broken undetermined", "wanted": 1},
    ]
    found = page.directions(pd.DataFrame(rows))
    assert found["symmetric"].tolist() == [True, False] * 3 and found["run"].tolist() == [0, 0, 1, 1, 2, 2]
    text = page._words(pd.DataFrame(rows))
    assert "| of the symmetry | 3 | 2 | 0 | 0 | 1 | 0 |" in text and "| others | 3 | 0 | 1 | 1 | 1 | 0 |" in text
    assert text.count("1 of 3") == 2  # one run with a false alarm, one with a miss
    assert page.limited(pd.DataFrame({"angle": [np.nan, 11.9, 12.1]})).tolist() == [False, False, True]
