"""What the studies share: one folder that is never mixed up, jobs on all cores with resume, tables, the page's small parts.

A study is a list of jobs. What a job finds is written as a *case*, a JSON file that is there whole or not at all; a second start leaves
out the cases that are there. Scripts put this folder on their path and import from here.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import time
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):  # one process per core; before torch is imported
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import torch  # noqa: E402
import xarray as xr  # noqa: E402
from scipy.stats import rankdata  # noqa: E402

from orbitscope import OrbitscopeError  # noqa: E402
from orbitscope._executor import Where, run_parts  # noqa: E402
from orbitscope._part import tell  # noqa: E402
from orbitscope._whole import write_whole  # noqa: E402
from orbitscope._workers import cores  # noqa: E402
from orbitscope.probe import machine  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
Tell = Callable[[str], None]
Work = Callable[[Any, Any, float, Tell], None]  # (place, job, deadline, tell)
Reshape = Callable[[pd.DataFrame], pd.DataFrame]
S = TypeVar("S")


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """The command line of every study."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("small.toml"))
    parser.add_argument("--out", type=Path, default=None, help="folder of the study (default: runs/<study>-<config>)")
    parser.add_argument("--workers", type=int, default=None, help="processes, each with one thread (default: one per core)")
    parser.add_argument("--cluster", default=None, help="scheduler of a dask cluster in place of processes, dask://host:port")
    parser.add_argument("--minutes", type=float, default=None, help="begin nothing after so many minutes")
    parser.add_argument("--results", type=Path, default=None, help="where tables go (default: results/<config> beside the script)")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "studies", help="where the page and its figures go")
    parser.add_argument("--page-only", action="store_true", help="no computing: figures and page from the tables")
    return parser


def read_settings(kind: type[S], path: Path, here: Path) -> S:
    """A dataclass of settings from a TOML file, given as it is or by its name in the folder `here`."""
    found = path if path.exists() else here / path.name
    if not found.exists():
        known = ", ".join(sorted(p.name for p in here.glob("*.toml")))
        raise OrbitscopeError(f"config: there is no file {path}. Take one of {known}.")
    try:
        return kind(**tomllib.loads(found.read_text(encoding="utf-8")))
    except TypeError as error:
        raise OrbitscopeError(f"config: {found}: {error}.") from error


class Folder:
    """The folder of one study with one configuration: cases/ and whatever else its jobs keep."""

    def __init__(self, out: Path, settings: Any) -> None:
        self.out, self.settings = out, settings

    def claim(self) -> None:
        """One folder, one config."""
        kept, now = self.out / "study.json", json.dumps(asdict(self.settings), indent=1, sort_keys=True)
        if kept.exists() and kept.read_text(encoding="utf-8") != now:
            raise OrbitscopeError(f"out: {self.out} holds a study with other settings. Give another --out.")
        write_whole(kept, lambda part: part.write_text(now, encoding="utf-8"))

    def case_file(self, key: str, experiment: str) -> Path:
        return self.out / "cases" / key / f"{experiment}.json"

    def cases(self) -> list[dict[str, Any]]:
        """All finished cases in the order of their names."""
        return [json.loads(path.read_text(encoding="utf-8")) for path in sorted((self.out / "cases").glob("*/*.json"))]

    def write_case(
        self, key: str, experiment: str, label: dict[str, Any], tables: dict[str, Any], seconds: float, dataset: xr.Dataset | None = None
    ) -> None:
        """The dataset first: the JSON file says that the case is finished."""
        path = self.case_file(key, experiment)
        if dataset is not None and dataset.data_vars:
            content = dataset.to_netcdf(engine="h5netcdf", encoding={k: {"zlib": True, "complevel": 9} for k in dataset.data_vars})
            write_whole(path.with_suffix(".nc"), lambda part: part.write_bytes(content))
        body = {"run": label, "experiment": experiment, "seconds": seconds, "tables": tables}
        write_whole(path, lambda part: part.write_text(json.dumps(body), encoding="utf-8"))


def where(options: argparse.Namespace) -> int | str | None:
    """Where the jobs are done, by the command line; None: one process per core."""
    return options.cluster or options.workers


def compute(place: Folder, work: Work, jobs: Sequence[Any], where: Where, minutes: float | None, prepare: Callable[[], None]) -> None:
    """Claim the folder, `prepare()` in this process (data), then `work(place, job, deadline, tell)` for every job.

    `work` stands at the top of a module. Without `where` on all cores; on a cluster the folder and the scripts have the same path on
    every machine. The wall time is added up in timing.json.
    """
    place.claim()
    started, deadline = time.time(), float("inf") if minutes is None else time.time() + 60 * minutes
    place_for: Where = where or (1 if getattr(place.settings, "device", "cpu") == "cuda" else cores())
    prepare()
    done = 0

    def hear(text: str) -> None:
        say(f"[{(time.time() - started) / 60:5.1f} min, {done}/{len(jobs)}] {text}")

    clock = _Clock(place, started, _workers(place_for))

    def finished(number: int, _: int) -> None:
        nonlocal done
        done = number
        clock.tick()  # now, as a start that is killed says nothing at its end

    if place_for == 1:  # this process: another one would only import everything again
        torch.set_num_threads(1)
        place_for = None
    for _ in run_parts(place_for, jobs, _work, _made, (place, work, deadline), finished=finished, hear=hear):
        pass
    clock.tick()


def _workers(where: Where) -> int | str:
    """As the page names them."""
    return 1 if where is None else where if isinstance(where, int | str) else type(where).__name__


def _made(place: Folder, work: Work, deadline: float) -> tuple[Folder, Work, float]:
    return place, work, deadline


def _work(made: tuple[Folder, Work, float], job: Any) -> None:
    place, work, deadline = made
    if time.time() <= deadline:
        work(place, job, deadline, tell)


class _Clock:
    """Wall time over all starts, in timing.json; a start that finds everything done adds nothing."""

    def __init__(self, place: Folder, started: float, workers: int | str) -> None:
        self.place, self.started, self.workers, self.path = place, started, workers, place.out / "timing.json"
        self.before = {"seconds": 0.0, "starts": 0}
        if self.path.exists():
            self.before = json.loads(self.path.read_text(encoding="utf-8"))
        self.cases = self._cases()

    def _cases(self) -> int:
        return len(list((self.place.out / "cases").glob("*/*.json")))

    def tick(self) -> None:
        """Write the time up to now, if this start has added a case since the last time."""
        cases = self._cases()
        if cases <= self.cases:
            return
        self.cases = cases
        new = {"cases": cases, "starts": self.before["starts"] + 1, "workers": self.workers, "machine": machine()}
        if "seconds" in self.before:  # else the time of an earlier start was lost, and a sum without it would be wrong
            new["seconds"] = self.before["seconds"] + time.time() - self.started
        write_whole(self.path, lambda part: part.write_text(json.dumps(new, indent=1), encoding="utf-8"))


def collect(
    place: Folder, results: Path, planned: Iterable[dict[str, Any]], reshape: dict[str, Callable[[pd.DataFrame], pd.DataFrame]]
) -> None:
    """Write results/<table>.csv and meta.json, each whole or not at all. Same cases, same bytes.

    `planned`: the labels of all runs that the settings ask for; `reshape[name]` is applied to that table first.
    """
    tables: dict[str, list[dict[str, Any]]] = defaultdict(list)
    found = place.cases()
    for case in found:
        for name, rows in case["tables"].items():
            if not rows:  # a table without a column cannot be read
                continue
            tables[name] += [{**case["run"], **row} for row in rows]
    for name, rows in tables.items():
        frame = (reshape or {}).get(name, lambda f: f)(pd.DataFrame(rows))
        text = frame.to_csv(index=False, float_format="%.5g", lineterminator="\n")
        write_whole(results / f"{name}.csv", lambda part, text=text: part.write_text(text, encoding="utf-8"))
    timing, labels = place.out / "timing.json", list(planned)
    meta = {
        "settings": asdict(place.settings),
        "planned_runs": len(labels), "measured_runs": sum(any(c["run"] == r for c in found) for r in labels),
        "timing": json.loads(timing.read_text(encoding="utf-8")) if timing.exists() else {},
        "versions": {n: importlib.metadata.version(n) for n in ("orbitscope", "torch", "numpy", "scipy")},
        "date": _date(place),
    }  # fmt: skip
    write_whole(results / "meta.json", lambda part: part.write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8"))


def _date(place: Folder) -> str:
    newest = max((p.stat().st_mtime for p in (place.out / "cases").glob("*/*.json")), default=0.0)
    return datetime.datetime.fromtimestamp(newest, datetime.UTC).strftime("%Y-%m-%d")


def restore(place: Folder, results: Path, label: Sequence[str], owner: Callable[[str, dict[str, Any]], tuple[str, str]]) -> int:
    """Write the cases of a study again from its tables in `results`, so that only what is missing runs; how many were not there.

    `label`: the columns that name a run; `owner(table, row)`: key and experiment of the case that a row came from. Numbers have the digits
    of the tables, and `collect` writes the same tables from them; what a case keeps beside (weights, a dataset) does not come back.
    """
    place.claim()
    timing, known = place.out / "timing.json", Tables(results).meta["timing"]
    if known and not timing.exists():  # the time of the earlier starts counts
        write_whole(timing, lambda part: part.write_text(json.dumps(known, indent=1), encoding="utf-8"))
    cases: dict[tuple[str, str], dict[str, Any]] = {}
    for name, frame in Tables(results).items():
        for row in frame.to_dict("records"):
            case = cases.setdefault(owner(name, row), {"label": {}, "tables": defaultdict(list), "seconds": 0.0})
            case["label"] = {k: row.pop(k) for k in label if k in row}
            if name == "cost":
                case["seconds"] = row["cpu_seconds"]
            case["tables"][name].append(row)
    new = [c for c in cases if not place.case_file(*c).exists()]
    for key, experiment in new:
        case = cases[key, experiment]
        place.write_case(key, experiment, case["label"], case["tables"], case["seconds"])
    return len(new)


class Tables(dict[str, pd.DataFrame]):
    """The tables of a results folder by name; an empty frame with `columns` for one that is not there."""

    def __init__(self, results: Path, columns: Sequence[str] = ()) -> None:
        super().__init__({p.stem: pd.read_csv(p) for p in sorted(results.glob("*.csv"))})
        self.columns = list(columns)
        self.meta: dict[str, Any] = json.loads((results / "meta.json").read_text(encoding="utf-8"))

    def __missing__(self, name: str) -> pd.DataFrame:
        return pd.DataFrame(columns=self.columns)


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def took(meta: dict[str, Any]) -> str:
    """How long a study took, on what."""
    timing = meta["timing"]
    if not timing:
        return "–"
    count = timing["workers"]
    processes = f"the workers of {count}" if isinstance(count, str) else f"{count} process{'es' if count > 1 else ''}"
    if "seconds" not in timing:
        why = timing.get("why", "as starts were killed")
        return f"on {timing['machine']}, time by the clock not known, {why}"
    return f"{timing['seconds'] / 60:.0f} minutes by the clock on {processes} of one thread ({timing['machine']})"


def versions(meta: dict[str, Any]) -> str:
    return ", ".join(f"{k} {v}" for k, v in meta["versions"].items())


def bootstrap(values: Sequence[float], statistic: Callable[..., Any] = np.median, resamples: int = 2000) -> tuple[float, float, float]:
    """A statistic of independent values (seeds, say) and its bootstrap 95 % interval; no interval, but NaN, for fewer than three."""
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    if len(known) == 0:
        return float("nan"), float("nan"), float("nan")
    if len(known) < 3:
        return float(statistic(known)), float("nan"), float("nan")
    drawn = statistic(known[np.random.default_rng(0).integers(len(known), size=(resamples, len(known)))], axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(statistic(known)), float(low), float(high)


def spearman(a: Any, b: Any, resamples: int = 2000, units: Any = None) -> tuple[float, float, float]:
    """Rank correlation, and its bootstrap 95 % interval over `units` (runs), the independent ones, or rows; NaN for fewer than five."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    fine = np.isfinite(a) & np.isfinite(b)
    a, b = a[fine], b[fine]
    owner = np.arange(len(a)) if units is None else np.unique(np.asarray(units)[fine], return_inverse=True)[1]
    if len(a) < 4 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan"), float("nan"), float("nan")
    rng = np.random.default_rng(0)
    rows = [np.flatnonzero(owner == k) for k in range(owner.max() + 1)]
    by_size: dict[int, list[np.ndarray]] = {}
    for _ in range(resamples if len(rows) >= 5 else 0):
        pick = np.concatenate([rows[k] for k in rng.integers(len(rows), size=len(rows))])
        by_size.setdefault(len(pick), []).append(pick)
    drawn = np.concatenate([_rank_correlation(a[picks], b[picks]) for picks in map(np.array, by_size.values())]) if by_size else np.empty(0)
    drawn = drawn[np.isfinite(drawn)]  # a draw whose values are all one has no correlation
    low, high = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else (np.nan, np.nan)
    return float(_rank_correlation(a, b)), float(low), float(high)


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Spearman's along the last axis, all draws at once and without the p-value that scipy's computes each time; NaN for constants."""
    a, b = rankdata(a, axis=-1), rankdata(b, axis=-1)
    a, b = a - a.mean(-1, keepdims=True), b - b.mean(-1, keepdims=True)
    size = np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    return np.divide((a * b).sum(-1), size, out=np.full_like(size, np.nan), where=size > 0)


def say(text: str) -> None:
    print(text, flush=True)
