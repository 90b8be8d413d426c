"""Small data of known content."""

import functools
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from orbitscope import Grid, Layout, Trajectories, equation, simulate

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def random_data() -> Callable[..., Trajectories]:
    """Independent normal numbers: no two transitions alike, no symmetry anywhere."""

    def make(
        *layout: str, trajectories: int = 3, times: int = 3, points: int = 4, seed: int = 0, dtype: torch.dtype = torch.float64
    ) -> Trajectories:
        declared = Layout.of(*(layout or ("velocity:vector",)))
        generator = torch.Generator().manual_seed(seed)
        shape = (trajectories, times, declared.channels, points, points)
        return Trajectories(torch.randn(shape, generator=generator, dtype=dtype), declared, Grid.square(points), dt=0.1)

    return make


@pytest.fixture(scope="session")
def simulated() -> Callable[..., Trajectories]:
    """A file of the library's own, with provenance, as `simulate` makes it."""

    @functools.cache
    def make(
        scenario: str,
        trajectories: int = 24,
        points: int = 16,
        frames: int = 4,
        t_end: float = 0.15,
        dtype: torch.dtype = torch.float64,
    ) -> Trajectories:
        chunks = simulate(scenario, trajectories=trajectories, resolution=points, frames=frames, t_end=t_end, seed=1, dtype=dtype)
        law = equation(scenario.partition(".")[0])
        values = torch.cat([chunk for _, chunk in chunks])
        provenance = {"equation": law.name, "parameters": law.parameters, "scenario": scenario}
        return Trajectories(values, law.layout, Grid.square(points), dt=t_end / (frames - 1), provenance=provenance)

    return make
