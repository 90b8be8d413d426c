"""Paired steps in the simulator: the same state and action, and both moved, one step on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from ..._seed import derive
from ._env_checks import require_observation
from ._env_symmetry import EnvSymmetry

Array = NDArray[np.float64]
Policy = Callable[[Array], Any]
_HOW = (
    "Wrap it: `get_state()` returns all numbers that decide what follows, `set_state(state)` sets them and returns the observation. For an "
    "environment of gymnasium on MuJoCo they are np.concatenate([env.unwrapped.data.qpos, env.unwrapped.data.qvel]) and "
    "env.unwrapped.set_state(qpos, qvel), with env.unwrapped._get_obs() for the observation."
)


@dataclass(frozen=True)
class Steps:
    """Steps of an environment one after the other: before and after, [N, ...] each."""

    state: Array
    action: Array
    observation: Array
    reward: Array
    after: Array
    ended: NDArray[np.bool_]

    def take(self, rows: Any) -> "Steps":
        """Some of them."""
        return Steps(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def __len__(self) -> int:
        return len(self.reward)


def stepped(env: Any, states: Array, actions: Array) -> Steps:
    """One step from each of the states, each set anew."""
    rows = []
    for state, action in zip(states, actions, strict=True):
        seen = env.set_state(state)
        require_observation(env, seen, "`set_state`", "audit")
        _, reward, terminated, *_ = env.step(action)
        rows.append((np.asarray(seen, dtype=np.float64), float(reward), np.asarray(env.get_state(), dtype=np.float64), bool(terminated)))
    seen, reward, after, ended = zip(*rows, strict=True)
    return Steps(np.asarray(states), np.asarray(actions), np.stack(seen), np.array(reward), np.stack(after), np.array(ended))


def visited(
    env: Any, episodes: int, length: int, seed: int, policy: Policy | None = None, said: Callable[[int], None] = lambda done: None
) -> Steps:
    """States on the way of a policy (actions drawn evenly from their box where there is none), with the step from each of them."""
    for name in ("get_state", "set_state"):
        if not hasattr(env, name):
            raise OrbitscopeError(f"audit: {type(env).__name__} has no `{name}`, so its steps cannot be paired. {_HOW}")
    box, states, actions = env.action_space, [], []
    rng = np.random.default_rng(derive(seed, "audit of an environment"))
    for episode in range(episodes):
        seen, _ = env.reset(seed=int(derive(seed, "audit episode", episode) % 2**31))
        require_observation(env, seen, "`reset`", "audit")
        for _ in range(length if episode % 8 else 8 * length):
            action = rng.uniform(box.low, box.high) if policy is None else np.asarray(policy(seen), dtype=np.float64)
            states.append(np.asarray(env.get_state(), dtype=np.float64))
            actions.append(action)
            seen, _, terminated, truncated, _ = env.step(action)
            require_observation(env, seen, "`step`", "audit")
            if terminated or truncated:
                break
        said(episode + 1)
    found = stepped(env, np.stack(states), np.stack(actions))
    _refuse_chance(env, found)
    return found


def _refuse_chance(env: Any, found: Steps, count: int = 8) -> None:
    """Raise unless what follows a state is decided by it."""
    rows = np.linspace(0, len(found) - 1, min(count, len(found))).astype(int)[::-1]
    again, once = stepped(env, found.state[rows], found.action[rows]), found.take(rows)
    for what, a, b in (
        ("next state", again.after, once.after),
        ("reward", again.reward, once.reward),
        ("observation", again.observation, once.observation),
    ):
        if not np.array_equal(a, b, equal_nan=True):
            raise OrbitscopeError(
                f"audit: the {what} is not decided by state and action: two steps from one state differ by {np.nanmax(np.abs(a - b)):.3g}. "
                "Let `set_state` set everything that the step reads (clock, earlier actions, the solver's warm start), and draw what is "
                "random from a generator that `set_state` seeds, or switch it off for the audit."
            )
    for what, values in (("state", found.after), ("reward", found.reward), ("observation", found.observation)):
        if not np.isfinite(values).all():
            raise OrbitscopeError(
                f"audit: the {what} holds NaN or infinite values after {int((~np.isfinite(values)).any(-1).sum())} steps."
            )


def moved_steps(env: Any, symmetry: EnvSymmetry, element: Any, steps: Steps, actions: Array | None = None) -> Steps:
    """The steps from the moved states with the moved actions, or with `actions` as they are."""
    given = symmetry.act(element, steps.action) if actions is None else actions
    return stepped(env, symmetry.move(element, steps.state), given)


def scales(values: Array, fields: Sequence[int]) -> Array:
    """The root mean square of the field of each channel, at least 1e-6 in its unit so that rest is no scale."""
    size = np.sqrt(np.square(values).mean(0))
    groups = np.asarray(fields)
    return np.array([max(np.sqrt(np.square(size[groups == g]).mean()), 1e-6) for g in groups])
