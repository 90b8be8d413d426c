"""Numbers by which a state is recognised, itself (a hash) or any of its moved copies (invariants)."""

import hashlib
import sys

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...symmetry import GridAction, Isometry, Layout

_TINY = 1e-300


def hashes(frames: Tensor) -> NDArray[np.uint64]:
    """A 64-bit hash per state of [N, channel, *grid]: equal for equal float32 values, 0 and -0 alike."""
    rows = (frames.detach().cpu().to(torch.float32) + 0.0).contiguous()
    return np.array([_hash(row.numpy().tobytes()) for row in rows], dtype=np.uint64)


def _hash(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), sys.byteorder)


def invariants(frames: Tensor, layout: Layout) -> NDArray[np.float64]:
    """What no rotation, reflection or shift changes, [N, 3 * fields], of states [N, channel, *grid]: logarithms of the second, fourth and
    eighth moment of each field's length at a point.

    Two states that differ by a relative error e differ here by at most some e; the converse must be checked.
    """
    columns = []
    for f in layout.fields:
        square = frames[:, layout.slice(f.name)].double().square().sum(1).flatten(1)
        second, fourth, eighth = square.mean(1), square.square().mean(1), square.square().square().mean(1)
        columns += [second.clamp_min(_TINY).log() / 2, fourth.clamp_min(_TINY).log() / 4, eighth.clamp_min(_TINY).log() / 8]
    return torch.stack(columns, 1).numpy()


def near_pairs(one: NDArray[np.float64], other: NDArray[np.float64] | None, tolerance: float) -> NDArray[np.int64]:
    """Index pairs [K, 2] of rows that differ by at most `tolerance` in every column; within `one` (i < j) if there is no other."""
    from scipy.spatial import KDTree

    radius = tolerance + 1e-9
    if other is None:
        return np.asarray(KDTree(one).query_pairs(radius, p=np.inf, output_type="ndarray"), dtype=np.int64).reshape(-1, 2)
    neighbours = KDTree(other).query_ball_point(one, radius, p=np.inf)
    return np.array([(i, j) for i, js in enumerate(neighbours) for j in sorted(js)], dtype=np.int64).reshape(-1, 2)


def mover(a: Tensor, b: Tensor, elements: tuple[Isometry, ...], action: GridAction | None, tolerance: float) -> str | None:
    """The name of the element g with a = g b up to a relative error `tolerance`, the plain copy first ("e"); None where there is none."""
    size = float(a.double().norm()) + _TINY
    if float((a.double() - b.double()).norm()) <= tolerance * size:
        return "e"
    for g in elements:
        if action is not None and float((a.double() - action(g, b.double())).norm()) <= tolerance * size:
            return g.name
    return None


__all__ = ["hashes", "invariants", "mover", "near_pairs"]
