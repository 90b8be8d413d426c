"""What the study of cures found, for the sentence on what to do next."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

Three = tuple[float, float, float]
TOLERANCE = 1.25
"""A cure divides the error by more than this in every run, and may multiply the error on the original by as much."""


@dataclass(frozen=True)
class Cure:
    """One treatment, each number against the untreated network of the same seed: (median, least, largest) over networks and seeds.

    `moved_lower`: untreated error on the missing elements over the treated one; `original_ratio`: treated error on the original over the
    untreated one; `training_ratio` processor time of the training, `forward_ratio` arithmetic of a step. `how` completes "to mend it, ...".
    """

    name: str
    title: str
    how: str
    training: bool
    networks: tuple[str, ...]
    runs: int
    moved_lower: Three
    original_ratio: Three
    training_ratio: Three
    forward_ratio: Three

    @property
    def lowered(self) -> str:
        """By what factor, with its range."""
        middle, low, high = (f"{v:.2g}" for v in self.moved_lower)
        return f"{middle} times" + (f" ({low} to {high} over {self.runs} runs)" if self.runs > 1 else " (one run)")

    @property
    def effect(self) -> str:
        """What it mended, what became of the rest, what it cost."""
        step = _factor(self.forward_ratio[0], "arithmetic of a step")
        price = f"{_factor(self.training_ratio[0], 'training time')} and {step}" if self.training else f"no training and {step}"
        return f"the error there fell {self.lowered} and became {self.original_ratio[0]:.2g} times as large on the original, for {price}"


@dataclass(frozen=True)
class Cures:
    """The study's result: `page` and `where` it was measured, whether the untreated networks failed, its cures.

    `more`: how many times the data its control had.
    """

    page: str
    where: str
    networks: Mapping[str, str]
    fails: bool
    more: float
    cures: tuple[Cure, ...]

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> "Cures":
        """From what `studies/cure` writes."""
        cures = tuple(_cure(c) for c in body["cures"])
        nets, seeds = " and ".join(body["networks"].values()), len(body["seeds"])
        where = f"{body['data']}, {body['group']}, {nets}, {seeds} seed{'s' * (seeds > 1)}"
        return cls(body["page"], where, dict(body["networks"]), bool(body["fails"]), float(body["more"]), cures)

    def best(self, training: bool, networks: int | None = None) -> Cure | None:
        """The cure with, or without, a new training that lowered the error most (median), or None.

        Among those measured on so many networks (None: on all) and lower by more than `TOLERANCE` in every run. A new training may raise
        the error on the original to `TOLERANCE` times the untreated one's (median); what is done to a finished model may raise it at all,
        and its `effect` says so.
        """
        wanted = len(self.networks) if networks is None else networks
        good = [
            c
            for c in self.cures
            if c.training is training and len(c.networks) == wanted and c.moved_lower[1] > TOLERANCE
            if not training or c.original_ratio[0] <= TOLERANCE
        ]
        return max(good, key=lambda c: c.moved_lower[0], default=None) if self.fails else None

    def special(self) -> Cure | None:
        """The best trained cure for one of the networks alone, if it lowered the error more than the best for all."""
        one, general = self.best(training=True, networks=1), self.best(training=True)
        better = one is not None and (general is None or one.moved_lower[0] > general.moved_lower[0])
        return one if better and len(self.networks) > 1 else None

    def of_the_kind(self) -> str:
        """What more data of the same kind did, in brackets, or nothing."""
        found = next((c for c in self.cures if c.name == "more"), None)
        if found is None:
            return ""
        word = "lowered the error there" if found.moved_lower[1] > TOLERANCE else "did not reliably lower the error there:"
        return f" ({self.more:g} times the data of the same kind {word} {found.lowered} in the study of cures)"

    def sentence(self, elements: str) -> str:
        """What to do about elements that a model misses and the physics has, with the measured effect and price of the best cures."""
        general, special, after = self.best(training=True), self.special(), self.best(training=False)
        parts = []
        if general is not None:
            parts.append(f"{general.how} and train anew ({general.effect})")
        if special is not None:
            parts.append(f"for a {self.networks[special.networks[0]]}, {special.how} ({special.effect})")
        if after is not None:
            parts.append(f"with the model as it is, {after.how} ({after.effect})")
        if not parts:
            return f"For {elements}, augment or build them in: the study of cures ({self.page}) found nothing that helped in every run."
        return f"For {elements}, by the study of cures: {'; or '.join(parts)}. Measured on {self.where}: {self.page}."


def _factor(value: float, what: str) -> str:
    return f"about the same {what}" if 0.95 <= value <= 1.05 else f"{value:.2g} times the {what}"


def _cure(c: Mapping[str, Any]) -> Cure:
    threes = {name: tuple(c[name]) for name in ("moved_lower", "original_ratio", "training_ratio", "forward_ratio")}
    return Cure(c["name"], c["title"], c["how"], c["training"], tuple(c["networks"]), c["runs"], **threes)  # pyright: ignore[reportArgumentType]


@cache
def cures() -> Cures:
    """The result that this version ships, cures.json beside this file."""
    return Cures.from_dict(json.loads(files("orbitscope.probe").joinpath("cures.json").read_text(encoding="utf-8")))
