"""Our solvers beside those that a user would pick instead: the same problem, error and time of each, and the time at equal error.

    python benchmarks/peers.py                                                          # ours alone
    python benchmarks/peers.py --python pyclaw=PATH --python exponax=PATH \\
        --python jax-cfd=PATH --python phiflow=PATH --write                             # with peers; writes JSON and the table in docs

PATH is the Python of an environment where that peer is installed: `pip install clawpack` (needs gfortran), `exponax "jax[cpu]"`,
`jax-cfd "jax[cpu]"`, `phiflow "jax[cpu]"`, one environment each. Every solver runs in a process of its own, first on one core, then
on all (`--cores`). Compilation (the first call less the best one) is reported apart. `--write` writes `benchmarks/results/peers.json`
and the part between the peers markers of `docs/solvers.md`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from orbitscope.physics import Euler, NavierStokes, initial_condition
from orbitscope.physics._riemann_exact import riemann_exact
from orbitscope.physics._spectral import resample
from orbitscope.probe import machine
from orbitscope.probe._provenance import versions
from orbitscope.symmetry import Grid

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "physics"))
from proofs.orders import TUBES, isentropic_vortex  # noqa: E402

HERE = Path(__file__).resolve().parent / "peers"
BEGIN, END = "<!-- peers:begin -->", "<!-- peers:end -->"
PEERS = {"pyclaw": "run_pyclaw.py", "exponax": "run_exponax.py", "jax-cfd": "run_jax_cfd.py", "phiflow": "run_phiflow.py"}
WORDS = {
    "gas-vortex": "isentropic vortex in a wind, t = 0.4, against the exact solution",
    "gas-sod": "Sod's tube on a square grid, t = 0.12, against the exact solution",
    "gas-quadrants": "CE-RP, first trajectory, t = 0.2, against ours at 512²",
    "flow": "NS-Gauss, first trajectory, viscosity 0.002, t = 1, against ours at 192²",
}
_VISCOSITY = 0.002
Array = NDArray[Any]
Runs = list[dict[str, Any]]


def main(argv: Sequence[str] | None = None) -> int:
    """Problems into a file, every solver on it, table out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", default=[], metavar="NAME=PATH", help=f"a peer's Python; NAME: {', '.join(PEERS)}")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--cores", type=int, nargs="+", default=[1], help="numbers of cores to give to each solver, 0 for all")
    parser.add_argument("--dtypes", nargs="+", default=["float64", "float32"])
    parser.add_argument("--problems", nargs="+", choices=list(WORDS), default=list(WORDS))
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--write", action="store_true", help="write the results and the table")
    parser.add_argument("--root", type=Path, default=ROOT, help="repository that --write writes to")
    options = parser.parse_args(argv)
    pythons = dict(item.split("=", 1) for item in options.python)
    if unknown := sorted(set(pythons) - set(PEERS)):
        parser.error(f"--python: no peer is called {', '.join(unknown)}. Known: {', '.join(PEERS)}.")
    scripts = {"orbitscope": (sys.executable, "run_orbitscope.py")} | {name: (path, PEERS[name]) for name, path in pythons.items()}
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "problems.npz"
        np.savez(path, **problems(options.problems, options.quick))  # pyright: ignore[reportArgumentType]
        for cores in options.cores:
            for dtype in options.dtypes:
                for name, (python, script) in scripts.items():
                    if name == "pyclaw" and dtype == "float32":
                        continue  # its kernels know float64 alone
                    extra = ["--dtype", dtype, "--repeats", str(options.repeats)]
                    print(f"{name}, {dtype}, {cores or 'all'} cores ...", file=sys.stderr, flush=True)
                    found.append(call([python, str(HERE / script), str(path), *extra], cores) | {"dtype": dtype, "cores": cores})
    result = {"machine": machine(), "load": os.getloadavg()[0], **versions(), "quick": options.quick, "results": found}
    text = table(result)
    print(text)
    if options.write:
        write(options.root / "benchmarks" / "results" / "peers.json", json.dumps(result, indent=1, allow_nan=False) + "\n")
        write_between(options.root / "docs" / "solvers.md", text)
    return 0


def problems(names: Sequence[str], quick: bool) -> dict[str, Array | float]:
    """Initial states and references by problem and size."""
    found: dict[str, Array | float] = {}
    for name in names:
        time, cases = {"gas-vortex": _vortex, "gas-sod": _sod, "gas-quadrants": _quadrants, "flow": _flow}[name](quick)
        found[f"{name}/time"] = time
        found[f"{name}/viscosity"] = _VISCOSITY
        for n, (initial, reference) in cases.items():
            found[f"{name}/{n}/initial"], found[f"{name}/{n}/reference"] = initial, reference
    return found


Cases = tuple[float, dict[int, tuple[Array, Array]]]


def _vortex(quick: bool) -> Cases:
    sizes = (16, 32) if quick else (32, 64, 128, 192)
    return 0.4, {n: (isentropic_vortex(n, 0.0)[0].numpy(), isentropic_vortex(n, 0.4)[0].numpy()) for n in sizes}


def _sod(quick: bool) -> Cases:
    left, right, time = TUBES["Sod"]
    cases = {}
    for n in (16, 32) if quick else (64, 128, 256):
        x = (np.arange(n * 20) + 0.5) / (n * 20)
        here = riemann_exact(left, right, (x - 0.5) / time)
        seam = riemann_exact(right, left, ((x + 0.5) % 1 - 0.5) / time)
        exact = np.where(np.abs(x - 0.5) < 0.25, here, seam).reshape(3, n, 20).mean(2)
        sides = [np.array([s.density, s.velocity, s.pressure])[:, None] for s in (left, right)]
        start = np.where(x < 0.5, *sides).reshape(3, n, 20).mean(2)
        states = [np.stack([w[0], w[0] * w[1], 0 * w[0], w[2] / 0.4 + 0.5 * w[0] * w[1] ** 2]) for w in (start, exact)]
        cases[n] = tuple(np.repeat(s[:, :, None], n, 2) for s in states)
    return time, cases


def _quadrants(quick: bool) -> Cases:
    fine, sizes = (64, (16, 32)) if quick else (512, (32, 64, 128, 256))

    def start(n: int) -> torch.Tensor:
        return initial_condition("CE-RP")(Grid.square(n), 0, 0, torch.float64)

    end = Euler().step(start(fine)[None], 0.2)[0]
    return 0.2, {n: (start(n).numpy(), end.reshape(4, n, fine // n, n, fine // n).mean((2, 4)).numpy()) for n in sizes}


def _flow(quick: bool) -> Cases:
    fine, sizes, time = (48, (16, 32), 0.1) if quick else (192, (32, 64, 96, 128), 1.0)
    # The same flow at every size: the modes of the largest one, cut.
    start = initial_condition("NS-Gauss")(Grid.square(max(sizes)), 0, 0, torch.float64)
    end = NavierStokes(viscosity=_VISCOSITY, cfl=0.4).step(resample(start, (fine, fine))[None], time)[0]
    return time, {n: (resample(start, (n, n)).numpy(), resample(end, (n, n)).numpy()) for n in sizes}


def call(command: list[str], cores: int) -> dict[str, Any]:
    """The JSON line that a script prints, run on so many cores; what it said instead, where it failed."""
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS") and k not in ("PYTHONPATH", "XLA_FLAGS")}
    if command[0] == sys.executable and "PYTHONPATH" in os.environ:
        environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
    if cores:
        environment["OMP_NUM_THREADS"] = str(cores)

    def pin() -> None:
        if cores and hasattr(os, "sched_setaffinity"):  # JAX asks the system how many cores there are
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, preexec_fn=pin)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return {"peer": Path(command[1]).stem.removeprefix("run_").replace("_", "-"), "versions": {}, "runs": [], "note": f"failed: {last}"}
    return json.loads(done.stdout.strip().splitlines()[-1])


def time_at(error: float, runs: Runs) -> float | None:
    """Seconds that a solver needs for that error, by its runs: interpolated on logarithms between the runs that no other one beats.

    None for an error smaller than any of its runs has; its cheapest run's time for one larger than they have.

    >>> rows = [{"error": 1e-2, "seconds": 1.0}, {"error": 1e-4, "seconds": 100.0}, {"error": 1e-2, "seconds": 5.0}]
    >>> round(time_at(1e-3, rows), 9), time_at(1.0, rows), time_at(1e-5, rows)
    (10.0, 1.0, None)
    """
    front: list[tuple[float, float]] = []
    for run in sorted(runs, key=lambda r: (r["seconds"], r["error"])):
        if not front or run["error"] < front[-1][0]:
            front.append((run["error"], run["seconds"]))
    if not front or error < front[-1][0]:
        return None
    if error >= front[0][0]:
        return front[0][1]
    errors, seconds = np.log([e for e, _ in front][::-1]), np.log([s for _, s in front][::-1])
    return float(np.exp(np.interp(np.log(error), errors, seconds)))


def table(result: dict[str, Any]) -> str:
    """Markdown: per problem and method of a peer its most accurate run, ours at the same error, the ratio."""
    rows = []
    for found in result["results"]:
        if found["peer"] == "orbitscope":
            continue
        alike = [r for r in result["results"] if (r["dtype"], r["cores"]) == (found["dtype"], found["cores"])]
        ours = next(r for r in alike if r["peer"] == "orbitscope")
        for problem, method in dict.fromkeys((r["problem"], r["method"]) for r in found["runs"]):
            theirs = [r for r in found["runs"] if (r["problem"], r["method"]) == (problem, method)]
            best = min(theirs, key=lambda r: (r["error"], r["seconds"]))
            same = [r for r in ours["runs"] if r["problem"] == problem]
            needed = time_at(best["error"], same)
            # Ours has no run so inaccurate: the cheapest one is more than was asked for.
            least = "≥ " if same and best["error"] > max(r["error"] for r in same) else ""
            compile_ = max(r["first"] - r["seconds"] for r in theirs)
            rows.append(
                [problem, f"{found['peer']}, {method}", found["dtype"], str(found["cores"] or "all"), f"{best['size']}², {best['setting']}"]
                + [f"{best['error']:.1e}", f"{best['seconds']:.3g}", f"{compile_:.2g}"]
                + (["not reached", "–"] if needed is None else [f"{needed:.3g}", f"{least}{best['seconds'] / needed:.3g}"])
            )
    header = ["problem", "peer", "precision", "cores", "its most accurate run", "error", "its seconds", "compiling, s", "ours, s", "ratio"]
    own = [
        [r["problem"], f["dtype"], str(f["cores"] or "all"), f"{r['size']}²", r["setting"], f"{r['error']:.1e}", f"{r['seconds']:.3g}"]
        for f in result["results"]
        if f["peer"] == "orbitscope"
        for r in f["runs"]
    ]
    notes = dict.fromkeys(f"* {f['peer']}: {f['note']}" for f in result["results"] if f["note"])
    names = {f["peer"]: ", ".join(f"{k} {v}" for k, v in f["versions"].items()) for f in result["results"] if f["versions"]}
    about = "; ".join([result["created"][:10], result["machine"], *names.values(), f"load before the run {result['load']:.1f}"])
    parts = ["**Tiny sizes, not the comparison.**"] if result["quick"] else []
    parts += ["\n".join(f"* {name}: {words}." for name, words in WORDS.items())]
    parts += [_table(header, rows)] if rows else []
    parts += ["Ours, one trajectory:", _table(["problem", "precision", "cores", "grid", "setting", "error", "seconds"], own)]
    return "\n\n".join([*parts, *(["\n".join(notes)] if notes else []), f"*`python benchmarks/peers.py`: {about}.*"])


def _table(header: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, ["---"] * len(header), *rows))


def write(path: Path, text: str) -> None:
    """Beside and rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def write_between(path: Path, text: str) -> None:
    """Replace what stands between the markers; the rest of the file stays as it is."""
    old = path.read_text(encoding="utf-8")
    if old.count(BEGIN) != 1 or old.count(END) != 1:
        sys.exit(f"{path} should hold one {BEGIN} and one {END}.")
    head, rest = old.split(BEGIN)
    write(path, f"{head}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    sys.exit(main())
