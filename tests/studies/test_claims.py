"""studies/claims.py: README.md and docs/results.md quote the committed results, and what is quoted follows them."""

import importlib.util
import re
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


def worse_suite(frame):
    """A generator where none is, in every run."""
    frame.loc[frame.wanted == 0, "found"] = 1


def worse_matrices(frame):
    """A tenth fewer answers that are exact."""
    frame.exact *= 0.9


def worse_integral(frame):
    """An exact integral that drifts after all."""
    frame.loc[frame.model == "integral", "drift"] = 0.5


def worse_support(frame):
    """A component that theory forbids, in one run."""
    frame.loc[frame.index[(frame.variant == "relaxed") & frame.forbidden.notna()][0], "forbidden"] = 1e-3


def worse_relaxed(frame):
    """Relaxed agents that learn half as much."""
    frame.loc[frame.arm == "relaxed", "return"] *= 0.5


@pytest.mark.parametrize(
    ("study", "name", "spoil", "start", "before", "after"),
    [
        ("discovery", "suite", worse_suite, "is a symmetry found where none", "in 0 of", ": missed"),
        ("learned_representations", "models", worse_matrices, "Braids of three strands, held-out", "met", "missed"),
        (
            "approximate_equivariance_rl",
            "agents",
            worse_relaxed,
            "do agents that may leave a symmetry keep up",
            r"the exact arm \(\d seeds\), met",
            r"the exact arm \(\d seeds\), missed",
        ),
        ("mesh_topology", "errors", worse_integral, "is there a network whose answers drift", "met", "missed"),
        ("symmetry_breaking", "seeds", worse_support, "forbidden components", "met", "missed"),
    ],
)
def test_spoilt_results_are_missed_bars(script, tmp_path, study, name, spoil, start, before, after):
    """The words follow the tables: with the numbers of one of them made worse its bar is missed."""
    for other in script.PAGES:
        shutil.copytree(ROOT / "studies" / other / "results", tmp_path / other / "results")
    path = tmp_path / study / "results" / "small" / f"{name}.csv"
    frame = pd.read_csv(path)
    found = {c.what: c.found for c in script.claims_of(study, tmp_path)[0]}
    spoil(frame)
    frame.to_csv(path, index=False)
    spoilt = {c.what: c.found for c in script.claims_of(study, tmp_path)[0]}
    what = next(w for w in found if w.startswith(start))
    assert all(re.search(*pair) for pair in ((before, found[what]), (after, spoilt[what]))) and not re.search(after, found[what])


def test_fewer_than_three_seeds_judge_nothing(script, tmp_path):
    """Maps of motion with two seeds have numbers and no words."""
    shutil.copytree(ROOT / "studies" / "denoising_hamiltonian" / "results", tmp_path / "denoising_hamiltonian" / "results")
    for path in (tmp_path / "denoising_hamiltonian" / "results").glob("*/*.csv"):
        frame = pd.read_csv(path)
        frame[frame.seed < 2].to_csv(path, index=False)
    claims, _ = script.claims_of("denoising_hamiltonian", tmp_path)
    assert all(c.found.startswith("not judged") for c in claims) and "2 of 3 seeds" in claims[0].found


def test_a_file_without_markers_is_refused(script, tmp_path):
    (tmp_path / "README.md").write_text("nothing", encoding="utf-8")
    with pytest.raises(SystemExit, match="should hold one"):
        script.write_between(tmp_path / "README.md", "text")
