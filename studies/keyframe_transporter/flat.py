"""Coarse to fine beside flat scoring by a network that was trained flat: the same keyframes, right or not, and the poses that are scored.

    python studies/keyframe_transporter/flat.py --config flat.toml --out runs/keyframe_transporter-flat

Both arms are trained with the same demonstrations, steps, batch and rate. The flat one scores every pose at the fine voxels; its softmax
is sampled in training (`FlatTransporter`). Every finished case is kept. `run.py --page-only` writes the tables into its page.
"""

import math
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import torch  # noqa: E402
from beside import Label, Rows, main  # noqa: E402
from experiments import UNSEEN, candidates, demonstrations, trained  # noqa: E402
from harness import Folder, Tell  # noqa: E402

from orbitscope.systems.manipulation import PlaceError, TurnError  # noqa: E402

RIGHT = (0.02, math.radians(20.0))
"""A keyframe is right within so many metres and radians, modulo what its thing's own turns make as good and the hand's half turn."""


@torch.no_grad()
def keyframes(place: Folder, label: Label, tell: Tell) -> Rows:
    """Each keyframe that was held out: how far off it is, whether that is right, and what it cost."""
    with torch.enable_grad():
        fitted = trained(place, label)
    model, rows = fitted.model.eval(), []
    for condition in place.settings.conditions:
        examples = demonstrations(place, label["task"], condition, UNSEEN, place.settings.layouts)
        for k in range(len(examples)):
            x, y = (tuple(v[k : k + 1] for v in parts) for parts in (examples.x, examples.y))
            began = time.process_time()
            answer = model(*x)
            seconds = time.process_time() - began
            away, turn = float(PlaceError().each(answer, y)[0]), float(TurnError().each(answer, y)[0])
            row = {"condition": condition, "keyframe": k, "slot": int(examples.slot[k]), "place": away, "turn": turn}
            rows.append({**row, "right": int(away < RIGHT[0] and turn < RIGHT[1]), "seconds": seconds})
        share = sum(r["right"] for r in rows if r["condition"] == condition)
        tell(f"{label}: {condition}, {share} of {len(examples)} right")
    found = {"parameters": fitted.parameters, "loss": fitted.history[-1]["train"], "scores": candidates(model)}
    return {"keyframes": rows, "runs": [found]}


if __name__ == "__main__":
    sys.exit(main(__doc__, keyframes))
