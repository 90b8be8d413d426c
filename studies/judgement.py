"""Rules that a study judges a statement by: one number per run, where its interval has to lie, and four words.

*agrees*: the whole interval over runs lies where the statement puts it. *contradicts*: the whole interval lies elsewhere. *undetermined*:
the interval reaches across. *not judged*: fewer than three runs, or networks without skill, whose errors and coherences say nothing.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

AGREES, CONTRADICTS, UNDETERMINED, NOT_JUDGED = "agrees", "contradicts", "undetermined", "not judged"
SKILL = 0.5  # an error above this part of persistence's is no skill
FEWEST = 3  # runs that an interval needs
LEVEL = 0.95


def interval(values: Sequence[float] | np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    r"""Student's interval of the mean of independent runs, $\bar v \pm t_{n-1} s / \sqrt n$; NaN for fewer than three."""
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    if len(known) < FEWEST:
        return float("nan"), float("nan")
    half = stats.t.ppf(0.5 + level / 2, len(known) - 1) * known.std(ddof=1) / math.sqrt(len(known))
    return float(known.mean() - half), float(known.mean() + half)


def judge(values: Sequence[float] | np.ndarray, low: float = -math.inf, high: float = math.inf, parts: int = 1) -> str:
    """The word for "between `low` and `high`", both included.

    A statement of several `parts` is contradicted by any of them, so that a part contradicts at a level of 1 - 0.05 / parts only.
    """
    inner, outer = interval(values), interval(values, 1 - (1 - LEVEL) / parts)
    if not np.isfinite(inner).all():
        return NOT_JUDGED
    if low <= inner[0] and inner[1] <= high:
        return AGREES
    return CONTRADICTS if outer[1] < low or outer[0] > high else UNDETERMINED


def together(words: Sequence[str]) -> str:
    """The word for all of the parts of a statement: any of them can contradict it, all of them have to agree."""
    for word in (CONTRADICTS, UNDETERMINED, NOT_JUDGED):
        if word in words:
            return word
    return AGREES if words else NOT_JUDGED


def side(ratios: Sequence[float] | np.ndarray) -> int:
    """-1: a ratio of errors lies below 1, by the interval of its logarithm over seeds; 1: above; 0: neither, or fewer than three seeds."""
    low, high = interval(np.log(np.asarray(ratios, float)))
    return -1 if high < 0 else 1 if low > 0 else 0


def factor(ratios: Sequence[float] | np.ndarray) -> str:
    """The interval behind `side` in words; a dash for fewer than three seeds."""
    low, high = np.exp(interval(np.log(np.asarray(ratios, float))))
    return f"{low:.2f} to {high:.2f}" if np.isfinite(low) else "–"


@dataclass(frozen=True)
class Need:
    """One number per run, and where its interval over runs has to lie.

    `log`: the interval is that of the logarithm. `possible`: the values that there are (a correlation lies from -1 to 1).
    """

    name: str
    of: Callable[[pd.DataFrame], float]
    low: float = -math.inf
    high: float = math.inf
    log: bool = False
    possible: tuple[float, float] = (-math.inf, math.inf)

    def word(self, values: np.ndarray, parts: int) -> str:
        """The word for this need on the values of the runs."""
        if self.log:
            return judge(np.log(values), *(math.log(b) if b > 0 else b for b in (self.low, self.high)), parts=parts)
        return judge(values, self.low, self.high, parts)

    def told(self, values: np.ndarray) -> str:
        """The interval in words."""
        low, high = np.clip(np.exp(interval(np.log(values))) if self.log else interval(values), *self.possible)
        return f"{self.name} {low:.3g} to {high:.3g}" if np.isfinite(low) else f"{self.name} –"


@dataclass(frozen=True)
class Judged:
    """The word for a statement, why it was not judged if it was not, and the intervals by network."""

    word: str
    why: str = ""
    intervals: str = ""


def judge_runs(
    frame: pd.DataFrame, needs: Sequence[Need], skilled: set[str], by: str = "model", name: Callable[[str], str] = str
) -> Judged:
    """Every need on every network (`by`) with skill; rows of one seed are one run. Networks without skill have no say."""
    if frame.empty:
        return Judged(NOT_JUDGED, "not measured")
    kept = frame[frame[by].isin(skilled)]
    if kept.empty:
        return Judged(NOT_JUDGED, "no skill")
    words, told, groups = [], [], list(kept.groupby(by, sort=True))
    for network, block in groups:
        found = [np.array([need.of(run) for _, run in block.groupby("seed")], float) for need in needs]
        words += [need.word(values, len(groups) * len(needs)) for need, values in zip(needs, found, strict=True)]
        told.append(f"{name(str(network))}: " + ", ".join(n.told(v) for n, v in zip(needs, found, strict=True)))
    word = together(words)
    return Judged(word, f"fewer than {FEWEST} runs" if word == NOT_JUDGED else "", "; ".join(told))
