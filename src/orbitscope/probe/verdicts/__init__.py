"""From numbers to words, with intervals, and what to do next."""

from ._compare import Change, Comparison, compare
from ._learnt import learnt_subgroup
from ._verdict import verdict

__all__ = [
    "Change",
    "Comparison",
    "compare",
    "learnt_subgroup",
    "verdict",
]
