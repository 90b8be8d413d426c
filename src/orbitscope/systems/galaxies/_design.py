"""Which parameter points a training set has: the published correlated design, and the rules by which points are drawn again."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from ..._errors import OrbitscopeError
from ..._seed import derive
from ._catalogue import Halos, Real
from ._mocks import expected_galaxies, invalid
from ._region import PARAMETERS

LINES: dict[str, tuple[float, float, float]] = {
    "sigma_logM": (0.17341, -1.7841, 0.0656),
    "logM0": (1.1284, -1.8952, 0.4119),
    "logM1": (0.7254, 4.4359, 0.1706),
    "alpha": (-0.0016, 1.0333, 0.1007),
}
"""Slope, intercept and root-mean-square scatter of the other occupation numbers on logMmin, as published."""
SPREAD = 4.0
"""Half width of the band about each line, in its scatter."""
_GOLDEN = (np.sqrt(5) - 1) / 2
_TRIES = 1000


@dataclass(frozen=True)
class Design:
    """The published sampling: logMmin evenly in a range, the others uniform in a band about a line in it, alignments uniform in -1 to 1.

    * `low`, `high`: range of logMmin. `fewest`: galaxies that a mock is expected to have at least.

    A point is drawn again where sigma_logM <= 0 (the published sets keep such points), or where fewer galaxies are expected. The rule looks
    at the expected number and not at the mock, so that no realisation is left out for what it shows.
    """

    low: float = 11.0
    high: float = 15.0
    fewest: float = 500.0

    def __post_init__(self) -> None:
        if not 5 < self.low < self.high < 18:
            raise OrbitscopeError(f"design: expected 5 < low < high < 18 for logMmin, got {self.low} and {self.high}.")
        if not self.fewest >= 2:
            raise OrbitscopeError(f"design: `fewest` galaxies should be at least 2, got {self.fewest}.")

    def point(self, seed: int, index: int, halos: Halos, occupation: str) -> tuple[Real, Counter[str]]:
        """Parameter point of a number, [7], and how many were drawn before it, by what was wrong with them.

        * `seed`: of the set. `index`: number of the point; points do not depend on how many there are. `halos`, `occupation`: of the mocks.

        Points of rising numbers have logMmin in the order of multiples of the golden ratio, which fill the range evenly at any count.
        """
        start = np.random.default_rng(derive(seed, "galaxies design")).uniform()
        share = (start + index * _GOLDEN) % 1
        refused: Counter[str] = Counter()
        for attempt in range(_TRIES):
            rng = np.random.default_rng((derive(seed, "galaxies point", index), attempt))
            x = self.low + (self.high - self.low) * share
            theta = np.array([*rng.uniform(-1, 1, 2), x, *(a * x + b + SPREAD * s * rng.uniform(-1, 1) for a, b, s in LINES.values())])
            if not (fault := self.fault(theta, halos, occupation)):
                return theta, refused
            refused[fault] += 1
            if fault.startswith("fewer"):
                share = rng.uniform()  # that mass has too few halos, whatever the other numbers are
        why = ", ".join(f"{n} x {w}" for w, n in refused.items())
        raise OrbitscopeError(f"design: {_TRIES} points in a row were refused ({why}). Lower `high` or `fewest`, or take a larger box.")

    def fault(self, theta: Real, halos: Halos, occupation: str) -> str:
        """Why a point is drawn again, in words; nothing where it is kept.

        * `theta`: see `PARAMETERS`, [7]. `halos`, `occupation`: of the mocks.
        """
        if fault := invalid(theta):
            return fault
        return f"fewer than {self.fewest:g} galaxies are expected" if expected_galaxies(halos, theta, occupation) < self.fewest else ""

    def describe(self) -> dict[str, object]:
        """For the file: the range, lines and bands, and the names of the parameters."""
        lines = {name: {"slope": a, "intercept": b, "half_width": SPREAD * s} for name, (a, b, s) in LINES.items()}
        return {"parameters": list(PARAMETERS), "logMmin": [self.low, self.high], "lines": lines, "fewest": self.fewest}
