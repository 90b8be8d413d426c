"""A measured omega: what the package holds of it, and strengths from omega against a slow likelihood and mocks of its own."""

import numpy as np
import pytest

from orbitscope import OrbitscopeError
from orbitscope.systems.galaxies import (
    HaloConfig,
    alignment_amplitude,
    fit_strengths,
    make_halos,
    mock_statistics,
    populate,
    tng300_omega,
)  # fmt: skip


def test_the_measured_vector_is_whole():
    found = tng300_omega()
    assert len(found.omega) == len(found.edges) - 1 == len(found.variance) == 14 and (found.omega > 0).all()
    np.testing.assert_allclose(found.theta(0.1, 0.2), [0.1, 0.2, 11.61, 0.26, 11.8, 12.6, 1.0])


def test_the_fit_is_the_slow_likelihood():
    rng = np.random.default_rng(0)
    parts, omega, variance = 0.05 * rng.normal(size=(5, 9)), 0.02 * rng.normal(size=9), rng.uniform(1e-4, 4e-4, 9)
    omega[4] = np.nan
    found = fit_strengths(omega, variance, parts)
    used = np.isfinite(omega)
    slow = np.empty((len(found.grid),) * 2)
    for i, c in enumerate(found.grid):
        for j, s in enumerate(found.grid[::40]):
            model = alignment_amplitude(float(c)) * parts[0] + alignment_amplitude(float(s)) * parts[1]
            slow[i, 40 * j] = ((omega - model)[used] ** 2 / variance[used]).sum()
    ratio = np.log(found.density[:, ::40]) + slow[:, ::40] / 2
    assert found.bins == 8 and np.ptp(ratio) < 1e-8
    assert found.chi2 == pytest.approx(((omega - found.predicted)[used] ** 2 / variance[used]).sum(), rel=1e-10)
    with pytest.raises(OrbitscopeError, match="two bins|bins have a value"):
        fit_strengths(np.full(9, np.nan), variance, parts)


def test_strengths_of_a_mock_come_back():
    halos = make_halos(0, HaloConfig(box=60.0, grid=24, lightest=2e11))
    theta = [0.8, 0.5, 12.0, 0.3, 11.6, 12.9, 1.0]
    held = np.mean([mock_statistics(populate(halos, theta, 1, index=k))[1] for k in range(4)], 0)
    rows = np.array([mock_statistics(populate(halos, theta, 2, index=k))[0][1] for k in range(12)])
    found = fit_strengths(rows.mean(0), rows.var(0, ddof=1) / len(rows), held)
    assert (np.abs(found.mean - [0.8, 0.5]) < 4 * found.deviation + 0.05).all() and (found.deviation < 0.4).all()
    assert abs(found.mean[1] - 0.5) < 0.1 and found.chi2 < 60
