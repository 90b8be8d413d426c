# ruff: noqa: E501 - prose templates
"""The parts of the page in words: the three questions that the paper leaves open, and what is missing."""

import pandas as pd
from harness import Tables, table
from judgement import FEWEST
from page_names import CONSISTENT, NAMES, each, listed, number, ratios, times


def _at(t: Tables, name: str, **where: object) -> pd.DataFrame:
    frame = t[name]
    for key, value in where.items():
        frame = frame[frame[key] == value] if len(frame) else frame
    return frame


def questions(t: Tables, chaos: Tables | None) -> str:
    """Each with ratios seed by seed and their interval."""
    parts = [
        "## The three questions that the paper leaves open\n\nRatios seed by seed, their geometric mean and Student's interval of it (95 %) over seeds. Three seeds make wide intervals: *undetermined* is said where 1 lies inside.",
        _keeps(t, chaos), _ablation(t), _blocks(t, chaos),
    ]  # fmt: skip
    return "\n\n".join(parts)


def _keeps(t: Tables, chaos: Tables | None) -> str:
    f, e, rows = _at(t, "forecast", codes="fit", horizon=120), _at(t, "energy", codes="fit"), []
    for other in listed(f):
        if other == CONSISTENT:
            continue
        cells = [ratios(f, "median", other, CONSISTENT), *(ratios(e, k, other, CONSISTENT) for k in ("rms", "secular"))]
        rows.append([NAMES[other], *map(times, cells)])
    made = table(["map", "error up to 120 frames", "energy, rms", "energy, secular"], rows) if rows else "No other map was trained."
    text = f"**Does the consistent variant keep more?** Others over the consistent variant:\n\n{made}"
    return text if chaos is None else text + _keeps_longer(chaos)


def _keeps_longer(chaos: Tables) -> str:
    """The same on the chaotic trajectories of the double pendulum."""
    rows = []
    for where in ("published start", "near it"):
        c = _at(chaos, "chaos", start=where, kind="chaotic")
        others = [m for m in listed(c) if m != CONSISTENT] if len(c) else []
        rows += [[where, NAMES[m], *(times(ratios(c, k, m, CONSISTENT)) for k in ("lyapunov_times", "energy"))] for m in others]
    if not rows:
        return ""
    text = "On the chaotic trajectories of the double pendulum, others over the consistent variant (a shorter valid time is worse):"
    return f"\n\n{text}\n\n" + table(["start", "map", "valid time in Lyapunov times", "energy, last quarter"], rows)


def _ablation(t: Tables) -> str:
    f8, f, e = _at(t, "forecast", codes="fit", horizon=8), _at(t, "forecast", codes="fit", horizon=32), _at(t, "energy", codes="fit")
    pairs = (
        ("denoising left out", "dhn/clean", "dhn"), ("Hamiltonian left out", "dhn/plain", "dhn"),
        ("both left out", "dhn/plain-clean", "dhn"), ("denoising left out, without a Hamiltonian", "dhn/plain-clean", "dhn/plain"),
    )  # fmt: skip
    rows = [
        [words, times(ratios(f8, "median", a, b)), times(ratios(f, "median", a, b)), times(ratios(e, "secular", a, b))]
        for words, a, b in pairs
    ]
    text = "**Does denoising or the Hamiltonian structure do the work?** The DHN (4, 2) with parts left out, over the DHN (4, 2). Without denoising a forecast starts at the last known frame and takes turns as often; without a Hamiltonian two plain networks of the same width stand for the two gradients. *more* says that leaving it out makes errors larger:"
    return f"{text}\n\n" + table(["", "error up to 8 frames", "error up to 32 frames", "energy, secular"], rows)


def _blocks(t: Tables, chaos: Tables | None) -> str:
    f = _at(t, "forecast", codes="fit", horizon=32)
    pairs = (
        ("(2, 1) over (1, 1)", "dhn/two", "dhn/one"),
        ("(4, 2) over (1, 1)", "dhn", "dhn/one"),
        ("(4, 2) over (2, 1)", "dhn", "dhn/two"),
    )
    rows = []
    for words, a, b in pairs:
        row = [words, times(ratios(f, "median", a, b))]
        for kind in ("seconds", "lyapunov_times"):
            some = pd.DataFrame() if chaos is None else _at(chaos, "chaos", start="near it", kind="chaotic")
            row.append(times(ratios(some, kind, a, b)) if len(some) else "not measured")
        rows.append(row)
    text = "**Does block length help beyond a Lyapunov time?** Block and stride of the DHN; for the double pendulum the chaotic trajectories near the published start, of which there are most. *more* is a larger error of the pendulum, and a longer valid time:"
    known = []
    if chaos is not None:
        c = _at(chaos, "chaos", start="near it", kind="chaotic")
        known = [f"{NAMES[m]}: {each(c[c.model == m].lyapunov_times)}" for m in listed(c)]
    more = f"\n\nMedian valid times in Lyapunov times, a number per seed: {'; '.join(known)}." if known else ""
    if known and chaos is not None:
        more += _beyond(
            _at(chaos, "chaos", start="near it", kind="chaotic"), [(words, row[-1]) for (words, *_), row in zip(pairs, rows, strict=True)]
        )
    return f"{text}\n\n" + table(["", "pendulum, error up to 32 frames", "valid time (s)", "in Lyapunov times"], rows) + more


def _beyond(c: pd.DataFrame, judged: list[tuple[str, str]]) -> str:
    """The answer in words: which maps last beyond one Lyapunov time, and what longer blocks change."""
    by = {NAMES[m]: c[c.model == m].lyapunov_times for m in listed(c)}
    many = {name: times for name, times in by.items() if len(times) >= FEWEST}
    kinds = (
        ("beyond one Lyapunov time with every seed", [n for n, v in many.items() if v.min() > 1]),
        ("with some seeds", [n for n, v in many.items() if v.min() <= 1 < v.max()]),
        ("with none", [n for n, v in many.items() if v.max() <= 1]),
    )
    said = "; ".join(f"{words}: {', '.join(names)}" for words, names in kinds if names)
    longer = "; ".join(f"{words}: {text.rpartition(': ')[2]}" for words, text in judged)
    return f"\n\nMedian valid times lie {said}. What a longer block does to the valid time in Lyapunov times, {longer}."


def taught(t: Tables) -> str:
    """What a step on a motion does to its copies."""
    i = t["influence"]
    if not len(i):
        return ""
    rows = []
    for model in listed(i):
        for symmetry in ("reversal", "mirror"):
            one = i[(i.model == model) & (i.symmetry == symmetry)]
            words = ", ".join(dict.fromkeys(one.learning))
            rows.append([NAMES[model], symmetry, each(one.commutator), each(one.share), each(one.response), each(one["null"]), words])
    text = "`orbitscope probe` on 32 frames of 8 test systems: the commutator (median), the share of the squared error that the broken symmetry carries, the coherence of an example with its copy (1: a step on a motion helps the copy as it helps itself, in the metric of Gauss and Newton), that with unrelated ones, and what the verdict says of the learning. No training saw a motion run backwards in time; mirrored ones are as likely in the data as others. The steps of HNN and of the generating function are reversible; only the reader of the latter is told that a motion and its reversal have one code."
    return f"## Does learning a motion teach its mirror and its reversal?\n\n{text}\n\n" + table(
        ["map", "symmetry", "commutator", "share of the error", "coherence with the copy", "with unrelated ones", "learning"], rows
    )


def missing(t: Tables, chaos: Tables | None) -> str:
    """What was planned and is not here, and what no configuration asks."""
    lines = []
    for one, what in ((t, ""), (chaos, ", double pendulum")):
        if one is None:
            continue
        settings = one.meta["settings"]
        have = set(zip(one["cost"].model, one["cost"].seed, strict=True)) if len(one["cost"]) else set()
        without = {m: [str(s) for s in settings["seeds"] if (m, s) not in have] for m in settings["models"]}
        left = [
            f"{NAMES[m]} ({'all seeds' if len(s) == len(settings['seeds']) else 'seed ' + ', '.join(s)})" for m, s in without.items() if s
        ]
        lines.append(f"* Planned and not trained yet{what}: {'; '.join(left)}." if left else f"* All planned runs are here{what}.")
    probed = set(t["influence"].model) if len(t["influence"]) else set()
    if probed and (without_probe := [NAMES[m] for m in listed(t["cost"]) if m not in probed]):
        lines.append(f"* Not asked what a motion teaches its copies: {', '.join(without_probe)}.")
    for row in t["unmeasured"].to_dict("records"):
        name, seconds = NAMES[row["model"]], number(row["training"])
        lines.append(
            f"* {name}, seed {row['seed']}, was trained in {seconds} processor seconds; its measurement, in which codes are fitted through its denoising, was stopped before its end."
        )
    if chaos is None:
        lines.append("* The double pendulum was not trained.")
    lines += [
        "* The paper trains transformers of width 128 with codes of 128 numbers for hours; here networks are narrow and trainings take minutes. This is no ranking of the published model.",
        "* The published data have one start for each system; these have four, and forecasts are of starts that the code did not see.",
        "* Kepler's problem, three bodies, springs, the charge, the damped and the driven pendulum are simulated and tested, and no map is trained on them here: the processor's time went to the seeds of the three questions.",
    ]
    return "## What is missing\n\n" + "\n".join(lines)
