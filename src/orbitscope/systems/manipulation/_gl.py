"""Pictures by OpenGL without a window. A context is made here, not by `mujoco.Renderer`, which fixes its kind when mujoco is imported."""

import importlib
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from ._need import needed
from ._poses import Array

_HELP = "Install it (Debian: apt install libegl1 libegl-mesa0, or libosmesa6 with MUJOCO_GL=osmesa), or take renderer='rays'."


class Pictures:
    """A renderer of one model at one size; `close` frees it.

    * `model`: of MuJoCo. `size`: height and width, pixels.

    The kind of context is what MUJOCO_GL says ("egl" or "osmesa"), by default "egl". Raises `OrbitscopeError` where it cannot be had.
    """

    def __init__(self, model: Any, size: tuple[int, int]) -> None:
        self._mujoco, self._model, self.size = needed("mujoco"), model, size
        kind = os.environ.get("MUJOCO_GL", "egl").lower()
        kind = kind if kind in ("egl", "osmesa") else "egl"
        os.environ.setdefault("PYOPENGL_PLATFORM", kind)
        m = self._mujoco
        try:
            self._context = importlib.import_module(f"mujoco.{kind}").GLContext(size[1], size[0])
            self._context.make_current()
            self._device = m.MjrContext(model, m.mjtFontScale.mjFONTSCALE_100.value)
            m.mjr_setBuffer(m.mjtFramebuffer.mjFB_OFFSCREEN.value, self._device)
        except Exception as error:  # every kind fails in its own way: import, attribute, its own types
            raise OrbitscopeError(f"renderer: 'gl' needs OpenGL ({kind}), which cannot be had here ({error}). {_HELP}") from error
        self._device.readDepthMap = m.mjtDepthMap.mjDEPTH_ZEROFAR
        self._scene, self._options = m.MjvScene(model, 200), m.MjvOption()
        self._scene.flags[m.mjtRndFlag.mjRND_SHADOW] = 0
        self._scene.flags[m.mjtRndFlag.mjRND_REFLECTION] = 0

    def take(self, data: Any, camera: int) -> tuple[NDArray[np.uint8], Array]:
        """The picture [height, width, 3] of a fixed camera and its depth [height, width] along the axis, m."""
        m, (height, width) = self._mujoco, self.size
        look = m.MjvCamera()
        look.type, look.fixedcamid = m.mjtCamera.mjCAMERA_FIXED, camera
        self._context.make_current()
        m.mjv_updateScene(self._model, data, self._options, m.MjvPerturb(), look, m.mjtCatBit.mjCAT_ALL.value, self._scene)
        where = m.MjrRect(0, 0, width, height)
        m.mjr_render(where, self._scene, self._device)
        colour, buffer = np.empty((height, width, 3), dtype=np.uint8), np.empty((height, width), dtype=np.float32)
        m.mjr_readPixels(colour, buffer, where, self._device)
        extent = float(self._model.stat.extent)
        near, far = float(self._model.vis.map.znear) * extent, float(self._model.vis.map.zfar) * extent
        depth = near * far / (buffer[::-1].astype(np.float64) * (far - near) + near)
        return colour[::-1].copy(), np.where(depth > 0.99 * far, np.inf, depth)

    def close(self) -> None:
        """Free what the graphics hold."""
        self._device.free()
        self._context.free()
