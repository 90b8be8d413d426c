"""Plotly figures as plain dictionaries: palette, panels that stack on a narrow screen, log axes, JSON without NaN."""

import html
import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._text import Level, number

# Okabe and Ito's palette, distinguishable with every common kind of colour blindness.
BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
INK, SOFT, FAINT, GRID_LINE = "#1c2430", "#5b6675", "#c9d0d9", "#e6eaef"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif"

DARK = {
    BLUE: "#4aa8e6", ORANGE: "#f0b840", GREEN: "#35c79a", VERMILLION: "#ff8a4a", PURPLE: "#dc9cc0", SKY: "#9bd6f7",
    INK: "#e8ecf1", SOFT: "#a7b2c0", FAINT: "#4a5563", GRID_LINE: "#2c3541", "#ffffff": "#1b222c", "#9aa4b1": "#8b96a5",
}  # fmt: skip
"""What each colour of a figure becomes on a dark page, where the page's script exchanges them; the heat maps keep theirs."""

DIVERGING = ("#053061", "#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7", "#fddbc7", "#f4a582", "#d6604d", "#b2182b", "#67001f")
"""Blue for negative, white for zero, red for positive, here and in the field pictures (ColorBrewer's RdBu, reversed)."""

LEVEL_STYLE: dict[Level, tuple[str, str, tuple[str, str]]] = {
    "holds": (BLUE, "circle", ("holds", "shared")),
    "partly": (ORANGE, "diamond", ("holds in part", "partly shared")),
    "chance": (SOFT, "circle-open", ("undecided", "no more than chance")),
    "broken": (VERMILLION, "x", ("broken", "not shared")),
    "unknown": (SOFT, "square-open", ("undecided", "undetermined")),
}
"""Colour, marker and words (of the output, of the learning) for each level: never the colour alone."""

Trace = dict[str, Any]


@dataclass
class Figure:
    """What the page needs to draw one plot: traces, layout, the layout's changes for a narrow screen, and optional choices."""

    traces: list[Trace]
    layout: dict[str, Any]
    narrow: dict[str, Any]
    label: str
    choices: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> str:
        """JSON that is safe inside a script element: no NaN, no infinity, no "<"."""
        wide = {key: self.layout_value(key) for key in self.narrow}
        spec = {"data": self.traces, "layout": self.layout, "narrow": self.narrow, "wide": wide, "choices": self.choices}
        return json.dumps(clean(spec), separators=(",", ":"), allow_nan=False, ensure_ascii=False).replace("<", "\\u003c")

    def layout_value(self, dotted: str) -> Any:
        """The layout's own value of a dotted key such as "xaxis2.domain"."""
        value: Any = self.layout
        for key in dotted.split("."):
            value = value[key]
        return value


def clean(value: Any) -> Any:
    """Plain JSON data: numbers with five significant digits, None for what is not finite."""
    if isinstance(value, dict):
        return {str(k): clean(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return clean(value.tolist())
    if isinstance(value, (list, tuple)):
        return [clean(v) for v in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    return value


def plain(text: object) -> str:
    """A user's text for plotly, which reads tags in labels."""
    return html.escape(str(text), quote=False)


def panels(titles: Sequence[str], *, columns: int = 2, height: int = 330, gap: float = 0.12, legend: bool = True) -> Figure:
    """Empty panels side by side (`columns` of them in a row), one above the other on a narrow screen; axes x, x2, ... and y, y2, ..."""
    columns = min(columns, len(titles))
    top, bottom, row_gap = 46, (104 if legend else 58), 98
    layout: dict[str, Any] = {
        "font": {"family": FONT, "size": 13, "color": INK},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 62, "r": 14, "t": top, "b": bottom},
        "hoverlabel": {"font": {"family": FONT, "size": 13}, "bgcolor": "#ffffff", "bordercolor": FAINT, "align": "left"},
        "hovermode": "closest",
        "showlegend": legend,
        "legend": {"orientation": "h", "x": 0, "xref": "container", "y": 0, "yref": "container", "yanchor": "bottom", "font": {"size": 12}},
        "annotations": [],
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "#9aa4b1", "activecolor": INK},
    }
    narrow: dict[str, Any] = {"margin.l": 54}
    for changes, cols in ((layout, columns), (narrow, 1)):
        rows = math.ceil(len(titles) / cols)
        total = rows * (height - 120) + (rows - 1) * row_gap + top + bottom
        extra = 40 if changes is narrow and legend else 0
        changes["height"] = total + extra
        if changes is narrow:
            changes["margin.b"] = bottom + extra
        inner = total - top - bottom
        for i in range(len(titles)):
            x, y, n = i % cols, i // cols, "" if i == 0 else str(i + 1)
            width = (1 - gap * (cols - 1)) / cols
            across = [x * (width + gap), x * (width + gap) + width]
            y_top = 1 - y * (height - 120 + row_gap) / inner
            down = [max(0.0, y_top - (height - 120) / inner), y_top]
            if changes is narrow:
                changes |= {f"xaxis{n}.domain": across, f"yaxis{n}.domain": down}
            else:
                layout[f"xaxis{n}"] = _axis(f"y{n}") | {"domain": across}
                layout[f"yaxis{n}"] = _axis(f"x{n}") | {"domain": down}
                layout["annotations"].append(_panel_title(titles[i], n))
    return Figure([], layout, narrow, "")


def on(panel: int) -> dict[str, str]:
    """The axes of panel 0, 1, ... for a trace."""
    n = "" if panel == 0 else str(panel + 1)
    return {"xaxis": f"x{n}", "yaxis": f"y{n}"}


def axis_of(figure: Figure, which: str, panel: int) -> dict[str, Any]:
    """The layout of one axis, to be changed in place."""
    return figure.layout[f"{which}axis{'' if panel == 0 else panel + 1}"]


def log_axis(figure: Figure, panel: int, values: Sequence[Any], *, least: tuple[float, float], which: str = "y") -> float:
    """Make an axis logarithmic so that it covers `values` and at least `least`; return the height at which a zero is drawn."""
    parts = [np.asarray(v, dtype=float).reshape(-1) for v in values if v is not None]
    merged = np.concatenate([*parts, np.asarray(least, dtype=float)])
    merged = np.log10(merged[np.isfinite(merged) & (merged > 0)])
    low, high = float(merged.min()), float(merged.max())
    pad = 0.06 * (high - low) + 0.02
    has_zero = any((p == 0).any() for p in parts)
    low, high = low - pad - (0.08 * (high - low) if has_zero else 0), high + pad
    ticks = log_ticks(low, high)
    axis_of(figure, which, panel).update(
        type="log", range=[low, high], tickmode="array", tickvals=ticks, ticktext=[tick_text(t) for t in ticks], zeroline=False
    )
    return 10 ** (low + 0.03 * (high - low))


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers between two powers of ten: 1, 2, 5 where there is room, powers of ten otherwise."""
    decades = high - low
    mantissas = (1, 2, 5) if decades < 2.2 else (1,)
    if decades < 0.75:
        mantissas = (0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6)
    step = max(1, math.ceil(decades / 7))
    exponents = range(math.floor(low) - 1, math.ceil(high) + 2)
    ticks = {round(m * 10.0**e, 12 - e) for e in exponents if e % step == 0 or step == 1 for m in mantissas}
    return sorted(t for t in ticks if low <= math.log10(t) <= high)


def tick_text(value: float) -> str:
    """0.01, 20, 10<sup>4</sup>."""
    exponent = math.log10(value)
    if abs(exponent - round(exponent)) < 1e-9 and not -3 <= round(exponent) <= 3:
        return f"10<sup>{round(exponent)}</sup>".replace("-", "−")
    return f"{value:.12g}" if 1e-4 < value < 1e5 else number(value)


def line_at(panel: int, value: float, dash: str = "dash", colour: str = SOFT) -> dict[str, Any]:
    """A horizontal reference line as a layout shape."""
    n = "" if panel == 0 else str(panel + 1)
    return {
        "type": "line", "xref": f"x{n} domain", "x0": 0, "x1": 1, "yref": f"y{n}", "y0": value, "y1": value,
        "line": {"color": colour, "width": 1.2, "dash": dash}, "layer": "below",
    }  # fmt: skip


def whiskers(low: Any, middle: Any, high: Any, colour: str) -> dict[str, Any]:
    """Error bars from a median to its quartiles."""
    up, down = np.asarray(high) - np.asarray(middle), np.asarray(middle) - np.asarray(low)
    return {"type": "data", "array": up, "arrayminus": down, "symmetric": False, "color": colour, "thickness": 1.6, "width": 5}


def band(x: Sequence[Any], low: Any, high: Any, colour: str, panel: int, name: str, opacity: float = 0.18) -> Trace:
    """A filled band between two curves, as one closed outline over every stretch of finite values."""
    xs: list[Any] = []
    ys: list[Any] = []
    low, high = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    good = np.isfinite(low) & np.isfinite(high)
    for start, stop in _stretches(good):
        xs += [*x[start:stop], *reversed(x[start:stop]), None]
        ys += [*high[start:stop], *low[start:stop][::-1], None]
    return {
        "type": "scatter", "x": xs, "y": ys, "mode": "lines", "fill": "toself", "line": {"width": 0}, "fillcolor": rgba(colour, opacity),
        "name": name, "hoverinfo": "skip", **on(panel),
    }  # fmt: skip


def rgba(colour: str, opacity: float) -> str:
    """A colour with opacity."""
    r, g, b = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({r},{g},{b},{opacity})"


def quartiles(values: np.ndarray | None, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First quartile, median and third quartile over axis 1 of the finite values; NaN for a row without any."""
    if values is None or not values.shape[1]:
        empty = np.full(size, math.nan)
        return empty, empty, empty
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a row without any finite value is no surprise here
        low, middle, high = np.nanpercentile(np.where(np.isfinite(values), values, math.nan), (25, 50, 75), axis=1)
    return low, middle, high


def lifted(values: np.ndarray, floor: float) -> np.ndarray:
    """Zeros drawn at `floor`, because a log axis has no place for them (the hover text keeps the true value)."""
    return np.where(np.asarray(values) == 0, floor, values)


def gaps(values: np.ndarray) -> np.ndarray:
    """Zeros as gaps, for curves on a log axis."""
    return np.where(np.asarray(values) == 0, math.nan, values)


def hover(rows: Sequence[Sequence[tuple[str, Any]]]) -> list[str]:
    """Hover texts: the first entry of each row is the heading."""
    return [f"<b>{plain(row[0][1])}</b>" + "".join(f"<br>{name}: {_said(value)}" for name, value in row[1:]) for row in rows]


def _said(value: Any) -> str:
    return plain(value) if isinstance(value, str) else number(value, 4)


def _stretches(good: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], good.astype(int), [0]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _axis(anchor: str) -> dict[str, Any]:
    return {
        "anchor": anchor, "gridcolor": GRID_LINE, "linecolor": FAINT, "zerolinecolor": FAINT, "ticks": "outside", "tickcolor": FAINT,
        "ticklen": 4, "automargin": False, "title": {"text": "", "standoff": 8, "font": {"size": 12, "color": SOFT}}, "showline": True,
    }  # fmt: skip


def _panel_title(title: str, n: str) -> dict[str, Any]:
    return {
        "text": f"<b>{title}</b>", "xref": f"x{n} domain", "yref": f"y{n} domain", "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom",
        "yshift": 8, "showarrow": False, "font": {"size": 13, "color": INK}, "align": "left",
    }  # fmt: skip
