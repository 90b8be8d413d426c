"""Figures over the elements of one group."""

from typing import TYPE_CHECKING, Any

import xarray as xr

from ..._errors import OrbitscopeError
from .._audit_figures import audit_figure
from .._element_figures import learning_figure, output_figure
from .._shift_figures import learning_curves, output_curves
from .._standardised_figures import standardised_figure
from .._step_figures import damping_figure, step_figure
from .._time_figures import time_figure
from ._take import group_of, shown

if TYPE_CHECKING:
    import plotly.graph_objects as go


def equivariance(result: Any, verdict: xr.Dataset | None = None, *, group: str | None = None) -> "go.Figure":
    """Relative error and commutator per element (curves over the shift for shifts), with the share of the breaking where a verdict has it.

    * `result`: of `osc.equivariance`, or a probe (DataTree or file). `verdict`: of `osc.verdict` on it, for the share, colours and words.
    * `group`: which group of a probe; None: the first.

    Dimensionless; medians with quartiles over transitions. Raises `OrbitscopeError` for another kind of result.
    """
    case, found = group_of(result, "equivariance", ("relative_error", "commutator"), group, verdict)
    return shown(output_curves(case, [found]) if found.translations else output_figure(found), "error")


def influence(result: Any, verdict: xr.Dataset | None = None, *, group: str | None = None) -> "go.Figure":
    """Coherence beside its null, and the excess with its interval, per element (curves over the shift for shifts).

    * `result`: of `osc.influence`, or a probe. `verdict`: of `osc.verdict`, for colours and words. `group`: which group of a probe.

    Dimensionless. Raises `OrbitscopeError` for another kind of result.
    """
    case, found = group_of(result, "influence", ("response", "excess"), group, verdict)
    return shown(learning_curves(case, [found]) if found.translations else learning_figure(found), "coherence")


def influence_matrix(result: Any, element: str | None = None, quantity: str = "coherence", *, group: str | None = None) -> "go.Figure":
    """Whose loss responds (bra, down) to whose step (ket, across), over time: pairs of the same trajectory beside those of different ones.

    * `result`: of `osc.influence`, or a probe. `element`: its name; None: one that moves the state. `group`: which group of a probe.
    * `quantity`: "coherence" (dimensionless) or "influence" (loss squared). Positive, red: the step lowers the loss.

    Medians over trajectories. Raises `OrbitscopeError` for another kind of result, and for an element or quantity that it lacks.
    """
    _, found = group_of(result, "influence", ("influence",), group)
    figure = time_figure(found)
    if figure is not None:
        options = {(c["element"], c["quantity"]): c for c in figure.choices}
        asked = (figure.choices[0]["element"] if element is None else element, quantity)
        if asked not in options:
            raise OrbitscopeError(
                f"element, quantity: {asked} is not among {sorted({e for e, _ in options})} and {sorted({q for _, q in options})}."
            )
        chosen = options[asked]
        for trace, z in zip(figure.traces, chosen["z"], strict=True):
            trace["z"] = z
        figure.layout["coloraxis"].update(cmin=-chosen["limit"], cmax=chosen["limit"])
        figure.layout["coloraxis"]["colorbar"]["title"]["text"] = f"{quantity}, g = {asked[0]}"
    return shown(figure, "influence")


def standardised(result: Any, *, group: str | None = None) -> "go.Figure":
    """The influence of elements by mini-batches, in standard deviations of unrelated ones, beside the median of each element.

    * `result`: of `osc.influence` with at least three trajectories, or a probe. `group`: which group of a probe.

    Raises `OrbitscopeError` for another kind of result, or one that is too small.
    """
    return shown(standardised_figure(group_of(result, "influence", ("influence",), group)[1]), "influence of three trajectories")


def dampings(result: Any, *, group: str | None = None) -> "go.Figure":
    """Coherence and excess of some elements over the damping of the metric.

    * `result`: of `osc.influence` in a metric with a damping, or a probe. `group`: which group of a probe.

    Raises `OrbitscopeError` for another kind of result.
    """
    return shown(damping_figure(group_of(result, "influence", ("response_by_damping",), group)[1]), "sweep over dampings")


def steps(result: Any, *, group: str | None = None) -> "go.Figure":
    """Change of the loss that was measured after a step against the one that the influence predicted, in per cent of the loss.

    * `result`: of `osc.probe.step_test`, or a probe. `group`: which group of a probe.

    Raises `OrbitscopeError` for another kind of result.
    """
    return shown(step_figure(group_of(result, "steps", ("predicted", "measured"), group)[1]), "steps")


def audit(result: Any, *, group: str | None = None) -> "go.Figure":
    """Residual of moved transitions under the solver, and p-values of the two-sample test, per element or over the shift.

    * `result`: of `osc.audit`, or a probe. `group`: which group of a probe.

    Dimensionless: the residual is in units of the step. Raises `OrbitscopeError` for another result, and where neither was measured.
    """
    case, found = group_of(result, "audit", ("verdict",), group)
    return shown(audit_figure(case, [found]), "residual or p-value")
