"""The group average commutes with its group, shares the parameters of its model, and refuses what it cannot average over."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import orbitscope as osc

LAYOUT = osc.Layout.of("density", "vorticity:pseudoscalar", "velocity:vector")


def model() -> nn.Module:
    """Nothing symmetric about it: zero padding, a stride, a bias that depends on the place."""
    torch.manual_seed(0)

    class Uneven(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down, self.place = nn.Conv2d(4, 5, 2, stride=2), nn.Parameter(torch.randn(5, 2, 2))
            self.up = nn.Conv2d(5, 4, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            return self.up(nn.functional.interpolate(torch.tanh(self.down(x) + self.place), scale_factor=2))

    return Uneven().double()


@pytest.mark.parametrize("words", ["c2", "c4", "d1", "d2", "d4", "tx4", "ty2", "tx4*ty4", "d4*tx2*ty2"])
def test_the_average_commutes_with_every_element(words: str) -> None:
    """Float64, 1e-13; the model underneath is far off."""
    group, action = osc.parse_group(words), osc.GridAction(LAYOUT, osc.Grid.square(4))
    plain = model()
    average = osc.symmetrize(plain, group, action)
    x = torch.randn(3, 4, 4, 4, dtype=torch.float64)
    worst = 0.0
    for g in group:
        torch.testing.assert_close(average(action(g, x)), action(g, average(x)), rtol=0, atol=1e-13)
        worst = max(worst, float((plain(action(g, x)) - action(g, plain(x))).detach().abs().max()))
    assert worst > 1e-2


def test_it_is_the_mean_over_the_orbit_moved_back() -> None:
    """The formula in a plain loop, with quarter turns by hand for a scalar."""
    action = osc.GridAction(osc.Layout.of("density"), osc.Grid.square(4))
    net = nn.Conv2d(1, 1, 3, padding=1).double()
    x = torch.randn(2, 1, 4, 4, dtype=torch.float64)
    # torch.rot90 turns axis -2 towards axis -1 as r does.
    by_hand = sum(torch.rot90(net(torch.rot90(x, k, (-2, -1))), -k, (-2, -1)) for k in range(4)) / 4
    torch.testing.assert_close(osc.symmetrize(net, osc.cyclic(4), action)(x), by_hand, rtol=1e-13, atol=1e-14)


def test_a_model_that_commutes_is_left_as_it_is() -> None:
    """Averaging is a projection: twice is once."""
    group, action = osc.dihedral(4), osc.GridAction(LAYOUT, osc.Grid.square(4))
    once = osc.symmetrize(model(), group, action)
    x = torch.randn(2, 4, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(osc.symmetrize(once, group, action)(x), once(x), rtol=0, atol=1e-13)


def test_it_shares_the_parameters_and_trains_them() -> None:
    """Not a copy; a step on the average moves the model; gradients equal those of finite differences."""
    plain = model()
    average = osc.symmetrize(plain, osc.dihedral(4), osc.GridAction(LAYOUT, osc.Grid.square(4)))
    assert {id(p) for p in average.parameters()} == {id(p) for p in plain.parameters()}
    x = torch.randn(1, 4, 4, 4, dtype=torch.float64)
    average(x).square().sum().backward()
    bias = plain.get_submodule("up").bias
    assert isinstance(bias, nn.Parameter) and bias.grad is not None
    before = bias.detach().clone()
    ends = []
    for step in (1e-6, -1e-6):
        with torch.no_grad():
            bias.copy_(before + step * torch.tensor([1.0, 0, 0, 0], dtype=torch.float64))
            ends.append(average(x).square().sum())
    assert float((ends[0] - ends[1]) / 2e-6) == pytest.approx(float(bias.grad[0]), rel=1e-6)


def test_it_runs_under_torch_func() -> None:
    """vmap over examples gives the batch."""
    average = osc.symmetrize(model(), osc.cyclic(4), osc.GridAction(LAYOUT, osc.Grid.square(4)))
    x = torch.randn(3, 4, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(torch.func.vmap(lambda s: average(s[None])[0])(x), average(x), rtol=1e-12, atol=1e-13)


def test_what_cannot_be_averaged_is_refused() -> None:
    """Sampled angles need interpolation; a grid that is not square has no quarter turns; shifts need a period."""
    with pytest.raises(osc.OrbitscopeError, match=r"interpolated on this grid; take c4 or d4"):
        osc.symmetrize(model(), osc.rotations(8), osc.GridAction(LAYOUT, osc.Grid.square(4)))
    with pytest.raises(osc.OrbitscopeError, match="square grid"):
        osc.symmetrize(model(), osc.cyclic(4), osc.GridAction(LAYOUT, osc.Grid((4, 6), (1, 1), ("periodic", "periodic"))))
    with pytest.raises(osc.OrbitscopeError, match="not periodic"):
        osc.symmetrize(model(), osc.translations(4), osc.GridAction(LAYOUT, osc.Grid.square(4, boundary="wall")))


@pytest.mark.parametrize("words", ["d4", "D4*tx*ty"])
@pytest.mark.parametrize("wrap", [osc.symmetrize, osc.nn.FrameAveraged])
def test_words_name_the_group_of_this_grid(wrap: Any, words: str) -> None:
    """As audit, equivariance and probe take them; shifts without a number are those of the grid, not of a default size."""
    action, plain, x = osc.GridAction(LAYOUT, osc.Grid.square(4)), model(), torch.randn(2, 4, 4, 4, dtype=torch.float64)
    assert torch.equal(wrap(plain, words, action)(x), wrap(plain, osc.parse_group(words, points=4), action)(x))
    with pytest.raises(osc.OrbitscopeError, match="cannot read 'dihedral4'"):
        wrap(plain, "dihedral4", action)


def test_sampled_quarter_turns_are_exact_and_welcome() -> None:
    """so2/4 is c4 under another name."""
    action = osc.GridAction(LAYOUT, osc.Grid.square(4))
    x = torch.randn(1, 4, 4, 4, dtype=torch.float64)
    plain = model()
    torch.testing.assert_close(osc.symmetrize(plain, osc.rotations(4), action)(x), osc.symmetrize(plain, osc.cyclic(4), action)(x))
