"""From shapes to a report; scenarios and their law; a foreign graph network through the public names alone."""

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from orbitscope import OrbitscopeError, ProbeConfig, Symmetry, equivariance, examine, influence, open_probe, verdict
from orbitscope.cli import main
from orbitscope.data import Examples, load_examples
from orbitscope.physics import capacity, physical_optics
from orbitscope.symmetry import Invariant
from orbitscope.systems import load_system, open_runs
from orbitscope.systems.meshes import (
    SYSTEM,
    CapacityLaw,
    RadarLaw,
    Remesh,
    in_light,
    mesh_of,
    mesh_reading,
    prism,
    radar_directions,
    remeshing,
    sphere,
)


def run(*words):
    return main([str(w) for w in words])


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("meshes") / "s.nc"
    assert (
        run("simulate", "radar.shapes", "--trajectories", 66, "--seed", 0, "--out", path, "--initial", "faces=176", "kinds=box,l,cone") == 0
    )
    return path


def test_from_shapes_to_a_report(file, tmp_path):
    folder, probe, page = (tmp_path / n for n in ("run", "p.nc", "r.html"))
    assert run("train", file, "--model", "mesh_graph", "--epochs", 3, "--override", "width=16", "--augment", "remesh", "--out", folder) == 0
    few = ("--trajectories", 5, "--steps", 1, "--influence-elements", 3)
    assert run("probe", folder, file, "--out", probe, *few) == 0
    found = open_probe(probe)
    assert set(found.children) >= {"remeshing", "approximate"} and "shared" in found["remeshing/verdict"].attrs["sentence_learning"]
    part = lambda name: xr.DataTree.to_dataset(found[name])  # pyright: ignore[reportArgumentType]  # noqa: E731
    errors = part("remeshing/equivariance")
    assert [str(e) for e in errors["element"].values][:2] == ["e", "split_30"] and float(errors["commutator"].max()) > 1e-4
    assert float(errors["floor"].max()) < 1e-4 and '"surface_error"' in errors.attrs["actions"]
    residual = part("approximate/audit")["residual"]
    assert float(part("remeshing/audit")["residual"].max()) < 1e-5 and float(residual.max()) > 1e-4
    null = part("remeshing/influence")
    assert np.isfinite(null["null"].values).all() and null.sizes["element"] == 3
    assert run("report", probe, "--out", page) == 0
    told = page.read_text(encoding="utf-8")
    assert "split_30" in told and "The same body in other meshes" in told and "meshes" in found.children


def test_what_a_mesh_changes_is_the_change_of_each_example_in_a_loop(file):
    examples, moves = SYSTEM.read(file), ("split_100", "midpoint")
    torch.manual_seed(0)
    model = SYSTEM.models["mesh_mlp"].make(examples, width=8).double().eval()
    found = mesh_reading(model, examples, moves=moves)
    spread, looked = float(examples.y.double().std(0, correction=0).square().mean().sqrt()), found.attrs["looked_at"]
    assert looked == 24 and list(found["element"].values) == ["e", *moves] and not found["change"][:, 0].any()
    for b, number in enumerate(found["body"].values.tolist()):
        state = tuple(part[number : number + 1] for part in examples.x)
        plain = model(state[0].double(), *state[1:]).detach()
        for e, word in enumerate(remeshing(moves).probes()):
            cut = state if e == 0 else Remesh()(word, state)
            gap = (model(cut[0].double(), *cut[1:]).detach() - plain).square().mean().sqrt() / spread
            assert abs(float(gap) - float(found["change"][b, e])) < 1e-10 * max(1.0, float(gap))
            kept = found["corners"][b, e].dropna("face").values
            assert np.allclose(kept, cut[0][0][cut[2][0]].numpy(), atol=1e-6)
    exact = SYSTEM.models["mesh_integral"].make(examples, channels=8, points=8).double().eval()
    assert float(mesh_reading(exact, examples, moves=moves)["typical"].max()) < 1e-4 < float(found["typical"].max())
    assert "meshes" not in SYSTEM.readings(examples, SYSTEM.models["mesh_contrast"].make(examples, encoder="mlp", width=8))


def test_a_pretrained_run_is_gone_on_with(file, tmp_path):
    small = ("--epochs", 2, "--override", "width=8")
    assert run("train", file, "--model", "mesh_contrast", *small, "encoder=graph", "--out", tmp_path / "pre") == 0
    assert run("train", file, "--model", "mesh_graph", *small, f"start={tmp_path / 'pre'}", "--out", tmp_path / "fine") == 0
    (pre,), (fine,) = open_runs(tmp_path / "pre"), open_runs(tmp_path / "fine")
    assert pre.kind == "mesh_contrast" and fine.model(*fine.examples["test"].x).shape == (10, 96)
    assert run("train", file, "--model", "mesh_graph", *small, "start=nowhere", "--out", tmp_path / "none") == 2


def test_an_exactly_integrating_model_is_found_exact(file):
    examples = SYSTEM.read(file)
    torch.manual_seed(0)
    model = SYSTEM.models["mesh_integral"].make(examples, channels=16, points=16).eval()
    symmetry = SYSTEM.symmetries(examples)["remeshing"]
    found = equivariance(model, examples, symmetry, trajectories=8)
    words = verdict(symmetry, found)
    assert float(found["commutator"].max()) < 1e-4 and set(words["output"].values) <= {"exact up to rounding", "holds"}


class SageLike(nn.Module):
    """Somebody's network on an edge list [2, edge], as PyTorch Geometric has them."""

    def __init__(self):
        super().__init__()
        self.near, self.own, self.out = nn.Linear(9, 8), nn.Linear(9, 8), nn.Linear(8, 96)

    def one(self, x, edge_index):
        source, target = edge_index
        gathered = torch.zeros(len(x), 9, dtype=x.dtype).index_add(0, target, x[source])
        return self.out((self.own(x) + self.near(gathered)).tanh().mean(0))


class Adapter(nn.Module):
    """Its adapter: the three parts of a mesh become an edge list without padding."""

    def __init__(self):
        super().__init__()
        self.net = SageLike()

    def forward(self, corners, neighbours, there):
        answers = []
        for c, n, t in zip(corners, neighbours, there, strict=True):
            faces, slots = (n >= 0).nonzero(as_tuple=True)
            answers.append(self.net.one(c[t].flatten(1), torch.stack([n[faces, slots], faces])))
        return torch.stack(answers)


def test_a_foreign_graph_network_is_probed_through_public_names(file):
    torch.manual_seed(0)
    examples, moves = SYSTEM.read(file), remeshing(["split_30", "flip_200"])
    symmetry = Symmetry(moves, Remesh(), Invariant(96))
    tree = examine(Adapter(), examples, symmetry, ProbeConfig(trajectories=4, times=1, steps=0, influence_elements=0))
    assert float(tree["remeshing/equivariance"].to_dataset()["commutator"].max()) > 1e-3  # pyright: ignore[reportAttributeAccessIssue]
    assert "remeshing" in tree["remeshing/verdict"].attrs["group"]
    torch.manual_seed(0)
    own = SYSTEM.models["mesh_graph"].make(examples, width=8)
    found = influence(own, examples, symmetry, trajectories=4, metric="euclidean")
    assert list(found["element"].values) == ["e", "split_30", "flip_200"] and np.allclose(
        found["coherence"][0].values.squeeze().diagonal(), 1
    )


def test_the_law_is_the_simulator(file):
    examples = SYSTEM.read(file)
    law = SYSTEM.law(examples)
    assert law is not None and torch.allclose(law(*examples.x), examples.y, atol=2e-5)
    mesh = mesh_of(examples.x, 0)
    k = np.linspace(1.25, 5.0, 8)
    expected = np.log10(np.abs(physical_optics(mesh.corners, radar_directions(), k)) ** 2 + 0.03**2)
    assert np.allclose(examples.y[0].reshape(12, 8).numpy(), expected, atol=2e-5)
    assert load_examples(file).about["parameters"]["kinds"] == "box,l,cone"
    assert SYSTEM.law(Examples(examples.x, examples.y)) is None


def test_meshings_are_slots_of_one_shape():
    found = SYSTEM.scenarios["radar.shapes"].make(4, 0, None, **{**SYSTEM.scenarios["radar.shapes"].parameters, "meshings": 3})
    assert len(found.units) == 4 and len(found.slots) == 3 and torch.equal(found.y[:4], found.y[8:])
    assert not torch.equal(found.x[0][:4], found.x[0][4:8])


def test_capacities_are_examples_too(tmp_path):
    plan = SYSTEM.scenarios["capacity.shapes"]
    found = plan.make(3, 0, None, **{**plan.parameters, "kinds": ("sphere", "box", "cone"), "elements": 60})
    radius = float(found.x[0][0].norm(dim=-1).max())
    assert found.y.shape == (3, 1) and abs(float(found.y[0, 0]) / radius - 0.95) < 0.03  # of 80 faces, inside the sphere
    cut = CapacityLaw(200).of(mesh_of(found.x, 1).corners)
    assert 12 * 16 < 200 and np.isclose(cut[0], capacity(_cut(_cut(_cut(mesh_of(found.x, 1).corners)))), rtol=1e-6)


def _cut(t):
    a, b, c = np.moveaxis(t, 1, 0)
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    return np.concatenate([np.stack(s, 1) for s in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])


def test_shadows_fall_on_what_lies_behind():
    l_shape = prism(np.array([[0, 0], [2, 0], [2, 0.2], [0.2, 0.2], [0.2, 2], [0, 2.0]]), 1.0)
    for body, shaded in ((l_shape, True), (sphere(1), False)):
        towards = np.array([[-1.0, 1.0, 0], [0.6, 0.8, 0.0], [0.995, 0.1, 0.0]])
        towards /= np.linalg.norm(towards, axis=1, keepdims=True)
        lit = in_light(body.corners, towards)
        facing = (body.weights @ towards.T).T
        assert not (lit & (facing < -1e-12)).any()  # of faces seen from the side rounding decides
        assert bool(((facing > 1e-9) & ~lit).any()) is shaded
    law, plain = RadarLaw(np.array([2.0, 3.0]), shadow=True), RadarLaw(np.array([2.0, 3.0]))
    assert np.allclose(law.of(sphere(1).corners), plain.of(sphere(1).corners)) and not np.allclose(
        law.of(l_shape.corners), plain.of(l_shape.corners)
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("kinds=torus",), "no 'torus'"),
        (("k_low=5", "k_high=1"), "k_low"),
        (("faces=8",), "room for"),
        (("floor=0",), "floor"),
        (("meshings=0",), "meshings"),
        (("weather=rain",), "no parameter"),
    ],
)
def test_wrong_parameters_are_named(words, told, tmp_path, capsys):
    assert run("simulate", "radar.shapes", "--trajectories", 3, "--out", tmp_path / "x.nc", "--initial", *words) == 2
    assert told in capsys.readouterr().err


def test_other_examples_are_refused(tmp_path, capsys):
    np.savez(tmp_path / "v.npz", x=np.ones((9, 2)), y=np.ones((9, 1)))
    assert run("train", tmp_path / "v.npz", "--model", "mesh_graph", "--out", tmp_path / "r") == 2
    assert "holds no meshes" in capsys.readouterr().err
    with pytest.raises(OrbitscopeError, match="no preset|has the presets"):
        load_system("meshes").model("mesh_graph", "huge")
