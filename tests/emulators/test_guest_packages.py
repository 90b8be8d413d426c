"""Presets on the packages' own classes, tiny and untrained. The packages are no dependencies: `make test-guests` installs and runs them."""

import importlib.util
import sys
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import orbitscope as osc

pytestmark = pytest.mark.filterwarnings("ignore")  # what other people's code says about its own libraries is no fault of ours
FIELD, SIZE = osc.Layout.of("velocity:vector"), 8
OPERATORS = "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def package(name: str, *, timm: bool = False) -> Any:
    """A module of a package, or a skip that says which package is missing."""
    if timm and "torchvision" not in sys.modules and importlib.util.find_spec("torchvision"):
        # PyPI's torchvision has operators for GPUs only, and its import declares their shapes before it looks; timm needs none of them.
        library = torch.library.Library("torchvision", "FRAGMENT")
        for operator in (OPERATORS, "q" + OPERATORS):
            if not hasattr(torch.ops.torchvision, operator.partition("(")[0]):
                library.define(operator)
    top = name.partition(".")[0]
    if importlib.util.find_spec(top) is None:
        pytest.skip(f"needs the package {top}: make test-guests")
    return importlib.import_module(name)  # one that is there and cannot be imported is a failure


def neuralop(name: str) -> nn.Module:
    models = package("neuralop.models")
    if name == "UNO":
        shape = {"uno_out_channels": [4, 4], "uno_n_modes": [[4, 4]] * 2, "uno_scalings": [[1.0, 1.0]] * 2, "n_layers": 2}
        return models.UNO(in_channels=4, out_channels=2, hidden_channels=4, channel_mlp_skip="linear", **shape)
    return getattr(models, name)(n_modes=(4, 4), in_channels=4, out_channels=2, hidden_channels=4, n_layers=1)


def the_well(name: str, **words: Any) -> nn.Module:
    return getattr(package("the_well.benchmark.models", timm=True), name)(4, 2, 2, (SIZE, SIZE), **words)


def physicsnemo_fno() -> nn.Module:
    return package("physicsnemo.models.fno", timm=True).FNO(
        4, 2, decoder_layer_size=4, latent_channels=4, num_fno_layers=1, num_fno_modes=3, padding=2
    )


def physicsnemo_afno() -> nn.Module:
    return package("physicsnemo.models.afno", timm=True).AFNO([SIZE, SIZE], 4, 2, patch_size=[2, 2], embed_dim=8, depth=1, num_blocks=2)


@pytest.mark.parametrize(
    ("like", "make"),
    [
        ("neuralop", lambda: neuralop("FNO")), ("neuralop", lambda: neuralop("TFNO")), ("neuralop", lambda: neuralop("UNO")),
        ("the_well", lambda: the_well("UNetConvNext", stages=1, init_features=4)),
        ("the_well", lambda: the_well("DilatedResNet", blocks=1, hidden_dim=4)),
        ("physicsnemo", physicsnemo_fno), ("physicsnemo", physicsnemo_afno),
    ],
    ids=["neuralop.FNO", "neuralop.TFNO", "neuralop.UNO", "the_well.UNetConvNext", "the_well.DilatedResNet", "physicsnemo.FNO",
         "physicsnemo.AFNO"],
)  # fmt: skip
def test_models_of_stacked_states_on_their_own_classes(like: str, make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    model = make().eval()
    values = torch.randn(2, 4, 2, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    data = osc.Trajectories(values, FIELD, osc.Grid.square(SIZE), dt=0.1)
    guest = osc.adapt(model, like=like, frames=2, layout=FIELD)
    x = torch.cat([values[:, 0], values[:, 1]], 1)
    torch.testing.assert_close(guest(x), model(x))
    assert float(osc.equivariance(guest, data, "c2", trajectories=2, times=1)["commutator"].max()) > 0
    found = osc.influence(guest, data, "c2", elements=["e"], metric="euclidean", trajectories=2, times=1)
    assert float(found["ket_self"].min()) > 0 and found.attrs["parameters"] > 0


class StandIn(nn.Module):
    """Aurora's signature around one weight: north is carried one cell to the south, and levels are exchanged."""

    surf_vars, static_vars, atmos_vars, max_history_size = ("10u", "10v"), ("lsm",), ("u", "v"), 2

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))

    def forward(self, batch: Any) -> Any:
        lat, lon = batch.metadata.lat, batch.metadata.lon
        assert lat[0] == 67.5 and lat[-1] == -67.5 and lon[0] == 22.5 and batch.metadata.time == (datetime(2000, 1, 1),) * 3
        assert batch.static_vars["lsm"].shape == (4, 8) and batch.metadata.atmos_levels == (850, 500)
        surface = {k: self.w * v[:, -1:].roll(1, -2) for k, v in batch.surf_vars.items()}
        return type(batch)(surface, {}, {k: self.w * v[:, -1:].flip(2) for k, v in batch.atmos_vars.items()}, batch.metadata)


AURORA = {"like": "aurora", "kwargs": {"levels": (850, 500)}}


def test_aurora_as_its_own_class_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    class Batch(SimpleNamespace):
        def __init__(self, surf_vars: Any, static_vars: Any, atmos_vars: Any, metadata: Any) -> None:
            super().__init__(surf_vars=surf_vars, static_vars=static_vars, atmos_vars=atmos_vars, metadata=metadata)

    def metadata(lat: Tensor, lon: Tensor, time: tuple, atmos_levels: tuple) -> SimpleNamespace:
        return SimpleNamespace(lat=lat, lon=lon, time=time, atmos_levels=atmos_levels)

    monkeypatch.setitem(sys.modules, "aurora", SimpleNamespace(Batch=Batch, Metadata=metadata))
    x = torch.randn(3, 12, 8, 4, dtype=torch.float64)  # two states of 10u 10v u850 u500 v850 v500 on [longitude, latitude to the north]
    last = x[:, 6:]
    expected = 2 * torch.cat([last[:, :2].roll(-1, -1), last[:, [3, 2, 5, 4]]], 1)
    guest = osc.adapt(StandIn(), **AURORA)
    torch.testing.assert_close(guest(x), expected)
    assert guest.frames == 2
    with pytest.raises(osc.OrbitscopeError, match="10u, 10v and u, v on 1 levels are 4"):
        osc.adapt(StandIn(), like="aurora", kwargs={"levels": 850})(x)
    with pytest.raises(osc.OrbitscopeError, match="'aurora' needs a model with surf_vars"):
        osc.adapt(nn.Identity(), like="aurora")


def test_aurora_on_its_own_class() -> None:
    aurora = package("aurora", timm=True)
    torch.manual_seed(0)
    model = aurora.Aurora(
        surf_vars=("10u", "10v"), static_vars=("lsm",), atmos_vars=("u", "v"), window_size=(2, 2, 2), encoder_depths=(1, 1),
        encoder_num_heads=(1, 2), decoder_depths=(1, 1), decoder_num_heads=(2, 1), latent_levels=2, patch_size=2, embed_dim=8, num_heads=2,
        use_lora=False,
    ).eval().double()  # fmt: skip
    values = torch.randn(2, 4, 6, SIZE, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    layout = osc.Layout.of("wind:vector", "u850", "u500", "v850", "v500")
    data = osc.Trajectories(values, layout, osc.Grid.square(SIZE), dt=0.25)
    guest = osc.adapt(model, **AURORA, layout=layout)
    past = values[:, :2].flip(-1).transpose(-1, -2)  # [b, t, c, lat to the south, lon]
    degrees = torch.arange(SIZE, dtype=torch.float64) + 0.5
    batch = aurora.Batch(
        {"10u": past[:, :, 0], "10v": past[:, :, 1]}, {"lsm": torch.zeros(SIZE, SIZE)}, {"u": past[:, :, 2:4], "v": past[:, :, 4:6]},
        aurora.Metadata(90 - degrees * 180 / SIZE, degrees * 360 / SIZE, (datetime(2000, 1, 1),) * 2, (850, 500)),
    )  # fmt: skip
    with torch.no_grad():
        answer, ours = model(batch), guest(values[:, :2].flatten(1, 2))
    for place, found in ((0, answer.surf_vars["10u"][:, 0]), (3, answer.atmos_vars["u"][:, 0, 1])):
        torch.testing.assert_close(ours[:, place], found.transpose(-1, -2).flip(-1), rtol=1e-10, atol=1e-10)
    found = osc.influence(guest, data, "tx2", elements=["0"], metric="euclidean", trajectories=2, times=1)
    assert float(found["ket_self"].min()) > 0


def test_earth2studio_on_its_own_persistence() -> None:
    persistence = package("earth2studio.models.px.persistence", timm=True)
    coordinates = OrderedDict(lat=np.linspace(75, -75, 6), lon=np.linspace(0, 300, 6))
    model = persistence.Persistence(["u10m", "v10m"], coordinates, history=2)
    x = torch.randn(3, 4, 6, 6)
    assert torch.equal(osc.adapt(model, like="earth2studio")(x), x[:, 2:])
