"""What README.md and docs/results.md quote of this study: tuples (question, what came out, rule, in README.md or not)."""

from pathlib import Path

from harness import Tables
from page_bars import bars, main


def tables_of(results: Path) -> Tables:
    """The tables of the study."""
    return Tables(results, ["task", "arm", "demos", "seed"])


def claims(results: Path) -> list[tuple[str, str, str, bool]]:
    """The bars, one by one."""
    t = tables_of(results)
    rows = bars(t["cells"], main(t, "turns"), t.meta["settings"]["model"]["edge"])
    rule = "mean over seeds of paired differences with Student's 95 % interval, or the largest of all answers; met where all of it is"
    words = [row[-1] for row in rows]
    head = "Equivariance error of trained policies, "
    missed = "; ".join(row[0].removeprefix(head).split(", single")[0].replace("*", "") for row in rows if row[-1] == "missed")
    count = (
        f"{words.count('met')} of {len(rows)} bars met"
        + f"; missed: {missed}" * bool(missed)
        + f"; {sum(w.startswith('not decided') for w in words)} not decided"
        + f"; {sum(w.startswith('not judged') or w == 'not run' for w in words)} not judged"
    )
    found = [("does every part of the hierarchical policy help?", count, rule, True)]
    return found + [
        (f"{what.replace('*', '')} ({wanted})?", f"{word}: {value}, {n} seeds", rule, False) for what, wanted, value, n, word in rows
    ]
