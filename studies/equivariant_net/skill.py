"""What costs nothing, and who is better than that: the best of the last state, the last increment repeated, and a parabola."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from harness import Tables
from judgement import SKILL

#: Columns of the table of the test sets, and what they are called; the first is always there.
TRIVIAL = {"rmse": "last state", "increment": "last increment", "parabola": "parabola"}


def known(still: pd.DataFrame) -> dict[str, str]:
    """The forecasts without training that were measured."""
    return {k: v for k, v in TRIVIAL.items() if k in still and still[k].notna().all()}


def best(still: pd.DataFrame, first: bool = False) -> pd.Series:
    """RMSE of the best of them by test set, of all steps or of the first one."""
    names = [f"{name}_first" if first else name for name in known(still)]
    return still.set_index("test")[names].min(axis=1)


def shares(tables: Tables, dataset: str) -> pd.Series:
    """By backbone, variant and seed: the mean square of the first step on the original set over that of the best trivial forecast."""
    frame, still = tables["tests"], tables["persistence"]
    frame = frame[(frame.dataset == dataset) & (frame.test == "original")]
    base = best(still[still.dataset == dataset], first=True).get("original", np.nan)
    return (frame.set_index(["backbone", "variant", "seed"])["rmse_first"] / base) ** 2


def without_skill(tables: Tables, dataset: str, variants: Sequence[str]) -> set[tuple[str, str]]:
    """(backbone, variant) of the networks whose median share is above one half."""
    median = shares(tables, dataset).groupby(level=[0, 1]).median()
    return {(str(b), str(v)) for (b, v), share in median.items() if v in variants and not share <= SKILL}
