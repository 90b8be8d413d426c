"""One second moment for a vector: the step turns with the gradient, forbidden weights stay at rounding, plain ones step as ever."""

from typing import Any

import pytest
import torch
from torch import nn

from orbitscope.nn import EquivariantConv, Features, RelaxedResidualConv, RelaxedWeights
from orbitscope.symmetry import Grid, GridAction, Layout, dihedral, special_orthogonal
from orbitscope.training import BlockAdamW, FitConfig, adamw, fit, shared_moments


class Mixed(nn.Module):
    """A plain weight, and two vectors of relaxed weights."""

    def __init__(self) -> None:
        super().__init__()
        self.plain, self.relaxed = nn.Linear(2, 3), RelaxedWeights("1o", cases=2)

    def forward(self, x):
        return self.plain(x) + self.relaxed.theta.sum(0)


def stepped(optimiser, parameters, gradients):
    for rows in gradients:
        for p, g in zip(parameters, rows, strict=True):
            p.grad = g.clone()
        optimiser.step()


def test_only_what_asks_for_it_is_shared_and_the_rest_steps_as_adamw_bit_for_bit():
    assert shared_moments(nn.Linear(2, 2)) == {} and type(adamw(nn.Linear(2, 2))) is torch.optim.AdamW
    torch.manual_seed(0)
    one, other = Mixed(), Mixed()
    other.load_state_dict(one.state_dict())
    assert shared_moments(one) == {2: 1}
    draws = torch.Generator().manual_seed(1)
    gradients = [[torch.randn(p.shape, generator=draws) for p in one.parameters()] for _ in range(5)]
    settings: dict[str, Any] = {"lr": 1e-2, "weight_decay": 1e-2}
    stepped(adamw(one, **settings), list(one.parameters()), gradients)
    stepped(torch.optim.AdamW(other.parameters(), **settings), list(other.parameters()), gradients)
    assert torch.equal(one.plain.weight, other.plain.weight) and torch.equal(one.plain.bias, other.plain.bias)
    assert not torch.allclose(one.relaxed.theta, other.relaxed.theta)


def test_a_vector_steps_as_its_formula_says():
    p = nn.Parameter(torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64))
    start, rate, decay, eps = p.detach().clone(), 0.1, 0.01, 1e-8
    g = [torch.tensor([[3.0, 4.0], [0.0, 1.0]], dtype=torch.float64), torch.tensor([[1.0, 0.0], [2.0, 2.0]], dtype=torch.float64)]
    stepped(BlockAdamW([p], {0: 1}, lr=rate, weight_decay=decay, eps=eps), [p], [[g[0]], [g[1]]])
    m = v = torch.zeros(2, 2, dtype=torch.float64)
    for t, gradient in enumerate(g, 1):
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient.square().mean(1, keepdim=True)
        start = start * (1 - rate * decay) - rate * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + eps)
    assert torch.allclose(p, start, atol=1e-12)


def test_steps_turn_with_the_gradient():
    turn = torch.tensor(special_orthogonal(3).probes(2, seed=3)[1].matrix)
    gradients = torch.randn(20, 1, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ends = []
    for shared in ({0: 1}, {}):
        for matrix in (torch.eye(3, dtype=torch.float64), turn):
            p = nn.Parameter(torch.zeros(1, 3, dtype=torch.float64))
            stepped(BlockAdamW([p], shared, lr=1e-2, weight_decay=1e-3), [p], [[g @ matrix.T] for g in gradients])
            ends.append(p.detach() @ matrix)
    assert torch.allclose(ends[0], ends[1], atol=1e-12) and not torch.allclose(ends[2], ends[3], atol=1e-4)


def trained_on_a_symmetric_set(optimiser) -> tuple[float, float]:
    """Loss and breaking of a residual layer after training on a set that D4 maps onto itself, where a strict layer is the truth."""
    torch.manual_seed(0)
    group = dihedral(4)
    into, out = Features.of(group, "scalar", "vector"), Features.of(group, "vector", "scalar")
    layer, truth = RelaxedResidualConv(into, out, 3).double(), EquivariantConv(into, out, 3).double()
    act = GridAction(Layout.of("s", "v:vector"), Grid.square(6))
    some = torch.randn(2, 3, 6, 6, dtype=torch.float64)
    x = torch.cat([act(g, some) for g in group])
    y, made, loss = truth(x).detach(), optimiser(layer), torch.tensor(0.0)
    for _ in range(120):
        made.zero_grad()
        loss = (layer(x) - y).square().mean()
        loss.backward()
        made.step()
    return float(loss.detach()), max(layer.broken().values())


def test_the_residual_layer_keeps_a_symmetry_of_the_data_where_single_moments_lose_it():
    loss, broken = trained_on_a_symmetric_set(lambda layer: adamw(layer, lr=1e-2))
    assert broken < 1e-12 and loss < 1e-4
    loss, lost = trained_on_a_symmetric_set(lambda layer: torch.optim.AdamW(layer.parameters(), lr=1e-2))
    assert lost > 1e3 * broken and loss < 1e-4


def test_a_training_with_vectors_resumes_bit_for_bit(tmp_path):
    x = torch.randn(24, 2, generator=torch.Generator().manual_seed(0))
    y, config = x @ torch.ones(2, 3), FitConfig(epochs=4, batch=8, learning_rate=1e-2)

    def made() -> nn.Module:
        return Mixed()

    whole = fit(made, (x, y), config, loss="mse", out=tmp_path / "whole", progress=None)

    def stop(seed, epoch, model):
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(made, (x, y), config, loss="mse", out=tmp_path / "cut", progress=None, on_epoch=stop)
    again = fit(made, (x, y), config, loss="mse", out=tmp_path / "cut", progress=None)
    for one, other in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)
