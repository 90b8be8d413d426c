"""The hierarchical policy: exact where it says so, against slow references; every switch; from the command line."""

import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.cli import main
from orbitscope.systems import open_runs
from orbitscope.systems.manipulation import (
    ChunkPolicy,
    Cloud,
    Evaluation,
    HierarchicalPolicy,
    Scene,
    Sight,
    StackedVoxels,
    decisions,
    demonstrate,
    evaluate,
    keyframes,
    record,
    recorded,
    task,
    turns_about_vertical,
)
from orbitscope.systems.manipulation._files import checked_settings
from orbitscope.systems.manipulation._hep_actions import Frame, agreed, as_chunk, as_numbers, at_place, turned_pairs, way
from orbitscope.systems.manipulation._hep_voxels import with_hand
from orbitscope.systems.manipulation._poses import about, angle_of, turned
from orbitscope.systems.manipulation._scene import RATE, SPEED

from .hep_scenes import QUARTER, SHIFT, SMALL, moved, moved_pose, policy, posed, sight

# --- parts -------------------------------------------------------------------------------------------------------------------------


def test_voxels_are_what_the_formula_says():
    torch.manual_seed(0)
    group = turns_about_vertical(4)
    for stacked in (True, False):
        voxels = StackedVoxels(group, 8, 0.1, fields=2, stacked=stacked).double().requires_grad_(False)
        points, seen, mask = (v.double() for v in with_hand(sight(1, 2)))
        found = voxels(points, seen, mask)
        wanted = torch.zeros_like(found)
        inside: dict[tuple[int, ...], list[int]] = {}
        for b in range(2):
            for p in range(points.shape[1]):
                cell = np.floor(points[b, p].numpy() / 0.1 + (4, 4, 2)).astype(int)
                if mask[b, p] > 0 and (cell >= 0).all() and (cell < (8, 8, 4)).all():
                    inside.setdefault((b, *map(int, cell)), []).append(p)
        for (b, *cell), members in inside.items():
            rows = []
            for p in members:
                near = points[b, p].numpy() / 0.1 - (np.array(cell) - (3.5, 3.5, 1.5))
                per = [torch.tensor(g.matrix.T @ near) for g in group.elements]
                if stacked:
                    assert voxels.first is not None and voxels.second is not None
                    said = torch.stack(
                        [voxels.second(torch.relu(voxels.first(torch.cat([n, seen[b, p]])))) for n in per], 1
                    )  # [fields, elements]
                    rows.append(said.flatten())
                else:
                    rows.append(seen[b, p])
            values, full = torch.stack(rows), torch.tensor([len(members) / (1 + len(members))], dtype=torch.float64)
            parts = [values.amax(0), values.mean(0), full] if stacked else [values.mean(0), full]
            wanted[b, :, *cell] = torch.cat(parts)
        assert len(inside) > 60 and max(map(len, inside.values())) > 2
        assert (found - wanted).abs().max() < 1e-10


def test_voxels_know_no_order_and_turn_with_the_scene():
    torch.manual_seed(0)
    voxels = StackedVoxels(turns_about_vertical(4), 8, 0.06).double().requires_grad_(False)
    points, seen, mask = with_hand(sight(2))
    plain = voxels(points, seen, mask)
    order = torch.randperm(points.shape[1])
    assert (voxels(points[:, order], seen[:, order], mask[:, order]) - plain).abs().max() < 1e-12
    there = voxels(points @ QUARTER.mT, seen, mask)
    g = next(e for e in turns_about_vertical(4).elements if np.abs(np.asarray(e.matrix) - QUARTER.numpy()).max() < 1e-9)
    mix = torch.tensor(voxels.out.matrix(g))
    wanted = torch.einsum("ij,bjxyz->bixyz", mix, torch.rot90(plain, 1, (2, 3)))
    assert (there - wanted).abs().max() < 1e-10 and float(plain.abs().max()) > 0.1
    shifted = voxels(points + 0.06 * torch.tensor([1.0, -2.0, 1.0]).double(), seen, mask)
    inner = (slice(None), slice(None), slice(2, 6), slice(2, 6), slice(1, 3))
    assert (shifted - torch.roll(plain, (1, -2, 1), (2, 3, 4)))[inner].abs().max() < 1e-10


def test_actions_are_numbers_that_turn():
    rng = np.random.default_rng(0)
    scale = torch.tensor([0.2, 0.05, 0.1]).double()
    hand, goal = (posed(torch.tensor(rng.uniform(-0.2, 0.2, 3)), turned(rng.standard_normal(3))) for _ in range(2))
    told, then = torch.ones(1, 1).double(), torch.zeros(1, 1).double()
    chunk = way(hand, told, goal, then, 10)
    assert (as_chunk(as_numbers(chunk, scale), scale) - chunk).abs().max() < 1e-10
    assert (chunk[0, -3:] - torch.cat([goal[0], then[0]])).abs().max() < 1e-10 and chunk[0, :-3, 12].min() == 1
    for angle in (np.pi / 2, 0.7):
        turn = torch.tensor(about(2, angle))
        numbers = torch.tensor(rng.standard_normal((1, 10, 10)))
        there = as_chunk(turned_pairs(numbers, turn[:2, :2]), scale)
        assert (there[..., :12] - moved_pose(as_chunk(numbers, scale)[..., :12], turn, torch.zeros(3))).abs().max() < 1e-9
        frame, again = Frame(hand[:, :3], turn[None]), way(hand, told, goal, then, 10)[..., :12]
        assert (frame.world(frame.poses(again)) - again).abs().max() < 1e-12
        other = way(moved_pose(hand, turn, SHIFT), told, moved_pose(goal, turn, SHIFT), then, 10)
        assert (other[..., :12] - moved_pose(again, turn, SHIFT)).abs().max() < 1e-10
    for angle in (3.1, np.pi, 1e-9):  # near a half turn, and nearly none
        far = moved_pose(hand, torch.tensor(about(1, angle)), torch.zeros(3))
        assert (way(hand, told, far, then, 6)[0, -1, :12] - far[0]).abs().max() < 1e-7
    turns = [row[3:12].reshape(3, 3).numpy().T for row in chunk[0]]
    steps = [angle_of(a.T @ b) for a, b in zip(turns, turns[1:7], strict=False)]
    assert np.ptp(steps) < 1e-9, "turns evenly"


def test_steps_are_those_of_a_demonstration():
    """In closed loop a chunk is the way that the demonstrator's commands lead: known without their recording, and equal to it."""
    scene = Scene(task("place"))
    episode = demonstrate(scene, 101)
    marks = [0, *keyframes(episode)]
    for a, b in zip(marks[:4], marks[1:5], strict=True):
        here, there = (torch.tensor(episode.hand[k])[None] for k in (a, b))
        told, then = (torch.tensor([[episode.open[k]]]) for k in (a, b))
        found = way(here, told, there, then, 18, by_step=True)[0]
        steps = np.diff(np.concatenate([here[:, :3].numpy(), found[:3, :3].numpy()]), axis=0) / (SPEED / RATE)
        goes = a + int(np.flatnonzero(np.abs(episode.actions[a:b, :3]).max(1) > 0)[0])  # the fingers rest first
        assert np.abs(steps - episode.actions[goes : goes + 3, :3]).max() < 0.1, "the first steps, before the hand lags behind"
        assert float((found[:, 12] == then[0, 0]).sum()) >= 1 and float((found[-1, :3] - there[0, :3]).norm()) < 1e-9


# --- the levels and the whole ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stacked", [True, False])
def test_the_high_level_moves_with_the_scene(stacked):
    model, x = policy(stacked_voxels=stacked), sight(3, 2)
    assert model.high is not None
    plain = model.high(x)
    for k in range(1, 4):
        turn = torch.matrix_power(QUARTER, k)
        there = model.high(moved(x, turn, SHIFT))
        assert (there.place - (plain.place @ turn.mT + SHIFT)).abs().max() < 1e-10
        assert (there.heading - plain.heading @ turn[:2, :2].mT).abs().max() < 1e-10
    assert (plain.place[0] - plain.place[1]).abs().max() > 1e-3, "it looks at the scene"
    plain_net = policy(equivariant=False)
    assert plain_net.high is not None
    wrong = plain_net.high(moved(x, QUARTER, SHIFT)).place - (plain_net.high(x).place @ QUARTER.mT + SHIFT)
    assert wrong.abs().max() > 1e-3, "without the group it does not"


def test_the_denoiser_moves_with_the_scene():
    model, x = policy(), sight(4, 2)
    place, noisy, step = torch.rand(2, 3).double() / 10, torch.randn(2, 8, 10).double(), torch.tensor([3, 15])
    plain = model.low.denoise(noisy, model.low.told(x, at_place(place)), step)
    there = moved(x, QUARTER, SHIFT)
    found = model.low.denoise(turned_pairs(noisy, QUARTER[:2, :2]), model.low.told(there, at_place(place @ QUARTER.mT + SHIFT)), step)
    assert (found - turned_pairs(plain, QUARTER[:2, :2])).abs().max() < 1e-10 and float(plain.abs().max()) > 0.05
    blind = model.low.denoise(turned_pairs(noisy, QUARTER[:2, :2]), model.low.told(x, at_place(place)), step)
    assert (blind - turned_pairs(plain, QUARTER[:2, :2])).abs().max() > 1e-4, "the scene matters"


@pytest.mark.parametrize(
    "options",
    [{}, {"sampler": 0, "levels": 4}, {"frame_transfer": "se2"}, {"frame_transfer": "none"}, {"hierarchy": False}, 
     {"stacked_voxels": False}, {"predicts": "noise", "control": "closed"}, {"draws": 5}],
    ids=str,
)  # fmt: skip
def test_the_policy_moves_with_the_scene(options):
    """pi(g o) = g pi(o) for each sample, whichever switches are thrown: the noise turns with the hand, or with the scene (Prop. 4.2)."""
    model, x = policy(**options), sight(5)
    plain = model.chunk(x)
    for k in (1, 2) if options else (1, 2, 3):
        turn = torch.matrix_power(QUARTER, k)
        there = moved(x, turn, SHIFT)
        found = model.chunk(there)
        assert (found[..., :12] - moved_pose(plain[..., :12], turn, SHIFT)).abs().max() < 1e-10
        assert (found[..., 12] - plain[..., 12]).abs().max() < 1e-10
    given = torch.randn(5 if model.sampler == 0 else model.draws, 1, 8, 10).double()
    one, two = model.chunk(x, given), model.chunk(moved(x, QUARTER, SHIFT), turned_pairs(given, QUARTER[:2, :2]))
    assert (two[..., :12] - moved_pose(one[..., :12], QUARTER, SHIFT)).abs().max() < 1e-10
    assert (one - plain).abs().max() > 1e-3, "the noise matters"


def test_draws_that_agree_are_one_answer():
    """One by one: the middle end, its nearest half, their mean; an outlier has no say, and two ways of doing it are not mixed."""
    draws = torch.randn(7, 3, 4, 10).double()
    found = agreed(draws)
    for b in range(3):
        ends = [draws[s, b, -1] for s in range(7)]
        middle = min(range(7), key=lambda s: sum(float((ends[s] - e).norm()) for e in ends))
        near = sorted(range(7), key=lambda s: float((ends[s] - ends[middle]).norm()))[:4]
        assert (found[b] - sum(draws[s, b] for s in near) / 4).abs().max() < 1e-12
    ways = torch.cat([torch.full((4, 1, 2, 10), 1.0), torch.full((3, 1, 2, 10), -1.0)]) + 1e-3 * torch.randn(7, 1, 2, 10)
    assert (agreed(ways) - 1).abs().max() < 0.01
    assert torch.equal(agreed(draws[:1]), draws[0])
    model, x = policy(draws=3), sight(9)
    noise = torch.randn(3, 1, 8, 10).double()
    each, place = [model.chunk(x, n[None])[..., :3] for n in noise], model.chunk(x, noise)[..., :3]
    pairs = [(each[a] + each[b]) / 2 for a, b in ((0, 1), (0, 2), (1, 2))]
    assert min(float((place - p).abs().max()) for p in pairs) < 1e-10 < min(float((place - e).abs().max()) for e in each)


def test_the_policy_in_single_precision():
    model, x = policy().float(), tuple(v.float() for v in sight(5))
    found = model.chunk(moved(x, QUARTER.float(), SHIFT.float()))
    wanted = moved_pose(model.chunk(x)[..., :12], QUARTER.float(), SHIFT.float())
    assert (found[..., :3] - wanted[..., :3]).abs().max() < 1e-5
    # Rows that random weights answer are far from orthonormal, and making them so magnifies rounding.
    assert (found[..., 3:12] - wanted[..., 3:]).abs().max() < 1e-4


def test_shifts_are_exact_without_an_equivariant_low_level():
    """Prop. 4.3: with a frame that moves with the scene, pi(o + t) = t + pi(o), whatever the networks are."""
    for options in ({}, {"hierarchy": False}, {"frame_transfer": "none"}):
        model, x = policy(equivariant=False, **options), sight(6)
        eye = torch.eye(3).double()
        found = model.chunk(moved(x, eye, SHIFT))[..., :12]
        assert (found - moved_pose(model.chunk(x)[..., :12], eye, SHIFT)).abs().max() < 1e-10
        turned_ = model.chunk(moved(x, QUARTER, SHIFT))[..., :12]
        assert (turned_ - moved_pose(model.chunk(x)[..., :12], QUARTER, SHIFT)).abs().max() > 1e-4


def test_a_frame_with_a_heading_makes_every_turn_exact():
    """The low level sees nothing of a turn of the scene where the frame turns along: any angle, even without built-in symmetry."""
    turn = torch.tensor(about(2, 0.7))
    for equivariant in (True, False):
        model, x = policy(frame_transfer="se2", equivariant=equivariant), sight(7)
        place, start = torch.rand(1, 3).double() / 10, torch.tensor(about(2, 0.3))[None]
        noise = torch.randn(1, 1, 8, 10).double()
        one = model.low.sample(x, Frame(place, start), noise)
        there = Frame(place @ turn.mT + SHIFT, turn @ start)
        two = model.low.sample(moved(x, turn, SHIFT), there, turned_pairs(noise, turn[:2, :2]))
        assert (two[..., :12] - moved_pose(one[..., :12], turn, SHIFT)).abs().max() < 1e-10


def test_wrong_words_are_told():
    for options, says in (
        ({"frame_transfer": "yaw"}, "frame_transfer"), ({"control": "half"}, "control"), ({"grid": "table"}, "grid"),
        ({"votes": 3}, "votes"), ({"turns": 6}, "turns"),
        ({"cells": 20}, "cells"), ({"steps": 7}, "steps"), ({"edge": 0.0}, "edge"), ({"predicts": "score"}, "predicts"),
        ({"levels": 1, "sampler": 0}, "Diffusion"),
        ({"sampler": 21, "levels": 20}, "sampler"),
        ({"draws": 0}, "draws"),
        ({"draws": 102}, "draws"),
        ({"draws": 2, "sampler": 0}, "draws"),
    ):  # fmt: skip
        with pytest.raises(OrbitscopeError, match=says):
            HierarchicalPolicy(**{**SMALL, **options})
    with pytest.raises(OrbitscopeError, match="the cloud is empty"):
        ChunkPolicy(policy()).predict_action(Sight(Cloud(np.zeros((0, 3)), np.zeros((0, 3))), np.zeros(12), 1.0))


def test_looks_between_keyframes():
    scene = Scene(task("button"))
    episode = demonstrate(scene, 7)
    plain, more = decisions(episode), decisions(episode, 3)
    assert set(plain) <= set(more) and len(more) == 4 * len(plain) and all(a < b for a, b in more)
    table = recorded(scene, 7, checked_settings({"between": 3, "pixels": 8}))
    assert table.looks.values.tolist() == [a for a, _ in more] and table.goals.values.tolist() == [b for _, b in more]
    assert len(set(table.decision_of.values)) == len(more)
    with pytest.raises(OrbitscopeError, match="between"):
        checked_settings({"between": 1.5})


# --- training and the command line -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demos(tmp_path_factory):
    return record("button", tmp_path_factory.mktemp("hep") / "button.nc", count=3, seed=300, settings={"voxel": 0.02, "pixels": 32})


OVER = ["cells=8", "edge=0.08", "near=0.05", "width=1", "hidden=8", "sampler=3"]


def test_the_command_line(demos, tmp_path, capsys):
    """Trained, stopped and gone on with, opened, let act; its answers move with the scene in single precision."""
    from orbitscope.systems import train_system
    from orbitscope.systems.manipulation import SYSTEM
    from orbitscope.training import FitConfig

    out = tmp_path / "run"
    words = ["train", str(demos), "--model", "hep", "--epochs", "2", "--out", str(out), "--override", *OVER]
    assert main(words) == 0
    (run,) = open_runs(out)
    assert isinstance(run.model, HierarchicalPolicy) and float(run.model.low.scale[0]) != 1.0
    assert main(["evaluate", str(out), "--episodes", "1"]) == 0
    said = capsys.readouterr().out
    assert "hep: " in said and "of 1 done" in said
    symmetry, x = SYSTEM.symmetries(run.examples["train"])["c4"], run.examples["train"].x
    g = symmetry.elements()[1]
    with torch.no_grad():
        there, plain = run.model(*symmetry.input(g, x)), symmetry.output(g, run.model(*x))
    assert (there[0] - plain[0]).abs().max() < 1e-4 and (there[1] - plain[1]).abs().max() < 1e-4
    assert main([*words[: -len(OVER)], "cells=9", "--force"]) == 2 and "cells" in capsys.readouterr().err

    class Stop(Exception):
        pass

    def stop(report):
        if report.epoch == 1 and report.step == report.steps:
            raise Stop

    options = dict(word.split("=") for word in OVER)
    options = {k: float(v) if "." in v else int(v) for k, v in options.items()}
    settings = FitConfig(**{**SYSTEM.models["hep"].defaults, "epochs": 2})
    with pytest.raises(Stop):
        train_system(demos, "hep", tmp_path / "again", settings, options=options, progress=stop)
    (again,) = train_system(demos, "hep", tmp_path / "again", settings, options=options, progress=None)
    kept = run.model.state_dict()
    assert all(torch.equal(v, kept[k]) for k, v in again.model.state_dict().items())
    history = [e["train"] for e in again.fit.history]
    assert len(history) == 2 and history[-1] < history[0]


@pytest.mark.parametrize("control", ["open", "closed"])
def test_a_policy_acts(control):
    torch.manual_seed(0)
    found = evaluate(ChunkPolicy(HierarchicalPolicy(**SMALL, control=control)), Scene(task("reach")), [0, 1], settings={"pixels": 16})
    assert isinstance(found, Evaluation) and found.episodes == 2
