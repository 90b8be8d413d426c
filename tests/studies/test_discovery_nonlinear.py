"""studies/discovery/nonlinear.py: prolongation beside total derivatives by sympy, known fields of known equations, what holds on maps."""

import numpy as np
import pytest
import torch

STUDY = "discovery"


def test_prolongation_is_that_of_total_derivatives(modules):
    import sympy as sp

    nl = modules("nonlinear")
    x, t = sp.symbols("x t")
    u = sp.sin(x) * (1 + t) + sp.Rational(3, 10) * t * x**2
    place = {x: 0.7, t: 0.4}
    jet = {"x": x, "t": t, "u": u, "p": u.diff(x), "q": u.diff(x, 2), "s": u.diff(t), "r": u.diff(x, t)}
    numbers = {k: np.array([float(sp.sympify(v).subs(place))]) for k, v in jet.items()}
    slopes = [np.array([row]) for row in ([0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0])]
    found = [nl.broken(numbers, some, 2)[0] for some in slopes]
    every = [(part, power) for part in "xtu" for power in nl.powers(3, 2)]
    for column in range(0, len(every), 2):  # sympy is slow; every other field has all kinds
        part, (a, b, c) = every[column]
        move = x**a * t**b * u**c
        xi, tau, phi = (move if part == v else sp.Integer(0) for v in "xtu")
        along = phi - xi * u.diff(x) - tau * u.diff(t)
        eta = [
            along.diff(t) + xi * u.diff(x, t) + tau * u.diff(t, 2), phi, along.diff(x) + xi * u.diff(x, 2) + tau * u.diff(x, t),
            along.diff(x, 2) + xi * u.diff(x, 3) + tau * u.diff(x, 2, t),
        ]  # fmt: skip
        values = [float(sp.sympify(e).subs(place)) for e in eta]
        for some, got in zip(slopes, found, strict=True):
            assert got[column] == pytest.approx(values[0] - some[0] @ values[1:], abs=1e-10)


@pytest.mark.parametrize("name", ["Burgers", "heat", "Burgers with friction (control)"])
def test_known_fields_hold_on_exact_laws_and_others_do_not(modules, name):
    nl = modules("nonlinear")
    j = nl.jets(name, 300, 5)
    slopes = np.stack([
        (-j["p"] if name != "heat" else 0 * j["p"]) - (nl.FRICTION * (1 + 3 * j["u"] ** 2) if "friction" in name else 0.0),
        -j["u"] if name != "heat" else 0 * j["u"], nl.VISCOSITY + 0 * j["u"],
    ], 1)  # fmt: skip
    rates, truth = nl.broken(j, slopes, 2), np.stack(nl.TRUTH[name], 1)
    assert np.abs(rates @ truth).max() < 0.02 < np.abs(rates @ np.random.default_rng(0).normal(size=truth.shape)).max()
    own, other = rates[None], nl.broken(j, np.roll(slopes, 1, 0), 2)[None]
    at = np.stack([j["x"], j["t"], j["u"]], 1)
    breaking, columns = nl.held(own, other, nl.motions(at, 2))
    assert breaking[truth.shape[1] - 1] < 1e-5 < breaking[truth.shape[1]] and nl.angles(columns[:, : truth.shape[1]], truth, at) < 0.1


def test_on_maps_more_fields_hold_the_larger_the_library(modules):
    nl = modules("nonlinear")
    x = torch.randn(4000, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    circle = [nl.on_map(lambda v: v.square().sum(1), x, d) for d in (1, 2, 3)]
    assert circle[0] == 1 and circle[0] < circle[1] < circle[2]
    assert nl.on_map(nl.curved, x, 3) >= 1
