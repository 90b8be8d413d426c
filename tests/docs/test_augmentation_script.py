"""benchmarks/augmentation.py: what is built in learns equally from every moved copy, a plain network does not; and the page says so."""

import importlib.util
import json
import shutil
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
from blocks import ROOT


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("augmentation", ROOT / "benchmarks" / "augmentation.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["augmentation"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["augmentation"]


def holds(rows: list[dict]) -> None:
    """Proposition 1 to rounding in float64, Corollary 2 to rounding in float32 as training grows it; neither for the plain network."""
    plain = next(row for row in rows if row["network"] == "resnet")
    assert plain["gradient"] > 0.1 and plain["weights"] > 1e-3
    strict = [row for row in rows if row["network"].startswith("equivariant")]
    assert len(strict) == 2
    for row in strict:
        assert row["gradient"] < 1e-11 and row["weights"] < 0.01 * plain["weights"], row


def test_the_page_says_what_was_measured(script: ModuleType) -> None:
    found = json.loads((ROOT / script.RESULT).read_text(encoding="utf-8"))
    page = (ROOT / script.PAGE).read_text(encoding="utf-8")
    assert page.split(script.BEGIN)[1].split(script.END)[0].strip() == script.block(found)
    holds(found["rows"])


def test_the_script_runs_and_the_proposition_holds(script: ModuleType, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On fewer and coarser flows, into a copy; what is not between the markers stays."""
    for name, value in (("POINTS", 8), ("TRAJECTORIES", 5), ("EPOCHS", 2)):
        monkeypatch.setattr(script, name, value)
    (tmp_path / script.PAGE).parent.mkdir(parents=True)
    shutil.copy(ROOT / script.PAGE, tmp_path / script.PAGE)
    assert script.main(["--root", str(tmp_path)]) == 0
    before, after = ((root / script.PAGE).read_text(encoding="utf-8") for root in (ROOT, tmp_path))
    assert after.split(script.BEGIN)[0] == before.split(script.BEGIN)[0] and after.split(script.END)[1] == before.split(script.END)[1]
    holds(json.loads((tmp_path / script.RESULT).read_text(encoding="utf-8"))["rows"])
