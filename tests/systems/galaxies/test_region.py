"""The region of the training: the published design is met, what leaves it is named, the cube covers it."""

import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.systems.galaxies import PARAMETERS, Region, RegionWarning

from .standin import design


@pytest.fixture(scope="module")
def region() -> Region:
    return Region(design(2000))


def test_all_points_of_the_training_lie_inside_and_a_box_of_them_does_not(region):
    x = design(2000)
    assert bool(region.contains(x).all())
    low, high = x.amin(0), x.amax(0)
    g = torch.Generator().manual_seed(5)
    box = low + (high - low) * torch.rand(1000, 7, generator=g, dtype=torch.float64)
    assert float(region.contains(box).double().mean()) < 0.6


def test_lines_of_the_design_are_found(region):
    j, m = PARAMETERS.index("logM0"), PARAMETERS.index("logM1")
    assert float(region.slope[j]) == pytest.approx(1.128, abs=0.06) and float(region.slope[m]) == pytest.approx(0.725, abs=0.04)
    assert float(region.slope[0]) == 0 and float(region.slope[6]) == 0  # by chance only
    assert float(region.high[j] - region.low[j]) == pytest.approx(1.6, rel=0.03)


def test_features_are_linear_and_fill_the_same_box(region):
    f = region.features(design(2000))
    assert float(f.abs().max()) == pytest.approx(1, abs=1e-9)
    a, b = design(5, 1), design(5, 2)
    assert torch.allclose(region.features((a + b) / 2), (region.features(a) + region.features(b)) / 2, atol=1e-12)


def test_the_cube_goes_into_the_region_and_reaches_its_corners(region):
    g = torch.Generator().manual_seed(6)
    u = torch.rand(500, 7, generator=g, dtype=torch.float64)
    assert bool(region.contains(region.from_cube(u)).all())
    corners = region.from_cube(torch.tensor([[0.0] * 7, [1.0] * 7], dtype=torch.float64))
    low, high = region.bounds(corners[:, 2])
    others = [k for k in range(7) if k != 2]
    assert torch.allclose(corners[0, others], low[0, others]) and torch.allclose(corners[1, others], high[1, others])


def test_a_parameter_outside_is_named_with_its_interval(region):
    theta = design(3)
    theta[1, 4] += 3
    with pytest.raises(OrbitscopeError, match=r"1 of 3 points lie outside .* in point 1 logM0 = .* at logMmin = "):
        region.check(theta)
    with pytest.warns(RegionWarning, match="extrapolation"):
        region.check(theta, "warn")
    region.check(theta, "ignore")
    assert region.contains(theta).tolist() == [True, False, True]
    assert float(region.excess(theta)[1, 4]) > 0.5
    with pytest.raises(OrbitscopeError, match="NaN"):
        region.check(torch.full((1, 7), float("nan")), "ignore")
    with pytest.raises(OrbitscopeError, match="should end in 7 parameters"):
        region.check(torch.zeros(2, 5))
    with pytest.raises(OrbitscopeError, match="outside: should be"):
        region.check(theta, "perhaps")  # pyright: ignore[reportArgumentType]


def test_fixed_parameters_leave_an_interval_of_the_pivot(region):
    low, high = region.pivot_range({"logM0": 12.5, "alpha": 1.0})
    for p, inside in ((low + 1e-3, True), (high - 1e-3, True), (low - 0.05, False), (high + 0.05, False)):
        least, most = region.bounds(torch.tensor(p, dtype=torch.float64))
        assert bool(least[4] <= 12.5 <= most[4]) is inside
    assert region.pivot_range({"logMmin": 12.3})[0] == pytest.approx(12.3, abs=1e-5)
    with pytest.raises(OrbitscopeError, match="there is no parameter 'b'"):
        region.pivot_range({"b": 1})
    with pytest.raises(OrbitscopeError, match="logM1 = 9 lies outside"):
        region.pivot_range({"logM1": 9.0})
    with pytest.raises(OrbitscopeError, match="beside logM0 = 11.2"):
        region.pivot_range({"logM0": 11.2, "logM1": 14.8})


def test_a_region_needs_points():
    with pytest.raises(OrbitscopeError, match="3 parameter points cannot say"):
        Region(design(3))
    with pytest.raises(OrbitscopeError, match=r"should be parameters \[N, 7\]"):
        Region(torch.zeros(20, 3))
