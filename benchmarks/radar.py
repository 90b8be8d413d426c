"""Speed of the radar simulator: integrals over lit triangles a second, compiled and as one writes them with numpy.

    python benchmarks/radar.py [--out benchmarks/results/radar.json] [--threads 2] [--repeats 5]

Seconds are of the processor, over all threads, divided by how many there were; the best of `repeats`. Only faces that look towards the
radar are counted. `even` wavenumbers go on by products of unit numbers, `uneven` ones take sines and cosines for each.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from orbitscope.physics import physical_optics
from orbitscope.probe import machine

BAR = 20e6


def sphere(sections: int, radius: float) -> np.ndarray:
    """Triangles of a sphere of latitudes and longitudes."""
    theta, phi = np.meshgrid(np.linspace(0, np.pi, sections + 1), np.linspace(0, 2 * np.pi, 2 * sections + 1), indexing="ij")
    p = radius * np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], -1)
    a, b, c, d = p[:-1, :-1], p[1:, :-1], p[1:, 1:], p[:-1, 1:]
    found = np.concatenate([np.stack([a, b, c], -2).reshape(-1, 3, 3), np.stack([a, c, d], -2).reshape(-1, 3, 3)])
    return found[np.linalg.norm(np.cross(found[:, 1] - found[:, 0], found[:, 2] - found[:, 0]), axis=1) > 1e-12]


def with_numpy(corners: np.ndarray, towards: np.ndarray, k: np.ndarray) -> np.ndarray:
    """The same sums, all faces and wavenumbers of a direction at once."""
    weight = 0.5 * np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    found = np.empty((len(towards), len(k)), dtype=complex)
    for i, d in enumerate(towards):
        facing = weight @ d
        lit = facing > 0
        x, y, z = np.moveaxis(2 * k[:, None, None] * np.sort(corners[lit] @ d, axis=1), -1, 0)
        dd = lambda u, v: 1j * np.exp(0.5j * (u + v)) * np.sinc((u - v) / (2 * np.pi))  # noqa: E731
        near = z - x < 0.05
        exact = (dd(z, y) - dd(x, y)) / np.where(near, 1.0, z - x)
        m = (x + y + z) / 3
        u, v, w = x - m, y - m, z - m
        series = np.exp(1j * m) * (-0.5 + (u * u + v * v + w * w) / 48 + 1j * u * v * w / 120)
        found[i] = -2 * (facing[lit] * np.where(near, series, exact)).sum(1)
    return 1j * k / (2 * np.pi) * found


def best(work: Callable[[], object], repeats: int, threads: int) -> float:
    """Processor seconds of the best call, per thread."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times) / threads


def main() -> int:
    """Measure, print and, if asked, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    towards = rng.normal(size=(64, 3))
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    rows = []
    for label, radius in (("small faces", 0.3), ("large faces", 3.0)):
        body = sphere(18, radius)
        weight = np.cross(body[:, 1] - body[:, 0], body[:, 2] - body[:, 0])
        for spacing, k in (("even", np.linspace(1, 20, 64)), ("uneven", np.sort(rng.uniform(1, 20, 64)))):
            integrals = int((weight @ towards.T > 0).sum()) * len(k)
            physical_optics(body, towards[:2], k)  # compiled
            ours = best(lambda b=body, k=k: physical_optics(b, towards, k, threads=asked.threads), asked.repeats, asked.threads)
            plain = best(lambda b=body, k=k: with_numpy(b, towards, k), min(2, asked.repeats), 1)
            gap = float(np.abs(physical_optics(body, towards, k) - with_numpy(body, towards, k)).max())
            rows.append({
                "faces": label, "wavenumbers": spacing, "integrals": integrals, "per_second": integrals / ours,
                "numpy_per_second_one_thread": integrals / plain, "ratio": plain / ours, "largest_difference": gap,
                "met": integrals / ours >= BAR,
            })  # fmt: skip
            print(f"{label}, {spacing:<7} {rows[-1]['per_second'] / 1e6:8.1f} M/s, {rows[-1]['ratio']:6.1f} x numpy on one thread")
    result = {"bar_per_second": BAR, "threads": asked.threads, "machine": machine(), "rows": rows}
    if asked.out is not None:
        asked.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
