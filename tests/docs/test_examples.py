"""Every block of the documentation and every example script runs, small."""

import importlib.util
import os
import re
from typing import Any

import pytest
from blocks import NOT_RUN, PAGES, ROOT, blocks, commands, run

_RUNNABLE = [p for p in PAGES if p.name != "README.md" and any(b.language in ("python", "bash") for b in blocks(p))]


# torch.export's own deprecation, when a .pt2 module is copied.
@pytest.mark.filterwarnings("ignore:.*isinstance.treespec:FutureWarning")
@pytest.mark.parametrize("page", _RUNNABLE, ids=lambda p: str(p.relative_to(ROOT)))
def test_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "orbitscope.report._page.field_pictures", lambda *_: []
    )  # drawn in tests/report and tests/cli; a tenth of the time here
    python, _ = run(page, tmp_path, monkeypatch)
    shown = [b for b in blocks(page) if b.language == "python" and not b.title and not b.text.startswith(NOT_RUN)]
    assert python == len(shown)


def test_blocks_that_do_not_run_say_why():
    for page in PAGES:
        for block in blocks(page):
            runs = block.language in ("python", "bash", "toml") or (block.language == "yaml" and block.text.startswith(NOT_RUN))
            assert runs, f"{page.name}:{block.line}: a block needs a language that the tests run"
            if block.text.startswith(NOT_RUN):
                reason = block.text.splitlines()[0].removeprefix(NOT_RUN)
                assert len(reason.split()) > 3, f"{page.name}:{block.line}: give the reason"


def test_pages_followed_in_one_folder_do_not_meet() -> None:
    """Nothing is overwritten without --force, so a file that two how-to pages write must come from the same command."""
    makers: dict[str, set[str]] = {}
    for page in (ROOT / "docs" / "formats.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))):
        for block in blocks(page):
            if block.language == "python":
                for name in re.findall(r"""(?:save|save_probe|save_well|train)\([^()]*"([^"]+\.(?:nc|h5)|runs/[^"]+)\"""", block.text):
                    makers.setdefault(name, set()).add(page.name)
            for words in commands(block) if block.language == "bash" else []:
                if "--out" in words:
                    made = " ".join(words).replace(" --seed 0", "")  # the default
                    makers.setdefault(words[words.index("--out") + 1], set()).add(made)
    assert len(makers) > 15 and {"mine.nc", "probe.nc", "ns.nc", "runs/mine"} <= set(makers)
    assert {name: made for name, made in makers.items() if len(made) > 1} == {}


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("own_model", {"trajectories": 16, "steps": 10}),
        ("own_data", {}),
        ("own_group", {}),
        ("policy", {"epochs": 50}),
        ("coordinate_regression", {"steps": 20, "tests": 6}),
        ("cloud", {"clouds": 8}),
        ("classifier", {"shapes": 16, "epochs": 10}),
        ("discover", {"count": 1000, "epochs": 25}),
    ],
)
def test_example_runs(name, sizes, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    script = ROOT / "examples" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"example_{name}", script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(**sizes)
    said = capsys.readouterr().out
    expected = {
        "own_model": ["symmetry of the physics and of the file", "own_model.html"],
        "own_data": ["consistent", "components swapped", "lazy"],
        "own_group": ["V4 (4 elements)", "declared as a vector"],
        "policy": ["output:", "learning:", "next:"],
        "coordinate_regression": ["energy d4", "error in unseen quadrants", "decision error"],
        "cloud": ["Coordinates commutator", "exact up to rounding"],
        "classifier": ["classifier.html", "squared error"],
        "discover": ["so(2)", "angle to the generator that was hidden", "built: error"],
    }[name]
    assert all(words in said for words in expected), said


def test_every_example_is_tested():
    assert sorted(os.path.splitext(p)[0] for p in os.listdir(ROOT / "examples") if p.endswith(".py")) == [
        "classifier",
        "cloud",
        "coordinate_regression",
        "discover",
        "own_data",
        "own_group",
        "own_model",
        "policy",
    ]


def test_the_table_of_formats_is_that_of_the_readers():
    """After a change of readers: .venv/bin/python docs/make_formats.py"""
    source = ROOT / "docs" / "make_formats.py"
    scope: dict[str, Any] = {"__name__": "make_formats", "__file__": str(source)}
    exec(compile(source.read_text(encoding="utf-8"), str(source), "exec"), scope)
    assert scope["page"]() == scope["PAGE"].read_text(encoding="utf-8")
