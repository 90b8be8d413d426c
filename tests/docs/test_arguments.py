"""Every argument of a public name, and of the public methods of a class, has a line of its own in its docstring."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest

import orbitscope
from orbitscope.systems import systems

ROOMS = sorted(module.name for module in pkgutil.iter_modules(orbitscope.__path__) if module.ispkg)
ROOMS += [f"systems.{name}" for name in systems()]


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


def methods(thing: type) -> Iterator[tuple[str, list[Any]]]:
    """The public methods of a class that are ours, by name, each with those of the same name that it overrides, the nearest first.

    What a method does may be said where it is first declared: an equation adds to `Equation.constraints` what its laws are.
    """
    for name in dir(thing):
        raw = [vars(base)[name] for base in thing.__mro__ if name in vars(base) and base.__module__.startswith("orbitscope")]
        plain = [member.__func__ if isinstance(member, classmethod | staticmethod) else member for member in raw]
        if not name.startswith("_") and plain and inspect.isfunction(plain[0]):
            yield name, plain


def missing(thing: Any, name: str) -> set[str]:
    """`name: argument` for each that has no line, of a function, of a class and of its methods."""
    bad = {f"{name}: {argument}" for argument in unnamed(thing)}
    for method, versions in methods(thing) if inspect.isclass(thing) else ():
        said = {a for v in versions[1:] if inspect.isfunction(v) for a in set(inspect.signature(v).parameters).difference(unnamed(v))}
        bad |= {f"{name}.{method}: {argument}" for argument in set(unnamed(versions[0])) - said}
    return bad


def found(room: str) -> set[str]:
    """`room.name: argument` or `room.Class.method: argument` for each that is missing."""
    module = importlib.import_module(f"orbitscope.{room}")
    things = {name: getattr(module, name) for name in module.__all__}
    return {one for name, thing in things.items() if callable(thing) for one in missing(thing, f"{room}.{name}")}


def test_a_method_without_a_line_is_found() -> None:
    class Base:
        def move(self, x: float, dt: float) -> None:
            """`x` moves.

            * `dt`: the time.
            """

    class Far(Base):
        def move(self, x: float, dt: float, far: bool = False) -> None:
            """Farther."""

    Base.__module__ = Far.__module__ = "orbitscope.symmetry"
    assert missing(Far, "Far") == {"Far.move: far"} and missing(Base, "Base") == set()


@pytest.mark.parametrize("room", ROOMS)
def test_every_argument_has_a_line(room):
    assert not found(room), f"write a line for each in its docstring: {sorted(found(room))}"
