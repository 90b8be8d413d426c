"""Systems by the names of their scenarios and models."""

import importlib
from pathlib import Path

from .._errors import OrbitscopeError
from .._expect import near
from ..data import load_examples, open_hdf5
from ._system import System
from ._table import TABLE


def systems() -> tuple[str, ...]:
    """The names of all systems."""
    return tuple(TABLE)


def load_system(name: str) -> System:
    """The system of that `name`, imported now; raises `OrbitscopeError` for an unknown one."""
    if name not in TABLE:
        raise OrbitscopeError(f"load_system: there is no system {name!r}.{near(name, TABLE)} Known: {', '.join(TABLE) or 'none'}.")
    return importlib.import_module(f".{name}", __package__).SYSTEM


def of_scenario(name: str) -> str | None:
    """The system to whose families the scenario `name` belongs, without importing it; None for none."""
    family = name.partition(".")[0]
    return next((system for system, names in TABLE.items() if family in names.families), None)


def of_model(name: str) -> str | None:
    """The system that has a model of that `name`, without importing it; None for none."""
    return next((system for system, names in TABLE.items() if name in names.models), None)


def of_environment(name: str) -> str | None:
    """The system that has an environment of that `name` ("reacher", "reacher-hard+wind=1"), without importing it; None for none."""
    family = name.partition("+")[0].partition("-")[0]
    return next((system for system, names in TABLE.items() if family in names.environments), None)


def near_names(name: str) -> str:
    """What `name` may have meant where a file, a scenario, a model or an environment of some system was asked for; empty: no idea."""
    if "/" in name:
        return ""
    cut = next((at for at, c in enumerate(name) if c in ".+-"), len(name))  # the family; a variant or a breaking stands behind it
    known = {word for names in TABLE.values() for word in (*names.families, *names.environments)}
    models = {word for names in TABLE.values() for word in names.models}
    found = near(name[:cut], known) if cut < len(name) else near(name, known | models)
    found = found.replace("'?", f"{name[cut:]}'?").replace("' or", f"{name[cut:]}' or")
    return "" if repr(name) in found else found  # a family that is known: what stands behind it is wrong, and its system says so


def of_file(path: Path) -> str | None:
    """The system that shows the file at `path`: by its ending, or by what a file of examples says that made it; None for none."""
    suffix = path.suffix.lower()
    if (found := next((system for system, names in TABLE.items() if suffix in names.suffixes), None)) is not None:
        return found
    if suffix not in (".npz", ".nc") or not path.is_file():
        return None
    try:
        made = load_examples(path).about.get("system")
    except OrbitscopeError:  # trajectories, or somebody else's
        made = _played(path)
    return made if made in TABLE else None


def _played(path: Path) -> str | None:
    """The system whose policies played the episodes in the file at `path`; None for another file."""
    try:
        file = open_hdf5(path)
    except OrbitscopeError:  # damaged or something else: whoever reads it says so by its name
        return None
    with file:
        return str(file.attrs["played_in"]) if "played_in" in file.attrs else None
