"""A measured data vector: three correlation functions, some of them missing, with or without a covariance."""

import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..._errors import OrbitscopeError, reading
from ._targets import STATISTICS

_KEYS = {*STATISTICS, "y", "covariance", "edges"}


@dataclass(frozen=True, eq=False)
class DataVector:
    """Statistics that parameters are inferred from.

    * `value`: [3, R], 0 where nothing was measured. `used`: which bins there are, [3, R], booleans.
    * `covariance`: of the used bins in order, [K, K]; None: one realisation in a box like those of the training, with their noise.
    """

    value: Tensor
    used: Tensor
    covariance: Tensor | None = None

    def __repr__(self) -> str:
        counts = ", ".join(f"{n} {int(u.sum())}" for n, u in zip(STATISTICS, self.used, strict=True))
        return f"DataVector(bins used: {counts}; {'own covariance' if self.covariance is not None else 'noise of the emulator'})"


def data_vector(
    statistics: Mapping[str, ArrayLike], bins: int, covariance: ArrayLike | None = None, *, edges: ArrayLike | None = None,
    expected: Sequence[float] | None = None,
) -> DataVector:  # fmt: skip
    """A data vector from arrays, checked.

    * `statistics`: xi, omega, eta by name, [R] each, dimensionless; those that are left out are not used. NaN: a bin without a value.
    * `bins`: R, of the emulator. `covariance`: of all bins of the given statistics, in the order xi, omega, eta, or of those with a value;
      square, symmetric, positive definite; None: the noise of the emulator.
    * `edges`: of the data's bins, R + 1, in Mpc/h. `expected`: those of the emulator, which they have to be.

    Bins with NaN are left out with a warning that names them. Raises `OrbitscopeError` for names that there are not, another number of
    bins, other edges, no bin at all, and a covariance that is none.
    """
    if unknown := set(statistics) - set(STATISTICS):
        raise OrbitscopeError(f"data: there is no statistic {sorted(unknown)[0]!r}. They are {', '.join(STATISTICS)}.")
    given = [name for name in STATISTICS if name in statistics]
    if edges is not None and expected is not None:
        mine, theirs = np.asarray(edges, float), np.asarray(expected, float)
        if mine.shape != theirs.shape or np.abs(mine / theirs - 1).max() > 1e-3:
            raise OrbitscopeError(
                f"data: its bins, {len(mine) - 1} from {mine[0]:.4g} to {mine[-1]:.4g} Mpc/h, are not those of the emulator, "
                f"{len(theirs) - 1} from {theirs[0]:.4g} to {theirs[-1]:.4g}. Measure in these, or train on yours."
            )
    value, used = torch.zeros(len(STATISTICS), bins, dtype=torch.float64), torch.zeros(len(STATISTICS), bins, dtype=torch.bool)
    missing = []
    for name in given:
        row = np.asarray(statistics[name], dtype=np.float64)
        if row.shape != (bins,):
            raise OrbitscopeError(
                f"data: {name} should have the {bins} bins of the emulator, got {list(row.shape)}. Measure in the bins that the training "
                "file names, with NaN where you have none."
            )
        there = np.isfinite(row)
        missing += [f"{name} {k}" for k in np.flatnonzero(~there)]
        at = STATISTICS.index(name)
        value[at], used[at] = torch.from_numpy(np.where(there, row, 0.0)), torch.from_numpy(there)
    if not bool(used.any()):
        raise OrbitscopeError("data: no bin has a value. Give at least one of xi, omega, eta.")
    if missing:
        warnings.warn(f"data: {len(missing)} bins without a value are left out: {', '.join(missing)}.", UserWarning, stacklevel=2)
    if covariance is None:
        return DataVector(value, used)
    rows = used[[STATISTICS.index(name) for name in given]].flatten()
    return DataVector(value, used, _checked(torch.as_tensor(np.asarray(covariance, dtype=np.float64)), rows))


def _checked(c: Tensor, rows: Tensor) -> Tensor:
    kept = int(rows.sum())
    if c.ndim != 2 or c.shape[0] != c.shape[1] or len(c) not in (len(rows), kept):
        raise OrbitscopeError(
            f"data: `covariance` should be [{len(rows)}, {len(rows)}], all bins of the statistics that are given, or [{kept}, {kept}], "
            f"those with a value; got {list(c.shape)}."
        )
    c = c[rows][:, rows] if len(c) == len(rows) else c
    if not bool(torch.isfinite(c).all()):
        raise OrbitscopeError("data: `covariance` holds NaN or infinite values in bins that are used.")
    size = c.diagonal().abs().max().clamp_min(1e-300)
    if float((c - c.mT).abs().max() / size) > 1e-6:
        raise OrbitscopeError("data: `covariance` is not symmetric.")
    c = (c + c.mT) / 2
    least = float(torch.linalg.eigvalsh(c / (c.diagonal().clamp_min(1e-300).sqrt()[:, None] * c.diagonal().clamp_min(1e-300).sqrt())).min())
    if not bool((c.diagonal() > 0).all()) or least <= 1e-10:
        raise OrbitscopeError(
            f"data: `covariance` is not positive definite: the least eigenvalue of its correlations is {least:.2g}. A jackknife of fewer "
            "regions than bins is singular: take more regions or fewer bins (NaN), or give the variances alone."
        )
    return c


def read_vector(path: str | Path, bins: int, expected: Sequence[float] | None = None) -> DataVector:
    """The data vector in a .npz file with arrays xi, omega, eta [R], or y [3, R]; and, if wanted, covariance and edges.

    * `path`: the file. `bins`: of the emulator. `expected`: edges of its bins, in Mpc/h.

    Raises `OrbitscopeError` for a file that is missing, damaged or holds other arrays, and what `data_vector` raises.
    """
    path = Path(path)
    if not path.is_file():
        raise OrbitscopeError(f"data: there is no file {path}.")
    arrays: dict[str, Any] = {}
    with reading(path, "data"):
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except (zipfile.BadZipFile, ValueError, AttributeError) as error:
            raise OrbitscopeError(
                f"data: {path} is no archive of numbers ({error}). Save them with numpy.savez(path, xi=..., omega=...)."
            ) from error
    if unknown := [name for name in arrays if name not in _KEYS]:
        raise OrbitscopeError(f"data: {path} holds {unknown[0]!r}, which has no meaning here. It may hold {', '.join(sorted(_KEYS))}.")
    covariance, edges = arrays.pop("covariance", None), arrays.pop("edges", None)
    if "y" in arrays:
        y = np.asarray(arrays.pop("y"))
        if arrays or y.ndim != 2 or len(y) != len(STATISTICS):
            raise OrbitscopeError(f"data: {path} should hold y [3, {bins}], or xi, omega and eta by name; got y {list(y.shape)}.")
        arrays = dict(zip(STATISTICS, y, strict=True))
    return data_vector(arrays, bins, covariance, edges=edges, expected=expected)
