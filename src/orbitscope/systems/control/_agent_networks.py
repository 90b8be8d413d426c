"""Networks of actors and critics: a trunk and heads, plain, exact, relaxed, with a free pathway, or gated."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...nn import EquivariantLinear, RelaxedLinear, RelaxedResidualLinear, hidden_layout
from ...symmetry import Field, Group, Layout, Representation
from ._env_symmetry import EnvSymmetry

Arm = Literal["plain", "augmented", "exact", "relaxed", "residual", "gated"]
ARMS: tuple[str, ...] = get_args(Arm)
"""How much of a symmetry an agent is given: none, moved copies in the replay, built in, and built in with three ways out."""
_CLOSED = -2.0  # logit of the gate at the start: 0.12 of the way


@dataclass(frozen=True, repr=False, eq=False)
class Magnitudes(Representation):
    """How the sizes of the components of an action move, whatever their signs: of a signed permutation its permutation.

    * `layout`: of the action, whose elements exchange components and change signs alone.

    >>> Magnitudes(Layout.of("torque:pseudoscalar*2")).matrix([[-1, 0], [0, 1]]).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    layout: Layout

    def size(self, ndim: int) -> int:
        return self.layout.channels

    def matrix(self, element: Any, /) -> NDArray[np.float64]:
        return np.abs(self.layout.matrix(element))

    def __repr__(self) -> str:
        return f"magnitudes({self.layout})"


@dataclass(frozen=True)
class NetworkPlan:
    """How the networks of an agent are built.

    * `arm`: one of `ARMS`. `width`: channels of each hidden layer. `depth`: hidden layers, at least 1. `banks`: of relaxed layers.
    """

    arm: str = "exact"
    width: int = 64
    depth: int = 2
    banks: int = 2

    def __post_init__(self) -> None:
        if self.arm not in ARMS:
            raise OrbitscopeError(f"policy: should be one of {', '.join(ARMS)}, got {self.arm!r}.")
        if self.width < 1 or self.depth < 1 or self.banks < 1:
            raise OrbitscopeError(
                f"policy: `width`, `depth` and `banks` should be at least 1, got {self.width}, {self.depth} and {self.banks}."
            )

    @property
    def strict(self) -> bool:
        """Whether a group is built into the layers at all."""
        return self.arm not in ("plain", "augmented")


class Trunk(nn.Module):
    """Observations, or observations with actions, to what heads read.

    * `plan`: how it is built. `group`: the group, finite where it is built in. `into`: layout of the input. `act`: the nonlinearity, value
      by value.
    """

    def __init__(self, plan: NetworkPlan, group: Group, into: Layout, act: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        self.plan, self.group, self.into = plan, group, into
        self.hidden = hidden_layout(group, plan.width) if plan.strict else Layout((Field("hidden", "scalar"),))
        self.plain_size = plan.width
        sides = [into] + [self.hidden] * plan.depth
        if plan.strict:
            self.body = _stack([_layer(plan, group, a, b) for a, b in zip(sides, sides[1:], strict=False)], act)
        if not plan.strict or plan.arm == "gated":
            sizes = [into.channels] + [plan.width] * plan.depth
            self.free = _stack([nn.Linear(a, b) for a, b in zip(sizes, sizes[1:], strict=False)], act)
        if plan.arm == "gated":
            self.gate = nn.Sequential(nn.Linear(into.channels, 16), nn.ReLU(), nn.Linear(16, 1))
            last = self.gate[2]
            assert isinstance(last, nn.Linear)
            nn.init.zeros_(last.weight)
            nn.init.constant_(last.bias, _CLOSED)

    def forward(self, x: Tensor) -> Tensor:
        """The features of `x` [B, into.channels]; of a gated trunk strict ones, free ones and the gate, side by side."""
        if self.plan.arm == "gated":
            return torch.cat([self.body(x), self.free(x), torch.sigmoid(self.gate(x))], 1)
        return self.body(x) if self.plan.strict else self.free(x)

    def opened(self, x: Tensor) -> Tensor:
        """How far the gate is open at `x` [B, into.channels], [B], between 0 and 1; raises `OrbitscopeError` without a gate."""
        if self.plan.arm != "gated":
            raise OrbitscopeError(f"Trunk: the policy {self.plan.arm!r} has no gate.")
        return torch.sigmoid(self.gate(x))[:, 0]


class Head(nn.Module):
    """The last layer on a trunk; of a gated one the two answers, mixed. Its free part starts at 0.

    * `trunk`: what it reads. `out`: layout of the answer.
    """

    def __init__(self, trunk: Trunk, out: Layout) -> None:
        super().__init__()
        plan = trunk.plan
        self.gated, self.strict_size = plan.arm == "gated", trunk.hidden.channels
        if plan.strict:
            self.layer = _layer(plan, trunk.group, trunk.hidden, out)
        else:
            self.layer = nn.Linear(trunk.plain_size, out.channels)
        if self.gated:
            self.free = nn.Linear(trunk.plain_size, out.channels)
            nn.init.zeros_(self.free.weight)
            nn.init.zeros_(self.free.bias)

    def forward(self, features: Tensor) -> Tensor:
        """The answer [B, out.channels] to the `features` of the trunk."""
        if not self.gated:
            return self.layer(features)
        n = self.strict_size
        gate = features[:, -1:]
        return (1 - gate) * self.layer(features[:, :n]) + gate * self.free(features[:, n:-1])


def side_by_side(symmetry: EnvSymmetry) -> Layout:
    """The layout of an observation with an action behind it.

    * `symmetry`: of the environment.
    """
    first, second = symmetry.layout("observation"), symmetry.layout("action")
    fields = [Field(f"{what}_{f.name}", f.representation, f.unit) for what, side in (("o", first), ("a", second)) for f in side.fields]
    return Layout(tuple(fields), first.ndim)


def sizes_of(symmetry: EnvSymmetry) -> Layout:
    """The layout of the logarithms of standard deviations of an action.

    * `symmetry`: of the environment.
    """
    layout = symmetry.layout("action")
    return Layout((Field("log_std", Magnitudes(layout)),), layout.ndim)


def values_of(symmetry: EnvSymmetry) -> Layout:
    """The layout of a value, which nothing moves.

    * `symmetry`: of the environment.
    """
    return Layout((Field("value"),), symmetry.layout("action").ndim)


def _layer(plan: NetworkPlan, group: Group, into: Layout, out: Layout) -> nn.Module:
    if plan.arm == "relaxed":
        return RelaxedLinear(group, into, out, banks=plan.banks)
    return (RelaxedResidualLinear if plan.arm == "residual" else EquivariantLinear)(group, into, out)


def _stack(layers: list[Any], act: type[nn.Module]) -> nn.Sequential:
    return nn.Sequential(*(part for layer in layers for part in (layer, act())))
