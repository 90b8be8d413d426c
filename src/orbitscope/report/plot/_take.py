"""What is drawn: the result of an instrument, or one part of a probe, checked before it reaches a figure."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from ..._errors import OrbitscopeError
from .._case import Case, Group, read_cases
from .._plot import Figure, clean

if TYPE_CHECKING:
    import plotly.graph_objects as go

Probe = xr.DataTree | Path | str


def group_of(result: Any, part: str, needs: Sequence[str], group: str | None, verdict: xr.Dataset | None = None) -> tuple[Case, Group]:
    """The result as a group of a case; raises `OrbitscopeError` that says which instrument gives what is drawn."""
    if isinstance(result, Probe):
        case = case_of(result)
        return case, _chosen(case, part, group)
    if not isinstance(result, xr.Dataset):
        raise OrbitscopeError(
            f"plot: expected a result of `osc.{part}` (an xarray Dataset) or a probe (a DataTree or its file), got {type(result).__name__}."
        )
    if missing := [n for n in needs if n not in result.variables]:
        here = ", ".join(map(str, result.data_vars)) or "nothing"
        kind = f" It is a result of kind {result.attrs['kind']!r}." if "kind" in result.attrs else ""
        raise OrbitscopeError(f"plot: this figure needs {', '.join(missing)}, as `{part}` gives it; the Dataset has {here}.{kind}")
    title = str(result.attrs.get("group") or "group")
    parts = {part: result} if verdict is None else {part: result, "verdict": verdict}
    attrs = {k: result.attrs[k] for k in ("grid", "layout") if k in result.attrs}
    return Case(title, attrs, None, result if part == "audit" else None, ()), Group(title, title, parts)


def case_of(probe: Any) -> Case:
    """One probe result."""
    if not isinstance(probe, Probe):
        raise OrbitscopeError(f"plot: expected a probe (a DataTree of `osc.examine`, or its file), got {type(probe).__name__}.")
    return read_cases([probe])[0]


def _chosen(case: Case, part: str, group: str | None) -> Group:
    having = [g for g in case.groups if g.part(part) is not None]
    if not having:
        raise OrbitscopeError(f"plot: the probe {case.title!r} has no {part}.")
    if group is None:
        return having[0]
    found = next((g for g in having if group in (g.title, g.key)), None)
    if found is None:
        raise OrbitscopeError(f"group: the probe {case.title!r} has {part} for {', '.join(g.title for g in having)}, not for {group!r}.")
    return found


def shown(figure: Figure | None, what: str) -> "go.Figure":
    """As a plotly figure; raises `OrbitscopeError` where there is nothing finite to draw."""
    import plotly.graph_objects as go

    if figure is None:
        raise OrbitscopeError(f"plot: there is nothing to draw: the result holds no finite {what}.")
    return go.Figure(data=clean(figure.traces), layout=clean(figure.layout))
