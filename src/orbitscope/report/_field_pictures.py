"""Pictures of x, gx, f(gx), g f(x) and their difference, as PNG data URIs: x to the right, y up."""

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from PIL import Image

from ._case import Case, Group, labels
from ._text import MISSING, number

_COLUMNS = ("x", "gx", "f_gx", "g_fx", "difference")
_TITLES = ("x", "g x", "f(g x)", "g f(x)", "f(g x) − g f(x)")
_MOST_ELEMENTS = 6
_FONT = {"family": ["DejaVu Sans"], "size": 8.5}
_BOX = {"boxstyle": "round,pad=0.25", "facecolor": "white", "alpha": 0.85, "edgecolor": "none"}


@dataclass(frozen=True)
class Picture:
    """One channel's picture: its name with unit, the image as a data URI, its size in pixels, and a description in words."""

    channel: str
    uri: str
    width: int
    height: int
    description: str


def field_pictures(case: Case, group: Group) -> list[Picture]:
    """A picture per channel; an empty list where no fields were kept or they have not two spatial axes."""
    found = _read(case, group)
    if found is None:
        return []
    data, values, channels = found
    return [_picture(label, data, values, c, siblings) for c, (label, siblings) in enumerate(channels)]


def field_figures(case: Case, group: Group) -> dict[str, Callable[[], Figure]]:
    """By the name of a channel, what makes its figure."""
    found = _read(case, group)
    if found is None:
        return {}
    data, values, channels = found
    return {label: partial(_drawn, label, data, values, c, siblings) for c, (label, siblings) in enumerate(channels)}


def _read(case: Case, group: Group) -> tuple[xr.Dataset, dict[str, np.ndarray], list[tuple[str, list[int]]]] | None:
    """The fields, their values, and for every channel its label and the channels of the same field."""
    data = group.part("fields")
    if data is None or any(n not in data.variables or set(data[n].dims) != {"element", "channel", "x", "y"} for n in _COLUMNS[1:4]):
        return None
    # "x" is an axis too, so files call the state itself "state".
    state = next((n for n in ("state", "x") if n in data.variables and set(data[n].dims) == {"channel", "x", "y"}), None)
    if state is None:
        return None
    names, units, owner = _channels(case, data)
    labels_of = [f"{n} [{u}]" if u not in ("", "1") else n for n, u in zip(names, units, strict=True)]
    return data, _values(data, state), [(labels_of[c], [k for k, f in enumerate(owner) if f == owner[c]]) for c in range(len(names))]


def _values(data: xr.Dataset, state: str) -> dict[str, np.ndarray]:
    order = ("element", "channel", "x", "y")
    kept = min(data.sizes["element"], _MOST_ELEMENTS)
    moved = {n: np.asarray(data[n].transpose(*order).values, dtype=float)[:kept] for n in _COLUMNS[1:4]}
    still = np.asarray(data[state].transpose("channel", "x", "y").values, dtype=float)
    return {"x": np.broadcast_to(still, (kept, *still.shape)), **moved, "difference": moved["f_gx"] - moved["g_fx"]}


def _channels(case: Case, data: xr.Dataset) -> tuple[list[str], list[str], list[int]]:
    """Name, unit and field of every channel; the components of a vector share a field and so a colour scale."""
    size = data.sizes["channel"]
    names = list(case.channel_names) if len(case.channel_names) == size else list(labels(data, "channel"))
    fields = (case.json("layout") or {}).get("fields", []) if len(case.channel_names) == size else []
    owner = [
        max((i for i, f in enumerate(fields) if n.startswith(f["name"])), key=lambda i: len(fields[i]["name"]), default=-1) for n in names
    ]
    units = [str(fields[i].get("unit", "1")) if i >= 0 else "1" for i in owner]
    return names, units, [o if o >= 0 else -1 - c for c, o in enumerate(owner)]


def _picture(label: str, data: xr.Dataset, values: dict[str, np.ndarray], channel: int, siblings: list[int]) -> Picture:
    uri, width, height = _encode(_drawn(label, data, values, channel, siblings))
    elements, rows = labels(data), len(values["gx"])
    words = f"{label}: rows are the elements {', '.join(elements[:rows])}; columns are {', '.join(_TITLES)}. Largest differences: "
    words += ", ".join(f"{e} {_largest(values['difference'][i, channel])}" for i, e in enumerate(elements[:rows])) + "."
    return Picture(label, uri, width, height, words)


def _drawn(label: str, data: xr.Dataset, values: dict[str, np.ndarray], channel: int, siblings: list[int]) -> Figure:
    states = np.concatenate([values[n][:, siblings].ravel() for n in _COLUMNS[:4]])
    low, high, cmap = _scale(states)
    apart = values["difference"][:, siblings]
    apart = apart[np.isfinite(apart)]
    limit = float(np.abs(apart).max()) if apart.size and np.abs(apart).max() > 0 else 1.0
    elements, rows = labels(data), len(values["gx"])
    panels = _Panels(rows, len(_COLUMNS), values["gx"].shape[-2] / values["gx"].shape[-1])
    images = {}
    for i in range(rows):
        for j, column in enumerate(_COLUMNS):
            bounds = (-limit, limit, "RdBu_r") if j == 4 else (low, high, cmap)
            images[j] = panels.draw(i, j, values[column][i, channel], bounds)
        panels.write(i, 0, (-0.04, 0.5), f"g = {elements[i]}", size=10, ha="right", va="center", rotation=90)
        panels.write(i, 4, (0.97, 0.03), f"max {_largest(values['difference'][i, channel])}", size=7.5, ha="right", va="bottom", bbox=_BOX)
    for j, title in enumerate(_TITLES):
        panels.write(0, j, (0.5, 1.04), title, size=10, ha="center", va="bottom")
    panels.finish()
    _bar(panels.figure, images[0], (0.045 + 0.19, 0.38), label)
    _bar(panels.figure, images[4], (0.835, 0.15), "difference")
    return panels.figure


class _Panels:
    """Rows and columns of pictures in one pair of axes: a pair for each would take ten times as long to make, for ticks that nobody sees.

    A picture is 1 wide, and its lower left corner is `corner`. `extent`: its width over its height.
    """

    def __init__(self, rows: int, columns: int, extent: float) -> None:
        self.height, self.gap = 1 / extent, (0.05, 0.07 / extent)
        self.rows, self.columns, self.frames = rows, columns, []
        self.figure = Figure(figsize=(10.2, rows * 1.92 / max(extent, 0.5) + 0.95), facecolor="white")
        FigureCanvasAgg(self.figure)
        tall = self.figure.get_figheight()
        self.axes = self.figure.add_axes((0.045, 0.62 / tall, 0.95, 1 - 0.92 / tall))
        self.axes.set_axis_off()

    def corner(self, row: int, column: int) -> tuple[float, float]:
        """Lower left, row 0 on top."""
        return column * (1 + self.gap[0]), (self.rows - 1 - row) * (self.height + self.gap[1])

    def draw(self, row: int, column: int, values: np.ndarray, bounds: tuple[float, float, str]) -> AxesImage:
        """A picture of [x, y]; what is not finite is grey."""
        low, high, cmap = bounds
        x, y = self.corner(row, column)
        self.frames.append([(x, y), (x + 1, y), (x + 1, y + self.height), (x, y + self.height)])
        image = self.axes.imshow(
            np.ma.masked_invalid(values.T), origin="lower", vmin=low, vmax=high, interpolation="nearest", aspect="equal",
            cmap=colormaps[cmap].with_extremes(bad="#d9dde3"), extent=(x, x + 1, y, y + self.height),
        )  # fmt: skip
        if not np.isfinite(values).any():
            self.write(row, column, (0.5, 0.5), MISSING, size=8.5, ha="center", va="center")
        return image

    def write(self, row: int, column: int, place: tuple[float, float], text: str, size: float, **how: Any) -> None:
        """Text at a place of a picture, (0, 0) its lower left corner and (1, 1) its upper right."""
        self.axes.text(*self._at(row, column, place), text, fontdict=_FONT | {"size": size}, **how)

    def finish(self) -> None:
        """Frames, and in the first picture the directions of x and y."""
        self.axes.add_collection(PolyCollection(self.frames, facecolors="none", edgecolors="#c9d0d9", linewidths=0.6))
        arrow = {"arrowstyle": "-|>", "color": "black", "lw": 0.9, "shrinkA": 0, "shrinkB": 0}
        for tip, name, at in (((0.30, 0.06), "x", (0.34, 0.06)), ((0.06, 0.30), "y", (0.06, 0.36))):
            self.axes.annotate("", xy=self._at(0, 0, tip), xytext=self._at(0, 0, (0.06, 0.06)), arrowprops=arrow)
            self.write(0, 0, at, name, size=8, ha="center", va="center", bbox=_BOX | {"boxstyle": "round,pad=0.12"})
        self.axes.set_xlim(0, self.columns + (self.columns - 1) * self.gap[0])
        self.axes.set_ylim(0, self.rows * self.height + (self.rows - 1) * self.gap[1])

    def _at(self, row: int, column: int, place: tuple[float, float]) -> tuple[float, float]:
        x, y = self.corner(row, column)
        return x + place[0], y + place[1] * self.height


def _scale(values: np.ndarray) -> tuple[float, float, str]:
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0, "cividis"
    low, high = float(values.min()), float(values.max())
    if low < 0 < high:
        high = max(-low, high)
        return -high, high, "RdBu_r"
    return (low, high, "cividis") if high > low else (low - 0.5, low + 0.5, "cividis")


def _bar(figure: Figure, image, place: tuple[float, float], label: str) -> None:
    height = figure.get_figheight()
    axes = figure.add_axes((place[0], 0.40 / height, place[1], 0.085 / height))
    bar = figure.colorbar(image, cax=axes, orientation="horizontal")
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    axes.tick_params(labelsize=7.5, length=2, color="#5b6675")
    axes.locator_params(nbins=5)
    bar.set_label(label, fontdict=_FONT, labelpad=1)


def _largest(values: np.ndarray) -> str:
    finite = np.abs(values[np.isfinite(values)])
    return number(finite.max(), 2) if finite.size else MISSING


def _encode(figure: Figure) -> tuple[str, int, int]:
    """The figure as a data URI, with its size. Painted once and not through a file: `savefig` goes through a figure twice."""
    figure.set_dpi(150)
    canvas, small = FigureCanvasAgg(figure), io.BytesIO()
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    image.quantize(palette=_palette(), dither=Image.Dither.NONE).save(small, format="png")
    return "data:image/png;base64," + base64.b64encode(small.getvalue()).decode(), image.width, image.height


@cache
def _palette() -> Image.Image:
    """The two colour maps and the greys of text: with one byte a pixel the page is a third of the size."""
    colours = [colormaps[name](np.linspace(0, 1, n))[:, :3] for name, n in (("RdBu_r", 121), ("cividis", 100))]
    colours.append(np.repeat(np.linspace(0, 1, 35)[:, None], 3, axis=1))
    image = Image.new("P", (1, 1))
    image.putpalette((np.concatenate(colours) * 255).round().astype(np.uint8).tobytes())
    return image
