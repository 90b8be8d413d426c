"""Controlled breaking: wrappers that take a known symmetry away by a size of your choice, which an audit then measures."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from ..._expect import near
from ...symmetry import Field, Layout
from ._env_symmetry import EnvSymmetry

Array = NDArray[np.float64]
_ACTION, _REWARD, _PHYSICS = ("gain", "bias", "delay"), ("bonus",), ("gravity", "damping", "wind", "wall")
BREAKINGS = (*_ACTION, *_REWARD, *_PHYSICS)
"""The kinds of `Broken`."""


class Broken(gymnasium.Wrapper[Any, Any, Any, Any]):
    r"""An environment with its symmetry broken by a known amount; `size` 0 changes nothing.

    * `env`: with `get_state` and `set_state`, and for the kinds of forces with `physics` (those of the suite have them).
    * `kind`: one of `BREAKINGS`. `size`: how much, in the unit below. `index`: of the action, observation or degree of freedom meant.
    * `at`: where a wall stands, in the unit of that degree of freedom.

    * "gain": positive action `index` times 1 - size. "bias": action `index` plus size, cut to its box.
    * "delay": where action `index` is positive, `size` of it is that of the step before (the state then ends with that action).
    * "bonus": the reward times 1 + size where observation `index` is positive.
    * "gravity": gravity tilted along the first axis by `size` times its strength. "wind": a constant force `size` along the first axis
      on every body, N.
    * "damping": a force -size v while velocity `index` is positive. "wall": a force -size (q - at) where coordinate `index` exceeds `at`.
      These forces are held for one step of the environment.

    Its size is no epsilon: `audit_environment` measures those. Raises `OrbitscopeError` for an unknown kind, an index that is not there,
    and a kind of force for an environment without `physics`.
    """

    def __init__(self, env: Any, kind: str, size: float, *, index: int = 0, at: float = 0.3) -> None:
        super().__init__(env)
        if kind not in BREAKINGS:
            raise OrbitscopeError(f"Broken: `kind` should be one of {', '.join(BREAKINGS)}, got {kind!r}.{near(kind, BREAKINGS)}")
        if not np.isfinite(size):
            raise OrbitscopeError(f"Broken: `size` should be a finite number, got {size}.")
        inner = env.unwrapped
        if kind in _PHYSICS and not hasattr(inner, "physics"):
            raise OrbitscopeError(
                f"Broken: {kind!r} acts on MuJoCo's `physics`, and {type(inner).__name__} has none. Take gain, bias, delay or bonus."
            )
        count = env.action_space.shape[0] if kind in _ACTION else env.observation_space.shape[0] if kind in _REWARD else np.inf
        count = inner.physics.model.nv if kind in ("damping", "wall") else count
        if not 0 <= index < count:
            raise OrbitscopeError(f"Broken: `index` should be 0 .. {count - 1} for {kind!r} here, got {index}.")
        self.kind, self.amount, self.index, self.at = kind, float(size), index, float(at)
        self.name = f"{getattr(env, 'name', type(inner).__name__)}+{kind}={size:g}"
        self._late, self._seen = np.zeros(env.action_space.shape), np.zeros(env.observation_space.shape)
        if kind == "gravity":
            gravity = inner.physics.model.opt.gravity
            gravity[0] = self.amount * float(np.linalg.norm(gravity))

    @property
    def physics(self) -> Any:
        """Of the environment inside."""
        return self.env.unwrapped.physics  # pyright: ignore[reportAttributeAccessIssue]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """A new episode; see the environment inside for `seed` and `options`."""
        self._late = np.zeros_like(self._late)
        self._seen, info = self.env.reset(seed=seed, options=options)
        return self._seen, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One step with `action`, changed as the kind says."""
        given = self._given(np.array(action, dtype=np.float64))
        self._push()
        before = self._seen
        self._seen, reward, terminated, truncated, info = self.env.step(given)
        if self.kind == "bonus" and np.asarray(before).ravel()[self.index] > 0:
            reward = float(reward) * (1 + self.amount)
        return self._seen, float(reward), terminated, truncated, info

    def _given(self, action: Array) -> Array:
        if self.kind not in _ACTION:
            return action
        box: Any = self.env.action_space
        action = np.clip(action, box.low, box.high)
        value, late = float(action[self.index]), float(self._late[self.index])
        if self.kind == "gain":
            value = value * (1 - self.amount) if value > 0 else value
        elif self.kind == "bias":
            value += self.amount
        else:
            self._late = action.copy()
            value = value + self.amount * (late - value) if value > 0 else value
        action[self.index] = np.clip(value, box.low[self.index], box.high[self.index])
        return action

    def _push(self) -> None:
        if self.kind == "damping":
            self.physics.data.qfrc_applied[self.index] = -self.amount * max(float(self.physics.data.qvel[self.index]), 0.0)
        elif self.kind == "wall":
            self.physics.data.qfrc_applied[self.index] = -self.amount * max(float(self.physics.data.qpos[self.index]) - self.at, 0.0)
        elif self.kind == "wind":
            self.physics.data.xfrc_applied[1:, 0] = self.amount  # the first body is the world

    def get_state(self) -> Array:
        """That of the environment inside, and of a delay the action of the step before."""
        inner: Any = self.env
        state = inner.get_state()
        return np.concatenate([state, self._late]) if self.kind == "delay" else state

    def set_state(self, state: Any) -> Array:
        """Put the simulator into `state`, and return what is observed there."""
        state, inner = np.asarray(state, dtype=np.float64), self.env
        if self.kind == "delay":
            state, self._late = state[: -len(self._late)], state[-len(self._late) :].copy()
        self._seen = inner.set_state(state)  # pyright: ignore[reportAttributeAccessIssue]
        return self._seen

    def of(self, symmetry: EnvSymmetry) -> EnvSymmetry:
        """The `symmetry` of the environment inside, with the state of this one: of a delay the action of the step before joins it."""
        if self.kind != "delay":
            return symmetry
        layout = symmetry.layout("state")
        late = [Field(f"late_{f.name}", f.representation) for f in symmetry.layout("action").fields]
        longer = Layout((*layout.fields, *late), layout.ndim)
        return EnvSymmetry(symmetry.group, symmetry.observation, symmetry.action, longer, name=symmetry.name)


def broken(words: str) -> Callable[[Any], Any]:
    """A wrapper from words.

    * `words`: "kind=size", "kind=size@index", such as "wind=0.2" or "gain=0.3@1".

    Raises `OrbitscopeError` for others.
    """
    kind, equals, rest = words.partition("=")
    size, _, index = rest.partition("@")
    try:
        if not equals:
            raise ValueError
        number, place = float(size), int(index or 0)
    except ValueError:
        raise OrbitscopeError(
            f"environment: cannot read the breaking {words!r}. Say kind=size, such as wind=0.2 or gain=0.3@1, of the kinds "
            f"{', '.join(BREAKINGS)}."
        ) from None
    return lambda env: Broken(env, kind, number, index=place)
