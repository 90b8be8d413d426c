"""What to do next, each advice once, with the cases that it is for."""

from collections.abc import Sequence
from dataclasses import dataclass

from ._verdict import VerdictRow

_FIRST = ("convert", "law", "truth", "few", "skill", "doubtful", "average", "train", "absent", "cures", "stride")
_LAST = ("harm", "open", "undecided", "leave", "little", "exact", "nothing")


@dataclass(frozen=True)
class Item:
    """One advice: the text, and for every case (title and its index) what is its own, in words."""

    kind: str
    text: str
    cases: tuple[tuple[str, int, str], ...]


def todo(rows: Sequence[VerdictRow]) -> list[Item]:
    """The advice of all rows, equal texts joined: what a file needs first, then what helps a model, then what need not be done."""
    found: dict[tuple[str, str], dict[int, list[tuple[VerdictRow, str]]]] = {}
    for row in rows:
        for part in row.advice:
            found.setdefault((part["kind"], part["general"]), {}).setdefault(row.case_index, []).append((row, part["here"]))
    order = (*_FIRST, "said", *_LAST)
    items = [Item(kind, text, tuple(_case(mine) for mine in cases.values())) for (kind, text), cases in found.items()]
    return sorted(items, key=lambda item: order.index(item.kind) if item.kind in order else len(_FIRST))


def _case(mine: Sequence[tuple[VerdictRow, str]]) -> tuple[str, int, str]:
    """The groups of one case, with what each adds; equal additions once."""
    row = mine[0][0]
    by_text: dict[str, list[str]] = {}
    for one, here in mine:
        by_text.setdefault(here, []).append(one.group)
    said = []
    for here, groups in by_text.items():
        names = ", ".join(g for g in groups if g)
        named = any(here.startswith(f"over {g}") for g in groups)
        said.append(here if named or not names else f"{names}: {here}" if here else names)
    return row.case, row.case_index + 1, "; ".join(said)
