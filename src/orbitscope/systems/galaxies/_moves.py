"""How catalogues in a periodic box move: rotations and reflections about its centre, and shifts; and what should not change."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from ...symmetry import (
    Action,
    FieldAction,
    Group,
    Invariant,
    Isometry,
    Layout,
    PartsAction,
    Points,
    State,
    Symmetry,
    octahedral,
    parts,
    translations,
)
from ...symmetry import product as joint
from ._statistics import alignment_statistics, filled
from ._targets import STATISTICS

_SHIFTS = 3  # along each axis


class InBox(Action[Isometry]):
    r"""Places in a periodic cube, [N, P, 3], under $p \mapsto A (p - c) + c + b$, c the centre, wrapped into the cube.

    * `box`: side of the cube, in the unit of the places.

    Only motions that map the cube onto itself can move them: A a signed permutation of the axes, b any part of the side.
    """

    channels = ("x", "y", "z")

    def __init__(self, box: float) -> None:
        if not box > 0:
            raise OrbitscopeError(f"InBox: `box` should be above 0, got {box}.")
        self.box = float(box)

    def require(self, element: Isometry) -> None:
        if element.ndim != 3 or not element.is_lattice:
            raise OrbitscopeError(f"InBox: {element!r} does not map a periodic cube onto itself. Take elements of octahedral() and shifts.")

    def __call__(self, element: Isometry, state: State) -> State:
        self.require(element)
        (places,) = parts(state)
        matrix = torch.as_tensor(element.matrix.copy(), dtype=places.dtype, device=places.device)
        shift = torch.tensor([float(s) for s in element.shift], dtype=places.dtype, device=places.device)
        moved = (places - self.box / 2) @ matrix.T + self.box / 2 + shift * self.box
        wrapped = torch.remainder(moved, self.box)
        return torch.where(wrapped >= self.box, 0.0, wrapped)

    def squares(self, a: State, b: State | None = None, element: Isometry | None = None) -> Tensor:
        """By the shortest way round the box."""
        (one,), (two,) = parts(a), parts(a if b is None else b)
        gap = one.double() if b is None else one.double() - two.double()
        return (gap if b is None else gap - self.box * torch.round(gap / self.box)).square().sum(1)

    def features(self, state: State) -> Tensor:
        """Cosines and sines of the places round the box, [N, 6 P]."""
        (places,) = parts(state)
        angle = places * (2 * torch.pi / self.box)
        return torch.cat([angle.cos(), angle.sin()], -1).flatten(1)


class Measured(Invariant[Any]):
    """A statistic that no motion changes, with differences in units of its own size, so that none hides behind a larger one.

    * `name`: of the statistic. `size`: root mean square of its values.
    """

    def __init__(self, name: str, size: float) -> None:
        super().__init__((name,))
        self.size = size

    def squares(self, a: State, b: State | None = None, element: Any = None) -> Tensor:
        return super().squares(a, b, element) / self.size**2


def catalogue_symmetries(box: float, sizes: Sequence[float] = (1.0, 1.0, 1.0)) -> dict[str, Symmetry]:
    """What xi, omega and eta of a catalogue should not notice, by name: "rotations" (the 24 of the cube: isotropy), "parity" (inversion),
    "shifts" (27: homogeneity), "oh" (the 48 motions of the cube).

    * `box`: side of the periodic cube, Mpc/h. `sizes`: root mean squares of xi, omega and eta, in whose units differences are measured.

    Long axes turn as vectors; that they have no head is part of the statistics, not of the motion.
    """
    into = PartsAction(InBox(box), FieldAction(Layout.of("axis:vector", ndim=3), Points()))
    out = PartsAction(*(Measured(name, size) for name, size in zip(STATISTICS, sizes, strict=True)))
    one, turned = Isometry(((1, 0, 0), (0, 1, 0), (0, 0, 1)), name="e"), Isometry(((-1, 0, 0), (0, -1, 0), (0, 0, -1)), name="inversion")
    first, second, third = (translations(_SHIFTS, axis, ndim=3) for axis in range(3))
    groups: dict[str, Group[Any]] = {
        "rotations": octahedral(reflections=False),
        "parity": Group("parity", [one, turned]),
        "shifts": joint(joint(first, second), third),
        "oh": octahedral(),
    }
    return {name: Symmetry(group, into, out, name=name) for name, group in groups.items()}


class StatisticsLaw:
    """xi, omega and eta of catalogues as a map of states: (places [N, P, 3], axes [N, P, 3]) to three parts [N, B].

    * `box`: side, Mpc/h. `bins`: edges, Mpc/h.
    """

    __name__ = "pair statistics"

    def __init__(self, box: float, bins: Any = None) -> None:
        self.box, self.bins = box, bins

    def __call__(self, places: Tensor, axes: Tensor) -> State:
        """Of a state; a bin without pairs has xi -1, and omega and eta 0."""
        pairs = zip(places.double().numpy(), axes.double().numpy(), strict=True)
        rows = np.array([filled(alignment_statistics(p, a, self.box, self.bins)) for p, a in pairs])
        return tuple(torch.from_numpy(np.ascontiguousarray(rows[:, k])).to(places.dtype) for k in range(len(STATISTICS)))
