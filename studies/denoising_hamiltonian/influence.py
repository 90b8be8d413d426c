"""Does learning a motion teach its mirror and its reversal? `examine` on the test motions of one run."""

import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent.parent)]
import harness  # noqa: E402, F401  # one thread, before torch

from orbitscope.probe import ProbeConfig, examine  # noqa: E402
from orbitscope.systems import SystemRun  # noqa: E402

SYMMETRIES = ("reversal", "mirror")
ASKED = ProbeConfig(trajectories=8, times=4, steps=0)


def shared(run: SystemRun) -> list[dict[str, Any]]:
    """A row for each symmetry: the commutator, the breaking's share of the error, the coherence of an example with its copy, its excess
    over that with unrelated ones with an interval, and the words of the verdict."""
    model, test = run.model.double(), run.examples["test"]
    known = run.system.symmetries(test, model)
    tree = examine(model, test, [known[s] for s in SYMMETRIES], ASKED, law=run.system.law(test), progress=lambda *_: None)
    rows = []
    for name in SYMMETRIES:
        error, influence, verdict = (tree[f"{name}/{part}"].to_dataset() for part in ("equivariance", "influence", "verdict"))
        rows.append({
            "symmetry": name, "commutator": float(error["commutator"].sel(element=name).median()),
            "share": float(verdict["share"].sel(element=name)),
            **{k: float(influence[k].sel(element=name)) for k in ("response", "null", "excess", "excess_low", "excess_high")},
            **{k: str(verdict[k].sel(element=name).values) for k in ("data", "output", "learning")},
        })  # fmt: skip
    return rows
