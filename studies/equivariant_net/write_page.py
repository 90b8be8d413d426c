# ruff: noqa: E501 - prose templates
"""docs/studies/equivariant-net.md from the tables of a study: no number in it is typed in by hand but the published ones, with source."""

from pathlib import Path

import figures
import pandas as pd
from harness import Tables, table, took, versions
from judgement import AGREES, CONTRADICTS, FEWEST, NOT_JUDGED, UNDETERMINED
from more_figures import present
from page_data import data_part
from page_parts import complexity_part, scales_part, skill_part
from published import OCEAN, SOURCE
from skill import known, without_skill
from study import BACKBONES, OWN, SCALARS, SHORT, SYMMETRIES, TESTS, TITLES, VARIANTS
from tables import Ratio, ratio, read_tables, settings_of
from words import listed, spread, told

from orbitscope._whole import write_whole

PAGE = "equivariant-net.md"


def write_page(results: Path, docs: Path) -> Path:
    """Figures, then the page; same tables, same bytes."""
    tables = read_tables(results)
    drawn = figures.draw(tables, results, docs)
    parts = [_head(tables)]
    for dataset in dict.fromkeys(str(d) for d in tables["tests"].get("dataset", [])):
        own = [_answers(tables, dataset), _figure("rmse", dataset, drawn), data_part(tables, dataset), _models(tables, dataset),
               _errors(tables, dataset), _figure("steps", dataset, drawn), _figure("pictures", dataset, drawn),
               _figure("norms", dataset, drawn), scales_part(tables, dataset), _figure("scales", dataset, drawn),
               complexity_part(tables, dataset), _figure("complexity", dataset, drawn), _symmetry(tables, dataset),
               _figure("errors", dataset, drawn), _spectra(tables, dataset), _figure("spectra", dataset, drawn),
               _figure("divergence", dataset, drawn), _published(tables, dataset)]  # fmt: skip
        parts += [_headed(part, dataset) for part in own]
    parts.append(_limits(tables))
    text = "\n\n".join(p for p in parts if p) + "\n"
    write_whole(docs / PAGE, lambda part: part.write_text(text, encoding="utf-8"))
    return docs / PAGE


def _headed(part: str, dataset: str) -> str:
    """Every heading names its data set."""
    if not part.startswith("## "):
        return part
    heading, rest = part[3:].split("\n", 1)
    heading = heading if heading[:2].isupper() else heading[0].lower() + heading[1:]
    return f"## {TITLES[dataset]}: {heading}\n{rest}"


def _figure(name: str, dataset: str, drawn: list[str]) -> str:
    key = f"{name}-{dataset}" if dataset != "rayleigh-benard" else name
    doc = {
        "rmse": "RMSE over all steps, in units of the training data, by network and test set: median over seeds. Colour: over the plain network's "
        "(blue smaller, red larger; full colour at a factor of 4); last rows: what costs nothing. Bold: a network on the set that its symmetry is for.",
        "steps": "RMSE by step: the plain network, the one trained on transformed data, the one with the symmetry built in, on that symmetry's "
        "set. Median and range over seeds.",
        "pictures": "One window half-way through the forecast (first seed): what came, and what three networks said. Same colours along a row.",
        "errors": "Equivariance error over the size of the predicted increment, per symmetry; median and range over seeds. Below the axis: rounding.",
        "norms": "Speed of one window of the original set at the first, the middle and the last step (first seed): what came, and what networks with each symmetry said.",
        "scales": "Above: RMSE over that of the best forecast that costs nothing, against the scale factor; below 1 is skill. Below: ESE (error of E(k) for a scalar). Median and range over seeds.",
        "complexity": "RMSE against the number of training windows at equal numbers of steps, on the original set and on each symmetry's own. Median and range over seeds.",
        "divergence": "Divergence of the forecasts of the original set (root mean square over that of all derivatives, all steps) over that of the truth; a mark per seed.",
        "spectra": "Energy spectrum of the original test set, and of the forecasts over that of the truth; median and range over seeds.",
    }[name]  # fmt: skip
    return f"![{doc}](equivariant-net-{key}.png)\n\n*{doc}*" if key in drawn else ""


def _head(t: Tables) -> str:
    seeds = sorted(set(t["runs"].get("seed", [])))
    commands = [
        f"`studies/equivariant_net/run.py --config {p['name'].removesuffix('-ocean')}.toml{' --data ' * bool(p['files'])}{' '.join(p['files'])}`"
        for p in (m["settings"] for m in (t.meta, *t.meta.get("parts", [])))
    ]
    return f"""# Study: symmetry built into networks that forecast flows

Written by {" and ".join(commands)}; every number comes from its result files, every conclusion from a rule that stands beside it. The study repeats, in kind, Wang, Walters and Yu, *Incorporating
Symmetry into Deep Dynamics Models for Improved Generalization* (ICLR 2021), with data that orbitscope simulates{_measured(t)}, splits that share no state, and test sets whose conventions are declared.
Terms: [Concepts](../concepts.md); the layers: [Build a symmetry in](../how-to/build-in.md).

* Asked: does a network with a symmetry built in forecast better where that symmetry is used, what does it cost elsewhere, and does training on transformed data do as well?
* {t.meta["measured_runs"]} of {t.meta["planned_runs"]} planned trainings, seeds {", ".join(map(str, seeds))}; {t.meta["date"]}, {" and ".join(w for m in (t.meta, *t.meta.get("parts", [])) if (w := took(m)) != "–")}, other work beside it; {versions(t.meta)}."""


def _measured(t: Tables) -> str:
    parts = [m["settings"] for m in t.meta.get("parts", [])]
    names = ["real currents"] * any(p["files"] for p in parts) + ["real temperatures"] * any("sst" in p["data"] for p in parts)
    return f" and {' and '.join(names)}" if names else ""


def _answers(t: Tables, dataset: str) -> str:
    """Three questions per symmetry and backbone, by rule."""
    tests = t["tests"][t["tests"].dataset == dataset]
    idle = without_skill(t, dataset, list(SYMMETRIES))
    rows, said = [], {key: [] for key in ("helps", "hurts", "cost", "gain", "augment", "builtin")}
    for backbone in present(tests[tests.dataset == dataset], "backbone", BACKBONES):
        for symmetry, own in OWN.items():
            for test in own:
                help_ = ratio(tests, dataset, backbone, test, symmetry, "plain")
                cost = ratio(tests, dataset, backbone, "original", symmetry, "plain")
                learnt = ratio(tests, dataset, backbone, test, f"augmented {symmetry}", symmetry)
                if not help_.values and not learnt.values:
                    continue
                net = f"{SHORT[symmetry]} {BACKBONES[backbone]}"
                rows.append([BACKBONES[backbone], SHORT[symmetry], test, told(help_), told(cost), told(learnt)])
                if (backbone, symmetry) in idle:
                    continue
                said["helps"] += [f"{net} on {test}"] * (help_.sign == -1)
                said["hurts"] += [f"{net} on {test}"] * (help_.sign == 1)
                said["cost"] += [net] * (cost.sign == 1)
                said["gain"] += [net] * (cost.sign == -1)
                said["augment"] += [f"{net} on {test}"] * (learnt.sign == -1)
                said["builtin"] += [f"{net} on {test}"] * (learnt.sign == 1)
    seeds = len(set(tests.seed))
    few = f" With {seeds} seed{'s' * (seeds > 1)} here nothing can be called so." if seeds < FEWEST else ""
    words = {key: listed(names) for key, names in said.items()}
    judged = sum((b, s) not in idle for b, s in ((_code(r[0], BACKBONES), _code(r[1], SHORT)) for r in rows))
    unfit = listed([f"{SHORT[s]} {BACKBONES[b]}" for b, s in sorted(idle)])
    return f"""## What was found

Rule: an error is *lower* or *higher* than another where the 95 % interval over seeds of the logarithm of their ratio (Student's t, at least {FEWEST} seeds) lies on that side of 0; all else is *{UNDETERMINED}*, which does not say that they are equal.{few} Skill is against the best forecast that costs nothing: of the last state, the last increment repeated and a parabola through the last three states, the one with the least RMSE. A network *without skill* (mean square of its first step on the original set above half of that forecast's, median over seeds) is not judged: {unfit}.

{skill_part(t, dataset)}

Of {judged} pairs of a judged network and a test set of its symmetry:

* **Building the symmetry in helps on its own set** (RMSE below the plain network's) in {len(said["helps"])}: {words["helps"]}. It hurts in {len(said["hurts"])}: {words["hurts"]}.
* **On the original set it costs** (RMSE above the plain network's) for {words["cost"]}; it gains for {words["gain"]}.
* **Training on transformed data does better than building in** in {len(said["augment"])}: {words["augment"]}; worse in {len(said["builtin"])}: {words["builtin"]}; the rest is {UNDETERMINED}.

{table(["backbone", "network", "test set", "RMSE there / plain", "RMSE on original / plain", "augmented / built in, there"], rows)}

Ratios of RMSE, seed by seed: median (least to largest)."""


def _code(word: str, words: dict[str, str]) -> str:
    return next(k for k, v in words.items() if v == word)


def _models(t: Tables, dataset: str) -> str:
    s, frame = settings_of(t, dataset), t["runs"]
    frame = frame[frame.dataset == dataset]
    rows = []
    for backbone in present(frame, "backbone", BACKBONES):
        for variant in present(frame[frame.backbone == backbone], "variant", VARIANTS):
            b = frame[(frame.backbone == backbone) & (frame.variant == variant)]
            kind = "plain" if variant.startswith("augmented") else variant
            m = s["models"][backbone][kind]
            rows.append(
                [
                    BACKBONES[backbone],
                    SHORT[variant],
                    f"`{m['model']}`",
                    f"{int(b.parameters.iloc[0]):,}",
                    spread(b.seconds, ".0f"),
                    spread(b.validation / b.persistence, ".3f"),
                    str(len(b)),
                ]
            )
    o = s["training"]
    return f"""## Networks

{s["frames"]} states in{" (as the last one and its differences)" if s.get("differences") else ""}, the next one out; one-step SMSE, AdamW, {o["epochs"]} passes, batches of {o["batch"]}, rate {o["learning_rate"]:g} annealed, best validation epoch. All beyond the edge of a window is its last cell repeated. *Plain* is the same code and shape with the trivial group; hidden widths are such that the parameters of a backbone are about as many.
*Augmented*: the plain network on training data moved by random elements of the same kind (rotation: anew at every step; the others: {o["copies"]} moved copies, seen once each, so that all networks make the same number of steps). Cost is processor time of one thread.

{table(["backbone", "network", "model", "parameters", "training, CPU s", "validation SMSE / persistence", "seeds"], rows)}"""


def _errors(t: Tables, dataset: str) -> str:
    tests, still = t["tests"], t["persistence"]
    tests, still = tests[tests.dataset == dataset], still[still.dataset == dataset]
    free, still = known(still), still.set_index("test")
    columns = present(tests, "test", TESTS)
    form = ".3f" if tests.rmse.median() < 0.1 else ".2f"
    rows = [["", word, *(format(still.loc[c, name], form) for c in columns)] for name, word in free.items()]
    for backbone in present(tests, "backbone", BACKBONES):
        for variant in present(tests[tests.backbone == backbone], "variant", VARIANTS):
            block = tests[(tests.backbone == backbone) & (tests.variant == variant)]
            rows.append([BACKBONES[backbone], SHORT[variant], *(spread(block[block.test == c].rmse, form) for c in columns)])
    wild = int((tests.wild > 0).sum())
    blown = "" if not wild else f" In {wild} of {len(tests)} forecasts some window left the bound of 1000 units and counts as that."
    steps = settings_of(t, dataset)["steps"]
    return f"""## RMSE by network and test set

Root mean square over windows, {steps} autoregressive steps, components and cells, in units of the training data; median (range) over seeds.{blown}

{table(["backbone", "network", *columns], rows)}

{_boost(t, dataset)}"""


def _boost(t: Tables, dataset: str) -> str:
    rows = []
    for backbone in BACKBONES:
        r = ratio(t["tests"], dataset, backbone, "boost", "motion", "plain")
        if r.values:
            rows.append(f"{BACKBONES[backbone]}: {told(r)}")
    if not rows:
        return ""
    return (
        f"Uniform motion of the values is not a boost: on the true boost, the RMSE of Equ-UM over the plain network's is {'; '.join(rows)}."
    )


def _symmetry(t: Tables, dataset: str) -> str:
    frame = t["equivariance"]
    frame = frame[frame.dataset == dataset]
    columns = present(frame, "symmetry", ("translation", *SYMMETRIES))
    rows = []
    for backbone in present(frame, "backbone", BACKBONES):
        for variant in present(frame[frame.backbone == backbone], "variant", VARIANTS):
            block = frame[(frame.backbone == backbone) & (frame.variant == variant)]
            rows.append([BACKBONES[backbone], SHORT[variant], *(spread(block[block.symmetry == c].error, ".1e") for c in columns)])
    exact = []
    for symmetry in ("motion", "magnitude", "rotation"):
        b = frame[(frame.variant == symmetry) & (frame.symmetry == symmetry)]
        if len(b):
            exact.append(
                f"{SHORT[symmetry]} {'is exact to rounding' if (b.error / b.increment).max() < 1e-4 else 'is not exact'} (largest error {(b.error / b.increment).max():.1e} of the increment)"
            )
    return f"""## Equivariance error

EE = mean |T f(x) - f(T x)| over test windows, channels and cells, in units of the training data, one step. Rotation: a quarter turn; motion and magnitude: random c and m as in the test sets; translation: windows that overlap, on the cells that both see, so that the edges of windows count.
Scale: |T f⁴(x) - f(T x)| at λ = 2, since one step of the scaled flow is four of the original. A network without error would make none here; one whose *rate* of change transforms, as Equ-Scale's does, still differs by one long step against four short ones.

{table(["backbone", "network", *columns], rows)}

By the rule that rounding is below 1e-4 of the predicted increment: {"; ".join(exact) or "nothing was measured"}."""


def _spectra(t: Tables, dataset: str) -> str:
    tests = t["tests"]
    tests = tests[tests.dataset == dataset]
    rows = []
    sets = [c for c in ("original", "future", "domain") if c in set(tests.test)]
    still = t["persistence"]
    truth = still[(still.dataset == dataset) & (still.test == "original")].divergence.iloc[0]
    moves = not pd.isna(truth)
    flows = (
        f" *Divergence*: root mean square of the divergence over that of all derivatives (central differences inside the window), original set; the truth, means over cells of the solver's, has {truth:.3f}."
        if moves
        else ""
    )
    for backbone in present(tests, "backbone", BACKBONES):
        for variant in present(tests[tests.backbone == backbone], "variant", VARIANTS):
            block = tests[(tests.backbone == backbone) & (tests.variant == variant)]
            rows.append(
                [
                    BACKBONES[backbone],
                    SHORT[variant],
                    *(spread(block[block.test == c].spectrum, ".2f") for c in sets),
                    *(spread(block[block.test == c].ese, ".2f") for c in sets),
                    *([spread(block[block.test == "original"].divergence, ".3f")] if moves else []),
                ]
            )
    return f"""## Spectra

*E(k) error*: root mean square of log10 of the ratio of energy spectra (`orbitscope.emulators.spectrum_error`, Hann window): 0.3 is a factor of 2. *ESE* is the measure published with these networks (`orbitscope.emulators.ese`): the spectrum of the *image* of turbulent energy, which sees no mean flow and no sign; for velocities only.{flows}

{table(["backbone", "network", *(f"E(k) error, {c}" for c in sets), *(f"ESE, {c}" for c in sets), *(["divergence"] if moves else [])], rows)}"""


def _published(t: Tables, dataset: str) -> str:
    """Only ratios to the plain network, only on the two sets that exist in both."""
    tests = t["tests"]
    rows = []
    if dataset in SCALARS:
        return ""
    idle = without_skill(t, dataset, list(SYMMETRIES))
    for backbone in OCEAN:
        for symmetry in SYMMETRIES:
            for column, here in (("rmse", "rmse"), ("ese", "ese")):
                cells = []
                for test in ("future", "domain"):
                    key = "original" if dataset == "ocean" and test == "future" else test
                    r = ratio(tests, dataset, backbone, key, symmetry, "plain", here)
                    if not r.values:
                        continue
                    theirs = OCEAN[backbone][symmetry][f"{column} {test}"] / OCEAN[backbone]["plain"][f"{column} {test}"]
                    cells += [f"{theirs:.2f}", str(r), _beside(r, theirs, (backbone, symmetry) in idle)]
                if len(cells) == 6:
                    rows.append([BACKBONES[backbone], SHORT[symmetry], column.upper(), *cells])
    if not rows:
        return ""
    other = (
        ""
        if dataset == "ocean"
        else " They are of ocean currents and of far larger networks, and the data here are simulated: only the direction can be compared, and nothing forces it to be the same."
    )
    return f"""## Beside the published numbers

The one table that its authors publish with their code ({SOURCE}).{other} Ratios to the plain network of the same table; *agrees*: here lower (or higher) by the rule above, and there too; *contradicts*: the other way round; *{UNDETERMINED}*: the rule finds neither here. The published ratios have no interval.

{table(["backbone", "network", "measure", "future: published", "here", "word", "new domain: published", "here", "word"], rows)}"""


def _beside(r: Ratio, theirs: float, idle: bool) -> str:
    if idle:
        return f"{NOT_JUDGED} (no skill)"
    if len(r.values) < FEWEST:
        return NOT_JUDGED
    return UNDETERMINED if not r.sign else AGREES if (r.sign < 0) == (theirs < 1) else CONTRADICTS


def _other_fields(t: Tables) -> str:
    """Which real fields were left out, where one of a package was read."""
    if not any("sst" in m["settings"]["data"] for m in t.meta.get("parts", [])):
        return ""
    return " Other real fields were not read: currents of the ocean model POP and monthly winds come as system packages (libncarg-data, ferret-datasets), most files of `iris-sample-data` are in the format .pp, which takes iris to read, and none of these is a dependency here."


def _limits(t: Tables) -> str:
    s = t.meta["settings"]
    absent = [f"{SHORT[v]} {BACKBONES[b]}" for b in s["models"] for v in s["variants"] if not v.startswith("augmented") and
              t["tests"][(t["tests"].backbone == b) & (t["tests"].variant == v)].empty]  # fmt: skip
    missing = f" Not measured: {', '.join(absent)}." if absent else ""
    return f"""## Limits

Small networks, few steps of training, small windows; seeds vary the weights and the order of the data, not the data. Ranges over seeds are no intervals of confidence. Velocities alone do not determine the flow: the temperature that drives it is hidden, as in the paper.
Windows are open on all sides: what flows in is unknown, which bounds every forecast, and no network is told where the plates are. The published test sets differ: their rotated set was not rotated by its script, and their scaled set was interpolated without a filter.{_other_fields(t)}{missing} `full.toml` holds sizes towards the paper's."""
