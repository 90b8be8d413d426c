"""Encoders of pictures: convolutions and a flat layer, plain, exact, relaxed or with a free pathway."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...nn import EquivariantConv, Features, Pointwise, RelaxedGroupConv, RelaxedResidualConv
from ...symmetry import Field, Grid, GridAction, Group, Layout, Representation
from ._agent_networks import NetworkPlan, Trunk, side_by_side
from ._env_symmetry import EnvSymmetry

CHANNELS = 8
"""Channels of every convolution."""
_LAYERS = 3  # each halves the resolution


@dataclass(frozen=True, repr=False, eq=False)
class Flat(Representation):
    r"""How a stack of pictures moves as one vector: $\rho(g)\, \mathrm{vec}(x) = \mathrm{vec}(g\,x)$.

    * `action`: of the pictures [C, *grid].

    >>> Flat(GridAction(Layout.of("grey"), Grid.square(2))).size(2)
    4
    """

    action: GridAction

    def size(self, ndim: int) -> int:
        return int(self.action.layout.channels * np.prod(self.action.grid.shape))

    def matrix(self, element: Any, /) -> NDArray[np.float64]:
        n = self.size(self.action.grid.ndim)
        units = torch.eye(n, dtype=torch.float64).reshape(n, self.action.layout.channels, *self.action.grid.shape)
        return self.action(element, units).reshape(n, n).T.numpy().copy()

    def __repr__(self) -> str:
        return f"flat({self.action.layout} on {'x'.join(map(str, self.action.grid.shape))})"


class PictureTrunk(Trunk):
    """Pictures, and actions beside them, to what heads read: three convolutions that halve the resolution, their values brought
    to mean 0 and variance 1 (which permutations leave alone), then a `Trunk`.

    * `plan`: how it is built; "gated" is not. `symmetry`: of the environment, whose observations a `GridAction` moves. `critic`: whether
      actions are read too. `act`: the nonlinearity of the trunk, value by value.

    Inputs are flat, [B, pixels + actions], or pictures [B, frames, n, n]. Raises `OrbitscopeError` for pictures whose edges 8 does not
    divide, and for the policy "gated".
    """

    def __init__(self, plan: NetworkPlan, symmetry: EnvSymmetry, *, critic: bool = False, act: type[nn.Module] = nn.ReLU) -> None:
        pictures = symmetry.observation
        assert isinstance(pictures, GridAction)
        shape, group = pictures.grid.shape, symmetry.group
        if any(n % 2**_LAYERS for n in shape):
            raise OrbitscopeError(f"agent: pictures should have edges that {2**_LAYERS} divides, got {shape}.")
        if plan.arm == "gated":
            raise OrbitscopeError("policy: 'gated' has no encoder of pictures. Take plain, augmented, exact, relaxed or residual.")
        small = tuple(n // 2**_LAYERS for n in shape)
        first = Features.from_layout(pictures.layout.stack(pictures.frames), group)
        hidden = Features.of(group, f"regular*{max(1, round(CHANNELS / len(group.elements)))}")
        seen = Layout(tuple(Field(f"h{k}", f.representation) for k, f in enumerate(hidden.fields)), pictures.layout.ndim)
        fields = [Field("seen", Flat(GridAction(seen, Grid(small, pictures.grid.extent, ("open",) * len(small)))))]
        if critic:
            fields += [Field(f"a_{f.name}", f.representation, f.unit) for f in symmetry.layout("action").fields]
        super().__init__(plan, group, Layout(tuple(fields), pictures.layout.ndim), act)
        self.picture = (pictures.frames * pictures.layout.channels, *shape)
        sides = [first] + [hidden] * _LAYERS
        layers: list[nn.Module] = []
        for a, b in zip(sides, sides[1:], strict=False):
            layers += [_convolution(plan, a, b), Pointwise(b, torch.relu) if plan.strict else nn.ReLU()]
        self.encoder = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """The features of `x`, [B, ...]."""
        x = x.flatten(1)
        count = int(np.prod(self.picture))
        pictures, rest = x[:, :count].unflatten(1, self.picture), x[:, count:]
        seen = self.encoder(pictures).flatten(1)
        return super().forward(torch.cat([nn.functional.layer_norm(seen, seen.shape[1:]), rest], 1))


def trunk_of(plan: NetworkPlan, symmetry: EnvSymmetry, *, critic: bool = False, act: type[nn.Module] = nn.ReLU) -> Trunk:
    """What reads the observations of an environment, numbers or pictures.

    * `plan`: how it is built. `symmetry`: of the environment. `critic`: whether it reads actions too. `act`: the nonlinearity.
    """
    if isinstance(symmetry.observation, GridAction):
        return PictureTrunk(plan, symmetry, critic=critic, act=act)
    group: Group = symmetry.group
    return Trunk(plan, group, side_by_side(symmetry) if critic else symmetry.layout("observation"), act)


def _convolution(plan: NetworkPlan, a: Features, b: Features) -> nn.Module:
    kernel: dict[str, Any] = {"stride": 2, "boundary": "zero"}
    if not plan.strict:
        return nn.Conv2d(a.channels, b.channels, 4, 2, 1)
    if plan.arm == "relaxed":
        return RelaxedGroupConv(a, b, 4, banks=plan.banks, **kernel)
    return (RelaxedResidualConv if plan.arm == "residual" else EquivariantConv)(a, b, 4, **kernel)
