"""A table top in MuJoCo with a floating hand: tasks, scripts that do them, demonstrations. Needs the extra `robots`."""

from ._arm import ARMS, Arm
from ._audit import Audit, audit_sliding, audit_task, difference, moved, scene_elements
from ._cameras import Cameras, Cloud, in_hand_box
from ._diffusion import Diffusion
from ._drive import drive, follow
from ._env import TableTop, register
from ._episode import Episode, Recording, demonstrate, replay
from ._equivalents import EQUIVALENTS, equivalents
from ._field_nets import FieldNet, turns_about_vertical
from ._files import SETTINGS, examples_of, read_episodes, record, recorded, thinned
from ._hep import HierarchicalPolicy, hep_for
from ._hep_high import Keypose, KeyposeNet
from ._hep_low import ChunkNet
from ._hep_policy import ChunkPolicy
from ._hep_voxels import StackedVoxels
from ._keyframes import decisions, keyframes
from ._keypose_mlp import KeyposeMLP, angles_of, keypose_mlp_for, rotation_of
from ._manipulation_system import SYSTEM, ManipulationSystem
from ._played import Played, read_played, write_played
from ._policy import Chunk, Evaluation, ModelPolicy, NearestDemonstration, Policy, Sight, evaluate
from ._rotations import angle_modulo, rotation_grid, small_turns, used_rotations
from ._scene import Scene
from ._search import Level
from ._task import Keyframe, Start, Task
from ._tasks import TASKS, task
from ._transporter import LEVELS, Transporter
from ._transporter_flat import FlatTransporter
from ._transporter_training import SEARCHES, FingerError, KeyframeLoss, PlaceError, TurnError, WithAnswer, transporter_for
from ._voxels import saturated, splatted
from ._wilson import wilson

__all__ = [
    "ARMS",
    "LEVELS",
    "SEARCHES",
    "SETTINGS",
    "SYSTEM",
    "TASKS",
    "Arm",
    "Audit",
    "Cameras",
    "Chunk",
    "ChunkNet",
    "ChunkPolicy",
    "Cloud",
    "Diffusion",
    "EQUIVALENTS",
    "Episode",
    "Evaluation",
    "FieldNet",
    "FingerError",
    "FlatTransporter",
    "HierarchicalPolicy",
    "Keyframe",
    "KeyframeLoss",
    "KeyposeMLP",
    "Keypose",
    "KeyposeNet",
    "Level",
    "ManipulationSystem",
    "ModelPolicy",
    "NearestDemonstration",
    "PlaceError",
    "Played",
    "Policy",
    "Recording",
    "Scene",
    "Sight",
    "StackedVoxels",
    "Start",
    "TableTop",
    "Task",
    "Transporter",
    "TurnError",
    "WithAnswer",
    "angle_modulo",
    "angles_of",
    "audit_sliding",
    "audit_task",
    "decisions",
    "demonstrate",
    "difference",
    "drive",
    "equivalents",
    "evaluate",
    "examples_of",
    "follow",
    "hep_for",
    "in_hand_box",
    "keyframes",
    "keypose_mlp_for",
    "moved",
    "read_episodes",
    "read_played",
    "record",
    "recorded",
    "register",
    "replay",
    "rotation_grid",
    "rotation_of",
    "saturated",
    "scene_elements",
    "small_turns",
    "splatted",
    "task",
    "thinned",
    "transporter_for",
    "turns_about_vertical",
    "used_rotations",
    "wilson",
    "write_played",
]
