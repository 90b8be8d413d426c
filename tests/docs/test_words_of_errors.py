"""Words of errors serve both doors: what Python calls by an argument, the command line calls by a flag."""

import ast

from blocks import ROOT

PACKAGE = ROOT / "src" / "orbitscope"


def spoken(source: str) -> list[str]:
    """All texts of a source that are no docstring; an f-string is one text, with its values left out."""
    tree, docs, texts = ast.parse(source), set(), []
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            docs.add(id(body[0].value))
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [p for p in node.values if isinstance(p, ast.Constant)]
            docs |= {id(p) for p in parts}
            texts.append("".join(str(p.value) for p in parts))
    return texts + [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in docs]


def test_what_an_error_asks_for_can_be_done_from_the_command_line():
    sources = {path: path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
    asking = {path: [text for text in spoken(source) if "force=True" in text] for path, source in sources.items() if "force=True" in source}
    assert sum(map(len, asking.values())) > 20
    assert [(path.name, text) for path, texts in asking.items() for text in texts if "--force" not in text] == []


def test_docstrings_are_not_spoken_and_values_are_left_out():
    assert spoken('def f(x):\n    """Doc."""\n    raise ValueError(f"at {x}: " "no")\n') == ["at : no"]
