"""Losses of the bra side by hand, and the step test: what an influence predicts is what the step does."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import orbitscope as osc
from orbitscope.probe import bra_loss, step_test

from ..cases import METRICS, convolutions
from ..cases import metric as told

Make = Callable[..., osc.Trajectories]


def _flow(points: int = 8, name: str = "navier-stokes.gauss", equation: str = "navier-stokes") -> osc.Trajectories:
    states = torch.cat([c for _, c in osc.simulate(name, trajectories=3, resolution=points, frames=3, t_end=0.1, dtype=torch.float64)])
    law = osc.equation(equation)
    provenance = {"equation": law.name, "parameters": law.parameters}
    return osc.Trajectories(states, law.layout, law.grid(points), dt=0.05, provenance=provenance)


def test_drifts_are_their_formulas() -> None:
    data = _flow(name="euler.riemann", equation="euler")
    x, y = data.pairs([0], [0])
    guess = y + 0.1 * torch.randn(y.shape, generator=torch.Generator().manual_seed(0), dtype=y.dtype)
    x, y = x.double(), y.double()
    mass = float(((guess[0, 0].mean() - x[0, 0].mean()) / x[0, 0].mean()) ** 2)
    energy = float(((guess[0, 3].mean() - x[0, 3].mean()) / x[0, 3].mean()) ** 2)
    moved = guess[0, 1:3].mean((1, 2)) - x[0, 1:3].mean((1, 2))
    momentum = float((moved**2).sum() / (x[0, 1:3] ** 2).sum(0).mean())
    for name, expected in (("mass", mass), ("energy", energy), ("momentum", momentum)):
        assert float(bra_loss(name, data)(guess, y, x)) == pytest.approx(expected, rel=1e-10), name
    flow = _flow()
    a, b = (v.double() for v in flow.pairs([1], [0]))
    kinetic = [0.5 * float((v**2).sum(1).mean()) for v in (1.1 * b, a)]
    assert float(bra_loss("energy", flow)(1.1 * b, b, a)) == pytest.approx((kinetic[0] / kinetic[1] - 1) ** 2, rel=1e-10)


@pytest.mark.parametrize(("shape", "extent"), [((6,), (2.0,)), ((6, 5), (1.0, 3.0)), ((4, 5, 3), (1.0, 2.0, 0.5))])
def test_divergence_is_its_formula(shape: tuple[int, ...], extent: tuple[float, ...]) -> None:
    """Against dense derivative matrices, made from cosines and sines mode by mode, in one to three dimensions."""
    d, rng = len(shape), np.random.default_rng(0)
    guess, truth = rng.normal(size=(2, d, *shape))

    def slope(field: np.ndarray, axis: int) -> np.ndarray:
        n, matrix = shape[axis], np.zeros((shape[axis], shape[axis]))
        for m in range(1, (n + 1) // 2):  # the derivative of cos is -k sin, of sin k cos; the mode n/2 has none on the cells
            k, phase = 2 * np.pi * m / extent[axis], 2 * np.pi * m * np.arange(n) / n
            matrix += 2 / n * k * (np.outer(np.cos(phase), np.sin(phase)) - np.outer(np.sin(phase), np.cos(phase)))
        return np.moveaxis(np.tensordot(matrix, field, (1, axis)), 0, axis)

    above = np.mean(sum(slope(guess[i], i) for i in range(d)) ** 2)
    below = np.mean(sum(slope(truth[j], i) ** 2 for i in range(d) for j in range(d)))
    state = torch.as_tensor(np.concatenate([np.ones((1, *shape)), truth]))[None]
    data = osc.Trajectories(
        state[:, None], osc.Layout.of("density", "velocity:vector", ndim=d), osc.Grid(shape, extent, ("periodic",) * d), 1.0
    )
    other = torch.cat([state[:, :1], torch.as_tensor(guess)[None]], 1)
    assert float(bra_loss("divergence", data)(other, state)) == pytest.approx(above / below, rel=1e-10)


def test_divergence_and_residual_vanish_for_the_truth_and_not_for_a_swapped_field() -> None:
    flow = _flow(16)
    x, y = (v.double() for v in flow.pairs([0], [0]))
    divergence, residual = bra_loss("divergence", flow), bra_loss("residual", flow)
    assert float(divergence(y, y)) < 1e-20 and float(divergence(y.flip(1), y)) > 1e-2
    truth = residual.targets(x, y)  # type: ignore[attr-defined]
    assert float(residual(y, truth)) < 1e-6 and float(residual(x, truth)) > 1e-3


@pytest.mark.parametrize("name", ["mass", "momentum", "energy", "residual"])
def test_losses_are_invariant_under_the_group(name: str) -> None:
    data = _flow(name="euler.riemann", equation="euler")
    x, y = (v.double() for v in data.pairs([0], [0]))
    guess = 0.9 * y
    loss: Any = bra_loss(name, data)
    action = osc.GridAction(data.layout, data.grid)
    values = []
    for g in osc.dihedral(4):
        gx, gy, gp = action(g, x), action(g, y), action(g, guess)
        target = loss.targets(gx, gy) if hasattr(loss, "targets") else gy
        values.append(float(loss(gp, target, gx) if getattr(loss, "needs_state", False) else loss(gp, target)))
    np.testing.assert_allclose(values, values[0], rtol=1e-9)


def test_unknown_and_missing_quantities_are_refused() -> None:
    flow = _flow()
    for name, word in (("mass", "density"), ("charge", "no loss")):
        with pytest.raises(osc.OrbitscopeError, match=word):
            bra_loss(name, flow)
    with pytest.raises(osc.OrbitscopeError, match="provenance"):
        bra_loss("residual", osc.Trajectories(flow.tensor(), flow.layout, flow.grid, flow.dt))


def test_another_bra_loss_changes_the_bras_alone() -> None:
    """Influence = grad(bra loss) . grad(ket loss), written out; the identity is no longer its own ket."""
    data, model = _flow(name="euler.riemann", equation="euler"), convolutions(4, last=1, seed=1)
    found = osc.influence(model, data, "c2", metric="euclidean", bra_loss="mass", trajectories=None, times=None, elements=["e", "r"])
    x, y = (v.double() for v in data.pairs([0, 1, 2] * 2, [0, 0, 0, 1, 1, 1]))
    action, group, loss = osc.GridAction(data.layout, data.grid), osc.cyclic(2), bra_loss("mass", data)

    def rows(values: list[torch.Tensor]) -> np.ndarray:
        return np.stack([torch.cat([p.flatten() for p in torch.autograd.grad(v, list(model.parameters()))]).numpy() for v in values])

    kets = rows([osc.smse(model(a[None]), b[None]) for a, b in zip(x, y, strict=True)])
    for name in ("e", "r"):
        gx, gy = action(group[name], x), action(group[name], y)
        bras = rows([loss(model(a[None]), b[None], a[None]) for a, b in zip(gx, gy, strict=True)])
        one = found.sel(element=name)
        np.testing.assert_allclose(one["influence"].values.reshape(6, 6), bras @ kets.T, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(one["bra_self"].values.ravel(), (bras**2).sum(1), rtol=1e-8)
    assert found.attrs["loss"] == "smse" and found.attrs["bra_loss"] == "mass"


@pytest.mark.parametrize("metric", [m for m in METRICS if m != "gauss_newton, 1e-6"])
def test_the_step_does_what_the_influence_says(metric: str) -> None:
    data, model = _flow(), convolutions(last=1, seed=1)
    said, errors = told(metric, model), []
    for relative in (1e-2, 1e-4):
        found = step_test(model, data, "d4", elements=["e", "r", "sr"], kets=3, relative=relative, **said)
        gap = float(np.abs(found["measured"] - found["predicted"]).max() / np.abs(found["predicted"]).max())
        errors.append(gap)
    assert errors[1] < 1e-3 and errors[1] < errors[0] / 30  # the error of a linear prediction is of first order in the step
    assert float(found["correlation"]) > 0.999999 and float(found["slope"]) == pytest.approx(1.0, abs=1e-3)
    own = found["predicted"].sel(element="e").values[0, 0]
    assert own == pytest.approx(-1e-4 * float(found["loss"].sel(element="e")[0]), rel=1e-8)


def test_step_test_predicts_from_the_influence_of_the_same_metric() -> None:
    data, model = _flow(), convolutions(last=1, seed=1)
    steps = step_test(model, data, "d4", elements=["r"], trajectories=3, times=2, kets=6, damping=1e-4)
    found = osc.influence(model, data, "d4", elements=["r"], trajectories=3, times=2, damping=1e-4)
    predicted, expected = steps["predicted"].values[0], found["influence"].values[0].reshape(6, 6).T  # [ket, bra]
    ratio = predicted / expected
    np.testing.assert_allclose(ratio, np.repeat(ratio[:, :1], 6, axis=1), rtol=1e-6)


def test_step_test_refuses_what_it_cannot_do() -> None:
    data, model = _flow(), convolutions(last=1, seed=1)
    for options, word in (({"relative": 0.0}, "relative"), ({"kets": 0}, "kets")):
        with pytest.raises(osc.OrbitscopeError, match=word):
            step_test(model, data, "d4", **options)  # type: ignore[arg-type]


def test_the_residual_sees_the_box_of_the_data() -> None:
    """The same flow in a box twice as large, velocities too: exactly the solver's there, and not in a box that was told wrongly."""
    flow = _flow(16)
    x, y = (v.double() for v in flow.pairs([0], [0]))
    boxes = {}
    for length in (2.0, 1.0):
        grid = osc.Grid(flow.grid.shape, (length, length), flow.grid.boundary)
        loss = bra_loss("residual", osc.Trajectories(2 * flow.tensor(), flow.layout, grid, flow.dt, provenance=flow.provenance))
        boxes[length] = float(loss(2 * y, loss.targets(2 * x, 2 * y)))  # type: ignore[attr-defined]
    assert boxes[2.0] < 1e-6 < 1e-3 < boxes[1.0]
