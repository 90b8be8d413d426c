"""What README.md and docs/results.md quote of this study: tuples (question, what came out, rule, in README.md or not)."""

from pathlib import Path

from harness import Tables
from page_search import FEWER, FEWEST, NEAR, beside_flat, judged
from write_page import BAR, MEANT, gaps, verdict


def tables_of(results: Path) -> Tables:
    """The tables of the study."""
    return Tables(results, ["task", "arm", "demonstrations", "seed", "condition", "successes", "episodes"])


def claims(results: Path) -> list[tuple[str, str, str, bool]]:
    """The full transporter against every other arm, where hands hold things as no demonstration showed."""
    rule = (
        f"share of episodes with hands held out, paired by seed; bar: {BAR:g} points, met where all of the 95 % interval over seeds is; "
        f"fewer than {FEWEST} seeds judge nothing"
    )
    found = gaps(tables_of(results))
    words_of = {pair: verdict(ahead).removesuffix(".") for pair, ahead in found.items()}
    few = [f"*{arm}*" for (_, arm), ahead in found.items() if len(ahead) < FEWEST]
    told = "; ".join(f"on {name} against *{arm}* {words}" for (name, arm), words in words_of.items() if len(found[name, arm]) >= FEWEST)
    told = (told or "nothing is judged yet") + f"; too few seeds against {', '.join(few)}" * bool(few)
    question = "does symmetry on both sides of a keyframe policy help where hands hold things otherwise?"
    return (
        [(question, told, rule, True)]
        + [(f"on {name}, against *{arm}* ({MEANT[arm]})?", words, rule, False) for (name, arm), words in words_of.items()]
        + _flat(results.with_name("flat"))
    )


def _flat(results: Path) -> list[tuple[str, str, str, bool]]:
    """Coarse to fine beside a network that was trained flat, where that was measured."""
    if not (results / "keyframes.csv").exists():
        return []
    said = judged(*beside_flat(tables_of(results))).removesuffix(".")
    bar = f"at most {NEAR:g} points behind at 1/{FEWER:g} of the poses"
    rule = f"share of held-out keyframes within 2 cm and 20 degrees, paired by seed; bar: {bar}"
    return [("does coarse to fine find what scoring every fine pose finds?", said, rule, False)]
