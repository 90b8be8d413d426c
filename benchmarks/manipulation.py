"""The table-top suite: how often the scripts succeed, what an episode costs, and whether the simulator has the symmetry.

    python benchmarks/manipulation.py [--seeds 40] [--arm]

Layouts of the seeds 0, 1, ...; scripts and tasks were made while looking at the seeds 100 to 139. Written to
benchmarks/results/manipulation.json and between the markers of docs/how-to/manipulation.md; `--page-only` writes the page again. With
`--arm` the hand is on an arm, and only how often the scripts succeed is measured, into results/manipulation_arm.json and its own markers.
"""

import argparse
import datetime
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402

from orbitscope import OrbitscopeError  # noqa: E402
from orbitscope.probe import machine  # noqa: E402
from orbitscope.systems.manipulation import TASKS, Scene, audit_sliding, audit_task, demonstrate, task, wilson  # noqa: E402

BEGIN, END = "<!-- suite:begin -->", "<!-- suite:end -->"
ROOT = Path(__file__).resolve().parent.parent
PAGE, RESULT = ROOT / "docs/how-to/manipulation.md", ROOT / "benchmarks/results/manipulation.json"
ARM_BEGIN, ARM_END, ARM_RESULT = "<!-- arm:begin -->", "<!-- arm:end -->", ROOT / "benchmarks/results/manipulation_arm.json"
BAR = 0.95


def one(name: str, seeds: int, audited: int) -> dict[str, Any]:
    """What is measured of one task."""
    scene, begun = Scene(task(name)), time.process_time()
    episodes = [demonstrate(scene, seed) for seed in range(seeds)]
    each = (time.process_time() - begun) / seeds
    found = audit_task(task(name), range(audited)).table
    return {
        "task": name, "done": sum(e.success for e in episodes), "of": seeds, "steps": float(np.mean([len(e) for e in episodes])),
        "seconds": each, "gap": float(found.gap.max()), "floor": float(found.floor.max()), "away": float(found.away.min()),
        "verdicts": sorted(set(map(str, found.verdict.values))),
    }  # fmt: skip


def measured(seeds: int) -> dict[str, Any]:
    """All tasks, and the block that slides."""
    tasks = []
    for name in TASKS:
        tasks.append(one(name, seeds, 3))
        print(tasks[-1], flush=True)
    slid = {}
    for cone in ("elliptic", "pyramidal"):
        table = audit_sliding(cone).table
        slid[cone] = {"gaps": {str(e): float(g) for e, g in zip(table.element.values, table.gap.values[:, 0], strict=True)},
                      "floor": float(table.floor[0]), "way": float(table.away[0])}  # fmt: skip
    return {"tasks": tasks, "sliding": slid, "machine": machine(), "day": datetime.date.today().isoformat()}


def carried(seeds: int, name: str = "jaco") -> dict[str, Any]:
    """How often the scripts succeed where an arm carries the hand."""
    tasks = []
    for kind in TASKS:
        scene, begun, done, missed = Scene(task(kind), arm=name), time.process_time(), 0, 0
        for seed in range(seeds):
            try:
                done += demonstrate(scene, seed).success
            except OrbitscopeError:  # the layout itself is out of reach
                missed += 1
        each = (time.process_time() - begun) / seeds
        tasks.append({"task": kind, "done": done, "of": seeds, "begun": seeds - missed, "seconds": each})
        print(tasks[-1], flush=True)
    return {"arm": name, "tasks": tasks, "machine": machine(), "day": datetime.date.today().isoformat()}


def arm_block(found: dict[str, Any]) -> str:
    """Its table in Markdown."""
    rows = ["| task | script succeeds on the arm | 95 % interval | layouts in reach | processor time |", "|---|---|---|---|---|"]
    for t in found["tasks"]:
        low, high = wilson(t["done"], t["of"])
        rows.append(f"| {t['task']} | {t['done']} of {t['of']} | {low:.2f} to {high:.2f} | {t['begun']} | {1e3 * t['seconds']:.0f} ms |")
    short = [t["task"] for t in found["tasks"] if t["done"] / t["of"] < BAR]
    bar = f"missed by {', '.join(short)}, whose poses the arm does not reach everywhere" if short else "met by every task"
    return "\n".join(
        [f"Bar of {100 * BAR:.0f} successes in 100: {bar}.", "", *rows, "", f"Measured {found['day']}, one thread: {found['machine']}."]
    )


def block(found: dict[str, Any]) -> str:
    """The tables in Markdown."""
    rows = ["| task | script succeeds | 95 % interval | steps | processor time | gap [m] | floor [m] | the simulator's symmetry |",
            "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for t in found["tasks"]:
        low, high = wilson(t["done"], t["of"])
        rows.append(
            f"| {t['task']} | {t['done']} of {t['of']} | {low:.2f} to {high:.2f} | {t['steps']:.0f} | {1e3 * t['seconds']:.0f} ms "
            f"| {t['gap']:.0e} | {t['floor']:.0e} | {' or '.join(t['verdicts'])} |"
        )
    worst = min(t["done"] / t["of"] for t in found["tasks"])
    bar = "met by every task" if worst >= BAR else f"missed: the worst task succeeds in {100 * worst:.0f} of 100"
    slid = found["sliding"]
    lines = [f"Bar of {100 * BAR:.0f} successes in 100: {bar}.", "", *rows, "",
             "| turn of the scene | " + " | ".join(f"{c} cones [m]" for c in slid) + " |", "|---|" + "---|" * len(slid)]  # fmt: skip
    for e in slid["elliptic"]["gaps"]:
        lines.append(f"| {e.removeprefix('turn ')} degrees | " + " | ".join(f"{slid[c]['gaps'][e]:.0e}" for c in slid) + " |")
    lines += ["", f"The block slides {1e3 * slid['elliptic']['way']:.0f} mm. Measured {found['day']}, one thread: {found['machine']}."]
    return "\n".join(lines)


def put(text: str, inside: str, begin: str = BEGIN, end: str = END) -> str:
    """A page with what stands between the markers replaced."""
    head, rest = text.split(begin)
    return f"{head}{begin}\n{inside}\n{end}{rest.split(end)[1]}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--page-only", action="store_true")
    parser.add_argument("--arm", action="store_true", help="the hand on an arm")
    given = parser.parse_args()
    if not given.page_only and given.arm:
        ARM_RESULT.write_text(json.dumps(carried(given.seeds), indent=1) + "\n", encoding="utf-8")
    elif not given.page_only:
        RESULT.write_text(json.dumps(measured(given.seeds), indent=1) + "\n", encoding="utf-8")
    page = put(PAGE.read_text(encoding="utf-8"), block(json.loads(RESULT.read_text(encoding="utf-8"))))
    if ARM_RESULT.exists():
        page = put(page, arm_block(json.loads(ARM_RESULT.read_text(encoding="utf-8"))), ARM_BEGIN, ARM_END)
    PAGE.write_text(page, encoding="utf-8")
