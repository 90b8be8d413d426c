"""studies/equivariant_planning: the tiny study from planning to page, a second start, and how differences are judged."""

import json
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
    assert len(jobs) == len({(key, experiment) for key, experiment, _ in jobs}) == 4 + 2 + 5 * 3 + 2 * 3 + 4 * 3 * 3


def test_results_of_another_config_stand_beside_those_of_small(modules, tmp_path):
    page = modules("write_page")
    for name, world in (("small", "reacher"), ("c2", "cartpole")):
        (tmp_path / name).mkdir()
        settings = {k: [] for k in ("tasks", "agents", "broken_tasks", "broken_agents")}
        settings |= {"suite_tasks": [world], "suite_agents": ["plain", "equivariant"]}
        (tmp_path / name / "meta.json").write_text(json.dumps({"settings": settings}))
        rows = [(world, a, k, 10.0 * (a == "plain") + k) for a in settings["suite_agents"] for k in range(3)]
        frame = pd.DataFrame(rows, columns=["world", "agent", "seed", "return"])
        frame.to_csv(tmp_path / name / "learning.csv", index=False)
        frame.assign(decision_error=0.0, parameters=1, seconds=1.0).to_csv(tmp_path / name / "learnt.csv", index=False)
    every = page.with_beside(tmp_path / "small")
    assert len(every) == 2 and len(page.with_beside(tmp_path / "c2")) == 1
    told = page._learning(every)
    assert (
        "| cartpole | equivariant networks, plain sampling | 0.0, 1.0, 2.0 |" in told and "On `cartpole`" in told and "On `reacher`" in told
    )
    assert "cartpole" not in page._left_out(every) and "cartpole" in page._left_out(every[:1])
    f = every[0]["learnt"]
    assert "was not run" in page._hard(f, ["reacher"]) and "ends at 12 of 1000" in page._hard(f, ["reacher"])
    hard = pd.concat([f, f.assign(world="reacher-hard", **{"return": f["return"] / 4})])
    assert "reacher-hard, with its small target, the best run (plain networks, plain sampling) ends at 3" in page._hard(
        hard, ["reacher", "reacher-hard"]
    )


def test_claims_are_those_of_the_tables(study, modules):
    folder, _ = study
    claims = modules("claims_of").claims(folder / "results")
    assert sum(c[3] for c in claims) >= 2 and claims[0][1].startswith("met: ")
    assert any("not judged with 2 seeds" in c[1] for c in claims) and not any(c[1].endswith(".") or "nan" in c[1] for c in claims)
    page = (folder / "docs" / "equivariant-planning.md").read_text(encoding="utf-8")
    assert "| point_mass | both |" in page and "As published, not measured here" in page
