"""The verdict rows: what holds in the data, in the output, in the learning, for each case and group."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from ._case import Case, Group, labels, read_cases, words
from ._text import BREAKS, CONTRADICTS, Level, element_list, level

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Finding:
    """What one instrument says about every element of a group.

    `sentence` is the probe's own sentence, `summary` a short form made from `words` (one verdict word per element); `overall` is
    the common level of the elements other than the identity, "partly" where they differ.
    """

    sentence: str
    summary: str
    elements: tuple[str, ...]
    words: tuple[str, ...]
    levels: tuple[Level, ...]
    overall: Level


@dataclass(frozen=True)
class VerdictRow:
    """One case and group: three findings, the learnt subgroup and the next step. `warning` is set where the audit refuses the file."""

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


def verdict_rows(cases: Sequence[xr.DataTree | Path | str]) -> list[VerdictRow]:
    """One row per case and group, in the order given; a case without groups yields one row that says so.

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
    return VerdictRow(
        case=case.title,
        model=case.text("model"),
        data_description=case.text("data_description"),
        group=group.title if group else "",
        elements=elements,
        data=_finding(elements, data_words, attrs.get("sentence_data"), identity),
        output=_finding(elements, words(verdict, "output", elements), attrs.get("sentence_output"), identity),
        learning=_finding(elements, _learning_words(group, verdict), attrs.get("sentence_learning"), identity),
        learnt_subgroup=_learnt(group, elements, verdict),
        next_step=str(attrs.get("sentence_next") or ""),
        warning=warning_of(case),
        case_index=index,
    )


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


def _finding(elements: tuple[str, ...], verdicts: tuple[str, ...], sentence: object, identity: Set[str]) -> Finding:
    levels: tuple[Level, ...] = tuple(level(word) for word in verdicts)
    identity = identity if len(elements) > 1 else frozenset()
    summary = _summary(elements, verdicts, identity)
    return Finding(
        str(sentence or "") or summary.capitalize() + ".", summary, elements, verdicts, levels, _overall(elements, verdicts, identity)
    )


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
