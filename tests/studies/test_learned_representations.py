"""studies/learned_representations: the tiny study from data to page; its rules on hand-made numbers."""

import pandas as pd
import pytest

STUDY = "learned_representations"


@pytest.fixture(scope="module")
def study(script, tmp_path_factory):
    """A finished tiny study, and what its run printed."""
    folder = tmp_path_factory.mktemp("words")
    where = ["--results", folder / "results", "--docs", folder / "docs", "--out", folder / "out", "--workers", 1]
    return folder, script("--config", "tiny.toml", *where), where


def test_page_figures_and_tables(study):
    folder, said, _ = study
    page = (folder / "docs" / "learned-representations.md").read_text(encoding="utf-8")
    assert (folder / "docs" / "learned-representations-length.png").stat().st_size > 3_000
    models, lengths = (pd.read_csv(folder / "results" / f"{n}.csv") for n in ("models", "lengths"))
    assert set(models["task"]) == {"braid3", "orders in D6"} and set(models["part"]) == {0.5, 1.0}
    assert set(lengths.loc[lengths["task"] == "braid3", "length"]) == {7, 8, 10, 12, 18, 24}
    assert models.loc[models["task"] == "braid3", "leak"].max() == 0
    assert "braid3, matrixnet, 1, seed 0" in said and "nan" not in page and "None" not in page


def test_a_second_start_computes_nothing(study, script):
    folder, _, where = study
    before = (folder / "results" / "models.csv").read_bytes()
    assert "CPU s" not in script("--config", "tiny.toml", *where)
    assert (folder / "results" / "models.csv").read_bytes() == before


def test_every_model_is_made_for_its_tasks(modules):
    module = modules("study")
    for name, cast in module.CAST.items():
        task = module.TASKS[name].make()
        x = task.states(task.draw(5, module.TASKS[name].length, 0, exact=module.TASKS[name].many))
        for model in cast:
            assert module.network(model, task, module.TASKS[name].length).eval()(x).shape == (5, task.outputs)
    assert set().union(*module.CAST.values()) == set(module.MODELS)


def test_bars_are_judged_by_their_rules(modules):
    page = modules("write_page")
    row = {"task": "braid3", "model": "matrixnet", "part": 1.0, "relation": 0.0, "training_words": 1, "epoch_seconds": 1.0}
    models = pd.DataFrame([{**row, "seed": k, "exact": e} for k, e in enumerate((0.9989, 0.9991, 0.9995))])
    lengths = pd.DataFrame([{"task": "braid3", "model": "matrixnet", "length": 12, "exact": e} for e in (0.9, 0.96, 0.99)])
    text = page._bars(models, lengths)
    assert "| 3 | met |" in text and "0.9600 (0.9000 to 0.9900) | 3 | missed |" in text
