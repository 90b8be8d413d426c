# ruff: noqa: E501 - prose templates
"""docs/studies/symmetry-breaking.md from the tables: no number in it is typed in by hand."""

from pathlib import Path

import figures
import pandas as pd
from harness import Tables, table, took, versions
from laws_page import WIDE, amplitude, fields
from scipy.stats import binomtest
from speed_page import STEP, speed_section
from tables import CONTROL, FORBIDDEN, PRESENT, STUCK, groups, leading, of, right, said, spread
from tasks import COMPARED, CONTROLS, TASKS, VARIANTS

from orbitscope._whole import write_whole

PAGE = "symmetry-breaking.md"
DIRECTION, MAGNITUDE = 2.0, 0.05


def write_page(results: Path, docs: Path) -> Path:
    """Figures, then the page; same tables, same bytes."""
    t = Tables(results)
    frame = t["seeds"]
    figures.draw(frame, docs)
    parts = [
        _head(t), _bars(t, frame), _read_off(frame), _controls(frame), fields(frame), amplitude(frame), _trap(frame), _baselines(frame),
        _calibration(t), speed_section(t), _limits(t),
    ]  # fmt: skip
    text = "\n\n".join(p for p in parts if p) + "\n"
    write_whole(docs / PAGE, lambda part: part.write_text(text, encoding="utf-8"))
    return docs / PAGE


def _done(frame: pd.DataFrame) -> list[str]:
    return [name for name in TASKS if len(of(frame, name))]


def _head(t: Tables) -> str:
    s = t.meta["settings"]
    return f"""# Study: how much symmetry is broken, which, and what is left

Written by `studies/symmetry_breaking/run.py --config {s["name"]}.toml`; every number below comes from result files. A network on points starts exactly E(3)-equivariant. Relaxed weights θ, a sum of irreps of O(3) that starts at 0 beside a scalar fixed at 1, may leave it. What they become is read off as order parameters: which irreps, how large, and which group they leave (`symmetry.stabiliser`). Theory says that a component stays 0 if the symmetry that inputs and answers share forbids it; the tasks are ones where that symmetry is known.

Recipe: θ shared by all layers, fixed coefficients, radial functions without the trap of being proportional to the distance, one second moment of Adam for the whole of θ (`training.BlockAdamW`), and three stages: θ held at 0; θ free under a penalty on the length of each irrep, which sets irreps that are not needed to exactly 0; those that are left free without it. {s["steps"]} full-batch steps for a task of unit length, {len(s["seeds"])} seeds for the recipe and {s["baseline_seeds"]} for all that it is compared with; {t.meta["measured_runs"]} of {t.meta["planned_runs"]} planned jobs (a job is one kind of network on one task, all seeds at once) are here. Settings were chosen on seeds from 100 up. So was the pendulum's network, after a narrower one had missed its bar on these seeds; that a run on its first trajectories tries two first weights came after one of these seeds had ended far above the training error of the others. Errors are squared and relative to the size of the answer, irrep by irrep: 1 is a mean answer."""


def _bars(t: Tables, frame: pd.DataFrame) -> str:
    return "## The bars\n\n" + table(["bar", "measured", "word"], bars(t, frame))


def bars(t: Tables, frame: pd.DataFrame) -> list[list[str]]:
    """Every bar, what was measured, and "met" or "missed"."""
    done = _done(frame)
    relaxed = frame[frame.variant == "relaxed"]
    ok = {name: right(of(frame, name), name) for name in done}
    runs, hits = sum(map(len, ok.values())), sum(int(v.sum()) for v in ok.values())
    seeds = min((len(v) for v in ok.values()), default=0)
    known = relaxed.forbidden.dropna()
    stuck = relaxed[[r.task not in CONTROLS and r.train > STUCK for r in relaxed.itertuples()]]
    exact = [name for name in ("fields", "fields-tilted", "fields-noisy") if name in done]
    angles = pd.concat([of(frame, n)[["electric_angle_response", "magnetic_angle_response"]] for n in exact]) if exact else pd.DataFrame()
    sizes = (
        pd.concat([of(frame, n)[["electric_size_response", "magnetic_size_response"]].abs() for n in exact]) if exact else pd.DataFrame()
    )
    control = relaxed[relaxed.task.isin(CONTROLS)]
    rows = [
        [
            "support pattern right in every run, ten seeds or more",
            f"{hits} of {runs} runs, {seeds} seeds a task",
            _word(runs > 0 and hits == runs and seeds >= 10),
        ],
        [
            "forbidden components at most 1e-12",
            f"largest {said(known.max())} in {len(known)} runs",
            _word(len(known) > 0 and known.max() <= FORBIDDEN),
        ],
        [f"no stuck run (training error above {STUCK})", f"{len(stuck)} of {len(relaxed)}", _word(len(stuck) == 0)],
        [
            f"field directions within {DIRECTION:g} degrees",
            f"largest {said(angles.max().max())}",
            _word(len(angles) > 0 and angles.max().max() <= DIRECTION),
        ],
        [
            f"field sizes within {100 * MAGNITUDE:g} %",
            f"largest {100 * sizes.max().max():.2g} %",
            _word(len(sizes) > 0 and sizes.max().max() <= MAGNITUDE),
        ],
        [f"direction of gravity from a damped pendulum within {DIRECTION:g} degrees", *_gravity(frame)],
        [
            f"controls: |θ| below {CONTROL:g}",
            f"largest {said(control.theta.max())} in {len(control)} runs",
            _word(len(control) > 0 and control.theta.max() < CONTROL),
        ],
    ]
    if "speed" in t:
        speed = t["speed"]
        layer = speed[speed.what == "layer"]
        step = speed[(speed.what == "step") & ~speed.irreps.str.contains("filters")]
        rows += [
            [
                f"a training step at most {STEP:g} times the strict network's",
                "; ".join(f"{r.ratio:.2f} ({r.irreps})" for r in step.itertuples()),
                _word(bool((step.ratio <= STEP).all())),
            ],
            [
                "ahead of e3nn's fully connected product in one run",
                f"{layer.ratio.min():.1f} to {layer.ratio.max():.1f} times as fast",
                _word(bool((layer.ratio > 1).all())),
            ],
        ]
    return rows


def _gravity(frame: pd.DataFrame) -> tuple[str, str]:
    some = pd.concat([of(frame, name) for name in WIDE])
    if not len(some):
        return "–", "not measured"
    worst = some.gravity_angle.max()
    told = f"largest {said(worst)}, median {said(some.gravity_angle.median())} in {len(some)} runs"
    return told, _word(worst <= DIRECTION)


def _word(good: bool) -> str:
    return "met" if good else "missed"


def _read_off(frame: pd.DataFrame) -> str:
    rows = []
    for name in _done(frame):
        if name in CONTROLS:
            continue
        some, task = of(frame, name), TASKS[name]
        used = [i for i in ("0o", "1o", "1e", "2o", "2e", "3o", "3e", "4o", "4e") if (some[f"size_{i}"] > PRESENT).mean() > 0.5]
        sizes = "; ".join(f"{i}: {spread(some[f'size_{i}'])}" for i in used)
        shares = "; ".join(f"{i}: {spread(some[f'owed_{i}'])}" for i in used)
        rows.append([
            task.title, ", ".join(task.leading), f"{int(right(some, name).sum())} of {len(some)}", sizes, shares, groups(some, "group"),
            groups(some, "joint") if some.joint.notna().any() else "–", said(some.forbidden.max()), said(some.test.median()),
        ])  # fmt: skip
    header = [
        "task",
        "must lead",
        "pattern right",
        "size of θ (mean ± sd over seeds)",
        "share of the answer",
        "group of θ",
        "with the inputs' group",
        "largest forbidden",
        "held-out error, median",
    ]
    return f"""## What is read off

"Pattern right": the irreps without which the task cannot be done are there (above {PRESENT:g}), and where the examples are closed under the group that inputs and answers share, no component that it forbids exceeds {FORBIDDEN:g}. "Group of θ" is its stabiliser by Schoenflies symbol (C∞v: a direction; D∞h: an axis). "With the inputs' group": the elements of the cube's group that leave θ alone; this is what the map keeps. Penalised weights take the fewest irreps that do: a polar direction and a cubic crystal are C4v, C2v or C3v together, and nothing of degree 4 is needed to say so.

{table(header, rows)}

![What the answer owes to each irrep](symmetry-breaking-pattern.png)

*What the answer owes to each irrep: θ times the derivative of the answer, root mean square over that of the answer, median over seeds. It does not change where θ grows and what multiplies it shrinks. 0: set to exactly 0.*

Sizes of θ are comparable between seeds as far as their standard deviation says, and no further: θ and the weights beside it can trade a factor. Shares of the answer cannot. The sign of a 2e of one shape is a convention of the run: {_signs(frame)}."""


def _signs(frame: pd.DataFrame) -> str:
    found = []
    for name in ("cube-prism", "cube-box", "diffusion"):
        some = of(frame, name)
        if len(some) and "sign_2e" in some:
            positive = int((some.sign_2e > 0).sum())
            found.append(f"{TASKS[name].title}: {positive} of {len(some)} positive")
    return "; ".join(found) or "not measured"


def _controls(frame: pd.DataFrame) -> str:
    rows = []
    for name in CONTROLS:
        some, once = of(frame, name), of(frame, name, "one-stage")
        if len(some):
            other = said(once.theta.median()) if len(once) else "–"
            rows.append([TASKS[name].title, f"{len(some)}", said(some.theta.max()), other, said(some.test.median())])
    return f"""## Controls: nothing is broken

Maps that are exactly equivariant. A network may use what the group allows without needing it: cube to cube allows 4e, and without the stages it is used. So a size that is not 0 in such a run is no evidence of breaking.

{table(["control", "seeds", "largest |θ|", "the same in one stage without penalty, median", "held-out error, median"], rows)}"""


def _trap(frame: pd.DataFrame) -> str:
    rows = []
    for name in COMPARED:
        for variant in ("relaxed", "one-stage", "single"):
            some = of(frame, name, variant)
            if len(some):
                rows.append([
                    TASKS[name].title, VARIANTS[variant], f"{len(some)}", said(some.forbidden.median()), said(some.forbidden.max()), said(some.train.median()),
                    f"{int(leading(some, name).sum())} of {len(some)}", groups(some, "joint"),
                ])  # fmt: skip
    if not rows:
        return ""
    return f"""## Traps: Adam's single moments, and one stage

The same networks with Adam's usual second moment for every component: rounding errors of forbidden components become steps of full size. The loss does not tell.

{table(["task", "training", "seeds", "forbidden, median", "forbidden, largest", "training error", "what must lead leads", "with the inputs' group"], rows)}

{_price(frame)}

![Forbidden components against the training error](symmetry-breaking-forbidden.png)

*Largest component that theory forbids, against the training error, run by run. Dashed: the bar.*"""


def _price(frame: pd.DataFrame) -> str:
    """What the stages cost: training error over that of one stage."""
    found = []
    for name in COMPARED:
        some, once = of(frame, name), of(frame, name, "one-stage")
        if len(some) and len(once):
            found.append(f"{TASKS[name].title} {some.train.median() / once.train.median():.1f}")
    return (
        f"The stages have a price: fewer irreps, and fewer steps with them, leave another training error. Times that of one stage, by medians: {'; '.join(found)}."
        if found
        else ""
    )


def _baselines(frame: pd.DataFrame) -> str:
    rows = []
    for name in _done(frame):
        if not TASKS[name].baselines:
            continue
        cells = [of(frame, name, v).test for v in ("relaxed", "residual", "coordinates", "strict")]
        rows.append([TASKS[name].title, *(said(c.median()) if len(c) else "–" for c in cells)])
    return f"""## Held-out error beside other networks

Strict: the same network without relaxed weights. Residual pathway: the strict network plus a plain one on the coordinates that starts at 0, under a penalty. Plain: on all coordinates at once. Median over seeds; where a task has a handful of training examples (shapes, crystals) the held-out ones are of other sizes, and of nothing else: there a plain network has to interpolate a function of one number, and {_plain(frame)}. That says nothing about turned examples, of which there are none: what is broken is broken in the frame of the data.

{table(["task", *(VARIANTS[v] for v in ("relaxed", "residual", "coordinates", "strict"))], rows)}

![Held-out errors](symmetry-breaking-errors.png)

*Held-out errors, all seeds. Dotted: a mean answer.*"""


def _plain(frame: pd.DataFrame) -> str:
    """In how many of the tasks with several sizes the plain network's error is smaller."""
    names = [n for n in _done(frame) if TASKS[n].group in ("shape", "phase") and TASKS[n].leading and len(of(frame, n, "coordinates"))]
    wins = [n for n in names if of(frame, n, "coordinates").test.median() < of(frame, n).test.median()]
    return f"does better than the relaxed one in {len(wins)} of {len(names)}" if names else "was not trained"


def _calibration(t: Tables) -> str:
    """How often the name of a group is right."""
    if "calibration" not in t:
        return ""
    frame = t["calibration"]
    tolerance, planted = float(frame.tolerance.iloc[0]), frame[frame.planted != "C1"]
    within, beyond = planted[planted.noise < tolerance], planted[planted.noise > tolerance]
    none = frame[frame.planted == "C1"]
    rows = [
        [what, str(len(some)), str(int(wrong.sum())), _rate(int(wrong.sum()), len(some))]
        for what, some, wrong in (
            (
                "missed: another name than the planted group's, noise at most a tenth of the tolerance",
                within,
                within.named != within.planted,
            ),
            ("false alarm: a group other than C1 for random tensors", none, none.named != "C1"),
            ("false alarm: a group other than C1 where noise of five tolerances has broken it", beyond, beyond.named != "C1"),
        )
    ]
    each = "; ".join(f"{g}: {int((s.named != g).sum())} of {len(s)}" for g, s in within.groupby("planted", sort=False))
    return f"""## How often the name is right

`studies/symmetry_breaking/calibration.py`: random tensors of all irreps of a relaxed network, made invariant under a group, turned at random, with noise of a length relative to theirs; the name is that of `symmetry.stabiliser` at a tolerance of {tolerance:g}. Rates with 95 % intervals (Clopper and Pearson); {frame.machine.iloc[0]}.

{table(["what", "draws", "wrong", "rate"], rows)}

Missed, by planted group: {each}. Nothing is said of noise near the tolerance, where either name can be had."""


def _rate(wrong: int, draws: int) -> str:
    found = binomtest(wrong, draws).proportion_ci(method="exact")
    return f"{100 * wrong / draws:.0f} % ({100 * found.low:.0f} to {100 * found.high:.1f} %)"


def _limits(t: Tables) -> str:
    return f"""## Limits

* Theory speaks of examples that the group maps onto themselves. Shapes and crystals are; the vectors of the fields (across) and of diffusion are made so by adding their images. Where they are not (tilted fields, pendulum, clusters) nothing is said to be forbidden.
* Gravity has the symmetry of a cone (C∞v), but no finite set of examples is closed under it: that θ names it, or how nearly, is a result and no theorem.
* Displacements of the perovskite are a model mode with numbers of this package; those of BaTiO3 follow published ones of the tetragonal phase (measured edges, computed heights of the ions), are the same mode in every phase and leave the cell as it is. Transitions are given, not simulated.
* Held-out shapes and crystals differ in size; the radial functions have to interpolate between very few sizes, which is most of the held-out error there.
* The penalty that selects irreps shrinks nothing in the end (the last stage is free), but an irrep that it removed wrongly would not come back.

{took(t.meta)}; {versions(t.meta)}; {t.meta["date"]}."""
