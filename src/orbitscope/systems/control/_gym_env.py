"""Walkers of gymnasium with observations that a group moves by matrices, and with states that can be read and set."""

import importlib
import warnings
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from ._drawing import drawing
from ._env_checks import checked_state
from ._gym_tasks import GYM_TASKS

Array = NDArray[np.float64]
mujoco: Any = importlib.import_module("mujoco")  # most of its names are made in C, without types


class GymEnv(gymnasium.Env[Array, NDArray[np.float32]]):
    """A walker of gymnasium on MuJoCo with `get_state` and `set_state` for paired roll-outs; reward and end are gymnasium's own.

    * `name`: "ant", "hopper" or "walker2d". `repeat`: steps for which an action holds; rewards add up. At least 1.
    * `render_mode`: None, or "rgb_array", whose pictures `render` returns.

    Observations and actions are gymnasium's, in another order: of the ant legs are numbered around the body and bent ankles count
    positive, the rotation matrix of the body replaces its quaternion, and contact forces are left out. An episode lasts 1000 steps at
    most, and ends where gymnasium says that the walker fell. After `set_state` what follows depends on the state and the actions alone.
    Raises `OrbitscopeError` for an unknown name, and for an action of another shape or with NaN.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012  # as gymnasium declares it

    def __init__(self, name: str, *, repeat: int = 1, render_mode: str | None = None) -> None:
        if name not in GYM_TASKS:
            raise OrbitscopeError(f"GymEnv: `name` should be one of {', '.join(GYM_TASKS)}, got {name!r}.")
        if repeat < 1:
            raise OrbitscopeError(f"GymEnv: `repeat` should be at least 1, got {repeat}.")
        if render_mode not in (None, "rgb_array"):
            raise OrbitscopeError(f"GymEnv: `render_mode` should be None or 'rgb_array', got {render_mode!r}.")
        self.declared, self.name, self.repeat, self.render_mode = GYM_TASKS[name], name, repeat, render_mode
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            inner: Any = gymnasium.make(self.declared.id, render_mode=render_mode, **self.declared.options)
        self._inner = inner.unwrapped
        self.physics = SimpleNamespace(model=self._inner.model, data=self._inner.data)
        self.steps, self._limit = 0, -(-1000 // repeat)
        box = inner.action_space
        self.action_space = Box(box.low, box.high, dtype=np.float32)
        self.observation_space = Box(-np.inf, np.inf, self.declared.observe(self.physics.data).shape, np.float64)

    @property
    def time_step(self) -> float:
        """Time between two actions in seconds."""
        return float(self._inner.dt * self.repeat)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """A new episode; the same `seed` gives the same one. `options` as gymnasium takes them."""
        super().reset(seed=seed)
        self._inner.reset(seed=int(self.np_random.integers(2**31)), options=options)
        self.steps = 0
        return self._observation(), {}

    def step(self, action: Any) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """One step with `action` [n] in the declared order, cut to its box."""
        given = np.asarray(action, dtype=np.float64)
        box = self.action_space
        assert isinstance(box, Box)
        if given.shape != box.shape or not np.isfinite(given).all():
            raise OrbitscopeError(f"{self.name}: `action` should be {box.shape[0]} finite numbers, got {given.tolist()}.")
        motors, reward, terminated = self.declared.order(np.clip(given, box.low, box.high)), 0.0, False
        for _ in range(self.repeat):
            _, one, terminated, _, _ = self._inner.step(motors)
            reward += float(one)
            if terminated:
                break
        self.steps += 1
        return self._observation(), reward, bool(terminated), self.steps >= self._limit, {}

    def get_state(self) -> Array:
        """What decides all that follows, in the order of the declared layout of the state."""
        return self.declared.get(self.physics.data)

    def set_state(self, state: Any) -> Array:
        """Put the simulator into `state`, as `get_state` gave it, and return what is observed there; the clock of the episode goes on."""
        given, data = checked_state(self, state), self.physics.data
        mujoco.mj_resetData(self.physics.model, data)  # the solver starts from nothing
        self.declared.put(data, given)
        self._inner.set_state(data.qpos.copy(), data.qvel.copy())  # and what follows from positions and velocities
        return self._observation()

    def _observation(self) -> Array:
        return self.declared.observe(self.physics.data)

    def render(self) -> Any:
        """A picture, or None without a `render_mode`."""
        if self.render_mode is None:
            return None
        with drawing(self.name):
            return self._inner.render()


for _name in GYM_TASKS:
    if (_id := f"orbitscope/{_name}-v0") not in gymnasium.registry:
        gymnasium.register(_id, entry_point=f"{__name__}:GymEnv", kwargs={"name": _name}, order_enforce=False)
