"""docs/make_proofs.py runs small, writes what it should and nothing else; the statistics that it shows hold."""

import importlib.util
import json
import re
import sys

import pytest
from blocks import ROOT


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_proofs", ROOT / "docs" / "make_proofs.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_sections_run_alone_and_the_page_keeps_the_others(script, tmp_path):
    arguments = ["--root", str(tmp_path), "--quick"]
    assert script.main([*arguments, "--only", "continuum", "accuracy"]) == 0
    page = (tmp_path / "docs" / "proofs.md").read_text(encoding="utf-8")
    assert page.count("\n## ") == len(script.SECTIONS) and "--only gallery`." in page and "Not run yet" in page
    assert page.count("Small sizes, not the proof") == 2 and "images/proofs-orders.png" in page
    numbers = json.loads((tmp_path / "docs" / "proofs" / "continuum.json").read_text(encoding="utf-8"))
    assert numbers["quick"] and numbers["machine"] and max(numbers["numbers"]["flow"]["none"].values()) < 1e-12
    # Its number is on the page, and a changed one is after --page alone.
    numbers["numbers"]["euler scaling"]["speed"] = 7.7e-5
    (tmp_path / "docs" / "proofs" / "continuum.json").write_text(json.dumps(numbers), encoding="utf-8")
    assert "7.7·10⁻⁵" not in page and script.main([*arguments, "--page"]) == 0
    assert "7.7·10⁻⁵" in (tmp_path / "docs" / "proofs.md").read_text(encoding="utf-8")
    written = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert written == {"docs/proofs.md", "docs/proofs/continuum.json", "docs/proofs/accuracy.json", "docs/images/proofs-orders.png"}
    with pytest.raises(SystemExit):
        script.main(["--only", "nonsense"])


def test_the_page_in_the_repository_is_the_one_of_its_numbers(script):
    """Nobody typed into it, and nothing of it is a quick run."""
    folder = ROOT / "docs" / "proofs"
    page = (ROOT / "docs" / "proofs.md").read_text(encoding="utf-8")
    assert page == script.page(folder)
    assert not any(json.loads(p.read_text(encoding="utf-8"))["quick"] for p in folder.glob("*.json"))
    pictures = {ROOT / "docs" / name for name in re.findall(r"\]\((images/[^)]+)\)", page)}
    assert pictures == set((ROOT / "docs" / "images").glob("proofs-*.png"))
    assert all(p.stat().st_size < 150_000 for p in pictures)


def test_random_initial_states_follow_their_laws(script):
    randomness = sys.modules["proofs.randomness"]
    for name, rows in randomness.all_statistics(40).items():
        for row in rows:
            assert abs(row.deviation) < 4.5 and row.error > 0, (name, row)
    wrong = randomness.uniform_pieces("CE-RP", 8, 400, ((0.2, 1), (-1, 1), (-1, 1), (0.1, 1)))
    assert abs(wrong[0].deviation) > 4.5  # the control: another range is noticed


@pytest.mark.long
def test_every_section_runs(script, tmp_path):
    assert script.main(["--root", str(tmp_path), "--quick"]) == 0
    assert "Not run yet" not in (tmp_path / "docs" / "proofs.md").read_text(encoding="utf-8")
