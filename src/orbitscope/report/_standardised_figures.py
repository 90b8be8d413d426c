"""The standardised influence matrix, elements by test mini-batches, against uniform sharing."""

import numpy as np
import xarray as xr

from ..probe import standardised_matrix
from ._case import Group, labels
from ._plot import BLUE, DIVERGING, SOFT, Figure, axis_of, hover, line_at, on, panels, plain, whiskers
from ._text import number

_MOST = 32


def standardised_figure(group: Group) -> Figure | None:
    """Heat map of elements and mini-batches beside the median of every element; None for fewer than three trajectories or two elements."""
    found = _matrix(group)
    if found is None:
        return None
    names = [plain(n) for n in labels(found)][:_MOST]
    values = found["standardised"].values[:_MOST]
    batches = [str(b + 1) for b in found["mini_batch"].values]
    finite = np.abs(values[1:][np.isfinite(values[1:])])
    limit = float(finite.max()) if finite.size and finite.max() > 0 else 1.0  # the identity, which is larger, may saturate
    figure = panels(("Elements by mini-batches", "Median over mini-batches"), height=430, gap=0.2, legend=False)
    figure.traces.append({
        "type": "heatmap", "x": batches, "y": names, "z": values, "coloraxis": "coloraxis", "xgap": 1, "ygap": 1, "hoverongaps": False,
        "hovertemplate": "element %{y}, mini-batch %{x}<br>%{z:.3g} standard deviations<extra></extra>", **on(0),
    })  # fmt: skip
    low, middle, high = np.nanquantile(values[1:], [0.25, 0.5, 0.75], axis=1)
    rows = [[("", f"element {n}"), ("median", m), ("quartiles", f"{number(a)} to {number(b)}")] for n, a, m, b in
            zip(names[1:], low, middle, high, strict=True)]  # fmt: skip
    figure.traces.append({
        "type": "scatter", "x": names[1:], "y": middle, "mode": "markers", "hoverinfo": "text", "text": hover(rows),
        "marker": {"color": BLUE, "size": 9}, "error_y": whiskers(low, middle, high, BLUE), **on(1),
    })  # fmt: skip
    figure.layout["shapes"] = [line_at(1, float(np.nanmedian(found["uniform"].values))), line_at(1, 0.0, "dot", SOFT)]
    figure.layout["coloraxis"] = {
        "colorscale": [[i / 10, c] for i, c in enumerate(DIVERGING)], "cmid": 0, "cmin": -limit, "cmax": limit,
        "colorbar": {"thickness": 12, "outlinewidth": 0, "len": 1, "x": 0.41, "title": {"text": "", "side": "right"}},
    }  # fmt: skip
    axis_of(figure, "x", 0).update(type="category", gridcolor="rgba(0,0,0,0)", nticks=8, tickangle=0)
    axis_of(figure, "y", 0).update(type="category", gridcolor="rgba(0,0,0,0)", autorange="reversed")
    axis_of(figure, "x", 0)["title"]["text"] = "test mini-batch"
    axis_of(figure, "x", 1).update(type="category")
    axis_of(figure, "y", 1)["title"]["text"] = "standard deviations"
    return figure


def standardised_caption(group: Group) -> str:
    """What is drawn, and how uniform it is."""
    text = (
        "Influence of each mini-batch (one trajectory with its times) on its own copy under every element, in standard deviations of the "
        "influence between unrelated mini-batches (whose mean is not taken off). If all elements shared alike, every one would lie on the "
        "dashed line; the dotted line is no influence. The identity may saturate the colours."
    )
    found = _matrix(group)
    if found is None:
        return text
    return f"{text} Uniformity (1 minus the range over the elements, of the largest): {number(float(found['uniformity'].median()))}."


def _matrix(group: Group) -> xr.Dataset | None:
    data = group.part("influence")
    dims = {"element", "bra_time", "bra_trajectory", "ket_time", "ket_trajectory"}
    if data is None or "influence" not in data.variables or set(data["influence"].dims) != dims:
        return None
    if data.sizes["ket_trajectory"] < 3 or data.sizes["element"] < 2:
        return None
    found = standardised_matrix(data)
    return found if np.isfinite(found["standardised"].values[1:]).any(1).all() else None
