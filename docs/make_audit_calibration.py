"""How often is the audit right? Plants every fault on the list in several scenarios and seeds, with and without a law, and writes the
counts into docs/how-to/audit.md.

    python docs/make_audit_calibration.py [--seeds 2] [--resolution 32]

A word is *right* where it names the fault (up to a symmetry of the law) or calls a right file consistent, *cautious* where it claims
nothing (undetermined, or breaks its laws without a cause) or says itself that this fault would not show, *wrong* otherwise: a fault
called consistent, a right file refused, another fault named, an interval that does not hold the true factor, or a number written into a
copy that is not the true one.
"""

import argparse
import json
import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

import orbitscope as osc
from orbitscope.probe.data._snapshot_laws import snapshot_residuals
from orbitscope.probe.data._timing import null_width
from orbitscope.symmetry import Grid

PAGE = Path(__file__).parent / "how-to" / "audit.md"
START, END = "<!-- calibration: written by docs/make_audit_calibration.py -->", "<!-- end of calibration -->"
SCENARIOS = ("navier-stokes.gauss", "navier-stokes.brownian", "navier-stokes.shear", "euler.riemann")
FRAMES, T_END = 11, 1.0


@dataclass(frozen=True)
class Fault:
    """What is done to a right file, and the words that name it ("consistent" for none)."""

    name: str
    plant: Callable[[osc.Trajectories], osc.Trajectories]
    words: str
    factor: float = 1.0
    flows_only: bool = False


def vector(data: osc.Trajectories) -> list[int]:
    """The channels of the vector."""
    return [i for i, n in enumerate(data.layout.channel_names) if n.endswith(("_x", "_y"))]


def put(data: osc.Trajectories, change: Callable[[Tensor], Tensor], **kept: object) -> osc.Trajectories:
    """The same declaration over other values."""
    return data.replace(values=change(data.tensor().clone()).contiguous(), **kept)  # pyright: ignore[reportArgumentType]


def mixed(step: int) -> Callable[[osc.Trajectories], osc.Trajectories]:
    """Components exchanged in every `step`-th trajectory."""

    def plant(data: osc.Trajectories) -> osc.Trajectories:
        other = data.swap_components().tensor()

        def change(v: Tensor) -> Tensor:
            v[::step] = other[::step]
            return v

        return put(data, change)

    return plant


def negated(data: osc.Trajectories) -> osc.Trajectories:
    """The second component with the wrong sign."""

    def change(v: Tensor) -> Tensor:
        v[:, :, vector(data)[1]] *= -1
        return v

    return put(data, change)


def displaced(cells: float) -> Callable[[osc.Trajectories], osc.Trajectories]:
    """The first component moved up x."""

    def plant(data: osc.Trajectories) -> osc.Trajectories:
        n, c = data.grid.shape[0], vector(data)[0]
        phase = torch.exp(-2j * math.pi * cells / n * torch.arange(n // 2 + 1))[:, None]

        def change(v: Tensor) -> Tensor:
            v[:, :, c] = torch.fft.irfft(torch.fft.rfft(v[:, :, c], dim=2) * phase, n=n, dim=2)
            return v

        return put(data, change)

    return plant


def cropped(swap: bool) -> Callable[[osc.Trajectories], osc.Trajectories]:
    """Three quarters of the box, declared open."""

    def plant(data: osc.Trajectories) -> osc.Trajectories:
        m = 3 * data.grid.shape[0] // 4
        grid = Grid((m, m), (0.75, 0.75), ("open", "open"))
        return put(data.swap_components() if swap else data, lambda v: v[..., :m, :m], grid=grid)

    return plant


def boxed(x: float, y: float) -> Callable[[osc.Trajectories], osc.Trajectories]:
    """Another extent told."""
    return lambda d: d.replace(grid=Grid(d.grid.shape, (x, y), d.grid.boundary))


def larger(data: osc.Trajectories) -> osc.Trajectories:
    """The same flow on a box of 2 pi: velocities scale as lengths, energy as their square."""
    side = 2 * math.pi
    units = torch.tensor(osc.equation(str(data.provenance["equation"])).rescaled(side)[1], dtype=torch.float64)
    return put(data, lambda v: v * units[:, None, None], grid=Grid.square(data.grid.shape[0], extent=side))


SWAPPED = r"components swapped$|axes transposed$"
FAULTS = (
    Fault("nothing", lambda d: d, "consistent"),
    Fault("nothing, on a box of 2 pi", larger, "consistent"),
    Fault("nothing, every second frame and dt told", lambda d: put(d, lambda v: v[:, ::2], dt=2 * d.dt), "consistent"),
    Fault("components swapped", lambda d: d.swap_components(), SWAPPED),
    Fault("one sign", negated, r"component y negated$"),
    Fault("swapped and one sign", lambda d: negated(d.swap_components()), r"components swapped, [xy] negated$"),
    Fault("swapped in a quarter of the trajectories", mixed(4), r"declared in .*components swapped in"),
    Fault("swapped in half of the trajectories", mixed(2), r"declared in .*components swapped in|components swapped in .*declared in"),
    Fault("u displaced by one cell", displaced(1.0), r"component x displaced by 1 cell along x$"),
    Fault("u staggered alone", displaced(0.5), r"component x displaced by 0.5 cell along x$"),
    Fault("every second frame, dt not told", lambda d: put(d, lambda v: v[:, ::2]), r"dt x", 2.0),
    Fault("velocity in km/h", lambda d: put(d, lambda v: 3.6 * v), r"(dt|box) x", 1 / 3.6, flows_only=True),
    Fault("extent 0.1 for 1", boxed(0.1, 0.1), r"(dt|box) x", 0.1),
    Fault("extent (1, 0.5) for (1, 1)", boxed(1.0, 0.5), r"$^"),
    Fault("raw packed integers", lambda d: put(d, lambda v: torch.round(v / v.abs().max() * 30000)), r"$^", flows_only=True),
    Fault("time and trajectory exchanged", lambda d: put(d, lambda v: v.transpose(0, 1)), r"$^"),
    Fault("nothing, cut out and declared open", cropped(False), "consistent"),
    Fault("swapped, cut out and declared open", cropped(True), SWAPPED),
)


def judge(fault: Fault, found: object) -> str:
    """right, cautious or wrong."""
    attrs = found.attrs  # pyright: ignore[reportAttributeAccessIssue]
    verdict, fits = str(attrs["verdict"]), str(attrs["convention_fits"])
    if verdict in ("undetermined", "file breaks its laws"):
        return "cautious" if fault.words != "consistent" or verdict == "undetermined" else "wrong"
    if verdict == "consistent":
        blind = "displaced" in fault.words and "displaced by a cell or two would not show" in str(attrs["explanation"])
        return "right" if fault.words == "consistent" else "cautious" if blind else "wrong"
    if not re.match(fault.words, fits):
        return "wrong"
    if fault.factor != 1:
        interval = re.search(r"factor of the (\S+).* lies between (\S+) and (\S+);", attrs["explanation"])
        true = fault.factor if not fits.startswith("box") else 1 / fault.factor
        if interval is None or not float(interval[2]) * 0.999 <= true <= float(interval[3]) * 1.001:
            return "wrong"
        for fix in json.loads(attrs["fixes"]):
            written = fix["factor"] / fix["length"]
            if abs(math.log(written / fault.factor)) > max(fix["uncertainty"], 0.02):
                return "wrong"
    return "right"


def simulated(scenario: str, seed: int, resolution: int, trajectories: int) -> osc.Trajectories:
    """A right file."""
    chunks = osc.simulate(
        scenario, trajectories=trajectories, resolution=resolution, frames=FRAMES, t_end=T_END, seed=seed, dtype=torch.float64
    )
    law = osc.equation(scenario.partition(".")[0])
    values = torch.cat([c for _, c in chunks])
    return osc.Trajectories(values, law.layout, law.grid(resolution), dt=T_END / (FRAMES - 1), provenance={"equation": law.name})


def null(files: list[osc.Trajectories]) -> tuple[int, float]:
    """How many right pairs of snapshots were asked for their time step, and the largest |log factor| over the width of the null."""
    count, worst = 0, 0.0
    for data in files:
        values = data.tensor()
        for lead in (1, 2):
            for t in (0, FRAMES - 1 - lead):
                a, b = values[:, t], values[:, t + lead]

                def residual(f: float, a: Tensor = a, b: Tensor = b, lead: int = lead, data: osc.Trajectories = data) -> Tensor:
                    found = snapshot_residuals(a, b, f * lead * data.dt, data.layout, data.grid, None)
                    return found.get("transport", found.get("mass", torch.ones(1)))

                ahead, back = residual(1.0).square(), residual(-1.0).square()
                factor = float(((back - ahead) / (4 * ((ahead + back) / 2 - 1).clamp_min(1e-12))).median())
                left = float(residual(factor).median()) if factor > 0 else 1.0
                if left < 0.25:
                    count, worst = count + 1, max(worst, abs(math.log(factor)) / null_width(left))
    return count, worst


def table(rows: dict[tuple[str, bool], Counter[str]], files: int, count: int, worst: float, args: argparse.Namespace) -> str:
    """The part of the page between the markers."""
    lines = [
        START, "",
        f"{files} right files ({', '.join(SCENARIOS)}; {args.seeds} seeds; {args.trajectories} trajectories of {FRAMES} frames at "
        f"{args.resolution} x {args.resolution}), each fault planted in each. Counted are right / cautious / wrong words: right "
        "names the fault or calls a right file consistent; cautious claims nothing, or says itself that such a fault would not show.", "",
        "| planted | law known | no law |", "|---|---|---|",
    ]  # fmt: skip
    for fault in FAULTS:
        cells = [" / ".join(str(rows[fault.name, known][w]) for w in ("right", "cautious", "wrong")) for known in (True, False)]
        lines.append(f"| {fault.name} | {cells[0]} | {cells[1]} |")
    total = sum(rows.values(), Counter())
    lines += [
        f"| **together** | {total['right']} right, {total['cautious']} cautious | **{total['wrong']} wrong** |", "",
        f"The null of the time step: {count} sets of right snapshots whose laws hold (residual below 0.25 at best). The logarithm "
        f"of the factor that fits best is at most {worst:.2f} of the margin inside which nobody is accused, 0.01 + 2.5 residuals.",
        "", END,
    ]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    """Run everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--resolution", type=int, default=32)
    parser.add_argument("--trajectories", type=int, default=8)
    args = parser.parse_args()
    files = [simulated(s, seed, args.resolution, args.trajectories) for s in SCENARIOS for seed in range(args.seeds)]
    rows = {(fault.name, known): Counter[str]() for fault in FAULTS for known in (True, False)}
    for data in files:
        for fault in FAULTS:
            if fault.flows_only and not data.layout.channel_names[0].startswith("velocity"):
                continue
            planted = fault.plant(data)
            for known in (True, False):
                one = planted.replace(provenance={"equation": data.provenance["equation"]} if known else {})
                found = osc.audit(one, "c2", permutations=9, elements=["e"])
                word = judge(fault, found)
                rows[fault.name, known][word] += 1
                print(
                    data.provenance["equation"], fault.name, known, word, found.attrs["verdict"], found.attrs["convention_fits"], flush=True
                )
    text = table(rows, len(files), *null(files), args)
    page = PAGE.read_text()
    before, after = page.partition(START)[0], page.partition(END)[2]
    PAGE.write_text(before + text + after)
    print(text)


if __name__ == "__main__":
    main()
