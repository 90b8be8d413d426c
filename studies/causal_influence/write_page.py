# ruff: noqa: E501 - prose templates
"""docs/studies/causal-influence.md from the tables of a study: no number in it is typed in by hand."""

from pathlib import Path

import figures
import numpy as np
import pandas as pd
from harness import Tables, table, versions
from judgement import AGREES, CONTRADICTS, FEWEST, NOT_JUDGED, SKILL, UNDETERMINED, interval
from others import OTHERS, other_tables, others_part
from scipy import stats
from statements import DEFAULT, Statement, default_metric, statements
from study import ELEMENTS, NETWORKS, OPTIMISERS, PHASES
from tables import BASELINES, LABEL, PREDICTORS, Measured, datamodel, measured, promises, ratios, scores, skilled, title

from orbitscope._whole import write_whole

PAGE = "causal-influence.md"
COLUMNS = [
    *LABEL,
    "phase",
    "element",
    "error",
    "loss",
    "optimiser",
    "rate",
    "steps",
    "ket",
    "bra",
    "block",
    "added",
    *ELEMENTS,
    *PREDICTORS,
]


def write_page(results: Path, docs: Path) -> Path:
    """Figures, then the page; same tables, same bytes."""
    columns = list(dict.fromkeys(COLUMNS))
    t, others = Tables(results, columns), other_tables(results, columns)
    found = measured(t)
    s = scores(found)
    lines = statements(t, found, s)
    drawn = figures.draw(t, found, s, docs)
    parts = [
        _head(t), _summary(t, s, lines), _figure("matrices", drawn), _expectations(lines), _failing(t, found), _tuned(t, s),
        _figure("tests", drawn), _horizon(t, found), _figure("horizon", drawn), _retrained(s, found), _figure("retrained", drawn), _promise(t, found),
        _metric(t, s), others_part(t, others), _limits(t, others),
    ]  # fmt: skip
    text = "\n\n".join(p for p in parts if p) + "\n"
    write_whole(docs / PAGE, lambda part: part.write_text(text, encoding="utf-8"))
    return docs / PAGE


def _figure(name: str, drawn: list[str]) -> str:
    doc = {
        "matrices": "First seed, late: what happened (left two) beside what was predicted; copies under g downwards, loss at h across; blue = helped or help predicted, red = harmed; each panel on a scale of its own; lines: blocks. In the first panel the row of e is empty: it adds nothing new.",
        "tests": "Mean over networks and seeds of the rank correlation of every predictor with every test; behind each test how many of the runs it was measured on. Left: all pairs. Right: the blocks taken out. Below the line: baselines without gradients.",
        "horizon": "Fine-tuning at the late checkpoint, by the number of steps. Top: realised over predicted fall of the loss, SGD, middle half of all pairs of all seeds. Bottom: rank correlation, mean over seeds.",
        "retrained": "Training from scratch with copies added: rank correlation by predictor, mean over seeds and 95 % interval (Student). Top: predicted at the early checkpoint of the model without copies; bottom: at the late one. Below the line: baselines without gradients.",
    }[name]
    return f"![{doc}](causal-influence-{name}.png)\n\n*{doc}*" if name in drawn else ""


def _head(t: Tables) -> str:
    s, d = t.meta["settings"], t.meta["settings"]["data"]
    steps = s["epochs"] * -(-d["train"] * (d["frames"] - 1) // s["batch"])
    cells = "; ".join(f"{title('/'.join(c))} (`{s['families'][c[0]]}`)" for c in s["cells"])
    nets = "; ".join(f"{NETWORKS[n]} `{o.get('overrides', {})}`, rate {o['learning_rate']:g}" for n, o in s["models"].items())
    horizons = ", ".join(str(k) for k in s["tune"]["steps"])
    return f"""# Study: does influence cause anything?

Written by `studies/causal_influence/run.py --config {s["name"]}.toml`; every number below comes from its result files, and every conclusion from a rule that stands beside it. An influence says what a small step *would* do. Here the steps are taken: networks are fine-tuned on the copies of their data
under one element of D4 alone, and trained from scratch with copies under some elements in the training set, and the losses at all eight elements are compared, element by element, with what influence predicted. Terms: [Concepts](../concepts.md).

* Data: {cells}; {d["resolution"]} x {d["resolution"]} cells, {d["frames"]} states each, {d["train"]} trajectories to train on, drawn anew for every seed, {d["test"]} to test on. The flows have a direction although their laws have none, so that a network fails on some elements and there is something to predict.
* Networks: {nets}. AdamW at a constant rate, batches of {s["batch"]}, {steps} steps. Checkpoints: *early*, after {steps * s["early"] // s["epochs"]} steps, and *late*, the last. Data, weights and order change with the seed: {", ".join(str(x) for x in s["seeds"])}.
* **Fine-tuning** (`orbitscope.transfer_test`): on copies under one g only, at both checkpoints, {horizons} steps of batches of {s["tune"]["batch"]}: SGD at the rate that takes away at most {s["tune"]["fall"]:.0%} of any element's own loss in one step to first order; Adam of rate {s["tune"]["rate"]:g} with fresh moments; the same with the moments of the training.
* **Retraining**: from the same first weights, with as many steps as the plain training, on the originals and their copies under one element (seven trainings), or under three drawn at random ({s["triples"]} trainings). Benefit at h: log of the plain network's loss there over this one's.
* Predictions (`orbitscope.probe.transfer_predictions`) are made with the network before anything happens to it, from {s["probe"]["trajectories"]} trajectories with {s["probe"]["times"]} transitions each. Beside every one stand three baselines without gradients: the error at h, the error at g, and how near the moved training states are to the moved test states.
* A number in a table is the mean over seeds and its 95 % interval (Student's t). With n seeds the interval is {stats.t.ppf(0.975, 2) / np.sqrt(3):.1f} (n = 3) or {stats.t.ppf(0.975, 4) / np.sqrt(5):.1f} (n = 5) standard deviations to each side.
* {t.meta["measured_runs"]} of {t.meta["planned_runs"]} planned runs{_cut(t)}, {t.meta["date"]}; {t["cost"].cpu_seconds.sum() / 60:.0f} minutes of processor time in one process of one thread ({t.meta["timing"].get("machine", "–")}); {versions(t.meta)}."""


def _cut(t: Tables) -> str:
    return " (the others were cut off by the clock, seed by seed)" if t.meta["measured_runs"] < t.meta["planned_runs"] else ""


def _summary(t: Tables, s: pd.DataFrame, lines: list[Statement]) -> str:
    words = {w: [x for x in lines if x.judged.word == w] for w in (AGREES, CONTRADICTS, UNDETERMINED, NOT_JUDGED)}
    text = ["## What was found"]
    for word, head in ((AGREES, "Confirmed"), (CONTRADICTS, "Refuted"), (UNDETERMINED, "Left open"), (NOT_JUDGED, "Not judged")):
        if words[word]:
            text.append(
                f"**{head}** ({len(words[word])} of {len(lines)}): " + "; ".join(x.what[0].lower() + x.what[1:] for x in words[word]) + "."
            )
    pooled = {w: [x.what for x in lines if x.together.word == w and x.judged.word not in (w, CONTRADICTS)] for w in (AGREES, CONTRADICTS)}
    for word, head in ((AGREES, "Confirmed"), (CONTRADICTS, "Refuted")):
        if pooled[word]:
            text.append(
                f"**{head} over all runs taken together**, though not in every network by itself: "
                + "; ".join(x[0].lower() + x[1:] for x in pooled[word])
                + "."
            )
    text.append(
        f"Rules: one number per run. *Confirmed*: for each network the interval over its seeds lies where the expectation puts it. *Refuted*: for one of them it lies elsewhere (corrected for the number of parts). *Left open*: an interval reaches across. *Not judged*: fewer than {FEWEST} seeds, or no skill (median error on the originals above {SKILL:g} of persistence's). *Over all runs taken together*: the same rule with every run of every network with skill as one of a single population, which they are not: it says what holds on average over these networks, not for another one."
    )
    best, _ = default_metric(t, s)
    text.append(
        f"**The default metric** of the influence {'stays Gauss-Newton' if best == DEFAULT else f'should be another: {PREDICTORS[best]}'} (rule and numbers [below](#which-metric))."
    )
    return "\n\n".join(text)


def _expectations(lines: list[Statement]) -> str:
    rows = [
        [x.what, x.rule, x.judged.intervals or "–", x.word, f"{x.together.intervals.removeprefix('all: ') or '–'}: {x.together.word}"]
        for x in lines
    ]
    return (
        "## What was expected, and what came\n\nThe expectations are those of a prototype at 16 x 16 cells with three seeds; those on the error at g with its sign turned, on the order inside blocks by the sum and in retraining, and against the error at h in retraining were added when some of the runs were there, so that they are findings and no predictions.\n\n"
        + table(["expectation", "rule", "intervals over seeds", "word", "all runs together"], rows)
    )


def span(values: pd.Series | np.ndarray) -> str:
    """Mean over seeds and its interval."""
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    if not known.size:
        return "–"
    low, high = np.clip(interval(known), -1, 1)
    return f"{known.mean():.2f}" + (f" [{low:.2f}, {high:.2f}]" if np.isfinite(low) else "")


def _failing(t: Tables, found: list[Measured]) -> str:
    rows = []
    for (family, network, phase), part in t["base"].groupby(["family", "network", "phase"], sort=False):
        middle = part.groupby("element").error.median()
        rows.append([title(f"{family}/{network}"), str(phase), *(f"{middle[g]:.2g}" for g in ELEMENTS)])
    split = []
    for run in found:
        if "late" in run.block:
            b = run.block["late"]
            inside = ["{" + ", ".join(ELEMENTS[k] for k in np.flatnonzero(b == n)) + "}" for n in range(b.max() + 1)]
            split.append([title(f"{run.label['family']}/{run.label['network']}"), str(run.label["seed"]), " ".join(inside)])
    return (
        "## The networks\n\nTest error at every element, in parts of the error of persistence, median over seeds.\n\n"
        + table(["network", "checkpoint", *ELEMENTS], rows)
        + "\n\nBlocks of elements that share learning, by the coherence matrix at the late checkpoint (`coherence_blocks`: average linkage, cut in the widest gap). Two blocks alone make a high correlation over all pairs; *blocks taken out* is the correlation of ranks less their mean over each pair of blocks. Retraining is judged with these blocks, fine-tuning with those of its own checkpoint.\n\n"
        + table(["network", "seed", "blocks"], split)
    )


def _tuned(t: Tables, s: pd.DataFrame) -> str:
    last = max(t.meta["settings"]["tune"]["steps"])
    text = [
        f"## Fine-tuning\n\nRank correlation over the pairs g ≠ h of what was predicted with the fall of the loss after {last} steps; in brackets the interval over seeds; behind the bar with the blocks taken out."
    ]
    for phase in ("early", "late"):
        rows = []
        for name, words in PREDICTORS.items():
            cells = []
            for cell in dict.fromkeys(s.cell):
                part = s[(s.test == "tuned") & (s.steps == last) & (s.phase == phase) & (s.predictor == name) & (s.cell == cell)]
                for optimiser in ("sgd", "kept"):
                    own = part[part.optimiser == optimiser]
                    inner = own["inside"].mean()
                    cells.append(f"{span(own['all'])} | {inner:.2f}" if np.isfinite(inner) else span(own["all"]))
            rows.append([words, *cells])
        heads = [f"{title(c)}, {OPTIMISERS[o]}" for c in dict.fromkeys(s.cell) for o in ("sgd", "kept")]
        text += [f"### {phase.capitalize()}", table(["prediction", *heads], rows)]
    return "\n\n".join(text)


def _horizon(t: Tables, found: list[Measured]) -> str:
    rows = []
    for phase in ("early", "late"):
        for (cell, steps), part in ratios(found, phase).groupby(["cell", "steps"], sort=False):
            q = part.ratio.quantile([0.1, 0.25, 0.5, 0.75, 0.9])
            rows.append([phase, title(str(cell)), str(steps), *(f"{v:.2f}" for v in q), f"{(part.ratio < 0).mean():.0%}"])
    return (
        "## The size, step by step\n\nRealised over predicted fall of the loss under plain SGD (rate x steps x sum of influences), quantiles over all pairs g ≠ h of all seeds. The rate is such that one step takes away at most the stated part of *any* element's own loss; the prototype set it at the originals, so that elements on which the network fails overshot.\n\n"
        + table(["checkpoint", "network", "steps", "10 %", "25 %", "median", "75 %", "90 %", "wrong sign"], rows)
    )


def _retrained(s: pd.DataFrame, found: list[Measured]) -> str:
    text = ["## Training from scratch", _benefits(found)]
    part = s[s.test == "retrained"]
    for column, words in (
        ("subsets", "Sets of elements: |S| / (|S| + 1) times the mean prediction over the set, correlated over all sets for each h, mean over h"),
        ("all", "Single elements, all pairs g ≠ h"), ("inside", "The same, blocks taken out"), ("to_e", "Which copies help the originals: over g, at h = e"),
    ):  # fmt: skip
        rows = []
        for name, title_ in PREDICTORS.items():
            if column == "subsets" and name == "error":
                continue  # the same for every set
            cells = [
                span(part[(part.cell == c) & (part.phase == p) & (part.predictor == name)][column])
                for c in dict.fromkeys(part.cell)
                for p in ("early", "late")
            ]
            if not (column == "to_e" and name == "error"):
                rows.append([title_, *cells])
        heads = [f"{title(c)}, {p}" for c in dict.fromkeys(part.cell) for p in ("early", "late")]
        text += [f"### {words.split(':')[0]}", words + ".", table(["prediction", *heads], rows)]
    return "\n\n".join(text)


def _benefits(found: list[Measured]) -> str:
    rows = []
    for cell in dict.fromkeys(f"{r.label['family']}/{r.label['network']}" for r in found):
        sums: dict[str, list[float]] = {
            "inside the first block": [],
            "inside the others": [],
            "first from others": [],
            "others from first": [],
        }
        to_e: list[float] = []
        for run in (r for r in found if f"{r.label['family']}/{r.label['network']}" == cell):
            single = run.single()
            if single is None:
                continue
            first = run.block["late"] == 0
            apart = ~np.eye(len(first), dtype=bool)
            same = run.block["late"][:, None] == run.block["late"][None, :]
            for name, where in (
                ("inside the first block", apart & same & first[:, None]), ("inside the others", apart & same & ~first[:, None]),
                ("first from others", ~first[:, None] & first[None, :]), ("others from first", first[:, None] & ~first[None, :]),
            ):  # fmt: skip
                values = single[where & np.isfinite(single)]
                sums[name].append(float(values.mean()) if values.size else float("nan"))
            to_e.append(float(single[~first, 0].mean()) if (~first).any() else float("nan"))
        additive = [datamodel(r) for r in found if f"{r.label['family']}/{r.label['network']}" == cell]
        rows.append([title(cell), *(_plain(v) for v in sums.values()), _plain(to_e), span(np.array(additive))])
    return (
        "Benefit (log) of adding copies under one element at equal steps, mean over pairs, by blocks: the first block is that of the identity. A negative number is harm. Additive: for sets of three, the rank correlation of the benefit with what the trainings on single elements say (the datamodel), mean over h.\n\n"
        + table(["network", *["inside the first block", "inside the others", "first block, from others", "others, from the first"], "originals, from other blocks", "additive"], rows)
    )  # fmt: skip


def _plain(values: list[float]) -> str:
    known = np.array(values, float)
    known = known[np.isfinite(known)]
    if not known.size:
        return "–"
    low, high = interval(known)
    return f"{known.mean():+.2f}" + (f" [{low:+.2f}, {high:+.2f}]" if np.isfinite(low) else "")


def _promise(t: Tables, found: list[Measured]) -> str:
    frame, rows = promises(found), []
    for (cell, test), part in frame.groupby(["cell", "test"], sort=False):
        words = {"kept": "fine-tuned, kept moments", "retrained": "retrained"}[str(test)]
        for name, own in part.groupby("predictor", sort=False):
            label = "(all pairs)" if name == "all" else PREDICTORS[str(name)]
            rows.append([title(str(cell)), words, label, f"{own.says.mean():.0%}", span(own.helped)])
    last = max(t.meta["settings"]["tune"]["steps"])
    return (
        f"## What a positive number promises\n\nLate. Of the pairs g ≠ h at which a predictor is positive, the part whose loss fell, after {last} steps of Adam with kept moments, or by training from scratch; beside it the part of all pairs.\n\n"
        + table(["network", "test", "positive", "part of the pairs", "of these helped"], rows)
    )


def _metric(t: Tables, s: pd.DataFrame) -> str:
    best, frame = default_metric(t, s)
    rows = [[PREDICTORS[str(r.metric)], str(r.phase), str(r.intervals) or "–", str(r.word)] for r in frame.itertuples()]
    said = "No metric does, so it stays" if best == DEFAULT else f"{PREDICTORS[best]} does"
    return (
        "## Which metric\n\nThe default metric of `influence` is Gauss-Newton. Rule: another replaces it only if its sum of influences orders retraining (all pairs) better in every network with skill, early and late: the interval of the difference of the rank correlations lies above 0. "
        + f"{said}. The influence that stands in a report is a cosine, pair by pair; the sums are compared here because a training set acts as a sum.\n\n"
        + table(["against Gauss-Newton", "checkpoint", "difference", "better"], rows)
    )


def _partial(t: Tables) -> str:
    """Which fine-tunings were not made on all runs."""
    whole, counts = len(t["pairs"].groupby(LABEL)), []
    for phase in PHASES:
        for optimiser in t.meta["settings"]["tune"].get("optimisers", OPTIMISERS):
            part = t["tuned"][(t["tuned"].phase == phase) & (t["tuned"].optimiser == optimiser)]
            if (count := len(part.groupby(LABEL))) < whole:
                counts.append(f"{phase} with {OPTIMISERS[optimiser]} on {count} of {whole} runs")
    return "* Fine-tuning " + (
        "was made on all runs." if not counts else "was cut short by the clock: " + "; ".join(counts) + ". No statement rests on these."
    )


def _waiting(name: str, others: list[Tables]) -> str:
    """The studies beside this one that are written and not run."""
    there = {o.meta["settings"]["name"] for o in others}
    left = [f"`{one}.toml` ({words})" for one, words in OTHERS.get(name, {}).items() if one not in there]
    return f", nor have {' and '.join(left)}" if left else ""


def _limits(t: Tables, others: list[Tables]) -> str:
    s, able = t.meta["settings"], skilled(t)
    idle = [title("/".join(c)) for c in s["cells"] if "/".join(c) not in able]
    cells = f"{s['data']['resolution']} x {s['data']['resolution']} cells"
    beside = ", but for what stands under [more cells](#more-cells-and-longer-training)" if others else ""
    part = "" if len(s["cells"]) == 4 else f", and {len(s['cells'])} of the four pairs of family and architecture"
    asked = f"* Smaller than the question: {cells} and not 64 x 64, networks of a few thousand to some ten thousand parameters, a few hundred steps, so that nothing is converged{beside}{part}. `full.toml` has the larger study; it has not been run{_waiting(s['name'], others)}."
    return f"""## Limits

{asked}
{_partial(t)}
* {"Networks without skill, which have no say: " + ", ".join(idle) + "." if idle else "Every network here has skill on the originals."} On the elements that its data never show no network has any.
* One group (D4), whose elements fall into few blocks: there are few pairs inside a block, and the correlation inside blocks is the least certain number here.
* Equal steps are not equal epochs: with copies in the training set each original is seen less often, which alone can harm the originals.
* Gauss-Newton is restricted to the span of the {2 * len(ELEMENTS)} mean gradients, with the default damping; its own coherences and excesses are not measured here.
* {len(BASELINES)} baselines, no more: the error at h, the error at g, the distance of the data.
* An interval over {len(s["seeds"])} seeds supposes that they scatter normally.

Settings: `{s["models"]}`. Tables: `studies/causal_influence/results/{s["name"]}/`."""
