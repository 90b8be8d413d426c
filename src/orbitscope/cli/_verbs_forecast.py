"""The verb forecast: one command for each task of a system's models."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from .._errors import OrbitscopeError

Positional = tyro.conf.Positional


@dataclass
class Forecast:
    """What a model of motion says of systems that it has not seen: frames to come, codes, frames in between, frames behind noise.

    Tasks: forecast (--option given=8 steps=0 codes=fit), complete (a code fitted to one motion), encode (a code read from it), refine
    (--option every=4, or first=8, scattered=0.25; noise=0.02 for frames behind noise).

    Example: orbitscope forecast runs/map --task refine --option every=4 --out filled.nc
    """

    model: Positional[str]
    """Run folder of a system."""
    data: Positional[Path | None] = None
    """File of examples; none given: the test part of those that the run was trained on."""
    out: Path = Path("forecast.nc")
    """NetCDF file to write; several seeds make several files."""
    task: str = "forecast"
    """What is asked: forecast, complete, encode or refine."""
    option: tuple[str, ...] = ()
    """Options of the task, such as given=8 codes=reader; in a TOML file the table [option]."""
    force: bool = False
    """Replace an existing file."""

    def run(self) -> int:
        from ..systems import is_system_run
        from ._systems import answer_system
        from ._words import parse_words

        if not is_system_run(self.model):
            raise OrbitscopeError(
                f"forecast: {self.model} holds no run of a system, such as `orbitscope train pendulum.nc --model dhn` makes."
            )
        return answer_system(self.model, self.data, self.out, self.task, parse_words(self.option, "--option"), force=self.force)
