# ruff: noqa: E501 - prose templates
"""docs/studies/approximate-equivariance.md from the tables of a study: no number in it is typed in by hand."""

import json
from pathlib import Path

import figures
import pandas as pd
from findings import findings, published_tracking, tracking_rows, zero_rows
from harness import Tables, table
from judgement import FEWEST, SKILL
from page_head import head_part
from study import DATA, MODELS
from tables import KEY, by_element, errors, interval, number, own, pointing, true_breaking
from trivial import TRIVIAL
from wins import wins_part

from orbitscope._whole import write_whole

PAGE = "approximate-equivariance.md"
ORDER = list(MODELS)


def write_page(results: Path, docs: Path) -> Path:
    """Figures, then the page; same tables, same bytes."""
    tables = Tables(results, [*KEY, "element"])
    drawn = figures.draw(tables, results, docs)
    parts = [head_part(tables), _found(tables), _figure("plumes", drawn), _sets(tables), _errors(tables), _sweep(tables, drawn), _learnt(tables, drawn),
             _elements(tables, drawn), _zero(tables, drawn), _costs(tables), _differences(), _limits(tables)]  # fmt: skip
    text = "\n\n".join(p for p in parts if p) + "\n"
    write_whole(docs / PAGE, lambda part: part.write_text(text, encoding="utf-8"))
    return docs / PAGE


def _figure(name: str, drawn: list[str]) -> str:
    doc = {
        "plumes": "Smoke of unseen plumes, one per side, at the end of a forecast on the most broken set (first seed): truth, then the forecasts.",
        "error": "Error on the sets with 1 : 1+m : 1+2m : 1+3m by how much the law departs from quarter turns: median and range over seeds. Large open markers (plain: a cross): smoke-R.",
        "learnt": "Departure of the networks (left; dashed: the law's own) and change of their kernels (right) against the departure of the law, a point per training; open markers: smoke-R.",
        "elements": "By element of D4, where the law keeps some and breaks others: the law (top), the networks, their kernels; median and range over seeds.",
        "alpha": "Departure under quarter turns with exactly symmetric data by the weight of the penalty: median and range over seeds.",
    }[name]
    return f"![{doc}]({figures.STEM}-{name}.png)\n\n*{doc}*" if name in drawn else ""


def _found(t: Tables) -> str:
    rows = [[f.question, f.rule, f.answer] for f in findings(t)]
    text = "## What was asked, and what was found\n\nError: RMSE of the velocity, with its root, over all steps of a forecast. "
    text += "*Departure* of a law or a network under g: root mean square of $g^{-1} f(g x) - f(x)$ over what one step changes, on states of unseen tasks; the law is the solver with the force of the side that the moved plume comes from. "
    seeds = len(set(t["runs"].seed) & set(t.meta["settings"]["seeds"])) if len(t["runs"]) else 0
    text += f'{seeds} seed{"s" if seeds != 1 else ""} here{", too few for an interval" if seeds < FEWEST else ""}; "undetermined" does not say that two errors are equal.'
    return text + "\n\n" + table(["question", "rule", "here"], rows)


def _sets(t: Tables) -> str:
    frame = true_breaking(t)
    if frame.empty:
        return ""
    rows = []
    order = {d: n for n, d in enumerate(DATA)}
    for (data, level), b in sorted(frame.groupby(["data", "level"]), key=lambda one: (order[one[0][0]], one[0][1])):
        forces = " : ".join(number(b[f"force_{k}"].mean()) for k in range(4) if f"force_{k}" in b and b[f"force_{k}"].notna().any())
        if data in ("translation", "scale"):
            forces = "by place" if data == "translation" else "by box"
        rows.append(
            [
                DATA[str(data)],
                f"{level:g}",
                forces,
                number(b.data_error.median()),
                number(b.relative_data_error.median()),
                number(b.law.median()),
            ]
        )
    head = [
        "set",
        "m, or `breaking`",
        "force: bottom : right : top : left",
        "published data error",
        "the same over mean speed",
        "departure of the law",
    ]
    text = "## The sets, and how much their symmetry is broken\n\nThe published data error is the mean absolute difference of velocities between a task, moved back, and its like (the bottom one; the mirror image; the smallest box), averaged over the whole run: it grows as two runs part. "
    text += "The departure of the law is of one step, and is what a network should learn. For the quarter turns it is the mean over r, r2, r3; for smoke-T the flip of x, which exchanges the weak and the strong half; for smoke-S there is none, because lengths are in units of the box: no plume is a zoomed copy of another, and what differs is the force. Medians over seeds.\n\n"
    return text + table(head, rows)


def _errors(t: Tables) -> str:
    frame = errors(t)
    if frame.empty:
        return ""
    text = [
        "## Forecasts on the published sets",
        "RMSE of the velocity, median (least to largest) over seeds; over the whole forecast, of the first and of the last step. Published: 64 x 64 cells, 20 steps, ten frames in; those numbers are not comparable.",
    ]
    for data, level in (("rotation", 1.0), ("translation", 1.0), ("translation", 0.0), ("scale", 1.0)):
        block = frame[(frame.data == data) & (frame.level == level)]
        if block.empty:
            continue
        rows = []
        for model in (m for m in ORDER if m in set(block.model)):
            mine, line = block[block.model == model], [MODELS[model]]
            for part in ("domain", "future"):
                one = mine[mine.part == part]
                line += [_spread(one.rmse), number(one["first"].median()), number(one["last"].median())]
            rows.append(line)
        for name, words in TRIVIAL.items():
            still = [number(block[block.part == p][name].median()) for p in ("domain", "future")]
            rows.append([words, still[0], "", "", still[1], "", ""])
        title = DATA[data] + ("" if level == 1 else ", the same force everywhere (`breaking` 0)")
        text += [f"### {title}", table(["network", "unseen tasks", "step 1", "last", "later times", "step 1", "last"], rows)]
    return "\n\n".join(text)


def _spread(values: pd.Series) -> str:
    return "–" if values.empty else f"{number(values.median())} ({interval(values.min(), values.max())})"


def _sweep(t: Tables, drawn: list[str]) -> str:
    frame = errors(t)
    frame = frame[frame.data == "ramp"] if not frame.empty else frame
    if frame.empty:
        return ""
    truth = true_breaking(t).groupby(["data", "level"]).law.median()
    tables_ = []
    for part, title in (("domain", "Unseen rounds"), ("future", "Later times")):
        models = [m for m in ORDER if m in set(frame.model)]
        rows = []
        for level, block in frame[frame.part == part].groupby("level"):
            shares = {m: (block[block.model == m].rmse / block[block.model == m].trivial) for m in models}
            rows.append([f"{level:g}", number(truth.get(("ramp", level), float("nan"))), *(_spread(shares[m]) for m in models)])
        tables_.append(f"{title}:\n\n" + table(["m", "departure of the law", *(MODELS[m] for m in models)], rows))
    text = f"## Error against the amount of breaking\n\nRMSE of the velocity over the whole forecast, over that of the best trivial forecast; skill is {SKILL**0.5:.2f} or less (half in squares). Median (least to largest) over seeds. "
    text += "A strict network can be right about plumes of unequal force, as far as the plume itself shows its force (a strong one is faster): only what cannot be seen counts against it."
    return "\n\n".join(p for p in (text, *tables_, _figure("error", drawn), wins_part(t)) if p)


def _learnt(t: Tables, drawn: list[str]) -> str:
    rows = [
        [
            MODELS[r["model"]],
            r["words"],
            str(r["count"]),
            number(r["rho"]),
            interval(r["low"], r["high"]),
            f"{r['rises']} of {r['seeds']}",
            number(r["zero"]),
            number(r["top"]),
            number(r["law"]),
        ]
        for r in tracking_rows(t)
    ]
    if not rows:
        return ""
    head = [
        "network",
        "learnt",
        "sets",
        "Spearman with the law",
        "95 % interval",
        "seeds on which it rises with every level",
        "at m = 0",
        "at the largest m",
        "law there",
    ]
    text = "## Does the learnt breaking track the true one?\n\nOver levels and seeds, every set with data and weights of its own. The two quantities are in the same unit for networks (departure); kernels have their own. "
    theirs = table(
        ["published network", "Spearman with the data error", "least error", "largest"],
        [[name, number(rho), number(a), number(b)] for name, rho, a, b in published_tracking()],
    )
    note = "Published, for comparison (ten sets, one seed, header of `run_equiv_test.py` of their code; absolute velocities): the error of the plain network follows the data error as well as any. In those sets the mean force grows with m, and all velocities with it, so an absolute error rises for a network that learnt nothing about sides; here mean force and unit do not change with m."
    return "\n\n".join(p for p in (text, table(head, rows), _figure("learnt", drawn), note, theirs) if p)


def _elements(t: Tables, drawn: list[str]) -> str:
    frame = by_element(t)
    if frame.empty:
        return ""
    rows = []
    for (data, model), block in frame.groupby(["data", "model"], sort=False):
        largest = block.law.max()
        kept, broken = block[block.law < 0.1 * largest], block[block.law >= 0.1 * largest]
        scores = {v: float(pd.Series([pointing(b, v) for _, b in block.groupby("seed")]).mean()) for v in ("departure", "broken")}
        rows.append(
            [DATA[str(data)], ", ".join(dict.fromkeys(kept.element)), MODELS[str(model)], f"{number(kept.departure.median())} / {number(broken.departure.median())}",
             f"{number(kept.broken.median())} / {number(broken.broken.median())}", number(scores["departure"]), number(scores["broken"])]
        )  # fmt: skip
    head = [
        "set",
        "the law keeps",
        "network",
        "network departs: kept / broken",
        "kernels change: kept / broken",
        "points, network",
        "points, kernels",
    ]
    text = "## Is it the right element?\n\nD4 networks on rounds where one side, or one axis, has the stronger force. If the top pushes harder, the flip that exchanges left and right is still a symmetry and nothing else is; if bottom and top do, half a turn and both flips are. "
    text += "*Points*: the share of pairs (kept, broken) where the broken one has the larger value; chance is 0.5. The weights of single elements (`share`) are not read out: which element of a hidden regular field stands for which direction is a matter of the kernel's own orientation, so only differences between elements mean anything."
    return "\n\n".join(p for p in (text, table(head, rows), _figure("elements", drawn)) if p)


def _zero(t: Tables, drawn: list[str]) -> str:
    by = zero_rows(t)
    if by.empty:
        return ""
    frame = t["errors"]
    frame = frame[(frame.data == "ramp") & (frame.level == 0) & (frame.field == "velocity") & (frame.part == "domain")]
    squares = frame.assign(square=frame.rmse**2).groupby(["model", "alpha", "seed"], dropna=False).square.mean() ** 0.5
    rows = []
    for model in (m for m in ORDER if m in set(by.model)):
        for alpha, block in by[by.model == model].groupby("alpha", dropna=False):
            error = squares.loc[model]
            error = error[error.index.get_level_values("alpha").isna()] if pd.isna(alpha) else error.xs(alpha, level="alpha")
            rows.append(
                [
                    MODELS[model],
                    "–" if pd.isna(alpha) else f"{alpha:g}",
                    _spread(block.departure),
                    number(block.ratio.median()),
                    _spread(error),
                ]
            )
    head = ["network", "alpha", "departure under quarter turns", "over the plain network's", "RMSE, unseen rounds"]
    text = "## Where nothing is broken\n\nAt m = 0 the four plumes of a round are turned copies to the last bit. A relaxed network starts exactly equivariant and needs nothing else; what it leaves is noise of the training, and what the penalty is for."
    return "\n\n".join(p for p in (text, table(head, rows), _figure("alpha", drawn)) if p)


def _costs(t: Tables) -> str:
    frame = own(t, "runs")
    if frame.empty:
        return ""
    rows = []
    groups = {"ramp": "rotation sets", "rotation": "rotation sets", "one": "rotation sets", "axis": "rotation sets"}
    frame = frame.assign(where=[groups.get(d, DATA[d]) for d in frame.data], group=frame.group.fillna("–"))
    for (where, model, group), b in frame.groupby(["where", "model", "group"], sort=False):
        rows.append(
            [
                str(where),
                MODELS[str(model)],
                str(group),
                f"{int(b.parameters.median()):,}",
                f"{int(b.epochs.max())}",
                f"{b.cpu_seconds.median():.0f} s",
            ]
        )
    text = "## Parameters and cost\n\nOn the rotation sets cost is matched: equal channels, equal kernels a layer, so that the plain network has the most parameters (the strict one's count holds its weights of cells, which stay 1). The weights per place and the ladder of scales are matched to neither. Processor time of a training on one thread of a crowded machine, median over alphas that were chosen."
    return text + "\n\n" + table(["sets", "network", "group", "parameters", "epochs", "processor time"], rows)


def _differences() -> str:
    return """## What is done differently from the published code

* Relaxed layers start exactly equivariant (there the steerable ones start at random), every weight gets a gradient, the penalty is linear in alpha (there squared, and skipped on a CPU), the networks have nonlinearities throughout. All of that is tested.
* Vectors turn as vectors do in space: x first, components along the axes. There, positions turned one way and components the other.
* Parts share neither states (but for the one that a forecast of later times starts from) nor turned copies; the normalisation sees training states only. There, training and validation windows overlap in time.
* The error has its root; the departure of the law is measured by the solver, in the unit of the networks' own."""


def _left_out(runs: pd.DataFrame) -> str:
    """What smoke-S is worth, and which sets only a larger config has."""
    known = set(runs.data) if len(runs) else set()
    scale = "* smoke-S has no zoomed plumes in its units, as published; it tests the ladder as an architecture, not a symmetry."
    missing = [DATA[d] for d in ("translation", "scale", "one", "axis") if d not in known]
    rest = f"* Not measured here, but in `full.toml`: {', '.join(missing)}." if missing else ""
    return "\n".join(line for line in (scale if "scale" in known else "", rest) if line)


def _limits(t: Tables) -> str:
    s = t.meta["settings"]
    return f"""## Limits

* Size: {s["resolution"]} x {s["resolution"]} cells and {s["train"]["epochs"]} epochs against 64 x 64 and up to 1000 published; sharing weights helps most where data and training are short. `full.toml` has the published size.
* Equal cost, not equal parameters: at equal parameters the strict network would be wider and dearer. No learning rate was tuned for any network.
* One frame in, one-step loss. With more frames the force of a plume can be seen, and a strict network would have less to lose.
* The departure of the law is taken on moved states that the data may not hold (a fast plume on a weak side): a network can depart less than the law and still be right on all data.
* The departure of a network also holds what it got wrong on either state: a poor network that is not strict departs.
{_left_out(t["runs"])}
* Walls break translations in all sets, and the networks' mirrored walls with them.
* Levels, seeds and elements are few; intervals say so.

Settings: `{json.dumps({"models": s["models"], "others": s["others"]})}`. Tables: `studies/approximate_equivariance/results/{s["name"]}/`."""
