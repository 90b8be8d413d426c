"""Equations of motion against their energies, trajectories against closed forms, and what each system claims of itself."""

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.special import ellipj, ellipk

from orbitscope import OrbitscopeError
from orbitscope.systems.mechanics import BODIES, flow, lyapunov
from orbitscope.systems.mechanics._bodies import EIGHT

RNG = np.random.default_rng(5)


def drawn(body, count=6):
    numbers = body.draw(RNG, count)
    away = 0.01 if body.name == "three-body" else 0.05  # further off the eight, bodies meet and errors grow without measure
    return body.starts(RNG, numbers) + away * RNG.normal(size=(count, 2 * body.pairs)), numbers


@pytest.mark.parametrize("name", sorted(BODIES))
def test_the_equations_are_those_of_the_energy(name):
    body = BODIES[name]
    x, n = drawn(body)
    h, grad = 1e-5, np.empty_like(x)
    for k in range(x.shape[1]):
        e = np.eye(x.shape[1])[k]
        near = [body.energy(x + c * h * e, n) for c in (1, -1, 2, -2)]
        grad[:, k] = (8 * (near[0] - near[1]) - (near[2] - near[3])) / (12 * h)
    d = body.pairs
    wanted = np.concatenate([grad[:, d:], -grad[:, :d]], 1)
    gap = body.rate(x, n, np.zeros((len(x), 1))) - wanted
    if body.conservative:
        assert np.abs(gap).max() < 1e-7
    else:
        assert np.abs(gap[:, :d]).max() < 1e-7 and np.abs(gap[:, d:]).max() > 1e-3  # only the force is another


def test_energy_is_kept_where_it_should_be():
    for name, body in BODIES.items():
        x, n = drawn(body)
        path = flow(body.rate, x, n, [0.0, 5.0, 10.0])
        e = np.stack([body.energy(path[:, k], n) for k in range(3)])
        change = np.abs(e[1:] - e[0]).max() / np.abs(e).max()
        assert change < 1e-9 if body.conservative else change > 1e-3, name


def test_a_pendulum_swings_as_the_elliptic_functions_say():
    amplitude, length, t = np.array([0.4, 1.5, 2.4]), np.array([[0.5], [0.7], [1.0]]), np.linspace(0, 10, 23)
    found = flow(BODIES["pendulum"].rate, np.stack([amplitude, 0 * amplitude], 1), length, t)
    for a, long, path in zip(amplitude, length[:, 0], found, strict=True):
        k, w = np.sin(a / 2), np.sqrt(9.81 / long)
        sn, _, _, _ = ellipj(w * t + ellipk(k**2), k**2)
        assert np.abs(path[:, 0] - 2 * np.arcsin(k * sn)).max() < 1e-8


def test_an_ellipse_is_closed_and_linear_systems_are_exponentials():
    body = BODIES["kepler"]
    n = np.array([[1.0], [1.1]])
    x = np.array([[0.7, 0, 0, np.sqrt(1.3 / 0.7)], [1.0, 0, 0, np.sqrt(1.1)]])  # half axis 1, excentricity .3; a circle
    period = 2 * np.pi / np.sqrt(n[:, 0])
    for k in range(2):
        assert np.abs(flow(body.rate, x[k], n[k], [0, period[k]])[0, 1] - x[k]).max() < 1e-9
    for name in ("springs", "charged"):
        body = BODIES[name]
        x, n = drawn(body, 3)
        path = flow(body.rate, x, n, [7.3])
        for k in range(3):
            matrix = body.rate(np.eye(x.shape[1]), np.repeat(n[k : k + 1], x.shape[1], 0), np.zeros((x.shape[1], 1))).T
            assert np.abs(path[k, 0] - expm(7.3 * matrix) @ x[k]).max() < 1e-8


@pytest.mark.parametrize("name", sorted(BODIES))
def test_declared_motions_commute_with_the_flow(name):
    body = BODIES[name]
    x, n = drawn(body)
    after = flow(body.rate, x, n, [1.0])[:, 0]
    motions = dict(body.motions)
    if body.turns:
        c, s = np.cos(0.7), np.sin(0.7)
        motions["turn"] = (np.kron(np.eye(body.pairs), np.array([[c, -s], [s, c]])).astype(np.float64), 1)
    gaps = {}
    for word, (matrix, sign) in motions.items():
        moved = flow(body.rate, x @ matrix.T, n, [1.0], speed=sign)[:, 0]
        gaps[word] = np.abs(moved - after @ matrix.T).max()
    if body.conservative:
        assert max(gaps.values()) < 1e-9, gaps
    elif name == "damped-pendulum":
        assert gaps["reversal"] > 1e-2 and gaps["mirror"] < 1e-9
    else:
        assert min(gaps.values()) > 1e-2


def test_the_figure_of_eight_is_a_choreography():
    body, third = BODIES["three-body"], 6.32591398 / 3
    q, v = (np.array(w) for w in EIGHT)
    x = np.r_[q, -q, 0, 0, -v / 2, -v / 2, v]
    after = flow(body.rate, x, [[1.0]], [third])[0, 0].reshape(2, 3, 2)
    start = x.reshape(2, 3, 2)
    assert min(np.abs(after - start[:, order]).max() for order in ([1, 2, 0], [2, 0, 1])) < 1e-5  # each stands where another stood
    n = np.array([[0.9]])
    drawn = BODIES["three-body"].starts(np.random.default_rng(0), n)
    assert np.abs(drawn.reshape(2, 3, 2).mean(1)).max() < 1e-12  # the centre of mass rests
    path = flow(body.rate, drawn, n, np.linspace(0, 10, 40))[0]
    assert np.linalg.norm(path[:, :6].reshape(-1, 3, 2), axis=2).max() < 1.6  # and stays together


def test_back_and_forth():
    body = BODIES["double-pendulum-low"]
    x, n = drawn(body)
    there = flow(body.rate, x, n, [3.0])[:, 0]
    assert np.abs(flow(body.rate, there, n, [3.0], speed=-1)[:, 0] - x).max() < 1e-7


def test_order_of_the_solver():
    body = BODIES["pendulum"]
    x, n = np.array([[1.0, 0.0]]), np.array([[0.8]])
    exact = flow(body.rate, x, n, [5.0], tolerance=1e-13)
    gaps = [np.abs(flow(body.rate, x, n, [5.0], tolerance=t) - exact).max() for t in (1e-4, 1e-7, 1e-10)]
    assert gaps[0] > 30 * gaps[1] > 900 * gaps[2]


def test_exponents_of_a_saddle_and_of_regular_motions():
    saddle = lambda x, n, t: np.stack([x[:, 1], n[:, 0] ** 2 * x[:, 0]], 1) * 1.0  # noqa: E731
    found = lyapunov(saddle, np.zeros((2, 2)), np.array([[0.7], [2.0]]), duration=30)
    assert np.allclose(found, [0.7, 2.0], atol=2e-4)
    spring = BODIES["springs"]
    x, n = drawn(spring, 4)
    assert np.abs(lyapunov(spring.rate, x, n, duration=40, step=0.02)).max() < 0.06


def test_what_a_flow_refuses():
    rate = BODIES["pendulum"].rate
    for wrong in ([0.0, -1.0], [1.0, 0.5]):
        with pytest.raises(OrbitscopeError, match="`times`"):
            flow(rate, [[1.0, 0.0]], [[1.0]], wrong)
    with pytest.raises(OrbitscopeError, match="the solver stopped"):
        flow(BODIES["kepler"].rate, [[1.0, 0.0, 0.0, 0.0]], [[1.0]], [2.0])  # falls into the centre
