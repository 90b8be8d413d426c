"""Mechanics from the command line, its claims held against the true law, and examples that are refused."""

import numpy as np
import pytest
import torch
from torch.func import functional_call, grad, vmap

from orbitscope import OrbitscopeError, open_probe
from orbitscope.cli import main
from orbitscope.data import Examples, load_examples
from orbitscope.probe import ProbeConfig, examine
from orbitscope.symmetry import LieGroup, mapped
from orbitscope.systems import open_runs, train_system
from orbitscope.systems.mechanics import (
    BODIES,
    SYSTEM,
    EndsKnown,
    MotionLoss,
    momenta,
    motion_examples,
    motion_of,
    numbers_of,
    trajectories_of,
)
from orbitscope.training import FitConfig

from .motions import KINDS, SMALL, motion, network


def run(*words):
    return main([str(w) for w in words])


@pytest.mark.parametrize("name", sorted(BODIES))
def test_every_scenario_makes_motions_that_obey_the_law(name, tmp_path):
    small = {"starts": 2, "frames": 19, "duration": 1.5}
    file = SYSTEM.simulate(f"mechanics.{name}", tmp_path / "m.nc", count=3, seed=1, parameters=small)
    again = SYSTEM.simulate(f"mechanics.{name}", tmp_path / "m.npz", count=3, seed=1, parameters=small)
    found, same = load_examples(file), load_examples(again)
    assert all(torch.equal(a, b) for a, b in zip(found.x, same.x, strict=True)) and torch.equal(found.y, same.y)
    law = SYSTEM.law(found)
    assert law is not None
    assert (law(*found.x) - found.y).abs().max() < 1e-8 * found.y.abs().max()
    whole = trajectories_of(found)
    assert whole.shape == (3, 2, 19, 2 * BODIES[name].pairs)
    assert torch.equal(whole[:, :, 5:].reshape(found.y.shape), found.y)
    assert torch.equal(found.x[2].reshape(3, 2, 14, 16, -1)[:, 0, 0], whole[:, 1, :16])  # the context is of the other start
    assert len(numbers_of(found)) == 3
    for word, symmetry in SYSTEM.symmetries(found).items():
        gaps = [float((law(*symmetry.input(g, found.x)) - symmetry.output(g, found.y)).abs().max()) for g in symmetry.elements()]
        wrong = name == "driven-pendulum" or (name == "damped-pendulum" and word == "reversal")
        assert max(gaps) > 1e-4 if wrong else max(gaps) < 1e-7, (word, gaps)


def test_symmetries_by_body_and_what_they_move():
    few = {"count": 2, "frames": 19, "duration": 1.5}
    names = {b: set(SYSTEM.symmetries(motion(b, **few))) for b in ("three-body", "kepler", "springs", "pendulum")}
    both = {"reversal", "mirror", "rotation", "scale"}
    assert names["three-body"] == {*both, "exchange", "translation"} and names["kepler"] == both
    assert names["springs"] == {"reversal", "exchange", "scale"} and names["pendulum"] == {"reversal", "mirror"}
    data = motion("three-body", **few)
    symmetries = SYSTEM.symmetries(data)
    group, scales = symmetries["translation"].group, symmetries["scale"].group
    assert isinstance(group, LieGroup) and isinstance(scales, LieGroup)
    past, direction, context, numbers = symmetries["translation"].input(group.exp([0.2, -0.1]), data.x)
    shift = torch.tensor([0.2, -0.1] * 3 + [0.0] * 6, dtype=torch.float64)
    assert torch.allclose(past, data.x[0] + shift) and torch.allclose(context, data.x[2] + shift)
    assert torch.equal(direction, data.x[1]) and torch.equal(numbers, data.x[3])
    wider = symmetries["scale"].input(scales.exp([np.log(2.0)]), data.x)
    assert torch.allclose(wider[0], 2 * data.x[0]) and torch.allclose(wider[3], 8 * data.x[3]) and torch.equal(wider[1], data.x[1])


def test_motions_of_a_group_compose():
    data = motion("kepler")
    symmetry = SYSTEM.symmetries(data)["rotation"]
    symmetry.group.check()
    a, b = symmetry.elements()[3], symmetry.elements()[6]
    for act, state in ((symmetry.input, data.x), (symmetry.output, data.y)):
        gap = mapped(torch.sub, act(a @ b, state), act(a, act(b, state)))
        assert max(float(p.abs().max()) for p in (gap if isinstance(gap, tuple) else (gap,))) < 1e-13
        assert sum(b.shape[1] for b in act.blocks(state)) == len(act.channels)


FEW = ("starts=2", "frames=17", "duration=1.25", "context=8")


@pytest.fixture(scope="module")
def pendulums(tmp_path_factory):
    """A file of 14 small systems."""
    file = tmp_path_factory.mktemp("pendulums") / "p.npz"
    assert run("simulate", "mechanics.pendulum", "--initial", *FEW, "--trajectories", 14, "--out", file) == 0
    return file


@pytest.mark.parametrize("model", ["hamiltonian_map", "dhn"])
def test_from_a_pendulum_to_a_report(model, pendulums, tmp_path):
    folder, probe, page = (tmp_path / n for n in ("run", "p.nc", "r.html"))
    assert run("train", pendulums, "--model", model, "--override", "width=16", "--epochs", 2, "--out", folder) == 0
    (opened,) = open_runs(folder)
    assert next(opened.model.parameters()).dtype == torch.float64 and len(opened.fit.history) == 2
    words = ("--group", "reversal", "--out", probe, "--steps", 0, "--influence-elements", 0)
    assert run("probe", folder, pendulums, *words) == 0
    assert "reversal" in open_probe(probe).children
    assert run("report", probe, "--out", page) == 0 and "reversal" in page.read_text(encoding="utf-8")


def test_the_learning_of_a_scalar_transformer_is_probed(pendulums):
    """Its slopes are derivatives taken in the forward pass, under which torch does not say what is kept for the backward pass."""
    examples = load_examples(pendulums)
    torch.manual_seed(0)
    model = SYSTEM.models["dhn"].make(examples, block=2, stride=1, net="transformer", width=4, refinements=1).double()
    few = ProbeConfig(trajectories=2, times=2, steps=0)
    tree = examine(model, examples, [SYSTEM.symmetries(examples, model)["reversal"]], few, law=SYSTEM.law(examples))
    assert np.isfinite(tree["reversal/influence"]["influence"]).all()


@pytest.mark.parametrize("model", sorted(KINDS))
def test_every_model_learns_and_is_opened_again(model, pendulums, tmp_path):
    presets = SYSTEM.models[model].presets
    preset = "autodecoder" if "autodecoder" in presets else "small"
    config = FitConfig(epochs=2, batch=64, learning_rate=1e-2, precision="64")
    (found,) = train_system(pendulums, model, tmp_path / "run", config, preset=preset, options={"width": 16}, progress=None)
    errors = [row["train"] for row in found.fit.history]
    assert errors[1] < errors[0]
    (opened,) = open_runs(tmp_path / "run")
    x = opened.examples["test"].x
    assert torch.equal(opened.model(*x), found.model(*x))
    one = lambda w, *s: functional_call(opened.model, w, tuple(p[None] for p in s)).square().sum()  # noqa: E731
    weights = {k: v.detach() for k, v in opened.model.named_parameters()}
    each = vmap(grad(one), in_dims=(None, 0, 0, 0, 0))(weights, *(p[:2] for p in x))  # as influence takes them
    assert all(torch.isfinite(g).all() for g in each.values()) and max(float(g.abs().max()) for g in each.values()) > 0


def test_training_minimises_the_explicit_residual():
    data = motion()
    net = network("hamiltonian_map", data)
    loss, ends = MotionLoss(motion_of(data)), EndsKnown(3, pairs=None)
    drawn = ends.draw(len(data), 0, 1, 2)
    assert torch.equal(drawn, ends.draw(len(data), 0, 1, 2)) and not torch.equal(drawn, ends.draw(len(data), 0, 1, 3))
    x, y = ends(drawn, data.x, data.y)
    found = loss.each(net(*x), y)
    z, first, last = net.encode(data.x[2]), net.scale(data.x[0][:, -1]), net.scale(data.y)
    slope = net.function.gradient(0.5 * (first + last), z)
    slow = (last - first - torch.stack([slope[:, 1], -slope[:, 0]], 1)).square().mean(1)
    assert (found - slow).abs().max() < 1e-12
    assert torch.allclose(loss.each((y, slow), y), slow)


def test_training_sees_random_pairs_of_the_context():
    data, ends = motion(), EndsKnown(2, pairs=3)
    drawn = ends.draw(len(data), 0, 1, 1)
    (_, direction, cut, _, end, normal), y = ends(drawn, data.x, data.y)
    starts = []
    for n in range(len(data)):
        for pair in cut[n]:
            fits = [k for k in range(15) if torch.equal(pair, data.x[2][n, k : k + 2])]
            assert len(fits) == 1
            starts += fits
    assert set(starts) == set(range(15)) and normal.shape == (len(data), 2) and torch.equal(end, y)
    net, whole = network("hamiltonian_map", data), data.x[2]
    every = torch.stack([whole[:, :-1], whole[:, 1:]], 2)
    assert (net.reader(net.scale(every), direction) - net.encode(whole)).abs().max() < 1e-13


def test_noise_is_added_in_units_of_the_motion():
    clean, noisy = motion(), motion(noise=0.1)
    gap = (trajectories_of(noisy) - trajectories_of(clean)).flatten(0, 2)
    size = trajectories_of(clean).flatten(0, 2).square().mean(0).sqrt()
    assert torch.allclose(gap.square().mean(0).sqrt() / size, torch.full((2,), 0.1, dtype=torch.float64), rtol=0.2)


def test_momenta_from_coordinates():
    t = np.linspace(0, 4, 81)
    q = np.stack([np.sin(t), np.cos(2 * t)], -1)
    found = momenta(q, t, mass=[2.0, 3.0])
    assert np.abs(found[10:-10, 2:] - np.stack([2 * np.cos(t), -6 * np.sin(2 * t)], -1)[10:-10]).max() < 1e-4


def with_about(examples, **changes):
    about = {**examples.about, "motion": {**examples.about["motion"], **changes}}
    return Examples(examples.x, examples.y, examples.unit, examples.slot, "motion", about)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: motion_examples(np.zeros((2, 2, 30, 3)), 0.1), "as many momenta"),
        (lambda: motion_examples(np.zeros((2, 30, 4)), 0.1), "systems, starts, frames"),
        (lambda: motion_examples(np.zeros((2, 2, 30, 2)), np.r_[np.arange(29), 40.0]), "evenly spaced"),
        (lambda: motion_examples(np.zeros((2, 2, 30, 2)), np.arange(9.0)), "9 times for 30 frames"),
        (lambda: motion_examples(np.zeros((2, 2, 30, 2)), -0.1), "evenly spaced"),
        (lambda: motion_examples(np.zeros((2, 2, 12, 2)), 0.1), "too few"),
        (lambda: motion_examples(np.zeros((2, 2, 30, 2)), 0.1, numbers=[[1.0]], names=["mass"]), "`numbers`"),
        (lambda: motion_of(Examples(torch.zeros(3, 2), torch.zeros(3, 2))), "do not say which coordinates"),
        (lambda: motion_of(with_about(motion(), history=4)), "parts of `x`"),
        (lambda: trajectories_of(motion().take(np.arange(30))), "no whole trajectories"),
        (lambda: SYSTEM.scenario("mechanics.penduluum"), "no scenario"),
    ],
)
def test_what_is_refused(call, said):
    with pytest.raises(OrbitscopeError, match=said):
        call()


@pytest.mark.parametrize("wrong", [{"starts": 0}, {"duration": 0.0}, {"noise": -1.0}, {"frames": 1}])
def test_wrong_parameters_are_refused(wrong, tmp_path):
    with pytest.raises(OrbitscopeError, match=next(iter(wrong))):
        SYSTEM.simulate("mechanics.pendulum", tmp_path / "x.npz", count=2, parameters={**SMALL, **wrong})


def test_somebodys_own_motion_has_no_law_but_the_reversal_that_it_claims():
    t = 0.1 * np.arange(30)
    path = np.stack([np.stack([np.sin(t + a), np.cos(t + a)], -1) for a in (0.0, 1.0)])[None].repeat(3, 0)
    data = motion_examples(path, t)
    assert SYSTEM.law(data) is None and set(SYSTEM.symmetries(data)) == {"reversal"}
    assert not SYSTEM.symmetries(motion_examples(path, 0.1, even=False))
