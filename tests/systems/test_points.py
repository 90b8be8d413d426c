"""Points as a system: scenarios against their laws, models under the motions of space, what is read off, the command line."""

import json
from typing import Any

import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError, ProbeConfig, equivariance, examine, influence, open_probe, verdict
from orbitscope.cli import main
from orbitscope.data import Examples, load_examples, save_examples
from orbitscope.nn import relaxed_weights
from orbitscope.symmetry import called, octahedral, orthogonal
from orbitscope.systems.points import (
    PHASES,
    SYSTEM,
    CoordinateNet,
    E3Net,
    PointMSE,
    equivariance_gaps,
    left_over,
    point_examples,
    reading,
    responses,
    with_weights,
)
from orbitscope.training import FitConfig, fit, load_fit

SMALL = {"hidden": "2x0e+2x1o+1x2e", "layers": 2}
FRAMES = {"frames": 3}
PARAMETERS = {
    "shapes.deformed": {}, "particle.field": FRAMES, "particle.cluster": {}, "pendulum.damped": FRAMES, "crystal.perovskite": {},
    "crystal.batio3": {}, "diffusion.tensor": {},
}  # fmt: skip


def made(scenario: str, count: int = 6, **parameters) -> Any:
    plan = SYSTEM.scenario(scenario)
    return plan.make(count, 0, None, **{**plan.parameters, **PARAMETERS[scenario], **parameters})


def shaken(data: Examples) -> Examples:
    """The same with points out of place: in the ideal crystal a strict network's answer is 0."""
    places = data.x[0] + 0.1 * torch.randn(data.x[0].shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    return Examples((places, *data.x[1:]), data.y, data.unit, data.slot, data.name, data.about)


def network(name: str, examples: Examples, **options) -> torch.nn.Module:
    torch.manual_seed(0)
    return SYSTEM.model(name).make(examples, **{**SMALL, **options}).double()


def broken(net: torch.nn.Module, examples: Examples, seed: int = 0) -> None:
    """Random relaxed weights, of size 1 in all."""
    theta = relaxed_weights(net).theta
    drawn = torch.randn(theta.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        theta.copy_(drawn / drawn.norm())


@pytest.mark.parametrize("scenario", PARAMETERS)
def test_a_strict_network_is_equivariant_and_a_relaxed_one_with_its_weights(scenario):
    data = shaken(made(scenario))
    symmetry = SYSTEM.symmetries(data)["o3"]
    elements = symmetry.group.probes(4, seed=1)
    assert equivariance_gaps(network("e3net", data), data.x, symmetry, elements).max() < 1e-10
    net = network("relaxed_e3net", data)
    assert equivariance_gaps(net, data.x, symmetry, elements).max() < 1e-10  # at the start
    broken(net, data)
    assert equivariance_gaps(net, data.x, symmetry, elements[1:]).min() > 1e-3
    free, states, joint = with_weights(net, data, symmetry)
    assert equivariance_gaps(free, states.x, joint, elements).max() < 1e-10
    assert torch.allclose(called(free, states.x), called(net, data.x), atol=1e-12)


@pytest.mark.parametrize("scenario", PARAMETERS)
def test_scenarios_are_seeded_scaled_and_kept_by_a_file(scenario, tmp_path):
    data, again, other = made(scenario), made(scenario), SYSTEM.scenario(scenario).make(6, 1, None, **PARAMETERS[scenario])
    assert torch.equal(data.y, again.y) and not torch.equal(data.y, other.y)
    kept = load_examples(save_examples(data, tmp_path / "x.nc"))
    assert torch.equal(kept.y, data.y) and SYSTEM.symmetries(kept).keys() == SYSTEM.symmetries(data).keys()
    net = network("e3net", kept)
    assert abs(float(called(net, kept.x).square().mean().sqrt().detach()) / float(data.y.square().mean().sqrt()) - 1) < 3


def test_a_charge_moves_as_the_law_says():
    """Exact steps against the midpoint rule with a thousand steps each; the magnetic force does no work."""
    e, b = np.array([0.3, -0.2, 0.9]), np.array([0.5, 1.0, -0.4])
    data = made("particle.field", electric=e, magnetic=b, frames=3)
    v = data.x[1][:, 0, 1:].numpy().reshape(6, 3, 3)
    assert np.allclose(data.y.numpy().reshape(6, 3, 3), e + np.cross(v, b), atol=1e-12)
    at, h = v[:, 0], 1e-4
    for _ in range(1000):
        middle = at + h / 2 * (e + np.cross(at, b))
        at = at + h * (e + np.cross(middle, b))
    assert np.allclose(at, v[:, 1], atol=1e-7)
    alone = made("particle.field", electric=(0, 0, 0), magnetic=b, frames=3).x[1][:, 0, 1:].numpy().reshape(6, 3, 3)
    assert np.allclose(np.linalg.norm(alone, axis=2), np.linalg.norm(alone[:, :1], axis=2), atol=1e-12)


def test_the_pendulum_keeps_its_length_and_loses_energy_to_damping_alone():
    for damping, kept in ((0.0, True), (0.3, False)):
        data = made("pendulum.damped", damping=damping, frames=20)
        r, v = data.x[1][:, 0, 1:4].reshape(6, 20, 3), data.x[1][:, 0, 4:].reshape(6, 20, 3)
        assert torch.allclose(r.norm(dim=2), torch.ones(6, 20, dtype=torch.float64)) and float((r * v).sum(2).abs().max()) < 1e-9
        energy = v.square().sum(2) / 2 + 9.81 * r[..., 2]
        drift = (energy - energy[:, :1]).abs().max() / energy.abs().max()
        assert (float(drift) < 1e-5) == kept


def test_the_forces_of_a_cluster_are_its_formula_and_sum_to_zero():
    data = made("particle.cluster")
    places = data.x[0]
    expected = torch.zeros_like(places)
    for n, i, j in np.ndindex(6, 4, 4):
        d = places[n, j] - places[n, i]
        expected[n, i] += (1 - d @ d) * torch.exp(-d @ d / 2) * d
    assert torch.allclose(data.y, expected, atol=1e-12) and float(data.y.sum(1).abs().max()) < 1e-12
    assert torch.allclose(made("particle.cluster", field=(0, 0, 2.0)).y - data.y, torch.tensor([0.0, 0, 2.0], dtype=torch.float64))


def test_the_diffusion_tensor_has_its_principal_values():
    data = made("diffusion.tensor")
    tensor = np.array(data.about["tensor"])
    assert np.allclose(np.linalg.eigvalsh(tensor), [1, 2, 4]) and np.allclose(data.y.numpy(), -data.x[1][..., 1:].numpy() @ tensor)


@pytest.mark.parametrize(("phase", "order"), [("Pm-3m", 48), ("P4mm", 8), ("Amm2", 4), ("R3m", 6)])
def test_displacements_of_a_perovskite_keep_the_point_group_of_its_phase(phase, order):
    """An element of the cube's group permutes the ions; where it keeps n it must keep the displacements, and it keeps so many."""
    data = made("crystal.perovskite", count=1, strain=0.0, phase=phase)
    places, y = data.x[0][0].numpy() / 4.0, data.y[0].numpy()
    kept = 0
    for g in octahedral():
        matrix = np.array(g.linear, dtype=float)
        gaps = (places @ matrix.T)[:, None] - places[None]
        target = np.abs(gaps - np.round(gaps)).sum(2).argmin(1)
        keeps_direction = np.allclose(matrix @ np.array(PHASES[phase]), PHASES[phase])
        moved = np.empty_like(y)
        moved[target] = y @ matrix.T
        assert np.allclose(moved, y, atol=1e-12) == keeps_direction
        kept += keeps_direction
    assert kept == order


def test_barium_titanate_has_the_published_heights():
    data = made("crystal.batio3", count=1, strain=0.0)
    edge, height = 7.626934 * 0.529177, data.y[0][:, 2].numpy() / (7.626934 * 0.529177)
    assert np.allclose(data.x[-1][0].numpy(), 4.006 * np.eye(3)) and 4.03 < edge < 4.04
    assert np.allclose(height, [0, 0.515174 - 0.5, 0.973561 - 1, 0.483437 - 0.5, 0.483437 - 0.5], atol=1e-9)
    assert not data.y[0][:, :2].any()
    turned = made("crystal.batio3", count=1, strain=0.0, phase="R3m").y[0][1].numpy()
    assert np.allclose(turned, np.linalg.norm(turned) / 3**0.5) and np.isclose(np.linalg.norm(turned), data.y[0][1].norm())


def test_cases_have_relaxed_weights_of_their_own():
    data = made("crystal.perovskite", cases=3)
    net = network("relaxed_e3net", data)
    assert isinstance(net, E3Net) and relaxed_weights(net).cases == 3 and data.about["amplitudes"] == [0.0, 0.05, 0.1]
    assert set(data.y.flatten(1).norm(dim=1).mul(1e6).round().tolist()) != {0.0} and not data.y[0].any()
    broken(net, data)
    with torch.no_grad():
        plain = called(net, data.x)
        relaxed_weights(net).theta[1] = 0.0
        changed = called(net, data.x)
    same = [bool(torch.equal(a, b)) for a, b in zip(plain, changed, strict=True)]
    assert same == [case != 1 for case in torch.as_tensor(data.x[-1]).tolist()]

    # One example alone, as influence needs it.
    def alone(*x: Any) -> Any:
        return net(*[part[None] for part in x])[0]

    one = torch.func.vmap(alone)(*data.x)
    assert torch.allclose(one, changed, atol=1e-12)


def test_what_an_irrep_does_to_the_answer_adds_up_where_the_network_is_linear_in_it():
    data = made("particle.field")
    net = network("relaxed_e3net", data, layers=1)
    broken(net, data)
    owed = responses(net, data.x)
    with torch.no_grad():
        difference = called(net, data.x) - net(*data.x, theta=torch.zeros(1, relaxed_weights(net).irreps.dim, dtype=torch.float64))
    assert torch.allclose(torch.stack([*owed.values()]).sum(0), difference, atol=1e-10)
    found = reading(net, data)
    assert float(found["moved"].max()) < 1e-10 and float(found["held"].min()) > 1e-3
    assert json.loads(str(found.attrs["groups"]))[0]["group"] == "C1" and left_over(net) is None


@pytest.mark.parametrize("scenario", ["particle.field", "crystal.perovskite"])
def test_errors_with_weights_held_and_moved_differ_by_the_learnt_breaking_alone(scenario):
    """f(gx, t) - g f(x, t) = [f(gx, t) - f(gx, gt)] + [f(gx, gt) - g f(x, t)], and the second bracket is rounding."""
    data = shaken(made(scenario, count=8))
    net = network("relaxed_e3net", data)
    broken(net, data)
    symmetry = SYSTEM.symmetries(data)["o3"]
    free, states, joint = with_weights(net, data, symmetry)
    found = reading(net, data, elements=5, seed=1)
    assert float(found["held"].min()) > 1e-3 and float(np.abs(found["held"] - found["turned"]).max()) < 1e-10
    g = symmetry.group.probes(3, seed=1)[2]
    plain, moved = called(free, states.x), joint.input(g, states.x)
    gap = called(net, symmetry.input(g, data.x)) - symmetry.output(g, plain)
    assert torch.allclose(gap, free(*moved[:-1], states.x[-1]) - free(*moved), atol=1e-10)
    # In the learning: moved with its weights, an example is the example itself to every other weight.
    assert abs(float(found["coherence_moved"]) - 1) < 1e-6 and float(found["coherence_held"]) < 1 - 1e-4
    words = [verdict(s, equivariance(m, d, s)) for m, d, s in ((net, data, symmetry), (free, states, joint))]
    assert set(words[1]["output"].values) == {"exact up to rounding"} and set(words[0]["output"].values[1:]) != {"exact up to rounding"}
    left = influence(free, states, joint, metric="euclidean", trajectories=6, times=1)
    assert float(np.abs(left["response"] - 1).max()) < 1e-6


def test_a_padded_cloud_answers_as_the_cloud_alone():
    """Each size by itself, without mask, against both in one batch; points that are not there have gradients of 0 and no NaN."""
    whole = made("particle.cluster")
    into, out = whole.about["points"]["into"], whole.about["points"]["out"]
    there = torch.ones(6, 4, dtype=torch.bool)
    there[::2, 3], there[1, 2:] = False, False
    data = point_examples(whole.x[0], whole.x[1], whole.y, into=into, out=out, there=there, **whole.about["points"]["network"])
    net = network("relaxed_e3net", data)
    broken(net, data)
    found = called(net, data.x)
    alone = network("relaxed_e3net", whole)
    alone.load_state_dict(net.state_dict())
    for k in range(6):
        n = int(there[k].sum())
        single = alone(whole.x[0][k : k + 1, :n], whole.x[1][k : k + 1, :n])
        assert torch.allclose(found[k : k + 1, :n], single, atol=1e-10) and not found[k, n:].any()
    places = data.x[0].clone().requires_grad_()
    slope = torch.autograd.grad(net(places, *data.x[1:]).square().sum(), places)[0]
    assert bool(torch.isfinite(slope).all()) and not slope[~there].any() and slope[there].any()
    symmetry = SYSTEM.symmetries(data)["e3"]
    strict = network("e3net", data)
    assert equivariance_gaps(strict, data.x, symmetry, symmetry.group.probes(4, seed=1)).max() < 1e-10
    assert network("coordinate_net", data, width=8)(*data.x).shape == data.y.shape
    with pytest.raises(OrbitscopeError, match="`there`"):
        point_examples(whole.x[0], whole.x[1], whole.y, into=into, out=out, there=torch.zeros(6, 4, dtype=torch.bool))
    with pytest.raises(OrbitscopeError, match="which points there are"):
        net(*data.x[:2])


def test_each_layer_may_have_relaxed_weights_of_its_own():
    data = made("particle.cluster")
    one, own = network("relaxed_e3net", data), network("relaxed_e3net", data, shared=False)
    assert relaxed_weights(own).irreps.dim == 2 * relaxed_weights(one).irreps.dim
    broken(one, data)
    same = relaxed_weights(one).theta.detach()
    own.load_state_dict({**one.state_dict(), "relaxed.theta": torch.cat([same, same], 1), "relaxed.kept": torch.ones(1, 2 * same.shape[1])})
    assert torch.allclose(called(own, data.x), called(one, data.x), atol=1e-12)  # alike in both layers: the shared network
    with torch.no_grad():
        relaxed_weights(own).theta[:, same.shape[1] :] = 0.0  # the last layer is strict again
    assert float((called(own, data.x) - called(one, data.x)).detach().abs().max()) > 1e-3
    broken(own, data)
    symmetry = SYSTEM.symmetries(data)["o3"]
    elements = symmetry.group.probes(4, seed=1)
    free, states, joint = with_weights(own, data, symmetry)
    assert equivariance_gaps(free, states.x, joint, elements).max() < 1e-10
    assert equivariance_gaps(own, data.x, symmetry, elements[1:]).min() > 1e-3
    found = reading(own, data, elements=2)
    assert found.sizes["irrep"] == 9 and found.sizes["component"] == 2 * same.shape[1]


def test_the_group_that_all_layers_leave_is_the_group_of_all_their_tensors():
    data = made("particle.cluster")
    net = network("relaxed_e3net", data, shared=False, relaxed="1o+2e")
    up, across = torch.tensor([0.0, 0.0, 1.0]), torch.tensor([1.0, 0.0, 0.0])
    for second, name in ((up, "C∞v"), (across, "Cs")):
        relaxed_weights(net).set({})
        with torch.no_grad():
            relaxed_weights(net).theta[0, :3], relaxed_weights(net).theta[0, 8:11] = up, second
        group = left_over(net)
        assert group is not None and group.name == name
        found = equivariance_gaps(net, data.x, SYSTEM.symmetries(data, net)["left"], list(group.probes(4, 0)))
        assert found.max() < 1e-10


def test_the_group_that_is_left_holds_in_the_answer():
    data = made("crystal.perovskite")
    net = network("relaxed_e3net", data)
    relaxed_weights(net).set(
        {"1o": torch.tensor([0.0, 0.0, 1.0]), "4e": torch.tensor([0, 0, 0, 0, (7 / 12) ** 0.5, 0, 0, 0, (5 / 12) ** 0.5])}
    )
    group = left_over(net)
    assert group is not None and group.name == "C4v" and len(group) == 8
    assert equivariance_gaps(net, data.x, SYSTEM.symmetries(data, net)["left"], list(group)).max() < 1e-10
    for tensors, name in (({"1o": torch.tensor([0.0, 1.0, 0.0])}, "C∞v"), ({"1e": torch.tensor([0.0, 1.0, 0.0])}, "C∞h")):
        relaxed_weights(net).set(tensors)
        symmetry = SYSTEM.symmetries(data, net)["left"]
        assert symmetry.name == name
        assert equivariance_gaps(net, shaken(data).x, symmetry, symmetry.group.probes(6, seed=1)).max() < 1e-10
    relaxed_weights(net).set({})  # all of O(3) is left, which is there by its own name
    assert "left" not in SYSTEM.symmetries(data, net)


def test_the_loss_does_not_change_with_a_rotation_and_weighs_irreps_alike():
    data = made("shapes.deformed")
    loss, symmetry = PointMSE.of(data), SYSTEM.symmetries(data)["o3"]
    guess = data.y + torch.randn(data.y.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    g = symmetry.group.probes(2, seed=5)[1]
    assert torch.allclose(loss.each(symmetry.output(g, guess), symmetry.output(g, data.y)), loss.each(guess, data.y))
    assert abs(float(loss(torch.zeros_like(data.y), data.y)) - 1) < 1e-12


def test_what_is_refused():
    ones = torch.ones(2, 3, 3)
    for arguments, match in (
        ((ones, torch.ones(2, 3, 2), ones), "`features` should be"), ((ones, torch.ones(2, 3, 1), torch.ones(2, 3, 4)), "`answers`"),
    ):  # fmt: skip
        with pytest.raises(OrbitscopeError, match=match):
            point_examples(*arguments, into="0e", out="1o")
    with pytest.raises(OrbitscopeError, match="do not say how"):
        SYSTEM.symmetries(Examples((ones, ones), ones))
    with pytest.raises(OrbitscopeError, match="`phase`"):
        made("crystal.perovskite", phase="Pnma")
    with pytest.raises(OrbitscopeError, match="three finite numbers"):
        made("particle.field", electric=(1.0, 2.0))
    data = made("crystal.perovskite")
    with pytest.raises(OrbitscopeError, match="cells"):
        network("e3net", data)(*data.x[:2])
    net = CoordinateNet(5, (1, 3))
    assert net(torch.ones(2, 1, 3), torch.ones(2, 2)).shape == (2, 1, 3)


def test_from_a_crystal_to_a_report(tmp_path):
    file, folder, probe, page = (str(tmp_path / n) for n in ("x.nc", "run", "p.nc", "r.html"))
    assert main(["simulate", "crystal.perovskite", "--trajectories", "40", "--seed", "1", "--initial", "phase=R3m", "--out", file]) == 0
    assert (
        main(
            [
                "train",
                file,
                "--model",
                "relaxed_e3net",
                "--override",
                "hidden=2x0e+2x1o+1x2e",
                "--epochs",
                "40",
                "--batch",
                "6",
                "--out",
                folder,
            ]
        )
        == 0
    )
    assert main(["probe", folder, file, "--group", "o3", "left", "--influence-elements", "2", "--steps", "0", "--out", probe]) == 0
    found = open_probe(probe)["order"].to_dataset()
    assert json.loads(found.attrs["groups"])[0]["group"] == "C∞v"
    axis = np.array(json.loads(found.attrs["groups"])[0]["axes"][0][1])
    assert abs(abs(axis @ np.ones(3)) / 3**0.5 - 1) < 1e-6 and float(found["forbidden"].max()) < 1e-10
    assert float(found["moved"].max()) < 1e-10 < float(found["held"].min())
    assert main(["report", probe, "--out", page]) == 0


def test_an_e3nn_network_is_probed_through_the_public_api():
    """A foreign model of e3nn on one point with a vector, under O(3): it is equivariant; with a constant vector added it is not."""
    from e3nn import o3

    class Foreign(torch.nn.Module):
        def __init__(self, push: float) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.product, self.push = o3.FullyConnectedTensorProduct("1x0e+1x1o", "1x0e+1x1o", "1x1o").double(), push

        def forward(self, places, x):
            return self.product(x, x) + self.push * torch.eye(3, dtype=torch.float64)[0]

    data = made("particle.field")
    symmetry = SYSTEM.symmetries(data)["o3"]
    for push, holds in ((0.0, True), (1.0, False)):
        found = equivariance(Foreign(push), data, symmetry)
        assert (float(found["commutator"].max()) < 1e-6) == holds
    assert orthogonal(3) == symmetry.group
    data = made("particle.field", count=8, electric=(0, 0, 0), magnetic=(0, 0, 0))
    tree = examine(Foreign(1.0), data, symmetry, ProbeConfig(trajectories=6, times=1, steps=0, influence_elements=3))
    (node,) = [child for child in tree.children.values() if "verdict" in child.children]
    told = node.children["verdict"].attrs
    assert told["sentence_output"] and told["sentence_learning"] and node.children["influence"].to_dataset().sizes["element"] == 3


def test_pictures_show_points_vectors_and_cells(tmp_path):
    path = SYSTEM.simulate("crystal.perovskite", tmp_path / "x.nc", count=3)
    figure, mended = SYSTEM.view(path, [0, 2])
    assert len(figure.axes) == 2 and not mended and {line.get_color() for line in figure.axes[0].lines} == {"#999999"}
    assert [t.get_text() for t in figure.axes[0].get_legend().get_texts()] == ["A", "B", "O"]
    assert len(SYSTEM.view(SYSTEM.simulate("shapes.deformed", tmp_path / "y.nc", count=9), [])[0].axes) == 6
    with pytest.raises(OrbitscopeError, match="no example 7"):
        SYSTEM.view(path, [7])
    with pytest.raises(OrbitscopeError, match="--fix"):
        SYSTEM.view(path, [0], True)


@pytest.mark.parametrize(("target", "used"), [("cube", set()), ("prism", {"2e"})])
def test_stages_leave_what_is_needed_and_exactly_nothing_else(target, used, tmp_path):
    """By `fit`, in batches: a control ends at exactly 0, a prism uses the axis and no more."""
    data = made("shapes.deformed", count=30, target=target, spread=0.1)
    torch.manual_seed(0)
    net = SYSTEM.model("relaxed_e3net").make(data, hidden="1x0e+1x1o+1x2e", layers=2)
    seen = {}

    def look(seed, epoch, model):
        seen[epoch] = float(relaxed_weights(model).theta.detach().norm())

    config = FitConfig(epochs=30, batch=2, learning_rate=1e-2, weight_decay=0.0, precision="64")
    fit(net, data, config, loss=PointMSE.of(data), out=tmp_path / "run", progress=None, on_epoch=look)
    last = load_fit(tmp_path / "run", SYSTEM.model("relaxed_e3net").make(data, hidden="1x0e+1x1o+1x2e", layers=2).double(), "last").model
    assert {name for name, v in relaxed_weights(last).by_irrep().items() if v.any()} == used
    assert seen[11] == 0.0 and (seen[20] > 0) == bool(used)


def test_a_training_in_stages_resumes_bit_for_bit(tmp_path):
    data = made("shapes.deformed", count=4, spread=0.1)
    config = FitConfig(epochs=20, batch=2, learning_rate=1e-2, precision="64")

    def fresh() -> torch.nn.Module:
        return SYSTEM.model("relaxed_e3net").make(data, hidden="1x0e+1x1o", layers=2, lasso=0.5)

    def stop(seed, epoch, model):
        if epoch == 16:  # in the last stage, when something is kept at 0
            raise KeyboardInterrupt

    whole = fit(fresh, data, config, loss="mse", out=tmp_path / "whole", progress=None)
    with pytest.raises(KeyboardInterrupt):
        fit(fresh, data, config, loss="mse", out=tmp_path / "cut", progress=None, on_epoch=stop)
    again = fit(fresh, data, config, loss="mse", out=tmp_path / "cut", progress=None)
    for one, other in zip(whole.model.state_dict().values(), again.model.state_dict().values(), strict=True):
        assert torch.equal(one, other)
