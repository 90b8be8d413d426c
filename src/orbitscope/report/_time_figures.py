"""The influence matrix over time: whose loss responds, against which transition pushes."""

import warnings

import numpy as np
import xarray as xr

from ._case import Group, labels
from ._plot import DIVERGING, Figure, axis_of, on, panels, plain
from ._text import number

_MOST_ELEMENTS = 17
_DIMS = ("element", "bra_time", "bra_trajectory", "ket_time", "ket_trajectory")
_TITLES = ("Same trajectory", "Different trajectories")


def time_figure(group: Group) -> Figure | None:
    """Two heat maps, same and different trajectories, with one choice per element and quantity; None where there is no influence."""
    data = group.part("influence")
    if data is None:
        return None
    elements = labels(data)
    shown = _some(elements)
    quantities = [n for n in ("coherence", "influence") if n in data.variables and set(data[n].dims) == set(_DIMS)]
    choices = []
    for quantity in quantities:
        values = np.asarray(data[quantity].transpose(*_DIMS).values, dtype=float)
        for i in shown:
            same, other = time_medians(values[i], _pairs(data))
            if np.isfinite(same).any() or np.isfinite(other).any():
                choices.append(_choice(quantity, elements[i], same, other))
    return _figure(data, group, choices) if choices else None


def time_medians(values: np.ndarray, same: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Medians over trajectories of values[bra_time, bra_trajectory, ket_time, ket_trajectory]: pairs where `same`, and the others.

    `same` is boolean [bra_trajectory, ket_trajectory]; both results are [bra_time, ket_time], NaN where there is no finite pair.
    """
    pairs = values.transpose(0, 2, 1, 3)
    return _median(pairs[:, :, same]), _median(pairs[:, :, ~same])


def _median(values: np.ndarray) -> np.ndarray:
    if not values.shape[2]:
        return np.full(values.shape[:2], np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a cell without any finite value is no surprise here
        return np.nanmedian(np.where(np.isfinite(values), values, np.nan), axis=2)


def _pairs(data: xr.Dataset) -> np.ndarray:
    bra, ket = np.asarray(labels(data, "bra_trajectory")), np.asarray(labels(data, "ket_trajectory"))
    return bra[:, None] == ket[None, :]


def _choice(quantity: str, element: str, same: np.ndarray, other: np.ndarray) -> dict:
    both = np.abs(np.concatenate([same.ravel(), other.ravel()]))
    limit = 1.0 if quantity == "coherence" else float(both[np.isfinite(both)].max()) or 1.0
    return {"quantity": quantity, "element": element, "z": [same, other], "limit": limit}


def _some(elements: tuple[str, ...]) -> list[int]:
    """All elements of a small group, an even selection of a large one."""
    if len(elements) <= _MOST_ELEMENTS:
        return list(range(len(elements)))
    return sorted({round(i) for i in np.linspace(0, len(elements) - 1, _MOST_ELEMENTS - 1)} | {1})


def _figure(data: xr.Dataset, group: Group, choices: list[dict]) -> Figure:
    figure = panels(_TITLES, height=430, gap=0.13, legend=False)
    first = _start(group, choices)
    choices.insert(0, choices.pop(first))
    bra, ket = _times(data, "bra_time"), _times(data, "ket_time")
    unit = "frame" if "bra_time" in data.variables and data["bra_time"].dtype.kind in "iu" else "time"
    digits = ".3f" if choices[0]["quantity"] == "coherence" else ".3g"
    text = f"loss at {unit} %{{y}}, step at {unit} %{{x}}<br>median: %{{z:{digits}}}<extra></extra>"
    for panel, z in enumerate(choices[0]["z"]):
        figure.traces.append({
            "type": "heatmap", "x": ket, "y": bra, "z": z, "coloraxis": "coloraxis", "xgap": 1, "ygap": 1, "hoverongaps": False,
            "hovertemplate": text, **on(panel),
        })  # fmt: skip
        axis_of(figure, "x", panel).update(type="category", gridcolor="rgba(0,0,0,0)", nticks=8, tickangle=0)
        axis_of(figure, "y", panel).update(type="category", gridcolor="rgba(0,0,0,0)", nticks=8)
        axis_of(figure, "x", panel)["title"]["text"] = f"ket: {unit} of the transition that pushes"
        axis_of(figure, "y", panel)["title"]["text"] = f"bra: {unit} of the loss that responds" if panel == 0 else ""
    title = {"text": choices[0]["quantity"], "side": "right", "font": {"size": 12}}
    figure.layout["coloraxis"] = {
        "colorscale": [[i / 10, c] for i, c in enumerate(DIVERGING)],
        "cmid": 0,
        "cmin": -choices[0]["limit"],
        "cmax": choices[0]["limit"],
        "colorbar": {"thickness": 12, "outlinewidth": 0, "len": 1, "title": title},
    }
    figure.choices = choices
    return figure


def _start(group: Group, choices: list[dict]) -> int:
    """The element shown first: a quarter turn or half a period tells more than the identity."""
    names = [c["element"] for c in choices if c["quantity"] == choices[0]["quantity"]]
    if len(names) == 1:
        return 0
    return len(names) // 2 if group.translations else 1


def _times(data: xr.Dataset, dim: str) -> list[str]:
    values = data[dim].values if dim in data.variables else np.arange(data.sizes[dim])
    texts = [number(v, 3) if isinstance(v, (float, np.floating)) else plain(v) for v in values]
    return texts if len(set(texts)) == len(texts) else [f"{t} ({i})" for i, t in enumerate(texts)]
