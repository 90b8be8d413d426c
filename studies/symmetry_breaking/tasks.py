"""The tasks of the study: examples, the symmetry that theory leaves, and what of the truth can be compared."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from orbitscope import Examples
from orbitscope.symmetry import octahedral
from orbitscope.systems.points import PHASES, SHAPES, SYSTEM


@dataclass(frozen=True)
class Task:
    """One task.

    `scenario`, `parameters`: what makes the examples, `train` and `test` units of them. `title`: for the page. `leading`: the irreps
    without which the task cannot be done; none for a control. `network`: options of `E3Net`. `group`: how the group is known that inputs
    and answers share ("shape", "phase", "fields", "tensor", "none"); where it is, the set of examples is closed under it, and theory says
    which components stay 0. `steps`: of training, in units of the setting; `rate`: the highest of AdamW. `draw`: of the examples, even.
    `starts`: first weights that each seed tries; it keeps the one with the lowest training error.
    """

    name: str
    title: str
    scenario: str
    parameters: dict[str, Any]
    train: int
    test: int
    leading: tuple[str, ...]
    network: dict[str, Any]
    group: str
    steps: float = 1.0
    rate: float = 1e-2
    baselines: bool = True
    draw: int = 0
    starts: int = 1

    def examples(self, seed: int, count: int | None = None) -> Examples:
        """Examples of a seed, closed under the group where points alone do not close them."""
        plan = SYSTEM.scenario(self.scenario)
        count = count or (self.train if seed == 0 else self.test)
        made = plan.make(count, self.draw + seed, None, **{**plan.parameters, **self.parameters})
        return closed(made, self.elements()) if self.group in ("fields", "tensor") and seed == 0 else made

    def elements(self) -> np.ndarray:
        """The group that inputs and answers share, [N, 3, 3]; empty where none is claimed."""
        cube = np.array([np.array(g.linear, dtype=float) for g in octahedral()])
        if self.group == "shape":
            stretch = np.diag(SHAPES[self.parameters["target"]])
            return cube[[np.allclose(g @ stretch @ g.T, stretch) for g in cube]]
        if self.group == "phase":
            n = np.array(PHASES[self.parameters["phase"]])
            return cube[[np.allclose(g @ n, n) for g in cube]]
        if self.group == "fields":
            b = np.array(self.parameters["magnetic"])
            return np.stack([np.eye(3), np.eye(3) - 2 * np.outer(b, b) / (b @ b)])
        if self.group == "tensor":
            tensor = np.array(self.examples_about()["tensor"])
            axes = np.linalg.eigh(tensor)[1]
            return np.array([axes @ np.diag([i, j, k]) @ axes.T for i in (1.0, -1.0) for j in (1.0, -1.0) for k in (1.0, -1.0)])
        return np.zeros((0, 3, 3))

    def examples_about(self) -> dict[str, Any]:
        """What the scenario says of its truth."""
        plan = SYSTEM.scenario(self.scenario)
        return plan.make(1, 0, None, **{**plan.parameters, **self.parameters}).about


def closed(examples: Examples, elements: np.ndarray) -> Examples:
    """The examples with all their images: a set that the group maps onto itself, as theory asks."""
    import torch

    from orbitscope.symmetry import Rigid

    symmetry = SYSTEM.symmetries(examples)["o3"]
    moved = [symmetry.pair(Rigid(g), examples.x, examples.y) for g in elements]
    x = tuple(torch.cat(parts) for parts in zip(*[m[0] for m in moved], strict=True))
    return Examples(x, torch.cat([m[1] for m in moved]), name=examples.name, about=examples.about)


_SHAPE = {"hidden": "1x0e+1x1o+1x2e", "layers": 2}
_CRYSTAL = {"hidden": "2x0e+2x1o+1x2e", "layers": 2}
_ONE = {"layers": 1}
_LINEAR = {"steps": 2.0, "rate": 3e-2}  # one layer, linear in the vectors
_ACROSS = {"electric": (1.0, 0.0, 0.0), "magnetic": (0.0, 1.0, 0.0)}
_TILTED = {"electric": (0.6, -0.3, 0.9), "magnetic": (0.2, 1.1, -0.4)}
SCANNED = ("P4mm", "Amm2", "R3m")


def _shape(target: str, leading: tuple[str, ...]) -> Task:
    return Task(f"cube-{target}", f"cube to {target}", "shapes.deformed", {"target": target, "spread": 0.1}, 3, 5, leading, _SHAPE, "shape")


def _pendulum(name: str, title: str, hidden: str = "12x0e+8x1o", starts: int = 2, **more: Any) -> Task:
    motion = {"gravity": (0.0, 0.0, -9.81), "damping": 0.3, "frames": 4}
    return Task(
        name, title, "pendulum.damped", motion, 90, 30, ("1o",), {"hidden": hidden, "layers": 2}, "none", 2.0, starts=starts, **more
    )


def _phase(phase: str, leading: tuple[str, ...], **more: Any) -> Task:
    name = f"perovskite-{phase}"
    return Task(name, f"perovskite, Pm-3m to {phase}", "crystal.perovskite", {"phase": phase}, 3, 5, leading, _CRYSTAL, "phase", **more)


TASKS = {
    task.name: task
    for task in (
        _shape("cube", ()),
        _shape("prism", ("2e",)),
        _shape("box", ("2e",)),
        Task("fields", "charge, E across B", "particle.field", _ACROSS, 8, 8, ("1o", "1e"), _ONE, "fields", **_LINEAR),
        Task("fields-tilted", "charge, E and B at an angle", "particle.field", _TILTED, 8, 8, ("1o", "1e"), _ONE, "none", **_LINEAR),
        Task("fields-noisy", "the same with noise of 10 % of |E|", "particle.field", {**_TILTED, "noise": 0.11}, 8, 8, ("1o", "1e"), _ONE,
             "none", **_LINEAR),
        _pendulum("pendulum", "damped pendulum"),
        _pendulum("pendulum-again", "the same, other trajectories", baselines=False, draw=2, starts=1),
        _pendulum("pendulum-narrow", "the same, a narrow network", "6x0e+3x1o", baselines=False, starts=1),
        _phase("Pm-3m", ()),
        _phase("P4mm", ("1o",)),
        _phase("Amm2", ("1o",)),
        _phase("R3m", ("1o",)),
        Task("perovskite-scan", "perovskite, amplitude by amplitude", "crystal.perovskite", {"phase": "P4mm", "cases": 6, "strain": 0.0},
             6, 6, ("1o",), {**_CRYSTAL, "layers": 1}, "phase", baselines=False, **_LINEAR),
        *(Task(f"batio3-{phase}", f"BaTiO3, Pm-3m to {phase}, amplitude by amplitude", "crystal.batio3",
               {"phase": phase, "cases": 6, "strain": 0.0}, 6, 6, ("1o",), {**_CRYSTAL, "layers": 1}, "phase", baselines=False, **_LINEAR)
          for phase in SCANNED),
        Task("diffusion", "diffusion tensor", "diffusion.tensor", {"principal": (1.0, 2.0, 4.0)}, 12, 50, ("2e",), _ONE,
             "tensor", **_LINEAR),
        Task("cluster", "forces in a cluster (control)", "particle.cluster", {}, 12, 64, (),
             {"hidden": "4x0e+4x1o+2x2e", "layers": 2}, "none"),
    )
}  # fmt: skip
CONTROLS = [name for name, task in TASKS.items() if not task.leading]
#: What is trained on every task; the three last are what the recipe is compared with.
VARIANTS = {
    "relaxed": "relaxed",
    "strict": "strict (e3net)",
    "residual": "residual pathway",
    "coordinates": "plain network",
    "one-stage": "relaxed, in one stage",
    "single": "relaxed, Adam's single moments",
}
COMPARED = ("cube-cube", "cube-prism", "cube-box", "perovskite-P4mm")
__all__ = ["COMPARED", "CONTROLS", "SCANNED", "TASKS", "VARIANTS", "Task", "closed"]
