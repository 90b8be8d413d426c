"""Models that draw: one distribution under every element, or broken in the mean, or in the spread alone."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.probe import distribution_equivariance


class Drawing(nn.Module):
    """A half of the state, noise of given sizes for the two components, and a wind."""

    def __init__(self, noise: tuple[float, float], wind: float = 0.0) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.5))
        self.noise, self.wind = torch.tensor(noise).reshape(2, 1, 1), torch.tensor([wind, 0.0]).reshape(2, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x + self.noise * torch.randn_like(x) + self.wind


def measured(noise: tuple[float, float], wind: float = 0.0, seed: int = 0):
    values = torch.randn(4, 2, 2, 6, 6, generator=torch.Generator().manual_seed(5))
    data = osc.Trajectories(values, osc.Layout.of("velocity:vector"), osc.Grid.square(6), 0.1)
    model = osc.adapt(Drawing(noise, wind), randomness="distribution")
    return distribution_equivariance(model, data, "c4", draws=16, permutations=399, trajectories=3, seed=seed)


def test_noise_without_direction_is_equivariant_in_distribution_alone() -> None:
    found = measured((0.3, 0.3))
    assert (found["p_holm"] > 0.05).all() and "no element changes" in found.attrs["sentence"]
    ratio = found["covariance_gap"] / found["covariance_floor"]
    assert (ratio < 1.5).all() and (abs(found["energy"]) < 0.1).all()
    assert measured((0.3, 0.3)).identical(found) or np.array_equal(measured((0.3, 0.3))["energy"], found["energy"])  # seeded


@pytest.mark.parametrize(
    ("noise", "wind", "broken", "name"), [((0.5, 0.1), 0.0, "r, r3", "covariance"), ((0.3, 0.3), 0.5, "r, r2, r3", "mean")]
)
def test_what_breaks_the_distribution_is_named(noise: tuple[float, float], wind: float, broken: str, name: str) -> None:
    """Noise along x is moved by quarter turns and not by half a turn, a wind by all."""
    found = measured(noise, wind)
    assert f"changes under {broken} (" in found.attrs["sentence"]
    gap, floor = found[f"{name}_gap"].sel(element="r"), found[f"{name}_floor"]
    assert (gap > 1.1 * floor).all() and found["p_holm"].sel(element="e") == 1


def test_the_gaps_are_those_of_the_definition() -> None:
    from orbitscope.probe.output._in_distribution import _gaps

    a, b = torch.randn(2, 9, 2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).unbind(0)
    found = _gaps(a, 2 * b)
    for t in range(2):
        one, two = a[:, t].numpy(), 2 * b[:, t].numpy()
        dist = lambda u, v: np.linalg.norm(u[:, None] - v[None], axis=2)  # noqa: E731
        within = [dist(u, u).sum() / 72 for u in (one, two)]
        assert np.isclose(found["energy"][t], (2 * dist(one, two).mean() - sum(within)) / within[1], rtol=1e-10)
        covariances = [np.cov(u.T) for u in (one, two)]
        expected = np.linalg.norm(covariances[0] - covariances[1]) / np.linalg.norm(covariances[1])
        assert np.isclose(found["covariance_gap"][t], expected, rtol=1e-10)
        assert np.isclose(found["mean_gap"][t], np.linalg.norm(one.mean(0) - two.mean(0)) / np.linalg.norm(two.mean(0)), rtol=1e-10)


def test_a_model_that_does_not_draw_is_refused() -> None:
    data = osc.Trajectories(torch.randn(3, 2, 2, 6, 6), osc.Layout.of("velocity:vector"), osc.Grid.square(6), 0.1)
    for model in (nn.Conv2d(2, 2, 1), osc.adapt(nn.Conv2d(2, 2, 1))):
        with pytest.raises(osc.OrbitscopeError, match="randomness='distribution'"):
            distribution_equivariance(model, data, "c4")  # pyright: ignore[reportArgumentType]
    with pytest.raises(osc.OrbitscopeError, match="at least 4"):
        distribution_equivariance(osc.adapt(Drawing((1, 1)), randomness="distribution"), data, "c4", draws=2)
