"""Scale in a length of the state's own: exact with its time step, goes on with the last increment, and is an emulator like others."""

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp, vmap

import orbitscope as osc
from orbitscope.emulators import Emulator, TrainConfig, build, load_run, train

FLOW = osc.Layout.of("velocity:vector")
MIXED = osc.Layout.of("tracer", "velocity:vector", "vorticity:pseudoscalar")
POWERS = {FLOW: (1, 1), MIXED: (0, 1, 1, 2)}
GRIDS = {
    "periodic": osc.Grid.square(6),
    "channel": osc.Grid((6, 10), (1.0, 1.5), ("periodic", "wall")),
    "odd": osc.Grid((5, 7), (1.0, 1.5), ("periodic", "periodic")),
}


SHAPES: dict[str, dict[str, Any]] = {"scale_frame_resnet": {"width": 3, "depth": 1}, "scale_frame_unet": {"width": 3, "levels": 2}}


def tiny(layout: osc.Layout, grid: osc.Grid, frames: int, name: str = "scale_frame_resnet") -> nn.Module:
    torch.manual_seed(0)
    into, out = frames * layout.channels, layout.channels
    model = build(name, channels_in=into, channels_out=out, layout=layout, grid=grid, residual=True, **SHAPES[name]).double()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return model


def states(layout: osc.Layout, grid: osc.Grid, frames: int) -> Tensor:
    return torch.randn(2, frames * layout.channels, *grid.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def zoomed(values: Tensor, layout: osc.Layout) -> Tensor:
    """2^p w(2 x) on twice the cells of the same box: two copies per axis; frames of the layout."""
    factors = torch.tensor([2.0**p for p in POWERS[layout]], dtype=values.dtype).repeat(values.shape[1] // layout.channels)
    return values.repeat(1, 1, 2, 2) * factors[:, None, None]


@pytest.mark.parametrize("frames", [1, 2, 4])
@pytest.mark.parametrize("layout", [FLOW, MIXED], ids=["flow", "mixed"])
@pytest.mark.parametrize("kind", ["periodic", "odd"])
@pytest.mark.parametrize("name", SHAPES)
def test_it_commutes_with_scale_when_its_time_step_is_scaled_too(name: str, kind: str, layout: osc.Layout, frames: int) -> None:
    grid = GRIDS[kind]
    model, x = tiny(layout, grid, frames, name), states(layout, grid, frames)
    with torch.no_grad():
        expected = zoomed(model(x), layout)
        moved = zoomed(x, layout)
        at_the_same_dt = model(moved)
        setattr(model, "dt", 0.25)  # noqa: B010
        torch.testing.assert_close(model(moved), expected, rtol=1e-10, atol=1e-11)
        assert (at_the_same_dt - expected).norm() / expected.norm() > 1e-3  # the measure can fail


def test_the_filters_are_derivatives_of_a_gaussian() -> None:
    """On a sine along one axis, and a cosine between mirrors along the other; the wave number is that of the waves."""
    grid = GRIDS["channel"]
    model = tiny(FLOW, grid, 1)
    cell = math.sqrt(grid.spacing[0] * grid.spacing[1])
    x, y = grid.coordinates()
    wave = torch.tensor([2 * math.pi * cell, math.pi / 1.5 * cell], dtype=torch.float64)
    sine, cosine = torch.sin(2 * math.pi * x), torch.cos(math.pi / 1.5 * y)
    width = torch.full((1, 1, 1, 1), 0.7, dtype=torch.float64)
    rows, columns = model.filters(sine[None, None], width)  # pyright: ignore[reportCallIssue]
    damped = torch.exp(-((wave * 0.7) ** 2) / 2)
    reach = 0.7 * wave
    torch.testing.assert_close(rows[0, 1] @ sine, reach[0] * damped[0] * torch.cos(2 * math.pi * x))
    torch.testing.assert_close(rows[0, 2] @ sine, -(reach[0] ** 2) * damped[0] * sine / math.sqrt(2))
    torch.testing.assert_close(cosine @ columns[0, 1].T, -reach[1] * damped[1] * torch.sin(math.pi / 1.5 * y))
    both = torch.stack([sine, sine])[None]
    q = model.wave_number(both)  # pyright: ignore[reportCallIssue]
    torch.testing.assert_close(q.flatten(), wave[:1])


def test_untrained_it_goes_on_with_the_last_increment_and_is_damped() -> None:
    """In physical units, whatever the normalisation; an increment as large as the state is cut."""
    grid = GRIDS["periodic"]
    emulator = Emulator(tiny(FLOW, grid, 3), torch.zeros(2), torch.full((2,), 5.0), torch.full((2,), 0.4), residual=True, frames=3).double()
    with torch.no_grad():
        for p in emulator.backbone.head.parameters():  # pyright: ignore[reportAttributeAccessIssue]
            p.zero_()
        x = 5 * torch.randn(1, 2, 6, 6, dtype=torch.float64)
        for size in (0.01, 3.0):
            step = size * torch.randn(1, 2, 6, 6, dtype=torch.float64)
            last = x + step
            share = float(step.square().mean().sqrt() / last.square().mean().sqrt())
            answer = emulator(torch.cat([x - step, x, last], dim=1)) - last
            torch.testing.assert_close(answer, step / math.sqrt(1 + (share / 0.3) ** 2), rtol=1e-6, atol=1e-9)
        at_rest = emulator(torch.zeros(1, 6, 6, 6, dtype=torch.float64))
        assert (at_rest == 0).all()


@pytest.mark.parametrize("name", SHAPES)
def test_it_runs_under_torch_func_and_every_weight_learns(name: str) -> None:
    grid = GRIDS["channel"]
    model, x = tiny(MIXED, grid, 3, name), states(MIXED, grid, 3)
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
    torch.testing.assert_close(tangent, sum((alone[k] * direction[k]).sum() for k in parameters))
    torch.testing.assert_close(copy.deepcopy(model)(x), model(x))
    torch.testing.assert_close(model(x.roll(2, 2)), model(x).roll(2, 2))  # shifts along the periodic axis


def test_a_trained_one_is_read_back_with_its_sizes(tmp_path: Path) -> None:
    """The emulator says how large an increment is; a backbone of another grid takes it over with the weights."""
    values = torch.randn(6, 5, 2, 6, 6, generator=torch.Generator().manual_seed(2)).cumsum(1)
    data = osc.Trajectories(values, FLOW, GRIDS["periodic"], dt=0.1)
    config = TrainConfig(
        model="scale_frame_resnet", overrides={"width": 2, "depth": 1}, epochs=1, batch=4, precision="64", device="cpu", frames=3
    )
    train(data, config, tmp_path / "run", progress=None, tensorboard=False)
    model = load_run(tmp_path / "run").model
    ratio = model.backbone.get_buffer("ratio")
    torch.testing.assert_close(ratio, model.output_scale / model.scale)
    assert float(ratio[0]) != 1.0
    wide = build(
        "scale_frame_resnet", channels_in=6, channels_out=2, layout=FLOW, grid=osc.Grid.square(12), residual=True, width=2, depth=1
    )
    wide.double().load_state_dict(model.backbone.state_dict())
    torch.testing.assert_close(wide.get_buffer("ratio"), ratio)


def test_mistakes_are_named() -> None:
    ones = torch.ones(2)
    model = tiny(FLOW, GRIDS["periodic"], 3)
    make = lambda **more: build(  # noqa: E731
        "scale_frame_resnet", **{"channels_in": 2, "layout": FLOW, "grid": GRIDS["periodic"], "residual": True, **more}
    )
    for wrong, words in (
        (lambda: make(residual=False), "residual=True"),
        (lambda: make(width=0), "`width`"),
        (lambda: make(powers=(1, 2)), "one number per field"),
        (lambda: make(channels_in=1, layout=osc.Layout.of("heat")), "'heat' scales is not known"),
        (lambda: make(channels_in=3, channels_out=2), "frames of `layout`"),
        (lambda: Emulator(model, 0 * ones, ones, frames=3), "residual=True"),
        (lambda: Emulator(model, 0 * ones, ones, residual=True, frames=3, difference_scale=torch.ones(2, 2)), "differences=False"),
        (lambda: build("scale_frame_unet", channels_in=2, layout=FLOW, grid=GRIDS["periodic"], residual=True, levels=1), "`levels`"),
        (lambda: Emulator(model, ones, ones, residual=True, frames=3), "subtracts the mean of 'velocity'"),
    ):
        with pytest.raises(osc.OrbitscopeError, match=words):
            wrong()
