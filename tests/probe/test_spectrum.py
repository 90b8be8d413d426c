"""`spectrum` against dense Jacobians from reverse mode, closed forms, and its own two methods against each other."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.probe.learning._spectrum import spectrum

from ..cases import convolutions

Make = Callable[..., osc.Trajectories]


def by_hand(model: nn.Module, data: osc.Trajectories, found) -> tuple[np.ndarray, np.ndarray]:
    """J J' / M from jacrev over every parameter, and the residual, in the order of all transitions (time-major)."""
    x, y = data.pairs(np.tile(np.arange(data.trajectories), data.times - 1), np.repeat(np.arange(data.times - 1), data.trajectories))
    parameters = dict(model.named_parameters())
    jacobian = torch.func.jacrev(lambda p: torch.func.functional_call(model, p, (x,)))(parameters)
    flat = torch.cat([j.reshape(x.numel(), -1) for j in jacobian.values()], 1).detach().numpy()
    return flat @ flat.T / x.numel(), (y - model(x)).detach().flatten().numpy()


@pytest.mark.parametrize("method", ["dense", "lanczos"])
def test_everything_against_a_dense_jacobian(random_data: Make, method: Literal["dense", "lanczos"]) -> None:
    data, model = random_data(trajectories=2, times=2), convolutions(boundary="zeros")
    dampings = (1e-4, 1e-2, 1.0)
    found = spectrum(model, data, method=method, modes=12, dampings=dampings, probes=24, steps=30, vectors=2, trajectories=None, times=None)
    kernel, residual = by_hand(model, data, found)
    values, vectors = np.linalg.eigh(kernel)
    values, vectors = values[::-1].clip(0), vectors[:, ::-1]
    np.testing.assert_allclose(found["eigenvalue"].values, values[:12], rtol=1e-8)
    share = (vectors.T @ residual) ** 2 / (residual @ residual)
    np.testing.assert_allclose(found["alignment"].values, share[:12], rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(found["aligned"].values, share[:12].cumsum(), rtol=1e-7)
    hat = np.stack([residual @ kernel @ np.linalg.inv(kernel + d * np.eye(len(kernel))) @ residual for d in dampings])
    np.testing.assert_allclose(found["captured"].values, hat / (residual @ residual), rtol=1e-6)
    p = values / values.sum()
    expected = {
        "trace": np.trace(kernel),
        "stable_rank": np.trace(kernel) / values[0],
        "effective_rank": np.exp(-(p[p > 0] * np.log(p[p > 0])).sum()),
        "participation": np.trace(kernel) ** 2 / (kernel**2).sum(),
    }
    freedom = np.array([np.trace(kernel @ np.linalg.inv(kernel + d * np.eye(len(kernel)))) for d in dampings])
    if method == "dense":
        for name, value in expected.items():
            assert float(found[name]) == pytest.approx(value, rel=1e-8) and float(found[f"{name}_error"]) == 0
        np.testing.assert_allclose(found["freedom"].values, freedom, rtol=1e-8)
    else:
        for name, value in expected.items():
            assert abs(float(found[name]) - value) < 4 * float(found[f"{name}_error"]) + 1e-9 * value, name
            assert 0 < float(found[f"{name}_error"]) < 0.1 * value
        assert (abs(found["freedom"].values - freedom) < 4 * found["freedom_error"].values).all()
        assert (found["freedom_error"].values < 0.1 * freedom).all()
    assert float(found["chance"]) == 1 / len(residual) and found.attrs["size"] == len(residual)
    vector = found["vector"].values.reshape(2, -1)
    np.testing.assert_allclose(abs(vector @ vectors[:, :2]), np.eye(2), atol=1e-8)


class Scale(nn.Module):
    """x -> a x: the kernel has one mode, x itself."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(0.5, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.a * x


def test_one_parameter_has_one_mode(random_data: Make) -> None:
    """Eigenvalue |x|^2 / M, alignment the squared cosine of y - a x with x."""
    data = random_data(trajectories=3, times=2)
    found = spectrum(Scale(), data, modes=3, dampings=(1e-12,), trajectories=None, times=None)
    x, y = (data.tensor()[:, t].flatten() for t in (0, 1))
    r = y - 0.5 * x
    cosine = float((r @ x) ** 2 / (r @ r) / (x @ x))
    assert float(found["eigenvalue"][0]) == pytest.approx(float(x @ x) / x.numel()) and found["eigenvalue"][1:].max() < 1e-13
    assert float(found["alignment"][0]) == pytest.approx(cosine) and float(found["captured"][0]) == pytest.approx(cosine)
    for name in ("stable_rank", "effective_rank", "participation"):
        assert float(found[name]) == pytest.approx(1)
    assert float(found["freedom"][0]) == pytest.approx(1, abs=1e-3)


def test_a_bias_per_output_can_fit_anything(random_data: Make) -> None:
    """J is the identity for each example: a flat spectrum of full rank on one example."""

    class Free(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.field = nn.Parameter(torch.zeros(2, 4, 4, dtype=torch.float64))

        def forward(self, x: Tensor) -> Tensor:
            return 0 * x + self.field

    found = spectrum(Free(), random_data(), modes=5, dampings=(1e-9,), trajectories=1, times=1)
    np.testing.assert_allclose(found["eigenvalue"].values, 1 / 32)
    assert float(found["effective_rank"]) == pytest.approx(32) == float(found["participation"])
    assert float(found["captured"][0]) == pytest.approx(1)
    twice = spectrum(Free(), random_data(), modes=5, dampings=(1e-9,), trajectories=2, times=1)
    assert float(twice["effective_rank"]) == pytest.approx(32)  # two examples share the field


def test_gradients_of_the_losses(random_data: Make) -> None:
    """G G' / N from plain backward passes, one example at a time."""
    data, model = random_data(trajectories=3, times=2), convolutions(boundary="zeros")
    found = spectrum(model, data, of="losses", modes=3, dampings=(1e-3,), trajectories=None, times=None)
    rows = []
    for n in range(3):
        loss = osc.smse(model(data.state(n, 0)[None]), data.state(n, 1)[None])
        rows.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))]).numpy())
    g = np.array(rows)
    values, vectors = np.linalg.eigh(g @ g.T / 3)
    np.testing.assert_allclose(found["eigenvalue"].values, values[::-1], rtol=1e-9)
    np.testing.assert_allclose(found["alignment"].values, (vectors[:, ::-1].sum(0)) ** 2 / 3, rtol=1e-8)
    assert found.attrs["method"] == "dense" and found.attrs["of"] == "losses"


def test_float32_and_the_choice_of_method(random_data: Make) -> None:
    data, model = random_data(trajectories=2, times=2, dtype=torch.float32), convolutions(boundary="zeros", dtype=torch.float32)
    dense = spectrum(model, data, modes=4)
    few = spectrum(model, data, modes=4, method="lanczos", probes=2, steps=4)
    assert dense.attrs["method"] == "dense" and few.attrs["method"] == "lanczos"
    np.testing.assert_allclose(few["eigenvalue"].values, dense["eigenvalue"].values, rtol=1e-4)
    assert all(dense[name].attrs["units"] for name in dense.data_vars)
    large = random_data(trajectories=2, times=2, points=24, dtype=torch.float32)
    assert spectrum(model, large, modes=2, probes=2, steps=3).attrs["method"] == "lanczos"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"of": "weights"}, "of"),
        ({"method": "guess"}, "method"),
        ({"modes": 0}, "modes"),
        ({"probes": 1}, "probes"),
        ({"steps": 1}, "steps"),
        ({"vectors": 20}, "vectors"),
        ({"dampings": (0.0,)}, "dampings"),
        ({"dampings": ()}, "dampings"),
        ({"method": "lanczos", "modes": 200}, "modes"),
    ],
)
def test_mistakes_are_named(random_data: Make, options: dict, words: str) -> None:
    with pytest.raises(osc.OrbitscopeError, match=words):
        spectrum(convolutions(boundary="zeros"), random_data(), **options)
    with pytest.raises(osc.OrbitscopeError, match="parameters"):
        spectrum(nn.Identity(), random_data())
