"""The verb that looks for symmetry that nobody declared."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

Positional = tyro.conf.Positional


@dataclass
class Discover:
    """Which symmetry is in examples, or in a model, that nobody declared? Generators with their evidence, and a group for `--group`.

    The file is .npz or NetCDF with arrays x and y, one row each, and, if wanted, unit and slot. Two predictors are trained on parts that do
    not overlap, or a trained model is examined. Interrupted, the same command goes on where it was.

    Example: orbitscope discover pairs.npz --hypothesis gl2 --out found.nc
    """

    data: Positional[Path]
    """File of examples: .npz or .nc with arrays x and y, and, if wanted, unit and slot."""
    hypothesis: str
    """Group within which to look: gl2 (all linear maps of two numbers), aff2 (with shifts, for points), sl3, so3, lorentz, ..."""
    out: Path
    """NetCDF file for what is found. It stands for the group where a verb asks for one: --group found.nc."""
    method: str = "gradient"
    """Way to look. gradient: the null space of the infinitesimal conditions; atlas: a basis learnt by moving examples far (slow);
    adversarial: a baseline from the literature."""
    generators: int | None = None
    """Number of generators that atlas or adversarial learn; None: 1. gradient needs none: it orders all directions."""
    answers: Annotated[Literal["invariant", "vector", "point"], tyro.conf.arg(name="output")] = "invariant"
    """What a motion of x does to y. invariant: nothing (class numbers too); vector: y moves as x does, without shifts; point: with them."""
    model: str | None = None
    """Trained model to examine, in place of predictors: run folder, torch.export file (.pt2), or "package.module:callable"."""
    weights: Path | None = None
    """File of safetensors for a --model "package.module:callable"."""
    predictor: str | None = None
    """"package.module:callable" that makes an untrained predictor; None: one for vectors and point sets."""
    charts: int | None = None
    """Number of charts, along axis 1 of x and y; None: no charts."""
    candidates: int = 0
    """Random starts from which further components (reflections, finite groups) are looked for; 24 do. 0: none is looked for."""
    epochs: int | None = None
    """Passes over the training examples of each predictor; None: some 2,000 steps in all."""
    batch: int | None = None
    """Examples per step; None: an eighth of them, 16 to 256."""
    learning_rate: float | None = None
    """Peak rate of AdamW; None: 3e-3."""
    seed: int = 0
    """Seed of the split, the training and the bootstrap."""
    trust: bool = False
    """Let the run folder or .pt2 file name code to import or run. Only where you know where it comes from."""
    force: bool = False
    """Replace an existing file, and what an interrupted command with other settings left beside it."""

    def run(self) -> int:
        from ._discover import Asked, discover_to_file

        asked = Asked(
            self.hypothesis, self.method, self.generators, self.answers, self.model, self.weights, self.predictor, self.charts,
            self.candidates, self.epochs, self.batch, self.learning_rate, self.seed, self.trust,
        )  # fmt: skip
        return discover_to_file(self.data, asked, self.out, force=self.force)
