"""The transfer test against plain torch loops, to first order against the influences, and the blocks of elements."""

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from scipy.stats import spearmanr
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.emulators import kept_optimiser
from orbitscope.probe import Adam
from orbitscope.probe.learning._blocks import clustered
from orbitscope.probe.learning._transfer import correlations

from ..cases import convolutions

Make = Callable[..., osc.Trajectories]
NAMES = ("e", "r", "s")


def net(seed: int = 3) -> nn.Module:
    return convolutions(hidden=3, last=1, seed=seed)


def copies(data: osc.Trajectories, name: str) -> tuple[Tensor, Tensor]:
    """All transitions of the data under an element, time by time."""
    values, action = data.tensor(), osc.GridAction(data.layout, data.grid)
    x, y = (torch.stack([values[i, t + d] for t in range(values.shape[1] - 1) for i in range(len(values))]) for d in (0, 1))
    return action.pair(osc.dihedral(4)[name], x, y)


def mean_loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return torch.stack([osc.smse(model(a[None]), b[None]) for a, b in zip(x, y, strict=True)]).mean()


@pytest.fixture(scope="module")
def data(random_data: Make) -> tuple[osc.Trajectories, osc.Trajectories]:
    return random_data(trajectories=3, times=3), random_data(trajectories=2, times=3, seed=1)


def run(model: nn.Module, data: tuple[osc.Trajectories, osc.Trajectories], **options: object):
    options = {"elements": list(NAMES), "trajectories": None, "times": None, "batch": 100, **options}
    return osc.transfer_test(model, *data, "d4", **options)  # type: ignore[arg-type]


def test_one_small_step_of_descent_is_the_sum_of_influences(data) -> None:
    """Against dense gradients; and the realised change departs from it by the second order: half the step, a quarter of the gap."""
    model, gaps = net(), []
    grads = {}
    for part, one in zip(("train", "test"), data, strict=True):
        for g in NAMES:
            found = torch.autograd.grad(mean_loss(model, *copies(one, g)), list(model.parameters()))
            grads[part, g] = torch.cat([f.flatten() for f in found])
    for rate in (2e-3, 1e-3):
        found = run(model, data, optimiser=lambda p, rate=rate: torch.optim.SGD(p, lr=rate), steps=1)
        gap = 0.0
        for g in NAMES:
            for h in NAMES:
                one = found.sel(ket_element=g, bra_element=h)
                expected = float(grads["train", g] @ grads["test", h])
                assert float(one["influence"]) == pytest.approx(expected, rel=1e-9, abs=1e-12)
                assert float(one["sign_ket"]) == pytest.approx(float(grads["train", g].sign() @ grads["test", h]), rel=1e-9, abs=1e-12)
                gap = max(gap, abs(float(one["realised"]) - rate * expected))
        gaps.append(gap)
        assert found.attrs["moments"] == "fresh" and "SGD" in found.attrs["optimiser"]
    assert gaps[1] < 0.3 * gaps[0] and gaps[0] < 0.2 * 2e-3 * max(abs(float(v)) for v in found["influence"].values.ravel())


def test_kept_moments_are_kept(data) -> None:
    """Three steps of a warmed-up Adam equal a plain torch loop from the same state, and not those of a fresh one; nothing is touched."""
    model = net()
    adam = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(5):
        adam.zero_grad()
        (100 * mean_loss(model, *copies(data[0], "e"))).backward()
        adam.step()
    weights, state = copy.deepcopy(model.state_dict()), copy.deepcopy(adam.state_dict())
    found = run(model, data, optimiser=adam, steps=3)
    assert found.attrs["moments"] == "kept" and found.attrs["batch"] == 6
    for g in NAMES:
        tuned = net()
        tuned.load_state_dict(weights)
        other = torch.optim.Adam(tuned.parameters(), lr=1e-2)
        other.load_state_dict(copy.deepcopy(state))
        for _ in range(3):
            other.zero_grad()
            mean_loss(tuned, *copies(data[0], g)).backward()
            other.step()
        for h in NAMES:
            with torch.no_grad():
                expected = float(mean_loss(model, *copies(data[1], h)) - mean_loss(tuned, *copies(data[1], h)))
            assert float(found["realised"].sel(ket_element=g, bra_element=h)) == pytest.approx(expected, rel=1e-8)
    fresh = run(model, data, optimiser=lambda p: torch.optim.Adam(p, lr=1e-2), steps=3)
    assert float(np.abs(fresh["realised"] - found["realised"]).max()) > 1e-3 * float(np.abs(found["realised"]).max())
    assert all(torch.equal(a, weights[k]) for k, a in model.state_dict().items())
    after = adam.state_dict()
    assert all(torch.equal(after["state"][k][n], v) for k, one in state["state"].items() for n, v in one.items())


def test_batches_are_the_same_for_all_elements_and_follow_the_seed(data) -> None:
    model, random_state = net(), torch.get_rng_state()
    one, two, other = (run(model, data, batch=2, steps=2, seed=s, blocks=dict.fromkeys(NAMES, "all")) for s in (0, 0, 1))
    assert one.equals(two) and not np.array_equal(one["realised"], other["realised"])
    assert torch.equal(torch.get_rng_state(), random_state)
    off = ~np.eye(3, dtype=bool)
    for k, name in enumerate(one["predictor"].values):
        expected = spearmanr(one[str(name)].values[off], one["realised"].values[off])[0]
        assert float(one["correlation"][k]) == pytest.approx(expected)
        assert float(one["correlation_within"][k]) == pytest.approx(expected)  # one block: all pairs
    assert one["error"].values == pytest.approx(np.tile(one["loss_before"].values, (3, 1)))
    np.testing.assert_allclose(one["realised_share"], one["realised"] / one["loss_before"])


def test_several_horizons_are_one_training_and_predictions_are_taken_as_they_are(data) -> None:
    """After 1 and 3 steps as in trainings of 1 and 3; a predictor of one's own is correlated; what does not fit is named."""
    model, blocks = net(), dict.fromkeys(NAMES, 0)
    shown = osc.probe.transfer_predictions(model, data[0], data[1], "d4", elements=list(NAMES), trajectories=None, times=None)
    both = run(model, data, batch=4, steps=(3, 1), predictions=shown)
    assert both["steps"].values.tolist() == [1, 3] and both.attrs["steps"] == [1, 3]
    for steps in (1, 3):
        alone = run(model, data, batch=4, steps=steps)
        xr.testing.assert_equal(both.sel(steps=steps, drop=True), alone)
        assert alone.attrs["metric"] == both.attrs["metric"] == "euclidean"
    mine = xr.Dataset({"mine": both["realised"].sel(steps=3, drop=True)})
    found = run(model, data, batch=4, steps=3, predictions=mine, blocks=blocks)
    assert found["predictor"].values.tolist() == ["mine"] and float(found["correlation"][0]) == pytest.approx(1)
    for options, words in (
        ({"predictions": mine}, "name `blocks`"), ({"predictions": mine.sel(bra_element=["e"])}, "bra_element that names"),
        ({"predictions": mine.rename(mine="realised"), "blocks": blocks}, "hold realised"),
    ):  # fmt: skip
        with pytest.raises(osc.OrbitscopeError, match=words):
            run(model, data, **options)


@pytest.mark.parametrize("metric", ["euclidean", "gauss_newton"])
def test_predictions_are_those_of_dense_algebra(data, metric: str) -> None:
    """Means of gradients, the metric on their span, cosines, and distances to the nearest training copy, each by itself."""
    model, names = net(), ["influence", "cosine", "sign_ket", "error", "distance"]
    found = osc.probe.transfer_predictions(model, *data, "d4", metric=metric, predictors=names, elements=list(NAMES), times=None)  # type: ignore[arg-type]
    assert set(found.data_vars) == set(names)
    mean = {}
    for part, one in zip(("train", "test"), data, strict=True):
        for g in NAMES:
            grad = torch.autograd.grad(mean_loss(model, *copies(one, g)), list(model.parameters()))
            mean[part, g] = torch.cat([f.flatten() for f in grad])
    inverse = torch.eye(len(mean["train", "e"]), dtype=torch.float64)
    if metric == "gauss_newton":
        keys, values = list(zip(*model.named_parameters(), strict=True))

        def answers(*parameters: Tensor) -> Tensor:
            return torch.func.functional_call(model, dict(zip(keys, parameters, strict=True)), (copies(data[0], "e")[0],)).flatten()

        slopes = torch.autograd.functional.jacobian(answers, tuple(values))
        jacobian = torch.cat([s.flatten(1) for s in slopes], 1)
        basis = torch.linalg.svd(torch.stack(list(mean.values())).T, full_matrices=False)[0]
        metric_ = basis.T @ jacobian.T @ jacobian @ basis / len(jacobian) + 1e-6 * torch.eye(basis.shape[1], dtype=torch.float64)
        inverse = basis @ torch.linalg.inv(metric_) @ basis.T
    for g in NAMES:
        for h in NAMES:
            one, k, b = found.sel(ket_element=g, bra_element=h), mean["train", g], mean["test", h]
            assert float(one["influence"]) == pytest.approx(float(b @ inverse @ k), rel=1e-6, abs=1e-12)
            assert float(one["cosine"]) == pytest.approx(
                float(b @ inverse @ k / ((b @ inverse @ b) * (k @ inverse @ k)).sqrt()), rel=1e-6, abs=1e-9
            )
            near = [min(float((x - z).norm()) for z in copies(data[0], g)[0]) for x in copies(data[1], h)[0]]
            assert float(one["distance"]) == pytest.approx(-sorted(near)[(len(near) - 1) // 2])
    both = osc.probe.transfer_predictions(
        model, data[0], data[1], "d4", metric=("euclidean", metric), predictors=["influence"], elements=list(NAMES), times=None
    )
    name = "influence" if metric == "euclidean" else f"influence_{metric}"
    np.testing.assert_array_equal(both[name], found["influence"])
    with pytest.raises(osc.OrbitscopeError, match="'luck'"):
        osc.probe.transfer_predictions(model, *data, "d4", predictors=["luck"])  # type: ignore[list-item]


def test_correlations_within_blocks_leave_out_what_two_clusters_explain() -> None:
    """Two blocks, and inside each the prediction is turned round."""
    rng, block = np.random.default_rng(0), np.array([0, 0, 0, 1, 1, 1, 2])
    realised = rng.normal(size=(7, 7))
    together = block[:, None] == block[None, :]
    whole, each, pairs = correlations(realised + 100 * together, {"p": 100 * together - realised}, block)
    assert whole[0] > 0.2 and each[0, :2] == pytest.approx([-1, -1]) and np.isnan(each[0, 2])
    assert pairs.tolist() == [6, 6, 0]


def test_wrong_arguments_are_named(data, random_data: Make) -> None:
    model = net()
    other = torch.optim.SGD(net().parameters(), lr=0.1)
    for options, words in (
        ({"steps": 0}, "`steps`"), ({"batch": 0}, "`batch`"), ({"elements": ["e"]}, "at least two"),
        ({"optimiser": other}, "not the model's"),
        ({"optimiser": lambda p: 3}, "function of the parameters"), ({"optimiser": torch.optim.SGD(model.parameters(), lr=0.0)}, "rate"),
        ({"blocks": {"e": 0}}, "in which block r is"), ({"steps": [4, 0]}, "`steps`"), ({"steps": []}, "`steps`"),
        ({"optimiser": lambda p: torch.optim.SGD(p, lr=1e300), "steps": 3}, "not finite"),
    ):  # fmt: skip
        with pytest.raises(osc.OrbitscopeError, match=words):
            run(model, data, **options)
    with pytest.raises(osc.OrbitscopeError, match="differ in grid"):
        osc.transfer_test(model, data[0], random_data(points=8), "d4")


def test_the_optimiser_of_a_run_is_the_one_it_stopped_with(random_data: Make, tmp_path: Path) -> None:
    """Its second moments are those of the Adam metric; an annealed rate of 0 becomes the peak; another model is refused."""
    data = random_data(trajectories=6, times=3, points=8, dtype=torch.float32)
    config = osc.TrainConfig(model="resnet", overrides={"width": 4, "depth": 1}, epochs=2, batch=4, devices=1)
    osc.train(data, config, tmp_path / "run")
    model = osc.load_run(tmp_path / "run", "last").model
    found = kept_optimiser(tmp_path / "run", model)
    assert found.param_groups[0]["lr"] > 0 and kept_optimiser(tmp_path / "run", model, learning_rate=0.5).param_groups[0]["lr"] == 0.5
    moments = Adam.from_run(tmp_path / "run").moments
    for name, p in model.named_parameters():
        state = found.state[p]
        assert torch.allclose(state["exp_avg_sq"] / (1 - 0.999 ** float(state["step"])), moments[name])
    shown = osc.transfer_test(model, data, data, "c4", optimiser=found, steps=1, trajectories=2, times=1)
    assert shown.attrs["moments"] == "kept"
    with pytest.raises(osc.OrbitscopeError, match="other parameters"):
        kept_optimiser(tmp_path / "run", net())


def test_coherence_between_all_elements_is_that_of_dense_gradients(data) -> None:
    model, one = net(), data[0]
    found = osc.coherence_blocks(model, one, "d4", elements=list(NAMES), trajectories=None, times=None)
    rows = {}
    for g in NAMES:
        x, y = copies(one, g)
        grads = [torch.autograd.grad(osc.smse(model(a[None]), b[None]), list(model.parameters())) for a, b in zip(x, y, strict=True)]
        rows[g] = torch.stack([torch.cat([p.flatten() for p in v]) for v in grads])
        rows[g] = rows[g] / rows[g].norm(dim=1, keepdim=True)
    for g in NAMES:
        for h in NAMES:
            values = (rows[h] @ rows[g].T).numpy().reshape(2, 3, 2, 3)
            same = [values[t, i, t, i] for t in range(2) for i in range(3)]
            other = [values[t, i, t, j] for t in range(2) for i in range(3) for j in range(3) if i != j]
            at = found.sel(bra_element=h, ket_element=g)
            assert float(at["coherence"]) == pytest.approx(np.median(same), abs=1e-10)
            assert float(at["null"]) == pytest.approx(np.median(other), abs=1e-10)
    influence = osc.influence(model, one, "d4", elements=list(NAMES), metric="euclidean", trajectories=None, times=None)
    np.testing.assert_allclose(found["coherence"].sel(ket_element="e"), influence["response"], atol=1e-10)
    single = osc.coherence_blocks(model, one, "d4", trajectories=1, times=1)
    assert np.isnan(single["null"]).all() and np.isfinite(single["coherence"]).all()
    for options, words in (({"threshold": 2.0}, "threshold"),):
        with pytest.raises(osc.OrbitscopeError, match=words):
            osc.coherence_blocks(model, one, "d4", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("within", "between", "expected"),
    [(0.6, 0.0, [0, 0, 1, 1, 0]), (0.6, -0.3, [0, 0, 1, 1, 0]), (0.9, 0.5, [0, 0, 0, 0, 0]), (0.9, 0.1, [0, 0, 1, 1, 0])],
)
def test_blocks_of_planted_matrices(within: float, between: float, expected: list[int]) -> None:
    labels = np.array([0, 0, 1, 1, 0])
    planted = np.where(labels[:, None] == labels[None, :], within, between) + 0.01 * np.cos(np.arange(25)).reshape(5, 5)
    planted = (planted + planted.T) / 2
    np.fill_diagonal(planted, 1.0)
    found, cut = clustered(planted)
    assert found.tolist() == expected and between < within and -1 < cut < 1
    assert clustered(planted, -1.0)[0].tolist() == [0] * 5


def test_without_sharing_every_element_is_a_block_of_its_own() -> None:
    noise = 0.03 * np.random.default_rng(0).normal(size=(6, 6))
    assert clustered((noise + noise.T) / 2 + np.eye(6))[0].tolist() == list(range(6))
    assert clustered(np.ones((1, 1)))[0].tolist() == [0]
