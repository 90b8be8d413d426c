# ruff: noqa: E501 - prose templates
"""docs/studies/discovery.md from the tables of the suite, of the heat equation and of the jets: no number in it is typed in by hand."""

import math
from pathlib import Path

import calibration_page
import figures
import flows_page
import heat_page
import jets_page
import nonlinear_page
import pandas as pd
import surfaces_page
from harness import Tables, table, took, versions
from study import METHODS
from tables import NEAR, by_case, false_alarms, methods, planted, share, symmetric

from orbitscope._whole import write_whole
from orbitscope.discover import HOLDS

PAGE = "discovery.md"
#: Where the results of other scripts lie.
OTHERS = Path(__file__).resolve().parent / "results"


def write_page(results: Path, docs: Path) -> Path:
    """Figures, then the page; same tables, same bytes."""
    t = Tables(results)
    frame = t["suite"]
    few = Tables(OTHERS / "few") if (OTHERS / "few").exists() and t.meta["settings"]["name"] != "tiny" else None
    crooked = _source(t, few, (frame["planted"] > 0).any())
    figures.draw(frame, crooked["suite"], HOLDS, docs)
    parts = [
        _head(t, frame), _suite(t, frame, HOLDS), _methods(t, few), _planted(crooked), calibration_page.section(t, few),
        heat_page.section(OTHERS / "heat", docs),
        flows_page.section(OTHERS / "flows", docs), surfaces_page.sections(OTHERS, docs), nonlinear_page.section(OTHERS / "nonlinear"), _jets(docs), _limits(t),
    ]  # fmt: skip
    text = "\n\n".join(p for p in parts if p) + "\n"
    write_whole(docs / PAGE, lambda part: part.write_text(text, encoding="utf-8"))
    return docs / PAGE


def _source(t: Tables, few: Tables | None, own: bool) -> Tables:
    """The suite, or the one with fewer examples, for what the suite itself has not."""
    return t if own or few is None else few


def _jets(docs: Path) -> str:
    """What `jets.py` found, where its results are there."""
    full, quick = OTHERS / "jets-full", OTHERS / "jets-quick"
    if not full.exists():
        return ""
    jets_page.draw(full, docs)
    return jets_page.section(full, quick if quick.exists() else None)


def _head(t: Tables, frame: pd.DataFrame) -> str:
    s = t.meta["settings"]
    hits, alarms = symmetric(frame), false_alarms(frame)
    return f"""# Study: the symmetry that nobody declared

Written by `studies/discovery/run.py --config {s["name"]}.toml`; every number below comes from result files, and every conclusion from a rule that stands beside it. `orbitscope.discover_symmetry` is put to maps whose symmetry is known, and to controls that have none. It gets examples and the name of a group to search in, nothing else.

* **Right in everything** (number of generators, their span within {_degrees()} degrees, name of the algebra): {share(hits)} of the runs on maps with a continuous symmetry; bar 95 %: {"met" if hits.mean() >= 0.95 else "missed"}.
* **False symmetry** on maps without one: {share(alarms)}; bar 5 %: {"met" if alarms.mean() <= 0.05 else "missed"}, as far as so many runs can tell.
* One run takes {(frame["training_seconds"] + frame["search_seconds"])[frame["method"] == "gradient"].median():.0f} s of processor (median), training of two predictors included."""


def _degrees() -> str:
    return f"{math.degrees(math.acos(NEAR)):.0f}"


def _suite(t: Tables, frame: pd.DataFrame, limit: float) -> str:
    return f"""## Known groups

Every case is a closed formula of {t.meta["settings"]["examples"]:,} Gaussian vectors (`studies/discovery/known.py`), {_examples(frame)} and the split drawn anew for every seed. Two predictors (`ProductNet`) are trained on halves that do not overlap, a fifth is held out from both. A direction holds where the squared breaking that both predictors agree on is at most {limit:g} of what unrelated examples give, its bootstrap interval included.

{table(["case", "searched in", "truth (generators)", "right in everything (95 % interval)", "median angle to the true span, degrees", "largest breaking accepted", "smallest refused", "predictor's error", "processor s"], by_case(frame))}

The predictor's error is relative to the best constant. The breaking is squared, 0 for a symmetry, about 1 for a direction that means nothing.

![Left: for every case and seed the largest breaking among the accepted directions and the smallest among the refused, with the limit between them. Right: the breaking that was planted in a map with the symmetry of the circle, and what was measured.](discovery-suite.png)"""


def _examples(frame: pd.DataFrame) -> str:
    """How many seeds a case has: all the same number, or not where a study was cut short."""
    each = calibration_page.plain(frame).groupby("case")["seed"].nunique()
    low, high = int(each.min()), int(each.max())
    return (
        f"{high} seed{'s' if high > 1 else ''}, with data, first weights"
        if low == high
        else f"{low} to {high} seeds a case, with data, first weights"
    )


def _methods(t: Tables, few: Tables | None) -> str:
    """From the suite itself; where it has `gradient` alone, from the one with fewer examples."""
    source = _source(t, few, t["suite"]["method"].nunique() > 1)
    rows = methods(source["suite"], METHODS)
    if len(rows) < 2:
        return ""
    s = source.meta["settings"]
    which = f"{s['examples']:,} examples, {source['suite'].loc[source['suite']['method'] != 'gradient', 'seed'].nunique()} seeds"
    return f"""## Three methods on the same predictors

`gradient` solves one eigenproblem. `atlas` (AtlasD's loss) and `adversarial` (LieGAN) learn a basis by gradient descent and have to be *told* how many generators there are; `gradient` has to find that out too. Cases with a continuous symmetry, the same examples ({which}), the same evidence on what each method gave.

{table(["method", f"whole span within {_degrees()} degrees", "accepted in everything by the evidence", "median angle", "90 % quantile of the angle", "processor s of the search"], rows)}"""


def _planted(t: Tables) -> str:
    found = planted(t["suite"])
    if len(found) < 2:
        return ""
    rows = [
        [
            f"{size:g}",
            f"{r['size']:.3f} ({r['low']:.3f} to {r['high']:.3f})",
            f"{r['exact']:.0f}",
            f"{r['approximate']:.0f}",
            f"{r['other']:.0f}",
        ]
        for size, r in found.iterrows()
    ]
    return f"""## How small a breaking is seen

The circle's map plus a map without symmetry, times the planted size; {t.meta["settings"]["examples"]:,} examples. The measured breaking is the square root of the smallest of the spectrum: median over seeds, smallest and largest. The word *exact* means that what is left lies within the predictors' noise, so a breaking below their error can be called exact; *approximate*, that it is small and measured.

{table(["planted", "measured breaking", "called exact", "approximate", "broken or undetermined"], rows)}"""


def _limits(t: Tables) -> str:
    s = t.meta["settings"]
    return f"""## What this does not show

* The maps are smooth, their inputs Gaussian and without noise. A case stands for its kind of group, not for a kind of data.
* "gradient" sees the identity component alone, and the groups that the hypothesis holds.
* Settings: `{s["name"]}.toml`, seeds {", ".join(str(x) for x in s["seeds"])}; {t.meta["measured_runs"]} of {t.meta["planned_runs"]} planned runs; {took(t.meta)}; {versions(t.meta)}; {t.meta["date"]}."""
