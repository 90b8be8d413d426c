"""How often `symmetry.stabiliser` names the right group: tensors with a planted one, with noise, and tensors without any.

    python studies/symmetry_breaking/calibration.py

Writes results/<config>/calibration.csv, a row for every draw. Planted: random tensors of all irreps of a relaxed network (up to degree 4,
both parities), made invariant under the group, turned by a random rotation, of length 1; noise: random tensors of the given length, added.
"""

import argparse
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import harness  # noqa: E402, F401  # one thread, before torch is imported
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from orbitscope._whole import write_whole  # noqa: E402
from orbitscope.nn import breaking_irreps  # noqa: E402
from orbitscope.probe import machine  # noqa: E402
from orbitscope.symmetry import RotationIrrep, octahedral, special_orthogonal, stabiliser  # noqa: E402

TOLERANCE = 1e-2
NOISE = (0.0, 0.1 * TOLERANCE, 5 * TOLERANCE)
PLANTED = ("C3v", "C4v", "D2h", "Oh", "C∞v", "D∞h")
DRAWS, GENERIC = 30, 180
NAMES = [block.name for block in breaking_irreps(4).blocks]


def elements(group: str) -> list[np.ndarray]:
    """Elements that generate the group, or enough of them for what it leaves alone up to degree 4."""
    cube = [np.array(g.linear, dtype=float) for g in octahedral()]
    z, diagonal = np.eye(3)[2], np.ones(3)
    if group == "Oh":
        return cube
    if group in ("C3v", "C4v"):
        return [g for g in cube if np.allclose(g @ (diagonal if group == "C3v" else z), diagonal if group == "C3v" else z)]
    if group == "D2h":
        return [np.diag([i, j, k]) for i in (1.0, -1.0) for j in (1.0, -1.0) for k in (1.0, -1.0)]
    turns = [_about_z(2 * np.pi * k / 16) for k in range(16)]  # an average over 16 turns is one over all, up to degree 15
    mirror = np.diag([-1.0, 1.0, 1.0])
    finite = [t @ m for t in turns for m in (np.eye(3), mirror)]
    return finite if group == "C∞v" else [f @ s for f in finite for s in (np.eye(3), np.diag([1.0, 1.0, -1.0]))]


def _about_z(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def drawn(group: str, noise: float, rng: np.random.Generator, seed: int) -> dict[str, np.ndarray]:
    """Tensors by irrep; of the group "C1" random ones alone."""
    turn = np.asarray(special_orthogonal(3).probes(2, seed)[1].matrix)
    known = elements(group) if group != "C1" else [np.eye(3)]
    found, added = {}, {}
    for name in NAMES:
        rep = RotationIrrep(int(name[0]), name[1] == "o")
        mean = np.mean([rep.matrix(g) for g in known], axis=0)
        found[name] = rep.matrix(turn) @ mean @ rng.normal(size=2 * rep.degree + 1)
        added[name] = rng.normal(size=2 * rep.degree + 1)
    size, other = (np.sqrt(sum(float(v @ v) for v in some.values())) for some in (found, added))
    return {name: found[name] / size + noise * added[name] / other for name in NAMES}


def main() -> int:
    """Draw, name, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=HERE / "results" / "small")
    options = parser.parse_args()
    plan = [(g, n, k) for g in PLANTED for n in NOISE for k in range(DRAWS)] + [("C1", 0.0, k) for k in range(GENERIC)]
    rows, started = [], time.process_time()
    for number, (group, noise, k) in enumerate(plan):
        rng = np.random.default_rng([k, list(PLANTED).index(group) if group in PLANTED else 99, round(1e6 * noise)])
        found = stabiliser(drawn(group, noise, rng, 1000 + number), TOLERANCE)
        rows.append({"planted": group, "noise": noise, "draw": k, "named": found.name, "tolerance": TOLERANCE})
    frame = pd.DataFrame(rows).assign(machine=machine())
    text = frame.to_csv(index=False, float_format="%.4g", lineterminator="\n")
    write_whole(options.results / "calibration.csv", lambda part: part.write_text(text, encoding="utf-8"))
    print(frame.groupby(["planted", "noise"])["named"].agg(lambda names: ", ".join(names)).to_string())
    print(f"{time.process_time() - started:.0f} CPU s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
