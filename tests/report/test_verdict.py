"""Verdict rows and the terminal's table."""

import io

import numpy as np
import pytest
import xarray as xr
from rich.console import Console

from orbitscope import OrbitscopeError
from orbitscope.report import summary_table, verdict_rows
from orbitscope.report._text import level


def printed(table, width=120):
    out = io.StringIO()
    Console(file=out, width=width).print(table)
    return out.getvalue()


def test_a_row_per_case_and_group(case):
    rows = verdict_rows([case("A"), case("B", swapped=True, groups=("D4",))])
    assert [(r.case, r.group) for r in rows] == [("A", "D4"), ("A", "Tx32"), ("A", "Ty32"), ("B", "D4")]
    assert [r.output.overall for r in rows] == ["holds", "holds", "holds", "partly"]
    assert rows[0].learnt_subgroup == "all of D4" and rows[-1].learnt_subgroup == "e, r2, sr, sr3"
    assert not rows[0].warning and "refuses its blessing" in rows[-1].warning and "components swapped" in rows[-1].warning
    assert rows[-1].data.levels == ("holds", "broken", "holds", "broken", "broken", "holds", "broken", "holds")


def test_the_data_column_falls_back_on_the_audit(case):
    (row,) = verdict_rows([case(groups=("D4",), parts=("audit",), training=False)])
    assert row.data.overall == "holds" and row.output.summary == "not measured" and row.learning.overall == "unknown"


def test_the_file_of_an_audit_alone_is_read_too(case):
    audit = case(groups=("D4",))["D4/audit"].to_dataset()
    tree = xr.DataTree.from_dict({"/D4": audit.assign_attrs(kind="audit", verdict="file contradicts its declared convention")})
    (row,) = verdict_rows([tree])
    assert row.group == "D4" and row.data.overall == "holds" and "refuses" in row.warning


def test_influence_on_a_part_of_the_group_is_judged_on_that_part(case):
    tree = case(groups=("Tx8",))
    tree["Tx8/influence"].dataset = tree["Tx8/influence"].to_dataset().isel(element=[0, 1, 4])
    (row,) = verdict_rows([tree])
    assert row.learning.overall == "holds" and [bool(w) for w in row.learning.words] == [
        True,
        True,
        False,
        False,
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("words", "overall"),
    [
        (("no more than chance",), "chance"),
        (("no more than chance", "opposed"), "chance"),
        (("shared", "opposed"), "partly"),
        (("opposed",), "broken"),
    ],
)
def test_no_evidence_is_not_called_broken(case, words, overall):
    tree = case(groups=("D4",))
    found = [words[i % len(words)] for i in range(8)]
    tree["D4/verdict"].dataset = tree["D4/verdict"].to_dataset().assign(learning=("element", np.array(found, dtype=object)))
    assert verdict_rows([tree])[0].learning.overall == overall


def test_an_unknown_word_is_shown_as_it_is_and_never_guessed(case):
    tree = case(groups=("D4",))
    tree["D4/verdict"]["output"][3] = "mostly harmless"
    (row,) = verdict_rows([tree])
    assert level("mostly harmless") == "unknown" == row.output.levels[3]
    assert "mostly harmless: r3" in row.output.summary


def test_the_terminal_table_says_what_holds_and_warns(case):
    text = printed(summary_table([case("first [bold]case[/bold]"), case("swapped", swapped=True)]), 240)
    assert "first [bold]case[/bold]" in text  # brackets are text, not markup
    assert "not shared: r, r3, s, sr2" in text and "Warning, swapped: The audit refuses" in text
    assert "Next, swapped (D4): Repair the file first" in text


def test_no_case_and_foreign_trees_are_refused(case):
    with pytest.raises(OrbitscopeError, match="none were given"):
        verdict_rows([])
    tree = case()
    tree.attrs["kind"] = "something else"
    with pytest.raises(OrbitscopeError, match=r"cases\[0\].*not a probe result"):
        summary_table([tree])
