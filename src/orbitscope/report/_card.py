"""The symmetry card: one page on one model, the same for people and for programs."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from .._errors import OrbitscopeError
from .._json import finite_json, json_text
from .._whole import write_whole
from ._answer import answer
from ._card_text import html, markdown
from ._case import Case, Group, array, labels, read_cases, words
from ._text import as_float
from ._todo import todo
from ._verdict import rows_of, warning_of

SCHEMA = "orbitscope symmetry card 1"


@dataclass(frozen=True)
class Card:
    """A symmetry card: `content` as plain data, and as Markdown, HTML or JSON."""

    content: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """A copy of the content: strings, numbers, None, lists and dictionaries with the keys of the schema."""
        return json.loads(self.to_json())

    def to_json(self) -> str:
        """Strict JSON: what is not finite is null."""
        return json_text(finite_json(self.content), what="card", indent=1) + "\n"

    def to_markdown(self) -> str:
        """Markdown with a front matter in YAML, for the README of a model on a hub."""
        return markdown(self.to_dict())

    def to_html(self) -> str:
        """One page that loads nothing."""
        return html(self.to_dict())

    def _repr_html_(self) -> str:
        return html(self.to_dict(), whole=False)

    def save(self, out: str | Path, *, force: bool = False) -> Path:
        """Write the card to `out`: .html, .md or .json. Raises `OrbitscopeError` for another ending, or if it exists and not `force`."""
        out = Path(out)
        made = {".html": self.to_html, ".md": self.to_markdown, ".json": self.to_json}.get(out.suffix.lower())
        if made is None:
            raise OrbitscopeError(f"out: a symmetry card is a .html, .md or .json file, got {out.name!r}.")
        if out.exists() and not force:
            raise OrbitscopeError(f"out: {out} exists. Choose another name, or replace it with force=True (--force).")
        text = made()
        write_whole(out, lambda part: part.write_text(text, encoding="utf-8", newline="\n"))
        return out


def card(probe: xr.DataTree | str | Path) -> Card:
    r"""The symmetry card of one probed model: what holds, what moving costs, what averaging gains, on which data, by which conventions.

    For an element g with $p_g = g^{-1} f(g x)$, the card compares the gap between moved and unmoved forecasts with the model's own error,
    $\sqrt{\sum |p_g - f(x)|^2 / \sum |f(x) - y|^2}$ (`gap_over_error`; 0 = equivariant, up to 2 where all of the error is breaking).

    * `probe`: a tree of `examine`, or the file that `save_probe` or `orbitscope probe` wrote. One model on one data set.

    Returns a `Card`; `Card.content` has the keys of the page "The symmetry card". All quantities are dimensionless but the fields, whose
    units are named. What was not measured is None. Raises `OrbitscopeError` if `probe` is no probe result, or holds no verdict.

    Where it fails: it says what these transitions say, one step ahead; the rates of false words are those of the calibration, for one kind
    of flow.
    """
    (case,) = read_cases([probe])
    rows = rows_of([case])
    groups = [g for g in case.groups if g.part("verdict") is not None]
    if not groups:
        raise OrbitscopeError("probe: it holds no verdict, so there is nothing to put on a card. Give the result of `orbitscope probe`.")
    return Card({
        "schema": SCHEMA,
        "answer": answer(rows),
        "warning": warning_of(case),
        "model": _model(case, groups[0]),
        "data": _data(case, groups[0]),
        "conventions": _conventions(case, groups),
        "groups": [_group(g, next(r.learnt_state for r in rows if r.group == g.title)) for g in groups],
        "advice": [{"kind": i.kind, "text": i.text, "here": [own for _, _, own in i.cases if own]} for i in todo(rows)],
        "error_rates": _error_rates(groups),
        "provenance": _provenance(case),
    })  # fmt: skip


def _model(case: Case, group: Group) -> dict[str, Any]:
    error, training = group.part("equivariance"), case.training.attrs if case.training is not None else {}
    verdict = group.part("verdict")
    assert verdict is not None
    return {
        "title": case.title,
        "name": case.text("model") or None,
        "path": case.text("model_path") or None,
        "parameters": _count(case.attrs.get("model_parameters")),
        "frames": _count(case.attrs.get("model_frames")),
        "dtype": str(error.attrs.get("dtype")) if error is not None and "dtype" in error.attrs else None,
        "skill": _finite(verdict.attrs.get("skill")),
        "baseline": str(error.attrs.get("baseline", "persistence")) if error is not None else None,
        "test_smse": _finite(training.get("test_smse")),
        "persistence_smse": _finite(training.get("persistence_smse")),
    }


def _data(case: Case, group: Group) -> dict[str, Any]:
    error = group.part("equivariance")
    audit = case.audit.attrs if case.audit is not None else {}
    units = np.unique(error["trajectory"].values) if error is not None and "trajectory" in error.variables else []
    return {
        "description": case.text("data_description") or None,
        "path": case.text("data_path") or None,
        "checksum": case.text("data_checksum") or None,
        "part": case.text("data_part") or None,
        "trajectories": len(units) or None,
        "transitions": _count(error.sizes.get("transition")) if error is not None else None,
        "audit": {k: str(audit[k]) if audit.get(k) else None for k in ("verdict", "explanation", "law", "convention_fits")},
    }


def _conventions(case: Case, groups: list[Group]) -> dict[str, Any]:
    error = groups[0].part("equivariance")
    layout = case.json("layout") or {}
    return {
        "axes": str(error.attrs["axes"]) if error is not None and "axes" in error.attrs else None,
        "fields": [{k: str(f.get(k, "")) for k in ("name", "representation", "unit")} for f in layout.get("fields", [])],
        "channels": list(case.channel_names),
        "grid": case.json("grid"),
        "dt": _finite(case.attrs.get("dt")),
        "normaliser": {g.title: _normaliser(d) for g in groups if (d := g.part("normaliser")) is not None} or None,
        "declared": str(case.audit.attrs.get("convention_declared") or "") or None if case.audit is not None else None,
    }


def _normaliser(data: xr.Dataset) -> dict[str, Any]:
    """What the normaliser of an adapted model does to the symmetry: the commutator of the worst element, and the sentence of its audit."""
    values = array(data, "normaliser_commutator", "element", "transition")
    worst = _largest(np.median(values, axis=1)) if values is not None else None
    return {"commutator": worst, "sentence": str(data.attrs.get("sentence") or "") or None}


def _group(group: Group, state: str) -> dict[str, Any]:
    verdict = group.part("verdict")
    assert verdict is not None
    names, said = labels(verdict), words(verdict, "output", labels(verdict))
    moving, learning = words(verdict, "moving", names), words(verdict, "learning", names)
    kinds = {"exact": "exact up to rounding", "holds": "holds", "broken": "broken", "undecided": "undecided"}
    learnt = array(verdict, "in_learnt", "element")
    return {
        "group": group.title,
        "order": len(names),
        "learnt": state,
        "learnt_subgroup": [n for n, inside in zip(names, learnt, strict=True) if inside] if learnt is not None else [],
        "margin": _finite(verdict.attrs.get("margin")),
        "output": {key: [n for n, w in zip(names, said, strict=True) if w == kind] for key, kind in kinds.items()},
        "breaking": _of_whole(verdict, "share"),
        "averaging": {**_of_whole(verdict, "gain"), "arithmetic": _count(_members(verdict))},
        "moving": {
            "costs": [n for n, w in zip(names, moving, strict=True) if w == "costs"],
            "largest_ratio": _largest(array(verdict, "moved_error", "element")),
        },
        "commutator": _commutator(group),
        "learning": {
            "shared": [n for n, w in zip(names, learning, strict=True) if w == "shared"],
            "measured": [n for n in labels(i)] if (i := group.part("influence")) is not None else [],
            "metric": str(i.attrs["metric"]) if i is not None and "metric" in i.attrs else None,
        },
        "sentences": {k: str(verdict.attrs.get(f"sentence_{k}") or "") or None for k in ("data", "output", "learning", "next")},
    }


def _commutator(group: Group) -> dict[str, Any]:
    """Median over transitions of the worst element, its floor, and the gap of the forecasts against the model's own error."""
    data = group.part("equivariance")
    values = array(data, "commutator", "element", "transition")
    none = {"largest_median": None, "element": None, "floor": None, "gap_over_error": None}
    if data is None or values is None or not np.isfinite(values).any():
        return none
    names, middle = labels(data), np.nanmedian(values, axis=1)
    others = [i for i, e in enumerate(names) if e not in group.identity] or list(range(len(names)))
    worst = others[int(np.nanargmax(middle[others]))]
    gap, own = array(data, "copy_gap", "element", "transition"), array(data, "squared_error", "subgroup", "transition")
    ratio = None
    if gap is not None and own is not None and "member" in data.variables:
        trivial = int(data["member"].values.sum(-1).argmin())
        total = float(own[trivial].sum())
        ratio = _finite(math.sqrt(float(gap[others].sum(1).max()) / total)) if total > 0 else None
    floor = array(data, "floor", "element")
    return {
        "largest_median": _finite(middle[worst]),
        "element": names[worst],
        "floor": _finite(floor[worst]) if floor is not None else None,
        "gap_over_error": ratio,
    }


def _members(verdict: xr.Dataset) -> int | None:
    return int(verdict["member"].values.sum(-1).max()) if "member" in verdict.variables else None


def _of_whole(verdict: xr.Dataset, name: str) -> dict[str, float | None]:
    """Value and 95 % interval for the largest subgroup of the table."""
    keys = {"value": name, "low": f"{name}_low", "high": f"{name}_high"}
    if "member" not in verdict.variables or f"subgroup_{name}" not in verdict.variables:
        return dict.fromkeys(keys)
    k = int(verdict["member"].values.sum(-1).argmax())
    return {key: _finite(verdict[f"subgroup_{n}"].values[k]) for key, n in keys.items()}


def _error_rates(groups: list[Group]) -> dict[str, Any] | None:
    """Of the calibration with at most as many trajectories as were used; None below its smallest."""
    table = rates()
    error, influence = groups[0].part("equivariance"), next((i for g in groups if (i := g.part("influence")) is not None), None)
    used = len(np.unique(error["trajectory"].values)) if error is not None and "trajectory" in error.variables else 0
    sizes = [int(n) for n in table["output"] if int(n) <= used]
    if not sizes:
        return None
    learnt = influence.sizes.get("bra_trajectory", 0) if influence is not None else 0
    words_at = [int(n) for n in table["learning_any_false_word"] if int(n) <= learnt]
    return {
        "trajectories": max(sizes),
        **table["output"][str(max(sizes))],
        "learning_any_false_word": table["learning_any_false_word"][str(max(words_at))] if words_at else None,
        "page": table["page"],
    }


@cache
def rates() -> dict[str, Any]:
    """Rates of false words by the number of trajectories, from the calibrations of the documentation."""
    return json.loads(files("orbitscope.report").joinpath("error_rates.json").read_text(encoding="utf-8"))


def _provenance(case: Case) -> dict[str, Any]:
    names = ("command", "created", "machine", "device", "orbitscope_version", "torch_version")
    return {
        **{n: case.text(n) or None for n in names},
        "seed": _count(case.attrs.get("seed")),
        "training_seed": _count(case.attrs.get("training_seed")),
        "settings": case.json("settings"),
        "probe": case.source or None,
    }


def _finite(value: Any) -> float | None:
    number = as_float(value)
    return float(f"{number:.6g}") if math.isfinite(number) else None


def _count(value: Any) -> int | None:
    number = as_float(value)
    return int(number) if math.isfinite(number) else None


def _largest(values: np.ndarray | None) -> float | None:
    return _finite(np.nanmax(values)) if values is not None and np.isfinite(values).any() else None
