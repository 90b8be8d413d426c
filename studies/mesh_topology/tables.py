"""What the page says, from the tables: errors and drifts by network, ratios paired over seeds, and the words for them."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from judgement import AGREES, CONTRADICTS, NOT_JUDGED, UNDETERMINED, interval

SAME = 0.01  # an interval of a ratio that lies this near to 1 shows no change
KEYS = ["model", "pretext", "augmented", "labels"]
NAMES = {
    "mlp": "faces one by one", "graph": "graph of faces", "token": "tokens, rounded numbers", "codebook": "tokens, learnt words",
    "quadrature": "one-point quadrature", "integral": "exact integral",
}  # fmt: skip
PRETEXTS = {"none": "no pretraining", "autoencoder": "autoencoder", "masked": "masked faces", "contrast": "two meshings"}


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a run: nMSE on the mesh as it was, its mean and its largest value over the exact moves, the same of the drift."""
    rows = []
    for key, run in frame.groupby([*KEYS, "seed"]):
        exact = run[(run["exact"] == 1) & (run["move"] != "e")]
        rows.append({
            **dict(zip([*KEYS, "seed"], key, strict=True)), "plain": float(run.loc[run["move"] == "e", "nmse"].iloc[0]),
            "moved": exact["nmse"].mean(), "moved_most": exact["nmse"].max(), "drift": exact["drift"].mean(),
            "drift_most": exact["drift"].max(),
        })  # fmt: skip
    return pd.DataFrame(rows)


def of(runs: pd.DataFrame, model: str, pretext: str = "none", augmented: int = 0, labels: float = 1.0) -> pd.DataFrame:
    """The runs of one setting, by seed."""
    chosen = (runs["model"] == model) & (runs["pretext"] == pretext) & (runs["augmented"] == augmented) & np.isclose(runs["labels"], labels)
    return runs[chosen].set_index("seed").sort_index()


def ratio(first: pd.Series, second: pd.Series) -> tuple[float, float, float]:
    """Geometric mean of the ratio over the seeds that both have, and its interval; NaN for fewer than three."""
    seeds = first.index.intersection(second.index)
    logs = np.log(first.loc[seeds].to_numpy(float) / second.loc[seeds].to_numpy(float))
    if not len(logs):
        return float("nan"), float("nan"), float("nan")
    low, high = interval(logs)
    return float(np.exp(logs.mean())), float(np.exp(low)), float(np.exp(high))


def word(found: tuple[float, float, float], below: bool = True) -> str:
    """*agrees* where the whole interval lies below 1 (above, for `below` False), *contradicts* where it lies on the other side.

    "no change" where it lies within a hundredth of 1.
    """
    _, low, high = found
    if not np.isfinite([low, high]).all():
        return NOT_JUDGED
    if low > 1 - SAME and high < 1 + SAME:
        return "no change"
    if (high < 1) if below else (low > 1):
        return AGREES
    return CONTRADICTS if ((low > 1) if below else (high < 1)) else UNDETERMINED


def shown(found: tuple[float, float, float]) -> str:
    """A ratio with its interval."""
    value, low, high = found
    if not np.isfinite(value):
        return "–"
    return f"{value:.2f}" + (f" ({low:.2f} to {high:.2f})" if np.isfinite(low) else "")


def mean(values: pd.Series, form: Callable[[float], str] = lambda v: f"{v:.3f}") -> str:
    """The mean over seeds, with the least and the largest in brackets."""
    if values.empty:
        return "–"
    return f"{form(values.mean())} ({form(values.min())} to {form(values.max())})" if len(values) > 1 else form(values.iloc[0])


def small(value: float) -> str:
    """A drift: three decimals, or a power of ten."""
    return f"{value:.3f}" if value >= 5e-3 else f"{value:.1e}"


def settings_there(runs: pd.DataFrame, order: list[list[object]]) -> list[tuple[str, str, int, float]]:
    """The settings that have a run, in the order of the grid's rows sorted by network."""
    known = {tuple(k) for k in runs[KEYS].drop_duplicates().itertuples(index=False)}
    found = [(str(m), str(p), int(a), float(share)) for m, p, a, share in order if (m, p, a, share) in known]  # pyright: ignore[reportArgumentType]
    rank = {name: i for i, name in enumerate(NAMES)}
    return sorted(found, key=lambda s: (-s[3], rank[s[0]], list(PRETEXTS).index(s[1]), s[2]))
