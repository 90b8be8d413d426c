"""Discovery on maps whose symmetry is known: exact maps show it to rounding, trained predictors the right algebra, controls nothing."""

import numpy as np
import pytest
import torch
from known import CASES, CONTROLS, FINITE, Case, rotations  # pyright: ignore[reportMissingImports]  # a module of the study

from orbitscope import FieldAction, Layout, Symmetry, Values
from orbitscope.discover import discover_symmetry, identify
from orbitscope.symmetry import LieGroup, general_linear
from orbitscope.training import FitConfig

EVERY = (*CASES, *FINITE, *CONTROLS)
QUICK = FitConfig(epochs=40, batch=64, learning_rate=3e-3, device="cpu")


def found(case: Case, count: int = 300, seed: int = 0):
    x = case.inputs(count, seed)
    return discover_symmetry((x, case.function(x)), case.words, output=case.output, model=case.module(), seed=seed)


@pytest.mark.parametrize("case", EVERY, ids=lambda c: c.name)
def test_an_exact_map_shows_its_whole_algebra_and_no_more(case: Case):
    result = found(case)
    assert result.count == len(case.algebra)
    if result.count:
        assert result.cosines(case.algebra).min() > 1 - 1e-10
        assert result.identification().name == case.identified
        assert result.evidence.breaking[: result.count].max() < 1e-10
        assert result.finite["found"].max() < 1e-6
        assert case.name == "mixed" or result.finite["hypothesis"].min() > 1e-2  # its hypothesis holds whole
        group = result.group()
        assert isinstance(group, LieGroup) and group.closure_error() < 1e-6
    else:
        assert "No continuous symmetry" in result.sentence()
        with pytest.raises(ValueError, match="no group to take"):
            result.group()


@pytest.mark.parametrize("case", [c for c in CASES if c.group[:2] == "gl"], ids=lambda c: c.name)
def test_the_answer_moves_with_the_coordinates(case: Case):
    """In other coordinates x' = T x the algebra is T X T^-1: no unit and no metric of the inputs is assumed."""
    n = case.dimension
    rng = np.random.default_rng(3)
    t = np.eye(n) + 0.3 * rng.standard_normal((n, n))
    there, back = torch.from_numpy(t), torch.from_numpy(np.linalg.inv(t))
    x = case.inputs(300, 0)
    y = case.function(x)
    first = discover_symmetry((x, y), case.words, output=case.output, model=case.module())

    class Moved(torch.nn.Module):
        def forward(self, z):
            made = case.function(z @ back.T)
            return made @ there.T if case.output == "vector" else made

    moved_y = y @ there.T if case.output == "vector" else y
    second = discover_symmetry((x @ there.T, moved_y), case.words, output=case.output, model=Moved())
    assert second.count == first.count and second.identification().name == first.identification().name == case.identified
    expected = np.array([t @ a @ np.linalg.inv(t) for a in first.algebra])
    assert second.cosines(expected).min() > 1 - 1e-8


def test_from_data_alone_a_circle_is_so2_and_a_plane_without_symmetry_is_not():
    """Two predictors trained apart; the true generator within three degrees."""
    x = torch.randn(1500, 2, generator=torch.Generator().manual_seed(1))
    seen = discover_symmetry((x, torch.sin(x.square().sum(1, keepdim=True))), "gl2", config=QUICK, seed=1)
    assert seen.count == 1 and seen.identification().name == "so(2)" and "so(2)" in seen.sentence()
    assert seen.cosines(rotations(2)).min() > np.cos(np.radians(3))
    none = discover_symmetry((x, CONTROLS[0].function(x)), "gl2", config=QUICK, seed=1)
    assert none.count == 0 and not len(none.algebra)


def test_classes_and_a_symmetry_of_ones_own():
    """Which side of a circle: logits by Fisher's metric, through an action given by hand."""
    x = torch.randn(1500, 2, generator=torch.Generator().manual_seed(2))
    y = (x.square().sum(1) > 1.4).long()
    seen = discover_symmetry((x, y), "gl2", config=QUICK)
    assert seen.count == 1 and seen.cosines(rotations(2)).min() > 0.99
    act = FieldAction(Layout.of("force:vector"), Values())
    force = Symmetry(general_linear(2), act, act)
    z = x.double()
    turned = discover_symmetry((z, z * torch.exp(-z.square().sum(1, keepdim=True))), force, model=Central())
    assert turned.count == 1 and turned.identification().name == "so(2)"


class Central(torch.nn.Module):
    def forward(self, z):
        return z * torch.exp(-z.square().sum(1, keepdim=True))


def test_a_planted_breaking_is_measured_by_its_size():
    """f = |x|^2 + eps g: the breaking grows with eps squared, and a strong one is not called a symmetry."""
    sizes = []
    for eps in (0.01, 0.1, 1.5):

        def broken(x, e=eps):
            return (x.square().sum(1) + e * (torch.sin(2 * x[:, 0]) + x[:, 0] * x[:, 1] ** 2))[:, None]

        case = Case("broken", "gl2", 0, broken, np.zeros((0, 2, 2)), "")
        result = found(case, 1000)
        sizes.append(result.evidence.breaking[0])
        assert result.count == (eps < 1)
    assert 50 < sizes[1] / sizes[0] < 200 and result.evidence.words[0] == "broken"


def test_directions_that_move_no_data_are_called_unseen():
    """Inputs on a line: what happens off it is not known."""
    x = torch.zeros(300, 2, dtype=torch.float64)
    x[:, 0] = torch.randn(300, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    result = discover_symmetry((x, x[:, :1].sin()), "gl2", model=Sine())
    assert result.evidence.words.count("unseen") == 2 and result.evidence.words[-2:] == ("unseen", "unseen")


class Sine(torch.nn.Module):
    def forward(self, x):
        return x[:, :1].sin()


def test_names_do_not_depend_on_the_basis():
    """Conjugated and mixed, at 1e-2 of noise."""
    rng = np.random.default_rng(0)
    for case in CASES:
        homogeneous = case.group.startswith("aff")
        n = case.algebra.shape[1]
        t = np.eye(n) + 0.25 * rng.standard_normal((n, n))
        if homogeneous:
            t[-1] = [0.0] * (n - 1) + [1.0]
        k = len(case.algebra)
        mixed = np.einsum("ij,jab->iab", rng.standard_normal((k, k)) + 2 * np.eye(k), t @ case.algebra @ np.linalg.inv(t))
        assert identify(mixed, homogeneous=homogeneous).name == case.identified, case.name
        noisy = case.algebra / np.linalg.norm(case.algebra, axis=(1, 2), keepdims=True)
        noise = 0.01 * rng.standard_normal(noisy.shape)
        if homogeneous:
            noise[:, -1] = 0
        assert identify(noisy + noise, homogeneous=homogeneous).name == case.identified, case.name


def test_commuting_generators_are_named_by_what_they_do():
    """A boost, a turn and scaling together; two stretches that are no boosts stay nameless."""
    boost, turn = np.zeros((4, 4)), np.zeros((4, 4))
    boost[0, 3] = boost[3, 0] = turn[2, 1] = 1.0
    turn[1, 2] = -1.0
    t = np.eye(4) + 0.25 * np.random.default_rng(0).standard_normal((4, 4))
    for some, name in (
        ((boost, turn, np.eye(4)), "so(1,1) + so(2) + scaling"), ((boost, turn), "so(1,1) + so(2)"),
        ((boost, np.eye(4)), "so(1,1) + scaling"),
        ((np.diag([1.0, -1, 0, 0]), np.diag([0.0, 1, -1, 0])), "abelian(2)"),
    ):  # fmt: skip
        assert identify(t @ np.array(some) @ np.linalg.inv(t)).name == name
