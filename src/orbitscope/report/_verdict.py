"""The verdict rows: what holds in the data, in the output, in the learning, for each case and group."""

import json
import math
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import xarray as xr

from ._case import Case, Group, array, labels, read_cases, words
from ._text import BREAKS, CONTRADICTS, Level, as_float, element_list, level, percent

NOT_MEASURED = "not measured"
_SKILL = 0.5  # the verdict's own limit: median error over that of persistence

_SHORT = {
    "symmetry of the physics and of the file": "physics and file",
    "symmetry of the physics, not of this file's distribution": "physics, not the file",
    "symmetry of the physics; too few trajectories to test the file": "physics; file not tested",
    "approximate symmetry of the physics": "physics, nearly",
    "not a symmetry of this file's distribution; physics unchecked": "not the file; physics unchecked",
    CONTRADICTS: "file refused",
    BREAKS: "file refused",
}

LearntState: TypeAlias = Literal["all", "part", "open", "nothing", "unskilled", "unmeasured"]
"""How much of a group is learnt; "open" where the intervals leave room, "nothing" for the identity alone."""


@dataclass(frozen=True)
class Finding:
    """What one instrument says about every element of a group.

    * `sentence`: the probe's own. `summary`: a short form of it, made from `words`.
    * `elements`: their names. `words`: one verdict word for each, empty where it was not measured.
    * `levels`: what each word amounts to: "holds", "partly", "chance", "broken" or "unknown".
    * `overall`: the common level of the elements other than the identity, "partly" where they differ.
    * `brief`: the words counted, for a narrow cell. `detail`: the number behind them.
    """

    sentence: str
    summary: str
    elements: tuple[str, ...]
    words: tuple[str, ...]
    levels: tuple[Level, ...]
    overall: Level
    brief: str = ""
    detail: str = ""


@dataclass(frozen=True)
class VerdictRow:
    """One case and group: three findings, the learnt subgroup and the next step.

    * `case`: its title. `case_index`: its number in the order given, from 0.
    * `model`, `data_description`: which model, on which data, in words.
    * `group`: its title, empty for a case without groups. `elements`: names of its elements.
    * `data`, `output`, `learning`: what the audit, the equivariance error and the influence found.
    * `learnt_subgroup`: the largest subgroup that is learnt, in words; empty where nothing is known.
    * `learnt_state`: how much of the group is learnt. `margin`: share of the squared error that a breaking may carry for that.
    * `next_step`: what to do, in words. `advice`: the same in parts, each a mapping with kind, text, general and here.
    * `warning`: set where the audit refuses the file.
    * `gain`: what averaging over the group removes of the squared error on the originals, in words, empty where that is nothing or not
      known. `gain_value`: the same as a number, NaN there.
    """

    case: str
    model: str
    data_description: str
    group: str
    elements: tuple[str, ...]
    data: Finding
    output: Finding
    learning: Finding
    learnt_subgroup: str
    next_step: str
    warning: str
    case_index: int
    learnt_state: LearntState = "unmeasured"
    margin: float = 0.05
    gain: str = ""
    gain_value: float = math.nan
    advice: tuple[dict[str, str], ...] = ()


def verdict_rows(cases: Sequence[xr.DataTree | Path | str]) -> list[VerdictRow]:
    """One row per case and group, in the order given; a case without groups yields one row that says so.

    * `cases`: results of `examine`, or files of them.

    Raises OrbitscopeError when no case is given or one is not a probe result.
    """
    return rows_of(read_cases(cases))


def rows_of(cases: Sequence[Case]) -> list[VerdictRow]:
    """`verdict_rows` for cases that are already read."""
    return [_row(case, i, group) for i, case in enumerate(cases) for group in (case.groups or (None,))]


def warning_of(case: Case) -> str:
    """The refusal of a data file, in one or two sentences; empty for any other verdict."""
    attrs = case.audit.attrs if case.audit is not None else {}
    if level(str(attrs.get("verdict", ""))) != "broken" and str(attrs.get("verdict", "")) != CONTRADICTS:
        return ""
    if str(attrs.get("verdict", "")) == BREAKS:
        text = "The audit refuses its blessing: the file breaks the laws of its equation, and no other reading of it mends that."
        return f"{text} {attrs.get('explanation') or ''}".strip()
    declared, fits = str(attrs.get("convention_declared") or ""), str(attrs.get("convention_fits") or "")
    text = "The audit refuses its blessing: this file contradicts the convention it declares"
    text += f" (“{declared}”)." if declared and declared != "declared" else "."
    text += f" The convention that fits is “{fits}”." if fits and fits != declared else " No convention that was tried fits."
    return f"{text} {attrs.get('explanation') or ''}".strip()


def _row(case: Case, index: int, group: Group | None) -> VerdictRow:
    elements, identity = (group.elements, group.identity) if group else ((), frozenset())
    verdict = group.part("verdict") if group else None
    attrs = verdict.attrs if verdict is not None else {}
    data_words = words(verdict, "data", elements)
    if group and not any(data_words):  # an audit alone still says what holds in the data
        data_words = words(group.part("audit"), "verdict", elements)
    gain, gain_value = _gain(verdict)
    return VerdictRow(
        case=case.title,
        model=case.text("model"),
        data_description=case.text("data_description"),
        group=group.title if group else "",
        elements=elements,
        data=_finding(elements, data_words, attrs.get("sentence_data"), identity),
        output=_finding(elements, words(verdict, "output", elements), attrs.get("sentence_output"), identity, _carried(verdict)),
        learning=_finding(elements, _learning_words(group, verdict), attrs.get("sentence_learning"), identity, _excess(group)),
        learnt_subgroup=_learnt(group, elements, verdict),
        next_step=str(attrs.get("sentence_next") or ""),
        warning=warning_of(case),
        case_index=index,
        learnt_state=_learnt_state(elements, verdict),
        margin=as_float(attrs.get("margin", 0.05)),
        gain=gain,
        gain_value=gain_value,
        advice=_advice(attrs),
    )


def _advice(attrs: dict[str, Any]) -> tuple[dict[str, str], ...]:
    """The parts of the next step; one part where an older version left the sentence alone."""
    try:
        found = json.loads(str(attrs.get("advice") or "[]"))
        parts = tuple({k: str(part[k]) for k in ("kind", "text", "general", "here")} for part in found)
    except (ValueError, TypeError, KeyError):
        parts = ()
    sentence = str(attrs.get("sentence_next") or "")
    return parts or (({"kind": "said", "text": sentence, "general": sentence, "here": ""},) if sentence else ())


def _learnt_state(elements: tuple[str, ...], verdict: xr.Dataset | None) -> LearntState:
    if verdict is None or "in_learnt" not in verdict.variables or not any(words(verdict, "output", elements)):
        return "unmeasured"
    least, most = (int(verdict[key].values.astype(bool).sum()) for key in ("in_learnt", "in_learnt_at_most"))
    if not least:
        return "unskilled" if as_float(verdict.attrs.get("skill")) > _SKILL else "unmeasured"
    if least == len(elements):
        return "all"
    return "open" if most > least else "nothing" if least == 1 else "part"


def _whole(verdict: xr.Dataset | None, name: str) -> tuple[float, float, float] | None:
    """A quantity of the largest subgroup of the table with its interval; None where there is no such table."""
    if verdict is None or "member" not in verdict.variables or f"subgroup_{name}" not in verdict.variables:
        return None
    k = int(verdict["member"].values.sum(-1).argmax())
    low, value, high = (float(verdict[f"subgroup_{n}"].values[k]) for n in (f"{name}_low", name, f"{name}_high"))
    return (low, value, high) if math.isfinite(value) else None


def _gain(verdict: xr.Dataset | None) -> tuple[str, float]:
    found = _whole(verdict, "gain")
    if found is None or not found[0] > 1e-3:
        return "", math.nan
    low, value, high = found
    return f"{percent(value)} ({percent(low)} to {percent(high)})", value


def _carried(verdict: xr.Dataset | None) -> str:
    """What the breaking over the whole group carries, and what moving costs."""
    found = _whole(verdict, "share")
    parts = []
    if found is not None:
        low, value, high = found
        interval = f" ({percent(low)} to {percent(high)})" if math.isfinite(low) and math.isfinite(high) else ""
        parts.append(f"breaking over the group: {percent(value)} of the squared error{interval}")
    moved, moving = array(verdict, "moved_error", "element"), words(verdict, "moving", labels(verdict) if verdict is not None else ())
    costly = [float(v) for v, w in zip(moved, moving, strict=True) if w == "costs"] if moved is not None else []
    if costly:
        parts.append(f"moving costs: squared error up to {max(costly):.3g} times")
    elif any(moving) and set(moving) == {"costs nothing"}:
        parts.append("moving costs nothing")
    return "; ".join(parts)


def _excess(group: Group | None) -> str:
    """The range of the excess coherence over the elements that were measured."""
    influence = group.part("influence") if group else None
    excess = array(influence, "excess", "element")
    if group is None or influence is None or excess is None:
        return ""
    mine = [float(v) for e, v in zip(labels(influence), excess, strict=True) if e not in group.identity and math.isfinite(v)]
    if not mine:
        return ""
    low, high = (f"{v:.2f}".replace("-", "−") for v in (min(mine), max(mine)))
    return f"excess coherence {low}" + (f" to {high}" if low != high else "")


def _learnt(group: Group | None, elements: tuple[str, ...], verdict: xr.Dataset | None) -> str:
    """The learnt subgroup, and how far the measurement leaves room for a larger one; empty where the model has no skill."""
    if group is None or verdict is None or "in_learnt" not in verdict.variables:
        return ""
    names = labels(verdict)
    least, most = ([n for n, m in zip(names, verdict[key].values, strict=True) if m] for key in ("in_learnt", "in_learnt_at_most"))
    named = [f"all of {group.title}" if len(found) == len(elements) else element_list(found) for found in (least, most)]
    return f"{named[0]}; at most {named[1]}" if len(most) > len(least) else named[0]


def _learning_words(group: Group | None, verdict: xr.Dataset | None) -> tuple[str, ...]:
    """The verdicts on the learning; influence is dear and may cover a part of the group only, so the rest counts as not measured."""
    if group is None:
        return ()
    found, influence = words(verdict, "learning", group.elements), group.part("influence")
    if influence is None or "element" not in influence.variables:
        return found
    measured = set(labels(influence))
    return tuple(word if e in measured else "" for e, word in zip(group.elements, found, strict=True))


def _finding(elements: tuple[str, ...], verdicts: tuple[str, ...], sentence: object, identity: Set[str], detail: str = "") -> Finding:
    levels: tuple[Level, ...] = tuple(level(word) for word in verdicts)
    identity = identity if len(elements) > 1 else frozenset()
    summary = _summary(elements, verdicts, identity)
    return Finding(
        str(sentence or "") or summary.capitalize() + ".", summary, elements, verdicts, levels, _overall(elements, verdicts, identity),
        _brief(elements, verdicts, identity), detail,
    )  # fmt: skip


def _brief(elements: tuple[str, ...], verdicts: tuple[str, ...], identity: Set[str]) -> str:
    """The words counted over the elements other than the identity: "holds: 8 of 31; broken: 23 of 31"."""
    asked = [_SHORT.get(w, w) for e, w in zip(elements, verdicts, strict=True) if e not in identity]
    counted = Counter(w for w in asked if w)
    if not counted:
        return NOT_MEASURED
    missing = f" ({counted.total()} of {len(asked)} measured)" if counted.total() < len(asked) else ""
    if len(counted) == 1:
        return f"{next(iter(counted))}: {'all ' if len(asked) > 1 and not missing else ''}{counted.total()}{missing}"
    return "; ".join(f"{kind}: {n}" for kind, n in counted.items()) + f" of {len(asked)}{missing}"


def _summary(elements: tuple[str, ...], verdicts: tuple[str, ...], identity: Set[str]) -> str:
    counted = {e: w for e, w in zip(elements, verdicts, strict=True) if w and e not in identity}
    if not counted:
        return NOT_MEASURED
    kinds = list(dict.fromkeys(counted.values()))
    if len(kinds) == 1:
        return kinds[0] if len(counted) > 1 else f"{kinds[0]}: {next(iter(counted))}"
    return "; ".join(f"{kind}: {element_list(e for e, w in counted.items() if w == kind)}" for kind in kinds)


def _overall(elements: tuple[str, ...], verdicts: tuple[str, ...], identity: Set[str]) -> Level:
    pairs = zip(elements, verdicts, strict=True)
    kinds: set[Level] = {level(word) for e, word in pairs if word and e not in identity}
    if len(kinds) == 1:
        return kinds.pop()
    if kinds & {"holds", "partly"}:
        return "partly"
    # Chance and opposed together are an absence of evidence, not a broken symmetry.
    return "chance" if "chance" in kinds else "broken" if "broken" in kinds else "unknown"
