"""The interval of Wilson."""

import numpy as np
import pytest
from scipy.stats import binomtest

from orbitscope import OrbitscopeError
from orbitscope.systems.manipulation import wilson


@pytest.mark.parametrize("k,n", [(0, 5), (5, 5), (38, 40), (50, 100), (1, 1000)])
def test_it_is_that_of_scipy(k, n):
    wanted = binomtest(k, n).proportion_ci(method="wilson")
    assert np.allclose(wilson(k, n), (wanted.low, wanted.high), atol=1e-12)


@pytest.mark.parametrize("k,n", [(1, 0), (-1, 5), (6, 5)])
def test_impossible_counts_are_refused(k, n):
    with pytest.raises(OrbitscopeError, match="successes <= trials"):
        wilson(k, n)
