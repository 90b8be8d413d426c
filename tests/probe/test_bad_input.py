"""Every mistake of a caller is an `OrbitscopeError` that names what came and what to do."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.probe import check_module

Make = Callable[..., osc.Trajectories]


class Model(nn.Module):
    """A convolution, then whatever the test says."""

    def __init__(self, then: Callable[[Tensor], Any] = lambda h: h, first: Callable[[Tensor], Tensor] = lambda x: x) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 1).double()
        self.then, self.first = then, first

    def forward(self, x: Tensor) -> Any:
        return self.then(self.conv(self.first(x)))


def added(x: Tensor) -> Tensor:
    """Changes the caller's data."""
    x += 1
    return x


class Remembers(nn.Module):
    """A recurrent network whose hidden state outlives the call."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.hidden = nn.GRUCell(32, 32).double(), torch.zeros(1, 32, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(1)
        self.hidden = self.cell(flat, self.hidden[:1].expand(len(flat), -1)).detach()
        return self.hidden.reshape(x.shape)


BAD_MODELS: dict[str, tuple[Callable[[], Any], str]] = {
    "batch norm in training": (
        lambda: nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)).double(),
        r"1 \(BatchNorm2d\) normalises over the batch.*model\.eval\(\).*GroupNorm",
    ),
    "batch norm without running statistics": (
        lambda: nn.Sequential(nn.BatchNorm2d(2, track_running_stats=False)).double().eval(),
        r"0 \(BatchNorm2d\) normalises over the batch",
    ),
    "dropout": (lambda: nn.Sequential(nn.Conv2d(2, 2, 1), nn.Dropout2d(0.1)).double(), r"1 \(Dropout2d\) is active.*model\.eval\(\)"),
    "functional dropout": (lambda: Model(lambda h: F.dropout(h, 0.5)), r"two calls on one input differ by up to .*randomness"),
    "random output": (lambda: Model(lambda h: h + torch.randn_like(h)), r"two calls on one input differ"),
    "NaN output": (lambda: Model(lambda h: h / 0 * 0), r"output holds NaN or infinite values.*Check the weights"),
    "infinite output": (lambda: Model(lambda h: h / 0), r"output holds NaN or infinite values"),
    "fewer channels": (lambda: Model(lambda h: h[:, :1]), r"\(2, 2, 4, 4\) gave \(2, 1, 4, 4\).*selects the channels"),
    "coarser grid": (lambda: Model(lambda h: F.avg_pool2d(h, 2)), r"\(2, 2, 4, 4\) gave \(2, 2, 2, 2\)"),
    "a tuple": (lambda: Model(lambda h: (h, h)), r"gave tuple.*Wrap it in a module"),
    "a dictionary": (lambda: Model(lambda h: {"sample": h}), r"gave dict"),
    "mean over the batch": (lambda: Model(lambda h: h - h.mean(0)), r"changes by .* with what else is in the batch"),
    "writes into its input": (lambda: Model(first=added), r"forward writes into its input.*out of place"),
    "wrong channels": (lambda: nn.Conv2d(3, 3, 1).double(), r"fails on a batch of shape \(2, 2, 4, 4\): RuntimeError.*channels"),
    "wrong grid": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(8, 8).double()), r"fails on a batch of shape \(2, 2, 4, 4\)"),
    "a function": (lambda: lambda x: x, r"`model` should be a torch\.nn\.Module, got function.*Wrap a function"),
    "a cast to half precision": (lambda: Model(first=torch.Tensor.half), r"fails on a batch.*casts to a shorter format.*weight\.dtype"),
    "a state kept between calls": (Remembers, r"two calls on one input differ.*keeps from one call to the next \(the hidden state"),
    "complex numbers": (lambda: Model(torch.fft.fft2), r"real floating-point numbers, got torch\.complex128\. Take the real part"),
    "a state dictionary": (lambda: nn.Conv2d(2, 2, 1).state_dict(), r"should be a torch\.nn\.Module, got OrderedDict"),
}


@pytest.mark.parametrize("kind", list(BAD_MODELS))
@pytest.mark.parametrize("instrument", [osc.equivariance, osc.influence, osc.examine])
def test_models_that_cannot_be_probed(random_data: Make, kind: str, instrument: Callable[..., Any]) -> None:
    """Each instrument says the same before it computes anything."""
    make, message = BAD_MODELS[kind]
    torch.manual_seed(0)
    with pytest.raises(osc.OrbitscopeError, match=message):
        instrument(make(), random_data(), "c2")


def test_sound_models_pass() -> None:
    """Running statistics, dropout of probability 0 or in evaluation mode, randomness in initialisation only."""
    x = torch.randn(2, 2, 4, 4)
    for model in (
        nn.BatchNorm2d(2).eval(),
        nn.Dropout(0.0),
        nn.Dropout(0.5).eval(),
        nn.InstanceNorm2d(2),
        nn.Conv2d(2, 2, 3, padding=1),
        nn.ReLU(inplace=False),
    ):
        check_module(model, x)


BAD_GRADIENTS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "a root at 0": (lambda: Model(lambda h: torch.sqrt((h - h.detach()).abs())), r"gradient of example 0 holds NaN"),
    "leaves torch": (lambda: Model(lambda h: torch.from_numpy(h.detach().numpy())), r"fail under torch\.func"),
}


@pytest.mark.parametrize("kind", list(BAD_GRADIENTS))
def test_models_that_cannot_be_differentiated(random_data: Make, kind: str) -> None:
    """The equivariance error can be had; influence says which construct is in the way."""
    make, message = BAD_GRADIENTS[kind]
    assert osc.equivariance(make(), random_data(), "c2").sizes["element"] == 2
    with pytest.raises(osc.OrbitscopeError, match=message):
        osc.influence(make(), random_data(), "c2")


def test_a_model_without_parameters_has_no_influence(random_data: Make) -> None:
    """Nothing learns, nothing is shared."""
    with pytest.raises(osc.OrbitscopeError, match="no parameters"):
        osc.influence(nn.Identity(), random_data(), "c2")


def with_hole(data: osc.Trajectories, trajectory: int, time: int, channel: int, value: float) -> osc.Trajectories:
    """One bad number."""
    values = data.tensor().clone()
    values[trajectory, time, channel, 1, 2] = value
    return data.replace(values=values)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(("trajectory", "time", "channel", "name"), [(0, 0, 0, "density"), (2, 1, 2, "momentum_y"), (1, 2, 3, "energy")])
@pytest.mark.parametrize("instrument", ["audit", "equivariance", "influence"])
def test_nan_is_named(random_data: Make, instrument: str, trajectory: int, time: int, channel: int, name: str, value: float) -> None:
    """Trajectory, time and channel, in first, middle and last states."""
    data = with_hole(random_data("density", "momentum:vector", "energy"), trajectory, time, channel, value)
    model = nn.Conv2d(4, 4, 1).double()
    with pytest.raises(osc.OrbitscopeError, match=rf"trajectory {trajectory}, time {time}, channel {name} holds NaN or infinite"):
        if instrument == "audit":
            osc.audit(data, "c2")
        else:
            getattr(osc, instrument)(model, data, "c2", trajectories=None, times=None)


def instruments(data: osc.Trajectories, group: Any, **options: Any) -> list[Callable[[], Any]]:
    """Each with the same data and group."""
    model = Model()
    return [
        lambda: osc.audit(data, group, **options),
        lambda: osc.equivariance(model, data, group, **options),
        lambda: osc.influence(model, data, group, **options),
    ]


def test_quarter_turns_need_a_square_grid(random_data: Make) -> None:
    """Half turns do not."""
    flat = osc.Trajectories(
        torch.randn(3, 2, 2, 4, 6).double(), osc.Layout.of("velocity:vector"), osc.Grid((4, 6), (1, 1), ("periodic",) * 2), 1.0
    )
    for call in instruments(flat, "c4"):
        with pytest.raises(osc.OrbitscopeError, match="square grid"):
            call()
    for call in instruments(flat, "d2"):
        call()
    for call in instruments(flat, "c4", elements=["e", "r2"]):
        call()


def test_groups_and_elements_that_do_not_fit(random_data: Make) -> None:
    """Unknown words, unknown elements, none at all, shifts through walls."""
    data = random_data()
    walls = data.replace(grid=osc.Grid.square(4, boundary="wall"))
    for where, group, options, message in (
        (data, "x7", {}, "cannot read 'x7'"),
        (data, "d4", {"elements": ["r9"]}, "no element is called 'r9'"),
        (data, "d4", {"elements": []}, "`elements` is empty"),
        (walls, "tx", {}, "boundary is 'wall', not periodic"),
    ):
        for call in instruments(where, group, **options):
            with pytest.raises(osc.OrbitscopeError, match=message):
                call()


def test_data_without_a_transition(random_data: Make) -> None:
    """One time, no trajectory."""
    for data, message in ((random_data(times=1), "got 3 of 1"), (random_data()[:0], "got 0 of 3")):
        for call in instruments(data, "c2"):
            with pytest.raises(osc.OrbitscopeError, match=rf"at least one trajectory of two states, {message}"):
                call()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "fisher"}, "`metric` must be one of 'euclidean', .* got 'fisher'"),
        ({"damping": 0.0}, r"`damping` must be positive, got 0\.0; the paper uses"),
        ({"damping": -1e-6}, "`damping` must be positive"),
        ({"trajectories": 0}, "`trajectories` must be at least 1, got 0"),
        ({"times": 0}, "`times` must be at least 1, got 0"),
        ({"chunk": 0}, "`chunk` must be at least 1, got 0"),
    ],
)
def test_options_of_influence(random_data: Make, options: dict[str, Any], message: str) -> None:
    """Named with what came."""
    with pytest.raises(osc.OrbitscopeError, match=message):
        osc.influence(Model(), random_data(), "c2", **options)


def test_options_of_the_others(random_data: Make) -> None:
    """Batch, tolerance, counts."""
    with pytest.raises(osc.OrbitscopeError, match="`batch` must be at least 1, got 0"):
        osc.equivariance(Model(), random_data(), "c2", batch=0)
    with pytest.raises(osc.OrbitscopeError, match="`tolerance` must be at least 1"):
        osc.ProbeConfig(tolerance=0.5)
    with pytest.raises(osc.OrbitscopeError, match="`influence_elements` must be at least 0, got -1"):
        osc.ProbeConfig(influence_elements=-1)
    for name in ("trajectories", "times", "chunk"):
        zero: dict[str, Any] = {name: 0}
        with pytest.raises(osc.OrbitscopeError, match=f"`{name}` must be at least 1, got 0"):
            osc.ProbeConfig(**zero)
    for name in ("transitions", "samples", "permutations"):
        zero: dict[str, Any] = {name: 0}
        with pytest.raises(osc.OrbitscopeError, match=f"`{name}` must be at least 1, got 0"):
            osc.audit(random_data(), "c2", **zero)
    with pytest.raises(osc.OrbitscopeError, match=r"`alpha` must lie between 0 and 1, got 1\.5"):
        osc.audit(random_data(), "c2", alpha=1.5)


def test_normalisations(random_data: Make) -> None:
    """An unknown word; a scale that one trajectory cannot give."""
    found = osc.influence(Model(), random_data(), "c2", metric="euclidean", trajectories=1)
    with pytest.raises(osc.OrbitscopeError, match=r"`how` must be one of .*'standardised'.*got 'euclid'"):
        osc.normalised(found, "euclid")  # pyright: ignore[reportArgumentType]
    with pytest.raises(osc.OrbitscopeError, match="'standardised' needs at least two trajectories"):
        osc.normalised(found, "standardised")


def test_twice_the_same_group(random_data: Make) -> None:
    """Also under two spellings."""
    with pytest.raises(osc.OrbitscopeError, match="names C2 twice"):
        osc.examine(Model(), random_data(), ["c2", "C2"])


@pytest.mark.parametrize("metric", ["euclidean", osc.Euclidean(), osc.GaussNewton(1e-4)], ids=str)
def test_a_damping_without_its_metric_is_refused(metric: object) -> None:
    """In silence it would be ignored, and the result would carry no trace of it."""
    from orbitscope.probe.learning._curvature import metric_of

    with pytest.raises(osc.OrbitscopeError, match="damping"):
        metric_of(metric, 1e-4)  # type: ignore[arg-type]
