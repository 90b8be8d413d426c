"""The verb doctor: what a model needs said before it can be probed."""

from dataclasses import dataclass
from pathlib import Path

import tyro

Positional = tyro.conf.Positional


@dataclass
class Doctor:
    """Which convention has a model? Known ones are tried on the data, and the complete command that probes it is printed.

    Exit code 0 when one works, 2 when none does.

    Example: orbitscope doctor my_package.models:make ns.nc --group d4
    """

    model: Positional[str]
    """Run folder, torch.export file (.pt2), or "package.module:callable"."""
    data: Positional[Path]
    """File of trajectories; also a folder or a pattern ("CE-RP_*.nc") of numbered files."""
    weights: Path | None = None
    """File of safetensors for "package.module:callable"."""
    group: str = "d4"
    """Group in the command that is printed."""
    load: tuple[str, ...] = ()
    """How to read the file, as for `orbitscope probe`."""
    trust: bool = False
    """Let the run folder or .pt2 file name code to import or run. Only where you know where it comes from."""

    def run(self) -> int:
        from ..probe import command_line, doctor, load_model
        from ._output import record
        from ._words import load_words

        found = doctor(load_model(self.model, self.weights, trust=self.trust), load_words(self.data, self.load))
        for one in found["tried"]:
            said = ", ".join(f"{k}={v}" for k, v in one["adapt"].items())
            print(f"{'works' if one['works'] else 'fails'}: {said}: {one['why'] if not one['works'] else format(one['error'], '.3g')}")
        if not found["works"]:
            record(**found)
            print("No known convention works. Say it with --adapt (docs: how-to/guests), or wrap the model in a module.")
            return 2
        more = ["--load", *self.load] if self.load else []
        more += ["--weights", str(self.weights)] if self.weights is not None else []
        more += ["--trust"] if self.trust else []
        line = command_line(found, self.model, str(self.data), self.group, more)
        record(**found, command=line)
        print(
            f"error of a forecast {found['error']:.3g}, of none {found['persistence']:.3g}; gradients: {found['gradients']} {found['why']}"
        )
        print(line)
        return 0
