"""studies/denoising_hamiltonian: the tiny studies from simulation to page, how bars are judged and questions answered."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
STUDY = "denoising_hamiltonian"


@pytest.fixture(scope="module")
def study(script, tmp_path_factory):
    """Both finished tiny studies, and the tables of the first before a second start."""
    folder = tmp_path_factory.mktemp("study")
    words = ("--docs", folder / "docs", "--workers", 1)
    small = ("--config", "tiny.toml", "--results", folder / "results" / "small", "--out", folder / "small", *words)
    script(*small, "--models", "dhn/refine")
    before = (folder / "docs" / "denoising-hamiltonian.md").read_text(encoding="utf-8")
    script(*small)
    first = {p.name: p.read_bytes() for p in (folder / "results" / "small").iterdir()}
    script(*small)
    script("--config", "tiny-double.toml", "--results", folder / "results" / "double", "--out", folder / "double", *words)
    return folder, first, before


def test_page_figures_and_tables(study):
    folder, first, before = study
    page = (folder / "docs" / "denoising-hamiltonian.md").read_text(encoding="utf-8")
    for name in ("errors", "valid"):
        assert (folder / "docs" / f"denoising-hamiltonian-{name}.png").read_bytes().startswith(b"\x89PNG")
    for words in (
        "Bars for the consistent variant", "Super-resolution", "What is kept", "missed by 1 of 1 seeds", "All planned runs are here.",
        "All planned runs are here, double pendulum", "Fewer than 3 seeds judge nothing", "## Double pendulum", "Frames behind noise",
        "Are the spreads right?",
        "teach its mirror", "not judged, 1 of 3 seeds", "published start, chaotic: median valid time in Lyapunov times | ≥ 1.7 | –",
    ):  # fmt: skip
        assert words in page, words
    tables = {"calibration", "cost", "energy", "forecast", "influence", "probe", "refine", "solve", "structure"}
    assert {p.stem for p in (folder / "results" / "small").glob("*.csv")} == tables
    assert {p.stem for p in (folder / "results" / "double").glob("*.csv")} == {*tables - {"influence"}, "chaos"}
    assert first == {p.name: p.read_bytes() for p in (folder / "results" / "small").iterdir()}  # a later start finds all done
    assert "not trained yet: midpoint generating function (all seeds)." in before and "not measured" in before
    assert "The double pendulum was not trained" in before


def test_what_is_measured(study):
    folder, *_ = study
    read = lambda config, name: pd.read_csv(folder / "results" / config / f"{name}.csv")  # noqa: E731
    structure = read("small", "structure").set_index("model")
    assert structure.reversal16["hamiltonian_map"] < 1e-10 < structure.reversal16["dhn/refine"]
    assert structure.defect16["hamiltonian_map"] < 1e-10
    filled = read("small", "refine")
    assert set(filled[filled.method == "map"].groupby("model").known.nunique().items()) == {("hamiltonian_map", 3), ("dhn/refine", 1)}
    assert set(read("small", "calibration").ensemble) == {"codes", "denoising"} and set(read("small", "probe").codes) == {
        "fit",
        "reader",
        "mixed",
    }
    taught = read("small", "influence").set_index(["model", "symmetry"])
    built_in = taught.loc[("hamiltonian_map", "reversal")]
    assert built_in.commutator < 1e-12 and built_in.response > 0.999 and taught.commutator["dhn/refine", "reversal"] > 1e-6
    chaos = read("double", "chaos")
    assert chaos[chaos.kind == "chaotic"].exponent.between(0.25, 3).all() and (chaos.seconds >= 0).all()
    assert chaos.groupby("start").trajectories.sum().to_dict() == {"published start": 2, "near it": 4}


def test_bars_are_judged_by_every_seed(modules):
    bar = modules("write_page").Bar
    seeds = lambda *values: lambda t: pd.Series(values)  # noqa: E731
    assert bar("x", seeds(1.0, 2.0), 2.0).judged({})[-1] == "met"
    assert bar("x", seeds(1.0, 3.0), 2.0).judged({})[-1] == "missed by 1 of 2 seeds, worst 1.5 of the bar"
    assert bar("x", seeds(1.0, 3.0), 2.0, True).judged({})[-1].startswith("missed by 1 of 2 seeds, worst 0.5")
    assert bar("x", seeds(), 2.0).judged({})[-1] == "not measured"


def test_questions_are_answered_by_ratios_seed_by_seed(modules):
    names = modules("page_names")
    frame = pd.DataFrame({"seed": [0, 1, 2] * 2, "model": ["a"] * 3 + ["b"] * 3, "v": [2.0, 4.2, 8.1, 1, 2, 4]})
    found = names.ratios(frame, "v", "a", "b")
    assert np.allclose(found, [2, 2.1, 2.025]) and names.times(found).endswith(": more")
    assert names.times(1 / found).endswith(": less") and names.times(np.array([0.5, 1.0, 2.0])).endswith("undetermined")
    assert names.times(found[:2]).startswith("not judged") and not len(names.ratios(frame, "v", "a", "c"))


def test_what_was_trained_and_not_measured_is_said(modules, tmp_path):
    run, words = modules("run"), modules("page_words")
    settings = run.Settings("t", "pendulum", 10, [0, 1], ["hnn", "dhn/transformer"], 1, 8, [4])
    place, jobs = run.Folder(tmp_path / "out", settings), [(m, s) for m in settings.models for s in settings.seeds]
    for key, measured in (("hnn-0", True), ("dhn.transformer-1", False)):
        (place.out / "runs" / key).mkdir(parents=True)
        (place.out / "runs" / key / "seconds.json").write_text("12.5", encoding="utf-8")
        if measured:
            place.write_case(key, "motion", {"model": "hnn", "seed": 0}, {"cost": [{"training": 12.5}]}, 12.5)
    run.collect(place, tmp_path / "results", [{"model": m, "seed": s} for m, s in jobs], {})
    run.write_unmeasured(place, jobs, tmp_path / "results")
    said = words.missing(words.Tables(tmp_path / "results", ["model", "seed", "codes"]), None)
    assert "* DHN (4, 2), small transformers, seed 1, was trained in 12.5 processor seconds" in said and said.count("was trained in") == 1


def test_processor_seconds_add_up_over_starts(modules, tmp_path):
    add = modules("run").all_seconds
    assert add(tmp_path / "s.json", 2.0) == 2.0 and add(tmp_path / "s.json", 0.5) == 2.5


def test_the_committed_page_is_that_of_the_committed_tables(script, tmp_path):
    results = ROOT / "studies" / STUDY / "results"
    shutil.copytree(results, tmp_path / "results")
    script("--config", "small.toml", "--page-only", "--results", tmp_path / "results" / "small", "--docs", tmp_path)
    page = "denoising-hamiltonian.md"
    assert (tmp_path / page).read_bytes() == (ROOT / "docs" / "studies" / page).read_bytes()
