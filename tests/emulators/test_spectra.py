"""Root mean square, energy spectra, and the published measure with what it does not see."""

import math

import numpy as np
import pytest
import torch

from orbitscope import Grid, OrbitscopeError
from orbitscope.emulators import energy_spectrum, ese, rmse, spectrum_error


def waves(shape: tuple[int, int], m: tuple[int, int], amplitude: float = 1.0) -> torch.Tensor:
    """A velocity [2, x, y] with `m` waves over the box along each axis, in component 1."""
    x, y = torch.meshgrid(*((torch.arange(n, dtype=torch.float64) + 0.5) / n for n in shape), indexing="ij")
    return torch.stack([torch.zeros_like(x), amplitude * torch.sin(2 * math.pi * (m[0] * x + m[1] * y))])


def slow_spectrum(state: np.ndarray, extent: tuple[float, float]) -> dict[int, float]:
    """The definition, mode by mode."""
    out: dict[int, float] = {}
    nx, ny = state.shape[1:]
    longest = max(extent)
    x, y = np.meshgrid(np.arange(nx), np.arange(ny), indexing="ij")
    for a in range(nx):
        for b in range(ny):
            wave = np.exp(-2j * np.pi * (a * x / nx + b * y / ny))
            energy = 0.5 * sum(abs((u * wave).mean()) ** 2 for u in state)
            ma, mb = (a if a <= nx / 2 else a - nx) * longest / extent[0], (b if b <= ny / 2 else b - ny) * longest / extent[1]
            shell = round(math.hypot(ma, mb))
            out[shell] = out.get(shell, 0.0) + energy
    return out


def test_rmse_takes_the_root() -> None:
    truth = torch.zeros(3, 2, 4)
    assert rmse(truth + 2.0, truth) == 2.0
    one = truth.clone()
    one[0] = 3.0  # a third of the values is wrong by 3
    assert rmse(one, truth) == pytest.approx(math.sqrt(3))
    with pytest.raises(OrbitscopeError, match="one shape"):
        rmse(truth, truth[0])


@pytest.mark.parametrize(("shape", "extent"), [((8, 8), (1.0, 1.0)), ((8, 4), (2.0, 1.0)), ((5, 7), (1.0, 1.0))])
def test_spectrum_against_its_definition(shape: tuple[int, int], extent: tuple[float, float]) -> None:
    state = torch.randn(2, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    k, energy = energy_spectrum(state, Grid(shape, extent, ("periodic", "periodic")))
    expected = slow_spectrum(state.numpy(), extent)
    assert len(k) == max(expected) + 1 and k[1] == pytest.approx(2 * math.pi / max(extent))
    for shell, value in enumerate(energy.tolist()):
        assert value == pytest.approx(expected.get(shell, 0.0), abs=1e-14)
    assert energy.sum() == pytest.approx(0.5 * state.square().sum(0).mean().item())  # Parseval


def test_one_wave_lies_in_one_shell() -> None:
    energy = energy_spectrum(waves((16, 16), (3, 4), amplitude=2.0), Grid.square(16))[1]
    assert energy.argmax() == 5 and energy[5] == pytest.approx(1.0) and energy.sum() == pytest.approx(1.0)


def test_the_window_keeps_a_piece_from_leaking() -> None:
    """A wave that does not fit the piece: without a window its energy spreads over all shells."""
    piece, grid = waves((64, 64), (4, 0))[..., :27, :27], Grid.square(27, boundary="open")
    plain, windowed = (energy_spectrum(piece, grid, w)[1] for w in ("none", "hann"))
    assert windowed[6:].sum() / windowed.sum() < 1e-4 < 1e-2 < plain[6:].sum() / plain.sum()
    periodic = energy_spectrum(waves((16, 16), (3, 0)), Grid.square(16), "hann")[1]
    assert periodic[3] == pytest.approx(0.25)  # nothing to do where the edges meet


def test_spectrum_error() -> None:
    truth = torch.randn(3, 4, 2, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    grid = Grid.square(16)
    assert spectrum_error(truth, truth, grid) == 0
    assert spectrum_error(2 * truth, truth, grid) == pytest.approx(math.log10(4), rel=1e-6)
    assert spectrum_error(truth.roll((3, 5), (-2, -1)), truth, grid) < 1e-12  # blind to phases
    assert spectrum_error(truth + 0.7, truth, grid) > 0.5  # not blind to the mean
    assert spectrum_error(truth, torch.zeros_like(truth), grid) > 0  # finite where the truth is at rest


def test_spectrum_error_against_its_definition() -> None:
    """Spectra mode by mode, their mean over the times, the logarithms of shells 0 to the Nyquist number of the coarsest axis."""
    shape, extent = (6, 4), (2.0, 1.0)
    found, true = torch.randn(2, 2, 3, 2, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    squares = []
    for b in range(2):
        mean = [[np.mean([slow_spectrum(u.numpy(), extent)[j] for u in flow[b]]) for j in range(4)] for flow in (found, true)]
        squares += [(math.log10(p) - math.log10(t)) ** 2 for p, t in zip(*mean, strict=True)]
    grid = Grid(shape, extent, ("periodic", "periodic"))  # over the longest side: 3 waves along x, 4 along y
    assert spectrum_error(found, true, grid) == pytest.approx(math.sqrt(np.mean(squares)), rel=1e-6)


def slow_ese(prediction: np.ndarray, target: np.ndarray) -> float:
    """The published recipe, written out cell by cell."""
    profiles = []
    for flows in (prediction, target):
        logs = []
        for flow in flows:
            q = ((flow - flow.mean(0)) ** 2).mean(0)
            power = np.abs(np.fft.fftshift(np.fft.fft2((q[0] + q[1]) / 2))) ** 2
            n, rings = len(power), {}
            for i in range(n):
                for j in range(n):
                    rings.setdefault(int(math.hypot(i - (n - 1) / 2, j - (n - 1) / 2)), []).append(power[i, j])
            logs.append([math.log10(np.mean(rings[r])) for r in sorted(rings)[1:-1]])
        profiles.append(np.mean(logs, axis=0))
    return float(np.sqrt(np.mean((profiles[0] - profiles[1]) ** 2)))


def test_the_published_measure_and_its_blindness() -> None:
    draw = torch.Generator().manual_seed(2)
    truth, other = (torch.randn(3, 5, 2, 12, 12, dtype=torch.float64, generator=draw) for _ in range(2))
    assert ese(other, truth) == pytest.approx(slow_ese(other.numpy(), truth.numpy()), rel=1e-10)
    assert ese(truth, truth) == 0
    assert ese(truth + 0.7, truth) < 1e-10 < 0.5 < spectrum_error(truth + 0.7, truth, Grid.square(12))  # blind to the mean flow
    assert ese(-truth, truth) < 1e-10 and rmse(-truth, truth) > 1.5  # and to the sign
    assert ese(2 * truth, truth) == pytest.approx(4 * math.log10(2), rel=1e-9)


@pytest.mark.parametrize("shape", [(3, 1, 2, 8, 8), (3, 4, 2, 8, 9), (4, 2, 8, 8)])
def test_the_published_measure_refuses(shape: tuple[int, ...]) -> None:
    with pytest.raises(OrbitscopeError, match="at least 2 times, square"):
        ese(torch.zeros(shape), torch.zeros(shape))


def test_mistakes() -> None:
    state = torch.zeros(2, 8, 8)
    with pytest.raises(OrbitscopeError, match="grid"):
        energy_spectrum(state, Grid.square(9))
    with pytest.raises(OrbitscopeError, match="channel"):
        energy_spectrum(state[0], Grid.square(8))
    with pytest.raises(OrbitscopeError, match="hann"):
        energy_spectrum(state, Grid.square(8), "hamming")  # pyright: ignore[reportArgumentType]
