"""Two-dimensional Riemann problems: exact waves along the edges, symmetries of the data, rotation sense, self-convergence."""

import numpy as np
import pytest
import torch
from proofs.riemann_2d import (
    BOX,
    CONFIGURATIONS,
    diagonal_error,
    edge_error,
    initial,
    lens_error,
    run,
    self_differences,
    side_states,
    vorticity,
    window,
)

from orbitscope.physics import Euler
from orbitscope.physics._riemann_exact import star_region

SIDES = ("top", "left", "bottom", "right")


@pytest.mark.parametrize("number", CONFIGURATIONS)
def test_each_side_of_the_data_is_joined_by_the_one_wave_that_is_published(number: int) -> None:
    for side, wave in zip(SIDES, CONFIGURATIONS[number].waves, strict=True):
        before, after = side_states(number, side)  # type: ignore[arg-type]
        pressure, velocity = star_region(before, after)
        if wave == "J":
            assert (before.velocity, before.pressure) == (after.velocity, after.pressure) == (velocity, pytest.approx(pressure, rel=1e-12))
            continue
        # A single shock: the star region is the compressed one of the two states, to the digits in print.
        behind, ahead = (before, after) if before.pressure > after.pressure else (after, before)
        assert pressure == pytest.approx(behind.pressure, rel=2e-4) and velocity == pytest.approx(behind.velocity, abs=2e-4)
        assert ahead.pressure < 0.5 * behind.pressure


@pytest.mark.parametrize("number", CONFIGURATIONS)
def test_waves_along_the_edges_are_the_exact_one_dimensional_ones(number: int) -> None:
    coarse, fine = run(number, 32), run(number, 64)
    scale = np.ptp(np.array(CONFIGURATIONS[number].states), axis=0)
    for side in SIDES:
        first, second = edge_error(number, coarse, side), edge_error(number, fine, side)
        for name, column in (("density", 0), ("pressure", 3), ("velocity", 1)):
            size = scale[column] or 1.0
            assert second[name] < 0.012 * size, (side, name, second)
            if first[name] > 1e-3 * size:
                assert 1.3 < first[name] / second[name] < 3.0, (side, name)
        assert second["tangential"] < 1e-3
    # The control: the exact waves of another time are not found.
    assert edge_error(number, fine, "top", time=0.5 * CONFIGURATIONS[number].time)["density"] > 0.02


@pytest.mark.parametrize("scheme", ["muscl", "weno3"])
@pytest.mark.parametrize("number", CONFIGURATIONS)
def test_symmetry_about_the_diagonal_where_the_data_have_it(number: int, scheme: str) -> None:
    field = run(number, 32, solver=Euler(reconstruction=scheme))  # type: ignore[arg-type]
    error = diagonal_error(field)
    assert error < 1e-12 if CONFIGURATIONS[number].diagonal else error > 1.0


def test_the_lens_of_configuration_4_is_symmetric_in_its_own_frame() -> None:
    """An exact symmetry of the equations (half turn and boost) that the scheme has only in the limit."""
    first, second = lens_error(32), lens_error(64)
    assert second["half_turn"] < 0.012 and first["half_turn"] / second["half_turn"] > 1.4
    assert second["still"] > 20 * second["half_turn"]


def test_the_four_contacts_of_configuration_6_turn_one_way() -> None:
    """All slip lines are clockwise: they roll up into one vortex with low pressure and density near the centre."""
    field = run(6, 64)
    spin = vorticity(field)
    inner = window(spin)  # the slip lines at the seams turn the other way
    assert np.maximum(inner, 0).sum() < 0.02 * np.maximum(-inner, 0).sum()
    # Circulation, clockwise: along a square that no wave has reached it is what the initial velocities say, 2.5 times its width.
    width = 1.5
    assert -window(spin, width).sum() / 64**2 == pytest.approx(2.5 * width, rel=0.03)
    density, _, _, pressure = window(field)
    assert density.min() < 0.5 and pressure.min() < 0.3
    for low in (density, pressure):
        place = (np.array(np.unravel_index(low.argmin(), low.shape)) + 0.5) / 64
        assert np.abs(place - 0.5).max() < 0.15


def test_nothing_from_the_seams_reaches_the_square() -> None:
    """A frame of other gas along the seams of the box changes nothing within the square at the published time."""
    number, cells = 3, 32
    state = initial(number, cells)
    frame = torch.ones(state.shape[2:], dtype=torch.bool)
    frame[4:-4, 4:-4] = False
    other = torch.where(frame, 1.1 * state, state)
    dt = CONFIGURATIONS[number].time / BOX
    law = Euler()
    a, b = (window(law.step(x, dt)[0].numpy()) for x in (state, other))
    assert np.abs(a - b).max() < 1e-6


@pytest.mark.parametrize(("number", "bound"), [(4, 0.013), (6, 0.033), (12, 0.006)])
def test_self_convergence(number: int, bound: float) -> None:
    first, second = self_differences(number, (24, 48, 96))
    assert second < bound and first / second > 1.3, (first, second)


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["muscl", "weno3"])
@pytest.mark.parametrize("number", CONFIGURATIONS)
def test_fine_runs_converge(number: int, scheme: str) -> None:
    """Slip lines roll up on ever smaller scales, so below them only means converge: at less than first order."""
    solver = Euler(reconstruction=scheme)  # type: ignore[arg-type]
    first, second = self_differences(number, (64, 128, 256), solver)
    assert first / second > 1.15, (first, second)
    assert diagonal_error(run(number, 256, solver=solver)) < 1e-9 or not CONFIGURATIONS[number].diagonal
