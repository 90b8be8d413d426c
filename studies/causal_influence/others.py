# ruff: noqa: E501 - prose templates
"""The part of the page on the same question with more cells, and with networks trained longer."""

from pathlib import Path

import pandas as pd
from harness import Tables, table
from judgement import AGREES, CONTRADICTS
from statements import Statement, statements
from study import ELEMENTS
from tables import measured, title

OTHERS = {"small": {"wide": "one cell at 64 x 64", "long": "one cell trained four times as long"}}
"""The configs beside one whose page shows their results too, in words."""


def others_of(results: Path) -> list[Path]:
    """The folders of the other results that are there."""
    return [p for name in OTHERS.get(results.name, {}) if (p := results.with_name(name)).joinpath("meta.json").exists()]


def page_of(results: Path) -> Path:
    """The results whose page shows these: their own, unless they stand on that of a study beside them."""
    first = next((results.with_name(name) for name, more in OTHERS.items() if results.name in more), results)
    return first if (first / "meta.json").exists() else results


def other_tables(results: Path, columns: list[str]) -> list[Tables]:
    """Their tables; those without a finished run are left out."""
    return [t for p in others_of(results) if len((t := Tables(p, columns))["pairs"])]


def only(t: Tables, cell: str) -> Tables:
    """The tables of one pair of family and network."""
    family, network = cell.split("/")
    found = Tables.__new__(Tables)
    found.columns, found.meta = t.columns, t.meta
    found.update({n: f[(f.family == family) & (f.network == network)] if "family" in f else f for n, f in t.items()})
    return found


def others_part(t: Tables, others: list[Tables]) -> str:
    """Words and intervals of every expectation, on one network as in the small study and as it is larger or trained longer."""
    if not others:
        return ""
    parts = ["## More cells, and longer training"]
    for cell in dict.fromkeys("/".join(c) for o in others for c in o.meta["settings"]["cells"]):
        mine = [only(x, cell) for x in (t, *others)]
        mine = [x for x in mine if len(x["pairs"])]
        found = [statements(x, measured(x)) for x in mine]
        rows = [
            [lines[0].what, lines[0].rule, *(f"{x.judged.intervals.split(': ', 1)[-1] or '–'}: {x.word}" for x in lines)]
            for lines in zip(*found, strict=True)
        ]
        parts += [
            f"{title(cell)} as above, and again {'; '.join(_settings(x) for x in mine[1:])}. The other settings are those of the small study, without sets of three elements. Nothing here joins the words above.",
            table(
                ["config", "cells", "steps", "seeds", "error at e, early", "late", "last part of the training"], [_errors(x) for x in mine]
            ),
            f"Error at e in parts of that of persistence, median over seeds. *Last part*: what is left at the end of the error at the early checkpoint.\n\n{_turned(found, mine)}",
            table(["expectation", "rule", *(_name(x) for x in mine)], rows),
        ]
    return "\n\n".join(parts)


def _name(t: Tables) -> str:
    s = t.meta["settings"]
    return f"{s['data']['resolution']} x {s['data']['resolution']}, {_steps(t)} steps"


def _steps(t: Tables, early: bool = False) -> int:
    s = t.meta["settings"]
    return (s["early"] if early else s["epochs"]) * s["data"]["train"] * (s["data"]["frames"] - 1) // s["batch"]


def _settings(t: Tables) -> str:
    counted = f"{t.meta['measured_runs']} of {t.meta['planned_runs']} planned runs, {t['cost'].cpu_seconds.sum() / 60:.0f} minutes of processor time"
    return f"with {_name(t)} (`{t.meta['settings']['name']}.toml`, early: {_steps(t, early=True)} steps; {counted})"


def _errors(t: Tables) -> list[str]:
    at = t["base"][t["base"].element == ELEMENTS[0]]
    wide: pd.DataFrame = at.pivot(index="seed", columns="phase", values="error")
    s, left = t.meta["settings"], (wide.late / wide.early).median()
    cells = f"{s['data']['resolution']} x {s['data']['resolution']}"
    return [
        f"`{s['name']}`",
        cells,
        str(_steps(t)),
        str(len(wide)),
        f"{wide.early.median():.2f}",
        f"{wide.late.median():.3f}",
        f"{left:.0%}",
    ]


def _turned(found: list[list[Statement]], mine: list[Tables]) -> str:
    """Which words of the small study turn round."""
    said = []
    for lines, t in zip(found[1:], mine[1:], strict=True):
        pairs = list(zip(found[0], lines, strict=True))
        turned = [a.what for a, b in pairs if {a.judged.word, b.judged.word} == {AGREES, CONTRADICTS}]
        kept = sum(a.judged.word == b.judged.word for a, b in pairs)
        words = "; ".join(w[0].lower() + w[1:] for w in turned) or "none"
        said.append(
            f"With {_name(t)} the word is the same for {kept} of {len(pairs)} expectations; confirmed here and refuted there, or the other way round: {words}."
        )
    return " ".join(said)
