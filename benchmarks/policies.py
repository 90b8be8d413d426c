"""What a policy of the table top costs: memory and processor time of a training step and of a decision, each in a process of its own.

    python benchmarks/policies.py

Every model of the system in every preset, and the flat diffusion policy, on demonstrations of one task. Written to
benchmarks/results/policies.json and between the markers of docs/how-to/manipulation.md; `--page-only` writes the page again.
"""

import argparse
import ctypes
import datetime
import gc
import json
import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch  # noqa: E402

from orbitscope.data import load_examples  # noqa: E402
from orbitscope.probe import machine  # noqa: E402
from orbitscope.systems.manipulation import SYSTEM, KeyframeLoss, WithAnswer, record  # noqa: E402

BEGIN, END = "<!-- policies:begin -->", "<!-- policies:end -->"
ROOT = Path(__file__).resolve().parent.parent
PAGE, RESULT = ROOT / "docs/how-to/manipulation.md", ROOT / "benchmarks/results/policies.json"
TASK, EPISODES, BATCH = "place", 2, 8
FLAT = {"hierarchy": False, "equivariant": False}


def cases() -> list[tuple[str, str, dict[str, Any]]]:
    """(model, preset, options) of what is measured."""
    found: list[tuple[str, str, dict[str, Any]]] = [(name, preset, {}) for name, m in SYSTEM.models.items() for preset in m.presets]
    return [*found, ("hep", "small", FLAT)]


def peak(call: Callable[[], object]) -> float:
    """How far the resident memory of this process rises in a call, MB; on Linux."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # what importing left free would hide what is needed
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    before = _status("VmRSS")
    call()
    return (_status("VmHWM") - before) / 1024


def _status(name: str) -> float:
    """A number of kB that the kernel knows of this process."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return float(next(line for line in lines if line.startswith(f"{name}:")).split()[1])


def timed(call: Callable[[], object], times: int) -> float:
    """Processor seconds of the quickest of some calls."""
    found = []
    for _ in range(times):
        begun = time.process_time()
        call()
        found.append(time.process_time() - begun)
    return min(found)


def one(file: Path, model: str, preset: str, options: dict[str, Any]) -> dict[str, Any]:
    """One model: its numbers, then decisions, then steps of training, which need more memory than decisions."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    examples = SYSTEM.probed(load_examples(file))
    known = SYSTEM.models[model]
    net = known.make(examples, **{**known.presets[preset], **options}).eval()
    assert isinstance(examples.x, tuple) and isinstance(examples.y, tuple)
    single, loss, moves = tuple(v[:1] for v in examples.x), KeyframeLoss(), WithAnswer()
    x, y = moves(moves.draw(BATCH, 0, 0, 0), tuple(v[:BATCH] for v in examples.x), tuple(v[:BATCH] for v in examples.y))

    def decide() -> None:
        with torch.no_grad():
            net(*single)

    def step() -> None:
        loss.each(net(*x), y).mean().backward()

    row = {"decision_mb": peak(decide), "decision_seconds": timed(decide, 3)}
    net.train()
    row |= {"step_mb": peak(step), "step_seconds": timed(step, 2)}
    return {"model": model, "preset": preset, "options": options, "parameters": sum(p.numel() for p in net.parameters()), **row}


def measured() -> dict[str, Any]:
    """All of them, one after the other."""
    rows = []
    with TemporaryDirectory() as folder:
        file = record(TASK, Path(folder) / "demos.nc", count=EPISODES, seed=0, settings={"voxel": 0.02})
        for case in cases():
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                rows.append(pool.apply(one, (file, *case)))
            print(rows[-1], flush=True)
    return {"rows": rows, "machine": machine(), "day": datetime.date.today().isoformat()}


def block(found: dict[str, Any]) -> str:
    """The table in Markdown."""
    lines = ["| model | preset | parameters | a decision | its memory | a training step | its memory |", "|---|---|---|---|---|---|---|"]
    for r in found["rows"]:
        words = ", ".join(f"{k}={str(v).lower()}" for k, v in r["options"].items())
        lines.append(
            f"| `{r['model']}` | {r['preset']}{', ' * bool(words)}{words} | {r['parameters']:,} | {1e3 * r['decision_seconds']:,.0f} ms "
            f"| {r['decision_mb']:,.0f} MB | {r['step_seconds']:,.2f} s | {r['step_mb']:,.0f} MB |"
        )
    about = (
        f"Written by `benchmarks/policies.py`: the task {TASK}, points thinned to 2 cm, one example a decision and {BATCH} a step; best "
        "processor time of one thread, and how far the resident memory of the process rises while it is done for the first time. "
        f"Measured {found['day']}: {found['machine']}."
    )
    return "\n".join([*lines, "", about])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page-only", action="store_true")
    if not parser.parse_args().page_only:
        RESULT.write_text(json.dumps(measured(), indent=1) + "\n", encoding="utf-8")
    text = PAGE.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n{block(json.loads(RESULT.read_text(encoding='utf-8')))}\n{END}{rest.split(END)[1]}", encoding="utf-8")
