"""A symmetry card in Markdown, and the same page in HTML."""

import html as escaping
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import PurePath
from typing import Any

from ._text import MISSING, code, element_list, number, percent

_STATE = {
    "all": "all",
    "part": "a part",
    "open": "a part, its size not decided",
    "nothing": "nothing but the identity",
    "unskilled": "nothing: too little skill",
    "unmeasured": "not decided",
}
_HEADER = (
    "Group",
    "Learnt",
    "Breaking, share of the squared error",
    "Averaging removes",
    "Moving costs",
    "Gap over own error",
    "Commutator",
)


def tables(card: Mapping[str, Any]) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """Title, header and rows of the card's tables; both forms show the same."""
    model, data, rule, origin = (card[k] for k in ("model", "data", "conventions", "provenance"))
    seeds = (f"probe {origin['seed']}", None if origin["training_seed"] is None else f"training {origin['training_seed']}")
    versions = (f"orbitscope {origin['orbitscope_version']}", f"torch {origin['torch_version']}", origin["device"], origin["created"])
    facts = [
        ("Model", _joined(model["name"], _file(model["path"]), f"{model['parameters']:,} parameters" if model["parameters"] else None)),
        ("Skill", f"median error {number(model['skill'], 3)} of that of {model['baseline']}" if model["skill"] is not None else ""),
        ("Data", _joined(data["description"], _file(data["path"]), data["checksum"], data["part"])),
        ("Used", f"{data['transitions']} transitions of {data['trajectories']} trajectories" if data["transitions"] else ""),
        ("Audit of the data", _joined(data["audit"]["verdict"], data["audit"]["law"])),
        ("Fields", ", ".join(f"{f['name']} ({f['representation']}, {f['unit']})" for f in rule["fields"])),
        ("Axes", rule["axes"] or ""),
        ("Grid", _grid(rule["grid"])),
        ("Time step", number(rule["dt"]) if rule["dt"] is not None else ""),
        ("Normaliser", " ".join(f"{g}: {found['sentence']}" for g, found in (rule["normaliser"] or {}).items())),
        ("Seeds", _joined(*seeds)),
        ("Versions", _joined(*versions)),
        ("False words", _rates(card["error_rates"])),
    ]
    return [
        ("What holds, and what the breaking costs", _HEADER, [_row(g) for g in card["groups"]]),
        ("On which data, by which conventions", ("What", "Value"), [(a, b) for a, b in facts if b]),
    ]


def _row(group: Mapping[str, Any]) -> tuple[str, ...]:
    gap, commutator = number(group["commutator"]["gap_over_error"], 2), _commutator(group["commutator"])
    return (
        group["group"], _learnt(group), _interval(group["breaking"]), _gain(group["averaging"]), _costs(group["moving"]), gap, commutator,
    )  # fmt: skip


def _advice(advice: Mapping[str, Any]) -> str:
    return advice["text"] + (f" ({'; '.join(advice['here'])})" if advice["here"] else "")


def explained() -> str:
    """The columns of the first table."""
    return (
        "Learnt: the breaking carries at most the margin of the squared error. Averaging: over the group, without training, on these "
        "transitions. Moving costs: the elements on which the error is larger than on the originals. Gap over own error: distance between "
        "moved and unmoved forecasts over the model's error, of the worst element. Commutator: ‖f(gx) − g f(x)‖ / ‖f(x)‖, "
        "median of the worst element. One step ahead; intervals are 95 %, over trajectories."
    )


def markdown(card: Mapping[str, Any]) -> str:
    """With a YAML front matter of tags and of what is learnt."""
    front = ["---", "tags:", "- orbitscope", "- symmetry", "orbitscope_symmetry:"]
    front += [f"  {json.dumps(g['group'])}: {json.dumps(g['learnt'])}" for g in card["groups"]]
    lines = [*front, "---", "", f"# Symmetry card: {_cell(card['model']['title'])}", "", " ".join(map(_cell, card["answer"])), ""]
    if card["warning"]:
        lines += [f"**Warning.** {_cell(card['warning'])}", ""]
    for k, (title, header, rows) in enumerate(tables(card)):
        lines += [f"## {title}", "", f"| {' | '.join(header)} |", "|" + " --- |" * len(header)]
        lines += [f"| {' | '.join(map(_cell, row))} |" for row in rows]
        lines += ["", *([explained(), ""] if k == 0 else [])]
    if card["advice"]:
        lines += ["## What to do next", ""]
        lines += [f"- {_cell(_advice(a))}" for a in card["advice"]]
        lines.append("")
    return "\n".join(lines)


_ROOT = (
    ":root{color-scheme:light dark}body{margin:0;color:#1c2430;background:#fff}"
    "@media screen and (prefers-color-scheme:dark){body{color:#e8ecf1;background:#12171e}}"
)
"""For a page of its own; a notebook has its own colours."""


def html(card: Mapping[str, Any], *, whole: bool = True) -> str:
    """A page of its own, or (`whole=False`) the part of one, for a notebook."""
    parts = [f"<h1>Symmetry card: {_safe(card['model']['title'])}</h1>"]
    parts.append(f"<p><b>{_safe(card['answer'][0])}</b> {_safe(' '.join(card['answer'][1:]))}</p>")
    if card["warning"]:
        parts.append(f'<p class="warn"><b>Warning.</b> {_safe(card["warning"])}</p>')
    for k, (title, header, rows) in enumerate(tables(card)):
        head = "".join(f'<th scope="col">{_safe(h)}</th>' for h in header)
        body = "".join("<tr>" + "".join(f"<td>{_safe(c)}</td>" for c in row) + "</tr>" for row in rows)
        parts.append(f"<h2>{_safe(title)}</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
        parts += [f'<p class="note">{_safe(explained())}</p>'] if k == 0 else []
    if card["advice"]:
        items = "".join(f"<li>{code(_advice(a))}</li>" for a in card["advice"])
        parts.append(f"<h2>What to do next</h2><ul>{items}</ul>")
    style = files("orbitscope.report").joinpath("templates", "card.css").read_text(encoding="utf-8")
    inside = f'<style>{style}</style><div class="oscard">{"".join(parts)}</div>'
    if not whole:
        return inside
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>Symmetry card: {_safe(card['model']['title'])}</title><style>{_ROOT}</style>"
    )
    return f'<!DOCTYPE html>\n<html lang="en-GB"><head>{head}</head><body>{inside}</body></html>\n'


def _safe(value: Any) -> str:
    return escaping.escape(str(value))


def _cell(value: Any) -> str:
    """Text for one cell or line of Markdown."""
    return " ".join(escaping.escape(str(value), quote=False).replace("|", "\\|").split())


def _learnt(group: Mapping[str, Any]) -> str:
    said = _STATE[group["learnt"]]
    return f"{said}: {element_list(group['learnt_subgroup'])}" if group["learnt"] in ("part", "open") else said


def _interval(found: Mapping[str, Any]) -> str:
    if found["value"] is None:
        return MISSING
    bounded = None not in (found["low"], found["high"])
    return percent(found["value"]) + (f" ({percent(found['low'])} to {percent(found['high'])})" if bounded else "")


def _gain(found: Mapping[str, Any]) -> str:
    return f"{_interval(found)} at {found['arithmetic']} times the arithmetic" if found["value"] is not None else MISSING


def _costs(found: Mapping[str, Any]) -> str:
    return f"{element_list(found['costs'])}: up to {number(found['largest_ratio'], 3)} times the squared error" if found["costs"] else "no"


def _commutator(found: Mapping[str, Any]) -> str:
    return f"{number(found['largest_median'], 2)} ({found['element']}); floor {number(found['floor'], 2)}" if found["element"] else MISSING


def _grid(grid: Mapping[str, Any] | None) -> str:
    if not grid:
        return ""
    shape, extent = (" x ".join(f"{v:g}" for v in grid.get(k, [])) for k in ("shape", "extent"))
    return f"{shape}, extent {extent}, {', '.join(grid.get('boundary', []))}"


def _file(path: str | None) -> str | None:
    """The name alone: a card is published, and folders are nobody's business (the JSON has the whole path)."""
    return PurePath(path).name if path else None


def _joined(*parts: str | None) -> str:
    return "; ".join(p for p in parts if p)


def _rates(found: Mapping[str, Any] | None) -> str:
    if not found:
        return "not calibrated for so few trajectories"
    words = found["learning_any_false_word"]
    keys = ("broken_at_a_share_within_the_margin", "holds_at_a_share_above_the_margin", "learnt_subgroup_too_large")
    broken, holds, large = (percent(found[k]) for k in keys)
    return (
        f"at most, over the planted breakings of the calibration with {found['trajectories']} trajectories: “broken” where the symmetry "
        f"holds {broken}, “holds” where it is broken {holds}, learnt subgroup too large {large}"
        + (f", any false word on the learning {percent(words)}" if words is not None else "")
    )
