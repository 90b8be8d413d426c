"""The motions that are searched in flows: places, velocities and offsets of the two states, apart from each other; and what is known."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from orbitscope.symmetry import Action, LieGroup, Linear, Patch, Symmetry

#: Where the three homogeneous blocks of an element's matrix [10, 10] begin; its last entry is the vorticity's factor.
INPUT, ANSWER, VELOCITY, FACTOR = 0, 3, 6, 9
_STEP = 1e-3
_AXES = "xy"
#: name -> entries (row, column) of a basis matrix of the algebra.
DIRECTIONS: dict[str, list[tuple[int, int]]] = {
    **{f"places {i}{j}": [(INPUT + i, INPUT + j), (ANSWER + i, ANSWER + j)] for i in (0, 1) for j in (0, 1)},
    **{f"velocity {i}{j}": [(VELOCITY + i, VELOCITY + j)] for i in (0, 1) for j in (0, 1)},
    **{f"input along {_AXES[i]}": [(INPUT + i, INPUT + 2)] for i in (0, 1)},
    **{f"answer along {_AXES[i]}": [(ANSWER + i, ANSWER + 2)] for i in (0, 1)},
    **{f"velocity plus {_AXES[i]}": [(VELOCITY + i, VELOCITY + 2)] for i in (0, 1)},
    "vorticity times": [(FACTOR, FACTOR)],
}


def motions() -> LieGroup[Linear]:
    r"""The 15 dimensions that are searched: matrices [10, 10] with blocks (A, b), (A, b'), (B, c) and a number s.

    $u'(p) = B\, u(A^{-1}(p - b)) + c$ now and $w'(p) = s\, w(A^{-1}(p - b'))$ later, A and B of gl(2) apart, offsets apart.
    """
    algebra = np.zeros((len(DIRECTIONS), 10, 10))
    for k, entries in enumerate(DIRECTIONS.values()):
        for i, j in entries:
            algebra[k, i, j] = 1.0
    return LieGroup("flow motions", algebra, Linear)


def direction(**parts: float) -> np.ndarray:
    """A matrix [10, 10] of the algebra from named coefficients, the spaces of the names written as underscores."""
    names = [name.replace(" ", "_") for name in DIRECTIONS]
    if unknown := set(parts) - set(names):
        raise KeyError(f"no motion is called {sorted(unknown)}")
    return np.tensordot([parts.get(name, 0.0) for name in names], motions().algebra, 1)


#: What laws of flow may allow, and for comparison what none does.
KNOWN = {
    "rotation": direction(places_01=-1, places_10=1, velocity_01=-1, velocity_10=1),
    "translation x": direction(input_along_x=1, answer_along_x=1),
    "translation y": direction(input_along_y=1, answer_along_y=1),
    "boost x": direction(velocity_plus_x=1, answer_along_x=1),
    "boost y": direction(velocity_plus_y=1, answer_along_y=1),
    "dilation": direction(places_00=1, places_11=1, velocity_00=1, velocity_11=1),
}
OTHERS = {
    "wind without drift": direction(velocity_plus_x=1),
    "rotation of places alone": direction(places_01=-1, places_10=1),
    "strain": direction(places_00=1, places_11=-1, velocity_00=1, velocity_11=-1),
    "faster": direction(velocity_00=1, velocity_11=1, vorticity_times=1),
}
#: medium -> the generators that its law allows. The dilation is none where viscosity counts: it scales as lengths squared.
TRUTH = {
    "free": ("rotation", "translation x", "translation y", "boost x", "boost y", "dilation"),
    "viscous": ("rotation", "translation x", "translation y", "boost x", "boost y"),
    "anisotropic viscosity": ("translation x", "translation y", "boost x", "boost y"),
    "ground friction": ("rotation", "translation x", "translation y"),
}


@dataclass(frozen=True)
class FlowAction(Action[Linear]):
    """Velocities (`answer` False) or later vorticities on a `patch` under the motions of `motions`.

    `inner`: where the patch is a whole box, the radius in cells out to which turns and dilations are whole; they end at the border.
    """

    patch: Patch
    answer: bool
    inner: float | None = None

    @property
    def channels(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Names of the state's channels."""
        return ("vorticity",) if self.answer else ("u", "v")

    def __call__(self, element: Linear, state: Any) -> Any:
        places, mix, plus = self._parts(element.matrix)
        moved = self.patch.move(_Moved(places[:2, :2], places[:2, 2]), state)
        return torch.einsum("ij,...jxy->...ixy", mix.to(state), moved) + plus.to(state)

    def tangent(self, flow: Any, state: Any) -> Any:
        weights = ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60))
        rate = sum((w * (flow(k * _STEP).matrix - flow(-k * _STEP).matrix) for k, w in weights), np.zeros((10, 10))) / _STEP
        places, mix, plus = self._parts(rate)
        moved = self.patch.drift(places[:2, :2], places[:2, 2], state) + torch.einsum("ij,...jxy->...ixy", mix.to(state), state)
        return self._taper().to(state) * moved + plus.to(state)

    def _parts(self, matrix: np.ndarray) -> tuple[np.ndarray, Tensor, Tensor]:
        """Places [3, 3], how the channels mix, and what is added to them."""
        first = ANSWER if self.answer else INPUT
        values = matrix[FACTOR:, FACTOR:] if self.answer else matrix[VELOCITY : VELOCITY + 2, VELOCITY : VELOCITY + 2]
        plus = np.zeros(1) if self.answer else matrix[VELOCITY : VELOCITY + 2, VELOCITY + 2]
        return matrix[first : first + 3, first : first + 3], torch.tensor(values), torch.tensor(plus)[:, None, None]

    def _taper(self) -> Tensor:
        if self.inner is None:
            return torch.ones(())
        radius, rim = self.patch.coordinates.square().sum(0).sqrt(), min(self.patch.shape) / 2
        t = ((radius - self.inner) / (rim - self.inner)).clamp(0, 1)
        return 1 - t**3 * (10 - 15 * t + 6 * t**2)


@dataclass(frozen=True)
class _Moved:
    matrix: np.ndarray
    offset: np.ndarray


def symmetry(seen: int, answered: int, inner: float | None = None) -> Symmetry:
    """The hypothesis for patches of `seen` and `answered` points per side; `inner` as in `FlowAction`."""
    return Symmetry(motions(), FlowAction(Patch((seen,) * 2), False, inner), FlowAction(Patch((answered,) * 2), True))
