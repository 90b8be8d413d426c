# ruff: noqa: E501 - prose templates
"""The section on how often the library's rules are right, from the suite's tables: no number in it is typed in by hand."""

import numpy as np
import pandas as pd
from harness import Tables, table
from tables import right, share

from orbitscope.discover import WIDEST

HELD = ("exact", "approximate")
WORDS = (*HELD, "undetermined", "broken", "unseen")


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """`gradient`, nothing planted."""
    return frame[(frame["method"] == "gradient") & (frame["planted"] == 0)]


def limited(frame: pd.DataFrame) -> pd.Series:
    """Whether the span of a run is known worse than the limit, with the rule that such a span is not claimed or without it."""
    return frame["angle"] > WIDEST


def section(t: Tables, few: Tables | None) -> str:
    """The section; nothing where the suite has no such tables."""
    frame = plain(t["suite"])
    parts = ["## How often the rules are right", _limit(frame, t, few)]
    if "words" in frame and frame["words"].notna().any():
        parts.append(_words(frame))
    if len(t["rule"]):
        parts.append(_components(t["components"], t["rule"]))
    if len(t["grid"]):
        parts.append(_grid(t["grid"]))
    return "\n\n".join(p for p in parts if p) if len(parts) > 2 or parts[1] else ""


def _limit(frame: pd.DataFrame, t: Tables, few: Tables | None) -> str:
    """What the limit on the angle does, with many and with few examples."""
    rows = []
    for tables in (few, t):
        if tables is None:
            continue
        mine = plain(tables["suite"])
        mine = mine[mine["wanted"] > 0]
        wide, fine = limited(mine), right(mine)
        # Where the rule was in force, a withdrawn span counts as not right; what it was is not in the table.
        rows.append([
            f"{tables.meta['settings']['examples']:,}", str(mine["seed"].nunique()), share(fine & ~wide), str(int((~fine & ~wide).sum())),
            str(int((~fine & wide).sum())), str(int((fine & wide).sum())),
        ])  # fmt: skip
    if few is None:
        return ""
    return f"""**The angle of the span.** A span that resampled examples turn by more than {WIDEST:g} degrees (95 % quantile) is not claimed: the answer is *undetermined*, and asks for more examples. Maps with a continuous symmetry:

{table(["examples", "seeds", "right in everything, and claimed", "wrong, and claimed", "wrong, and withdrawn", "right, and withdrawn"], rows)}

The rows with fewer examples were measured before the limit was there, and it is applied to their angles here."""


def directions(frame: pd.DataFrame) -> pd.DataFrame:
    """A row for every direction of every run: its word, and whether it is one of the first k of a map with k generators."""
    rows = []
    for run, (said, wanted) in enumerate(zip(frame["words"], frame["wanted"], strict=True)):
        rows += [{"run": run, "word": w, "symmetric": i < wanted} for i, w in enumerate(str(said).split())]
    return pd.DataFrame(rows)


def _words(frame: pd.DataFrame) -> str:
    found = directions(frame)
    lines = []
    for symmetric, name in ((True, "of the symmetry"), (False, "others")):
        mine = found[found["symmetric"] == symmetric]
        lines.append([name, str(len(mine)), *(str(int((mine["word"] == w).sum())) for w in WORDS)])
    held = found["word"].isin(HELD)
    wrong = (held & ~found["symmetric"]).groupby(found["run"]).any()
    missed = (~held & found["symmetric"]).groupby(found["run"]).any()
    has = found["symmetric"].groupby(found["run"]).any()
    return f"""**The words of directions.** Of a map with k generators the first k directions are counted as its symmetry, the others as none.

{table(["directions", "all", *WORDS], lines)}

False alarm, a direction that is none called exact or approximate: {share(wrong)} runs. Miss, one of the symmetry called anything else: {share(missed[has])} runs."""


def _components(found: pd.DataFrame, rule: pd.DataFrame) -> str:
    lines = []
    for kind, mine in rule.groupby("kind", sort=False):
        whole = mine["passed"] == (mine["drawn"] if kind == "of the group" else 0)
        lines.append([str(kind), str(int(mine["drawn"].sum())), str(int(mine["passed"].sum())), share(whole)])
    has = found["wanted"] > 0
    worst = found.loc[found["right"] < found["wanted"], "case"].value_counts()
    missing = ", ".join(f"{name} ({count})" for name, count in worst.items())
    return f"""**Further components.** {len(found)} runs ({found["seed"].nunique()} seeds), {int(found["wanted"].sum())} components beside the identity's in all. Elements are drawn from the true group, and taken out of it by a motion of the given size that keeps volumes; the rule that lets elements pass is put to them as they are:

{table(["elements", "drawn", "passed", "runs in which all were judged right"], lines)}

With the search: {int(found["right"].sum())} of {int(found["wanted"].sum())} components found; all of them in {share((found["right"] == found["wanted"])[has])} runs on maps that have some. Wrong components: {int(found["wrong"].sum())}, in {share(found["wrong"] > 0)} runs. Runs with components missing: {missing or "none"}. Processor time, {_median(found["search_seconds"])} s (median)."""


def _median(values: pd.Series) -> str:
    return f"{np.median(values):.1f}"


def _grid(grid: pd.DataFrame) -> str:
    none = grid["of"] - grid["wanted"]
    miss, false = grid["missed"] > 0, grid["false"] > 0
    where = ", ".join(f"{name} ({count})" for name, count in grid.loc[miss | false, "case"].value_counts().items())
    # These runs were made before `on_grid` refused solutions that are farther out than half a turn along a long ellipse.
    late = (
        " False alarms of `differences` were shifts whose matrices are off by 1e-4, taken thousands of times over until they turn; `on_grid` has refused such solutions since."
        if (grid.loc[false, "case"] == "differences").any()
        else ""
    )
    return f"""**What acts on a grid.** `on_grid` takes an isometry into the group where it can be reached to three times the angle of the span, and to 2 degrees at least. Asked for the elements of D16 (in space: of the cube's group) and for shifts, of every run, beside those of the true group: {int(grid["wanted"].sum() - grid["missed"].sum())} of {int(grid["wanted"].sum())} found, {int(grid["false"].sum())} of {int(none.sum())} others taken in. A miss in {share(miss)} runs, a false alarm in {share(false)}. Where: {where or "nowhere"}.{late}"""
