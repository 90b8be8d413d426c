"""Words such as p=3 on the command line, and the settings that they name: of a scenario's law, of an equation, of `load`."""

import ast
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._errors import OrbitscopeError

if TYPE_CHECKING:
    from ..data import Trajectories


def parse_words(words: Sequence[str], flag: str) -> dict[str, Any]:
    """{"p": 3} from ("p=3",): numbers, true and false, lists with commas; everything else stays text.

    >>> parse_words(["p=3", "nu=1e-3", "box=-30,-28,40,41", "tracer=true", "limiter=minmod"], "--set")
    {'p': 3, 'nu': 0.001, 'box': (-30, -28, 40, 41), 'tracer': True, 'limiter': 'minmod'}
    """
    found: dict[str, Any] = {}
    for word in words:
        if len(word) > 10_000:
            raise OrbitscopeError(f"{flag}: {word[:40]!r}... is longer than 10,000 letters.")
        name, equals, value = word.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name:
            raise OrbitscopeError(f"{flag}: expected name=value, got {word!r}.")
        if name in found:
            raise OrbitscopeError(f"{flag}: {name} is given twice.")
        try:
            found[name] = {"true": True, "false": False, "none": None}[value.lower()]
        except KeyError:
            try:
                found[name] = ast.literal_eval(value)
            except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):  # the last two: thousands of signs or brackets
                found[name] = value
    return found


def to_words(table: Mapping[str, Any]) -> tuple[str, ...]:
    """The inverse of `parse_words`, for a table of a TOML file."""
    return tuple(f"{k}={_word(v)}" for k, v in table.items())


def _word(value: Any) -> Any:
    """Lists with commas; the table `load.fields` of a TOML file, as name=value words with blanks."""
    if isinstance(value, Mapping):
        return " ".join(f"{k}={_word(v)}" for k, v in value.items())
    return ",".join(map(str, value)) if isinstance(value, list) else value


def load_words(path: Any, words: Sequence[str] = ()) -> "Trajectories":
    """`load` with options in words, which the reader of the file takes or refuses; `format` names the reader.

    Raises `OrbitscopeError` for an option that the reader lacks, which lists those that it has.
    """
    from ..data import load  # brings torch, which `--help` does not need

    return load(path, **parse_words(words, "--load"))
