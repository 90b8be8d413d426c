"""studies/trading: the tiny study from measuring to page and claims, a second start, and how differences are judged."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

STUDY = "trading"


@pytest.fixture(scope="module")
def study(script, tmp_path_factory):
    """A finished tiny study; tables of a second start from its tables alone are the same."""
    folder = tmp_path_factory.mktemp("study")
    words = ["--config", "tiny.toml", "--results", folder / "results", "--docs", folder / "docs", "--workers", 1]
    script(*words, "--out", folder / "out")
    first = {p.name: p.read_bytes() for p in (folder / "results").iterdir()}
    script(*words, "--out", folder / "elsewhere")
    return folder, first


def test_page_figures_tables_and_claims(study, modules):
    folder, first = study
    page = (folder / "docs" / "trading.md").read_text(encoding="utf-8")
    for words in (
        "All planned runs are here",
        "These data do not carry a claim",
        "sign of the first series alone",
        "verdict exact",
        "Of 8 comparisons",
        "against buy and hold",
        "seeds from 100 up",
    ):
        assert words in page, words
    for name in ("wealth", "fit"):
        assert (folder / "docs" / f"trading-{name}.png").read_bytes().startswith(b"\x89PNG")
    for path in (folder / "results").glob("*.csv"):
        assert path.read_bytes() == first[path.name], path.name
    again = json.loads((folder / "elsewhere" / "cases" / "rules" / "rules.json").read_text(encoding="utf-8"))
    assert set(again["tables"]) == {"months", "earned", "cost"}  # or the cost of a study would be that of its last start
    claims = modules("claims_of").claims(folder / "results")
    assert sum(c[3] for c in claims) == 1 and "of 8 comparisons" in claims[0][1]


def test_what_is_judged_is_the_year_after(study):
    folder, _ = study
    months = pd.read_csv(folder / "results" / "months.csv")
    assert sorted(set(months.month.str[:4])) == ["2016", "2017"] and len(set(months.month)) == 24
    earned = pd.read_csv(folder / "results" / "earned.csv")
    yearly = months[months.rule == "buy and hold"].net.sum() / 2
    held = earned[(earned.rule == "buy and hold") & (earned.at_cost == 5e-4)].iloc[0]
    assert held.net == pytest.approx(yearly, rel=0.01) and held.turnover == pytest.approx(0.5, rel=0.01)
    exact = earned[earned.arm == "exact-reflection*swap"]
    assert np.asarray(exact[["error_reflection", "error_swap"]]).max() < 1e-4 < earned[earned.arm == "plain"].error_swap.min()


def test_controls_are_found_and_the_account_is_exact(study):
    folder, _ = study
    found = pd.read_csv(folder / "results" / "distribution.csv").set_index("move")
    assert (found.loc[["sign of the first series alone", "sign of the second series alone"]].p < 0.01).all()
    assert set(pd.read_csv(folder / "results" / "account.csv").verdict) == {"exact"}


def test_the_test_of_a_symmetric_law_finds_nothing(modules):
    from orbitscope.systems.control import Market

    rng = np.random.default_rng(3)
    r = 0.01 * rng.normal(size=(2100, 1)) + 0.005 * rng.normal(size=(2100, 2))  # exchangeable, even, without memory
    made = Market(r, np.datetime64("2000-01-01") + np.arange(2100), ("a", "b"))
    found = {row["move"]: row["p"] for row in modules("market_symmetry").distribution(made, 21)}
    assert found["sign of the first series alone"] < 0.01
    assert min(v for k, v in found.items() if "alone" not in k and "quarter" not in k) > 0.01


def test_differences_are_judged_by_their_interval(modules):
    difference, rng = modules("comparing").difference, np.random.default_rng(0)
    noise, base = 0.01 * rng.normal(size=120), 0.05 * rng.normal(size=120)
    assert difference(base + 0.02 + noise, base, 500).word == "ahead"
    assert difference(base - 0.02 + noise, base, 500).word == "behind"
    assert difference(base + noise - noise.mean(), base, 500).word == "no significant difference"


def test_jobs_are_those_of_the_settings(modules):
    run = modules("run")
    jobs = run.jobs(run.read_settings(run.Settings, Path("small.toml"), run.HERE))
    assert len(jobs) == len({(key, experiment) for key, experiment, _ in jobs}) == 2 + 7 * 5
