"""What goes wrong in episodes: what the first two keyframes ask of the thing that is held, and whether the task was done.

    python studies/keyframe_transporter/failures.py --config failures.toml --out runs/keyframe_transporter-failures

The first keyframe brings the thing above the fixture, the second lowers it. Every finished case is kept. `run.py --page-only` writes the
tables into its page.
"""

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import numpy as np  # noqa: E402
from beside import Label, Rows, main  # noqa: E402
from experiments import JUDGED, trained  # noqa: E402
from harness import Folder, Tell  # noqa: E402
from tabletop import scene_of  # noqa: E402

from orbitscope.systems.manipulation import SETTINGS, Keyframe, ModelPolicy, Scene, Sight, evaluate  # noqa: E402
from orbitscope.systems.manipulation._poses import angle_of  # noqa: E402


class Watched:
    """A policy, and what its keyframes would do to the thing that is held, which it never sees.

    * `policy`: names keyframes. `scene`: in which it acts. `asked`: a row for each keyframe, see `row`.
    """

    def __init__(self, policy: ModelPolicy, scene: Scene) -> None:
        self.policy, self.scene = policy, scene
        self.asked: list[dict[str, float]] = []

    def predict_action(self, seen: Sight) -> Keyframe:
        """As the policy does."""
        keyframe = self.policy.predict_action(seen)
        self.asked.append(self.row(keyframe))
        return keyframe

    def row(self, keyframe: Keyframe) -> dict[str, float]:
        """Distance of the thing from the axis of the first fixture, m, its height above it, m, turn of the hand, radians, fingers."""
        scene = self.scene
        held, fixture = scene.task.held, scene.pose(scene.task.fixtures[0])
        assert held is not None
        there = fixture.inverse() @ keyframe.pose @ scene.hand.inverse() @ scene.pose(held)
        turn = angle_of(scene.hand.matrix.T @ keyframe.pose.matrix)
        return {"off": float(np.hypot(*there.offset[:2])), "height": float(there.offset[2]), "turn": turn, "opens": float(keyframe.open)}


def episodes(place: Folder, label: Label, tell: Tell) -> Rows:
    """A row for each episode: whether the task was done, and what the first two keyframes asked for."""
    s, rows = place.settings, []
    policy = ModelPolicy(trained(place, label).model)
    for condition in s.conditions:
        scene = scene_of(label["task"], condition, s.yaw)
        for k in range(s.layouts):
            watched = Watched(policy, scene)
            outcome = evaluate(watched, scene, [JUDGED + k], settings=dict(SETTINGS))
            row: dict[str, Any] = {"condition": condition, "episode": k, "done": outcome.successes}
            for name, asked in zip(("first", "second"), watched.asked, strict=False):
                row |= {f"{name}_{key}": value for key, value in asked.items()}
            rows.append(row)
        tell(f"{label}: {condition}, {sum(r['done'] for r in rows if r['condition'] == condition)} of {s.layouts} done")
    return {"episodes": rows}


if __name__ == "__main__":
    sys.exit(main(__doc__, episodes))
