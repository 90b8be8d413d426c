# ruff: noqa: E501 - prose templates
"""docs/studies/symmetry-influence.md from the tables of a study: no number in it is typed in by hand."""

import json
from pathlib import Path

import figures
import numpy as np
import pandas as pd
from comparison import NS, Line, compare, number
from harness import Tables, table, took, versions
from judgement import AGREES, CONTRADICTS, FEWEST, NOT_JUDGED, UNDETERMINED
from landscape import basin_section, matrix_section, training_section
from others import other_tables, others_part, trials_part, unfinished
from study import CLASSES, DATASETS, MODELS, SCHEDULES, SPLIT, SWAPPED, TITLES, Settings, runs
from tables import LABEL, SKILL, early_and_late, equal_error, metric_ranks, spearman

from orbitscope._whole import write_whole

PAGE = "symmetry-influence.md"


def write_page(results: Path, docs: Path) -> Path:
    """Figures, then the page; same tables, same bytes."""
    tables = Tables(results, [*LABEL, "element"])
    drawn = figures.draw(tables, docs)
    others = other_tables(results)
    parts = [_head(tables), _summary(tables), _figure("d4", drawn), _files(tables), _comparison(tables), training_section(tables, lambda name: _figure(name, drawn)),
             matrix_section(tables, lambda name: _figure(name, drawn)), basin_section(tables, lambda name: _figure(name, drawn)),
             _shifts(tables, drawn), _times(drawn), _losses(tables, drawn), _first_question(tables), _second_question(tables, drawn),
             _metrics(tables), _steps(tables), others_part(tables, others), trials_part(results), _limits(tables)]  # fmt: skip
    text = "\n\n".join(p for p in parts if p) + "\n"
    write_whole(docs / PAGE, lambda part: part.write_text(text, encoding="utf-8"))
    return docs / PAGE


def _figure(name: str, drawn: list[str]) -> str:
    doc = {
        "d4": "Relative error (top, logarithmic) and coherence (bottom) per element of D4: median and range over seeds. Open markers: annealed "
        "rate. Grey strokes: the null, coherence of unrelated states. The grey band is what counts as holding.",
        "shifts": "Relative error and coherence by shift, median and range over seeds; crosses: half cells.",
        "epochs": "Coherence by epoch on V4 without e and on D4 without V4: median and quartiles over elements and seeds; grey: the null.",
        "time": "Top: coherence of a transition with another of the same trajectory, by lag. Bottom: median coherence of different "
        "trajectories at one time, by class of initial condition, all models and schedules.",
        "losses": "Coherence of the data loss at x with a conservation loss at gx: positive = a step on the data loss also lowers the other.",
        "optimisation": "Validation error by epoch, one line per seed.",
        "matrix": "Standardised influence of mini-batches on their copies: a row per element of D4, a column per mini-batch, seed by seed. The last row is uniform sharing: "
        "the mean over the elements off the identity.",
        "basin": "Loss along the lines over the loss of the first end at e, logarithmic: median and range over seeds, a line per element.",
        "early": "Excess coherence early in training against the relative error at its end: a point per run and element off the identity.",
    }[name]  # fmt: skip
    return f"![{doc}](symmetry-influence-{name}.png)\n\n*{doc}*" if name in drawn else ""


def _head(t: Tables) -> str:
    s = t.meta["settings"]
    seeds = sorted(set(t["runs"].seed)) if len(t["runs"]) else []
    rows = t["runs"][t["runs"].model != "small"] if len(t["runs"]) else t["runs"]
    nets = "; ".join(
        f"{MODELS[str(m)]}, {int(b.parameters.min()):,} to {int(b.parameters.max()):,} parameters, {' to '.join(map(str, sorted({int(b.epochs.min()), int(b.epochs.max())})))} epochs"
        for m, b in rows.groupby("model")
    )
    split = ", ".join(f"{100 * f:.0f} %" for f in SPLIT)
    laws = "; ".join(f"{TITLES[k]}: {', '.join(v)}" for k, v in CLASSES.items())
    return f"""# Study: symmetry influence in emulators of flows

Written by `studies/symmetry_influence/run.py --config {s["name"]}.toml`; every number below comes from its result files, and every
conclusion from a rule that stands beside it. The study repeats, in kind, the experiments of Amarel et al.,
arXiv 2601.20172, and of its companion on time, arXiv 2509.00024, with data that orbitscope simulates. Terms: [Concepts](../concepts.md).

* Data: {s["data"]["resolution"]} x {s["data"]["resolution"]} cells, {s["data"]["per_class"]} trajectories of {s["data"]["frames"]} states per
  class of initial conditions, all classes of a family in one training ({laws}). Split by trajectory into train, validation, test: {split}.
* Networks: {nets}. Seeds: {", ".join(map(str, seeds))}. Rates: {", ".join(SCHEDULES[k] for k in s["schedules"] if k in set(rows.schedule))}, with the same peak.
* Probed: the last weights, on test transitions ({s["probe"]["per_class"]} trajectories of each class, {s["probe"].get("d4_per_class", s["probe"]["per_class"])} for the comparison over D4, {s["probe"]["times"]} times).
* {t.meta["measured_runs"]} of {t.meta["planned_runs"]} planned runs, {t.meta["date"]}, {took(t.meta)}; {versions(t.meta)}."""


def _summary(t: Tables) -> str:
    lines = compare(t)
    said = {word: [x.what for x in lines if x.judged.word == word] for word in (AGREES, CONTRADICTS, UNDETERMINED, NOT_JUDGED)}
    idle = [x.what for x in lines if x.judged.why == "no skill"]
    text = [
        "## Where we agree, where not, and what the axis convention explains",
        "",
        f"Of {len(lines)} published statements the runs here agree in kind with {len(said[AGREES])} and contradict {len(said[CONTRADICTS])}; "
        f"{len(said[UNDETERMINED])} they leave undetermined, and {len(said[NOT_JUDGED])} are not judged"
        + (f" ({len(idle)} because no network of theirs has skill)" if idle else "")
        + ". The Navier-Stokes ones count twice, once for each reading of the components.",
        "",
        f"Every rule asks for one number per run. *Agrees*: for each network the 95 % interval over its runs (Student's t) lies where the statement puts it. *Contradicts*: for one of them the interval lies elsewhere (corrected for the number of parts). *Undetermined*: an interval reaches across. *Not judged*: fewer than {FEWEST} runs, or networks without skill, which are left out. *Skill* is the error of one step, in units of the state, on all test transitions, over that of the best trivial forecast (persistence, the last increment repeated, a parabola; the last two see more states than the networks): it has to be at most {SKILL:g}, median over seeds.",
    ]
    for word, title in ((AGREES, "Agree"), (CONTRADICTS, "Contradict"), (UNDETERMINED, "Undetermined"), (NOT_JUDGED, "Not judged")):
        text += ["", f"**{title}:** {'; '.join(said[word]) or 'none'}."]
    return "\n".join([*text, "", _convention(lines)])


def _convention(lines: list[Line]) -> str:
    """What the two readings of one file explain, by rule."""
    by = {x.key: x for x in lines}
    kinds = [(k, w) for k, w in (("error", "the error"), ("coherence", "the coherence"), ("training", "the separation in training"))
             if by.get(f"{NS}-{k}") is not None and by.get(f"{SWAPPED}-{k}") is not None]  # fmt: skip
    if not kinds:
        return "The two readings of the Navier-Stokes components were not both measured."
    explained = [w for k, w in kinds if by[f"{SWAPPED}-{k}"].agrees and by[f"{NS}-{k}"].judged.word == CONTRADICTS]
    other = [w for k, w in kinds if w not in explained]
    text = "**The axis convention.** The same states were used twice: as simulated, and with the two velocity components exchanged, which "
    text += "leaves the action of V4 unchanged and makes every other element of D4 map solutions to states that are none. "
    if explained:
        text += f"The published pattern of {' and of '.join(explained)} appears with exchanged components and not with the right ones: the convention alone produces it. "
    if other:
        text += f"For {' and '.join(other)} the runs do not show that the published pattern appears with exchanged components alone: see the table. "
    text += "Whether the published files are stored this way we could not check."
    return text


def _files(t: Tables) -> str:
    frame = t["audit"]
    if frame.empty:
        return ""
    rows = []
    for name in (d for d in DATASETS if d in set(frame.dataset)):
        part = frame[frame.dataset == name]
        inside = part[part.element.isin(["r2", "sr", "sr3"])].residual.median()
        outside = part[part.element.isin(["r", "r3", "s", "sr2"])].residual.median()
        floor = float(part[part.element == "e"].residual.iloc[0])
        rows.append([TITLES[name], str(part.file.iloc[0]), number(floor), number(inside), number(outside)])
    head = ["file", "verdict of the audit", "solver residual at e", "on V4 without e", "on D4 without V4"]
    return (
        "## The files first\n\n`orbitscope.audit` on all trajectories, before any model. Residual: distance of the solver's answer at gx to "
        "gy, over what one step changes; 1 is no better than nothing happening.\n\n" + table(head, rows)
    )


def _comparison(t: Tables) -> str:
    rows = [[x.what, x.published, x.rule, x.here, x.skill, x.judged.intervals or "–", x.word] for x in compare(t)]
    main = SCHEDULES[t.meta["settings"]["main_schedule"]]
    return (
        f"## Side by side\n\nHere: {main}, Gauss-Newton metric at damping 1e-6, medians over seeds, from least to largest over models and "
        "elements (or shifts); then what the rule takes from each run, as its interval over the runs of a network.\n\n"
        + table(["experiment", "published", "agrees in kind if", "here", "skill", "95 % interval over runs", "word"], rows)
    )


def _shifts(t: Tables, drawn: list[str]) -> str:
    frame = t["shift_coherence"]
    if frame.empty:
        return ""
    sketch = float(frame.sketch_error.median())
    half = t["shift_error"]
    between, whole = half[half["shift"] % 1 != 0], half[(half["shift"] % 1 == 0) & (half["shift"] > 0)]
    return (
        f"## Translations\n\nEvery cell of a line and half cells. Coherence through the sketched mode; its median standard error is "
        f"{number(sketch)}. Median relative error over shifts: {number(float(whole.relative_error.median()))} at whole cells, "
        f"{number(float(between.relative_error.median()))} half-way between (an interpolated state with discontinuities rings, so that part "
        "is not the model's alone).\n\n" + _figure("shifts", drawn)
    )


def _times(drawn: list[str]) -> str:
    return "## Time and classes\n\n" + _figure("time", drawn) if "time" in drawn else ""


def _losses(t: Tables, drawn: list[str]) -> str:
    frame = t["losses"]
    if frame.empty:
        return ""
    rows = []
    for (name, loss), b in frame.groupby(["dataset", "bra_loss"], sort=False):
        low, high = float(b.excess_low.median()), float(b.excess_high.median())
        word = "helps" if low > 0 else "harms" if high < 0 else "no more than chance"
        rows.append([TITLES[str(name)], str(loss), number(float(b.response.median())), number(float(b["null"].median())), word])
    head = ["data", "loss at gx", "coherence", "null", "excess (median interval over runs and elements)"]
    text = "## Other losses at the moved state\n\nDoes a step on the data loss at x also lower a conservation loss at gx? *Helps*: the interval "
    return (
        text
        + "of the excess lies above 0; *harms*: below; else no more than chance.\n\n"
        + table(head, rows)
        + "\n\n"
        + _figure("losses", drawn)
    )


def _first_question(t: Tables) -> str:
    frame = equal_error(t["epochs"])
    if frame.empty:
        return ""
    rows = []
    for (name, model, kind), b in frame.groupby(["dataset", "model", "kind"], sort=False):
        m = b.median(numeric_only=True)
        rows.append(
            [TITLES[str(name)], MODELS[str(model)], str(kind), f"{m.constant_validation:.1e} / {m.cosine_validation:.1e}",
             *(f"{number(m[f'constant_{k}'])} / {number(m[f'cosine_{k}'])}" for k in ("commutator", "response", "null", "excess"))]
        )  # fmt: skip
    near = frame[frame.kind == "nearest error"]
    lines = []
    for value, words in (("response", "coherence"), ("null", "null"), ("excess", "excess")):
        difference = near[f"constant_{value}"] - near[f"cosine_{value}"]
        low, high = _interval(difference.to_numpy())
        sure = "larger with a constant rate" if low > 0 else "smaller with a constant rate" if high < 0 else "no difference beyond chance"
        sure = sure if np.isfinite(low) else "too few pairs for an interval"
        lines.append(f"* {words}: {number(float(difference.median()))} (95 % interval {number(low)} to {number(high)}): {sure}.")
    factor = np.exp(np.abs(np.log(near.constant_validation / near.cosine_validation))).median()
    head = ["data", "model", "compared at", "validation SMSE", "commutator", "coherence", "null", "excess"]
    return (
        "## Question 1: constant against annealed rate at equal error\n\nEach cell: constant / annealed, median over seeds and elements off "
        "the identity. *Nearest error*: among the epochs measured in the second half of the trainings, the pair with the nearest validation "
        f"errors (they differ by a median factor of {number(float(factor))}).\n\n"
        + table(head, rows)
        + "\n\nConstant minus annealed at nearest error, median over "
        f"{len(near)} pairs of runs, bootstrap over pairs:\n\n" + "\n".join(lines)
    )


def _interval(values: np.ndarray) -> tuple[float, float]:
    if len(values) < 5:
        return float("nan"), float("nan")
    rng = np.random.default_rng(0)
    drawn = [np.median(values[rng.integers(len(values), size=len(values))]) for _ in range(2000)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def _second_question(t: Tables, drawn: list[str]) -> str:
    frame = early_and_late(t["epochs"], t.meta["settings"]["checkpoints"])
    if frame.empty:
        return ""
    rows, words = [], []
    sets = [
        ("right conventions only", frame[frame.dataset != SWAPPED]),
        ("swapped components only", frame[frame.dataset == SWAPPED]),
        ("all", frame),
    ]
    for name, block in sets:
        for part, b in block.groupby("part"):
            for value, label in (("relative_error_late", "relative error"), ("commutator_late", "commutator")):
                rho, low, high = spearman(b.excess, b[value], units=b.run)
                sure = "yes" if high < 0 else "no, opposite" if low > 0 else "no"
                if not np.isfinite(low):
                    sure = "too few runs"
                rows.append([name, f"{100 * float(part):.0f} %", label, number(rho), f"{number(low)} to {number(high)}", sure])
        within = _within(block)
        words.append(f"* {name}: {within}")
    head = ["runs", "excess taken at", "later", "Spearman", "95 % interval", "predicts"]
    return (
        "## Question 2: does early excess predict each element's later error?\n\nRank correlation over elements off the identity x seeds x "
        "models x rates; the interval resamples runs. It *predicts* if the whole interval is below 0 (more shared early, less error later). "
        f"The excess at 0 % is that of the untrained network. The intervals are not corrected for their number: of {len(rows)} lines, one in twenty is beyond chance by chance alone.\n\n"
        + table(head, rows)
        + "\n\nThe same within each run, where differences between "
        "runs cannot play a part: the median over runs of the rank correlation of excess with relative error over the seven elements, at "
        "the first checkpoint after the start:\n\n" + "\n".join(words) + "\n\n" + _figure("early", drawn)
    )


def _within(block: pd.DataFrame) -> str:
    later = block[block.part > 0]
    if later.empty:
        return "no checkpoint between start and end was measured."
    first = later[later.part == later.part.min()]
    values = np.array([spearman(b.excess, b.relative_error_late, 0)[0] for _, b in first.groupby("run")])
    values = values[np.isfinite(values)]
    if len(values) < 5:
        return f"{number(float(np.median(values))) if len(values) else '–'} over {len(values)} runs: too few for an interval."
    low, high = _interval(values)
    sure = "predicts" if high < 0 else "the opposite" if low > 0 else "no more than chance"
    return f"{number(float(np.median(values)))} over {len(values)} runs (95 % interval {number(low)} to {number(high)}): {sure}."


def _metrics(t: Tables) -> str:
    frame = metric_ranks(t["metrics"])
    if frame.empty:
        return ""
    rows = [
        [TITLES[str(r.dataset)], str(r.metric), number(r.distance), number(r["rank"]), number(r.residual), f"{r.seconds:.1f} s"]
        for _, r in frame.iterrows()
    ]
    count, damping = int(t["runs"][t["runs"].model == "small"].parameters.min()), t.meta["settings"]["probe"]["full_damping"]
    others = frame[frame.metric != "gauss_newton_full"].groupby("metric")["rank"].min()
    keep = ", ".join(others[others >= 0.8].index) or "none"
    lose = ", ".join(others[~(others >= 0.8)].index) or "none"
    worst = float(frame.residual.max())
    sound = (
        "so it may serve as the truth"
        if worst <= 1e-3
        else "so it is no truth to that accuracy, and the distances are upper bounds at best"
    )
    head = ["data", "metric", "distance", "rank correlation", "residual of the solve", "time"]
    return (
        f"## Metrics against the full Gauss-Newton metric\n\nOn a UNet of {count:,} parameters, damping {damping:g}. Distance: root mean square "
        "difference of all coherences of an element from those in the full metric, median over the elements off the identity. Rank correlation: of the elements' "
        "coherence under this metric with that under the full one (Spearman, seven elements).\n\n" + table(head, rows) +
        f"\n\nThe full metric's equations were solved to a relative residual of {number(worst)}, {sound} (threshold 1e-3). Rank order kept (at least 0.8 on every file): {keep}. Not kept: {lose}."
    )  # fmt: skip


def _steps(t: Tables) -> str:
    frame = t["steps"]
    if frame.empty:
        return ""
    rows = []
    for (name, metric), b in frame.groupby(["dataset", "metric"], sort=False):
        rows.append(
            [TITLES[str(name)], str(metric), str(len(b)), number(b.slope.median()), f"{number(b.slope.min())} to {number(b.slope.max())}",
             f"{b.correlation.median():.4f}", f"{b.correlation.min():.4f}"]
        )  # fmt: skip
    bad = int((frame.correlation <= 0.99).sum())
    word = f"In all {len(frame)} cases the correlation is above 0.99." if not bad else f"In {bad} of {len(frame)} cases it is 0.99 or less."
    size = t.meta["settings"]["probe"]["step_relative"]
    head = ["data", "metric", "runs", "slope (median)", "slope (range)", "correlation (median)", "correlation (least)"]
    return (
        f"## Step test\n\nSteps that were really taken, sized to lower the ket's own loss by a share of {size:g}; measured change of the loss at "
        f"gx on the predicted one, over all elements of D4. {word}\n\n" + table(head, rows)
    )


def _not_run(t: Tables) -> str:
    """Planned runs that were cut off, by network; and how the ViT was chosen."""
    settings = Settings(**t.meta["settings"])
    done = {tuple(row) for row in t["runs"][LABEL].to_numpy()} if len(t["runs"]) else set()
    missing = [r for r in runs(settings) if (r.dataset, r.model, r.schedule, r.seed) not in done]
    names = [f"{TITLES[r.dataset]}, {MODELS[r.model]}, {SCHEDULES[r.schedule]}" for r in missing]
    counted = "; ".join(f"{name} ({names.count(name)})" for name in dict.fromkeys(names))
    text = f"* Planned and not run (seeds): {counted}.\n" if missing else ""
    if finer := unfinished(settings.name):
        text += f"* Cells on finer grids have their settings ({', '.join(finer)}) and were not run.\n"
    if settings.name == "small" and len(t["runs"]) and "vit" in set(t["runs"].model):
        text += "* The ViT's width, depth, rate and epochs were chosen by the validation error of seed 0 on Navier-Stokes, and on Euler by the skill of other seeds ([above](#settings-that-were-tried)), so that it has skill; it trains longer than the UNet (times stand in the table), so nothing here compares the two at equal time.\n"
    return text


def _limits(t: Tables) -> str:
    s = t.meta["settings"]
    count = len(set(t["runs"].seed)) if len(t["runs"]) else 0
    presets = ", ".join(f"{MODELS[m]} {o.get('preset', 'small')}{', narrowed' * bool(o.get('overrides'))}" for m, o in s["models"].items())
    published = {"resolution": 128, "per_class": 6500, "seeds": 3}
    return f"""## Limits

* Size: {s["data"]["resolution"]} x {s["data"]["resolution"]} cells and {s["data"]["per_class"]} trajectories per class, against
  {published["resolution"]} x {published["resolution"]} and {published["per_class"]:,} published for Euler; seeds: {count}, against {published["seeds"]}.
  Presets of the networks: {presets} (`paper` has the published sizes).
{_not_run(t)}* Data of our own solvers and our reading of the published initial conditions, not the published files.
* The null of a coherence needs other trajectories: {3 * s["probe"]["per_class"]} are few, and its interval is wide.
* Times are by the clock, with whatever else the machine did meanwhile.
* Elements of one run are not independent; intervals over runs are the ones to read.
* "Agrees in kind" is a rule with a threshold. Its intervals over {count} seeds are wide, and hold for other seeds, weights and split, on data of the same simulation.

Settings: `{json.dumps(s["models"])}`. Tables and coherences: `studies/symmetry_influence/results/{s["name"]}/`."""
