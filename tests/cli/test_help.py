"""A help text is read alone, beside the name of its flag: it may not begin with half a sentence ("Of the learning rate.")."""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import orbitscope
from orbitscope.emulators import models, presets
from orbitscope.emulators.networks import _build

PACKAGE = Path(orbitscope.__file__).parent
_HALF = ("Of", "For", "Per", "By", "In", "From", "At which", "How many", "Which", "Whose", "Such as")  # words that lean on another sentence


def documented(path: Path) -> Iterator[tuple[str, str]]:
    """Fields of dataclasses with the text below them, which is what `--help` and the site show."""
    classes = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ClassDef)]
    for node in classes:
        for field, below in itertools.pairwise(node.body):
            if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                yield f"{node.name}.{ast.unparse(field.target)}", str(below.value.value)


def test_no_field_is_explained_by_half_a_sentence() -> None:
    found = [pair for path in sorted(PACKAGE.rglob("*.py")) for pair in documented(path)]
    assert found
    assert [(name, text) for name, text in found if any(text.startswith(f"{word} ") for word in _HALF)] == []


def test_the_flag_for_conventions_names_every_convention() -> None:
    texts = dict(documented(PACKAGE / "cli" / "_verbs_models.py"))
    assert [name for name in presets() if name not in texts["Probe.like"]] == []


def models_in(text: str) -> set[str]:
    """The names that a list such as "unet or fno; scale_ before unet" holds."""
    found = set()
    for part in text.split("; "):
        prefixes, _, names = part.rpartition(" before ")
        found |= {prefix + name for prefix in re.findall(r"\w+_", prefixes) or [""] for name in re.findall(r"\w+", names)}
    return found


def test_the_flag_for_models_names_every_model() -> None:
    text = dict(documented(PACKAGE / "cli" / "_verbs_train.py"))["Train.model"]
    own = [name for name in models() if _build._MODELS[name].factory.__module__.startswith("orbitscope.")]  # others are studies' and users'
    assert len(own) > 10 and [name for name in own if name not in models_in(text)] == []
