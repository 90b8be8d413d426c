"""The verdict table for a terminal."""

from collections.abc import Sequence
from pathlib import Path

import xarray as xr
from rich.table import Table
from rich.text import Text

from ._plot import LEVEL_STYLE
from ._text import element_list
from ._verdict import NOT_MEASURED, Finding, VerdictRow, verdict_rows

_STYLE = {"holds": "green", "partly": "yellow", "broken": "red", "unknown": "dim"}
_SIGN = {"holds": "●", "partly": "◐", "broken": "✕", "unknown": "?"}


def summary_table(cases: Sequence[xr.DataTree | Path | str]) -> Table:
    """The verdict table as a rich table: a row per case and group; below it the warnings of the audit and what to do next.

    Raises OrbitscopeError when no case is given or one is not a probe result.
    """
    table = Table(title="Which symmetries hold", title_justify="left", title_style="bold", caption_justify="left", caption_style="")
    for column in ("Case", "Group", "Data", "Output", "Learning", "Learnt"):
        table.add_column(column, overflow="fold", vertical="top", min_width=16 if column == "Case" else None, no_wrap=column == "Group")
    rows = verdict_rows(cases)
    for i, row in enumerate(rows):
        last = i + 1 == len(rows) or rows[i + 1].case_index != row.case_index
        first = i == 0 or rows[i - 1].case_index != row.case_index
        table.add_row(*_cells(row, first), end_section=last)
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


def _cells(row: VerdictRow, first: bool) -> list[Text]:
    # Text, not markup: a title with square brackets must print as it is.
    return [
        Text(row.case if first else "", "bold"),
        Text(row.group or "—"),
        _cell(row.data, row.elements),
        _cell(row.output, row.elements),
        _cell(row.learning, row.elements, learnt=True),
        Text(row.learnt_subgroup or "—"),
    ]


def _cell(finding: Finding, elements: tuple[str, ...], *, learnt: bool = False) -> Text:
    words = {kind: style[2][learnt] for kind, style in LEVEL_STYLE.items()}
    text = words[finding.overall] if any(finding.words) else NOT_MEASURED
    if finding.overall == "partly" and len(set(finding.levels)) > 1:
        held = {word: [e for e, k in zip(elements, finding.levels, strict=True) if k == kind] for kind, word in words.items()}
        text = "; ".join(f"{word}: {element_list(names, limit=6)}" for word, names in held.items() if names)
    return Text(f"{_SIGN[finding.overall]} {text}", _STYLE[finding.overall])
