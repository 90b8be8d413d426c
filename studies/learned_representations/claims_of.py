# ruff: noqa: E501 - prose templates
"""What README.md and docs/results.md quote of this study: tuples (question, what came out, rule, in README.md or not)."""

from pathlib import Path

from harness import Tables
from write_page import AHEAD, SEEDS, ahead, bars, beside


def tables_of(results: Path) -> Tables:
    """The tables of the study."""
    return Tables(results, ["task", "model", "part", "length"])


def claims(results: Path) -> list[tuple[str, str, str, bool]]:
    """The bars, and the networks of matrices beside the readers without."""
    t = tables_of(results)
    rows = bars(t["models"], t["lengths"])
    missed = "; ".join(f"{what[0].lower()}{what[1:]}" for what, *_, word in rows if word == "missed")
    count = f"{sum(row[-1] == 'met' for row in rows)} of {len(rows)} bars met" + f", missed: {missed}" * bool(missed)
    rule = "bar by bar: the median over seeds, or every run where it is said; in brackets the bootstrap 95 % interval over seeds"
    found = [("do matrices learnt from words obey the relations, and carry labels to longer words?", count, rule, True)]
    found += [
        (f"{what} ({wanted})?", f"{word}: {value}, {seeds} seed{'s' * (seeds != '1')}", rule, False)
        for what, wanted, value, seeds, word in rows
    ]
    judged = f"exact answers on held-out words; {AHEAD.replace('*', '')}; fewer than {SEEDS} seeds judge nothing"
    found += [(f"{task}: are learnt matrices ahead of readers without matrices?", text, judged, False) for task, text in ahead(t["models"])]
    level = f"exact answers on held-out words; level: neither is ahead in every pair of seeds; fewer than {SEEDS} seeds judge nothing"
    return found + [(f"{task}: learnt matrices beside given ones?", text, level, False) for task, text in beside(t["models"])]
