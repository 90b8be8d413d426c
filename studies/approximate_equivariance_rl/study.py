"""What the study of approximately equivariant reinforcement learning consists of: environments, breakings, arms, settings, jobs."""

from dataclasses import asdict, dataclass
from typing import Any

from harness import Folder

ARMS = {
    "plain": "a plain network",
    "augmented": "a plain network, moved copies in the replay",
    "exact": "equivariant actor, invariant critics",
    "relaxed": "a weight per element of the group, all equal at the start",
    "residual": "a free matrix beside each equivariant one, 0 at the start",
    "gated": "an equivariant and a plain network, mixed by a learnt gate",
}


@dataclass(frozen=True)
class Settings:
    """One TOML file.

    `environments`: names, without a breaking; `repeat`: steps for which an action holds; `kind`, `sizes`: the breaking, and how much of it,
    0 for none. `arms`, `seeds`: one run each. `steps`: of the agent; `every`: between two evaluations of `episodes` episodes. `width`,
    `batch`, `rate`: of the networks and their training. `noises`: standard deviations of noise on observations, in units of the size of
    each field, at the end. `action_noise`: on actions, in units of half their box.
    """

    name: str
    environments: list[str]
    kind: str
    sizes: list[float]
    arms: list[str]
    seeds: list[int]
    repeat: int
    steps: int
    every: int
    episodes: int
    width: int
    batch: int
    rate: float
    noises: list[float]
    action_noise: float


@dataclass(frozen=True)
class Job:
    """One arm in one environment, broken by one size, with one seed; without an arm the measurement of the environment itself."""

    environment: str
    size: float
    arm: str
    seed: int

    @property
    def key(self) -> str:
        return "".join(c if c.isalnum() else "-" for c in f"{self.environment}_{self.size:g}_{self.arm}_{self.seed}")

    @property
    def label(self) -> dict[str, Any]:
        return asdict(self)

    def name(self, kind: str) -> str:
        """Of the environment, with its breaking."""
        return f"{self.environment}+{kind}={self.size:g}" if self.size else self.environment


JUDGED = ("plain", "exact", "relaxed")
"""The arms that the bars are about."""


def jobs(settings: Settings) -> list[Job]:
    """The environments first, then the arms that are judged, size by size and seed by seed, so that a study cut short is judged by whole
    seeds; then the others."""
    found = [Job(e, s, "environment", 0) for e in settings.environments for s in settings.sizes]
    arms = [[a for a in settings.arms if (a in JUDGED) == judged] for judged in (True, False)]
    for some in arms:
        for environment in settings.environments:
            for size in settings.sizes:
                found += [Job(environment, size, arm, seed) for seed in settings.seeds for arm in some]
    return found


class Place(Folder):
    """The folder of the study."""

    settings: Settings
