"""Speed of mocks and of pair statistics of galaxies: ours and halotools', on the same halos, in one run.

    python benchmarks/galaxies.py [--out benchmarks/results/galaxies.json] [--repeats 3] [--box 250 --grid 128]

Seconds are of the processor, on one thread; the best of `repeats`. halotools' statistics are tpcf, ed_3d and ee_3d one after the other,
ours one pass over pairs; the answers are compared. halotools populates its model again, which is quicker than the first time.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from halotools.mock_observables import tpcf
from halotools.mock_observables.ia_correlations import ed_3d, ee_3d

from orbitscope.probe import machine
from orbitscope.systems.galaxies import (
    HaloConfig,
    alignment_statistics,
    edges,
    halotools_catalogue,
    halotools_model,
    make_halos,
    parameters,
    populate,
)

BAR = 5.0
MASSES = (11.6, 12.0, 12.6, 13.2)


def best(work: Callable[[], object], repeats: int) -> float:
    """Processor seconds of the best call."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def theirs(positions: np.ndarray, axes: np.ndarray, box: float) -> np.ndarray:
    """The three functions by halotools."""
    r = edges()
    found = (
        tpcf(positions, r, period=box),
        ed_3d(positions, axes, positions, r, period=box),
        ee_3d(positions, axes, positions, axes, r, period=box),
    )
    return np.array(found)


def main() -> int:
    """Measure, print and, if asked, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--box", type=float, default=250.0)
    parser.add_argument("--grid", type=int, default=128)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")  # of halotools, at every mock
    start = time.process_time()
    halos = make_halos(0, HaloConfig(box=asked.box, grid=asked.grid))
    made = time.process_time() - start
    print(f"{halos}: {made:.1f} s")
    rows = []
    for least in MASSES:
        theta = parameters([0.8, 0.5, least, 0.3, 1.1284 * least - 1.8952, 0.7254 * least + 4.4359, 1.0])
        mock = populate(halos, theta)
        alignment_statistics(mock.positions[:50], mock.axes[:50], mock.box)  # compiled
        count = best(lambda m=mock: alignment_statistics(m.positions, m.axes, m.box), asked.repeats)
        other = best(lambda m=mock: theirs(m.positions, m.axes, m.box), asked.repeats)
        a, b = alignment_statistics(mock.positions, mock.axes, mock.box), theirs(mock.positions, mock.axes, mock.box)
        model = halotools_model(theta, halos.box)
        model.populate_mock(halotools_catalogue(halos), seed=1)
        rows.append({
            "logMmin": least, "galaxies": len(mock), "count_seconds": count, "halotools_count_seconds": other, "count_ratio": other / count,
            "largest_difference": float(np.nanmax(np.abs(a - b) / (1 + np.abs(b)))), "met": other / count >= BAR,
            "populate_seconds": best(lambda t=theta: populate(halos, t), asked.repeats),
            "halotools_populate_seconds": best(lambda m=model: m.mock.populate(seed=2), asked.repeats),
        })  # fmt: skip
        print(json.dumps(rows[-1]))
    result = {
        "bar_ratio": BAR,
        "repeats": asked.repeats,
        "halos": len(halos),
        "box": halos.box,
        "halos_seconds": made,
        "machine": machine(),
        "rows": rows,
    }
    if asked.out is not None:
        asked.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
