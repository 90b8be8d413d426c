# ruff: noqa: E501 - prose templates
"""What README.md and docs/results.md quote of this study: tuples (question, what came out, rule, in README.md or not)."""

from pathlib import Path

from harness import Tables
from judgement import FEWEST
from write_page import BARS, CONSISTENT


def tables_of(results: Path) -> Tables:
    """The tables of the study."""
    return Tables(results, ["model", "seed", "codes"])


def claims(results: Path) -> list[tuple[str, str, str, bool]]:
    """How many bars the consistent variant meets, then each."""
    t = tables_of(results)
    seeds = int((t["cost"].model == CONSISTENT).sum()) if len(t["cost"]) else 0
    known = seeds >= FEWEST
    rows = [bar.judged(t) for bar in BARS]
    met, missed = (sum(row[-1].startswith(word) for row in rows) for word in ("met", "missed"))
    count = (
        f"{met} of {len(rows)} bars met, {missed} missed"
        if known
        else f"not judged with {seeds} of {len(t.meta['settings']['seeds'])} seeds"
    )
    rule = f"a number for each seed, every seed has to meet the bar; fewer than {FEWEST} seeds judge nothing"
    found = [("does a consistent generating function forecast, keep and refine motions of new pendulums?", count, rule, True)]
    return found + [(f"{what} ({bar})?", f"{word if known else 'not judged'}: {values}", rule, False) for what, bar, values, word in rows]
