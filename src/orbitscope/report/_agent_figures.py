"""Figures of trained agents: returns by steps, departures of policy and critic from turning with the world."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from ._plot import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, Figure, axis_of, band, hover, lifted, log_axis, on, panels, plain

COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY)
SYMBOLS = ("circle", "diamond", "square", "x", "triangle-up", "star")
Named = Sequence[tuple[str, xr.Dataset]]


def curve_figure(runs: Named) -> Figure | None:
    """Mean return by steps with the range over episodes, one curve a run; None before the first evaluation."""
    runs = [(name, data) for name, data in runs if data.sizes.get("steps", 0)]
    if not runs:
        return None
    figure = panels(["Return by steps of the agent"], height=420)
    for k, (name, data) in enumerate(runs):
        steps, found = data["steps"].values.tolist(), np.asarray(data["returns"].values, dtype=float)
        colour, symbol = COLOURS[k % len(COLOURS)], SYMBOLS[k % len(SYMBOLS)]
        if len(steps) > 1:
            figure.traces.append(band(steps, found.min(1), found.max(1), colour, 0, "") | {"showlegend": False})
        rows = zip(steps, found, strict=True)
        text = hover([[("", f"{name}, {s:,} steps"), ("mean", f.mean()), ("worst", f.min()), ("best", f.max())] for s, f in rows])
        figure.traces.append({
            "type": "scatter", "mode": "lines+markers", "x": steps, "y": found.mean(1), "name": plain(name), "text": text,
            "hoverinfo": "text", "line": {"color": colour, "width": 2}, "marker": {"symbol": symbol, "size": 7, "color": colour}, **on(0),
        })  # fmt: skip
    axis_of(figure, "x", 0)["title"]["text"] = "steps of the agent"
    axis_of(figure, "y", 0)["title"]["text"] = "return of an episode"
    return figure


def asymmetry_figure(runs: Named) -> Figure:
    """Relative departures of policy (left) and critic (right), element by element, on a log axis; zeros stand at its foot."""
    figure = panels(["Policy", "Critic"], height=380)
    for panel, which in enumerate(("policy", "critic")):
        values = [np.asarray(data["relative"].sel(map=which).values, dtype=float) for _, data in runs]
        foot = log_axis(figure, panel, values, least=(1e-3, 1.5))
        for k, ((name, data), found) in enumerate(zip(runs, values, strict=True)):
            elements = data["element"].values.tolist()
            text = hover([[("", f"{name}, element {g}"), ("departure", v)] for g, v in zip(elements, found, strict=True)])
            figure.traces.append({
                "type": "scatter", "mode": "markers", "x": [plain(g) for g in elements], "y": lifted(found, foot), "name": plain(name),
                "text": text, "hoverinfo": "text", "showlegend": panel == 0 and len(runs) > 1,
                "marker": {"symbol": SYMBOLS[k % len(SYMBOLS)], "size": 10, "color": COLOURS[k % len(COLOURS)]}, **on(panel),
            })  # fmt: skip
        axis_of(figure, "x", panel).update(type="category", gridcolor="rgba(0,0,0,0)")
        axis_of(figure, "x", panel)["title"]["text"] = "element g"
    axis_of(figure, "y", 0)["title"]["text"] = "departure, relative"
    return figure
