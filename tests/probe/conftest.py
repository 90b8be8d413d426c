"""Small data of known content."""

from collections.abc import Callable

import pytest
import torch

from orbitscope import Grid, Layout, Trajectories


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
