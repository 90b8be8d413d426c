"""What every equation promises: it commutes with its symmetries, and a trajectory does not feel the rest of its batch."""

import pytest
import torch
from proofs.commutation import commutation, states

from orbitscope.physics import Equation, Euler, NavierStokes, equation, equations, scenario, scenarios
from orbitscope.symmetry import GridAction

N = 20


def _states(name: str, count: int, dtype: torch.dtype = torch.float64, n: int = N) -> tuple[Equation, torch.Tensor]:
    plan = scenario(name)
    solver = plan.equation()
    return solver, torch.stack([plan.initial(solver.grid(n), 3, i, dtype) for i in range(count)])


@pytest.mark.parametrize("name", sorted(scenarios()))
def test_step_commutes_with_every_declared_symmetry(name: str) -> None:
    n = N if scenario(name).equation().layout.ndim == 2 else 8
    solver, x = states(name, 2, n=n)
    moved, tried = 0, 0
    for item in commutation(solver, x, 0.05, n):
        assert item.error < 1e-10, (item.group.name, item.element, item.error)
        moved += item.moved > 0.1
        tried += not item.is_identity
    assert moved >= tried - 2


@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_both_euler_backends_commute_with_d4(backend: str) -> None:
    _, x = _states("euler.riemann", 2)
    solver = Euler(backend=backend)  # type: ignore[arg-type]
    action = GridAction(solver.layout, solver.grid(N))
    y = solver.step(x, 0.05)
    for g in solver.groups(N)[0]:
        assert (solver.step(action(g, x), 0.05) - action(g, y)).abs().max() < 1e-10


def test_swapping_components_is_no_symmetry() -> None:
    """The control of the test above: an action with the wrong convention must fail it."""
    for name, order in (("navier-stokes.gauss", [1, 0]), ("euler.riemann", [0, 2, 1, 3])):
        solver, x = _states(name, 2)
        y = solver.step(x, 0.05)
        assert (solver.step(x[:, order], 0.05) - y[:, order]).norm() > 0.01 * y.norm()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("solver_name", ["navier-stokes.gauss", "euler.riemann", "euler.riemann/torch"])
def test_a_trajectory_does_not_feel_its_batch(solver_name: str, dtype: torch.dtype) -> None:
    solver, x = _states(solver_name.partition("/")[0], 11, dtype, 16)
    if solver_name.endswith("/torch"):
        solver = Euler(backend="torch")
    x[4] = x[4] * 0.5  # needs fewer substeps than its neighbours (still a physical state)
    y = solver.step(x, 0.05)
    for part in ([0], [4], [10], [3, 4, 5], [9, 2]):
        assert torch.equal(solver.step(x[part], 0.05), y[part]), part
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert torch.equal(solver.step(x, 0.05), y)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("name", sorted(scenarios()))
def test_step_leaves_its_input_alone_and_takes_empty_batches(name: str) -> None:
    solver, x = _states(name, 2)
    before = x.clone()
    solver.step(x, 0.02)
    assert torch.equal(x, before)
    assert solver.step(x[:0], 0.02).shape == (0, *x.shape[1:])


@pytest.mark.parametrize("name", equations())
def test_wrong_arguments_are_refused(name: str) -> None:
    from orbitscope._errors import OrbitscopeError

    solver = equation(name)
    c, shape = solver.layout.channels, solver.grid(8).shape
    for state, dt, word in (
        (torch.ones(1, c + 1, *shape), 0.1, "channel"),
        (torch.ones(c, *shape), 0.1, "batch"),
        (torch.ones(1, c, *shape, dtype=torch.int64), 0.1, "float"),
        (torch.ones(1, c, *shape), -0.1, "dt"),
        (torch.ones(1, c, *shape), float("nan"), "dt"),
    ):
        with pytest.raises(OrbitscopeError, match=word):
            solver.step(state, dt)
    with pytest.raises(OrbitscopeError, match="no parameter"):
        equation(name, nonsense=1)
    with pytest.raises(OrbitscopeError, match="Known"):
        equation("nonsense")
    assert equation(name, **solver.parameters) == solver


def test_parameters_are_checked() -> None:
    from orbitscope._errors import OrbitscopeError

    for make in (
        lambda: Euler(gamma=1.0),
        lambda: Euler(cfl=0.0),
        lambda: Euler(backend="jax"),  # type: ignore[arg-type]
        lambda: Euler(limiter="superbee"),  # type: ignore[arg-type]
        lambda: NavierStokes(viscosity=-1.0),
        lambda: NavierStokes(modes=0),
        lambda: NavierStokes(cfl=3.0),
    ):
        with pytest.raises(OrbitscopeError):
            make()
