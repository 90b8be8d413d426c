# ruff: noqa: E501 - prose templates
"""What was expected before the study, the rule for each expectation, and the word that came out. Thresholds stand in the rules' own words."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from harness import Tables
from judgement import AGREES, Judged, Need, judge_runs
from tables import Measured, promises, ratios, scores, skilled, title

COARSE, ORDER, FACTOR, HARM = 0.5, 0.3, 2.0, 0.1
DEFAULT = "influence_gauss_newton"
CELL: tuple[float, float] = (-1.0, 1.0)


@dataclass(frozen=True)
class Statement:
    """One expectation, judged network by network, and over all runs as if they were drawn from one population."""

    key: str
    what: str
    rule: str
    judged: Judged
    together: Judged

    @property
    def word(self) -> str:
        return f"{self.judged.word} ({self.judged.why})" if self.judged.why else self.judged.word


def statements(t: Tables, found: list[Measured], s: pd.DataFrame | None = None) -> list[Statement]:
    """Every expectation; those without numbers say so."""
    s, able = scores(found) if s is None else s, skilled(t)
    last = max(t.meta["settings"]["tune"]["steps"])
    early, late = (s[(s.test == "retrained") & (s.phase == phase)] for phase in ("early", "late"))
    kept = s[(s.test == "tuned") & (s.phase == "late") & (s.optimiser == "kept") & (s.steps == last)]
    sgd = s[(s.test == "tuned") & (s.phase == "late") & (s.optimiser == "sgd") & (s.steps == last)]
    size, promised = ratios(found, "late"), promises(found)
    again, first = promised[promised.test == "retrained"], min(t.meta["settings"]["tune"]["steps"])

    def line(key: str, what: str, rule: str, frame: pd.DataFrame, *needs: Need) -> Statement:
        pool = frame.assign(pool="all", seed=frame.cell + "/" + frame.seed.astype(str))[frame.cell.isin(able)]
        together = judge_runs(pool, needs, {"all"}, by="pool")
        return Statement(key, what, rule, judge_runs(frame, needs, able, by="cell", name=title), together)

    return [
        line("coarse", "Early, the sum of influences says which sets of copies will help which elements",
             f"retrained, sets of elements: rank correlation of the euclidean sum at least {COARSE:g}",
             early, _of("influence", "subsets", low=COARSE)),
        line("coarse-distance", "Early, the sum of influences is no distance of the data in disguise", "the same correlation less that of the distance of the data: above 0",
             early, _less("influence", "distance", "subsets")),
        line("plain-late", "Late, the plain product fails for \"which copies help the original\"",
             "retrained, h = e over g: rank correlation of the euclidean sum at most 0", late, _of("influence", "to_e", high=0.0)),
        line("sign-late", "Late, the sign of the ket holds for \"which copies help the original\"", "the same of the sign of the ket: above 0", late, _of("sign_ket", "to_e", low=0.0)),
        line("error-turned", "Copies of the elements that the network fails on harm the originals most, so that the error at g says it too, with its sign turned",
             f"retrained, h = e over g: rank correlation of the error at g at most -{COARSE:g}", late, _of("ket_error", "to_e", high=-COARSE)),
        line("sign-better", "Late, a normalised ket orders all that happens better than the plain product",
             "retrained, all pairs: correlation of the sign of the ket less that of the euclidean sum, and of the cosine less it: both above 0",
             late, _less("sign_ket", "influence", "all"), _less("cosine", "influence", "all")),
        line("sign-tuned", "Late, a normalised ket orders fine-tuning with kept moments better than the plain product", f"late, {last} steps, all pairs: both differences above 0",
             kept, _less("sign_ket", "influence", "all"), _less("cosine", "influence", "all")),
        line("excess-early", "Early, excess predicts retraining worse than the coherence that it is made of",
             "all pairs: correlation of the coherence less that of the excess: above 0", early, _less("coherence", "excess", "all")),
        line("excess-late", "Late, excess predicts retraining worse than the coherence", "the same", late, _less("coherence", "excess", "all")),
        line("excess-tuned", "Late, excess predicts fine-tuning with kept moments worse than the coherence", f"{last} steps, the same", kept, _less("coherence", "excess", "all")),
        line("size", "Size is usable for one small step",
             f"SGD, late, {first} step that takes away at most {t.meta['settings']['tune']['fall']:.0%} of any loss: median over pairs of realised over predicted between 1/{FACTOR:g} and {FACTOR:g}",
             size, Need("median ratio", _middle(first), 1 / FACTOR, FACTOR)),
        line("size-gone", "Size is not usable after many steps",
             f"the same after {last} steps: the part of the pairs whose ratio lies between 1/{FACTOR:g} and {FACTOR:g} below a half",
             size, Need("part", _near(last), high=0.5, possible=(0.0, 1.0))),
        line("order-longer", "Order outlives size", f"SGD, late, {last} steps, all pairs: rank correlation of the euclidean sum at least {COARSE:g}",
             sgd, _of("influence", "all", low=COARSE)),
        line("beats-errors", "Late, the sign of the ket says more of fine-tuning with kept moments than the errors alone",
             f"kept moments, late, {last} steps, all pairs: its correlation less that of the error at h, and less that of the error at g: both above 0",
             kept, _less("sign_ket", "error", "all"), _less("sign_ket", "ket_error", "all")),
        line("beats-errors-retrained", "Early, the sum of influences says more of retraining than the error at h alone",
             "all pairs: correlation of the euclidean sum less that of the error at h: above 0", early, _less("influence", "error", "all")),
        line("inside-coherence", "Inside blocks coherence gives no order of fine-tuning", f"kept moments, late, {last} steps, blocks taken out: correlation at most {ORDER:g}",
             kept, _of("coherence", "inside", high=ORDER)),
        line("inside-sign", "Inside blocks the sign of the ket orders fine-tuning", "the same of the sign of the ket: above 0", kept, _of("sign_ket", "inside", low=0.0)),
        line("inside-sum", "Inside blocks the sum of influences orders fine-tuning better than the coherence",
             "the same: correlation of the euclidean sum less that of the coherence: above 0", kept, _less("influence", "coherence", "inside")),
        line("inside-retrained", "Nothing orders retraining inside blocks",
             f"retrained, late, blocks taken out: correlation of the euclidean sum, of the sign of the ket and of the coherence at most {ORDER:g}",
             late, *(_of(name, "inside", high=ORDER) for name in ("influence", "sign_ket", "coherence"))),
        line("harm", "A positive influence is no promise of benefit",
             f"retrained, pairs g != h with a positive euclidean influence, late: at least {HARM:.0%} of them harmed",
             again[again.predictor == "influence"], Need("part harmed", _harmed, low=HARM, possible=(0.0, 1.0))),
        line("harm-excess", "An excess above 0 is no promise of benefit", f"the same of pairs with an excess above 0: at least {HARM:.0%} harmed",
             again[again.predictor == "excess"], Need("part harmed", _harmed, low=HARM, possible=(0.0, 1.0))),
    ]  # fmt: skip


def default_metric(t: Tables, s: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """The metric whose sum of influences should be the default, and the comparisons: (metric, phase) against the present default.

    Rule: another metric replaces it only if its correlation (retrained, all pairs) is larger in every cell with skill, early and late, by
    the interval of the difference over seeds.
    """
    able, rows, words = skilled(t), [], {}
    retrained = s[s.test == "retrained"]
    for other in ("influence", "influence_adam"):
        for phase in ("early", "late"):
            part = retrained[retrained.phase == phase]
            found = judge_runs(part, [_less(other, DEFAULT, "all")], able, by="cell", name=title)
            rows.append({"metric": other, "phase": phase, "word": found.word, "intervals": found.intervals})
            words.setdefault(other, []).append(found.word)
    better = [name for name, said in words.items() if said and all(w == AGREES for w in said)]
    return (better[0] if better else DEFAULT), pd.DataFrame(rows)


def _value(run: pd.DataFrame, predictor: str, column: str) -> float:
    values = run[run.predictor == predictor][column]
    return float(values.iloc[0]) if len(values) else float("nan")


def _of(predictor: str, column: str, low: float = -np.inf, high: float = np.inf) -> Need:
    return Need("correlation", lambda run: _value(run, predictor, column), low, high, possible=CELL)


def _less(better: str, worse: str, column: str) -> Need:
    def gap(run: pd.DataFrame) -> float:
        return _value(run, better, column) - _value(run, worse, column)

    return Need("difference", gap, 0.0, possible=(-2.0, 2.0))


def _middle(steps: int) -> Callable[[pd.DataFrame], float]:
    return lambda run: float(run[run.steps == steps].ratio.median())


def _near(steps: int) -> Callable[[pd.DataFrame], float]:
    return lambda run: float(run[run.steps == steps].ratio.between(1 / FACTOR, FACTOR).mean())


def _harmed(run: pd.DataFrame) -> float:
    return 1.0 - float(run.helped.iloc[0])
