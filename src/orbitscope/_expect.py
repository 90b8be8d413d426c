"""Arguments of another kind than they should be: one sentence that names the argument and what came, instead of an attribute error."""

import dataclasses
import difflib
import functools
import numbers
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from ._errors import OrbitscopeError

C = TypeVar("C", bound=type)


def expect(value: object, kinds: type | tuple[type, ...], who: str, wanted: str) -> None:
    """Raise `OrbitscopeError` unless `value` is of `kinds`: "`who` should be `wanted`, got ..."."""
    if not isinstance(value, kinds):
        raise OrbitscopeError(f"{who} should be {wanted}, got {shown(value)}.")


def expect_number(value: object, who: str, *, whole: bool = False) -> None:
    """Raise `OrbitscopeError` unless `value` is a real number (a whole one); text that reads like one is none."""
    kind = numbers.Integral if whole else numbers.Real
    if isinstance(value, bool) or not isinstance(value, kind):
        raise OrbitscopeError(f"{who} should be a {'whole number' if whole else 'number'}, got {shown(value)}.")


def shown(value: object) -> str:
    """What came, short enough for a message."""
    if value is None or isinstance(value, str | int | float):
        return repr(value)[:80]
    shape = getattr(value, "shape", None)
    return type(value).__name__ + (f" of shape {tuple(shape)}" if isinstance(shape, tuple) else "")


def near(name: str, known: Iterable[str], *, count: int = 2) -> str:
    """ " Did you mean 'reacher'?" with the `known` names nearest to `name`, at most `count`; empty where none is near."""
    found = difflib.get_close_matches(name.lower(), known, count, 0.7)
    return f" Did you mean {' or '.join(map(repr, found))}?" if found else ""


def checked_settings(cls: C) -> C:
    """A dataclass of settings whose unknown names and texts in place of numbers raise `OrbitscopeError`, with the nearest name."""
    init: Callable[..., None] = cls.__init__
    fields = {f.name: f for f in dataclasses.fields(cls)}

    @functools.wraps(init)
    def checked(self: Any, *args: Any, **given: Any) -> None:
        for name, value in given.items():
            if name not in fields:
                hint = near(name, fields, count=1).replace("'", "`")
                raise OrbitscopeError(f"{cls.__name__}: there is no setting {name!r}.{hint} Known: {', '.join(sorted(fields))}.")
            default = fields[name].default
            if value is None and "None" in str(fields[name].type):
                continue
            if isinstance(default, int | float) and not isinstance(default, bool):
                expect_number(value, f"{cls.__name__}: `{name}`")
        init(self, *args, **given)

    cls.__init__ = checked
    return cls
