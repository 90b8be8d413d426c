"""From numbers to words, with intervals, and what to do next."""

from ._learnt import learnt_subgroup
from ._verdict import verdict

__all__ = [
    "learnt_subgroup",
    "verdict",
]
