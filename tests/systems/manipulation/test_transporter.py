"""The transporter: exact where it says so, on obvious references; training, evaluation, probe."""

import numpy as np
import pytest
import torch
from torch import Tensor

from orbitscope import OrbitscopeError
from orbitscope.cli import main
from orbitscope.systems import open_runs
from orbitscope.systems.manipulation import (
    SYSTEM,
    Episode,
    Evaluation,
    Keyframe,
    Level,
    ModelPolicy,
    NearestDemonstration,
    Scene,
    Sight,
    Transporter,
    WithAnswer,
    angle_modulo,
    evaluate,
    read_played,
    record,
    replay,
    rotation_grid,
    saturated,
    small_turns,
    splatted,
    task,
    transporter_for,
    used_rotations,
)
from orbitscope.systems.manipulation._field_nets import RunningScale
from orbitscope.systems.manipulation._poses import about, angle_of, turned
from orbitscope.systems.manipulation._rotations import nearest_rotation
from orbitscope.systems.manipulation._search import between, peak
from orbitscope.systems.manipulation._seen import middle

LEVELS = (Level(20, 0.04, 5), Level(10, 0.03, 5))
QUARTER = torch.tensor(about(2, np.pi / 2))


def test_splats_are_what_the_formula_says():
    rng = np.random.default_rng(0)
    points, features, weights = (torch.tensor(rng.uniform(-1, 1, s)) for s in ((2, 7, 3), (2, 7, 2), (2, 7)))
    n, h = 5, 0.4
    wanted = np.zeros((2, 2, n, n, n))
    for b in range(2):
        for p in range(7):
            for cell in np.ndindex(n, n, n):
                centre = (np.array(cell) - (n - 1) / 2) * h
                share = np.prod(np.maximum(0, 1 - np.abs(points[b, p].numpy() - centre) / h))
                wanted[b, :, *cell] += float(weights[b, p]) * share * features[b, p].numpy()
    found = splatted(points, features, weights, n, h)
    assert np.abs(found.numpy() - wanted).max() < 1e-12
    mixed = torch.tensor(rng.permutation(7))
    assert (splatted(points[:, mixed], features[:, mixed], weights[:, mixed], n, h) - found).abs().max() < 1e-12
    turned_ = splatted(points @ QUARTER.mT, features, weights, n, h)
    assert (turned_ - torch.rot90(found, 1, (2, 3))).abs().max() < 1e-12
    one = saturated(torch.cat([torch.full((1, 1, 2, 2, 2), 3.0), torch.full((1, 1, 2, 2, 2), 6.0)], 1))
    assert one[0, :, 0, 0, 0].tolist() == [0.75, 1.5]
    with pytest.raises(OrbitscopeError, match="should be"):
        splatted(points, features, weights[:1], n, h)


def test_grids_of_rotations():
    grid = rotation_grid(np.pi / 4)
    assert np.abs(grid @ grid.transpose(0, 2, 1) - np.eye(3)).max() < 1e-12 and len(grid) == 144
    apart = [[angle_of(a.T @ b) for b in grid[::7]] for a in grid[::7]]
    assert np.min(np.array(apart) + 9 * np.eye(len(apart))) > 0.5
    rng = np.random.default_rng(0)
    far = []
    for _ in range(100):
        q = turned(rng.standard_normal(3))
        far.append(angle_of(grid[nearest_rotation(grid, q)].T @ q))
    assert max(far) < np.deg2rad(50), "every rotation has one near it"
    for some in (grid, rotation_grid(np.pi / 6, tilt=0.6), used_rotations(grid, grid[5:6])):
        moved = about(2, np.pi / 2) @ some
        hits = [nearest_rotation(some, m) for m in moved]
        assert sorted(hits) == list(range(len(some))) and np.abs(some[hits] - moved).max() < 1e-9
    assert len(small_turns(0.1)) == 27 and np.abs(small_turns(0.1)[13] - np.eye(3)).max() == 0
    half = grid[3] @ about(2, np.pi)
    assert angle_modulo(grid[3], half) > 3.1 and angle_modulo(grid[3], half, 2) < 1e-6
    with pytest.raises(OrbitscopeError, match="divide a quarter turn"):
        rotation_grid(0.4)
    with pytest.raises(OrbitscopeError, match="at least one rotation"):
        used_rotations(grid, grid[:0])


def moved(poses: Tensor, turn: Tensor, shift: Tensor) -> Tensor:
    rows = poses.unflatten(1, (4, 3)) @ turn.mT
    return torch.cat([rows[:, :1] + shift, rows[:, 1:]], 1).flatten(1)


def sight(seed: int = 0) -> tuple[Tensor, ...]:
    """A random scene, and a random thing within 3 cm of the hand's origin, so that no turn takes it out of the box."""
    rng = np.random.default_rng(seed)
    scene = rng.uniform(-0.08, 0.08, (1, 80, 3)) + (0, 0, 0.08)
    place = np.array([0.04, 0.02, 0.32])
    thing = rng.uniform(-0.016, 0.016, (1, 30, 3)) + place
    points = np.concatenate([scene, thing], 1)
    hand = np.concatenate([place, (about(2, 0.4) @ np.diag([1.0, -1, -1])).T.ravel()])[None]
    found = (points, rng.random(points.shape), np.ones(points.shape[:2]), hand, np.ones((1, 1)))
    return tuple(torch.tensor(v, dtype=torch.float64) for v in found)


def transporter(**options) -> Transporter:
    torch.manual_seed(0)
    model = Transporter(rotation_grid(np.pi / 4, tilt=0.8), **{"width": 1, "features": 3, "levels": LEVELS, **options})
    return model.double().requires_grad_(False)


def test_scores_are_the_sum_over_what_is_held():
    model, x = transporter(), sight()
    turns = model.turns.double()[None, ::9]
    scores, scene, kernels = (v.detach() for v in model.scores(0, x, turns, middle(x[3])))
    rng = np.random.default_rng(1)
    for _ in range(20):
        r, i, j, m = (int(rng.integers(n)) for n in scores.shape[1:])
        total = 0.0
        for a, b, c in np.ndindex(5, 5, 5):
            p = (i + a - 2, j + b - 2, m + c - 2)
            if all(0 <= v < LEVELS[0].cells for v in p):
                total += float((scene[0, :, *p] * kernels[0, r, :, a, b, c]).sum())
        assert abs(float(scores[0, r, i, j, m]) - total / (3 * 125) ** 0.5) < 1e-10


def test_scores_are_bi_equivariant():
    """Q(g1 a g2^-1 | g1 S, g2 H) = Q(a | S, H): quarter turns and whole voxels on the scene, any turn on the hand, both at once."""
    model, x = transporter(), sight()
    points, colours, mask, hand, told = x
    turns, centre = model.turns.double()[None], middle(hand)
    plain, _, _ = model.scores(0, x, turns, centre)
    size = float(plain.abs().max())
    inside = model.in_hand(points, hand)[0] > 0
    assert int(inside.sum()) == 30 and size > 0.05
    place, turn = hand[:, :3], hand[:, 3:].unflatten(1, (3, 3)).mT[0]
    g2 = torch.tensor(turned(np.array([0.3, -0.8, 0.5])))
    held = points.clone()
    held[0, inside] = ((points[0, inside] - place) @ turn) @ g2.mT @ turn.mT + place
    hits = [nearest_rotation(model.turns.double().numpy(), r) for r in QUARTER.numpy() @ model.turns.double().numpy()]
    for cells in ((0, 0, 0), (1, -2, 1)):
        shift = 0.04 * torch.tensor(cells, dtype=torch.float64)
        for start, back in ((points, torch.eye(3, dtype=torch.float64)), (held, g2.mT)):
            there = (start @ QUARTER.mT + shift, colours, mask, moved(hand, QUARTER, shift), told)
            found, _, _ = model.scores(0, there, turns @ back, centre)
            wanted = torch.roll(torch.rot90(plain, 1, (2, 3)), cells, (2, 3, 4))
            # Beyond the edge of the cube there is nothing: six voxels see that.
            inner = (..., *[slice(7, -7)] * 3) if any(cells) else (...,)
            assert float((found[:, hits] - wanted)[inner].abs().max()) < 1e-10 * max(1.0, size)
    wrong, _, _ = model.scores(0, (held, *x[1:]), turns, centre)
    assert float((wrong - plain).abs().max()) > 1e-3 * size, "the thing in the hand matters"


def test_any_motion_of_what_is_held_is_undone_at_every_level():
    """Q(a g2^-1 | S, g2 H) = Q(a | S, H) for turns with shifts of no whole voxels; three levels, the last one resampled."""
    model, x = transporter(levels=(*LEVELS, Level(6, 0.008, 7, 5.0))), sight(1)
    points, colours, mask, hand, told = x
    inside = model.in_hand(points, hand)[0] > 0
    place, turn = hand[:, :3], hand[:, 3:].unflatten(1, (3, 3)).mT[0]
    g2, shift = torch.tensor(turned(np.array([0.5, 0.4, -0.9]))), torch.tensor([0.003, -0.005, 0.004], dtype=torch.float64)
    held = points.clone()
    held[0, inside] = (((points[0, inside] - place) @ turn) @ g2.mT + shift) @ turn.mT + place
    moved_ = (held, *x[1:])
    assert int(model.in_hand(held, hand).sum()) == int(inside.sum()) == 30
    base = model.turns.double()[None, 3]
    for level, turns in enumerate((model.turns.double()[None], model.finer(1, base), model.finer(2, base))):
        centre = torch.tensor([[0.01, 0.0, 0.1]], dtype=torch.float64)
        plain, _, _ = model.scores(level, x, turns, centre, base)
        found, _, _ = model.scores(level, moved_, turns @ g2.mT, centre, base @ g2.mT)
        assert float((found - plain).abs().max()) < 1e-10 * max(1.0, float(plain.abs().max())) and float(plain.std()) > 1e-4


def test_hands_are_found_from_what_they_hold():
    """Where the best place of what is held is p, the hand is at p - R c: a thing held elsewhere, the same place of the thing."""
    model, x = transporter(), sight(2)
    points, colours, mask, hand, told = x
    c = model.contents(x)[3][0]
    inside = model.in_hand(points, hand)[0] > 0
    frame = (points[0, inside] - hand[0, :3]) @ hand[0, 3:].reshape(3, 3).mT
    assert (c - frame.mean(0)).abs().max() < 1e-12
    held = points.clone()
    held[0, inside] += torch.tensor([0.002, 0.001, -0.003], dtype=torch.float64)
    (thing, plain), (same, found) = (
        (p[0, :3] + p[0, 3:].reshape(3, 3).mT @ model.contents(given)[3][0], p)
        for given in (x, (held, *x[1:]))
        for p in [model.find(given)[0]]
    )
    assert (thing - same).abs().max() < 1e-9 and (plain - found).abs().max() > 1e-3


def test_a_hand_that_is_not_told_apart_is_its_bones():
    model, x = transporter(held=False), sight()
    moved_ = (x[0] + 0.0, 1 - x[1], *x[2:])  # other colours everywhere, in the hand too
    turns, centre = model.turns.double()[None], middle(x[3])
    assert torch.equal(model.hand_kernels(0, x, turns), model.hand_kernels(0, moved_, turns))
    assert (model.scores(0, x, turns, centre)[0] - model.scores(0, moved_, turns, centre)[0]).abs().max() > 1e-3


def test_what_is_left_out_breaks_what_it_should():
    x = sight()
    points, colours, mask, hand, told = x
    there = (points @ QUARTER.mT, colours, mask, moved(hand, QUARTER, torch.zeros(3, dtype=torch.float64)), told)
    for options, exact in (({}, True), ({"order": 1}, False), ({"lift": False}, False)):
        model = transporter(**options)
        turns, centre = model.turns.double()[None], middle(hand)
        hits = [nearest_rotation(model.turns.double().numpy(), r) for r in QUARTER.numpy() @ model.turns.double().numpy()]
        plain, found = model.scores(0, x, turns, centre)[0], model.scores(0, there, turns, centre)[0][:, hits]
        error = float((found - torch.rot90(plain, 1, (2, 3))).abs().max() / plain.abs().max())
        if options.get("lift", True):
            assert (error < 1e-10) == exact
        g2 = torch.tensor(turned(np.array([0.0, 0.9, 0.0])))
        inside = model.in_hand(points, hand)[0] > 0
        place, turn = hand[:, :3], hand[:, 3:].unflatten(1, (3, 3)).mT[0]
        held = points.clone()
        held[0, inside] = ((points[0, inside] - place) @ turn) @ g2.mT @ turn.mT + place
        found = model.scores(0, (held, *x[1:]), turns @ g2.mT, centre)[0]
        assert (float((found - plain).abs().max() / plain.abs().max()) < 1e-10) == options.get("lift", True)


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_the_fine_answer_turns_along(seed):
    model, (points, colours, mask, hand, told) = transporter(), sight(seed)
    centre, still = torch.tensor([[0.01, 0.02, 0.08]], dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    found = []
    with torch.no_grad():
        for q in (torch.eye(3, dtype=torch.float64), QUARTER):
            x = (points @ q.mT, colours, mask, moved(hand, q, still), told)
            base = q @ model.turns.double()[None, 5]
            turns = model.finer(1, base)
            scores, scene, kernels = model.scores(1, x, turns, centre @ q.mT)
            place, best, at = peak(LEVELS[1], scores, centre @ q.mT)
            logit = model._told(scene, kernels, at, best, told)
            turn = between(LEVELS[1], scores, best, at) @ base
            found.append((torch.cat([place, turn.mT.flatten(1)], 1), logit, float(scores.amax() - scores.amin())))
    (pose, logit, size), (other, again, _) = found
    assert size > 1e-3, "something is to be found"
    # The orientations of the search are kept in float32.
    assert (other - moved(pose, QUARTER, still)).abs().max() < 1e-5 and (logit - again).abs().max() < 1e-5


def test_the_running_scale_is_that_of_what_it_saw():
    scale, rng = RunningScale(2).double(), np.random.default_rng(0)
    some = torch.tensor(rng.standard_normal((40, 8, 2)) * (100.0, 0.1) + (300.0, 0.0))
    for batch in some:
        scale(batch)
    seen = some.flatten(0, 1)
    out = scale.eval()(seen)
    assert out.mean(0).abs().max() < 0.3 and (out.std(0) - 1).abs().max() < 0.3
    assert torch.equal(out, scale(seen)), "nothing is counted when it is not trained"


@pytest.fixture(scope="module")
def demos(tmp_path_factory):
    return record("button", tmp_path_factory.mktemp("demos") / "demos.nc", count=6, seed=100, settings={"pixels": 20, "voxel": 0.02})


def test_examples_move_with_their_answers(demos):
    examples = SYSTEM.read(demos)
    moves = WithAnswer()
    drawn = moves.draw(len(examples), 0, 1, 2)
    assert torch.equal(drawn, moves.draw(len(examples), 0, 1, 2)) and not torch.equal(drawn, moves.draw(len(examples), 0, 1, 3))
    x, y = moves(drawn, examples.x, examples.y)
    before = (examples.y[0][:, :3] - examples.x[3][:, :3]).norm(dim=1)
    after = (y[0][:, :3] - x[3][:, :3]).norm(dim=1)
    assert len(x) == 9 and torch.allclose(before, after, atol=1e-5) and not torch.allclose(y[0], examples.y[0], atol=1e-2)
    assert torch.allclose(y[0][:, 2], examples.y[0][:, 2], atol=1e-6) and torch.equal(x[5], y[0])


def test_it_trains_and_acts_from_the_command_line_and_its_answers_turn_along(demos, tmp_path, capsys):
    run = tmp_path / "run"
    assert main(["train", str(demos), "--model", "transporter", "--epochs", "1", "--out", str(run)]) == 0
    assert "place" in capsys.readouterr().out
    played = tmp_path / "played.nc"
    assert main(["evaluate", str(run), "--episodes", "2", "--played", str(played)]) == 0
    said = capsys.readouterr().out
    assert main(["evaluate", str(run), "--episodes", "2", "--played", str(played)]) == 2 and "exists" in capsys.readouterr().err
    page, rows = tmp_path / "played.html", read_played(played)
    assert [r.policy for r in rows] == ["transporter"] * 2 + ["nearest demonstration"] * 2
    assert [r.episode.seed for r in rows] == [1000, 1001] * 2 and all((r.outcome == "done") == r.episode.success for r in rows)
    assert main(["report", str(played), "--out", str(page)]) == 0
    words = page.read_text(encoding="utf-8")
    assert "data:image/png;base64," in words and "nearest demonstration: failures" in words and "of 2 episodes" in words
    assert main(["view", str(played), "--out", str(tmp_path / "strips.png")]) == 0
    capsys.readouterr()
    assert main(["report", str(demos), "--out", str(tmp_path / "other.html")]) == 2 and "holds demonstrations" in capsys.readouterr().err
    assert "transporter: " in said and "nearest demonstration: " in said and "of 2 done" in said
    assert main(["evaluate", str(tmp_path)]) == 2 and "no run of a system" in capsys.readouterr().err
    (opened,) = open_runs(run)
    symmetry = SYSTEM.symmetries(opened.examples["test"])["c4"]
    x = opened.examples["test"].x
    with torch.no_grad():
        for g in symmetry.elements()[1:]:
            moved_, plain = opened.model(*symmetry.input(g, x)), symmetry.output(g, opened.model(*x))
            close = (moved_[0] - plain[0]).abs().amax(1) < 1e-3
            assert close.float().mean() > 0.7, "all but a tie of two scores"


def test_a_policy_is_counted_and_its_faults_are_failures(demos):
    class Script:
        """What the script of the task would do, looking at the scene."""

        def __init__(self, scene: Scene) -> None:
            self.scene, self.rest = scene, iter(())

        def predict_action(self, seen: Sight) -> Keyframe:
            if self.scene.steps == 0:
                self.rest = self.scene.task.script(self.scene)
            return next(self.rest)

    class Far:
        def predict_action(self, seen: Sight) -> Keyframe:
            assert len(seen.cloud) > 100
            return Keyframe(seen_pose([2.0, 0, 0.1]), True)

    scene = Scene(task("button"))
    settings = {"pixels": 24, "voxel": 0.02}
    played: list[Episode] = []
    good = evaluate(Script(scene), scene, range(3), settings=settings, played=played)
    assert good.successes == 3 and good.interval[0] > 0.4 and "3 of 3 done" in str(good)
    assert [e.seed for e in played] == [0, 1, 2] and all(e.success and len(e.hand) == len(e) + 1 for e in played)
    again = replay(scene, played[1])
    assert again.success and np.array_equal(again.hand, played[1].hand) and scene.watch is None
    bad = evaluate(Far(), scene, range(2), settings=settings)
    assert bad == Evaluation(0, 2, bad.outcomes, 0) and all("out of reach" in o for o in bad.outcomes)
    near = NearestDemonstration(SYSTEM.read(demos))
    goals = SYSTEM.read(demos).y[0]
    scene.reset(100)
    model = transporter_for(SYSTEM.read(demos))
    assert len(model.turns) % 4 == 0
    with pytest.raises(OrbitscopeError, match="at least one"):
        evaluate(near, scene, ())
    assert isinstance(ModelPolicy(model), ModelPolicy) and goals.shape[1] == 12


@pytest.mark.parametrize("speed", [1e5, 1e11, np.nan])
def test_a_simulation_that_diverges_is_a_failure_and_no_end(speed, tmp_path, monkeypatch, capfd):
    """MuJoCo resets what is not finite and goes on; an episode must not."""

    class Still:
        def predict_action(self, seen: Sight) -> Keyframe:
            return Keyframe(scene.hand, True)

    def spoil(scene: Scene, k: int) -> None:
        if not spoilt:
            spoilt.append(k)
            scene.data.qvel[:] = speed

    monkeypatch.chdir(tmp_path)  # MuJoCo writes its warnings there
    scene, spoilt, played = Scene(task("lift")), [], []
    scene.reset(0)
    start = scene.get_state()
    found = evaluate(Still(), scene, range(3), settings={"pixels": 16, "voxel": 0.04}, most=2, disturb=spoil, played=played)
    assert found.successes == 0 and "left all bounds" in found.outcomes[0] and found.outcomes[1] == "not done"
    assert all(np.isfinite(e.hand).all() and np.isfinite(e.bodies).all() for e in played)
    scene.data.qvel[:] = speed
    scene.act(np.zeros(7))
    assert scene.broken
    scene.set_state(start)
    assert not scene.broken


def seen_pose(place):
    from orbitscope.systems.manipulation._poses import pose

    return pose(place, np.diag([1.0, -1.0, -1.0]))
