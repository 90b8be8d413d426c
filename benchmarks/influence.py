"""Cost and accuracy of the influence engine, each against a yardstick measured in the same run.

    python benchmarks/influence.py [--quick] [--elements 256] [--probes 64] [--memory 4GiB] [--write benchmarks/results/influence.json]
        [--python dattri=PATH] [--python kronfluence=PATH]

* Reference: the published order of operations (Amarel et al., arXiv 2601.20172), written out below: per element all gradients anew, a
  singular value decomposition of the p x 2N stack, 2N directional derivatives one by one. Every element costs the same, so it is timed on
  one and multiplied.
* Floor: the per-example gradients of the moved transitions alone, which every method needs. With --every N it and the sketch are
  timed on every N-th element, what is done once and the rest apart, and multiplied.
* Peers: the inner products of the gradients alone (the euclidean metric) of one element, by libraries for the attribution of training data,
  on one thread. PATH is the Python of an environment of its own where the peer (`pip install dattri`, `pip install kronfluence`) and this
  library are installed with the same torch.
* Ratios are of processor time, so that what else the machine does counts less; seconds by the clock stand beside them.
* Peak memory: the largest resident size of a process of its own that does two elements of D4 exactly within a budget (more of them keep
  nothing), less that of one that stops before.

UNet of 277,652 parameters, 64 x 64, 24 transitions (8 trajectories, 3 times), briefly trained.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import orbitscope as osc
from orbitscope.probe import machine
from orbitscope.probe._gradients import example_gradients, gram, pushforward
from orbitscope.probe._sample import sample_transitions
from orbitscope.probe._subject import Subject

DAMPING = 1e-6
PARTS = ("exact", "memory", "sketched", "peers")
PEERS = {name: Path(__file__).resolve().parent / "peers" / f"run_influence_{name}.py" for name in ("dattri", "kronfluence")}


@dataclass(frozen=True)
class Cost:
    """Seconds by the clock, and of processor time, summed over threads: what other programs on the machine disturb less."""

    seconds: float
    processor: float

    def row(self, name: str = "") -> dict[str, float]:
        return {f"{name}seconds": self.seconds, f"{name}processor_seconds": self.processor}

    def times(self, count: float) -> "Cost":
        return Cost(self.seconds * count, self.processor * count)


def timed(work: Callable[[], Any]) -> tuple[Cost, Any]:
    """What it cost, and the result."""
    start, own = time.perf_counter(), time.process_time()
    result = work()
    return Cost(time.perf_counter() - start, time.process_time() - own), result


def prepare(folder: Path, points: int, width: int, trajectories: int, epochs: int) -> tuple[osc.Trajectories, torch.nn.Module]:
    """The data and a briefly trained model; made once per folder."""
    path, run = folder / "data.h5", folder / "run"
    if not path.exists():
        law = osc.equation("navier-stokes")
        chunks = osc.simulate("navier-stokes.gauss", trajectories=trajectories, resolution=points, seed=0)
        states = torch.cat([values for _, values in chunks])
        osc.save(osc.Trajectories(states, law.layout, law.grid(points), 0.05, {"equation": law.name}), path)
    data = osc.load(path)
    osc.train(data, osc.TrainConfig(model="unet", preset="small", overrides={"width": width}, epochs=epochs, batch=16), run)
    return data, osc.load_run(run).model


def reference(subject: Subject, action: osc.GridAction, g: osc.Isometry, x: Tensor, y: Tensor) -> Tensor:
    """The coherence [bra, ket] of one element in the published order of operations."""
    kets = example_gradients(subject, osc.smse, x, y, 8)[0]
    bras = example_gradients(subject, osc.smse, *action.pair(g, x, y), 8)[0]
    stack = torch.cat([kets, bras]).T
    left, singular, _ = torch.linalg.svd(stack, full_matrices=False)
    basis = left[:, singular > stack.shape[1] * torch.finfo(stack.dtype).eps * singular[0]]
    pushed = torch.cat([pushforward(subject, x, v[None], len(x), together=1) for v in basis.T])
    metric = (pushed.double() @ pushed.double().T) / pushed.shape[1]
    metric += DAMPING * torch.eye(len(metric), dtype=torch.float64)
    inside = basis.T.double() @ stack.double()
    whole = inside.T @ torch.linalg.solve(metric, inside)
    n = len(x)
    return whole[n:, :n] / (whole.diagonal()[n:, None] * whole.diagonal()[None, :n]).sqrt()


def matrix(found: Any, element: str) -> np.ndarray:
    """Coherence [bra, ket] of one element of a result."""
    one = found["coherence"].sel(element=element).values
    n = one.shape[0] * one.shape[1]
    return one.reshape(n, n)


def gaps(found: np.ndarray, exact: np.ndarray) -> dict[str, float]:
    """Differences of two coherence matrices: of the responses (diagonal) and of all entries."""
    gap = np.abs(found - exact)
    return {
        "response": float(abs(np.median(found.diagonal()) - np.median(exact.diagonal()))),
        "median": float(np.median(gap)),
        "95%": float(np.quantile(gap, 0.95)),
        "largest": float(gap.max()),
    }


def exact_orbit(data: osc.Trajectories, model: torch.nn.Module, sizes: dict[str, int], elements: list[str] | None) -> dict[str, Any]:
    """D4, exact, against the reference."""
    subject, action, d4 = Subject.of(model), osc.GridAction(data.layout, data.grid), osc.dihedral(4)
    pairs = sample_transitions(data, **sizes, seed=0)
    slow, expected = timed(lambda: reference(subject, action, d4["r"], pairs.x, pairs.y))
    count = len(elements or d4.elements)
    fast, found = timed(lambda: osc.influence(model, data, d4, elements=elements, damping=DAMPING, **sizes))
    return {
        "elements": count, **fast.row(), **slow.times(count).row("reference_"),
        "ratio": slow.processor * count / fast.processor, "agreement": gaps(matrix(found, "r"), expected.numpy()),
    }  # fmt: skip


def sketched_orbit(
    data: osc.Trajectories, model: torch.nn.Module, sizes: dict[str, int], count: int, probes: int, every: int
) -> dict[str, Any]:
    """Translations along both axes, sketched, against their gradients alone, and against the exact answer on some."""
    side = round(count**0.5)
    group = osc.product(osc.translations(side, 0), osc.translations(side, 1))
    subject, action = Subject.of(model), osc.GridAction(data.layout, data.grid)
    pairs = sample_transitions(data, **sizes, seed=0)
    some = [group.elements[i].name for i in sorted({1, side // 2, side + 1, len(group) - 1})]
    timed_on = [g for i, g in enumerate(group) if i % every == 0 or g.name in some]
    part = len(group) / len(timed_on)
    floor = timed(lambda: [example_gradients(subject, osc.smse, *action.pair(g, pairs.x, pairs.y), 8) for g in timed_on][0])[0].times(part)

    def sketch(elements: list[osc.Isometry]) -> tuple[Cost, Any]:
        names = [g.name for g in elements]
        return timed(lambda: osc.influence(model, data, group, elements=names, damping=DAMPING, sketch=probes, **sizes))

    fast, found = sketch(timed_on)
    if every > 1:  # what is done once, and the rest in proportion
        once = sketch([group.identity])[0]
        fast = Cost(once.seconds + (fast.seconds - once.seconds) * part, once.processor + (fast.processor - once.processor) * part)
    exact = osc.influence(model, data, group, elements=some, damping=DAMPING, **sizes)
    turned = osc.influence(model, data, "d4", elements=["r", "s"], damping=DAMPING, sketch=probes, **sizes)
    turned_exact = osc.influence(model, data, "d4", elements=["r", "s"], damping=DAMPING, **sizes)
    return {
        "elements": len(group), "timed_on": len(timed_on), "probes": probes, **fast.row(), **floor.row("gradients_alone_"),
        "ratio": fast.processor / floor.processor,
        "agreement": {name: gaps(matrix(found, name), matrix(exact, name)) for name in some},
        "agreement_d4": {name: gaps(matrix(turned, name), matrix(turned_exact, name)) for name in ("r", "s")},
        "standard_error_said": float(turned["coherence_error"].median()),
    }  # fmt: skip


def within_budget(folder: Path, sizes: dict[str, int], memory: str, elements: list[str] | None) -> dict[str, Any]:
    """Peak resident memory of an exact influence in a process of its own, less that of a process that only loads."""
    peaks = {}
    for what in ("load", "run"):
        command = [sys.executable, __file__, "--child", what, "--folder", str(folder), "--memory", memory, "--sizes", json.dumps(sizes)]
        command += ["--threads", str(torch.get_num_threads())]
        answer = subprocess.run([*command, "--elements-json", json.dumps(elements)], capture_output=True, text=True, check=True)
        peaks[what] = json.loads(answer.stdout.strip().splitlines()[-1])
    used = peaks["run"]["peak"] - peaks["load"]["peak"]
    return {"budget": memory, "plan": peaks["run"]["plan"], "planned": peaks["run"]["planned"], "used": used}


def beside_peers(
    folder: Path, data: osc.Trajectories, model: torch.nn.Module, sizes: dict[str, int], pythons: dict[str, str]
) -> dict[str, Any]:
    """Inner products of the gradients of one element, kets with bras: ours and each peer's, best of two, one thread each."""
    subject, action, g = Subject.of(model), osc.GridAction(data.layout, data.grid), osc.dihedral(4)["r"]
    pairs = sample_transitions(data, **sizes, seed=0)
    x_moved, y_moved = action.pair(g, pairs.x, pairs.y)

    def ours(chunk: int) -> tuple[Tensor, Tensor]:
        kets, bras = (example_gradients(subject, osc.smse, *pair, chunk)[0] for pair in ((pairs.x, pairs.y), (x_moved, y_moved)))
        gram(bras, kets)
        return kets, bras

    threads, load = torch.get_num_threads(), os.getloadavg()[0]
    torch.set_num_threads(1)
    kets, bras = ours(8)  # the peers have a first call apart as well
    runs = []
    for n in sorted({min(8, len(pairs.x)), len(pairs.x)}):
        rows = [timed(lambda n=n: ours(n))[0] for _ in range(2)]
        runs.append({"batch": n, "seconds": min(r.seconds for r in rows), "processor_seconds": min(r.processor for r in rows)})
    torch.set_num_threads(threads)
    widths = [p.numel() for p in subject.parameters.values()]
    parts = zip(subject.parameters, bras.split(widths, 1), kets.split(widths, 1), strict=True)
    arrays = {f"gram/{name}": gram(bra, ket).numpy() for name, bra, ket in parts}
    problem = folder / "peers.npz"
    np.savez(problem, x=pairs.x, y=pairs.y, x_moved=x_moved, y_moved=y_moved, **arrays)  # pyright: ignore[reportArgumentType]
    found: dict[str, Any] = {
        "orbitscope": {k: min(r[k] for r in runs) for k in ("seconds", "processor_seconds")} | {"runs": runs, "load": load}
    }
    for name, python in pythons.items():
        load = os.getloadavg()[0]
        found[name] = call_peer([python, str(PEERS[name]), str(problem), str(folder / "run")]) | {"load": load}
    return found


def said(arguments: list[str]) -> str:
    """The command to repeat it: `dattri=PATH` for where a peer's Python lies on this machine, without folder and choice of parts."""
    parsed, kept = iter(arguments), []
    for argument in parsed:
        if argument == "--folder":
            next(parsed)
        elif argument != "--only" and argument not in PARTS:
            name, given, _ = argument.partition("=")
            kept.append(f"{name}=PATH" if given and name in PEERS else argument)
    return " ".join(["python", "benchmarks/influence.py", *kept])


def call_peer(command: list[str]) -> dict[str, Any]:
    """The JSON line that a peer's script prints, on one thread; what it said last, where it failed."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"note": "failed: " + (done.stderr.strip().splitlines() or ["no message"])[-1]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def child(what: str, folder: Path, sizes: dict[str, int], memory: str, elements: list[str] | None) -> None:
    """The process of `within_budget`."""
    data, model = osc.load(folder / "data.h5"), osc.load_run(folder / "run").model
    plans: list[Any] = []
    model(data.pairs([0], [0])[0])
    if what == "run":
        osc.influence(model, data, "d4", damping=DAMPING, memory=memory, elements=elements, planned=plans.append, **sizes)
    # Not getrusage: its maximum survives exec, so a child would show its parent's.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak = int(status["VmHWM"].split()[0]) * 1024
    print(json.dumps({"peak": peak, "plan": str(plans[0]) if plans else "", "planned": plans[0].peak if plans else 0}))


def main() -> None:
    """Run, print, and write if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="32 x 32, a smaller network, few elements: does it run?")
    parser.add_argument("--elements", type=int, default=256)
    parser.add_argument("--every", type=int, default=1, help="time the sketch and its floor on every n-th element, and multiply")
    parser.add_argument("--probes", type=int, default=64)
    parser.add_argument("--memory", default="4GiB")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--write", type=Path)
    parser.add_argument("--only", nargs="+", default=PARTS, choices=PARTS, help="parts; the others keep what --write's file says of them")
    parser.add_argument("--folder", type=Path, help="keep data and model here")
    parser.add_argument("--python", action="append", default=[], metavar="NAME=PATH", help=f"a peer's Python; NAME: {', '.join(PEERS)}")
    parser.add_argument("--child", choices=("load", "run"), help=argparse.SUPPRESS)
    parser.add_argument("--sizes", type=json.loads, default=None, help=argparse.SUPPRESS)
    parser.add_argument("--elements-json", type=json.loads, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    pythons = dict(item.split("=", 1) for item in options.python if "=" in item)
    if len(pythons) < len(options.python) or set(pythons) - set(PEERS):
        parser.error(f"--python: expected NAME=PATH, once per NAME of {', '.join(PEERS)}; got {', '.join(options.python)}.")
    torch.set_num_threads(options.threads)
    if options.child:
        child(options.child, options.folder, options.sizes, options.memory, options.elements_json)
        return
    sizes = {"trajectories": 8, "times": 3} if not options.quick else {"trajectories": 3, "times": 2}
    points, width, count = (64, 18, options.elements) if not options.quick else (32, 8, 9)
    elements = None if not options.quick else ["e", "r"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        data, model = prepare(folder, points, width, 40 if not options.quick else 10, 2)
        table = {
            "machine": machine(), "torch": str(torch.__version__), "threads": options.threads, "python": platform.python_version(),
            "orbitscope": osc.__version__,
            "command": said(sys.argv[1:]),
            "parameters": sum(p.numel() for p in model.parameters()), "points": points, **sizes,
        }  # fmt: skip
        kept = json.loads(options.write.read_text(encoding="utf-8")) if options.write and options.write.exists() else {}
        table |= {name: kept[name] for name in PARTS if name in kept and name not in options.only}
        for name, work in (
            ("exact", lambda: exact_orbit(data, model, sizes, elements)),
            ("memory", lambda: within_budget(folder, sizes, options.memory, ["e", "r"])),
            ("sketched", lambda: sketched_orbit(data, model, sizes, count, options.probes, options.every)),
            *([("peers", lambda: beside_peers(folder, data, model, sizes, pythons))] if pythons else []),
        ):
            if name not in options.only:
                continue
            load = os.getloadavg()[0]
            table[name] = work() | {"load": load}
            print(name, json.dumps(table[name], indent=1), flush=True)
            if options.write:
                options.write.parent.mkdir(parents=True, exist_ok=True)
                options.write.write_text(json.dumps(table, indent=1, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
