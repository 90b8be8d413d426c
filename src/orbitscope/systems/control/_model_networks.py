"""Networks of a learnt world: dynamics, reward, two values, a policy; plain, or equivariant under a finite group."""

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ..._expect import expect
from ..._seed import derive
from ...nn import EquivariantLinear
from ...symmetry import Field, FieldAction, Group, Layout, Regular, Stack, Symmetry
from ._planner_actions import ActionSet

NETWORKS = ("plain", "augmented", "equivariant")


class WorldModel(nn.Module):
    r"""Dynamics f, reward, two values Q and a policy of observations o and actions a.

    * `symmetry`: of observations and actions, fields of values. `actions`: their set. `networks`: one of `NETWORKS`; an augmented model
      is a plain one. `width`, `depth`: of hidden layers. `seed`: of the weights.

    Equivariant: f(go, ga) = g f(o, a), reward and Q invariant, $\pi(go) = g\pi(o)$. Inputs should be of size one.
    """

    def __init__(self, symmetry: Symmetry, actions: ActionSet, networks: str, width: int, depth: int, seed: int) -> None:
        super().__init__()
        observed, action = (_layout(a, w) for a, w in ((symmetry.input, "input"), (symmetry.output, "output")))
        group = symmetry.group if networks == "equivariant" else None
        both = Layout(
            tuple(Field(f"{w}_{f.name}", f.representation) for w, side in (("o", observed), ("a", action)) for f in side.fields),
            observed.ndim,
        )
        number = Layout((Field("number"),), observed.ndim)
        self.actions = actions
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(seed, "world model"))
            self.dynamics = _MLP(group, both, observed, width, depth)
            self.rewards = _MLP(group, both, number, width, depth)
            self.values = nn.ModuleList(_Joined(_MLP(group, both, number, width, depth)) for _ in range(2))
            self.policy = _MLP(group, observed, action, width, depth)

    def learnt(self) -> list[nn.Parameter]:
        """All weights but the policy's."""
        return [p for part in (self.dynamics, self.rewards, self.values) for p in part.parameters()]

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Within the block the matrices of all layers are made once; weights must not change in it."""
        parts = [m for m in self.modules() if isinstance(m, _MLP)]
        for part in parts:
            part.folded = part.fold()
        try:
            yield
        finally:
            for part in parts:
                part.folded = None

    def step(self, states: Tensor, actions: Tensor) -> Tensor:
        """Guessed next `states` [N, n] under `actions` [N, m]."""
        return states + self.dynamics(torch.cat([states, actions], -1))

    def reward(self, states: Tensor, actions: Tensor) -> Tensor:
        """Guessed reward [N] of `states` [N, n] that were reached by `actions` [N, m]."""
        return self.rewards(torch.cat([states, actions], -1))[..., 0]

    def cost(self, states: Tensor, actions: Tensor) -> Tensor:
        """Minus the reward of `states` reached by `actions`: what a planner sees."""
        return -self.reward(states, actions)

    def act(self, states: Tensor) -> Tensor:
        """The policy's actions [N, m] at `states` [N, n]."""
        return self.actions.squash(self.policy(states))

    def value(self, states: Tensor, actions: Tensor | None = None) -> Tensor:
        """The smaller of two values [N] of `actions`, by default the policy's, at `states`."""
        actions = self.act(states) if actions is None else actions
        return torch.minimum(*(q(states, actions) for q in self.values))


class _Joined(nn.Module):
    """A map of an observation and an action to a number."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, states: Tensor, actions: Tensor) -> Tensor:
        return self.body(torch.cat([states, actions], -1))[..., 0]


def _layout(action: Any, what: str) -> Layout:
    expect(action, FieldAction, f"ModelBasedAgent: the {what} of `symmetry`", "fields of values (FieldAction)")
    return action.layout


class _MLP(nn.Module):
    """Linear layers with ELU between them, which acts value by value: it commutes with the regular fields of hidden layers."""

    def __init__(self, group: Group[Any] | None, into: Layout, out: Layout, width: int, depth: int) -> None:
        super().__init__()
        if group is None:
            sizes = [into.channels, *[width] * depth, out.channels]
            layers: list[nn.Module] = [nn.Linear(a, b) for a, b in zip(sizes, sizes[1:], strict=False)]
        else:
            if not group.finite or group.sampled:
                raise OrbitscopeError(f"ModelBasedAgent: {group.name} has no list of elements. Take a finite group, such as c16 for so2.")
            fields = max(1, round(width / math.sqrt(len(group.elements))))
            hidden = Layout((Field("hidden", Stack(Regular(group), fields)),), into.ndim)
            sides = [into, *[hidden] * depth, out]
            layers = [EquivariantLinear(group, a, b) for a, b in zip(sides, sides[1:], strict=False)]
        self.layers = nn.ModuleList(layers)
        self.folded: list[tuple[Tensor, Tensor | None]] | None = None

    def fold(self) -> list[tuple[Tensor, Tensor | None]]:
        """The plain matrix and bias of every layer."""
        made = []
        for layer in self.layers:
            if isinstance(layer, EquivariantLinear):
                made.append((layer.matrix(), None if layer.bias is None else layer.bias @ layer.fixed))
            else:
                made.append((layer.weight, layer.bias))
        return made

    def forward(self, x: Tensor) -> Tensor:
        for number, (weight, bias) in enumerate(self.folded or self.fold()):
            x = nn.functional.linear(nn.functional.elu(x) if number else x, weight, bias)
        return x
