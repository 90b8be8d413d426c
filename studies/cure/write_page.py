# ruff: noqa: E501 - prose templates
"""docs/studies/cure.md from the tables of a study: no number in it is typed in by hand."""

from pathlib import Path

import figures
import numpy as np
import pandas as pd
from harness import Tables, table, took, versions
from judgement import SKILL, UNDETERMINED, factor, side
from page_trade_off import trade_off_part, verdict_on_trade_off
from quoted import quoted
from study import NETWORKS, TREATMENTS
from tables import LABEL, TOLERANCE, correlations, missing, outcomes, skilled, span
from trivial import TRIVIAL

from orbitscope._whole import write_whole
from orbitscope.probe.verdicts._cures import TOLERANCE as LIMIT
from orbitscope.probe.verdicts._cures import Cures

PAGE = "cure.md"
EXCESS = 0.05  # less than this is called none


def write_page(results: Path, docs: Path) -> Path:
    """Figures, then the page; same tables, same bytes."""
    t = Tables(results, [*LABEL, "element"])
    drawn, found = figures.draw(t, docs), outcomes(t)
    parts = [
        _head(t, found), _summary(t, found), _figure("errors", drawn), _file(t), _failing(t, found), _cures(t, found), _figure("elements", drawn),
        _learning(t, found), _speed(t, found), _figure("speed", drawn), trade_off_part(found), _figure("trade-off", drawn), _report(t), _limits(t),
    ]  # fmt: skip
    text = "\n\n".join(p for p in parts if p) + "\n"
    write_whole(docs / PAGE, lambda part: part.write_text(text, encoding="utf-8"))
    return docs / PAGE


def _figure(name: str, drawn: list[str]) -> str:
    doc = {
        "errors": "Error on the test set as it is and moved by the missing elements, in parts of the error of persistence (dashed): median and range over seeds. Left is better.",
        "elements": "Relative error and coherence of every treatment on every element of D4: medians over seeds.",
        "speed": "Validation error by step, as it is (top; dashed: the stated error) and moved (bottom): median over seeds, thin lines the seeds.",
        "trade-off": "Coupling against what it is said to do, a point per trained network and seed. Never reached: not drawn.",
    }[name]
    return f"![{doc}](cure-{name}.png)\n\n*{doc}*" if name in drawn else ""


def _head(t: Tables, found: pd.DataFrame) -> str:
    s, d = t.meta["settings"], t.meta["settings"]["data"]
    plain = found[found.treatment == "plain"]
    nets = "; ".join(
        f"{NETWORKS[n]} ({s['models'][n].get('preset', 'small')}), {int(b.parameters.iloc[0]):,} parameters, {int(b.steps.iloc[0])} steps at {s['models'][n]['learning_rate']:g}"
        for n, b in plain.groupby("network")
    )
    return f"""# Study: cures for a network that fails on an element

Written by `studies/cure/run.py --config {s["name"]}.toml`; every number below comes from its result files, and every conclusion from a rule
that stands beside it. A network is trained on flows that have a direction although their law has none. The probe shows on which
elements it fails; then each cure that orbitscope has is tried on it and measured with the same instruments. What reports say under "what to
do next" comes from here. Terms: [Concepts](../concepts.md).

* Data: `{d["scenario"]}`, {d["resolution"]} x {d["resolution"]} cells, {d["frames"]} states each. {d["train"]} trajectories to train on, drawn anew for every seed ({d["more"]} for the control with more data, the same number of steps); {d["validation"]} to validate and {d["test"]} to test on, the same for all.
* Networks: {nets}. Batches of {s["batch"]} transitions, constant rate, AdamW, last weights; all treatments of a network make the same number of steps. Seeds: {", ".join(str(x) for x in sorted(set(plain.seed)))}.
* {_penalty(t)}
* Skill: {_skill_rule(t)}
* Errors are SMSE on the test set in parts of the error of persistence ("nothing changes"); *moved*: on (gx, gy), mean over the missing elements. Numbers in tables: median (range) over seeds.
* {t.meta["measured_runs"]} of {t.meta["planned_runs"]} planned trainings, {t.meta["date"]}, {took(t.meta)}; processor time of the trainings {found.cpu_seconds.sum() / 60:.0f} minutes; {versions(t.meta)}."""


def _penalty(t: Tables) -> str:
    """Which weights of the penalty were tried, and which was taken."""
    tried, alphas = t["alphas"], t.meta["settings"]["alphas"]
    best = tried.loc[tried.groupby(LABEL).validation.idxmin()] if len(tried) else tried
    taken = ", ".join(f"{a:g} in {n}" for a, n in best.alpha.value_counts().sort_index().items()) if len(best) else "–"
    again = f", so that the choice costs {len(alphas)} trainings where the tables show one" if len(alphas) > 1 else ""
    return f"Weight of the penalty (relaxed, penalty by validation): of {', '.join(f'{a:g}' for a in alphas)} the one with the least error on the validation set, mean of as it is and moved by {t.meta['settings']['unseen']}, seed by seed{again}; taken: {taken}. No test data take part."


def _skill_rule(t: Tables) -> str:
    base = ", ".join(f"{name} {float(t['trivial'][key].iloc[0]):.3g}" for key, name in TRIVIAL.items())
    return f"error on the original over that of the best forecast that costs nothing, at most {SKILL:g} (median over seeds). In parts of persistence's error: {base}; the last two see states that the networks are not given, and say at the first transitions, where there are too few, what the one before them says."


def _summary(t: Tables, found: pd.DataFrame) -> str:
    absent, fails = missing(t)
    words = ", ".join(absent)
    text = ["## What was found"]
    if not fails:
        text.append(
            f"The plain networks fail on no element that the physics has (rule: median relative error above {TOLERANCE:g} for every network), so nothing below is a cure. The numbers are given for {words}."
        )
        return "\n".join(text)
    plain = found[found.treatment == "plain"]
    skills = ", ".join(f"{NETWORKS[n]} {span(b.skill, 2)}" for n, b in plain.groupby("network"))
    unfit = found[~found.index.isin(skilled(found).index)]
    names = dict.fromkeys(f"{NETWORKS[str(n)]}, {TREATMENTS[str(k)].title}" for n, k in zip(unfit.network, unfit.treatment, strict=True))
    without = f"; without it, and not judged below: {'; '.join(names)}" if names else "; all treatments have it"
    text.append(
        f"**The failure.** The physics has {words}, the networks have not: relative error {_each(plain, 'relative_error')} there, with this skill on the original: {skills} (at most {SKILL:g} counts as skill{without})."
    )
    cures = Cures.from_dict(quoted(t))
    rules = {
        "with a new training": (cures.best(training=True), f"largest median factor over all networks, among the cures tried on all of them that lower the moved error by more than {LIMIT:g} in every run and whose median error on the original is at most {LIMIT:g} times the plain network's"),
        **{f"for the {word} alone": (cures.special(n), "the same among those that only this network has, if there it lowers the error more than the one before") for n, word in cures.networks.items()},
        "without training": (cures.best(training=False), "the same without a limit on the original error"),
    }  # fmt: skip
    for kind, (one, rule) in rules.items():
        effect = f"{one.title}: {one.effect}" if one is not None else "none"
        text.append(f"**The best cure {kind}**: {effect}. (Rule: {rule}.)")
    control = found[found.treatment == "more"]
    if len(control):
        words = [
            f"{NETWORKS[str(n)]} {b.moved_lower.median():.3g} ({factor(b.moved_lower.to_numpy())}), {_control(b.moved_lower)}"
            for n, b in control.groupby("network")
        ]
        text.append(
            f"**The control.** {t.meta['settings']['data']['more'] / t.meta['settings']['data']['train']:g} times as much data of the same kind changes the error on the original by a factor {_each(control, 'original_ratio')} and lowers the moved error by a factor {'; '.join(words)} "
            f"(rule: *a cure* where the 95 % interval over seeds, Student's t on the logarithm, lies above {LIMIT:g}, *no cure* where it lies below; else {UNDETERMINED})."
        )
    text.append(verdict_on_trade_off(correlations(skilled(found))))
    return "\n\n".join(text)


def _control(lower: pd.Series) -> str:
    """The factor against the limit, by the interval over seeds."""
    return {1: "a cure", -1: "no cure", 0: UNDETERMINED}[side(lower.to_numpy() / LIMIT)]


def _each(frame: pd.DataFrame, column: str) -> str:
    return ", ".join(f"{NETWORKS[str(n)]} {span(b[column])}" for n, b in frame.groupby("network"))


def _file(t: Tables) -> str:
    a = t["audit"]
    rows = [
        [str(r.element), f"{r.residual:.2e}", "–" if pd.isna(r.p_value) else f"{r.p_value:.2g}", str(r.verdict)] for r in a.itertuples()
    ]
    return (
        f"## The file first\n\n`orbitscope.audit` on the training data of the first seed ({t.meta['settings']['data']['more']} trajectories): {a.file.iloc[0]}.\n\n"
        + table(["element", "solver residual", "p, same distribution", "verdict"], rows)
    )


def _failing(t: Tables, found: pd.DataFrame) -> str:
    absent, _ = missing(t)
    rows = []
    for (net, treatment), block in found[found.treatment == "plain"].groupby(["network", "treatment"]):
        words = t["words"][(t["words"].network == net) & (t["words"].treatment == treatment)]
        groups = words.learnt_subgroup.value_counts()
        rows.append(
            [
                NETWORKS[str(net)],
                span(block.original),
                span(block.moved),
                span(block.relative_error),
                span(block.commutator),
                f"{{{groups.index[0]}}} in {groups.iloc[0]} of {len(words)}" if len(groups) else f"none in {len(words)} of {len(words)}",
            ]
        )
    head = ["network", "error, original", "error, moved", "relative error", "commutator", "learnt subgroup (verdict)"]
    return (
        f"## The failure\n\nThe plain networks, as the probe sees them. Missing elements, on which both must fail by more than {TOLERANCE:g}: {', '.join(absent)}.\n\n"
        + table(head, rows)
    )


def _cures(t: Tables, found: pd.DataFrame) -> str:
    text = [
        "## The cures",
        "Lower: the plain network's moved error over this one's, same seed. Training: processor time against the plain network's; forward: arithmetic of one step against the plain network's (counted, not timed).",
    ]
    for net in [n for n in NETWORKS if n in set(found.network)]:
        rows = []
        for name in (x for x in TREATMENTS if x in set(found[found.network == net].treatment)):
            b = found[(found.network == net) & (found.treatment == name)]
            trained = TREATMENTS[name].trained
            rows.append(
                [TREATMENTS[name].title, span(b.original), span(b.moved), span(b.moved_lower), span(b.relative_error), span(b.commutator, 2),
                 span(b.cpu_seconds_ratio, 2) if trained else "none", f"{b.forward_mflop_ratio.median():.2g}", f"{int(b.parameters.median()):,}"]
            )  # fmt: skip
        plain = found[(found.network == net) & (found.treatment == "plain")]
        head = [
            "treatment",
            "error, original",
            "error, moved",
            "times lower",
            "relative error, moved",
            "commutator",
            "training",
            "forward",
            "parameters",
        ]
        text += [
            f"### {NETWORKS[net]}",
            f"Plain: {span(plain.cpu_seconds)} s of processor time in training, {plain.forward_mflop.median():.3g} Mflop and {span(plain.forward_cpu_ms, 2)} ms a step.",
            table(head, rows),
        ]
    return "\n\n".join(text)


def _learning(t: Tables, found: pd.DataFrame) -> str:
    elements = t.meta["settings"]["probe"]["elements"]
    of = ", ".join(g for g in missing(t)[0] if g in elements)
    rows = []
    for net in [n for n in NETWORKS if n in set(found.network)]:
        for name in (x for x in TREATMENTS if x in set(found[found.network == net].treatment)):
            b = found[(found.network == net) & (found.treatment == name)]
            rows.append(
                [
                    NETWORKS[net],
                    TREATMENTS[name].title,
                    *(span(b[c], 2) for c in ("response", "null", "excess", "uniformity", "early_response", "early_uniformity")),
                ]
            )
    head = ["network", "treatment", "coherence, missing elements", "null", "excess", "uniformity", "coherence, early", "uniformity, early"]
    return (
        f"## The learning\n\nCoherence in the Gauss-Newton metric, measured on {', '.join(elements)}: on the missing ones among them ({of}), with its null (unrelated states) and the excess; uniformity: 1 minus the range of the coherence over all of them but the identity. Early: after the part of the training that the settings name.\n\n"
        + table(head, rows)
        + "\n\n"
        + _apart(found)
    )


def _apart(found: pd.DataFrame) -> str:
    """Where error and coherence say different things."""
    middle = found.groupby(["network", "treatment"])[["relative_error", "excess"]].median()
    words = lambda keys: "; ".join(f"{NETWORKS[n]}, {TREATMENTS[t].title}" for n, t in keys) or "none"  # noqa: E731
    held, shared = middle.relative_error <= TOLERANCE, middle.excess >= EXCESS
    return (
        f"Error and coherence need not agree. Relative error at most {TOLERANCE:g} with an excess below {EXCESS:g}: {words(middle.index[held & ~shared])}. "
        f"Relative error above {TOLERANCE:g} with an excess of {EXCESS:g} or more: {words(middle.index[~held & shared])}. (Medians over seeds, missing elements.)"
    )


def _speed(t: Tables, found: pd.DataFrame) -> str:
    rows = []
    for net in [n for n in NETWORKS if n in set(found.network)]:
        level = t.meta["settings"]["models"][net]["reach"]
        for name in (x for x in TREATMENTS if x in set(found[found.network == net].treatment) and TREATMENTS[x].trained):
            b = found[(found.network == net) & (found.treatment == name)]
            rows.append(
                [
                    NETWORKS[net],
                    TREATMENTS[name].title,
                    f"{level:g}",
                    _reached(b.reach_validation),
                    _reached(b.reach_train),
                    span(b.cpu_seconds),
                    f"{b.cpu_seconds.sum() / max(1, b.steps.sum()) * 1e3:.3g}",
                ]
            )
    head = ["network", "treatment", "stated error", "steps, validation", "steps, training loss", "training, s", "ms a step"]
    return (
        "## Speed and cost of training\n\nSteps until the error on the validation set as it is, and the training loss (of whatever the treatment trains on), first reach the stated part of persistence's; between two measured points on a straight line of the logarithm. Seconds are processor time of one thread.\n\n"
        + table(head, rows)
    )


def _reached(values: pd.Series) -> str:
    never = int(np.isinf(values).sum())
    text = span(values)
    return text if not never else f"never in {never} of {len(values)}" + (f", else {text}" if never < len(values) else "")


def _report(t: Tables) -> str:
    cures = Cures.from_dict(quoted(t))
    said = cures.sentence("{" + ", ".join(missing(t)[0]) + "}")
    return "## What reports quote\n\n" + (
        f"`sentence_next` of a verdict, for a model that fails on elements that the physics has:\n\n> {said}\n\nIt is made from `src/orbitscope/probe/cures.json`, which `--package` writes from these tables."
    )


def _limits(t: Tables) -> str:
    s = t.meta["settings"]
    return f"""## Limits

* One law, one kind of data, networks of {s["data"]["resolution"]} x {s["data"]["resolution"]} cells and a few hundred steps: orders of magnitude, not constants of nature. `full.toml` has a larger study.
* Equal numbers of steps, not equal arithmetic: a treatment that costs more a step had more of it. Whether the plain network would do better with as much arithmetic is not measured.
* Constant rate, no annealing: coherences of an annealed network are near 0 for another reason (the [study of symmetry influence](symmetry-influence.md)).
* The strict and relaxed networks are as wide as the plain UNet's computation allows, with fewer parameters; there is no strict or relaxed ViT here: averaging in training stands in for it.
* Only failures on elements that the data never show: nothing is measured on a network that fails where its data have the symmetry (in the [study of symmetry influence](symmetry-influence.md) see there how far networks on such data miss D4).
* A range over {len(s["seeds"])} seeds is no confidence interval.

Settings: `{s["models"]}`. Tables: `studies/cure/results/{s["name"]}/`."""
