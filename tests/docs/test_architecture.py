"""A room imports only from rooms above it."""

import ast
from pathlib import Path

import pytest
from blocks import ROOT

PACKAGE = ROOT / "src" / "orbitscope"
# From the ground up; the private modules lie below all rooms.
BELOW = ("_attention", "_errors", "_expect", "_version", "_json", "_html", "_seed", "_whole", "_lock", "_parent")
DOOR = ("_part", "_workers", "_cluster", "_executor")  # to several processes
ORDER = (*BELOW, *DOOR, "symmetry", "physics", "data", "nn", "training", "emulators", "discover", "probe", "systems", "report", "cli")
FILES = sorted(p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE)


def imported_rooms(source: str, package: tuple[str, ...]) -> set[str]:
    """The first name below orbitscope of everything that a file of `package` (its folders below orbitscope) imports.

    An import of the top package itself counts as "" : it brings every room with it.
    """
    rooms = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            targets = [a.name.split(".") for a in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            module = (node.module or "").split(".")
            targets = [[*module, a.name] for a in node.names] if len(module) == 1 else [module]
        elif isinstance(node, ast.ImportFrom):
            base = ["orbitscope", *package][: len(package) + 2 - node.level]
            module = [*base, *(node.module.split(".") if node.module else [])]
            targets = [[*module, a.name] for a in node.names] if len(module) == 1 else [module]
        else:
            continue
        for target in targets:
            if target[0] == "orbitscope":
                rooms.add(target[1] if len(target) > 1 and target[1] in ORDER else "")
    return rooms - {package[0] if package else None}


@pytest.mark.parametrize(
    ("source", "rooms"),
    [
        ("import torch", set()),
        ("from ..symmetry import Grid", {"symmetry"}),
        ("from .._errors import OrbitscopeError", {"_errors"}),
        ("from ._field import x", set()),
        ("from . import _field", set()),
        ("from .. import load", {""}),
        ("from .. import probe", {"probe"}),
        ("import orbitscope.report", {"report"}),
        ("import orbitscope as osc", {""}),
        ("from orbitscope import Grid", {""}),
        ("def f():\n    from ..cli import main", {"cli"}),
    ],
)
def test_the_reader_of_imports(source, rooms):
    assert imported_rooms(source, ("data",)) == rooms


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_room_imports_only_from_rooms_above_it(path: Path):
    package = path.parent.relative_to(PACKAGE).parts
    room = package[0]
    assert room in ORDER, f"{room} is no room of the house; add it to the order here and in CONTRIBUTING.md"
    above = set(ORDER[: ORDER.index(room)]) | ({""} if room == "cli" else set())
    wrong = imported_rooms(path.read_text(encoding="utf-8"), package) - above
    assert not wrong, f"{path.relative_to(PACKAGE)} imports from {sorted(w or 'orbitscope itself' for w in wrong)}"


def _own(module: list[str], package: tuple[str, ...]) -> bool:
    """Whether a module is in the folder of `package`, below it, or shared by all shelves of its room."""
    return module[: len(package)] == list(package) or (module[0] == package[0] and module[1].startswith("_"))


def private_imports(source: str, package: tuple[str, ...]) -> list[str]:
    """Modules with a leading underscore that a file of `package` takes from another room, or another shelf of its own."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            base = ["orbitscope", *package][: len(package) + 2 - node.level] if node.level else []
            module = [*base, *(node.module.split(".") if node.module else [])]
            private = any(part.startswith("_") for part in module[2:])
            if len(module) > 2 and module[0] == "orbitscope" and private and not _own(module[1:], package):
                found.append(".".join(module))
    return found


def test_the_reader_of_private_imports():
    assert private_imports("from ..symmetry._grid import Grid", ("data",)) == ["orbitscope.symmetry._grid"]
    assert private_imports("from ...symmetry._grid import Grid", ("probe", "data")) == ["orbitscope.symmetry._grid"]
    assert private_imports("from ..data._audit import BREAKS", ("probe", "verdicts")) == ["orbitscope.probe.data._audit"]
    assert private_imports("from .._sample import resolve\nfrom ._x import y", ("probe", "verdicts")) == []
    assert private_imports("from .._grid import Grid\nfrom .._errors import E\nfrom ..symmetry import Grid", ("data",)) == []


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_private_module_is_imported_from_another_room(path: Path):
    found = private_imports(path.read_text(encoding="utf-8"), path.parent.relative_to(PACKAGE).parts)
    assert not found, f"{path.relative_to(PACKAGE)} imports {found}; export what it needs in the room's __init__.py"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_file_is_longer_than_350_lines(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350, f"{path.relative_to(PACKAGE)}: split it by concept"


def test_the_order_is_the_one_in_contributing():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    places = [text.index(f"| `{room}` |") for room in ORDER if not room.startswith("_")]
    assert places == sorted(places)
