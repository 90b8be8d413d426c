"""Which part of a discovered group acts on grids, and files in place of group names."""

from typing import Any

import numpy as np
import pytest
import torch

from orbitscope import Examples, FieldAction, Grid, Layout, OrbitscopeError, Symmetry, Trajectories, Values, audit, equivariance
from orbitscope.discover import Discovery, Evidence, discover_symmetry, symmetry_from
from orbitscope.symmetry import general_linear, parse_group, rotation

J = np.array([[0.0, -1.0], [1.0, 0.0]])
PLANE = {"J": J, "scaling": np.eye(2), "boost": np.diag([1.0, -1.0]), "shear": np.array([[0.0, 1.0], [0.0, 0.0]])}
PLANE |= {"ellipse": np.array([[0.0, -2.0], [0.5, 0.0]]), "nearly": J + 0.01 * np.eye(2), "off": J + 0.1 * np.diag([1.0, -1.0])}


def shifted(linear: np.ndarray | None = None, shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    x = np.zeros((3, 3))
    x[:2, :2] = 0.0 if linear is None else linear
    x[:2, 2] = shift
    return x


PLACES = {"x": shifted(shift=(1, 0)), "y": shifted(shift=(0, 1)), "diagonal": shifted(shift=(1, 1)), "turn": shifted(J)}
PLACES["elsewhere"] = shifted(J, (3.0, 1.0))


def discovery(basis=(), components=(), angle: float = 0.1, homogeneous: bool = False) -> Discovery:
    """One in which the directions `basis` hold, and a last one does not."""
    n = len([*basis, *components, J][0])
    every = np.array([b / np.linalg.norm(b) for b in (*basis, np.diag(np.arange(n, dtype=float)))])
    k = len(basis)
    some = np.append(np.zeros(k), 1.0)
    words: Any = (*["exact"] * k, "broken")
    evidence = Evidence(
        directions=np.zeros((k + 1, k + 1)), breaking=some, low=some, high=some, noise=some, correlation=some,
        words=words, levels=(), null=1.0, spread=np.full(20 if k else 0, angle), by_chart=some[None],
    )  # fmt: skip
    return Discovery(
        "GL(2)", "by hand", "Affine" if homogeneous else "Linear", homogeneous, every, evidence,
        np.array(components, dtype=float).reshape(-1, n, n), (0.1,), {}, {"output": "invariant"},
    )  # fmt: skip


def turn(degrees: float) -> np.ndarray:
    return rotation(np.radians(degrees)).matrix


FLIP_X, FLIP_Y, SWAP = np.diag([-1.0, 1.0]), np.diag([1.0, -1.0]), np.array([[0.0, 1.0], [1.0, 0.0]])


@pytest.mark.parametrize(
    ("names", "components", "words"),
    [
        (["J"], [], ("so2",)),
        (["J"], [SWAP], ("o2",)),
        (["J"], [turn(33.0) @ FLIP_X], ("o2",)),
        (["nearly"], [], ("so2",)),
        (["off"], [], ("c2",)),
        (["ellipse"], [], ("c2",)),
        (["J", "scaling"], [], ("so2",)),
        (["J", "boost", "shear"], [], ("so2",)),
        ([], [turn(90), turn(180), turn(270)], ("c4",)),
        ([], [1.01 * turn(90), turn(180), turn(270)], ("c4",)),
        ([], [turn(60 * k) for k in range(1, 6)], ("c6",)),
        ([], [turn(72 * k) @ f for k in range(5) for f in (np.eye(2), FLIP_X)][1:], ("d5",)),
        ([], [FLIP_X], ("d1",)),
        ([], [FLIP_Y], None),
        (["scaling"], [FLIP_X, FLIP_Y, -np.eye(2)], ("d2",)),
        (["boost"], [-np.eye(2)], ("c2",)),
    ],
)
def test_isometries_in_a_group_of_the_plane(names, components, words):
    found = discovery([PLANE[n] for n in names], components).on_grid()
    assert found.words == words
    if words is not None:
        assert found.turns == parse_group(words[0])
    else:
        assert found.turns is not None and [g.name for g in found.turns] == ["e", "sr2"]
    assert bool(found.left) == bool(set(names) - {"J", "nearly"})


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["x"], ("tx",)),
        (["x", "y"], ("tx", "ty")),
        (["x", "y", "elsewhere"], ("so2", "tx", "ty")),
        (["x", "y", "turn"], ("so2", "tx", "ty")),
    ],
)
def test_shifts(names, words):
    found = discovery([PLACES[n] for n in names], homogeneous=True).on_grid(Grid.square(8))
    assert found.words == words and found.left == ""
    assert len(found.group) == int(np.prod([4 if w == "so2" else 8 for w in words]))


@pytest.mark.parametrize("names", [["boost"], ["shear"], ["scaling"]])
def test_what_has_no_action_on_kernels_is_refused_in_words(names):
    with pytest.raises(OrbitscopeError, match="no action on fields and kernels. Its generator changes lengths"):
        discovery([PLANE[n] for n in names]).on_grid()


def test_shifts_that_are_off_by_little_do_not_turn():
    """1e-4 of a turn in a shift, 3e4 times over, is half a turn: it is the error of the shift and no element."""
    off = [PLACES["x"] + shifted(1e-4 * J), PLACES["y"]]
    acts = discovery(off, homogeneous=True).on_grid()
    assert acts.words == ("tx", "ty") and acts.turns is None


def test_a_turn_about_another_place_and_a_shift_along_no_axis_do_not_act():
    for name in ("elsewhere", "diagonal"):
        with pytest.raises(OrbitscopeError, match="no action"):
            discovery([PLACES[name]], homogeneous=True).on_grid()


def test_the_uncertainty_decides():
    off = [PLANE["off"]]  # about 5.7 degrees from the rotations
    assert discovery(off, angle=0.5).on_grid().words == ("c2",) and discovery(off, angle=3.0).on_grid().words == ("so2",)


def test_boundaries_and_unequal_axes_count():
    group = discovery([J], [FLIP_X])
    assert group.on_grid(Grid.square(8)).words == ("o2",) and group.on_grid(Grid((8, 4), (2.0, 1.0), ("periodic",) * 2)).words == ("d2",)
    moves = discovery([PLACES["x"], PLACES["y"]], homogeneous=True)
    assert moves.on_grid(Grid((8, 8), (1.0, 1.0), ("periodic", "wall"))).words == ("tx",)
    with pytest.raises(OrbitscopeError, match="2 numbers, and a grid has 3 axes"):
        group.on_grid(Grid.square(4, ndim=3))
    with pytest.raises(OrbitscopeError, match="no group to take"):
        discovery().on_grid()


def test_a_finite_group_is_made_exact(tmp_path):
    """D4 in skew coordinates, known to a few per cent: what comes back is a group to rounding, and near."""
    rng, skew = np.random.default_rng(0), np.array([[1.0, 0.4], [0.1, 0.8]])
    exact = [skew @ turn(90 * k) @ f @ np.linalg.inv(skew) for k in range(4) for f in (np.eye(2), FLIP_X)][1:]
    rough = [m + 0.02 * rng.standard_normal((2, 2)) for m in exact]
    made = discovery([], rough).group()
    assert len(made) == 8 and made.identity.is_identity
    matrices = np.array([g.matrix for g in made.elements])
    gaps = np.abs(matrices[:, None, None] @ matrices[None, :, None] - matrices).max((3, 4))
    assert gaps.min(2).max() < 1e-11
    assert max(np.abs(matrices - m).max((1, 2)).min() for m in exact) < 0.1
    made.check()
    alone = np.array([g.matrix for g in discovery([], exact).group().elements])  # what is a group already stays as it is
    assert np.abs(alone[1:] - np.array(exact)).max() < 1e-12
    moved = [shifted(turn(180)) for _ in range(1)]
    moved[0][:, 2] = [0.6, -0.2, 1.0]  # half a turn about (0.3, -0.1)
    about = discovery([], moved, homogeneous=True).group()
    assert np.abs((about.elements[1] @ about.elements[1]).homogeneous - np.eye(3)).max() < 1e-12


def test_elements_that_are_no_group_make_none():
    with pytest.raises(OrbitscopeError, match="products are not all among them"):
        discovery([], [turn(90), turn(180)]).group()
    with pytest.raises(OrbitscopeError, match="products are not all among them"):
        discovery([], [turn(40)]).group()
    with pytest.raises(OrbitscopeError, match="no group to take that has generators"):
        discovery().group()


def test_a_file_stands_for_a_finite_group(tmp_path):
    path = str(discovery([], [turn(90), turn(180), turn(270)]).save(tmp_path / "quarters.nc"))
    x = torch.randn(40, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    class Fourth(torch.nn.Module):
        def __init__(self, other: float) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.tensor([1.0, other], dtype=torch.float64))

        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return (self.weight * z**4).sum(1, keepdim=True) + z.prod(1, keepdim=True) * (z[:, :1] ** 2 - z[:, 1:] ** 2)

    examples = Examples(x, Fourth(1.0)(x).detach())
    assert equivariance(Fourth(1.0), examples, path).commutator.max() < 1e-12 < equivariance(Fourth(1.5), examples, path).commutator.max()


def test_lattice_part_for_augmentation():
    assert discovery([J]).on_grid().lattice().words == ("c4",) and discovery([J], [SWAP]).on_grid().lattice().words == ("d4",)
    sixths = discovery([], [turn(60 * k) for k in range(1, 6)])
    assert sixths.on_grid().lattice().words == ("c2",)
    with pytest.raises(OrbitscopeError, match="points of a grid onto points"):
        discovery([], [turn(120), turn(240)]).on_grid().lattice()


def test_rotations_of_space():
    basis = general_linear(3).algebra.reshape(9, 3, 3)
    turns = [basis[3 * i + j] - basis[3 * j + i] for i, j in ((0, 1), (0, 2), (1, 2))]
    found = discovery(turns).on_grid()
    assert found.words == ("o",) and found.left == ""
    assert discovery(turns, [-np.eye(3)]).on_grid().words == ("oh",)
    about_z = discovery(turns[:1]).on_grid()
    assert about_z.words is None and about_z.turns is not None and len(about_z.turns) == 4


class Circle(torch.nn.Module):
    def __init__(self, ratio: float = 1.0) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([1.0, ratio], dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin((self.weight * x**2).sum(1, keepdim=True))


def test_a_file_stands_for_its_group(tmp_path):
    """Instruments take the file: vectors by the group itself, grids by what of it acts on them."""
    path = str(discovery([J]).save(tmp_path / "found.nc"))
    x = torch.randn(40, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    examples = Examples(x, Circle()(x).detach())
    assert equivariance(Circle(), examples, path).commutator.max() < 1e-12 < equivariance(Circle(1.5), examples, path).commutator.max()
    assert audit(examples, path, law=Circle()).residual.max() < 1e-12
    values = torch.randn(4, 2, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    fields = Trajectories(values, Layout.of("velocity:vector"), Grid.square(8), dt=0.1)
    assert equivariance(torch.nn.Identity(), fields, path).sizes["element"] == 16
    boost = str(discovery([PLANE["boost"]]).save(tmp_path / "boost.nc"))
    with pytest.raises(OrbitscopeError, match="boost.nc.*no action on fields"):
        equivariance(torch.nn.Identity(), fields, boost)
    with pytest.raises(OrbitscopeError, match="found.nc.*acts on 2 numbers, and x has 3"):
        equivariance(torch.nn.Linear(3, 1), Examples(torch.randn(40, 3), torch.randn(40, 1)), path)
    with pytest.raises(OrbitscopeError, match="none.nc"):
        equivariance(torch.nn.Identity(), fields, str(tmp_path / "none.nc"))


def test_actions_of_ones_own_are_not_in_a_file(tmp_path):
    act = FieldAction(Layout.of("force:vector"), Values())
    x = torch.randn(200, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    force = x * torch.exp(-x.square().sum(1, keepdim=True))
    central = torch.nn.Module()
    central.forward = lambda z: z * torch.exp(-z.square().sum(1, keepdim=True))
    found = discover_symmetry((x, force), Symmetry(general_linear(2), act, act), model=central)
    with pytest.raises(OrbitscopeError, match="actions of its own"):
        symmetry_from(str(found.save(tmp_path / "found.nc")), Examples(x, force))
