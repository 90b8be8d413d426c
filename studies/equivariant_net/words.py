"""How numbers are written on the page."""

import pandas as pd
from judgement import UNDETERMINED
from tables import Ratio

WORD = {-1: "lower", 0: UNDETERMINED, 1: "higher"}


def told(r: Ratio) -> str:
    """A ratio, and the word for it where there are seeds enough."""
    return f"{r}, {WORD[r.sign]}" if len(r.values) >= 3 else str(r)


def listed(names: list[str]) -> str:
    """Each once."""
    return ", ".join(dict.fromkeys(names)) or "none"


def spread(values: pd.Series, form: str) -> str:
    """Median, least and largest."""
    known = values.dropna()
    if known.empty:
        return "–"
    if len(known) == 1:
        return format(known.iloc[0], form)
    return f"{format(known.median(), form)} ({format(known.min(), form)}–{format(known.max(), form)})"
