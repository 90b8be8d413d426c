"""Figures of the data audit and of the training."""

import math
from collections.abc import Sequence

import numpy as np
import xarray as xr

from ._case import Case, Group, array, labels, words
from ._plot import (
    BLUE,
    GREEN,
    INK,
    LEVEL_STYLE,
    ORANGE,
    PURPLE,
    SKY,
    SOFT,
    VERMILLION,
    Figure,
    Trace,
    axis_of,
    hover,
    lifted,
    line_at,
    log_axis,
    on,
    panels,
    plain,
)
from ._shift_figures import axis_name, shift_axis
from ._text import Level, as_float, level, number

_CHECKS = ((BLUE, "circle"), (VERMILLION, "diamond"), (GREEN, "square"), (PURPLE, "cross"), (ORANGE, "triangle-up"), (SKY, "star"))
_SIGNIFICANCE = 0.05


def convention_figure(case: Case) -> Figure | None:
    """Score of every convention under every check (lower fits better); None where the file was not audited."""
    scores = array(case.audit, "score", "convention", "check")
    if case.audit is None or scores is None or not np.isfinite(scores).any():
        return None
    conventions, checks = labels(case.audit, "convention"), labels(case.audit, "check")
    figure = panels(["Score per reading of the file"], height=232 + 34 * len(conventions))
    bottom = log_axis(figure, 0, [scores], least=(0.1, 1.0), which="x")
    for j, check in enumerate(checks):
        colour, symbol = _CHECKS[j % len(_CHECKS)]
        text = hover([[("", c), (check, s)] for c, s in zip(conventions, scores[:, j], strict=True)])
        figure.traces.append({
            "type": "scatter", "mode": "markers", "x": lifted(scores[:, j], bottom), "y": [plain(c) for c in conventions],
            "name": plain(check),
            "text": text, "hoverinfo": "text", "marker": {"color": colour, "symbol": symbol, "size": 12}, **on(0),
        })  # fmt: skip
    axis_of(figure, "x", 0)["title"]["text"] = "misfit, no unit; lower fits better"
    axis_of(figure, "y", 0).update(type="category", range=[len(conventions) - 0.4, -0.6], automargin=True)
    figure.narrow.pop("margin.l")
    return figure


def audit_figure(case: Case, groups: Sequence[Group]) -> Figure | None:
    """Residual under the solver and p-value of the two-sample test, per element or against the shift; None where nothing was audited."""
    tables = [(g, d) for g in groups if (d := g.part("audit")) is not None]
    residuals = [array(d, "residual", "element") for _, d in tables]
    p_values = [array(d, "p_value", "element") for _, d in tables]
    if not any(v is not None and np.isfinite(v).any() for v in (*residuals, *p_values)):
        return None
    figure = panels(["Same physics when moved?", "Same distribution when moved?"])
    floors = [as_float(d["residual_floor"].values) if "residual_floor" in d.variables else math.nan for _, d in tables]
    bottoms = (
        log_axis(figure, 0, [*residuals, floors], least=(1e-3, 1e-1)),
        log_axis(figure, 1, p_values, least=(3e-3, 1.0)),
    )
    for k, (group, data) in enumerate(tables):
        for panel, (values, name) in enumerate(((residuals[k], "residual"), (p_values[k], "corrected p-value"))):
            if values is not None:
                figure.traces += _points(group, data, values, panel, name, bottoms[panel], k)
    alpha = as_float(tables[0][1].attrs.get("alpha", _SIGNIFICANCE))
    figure.layout["shapes"] = [line_at(1, alpha)]
    if any(f > 0 for f in floors):
        figure.traces.append(_floor(tables, max(f for f in floors if f > 0)))
    figure.layout["annotations"].append(_note(1, f"{100 * alpha:g} %", math.log10(alpha)))
    for panel in (0, 1):
        if all(g.translations for g, _ in tables):
            shift_axis(figure, panel, case, [g for g, _ in tables])
        else:
            axis_of(figure, "x", panel)["title"]["text"] = "element g"
            axis_of(figure, "x", panel).update(type="category", gridcolor="rgba(0,0,0,0)")
            axis_of(figure, "x", panel).update(categoryorder="array", categoryarray=[plain(e) for e in labels(tables[0][1])])
    axis_of(figure, "y", 0)["title"]["text"] = "‖S(gx) − gy‖ ⁄ ‖y − x‖"
    axis_of(figure, "y", 1)["title"]["text"] = "p-value, Holm-corrected"
    return figure


def training_figure(case: Case) -> Figure | None:
    """Training and validation error by epoch, with persistence and test error as lines; None without a training record."""
    if case.training is None:
        return None
    train, validation = array(case.training, "train_loss", "epoch"), array(case.training, "validation_loss", "epoch")
    if not any(v is not None and np.isfinite(v).any() for v in (train, validation)):
        return None
    assert case.training is not None
    figure = panels(["One-step error by epoch"], height=400)
    marks = [as_float(case.training.attrs.get(n)) for n in ("test_smse", "persistence_smse")]
    bottom = log_axis(figure, 0, [train, validation, marks], least=(1e-2, 1e-2))
    epochs = [float(v) for v in labels(case.training, "epoch")]
    for values, name, colour, dash, symbol in (
        (train, "training", BLUE, "solid", "circle"),
        (validation, "validation", VERMILLION, "dash", "diamond"),
    ):
        if values is not None:
            text = hover([[("", f"epoch {number(e)}"), (name, v)] for e, v in zip(epochs, values, strict=True)])
            figure.traces.append({
                "type": "scatter", "mode": "lines+markers" if len(epochs) <= 60 else "lines", "x": epochs, "y": lifted(values, bottom),
                "name": name,
                "line": {"color": colour, "dash": dash, "width": 2}, "marker": {"symbol": symbol, "size": 6}, "text": text,
                "hoverinfo": "text",
                **on(0),
            })  # fmt: skip
    for value, name, dash, colour in ((marks[1], "persistence", "dot", SOFT), (marks[0], "test", "dashdot", GREEN)):
        if value > 0 and epochs:
            figure.traces.append({
                "type": "scatter", "mode": "lines", "x": [min(epochs), max(epochs)], "y": [value, value],
                "name": f"{name}: {number(value)}",
                "line": {"color": colour, "dash": dash, "width": 2}, "text": [f"{name}: {number(value)}"] * 2, "hoverinfo": "text", **on(0),
            })  # fmt: skip
    axis_of(figure, "x", 0)["title"]["text"] = "epoch"
    axis_of(figure, "y", 0)["title"]["text"] = "scaled mean square error (SMSE)"
    return figure


def _floor(tables: Sequence[tuple[Group, xr.Dataset]], floor: float) -> Trace:
    group, data = max(tables, key=lambda table: len(labels(table[1])))
    elements = labels(data)
    xs = group.positions(elements) if group.translations else [plain(e) for e in elements]
    text = [f"solver's own floor: {number(floor)}"] * len(xs)
    return {
        "type": "scatter", "mode": "lines", "x": xs, "y": [floor] * len(xs), "name": "solver's own floor (at the identity)", "text": text,
        "hoverinfo": "text", "line": {"color": SOFT, "dash": "dot", "width": 1.6}, **on(0),
    }  # fmt: skip


def _points(group: Group, data: xr.Dataset, values: np.ndarray, panel: int, name: str, bottom: float, index: int) -> list[Trace]:
    elements = labels(data)
    verdicts = words(data, "verdict", elements)
    kinds: list[Level] = [level(v) for v in verdicts]
    head = [f"{axis_name(group)}: {e}" if group.translations else e for e in elements]
    raw = array(data, "p_value_raw", "element")
    extra = [[("uncorrected p-value", raw[i])] if panel and raw is not None else [] for i in range(len(elements))]
    rows = [[("", h), (name, v), *x, ("verdict", w or "none")] for h, v, x, w in zip(head, values, extra, verdicts, strict=True)]
    colours = [LEVEL_STYLE[k][0] for k in kinds]
    if group.translations:
        dash, colour = (("solid", BLUE), ("dash", VERMILLION), ("dot", GREEN))[index % 3]
        shape = ("circle", "diamond", "square")[index % 3]
        return [{
            "type": "scatter", "mode": "lines+markers", "x": group.positions(elements), "y": lifted(values, bottom), "text": hover(rows),
            "hoverinfo": "text", "line": {"color": colour, "dash": dash, "width": 1.4}, "marker": {"symbol": shape, "size": 6},
            "name": axis_name(group), "legendgroup": group.key, "showlegend": panel == 0, **on(panel),
        }]  # fmt: skip
    texts, traces = hover(rows), []
    for kind, (_, symbol, _) in LEVEL_STYLE.items():
        at = [i for i, k in enumerate(kinds) if k == kind]
        if at:
            name_of_kind = next((verdicts[i] for i in at if verdicts[i]), "no verdict")
            traces.append({
                "type": "scatter", "mode": "markers", "x": [plain(elements[i]) for i in at], "y": lifted(values[at], bottom),
                "text": [texts[i] for i in at], "hoverinfo": "text", "name": plain(name_of_kind), "legendgroup": kind,
                "showlegend": panel == 0,
                "marker": {"color": colours[at[0]], "symbol": symbol, "size": 11, "line": {"color": INK, "width": 0}}, **on(panel),
            })  # fmt: skip
    return traces


def _note(panel: int, text: str, height: float) -> dict:
    n = "" if panel == 0 else str(panel + 1)
    return {
        "text": text, "xref": f"x{n} domain", "x": 1, "xanchor": "right", "yref": f"y{n}", "y": height, "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 11, "color": SOFT},
    }  # fmt: skip
