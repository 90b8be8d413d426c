"""What an audit says of an element."""

import numpy as np

from ._decide import BREAKS, CONTRADICTS, UNDETERMINED

HOLDS = "symmetry of the physics and of the file"
PHYSICS_ONLY = "symmetry of the physics, not of this file's distribution"
UNTESTED = "symmetry of the physics; too few trajectories to test the file"
NEARLY = "approximate symmetry of the physics"
NOT = "not a symmetry"
NOT_OF_FILE = "not a symmetry of this file's distribution; physics unchecked"
UNCHECKED = "not contradicted by the file; physics unchecked"
#: A law that repeats the data to rounding leaves far less than this of a step's change; a broken symmetry leaves far more.
_SURE = 1e-3


def said_of(file: str, residual: float, floor: float, p: float, alpha: float, *, law: bool) -> str:
    """The verdict on an element: from that on the file, the residual of the law at g and at the identity, and the p-value of the test of
    the distribution. `law`: whether one is known at all."""
    if file in (CONTRADICTS, BREAKS):
        return CONTRADICTS if file == CONTRADICTS else UNDETERMINED
    invariant = not p < alpha
    if not law or np.isnan(residual):
        # Without a solver a distribution that differs is the file's own: a right flow started in one corner differs under every shift.
        return NOT_OF_FILE if not invariant else UNCHECKED if not law and not np.isnan(p) else UNDETERMINED
    if not floor < 0.5:
        return UNDETERMINED
    if residual <= max(3 * floor, _SURE):
        return UNTESTED if np.isnan(p) else HOLDS if invariant else PHYSICS_ONLY
    return NOT
