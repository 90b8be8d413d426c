"""Settings of a verb from a TOML file: every value against the type of its flag, before anything is done with it."""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import tyro

from .._errors import OrbitscopeError
from ._output import Output
from ._words import to_words

_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false", Path: "the name of a file or folder, as text"}


def defaults(cls: type, path: Path) -> Any:
    """Settings of a verb (`with_output`) from a TOML file with the same names as its flags; flags given beside it win.

    Raises `OrbitscopeError` that names the file and the setting, for names that are no flags and values of another type.
    """
    import tomllib

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise OrbitscopeError(f"--config: there is no file {path}.") from None
    except (tomllib.TOMLDecodeError, ValueError, RecursionError, OSError) as error:
        raise OrbitscopeError(f"--config: {path} is not a TOML file: {error}") from error
    known = {**_kinds(cls), **_kinds(Output)}
    known.pop("output")
    values = {}
    for name, value in table.items():
        key = name.replace("-", "_")
        if key not in known:
            raise OrbitscopeError(f"--config: {path} sets {name!r}, which is no setting here. Known: {', '.join(sorted(known))}.")
        try:
            values[key] = _typed(value, known[key])
        except _Other as wanted:
            raise OrbitscopeError(f"--config: {path}: {name} should be {wanted}, got {str(value)[:80]!r}.") from None
    required = [f.name for f in dataclasses.fields(cls) if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING]
    output = Output(**{f.name: values.pop(f.name) for f in dataclasses.fields(Output) if f.name in values})
    return cls(**{name: tyro.MISSING for name in required if name not in values}, **values, output=output)


def _kinds(cls: type) -> dict[str, Any]:
    """The type of every setting."""
    kinds = typing.get_type_hints(cls, include_extras=False)
    return {f.name: kinds[f.name] for f in dataclasses.fields(cls)}


def refuse_nonfinite(settings: Any) -> Any:
    """The same, where every number is finite; a flag takes "nan" and "inf" for numbers, and no verb does."""
    for name, value in vars(settings).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise OrbitscopeError(f"--{name.replace('_', '-')}: should be a finite number, got {value}.")
        if isinstance(value, int) and abs(value) >= 2**63:
            raise OrbitscopeError(f"--{name.replace('_', '-')}: {str(value)[:24]}... is too large a number.")
    return settings


class _Other(Exception):
    """What a value should have been, in words."""


def _typed(value: Any, kind: Any) -> Any:
    """The value as its flag would give it."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _typed(value, next(k for k in get_args(kind) if k is not type(None)))
    if origin is Literal:
        if value not in get_args(kind) or not isinstance(value, str):
            raise _Other("one of " + ", ".join(map(str, get_args(kind))))
        return value
    if origin is tuple:
        if isinstance(value, Mapping):
            return _words_of(value, get_args(kind)[0])
        if get_args(kind)[0] is Path and isinstance(value, str):  # one file, where several may stand
            value = [value]
        if not isinstance(value, list):
            raise _Other("a list")
        return tuple(_typed(item, get_args(kind)[0]) for item in value)
    if kind is Path and isinstance(value, str):
        return Path(value)
    good = isinstance(value, int | float) if kind is float else isinstance(value, kind)
    if not good or (isinstance(value, bool) and kind is not bool):
        raise _Other(_NAMES.get(kind, kind.__name__))
    return float(value) if kind is float else value


def _words_of(table: Mapping[str, Any], kind: Any) -> tuple[str, ...]:
    """A table such as [load], as the words of its flag."""
    if kind is not str:
        raise _Other("a list")
    _plain(table)
    return to_words(table)


def _plain(item: Any) -> None:
    """Raise for what no flag could say."""
    if isinstance(item, Mapping | list):
        for one in item.values() if isinstance(item, Mapping) else item:
            if isinstance(item, list) and isinstance(one, Mapping | list):
                raise _Other("a table of numbers, words and lists of them")
            _plain(one)
    elif not isinstance(item, str | int | float):
        raise _Other("a table of numbers, words and lists of them")
