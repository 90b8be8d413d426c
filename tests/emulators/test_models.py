"""The networks: sizes, torch.func, equivariance that is built in, clear errors."""

import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call, grad, jvp, vmap

from orbitscope import OrbitscopeError
from orbitscope.emulators import build, models, register
from orbitscope.nn import wrap

SIZE = 16
NAMES = ("unet", "vit", "resnet", "fno")
SMALL = {
    "unet": {"width": 4, "kernels": (5, 3, 3), "heads": 2},
    "vit": {"width": 8, "heads": 2, "depth": 2},
    "resnet": {"width": 4, "depth": 2},
    "fno": {"width": 4, "modes": 3, "depth": 2},
}


def tiny(name, channels=3, **more):
    torch.manual_seed(0)
    return build(name, channels_in=channels, resolution=SIZE, **{**SMALL[name], **more}).double()


def states(channels=3, count=3):
    return torch.randn(count, channels, SIZE, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("name", "millions"), [("unet", 13.0), ("vit", 5.0)])
def test_paper_presets_have_the_published_parameter_counts(name, millions):
    count = sum(p.numel() for p in build(name, "paper", channels_in=4, resolution=128).parameters())
    assert abs(count / 1e6 / millions - 1) < 0.1


@pytest.mark.parametrize("resolution", [32, 64])
@pytest.mark.parametrize(
    ("name", "low", "high"), [("unet", 100e3, 150e3), ("vit", 80e3, 200e3), ("resnet", 80e3, 200e3), ("fno", 80e3, 200e3)]
)
def test_small_presets_are_small(name, low, high, resolution):
    assert low <= sum(p.numel() for p in build(name, channels_in=4, resolution=resolution).parameters()) <= high


@pytest.mark.parametrize("name", NAMES)
def test_shapes_channels_and_dtypes(name):
    for dtype in (torch.float32, torch.float64):
        model = build(name, channels_in=3, channels_out=5, resolution=SIZE, **SMALL[name]).to(dtype)
        out = model(states().to(dtype))
        assert out.shape == (3, 5, SIZE, SIZE) and out.dtype == dtype


@pytest.mark.parametrize("name", NAMES)
def test_batch_items_do_not_see_each_other(name):
    model, x = tiny(name), states()
    torch.testing.assert_close(model(x)[1:2], model(x[1:2]), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_per_sample_gradients_equal_a_loop(name):
    model, x = tiny(name), states()
    parameters = dict(model.named_parameters())

    def loss(p, one):
        return functional_call(model, p, (one[None],)).square().mean()

    together = vmap(grad(loss), (None, 0))(parameters, x)
    for i, one in enumerate(x):
        alone = torch.autograd.grad(loss(parameters, one), list(parameters.values()))
        for (key, value), reference in zip(together.items(), alone, strict=True):
            torch.testing.assert_close(value[i], reference, rtol=1e-9, atol=1e-12, msg=key)


@pytest.mark.parametrize("name", NAMES)
def test_jvp_equals_a_finite_difference_and_runs_under_vmap(name):
    model, x = tiny(name), states()
    parameters = {k: v.detach() for k, v in model.named_parameters()}
    generator = torch.Generator().manual_seed(2)
    direction = {k: torch.randn(v.shape, dtype=v.dtype, generator=generator) for k, v in parameters.items()}

    def f(p):
        return functional_call(model, p, (x,))

    def moved(h):
        return f({k: v + h * direction[k] for k, v in parameters.items()})

    exact = jvp(f, (parameters,), (direction,))[1]
    # The fourth-order difference: a two-point one loses too many digits where the model is stiff.
    h = 1e-4
    difference = (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h)
    assert (exact - difference).norm() <= 1e-6 * exact.norm()
    stacked = {k: torch.stack([v, -3 * v]) for k, v in direction.items()}
    both = vmap(lambda d: jvp(f, (parameters,), (d,))[1])(stacked)
    torch.testing.assert_close(both, torch.stack([exact, -3 * exact]), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("name", "step"), [("resnet", 1), ("fno", 1), ("unet", 4)])
def test_translation_equivariance_by_the_total_stride(name, step):
    model, x = tiny(name), states()
    for shift in ((step, 0), (0, step), (-3 * step, 2 * step)):
        torch.testing.assert_close(model(x.roll(shift, (-2, -1))), model(x).roll(shift, (-2, -1)), rtol=1e-10, atol=1e-11)


def test_vit_without_its_position_embedding_commutes_with_patch_shifts_only():
    model, x = tiny("vit"), states()
    with torch.no_grad():
        model.get_parameter("position").zero_()
    torch.testing.assert_close(model(x.roll(4, -1)), model(x).roll(4, -1), rtol=1e-10, atol=1e-11)
    assert (model(x.roll(1, -1)) - model(x).roll(1, -1)).abs().max() > 1e-3


def test_strided_convolution_can_represent_d4():
    """With kernels averaged over the group, the way down and up commutes with quarter turns and flips of a scalar field."""
    model, x = tiny("unet", channels=1), states(channels=1)
    with torch.no_grad():
        for p in model.parameters():
            if p.ndim == 4:
                turns = [torch.rot90(p, k, (-2, -1)) for k in range(4)]
                p.copy_(torch.stack([*turns, *(t.flip(-1) for t in turns)]).mean(0))
    torch.testing.assert_close(model(x.rot90(1, (-2, -1))), model(x).rot90(1, (-2, -1)), rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(model(x.flip(-1)), model(x).flip(-1), rtol=1e-9, atol=1e-10)


def test_positions_that_begin_as_waves_are_mixed_among_themselves_by_every_shift():
    model = build("vit", channels_in=2, resolution=(16, 32), position="waves", width=16, heads=1, depth=1)
    made = model.get_parameter("position").detach().double().unflatten(0, (4, 8))
    shifted = torch.cat([made, made.roll((1, 3), (0, 1))], dim=-1).flatten(0, 1)
    assert torch.linalg.matrix_rank(shifted, rtol=1e-5) == 3 + 7  # all waves of 4 and of 8 tokens but the constant
    assert made.sum((0, 1)).abs().max() < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_models_can_be_exported(name):
    model, x = tiny(name).float(), states().float()
    exported = torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("batch", min=2, max=64)},)).module()
    torch.testing.assert_close(exported(x[:2]), model(x[:2]))


@pytest.mark.parametrize(("before", "after"), [(2, 2), (1, 0), (0, 3)])
def test_wrap_is_circular_padding_with_right_derivatives(before, after):
    x = torch.randn(1, 2, 5, 4, dtype=torch.float64, requires_grad=True)
    reference = F.pad(x, (before, after, before, after), mode="circular")
    out = wrap(x, before, after)
    torch.testing.assert_close(out, reference, rtol=0, atol=0)
    weight = torch.randn_like(out)
    expected = torch.autograd.grad((reference * weight).sum(), x)[0]
    torch.testing.assert_close(torch.autograd.grad((out * weight).sum(), x)[0], expected)
    assert torch.autograd.gradcheck(lambda t: wrap(t, before, after), (x,), check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(lambda t: wrap(t, before, after).square(), (x,), check_fwd_over_rev=True)
    # And by its other way, under the transforms of torch.func.
    several = torch.stack([weight, 2 * weight])
    torch.testing.assert_close(torch.func.vmap(torch.func.vjp(lambda t: wrap(t, before, after), x)[1])(several)[0][1], 2 * expected)
    torch.testing.assert_close(torch.func.jvp(lambda t: wrap(t, before, after), (x,), (x,))[1], out)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: build("unett", channels_in=2), ["unett", "Known: unet, vit"]),
        (lambda: build("unet", "tiny", channels_in=2), ["tiny", "small, medium, paper"]),
        (lambda: build("unet", channels_in=2, widht=3), ["widht", "width"]),
        (lambda: build("unet", channels_in=0), ["channels_in", "0"]),
        (lambda: build("unet", channels_in=2, kernels=(4, 3)), ["kernels", "odd"]),
        (lambda: build("vit", channels_in=2), ["resolution"]),
        (lambda: build("vit", channels_in=2, resolution=30), ["divisible", "30"]),
        (lambda: build("vit", channels_in=2, resolution=32, heads=5), ["heads", "5"]),
        (lambda: build("vit", channels_in=2, resolution=32, position="here"), ["position", "waves"]),
        (lambda: build("no.such.module:Model", channels_in=2), ["no.such.module", "PYTHONPATH"]),
        (lambda: build("math:sqrt", channels_in=2), ["math:sqrt"]),
        (lambda: build("builtins:dict", channels_in=2), ["torch.nn.Module", "dict"]),
        (lambda: tiny("unet")(torch.zeros(1, 3, 18, 16).double()), ["divisible by 4", "18"]),
        (lambda: tiny("unet")(torch.zeros(1, 2, 16, 16).double()), ["[batch, 3, x, y]", "(1, 2, 16, 16)"]),
        (lambda: tiny("unet", kernels=(3, 11))(states()[..., :8, :8]), ["kernel of 11", "(4, 4)"]),
        (lambda: tiny("vit")(torch.zeros(1, 3, 32, 32).double()), ["(16, 16)", "(32, 32)"]),
        (lambda: tiny("fno", modes=9)(states()), ["9 modes", "18 cells"]),
        (lambda: register("unet", torch.nn.Identity), ["taken", "unet"]),
    ],
)
def test_mistakes_are_named(call, words):
    with pytest.raises(OrbitscopeError) as error:
        call()
    for word in words:
        assert word in str(error.value)


def test_a_class_of_ones_own_by_name_and_by_import_path():
    made = build("torch.nn:Conv2d", channels_in=2, in_channels=2, out_channels=2, kernel_size=1)
    assert isinstance(made, torch.nn.Conv2d)
    if "test-own" not in models():
        register("test-own", lambda channels_in, kernel: torch.nn.Conv2d(channels_in, channels_in, kernel), {"small": {"kernel": 3}})
    assert build("test-own", channels_in=2).kernel_size == (3, 3)
    assert build("test-own", channels_in=2, kernel=5).kernel_size == (5, 5)
