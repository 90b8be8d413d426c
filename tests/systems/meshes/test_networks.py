"""Networks on meshes: what they may depend on, exact integrals against quadrature, per-example gradients, pretraining."""

import numpy as np
import pytest
import torch
from torch import nn

from orbitscope import OrbitscopeError
from orbitscope.data import Examples
from orbitscope.symmetry import Word
from orbitscope.systems.meshes import (
    EXACT,
    SHAPES,
    SYSTEM,
    ContrastLoss,
    FaceCodebook,
    FaceTokens,
    MeshIntegral,
    MeshNetwork,
    MeshQuadrature,
    ReconstructionLoss,
    Remesh,
    face_features,
    mean_over_neighbours,
    mesh_state,
    ordered,
    random_shape,
    started,
    trimmed,
    wave_integrals,
)  # fmt: skip
from orbitscope.training import FitConfig, fit

MESHES = [random_shape(kind, 1, i) for i, kind in enumerate(SHAPES)]
ANSWERS = torch.randn(len(MESHES), 5, generator=torch.Generator().manual_seed(0))
KINDS = ("mesh_mlp", "mesh_graph", "mesh_token", "mesh_codebook", "mesh_quadrature", "mesh_integral")


def examples(room=320, dtype=torch.float32):
    return Examples(mesh_state(MESHES, room, dtype), ANSWERS)


def network(kind, seed=0, **options) -> nn.Module:
    torch.manual_seed(seed)
    return SYSTEM.models[kind].make(examples(), **options)


def by_quadrature(triangle, frequency, points=40):
    x, w = np.polynomial.legendre.leggauss(points)
    s, t = np.meshgrid((x + 1) / 2, (x + 1) / 2, indexing="ij")
    a, b, c = triangle
    at = a + (s * (1 - t))[..., None] * (b - a) + (s * t)[..., None] * (c - a)
    return np.linalg.norm(np.cross(b - a, c - a)) * (np.outer(w, w) / 4 * s * np.exp(1j * at @ frequency)).sum()


def test_wave_integrals_are_the_integrals():
    rng = np.random.default_rng(0)
    corners, frequencies = rng.normal(size=(6, 3, 3)), rng.normal(size=(4, 3)) * [[0.0], [1e-9], [1.0], [2.0]]
    re, im = wave_integrals(torch.tensor(corners), torch.tensor(frequencies), points=24)
    expected = np.array([[by_quadrature(t, f) for f in frequencies] for t in corners])
    assert np.abs(re.numpy() + 1j * im.numpy() - expected).max() < 1e-10


@pytest.mark.parametrize(("points", "error"), [(6, 1e-5), (10, 1e-11)])
def test_few_points_are_as_exact_as_is_said(points, error):
    rng = np.random.default_rng(1)
    corners = rng.normal(size=(50, 3, 3))
    frequency = rng.normal(size=(1, 3))
    phase = corners @ frequency[0]
    corners *= (6 / np.ptp(phase, axis=1))[:, None, None]
    one, two = (wave_integrals(torch.tensor(corners), torch.tensor(frequency), n) for n in (points, 40))
    area = torch.linalg.cross(*(torch.tensor(corners[:, k] - corners[:, 0]) for k in (1, 2))).norm(dim=1, keepdim=True) / 2
    assert all(bool(((a - b).abs() < error * area).all()) for a, b in zip(one, two, strict=True))


def test_wave_integrals_have_their_derivatives():
    corners = torch.randn(2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    frequencies = torch.tensor([[0.0, 0, 0], [1.0, -2, 0.5]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda f: torch.cat(wave_integrals(corners, f)), frequencies)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_order_of_faces_and_first_corner_change_nothing(kind):
    model = network(kind).double().eval()
    state = mesh_state(MESHES, 100, torch.float64)
    plain = model(*state)
    assert torch.allclose(model(*mesh_state(MESHES, 130, torch.float64)), plain, atol=1e-10)
    order = torch.randperm(100, generator=torch.Generator().manual_seed(1))
    back = torch.argsort(order)
    corners, neighbours, there = (p[:, order] for p in state)
    neighbours = torch.where(neighbours >= 0, back[neighbours.clamp_min(0)], neighbours)
    assert torch.allclose(model(corners, neighbours, there), plain, atol=1e-10)
    assert torch.allclose(model(corners.roll(1, 2), neighbours.roll(1, 2), there), plain, atol=1e-10)
    model.train()
    if kind == "mesh_codebook":  # standardises by the batch in training
        plain = network(kind).double().train()(*mesh_state(MESHES, 130, torch.float64))
        model = network(kind).double().train()
    assert torch.allclose(model(*state), plain, atol=1e-10)  # trims the padding


@pytest.mark.parametrize("move", EXACT)
def test_the_exact_integral_does_not_see_the_mesh_and_the_others_do(move):
    state = mesh_state(MESHES, 320, torch.float64)
    other = Remesh()(Word((move,)), state)
    exact = network("mesh_integral", points=20).double().eval()
    scale = exact(*state).abs().max()
    assert (exact(*other) - exact(*state)).abs().max() < 1e-10 * scale
    for kind in ("mesh_mlp", "mesh_graph"):
        model = network(kind).double().eval()
        assert (model(*other) - model(*state)).abs().max() > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_every_model_has_per_example_gradients_and_jvps(kind):
    model, state = network(kind).eval(), mesh_state(MESHES[:3], 100)
    weights, buffers = dict(model.named_parameters()), dict(model.named_buffers())

    def loss(p, *one):
        return torch.func.functional_call(model, (p, buffers), tuple(o[None] for o in one)).square().sum()

    rows = torch.func.vmap(torch.func.grad(loss), (None, 0, 0, 0))(weights, *state)
    summed = torch.autograd.grad(model(*state).square().sum(), list(weights.values()))
    for (name, row), whole in zip(rows.items(), summed, strict=True):
        assert torch.allclose(row.sum(0), whole, atol=1e-3 * float(whole.abs().max()) + 1e-6), name
    moved = {k: torch.randn_like(v) for k, v in weights.items()}
    tangent: torch.Tensor = torch.func.jvp(lambda p: torch.func.functional_call(model, (p, buffers), state), (weights,), (moved,))[1]
    assert tangent.shape == (3, 5) and bool(torch.isfinite(tangent).all())


def test_neighbours_are_averaged():
    values = torch.arange(5.0)[:, None]
    neighbours = torch.tensor([[1, 2, -1], [0, -1, -1], [-1, -1, -1], [0, 1, 4], [3, 3, 3]])
    assert mean_over_neighbours(values, neighbours)[:, 0].tolist() == pytest.approx([1.5, 0, 0, 5 / 3, 3])


def test_faces_begin_with_their_lowest_corner():
    corners = mesh_state(MESHES, 100)[0]
    for turn in (1, 2):
        assert torch.equal(ordered(corners.roll(turn, 2)), ordered(corners))
    assert face_features(corners).shape == (len(MESHES), 100, 13)


def test_tokens_are_words_of_a_codebook():
    torch.manual_seed(0)
    encoder, state = FaceTokens(16, digits=4, levels=5), mesh_state(MESHES, 100)
    tokens = encoder.tokens(*state)
    assert torch.allclose((tokens * 2).round() / 2, tokens, atol=1e-6) and 2 <= len(tokens.detach().unique()) <= 5
    encoder(*state).sum().backward()
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in encoder.parameters())
    assert dict(encoder.named_parameters())["graph.first.layers.0.weight"].grad.abs().sum() > 0  # pyright: ignore[reportOptionalMemberAccess]


def codebook(words=6, **options) -> FaceCodebook:
    torch.manual_seed(0)
    return FaceCodebook(16, words=words, code=4, **options).double()


def test_a_face_becomes_the_word_that_lies_nearest():
    encoder, state = codebook().eval(), mesh_state(MESHES, 100, torch.float64)
    before = encoder.words.clone()
    codes, number = encoder.codes(*state)
    for k in range(len(MESHES)):
        for face in range(0, 100, 7):
            gaps = [float((codes[k, face] - word).detach().norm()) for word in encoder.words]
            assert abs(gaps[int(number[k, face])] - min(gaps)) < 1e-10
    assert torch.allclose(encoder(*state), encoder.up(encoder.words[number]), atol=1e-10)
    assert torch.equal(encoder.words, before)  # words move in training alone


def test_words_are_running_means_of_their_faces():
    encoder, state = codebook(decay=0.9).train(), mesh_state(MESHES, 100, torch.float64)
    encoder(*state)  # the first step draws the words
    counts, sums = encoder.counts.clone(), encoder.sums.clone()
    with torch.no_grad():
        codes, number = encoder.codes(*state)
        encoder(*state)
    for k in range(6):
        mine = [codes[i, f] for i, m in enumerate(MESHES) for f in range(len(m)) if int(number[i, f]) == k]  # without the padding
        count = 0.9 * counts[k] + 0.1 * len(mine)
        total = 0.9 * sums[k] + 0.1 * sum(mine, torch.zeros(4, dtype=torch.float64))
        assert mine and abs(float(encoder.counts[k] - count)) < 1e-10
        assert float((encoder.words[k] - total / count).abs().max()) < 1e-10


def test_codes_are_standardised_over_the_faces_that_are_there_in_training_and_after():
    encoder, state = codebook(decay=0.9).train(), mesh_state(MESHES, 100, torch.float64)
    with torch.no_grad():
        trained, _ = encoder.codes(*state)
        after, number = encoder.eval().codes(*state)
    assert torch.allclose(trained, after, atol=1e-10)  # one batch: its statistics are the running ones
    there = torch.cat([after[i, : len(m)] for i, m in enumerate(MESHES)])
    assert float(there.mean(0).abs().max()) < 1e-10 and float((there.std(0, correction=0) - 1).abs().max()) < 1e-2
    assert len(number.unique()) == 6


def test_a_lost_word_begins_anew_and_the_gradient_passes_the_words():
    encoder, state = codebook(decay=0.5).train(), mesh_state(MESHES, 100, torch.float64)
    encoder(*state)
    encoder.words[3] = encoder.sums[3] = 100.0  # where no face is
    for _ in range(8):
        encoder(*state)
    assert float(encoder.words[3].abs().max()) < 3 and int((encoder.counts > 0.05).sum()) == 6
    encoder.eval()
    codes, number = encoder.codes(*state)
    weight = torch.randn(16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    words = encoder.words[number].clone().requires_grad_()
    expected = torch.autograd.grad((encoder.up(words) @ weight).sum(), words)[0]
    first = dict(encoder.named_parameters())["graph.first.layers.0.weight"]
    through = torch.autograd.grad((encoder(*state) @ weight).sum(), first)[0]
    assert torch.allclose(through, torch.autograd.grad(codes, first, expected)[0], rtol=1e-9, atol=1e-12)
    with pytest.raises(OrbitscopeError, match="`words`"):
        FaceCodebook(words=1)


def test_a_codebook_is_trained_by_the_loop_and_uses_its_words():
    some = examples(100)
    model, config = network("mesh_codebook", width=16, words=16), FitConfig(epochs=8, batch=4, learning_rate=5e-3, device="cpu", warmup=0.0)
    before = model.get_buffer("encoder.words").clone()
    found = fit(model, some, config, loss="mse", progress=None)
    assert found.history[-1]["train"] < found.history[0]["train"]
    encoder = found.model.encoder
    assert isinstance(encoder, FaceCodebook) and not torch.equal(encoder.words, before)
    assert len(encoder.codes(*some.x)[1].unique()) >= 4


def test_a_pretrained_encoder_goes_on(tmp_path):
    some = examples(100)
    for kind, loss in (
        ("mesh_autoencoder", ReconstructionLoss()),
        ("mesh_masked", ReconstructionLoss()),
        ("mesh_contrast", ContrastLoss()),
    ):
        torch.manual_seed(0)
        model = SYSTEM.models[kind].make(some, encoder="graph", width=16)
        config = FitConfig(epochs=6, batch=len(MESHES), learning_rate=5e-3, device="cpu", warmup=0.0)
        found = fit(model, some, config, loss=SYSTEM.loss(kind, some), out=tmp_path / kind, progress=None)
        assert type(SYSTEM.loss(kind, some)) is type(loss) and found.history[-1]["train"] < found.history[0]["train"]
        after = network("mesh_graph", width=16, start=str(tmp_path / kind))
        assert isinstance(after, MeshNetwork)
        trained = found.model.state_dict()
        assert all(torch.equal(v, trained[f"encoder.{k}"]) for k, v in after.encoder.state_dict().items())
    with pytest.raises(OrbitscopeError, match="no encoder"):
        started(MeshIntegral(ANSWERS), tmp_path / "mesh_masked")
    with pytest.raises(OrbitscopeError, match="does not fit"):
        network("mesh_graph", width=32, start=str(tmp_path / "mesh_masked"))
    with pytest.raises(OrbitscopeError, match="encoder"):
        SYSTEM.models["mesh_masked"].make(some, encoder="spline")


def test_contrast_is_least_where_own_meshes_agree():
    a = torch.eye(6)[:, None].repeat(1, 2, 1)
    mixed = torch.stack([a[:, 0], a[:, 1].roll(1, 0)], 1)
    assert ContrastLoss().each(a, None) < 0.01 < 1 < ContrastLoss().each(mixed, None)


def test_reconstruction_counts_faces_that_are_there():
    state = mesh_state(MESHES, 100)
    features = face_features(state[0])
    wrong = torch.where(state[2][..., None], features, features + 5)
    assert torch.allclose(ReconstructionLoss().each(wrong, None, state), torch.zeros(len(MESHES)))
    assert torch.allclose(ReconstructionLoss().each(features + 2, None, state), torch.full((len(MESHES),), 4.0))


def test_the_answers_give_mean_and_scale():
    for model in (MeshQuadrature(ANSWERS), MeshIntegral(ANSWERS)):
        assert torch.allclose(model.mean, ANSWERS.mean(0)) and torch.allclose(model.scale, ANSWERS.std())
    assert trimmed(mesh_state(MESHES, 320))[0].shape[1] == max(map(len, MESHES))
