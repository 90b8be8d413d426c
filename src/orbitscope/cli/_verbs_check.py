"""The verb for continuous integration: has a model lost symmetry since the last probe?"""

from dataclasses import dataclass
from pathlib import Path

import tyro

Positional = tyro.conf.Positional


@dataclass
class Check:
    """Compare a probe with an earlier one of the same data: has the model lost symmetry? For continuous integration.

    Exit code 0: the same or better. 1: worse; every group, element and number that is worse is named with its interval. 2: the two cannot
    be compared (other data, group, elements or settings); says which.

    Example: orbitscope check probe.nc --against last.nc
    """

    probe: Positional[Path]
    """File of `orbitscope probe`: the model as it is now."""
    against: Path
    """File of an earlier `orbitscope probe`, with the same data, groups and settings."""
    tolerance: float = 0.01
    """Difference between the ends of two intervals that is let pass."""

    def run(self) -> int:
        from .._errors import OrbitscopeError
        from ..probe import compare
        from ._output import record

        found = compare(self.probe, self.against, tolerance=self.tolerance)
        record(**found.to_dict())
        if found.outcome == "not comparable":
            raise OrbitscopeError(f"{self.probe} and {self.against} cannot be compared: {'; '.join(found.reasons)}.")
        print(f"{self.probe}: {found.outcome}, against {self.against}")
        for change in sorted(found.changes, key=lambda c: not c.worse):
            print(f"  {change}")
        return 1 if found.outcome == "worse" else 0
