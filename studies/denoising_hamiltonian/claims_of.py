# ruff: noqa: E501 - prose templates
"""What README.md and docs/results.md quote of this study: tuples (question, what came out, rule, in README.md or not)."""

from pathlib import Path

from harness import Tables
from judgement import FEWEST
from write_page import BARS, CHAOS_BARS, CONSISTENT, EMPTY


def tables_of(results: Path) -> Tables:
    """The tables of the study."""
    return Tables(results, EMPTY)


def claims(results: Path) -> list[tuple[str, str, str, bool]]:
    """How many bars the consistent variant meets, then each; those of the double pendulum from the folder beside."""
    places = [(results, BARS)]
    if (results.parent / "double" / "meta.json").exists():
        places.append((results.parent / "double", CHAOS_BARS))
    rows, fewest, planned = [], None, 0
    for place, bars in places:
        t = tables_of(place)
        seeds = int((t["cost"].model == CONSISTENT).sum()) if len(t["cost"]) else 0
        rows += [(bar.judged(t), seeds >= FEWEST) for bar in bars]
        if fewest is None or seeds < fewest:
            fewest, planned = seeds, len(t.meta["settings"]["seeds"])
    known = [row for row, judged in rows if judged]
    met, missed = (sum(row[-1].startswith(word) for row in known) for word in ("met", "missed"))
    count = f"{met} of {len(rows)} bars met, {missed} missed" if known else f"not judged with {fewest} of {planned} seeds"
    if 0 < len(known) < len(rows):
        count += f", {len(rows) - len(known)} not judged with {fewest} of {planned} seeds"
    rule = f"a number for each seed, every seed has to meet the bar; fewer than {FEWEST} seeds judge nothing"
    found = [("does a consistent generating function forecast, keep and refine motions of new pendulums?", count, rule, True)]
    return found + [
        (f"{what} ({bar})?", f"{word if judged else 'not judged'}: {values}", rule, False) for (what, bar, values, word), judged in rows
    ]
