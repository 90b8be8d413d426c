# ruff: noqa: E501 - prose templates
"""Does a relaxed network ever win? Against the strict and the plain one, level by level, at equal data and equal cost."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from harness import Tables, table
from judgement import FEWEST, NOT_JUDGED, UNDETERMINED, factor, interval, side
from study import MODELS, RELAXED
from tables import compared, errors, has_skill, number, true_breaking

WINS, LOSES = "wins", "loses"
PARTS = {"domain": "unseen rounds", "future": "later times"}
RIVALS = ("plain", "strict", "single")
RULE = (
    f"*{WINS}*: better than the plain network and than every strict one; *{LOSES}*: one of these is better; better: the 95 % interval over "
    f"seeds (Student's t, at least {FEWEST}) of the logarithm of the ratio of the errors excludes 0 and the better one has skill; *{NOT_JUDGED}*: no skill on either side, or too few seeds"
)


@dataclass(frozen=True)
class Contest:
    """One relaxed network at one level: `ratios` of its error to each rival's, seed by seed, and what the rule says."""

    part: str
    level: float
    law: float
    model: str
    ratios: dict[str, pd.Series]
    word: str
    beyond: pd.Series  # the ratio to the strict network over that at m = 0, where there is nothing to relax

    def told(self, rival: str) -> str:
        """Median ratio and its interval."""
        known = self.ratios.get(rival)
        return "–" if known is None else _told(known)


def contests(t: Tables) -> list[Contest]:
    """Every relaxed network at every level of the rounds, in both parts of the test data."""
    frame = errors(t)
    if frame.empty:
        return []
    truth = true_breaking(t)
    law = truth[truth.data == "ramp"].groupby("level").law.mean()
    found = []
    for part in PARTS:
        mine = frame[(frame.data == "ramp") & (frame.part == part)]
        for level, block in mine.groupby("level"):
            for model in (m for m in RELAXED if m in set(block.model)):
                ratios = {r: _ratio(block, model, r) for r in RIVALS if r in set(block.model)}
                exact = _ratio(mine[mine.level == 0], model, "strict")
                beyond = (_ratio(block, model, "strict") / exact).dropna() if level else exact[:0]
                found.append(
                    Contest(part, float(str(level)), float(law.get(level, np.nan)), model, ratios, _word(block, model, ratios), beyond)
                )
    return found


def _ratio(block: pd.DataFrame, model: str, rival: str) -> pd.Series:
    """Error of a network over its rival's by seed."""
    wide = block.pivot_table(index="seed", columns="model", values="rmse")
    return (wide[model] / wide[rival]).dropna() if {model, rival} <= set(wide) else pd.Series(dtype=float)


def _word(block: pd.DataFrame, model: str, ratios: dict[str, pd.Series]) -> str:
    if min((len(r) for r in ratios.values()), default=0) < FEWEST or not {"plain", "strict"} <= set(ratios):
        return NOT_JUDGED
    better = [compared(block, model, rival)[0] for rival in ratios]
    if any(b and b != model for b in better):
        return LOSES
    if all(b == model for b in better):
        return WINS
    return UNDETERMINED if any(has_skill(block, m) for m in (model, *ratios)) else NOT_JUDGED


def answer(t: Tables) -> str:
    """The whole answer in a sentence per part of the test data."""
    found, words = contests(t), []
    for part, name in PARTS.items():
        mine = [c for c in found if c.part == part]
        said = []
        for word in (WINS, LOSES, UNDETERMINED, NOT_JUDGED):
            cases = [f"{MODELS[c.model]} at m = {c.level:g} ({_shown(c, word)})" for c in mine if c.word == word]
            said += [f"{word}: {', '.join(cases)}"] if cases else []
        words += [f"{name}: {'; '.join(said)}"] if said else []
    counts = [f"{word} in {sum(c.word == word for c in found)}" for word in (WINS, LOSES, UNDETERMINED, NOT_JUDGED)]
    whole = [f"of {len(found)} contests a relaxed network {', '.join(counts)}"] if found else []
    return ". ".join(w[0].upper() + w[1:] for w in [*whole, *words, *_bounds(found)]) + "."


def _bounds(found: list[Contest]) -> list[str]:
    """How far from the strict network's a relaxed one's error can be at most, over all levels: what "undetermined" leaves open."""
    words = []
    for model in dict.fromkeys(c.model for c in found):
        mine = [c.ratios["strict"] for c in found if c.model == model and c.word != NOT_JUDGED and "strict" in c.ratios]
        ends = np.exp([interval(np.log(r)) for r in mine])
        if len(mine):
            words.append(
                f"{MODELS[model]}: at no level and part below {number(ends.min(), 2)} or above {number(ends.max(), 2)} of the strict network's error, by these intervals"
            )
    return words


def _kernels(t: Tables) -> str:
    """What the second kernel of a layer is worth to a strict network, by rule."""
    frame, words = errors(t), []
    frame = frame[(frame.data == "ramp") & frame.model.isin(["strict", "single"])]
    for (part, level), block in frame.groupby(["part", "level"]):
        ratio = _ratio(block, "strict", "single")
        if str(part) in PARTS and len(ratio):
            word = {-1: "lower", 0: UNDETERMINED, 1: "higher"}[side(ratio.to_numpy())]
            words.append(f"m = {level:g}, {PARTS[str(part)]}: {_told(ratio)}, {word}")
    return (
        f"A second kernel a layer, which adds no function, changes the error of the strict network by a factor {'; '.join(words)}."
        if words
        else ""
    )


def _shown(c: Contest, word: str) -> str:
    """The law's departure and, where there is a word, the ratios behind it."""
    if word == NOT_JUDGED:
        return f"law {number(c.law)}"
    return f"law {number(c.law)}; {', '.join(f'{factor(r)} of {MODELS[k]}' for k, r in c.ratios.items())}"


def wins_part(t: Tables) -> str:
    """Table of all contests."""
    found = contests(t)
    if not found:
        return ""
    rows = []
    for c in found:
        beyond = (
            "–"
            if not len(c.beyond)
            else f"{_told(c.beyond)}{', smaller' if side(c.beyond.to_numpy()) < 0 else ', larger' if side(c.beyond.to_numpy()) > 0 else ''}"
        )
        rows.append(
            [
                PARTS[c.part],
                f"{c.level:g}",
                number(c.law),
                MODELS[c.model],
                str(min(map(len, c.ratios.values()))),
                *(c.told(r) for r in RIVALS),
                c.word,
                beyond,
            ]
        )
    head = [
        "part",
        "m",
        "departure of the law",
        "network",
        "seeds",
        *(f"error / {MODELS[r]}" for r in RIVALS),
        "word",
        "ratio to strict over that at m = 0",
    ]
    return f"""### Does a relaxed network ever win?

Same data, same steps, the same number of channels and two kernels a layer: a relaxed network costs as much as the strict and the plain one (see the costs). Rule: {RULE}. Ratios: median, and the 95 % interval of their geometric mean, seed by seed. The last column asks whether relaxing gains more where there is something to relax than where there is nothing; *smaller* or *larger* by the same interval.

{table(head, rows)}

{_kernels(t)}""".rstrip()


def _told(values: pd.Series) -> str:
    return "–" if values.empty else f"{number(values.median())} ({factor(values.to_numpy())})"
