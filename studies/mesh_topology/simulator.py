"""The bars of the simulator, measured: cutting flat faces, the plate, the sphere, the cylinder."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from orbitscope._whole import write_whole
from orbitscope.physics import cylinder_backscatter, physical_optics, sphere_backscatter
from orbitscope.symmetry import Word
from orbitscope.systems.meshes import EXACT, SHAPES, Remesh, mesh_of, mesh_state, random_shape, sphere


def rows() -> list[dict[str, Any]]:
    """One row a bar: what was measured, the value, the bar."""
    k, towards = np.linspace(1.0, 8.0, 8), sphere(0).vertices
    worst = 0.0
    for kind in SHAPES:
        mesh = random_shape(kind, 0, 0, "all")
        state, plain = mesh_state([mesh], 400, torch.float64), physical_optics(mesh.corners, towards, k)
        for move in EXACT:
            cut = physical_optics(mesh_of(Remesh()(Word((move,)), state), 0).corners, towards, k)
            worst = max(worst, float(np.abs(cut - plain).max() / np.abs(plain).max()))
    plate = np.array([[[0, 0, 0], [1, 0, 0], [1, 1, 0]], [[0, 0, 0], [1, 1, 0], [0, 1, 0]]], dtype=float)
    flat = np.abs(np.abs(physical_optics(plate, [[0, 0, 1]], k)[0]) / (k / (2 * np.pi)) - 1).max()
    band = np.linspace(60.0, 120.0, 121)
    ball = np.abs(physical_optics(sphere(6).corners, [[0, 0, 1]], band)[0]) ** 2
    mie = np.abs(sphere_backscatter(1.0, band)) ** 2
    turns = 2 * np.pi * np.arange(1601) / 1600
    low, high = (np.stack([np.cos(turns), np.sin(turns), np.full(1601, z)], 1) for z in (0.0, 2.0))
    wall = np.concatenate([np.stack([low[:-1], low[1:], high[1:]], 1), np.stack([low[:-1], high[1:], high[:-1]], 1)])
    tube = np.abs(physical_optics(wall, [[1.0, 0, 0]], band + 40)[0]) / 2
    exact = np.abs(cylinder_backscatter(1.0, band + 40))
    return [
        {"what": "largest change of the amplitude when flat faces are cut, over the largest amplitude", "value": worst, "bar": 1e-12},
        {"what": "square plate at normal incidence, against area / wavelength", "value": float(flat), "bar": 0.01},
        {"what": "sphere, mean cross section over ka = 60 to 120, against Mie's series", "value": abs(ball.mean() / mie.mean() - 1),
         "bar": 0.01},
        {"what": "cylinder seen broadside, mean amplitude over ka = 100 to 160, against the exact series",
         "value": abs(tube.mean() / exact.mean() - 1), "bar": 0.01},
    ]  # fmt: skip


def write(results: Path) -> None:
    """results/simulator.csv."""
    text = pd.DataFrame(rows()).to_csv(index=False, float_format="%.3g", lineterminator="\n")
    write_whole(results / "simulator.csv", lambda part: part.write_text(text, encoding="utf-8"))
