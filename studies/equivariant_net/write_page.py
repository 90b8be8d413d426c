# ruff: noqa: E501 - prose templates
"""docs/studies/equivariant-net.md from the tables of a study: no number in it is typed in by hand but the published ones, with source."""

from pathlib import Path
from typing import Any

import figures
import pandas as pd
from figures import present
from harness import Tables, table, took, versions
from judgement import AGREES, CONTRADICTS, FEWEST, NOT_JUDGED, SKILL, UNDETERMINED
from published import OCEAN, SOURCE
from study import BACKBONES, OWN, SHORT, SYMMETRIES, TESTS, TITLES, VARIANTS
from tables import Ratio, ratio, read_tables

from orbitscope._whole import write_whole

PAGE = "equivariant-net.md"
WORD = {-1: "lower", 0: UNDETERMINED, 1: "higher"}


def write_page(results: Path, docs: Path) -> Path:
    """Figures, then the page; same tables, same bytes."""
    tables = read_tables(results)
    drawn = figures.draw(tables, results, docs)
    parts = [_head(tables)]
    for dataset in dict.fromkeys(str(d) for d in tables["tests"].get("dataset", [])):
        own = [_answers(tables, dataset), _figure("rmse", dataset, drawn), _data(tables, dataset), _models(tables, dataset),
               _errors(tables, dataset), _figure("steps", dataset, drawn), _figure("pictures", dataset, drawn), _symmetry(tables, dataset),
               _figure("errors", dataset, drawn), _spectra(tables, dataset), _figure("spectra", dataset, drawn),
               _published(tables, dataset)]  # fmt: skip
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
        "(blue smaller, red larger; full colour at a factor of 4); last row: the last known state kept. Bold: a network on the set that its symmetry is for.",
        "steps": "RMSE by step: the plain network, the one trained on transformed data, the one with the symmetry built in, on that symmetry's "
        "set. Median and range over seeds.",
        "pictures": "One window half-way through the forecast (first seed): what came, and what three networks said. Same colours along a row.",
        "errors": "Equivariance error over the size of the predicted increment, per symmetry; median and range over seeds. Below the axis: rounding.",
        "spectra": "Energy spectrum of the original test set, and of the forecasts over that of the truth; median and range over seeds.",
    }[name]  # fmt: skip
    return f"![{doc}](equivariant-net-{key}.png)\n\n*{doc}*" if key in drawn else ""


def _head(t: Tables) -> str:
    s = t.meta["settings"]
    seeds = sorted(set(t["runs"].get("seed", [])))
    command = f"studies/equivariant_net/run.py --config {s['name'].removesuffix('-ocean')}.toml" + (" --data FILE..." if s["files"] else "")
    return f"""# Study: symmetry built into networks that forecast flows

Written by `{command}`; every number comes from its result files, every conclusion from a rule that stands beside it. The study repeats, in kind, Wang, Walters and Yu, *Incorporating
Symmetry into Deep Dynamics Models for Improved Generalization* (ICLR 2021), with data that orbitscope simulates, splits that share no state, and test sets whose conventions are declared.
Terms: [Concepts](../concepts.md); the layers: [Build a symmetry in](../how-to/build-in.md).

* Asked: does a network with a symmetry built in forecast better where that symmetry is used, what does it cost elsewhere, and does training on transformed data do as well?
* {t.meta["measured_runs"]} of {t.meta["planned_runs"]} planned trainings, seeds {", ".join(map(str, seeds))}; {t.meta["date"]}, {" and ".join(w for m in (t.meta, *t.meta.get("parts", [])) if (w := took(m)) != "–")}, other work beside it; {versions(t.meta)}."""


def _answers(t: Tables, dataset: str) -> str:
    """Three questions per symmetry and backbone, by rule."""
    tests = t["tests"][t["tests"].dataset == dataset]
    idle = _without_skill(t, dataset)
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
                rows.append([BACKBONES[backbone], SHORT[symmetry], test, _told(help_), _told(cost), _told(learnt)])
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
    words = {key: _list(names) for key, names in said.items()}
    judged = sum((b, s) not in idle for b, s in ((_code(r[0], BACKBONES), _code(r[1], SHORT)) for r in rows))
    unfit = _list([f"{SHORT[s]} {BACKBONES[b]}" for b, s in sorted(idle)])
    return f"""## What was found

Rule: an error is *lower* or *higher* than another where the 95 % interval over seeds of the logarithm of their ratio (Student's t, at least {FEWEST} seeds) lies on that side of 0; all else is *{UNDETERMINED}*, which does not say that they are equal.{few} A network *without skill* (median validation SMSE of one step above half of persistence's) is near persistence on every set and not judged: {unfit}.
{_baseline(t)}
Of {judged} pairs of a judged network and a test set of its symmetry:

* **Building the symmetry in helps on its own set** (RMSE below the plain network's) in {len(said["helps"])}: {words["helps"]}. It hurts in {len(said["hurts"])}: {words["hurts"]}.
* **On the original set it costs** (RMSE above the plain network's) for {words["cost"]}; it gains for {words["gain"]}.
* **Training on transformed data does better than building in** in {len(said["augment"])}: {words["augment"]}; worse in {len(said["builtin"])}: {words["builtin"]}; the rest is {UNDETERMINED}.

{table(["backbone", "network", "test set", "RMSE there / plain", "RMSE on original / plain", "augmented / built in, there"], rows)}

Ratios of RMSE, seed by seed: median (least to largest)."""


def _runs(options: dict[str, Any]) -> str:
    return ", ".join(f"{v} {k}" for k, v in options.get("runs", {}).items())


def _without_skill(t: Tables, dataset: str) -> set[tuple[str, str]]:
    """(backbone, symmetry) of the networks that say little more than that nothing moves."""
    frame = t["runs"]
    frame = frame[(frame.dataset == dataset) & frame.variant.isin(list(SYMMETRIES))]
    share = (frame.validation / frame.persistence).groupby([frame.backbone, frame.variant]).median()
    return {(str(b), str(v)) for (b, v), value in share.items() if not value <= SKILL}


def _baseline(t: Tables) -> str:
    """What persistence does not use."""
    frames = t.meta["settings"]["frames"]
    if frames < 2:
        return ""
    if _trivial(t["persistence"]):
        return (
            f"Persistence keeps the last state, but the networks see {frames}: the table of the test sets also has what repeating the last increment, and a parabola, give without any training. "
            "Skill here means better than standing still; the better one of these is the harder test.\n"
        )
    return (
        f"Persistence keeps the last state, but the networks see {frames}: repeating the last increment would cost nothing either, and these tables do not have that forecast. "
        "So skill here means better than standing still, and no more.\n"
    )


def _trivial(still: pd.DataFrame) -> dict[str, str]:
    """Columns of the forecasts without training that were measured, and what they are called."""
    return {k: v for k, v in {"increment": "last increment", "parabola": "parabola"}.items() if k in still and still[k].notna().all()}


def _trivial_table(still: pd.DataFrame) -> str:
    names = {"rmse": "last state", **_trivial(still)}
    if len(names) == 1:
        return ""
    columns = [(f"{name}_first" if first else name) for first in (True, False) for name in names]
    rows = [[str(row["test"]), *(f"{row[c]:.4f}" for c in columns)] for _, row in still.iterrows()]
    heads = [f"{word}, {what}" for what in ("first step", "all steps") for word in names.values()]
    return f"\n\nRMSE of forecasts that cost nothing:\n\n{table(['test set', *heads], rows)}"


def _code(word: str, words: dict[str, str]) -> str:
    return next(k for k, v in words.items() if v == word)


def _told(r: Ratio) -> str:
    return f"{r}, {WORD[r.sign]}" if len(r.values) >= 3 else str(r)


def _list(names: list[str]) -> str:
    return ", ".join(dict.fromkeys(names)) or "none"


def _data(t: Tables, dataset: str) -> str:
    s = t.meta["settings"]
    o, sizes = s["data"][dataset], t["sizes"]
    n = sizes[sizes.dataset == dataset].iloc[0]
    audit = t["audit"][t["audit"].dataset == dataset]
    broken = audit[(audit.element != "e") & (audit.p_value < 0.01)]
    text = {
        "rayleigh-benard": f"Rayleigh-Benard convection from `orbitscope.physics.RayleighBenard` at Ra = {o.get('rayleigh', 0):.0e}, Pr = 0.71, a layer {o.get('aspect', 0):g} times as long as high, "
        f"{4 * o['points']} cells across it, {o.get('spin_up', 0):g} free-fall times of spin-up; the velocity alone is kept, as in the paper. The base level is its means over 2 x 2 cells "
        f"every {o.get('dt', 0):g} free-fall times, cut into sub-regions of {o['points']} x {o['points']} cells (half the height of the layer). The published data were of Ra = 2.5e8 and not to be had any more. "
        f"Training, validation, test and new domain are different runs ({_runs(o)}). `future`: the training runs, {o['gap']} states after the last that was trained on. `domain`: other runs at Ra = {o.get('domain', {}).get('rayleigh', 0):.0e}.",
        "heat": f"The heat equation from 'heat.gauss', diffusivity {o.get('diffusivity', 0):g}, windows of {o['points']} x {o['points']} cells of a periodic box of {2 * o['points']}; the base level is its means over 2 x 2 of the solver's cells every {o.get('dt', 0):g}. "
        f"Training, validation, test and new domain are different runs ({_runs(o)}). `future`: the training runs, {o['gap']} states after the last that was trained on. `domain`: diffusivity {o.get('domain', {}).get('diffusivity', 0):g}.",
        "ocean": f"Ocean currents from {len(s['files'])} files, tiles of {o['points']} x {o['points']} cells; land is {o.get('land')}. Training is the first part of each file's time, then validation, then test, {o['gap']} days apart; `domain` is the last file.",
    }[dataset]  # fmt: skip
    still = t["persistence"][t["persistence"].dataset == dataset]
    rows = [[r.test, str(r.windows), f"{r.rms:.2f}", f"{r.rmse:.3f}", f"{r.spectrum:.2f}", _number(r.ese)] for r in still.itertuples()]
    lowest = audit[audit.element != "e"].p_value.min() if len(audit) > 1 else float("nan")
    found = (
        f"`orbitscope.audit` on the training windows rejects the invariance of their distribution under {_list(list(broken.element))} (two-sample test, p < 0.01; least p {lowest:.2g})."
        if len(broken)
        else f"`orbitscope.audit` on the training windows does not reject the invariance of their distribution under quarter turns (least p {lowest:.2g})."
    )
    return f"""## Data

{text} {int(n.train)} training windows of {int(n.length)} states, {int(n.validation)} for validation; no window shares a state with one of another split. {"The standard deviation" if dataset == "heat" else "One scale for both components, no mean,"} of the training windows alone is the *unit* of all errors.

Test windows of {s["frames"]} known and {s["steps"]} forecast states:

{_sets(t, dataset)}

{table(["test set", "windows", "rms / unit", "RMSE of persistence", "E(k) error of persistence", "ESE of persistence"], rows)}{_trivial_table(still)}

{_asymmetry(dataset, found)}"""


def _sets(t: Tables, dataset: str) -> str:
    known = set(t["tests"][t["tests"].dataset == dataset].test)
    power = "" if dataset == "heat" else "λ "
    words = {
        "translation": "`translation`: the same flow through windows moved along x.",
        "rotation": "`rotation`: quarter turns of places and components, not the identity.",
        "motion": "`motion`: w + c, |c_i| < 2 units: values only, as published.",
        "boost": "`boost`: the true Galilean boost along the periodic axis, w(x - ct, t) + c.",
        "magnitude": "`magnitude`: m w, 0 < m < 2.",
        "scale 2": f"`scale 1/2`, `scale 2`: {power}w(λx, λ²t)"
        + (", λ = 2 alone: means over 2 x 2 cells, every fourth day." if dataset == "ocean" else ". The solver's grid is twice as fine as the base level and its snapshots four times as dense, so all levels are exact means over cells at exact times: nothing is interpolated."),
    }  # fmt: skip
    return "\n".join(f"* {text}" for key, text in words.items() if key in known)


def _asymmetry(dataset: str, found: str) -> str:
    if dataset == "rayleigh-benard":
        return f"""**What a sub-region is not.** Gravity, plates and a buoyancy that no network is shown make sub-regions no sample of a process that quarter turns leave alone, though the paper (and this study) builds rotation into networks for them. {found}
Shifted values (`motion`) and turned windows are states that the physics does not produce there."""
    return f"**Is the file as symmetric as the network?** {found}"


def _models(t: Tables, dataset: str) -> str:
    s, frame = t.meta["settings"], t["runs"]
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
                    _spread(b.seconds, ".0f"),
                    _spread(b.validation / b.persistence, ".3f"),
                    str(len(b)),
                ]
            )
    o = s["training"]
    return f"""## Networks

{s["frames"]} states in, the next one out; one-step SMSE, AdamW, {o["epochs"]} passes, batches of {o["batch"]}, rate {o["learning_rate"]:g} annealed, best validation epoch. All beyond the edge of a window is its last cell repeated. *Plain* is the same code and shape with the trivial group; hidden widths are such that the parameters of a backbone are about as many.
*Augmented*: the plain network on training data moved by random elements of the same kind (rotation: anew at every step; the others: {o["copies"]} moved copies, seen once each, so that all networks make the same number of steps). Cost is processor time of one thread.

{table(["backbone", "network", "model", "parameters", "training, CPU s", "validation SMSE / persistence", "seeds"], rows)}"""


def _errors(t: Tables, dataset: str) -> str:
    tests, still = t["tests"], t["persistence"]
    tests, still = tests[tests.dataset == dataset], still[still.dataset == dataset].set_index("test")["rmse"]
    columns = present(tests, "test", TESTS)
    form = ".3f" if tests.rmse.median() < 0.1 else ".2f"
    rows = [["", "persistence", *(format(still[c], form) for c in columns)]]
    for backbone in present(tests, "backbone", BACKBONES):
        for variant in present(tests[tests.backbone == backbone], "variant", VARIANTS):
            block = tests[(tests.backbone == backbone) & (tests.variant == variant)]
            rows.append([BACKBONES[backbone], SHORT[variant], *(_spread(block[block.test == c].rmse, form) for c in columns)])
    wild = int((tests.wild > 0).sum())
    blown = "" if not wild else f" In {wild} of {len(tests)} forecasts some window left the bound of 1000 units and counts as that."
    steps = t.meta["settings"]["steps"]
    return f"""## RMSE by network and test set

Root mean square over windows, {steps} autoregressive steps, components and cells, in units of the training data; median (range) over seeds.{blown}

{table(["backbone", "network", *columns], rows)}

{_boost(t, dataset)}"""


def _boost(t: Tables, dataset: str) -> str:
    rows = []
    for backbone in BACKBONES:
        r = ratio(t["tests"], dataset, backbone, "boost", "motion", "plain")
        if r.values:
            rows.append(f"{BACKBONES[backbone]}: {_told(r)}")
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
            rows.append([BACKBONES[backbone], SHORT[variant], *(_spread(block[block.symmetry == c].error, ".1e") for c in columns)])
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
    for backbone in present(tests, "backbone", BACKBONES):
        for variant in present(tests[tests.backbone == backbone], "variant", VARIANTS):
            block = tests[(tests.backbone == backbone) & (tests.variant == variant)]
            rows.append(
                [
                    BACKBONES[backbone],
                    SHORT[variant],
                    *(_spread(block[block.test == c].spectrum, ".2f") for c in sets),
                    *(_spread(block[block.test == c].ese, ".2f") for c in sets),
                ]
            )
    return f"""## Spectra

*E(k) error*: root mean square of log10 of the ratio of energy spectra (`orbitscope.emulators.spectrum_error`, Hann window): 0.3 is a factor of 2. *ESE* is the measure published with these networks (`orbitscope.emulators.ese`): the spectrum of the *image* of turbulent energy, which sees no mean flow and no sign; for velocities only.

{table(["backbone", "network", *(f"E(k) error, {c}" for c in sets), *(f"ESE, {c}" for c in sets)], rows)}"""


def _published(t: Tables, dataset: str) -> str:
    """Only ratios to the plain network, only on the two sets that exist in both."""
    tests = t["tests"]
    rows = []
    if dataset == "heat":
        return ""
    idle = _without_skill(t, dataset)
    for backbone in BACKBONES:
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


def _limits(t: Tables) -> str:
    s = t.meta["settings"]
    absent = [f"{SHORT[v]} {BACKBONES[b]}" for b in s["models"] for v in s["variants"] if not v.startswith("augmented") and
              t["tests"][(t["tests"].backbone == b) & (t["tests"].variant == v)].empty]  # fmt: skip
    missing = f" Not measured: {', '.join(absent)}." if absent else ""
    return f"""## Limits

Small networks, few steps of training, small windows; seeds vary the weights and the order of the data, not the data. Ranges over seeds are no intervals of confidence. Velocities alone do not determine the flow: the temperature that drives it is hidden, as in the paper.
Windows are open on all sides: what flows in is unknown, which bounds every forecast, and no network is told where the plates are. The published test sets differ: their rotated set was not rotated by its script, and their scaled set was interpolated without a filter.{missing}{_ladder(t)} `full.toml` holds sizes towards the paper's."""


def _ladder(t: Tables) -> str:
    kinds = [k["scale"] for k in t.meta["settings"]["models"].values() if "scale" in k]
    options = [k["overrides"] for k in kinds if k["model"] in ("scale_resnet", "scale_unet")]
    if not options or t["tests"][t["tests"].variant == "scale"].empty:
        return ""
    reach = max(o.get("finest", 0.3) * o.get("ratio", 2.0) ** (o.get("levels", 5) - 1) for o in options)
    return f" The ladder of Equ-Scale ends at filters with a standard deviation of {reach:g} cells; whether a longer one, or more training, would help was not tested."


def _spread(values: pd.Series, form: str) -> str:
    known = values.dropna()
    if known.empty:
        return "–"
    if len(known) == 1:
        return format(known.iloc[0], form)
    return f"{format(known.median(), form)} ({format(known.min(), form)}–{format(known.max(), form)})"


def _number(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.2f}"
