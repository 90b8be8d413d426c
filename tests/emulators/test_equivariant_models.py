"""The emulators with a symmetry built in: commute after training too, are what the probe calls symmetric, and match in parameters."""

import copy
import pickle
from typing import Any

import pytest
import torch
from torch.func import functional_call, grad, jvp, vmap

import orbitscope as osc
from orbitscope import nn as onn
from orbitscope.emulators import TrainConfig, build, equivariant, load_run, train

LAYOUT = osc.Layout.of("density", "velocity:vector", "vorticity:pseudoscalar")
TINY = {
    "equivariant_unet": {"width": 2, "kernels": (3, 3, 3), "heads": 2},
    "equivariant_resnet": {"width": 2, "depth": 1, "kernel": 3},
    "equivariant_fno": {"width": 2, "modes": 3, "depth": 2},
    "equivariant_vit": {"width": 2, "heads": 2, "depth": 2, "patch": 4},
}
LATTICE_ONLY = ("equivariant_fno", "equivariant_vit")


def tiny(name: str, group: str = "d4", grid: osc.Grid | None = None, **more) -> torch.nn.Module:
    torch.manual_seed(0)
    size = (16, 16) if grid is None else (grid.shape[0], grid.shape[1])
    model = build(name, channels_in=4, layout=LAYOUT, grid=grid, group=group, resolution=size, **{**TINY[name], **more}).double()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return model


def states(n: int = 16, m: int | None = None, channels: int = 4) -> torch.Tensor:
    return torch.randn(2, channels, n, m or n, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize(
    ("group", "grid"),
    [
        ("d4", osc.Grid.square(16)),
        ("d4", osc.Grid.square(16, boundary="wall")),
        ("c4", osc.Grid.square(16, boundary="open")),
        ("d8", osc.Grid.square(16)),
        ("o2", osc.Grid.square(16)),
        ("d2", osc.Grid((8, 16), (1, 2), ("periodic", "wall"))),
    ],
)
def test_models_commute(name: str, group: str, grid: osc.Grid) -> None:
    """Every exact element of the group, on every kind of domain, in both precisions."""
    if group in ("d8", "o2") and name in LATTICE_ONLY:
        with pytest.raises(osc.OrbitscopeError, match="take c4, d4"):
            tiny(name, group, grid)
        return
    model, action = tiny(name, group, grid), osc.GridAction(LAYOUT, grid)
    x = states(*grid.shape)
    elements = osc.parse_group("d4" if group in ("d8", "o2") else group).elements
    with torch.no_grad():
        for precise, bar in ((True, 1e-12), (False, 1e-5)):
            model, x = (model, x) if precise else (model.float(), x.float())
            y, *moved = model(torch.cat([x, *(action(g, x) for g in elements)])).split(len(x))  # one batch: kernels are made in every call
            for g, z in zip(elements, moved, strict=True):
                assert float((z - action(g, y)).norm() / y.norm()) < bar


@pytest.mark.parametrize("name", TINY)
def test_a_channel_keeps_its_own_subgroup_only(name: str) -> None:
    """Walls on one axis, or a box that is not square: the message names what is left."""
    for grid in (osc.Grid((16, 16), (1, 1), ("periodic", "wall")), osc.Grid((16, 8), (1, 1), ("periodic", "periodic"))):
        with pytest.raises(osc.OrbitscopeError, match="e, r2, s, sr2: take group=d2"):
            tiny(name, "d4", grid)
        tiny(name, "d2", grid)(states(*grid.shape))


def test_a_plain_model_is_no_such_thing() -> None:
    """The measure can fail."""
    torch.manual_seed(0)
    model, action, x = build("unet", channels_in=4).double(), osc.GridAction(LAYOUT, osc.Grid.square(16)), states()
    g = osc.dihedral(4)["r"]
    with torch.no_grad():
        assert float((model(action(g, x)) - action(g, model(x))).norm() / model(x).norm()) > 0.1


@pytest.mark.parametrize("name", TINY)
def test_models_run_under_torch_func_pickle_copy_and_export(name: str) -> None:
    fewer: dict[str, Any] = {"kernels": (3, 3)} if name == "equivariant_unet" else {}  # two levels are as good as three here
    model, x = tiny(name, **fewer), states()
    parameters = {k: v.detach() for k, v in model.named_parameters()}

    def loss(p, one):
        return functional_call(model, p, (one[None],)).square().mean()

    together = vmap(grad(loss), (None, 0))(parameters, x)
    alone = grad(loss)(parameters, x[1])
    for key, value in together.items():
        torch.testing.assert_close(value[1], alone[key], rtol=1e-9, atol=1e-11)
    direction = {k: torch.randn_like(v) for k, v in parameters.items()}
    tangent = jvp(lambda p: loss(p, x[0]), (parameters,), (direction,))[1]
    torch.testing.assert_close(tangent, sum((grad(loss)(parameters, x[0])[k] * direction[k]).sum() for k in parameters))
    y = model(x)
    torch.testing.assert_close(copy.deepcopy(model)(x), y)
    torch.testing.assert_close(pickle.loads(pickle.dumps(model))(x), y)
    assert list(model.train().state_dict()) == list(model.eval().state_dict()) == list(parameters)
    plain = onn.export(model)
    assert not any(isinstance(m, onn.EquivariantConv | onn.EquivariantSpectralConv | onn.Unpatch) for m in plain.modules())
    torch.testing.assert_close(plain(x), y, rtol=1e-10, atol=1e-11)
    if name == "equivariant_resnet":  # the others take longer; the layers of their own are exported in tests/nn
        exported = torch.export.export(model.eval(), (x,)).module()
        torch.testing.assert_close(exported(x), y)


def test_equivariant_matches_parameters_of_the_plain_model() -> None:
    """Nearest whole number of fields."""
    for name, group in (("resnet", "d4"), ("resnet", "c8"), ("unet", "c4"), ("resnet", "so2"), ("fno", "c4"), ("vit", "d4")):
        plain, made = build(name, channels_in=4, resolution=16), equivariant(name, group, layout=LAYOUT, resolution=16)
        sizes = [sum(p.numel() for p in m.parameters()) for m in (plain, made)]
        assert 0.8 < sizes[1] / sizes[0] < 1.25, (name, group, sizes)
    assert equivariant("resnet", "c4", layout=LAYOUT, frames=2, width=8, depth=1)(states(8, channels=8).float()).shape == (2, 4, 8, 8)
    with pytest.raises(osc.OrbitscopeError, match="unet, resnet, fno or vit.*symmetrize"):
        equivariant("motion_unet", layout=LAYOUT)
    with pytest.raises(osc.OrbitscopeError, match="give `layout`"):
        build("equivariant_resnet", channels_in=2)
    with pytest.raises(osc.OrbitscopeError, match="no number of frames"):
        build("equivariant_resnet", channels_in=3, layout=LAYOUT)


@pytest.mark.parametrize("name", TINY)
def test_trained_it_is_symmetric_to_the_probe(name: str, tmp_path) -> None:
    """`train`, `load_run`: the commutator is rounding, and a transformed example teaches what the example itself does."""
    values = torch.cat([chunk for _, chunk in osc.simulate("navier-stokes.gauss", trajectories=6, resolution=16, frames=3, seed=0)])
    data = osc.Trajectories(values.float(), osc.Layout.of("velocity:vector"), osc.Grid.square(16), dt=0.5)
    config = TrainConfig(
        model=name, overrides={**TINY[name], "group": "d4"}, epochs=1, batch=4, precision="64", split=(0.5, 0.25, 0.25), learning_rate=1e-3
    )
    train(data, config, tmp_path / "run", progress=None, tensorboard=False)
    run = load_run(tmp_path / "run")
    assert osc.equivariance(run.model, data, "d4").commutator.max() < 1e-10
    found = osc.influence(run.model, data, "d4", metric="euclidean", trajectories=2, times=1)
    for element in range(8):
        for b in range(2):
            assert found.coherence.values[element, 0, b, 0, b] == pytest.approx(1.0, abs=1e-9)


def test_the_fno_works_in_three_dimensions() -> None:
    """A velocity of three components under the rotations of the cube, and every shift of whole cells."""
    layout, grid = osc.Layout.of("velocity:vector", ndim=3), osc.Grid((4, 4, 4), (1.0, 1.0, 1.0), ("periodic",) * 3)
    torch.manual_seed(0)
    model = build("equivariant_fno", channels_in=3, layout=layout, grid=grid, group="o", width=1, modes=2, depth=1).double()
    x, action = torch.randn(1, 3, 4, 4, 4, dtype=torch.float64), osc.GridAction(layout, grid)
    with torch.no_grad():
        y = model(x)
        for g in list(osc.parse_group("o"))[::5]:
            assert float((model(action(g, x)) - action(g, y)).norm() / y.norm()) < 1e-12
        torch.testing.assert_close(model(x.roll(1, 4)), y.roll(1, 4))
    with pytest.raises(osc.OrbitscopeError, match=r"expected a state \[batch, 3, x, y, z\]"):
        model(x[0])
