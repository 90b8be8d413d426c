"""The same body in other meshes: pictures with faces coloured by their area, and by how much the answer changes for each."""

import base64
import io
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import Colormap, LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure as Sheet
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from ._captions import Caption
from ._case import Case, array, labels
from ._field_pictures import Picture
from ._tables import TextTable
from ._text import number

_COLUMNS, _PANEL, _DOTS = 4, 2.75, 130
_COLOURS = colormaps["YlGnBu"]
_EDGE, _TEXT, _BAR = "#33414f", "#1d2630", "#b3431e"


def mesh_pictures(case: Case) -> list[Picture]:
    """One sheet for each body: a panel for the mesh as it was and for every re-meshing; none where the file has no meshes."""
    change, corners = (
        array(case.meshes, "change", "body", "element"),
        array(case.meshes, "corners", "body", "element", "face", "corner", "axis"),
    )
    if case.meshes is None or change is None or corners is None:
        return []
    names, bodies = labels(case.meshes), labels(case.meshes, "body")
    return [_picture(f"example {b}", names, corners[k], change[k]) for k, b in enumerate(bodies)]


def mesh_caption(case: Case) -> Caption:
    """What is shown, and which move changes the answer most."""
    text = (
        "One body in other meshes, seen from the front, the right and above. Colour is the area of a face over the mean area of the mesh "
        "as it was. The change, and the bar below a mesh, are that of the model's answer, ‖f(gx) − f(x)‖ over the spread of the true "
        "answers (root mean squares); the longest bar of the sheet is the largest change."
    )
    typical, names = array(case.meshes, "typical", "element"), labels(case.meshes) if case.meshes is not None else ()
    if typical is None or len(typical) < 2:
        return Caption(text)
    worst = int(typical.argmax())
    looked = number(case.meshes.attrs.get("looked_at")) if case.meshes is not None else "–"
    found = f"Over {looked} examples the answer changes most under {names[worst]}: by {number(float(typical[worst]))} of the spread."
    return Caption(text, found)


def mesh_table(case: Case) -> TextTable | None:
    """A row for each re-meshing: what it does to the surface and to the answer."""
    typical, moved = array(case.meshes, "typical", "element"), array(case.meshes, "surface_error", "element")
    change = array(case.meshes, "change", "body", "element")
    if case.meshes is None or typical is None or moved is None or change is None:
        return None
    bodies = labels(case.meshes, "body")
    header = ("re-meshing", "the surface moves by", "the answer changes by, all examples", *(f"example {b}" for b in bodies))
    rows = tuple(
        (name, "nothing (exact)" if m == 0 else f"{number(m)} of the size", number(t), *(number(c) for c in some))
        for name, m, t, some in zip(labels(case.meshes), moved, typical, change.T, strict=True)
    )
    return TextTable("Re-meshings, one by one (changes over the spread of the true answers)", header, rows)


def _picture(label: str, names: tuple[str, ...], corners: np.ndarray, change: np.ndarray) -> Picture:
    there = [c[np.isfinite(c).all((1, 2))] for c in corners]
    areas = [0.5 * np.linalg.norm(np.cross(c[:, 1] - c[:, 0], c[:, 2] - c[:, 0]), axis=1) for c in there]
    mean = float(areas[0].mean()) if len(areas[0]) else 1.0
    sizes = np.concatenate(areas) / mean
    scale = LogNorm(max(float(sizes[sizes > 0].min()), 1e-4), max(float(sizes.max()), 1.01))
    rows = -(-len(names) // _COLUMNS)
    height = _PANEL * rows + 0.7
    sheet = Sheet(figsize=(2.45 * _COLUMNS, height), dpi=_DOTS, facecolor="white")
    FigureCanvasAgg(sheet)
    middle = (np.nanmin(corners[0], (0, 1)) + np.nanmax(corners[0], (0, 1))) / 2
    most = float(change.max())
    for k, name in enumerate(names):
        low = height - _PANEL * (k // _COLUMNS + 1)
        axes = sheet.add_axes(((k % _COLUMNS + 0.04) / _COLUMNS, (low + 0.5) / height, 0.92 / _COLUMNS, (_PANEL - 0.95) / height))
        _draw(axes, there[k] - middle, areas[k] / mean, scale)
        across = (k % _COLUMNS + 0.5) / _COLUMNS
        title = "as it was" if k == 0 else name.replace("+", " + ")
        sheet.text(across, (low + _PANEL - 0.3) / height, title, fontsize=10, color=_TEXT, ha="center", va="center")
        words = f"{len(there[k])} faces" + ("" if k == 0 else f", change {number(float(change[k]), 2)}")
        sheet.text(across, (low + 0.36) / height, words, fontsize=9, color=_TEXT, ha="center", va="center")
        if k and most > 0:
            _bar(sheet, across, (low + 0.2) / height, float(change[k]) / most)
    strip = sheet.add_axes((0.30, 0.5 / height, 0.4, 0.13 / height))
    bar = sheet.colorbar(ScalarMappable(scale, _shade()), cax=strip, orientation="horizontal")
    bar.ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    bar.set_label("area of a face over the mean of the mesh as it was", fontsize=9, color=_TEXT, labelpad=2)
    bar.ax.tick_params(labelsize=8.5, length=2)
    stream = io.BytesIO()
    sheet.savefig(stream, format="png", facecolor="white", metadata={"Software": None})
    width, height = (round(float(side) * _DOTS) for side in sheet.get_size_inches())
    words = f"{label} in {len(names)} meshes; the answer changes by " + ", ".join(
        f"{number(float(c))} under {n}" for n, c in zip(names[1:], change[1:], strict=True)
    )
    return Picture(label, f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}", width, height, words + ".")


def _shade() -> Colormap:
    """Small faces light, so that their many edges can be seen; nothing so dark that edges drown in it."""
    return LinearSegmentedColormap.from_list("area", _COLOURS(np.linspace(0.05, 0.68, 64)))


def _draw(axes: Any, corners: np.ndarray, areas: np.ndarray, scale: LogNorm) -> None:
    from ..systems.meshes import seen_faces  # the room of a system, only where its results are drawn

    axes.axis("off")
    axes.set(aspect="equal")
    if not len(corners):
        axes.text(0.5, 0.5, "too many faces\nto draw", transform=axes.transAxes, ha="center", va="center", fontsize=9, color=_TEXT)
        return
    flat, order, _, bright = seen_faces(corners)
    colours = _shade()(scale(np.maximum(areas, float(scale.vmin or 0.0))))[:, :3] * (0.72 + 0.28 * bright)[:, None]
    width = float(np.clip(8 / np.sqrt(len(corners)), 0.2, 0.8))
    axes.add_collection(PolyCollection(list(flat[order]), facecolors=colours[order], edgecolors=_EDGE, linewidths=width, joinstyle="round"))
    low, high = flat.min((0, 1)), flat.max((0, 1))
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))


def _bar(sheet: Sheet, across: float, up: float, part: float) -> None:
    """The change of the answer as a part of the largest on the sheet."""
    left, wide = across - 0.37 / _COLUMNS, 0.74 / _COLUMNS
    for end, colour in ((1.0, "#d9dee3"), (part, _BAR)):
        sheet.add_artist(Line2D([left, left + wide * end], [up, up], color=colour, lw=4, solid_capstyle="butt"))
