"""What the data say: laws, conventions, distribution, leakage, and which trajectories should not be there."""

from ._audit import BREAKS, CONTRADICTS, NOT, PHYSICS_ONLY, audit
from ._commuting import commuting
from ._correct import correct
from ._law import law_of, parse_law
from ._leakage import leakage
from ._measured import with_measured
from ._screen import screen
from ._twosample import holm
from ._words import NEARLY

__all__ = [
    "BREAKS",
    "CONTRADICTS",
    "NEARLY",
    "NOT",
    "PHYSICS_ONLY",
    "audit",
    "commuting",
    "correct",
    "holm",
    "law_of",
    "leakage",
    "parse_law",
    "screen",
    "with_measured",
]
