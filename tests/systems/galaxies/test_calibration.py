"""Error bars: an emulator that knows the truth is found to be calibrated, wrong ones are found out, each in its own number."""

import numpy as np
import pytest
import torch
from torch import Tensor

from orbitscope import OrbitscopeError
from orbitscope.data import Examples
from orbitscope.systems.galaxies import calibration, conformal, probability_integral

from .standin import Oracle, mocks, truth


@pytest.fixture(scope="module")
def held_out() -> Examples:
    return mocks(300, 10, seed=77)


def test_the_truth_is_found_to_be_true(held_out):
    found = calibration(Oracle().eval(), held_out)
    assert np.abs(found["coverage"].values - np.array([0.68, 0.95])[:, None, None]).max() < 0.04
    assert float(np.abs(found["chi2"] - 1).max()) < 0.1
    assert float(np.abs(found["aleatoric_ratio"] - 1).max()) < 0.08
    assert float(found["floor_one"].max()) < 1.03 and float(np.abs(found["excess"]).max()) < 0.05
    assert float(np.abs(found["pit"] - 0.05).max()) < 0.025
    assert float(found["percent"].sel(statistic="xi").mean()) < 2.5
    assert np.isnan(found["epistemic_ratio"].values).mean() > 0.8  # no error to be told from noise
    assert found["radius"].attrs["units"] == "Mpc/h"


def test_errors_are_found_without_the_noise_of_the_truth():
    model, quiet = Oracle(bias=1.04).eval(), mocks(300, 6, seed=78, held=True)
    rows = Examples(quiet.x, quiet.y[:2], quiet.unit, quiet.slot, about=quiet.about)
    held, plain = calibration(model, quiet), calibration(model, rows)
    clear = held["clear"].values > 150
    clear[0] = False  # of xi the realisations know no more than their mean
    assert clear[1].sum() > 5
    assert np.abs(held["percent_root"].values[clear] / 4 - 1).max() < 0.3 and float(held["percent_root"].values[clear].mean()) > 3.7
    assert float(plain["percent"].sel(statistic="omega").values[clear[1]].mean()) > 1.5 * 4  # the noise of the mean of six mocks
    omega = held["percent_held"].sel(statistic="omega").values[clear[1]]
    assert (omega < plain["percent"].sel(statistic="omega").values[clear[1]]).all() and omega.mean() < 6
    same = ("percent", "clear", "chi2", "coverage", "aleatoric_ratio")
    assert all(np.array_equal(held[n].values, plain[n].values, equal_nan=True) for n in same)


@pytest.mark.parametrize(("options", "check"), [
    ({"noise": 0.5}, lambda f: float(f["coverage"].sel(level=0.68).mean()) < 0.45 and float(f["chi2"].mean()) > 3),
    ({"noise": 0.5}, lambda f: abs(float(f["aleatoric_ratio"].mean()) - 0.5) < 0.05),
    ({"noise": 2.0}, lambda f: float(f["coverage"].sel(level=0.68).mean()) > 0.9 and float(f["chi2"].mean()) < 0.3),
    ({"bias": 1.3}, lambda f: float(f["floor_one"].sel(statistic="xi").mean()) > 2 and float(f["percent"].sel(statistic="xi").mean()) > 25),
    ({"off": 0.5}, lambda f: abs(float(f["excess"].mean()) - 0.25) < 0.06),
    ({"off": 0.5, "says": 0.5}, lambda f: abs(float(f["epistemic_ratio"].mean()) - 1) < 0.15),
    ({"off": 0.5, "says": 0.1}, lambda f: float(f["epistemic_ratio"].mean()) < 0.3),
])  # fmt: skip
def test_what_is_wrong_is_found_out(options, check, held_out):
    assert check(calibration(Oracle(**options).eval(), held_out))


def test_probability_integral_is_that_of_scipy_and_none_where_there_is_nothing(held_out):
    from scipy.stats import norm

    model = Oracle(says=0.4).eval()
    value = held_out.y.clone() if isinstance(held_out.y, Tensor) else held_out.y[0]
    value[5, :, 3] = torch.tensor([-1.0, 0.0, 0.0])
    found = probability_integral(model, Examples(held_out.x, value, held_out.unit, held_out.slot))
    assert bool(torch.isnan(found[5, 1:, 3]).all()) and bool(torch.isfinite(found[5, 0, 3]))
    assert isinstance(held_out.x, Tensor)
    mean, noise = truth(held_out.x[:4])
    slow = np.mean([norm.cdf(value[:4], mean + s * 0.4 * noise / 2**0.5, noise) for s in (-1, 1)], 0)
    assert np.abs(found[:4].numpy() - slow).max() < 1e-10


def test_conformal_intervals_cover_what_they_should_whatever_the_bars_say(held_out):
    model = Oracle(noise=0.4).eval()
    assert float(calibration(model, held_out)["coverage"].sel(level=0.68).mean()) < 0.4
    made = conformal(model, mocks(300, 4, seed=5), 0.68)
    assert float((made.coverage(held_out) - 0.68).abs().max()) < 0.07
    low, high = made.interval(held_out.x[:3])  # pyright: ignore[reportArgumentType]
    assert bool((low < high).all()) and low.shape == (3, 3, 20)
    assert float(made.factor.mean()) == pytest.approx(2.5, rel=0.1)
    with pytest.raises(OrbitscopeError, match="cannot reach a level of 0.999"):
        conformal(model, mocks(20, 4), 0.999)
    with pytest.raises(OrbitscopeError, match="`level` should lie"):
        conformal(model, held_out, 1.2)


def test_single_realisations_tell_no_noise():
    with pytest.raises(OrbitscopeError, match="at least 4 realisations"):
        calibration(Oracle().eval(), mocks(30, 2))
