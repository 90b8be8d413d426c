"""The verb card: one page on one model."""

from dataclasses import dataclass
from pathlib import Path

import tyro

Positional = tyro.conf.Positional


@dataclass
class Card:
    """The symmetry card of one probed model: what holds, what moving costs, what averaging gains, on which data, by which conventions.

    Example: orbitscope card probe.nc --out card.md
    """

    probe: Positional[Path]
    """File of `orbitscope probe`: one model on one data set."""
    out: Path = Path("card.html")
    """File to write: .html (a page), .md (for the README of a model on a hub) or .json (for programs)."""
    force: bool = False
    """Replace an existing file."""

    def run(self) -> int:
        from ..report import card
        from ._output import record

        made = card(self.probe)
        made.save(self.out, force=self.force)
        record(file=self.out, card=made.to_dict())
        print(" ".join(made.content["answer"]))
        print(self.out)
        return 0
