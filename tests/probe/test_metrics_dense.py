"""Every metric against dense matrices in numpy, on a tiny network."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import xarray as xr
from torch import Tensor

import orbitscope as osc
from orbitscope.probe import Adam, GaussNewtonFull, Kronecker
from orbitscope.probe._gradients import output_probes
from orbitscope.probe._subject import Subject
from orbitscope.probe.learning._kronecker import _Rows, hadamard
from orbitscope.probe.learning._krylov import solve

from ..cases import convolutions

Make = Callable[..., osc.Trajectories]
DAMPING = 1e-4


class Case:
    """A small convolutional network, its gradients and its Jacobian."""

    def __init__(self, make: Make, elements: tuple[str, ...] = ("e", "r", "s")) -> None:
        self.model = convolutions(hidden=3, last=1, seed=3)
        self.data = make("velocity:vector", trajectories=3, times=3, points=4)
        values = self.data.tensor()
        self.x, self.y = (torch.stack([values[i, t + d] for t in range(2) for i in range(3)]) for d in (0, 1))
        self.elements = elements
        action, group = osc.GridAction(self.data.layout, self.data.grid), osc.dihedral(4)
        self.moved = {g: action.pair(group[g], self.x, self.y) for g in elements}
        self.gradients = {
            g: self.rows([osc.smse(self.model(a[None]), b[None]) for a, b in zip(*p, strict=True)]) for g, p in self.moved.items()
        }
        self.jacobian = self.rows(list(self.model(self.x).flatten()))

    def rows(self, values: list[Tensor]) -> np.ndarray:
        parameters = list(self.model.parameters())
        grads = [torch.autograd.grad(v, parameters, retain_graph=True) for v in values]
        return np.stack([torch.cat([p.flatten() for p in g]).numpy() for g in grads])

    def curvature(self) -> np.ndarray:
        return self.jacobian.T @ self.jacobian / len(self.jacobian)

    def influence(self, **options: object) -> xr.Dataset:
        return osc.influence(self.model, self.data, "d4", elements=list(self.elements), trajectories=None, times=None, **options)  # type: ignore[arg-type]

    def agree(self, found: object, inverse: np.ndarray, tolerance: float = 1e-8) -> None:
        """Cross and self responses of every element are those of one dense inverse metric."""
        n, kets = len(self.x), self.gradients["e"]
        for g in self.elements:
            one, bras = found.sel(element=g), self.gradients[g]  # type: ignore[attr-defined]
            for values, expected in (
                (one["influence"].values.reshape(n, n), bras @ inverse @ kets.T),
                (one["bra_self"].values.ravel(), np.einsum("np,pq,nq->n", bras, inverse, bras)),
                (one["ket_self"].values.ravel(), np.einsum("np,pq,nq->n", kets, inverse, kets)),
            ):
                np.testing.assert_allclose(values, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())


@pytest.fixture(scope="module")
def case(random_data: Make) -> Case:
    return Case(random_data)


def test_the_full_gauss_newton_metric_is_the_dense_inverse(case: Case) -> None:
    inverse = np.linalg.inv(case.curvature() + DAMPING * np.eye(case.jacobian.shape[1]))
    found = case.influence(metric=GaussNewtonFull(DAMPING, tolerance=1e-11))
    case.agree(found, inverse)
    assert float(found["residual"].max()) <= 1e-11
    loose = case.influence(metric=GaussNewtonFull(DAMPING, tolerance=1e-11, depth=1))  # one block: the span of the right sides themselves
    assert float(loose["residual"].max()) > 1e-3


def test_block_solve_against_numpy_and_its_residual() -> None:
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(40, 12)) * np.logspace(0, -3, 12)
    matrix, right = torch.from_numpy(factor @ factor.T), torch.from_numpy(rng.normal(size=(3, 40)))
    right[2] = right[1] * 2.0  # dependent right sides
    found = solve(lambda v: v @ matrix, right, 1e-3, 1e-11, 40)
    expected = torch.linalg.solve(matrix + 1e-3 * torch.eye(40, dtype=torch.float64), right.T).T
    assert torch.allclose(found.solution, expected, rtol=1e-8) and float(found.residual.max()) <= 1e-11
    left = right - found.solution @ matrix - 1e-3 * found.solution
    assert torch.allclose(left.norm(dim=1) / right.norm(dim=1), found.residual, atol=1e-11)
    assert not solve(lambda v: v @ matrix, torch.zeros(2, 40, dtype=torch.float64), 1e-3, 1e-12, 5).solution.any()


def test_the_orbit_span_is_one_restriction_for_all_elements(case: Case) -> None:
    kets = case.gradients["e"]
    stack = np.concatenate([kets, *(case.gradients[g] for g in case.elements if g != "e")]).T
    left, singular, _ = np.linalg.svd(stack, full_matrices=False)
    basis = left[:, singular > 1e-7 * singular[0]]
    inside = np.linalg.inv(basis.T @ case.curvature() @ basis + DAMPING * np.eye(basis.shape[1]))
    found = case.influence(metric=osc.GaussNewton(DAMPING, span="orbit"))
    case.agree(found, basis @ inside @ basis.T)
    assert (found["kept_rank"] == basis.shape[1]).all()


def _kronecker(case: Case, rows: np.ndarray, draws: int) -> np.ndarray:
    """Blocks written out with np.kron, from these derivatives."""
    blocks, start = [], 0
    for p in case.model.parameters():
        grads = rows[:, start : start + p.numel()].reshape(len(rows), p.shape[0], -1)
        start += p.numel()
        u = np.linalg.eigh(np.einsum("kab,kcb->ac", grads, grads))[1]
        v = np.linalg.eigh(np.einsum("kab,kac->bc", grads, grads))[1]
        basis = np.kron(u, v)  # row-major flattening: vec(U^T G V) = kron(U, V)^T vec(G)
        d = ((grads.reshape(len(rows), -1) @ basis) ** 2).sum(0) / (draws * case.x.numel())
        blocks.append(basis @ np.diag(1 / (d + DAMPING)) @ basis.T)
    inverse = np.zeros((start, start))
    at = 0
    for b in blocks:
        inverse[at : at + len(b), at : at + len(b)] = b
        at += len(b)
    return inverse


def test_kronecker_is_its_definition(case: Case) -> None:
    """From the same sign vectors; and with as many as there are outputs, from the dense Jacobian, whatever the seed."""
    metric, subject = Kronecker(DAMPING, probes=3), Subject.of(case.model)
    rows = torch.cat(list(_Rows(metric, subject, case.x, 4, 3, 32))).numpy()
    assert rows.shape == (3 * len(case.x), case.jacobian.shape[1])
    case.agree(case.influence(metric=metric), _kronecker(case, rows, 3))
    outputs = case.x[0].numel()
    for probes in (outputs, 10**6):
        found = case.influence(metric=Kronecker(DAMPING, probes=probes, seed=probes))
        case.agree(found, _kronecker(case, case.jacobian * np.sqrt(outputs), outputs))
        assert float(found["coherence_error"].max()) == 0.0


def test_kronecker_probes_are_orthogonal_signs() -> None:
    """Columns of Sylvester's matrix, against its recursion."""
    matrix = np.ones((1, 1))
    while len(matrix) < 16:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    np.testing.assert_array_equal(np.stack([hadamard(16, k) for k in range(16)], 1), matrix)
    np.testing.assert_array_equal(np.stack([hadamard(11, k) for k in range(16)], 1), matrix[:11])


def test_kronecker_knows_its_error(random_data: Make) -> None:
    """The default is within 0.02 in the median, and the stated error is of the size of the true one."""
    model = convolutions(hidden=8, seed=3)
    data = random_data(points=8, trajectories=4, times=3)
    exact, *rest = (osc.influence(model, data, "c4", metric=Kronecker(DAMPING, **o)) for o in ({"probes": 128}, {"probes": 16}, {}))
    gaps = []
    for found in rest:
        gap, said = abs(found["coherence"] - exact["coherence"]).values[1:], found["coherence_error"].values[1:]
        assert 0.5 < np.sqrt((gap**2).mean() / (said**2).mean()) < 2 and np.mean(gap <= 3 * said) > 0.9
        gaps.append(float(np.median(gap)))
    assert gaps[1] < 0.02 and gaps[1] < gaps[0] / 1.5
    assert np.isnan(osc.influence(model, data, "c4", metric=Kronecker(DAMPING, probes=1))["coherence_error"]).all()


def test_random_signs_estimate_the_curvature(case: Case) -> None:
    """Unbiased: the mean over draws approaches J^T J at the rate of the draws."""
    subject, errors = Subject.of(case.model), []
    for draws in (8, 512):
        rows = output_probes(subject, case.x, draws, 1, 6).numpy()
        estimate = rows.T @ rows / (draws * case.x.numel())
        errors.append(np.linalg.norm(estimate - case.curvature()) / np.linalg.norm(case.curvature()))
    assert errors[1] < 0.2 and errors[1] < errors[0] / 4


def test_adam_divides_by_the_root_of_its_moments(case: Case) -> None:
    generator = torch.Generator().manual_seed(0)
    moments = {k: torch.rand(p.shape, generator=generator, dtype=torch.float64) for k, p in case.model.named_parameters()}
    flat = torch.cat([m.flatten() for m in moments.values()]).numpy()
    case.agree(case.influence(metric=Adam(moments, 1e-3)), np.diag(1 / (np.sqrt(flat) + 1e-3)))
    with pytest.raises(osc.OrbitscopeError, match="do not fit"):
        case.influence(metric=Adam({}, 1e-3))
    with pytest.raises(osc.OrbitscopeError, match="from_run"):
        case.influence(metric="adam")


def test_a_sketch_approaches_the_exact_metric_and_knows_its_error(case: Case) -> None:
    exact = case.influence(metric="gauss_newton", damping=DAMPING)["coherence"]
    gaps = []
    for draws in (16, 1024):
        found = case.influence(metric="gauss_newton", damping=DAMPING, sketch=draws)
        gap, said = abs(found["coherence"] - exact), found["coherence_error"]
        assert float(gap.sel(element="e").max()) < 1e-9 and float(said.sel(element="e").max()) == 0.0
        rest = ["r", "s"]
        z = (gap / said).sel(element=rest).values
        assert 0.2 < np.median(z) < 2.5, np.median(z)  # about 0.67 for a normal error
        gaps.append(float(gap.sel(element=rest).median()))
        assert found.attrs["sketch"] == draws
    assert gaps[1] < gaps[0] / 3 and gaps[1] < 0.01


def test_a_sketch_needs_a_metric_that_has_one(case: Case) -> None:
    for options in ({"metric": "euclidean", "sketch": 4}, {"metric": osc.GaussNewton(span="orbit"), "sketch": 4}, {"sketch": 0}):
        with pytest.raises(osc.OrbitscopeError, match="sketch"):
            case.influence(**options)


def test_sweep_over_dampings_is_the_metric_at_each(case: Case) -> None:
    found = case.influence(metric="gauss_newton", damping=DAMPING)
    assert np.allclose(found["damping"], DAMPING * 10.0 ** np.arange(-2, 3))
    for i in (0, 3):
        other = case.influence(metric="gauss_newton", damping=float(found["damping"][i]))
        for g in case.elements:
            one = other.sel(element=g)
            same = [float(one["coherence"].values[t, b, t, b]) for t in range(2) for b in range(3)]
            middle = float(np.median(same))
            assert float(found["response_by_damping"].sel(element=g)[i]) == pytest.approx(middle, abs=1e-10)


def test_restricted_approaches_full_as_the_span_fills(case: Case) -> None:
    """The restriction is exact where the gradients span all parameters; with fewer it is not, and says less."""
    full = case.influence(metric=GaussNewtonFull(DAMPING, tolerance=1e-11))["coherence"]
    near = case.influence(metric=osc.GaussNewton(DAMPING))["coherence"]
    assert float(abs(full - near).sel(element="r").max()) > 1e-3
    assert np.allclose(full.sel(element="e").values.reshape(6, 6).diagonal(), 1.0)


def test_memory_is_planned_and_changes_nothing(case: Case) -> None:
    plans = []
    whole = case.influence(metric="gauss_newton", planned=plans.append)
    least = plans[0].kept
    tight = case.influence(metric="gauss_newton", memory=least + 200_000, planned=plans.append)
    assert plans[1].peak <= least + 200_000 and plans[1].budget == least + 200_000 and "expected" in str(plans[1])
    np.testing.assert_allclose(tight["influence"], whole["influence"], rtol=1e-9, atol=1e-9 * np.abs(whole["influence"]).max())
    with pytest.raises(osc.OrbitscopeError, match="budget"):
        case.influence(metric="gauss_newton", memory=least)
    for wrong in ("4 apples", "", "."):
        with pytest.raises(osc.OrbitscopeError, match="memory"):
            case.influence(memory=wrong)
