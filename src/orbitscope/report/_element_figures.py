"""Figures over the elements of a finite group: error and commutator in the output, coherence and excess in the learning."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._case import Group, array, labels, words
from ._plot import (
    GREEN,
    INK,
    LEVEL_STYLE,
    SOFT,
    Figure,
    Trace,
    axis_of,
    gaps,
    hover,
    lifted,
    line_at,
    log_axis,
    on,
    panels,
    plain,
    quartiles,
    whiskers,
)
from ._text import as_float, level

Three = tuple[np.ndarray, np.ndarray, np.ndarray]
_DOTS = 400  # above this many transitions the single dots would only be a smear


SHARE_TITLE = "Share of the error"


def output_figure(group: Group) -> Figure | None:
    """Share of the breaking, relative error and commutator per element; None where equivariance was not measured."""
    data = group.part("equivariance")
    if data is None:
        return None
    elements = labels(data)
    verdicts = words(group.part("verdict"), "output", elements)
    error, commutator = array(data, "relative_error", "element", "transition"), array(data, "commutator", "element", "transition")
    floor = array(data, "floor", "element")
    if not _any(error) and not _any(commutator):
        return None
    share = share_bounds(group)
    titles = [*([SHARE_TITLE] if share else []), "Relative error", "Commutator"]
    figure = panels(titles, columns=len(titles))
    shapes = []
    if share is not None:
        figure.traces += _medians(elements, share, verdicts, 0, "share", interval=("95 % low", "95 % high"))
        share_axis(figure, 0, share)
        _element_axis(figure, 0, elements)
        shapes += [line_at(0, margin_of(group)), line_at(0, 0.0, "solid")]
    first = len(titles) - 2
    for k, (values, least, name) in enumerate(((error, (0.5, 2.0), "relative error"), (commutator, (1e-3, 1e-1), "commutator"))):
        panel = first + k
        low, middle, high = quartiles(values, len(elements))
        shown = [low, high, values if _few(values) else None, floor if k else None]
        bottom = log_axis(figure, panel, shown, least=least if _any(values) else (0.1, 10))
        if values is not None and _few(values):
            figure.traces.append(_dots(elements, values, data, bottom, panel, name) | {"showlegend": k == 0})
        extra = [("noise floor", floor)] if k and floor is not None else []
        figure.traces += _medians(elements, (low, middle, high), verdicts, panel, name, bottom=bottom, extra=extra, legend=panel == 0)
        _element_axis(figure, panel, elements)
    if _any(floor):
        assert floor is not None
        figure.traces.append(
            _dash(elements, np.where(floor > 0, floor, math.nan), first + 1, "noise floor", "noise floor of the measurement")
        )
    figure.layout["shapes"] = [*shapes, line_at(first, 1.0)]
    return figure


def share_bounds(group: Group) -> Three | None:
    """Low, middle and high of the breaking's share per element; None where no truth or an older version left none."""
    part = group.part("verdict")
    low, middle, high = (array(part, name, "element") for name in ("share_low", "share", "share_high"))
    return (low, middle, high) if low is not None and middle is not None and high is not None and _any(middle) else None


def margin_of(group: Group) -> float:
    """Share up to which an element holds."""
    part = group.part("verdict")
    return as_float(part.attrs.get("margin", 0.05)) if part is not None else 0.05


def share_axis(figure: Figure, panel: int, *bounds: Three) -> None:
    """A linear axis from 0 that shows the margin and every bound."""
    top = max(float(np.nanmax(np.concatenate([b[2], b[1]]), initial=0.0)) for b in bounds)
    axis_of(figure, "y", panel).update(range=[-0.03 * max(top, 0.12), 1.06 * max(top, 0.12)], zeroline=False, tickformat=".0%")


def learning_figure(group: Group) -> Figure | None:
    """Coherence beside its null, and the excess with its interval; None where influence was not measured."""
    data = group.part("influence")
    if data is None:
        return None
    elements = labels(data)
    verdicts = words(group.part("verdict"), "learning", elements)
    take = {n: array(data, n, "element") for n in _SUMMARY}
    if not _any(take["response"]) and not _any(take["excess"]):
        return None
    figure = panels(["Coherence: response and null", "Excess: response minus null"])
    figure.traces += null_boxes(elements, take)
    size = len(elements)
    extra = [(title, take[n]) for n, title in _DETAILS if take[n] is not None]
    figure.traces += _medians(elements, three(take, "response", size), verdicts, 0, "response", extra=extra, learnt=True)
    excess = three(take, "excess", size)
    figure.traces += _medians(elements, excess, verdicts, 1, "excess", interval=("95 % low", "95 % high"), learnt=True, legend=False)
    if _any(take["control"]):
        figure.traces.append(control(elements, take["control"]))
    for panel in (0, 1):
        _element_axis(figure, panel, elements)
        linear_range(figure, panel, [take], excess=panel == 1)
    figure.layout["shapes"] = [line_at(0, 0.0, "solid"), line_at(1, 0.0)]
    return figure


_SUMMARY = (
    "response", "response_low", "response_high", "null", "null_low", "null_high", "excess", "excess_low", "excess_high", "control",
    "kept_rank", "condition",
)  # fmt: skip
_DETAILS = (
    ("null", "null"),
    ("excess", "excess"),
    ("control", "group-averaged model"),
    ("kept_rank", "kept rank"),
    ("condition", "condition"),
)

Summary = dict[str, np.ndarray | None]


def summary(group: Group) -> Summary:
    """The per-element numbers of an influence table."""
    return {n: array(group.part("influence"), n, "element") for n in _SUMMARY}


def three(take: Summary, name: str, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Low, middle and high of a summarised quantity; a missing bound is NaN."""
    empty = np.full(size, math.nan)
    low, middle, high = (take[n] for n in (f"{name}_low", name, f"{name}_high"))
    return (empty if low is None else low), (empty if middle is None else middle), (empty if high is None else high)


def null_boxes(elements: tuple[str, ...], take: Summary, panel: int = 0) -> list[Trace]:
    """The null's quartiles as grey boxes and its median as a dash."""
    low, middle, high = three(take, "null", len(elements))
    names = [plain(e) for e in elements]
    box: Trace = {
        "type": "bar", "x": names, "y": high - low, "base": low, "width": 0.72, "marker": {"color": "rgba(91,102,117,.22)"},
        "name": "null: other trajectories, quartiles", "hoverinfo": "skip", **on(panel),
    }  # fmt: skip
    return [box, _dash(elements, middle, panel, "null, median", "null")]


def control(elements: tuple[str, ...], values: np.ndarray | None, panel: int = 0) -> Trace:
    """The positive control: the coherence of the group-averaged model, which should be one."""
    assert values is not None
    return {
        "type": "scatter", "mode": "markers", "x": [plain(e) for e in elements], "y": values, "name": "control: group-averaged model",
        "marker": {"symbol": "diamond-open", "size": 9, "color": GREEN, "line": {"width": 1.8}},
        "text": hover([[("", e), ("group-averaged model", v)] for e, v in zip(elements, values, strict=True)]), "hoverinfo": "text",
        **on(panel),
    }  # fmt: skip


def linear_range(figure: Figure, panel: int, takes: list[Summary], *, excess: bool) -> None:
    """A linear axis that shows zero (and one, for a coherence) and every bound, with some air."""
    names = (
        ("excess", "excess_low", "excess_high")
        if excess
        else ("response", "response_low", "response_high", "null_low", "null_high", "control")
    )
    parts = [values.reshape(-1) for take in takes for n in names if (values := take[n]) is not None]
    merged = np.concatenate([np.asarray([0.0, 0.3 if excess else 1.0]), *parts])
    merged = merged[np.isfinite(merged)]
    pad = 0.07 * (merged.max() - merged.min())
    axis_of(figure, "y", panel).update(range=[float(merged.min() - pad), float(merged.max() + pad)], zeroline=False)


def _medians(
    elements: tuple[str, ...],
    bounds: Three,
    verdicts: Sequence[str],
    panel: int,
    name: str,
    *,
    bottom: float = 0.0,
    extra: Sequence[tuple[str, Any]] = (),
    interval: tuple[str, str] = ("first quartile", "third quartile"),
    learnt: bool = False,
    legend: bool = True,
) -> list[Trace]:
    """Medians with whiskers, one trace per level so that the legend explains colour and shape; `bottom` is where a zero goes."""
    low, middle, high = bounds
    rows = zip(elements, low, middle, high, strict=True)
    heads = [[("", e), (name, m), (interval[0], a), (interval[1], b)] for e, a, m, b in rows]
    texts = hover([[*head, *((t, v[i]) for t, v in extra)] for i, head in enumerate(heads)])
    traces, levels = [], [level(v) for v in verdicts]
    for kind, (colour, symbol, words_of) in LEVEL_STYLE.items():
        at = [i for i, k in enumerate(levels) if k == kind]
        if not at:
            continue
        symbols = ["triangle-down-open" if bottom and middle[i] == 0 else symbol for i in at]
        bars = [gaps(v[at]) if bottom else v[at] for v in (low, high)]
        traces.append({
            "type": "scatter", "mode": "markers", "x": [plain(elements[i]) for i in at], "legendgroup": kind,
            "name": plain(next((verdicts[i] for i in at if verdicts[i]), words_of[learnt])),
            "y": lifted(middle[at], bottom) if bottom else middle[at], "text": [texts[i] for i in at], "hoverinfo": "text",
            "marker": {"color": colour, "symbol": symbols, "size": 11, "line": {"width": 1.5 if kind == "unknown" else 0, "color": colour}},
            "error_y": whiskers(bars[0], middle[at], bars[1], colour), "showlegend": legend, **on(panel),
        })  # fmt: skip
    return traces


def _dots(elements: tuple[str, ...], values: np.ndarray, data: Any, bottom: float, panel: int, name: str) -> Trace:
    trajectory, time = (labels_of(data, n, values.shape[1]) for n in ("trajectory", "time"))
    rows, xs, ys = [], [], []
    for i, e in enumerate(elements):
        for j, v in enumerate(values[i]):
            xs.append(plain(e))
            ys.append(v)
            rows.append([("", e), (name, v), ("trajectory", trajectory[j]), ("time", time[j])])
    return {
        "type": "scatter", "mode": "markers", "x": xs, "y": lifted(np.asarray(ys), bottom), "name": "single transitions",
        "text": hover(rows),
        "hoverinfo": "text", "marker": {"color": "rgba(91,102,117,.28)", "size": 4}, "showlegend": panel == 0, "legendgroup": "dots",
        **on(panel),
    }  # fmt: skip


def labels_of(data: Any, name: str, size: int) -> list[str]:
    """A coordinate over transitions as text."""
    if name in data.variables and data[name].size == size:
        return [f"{v:g}" if isinstance(v, (float, np.floating)) else str(v) for v in data[name].values.reshape(-1)]
    return [""] * size


def _dash(elements: tuple[str, ...], values: np.ndarray, panel: int, name: str, title: str) -> Trace:
    return {
        "type": "scatter", "mode": "markers", "x": [plain(e) for e in elements], "y": values, "name": name,
        "marker": {"symbol": "line-ew", "size": 22, "line": {"width": 2.2, "color": INK if panel == 0 else SOFT}},
        "text": hover([[("", e), (title, v)] for e, v in zip(elements, values, strict=True)]), "hoverinfo": "text", **on(panel),
    }  # fmt: skip


def _element_axis(figure: Figure, panel: int, elements: tuple[str, ...]) -> None:
    axis = axis_of(figure, "x", panel)
    axis.update(type="category", categoryorder="array", categoryarray=[plain(e) for e in elements], gridcolor="rgba(0,0,0,0)")
    axis["range"] = [-0.6, len(elements) - 0.4]
    axis["title"]["text"] = "element g"


def _any(values: np.ndarray | None) -> bool:
    return values is not None and bool(np.isfinite(values).any())


def _few(values: np.ndarray | None) -> bool:
    return values is not None and values.size <= _DOTS
