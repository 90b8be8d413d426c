"""Figures over the shift of translation groups: every axis of a case in one figure, as curves with quartile bands."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._case import Case, Group, array, labels
from ._element_figures import SHARE_TITLE, linear_range, margin_of, share_axis, share_bounds, summary, three
from ._plot import (
    BLUE,
    GREEN,
    SOFT,
    VERMILLION,
    Figure,
    Trace,
    axis_of,
    band,
    gaps,
    hover,
    line_at,
    log_axis,
    on,
    panels,
    plain,
    quartiles,
)

_STYLES = ((BLUE, "solid", "circle"), (VERMILLION, "dash", "diamond"), (GREEN, "dot", "square"))


def output_curves(case: Case, groups: Sequence[Group]) -> Figure | None:
    """Relative error and commutator against the shift, one curve per axis; None where equivariance was not measured."""
    tables = [(g, d) for g in groups if (d := g.part("equivariance")) is not None]
    if not tables:
        return None
    shares = [share_bounds(g) for g, _ in tables]
    shown = [b for b in shares if b is not None]
    titles = [*([SHARE_TITLE] if shown else []), "Relative error", "Commutator"]
    figure, first = panels(titles, columns=len(titles)), len(titles) - 2
    if shown:
        for (group, data), style, bounds in zip(tables, _cycle(len(tables)), shares, strict=True):
            if bounds is not None:
                figure.traces += _curve(group, labels(data), bounds, style, 0, "share", 0)
        share_axis(figure, 0, *shown)
        shift_axis(figure, 0, case, [g for g, _ in tables])
    for k, (name, least) in enumerate((("relative_error", (0.5, 2.0)), ("commutator", (1e-3, 1e-1)))):
        panel = first + k
        bounds = [quartiles(array(d, name, "element", "transition"), len(labels(d))) for _, d in tables]
        floors = [array(d, "floor", "element") if k else None for _, d in tables]
        bottom = log_axis(figure, panel, [*(v for b in bounds for v in (b[0], b[2])), *floors], least=least)
        for (group, data), style, three_values, floor in zip(tables, _cycle(len(tables)), bounds, floors, strict=True):
            figure.traces += _curve(group, labels(data), three_values, style, panel, name.replace("_", " "), bottom, legend=panel == 0)
            if floor is not None and np.isfinite(floor).any():
                figure.traces.append(_floor(group, labels(data), floor, style[1], panel))
        shift_axis(figure, panel, case, [g for g, _ in tables])
    margins = [line_at(0, margin_of(tables[0][0])), line_at(0, 0.0, "solid")] if shown else []
    figure.layout["shapes"] = [*margins, line_at(first, 1.0)]
    return figure if _visible(figure) else None


def learning_curves(case: Case, groups: Sequence[Group]) -> Figure | None:
    """Coherence against its null, and the excess, one column per axis; None where influence was not measured."""
    tables = [(g, d, summary(g)) for g in groups if (d := g.part("influence")) is not None]
    if not tables:
        return None
    names = [axis_name(g) for g, _, _ in tables]
    titles = [*(f"Coherence, {n}" for n in names), *(f"Excess over the null, {n}" for n in names)]
    figure = panels(titles, columns=len(tables), height=310)
    takes = [t for _, _, t in tables]
    for column, ((group, data, take), style) in enumerate(zip(tables, _cycle(len(tables)), strict=True)):
        elements, below = labels(data), column + len(tables)
        xs, (low, middle, high) = group.positions(elements), three(take, "null", len(elements))
        figure.traces.append(band(xs, low, high, SOFT, column, "null: other trajectories, quartiles", 0.25) | _once("null band", column))
        figure.traces.append(_line(xs, middle, SOFT, "dot", column, "null, median", hover_rows(group, elements, "null", middle)))
        figure.traces[-1] |= _once("null", column)
        figure.traces += _curve(group, elements, three(take, "response", len(elements)), style, column, "response", 0)
        figure.traces += _curve(group, elements, three(take, "excess", len(elements)), style, below, "excess", 0, legend=False)
        if (mean := take["control"]) is not None and np.isfinite(mean).any():
            figure.traces.append(_control(group, elements, mean, column) | _once("control", column))
        for panel, excess in ((column, False), (below, True)):
            shift_axis(figure, panel, case, [group])
            linear_range(figure, panel, takes, excess=excess)
    figure.layout["shapes"] = [line_at(p, 0.0, "solid" if p < len(tables) else "dash") for p in range(2 * len(tables))]
    return figure if _visible(figure) else None


def axis_name(group: Group) -> str:
    """ "shift along x", or the group's own name."""
    return f"shift along {group.axis}" if group.axis else plain(group.title)


def shift_axis(figure: Figure, panel: int, case: Case, groups: Sequence[Group]) -> None:
    """Label the shift axis in cells where a step of the group is one cell, in fractions of the period otherwise."""
    size = max(len(g.elements) for g in groups)
    shape = (case.json("grid") or {}).get("shape") if isinstance(case.json("grid"), dict) else None
    cells = isinstance(shape, list) and all(
        g.axis and "xyz".index(g.axis) < len(shape) and shape["xyz".index(g.axis)] == size for g in groups
    )
    axis = axis_of(figure, "x", panel)
    axis["title"]["text"] = f"shift in cells (period {size})" if cells else f"shift in {size}ths of the period"
    axis["title"]["standoff"] = 16
    step = max(1, 2 ** round(np.log2(size / 8))) if size >= 8 else 1
    axis.update(tick0=0, dtick=step, range=[-0.02 * size - 0.3, (size - 1) + 0.02 * size + 0.3], zeroline=False)


def hover_rows(group: Group, elements: Sequence[str], name: str, values: Any) -> list[str]:
    """Hover texts for one curve."""
    return hover([[("", f"{axis_name(group)}: {e}"), (name, v)] for e, v in zip(elements, values, strict=True)])


def _curve(
    group: Group, elements: Sequence[str], bounds: tuple[Any, Any, Any], style: tuple[str, str, str], panel: int, name: str, bottom: float,
    *, legend: bool = True,
) -> list[Trace]:  # fmt: skip
    low, middle, high = bounds
    colour, dash, symbol = style
    xs = group.positions(elements)
    first, third = ("95 % low", "95 % high") if name in ("excess", "share") else ("first quartile", "third quartile")
    rows = [
        [("", f"{axis_name(group)}: {e}"), (name, m), (first, a), (third, b)]
        for e, a, m, b in zip(elements, low, middle, high, strict=True)
    ]
    fill = band(xs, gaps(low) if bottom else low, high, colour, panel, "") | {"showlegend": False, "legendgroup": group.key}
    text = hover(rows)
    line = _line(xs, gaps(middle) if bottom else middle, colour, dash, panel, axis_name(group), text, symbol if len(xs) <= 64 else "")
    out = [fill, line | {"legendgroup": group.key, "showlegend": legend, "legendrank": 1}]
    zeros = [i for i in range(len(xs)) if bottom and middle[i] == 0]
    if zeros:  # a curve cannot reach zero on a log axis: an open triangle at the lower edge stands for it
        out.append({
            "type": "scatter", "mode": "markers", "x": [xs[i] for i in zeros], "y": [bottom] * len(zeros), "text": [text[i] for i in zeros],
            "marker": {"symbol": "triangle-down-open", "size": 10, "color": colour, "line": {"width": 1.6}}, "hoverinfo": "text",
            "showlegend": False, "legendgroup": group.key, **on(panel),
        })  # fmt: skip
    return out


def _line(xs: Any, ys: Any, colour: str, dash: str, panel: int, name: str, text: list[str], symbol: str = "") -> Trace:
    trace: Trace = {
        "type": "scatter", "mode": "lines+markers" if symbol else "lines", "x": xs, "y": ys,
        "line": {"color": colour, "dash": dash, "width": 2},
        "name": name, "text": text, "hoverinfo": "text", **on(panel),
    }  # fmt: skip
    return trace | {"marker": {"symbol": symbol, "size": 6}} if symbol else trace


def _floor(group: Group, elements: Sequence[str], floor: np.ndarray, dash: str, panel: int) -> Trace:
    text = hover_rows(group, elements, "noise floor", floor)
    trace = _line(
        group.positions(elements), np.where(floor > 0, floor, np.nan), SOFT, dash, panel, f"noise floor, {axis_name(group)}", text
    )
    return trace | {"line": {"color": SOFT, "dash": dash, "width": 1.3}, "legendgroup": "floor" + group.key}


def _control(group: Group, elements: Sequence[str], values: np.ndarray, panel: int) -> Trace:
    return {
        "type": "scatter", "mode": "markers", "x": group.positions(elements), "y": values, "name": "control: group-averaged model",
        "marker": {"symbol": "diamond-open", "size": 7, "color": GREEN, "line": {"width": 1.4}},
        "text": hover_rows(group, elements, "group-averaged model", values), "hoverinfo": "text", **on(panel),
    }  # fmt: skip


def _once(name: str, column: int) -> dict[str, Any]:
    return {"legendgroup": name, "showlegend": column == 0}


def _cycle(size: int) -> list[tuple[str, str, str]]:
    return [_STYLES[i % len(_STYLES)] for i in range(size)]


def _visible(figure: Figure) -> bool:
    return any(np.isfinite(np.asarray(t["y"], dtype=float)).any() for t in figure.traces if len(t["y"]))
