"""Control: environments and their symmetries, planners whose decisions turn with the world."""

from ._balls import BALLS, Balls, balls
from ._planner import METHODS, Plan, Planner
from ._planner_actions import ActionSet, BoxActions, DiscActions
from ._planner_audit import decision_errors, warm_start

__all__ = [
    "BALLS",
    "METHODS",
    "ActionSet",
    "Balls",
    "BoxActions",
    "DiscActions",
    "Plan",
    "Planner",
    "balls",
    "decision_errors",
    "warm_start",
]
