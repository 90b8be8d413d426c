"""The verb that plans."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

Positional = tyro.conf.Positional


@dataclass
class Plan:
    """Plan in an environment with its true model; does every decision turn with the world?

    Writes states, actions, rewards and the decision-equivariance error of every element of the group to a NetCDF file, and a picture.
    Needs the extra: pip install "orbitscope[robots]".

    Example: orbitscope plan ball2d --planner mppi --group d4 --out plan.nc
    """

    environment: Positional[str]
    """Name of an environment: ball2d, ball3d, reacher, point_mass, ..."""
    planner: Literal["mppi", "cem", "mixture"] = "mppi"
    """Way to plan: mppi (softmax of all), cem (mean of elites, again and again) or mixture (softmax of elites, as in TD-MPC)."""
    group: str | None = None
    """Group that every decision commutes with, in words; None: the one declared of the environment; none: no group."""
    out: Path = Path("plan.nc")
    """NetCDF file for what is found; the picture is written beside it, as .png."""
    episodes: int = 1
    """Episodes."""
    steps: int | None = None
    """Actions in an episode; None: until it ends."""
    horizon: int = 12
    """Actions that a plan looks ahead."""
    samples: int | None = None
    """Sequences that are tried, with all copies under the group; None: 256 for balls, 32 for simulators, or the next multiple."""
    temperature: float | None = None
    """Costs that are so far apart differ by e in weight; None: 0.1."""
    std: float = 0.7
    """Standard deviation of the noise, in the unit of actions."""
    seed: int = 0
    """Seed of starts and noise."""
    force: bool = False
    """Replace existing files."""

    def run(self) -> int:
        from ._plan import plan_to_file

        return plan_to_file(self)
