"""Fields on small open patches: against analytic fields, as a homomorphism, with masks, tangents and charts cut from a whole field."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from orbitscope import OrbitscopeError
from orbitscope.symmetry import (
    Affine,
    Charts,
    FieldAction,
    Layout,
    Linear,
    Patch,
    Rigid,
    Values,
    dihedral,
    general_linear,
    special_euclidean,
    translations,
)

SHEAR = Linear([[1.0, 0.7], [0.0, 1.0]], name="shear")  # not orthogonal: a transpose or an inverse would show
ELEMENTS = [
    SHEAR,
    Linear([[0.8, -0.6], [0.6, 0.8]], name="turn"),
    Linear([[1.2, 0.1], [-0.3, 0.7]], name="general"),
    Affine([[1.0, 0.4], [0.2, 1.1]], [0.05, -0.1], name="affine"),
]
by_name = pytest.mark.parametrize("g", ELEMENTS, ids=lambda g: g.name)


def smooth(u: Tensor) -> Tensor:
    """A scalar and a vector field of the plane at u [2, ...], [3, ...]."""
    x, y = u
    return torch.stack([torch.sin(2 * x + y) + x * y, torch.cos(x - y), x * x + torch.sin(y)])


def gap(g: Affine, points: int, order: int) -> float:
    """Largest error of a moved patch of unit width against the field moved in closed form, where it is defined."""
    patch = Patch((points, points + 2), 1.0 / points, order)
    action = FieldAction(Layout.of("T", "u:vector"), patch)
    back = np.linalg.inv(g.matrix)
    source = torch.einsum("ij,j...->i...", torch.tensor(back), patch.coordinates - torch.tensor(g.offset).reshape(2, 1, 1))
    at = smooth(source)
    expected = torch.cat([at[:1], torch.einsum("ij,j...->i...", torch.tensor(g.matrix), at[1:])])
    moved = action(g, smooth(patch.coordinates)[None])[0]
    mask = action.mask(g)
    assert 0.3 < mask.double().mean() < 1
    return float(((moved - expected) * mask).abs().max())


@by_name
@pytest.mark.parametrize("order", [1, 3, 5])
def test_the_error_against_an_analytic_field_falls_with_the_order(g: Affine, order: int) -> None:
    sizes = [12, 18, 27, 40]
    slope = -np.polyfit(np.log(sizes), np.log([gap(g, n, order) for n in sizes]), 1)[0]
    assert slope > order + 0.6


@by_name
def test_products_act_as_products_to_interpolation(g: Affine) -> None:
    patch = Patch((41, 37), 0.04)
    action = FieldAction(Layout.of("T", "u:vector"), patch)
    h: Any = Affine([[0.9, -0.3], [0.2, 1.0]], [0.02, 0.01]) if type(g) is Affine else Linear([[0.9, -0.3], [0.2, 1.0]])
    x = smooth(patch.coordinates)[None]
    once, twice = action(g @ h, x), action(g, action(h, x))
    assert float((patch.crop(once - twice, 12)).abs().max()) < 3e-4
    wrong = action(h @ g, x)
    assert float(patch.crop(wrong - twice, 12).abs().max()) > 0.03 and patch.inner(12).shape == (17, 13)
    assert action.error(g, x) < 1.0  # the border is lost, what stays is compared on the mask


def test_elements_of_the_square_are_exact_and_turn_the_right_way() -> None:
    patch = Patch((5, 5), 0.3)
    action = FieldAction(Layout.of("u:vector"), patch)
    x = torch.randn(2, 2, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    quarter = Rigid([[0, -1], [1, 0]], name="r")
    expected = torch.stack([-x[:, 1], x[:, 0]], 1).permute(0, 1, 3, 2).flip(2)  # (x, y) goes to (-y, x)
    assert torch.allclose(action(quarter, x), expected, atol=1e-12) and action.is_exact(quarter) and action.mask(quarter).all()
    assert torch.allclose(action(dihedral(4)["r"], x), expected, atol=1e-12)
    assert not action.is_exact(SHEAR) and not action.mask(SHEAR).all() and not Patch((5, 7)).exact(quarter)
    one = Affine(np.eye(2), [0.3, 0.0])  # by one point along x
    assert (
        torch.allclose(action(one, x)[:, :, 1:], x[:, :, :-1], atol=1e-12) and not action.mask(one)[0].any() and action.mask(one)[1:].all()
    )
    assert torch.allclose(action(one, x)[:, :, 0], x[:, :, 0], atol=1e-12)  # the border goes on outside


@pytest.mark.parametrize("shape", [(9,), (6, 7, 8)])
def test_other_numbers_of_axes(shape: tuple[int, ...]) -> None:
    patch, n = Patch(shape, 0.1), len(shape)
    values = sum((k + 1) * u**2 for k, u in enumerate(patch.coordinates))
    assert isinstance(values, Tensor)
    g = np.diag(np.arange(1.0, n + 1) + 1)
    moved = patch.move(g, values[None, None])
    expected = sum((k + 1) * (u / (k + 2)) ** 2 for k, u in enumerate(patch.coordinates))
    assert torch.allclose(moved[0, 0], torch.as_tensor(expected), atol=1e-12)  # cubic interpolation of a parabola


@pytest.mark.parametrize("group", [general_linear(2), special_euclidean(2)], ids=str)
def test_the_tangent_is_the_derivative_up_to_the_border(group: Any) -> None:
    patch = Patch((24, 20), 0.06)
    charts = FieldAction(Layout.of("T", "u:vector"), Charts(patch))
    x = smooth(patch.coordinates)[None, None].repeat(2, 3, 1, 1, 1)
    for k in range(group.size):
        rates = np.zeros((3, 3))
        rates[: group.algebra.shape[1], : group.algebra.shape[1]] = group.algebra[k]
        found = charts.tangent(lambda t, k=k: group.exp(t * np.eye(group.size)[k]), x)
        u = patch.coordinates.clone().requires_grad_()
        jacobian = torch.stack([torch.autograd.grad(smooth(u)[c].sum(), u)[0] for c in range(3)])  # [field, axis, x, y]
        speed = torch.einsum("ij,jxy->ixy", torch.tensor(rates[:2, :2]), patch.coordinates) + torch.tensor(rates[:2, 2]).reshape(2, 1, 1)
        expected = -torch.einsum("ixy,cixy->cxy", speed, jacobian)
        expected[1:] += torch.einsum("ij,jxy->ixy", torch.tensor(rates[:2, :2]), x[0, 0, 1:])
        assert float((found - expected).abs().max()) < 1e-4  # a step of 0.06 to the fourth power, one-sided at the border


def test_each_example_by_an_element_of_its_own() -> None:
    patch = Patch((9, 8), 0.5, order=1)
    x = torch.randn(3, 2, 1, 9, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    made = [[np.eye(2) + 0.3 * np.random.default_rng([i, j]).standard_normal((2, 2)) for j in range(2)] for i in range(3)]
    back = torch.tensor(np.linalg.inv(np.array(made)), requires_grad=True)
    moved = patch.carried(back, x)
    for i in range(3):
        for j in range(2):
            assert torch.allclose(moved[i, j], patch.move(Linear(made[i][j]), x[i, j]), atol=1e-12)
    assert torch.autograd.gradcheck(lambda b: patch.carried(b, x).square().sum(), back, eps=1e-7, atol=1e-4)
    shifted = patch.carried(torch.eye(2, dtype=torch.float64).expand(3, 2, 2, 2), x, torch.tensor([0.5, 0.0]).expand(3, 2, 2))
    assert torch.allclose(shifted[..., :-1, :], x[..., 1:, :])


def test_charts_are_cut_about_their_centres_and_moved_alike() -> None:
    field = torch.arange(2 * 12 * 10, dtype=torch.float64).reshape(1, 2, 12, 10)
    patch = Patch((5, 4))
    cut = patch.cut(field, [(2, 1.5), (9, 7.5)])
    assert cut.shape == (1, 2, 2, 5, 4) and torch.equal(cut[:, 1], field[:, :, 7:12, 6:10]) and torch.equal(cut[:, 0], field[:, :, :5, :4])
    action = FieldAction(Layout.of("u:vector"), Charts(patch))
    single = FieldAction(Layout.of("u:vector"), patch)
    moved = action(SHEAR, cut)
    assert torch.equal(moved[:, 1], single(SHEAR, cut[:, 1])) and action.mask(SHEAR).shape == (5, 4) and not action.is_exact(SHEAR)
    assert action.squares(moved, cut, SHEAR).shape == (1, 2)
    for centres in ([(2, 2)], [(1, 1.5)], [(9, 8.5)]):
        with pytest.raises(OrbitscopeError, match="`centres`"):
            patch.cut(field, centres)


def test_mistakes_are_named() -> None:
    patch = Patch((6, 6))
    action = FieldAction(Layout.of("T"), Charts(patch))
    for make, match in (
        (lambda: Patch((3, 8)), "at least order"),
        (lambda: Patch((8, 8), order=2), "`order` should be odd"),
        (lambda: Patch((8, 8), 0.0), "`spacing` should be positive"),
        (lambda: Patch((8, 8), (1.0,)), "`spacing` should be positive"),
        (lambda: Patch("ab"), "whole numbers"),  # type: ignore[arg-type]
        (lambda: patch.require(Linear(np.eye(3))), "moves 3 dimensions; the patch has 2 axes"),
        (lambda: patch.require(translations(4).elements[1]), "fractions of a period"),
        (lambda: action(SHEAR, torch.zeros(2, 1, 6, 6)), r"\[N, chart, ...\]"),
        (lambda: action(SHEAR, torch.zeros(2, 3, 1, 6, 5)), "should be the patch"),
        (lambda: action(SHEAR, torch.zeros(2, 3, 2, 6, 6)), "expected 1 channels"),
    ):
        with pytest.raises(OrbitscopeError, match=match):
            make()
    assert FieldAction(Layout.of("a"), Values()).mask(SHEAR).ndim == 0 and FieldAction(Layout.of("a"), Values()).is_exact(SHEAR)
