"""Maps whose symmetry is known: what discovery has to find, and what it must not find."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """One map and the truth about it.

    * `group`: the hypothesis. `points`: vectors or points in an input, 0 for a single vector.
    * `function`: inputs [N, points, n] or [N, n] to answers. `output`: how answers move.
    * `algebra`: the true generators [k, N, N], none for a control. `identified`: the name of the algebra.
    * `finite`: matrices of further components, up to the identity component.
    """

    name: str
    group: str
    points: int
    function: Callable[[Tensor], Tensor]
    algebra: Array
    identified: str
    output: str = "invariant"
    finite: tuple[Array, ...] = field(default=())

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return 4 if self.group == "lorentz4" else int(self.group[-1])

    @property
    def words(self) -> str:
        """The hypothesis in words of the library."""
        return self.group

    def inputs(self, count: int, seed: int) -> Tensor:
        """`count` Gaussian inputs in float64."""
        shape = (count, self.points, self.dimension) if self.points else (count, self.dimension)
        return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    def module(self) -> nn.Module:
        """The map as a module."""
        return Exact(self.function)


class Exact(nn.Module):
    """A function as a module without parameters."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """The function's answer."""
        return self.function(x)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(-1)


def _det(a: Tensor, b: Tensor) -> Tensor:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def _minkowski(a: Tensor, b: Tensor) -> Tensor:
    return a[:, 0] * b[:, 0] - (a[:, 1:] * b[:, 1:]).sum(-1)


def _e(n: int, *entries: tuple[int, int, float]) -> Array:
    x = np.zeros((n, n))
    for i, j, value in entries:
        x[i, j] = value
    return x


def rotations(n: int) -> Array:
    """The basis of so(n), pair by pair."""
    return np.array([_e(n, (i, j, -1.0), (j, i, 1.0)) for i in range(n) for j in range(i + 1, n)])


def lorentz(n: int) -> Array:
    """The basis of so(1, n - 1): boosts, then rotations."""
    boosts = [_e(n, (0, j, 1.0), (j, 0, 1.0)) for j in range(1, n)]
    turns = [_e(n, (i, j, -1.0), (j, i, 1.0)) for i in range(1, n) for j in range(i + 1, n)]
    return np.array([*boosts, *turns])


def circle(x: Tensor) -> Tensor:
    """O(2): of the square alone."""
    return torch.sin(2 * _dot(x, x))[:, None]


def ellipse(x: Tensor) -> Tensor:
    """so(2) in another basis: turns along ellipses x^2 + 3 y^2 = const."""
    return torch.sin(x[:, 0] ** 2 + 3 * x[:, 1] ** 2)[:, None]


def angle(x: Tensor) -> Tensor:
    """O(3): two vectors by their products."""
    a, b = x[:, 0], x[:, 1]
    return (torch.tanh(_dot(a, b)) + 0.3 * _dot(a, a))[:, None]


def hyperbola(x: Tensor) -> Tensor:
    """SO(1,1)."""
    return torch.tanh(x[:, 0] ** 2 - x[:, 1] ** 2)[:, None]


def masses(x: Tensor) -> Tensor:
    """SO(1,3): two four-vectors by their Minkowski products."""
    a, b = x[:, 0], x[:, 1]
    return (torch.tanh(_minkowski(a, b)) + 0.5 * torch.sin(_minkowski(a, a)))[:, None]


def area(x: Tensor) -> Tensor:
    """SL(2): two vectors by the area that they span."""
    return torch.sin(2 * _det(x[:, 0], x[:, 1]))[:, None]


def mixed(x: Tensor) -> Tensor:
    """GL(2), equivariant: three vectors to a combination of them whose weights are ratios of areas."""
    a, b, c = x[:, 0], x[:, 1], x[:, 2]
    areas = torch.stack([_det(a, b), _det(b, c), _det(a, c)], 1)
    weights = areas / (areas.square().sum(1, keepdim=True) + 1e-12).sqrt()
    return weights[:, :1] * a + weights[:, 1:2] * c


def heisenberg(x: Tensor) -> Tensor:
    """Upper unitriangular matrices: three vectors by what these leave alone."""
    a, b = x[:, 0], x[:, 1]
    minor = a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1]
    return (torch.sin(a[:, 2]) + 0.5 * b[:, 2] ** 2 + torch.tanh(minor) + 0.3 * torch.linalg.det(x))[:, None]


def shear(x: Tensor) -> Tensor:
    """x -> x + t y of two vectors."""
    a, b = x[:, 0], x[:, 1]
    return (torch.sin(a[:, 1]) + 0.5 * b[:, 1] ** 2 + torch.tanh(2 * _det(a, b)) + 0.3 * a[:, 1] * b[:, 1])[:, None]


def ratio(x: Tensor) -> Tensor:
    """Scaling: two vectors by a ratio of quadratic forms."""
    a, b = x[:, 0], x[:, 1]
    above = a[:, 0] * b[:, 1] + 0.5 * a[:, 0] ** 2 - 0.3 * b[:, 0] * b[:, 1]
    return (2 * above / (_dot(a, a) + _dot(b, b)))[:, None]


def differences(x: Tensor) -> Tensor:
    """Translations: three points by two of their differences, in no isotropic way."""
    a, b = x[:, 0] - x[:, 1], x[:, 0] - x[:, 2]
    return (torch.sin(a[:, 0]) + 0.3 * a[:, 1] * b[:, 0] + torch.tanh(b[:, 1]) + 0.2 * a[:, 1] ** 2)[:, None]


def distances(x: Tensor) -> Tensor:
    """E(2): three points by their distances."""
    a, b, c = ((x[:, i] - x[:, j]).square().sum(-1) for i, j in ((0, 1), (0, 2), (1, 2)))
    return (torch.tanh(0.5 * a) + torch.sin(0.5 * b) + 0.2 * c)[:, None]


def two_planes(x: Tensor) -> Tensor:
    """A product: turns of two planes of R^4, each by its own angle."""
    p, q = x[:, 0] ** 2 + x[:, 1] ** 2, x[:, 2] ** 2 + x[:, 3] ** 2
    return (torch.sin(p) + torch.tanh(q + 0.5 * p))[:, None]


def diamond(x: Tensor) -> Tensor:
    """D4, and nothing continuous."""
    return (x[:, 0] ** 4 + x[:, 1] ** 4)[:, None].sqrt()


def windmill(x: Tensor) -> Tensor:
    """C4 without reflections, and nothing continuous: four sails that are bent, as their angle changes with the radius."""
    a, b, r2 = x[:, 0], x[:, 1], _dot(x, x)
    along, across = a**4 - 6 * a**2 * b**2 + b**4, 4 * a * b * (a**2 - b**2)  # r^4 times cosine and sine of four times the angle
    return ((along * torch.cos(r2 / 2) - across * torch.sin(r2 / 2)) / (1 + r2**2))[:, None]


def nothing_plane(x: Tensor) -> Tensor:
    """No linear symmetry of the plane."""
    a, b = x[:, 0], x[:, 1]
    return (torch.sin(2 * a + 0.3) + 0.5 * b**3 - a * b + 0.3 * torch.cos(3 * b))[:, None]


def nothing_space(x: Tensor) -> Tensor:
    """No linear symmetry of space."""
    a, b, c = x[:, 0], x[:, 1], x[:, 2]
    return (torch.sin(2 * a + 0.3) + 0.5 * b**3 - a * c + 0.3 * torch.cos(3 * c + b))[:, None]


def nothing_points(x: Tensor) -> Tensor:
    """No affine symmetry of two points of the plane."""
    a, b = x[:, 0], x[:, 1]
    return (torch.sin(a[:, 0] + 0.5) + a[:, 1] ** 2 * b[:, 0] - torch.tanh(b[:, 1] * a[:, 0]) + 0.4 * b[:, 0] ** 2 + 0.3 * b[:, 1])[:, None]


_NONE2, _NONE3 = np.zeros((0, 2, 2)), np.zeros((0, 3, 3))
_J2, _CONJUGATE = rotations(2), np.array([[[0.0, -3.0], [1.0, 0.0]]])
_AFFINE2 = np.zeros((3, 3, 3))
_AFFINE2[0, :2, :2], _AFFINE2[1, 0, 2], _AFFINE2[2, 1, 2] = _J2[0], 1.0, 1.0
_UPPER = np.array([_e(3, (0, 1, 1.0)), _e(3, (0, 2, 1.0)), _e(3, (1, 2, 1.0))])
_PLANES = np.array([_e(4, (0, 1, -1.0), (1, 0, 1.0)), _e(4, (2, 3, -1.0), (3, 2, 1.0))])
_SIGNS = [[1.0, -1.0, 1.0, 1.0], [1.0, 1.0, 1.0, -1.0], [1.0, -1.0, 1.0, -1.0]]
_TURN, _FLIP = np.array([[0.0, -1.0], [1.0, 0.0]]), np.diag([1.0, -1.0])
_D4 = tuple(np.linalg.matrix_power(_TURN, k) @ f for f in (np.eye(2), _FLIP) for k in range(4))[1:]

CASES = (
    Case("circle", "gl2", 0, circle, _J2, "so(2)", finite=(_FLIP,)),
    Case("ellipse", "gl2", 0, ellipse, _CONJUGATE, "so(2)", finite=(_FLIP,)),
    Case("angle", "gl3", 2, angle, rotations(3), "so(3)", finite=(-np.eye(3),)),
    Case("hyperbola", "gl2", 0, hyperbola, lorentz(2), "so(1,1)", finite=(_FLIP, -_FLIP, -np.eye(2))),
    Case("masses", "gl4", 2, masses, lorentz(4), "so(1,3)", finite=(np.diag([1.0, -1, -1, -1]), np.diag([-1.0, 1, 1, 1]), -np.eye(4))),
    Case("area", "gl2", 2, area, np.array([_e(2, (0, 1, 1.0)), _e(2, (1, 0, 1.0)), np.diag([1.0, -1.0])]), "sl(2)"),
    Case("mixed", "gl2", 3, mixed, np.eye(4).reshape(4, 2, 2), "gl(2)", output="vector"),
    Case("heisenberg", "gl3", 3, heisenberg, _UPPER, "heisenberg"),
    Case("shear", "gl2", 2, shear, np.array([_e(2, (0, 1, 1.0))]), "shear"),
    Case("ratio", "gl2", 2, ratio, np.eye(2)[None], "scaling", finite=(-np.eye(2),)),
    Case("differences", "aff2", 3, differences, _AFFINE2[1:], "translations(2)"),
    Case("distances", "aff2", 3, distances, _AFFINE2, "se(2)", finite=(np.diag([1.0, -1.0, 1.0]),)),
    Case("two planes", "gl4", 0, two_planes, _PLANES, "so(2) + so(2)", finite=tuple(np.diag(d) for d in _SIGNS)),
)
#: D4 and C4: finite groups, nothing continuous.
FINITE = (
    Case("diamond", "gl2", 0, diamond, _NONE2, "", finite=_D4),
    Case("windmill", "gl2", 0, windmill, _NONE2, "", finite=_D4[:3]),
)
#: Nothing at all.
CONTROLS = (
    Case("nothing, plane", "gl2", 0, nothing_plane, _NONE2, ""),
    Case("nothing, space", "gl3", 0, nothing_space, _NONE3, ""),
    Case("nothing, points", "aff2", 2, nothing_points, _NONE3, ""),
)
