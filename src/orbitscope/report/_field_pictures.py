"""Pictures of x, gx, f(gx), g f(x) and their difference, as PNG data URIs: x to the right, y up."""

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from ._case import Case, Group, labels
from ._text import MISSING, number

_COLUMNS = ("x", "gx", "f_gx", "g_fx", "difference")
_TITLES = ("x", "g x", "f(g x)", "g f(x)", "f(g x) − g f(x)")
_MOST_ELEMENTS = 6
_FONT = {"family": ["DejaVu Sans"], "size": 8.5}


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
    extent = values["gx"].shape[-2] / values["gx"].shape[-1]
    figure = Figure(figsize=(10.2, rows * 1.92 / max(extent, 0.5) + 0.95), facecolor="white")
    FigureCanvasAgg(figure)
    top, bottom = 1 - 0.30 / figure.get_figheight(), 0.62 / figure.get_figheight()
    grid = figure.add_gridspec(rows, 5, left=0.045, right=0.995, top=top, bottom=bottom, wspace=0.05, hspace=0.07)
    images = {}
    for i in range(rows):
        for j, column in enumerate(_COLUMNS):
            axes = figure.add_subplot(grid[i, j])
            bounds = (-limit, limit, "RdBu_r") if j == 4 else (low, high, cmap)
            images[j] = _draw(axes, values[column][i, channel], bounds)
            if i == 0:
                axes.set_title(_TITLES[j], fontdict=_FONT | {"size": 10}, pad=5)
            if j == 0:
                axes.set_ylabel(f"g = {elements[i]}", fontdict=_FONT | {"size": 10}, labelpad=4)
            if j == 4:
                _stamp(axes, f"max {_largest(values[column][i, channel])}")
    _arrows(figure.axes[0])
    _bar(figure, images[0], (0.045 + 0.19, 0.38), label)
    _bar(figure, images[4], (0.835, 0.15), "difference")
    return figure


def _scale(values: np.ndarray) -> tuple[float, float, str]:
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0, "cividis"
    low, high = float(values.min()), float(values.max())
    if low < 0 < high:
        high = max(-low, high)
        return -high, high, "RdBu_r"
    return (low, high, "cividis") if high > low else (low - 0.5, low + 0.5, "cividis")


def _draw(axes: Axes, values: np.ndarray, bounds: tuple[float, float, str]):
    low, high, cmap = bounds
    image = axes.imshow(values.T, origin="lower", vmin=low, vmax=high, cmap=cmap, interpolation="nearest", aspect="equal")
    axes.set_facecolor("#d9dde3")  # what is not finite shows as grey
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(color="#c9d0d9", linewidth=0.6)
    if not np.isfinite(values).any():
        axes.text(0.5, 0.5, MISSING, transform=axes.transAxes, ha="center", va="center", fontdict=_FONT)
    return image


def _arrows(axes: Axes) -> None:
    style = {"arrowprops": {"arrowstyle": "-|>", "color": "black", "lw": 0.9}, "xycoords": "axes fraction", "textcoords": "axes fraction"}
    box = {"boxstyle": "round,pad=0.12", "facecolor": "white", "alpha": 0.75, "edgecolor": "none"}
    for tip, name, at in (((0.30, 0.06), "x", (0.34, 0.06)), ((0.06, 0.30), "y", (0.06, 0.36))):
        axes.annotate("", xy=tip, xytext=(0.06, 0.06), **style)
        axes.text(*at, name, transform=axes.transAxes, ha="center", va="center", fontdict=_FONT | {"size": 8}, bbox=box)


def _stamp(axes: Axes, text: str) -> None:
    box = {"boxstyle": "round,pad=0.25", "facecolor": "white", "alpha": 0.85, "edgecolor": "none"}
    axes.text(0.97, 0.03, text, transform=axes.transAxes, ha="right", va="bottom", fontdict=_FONT | {"size": 7.5}, bbox=box)


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
    raw, small = io.BytesIO(), io.BytesIO()
    figure.savefig(raw, format="png", dpi=150, pil_kwargs={"compress_level": 1})
    with Image.open(raw) as image:
        width, height = image.size
        image.convert("RGB").quantize(palette=_palette(), dither=Image.Dither.NONE).save(small, format="png")
    return "data:image/png;base64," + base64.b64encode(small.getvalue()).decode(), width, height


@cache
def _palette() -> Image.Image:
    """The two colour maps and the greys of text: with one byte a pixel the page is a third of the size."""
    colours = [colormaps[name](np.linspace(0, 1, n))[:, :3] for name, n in (("RdBu_r", 121), ("cividis", 100))]
    colours.append(np.repeat(np.linspace(0, 1, 35)[:, None], 3, axis=1))
    image = Image.new("P", (1, 1))
    image.putpalette((np.concatenate(colours) * 255).round().astype(np.uint8).tobytes())
    return image
