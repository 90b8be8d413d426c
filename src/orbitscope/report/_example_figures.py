"""One example and its copies: the places of a cloud or a graph, the vectors among values, the letters of a word."""

import json

import numpy as np
from numpy.typing import NDArray

from ._case import Group, labels
from ._plot import BLUE, FAINT, GREEN, ORANGE, PURPLE, SKY, SOFT, VERMILLION, Figure, axis_of, hover, on, panels, plain
from ._tables import TextTable

_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
# Rows: to the right, upwards, towards the reader, for a view from the front, the right and above.
_RIGHT, _UP, _NEAR = np.array([[-0.5, 0.866, 0.0], [-0.433, -0.25, 0.866], [0.75, 0.433, 0.5]])


def example_figure(group: Group) -> Figure | None:
    """A panel for x and for each copy; None for what is no picture."""
    data = group.part("example")
    if data is None or "place" not in data:
        return None
    places = np.asarray(data["place"].values, dtype=float)  # [copy, point, axis]
    titles = [_title(name) for name in labels(data, "copy")]
    figure = panels(titles, columns=min(4, len(titles)), height=330, legend=False)
    flat, depth = _projected(places)
    reach = 1.12 * float(np.abs(flat).max()) or 1.0
    arrows = "field" in data.coords
    names = labels(data, "field") if arrows else [str(k) for k in range(places.shape[1])]
    for panel in range(len(titles)):
        for axis, end in enumerate(_projected(0.9 * reach * np.eye(places.shape[2])[:, None])[0][:, 0]):
            _line(figure, panel, np.zeros(2), end, FAINT, "xyz"[axis])
        for a, b in json.loads(data.attrs.get("edges") or "[]"):
            _line(figure, panel, flat[panel, a], flat[panel, b], SOFT, "")
        if arrows:
            for k, name in enumerate(names):
                _line(figure, panel, np.zeros(2), flat[panel, k], _COLOURS[k % len(_COLOURS)], name, width=3)
        said = names if arrows else [f"point {n}" for n in names]
        rows = [[("", n), *zip("xyz", place, strict=False)] for n, place in zip(said, places[panel], strict=True)]
        figure.traces.append({
            "type": "scatter", "x": flat[panel, :, 0], "y": flat[panel, :, 1], "mode": "markers" if arrows else "markers+text",
            "text": [] if arrows else names, "textposition": "top center", "textfont": {"size": 10, "color": SOFT}, "hoverinfo": "text",
            "hovertext": hover(rows), "showlegend": False,
            "marker": {
                "color": [_COLOURS[k % len(_COLOURS)] for k in range(len(names))] if arrows else BLUE, "size": _sizes(depth[panel]),
                "line": {"color": "#ffffff", "width": 1},
            },
            **on(panel),
        })  # fmt: skip
        for which in "xy":
            axis_of(figure, which, panel).update(range=[-reach, reach], visible=False)
        axis_of(figure, "y", panel).update(scaleanchor=axis_of(figure, "y", panel)["anchor"], scaleratio=1)
    return figure


def example_table(group: Group) -> TextTable | None:
    """Words and their copies; None for all else."""
    data = group.part("example")
    if data is None or "text" not in data:
        return None
    rows = zip(labels(data, "copy"), (str(t) for t in data["text"].values), strict=True)
    return TextTable("The first word and its copies under some elements", ("moved by", "word"), tuple((n, t) for n, t in rows))


def example_caption(group: Group) -> str:
    """What is drawn."""
    data = group.part("example")
    if data is None:
        return ""
    what = "vectors of the first x" if "field" in data.coords else f"first x ({plain(data.attrs.get('field', ''))} of its points, numbered)"
    solid = data.sizes.get("axis", 2) == 3
    view = " Space is seen from the front, the right and above; nearer points are larger." if solid else ""
    return f"The {what} and its copies under the elements with the smallest, the middle and the largest error.{view}"


def _title(name: str) -> str:
    return "x" if name == "x" else plain(f"g x, g = {name}")


def _projected(places: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[..., axis] -> the plane of the page [..., 2] and how near to the reader [...]."""
    if places.shape[-1] == 2:
        return places, np.zeros(places.shape[:-1])
    return np.stack([places @ _RIGHT, places @ _UP], -1), places @ _NEAR


def _sizes(depth: NDArray[np.float64]) -> list[float]:
    spread = float(np.ptp(depth))
    return [9.0 if not spread else 7 + 6 * float((d - depth.min()) / spread) for d in depth]


def _line(
    figure: Figure, panel: int, start: NDArray[np.float64], end: NDArray[np.float64], colour: str, name: str, width: float = 1.2
) -> None:
    figure.traces.append({
        "type": "scatter", "x": [start[0], end[0]], "y": [start[1], end[1]], "mode": "lines+text" if name else "lines",
        "text": ["", name], "textposition": "top center", "textfont": {"size": 11, "color": SOFT}, "hoverinfo": "skip", "showlegend": False,
        "line": {"color": colour, "width": width}, **on(panel),
    })  # fmt: skip


__all__ = ["example_caption", "example_figure", "example_table"]
