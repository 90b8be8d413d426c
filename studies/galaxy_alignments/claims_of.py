# ruff: noqa: E501 - prose templates
"""What README.md and docs/results.md quote of this study: tuples (question, what came out, rule, in README.md or not)."""

from pathlib import Path

from harness import Tables
from write_page import BARS, COLUMNS


def tables_of(results: Path) -> Tables:
    """The tables of the study."""
    return Tables(results, COLUMNS)


def claims(results: Path) -> list[tuple[str, str, str, bool]]:
    """How many bars are met, then each."""
    t = tables_of(results)
    rows = [bar.judged(t) for bar in BARS]
    met, missed = (sum(row[-1].startswith(word) for row in rows) for word in ("met", "missed"))
    rule = "a number for each seed, every seed has to meet the bar; speeds and ranks of one run"
    first = (
        "are the error bars of an emulator of galaxy alignments true, and its posteriors?",
        f"{met} of {len(rows)} bars met, {missed} missed",
        rule,
        True,
    )
    return [first] + [(f"{what} ({bar})?", f"{word}: {values}", rule, False) for what, bar, values, word in rows]
