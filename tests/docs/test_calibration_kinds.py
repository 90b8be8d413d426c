"""The words on the output of maps that are no fields are calibrated: a small version of docs/make_calibration_kinds.py, and its page."""

import importlib.util
import json
import sys

import pytest
from blocks import ROOT


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(ROOT / "tests" / "probe"))  # where the script finds its maps, too
    spec = importlib.util.spec_from_file_location("make_calibration_kinds", ROOT / "docs" / "make_calibration_kinds.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_words_on_either_side_of_the_margin(script):
    below, far = (script.words(script.KINDS["policy"], share, 32, 5) for share in (0.002, 0.8))
    assert below == {"holds": 1.0, "broken": 0.0} and far == {"holds": 0.0, "broken": 1.0}


def test_the_planted_share_is_the_share_that_is_measured(script):
    kind = script.KINDS["parts"]
    model = script.Planted(kind, 0, 0.3)
    script.torch.manual_seed(5)
    x = kind.draw(600)
    error = script.osc.equivariance(model, script.osc.Examples(x, kind.truth(*x)), kind.symmetry, trajectories=None, times=None)
    whole = int(error["member"].values.sum(1).argmax())
    assert abs(float(error["breaking"][whole].sum() / error["squared_error"][whole].sum()) - 0.3) < 0.05


def test_the_page_is_that_of_its_numbers(script, tmp_path):
    stored = tmp_path / "docs" / "calibration"
    stored.mkdir(parents=True)
    (stored / "kinds.json").write_text((ROOT / "docs" / "calibration" / "kinds.json").read_text())
    assert script.main(["--page", "--root", str(tmp_path)]) == 0
    assert (tmp_path / "docs" / "calibration-kinds.md").read_text() == (ROOT / "docs" / "calibration-kinds.md").read_text()
    assert json.loads((stored / "kinds.json").read_text())["models"] == script.MODELS
