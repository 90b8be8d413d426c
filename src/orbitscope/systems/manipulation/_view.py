"""Pictures of episodes: a film strip of the keyframes, and an animation. By rays, so that no graphics are needed."""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from ..._errors import OrbitscopeError
from ...symmetry import Rigid
from ._cameras import Cameras
from ._episode import Episode
from ._keyframes import keyframes
from ._poses import Array, pose
from ._scene import Scene
from ._tasks import task

_SUN = np.array([0.35, 0.25, 0.9])
_STRIP, _FILM = (225, 300), (240, 320)
_FOV = 40.0  # degrees, closer than what policies see
_SHOWN = 4


def picture(cameras: Cameras, camera: int) -> NDArray[np.uint8]:
    """A shaded picture [height, width, 3] by rays.

    * `cameras`: with the renderer "rays". `camera`: its number.
    """
    plain = cameras.colour(camera).astype(np.float64)
    light = np.clip(cameras.normals(camera) @ (_SUN / np.linalg.norm(_SUN)), 0, 1)
    return np.clip(plain * (0.5 + 0.55 * light[..., None]), 0, 255).astype(np.uint8)


def strip(episodes: Sequence[Episode], chosen: Sequence[int] = (), *, camera: int = 0, most: int | None = None) -> Figure:
    """Rows are episodes, columns their beginning and keyframes, the last one at the end.

    * `episodes`: recordings. `chosen`: their numbers; none given: the first four. `camera`: from where.
    * `most`: columns at most, evenly chosen among more, first and last among them; None for all.

    Raises `OrbitscopeError` for a number that there is not.
    """
    shown = _chosen(episodes, chosen)
    rows = [_few([0, *keyframes(episodes[k]).tolist()], most) for k in shown]
    columns = max(map(len, rows))
    figure = Figure(figsize=(1.75 * columns + 0.2, 1.55 * len(rows) + 0.35), facecolor="white")
    FigureCanvasAgg(figure)
    for r, (k, steps) in enumerate(zip(shown, rows, strict=True)):
        scene = _near(episodes[k])
        cameras = Cameras(scene, _STRIP)
        for c, t in enumerate(steps):
            show(scene, episodes[k], t)
            axes = figure.add_subplot(len(rows), columns, r * columns + c + 1)
            axes.imshow(picture(cameras, camera))
            axes.set(xticks=[], yticks=[])
            axes.set_title(f"{t / 20:.2f} s", fontsize=7.5, pad=2)
            if c == 0:
                axes.set_ylabel(f"episode {k}\n{'done' if episodes[k].success else 'failed'}", fontsize=7.5)
    figure.tight_layout(pad=0.4, rect=(0, 0, 1, 0.95))
    figure.text(0.01, 0.985, f"{episodes[shown[0]].task}: {task(episodes[shown[0]].task).description}", fontsize=9, va="top")
    return figure


def film(episodes: Sequence[Episode], chosen: Sequence[int] = (), *, camera: int = 0, every: int = 2) -> bytes:
    """A GIF that loops, the chosen episodes side by side.

    * `episodes`, `chosen`, `camera`: as of `strip`, the first two by default. `every`: control steps of 0.05 s from picture to picture.
    """
    shown = _chosen(episodes, chosen)[:_SHOWN] if chosen else _chosen(episodes, chosen)[:2]
    scenes = [_near(episodes[k]) for k in shown]
    cameras = [Cameras(scene, _FILM) for scene in scenes]
    frames = []
    for t in range(0, max(len(episodes[k]) for k in shown) + every, every):
        row = []
        for k, scene, eyes in zip(shown, scenes, cameras, strict=True):
            show(scene, episodes[k], min(t, len(episodes[k])))
            row.append(picture(eyes, camera))
        frames.append(Image.fromarray(np.concatenate(row, 1)))
    first = frames[0].quantize(128)
    few = [f.quantize(palette=first, dither=Image.Dither.NONE) for f in frames]
    buffer = io.BytesIO()
    lengths = [50 * every] * (len(few) - 1) + [1200]
    few[0].save(buffer, "GIF", save_all=True, append_images=few[1:], duration=lengths, loop=0, optimize=False)
    return buffer.getvalue()


def show(scene: Scene, episode: Episode, step: int) -> None:
    """Put a scene where an episode was at a step: no physics, so that it is the same on every machine.

    * `scene`: of the task of the episode. `episode`: a recording. `step`: from 0 to its length.
    """
    scene.move(episode.frame)
    names = (*scene.task.fixtures, *scene.task.things)
    scene.place(
        {"hand": _pose(episode.hand[step]), **{n: _pose(row) for n, row in zip(names, episode.bodies[step], strict=True)}},
        float(episode.opening[step]), episode.joints[step],
    )  # fmt: skip


def _few(steps: list[int], most: int | None) -> list[int]:
    if most is None or len(steps) <= most:
        return steps
    return [steps[k] for k in np.linspace(0, len(steps) - 1, most).round().astype(int)]


def _near(episode: Episode) -> Scene:
    scene = Scene(task(episode.task))
    scene.model.cam_fovy[:] = _FOV
    return scene


def _pose(numbers: Array) -> Rigid:
    return pose(numbers[:3], numbers[3:].reshape(3, 3).T)


def _chosen(episodes: Sequence[Episode], chosen: Sequence[int]) -> list[int]:
    if wrong := [k for k in chosen if not 0 <= k < len(episodes)]:
        raise OrbitscopeError(f"view: there is no episode {wrong[0]}; they are numbered 0 to {len(episodes) - 1}.")
    return list(chosen) or list(range(min(_SHOWN, len(episodes))))
