"""The connected components of a symmetry group: elements that no derivative sees, each with its evidence, closed into a finite group."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._errors import OrbitscopeError
from .._seed import derive
from ._atlas import Commutator
from ._evidence import HOLDS
from ._membership import distance_to_group
from ._problem import Array, Problem, Tell, silent

FLOOR = 1e-3  # in squares: what the search and the interpolation leave of an exact symmetry
NOISE = 3.0  # the errors at x and at g x are two, and moved inputs lie at the edge of the data
SAME = 0.15  # distance, by `distance_to_group`, below which two elements are of one component
_LIMIT = 64
_NEAR = 20.0
_FACTORS = 8  # of turns in a random element, so that all angles are likely


@dataclass(frozen=True, eq=False)
class Components:
    r"""The components that a symmetry group has beside the identity's, as far as held-out examples show them.

    * `matrices`: one element of each, [c, N, N]. `breaking` [c]: its $E\|f(g x) - g f(x)\|^2 /
      E\|f(x') - f(x)\|^2$.
    * `limit`: the largest breaking that counts as none. `random`: that of random elements, stretches among them, its upper quartile;
      `error`: the predictors' own squared error, in the same unit.
    * `tried`: how many candidates were improved. `accepted`: how many hold. `identity`: how many of these are of the identity's component.
    * `table`: products, [c + 1, c + 1], 0 for the identity's component; -1 where a product does not hold, so that the set is no group.
    """

    matrices: Array
    breaking: Array
    limit: float
    random: float
    error: float
    tried: int
    accepted: int
    identity: int
    table: NDArray[np.int64]

    @property
    def closed(self) -> bool:
        """Whether the components form a group."""
        return bool((self.table >= 0).all())

    def sentence(self) -> str:
        """The answer in words."""
        if self.limit < FLOOR:
            return (
                f"Undetermined: random elements change the answer by {self.random:.1e} of an unrelated one's difference (squared), too "
                "little to tell a symmetry by."
            )
        if not len(self.matrices):
            found = f"all {self.accepted} elements that hold are of the identity's component" if self.accepted else "no element holds"
            return f"No further component: {found} ({self.tried} candidates)."
        count = len(self.matrices) + 1
        form = f"{count} components that form a group" if self.closed else f"{count} components, whose products are not all among them"
        return f"{form}; the worst changes the answer by {self.breaking.max():.1e} (squared), where random elements give {self.random:.1e}."


def components(
    problem: Problem, algebra: Array, *, angle: float = 0.0, candidates: int = 24, steps: int = 60, tell: Tell = silent
) -> Components:  # fmt: skip
    r"""Which components the symmetry group has beside the identity's: candidates are improved, tested, told apart and multiplied.

    A candidate is $g = e^X c$ with $|\det g| = 1$, c random, X learnt on one half of the held-out examples so that
    $b(g) = E\|f(g x) - g f(x)\|^2 / E\|f(x') - f(x)\|^2$ falls. It holds if on the other half

    $$ b(g) \le \min(\tfrac{1}{20} b_{75\%},\ 3 e^2 + 10^{-3}) $$

    with $b_{75\%}$ the upper quartile of b over random elements (some of which may well hold) and $e^2$ the predictors' squared error:
    moving by g changes no more than what the predictor gets wrong anyway, and far less than random motions do. How many candidates hold
    plays no part. Elements count as one component where $h^{-1} g$ lies in the group of `algebra` (`distance_to_group`, below 0.15
    $+ \pi \sin$ `angle`, by which half a turn about a wrong axis may miss), and products of what was found are tested until no new one
    holds.

    * `problem`: hypothesis, examples and predictors. `algebra`: generators that hold, [k, N, N]; [0, N, N] for a finite symmetry group.
    * `angle`: how well the span of `algebra` is known, in degrees (`Discovery.angle`); not a number counts as 0.
    * `candidates`: random starts, beside one of each component of the hypothesis group. `steps`: of Adam, for each.
    * `tell`: hears of the progress.

    It fails for groups with infinitely many components (discrete scalings), and where predictors are wrong on moved inputs: then components
    are missed. Raises `OrbitscopeError` for generators of another size than those of the hypothesis.
    """
    algebra = np.asarray(algebra, dtype=np.float64)
    if algebra.ndim != 3 or algebra.shape[1:] != problem.group.algebra.shape[1:]:
        size = problem.group.algebra.shape[1]
        raise OrbitscopeError(
            f"components: `algebra` should be matrices [k, {size}, {size}], [0, {size}, {size}] for none, got {algebra.shape}."
        )
    if candidates < 1 or steps < 1:
        raise OrbitscopeError(f"components: `candidates` and `steps` should be at least 1, got {candidates} and {steps}.")
    search = _Search(problem, algebra, steps, SAME + math.pi * math.sin(math.radians(angle)) if angle == angle else SAME)
    starts = [*problem.group.components, *(random_element(problem, k) for k in range(candidates))]
    null = [search.breaking(stretched(problem, g, k)) for k, g in enumerate(starts)]
    error, random = search.commutator.error(), float(np.quantile(null, 0.75))
    limit = min(HOLDS * random, NOISE * error + FLOOR)
    found, accepted, identity = _Found(search, limit), 0, 0
    for k, start in enumerate(starts):
        tell(k, len(starts), "looking for components")
        held = found.add(search.improved(start, k))
        accepted, identity = accepted + (held >= 0), identity + (held == 0)
    table = found.close(tell)
    return Components(
        matrices=np.array([problem.group.matrix(g) for g in found.elements[1:]]).reshape(-1, *algebra.shape[1:]),
        breaking=np.array(found.breaking[1:]), limit=limit, random=random, error=error, tried=len(starts), accepted=accepted,
        identity=identity, table=table,
    )  # fmt: skip


class _Search:
    """Improves and judges elements, on two halves of the held-out examples."""

    def __init__(self, problem: Problem, algebra: Array, steps: int, near: float = SAME) -> None:
        self.problem, self.algebra, self.steps, self.near = problem, algebra, steps, near
        self.commutator = Commutator(problem)
        order = torch.randperm(len(problem.examples), generator=torch.Generator().manual_seed(derive(problem.seed, "coset halves")))
        self.learn, self.judge = order[: len(order) // 2], order[len(order) // 2 :][:256]
        n = problem.group.ndim
        trace = torch.tensor([float(np.trace(x[:n, :n])) for x in problem.basis()], dtype=torch.float64)
        self.trace = trace / trace.norm() if float(trace.norm()) > 1e-12 else trace

    def breaking(self, element: Any) -> float:
        """b of `element` on the half that nothing was learnt from."""
        at, nothing = self.commutator.at(element), torch.zeros(*self._lead(self.judge), self.problem.size, dtype=torch.float64)
        with torch.no_grad():
            return float(np.mean([float(at(p, self.judge, nothing)) for p in range(len(self.problem.predictors))]))

    def improved(self, start: Any, index: int, rate: float = 0.1) -> Any:
        """$e^X c$ with the X that lowers b, c being `start`, at a learning rate of `rate`."""
        at, group = self.commutator.at(start), self.problem.group
        weights = torch.zeros(self.problem.size, dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.Adam([weights], lr=rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, self.steps, 1e-3)
        generator = torch.Generator().manual_seed(derive(self.problem.seed, "coset rows", index))
        for step in range(self.steps):
            rows = self.learn[torch.randperm(len(self.learn), generator=generator)[:32]]
            kept = weights - self.trace * (self.trace @ weights)  # |det| stays as it is
            loss = at(step % len(self.problem.predictors), rows, kept.expand(*self._lead(rows), -1))
            optimiser.zero_grad()
            loss.backward(inputs=[weights])
            optimiser.step()
            schedule.step()
        kept = (weights - self.trace * (self.trace @ weights)).detach().numpy()
        return group.exp(np.tensordot(kept, self.problem.basis(), 1)) @ start

    def same(self, a: Any, b: Any) -> bool:
        """Whether two elements are of one component."""
        return distance_to_group(self.problem.group.matrix(a.inverse() @ b), self.algebra) < self.near

    def _lead(self, rows: Tensor) -> tuple[int, ...]:
        return (len(rows),) if self.problem.charts is None else (len(rows), self.problem.charts)


class _Found:
    """The components that hold, the identity's first, one element of each: the one that breaks least."""

    def __init__(self, search: _Search, limit: float) -> None:
        self.search, self.limit = search, limit
        self.elements: list[Any] = [search.problem.group.identity]
        self.breaking: list[float] = [0.0]

    def add(self, element: Any) -> int:
        """The number of the component of `element`, -1 where it does not hold."""
        breaking = self.search.breaking(element)
        if self.limit < breaking <= _NEAR * self.limit:  # the search may have stopped short
            element = self.search.improved(element, 0, rate=0.03)
            breaking = self.search.breaking(element)
        if not breaking <= self.limit:
            return -1
        for k, known in enumerate(self.elements):
            if self.search.same(known, element):
                if k and breaking < self.breaking[k]:
                    self.elements[k], self.breaking[k] = element, breaking
                return k
        self.elements.append(element)
        self.breaking.append(breaking)
        return len(self.elements) - 1

    def close(self, tell: Tell) -> NDArray[np.int64]:
        """The table of products, after adding those that hold and are new."""
        table: dict[tuple[int, int], int] = {}
        while True:
            open_pairs = [(i, j) for i in range(len(self.elements)) for j in range(len(self.elements)) if (i, j) not in table]
            if not open_pairs:
                break
            for i, j in open_pairs:
                tell(len(table), len(table) + len(open_pairs), "multiplying components")
                table[i, j] = self._product(i, j)
        size = len(self.elements)
        return np.array([[table[i, j] for j in range(size)] for i in range(size)], dtype=np.int64)

    def _product(self, i: int, j: int) -> int:
        product = self.elements[i] @ self.elements[j]
        for k, known in enumerate(self.elements):
            if self.search.same(known, product):
                return k
        if len(self.elements) >= _LIMIT:
            return -1
        return self.add(self.search.improved(product, 1000 + 100 * i + j))


def random_element(problem: Problem, index: int) -> Any:
    """A random element of the hypothesis group of `problem` with |det| = 1: far along turns, at no stretch where the group allows that."""
    group = problem.group
    rng = np.random.default_rng([problem.seed, 0xC05E, index])
    component = group.components[index % len(group.components)]
    basis, n = problem.basis(), group.ndim
    flat = basis.reshape(len(basis), -1)
    turned = basis[:, :n, :n].transpose(0, 2, 1)
    transposed = np.zeros_like(basis)
    transposed[:, :n, :n] = turned
    if group.homogeneous or np.abs(transposed.reshape(flat.shape) - transposed.reshape(flat.shape) @ flat.T @ flat).max() > 1e-9:
        x = np.tensordot(rng.standard_normal(len(basis)), basis, 1)
        x[:n, :n] -= np.trace(x[:n, :n]) / n * np.eye(n) if _has_dilation(basis, n) else 0.0
        return group.exp(x) @ component
    # A group that is closed under transposition holds the orthogonal factors of its elements (of the identity's component too).
    total = np.eye(n)
    for _ in range(_FACTORS):
        u, _, v = np.linalg.svd(group.exp(np.tensordot(2.0 * rng.standard_normal(len(basis)), basis, 1)).matrix)
        total = total @ u @ v
    return group.element(total) @ component


def stretched(problem: Problem, element: Any, index: int) -> Any:
    """`element` after a random motion of the hypothesis group of `problem`, of Frobenius norm 1 and without change of volume."""
    basis, n = problem.basis(), problem.group.ndim
    x = np.tensordot(np.random.default_rng([problem.seed, 0x57E7, index]).standard_normal(len(basis)), basis, 1)
    if _has_dilation(basis, n):
        x[:n, :n] -= np.trace(x[:n, :n]) / n * np.eye(n)
    return problem.group.exp(x / max(float(np.linalg.norm(x)), 1e-300)) @ element


def _has_dilation(basis: Array, n: int) -> bool:
    one = np.zeros(basis.shape[1:])
    one[:n, :n] = np.eye(n)
    coefficients = np.tensordot(basis, one, 2)
    return bool(np.linalg.norm(np.tensordot(coefficients, basis, 1) - one) < 1e-9)
