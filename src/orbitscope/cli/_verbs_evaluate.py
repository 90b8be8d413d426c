"""The verb evaluate: a policy acts, and what comes of it is counted."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from .._errors import OrbitscopeError

Positional = tyro.conf.Positional


@dataclass
class Evaluate:
    """How often the policy of a run does its task, with 95 % intervals of Wilson, and how often a plain rival does.

    Example: orbitscope evaluate runs/lift --episodes 20 --played played.nc
    """

    model: Positional[Path]
    """Run folder of a policy; of several seeds each is asked."""
    episodes: int = 20
    """Episodes of each seed and policy."""
    seed: int = 1000
    """Seed of the first layout; the next one has the next seed."""
    played: Path | None = None
    """File, .nc, that gets the episodes: `orbitscope report` makes a page with film strips of it, `orbitscope view` an animation."""

    def run(self) -> int:
        from ..systems import is_system_run
        from ._systems import evaluate_runs

        if not is_system_run(self.model):
            raise OrbitscopeError(f"evaluate: {self.model} holds no run of a system, such as `orbitscope train demos.nc` makes.")
        if self.episodes < 1:
            raise OrbitscopeError(f"episodes: should be at least 1, got {self.episodes}.")
        return evaluate_runs(self.model, self.episodes, self.seed, self.played)
