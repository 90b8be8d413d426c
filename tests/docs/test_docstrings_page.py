"""docs/docstrings.py: the site shows every public name with its whole docstring. That the site builds, `make test` tries itself."""

import importlib
import importlib.util
import inspect
import re

import pytest
from blocks import ROOT

_spec = importlib.util.spec_from_file_location("docstrings", ROOT / "docs" / "docstrings.py")
assert _spec is not None and _spec.loader is not None
docstrings = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(docstrings)


@pytest.mark.parametrize("room", docstrings.ROOMS)
def test_every_public_name_is_there_whole(room: str) -> None:
    module = importlib.import_module(f"orbitscope.{room}")
    page = docstrings.page(module)
    assert f": api/{room}.md" in (ROOT / "mkdocs.yml").read_text()
    for name in module.__all__:
        assert f"{{#{name}}}" in page
        thing = getattr(module, name)
        if inspect.isclass(thing) or inspect.isroutine(thing):
            blocks = re.split(r"\n\s*\n", inspect.getdoc(thing) or "")
            assert all(block in page for block in blocks), f"{name} is cut"
    assert not re.search(r"0x[0-9a-f]{6,}", page)  # an address of an object would differ from build to build
    assert page.count("```") % 2 == 0


def test_a_long_signature_has_a_line_per_argument() -> None:
    import orbitscope as osc

    shown = docstrings.described(osc.influence, "influence")[0].splitlines()
    assert shown[1] == "influence(" and "    damping: float | None = None," in shown
    assert len(shown) == len(inspect.signature(osc.influence).parameters) + 4
