# ruff: noqa: E501 - prose templates
"""How often the words on the learning are false where nothing is shared, and how often they find what is.

    python docs/make_calibration_learning.py

Writes docs/calibration/learning.json, and the tables between the markers of docs/calibration-learning.md; with `--kronecker` instead
docs/calibration/kronecker.json and the table in docs/metrics.md: how far the estimated metric is from its own limit. Gradients are planted: unit
vectors of 20 dimensions for kets and bras, with or without sharing between a ket and the bras of its own orbit; the statistics and the words
are the library's own. With `--from-json` the page is written again from the stored numbers.
"""

import argparse
import datetime
import itertools
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from scipy.stats import beta
from torch import nn

import orbitscope as osc
from orbitscope.probe import Kronecker, machine
from orbitscope.probe.learning._permutation import trajectories_needed
from orbitscope.probe.learning._statistics import summarise
from orbitscope.probe.verdicts._learning_words import learning_words

BEGIN, END = "<!-- learning:begin -->", "<!-- learning:end -->"
KRONECKER = "<!-- kronecker:begin -->", "<!-- kronecker:end -->"
ROOT = Path(__file__).resolve().parent.parent
DIMENSIONS = 20
SIZES = (2, 3, 4, 5, 6, 8, 12, 16)
DIMS = ("element", "bra_time", "bra_trajectory", "ket_time", "ket_trajectory")


@dataclass(frozen=True)
class Planted:
    """Gradients with known sharing; every number between 0 and 1 but `sharing`, which may be negative."""

    words: str
    elements: int = 7
    """Elements but the identity."""
    times: int = 2
    trajectory: float = 0.0
    """Correlation of the gradients of one trajectory, beyond their order in time."""
    time: float = 0.0
    """Correlation from one time to the next."""
    common: float = 0.0
    """Coherence of unrelated states: all gradients share a direction."""
    linked: float = 0.0
    """Correlation between the bras of different elements."""
    sharing: tuple[float, ...] = field(default=())
    """Excess coherence planted in the first elements; 0 in the rest."""

    def coherence(self, trajectories: int, rng: np.random.Generator) -> xr.DataArray:
        """One draw, the identity first."""
        kets, together = self._own(trajectories, rng), self._own(trajectories, rng)
        blocks = []
        for k in range(self.elements + 1):
            s = 1.0 if k == 0 else self.sharing[k - 1] if k <= len(self.sharing) else 0.0
            rest = np.sqrt(self.linked) * together + np.sqrt(1 - self.linked) * self._own(trajectories, rng)
            blocks.append(np.einsum("tbd,sud->tbsu", self._unit(s * kets + np.sqrt(1 - s * s) * rest), self._unit(kets)))
        return xr.DataArray(np.array(blocks), dims=DIMS, coords={"element": ["e", *(f"g{k}" for k in range(1, self.elements + 1))]})

    def _own(self, trajectories: int, rng: np.random.Generator) -> np.ndarray:
        """Independent between trajectories, unit variance per direction."""
        values = rng.normal(size=(self.times, trajectories, DIMENSIONS))
        for t in range(1, self.times):
            values[t] = self.time * values[t - 1] + np.sqrt(1 - self.time**2) * values[t]
        return np.sqrt(self.trajectory) * rng.normal(size=(1, trajectories, DIMENSIONS)) + np.sqrt(1 - self.trajectory) * values

    def _unit(self, values: np.ndarray) -> np.ndarray:
        shared = np.zeros(DIMENSIONS)
        shared[0] = np.sqrt(self.common * DIMENSIONS / max(1e-12, 1 - self.common))
        values = values + shared
        return values / np.linalg.norm(values, axis=-1, keepdims=True)


NULLS = (
    Planted("independent"),
    Planted("effects of the trajectory", trajectory=0.7),
    Planted("four correlated times", times=4, time=0.9),
    Planted("unrelated states cohere (0.5)", common=0.5, trajectory=0.5),
    Planted("elements linked (0.8)", linked=0.8, trajectory=0.5),
    Planted("15 elements", elements=15, trajectory=0.5),
)
SHARINGS = (0.2, 0.4, 0.6, 0.8, -0.4, -0.8)


def words(case: Planted, trajectories: int, draws: int, seed: int, resamples: int = 200) -> tuple[list[list[str]], int]:
    """The words of every draw, without the identity's; and in how many draws an interval alone would have given one."""
    found, alone = [], 0
    for draw in range(draws):
        rng = np.random.default_rng([seed, trajectories, draw])
        result = xr.Dataset(dict(summarise(case.coherence(trajectories, rng), draw, resamples)))
        found.append(learning_words(result)[1:])
        low, high = result["excess_low"].values[1:], result["excess_high"].values[1:]
        alone += bool(((low > 0) | (high < 0)).any())
    return found, alone


def false_words(case: Planted, trajectories: int, draws: int, seed: int = 1) -> dict[str, Any]:
    """Share of draws with any word, nothing being shared, with its 95 % upper limit."""
    found, alone = words(case, trajectories, draws, seed)
    wrong = sum(any(w in ("shared", "opposed") for w in row) for row in found)
    undetermined = sum(w == "undetermined" for row in found for w in row) / (draws * case.elements)
    return {
        "trajectories": trajectories, "rate": wrong / draws, "upper": float(beta.ppf(0.975, wrong + 1, draws - wrong)) if wrong < draws else 1.0,
        "interval_alone": alone / draws, "undetermined": undetermined,
    }  # fmt: skip


def power(excess: float, trajectories: int, draws: int, seed: int = 2) -> dict[str, Any]:
    """Share of elements with planted sharing that get the right word, and that get the opposite one; three of seven elements have it."""
    case = Planted("three of seven", sharing=(excess,) * 3, trajectory=0.5)
    found, _ = words(case, trajectories, draws, seed)
    right, other = ("shared", "opposed") if excess > 0 else ("opposed", "shared")
    mine = [w for row in found for w in row[:3]]
    rest = sum(any(w in ("shared", "opposed") for w in row[3:]) for row in found) / draws
    return {
        "trajectories": trajectories, "excess": excess, "right": mine.count(right) / len(mine), "opposite": mine.count(other) / len(mine),
        "false_elsewhere": rest,
    }  # fmt: skip


def measure(draws: int, sizes: Sequence[int]) -> dict[str, Any]:
    """All of it."""
    nulls = {case.words: [_told(case.words, false_words(case, n, draws)) for n in sizes] for case in NULLS}
    found = [_told("power", power(s, n, max(1, draws // 4))) for s in SHARINGS for n in sizes if n >= trajectories_needed(7)]
    return {
        "draws": draws, "draws_of_power": max(1, draws // 4), "sizes": list(sizes), "null": nulls, "power": found, "machine": machine(),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"), "command": "python docs/make_calibration_learning.py",
    }  # fmt: skip


def _told(name: str, row: dict[str, Any]) -> dict[str, Any]:
    print(name, row, file=sys.stderr, flush=True)
    return row


def page(found: dict[str, Any]) -> str:
    """The tables, in Markdown."""
    sizes = found["sizes"]
    rows = [[name, *(f"{r['rate']:.3f}" for r in rates)] for name, rates in found["null"].items()]
    worst = max((r for rates in found["null"].values() for r in rates), key=lambda r: r["rate"])
    alone = [f"{max(rates[k]['interval_alone'] for rates in found['null'].values()):.2f}" for k in range(len(sizes))]
    undetermined = [f"{found['null']['independent'][k]['undetermined']:.0%}" for k in range(len(sizes))]
    strengths = list(dict.fromkeys(r["excess"] for r in found["power"]))
    able = list(dict.fromkeys(r["trajectories"] for r in found["power"]))
    by = {(r["excess"], r["trajectories"]): r for r in found["power"]}
    opposite = max(r["opposite"] for r in found["power"])
    return "\n\n".join([
        f"{found['draws']} draws a cell; 7 elements unless the row says another number. Share of draws in which *any* element is called *shared* or *opposed*, nothing being shared:",
        _table(["planted", *(f"{n} trajectories" for n in sizes)], [*rows, ["**largest: an interval alone, without the test**", *alone], ["elements called *undetermined*", *undetermined]]),
        f"Largest of all cells: {worst['rate']:.3f}, 95 % upper limit {worst['upper']:.3f}. Fewest trajectories that allow a word: {', '.join(f'{trajectories_needed(k)} for {k} elements' for k in (1, 3, 7, 15, 63))}.",
        f"Sharing planted in three of seven elements, {found['draws_of_power']} draws a cell. Share of those elements that get the right word; unrelated states have a coherence of 0 with a standard deviation of {DIMENSIONS ** -0.5:.2f}:",
        _table(["planted excess coherence", *(f"{n} trajectories" for n in able)], [[f"{s:+g}", *(f"{by[s, n]['right']:.2f}" for n in able)] for s in strengths]),
        f"The opposite word: at most {opposite:.3f} of them. Any word on the other four elements: at most {max(r['false_elsewhere'] for r in found['power']):.3f} of the draws.",
        f"`{found['command']}`; {found['machine']}; {found['date']}.",
    ])  # fmt: skip


def kronecker(probes: Sequence[int]) -> dict[str, Any]:
    """Coherences in the estimated metric against those with all outputs taken, on two small networks and two dampings."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randn((4, 3, 2, 8, 8), generator=generator, dtype=torch.float64)
    data = osc.Trajectories(values, osc.Layout.of("velocity:vector"), osc.Grid.square(8), dt=0.1)
    torch.manual_seed(3)
    circular = {"padding": 1, "padding_mode": "circular"}
    networks = {
        "two convolutions": nn.Sequential(nn.Conv2d(2, 8, 3, **circular), nn.Tanh(), nn.Conv2d(8, 2, 3, **circular)).double(),
        "residual network": osc.build("resnet", channels_in=2, width=6, depth=1).double().eval(),
    }
    rows = []
    for (name, model), damping in itertools.product(networks.items(), (1e-4, 1e-6)):
        exact, *found = (
            osc.influence(model, data, "d4", metric=Kronecker(damping, probes=s), trajectories=4, times=2) for s in (10**9, *probes)
        )
        for s, one in zip(probes, found, strict=True):
            gap, said = (np.abs(one["coherence"] - exact["coherence"]).values[1:], one["coherence_error"].values[1:])
            row = {
                "network": name, "parameters": exact.attrs["parameters"], "damping": damping, "probes": s, "median": float(np.median(gap)),
                "largest": float(gap.max()), "rms": float(np.sqrt((gap**2).mean())), "said": float(np.sqrt((said**2).mean())),
                "inside": float((gap <= 2 * said).mean()),
            }  # fmt: skip
            rows.append(_told("kronecker", row))
    about = {"machine": machine(), "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")}
    return {"rows": rows, "outputs": 128, **about, "command": "python docs/make_calibration_learning.py --kronecker"}


def kronecker_page(found: dict[str, Any]) -> str:
    """The table of `kronecker`."""
    rows = [
        [
            f"{r['network']}, {r['parameters']} parameters",
            f"{r['damping']:g}",
            str(r["probes"]),
            f"{r['median']:.4f}",
            f"{r['largest']:.3f}",
            f"{r['rms']:.4f}",
            f"{r['said']:.4f}",
            f"{r['inside']:.0%}",
        ]
        for r in found["rows"]
    ]
    header = [
        "network",
        "damping",
        "probes",
        "median error of a coherence",
        "largest",
        "rms",
        "rms of `coherence_error`",
        "within two stated errors",
    ]
    text = f"Coherences on D4, 8 transitions of {found['outputs']} outputs each, against the same metric with all outputs taken (`probes` at least {found['outputs']}):"
    return f"{text}\n\n{_table(header, rows)}\n\n`{found['command']}`; {found['machine']}; {found['date']}."


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write_between(path: Path, text: str, begin: str, end: str) -> None:
    """Put text between the markers of a page."""
    old = path.read_text(encoding="utf-8")
    if old.count(begin) != 1 or old.count(end) != 1:
        sys.exit(f"{path} should hold one {begin} and one {end}.")
    head, rest = old.split(begin)
    path.write_text(f"{head}{begin}\n{text}\n{end}{rest.split(end)[1]}", encoding="utf-8")


def _stored(path: Path, stored: bool, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    if not stored:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(make(), indent=1) + "\n", encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, store, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=400, help="per cell")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="trajectories")
    parser.add_argument("--kronecker", type=int, nargs="*", help="measure the Kronecker metric instead, with so many probes")
    parser.add_argument("--from-json", action="store_true", help="write the page from the stored numbers")
    parser.add_argument("--root", type=Path, default=ROOT, help="repository whose docs/ are written")
    options = parser.parse_args(argv)
    docs = options.root / "docs"
    if options.kronecker is not None:
        found = _stored(docs / "calibration" / "kronecker.json", options.from_json, lambda: kronecker(options.kronecker or (4, 16, 64)))
        write_between(docs / "metrics.md", kronecker_page(found), *KRONECKER)
        return 0
    found = _stored(docs / "calibration" / "learning.json", options.from_json, lambda: measure(options.draws, options.sizes))
    write_between(docs / "calibration-learning.md", page(found), BEGIN, END)
    return 0


if __name__ == "__main__":
    sys.exit(main())
