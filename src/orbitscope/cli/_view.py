"""Pictures of trajectories: a sheet of a few states, and an animation. x to the right, y up."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.image import AxesImage
from numpy.typing import NDArray
from PIL import Image

from .._errors import OrbitscopeError
from .._whole import write_whole
from ..data import Trajectories
from ._words import load_words

SHEET_KINDS = (".png", ".pdf", ".svg")
_CELL = 1.45  # inches of the longer side of one picture
_FONT = {"family": ["DejaVu Sans"], "size": 9}


@dataclass(frozen=True)
class _Scale:
    """The colours of one field: all its components, trajectories and times share them."""

    low: float
    high: float
    colours: str
    label: str


def view_file(
    path: Path,
    out: Path | None,
    animation: Path | None = None,
    *,
    trajectories: Sequence[int] = (),
    times: int = 5,
    fields: Sequence[str] = (),
    fps: float = 8.0,
    options: Sequence[str] = (),
    force: bool = False,
) -> list[Path]:
    """Write a picture sheet and, if asked for, an animation of a file; returns what was written."""
    if out is None and animation is None:
        raise OrbitscopeError("view: give --out sheet.png, --animation movie.gif, or both.")
    if out is not None and out.suffix.lower() not in SHEET_KINDS:
        raise OrbitscopeError(f"out: a sheet is one of {', '.join(SHEET_KINDS)}, got {out}.")
    if animation is not None and animation.suffix.lower() != ".gif":
        raise OrbitscopeError(f"animation: only .gif is written (other kinds need a video encoder), got {animation}.")
    if not fps > 0:
        raise OrbitscopeError(f"fps: pictures per second should be positive, got {fps}.")
    for option, target in (("out", out), ("animation", animation)):
        if target is not None and target.exists() and not force:
            raise OrbitscopeError(f"{option}: {target} exists. Choose another name, or --force to replace it.")
        if target is not None and not target.absolute().parent.is_dir():
            raise OrbitscopeError(f"{option}: the folder {target.absolute().parent} does not exist. Make it first.")
    data = load_words(path, options)
    if fields:
        data = data.select(fields)
    chosen = _choose(data, trajectories)
    written = []
    if out is not None:
        buffer = io.BytesIO()
        sheet(data, chosen, times, title=path.name).savefig(buffer, format=out.suffix.lower()[1:], dpi=150)
        written.append(_put(out, buffer.getvalue()))
    if animation is not None:
        written.append(_put(animation, movie(data, chosen, fps, title=path.name)))
    return written


def sheet(data: Trajectories, trajectories: Sequence[int], times: int = 5, title: str = "") -> Figure:
    """Rows are channels x trajectories, columns are times; one colour bar per field."""
    instants = np.unique(np.linspace(0, data.times - 1, max(1, times)).round().astype(int))
    values = np.stack([_plane(data, i, instants) for i in trajectories])  # [trajectory, time, channel, x, y]
    width, height = _cell(data)
    rows = [(c, k) for c in range(data.channels) for k in range(len(trajectories))]
    left, right, gap = 1.25, 1.15, 0.06
    size = (left + right + len(instants) * (width + gap), 0.72 + 0.34 + len(rows) * (height + gap))
    figure = Figure(figsize=size, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        len(rows), len(instants), left=left / size[0], right=1 - right / size[0], top=1 - 0.72 / size[1], bottom=0.34 / size[1],
        wspace=gap / width, hspace=gap / height,
    )  # fmt: skip
    figure.text(0.12 / size[0], 1 - 0.2 / size[1], _headline(data, title), va="center", fontproperties=_font(10.5, "bold"))
    scales = _scales(data, values)
    for r, (c, k) in enumerate(rows):
        for t, instant in enumerate(instants):
            axes = figure.add_subplot(grid[r, t])
            image = _draw(axes, values[k, t, c], scales[data.layout.field_of_channel[c]], data)
            if r == 0:
                axes.set_title(f"t = {instant * data.dt:.4g}", fontdict=_FONT, pad=4)
            if t == 0:
                axes.set_ylabel(
                    f"{data.layout.channel_names[c]}\ntrajectory {trajectories[k]}", fontdict=_FONT, labelpad=5, rotation=0, ha="right",
                    va="center",
                )  # fmt: skip
            if r == len(rows) - 1 and t == 0:
                axes.set_xlabel("x →, y ↑", fontdict=_FONT, labelpad=2, loc="left")
        here, below = data.layout.field_of_channel[c], rows[r + 1][0] if r + 1 < len(rows) else None
        if below is None or data.layout.field_of_channel[below] != here:  # the last row of a field
            first = next(i for i, (d, _) in enumerate(rows) if data.layout.field_of_channel[d] == here)
            top, bottom = grid[first, 0].get_position(figure).y1, grid[r, 0].get_position(figure).y0
            inset = 0.08 * (top - bottom)
            _bar(figure, image, (1 - (right - 0.14) / size[0], bottom + inset, 0.11 / size[0], top - bottom - 2 * inset), scales[here])  # pyright: ignore[reportPossiblyUnboundVariable]
    return figure


def movie(data: Trajectories, trajectories: Sequence[int], fps: float = 8.0, title: str = "") -> bytes:
    """A GIF that loops: columns are channels, rows are trajectories; every picture keeps the colours of its field throughout."""
    width, height = (s * 1.35 for s in _cell(data))
    rows, columns = len(trajectories), data.channels
    instants = np.arange(data.times)
    values = np.stack([_plane(data, i, instants) for i in trajectories])
    left, gap, top, bottom = 0.45, 0.12, 0.72, 0.62
    size = (left + columns * (width + gap) + 0.12, top + bottom + rows * (height + gap))
    figure = Figure(figsize=size, facecolor="white", dpi=100)
    canvas = FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        rows, columns, left=left / size[0], right=1 - 0.12 / size[0], top=1 - top / size[1], bottom=bottom / size[1],
        wspace=gap / width, hspace=gap / height,
    )  # fmt: skip
    scales = _scales(data, values)
    figure.text(0.12 / size[0], 1 - 0.2 / size[1], title, va="center", fontproperties=_font(10, "bold"))
    clock = figure.text(1 - 0.12 / size[0], 1 - 0.2 / size[1], "", va="center", ha="right", fontproperties=_font(10))
    images: dict[tuple[int, int], AxesImage] = {}
    for k in range(rows):
        for c in range(columns):
            scale = scales[data.layout.field_of_channel[c]]
            axes = figure.add_subplot(grid[k, c])
            images[k, c] = _draw(axes, values[k, 0, c], scale, data)
            if k == 0:
                axes.set_title(data.layout.channel_names[c], fontdict=_FONT, pad=4)
            if c == 0:
                axes.set_ylabel(f"trajectory {trajectories[k]}", fontdict=_FONT, labelpad=3)
            if k == rows - 1:
                place = grid[k, c].get_position(figure)
                box = (place.x0 + 0.06 * place.width, 0.42 / size[1], 0.88 * place.width, 0.09 / size[1])
                _bar(figure, images[k, c], box, scale, flat=True)
    frames = []
    for t in instants:
        for (k, c), image in images.items():
            image.set_data(values[k, t, c].T)
        clock.set_text(f"t = {t * data.dt:.4g}")
        canvas.draw()
        frames.append(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy()))
    return _gif(frames, fps, sorted({s.colours for s in scales}))


def _gif(frames: list[Image.Image], fps: float, maps: Sequence[str]) -> bytes:
    # One palette for all pictures, made of the colour maps: a palette fitted to the pictures falsifies rare colours, the extremes.
    greys = [(g, g, g) for g in np.linspace(0, 255, 24).round().astype(int).tolist()] + [(196, 201, 209)]
    each = (256 - len(greys)) // len(maps)
    colours = [tuple(int(255 * v) for v in c[:3]) for name in maps for c in colormaps[name](np.linspace(0, 1, each))]
    palette = Image.new("P", (1, 1))
    palette.putpalette([v for colour in greys + colours for v in colour])
    few = [f.quantize(palette=palette, dither=Image.Dither.NONE) for f in frames]
    lengths = [round(1000 / fps)] * len(few)
    lengths[-1] += 900  # a rest, so that the end can be seen before it starts over
    buffer = io.BytesIO()
    few[0].save(buffer, "GIF", save_all=True, append_images=few[1:], duration=lengths, loop=0, optimize=False)
    return buffer.getvalue()


def _choose(data: Trajectories, trajectories: Sequence[int]) -> list[int]:
    if data.grid.ndim == 1:
        raise OrbitscopeError("view: the file holds one-dimensional fields; pictures are made of two- and three-dimensional ones.")
    wrong = [i for i in trajectories if not 0 <= i < data.trajectories]
    if wrong:
        raise OrbitscopeError(f"trajectory: {wrong[0]} is not in the file, which has {data.trajectories} (numbered from 0).")
    return list(trajectories) or list(range(min(2, data.trajectories)))


def _plane(data: Trajectories, trajectory: int, instants: NDArray[np.int64]) -> NDArray[np.float64]:
    """[time, channel, x, y]; of three-dimensional fields the plane in the middle of z."""
    states = [data.values[int(trajectory), int(t)] for t in instants]
    if data.grid.ndim == 3:
        states = [s[..., data.grid.shape[2] // 2] for s in states]
    return np.stack([np.asarray(s, dtype=np.float64) for s in states])


def _scales(data: Trajectories, values: NDArray[np.float64]) -> list[_Scale]:
    """Diverging colours, symmetric about zero, where a field has both signs."""
    found = []
    for f in data.layout.fields:
        part = values[:, :, data.layout.slice(f.name)]
        part = part[np.isfinite(part)]
        low, high = (float(part.min()), float(part.max())) if part.size else (0.0, 1.0)
        label = f.name if f.unit in ("", "1") else f"{f.name} [{f.unit}]"
        if low < 0 < high:
            high = max(-low, high)
            found.append(_Scale(-high, high, "RdBu_r", label))
        else:
            pad = 0.0 if high > low else max(abs(low), 1.0) * 1e-3
            found.append(_Scale(low - pad, high + pad, "cividis", label))
    return found


def _cell(data: Trajectories) -> tuple[float, float]:
    """Width and height of one picture in inches, in the proportions of the box but never a sliver."""
    ratio = float(np.clip(data.grid.extent[1] / data.grid.extent[0], 0.25, 4.0))
    return (_CELL, _CELL * ratio) if ratio <= 1 else (_CELL / ratio, _CELL)


def _draw(axes: Axes, values: NDArray[np.float64], scale: _Scale, data: Trajectories) -> AxesImage:
    extent = (0.0, data.grid.extent[0], 0.0, data.grid.extent[1])
    image = axes.imshow(values.T, origin="lower", extent=extent, aspect="auto", vmin=scale.low, vmax=scale.high, cmap=scale.colours)
    axes.set_facecolor("#c4c9d1")  # what is not finite shows as grey
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(color="#c9d0d9", linewidth=0.6)
    return image


def _bar(figure: Figure, image: AxesImage, place: tuple[float, float, float, float], scale: _Scale, *, flat: bool = False) -> None:
    axes = figure.add_axes(place)
    bar = figure.colorbar(image, cax=axes, orientation="horizontal" if flat else "vertical")
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    axes.tick_params(labelsize=7.5, length=2, color="#5b6675", pad=2)
    axes.locator_params(nbins=4 if flat else 5)
    bar.formatter.set_powerlimits((-3, 4))  # pyright: ignore[reportAttributeAccessIssue]
    short = not flat and place[3] * figure.get_figheight() < 1.0
    bar.set_label(scale.label.replace(" [", "\n[") if short else scale.label, fontdict=_FONT, labelpad=2)


def _headline(data: Trajectories, title: str) -> str:
    made = data.provenance.get("scenario") or data.provenance.get("equation")
    plane = f", plane z = {data.grid.shape[2] // 2}" if data.grid.ndim == 3 else ""
    size = (
        f"{data.trajectories} {'trajectory' if data.trajectories == 1 else 'trajectories'}, {' x '.join(map(str, data.grid.shape))}{plane}"
    )
    return " · ".join(str(w) for w in (title, made, size) if w)


def _font(size: float, weight: str = "normal") -> FontProperties:
    return FontProperties(family=_FONT["family"], size=size, weight=weight)


def _put(path: Path, content: bytes) -> Path:
    write_whole(path, lambda part: part.write_bytes(content))
    return path
