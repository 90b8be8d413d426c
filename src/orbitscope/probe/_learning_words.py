"""What the influence says of the learning, in words."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from ..symmetry import Group, Isometry
from ._listed import listed

SHARED, CHANCE, OPPOSED, UNKNOWN = "shared", "no more than chance", "opposed", "undetermined"
_LEVEL = 0.05


def learning_words(influence: xr.Dataset) -> list[str]:
    """One of the four words for every element of a result of `influence`."""
    low, high = influence["excess_low"].values, influence["excess_high"].values
    corrected = influence["p_holm"].values if "p_holm" in influence else np.full(len(low), np.nan)
    possible = influence["p_least"].values * max(1, len(low) - 1) <= _LEVEL if "p_least" in influence else np.zeros(len(low), bool)
    words = []
    for a, b, p, can in zip(low, high, corrected, possible, strict=True):
        chance = bool(can) and p > _LEVEL  # NaN (the identity, or no test) is not above
        words.append(UNKNOWN if not np.isfinite(a) else SHARED if a > 0 and not chance else OPPOSED if b < 0 else CHANCE)
    return words


def learning_sentence(names: Sequence[str], words: Sequence[str], influence: xr.Dataset | None, group: Group) -> str:
    """The words of all elements as a sentence on the learning alone."""
    if influence is None:
        return "Not measured."
    others = [n for n in names if n != group.identity.name]
    word_of = dict(zip(names, words, strict=True))
    measured = [n for n in others if word_of[n] != UNKNOWN]
    if not measured:
        return "No null to compare with: probe at least two trajectories."
    excess = influence["excess"].sel(element=measured)
    parts = []
    for word, text in (
        (SHARED, "A step on x helps gx more than unrelated states on"),
        (CHANCE, "no more than unrelated states on"),
        (OPPOSED, "less than unrelated states on"),
    ):
        mine = [n for n in measured if word_of[n] == word]
        if mine:
            values = excess.sel(element=mine).values
            parts.append(f"{text} {listed(mine)} (excess coherence {values.min():.2f} to {values.max():.2f})")
    sentence = "; ".join(parts) + "."
    return sentence[0].upper() + sentence[1:]


def shared_subgroup(group: Group, names: Sequence[str], words: Sequence[str]) -> tuple[Isometry, ...]:
    """The largest subgroup all of whose elements but the identity are called "shared"."""
    return group.largest_subgroup([group[n] for n, w in zip(names, words, strict=True) if w == SHARED])
