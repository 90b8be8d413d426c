"""What the study measures: returns of planners on the true model, an obstacle straight ahead, agents that learn their model."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from harness import Tell
from torch import Tensor

from orbitscope import Symmetry
from orbitscope.systems.control import (
    ActionSet,
    Balls,
    BallsEnv,
    BoxActions,
    ModelBasedAgent,
    ModelBasedConfig,
    Planner,
    balls,
    decision_errors,
    environment,
    evaluate_agent,
    symmetry_of,
)

GROUPS = {2: ("none", "c2", "d4", "d8"), 3: ("none", "o", "oh")}  # c2: every sequence and its opposite, antithetic noise
AGENTS = {
    "plain": ("plain", False), "plain+sampling": ("plain", True), "augmented": ("augmented", False), "equivariant": ("equivariant", False),
    "equivariant+sampling": ("equivariant", True),
}  # fmt: skip
WIND = (1.0, 0.0)
_RADIUS, _PENALTY = 0.3, 2.0
Rows = dict[str, list[dict[str, Any]]]


def make(ball: Balls, method: str, group: str, count: int, horizon: int, seed: int, cost: Any = None, **kwargs: Any) -> Planner:
    """A planner on the true step."""
    symmetry = None if group == "none" else ball.symmetry(group)
    more = {"temperature": 0.1} if method == "mppi" else {"temperature": 0.2, "elites": max(4, count // 8), "iterations": 3}
    return Planner(
        ball.step, cost or ball.cost, ball.actions, method=method, horizon=horizon, samples=count, std=0.7, symmetry=symmetry, seed=seed,
        **{**more, **kwargs},
    )  # fmt: skip


def planning(settings: Any, label: dict[str, Any], tell: Tell) -> Rows:
    """Returns of the same episodes under every group, at equal numbers of roll-outs and of base samples, and decisions' errors."""
    ball = balls(label["world"], length=settings.length)
    starts = ball.start(torch.Generator().manual_seed(0), settings.episodes)
    rows = []
    for group in GROUPS[ball.ndim]:
        order = 1 if group == "none" else len(ball.symmetry(group).group)
        runs = [("equal roll-outs", k, max(order, k - k % order)) for k in settings.rollouts]
        runs += [("equal base samples", b, b * order) for b in settings.base]
        for budget, size, count in runs:
            planner = make(ball, label["method"], group, count, settings.horizon, 0, shared_noise=False)
            began = time.process_time()
            returns = episode(ball, planner, starts)
            seconds = (time.process_time() - began) / (settings.episodes * ball.length)
            shared = make(ball, label["method"], group, count, settings.horizon, 0)
            errors = decision_errors(shared, starts[:4], ball.symmetry("d4" if ball.ndim == 2 else "o"), calls=(0,)).error
            common = {"budget": budget, "size": size, "group": group, "rollouts": count}
            common |= {"decision_error": float(errors.max()), "seconds_per_decision": seconds}
            rows += [{**common, "episode": i, "return": float(r)} for i, r in enumerate(returns)]
    return {"planning": rows}


def episode(ball: Balls, planner: Planner, states: Tensor) -> np.ndarray:
    """Returns [B] of episodes that run side by side."""
    total = torch.zeros(len(states), dtype=torch.float64)
    for _ in range(ball.length):
        action = planner.command(states)
        states = ball.step(states, action)
        total += ball.reward(states, action)
    return total.numpy()


def obstacle(settings: Any, label: dict[str, Any], tell: Tell) -> Rows:
    """A ball, an obstacle of radius 0.3 at the origin, the target behind it; starts on the line through all three and beside it."""
    ball = balls("ball2d", length=settings.length)

    def cost(states: Tensor, actions: Tensor) -> Tensor:
        inside = (states[:, :2].square().sum(-1) < _RADIUS**2).to(states.dtype)
        return ball.cost(states, actions) + _PENALTY * inside

    rows, count = [], settings.rollouts[0] - settings.rollouts[0] % 16
    for group in ("none", "d4", "d8"):
        for offset in settings.offsets:
            states = torch.zeros(settings.episodes, 6, dtype=torch.float64)
            angle = (
                torch.rand(settings.episodes, generator=torch.Generator().manual_seed(1), dtype=torch.float64).mul(8).floor() * np.pi / 4
            )
            ahead = torch.stack([angle.cos(), angle.sin()], -1)
            beside = torch.stack([-ahead[:, 1], ahead[:, 0]], -1)
            states[:, :2], states[:, 4:] = -0.8 * ahead + offset * beside, 0.8 * ahead
            planner = make(ball, label["method"], group, count, settings.horizon, 0, cost, shared_noise=False)
            hit, total = torch.zeros(len(states), dtype=torch.bool), torch.zeros(len(states), dtype=torch.float64)
            for _ in range(ball.length):
                action = planner.command(states)
                states = ball.step(states, action)
                hit |= states[:, :2].square().sum(-1) < _RADIUS**2
                total += ball.reward(states, action)
            there = (states[:, :2] - states[:, 4:]).norm(dim=-1) < 0.1
            common = {"group": group, "offset": offset, "rollouts": count}
            rows.append(
                {**common, "hit": float(hit.double().mean()), "arrived": float(there.double().mean()), "return": float(total.mean())}
            )
    return {"obstacle": rows}


def _world(settings: Any, name: str) -> tuple[Callable[[], Any], Symmetry, ActionSet]:
    """What makes fresh environments, their symmetry, their actions: balls under D4 or the cube's turns, tasks under what is declared."""
    if name in settings.suite_tasks:
        made = partial(environment, name, repeat=settings.repeat)
        space: Any = made().action_space
        return made, symmetry_of(name).policy, BoxActions(space.low.tolist(), space.high.tolist())
    changed: dict[str, Any] = {"length": settings.length, **({"wind": WIND} if name.endswith("wind") else {})}
    kind, group = ("ball3d", "o") if name.startswith("ball3d") else ("ball2d", "d4")
    ball = balls(kind, **changed)
    return partial(BallsEnv, kind, **changed), ball.symmetry(group), ball.actions


def learning(settings: Any, label: dict[str, Any], tell: Tell) -> Rows:
    """One agent, one seed: returns on the way, decisions' errors at the end."""
    networks, sampling = AGENTS[label["agent"]]
    world, symmetry, actions = _world(settings, label["world"])
    suite = label["world"] in settings.suite_tasks
    steps, each = (settings.suite_steps, settings.suite_each) if suite else (settings.steps, settings.each)
    small = {"width": 8, "samples": 16, "elites": 4, "batch": 8, "first": 10, "horizon": 3} if settings.name == "tiny" else {}
    if label["world"].startswith("ball3d"):
        small |= {"samples": 24 if small else 72}  # a multiple of the group's order, for every agent
    config = ModelBasedConfig(**{"every": 2, "first": 300, "networks": networks, "sampling": sampling, "seed": label["seed"], **small})
    agent = ModelBasedAgent(symmetry, actions, config)
    tests = [world() for _ in range(settings.measured)]
    began = time.process_time()
    rows = agent.learn(world(), steps, evaluate=tests, each=each, progress=lambda done, _, words: tell(f"{label}: {done} steps, {words}"))
    seconds = time.process_time() - began
    last = evaluate_agent(agent, tests, seed=20_000)
    agent.reset()
    states = torch.as_tensor(np.stack([env.reset(seed=30_000 + i)[0] for i, env in enumerate(tests)]), dtype=torch.float32)
    errors = decision_errors(agent.planner, states, symmetry, calls=(0,))
    end = {
        "return": float(last.mean()), "worst": float(last.min()), "decision_error": float(errors.error.max()),
        "action": float(errors.scale), "parameters": sum(p.numel() for p in agent.model.parameters()), "seconds": seconds,
    }  # fmt: skip
    return {"learning": rows, "learnt": [end]}
