"""From the finished cases to tidy tables, and the numbers that the page draws its conclusions from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from harness import collect
from study import Place, runs

from orbitscope._whole import write_whole

LABEL = ["dataset", "backbone", "variant", "seed"]


def collect_all(place: Place, results: Path) -> None:
    """Write results/<table>.csv, pictures.nc and meta.json, each whole or not at all. Same cases, same bytes."""
    collect(place, results, [r.label for r in runs(place.settings)], {})
    parts = {p.parent.name: xr.load_dataset(p, engine="h5netcdf") for p in sorted((place.out / "cases").glob("*/run.nc"))}
    if parts:
        whole = xr.concat(list(parts.values()), dim=pd.Index(list(parts), name="run"), join="outer", data_vars="all")
        whole = whole.drop_attrs()
        content = whole.to_netcdf(engine="h5netcdf", encoding={k: {"zlib": True, "complevel": 9} for k in whole.data_vars})
        write_whole(results / "pictures.nc", lambda part: part.write_bytes(content))


@dataclass(frozen=True)
class Ratio:
    """One network's error over another's, seed by seed: median, least, largest."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return float(np.median(self.values)) if self.values else float("nan")

    @property
    def sign(self) -> int:
        """-1: smaller at every seed; 1: larger at every seed; 0: neither (or fewer than 3 seeds)."""
        if len(self.values) < 3:
            return 0
        return -1 if max(self.values) < 1 else 1 if min(self.values) > 1 else 0

    def __str__(self) -> str:
        if not self.values:
            return "–"
        if len(self.values) == 1:
            return f"{self.median:.2f}"
        return f"{self.median:.2f} ({min(self.values):.2f} to {max(self.values):.2f})"


def ratio(tests: pd.DataFrame, dataset: str, backbone: str, test: str, variant: str, against: str, column: str = "rmse") -> Ratio:
    """The error of `variant` on `test` over that of `against`, for the seeds that have both."""
    block = tests[(tests.dataset == dataset) & (tests.backbone == backbone) & (tests.test == test)]
    one, other = (block[block.variant == v].set_index("seed")[column] for v in (variant, against))
    shared = [s for s in one.index if s in other.index]
    return Ratio(tuple(float(one[s] / other[s]) for s in shared))
