"""Curves of instruments that are no part of a probe: spectra, errors along an orbit, roll-outs."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ..._errors import OrbitscopeError
from .._plot import BLUE, SOFT, VERMILLION, axis_of, band, gaps, line_at, log_axis, on, panels, plain, quartiles
from ._take import shown

if TYPE_CHECKING:
    import plotly.graph_objects as go


def spectrum(result: xr.Dataset) -> "go.Figure":
    """Eigenvalues of the tangent kernel over the mode, and the alignment of the residual with the modes, with what chance would give.

    * `result`: of `osc.probe.spectrum`. Raises `OrbitscopeError` for another.
    """
    _need(result, "osc.probe.spectrum", "eigenvalue", "alignment")
    values, alignment = (np.asarray(result[n].values, dtype=float).reshape(-1) for n in ("eigenvalue", "alignment"))
    figure = panels(["Eigenvalue", "Alignment with the residual"], legend=False)
    modes = list(range(1, len(values) + 1))
    for panel, shown_values in enumerate((values, alignment)):
        positive = shown_values[shown_values > 0]
        least = (float(positive.min()), float(positive.max())) if positive.size else (0.1, 1.0)
        log_axis(figure, panel, [shown_values], least=least)
        figure.traces.append(_line(modes, gaps(shown_values), BLUE, panel, "", markers=True))
        axis_of(figure, "x", panel)["title"]["text"] = "mode"
    if "chance" in result.attrs or "chance" in result.variables:
        chance = float(result["chance"]) if "chance" in result.variables else float(result.attrs["chance"])
        figure.layout["shapes"] = [line_at(1, chance)]
    return shown(figure if np.isfinite(values).any() else None, "eigenvalue")


def orbit_curve(result: xr.Dataset) -> "go.Figure":
    """Commutator and relative error along a one-parameter family of moves: median and quartiles over transitions.

    * `result`: of `osc.probe.orbit_curve`, `shift_curve` or `boost_curve`. Dimensionless. Raises `OrbitscopeError` for another.
    """
    _need(result, "osc.probe.orbit_curve", "commutator", "relative_error")
    (axis,) = [d for d in result["commutator"].dims if d != "transition"]
    at = np.asarray(result[axis].values, dtype=float) if axis in result.variables else np.arange(result.sizes[axis])
    figure = panels(["Commutator", "Relative error"], legend=False)
    for panel, name in enumerate(("commutator", "relative_error")):
        values = np.asarray(result[name].transpose(axis, "transition").values, dtype=float)
        low, middle, high = quartiles(values, len(at))
        floor = np.asarray(result["floor"].values, dtype=float) if panel == 0 and "floor" in result.variables else None
        log_axis(figure, panel, [low, high, floor], least=(0.5, 2.0) if panel else (1e-3, 1e-1))
        figure.traces.append(band(at.tolist(), gaps(low), gaps(high), BLUE, panel, "quartiles"))
        figure.traces.append(_line(at, gaps(middle), BLUE, panel, name.replace("_", " "), markers=True))
        if floor is not None:
            figure.traces.append(_line(at, gaps(floor * np.ones(len(at))), SOFT, panel, "noise floor", dash="dash"))
        axis_of(figure, "x", panel)["title"]["text"] = plain(
            result[axis].attrs.get("long_name", axis) if axis in result.variables else axis
        )
    figure.layout["shapes"] = [line_at(1, 1.0)]
    return shown(figure, "error")


def rollout(result: xr.Dataset, name: str = "relative_l2") -> "go.Figure":
    """Error of a roll-out by horizon, median and quartiles over trajectories, beside that of persistence, a panel per channel.

    * `result`: of `osc.rollout`. `name`: "relative_l2" (dimensionless) or "smse" (in the unit of its field).

    Raises `OrbitscopeError` for another kind of result. Forecasts that blew up are left out of the medians.
    """
    _need(result, "osc.rollout", name, f"{name}_persistence")
    channels = [str(c) for c in result["channel"].values] if "channel" in result.variables else [""] * result.sizes["channel"]
    horizon = np.asarray(result["horizon"].values, dtype=float)
    figure = panels([plain(c) for c in channels])
    for panel in range(len(channels)):
        curves = [result[n].isel(channel=panel).transpose("horizon", "trajectory").values for n in (name, f"{name}_persistence")]
        bounds = [quartiles(np.asarray(c, dtype=float), len(horizon)) for c in curves]
        log_axis(figure, panel, [v for b in bounds for v in b], least=(1e-2, 1.0))
        for (low, middle, high), colour, label in zip(bounds, (BLUE, VERMILLION), ("model", "persistence"), strict=True):
            shade = band(horizon.tolist(), gaps(low), gaps(high), colour, panel, label)
            figure.traces.append(shade | {"showlegend": False, "legendgroup": label})
            figure.traces.append(_line(horizon, gaps(middle), colour, panel, label) | {"showlegend": panel == 0, "legendgroup": label})
        axis_of(figure, "x", panel)["title"]["text"] = "horizon, steps"
    axis_of(figure, "y", 0)["title"]["text"] = name.replace("_", " ")
    return shown(figure, "error")


def _need(result: Any, instrument: str, *names: str) -> None:
    if not isinstance(result, xr.Dataset) or any(n not in result.variables for n in names):
        got = f"a Dataset with {', '.join(map(str, result.data_vars))}" if isinstance(result, xr.Dataset) else type(result).__name__
        raise OrbitscopeError(f"result: this figure draws a result of `{instrument}` (it has {', '.join(names)}), got {got}.")


def _line(x: Any, y: Any, colour: str, panel: int, name: str, *, markers: bool = False, dash: str = "solid") -> dict[str, Any]:
    return {
        "type": "scatter", "x": list(x), "y": y, "mode": "lines+markers" if markers else "lines", "name": name,
        "line": {"color": colour, "width": 2, "dash": dash}, "marker": {"size": 6}, **on(panel),
    }  # fmt: skip
