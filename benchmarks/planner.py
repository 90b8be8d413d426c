"""Speed of one decision of MPPI: ours, ours with a group, and pytorch-mppi, on the same problem in one run.

    python benchmarks/planner.py [--out benchmarks/results/planner.json] [--repeats 40]

The problem is a ball in the plane that is driven to a target, in a box of actions, with the same functions for all planners. pytorch-mppi
is asked for with `pip install pytorch-mppi` in an environment that has this library (0.9.1 was measured); without it only ours is timed.
Seconds are of the processor, one thread, the best of `repeats` decisions, the planners taking turns (medians stand beside them; other
programs were running); the model alone, which every planner calls, takes its turn too. What an episode of 60 actions costs, over eight
first states, is measured as well.
"""

import argparse
import functools
import importlib.metadata
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from orbitscope.probe import machine
from orbitscope.systems.control import Balls, BoxActions, Planner, balls

SIZES = ((128, 15), (512, 15), (512, 30), (2048, 30), (8192, 30))
TEMPERATURE, STD = 0.1, 0.7


def ours(ball: Balls, count: int, horizon: int, dtype: torch.dtype, group: str | None) -> Callable[[torch.Tensor], torch.Tensor]:
    """A fresh planner of ours; its decision."""
    words: dict[str, Any] = {} if group is None else {"group": group, "action": "vector"}
    box = BoxActions([-0.7, -0.7], [0.7, 0.7])
    return Planner(
        ball.step, ball.cost, box, horizon=horizon, samples=count, std=STD, temperature=TEMPERATURE, control_cost=TEMPERATURE, dtype=dtype,
        **words,
    ).command  # fmt: skip


def theirs(ball: Balls, count: int, horizon: int, dtype: torch.dtype) -> Callable[[torch.Tensor], torch.Tensor]:
    """A fresh MPPI of pytorch-mppi; its decision."""
    from pytorch_mppi import MPPI  # pyright: ignore[reportMissingImports]

    limit = torch.full((2,), 0.7, dtype=dtype)
    made = MPPI(
        ball.step, ball.cost, 6, STD**2 * torch.eye(2, dtype=dtype), num_samples=count, horizon=horizon, lambda_=TEMPERATURE, u_min=-limit,
        u_max=limit, U_init=torch.zeros(horizon, 2, dtype=dtype),
    )  # fmt: skip
    return made.command


def model(ball: Balls, count: int, horizon: int, dtype: torch.dtype) -> Callable[[torch.Tensor], torch.Tensor]:
    """What no planner can leave out: step and cost along so many sequences, without any record for derivatives."""
    actions = 0.7 * (2 * torch.rand(horizon, count, 2, dtype=dtype, generator=torch.Generator().manual_seed(1)) - 1)

    def rolled(state: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            now, total = state[None].repeat_interleave(count, 0), torch.zeros(count, dtype=dtype)
            for action in actions:
                now = ball.step(now, action)
                total += ball.cost(now, action)
            return total

    return rolled


def planners() -> dict[str, Callable[..., Callable[[torch.Tensor], torch.Tensor]]]:
    """Name -> how one is made; the peer only where it is installed."""
    found: dict[str, Any] = {"orbitscope": functools.partial(ours, group=None), "orbitscope, D4": functools.partial(ours, group="d4")}
    try:
        importlib.metadata.version("pytorch-mppi")
    except importlib.metadata.PackageNotFoundError:
        return found
    return {**found, "pytorch-mppi": theirs}


def seconds(makers: dict[str, Any], ball: Balls, count: int, horizon: int, dtype: torch.dtype, repeats: int) -> dict[str, list[float]]:
    """Processor seconds of decisions, all planners in turn."""
    state = ball.start(torch.Generator().manual_seed(0), 1)[0].to(dtype)
    decide = {name: make(ball, count, horizon, dtype) for name, make in makers.items()}
    times: dict[str, list[float]] = {name: [] for name in decide}
    for number in range(repeats + 3):
        for name, command in decide.items():
            began = time.process_time()
            command(state)
            if number >= 3:
                times[name].append(time.process_time() - began)
    return times


def episode(make: Any, ball: Balls, count: int, horizon: int, dtype: torch.dtype) -> float:
    """Mean cost of an action over an episode of 60, by the true step."""
    total, first = 0.0, ball.start(torch.Generator().manual_seed(7), 8).to(dtype)
    for state in first:
        command = make(ball, count, horizon, dtype)
        now = state[None]
        for _ in range(60):
            action = command(now[0]).reshape(1, 2)
            now = ball.step(now, action)
            total += float(ball.cost(now, action)[0])
    return total / (60 * len(first))


def main() -> int:
    """Measure, print and, if asked, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--repeats", type=int, default=40)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    ball, makers, rows = balls("ball2d"), planners(), []
    for dtype in (torch.float32, torch.float64):
        for count, horizon in SIZES:
            times = seconds({**makers, "model alone": model}, ball, count, horizon, dtype, asked.repeats)
            found, middle = ({name: how(values) for name, values in times.items()} for how in (min, statistics.median))
            row: dict[str, Any] = {"dtype": str(dtype).removeprefix("torch."), "samples": count, "horizon": horizon, "seconds": found}
            row["median_seconds"] = middle
            if "pytorch-mppi" in found:
                row["ratio"] = found["pytorch-mppi"] / found["orbitscope"]
                row["median_ratio"] = middle["pytorch-mppi"] / middle["orbitscope"]
            rows.append(row)
            print(
                row["dtype"],
                count,
                horizon,
                {k: f"{1e3 * v:.2f} ms" for k, v in found.items()},
                *(f"{row[k]:.2f}" for k in ("ratio", "median_ratio") if k in row),
            )
    costs = {name: episode(make, ball, 512, 15, torch.float64) for name, make in makers.items()}
    print({name: f"{value:.4f}" for name, value in costs.items()})
    peer = importlib.metadata.version("pytorch-mppi") if "pytorch-mppi" in makers else None
    result = {
        "machine": machine(), "torch": torch.__version__, "pytorch-mppi": peer, "threads": 1, "repeats": asked.repeats, "rows": rows,
        "episode_cost": costs, "bar_met": None if peer is None else all(row["ratio"] >= 1 for row in rows),
    }  # fmt: skip
    if asked.out is not None:
        asked.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
