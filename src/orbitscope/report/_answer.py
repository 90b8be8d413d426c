"""The answer to the page's title in its first sentence: which model has learnt which group, and which file is wrong."""

from collections.abc import Sequence

from ._text import count, join, quoted
from ._verdict import VerdictRow

_MANY = 6  # above this many cases, or this many different outcomes, the sentence counts instead of naming
_OUTCOMES = 4
_OBJECT = {
    "all": "all of {}",
    "part": "a part of {}",
    "open": "a part of {} whose size is not decided",
    "nothing": "nothing of {} but the identity",
}
_ORDER = (*_OBJECT, "unskilled", "unmeasured")


def answer(rows: Sequence[VerdictRow]) -> list[str]:
    """The answer and what it rests on; the first sentence names models and groups.

    A model has learnt a group (or a part of it) where what breaks the symmetry carries at most the margin of its squared error, and the
    model has skill. Cases whose file the audit refuses are named last: nothing is said about their models.
    """
    cases = _by_case(rows)
    judged = {k: mine for k, mine in cases.items() if not mine[0].warning}
    refused = [mine[0] for k, mine in cases.items() if k not in judged]
    parts = _counted(list(judged.values())) if _too_many(judged) else _named(judged)
    if refused:
        one = len(refused) == 1
        parts.append(
            f"{join([quoted(r.case) for r in refused])} cannot be judged, because {'its data file is' if one else 'their data files are'} "
            f"refused by the audit"
        )
    sentences = ["; ".join(parts) + "."]
    learnt = [r for mine in judged.values() for r in mine if r.learnt_state in _OBJECT]
    if learnt:
        share = f"{100 * learnt[0].margin:g} %"
        sentences.append(f"Learnt: what breaks the symmetry carries at most {share} of the model's squared error.")
    gain = max((r for mine in judged.values() for r in mine if r.gain), key=lambda r: r.gain_value, default=None)
    if gain is not None:
        sentences.append(
            f"Averaging the forecasts over the group, without training, removes most for {quoted(gain.case)} under {gain.group}: "
            f"{gain.gain} of the squared error."
        )
    return [s[:1].upper() + s[1:] for s in sentences]


def _by_case(rows: Sequence[VerdictRow]) -> dict[int, list[VerdictRow]]:
    found: dict[int, list[VerdictRow]] = {}
    for row in rows:
        found.setdefault(row.case_index, []).append(row)
    return found


def _outcome(mine: Sequence[VerdictRow]) -> str:
    """ "has learnt all of Tx32 and Ty32, but nothing of D4 but the identity", without the verb."""
    groups = {state: [r.group for r in mine if r.learnt_state == state and r.group] for state in _ORDER}
    learnt = [_OBJECT[state].format(join(groups[state], "or" if state == "nothing" else "and")) for state in _OBJECT if groups[state]]
    parts = [f"{{has}} learnt {join(learnt)}"] if learnt else []
    if groups["unskilled"]:
        parts.append(f"{{forecasts}} too poorly to have learnt {join(groups['unskilled'], 'or')}")
    if not parts or groups["unmeasured"]:
        where = f" on {join(groups['unmeasured'])}" if groups["unmeasured"] else ""
        parts.append(f"{{was}} not measured in a way that decides what is learnt{where}")
    return ", and ".join(parts)


def _outcomes(judged: dict[int, list[VerdictRow]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for mine in judged.values():
        found.setdefault(_outcome(mine), []).append(mine[0].case)
    return found


def _too_many(judged: dict[int, list[VerdictRow]]) -> bool:
    outcomes = _outcomes(judged)
    return len(outcomes) > 1 and (len(judged) > _MANY or len(outcomes) > _OUTCOMES)


def _named(judged: dict[int, list[VerdictRow]]) -> list[str]:
    parts = []
    outcomes = _outcomes(judged)
    for outcome, cases in outcomes.items():
        one = len(cases) == 1
        subject = f"all {len(cases)} models" if len(outcomes) == 1 and len(cases) > 2 else join([quoted(c) for c in cases])
        verbs = {"has": "has" if one else "have", "forecasts": "forecasts" if one else "forecast", "was": "was" if one else "were"}
        parts.append(f"{subject} {outcome.format(**verbs)}")
    return parts


def _counted(judged: Sequence[Sequence[VerdictRow]]) -> list[str]:
    """For many cases: how many learnt all that was asked, a part, nothing; the names stand in the table."""
    kinds: dict[str, int] = {}
    for mine in judged:
        states = {r.learnt_state for r in mine}
        if states == {"all"}:
            kind = "all of every group that was asked"
        elif states & {"all", "part", "open"}:
            kind = "a part"
        elif "nothing" in states:
            kind = "nothing but the identity"
        else:
            kind = "nothing that could be decided"
        kinds[kind] = kinds.get(kind, 0) + 1
    said = [f"{n} {'has' if n == 1 else 'have'} learnt {kind}" for kind, n in sorted(kinds.items(), key=lambda item: -item[1])]
    return [f"of {count(len(judged), 'model')}, {join(said)}"]
