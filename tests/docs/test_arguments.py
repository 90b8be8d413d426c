"""Every argument of a public name has a line of its own in its docstring."""

import importlib
import inspect
import pkgutil
import re
from typing import Any

import pytest

import orbitscope

ROOMS = sorted(module.name for module in pkgutil.iter_modules(orbitscope.__path__) if module.ispkg)


def unnamed(thing: Any) -> list[str]:
    """The parameters of a callable that have no line of their own in its docstring, and do not stand in its first paragraph.

    A line says "`width`: ...", "`width`, `height`: ...", "`width` [N]: ..." or "`progress(done, total)`: ...".

    >>> def area(width, height, depth):
    ...     "width times `height` [m]\\n\\n* `width`, `height`: of the sides; not `depth`"
    >>> unnamed(area)
    ['depth']
    """
    try:
        parameters = inspect.signature(thing).parameters
    except (TypeError, ValueError):
        return []
    text = inspect.getdoc(thing) or ""
    lines = re.findall(r"((?:`[^`]+`(?: \[[^]]*\])?(?:, | and )?)+):", " ".join(text.split()))
    words = {
        word
        for named in [text.split("\n\n")[0], *lines]
        for quoted in re.findall(r"`([^`]+)`", named)
        for word in re.findall(r"\w+", quoted)
    }
    return [name for name in parameters if name not in words and not name.startswith("_") and name not in ("self", "cls", "args", "kwargs")]


def found(room: str) -> set[str]:
    """`room.name: argument` for each that is missing."""
    module = importlib.import_module(f"orbitscope.{room}")
    things = {name: getattr(module, name) for name in module.__all__}
    return {f"{room}.{name}: {argument}" for name, thing in things.items() if callable(thing) for argument in unnamed(thing)}


@pytest.mark.parametrize("room", ROOMS)
def test_every_argument_has_a_line(room):
    assert not found(room), f"write a line for each in its docstring: {sorted(found(room))}"
