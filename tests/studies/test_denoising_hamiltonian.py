"""studies/denoising_hamiltonian: the tiny study from simulation to page, and how its bars are judged."""

from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
STUDY = "denoising_hamiltonian"


@pytest.fixture(scope="module")
def study(script, tmp_path_factory):
    """A finished tiny study, and the words of a second start."""
    folder = tmp_path_factory.mktemp("study")
    words = ("--config", "tiny.toml", "--results", folder / "results", "--docs", folder / "docs", "--out", folder / "out", "--workers", 1)
    script(*words)
    first = {p.name: p.read_bytes() for p in (folder / "results").iterdir()}
    script(*words)
    return folder, first


def test_page_figure_and_tables(study):
    folder, first = study
    page = (folder / "docs" / "denoising-hamiltonian.md").read_text(encoding="utf-8")
    assert (folder / "docs" / "denoising-hamiltonian-errors.png").read_bytes().startswith(b"\x89PNG")
    for words in (
        "Bars for the consistent variant",
        "Super-resolution",
        "What is kept",
        "missed by 1 of 1 seeds",
        "All planned runs are here",
    ):
        assert words in page, words
    assert {p.stem for p in (folder / "results").glob("*.csv")} == {"cost", "energy", "forecast", "probe", "refine", "structure"}
    assert first == {p.name: p.read_bytes() for p in (folder / "results").iterdir()}  # a second start finds all done
    structure = pd.read_csv(folder / "results" / "structure.csv").set_index("model")
    assert structure.reversal16["hamiltonian_map"] < 1e-10 < structure.reversal16["dhn"]
    assert structure.defect16["hamiltonian_map"] < 1e-10


def test_bars_are_judged_by_every_seed(modules):
    bar = modules("write_page").Bar
    seeds = lambda *values: lambda t: pd.Series(values)  # noqa: E731
    assert bar("x", seeds(1.0, 2.0), 2.0).judged({})[-1] == "met"
    assert bar("x", seeds(1.0, 3.0), 2.0).judged({})[-1] == "missed by 1 of 2 seeds, worst 1.5 of the bar"
    assert bar("x", seeds(1.0, 3.0), 2.0, True).judged({})[-1].startswith("missed by 1 of 2 seeds, worst 0.5")
    assert bar("x", seeds(), 2.0).judged({})[-1] == "not measured"


def test_only_some_models(script, tmp_path):
    words = ("--config", "tiny.toml", "--results", tmp_path / "r", "--docs", tmp_path, "--out", tmp_path / "out", "--workers", 1)
    script(*words, "--models", "dhn")
    page = (tmp_path / "denoising-hamiltonian.md").read_text(encoding="utf-8")
    assert "not trained yet: midpoint generating function, seed 0" in page and "not measured" in page
