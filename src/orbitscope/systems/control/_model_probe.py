"""What an instrument sees of an agent that learns its model: policy, critic and dynamics as maps, with examples from roll-outs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..._seed import derive
from ...data import Examples
from ...symmetry import PartsAction, Symmetry
from ._model_learner import ModelLearner
from ._model_networks import WorldModel

MODEL_MAPS = ("policy", "critic", "dynamics")
_STEP = 0.2  # of the policy's target beyond its answer, as of other agents
Rolled = dict[str, Tensor]


class ModelPolicy(nn.Module):
    """Observations [N, n] to the action of the learnt policy [N, k], which the planner starts from.

    * `model`: whose networks are shared, not copied.
    """

    def __init__(self, model: WorldModel) -> None:
        super().__init__()
        self.body, self.actions = model.policy, model.actions

    def forward(self, observation: Tensor) -> Tensor:
        """The actions at `observation`."""
        return self.actions.squash(self.body(observation))


class ModelCritic(nn.Module):
    """Observations [N, n] and actions [N, k] to the mean of the two values [N, 1].

    * `model`: whose networks are shared, not copied.
    """

    def __init__(self, model: WorldModel) -> None:
        super().__init__()
        self.nets = model.values

    def forward(self, observation: Tensor, action: Tensor) -> Tensor:
        """The values at `observation` under `action`."""
        return torch.stack([net(observation, action) for net in self.nets]).mean(0)[:, None]


class ModelDynamics(nn.Module):
    """Observations [N, n] and actions [N, k] to the guessed next observations [N, n].

    * `model`: whose networks are shared, not copied.
    """

    def __init__(self, model: WorldModel) -> None:
        super().__init__()
        self.body = model.dynamics

    def forward(self, observation: Tensor, action: Tensor) -> Tensor:
        """What follows `observation` under `action`."""
        return observation + self.body(torch.cat([observation, action], -1))


@dataclass(frozen=True)
class ModelMap:
    """A map with its examples and its symmetry: name, model, examples, symmetry."""

    name: str
    model: nn.Module
    examples: Examples
    symmetry: Symmetry


def dynamics_symmetry(symmetry: Any) -> Symmetry:
    """f(go, ga) = g o': the symmetry of a guess of the next observation.

    * `symmetry`: an `EnvSymmetry`.
    """
    return Symmetry(symmetry.group, PartsAction(symmetry.observation, symmetry.action), symmetry.observation, name=symmetry.name)


def model_maps(learner: ModelLearner, *, episodes: int, length: int, every: int, seed: int) -> list[ModelMap]:
    r"""Policy, critic and dynamics of `learner` with examples of its own roll-outs: plans with the noise of learning on them.

    The critic's y is the discounted return that followed, with the learnt value where a roll-out was cut; the policy's y its answer plus
    a step along $\nabla_a Q$; that of the dynamics the next observation. `episodes`, `length`, `every`, `seed`: as of `probed_maps`.
    """
    model = learner.agent.model
    policy, critic, dynamics = ModelPolicy(model).eval(), ModelCritic(model).eval(), ModelDynamics(model).eval()
    rows = _rolled(learner, episodes, length, seed)
    keep = rows["time"] % every == 0
    kept = {k: v[keep] for k, v in rows.items()}
    unit, slot = kept["episode"].numpy(), (kept["time"] // every).numpy()
    observation, action = kept["observation"], kept["action"]
    answer = policy(observation).detach()
    given = answer.clone().requires_grad_()
    (pull,) = torch.autograd.grad(critic(observation, given).sum(), given)
    target = answer + _STEP * pull / pull.square().mean().sqrt().clamp_min(1e-12)
    declared = learner.symmetry
    return [
        ModelMap("policy", policy, Examples(observation, target, unit, slot, name="policy"), declared.policy),
        ModelMap("critic", critic, Examples((observation, action), kept["return"], unit, slot, name="critic"), declared.critic),
        ModelMap(
            "dynamics", dynamics, Examples((observation, action), kept["next"], unit, slot, name="dynamics"), dynamics_symmetry(declared)
        ),
    ]


def _rolled(learner: ModelLearner, episodes: int, length: int, seed: int) -> Rolled:
    """Steps on the way of the agent, float32, with the return that followed each."""
    env, agent = learner.env, learner.agent
    rng = np.random.default_rng(derive(seed, "probe of a model-based agent"))
    found: dict[str, list[Any]] = {k: [] for k in ("observation", "action", "next", "return", "episode", "time")}
    for episode in range(episodes):
        seen, _ = env.reset(seed=int(derive(seed, "probe episode", episode) % 2**31))
        learner.reset()
        rewards, over = [], False
        for time in range(length):
            planned = torch.as_tensor(learner.predict(seen)[0])
            action = agent.actions.project(planned + agent.config.noise * torch.as_tensor(rng.normal(size=planned.shape))).numpy()
            following, reward, over, cut, _ = env.step(action)
            for name, value in (("observation", seen), ("action", action), ("next", following), ("episode", episode), ("time", time)):
                found[name].append(np.array(value))
            rewards.append(float(reward))
            seen = following
            if over or cut:
                break
        with torch.no_grad():
            after = 0.0 if over else float(agent.model.value(torch.as_tensor(np.asarray(seen), dtype=torch.float32)[None]))
        back = []
        for reward in reversed(rewards):
            after = reward + agent.config.discount * after
            back.append([after])
        found["return"] += back[::-1]
    learner.reset()
    made = {k: torch.as_tensor(np.array(v)) for k, v in found.items()}
    return made | {k: made[k].float() for k in ("observation", "action", "next", "return")}
