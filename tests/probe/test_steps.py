"""Roll-outs, epochs, lags and classes against plain loops."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.probe import Unrolled, equivariance_by_step, influence_by_step
from orbitscope.probe._epochs import EpochProbe, by_epoch
from orbitscope.probe.learning._lags import by_class, by_lag, join_classes, lag_correlation, spearman

from ..cases import convolutions

Make = Callable[..., osc.Trajectories]


def crooked(channels: int = 2) -> nn.Module:
    return convolutions(channels, 3, boundary="zeros")


def turned(v: np.ndarray) -> np.ndarray:
    u, w = (np.rot90(c, 1, (0, 1)) for c in v)
    return np.stack([-w, u])


def test_roll_outs_by_a_plain_loop(random_data: Make) -> None:
    data, model = random_data(trajectories=3, times=4), crooked()
    found = equivariance_by_step(model, data, "c4", start=1, elements=["r"], trajectories=None, batch=2).sel(element="r")
    f = lambda v: model(torch.from_numpy(v.copy())[None])[0].detach().numpy()  # noqa: E731
    values = data.tensor().numpy()
    assert found["step"].values.tolist() == [1, 2]
    smse = lambda y, p: float(osc.smse(torch.from_numpy(p.copy())[None], torch.from_numpy(y.copy())[None]))  # noqa: E731
    for n in range(3):
        x = values[int(found["trajectory"][n]), 1]
        plain, moved = x, turned(x)
        for k in (1, 2):
            plain, moved, y = f(plain), f(moved), values[int(found["trajectory"][n]), 1 + k]
            gap = np.linalg.norm(moved - turned(plain)) / np.linalg.norm(plain)
            assert float(found["commutator"].sel(step=k)[n]) == pytest.approx(gap, rel=1e-10)
            assert float(found["relative_error"].sel(step=k)[n]) == pytest.approx(smse(turned(y), moved) / smse(y, plain), rel=1e-9)
            assert float(found["skill"].sel(step=k)[n]) == pytest.approx(smse(y, plain) / smse(y, x), rel=1e-9)
    slope = np.log((found["commutator"].sel(step=2) / found["commutator"].sel(step=1)).values)
    np.testing.assert_allclose(found["growth"].values, slope, rtol=1e-9)


def test_the_first_step_is_the_equivariance_error(random_data: Make) -> None:
    data, model = random_data(trajectories=4, times=2), crooked()
    steps = equivariance_by_step(model, data, "d4", trajectories=None)
    one = osc.equivariance(model, data, "d4", trajectories=None, times=None)
    for name in ("commutator", "relative_error"):
        np.testing.assert_allclose(steps[name].sel(step=1).values, one[name].values, rtol=1e-10, atol=1e-14)
    average = osc.symmetrize(model, osc.dihedral(4), osc.GridAction(data.layout, data.grid))
    found = equivariance_by_step(average, random_data(times=4), "d4")
    assert found["commutator"].max() < 1e-13 and np.isnan(found["growth"]).all()


def test_influence_of_a_roll_out(random_data: Make) -> None:
    """f applied twice by hand, on every second state."""
    data, model = random_data(trajectories=3, times=5), crooked()

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.f = model

        def forward(self, x: Tensor) -> Tensor:
            return self.f(self.f(x))

    found = influence_by_step(model, data, "c2", (1, 2), times=2, metric="euclidean")
    strided = osc.Trajectories(data.tensor()[:, ::2], data.layout, data.grid, dt=2 * data.dt)
    for k, one in (
        (1, osc.influence(model, data, "c2", times=2, metric="euclidean")),
        (2, osc.influence(Twice(), strided, "c2", times=2, metric="euclidean")),
    ):
        for name in ("response", "null", "excess", "excess_low"):
            np.testing.assert_allclose(found[name].sel(step=k).values, one[name].values, rtol=1e-10)
    x = data.state(0, 0)[None]
    assert torch.equal(Unrolled(model, 3)(x), model(model(model(x))))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, osc.Trajectories, EpochProbe]:
    """Two seeds, two epochs, with checkpoints and a probe watching."""
    values = torch.cat([chunk for _, chunk in osc.simulate("navier-stokes.sines", trajectories=8, resolution=12, frames=4, t_end=0.2)])
    data = osc.Trajectories(values, osc.Layout.of("velocity:vector"), osc.Grid.square(12), dt=0.2 / 3)
    out = tmp_path_factory.mktemp("runs") / "two"
    watch = EpochProbe(data, "c2", trajectories=3, times=1, metric="euclidean")
    config = osc.TrainConfig(
        model="resnet", overrides={"width": 4, "depth": 1, "kernel": 3}, epochs=2, batch=8, seeds=(0, 1), keep="all", device="cpu"
    )
    osc.train(data, config, out, progress=None, tensorboard=False, on_epoch=watch)
    return out, data, watch


def test_checkpoints_and_the_callback_agree(trained: tuple[Path, osc.Trajectories, EpochProbe]) -> None:
    """One reading is that of `equivariance` and `influence`; reading from disk gives what was seen while training."""
    out, data, watch = trained
    live, disk = watch.result(), by_epoch(out, data, "c2", trajectories=3, times=1, metric="euclidean")
    assert (
        disk["epoch"].values.tolist() == [0, 1, 2]
        and disk["seed"].values.tolist() == [0, 1]
        and disk["element"].values.tolist() == ["e", "r"]
    )
    for name in live.data_vars:
        np.testing.assert_allclose(live[name].values, disk[name].values, rtol=1e-3, atol=1e-5, err_msg=str(name))
    model = osc.load_run(out / "seed-1", 2).model
    error = osc.equivariance(model, data, "c2", trajectories=3, times=1)
    np.testing.assert_allclose(disk["commutator"].sel(seed=1, epoch=2), error["commutator"].median("transition"), rtol=1e-6)
    response = osc.influence(model, data, "c2", trajectories=3, times=1, metric="euclidean")
    np.testing.assert_allclose(disk["excess"].sel(seed=1, epoch=2), response["excess"], rtol=1e-5)
    assert disk["validation"].sel(epoch=2).notnull().all() and disk["learning_rate"].sel(epoch=0).isnull().all()
    assert by_epoch(out / "seed-0", data, "c2", epochs=[2], trajectories=2, times=1, coherence=False).sizes["epoch"] == 1
    assert all(disk[name].attrs.get("units") for name in disk.data_vars)


def test_watching_changes_no_bit(trained: tuple[Path, osc.Trajectories, EpochProbe], tmp_path: Path) -> None:
    """Even a callback that draws random numbers and leaves gradients behind."""
    out, data, _ = trained
    kept = osc.load_run(out / "seed-0").config

    def meddle(seed: int, epoch: int, model: nn.Module) -> None:
        assert not model.training and seed == 0
        torch.rand(epoch + 3)
        model(data.state(0, 0)[None]).sum().backward()
        seen.append(epoch)

    seen: list[int] = []
    osc.train(data, kept, tmp_path / "watched", progress=None, tensorboard=False, on_epoch=meddle)
    osc.train(data, kept, tmp_path / "alone", progress=None, tensorboard=False)
    assert seen == [0, 1, 2]
    for name in ("last.safetensors", "model.safetensors", "checkpoints/epoch-0001.safetensors"):
        assert (tmp_path / "watched" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


def made_up(times: int = 3, count: int = 4, seed: int = 0) -> xr.Dataset:
    """Coherences with a known law: exp(-lag) within a trajectory, times a factor of its own; noise of mean 0.1 between."""
    rng = np.random.default_rng(seed)
    t = np.arange(times) * 2
    lag = np.abs(t[:, None] - t[None, :])
    values = 0.1 + 0.01 * rng.standard_normal((2, times, count, times, count))
    for i in range(count):
        values[:, :, i, :, i] = np.exp(-0.3 * lag) * (1 - 0.1 * i)
    dims = ("element", "bra_time", "bra_trajectory", "ket_time", "ket_trajectory")
    coords = {"element": ["e", "r"], "bra_time": t, "ket_time": t, "bra_trajectory": np.arange(count), "ket_trajectory": np.arange(count)}
    return xr.Dataset({"coherence": (dims, values)}, coords)


def test_lags_by_a_plain_loop() -> None:
    result = made_up()
    found = by_lag(result, resamples=200)
    values = result["coherence"].values
    assert found["lag"].values.tolist() == [0, 2, 4] and found["pairs"].values.tolist() == [12, 16, 8]
    for e in range(2):
        for j, lag in enumerate((0, 2, 4)):
            same, other = [], []
            for a in range(3):
                for b in range(3):
                    if abs(2 * a - 2 * b) == lag:
                        for i in range(4):
                            for k in range(4):
                                (same if i == k else other).append(values[e, a, i, b, k])
            assert float(found["same"][e, j]) == pytest.approx(np.median(same))
            assert float(found["different_high"][e, j]) == pytest.approx(np.quantile(other, 0.75))
            assert float(found["excess"][e, j]) == pytest.approx(np.median(same) - np.median(other))
    assert (found["excess_low"] <= found["excess"] + 1e-12).all() and (found["excess"] <= found["excess_high"] + 1e-12).all()
    assert found["same"].attrs["units"] == "1"


def test_lag_zero_is_the_response_of_influence(random_data: Make) -> None:
    result = osc.influence(crooked(), random_data(trajectories=3, times=4), "c2", metric="euclidean")
    np.testing.assert_allclose(by_lag(result, resamples=20)["same"].sel(lag=0).values, result["response"].values)
    np.testing.assert_allclose(by_lag(result, resamples=20)["different"].sel(lag=0).values, result["null"].values)


def test_classes_by_a_plain_loop(random_data: Make) -> None:
    joined, labels = join_classes(
        {"a": random_data(trajectories=5, times=3, seed=1), "b": random_data(trajectories=2, times=3, seed=2)}, per_class=3
    )
    assert labels.tolist() == ["a", "a", "a", "b", "b"] and joined.trajectories == 5
    source = random_data(trajectories=2, times=3, seed=2).tensor()
    assert any(torch.equal(joined.tensor()[4], one) for one in source) and not torch.equal(joined.tensor()[3], joined.tensor()[4])
    result = osc.influence(crooked(), joined, "c2", metric="euclidean", trajectories=None, times=None)
    found = by_class(result, labels)
    values = result["coherence"].values
    for a, (name, rows) in enumerate((("a", range(3)), ("b", range(3, 5)))):
        for b, (other, columns) in enumerate((("a", range(3)), ("b", range(3, 5)))):
            picked = [values[1, 0, i, 1, k] for i in rows for k in columns if i != k]
            assert float(found["coherence"][1, a, 0, b, 1]) == pytest.approx(np.median(picked)), (name, other)
        assert float(found["own"][1, a, 0, 1]) == pytest.approx(np.median([values[1, 0, i, 1, i] for i in rows]))
    assert found["bra_class"].values.tolist() == ["a", "b"]


def errors(count: int = 4, horizons: int = 5, sign: float = 1.0) -> xr.Dataset:
    """Errors that grow with the horizon and with the number of the trajectory."""
    table = np.arange(1, horizons + 1)[None] * 0.1 + sign * 0.01 * np.arange(count)[:, None]
    data = np.repeat(table[:, :, None], 2, 2)
    return xr.Dataset({"relative_l2": (("trajectory", "horizon", "channel"), data)}, {"horizon": np.arange(1, horizons + 1)})


def test_the_correlation_with_roll_out_errors() -> None:
    """Coherence falls with lag and with the number of the trajectory, errors rise with both: -1 in every sense; and its mirror image."""
    result = made_up()
    found = lag_correlation(result, errors(), resamples=100)
    assert found["lag"].values.tolist() == [2, 4]
    c = result["coherence"].values[0]
    expected = [np.mean([c[a, i, b, i] for a, b in ((0, 1), (1, 0), (1, 2), (2, 1))]) for i in range(4)]
    np.testing.assert_allclose(found["coherence"].sel(lag=2).values, expected)
    np.testing.assert_allclose(found["error"].sel(lag=4).values, 0.4 + 0.01 * np.arange(4))
    assert float(found["within"]) == pytest.approx(-1) == float(found["between"])
    pooled = spearman(found["coherence"].values.ravel(), found["error"].values.ravel())
    assert float(found["pooled"]) == pytest.approx(pooled) and pooled < -0.8
    assert float(found["between_high"]) == pytest.approx(-1) and float(found["pooled_low"]) <= float(found["pooled"])
    assert float(lag_correlation(result, errors(sign=-1.0), resamples=10)["between"]) == pytest.approx(1)


def test_spearman_against_scipy() -> None:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, 40).astype(float), rng.normal(size=40)
    assert spearman(a, b) == pytest.approx(spearmanr(a, b)[0])
    assert spearman(np.append(a, np.nan), np.append(b, 1.0)) == pytest.approx(spearmanr(a, b)[0])
    assert np.isnan(spearman(np.ones(4), b[:4]))


def test_coherence_and_roll_outs_of_one_model(random_data: Make) -> None:
    """The whole chain: influence, roll-out, correlation."""
    data, model = random_data(trajectories=4, times=4), crooked()
    result = osc.influence(model, data, "c2", metric="euclidean", trajectories=None, times=None)
    found = lag_correlation(result, osc.rollout(model, data), resamples=50)
    assert found["lag"].values.tolist() == [1, 2] and abs(float(found["pooled"])) <= 1
    i, j = 2, 1  # trajectory 2, lag 2: the pairs of times (0, 2) and (2, 0)
    c = result["coherence"].sel(element="e").values
    assert float(found["coherence"][i, j]) == pytest.approx((c[0, 2, 2, 2] + c[2, 2, 0, 2]) / 2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda d: equivariance_by_step(crooked(), d, "c2", 9), "steps"),
        (lambda d: equivariance_by_step(crooked(), d, "c2", start=-1), "steps"),
        (lambda d: equivariance_by_step(crooked(), d, "c2", batch=0), "batch"),
        (lambda d: influence_by_step(crooked(), d, "c2", (1, 7)), "steps"),
        (lambda d: Unrolled(crooked(), 0), "steps"),
        (lambda d: EpochProbe(d, "c2", every=0), "every"),
        (lambda d: EpochProbe(d, "c2").result(), "reading"),
        (lambda d: by_lag(xr.Dataset()), "influence"),
        (lambda d: join_classes({"a": d}), "two"),
        (lambda d: join_classes({"a": d, "b": d.replace(dt=7.0)}), "dt"),
        (lambda d: by_class(made_up(), ["a"]), "labels"),
        (lambda d: lag_correlation(made_up(), errors(horizons=1)), "horizon"),
        (lambda d: lag_correlation(made_up(), errors(count=2)), "errors"),
        (lambda d: osc.train(d, osc.TrainConfig(devices=2), "nowhere", on_epoch=lambda s, e, m: None), "on_epoch"),
    ],
)
def test_mistakes_are_named(random_data: Make, call, words: str) -> None:
    with pytest.raises(osc.OrbitscopeError, match=words):
        call(random_data())


def test_runs_without_checkpoints_are_refused(trained: tuple[Path, osc.Trajectories, EpochProbe], tmp_path: Path) -> None:
    out, data, _ = trained
    with pytest.raises(osc.OrbitscopeError, match="epoch 7"):
        by_epoch(out, data, "c2", epochs=[7])
    with pytest.raises(osc.OrbitscopeError, match="every"):
        by_epoch(out, data, "c2", every=0, epochs=[])
    config = osc.load_run(out / "seed-0").config.replace(keep="best", epochs=1)
    osc.train(data, config, tmp_path / "best", progress=None, tensorboard=False)
    with pytest.raises(osc.OrbitscopeError, match="keep"):
        by_epoch(tmp_path / "best", data, "c2")
