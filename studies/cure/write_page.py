# ruff: noqa: E501 - prose templates
"""docs/studies/cure.md from the tables of a study: no number in it is typed in by hand."""

from pathlib import Path

import figures
import numpy as np
import pandas as pd
from harness import Tables, table, took, versions
from judgement import NOT_JUDGED, SKILL, UNDETERMINED, side
from quoted import quoted
from study import NETWORKS, TREATMENTS
from tables import COUPLINGS, LABEL, OUTCOMES, TOLERANCE, correlations, missing, outcomes, span

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
        _learning(t, found), _speed(t, found), _figure("speed", drawn), _trade_off(found), _figure("trade-off", drawn), _report(t), _limits(t),
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
* Errors are SMSE on the test set in parts of the error of persistence ("nothing changes"); *moved*: on (gx, gy), mean over the missing elements. Numbers in tables: median (range) over seeds.
* {t.meta["measured_runs"]} of {t.meta["planned_runs"]} planned trainings, {t.meta["date"]}, {took(t.meta)}; processor time of the trainings {found.cpu_seconds.sum() / 60:.0f} minutes; {versions(t.meta)}."""


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
    text.append(
        f"**The failure.** The physics has {words}, the networks have not: relative error {_each(plain, 'relative_error')} there, with skill on the original ({skills}; below {SKILL:g} counts as skill)."
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
        helps = control.moved_lower.min() > LIMIT
        text.append(
            f"**The control.** {t.meta['settings']['data']['more'] / t.meta['settings']['data']['train']:g} times as much data of the same kind changes the error on the original by a factor {_each(control, 'original_ratio')} and lowers the moved error by a factor {_each(control, 'moved_lower')}: "
            + ("it helps in every run." if helps else f"it is no cure (rule: lower by more than {LIMIT:g} in every run).")
        )
    text.append(_verdict_on_trade_off(correlations(_skilled(found))))
    return "\n\n".join(text)


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


def _trade_off(found: pd.DataFrame) -> str:
    frame = correlations(_skilled(found))
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
            _found(r),
        ]
        for r in frame.itertuples()
    ]
    return (
        "## The trade-off\n\nAmarel et al., arXiv 2601.20172: coupling that is uniform over the orbit generalises, free coupling optimises faster. Rank correlation over trained networks with skill (error on the original at most half of persistence's) and seeds, ranks within each network; the 95 % interval resamples treatments (all seeds of one together), the independent units. *Shown* if the interval lies on the stated side of 0: negative for the error, positive for the steps. The intervals are not corrected for their number. A network that is symmetric by construction has coherence 1 and the same error everywhere by construction too, so the second half of the table, without them, is the one that could surprise.\n\n"
        + table(["networks", "coupling", "outcome", "rank correlation", "95 % interval", "the statement"], rows)
        + "\n\n"
        + _pairs(found)
    )


def _skilled(found: pd.DataFrame) -> pd.DataFrame:
    return found[found.original <= SKILL]


def _found(row: object) -> str:
    """Shown, opposite, not shown."""
    low, high = row.low, row.high  # pyright: ignore[reportAttributeAccessIssue]
    if not np.isfinite(low):
        return "not judged"
    wanted = -1 if row.outcome == "moved" else 1  # pyright: ignore[reportAttributeAccessIssue]
    if wanted * low > 0 and wanted * high > 0:
        return "shown"
    return "opposite" if wanted * low < 0 and wanted * high < 0 else "not shown"


def _verdict_on_trade_off(frame: pd.DataFrame) -> str:
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
            found = [_found(r) for r in rows]
            counts = [
                f"{found.count(word)} {words_}"
                for word, words_ in (
                    ("shown", "show it"),
                    ("opposite", "show the opposite"),
                    ("not shown", "show neither"),
                    ("not judged", "cannot be judged"),
                )
                if word in found
            ]
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
            if not b.original.median() <= SKILL:
                error = speed = f"{NOT_JUDGED} (no skill)"
            rows.append([NETWORKS[net], TREATMENTS[name].title, error, span(b.moved_lower), speed, span(ratio, 2)])
    head = ["network", "treatment", "moved error than plain", "times lower", "to the stated error than plain", "steps, ratio"]
    return (
        "Directly, against the plain network of the same seed (a word where the 95 % interval over seeds of the logarithm of the ratio excludes 0, Student's t, and the network has skill on the original: median error at most half of persistence's):\n\n"
        + table(head, rows)
    )


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
