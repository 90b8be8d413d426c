# ruff: noqa: E501 - prose templates
"""What README.md and docs/results.md quote of this study: tuples (question, what came out, rule, in README.md or not)."""

from pathlib import Path

from harness import Tables
from judgement import AGREES, CONTRADICTS, NOT_JUDGED, UNDETERMINED
from statements import DEFAULT, default_metric, statements
from tables import PREDICTORS, measured, scores
from write_page import COLUMNS

FIRST = ("coarse", "harm")
QUOTED = (*FIRST, "coarse-distance", "plain-late", "sign-late", "error-turned", "size", "size-gone", "order-longer", "beats-errors",
          "beats-errors-retrained", "inside-retrained", "harm-excess")  # fmt: skip


def tables_of(results: Path) -> Tables:
    """The tables of the study."""
    return Tables(results, list(dict.fromkeys(COLUMNS)))


def claims(results: Path) -> list[tuple[str, str, str, bool]]:
    """The counts, the expectations that users rest on, the metric."""
    t = tables_of(results)
    found = measured(t)
    s = scores(found)
    lines = statements(t, found, s)
    words = {AGREES: "confirmed", CONTRADICTS: "refuted", UNDETERMINED: "left open", NOT_JUDGED: NOT_JUDGED}

    def counts(of: str) -> str:
        return ", ".join(f"{name} {sum(getattr(x, of).word == word for x in lines)}" for word, name in words.items())

    rule = (
        "all stand on the page; network by network, over seeds; then all runs of networks with skill as one population, which they are not"
    )
    told = [
        (
            f"which of {len(lines)} expectations on what influence says of training hold?",
            f"{counts('judged')}; over all runs together {counts('together')}",
            rule,
            True,
        )
    ]
    for x in (x for x in lines if x.key in QUOTED):
        pooled = x.together.intervals.removeprefix("all: ")
        text = f"{words[x.judged.word]}; {x.judged.intervals or '–'}; all runs together: {pooled or '–'}, {words[x.together.word]}"
        brief = f"{words[x.judged.word]} network by network, {words[x.together.word]} over all runs ({pooled or 'no interval'})"
        told.append((x.what[0].lower() + x.what[1:] + "?", brief if x.key in FIRST else text, x.rule, x.key in FIRST))
    best, _ = default_metric(t, s)
    told.append(
        (
            "which is the default metric?",
            "stays Gauss-Newton" if best == DEFAULT else PREDICTORS[best],
            "another replaces it where its sum of influences orders retraining better in every network with skill",
            False,
        )
    )
    return told
