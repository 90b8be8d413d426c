"""Write docs/api.md: every public name with the first sentence of its docstring.

python docs/make_api.py
"""

import importlib
import inspect
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

PAGE = Path(__file__).resolve().parent / "api.md"
ROOMS = (
    "symmetry",
    "physics",
    "data",
    "nn",
    "training",
    "emulators",
    "discover",
    "probe",
    "systems",
    "systems.control",
    "systems.galaxies",
    "systems.manipulation",
    "systems.mechanics",
    "systems.meshes",
    "systems.points",
    "systems.words",
    "report",
    "report.plot",
    "cli",
)
_HEAD = """# Public names

Written by `docs/make_api.py`. `help(name)` in Python, or `name?` in a notebook, tells the rest: formulas, shapes, units, errors, sources.
Conventions: states are `[..., channel, x, y]`; a mistake in what you hand over raises `OrbitscopeError`, whose message says what to do.
"""


def page() -> str:
    """The page: what `import orbitscope as osc` gives, by room; then what each room has beyond that."""
    top = importlib.import_module("orbitscope")
    parts = [_HEAD, "## orbitscope\n"]
    listed = set()
    for room in ("", *ROOMS):
        members = [n for n in top.__all__ if _room(getattr(top, n)) == room]
        if not members:
            continue
        parts.append(f"### {f'from {room}' if room else 'the library'}\n")
        parts.append(_table("osc", top, members))
        listed |= {id(getattr(top, n)) for n in members}
    parts.append("## In the rooms only\n")
    for room in ROOMS:
        module = importlib.import_module(f"orbitscope.{room}")
        members = [n for n in module.__all__ if id(getattr(module, n)) not in listed]
        if members:
            parts.append(f"### orbitscope.{room}\n")
            parts.append(f"{sentence(module)}\n")
            parts.append(_table(f"orbitscope.{room}", module, members))
    return "\n".join(parts)


def sentence(thing: object) -> str:
    """The first sentence of a docstring, on one line."""
    text = inspect.getdoc(thing) or ""
    first = " ".join(text.split("\n\n")[0].split())
    end = re.search(r"(?<!e\.g)(?<!i\.e)\.(?= [A-Z`(])", first)
    return first[: end.end()] if end else first


def _table(prefix: str, module: object, names: list[str]) -> str:
    rows = ["| name | what it is |", "|---|---|"]
    for name in sorted(names, key=str.lower):
        thing = getattr(module, name)
        words = _bars(_words(name, thing))
        rows.append(f"| `{prefix}.{name}` | {words} |")
    return "\n".join(rows) + "\n"


def _bars(words: str) -> str:
    """No bare bar in a table: another spelling inside formulas (the odd parts), escaped outside."""
    parts = words.split("$")
    formulas = [p.replace(r"\|", r"\Vert ").replace("|", r"\vert ") for p in parts[1::2]]
    parts = [p.replace("|", r"\|") for p in parts]
    parts[1::2] = formulas
    return "$".join(parts)


def _words(name: str, thing: object) -> str:
    if isinstance(thing, str):
        return f"The version, {thing}." if name == "__version__" else thing
    if isinstance(thing, Mapping) and not all(isinstance(v, str | int | float | tuple) for v in thing.values()):
        return f"Names: {', '.join(f'`{key}`' for key in thing)}."  # objects would show themselves at length, some with their address
    if not inspect.isclass(thing) and not inspect.isroutine(thing):
        return f"Type: `{str(thing).replace('typing.', '')}`."
    return sentence(thing)


def _room(thing: object) -> str:
    """Which room defines it; "" for the version and the error."""
    parts = (getattr(thing, "__module__", None) or "").split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "orbitscope" and parts[1] in ROOMS else ""


if __name__ == "__main__":
    part = PAGE.with_name(PAGE.name + ".part")
    part.write_text(page(), encoding="utf-8")
    os.replace(part, PAGE)
    sys.exit(0)
