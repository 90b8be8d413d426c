# ruff: noqa: E501 - prose templates
"""How often the words on a model's output are wrong: breakings of known kind and size, judged from few trajectories.

    python docs/make_calibration.py           # everything, a quarter of an hour or more; goes on where it stopped
    python docs/make_calibration.py --page    # the page alone, from the numbers that are there

Writes docs/calibration/verdict.json, docs/images/calibration-verdict.png and docs/calibration.md. The planted models stand in
tests/probe/planted.py, and a small version of the same counts is a test.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "probe"))
from planted import DATA, MARGIN, Nursery, draw, kinds, measure, population

from orbitscope.probe import machine
from orbitscope.probe._provenance import versions

ROOT = Path(__file__).resolve().parent.parent
SHARES = (0.0, 0.01, 0.02, 0.035, 0.05, 0.07, 0.1, 0.2, 0.5, 1.0)
SIZES = (4, 8, 16, 32)
SKILLS = {"with skill": 0.1, "without skill": 1.5}
POPULATION, DRAWS = 160, 300
COLOURS = ("#D55E00", "#E69F00", "#009E73", "#0072B2")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what is missing, then write the picture and the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", action="store_true", help="measure nothing")
    parser.add_argument("--root", type=Path, default=ROOT, help="repository whose docs/ are written")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    docs = options.root / "docs"
    path = docs / "calibration" / "verdict.json"
    record = json.loads(path.read_text()) if path.exists() else {"cells": {}}
    for key, cell in () if options.page else cells(record["cells"]):
        record["cells"][key] = cell
        record |= {"machine": machine(), "date": datetime.now(UTC).strftime("%Y-%m-%d"), **versions()}
        record |= {"population": POPULATION, "draws": DRAWS, "margin": MARGIN}
        write(path, json.dumps(record, indent=0, allow_nan=False) + "\n")
        print(key, flush=True)
    picture(record["cells"], docs / "images" / "calibration-verdict.png")
    write(docs / "calibration.md", page(record))
    return 0


def cells(known: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """A cell per data, skill, kind and share: the rates of every word, and whether it was true."""
    for data_name, scenario in DATA.items():
        nursery = None
        for skill_name, skill in SKILLS.items():
            for share in SHARES if skill_name == "with skill" else (0.02, 0.05, 0.1):
                for kind in kinds(16):
                    key = f"{data_name}|{skill_name}|{kind}|{share}"
                    if key in known:
                        continue
                    nursery = nursery or Nursery(population(scenario, POPULATION))
                    begun = time.perf_counter()
                    cell = rates(measure(nursery(kind, share, skill), nursery.data))
                    yield key, cell | {"seconds": round(time.perf_counter() - begun, 1)}


def rates(truth: Any) -> dict[str, Any]:
    """Per number of trajectories: the words on D4, and how often any word of each sort was false."""
    member = truth.measured.member
    sizes, whole = member.sum(1), int(member.sum(1).argmax())
    holding = (truth.share <= MARGIN) | truth.measured.subgroup_exact() | (sizes <= 1)
    best = int(np.argmax(np.where(holding, sizes * 1000.0 - truth.share, -1)))
    found: dict[str, Any] = {"share": float(truth.share[whole]), "gain": float(truth.gain[whole]), "skill": truth.measured.skill}
    wrong_share = truth.element[1:] > MARGIN
    for n in SIZES:
        d = draw(truth, n, DRAWS, seed=0)
        found[str(n)] = {
            "holds": float(d.holds[:, whole].mean()),
            "broken": float(d.broken[:, whole].mean()),
            "admitted": float((d.holds[np.arange(DRAWS), d.learnt] & ~holding[d.learnt]).mean()),
            "right": float((sizes[d.learnt] == sizes[best]).mean()),
            "element_holds": float((d.element_holds[:, 1:] & wrong_share).mean(0).max()),
            "element_broken": float((d.element_broken[:, 1:] & ~wrong_share).mean(0).max()),
            "gains_wrong": float((d.gains & (truth.gain <= 0) & (sizes > 1)).mean(0).max()),
            "harms_wrong": float((d.harms & (truth.gain >= 0) & (sizes > 1)).mean(0).max()),
            "free_wrong": float((d.free & (truth.moved > 1.25)).mean(0).max()),
            "costs_wrong": float((d.costs & (truth.moved <= 1.25)).mean(0).max()),
        }
    return found


def select(cells: dict[str, Any], share: float, data: str | None = None, skill: str | None = None) -> list[dict[str, Any]]:
    """The cells of one share."""
    split = [(k.split("|"), c) for k, c in cells.items()]
    return [c for (d, s, _, b), c in split if float(b) == share and data in (None, d) and skill in (None, s)]


def picture(cells: dict[str, Any], path: Path) -> None:
    """Operating curves: how often each word comes, over the true share."""
    figure, axes = plt.subplots(1, 2, figsize=(10.0, 3.7), sharey=True)
    shares = [s for s in SHARES if s > 0]
    for axis, data in zip(axes, DATA, strict=True):
        for n, colour in zip(SIZES, COLOURS, strict=True):
            found = [select(cells, s, data, "with skill") for s in shares]
            for word, style in (("holds", "--"), ("broken", "-")):
                middle = [np.mean([c[str(n)][word] for c in f]) for f in found]
                axis.plot(shares, middle, style, color=colour, marker="o", ms=3, label=f"{word}, {n} trajectories")
                if n == 8:
                    low, high = ([edge(c[str(n)][word] for c in f) for f in found] for edge in (min, max))
                    axis.fill_between(shares, low, high, color=colour, alpha=0.15, lw=0)
        axis.axvline(MARGIN, color="#5b6675", lw=1, ls=":")
        axis.set_xscale("log")
        axis.set_xticks(shares, [f"{100 * s:g}" for s in shares], fontsize=8)
        axis.minorticks_off()
        axis.set_title(f"{data} data", fontsize=10)
        axis.set_xlabel("true share of the squared error that the breaking carries, %")
        axis.grid(color="#e6eaef", lw=0.6)
    axes[0].set_ylabel("how often the word is said")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=4, frameon=False, fontsize=8, bbox_to_anchor=(0.5, -0.14))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, bbox_inches="tight", facecolor="white")
    plt.close(figure)


def page(record: dict[str, Any]) -> str:
    """The page of docs."""
    cells = record["cells"]
    where = f"{record['date']}; orbitscope {record['orbitscope_version']}, torch {record['torch_version']}; {record['machine']}"
    return f"""# How often the verdicts are wrong

A verdict in words is worth as much as its rates of error. Here breakings of D4 of known kind and size are planted in the true solver, beside a symmetric error, and
judged from a few trajectories by the library's own rules: what is said, and what is so. Everything on this page was written by `python docs/make_calibration.py`.

**What is planted.** Navier-Stokes at 16 x 16, isotropic ({DATA["isotropic"]}) and anisotropic ({DATA["anisotropic"]}) initial states, {record["population"]} trajectories each. {len(kinds(16))} kinds: {", ".join(kinds(16))};
each without its average over D4, so that the share of the squared error that it carries is known. The symmetric error is half an isotropic operator, half a
random network averaged over D4. Skill: a squared error of 0.1 or 1.5 times persistence's. Each cell is {record["draws"]} random draws of trajectories without replacement
(so at 32 of {record["population"]} the errors look slightly too small).

## Holds and broken

![Operating curves](images/calibration-verdict.png)

*How often D4 is said to hold (dashed) and to be broken (solid) over the true share; the rest is "undecided". Dotted: the margin. Lines: mean over the kinds; shaded: the
range over the kinds at 8 trajectories.*

{_words_table(cells)}

False alarms are "broken" at a share of at most {100 * MARGIN:g} %, misses are "holds" above it; at the margin itself each word should come in 2.5 % of draws.

## The learnt subgroup

The largest subgroup whose own upper limit is within the margin. *Admitted*: one whose true share is above the margin. *Right*: the order of the largest that truly holds. `learnt_support` says 97.5 %: what is
admitted truly holds in 100 % less the first column.

{_subgroup_table(cells)}

## Elements, averaging, moving

Rates of a false word, the largest over elements or subgroups of a model, then the mean (and the worst) over all {len(cells)} models: an element said to hold or to be
broken that is not; "averaging gains on the originals" or "harms" (beyond 0.1 %) where the population says otherwise; "moving costs nothing" or "costs" with the true ratio on the other side of 1.25.

{_other_table(cells)}

## What was not tested

One equation, one grid, one step; breakings of one kind at a time; symmetric errors of two kinds; independent trajectories; float64. Trained networks,
whose errors are rarer and larger, were not counted.

Made by `python docs/make_calibration.py`; {where}.
"""


def _mean_worst(values: Sequence[float]) -> str:
    return f"{100 * np.mean(values):.1f} ({100 * np.max(values):.0f})" if len(values) else "–"


def _words_table(cells: dict[str, Any]) -> str:
    head = ["True share", "Skill", *(f"{w}, n = {n}" for n in SIZES for w in ("broken", "holds"))]
    rows = []
    for skill in SKILLS:
        for share in SHARES:
            found = select(cells, share, skill=skill)
            if found:
                row = [_mean_worst([c[str(n)][w] for c in found]) for n in SIZES for w in ("broken", "holds")]
                rows.append([f"{100 * share:g} %", skill.removesuffix(" skill"), *row])
    return _table(head, rows) + "\n\n*Per cent of draws: mean over kinds and data (largest of any).*"


def _subgroup_table(cells: dict[str, Any]) -> str:
    head = ["True share of D4", *(f"{w}, n = {n}" for n in SIZES for w in ("admitted", "right"))]
    rows = []
    for share in SHARES:
        found = select(cells, share, skill="with skill")
        if found:
            rows.append([f"{100 * share:g} %", *(_mean_worst([c[str(n)]["admitted"] for c in found]) if w == "admitted"
                         else f"{100 * np.mean([c[str(n)]['right'] for c in found]):.0f}" for n in SIZES for w in ("admitted", "right"))])  # fmt: skip
    return _table(head, rows) + "\n\n*Per cent of draws.*"


def _other_table(cells: dict[str, Any]) -> str:
    named = {
        "element_holds": "an element holds", "element_broken": "an element is broken", "gains_wrong": "averaging gains",
        "harms_wrong": "averaging harms", "free_wrong": "moving costs nothing", "costs_wrong": "moving costs",
    }  # fmt: skip
    rows = [[title, *(_mean_worst([c[str(n)][key] for c in cells.values()]) for n in SIZES)] for key, title in named.items()]
    return _table(["Said wrongly, % of draws", *(f"n = {n}" for n in SIZES)], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---", *["---:"] * (len(head) - 1)], *rows])


def write(path: Path, text: str) -> None:
    """Beside, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(path.suffix + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    sys.exit(main())
