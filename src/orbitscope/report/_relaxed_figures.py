"""What the relaxed layers of a model have broken: by layer and element."""

import numpy as np

from ._case import Case, array, labels
from ._plot import BLUE, DIVERGING, Figure, axis_of, hover, on, panels, plain, whiskers
from ._text import element_list, number

_TITLES = ("Change of the kernel, layer by layer", "Median and range over layers")


def relaxed_figure(case: Case) -> Figure | None:
    r"""Left: $\|gK - K\| / \|K\|$ of every layer and element, right: median and range over layers. None without such layers."""
    found = _known(case)
    if found is None:
        return None
    layers, elements, broken = found
    figure = panels(_TITLES, height=max(330, 190 + 24 * len(layers)), gap=0.3, legend=False)
    names = [plain(e) for e in elements]
    figure.traces.append({
        "type": "heatmap", "x": names, "y": [plain(_short(n)) for n in layers], "z": broken, "coloraxis": "coloraxis", "xgap": 1, "ygap": 1,
        "hovertemplate": "layer %{y}, element %{x}<br>change of the kernel: %{z:.3g}<extra></extra>", **on(0),
    })  # fmt: skip
    low, middle, high = np.nanmin(broken, axis=0), np.nanmedian(broken, axis=0), np.nanmax(broken, axis=0)
    rows = zip(elements, low, middle, high, strict=True)
    figure.traces.append({
        "type": "scatter", "x": names, "y": middle, "mode": "markers", "name": "median", "hoverinfo": "text", "showlegend": False,
        "marker": {"color": BLUE, "size": 9}, "error_y": whiskers(low, middle, high, BLUE),
        "text": hover([[("", f"element {e}"), ("median", m), ("least", a), ("most", b)] for e, a, m, b in rows]), **on(1),
    })  # fmt: skip
    figure.layout["coloraxis"] = {
        "colorscale": [[i / 5, c] for i, c in enumerate(DIVERGING[5:])], "cmin": 0.0, "cmax": float(np.nanmax(broken)) or 1.0,
        "colorbar": {"thickness": 12, "outlinewidth": 0, "len": 1, "x": 0.36, "title": {"text": "", "side": "right"}},
    }  # fmt: skip
    axis_of(figure, "y", 0).update(type="category", autorange="reversed", gridcolor="rgba(0,0,0,0)", automargin=True)
    for panel in range(2):
        axis_of(figure, "x", panel).update(type="category", gridcolor="rgba(0,0,0,0)")
        axis_of(figure, "x", panel)["title"]["text"] = "element"
    axis_of(figure, "y", 1).update(rangemode="tozero")
    axis_of(figure, "y", 1)["title"]["text"] = "relative change"
    return figure


def relaxed_caption(case: Case) -> str:
    """What is shown, and which element is broken most and least."""
    text = (
        "Relaxed layers start with the symmetry built in and leave it where the data ask. Relative change of a layer's kernel when the "
        "element moves it: 0 is strict, kernels that have nothing to do with each other give about 1.4."
    )
    found = _known(case)
    if found is None:
        return text
    layers, elements, broken = found
    middle = np.nanmedian(broken, axis=0)
    if not np.nanmax(broken) > 0:
        return f"{text} Nothing is broken: the model is as symmetric as on its first day."
    most, least = int(np.nanargmax(middle)), int(np.nanargmin(middle))
    layer, element = np.unravel_index(int(np.nanargmax(broken)), broken.shape)
    text += f" Largest: {_short(layers[layer])} under {elements[element]} ({number(broken[layer, element])})."
    text += f" In the median over layers, broken most: {element_list([elements[most]])} ({number(middle[most])})"
    return text + (f", least: {element_list([elements[least]])} ({number(middle[least])})." if most != least else ".")


def _known(case: Case) -> tuple[tuple[str, ...], list[str], np.ndarray] | None:
    """Layers, the elements that any of them knows (the identity moves no kernel), and the changes [layer, element]."""
    data, broken = case.relaxation, array(case.relaxation, "broken", "layer", "element")
    if data is None or broken is None or not np.isfinite(broken).any():
        return None
    known = np.atleast_1d(np.isfinite(broken).any(axis=0))
    return labels(data, "layer"), [e for e, k in zip(labels(data), known, strict=True) if k], broken[:, known]


def _short(name: str, limit: int = 22) -> str:
    name = name.removeprefix("backbone.")
    return name if len(name) <= limit else f"…{name[1 - limit :]}"
