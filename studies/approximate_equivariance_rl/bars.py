"""The bars of the study, judged by means over seeds; beside each whether the seeds decide it: Student's intervals of paired differences."""

import numpy as np
import pandas as pd
from harness import Tables
from judgement import FEWEST, interval
from study import ARMS, first_learnt

NEAR, MINUTES, LONG = 0.95, 15.0, 50_000  # the bars
SEEDS = FEWEST  # fewer judge nothing
HEADS = ["what", "bar", "found: mean (worst to best seed)", "seeds", "seed by seed: mean difference (95 %)", "by the mean"]
MIDDLE = "nearly symmetric: relaxed ahead of exact and of plain at two middle sizes"


def spread(values: pd.Series, digits: int = 0) -> str:
    """Mean, and from the worst to the best seed."""
    if not len(values):
        return "–"
    return f"{values.mean():.{digits}f} ({values.min():.{digits}f} to {values.max():.{digits}f})"


def rows_of(rows: pd.DataFrame, environment: str, size: float, arm: str) -> pd.DataFrame:
    """The rows of one arm in one world."""
    return rows[(rows["environment"] == environment) & (rows["size"] == size) & (rows["arm"] == arm)]


def of(rows: pd.DataFrame, environment: str, size: float, arm: str, column: str = "return") -> pd.Series:
    """One number a seed, by seed."""
    return rows_of(rows, environment, size, arm).set_index("seed")[column].sort_index()


def middles(sizes: list[float]) -> list[float]:
    """The sizes of breaking between none and the largest that was run."""
    return [size for size in sorted(sizes)[:-1] if size > 0]


def bars(t: Tables) -> list[list[str]]:
    """Every bar: what, how much is wanted, what was found, by how many seeds, what the seeds decide, and "met" or "missed"."""
    agents, rows = t["agents"], []
    for environment in agents["environment"].unique():
        sizes = sorted(agents.loc[agents["environment"] == environment, "size"].unique())
        for size in sizes:
            for arm, words in (("exact", "exact"), ("wider", "wider exact")):
                found = tuple(of(agents, environment, size, a) for a in ("relaxed", arm, "plain"))
                if not min(map(len, found)):
                    continue
                rows.append(_kept_up(environment, words, *found) if size == 0 else _ahead(environment, size, words, found, sizes))
        rows += _at_two(environment, rows, middles(sizes))
    seconds = agents.groupby("arm")["step_seconds"].mean()
    steps = t.meta["settings"]["steps"]
    worst = seconds.max() * steps / (steps - first_learnt(steps)) * LONG / 60  # as if every step learnt, and the first ones took no time
    if np.isfinite(worst):
        learnt = f"extrapolated from the {steps - first_learnt(steps):,} that learn of {steps:,}"
        what = f"{LONG:,} steps on one core, slowest arm of those run ({seconds.idxmax()}), {learnt}"
        count = int(agents["seed"].nunique())
        word = _word(worst < MINUTES, count)
        rows.append([what, f"under {MINUTES:g} minutes of the processor", f"{worst:.1f} minutes", str(count), "–", word])
    return rows


def _kept_up(environment: str, words: str, relaxed: pd.Series, strict: pd.Series, plain: pd.Series) -> list[str]:
    ratio = float(relaxed.mean() / strict.mean()) if strict.mean() else float("nan")
    what = f"{environment}, exact symmetry: return of the relaxed over that of the {words} arm"
    gap = difference(relaxed, NEAR * strict)
    seen = f"{signed(gap)} to {NEAR:g} of {words}{_decided([gap], ratio >= NEAR)}"
    count = min(len(relaxed), len(strict), len(plain))
    return [what, f"at least {NEAR:g}", f"{ratio:.3f}", str(count), seen, _word(ratio >= NEAR, count)]


def _ahead(environment: str, size: float, words: str, found: tuple[pd.Series, ...], sizes: list[float]) -> list[str]:
    relaxed, strict, plain = found
    ahead, count = relaxed.mean() > strict.mean() and relaxed.mean() > plain.mean(), min(map(len, found))
    middle = size in middles(sizes)
    gaps = [difference(relaxed, strict), difference(relaxed, plain)]
    alone = sum(s > 0 for s in sizes) == 1
    return [
        f"{environment}, broken by {size:g}: relaxed ahead of {words} and of plain",
        "ahead, a middle size" if middle else f"none: {'one size of breaking alone' if alone else 'the largest size is no middle one'}",
        f"relaxed {spread(relaxed)}, {words} {spread(strict)}, plain {spread(plain)}", str(count),
        f"{signed(gaps[0])} to {words}, {signed(gaps[1])} to plain{_decided(gaps, ahead)}",
        _word(ahead, count) if middle or count < SEEDS else f"no bar; {'ahead' if ahead else 'not ahead'}",
    ]  # fmt: skip


def _at_two(environment: str, rows: list[list[str]], sizes: list[float]) -> list[list[str]]:
    """The bar itself, where an environment has two middle sizes or more."""
    mine = [r for size in sizes for r in rows if r[0] == f"{environment}, broken by {size:g}: relaxed ahead of exact and of plain"]
    if len(mine) < 2:
        return []
    met, count = sum(r[-1] == "met" for r in mine), min(int(r[3]) for r in mine)
    sure = sum(r[-1] == "met" and r[4].endswith(": decided") for r in mine)
    found = f"by the mean at {met} of {len(mine)}"
    return [[f"{environment}, {MIDDLE}", "at two", found, str(count), f"decided at {sure} of {len(mine)}", _word(met >= 2, count)]]


def difference(one: pd.Series, other: pd.Series) -> tuple[float, float, float]:
    """Mean over the seeds that both have of one minus the other, and Student's interval of it; NaN for fewer than three."""
    gaps = (one - other).dropna()
    return (float(gaps.mean()), *interval(gaps.to_numpy(float)))


def signed(gap: tuple[float, float, float]) -> str:
    """A difference and its interval."""
    middle, low, high = gap
    return f"{middle:+.0f} ({low:+.0f} to {high:+.0f})" if low == low else f"{middle:+.0f}"


def _decided(gaps: list[tuple[float, float, float]], ahead: bool) -> str:
    """Ahead of all takes every interval above 0; not ahead one below it."""
    if any(low != low for _, low, _ in gaps):
        return ""
    sure = all(low > 0 for _, low, _ in gaps) if ahead else any(high < 0 for *_, high in gaps)
    return ": decided" if sure else ": not decided"


def _word(met: bool, seeds: int) -> str:
    return ("met" if met else "missed") if seeds >= SEEDS else f"not judged with fewer than {SEEDS} seeds"


def differences(t: Tables) -> list[list[str]]:
    """Every arm minus the exact one in the same world."""
    rows = []
    for (environment, size), mine in t["agents"].groupby(["environment", "size"]):
        for arm in (a for a in ARMS if a != "exact"):
            pair = [of(mine, str(environment), float(size), a) for a in (arm, "exact")]
            if all(map(len, pair)):
                rows.append(
                    [str(environment), f"{size:g}", arm, signed(difference(*pair)), str(len(pair[0].index.intersection(pair[1].index)))]
                )
    return rows


def differences_to_wider(t: Tables) -> str:
    """The return of the relaxed arm minus that of an exact one with as many numbers, world by world; empty where that was not run."""
    agents, found = t["agents"], []
    for environment, size in agents[agents["arm"] == "wider"].groupby(["environment", "size"]).groups:
        pair = [of(agents, environment, size, a) for a in ("relaxed", "wider")]
        if count := len(pair[0].index.intersection(pair[1].index)):
            found.append(f"{environment} broken by {size:g} {signed(difference(*pair))}, {count} seeds")
    return "; ".join(found)
