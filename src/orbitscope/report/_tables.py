"""The numbers behind the figures, as text tables; they are also what a screen reader reads."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._case import Case, Group, array, labels, words
from ._plot import quartiles
from ._text import MISSING, as_float, number


@dataclass(frozen=True)
class TextTable:
    """A caption, a header and rows of text; the first column names the row. On paper only the first `short` rows, if not 0."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    short: int = 0


def measures_table(case: Case) -> TextTable | None:
    """What a system measures of its model beside symmetries: value, unit and words of each measure."""
    data = case.measures
    values = array(data, "value", "measure")
    if data is None or values is None:
        return None
    names = labels(data, "measure")
    units, told = (tuple(map(_text, data[k].values)) if k in data.variables else ("",) * len(names) for k in ("unit", "words"))
    rows = tuple((n, number(v), "" if u == "1" else u, w) for n, v, u, w in zip(names, values, units, told, strict=True))
    return TextTable(str(data.attrs.get("title", "Measures of the system")), ("measure", "value", "unit", "what it is"), rows)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def number_table(group: Group) -> TextTable | None:
    """Every per-element number of equivariance and influence, with the verdict words; columns without any number are left out."""
    elements = group.elements
    equivariance, influence = group.part("equivariance"), group.part("influence")
    columns: list[tuple[str, Sequence[str]]] = []
    for name, title in (("relative_error", "relative error"), ("commutator", "commutator")):
        values = array(equivariance, name, "element", "transition")
        if values is not None and equivariance is not None:
            columns.append((title, _by_name(elements, labels(equivariance), quartiles(values, len(values))[1])))
    shares = group.part("verdict")
    for name, title in (("share", "breaking's share of the squared error"), ("moved_error", "squared error, moved over original")):
        columns.append((title, _column(elements, shares, name)))
        columns.append((f"95 % interval of the {'share' if name == 'share' else 'ratio'}", _interval(elements, shares, name)))
    columns.append(("commutator's floor", _column(elements, equivariance, "floor")))
    for name, title in _INFLUENCE:
        columns.append((title, _column(elements, influence, name)))
    columns.append(("95 % interval of the excess", _interval(elements, influence, "excess")))
    for name, title in (("data", "data"), ("output", "output"), ("moving", "moving a state"), ("learning", "learning")):
        columns.append((f"{title}: verdict", [w or MISSING for w in words(group.part("verdict"), name, elements)]))
    columns = [(t, c) for t, c in columns if any(v != MISSING for v in c)]
    if not columns:
        return None
    rows = tuple((e, *(c[i] for _, c in columns)) for i, e in enumerate(elements))
    return TextTable(f"{group.title}: medians per element", ("element", *(t for t, _ in columns)), rows)


_INFLUENCE = (
    ("response", "coherence"),
    ("null", "null"),
    ("excess", "excess"),
    ("control", "group-averaged model"),
    ("kept_rank", "kept rank"),
    ("condition", "condition"),
)


def convention_table(case: Case) -> TextTable | None:
    """Scores of every convention under every check."""
    scores = array(case.audit, "score", "convention", "check")
    if case.audit is None or scores is None:
        return None
    header = ("convention", *labels(case.audit, "check"))
    rows = tuple((c, *map(number, row)) for c, row in zip(labels(case.audit, "convention"), scores, strict=True))
    return TextTable("Score per convention and check; lower fits better", header, rows)


def audit_table(group: Group) -> TextTable | None:
    """Residual, p-values and verdict per element."""
    data = group.part("audit")
    if data is None or "element" not in data.variables:
        return None
    elements = labels(data)
    named = (("residual", "residual"), ("p_value_raw", "p-value"), ("p_value", "p-value, corrected"))
    columns = [(t, _column(elements, data, n)) for n, t in named] + [("verdict", [w or MISSING for w in words(data, "verdict", elements)])]
    columns = [(t, c) for t, c in columns if any(v != MISSING for v in c)]
    rows = tuple((e, *(c[i] for _, c in columns)) for i, e in enumerate(elements))
    floor = number(data["residual_floor"].values) if "residual_floor" in data.variables else MISSING
    return TextTable(f"{group.title}: audit per element (solver's own floor: {floor})", ("element", *(t for t, _ in columns)), rows)


def training_table(case: Case) -> TextTable | None:
    """What training cost and reached."""
    if case.training is None:
        return None
    attrs = case.training.attrs
    test, persistence = as_float(attrs.get("test_smse")), as_float(attrs.get("persistence_smse"))
    better = f"{number(persistence / test)} times" if test > 0 and math.isfinite(persistence) else MISSING
    parameters = attrs.get("parameters", case.attrs.get("model_parameters"))
    rows = (
        ("test error (SMSE)", number(test)),
        ("persistence (SMSE)", number(persistence)),
        ("better than persistence by", better),
        ("epochs", number(attrs.get("epochs"))),
        ("training time", f"{number(attrs['seconds'])} s" if "seconds" in attrs else MISSING),
        ("schedule", str(attrs.get("schedule") or MISSING)),
        ("parameters", integer(parameters)),
    )
    return TextTable("Training in numbers", ("quantity", "value"), tuple(r for r in rows if r[1] != MISSING))


def provenance_table(case: Case) -> TextTable:
    """Where the numbers come from: command, seed, versions, machine, settings of every instrument."""
    names = (
        ("command", "command"), ("seed", "seed"), ("created", "probed at"), ("model_path", "model file"), ("data_path", "data file"),
        ("orbitscope_version", "orbitscope"), ("torch_version", "torch"), ("data_description", "data"), ("device", "device"),
        ("machine", "machine"), ("dt", "time step of the data"),
    )  # fmt: skip
    short = sum(bool(case.text(name)) for name, _ in names[:5])
    rows = [(title, case.text(name)) for name, title in names if case.text(name)]
    rows += [(name, _settings(case.json(name))) for name in ("layout", "grid", "settings") if case.json(name)]
    for group in case.groups:
        for part in ("equivariance", "influence"):
            data = group.part(part)
            attrs = {k: v for k, v in data.attrs.items() if k not in _REPEATED and str(v)} if data is not None else {}
            said = "; ".join(f"{k}: {_settings(_parsed(v))}" for k, v in attrs.items())
            if said:
                rows.append((f"{group.title}, {part}", said))
    if case.source:
        rows.append(("probe file", case.source))
    return TextTable(case.title, ("what", "value"), tuple(rows), short)


_REPEATED = {"kind", "group", "order", "layout", "grid", "axes", "device", "parameters", "created", "orbitscope_version", "torch_version"}


def _parsed(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) and value.startswith("{") else value
    except ValueError:
        return value


def integer(value: Any) -> str:
    """A count with thin spaces between thousands."""
    value = as_float(value)
    return f"{int(value):,}".replace(",", "\u202f") if math.isfinite(value) else MISSING


def _settings(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} = {json.dumps(v, ensure_ascii=False) if isinstance(v, (dict, list)) else v}" for k, v in value.items())
    if isinstance(value, (float, np.floating)):
        return number(value, 6)
    return str(value)


def _column(elements: Sequence[str], data: Any, name: str) -> list[str]:
    values = array(data, name, "element")
    return [MISSING] * len(elements) if values is None else _by_name(elements, labels(data), values)


def _interval(elements: Sequence[str], data: Any, name: str) -> list[str]:
    low, high = _column(elements, data, f"{name}_low"), _column(elements, data, f"{name}_high")
    return [MISSING if MISSING in (a, b) else f"{a} to {b}" for a, b in zip(low, high, strict=True)]


def _by_name(elements: Sequence[str], names: Sequence[str], values: np.ndarray) -> list[str]:
    known = dict(zip(names, values, strict=True))
    return [number(known[e]) if e in known else MISSING for e in elements]
