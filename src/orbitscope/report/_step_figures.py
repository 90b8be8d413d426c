"""Is the influence to be believed: steps that were taken against their prediction, and the sweep over dampings."""

from typing import Any

import numpy as np

from ._case import Group, array, labels
from ._plot import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    SOFT,
    VERMILLION,
    Figure,
    axis_of,
    hover,
    line_at,
    log_ticks,
    on,
    panels,
    plain,
    tick_text,
)
from ._text import element_list, number

_COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY)
_SYMBOLS = ("circle", "diamond", "square", "x", "triangle-up", "cross")
_MOST = 6


def step_figure(group: Group) -> Figure | None:
    """Measured against predicted change of the loss, one mark per step and bra; None where no step was taken."""
    data = group.part("steps")
    predicted, measured = (array(data, name, "element", "ket", "bra") for name in ("predicted", "measured"))
    if data is None or predicted is None or measured is None:
        return None
    figure = panels(["Change of the bra's loss, measured against predicted"], height=430)
    loss = array(data, "loss", "element", "bra")
    scale = np.ones_like(predicted) if loss is None else np.where(loss > 0, loss, np.nan)[:, None, :]
    x, y = 100 * predicted / scale, 100 * measured / scale
    both = np.concatenate([x.ravel(), y.ravel(), [0.0]])
    low, high = float(np.nanmin(both)), float(np.nanmax(both))
    pad = 0.06 * (high - low) or 1.0
    low, high = low - pad, high + pad
    figure.traces.append({
        "type": "scatter", "x": [low, high], "y": [low, high], "mode": "lines", "name": "as predicted", "hoverinfo": "skip",
        "line": {"color": SOFT, "width": 1.2, "dash": "dash"}, **on(0),
    })  # fmt: skip
    for i, name in enumerate(labels(data)[:_MOST]):
        a, b = x[i].ravel(), y[i].ravel()
        figure.traces.append({
            "type": "scatter", "x": a, "y": b, "mode": "markers", "name": plain(name), "hoverinfo": "text",
            "text": hover([[("", f"element {name}"), ("predicted, %", p), ("measured, %", q)] for p, q in zip(a, b, strict=True)]),
            "marker": {"color": _COLOURS[i], "symbol": _SYMBOLS[i], "size": 7, "opacity": 0.8}, **on(0),
        })  # fmt: skip
    for which, words in (("x", "predicted by the influence, % of the loss"), ("y", "measured, % of the loss")):
        axis_of(figure, which, 0).update(range=[low, high], zeroline=True)
        axis_of(figure, which, 0)["title"]["text"] = words
    return figure


def step_caption(group: Group) -> str:
    """What was done, and how well it agrees."""
    data = group.part("steps")
    attrs: dict[str, Any] = data.attrs if data is not None else {}
    text = (
        "A small step along the update that each ket induces was really taken, in float64, and the loss of every moved state measured "
        "before and after. On the dashed line the influence predicts what happens."
    )
    if data is not None and "correlation" in data.variables and "slope" in data.variables:
        text += f" Correlation {number(float(data['correlation']), 5)}, slope {number(float(data['slope']), 4)}"
        text += f", for steps that should lower the ket's own loss by {number(100 * float(attrs.get('relative', np.nan)))} %."
    return text


def damping_figure(group: Group) -> Figure | None:
    """Response and null of some elements over the damping; None where the metric has none."""
    data = group.part("influence")
    response, null = (array(data, f"{name}_by_damping", "damping", "element") for name in ("response", "null"))
    if data is None or response is None or null is None:
        return None
    names = labels(data)
    shown = _spread(len(names))
    figure = panels(["Coherence", "Excess over the null"], height=330)
    damping = np.asarray(data["damping"].values, dtype=float)
    for panel, values in enumerate((response, response - null)):
        for k, i in enumerate(shown):
            rows = [[("", f"element {names[i]}"), ("damping", d), ("value", v)] for d, v in zip(damping, values[:, i], strict=True)]
            figure.traces.append({
                "type": "scatter", "x": damping, "y": values[:, i], "mode": "lines+markers", "name": plain(names[i]), "hoverinfo": "text",
                "text": hover(rows), "line": {"color": _COLOURS[k], "width": 1.8}, "marker": {"symbol": _SYMBOLS[k], "size": 7},
                "legendgroup": names[i], "showlegend": panel == 0, **on(panel),
            })  # fmt: skip
        low, high = np.log10(damping.min()), np.log10(damping.max())
        ticks = log_ticks(low - 0.1, high + 0.1)
        axis_of(figure, "x", panel).update(
            type="log", range=[low - 0.1, high + 0.1], tickmode="array", tickvals=ticks, ticktext=[tick_text(t) for t in ticks]
        )
        axis_of(figure, "x", panel)["title"]["text"] = "damping"
    figure.layout["shapes"] = [line_at(p, 0.0) for p in range(2)]
    return figure


def damping_caption(group: Group) -> str:
    """Whether the order of the elements depends on the damping."""
    data = group.part("influence")
    response, null = (array(data, f"{name}_by_damping", "damping", "element") for name in ("response", "null"))
    text = "Medians over transitions, from the same gradients with other dampings; the middle one is the one used above."
    if data is None or response is None or null is None:
        return text
    change = np.nanmax(np.abs((response - null) - (response - null)[len(response) // 2]), axis=0)
    worst = int(np.nanargmax(change)) if np.isfinite(change).any() else 0
    return f"{text} Largest change of an excess over the sweep: {number(float(change[worst]))} ({element_list([labels(data)[worst]])})."


def _spread(count: int) -> list[int]:
    """The elements shown: all but the first of a small group, an even choice of a large one."""
    some = np.unique(np.linspace(1, count - 1, min(_MOST, max(1, count - 1))).round().astype(int)) if count > 1 else [0]
    return [int(i) for i in some]
