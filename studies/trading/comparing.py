"""Paired comparisons of monthly net returns, with intervals of a stationary block bootstrap."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from arch.bootstrap import StationaryBootstrap
from harness import Tables

RULES = {
    "flat": "nothing held",
    "buy and hold": "half in each, for good",
    "momentum": "with the mean of the window",
    "reversal": "against it",
}
ARMS = {
    "plain": "plain", "augmented-reflection*swap": "plain, moved copies", "exact-reflection": "exact, long/short",
    "exact-swap": "exact, exchange", "exact-reflection*swap": "exact, long/short and exchange",
    "relaxed-reflection*swap": "relaxed, long/short and exchange", "residual-reflection*swap": "residual, long/short and exchange",
}  # fmt: skip
BLOCK = 6
"""Mean length of the blocks, in months."""
FEWEST = 3
"""Seeds below which nothing is judged."""


@dataclass(frozen=True)
class Difference:
    """A mean per year with its 95 % interval."""

    mean: float
    low: float
    high: float

    @property
    def word(self) -> str:
        """Whether the interval lies on one side of 0."""
        return "ahead" if self.low > 0 else "behind" if self.high < 0 else "no significant difference"

    def __str__(self) -> str:
        return f"{100 * self.mean:+.1f} ({100 * self.low:+.1f} to {100 * self.high:+.1f})"


def months(t: Tables) -> pd.DataFrame:
    """Net return of every month [month, who]; of an arm the mean over its seeds, as of a trader who splits the capital among them."""
    f = t["months"]
    if not len(f):
        return pd.DataFrame()
    rules = f[f.case == "rules"].pivot(index="month", columns="rule", values="net")
    fitted = f[f.case == "policy"]
    if not len(fitted):
        return rules
    return rules.join(fitted.pivot_table(index="month", columns="arm", values="net", aggfunc="mean"))


def seeds_of(t: Tables, arm: str) -> int:
    """How many seeds of an arm there are."""
    f = t["earned"]
    return 0 if "arm" not in f else len(set(f[f.arm == arm].seed))


def difference(series: Any, other: Any, resamples: int) -> Difference:
    """Of two monthly series, paired by month, per year."""
    gap = 12 * (np.asarray(series, float) - np.asarray(other, float))
    low, high = np.ravel(StationaryBootstrap(BLOCK, gap, seed=0).conf_int(np.mean, resamples, method="percentile"))
    return Difference(float(gap.mean()), float(low), float(high))


def differences(t: Tables) -> dict[tuple[str, str], Difference]:
    """(who, rival) -> difference, of every arm with enough seeds to flat, to buy and hold, and to plain."""
    wide, resamples, found = months(t), t.meta["settings"]["resamples"], {}
    arms = [a for a in ARMS if a in wide and seeds_of(t, a) >= FEWEST]
    for arm in arms:
        for rival in ("flat", "buy and hold", "plain"):
            if rival in wide and rival != arm and (rival != "plain" or "plain" in arms):
                found[arm, rival] = difference(wide[arm], wide[rival], resamples)
    return found
