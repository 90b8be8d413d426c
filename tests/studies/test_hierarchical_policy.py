"""studies/hierarchical_policy: the tiny study from demonstrations to page; its rules on hand-made numbers."""

import numpy as np
import pandas as pd
import pytest

STUDY = "hierarchical_policy"


@pytest.fixture(scope="module")
def study(script, tmp_path_factory):
    """A finished tiny study, and what its run printed."""
    folder = tmp_path_factory.mktemp("hep")
    where = ["--results", folder / "results", "--docs", folder / "docs", "--out", folder / "out", "--workers", 1]
    return folder, script("--config", "tiny.toml", *where), where


def test_page_figures_and_tables(study, script):
    folder, said, where = study
    page = (folder / "docs" / "hierarchical-policy.md").read_text(encoding="utf-8")
    for name in ("success", "tolerance"):
        assert (folder / "docs" / f"hierarchical-policy-{name}.png").stat().st_size > 3_000
    cells, turns, tolerance = (pd.read_csv(folder / "results" / f"{n}.csv") for n in ("cells", "turns", "tolerance"))
    assert set(cells["arm"]) == {"full", "flat diffusion", "nearest demonstration"} and set(cells["episodes"]) == {2}
    exact = turns[turns["motion"].isin(["quarter turn", "shift"]) & (turns["arm"] == "full")]
    assert np.max(exact["largest"]) < 1e-5
    assert turns["largest"].to_numpy()[(turns["motion"] == "quarter turn").to_numpy()].max() > 1e-3, "the flat policy does not turn along"
    influence = pd.read_csv(folder / "results" / "influence.csv")
    assert list(influence["element"]) == ["r1", "r2", "r3"] and set(influence["arm"]) == {"full"} and "shared across the orbit" in page
    assert set(influence["output"]) == {"exact up to rounding"} and np.abs(influence["response"] - 1).max() < 1e-4
    assert list(tolerance["error"]) == [0.0, 20.0] * 2 and "not judged with fewer than 3 seeds" in page
    assert (
        "button, full, 3 demonstrations, seed 0" in said
        and "nan" not in page
        and "None" not in page
        and "## Planned and not run" not in page
    )
    disturbed = pd.read_csv(folder / "results" / "disturbed.csv")
    assert list(disturbed["condition"]) == ["other colours", "clutter", "pushed"] and "## Other colours, clutter, a push" in page
    assert sorted(set(cells["demos"])) == [2, 3] and "## How many demonstrations" in page
    before = (folder / "results" / "cells.csv").read_bytes()
    assert "CPU s" not in script("--config", "tiny.toml", *where), "a second start computes nothing"
    assert (folder / "results" / "cells.csv").read_bytes() == before


def test_bars_are_judged_by_their_rules(modules):
    page = modules("page_bars")

    def cells(full: list[int], flat: list[int], task: str = "place") -> pd.DataFrame:
        rows = [("full", s, k) for s, k in enumerate(full)] + [("flat diffusion", s, k) for s, k in enumerate(flat)]
        return pd.DataFrame([{"task": task, "arm": a, "demos": 30, "seed": s, "successes": k, "episodes": 100} for a, s, k in rows])

    turns = pd.DataFrame(
        [{"task": "place", "arm": "full", "motion": "shift", "seed": s, "largest": e} for s, e in enumerate((1e-7, 2e-7, 1e-4))]
    )

    def row(table: pd.DataFrame, name: str) -> list[str]:
        return next(r for r in page.bars(table, turns, 0.04) if name in r[0])

    for full, word in (([90, 92, 94], "met"), ([20, 20, 22], "missed"), ([40, 20, 90], "not decided"), ([90, 91], "not judged with fewer")):
        assert row(cells(full, [10, 11, 12]), "flat diffusion")[-1].startswith(word)
    assert row(cells([90, 92, 94], [10, 11, 12]), "flat diffusion")[2].startswith("+81 (")
    assert row(cells([90, 92, 94], [10, 11, 12], "button"), "flat diffusion")[-1] == "not judged: a short task"
    assert row(cells([1], [1]), "shift")[-1] == "missed" and row(cells([1], [1]), "no hierarchy")[-1] == "not run"


def test_layouts_are_never_shared(modules):
    study = modules("study")
    place = study.Place.__new__(study.Place)
    settings = study.Settings("x", ["button"], [30, 100], [0, 1, 2], 100, 10, 8, 1, 1, 1.0, {}, 0.02, 9, [], [])
    place.settings = settings
    seen: dict[int, int] = {}
    for job in study.jobs(settings):
        _, first, count = place.demonstrations(job)
        for layout in range(first, first + count):
            assert seen.setdefault(layout, job.seed) == job.seed
    judged = set(range(study.JUDGED, study.JUDGED + 100)) | set(range(study.HELD, study.HELD + settings.held))
    assert not judged & set(seen) and set(study.ORDER) == set(study.ARMS)
