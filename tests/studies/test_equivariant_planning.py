"""studies/equivariant_planning: the tiny study from planning to page, a second start, and how differences are judged."""

from pathlib import Path

import pandas as pd
import pytest

STUDY = "equivariant_planning"


@pytest.fixture(scope="module")
def study(script, tmp_path_factory):
    """A finished tiny study, and the words of a second start from its tables alone."""
    folder = tmp_path_factory.mktemp("study")
    words = ["--config", "tiny.toml", "--results", folder / "results", "--docs", folder / "docs", "--workers", 1]
    script(*words, "--out", folder / "out")
    first = {p.name: p.read_bytes() for p in (folder / "results").iterdir()}
    script(*words, "--out", folder / "elsewhere")  # cases are written again from the tables; nothing is computed
    return folder, first


def test_page_figures_and_tables(study):
    folder, first = study
    page = (folder / "docs" / "equivariant-planning.md").read_text(encoding="utf-8")
    for words in (
        "All planned runs are here",
        "A tie that cannot be broken",
        "not judged with 2 seeds",
        "equal base samples",
        "| met |",
        "seed 100",
    ):
        assert words in page, words
    for name in ("obstacle", "learning"):
        assert (folder / "docs" / f"equivariant-planning-{name}.png").read_bytes().startswith(b"\x89PNG")
    assert {p.stem for p in (folder / "results").glob("*.csv")} == {"cost", "learning", "learnt", "obstacle", "planning"}
    for path in (folder / "results").glob("*.csv"):
        assert path.read_bytes() == first[path.name], path.name
    planning = pd.read_csv(folder / "results" / "planning.csv")
    assert (
        planning[planning.group.isin(["d4", "d8"])].decision_error.max()
        < 1e-12
        < 1e-3
        < planning[planning.group == "none"].decision_error.min()
    )
    assert set(planning[planning.budget == "equal base samples"].rollouts) == {2, 4, 16, 32}


def test_differences_are_judged_seed_by_seed(modules, tmp_path):
    judged = modules("write_page").judged
    rows = [
        (agent, seed, value + 0.1 * seed)
        for seed in range(3)
        for agent, value in (("plain", 1.0), ("equivariant", 2.0), ("augmented", 1.0))
    ]
    frame = pd.DataFrame(rows, columns=["agent", "seed", "return"]).assign(world="ball2d", step=10)
    frame.loc[(frame.agent == "augmented") & (frame.seed == 0), "return"] += 1
    frame.loc[(frame.agent == "augmented") & (frame.seed == 1), "return"] -= 1
    words = judged({"learning": frame}, "ball2d")
    assert "equivariant networks, plain sampling: ahead in all 3 seeds, +1.0" in words and "no clear difference" in words
    assert "not judged with 2 seeds" in judged({"learning": frame[frame.seed < 2]}, "ball2d")
    assert judged({"learning": frame}, "ball3d") == ""


def test_jobs_are_those_of_the_settings(modules):
    run = modules("run")
    settings = run.read_settings(run.Settings, Path("small.toml"), run.HERE)
    jobs = run.jobs(settings)
    assert len(jobs) == len({(key, experiment) for key, experiment, _ in jobs}) == 4 + 2 + 5 * 3 + 2 * 3 + 4 * 2 * 3


def test_claims_are_those_of_the_tables(study, modules):
    folder, _ = study
    claims = modules("claims_of").claims(folder / "results")
    assert sum(c[3] for c in claims) >= 2 and claims[0][1].startswith("met: ")
    assert any("not judged with 2 seeds" in c[1] for c in claims) and not any(c[1].endswith(".") or "nan" in c[1] for c in claims)
    page = (folder / "docs" / "equivariant-planning.md").read_text(encoding="utf-8")
    assert "| point_mass | both |" in page and "As published, not measured here" in page
