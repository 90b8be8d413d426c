"""Pictures of galaxies: a slice through a catalogue with long axes, and the three functions of parameter points."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from ..._errors import OrbitscopeError
from ...data import Examples
from ...symmetry import parts
from ._statistics import Real
from ._targets import STATISTICS, values_and_known

_LINE, _FAINT, _TEXT = "#1f4e79", "#b9c7d6", "#303a46"
_FEW = 3
_THICK = 0.15  # of the box: a slice
_LENGTH = 0.012  # of the box: half a long axis


def slice_figure(catalogues: Sequence[tuple[Real, Real]], titles: Sequence[str], box: float) -> Figure:
    """Slices through catalogues, seen along z: galaxies as their long axes, as long as they are in the plane.

    * `catalogues`: places [P, 3], Mpc/h, and unit long axes [P, 3] of each. `titles`: one for each. `box`: side, Mpc/h.
    """
    figure = Figure(figsize=(4.6 * len(catalogues), 4.9), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    for k, ((places, axes), title) in enumerate(zip(catalogues, titles, strict=True)):
        plot = figure.add_subplot(1, len(catalogues), k + 1)
        near = np.abs(places[:, 2] - box / 2) < _THICK * box / 2
        flat, along = places[near, :2], axes[near]
        half = _LENGTH * box * along[:, :2]
        plot.scatter(*flat.T, s=3, color=_FAINT, linewidths=0)
        tones = 0.35 + 0.65 * np.linalg.norm(along[:, :2], axis=1)
        plot.add_collection(LineCollection(list(np.stack([flat - half, flat + half], 1)), colors=_LINE, linewidths=1.1, alpha=tones))
        plot.set(xlim=(0, box), ylim=(0, box), aspect="equal", xlabel="x, Mpc/h", ylabel="y, Mpc/h")
        plot.set_title(f"{title}: {int(near.sum())} galaxies\nwithin {_THICK * box / 2:.3g} Mpc/h of the middle", fontsize=9, color=_TEXT)
        plot.tick_params(labelsize=8)
    return figure


def catalogue_figure(examples: Examples, chosen: Sequence[int]) -> Figure:
    """Slices through some catalogues.

    * `examples`: of galaxies.catalogue. `chosen`: their numbers; none given: the first three.
    """
    numbers = _numbers(examples, chosen)
    places, axes = (p.double().numpy() for p in parts(examples.x))
    return slice_figure([(places[i], axes[i]) for i in numbers], [f"catalogue {i}" for i in numbers], float(examples.about["box"]))


def statistics_figure(examples: Examples, chosen: Sequence[int]) -> Figure:
    """xi, omega and eta of some parameter points: mean over realisations, and their standard deviation as a band.

    * `examples`: of galaxies.hod. `chosen`: numbers of rows, whose points are shown; none given: the first three points.
    """
    value, known = (p.numpy() for p in values_and_known(examples.y))
    limits = np.asarray(examples.about["edges"])
    middle = np.sqrt(limits[1:] * limits[:-1])
    units = [int(examples.unit[i]) for i in _numbers(examples, chosen)] if len(chosen) else [int(u) for u in examples.units[:_FEW]]
    figure = Figure(figsize=(11.5, 3.6), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    for k, name in enumerate(STATISTICS):
        plot: Any = figure.add_subplot(1, len(STATISTICS), k + 1)
        for n, unit in enumerate(dict.fromkeys(units)):
            rows = np.where(known[examples.unit == unit, k], value[examples.unit == unit, k], np.nan)
            there = np.isfinite(rows).sum(0) > 0
            mean = np.full(len(middle), np.nan)
            mean[there] = np.nanmean(rows[:, there], 0)
            spread = np.zeros(len(middle))
            spread[there] = np.nanstd(rows[:, there], 0)
            plot.plot(middle, mean, marker="o", markersize=3, linewidth=1.1, color=f"C{n}", label=f"point {unit}, {len(rows)} realisations")
            plot.fill_between(middle, mean - spread, mean + spread, color=f"C{n}", alpha=0.2, linewidth=0)
        plot.set(xscale="log", xlabel="r, Mpc/h", title=name)
        if name == "xi":
            plot.set_yscale("symlog", linthresh=1.0)
            plot.set_ylim(bottom=-1.5)
            plot.legend(fontsize=7.5, frameon=False)
        plot.axhline(0, color=_FAINT, linewidth=0.8, zorder=0)
        plot.tick_params(labelsize=8)
    return figure


def _numbers(examples: Examples, chosen: Sequence[int]) -> list[int]:
    numbers = list(chosen) or list(range(min(_FEW, len(examples))))
    if wrong := [i for i in numbers if not 0 <= i < len(examples)]:
        raise OrbitscopeError(f"trajectory: {wrong[0]} is not in the file, which has {len(examples)} examples (numbered from 0).")
    return numbers
