"""Processor time of one training step: relaxed against strict, and our layer against e3nn's for the same irreps, in one run.

    python studies/symmetry_breaking/speed.py

Writes results/<config>/speed.csv. Each pair takes turns, so that a busy machine slows both; the median of the ratios is what counts.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import harness  # noqa: E402, F401  # one thread, before torch is imported
import pandas as pd  # noqa: E402
import torch  # noqa: E402
from e3nn import o3  # noqa: E402
from tasks import TASKS  # noqa: E402
from torch import nn  # noqa: E402

from orbitscope._whole import write_whole  # noqa: E402
from orbitscope.nn import RadialBasis, Surroundings, TensorConv  # noqa: E402
from orbitscope.probe import machine  # noqa: E402
from orbitscope.systems.points import SYSTEM, PointMSE  # noqa: E402

REPEATS = 15


class Published(nn.Module):
    """The same map by e3nn: its product of features and harmonics on every edge, the weights linear in the radial functions."""

    def __init__(self, irreps: str, seen: Surroundings) -> None:
        super().__init__()
        self.product = o3.FullyConnectedTensorProduct(irreps, o3.Irreps.spherical_harmonics(2), irreps, shared_weights=False)
        self.radial = nn.Parameter(torch.randn(seen.radial.size, self.product.weight_numel) / seen.radial.size**0.5)
        self.seen = seen

    def forward(self, x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        count = places.shape[1]
        to, of = (~torch.eye(count, dtype=torch.bool)).nonzero(as_tuple=True)
        apart = places[:, of] - places[:, to]
        harmonics = o3.spherical_harmonics([0, 1, 2], apart, True, "component")
        weights = self.seen.radial(apart.norm(dim=-1)) @ self.radial
        messages = self.product(x[:, of], harmonics, weights)
        return torch.zeros_like(x).index_add(1, to, messages)


class Ours(nn.Module):
    """The library's layer."""

    def __init__(self, irreps: str, seen: Surroundings) -> None:
        super().__init__()
        self.conv, self.seen = TensorConv(irreps, irreps, seen.size), seen

    def forward(self, x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        return self.conv(x, self.seen(places))


def timed(steps: dict[str, Callable[[], None]]) -> dict[str, list[float]]:
    """Seconds of processor of each step, in turns; the first round is thrown away."""
    found: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(REPEATS + 2):
        for name, step in steps.items():
            started = time.process_time()
            step()
            if number > 1:
                found[name].append(time.process_time() - started)
    return found


def layers(copies: int, dtype: torch.dtype) -> list[dict[str, object]]:
    """Forward and backward of one layer on cubes."""
    torch.manual_seed(0)
    irreps = f"{copies}x0e+{copies}x1o+{copies}x2e"
    data = TASKS["cube-cube"].examples(0, 4)
    places = data.x[0].to(dtype)
    x = torch.randn(4, 8, copies * 9, dtype=dtype)
    seen = Surroundings(RadialBasis(2.6, 8), 2)
    nets = {"ours": Ours(irreps, seen).to(dtype), "e3nn": Published(irreps, seen).to(dtype)}

    def step(net: nn.Module) -> Callable[[], None]:
        def run() -> None:
            net.zero_grad()
            net(x, places).square().sum().backward()

        return run

    found = timed({name: step(net) for name, net in nets.items()})
    ratio = statistics.median(b / a for a, b in zip(found["ours"], found["e3nn"], strict=True))
    about = {"what": "layer", "irreps": irreps, "dtype": str(dtype).removeprefix("torch.")}
    times = [1e3 * statistics.median(found[n]) for n in ("ours", "e3nn")]
    return [{**about, "ours_ms": times[0], "other_ms": times[1], "ratio": ratio}]


class Linear(nn.Module):
    """In place of a layer: a linear map of each point's features, which costs next to nothing."""

    def __init__(self, conv: TensorConv) -> None:
        super().__init__()
        self.paths, self.weight = conv.paths, nn.Parameter(torch.zeros(conv.into.dim, conv.out.dim, dtype=torch.float64))

    def forward(self, x: torch.Tensor, seen: torch.Tensor, theta: torch.Tensor | None = None) -> torch.Tensor:
        return x @ self.weight


def columns(conv: nn.Module) -> int:
    """Components of the output, path by path: couplings and weights take multiplications in proportion."""
    return sum(b.shape[-1] for name, b in conv.named_buffers() if name.startswith("mixing"))


def networks(copies: int, highest: int | None, depth: int = 2, without: bool = False) -> list[dict[str, object]]:
    """A training step of the relaxed network over one of the strict one; `without` its second layer, to see what that layer takes."""
    data = TASKS["cube-prism"].examples(0, 16)
    loss, nets = PointMSE.of(data), {}
    for name in ("e3net", "relaxed_e3net"):
        torch.manual_seed(0)
        options = {"hidden": f"{copies}x0e+{copies}x1o+{copies}x2e", "layers": depth, **({"highest": highest} if "relaxed" in name else {})}
        nets[name] = SYSTEM.models[name].make(data, **options).double()
    width = [columns(nets[n].convs[1]) for n in ("relaxed_e3net", "e3net")]
    if without:
        for net in nets.values():
            net.convs[1] = Linear(net.convs[1])

    def step(net: nn.Module) -> Callable[[], None]:
        optimiser = torch.optim.AdamW(net.parameters())

        def run() -> None:
            optimiser.zero_grad()
            loss(net(*data.x), data.y).backward()
            optimiser.step()

        return run

    found = timed({name: step(net) for name, net in nets.items()})
    said = ("" if depth == 2 else f", {depth} layers") + ("" if highest is None else f", filters up to degree {highest}")
    said += ", a linear map in place of the second layer" if without else ""
    ratio = statistics.median(b / a for a, b in zip(found["e3net"], found["relaxed_e3net"], strict=True))
    times = [1e3 * statistics.median(found[n]) for n in ("relaxed_e3net", "e3net")]
    paths = [nets[n].convs[1].paths for n in ("relaxed_e3net", "e3net")]  # of the second layer
    return [
        {
            "what": "without" if without else "step",
            "irreps": f"{copies} of 0e, 1o, 2e{said}",
            "dtype": "float64",
            "ours_ms": times[0],
            "other_ms": times[1],
            "ratio": ratio,
            "paths": paths[0],
            "other_paths": paths[1],
            "columns": width[0],
            "other_columns": width[1],
        }
    ]


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=HERE / "results" / "small")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [row for copies in (4, 16) for dtype in (torch.float32, torch.float64) for row in layers(copies, dtype)]
    rows += [row for copies in (1, 4, 16) for highest in (None, 2, 1) for row in networks(copies, highest)]
    rows += [row for copies, highest in ((4, None), (16, None), (16, 2), (16, 1)) for row in networks(copies, highest, 3)]
    rows += networks(16, None, 3, without=True)
    frame = pd.DataFrame(rows).assign(machine=machine())
    text = frame.to_csv(index=False, float_format="%.4g", lineterminator="\n")
    write_whole(options.results / "speed.csv", lambda part: part.write_text(text, encoding="utf-8"))
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
