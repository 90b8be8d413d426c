"""Numbers that the page and the figures share, from the rows of the runs."""

import numpy as np
import pandas as pd
from tasks import TASKS

IRREPS = ("0o", "1o", "1e", "2o", "2e", "3o", "3e", "4o", "4e")
FORBIDDEN, PRESENT, CONTROL = 1e-12, 1e-3, 1e-3
STUCK = 0.1  # relative squared training error of a run that has not learnt its task


def of(frame: pd.DataFrame, task: str, variant: str = "relaxed") -> pd.DataFrame:
    """The rows of one job."""
    return frame[(frame.task == task) & (frame.variant == variant)]


def leading(rows: pd.DataFrame, task: str) -> np.ndarray:
    """Whether each run uses the irreps without which its task cannot be done; for a control, whether it uses none."""
    wanted = TASKS[task].leading
    if not wanted:
        return (rows.theta < CONTROL).to_numpy()
    return np.logical_and.reduce([(rows[f"size_{name}"] > PRESENT).to_numpy() for name in wanted])


def right(rows: pd.DataFrame, task: str) -> np.ndarray:
    """The support pattern is right: what leads is there, and what theory forbids (where it says so) is not."""
    allowed = (rows.forbidden <= FORBIDDEN) | rows.forbidden.isna()
    return leading(rows, task) & allowed.to_numpy()


def spread(values: pd.Series) -> str:
    """Mean and standard deviation over seeds."""
    return f"{values.mean():.3g} ± {values.std(ddof=1):.1g}" if len(values) > 1 else f"{values.mean():.3g}"


def groups(rows: pd.DataFrame, column: str) -> str:
    """The group of most runs, and in how many."""
    counts = rows[column].fillna("").value_counts()
    return f"{counts.index[0]} ({counts.iloc[0]} of {len(rows)})" if len(counts) and counts.index[0] else "–"


def said(value: float) -> str:
    """Two digits; a dash for no number."""
    return "–" if not np.isfinite(value) else "0" if value == 0 else f"{value:.2g}" if 1e-3 <= abs(value) < 1e4 else f"{value:.1e}"
