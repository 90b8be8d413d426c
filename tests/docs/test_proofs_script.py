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


def test_time_at_equal_error_and_the_table_of_peers(tmp_path):
    spec = importlib.util.spec_from_file_location("peers", ROOT / "benchmarks" / "peers.py")
    assert spec is not None and spec.loader is not None
    peers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(peers)
    ours = [{"error": 1e-2, "seconds": 1.0}, {"error": 1e-4, "seconds": 100.0}, {"error": 1e-2, "seconds": 5.0}]
    assert peers.time_at(1e-3, ours) == pytest.approx(10.0) and peers.time_at(1.0, ours) == 1.0 and peers.time_at(1e-5, ours) is None
    common = {"problem": "flow", "method": "m", "size": 8, "setting": "s", "first": 9.0}
    results = [
        {
            "peer": name,
            "versions": {name: "1"},
            "note": "",
            "dtype": "float64",
            "cores": 1,
            "runs": [r | common | {"first": 9.0} for r in runs],
        }
        for name, runs in (("orbitscope", ours), ("exponax", [{"error": 1e-3, "seconds": 30.0}]))
    ]
    text = peers.table({"results": results, "created": "2020-01-01", "machine": "x", "load": 0.0, "quick": False})
    assert "| 10 | 3 |" in text and "orbitscope 1; exponax 1" in text
    page = tmp_path / "solvers.md"
    page.write_text(f"a\n{peers.BEGIN}\nold\n{peers.END}\nb\n")
    peers.write_between(page, text)
    assert page.read_text(encoding="utf-8") == f"a\n{peers.BEGIN}\n{text}\n{peers.END}\nb\n"
    cases = peers.problems(["gas-sod"], quick=True)
    assert cases["gas-sod/16/initial"].shape == cases["gas-sod/16/reference"].shape == (4, 16, 16)
    assert (ROOT / "docs" / "solvers.md").read_text(encoding="utf-8").count(peers.BEGIN) == 1
