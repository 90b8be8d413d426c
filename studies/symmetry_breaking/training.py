"""Networks of all seeds trained at once: their weights are stacked in one tensor dimension."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from orbitscope.systems.points import PointMSE
from orbitscope.training import BlockAdamW, derive

#: Part of all steps over which the lasso grows from 0: weights that are needed have left 0 by then.
RAMP = 0.15


@dataclass(frozen=True)
class Plan:
    """How a kind of network is trained.

    `steps`: full-batch steps of AdamW, rate `rate` after 20 steps of warm-up, then along half a cosine to 0. `held`: part of them in which
    relaxed weights stay at 0. `shared`: whether each vector of relaxed weights has one second moment. `ridge`: weight of the sum of
    squares of the free path of a residual network, annealed to 0. `lasso`: weight of the sum over irreps of the lengths of the relaxed
    weights, in steps from `held` to `refit`; after that the irreps that it has set to 0 stay so, and the others are free. `epsilon`: of
    AdamW.
    """

    steps: int
    rate: float = 1e-2
    held: float = 0.4
    shared: bool = True
    ridge: float = 0.0
    lasso: float = 0.0
    refit: float = 0.75
    epsilon: float = 1e-8


class Batch:
    """The same network with the weights of several seeds."""

    def __init__(self, make: Callable[[], nn.Module], seeds: list[int]) -> None:
        nets = []
        for seed in seeds:
            torch.manual_seed(derive(seed, "init"))
            nets.append(make().double())
        self.net, self.seeds = nets[0], seeds
        names = [name for name, _ in self.net.named_parameters()]
        self.weights = {n: nn.Parameter(torch.stack([dict(m.named_parameters())[n].detach() for m in nets])) for n in names}

    def __call__(self, x: tuple[Tensor, ...]) -> Tensor:
        """Answers [seed, N, P, out] for one batch of states."""
        return torch.func.vmap(lambda weights: torch.func.functional_call(self.net, weights, x))(self.weights)

    def of(self, number: int) -> nn.Module:
        """The network of one seed, by its place."""
        with torch.no_grad():
            for name, p in self.net.named_parameters():
                p.copy_(self.weights[name][number])
        return self.net


def train(batch: Batch, x: tuple[Tensor, ...], y: Tensor, loss: PointMSE, plan: Plan) -> dict[str, float]:
    """Train all seeds; returns the seconds of processor of a step with and without relaxed weights moving."""
    names = list(batch.weights)
    relaxed = [k for k, n in enumerate(names) if n.endswith("relaxed.theta")]
    free = [n for n in names if n.startswith("free.")]
    shared = {k: 2 for k in relaxed} if plan.shared else {}
    optimiser = BlockAdamW(batch.weights.values(), shared, lr=plan.rate, betas=(0.9, 0.99), eps=plan.epsilon, weight_decay=0.0)
    held = int(plan.held * plan.steps) if relaxed else 0
    started, middle = time.process_time(), 0.0
    for step in range(plan.steps):
        if step == held:
            middle = time.process_time()
        warm = min(1.0, (step + 1) / 20)
        optimiser.param_groups[0]["lr"] = plan.rate * warm * 0.5 * (1 + math.cos(math.pi * step / plan.steps))
        optimiser.zero_grad()
        found = torch.stack([loss.each(answers, y).mean() for answers in batch(x)]).sum()
        if plan.ridge and free:
            decay = 1 - step / plan.steps
            found = found + plan.ridge * decay * torch.stack([batch.weights[n].square().sum() for n in free]).sum()
        found.backward()
        if step < held:
            for k in relaxed:
                batch.weights[names[k]].grad = None
        kept = [batch.weights[names[k]].detach().clone() for k in relaxed]
        optimiser.step()
        if plan.lasso and step >= held:
            for k, before in zip(relaxed, kept, strict=True):
                p = batch.weights[names[k]]
                if step < plan.refit * plan.steps:
                    shrink(batch, p, optimiser, plan.lasso * min(1.0, (step - held) / (RAMP * plan.steps)))
                else:  # what was 0 stays 0
                    with torch.no_grad():
                        p.mul_(present(batch, before))
    ended = time.process_time()
    return {"held_step": (middle - started) / held if held else float("nan"), "step": (ended - middle) / max(1, plan.steps - held)}


def _blocks(batch: Batch) -> list[slice]:
    return [where for _, where in batch.net.relaxed.irreps]


@torch.no_grad()
def shrink(batch: Batch, p: Tensor, optimiser: BlockAdamW, weight: float) -> None:
    """The proximal step of the lengths of the irreps, in the metric of the optimiser: one number for each vector, so it turns with it."""
    group, state = optimiser.param_groups[0], optimiser.state[p]
    size = (state["exp_avg_sq"].mean(-1, keepdim=True) / (1 - group["betas"][1] ** float(state["step"]))).sqrt() + group["eps"]
    for where in _blocks(batch):
        length = p[..., where].norm(dim=-1, keepdim=True)
        p[..., where] *= (1 - group["lr"] * weight / (size * length.clamp_min(1e-300))).clamp_min(0)


@torch.no_grad()
def present(batch: Batch, p: Tensor) -> Tensor:
    """1 where an irrep is there, 0 where it is not."""
    found = torch.zeros_like(p)
    for where in _blocks(batch):
        found[..., where] = (p[..., where].norm(dim=-1, keepdim=True) > 0).to(p)
    return found


@torch.no_grad()
def errors(batch: Batch, x: tuple[Tensor, ...], y: Tensor, loss: PointMSE) -> list[float]:
    """The error of every seed, squared and relative."""
    return [float(loss.each(answers, y).mean()) for answers in batch(x)]
