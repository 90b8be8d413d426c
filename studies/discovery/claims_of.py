# ruff: noqa: E501 - prose templates
"""What README.md and docs/results.md quote of this study: tuples (question, what came out, rule, in README.md or not)."""

import json
from pathlib import Path
from typing import Any

import flows_page
import heat_page
import jets_page
import surfaces_page
from harness import Tables
from study import METHODS
from tables import NEAR, false_alarms, methods, share, symmetric

RIGHT = f"number of generators, their span (smallest principal cosine above {NEAR:g}) and the name of the algebra; in brackets the exact binomial 95 % interval; bar 95 % of the runs"
Claims = list[tuple[str, str, str, bool]]


def tables_of(results: Path) -> Tables:
    """The tables of the suite."""
    return Tables(results)


def claims(results: Path) -> Claims:
    """The suite, then the parts whose results lie beside it."""
    frame, beside = tables_of(results)["suite"], results.parent
    hits, alarms = symmetric(frame), false_alarms(frame)
    found: Claims = [
        ("is a hidden continuous symmetry found and named (maps with known groups)?", f"right in everything in {share(hits)}: {_word(hits.mean() >= 0.95)}", RIGHT, True),
        ("is a symmetry found where none is?", f"in {share(alarms)}: {_word(alarms.mean() <= 0.05)}", "a generator accepted on a map without a continuous symmetry; bar 5 % of the runs", True),
    ]  # fmt: skip
    if (beside / "few").exists():
        rows = methods(Tables(beside / "few")["suite"], METHODS)
        told = "; ".join(f"{label} {whole}" for label, whole, *_ in rows)
        found.append(
            (
                "which method finds the whole span?",
                told,
                f"smallest principal cosine above {NEAR:g}, the same predictors of 5,000 examples; all but `gradient` are told how many generators there are",
                False,
            )
        )
    if (heat := _read(beside / "heat" / "heat.json")) is not None:
        found += [(f"heat: {_small(what)}?", text, "the worst seed", False) for what, text in heat_page.bars(heat["rows"])]
        if (peer := _read(beside / "heat" / "peer.json")) is not None and peer["runs"]:
            found += [
                (
                    f"heat: {_small(what)}?",
                    text,
                    "processor seconds until the published recipe stays within the angle of `atlas` (or its end, where it does not get there), over those of `atlas` with its predictors; the smallest ratio",
                    False,
                )
                for what, text in heat_page.speed_bars(heat["rows"], peer)
            ]
    if (flows := _read(beside / "flows" / "flows.json")) is not None:
        found += [
            (f"flows: {_small(what)}?", text, "runs in which both are right; met: all", False)
            for what, text in flows_page.bars(flows["rows"])
        ]
    if (digits := _read(beside / "digits" / "digits.json")) is not None:
        found += [
            (f"digits: {_small(what)}?", text, "difference of the accuracies, mean over seeds; fewer than 3 seeds judge nothing", False)
            for what, text in surfaces_page.digits_bars(digits)
        ]
    if (storms := _read(beside / "storms" / "storms.json")) is not None:
        found.append(
            (
                "planted weather: does the map tell where the symmetry holds?",
                _word(surfaces_page.told_apart(storms)),
                "on every grid and seed all charts clear of the region held, none centred inside",
                False,
            )
        )
    if (beside / "jets-full").exists():
        rows = jets_page.bars(Tables(beside / "jets-full"))
        met = sum(row[-1] == "met" for row in rows)
        found.append(
            (
                "is so(1,3) found in jets alone, six generators without a seventh?",
                f"{met} of {len(rows)} bars met; six cosines in three pools {rows[0][3]}",
                "smallest principal cosine of the six lowest directions to so(1,3), every pool above 0.999, settings fixed on other jets",
                True,
            )
        )
        found += [(f"jets, {target}: {what} ({bar})?", f"{word}: {every}", "every pool", False) for target, what, bar, every, word in rows]
    return found


def _read(file: Path) -> dict[str, Any] | None:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def _word(good: bool) -> str:
    return "met" if good else "missed"


def _small(text: str) -> str:
    return text[0].lower() + text[1:]
