# ruff: noqa: E501 - prose templates
"""What README.md and docs/results.md quote of this study: tuples (question, what came out, rule, in README.md or not)."""

from pathlib import Path

from comparison import NS, compare
from harness import Tables
from judgement import AGREES, CONTRADICTS, NOT_JUDGED, UNDETERMINED
from study import SWAPPED
from tables import LABEL

QUOTED = {f"{NS}-error": True, f"{SWAPPED}-error": True, f"{NS}-coherence": False, f"{SWAPPED}-coherence": False, "ce-d4-error": False,
          "ce-d4-coherence": False, "ce-shift-error": False, "ce-shift-coherence": False, f"{NS}-smse": False, "euler-smse": False}  # fmt: skip


def tables_of(results: Path) -> Tables:
    """The tables of the study."""
    return Tables(results, [*LABEL, "element"])


def claims(results: Path) -> list[tuple[str, str, str, bool]]:
    """The counts, then single lines of the comparison."""
    lines = compare(tables_of(results))
    counts = ", ".join(f"{word}: {sum(x.judged.word == word for x in lines)}" for word in (AGREES, CONTRADICTS, UNDETERMINED, NOT_JUDGED))
    rule = "one number per run; the word by its 95 % interval over the runs of each network with skill (error of a step at most 0.2 of the best trivial forecast's)"
    found = [(f"which of {len(lines)} published statements on what emulators share in learning hold here?", counts, rule, True)]
    by = {x.key: x for x in lines}
    for key, first in QUOTED.items():
        if (x := by.get(key)) is not None:
            found.append(
                (
                    f"{x.what} (published: {x.published})?",
                    f"{x.word}{'; ' * bool(x.judged.intervals)}{x.judged.intervals} (skill: {x.skill})",
                    x.rule,
                    first,
                )
            )
    return found
