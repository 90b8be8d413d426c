"""The instruments beside error and influence on maps of every kind: audit, curves, spectrum, epochs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import orbitscope as osc
from orbitscope.probe import EpochProbe, audit, by_epoch, lie_derivative, orbit_curve, spectrum
from orbitscope.symmetry import FieldAction, Symmetry, Values, called, special_orthogonal
from orbitscope.training import FitConfig, fit

from ..cases import KINDS, Kind

ALL = pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))


@ALL
def test_the_truth_is_a_symmetry_and_a_broken_map_is_not(kind: Kind) -> None:
    names = [g.name for g in kind.symmetry.elements()][:3] if kind.name != "classes" else None
    data = kind.examples(units=16)
    found = audit(data, kind.symmetry, law=kind.truth, elements=names)
    assert float(found["residual"].max()) < 1e-12 and found.attrs["verdict"] == "consistent"
    assert not set(found["verdict"].values.tolist()) & {"not a symmetry", "undetermined"}
    broken = kind.broken(20.0 if kind.name == "classes" else 1.0)
    with torch.no_grad():
        y = called(broken, data.x)
    if kind.name == "classes":
        y = y.argmax(-1)
        other = lambda x: 8.0 * torch.eye(3, dtype=torch.float64)[broken(x).argmax(-1)]  # noqa: E731
    else:
        other = broken
    said = audit(osc.Examples(data.x, y, data.unit, data.slot), kind.symmetry, law=other, elements=names)["verdict"].values.tolist()
    assert said[0] != "not a symmetry" and "not a symmetry" in said[1:]


def cloud_of(centre: float, units: int = 32) -> tuple[osc.Examples, Symmetry]:
    act = FieldAction(osc.Layout.of("force:vector"), Values())
    x = torch.randn(units, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + torch.tensor([centre, 0.0])
    return osc.Examples(x, -x), Symmetry(osc.dihedral(4), act, act)


def test_a_distribution_with_a_direction_is_told_from_one_without() -> None:
    data, symmetry = cloud_of(3.0)
    found = audit(data, symmetry, law=lambda x: -x)
    said = dict(zip(found["element"].values.tolist(), found["verdict"].values.tolist(), strict=True))
    assert said["r2"] == "symmetry of the physics, not of this file's distribution"
    data, symmetry = cloud_of(0.0)
    found = audit(data, symmetry)
    assert float(found["p_value"].min()) > 0.01 and found.attrs["verdict"] == "undetermined"
    assert set(found["verdict"].values.tolist()[1:]) == {"not contradicted by the file; physics unchecked"}


def test_what_the_audit_of_examples_refuses() -> None:
    data, symmetry = cloud_of(0.0)
    refused: list[tuple[dict[str, Any], str]] = [
        ({"group": "d4"}, "Symmetry"),
        ({"group": symmetry, "law": "navier-stokes"}, "callable"),
        ({"group": symmetry, "law": nn.Linear(5, 2)}, "`law` should map"),
    ]
    for arguments, match in refused:
        with pytest.raises(osc.OrbitscopeError, match=match):
            audit(data, **arguments)


def turning(seed: int = 0) -> tuple[nn.Module, osc.Examples, Symmetry]:
    torch.manual_seed(seed)
    act = FieldAction(osc.Layout.of("force:vector"), Values())
    x = torch.randn(12, 2, dtype=torch.float64)
    return (
        nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 2)).double(),
        osc.Examples(x, -x),
        Symmetry(special_orthogonal(2), act, act),
    )


def test_a_curve_along_an_orbit_equals_its_definition_and_starts_as_the_lie_derivative() -> None:
    model, data, symmetry = turning()
    angles = [0.0, 1e-5, 0.7, np.pi]
    found = orbit_curve(model, data, symmetry, angles, trajectories=None)
    with torch.no_grad():
        for k, t in enumerate(angles):
            r = torch.tensor([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
            plain = model(data.x)
            expected = (model(data.x @ r.T) - plain @ r.T).norm(dim=1) / plain.norm(dim=1)
            np.testing.assert_allclose(found["commutator"][k], expected, rtol=1e-9, atol=1e-13)
    small = lie_derivative(model, data, symmetry, trajectories=None)["lie"][0]
    np.testing.assert_allclose(found["commutator"][1] / 1e-5, small, rtol=1e-3)
    so2 = special_orthogonal(2)
    by_function = orbit_curve(model, data, symmetry, angles, lambda t: so2.exp(t * so2.algebra[0]), trajectories=None)
    np.testing.assert_array_equal(by_function["commutator"], found["commutator"])


@pytest.mark.parametrize(("at", "along", "match"), [([np.nan], 0, "finite"), ([0.1], 3, "no number 3"), ([], 0, "finite")])
def test_what_a_curve_refuses(at: list[float], along: int, match: str) -> None:
    with pytest.raises(osc.OrbitscopeError, match=match):
        orbit_curve(*turning(), at, along)
    with pytest.raises(osc.OrbitscopeError, match="no algebra"):
        orbit_curve(KINDS["policy"].model(equivariant=True), KINDS["policy"].examples(), KINDS["policy"].symmetry, [0.1])


@ALL
def test_the_spectrum_of_any_map_equals_that_of_its_jacobian(kind: Kind) -> None:
    model, data = kind.model(equivariant=False), kind.examples(units=4, slots=1)
    if kind.name == "classes":
        with pytest.raises(osc.OrbitscopeError, match="of='losses'"):
            spectrum(model, data, trajectories=None)
        assert float(spectrum(model, data, of="losses", trajectories=None)["eigenvalue"][0]) > 0
        return
    found = spectrum(model, data, modes=4, vectors=1, trajectories=None)
    rows = []
    for n in range(4):
        answer = called(model, data.take([n]).x)
        for one in torch.cat([p.flatten() for p in (answer if isinstance(answer, tuple) else (answer,))]):
            gradients = torch.autograd.grad(one, list(model.parameters()), retain_graph=True, allow_unused=True)
            rows.append(torch.cat([g.flatten() for g in gradients if g is not None]))
    j = torch.stack(rows).numpy()
    expected = np.linalg.eigvalsh(j @ j.T / len(j))[::-1][:4]
    np.testing.assert_allclose(found["eigenvalue"], expected, rtol=1e-8, atol=1e-12 * expected[0])
    assert found["vector"].dims == ("vector_mode", "transition", "output")


def test_epochs_of_a_training_on_examples_while_it_runs_and_from_its_checkpoints(tmp_path: Path) -> None:
    model, data, symmetry = turning()
    probe = EpochProbe(data, symmetry, elements=["e"], metric="euclidean", trajectories=None)
    fit(model, data, FitConfig(epochs=2, precision="64", keep="all"), loss="mse", out=tmp_path / "run", progress=None, on_epoch=probe)
    live = probe.result()
    assert live["commutator"].shape == (1, 3, 1)
    kept = by_epoch(tmp_path / "run", data, symmetry, model=turning()[0], elements=["e"], metric="euclidean", trajectories=None)
    np.testing.assert_array_equal(kept["skill"], live["skill"])


def test_an_infinite_group_may_be_looked_at_with_any_seed() -> None:
    found = osc.equivariance(*turning(), seed=3)
    assert found["element_kind"].values.tolist() == ["Rigid"] * found.sizes["element"]
