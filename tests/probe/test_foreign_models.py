"""Models that this project has never seen, through `import orbitscope as osc` alone."""

import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import orbitscope as osc

Make = Callable[..., osc.Trajectories]


class Wavelike(nn.Module):
    """Nobody's architecture: gated differences of shifted fields, a learnt Fourier filter, attention between channels, a scalar gate."""

    def __init__(self, channels: int, points: int) -> None:
        super().__init__()
        self.mix = nn.Parameter(torch.randn(6, channels, channels) / 4)
        self.filter = nn.Parameter(torch.randn(channels, points, points // 2 + 1, dtype=torch.complex64) / points)
        self.gates = nn.ParameterDict({name: nn.Parameter(torch.tensor(0.3)) for name in ("differences", "filter", "attention")})
        self.norm = nn.RMSNorm([channels, points, points])
        self.register_buffer("sign", torch.tensor([1.0, -1.0]))

    def forward(self, state: Tensor) -> Tensor:
        h = self.norm(state)
        shifted = torch.stack([h.roll(s, d) for d in (-1, -2) for s in (1, -1)] + [h, h.square()])
        differences = torch.einsum("kbixy,kio->boxy", shifted, self.mix)
        filtered = torch.fft.irfft2(torch.fft.rfft2(h) * self.filter, s=h.shape[-2:])
        rows = h.flatten(2)
        attended = torch.softmax(rows @ rows.mT / math.sqrt(rows.shape[-1]), -1) @ rows
        parts = {"differences": torch.tanh(differences), "filter": filtered, "attention": attended.reshape(h.shape)}
        return state + sum((self.gates[k] * part for k, part in parts.items()), start=torch.zeros_like(state))


def everything(model: nn.Module, data: osc.Trajectories) -> None:
    """Every instrument runs, and its numbers are sound: the identity is exact, the control is 1, coherence is at most 1."""
    group = osc.dihedral(4)
    error, shared = osc.equivariance(model, data, group), osc.influence(model, data, group, trajectories=3, times=2, control=True)
    assert (error["commutator"].sel(element="e") == 0).all() and (error["commutator"].sel(element="r").median() > 1e-3)
    np.testing.assert_allclose(error["relative_error"].sel(element="e"), 1)
    np.testing.assert_allclose(shared["control"], 1, atol=1e-3)
    assert np.abs(shared["coherence"]).max() <= 1 + 1e-6
    own = shared["coherence"].sel(element="e").values.reshape(6, 6).diagonal()
    np.testing.assert_allclose(own, 1, atol=1e-5)
    assert shared.attrs["pushforward_check"] < 1e-3
    assert osc.verdict(group, error, shared)["output"].sel(element="e").item() == "exact up to rounding"


def test_a_class_written_here(random_data: Make) -> None:
    """Complex parameters, a parameter dictionary, buffers, shifts, Fourier transforms, attention."""
    torch.manual_seed(0)
    everything(Wavelike(2, 8), random_data(points=8, dtype=torch.float32))


def test_a_model_of_another_library(random_data: Make) -> None:
    """MONAI's UNet: instance normalisation, learnt ReLU, transposed convolutions, zero padding."""
    nets = pytest.importorskip("monai.networks.nets.unet", reason="MONAI is in the dev extra")
    torch.manual_seed(0)
    model = nets.UNet(spatial_dims=2, in_channels=2, out_channels=2, channels=(4, 8, 8), strides=(2, 2)).eval()
    everything(model, random_data(points=16, dtype=torch.float32))


def test_a_transformer_of_torch(random_data: Make) -> None:
    """nn.TransformerEncoder over cells, built with dropout and put into evaluation mode."""

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True, norm_first=True)
            self.lift, self.drop = nn.Linear(2, 8), nn.Linear(8, 2)
            self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.place = nn.Parameter(torch.randn(16, 8))

        def forward(self, x: Tensor) -> Tensor:
            tokens = self.lift(x.flatten(2).mT) + self.place
            return self.drop(self.body(tokens)).mT.reshape(x.shape)

    torch.manual_seed(0)
    everything(Encoder().eval(), random_data(dtype=torch.float32))


def test_a_function_in_a_module_with_a_loss_of_its_own(random_data: Make) -> None:
    """What a person with a plain function does."""

    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = nn.Parameter(torch.randn(2, 2, 3, 3))

        def forward(self, x: Tensor) -> Tensor:
            return F.conv2d(x, self.weights, padding=1)

    def drift(prediction: Tensor, target: Tensor) -> Tensor:
        """Squared difference of the means: does a step help to conserve momentum?"""
        return (prediction.mean((-2, -1)) - target.mean((-2, -1))).square().sum()

    found = osc.influence(Wrapped(), random_data(dtype=torch.float32), "d4", loss=drift)
    assert found.attrs["loss"] == "drift" and np.isfinite(found["coherence"]).all()


def test_the_whole_probe_and_its_file(random_data: Make, tmp_path: Path) -> None:
    """One call, one file."""
    torch.manual_seed(0)
    data = random_data(points=8, trajectories=10, dtype=torch.float32)
    tree = osc.examine(Wavelike(2, 8), data, ["c4", "tx4"], osc.ProbeConfig(trajectories=2, times=1), title="foreign")
    again = osc.open_probe(osc.save_probe(tree, tmp_path / "probe.nc"))
    assert again.attrs["title"] == "foreign" and again.attrs["model"] == "Wavelike"
    assert {"C4", "Tx4", "audit"} <= set(again.children)


# Exported programs


def conv_net() -> nn.Module:
    """Small, with batch normalisation and attention, in float64."""
    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.norm, self.last = nn.Conv2d(2, 4, 3, padding=1, padding_mode="circular"), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1)

        def forward(self, x: Tensor) -> Tensor:
            h = F.silu(self.norm(self.first(x)))
            tokens = h.flatten(2).mT.unsqueeze(1)
            return x + self.last(h + F.scaled_dot_product_attention(tokens, tokens, tokens).squeeze(1).mT.reshape(h.shape))

    return Net().double().eval()


def export(model: nn.Module, path: Path, example: Tensor, dynamic: bool) -> Path:
    """As the documentation of torch says."""
    shapes = ({0: torch.export.Dim("batch")},) if dynamic else None
    program = torch.export.export(model, (example,), dynamic_shapes=shapes)
    torch.export.save(program, path)
    return path


def test_an_exported_model_gives_the_numbers_of_the_module(random_data: Make, tmp_path: Path) -> None:
    """Equivariance and influence, with a dynamic batch, to float64."""
    model, data = conv_net(), random_data()
    loaded = osc.load_model(export(model, tmp_path / "net.pt2", torch.randn(3, 2, 4, 4).double(), dynamic=True))
    for name in ("commutator", "relative_error"):
        one, other = (osc.equivariance(m, data, "d4")[name].values for m in (model, loaded))
        np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-13)
    one, other = (osc.influence(m, data, "d4", control=True) for m in (model, loaded))
    np.testing.assert_allclose(other["influence"], one["influence"], rtol=1e-8, atol=1e-10 * np.abs(one["influence"]).max())
    np.testing.assert_allclose(other["control"], 1, atol=1e-10)
    assert other.attrs["parameters"] == one.attrs["parameters"]


def test_a_model_exported_for_one_batch_size_is_refused_with_the_remedy(random_data: Make, tmp_path: Path) -> None:
    """Before anything is computed."""
    loaded = osc.load_model(export(conv_net(), tmp_path / "net.pt2", torch.randn(3, 2, 4, 4).double(), dynamic=False))
    for instrument in (osc.equivariance, osc.influence):
        with pytest.raises(osc.OrbitscopeError, match=r"fails on a batch of shape.*dynamic batch dimension \(torch\.export\.Dim\)"):
            instrument(loaded, random_data(), "d4")


@pytest.mark.parametrize("name", ["unet", "vit", "resnet", "fno"])
def test_the_models_of_the_library_export(random_data: Make, tmp_path: Path, name: str) -> None:
    """Their own padding and attention included; the exported program has the same influence."""
    overrides = {
        "unet": {"width": 2, "kernels": (3, 3), "heads": 1}, "vit": {"width": 4, "heads": 1, "depth": 1, "patch": 4},
        "resnet": {"width": 2, "depth": 1, "kernel": 3}, "fno": {"width": 2, "modes": 2, "depth": 1},
    }[name]  # fmt: skip
    torch.manual_seed(0)
    model = osc.build(name, channels_in=2, resolution=8, **overrides).double().eval()
    data = random_data(points=8, trajectories=2, times=2)
    loaded = osc.load_model(export(model, tmp_path / "net.pt2", torch.randn(3, 2, 8, 8).double(), dynamic=True))
    one, other = (osc.influence(m, data, "c2") for m in (model, loaded))
    np.testing.assert_allclose(other["influence"], one["influence"], rtol=1e-7, atol=1e-9 * np.abs(one["influence"]).max())


@pytest.mark.parametrize("content", [b"", b"not a zip file at all", None])
def test_damaged_exports_are_named(tmp_path: Path, content: bytes | None) -> None:
    """Empty, foreign, truncated."""
    path = tmp_path / "net.pt2"
    if content is None:
        export(conv_net(), path, torch.randn(3, 2, 4, 4).double(), dynamic=False)
        content = path.read_bytes()[:-2000]
    path.write_bytes(content)
    with pytest.raises(osc.OrbitscopeError, match=r"net\.pt2 is not (a readable torch\.export file|plainly data)"):
        osc.load_model(path)
    with pytest.raises(osc.OrbitscopeError, match=r"there is no file .*other\.pt2"):
        osc.load_model(tmp_path / "other.pt2")


# Code and weights

SOURCE = """
from torch import nn

def make():
    return nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.Dropout(0.5), nn.Conv2d(3, 2, 1))

class Same(nn.Module):
    def forward(self, x):
        return x

def wrong():
    return [1, 2, 3]

def fails():
    raise FileNotFoundError("the table of coefficients")

def needs(width):
    return nn.Conv2d(2, width, 1)

number = 3
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package on PYTHONPATH, and weights that fit its model."""
    (tmp_path / "somebody").mkdir()
    (tmp_path / "somebody" / "__init__.py").write_text("")
    (tmp_path / "somebody" / "nets.py").write_text(SOURCE)
    (tmp_path / "somebody" / "broken.py").write_text("import a_module_that_does_not_exist\n")
    (tmp_path / "somebody" / "typo.py").write_text("def make(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [n for n in sys.modules if n.partition(".")[0] == "somebody"]:
        monkeypatch.delitem(sys.modules, name)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.Dropout(0.5), nn.Conv2d(3, 2, 1))
    safetensors.torch.save_file(model.state_dict(), tmp_path / "weights.safetensors")
    return tmp_path


def test_a_callable_with_weights(package: Path, random_data: Make) -> None:
    """In evaluation mode, with the weights of the file, ready to be probed."""
    weights = safetensors.torch.load_file(package / "weights.safetensors")
    model = osc.load_model("somebody.nets:make", package / "weights.safetensors")
    assert not model.training and all(torch.equal(v, weights[k]) for k, v in model.state_dict().items())
    data = random_data(dtype=torch.float32)
    assert osc.equivariance(model, data, "d4").sizes["element"] == 8
    assert np.isfinite(osc.influence(model, data, "d4")["coherence"]).all()
    assert isinstance(osc.load_model("somebody.nets:Same"), nn.Module)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("3.bias"), r"does not fit the model: missing \['3\.bias'\]"),
        (lambda t: t.update(extra=torch.zeros(2)), r"unexpected \['extra'\]"),
        (lambda t: t.update({"0.weight": torch.zeros(3, 2, 5, 5)}), r"wrong shape \['0\.weight: \(3, 2, 5, 5\) for \(3, 2, 3, 3\)'\]"),
        (lambda t: (t.pop("0.bias"), t.update(more=torch.zeros(1))), r"missing \['0\.bias'\]; unexpected \['more'\]"),
    ],
)
def test_weights_that_do_not_fit(package: Path, change: Callable[[dict[str, Tensor]], object], message: str) -> None:
    """Missing, unexpected, of another shape: all named at once, and the model is not half loaded."""
    tensors = safetensors.torch.load_file(package / "weights.safetensors")
    change(tensors)
    safetensors.torch.save_file(tensors, package / "other.safetensors")
    with pytest.raises(osc.OrbitscopeError, match=message):
        osc.load_model("somebody.nets:make", package / "other.safetensors")


def test_weights_that_are_no_weights(package: Path) -> None:
    """A missing file, an empty one, a folder, a pickle."""
    torch.save({"0.weight": torch.zeros(1)}, package / "pickle.safetensors")
    (package / "empty.safetensors").write_bytes(b"")
    for name in ("none.safetensors", "empty.safetensors", "somebody", "pickle.safetensors"):
        with pytest.raises(osc.OrbitscopeError, match=rf"weights: cannot read .*{name}.* as safetensors"):
            osc.load_model("somebody.nets:make", package / name)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere.at_all:make", r"cannot find 'nowhere\.at_all:make'.*Is it on PYTHONPATH\?"),
        ("somebody.nets:nothing", r"cannot find 'somebody\.nets:nothing'"),
        ("somebody.broken:make", r"cannot find 'somebody\.broken:make'.*a_module_that_does_not_exist"),
        ("somebody.nets:wrong", r"returned list, not a torch\.nn\.Module"),
        ("somebody.nets:number", r"'somebody\.nets:number' is int, not a callable"),
        ("somebody.nets:fails", r"'somebody\.nets:fails' failed: FileNotFoundError: the table of coefficients"),
        ("somebody.nets:needs", r"TypeError.*width.*called without arguments"),
        ("somebody.typo:make", r"importing 'somebody\.typo' failed: SyntaxError"),
        ("somebody.nets:", r"cannot find|cannot read"),
        (":make", r"cannot find|cannot read"),
    ],
)
def test_callables_that_are_none(package: Path, source: str, message: str) -> None:
    """What was missing, in the words of Python, and where to put it."""
    with pytest.raises(osc.OrbitscopeError, match=message):
        osc.load_model(source)


def test_weights_go_with_callables_only(tmp_path: Path) -> None:
    """A run folder or an exported program brings its own."""
    for source in (tmp_path, tmp_path / "net.pt2"):
        with pytest.raises(osc.OrbitscopeError, match=r"`weights` goes with 'package\.module:callable'"):
            osc.load_model(source, tmp_path / "weights.safetensors")
    with pytest.raises(osc.OrbitscopeError):
        osc.load_model(tmp_path / "no-run-here")
