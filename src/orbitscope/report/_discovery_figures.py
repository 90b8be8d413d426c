"""Figures of a discovered symmetry: the spectrum of directions, generators as motions, how well their span is known, charts."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from ..discover import Discovery
from ._plot import (
    BLUE,
    DIVERGING,
    FAINT,
    ORANGE,
    SOFT,
    VERMILLION,
    Figure,
    axis_of,
    hover,
    lifted,
    line_at,
    log_axis,
    on,
    panels,
    rgba,
)

WORDS = {
    "exact": (BLUE, "circle"), "approximate": (ORANGE, "diamond"), "undetermined": (SOFT, "square-open"), "broken": (VERMILLION, "x"),
    "unseen": (SOFT, "circle-open"),
}  # fmt: skip
"""Colour and marker of each word: never the colour alone."""
SHOWN = 6
_ARROWS, _ORBITS, _STEPS = 9, (0.3, 0.6, 0.9), 60
Array = NDArray[np.float64]


def sizes(squares: Array) -> Array:
    """Sizes of squares, of which crossed ones may be a little negative."""
    return np.sqrt(np.maximum(squares, 0.0))


def spectrum_figure(found: Discovery) -> Figure | None:
    """The breaking of every direction with its interval, the predictors' noise, the limit and what unrelated examples give."""
    e = found.evidence
    breaking, noise, low, high = (sizes(v) for v in (e.breaking, e.noise, e.low, e.high))
    if not np.isfinite(breaking).any():
        return None
    limit, null = math.sqrt(e.settings.get("holds", math.nan)), math.sqrt(max(e.null, 0.0))
    figure = panels(["How far each direction is from a symmetry"], height=420)
    zero = log_axis(figure, 0, [breaking, high, noise], least=(0.01, 1.0))
    directions = np.arange(1, len(breaking) + 1)
    shown = lifted(breaking, zero)
    for word, (colour, marker) in WORDS.items():
        at = np.array([w == word and math.isfinite(b) for w, b in zip(e.words, breaking, strict=True)])
        if not at.any():
            continue
        rows = zip(directions[at], breaking[at], low[at], high[at], noise[at], strict=True)
        figure.traces.append({
            "type": "scatter", "x": directions[at], "y": shown[at], "mode": "markers", "name": word, "hoverinfo": "text",
            "marker": {"color": colour, "symbol": marker, "size": 11, "line": {"width": 1.6, "color": colour}},
            "error_y": {"type": "data", "symmetric": False, "array": np.maximum(high[at] - shown[at], 0), "color": colour, "thickness": 1.6,
                        "arrayminus": np.maximum(shown[at] - lifted(low[at], zero), 0), "width": 5},
            "text": hover([
                [("", f"direction {d}: {word}"), ("breaking", b), ("from", a), ("to", c), ("noise", n)] for d, b, a, c, n in rows
            ]),
            **on(0),
        })  # fmt: skip
    figure.traces.append({
        "type": "scatter", "x": directions, "y": lifted(noise, zero), "mode": "markers", "name": "noise of the predictors",
        "marker": {"color": SOFT, "symbol": "line-ew-open", "size": 16, "line": {"width": 2, "color": SOFT}},
        "hovertemplate": "noise %{y:.3g}<extra></extra>", **on(0),
    })  # fmt: skip
    lines = [(limit, "limit below which a direction holds", "dash"), (null, "smallest of unrelated examples (1 % quantile)", "dot")]
    for value, label, dash in lines:
        if math.isfinite(value) and value > 0:
            figure.layout.setdefault("shapes", []).append(line_at(0, value, dash))
            figure.traces.append({
                "type": "scatter", "x": [None], "y": [None], "mode": "lines", "name": label, "line": {"color": SOFT, "dash": dash}, **on(0),
            })  # fmt: skip
    figure.layout["height"] += 34  # the legend has three rows
    figure.layout["margin"]["b"] += 34
    figure.narrow["height"] += 70
    figure.narrow["margin.b"] += 70
    axis_of(figure, "x", 0).update(dtick=max(1, len(directions) // 12), range=[0.4, len(directions) + 0.6], gridcolor="rgba(0,0,0,0)")
    axis_of(figure, "x", 0)["title"]["text"] = "direction, the most symmetric first"
    axis_of(figure, "y", 0)["title"]["text"] = "change of the answer, over that of unrelated examples"
    return figure


def generator_figure(found: Discovery) -> Figure | None:
    """The directions that hold (the two least broken ones where none does): vector fields in the plane, else matrices."""
    count = min(SHOWN, found.count or min(2, len(found.basis)))
    if not count:
        return None
    plane = found.basis.shape[1] - found.homogeneous == 2
    titles = [f"{'Generator' if k < found.count else 'Direction'} {k + 1}, {found.evidence.words[k]}" for k in range(count)]
    # Two columns always: a lone picture of the plane would be as high as the page is wide.
    titles += [""] * (len(titles) == 1)
    figure = panels(titles, height=480 if plane else 360, gap=0.16, legend=False)
    for k in range(count):
        (_motion if plane else _matrix)(figure, found, k)
    if len(titles) > count:
        for which in "xy":
            axis_of(figure, which, count).update(visible=False)
    if not plane:
        most = float(np.abs(found.basis[:count]).max())
        figure.layout["coloraxis"] = {
            "colorscale": [[i / 10, c] for i, c in enumerate(DIVERGING)], "cmin": -most, "cmax": most,
            "colorbar": {"thickness": 12, "outlinewidth": 0, "len": 1, "title": {"text": "entry", "side": "right"}},
        }  # fmt: skip
    return figure


def _motion(figure: Figure, found: Discovery, k: int) -> None:
    """Arrows p -> p + dt (A p + b) and orbits of a few points."""
    a = found.basis[k][:2, :2]
    b = found.basis[k][:2, 2] if found.homogeneous else np.zeros(2)
    colour = WORDS[found.evidence.words[k]][0]
    places = np.stack(np.meshgrid(*[np.linspace(-1, 1, _ARROWS)] * 2), -1).reshape(-1, 2)
    v = places @ a.T + b
    v *= 1.6 / (_ARROWS - 1) / max(float(np.linalg.norm(v, axis=1).max()), 1e-12)
    xs, ys = _arrows(places, v)
    for x, y, width, opacity in (*_orbits(found.basis[k], found.homogeneous), (xs, ys, 1.3, 1.0)):
        figure.traces.append({
            "type": "scatter", "x": x, "y": y, "mode": "lines", "hoverinfo": "skip",
            "line": {"color": rgba(colour, opacity), "width": width}, **on(k),
        })  # fmt: skip
    n = "" if k == 0 else str(k + 1)
    for which in "xy":
        axis_of(figure, which, k).update(range=[-1.25, 1.25], zeroline=True, zerolinecolor=FAINT, constrain="domain", dtick=0.5)
        axis_of(figure, which, k)["title"]["text"] = "first coordinate" if which == "x" else "second coordinate"
    axis_of(figure, "y", k).update(scaleanchor=f"x{n}")


def _arrows(places: Array, v: Array) -> tuple[list[Any], list[Any]]:
    """Shafts and heads as one broken line."""
    xs: list[Any] = []
    ys: list[Any] = []
    for p, d in zip(places, v, strict=True):
        length = float(np.linalg.norm(d))
        if length < 1e-3:
            continue
        tip, side = p + d, np.array([-d[1], d[0]])
        barbs = [tip - 0.4 * d + s * 0.22 * side for s in (1, -1)]
        for line in ((p, tip), (barbs[0], tip, barbs[1])):
            xs += [*(q[0] for q in line), None]
            ys += [*(q[1] for q in line), None]
    return xs, ys


def _orbits(x: Array, homogeneous: bool) -> list[tuple[list[Any], list[Any], float, float]]:
    """Where three points go along the motion, inside the picture."""
    times = np.linspace(-math.pi, math.pi, 2 * _STEPS + 1) * math.sqrt(2)
    moves = expm(times[:, None, None] * x)
    found = []
    for r in _ORBITS:
        start = np.array([r, 0.0, 1.0]) if homogeneous else np.array([r, 0.0])
        path = (moves @ start)[:, :2]
        inside = (np.abs(path).max(1) <= 1.25).tolist()
        line = [(p if here else (None, None)) for p, here in zip(path.tolist(), inside, strict=True)]
        found.append(([q[0] for q in line], [q[1] for q in line], 4.0, 0.3))
    return found


def _matrix(figure: Figure, found: Discovery, k: int) -> None:
    size = found.basis.shape[1]
    names = [str(i + 1) for i in range(size)]
    if found.homogeneous:
        names[-1] = "1"
    shown = found.basis[k]
    figure.traces.append({
        "type": "heatmap", "x": list(range(1, size + 1)), "y": list(range(1, size + 1)), "z": shown, "coloraxis": "coloraxis", "xgap": 1,
        "ygap": 1, "hovertemplate": "row %{y}, column %{x}: %{z:.3f}<extra></extra>", **on(k),
    })  # fmt: skip
    n = "" if k == 0 else str(k + 1)
    axis_of(figure, "x", k).update(dtick=1, gridcolor="rgba(0,0,0,0)", constrain="domain")
    axis_of(figure, "y", k).update(dtick=1, gridcolor="rgba(0,0,0,0)", autorange="reversed", scaleanchor=f"x{n}", constrain="domain")
    axis_of(figure, "x", k)["title"]["text"] = "column"
    axis_of(figure, "y", k)["title"]["text"] = "row"


def angle_figure(found: Discovery) -> Figure | None:
    """The largest angle between the span and that of resampled examples, over the resamples."""
    spread = found.evidence.spread
    if len(spread) < 2 or not float(np.ptp(spread)) > 0:
        return None
    figure = panels(["How well the generators are known"], height=330, legend=False)
    figure.traces.append({
        "type": "histogram", "x": spread, "nbinsx": 24, "marker": {"color": BLUE, "line": {"width": 0}},
        "hovertemplate": "%{x} degrees: %{y} resamples<extra></extra>", **on(0),
    })  # fmt: skip
    figure.layout["bargap"] = 0.06
    figure.layout["shapes"] = [{
        "type": "line", "xref": "x", "x0": found.angle, "x1": found.angle, "yref": "y domain", "y0": 0, "y1": 1,
        "line": {"color": SOFT, "width": 1.4, "dash": "dash"},
    }]  # fmt: skip
    axis_of(figure, "x", 0)["title"]["text"] = "largest angle to the span of all examples, degrees (dashed: 95 % quantile)"
    axis_of(figure, "y", 0)["title"]["text"] = "resamples"
    axis_of(figure, "x", 0).update(rangemode="tozero")
    return figure


def chart_figure(found: Discovery) -> Figure | None:
    """The breaking of every direction in every chart; None without charts."""
    values = sizes(found.evidence.by_chart)
    if values.shape[0] < 2 or not np.isfinite(values).any():
        return None
    figure = panels(["Where it holds: breaking by chart"], height=max(330, 170 + 22 * values.shape[1]), legend=False)
    rows = [f"direction {k + 1}" for k in range(values.shape[1])]
    figure.traces.append({
        "type": "heatmap", "x": list(range(1, len(values) + 1)), "y": rows, "z": values.T, "coloraxis": "coloraxis", "xgap": 1, "ygap": 1,
        "hovertemplate": "chart %{x}, %{y}: %{z:.3g}<extra></extra>", **on(0),
    })  # fmt: skip
    figure.layout["coloraxis"] = {
        "colorscale": [[i / 5, c] for i, c in enumerate(DIVERGING[5:])], "cmin": 0.0, "cmax": 1.0,
        "colorbar": {"thickness": 12, "outlinewidth": 0, "len": 1, "title": {"text": "breaking", "side": "right"}},
    }  # fmt: skip
    axis_of(figure, "x", 0).update(dtick=max(1, len(values) // 12), gridcolor="rgba(0,0,0,0)")
    axis_of(figure, "x", 0)["title"]["text"] = "chart"
    axis_of(figure, "y", 0).update(type="category", autorange="reversed", gridcolor="rgba(0,0,0,0)", automargin=True)
    return figure
