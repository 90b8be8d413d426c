"""The page of planned episodes: where bodies went, what was decided, and whether decisions turn with the world."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import xarray as xr

from .._errors import OrbitscopeError
from ._agent_figures import COLOURS, SYMBOLS
from ._captions import Caption
from ._discovery_page import Words
from ._page import Counter, SectionView, versions
from ._plot import Figure, axis_of, hover, lifted, line_at, log_axis, on, panels, plain
from ._tables import TextTable
from ._text import MISSING, as_float, number, percent, span

KIND = "orbitscope record of a plan"
Plans = Sequence[tuple[xr.Dataset, str]]
_ROUNDING = 1e-9
_SAID = {"mppi": "MPPI", "cem": "CEM", "mixture": "Mixture"}
_LINES = 12  # numbers that one panel shows


def plan_view(plans: Plans) -> dict[str, Any]:
    """Everything that the template needs, except title and command; `plans`: what was found, with its file."""
    if not plans or any(found.attrs.get("kind") != KIND for found, _ in plans):
        raise OrbitscopeError("report: this is no record of a plan, as `orbitscope plan NAME --out FILE` writes it.")
    numbers, tables = Counter(), [found for found, _ in plans]
    turns = _turns(tables, numbers)  # first, as figures are numbered in the order that they are made
    ways = [_way(t, k, _named(t, tables), numbers) for k, t in enumerate(tables)]
    return {
        "kicker": "Planned episodes", "words": _words(tables), "sections": [turns, *ways], "figures": numbers.value,
        "provenance": _provenance(plans), "next": _next(tables[0]), "versions": versions(),
        "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }  # fmt: skip


def _named(table: xr.Dataset, tables: Sequence[xr.Dataset]) -> str:
    """What tells this plan from the others of the page."""
    a = table.attrs
    told = f"{_SAID.get(a['planner'], a['planner'])}, " + (f"group {a['group']}" if a["group"] != "none" else "no group")
    return f"{a['environment']}, {told}" if len({t.attrs["environment"] for t in tables}) > 1 else told


def _returns(table: xr.Dataset) -> np.ndarray:
    return np.asarray(table["reward"].sum("step", skipna=True).values, dtype=float)


def _share(table: xr.Dataset) -> float:
    """The largest error of a decision over the size of actions."""
    return as_float(table["decision_error"].max()) / max(as_float(table["decision_scale"]), 1e-300)


def _words(tables: Sequence[xr.Dataset]) -> Words:
    said = []
    for t in tables:
        share, group = _share(t), t.attrs["compared"]
        turns = f"every decision turns with {group}, to rounding" if share <= _ROUNDING else (
            f"decisions do not turn with {group}: they differ by up to {percent(share)} of the size of an action"
        )  # fmt: skip
        said.append(f"{_named(t, tables)}: return {span(_returns(t))}; {turns}.")
    first = tables[0]
    plans = [
        f"{_named(t, tables)}: {t.attrs['samples']} sequences of {t.attrs['horizon']} actions on the {t.attrs['model']}, temperature "
        f"{number(t.attrs['temperature'])}."
        for t in tables
    ]
    known = [
        ("How it was planned", " ".join(plans)),
        (
            "How decisions were compared",
            f"At {first.sizes['audited']} states of the first episode, each with a random warm start: the decision in the moved world, "
            "with state and warm start moved and the same noise, less the moved decision, for every element of the group.",
        ),
        ("What it does not say", "Whether the world has the symmetry, and whether a plan is good: a planner that stands still turns, too."),
    ]  # fmt: skip
    return Words(" ".join(said), tuple(known))


def _turns(tables: Sequence[xr.Dataset], numbers: Counter) -> SectionView:
    figure = panels(["Error of a decision, element by element"], height=400)
    values = [np.asarray(t["decision_error"].max(("call", "audited")).values, dtype=float) for t in tables]
    foot = log_axis(figure, 0, values, least=(1e-16, 1.0))
    rows = []
    for k, (t, found) in enumerate(zip(tables, values, strict=True)):
        names, told = [str(n) for n in t["element"].values], _named(t, tables)
        figure.traces.append({
            "type": "scatter", "mode": "markers", "x": [plain(n) for n in names], "y": lifted(found, foot), "name": plain(told),
            "text": hover([[("", f"{told}, element {n}"), ("error", v)] for n, v in zip(names, found, strict=True)]), "hoverinfo": "text",
            "showlegend": len(tables) > 1,
            "marker": {"symbol": SYMBOLS[k % len(SYMBOLS)], "size": 10, "color": COLOURS[k % len(COLOURS)]}, **on(0),
        })  # fmt: skip
        figure.layout.setdefault("shapes", []).append(line_at(0, as_float(t["decision_scale"]), colour=COLOURS[k % len(COLOURS)]))
        rows += [
            (f"{told}: {n}", number(v), number(v / max(as_float(t["decision_scale"]), 1e-300))) for n, v in zip(names, found, strict=True)
        ]
    axis_of(figure, "x", 0).update(type="category", gridcolor="rgba(0,0,0,0)")
    axis_of(figure, "x", 0)["title"]["text"] = "element g"
    axis_of(figure, "y", 0)["title"]["text"] = "error, unit of actions"
    text = (
        "How far a decision in the moved world is from the moved decision, |π(gs) − gπ(s)|, the largest over the compared states, in the "
        "unit of actions. Dashed: the size of an action, root mean square. A planner whose decisions turn has errors of rounding, some "
        "1e-16; one that draws its noise anew has errors as large as its actions. Zeros stand at the foot."
    )
    table = TextTable("Errors of decisions", ("planner and element", "largest error", "over the size of an action"), tuple(rows))
    return SectionView("turns", "Do decisions turn?", [], [numbers("Decision by decision", Caption(text), figure, main=True)], [table])


def _way(table: xr.Dataset, k: int, told: str, numbers: Counter) -> SectionView:
    figures, rewards = [], np.asarray(table["reward"].values, dtype=float)
    if "place" in table:
        text = "Where every body went, from the dot to the cross, its target; one colour an episode."
        figures.append(numbers(f"The way: {told}", Caption(text), _paths(table), main=k == 0))
    text = "What was decided, what it earned, and the state on the way, in the first episode."
    figures.append(numbers(f"Action by action: {told}", Caption(text), _series(table), main=k == 0))
    rows = tuple(
        (str(i + 1), number(r), str(int(np.isfinite(row).sum())), number(row[np.isfinite(row)][-1]))
        for i, (r, row) in enumerate(zip(_returns(table), rewards, strict=True))
    )
    shown = TextTable("Episodes", ("episode", "return", "actions", "last reward"), rows)
    return SectionView(f"plan-{k + 1}", told, [], figures, [], "", [shown])


def _paths(table: xr.Dataset) -> Figure:
    """Seen from above, and of space also from the side."""
    axes = [str(a) for a in table["axis"].values]
    pairs = [(0, 1)] if len(axes) == 2 else [(0, 1), (0, 2)]
    figure = panels([f"{axes[a]} and {axes[b]}" for a, b in pairs], height=520, legend=False)
    places, targets = np.asarray(table["place"].values, dtype=float), np.asarray(table["target"].values, dtype=float)
    for panel, (a, b) in enumerate(pairs):
        for e in range(min(len(places), len(COLOURS))):
            for body in range(places.shape[2]):
                x, y = places[e, :, body, a], places[e, :, body, b]
                goal, colour = targets[e, body], COLOURS[e]
                common = {"type": "scatter", "showlegend": False, "hoverinfo": "text", **on(panel)}
                text = hover([[("", f"episode {e + 1}, body {body + 1}, action {i}"), (axes[a], u), (axes[b], v)]
                              for i, (u, v) in enumerate(zip(x, y, strict=True))])  # fmt: skip
                figure.traces.append(common | {"mode": "lines", "x": x, "y": y, "text": text, "line": {"color": colour, "width": 2}})
                for symbol, (u, v), word in (("circle", (x[0], y[0]), "start"), ("x", (goal[a], goal[b]), "target")):
                    figure.traces.append(
                        common | {"mode": "markers", "x": [u], "y": [v], "marker": {"symbol": symbol, "size": 10, "color": colour},
                                  "text": hover([[("", f"{word}, episode {e + 1}, body {body + 1}")]])}
                    )  # fmt: skip
        for which, name in (("x", axes[a]), ("y", axes[b])):
            axis_of(figure, which, panel)["title"]["text"] = f"{name} (m)"
        n = "" if panel == 0 else str(panel + 1)
        axis_of(figure, "y", panel).update(scaleanchor=f"x{n}", scaleratio=1)
    return figure


def _series(table: xr.Dataset) -> Figure:
    figure = panels(["Actions", "Reward", "State"], columns=3, height=360, gap=0.09, legend=False)
    for panel, (name, of) in enumerate((("action", "of_action"), ("reward", None), ("state", "component"))):
        values = np.asarray(table[name].values[0], dtype=float).reshape(table[name].shape[1], -1)
        names = ["reward"] if of is None else [str(n) for n in table[of].values]
        for k, label in enumerate(names[:_LINES]):
            text = hover([[("", f"{label}, action {i}"), ("value", v)] for i, v in enumerate(values[:, k])])
            figure.traces.append({
                "type": "scatter", "mode": "lines", "x": list(range(len(values))), "y": values[:, k], "text": text, "hoverinfo": "text",
                "name": plain(label), "showlegend": False, "line": {"color": COLOURS[k % len(COLOURS)], "width": 1.6}, **on(panel),
            })  # fmt: skip
        axis_of(figure, "x", panel)["title"]["text"] = "action"
    return figure


def _next(table: xr.Dataset) -> list[str]:
    a = table.attrs
    words = [f"`orbitscope audit {a['environment']}` measures whether the world has the symmetry that decisions are held against."]
    if a["group"] == "none":
        words.append(
            f"`orbitscope plan {a['environment']} --out turned.nc` plans with the declared group; `orbitscope report` takes both files."
        )
    else:
        words.append(
            f"`orbitscope plan {a['environment']} --group none --out free.nc` plans without; `orbitscope report` takes both files."
        )
    return words


def _provenance(plans: Plans) -> TextTable:
    rows = []
    for found, source in plans:
        a = found.attrs
        rows += [("file", source)] if source else []
        rows += [("environment", str(a["environment"])), ("made by", str(a.get("command", MISSING))), ("seed", str(a["seed"]))]
        rows.append(("standard deviation of the noise", number(a["std"])))
    return TextTable("Plans", ("what", "value"), tuple(rows))
