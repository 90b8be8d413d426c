"""Networks of other people: what torch's batches of derivatives refuse is measured example by example, and what has no gradient is said."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import orbitscope as osc
from orbitscope.probe import open_probe, save_probe
from orbitscope.training import to_precision

from ..narrow import variable

Make = Callable[..., osc.Trajectories]


class Net(nn.Module):
    """Two convolutions and in between whatever the test says."""

    def __init__(self, between: Callable[["Net", Tensor], Any]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 2, 3, padding=1)
        self.between = between
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.tanh(self.between(self, x)))


def plain(net: Net, x: Tensor) -> Tensor:
    return net.a(x)


def writes(net: Net, x: Tensor) -> Tensor:
    out = torch.zeros(len(x), 4, *x.shape[2:], dtype=x.dtype)
    out[:, :4] = net.a(x)
    return out


def looks(net: Net, x: Tensor) -> Tensor:
    h = net.a(x)
    return h if h.sum().item() < 1e9 else h * 2


def branches(net: Net, x: Tensor) -> Tensor:
    h = net.a(x)
    return h if h.sum() < 1e9 else h * 2


def masked(net: Net, x: Tensor) -> Tensor:
    h = net.a(x)
    h = h.clone()
    h[h < -1e9] = 0.0
    return h


def reentrant(net: Net, x: Tensor) -> Tensor:
    return checkpoint(net.a, x, use_reentrant=True)


def checkpointed(net: Net, x: Tensor) -> Tensor:
    return checkpoint(net.a, x, use_reentrant=False)


@pytest.mark.parametrize("between", [writes, looks, branches, masked, reentrant, checkpointed], ids=lambda f: f.__name__)
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")  # torch's, about the reentrant kind under no_grad
@pytest.mark.parametrize("metric", ["euclidean", "gauss_newton"])
def test_the_numbers_are_those_of_the_same_function_written_plainly(random_data: Make, between: Callable[..., Tensor], metric: str) -> None:
    data = random_data()
    found, expected = (osc.influence(Net(f), data, "c2", metric=metric)["influence"].values for f in (between, plain))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())


def test_a_recurrent_network_is_probed(random_data: Make) -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.net = nn.GRU(2, 2, batch_first=True).double()

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x.flatten(2).mT)[0].mT.reshape(x.shape)

    model, data = Recurrent(), random_data()
    found = osc.influence(model, data, "c2", elements=["e"], metric="euclidean", trajectories=None, times=1)
    rows = []
    for n in range(data.trajectories):
        x, y = (data.tensor()[n, t][None].double() for t in (0, 1))
        loss = osc.smse(model(x), y)
        rows.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))]))
    dense = torch.stack(rows) @ torch.stack(rows).T
    np.testing.assert_allclose(found["influence"].values.reshape(dense.shape), dense.numpy(), rtol=1e-8)


def test_randomness_is_no_reason_for_a_loop() -> None:
    from orbitscope.probe._gradients import over_examples

    with pytest.raises(RuntimeError, match="random"):
        over_examples(lambda x: x + torch.randn_like(x), (0,))(torch.zeros(3, 2))


def without_grad(net: Net, x: Tensor) -> Tensor:
    with torch.no_grad():
        return net.a(x)


class Frozen(Net):
    """Nothing that it computes knows the weights."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return super().forward(x)


class Cached(nn.Module):
    """Its filter is a buffer in eval(), as in equivariant libraries."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.norm = nn.Parameter(torch.randn(2, 2, 3, 3)), nn.GroupNorm(1, 2)
        self.double().eval()

    def train(self, mode: bool = True) -> "Cached":
        if not mode:
            self.register_buffer("filter", self.weight.detach().clone())
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(nn.functional.conv2d(x, self.weight if self.training else self.get_buffer("filter"), padding=1))


@pytest.mark.parametrize("metric", ["euclidean", "gauss_newton"])
def test_missing_gradients_are_said(random_data: Make, metric: str) -> None:
    data = random_data()
    with pytest.raises(osc.OrbitscopeError, match="no gradient reaches its parameters"):
        osc.influence(Frozen(plain), data, "c2", metric=metric)
    with pytest.raises(osc.OrbitscopeError, match=r"gradients reach weight in train\(\) only"):
        osc.influence(Cached(), data, "c2", metric=metric)
    found = osc.influence(Net(without_grad), data, "c2", metric=metric)
    assert json.loads(found.attrs["without_gradient"]) == ["a.weight", "a.bias"]
    words = osc.verdict(osc.cyclic(2), osc.equivariance(Net(without_grad), data, "c2"), found)
    assert "No gradient reaches 2 parameter tensors" in words.attrs["sentence_learning"] and "a.bias" in words.attrs["sentence_learning"]


def test_rounding_that_reaches_a_tensor_in_train_is_no_cached_filter(random_data: Make) -> None:
    class Barely(Net):
        def __init__(self) -> None:
            super().__init__(plain)
            self.scrap = nn.Parameter(torch.ones(1, dtype=torch.float64))  # a key by itself, in attention: what reaches it is rounding

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + (1e-18 * self.scrap if self.training else 0)

    found = osc.influence(Barely().eval(), random_data(), "c2", metric="euclidean", elements=["e"], trajectories=2, times=1)
    assert json.loads(found.attrs["without_gradient"]) == ["scrap"]


def test_what_was_measured_before_is_kept(random_data: Make, tmp_path) -> None:
    tree = osc.examine(Frozen(plain), random_data(), "c2")
    save_probe(tree, tmp_path / "p.nc")
    node = open_probe(tmp_path / "p.nc")["C2"]
    assert "influence" not in node.children and node["verdict"].attrs["sentence_learning"].startswith("Not measured: model: no gradient")
    assert float(variable(node, "equivariance/commutator").max()) > 0
    none = osc.examine(Net(plain), random_data(), "c2", osc.ProbeConfig(trajectories=None, times=None, influence_elements=0))["C2"]
    assert none["equivariance"].sizes["transition"] == random_data().trajectories * (random_data().times - 1)
    assert "influence" not in none.children and "switched off" in none["verdict"].attrs["sentence_learning"]


def test_short_formats_are_measured_in_float32(random_data: Make) -> None:
    data = random_data(dtype=torch.float32)
    short = Net(plain).bfloat16()
    found, same = (osc.influence(m, data, "c2") for m in (short, to_precision(Net(plain).bfloat16(), torch.float32)))
    assert found.attrs["dtype"] == "float32" and next(short.parameters()).dtype == torch.bfloat16
    np.testing.assert_array_equal(found["influence"], same["influence"])


def test_wrappers_lazy_modules_and_odd_answers(random_data: Make) -> None:
    data = random_data()
    inside, wrapped = (osc.influence(m, data, "c2", metric="euclidean") for m in (Net(plain), nn.DataParallel(Net(plain))))
    np.testing.assert_array_equal(inside["influence"], wrapped["influence"])
    for model, match in (
        (nn.LazyConv2d(2, 1).double(), "has no shape yet"),
        (Net(lambda n, x: n.a(x)["missing"]), "fails on a batch"),
        (Net(lambda n, x: n.nothing), "called with one tensor"),
    ):
        with pytest.raises(osc.OrbitscopeError, match=match):
            osc.equivariance(model, data, "c2")
    for cast in (torch.Tensor.long, lambda t: torch.complex(t, t)):
        net = Net(plain)
        net.register_forward_hook(lambda m, i, o, cast=cast: cast(o))
        with pytest.raises(osc.OrbitscopeError, match="real floating-point numbers"):
            osc.equivariance(net, data, "c2")


def test_complex_weights_keep_their_imaginary_parts() -> None:
    class Complex(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w, self.v = nn.Parameter(torch.randn(3, dtype=torch.complex64)), nn.Parameter(torch.randn(3))

    model = Complex()
    kept = model.w.detach().clone()
    to_precision(model, torch.float64)
    assert model.w.dtype == torch.complex128 and model.v.dtype == torch.float64 and torch.equal(model.w.to(torch.complex64), kept)
    assert to_precision(model, torch.float32).w.dtype == torch.complex64


@pytest.mark.parametrize("shared", ["module", "parameter"])
def test_tied_weights_count_once(random_data: Make, shared: str) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.first, self.second = nn.Conv2d(2, 2, 1).double(), nn.Conv2d(2, 2, 1).double()
            if shared == "module":
                self.second = self.first
            else:
                self.second.weight, self.second.bias = self.first.weight, self.first.bias

        def forward(self, x: Tensor) -> Tensor:
            return self.second(torch.tanh(self.first(x)))

    model, data = Tied(), random_data()
    found = osc.influence(model, data, "c2", elements=["e"], metric="euclidean", trajectories=1, times=1)
    x, y = (data.tensor()[int(found["ket_trajectory"][0]), t][None].double() for t in (0, 1))
    gradient = torch.cat([g.flatten() for g in torch.autograd.grad(osc.smse(model(x), y), list(model.parameters()))])
    assert found.attrs["parameters"] == 6
    np.testing.assert_allclose(found["influence"].values.ravel(), float(gradient @ gradient), rtol=1e-9)
