"""Training: exact resume, whole files, seeds, devices, wrong inputs."""

import json
import sys
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from orbitscope import OrbitscopeError
from orbitscope.data import Trajectories, load, save
from orbitscope.emulators import Emulator, TrainConfig, load_run, load_runs, smse, train
from orbitscope.symmetry import Grid, Layout

TINY = TrainConfig(model="unet", overrides={"width": 4, "kernels": (3, 3), "heads": 0}, epochs=3, batch=4, learning_rate=3e-3)
PAIR = TINY.replace(epochs=2, batch=5, precision="64")


def toy(trajectories=10, times=4, size=8, layout=("velocity:vector",), dtype=torch.float32):
    """Smooth random states that move one cell per step."""
    kind = Layout.of(*layout)
    noise = torch.randn(trajectories, kind.channels, size, size, generator=torch.Generator().manual_seed(0))
    smooth = sum((noise.roll(s, (-2, -1)) for s in ((0, 0), (1, 0), (0, 1), (1, 1))), torch.zeros(())) / 2
    values = torch.stack([smooth.roll(t, -2) for t in range(times)], dim=1).to(dtype)
    return Trajectories(values, kind, Grid.square(size), dt=0.05, provenance={"seed": 0})


def quiet(data, config, out, **more):
    return train(data, config, out, progress=more.pop("progress", None), tensorboard=more.pop("tensorboard", False), **more)


def weights(folder, name="last.safetensors"):
    return load_file(folder / name)


def same(a, b):
    assert a.keys() == b.keys()
    return all(torch.equal(a[k], b[k]) for k in a)


def without_seconds(folder):
    kept = json.loads((folder / "run.json").read_text())
    for row in kept["history"]:
        row.pop("seconds")
    return kept


class Stop(Exception):
    pass


def stopper(epoch, step=None):
    def callback(progress):
        if progress.epoch == epoch and progress.step == (step or progress.steps):
            raise Stop

    return callback


def test_it_learns_and_the_sidecar_tells_everything(tmp_path):
    data, seen = toy(), []
    out = quiet(data, TINY.replace(epochs=20, learning_rate=2e-2), tmp_path / "run", progress=seen.append, tensorboard=True)
    run = load_run(out)
    test = run.metrics["test"]
    assert run.finished and test["smse"] < 0.5 * test["smse_persistence"]
    assert run.layout == data.layout and run.grid == data.grid and run.dt == data.dt and run.config.epochs == 20
    assert sorted(sum(run.split.values(), [])) == list(range(10))
    assert run.parameters == sum(p.numel() for p in run.model.parameters())
    assert [h["epoch"] for h in run.history] == list(range(1, 21)) and run.history[-1]["validation"] < run.history[0]["validation"]
    assert "torch" in run.versions and run.data["provenance"] == {"seed": 0}
    # The stored errors are those of the stored model on the stored split.
    x, y = (torch.cat(s) for s in zip(*(data.pairs([i] * 3, range(3)) for i in run.split["test"]), strict=True))
    with torch.no_grad():
        assert smse(run.model(x), y).item() == pytest.approx(test["smse"], rel=1e-4)
    assert smse(x, y).item() == pytest.approx(test["smse_persistence"], rel=1e-4)
    assert len(seen) == 20 * seen[0].steps and seen[-1].fraction == 1 and seen[-1].validation is not None
    assert list((out / "tensorboard").glob("events.*"))
    assert not list(out.glob("*.part"))
    run.model.check_symmetry_safe(run.layout)


@pytest.mark.parametrize("stop", [(1, None), (2, 3), (3, 1)])
@pytest.mark.parametrize("model", ["unet", "vit"])
def test_a_resumed_run_equals_the_uninterrupted_one_bit_for_bit(tmp_path, model, stop):
    overrides = {"unet": TINY.overrides, "vit": {"width": 8, "heads": 2, "depth": 1}}[model]
    data, config = toy(), TINY.replace(model=model, overrides=overrides)
    quiet(data, config, tmp_path / "whole")
    with pytest.raises(Stop):
        quiet(data, config, tmp_path / "cut", progress=stopper(*stop))
    kept = json.loads((tmp_path / "cut" / "run.json").read_text())
    assert not kept["finished"] and kept["epoch"] == (stop[0] if stop[1] is None else stop[0] - 1)
    quiet(data, config, tmp_path / "cut")
    for name in ("model.safetensors", "last.safetensors"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    states = [torch.load(tmp_path / run / "state.pt", weights_only=True)["optimiser"] for run in ("cut", "whole")]
    for key, value in states[0]["state"].items():
        assert all(torch.equal(torch.as_tensor(v), torch.as_tensor(states[1]["state"][key][n])) for n, v in value.items())
    assert without_seconds(tmp_path / "cut") == without_seconds(tmp_path / "whole")


def test_a_stop_between_two_files_of_an_epoch_loses_nothing(tmp_path, monkeypatch):
    from orbitscope.training.files import _files

    data = toy()
    quiet(data, TINY, tmp_path / "whole")
    written, real = [], _files.write_whole

    def failing(path, write):
        written.append(path.name)
        if len(written) > at:
            raise KeyboardInterrupt
        real(path, write)

    monkeypatch.setattr(_files, "write_whole", failing)
    for at in (1, 2, 3, 4, 6, 7):
        written.clear()
        with pytest.raises(KeyboardInterrupt):
            quiet(data, TINY, tmp_path / f"cut-{at}")
    monkeypatch.undo()
    for at in (1, 2, 3, 4, 6, 7):
        quiet(data, TINY, tmp_path / f"cut-{at}")
        assert same(weights(tmp_path / f"cut-{at}"), weights(tmp_path / "whole"))
        assert same(weights(tmp_path / f"cut-{at}", "model.safetensors"), weights(tmp_path / "whole", "model.safetensors"))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_failed_write_leaves_the_old_file_whole(tmp_path, error):
    from orbitscope._whole import write_whole

    path = tmp_path / "file"
    path.write_text("old")

    def write(part):
        part.write_text("ne")
        raise error

    with pytest.raises((KeyboardInterrupt, OrbitscopeError)) as caught:
        write_whole(path, write)
    if isinstance(error, OSError):
        assert "No space left" in str(caught.value) and str(path) in str(caught.value)
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_finished_run_returns_at_once_and_another_config_is_refused(tmp_path):
    data, out = toy(), tmp_path / "run"
    quiet(data, TINY, out)
    before = (out / "run.json").stat().st_mtime_ns
    quiet(data, TINY, out, progress=stopper(1, 1))
    assert (out / "run.json").stat().st_mtime_ns == before
    with pytest.raises(OrbitscopeError, match=r"epochs = 3, now 4.*force=True"):
        quiet(data, TINY.replace(epochs=4), out)
    with pytest.raises(OrbitscopeError, match=r"other data.*force=True"):
        quiet(data.replace(dt=0.1), TINY, out)
    quiet(data, TINY.replace(epochs=1), out, force=True)
    assert load_run(out).config.epochs == 1


def test_seeds_make_a_folder_each_and_differ_only_by_the_seed(tmp_path):
    data, config = toy(), TINY.replace(seeds=(0, 7), epochs=1)
    told = []
    keeper = SimpleNamespace(log_metrics=lambda metrics, step: told.append((step, sorted(metrics))))
    quiet(data, config, tmp_path / "runs", logger=["csv", keeper])
    assert [names[0].split("/")[0] for step, names in told if step == 1][::2] == ["seed-0", "seed-7"]  # they share it
    assert (tmp_path / "runs" / "seed-7" / "csv" / "metrics.csv").exists()
    first, second = load_runs(tmp_path / "runs")
    assert [r.seed for r in (first, second)] == [0, 7] and first.split == second.split
    assert not same(first.model.state_dict(), second.model.state_dict())
    quiet(data, TINY.replace(seeds=(7,), epochs=1), tmp_path / "alone")
    assert same(weights(tmp_path / "alone"), weights(tmp_path / "runs" / "seed-7"))
    with pytest.raises(OrbitscopeError, match="seed-0, seed-7.*load_runs"):
        load_run(tmp_path / "runs")
    quiet(data, config.replace(seeds=(0, 7, 8)), tmp_path / "runs")
    assert [r.seed for r in load_runs(tmp_path / "runs")] == [0, 7, 8]
    with pytest.raises(OrbitscopeError, match="one seed"):
        quiet(data, config, tmp_path / "alone")


def test_training_leaves_the_global_random_state_alone(tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    quiet(toy(), TINY.replace(epochs=1), tmp_path / "run")
    assert torch.equal(torch.rand(3), expected)


def test_every_checkpoint_can_be_kept(tmp_path):
    out = quiet(toy(), TINY.replace(keep="all", epochs=2), tmp_path / "run")
    assert [load_run(out, epoch).epoch for epoch in (0, 1, 2)] == [0, 1, 2]
    assert same(load_run(out, 2).model.state_dict(), load_run(out, "last").model.state_dict())
    with pytest.raises(OrbitscopeError, match="epoch-0009"):
        load_run(out, 9)


def test_data_read_per_batch_give_the_same_bits(tmp_path):
    save(toy(), tmp_path / "toy.nc")
    lazy = load(tmp_path / "toy.nc")
    assert lazy.lazy
    quiet(lazy, TINY.replace(epochs=1), tmp_path / "memory")
    quiet(lazy, TINY.replace(epochs=1, in_memory_gib=0.0), tmp_path / "lazy")
    assert same(weights(tmp_path / "memory"), weights(tmp_path / "lazy"))


@pytest.mark.parametrize("precision", ["64", "bf16"])
def test_precisions(tmp_path, precision):
    run = load_run(quiet(toy(), TINY.replace(precision=precision, epochs=1), tmp_path / "run"))
    assert next(run.model.parameters()).dtype == (torch.float64 if precision == "64" else torch.float32)
    assert run.metrics["test"]["smse"] > 0


def test_constant_and_cosine_rates():
    config = TrainConfig(learning_rate=1.0, warmup=0.1)
    rates = [config.rate(s, 100) for s in range(100)]
    assert (
        rates[0] < 0.1
        and max(rates) == rates[10] == 1.0
        and rates[-1] < 1e-3
        and rates[9:] == sorted(rates[9:], reverse=True)
        or rates[9] < 1
    )
    assert config.replace(schedule="constant").rate(99, 100) == 1.0


class Blowup(torch.nn.Module):
    def __init__(self, channels_in, bad=float("nan")):
        super().__init__()
        self.weight, self.bad, self.calls = torch.nn.Parameter(torch.ones(channels_in, 1, 1)), bad, 0

    def forward(self, x):
        self.calls += 1
        return x * self.weight * (self.bad if self.calls > 8 else 1.0)


class Normed(torch.nn.BatchNorm2d):
    def __init__(self, channels_in):
        super().__init__(channels_in)


class Wrong(torch.nn.Conv2d):
    def __init__(self, channels_in):
        super().__init__(channels_in, channels_in + 1, 1)


def own(monkeypatch, cls):
    monkeypatch.setitem(sys.modules, "own_models", sys.modules[__name__])
    return TrainConfig(model=f"own_models:{cls.__name__}", epochs=2, batch=4)


def test_a_loss_that_is_not_finite_names_epoch_and_step(tmp_path, monkeypatch):
    with pytest.raises(OrbitscopeError, match=r"loss is nan at epoch 2, step \d.*learning_rate"):
        quiet(toy(), own(monkeypatch, Blowup), tmp_path / "run")
    assert load_run(tmp_path / "run", "last", trust="own_models:Blowup").epoch == 1


def test_models_that_cannot_be_trained_are_named(tmp_path, monkeypatch):
    with pytest.raises(OrbitscopeError, match="BatchNorm.*GroupNorm"):
        quiet(toy(), own(monkeypatch, Normed), tmp_path / "a")
    with pytest.raises(OrbitscopeError, match=r"shape of the state"):
        quiet(toy(), own(monkeypatch, Wrong), tmp_path / "b")


@pytest.mark.parametrize(
    ("data", "config", "words"),
    [
        (lambda: toy(times=1), TINY, "transition needs 2"),
        (lambda: toy(trajectories=2, times=4), TINY, "no room for 3 parts"),
        (lambda: toy(size=6), TINY.replace(overrides={"kernels": (3, 3, 3)}), "divisible by 4"),
        (lambda: toy(size=6), TINY.replace(model="vit", overrides={}), "divisible by"),
        (lambda: toy(), TINY.replace(overrides={"nonsense": 1}), "nonsense"),
    ],
)
def test_data_that_do_not_fit_are_refused(tmp_path, data, config, words):
    with pytest.raises(OrbitscopeError, match=words):
        quiet(data(), config, tmp_path / "run")


def test_bad_values_in_the_data_are_named(tmp_path):
    data = toy()
    data.tensor()[:, 1, 0, 2, 3] = float("nan")
    with pytest.raises(OrbitscopeError, match="velocity_x.*time 1"):
        quiet(data, TINY, tmp_path / "run")


def test_other_files_in_out_are_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OrbitscopeError, match="thesis.txt"):
        quiet(toy(), TINY, tmp_path, force=True)
    with pytest.raises(OrbitscopeError, match="is a file"):
        quiet(toy(), TINY, tmp_path / "thesis.txt")


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_one_bad_value_anywhere_is_refused_before_anything_happens(tmp_path, part, force):
    """Named by trajectory, time, channel and cell of the data as given; what is in `out` stays, with `force` too."""
    data = toy()
    quiet(data, TINY.replace(epochs=1), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    index = load_run(tmp_path).split[part][-1]
    data.tensor()[index, 3, 1, 2, 5] = float("inf")
    words = rf"velocity_y' is inf at trajectory {index}, time 3, cell \(2, 5\).*Leave the trajectory out"
    with pytest.raises(OrbitscopeError, match=words):
        quiet(data, TINY.replace(epochs=2), tmp_path, force=force)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


class Brittle(torch.nn.Conv2d):
    """Fine while it is trained, infinite when it is looked at."""

    def __init__(self, channels_in):
        super().__init__(channels_in, channels_in, 1)

    def forward(self, input):
        return super().forward(input) * (1.0 if self.training else float("inf"))


@pytest.mark.parametrize("split", [(0.6, 0.2, 0.2), (0.6, 0.0, 0.4)])
def test_a_validation_or_test_loss_that_is_not_finite_is_an_error(tmp_path, monkeypatch, split):
    part = "validation" if split[1] else "test"
    with pytest.raises(OrbitscopeError, match=rf"the {part} loss is (nan|inf) after epoch \d.*is kept in"):
        quiet(toy(), own(monkeypatch, Brittle).replace(split=split), tmp_path)
    kept = json.loads((tmp_path / "run.json").read_text(), parse_constant=pytest.fail)
    assert not kept["finished"] and kept["epoch"] == (0 if split[1] else 2)


def test_files_hold_json_that_every_reader_reads(tmp_path):
    """A channel that is 0 throughout has no relative error, and somebody's provenance a NaN: no bare NaN comes of it."""
    data = toy(layout=("velocity:vector", "tracer"))
    data.tensor()[:, :, 2] = 0.0
    data = data.replace(provenance={"viscosity": float("nan"), "spots": [1.0, float("-inf")]})
    out = quiet(data, TINY.replace(epochs=1), tmp_path / "run")
    kept = json.loads((out / "run.json").read_text(), parse_constant=pytest.fail)
    assert kept["data"]["provenance"] == {"viscosity": "nan", "spots": [1.0, "-inf"]}
    relative = load_run(out).metrics["test"]["relative_l2_per_channel"]
    assert relative[2] is None and all(0 < r < 10 for r in relative[:2])
    with pytest.raises(OrbitscopeError, match=r"x.json: a.1.b is nan, and JSON has no such number"):
        from orbitscope.training.files import write_json

        write_json(tmp_path / "x.json", {"a": [1.0, {"b": float("nan")}]})
    assert not (tmp_path / "x.json").exists()
    path = save(data.replace(values=data.tensor() + 1.0), tmp_path / "own.nc")
    assert load(path).provenance["viscosity"] == "nan"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 0}, "epochs"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"schedule": "linear"}, "cosine, constant"),
        ({"seeds": (1, 1)}, "different"),
        ({"split": (0.5, 0.5)}, "three fractions"),
        ({"overrides": {"width": object()}}, "overrides"),
        ({"warmup": 1.0}, "warmup"),
    ],
)
def test_config_mistakes_are_named(change, words):
    with pytest.raises(OrbitscopeError, match=words):
        TINY.replace(**change)


def test_config_survives_json():
    assert TrainConfig(overrides={"kernels": "5,3"}).to_dict() == TrainConfig(overrides={"kernels": (5, 3)}).to_dict()
    assert TrainConfig.from_dict(json.loads(json.dumps(TINY.to_dict()))).to_dict() == TINY.to_dict()
    with pytest.raises(OrbitscopeError, match="epoch5"):
        TrainConfig.from_dict({"epoch5": 3})


def test_weights_that_do_not_fit_are_named(tmp_path):
    out = quiet(toy(), TINY.replace(epochs=1), tmp_path / "run")
    kept = json.loads((out / "run.json").read_text())
    kept["config"]["overrides"]["width"] = 6
    (out / "run.json").write_text(json.dumps(kept))
    with pytest.raises(OrbitscopeError, match=r"backbone.lift.weight is \[4, 2, 3, 3\] in the file and \[6, 2, 3, 3\]"):
        load_run(out)
    kept["config"]["overrides"] = {"width": 4, "kernels": [3, 3, 3], "heads": 0}
    (out / "run.json").write_text(json.dumps(kept))
    with pytest.raises(OrbitscopeError, match="missing backbone"):
        load_run(out)
    (out / "model.safetensors").write_bytes((out / "model.safetensors").read_bytes()[:100])
    with pytest.raises(OrbitscopeError, match="not a whole safetensors"):
        load_run(out)
    with pytest.raises(OrbitscopeError, match="run.json"):
        load_run(tmp_path)


def test_emulator_checks():
    with pytest.raises(OrbitscopeError, match="per channel"):
        Emulator(torch.nn.Identity(), torch.zeros(2), torch.ones(3))
    with pytest.raises(OrbitscopeError, match="positive"):
        Emulator(torch.nn.Identity(), torch.zeros(2), torch.zeros(2))
    with pytest.raises(OrbitscopeError, match=r"\[batch, 2, x, y\]"):
        Emulator(torch.nn.Identity(), torch.zeros(2), torch.ones(2))(torch.zeros(1, 3, 4, 4))
    uneven = Emulator(torch.nn.Identity(), torch.zeros(2), torch.tensor([1.0, 2.0]))
    with pytest.raises(OrbitscopeError, match="velocity.*components"):
        uneven.check_symmetry_safe(Layout.of("velocity:vector"))
    uneven.check_symmetry_safe(Layout.of("a", "b"))
