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
        "handicapped and judges nothing",
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
    verdict = modules("page_bars").verdict
    assert verdict(np.array([30.0, 28.0, 29.0])) == "met, +29 (+27 to +31) points (seeds: +30, +28, +29)."
    assert verdict(np.array([20.0, 12.0, 15.0])).startswith("not decided, +16") and verdict(np.array([50.0, -5.0, 30.0])).startswith(
        "not dec"
    )
    assert verdict(np.array([5.0, 6.0, 5.0])).startswith("missed") and "not judged with 2 seeds" in verdict(np.array([50.0, 50.0]))


@pytest.mark.parametrize(("name", "table", "rows"), [("failures", "episodes", 1), ("flat", "keyframes", 3)])
def test_smaller_questions_run_and_come_back_from_their_tables(modules, tmp_path, name, table, rows):
    module = modules(name)
    measure = getattr(module, table)
    words = ["--config", "flat-tiny.toml", "--results", str(tmp_path / "results"), "--workers", "1", "--out"]
    assert module.main(module.__doc__, measure, [*words, str(tmp_path / "out")]) == 0
    path = tmp_path / "results" / f"{table}.csv"
    first, found = path.read_bytes(), pd.read_csv(path)
    assert len(found) == rows and set(found.arm) == {"turn prior"}
    assert module.main(module.__doc__, measure, [*words, str(tmp_path / "elsewhere")]) == 0
    assert path.read_bytes() == first and not (tmp_path / "elsewhere" / "trained").exists()


def tables(modules, rows: dict[str, list[dict]], **settings):
    """Tables as a study would leave them."""

    class Made(dict):
        meta = {"settings": settings}  # noqa: RUF012

    return Made({name: pd.DataFrame(some) for name, some in rows.items()})


def test_coarse_to_fine_is_judged_beside_flat_on_the_same_keyframes(modules):
    page = modules("page_search")

    def made(better: list[int], poses: int) -> dict:
        """Ten keyframes a seed; flat is right at four, coarse to fine at so many more."""
        right = {"flat": [4] * len(better), "transporter": [4 + b for b in better]}
        rows = [{"arm": a, "seed": s, "right": int(k < n)} for a, counts in right.items() for s, n in enumerate(counts) for k in range(10)]
        sizes = {"flat": poses, "transporter": 1000}
        runs = [{"arm": a, "seed": s, "scores": size * (s + 1)} for a, size in sizes.items() for s in range(len(better))]
        return tables(modules, {"keyframes": rows, "runs": runs})

    cases = (
        ([2, 2, 2], 60_000, "met: +20 (+20 to +20)"),
        ([2, 2, 2], 40_000, "missed"),
        ([-1, -1, -1], 60_000, "missed"),
        ([-3, 0, 3], 60_000, "not decided"),
        ([2, 2], 60_000, "not judged with 2 seeds"),
    )
    for better, poses, word in cases:
        said = page.judged(*page.beside_flat(made(better, poses)))
        assert word in said, said


def test_what_went_wrong_first_is_counted(modules):
    rows = []
    for done, opens, off, turn in ((1, 0, 0.01, 0.1), (0, 1, 0.2, 3.0), (0, 0, 0.05, 3.0), (0, 0, 0.01, 2.0), (0, 0, 0.01, 0.1)):
        asked = {"first_opens": opens, "first_off": off, "second_turn": turn}
        rows.append({"arm": "transporter", "seed": 0, "condition": "clutter", "done": done, **asked})
    made = tables(modules, {"episodes": rows}, arms=["transporter", "neither"], conditions=["clutter"], seeds=[0], steps=240)
    above = pd.DataFrame([{"arm": "transporter", "seed": 0, "condition": "clutter", "successes": 3}])
    said = modules("page_failures").failures(made, modules("arms").MEANT, above)
    assert "clutter, 1 here and 3 above (seeds 0)" in said
    assert "| clutter | transporter | 1 | 20 (4 to 62) | 40 | 6 | 33 |" in said
    assert "clutter, 4 of 5 episodes: 1 where the fingers open" in said and "1 where the first keyframe is off" in said
    assert "1 where the hand turns by more than 45 degrees" in said


def test_the_page_says_what_was_seen_before(modules):
    page = modules("page_seeds")
    s = {"seeds": [0, 1, 2], "episodes": 16, "demonstrations": 12, "more": [100]}
    assert page.added(s) == "" and "none of these layouts" in page.layouts(s)
    more = {**s, "seeds": list(range(7))}
    assert "Seeds 3, 4, 5 and 6 were added" in page.added(more) and "has 112 now" in page.added(more)
    assert "demonstrations of seed 5 are on some" in page.layouts(more)


@pytest.mark.parametrize(
    ("config", "count"),
    [("small.toml", 5 * 6 + 8 * 3 + 3 * 3 * 4 + 3 + 8), ("settled.toml", 15 * 5 + 2 * 3 * 4 + 8 * 3), ("few.toml", 13 * 5)],
)
def test_jobs_are_those_of_the_settings(modules, config, count):
    run = modules("run")
    settings = run.read_settings(run.Settings, Path(config), run.HERE)
    jobs = run.jobs(settings)
    assert len(jobs) == len({(key, experiment) for key, experiment, _ in jobs}) == count


def test_every_ablation_has_the_full_arm_that_differs_in_its_part_alone(modules):
    arms = modules("arms")
    for name, switches in arms.ARMS.items():
        full = arms.full_of(name)
        assert full in arms.FULL and arms.full_of(full) == full
        for switch in ("turn_prior", "turned"):
            assert switches.get(switch, switch == "turned") == arms.ARMS[full].get(switch, switch == "turned"), name


def test_what_was_planned_and_is_not_there_is_named(modules):
    page = modules("write_page")
    there = pd.DataFrame([{"arm": "a", "seed": 0}, {"arm": "a", "seed": 1}, {"arm": "b", "seed": 1}])
    assert page._left("ring", {"a": [0, 1], "b": [0, 1, 2], "c": [0]}, there, "arm") == ["ring: b (seeds 0, 2), c (all seeds)"]
    assert page._left("ring", {"a": [0, 1]}, there, "arm") == []


def test_runs_that_were_settled_before_judge(modules, tmp_path):
    """Differences are those of each full arm; the rule names the number of steps."""
    claims, bars = modules("claims_of"), modules("page_bars")
    done = {"transporter": 30, "scene only": 20, "turn prior": 40, "scene only, turn prior": 24}
    rows = [
        {"task": "ring", "arm": a, "demonstrations": 12, "seed": k, "condition": "hands held out", "successes": n + k % 2, "episodes": 40}
        for a, n in done.items()
        for k in (10, 11, 12)
    ]
    made = tables(
        modules, {"success": rows}, tasks=["ring"], arms=list(done), demonstrations=12, steps=720, seeds=[10, 11, 12],
        conditions=["hands held out"], more_conditions=[],
    )  # fmt: skip
    said = "*transporter*: met against *scene only* (+25); *turn prior*: met against *scene only, turn prior* (+40)"
    assert claims._said(made) == said
    assert "after 720 steps" in claims._rule(made)
    assert "*transporter* 75 % (seed 10; median 75)" in bars.judged(made), "a mean over seeds hides a training that failed"
    assert "added" not in bars.judged(made) and "none" in bars.above(made["success"], "ring", made.meta["settings"])
