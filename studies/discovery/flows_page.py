# ruff: noqa: E501 - prose templates
"""The section on our own flows of the study's page, from what `flows_study.py` found: no number in it is typed in by hand."""

import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from flow_motions import DIRECTIONS, KNOWN, TRUTH
from flows import ANSWERED, MEDIA, SEEN
from harness import table

from orbitscope._whole import write_whole
from orbitscope.discover import HOLDS, WIDEST

FIGURE = "discovery-flows.png"
BAR = 8.0  # degrees, as for the suite
BLIND = 0.25  # predictors that disagree by so much cannot tell, as in the evidence
COLOURS = dict(zip(MEDIA, ("#0072B2", "#009E73", "#E69F00", "#D55E00"), strict=True))
Row = dict[str, Any]


def section(results: Path, docs: Path) -> str:
    """The section, its figure written to `docs`; nothing where there are no results."""
    file = results / "flows.json"
    if not file.exists():
        return ""
    kept = json.loads(file.read_text(encoding="utf-8"))
    rows, other = kept["rows"], results / "emulators.json"
    emulators = json.loads(other.read_text(encoding="utf-8"))["rows"] if other.exists() else []
    _draw(rows, emulators, docs)
    parts = [
        _head(),
        _media(rows),
        _bars(rows),
        _figure(),
        _emulator(rows, emulators),
        f"Written from `studies/discovery/flows_study.py`; {kept['machine']}.",
    ]
    return "\n\n".join(p for p in parts if p)


def _head() -> str:
    return f"""## Our own flows: boosts and turns

Incompressible flow in the plane (`navier-stokes.gauss`, random vortices, each flow in a mean wind of its own), seen in charts of {SEEN} x {SEEN} points at random places: velocity now, vorticity on {ANSWERED} x {ANSWERED} points a step later. Predictors are {ANSWERED * ANSWERED} separate regressions for the {ANSWERED * ANSWERED} points, with filters that depend on the local velocity as a polynomial; no motion is built in. What is searched has {len(DIRECTIONS)} dimensions: gl(2) on places, another gl(2) on the components of velocity, translations of the two states apart from each other, an offset of velocity, and a factor of the vorticity. A Galilean boost is one direction of it: the offset c and, of the later state alone, the translation by c times the step. In three other media the law allows less: with much viscosity no dilation, with viscosity along x alone no turn either, and with friction on a ground that stands still no boost. `gradient` alone is asked: how many motions hold is the question, and `atlas` has to be told; and what `atlas` sees beyond derivatives are large moves, for which charts of {SEEN} points about answers of {ANSWERED} leave {(SEEN - ANSWERED) // 2} points on each side."""


def _span(values: list[float | None], digits: int = 1) -> str:
    found = [v for v in values if v is not None]
    if not found:
        return "–"
    low, middle, high = min(found), float(np.median(found)), max(found)
    return f"{middle:.{digits}f}" + (f" ({low:.{digits}f} to {high:.{digits}f})" if len(found) > 1 else "")


def _of(rows: list[Row], medium: str) -> list[Row]:
    return [r for r in rows if r["medium"] == medium]


def _media(rows: list[Row]) -> str:
    lines = []
    for medium, truth in TRUTH.items():
        if not (mine := _of(rows, medium)):
            continue
        cells = [
            f"{_span([r['named'][name]['breaking'] for r in mine], 3)}"
            for name in ("rotation", "boost x", "boost y", "dilation", "translation x", "strain")
        ]
        counts = ", ".join(_counted(r["searched"]) for r in mine)
        lines.append(
            [
                medium,
                str(len(truth)),
                counts,
                _span([r["searched"]["rough_angle"] for r in mine]),
                *cells,
                _span([100 * r["error"] for r in mine]),
            ]
        )
    head = ["medium", "true generators", "found, by seed", "largest angle to the truth, degrees", "breaking: turn", "boost x", "boost y", "dilation", "translation x", "strain (never)", "predictor's error, %"]  # fmt: skip
    seeds = len({r["seed"] for r in rows})
    return (
        table(head, lines)
        + f"\n\n{seeds} seed{'s' if seeds > 1 else ''}; median, smallest and largest where there are several. Breaking is squared, over that of unrelated examples; the limit is {HOLDS:g}. "
        + "The dilation is a symmetry of flow without viscosity and counted as one where that is 0.0001. Found are the directions that hold at least roughly, without the vorticity's factor: over a short step every map is nearly linear, so that faster flow with as much more vorticity "
        + f"is nearly a symmetry of each of these (breaking {_span([r['named']['faster']['breaking'] for r in rows], 3)}). With the factor among what is searched the span is known too badly to be claimed in {sum(1 for r in rows if r['wider']['withdrawn'])} of {len(rows)} runs, and the count is right in {sum(1 for r in rows if r['wider']['rough'] == r['wanted'])}."
    )


def _counted(found: Row) -> str:
    return f"{found['rough']}" if not found["withdrawn"] else "0 (withdrawn)"


def _right(r: Row) -> bool:
    return r["searched"]["rough"] == r["wanted"] and (r["searched"]["rough_angle"] or 0) <= BAR


def _bars(rows: list[Row]) -> str:
    return "\n".join([*(f"* {what}: {found}." for what, found in bars(rows)), *_missed(rows)])


def _missed(rows: list[Row]) -> list[str]:
    """Why a run is not right whose directions hold, all of them, and are withdrawn."""
    said = []
    for medium in TRUTH:
        mine = _of(rows, medium)
        known = [r for r in mine if r["searched"]["withdrawn"] == r["wanted"]]
        if known and not all(map(_right, mine)):
            turned = ", ".join(f"{r['searched']['turned']:.0f}" for r in known)
            others = [r["searched"]["turned"] for r in mine if r not in known]
            beside = (
                f" (in its other runs {', '.join(f'{t:.0f}' for t in others)}; elsewhere at most {max(r['searched']['turned'] for r in rows if r['medium'] != medium):.0f})"
                if others
                else ""
            )
            said.append(
                f"* What is missed of {medium}: {len(known)} run{'s' if len(known) > 1 else ''} whose {known[0]['wanted']} directions hold by what they change, as they should, and are withdrawn, because resampled flows turn their span by {turned} degrees, more than the {WIDEST:g} up to which one is claimed{beside}. Predictors err by {_span([100 * r['error'] for r in mine])} % there, elsewhere by {_span([100 * r['error'] for r in rows if r['medium'] != medium])}: the answer is that these flows are too few for it, not a wrong group."
            )
    return said


def bars(rows: list[Row]) -> list[tuple[str, str]]:
    """Medium by medium, in how many runs everything is right."""
    said = []
    for medium in TRUTH:
        if mine := _of(rows, medium):
            hits = sum(map(_right, mine))
            what = f"Number of generators right and span within {BAR:g} degrees, {medium}"
            said.append((what, f"{hits} of {len(mine)}, {'met' if hits == len(mine) else 'missed'}"))
    return said


def _figure() -> str:
    text = "Breaking of motions that have a name, in four media and in the trained emulator of the free flow; the line is the limit below which a direction holds. Hollow: the two predictors disagree too much to tell."
    return f"![{text}]({FIGURE})\n\n*{text}*"


def _emulator(rows: list[Row], emulators: list[Row]) -> str:
    if not emulators:
        return "A trained emulator of these flows was not examined in this run."
    lines = []
    for name in KNOWN:
        lines.append([
            name, _span([np.sqrt(max(0.0, r["named"][name]["breaking"])) for r in _of(rows, "free")], 3),
            _span([np.sqrt(max(0.0, r["named"][name]["breaking"])) for r in emulators], 3), ", ".join(r["named"][name]["word"] for r in emulators),
            _span([r["lie"][name]["relative"] for r in emulators], 3),
        ])  # fmt: skip
    head = [
        "motion",
        "`discover`, from data",
        "`discover`, from the emulator",
        "in words",
        "`probe`: relative Lie derivative of the emulator",
    ]
    order = [
        (n, np.median([r["named"][n]["breaking"] for r in emulators]), np.median([r["lie"][n]["relative"] for r in emulators]))
        for n in KNOWN
    ]
    same = np.corrcoef(np.argsort(np.argsort([o[1] for o in order])), np.argsort(np.argsort([o[2] for o in order])))[0, 1]
    found = ", ".join(_counted(r["searched"]) for r in emulators)
    return f"""### From a trained emulator

A residual network (circular convolutions, {emulators[0]["parameters"]} weights, {emulators[0]["epochs"]} epochs, SMSE {_span([r["smse"] for r in emulators], 5)}) learns velocity -> velocity on whole boxes of the free flow. It is examined as it is: its chart is the box about a random centre, its answer the vorticity in the middle, turns and dilations ending before the border. Shifts by whole cells are built into it. Generators found, of {emulators[0]["wanted"]}: {found}.{_withdrawn(emulators)}

{table(head, lines)}

Sizes, not squares: `discover` over what unrelated examples give, `probe` over a model that ignores the motion. Of the emulator the two measure different answers (vorticity in the middle, velocity in a disc), so the sizes differ; the rank correlation of the two columns over the {len(KNOWN)} motions is {same:.2f}."""


def _withdrawn(emulators: list[Row]) -> str:
    turned = [r["searched"]["turned"] for r in emulators if r["searched"]["withdrawn"]]
    if not turned:
        return ""
    return f" Where it says withdrawn, other flows would have turned the span by up to {_span(turned, 0)} degrees, so that it is not claimed (the limit is {WIDEST:g}): the answer is not known, with so few flows. Asked one by one, motions that have a name get the words in the table."


def _draw(rows: list[Row], emulators: list[Row], docs: Path) -> None:
    names = list(rows[0]["named"])
    figure, axes = plt.subplots(figsize=(8.4, 4.6), layout="constrained")
    groups = {**{m: _of(rows, m) for m in MEDIA}, "emulator": emulators}
    marks = dict(zip(groups, "osD^*", strict=True))
    for k, (group, mine) in enumerate(groups.items()):
        for j, name in enumerate(names):
            for i, r in enumerate(mine):
                one = r["named"][name]
                colour = COLOURS.get(group, "#555555")
                axes.plot(
                    max(one["breaking"], 1e-4), len(names) - j + 0.13 * (2 - k), marks[group], color=colour, ms=6,
                    mfc="none" if one["noise"] > BLIND else colour, label=group if i == j == 0 else None,
                )  # fmt: skip
    axes.axvline(HOLDS, color="#555555", lw=1, ls="--")
    axes.set(
        xscale="log",
        yticks=range(len(names), 0, -1),
        yticklabels=names,
        xlabel="breaking, over that of unrelated examples (below 0.0001: at the left edge)",
    )
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    write_whole(docs / FIGURE, lambda part: figure.savefig(part, dpi=110, format="png"))
    plt.close(figure)
