"""What cameras around the table see: depth and colour, by GL or by rays, and the cloud of points that they give together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from ..._expect import shown
from ...symmetry import Rigid
from ._arm import HIDDEN
from ._gl import Pictures
from ._mjcf import CAMERAS, WORKSPACE
from ._poses import Array, pose
from ._scene import Scene

_FAR = 4.0  # m: what a camera sees behind this is nothing
_SEEN = np.array([k != HIDDEN for k in range(6)], dtype=np.uint8)  # groups of shapes


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points that cameras saw.

    * `points` [P, 3]: in the world, m. `colours` [P, 3]: red, green, blue within [0, 1].
    """

    points: Array
    colours: Array

    def __len__(self) -> int:
        return len(self.points)

    def moved(self, motion: Rigid) -> "Cloud":
        """The cloud moved.

        * `motion`: a rigid motion of space.
        """
        return Cloud(self.points @ motion.matrix.T + motion.offset, self.colours)

    def chosen(self, mask: NDArray[np.bool_]) -> "Cloud":
        """Some of the points.

        * `mask` [P]: which.
        """
        return Cloud(self.points[mask], self.colours[mask])


class Cameras:
    """The cameras of a scene, which stand around the table and move with it.

    * `scene`: what they look at. `size`: height and width of the pictures, pixels.
    * `renderer`: "rays" casts a ray per pixel on the processor and needs no graphics: exact depth, plain colours, no light. "gl" renders
      with MuJoCo's OpenGL (EGL where MUJOCO_GL is not set), shadows off.
    * `cameras`: their numbers, by default all.

    Raises `OrbitscopeError` for another renderer and where GL cannot be had, with what to install.
    """

    def __init__(
        self, scene: Scene, size: tuple[int, int] = (48, 48), *, renderer: str = "rays", cameras: Sequence[int] | None = None
    ) -> None:  # fmt: skip
        if renderer not in ("rays", "gl"):
            raise OrbitscopeError(f"Cameras: `renderer` should be 'rays' or 'gl', got {shown(renderer)}.")
        if min(size) < 1 or max(size) > 512:
            raise OrbitscopeError(f"Cameras: `size` should be height and width within 1 and 512 pixels, got {size}.")
        self.scene, self.size, self.renderer = scene, (int(size[0]), int(size[1])), renderer
        self.cameras = tuple(range(CAMERAS)) if cameras is None else tuple(cameras)
        if not self.cameras:
            raise OrbitscopeError("Cameras: `cameras` should be at least one number, got none.")
        if wrong := [k for k in self.cameras if not 0 <= k < CAMERAS]:
            raise OrbitscopeError(f"Cameras: there is no camera {wrong[0]}; they are numbered 0 to {CAMERAS - 1}.")
        self._gl: Any = Pictures(scene.model, self.size) if renderer == "gl" else None

    def close(self) -> None:
        """Free the renderer of GL."""
        if self._gl is not None:
            self._gl.close()
            self._gl = None

    # --- pictures ------------------------------------------------------------------------------------------------------------------

    def depth(self, camera: int) -> Array:
        """Depth [height, width] along the axis of a camera, m; infinite where it sees nothing.

        * `camera`: its number.
        """
        if self._gl is None:
            distance, _ = self._cast(camera)
            return np.where(distance < 0, np.inf, distance * self._unit(camera)[1]).reshape(self.size)
        return self._gl.take(self.scene.data, camera)[1]

    def colour(self, camera: int) -> NDArray[np.uint8]:
        """The picture [height, width, 3] of a camera.

        * `camera`: its number.
        """
        if self._gl is None:
            _, geom = self._cast(camera)
            plain = np.vstack([self.scene.model.geom_rgba[:, :3], [[1.0, 1.0, 1.0]]])[geom]  # the last: nothing
            return (255 * plain).round().astype(np.uint8).reshape(*self.size, 3)
        return self._gl.take(self.scene.data, camera)[0]

    def bodies(self, camera: int) -> NDArray[np.int64]:
        """The number of the body in each pixel [height, width], -1 for nothing: ground truth of a segmentation, by rays.

        * `camera`: its number.
        """
        _, geom = self._cast(camera)
        return np.append(self.scene.model.geom_bodyid, -1)[geom].reshape(self.size)

    def normals(self, camera: int) -> Array:
        """The direction [height, width, 3] of the surface in each pixel, in the world, by rays; straight up where nothing is.

        * `camera`: its number.
        """
        found = np.zeros((self.size[0] * self.size[1], 3))
        distance, _ = self._cast(camera, found)
        found[distance < 0] = (0.0, 0.0, 1.0)
        return found.reshape(*self.size, 3)

    def _cast(self, camera: int, normals: Array | None = None) -> tuple[Array, NDArray[np.int64]]:
        """Distance along each ray, -1 for nothing, and the number of the geom, -1 for nothing; MuJoCo's own ray casting."""
        mujoco, model, data = self.scene.mujoco, self.scene.model, self.scene.data
        rays = np.ascontiguousarray(self._unit(camera)[0] @ self.pose(camera).matrix.T)
        count = len(rays)
        geom, distance = np.full(count, -1, dtype=np.int32), np.full(count, -1.0)
        eye = np.ascontiguousarray(self.pose(camera).offset)
        into = None if normals is None else normals.reshape(-1)
        mujoco.mj_multiRay(model, data, eye, rays.ravel(), _SEEN, 1, -1, geom, distance, into, count, _FAR)
        geom[distance < 0] = -1
        return distance, geom.astype(np.int64)

    def _unit(self, camera: int) -> tuple[Array, Array]:
        """Unit rays [pixels, 3] through the middles of the pixels in the frame of a camera (x right, y up, z back), and their cosines."""
        height, width = self.size
        reach = np.tan(np.deg2rad(float(self.scene.model.cam_fovy[camera])) / 2)
        down = (1 - (2 * np.arange(height) + 1) / height) * reach
        right = ((2 * np.arange(width) + 1) / width - 1) * reach * width / height
        y, x = np.meshgrid(down, right, indexing="ij")
        rays = np.stack([x.ravel(), y.ravel(), -np.ones(height * width)], 1)
        length = np.sqrt((rays**2).sum(1))
        return rays / length[:, None], 1 / length

    def pose(self, camera: int) -> Rigid:
        """Where a camera is in the world: it looks along its -z axis, x to the right of the picture and y up.

        * `camera`: its number.
        """
        return pose(self.scene.data.cam_xpos[camera], self.scene.data.cam_xmat[camera].reshape(3, 3))

    # --- clouds --------------------------------------------------------------------------------------------------------------------

    def cloud(self, *, margin: float = 0.02, below: float = 0.005) -> Cloud:
        """The points of all pictures together, in the world, cropped to the workspace.

        * `margin`: m by which the crop is wider than the workspace. `below`: m below the table's top that are kept.

        Raises `OrbitscopeError` where no camera sees a point in the workspace.
        """
        parts, paints = [], []
        for camera in self.cameras:
            depth, at = self.depth(camera).ravel(), self.pose(camera)
            rays, cosine = self._unit(camera)
            seen = np.isfinite(depth)
            parts.append(rays[seen] * (depth[seen] / cosine[seen])[:, None] @ at.matrix.T + at.offset)
            paints.append(self.colour(camera).reshape(-1, 3)[seen] / 255.0)
        found = Cloud(np.concatenate(parts), np.concatenate(paints))
        table = found.moved(self.scene.frame.inverse()).points
        inside = (
            (np.hypot(table[:, 0], table[:, 1]) < WORKSPACE[0] + margin) & (table[:, 2] > -below) & (table[:, 2] < WORKSPACE[1] + margin)
        )
        if not inside.any():
            raise OrbitscopeError("cloud: no camera sees a point in the workspace. Give the cameras more pixels, or a wider `margin`.")
        return found.chosen(inside)


def in_hand_box(cloud: Cloud, hand: Rigid, *, half: float = 0.085, reach: tuple[float, float] = (-0.03, 0.13)) -> NDArray[np.bool_]:
    """Which points [P] lie in a box about the hand, where a held thing is: the segmentation that a policy may use.

    * `cloud`: the points. `hand`: its pose. `half`: m to each side. `reach`: m from and to along the fingers.
    """
    inside = cloud.moved(hand.inverse()).points
    return (np.abs(inside[:, :2]) < half).all(1) & (inside[:, 2] > reach[0]) & (inside[:, 2] < reach[1])
