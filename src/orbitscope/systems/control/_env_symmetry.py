"""The claim that an environment has a symmetry: a group and how it moves observations, actions and the state of the simulator."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ..._errors import OrbitscopeError
from ...symmetry import Action, FieldAction, GridAction, Group, Invariant, Layout, PartsAction, Symmetry, Values, parse_group

Array = NDArray[np.float64]
Moved = Action[Any] | Layout | Sequence[str] | str
_PARTS = ("observation", "action", "state")
_TOLERANCE = 1e-9


@dataclass(frozen=True, init=False, repr=False)  # `__init__` takes more than the attributes hold
class EnvSymmetry:
    r"""The claim that an environment looks the same to moved eyes: $R(gs, ga) = R(s, a)$ and $P(gs' \mid gs, ga) = P(s' \mid s, a)$.

    * `group`: a `Group` or its word; of a planar world "d1" is the mirror that flips the first axis, "d2" both flips and the half turn.
    * `observation`, `action`: how its elements move them: a `Layout` or its words ("arm:vector", "torque:pseudoscalar*2"), or an action
      of states such as `GridAction` for images. The reward is left alone by every element.
    * `state`: of the simulator, as `get_state` of the environment gives it; what an audit moves. None: it is not declared.
    * `name`: for results; by default that of the group.

    The claim is measured by `audit_environment`; nothing is taken for granted. Raises `OrbitscopeError` for a group that one of the
    representations does not know, and for a representation that is none (its homomorphism error exceeds 1e-9).

    Source: Park et al., Approximate Equivariance in Reinforcement Learning, AISTATS 2025 (invariant decision processes).

    >>> mirror = EnvSymmetry("d1", ("cart", "cos:scalar", "sin:pseudoscalar"), "force:pseudoscalar")
    >>> mirror
    EnvSymmetry(D1: cart, cos, sin -> force)
    >>> mirror.act(mirror.group["s"], [0.5]).tolist()
    [-0.5]
    """

    group: Group[Any]
    observation: Action[Any]
    action: Action[Any]
    state: Action[Any] | None
    name: str

    def __init__(self, group: Group[Any] | str, observation: Moved, action: Moved, state: Moved | None = None, *, name: str = "") -> None:
        made = parse_group(group) if isinstance(group, str) else group
        if not isinstance(made, Group):
            raise OrbitscopeError(f"EnvSymmetry: `group` should be a Group or words such as 'd2', got {type(made).__name__}.")
        for what, value in (("observation", observation), ("action", action)):
            object.__setattr__(self, what, _action(value, made, what))
        object.__setattr__(self, "state", None if state is None else _action(state, made, "state"))
        object.__setattr__(self, "group", made)
        object.__setattr__(self, "name", name or made.name)
        self._check_representations()

    def _check_representations(self) -> None:
        elements = self.group.probes(8, 0)
        for what in _PARTS:
            action = getattr(self, what)
            if action is None:
                continue
            for g in elements:
                try:
                    action.require(g)
                except OrbitscopeError as error:
                    raise OrbitscopeError(f"EnvSymmetry: `{what}` does not know {g!r} of {self.group.name}: {error}") from error
            if isinstance(action, FieldAction):
                for f in action.layout.fields:
                    if (gap := f.representation.homomorphism_error(elements)) > _TOLERANCE:
                        raise OrbitscopeError(
                            f"EnvSymmetry: the {what} field {f.name!r} moves by no representation of {self.group.name}: products of "
                            f"elements and of matrices differ by {gap:.1e}. Take another representation or a smaller group."
                        )

    def within(self, group: Group[Any] | str) -> "EnvSymmetry":
        """The same claim for another group, a subgroup for instance, with the same representations.

        * `group`: a `Group` or its word.
        """
        made = parse_group(group) if isinstance(group, str) else group
        found = EnvSymmetry(made, self.observation, self.action, self.state)
        return replace(found, name=self.name) if made == self.group else found

    def observe(self, element: Any, values: ArrayLike) -> Array:
        """The observation that moved eyes have, float64, of the shape of `values`.

        * `element`: of the group. `values`: one observation [n] or several [N, n]; images as the action wants them.
        """
        return self._moved("observation", element, values)

    def act(self, element: Any, values: ArrayLike) -> Array:
        """The moved action, float64, of the shape of `values`.

        * `element`: of the group. `values`: one action [n] or several [N, n].
        """
        return self._moved("action", element, values)

    def move(self, element: Any, values: ArrayLike) -> Array:
        """The moved state of the simulator, float64; raises `OrbitscopeError` where none is declared.

        * `element`: of the group. `values`: one state [n] or several [N, n].
        """
        return self._moved("state", element, values)

    def _moved(self, what: str, element: Any, values: ArrayLike) -> Array:
        action = getattr(self, what)
        if action is None:
            raise OrbitscopeError(
                "EnvSymmetry: no `state` is declared. Say how the state that `get_state` gives moves: EnvSymmetry(..., state=...)."
            )
        x = values.detach().double() if isinstance(values, Tensor) else torch.tensor(np.asarray(values, dtype=np.float64))
        single = isinstance(action, FieldAction) and x.ndim == 1
        try:
            moved = action(element, x[None] if single else x)
        except OrbitscopeError as error:
            raise OrbitscopeError(f"EnvSymmetry: `{what}` of shape {tuple(x.shape)} cannot be moved: {error}") from error
        return (moved[0] if single else moved).numpy()

    def layout(self, what: str) -> Layout:
        """The layout of a part that is a vector of values.

        * `what`: "observation", "action" or "state".

        Raises `OrbitscopeError` where that part is something else, an image for instance.
        """
        action = getattr(self, what, None)
        if not isinstance(action, FieldAction) or not isinstance(action.domain, Values):
            came = "not declared" if action is None else type(action).__name__
            raise OrbitscopeError(f"EnvSymmetry: `{what}` should be a vector of values with a layout here; it is {came}.")
        return action.layout

    def matrices(self, what: str) -> Array:
        r"""$\rho(g)$ of every element of a finite or sampled group, [elements, n, n].

        * `what`: "observation", "action" or "state".

        Raises `OrbitscopeError` for an infinite group, for images, and for affine fields.
        """
        layout = self.layout(what)
        if not (self.group.finite or self.group.sampled):
            raise OrbitscopeError(
                f"EnvSymmetry: {self.group.name} has no list of elements. Take a finite group or a sample, such as 'so2/16'."
            )
        if any(layout.offset(g) is not None for g in self.group.elements):
            raise OrbitscopeError(f"EnvSymmetry: `{what}` has affine fields, which no matrix moves. Take positions relative to something.")
        return np.stack([layout.matrix(g) for g in self.group.elements])

    @property
    def policy(self) -> Symmetry:
        r"""$\pi(go) = g\pi(o)$, the symmetry that an optimal policy may be taken to have."""
        return Symmetry(self.group, self.observation, self.action, name=self.name)

    @property
    def value(self) -> Symmetry:
        """V(go) = V(o)."""
        return Symmetry(self.group, self.observation, Invariant(("value",)), name=self.name)

    @property
    def critic(self) -> Symmetry:
        """Q(go, ga) = Q(o, a), of a map of two parts."""
        return Symmetry(self.group, PartsAction(self.observation, self.action), Invariant(("value",)), name=self.name)

    @property
    def dynamics(self) -> Symmetry:
        """f(go, ga) = (g o', r), of a map of two parts to the next observation and the reward."""
        answer = PartsAction(self.observation, Invariant(("reward",)))
        return Symmetry(self.group, PartsAction(self.observation, self.action), answer, name=self.name)

    def check(self, env: Any) -> None:
        """Raise `OrbitscopeError` unless the spaces of an environment fit: sizes, and a box of actions that every element leaves alone.

        * `env`: a gymnasium environment with boxes as spaces.
        """
        for what, space in (("observation", env.observation_space), ("action", env.action_space)):
            if not hasattr(space, "low"):
                raise OrbitscopeError(
                    f"EnvSymmetry: the {what} space should be a box of numbers, got {space}. Wrap the environment in one that flattens it."
                )
            action = getattr(self, what)
            if isinstance(action, FieldAction) and space.shape != (action.layout.channels,):
                names = ", ".join(action.layout.channel_names)
                raise OrbitscopeError(
                    f"EnvSymmetry: `{what}` declares {action.layout.channels} numbers ({names}), the environment has shape {space.shape}."
                )
            if isinstance(action, GridAction):
                shape = (action.frames * action.layout.channels, *action.grid.shape)
                if space.shape != shape:
                    raise OrbitscopeError(f"EnvSymmetry: `{what}` declares pictures {shape}, the environment has shape {space.shape}.")
        self.check_box(env.action_space.low, env.action_space.high)

    def check_box(self, low: ArrayLike, high: ArrayLike) -> None:
        """Raise `OrbitscopeError` unless every element maps the box of actions onto itself.

        * `low`, `high`: its corners, [n].
        """
        low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
        centre, half = (low + high) / 2, (high - low) / 2
        layout = self.layout("action")
        for g in self.group.probes(None, 0):
            matrix = layout.matrix(g)
            if np.abs(np.abs(matrix) @ half - half).max() > 1e-6 * half.max() or np.abs(matrix @ centre - centre).max() > 1e-6 * half.max():
                raise OrbitscopeError(
                    f"EnvSymmetry: {g!r} of {self.group.name} does not leave the box of actions {low.tolist()} .. {high.tolist()} alone. "
                    "Take a group of exchanges and signs (d4 in the plane), equal bounds, or a disc of actions (a planner has one)."
                )

    def __repr__(self) -> str:
        return f"EnvSymmetry({self.name}: {', '.join(self.observation.channels)} -> {', '.join(self.action.channels)})"


def _action(given: Moved, group: Group[Any], what: str) -> Action[Any]:
    if isinstance(given, Action):
        return given
    if isinstance(given, Layout):
        return FieldAction(given, Values())
    words = tuple(given) if isinstance(given, Sequence) and not isinstance(given, str) else (given,)
    if not words or not all(isinstance(w, str) for w in words):
        raise OrbitscopeError(
            f"EnvSymmetry: `{what}` should be a Layout, words such as 'arm:vector', or an action of states; got {given!r}."
        )
    return FieldAction(Layout.of(*words, ndim=getattr(group.identity, "ndim", 2)), Values())
