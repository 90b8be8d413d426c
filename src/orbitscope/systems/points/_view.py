"""Pictures of clouds and crystals: points by kind, vectors as arrows, the cell as a frame."""

import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import Axes3D
from torch import Tensor

from ..._errors import OrbitscopeError
from ...data import Examples
from ...nn import Irreps
from ._about import described

_KINDS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9")
_SHOWN, _ARROW = 6, 0.35
_CORNERS = np.array(list(itertools.product((0.0, 1.0), repeat=3)))


def points_figure(examples: Examples, chosen: Sequence[int] = ()) -> Figure:
    """A panel for each of some examples: points (kinds in colours), answers that are vectors (arrows, to one scale), cells (frames).

    * `examples`: on points. `chosen`: their numbers; none given: the first six.

    Raises `OrbitscopeError` for a number that there is not.
    """
    said, x, y = described(examples), examples.x, examples.y
    assert isinstance(x, tuple) and isinstance(y, Tensor)
    if wrong := [k for k in chosen if not 0 <= k < len(examples)]:
        raise OrbitscopeError(f"view: there is no example {wrong[0]}; they are numbered 0 to {len(examples) - 1}.")
    shown = list(chosen) or list(range(min(_SHOWN, len(examples))))
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    sheet = Figure(figsize=(4.2 * columns, 4.0 * rows), facecolor="white")
    FigureCanvasAgg(sheet)
    arrows = _vectors(said["out"], y)
    longest = 0.0 if arrows is None else float(np.linalg.norm(arrows, axis=2).max())
    for panel, k in enumerate(shown):
        axes = sheet.add_subplot(rows, columns, panel + 1, projection="3d")
        assert isinstance(axes, Axes3D)
        cell = x[2][k].double().numpy() if said["periodic"] else None
        there = x[2 + bool(said["periodic"])][k].bool().numpy() if said.get("masked") else np.ones(x[0].shape[1], dtype=bool)
        places = x[0][k].double().numpy()[there]
        _one(axes, places, _kinds(said["into"], x[1][k].double().numpy()[there]), said.get("names") or [], cell)
        if arrows is not None and longest > 0:
            size = _ARROW * _reach(places, cell) / longest
            axes.quiver(*places.T, *(size * arrows[k][there]).T, color="#222222", lw=1.4, arrow_length_ratio=0.25)
        axes.set_title(f"example {k}", fontsize=10)
    if arrows is not None and longest > 0:
        sheet.text(0.01, 0.01, f"arrows: the answers, the longest of all examples is {longest:.3g}", fontsize=8.5, color="#444444")
    sheet.tight_layout(rect=(0, 0.05, 1, 1))
    return sheet


def _one(axes: Axes3D, places: np.ndarray, kinds: np.ndarray, names: Sequence[str], cell: np.ndarray | None) -> None:
    for kind in np.unique(kinds):
        some = places[kinds == kind]
        label = str(np.array(names)[kinds == kind][0]) if len(names) == len(places) else None
        axes.scatter(
            *some.T, s=70, color=_KINDS[int(kind) % len(_KINDS)], edgecolors="#222222", linewidths=0.6, label=label, depthshade=False
        )
    if cell is not None:
        for a, b in itertools.combinations(_CORNERS, 2):
            if np.abs(a - b).sum() == 1:
                axes.plot(*np.stack([a @ cell, b @ cell]).T, color="#999999", lw=0.8)
    reach = _reach(places, cell)
    middle = places.mean(0) if cell is None else cell.sum(0) / 2
    low, high = middle - reach / 2, middle + reach / 2
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]), xlabel="x", ylabel="y", zlabel="z")
    axes.set_box_aspect((1, 1, 1))
    axes.tick_params(labelsize=7)
    if len(names) == len(places):
        axes.legend(loc="upper left", fontsize=8, frameon=False)


def _reach(places: np.ndarray, cell: np.ndarray | None) -> float:
    """The width of what is shown."""
    corners = places if cell is None else np.concatenate([places, _CORNERS @ cell])
    return 1.15 * float(np.ptp(corners, axis=0).max()) or 1.0


def _vectors(out: str, y: Tensor) -> np.ndarray | None:
    """The first answer of each point that is a vector, [N, P, 3]; None where there is none."""
    where = next((w for b, w in Irreps.of(out) if b.degree == 1), None)
    return None if where is None else y[..., where.start : where.start + 3].double().numpy()


def _kinds(into: str, features: np.ndarray) -> np.ndarray:
    """The number of each point's kind: of the scalar that is its largest."""
    scalars = [k for b, w in Irreps.of(into) if b.name == "0e" for k in range(w.start, w.stop)]
    return features[:, scalars].argmax(1) if scalars else np.zeros(len(features), dtype=int)
