"""Internal links and assets exist; public names have docstrings and stand on the API page; metadata files are well-formed."""

import importlib
import inspect
import json
import re
import tomllib

import pytest
from blocks import PAGES, ROOT

import orbitscope as osc

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_ROOMS = ("symmetry", "physics", "data", "nn", "emulators", "discover", "probe", "report", "cli")


def _prose(page):
    text = page.read_text(encoding="utf-8")
    return re.sub(r"^```.*?^```[ \t]*$|`[^`\n]*`|\$\$.*?\$\$", "", text, flags=re.M | re.S)


def _anchors(page):
    """The ids that mkdocs' toc gives to the headings of a page."""
    from markdown.extensions.toc import slugify

    heads = re.findall(r"^#+ +(.*?)\s*$", re.sub(r"^```.*?^```[ \t]*$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S), re.M)
    return {slugify(re.sub(r"[`*]", "", h), "-") for h in heads}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"], ids=lambda p: str(p.relative_to(ROOT)))
def test_internal_links_and_assets_exist(page):
    for target in _LINK.findall(_prose(page)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name} links to {target}, which does not exist"
        if anchor:
            assert anchor in _anchors(file), f"{page.name} links to {target}; {file.name} has {sorted(_anchors(file))}"


def test_every_page_is_in_the_navigation():
    text = (ROOT / "mkdocs.yml").read_text()
    for page in PAGES[1:]:
        assert f": {page.relative_to(ROOT / 'docs')}" in text, f"{page.name} is not in mkdocs.yml"


@pytest.mark.parametrize("name", [n for n in osc.__all__ if n != "__version__"])
def test_public_name_has_a_docstring(name):
    thing = getattr(osc, name)
    doc = inspect.getdoc(thing) or ""
    inherited = next((inspect.getdoc(b) for b in getattr(thing, "__mro__", ())[1:] if inspect.getdoc(b)), None)
    assert len(doc) > 20 and doc != inherited, f"orbitscope.{name} has no docstring of its own"


def test_public_names_stand_on_the_api_page():
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    missing = [f"osc.{n}" for n in osc.__all__ if f"`osc.{n}`" not in page]
    top = {id(getattr(osc, n)) for n in osc.__all__}
    for room in _ROOMS:
        module = importlib.import_module(f"orbitscope.{room}")
        here = [n for n in module.__all__ if id(getattr(module, n)) not in top]
        missing += [f"orbitscope.{room}.{n}" for n in here if f"`orbitscope.{room}.{n}`" not in page]
    assert not missing, f"{missing} are not on docs/api.md; run `python docs/make_api.py`"


def test_citation_changelog_and_licence():
    citation = dict(re.findall(r"^([\w-]+): *(.*)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.M))
    assert citation["cff-version"] == "1.2.0" and citation["version"] == osc.__version__ and citation["license"] == "Apache-2.0"
    assert {"message", "title", "authors"} <= citation.keys()
    assert f"## [{osc.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in licence and "END OF TERMS AND CONDITIONS" in licence and len(licence) > 10_000
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == citation["license"] and json.dumps(project["version"]) == json.dumps(osc.__version__)


def test_citation_is_yaml():
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    people = [*citation["authors"], *(a for r in citation["references"] for a in r["authors"])]
    assert people and all("name" in p or "family-names" in p for p in people)
    assert all({"type", "title", "authors", "year"} <= r.keys() for r in citation["references"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", citation["date-released"])
