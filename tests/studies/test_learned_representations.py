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
    assert "| orders in D6 | 0 | " in page.split("What can be known")[1]
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


def test_classes_of_a_hexagon_and_what_is_held_out(modules):
    module = modules("experiments")
    numbers = list(module.conjugates(module.TASKS["orders in D6"].make()).values())
    assert sorted(numbers.count(n) for n in set(numbers)) == [1, 1, 2, 2, 3, 3]
    settings = modules("study").Settings("t", [0], 1, 1, 3000, 300, 1, 1, [], 1, [])
    found = module.held_out(settings, "orders in D6", 0)
    assert found["elements_held_out"] == 0 and found["order_known"] == found["class_known"] == 1  # twelve elements


def test_learnt_matrices_stand_beside_given_ones(modules):
    page = modules("write_page")
    row = {"task": "braid3", "part": 1.0}
    values = {"matrixnet": (0.99, 0.98, 0.97), "fixed, same head": (0.96, 0.95, 0.94)}
    models = pd.DataFrame([{**row, "model": m, "seed": k, "exact": e} for m, v in values.items() for k, e in enumerate(v)])
    assert page.beside(models)[0][1].endswith(": ahead")
    models.loc[0, "exact"] = 0.9
    models.loc[1, "exact"] = 0.955
    assert page.beside(models)[0][1].endswith(": level")
    assert page.beside(models[models["seed"] < 2])[0][1].endswith("fewer than 3 seeds")


def test_bars_are_judged_by_their_rules(modules):
    page = modules("write_page")
    row = {"task": "braid3", "model": "matrixnet", "part": 1.0, "relation": 0.0, "training_words": 1, "epoch_seconds": 1.0}
    row["unitarity"] = 0.0
    models = pd.DataFrame([{**row, "seed": k, "exact": e} for k, e in enumerate((0.9989, 0.9991, 0.9995))])
    lengths = pd.DataFrame([{"task": "braid3", "model": "matrixnet", "length": 12, "exact": e} for e in (0.9, 0.96, 0.99)])
    text = page._bars(models, lengths)
    assert "| 3 | met |" in text and "0.9600 (0.9000 to 0.9900) | 3 | missed |" in text
