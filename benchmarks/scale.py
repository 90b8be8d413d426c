"""Have the networks for scale skill, do they commute, what do they cost? The table of docs/how-to/build-in.md, every number measured.

    python benchmarks/scale.py [--seeds 3] [--steps 640] [--runs 4]

Data: the convection of studies/equivariant_net, config small.toml, with fewer runs, made by its `sets.py`: 16 x 16 cells, three frames in.
`scale_frame_resnet` and `scale_frame_unet` see the same batches as the plain ResNet and U-Net of the study. Measured per seed and backbone:

* one step: mean squared error over that of persistence, and the root mean square over ten steps in units of the data, on windows of
  other runs; beside them the best forecast without training (last state, last increment again, parabola through the three);
* the same ten steps on the flow at lambda = 1/2;
* equivariance error from lambda = 1/2 to 1, from 1 to 2, and from 1/2 to 2: $|T F(x; dt) - F(T x; dt / l^2)|$ over the increment
  $|T F(x; dt) - T x|$, T the exact means over l x l cells times l; and the same at one dt, which is no symmetry of the flow;
* processor time of a training step over the plain network's, in turn, one thread; the median.

Bars: one step at most 0.1 of persistence; ten steps no worse than the plain network; equivariance at most 0.1; cost at most 3 times.
"""

import argparse
import datetime
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.emulators import Emulator, build
from orbitscope.probe import machine

ROOT = Path(__file__).resolve().parent.parent
STUDY = ROOT / "studies" / "equivariant_net"
sys.path[:0] = [str(STUDY), str(STUDY.parent)]

from harness import read_settings  # noqa: E402
from sets import _flows, make_sets  # noqa: E402
from study import Place, Settings  # noqa: E402
from trivial import TRIVIAL, trivial_forecasts  # noqa: E402

BEGIN, END = "<!-- scale:begin -->", "<!-- scale:end -->"
NAME, FRAMES, HORIZON = "rayleigh-benard", 3, 10
BACKBONES = {"resnet": "ResNet", "unet": "U-Net"}
KINDS = ("plain", "scale")
GAPS = {"1/2 to 1": (1, 2), "1 to 2": (2, 4), "1/2 to 2": (1, 4)}  # cells of the finest level that each end takes the mean of


def settings(runs: int) -> Settings:
    """Those of the study, with fewer runs."""
    found = read_settings(Settings, Path("small.toml"), STUDY)
    options = {**found.data[NAME], "runs": {"train": runs, "validation": 1, "test": 2, "domain": 0}}
    return replace(found, data={NAME: options}, seeds=[0])


def emulator(s: Settings, net: str, kind: str, grid: osc.Grid, unit: Tensor, increment: Tensor, seed: int) -> Emulator:
    """An untrained one, of the size it has in the study."""
    options = s.models[net][kind]
    torch.manual_seed(seed)
    layout = osc.Layout.of("velocity:vector")
    about = {"channels_in": 2 * FRAMES, "channels_out": 2, "layout": layout, "grid": grid, "residual": True, **options["overrides"]}
    backbone = build(options["model"], **about)
    return Emulator(backbone, torch.zeros(2), unit.expand(2), increment.expand(2), residual=True, frames=FRAMES)


def fit(model: nn.Module, values: Tensor, increment: Tensor, steps: int, seed: int) -> None:
    """Adam on single steps, batches of 8, the rate falling to 0: the same batches for every model."""
    windows = torch.stack([values[:, t : t + FRAMES + 1] for t in range(values.shape[1] - FRAMES)], 1).flatten(0, 1)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    draw = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        batch = windows[torch.randint(len(windows), (8,), generator=draw)]
        loss = ((model(batch[:, :FRAMES].flatten(1, 2)) - batch[:, FRAMES]) / increment).square().mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()


@torch.no_grad()
def forecast(model: nn.Module, values: Tensor) -> Tensor:
    """[window, step, channel, x, y]."""
    states = list(values[:, :FRAMES].unbind(1))
    for _ in range(HORIZON):
        states.append(model(torch.cat(states[-FRAMES:], 1)))
    return torch.stack(states[FRAMES:], 1)


def rms(values: Tensor) -> float:
    return float(values.square().mean().sqrt())


def errors(prediction: Tensor, values: Tensor, unit: float) -> dict[str, float]:
    """Squared error of one step over persistence's; root mean square over ten steps, in units of the data."""
    truth = values[:, FRAMES : FRAMES + HORIZON]
    still = rms(values[:, FRAMES - 1] - truth[:, 0])
    return {"step": (rms(prediction[:, 0] - truth[:, 0]) / still) ** 2, "ten": rms(prediction - truth) / unit}


@torch.no_grad()
def gap(model: Emulator, made: Any, fine: Tensor, first: int, second: int, scaled: bool) -> float:
    """From means over `first` cells to means over `second`; the frames are one step of the level of `first` apart."""
    fine = fine[:, :: first**2][:, :FRAMES]

    def seen(ratio: int) -> Tensor:
        return 0.5 * ratio * F.avg_pool2d(fine.flatten(0, 1), ratio).unflatten(0, fine.shape[:2])

    def answer(states: Tensor, dt: float) -> Tensor:
        other = made(states.shape[-1])
        other.load_state_dict(model.state_dict())
        other.backbone.dt = dt
        return other(states.flatten(1, 2))

    zoom, x, moved = second // first, seen(first), seen(second)
    before = zoom * F.avg_pool2d(answer(x, 1.0), zoom)
    after = answer(moved, 1.0 / zoom**2 if scaled else 1.0)
    return rms(after - before) / rms(before - moved[:, -1])


def cost(models: Sequence[nn.Module], batch: Tensor, repeats: int = 15) -> float:
    """Training step of the second over that of the first."""

    def step(model: nn.Module) -> float:
        start = time.process_time()
        model.zero_grad()
        model(batch).square().mean().backward()
        return time.process_time() - start

    for model in models:
        step(model)
    pairs = [(step(models[0]), step(models[1])) for _ in range(repeats)]
    return statistics.median(b / a for a, b in pairs)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Everything."""
    s = settings(options.runs)
    with tempfile.TemporaryDirectory() as folder:
        place = Place(options.data or Path(folder), s)
        make_sets(place, NAME, print)
        sets = {name: place.sets(NAME, name) for name in ("train", "original", "scale 1/2")}
    values = {name: data.tensor(torch.float32) for name, data in sets.items()}
    points = s.data[NAME]["points"]
    length = 4 * (FRAMES - 1) + 1
    flows = _flows(NAME, s.data[NAME], "test", length)
    fine = torch.stack([flow.cut(0.5, (x, 0), 0, length, 4 * points) for flow in flows for x in (0, 128)])
    unit, increment = values["train"].square().mean().sqrt(), values["train"].diff(dim=1).square().mean().sqrt()
    about = (sets["train"].grid, unit, increment)
    rows = [
        {"seed": seed, "backbone": net, **_row(s, net, seed, values, fine, about, options.steps)}
        for net in BACKBONES for seed in range(options.seeds)
    ]  # fmt: skip
    parameters = {
        f"{net} {kind}": sum(p.numel() for p in emulator(s, net, kind, *about, 0).parameters()) for net in BACKBONES for kind in KINDS
    }
    without = {
        name: {k: errors(v, values[name], float(unit)) for k, v in trivial_forecasts(values[name][:, :FRAMES], HORIZON).items()}
        for name in ("original", "scale 1/2")
    }
    return {
        "machine": machine(), "torch": torch.__version__, "date": datetime.date.today().isoformat(), "steps": options.steps, "rows": rows,
        "parameters": parameters, "trivial": without, "windows": {name: len(data) for name, data in sets.items()},
    }  # fmt: skip


def _row(s: Settings, net: str, seed: int, values: dict[str, Tensor], fine: Tensor, about: Any, steps: int) -> dict[str, Any]:
    """One seed of one backbone, plain and for scale."""
    row: dict[str, Any] = {}
    grid, unit, increment = about
    made = {kind: emulator(s, net, kind, grid, unit, increment, seed) for kind in KINDS}
    for kind, model in made.items():
        fit(model, values["train"], increment, steps, seed)
        for name in ("original", "scale 1/2"):
            row[f"{kind} {name}"] = errors(forecast(model, values[name]), values[name], float(unit))
    again = lambda n: emulator(s, net, "scale", osc.Grid.square(n, extent=float(n), boundary="open"), unit, increment, 0)  # noqa: E731
    for word, (first, second) in GAPS.items():
        row[f"gap {word}"] = gap(made["scale"], again, fine, first, second, True)
        row[f"gap at one dt {word}"] = gap(made["scale"], again, fine, first, second, False)
    row["cost"] = cost([made["plain"], made["scale"]], values["train"][:8, :FRAMES].flatten(1, 2))
    print(net, seed, json.dumps(row), flush=True)
    return row


def spread(values: Sequence[float]) -> str:
    """Median, and the range over seeds."""
    return f"{statistics.median(values):.2g} ({min(values):.2g} to {max(values):.2g})" if len(values) > 1 else f"{values[0]:.2g}"


def table(d: dict[str, Any]) -> str:
    """What stands between the markers."""
    lines = ["| forecast | one step, squared error over persistence's | ten steps | ten steps at λ = 1/2 |", "|---|---:|---:|---:|"]
    for key, word in TRIVIAL.items():
        here, half = d["trivial"]["original"][key], d["trivial"]["scale 1/2"][key]
        lines.append(f"| {word} | {here['step']:.2g} | {here['ten']:.2g} | {half['ten']:.2g} |")
    said = []
    for net, title in BACKBONES.items():
        rows = [r for r in d["rows"] if r["backbone"] == net]
        for kind, word in (("plain", f"plain {title}"), ("scale", f"`scale_frame_{net}`")):
            found = [[r[f"{kind} original"][k] for r in rows] for k in ("step", "ten")] + [[r[f"{kind} scale 1/2"]["ten"] for r in rows]]
            lines.append(f"| {word}, {d['parameters'][f'{net} {kind}']} parameters | {' | '.join(spread(v) for v in found)} |")
        said.append(_said(net, rows))
    return f"""{chr(10).join(lines)}

Ten steps: root mean square in units of the data. The equivariance error is over the increment, with the time step moved too, from λ to λ.

{chr(10).join(said)}

{len({r["seed"] for r in d["rows"]})} seeds, median (range); {d["steps"]} training steps, {d["windows"]["train"]} windows of 16 x 16 cells
(`benchmarks/scale.py`, torch {d["torch"]}, {d["machine"]}, {d["date"]})."""


def _said(net: str, rows: list[dict[str, Any]]) -> str:
    """What a backbone's rows say of the bars."""
    ten = [r["scale original"]["ten"] / r["plain original"]["ten"] for r in rows]
    bars = {
        "one step at most 0.1": all(r["scale original"]["step"] <= 0.1 for r in rows),
        "ten steps no worse than the plain network": statistics.median(ten) <= 1,
        "equivariance error at most 0.1": all(r[f"gap {w}"] <= 0.1 for r in rows for w in GAPS),
        "cost at most 3": all(r["cost"] <= 3 for r in rows),
    }
    gaps = ", ".join(f"{w}: {spread([r[f'gap {w}'] for r in rows])}" for w in GAPS)
    words = "; ".join(f"{word}: {'met' if met else 'missed'}" for word, met in bars.items())
    return f"""* `scale_frame_{net}`: equivariance error {gaps}.
  A training step costs {spread([r["cost"] for r in rows])} times the plain network's. Bars: {words}."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=640)
    parser.add_argument("--runs", type=int, default=4, help="of the solver, to train on")
    parser.add_argument("--data", type=Path, help="a folder that keeps the data")
    parser.add_argument("--page-only", action="store_true", help="write the table again from the results")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results" / "scale.json")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "how-to" / "build-in.md")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    if not options.page_only:
        options.results.write_text(json.dumps(measure(options), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    found = json.loads(options.results.read_text(encoding="utf-8"))
    before, rest = options.page.read_text(encoding="utf-8").split(BEGIN)
    options.page.write_text(f"{before}{BEGIN}\n{table(found)}\n{END}{rest.split(END)[1]}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
