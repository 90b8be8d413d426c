"""What can be refused before any data are read: words that name nothing, models that do not exist, files that must not be replaced."""

from collections.abc import Sequence
from pathlib import Path

from .._errors import OrbitscopeError
from ..emulators import require_model
from ..probe.data import parse_law
from ..symmetry import parse_group


def check_groups(words: Sequence[str]) -> None:
    """Raise for words that name no group in any dimension; whether it fits the data is seen later. A file may stand for a group."""
    for word in words:
        if Path(word).exists():
            continue
        errors = []
        for ndim in (2, 1, 3):
            try:
                parse_group(word, points=2, ndim=ndim)  # the number of shifts is the data's, and plays no part in reading the words
                break
            except OrbitscopeError as error:
                errors.append(error)
        else:
            raise errors[0]


def check_law(words: str | None) -> None:
    """Raise for words that name no equation, or give it parameters that it has not."""
    if words is not None:
        parse_law(words)


def check_model(model: str, preset: str) -> None:
    """Raise for a name that is no model, or a preset that it has not."""
    require_model(model, preset)


def check_out(force: bool, **targets: Path | None) -> None:
    """Raise for a file that exists, where it may not be replaced, and for a name below something that is no folder."""
    for flag, path in targets.items():
        if path is None:
            continue
        if path.exists() and not force:
            raise OrbitscopeError(f"{flag}: {path} exists. Give another --{flag}, or --force to replace it.")
        if path.is_dir():
            raise OrbitscopeError(f"{flag}: {path} is a folder. Give the name of a file.")
        above = next((p for p in path.absolute().parents if p.exists()), None)
        if above is not None and not above.is_dir():
            raise OrbitscopeError(f"{flag}: {above} is a file, so there is no room for {path} below it. Give another --{flag}.")
