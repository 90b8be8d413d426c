"""Models with other conventions, around one map whose numbers are known."""

import zlib
from collections import OrderedDict, namedtuple
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.emulators import presets, register_preset
from orbitscope.emulators.guests import _presets


class Core(nn.Module):
    """A convolution [N, c, x, y] that each stand-in calls in its own way."""

    def __init__(self, c: int = 2, out: int | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(c, out or c, 3, padding=1).double()


class TimeFirst(Core):  # MPP
    def forward(self, x: Tensor, state_labels: Tensor, bcs: Tensor) -> Tensor:
        assert x.ndim == 5 and state_labels.shape == (1, x.shape[2]) and bcs.shape == (x.shape[1], 2)
        return self.conv(x[-1])


class FiveAxes(Core):  # PDEArena
    def forward(self, x: Tensor) -> Tensor:
        assert x.dim() == 5
        return self.conv(x[:, -1])[:, None]


class ChannelsLast(Core):  # DPOT
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.conv(x[..., -1, :].movedim(-1, 1)).movedim(1, -1)
        return y[..., None, :], y.mean()


class Volume(Core):  # MORPH
    def forward(self, vol: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        b, t, f, c, d, h, w = vol.shape
        return vol, vol, self.conv(vol[:, -1].reshape(b, f * c, h, w)).reshape(b, f, c, d, h, w)


class Flow(Core):  # Poseidon
    def __init__(self) -> None:
        super().__init__(4)

    def forward(
        self, pixel_values: Tensor, time: Tensor, pixel_mask: Tensor | None = None, labels: Tensor | None = None
    ) -> SimpleNamespace:
        assert time.shape == (len(pixel_values),)
        return SimpleNamespace(loss=None, output=self.conv(pixel_values) * (1 + time[:, None, None, None]))


class Stacked(Core):  # the_well, neuraloperator
    def __init__(self) -> None:
        super().__init__(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class Causal(Core):  # Walrus: the change after each of six states, shifted at random
    def __init__(self) -> None:
        super().__init__()
        self.jitter_patches = True

    def forward(self, x: Tensor, field_indices: Tensor, bcs: list[list[int]], metadata: SimpleNamespace) -> Tensor:
        t, b, c, h, w, d = x.shape
        assert d == 1 and field_indices.tolist() == [4, 5] and bcs == [[2, 2]] * 3 and metadata.n_spatial_dims == 2
        shift = int(torch.randint(0, h, ())) if self.jitter_patches else 0
        return self.conv(x.reshape(t * b, c, h, w).roll(shift, -1)).reshape(t, b, c, h, w, 1)


class Weather(Core):  # a prognostic model of earth2studio: latitude from north to south, then longitude
    def input_coords(self) -> OrderedDict:
        return OrderedDict(
            batch=np.empty(0), time=np.empty(0), lead_time=np.array([np.timedelta64(h, "h") for h in (-6, 0)]),
            variable=np.array(["u10m", "v10m"]), lat=np.linspace(75, -75, 6), lon=np.linspace(0, 300, 6),
        )  # fmt: skip

    def forward(self, x: Tensor, coords: OrderedDict) -> tuple[Tensor, OrderedDict]:
        assert x.shape == (len(coords["batch"]), 1, 2, 2, 6, 6) and str(coords["time"][0]).startswith("2000-01-01")
        return self.conv(x[:, 0, -1])[:, None, None], coords


X = torch.randn(3, 2, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def flow_by_hand(model: Flow, x: Tensor) -> Tensor:
    mean = torch.tensor([0.8, 0, 0, 0], dtype=torch.float64).reshape(-1, 1, 1)
    std = torch.tensor([0.31, 0.391, 0.356, 0.185], dtype=torch.float64).reshape(-1, 1, 1)
    whole = torch.cat([torch.ones_like(x[:, :1]), x, torch.zeros_like(x[:, :1])], 1)
    return (model.conv((whole - mean) / std) * 1.05 * std + mean)[:, 1:3]


@pytest.mark.parametrize(
    ("model", "like", "frames"),
    [
        (TimeFirst(), "mpp", 3), (FiveAxes(), "pdearena", 3), (ChannelsLast(), "dpot", 3), (Volume(), "morph", 1), (Flow(), "poseidon", 1),
        (Stacked(), "the_well", 2), (Stacked(), "neuralop", 2), (Stacked(), "physicsnemo", 2),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)  # fmt: skip
def test_every_preset_gives_the_numbers_of_the_model(model: Core, like: str, frames: int) -> None:
    layout = osc.Layout.of("velocity:vector")
    guest = osc.adapt(model, like=like, frames=frames, layout=layout)
    x = torch.cat([X.roll(k, 0) for k in range(frames)], 1)
    expected = flow_by_hand(model, x) if isinstance(model, Flow) else model.conv(x if isinstance(model, Stacked) else x[:, -2:])
    torch.testing.assert_close(guest(x), expected, rtol=1e-12, atol=1e-12)
    assert guest.frames == frames and guest.state_dict().keys() == model.state_dict().keys()
    guest.load_state_dict(model.state_dict())


def test_walrus_and_earth2studio_as_their_own_classes_are_called() -> None:
    layout, x = osc.Layout.of("velocity:vector"), torch.cat([X.roll(k, 0) for k in range(6)], 1)
    given = {"field_indices": torch.tensor([4, 5]), "bcs": [[2, 2]] * 3, "metadata": SimpleNamespace(n_spatial_dims=2)}
    causal = Causal()
    with pytest.raises(osc.OrbitscopeError, match="also needs field_indices, bcs, metadata"):
        osc.adapt(causal, like="walrus", layout=layout)
    past = x.unflatten(1, (6, 2))
    size, change = (v.square().mean((1, 3, 4))[..., None, None].sqrt() + 1e-7 for v in (past, past.diff(dim=1)))
    expected = past[:, -1] + causal.conv(past[:, -1] / size) * change
    torch.testing.assert_close(osc.adapt(causal, like="walrus", layout=layout, kwargs=given)(x), expected, rtol=1e-12, atol=1e-12)
    weather, two = Weather(), x[:, :4]
    turned = weather.conv(two[:, -2:].flip(-1).transpose(-1, -2)).transpose(-1, -2).flip(-1)  # [x, y] -> [lat down, lon] and back
    torch.testing.assert_close(osc.adapt(weather, like="earth2studio")(two), turned, rtol=1e-12, atol=1e-12)
    guest = osc.adapt(causal, like="walrus", layout=layout, kwargs=given)
    assert not causal.jitter_patches and guest.release() is causal and not causal.jitter_patches  # the first guest turned it off
    causal.jitter_patches = True
    assert osc.adapt(causal, like="walrus", layout=layout, kwargs=given).release() is causal and causal.jitter_patches
    with pytest.raises(osc.OrbitscopeError, match=r"has input_coords\(\); Core has none"):
        osc.adapt(Core(), like="earth2studio")


def test_every_preset_is_in_the_table_of_the_docs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_presets, "_PRESETS", presets())  # what is registered here is gone afterwards: the doctor tries all there are
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "guests.md").read_text()
    table = page[page.index("| name | input") : page.index("## Words")]
    assert [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")] == list(presets())
    register_preset("mine-for-this-test", lambda model, layout: {"axes": "b x y c"})
    assert osc.adapt(nn.Linear(2, 2), like="mine-for-this-test").axes.text == "b x y c"
    with pytest.raises(osc.OrbitscopeError, match="is taken"):
        register_preset("mpp", lambda model, layout: {})


class Said(nn.Module):
    """Whatever the test says, around one weight."""

    def __init__(self, function) -> None:
        super().__init__()
        self.w, self.function = nn.Parameter(torch.tensor(0.5).double()), function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.w, x)


Out = namedtuple("Out", "state more")
COORDINATE = torch.linspace(0, 1, 6, dtype=torch.float64)[:, None].expand(6, 6)


@pytest.mark.parametrize(
    ("function", "words", "expected"),
    [
        (lambda w, x: w * x, {"axes": "b x y c"}, 0.5 * X),
        (lambda w, x: w * x, {"axes": "b (x y) c"}, 0.5 * X),
        (lambda w, x: w * x, {"axes": "b c y x"}, 0.5 * X),
        (lambda w, x: x + w * x.cumsum(-1), {"axes": "b c x -y"}, X + 0.5 * X.flip(-1).cumsum(-1).flip(-1)),
        (lambda w, x: w * x, {"axes": "c x y"}, 0.5 * X),
        (lambda w, x: {"y": [None, w * x]}, {"out": ("y", 1)}, 0.5 * X),
        (lambda w, x: Out(w * x, 1), {"out": "state"}, 0.5 * X),
        (lambda w, x: w * x, {"residual": True}, 1.5 * X),
        (lambda w, x: w * x, {"residual": 0.1}, 1.05 * X),
        (lambda w, x: w * x, {"normaliser": ([1, 1], [2, 4]), "residual": True}, 1.5 * (X - 1) + 1),
        (lambda w, x: w * x, {"normaliser": {"min": [0, 0], "max": [2, 4]}}, 0.5 * X),
        (lambda w, x: x + w, {"normaliser": (lambda u: u / 3, lambda u: u * 3)}, X + 1.5),
        (lambda w, x: w * x, {"out_normaliser": ([1, 1], [2, 4])}, 0.5 * X * torch.tensor([2, 4]).reshape(2, 1, 1) + 1),
        (lambda w, x: x[:, [2, 0]] * w, {"channels": (1, "gx", 0), "fill": {"gx": "x"}, "picks": (0, 1)}, 0.5 * X),
        (lambda w, x: w * (x + x[:, 1:2]), {"channels": (1, "gx", 0), "fill": {"gx": "x"}}, 0.5 * (X + COORDINATE)),
        (lambda w, x: w * torch.stack([x, 2 * x], 1), {"out": "b t c x y", "step": 0}, 0.5 * X),
    ],
)  # fmt: skip
def test_the_words_of_adapt(function, words, expected: Tensor) -> None:
    guest = osc.adapt(Said(function), **words)
    torch.testing.assert_close(guest(X), expected, rtol=1e-12, atol=1e-12)
    guest(X).sum().backward()
    assert guest.model.w.grad is not None


STATS = """
mean: {density: 1e-1, velocity: [1, 2]}
std: {density: 3, velocity: [2, 1e-9]}
rms: {density: 5, velocity: 4}
mean_delta: {density: 0, velocity: [0.5, 0.25]}
std_delta: {density: 1, velocity: [0.1, 0.2]}
rms_delta: {density: 1, velocity: 0.5}
"""


def test_statistics_by_field_from_a_file_of_the_well_or_a_dict(tmp_path: Path) -> None:
    layout, model = osc.Layout.of("velocity:vector"), Said(lambda w, x: w * x)
    (tmp_path / "stats.yaml").write_text(STATS)
    path = str(tmp_path / "stats.yaml")
    row = lambda *v: torch.tensor(v, dtype=torch.float64).reshape(-1, 1, 1)  # noqa: E731
    mean, std = row(1, 2), row(2, 1e-4)  # no scale is below 1e-4, as in the_well
    z = (X - mean) / std
    for said in (path, tmp_path / "stats.yaml", {"mean": {"velocity": [1, 2]}, "std": {"velocity": torch.tensor([2, 1e-4])}}):
        torch.testing.assert_close(osc.adapt(model, layout=layout, normaliser=said)(X), 0.5 * z * std + mean)
    change = osc.adapt(model, layout=layout, normaliser=path, residual=True)
    torch.testing.assert_close(change(X), X + 0.5 * z * row(0.1, 0.2) + row(0.5, 0.25))
    torch.testing.assert_close(osc.adapt(model, layout=layout, normaliser=path + ":rms", residual=True)(X), X + 0.5 * X / 4 * 0.5)
    filled = osc.adapt(nn.Identity(), layout=layout, normaliser=path, channels=("density", 1, 0), fill={"density": 0.4})
    torch.testing.assert_close(filled(X), X)
    assert filled.normaliser is not None
    assert float(filled.normaliser.encode(filled.channels.place(X[:, None]))[0][0, 0, 0, 0, 0]) == pytest.approx(0.1)
    values = torch.cat([X, X.roll(1, 0)]).reshape(2, 3, 2, 6, 6)
    data = osc.Trajectories(values, layout, osc.Grid.square(6), dt=0.1)
    found = osc.probe.normaliser_audit(change, data, "d4")
    assert "The normaliser does not commute" in found.attrs["sentence"]
    assert float(found["commutator_averaged"].max()) < 1e-12 < float(found["commutator"].max())
    for said, match in (
        ({"mean": {"speed": 1}, "std": {"speed": 1}}, "has no std of the field 'velocity'. It has speed"),
        ({"mean": {"velocity": 1}, "std": {"velocity": "x"}}, "should be a number or one for each"),
        (str(tmp_path / "none.yaml"), "cannot read"),
    ):
        with pytest.raises(osc.OrbitscopeError, match=match):
            osc.adapt(model, layout=layout, normaliser=said)
    with pytest.raises(osc.OrbitscopeError, match="layout=data.layout"):
        osc.adapt(model, normaliser=path)


def test_statistics_of_the_sample_are_undone() -> None:
    for kind in ("instance", "rms"):
        torch.testing.assert_close(osc.adapt(nn.Identity(), normaliser=kind)(X), X)
    x = torch.cat([X, X + 2], 1)
    guest = osc.adapt(Said(lambda w, x: 2 * w + 0 * x[:, 2:]), frames=2, out="b c x y", normaliser="rms-delta", residual=True)
    torch.testing.assert_close(guest(x), X + 4, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "words", "match"),
    [
        (nn.Identity(), {"axes": "b c h w"}, "does not know 'h'.*write x and y"),
        (nn.Identity(), {"axes": "b c x x"}, "has 'x' twice"),
        (nn.Identity(), {"axes": "b c x y", "frames": 2}, "no place for 2 states"),
        (nn.Identity(), {"like": "nobody"}, "no preset is called 'nobody'.*poseidon"),
        (nn.Identity(), {"channels": (0, 1, "p")}, "no channel 'p'.*fill"),
        (nn.Identity(), {"normaliser": ([0, 0], [1, -1])}, "positive scale"),
        (nn.Identity(), {"randomness": "some"}, "'seeded'.*'off'.*'distribution'"),
        (TimeFirst(), {}, "also needs state_labels, bcs"),
        (nn.Identity(), {"kwargs": {"ax": 1}}, r"forward\(input\) has no argument 'ax'"),
    ],
)
def test_what_is_refused_when_it_is_built(model: nn.Module, words: dict, match: str) -> None:
    with pytest.raises(osc.OrbitscopeError, match=match):
        osc.adapt(model, **words)


@pytest.mark.parametrize(
    ("function", "words", "match"),
    [
        (lambda w, x: (x, w), {}, r"a tuple of 2 \(\(3, 2, 6, 6\), \(\)\).*out=0"),
        (lambda w, x: {"y": x}, {"out": "z"}, "'z' is not in the answer.*out='y'"),
        (lambda w, x: x[:, :, ::2], {}, "does not fit.*x = 6"),
        (lambda w, x: x.reshape(-1, 7), {}, r"fails on a tensor of shape \(3, 2, 6, 6\).*doctor"),
        (lambda w, x: torch.cat([x, x], 1), {}, r"4 channels, the data have 2.*picks"),
        (lambda w, x: torch.stack([x, x], 1), {"out": "b t c x y"}, "holds 2 states.*step=-1"),
        (lambda w, x: x, {"axes": "b c x"}, "names 1 axes of space, the data have 2"),
        (lambda w, x: x, {"normaliser": ([0] * 3, [1] * 3)}, "has 3 channels, 2 go into"),
    ],
)
def test_what_is_refused_on_the_first_call(function, words: dict, match: str) -> None:
    with pytest.raises(osc.OrbitscopeError, match=match):
        osc.adapt(Said(function), **words)(X)


def test_a_guest_is_probed_like_the_map_inside_also_with_draws() -> None:
    values = torch.randn(3, 4, 2, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    data = osc.Trajectories(values, osc.Layout.of("velocity:vector"), osc.Grid.square(4), dt=0.1)
    model = FiveAxes()
    one = osc.influence(osc.adapt(model, like="pdearena", frames=2), data, "c2", metric="euclidean")
    other = osc.influence(model.conv, data, "c2", metric="euclidean", times=2)
    assert one.attrs["parameters"] == other.attrs["parameters"] and one.sizes["ket_time"] == other.sizes["ket_time"]
    noisy = Said(lambda w, x: w * x + torch.rand_like(x))
    with pytest.raises(osc.OrbitscopeError, match="two calls on one input differ"):
        osc.equivariance(osc.adapt(noisy), data, "c2")
    drawn = osc.adapt(noisy, randomness="seeded")
    before = torch.get_rng_state()
    assert torch.equal(drawn(X), drawn(X)) and torch.equal(torch.get_rng_state(), before)
    found = osc.influence(drawn, data, "c2", metric="euclidean")
    assert float(found["ket_self"].min()) > 0 and float(osc.equivariance(drawn, data, "c2")["commutator"].max()) > 0


def test_the_command_line_takes_a_preset_and_words(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    from orbitscope.cli import main

    source = "import torch\nfrom torch import nn\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    source += "        self.conv = nn.Conv2d(2, 2, 3, padding=1)\n"
    source += "    def forward(self, x, scale):\n        return {'y': scale * self.conv(x[:, -1])}\n"
    (tmp_path / "somebodys_net.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    data = osc.Trajectories(torch.randn(6, 3, 2, 4, 4), osc.Layout.of("velocity:vector"), osc.Grid.square(4), dt=0.1)
    osc.save(data, tmp_path / "d.nc")
    asked = ["probe", "somebodys_net:Net", str(tmp_path / "d.nc"), "--group", "c2", "--out", str(tmp_path / "p.nc"), "--steps", "0"]
    assert main(asked) == 2
    assert main([*asked, "--as", "pdearena", "--adapt", "out=y"]) == 2
    words = ["out=('y', 'b c x y')", "scale=0.5", "frames=2", "mean=0,0", "std=1,2"]
    assert main([*asked, "--as", "pdearena", "--adapt", *words, "--influence-elements", "0"]) == 0
    tree = osc.open_probe(tmp_path / "p.nc")
    assert tree.attrs["model_frames"] == 2 and "pdearena" in tree.attrs["adapt"]
    about = osc.card(tree).to_dict()["data"]
    x = torch.stack([torch.cat([data.state(n, 0), data.state(n, 1)]) for n in range(6)])
    y = data.tensor()[:, 2].clone(memory_format=torch.contiguous_format)
    assert about["part"] == "all"
    assert about["checksum"] == f"crc32:{zlib.crc32(y.numpy().tobytes(), zlib.crc32(x.numpy().tobytes())):08x}"
