"""Figures of a discovered symmetry."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..._expect import expect
from ...discover import Discovery, load_discovery
from .._discovery_figures import angle_figure, chart_figure, generator_figure, spectrum_figure
from ._take import shown

if TYPE_CHECKING:
    import plotly.graph_objects as go

Found = Discovery | Path | str


def breaking(found: Found) -> "go.Figure":
    """How far each direction of the searched algebra is from a symmetry, with interval, the predictors' noise, limit and null; log axis.

    * `found`: a `Discovery`, or its file. Sizes over those of unrelated examples, dimensionless. Raises `OrbitscopeError` for another kind.
    """
    return shown(spectrum_figure(_taken(found)), "breaking")


def generators(found: Found) -> "go.Figure":
    """The generators that hold as motions of the plane, arrows and orbits; in other dimensions as matrices.

    * `found`: a `Discovery`, or its file. Where none holds, the two least broken directions. Raises `OrbitscopeError` for another kind.
    """
    return shown(generator_figure(_taken(found)), "direction")


def span_angles(found: Found) -> "go.Figure":
    """The largest angle, in degrees, between the span of the generators and that of resampled examples, over the resamples.

    * `found`: a `Discovery`, or its file. Raises `OrbitscopeError` for another kind, and where nothing holds.
    """
    return shown(angle_figure(_taken(found)), "angle")


def breaking_by_chart(found: Found) -> "go.Figure":
    """The breaking of every direction in every chart: where the symmetry holds.

    * `found`: a `Discovery` with charts, or its file. Raises `OrbitscopeError` for another kind, and without charts.
    """
    return shown(chart_figure(_taken(found)), "chart")


def _taken(found: Found) -> Discovery:
    expect(found, (Discovery, Path, str), "found:", "a Discovery or its file")
    return found if isinstance(found, Discovery) else load_discovery(found)
