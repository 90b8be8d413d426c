"""mkdocs hook: one page per room with the whole docstring of every public name. Made when the site is built, so it cannot be out of date.

The tables of `api.md` (`make_api.py`) are the index; here stand the formulas, every argument, the errors and the sources.
"""

import importlib
import inspect
import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from mkdocs.structure.files import File, Files

SYSTEMS = (
    "systems", "systems.control", "systems.galaxies", "systems.manipulation", "systems.mechanics", "systems.meshes", "systems.points",
    "systems.words",
)  # fmt: skip
ROOMS = ("symmetry", "physics", "data", "nn", "training", "emulators", "discover", "probe", *SYSTEMS, "report", "report.plot", "cli")
_WIDE = 100  # a longer signature has a line per argument


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """Add the pages; mkdocs.yml names them in its navigation."""
    for room in ROOMS:
        files.append(File.generated(config, f"api/{room}.md", content=page(importlib.import_module(f"orbitscope.{room}"))))
    return files


def page(module: ModuleType) -> str:
    """Every public name of a room, in alphabetical order."""
    top = importlib.import_module("orbitscope").__all__
    parts = [f"# {module.__name__}", fenced(inspect.getdoc(module) or "")]
    for name in sorted(module.__all__, key=str.lower):
        thing = getattr(module, name)
        shown = f"osc.{name}" if name in top else f"{module.__name__}.{name}"
        parts.append(f"## `{shown}` {{#{name}}}")
        parts += described(thing, name)
    return "\n\n".join(p for p in parts if p) + "\n"


def described(thing: Any, name: str) -> list[str]:
    """The signature and the docstring; of a class its public methods and properties too."""
    if isinstance(thing, Mapping) and not all(isinstance(v, str | int | float | tuple) for v in thing.values()):
        return [f"Names: {', '.join(f'`{key}`' for key in thing)}."]  # objects would show themselves at length, some with their address
    if not (inspect.isclass(thing) or inspect.isroutine(thing)):
        return [f"Type: `{str(thing).replace('typing.', '')}`."]
    parts = [_signature(thing, name), fenced(inspect.getdoc(thing) or "")]
    if inspect.isclass(thing):
        for key, member in vars(thing).items():
            found = member.__func__ if isinstance(member, classmethod | staticmethod) else member
            is_property = isinstance(found, property) or type(found).__name__ == "cached_property"
            doc = inspect.getdoc(found.func if type(found).__name__ == "cached_property" else found)
            if key.startswith("_") or not doc or not (is_property or inspect.isfunction(found)):
                continue
            parts += [f"### `{name}.{key}`", "" if is_property else _signature(found, key), fenced(doc)]
    return parts


def fenced(doc: str) -> str:
    """A docstring as Markdown: its examples become blocks of code.

    >>> print(fenced("Sum.\\n\\n>>> 1 + 1\\n2\\n\\nMore."))
    Sum.
    <BLANKLINE>
    ```pycon
    >>> 1 + 1
    2
    ```
    <BLANKLINE>
    More.
    """
    blocks = re.split(r"\n\s*\n", doc)
    return "\n\n".join(f"```pycon\n{b}\n```" if b.lstrip().startswith(">>> ") else b for b in blocks)


def _signature(thing: Any, name: str) -> str:
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return ""
    plain = [_parameter(p) for p in signature.parameters.values() if p.name not in ("self", "cls")]
    line = f"{name}({', '.join(plain)})"
    text = line if len(line) <= _WIDE else f"{name}(\n" + "".join(f"    {p},\n" for p in plain) + ")"
    return f"```python\n{text}\n```"


def _parameter(parameter: inspect.Parameter) -> str:
    """`name: type = default`, without the modules of types and without addresses of objects."""
    text = re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Za-z_])", "", str(parameter))
    return re.sub(r"<(?:function|class|object)? ?([\w.]+)[^>]*>", r"\1", text)
