"""What an instrument sees of an agent: its policy and its critic as maps, with examples from roll-outs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ..._seed import derive
from ...data import Examples
from ...symmetry import Symmetry
from ._agent import Agent
from ._model_learner import ModelLearner
from ._model_probe import model_maps

_STEP = 0.2  # of the target beyond the answer, in units of half the box of actions


class PolicyMap(nn.Module):
    """Observations [N, n] to the action of the mean policy [N, k], in units of the box of the algorithm (-1 .. 1 for SAC).

    * `agent`: whose networks are shared, not copied.
    """

    def __init__(self, agent: Agent) -> None:
        super().__init__()
        policy = agent.model.policy
        self.squashed = agent.about["agent"] == "sac"
        self.trunk = policy.actor.latent_pi if self.squashed else policy.mlp_extractor.actor
        self.head = policy.actor.mu if self.squashed else policy.action_net

    def forward(self, observation: Tensor) -> Tensor:
        """The actions at `observation`."""
        found = self.head(self.trunk(observation))
        return torch.tanh(found) if self.squashed else found


class CriticMap(nn.Module):
    """Observations [N, n] and actions [N, k] to the mean of the twin critics [N, 1]; of PPO observations alone to its value.

    * `agent`: whose networks are shared, not copied.
    """

    def __init__(self, agent: Agent) -> None:
        super().__init__()
        policy = agent.model.policy
        self.of_actions = agent.about["agent"] == "sac"
        self.nets = nn.ModuleList(
            list(policy.critic.q_networks) if self.of_actions else [nn.Sequential(policy.mlp_extractor.critic, policy.value_net)]
        )

    def forward(self, observation: Tensor, action: Tensor | None = None) -> Tensor:
        """The values at `observation`, under `action`."""
        x = observation if action is None else torch.cat([observation.flatten(1), action], 1)
        return torch.stack([net(x) for net in self.nets]).mean(0)


@dataclass(frozen=True, eq=False)
class ProbedMap:
    """One map of an agent as instruments take it.

    * `name`: "policy", "critic" or "dynamics". `model`: the map. `examples`: x and y. `symmetry`: what it is held against.
    """

    name: str
    model: nn.Module
    examples: Examples
    symmetry: Symmetry


def probed_maps(agent: Agent | ModelLearner, *, episodes: int = 24, length: int = 100, every: int = 5, seed: int = 0) -> list[ProbedMap]:
    r"""The policy and the critic of an agent with examples from its own roll-outs, and the dynamics of one that learns a model.

    * `agent`: whose policy draws the actions on the way. `episodes`, `length`: of the roll-outs, steps. `every`: one example for so many
      steps. `seed`: of the episodes and the draws.

    The critic's y is the discounted return that followed, with its own value where a roll-out was cut; the dynamics' y is the next
    observation. The policy's y is its answer plus one step where the algorithm pulls it: along $\nabla_a Q$ (SAC and the model-based
    agent), or along advantage times $a - \pi(o)$ (PPO), of root mean square 0.2 of half the box. So a step of learning on an example is a
    policy-gradient step, and influence asks whether what was learnt there is learnt at the moved observation too. Its error says nothing
    of the return.

    Raises `OrbitscopeError` for numbers below 1, and for fewer than 3 episodes.
    """
    if episodes < 3 or length < 1 or every < 1:
        raise OrbitscopeError(f"probed_maps: at least 3 episodes of 1 step, every 1; got {episodes}, {length} and {every}.")
    if isinstance(agent, ModelLearner):
        found = model_maps(agent, episodes=episodes, length=length, every=every, seed=seed)
        return [ProbedMap(m.name, m.model, m.examples, m.symmetry) for m in found]
    policy, critic = PolicyMap(agent).eval(), CriticMap(agent).eval()
    rows = _rolled(agent, critic, episodes, length, seed)
    keep = rows["time"] % every == 0
    observation, action, value = (rows[k][keep] for k in ("observation", "action", "return"))
    unit, slot = rows["episode"][keep].numpy(), (rows["time"][keep] // every).numpy()
    target = _pulled(policy, critic, observation, action, value)
    symmetry = agent.symmetry
    given, held = ((observation, action), symmetry.critic) if critic.of_actions else (observation, symmetry.value)
    return [
        ProbedMap("policy", policy, Examples(observation, target, unit, slot, name="policy"), symmetry.policy),
        ProbedMap("critic", critic, Examples(given, value, unit, slot, name="critic"), held),
    ]


def _rolled(agent: Agent, critic: CriticMap, episodes: int, length: int, seed: int) -> dict[str, Tensor]:
    env, gamma = agent.env, float(agent.model.gamma)
    found: dict[str, list[Any]] = {k: [] for k in ("observation", "action", "return", "episode", "time")}
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(derive(seed, "probe of an agent"))
        for episode in range(episodes):
            seen, _ = env.reset(seed=int(derive(seed, "probe episode", episode) % 2**31))
            rewards, over = [], False
            for time in range(length):
                action = np.asarray(agent.predict(seen, deterministic=False)[0])
                for name, value in (("observation", seen), ("action", action), ("episode", episode), ("time", time)):
                    found[name].append(np.array(value))
                seen, reward, over, cut, _ = env.step(action)
                rewards.append(float(reward))
                if over or cut:
                    break
            last = torch.as_tensor(np.asarray(seen), dtype=torch.float32)[None]
            next_action = torch.as_tensor(np.asarray(agent.predict(seen)[0]), dtype=torch.float32)[None]
            after = 0.0 if over else float(critic(last, inner_actions(agent, next_action)) if critic.of_actions else critic(last))
            back = []
            for reward in reversed(rewards):
                after = reward + gamma * after
                back.append([after])
            found["return"] += back[::-1]
    made = {k: torch.as_tensor(np.array(v)) for k, v in found.items()}
    made |= {k: made[k].float() for k in ("observation", "action", "return")}
    made["action"] = inner_actions(agent, made["action"])
    return made


def inner_actions(agent: Agent, action: Tensor) -> Tensor:
    """Actions in the box -1 .. 1 of SAC's networks; those of PPO as they are.

    * `agent`: whose box is meant. `action`: in the unit of the environment, [N, k].
    """
    if agent.about["agent"] != "sac":
        return action
    box: Any = agent.env.action_space
    low, high = torch.as_tensor(box.low), torch.as_tensor(box.high)
    return 2 * (action - low) / (high - low) - 1


def _pulled(policy: PolicyMap, critic: CriticMap, observation: Tensor, action: Tensor, value: Tensor) -> Tensor:
    with torch.no_grad():
        answer = policy(observation)
    if critic.of_actions:
        given = answer.clone().requires_grad_()
        (pull,) = torch.autograd.grad(critic(observation, given).sum(), given)
    else:
        with torch.no_grad():
            pull = (value - critic(observation)) * (action - answer)
    size = pull.square().mean().sqrt()
    return answer + _STEP * pull / size.clamp_min(1e-12)
