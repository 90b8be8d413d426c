"""Small maps of many kinds, each with a model that commutes by construction and one that does not, for every instrument."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.symmetry import (
    Classes,
    FieldAction,
    FromMatrices,
    Invariant,
    Nodes,
    PartsAction,
    Points,
    Representation,
    State,
    Symmetry,
    Values,
    Words,
    braid,
)

UNITS, SLOTS = 6, 2


@dataclass(frozen=True)
class Kind:
    """A symmetry, the truth that obeys it, and how its x are drawn; a small model of each sort."""

    name: str
    symmetry: Symmetry
    draw: Callable[[int], State]
    truth: Callable[..., State]
    equivariant: Callable[[], nn.Module]
    plain: Callable[[], nn.Module]

    def examples(self, units: int = UNITS, slots: int = SLOTS) -> osc.Examples:
        """Examples of the truth."""
        torch.manual_seed(1)
        x = self.draw(units * slots)
        y = self.truth(*x) if isinstance(x, tuple) else self.truth(x)
        return osc.Examples(x, y, np.repeat(np.arange(units), slots), np.tile(np.arange(slots), units), name=self.name)

    def broken(self, size: float = 1.0) -> nn.Module:
        """The truth and a breaking on top of it, so that the breaking is most of the error."""
        return Broken(self.truth, self.model(equivariant=False), size)

    def model(self, equivariant: bool, seed: int = 0) -> nn.Module:
        """A fresh model in float64."""
        torch.manual_seed(seed)
        return (self.equivariant if equivariant else self.plain)().double()


class Broken(nn.Module):
    """The truth plus a share of a map that does not commute."""

    def __init__(self, truth: Callable[..., State], other: nn.Module, size: float) -> None:
        super().__init__()
        self.truth, self.other, self.size = truth, other, size
        with torch.no_grad():
            for p in other.parameters():  # small weights make a nearly constant map, which breaks little
                p.mul_(3)

    def forward(self, *x: Tensor) -> State:
        true, wrong = self.truth(*x), self.other(*x)
        if isinstance(true, tuple):
            return tuple(a + self.size * b for a, b in zip(true, wrong, strict=True))
        return (true if true.is_floating_point() else 8.0 * torch.eye(wrong.shape[-1], dtype=wrong.dtype)[true]) + self.size * wrong


def mlp(*sizes: int) -> nn.Sequential:
    """Linear layers with tanh between them."""
    layers: list[nn.Module] = []
    for a, b in zip(sizes, sizes[1:], strict=False):
        layers += [nn.Linear(a, b), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def randn(*shape: int) -> Tensor:
    """Double-precision normal numbers."""
    return torch.randn(shape, dtype=torch.float64)


class RadialPolicy(nn.Module):
    """offset [2], speed [1] -> force [2]: a scalar of the invariants times the offset."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp(2, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        offset, speed = x[:, :2], x[:, 2:]
        return offset * self.net(torch.cat([offset.square().sum(1, keepdim=True), speed], 1))


class Distances(nn.Module):
    """A cloud [P, d + 1] of positions and masses -> one energy: sums over pairs of a function of the distance."""

    def __init__(self, out: int = 1) -> None:
        super().__init__()
        self.net = mlp(3, 5, out)

    def forward(self, x: Tensor) -> Tensor:
        place, mass = x[..., :-1], x[..., -1:]
        gap = (place[:, :, None] - place[:, None]).square().sum(-1, keepdim=True)
        both = [mass[:, :, None].expand_as(gap), mass[:, None].expand_as(gap)]
        return self.net(torch.cat([gap, *both], -1)).sum((1, 2))


class PointNet(nn.Module):
    """Every point by itself, summed: permutations do nothing, rotations do."""

    def __init__(self, size: int, out: int) -> None:
        super().__init__()
        self.each, self.all = mlp(size, 6), mlp(6, 5, out)

    def forward(self, x: Tensor) -> Tensor:
        return self.all(torch.tanh(self.each(x)).sum(1))


class Flat(nn.Module):
    """All numbers of an example into one network."""

    def __init__(self, size: int, out: int, shape: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.net, self.shape = mlp(size, 5, out), shape

    def forward(self, x: Tensor) -> Tensor:
        found = self.net(x.flatten(1))
        return found.reshape(len(x), *self.shape) if self.shape else found


class Messages(nn.Module):
    """Nodes [P, 2] -> [P, 1]: each node and the sum of its neighbours."""

    adjacency: Tensor

    def __init__(self, edges: tuple[tuple[int, int], ...], count: int) -> None:
        super().__init__()
        self.net = mlp(4, 5, 1)
        adjacency = torch.zeros(count, count, dtype=torch.float64)
        for a, b in edges:
            adjacency[a, b] = adjacency[b, a] = 1.0
        self.register_buffer("adjacency", adjacency)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(torch.cat([x, self.adjacency @ x], -1))


class TwoParts(nn.Module):
    """(offset [2], cloud [P, 2]) -> (force [2], energy [1])."""

    def __init__(self, equivariant: bool) -> None:
        super().__init__()
        self.net, self.equivariant = mlp(2 if equivariant else 4, 5, 2 if equivariant else 3), equivariant

    def forward(self, offset: Tensor, cloud: Tensor) -> tuple[Tensor, Tensor]:
        centre = cloud.mean(1)
        if not self.equivariant:
            found = self.net(torch.cat([offset, centre], 1))
            return found[:, :2], found[:, 2:]
        found = self.net(torch.stack([offset.square().sum(1), cloud.square().sum((1, 2))], 1))
        return offset * found[:, :1] + centre, found[:, 1:]


class Exchanged(Representation):
    """Two of three classes change places under a reflection."""

    name = ""

    def size(self, ndim: int) -> int:
        return 3

    def matrix(self, linear: object) -> np.ndarray:
        made = np.eye(3)
        return made[[1, 0, 2]] if np.linalg.det(np.asarray(linear)) < 0 else made

    def __repr__(self) -> str:
        return "exchanged"


class Handed(nn.Module):
    """Logits of a cloud [P, 2]: left, right, neither, from its signed areas and its distances."""

    def __init__(self) -> None:
        super().__init__()
        self.odd, self.even = mlp(1, 4, 1), mlp(1, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        a, b, c = x[:, 0], x[:, 1], x[:, 2]
        area = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])[:, None]
        left, right = self.odd(area), self.odd(-area)
        return torch.cat([left, right, self.even(area.square())], 1)


def _policy() -> Kind:
    layout = osc.Layout.of("offset:vector", "speed")
    symmetry = Symmetry(osc.dihedral(4), FieldAction(layout, Values()), FieldAction(osc.Layout.of("force:vector"), Values()))
    return Kind("policy", symmetry, lambda n: randn(n, 3), lambda x: -x[:, :2] * x[:, 2:].exp(), RadialPolicy, lambda: mlp(3, 6, 2))


def _cloud() -> Kind:
    layout = osc.Layout.of("place:vector", "mass", ndim=3)
    symmetry = Symmetry(osc.octahedral(reflections=False), FieldAction(layout, Points()), Invariant(("energy",)))

    def truth(x: Tensor) -> Tensor:
        return (x[..., 3:] * x[..., :3].square().sum(-1, keepdim=True)).sum(1)

    return Kind("cloud", symmetry, lambda n: randn(n, 3, 4), truth, Distances, lambda: PointNet(4, 1))


def _graph() -> Kind:
    edges = ((0, 1), (1, 2), (2, 3), (3, 0))
    nodes = Nodes(edges, 4)
    flow, total = osc.Layout.of("flow:vector"), osc.Layout.of("sum:vector")
    symmetry = Symmetry(osc.dihedral(2), FieldAction(flow, nodes), FieldAction(total, nodes))

    def truth(x: Tensor) -> Tensor:
        return x + x.roll(1, 1)

    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = mlp(1, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            return (x + x.roll(1, 1)) * self.net(x.square().sum(-1, keepdim=True))

    return Kind("graph", symmetry, lambda n: randn(n, 4, 2), truth, Scaled, lambda: Flat(8, 8, (4, 2)))


def _classes() -> Kind:
    symmetry = Symmetry(
        osc.dihedral(4), FieldAction(osc.Layout.of("place:vector"), Points()), Classes(("left", "right", "flat"), Exchanged())
    )

    def truth(x: Tensor) -> Tensor:
        a, b, c = x[:, 0], x[:, 1], x[:, 2]
        area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
        return torch.where(area.abs() < 0.3, 2, (area < 0).long())

    return Kind("classes", symmetry, lambda n: randn(n, 3, 2), truth, Handed, lambda: PointNet(2, 3))


def _parts() -> Kind:
    vector = FieldAction(osc.Layout.of("offset:vector"), Values())
    symmetry = Symmetry(
        osc.cyclic(8),
        PartsAction(vector, FieldAction(osc.Layout.of("place:vector"), Points())),
        PartsAction(FieldAction(osc.Layout.of("force:vector"), Values()), Invariant(("energy",))),
    )

    def truth(offset: Tensor, cloud: Tensor) -> tuple[Tensor, Tensor]:
        return offset + cloud.mean(1), offset.square().sum(1, keepdim=True)

    return Kind("parts", symmetry, lambda n: (randn(n, 2), randn(n, 3, 2)), truth, lambda: TwoParts(True), lambda: TwoParts(False))


class Letters(nn.Module):
    """A word [L] of letters -> [3]: the product of a matrix per letter, on a vector (a matrix network); inverses are transposes."""

    true: Tensor | None

    def __init__(self, true: Tensor | None = None) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.randn(3))
        self.matrices = nn.Parameter(torch.randn(2, 3, 3)) if true is None else None
        self.register_buffer("true", true)

    def forward(self, x: Tensor) -> Tensor:
        each = self.true if self.matrices is None else self.matrices
        assert each is not None
        table = torch.cat([torch.eye(3).to(each)[None], torch.stack([m for e in each for m in (e, e.mT)])])
        moved = self.start.expand(len(x), 3)[..., None]
        for k in reversed(range(x.shape[1])):
            moved = table[x[:, k].long()] @ moved
        return moved[..., 0]


def _words() -> Kind:
    group = braid(3)
    quarter = {"s1": [[1, 0, 0], [0, 0, -1], [0, 1, 0]], "s2": [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]}  # turns that obey s1 s2 s1 = s2 s1 s2
    words = Words(group, 12)
    arm = osc.Layout((osc.Field("arm", FromMatrices(quarter)),), 2)
    true = torch.tensor([quarter["s1"], quarter["s2"]], dtype=torch.float64)
    exact = Letters(true).double()
    exact.start.data = torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64)

    def draw(count: int) -> Tensor:
        rows = torch.zeros(count, 12, dtype=torch.long)
        rows[:, :4] = torch.randint(1, 5, (count, 4))
        return words(group.identity, rows)

    def truth(x: Tensor) -> Tensor:
        with torch.no_grad():
            return exact(x)

    return Kind("words", Symmetry(group, words, FieldAction(arm, Values())), draw, truth, lambda: Letters(true), Letters)


KINDS = {k.name: k for k in (_policy(), _cloud(), _graph(), _classes(), _parts(), _words())}
