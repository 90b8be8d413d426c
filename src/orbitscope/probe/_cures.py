"""What the study of cures found, for the sentence on what to do next."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

Three = tuple[float, float, float]
TOLERANCE = 1.25
"""A cure may cost so much of the error on the original."""


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
        """By how much, with its range."""
        middle, low, high = (f"{v:.2g}" for v in self.moved_lower)
        return f"{middle} times ({low} to {high} over {self.runs} runs)"

    @property
    def price(self) -> str:
        """What it costs."""
        step = f"{self.forward_ratio[0]:.2g} times the arithmetic of a step"
        return f"{self.training_ratio[0]:.2g} times the training time and {step}" if self.training else f"no training and {step}"


@dataclass(frozen=True)
class Cures:
    """The study's result: `page` and `where` it was measured, whether the untreated networks failed, its cures.

    `more`: how many times the data its control had.
    """

    page: str
    where: str
    networks: tuple[str, ...]
    fails: bool
    more: float
    cures: tuple[Cure, ...]

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> "Cures":
        """From what `studies/cure` writes."""
        cures = tuple(_cure(c) for c in body["cures"])
        nets, seeds = " and ".join(body["networks"].values()), len(body["seeds"])
        where = f"{body['data']}, {body['group']}, {nets}, {seeds} seed{'s' * (seeds > 1)}"
        return cls(body["page"], where, tuple(body["networks"]), bool(body["fails"]), float(body["more"]), cures)

    def best(self, training: bool) -> Cure | None:
        """The cure with, or without, a new training that lowered the error most (median), or None.

        Among those measured on every network, lower in every run, whose median error on the original is at most `TOLERANCE` times the
        untreated one.
        """
        good = [
            c
            for c in self.cures
            if c.training is training and set(c.networks) == set(self.networks)
            if c.moved_lower[1] > 1 and c.original_ratio[0] <= TOLERANCE
        ]
        return max(good, key=lambda c: c.moved_lower[0], default=None) if self.fails else None

    def of_the_kind(self) -> str:
        """What more data of the same kind did, in brackets, or nothing."""
        found = next((c for c in self.cures if c.name == "more"), None)
        if found is None:
            return ""
        word = "lowered the error there" if found.moved_lower[1] > 1 else "did not reliably lower the error there:"
        return f" ({self.more:g} times the data of the same kind {word} {found.lowered} in the study of cures)"

    def sentence(self, elements: str) -> str:
        """What to do about elements that a model misses and the physics has, with the measured effect and price of the best cures."""
        found = [c for c in (self.best(training=True), self.best(training=False)) if c is not None]
        if not found:
            return f"For {elements}, augment or build them in: the study of cures ({self.page}) found nothing that helped in every run."
        effect = "in the study of cures the error on elements that the data lacked fell"
        parts = [f"{c.how} ({effect} {c.lowered}, for {c.price})" for c in found]
        return f"For {elements}, {'; or, with the model as it is, '.join(parts)}. Measured on {self.where}: {self.page}."


def _cure(c: Mapping[str, Any]) -> Cure:
    threes = {name: tuple(c[name]) for name in ("moved_lower", "original_ratio", "training_ratio", "forward_ratio")}
    return Cure(c["name"], c["title"], c["how"], c["training"], tuple(c["networks"]), c["runs"], **threes)  # pyright: ignore[reportArgumentType]


@cache
def cures() -> Cures:
    """The result that this version ships, cures.json beside this file."""
    return Cures.from_dict(json.loads(files("orbitscope.probe").joinpath("cures.json").read_text(encoding="utf-8")))
