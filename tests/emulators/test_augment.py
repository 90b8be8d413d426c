"""Augmentation: the elements are those of the group, uniform, the same for x and y, and part of what a resume repeats bit for bit."""

import json

import pytest
import torch
from test_train import PAIR, TINY, Stop, quiet, same, stopper, toy, weights, without_seconds

from orbitscope import OrbitscopeError
from orbitscope.cli import main
from orbitscope.data import load, save
from orbitscope.emulators import TrainConfig, load_run
from orbitscope.emulators.training._augment import Augmentation
from orbitscope.symmetry import Grid, GridAction, Layout, parse_group

LAYOUT = Layout.of("velocity:vector", "tracer")


@pytest.mark.parametrize(("words", "size"), [("d4", 5), ("c4", 6), ("tx*ty", 4), ("d4*tx*ty", 3), ("d2*tx2", 4)])
def test_every_row_is_moved_by_an_element_of_the_group_and_all_of_them_come_up(words, size):
    """Against all elements of the product group in a list: each row is exactly one moved original, x and y by the same one."""
    grid = Grid.square(size)
    augmentation, action = Augmentation.of(words, LAYOUT, grid), GridAction(LAYOUT, grid)
    group = [a for a in parse_group(words, points=size)] if words != "d2*tx2" else [
        a @ b for a in parse_group("d2") for b in parse_group("tx2", points=size)
    ]  # fmt: skip
    x, y = torch.randn(2, 1, 3, size, size, dtype=torch.float64)
    length = 60 * len(group)
    moved_x, moved_y = augmentation(augmentation.draw(length, 0, 1, 1), x.expand(length, -1, -1, -1), y.expand(length, -1, -1, -1))
    hits = torch.zeros(len(group))
    for i, g in enumerate(group):
        match = (moved_x == action(g, x)).flatten(1).all(1)
        assert torch.equal(match, (moved_y == action(g, y)).flatten(1).all(1))
        hits[i] = match.sum()
    assert hits.sum() == length
    # Uniform: chi-square of |G| cells with 60 expected each, ten standard deviations wide.
    assert ((hits - 60) ** 2 / 60).sum() < len(group) + 10 * (2 * len(group)) ** 0.5


def test_draws_depend_on_seed_epoch_and_step_alone():
    augmentation = Augmentation.of("d4*tx*ty", LAYOUT, Grid.square(16))
    one = augmentation.draw(64, 3, 2, 5)
    assert torch.equal(one, augmentation.draw(64, 3, 2, 5)) and torch.equal(one[:10], augmentation.draw(10, 3, 2, 5))
    others = [augmentation.draw(64, *where) for where in ((4, 2, 5), (3, 1, 5), (3, 2, 6), (3, 5, 2))]
    assert all(not torch.equal(one, other) for other in others)
    assert not torch.equal(one[:, 1], one[:, 2])  # x and y are not shifted alike


def test_what_the_grid_cannot_represent_is_refused(tmp_path):
    for words, message in (("c8", "between its points"), ("so2", "between its points"), ("nonsense", "cannot read")):
        with pytest.raises(OrbitscopeError, match=message):
            quiet(toy(), TINY.replace(augment=words), tmp_path / "run")
    with pytest.raises(OrbitscopeError, match="not periodic"):
        Augmentation.of("tx", LAYOUT, Grid.square(8, boundary="wall"))
    with pytest.raises(OrbitscopeError, match="square grid"):
        Augmentation.of("d4", LAYOUT, Grid((8, 4), (1, 1), ("periodic", "periodic")))
    with pytest.raises(OrbitscopeError, match="augment"):
        TrainConfig(augment="")


@pytest.mark.parametrize("stop", [(1, None), (2, 3)])
def test_a_resumed_augmented_run_equals_the_uninterrupted_one_bit_for_bit(tmp_path, stop):
    data, config = toy(), TINY.replace(augment="d4*tx*ty")
    quiet(data, config, tmp_path / "whole")
    quiet(data, TINY, tmp_path / "plain")
    with pytest.raises(Stop):
        quiet(data, config, tmp_path / "cut", progress=stopper(*stop))
    quiet(data, config, tmp_path / "cut")
    for name in ("model.safetensors", "last.safetensors"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert without_seconds(tmp_path / "cut") == without_seconds(tmp_path / "whole")
    assert not same(weights(tmp_path / "whole"), weights(tmp_path / "plain"))
    with pytest.raises(OrbitscopeError, match=r"augment = None, now 'd4"):
        quiet(data, config, tmp_path / "plain")


def test_a_run_from_before_augmentation_existed_is_still_finished(tmp_path):
    out = quiet(toy(), TINY.replace(epochs=1), tmp_path / "run")
    kept = json.loads((out / "run.json").read_text())
    del kept["config"]["augment"]
    (out / "run.json").write_text(json.dumps(kept))
    quiet(toy(), TINY.replace(epochs=1), out, progress=stopper(1, 1))
    assert load_run(out).config.augment is None


def test_augmentation_lowers_the_equivariance_error(tmp_path):
    """Few states of one orientation: the augmented model must come out closer to commuting with D4 than the plain one."""
    data = toy(trajectories=10)
    config = PAIR.replace(epochs=20, learning_rate=2e-2)
    action, d4 = GridAction(data.layout, data.grid), parse_group("d4")
    x = data.tensor(torch.float64)[:, 0]
    errors = {}
    for words in (None, "d4"):
        model = load_run(quiet(data, config.replace(augment=words), tmp_path / str(words))).model
        with torch.no_grad():
            errors[words] = max(float((model(action(g, x)) - action(g, model(x))).norm() / (model(x) - x).norm()) for g in d4)
    assert errors["d4"] < 0.8 * errors[None], errors


def test_on_the_command_line(tmp_path, capsys):
    save(toy(), tmp_path / "toy.nc")
    words = ["train", str(tmp_path / "toy.nc"), "--out", str(tmp_path / "run"), "--epochs", "1", "--override", "width=4", "kernels=3,3"]
    assert main([*words, "--augment", "d4*tx*ty"]) == 0
    assert load_run(tmp_path / "run").config.augment == "d4*tx*ty"
    assert main([*words[:3], str(tmp_path / "two"), *words[4:], "--augment", "c8"]) != 0
    assert load(tmp_path / "toy.nc").trajectories == 10
