"""All tasks by name."""

from ..._errors import OrbitscopeError
from ._task import Task
from ._tasks_blocks import Lift, Place, Reach, Stack, StackThree
from ._tasks_held import LBlock, Peg, Pour, Ring, Tool
from ._tasks_mechanisms import Button, Buttons, Drawer, Knob

TASKS: dict[str, type[Task]] = {
    t.name: t for t in (Reach, Lift, Place, Button, Buttons, Stack, StackThree, Drawer, Knob, Peg, Ring, Pour, Tool, LBlock)
}
"""The tasks of the suite by name."""


def task(name: str) -> Task:
    """The task of that `name`; raises `OrbitscopeError`, with those that there are, for another."""
    if name not in TASKS:
        raise OrbitscopeError(f"task: there is no task {name!r}. The table has {', '.join(TASKS)}.")
    return TASKS[name]()
