"""No wrong word: files that are right nowhere, in part, or on another box, and what the audit may say of them."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor

import orbitscope as osc
from orbitscope.cli import main
from orbitscope.probe import correct
from orbitscope.probe.data._distribution import distribution_of
from orbitscope.probe.data._law import parse_law
from orbitscope.probe.data._readings import Reading
from orbitscope.probe.data._timing import timed_by_snapshots
from orbitscope.probe.data._weak_laws import weak_continuity, weak_divergence, weak_transport, windowed
from orbitscope.symmetry._interpolate import fourier_shift

Make = Callable[..., osc.Trajectories]
CONTRADICTS = "file contradicts its declared convention"
FLOWS = ["navier-stokes.gauss", "euler.riemann"]


def checked(data: osc.Trajectories, **options: object):
    """A quick audit."""
    return osc.audit(data, "c2", permutations=9, **options)  # pyright: ignore[reportArgumentType]


def swapped(data: osc.Trajectories, which: list[int]) -> osc.Trajectories:
    """Components exchanged in some trajectories alone."""
    values = data.tensor().clone()
    values[which] = data.swap_components().tensor()[which]
    return data.replace(values=values)


@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.parametrize("known", [True, False], ids=["solver", "snapshots"])
@pytest.mark.parametrize("step", [4, 2])
def test_trajectories_of_another_convention_are_named_and_mended(
    simulated: Make, tmp_path: Path, name: str, known: bool, step: int
) -> None:
    """A quarter and a half of the file; each is read by itself, and the copy is right in all."""
    right = simulated(name)[:12]
    mixed = swapped(right, list(range(0, 12, step)))
    found = checked(mixed if known else mixed.replace(provenance={}))
    wrong = found["reading"].values == "components swapped"
    assert found.attrs["verdict"] == CONTRADICTS and found.attrs["share"] == pytest.approx(1 - 1 / step)
    np.testing.assert_array_equal(np.flatnonzero(wrong), np.arange(0, 12, step))
    assert ", ".join(str(i) for i in range(0, 12, step)) in found.attrs["explanation"]
    assert (found["keeps"].sel(convention="declared").values == ~wrong).all()
    mended = osc.load(correct(mixed, found, tmp_path / "a.nc"))
    torch.testing.assert_close(mended.tensor(), right.tensor(), rtol=1e-12, atol=1e-14)
    assert mended.provenance["history"][-1]["trajectories"]["components swapped"] == list(range(0, 12, step))


def test_a_trajectory_that_no_reading_mends_is_named(simulated: Make, tmp_path: Path) -> None:
    """Two of twelve hold noise: the file breaks its law there, and without a law nothing is claimed."""
    data = simulated("navier-stokes.gauss")[:12]
    values = data.tensor().clone()
    values[[3, 7]] = torch.randn(values[[3, 7]].shape, dtype=values.dtype, generator=torch.Generator().manual_seed(0))
    found = checked(data.replace(values=values))
    assert found.attrs["verdict"] == "file breaks its laws" and "(3, 7)" in found.attrs["explanation"]
    assert set(found["verdict"].values.tolist()) == {"undetermined"}
    assert checked(data.replace(values=values, provenance={})).attrs["verdict"] == "undetermined"
    with pytest.raises(osc.OrbitscopeError, match="do not share one convention|nothing to correct"):
        correct(data, found, tmp_path / "a.nc")


SCALED = [
    ("navier-stokes", {"viscosity": 2e-3}),
    ("navier-stokes", {}),
    ("navier-stokes-tracer", {"viscosity": 2e-3, "diffusivity": 1e-3}),
    ("kolmogorov", {"viscosity": 2e-3}),
    ("euler", {}),
    ("shallow-water", {"viscosity": 1e-3}),
    ("heat", {}),
]


@pytest.mark.parametrize(("name", "parameters"), SCALED, ids=[f"{n}{len(p)}" for n, p in SCALED])
def test_an_equation_on_another_box_is_itself_rescaled(name: str, parameters: dict[str, float]) -> None:
    """Constraints and rates know the box by themselves: with x = l x' the rescaled step must conserve mass there, and two boxes are one.

    The step on a box of side l of the rescaled state is the rescaled step of the unit box, with the parameters that this means.
    """
    law, side = osc.equation(name, **parameters), 2.5
    inner, units = law.on(osc.Grid.square(12, extent=side))
    outer = osc.equation(name, **{**parameters, **_outer(name, law.parameters, side)})
    unit = torch.tensor(units, dtype=torch.float64).reshape(-1, 1, 1)
    x = 0.1 * torch.randn(2, law.layout.channels, 12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x[:, 0] += 2.0 if name in ("euler", "shallow-water") else 0.0
    x[:, -1] += 5.0 if name == "euler" else 0.0
    x = law.step(x, 0.01)
    there = outer.step(unit * x, 0.05, osc.Grid.square(12, extent=side))
    torch.testing.assert_close(there, unit * law.step(x, 0.05), rtol=1e-10, atol=1e-12)
    assert inner.name == law.name and torch.equal(law.step(x, 0.05, osc.Grid.square(12)), law.step(x, 0.05))
    with pytest.raises(osc.OrbitscopeError, match="sides in the ratio"):
        law.step(x, 0.05, osc.Grid((12, 12), (1.0, 0.5), ("periodic",) * 2))


def _outer(name: str, known: dict[str, object], side: float) -> dict[str, float]:
    """The parameters, in the units of a box of that side, of what has `known` on the unit box."""
    power = {"viscosity": 2, "diffusivity": 2, "gravity": 2, "amplitude": 1}
    return {k: v * side ** power[k] for k, v in known.items() if k in power and isinstance(v, float)}


def test_the_solver_sees_the_box(simulated: Make) -> None:
    """The same flow on a box of 2 and of 2 pi is right; a box ten times too small is refused; one of another shape is left to
    the laws of two snapshots."""
    data = simulated("navier-stokes.gauss", frames=4, t_end=0.3)
    for side in (2.0, 2 * math.pi):
        moved = data.replace(values=side * data.tensor(), grid=osc.Grid.square(16, extent=side))
        assert checked(moved).attrs["verdict"] == "consistent"
    small = checked(data.replace(grid=osc.Grid.square(16, extent=0.1)))
    assert small.attrs["verdict"] == CONTRADICTS and small.attrs["convention_fits"].split(" x ")[0] in ("box", "dt")
    flat = checked(data.replace(grid=osc.Grid((16, 16), (1.0, 0.5), ("periodic",) * 2)))
    assert flat.attrs["verdict"] != "consistent" and "sides in the ratio" in flat.attrs["law_note"] and flat.attrs["law"] == "unknown"


@pytest.mark.parametrize("known", [True, False], ids=["solver", "snapshots"])
@pytest.mark.parametrize("cells", [1.0, 0.5])
def test_one_displaced_component_is_found(simulated: Make, known: bool, cells: float) -> None:
    """A whole cell, and half a one (staggered alone)."""
    data = simulated("navier-stokes.gauss")
    values = data.tensor().clone()
    values[:, :, 0] = fourier_shift(values[:, :, 0], cells / 16, 2)
    found = checked(data.replace(values=values, provenance=data.provenance if known else {}))
    assert found.attrs["verdict"] == CONTRADICTS and found.attrs["convention_fits"].startswith(f"component x displaced by {cells:g} cell")


@pytest.mark.parametrize("known", [True, False], ids=["solver", "snapshots"])
def test_a_failed_law_is_no_consistent(simulated: Make, known: bool) -> None:
    """Raw packed integers, exchanged axes, a stretched component, a displacement beyond the list."""
    data = simulated("navier-stokes.gauss", trajectories=8, frames=6, t_end=0.6)
    data = data if known else data.replace(provenance={})
    v = data.tensor()
    third = torch.stack([fourier_shift(v[:, :, 0], 5.0 / 16, 2), v[:, :, 1]], 2)
    faults = [torch.round(v / v.abs().max() * 30000), v.transpose(0, 1), v * torch.tensor([1.0, 1.6])[:, None, None], third]
    for values in faults:
        attrs = checked(data.replace(values=values.contiguous())).attrs
        assert attrs["verdict"] != "consistent" and "divergence-free as declared" not in attrs["explanation"]


def test_a_right_time_step_is_not_accused_by_snapshots(simulated: Make) -> None:
    """The factor of a right file is biased; it stays within its own null, alone and besides another fault."""
    for lead in (1, 2):
        data = simulated("navier-stokes.brownian", trajectories=12, points=16, frames=5, t_end=0.4)
        data = data.replace(values=data.tensor()[:, ::lead], dt=lead * data.dt, provenance={})
        assert "dt" not in checked(data).attrs["convention_fits"]
        found = checked(data.swap_components().replace(provenance={}))
        assert found.attrs["verdict"] == CONTRADICTS and found.attrs["convention_fits"] == "components swapped"
    reading = timed_by_snapshots(Reading("declared"), lambda f: torch.full((3,), math.sqrt((1 - 0.5 * f) ** 2 + 0.0004)))
    assert reading is not None and reading.factor == 2 and 0 < reading.uncertainty < 0.1
    assert timed_by_snapshots(Reading("declared"), lambda f: torch.full((3,), math.sqrt((1 - 0.92 * f) ** 2 + 0.01))) is None


def test_a_number_without_a_margin_is_not_written(simulated: Make, tmp_path: Path) -> None:
    """Velocities in another unit: refused with an interval, which holds the truth, and not corrected."""
    data = simulated("navier-stokes.gauss", frames=4, t_end=0.3).replace(provenance={})
    found = checked(data.replace(values=3.6 * data.tensor()))
    if found.attrs["verdict"] == CONTRADICTS and not json.loads(found.attrs["fixes"]):
        with pytest.raises(osc.OrbitscopeError, match="with a margin"):
            correct(data, found, tmp_path / "a.nc")
    for fix in json.loads(found.attrs["fixes"]):
        assert abs(math.log(fix["factor"] * 3.6)) < fix["uncertainty"] <= 0.1


@pytest.mark.parametrize("boundary", ["wall", "open"])
def test_a_box_with_sides_is_read_on_its_interior(simulated: Make, boundary: Literal["wall", "open"]) -> None:
    """A part of a periodic flow, cut out: right as declared, and swapped components are found, for a flow and for a gas."""
    for name in FLOWS:
        data = simulated(name, points=24, frames=3, t_end=0.06)
        cut = data.replace(values=data.tensor()[..., :18, :18], grid=osc.Grid.square(18, extent=0.75, boundary=boundary), provenance={})
        assert checked(cut).attrs["verdict"] == "consistent", checked(cut).attrs["explanation"]
        found = checked(cut.swap_components().replace(provenance={}))
        assert (found.attrs["verdict"], found.attrs["convention_fits"]) == (CONTRADICTS, "components swapped")


def test_weak_laws_are_their_integrals() -> None:
    """Sums against test functions in plain loops; derivatives of the test functions by finite differences; a known flow."""
    grid = osc.Grid((20, 24), (1.5, 2.0), ("wall", "periodic"))
    for axis in range(2):
        for order in (1, 2):
            fine = osc.Grid((4000, 4000), grid.extent, grid.boundary)
            step = fine.spacing[axis]
            plain, slope = windowed(fine, axis, 0, 2), windowed(fine, axis, order, 2)
            rough = (
                (plain[:, 2:] - plain[:, :-2]) / (2 * step) if order == 1 else (plain[:, 2:] - 2 * plain[:, 1:-1] + plain[:, :-2]) / step**2
            )
            torch.testing.assert_close(rough, slope[:, 1:-1], rtol=1e-3, atol=1e-2)
    x, y = grid.coordinates()
    still = torch.stack([torch.sin(math.pi * y) * x**2, 2 * x * torch.cos(math.pi * y) / math.pi])[None]  # divergence-free
    assert float(weak_divergence(still[:, None], grid)) < 5e-3 < 0.3 < float(weak_divergence(still.flip(1)[:, None], grid))
    shear = torch.stack([torch.zeros_like(x), torch.sin(3 * x)])[None]  # steady: nothing changes and nothing is carried
    assert float(weak_transport(shear, shear, 0.1, grid)) == 0 or float(weak_transport(shear, shear, 0.1, grid)) > 0.9
    wind = torch.stack([torch.full_like(x, 0.3), torch.full_like(x, 0.2)])[None]
    away = [(x - 0.7 - 0.3 * t) ** 2 + 0.2 * torch.sin(math.pi * (y - 1 - 0.2 * t)) ** 2 for t in (0.0, 0.1)]
    bump = [1 + torch.exp(-20 * a)[None, None] for a in away]
    assert float(weak_continuity(bump[0], bump[1], bump[0] * wind, bump[1] * wind, 0.1, grid)) < 0.02
    assert float(weak_continuity(bump[0], bump[1], -bump[0] * wind, -bump[1] * wind, 0.1, grid)) > 1.5


def test_a_law_that_does_not_fit_is_an_error(simulated: Make) -> None:
    """Asked for: refused with both layouts and the way out. Named by the file alone: said."""
    flow, gas = simulated("navier-stokes.gauss"), simulated("euler.riemann")
    with pytest.raises(osc.OrbitscopeError, match=r"density:scalar, momentum:vector, energy:scalar, the file has velocity:vector"):
        checked(flow, law="euler")
    both = flow.replace(
        values=torch.cat([flow.tensor(), flow.tensor()[:, :, :1]], 2), layout=osc.Layout.of("velocity:vector", "temperature"), provenance={}
    )
    with pytest.raises(osc.OrbitscopeError, match=r"data.select\('velocity'\)"):
        checked(both, law="navier-stokes")
    with pytest.raises(osc.OrbitscopeError, match="periodic/periodic, the file's wall/wall"):
        checked(flow.replace(grid=osc.Grid.square(16, boundary="wall")), law="navier-stokes")
    told = checked(gas.replace(provenance={"equation": "navier-stokes"}))
    assert told.attrs["law"] == "unknown" and "the file names navier-stokes" in told.attrs["explanation"]
    assert checked(flow, law="navier-stokes:viscosity=2e-3").attrs["law"].startswith("navier-stokes (viscosity=0.002")
    assert parse_law("euler:gamma=1.6,limiter=van-leer").parameters["limiter"] == "van-leer"
    bad = (("navier-stokes:viscosity", "expected name"), ("navier-stokes:nu=1", "no parameter nu"), ("euler:gamma=x", "law|gamma"))
    for words, why in bad:
        with pytest.raises(osc.OrbitscopeError, match=why):
            parse_law(words)


def blobs(count: int, seed: int) -> Tensor:
    """A bump of random height away from the edges: no shift leaves that law as it is."""
    rng, (x, y) = np.random.default_rng(seed), osc.Grid.square(16).coordinates()
    centres = rng.uniform(0.35, 0.65, (count, 2))
    return torch.stack([torch.exp(-40 * ((x - a) ** 2 + (y - b) ** 2)) for a, b in centres])[:, None, None]


def test_words_on_the_distribution_are_closed_under_powers() -> None:
    """Whatever the seed, all shifts that generate the same subgroup get one word, and an element differs where a power of it does."""
    group, action = osc.translations(16), osc.GridAction(osc.Layout.of("c"), osc.Grid.square(16))
    for seed in range(3):
        found = distribution_of(blobs(24, seed), group, group.elements, action, alpha=0.01, permutations=None, seed=seed)
        differs = {g.name: bool(p < 0.01) for g, p in zip(group, found.p_value, strict=True)}
        assert all(differs[str(k)] for k in range(1, 16)) and not differs["0"] and not found.note
    data = osc.Trajectories(blobs(24, 0).expand(-1, 2, -1, -1, -1), osc.Layout.of("c"), osc.Grid.square(16), dt=0.1)
    words = osc.audit(data, "tx")["verdict"].values[1:]
    assert set(words.tolist()) == {"not a symmetry of this file's distribution; physics unchecked"}


def test_the_level_over_all_elements_is_kept() -> None:
    """Under invariance (independent normal cells) a single false "differs" over D4 is rarer than alpha."""
    group, action = osc.dihedral(4), osc.GridAction(osc.Layout.of("c"), osc.Grid.square(6))
    false = 0
    for seed in range(100):
        states = torch.randn(12, 1, 1, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        found = distribution_of(states, group, group.elements, action, alpha=0.1, permutations=99, seed=seed)
        false += bool((found.p_value < 0.1).any())
        assert found.p_value[group.index(group["r"])] == found.p_value[group.index(group["r3"])] <= found.p_value[group.index(group["r2"])]
    assert false <= 20  # 10 % and three standard deviations


def test_a_set_that_is_no_subgroup_is_said_to_be_suspicious() -> None:
    """A handed and directed field: two mirrors are each too weak to be found, their product is not."""
    from orbitscope.probe.data._distribution import _note

    group = osc.dihedral(2)
    product = np.array([g.name == "r" for g in group])
    mirrors = np.array([g.name in ("s", "sr") for g in group])
    assert "some of s" in _note(group, group.elements, product) and not _note(group, group.elements, mirrors)


def test_a_file_with_nan_passes_nothing(simulated: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where the audit's own sample does not meet it; mistyped words are found before anything is read."""
    data = simulated("navier-stokes.gauss", dtype=torch.float32)
    path = osc.save(data, tmp_path / "nan.nc")
    with h5py.File(path, "r+") as file:  # as a program without checksums might leave it
        variable = next(v for v in file.values() if getattr(v, "ndim", 0) == 5)
        variable[5, 1, 0, 2, 2] = float("nan")
        del file["orbitscope_checksums"]
    assert main(["audit", str(path), "--group", "c2"]) == 1
    said = capsys.readouterr().out
    assert "Trajectories 5 hold NaN" in said and "nan.nc: not finite" in said
    for words in (["--group", "d5x"], ["--law", "schroedinger"], ["--law", "euler"]):
        assert main(["audit", str(path), *words]) == 2
        assert "trajectories:" not in capsys.readouterr().out
