"""studies/claims.py: README.md and docs/results.md quote the committed results, and what is quoted follows them."""

import importlib.util
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("claims", ROOT / "studies" / "claims.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["claims"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["claims"]


def test_both_files_say_what_the_committed_results_say(script, tmp_path):
    """What stands between the markers is what the script writes; what stands around them stays."""
    (tmp_path / "docs").mkdir()
    for name in ("README.md", "docs/results.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        head, tail = text.split(script.BEGIN)[0], text.split(script.END)[1]
        (tmp_path / name).write_text(f"{head}{script.BEGIN}\nold\n{script.END}{tail}", encoding="utf-8")
    assert script.main(["--root", str(tmp_path)]) == 0
    for name in ("README.md", "docs/results.md"):
        assert (tmp_path / name).read_text(encoding="utf-8") == (ROOT / name).read_text(encoding="utf-8")
    short = (tmp_path / "README.md").read_text(encoding="utf-8").split(script.BEGIN)[1].split(script.END)[0]
    assert all(f"docs/studies/{page}" in short for _, page in script.PAGES.values()) and "nan" not in short


def test_other_results_are_other_words(script, tmp_path):
    """With every built-in network made twice as bad as the plain one, nothing is said to help."""
    for study in script.PAGES:
        shutil.copytree(ROOT / "studies" / study / "results", tmp_path / study / "results")
    path = tmp_path / "equivariant_net" / "results" / "small" / "tests.csv"
    frame = pd.read_csv(path)
    plain = frame[frame.variant == "plain"].set_index(["dataset", "backbone", "seed", "test"]).rmse
    for k in frame.index[frame.variant.isin(["motion", "magnitude", "rotation", "scale"])]:
        row = frame.loc[k]
        frame.loc[k, "rmse"] = 2 * plain[row.dataset, row.backbone, row.seed, row.test] * (1 + 0.01 * row.seed)
    frame.to_csv(path, index=False)
    found = {c.what: c.found for c in script.collected(tmp_path)["equivariant_net"][0]}
    helps = next(text for what, text in found.items() if what.startswith("does building in"))
    costs = next(text for what, text in found.items() if what.startswith("does it cost"))
    assert helps.startswith("lower error in 0 of 12") and "higher in 12" in helps and "2.0" in helps
    assert costs.startswith("higher error in 10 of 10")


def test_a_file_without_markers_is_refused(script, tmp_path):
    (tmp_path / "README.md").write_text("nothing", encoding="utf-8")
    with pytest.raises(SystemExit, match="should hold one"):
        script.write_between(tmp_path / "README.md", "text")
