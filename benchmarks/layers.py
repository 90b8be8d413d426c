"""What a built-in symmetry costs and how exact it is, each against a yardstick measured in the same run.

    python benchmarks/layers.py [--quick] [--python escnn=PATH] [--python e2cnn=PATH] [--write benchmarks/results/layers.json]
    python benchmarks/layers.py --networks-only --write benchmarks/results/layers.json

* Construction: a convolution between 128 and 128 regular fields of C_8, with its weights drawn.
* Training step (forward, backward to weights and input) of a layer of 64 channels, against a plain convolution of the same channels,
  kernel and padding, taken in turn so that a busy machine troubles both alike; the median ratio. One thread; processor time. Peers do the
  same in a process of their own, against a plain convolution of their own: compare the ratios.
* Parameters and training step of whole networks, FNO, ViT, ResNet and UNet with D4 built in, against the plain network of about as many
  parameters (preset small), 4 states of 32 x 32 cells, in turn; the median ratio. `--networks-only` measures these alone and leaves what
  else the file holds.
* Equivariance error at 45 degrees of lifting, group and projecting convolution with ReLU on smooth vector fields, 33 x 33 cells, in the
  disc of a quarter of the box; beside it the error of the resampling alone. And at quarter turns and flips, in both precisions.

PATH is the Python of an environment where that peer is installed (`pip install e2cnn`; escnn's metadata asks for a Fortran compiler, so
`pip install --no-deps escnn` and, by hand, numpy<2, joblib, pymanopt, autograd, lie_learn). Peers get the same fields in their convention.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.emulators import build, equivariant
from orbitscope.nn import Activation, EquivariantConv, Features
from orbitscope.probe import machine

N, LAYOUT = 33, osc.Layout.of("v:vector")
GRID = osc.Grid.square(N, boundary="wall")
PEER = Path(__file__).resolve().parent / "peers" / "run_escnn.py"


def timed(work: Callable[[], Any]) -> float:
    """Seconds of processor time: one thread, so that what else the machine does counts less."""
    start = time.process_time()
    work()
    return time.process_time() - start


def construction(fields: int, kernel: int) -> dict[str, float]:
    """Seconds to make a layer, by group."""
    out = {}
    for group in ("c4", "d4", "c8", "c16"):
        f = Features.of(group, f"regular*{fields}")
        out[group] = timed(lambda f=f: EquivariantConv(f, f, kernel))
    return out


def steps(channels: int, kernel: int, points: int, batch: int, repeats: int) -> list[dict[str, Any]]:
    """Training steps of equivariant layers and of the plain convolution with as many channels."""
    rows = []
    for group in ("c4", "d4", "c8", "d8", "so2"):
        size = len(osc.parse_group(group))
        words = [f"irrep:0*{channels // 4}", f"irrep:1*{channels * 3 // 8}"] if group == "so2" else [f"regular*{channels // size}"]
        f = Features.of(group, *words)
        x = torch.randn(batch, f.channels, points, points, requires_grad=True)
        layer = EquivariantConv(f, f, kernel, boundary="zero")
        plain = nn.Conv2d(f.channels, f.channels, kernel, padding=kernel // 2)

        def step(module: nn.Module, x: Tensor = x) -> None:
            module.zero_grad()
            x.grad = None
            module(x).square().mean().backward()

        step(layer), step(plain)
        pairs = [(timed(lambda m=layer: step(m)), timed(lambda m=plain: step(m))) for _ in range(repeats)]
        rows.append(
            {
                "group": group,
                "channels": f.channels,
                "seconds": min(p[0] for p in pairs),
                "plain_seconds": min(p[1] for p in pairs),
                "ratio": statistics.median(a / b for a, b in pairs),
            }
        )
    return rows


def networks(repeats: int) -> dict[str, Any]:
    """Whole networks with D4 built in and the plain ones, as many parameters as whole fields allow."""
    rows = []
    x = torch.randn(4, 2, 32, 32)
    for name in ("fno", "vit", "resnet", "unet"):
        plain, made = build(name, channels_in=2, resolution=32), equivariant(name, "d4", layout=LAYOUT, resolution=32)

        def step(module: nn.Module) -> None:
            module.zero_grad()
            module(x).square().mean().backward()

        step(made), step(plain)
        pairs = [(timed(lambda m=made: step(m)), timed(lambda m=plain: step(m))) for _ in range(repeats)]
        rows.append(
            {
                "network": name,
                "parameters": sum(p.numel() for p in made.parameters()),
                "plain_parameters": sum(p.numel() for p in plain.parameters()),
                "seconds": min(p[0] for p in pairs),
                "plain_seconds": min(p[1] for p in pairs),
                "ratio": statistics.median(a / b for a, b in pairs),
            }
        )
        print(
            "network  {network:7} {parameters} parameters, plain {plain_parameters}; ratio of training steps {ratio:.2f}".format(**rows[-1])
        )
    return {"machine": machine(), "torch": torch.__version__, "load": os.getloadavg()[0], "repeats": repeats, "rows": rows}


def fields(seeds: Sequence[int]) -> tuple[Tensor, Tensor, float]:
    """Smooth vector fields [seed, 2, 2, N, N], turned by 45 degrees, and the relative error of turning there and back."""
    k = torch.fft.fftfreq(N, dtype=torch.float64)
    low = torch.exp(-2 * (2 * math.pi) ** 2 * (k[:, None] ** 2 + k**2))
    noise = [torch.randn(2, 2, N, N, dtype=torch.float64, generator=torch.Generator().manual_seed(s)) for s in seeds]
    x = torch.stack([torch.fft.ifft2(torch.fft.fft2(v) * low).real for v in noise])
    action, g = osc.GridAction(LAYOUT, GRID), osc.rotation(math.pi / 4)
    back = action(g.inverse(), action(g, x))
    return x, action(g, x), float(((back - x) * middle()).norm() / (x * middle()).norm())


def middle() -> Tensor:
    """The disc of a quarter of the box."""
    c = torch.arange(N, dtype=torch.float64) - (N - 1) / 2
    return (c[:, None] ** 2 + c**2).sqrt() < N / 4


def network(group: str, kernel: int, seed: int) -> nn.Module:
    """Lifting, group and projecting convolution, 64 to 72 hidden channels."""
    torch.manual_seed(seed)
    v = Features.from_layout(LAYOUT, group)
    words = ["irrep:0*16", "irrep:1*16", "irrep:2*8"] if group == "so2" else [f"regular*{64 // len(osc.parse_group(group))}"]
    f = Features.of(group, *words)
    return nn.Sequential(
        EquivariantConv(v, f, kernel, boundary="zero"), Activation(f, F.relu), EquivariantConv(f, f, kernel, boundary="zero"),
        Activation(f, F.relu), EquivariantConv(f, v, kernel, boundary="zero"),
    )  # fmt: skip


def error(y: Tensor, moved: Tensor) -> float:
    """Of the network's answers to a field and to the turned field, at 45 degrees."""
    target = osc.GridAction(LAYOUT, GRID)(osc.rotation(math.pi / 4), y)
    return float(((moved - target) * middle()).norm() / (target * middle()).norm())


@torch.no_grad()
def turns(kernels: Sequence[int], seeds: Sequence[int], x: Tensor, moved: Tensor) -> list[dict[str, Any]]:
    """Errors at 45 degrees, and the largest at quarter turns and flips."""
    rows, action = [], osc.GridAction(LAYOUT, GRID)
    for group in ("c4", "c8", "d8", "c16", "so2"):
        for kernel in kernels:
            errors, exact = [], {"float32": 0.0, "float64": 0.0}
            for s in seeds:
                for dtype in (torch.float32, torch.float64):
                    net = network(group, kernel, s).to(dtype)
                    y = net(x[s].to(dtype))
                    for g in osc.parse_group("d4" if group[0] == "d" else "c4"):
                        gap = float((net(action(g, x[s].to(dtype))) - action(g, y)).norm() / y.norm())
                        exact[str(dtype)[6:]] = max(exact[str(dtype)[6:]], gap)
                errors.append(error(y, net(moved[s])))
            rows.append({"group": group, "kernel": kernel, "error_45": statistics.mean(errors), "worst_45": max(errors), **exact})
    return rows


def peer(library: str, python: str, settings: dict[str, Any], x: Tensor, moved: Tensor) -> dict[str, Any]:
    """The same in a peer. Its y axis points up the rows, so its vectors are (component 1, -component 0)."""

    def theirs(v: Tensor) -> Tensor:
        return torch.stack([v[..., 1, :, :], -v[..., 0, :, :]], -3)

    def ours(v: np.ndarray) -> Tensor:
        t = torch.as_tensor(v)
        return torch.stack([-t[..., 1, :, :], t[..., 0, :, :]], -3)

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(source, settings=json.dumps(settings), x=theirs(x).numpy(), moved=theirs(moved).numpy())
        subprocess.run([python, str(PEER), library, str(source), str(target)], check=True, stdout=subprocess.DEVNULL)
        made = np.load(target)
        results = json.loads(str(made["results"]))
        rows = []
        for kernel in settings["kernels"]:
            errors = [error(ours(made[f"x_{kernel}_{s}"]), ours(made[f"moved_{kernel}_{s}"])) for s in settings["seeds"]]
            rows.append({"group": "c8", "kernel": kernel, "error_45": statistics.mean(errors), "worst_45": max(errors)})
    return {**results, "turns": rows}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few repeats and seeds, small sizes")
    parser.add_argument("--python", action="append", default=[], metavar="NAME=PATH", help="a peer's Python; NAME: escnn, e2cnn")
    parser.add_argument("--write", type=Path, help="JSON file")
    parser.add_argument("--networks-only", action="store_true", help="whole networks alone, into the file that is there")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    quick = options.quick
    if options.networks_only:
        held = json.loads(options.write.read_text(encoding="utf-8")) if options.write else {}
        held["networks"] = networks(3 if quick else 7)
        write(options.write, held)
        return 0
    kernels, seeds = ([5], [0]) if quick else ([3, 5, 7], [0, 1, 2, 3, 4])
    shape = {"channels": 64, "kernel": 5, "points": 32 if quick else 64, "batch": 2 if quick else 8, "repeats": 3 if quick else 15}
    settings = {**shape, "kernels": kernels, "seeds": seeds, "fields": 128}
    x, moved, resampling = fields(seeds)
    result: dict[str, Any] = {
        "machine": machine(),
        "torch": torch.__version__,
        "load_before": os.getloadavg(),
        "settings": settings,
        "construction_seconds": construction(128, 5),
        "training_steps": steps(**shape),
        "turns": turns(kernels, seeds, x, moved),
        "resampling_45": resampling,
        "networks": networks(3 if quick else 7),
        "peers": {},
    }
    for given in options.python:
        name, _, path = given.partition("=")
        result["peers"][name] = peer(name, path, settings, x, moved)
    result["load_after"] = os.getloadavg()
    show(result)
    write(options.write, result)
    return 0


def write(path: Path | None, result: dict[str, Any]) -> None:
    """The results as JSON, where a file is asked for."""
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def show(result: dict[str, Any]) -> None:
    """Tables in the terminal."""
    print(result["machine"], "load", *result["load_before"])
    print("construction of 128 -> 128 regular fields, s:", {k: round(v, 3) for k, v in result["construction_seconds"].items()})
    for row in result["training_steps"]:
        print(
            "training step  {group:4} {channels:4} channels  {seconds:.4f} s, plain {plain_seconds:.4f} s, ratio {ratio:.3f}".format(**row)
        )
    print(f"resampling alone at 45 degrees {result['resampling_45']:.1e}")
    for row in result["turns"]:
        line = "turns  {group:4} kernel {kernel}  45 degrees {error_45:.1e} (worst {worst_45:.1e})  exact elements"
        print((line + " {float32:.1e} float32, {float64:.1e} float64").format(**row))
    for name, found in result["peers"].items():
        print(
            f"{name}: construction {found['construction']:.2f} s, training step of c8 {found['step']:.4f} s, "
            f"plain {found['plain']:.4f} s, ratio {found['ratio']:.3f}"
        )
        for row in found["turns"]:
            print("  {group:4} kernel {kernel}  45 degrees {error_45:.1e} (worst {worst_45:.1e})".format(**row))


if __name__ == "__main__":
    sys.exit(main())
