"""Frame averaging commutes with its group, is the group average with all frames, and jumps only where its page says."""

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.nn import FrameAveraged

from ..cases import EXACT

LAYOUT = osc.Layout.of("density", "vorticity:pseudoscalar", "velocity:vector")


class Uneven(nn.Module):
    """Nothing symmetric about it: zero padding and a bias that depends on the place."""

    def __init__(self, size: int, channels: int = 4, ndim: int = 2) -> None:
        super().__init__()
        conv = (nn.Conv2d, nn.Conv3d)[ndim - 2]
        self.first, self.place = conv(channels, 5, 3, padding=1), nn.Parameter(torch.randn(5, *[size] * ndim))
        self.second = conv(5, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(torch.tanh(self.first(x) + self.place))


CASES = [("d4", 5), ("d4", 6), ("tx", 5), ("tx*ty", 6), ("d4*tx*ty", 5), ("d4*tx*ty", 4), ("d2*tx2*ty2", 4)]


def setting(words: str, size: int, frames: int = 1, dtype: torch.dtype = torch.float64) -> tuple[FrameAveraged, osc.GridAction, Tensor]:
    torch.manual_seed(size)
    action = osc.GridAction(LAYOUT, osc.Grid.square(size))
    model = FrameAveraged(Uneven(size), osc.parse_group(words, points=size), action, frames).to(dtype)
    return model, action, torch.randn(3, 4, size, size, dtype=dtype)


@pytest.mark.parametrize(("dtype", "tolerance"), EXACT)
@pytest.mark.parametrize("frames", [1, 2, 3])
@pytest.mark.parametrize(("words", "size"), CASES)
def test_it_commutes_with_every_element(words: str, size: int, frames: int, dtype: torch.dtype, tolerance: float) -> None:
    model, action, x = setting(words, size, frames, dtype)
    with torch.no_grad():
        y = model(x)
        for g in list(model.group)[:: max(1, len(model.group) // 40)]:
            torch.testing.assert_close(model(action(g, x)), action(g, y), rtol=0, atol=tolerance * float(y.abs().max()))
        g = model.group.elements[-1]
        assert (model.model(action(g, x)) - action(g, model.model(x))).abs().max() > 1e-2  # the model underneath is far off


def test_one_frame_is_the_answer_in_the_frame_of_largest_score() -> None:
    """By hand, with the action itself."""
    model, action, x = setting("d4*tx*ty", 4)
    best = model.scores(x).argmax(1)
    for b in range(3):
        g = model.group.elements[int(best[b])]
        by_hand = action(g, model.model(action(g.inverse(), x[b : b + 1])))
        torch.testing.assert_close(model(x)[b : b + 1], by_hand, rtol=0, atol=1e-14)


def test_all_frames_are_the_group_average() -> None:
    model, action, x = setting("d4", 6, 8)
    torch.testing.assert_close(model(x), osc.symmetrize(model.model, model.group, action)(x), rtol=0, atol=1e-13)


def test_scores_move_along() -> None:
    r"""$s_{hg}(hx) = s_g(x)$, from the definition."""
    model, action, x = setting("d4*tx*ty", 3)
    h = model.group.elements[37]
    there = torch.tensor([model.group.index(h @ g) for g in model.group])
    torch.testing.assert_close(model.scores(action(h, x))[:, there], model.scores(x), rtol=0, atol=1e-14)


def test_it_jumps_at_a_tie_with_one_frame_and_not_with_two() -> None:
    """On the way from x to a mirrored x the frame changes; the step of F there is finite with k = 1, as small as the step with k = 2."""
    jumps = {}
    for frames in (1, 2):
        model, action, x = setting("d1", 6, 1)
        model = FrameAveraged(model.model, osc.parse_group("d2"), action, frames).double()
        y = torch.randn(1, 4, 6, 6, dtype=torch.float64)
        path = torch.cat([(1 - t) * x[:1] + t * y for t in torch.linspace(0, 1, 4001, dtype=torch.float64)])
        with torch.no_grad():
            answers = torch.cat([model(part) for part in path.split(500)])
        jumps[frames] = float(answers.diff(dim=0).flatten(1).norm(dim=1).max() / answers.flatten(1).norm(dim=1).mean())
        if frames == 1:
            gaps = torch.cat([model.margin(part) for part in path.split(500)])
            assert answers.diff(dim=0).flatten(1).norm(dim=1).argmax() in (gaps.argmin(), gaps.argmin() - 1)
    assert jumps[1] > 0.1 and jumps[2] < 0.01, jumps


def test_three_dimensions() -> None:
    """The octahedral group: one evaluation instead of 48."""
    torch.manual_seed(0)
    layout = osc.Layout.of("density", "velocity:vector", ndim=3)
    action = osc.GridAction(layout, osc.Grid.square(4, ndim=3))
    model = FrameAveraged(Uneven(4, 4, 3), osc.octahedral(), action).double()
    x = torch.randn(2, 4, 4, 4, 4, dtype=torch.float64)
    with torch.no_grad():
        for g in model.group:
            torch.testing.assert_close(model(action(g, x)), action(g, model(x)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("frames", [1, 2])
def test_it_pickles_copies_and_runs_under_torch_func(frames: int) -> None:
    model, _, x = setting("d4*tx*ty", 4, frames)
    assert list(model.state_dict()) == ["model." + name for name in model.model.state_dict()]
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert torch.equal(other(x), model(x))
    torch.testing.assert_close(torch.func.vmap(lambda s: model(s[None])[0])(x), model(x), rtol=0, atol=1e-13)
    parameters: dict[str, Tensor] = dict(model.named_parameters())
    direction = {name: torch.randn_like(p) for name, p in parameters.items()}

    def loss(p: dict[str, Tensor], s: Tensor) -> Tensor:
        return torch.func.functional_call(model, p, (s[None],)).square().sum()

    each = torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, x)
    slopes = torch.func.jvp(lambda p: torch.func.vmap(loss, (None, 0))(p, x), (parameters,), (direction,))[1]
    torch.testing.assert_close(sum((each[n] * direction[n]).flatten(1).sum(1) for n in each), slopes)
    x.requires_grad_()
    assert torch.autograd.gradcheck(model, (x,), fast_mode=True)


def test_mistakes_are_named() -> None:
    action = osc.GridAction(LAYOUT, osc.Grid.square(4))
    with pytest.raises(osc.OrbitscopeError, match=r"1\.\.8"):
        FrameAveraged(nn.Identity(), osc.dihedral(4), action, 9)
    with pytest.raises(osc.OrbitscopeError, match="interpolated"):
        FrameAveraged(nn.Identity(), osc.cyclic(8), action)
    with pytest.raises(osc.OrbitscopeError, match="interpolated"):
        FrameAveraged(nn.Identity(), osc.translations(3), action)
