# ruff: noqa: E501 - prose templates
"""What README.md and docs/results.md quote of this study: tuples (question, what came out, rule, in README.md or not)."""

from pathlib import Path

import numpy as np
from harness import Tables
from judgement import FEWEST, SKILL, factor
from skill import shares, without_skill
from study import BACKBONES, OWN, SHORT, SYMMETRIES
from tables import Ratio, ratio, read_tables

tables_of = read_tables
FLOW = "rayleigh-benard"
RULE = f"lower or higher: the 95 % interval over seeds of the logarithm of the ratio of two RMSEs over all steps (Student's t, at least {FEWEST} seeds) lies on that side of 0; in brackets that interval"


def claims(results: Path) -> list[tuple[str, str, str, bool] | tuple[str, str, str, bool, str]]:
    """All of them, in order."""
    t = read_tables(results)
    tests, idle = t["tests"], without_skill(t, FLOW, list(SYMMETRIES))
    pairs = [(b, s, test) for b in BACKBONES for s, own in OWN.items() for test in own if (b, s) not in idle]
    own = {k: r for k in pairs if (r := ratio(tests, FLOW, k[0], k[2], k[1], "plain")).values}
    cost = {k[:2]: ratio(tests, FLOW, k[0], "original", k[1], "plain") for k in own}
    augmented = {k: r for k in own if (r := ratio(tests, FLOW, k[0], k[2], f"augmented {k[1]}", k[1])).values}
    skill = shares(t, FLOW).groupby(level=[0, 1]).median()
    judged = [float(skill[k[:2]]) for k in own]
    best = [k for k in own if k[0] == "resnet"]
    ocean = without_skill(t, "ocean", list(SYMMETRIES))
    sea = shares(t, "ocean").groupby(level=[0, 1]).median()
    helped = f"lower error in {_count(own, -1)} of {len(own)} pairs of network and test set, higher in {_count(own, 1)}"
    return [
        (
            "does building in one of four symmetries help where it is used (convection)?",
            f"{helped}; RMSE over the plain network's, ResNet: " + ", ".join(f"{SHORT[k[1]]} on {k[2]} {_told(own[k])}" for k in best),
            RULE, True, helped,
        ),
        (
            "does it cost on the original set?",
            f"higher error in {_count(cost, 1)} of {len(cost)} networks, lower in {_count(cost, -1)}, undetermined in {_count(cost, 0)}",
            RULE, True,
        ),
        (
            "does training on transformed data do as well?",
            f"better than building in for {_count(augmented, -1)} of {len(augmented)} pairs, worse in {_count(augmented, 1)}, undetermined in {_count(augmented, 0)}",
            RULE, True,
        ),
        (
            "have the networks skill in their first step?",
            f"mean square over the best trivial forecast's {min(judged):.2f} to {max(judged):.2f}, median over seeds, over {len(set(k[:2] for k in own))} networks; not judged: {len(idle)}",
            f"at most {SKILL:g}; trivial: the last state, the last increment, a parabola", False,
        ),
        (
            "what of real currents (Mediterranean altimetry)?",
            f"{len(ocean)} of {sum(k[1] in SYMMETRIES for k in sea.index)} networks with a symmetry have no skill (mean square of the first step over the best trivial forecast's {sea.min():.2f} to {sea.max():.2f}, plain ones among them), so nothing is judged"
            if all(v > SKILL for v in sea) else f"mean square of the first step over the best trivial forecast's {sea.min():.2f} to {sea.max():.2f}",
            f"skill: at most {SKILL:g}", False,
        ),
        *_temperatures(t),
        (
            "is uniform motion of the values a true boost?",
            "RMSE of Equ-UM over the plain network's on the true boost: " + ", ".join(f"{BACKBONES[b]} {_told(r)}" for b in BACKBONES if (r := ratio(tests, FLOW, b, "boost", "motion", "plain")).values),
            RULE, False,
        ),
    ]  # fmt: skip


def _temperatures(t: Tables) -> list[tuple[str, str, str, bool]]:
    """What came of the measured temperatures, where they are there."""
    found = shares(t, "sst").groupby(level=[0, 1]).median()
    if not len(found):
        return []
    r = ratio(t["tests"], "sst", "resnet", "original", "rotation", "plain")
    skill = f"mean square of the first step over the best trivial forecast's {found.min():.2f} to {found.max():.2f}"
    told = f"{skill}, so nothing is judged" if not found.min() <= SKILL else f"{skill}; RMSE of Equ-Rot over the plain network's {_told(r)}"
    return [("what of measured temperatures (sea surface, OSTIA)?", told, f"skill: at most {SKILL:g}", False)]


def _count(found: dict, sign: int) -> int:
    return sum(r.sign == sign for r in found.values())


def _told(r: Ratio) -> str:
    return f"{np.median(r.values):.2f} ({factor(r.values)})"
