"""What the influence says of the learning, in words."""

import json
from collections.abc import Sequence

import numpy as np
import xarray as xr

from ...symmetry import Group
from ..learning import LEVEL, trajectories_needed
from ._listed import listed

SHARED, CHANCE, OPPOSED, UNKNOWN = "shared", "no more than chance", "opposed", "undetermined"
_SAYS = {
    SHARED: "A step on x lowers the loss of gx more than that of unrelated states on",
    CHANCE: "no other than that of unrelated states, as far as these trajectories show, on",
    OPPOSED: "less than that of unrelated states on",
}


def learning_words(influence: xr.Dataset) -> list[str]:
    """One of four words for every element of a result of `influence`, family-wise at 5 %: the chance of any false word among all elements.

    * shared: a step on x lowers the loss of gx *more* than that of unrelated states at the same time: the interval of the excess coherence
      lies above 0 and the two-sided permutation test is significant after Holm's correction for all elements. It says "specific to this
      state", not that training on copies will help (`transfer_test` measures that).
    * opposed: *less*, the interval below 0 and the same test.
    * no more than chance: neither. A word on these trajectories: more of them may show a difference.
    * undetermined: no outcome could be significant, for want of trajectories (`trajectories_needed`), or a gradient is zero.
    """
    low, high = influence["excess_low"].values, influence["excess_high"].values
    if "p_holm" not in influence:
        return [UNKNOWN] * len(low)
    corrected, possible = influence["p_holm"].values, _possible(influence)
    words = []
    for a, b, p, can in zip(low, high, corrected, possible, strict=True):
        if not (can and np.isfinite(a) and np.isfinite(b)):
            words.append(UNKNOWN)
        elif not p <= LEVEL or a <= 0 <= b:
            words.append(CHANCE)
        else:
            words.append(SHARED if a > 0 else OPPOSED)
    return words


def _possible(influence: xr.Dataset) -> np.ndarray:
    """Where a test could have been significant after the correction."""
    least, tested = influence["p_least"].values, int(np.isfinite(influence["p_holm"].values).sum())
    return np.isfinite(influence["p_holm"].values) & (least * max(1, tested) <= LEVEL)


def learning_sentence(names: Sequence[str], words: Sequence[str], influence: xr.Dataset | None, group: Group) -> str:
    """The words of all elements as a sentence on the learning alone."""
    if influence is None:
        return "Not measured."
    word_of = dict(zip(names, words, strict=True))
    known = {str(n) for n in influence["element"].values}
    measured = [n for n in names if n in known and n != group.identity.name]
    if not measured:
        return "Not measured on any element but the identity."
    decided = [n for n in measured if word_of[n] != UNKNOWN]
    open_ = [n for n in measured if word_of[n] == UNKNOWN]
    parts = []
    for word, text in _SAYS.items():
        if mine := [n for n in decided if word_of[n] == word]:
            parts.append(f"{text} {listed(mine)} ({_spans(influence, mine)})")
    sentences = ["; ".join(parts) + "."] if parts else []
    if open_:
        sentences.append(f"Undetermined on {listed(open_)}: {_why(influence, len(measured))}.")
    if idle := json.loads(influence.attrs.get("without_gradient", "[]")):
        sentences.append(
            f"no gradient reaches {len(idle)} parameter tensors ({listed(idle)}), which forward does not use, or uses outside of autograd "
            "(no_grad, filters cached in eval()): the words are about the others."
        )
    return " ".join(s[0].upper() + s[1:] for s in sentences)


def _spans(influence: xr.Dataset, names: list[str]) -> str:
    said = []
    for name, text in (("excess", "excess coherence"), ("response", "coherence")):
        if name in influence:
            values = influence[name].sel(element=names).values
            low, high = f"{values.min():.2f}", f"{values.max():.2f}"
            said.append(f"{text} {low}" + (f" to {high}" if high != low else ""))
    return ", ".join(said)


def _why(influence: xr.Dataset, elements: int) -> str:
    """Why there is no word."""
    needed = trajectories_needed(elements)
    of = f"{elements} elements" if elements > 1 else "one element"
    count = influence.sizes.get("bra_trajectory")
    if count == 1:
        return f"one trajectory has no other to compare with; at least {needed} are needed for {of}"
    if count is not None and count >= needed:
        return "a gradient is zero, so that the coherence is not defined"
    here = "" if count is None else f"{count} here, "
    return f"too few trajectories: {here}at least {needed} are needed for {of}"


def shared_subgroup(group: Group, names: Sequence[str], words: Sequence[str]) -> list[str]:
    """Names of the largest subgroup all of whose elements but the identity are called "shared".

    It speaks of the learning alone. A model without skill may well learn at gx what it learns at x; whether that is worth anything is for
    the output to say.
    """
    if not group.finite:  # of probes: the whole group if they all are, else nothing is known of it
        everywhere = all(w == SHARED for n, w in zip(names, words, strict=True) if n != group.identity.name)
        return list(names) if everywhere and len(names) > 1 else [group.identity.name]
    shared = [group[n] for n, w in zip(names, words, strict=True) if w == SHARED]
    return [g.name for g in group.largest_subgroup(shared)]
