"""What is declared of pictures of the suite's tasks."""

from ...symmetry import Grid, GridAction, Layout
from ._env_symmetry import EnvSymmetry
from ._suite_tasks import suite_task

SIZE, FRAMES = 32, 2
PIXEL_DOMAINS = ("cartpole",)
"""Domains of the suite whose first camera sees the mirror of the task as the mirror of the picture."""
PIXEL_TASKS = {
    "cartpole_pixels": ("cartpole-swingup", True), "cartpole_pixels-bare": ("cartpole-swingup", False),
    "cartpole_pixels-balance": ("cartpole-balance", False),
}  # fmt: skip
"""Names of environments of pictures -> the task, and whether floor and sky are drawn."""


def pixel_symmetry(name: str = "cartpole-swingup", size: int = SIZE) -> EnvSymmetry:
    """The mirror of a task seen in pictures: it flips their first axis.

    * `name`: of the task. `size`: pixels along an edge.

    >>> pixel_symmetry().observation.grid.shape
    (32, 32)
    """
    task = suite_task(name)
    pictures = GridAction(Layout.of("grey"), Grid.square(size, boundary="open"), frames=FRAMES)
    return EnvSymmetry(task.group, pictures, task.action, task.state)
