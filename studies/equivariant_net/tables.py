"""From the finished cases to tidy tables, and the numbers that the page draws its conclusions from."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from harness import Tables, collect
from judgement import side
from study import OWN, SYMMETRIES, Place, runs

from orbitscope._whole import write_whole

PARTS = {"small": ("small-heat", "altimetry-ocean", "ostia")}
LABEL = ["dataset", "backbone", "variant", "seed"]


def collect_all(place: Place, results: Path) -> None:
    """Write results/<table>.csv, pictures.nc and meta.json, each whole or not at all. Same cases, same bytes."""
    # The names of the files, not where they lay.
    settings = replace(place.settings, files=[Path(f).name for f in place.settings.files])
    collect(Place(place.out, settings), results, [r.label for r in runs(place.settings)], {})
    found = {}
    for path in sorted((place.out / "cases").glob("*/run.nc")):
        symmetry = path.parent.name.split("_")[2].removeprefix("augmented-")
        shown = [t.replace(" ", "_").replace("/", "-") for s, own in OWN.items() for t in own[-1:] if symmetry in (s, "plain")]
        for name, value in xr.load_dataset(path, engine="h5netcdf").data_vars.items():
            key = f"{path.parent.name}__{name}"
            if name == "norms" and symmetry in ("plain", *SYMMETRIES) and "augmented" not in key:
                found[key] = (("what", f"step_{value.shape[1]}", f"channel_{value.shape[2]}", "x", "y"), value.values)
            elif name in shown:
                found[key] = (("what", f"channel_{value.shape[1]}", "x", "y"), value.values)
    if found:
        coding = {k: {"zlib": True, "complevel": 9, "dtype": "float32"} for k in found}
        content = xr.Dataset(found).to_netcdf(engine="h5netcdf", encoding=coding)
        write_whole(results / "pictures.nc", lambda part: part.write_bytes(content))


def parts_of(results: Path) -> list[Path]:
    """The results folders that one page shows: of a study that was run in parts."""
    return [results, *(p for name in PARTS.get(results.name, ()) if (p := results.with_name(name)).joinpath("meta.json").exists())]


def read_tables(results: Path) -> Tables:
    """The tables of a results folder, with those of its other parts beside it, where there are any."""
    first, *others = parts_of(results)
    tables = Tables(first, LABEL)
    for other in others:
        more = Tables(other, LABEL)
        for name, frame in more.items():
            tables[name] = pd.concat([tables[name], frame], ignore_index=True) if name in tables else frame
        for key in ("planned_runs", "measured_runs"):
            tables.meta[key] += more.meta[key]
        tables.meta.setdefault("parts", []).append(more.meta)
    return tables


def settings_of(tables: Tables, dataset: str) -> dict[str, Any]:
    """The settings that a data set was run with."""
    for meta in (tables.meta, *tables.meta.get("parts", [])):
        s = meta["settings"]
        if dataset in (["ocean"] if s["files"] else s["data"]) and (dataset != "ocean" or s["files"]):
            return s
    return tables.meta["settings"]


def read_pictures(results: Path) -> dict[tuple[str, str], np.ndarray]:
    """(run, test set) -> truth and forecast of one window, [2, channel, x, y], of both parts."""
    found = {}
    for path in (folder / "pictures.nc" for folder in parts_of(results)):
        if path.exists():
            kept = xr.load_dataset(path, engine="h5netcdf")
            found |= {(str(name).split("__")[0], str(name).split("__")[1]): value.values for name, value in kept.data_vars.items()}
    return found


@dataclass(frozen=True)
class Ratio:
    """One network's error over another's, seed by seed: median, least, largest."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return float(np.median(self.values)) if self.values else float("nan")

    @property
    def sign(self) -> int:
        """-1: smaller, 1: larger, by the 95 % interval of the logarithm over seeds; 0: neither (or fewer than 3 seeds)."""
        return side(self.values)

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
