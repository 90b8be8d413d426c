"""A table top in MuJoCo with a floating hand: tasks, scripts that do them, demonstrations. Needs the extra `robots`."""

from ._audit import Audit, audit_sliding, audit_task, difference, moved, scene_elements
from ._drive import drive
from ._env import TableTop, register
from ._episode import Episode, demonstrate, replay
from ._scene import Scene
from ._task import Keyframe, Start, Task
from ._tasks import TASKS, task

__all__ = [
    "TASKS",
    "Audit",
    "Episode",
    "Keyframe",
    "Scene",
    "Start",
    "TableTop",
    "Task",
    "audit_sliding",
    "audit_task",
    "demonstrate",
    "difference",
    "drive",
    "moved",
    "register",
    "replay",
    "scene_elements",
    "task",
]
