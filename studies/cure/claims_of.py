# ruff: noqa: E501 - prose templates
"""What README.md and docs/results.md quote of this study: tuples (question, what came out, rule, in README.md or not)."""

from pathlib import Path

from harness import Tables
from judgement import SKILL, factor
from page_trade_off import verdict_on_trade_off
from study import NETWORKS, TREATMENTS
from tables import LABEL, correlations, missing, outcomes, skilled

QUOTED = ("augmented", "framed", "averaging", "relaxed")
RULE = f"error on the elements that the data never show, the plain network's over the treated one's of the same seed; median, and the 95 % interval of the mean of its logarithm over seeds (Student's t); skill: error at most {SKILL:g} of the best trivial forecast's"


def tables_of(results: Path) -> Tables:
    """The tables of the study."""
    return Tables(results, [*LABEL, "element"])


def claims(results: Path) -> list[tuple[str, str, str, bool] | tuple[str, str, str, bool, str]]:
    """All of them, in order."""
    t = tables_of(results)
    found, (absent, _) = outcomes(t), missing(t)
    able = skilled(found)

    def told(network: str, names: tuple[str, ...]) -> str:
        parts = []
        for name in names:
            b = able[(able.network == network) & (able.treatment == name)]
            if len(b):
                lower = b.moved_lower.to_numpy()
                parts.append(f"{TREATMENTS[name].title} {b.moved_lower.median():.3g} ({factor(lower)})")
        return f"{NETWORKS[network]}: " + ", ".join(parts) if parts else ""

    def range_of(network: str) -> str:
        medians = able[(able.network == network) & able.treatment.isin(QUOTED)].groupby("treatment").moved_lower.median()
        return f"{NETWORKS[network]}: {len(medians)} cures, {medians.min():.3g} to {medians.max():.3g} times" if len(medians) else ""

    networks = [n for n in NETWORKS if n in set(found.network)]
    trained = tuple(n for n in TREATMENTS if TREATMENTS[n].trained and n not in ("plain", *QUOTED))
    after = tuple(n for n in TREATMENTS if not TREATMENTS[n].trained)
    trade = verdict_on_trade_off(correlations(able)).removeprefix("**The published trade-off.** ").replace("*", "")
    return [
        (
            f"by what factor does a cure lower the error on elements that the data never show, {{{', '.join(absent)}}} (shear flow)?",
            "; ".join(filter(None, (told(n, QUOTED) for n in networks))), RULE, True,
            "; ".join(filter(None, map(range_of, networks))),
        ),
        ("and other treatments?", "; ".join(filter(None, (told(n, trained) for n in networks))), RULE, False),
        ("and averaging a network that is not trained anew?", "; ".join(filter(None, (told(n, after) for n in networks))) or "no skill", RULE, False),
        ("does uniform coupling over the orbit generalise, and free coupling optimise faster, as published?", trade.rstrip("."), "rank correlation over trained networks; agrees: its bootstrap 95 % interval lies on the stated side of 0", False),
    ]  # fmt: skip
