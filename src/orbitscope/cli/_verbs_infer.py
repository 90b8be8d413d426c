"""The verb that infers the parameters behind measured data with a trained emulator."""

from dataclasses import dataclass
from pathlib import Path

import tyro

Positional = tyro.conf.Positional


@dataclass
class Infer:
    """Which parameters gave such data? Chains of the No-U-Turn sampler through a trained emulator, its own error in the likelihood.

    The data are a .npz file; for galaxies with arrays xi, omega, eta (those that are left out are not used, NaN is a bin without a value)
    and, if wanted, covariance and edges. Interrupted, the same command goes on where it was, with the same draws in the end.

    Example: orbitscope infer runs/emulator --data vector.npz --out posterior.nc
    """

    run_folder: Positional[Path]
    """Run folder of `train`, of one seed."""
    data: Path
    """What was measured: .npz."""
    out: Path
    """NetCDF file for the draws and what they are worth."""
    draws: int = 1000
    """Draws that each chain keeps."""
    warmup: int = 300
    """Draws before these, in which each chain adapts."""
    chains: int = 4
    """Number of chains, from other starts."""
    fix: tuple[str, ...] = ()
    """Parameters that are held, in place of inferred: --fix logMmin=12.5 alpha=1."""
    emulator_error: bool = True
    """Whether the likelihood holds what the emulator does not know; without it posteriors are too narrow."""
    correlated_noise: bool = False
    """The noise of bins goes together as over the mocks of the training, in place of independently, for data without a covariance."""
    corner: Path | None = None
    """Also write a picture of all pairs of parameters: .png, .pdf or .svg."""
    seed: int = 0
    """Seed of the chains."""
    force: bool = False
    """Replace an existing file, and what an interrupted command with other settings left beside it."""

    def run(self) -> int:
        from ._infer import infer_to_file

        return infer_to_file(self)
