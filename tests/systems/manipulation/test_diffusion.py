"""The chain of noise: its formulas, exact samples from a perfect denoiser, and that orthogonal maps commute."""

import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.systems.manipulation import Diffusion


@pytest.mark.parametrize("predicts", ["noise", "sample"])
def test_values_come_back(predicts):
    chain = Diffusion(50, predicts)
    rng = torch.Generator().manual_seed(0)
    x, noise = (torch.randn(7, 3, generator=rng, dtype=torch.float64) for _ in range(2))
    step = torch.randint(50, (7,), generator=rng)
    noisy = chain.noised(x, noise, step)
    for b in range(7):
        kept = float(chain.kept[step[b]])
        assert (noisy[b] - (kept**0.5 * x[b] + (1 - kept) ** 0.5 * noise[b])).abs().max() < 1e-12
    assert (chain.clean(noisy, chain.wanted(x, noise), step) - x).abs().max() < 1e-10
    assert bool((chain.kept[1:] < chain.kept[:-1]).all()) and 0.99 < float(chain.kept[0]) < 1 and float(chain.kept[-1]) < 1e-3


def perfect(chain: Diffusion, mean: float, spread: float):
    """The best answer where data are normal: E[x0 | x_k] = m + s^2 r (x - r m) / (s^2 r^2 + 1 - r^2), r = sqrt(kept)."""

    def answer(x: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        kept = chain.kept[step][:, None]
        guess = mean + spread**2 * kept.sqrt() * (x - kept.sqrt() * mean) / (spread**2 * kept + 1 - kept)
        return guess if chain.predicts == "sample" else (x - kept.sqrt() * guess) / (1 - kept).sqrt()

    return answer


@pytest.mark.parametrize("predicts", ["noise", "sample"])
def test_samples_have_the_law_of_the_data(predicts):
    chain = Diffusion(50, predicts)
    rng = torch.Generator().manual_seed(1)
    start = torch.randn(4000, 1, generator=rng, dtype=torch.float64)
    fresh = torch.randn(50, 4000, 1, generator=rng, dtype=torch.float64)
    few = chain.sample(perfect(chain, 1.5, 0.5), start, steps=50)
    every = chain.sample(perfect(chain, 1.5, 0.5), start, fresh=fresh)
    for found in (few, every):
        assert abs(float(found.mean()) - 1.5) < 0.03 and abs(float(found.std()) - 0.5) < 0.04
    one = chain.sample(perfect(chain, -2.0, 1e-9), start[:5], steps=3)
    assert (one + 2).abs().max() < 1e-6, "data of one value are found in few steps"


def test_samplers_commute_with_turns():
    chain = Diffusion(20)
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)
    rng = torch.Generator().manual_seed(2)
    start, fresh = torch.randn(3, 2, generator=rng, dtype=torch.float64), torch.randn(20, 3, 2, generator=rng, dtype=torch.float64)

    def denoiser(x: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        return x / (1 + x.norm(dim=1, keepdim=True)) * (1 + step[:, None] / 20)

    for extra in (None, fresh):
        plain = chain.sample(denoiser, start, steps=7, fresh=extra)
        found = chain.sample(denoiser, start @ turn.mT, steps=7, fresh=None if extra is None else extra @ turn.mT)
        assert (found - plain @ turn.mT).abs().max() < 1e-10


def test_one_ddpm_step_is_the_posterior():
    """q(x_{k-1} | x_k, x_0) by Bayes on a grid, against mean and variance of the step."""
    chain = Diffusion(10, "sample")
    k, x, clean = 6, 0.7, -0.4
    now, then = float(chain.kept[k]), float(chain.kept[k - 1])
    alpha = now / then
    grid = np.linspace(-8, 8, 160001)
    log = -((grid - then**0.5 * clean) ** 2) / (2 * (1 - then)) - (x - alpha**0.5 * grid) ** 2 / (2 * (1 - alpha))
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    mean = float((weight * grid).sum())
    spread = float((weight * (grid - mean) ** 2).sum() ** 0.5)
    step, before = torch.tensor([k]), torch.tensor([k - 1])
    found = [float(chain._stepped(torch.tensor([[x]]), torch.tensor([[clean]]), step, before, torch.tensor([[z]]))) for z in (0.0, 1.0)]
    assert abs(found[0] - mean) < 1e-5 and abs(found[1] - found[0] - spread) < 1e-5


def test_wrong_settings_are_told():
    for steps, predicts in ((1, "noise"), (10, "score")):
        with pytest.raises(OrbitscopeError, match="Diffusion"):
            Diffusion(steps, predicts)
    with pytest.raises(OrbitscopeError, match="between 1 and 10"):
        Diffusion(10).sample(lambda x, k: x, torch.zeros(1, 1), steps=11)
