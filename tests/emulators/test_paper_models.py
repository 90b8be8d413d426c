"""Uniform motion, magnitude and scale as emulators: what they commute with, untrained and trained, in physical units."""

import copy
import pickle
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp, vmap

import orbitscope as osc
from orbitscope.emulators import Emulator, TrainConfig, build, load_run, rollout, train
from orbitscope.symmetry import Boundary, Scaling

FLOW = osc.Layout.of("velocity:vector")
MIXED = osc.Layout.of("density", "velocity:vector", "buoyancy:vector")
TINY = {
    "motion_resnet": {"width": 3, "depth": 1, "kernel": 3},
    "motion_unet": {"width": 2, "kernels": (3, 3, 3), "heads": 2},
    "magnitude_resnet": {"width": 4, "depth": 1, "kernel": 3},
    "magnitude_unet": {"width": 4, "kernels": (3, 3, 3), "heads": 2},
    "scale_resnet": {"width": 2, "depth": 1, "levels": 3},
    "scale_unet": {"width": 2, "stages": 1, "levels": 3},
}
GRIDS = {
    "periodic": osc.Grid.square(12),
    "channel": osc.Grid((12, 16), (1.0, 1.0), ("periodic", "wall")),
    "open": osc.Grid.square(8, boundary="open"),
    "odd": osc.Grid((9, 7), (1.0, 1.0), ("wall", "periodic")),
}


def tiny(name: str, layout: osc.Layout = FLOW, grid: osc.Grid | None = GRIDS["periodic"], frames: int = 1, **more) -> nn.Module:
    torch.manual_seed(0)
    model = build(
        name, channels_in=frames * layout.channels, channels_out=layout.channels, layout=layout, grid=grid, **{**TINY[name], **more}
    )
    model = model.double()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return model


def states(grid: osc.Grid, layout: osc.Layout = FLOW, frames: int = 1, batch: int = 2) -> Tensor:
    return torch.randn(batch, frames * layout.channels, *grid.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def column(layout: osc.Layout, name: str, value: list[float], otherwise: float, frames: int = 1) -> Tensor:
    """One number per channel: `value` in the field, [frames * channel, 1, 1]."""
    one = torch.full((layout.channels,), otherwise, dtype=torch.float64)
    one[layout.slice(name)] = torch.tensor(value, dtype=torch.float64)
    return one.repeat(frames)[:, None, None]


def fits(name: str, kind: str) -> bool:
    return not (kind == "odd" and name.endswith("unet"))


# --- uniform motion -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("layout", [FLOW, MIXED], ids=["flow", "mixed"])
@pytest.mark.parametrize("kind", GRIDS)
@pytest.mark.parametrize("name", ["motion_resnet", "motion_unet"])
def test_motion_shifts_velocities_and_nothing_else(name: str, kind: str, layout: osc.Layout, residual: bool, frames: int) -> None:
    if not fits(name, kind):
        return
    grid = GRIDS[kind]
    model, x = tiny(name, layout, grid, frames, residual=residual), states(grid, layout, frames)
    shift = column(layout, "velocity", [30.0, -2.0], 0.0)
    with torch.no_grad():
        y = model(x)
        expected = y if residual else y + shift
        torch.testing.assert_close(model(x + shift.repeat(frames, 1, 1)), expected, rtol=0, atol=1e-10)
        # The measure can fail: a shift of another field, or of one frame alone, is seen.
        if layout is MIXED:
            assert (model(x + column(layout, "buoyancy", [1.0, 1.0], 0.0, frames)) - y).abs().max() > 1e-3
        if frames > 1:
            late = torch.cat([torch.zeros_like(shift).repeat(frames - 1, 1, 1), shift])
            assert (model(x + late) - expected).abs().max() > 1e-3


@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("name", ["motion_resnet", "motion_unet"])
def test_the_trained_motion_emulator_commutes_in_physical_units(name: str, residual: bool, frames: int, tmp_path: Path) -> None:
    layout, grid = osc.Layout.of("tracer", "velocity:vector"), GRIDS["channel"]
    scale = column(layout, "velocity", [40.0, 40.0], 3.0)
    run = trained(name, layout, grid, scale, tmp_path, residual=residual, frames=frames)
    x = states(grid, layout, frames) * scale.repeat(frames, 1, 1)
    shift = column(layout, "velocity", [70.0, -25.0], 0.0)
    assert run.model.scale[1] > 10  # else the units would not matter
    with torch.no_grad():
        moved = run.model(x + shift.repeat(frames, 1, 1))
        torch.testing.assert_close(moved, run.model(x) + shift, rtol=0, atol=1e-10)
    data = osc.Trajectories(x.unflatten(1, (frames, -1)).repeat(1, 3, 1, 1, 1), layout, grid, dt=0.1)
    there = rollout(run.model, data.replace(values=data.tensor() + shift), 2, keep_states=True)["prediction"].values
    here = rollout(run.model, data, 2, keep_states=True)["prediction"].values
    torch.testing.assert_close(torch.from_numpy(there), torch.from_numpy(here) + shift, rtol=0, atol=1e-9)


def trained(name: str, layout: osc.Layout, grid: osc.Grid, scale: Tensor, path: Path, **more) -> osc.emulators.Run:
    values = torch.randn(6, 4, layout.channels, *grid.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) * scale
    data = osc.Trajectories(values, layout, grid, dt=0.1)
    settings = {"epochs": 1, "batch": 4, "precision": "64", "device": "cpu", "learning_rate": 3e-3, **more}
    overrides = {**TINY[name], **settings.pop("overrides", {})}
    train(data, TrainConfig(model=name, overrides=overrides, **settings), path / "run", progress=None, tensorboard=False)
    return load_run(path / "run")


# --- magnitude ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("layout", [FLOW, MIXED], ids=["flow", "mixed"])
@pytest.mark.parametrize("kind", GRIDS)
@pytest.mark.parametrize("name", ["magnitude_resnet", "magnitude_unet"])
def test_magnitude_multiplies_the_fields_that_carry_it(name: str, kind: str, layout: osc.Layout, frames: int) -> None:
    if not fits(name, kind):
        return
    grid = GRIDS[kind]
    more = {"scaled": "velocity"} if layout is MIXED else {}
    model, x = tiny(name, layout, grid, frames, **more), states(grid, layout, frames)
    for m in (1e-3, 50.0):
        factor = column(layout, "velocity", [m, m], 1.0)
        with torch.no_grad():
            moved = model(x * factor.repeat(frames, 1, 1))
            torch.testing.assert_close(moved / factor, model(x), rtol=0, atol=1e-10)
    with torch.no_grad():  # not linear, so that m > 0 is no accident, and rest stays rest
        assert (model(-x) + model(x)).abs().max() > 1e-3
        still = model(x * column(layout, "velocity", [0.0, 0.0], 1.0, frames))
        assert (still[:, layout.slice("velocity")] == 0).all()


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("name", ["magnitude_resnet", "magnitude_unet"])
def test_the_trained_magnitude_emulator_commutes_in_physical_units(name: str, residual: bool, tmp_path: Path) -> None:
    layout, grid = osc.Layout.of("tracer", "velocity:vector"), GRIDS["channel"]
    scale = column(layout, "velocity", [40.0, 40.0], 3.0)
    run = trained(name, layout, grid, scale, tmp_path, residual=residual, frames=2, overrides={"scaled": "velocity"})
    assert run.model.mean[0] != 0
    x, factor = states(grid, layout, 2) * scale.repeat(2, 1, 1), column(layout, "velocity", [7.0, 7.0], 1.0)
    with torch.no_grad():
        torch.testing.assert_close(run.model(x * factor.repeat(2, 1, 1)), run.model(x) * factor, rtol=0, atol=1e-9)


# --- scale ----------------------------------------------------------------------------------------------------------


def smooth(grid: osc.Grid) -> Tensor:
    x, y = grid.coordinates() * 2 * torch.pi
    return torch.stack([torch.sin(y) + 0.5 * torch.sin(2 * x + y), torch.cos(x) - torch.sin(2 * x + y)])[None]


def scale_error(model: nn.Module, grid: osc.Grid, power: float) -> float:
    scaling = Scaling(FLOW, grid, velocity=2.0, copies=2)
    state = smooth(grid)
    with torch.no_grad():
        expected = 2.0**power * model(state).repeat(1, 1, 2, 2)
        return float((model(scaling.state(state)) - expected).norm() / expected.norm())


@pytest.mark.parametrize("name", ["scale_resnet", "scale_unet"])
def test_the_error_of_the_rate_under_scale_falls_with_the_levels(name: str) -> None:
    """Levels added at both ends of a ladder around the scale of the flow; what is left is beyond the ends. Two sets of weights."""
    grid, errors = osc.Grid.square(16), []
    for more in range(4):
        found = []
        for seed in (0, 1):
            torch.manual_seed(seed)
            options = {**TINY[name], "levels": 3 + 2 * more, "finest": 0.7 / 2**more}
            found.append(scale_error(build(name, channels_in=2, layout=FLOW, grid=grid, **options).double(), grid, 3.0))
        errors.append(sum(found) / 2)
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.2 < errors[0], errors
    torch.manual_seed(0)
    assert scale_error(build("resnet", channels_in=2).double(), grid, 3.0) > 0.8  # the plain model


@pytest.mark.parametrize("name", ["scale_resnet", "scale_unet"])
def test_the_trained_scale_emulator_has_such_a_rate_in_physical_units(name: str, tmp_path: Path) -> None:
    """$r = F(u) - u$ of the whole emulator, with few levels and with many."""
    grid, unit, errors = osc.Grid.square(16), 40.0, []
    for levels, finest in ((3, 0.7), (9, 0.0875)):
        scale, path = torch.tensor(unit, dtype=torch.float64), tmp_path / str(levels)
        run = trained(name, FLOW, grid, scale, path, overrides={"levels": levels, "finest": finest})
        errors.append(scale_error(_Rate(run.model, unit), grid, 3.0))
    assert errors[1] < 0.6 * errors[0], errors


class _Rate(nn.Module):
    def __init__(self, model: nn.Module, unit: float) -> None:
        super().__init__()
        self.model, self.unit = model, unit

    def forward(self, state: Tensor) -> Tensor:
        return self.model(self.unit * state) - self.unit * state


@pytest.mark.parametrize(("shape", "boundary"), [((8, 16), ("periodic", "wall")), ((15, 7), ("open", "periodic"))])
def test_scale_models_take_walls_and_frames(shape: tuple[int, int], boundary: tuple[Boundary, Boundary]) -> None:
    """Mirrored at walls: what happens at one of them is not seen beyond the other."""
    walled = next(axis for axis, b in enumerate(boundary) if b != "periodic")
    seen = {}
    around: tuple[Boundary, Boundary] = ("periodic", "periodic")
    for ends in (boundary, around):
        grid = osc.Grid(shape, (1.0, 1.0), ends)
        model, x = tiny("scale_resnet", FLOW, grid, 2, levels=1, finest=1.0), states(grid, FLOW, 2)
        moved = x.clone()
        moved.select(walled + 2, 0).add_(1.0)
        with torch.no_grad():
            change = (model(moved) - model(x)).abs().amax([d for d in range(4) if d != walled + 2])
        assert model(x).shape == (2, 2, *shape)
        seen[ends] = float(change[-1] / change[0])
    assert seen[boundary] < 0.05 < 0.2 < seen["periodic", "periodic"], seen


# --- all ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TINY)
def test_it_runs_under_torch_func_copies_reloads_and_every_weight_learns(name: str) -> None:
    grid = osc.Grid.square(8)
    model, x = tiny(name, FLOW, grid), states(grid, batch=3)
    parameters = {k: v.detach() for k, v in model.named_parameters()}

    def loss(p: dict[str, Tensor], one: Tensor) -> Tensor:
        return (functional_call(model, p, (one[None],)) - 1).square().mean()

    together = vmap(grad(loss), (None, 0))(parameters, x)
    alone = grad(loss)(parameters, x[1])
    for key, value in together.items():
        torch.testing.assert_close(value[1], alone[key], rtol=1e-9, atol=1e-11)
        assert value.abs().max() > 0, key
    direction = {k: torch.randn_like(v) for k, v in parameters.items()}
    tangent = jvp(lambda p: loss(p, x[1]), (parameters,), (direction,))[1]
    torch.testing.assert_close(tangent, sum(((alone[k] * direction[k]).sum() for k in parameters), torch.zeros(())).double())
    with torch.no_grad():
        y = model(x)
        torch.testing.assert_close(y[1:2], model(x[1:2]), rtol=1e-11, atol=1e-11)
        for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert torch.equal(other(x), y)
        fresh = build(name, channels_in=2, layout=FLOW, grid=grid, **TINY[name]).double()
        fresh.load_state_dict(model.state_dict())
        assert torch.equal(fresh(x), y) and list(model.state_dict()) == list(parameters)
        for shift in (4, -8):  # the total stride of the deepest
            torch.testing.assert_close(model(x.roll(shift, -1)), y.roll(shift, -1), rtol=0, atol=1e-11)


@pytest.mark.parametrize("preset", ["small", "medium", "paper"])
@pytest.mark.parametrize("kind", ["resnet", "unet"])
def test_motion_and_magnitude_have_the_parameters_of_the_plain_model(kind: str, preset: str) -> None:
    with torch.device("meta"):
        plain = build(kind, preset, channels_in=2)
        for name in (f"motion_{kind}", f"magnitude_{kind}"):
            model = build(name, preset, channels_in=2, layout=FLOW)
            assert size(model) == size(plain) > 0


def size(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_mistakes_are_named() -> None:
    euler = osc.Layout.of("density", "momentum:vector", "energy")
    grid = osc.Grid.square(8)
    ones, shifted = torch.ones(2), torch.tensor([1.0, 0.0])
    for make, words in (
        (lambda: build("motion_resnet", channels_in=2), "give `layout`"),
        (lambda: build("motion_resnet", channels_in=4, layout=euler), "Momentum shifts"),
        (lambda: build("motion_resnet", channels_in=4, layout=euler, moving="energy"), "no vector field"),
        (lambda: build("motion_resnet", channels_in=3, channels_out=2, layout=FLOW), "frames of `layout`"),
        (lambda: build("motion_resnet", channels_in=2, layout=FLOW, width=1), "width"),
        (lambda: build("motion_unet", channels_in=2, layout=FLOW, kernels=(4, 3)), "odd"),
        (lambda: tiny("motion_unet")(torch.zeros(1, 2, 6, 6).double()), "divisible by 4"),
        (lambda: Emulator(tiny("motion_resnet", residual=False), 0 * ones, ones, residual=True), "same `residual`"),
        (lambda: Emulator(tiny("motion_resnet"), 0 * ones, ones, 2 * ones), "must be one number"),
        (lambda: build("magnitude_resnet", channels_in=4, layout=euler), "density, energy.*`scaled` momentum"),
        (lambda: build("magnitude_resnet", channels_in=1, layout=osc.Layout.of("a")), "no field without a mean"),
        (lambda: build("magnitude_resnet", channels_in=2, layout=FLOW, scaled="u"), "no field is called 'u'"),
        (lambda: Emulator(tiny("magnitude_resnet"), shifted, ones), "must be 0"),
        (lambda: build("scale_resnet", channels_in=2, layout=FLOW), "give `grid`"),
        (lambda: tiny("scale_resnet", residual=False), "residual=True"),
        (lambda: Emulator(tiny("scale_resnet"), 0 * ones, ones), "residual=True"),
        (lambda: Emulator(tiny("scale_resnet"), shifted, ones, residual=True), "subtracts the mean of 'velocity'"),
        (lambda: build("scale_resnet", channels_in=1, layout=osc.Layout.of("heat"), grid=grid), "'heat' scales is not known"),
        (lambda: build("scale_resnet", channels_in=2, layout=FLOW, grid=grid, powers=(1, 2)), "one number per field"),
        (lambda: build("scale_unet", channels_in=2, layout=FLOW, grid=osc.Grid.square(9)), "divisible"),
        (lambda: build("scale_resnet", channels_in=2, layout=FLOW, grid=grid, ratio=1.0), "`ratio`"),
    ):
        with pytest.raises(osc.OrbitscopeError, match=words):
            make()
