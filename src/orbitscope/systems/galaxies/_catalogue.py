"""A catalogue of halos: what a mock needs of each, checked, and on disk."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from ..._expect import shown

Real = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Halos:
    """Halos in a periodic cube; lengths in comoving Mpc/h, masses in solar masses / h.

    * `positions`: of the centres, [H, 3]; they are wrapped into the box. `mass`: [H]. `radius`: [H]. `concentration`: [H].
    * `axis`: direction of the long axis, [H, 3], any length above 0; None: a catalogue without shapes, which no aligned mock can use.
    * `elongation`: short over long axis, in (0, 1], [H]; None: round. `box`: side of the cube.
    * `about`: where they are from.

    Raises `OrbitscopeError` for lengths that differ, numbers that are not finite or not positive, and centres outside the box.
    """

    positions: Real
    mass: Real
    radius: Real
    concentration: Real
    axis: Real | None
    box: float
    elongation: Real | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not np.isfinite(self.box) or self.box <= 0:
            raise OrbitscopeError(f"Halos: `box` should be a positive length in Mpc/h, got {self.box}.")
        count = len(self.mass)
        if not count:
            raise OrbitscopeError("Halos: a catalogue needs at least one halo.")
        for name, shape in (("positions", (count, 3)), ("mass", (count,)), ("radius", (count,)), ("concentration", (count,)),
                            ("axis", (count, 3)), ("elongation", (count,))):  # fmt: skip
            values = getattr(self, name)
            if values is None and name in ("axis", "elongation"):
                continue
            values = np.ascontiguousarray(values, dtype=np.float64)
            if values.shape != shape:
                raise OrbitscopeError(f"Halos: `{name}` should be {list(shape)}, got {shown(values)}.")
            bad = ~np.isfinite(values.reshape(count, -1)).all(1)
            if name in ("mass", "radius", "concentration", "elongation"):
                bad |= values <= 0
            if bad.any():
                raise OrbitscopeError(
                    f"Halos: `{name}` should be finite{'' if values.ndim > 1 else ' and above 0'}; halo {int(np.flatnonzero(bad)[0])} has "
                    f"{values[bad][0]}, one of {int(bad.sum())}. Leave them out."
                )
            object.__setattr__(self, name, values)
        if self.elongation is not None and (self.elongation > 1).any():
            raise OrbitscopeError(f"Halos: `elongation` is short over long axis, at most 1; got {self.elongation.max():.4g}.")
        self._check_places()
        if self.axis is not None:
            length = np.linalg.norm(self.axis, axis=1)
            if not (length > 0).all():
                raise OrbitscopeError(
                    f"Halos: `axis` has length 0 in {int((length <= 0).sum())} of {count} halos, first in {int(np.argmin(length))}. Leave "
                    "them out: read_halos(..., zero_axes='drop')."
                )
            object.__setattr__(self, "axis", self.axis / length[:, None])

    def _check_places(self) -> None:
        low, high, slack = float(self.positions.min()), float(self.positions.max()), 1e-3 * self.box
        if low < -slack or high > self.box + slack:
            raise OrbitscopeError(
                f"Halos: `positions` go from {low:.4g} to {high:.4g}, outside the box of {self.box:.4g} Mpc/h. Are they in other units "
                "than the box (Mpc against Mpc/h, kpc), or centred on 0?"
            )
        wrapped = np.mod(self.positions, self.box)
        wrapped[wrapped >= self.box] = 0.0
        object.__setattr__(self, "positions", wrapped)

    def __len__(self) -> int:
        return len(self.mass)

    @cached_property
    def log_mass(self) -> Real:
        """log10 of the masses, [H]."""
        return np.log10(self.mass)

    def __repr__(self) -> str:
        shapes = "without shapes" if self.axis is None else "with shapes"
        return f"Halos({len(self):,} of {self.mass.min():.3g} to {self.mass.max():.3g} Msun/h in {self.box:.4g} Mpc/h, {shapes})"

    def take(self, chosen: NDArray[Any]) -> "Halos":
        """The halos of `chosen`: numbers, or a mask of booleans [H]."""
        kept = (getattr(self, name) for name in ("axis", "elongation"))
        axis, elongation = (None if values is None else values[chosen] for values in kept)
        places, mass, radius = self.positions[chosen], self.mass[chosen], self.radius[chosen]
        return Halos(places, mass, radius, self.concentration[chosen], axis, self.box, elongation, self.about)
