"""Every instrument on states of every kind: dense references, the floor of what commutes, the name of what breaks."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.probe import coherence_blocks, step_test
from orbitscope.probe._measure import default_loss
from orbitscope.probe._packing import Packing, packed_symmetry
from orbitscope.symmetry import called, parts, taken

from ..cases import KINDS, Kind

ALL = pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))


def flat(gradients: tuple[Tensor | None, ...], model: nn.Module) -> Tensor:
    """All entries in the order of the parameters; 0 where one plays no part."""
    pairs = zip(gradients, model.parameters(), strict=True)
    return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for g, p in pairs])


def jacobian(model: nn.Module, x: object) -> np.ndarray:
    """[N outputs, p], the answers of an example one after the other."""
    rows = []
    for n in range(len(parts(x)[0])):
        answer = torch.cat([p.flatten() for p in parts(called(model, taken(x, slice(n, n + 1))))])
        for one in answer:
            found = torch.autograd.grad(one, list(model.parameters()), retain_graph=True, allow_unused=True)
            rows.append(
                torch.cat(
                    [torch.zeros_like(p).flatten() if g is None else g.flatten() for g, p in zip(found, model.parameters(), strict=True)]
                )
            )
    return torch.stack(rows).numpy()


@ALL
@pytest.mark.parametrize("metric", ["euclidean", "gauss_newton"])
def test_influence_equals_dense_matrices(kind: Kind, metric: str) -> None:
    model, data, damping = kind.model(equivariant=False), kind.examples(units=3, slots=1), 1e-3
    names = [g.name for g in kind.symmetry.elements()][:3]
    found = osc.influence(
        model, data, kind.symmetry, metric=metric, damping=damping if metric == "gauss_newton" else None, elements=names,
        trajectories=None, times=None,
    )  # fmt: skip
    kets = gradients_of(kind, model, data.x, data.y, data.y)
    for k, g in enumerate(kind.symmetry.elements(names)):
        bras = gradients_of(kind, model, *kind.symmetry.pair(g, data.x, data.y), data.y)
        if metric == "euclidean":
            expected = bras @ kets.T
        else:
            j = jacobian(model, data.x)
            span = np.concatenate([kets, bras])
            u, s, vt = np.linalg.svd(span, full_matrices=False)
            q = vt[s**2 > s[0] ** 2 * 1e-14].T
            inner = q.T @ (j.T @ j / len(j)) @ q + damping * np.eye(q.shape[1])
            expected = bras @ q @ np.linalg.solve(inner, q.T @ kets.T)
        got = found["influence"][k].values.reshape(expected.shape)
        assert np.abs(got - expected).max() < 1e-8 * np.abs(expected).max()


def gradients_of(kind: Kind, model: nn.Module, x: object, y: object, scale_of: object) -> np.ndarray:
    """Per-example gradients of the default loss, its scales from `scale_of`."""
    packing = Packing.of(scale_of)
    output = packed_symmetry(kind.symmetry, osc.Examples(x, scale_of)).output
    loss, rows = default_loss(output, packing.pack(scale_of)), []
    for n in range(len(parts(x)[0])):
        answer = Packing.of(called(model, taken(x, slice(0, 1)))).pack(called(model, taken(x, slice(n, n + 1))))
        value = loss(answer, packing.pack(taken(y, slice(n, n + 1))))
        found = torch.autograd.grad(value, list(model.parameters()), allow_unused=True)
        rows.append(flat(found, model).numpy())
    return np.stack(rows)


@ALL
def test_commutator_equals_its_definition(kind: Kind) -> None:
    model, data = kind.model(equivariant=False), kind.examples()
    found = osc.equivariance(model, data, kind.symmetry, trajectories=None, times=None)
    order = np.lexsort((data.unit, data.slot))
    data = data.take(order)
    with torch.no_grad():
        plain = called(model, data.x)
        for k, g in enumerate(kind.symmetry.elements()):
            a, b = called(model, kind.symmetry.input(g, data.x)), kind.symmetry.output(g, plain)
            expected = kind.symmetry.output.relative(a, b, g)
            np.testing.assert_allclose(found["commutator"][k].values, expected.numpy(), rtol=1e-10, atol=1e-14)


@ALL
def test_what_commutes_reads_its_floor_and_coherence_one(kind: Kind) -> None:
    model, data = kind.model(equivariant=True), kind.examples()
    error = osc.equivariance(model, data, kind.symmetry, trajectories=None, times=None)
    assert float(error["commutator"].max()) < 1e-12
    assert error.attrs["baseline"] in ("constant", "linear", "persistence")
    shared = osc.influence(model, data, kind.symmetry, metric="gauss_newton", trajectories=None, times=None)
    assert abs(float(shared["response"].min()) - 1) < 1e-6
    words = osc.verdict(kind.symmetry.group, error, shared)
    assert set(words["output"].values.tolist()) == {"exact up to rounding"}


@ALL
def test_what_breaks_is_said_by_name(kind: Kind) -> None:
    model, data = kind.broken(), kind.examples(units=12)
    error = osc.equivariance(model, data, kind.symmetry, trajectories=None, times=None)
    words = osc.verdict(kind.symmetry.group, error)
    said = dict(zip(words["element"].values.tolist(), words["output"].values.tolist(), strict=True))
    assert said.pop("e") == "exact up to rounding"
    assert not {"exact up to rounding", "holds"} & set(said.values()), said
    assert "broken" in said.values()


@ALL
def test_steps_do_what_the_influence_says(kind: Kind) -> None:
    found = step_test(kind.model(equivariant=False), kind.examples(units=3, slots=1), kind.symmetry, metric="euclidean", elements=["e"])
    assert float(found["correlation"]) > 0.99
    blocks = coherence_blocks(
        kind.model(equivariant=True), kind.examples(units=3, slots=1), kind.symmetry, metric="euclidean",
        elements=[g.name for g in kind.symmetry.elements()][:2],
    )  # fmt: skip
    np.testing.assert_allclose(blocks["coherence"].values, 1, atol=1e-6)


def test_examples_without_a_symmetry_are_refused() -> None:
    with pytest.raises(osc.OrbitscopeError, match="Symmetry"):
        osc.equivariance(KINDS["policy"].model(equivariant=True), KINDS["policy"].examples(), "d4")


def test_a_unit_that_misses_a_slot_is_named() -> None:
    data = KINDS["policy"].examples().take(np.arange(5))
    with pytest.raises(osc.OrbitscopeError, match="complete"):
        osc.equivariance(KINDS["policy"].model(equivariant=True), data, KINDS["policy"].symmetry)
    assert len(data.complete()) == 4


@pytest.mark.parametrize(
    ("made", "match"),
    [
        (lambda: osc.Examples(torch.full((2, 1), torch.nan), torch.ones(2, 1)), "NaN"),
        (lambda: osc.Examples(torch.ones(2, 1), torch.ones(3, 1)), "one length"),
        (lambda: osc.Examples(torch.ones(2, 1), torch.ones(2, 1), unit=[0, 0]), "twice"),
        (lambda: osc.Examples(torch.ones(2, 1), torch.ones(2, 1), unit=[0.5, 1]), "whole numbers"),
    ],
)
def test_examples_say_what_is_wrong_with_them(made: object, match: str) -> None:
    with pytest.raises(osc.OrbitscopeError, match=match):
        made()  # pyright: ignore[reportCallIssue]


def test_a_model_that_fails_on_the_examples_is_explained() -> None:
    with pytest.raises(osc.OrbitscopeError, match="fails on the examples"):
        osc.equivariance(nn.Linear(7, 2).double(), KINDS["policy"].examples(), KINDS["policy"].symmetry)
