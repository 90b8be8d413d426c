# ruff: noqa: E501 - prose templates
"""What README.md and docs/results.md quote of this study: tuples (question, what came out, rule, in README.md or not)."""

from pathlib import Path

from write_page import BAR, FREE, comparisons, judged, speed, tables_of, with_beside

__all__ = ["claims", "tables_of"]


def claims(results: Path) -> list[tuple[str, str, str, bool]]:
    """Decisions, what a group buys with the true model, ties, and what it buys with learnt models."""
    t = tables_of(results)
    found = []
    f = t["planning"]
    if len(f):
        worst = float(f[~f.group.isin(FREE)].decision_error.max())
        free = float(f[f.group == "none"].decision_error.min())
        word = f"{'met' if worst <= BAR else 'missed'}: {worst:.1e}, without the group {free:.2g} and more, of actions that are at most 1"
        rule = f"largest difference of a decision in a turned world from the turned decision, all groups, methods and worlds; at most {BAR:.0e}"
        found.append(("does every decision of a planner turn with the world?", word, rule, True))
        rows = comparisons(t)
        ahead, behind = sum(d[1] > 0 for *_, d in rows), sum(d[2] < 0 for *_, d in rows)
        told = f"of {len(rows)} comparisons the interval lies above 0 in {ahead}, below in {behind}; {0.05 * len(rows):.1f} would by chance"
        found.append(("does a group gain return on the true model?", told, "paired over episodes, 95 % bootstrap interval", False))
    f = t["obstacle"]
    if len(f):
        on, off = f[(f.offset == 0) & (f.group != "none")].arrived.mean(), f[(f.offset == 0) & (f.group == "none")].arrived.mean()
        told = f"reached in {100 * on:.0f} % of episodes with a group, {100 * off:.0f} % without"
        found.append(
            (
                "the target straight behind an obstacle?",
                told,
                "starts on the line itself, where no decision that commutes can choose a side",
                True,
            )
        )
    rule = "mean over the learning curve against plain, seed by seed; ahead or behind in every seed, and at least 3 seeds"
    learnt = {task: one for one in with_beside(results) for task in (one["learning"].world if len(one["learning"]) else [])}
    for task, one in learnt.items():
        if words := judged(one, task):
            told = words.partition("against plain: ")[2].rstrip(".")
            found.append((f"does a symmetry help agents that learn their model, on {task}?", told, rule, task == "ball2d"))
    found.append(
        (
            "at least as fast as pytorch-mppi?",
            speed().rstrip("."),
            "best processor seconds of one decision, same problem, in one run",
            False,
        )
    )
    return found
