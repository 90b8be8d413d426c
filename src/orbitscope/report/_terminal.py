"""The verdict table for a terminal."""

from collections.abc import Sequence
from pathlib import Path

import xarray as xr
from rich.table import Table
from rich.text import Text

from ._plot import LEVEL_STYLE
from ._text import element_list
from ._verdict import NOT_MEASURED, Finding, VerdictRow, verdict_rows

_STYLE = {"holds": "green", "partly": "yellow", "chance": "cyan", "broken": "red", "unknown": "dim"}
_SIGN = {"holds": "●", "partly": "◐", "chance": "○", "broken": "✕", "unknown": "?"}


def summary_table(cases: Sequence[xr.DataTree | Path | str]) -> Table:
    """The verdict table as a rich table: a row per case and group; below it the warnings of the audit and what to do next.

    * `cases`: results of `examine`, or files of them.

    Raises OrbitscopeError when no case is given or one is not a probe result.
    """
    table = Table(title="Which symmetries hold", title_justify="left", title_style="bold", caption_justify="left", caption_style="")
    for column in ("Case, group", "Data", "Output", "Learning", "Learnt"):
        table.add_column(column, overflow="fold", vertical="top")
    rows = verdict_rows(cases)
    for i, row in enumerate(rows):
        if i == 0 or rows[i - 1].case_index != row.case_index:
            table.add_row(Text(row.case, "bold"))
        last = i + 1 == len(rows) or rows[i + 1].case_index != row.case_index
        table.add_row(*_cells(row), end_section=last)
    table.caption = _notes(rows)
    return table


def _notes(rows: Sequence[VerdictRow]) -> Text:
    """Warnings, then what to do next: too long for a cell."""
    warnings = dict.fromkeys((row.case_index, f"Warning, {row.case}: {row.warning}") for row in rows if row.warning)
    steps: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.next_step:
            steps.setdefault((row.case, row.next_step), []).append(row.group)
    lines = [Text(line, "bold red") for _, line in warnings]
    lines += [Text(f"Next, {case} ({', '.join(groups)}): {step}") for (case, step), groups in steps.items()]
    return Text("\n").join(lines)


def _cells(row: VerdictRow) -> list[Text]:
    # Text, not markup: a title with square brackets must print as it is.
    found = (_cell(row.data), _cell(row.output), _cell(row.learning, learnt=True))
    return [Text(f"  {row.group or 'no group'}"), *found, Text(row.learnt_subgroup or "nothing yet")]


def _cell(finding: Finding, *, learnt: bool = False) -> Text:
    names = {kind: style[2][learnt] for kind, style in LEVEL_STYLE.items()}
    text = names[finding.overall] if any(finding.words) else NOT_MEASURED
    measured = [(e, kind) for e, kind, word in zip(finding.elements, finding.levels, finding.words, strict=True) if word]
    if finding.overall == "partly" and len({kind for _, kind in measured}) > 1:
        held = {word: [e for e, k in measured if k == kind] for kind, word in names.items()}
        text = "; ".join(f"{word}: {element_list(found, limit=6)}" for word, found in held.items() if found)
    return Text(f"{_SIGN[finding.overall]} {text}", _STYLE[finding.overall])
