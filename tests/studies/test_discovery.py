"""studies/discovery: the tiny suite from data to page; its rules on hand-made numbers."""

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
