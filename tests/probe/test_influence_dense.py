"""`influence` against the definition written out with dense matrices in numpy, on tiny networks of every kind."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import orbitscope as osc

from ..cases import METRICS, NETWORKS
from ..grid_networks import CHANNELS, POINTS

N_TRAJECTORIES, N_TIMES = 2, 2
GROUP = osc.product(osc.dihedral(4), osc.product(osc.translations(POINTS, 0), osc.translations(POINTS, 1)))
ELEMENTS = ["e", "r·e", "r2·e", "r3·e", "s·e", "sr·e", "sr2·e", "sr3·e", "e·1·0", "e·1·3"]


def hand_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """SMSE of one example, by its formula."""
    total = torch.zeros((), dtype=target.dtype)
    for c in range(target.shape[1]):
        rms = (target[0, c] ** 2).mean().sqrt()
        total = total + ((prediction[0, c] - target[0, c]) ** 2).mean() / (rms + 1e-6)
    return total / target.shape[1]


@dataclass
class Case:
    """A model with everything about it in dense numpy arrays."""

    model: nn.Module
    data: osc.Trajectories
    gradients: dict[str, np.ndarray]  # element -> [N, p]
    losses: dict[str, np.ndarray]  # element -> [N]
    jacobian: np.ndarray  # [outputs, p]


def transitions(data: osc.Trajectories) -> tuple[Tensor, Tensor]:
    """All of them, time-major."""
    values = data.tensor()
    x = torch.stack([values[i, t] for t in range(data.times - 1) for i in range(data.trajectories)])
    y = torch.stack([values[i, t + 1] for t in range(data.times - 1) for i in range(data.trajectories)])
    return x, y


@pytest.fixture(scope="module", params=list(NETWORKS))
def case(request: pytest.FixtureRequest, random_data: Callable[..., osc.Trajectories]) -> Case:
    """Gradients and the Jacobian by plain autograd, one number at a time."""
    torch.manual_seed(7)
    model = NETWORKS[request.param]().double().eval()
    data = random_data("density", "momentum:vector", trajectories=N_TRAJECTORIES, times=N_TIMES + 1, points=POINTS)
    parameters = list(model.parameters())
    assert 15 < sum(p.numel() for p in parameters) < 320
    x, y = transitions(data)
    action = osc.GridAction(data.layout, data.grid)

    def row(value: Tensor, keep: bool = False) -> np.ndarray:
        parts = torch.autograd.grad(value, parameters, retain_graph=keep)  # of a complex parameter: d/d(real) + i d/d(imaginary)
        return torch.cat([(torch.view_as_real(p) if p.is_complex() else p).flatten() for p in parts]).numpy()

    gradients, losses = {}, {}
    for name in ELEMENTS:
        gx, gy = action(GROUP[name], x), action(GROUP[name], y)
        values = [hand_loss(model(a[None]), b[None]) for a, b in zip(gx, gy, strict=True)]
        losses[name] = np.array([v.item() for v in values])
        gradients[name] = np.stack([row(v) for v in values])
    outputs = model(x).flatten()
    jacobian = np.stack([row(o, keep=True) for o in outputs])
    return Case(model, data, gradients, losses, jacobian)


def dense(kets: np.ndarray, bras: np.ndarray, jacobian: np.ndarray | None, damping: float | None) -> tuple[np.ndarray, int, float]:
    """All products [kets, bras] x [kets, bras] in the inverse metric restricted to their span (the identity metric without
    `jacobian`), the dimension of the span, and the condition number of what was inverted (of the Gram matrix in the identity metric)."""
    stack = np.concatenate([kets, bras]).T  # [p, 2N]
    left, singular, _ = np.linalg.svd(stack, full_matrices=False)
    kept = singular > max(stack.shape[1] * np.finfo(np.float64).eps, 1e-7) * singular[0]
    if jacobian is None:
        return stack.T @ stack, int(kept.sum()), float((singular[kept].max() / singular[kept].min()) ** 2)
    assert damping is not None
    basis = left[:, kept]
    eta = jacobian.T @ jacobian / jacobian.shape[0]
    metric = basis.T @ eta @ basis + damping * np.eye(basis.shape[1])
    return stack.T @ basis @ np.linalg.inv(metric) @ basis.T @ stack, int(kept.sum()), float(np.linalg.cond(metric))


def close(found: np.ndarray, expected: np.ndarray) -> None:
    """Within 1e-8, relative to each number, and to the largest where the number is a small difference of large ones."""
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("metric", ["euclidean", "gauss_newton, 1e-6", "gauss_newton"])
def test_influence_is_the_dense_computation(case: Case, metric: str) -> None:
    """Every element, every pair, every normalisation, to 1e-8."""
    damping = METRICS[metric].get("damping")
    found = osc.influence(case.model, case.data, GROUP, elements=ELEMENTS, trajectories=None, times=None, chunk=3, **METRICS[metric])
    n = N_TRAJECTORIES * N_TIMES
    shape = (N_TIMES, N_TRAJECTORIES, N_TIMES, N_TRAJECTORIES)
    apart = np.broadcast_to(np.arange(N_TRAJECTORIES)[:, None, None] != np.arange(N_TRAJECTORIES), shape)
    assert found["influence"].dims == ("element", "bra_time", "bra_trajectory", "ket_time", "ket_trajectory")
    for name in ELEMENTS:
        one = found.sel(element=name)
        whole, rank, condition = dense(case.gradients["e"], case.gradients[name], None if damping is None else case.jacobian, damping)
        cross, diagonal = whole[n:, :n].reshape(shape), whole.diagonal()
        close(one["influence"].values, cross)
        close(one["ket_self"].values.ravel(), diagonal[:n])
        close(one["bra_self"].values.ravel(), diagonal[n:])
        close(one["loss"].values.ravel(), case.losses[name])
        assert int(one["kept_rank"]) == rank
        assert float(one["condition"]) == pytest.approx(condition, rel=1e-5)
        expected = {
            "none": cross,
            "cosine": cross / np.sqrt(np.multiply.outer(diagonal[n:].reshape(shape[:2]), diagonal[:n].reshape(shape[:2]))),
            "trace": cross / diagonal[:n].mean(),
            "frobenius": cross / np.sqrt((cross**2).mean()),
            "standardised": cross / cross[apart].std(),
        }
        close(one["coherence"].values, expected["cosine"])
        for how, values in expected.items():
            close(osc.normalised(found, how).sel(element=name).transpose(*one["influence"].dims).values, values)  # pyright: ignore


def test_influence_is_the_full_inverse_where_the_gradients_span_the_parameters(random_data: Callable[..., osc.Trajectories]) -> None:
    """12 parameters, 18 gradients: nothing is left outside the span, and 6 directions are rounding."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(CHANNELS, CHANNELS, 1), nn.Tanh()).double()
    data = random_data("density", "momentum:vector", trajectories=9, times=2)
    found = osc.influence(model, data, "d4", damping=1e-3, elements=["r"], trajectories=None)
    x, y = transitions(data)
    action, r = osc.GridAction(data.layout, data.grid), osc.dihedral(4)["r"]
    parameters = list(model.parameters())

    def rows(values: list[Tensor]) -> np.ndarray:
        grads = [torch.autograd.grad(v, parameters, retain_graph=True) for v in values]
        return np.stack([torch.cat([p.flatten() for p in g]).numpy() for g in grads])

    kets = rows([hand_loss(model(a[None]), b[None]) for a, b in zip(x, y, strict=True)])
    bras = rows([hand_loss(model(a[None]), b[None]) for a, b in zip(action(r, x), action(r, y), strict=True)])
    jacobian = rows(list(model(x).flatten()))
    inverse = np.linalg.inv(jacobian.T @ jacobian / len(jacobian) + 1e-3 * np.eye(12))
    close(found["influence"].values[0, 0, :, 0, :], bras @ inverse @ kets.T)
    assert found["kept_rank"].item() == 12


def test_another_loss_is_used_for_kets_and_bras(random_data: Callable[..., osc.Trajectories]) -> None:
    """A loss of the caller's own; without a metric the influence is the product of its gradients."""
    torch.manual_seed(0)
    model = nn.Conv2d(2, 2, 1).double()
    data = random_data(trajectories=2, times=2)
    x, y = transitions(data)

    def quartic(prediction: Tensor, target: Tensor) -> Tensor:
        return (prediction - target).pow(4).sum()

    found = osc.influence(model, data, "c2", metric="euclidean", loss=quartic, elements=["e"], trajectories=None)
    rows = []
    for a, b in zip(x, y, strict=True):
        grads = torch.autograd.grad(quartic(model(a[None]), b[None]), list(model.parameters()))
        rows.append(torch.cat([g.flatten() for g in grads]).numpy())
    expected = np.stack(rows) @ np.stack(rows).T
    close(found["influence"].values[0, 0, :, 0, :], expected)
    assert found.attrs["loss"] == "quartic"
    assert math.isnan(found.attrs["pushforward_check"])
