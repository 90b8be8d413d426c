"""Tasks of the suite seen through a camera: small grey pictures, two for each action, on a grid that the mirror moves."""

import importlib
import os
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from ..._expect import expect_number
from ._drawing import drawing
from ._pixel_tasks import FRAMES, PIXEL_DOMAINS, SIZE
from ._suite_tasks import suite_task

Picture = NDArray[np.float32]
_FINE = 96  # pixels along an edge of what is drawn, at least


class PixelEnv(gymnasium.Env[Picture, NDArray[np.float32]]):
    r"""A task of the dm_control suite observed by two pictures, $I(t + h/2)$ and $I(t + h)$ of an action that holds for the time h.

    * `name`: of a task of `PIXEL_DOMAINS`, such as "cartpole-swingup". `size`: pixels along an edge, a multiple of 8, at most 84.
    * `background`: whether floor and sky are drawn. Chequers and stars of the suite are not their own mirror images: with them the world
      has the symmetry and its pictures do not; without them both have it, but for pixels of an edge that rounding gives to either side.
    * `repeat`: steps of the task for which an action holds, even; rewards add up.

    Observations [2, size, size], grey, 0 to 1, axis 1 to the right and axis 2 up, as `GridAction` moves them. A picture is a function of
    the state, so an observation is one of the state before and the action: `set_state` shows the new state twice. Shadows and
    OpenGL's smoothing are off (they cost most of the time); pictures are drawn finer and averaged. One camera, the suite's first, at rest.

    Raises `OrbitscopeError` for a task that has no picture with a symmetry, for arguments out of range, and where MuJoCo cannot draw.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  # as gymnasium declares it

    def __init__(self, name: str = "cartpole-swingup", *, size: int = SIZE, background: bool = True, repeat: int = 8) -> None:
        task = suite_task(name)
        if task.domain not in PIXEL_DOMAINS:
            raise OrbitscopeError(
                f"PixelEnv: of {task.domain} no symmetry of pictures is declared. Take one of {', '.join(PIXEL_DOMAINS)}."
            )
        for what, value in (("size", size), ("repeat", repeat)):
            expect_number(value, f"PixelEnv: `{what}`", whole=True)
        if size % 8 or not 8 <= size <= 84:
            raise OrbitscopeError(f"PixelEnv: `size` should be a multiple of 8 up to 80, got {size}.")
        if repeat < 2 or repeat % 2:
            raise OrbitscopeError(f"PixelEnv: `repeat` should be even, for a picture halfway through an action, got {repeat}.")
        os.environ.setdefault("MUJOCO_GL", "egl")  # read when dm_control is first imported
        from ._suite import SuiteEnv

        self.name, self.size, self.background, self.repeat = f"{task.domain}-{task.task}, pictures", size, background, repeat
        _without_display()
        self.inner = SuiteEnv(name, repeat=repeat // 2, render_mode="rgb_array", size=size)
        self._scene()
        self.action_space = self.inner.action_space
        self.observation_space = Box(0.0, 1.0, (FRAMES, size, size), np.float32)

    @property
    def physics(self) -> Any:
        """MuJoCo's, of the task."""
        return self.inner.physics

    @property
    def time_step(self) -> float:
        """Time between two actions in seconds."""
        return 2 * self.inner.time_step

    def _scene(self) -> None:
        model = self.physics.model
        model.light_castshadow[:] = 0
        model.vis.quality.offsamples = 0
        self._flags = None if self.background else {"skybox": False, "reflection": False}
        if not self.background:
            floor = model.name2id("floor", "geom")
            model.geom_matid[floor], model.geom_rgba[floor, 3] = -1, 0.0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Picture, dict[str, Any]]:
        """A new episode; the same `seed` gives the same one. `options` has no meaning here."""
        super().reset(seed=seed)
        self.inner.reset(seed=seed, options=options)
        return self._twice(), {}

    def step(self, action: Any) -> tuple[Picture, float, bool, bool, dict[str, Any]]:
        """One step with `action` [n], cut to its box: two halves, and a picture after each."""
        seen, earned, terminated, truncated = [], 0.0, False, False
        for _ in range(FRAMES):
            if not terminated:  # the clock alone stops nothing, as paired steps set it aside
                _, reward, terminated, truncated, _ = self.inner.step(action)
                earned += reward
            seen.append(self._picture())
        return np.stack(seen), earned, terminated, truncated, {}

    def get_state(self) -> NDArray[np.float64]:
        """What decides all that follows, as of the task."""
        return self.inner.get_state()

    def set_state(self, state: Any) -> Picture:
        """Put the simulator into `state`, as `get_state` gave it, and return what is seen there."""
        self.inner.set_state(state)
        return self._twice()

    def render(self) -> Any:
        """A picture in colours, [size, size, 3]."""
        return self.inner.render()

    def _twice(self) -> Picture:
        return np.stack([self._picture()] * FRAMES)

    def _picture(self) -> Picture:
        # Drawn finer and averaged: a pole thinner than a pixel would come and go.
        n, finer = self.size, -(-_FINE // self.size)
        with drawing(self.name):
            seen = self.physics.render(n * finer, n * finer, camera_id=0, render_flag_overrides=self._flags)
        seen = seen.reshape(n, finer, n, finer, 3).mean((1, 3))
        # Rows come from above, columns from the left; a grid has its first axis to the right and its second one up.
        return np.ascontiguousarray(seen.mean(-1)[::-1].T / 255, dtype=np.float32)


def _without_display() -> None:
    """Let dm_control draw by EGL where it chose GLFW, which needs a display that is not there: it chooses once, when it is imported."""
    with drawing("PixelEnv"):
        render: Any = importlib.import_module("dm_control._render")
        if str(render.BACKEND) == "glfw" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            render.Renderer = importlib.import_module("dm_control._render.pyopengl.egl_renderer").EGLContext
            render.BACKEND = "egl"
