"""studies/symmetry_breaking at its smallest: training of all seeds at once, the tasks' symmetry, what is read off, the page."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

STUDY = "symmetry_breaking"


@pytest.fixture(scope="module")
def tiny(modules, tmp_path_factory):
    """Results and page of the tiny configuration."""
    out = tmp_path_factory.mktemp("breaking")
    run = modules("run")
    words = ["--config", "tiny.toml", "--out", str(out / "study"), "--results", str(out / "results"), "--docs", str(out), "--workers", "1"]
    assert run.main(words) == 0
    return out


def test_the_examples_of_a_task_are_closed_under_the_group_that_it_names(modules):
    from orbitscope.symmetry import Rigid
    from orbitscope.systems.points import SYSTEM

    for task in modules("tasks").TASKS.values():
        if task.group in ("none", "shape", "phase"):
            continue
        data, elements = task.examples(0, 2), task.elements()
        symmetry = SYSTEM.symmetries(data)["o3"]
        rows = torch.cat([data.x[1].flatten(1), data.y.flatten(1)], 1)
        for g in elements:
            x, y = symmetry.pair(Rigid(g), data.x, data.y)
            moved = torch.cat([x[1].flatten(1), y.flatten(1)], 1)
            assert float((moved[:, None] - rows[None]).norm(dim=2).min(1).values.max()) < 1e-9


def test_groups_of_shapes_and_phases_have_their_orders(modules):
    tasks = modules("tasks").TASKS
    orders = {
        "cube-cube": 48,
        "cube-prism": 16,
        "cube-box": 8,
        "perovskite-P4mm": 8,
        "perovskite-Amm2": 4,
        "perovskite-R3m": 6,
        "fields": 2,
    }
    assert {name: len(tasks[name].elements()) for name in orders} == orders


def test_seeds_trained_at_once_are_those_trained_alone(modules):
    training, tasks, experiments = modules("training"), modules("tasks"), modules("experiments")
    task = tasks.TASKS["fields"]
    data = task.examples(0, 2)
    loss = experiments.PointMSE.of(data)

    def ends(seeds):
        batch = training.Batch(lambda: experiments.SYSTEM.models["relaxed_e3net"].make(data, **task.network), seeds)
        training.train(batch, data.x, data.y, loss, training.Plan(12, 3e-2, lasso=2e-2))
        return batch.weights

    both, one = ends([3, 4]), ends([4])
    for name, weight in both.items():
        assert torch.allclose(weight[1], one[name][0], atol=1e-9)


def test_the_penalty_shrinks_lengths_and_removes_what_is_shorter(modules):
    training = modules("training")

    class Weights(torch.nn.Module):
        def __init__(self):
            super().__init__()
            from orbitscope.nn import RelaxedWeights

            self.relaxed = RelaxedWeights("1o+1e")

    batch = training.Batch(Weights, [0])
    p = batch.weights["relaxed.theta"]
    with torch.no_grad():
        p.copy_(torch.tensor([[[0.0, 3.0, 4.0, 1e-4, 0.0, 0.0]]]))
    optimiser = training.BlockAdamW([p], {0: 2}, lr=0.1, betas=(0.9, 0.99), eps=0.0)
    optimiser.state[p] = {"step": torch.tensor(1.0), "exp_avg_sq": torch.full_like(p, 0.01 * 4.0)}
    training.shrink(batch, p, optimiser, 0.5)  # threshold 0.1 x 0.5 / 2
    assert torch.allclose(p[0, 0, :3], torch.tensor([0.0, 3.0, 4.0]).double() * (1 - 0.025 / 5)) and not p[0, 0, 3:].any()
    assert training.present(batch, p)[0, 0].tolist() == [1, 1, 1, 0, 0, 0]


def test_what_theory_forbids_is_measured(modules):
    outside = modules("experiments")._outside
    elements = modules("tasks").TASKS["perovskite-P4mm"].elements()
    assert outside("1o", np.array([0.0, 0.0, 2.0]), elements) < 1e-12
    assert abs(outside("1o", np.array([0.5, 0.0, 2.0]), elements) - 0.5) < 1e-12
    assert abs(outside("1e", np.array([0.0, 0.0, 2.0]), elements) - 2.0) < 1e-12


def test_the_laws_are_read_off_a_network_that_has_them(modules):
    experiments = modules("experiments")
    e, b = np.array([0.1, -2.0, 0.3]), np.array([0.7, 0.2, -1.0])

    class Law(torch.nn.Module):
        def forward(self, places, x):
            v = x[..., 1:]
            return torch.tensor(e) + torch.linalg.cross(v, torch.tensor(b).expand_as(v))

    electric, magnetic = experiments.affine_law(Law())
    assert np.allclose(electric, e) and np.allclose(magnetic, b)
    assert abs(experiments.angle(e, 2 * e)) < 1e-9 and abs(experiments.angle(e, -e) - 180) < 1e-9


def test_the_study_runs_and_writes_its_page(tiny):
    page = (tiny / "symmetry-breaking.md").read_text(encoding="utf-8")
    assert "nan" not in page and "## The bars" in page and "![Order parameter against amplitude]" in page
    rows = pd.read_csv(tiny / "results" / "seeds.csv")
    relaxed = rows[rows.variant == "relaxed"]
    assert (
        set(relaxed.task) == {"cube-prism", "fields", "diffusion", "perovskite-scan", "batio3-R3m", "perovskite-Pm-3m"}
        and len(relaxed) == 18
    )
    assert relaxed.forbidden.dropna().max() < 1e-10
    meta = json.loads((tiny / "results" / "meta.json").read_text())
    assert meta["measured_runs"] == meta["planned_runs"]
    for name in ("pattern", "forbidden", "amplitude", "errors"):
        assert (tiny / f"symmetry-breaking-{name}.png").stat().st_size > 5000


def test_a_seed_keeps_the_start_of_the_lower_training_error(modules):
    experiments, study = modules("experiments"), modules("study")
    rows = experiments.measured(study.Settings("x", [0, 1, 2], 1, 2), study.Job("pendulum", "relaxed"))
    assert all(r["train"] < r["train_first"] if r["start"] else r["train"] == r["train_first"] for r in rows)
    assert {r["start"] for r in rows} <= {0, 1} and all(np.isfinite(r["gravity_angle"]) for r in rows)


def test_order_parameters_are_read_along_the_axis_of_the_phase(modules):
    line = modules("laws_page").line
    rows = pd.DataFrame(
        {"cases": 3, "case_0_along": [0.0, 0.0], "case_1_along": [1.0, -2.0], "case_2_along": [2.0, -4.0], "case_2": [2.5, 4.0]}
    )
    sizes, along, off = line(rows, "R3m")
    assert np.allclose(sizes, [along, along]) and np.allclose(off, [0.75, 0.0])


def test_the_committed_page_is_what_the_script_writes(modules, tmp_path):
    from pathlib import Path

    here = Path(__file__).resolve().parents[2]
    results, page = here / "studies" / STUDY / "results" / "small", here / "docs" / "studies" / "symmetry-breaking.md"
    modules("write_page").write_page(results, tmp_path)
    assert (tmp_path / page.name).read_text(encoding="utf-8") == page.read_text(encoding="utf-8")


def test_planted_tensors_are_left_alone_by_the_turned_group_and_named(modules):
    from orbitscope.symmetry import stabiliser

    calibration = modules("calibration")
    for group in ("D2h", "C∞v", "D∞h"):
        tensors = calibration.drawn(group, 0.0, np.random.default_rng(0), 5)
        assert abs(sum(float(v @ v) for v in tensors.values()) - 1) < 1e-12
        assert stabiliser(tensors).name == group
    noisy = calibration.drawn("D2h", 0.05, np.random.default_rng(0), 5)
    assert abs(sum(float(v @ v) for v in noisy.values()) ** 0.5 - 1) < 0.06 and set(noisy) == set(calibration.NAMES)
    assert {len(calibration.elements(g)) for g in ("Oh", "C4v", "C3v", "D2h")} == {48, 8, 6}
