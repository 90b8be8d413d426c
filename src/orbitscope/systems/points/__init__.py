"""Points, clusters and crystals: networks whose broken symmetry is read off as order parameters. Readers need the extra `graphs`."""

from ._about import described, input_action, irreps_action, point_examples
from ._e3net import CoordinateNet, E3Net, ResidualE3Net
from ._readers import read_points
from ._readout import WithWeights, equivariance_gaps, reading, responses, with_weights
from ._scenarios import BATIO3, PHASES, SHAPES
from ._system import SYSTEM, PointMSE, PointSystem, left_over

__all__ = [
    "BATIO3",
    "PHASES",
    "SHAPES",
    "SYSTEM",
    "CoordinateNet",
    "E3Net",
    "PointMSE",
    "PointSystem",
    "ResidualE3Net",
    "WithWeights",
    "described",
    "equivariance_gaps",
    "input_action",
    "irreps_action",
    "left_over",
    "point_examples",
    "read_points",
    "reading",
    "responses",
    "with_weights",
]
