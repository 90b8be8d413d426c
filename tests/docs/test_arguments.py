"""Every argument of a public name is named in its docstring."""

import importlib
import inspect
import pkgutil
import re
from typing import Any

import pytest

import orbitscope

ROOMS = sorted(module.name for module in pkgutil.iter_modules(orbitscope.__path__) if module.ispkg)


def unnamed(thing: Any) -> list[str]:
    """The parameters of a callable whose names do not stand between backticks in its docstring.

    >>> def area(width, height):
    ...     "width times `height` [m]"
    >>> unnamed(area)
    ['width']
    """
    try:
        parameters = inspect.signature(thing).parameters
    except (TypeError, ValueError):
        return []
    words = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", inspect.getdoc(thing) or ""))))
    return [name for name in parameters if name not in words and not name.startswith("_") and name not in ("self", "cls", "args", "kwargs")]


def found(room: str) -> set[str]:
    """`room.name: argument` for each that is missing."""
    module = importlib.import_module(f"orbitscope.{room}")
    things = {name: getattr(module, name) for name in module.__all__}
    return {f"{room}.{name}: {argument}" for name, thing in things.items() if callable(thing) for argument in unnamed(thing)}


@pytest.mark.parametrize("room", ROOMS)
def test_every_argument_is_named(room):
    assert not found(room), f"write a line for each in its docstring: {sorted(found(room))}"
