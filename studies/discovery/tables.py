"""From the suite's table to the numbers of the page."""

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from study import EVERY

#: A found span counts as the true one where its smallest principal cosine to it is larger: within eight degrees.
NEAR = 0.99


def right(frame: pd.DataFrame) -> pd.Series:
    """Whether the number of generators, their span and the name of the algebra are all the true ones."""
    number = frame["found"] == frame["wanted"]
    span = (frame["cosine"] > NEAR) | (frame["wanted"] == 0)
    said, true = (frame[c].astype(object).where(frame[c].notna(), "") for c in ("name", "identified"))
    name = (said == true) | (frame["wanted"] == 0)
    return number & span & name


def share(hits: pd.Series) -> str:
    """So many of so many, with the exact binomial 95 % interval."""
    k, n = int(hits.sum()), len(hits)
    if not n:
        return "–"
    low, high = binomtest(k, n).proportion_ci(0.95)
    return f"{k} of {n} ({100 * low:.0f} to {100 * high:.0f} %)"


def by_case(frame: pd.DataFrame) -> list[list[str]]:
    """A row of the table per case: `gradient`, nothing planted."""
    rows = []
    plain = frame[(frame["method"] == "gradient") & (frame["planted"] == 0)]
    for name, case in EVERY.items():
        mine = plain[plain["case"] == name]
        if mine.empty:
            continue
        k = len(case.algebra)
        truth = f"{case.identified} ({k})" if k else "none"
        degrees = mine["degrees"] if "degrees" in mine else np.degrees(np.arccos(mine["cosine"].clip(-1, 1)))
        rows.append([
            name, case.words, truth, share(right(mine)), f"{np.nanmedian(degrees):.2f}" if k else "–",
            f"{np.nanmax(mine['accepted']):.3f}" if k else "–",
            f"{np.nanmin(mine['refused']):.2f}" if mine["refused"].notna().any() else "–",
            f"{mine['error'].median():.2f}", f"{(mine['training_seconds'] + mine['search_seconds']).median():.0f}",
        ])  # fmt: skip
    return rows


def false_alarms(frame: pd.DataFrame) -> pd.Series:
    """Of cases without a continuous symmetry: whether a generator was accepted."""
    mine = frame[(frame["method"] == "gradient") & (frame["planted"] == 0) & (frame["wanted"] == 0)]
    return mine["found"] > 0


def symmetric(frame: pd.DataFrame) -> pd.Series:
    """Of cases with a symmetry: whether everything about it was right."""
    mine = frame[(frame["method"] == "gradient") & (frame["planted"] == 0) & (frame["wanted"] > 0)]
    return right(mine)


def methods(frame: pd.DataFrame, names: dict[str, str]) -> list[list[str]]:
    """A row per method over the runs that all methods share. `gradient` says itself how many there are; the others are told."""
    learnt = frame[frame["method"] != "gradient"]
    shared = set(zip(learnt["case"], learnt["seed"], strict=True))
    rows = []
    for method, label in names.items():
        mine = frame[(frame["method"] == method) & (frame["planted"] == 0)]
        mine = mine[[pair in shared for pair in zip(mine["case"], mine["seed"], strict=True)]]
        if mine.empty:
            continue
        worst = np.degrees(np.arccos(mine["cosine"].clip(-1, 1)))
        rows.append([
            label, share(mine["cosine"] > NEAR), share(right(mine)), f"{np.nanmedian(worst):.2f}", f"{np.nanquantile(worst, 0.9):.1f}",
            f"{mine['search_seconds'].median():.1f}",
        ])  # fmt: skip
    return rows


def planted(frame: pd.DataFrame) -> pd.DataFrame:
    """Size of the planted breaking, and what was measured and said."""
    mine = frame[(frame["method"] == "gradient") & (frame["case"] == "circle")]
    grouped = mine.groupby("planted")
    return pd.DataFrame({
        "size": grouped["smallest"].median().clip(lower=0) ** 0.5, "low": grouped["smallest"].min().clip(lower=0) ** 0.5,
        "high": grouped["smallest"].max().clip(lower=0) ** 0.5, "runs": grouped.size(),
        **{word: grouped["first"].apply(lambda w, word=word: (w == word).sum()) for word in ("exact", "approximate")},
        "other": grouped["first"].apply(lambda w: (~w.isin(["exact", "approximate"])).sum()),
    })  # fmt: skip
