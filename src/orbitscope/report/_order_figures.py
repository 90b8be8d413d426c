"""What the relaxed weights of a network on points have broken: sizes by irrep, the group left over, the broken directions in space."""

import base64
import io
import json
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LightSource
from matplotlib.figure import Figure as Sheet
from mpl_toolkits.mplot3d import Axes3D

from ..symmetry import spherical_harmonics
from ._case import Case, array, labels
from ._field_pictures import Picture
from ._plot import BLUE, ORANGE, VERMILLION, Figure, axis_of, hover, log_axis, on, panels
from ._tables import TextTable
from ._text import number

_SHOWN = 1e-6
_FLOOR = 1e-17


def order_figure(case: Case) -> Figure | None:
    """Left: size of each irrep and what the answer owes to it; right: error with the relaxed weights held and moved. None without them."""
    found = _known(case)
    if found is None:
        return None
    irreps, size, held, moved, response = found
    figure = panels(("Size of the relaxed weights, by irrep", "Equivariance error under O(3)"), height=360, gap=0.14)
    rows = zip(irreps, size, response, strict=True)
    texts = hover([[("", f"irrep {n}"), ("size", s), ("share of the answer", r)] for n, s, r in rows])
    for name, values, colour in (("size (0e is 1)", size, BLUE), ("what the answer owes to it", response, ORANGE)):
        figure.traces.append({
            "type": "bar", "x": list(irreps), "y": values, "name": name, "marker": {"color": colour}, "text": texts, "textposition": "none",
            "hoverinfo": "text", **on(0),
        })  # fmt: skip
    elements = list(labels(case.order, "element")) if case.order is not None else []
    for name, values, colour, symbol in (("relaxed weights held", held, VERMILLION, "x"), ("moved too", moved, BLUE, "circle")):
        figure.traces.append({
            "type": "scatter", "x": elements, "y": np.maximum(values, _FLOOR), "mode": "markers", "name": name,
            "marker": {"color": colour, "symbol": symbol, "size": 8}, "hovertemplate": "%{x}: %{y:.2e}<extra></extra>", **on(1),
        })  # fmt: skip
    log_axis(figure, 1, [held, np.maximum(moved, _FLOOR)], least=(1e-3, 1.0))
    for panel, (across, up) in enumerate((("irrep of O(3)", "dimensionless"), ("element", "relative error"))):
        axis_of(figure, "x", panel).update(type="category")
        axis_of(figure, "x", panel)["title"]["text"] = across
        axis_of(figure, "y", panel)["title"]["text"] = up
    return figure


def order_caption(case: Case) -> str:
    """What is shown, which group is left and along which axes, and what the two errors say."""
    text = (
        "Relaxed weights are tensors of their own, 0 at the start, beside a scalar that is fixed at 1. Their length says how much of an "
        "irrep of O(3) the network uses; it depends on the weights beside it, what the answer owes to it does not."
    )
    found = _known(case)
    if found is None:
        return text
    irreps, size, held, moved, _ = found
    used = [f"{n} ({number(s)})" for n, s in zip(irreps, size, strict=True) if s > _SHOWN]
    text += f" Used: {', '.join(used)}." if used else " None is used: nothing is broken."
    for k, group in enumerate(groups(case)):
        many = f" of case {k}" if len(groups(case)) > 1 else ""
        axes = ", ".join(_axis(n, v) for n, v in group.get("axes", [])[:3])
        text += f" The group that is left{many}: {group['group']}" + (f", with {axes}." if axes else ".")
    text += (
        f" With the relaxed weights held, an element of O(3) changes the answer by up to {number(float(held.max()))}: the learnt breaking. "
        f"With them moved too, by {number(float(moved.max()))}: rounding. The two differ by what was learnt and by nothing else"
    )
    turned = array(case.order, "turned", "element")
    if turned is not None:
        text += f": moving the weights alone changes the answer by as much, to {number(float(np.abs(turned - held).max()))}"
    alone, both = array(case.order, "coherence_held"), array(case.order, "coherence_moved")
    if alone is None or both is None or not np.isfinite([alone, both]).all():
        return text + "."
    return text + (
        f". In the learning: a gradient step on an example helps its moved copy {number(float(alone))} as well as itself with the weights "
        f"held (median coherence), {number(float(both), 6)} with them moved too."
    )


def order_table(case: Case) -> TextTable | None:
    """A row for each irrep: its size, what the answer owes to it, components that the group allows, the length of what it forbids."""
    found = _known(case)
    if found is None or case.order is None:
        return None
    irreps, size, _, _, response = found
    allowed, forbidden = array(case.order, "allowed", "case", "irrep"), array(case.order, "forbidden", "case", "irrep")
    if allowed is None or forbidden is None:
        return None
    header = ("irrep", "size", "share of the answer", "components", "allowed by the group left", "length of the forbidden")
    rows = tuple(
        (n, number(s), number(r), str(2 * int(n[:-1]) + 1), str(round(a)), number(f))
        for n, s, r, a, f in zip(irreps, size, response, allowed[-1], forbidden[-1], strict=True)
    )
    return TextTable("Relaxed weights, irrep by irrep", header, rows)


def order_pictures(case: Case) -> list[Picture]:
    """The broken directions in space: one picture for each case that has any."""
    theta = array(case.order, "theta", "case", "component")
    if theta is None or case.order is None:
        return []
    names = labels(case.order, "component")
    found = []
    for k, (row, group) in enumerate(zip(theta, groups(case), strict=False)):
        joined = {n: row[[c.split(":")[0] == n for c in names]] for n in dict.fromkeys(c.split(":")[0] for c in names)}
        copies = max(len(v) // (2 * int(n[:-1]) + 1) for n, v in joined.items())
        for layer in range(copies):  # where every layer has weights of its own
            parts = {n: v.reshape(-1, 2 * int(n[:-1]) + 1)[layer] for n, v in joined.items() if layer < len(v) // (2 * int(n[:-1]) + 1)}
            if np.linalg.norm(np.concatenate(list(parts.values()))) > _SHOWN:
                label = f"case {k}: {group['group']}" if len(theta) > 1 else str(group["group"])
                found.append(_picture(label + f", layer {layer + 1}" * (copies > 1), parts, group))
    return found[-3:]


def groups(case: Case) -> list[dict[str, Any]]:
    """The group that is left, of every case."""
    try:
        return list(json.loads(str(case.order.attrs["groups"]))) if case.order is not None else []
    except (KeyError, ValueError):
        return []


def directions(parts: dict[str, np.ndarray], degree: int = 4) -> tuple[np.ndarray, np.ndarray]:
    r"""Unit vectors [M, M, 3] and the value there of $\sum_l \theta^l \cdot Y_l$ over the irreps that functions on the sphere have."""
    polar, around = np.meshgrid(np.linspace(0, np.pi, 61), np.linspace(0, 2 * np.pi, 121), indexing="ij")
    unit = np.stack([np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], -1)
    harmonics = spherical_harmonics(degree, torch.as_tensor(unit)).numpy()
    value = np.zeros(polar.shape)
    for l in range(1, degree + 1):  # noqa: E741  # the degree
        name = f"{l}{'o' if l % 2 else 'e'}"
        if name in parts:
            value = value + harmonics[..., l * l : (l + 1) ** 2] @ parts[name]
    return unit, value


def _picture(label: str, parts: dict[str, np.ndarray], group: dict[str, Any]) -> Picture:
    sheet = Sheet(figsize=(4.6, 4.4), dpi=110, facecolor="white")
    FigureCanvasAgg(sheet)
    axes = sheet.add_axes((0.0, 0.0, 1.0, 1.0), projection="3d")
    assert isinstance(axes, Axes3D)
    unit, value = directions(parts)
    most = float(np.abs(value).max())
    bumps = unit * (1 + (0.4 * value / most if most > 0 else 0 * value))[..., None]
    # White where nothing is broken; the shade alone tells the relief in print.
    colours = colormaps["RdBu_r"](0.5 + 0.42 * value / most if most > 0 else 0.5 + 0 * value)
    shaded = LightSource(315, 45).shade_rgb(colours[..., :3], bumps[..., 2], vert_exag=0.3, blend_mode="soft")
    axes.plot_surface(*np.moveaxis(bumps, -1, 0), facecolors=shaded, rstride=1, cstride=1, linewidth=0, antialiased=False, shade=False)
    reach = 1.75
    for n, direction in enumerate(np.eye(3)):
        axes.plot(*np.outer([1.45, reach], direction).T, color="#555555", lw=1.0)
        _write(axes, 1.88 * direction, "xyz"[n], color="#333333", fontsize=11, ha="center", va="center")
    for order, axis in group.get("axes", [])[:3]:
        ends = np.outer([-reach, reach], axis)
        axes.plot(*ends.T, color="#000000", lw=1.6, ls=(0, (4, 2)))
        sign = "∞" if order == 0 else "m" if order == 1 else str(order)
        _write(axes, -1.95 * np.array(axis), sign, fontsize=12, weight="bold", ha="center", va="center")
    if "1e" in parts and np.linalg.norm(parts["1e"]) > _SHOWN:
        arrow = 1.6 * parts["1e"] / np.linalg.norm(parts["1e"])
        axes.quiver(0, 0, 0, *arrow, color="#009E73", lw=2.4, arrow_length_ratio=0.12)
        _write(axes, 1.12 * arrow, "axial", color="#00704f", fontsize=10)
    axes.set(xlim=(-1.35, 1.35), ylim=(-1.35, 1.35), zlim=(-1.35, 1.35))
    axes.set_box_aspect((1, 1, 1))
    axes.view_init(22, 35)
    axes.set_axis_off()
    stream = io.BytesIO()
    sheet.savefig(stream, format="png", facecolor="white", metadata={"Software": None})
    width, height = (round(float(side) * 110) for side in sheet.get_size_inches())
    words = f"{label}: a sphere that bulges where the relaxed weights are positive (red) and is drawn in where they are negative (blue)."
    uri = f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
    return Picture(label, uri, width, height, words)


def _write(axes: Axes3D, place: np.ndarray, words: str, **style: Any) -> None:
    x, y, z = (float(c) for c in place)
    axes.text(x, y, z, words, **style)


def picture_caption() -> str:
    """How to read the picture in space."""
    return (
        "Broken directions: the sum of the relaxed weights times spherical harmonics, over the directions of space. Bulges (red) and "
        "hollows (blue) show what is no longer alike; a round sphere would say that nothing is broken. Dashed: axes of the group that is "
        "left, with their order (∞: any turn; m: normal of a mirror). A green arrow is an axial vector, such as a magnetic field, which no "
        "function on the sphere shows."
    )


def _axis(order: int, vector: list[float]) -> str:
    what = {0: "the axis", 1: "the mirror across"}.get(order, f"an axis of order {order} along")
    return f"{what} ({', '.join(f'{c:.2f}' for c in vector)})"


def _known(case: Case) -> tuple[tuple[str, ...], np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """Irreps, their sizes (of the last case), errors held and moved, what the answer owes to each."""
    size = array(case.order, "size", "case", "irrep")
    held, moved = array(case.order, "held", "element"), array(case.order, "moved", "element")
    response = array(case.order, "response", "irrep")
    if case.order is None or size is None or held is None or moved is None or response is None:
        return None
    return labels(case.order, "irrep"), size[-1], held, moved, response
