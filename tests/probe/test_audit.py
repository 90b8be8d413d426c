"""The audit tells the truth about files of known content."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

import orbitscope as osc

Make = Callable[..., osc.Trajectories]
HOLDS = "symmetry of the physics and of the file"
PHYSICS_ONLY = "symmetry of the physics, not of this file's distribution"
CONTRADICTS = "file contradicts its declared convention"
FILES = ["navier-stokes.gauss", "navier-stokes.sines", "euler.riemann"]


def negate(data: osc.Trajectories, channel: str) -> osc.Trajectories:
    """One component with the wrong sign."""
    values = data.tensor().clone()
    values[:, :, data.layout.channel_names.index(channel)] *= -1
    return data.replace(values=values)


def components(data: osc.Trajectories) -> tuple[str, str]:
    """The channels of the vector."""
    x, y = (n for n in data.layout.channel_names if n.endswith(("_x", "_y")))
    return x, y


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", FILES)
def test_a_right_file_is_consistent_and_has_the_symmetries_of_its_physics(simulated: Make, name: str, dtype: torch.dtype) -> None:
    """All of D4; single precision, in which files are stored, changes nothing."""
    found = osc.audit(simulated(name, dtype=dtype), "d4")
    assert found.attrs["verdict"] == "consistent" and found.attrs["convention_fits"] == "declared", found.attrs["explanation"]
    assert set(found["verdict"].values.tolist()) == {HOLDS}
    assert found["residual"].max() < (1e-12 if dtype == torch.float64 else 1e-4)
    assert found["p_value_raw"].sel(element="e").item() == 1
    assert (found["score"].sel(convention="declared") <= found["score"].min("convention") + 1e-12).all()


@pytest.mark.parametrize("name", FILES)
def test_swapped_components_are_refused_and_named(simulated: Make, name: str) -> None:
    """The trap: no element gets a blessing."""
    found = osc.audit(simulated(name).swap_components(), "d4")
    assert found.attrs["verdict"] == CONTRADICTS and found.attrs["convention_fits"] == "components swapped"
    assert set(found["verdict"].values.tolist()) == {CONTRADICTS}
    assert "vector components swapped" in found.attrs["explanation"]


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("name", FILES)
def test_a_sign_error_on_one_component_is_found(simulated: Make, name: str, axis: int) -> None:
    """And which component it is."""
    data = simulated(name)
    found = osc.audit(negate(data, components(data)[axis]), "c4")
    assert found.attrs["verdict"] == CONTRADICTS and found.attrs["convention_fits"] == f"component {'xy'[axis]} negated"


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("name", FILES)
def test_a_picture_with_rows_from_the_top_is_found(simulated: Make, name: str, axis: int) -> None:
    """Swapped and one sign besides: a turn of the components without the grid."""
    data = simulated(name)
    found = osc.audit(negate(data.swap_components(), components(data)[axis]), "c4")
    assert found.attrs["verdict"] == CONTRADICTS and found.attrs["convention_fits"].startswith("components swapped, ")


def test_a_foreign_file_is_judged_by_its_divergence_alone(simulated: Make) -> None:
    """No provenance, no solver: a divergence-free field tells, and says that the physics is unchecked."""
    foreign = simulated("navier-stokes.gauss").replace(provenance={})
    right, wrong = osc.audit(foreign, "d4"), osc.audit(foreign.swap_components().replace(provenance={}), "d4")
    assert (
        right.attrs["verdict"] == "consistent"
        and right["check"].values.tolist() == ["divergence", "transport"]
        and right.attrs["law"] == "unknown"
    )
    assert set(right["verdict"].values.tolist()) == {"not contradicted by the file; physics unchecked"}
    assert np.isnan(right["residual"]).all()
    assert wrong.attrs["verdict"] == CONTRADICTS and wrong.attrs["convention_fits"] == "components swapped"


def test_a_compressible_foreign_file_cannot_be_judged(simulated: Make) -> None:
    """Nothing says that a vector of unknown meaning should be divergence-free."""
    layout = osc.Layout.of("a", "b:vector", "c")
    data = simulated("euler.riemann").replace(provenance={}, layout=layout)
    found = osc.audit(data, "d4")
    assert found.attrs["verdict"] == "undetermined" and "compressible" in found.attrs["explanation"]
    assert osc.audit(data.swap_components().replace(provenance={}), "d4").attrs["verdict"] == "undetermined"


def test_a_foreign_gas_is_judged_by_continuity(simulated: Make) -> None:
    """Fields called density and momentum say what they are; two snapshots must then balance."""
    data = simulated("euler.riemann").replace(provenance={})
    right, wrong = osc.audit(data, "c2"), osc.audit(data.swap_components().replace(provenance={}), "c2")
    assert right.attrs["verdict"] == "consistent" and right["check"].values.tolist() == ["mass"]
    assert wrong.attrs["verdict"] == CONTRADICTS and wrong.attrs["convention_fits"] == "components swapped"


def test_a_law_can_be_given_by_name_or_as_an_object(simulated: Make) -> None:
    """The same numbers as with provenance."""
    data = simulated("navier-stokes.gauss")
    known = osc.audit(data, "c2")
    for law in ("navier-stokes", osc.equation("navier-stokes")):
        found = osc.audit(data.replace(provenance={}), "c2", law=law)
        np.testing.assert_array_equal(found["residual"].values, known["residual"].values)
        assert found["verdict"].values.tolist() == known["verdict"].values.tolist()
    with pytest.raises(osc.OrbitscopeError, match="equation"):
        osc.audit(data, "c2", law="schroedinger")


def test_a_file_of_somebody_elses_equation_is_audited_without_a_solver(simulated: Make) -> None:
    """Its name in the provenance is no reason to fail."""
    data = simulated("navier-stokes.gauss").replace(provenance={"equation": "kuramoto-sivashinsky", "parameters": {"nu": 1}})
    assert osc.audit(data, "c2").attrs["law"] == "unknown"


def test_scalars_alone_have_no_convention_to_check(random_data: Make) -> None:
    """One reading, no check, no judgement; the distribution is still tested."""
    found = osc.audit(random_data("density", "energy", trajectories=16), "d4")
    assert found.attrs["verdict"] == "undetermined" and found["convention"].values.tolist() == ["declared"] and found.sizes["check"] == 0
    assert np.isfinite(found["p_value"]).all()


def test_noise_is_no_convention(random_data: Make) -> None:
    """No reading keeps any law: the least bad of them must not be called the right one."""
    for seed in range(5):
        for law in (None, "navier-stokes"):
            found = osc.audit(random_data(trajectories=12, points=16, seed=seed), "c4", law=law)
            assert found.attrs["verdict"] == "undetermined", found.attrs["explanation"]
    assert "other parameters?" in found.attrs["explanation"]  # pyright: ignore[reportPossiblyUnboundVariable]


def test_a_fluid_at_rest_at_first_still_tells_its_convention(simulated: Make) -> None:
    """Half of the transitions come from the end of the trajectories."""
    data = simulated("euler.riemann")
    values = data.tensor().clone()
    values[:, 0, 1:3] = 0.0
    still = [osc.equation("euler").step(values[:, 0], data.dt)]
    for _ in range(data.times - 2):
        still.append(osc.equation("euler").step(still[-1], data.dt))
    values[:, 1:] = torch.stack(still, 1)
    found = osc.audit(data.replace(values=values).swap_components(), "c4")
    assert found.attrs["verdict"] == CONTRADICTS and found.attrs["convention_fits"] == "components swapped"


def test_euler_quadrants_are_not_invariant_under_a_quarter_period(simulated: Make) -> None:
    """The physics has every shift; the jumps start at 0 and 1/2 in every trajectory, so only half a period maps them to themselves."""
    found = osc.audit(simulated("euler.riemann", trajectories=64, frames=3, t_end=0.04), "tx4")
    assert found["verdict"].values.tolist() == [HOLDS, PHYSICS_ONLY, HOLDS, PHYSICS_ONLY]
    assert (found["residual"] < 1e-12).all() and found.attrs["verdict"] == "consistent"


def test_what_is_no_symmetry_of_the_solver_is_said_not_to_be_one(simulated: Make) -> None:
    """A uniform force along x in the file: the known law does not make it, and under a turn it is worse."""
    data = simulated("navier-stokes.gauss")
    values = data.tensor().clone()
    change = values[:, 1] - values[:, 0]
    values[:, 1, 0] += 0.2 * change.square().mean((1, 2, 3)).sqrt()[:, None, None]  # a push, a tenth of the step
    pushed = data.replace(values=values[:, :2])
    found = osc.audit(pushed, "c4").sel(element=["e", "r2"])
    assert found["residual_floor"].item() > 0.05
    assert found["residual"].sel(element="r2").item() == pytest.approx(found["residual"].sel(element="e").item(), rel=1e-6)


def test_interpolated_elements_have_no_residual(simulated: Make) -> None:
    """No periodic box obeys 45 degrees."""
    found = osc.audit(simulated("navier-stokes.gauss"), "so2/8")
    lattice = np.array([g.is_lattice for g in osc.rotations(8)])
    assert np.isnan(found["residual"].values[~lattice]).all() and (found["residual"].values[lattice] < 1e-12).all()
    assert HOLDS not in found["verdict"].values[~lattice].tolist()


def test_other_boundaries_have_no_solver(simulated: Make) -> None:
    """The solvers are periodic; a box with walls is audited without them."""
    data = simulated("navier-stokes.gauss")
    walls = data.replace(grid=osc.Grid.square(16, boundary="wall"))
    assert osc.audit(walls, "c4").attrs["law"] == "unknown"


def test_shifts_and_determinants_are_recorded(simulated: Make) -> None:
    """What the elements are, for whoever reads the file later."""
    found = osc.audit(simulated("navier-stokes.gauss"), "d4*tx2*ty2", elements=["e", "s·e", "r·1·0"])
    assert found["determinant"].values.tolist() == [1, -1, 1]
    assert found["shift"].sel(element="r·1·0").values.tolist() == [0.0, 0.5]  # the shift along x first, then the turn
    assert found.attrs["kind"] == "audit" and found.attrs["alpha"] == 0.01


def test_few_trajectories_are_no_evidence(simulated: Make) -> None:
    """Where no relabelling could be significant there is no test, no p-value, and no word on the file."""
    found = osc.audit(simulated("navier-stokes.gauss")[:3], "d4")
    assert np.isnan(found["p_value"].values[1:]).all() and found["p_value"].values[0] == 1
    assert set(found["verdict"].values[1:].tolist()) == {"symmetry of the physics; too few trajectories to test the file"}


def test_nan_anywhere_in_the_sample_is_named(simulated: Make) -> None:
    """Also in states that only the two-sample test reads: NaN there would pass for a broken symmetry."""
    data = simulated("navier-stokes.gauss")
    for trajectory in range(24):
        values = data.tensor().clone()
        values[trajectory, -1, 1, 3, 3] = float("nan")
        with pytest.raises(osc.OrbitscopeError, match=rf"trajectory {trajectory}, time 3, channel velocity_y holds NaN"):
            osc.audit(data.replace(values=values), "c2", permutations=99)
