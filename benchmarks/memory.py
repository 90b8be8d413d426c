"""What an influence takes beside the program, against its plan and its budget; writes docs/benchmarks/memory.md.

    python benchmarks/memory.py

Each row is a process of its own, which does one small influence first, so that all modules are there. Peak: the largest resident size
while the influence runs, looked at every 5 ms, less the size before. The networks are not trained: their memory does not depend on it.
Linux only.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import torch

import orbitscope as osc
from orbitscope.data import Trajectories
from orbitscope.probe import Plan, machine
from orbitscope.symmetry import Grid, Layout

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks" / "memory.md"
# model, width, cells, trajectories, metric, budget
CASES = (
    ("unet", 225, 32, 3, "euclidean", "2.2GiB"),
    ("unet", 225, 32, 3, "gauss_newton", "3GiB"),
    ("unet", 16, 64, 8, "gauss_newton", "256MiB"),
    ("resnet", 32, 64, 8, "gauss_newton", "512MiB"),
    ("fno", 24, 64, 8, "euclidean", "512MiB"),
    ("vit", 96, 64, 8, "gauss_newton", "512MiB"),
)


def one(name: str, width: int, cells: int, trajectories: int, metric: str, budget: str) -> dict[str, Any]:
    """Parameters, planned and seen bytes of one case, in this process."""
    torch.set_num_threads(1)
    values = torch.randn(trajectories, 2, 2, cells, cells, generator=torch.Generator().manual_seed(0))
    data = Trajectories(values, Layout.of("velocity:vector"), Grid.square(cells), 0.1)
    osc.influence(osc.build("resnet", channels_in=2, width=4, depth=1).eval(), data, "c2", metric=metric)
    model, plans = osc.build(name, channels_in=2, resolution=cells, width=width).eval(), list[Plan]()
    before, peak, done = _resident(), [0], threading.Event()

    def watch() -> None:
        while not done.is_set():
            peak[0] = max(peak[0], _resident())
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    osc.influence(model, data, "c4", metric=metric, memory=budget, trajectories=trajectories, times=1, planned=plans.append)
    done.set()
    watcher.join()
    return {
        "parameters": sum(p.numel() for p in model.parameters()), "plan": plans[0].peak, "budget": plans[0].budget,
        "peak": peak[0] - before,
    }  # fmt: skip


def _resident() -> int:
    return 1024 * int(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")).split()[1])


def page(rows: list[tuple[tuple[Any, ...], dict[str, Any]]]) -> str:
    """The page, every number from this run."""
    lines = [
        f"| {name}, width {width}, {cells} x {cells} | {found['parameters'] / 1e6:.2f} M | {count} | {metric} | "
        + " | ".join(f"{found[k] / 2**20:,.0f}" for k in ("budget", "plan", "peak"))
        + f" | {found['peak'] / found['plan']:.2f} |"
        for (name, width, cells, count, metric, _), found in rows
    ]
    over = sum(found["peak"] > found["budget"] for _, found in rows)
    return f"""# The memory plan

{machine()}; torch {torch.__version__}, one thread.

    python benchmarks/memory.py

`influence(..., memory=...)` chooses how much to compute at a time, so that what it keeps and what is at work fit the budget. Peak: the
largest resident size while the influence ran, less the size before. {over} of {len(rows)} cases went over their budget.

| network | parameters | examples | metric | budget, MiB | plan, MiB | peak, MiB | peak / plan |
|---|---:|---:|---|---:|---:|---:|---:|
{chr(10).join(lines)}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", type=int, help="one case only, in this process, as JSON")
    args = parser.parse_args()
    if args.case is not None:
        print(json.dumps(one(*CASES[args.case])))
        return
    rows = []
    for k, case in enumerate(CASES):
        run = subprocess.run([sys.executable, __file__, "--case", str(k)], check=True, capture_output=True, text=True)
        rows.append((case, json.loads(run.stdout.splitlines()[-1])))
        print(case, rows[-1][1], flush=True)
    PAGE.write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
