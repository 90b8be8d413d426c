"""What the study of approximately equivariant reinforcement learning consists of: environments, breakings, arms, settings, jobs."""

from dataclasses import asdict, dataclass
from typing import Any

from harness import Folder

ARMS = {
    "plain": "a plain network",
    "augmented": "a plain network, moved copies in the replay",
    "exact": "equivariant actor, invariant critics",
    "wider": "an exact one, wide enough for about as many numbers as the relaxed one has",
    "relaxed": "a weight per element of the group, all equal at the start",
    "residual": "a free matrix beside each equivariant one, 0 at the start",
    "gated": "an equivariant and a plain network, mixed by a learnt gate",
}


WIDER = 1.42
"""Width of the wider arm over that of the others: layers twice as large."""


@dataclass(frozen=True)
class Settings:
    """One TOML file.

    `waves`: what is run, in this order, each with `environment`, its name without a breaking, `sizes` of the breaking, 0 for none, `arms`
    and `seeds`. `repeat`: steps for which an action holds; `kind`: of the breaking. `steps`: of the agent; `every`: between two evaluations
    of `episodes` episodes. `width`, `batch`, `rate`: of the networks and their training. `noises`: standard deviations of noise on
    observations, in units of the size of each field, at the end. `action_noise`: on actions, in units of half their box. `paired`:
    roll-outs on which the asymmetry of a critic is measured; 0: none.
    """

    name: str
    waves: list[dict[str, Any]]
    kind: str
    repeat: int
    steps: int
    every: int
    episodes: int
    width: int
    batch: int
    rate: float
    noises: list[float]
    action_noise: float
    paired: int


def first_learnt(steps: int) -> int:
    """Steps of an agent before it learns anything, of so many."""
    return min(500, steps // 4)


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


def jobs(settings: Settings) -> list[Job]:
    """The environments first, then wave by wave, size by size and seed by seed, so that a study cut short is judged by whole seeds."""
    worlds = {(w["environment"], float(size)) for w in settings.waves for size in w["sizes"]}
    found = [Job(environment, size, "environment", 0) for environment, size in sorted(worlds)]
    for w in settings.waves:
        found += [Job(w["environment"], float(size), arm, seed) for size in w["sizes"] for seed in w["seeds"] for arm in w["arms"]]
    return list(dict.fromkeys(found))


class Place(Folder):
    """The folder of the study."""

    settings: Settings
