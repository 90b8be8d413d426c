"""Rayleigh-Benard convection: order of accuracy, exact budgets, symmetries, onset; float64 unless said."""

import math

import numpy as np
import pytest
import torch
from proofs import convection

from orbitscope._errors import OrbitscopeError
from orbitscope.physics import RayleighBenard, SolverError, equation, scenario
from orbitscope.physics import _convection_torch as scheme
from orbitscope.symmetry import Grid, GridAction


def _states(law: RayleighBenard, resolution: int, count: int = 2, **options: float) -> torch.Tensor:
    initial = scenario("RBC", **options).initial
    return torch.stack([initial(law.grid(resolution), 5, i, torch.float64) for i in range(count)])


def _developed(resolution: int = 16, rayleigh: float = 1e5) -> tuple[RayleighBenard, torch.Tensor]:
    """Convection in full swing, coarse."""
    law = RayleighBenard(rayleigh=rayleigh, prandtl=0.71, aspect=2.0)
    return law, law.step(_states(law, resolution, amplitude=0.3), 3.0)


def test_own_output_is_taken_as_it_is() -> None:
    law, x = _developed()
    assert torch.allclose(law.step(x, 0.0), x, atol=1e-14)
    assert law.constraints(x, x, 1.0, law.grid(16))["divergence"].max() < 1e-13


def test_two_steps_follow_the_solution_of_one() -> None:
    """What is stored between two steps loses nothing: the difference is the error in time alone."""
    law, x = _developed(12)
    fine = RayleighBenard(**{**law.parameters, "cfl": 0.1})
    y, z = fine.step(x, 0.4), x
    for _ in range(4):
        z = fine.step(z, 0.1)
    assert (z - y).norm() < 1e-6 * y.norm()


def test_order_in_time_is_four() -> None:
    def end(cfl: float) -> torch.Tensor:
        law = RayleighBenard(rayleigh=1e8, aspect=2.0, cfl=cfl)  # little diffusion, so the step is proportional to cfl
        return law.step(_states(law, 16, amplitude=0.3, waves=1.0, levels=2), 1.0)

    exact = end(0.05)
    errors = {round(1 / cfl, 6): float((end(cfl) - exact).norm() / exact.norm()) for cfl in (1.6, 0.8, 0.4)}
    assert abs(convection.order_of(errors) - 4.0) < 0.25 and max(errors.values()) < 1e-3


def test_budgets_of_energy_and_temperature_variance_close() -> None:
    """Exact in space: the derivative of both sums along the rate of change is work minus dissipation, to rounding."""
    law, x = _developed()
    terms, rate, h = law.budgets(x), law.rate(x), 1e-4
    for quantity, change in (
        (law.kinetic_energy, terms["work"] - terms["dissipation"]),
        (lambda s: 0.5 * s[:, 2].square().mean((1, 2)), terms["heating"] - terms["thermal_dissipation"]),
    ):
        found = (quantity(x + h * rate) - quantity(x - h * rate)) / (2 * h)  # exact for a quadratic
        assert change.abs().min() > 1e-4 and torch.allclose(found, change, atol=1e-11)


def test_energy_changes_by_work_minus_dissipation_over_time() -> None:
    law, x = _developed()
    start = end = law.kinetic_energy(x)
    change = torch.zeros_like(start)
    for weight in [1, *[4, 2] * 9, 4, 1]:  # Simpson's rule
        terms = law.budgets(x)
        change += weight * 0.02 / 3 * (terms["work"] - terms["dissipation"])
        end, x = law.kinetic_energy(x), law.step(x, 0.02)
    assert (end - start).abs().min() > 1e-4 and torch.allclose(end - start, change, rtol=1e-4, atol=1e-8)


def test_advection_alone_conserves_energy_and_temperature_variance() -> None:
    law = RayleighBenard(rayleigh=1e30, aspect=2.0)
    x = _states(law, 12, amplitude=0.5)
    rate, h = law.rate(x), 1e-4
    terms = law.budgets(x)
    energy = (law.kinetic_energy(x + h * rate) - law.kinetic_energy(x - h * rate)) / (2 * h)
    variance = ((x + h * rate)[:, 2].square().mean((1, 2)) - (x - h * rate)[:, 2].square().mean((1, 2))) / (2 * h)
    assert torch.allclose(energy, terms["work"], atol=1e-12) and variance.abs().max() < 1e-12
    assert rate[:, 2].norm() > 0.1


def test_diffusion_is_of_second_order_up_to_the_plates() -> None:
    errors = convection.diffusion_errors((8, 16, 32))
    assert abs(convection.order_of(errors) - 2.0) < 0.1 and errors[32] < 1e-3


def test_convection_converges_with_second_order() -> None:
    assert convection.order_of(convection.self_convergence((16, 32, 64))) > 1.75


def test_convection_sets_in_at_the_critical_rayleigh_number() -> None:
    found = convection.onset((12, 16, 24))
    assert all(below < 0.0 < above for below, above in found["rates"].values())
    assert found["error"][24] < 0.01 and abs(found["order"] - 2.0) < 0.1


@pytest.mark.long
def test_onset_and_convergence_on_finer_grids() -> None:
    found = convection.onset((16, 24, 32, 48))
    assert found["error"][48] < 0.003 and abs(found["order"] - 2.0) < 0.1
    assert abs(convection.order_of(convection.self_convergence((32, 64, 128))) - 2.0) < 0.15


@pytest.mark.long
@pytest.mark.parametrize(("rayleigh", "resolution", "spin_up", "time"), [(1e7, 96, 100.0, 200.0), (1e8, 160, 60.0, 100.0)])
def test_heat_transport_agrees_with_the_published_fit(rayleigh: float, resolution: int, spin_up: float, time: float) -> None:
    found = convection.nusselt(rayleigh, resolution, spin_up, time)
    assert abs(found["deviation"]) < 0.1 and found["standard_error"] < 0.05 * found["published"]
    assert found["spread"] < 0.03 and found["cells_in_layer"] > 3.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_compiled_and_eager_solvers_agree_and_trajectories_are_their_own(dtype: torch.dtype) -> None:
    law, x = _developed(12)
    x = x.repeat(3, 1, 1, 1).to(dtype)
    x[2:] *= 0.5
    x[4] = x[4].flip(1)
    for backend in ("numba", "torch"):
        other = RayleighBenard(**{**law.parameters, "backend": backend})
        y = other.step(x, 0.4)
        for part in ([0], [4], [3, 4, 5], [5, 2]):
            assert torch.equal(other.step(x[part], 0.4), y[part])
        threads = torch.get_num_threads()
        try:
            torch.set_num_threads(2)
            assert torch.equal(other.step(x, 0.4), y)
        finally:
            torch.set_num_threads(threads)
        assert (law.step(x, 0.4) - y).abs().max() < (1e-5 if dtype == torch.float32 else 1e-13)


def test_a_batch_taken_together_gives_what_each_gives_alone() -> None:
    """Devices other than the CPU advance the whole batch at once, each trajectory with its own steps."""
    law, x = _developed(12)
    x = torch.cat([x, 0.1 * x, torch.zeros_like(x)])
    box = law._box(x)
    many, status, reached = scheme.advance(scheme.faces_of(x, box), 0.5, law.viscosity, law.diffusivity, law.cfl, 10_000, box)
    assert status == [0] * 6 and reached == [0.5] * 6
    assert torch.allclose(scheme.stored(many, box), law.step(x, 0.5), atol=1e-13)
    _, status, reached = scheme.advance(scheme.faces_of(x, box), 0.5, law.viscosity, law.diffusivity, law.cfl, 3, box)
    assert status[:2] == [2, 2] and all(0.0 < time < 0.5 for time in reached[:2])


def test_rate_against_plain_loops() -> None:
    """The staggered scheme written out cell by cell, with the pressure from a dense least-squares problem."""
    law = RayleighBenard(rayleigh=500.0, prandtl=0.7, aspect=1.5)
    x = _states(law, 4, 1, amplitude=0.5)
    x = x + 0.1 * torch.rand(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(1))
    box = law._box(x)
    faces = scheme.faces_of(x, box)
    found = scheme.rate(faces, law.viscosity, law.diffusivity, box)
    u, v, t = (part[0].numpy() for part in faces)
    ny, nx = u.shape
    dx, dy, nu, kappa = box.dx, box.dy, law.viscosity, law.diffusivity
    low = np.zeros((ny, nx))

    def at_u(j: int, i: int) -> float:
        return -u[0, i % nx] if j < 0 else -u[-1, i % nx] if j == ny else u[j, i % nx]

    def at_t(j: int, i: int) -> float:
        return 1.0 - t[0, i % nx] if j < 0 else -1.0 - t[-1, i % nx] if j == ny else t[j, i % nx]

    def at_v(j: int, i: int) -> float:
        return v[j, i % nx]

    fu, fv, ft = low.copy(), np.zeros((ny + 1, nx)), low.copy()
    for j in range(ny):
        for i in range(nx):
            e, w = (at_u(j, i) + at_u(j, i + 1)) / 2, (at_u(j, i) + at_u(j, i - 1)) / 2
            n = (at_u(j, i) + at_u(j + 1, i)) / 2 * (at_v(j + 1, i) + at_v(j + 1, i - 1)) / 2
            s = (at_u(j, i) + at_u(j - 1, i)) / 2 * (at_v(j, i) + at_v(j, i - 1)) / 2
            spread = (at_u(j, i + 1) - 2 * at_u(j, i) + at_u(j, i - 1)) / dx**2 + (at_u(j + 1, i) - 2 * at_u(j, i) + at_u(j - 1, i)) / dy**2
            fu[j, i] = -(e * e - w * w) / dx - (n - s) / dy + nu * spread
            e, w = (at_t(j, i) + at_t(j, i + 1)) / 2 * at_u(j, i + 1), (at_t(j, i) + at_t(j, i - 1)) / 2 * at_u(j, i)
            n, s = (at_t(j, i) + at_t(j + 1, i)) / 2 * at_v(j + 1, i), (at_t(j, i) + at_t(j - 1, i)) / 2 * at_v(j, i)
            spread = (at_t(j, i + 1) - 2 * at_t(j, i) + at_t(j, i - 1)) / dx**2 + (at_t(j + 1, i) - 2 * at_t(j, i) + at_t(j - 1, i)) / dy**2
            ft[j, i] = -(e - w) / dx - (n - s) / dy + kappa * spread
    for j in range(1, ny):
        for i in range(nx):
            e = (at_v(j, i) + at_v(j, i + 1)) / 2 * (at_u(j, i + 1) + at_u(j - 1, i + 1)) / 2
            w = (at_v(j, i) + at_v(j, i - 1)) / 2 * (at_u(j, i) + at_u(j - 1, i)) / 2
            n, s = (at_v(j, i) + at_v(j + 1, i)) / 2, (at_v(j, i) + at_v(j - 1, i)) / 2
            spread = (at_v(j, i + 1) - 2 * at_v(j, i) + at_v(j, i - 1)) / dx**2 + (at_v(j + 1, i) - 2 * at_v(j, i) + at_v(j - 1, i)) / dy**2
            fv[j, i] = -(e - w) / dx - (n * n - s * s) / dy + nu * spread + (at_t(j, i) + at_t(j - 1, i)) / 2
    assert np.allclose(found.t[0], ft, atol=1e-12)
    # The nearest flow with a stream function without Nyquist mode, plus the mean of each row.
    columns, basis = [], np.eye((ny - 1) * nx).reshape(-1, ny - 1, nx)
    alternating = (-1.0) ** np.arange(nx)
    for b in basis:
        b = b - (b @ alternating)[:, None] * alternating / nx - b.mean(1, keepdims=True)
        psi = np.pad(b, ((1, 1), (0, 0)))
        columns.append(np.concatenate([(np.diff(psi, axis=0) / dy).ravel(), (-(np.roll(psi, -1, 1) - psi) / dx).ravel()]))
    for j in range(ny):
        row = np.zeros((ny, nx))
        row[j] = 1.0
        columns.append(np.concatenate([row.ravel(), np.zeros((ny + 1) * nx)]))
    matrix, force = np.array(columns).T, np.concatenate([fu.ravel(), fv.ravel()])
    nearest = matrix @ np.linalg.lstsq(matrix, force, rcond=None)[0]
    assert np.allclose(np.concatenate([found.u[0].ravel(), found.v[0].ravel()]), nearest, atol=1e-10)


def test_wrong_components_are_seen_by_the_constraints() -> None:
    law, x = _developed(16)
    y, grid = law.step(x, 0.1), law.grid(16)
    right = law.constraints(x, y, 0.1, grid)
    signs = torch.tensor([1.0, -1.0, 1.0], dtype=x.dtype)[:, None, None]
    for wrong in (lambda s: s[:, [1, 0, 2]], lambda s: s * signs):
        assert law.constraints(wrong(x), wrong(y), 0.1, grid)["divergence"].min() > 0.3
    fallen = law.constraints((x * signs).flip(3), (y * signs).flip(3), 0.1, grid)
    assert right["divergence"].max() < 1e-13 and fallen["divergence"].max() < 1e-13
    assert right["plates"].max() < 0.2 and fallen["plates"].min() > 0.8
    rest = torch.zeros_like(x)
    assert (law.constraints(rest, rest, 0.1, grid)["divergence"] == 0.0).all()
    # Means over cells of a finer run are divergence-free up to the error of the coarse grid.
    fine = law.step(_states(law, 48, amplitude=0.3), 1.0)
    residual = law.constraints(law.coarsen(fine, 3), law.coarsen(fine, 3), 0.1, grid)["divergence"]
    assert 1e-6 < residual.max() < 0.05


def test_projection_is_the_nearest_and_keeps_shear() -> None:
    """What it removes is orthogonal to what it keeps, and a flow along the plates is no business of the pressure."""
    law = RayleighBenard(aspect=2.0)
    x = torch.rand(2, 3, 16, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) - 0.5
    y = law.step(x, 0.0)
    assert (y[:, :2] * (x - y)[:, :2]).sum((1, 2, 3)).abs().max() < 1e-12 * x.square().sum()
    assert (x - y)[:, :2].norm() > 0.1 * x.norm() and torch.allclose(law.step(y, 0.0), y, atol=1e-14) and torch.equal(x[:, 2], y[:, 2])
    shear = torch.zeros_like(x)
    shear[:, 0] = torch.rand(8, dtype=torch.float64)
    assert torch.allclose(law.step(shear, 0.0), shear, atol=1e-14)


def test_nusselt_numbers_of_conduction_and_of_steady_rolls() -> None:
    law = RayleighBenard(rayleigh=5000.0, prandtl=0.71, aspect=2.0)
    still = _states(law, 16, 1, amplitude=0.0)
    assert all(abs(float(value) - 1.0) < 1e-12 for value in law.nusselt(still).values())
    rolls = law.step(_states(law, 16, 1), 150.0)
    values = [float(value) for value in law.nusselt(rolls).values()]
    assert min(values) > 1.5 and max(values) - min(values) < 1e-3 * min(values)


def test_wrong_parameters_and_states_are_named() -> None:
    for wrong in ({"rayleigh": 0.0}, {"prandtl": -1.0}, {"aspect": math.inf}, {"cfl": 3.0}, {"backend": "jax"}):
        with pytest.raises(OrbitscopeError, match=next(iter(wrong))):
            equation("rayleigh-benard", **wrong)
    law = RayleighBenard(aspect=2.0)
    x = _states(law, 8)
    x[1, 0, 0, 0] = float("nan")
    with pytest.raises(SolverError, match="trajectory 1") as caught:
        law.step(x, 0.1)
    assert caught.value.item == 1
    for grid in (Grid.square(8), Grid((8, 8), (1.0, 2.0), ("periodic", "wall"))):
        with pytest.raises(OrbitscopeError, match="layer"):
            scenario("RBC").initial(grid, 0, 0, torch.float64)
    for options in ({"amplitude": -1.0}, {"waves": 0.0}, {"levels": 1.5}):
        with pytest.raises(OrbitscopeError, match=next(iter(options))):
            scenario("RBC", **options).initial(law.grid(8), 0, 0, torch.float64)


def test_commutes_with_every_flip_and_shift() -> None:
    law, x = _developed(10)
    action, y = GridAction(law.layout, law.grid(10)), law.step(x, 0.3)
    for group in law.groups(10):
        for g in group:
            assert (law.step(action(g, x), 0.3) - action(g, y)).abs().max() < 1e-10, g.name
    wrong = x.flip(3) * torch.tensor([1.0, -1.0, 1.0], dtype=x.dtype)[:, None, None]  # theta taken for a scalar
    assert (law.step(wrong, 0.3) - y.flip(3) * torch.tensor([1.0, -1.0, 1.0], dtype=x.dtype)[:, None, None]).abs().max() > 0.1


@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_a_mirrored_flow_takes_the_same_steps(backend: str) -> None:
    """Long enough that a step that looked at one side of a cell would show: flips then differ by the error in time."""
    _, x = _developed(12)
    law = RayleighBenard(rayleigh=1e5, prandtl=0.71, aspect=2.0, backend=backend)  # type: ignore[arg-type]
    action, y = GridAction(law.layout, law.grid(12)), law.step(x, 2.0)
    for g in law.groups(12)[0]:
        assert (law.step(action(g, x), 2.0) - action(g, y)).abs().max() < 1e-9 * y.abs().max(), g.name


def test_initial_flow_has_the_stated_energy() -> None:
    law = RayleighBenard(aspect=2.0)
    x = _states(law, 32, 200)
    energy = 2 * law.kinetic_energy(x).numpy()
    assert abs(energy.mean() - 0.01) < 4 * energy.std() / math.sqrt(len(energy)) + 0.02 * 0.01
    assert np.allclose(x[:, 2], 0.5 - (np.arange(32) + 0.5) / 32)
    # The law knows no left or right, no up or down, no place along x: means vanish, variances are even in y and alike in x.
    error = x[:, :2].std(0) / math.sqrt(len(x))
    assert (x[:, :2].mean(0).abs() < 5 * error).all()
    square = x[:, :2].square().mean((2,))
    error = square.std(0) * math.sqrt(2 / len(x))
    assert ((square - square.flip(2)).mean(0).abs() < 4 * error).all()
    halves = x[:, :2, :32].square().mean((2, 3)) - x[:, :2, 32:].square().mean((2, 3))
    assert (halves.mean(0).abs() < 4 * halves.std(0) / math.sqrt(len(x)) + 1e-12).all()
    # The same index on two grids is the same flow, up to the order of the scheme.
    fine = _states(law, 64, 3)
    assert (law.coarsen(fine, 2) - x[:3]).norm() < 0.02 * x[:3, :2].norm()


def test_gradients_flow_through_the_eager_solver() -> None:
    law = RayleighBenard(rayleigh=1e4, aspect=1.0)
    x = _states(law, 6, 1, amplitude=0.3)
    along = torch.rand(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(2))
    leaf = x.clone().requires_grad_()
    law.step(leaf, 0.1)[:, 2].square().sum().backward()
    assert leaf.grad is not None
    up, down = (law.step(x + sign * 1e-5 * along, 0.1)[:, 2].square().sum() for sign in (1, -1))
    assert abs(float((leaf.grad * along).sum() / ((up - down) / 2e-5)) - 1) < 1e-6
