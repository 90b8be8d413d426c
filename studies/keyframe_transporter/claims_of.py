"""What README.md and docs/results.md quote of this study: tuples (question, what came out, rule, in README.md or not)."""

from pathlib import Path

from arms import MEANT, full_of
from harness import Tables
from page_bars import BAR, gaps, verdict
from page_search import FEWER, FEWEST, NEAR, beside_flat, judged
from page_seeds import SETTLED


def tables_of(results: Path) -> Tables:
    """The tables of the study."""
    return Tables(results, ["task", "arm", "demonstrations", "seed", "condition", "successes", "episodes"])


def claims(results: Path) -> list[tuple[str, str, str, bool]]:
    """Full transporters against every other arm, where hands hold things as no demonstration showed; settled runs judge."""
    sets = [tables_of(results.with_name(name)) for name in SETTLED if (results.with_name(name) / "meta.json").exists()]
    question = "does symmetry on both sides of a keyframe policy help where hands hold things otherwise?"
    counts = [f"with {t.meta['settings']['demonstrations']} demonstrations {_said(t)}" for t in sets or [tables_of(results)]]
    rows = [(question, "; ".join(counts), _rule((sets or [tables_of(results)])[0]), True)]
    for t in [*sets, tables_of(results)]:
        rows += [(_question(t, name, arm), verdict(ahead).removesuffix("."), _rule(t), False) for (name, arm), ahead in gaps(t).items()]
    return rows + _flat(results.with_name("flat"))


def _question(t: Tables, name: str, arm: str) -> str:
    s = t.meta["settings"]
    return f"on {name} with {s['demonstrations']} demonstrations, *{full_of(arm)}* against *{arm}* ({MEANT[arm]})?"


def _said(t: Tables) -> str:
    """Every judgement of one set of runs, full arm by full arm, word by word, with points ahead."""
    found, parts = gaps(t), []
    for full in dict.fromkeys(full_of(arm) for _, arm in found):
        by_word: dict[str, list[str]] = {}
        for (_, arm), ahead in found.items():
            if full_of(arm) == full and len(ahead) >= FEWEST:
                by_word.setdefault(verdict(ahead).split(",")[0], []).append(f"*{arm}* ({ahead.mean():+.0f})")
        words = [f"{word} against {', '.join(by_word[word])}" for word in ("met", "not decided", "missed") if word in by_word]
        if words:
            parts.append(f"*{full}*: {', '.join(words)}")
    few = [f"*{arm}*" for (_, arm), ahead in found.items() if len(ahead) < FEWEST]
    return ("; ".join(parts) or "nothing is judged yet") + f"; too few seeds against {', '.join(few)}" * bool(few)


def _rule(t: Tables) -> str:
    return (
        f"points of episodes with hands held out after {t.meta['settings']['steps']} steps, paired by seed; bar: {BAR:g} points ahead, met "
        f"where all of the 95 % interval over seeds is; fewer than {FEWEST} seeds judge nothing"
    )


def _flat(results: Path) -> list[tuple[str, str, str, bool]]:
    """Coarse to fine beside a network that was trained flat, where that was measured."""
    if not (results / "keyframes.csv").exists():
        return []
    said = judged(*beside_flat(tables_of(results))).removesuffix(".")
    bar = f"at most {NEAR:g} points behind at 1/{FEWER:g} of the poses"
    rule = f"share of held-out keyframes within 2 cm and 20 degrees, paired by seed; bar: {bar}"
    return [("does coarse to fine find what scoring every fine pose finds?", said, rule, False)]
