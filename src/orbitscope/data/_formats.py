"""The formats that are known, in the order in which a file is tried."""

from pathlib import Path

from .._errors import OrbitscopeError
from ._format import Format
from ._pdebench import PDEBench
from ._pdegym import PDEgym
from ._well import TheWell

PDEGYM, PDEBENCH, WELL = PDEgym(), PDEBench(), TheWell()
# PDEBench first: its incompressible files have a `velocity` too, and PDEgym's is recognised by that name alone.
FORMATS: tuple[Format, ...] = (PDEBENCH, PDEGYM, WELL)


def format_for(path: Path, name: str | None) -> Format:
    """By name, else by the suffix of the path, else PDEgym NetCDF."""
    if name is None and path.suffix.lower() in (".npz", ".zarr"):
        kind = path.suffix.lower()
        raise OrbitscopeError(
            f"path: {path.name}: {kind} is not written piece by piece. Write .nc or .h5, load it, and save that as {kind}."
        )
    if name is None:
        return next((f for f in FORMATS if path.suffix.lower() in f.suffixes), PDEGYM)
    known = {f.name: f for f in FORMATS}
    if name not in known:
        raise OrbitscopeError(f"format: {name!r} is not known. Choose one of {', '.join(known)}.")
    return known[name]
