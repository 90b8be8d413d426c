"""studies/mesh_topology: the tiny study from shapes to page; its rules on hand-made numbers."""

import numpy as np
import pandas as pd
import pytest

STUDY = "mesh_topology"


@pytest.fixture(scope="module")
def study(script, tmp_path_factory):
    """A finished tiny study, and what its run printed."""
    folder = tmp_path_factory.mktemp("mesh_topology")
    (folder / "docs").mkdir()
    where = ["--results", folder / "results", "--docs", folder / "docs", "--out", folder / "out", "--workers", 1]
    return folder, script("--config", "tiny.toml", *where), where


def test_page_figures_and_tables(study):
    folder, said, _ = study
    page = (folder / "docs" / "mesh-topology.md").read_text(encoding="utf-8")
    assert "**Seeds were added**: seeds 0 had left" in page and "those that were added (2) give" in page
    assert (folder / "docs" / "mesh-topology-moves.png").exists() and (folder / "docs" / "mesh-topology-pretraining.png").exists()
    assert "nan" not in page and "None" not in page and "15 of 15 planned runs" in page and said.count("nMSE") == 15
    errors = pd.read_csv(folder / "results" / "errors.csv")
    exact = errors.query("exact == 1 and move != 'e'")
    assert exact["truth_change"].to_numpy().max() < 1e-9 < errors["truth_change"].to_numpy().max()
    assert exact.query("model == 'integral'")["drift"].to_numpy().max() < 1e-4
    assert not errors.loc[errors["move"] == "e", "drift"].to_numpy().any()
    bars = pd.read_csv(folder / "results" / "simulator.csv")
    assert len(bars) == 4 and bool((bars["value"].to_numpy() <= bars["bar"].to_numpy()).all())
    assert sorted(p.name for p in (folder / "out" / "pretraining").iterdir()) == [f"autoencoder-graph-seed{s}" for s in (0, 1, 2)]


def test_a_second_start_computes_nothing(study, script):
    folder, _, where = study
    before = (folder / "results" / "errors.csv").read_bytes()
    assert "CPU s" not in script("--config", "tiny.toml", *where)
    assert (folder / "results" / "errors.csv").read_bytes() == before


def test_the_words_follow_the_intervals(modules):
    tables = modules("tables")
    one = pd.Series([1.0, 1.0, 1.0], index=[0, 1, 2])
    assert tables.word(tables.ratio(one * [2.0, 2.1, 1.9], one), below=False) == "agrees"
    assert tables.word(tables.ratio(one * [2.0, 2.1, 1.9], one)) == "contradicts"
    assert tables.word(tables.ratio(one * [0.5, 2.0, 1.0], one)) == "undetermined"
    assert tables.word(tables.ratio(one[:2], one)) == "not judged"
    value, low, high = tables.ratio(one * [0.5, 0.5, 0.6], one)
    assert low < value < high < 1 and np.isclose(value, (0.5 * 0.5 * 0.6) ** (1 / 3))


def test_the_summary_takes_exact_moves_alone(modules):
    tables = modules("tables")
    rows = [("e", 1, 0.3, 0.0), ("split_30", 1, 0.5, 0.1), ("midpoint", 1, 0.7, 0.3), ("remesh_200", 0, 9.0, 9.0)]
    key = {"model": "graph", "pretext": "none", "augmented": 0, "labels": 1.0, "seed": 0}
    frame = pd.DataFrame([{**key, "move": m, "exact": e, "nmse": n, "drift": d} for m, e, n, d in rows])
    (found,) = tables.summary(frame).to_dict("records")
    assert found["plain"] == 0.3 and np.isclose(found["moved"], 0.6) and found["moved_most"] == 0.7 and np.isclose(found["drift"], 0.2)


def test_a_planted_breaking_carries_its_share(modules):
    import torch

    calibration = modules("calibration")
    truth, even, plain, moved = torch.randn(4, 50, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for share in (0.02, 0.3):
        first, second = calibration.planted(truth, even, plain, moved, share).chunk(2)
        centre = (first + second) / 2
        breaking = (first - centre).square().sum() + (second - centre).square().sum()
        assert np.isclose(float(breaking / ((first - truth).square().sum() + (second - truth).square().sum())), share)


def test_words_of_planted_breakings_and_ratios_are_counted(modules):
    calibration = modules("calibration")
    rows = pd.DataFrame(calibration.verdicts(2, 24, ("box", "wedge"), 112))
    assert len(rows) == len(calibration.MOVES) * len(calibration.SHARES) * len(calibration.UNITS)
    large, small = rows.query("size == 0.2"), rows.query("size == 0.025 and units == 32")
    assert np.all(rows["first"] + rows["other"] <= 2) and not np.any(large["other"]) and np.any(large["first"])
    assert not np.any(small["first"])
    rng, key = np.random.default_rng(0), {"model": "graph", "augmented": 0, "labels": 1.0}
    runs = pd.DataFrame([
        {**key, "pretext": p, "seed": s, "plain": 1.0, "moved": np.exp(0.3 + 0.01 * rng.normal()), "drift": np.exp(0.5 * rng.normal())}
        for p in ("none", "masked") for s in range(3)
    ])  # fmt: skip
    assert abs(calibration.scatter(runs, "cost").mean()) < 1e-12  # settings' means are taken out
    counted = pd.DataFrame(calibration.ratios(runs, 400)).set_index(["what", "size"])
    assert counted.loc[("cost", 1.5), "first"] == 400 and counted.loc[("cost", 1.0), "first"] < 60
    assert counted.loc[("drift", 1.0), "first"] < 60 and counted.loc[("drift", 0.25), "other"] <= counted.loc[("drift", 1.0), "other"]
