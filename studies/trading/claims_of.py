# ruff: noqa: E501 - prose templates
"""What README.md and docs/results.md quote of this study: tuples (question, what came out, rule, in README.md or not)."""

from pathlib import Path

from comparing import ARMS, differences, seeds_of
from harness import Tables
from write_page import LEVEL, summary


def tables_of(results: Path) -> Tables:
    """The tables of the study."""
    return Tables(results, ["case", "arm", "seed"])


def claims(results: Path) -> list[tuple[str, str, str, bool]]:
    """Whether anything is earned, and which symmetries the returns have."""
    t = tables_of(results)
    gaps = differences(t)
    words = summary(gaps)
    rule = "paired by month on years that were not learnt from, after costs; 95 % interval of a stationary block bootstrap; fewer than 3 seeds judge nothing"
    found = [
        ("do networks that know a symmetry of the market earn more on two stock indices?", f"{words[0].lower()}{words[1:]}", rule, True)
    ]
    for rival in ("flat", "buy and hold", "plain"):
        told = [f"{ARMS[arm]} {d}: {d.word}" for (arm, other), d in gaps.items() if other == rival]
        if told:
            found.append((f"against {rival}, % of the capital per year?", "; ".join(told), rule, False))
    f, few = t["distribution"], [a for a in t.meta["settings"]["arms"] if seeds_of(t, a) < 3]
    if len(f):
        told = "; ".join(f"{r.move}: {'differs' if r.p < LEVEL else 'not found to differ'} (p {r.p:.4f})" for r in f.itertuples())
        found.append(("is the law of the returns symmetric?", told, f"energy test of blocks, corrected, level {LEVEL:g}", False))
    if few:
        found.append(("which networks are not judged?", ", ".join(ARMS[a] for a in few), "fewer than 3 seeds", False))
    return found
