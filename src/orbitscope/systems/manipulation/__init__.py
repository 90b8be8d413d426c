"""A table top in MuJoCo with a floating hand: tasks, scripts that do them, demonstrations. Needs the extra `robots`."""

from ._audit import Audit, audit_sliding, audit_task, difference, moved, scene_elements
from ._cameras import Cameras, Cloud, in_hand_box
from ._drive import drive
from ._env import TableTop, register
from ._episode import Episode, demonstrate, replay
from ._files import SETTINGS, examples_of, read_episodes, record, recorded, thinned
from ._keyframes import decisions, keyframes
from ._manipulation_system import SYSTEM, ManipulationSystem
from ._scene import Scene
from ._task import Keyframe, Start, Task
from ._tasks import TASKS, task
from ._wilson import wilson

__all__ = [
    "SETTINGS",
    "SYSTEM",
    "TASKS",
    "Audit",
    "Cameras",
    "Cloud",
    "Episode",
    "Keyframe",
    "ManipulationSystem",
    "Scene",
    "Start",
    "TableTop",
    "Task",
    "audit_sliding",
    "audit_task",
    "decisions",
    "demonstrate",
    "difference",
    "drive",
    "examples_of",
    "in_hand_box",
    "keyframes",
    "moved",
    "read_episodes",
    "record",
    "recorded",
    "register",
    "replay",
    "scene_elements",
    "task",
    "thinned",
    "wilson",
]
