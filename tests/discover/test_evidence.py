"""Rates and forms against dense references; files; wrong inputs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from known import CASES  # pyright: ignore[reportMissingImports]  # a module of the study

from orbitscope import Examples, FieldAction, Layout, OrbitscopeError, Symmetry, Values
from orbitscope.discover import (
    WIDEST,
    Directions,
    Evidence,
    Forms,
    Gradient,
    Method,
    Problem,
    Rates,
    discover_symmetry,
    hypothesis,
    load_discovery,
    rates,
    weigh,
)
from orbitscope.discover._rates import derivative
from orbitscope.symmetry import dihedral, general_linear, special_orthogonal
from orbitscope.training import FitConfig

BY_NAME = {c.name: c for c in CASES}


def problem(name: str, count: int = 40) -> Problem:
    case = BY_NAME[name]
    x = case.inputs(count, 0)
    made = Examples(x, case.function(x))
    other = lambda z: case.function(z) + 0.1 * torch.sin(z.flatten(1).sum(1, keepdim=True))  # noqa: E731
    return Problem(hypothesis(case.words, made, case.output), made, (case.module(), other))


@pytest.mark.parametrize("name", ["masses", "mixed", "distances"])
def test_rates_are_dense_jacobians_times_motions(name: str):
    asked = problem(name)
    found = rates(asked)
    case, x = BY_NAME[name], asked.examples.x
    jacobian = torch.autograd.functional.jacobian
    answers = case.function(x)
    unit = answers.square().mean((0, 1)).sqrt() if case.output == "vector" else answers.square().mean().sqrt()
    for k, b in enumerate(asked.basis()):
        n = case.dimension
        a = torch.from_numpy(b[:n, :n])
        shift = torch.from_numpy(b[:n, n].copy()) if len(b) > n else torch.zeros(n, dtype=torch.float64)
        for i in range(0, len(x), 13):
            dense = torch.as_tensor(jacobian(lambda z: case.function(z[None])[0], x[i])).flatten(1)
            expected = dense @ (x[i] @ a.T + shift).flatten()
            if case.output == "vector":
                expected = (expected - a @ answers[i]) / (2**0.5 * answers.square().mean().sqrt())
            else:
                expected = expected / unit
            assert np.abs(found.own[0, i, 0, :, k] - expected.numpy()).max() < 1e-9


def test_forms_are_means_over_pairs_of_predictors():
    rng = np.random.default_rng(0)
    made = rates(problem("circle"))
    own = rng.standard_normal((3, 7, 2, 5, 4))
    forms = Forms.of(type(made)(own, own, own, np.eye(4)))
    pairs = [(p, q) for p in range(3) for q in range(3) if p != q]
    for n in range(7):
        for c in range(2):
            crossed = sum(own[p, n, c].T @ own[q, n, c] for p, q in pairs) / 6
            assert np.abs(forms.signal[n, c] - crossed).max() < 1e-12
            within = sum(own[p, n, c].T @ own[p, n, c] for p in range(3)) / 3
            assert np.abs(forms.noise[n, c] - (within - crossed)).max() < 1e-12


def test_what_holds_only_roughly_stands_beyond_a_gap():
    """Two directions within the noise, one of a small breaking that both predictors see: the two are the symmetry."""
    rng = np.random.default_rng(0)

    def evidence(inner: float, noise: float = 3e-3):
        sizes = np.sqrt([inner, inner, 1e-3, 1.0])
        own = sizes * rng.standard_normal((1, 400, 1, 1, 4)) + noise * rng.standard_normal((2, 400, 1, 1, 4))
        others = rng.standard_normal((2, 2, 400, 1, 1, 4))
        return weigh(Forms.of(Rates(own, others[0], others[1], np.eye(4))), np.eye(4), np.arange(400))

    gap = evidence(0.0)
    assert gap.words == ("exact", "exact", "approximate", "broken") and gap.levels[0] == 2
    assert gap.count == 2 and gap.rough == 3
    blurred = evidence(0.0, 0.02)  # noise as large as the gap, and the same to both: what the predictors agree on tells
    assert blurred.count == 2 and blurred.rough == 3
    wide = evidence(1e-4)  # known to be broken, all of them: then the small ones hold together
    assert wide.words[:3] == ("approximate",) * 3 and wide.count == wide.rough == 3


def unsure(count: int) -> Evidence:
    """One direction that holds, a second that nearly does: few examples turn the one into the other."""
    rng = np.random.default_rng(0)
    sizes = np.sqrt([0.02, 0.06, 1.0, 1.0])
    own = sizes * rng.standard_normal((1, count, 1, 1, 4)) + 1e-3 * rng.standard_normal((2, count, 1, 1, 4))
    others = rng.standard_normal((2, 2, count, 1, 1, 4))
    return weigh(Forms.of(Rates(own, others[0], others[1], np.eye(4))), np.eye(4), np.arange(count))


def test_a_span_that_resamples_turn_far_is_not_claimed():
    few, many = unsure(60), unsure(4000)
    assert np.quantile(few.spread, 0.95) > WIDEST > np.quantile(many.spread, 0.95)
    assert few.high[0] <= few.settings["holds"], "by its breaking it would hold"
    assert few.withdrawn == 1 and few.count == few.rough == 0 and few.words[0] == "undetermined"
    assert many.withdrawn == 0 and many.count == 1 and many.words[0] in ("exact", "approximate")


def test_what_is_not_claimed_is_said_and_kept_in_a_file(tmp_path):
    case = BY_NAME["circle"]
    x = case.inputs(300, 0)
    result = discover_symmetry((x, case.function(x)), "gl2", model=case.module())
    withdrawn = replace(result, evidence=unsure(60))
    assert "Undetermined: one direction holds" in withdrawn.sentence() and "more examples" in withdrawn.sentence()
    with pytest.raises(OrbitscopeError, match="Undetermined"):
        withdrawn.group()
    again = load_discovery(withdrawn.save(tmp_path / "found.nc"))
    assert again.evidence.withdrawn == 1 and again.sentence() == withdrawn.sentence()


def test_means_of_resamples_are_means_over_their_rows():
    """The bootstrap weighs examples; its reference copies the rows that were drawn."""
    rng = np.random.default_rng(1)
    some = [rng.standard_normal((9, 3, 4, 4)) for _ in range(4)]
    forms, rows = Forms(*some), rng.integers(9, size=14)
    for found, form in zip(forms.mean(rows), some, strict=False):
        assert np.abs(found - form[rows].mean((0, 1))).max() < 1e-13
    for found, form in zip(forms.pooled().mean(rows), some, strict=False):
        assert np.abs(found - form[rows].mean((0, 1))).max() < 1e-13


def test_two_predictors_with_noise_of_their_own_do_not_hide_the_symmetry():
    """The noise of two predictors cancels in the crossed form and is said."""
    case = BY_NAME["circle"]
    x = case.inputs(2000, 0)
    made = Examples(x, case.function(x))

    def noisy(seed: int):
        w = torch.randn(2, 50, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2
        return lambda z: case.function(z) + 0.03 * torch.sin(z @ w).sum(1, keepdim=True) / 5

    asked = Problem(hypothesis("gl2", made), made, (noisy(1), noisy(2)))
    found = rates(asked)
    evidence = weigh(Forms.of(found), found.moved, made.unit)
    assert evidence.count == 1 and evidence.words[0] == "exact"
    assert abs(evidence.breaking[0]) < evidence.noise[0] < 0.05


def test_a_wrong_direction_of_a_method_is_caught_by_the_evidence():
    class Wrong(Method):
        name = "wrong"

        def search(self, problem, tell=None):
            return Directions(np.array([[[0.0, -1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, -1.0]]]), np.array([0.0, 0.0]))

    case = BY_NAME["circle"]
    x = case.inputs(300, 0)
    result = discover_symmetry((x, case.function(x)), "gl2", Wrong(), model=case.module())
    assert result.count == 1 and len(result.basis) == 2 and result.evidence.words == ("exact", "broken")


def test_a_direction_on_which_no_answer_depends_holds_by_itself_too():
    """f(x) = x_1^3 in the plane: what changes x_2 alone is a symmetry, in the whole algebra and in a span of it alone."""
    x = BY_NAME["circle"].inputs(200, 0)
    made = Examples(x, x[:, :1] ** 3)
    asked = Problem(hypothesis("gl2", made), made, (lambda z: z[:, :1] ** 3,))
    found = rates(asked)
    forms = Forms.of(found)
    below = asked.basis().reshape(4, -1) @ np.array([[0, 0, 1, 0], [0, 0, 0, 1.0]]).T
    assert weigh(forms, found.moved, made.unit).count == weigh(forms, found.moved, made.unit, below).count == 2


def test_units_are_resampled_whole():
    case = BY_NAME["circle"]
    x = case.inputs(60, 0).repeat_interleave(20, 0)
    unit, slot = np.repeat(np.arange(60), 20), np.tile(np.arange(20), 60)
    alone = discover_symmetry(Examples(case.inputs(60, 0), case.function(case.inputs(60, 0))), "gl2", model=case.module())
    many = discover_symmetry(Examples(x, case.function(x), unit, slot), "gl2", model=case.module())
    widths = [(r.evidence.high - r.evidence.low)[1:] for r in (alone, many)]
    assert (widths[1] > widths[0] / 3).all()  # twenty copies of an example are no more evidence than one


def test_a_file_gives_back_what_was_saved(tmp_path):
    case = BY_NAME["distances"]
    x = case.inputs(300, 0)
    result = discover_symmetry((x, case.function(x)), "aff2", model=case.module())
    again = load_discovery(result.save(tmp_path / "found.nc"))
    assert again.sentence() == result.sentence() and np.array_equal(again.basis, result.basis) and again.group() == result.group()
    assert again.evidence.words == result.evidence.words and again.about == result.about and repr(again) == repr(result)
    for name in ("breaking", "noise", "spread", "by_chart", "directions"):
        assert np.array_equal(getattr(again.evidence, name), getattr(result.evidence, name))
    whole = (tmp_path / "found.nc").read_bytes()
    for cut in (0, 10, len(whole) // 2):
        (tmp_path / "cut.nc").write_bytes(whole[:cut])
        with pytest.raises(OrbitscopeError, match="cut.nc"):
            load_discovery(tmp_path / "cut.nc")


def test_predictors_without_forward_mode_are_differenced():
    class Stubborn(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return torch.sin(x.square().sum(1, keepdim=True))

        @staticmethod
        def backward(ctx, *grads):
            raise NotImplementedError

    case = BY_NAME["circle"]
    x = case.inputs(50, 0)
    made = Examples(x, torch.sin(x.square().sum(1, keepdim=True)))
    space = hypothesis("gl2", made)
    exact = rates(Problem(space, made, (lambda z: torch.sin(z.square().sum(1, keepdim=True)),)))
    differenced = rates(Problem(space, made, (Stubborn.apply,)))
    assert np.abs(exact.own - differenced.own).max() < 1e-6 * np.abs(exact.own).max()


def test_a_trained_transformer_has_exact_derivatives(monkeypatch):
    """As it is loaded, where its layers would take a kernel without forward mode; single precision could not be differenced."""
    torch.manual_seed(0)

    class Reader(torch.nn.Module):
        def __init__(self):
            super().__init__()
            layer = torch.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
            self.into, self.layers, self.out = torch.nn.Linear(1, 8), torch.nn.TransformerEncoder(layer, 1), torch.nn.Linear(8, 1)

        def forward(self, x):
            return self.out(self.layers(self.into(x[..., None])).mean(1))

    net = Reader().double().eval()
    x = BY_NAME["circle"].inputs(20, 0).double()
    along = torch.randn(x.shape, dtype=x.dtype)
    (slope,) = torch.autograd.grad(net(x.requires_grad_()).sum(), x)  # one number an example, so a backward pass tells all
    x, wanted = x.detach(), (slope * along).sum(1, keepdim=True)
    monkeypatch.setattr("orbitscope.discover._rates._difference", None)
    answer, found = derivative(net, x, along)
    assert (found - wanted).abs().max() < 1e-10 and (answer - net(x)).abs().max() < 1e-10


X = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
Y = X.square().sum(1, keepdim=True)
SHORT = FitConfig(epochs=2, batch=64)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: discover_symmetry((X, Y[:10]), "gl2"), "one length"),
        (lambda: discover_symmetry((X, torch.ones(300, 1)), "gl2"), "all answers y are the same"),
        (lambda: discover_symmetry((X * torch.nan, Y), "gl2"), "NaN"),
        (lambda: discover_symmetry((X[:20], Y[:20]), "gl2"), "too few"),
        (lambda: discover_symmetry((X, Y), "gl3"), "GL.3. acts on 3 numbers"),
        (lambda: discover_symmetry((X, Y), "d4"), "no algebra"),
        (lambda: discover_symmetry((X, Y), "gl2", output="sideways"), "output: should be"),
        (lambda: discover_symmetry((X, Y), "gl2", "magic"), "method: should be one of gradient"),
        (lambda: discover_symmetry((X, Y), "gl2", charts=5), "charts: 5 charts need axis 1"),
        (lambda: discover_symmetry((X.reshape(300, 1, 1, 2), Y), "gl2"), "say how the group moves them|say how the"),
        (lambda: discover_symmetry((X, Y.roll(7, 0)), "gl2", config=SHORT), "no skill"),
        (lambda: discover_symmetry((X, Y), "gl2", model=torch.nn.Linear(2, 1)), "model: it has no skill"),
        (lambda: discover_symmetry((torch.ones(300, 2), Y), "gl2"), "all inputs x are the same"),
        (lambda: Problem(Symmetry(dihedral(4), *[FieldAction(Layout.of("u:vector"), Values())] * 2), Examples(X, Y), ()), "LieGroup"),
        (lambda: Problem(hypothesis(special_orthogonal(2), Examples(X, Y)), Examples(X, Y), ()), "predictors: there is none"),
        (lambda: load_discovery("no/such/file.nc"), "no/such/file.nc"),
    ],
)  # fmt: skip
def test_mistakes_are_named(call, words):
    with pytest.raises(OrbitscopeError, match=words):
        call()


def test_a_model_that_is_examined_stays_as_it_is():
    x = X.repeat(2, 1)
    first = torch.nn.Linear(2, 1)
    first.weight.data[:] = torch.tensor([[1.0, 0.0]])
    model = torch.nn.Sequential(first, torch.nn.Dropout(0.5))
    result = discover_symmetry((x, x[:, :1] + first.bias.detach()), "gl2", model=model)
    assert model.training and first.weight.dtype == torch.float32
    assert "within rounding" in result.sentence() and result.count == 2  # what leaves the first coordinate alone


def test_gradient_alone_gives_its_directions():
    asked = problem("hyperbola")
    found = Gradient().search(asked)
    assert (
        found.basis.shape == (4, 2, 2) and np.allclose(np.linalg.norm(found.basis, axis=(1, 2)), 1) and (np.diff(found.scores) >= 0).all()
    )
    assert general_linear(2).size == asked.size
