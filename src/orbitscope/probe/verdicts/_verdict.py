"""From numbers to words: what holds in the data, in the output, in the learning, and what to do next."""

from collections.abc import Callable, Sequence

import xarray as xr

from ..._errors import OrbitscopeError
from ..._expect import expect
from ...symmetry import Group, Symmetry
from ..data import BREAKS, CONTRADICTS, NEARLY
from ._advice import advice_json, advise
from ._interval import Interval
from ._learning_words import SHARED, UNKNOWN, learning_sentence, learning_words, shared_subgroup
from ._learnt import BROKEN, EXACT, HOLDS, MARGIN, TOLERANCE
from ._listed import listed
from ._output_words import Output, judge, output_sentence


def verdict(
    group: Symmetry | Group,
    equivariance: xr.Dataset,
    influence: xr.Dataset | None = None,
    audit: xr.Dataset | None = None,
    *,
    margin: float = MARGIN,
    tolerance: float = TOLERANCE,
) -> xr.Dataset:
    r"""Words per element and sentences per group, from the results of the three instruments.

    With $p_g = g^{-1} f(g x)$, sums over transitions, and 95 % jackknife intervals over trajectories (see `learnt_subgroup`):

    * `output` [element], from the share of the squared error over {x, gx} that the breaking carries,
      $\sum |p_g - f(x)|^2 / 2 \sum (|p_g - y|^2 + |f(x) - y|^2)$: "exact up to rounding" (the commutator is within ten floors of
      rounding), "holds" (upper limit at most `margin`), "broken" (lower limit above it), "undecided" (neither, or fewer than 4
      trajectories). `share`, `share_low`, `share_high` are the numbers.
    * `moving` [element], from $\sum |p_g - y|^2 / \sum |f(x) - y|^2$: "costs nothing" (upper limit at most `tolerance`), "costs" (lower
      limit above it: the model favours the orientation of the data), "undecided". `moved_error` with `_low`, `_high` are the numbers. A
      model that breaks a symmetry with all of its error can cost nothing to move: it is wrong alike everywhere, in different ways.
    * `learning` [element]: see `influence` for "shared", "no more than chance", "opposed" and "undetermined".
    * the table of `learnt_subgroup` [subgroup]: `subgroup_share`, `subgroup_gain` (of averaging, on the originals; negative = harm) with
      their limits, `subgroup_word`, and `member` [subgroup, element].

    Attributes: `learnt_subgroup`, `learnt_at_most` (of a model with skill; empty without), `holding_subgroup`, `exact_subgroup`;
    `shared_subgroup`, the largest subgroup all of whose elements are "shared", of a model with skill; each with `_order`;
    `learnt_support`, the confidence that the learnt subgroup holds. Sentences: `sentence_data`, `sentence_output`, `sentence_learning`,
    `sentence_next`; `advice` is the last one in parts, as JSON: [{kind, text, general, here}, ...], where `general` is the same for every
    group with this advice and `here` holds what is this group's own. `skill` is the median error over that of persistence.

    * `group`: of the measurements, or their symmetry. `equivariance`, `influence`, `audit`: their results; the last two may be missing.
    * `margin`: share of the squared error that a breaking may carry and still hold.
    * `tolerance`: ratio of errors up to which moving a state costs nothing.

    Where it fails: the words are about these transitions and one step. At a breaking of exactly `margin` either word comes in up to 1 run
    of 40, "undecided" in the others; from twice the margin on and 8 trajectories the calibration in the documentation found no miss.
    Raises `OrbitscopeError` for a `margin` outside (0, 1), a `tolerance` below 1, or a result of an older version.
    """
    if not tolerance >= 1:
        raise OrbitscopeError(f"verdict: `tolerance` should be at least 1 (1 = as good as on the original), got {tolerance}.")
    group = group.group if isinstance(group, Symmetry) else group
    expect(group, Group, "verdict: `group`", "the Group of the measurements, osc.parse_group('d4') for example, or their Symmetry")
    found = judge(group, equivariance, margin, tolerance)
    names = found.names
    learning = _per_element(names, influence, learning_words)
    data = _per_element(names, audit, lambda a: [str(v) for v in a["verdict"].values])
    table = found.table
    result = xr.Dataset(
        {
            "data": ("element", data),
            "output": ("element", [str(w) for w in found.word]),
            "moving": ("element", [str(w) for w in found.moving]),
            "learning": ("element", learning),
            **_limits("share", found.share, "part of the squared error over {x, gx} that the breaking carries"),
            **_limits("moved_error", found.moved, "squared error on moved states over that on the originals"),
            **{f"subgroup_{n}": table[n] for n in ("share", "share_low", "share_high", "gain", "gain_low", "gain_high", "word")},
            **{n: table[n] for n in ("member", "in_learnt", "in_learnt_at_most", "in_holding", "in_exact")},
        },
        coords={
            "element": names,
            "subgroup": table["subgroup"],
            **{k: c for k, c in equivariance.coords.items() if str(k).startswith("element_")},
        },
    )
    advice = advise(group, data, found, audit)
    result["subgroup_word"] = ("subgroup", [str(w) for w in table["word"].values])
    result.attrs.update(
        sentence_data=_data_sentence(names, data, audit),
        sentence_output=output_sentence(group, found),
        sentence_learning=learning_sentence(names, learning, influence, group) + _disagreement(learning, found),
        sentence_next=" ".join(a.text for a in advice),
        advice=advice_json(advice),
        **{k: v for k, v in table.attrs.items() if k.endswith(("_subgroup", "_order", "_at_most", "_support"))},
        **_shared(group, names, learning, influence, found),
        margin=float(margin),
        tolerance=float(tolerance),
        skill=found.skill,
        group=group.name,
    )
    return result


def _limits(name: str, interval: Interval, long_name: str) -> dict[str, tuple]:
    parts = {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return {k: ("element", v, {"long_name": long_name, "units": "1"}) for k, v in parts.items()}


def _per_element(names: list[str], result: xr.Dataset | None, words: Callable[[xr.Dataset], list[str]]) -> list[str]:
    if result is None:
        return [UNKNOWN] * len(names)
    known = dict(zip((str(n) for n in result["element"].values), words(result), strict=True))
    return [known.get(n, UNKNOWN) for n in names]


def _shared(group: Group, names: list[str], learning: Sequence[str], influence: xr.Dataset | None, found: Output) -> dict[str, object]:
    """The largest subgroup that shares its learning, of a model that has learnt something."""
    if influence is None:
        return {}
    members = shared_subgroup(group, names, learning) if found.skilled else []
    return {"shared_subgroup": ", ".join(members), "shared_order": len(members)}


def _disagreement(learning: Sequence[str], found: Output) -> str:
    """Where the output holds without shared learning, or is broken with it."""
    apart = [n for n, w, o in zip(found.names, learning, found.word, strict=True) if o == HOLDS and w not in (SHARED, UNKNOWN)]
    against = [n for n, w, o in zip(found.names, learning, found.word, strict=True) if o == BROKEN and w == SHARED]
    sentence = ""
    if apart:
        sentence += (
            f" On {listed(apart)} the output holds though what is left of the error is not shared with the moved state. For using the "
            "model the output decides; the learning speaks of what is left of the error, and matters if training goes on."
        )
    if against:
        sentence += (
            f" On {listed(against)} learning is shared though the output is broken. For using the model the output decides; shared says "
            "that a step is specific to the state, not that more training or copies will help (`transfer_test` measures that)."
        )
    return sentence


def _data_sentence(names: list[str], data: list[str], audit: xr.Dataset | None) -> str:
    if audit is None:
        return "Not audited."
    if audit.attrs["verdict"] == CONTRADICTS:
        return f"REFUSED: the file contradicts its declared convention; {audit.attrs['convention_fits']} fits. {audit.attrs['explanation']}"
    if audit.attrs["verdict"] == BREAKS:
        return f"REFUSED: the file breaks the laws of its equation. {audit.attrs['explanation']}"
    kinds = [k for k in dict.fromkeys(data) if k != UNKNOWN]
    mine = {k: [n for n, w in zip(names, data, strict=True) if w == k] for k in kinds}
    size = f" {audit.attrs['explanation']}" if NEARLY in kinds else ""
    if len(kinds) == 1:
        return f"All {len(mine[kinds[0]])} elements: {kinds[0]}.{size}"
    return (" ".join(f"{listed(mine[k])}: {k}." for k in kinds) or "Undetermined.") + size


__all__ = ["BROKEN", "EXACT", "HOLDS", "verdict"]
