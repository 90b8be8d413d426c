"""studies/cure: the tiny study from simulation to page; its rules on hand-made numbers; what reports quote comes from its results."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr

import orbitscope as osc

ROOT = Path(__file__).resolve().parent.parent.parent
STUDY = "cure"
HERE = ROOT / "studies" / STUDY
FIGURES = ("errors", "elements", "speed", "trade-off")
TABLES = {"alphas", "audit", "curve", "early", "elements", "runs", "trivial", "words"}


@pytest.fixture(scope="module")
def run(script):
    """The script in a folder; what it prints."""

    def start(folder, *more, config="tiny.toml", results=None):
        where = ["--results", results or folder / "results", "--docs", folder / "docs", "--package", folder / "cures.json"]
        return script("--config", config, *where, *more)

    return start


@pytest.fixture(scope="module")
def study(run, tmp_path_factory):
    """A finished tiny study, and what its run printed."""
    folder = tmp_path_factory.mktemp("cure")
    return folder, run(folder, "--out", folder / "out", "--workers", 1)


def test_page_figures_and_tables(study):
    folder, said = study
    page = (folder / "docs" / "cure.md").read_text(encoding="utf-8")
    for name in FIGURES:
        assert (folder / "docs" / f"cure-{name}.png").read_bytes().startswith(b"\x89PNG")
        assert f"cure-{name}.png" in page
    assert {p.stem for p in (folder / "results").glob("*.csv")} == TABLES
    for heading in ("What was found", "The file first", "The failure", "The cures", "The learning", "The trade-off", "Limits"):
        assert f"## {heading}" in page
    assert " nan" not in page.lower() and "symmetry of the physics" in page
    assert said.count(": training,") == 8 and said.count(": after,") == 2


def test_what_commutes_by_construction_says_so(study):
    """Strict, framed and averaged: coherence 1 on every element measured, and one error on all of the orbit."""
    frame = pd.read_csv(study[0] / "results" / "elements.csv")
    strict = frame[frame.treatment.isin(["strict", "framed", "averaging", "averaged", "framed_after"])]
    assert strict.treatment.nunique() == 5
    np.testing.assert_allclose(strict.response.dropna(), 1.0, atol=2e-3)
    spread = strict.groupby(["network", "treatment"]).error.agg(lambda v: v.max() / v.min())
    np.testing.assert_allclose(spread, 1.0, atol=1e-4)
    assert strict.commutator.max() < 1e-5
    plain = frame[(frame.treatment == "plain") & (frame.element == "r")]
    assert plain.commutator.min() > 1e-3


def test_validation_chooses_the_penalty(study, modules):
    """The weights measured are those of the alpha with the least validation error, and the table of choices says so."""
    folder, harness, cure = study[0], modules("harness"), modules("study")
    place = cure.Place(folder / "out", harness.read_settings(cure.Settings, Path("tiny.toml"), HERE))
    tried = pd.read_csv(folder / "results" / "alphas.csv")
    best = tried.alpha[tried.validation.idxmin()]
    assert sorted(tried.alpha) == sorted(place.settings.alphas) and (tried.treatment == "relaxed").all()
    run = next(r for r in cure.runs(place.settings) if r.treatment == "relaxed")
    assert place.trained(run) == place.run_folder(run, best)
    runs = pd.read_csv(folder / "results" / "runs.csv").set_index("treatment")
    assert runs.alpha["relaxed"] == best and runs.alpha.drop("relaxed").isna().all()


def test_skill_is_against_the_best_forecast_that_costs_nothing(modules):
    """By hand on four states, the first of which have none before them; and a network is judged by its median over seeds."""
    values = torch.randn(2, 4, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    found = modules("experiments").trivial_errors(osc.Trajectories(values, osc.Layout.of("a"), osc.Grid.square(4), 1.0))
    a, b, c, _ = values.unbind(1)
    said = {"persistence": [a, b, c], "increment": [a, 2 * b - a, 2 * c - b], "parabola": [a, 2 * b - a, 3 * c - 3 * b + a]}
    means = {name: np.mean([float(osc.smse(f, values[:, t + 1])) for t, f in enumerate(each)]) for name, each in said.items()}
    assert found == pytest.approx({name: mean / means["persistence"] for name, mean in means.items()}, rel=1e-5)
    frame = pd.DataFrame({"network": "unet", "treatment": ["plain"] * 3 + ["more"] * 3, "skill": [0.1, 0.2, 0.9, 0.4, 0.6, 0.6]})
    assert set(modules("tables").skilled(frame).treatment) == {"plain"}


def test_a_second_start_recomputes_nothing(study, run, undrawn):
    folder, _ = study
    before = {p: p.stat().st_mtime_ns for p in (folder / "out").rglob("*") if p.is_file() and p.name != "study.json"}
    kept = {name: (folder / name).read_bytes() for name in ("docs/cure.md", "cures.json")}
    said = run(folder, "--out", folder / "out", "--workers", 1)
    assert "training" not in said and "simulated" not in said
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert {name: (folder / name).read_bytes() for name in kept} == kept


def test_what_reports_quote_is_what_the_committed_results_say(run, undrawn, tmp_path):
    """Page and quoted file are made from the tables of the study, not by hand."""
    run(tmp_path, "--page-only", config="small.toml", results=HERE / "results" / "small")
    shipped = ROOT / "src" / "orbitscope" / "probe" / "cures.json"
    assert json.loads((tmp_path / "cures.json").read_text(encoding="utf-8")) == json.loads(shipped.read_text(encoding="utf-8"))
    assert (tmp_path / "docs" / "cure.md").read_bytes() == (ROOT / "docs" / "studies" / "cure.md").read_bytes()


def test_the_full_study_can_be_built(modules):
    """Every training of the largest config has a valid configuration and the same number of steps as its plain one."""
    harness, study = modules("harness"), modules("study")
    modules("models").known()
    for name in ("small.toml", "full.toml"):
        settings = harness.read_settings(study.Settings, Path(name), HERE)
        runs = study.runs(settings)
        assert [r.seed for r in runs] == sorted(r.seed for r in runs) and len(set(r.key for r in runs)) == len(runs)
        for one in runs:
            config = study.train_config(settings, one)
            assert config.epochs * settings.steps_per_epoch(one.treatment) == settings.steps(one.network)
            assert (config.augment is not None) == (one.treatment == "augmented")


def test_steps_to_a_level(modules):
    """Exact on an exponential, whatever the sampling; infinite where it is never reached; the first crossing counts."""
    reach = modules("tables").reach
    steps = np.array([0, 10, 40, 50, 100])
    curve = pd.DataFrame({"step": steps, "validation": np.exp(-0.05 * steps), "train": [np.nan, 1.0, 0.1, 1.0, 0.1]})
    assert reach(curve, "validation", float(np.exp(-0.05 * 33))) == pytest.approx(33)
    assert reach(curve, "validation", 1.0) == 0.0 and reach(curve, "validation", 1e-9) == np.inf
    assert reach(curve, "train", 0.1) == pytest.approx(40)


def test_missing_elements_need_the_physics_and_every_network(modules):
    """A broken element counts only where the audit gives it to the physics and all plain networks fail; no failure says so."""
    tables = modules("tables")
    found = tables.Tables.__new__(tables.Tables)
    dict.__init__(found)
    found.columns, found.meta = [], {"settings": {"unseen": "r"}}
    found["audit"] = pd.DataFrame(
        {"element": ["e", "r", "s", "sr"], "verdict": ["symmetry of the physics and of the file"] * 3 + ["not a symmetry"]}
    )
    rows = [("unet", {"e": 1, "r": 9, "s": 9, "sr": 9}), ("vit", {"e": 1, "r": 2, "s": 1.2, "sr": 9})]
    found["elements"] = pd.DataFrame(
        [{"network": n, "treatment": "plain", "seed": 0, "element": g, "relative_error": v} for n, r in rows for g, v in r.items()]
    )
    assert tables.missing(found) == (["r"], True)
    found["elements"]["relative_error"] = 1.0
    assert tables.missing(found) == (["r"], False)


def test_the_bootstrap_of_a_rank_correlation_is_a_plain_loop(modules):
    """Over rows, and over units of different sizes; constant draws and what is not finite left out; too few units give no interval."""
    spearman, rng = modules("harness").spearman, np.random.default_rng(0)
    a = rng.integers(3, size=9).astype(float)
    b = a + rng.normal(size=9)
    b[4] = np.nan
    a, b, kept = np.delete(a, 4), np.delete(b, 4), np.delete(np.arange(9), 4)
    for units in (None, np.array([0, 0, 0, 1, 2, 2, 3, 4, 5])):
        owner = np.arange(8) if units is None else units[kept]
        draw, drawn = np.random.default_rng(0), []
        for _ in range(50):
            parts = draw.integers(len(set(owner)), size=len(set(owner)))
            pick = np.concatenate([np.flatnonzero(owner == k) for k in parts])
            if np.ptp(a[pick]) > 0:
                drawn.append(spearmanr(a[pick], b[pick])[0])
        expected: Any = (spearmanr(a, b)[0], *np.quantile(drawn, [0.025, 0.975]))
        whole = (np.insert(v, 4, w) for v, w in ((a, 1.0), (b, np.nan)))
        np.testing.assert_allclose(spearman(*whole, resamples=50, units=units), expected, rtol=1e-12)
    value, low, high = spearman(a, b, units=np.arange(8) // 2)
    assert value == pytest.approx(spearmanr(a, b)[0]) and np.isnan([low, high]).all()
    assert np.isnan(spearman(np.ones(8), b)).all()


def test_correlations_compare_within_networks_only(modules):
    """Two networks at different levels, each with coupling up and error down: -1, though pooled values would say otherwise."""
    tables = modules("tables")
    rows = []
    for network, level in (("unet", 1.0), ("vit", 100.0)):
        for k, name in enumerate(("plain", "more", "augmented", "relaxed", "free")):
            for seed in range(3):
                x = 0.1 * k + 0.01 * seed
                couplings = dict.fromkeys(tables.COUPLINGS, x + level)
                outcomes = {"moved": level * (2 - x), "reach_validation": np.inf if k == 4 else level * (1 + x), "reach_train": 1.0}
                rows.append({"network": network, "treatment": name, "seed": seed, **couplings, **outcomes})
    found = tables.correlations(pd.DataFrame(rows)).set_index(["models", "coupling", "outcome"])
    error, steps = (found.loc[("all", "uniformity", name)] for name in ("moved", "reach_validation"))
    assert error["rank"] == pytest.approx(-1) and error.high < -0.9
    assert steps["rank"] > 0.95
    assert np.isnan(found.loc[("all", "uniformity", "reach_train"), "rank"])
    none = tables.correlations(pd.DataFrame(rows).iloc[:0])  # no network has skill
    assert len(none) == len(found) and none["rank"].isna().all()
