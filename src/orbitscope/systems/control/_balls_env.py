"""`Balls` in MuJoCo as gymnasium environments."""

import importlib
import os
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from ._balls import BALLS, Balls, balls
from ._drawing import drawing

Array = NDArray[np.float64]
mujoco: Any = importlib.import_module("mujoco")  # most of its names are made in C, without types


class BallsEnv(gymnasium.Env[Array, NDArray[np.float32]]):
    """Point masses that are driven to targets, simulated by MuJoCo; an observation is the state [p, v, target] of `Balls`, float64.

    * `name`: one of `BALLS`, or a `Balls`. `render_mode`: None, or "rgb_array". `size`: of pictures, in pixels.
    * `changed`: fields of `Balls` that differ, such as wind=(0.5, 0.0).

    Actions are a box from -1 to 1, of which the force of each ball is cut to length 1. An episode has `Balls.length` steps and ends
    truncated. Raises `OrbitscopeError` for an action of another shape or with NaN.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 25}  # noqa: RUF012  # as gymnasium declares it

    def __init__(self, name: str | Balls = "ball2d", *, render_mode: str | None = None, size: int = 84, **changed: Any) -> None:
        if render_mode not in (None, "rgb_array"):
            raise OrbitscopeError(f"BallsEnv: `render_mode` should be None or 'rgb_array', got {render_mode!r}.")
        if render_mode is not None:
            os.environ.setdefault("MUJOCO_GL", "egl")
        self.balls = name if isinstance(name, Balls) else balls(name, **changed)
        self.name, self.render_mode, self.size = name if isinstance(name, str) else "balls", render_mode, size
        self.model = mujoco.MjModel.from_xml_string(self.balls.xml())
        self.data = mujoco.MjData(self.model)
        self.steps = 0
        self.action_space = Box(-1.0, 1.0, (self.balls.size,), np.float32)
        self.observation_space = Box(-np.inf, np.inf, (3 * self.balls.size,), np.float64)
        self._renderer: Any = None

    @property
    def time_step(self) -> float:
        """Time between two actions in seconds."""
        return self.balls.timestep * self.balls.repeat

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """A new episode; the same `seed` gives the same one. `options` has no meaning here."""
        super().reset(seed=seed)
        generator = torch.Generator().manual_seed(int(self.np_random.integers(2**62)))
        self.steps = 0
        return self.set_state(self.balls.start(generator, 1)[0].numpy()), {}

    def step(self, action: Any) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """One `action` [N ndim], held for `Balls.repeat` steps of MuJoCo."""
        given = torch.as_tensor(np.asarray(action, dtype=np.float64))
        if given.shape != (self.balls.size,) or not bool(given.isfinite().all()):
            raise OrbitscopeError(f"{self.name}: `action` should be {self.balls.size} finite numbers, got {given.tolist()}.")
        self.data.ctrl[:] = self.balls.actions.project(given).numpy()
        if any(self.balls.wind):
            self.data.qfrc_applied[:] = np.tile(self.balls.wind, self.balls.count)
        for _ in range(self.balls.repeat):
            mujoco.mj_step(self.model, self.data)
        self.steps += 1
        state = self.get_state()
        reward = float(self.balls.reward(torch.as_tensor(state)[None], given[None])[0])
        return state, reward, False, self.steps >= self.balls.length, {}

    def get_state(self) -> Array:
        """[p, v, target], [3 N ndim]."""
        target = self.data.mocap_pos[:, : self.balls.ndim]
        return np.concatenate([self.data.qpos, self.data.qvel, target.ravel()])

    def set_state(self, state: Any) -> Array:
        """Put the simulator into `state` and return what is observed there; the clock of the episode goes on."""
        given, size = np.asarray(state, dtype=np.float64), self.balls.size
        if given.shape != (3 * size,) or not np.isfinite(given).all():
            raise OrbitscopeError(f"{self.name}: `state` should be {3 * size} finite numbers, got shape {given.shape}.")
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[:], self.data.qvel[:] = given[:size], given[size : 2 * size]
        self.data.mocap_pos[:, : self.balls.ndim] = given[2 * size :].reshape(self.balls.count, self.balls.ndim)
        mujoco.mj_forward(self.model, self.data)
        return self.get_state()

    def render(self) -> Any:
        """A picture [size, size, 3] from above, or None without a `render_mode`."""
        if self.render_mode is None:
            return None
        with drawing(self.name):
            self._renderer = self._renderer or mujoco.Renderer(self.model, self.size, self.size)
            self._renderer.update_scene(self.data, camera="above")
            return self._renderer.render()


for _name in BALLS:
    if (_id := f"orbitscope/{_name}-v0") not in gymnasium.registry:
        gymnasium.register(_id, entry_point=f"{__name__}:BallsEnv", kwargs={"name": _name}, order_enforce=False)
