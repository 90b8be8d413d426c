"""studies/causal_influence: the tiny study from simulation to page; its correlations and rules on hand-made numbers."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

import orbitscope as osc

ROOT = Path(__file__).resolve().parent.parent.parent
STUDY = "causal_influence"
HERE = ROOT / "studies" / STUDY
FIGURES = ("matrices", "tests", "retrained", "horizon")


@pytest.fixture(scope="module")
def run(script):
    """The script in a folder; what it prints."""

    def start(folder, *more, config="tiny.toml", results=None):
        return script("--config", config, "--results", results or folder / "results", "--docs", folder / "docs", *more)

    return start


@pytest.fixture(scope="module")
def study(run, tmp_path_factory):
    """A finished tiny study, and what its run printed."""
    folder, save = tmp_path_factory.mktemp("causal"), Figure.savefig
    with pytest.MonkeyPatch.context() as patch:  # small pictures, without their layout: seconds
        patch.setattr(Figure, "tight_layout", lambda *_, **__: None)
        patch.setattr(Figure, "savefig", lambda figure, path, **options: save(figure, path, **{**options, "dpi": 20}))
        said = run(folder, "--out", folder / "out", "--workers", 1)
    return folder, said


def test_page_figures_and_tables(study):
    folder, said = study
    page = (folder / "docs" / "causal-influence.md").read_text(encoding="utf-8")
    for name in FIGURES:
        assert (folder / "docs" / f"causal-influence-{name}.png").read_bytes().startswith(b"\x89PNG")
        assert f"causal-influence-{name}.png" in page
    assert {p.stem for p in (folder / "results").glob("*.csv")} == {"base", "cost", "pairs", "retrained", "tuned"}
    for heading in ("What was found", "Fine-tuning", "Training from scratch", "What a positive number promises", "Which metric", "Limits"):
        assert f"## {heading}" in page
    assert " nan" not in page.lower() and said.count(": retrained-") == 8 and said.count(": tuned-") == 4
    assert "fewer than 3 runs" in page or "no skill" in page  # one seed supports no word


@pytest.fixture
def unmade(modules, monkeypatch):
    """Figures are not even made: their names are all that the page needs."""
    monkeypatch.setattr(modules("figures"), "draw", lambda *_: list(FIGURES))


def test_a_second_start_recomputes_nothing(study, run, unmade):
    folder, _ = study
    before = {p: p.stat().st_mtime_ns for p in (folder / "out").rglob("*") if p.is_file() and p.name != "study.json"}
    page = (folder / "docs" / "causal-influence.md").read_bytes()
    said = run(folder, "--out", folder / "out", "--workers", 1)
    assert "retrained-" not in said and "simulated" not in said and ": base" not in said
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert (folder / "docs" / "causal-influence.md").read_bytes() == page


def test_the_page_is_what_the_committed_results_say(run, unmade, tmp_path):
    run(tmp_path, "--page-only", config="small.toml", results=HERE / "results" / "small")
    assert (tmp_path / "docs" / "causal-influence.md").read_bytes() == (ROOT / "docs" / "studies" / "causal-influence.md").read_bytes()


def test_one_step_of_descent_is_predicted_by_the_sum_of_influences(study):
    """The first step of SGD, realised over rate times influence: of the right size on most pairs, in the study's own tables."""
    results = study[0] / "results"
    tuned, pairs = (pd.read_csv(results / f"{n}.csv") for n in ("tuned", "pairs"))
    first = tuned[(tuned.phase == "early") & (tuned.optimiser == "sgd") & (tuned.steps == 1)].set_index("ket")
    known = pairs[pairs.phase == "early"].pivot(index="ket", columns="bra", values="influence")
    ratio = first[list(known.columns)].loc[known.index].to_numpy() / (first.rate.iloc[0] * known.to_numpy())
    assert np.median(ratio) == pytest.approx(1, abs=0.35)


def test_copies_stand_behind_the_originals_and_all_trainings_have_as_many_steps(study, modules):
    """The second part of the data is the action on the first; epochs shrink as the data grow."""
    place = modules("study").Place(study[0] / "out", modules("harness").read_settings(modules("study").Settings, Path("tiny.toml"), HERE))
    one, run = osc.load(place.data_file("navier-stokes", 0)), modules("study").runs(place.settings)[0]
    more = modules("study").with_copies(one, ("r",))
    action, x = osc.GridAction(one.layout, one.grid), one.tensor()
    assert torch.equal(more.tensor()[len(x) :].flatten(0, 1), action(osc.parse_group("d4")["r"], x.flatten(0, 1)))
    for name in ("small.toml", "full.toml"):
        settings = modules("harness").read_settings(modules("study").Settings, Path(name), HERE)
        runs = modules("study").runs(settings)
        assert [r.seed for r in runs] == sorted(r.seed for r in runs)
        assert all(settings.epochs % k == 0 for k in (1, 2, 4)) and settings.early < settings.epochs
        for added in modules("study").subsets(settings, runs[-1]):
            assert modules("study").train_config(settings, runs[-1], len(added)).epochs * (1 + len(added)) == settings.epochs
    assert modules("study").train_config(place.settings, run, early=True).epochs == place.settings.early


def test_a_run_that_was_cut_off_has_no_say(study, modules, tmp_path):
    """Without one of its first cases nothing of it is collected."""
    place = modules("study").Place(study[0] / "out", modules("harness").read_settings(modules("study").Settings, Path("tiny.toml"), HERE))
    finished = modules("tables").Finished(place.out, place.settings)
    assert len(finished.cases()) == len(place.cases()) > 10
    copied = modules("tables").Finished(tmp_path, place.settings)
    shutil.copytree(place.out / "cases", tmp_path / "cases")
    next((tmp_path / "cases").glob("*/retrained-s.json")).unlink()
    assert copied.cases() == []


def test_order_inside_blocks_is_apart_from_that_between_them(modules):
    """Two blocks alone: 1 over all pairs, and nothing inside; inside them turned round: -1."""
    tables, rng = modules("tables"), np.random.default_rng(0)
    block = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    together = (block[:, None] == block[None, :]).astype(float)
    values = together + 0.01 * rng.normal(size=(8, 8))
    found = tables._orders(2 * together - values, values, block)
    assert found["all"] > 0.4 and found["inside"] == pytest.approx(-1, abs=0.02)
    assert np.isnan(tables.inside(values, values, np.arange(8)))
    without_e = tables._orders(values[1:], values[1:], block, skip=1)
    assert without_e == pytest.approx({"all": 1.0, "inside": 1.0, "to_e": 1.0})


def test_sets_of_elements_are_scored_by_their_share_of_the_steps(modules):
    """Benefits that are the stated sum of the prediction: 1 for every h; with the opposite sign -1."""
    tables, rng = modules("tables"), np.random.default_rng(1)
    p = rng.normal(size=(8, 8))
    sets = [("r",), ("r2",), ("s",), ("r", "s", "sr"), ("r2", "r3", "sr3")]
    where = {g: k for k, g in enumerate(tables.ELEMENTS)}
    benefit = {s: len(s) / (len(s) + 1) * p[[where[g] for g in s]].mean(0) for s in sets}
    assert tables.subset_score(p, benefit) == pytest.approx(1) and tables.subset_score(-p, benefit) == pytest.approx(-1)
    assert np.isnan(tables.subset_score(np.ones((8, 8)), dict.fromkeys(sets, np.zeros(8))))


def test_another_metric_becomes_the_default_only_where_it_is_better_everywhere(modules):
    """Better in one cell, equal in the other: it stays; better in both, early and late: it goes."""
    statements = modules("statements")
    tables = statements.Tables.__new__(statements.Tables)
    dict.__init__(tables)
    tables.columns, tables.meta = [], {}
    cells = (("navier-stokes", "resnet"), ("euler", "resnet"))
    tables["base"] = pd.DataFrame(
        [{"family": f, "network": n, "seed": k, "phase": "late", "element": "e", "error": 0.1} for f, n in cells for k in range(4)]
    )

    def made(*gains: float) -> pd.DataFrame:
        rows = []
        for (family, network), gain in zip(cells, gains, strict=True):
            for seed in range(4):
                for phase in ("early", "late"):
                    for name in ("influence", "influence_adam", statements.DEFAULT):
                        value = (
                            0.3
                            + 0.01 * seed * (name != statements.DEFAULT)
                            + (gain if name == "influence" else -0.1) * (name != statements.DEFAULT)
                        )
                        label = {"family": family, "network": network, "seed": seed, "test": "retrained", "phase": phase}
                        rows.append({**label, "cell": f"{family}/{network}", "predictor": name, "all": value})
        return pd.DataFrame(rows)

    assert statements.default_metric(tables, made(0.3, -0.01))[0] == statements.DEFAULT
    assert statements.default_metric(tables, made(0.3, 0.2))[0] == "influence"


def test_cases_restored_from_tables_give_the_tables(study, run, modules, tmp_path):
    """Results of a study without its folder: the cases come back, what was missing is not invented, and the tables are the same bytes."""
    settings = modules("harness").read_settings(modules("study").Settings, Path("tiny.toml"), HERE)
    results, place = study[0] / "results", modules("study").Place(tmp_path / "out", settings)
    names = ("family", "network", "seed")
    count = modules("harness").restore(place, results, names, modules("study").owner)
    assert count == len(place.cases()) == len(modules("study").Place(study[0] / "out", settings).cases())
    assert modules("harness").restore(place, results, names, modules("study").owner) == 0
    modules("tables").collect_all(place, tmp_path / "results")
    for path in results.glob("*.csv"):
        assert (tmp_path / "results" / path.name).read_bytes() == path.read_bytes(), path.name
    next((tmp_path / "out" / "cases").glob("*/retrained-s.json")).unlink()
    assert len(place.cases()) == count - 1


def test_a_restored_run_is_trained_again_for_a_case_that_it_lacks(study, modules, tmp_path):
    """The same losses after fine-tuning as with the weights that were kept: trainings have the same bits."""
    settings = modules("harness").read_settings(modules("study").Settings, Path("tiny.toml"), HERE)
    place, one = modules("study").Place(tmp_path, settings), modules("study").runs(settings)[0]
    modules("harness").restore(place, study[0] / "results", ("family", "network", "seed"), modules("study").owner)
    shutil.copytree(study[0] / "out" / "data", tmp_path / "data")
    rows, known = modules("experiments").tuned_case(place, one, "late", "kept")["tuned"], pd.read_csv(study[0] / "results" / "tuned.csv")
    known = known[(known.phase == "late") & (known.optimiser == "kept")]
    found = pd.DataFrame(rows)[list(modules("study").ELEMENTS)].to_numpy()
    assert np.allclose(found, np.asarray(known[list(modules("study").ELEMENTS)], float), rtol=1e-3, atol=1e-3 * np.abs(found).max())


def test_other_results_stand_beside_and_turn_words_round(study, modules, tmp_path):
    """A copy of the results as a larger study says the same; with losses that fall where they rose, confirmed words are refuted there."""
    others, columns = modules("others"), modules("write_page").COLUMNS
    for name in ("small", "wide"):
        shutil.copytree(HERE / "results" / "small", tmp_path / name)
    small, wide = tmp_path / "small", tmp_path / "wide"
    assert others.others_of(small) == [wide] and others.page_of(wide) == small and others.page_of(small) == small
    table, cell = modules("harness").Tables(small, list(dict.fromkeys(columns))), "navier-stokes/resnet"
    beside = others.other_tables(small, table.columns)
    for t in beside:
        t.meta["settings"]["cells"] = [cell.split("/")]
    text = others.others_part(table, beside)
    count = len(modules("statements").statements(table, []))
    assert f"the word is the same for {count} of {count}" in text and "other way round: none" in text
    retrained = beside[0]["retrained"]  # everything that helped harms, and the other way round
    elements = list(modules("study").ELEMENTS)
    base = beside[0]["base"]
    plain = base[base.phase == "late"].pivot(index=["family", "network", "seed"], columns="element", values="loss")[elements]
    known = plain.loc[[tuple(r) for r in retrained[["family", "network", "seed"]].to_numpy()]].to_numpy()
    retrained[elements] = known**2 / retrained[elements].to_numpy()
    turned = others.others_part(table, beside)
    assert f"the word is the same for {count} of {count}" not in turned and "other way round: none" not in turned
    assert others.others_part(table, []) == ""
