"""studies/symmetry_influence: the tiny study from simulation to page."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr

import orbitscope as osc
from orbitscope import OrbitscopeError

STUDY = "symmetry_influence"
ROOT = Path(__file__).resolve().parent.parent.parent
HERE = ROOT / "studies" / STUDY
FIGURES = ("d4", "shifts", "epochs", "time", "losses", "optimisation", "early", "matrix", "basin")
TABLES = ("audit", "basin", "classes", "d4", "damping", "epochs", "history", "lag", "losses", "matrix", "metrics", "rollout", "runs",
          "shift_coherence", "shift_error", "shift_period", "skill", "steps")  # fmt: skip


@pytest.fixture(scope="module")
def run(script, tmp_path_factory):
    """The script with the tiny config in one folder; what it prints."""
    folder = tmp_path_factory.mktemp("study")
    return lambda *more: script("--config", "tiny.toml", "--results", folder / "results", "--docs", folder / "docs", *more), folder


@pytest.fixture(scope="module")
def study(run):
    """A finished tiny study, and what its run printed."""
    start, folder = run
    return folder, start("--out", folder / "out", "--workers", 1)


def test_page_figures_and_tables(study):
    folder, said = study
    page = (folder / "docs" / "symmetry-influence.md").read_text(encoding="utf-8")
    for name in FIGURES:
        assert (folder / "docs" / f"symmetry-influence-{name}.png").read_bytes().startswith(b"\x89PNG")
        assert f"symmetry-influence-{name}.png" in page
    assert {p.stem for p in (folder / "results").glob("*.csv")} == set(TABLES)
    assert {p.name for p in (folder / "results").glob("*.nc")} == {"coherence_d4.nc", "coherence_times.nc"}
    for heading in (
        "Side by side",
        "Where we agree",
        "Question 1",
        "Question 2",
        "Step test",
        "Limits",
        "Metrics against",
        "Training and skill",
        "mini-batch on its own copies",
        "Basins",
    ):
        assert heading in page
    assert "file contradicts its declared convention" in page
    assert "nan" not in page and "{" not in page.replace("{e, r2, sr, sr3}", "").split("Settings:")[0]
    assert "trained" in said


def test_untrained_models_are_not_judged(study):
    """Two epochs leave models without skill, whose errors and coherences say nothing: no line of the comparison is an agreement."""
    page = (study[0] / "docs" / "symmetry-influence.md").read_text(encoding="utf-8")
    table = page.split("## Side by side")[1].split("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")][2:]
    assert len(lines) == 21 and all(re.search(r"\| not judged \((no skill|not measured)\) \|$", line) for line in lines), lines
    assert "**Agree:** none." in page and "**Contradict:** none." in page


def test_the_page_is_what_the_committed_results_say(script, undrawn, tmp_path):
    """And not what somebody wrote into it."""
    script("--config", "small.toml", "--page-only", "--docs", tmp_path)
    assert (tmp_path / "symmetry-influence.md").read_bytes() == (ROOT / "docs" / "studies" / "symmetry-influence.md").read_bytes()


def test_a_second_start_recomputes_nothing(study, run, undrawn):
    folder, _ = study
    before = {p: p.stat().st_mtime_ns for p in (folder / "out").rglob("*") if p.is_file() and p.name != "study.json"}
    page = (folder / "docs" / "symmetry-influence.md").read_bytes()
    said = run[0]("--out", folder / "out", "--workers", 1)
    assert "trained" not in said and "simulated" not in said and "audit" not in said
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert (folder / "docs" / "symmetry-influence.md").read_bytes() == page


def test_the_page_comes_from_the_tables_alone(study, run, undrawn):
    """With other numbers in a table, the conclusion that rests on them changes."""
    folder, _ = study
    table = folder / "results" / "steps.csv"
    kept = table.read_text(encoding="utf-8")
    try:
        rows = [line.split(",") for line in kept.splitlines()]
        at = rows[0].index("correlation")
        assert "the correlation is above 0.99" in (folder / "docs" / "symmetry-influence.md").read_text(encoding="utf-8")
        rows[1][at] = "0.2"
        table.write_text("\n".join(",".join(row) for row in rows) + "\n", encoding="utf-8")
        run[0]("--page-only")
        assert "it is 0.99 or less" in (folder / "docs" / "symmetry-influence.md").read_text(encoding="utf-8")
    finally:
        table.write_text(kept, encoding="utf-8")


def test_another_config_in_the_same_folder_is_refused(study, script):
    folder, _ = study
    kept = json.loads((folder / "out" / "study.json").read_text(encoding="utf-8"))
    assert kept["name"] == "tiny"
    other = folder / "other.toml"
    source = (HERE / "tiny.toml").read_text(encoding="utf-8").replace("per_class = 4", "per_class = 5")
    other.write_text(source, encoding="utf-8")
    with pytest.raises(OrbitscopeError, match="holds a study with other settings"):
        script("--config", other, "--out", folder / "out")


def test_cases_restored_from_tables_give_the_tables(study, modules, tmp_path):
    """Tables and coherences of a study without its folder: the cases come back, and are collected to the same bytes and values."""
    settings = modules("harness").read_settings(modules("study").Settings, Path("tiny.toml"), HERE)
    results, place = study[0] / "results", modules("study").Place(tmp_path / "out", settings)
    assert modules("tables").restore_all(place, results) == len(place.cases()) > 10
    names = {p.relative_to(study[0] / "out") for p in (study[0] / "out" / "cases").rglob("*") if p.suffix in (".json", ".nc")}
    empty = {json.loads((study[0] / "out" / n).read_text())["experiment"] for n in names if not (tmp_path / "out" / n).exists()}
    assert empty <= {"seeds", "basin"}, "only cases whose tables have no row are missing"
    modules("tables").collect_all(place, tmp_path / "results")
    for path in results.glob("*.csv"):
        assert (tmp_path / "results" / path.name).read_bytes() == path.read_bytes(), path.name
    for path in results.glob("*.nc"):
        xr.testing.assert_identical(xr.load_dataset(path), xr.load_dataset(tmp_path / "results" / path.name))


def test_the_line_between_seeds_trains_restored_runs_again(study, modules, tmp_path):
    """With the history of both runs there but no weights, the line is measured; without one of the histories it is not."""
    settings = dataclasses.replace(modules("harness").read_settings(modules("study").Settings, Path("tiny.toml"), HERE), seeds=[0, 1, 2, 3])
    place, said = modules("study").Place(tmp_path, settings), []
    shutil.copytree(study[0] / "out" / "data", tmp_path / "data")
    first, second = (modules("study").Run("navier-stokes", "unet", "constant", seed) for seed in (0, 1))
    place.write_case(first.key, "history", first.label, {"history": []}, 0.0)
    modules("basins").seeds_job(place, first, said.append)
    assert not said and not place.run_folder(first).exists()
    place.write_case(second.key, "history", second.label, {"history": []}, 0.0)
    modules("basins").seeds_job(place, first, said.append)
    rows = json.loads(place.case_file(first.key, "seeds").read_text(encoding="utf-8"))["tables"]["basin"]
    common = set.intersection(*(set(osc.load_run(place.run_folder(r), "last", trust=True).split["test"]) for r in (first, second)))
    assert len(said) == 1 and {r["kind"] for r in rows} <= {"seeds"} and bool(rows) == bool(common)


def test_only_some_runs_are_asked_for(modules, script, tmp_path, monkeypatch):
    """--only: the audits and nothing else, where no run has the name."""
    asked = []
    monkeypatch.setattr(modules("run"), "compute", lambda place, do, jobs, *_: asked.extend(jobs))
    monkeypatch.setattr(modules("run"), "collect_all", lambda *_: None)
    for pattern, kinds in (("navier-stokes_vit_*", {"audit", "run", "seeds"}), ("nothing", {"audit"})):
        asked.clear()
        with pytest.raises(FileNotFoundError):  # no table to write a page from
            script("--config", "tiny.toml", "--out", tmp_path / pattern, "--results", tmp_path / "none", "--only", pattern)
        assert {kind for kind, _ in asked} == kinds
        assert all(what.key.startswith("navier-stokes_vit") for kind, what in asked if kind != "audit")


def test_checkpoints_of_long_and_short_trainings_are_the_same_part(modules):
    """A third of 3 epochs and of 40 (which is 13) stand together."""
    rows = [
        {"dataset": "euler", "model": model, "schedule": "constant", "seed": 0, "element": "r", "epoch": epoch, "excess": 0.0,
         "relative_error": 1.0, "commutator": 0.1}
        for model, epochs in (("unet", (0, 1, 2, 3)), ("vit", (0, 13, 27, 40))) for epoch in epochs
    ]  # fmt: skip
    found = modules("tables").early_and_late(pd.DataFrame(rows), [0.0, 0.3333, 0.6667, 1.0])
    assert found.groupby("part").model.nunique().to_dict() == {0.0: 2, 0.333: 2, 0.667: 2}


def test_a_part_of_the_study_has_its_data_sets_and_experiments_alone(modules):
    """What the settings of the finer grids leave out is no run and no experiment."""
    read, kind = modules("harness").read_settings, modules("study").Settings
    for name, resolution in (("wide.toml", 64), ("fine.toml", 128)):
        settings = read(kind, Path(name), HERE)
        found = modules("study").runs(settings)
        assert settings.data["resolution"] == resolution and len(settings.seeds) >= 3
        assert {r.key for r in found} == {f"navier-stokes_unet_constant_{seed}" for seed in settings.seeds}
        assert set(modules("jobs").wanted(settings, found[0])) == set(settings.experiments) < set(modules("jobs").EXPERIMENTS)
    whole = read(kind, Path("small.toml"), HERE)
    assert {r.dataset for r in modules("study").runs(whole)} == set(modules("study").DATASETS)


def test_a_finer_grid_stands_beside_the_same_network(study, modules, tmp_path):
    """The same tables on another grid, with skill for all: every word is the same, and each network has a section of its own."""
    others, results = modules("others"), study[0] / "results"
    for name, resolution, seeds in (("small", 16, (0, 1, 2)), ("wide", 64, (0, 1, 2))):
        shutil.copytree(results, tmp_path / name)
        meta = json.loads((results / "meta.json").read_text(encoding="utf-8"))
        meta["settings"]["name"], meta["settings"]["data"]["resolution"] = name, resolution
        (tmp_path / name / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
        for path in (tmp_path / name).glob("*.csv"):
            frame = pd.read_csv(path)
            if {"dataset", "model", "seed"} <= set(frame):
                frame = frame[(frame.dataset == "euler") & (frame.model == "unet") & (frame.schedule == "constant")]
                frame = pd.concat([frame.assign(seed=seed) for seed in seeds], ignore_index=True)
            if path.stem == "skill":
                frame["error"] = 0.1 * frame["persistence"]
            frame.to_csv(path, index=False)
    tables = modules("harness").Tables
    columns = [*modules("tables").LABEL, "element"]
    first, more = tables(tmp_path / "small", columns), others.other_tables(tmp_path / "small")
    text = others.others_part(first, more)
    assert text.startswith("## Finer grids") and text.count("### ") == 1 and "### Euler, UNet, 64 x 64" in text and "nan" not in text
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| Euler, ")]
    assert len(rows) >= 4 and all(row[2] == row[3].removesuffix(" |") for row in rows)
    counted = re.search(r"the word is the same for (\d+) of (\d+) lines", text)
    assert counted is not None and counted[1] == counted[2] != "0" and "contradicting on the other: none" in text
    assert others.page_of(tmp_path / "wide") == tmp_path / "small" and others.page_of(results) == results
    assert others.others_part(first, []) == ""


def test_a_setting_is_tried_on_seeds_of_its_own(study, modules, tmp_path, capsys):
    """A row with the skill that the study's own experiment finds; the study's seeds are refused; the page says whether any has skill."""
    tune, file = modules("tune"), tmp_path / "tuning" / "tuning.csv"
    shutil.copytree(study[0] / "out" / "data", tmp_path / "out" / "data")
    words = ["--config", "tiny.toml", "--epochs", "1", "--rate", "1e-3", "--out", str(tmp_path / "out"), "--file", str(file)]
    with pytest.raises(SystemExit):
        tune.main(["euler", "unet", "0", *words])
    assert "settings are chosen on seeds from 100 up" in capsys.readouterr().err and not file.exists()
    small = ["--override", '{"width": 2, "kernels": [3, 3], "heads": 0}']
    for seed in ("100", "101"):
        assert tune.main(["euler", "unet", seed, *words, *small]) == 0
    frame = pd.read_csv(file)
    assert list(frame.seed) == [100, 101] and (frame.skill > 0.2).all() and frame.cpu_seconds.min() > 0
    (tmp_path / "small").mkdir()
    text = modules("others").trials_part(tmp_path / "small")
    assert "the best of 2 has" in text and "which is none" in text and f"{frame.skill.min():.3f}" in text
    frame.assign(skill=0.15).to_csv(file, index=False)
    assert "which is skill" in modules("others").trials_part(tmp_path / "small")
    assert modules("others").trials_part(tmp_path / "tuning") == ""
