# ruff: noqa: E501 - prose templates
"""What README.md and docs/results.md quote of this study: tuples (question, what came out, rule, in README.md or not)."""

from pathlib import Path

import pandas as pd
from bars import LONG, MIDDLE, MINUTES, NEAR, SEEDS, bars, differences_to_wider
from harness import Tables
from write_page import tables_of

__all__ = ["claims", "tables_of"]
ROUNDING = 1e-4  # of the span of Q, of float32 networks


def claims(results: Path) -> list[tuple[str, str, str, bool]]:
    """The bars, what the critics say, noise, cost."""
    t = tables_of(results)
    found = bars(t)
    exact = [b for b in found if "exact symmetry" in b[0]]
    broken, middle = [b for b in found if "broken by" in b[0]], [b for b in found if b[0].endswith(MIDDLE)]
    cost = [b for b in found if "steps on one core" in b[0]]
    told = [
        ("do agents that may leave a symmetry keep up with those that cannot, where it is exact?", _keep_up(exact), f"mean return of the relaxed arm over that of the exact one at least {NEAR:g}; fewer than {SEEDS} seeds judge nothing", True),
        ("are they ahead of exact and of plain agents where the world is only nearly symmetric?", _ahead(broken, middle), "mean return over seeds larger than that of both, at two sizes of breaking between none and the largest; decided where Student's 95 % intervals of differences, seed by seed, lie on that side; wider agents have about as many numbers as relaxed ones", True),
    ]  # fmt: skip
    if (t["agents"]["arm"] == "wider").any():
        told.append(("is it that they have more numbers?", f"return of the relaxed arm minus theirs: {differences_to_wider(t)}", "exact agents with about as many numbers as the relaxed ones; mean over seeds and Student's 95 % interval", True))  # fmt: skip
    if len(t["bounds"]):
        told.append(("are learnt critics as symmetric as the bound on optimal values asks?", _critics(t), "largest asymmetry of Q on the agent's way against (epsilon R + gamma epsilon V) / (1 - gamma) measured there; beyond the span of Q a bound says nothing", False))  # fmt: skip
    told.append(("do they stand noise better?", _noise(t), "largest noise on observations that was not there in training; mean return of the relaxed arm larger than that of both, in so many worlds", False))  # fmt: skip
    told += [
        ("what does a training cost?", f"{b[2]} of the processor for {LONG:,} steps of the slowest arm, extrapolated: {b[-1]}", f"under {MINUTES:g} minutes", False)
        for b in cost
    ]  # fmt: skip
    return told


def _keep_up(rows: list[list[str]]) -> str:
    said = (
        f"{b[0].partition(',')[0]}: {b[2]} times the return of the {b[0].partition('that of the ')[2]} ({b[3]} seeds), {b[-1]}{_sure(b)}"
        for b in rows
    )
    return "; ".join(said) or "not run"


def _ahead(rows: list[list[str]], bar: list[list[str]]) -> str:
    judged = [b for b in rows if not b[-1].startswith("not judged")]
    said = "; ".join(f"{b[0].partition(':')[0]}: {b[2]}, {b[-1]}{_sure(b)}" for b in judged)
    whole = "".join(f"{b[0].partition(',')[0]}: at two middle sizes {b[-1]}, {b[2]}, {b[4]}; " for b in bar)
    return f"{whole or 'no environment has two middle sizes; '}one by one: {said}" if judged else "not run"


def _sure(row: list[str]) -> str:
    """What the seeds decide, of a row with intervals."""
    return next((f", {word}" for word in ("not decided", "decided") if row[4].endswith(f": {word}")), "") + (
        " by the seeds" if ": " in row[4] else ""
    )


def _critics(t: Tables) -> str:
    bounds = t["bounds"]
    loose = bounds[bounds["asymmetry"] > ROUNDING * bounds["span"]]
    beyond, empty = loose[loose["asymmetry"] > loose["own_bound"]], loose[loose["own_bound"] > loose["span"]]
    shares = {arm: float((mine["mean_asymmetry"] / mine["span"]).mean()) for arm, mine in bounds.groupby("arm")}
    each = ", ".join(f"{arm} {share:.2g}" for arm, share in sorted(shares.items(), key=lambda pair: -pair[1]) if share > ROUNDING)
    return f"of {len(loose)} critics that are not exactly symmetric {len(beyond)} are beyond it, and for {len(empty)} it is larger than the span of their values and says nothing; root mean square asymmetry over that span, mean of runs: {each}"


def _noise(t: Tables) -> str:
    noise = t["noise"]
    seen = noise[noise["noise"] == "observation"]
    some = seen[seen["level"] == seen["level"].max()]
    means = some.groupby(["environment", "size", "arm"])["return"].mean().unstack("arm")
    full = means.dropna(subset=["plain", "exact", "relaxed"])
    ahead = int((full["relaxed"] > full[["plain", "exact"]].max(axis=1)).sum())
    return f"the relaxed arm is ahead of exact and plain in {ahead} of {len(full)} worlds ({_worlds(full)})"


def _worlds(full: pd.DataFrame) -> str:
    return "; ".join(
        f"{environment} broken by {size:g}: relaxed {row['relaxed']:.0f}, exact {row['exact']:.0f}, plain {row['plain']:.0f}"
        for (environment, size), row in full.iterrows()
    )
