# ruff: noqa: E501 - prose templates
"""What README.md and docs/results.md quote of this study: tuples (question, what came out, rule, in README.md or not)."""

from pathlib import Path

import numpy as np
from findings import tracking_rows
from harness import Tables
from judgement import NOT_JUDGED, UNDETERMINED, interval
from study import MODELS
from tables import KEY, number
from wins import LOSES, PARTS, RULE, WINS, contests


def tables_of(results: Path) -> Tables:
    """The tables of the study."""
    return Tables(results, [*KEY, "element"])


def claims(results: Path) -> list[tuple[str, str, str, bool]]:
    """All of them, in order."""
    t = tables_of(results)
    found = contests(t)
    counts = ", ".join(f"{word} in {sum(c.word == word for c in found)}" for word in (WINS, LOSES, UNDETERMINED, NOT_JUDGED))
    judged = [c for c in found if c.word != NOT_JUDGED]
    levels = sorted({c.law for c in found})
    rows = [r for r in tracking_rows(t) if r["value"] == "departure"]
    return [
        (
            "does a relaxed network ever beat both the strict and the plain one (smoke plumes)?",
            f"of {len(found)} contests it {counts}, where one step of the law departs from quarter turns by {number(levels[0])} to {number(levels[-1])}",
            RULE.replace("*", ""), True,
        ),
        (
            "how far can its error be from the strict one's?",
            "; ".join(f"{MODELS[m]} {_ends(judged, m, 'strict')}" for m in dict.fromkeys(c.model for c in judged)),
            f"error over the strict network's, ends of the widest 95 % intervals over seeds, all levels, {' and '.join(PARTS.values())}", True,
        ),
        (
            "and from the plain one's?",
            "; ".join(f"{MODELS[m]} {_ends(judged, m, 'plain')}" for m in dict.fromkeys(c.model for c in judged)),
            "error over the plain network's, the same", False,
        ),
        (
            "does the departure that a network learns follow that of the law?",
            "; ".join(f"{MODELS[r['model']]}: Spearman {number(r['rho'])} ({number(r['low'])} to {number(r['high'])})" for r in rows),
            "over levels and seeds; bootstrap 95 % interval; follows if all of it is above 0", False,
        ),
    ]  # fmt: skip


def _ends(judged: list, model: str, rival: str) -> str:
    ends = np.exp([interval(np.log(c.ratios[rival])) for c in judged if c.model == model and rival in c.ratios])
    return f"{ends.min():.2f} to {ends.max():.2f}"
