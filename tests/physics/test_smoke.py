"""The smoke plume against a slow reference, analytic flows, its budgets and its symmetries; and the knobs that break them."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from orbitscope._errors import OrbitscopeError
from orbitscope.data import Trajectories
from orbitscope.physics import Smoke, SolverError, equation, initial_condition, scenario, simulate
from orbitscope.physics._smoke_scheme import Drive, Plume, divergence, project, rates, table, to_centres, to_faces
from orbitscope.symmetry import Grid, GridAction, dihedral

Array = NDArray[np.float64]


def _random_state(n: int, seed: int = 0, dtype: torch.dtype = torch.float64, batch: int = 1, side: float = 64.0) -> torch.Tensor:
    """Smooth random smoke, buoyancy of any direction, inflow; velocity from a random stream function that vanishes on the walls."""
    draw = torch.Generator().manual_seed(seed)
    state = torch.rand(batch, 6, n, n, generator=draw, dtype=torch.float64)
    state[:, 4:] -= 0.5
    node = torch.arange(n + 1, dtype=torch.float64) * math.pi / n
    waves = torch.sin(node[:, None] * torch.arange(1, 5))
    stream = torch.einsum("xk,bkl,yl->bxy", waves, torch.randn(batch, 4, 4, generator=draw, dtype=torch.float64), waves)
    u, v = stream.diff(dim=2), -stream.diff(dim=1)
    state[:, 1:3] = to_centres(u, v, table(n, torch.float64, torch.device("cpu"))) * side / 20
    return state.to(dtype)


# ---------------------------------------------------------------------------------------------------------------- the scheme


def _between(a: float, b: float, c: float) -> float:
    return (-a + 5 * b + 2 * c) / 6


def _slow_u_rate(u: Array, v: Array) -> Array:
    """Loops over every face; values beyond a wall by reflection."""
    n = v.shape[0]

    def at(i: int, j: int) -> float:
        sign = 1.0
        if i < 0:
            i, sign = -i, -1.0
        if i > n:
            i, sign = 2 * n - i, -1.0
        return sign * float(u[i, min(max(j, 0), n - 1)])

    def along(i: int, j: int) -> float:  # flux through the centre of cell (i, j)
        c = 0.5 * (at(i, j) + at(i + 1, j))
        return c * (_between(at(i - 1, j), at(i, j), at(i + 1, j)) if c > 0 else _between(at(i + 2, j), at(i + 1, j), at(i, j)))

    def across(i: int, j: int) -> float:  # flux through the corner below face (i, j)
        if j in (0, n):
            return 0.0
        c = 0.5 * float(v[i - 1, j] + v[i, j])
        return c * (_between(at(i, j - 2), at(i, j - 1), at(i, j)) if c > 0 else _between(at(i, j + 1), at(i, j), at(i, j - 1)))

    out = np.zeros_like(u)
    for i in range(1, n):
        for j in range(n):
            out[i, j] = along(i - 1, j) - along(i, j) + across(i, j) - across(i, j + 1)
    return out


def _slow_smoke_rate(s: Array, u: Array) -> Array:
    n = len(s)
    out = np.zeros_like(s)
    for j in range(n):
        slope = np.zeros(n)
        for i in range(1, n - 1):
            low, high = s[i, j] - s[i - 1, j], s[i + 1, j] - s[i, j]
            slope[i] = 2 * low * high / (low + high) if low * high > 0 else 0.0
        for i in range(1, n):  # faces
            flux = u[i, j] * (s[i - 1, j] + 0.5 * slope[i - 1] if u[i, j] > 0 else s[i, j] - 0.5 * slope[i])
            out[i - 1, j] -= flux
            out[i, j] += flux
    return out


def test_rates_equal_loops_over_faces() -> None:
    n = 7
    draw = np.random.default_rng(1)
    s, q, bx, by = draw.normal(size=(4, n, n))
    u, v = np.zeros((n + 1, n)), np.zeros((n, n + 1))
    u[1:-1], v[:, 1:-1] = draw.normal(size=(n - 1, n)), draw.normal(size=(n, n - 1))
    t = lambda a: torch.from_numpy(a)[None]  # noqa: E731
    got = rates(Plume(t(s), t(u), t(v)), Drive(t(q), t(bx), t(by), 0.7))
    fx, fy = s * bx, s * by
    wanted_u, wanted_v = 0.7 * _slow_u_rate(u, v), 0.7 * _slow_u_rate(v.T, u.T).T
    wanted_u[1:-1] += (fx[1:] + fx[:-1]) / 2
    wanted_v[:, 1:-1] += (fy[:, 1:] + fy[:, :-1]) / 2
    assert np.allclose(got.s[0], _slow_smoke_rate(s, u) + _slow_smoke_rate(s.T, v.T).T + q, atol=1e-13)
    assert np.allclose(got.u[0], wanted_u, atol=1e-13)
    assert np.allclose(got.v[0], wanted_v, atol=1e-13)


def test_projection_is_the_nearest_divergence_free_field() -> None:
    """Against dense least squares: the orthogonal projection onto the null space of the divergence."""
    n = 6
    count = n * (n - 1)
    t = table(n, torch.float64, torch.device("cpu"))

    def faces(x: Array) -> tuple[torch.Tensor, torch.Tensor]:
        u, v = torch.zeros(1, n + 1, n, dtype=torch.float64), torch.zeros(1, n, n + 1, dtype=torch.float64)
        u[0, 1:-1], v[0, :, 1:-1] = torch.from_numpy(x[:count].reshape(n - 1, n)), torch.from_numpy(x[count:].reshape(n, n - 1))
        return u, v

    matrix = np.stack([divergence(*faces(e)).numpy().ravel() for e in np.eye(2 * count)], 1)
    x = np.random.default_rng(2).normal(size=2 * count)
    u, v = project(*faces(x), t)
    wanted_u, wanted_v = faces(x - np.linalg.pinv(matrix) @ (matrix @ x))
    assert torch.allclose(u, wanted_u, atol=1e-13) and torch.allclose(v, wanted_v, atol=1e-13)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 2e-5)])
def test_centres_and_faces_carry_the_same(dtype: torch.dtype, tolerance: float) -> None:
    n = 48
    t = table(n, dtype, torch.device("cpu"))
    draw = torch.Generator().manual_seed(0)
    u, v = torch.zeros(2, n + 1, n, dtype=dtype), torch.zeros(2, n, n + 1, dtype=dtype)
    u[:, 1:-1] = torch.randn(2, n - 1, n, generator=draw, dtype=dtype)
    v[:, :, 1:-1] = torch.randn(2, n, n - 1, generator=draw, dtype=dtype)
    centred = to_centres(u, v, t)
    for got, wanted in zip(to_faces(centred, t), (u, v), strict=True):
        assert (got - wanted).abs().max() < tolerance
    assert abs(float(centred.square().sum() / (u.square().sum() + v.square().sum())) - 1) < tolerance
    # One wave, known in closed form.
    wave = lambda x: torch.sin(5 * math.pi * x / n).to(dtype)  # noqa: E731
    u = wave(torch.arange(n + 1, dtype=torch.float64))[None, :, None].expand(1, n + 1, n)
    got = to_centres(u, torch.zeros_like(u).mT, t)[0, 0, :, 3]
    assert (got - wave(torch.arange(n, dtype=torch.float64) + 0.5)).abs().max() < tolerance


# ---------------------------------------------------------------------------------------------------------------- the budgets


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 2e-5)])
def test_divergence_smoke_and_constants_are_kept(dtype: torch.dtype, tolerance: float) -> None:
    law = Smoke()
    x = _random_state(24, dtype=dtype, batch=3)
    y = law.step(law.step(x, 0.5), 3.0)
    z = law.step(y, 3.0)
    for name, residual in law.constraints(y, z, 3.0, law.grid(24)).items():
        assert residual.shape == (3,) and residual.max() < tolerance, name
    assert torch.equal(z[:, 3:], x[:, 3:])
    fed = x[:, 3].double().sum((1, 2)) * 3.0
    assert torch.allclose(z[:, 0].double().sum((1, 2)) - y[:, 0].double().sum((1, 2)), fed, rtol=tolerance * 10)
    assert z[:, 0].min() > -tolerance


def test_constraints_notice_what_is_wrong() -> None:
    law, grid = Smoke(), Smoke().grid(24)
    x = law.step(_random_state(24), 1.0)
    y = law.step(x, 1.0)
    assert law.constraints(x[:, [0, 2, 1, 3, 5, 4]], y[:, [0, 2, 1, 3, 5, 4]], 1.0, grid)["divergence"] > 0.1
    leaky, moved = y.clone(), y.clone()
    leaky[:, 0] *= 0.99
    moved[:, 5, 3, 3] += 0.1
    assert law.constraints(x, leaky, 1.0, grid)["smoke"] > 1e-3
    assert law.constraints(x, moved, 1.0, grid)["constants"] > 0.1
    rest = torch.zeros(1, 6, 24, 24)
    assert all(float(r) == 0.0 for r in law.constraints(rest, rest, 1.0, grid).values())


def test_smoke_obeys_the_maximum_principle_and_energy_only_falls() -> None:
    x = _random_state(32, seed=3)
    x[:, 3:] = 0.0
    x[:, 0] = (x[:, 0] > 0.5).double()  # as rough as can be
    law, energy = Smoke(), [x[:, 1:3].square().sum()]
    for _ in range(10):
        x = law.step(x, 2.0)
        assert x[:, 0].min() > -1e-12 and x[:, 0].max() < 1 + 1e-12
        energy.append(x[:, 1:3].square().sum())
    assert all(b < a for a, b in zip(energy, energy[1:], strict=False))
    assert 0.01 < x[:, 0].std() < 0.49  # it did mix


def test_a_plume_stays_positive_and_holds_what_flowed_in() -> None:
    ((_, values),) = simulate("smoke.rotation", trajectories=36, indices=[1, 34], resolution=32, frames=9, t_end=40.0)
    cells = values[:, 0, 3].sum((1, 2))
    times = torch.arange(9) * 5.0
    total = values[:, :, 0].sum((2, 3))
    assert torch.allclose(total, total[:, :1] + cells[:, None] * times, rtol=1e-5)
    assert values[:, :, 0].min() > -1e-6
    assert 1 < values[1, -1, 1:3].abs().max() < 30


# ---------------------------------------------------------------------------------------------------------------- accuracy


def _steady(n: int) -> torch.Tensor:
    """Two modes of equal wave number: a stream function whose Laplacian is a multiple of itself, so the Euler flow is steady."""
    node, t = torch.arange(n + 1, dtype=torch.float64) / n, table(n, torch.float64, torch.device("cpu"))
    one, two = torch.sin(math.pi * node), torch.sin(2 * math.pi * node)
    stream = (torch.outer(one, two) + 0.5 * torch.outer(two, one)) * n
    state = torch.zeros(1, 6, n, n, dtype=torch.float64)
    state[:, 1:3] = to_centres(stream.diff(dim=1)[None], -stream.diff(dim=0)[None], t)
    return state


def test_velocity_is_second_order() -> None:
    worst, mean = [], []
    for n in (16, 32, 64):
        x = _steady(n)
        d = (Smoke(side=1.0).step(x, 0.1) - x)[:, 1:3]
        worst.append(float(d.abs().max()))
        mean.append(float(d.square().mean().sqrt()))
    for errors in (worst, mean):
        orders = [math.log2(a / b) for a, b in zip(errors, errors[1:], strict=False)]
        assert min(orders) > 1.75, (errors, orders)


def _smooth(n: int) -> torch.Tensor:
    """Smooth smoke and inflow pushing a smooth flow."""
    x, y = Grid.square(n).coordinates() * math.pi
    start = 0.5 * _steady(n)
    start[:, 0] = 1 + 0.5 * torch.cos(x) * torch.cos(2 * y)
    start[:, 3] = 0.3 * (1 + torch.cos(2 * x) * torch.cos(y))
    start[:, 4], start[:, 5] = 1.0, 2.0
    return start


def test_an_unsteady_flow_converges_at_second_order() -> None:
    """Against the next finer grid, averaged over cells."""
    law = Smoke(side=1.0)
    ends = {n: law.step(_smooth(n), 0.15) for n in (24, 48, 96)}
    for channels, least in ((slice(1, 3), 1.75), (slice(0, 1), 1.7)):  # the limiter is of first order where the smoke peaks
        gap = [float((law.coarsen(ends[2 * n], 2) - ends[n])[:, channels].abs().mean()) for n in (24, 48)]
        assert math.log2(gap[0] / gap[1]) > least, (channels, gap)


def test_time_steps_are_third_order() -> None:
    x = _smooth(24)
    x[:, 0] = 1 + 0.1 * Grid.square(24).coordinates()[0]  # no extrema, where the limiter has kinks
    x[:, 3] = 0.0
    ends = [Smoke(side=1.0, max_step=h).step(x, 0.032)[:, 1:3] for h in (0.004, 0.002, 0.001)]
    gap = [float((a - b).square().mean().sqrt()) for a, b in zip(ends, ends[1:], strict=False)]
    assert math.log2(gap[0] / gap[1]) > 2.6, gap


def test_step_after_step_is_one_long_step() -> None:
    x = _random_state(20, side=8.0, batch=2)
    for h, law in ((0.25, Smoke(max_step=0.125)), (0.5, Smoke(max_step=0.25, self_advection=0.5))):
        long = law.step(x, 2 * h)
        assert (law.step(law.step(x, h), h) - long).abs().max() < 1e-12 * long.abs().max()
    assert torch.equal(Smoke().step(x, 0.0), x)


# ---------------------------------------------------------------------------------------------------------------- buoyancy


def _acceleration(smoke: torch.Tensor, bx: float, by: float) -> torch.Tensor:
    n = len(smoke)
    state = torch.zeros(1, 6, n, n, dtype=torch.float64)
    state[:, 0], state[:, 4], state[:, 5] = smoke, bx, by
    return Smoke(side=1.0).step(state, 1e-6)[0, 1:3] / 1e-6


def test_uniform_smoke_rests_on_its_pressure() -> None:
    assert _acceleration(torch.ones(16, 16, dtype=torch.float64), 0.3, 0.7).abs().max() < 1e-12


def test_a_wave_of_smoke_accelerates_by_its_solenoidal_part() -> None:
    """s = cos(ax) sin(cy), force b s along y: the divergence-free part is b a^2 / (a^2 + c^2) (c/a sin ax cos cy, ..) in closed form."""
    b, errors = 0.7, []
    for n in (16, 32):
        x, y = Grid.square(n).coordinates()
        a, c = 2 * math.pi, math.pi
        got = _acceleration(torch.cos(a * x) * torch.sin(c * y), 0.0, b)
        share = b / (a * a + c * c)
        wanted = share * torch.stack([-a * c * torch.sin(a * x) * torch.cos(c * y), a * a * torch.cos(a * x) * torch.sin(c * y)])
        errors.append(float((got - wanted).abs().max()))
    assert errors[0] < 0.05 * b and math.log2(errors[0] / errors[1]) > 1.75, errors


def test_a_disc_of_smoke_starts_with_half_its_buoyancy() -> None:
    """A round blob drags as much fluid again with it (the added mass of a cylinder): b / 2 inside, walls far away; either axis."""
    x, y = Grid.square(128).coordinates()
    disc = ((x - 0.5).square() + (y - 0.5).square() <= 0.06**2).double()
    middle = slice(62, 66)
    for axis, force in ((0, (0.8, 0.0)), (1, (0.0, 0.8))):
        got = _acceleration(disc, *force)[:, middle, middle].mean((1, 2))
        assert abs(float(got[axis]) / 0.4 - 1) < 0.03 and abs(float(got[1 - axis])) < 1e-10


# ---------------------------------------------------------------------------------------------------------------- symmetry


@pytest.mark.parametrize("n", [24, 25])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_long_trajectory_commutes_with_d4_to_the_last_bit(n: int, dtype: torch.dtype) -> None:
    """So chaos cannot drive turned runs apart."""
    law = Smoke(self_advection=0.5)
    action = GridAction(law.layout, law.grid(n))
    x = _random_state(n, seed=7, dtype=dtype)
    end = law.step(x, 8.0)
    for g in dihedral(4):
        assert torch.equal(law.step(action(g, x), 8.0), action(g, end)), g.name


def test_faster_by_a_factor_is_the_same_flow() -> None:
    """t -> t / c, u -> c u, b -> c^2 b, q -> c q: exact for the scheme too, as its steps follow."""
    c, x = 3.0, _random_state(20, seed=8)
    fast = x * torch.tensor([1, c, c, c, c * c, c * c]).reshape(6, 1, 1)
    slow_end, fast_end = Smoke(max_step=0.3).step(x, 3.0), Smoke(max_step=0.3 / c).step(fast, 3.0 / c)
    assert (fast_end[:, 1:3] / c - slow_end[:, 1:3]).abs().max() < 1e-10 * slow_end[:, 1:3].abs().max()
    assert (fast_end[:, 0] - slow_end[:, 0]).abs().max() < 1e-10


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_trajectory_does_not_feel_its_batch(dtype: torch.dtype) -> None:
    law = Smoke()
    for n in (10, 16):
        x = _random_state(n, seed=9, dtype=dtype, batch=7)
        x[4, 1:3] *= 0.1  # needs fewer steps than its neighbours
        y = law.step(x, 1.0)
        for part in ([0], [4], [6], [3, 4, 5], [6, 2]):
            assert torch.equal(law.step(x[part], 1.0), y[part]), part
        threads = torch.get_num_threads()
        try:
            torch.set_num_threads(2)
            assert torch.equal(law.step(x, 1.0), y)
        finally:
            torch.set_num_threads(threads)


# ---------------------------------------------------------------------------------------------------------------- the tasks


def _task(name: str, index: int, n: int = 32, **options: float) -> torch.Tensor:
    return initial_condition(name, **options)(Smoke().grid(n), 0, index, torch.float64)


def test_published_tasks() -> None:
    """The numbers of the notebook behind the published data, at its resolution."""
    start = _task("smoke-T", 7, 64)  # second place along x, third along y
    x, y = Smoke().grid(64).coordinates()
    assert torch.equal(start[3], ((x - 16) ** 2 + (y - 15) ** 2 <= 25).double())
    assert torch.allclose(start[5], torch.where(x < 32, 0.1, 0.2).double()) and not start[4].any() and not start[:3].any()
    forces = {0: (0, 0.01), 1: (-0.02, 0), 2: (0, -0.033), 3: (0.04, 0), 4: (0, 0.05), 34: (0, -0.385), 35: (0.36, 0)}
    for index, (along_x, along_y) in forces.items():
        got = _task("smoke-R", index)[4:, 0, 0]
        assert torch.allclose(got, torch.tensor([along_x, along_y], dtype=torch.float64)), index
    for index, (i, j) in enumerate(((32, 5), (59, 32), (32, 59), (5, 32))):
        assert torch.equal(_task("smoke-R", index, 64)[3], ((x - i) ** 2 + (y - j) ** 2 <= 25).double()), index
    assert float(_task("smoke-E", 9)[5, 0, 0]) == pytest.approx(0.05)
    assert float(_task("smoke-S", 37)[5, 0, 0]) == pytest.approx(0.1 / 4.7)
    published = {"smoke-T": (0.5, 35), "smoke-R": (1.0, 36), "smoke-S": (0.5, 38), "smoke-E": (0.5, 50)}
    for name, (factor, tasks) in published.items():
        assert scenario(name).equation().parameters["self_advection"] == factor
        _task(name, tasks - 1)
        with pytest.raises(OrbitscopeError, match=f"{tasks} tasks"):
            _task(name, tasks)
        with pytest.raises(OrbitscopeError, match="walls"):
            scenario(name).initial(Grid.square(32), 0, 0, torch.float64)


def _run(name: str, indices: list[int], t_end: float, n: int = 32, **options: float) -> torch.Tensor:
    plan = scenario(name, **options)
    chunks = simulate(plan, trajectories=35, indices=indices, resolution=n, frames=3, t_end=t_end, dtype=torch.float64)
    return torch.cat([values for _, values in chunks])


def test_rotation_knob() -> None:
    """At 0 the four plumes of a round are quarter turns of one another; at 1 the first push is off by what the knob says."""
    action = GridAction(Smoke().layout, Smoke().grid(32))
    turn = dihedral(4)["r"]
    fair = _run("smoke.rotation", [8, 9, 10, 11], 16.0, breaking=0.0)
    for side in range(3):
        assert torch.equal(action(turn, fair[side]), fair[side + 1])
    assert fair[:, -1, 1:3].abs().max() > 1
    for breaking in (0.5, 1.0):
        early = _run("smoke.rotation", [8, 9, 10, 11], 0.02, breaking=breaking, noise=0.0)[:, -1, 1:3].flatten(1).norm(dim=1)
        published = torch.tensor([9.0, 10.0, 11.0 * 1.1, 12.0], dtype=torch.float64)
        assert torch.allclose(early / early[0], 1 + breaking * (published / 9 - 1), rtol=1e-4)
    unfair = _run("smoke.rotation", [8, 9], 16.0)[:, -1, 1:3]
    turned = action(turn, _run("smoke.rotation", [8], 16.0)[0])[-1, 1:3]
    assert (turned - unfair[1]).norm() > 0.03 * turned.norm()


@pytest.mark.long
def test_published_length_keeps_the_turns_and_the_budgets() -> None:
    """The strongest round at full size, 310 units of time, float32: turned runs stay turned through the chaos, nothing leaks."""
    plan = scenario("smoke.rotation", breaking=0.0)
    law = plan.equation()
    ((_, values),) = simulate(plan, trajectories=36, indices=[32, 33], resolution=64, frames=32)
    action = GridAction(law.layout, law.grid(64))
    assert torch.equal(action(dihedral(4)["r"], values[0]), values[1])
    residuals = law.constraints(values[0, :-1], values[0, 1:], 10.0, law.grid(64))
    assert max(float(r.max()) for r in residuals.values()) < 2e-5
    assert values[:, :, 0].min() > -1e-5 and values[:, :, 1:3].abs().max() < 100
    assert (values[0, -1, 0] - values[0, -1, 0].flip(0)).norm() > 0.01 * values[0, -1, 0].norm()


def test_translation_knob() -> None:
    """At 0 places i and 6 - i are mirror images; at 1 they are not. The first push depends on the half alone, but for the walls."""
    action = GridAction(Smoke().layout, Smoke().grid(32))
    flip = next(g for g in dihedral(4) if g.linear == ((-1, 0), (0, 1)))
    fair, published = (_run("smoke.translation", [5, 25], 16.0, breaking=b) for b in (0.0, 1.0))
    assert torch.equal(action(flip, fair[0]), fair[1])
    assert (action(flip, published[0]) - published[1])[-1, 1:3].norm() > 0.1 * published[1, -1, 1:3].norm()
    early = _run("smoke.translation", [7, 27], 0.02)[:, -1, 1:3].flatten(1).norm(dim=1)
    assert float(early[1] / early[0]) == pytest.approx(2.0, rel=1e-3)


def test_scale_and_equivariance_knobs() -> None:
    scale = _run("smoke.scale", [0, 10, 30], 10.0, breaking=0.0)
    assert torch.equal(scale[0], scale[1]) and torch.equal(scale[0], scale[2])
    early = _run("smoke.scale", [0, 10, 30], 0.02)[:, -1, 1:3].flatten(1).norm(dim=1)
    assert torch.allclose(early / early[0], torch.tensor([1.0, 1 / 2, 1 / 4], dtype=torch.float64), rtol=1e-4)
    same = _run("smoke.equivariance", [1, 28], 10.0, breaking=0.0)
    assert torch.equal(same[0], same[1])
    early = _run("smoke.equivariance", [1, 10, 28], 0.02)[:, -1, 1:3].flatten(1).norm(dim=1)
    assert torch.allclose(early / early[0], torch.tensor([1.0, 5.5, 14.5], dtype=torch.float64), rtol=1e-4)


def test_noise_frees_a_plume_from_its_mirror_image() -> None:
    """Without it the plume from the bottom stays symmetric to the last bit; the puff is the same, turned, for the plumes of a round."""
    plan = scenario("smoke.rotation")
    grid = plan.equation().grid(32)
    first, again, other = (plan.initial(grid, seed, index, torch.float64) for seed, index in ((0, 4), (0, 5), (1, 4)))
    assert torch.equal(first[0].flatten().sort().values, again[0].flatten().sort().values) and not torch.equal(first[0], other[0])
    assert 0 < first[0].max() < 1e-3 and not first[0][first[3] == 0].any()
    quiet, free = (_run("smoke.rotation", [20], 30.0, n=24, noise=noise)[0, -1, 0] for noise in (0.0, 1e-3))
    assert torch.equal(quiet, quiet.flip(0))
    assert (free - free.flip(0)).norm() > 1e-4 * free.norm()
    with pytest.raises(OrbitscopeError, match="noise"):
        _task("smoke-R", 0, noise=-1.0)


def test_whole_box_factors_are_finer_grids() -> None:
    """A box f times larger with f times the cells, inflow and gravity scaled, is the unit task on the finer grid: `refine=f`."""
    start = _task("smoke-S", 0, 64)
    large = start.clone()
    large[4:] *= 2.0
    small = Smoke(self_advection=0.5).step(start[None], 5.0)
    big = Smoke(self_advection=0.5, side=128.0).step(large[None], 5.0)
    assert (big[:, 1:3] / 2 - small[:, 1:3]).abs().max() < 1e-12


def test_the_constant_channels_can_be_dropped() -> None:
    ((_, values),) = simulate("smoke.rotation", trajectories=2, resolution=16, frames=3, t_end=2.0)
    law = equation("smoke")
    data = Trajectories(values, law.layout, law.grid(16), 1.0).select(("smoke", "velocity"))
    assert data.layout.channel_names == ("smoke", "velocity_x", "velocity_y")
    assert torch.equal(data.tensor(), values[:, :, :3])


# ---------------------------------------------------------------------------------------------------------------- refusals


def test_wrong_arguments_are_refused() -> None:
    for options in ({"side": 0.0}, {"cfl": 0.6}, {"max_step": 0.0}, {"self_advection": -1.0}):
        with pytest.raises(OrbitscopeError, match=next(iter(options))):
            Smoke(**options)  # pyright: ignore[reportArgumentType]
    with pytest.raises(OrbitscopeError, match="as many cells"):
        Smoke().step(torch.zeros(1, 6, 8, 9), 0.1)
    with pytest.raises(OrbitscopeError, match="radius"):
        _task("smoke-R", 0, radius=0.5, n=8)
    with pytest.raises(OrbitscopeError, match="radius"):
        _task("smoke-R", 0, radius=-1.0)


def test_broken_states_are_named() -> None:
    x = _random_state(8, batch=3)
    x[1, 0, 2, 2] = torch.nan
    with pytest.raises(SolverError, match="trajectory 1") as error:
        Smoke().step(x, 0.1)
    assert error.value.item == 1
    x = _random_state(8, batch=3)
    x[2, 5] = 1e200
    x[2, 0] = torch.rand(8, 8) * 1e150
    with pytest.raises(SolverError, match="trajectory 2"):
        Smoke().step(x, 0.1)
