"""`fit`: any examples, any loss, exact resume; against a loop written out."""

import json
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from orbitscope import OrbitscopeError
from orbitscope.training import MSE, FitConfig, Loss, derive, fit, load_fit, permutation

from ..cases import FITS, CloudNet, clouds, dropped, vectors

TINY = FitConfig(epochs=3, batch=5, learning_rate=1e-2)


class Stop(Exception):
    pass


def stopper(epoch, step):
    def callback(progress):
        if (progress.epoch, progress.step) == (epoch, step):
            raise Stop

    return callback


def same(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def without_seconds(folder):
    kept = json.loads((folder / "run.json").read_text(), parse_constant=pytest.fail)
    for row in kept["history"]:
        row.pop("seconds")
    return kept


@pytest.mark.parametrize("stop", [(1, 2), (2, 1), (3, 2)])
@pytest.mark.parametrize("kind", FITS)
def test_a_resumed_fit_equals_the_uninterrupted_one_bit_for_bit(tmp_path, kind, stop):
    """Also in the middle of the first epoch, with a module whose first weights are others the second time."""
    examples, make, loss = FITS[kind]
    more = {"loss": loss, "validation": 0.3, "seed": 4}
    torch.manual_seed(0)
    first = make()
    whole = fit(first, examples(), TINY, out=tmp_path / "whole", progress=None, **more)
    torch.manual_seed(0)
    with pytest.raises(Stop):
        fit(make(), examples(), TINY, out=tmp_path / "cut", progress=stopper(*stop), **more)
    torch.manual_seed(99)
    cut = fit(make(), examples(), TINY, out=tmp_path / "cut", progress=None, **more)
    assert same(cut.model, whole.model) and whole.model is first and not whole.model.training
    for name in ("model.safetensors", "last.safetensors"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert without_seconds(tmp_path / "cut") == without_seconds(tmp_path / "whole")


def test_it_is_adamw_on_shuffled_batches():
    """The loop, written out: the order from (seed, epoch), the schedule, clipping, the best weights by the loss of the epoch."""
    x, y = (t.double() for t in vectors())
    config = FitConfig(epochs=3, batch=10, learning_rate=3e-2, warmup=0.2, clip=0.5, precision="64")

    def make():
        return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))

    found = fit(make, (x, y), config, loss=nn.functional.mse_loss, seed=3, progress=None)
    with torch.random.fork_rng():
        torch.manual_seed(derive(3, "init"))
        model = make().double()
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    history, number = [], 0
    for epoch in (1, 2, 3):
        total = 0.0
        for index in permutation(len(x), 3, "shuffle", epoch).split(10):
            optimiser.param_groups[0]["lr"] = config.rate(number, 12)
            optimiser.zero_grad()
            loss = (model(x[index]) - y[index]).square().mean()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimiser.step()
            total, number = total + loss.item() * len(index), number + 1
        history.append(total / len(x))
    assert [row["train"] for row in found.history] == pytest.approx(history, rel=1e-9)
    assert found.epoch == 3 and found.path is None and found.metrics == {}
    for p, q in zip(found.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-9, atol=1e-12)


def test_it_learns_and_measures(tmp_path):
    """Parts of a state are arguments; what else is measured; the kept weights are those of the best epoch."""
    seen = []
    config = FitConfig(epochs=60, batch=8, learning_rate=3e-2, keep="all")
    accuracy = {"size": lambda p, t: (p[0] - t[0]).abs().mean()}
    found = fit(CloudNet, clouds(), config, loss="mse", validation=clouds(8), out=tmp_path / "run", metrics=accuracy, progress=seen.append)
    start = load_fit(tmp_path / "run", CloudNet(), 0)
    x, y = clouds(8)
    with torch.no_grad():
        before, after = (MSE()(model(*x), y).item() for model in (start.model, found.model))
        size = (found.model(*x)[0] - y[0]).abs().mean().item()
    assert after < 0.2 * before and after == pytest.approx(found.metrics["validation"]["loss"], rel=1e-5)
    assert found.metrics["validation"]["size"] == pytest.approx(size, rel=1e-5) and found.metrics["validation"]["examples"] == 8
    best = min(found.history, key=lambda row: row["validation"])
    assert found.epoch == best["epoch"] and found.metrics["validation"]["loss"] == pytest.approx(best["validation"], rel=1e-12)
    assert len(seen) == 60 * 3 and seen[-1].validation is not None
    assert same(load_fit(tmp_path / "run", CloudNet(), found.epoch).model, found.model)


@dataclass
class Few:
    """As `Examples` is: x, y, and what is independent of what."""

    x: torch.Tensor
    y: torch.Tensor
    unit: object = None


class Read:
    """Examples that are made when they are asked for."""

    def __init__(self, x, y):
        self.x_of, self.y_of = x.__getitem__, y.__getitem__
        self.count = len(x)

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return self.x_of(index), self.y_of(index)


def test_every_way_to_give_examples_gives_the_same_bits():
    x, y = vectors()
    ways = [(x, y), [x.numpy(), y.numpy()], Few(x, y), Read(x, y), torch.utils.data.TensorDataset(x, y)]
    fits = [fit(dropped, way, TINY, loss="mse", validation=0.25, progress=None).model for way in ways]
    assert all(same(fits[0], other) for other in fits[1:])


def test_validation_takes_whole_units():
    x, y = vectors(40)
    unit, seen = torch.arange(40) // 4, set()

    class Spy(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 2)

        def forward(self, x):
            if not self.training:
                seen.update(tuple(row) for row in x.tolist())
            return self.inner(x)

    fit(Spy, Few(x, y, unit.numpy()), TINY, loss="mse", validation=0.3, progress=None)
    held = {int(unit[i]) for i, row in enumerate(x.tolist()) if tuple(row) in seen}
    assert len(held) == 3 and len(seen) == 12


def test_a_finished_fit_returns_at_once_and_another_is_refused(tmp_path):
    out = tmp_path / "run"
    first = fit(dropped, vectors(), TINY, loss="mse", out=out, progress=None)
    again = fit(dropped, vectors(), TINY, loss="mse", out=out, progress=stopper(1, 1))
    assert same(first.model, again.model) and again.history == first.history and again.path == out
    for change, words in (
        ({"config": TINY.replace(epochs=4)}, "epochs = 3, now 4"),
        ({"loss": nn.functional.l1_loss}, "loss = 'mse', now 'l1_loss'"),
        ({"seed": 1}, "seed = 0, now 1"),
        ({"examples": vectors(38)}, "other data"),
    ):
        options = {"config": TINY, "loss": "mse", "examples": vectors(), **change}
        with pytest.raises(OrbitscopeError, match=words):
            fit(dropped, options.pop("examples"), options.pop("config"), out=out, progress=None, **options)
    assert fit(dropped, vectors(), TINY, loss="mse", out=out, seed=1, force=True, progress=None).seed == 1


class FromState(Loss):
    """Compares with the doubled input, and sees the state."""

    name, needs_state = "from_state", True

    def targets(self, x, y):
        return 2 * x[:, :2]

    def each(self, prediction, target, state=None):
        assert torch.equal(target, 2 * state[:, :2])
        return (prediction - target).square().mean(1)


def test_a_loss_may_have_its_own_target_and_see_the_state():
    found = fit(
        lambda: nn.Linear(4, 2), vectors(), FitConfig(epochs=80, learning_rate=0.1), loss=FromState(), validation=0.2, progress=None
    )
    assert found.metrics["validation"]["loss"] < 1e-2
    torch.testing.assert_close(found.model.weight[:, :2].detach(), 2 * torch.eye(2), atol=0.1, rtol=0)


class Flip:
    """An augmentation: the sign of both, for half of the examples."""

    name = "flip"

    def draw(self, length, seed, epoch, step):
        return permutation(length, seed, "flip", 1000 * epoch + step) % 2

    def __call__(self, drawn, x, y):
        sign = 1 - 2 * drawn[:, None].to(x)
        return sign * x, sign * y


def test_augmentation_is_repeated_by_a_resume(tmp_path):
    more = {"loss": "mse", "augment": Flip()}
    whole = fit(dropped, vectors(), TINY, out=tmp_path / "whole", progress=None, **more)
    with pytest.raises(Stop):
        fit(dropped, vectors(), TINY, out=tmp_path / "cut", progress=stopper(2, 3), **more)
    assert same(fit(dropped, vectors(), TINY, out=tmp_path / "cut", progress=None, **more).model, whole.model)
    assert not same(fit(dropped, vectors(), TINY, loss="mse", progress=None).model, whole.model)


def test_training_leaves_the_global_random_state_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit(dropped, vectors(), TINY, loss="mse", progress=None)
    assert torch.equal(torch.rand(3), expected)


def broken(x, y):
    y = y.clone()
    y[3] = float("nan")
    return x, y


@pytest.mark.parametrize(
    ("model", "examples", "options", "words"),
    [
        (dropped, (torch.zeros(3, 4), torch.zeros(4, 2)), {}, r"one length, got \[3\] for x and \[4\] for y"),
        (dropped, (torch.zeros(3, 4),) * 3, {}, "a tuple of examples is"),
        (dropped, torch.nn.Linear(1, 1), {}, "got Linear"),
        (dropped, (torch.zeros(0, 4), torch.zeros(0, 2)), {}, "there is none"),
        (dropped, broken(*vectors()), {}, "y holds NaN.*example 3"),
        (dropped, vectors(), {"validation": 1.5}, "between 0 and 1"),
        (dropped, (torch.zeros(1, 4), torch.zeros(1, 2)), {"validation": 0.5}, "one unit"),
        (dropped, vectors(), {"loss": "hinge"}, "'hinge'.*smse, mse, cross_entropy"),
        (dropped, vectors(), {"loss": lambda p, t: (p - t).square()}, r"a number, or one per example.*shape \(5, 2\)"),
        (dropped, vectors(), {"loss": lambda p, t: (p - t).sum() / 0}, r"fit: the loss is (nan|inf|-inf) at epoch 1, step 1"),
        (dropped, (vectors()[0], vectors()[1][:, :1]), {}, "must have one shape"),
        (lambda: 3, vectors(), {}, "made a int"),
        (nn.Identity, vectors(), {}, "no parameters"),
        (dropped().double(), vectors(), {}, "precision='64'"),
        (dropped, vectors(), {"config": FitConfig(relaxation=0.1)}, "relax"),
        (dropped, vectors(), {"config": FitConfig(devices=2), "out": "x"}, "torchrun"),
        (dropped, vectors(), {"config": FitConfig(devices=2)}, "`out` is needed"),
        (dropped, vectors(), {"metrics": {"loss": nn.functional.l1_loss}}, "cannot be called 'loss'"),
    ],
)
def test_mistakes_are_named(model, examples, options, words):
    options = {"loss": "mse", "config": TINY, **options}
    with pytest.raises(OrbitscopeError, match=words):
        fit(model, examples, options.pop("config"), progress=None, **options)


@pytest.mark.parametrize(("change", "words"), [({"epochs": 0}, "FitConfig: `epochs`"), ({"relaxation": -1.0}, "relaxation")])
def test_config_mistakes_are_named(change, words):
    with pytest.raises(OrbitscopeError, match=words):
        TINY.replace(**change)
