"""How often the words on the output are wrong, counted on breakings that were planted: `docs/make_calibration.py` at small size."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import orbitscope as osc
from orbitscope.probe.verdicts._learnt import GAIN

_SPEC = importlib.util.spec_from_file_location("planted", Path(__file__).parent / "planted.py")
assert _SPEC is not None and _SPEC.loader is not None
planted = importlib.util.module_from_spec(_SPEC)
sys.modules["planted"] = planted
_SPEC.loader.exec_module(planted)

KINDS = ["drift", "one component", "random network 1"]
COUNT, DRAWS = 40, 200


@pytest.fixture(scope="module", params=["isotropic", "anisotropic"])
def nursery(request: pytest.FixtureRequest) -> Any:
    return planted.Nursery(planted.population(planted.DATA[request.param], COUNT))


@pytest.mark.parametrize("skill", [0.1, 1.5])
def test_words_are_right_away_from_the_margin_and_rarely_wrong_at_it(nursery: Any, skill: float) -> None:
    """No false alarm at 2 %, no miss from 10 % on, with 8 trajectories; at the margin of 5 % each word in few draws."""
    said = {}
    for share in (0.02, 0.05, 0.1, 0.5):
        rows = []
        for kind in KINDS:
            truth = planted.measure(nursery(kind, share, skill), nursery.data)
            whole = int(truth.measured.member.sum(1).argmax())
            assert truth.share[whole] == pytest.approx(share, rel=0.02)
            drawn = planted.draw(truth, 8, DRAWS, seed=1)
            rows.append((drawn.holds[:, whole].mean(), drawn.broken[:, whole].mean()))
        said[share] = np.array(rows)
    assert said[0.02][:, 1].max() == 0 and said[0.02][:, 0].min() > 0.9
    assert said[0.1][:, 0].max() == 0 and said[0.1][:, 1].min() > 0.85
    assert said[0.5][:, 0].max() == 0 and said[0.5][:, 1].min() == 1
    # The population is its own truth, and at most 2.5 % are expected: 4 standard errors of the mean over the kinds above it.
    limit = 0.025 + 4 * np.sqrt(0.025 * 0.975 / DRAWS)
    assert said[0.05].mean(0).max() < limit


def test_the_vectorised_rules_are_those_of_the_verdict(nursery: Any) -> None:
    """A few of the draws through the public verdict: the same words, subgroup, gain and cost of moving."""
    model = nursery("one component", 0.1, 0.1)
    truth = planted.measure(model, nursery.data)
    result, n, draws = truth.measured.result, 6, 8
    pick = np.argsort(np.random.default_rng([3, n, 0xCA1]).random((draws, COUNT)), axis=1)[:, :n]
    order = np.argsort(result["trajectory"].values, kind="stable")
    drawn = planted.draw(truth, n, draws, seed=3)
    members = truth.measured.member
    names = np.array(truth.measured.names)
    for r in range(draws):
        found = osc.verdict(planted.D4, result.isel(transition=order[pick[r]]))
        assert [w in ("holds", "exact up to rounding") for w in found["output"].values] == drawn.element_holds[r].tolist()
        assert [w == "broken" for w in found["output"].values] == drawn.element_broken[r].tolist()
        assert [w == "broken" for w in found["subgroup_word"].values] == drawn.broken[r].tolist()
        assert found.attrs["holding_subgroup"] == ", ".join(names[members[drawn.learnt[r]]])
        assert ((found["subgroup_gain_low"].values > GAIN) & ~truth.measured.subgroup_exact()).tolist() == drawn.gains[r].tolist()
        costs = [w == "costs" for w in found["moving"].values]
        assert costs[1:] == (drawn.costs[r] & ~truth.measured.element_exact())[1:].tolist()


def test_a_symmetric_error_is_never_called_broken(nursery: Any) -> None:
    """No breaking at all, with and without skill: exact, however few the trajectories."""
    for skill in (0.1, 1.5):
        model = nursery("drift", 0.0, skill)
        for n in (2, 4):
            found = osc.verdict(planted.D4, osc.equivariance(model, nursery.data, "d4", trajectories=n, times=1))
            assert set(found["output"].values) == {"exact up to rounding"} and found.attrs["exact_order"] == 8
            assert found.attrs["learnt_order"] == (8 if skill == 0.1 else 0)


def test_drift_of_an_exact_solver_is_broken_and_averaging_mends_it(nursery: Any) -> None:
    """The case that the ratio of errors passes: the true solver carried off to one side at every step."""
    model = nursery("drift", 1.0, 0.1)
    measured = osc.equivariance(model, nursery.data, "d4", trajectories=8, times=1)
    found = osc.verdict(planted.D4, measured)
    assert found["output"].sel(element="r").item() == "broken" and found.attrs["learnt_subgroup"] == found.attrs["learnt_at_most"]
    assert found.attrs["learnt_order"] == 2 and "Average over D4" in found.attrs["sentence_next"]
    k = int(measured["member"].values.sum(1).argmax())
    assert float(found["subgroup_share"][k]) > 0.999 and float(found["subgroup_gain"][k]) > 0.98
    averaged = osc.symmetrize(model, planted.D4, osc.GridAction(nursery.data.layout, nursery.data.grid))
    left = osc.equivariance(averaged, nursery.data, "d4", trajectories=8, times=1)
    assert float(left["copy_error"][0].sum()) == pytest.approx(
        float((measured["squared_error"] - measured["breaking"])[k].sum()), rel=1e-6, abs=1e-12 * float(measured["copy_error"][0].sum())
    )
