"""A data set as The Well lays it out: data/train, data/valid, data/test with one file each, and stats.yaml for their normalisation."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._errors import OrbitscopeError
from .._whole import write_whole
from ..symmetry import Layout
from ._normalisation import Normalisation
from ._save import save
from ._split import split_indices
from ._trajectories import Trajectories

SPLITS = ("train", "valid", "test")
STATS = "stats.yaml"


def save_well(
    data: Trajectories,
    folder: str | Path,
    name: str | None = None,
    split: Sequence[float] | str = (0.8, 0.1, 0.1),
    seed: int = 0,
    *,
    dtype: torch.dtype = torch.float32,
    force: bool = False,
) -> Path:
    r"""Write `folder`/data/{train,valid,test}/`name`.hdf5 and `folder`/stats.yaml, which The Well's own `WellDataset` reads.

    `WellDataset(path=folder, well_split_name="train", use_normalization=True, normalization_type=ZScoreNormalization)` then works.

    - `data`: all trajectories.
    - `folder`: made where it does not exist.
    - `name`: of the files, without a suffix; by default the scenario or equation that the provenance names.
    - `split`: fractions of training, validation and test, or the name of a published split, as in `split_indices`.
    - `seed`: of the shuffle of the trajectories.
    - `dtype`: `torch.float32` or `torch.float64`, in which values are stored.
    - `force`: whether files that exist are replaced.

    The statistics are those of the training part, as there: `mean`, `std`, `rms` and the same of the
    increments $u_{t+1} - u_t$ (`mean_delta`, ...), but one scale per field and a mean only for invariant fields, so that their
    normalisation too commutes with the symmetries.

    Raises `OrbitscopeError` where a file exists (unless `force`), and as `save` does.
    """
    folder = Path(folder).expanduser()
    name = name or str(data.provenance.get("scenario") or data.provenance.get("equation") or "orbitscope")
    if "/" in name or os.sep in name:
        raise OrbitscopeError(f"name: {name!r} should be the name of a file, without a folder.")
    parts: dict[str, NDArray[np.int64]] = dict(zip(SPLITS, split_indices(data.trajectories, split, seed), strict=True))
    targets = {part: folder / "data" / part / f"{name}.hdf5" for part, index in parts.items() if len(index)}
    for target in (*targets.values(), folder / STATS):
        if target.exists() and not force:
            raise OrbitscopeError(f"folder: {target} exists. Choose another folder, or force=True (--force) to replace it.")
    text = statistics(data[parts["train"]])
    for part, target in targets.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        save(data[parts[part]], target, "the_well", force, dtype=dtype)
    write_whole(folder / STATS, lambda path: path.write_text(text, encoding="utf-8"))
    return folder


def statistics(data: Trajectories) -> str:
    """The text of stats.yaml: per statistic and field a number, or a list over the components of a vector or tensor."""
    norm = Normalisation.fit(data)
    count, total, power, square = 0, *(torch.zeros(data.channels, dtype=torch.float64) for _ in range(3))
    states = 0
    for _, _, block in data.blocks():
        flat = block.to(torch.float64).transpose(0, 2)
        step = flat.diff(dim=1).flatten(1)
        total, power, count = total + step.sum(1), power + step.square().sum(1), count + step.shape[1]
        square, states = square + flat.flatten(1).square().sum(1), states + flat.flatten(1).shape[1]
    drift, moved, size = total / max(1, count), power / max(1, count), square / states
    drift = torch.where(norm.mean != 0, drift, torch.zeros_like(drift))  # a mean only where the field may have one
    layout = data.layout
    columns = {
        "mean": norm.mean,
        "std": norm.scale,
        "rms": _per_field(size, layout),
        "mean_delta": drift,
        "std_delta": _per_field(moved - drift.square(), layout),
        "rms_delta": _per_field(moved, layout),
    }
    lines = []
    for column, values in columns.items():
        lines.append(f"{column}:")
        for f in layout.fields:
            lines.append(f"  {f.name}: {_yaml(values[layout.slice(f.name)], f.representation.name, layout.ndim)}")
    return "\n".join(lines) + "\n"


def _per_field(power: Tensor, layout: Layout) -> Tensor:
    return torch.cat([part.mean().clamp(min=0).sqrt().expand(part.shape) for part in power.split(list(layout.sizes))])


def _yaml(values: Tensor, representation: str, ndim: int) -> str:
    """Always with a point and a signed exponent: YAML takes 1e-05 for a word."""
    words = [f"{v:.9e}" for v in values.tolist()]
    if representation == "tensor":
        return "[" + ", ".join(f"[{', '.join(words[i : i + ndim])}]" for i in range(0, len(words), ndim)) + "]"
    return words[0] if len(words) == 1 and representation in ("scalar", "pseudoscalar", "vertical") else f"[{', '.join(words)}]"
