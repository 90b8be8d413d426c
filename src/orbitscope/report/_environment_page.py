"""The page of an audited environment: how true its symmetry is, element by element, and what breaks it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import xarray as xr

from .._errors import OrbitscopeError
from ._captions import Caption
from ._discovery_page import Words
from ._page import Counter, SectionView, versions
from ._plot import BLUE, ORANGE, VERMILLION, Figure, axis_of, hover, lifted, line_at, log_axis, on, panels, plain
from ._tables import TextTable
from ._text import MISSING, as_float, element_list, join, number, percent

KIND = "orbitscope audit of an environment"
_WORDS = {"exact": (BLUE, "circle"), "approximate": (ORANGE, "diamond"), "not a symmetry": (VERMILLION, "x")}
_SHARES = (("transition_share", "Next states"), ("reward_share", "Rewards"))
_ROUNDING = 1e-9  # what an audit calls exact
_BROKEN = 0.5  # the share from which on an audit says "not a symmetry"


def environment_view(tree: xr.DataTree, source: str = "") -> dict[str, Any]:
    """Everything that the template needs, except title and command."""
    if tree.attrs.get("kind") != KIND or not tree.children:
        raise OrbitscopeError("report: this is no audit of an environment, as `orbitscope audit NAME --out FILE` writes it.")
    tables = [node.to_dataset() for node in tree.children.values()]
    numbers, world = Counter(), str(tree.attrs["environment"])
    sections = [s for k, t in enumerate(tables) for s in (_elements(t, k, numbers), _observations(t, k)) if s]
    return {
        "kicker": "Audited environment", "words": _words(world, tables), "sections": sections, "figures": numbers.value,
        "provenance": _provenance(tree, tables, source), "next": _next(world, tables), "versions": versions(),
        "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }  # fmt: skip


def _words(world: str, tables: Sequence[xr.Dataset]) -> Words:
    said = [_of_group(t) for t in tables]
    known = [
        (
            "How it was measured",
            f"{join([str(t.attrs['steps']) for t in tables])} pairs of steps: the simulator was put into a state and into its moved copy, "
            "and took one step with an action and with the moved action. An exact symmetry leaves no difference but rounding.",
        ),
        *((f"What was found, {t.attrs['group']}", str(t.attrs["explanation"])) for t in tables),
    ]
    return Words(f"{world}: {'; '.join(said)}.", tuple(known))


def _of_group(table: xr.Dataset) -> str:
    group, verdicts = table.attrs["group"], [str(v) for v in table["verdict"].values]
    names = table["element"].values.tolist()
    if len(set(verdicts)) == 1:
        return f"{group} is {verdicts[0]}"
    kinds = [(w, [n for n, v in zip(names, verdicts, strict=True) if v == w]) for w in _WORDS if w in verdicts]
    return f"of {group} " + ", ".join(f"{element_list(mine)} {'are' if len(mine) > 1 else 'is'} {word}" for word, mine in kinds)


def _elements(table: xr.Dataset, k: int, numbers: Counter) -> SectionView:
    text = (
        "How much a step differs between a state and its moved copy, element by element: the root mean square difference of the next "
        "states, and of the rewards, over that of unrelated actions and steps. At the foot: exact, to rounding; from 0.5 (dashed) on "
        "nothing is left of a symmetry. Colour and mark say the verdict."
    )
    heads = (
        ("reward_epsilon", "ε of rewards"), ("transition_epsilon", "ε of steps"), ("reward_share", "share, rewards"),
        ("transition_share", "share, steps"), ("rollout_error", "after a roll-out"), ("ends_differ", "ends differ"),
    )  # fmt: skip
    rows = []
    for g in table["element"].values.tolist():
        row = table.sel(element=g)
        values = (number(as_float(row[name].values), 2) if np.isfinite(as_float(row[name].values)) else MISSING for name, _ in heads)
        rows.append((g, str(row["verdict"].values), *values))
    shown = TextTable("Element by element", ("element", "verdict", *(h for _, h in heads)), tuple(rows))
    figure = numbers(f"How true is {table.attrs['group']}", Caption(text), _figure(table), main=True)
    return SectionView(f"group-{k + 1}", f"{table.attrs['group']}, element by element", [], [figure], [], "", [shown])


def _figure(table: xr.Dataset) -> Figure:
    figure = panels([title for _, title in _SHARES], height=380)
    names, verdicts = table["element"].values.tolist(), [str(v) for v in table["verdict"].values]
    for panel, (name, title) in enumerate(_SHARES):
        values = np.asarray(table[name].values, dtype=float)
        drawn = np.where(values < _ROUNDING, 0.0, values)
        foot = log_axis(figure, panel, [drawn], least=(1e-3, 1.0))
        for word, (colour, symbol) in _WORDS.items():
            mine = [i for i, v in enumerate(verdicts) if v == word and np.isfinite(values[i])]
            if not mine:
                continue
            figure.traces.append({
                "type": "scatter", "mode": "markers", "x": [plain(names[i]) for i in mine], "y": lifted(drawn[mine], foot), "name": word,
                "text": hover([[("", f"element {names[i]}: {word}"), (f"share, {title.lower()}", values[i])] for i in mine]),
                "hoverinfo": "text", "showlegend": panel == 0,
                "marker": {"symbol": symbol, "size": 10, "color": colour}, **on(panel),
            })  # fmt: skip
        figure.layout.setdefault("shapes", []).append(line_at(panel, _BROKEN))
        axis_of(figure, "x", panel).update(type="category", gridcolor="rgba(0,0,0,0)")
        axis_of(figure, "x", panel).update(categoryorder="array", categoryarray=[plain(n) for n in names])
        axis_of(figure, "x", panel)["title"]["text"] = "element g"
    axis_of(figure, "y", 0)["title"]["text"] = "difference, over that of unrelated"
    return figure


def _observations(table: xr.Dataset, k: int) -> SectionView | None:
    errors = np.asarray(table["observation_error"].values, dtype=float)
    if not (wrong := np.flatnonzero(errors.max(0) > _ROUNDING)).size:
        return None
    names, elements = table["observation"].values.tolist(), table["element"].values.tolist()
    rows = tuple((str(names[i]), number(errors[:, i].max(), 2), str(elements[int(errors[:, i].argmax())])) for i in wrong)
    words = "What is observed in a moved state should be what was observed, moved. Numbers that are not, in units of their size:"
    shown = TextTable("Observations that do not move as declared", ("number", "largest difference", "worst element"), rows)
    return SectionView(f"observations-{k + 1}", f"{table.attrs['group']}: what the eyes see", [], [], [], words, [shown])


def _next(world: str, tables: Sequence[xr.Dataset]) -> list[str]:
    first = tables[0].attrs
    verdicts = {str(t.attrs["verdict"]) for t in tables}
    if verdicts == {"exact"}:
        return [f"`orbitscope train {world} --policy exact --out runs/agent` builds the symmetry in."]
    if "not a symmetry" in verdicts:
        return ["Take a smaller group, or mend the declaration where a change that mends it is named above."]
    worst = max(float(np.nanmax(t["transition_share"].values)) for t in tables)
    return [
        f"`orbitscope train {world} --policy relaxed --out runs/agent` starts with {first['group']} and may leave it: a step differs by "
        f"{percent(worst)} of what unrelated actions make of it, at most."
    ]


def _provenance(tree: xr.DataTree, tables: Sequence[xr.Dataset], source: str) -> TextTable:
    rows = [("file", source)] if source else []
    rows += [("environment", str(tree.attrs["environment"])), ("made by", str(tree.attrs.get("command", MISSING)))]
    rows += [(f"seed, {t.attrs['group']}", str(t.attrs["seed"])) for t in tables]
    return TextTable("Audit", ("what", "value"), tuple(rows))
