# ruff: noqa: E501 - prose templates
"""The part of the page on how often its words, and the verdict's on a re-meshing, are wrong."""

import pandas as pd
from calibration import MARGIN
from harness import Tables, table
from scipy.stats import binomtest


def calibration(t: Tables) -> str:
    """Rates by planted size, with 95 % intervals; nothing where nothing was counted."""
    if "calibration" not in t:
        return ""
    frame = t["calibration"]
    verdict, study = frame[frame.rule == "verdict"], frame[frame.rule == "study"]
    rows = []
    for size, some in verdict.groupby("size"):
        row = [f"{100 * float(size):g} %"]  # type: ignore[arg-type]
        for _, mine in some.groupby("units"):
            row += [_rate(int(mine[c].sum()), int(mine.draws.sum())) for c in ("first", "other")]
        rows.append(row)
    units = sorted(int(n) for n in verdict.units.unique())
    seeds = int(study.units.max())
    head = ["true share", *(f"{w}, {n} shapes" for n in units for w in ("broken", "holds"))]
    ratios = [
        [
            {"cost": "errors, re-meshed over as it was (agrees: above 1)", "drift": "drifts, pretrained over not (agrees: below 1)"}[str(r["what"])],
            f"{r['size']:g}",
            *(f"{100 * r[c] / r['draws']:.1f} %" for c in ("first", "other")),
            f"{100 * (1 - (r['first'] + r['other']) / r['draws']):.1f} %",
        ]
        for r in study.to_dict("records")
    ]  # fmt: skip
    return f"""## How often the words are wrong

`studies/mesh_topology/calibration.py`; {frame.machine.iloc[0]}. **The verdict of `probe` on a re-meshing** ({", ".join(f"`{m}`" for m in verdict.what.unique())}): the radar's own answers, plus an error that no mesh changes (a random, untrained integral over the surface), plus a breaking (a random, untrained network on the graph of faces, less its mean over both meshings), which carries a known share of the squared error in the population; {int(verdict.draws.max())} random networks for each move; the margin is {100 * MARGIN:g} %. "Broken" at or below the margin is a false alarm, {_extreme(verdict, "first", verdict["size"] <= MARGIN)}; "holds" at or above it is a miss, {_extreme(verdict, "other", verdict["size"] >= MARGIN)}; the rest is "undecided". In brackets 95 % intervals (Clopper and Pearson), moves together.

{table(head, rows)}

**The words of this page**, by the rule of {seeds} seeds: a ratio of known size, times what the study's own runs scatter by about the mean of their setting (all settings together, but for the exact integral's errors, which do not scatter), {seeds} at a time, {int(study.draws.max()):,} times. At a true ratio of 1 either word is a false alarm. Rates are those of the rule for this scatter, which is itself known from {seeds} runs a setting; "undetermined" beside a large true ratio says that so many seeds are few.

{table(["ratio of", "true ratio", "agrees", "contradicts", "no change or undetermined"], ratios)}"""


def _extreme(frame: pd.DataFrame, column: str, where: pd.Series) -> str:
    """The largest rate of one move, size and number of shapes."""
    some = frame[where]
    worst = some.loc[(some[column] / some.draws).idxmax()]
    return f"at most {int(worst[column])} of {int(worst.draws)} in any cell"


def _rate(hits: int, draws: int) -> str:
    found = binomtest(hits, draws).proportion_ci(method="exact")
    return f"{100 * hits / draws:.0f} % ({100 * found.low:.0f} to {100 * found.high:.0f})"
