"""studies/keyframe_transporter: the tiny study from demonstrations to page, a second start, scenes, and how differences are judged."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("mujoco")
STUDY = "keyframe_transporter"


@pytest.fixture(scope="module")
def study(script, tmp_path_factory):
    """A finished tiny study, and a second start from its tables alone."""
    folder = tmp_path_factory.mktemp("study")
    words = ["--config", "tiny.toml", "--results", folder / "results", "--docs", folder / "docs", "--workers", 1]
    script(*words, "--out", folder / "out")
    first = {p.name: p.read_bytes() for p in (folder / "results").iterdir()}
    script(*words, "--out", folder / "elsewhere")  # cases are written again from the tables; nothing is computed
    assert not (folder / "elsewhere" / "trained").exists()
    return folder, first


def test_page_figures_and_tables(study):
    folder, first = study
    page = (folder / "docs" / "keyframe-transporter.md").read_text(encoding="utf-8")
    for words in (
        "All planned runs are here",
        "not judged with 1 seed",
        "hands held out",
        "is not judged",
        "layouts 100 to 129",
        "| mlp |",
    ):
        assert words in page, words
    for name in ("success", "demonstrations"):
        assert (folder / "docs" / f"keyframe-transporter-{name}.png").read_bytes().startswith(b"\x89PNG")
    for path in (folder / "results").glob("*.csv"):
        assert path.read_bytes() == first[path.name], path.name
    symmetry = pd.read_csv(folder / "results" / "symmetry.csv")
    assert symmetry.error.max() < 1e-5
    search = pd.read_csv(folder / "results" / "search.csv")
    assert (search.flat / search.coarse_to_fine > 10).all()


def test_scenes_are_what_their_names_say(modules):
    scenes = modules("tabletop")
    angles = {}
    for condition in scenes.CONDITIONS:
        scene = scenes.scene_of("ring", condition, 0.6)
        found = []
        for seed in range(4):
            scene.reset(3000 + seed)
            turn = (scene.hand.inverse() @ scene.pose("ring")).matrix
            found.append(abs(math.atan2(turn[1, 0], turn[0, 0])))
        angles[condition] = max(found), min(found)
    assert all(high < 0.85 for c, (high, _) in angles.items() if c not in ("hands held out", "any hold"))  # a tilt shows as some turn
    assert angles["hands held out"][1] > 0.5
    for name in ("button", "place"):  # tasks without a thing in the hand are cluttered too
        scene = scenes.scene_of(name, "clutter", 0.6)
        scene.reset(3)
        first = scene.pose(scene.task.fixtures[0]).offset
        assert min(np.linalg.norm(scene.pose(f"clutter-{k}").offset[:2] - first[:2]) for k in range(2)) > 0.1
    plain, painted = (scenes.scene_of("ring", c, 0.6).model.geom_rgba for c in ("as shown", "other colours"))
    changed = (plain != painted).any(1)
    assert changed.any() and not changed.all()
    scene = scenes.scene_of("ring", "pushed", 0.6)
    scene.reset(3000)
    before, hand = scene.pose("pole").offset, scene.hand.offset
    scenes.push(scene, 2)
    assert np.array_equal(scene.pose("pole").offset, before)
    scenes.push(scene, 1)
    assert abs(np.linalg.norm(scene.pose("pole").offset - before) - scenes.PUSH) < 1e-9 and np.allclose(scene.hand.offset, hand)


def test_differences_are_judged_seed_by_seed(modules):
    verdict = modules("write_page").verdict
    assert verdict(np.array([30.0, 28.0, 29.0])) == "met, +29 (+27 to +31) points (seeds: +30, +28, +29)."
    assert verdict(np.array([20.0, 12.0, 15.0])).startswith("not decided, +16") and verdict(np.array([50.0, -5.0, 30.0])).startswith(
        "not dec"
    )
    assert verdict(np.array([5.0, 6.0, 5.0])).startswith("missed") and "not judged with 2 seeds" in verdict(np.array([50.0, 50.0]))


def test_jobs_are_those_of_the_settings(modules):
    run = modules("run")
    settings = run.read_settings(run.Settings, Path("small.toml"), run.HERE)
    jobs = run.jobs(settings)
    seeds, tasks = len(settings.seeds), len(settings.tasks)
    planned = seeds * tasks * (len(settings.arms) + (len(settings.more) + 1) * len(settings.more_arms) + 1) + len(settings.suite)
    assert len(jobs) == len({(key, experiment) for key, experiment, _ in jobs}) == planned
