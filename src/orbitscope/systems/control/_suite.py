"""Tasks of the dm_control suite as gymnasium environments whose state can be read and set."""

import os
import warnings
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from ._drawing import drawing
from ._env_checks import checked_state
from ._suite_tasks import TASKS, observed, read_state, suite_task, write_state

Array = NDArray[np.float64]


class SuiteEnv(gymnasium.Env[Array, NDArray[np.float32]]):
    """A task of the dm_control suite with flat observations in float64, and `get_state` and `set_state` for paired roll-outs.

    * `name`: of the task, such as "reacher-easy"; "reacher" is short for its usual one.
    * `repeat`: steps of the task for which an action holds; rewards add up. At least 1.
    * `render_mode`: None, or "rgb_array", whose pictures `render` returns. `size`: of them, in pixels.

    An episode lasts as long as the suite says (1000 steps for most) and ends truncated. After `set_state` what follows depends on the
    state and the actions alone: MuJoCo's solver starts anew. Raises `OrbitscopeError` for an unknown name, and for an action of another
    shape or with NaN.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 50}  # noqa: RUF012  # as gymnasium declares it

    def __init__(self, name: str, *, repeat: int = 1, render_mode: str | None = None, size: int = 84) -> None:
        self.declared = suite_task(name)
        if repeat < 1:
            raise OrbitscopeError(f"SuiteEnv: `repeat` should be at least 1, got {repeat}.")
        if render_mode not in (None, "rgb_array"):
            raise OrbitscopeError(f"SuiteEnv: `render_mode` should be None or 'rgb_array', got {render_mode!r}.")
        if render_mode is not None:  # read when dm_control is first imported
            os.environ.setdefault("MUJOCO_GL", "egl")
        with warnings.catch_warnings():  # of glfw, which looks for a display and goes without one
            warnings.simplefilter("ignore")
            with drawing(name):  # the library of OpenGL that MUJOCO_GL names is loaded here
                from dm_control import suite

        self.name, self.repeat, self.render_mode, self.size = f"{self.declared.domain}-{self.declared.task}", repeat, render_mode, size
        inner = suite.load(self.declared.domain, self.declared.task, task_kwargs={"random": 0})
        self.physics, self.task, self._substeps = inner.physics, inner.task, inner._n_sub_steps
        self.steps, self._limit = 0, -(-int(inner._step_limit) // repeat)
        spec = inner.action_spec()
        self._low, self._high = np.asarray(spec.minimum, np.float32), np.asarray(spec.maximum, np.float32)
        self.action_space = Box(self._low, self._high, dtype=np.float32)
        self._start()
        self.observation_space = Box(-np.inf, np.inf, self._observation().shape, np.float64)

    @property
    def time_step(self) -> float:
        """Time between two actions in seconds."""
        return float(self.physics.timestep() * self._substeps * self.repeat)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """A new episode; the same `seed` gives the same one. `options` has no meaning here."""
        super().reset(seed=seed)
        self.task._random = np.random.RandomState(int(self.np_random.integers(2**32)))
        self._start()
        return self._observation(), {}

    def _start(self) -> None:
        with self.physics.reset_context():
            self.task.initialize_episode(self.physics)
        self.steps = 0

    def step(self, action: Any) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """One step with `action` [n], cut to its box."""
        given = np.asarray(action, dtype=np.float64)
        if given.shape != self._low.shape or not np.isfinite(given).all():
            raise OrbitscopeError(f"{self.name}: `action` should be {len(self._low)} finite numbers, got {given.tolist()}.")
        given = np.clip(given, self._low, self._high)
        reward, terminated = 0.0, False
        for _ in range(self.repeat):
            self.task.before_step(given, self.physics)
            self.physics.step(self._substeps)
            self.task.after_step(self.physics)
            reward += float(self.task.get_reward(self.physics))
            if self.task.get_termination(self.physics) is not None:
                terminated = True
                break
        self.steps += 1
        return self._observation(), reward, terminated, self.steps >= self._limit, {}

    def get_state(self) -> Array:
        """What decides all that follows, in the order of the declared layout of the state."""
        return read_state(self.declared, self.physics)

    def set_state(self, state: Any) -> Array:
        """Put the simulator into `state`, as `get_state` gave it, and return what is observed there; the clock of the episode goes on."""
        write_state(self.declared, self.physics, checked_state(self, state))
        return self._observation()

    def _observation(self) -> Array:
        return observed(self.declared, self.task, self.physics)

    def render(self) -> Any:
        """A picture [size, size, 3] of the first camera, or None without a `render_mode`."""
        if self.render_mode is None:
            return None
        with drawing(self.name):
            return self.physics.render(self.size, self.size, camera_id=0)


for _name in TASKS:
    if (_id := f"orbitscope/{_name}-v0") not in gymnasium.registry:
        gymnasium.register(_id, entry_point=f"{__name__}:SuiteEnv", kwargs={"name": _name}, order_enforce=False)
