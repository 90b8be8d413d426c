# ruff: noqa: E501 - prose templates
"""The section on heat of the study's page, and its map, from what `heat_study.py` found: no number in it is typed in by hand."""

import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from harness import table
from heat import BLOCK, POINTS
from heat_peer import RUNS
from heat_study import CASES, OBSTACLE
from judgement import FEWEST
from matplotlib.patches import Rectangle

from orbitscope._whole import write_whole

FIGURE = "discovery-heat.png"
BAR = 1.0  # degrees
SPEED = 5.0  # times faster than the published recipe
TITLES = {
    "directions": "waves in all directions", "published": "published initial states", "anisotropic": "anisotropic medium",
    "sheared": "sheared medium", "wind": "wind (control)", "published, 19 charts": "published initial states, atlas of 19 charts",
    "published, 3 charts": "published initial states, atlas of 3 charts", "directions, 19 charts": "waves in all directions, atlas of 19 charts",
    "directions, 3 charts": "waves in all directions, atlas of 3 charts",
}  # fmt: skip


def section(results: Path, docs: Path) -> str:
    """The section, its figure written to `docs`; nothing where there are no results."""
    file = results / "heat.json"
    if not file.exists():
        return ""
    kept = json.loads(file.read_text(encoding="utf-8"))
    rows = kept["rows"]
    figure = _map(kept["map"], docs) if kept["map"] else ""
    peer = json.loads((results / "peer.json").read_text(encoding="utf-8")) if (results / "peer.json").exists() else None
    parts = (_head(rows), _table(rows), _bars(rows), _broken(rows), figure, _peer(rows, peer), _end(kept))
    return "\n\n".join(p for p in parts if p)


def _of(rows: list[dict[str, Any]], case: str) -> list[dict[str, Any]]:
    return [r for r in rows if r["case"] == case]


def _head(rows: list[dict[str, Any]]) -> str:
    each = [len(_of(rows, case)) for case in TITLES if _of(rows, case)]
    seeds = f"{max(each)} seed{'s' if max(each) > 1 else ''}" if min(each) == max(each) else f"{min(each)} to {max(each)} seeds a case"
    return f"""## Heat with an obstacle: local symmetry

The data of AtlasD (arXiv:2504.10777, section on the heat equation), made here: a plate of {POINTS} x {POINTS} cells with a block that is held warm, 50 explicit steps, charts about centres away from the block. The plate as a whole has no symmetry; around every chart the law has O(2). Predictors are the best linear maps from patch to patch, chart by chart, by ridge regression on two halves of the data: heat is linear. {seeds}. In another medium the true generator is a turn along its ellipses; a wind leaves nothing."""


def _range(values: list[float], digits: int = 2) -> str:
    return f"{np.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})" if values else "–"


def _table(rows: list[dict[str, Any]]) -> str:
    lines = []
    for case, title in TITLES.items():
        mine = _of(rows, case)
        if not mine:
            continue
        counts = ", ".join(str(r["gradient"]["count"]) for r in mine)
        none = case == "wind"
        others = ", ".join(_others(r["components"]) for r in mine)
        lines.append([
            title, "0" if none else "1", counts, "–" if none else _range([r["gradient"]["angle"] for r in mine]),
            "–" if none else _range([r["atlas"]["angle"] for r in mine]), _range([r["atlas"]["score"] for r in mine]), "0" if none else "1", others,
            f"{np.median([r['gradient']['seconds'] for r in mine]):.1f} / {np.median([r['atlas']['seconds'] for r in mine]):.1f}",
        ])  # fmt: skip
    head = ["case", "true generators", "`gradient`: how many hold, by seed", "its angle to the true one, degrees", "`atlas`, told to learn one: angle", "its own score", "true further components", "found, by seed", "processor s, gradient / atlas"]  # fmt: skip
    return (
        table(head, lines) + "\n\nMedian over seeds, smallest and largest. Further components are looked for beside what `gradient` found."
    )


def _others(found: dict[str, Any] | None) -> str:
    """How many further components, and how many of these are none; where what holds is no algebra they are not looked for."""
    if found is None:
        return "–"
    return f"{len(found['matrices'])}" + (f" ({found['wrong']} wrong)" if found["wrong"] else "")


def _bars(rows: list[dict[str, Any]]) -> str:
    said = [f"* {what}: {found}." for what, found in bars(rows)]
    if (mine := _of(rows, "published")) and max(r["gradient"]["angle"] for r in mine) > BAR:
        said.append(
            "* The published initial states are sums of a wave along u and a wave along v. On them u d/dv and v d/du each commute with the law, so that to first order the data cannot tell a turn from a shear: `gradient` says what holds there, and it is no turn. Beside a shear further components mean little and are not looked for."
        )
    return "\n".join([*said, *_why(rows)])


def _why(rows: list[dict[str, Any]]) -> list[str]:
    """What the cases in which `atlas` misses its bar have in common."""
    asked = [c for c in TITLES if c.startswith(("directions", "published")) and _of(rows, c)]
    missed = [c for c in asked if max(r["atlas"]["angle"] for r in _of(rows, c)) > BAR]
    met = [c for c in asked if c not in missed]
    if not missed or not met:
        return []
    scores = [[r["atlas"]["score"] for c in some for r in _of(rows, c)] for some in (missed, met)]
    margins: dict[int, list[float]] = {}
    for case in [c for c in asked if c in CASES]:
        radii, centres = CASES[case][2:]
        away = [k for k, c in enumerate(centres) if c != OBSTACLE]
        margins.setdefault(radii[0] - radii[1], []).extend(float(np.median([r["error"][k] for k in away])) for r in _of(rows, case))
    errors = "; ".join(f"{m} cells {_range([100 * e for e in margins[m]], 0)} %" for m in sorted(margins))
    return [
        f"* Why `atlas` misses {len(missed)} of these {len(asked)} cases: not because its search ends early, as its score is no worse there, {_range(scores[0])}, than where it meets the bar, {_range(scores[1])}; a generator some degrees off changes it little. Waves along u and v alone tell a turn from a shear by far moves only; and the published radii leave fewer cells between the edges of the output and of the input patch than heat spreads over in these steps (some ten), so that linear predictors err by more, and by what a square patch cuts off, which no turn keeps. Error by cells between: {errors}."
    ]


def bars(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Every bar, and whether it is met."""
    said = []
    for case in [c for c in TITLES if c.startswith(("directions", "published"))]:
        for method in ("gradient", "atlas"):
            if mine := _of(rows, case):
                worst = max(r[method]["angle"] for r in mine)
                met = "met" if worst <= BAR else "missed"
                said.append((f"Generator within {BAR:g} degree of so(2), {TITLES[case]}, `{method}`", f"{met} (worst {worst:.2f})"))
    if mine := [r for r in _of(rows, "directions") if r["components"]]:
        fine = sum(len(r["components"]["matrices"]) == 1 and not r["components"]["wrong"] for r in mine)
        what = f"Both components and no false one, {TITLES['directions']}"
        said.append((what, f"{'met' if fine == len(mine) else 'missed'} ({fine} of {len(mine)} seeds)"))
    return said


def _broken(rows: list[dict[str, Any]]) -> str:
    """The chart at the obstacle's edge, beside those away from it."""
    mine = [r["by_chart"] for r in rows if r.get("by_chart")]
    if not mine:
        return ""
    edge = str(OBSTACLE)
    away = [np.sqrt(max(v, 0.0)) for r in mine for k, v in r.items() if k != edge]
    return (
        f"A chart whose output patch reaches over the edge of the block, centre {edge}, is broken: the turn changes its answer by "
        f"{_range([np.sqrt(max(r[edge], 0.0)) for r in mine])} of what an unrelated motion changes, where the charts away from the block have {_range(away, 3)}."
    )


def _first(looks: list[dict[str, Any]], limit: float) -> float | None:
    """After how many processor seconds a run comes within `limit` degrees and stays there."""
    late = [k for k, one in enumerate(looks) if one["angle"] > limit]
    first = late[-1] + 1 if late else 0
    return looks[first]["seconds"] if first < len(looks) else None


def _races(rows: list[dict[str, Any]], peer: dict[str, Any]) -> list[dict[str, Any]]:
    """Every run of the recipe beside `atlas` on the same charts and seed: processor seconds until it stays within the angle of `atlas`.

    A run that ends farther off took longer than it ran: its ratio is a lower bound (`open`).
    """
    found = []
    for run in sorted(peer["runs"], key=lambda r: (r["charts"], r["seed"])):
        ours = [r for r in _of(rows, f"published, {run['charts']} charts") if r["seed"] == run["seed"]]
        race = {"run": run, "own": None, "angle": None, "first": None, "ratio": None, "open": False}
        if ours:
            race["own"], race["angle"] = ours[0]["train_seconds"] + ours[0]["atlas"]["seconds"], ours[0]["atlas"]["angle"]
            race["first"] = _first(run["looks"], race["angle"])
            if race["first"] is None:
                race["first"], race["open"] = run["looks"][-1]["seconds"], True
            race["ratio"] = race["first"] / race["own"]
        found.append(race)
    return found


def speed_bars(rows: list[dict[str, Any]], peer: dict[str, Any]) -> list[tuple[str, str]]:
    """Atlas by atlas: how many times faster than the published recipe to the same accuracy, and whether that meets the bar."""
    said, races = [], _races(rows, peer)
    for count in sorted({r["run"]["charts"] for r in races}):
        mine = [r for r in races if r["run"]["charts"] == count and r["ratio"] is not None]
        if mine:
            least = min(mine, key=lambda r: r["ratio"])
            good = "met" if least["ratio"] >= SPEED else "missed" if not least["open"] else "left open, as a run ended before"
            word = good if len(mine) >= FEWEST else f"not judged with fewer than {FEWEST} seeds"
            seeds = f"{len(mine)} seed{'s' if len(mine) > 1 else ''}"
            what = f"At least {SPEED:g} times faster than the published recipe to the same accuracy, {count} charts"
            said.append((what, f"{word} (smallest {'more than ' * least['open']}{least['ratio']:.1f}, {seeds})"))
    return said


def _peer(rows: list[dict[str, Any]], peer: dict[str, Any] | None) -> str:
    if not peer or not peer["runs"]:
        return "The published recipe, predictor and basis trained in one loop, was not run here, so its time is not compared."
    lines = []
    for race in _races(rows, peer):
        run, last = race["run"], race["run"]["looks"][-1]
        cells = [("own", ".1f", ""), ("angle", ".2f", ""), ("first", ".0f", "> " * race["open"]), ("ratio", ".1f", "> " * race["open"])]
        lines.append([
            f"{run['charts']}", str(run["seed"]), f"{last['step']:,}", f"{last['seconds']:.0f}", f"{last['angle']:.2f}", f"{last['norm']:.2f}",
            *("–" if race[k] is None else sign + format(race[k], form) for k, form, sign in cells),
        ])  # fmt: skip
    head = ["charts", "seed", "recipe: steps", "its processor s", "angle in the end, degrees", "length of its generator", "`atlas`: processor s, predictors included", "its angle, degrees", "recipe, s until it stays within that angle", "ratio"]  # fmt: skip
    said = "\n".join(f"* {what}: {found}." for what, found in speed_bars(rows, peer))
    planned = f"{len(peer['runs'])} of {len(RUNS)} planned runs"
    short = [r for r in _races(rows, peer) if r["open"]]
    ends = [r["run"]["looks"][-1]["angle"] for r in short]
    cut = (
        f"{len(short)} of {len(peer['runs'])} runs end too early to have found the turn ({min(ends):.0f} to {max(ends):.0f} degrees off): of these only the least time is known, and not where they would have ended. "
        if short
        else ""
    )
    return f"""### The published recipe

AtlasD's joint training on the published initial states, by our own implementation (`studies/discovery/heat_peer.py`): predictors and basis in one loop, with the published radii, rates, batch and regularisers. Ours are that errors of moved answers are averaged over charts (with their sum the generator vanishes), the order of layers in a network, all charts in one grouped convolution, the acting matrix itself, and {peer["states"]:,} states for {peer["epochs"]} epochs in place of 10,000 for 10, so that its generator is still growing at the end; its direction is what is compared, and a run that ends farther off than `atlas` gives a lower bound of its time (>). {planned}.

{table(head, lines)}

{said}

{cut}The recipe learns networks, which would do for laws that are not linear; the ridge regression of `atlas` here uses that heat is. So the ratio is of two ways to the same generator, and not of two searches on the same predictors."""


def _map(cells: list[dict[str, Any]], docs: Path) -> str:
    figure, axes = plt.subplots(figsize=(5.2, 4.4), layout="constrained")
    size = np.sqrt(np.clip([c["breaking"] for c in cells], 1e-8, None))
    shown = axes.scatter(
        [c["u"] for c in cells], [c["v"] for c in cells], c=size, s=520, marker="s", cmap="viridis_r", vmin=0, vmax=1, edgecolors="none"
    )  # fmt: skip
    for c, s in zip(cells, size, strict=True):
        axes.text(c["u"], c["v"], f"{s:.2f}", ha="center", va="center", fontsize=7, color="white" if s > 0.5 else "black")
    (u, v) = BLOCK
    axes.add_patch(Rectangle((u.start, v.start), u.stop - u.start, v.stop - v.start, fill=False, ec="#D55E00", lw=2))
    axes.set(xlim=(0, POINTS), ylim=(0, POINTS), aspect="equal", xlabel="u (cells)", ylabel="v (cells)")
    figure.colorbar(shown, label="breaking of the turn, over unrelated")
    write_whole(docs / FIGURE, lambda part: figure.savefig(part, dpi=110, format="png"))
    plt.close(figure)
    away = [s for c, s in zip(cells, size, strict=True) if not _near(c)]
    at = [s for c, s in zip(cells, size, strict=True) if _near(c)]
    text = "Where does the symmetry hold? Breaking of the turn on charts over the whole plate, seed 0; the orange frame is the block."
    return f"![{text}]({FIGURE})\n\n*{text}* Away from the block the median is {np.median(away):.3f}; on charts that reach into it or its neighbourhood {np.median(at):.3f} (largest {max(at):.2f})."


def _near(cell: dict[str, Any], reach: int = 16) -> bool:
    """Whether heat of the block reaches the chart's output patch."""
    return all(side.start - reach < cell[k] < side.stop + reach for k, side in zip("uv", BLOCK, strict=True))


def _end(kept: dict[str, Any]) -> str:
    return f"Written from `studies/discovery/heat_study.py`; {kept['machine']}."
