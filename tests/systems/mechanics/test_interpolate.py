"""Gaussian processes in time against the textbook's formulas, and where their deviations are right."""

import numpy as np
import pytest

from orbitscope import OrbitscopeError
from orbitscope.systems.mechanics import gaussian_process
from orbitscope.systems.mechanics._interpolate import JITTER, SCALES

T = np.array([0.0, 0.4, 0.9, 1.2, 2.0])
AT = np.array([0.2, 1.0, 1.9])
RNG = np.random.default_rng(3)


def near(a, b, scale):
    return np.exp(-((a - b) ** 2) / (2 * scale**2))


def slow(y, rates, noise):
    """Every length in turn, dense inverses, derivatives of the covariance by differences of exact ones; one curve."""
    step, centre = np.diff(T).mean(), y.mean()
    size = np.sqrt(((y - centre) ** 2).mean())
    data = (y - centre) / size
    if rates is not None:
        data = np.r_[data, rates * step / size]
    best, found = -np.inf, (data, data)
    for scale in SCALES * step:
        a, b, c = T[:, None], T[None, :], AT[:, None]
        matrix, cross = near(a, b, scale), near(c, b, scale)
        if rates is not None:
            along = [step * (u - b) / scale**2 * near(u, b, scale) for u in (a, c)]  # derivative at the second time
            both = step**2 * (1 / scale**2 - (a - b) ** 2 / scale**4) * matrix
            matrix = np.block([[matrix, along[0]], [along[0].T, both]])
            cross = np.block([[cross, along[1]]])
        matrix = matrix + ((noise / size) ** 2 + JITTER) * np.eye(len(matrix))
        inverse = np.linalg.inv(matrix)
        amplitude = data @ inverse @ data / len(data)
        likelihood = -0.5 * len(data) * np.log(amplitude) - 0.5 * np.linalg.slogdet(matrix)[1]
        if likelihood > best:
            left = amplitude * (1 - np.einsum("ij,jk,ik->i", cross, inverse, cross))
            best, found = likelihood, (centre + size * cross @ inverse @ data, size * np.sqrt(np.maximum(left, 0)))
    return found


@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize("sloped", [False, True])
def test_a_process_is_that_of_the_textbook(noise, sloped):
    y = RNG.normal(size=(3, 5, 2)) + [1.0, 20.0]
    rates = RNG.normal(size=y.shape) if sloped else None
    mean, spread = gaussian_process(T, y, AT, rates, noise)
    assert mean.shape == spread.shape == (3, 3, 2)
    for n in range(3):
        for d in range(2):
            want, width = slow(y[n, :, d], None if rates is None else rates[n, :, d], noise)
            assert np.abs(mean[n, :, d] - want).max() < 1e-6 and np.abs(spread[n, :, d] - width).max() < 1e-6


def test_known_values_and_slopes_are_met():
    t = np.linspace(0, 6, 25)
    y, v = np.sin(t)[None, :, None], np.cos(t)[None, :, None]
    mean, spread = gaussian_process(t, y, t, v)
    assert np.abs(mean - y).max() < 1e-5 and spread.max() < 1e-3
    fine = np.linspace(0, 6, 241)
    plain, told = (np.abs(gaussian_process(t, y, fine, r)[0][0, :, 0] - np.sin(fine)).max() for r in (None, v))
    assert told < 1e-5 and plain < 1e-2 and told < plain


def test_deviations_are_those_of_curves_of_the_process():
    t, at = np.arange(20.0), np.array([2.5, 9.3, 17.9])
    every = np.r_[t, at]
    cover = np.exp(-0.5 * ((every[:, None] - every) / 1.3) ** 2) + 1e-9 * np.eye(len(every))
    curves = (np.linalg.cholesky(cover) @ np.random.default_rng(0).normal(size=(len(every), 400))).T
    mean, spread = gaussian_process(t, curves[:, :20, None], at)
    u = np.abs((curves[:, 20:] - mean[..., 0]) / spread[..., 0])
    assert 0.5 < (u < 1).mean() < 0.75 and 0.8 < (u < 2).mean() < 0.97  # lengths are found from twenty points: somewhat too sure


@pytest.mark.parametrize(
    "call",
    [
        lambda: gaussian_process([0.0], np.zeros((1, 1, 1)), AT),
        lambda: gaussian_process([0.0, 0.0], np.zeros((1, 2, 1)), AT),
        lambda: gaussian_process(T, np.zeros((1, 4, 1)), AT),
        lambda: gaussian_process(T, np.zeros((5, 1)), AT),
        lambda: gaussian_process(T, np.ones((1, 5, 1)), AT, np.ones((1, 5, 2))),
    ],
)
def test_what_is_refused(call):
    with pytest.raises(OrbitscopeError, match="gaussian_process"):
        call()
