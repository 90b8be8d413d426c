"""The package `proofs` of this folder, importable under pytest's importlib mode; triangles of a sphere."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))


def icosphere(times: int) -> np.ndarray:
    """Triangles of the unit sphere, 20 * 4^times, an icosahedron cut and projected."""
    g = (1 + 5**0.5) / 2
    p = np.array([[-1, g, 0], [1, g, 0], [-1, -g, 0], [1, -g, 0], [0, -1, g], [0, 1, g], [0, -1, -g], [0, 1, -g]], dtype=float)
    p = np.concatenate([p, [[g, 0, -1], [g, 0, 1], [-g, 0, -1], [-g, 0, 1]]])
    faces = [
        (0, 11, 5), (0, 5, 1), (0, 1, 7), (0, 7, 10), (0, 10, 11), (1, 5, 9), (5, 11, 4), (11, 10, 2), (10, 7, 6), (7, 1, 8),
        (3, 9, 4), (3, 4, 2), (3, 2, 6), (3, 6, 8), (3, 8, 9), (4, 9, 5), (2, 4, 11), (6, 2, 10), (8, 6, 7), (9, 8, 1),
    ]  # fmt: skip
    t = p[np.array(faces)]
    for _ in range(times):
        a, b, c = t[:, 0], t[:, 1], t[:, 2]
        ab, bc, ca = a + b, b + c, c + a
        ab, bc, ca = (m / np.linalg.norm(m, axis=1, keepdims=True) * np.linalg.norm(a, axis=1, keepdims=True) for m in (ab, bc, ca))
        t = np.concatenate([np.stack(s, 1) for s in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    return t / np.linalg.norm(t, axis=2, keepdims=True)


@pytest.fixture(scope="session")
def sphere():
    return icosphere
