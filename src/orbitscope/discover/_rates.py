"""How fast a map leaves symmetry along every direction of an algebra: one vector for each example, and what it would be by chance."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._attention import plain_attention
from .._errors import OrbitscopeError
from .._seed import integers, permutation
from ..symmetry import Action, Classes, State, length, mapped, parts, taken
from ._problem import Array, Problem, Tell, silent

_BATCH = 512
Unit: TypeAlias = Callable[[State, State], Tensor]


@dataclass(frozen=True, eq=False)
class Rates:
    r"""Breaking rates $v_i = J_f(x)\, X_i x - X_i f(x)$ along the orthonormal directions $X_i$ of the algebra.

    * `own`: by predictor, [P, N, C, T, m]: N examples, C charts, T numbers of an answer in units of its field's root mean square.
    * `unrelated`: the same with the derivative taken at the input of another example, the moved answer of a third, and a random sign for
      every point of a set: the size of the two sides where they have nothing to do with each other. `again`: with the two exchanged and
      other signs. (A linear map has one derivative everywhere, so that another input alone would change nothing.)
    * `moved`: mean square over the numbers of x of the motion $X_i x$, as a form [m, m], and that of the answers' motion in the same unit:
      which directions move any data at all.
    """

    own: NDArray[np.float64]
    unrelated: NDArray[np.float64]
    again: NDArray[np.float64]
    moved: Array


def rates(problem: Problem, tell: Tell = silent) -> Rates:
    """The breaking rates of every predictor of `problem` on its examples; `tell` hears of the progress."""
    x = mapped(lambda t: t.double() if t.is_floating_point() else t, problem.examples.x)
    basis, count = problem.basis(), length(x)
    others = _strangers(count, problem.seed, 0), _strangers(count, problem.seed, 1)
    into = [_tangent(problem.hypothesis.input, problem, b, x) for b in basis]
    found: dict[str, list[Any]] = {"own": [], "unrelated": [], "again": []}
    moved = np.array([[_mean_product(a, b) for b in into] for a in into])
    total = 3 * len(problem.predictors) * len(basis)
    for number in range(len(problem.predictors)):
        answers = problem.answer(number, x)
        unit = answer_unit(problem, answers)
        back = [_tangent(problem.hypothesis.output, problem, b, answers) for b in basis]
        # What moves answers and not x is seen, and broken: x would have to stay where its answer goes.
        alike = _mean_product(x, x) / max(_mean_product(answers, answers), 1e-300) / len(problem.predictors)
        moved = moved + alike * np.array([[_mean_product(a, b) for b in back] for a in back])
        pairs = (("own", None, None), ("unrelated", *others), ("again", *others[::-1]))
        for k, (what, at, of) in enumerate(pairs):
            columns = []
            for i, (ahead, behind) in enumerate(zip(into, back, strict=True)):
                tell(i + len(basis) * (k + 3 * number), total, "derivatives")
                sides = (x, ahead, behind)
                if at is not None and of is not None:
                    sides = (taken(x, at), _scrambled(ahead, problem.seed, k), taken(behind, of))
                columns.append(_column(problem, number, *sides, unit))
            found[what].append(torch.stack(columns, -1).numpy())
    tell(total, total, "derivatives")
    return Rates(np.stack(found["own"]), np.stack(found["unrelated"]), np.stack(found["again"]), moved)


def _strangers(count: int, seed: int, index: int) -> Tensor:
    """For every example another one: the next along a random ring."""
    if count < 3:
        raise OrbitscopeError(f"data: {count} held-out examples are too few, at least 3 are needed. Give more examples.")
    order = permutation(count, seed, "discover strangers", index)
    out = torch.empty_like(order)
    out[order] = order.roll(1)
    return out


def _scrambled(motion: State, seed: int, index: int) -> State:
    """The motion with a random sign for every example and point: a translation moves all points of all examples alike."""

    def one(t: Tensor) -> Tensor:
        if t.ndim < 3:
            return t
        signs = 2 * integers(len(t) * t.shape[1], 2, seed, "discover signs", index).reshape(len(t), t.shape[1]) - 1
        return t * signs.reshape(*signs.shape, *[1] * (t.ndim - 2)).to(t.dtype)

    return mapped(one, motion)


def _tangent(action: Action[Any], problem: Problem, direction: Array, state: State) -> State:
    return action.tangent(lambda t: problem.group.exp(t * direction), state)


def _column(problem: Problem, number: int, at: State, ahead: State, behind: State, unit: Unit) -> Tensor:
    """One direction's rates [N, C, T], batch by batch."""
    rows = []
    for start in range(0, length(at), _BATCH):
        here = slice(start, start + _BATCH)
        answer, along = derivative(lambda s: problem.answer(number, s), taken(at, here), taken(ahead, here))
        rows.append(unit(mapped(torch.sub, along, taken(behind, here)), answer))
    return torch.cat(rows)


def derivative(f: Callable[[State], State], x: State, along: State) -> tuple[State, State]:
    r"""The answer of `f` at `x` and its derivative $J_f(x) t$ along `along` t, by forward-mode differentiation.

    Where the model has no forward-mode derivative: central differences with step $10^{-5}$ of the size of x, right to about 1e-9.
    """

    def called(*tensors: Tensor) -> State:
        return f(tensors if isinstance(x, tuple) else tensors[0])

    try:
        with plain_attention(), torch.no_grad():
            answer, moved, *_ = torch.func.jvp(called, parts(x), parts(along))
        return mapped(lambda t: t.detach(), answer), mapped(lambda t: t.detach(), moved)
    except (RuntimeError, NotImplementedError):
        return _difference(called, x, along)


def _difference(f: Callable[..., State], x: State, along: State) -> tuple[State, State]:
    size = max(float(p.double().square().mean().sqrt()) for p in parts(along)) or 1.0
    step = 1e-5 * max(1e-12, max(float(p.double().square().mean().sqrt()) for p in parts(x))) / size
    with torch.no_grad():
        ahead = f(*(p + step * t for p, t in zip(parts(x), parts(along), strict=True)))
        behind = f(*(p - step * t for p, t in zip(parts(x), parts(along), strict=True)))
        answer = f(*parts(x))
    return answer, mapped(lambda a, b: (a - b) / (2 * step), ahead, behind)


def answer_unit(problem: Problem, answers: State) -> Unit:
    """(gap, answer) to numbers [N, C, T] whose squares are the loss's own distance: Fisher's metric of classes, else field by field."""
    action, charts = problem.hypothesis.output, problem.charts or 1
    if is_classes(problem):
        return lambda gap, answer: _fisher(_flat(gap, charts), _flat(answer, charts))
    # `weights` follows the order of `features`; numbering the entries of one state tells that order.
    first = taken(answers, slice(0, 1))
    numbers, start = [], 0
    for p in parts(first):
        numbers.append(torch.arange(start, start + p.numel(), dtype=torch.float64).reshape(p.shape))
        start += p.numel()
    numbered = numbers[0] if isinstance(first, Tensor) else tuple(numbers)
    by_entry = torch.empty(start, dtype=torch.float64)
    by_entry[action.features(numbered)[0].long()] = action.weights(answers).double()
    weights = mapped(lambda n: by_entry[n.long()], numbered)
    return lambda gap, answer: _flat(mapped(torch.mul, gap, weights), charts)


def is_classes(problem: Problem) -> bool:
    """Whether the answers are logits of classes."""
    truth = problem.examples.y
    return isinstance(problem.hypothesis.output, Classes) or (isinstance(truth, Tensor) and not truth.is_floating_point())


def _fisher(gap: Tensor, logits: Tensor) -> Tensor:
    r"""Rates of logits -> $\sqrt{p_c} (v_c - \sum_k p_k v_k)$, whose squares add up to Fisher's metric; a single logit is of class 1."""
    if gap.shape[-1] == 1:
        p = torch.sigmoid(logits)
        return gap * (p * (1 - p)).sqrt()
    p = torch.softmax(logits, -1)
    return p.sqrt() * (gap - (p * gap).sum(-1, keepdim=True))


def _flat(state: State, charts: int) -> Tensor:
    return torch.cat([p.reshape(len(p), charts, -1) for p in parts(state)], 2)


def _mean_product(a: State, b: State) -> float:
    return sum(float((p.double() * q.double()).mean()) for p, q in zip(parts(a), parts(b), strict=True))
