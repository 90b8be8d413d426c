# ruff: noqa: E501 - prose templates
"""The part of the page on the published trade-off: uniform coupling generalises, free coupling optimises faster."""

import numpy as np
import pandas as pd
from harness import table
from judgement import AGREES, CONTRADICTS, NOT_JUDGED, SKILL, UNDETERMINED, factor, side
from study import NETWORKS, TREATMENTS
from tables import COUPLINGS, OUTCOMES, correlations, skilled


def trade_off_part(found: pd.DataFrame) -> str:
    frame = correlations(skilled(found))
    rows = [
        [
            str(r.models),
            COUPLINGS[str(r.coupling)],
            OUTCOMES[str(r.outcome)],
            *(
                (f"{r.rank:.2f}", f"{r.low:.2f} to {r.high:.2f}")
                if np.isfinite(r.low)
                else ("–" if not np.isfinite(r.rank) else f"{r.rank:.2f}", "–")
            ),
            _word(r),
        ]
        for r in frame.itertuples()
    ]
    return (
        "## The trade-off\n\nAmarel et al., arXiv 2601.20172: coupling that is uniform over the orbit generalises, free coupling optimises faster. Rank correlation over trained networks with skill and seeds, ranks within each network; the 95 % interval resamples treatments (all seeds of one together), the independent units. The statement *agrees* with the measurement if the interval lies on the stated side of 0, negative for the error, positive for the steps; *contradicts*: on the other; *undetermined*: it reaches across; *not judged*: too few treatments with skill. The intervals are not corrected for their number. A network that is symmetric by construction has coherence 1 and the same error everywhere by construction too, so the second half of the table, without them, is the one that could surprise.\n\n"
        + table(["networks", "coupling", "outcome", "rank correlation", "95 % interval", "the statement"], rows)
        + "\n\n"
        + _pairs(found)
    )


def _word(row: object) -> str:
    """By the interval: on the stated side of 0, on the other, or across."""
    low, high = row.low, row.high  # pyright: ignore[reportAttributeAccessIssue]
    if not np.isfinite(low):
        return NOT_JUDGED
    wanted = -1 if row.outcome == "moved" else 1  # pyright: ignore[reportAttributeAccessIssue]
    if wanted * low > 0 and wanted * high > 0:
        return AGREES
    return CONTRADICTS if wanted * low < 0 and wanted * high < 0 else UNDETERMINED


def verdict_on_trade_off(frame: pd.DataFrame) -> str:
    """Counts over all measures of coupling, so that none is picked."""
    words = []
    for outcome, statement in (
        ("moved", "*Uniform coupling generalises* (lower error on the moved set)"),
        ("reach_validation", "*Free coupling optimises faster* (fewer steps to a stated validation error)"),
        ("reach_train", "the same with the training loss"),
    ):
        scopes = []
        for models, scope in (
            ("all", "over all trained networks"),
            ("not symmetric by construction", "without those that are symmetric by construction"),
        ):
            rows = list(frame[(frame.models == models) & (frame.outcome == outcome)].itertuples())
            found = [_word(r) for r in rows]
            counts = [f"{word} in {found.count(word)}" for word in (AGREES, CONTRADICTS, UNDETERMINED, NOT_JUDGED) if word in found]
            scopes.append(f"{scope} {', '.join(counts)}")
        words.append(f"{statement}: of {len(COUPLINGS)} measures of coupling, {'; '.join(scopes)}.")
    return "**The published trade-off.** " + " ".join(w[0].upper() + w[1:] for w in words)


def _pairs(found: pd.DataFrame) -> str:
    """Directly: each coupled treatment against the plain network of the same seed."""
    rows = []
    for net in [n for n in NETWORKS if n in set(found.network)]:
        for name in ("augmented", "framed", "averaging", "strict", "relaxed", "free"):
            b = found[(found.network == net) & (found.treatment == name)]
            if b.empty:
                continue
            plain = found[(found.network == net) & (found.treatment == "plain")].set_index("seed").reach_validation
            own, other = b.reach_validation.to_numpy(), plain.loc[b.seed].to_numpy()
            known = np.isfinite(own) & np.isfinite(other)
            ratio = pd.Series(own[known] / other[known], dtype=float)
            speed = {-1: "faster", 1: "slower", 0: UNDETERMINED}[side(ratio.to_numpy()) if known.all() else 0]
            speed = "not reached" if np.isinf(own).all() else speed
            error = {-1: "higher", 1: "lower", 0: UNDETERMINED}[side(b.moved_lower.to_numpy())]
            if not b.skill.median() <= SKILL:
                error = speed = f"{NOT_JUDGED} (no skill)"
            rows.append([NETWORKS[net], TREATMENTS[name].title, error, _told(b.moved_lower), speed, _told(ratio)])
    head = ["network", "treatment", "moved error than plain", "times lower", "to the stated error than plain", "steps, ratio"]
    return (
        "Directly, against the plain network of the same seed (a word where the 95 % interval over seeds of the logarithm of the ratio excludes 0, Student's t, and the network has skill; in brackets the interval):\n\n"
        + table(head, rows)
    )


def _told(ratios: pd.Series) -> str:
    """Median, and the interval of the mean."""
    return f"{ratios.median():.3g} ({factor(ratios.to_numpy())})" if len(ratios) else "–"
