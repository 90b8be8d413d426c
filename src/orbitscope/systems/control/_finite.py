"""Finite decision processes: exact values, and how far they can be from symmetric when rewards and steps nearly are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog

from ..._errors import OrbitscopeError

Array = NDArray[np.float64]
_TOLERANCE = 1e-12


@dataclass(frozen=True, eq=False)
class FiniteProcess:
    r"""States 0 .. S - 1, actions 0 .. A - 1: rewards R(s, a), steps P(s' | s, a), a discount.

    * `reward`: [S, A]. `step`: [S, A, S], rows that add up to 1. `discount`: $\gamma$, at least 0 and below 1.

    Raises `OrbitscopeError` for shapes that do not fit, for rows that are no probabilities, and for another discount.
    """

    reward: Array
    step: Array
    discount: float

    def __post_init__(self) -> None:
        reward, step = np.asarray(self.reward, dtype=np.float64), np.asarray(self.step, dtype=np.float64)
        object.__setattr__(self, "reward", reward)
        object.__setattr__(self, "step", step)
        if reward.ndim != 2 or step.shape != (*reward.shape, len(reward)):
            raise OrbitscopeError(f"FiniteProcess: `reward` [S, A] and `step` [S, A, S] should fit, got {reward.shape} and {step.shape}.")
        if not np.isfinite(reward).all() or (step < 0).any() or np.abs(step.sum(2) - 1).max() > 1e-9:
            raise OrbitscopeError("FiniteProcess: `reward` should be finite, and each row of `step` probabilities that add up to 1.")
        if not 0 <= self.discount < 1:
            raise OrbitscopeError(f"FiniteProcess: `discount` should be at least 0 and below 1, got {self.discount}.")

    def values(self) -> Array:
        r"""$Q^*$ [S, A] by policy iteration, each policy by a linear system: $Q^* = R + \gamma P \max_a Q^*$ to rounding."""
        states = np.arange(len(self.reward))
        policy = self.reward.argmax(1)
        for _ in range(10_000):
            p, r = self.step[states, policy], self.reward[states, policy]
            v = np.linalg.solve(np.eye(len(states)) - self.discount * p, r)
            q = self.reward + self.discount * self.step @ v
            better = q.max(1) > q[states, policy] + _TOLERANCE * (1 + np.abs(v).max())
            if not better.any():
                return q
            policy = np.where(better, q.argmax(1), policy)
        raise AssertionError("policy iteration ends after finitely many steps")


@dataclass(frozen=True)
class ValueBound:
    r"""How far $Q^*$ is from symmetric, and how far it can be.

    * `reward_epsilon`: $\epsilon_R$. `step_epsilon`: $\epsilon_P$. `regularity`: $\rho$ of $V^*$.
    * `asymmetry`: $\max |Q^*(s,a) - Q^*(gs,ga)|$.
    * `bound`: $(\epsilon_R + \gamma \rho\, \epsilon_P) / (1 - \gamma)$.
    """

    reward_epsilon: float
    step_epsilon: float
    regularity: float
    asymmetry: float
    bound: float


def value_bound(
    process: FiniteProcess, states: Sequence[Sequence[int]], actions: Sequence[Sequence[int]], distance: ArrayLike | None = None
) -> ValueBound:
    r"""The bound on the asymmetry of $Q^*$ under moves g, with the asymmetry itself.

    $$|Q^*(s, a) - Q^*(gs, ga)| \le \frac{\epsilon_R + \gamma\, \rho(V^*)\, \epsilon_P}{1 - \gamma}$$

    * `process`: the decision process.
    * `states`, `actions`: of each move of a group the images of states, [S], and of actions, [A].
    * `distance`: of states, [S, S], for $\epsilon_P$ in the Wasserstein-1 distance and $\rho$ the Lipschitz constant of $V^*$; None: total
      variation and the span $\max V^* - \min V^*$.

    $\epsilon_R$ and $\epsilon_P$ are the largest over all states, actions and moves. The moves should be a group: then $\delta$, the
    largest asymmetry, obeys $\delta \le \epsilon_R + \gamma (\delta + \rho \epsilon_P)$. Raises `OrbitscopeError` for images that are no
    permutations, and for a `distance` under which different states coincide.

    Source: Park et al., AISTATS 2025.
    """
    count, choices = process.reward.shape
    q = process.values()
    v = q.max(1)
    metric = None if distance is None else np.asarray(distance, dtype=np.float64)
    if metric is not None:
        apart = metric[~np.eye(count, dtype=bool)]
        if metric.shape != (count, count) or (apart <= 0).any():
            raise OrbitscopeError(f"value_bound: `distance` should be [{count}, {count}], above 0 between different states.")
        regularity = float((np.abs(v[:, None] - v)[~np.eye(count, dtype=bool)] / apart).max())
    else:
        regularity = float(np.ptp(v))
    rewards = steps = gap = 0.0
    for moved_states, moved_actions in zip(states, actions, strict=True):
        gs, ga = np.asarray(moved_states), np.asarray(moved_actions)
        if sorted(gs.tolist()) != list(range(count)) or sorted(ga.tolist()) != list(range(choices)):
            raise OrbitscopeError(f"value_bound: the images {gs.tolist()} and {ga.tolist()} should be permutations of states and actions.")
        there = np.ix_(gs, ga)
        rewards = max(rewards, float(np.abs(process.reward[there] - process.reward).max()))
        gap = max(gap, float(np.abs(q[there] - q).max()))
        back = process.step[there][:, :, gs]  # P(g s' | g s, g a), read at s'
        steps = max(steps, *(_apart(back[s, a], process.step[s, a], metric) for s in range(count) for a in range(choices)))
    bound = (rewards + process.discount * regularity * steps) / (1 - process.discount)
    return ValueBound(rewards, steps, regularity, gap, float(bound))


def _apart(p: Array, q: Array, metric: Array | None) -> float:
    """Total variation, or Wasserstein-1 by its dual: the largest mean difference of a function that no distance stretches."""
    if metric is None or np.abs(p - q).max() == 0.0:
        return float(0.5 * np.abs(p - q).sum())
    n = len(p)
    i, j = np.nonzero(~np.eye(n, dtype=bool))
    rows = np.zeros((len(i), n))
    rows[np.arange(len(i)), i], rows[np.arange(len(i)), j] = 1.0, -1.0
    found = linprog(q - p, A_ub=rows, b_ub=metric[i, j], bounds=[(None, None)] * (n - 1) + [(0, 0)], method="highs")
    return float(-found.fun)
