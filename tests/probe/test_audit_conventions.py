"""Files wrong in every way on the list are refused, and the audit names what is wrong."""

import json
import re
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

import orbitscope as osc
from orbitscope.physics import Equation
from orbitscope.probe.data._readings import Reading, readings, signed_permutations
from orbitscope.probe.data._snapshot_laws import derivative, divergence
from orbitscope.symmetry._interpolate import fourier_shift

Make = Callable[..., osc.Trajectories]
CONTRADICTS = "file contradicts its declared convention"
FILES = ["navier-stokes.gauss", "euler.riemann", "shallow-water"]
FLOWS = ["navier-stokes.gauss", "euler.riemann"]


def altered(data: osc.Trajectories, change: Callable[[Tensor], Tensor]) -> osc.Trajectories:
    """The same declaration over other values."""
    return data.replace(values=change(data.tensor().clone()))


def vector(data: osc.Trajectories) -> list[int]:
    """The channels of the vector."""
    return [i for i, n in enumerate(data.layout.channel_names) if n.endswith(("_x", "_y", "_z"))]


def found(data: osc.Trajectories, **options: object) -> tuple[str, str]:
    """Verdict and reading that fits."""
    attrs = osc.audit(data, "c2", permutations=9, **options).attrs  # pyright: ignore[reportArgumentType]
    return attrs["verdict"], attrs["convention_fits"]


@pytest.mark.parametrize("name", FILES)
def test_a_right_file_ranks_first_with_a_margin(simulated: Make, name: str) -> None:
    """Every other reading is at least twice as bad overall, and rank and margin say so."""
    result = osc.audit(simulated(name), "c2", permutations=9)
    assert result.attrs["verdict"] == "consistent" and result["rank"].values[0] == 1 and not result.attrs["ambiguous"]
    overall = np.sort(result["overall"].values)
    assert result.attrs["margin"] == pytest.approx(overall[1] / overall[0]) and result.attrs["margin"] > 100
    assert sorted(result["rank"].values) == list(range(1, result.sizes["convention"] + 1))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("known", [True, False], ids=["solver", "snapshots"])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_flipped_axis_is_found(simulated: Make, name: str, known: bool, axis: int) -> None:
    """Rows counted from the other end, components left as they were. Where the law has mirrors this is a sign error; with a Coriolis
    parameter, which the mirror negates, it is not, and a solver knows."""
    data = altered(simulated(name), lambda v: v.flip(3 + axis))
    own = f"axis {'xy'[axis]} reversed" if name == "shallow-water" and known else f"component {'xy'[axis]} negated"
    result = osc.audit(data if known else data.replace(provenance={}), "c2", permutations=9)
    assert (result.attrs["verdict"], result.attrs["convention_fits"]) == (CONTRADICTS, own)
    if not own.startswith("axis"):
        assert f"axis {'xy'[axis]} reversed" in str(result["equivalent"].sel(convention=own).values)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("known", [True, False], ids=["solver", "snapshots"])
def test_a_transposed_grid_is_found(simulated: Make, name: str, known: bool) -> None:
    """meshgrid with indexing "xy": the grid exchanged, the components not."""
    data = altered(simulated(name), lambda v: v.transpose(3, 4))
    own = "axes transposed" if name == "shallow-water" and known else "components swapped"
    assert found(data if known else data.replace(provenance={})) == (CONTRADICTS, own)


@pytest.mark.parametrize("name", FLOWS)
def test_the_whole_world_in_a_mirror_is_no_fault(simulated: Make, name: str) -> None:
    """Components moved along with the axes: a symmetry, which no physics can see; the table says so."""
    data = altered(simulated(name).swap_components(), lambda v: v.transpose(3, 4))
    result = osc.audit(data, "c2", permutations=9)
    assert result.attrs["verdict"] == "consistent"
    assert "axes transposed, components along" in str(result["equivalent"].values[0])


def test_a_mirror_that_forgets_the_pseudoscalar_is_a_fault(simulated: Make) -> None:
    """Rotating shallow water in the mirror turns the other way."""
    data = altered(simulated("shallow-water").swap_components(), lambda v: v.transpose(3, 4))
    verdict, fits = found(data)
    assert verdict == CONTRADICTS and "components along" in fits


@pytest.mark.parametrize("name", FILES)
def test_the_sign_of_the_whole_field_is_told_from_time(simulated: Make, name: str) -> None:
    """Both reverse the flow; shocks, viscosity and rotation know the difference, snapshots of a flow alone do not, and say so."""
    right = simulated(name)

    def negated(v: Tensor) -> Tensor:
        v[:, :, vector(right)] *= -1
        return v

    for wrong, words in ((altered(right, negated), "both components negated"), (altered(right, lambda v: v.flip(1)), "time reversed")):
        assert found(wrong) == (CONTRADICTS, words)
        blind = osc.audit(wrong.replace(provenance={}), "c2", permutations=9)
        assert set(blind.attrs["convention_fits"].split(" or ")) == {"both components negated", "time reversed"}
        assert blind.attrs["ambiguous"] and blind.attrs["margin"] == pytest.approx(1)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(("known", "factor"), [(True, 0.2), (True, 2.0), (False, 0.5), (False, 5.0)])
def test_a_wrong_time_step_is_found(simulated: Make, name: str, known: bool, factor: float) -> None:
    """And by which factor: exactly with the solver; from snapshots alone within the margin that is stated, and only a number with a margin
    below 10 % may be written into a file."""
    data = simulated(name)
    data = data.replace(dt=data.dt / factor)
    result = osc.audit(data if known else data.replace(provenance={}), "c2", permutations=9)
    assert result.attrs["verdict"] == CONTRADICTS and result.attrs["convention_fits"].startswith("dt x")
    low, high = (float(w) for w in re.search(r"lies between (\S+) and (\S+);", result.attrs["explanation"]).groups())  # pyright: ignore[reportOptionalMemberAccess]
    assert low <= factor <= high
    fixes = json.loads(result.attrs["fixes"])
    assert all(fix["uncertainty"] <= 0.1 for fix in fixes) and (fixes or not known)
    if fixes:
        assert fixes[0]["factor"] == pytest.approx(factor, rel=1e-9 if known else 0.08)


@pytest.mark.parametrize("name", FLOWS)
def test_several_faults_at_once_are_found(simulated: Make, name: str) -> None:
    """Swapped and a wrong step; swapped and reversed."""
    data = simulated(name).swap_components()
    assert found(data.replace(dt=data.dt / 2)) == (CONTRADICTS, "components swapped, dt x 2")
    assert found(altered(data, lambda v: v.flip(1))) == (CONTRADICTS, "components swapped, time reversed")


@pytest.mark.parametrize("name", FLOWS)
def test_files_of_another_solver_are_judged_alike(name: str) -> None:
    """Solved on a finer grid and averaged: the known solver misses by a third of a step, and still nothing right is refused."""
    chunks = osc.simulate(name, trajectories=12, resolution=16, frames=6, t_end=0.5, refine=2, seed=1)
    law = osc.equation(name.partition(".")[0])
    data = osc.Trajectories(torch.cat([c for _, c in chunks]), law.layout, law.grid(16), dt=0.1, provenance={"equation": law.name})
    assert found(data) == ("consistent", "declared")
    assert found(data.swap_components()) == (CONTRADICTS, "components swapped")
    assert found(altered(data, lambda v: v.flip(1))) == (CONTRADICTS, "time reversed")
    assert found(data.replace(dt=0.05)) == (CONTRADICTS, "dt x 2")


def test_another_viscosity_is_no_other_time_step(simulated: Make) -> None:
    """The solver does not repeat the file, and no factor mends that."""
    data = simulated("navier-stokes.gauss")
    verdict, fits = found(data, law=osc.equation("navier-stokes", viscosity=3e-3))
    assert (verdict, fits) == ("consistent", "declared")


@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.parametrize("side", [1, -1])
def test_components_on_faces_are_found(simulated: Make, name: str, side: int) -> None:
    """Component i half a cell off along axis i."""
    data = simulated(name)

    def staggered(values: Tensor) -> Tensor:
        for i, channel in enumerate(vector(data)):
            values[:, :, channel] = fourier_shift(values[:, :, channel], -0.5 * side / values.shape[3], 2 + i)
        return values

    words = f"components on {'upper' if side > 0 else 'lower'} faces"
    assert found(altered(data, staggered)) == (CONTRADICTS, words)


def test_wrong_representations_are_found_by_the_solver(simulated: Make) -> None:
    """Coriolis as a scalar; the velocity as a pseudovector: right under turns, wrong in the mirror."""
    data = simulated("shallow-water")
    scalar = osc.Layout.of("height", "velocity:vector", "coriolis")
    pseudo = osc.Layout.of("height", "velocity:pseudovector", "coriolis:pseudoscalar")
    assert found(data.replace(layout=scalar)) == (CONTRADICTS, "coriolis is a pseudoscalar")
    assert found(data.replace(layout=pseudo)) == (CONTRADICTS, "velocity is a vector")
    swapped = found(data.swap_components().replace(layout=scalar))
    assert swapped == (CONTRADICTS, "components swapped; coriolis is a pseudoscalar")


class Waves(Equation):
    """Electric field along z and magnetic field in the plane, exact in Fourier space: de/dt = curl b, db/dt = (-de/dy, de/dx)."""

    layout: ClassVar[osc.Layout] = osc.Layout.of("electric", "magnetic:pseudovector")

    @property
    def parameters(self) -> dict[str, object]:
        return {}

    def _evolve(self, state: Tensor, dt: float) -> Tensor:
        grid = self.grid(state.shape[-1])
        steps = 40
        for _ in range(steps):  # leapfrog; reversible, and of the symmetry of the spectral derivative
            e, b = state[:, 0], state[:, 1:]
            e = e + dt / steps * (derivative(b[:, 1], 0, grid) - derivative(b[:, 0], 1, grid))
            b = b + dt / steps * torch.stack([-derivative(e, 1, grid), derivative(e, 0, grid)], 1)
            state = torch.cat([e[:, None], b], 1)
        return state

    def constraints(self, state: Tensor, next_state: Tensor, dt: float, grid: osc.Grid) -> dict[str, Tensor]:
        return {"divergence": divergence(torch.stack([state[:, 1:], next_state[:, 1:]], 1), grid)}


def waves(layout: osc.Layout) -> osc.Trajectories:
    """A divergence-free magnetic field, some electric one, and their evolution."""
    grid, generator = osc.Grid.square(12), torch.Generator().manual_seed(0)
    noise = torch.randn(6, 2, 12, 12, dtype=torch.float64, generator=generator)
    spectrum = torch.fft.fft2(noise)
    k = torch.fft.fftfreq(12, 1 / 12).abs()
    e, a = torch.fft.ifft2(spectrum * ((k[:, None] <= 2) & (k[None] <= 2))).real.unbind(1)
    states = [torch.stack([e, derivative(a, 1, grid), -derivative(a, 0, grid)], 1)]
    for _ in range(3):
        states.append(Waves().step(states[-1], 0.1))
    return osc.Trajectories(torch.stack(states, 1), layout, grid, dt=0.1)


def test_a_pseudovector_declared_as_vector_is_found() -> None:
    """A magnetic field. The laws are as happy with a true vector if the electric field is a pseudoscalar, so both ways are named."""
    wrong, right = waves(osc.Layout.of("electric", "magnetic:vector")), waves(Waves.layout)
    assert found(right, law=Waves()) == ("consistent", "declared")
    verdict, fits = found(wrong, law=Waves())
    assert verdict == CONTRADICTS and set(fits.split(" or ")) == {"electric is a pseudoscalar", "magnetic is a pseudovector"}
    assert osc.audit(wrong, "c4", law=Waves(), permutations=9).attrs["verdict"] == CONTRADICTS


@pytest.mark.parametrize(("ndim", "wrong", "right"), [(2, "scalar", "pseudoscalar"), (3, "vector", "pseudovector")])
def test_a_vorticity_gives_itself_away_without_a_solver(ndim: int, wrong: str, right: str) -> None:
    """It is the curl of the velocity beside it, in the plane and in space."""
    grid = osc.Grid.square(10, ndim=ndim)
    k = torch.fft.fftfreq(10, 1 / 10).abs()
    low = k.reshape(-1, *[1] * (ndim - 1)).add(k.reshape(-1, *[1] * (ndim - 2)) if ndim == 3 else k).add(k if ndim == 3 else 0) <= 3
    noise = torch.randn(4, 2, ndim, *[10] * ndim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    u = torch.fft.ifftn(torch.fft.fftn(noise, dim=tuple(range(-ndim, 0))) * low, dim=tuple(range(-ndim, 0))).real
    d = [[derivative(u[:, :, c], a, grid) for a in range(ndim)] for c in range(ndim)]
    curl = [d[1][0] - d[0][1]] if ndim == 2 else [d[2][1] - d[1][2], d[0][2] - d[2][0], d[1][0] - d[0][1]]
    values = torch.cat([u, torch.stack(curl, 2)], 2)
    for declared in (wrong, right):
        data = osc.Trajectories(values, osc.Layout.of("velocity:vector", f"vorticity:{declared}", ndim=ndim), grid, dt=0.1)
        attrs = osc.audit(data, "c2" if ndim == 2 else "oh", elements=None if ndim == 2 else ["e"], permutations=9).attrs
        if declared == wrong:
            assert attrs["verdict"] == CONTRADICTS and attrs["convention_fits"].startswith(f"vorticity is a {right}")
        else:
            assert attrs["verdict"] == "undetermined"


def test_a_layer_on_its_head_is_found() -> None:
    """Convection between plates, heated from below: the vertical axis counted from the top, with and without its component."""
    law = osc.equation("rayleigh-benard")
    chunks = osc.simulate("rayleigh-benard", trajectories=3, resolution=8, frames=5, t_end=8.0, seed=1)
    data = osc.Trajectories(torch.cat([c for _, c in chunks]), law.layout, law.grid(8), dt=2.0, provenance={"equation": law.name})

    def along(v: Tensor) -> Tensor:
        v[:, :, 1] *= -1
        return v.flip(4)

    assert found(data) == ("consistent", "declared")
    assert found(altered(data, lambda v: v.flip(4))) == (CONTRADICTS, "axis y reversed")
    assert found(altered(data, along)) == (CONTRADICTS, "axis y reversed, components along")
    assert found(data.replace(dt=1.0)) == (CONTRADICTS, "dt x 2")


def test_readings_are_their_definition(simulated: Make) -> None:
    """Each undoes the fault after which it is named, value by value."""
    data = simulated("euler.riemann", trajectories=2)
    x = data.tensor()[:, 0]
    named = {r.name: r for r in readings(data.layout, data.grid, None)[0]}
    assert torch.equal(named["components swapped"].states(data.swap_components().tensor()[:, 0], data.layout, data.grid), x)
    assert torch.equal(named["component y negated"].states(x, data.layout, data.grid)[:, 2], -x[:, 2])
    flip = Reading("flip", axes=((-1, 0), (0, 1)))
    assert torch.equal(flip.states(x, data.layout, data.grid), x.flip(2))
    turn = Reading("transpose", axes=((0, 1), (1, 0)))
    assert torch.equal(turn.states(x, data.layout, data.grid), x.transpose(2, 3))
    assert torch.equal(Reading("back", reverse=True).pair(x, x + 1, data.layout, data.grid)[0], x + 1)
    assert Reading.from_dict(json.loads(json.dumps(flip.to_dict()))) == flip


@pytest.mark.parametrize("name", ["navier-stokes", "shallow-water", "navier-stokes-3d"])
def test_classes_are_what_symmetries_make_of_readings(name: str) -> None:
    """By brute force on random values: in one class if some mirror or turn of the whole world maps one result to the other."""
    law = osc.equation(name)
    grid = law.grid(4)
    tried, others = readings(law.layout, grid, law)
    x = torch.randn(1, law.layout.channels, *grid.shape, generator=torch.Generator().manual_seed(0))
    action = osc.GridAction(law.layout, grid)
    group = osc.parse_group("d4" if law.layout.ndim == 2 else "oh")
    images = [action(g, x) for g in group]
    whole = [r for r in tried if not r.reverse and not r.faces]
    for reading in whole[1:]:
        assert not any(torch.equal(reading.states(x, law.layout, grid), image) for image in images), reading.name
    assert len(group) == len(signed_permutations(law.layout.ndim)) and any(others)
    back = {r.name: r for r in whole}
    if name == "navier-stokes":
        flipped = Reading("", axes=((-1, 0), (0, 1))).states(x, law.layout, grid)
        assert any(torch.equal(flipped, action(g, back["component x negated"].states(x, law.layout, grid))) for g in group)


def test_a_faster_class_of_flows_in_the_file_breaks_no_law():
    """Its snapshots are too far apart for the balance of mass, which alone proves nothing: the solver repeats the step. A trajectory that
    is read wrongly is still found among them."""
    made = [torch.cat([c for _, c in osc.simulate(f"euler.{name}", trajectories=8, resolution=16, frames=3, t_end=0.1, seed=1)])
            for name in ("riemann", "uncertain")]  # fmt: skip
    layout = osc.Layout.of("density", "momentum:vector", "energy")
    values = torch.cat(made)
    data = osc.Trajectories(values, layout, osc.Grid.square(16), 0.05)
    right = osc.audit(data, "d4", law="euler", samples=8, permutations=9)
    assert right.attrs["verdict"] == "consistent", right.attrs["explanation"]
    assert float(right["violation"].sel(check="mass").max()) > 1  # what the balance alone would have said
    wrong = values.clone()
    wrong[12, :, 1:3] *= -1
    spoilt = osc.audit(data.replace(values=wrong), "d4", law="euler", samples=8, permutations=9)
    assert spoilt["reading"].values[12] != spoilt["reading"].values[11] == "declared"
