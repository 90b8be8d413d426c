"""Vortices and filaments planted on a sphere, a mask with one answer for each point, and where the mask's law has no symmetry. A stand-in.

This is no climate: fields of the right kind with labels that are known because they were planted. Pressure falls and the wind turns about a
vortex; a filament is a long strip of moisture. The answer is a local law of the fields, the same in all directions, but over a "continent",
where the wind from the west counts (`RANGE`). Lengths are in radii.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from orbitscope.symmetry import Icosahedral, Layout, LonLat, Patch, Sphere, SurfaceCharts

LAYOUT = Layout.of("wind:vector", "pressure", "moisture")
ANSWER = Layout.of("storm")
#: Where the law depends on the compass: centre (degrees) and radius (radii of the sphere).
RANGE, WIDTH = (40.0, 30.0), 0.6
VORTICES, FILAMENTS = 24, 16
PATCH, MARGIN = Patch((11, 11), 0.07), 3
GRIDS: dict[str, Sphere] = {"lon-lat": LonLat(96, 48), "icosahedral": Icosahedral(4)}


@dataclass(frozen=True)
class Storms:
    """Fields [N, 4, *shape] and answers [N, 1, *shape] on a `sphere`."""

    sphere: Sphere
    x: Tensor
    y: Tensor


def planted(sphere: Sphere, count: int, seed: int) -> Storms:
    """`count` random weathers; the answer adds up the wind's spin, pressure's bowl and the ridge of moisture."""
    rng = np.random.default_rng([seed, 0x5708])
    p = sphere.directions
    east, north = sphere._frames
    fields, answers = [], []
    for _ in range(count):
        low, spin, wet, bowl, ridge = (np.zeros(len(p)) for _ in range(5))
        v = np.zeros((len(p), 3))
        for c, size, strength in zip(*_drawn(rng, VORTICES), strict=True):
            away = p - (p @ c)[:, None] * c
            bell = strength * np.exp(-(2 - 2 * p @ c) / (2 * size**2))
            low -= bell
            v += bell[:, None] * np.cross(c, p) / size
            spin += bell * (2 * (p @ c) - (away**2).sum(1) / size**2) / size
            bowl += bell * (2 * (p @ c) - (away**2).sum(1) / size**2) / size**2
        for c, size, strength in zip(*_drawn(rng, FILAMENTS), strict=True):
            axis = np.cross(c, rng.standard_normal(3))
            axis /= np.linalg.norm(axis)  # the strip runs along the great circle about this pole, near c
            bell = strength * np.exp(-((p @ axis) ** 2) / (2 * (0.7 * size) ** 2) - (2 - 2 * p @ c) / (2 * (4 * size) ** 2))
            wet += bell
            ridge += bell * (1 - ((p @ axis) / (0.7 * size)) ** 2) / (0.7 * size) ** 2
        local = 1 / (1 + np.exp((sphere.distance(RANGE) - WIDTH) / 0.05))
        west = local * (v * east).sum(1)
        fields.append(np.stack([(v * east).sum(1), (v * north).sum(1), low, wet]))
        answers.append(spin / 10 + bowl / 50 + ridge / 50 + 3 * west)
    shape = sphere.shape
    return Storms(
        sphere, torch.tensor(np.array(fields)).reshape(count, 4, *shape), torch.tensor(np.array(answers)).reshape(count, 1, *shape)
    )


def _drawn(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centres evenly over the sphere, widths, and strengths of either sign."""
    c = rng.standard_normal((count, 3))
    return c / np.linalg.norm(c, axis=1, keepdims=True), rng.uniform(0.2, 0.35, count), rng.normal(0, 1, count)


def charts(storms: Storms, centres: list[tuple[float, float]]) -> tuple[Tensor, Tensor]:
    """x [N, chart, 4, x, y] and y [N, chart, 1, x, y] on the inner patch."""
    x = SurfaceCharts(storms.sphere, PATCH, centres).cut(storms.x, LAYOUT)
    return x, SurfaceCharts(storms.sphere, PATCH.inner(MARGIN), centres).cut(storms.y, ANSWER)
