"""Small data sets that every test of this room starts from."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from orbitscope.data import Trajectories
from orbitscope.symmetry import Grid, Layout


def euler_values(trajectories: int = 5, times: int = 4, points: tuple[int, int] = (6, 8), seed: int = 0) -> torch.Tensor:
    """Conserved variables with positive density and pressure."""
    random = torch.Generator().manual_seed(seed)
    u = torch.rand(trajectories, times, 4, *points, generator=random)
    rho, velocity = u[:, :, :1] + 0.5, 2 * u[:, :, 1:3] - 1
    energy = 0.5 * rho * velocity.square().sum(2, keepdim=True) + (u[:, :, 3:] + 0.1) / 0.4
    return torch.cat([rho, rho * velocity, energy], dim=2)


@pytest.fixture
def euler() -> Trajectories:
    """Compressible Euler on a 6 x 8 grid."""
    layout = Layout.of("density:scalar:kg/m^3", "momentum:vector", "energy:scalar")
    grid = Grid((6, 8), (1.0, 2.0), ("periodic", "wall"))
    provenance = {"equation": "euler", "scenario": "euler.riemann", "parameters": {"gamma": 1.4}, "seed": 3}
    return Trajectories(euler_values(), layout, grid, 0.05, provenance)


@pytest.fixture
def flow() -> Trajectories:
    """Incompressible flow on an 8 x 8 grid."""
    random = torch.Generator().manual_seed(1)
    values = torch.randn(7, 5, 2, 8, 8, generator=random)
    return Trajectories(values, Layout.of("velocity:vector"), Grid.square(8), 0.05, {"equation": "navier-stokes"})


@pytest.fixture
def rich() -> Trajectories:
    """One field of every representation."""
    random = torch.Generator().manual_seed(2)
    layout = Layout.of("p:scalar", "w:pseudoscalar", "u:vector", "b:pseudovector", "q:tensor")
    return Trajectories(torch.randn(6, 3, layout.channels, 8, 8, generator=random), layout, Grid.square(8), 0.1)


@pytest.fixture
def foreign_pdegym(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """A file as PDEgym publishes it: one variable `data`, no attributes, no named dimensions."""
    random = np.random.default_rng(0)
    stored = random.uniform(0.5, 1.5, (4, 21, 5, 8, 8)).astype(np.float32)
    with h5py.File(tmp_path / "CE-RP.nc", "w") as file:
        file["data"] = stored
    return tmp_path / "CE-RP.nc", stored
