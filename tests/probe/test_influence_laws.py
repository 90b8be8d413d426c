"""What influence must not depend on, what it must be for models of known symmetry, and that its sign says what it claims."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.probe._gradients import example_gradients, gram, pushforward
from orbitscope.probe._subject import Subject

from ..cases import convolutions

Make = Callable[..., osc.Trajectories]


def small(channels: int = 2, seed: int = 0) -> nn.Module:
    return convolutions(channels, last=1, boundary="zeros", act=nn.SiLU, groups=2, seed=seed)


@pytest.mark.parametrize("metric", ["euclidean", "gauss_newton"])
def test_chunks_change_nothing_but_rounding(random_data: Make, metric: str) -> None:
    """1, 3 and 8 examples at a time."""
    model, data = small(), random_data()
    results = [osc.influence(model, data, "c4", metric=metric, chunk=c, trajectories=None, times=None) for c in (1, 3, 8)]
    for other in results[1:]:
        for name in ("influence", "bra_self", "ket_self", "loss", "coherence"):
            np.testing.assert_allclose(
                other[name].values, results[0][name].values, rtol=1e-9, atol=1e-11 * float(abs(results[0][name]).max())
            )


def test_parameter_order_and_frozen_parameters_change_nothing(random_data: Make) -> None:
    """The span has no order; a frozen weight is a weight."""

    class Two(nn.Module):
        def __init__(self, first: str, second: str) -> None:
            super().__init__()
            torch.manual_seed(1)
            layers = {"a": nn.Conv2d(2, 4, 3, padding=1).double(), "b": nn.Conv2d(4, 2, 1).double()}
            self.layers = nn.ModuleDict({k: layers[k] for k in (first, second)})

        def forward(self, x: Tensor) -> Tensor:
            return self.layers["b"](torch.tanh(self.layers["a"](x)))

    data = random_data()
    one = osc.influence(Two("a", "b"), data, "c2")
    two = osc.influence(Two("b", "a").requires_grad_(False), data, "c2")
    np.testing.assert_allclose(one["influence"].values, two["influence"].values, rtol=1e-8)


def test_a_second_call_gives_the_same_bits_and_leaves_the_model_alone(random_data: Make) -> None:
    """Weights, gradients, mode and torch's switches are as before."""
    model, data = small(), random_data()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    fast = torch.backends.mha.get_fastpath_enabled()
    first, second = (osc.influence(model, data, "c2") for _ in range(2))
    assert np.array_equal(first["influence"].values, second["influence"].values)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters()) and model.training
    assert torch.backends.mha.get_fastpath_enabled() == fast


def test_the_seed_chooses_transitions_and_the_result_names_them(random_data: Make) -> None:
    """A pair of coordinates means one pair of transitions, whatever else was probed."""
    model, data = small(), random_data(trajectories=6, times=5)
    few = osc.influence(model, data, "c2", metric="euclidean", trajectories=3, times=2, seed=3)
    everything = osc.influence(model, data, "c2", metric="euclidean", trajectories=None, times=None)
    assert few.sizes["ket_trajectory"] == 3 and few["ket_time"].values.tolist() == [0, 3]
    picked = everything["influence"].sel({n: few[n] for n in ("bra_time", "bra_trajectory", "ket_time", "ket_trajectory")})
    np.testing.assert_allclose(few["influence"].values, picked.values, rtol=1e-10)


def test_gradients_are_those_of_a_plain_loop(random_data: Make) -> None:
    """vmap, chunks and flattening against one backward pass per example."""
    model = small()
    x, y = random_data(trajectories=5, times=2).pairs(np.arange(5), np.zeros(5, dtype=int))
    rows, losses = example_gradients(Subject.of(model), osc.smse, x, y, 2)
    for n in range(5):
        model.zero_grad()
        loss = osc.smse(model(x[n : n + 1]), y[n : n + 1])
        loss.backward()
        torch.testing.assert_close(rows[n], torch.cat([p.grad.flatten() for p in model.parameters()]), rtol=1e-12, atol=1e-14)  # pyright: ignore
        assert losses[n].item() == pytest.approx(loss.item(), rel=1e-13)


def test_pushforward_is_the_jacobian(random_data: Make) -> None:
    """Directions of any size, chunks of the batch of any size, any number of directions together."""
    model = small()
    subject = Subject.of(model)
    x, _ = random_data(trajectories=5, times=2).pairs(np.arange(5), np.zeros(5, dtype=int))
    jacobian = torch.stack(
        [torch.cat([g.flatten() for g in torch.autograd.grad(o, list(model.parameters()), retain_graph=True)]) for o in model(x).flatten()]
    )
    directions = torch.randn(4, subject.count, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for chunk, together in ((1, 8), (2, 1), (8, 3), (8, 4)):
        pushed = pushforward(subject, x, directions, chunk, together)
        torch.testing.assert_close(pushed, directions @ jacobian.T, rtol=1e-10, atol=1e-12)
    assert pushforward(subject, x, directions[:0], 2).shape == (0, x.numel())


def test_memory_order_changes_nothing(random_data: Make) -> None:
    """Channels-last weights, as a GPU wants them: torch's forward-mode group norm fails on what they make of an activation."""
    data = random_data()
    turned = nn.utils.convert_conv2d_weight_memory_format(small(), torch.channels_last)
    plain, last = osc.influence(small(), data, "c2"), osc.influence(turned, data, "c2")
    np.testing.assert_allclose(last["influence"].values, plain["influence"].values, rtol=1e-8)


def test_gram_in_blocks() -> None:
    """Blocks of columns, the last one short; float32 rows are multiplied in float64."""
    a, b = torch.randn(3, 25), torch.randn(4, 25)
    torch.testing.assert_close(gram(a, b, block=7), a.double() @ b.double().T, rtol=1e-13, atol=1e-13)
    assert gram(a, b).dtype == torch.float64


@pytest.mark.parametrize("metric", ["euclidean", "gauss_newton"])
@pytest.mark.parametrize("group", ["d4", "tx4", "tx2*ty2", "c4*tx2*ty2"])
def test_the_group_average_coheres_with_itself_exactly(random_data: Make, group: str, metric: str) -> None:
    """Its loss at gx and at x is one function of the parameters: coherence 1, for an arbitrary model underneath, on every transition."""
    data = random_data("density", "momentum:vector", trajectories=2, times=3)
    parsed = osc.parse_group(group)
    model = osc.symmetrize(small(3), parsed, osc.GridAction(data.layout, data.grid))
    elements = [g.name for g in parsed.elements[:: max(1, len(parsed) // 4)]]
    found = osc.influence(model, data, parsed, metric=metric, elements=elements, times=None)
    same = found["coherence"].values.reshape(len(elements), 4, 4).diagonal(axis1=1, axis2=2)
    np.testing.assert_allclose(same, 1, atol=1e-10)
    np.testing.assert_allclose(found["response"].values, 1, atol=1e-10)


def test_the_control_says_the_same_of_the_average_of_a_model_without_symmetry(random_data: Make) -> None:
    """`control` builds that average itself; the model's own coherence is elsewhere."""
    found = osc.influence(small(), random_data(), "d4", control=True)
    np.testing.assert_allclose(found["control"].values, 1, atol=1e-10)
    assert abs(found["response"].sel(element="r").item()) < 0.9


def test_the_control_of_a_sampled_group_averages_over_its_exact_elements(random_data: Make) -> None:
    """Interpolated angles have no exact average, so they have no control; the quarter turns among them do."""
    found = osc.influence(small(), random_data(), "so2/8", metric="euclidean", control=True)
    exact = np.array([g.is_lattice for g in osc.rotations(8)])
    np.testing.assert_allclose(found["control"].values[exact], 1, atol=1e-10)
    assert np.isnan(found["control"].values[~exact]).all()


def test_a_model_that_commutes_by_construction_coheres_fully(random_data: Make) -> None:
    """Circular convolution and shifts: no averaging, the layers themselves commute."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"), nn.Tanh(), nn.Conv2d(3, 2, 1)).double()
    found = osc.influence(model, random_data(), "tx")
    np.testing.assert_allclose(found["response"].values, 1, atol=1e-10)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_small_step_on_the_ket_lowers_the_loss_of_the_bra_by_its_influence(random_data: Make, sign: float) -> None:
    """Euclidean metric: rate times influence is the decrease, with a slope that tends to 1; a step uphill does the opposite."""
    model, data = small(seed=2), random_data(trajectories=2, times=2)
    group = osc.dihedral(4)
    action = osc.GridAction(data.layout, data.grid)
    x, y = data.pairs([0, 1], [0, 0])
    found = osc.influence(model, data, group, metric="euclidean", trajectories=None)["influence"]
    gradients, _ = example_gradients(Subject.of(model), osc.smse, x, y, 2)
    flat = nn.utils.parameters_to_vector(model.parameters()).detach()
    for name in ("e", "r", "sr2"):
        gx, gy = action.pair(group[name], x, y)
        expected = found.sel(element=name).values[0, :, 0, :]
        slopes = []
        for rate in (1e-3, 1e-6):
            decrease = np.empty((2, 2))
            for ket in range(2):
                with torch.no_grad():
                    before = osc.smse(model(gx), gy, "none")
                    nn.utils.vector_to_parameters(flat - sign * rate * gradients[ket], model.parameters())
                    decrease[:, ket] = before - osc.smse(model(gx), gy, "none")
                    nn.utils.vector_to_parameters(flat, model.parameters())
            slopes.append(decrease / (sign * rate * expected))
        np.testing.assert_allclose(slopes[1], 1, atol=1e-3)
        assert np.abs(slopes[1] - 1).max() < np.abs(slopes[0] - 1).max()


def test_a_gauss_newton_step_lowers_the_loss_by_its_influence(random_data: Make) -> None:
    """The update -chi^-1 grad, put together from dense matrices, and the loss of the bra after it."""
    torch.manual_seed(0)
    model, data = nn.Sequential(nn.Conv2d(2, 2, 1), nn.Tanh()).double(), random_data(trajectories=6, times=2)
    found = osc.influence(model, data, "d4", damping=1e-2, elements=["r"], trajectories=None)
    assert found["kept_rank"].item() == 6  # all parameters: the restriction is exact
    x, y = data.pairs(np.arange(6), np.zeros(6, dtype=int))
    gx, gy = osc.GridAction(data.layout, data.grid).pair(osc.dihedral(4)["r"], x, y)
    subject = Subject.of(model)
    kets, _ = example_gradients(subject, osc.smse, x, y, 8)
    jacobian = pushforward(subject, x, torch.eye(6, dtype=torch.float64), 8).T
    metric = jacobian.T @ jacobian / len(jacobian) + 1e-2 * torch.eye(6, dtype=torch.float64)
    flat, rate = nn.utils.parameters_to_vector(model.parameters()).detach(), 1e-6
    with torch.no_grad():
        before = osc.smse(model(gx), gy, "none")
        nn.utils.vector_to_parameters(flat - rate * torch.linalg.solve(metric, kets[2]), model.parameters())
        decrease = before - osc.smse(model(gx), gy, "none")
    np.testing.assert_allclose(decrease / rate, found["influence"].values[0, 0, :, 0, 2], rtol=1e-3, atol=1e-4)


def test_float32_agrees_with_float64(random_data: Make) -> None:
    """The same weights in single precision: coherence within a thousandth."""
    data = random_data(trajectories=4, times=2)
    double = osc.influence(small(), data, "d4", damping=1e-4)
    single = osc.influence(small().float(), data, "d4", damping=1e-4)
    assert single.attrs["dtype"] == "float32" and double.attrs["dtype"] == "float64"
    np.testing.assert_allclose(single["coherence"].values, double["coherence"].values, atol=1e-3)


def test_forward_mode_is_checked_against_reverse_mode(random_data: Make) -> None:
    """A layer whose own jvp is wrong is refused; the metric that needs no jvp takes it."""

    class Wrong(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x: Tensor) -> Tensor:
            return x * 2

        @staticmethod
        def setup_context(ctx: object, inputs: tuple[object, ...], output: object) -> None: ...

        @staticmethod
        def backward(ctx: object, *grads: Tensor) -> Tensor:
            return grads[0] * 2

        @staticmethod
        def jvp(ctx: object, *tangents: Tensor) -> Tensor:
            return tangents[0] * 3

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 1).double()

        def forward(self, x: Tensor) -> Tensor:
            return Wrong.apply(self.conv(x))  # pyright: ignore

    with pytest.raises(osc.OrbitscopeError, match="disagrees with its reverse-mode derivative"):
        osc.influence(Model(), random_data(), "c2")
    assert np.isfinite(osc.influence(Model(), random_data(), "c2", metric="euclidean")["influence"]).all()
    sound = osc.influence(small(), random_data(), "c2")
    assert sound.attrs["pushforward_check"] < 1e-12


def test_a_metric_of_the_callers_own(random_data: Make) -> None:
    """One small class: twice the euclidean metric halves every influence."""
    from dataclasses import dataclass

    from orbitscope.probe import Response

    @dataclass(frozen=True)
    class Doubled(osc.Metric):
        name = "doubled"

        def response(self, gram: Tensor, pushed: Tensor | None, kets: int, dtype: torch.dtype) -> Response:
            assert pushed is None
            half = gram / 2
            return Response(half[kets:, :kets], half.diagonal()[kets:], half.diagonal()[:kets], len(gram), 1.0)

    plain = osc.influence(small(), random_data(), "c2", metric="euclidean")
    own = osc.influence(small(), random_data(), "c2", metric=Doubled())
    np.testing.assert_allclose(own["influence"].values, plain["influence"].values / 2)
    np.testing.assert_allclose(own["coherence"].values, plain["coherence"].values)
    assert own.attrs["metric"] == "doubled"


def test_attributes_say_sign_settings_and_conventions(random_data: Make) -> None:
    """Nothing about a number is left to memory."""
    found = osc.influence(small(), random_data(), "c2", damping=1e-4)
    assert found.attrs["sign"].startswith("positive = ") and found.attrs["metric"] == "gauss_newton" and found.attrs["damping"] == 1e-4
    assert found.attrs["kind"] == "influence" and found.attrs["order"] == 2 and found.attrs["parameters"] == Subject.of(small()).count
    assert found["influence"].attrs["units"] == "loss^2" and found["coherence"].attrs["units"] == "1"


def test_progress_counts_elements(random_data: Make) -> None:
    """Once per element, up to the number of elements."""
    seen: list[tuple[int, int]] = []
    osc.influence(small(), random_data(), "c4", metric="euclidean", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_interpolated_elements_have_finite_influence(random_data: Make) -> None:
    """An eighth of a turn moves x and y with its own error; the numbers are still numbers."""
    found = osc.influence(small(), random_data(points=8), "so2/8", metric="euclidean", elements=["e", "r"])
    assert np.isfinite(found["influence"]).all()
    assert F.relu(torch.tensor(found["coherence"].max().item() - 1)).item() < 1e-12
