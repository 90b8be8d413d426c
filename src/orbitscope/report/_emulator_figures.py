"""What the error bars of an emulator of statistics are worth, on points that were held out."""

import numpy as np

from ._case import Case, array, labels
from ._plot import BLUE, ORANGE, VERMILLION, Figure, axis_of, log_axis, on, panels
from ._tables import TextTable
from ._text import number

_COLOURS = (BLUE, VERMILLION, ORANGE)


def calibration_figure(case: Case) -> Figure | None:
    """Error over noise, coverage of two intervals and predicted over measured scatter, by separation. None where nothing says so."""
    data = case.calibration
    floor, covered = array(data, "floor_one", "statistic", "bin"), array(data, "coverage", "level", "statistic", "bin")
    ratio = array(data, "aleatoric_ratio", "statistic", "bin")
    if data is None or floor is None or covered is None or ratio is None:
        return None
    radius = np.asarray(data["radius"].values) if "radius" in data.coords else np.arange(floor.shape[1]) + 1.0
    titles = ("Error over the noise of one realisation", "Coverage of the 68 and 95 % intervals", "Predicted over measured scatter")
    figure = panels(titles, columns=3, height=330, gap=0.09)
    for k, name in enumerate(labels(data, "statistic")):
        for panel, values in ((0, floor[k]), (1, covered[0, k]), (1, covered[1, k]), (2, ratio[k])):
            figure.traces.append({
                "type": "scatter", "x": radius, "y": values, "mode": "lines+markers", "name": name, "legendgroup": name,
                "showlegend": panel == 0, "line": {"color": _COLOURS[k % 3]}, "marker": {"size": 5},
                "hovertemplate": "r = %{x:.3g}: %{y:.3g}<extra>" + name + "</extra>", **on(panel),
            })  # fmt: skip
    for panel, up in enumerate(("1 is the floor", "share", "1 is right")):
        log_axis(figure, panel, [radius], least=(float(radius.min()), float(radius.max())), which="x")
        axis_of(figure, "x", panel)["title"]["text"] = "separation, Mpc/h" if "radius" in data.coords else "bin"
        axis_of(figure, "y", panel)["title"]["text"] = up
    return figure


def calibration_caption(case: Case) -> str:
    """What is shown, and from how many points."""
    data = case.calibration
    points = int(data.attrs.get("points", 0)) if data is not None else 0
    return (
        f"From {points} parameter points that the emulator was not trained on, each with several realisations. Left: root mean square of "
        "(realisation - mean of the emulator) over the measured noise; what is above 1 is the emulator's own error. Middle: how often a "
        "realisation lies in the central intervals of its predicted distribution. Right: the predicted deviation of a realisation over the "
        "measured one, the median over points."
    )


def calibration_table(case: Case) -> TextTable | None:
    """A row for each statistic: means over separations."""
    data = case.calibration
    floor, covered = array(data, "floor_one", "statistic", "bin"), array(data, "coverage", "level", "statistic", "bin")
    if data is None or floor is None or covered is None:
        return None
    header = ("statistic", "error, %", "error over noise, worst", "coverage 68 %", "coverage 95 %", "chi2 of a bin", "known of the error")
    rows = []
    for k, name in enumerate(labels(data, "statistic")):
        means = [float(np.nanmean(v)) if np.isfinite(v).any() else float("nan") for v in (
            data["percent"].values[k], covered[0, k], covered[1, k], data["chi2"].values[k], data["epistemic_ratio"].values[k]
        )]  # fmt: skip
        rows.append((
            name, number(means[0]), number(float(np.nanmax(floor[k]))), f"{means[1]:.0%}", f"{means[2]:.0%}", number(means[3]),
            number(means[4]) if np.isfinite(means[4]) else "–",
        ))  # fmt: skip
    return TextTable("Error bars by statistic; means over separations", header, tuple(rows))
