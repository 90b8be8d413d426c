"""The tasks as environments of gymnasium."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from ..._errors import OrbitscopeError
from ...symmetry import Rigid
from ._need import needed
from ._poses import Array
from ._scene import RATE, Scene
from ._task import Task
from ._tasks import TASKS, task

try:  # where it is missing the class is there all the same, so that names and help do not need the extra
    import gymnasium

    _Env: Any = gymnasium.Env
except ImportError:
    gymnasium, _Env = None, object


class TableTop(_Env):
    """A task of the table top as an environment of gymnasium: `gymnasium.make("orbitscope/Peg-v0")`.

    * `name`: of the task, or the task itself. `cone`, `frame`, `arm`: as of `Scene`. `render_mode`: "rgb_array" (needs GL) or None.

    Actions are the seven numbers of `Scene`, a box of which every action beyond the ball is shortened; observations are those of
    `Scene.observe`. The reward is 1 at the step at which the task is done, which ends the episode, else 0; it is cut off after
    `task.horizon` steps. A simulation that leaves all bounds ends the episode with `info["diverged"]`.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": RATE}

    def __init__(
        self, name: str | Task = "peg", *, cone: str = "elliptic", frame: Rigid | None = None, render_mode: str | None = None,
        arm: str | None = None,
    ) -> None:  # fmt: skip
        spaces = needed("gymnasium").spaces
        if render_mode not in (None, "rgb_array"):
            raise OrbitscopeError(f"TableTop: `render_mode` should be 'rgb_array' or None, got {render_mode!r}.")
        self.scene = Scene(task(name) if isinstance(name, str) else name, cone=cone, frame=frame, arm=arm)
        self.render_mode = render_mode
        self._camera: Any = None
        self._at = 0  # the seed of the layout
        self.action_space = spaces.Box(-1.0, 1.0, (7,), np.float64)
        self.scene.reset(0)
        self.observation_space = spaces.Dict(
            {key: spaces.Box(-1e3, 1e3, value.shape, np.float64) for key, value in self.scene.observe().items()}
        )

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict[str, Array], dict[str, Any]]:
        """Begin an episode.

        * `seed`: the layout is that of the seed; None: another one than before. `options`: "start", a `Start`, in place of a drawn layout.
        """
        super().reset(seed=seed)
        self._at = int(self.np_random.integers(2**31)) if seed is None else seed
        self.scene.reset(self._at, start=(options or {}).get("start"))
        return self.scene.observe(), self._info()

    def step(self, action: ArrayLike) -> tuple[dict[str, Array], float, bool, bool, dict[str, Any]]:
        """One control step of 0.05 s.

        * `action`: seven numbers.
        """
        self.scene.act(action)
        if self.scene.broken:
            seen = {key: np.zeros(space.shape) for key, space in self.observation_space.spaces.items()}
            return seen, 0.0, True, False, {"success": False, "diverged": True, "seed": self._at}
        done = self.scene.task.done(self.scene)
        return self.scene.observe(), float(done), done, self.scene.steps >= self.scene.task.horizon, self._info()

    def _info(self) -> dict[str, Any]:
        return {"success": self.scene.task.done(self.scene), "diverged": False, "seed": self._at}

    def get_state(self) -> Array:
        """The whole state of the scene, as one vector."""
        return self.scene.get_state()

    def set_state(self, state: ArrayLike) -> None:
        """Go back to a state.

        * `state`: from `get_state`.
        """
        self.scene.set_state(state)

    def render(self) -> Array | None:
        """A picture [height, width, 3] of bytes from the first camera; needs GL."""
        if self.render_mode is None:
            return None
        from ._cameras import Cameras

        self._camera = self._camera or Cameras(self.scene, (240, 320), renderer="gl")
        return self._camera.colour(0)

    def close(self) -> None:
        """Free the renderer."""
        if self._camera is not None:
            self._camera.close()
            self._camera = None


def register() -> None:
    """Make the tasks known to gymnasium, as orbitscope/Reach-v0 and so on; twice does nothing."""
    gym = needed("gymnasium")
    for name, kind in TASKS.items():
        identifier = f"orbitscope/{kind.identifier}-v0"
        if identifier not in gym.registry:
            gym.register(identifier, entry_point=f"{__package__}:TableTop", kwargs={"name": name}, max_episode_steps=kind.horizon)


if gymnasium is not None:
    register()
