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
    untreated one; `training_ratio` processor time of the training, `forward_ratio` arithmetic of a step; `by_network` is `moved_lower` on
    each network. `how` completes "to mend it, ...".
    """

    name: str
    title: str
    how: str
    training: bool
    runs: int
    moved_lower: Three
    original_ratio: Three
    training_ratio: Three
    forward_ratio: Three
    by_network: Mapping[str, Three]

    @property
    def networks(self) -> tuple[str, ...]:
        """Those it was measured on."""
        return tuple(self.by_network)

    @property
    def lowered(self) -> str:
        """By what factor, with its range."""
        middle, low, high = (f"{v:.2g}" for v in self.moved_lower)
        return f"{middle} times lower ({f'{low} to {high} over {self.runs} runs' if self.runs > 1 else 'one run'})"

    @property
    def effect(self) -> str:
        """What it mended, what became of the rest, what it cost."""
        step = _factor(self.forward_ratio[0], "arithmetic of a step")
        price = f"{_factor(self.training_ratio[0], 'training time')}, {step}" if self.training else f"no training, {step}"
        return f"error there {self.lowered}, on the original times {self.original_ratio[0]:.2g}; {price}"


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

    def best(self, training: bool) -> Cure | None:
        """The cure with, or without, a new training that lowered the error most (median), or None.

        Among those measured on every network and lower by more than `TOLERANCE` in every run. A new training may raise the error on the
        original to `TOLERANCE` times the untreated one's (median); what is done to a finished model may raise it at all, and its `effect`
        says so.
        """
        good = [c for c in self._safe(training) if set(c.networks) == set(self.networks)]
        return max(good, key=lambda c: c.moved_lower[0], default=None)

    def special(self, network: str) -> Cure | None:
        """The best trained cure that was measured on this network alone, if there it lowered the error more than the best for all."""
        general = self.best(training=True)
        level = 0.0 if general is None else general.by_network[network][0]
        good = [c for c in self._safe(training=True) if c.networks == (network,) and c.moved_lower[0] > level]
        return max(good, key=lambda c: c.moved_lower[0], default=None) if len(self.networks) > 1 else None

    def _safe(self, training: bool) -> list[Cure]:
        found = [c for c in self.cures if c.training is training and c.moved_lower[1] > TOLERANCE]
        return [c for c in found if not training or c.original_ratio[0] <= TOLERANCE] if self.fails else []

    def of_the_kind(self) -> str:
        """What more data of the same kind did, in brackets, or nothing."""
        found = next((c for c in self.cures if c.name == "more"), None)
        if found is None:
            return ""
        word = "helped in every run" if found.moved_lower[1] > TOLERANCE else "did not reliably help"
        return f" ({self.more:g} times the data of the same kind {word}: error there {found.lowered} in the study of cures)"

    def sentence(self, elements: str) -> str:
        """What to do about elements that a model misses and the physics has, with the measured effect and price of the best cures."""
        general, after = self.best(training=True), self.best(training=False)
        parts = []
        if general is not None:
            parts.append(f"{general.how} and train anew ({general.effect})")
        for network, word in self.networks.items():
            if (special := self.special(network)) is not None:
                parts.append(f"for a {word}, {special.how} and train anew ({special.effect})")
        if after is not None:
            parts.append(f"with the model as it is, {after.how} ({after.effect})")
        if not parts:
            return f"For {elements}, augment or build them in: the study of cures ({self.page}) found nothing that helped in every run."
        return f"For {elements}, by the study of cures: {'; or, '.join(parts)}. Measured on {self.where}: {self.page}."


def _factor(value: float, what: str) -> str:
    return f"the same {what}" if 0.95 <= value <= 1.05 else f"{value:.2g} times the {what}"


def _cure(c: Mapping[str, Any]) -> Cure:
    threes = {name: tuple(c[name]) for name in ("moved_lower", "original_ratio", "training_ratio", "forward_ratio")}
    by_network = {name: tuple(value) for name, value in c["by_network"].items()}
    plain = (c["name"], c["title"], c["how"], c["training"], c["runs"])
    return Cure(*plain, **threes, by_network=by_network)  # pyright: ignore[reportArgumentType]


@cache
def cures() -> Cures:
    """The result that this version ships, cures.json beside this file."""
    return Cures.from_dict(json.loads(files("orbitscope.probe").joinpath("cures.json").read_text(encoding="utf-8")))
