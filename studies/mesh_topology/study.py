"""Settings of the study of meshes, its folder and its jobs."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import Folder

NONE = "none"
PRETEXTS = {"autoencoder": "mesh_autoencoder", "masked": "mesh_masked", "contrast": "mesh_contrast"}


@dataclass(frozen=True)
class Settings:
    """What is trained on what.

    `kinds`: of basic shapes. `train`, `validation`, `test`: how many of them; training shapes are drawn anew for every seed, the test is
    one. `grid`: rows of [encoder, pretext, augmented (0 or 1), part of the labels]. `epochs`: by part of the labels, so that few labels
    are not few steps. `augment`: moves that meshes are trained under, with the mesh as it is. `first`: seeds that were there when it was
    decided how many more there would be; the page says what the others alone say.
    """

    name: str
    seeds: list[int]
    kinds: list[str]
    train: int
    validation: int
    test: int
    room: int
    grid: list[list[Any]]
    moves: list[str]
    approximate: list[str]
    augment: list[str]
    epochs: dict[str, int]
    pretraining: int
    learning_rate: float = 2e-3
    batch: int = 32
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    first: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Job:
    """One network: its kind, how its encoder began, whether meshes were moved in training, part of the labels, seed."""

    model: str
    pretext: str
    augmented: bool
    labels: float
    seed: int

    @property
    def label(self) -> dict[str, Any]:
        return {
            "model": self.model, "pretext": self.pretext, "augmented": int(self.augmented), "labels": self.labels, "seed": self.seed,
        }  # fmt: skip

    @property
    def key(self) -> str:
        return f"{self.model}-{self.pretext}-{'aug' if self.augmented else 'plain'}-{round(100 * self.labels)}-seed{self.seed}"


class Place(Folder):
    """The folder of the study, with the run folders of its pretraining."""

    settings: Settings

    def pretrained(self, pretext: str, encoder: str, seed: int) -> Path:
        return self.out / "pretraining" / f"{pretext}-{encoder}-seed{seed}"


def jobs(settings: Settings) -> list[Job]:
    """Seed by seed, so that what is there after an interruption is whole seeds."""
    return [Job(str(m), str(p), bool(a), float(share), seed) for seed in settings.seeds for m, p, a, share in settings.grid]
