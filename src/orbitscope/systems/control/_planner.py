"""Sampling planners: MPPI, the cross-entropy method and their mixture, with decisions that turn with the world where a group is given."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..._errors import OrbitscopeError
from ..._expect import expect_number, shown
from ...symmetry import Group, Symmetry
from ._noise import Shape, orbit, white_noise
from ._planner_actions import ActionSet, action_set
from ._planner_symmetry import Turning, require_invariant, turning
from ._planner_weights import weights_of

Dynamics = Callable[[Tensor, Tensor], Tensor]

#: Method -> what it takes where the caller says nothing; the mixture is that of TD-MPC: elites, and a softmax among them.
METHODS: dict[str, dict[str, Any]] = {
    "mppi": {"elites": None, "temperature": 1.0, "iterations": 1, "refit": "none"},
    "cem": {"elites": 64, "temperature": float("inf"), "iterations": 4, "refit": "step"},
    "mixture": {"elites": 64, "temperature": 1.0, "iterations": 4, "refit": "step"},
}
_REFITS = ("none", "diagonal", "step", "full")


@dataclass(frozen=True)
class Plan:
    """What a planner decided for B states; without the first axis where one state was given.

    * `action`: the first action, [B, m]. `sequence`: the actions over the horizon, [B, H, m]. `costs`, `weights`: of the sequences of the
      last iteration, [B, K].
    """

    action: Tensor
    sequence: Tensor
    costs: Tensor
    weights: Tensor


class Planner:
    r"""A sampling planner: it tries K sequences of actions on a model and returns the first action of their weighted mean.

    $$a_{k} = P(\bar a + S^{1/2} \varepsilon_k), \quad
      J_k = \sum_{t<H} \gamma^t c(s_{t+1}, a_t) + \gamma^H V(s_H), \quad
      \bar a \leftarrow \sum_k w_k a_k, \quad w_k \propto e_k\, e^{-(J_k - \min J) / \lambda}$$

    * `dynamics`: (states [N, n], actions [N, m]) -> next states [N, n]. `running_cost`: (next states, actions) -> costs c, [N].
    * `actions`: `BoxActions`, `DiscActions` or a Box of gymnasium; P projects onto it.
    * `method`: "mppi" (softmax over all), "cem" (mean of elites, covariance fitted again) or "mixture" (softmax among elites, fitted
      again, as in TD-MPC): defaults of the next four.
    * `elites`: $e_k$ = 1 for so many lowest costs; 0: all. `temperature`: $\lambda$, in the unit of costs. `iterations`: how often mean and
      covariance are improved for one decision. `refit`: covariance between iterations: "none" (it stays), "diagonal", "step" (full for
      each time) or "full" (over all times).
    * `horizon`: H. `samples`: K, with all copies under the group.
    * `std`: of the first noise, one number or [m], in the unit of actions. `covariance`: S, [m, m] or [H m, H m], in its place.
    * `least_std`: below which a fitted deviation does not fall. `momentum`: how much of the mean stays at an iteration, 0 to 1.
    * `terminal_value`: states [N, n] -> what lies beyond the horizon, V, as a cost, [N]; None: nothing. `discount`: $\gamma$.
    * `control_cost`: weight of $\sum_t \bar a_t^T S^{-1} (a_t - \bar a_t)$ in $J_k$; MPPI's importance weights have $\lambda$.
    * `proposals`: states [B, n] -> sequences [B, P, H, m] that are tried beside the K, a policy's for example; or None.
    * `group`, `action`: a finite group, or words, and the representation by which it moves actions. `symmetry`: of states and actions, in
      their place; needed where `proposals` are given.
    * `shared_noise`: whether all states of a batch see the same noise, so that a decision does not depend on what stands beside it.
    * `differentiates`: whether the model takes derivatives inside, a Hamiltonian's for example; planning is slower then.
    * `seed`: of all noise. `dtype`: of states, actions and costs. `checks`: whether conditions on the group are looked at.

    With a group each white $\varepsilon$ is drawn once and tried in all its copies $\rho(g)\varepsilon$. Then every *decision* commutes:
    $\pi(g s; g \bar a) = g\, \pi(s; \bar a)$ for all g, for the weighted mean and for elites, to rounding (about 1e-15 of the action,
    times costs over temperature), if the model, the costs and `proposals` do (proposals are asked at every $g^{-1} s$, so that they need
    not) and (1) the warm start $\bar a$ is moved with the state, which it is in a moved world; (2) copies are made of white noise, before
    $S^{1/2}$, which is symmetric; (3) the group leaves `actions` alone; (4) S moves as $g S g^T$, so that a fitted one is full unless the
    group only exchanges and negates components. (3) and (4) are checked here.

    Where it fails: at a state that an element leaves alone (a target straight behind an obstacle) the decision is left alone by it too, so
    that the mean of going left and going right goes straight. No planner whose decisions commute can do otherwise. Fewer base sequences are
    drawn: what that costs or gains with a true model is in the study of planners.

    `command(state)` decides and keeps the rest of the sequence as the next warm start; `plan` decides and keeps nothing; `reset()` forgets.
    Raises `OrbitscopeError` for shapes that do not fit, costs that are NaN, and a group that breaks a condition.

    Sources: MPPI, Williams et al., arXiv 1707.02342; the mixture, Hansen, Wang and Su, arXiv 2203.04955; copies under a group, Zhao et al.,
    arXiv 2412.12237, which proves the case of the single best sequence.
    """

    def __init__(
        self,
        dynamics: Dynamics,
        running_cost: Dynamics,
        actions: ActionSet | Any,
        *,
        method: str = "mppi",
        horizon: int = 16,
        samples: int = 512,
        std: float | ArrayLike = 1.0,
        covariance: ArrayLike | None = None,
        temperature: float | None = None,
        elites: int | None = None,
        iterations: int | None = None,
        refit: str | None = None,
        least_std: float = 0.05,
        momentum: float = 0.0,
        terminal_value: Callable[[Tensor], Tensor] | None = None,
        discount: float = 1.0,
        control_cost: float = 0.0,
        proposals: Callable[[Tensor], Tensor] | None = None,
        group: Group | str | None = None,
        action: Any = None,
        symmetry: Symmetry | None = None,
        shared_noise: bool = True,
        differentiates: bool = False,
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
        checks: bool = True,
    ) -> None:
        if method not in METHODS:
            raise OrbitscopeError(f"Planner: `method` should be one of {', '.join(METHODS)}, got {shown(method)}.")
        usual = METHODS[method]
        self.dynamics, self.running_cost, self.terminal_value = dynamics, running_cost, terminal_value
        self.actions = action_set(actions)
        self.method, self.horizon, self.samples = method, horizon, samples
        self.elites = (usual["elites"] if elites is None else elites) or None
        self.temperature = usual["temperature"] if temperature is None else temperature
        self.iterations = usual["iterations"] if iterations is None else iterations
        self.refit = usual["refit"] if refit is None else refit
        self.least_std, self.momentum, self.discount, self.control_cost = least_std, momentum, discount, control_cost
        self.proposals, self.shared_noise, self.differentiates, self.seed, self.dtype = proposals, shared_noise, differentiates, seed, dtype
        self._check()
        self.shape = Shape.start(std, covariance, horizon, self.actions.size, dtype)
        self.turning: Turning | None = turning(group, action, symmetry, self.actions.size)
        self._matrices: Tensor | None = None
        self._back: tuple[Tensor, Tensor] | None = None  # how states move back, made when it is needed
        if self.turning is not None:
            self._matrices = self.turning.matrices.to(dtype)
            if checks:
                require_invariant(self.turning, self.actions, self.shape, self.refit, horizon, samples)
            if proposals is not None and self.turning.states is None:
                raise OrbitscopeError("Planner: `proposals` under a group need a `symmetry`, which says how states move.")
        self.mean: Tensor | None = None
        self.calls = 0

    def _check(self) -> None:
        for name, least in (("horizon", 1), ("samples", 1), ("iterations", 1)):
            expect_number(getattr(self, name), f"Planner: `{name}`", whole=True)
            if getattr(self, name) < least:
                raise OrbitscopeError(f"Planner: `{name}` should be at least {least}, got {getattr(self, name)}.")
        for name in ("dynamics", "running_cost"):
            if not callable(getattr(self, name)):
                raise OrbitscopeError(f"Planner: `{name}` should be a function of states and actions, got {shown(getattr(self, name))}.")
        if self.refit not in _REFITS:
            raise OrbitscopeError(f"Planner: `refit` should be one of {', '.join(_REFITS)}, got {shown(self.refit)}.")
        if self.elites is not None and not 1 <= self.elites <= self.samples:
            raise OrbitscopeError(f"Planner: `elites` should be 1 to {self.samples} samples (0: all), got {self.elites}.")
        if not self.temperature > 0 or not 0 <= self.momentum < 1 or not self.least_std >= 0 or not self.discount > 0:
            raise OrbitscopeError(
                f"Planner: `temperature` and `discount` positive, `momentum` from 0 to below 1, `least_std` at least 0; got "
                f"{self.temperature}, {self.discount}, {self.momentum}, {self.least_std}."
            )

    def reset(self) -> None:
        """Forget the warm start and begin the noise anew."""
        self.mean, self.calls = None, 0

    def command(self, state: Any) -> Tensor:
        """The action for `state` [n] or [B, n], [m] or [B, m]; the rest of the sequence is the next warm start.

        A first call, or one with another number of states, begins with zeros.
        """
        state = torch.as_tensor(state, dtype=self.dtype)
        rows = len(state) if state.ndim == 2 else 1
        if self.mean is not None and len(self.mean) != rows:
            raise OrbitscopeError(f"Planner: command had {len(self.mean)} states and now has {rows}. Call reset() between them.")
        found = self.plan(state, self.mean, self.calls)
        sequence = found.sequence if found.sequence.ndim == 3 else found.sequence[None]
        self.mean = torch.cat([sequence[:, 1:], torch.zeros_like(sequence[:, :1])], 1)
        self.calls += 1
        return found.action

    def plan(self, state: Any, mean: Tensor | None = None, call: int = 0) -> Plan:
        """Decide without keeping anything.

        * `state`: [n] or [B, n]. `mean`: the warm start, [B, H, m] or, for one state, [H, m]; None: zeros. `call`: number of the noise.
        """
        # Without any record for derivatives, which takes a tenth of the time of small models.
        with torch.no_grad() if self.differentiates else torch.inference_mode():
            try:
                found, single = self._planned(state, mean, call)
            except RuntimeError as error:
                if "nference tensor" not in str(error) and "does not require grad" not in str(error):
                    raise
                raise OrbitscopeError(f"Planner: the model takes derivatives inside ({error}). Give differentiates=True.") from error
        return Plan(*(v[0].clone() if single else v.clone() for v in found))

    def _planned(self, state: Any, mean: Tensor | None, call: int) -> tuple[tuple[Tensor, ...], bool]:
        rows, single = self._states(state)
        center, shape = self._warm(mean, len(rows)), self.shape
        extra = self._proposed(rows)
        for iteration in range(self.iterations):
            sequences = self._samples(center, shape, call, iteration)
            if extra is not None:
                sequences = torch.cat([sequences, extra], 2)
            costs = self._costs(rows, sequences, center)
            weights = weights_of(costs, elites=self.elites, temperature=self.temperature).to(self.dtype)
            best = (weights[None, :, None, :] @ sequences)[:, :, 0]
            if self.refit != "none" and iteration + 1 < self.iterations:
                shape = Shape.fitted(self.refit, sequences - best[:, :, None], weights, self.least_std)
            center = best if self.momentum == 0 else torch.lerp(best, center, self.momentum)
        sequence = center.transpose(0, 1)
        return (sequence[:, 0], sequence, costs, weights), single  # pyright: ignore[reportPossiblyUnboundVariable]  # iterations >= 1

    def _states(self, state: Any) -> tuple[Tensor, bool]:
        rows = torch.as_tensor(state, dtype=self.dtype)
        if rows.ndim not in (1, 2) or rows.numel() == 0:
            raise OrbitscopeError(f"Planner: `state` should be [n] or [B, n], got {list(rows.shape)}.")
        if not _finite(rows):
            raise OrbitscopeError("Planner: `state` should be finite, got numbers that are not.")
        return (rows[None], True) if rows.ndim == 1 else (rows, False)

    def _warm(self, mean: Tensor | None, rows: int) -> Tensor:
        """The warm start as [H, B, m]."""
        shape = (rows, self.horizon, self.actions.size)
        if mean is None:
            return torch.zeros(self.horizon, rows, self.actions.size, dtype=self.dtype)
        mean = torch.as_tensor(mean, dtype=self.dtype)
        mean = mean[None] if mean.ndim == 2 and rows == 1 else mean
        if mean.shape != shape:
            raise OrbitscopeError(f"Planner: `mean` should be {list(shape)}, got {list(mean.shape)}.")
        return mean.transpose(0, 1)

    def _noise(self, rows: int, call: int, iteration: int) -> Tensor:
        """White noise in all copies, [H, B or 1, K, m]."""
        order = 1 if self.turning is None else len(self.turning)
        drawn = white_noise(
            max(1, self.samples // order), self.horizon, self.actions.size, 1 if self.shared_noise else rows, seed=self.seed, call=call,
            iteration=iteration,
        ).to(self.dtype)  # fmt: skip
        return drawn if self._matrices is None else orbit(drawn, self._matrices)

    def _samples(self, center: Tensor, shape: Shape, call: int, iteration: int) -> Tensor:
        """Sequences to try, [H, B, K, m]."""
        away = shape(self._noise(center.shape[1], call, iteration))
        middle = center[:, :, None]
        return self.actions.project(away.add_(middle) if away.shape[1] == len(center[0]) else away + middle)

    def _proposed(self, states: Tensor) -> Tensor | None:
        """Proposals as [H, B, P, m]; under a group those at all moved states, moved back."""
        if self.proposals is None:
            return None
        if self.turning is None or self._matrices is None or self.turning.states is None:
            made = _proposals(self.proposals, states, self.horizon, self.actions.size)
            return self.actions.project(made.permute(2, 0, 1, 3))
        if self._back is None or self._back[0].shape[-1] != states.shape[1]:
            self._back = self.turning.back(states.shape[1], self.dtype)
        back = (torch.einsum("gij,bj->gbi", self._back[0], states) + self._back[1]).flatten(0, 1)
        made = _proposals(self.proposals, back, self.horizon, self.actions.size).unflatten(0, (len(self.turning), len(states)))
        moved = torch.einsum("gij,gbphj->hbgpi", self._matrices, made)
        return self.actions.project(moved.flatten(2, 3))

    def _costs(self, states: Tensor, sequences: Tensor, center: Tensor) -> Tensor:
        """J, [B, K]; raises where one is NaN."""
        horizon, rows, count, size = sequences.shape
        now = states.repeat_interleave(count, 0)
        steps = sequences.reshape(horizon, rows * count, size)
        total, factor = torch.zeros(len(now), dtype=self.dtype), 1.0
        for t, action in enumerate(steps.unbind()):
            # Shapes at the first step alone: asked at each of them they cost one part in fifty of a small model.
            now = self.dynamics(now, action) if t else self._next(now, action)
            cost = self.running_cost(now, action)
            total.add_(cost if t else _column(cost, len(total), "running_cost"), alpha=factor)
            factor *= self.discount
        if self.terminal_value is not None:
            total = total + factor * _column(self.terminal_value(now), len(now), "terminal_value")
        costs = total.reshape(rows, count)
        if self.control_cost:
            pull = self.shape.precision(center)
            costs = costs + self.control_cost * (torch.einsum("hbkm,hbm->bk", sequences, pull) - (center * pull).sum((0, 2))[:, None])
        if not _finite(costs.amin(1)):  # NaN goes through the minimum
            self._blame(states, steps, count, costs)
        return costs

    def _next(self, states: Tensor, actions: Tensor) -> Tensor:
        found = self.dynamics(states, actions)
        if not isinstance(found, Tensor) or found.shape != states.shape:
            raise OrbitscopeError(f"Planner: `dynamics` should return next states {list(states.shape)}, got {shown(found)}.")
        return found

    def _blame(self, states: Tensor, steps: Tensor, count: int, costs: Tensor) -> None:
        """Raise, saying where costs became NaN."""
        bad = ~(costs > -torch.inf)
        if not bad.any():
            raise OrbitscopeError("Planner: all sequences of a state have infinite cost: no action is allowed there. Soften the cost.")
        now = states.repeat_interleave(count, 0)
        for t, action in enumerate(steps):
            now = self._next(now, action)
            for name, values in (("dynamics", now), ("running_cost", self.running_cost(now, action)[:, None])):
                wrong = ~(values > -torch.inf).all(1)
                if wrong.any():
                    raise OrbitscopeError(
                        f"Planner: `{name}` gave NaN for {int(wrong.sum())} of {len(now)} sequences at step {t} of {len(steps)}. Costs "
                        "must be numbers; infinite ones forbid a sequence."
                    )
        raise OrbitscopeError(f"Planner: `terminal_value` gave NaN for {int(bad.sum())} of {bad.numel()} sequences.")


def _finite(values: Tensor) -> bool:
    """Whether all are: a sum says so with one operation, unless it overflows."""
    return isfinite(values.sum().item()) or bool(values.isfinite().all())


def _column(values: Any, length: int, name: str) -> Tensor:
    if not isinstance(values, Tensor) or values.shape != (length,):
        raise OrbitscopeError(f"Planner: `{name}` should return costs [{length}], one for each state; got {shown(values)}.")
    return values


def _proposals(propose: Callable[[Tensor], Tensor], states: Tensor, horizon: int, size: int) -> Tensor:
    made = propose(states)
    if not isinstance(made, Tensor) or made.ndim != 4 or (len(made), *made.shape[2:]) != (len(states), horizon, size):
        raise OrbitscopeError(f"Planner: `proposals` should return [{len(states)}, P, {horizon}, {size}], got {shown(made)}.")
    return made.to(states.dtype)
