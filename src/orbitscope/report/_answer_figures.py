"""Answers against each other: f(gx) over g f(x), for answers that are no picture."""

import numpy as np

from ._case import Group, array, labels
from ._plot import BLUE, GREEN, ORANGE, PURPLE, SKY, SOFT, VERMILLION, Figure, axis_of, hover, on, panels, plain

_COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY)
_SYMBOLS = ("circle", "diamond", "square", "x", "triangle-up", "cross")
_PANELS = 4


def answer_figure(group: Group) -> Figure | None:
    """A panel per channel, a mark per number of an answer and element; on the dashed line the model commutes. None where none were kept."""
    data = group.part("answers")
    moved, expected = (array(data, name, "element", "channel", "number") for name in ("f_gx", "g_fx"))
    if data is None or moved is None or expected is None:
        return None
    channels = labels(data, "channel")[:_PANELS]
    figure = panels([plain(c) for c in channels], height=380)
    for panel, channel in enumerate(channels):
        x, y = expected[:, panel], moved[:, panel]
        both = np.concatenate([x.ravel(), y.ravel()])
        low, high = float(np.nanmin(both)), float(np.nanmax(both))
        pad = 0.06 * (high - low) or 1.0
        figure.traces.append({
            "type": "scatter", "x": [low - pad, high + pad], "y": [low - pad, high + pad], "mode": "lines", "name": "commutes",
            "hoverinfo": "skip", "showlegend": panel == 0, "line": {"color": SOFT, "width": 1.2, "dash": "dash"}, **on(panel),
        })  # fmt: skip
        for i, name in enumerate(labels(data)[: len(_COLOURS)]):
            rows = [[("", f"element {name}, {channel}"), ("g f(x)", a), ("f(gx)", b)] for a, b in zip(x[i], y[i], strict=True)]
            figure.traces.append({
                "type": "scatter", "x": x[i], "y": y[i], "mode": "markers", "name": plain(name), "hoverinfo": "text", "text": hover(rows),
                "legendgroup": name, "showlegend": panel == 0,
                "marker": {"color": _COLOURS[i], "symbol": _SYMBOLS[i], "size": 6, "opacity": 0.7}, **on(panel),
            })  # fmt: skip
        for which, words in (("x", "g f(x)"), ("y", "f(gx)")):
            axis_of(figure, which, panel).update(range=[low - pad, high + pad], nticks=6)
            axis_of(figure, which, panel)["title"]["text"] = words if which == "x" or panel == 0 else ""
    return figure


def answer_caption(group: Group) -> str:
    """What is drawn, and what is left out."""
    data = group.part("answers")
    text = (
        "Every mark is one number of an answer: over the moved answer to a state, the answer to the moved state. On the dashed line the "
        "two agree. Drawn for the elements with the smallest, the middle and the largest error."
    )
    count = 0 if data is None else data.sizes.get("channel", 0)
    return text if count <= _PANELS else f"{text} The first {_PANELS} of {count} channels."
