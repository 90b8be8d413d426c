"""studies/galaxy_alignments: the tiny study from mocks to page, and how its bars are judged."""

from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
STUDY = "galaxy_alignments"


@pytest.fixture(scope="module")
def study(script, tmp_path_factory):
    """A finished tiny study, and the tables after its first start."""
    folder = tmp_path_factory.mktemp("study")
    words = ("--config", "tiny.toml", "--results", folder / "results", "--docs", folder / "docs", "--out", folder / "out")
    script(*words)
    first = {p.name: p.read_bytes() for p in (folder / "results").iterdir()}
    script(*words)
    return folder, first


def test_page_figures_and_tables(study):
    folder, first = study
    page = (folder / "docs" / "galaxy-alignments.md").read_text(encoding="utf-8")
    for name in ("error-bars", "ranks", "bands", "slice", "sample", "tng300_omega"):
        assert (folder / "docs" / f"galaxy-alignments-{name}.png").read_bytes().startswith(b"\x89PNG")
    for words in (
        "## Bars",
        "Does it know what it does not know?",
        "## A posterior",
        "## A measured omega",
        "Mocks of the simulator with a correlation between the noise of bins",
        "not judged: 1 of at least 3 seeds",
        "All planned parts are here",
    ):
        assert words in page, words
    names = "training between correlated published tng300 tng300_omega bands calibration chains conformal cost direct errors flips judged "
    names += "knowing outside pit posterior rank_chains ranks sample set shards slice speed"
    assert {p.stem for p in (folder / "results").glob("*.csv")} == set(names.split())
    assert first == {p.name: p.read_bytes() for p in (folder / "results").iterdir()}  # a second start finds all done
    speed = pd.read_csv(folder / "results" / "speed.csv").set_index("what")
    assert speed.seconds["mock"] > speed.seconds["alignment_emulator, batched"] > 0


def test_bars_are_judged_by_every_seed(modules):
    bar = modules("write_page").Bar
    of = lambda *values: lambda t: list(values)  # noqa: E731
    assert bar("x", of(1.0, 2.0, 3.0), high=3.0).judged({})[-1] == "met"
    assert bar("x", of(1.0, 6.0, 3.0), high=3.0).judged({})[-1] == "missed by 1 of 3, 2 of the bar"
    assert bar("x", of(0.8, 1.0, 1.0), 0.9, 1.1).judged({})[-1].startswith("missed by 1 of 3")
    assert bar("x", of(1.0), high=3.0).judged({})[-1] == "not judged: 1 of at least 3 seeds"
    assert bar("x", of(1.0), high=3.0, single=True).judged({})[-1] == "met"
    assert bar("x", of(), high=3.0).judged({})[-1] == "not measured"
