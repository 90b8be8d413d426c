"""Representations and actions: laws on every layout, grids that cannot, differentiation, an independent judge."""

import math
import pickle
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from orbitscope import OrbitscopeError
from orbitscope.symmetry import (
    Field,
    Grid,
    GridAction,
    Group,
    Isometry,
    Layout,
    Representation,
    Stack,
    Vector,
    cyclic,
    dihedral,
    octahedral,
    parse_group,
    product,
    representation,
    rotation,
    rotations_reflections,
    translations,
)

LAYOUTS = [
    Layout.of("rho"),
    Layout.of("w:pseudoscalar"),
    Layout.of("u:vector"),
    Layout.of("b:pseudovector"),
    Layout.of("stress:tensor"),
    Layout.of("rho:scalar", "m:vector", "E:scalar"),
    Layout.of("u:vector*3", "w:pseudoscalar*2"),
    Layout.of("rho", "u:vector").stack(2),
]
GRIDS = [
    Grid.square(6),
    Grid.square(5),
    Grid.square(6, centring="node"),
    Grid.square(5, centring="node", boundary="wall"),
    Grid.square(4, boundary="open"),
]
D4 = dihedral(4)
ids: dict[str, Any] = {"ids": str}


def random_state(layout, grid, *batch, seed=0, dtype=torch.float64):
    return torch.randn(*batch, layout.channels, *grid.shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def slow_action(element, layout, grid, state):
    """The definition, point by point, for lattice elements without a shift."""
    out = torch.zeros_like(state)
    matrix = torch.as_tensor(layout.matrix(element.matrix))
    positions = grid.coordinates().flatten(1).T
    centre = torch.tensor(grid.extent, dtype=torch.float64) / 2
    lookup = {tuple((p / torch.tensor(grid.spacing)).round(decimals=6).tolist()): i for i, p in enumerate(positions)}
    for i, p in enumerate(positions):
        source = torch.as_tensor(element.matrix.T.copy()) @ (p - centre) + centre
        if grid.periodic:
            source = source.remainder(torch.tensor(grid.extent) - 1e-12).abs()
        j = lookup[tuple((source / torch.tensor(grid.spacing)).round(decimals=6).tolist())]
        out.flatten(-2)[..., i] = torch.einsum("cd,...d->...c", matrix, state.flatten(-2)[..., j])
    return out


@pytest.mark.parametrize("rep", ["scalar", "pseudoscalar", "vector", "pseudovector", "tensor", "vector*2"])
@pytest.mark.parametrize("group", [D4, dihedral(5), cyclic(8)], ids=lambda g: g.name)
def test_representations_are_orthogonal_homomorphisms(rep, group):
    rho = representation(rep).matrix
    for a in group:
        np.testing.assert_allclose(rho(a.matrix) @ rho(a.matrix).T, np.eye(representation(rep).size(2)), atol=1e-12)
        for b in group:
            np.testing.assert_allclose(rho(a.matrix) @ rho(b.matrix), rho((a @ b).matrix), atol=1e-12)


@pytest.mark.parametrize("grid", GRIDS, **ids)
@pytest.mark.parametrize("layout", LAYOUTS, **ids)
def test_d4_is_an_exact_group_action(layout, grid):
    action, x = GridAction(layout, grid), random_state(layout, grid, 2)
    assert torch.equal(action(D4.identity, x), x)
    for a in D4:
        assert action.is_exact(a)
        for b in D4:
            assert torch.equal(action(a, action(b, x)), action(D4.compose(a, b), x))


@pytest.mark.parametrize("grid", GRIDS, **ids)
@pytest.mark.parametrize("layout", LAYOUTS[:6], **ids)
def test_d4_against_the_definition(layout, grid):
    action, x = GridAction(layout, grid), random_state(layout, grid)
    for g in D4:
        assert torch.allclose(action(g, x), slow_action(g, layout, grid, x), atol=1e-14)


_CRYSTAL = product(D4, product(translations(6, 0), translations(6, 1)))  # made once: 288 elements


@given(data=st.data())
def test_products_with_translations_act(data):
    group = _CRYSTAL
    layout, grid = LAYOUTS[5], Grid.square(6, centring=data.draw(st.sampled_from(["cell", "node"])))
    a, b = (data.draw(st.sampled_from(group.elements)) for _ in range(2))
    action, x = GridAction(layout, grid), random_state(layout, grid)
    assert torch.equal(action(a, action(b, x)), action(group.compose(a, b), x))


def test_the_judge_a_rotation_flow():
    """Physics, not code, says what r does: w = curl u is a pseudoscalar, and a swirl turned by any angle is itself."""
    grid = Grid.square(32)
    x, y = grid.coordinates() - 0.5
    envelope = torch.exp(-(x**2 + y**2) / 0.01)
    swirl, source = torch.stack([-y, x]) * envelope, torch.stack([x, y]) * envelope
    action = GridAction(Layout.of("u:vector"), grid)
    for g in D4:
        sign = round(np.linalg.det(g.matrix))
        assert torch.allclose(action(g, swirl), sign * swirl, atol=1e-15)
        assert torch.allclose(action(g, source), source, atol=1e-15)
    jet = torch.stack([torch.exp(-(((x - 0.2) ** 2 + y**2) / 0.01)), torch.zeros_like(x)])  # right of the centre, pointing right
    turned = action(D4["r"], jet)
    assert turned[1].max() > 0.9
    assert turned[0].abs().max() == 0  # now above the centre, pointing up
    assert y.flatten()[turned[1].argmax()] > 0.15


@pytest.mark.parametrize("shape", [(8, 8), (7, 9)])
def test_fractional_shifts_of_band_limited_fields_compose(shape):
    grid = Grid(shape, (1.0, 2.0), ("periodic", "periodic"))
    px, py = grid.coordinates()

    def wave(dx, dy):
        return (torch.sin(2 * math.pi * (px - dx)) * torch.cos(2 * math.pi * (py - 2 * dy) / 2) + torch.cos(4 * math.pi * (px - dx)))[None]

    action = GridAction(Layout.of("rho"), grid)
    a, b = Isometry(((1, 0), (0, 1)), (0.13, 0.4)), Isometry(((1, 0), (0, 1)), (0.05, 0.77))
    assert not action.is_exact(a)
    assert torch.allclose(action(a, wave(0, 0)), wave(0.13, 0.4), atol=1e-12)
    assert torch.allclose(action(a, action(b, wave(0, 0))), action(a @ b, wave(0, 0)), atol=1e-12)
    assert action.error(a, wave(0, 0)) < 1e-12


def test_whole_cell_shift_rolls():
    grid = Grid.square(6)
    x = random_state(Layout.of("rho"), grid)
    assert torch.equal(GridAction(Layout.of("rho"), grid)(translations(6, 1)["2"], x), x.roll(2, -1))


def test_interpolated_rotation_converges_and_its_error_is_measured():
    layout, angle, errors, claimed = Layout.of("rho", "u:vector"), rotation(0.6), [], []
    for n in (32, 64):
        grid = Grid.square(n)
        px, py = grid.coordinates() - 0.5

        def state(cx, cy, ux, uy, px=px, py=py):
            bump = torch.exp(-((px - cx) ** 2 + (py - cy) ** 2) / 0.008)
            return torch.stack([bump, ux * bump, uy * bump])

        action = GridAction(layout, grid)
        c, s = math.cos(0.6), math.sin(0.6)
        turned, truth = action(angle, state(0.1, 0, 1, 0)), state(0.1 * c, 0.1 * s, c, s)
        mask = action.mask(angle)
        errors.append(float(((turned - truth) * mask).norm() / truth.norm()))
        claimed.append(action.error(angle, state(0.1, 0, 1, 0)))
    assert math.log2(errors[0] / errors[1]) > 5.5  # degree 5: sixth order
    for actual, estimate in zip(errors, claimed, strict=True):
        assert 0.3 * actual < estimate < 10 * actual


def test_sampled_o2_includes_exact_quarter_turns():
    grid, layout = Grid.square(8), Layout.of("u:vector")
    action, x = GridAction(layout, grid), random_state(layout, grid)
    group = rotations_reflections(8)
    assert [g.name for g in group if action.is_exact(g)] == ["e", "r2", "r4", "r6", "s", "sr2", "sr4", "sr6"]
    assert torch.equal(action(group["r2"], x), action(D4["r"], x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.complex64])
def test_dtypes_and_batches(dtype):
    layout, grid = LAYOUTS[5], Grid.square(4)
    x = random_state(layout, grid, 2, 3).to(dtype)
    action = GridAction(layout, grid)
    for g in D4:
        moved = action(g, x)
        assert moved.dtype == dtype
        assert torch.equal(moved[1, 2], action(g, x[1, 2]))
    assert action(D4["r"], x[:0]).shape == x[:0].shape


@pytest.mark.parametrize("element", [D4["sr"], translations(5, 1)["2"], rotation(0.3)], ids=str)
def test_torch_func_and_autograd(element):
    layout, grid = LAYOUTS[5], Grid.square(4)
    action, x, v = GridAction(layout, grid), random_state(layout, grid, 3), random_state(layout, grid, 3, seed=1)

    def move(state):
        return action(element, state)

    assert torch.allclose(torch.func.vmap(move)(x), move(x), atol=1e-14)
    value, tangent = torch.func.jvp(move, (x,), (v,))[:2]  # linear: the tangent moves as the state does
    assert torch.allclose(tangent, move(v), atol=1e-14)
    (pulled,) = torch.func.vjp(move, x)[1](v)
    assert math.isclose(float((pulled * x).sum()), float((v * value).sum()), rel_tol=1e-10)


def test_pairs_move_alike():
    layout, grid = LAYOUTS[2], Grid.square(4)
    action, x, y = GridAction(layout, grid), random_state(layout, grid), random_state(layout, grid, seed=1)
    gx, gy = action.pair(D4["r"], x, y)
    assert torch.equal(gx, action(D4["r"], x)) and torch.equal(gy, action(D4["r"], y))


@pytest.mark.parametrize(
    ("grid", "element", "words"),
    [
        (Grid((4, 6), (1, 1), ("periodic", "periodic")), D4["r"], "exchanges axes"),
        (Grid((4, 4), (1, 2), ("periodic", "periodic")), D4["sr"], "exchanges axes"),
        (Grid((4, 4), (1, 1), ("periodic", "wall")), D4["r3"], "exchanges axes"),
        (Grid((4, 4), (1, 1), ("periodic", "wall")), translations(4, 1)["1"], "not periodic"),
        (Grid.square(4, ndim=3), D4["r"], "dimensions"),
    ],
)
def test_elements_that_a_grid_cannot_represent(grid, element, words):
    action = GridAction(Layout.of("rho", ndim=grid.ndim), grid)
    assert not action.can(element)
    with pytest.raises(OrbitscopeError, match=words):
        action(element, torch.zeros(1, *grid.shape))
    for g in ("e", "r2", "s", "sr2"):
        if grid.ndim == 2:
            assert action.can(D4[g])


def test_three_dimensions_octahedral():
    turn_z, turn_x = Isometry(((0, -1, 0), (1, 0, 0), (0, 0, 1)), name="z"), Isometry(((1, 0, 0), (0, 0, -1), (0, 1, 0)), name="x")
    group = Group.generated("O", [turn_z, turn_x])
    assert len(group) == 24
    grid, layout = Grid.square(3, ndim=3), Layout.of("rho", "u:vector", "b:pseudovector", "t:tensor", ndim=3)
    action, x = GridAction(layout, grid), random_state(layout, grid)
    for a in group.elements[::5]:
        for b in group:
            assert torch.equal(action(a, action(b, x)), action(group.compose(a, b), x))


def test_the_named_octahedral_groups_are_what_two_quarter_turns_and_the_inversion_generate():
    turn_z, turn_x = Isometry(((0, -1, 0), (1, 0, 0), (0, 0, 1)), name="z"), Isometry(((1, 0, 0), (0, 0, -1), (0, 1, 0)), name="x")
    inversion = Isometry(((-1, 0, 0), (0, -1, 0), (0, 0, -1)), name="i")
    assert set(octahedral(reflections=False)) == set(Group.generated("O", [turn_z, turn_x]))
    assert set(octahedral()) == set(Group.generated("Oh", [turn_z, turn_x, inversion]))
    assert parse_group("tz", points=(8, 8, 4))["1"].shift == (0, 0, Fraction(1, 4))
    assert parse_group("tx", points=(6, 4))["1"].shift == (Fraction(1, 6), 0)
    with pytest.raises(OrbitscopeError, match="cannot read"):
        parse_group("tz", points=8)


def test_a_vertical_field_is_odd_under_up_and_down_alone():
    layout, grid = Layout.of("temperature:vertical", "u:vector"), Grid((6, 4), (2.0, 1.0), ("periodic", "wall"))
    action, x = GridAction(layout, grid), random_state(layout, grid)
    d2 = dihedral(2)
    assert torch.equal(action(d2["s"], x)[0], x[0].flip(0)) and torch.equal(action(d2["sr"], x)[0], -x[0].flip(1))
    for a in d2:
        for b in d2:
            assert torch.equal(action(a, action(b, x)), action(a @ b, x))
    with pytest.raises(OrbitscopeError, match="vertical"):
        layout.matrix(D4["r"].matrix)


@pytest.mark.wrong_types
def test_layout_words_and_mistakes():
    layout = Layout.of("density:scalar:kg/m^2", "momentum:vector", "energy")
    assert layout.fields[0].unit == "kg/m^2" and layout.field_of_channel == (0, 1, 1, 2)
    assert Layout.from_dict(layout.to_dict()) == layout == pickle.loads(pickle.dumps(layout))
    assert hash(Layout.from_dict(layout.to_dict())) == hash(layout) != hash(layout.stack(2))
    assert Grid.from_dict(Grid.square(4).to_dict()) == Grid.square(4)
    for wrong, words in [
        (lambda: Layout.of("a", "a"), "differ"),
        (lambda: Layout(()), "empty"),
        (lambda: Layout.of("a:spinor"), "no representation is called 'spinor'"),
        (lambda: layout.check(torch.zeros(3, 4, 4)), "4 channels"),
        (lambda: layout.slice("speed"), "no field"),
        (lambda: Grid((4, 4), (1,), ("periodic",)), "one entry per axis"),
        (lambda: Grid.square(0), "positive"),
        (lambda: Grid.square(4, boundary="round"), "boundary"),  # pyright: ignore[reportArgumentType]
        (lambda: Layout.from_dict({"fields": 3}), "not a layout"),
        (lambda: Grid.from_dict({}), "not a grid"),
        (lambda: Stack(Vector(), 0), "copies"),
        (lambda: Field(""), "name"),
        (lambda: GridAction(layout, Grid.square(4), order=2), "odd"),
    ]:
        with pytest.raises(OrbitscopeError, match=words):
            wrong()
    with pytest.raises(OrbitscopeError, match="grid"):
        GridAction(layout, Grid.square(4))(D4["r"], torch.zeros(4, 5, 5))


def test_a_new_representation_is_one_small_class():
    class Quadrupole(Representation):
        """Spin 2 in the plane: (Qxx - Qyy, 2 Qxy)."""

        name = "test-quadrupole"

        def size(self, ndim):
            return 2

        def matrix(self, linear):
            a = np.asarray(linear, dtype=float)
            columns = []
            for q in ([[1, 0], [0, -1]], [[0, 1], [1, 0]]):
                turned = a @ np.array(q) @ a.T
                columns.append([turned[0, 0], turned[0, 1]])
            return np.array(columns).T

    grid, layout = Grid.square(4), Layout.of("q:test-quadrupole")
    action, x = GridAction(layout, grid), random_state(layout, grid)
    for a in D4:
        for b in D4:
            assert torch.equal(action(a, action(b, x)), action(a @ b, x))
