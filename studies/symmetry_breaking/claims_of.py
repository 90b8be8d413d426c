# ruff: noqa: E501 - prose templates
"""What README.md and docs/results.md quote of this study: tuples (question, what came out, rule, in README.md or not)."""

from pathlib import Path

from harness import Tables
from write_page import bars

RULE = "every run of the recipe, the worst one is what is judged"


def tables_of(results: Path) -> Tables:
    """The tables of the study."""
    return Tables(results)


def claims(results: Path) -> list[tuple[str, str, str, bool]]:
    """How many bars are met, then each."""
    t = tables_of(results)
    rows = bars(t, t["seeds"])
    missed = "; ".join(what for what, _, word in rows if word == "missed")
    count = f"{sum(word == 'met' for *_, word in rows)} of {len(rows)} bars met" + f", missed: {missed}" * bool(missed)
    first = ("which irreps break a symmetry, how much, and what is left, read off a relaxed network?", count, RULE, True)
    return [first, *((f"{what}?", f"{word}: {found}", RULE, False) for what, found, word in rows)]
