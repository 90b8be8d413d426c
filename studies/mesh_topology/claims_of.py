# ruff: noqa: E501 - prose templates
"""What README.md and docs/results.md quote of this study: tuples (question, what came out, rule, in README.md or not)."""

from pathlib import Path

from harness import Tables
from tables import NAMES, PRETEXTS, mean, of, ratio, shown, small, summary, word
from write_page import DRIFT_BAR, held

COSTS = "ratio of the errors on re-meshed shapes and on the meshes as they were, paired by seed, with its 95 % interval over seeds (Student's t of the logarithm); agrees: all of it above 1"
DRIFTS = "ratio of the drifts with and without pretraining, paired by seed, with its 95 % interval; agrees: all of it below 1, contradicts: above"


def tables_of(results: Path) -> Tables:
    """The tables of the study."""
    return Tables(results)


def claims(results: Path) -> list[tuple[str, str, str, bool]]:
    """The two published claims, what helps, and the simulator."""
    t = tables_of(results)
    runs = summary(t["errors"])
    costs = {(m, a): ratio(mine["moved"], mine["plain"]) for m in NAMES for a in (0, 1) if len(mine := of(runs, m, "none", a))}
    told = "; ".join(
        f"{NAMES[m]}{', trained on re-meshed shapes' * a} {shown(f)}: {word(f, below=False)}"
        for (m, a), f in costs.items()
        if (m, a) != ("graph", 0)
    )
    first = costs["graph", 0]
    pretrained = []
    for share in sorted(runs["labels"].unique(), reverse=True):
        for pretext in [p for p in PRETEXTS if p != "none"]:
            mine, base = of(runs, "graph", pretext, 0, share), of(runs, "graph", "none", 0, share)
            if len(mine) and len(base):
                drift = ratio(mine["drift"], base["drift"])
                pretrained.append(f"{PRETEXTS[pretext]}, {100 * share:.0f} % of the labels {shown(drift)}: {word(drift)}")
    best, graph = of(runs, "integral"), of(runs, "graph")
    good, error = held(runs)
    bar = f"{'met' if good else 'missed'}: worst drift of any seed {small(best['drift_most'].max())} of the signal, error over the better plain network's {shown(error)}"
    bars = [(r["what"], r["value"] <= r["bar"]) for r in t["simulator"].to_dict("records")]
    return [
        ("does a changed mesh cost a graph network performance, as published?", f"{word(first, below=False)}: {shown(first)} times its squared error", COSTS, True),
        ("and other networks?", told, COSTS, False),
        ("does pretraining make a graph network less sensitive, as published?", "; ".join(pretrained), DRIFTS, False),
        (f"is there a network whose answers drift by less than {100 * DRIFT_BAR:.0f} % under exact re-meshing at no more error?", f"{bar} (exact integrals over the surface)", "every seed's worst exact move; the ratio of errors at most 1", True),
        ("how good is it?", f"nMSE {mean(best['plain'])}, graph of faces {mean(graph['plain'])}", "squared error over the variance of the truth, mean over seeds, least and largest", False),
        ("does the simulator obey what is known?", f"{sum(ok for _, ok in bars)} of {len(bars)} bars met" + "".join(f"; missed: {what}" for what, ok in bars if not ok), "closed forms and series, bars on the page", False),
    ]  # fmt: skip
