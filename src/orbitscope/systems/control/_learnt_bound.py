"""How far a learnt critic is from symmetric, beside how far the values of its environment can be."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from ..._seed import derive
from ._agent import Agent
from ._agent_probe import CriticMap, PolicyMap, inner_actions
from ._env_symmetry import EnvSymmetry
from ._finite import ValueBound
from ._pairs import Steps, moved_steps, scales, visited

Array = NDArray[np.float64]
_NEAR = 1e-3  # states that are nearer than this say more of rounding than of a Lipschitz constant


@dataclass(frozen=True)
class LearntBound(ValueBound):
    r"""The asymmetry of a learnt critic, and two bounds on that of the values it stands for.

    * `reward_epsilon`, `step_epsilon`: $\epsilon_R$ and $\epsilon_P$ on the way. `regularity`: $\rho$, the steepest slope of V seen.
    * `asymmetry`: $\max |Q(s,a) - Q(gs,ga)|$ of the learnt Q. `mean_asymmetry`: its root mean square.
    * `bound`: $(\epsilon_R + \gamma \rho\, \epsilon_P) / (1 - \gamma)$.
    * `span`: largest minus smallest Q, which bounds every asymmetry too, without any symmetry.
    * `own_epsilon`: $\max |V(gs') - V((gs)')|$, the change of a step as the value function itself sees it.
    * `own_bound`: $(\epsilon_R + \gamma \epsilon_V) / (1 - \gamma)$ with it: the same bound for the metric that V itself makes.
    """

    mean_asymmetry: float
    span: float
    own_epsilon: float
    own_bound: float


def learnt_bound(agent: Agent, env: Any = None, *, episodes: int = 16, length: int = 25, seed: int = 0) -> LearntBound:
    r"""The asymmetry of the critic of an agent on its own way, and the bound on that of optimal values for the breaking that is met there.

    $$|Q^*(s, a) - Q^*(gs, ga)| \le \frac{\epsilon_R + \gamma \rho\, \epsilon_P}{1 - \gamma}$$

    * `agent`: trained by SAC; its stochastic policy visits the states and draws the actions. `env`: with `get_state` and `set_state`;
      None: its own. `episodes`, `length`: of the roll-outs, steps; every eighth is eight times as long. `seed`: of episodes and draws.

    $\epsilon_R$ and $\epsilon_P$ are the largest over visited steps and the group, as of `audit_environment`, $\rho$ is the largest
    $|V(s) - V(t)| / d(s, t)$ of the learnt $V(s) = Q(s, \pi(s))$ between visited states, so a lower estimate of its Lipschitz constant.
    The bound is on $Q^*$: what a learnt Q is beyond it is error of learning; below it, error is not ruled out. Where `bound` exceeds `span`
    it says nothing. Raises `OrbitscopeError` for PPO, which learns no Q, and for what an audit refuses.

    Source: Park et al., AISTATS 2025, for the bound.
    """
    if agent.about["agent"] != "sac":
        raise OrbitscopeError("learnt_bound: needs a critic of observations and actions, and PPO learns none. Take an agent of SAC.")
    policy, critic = PolicyMap(agent), CriticMap(agent)

    def wander(seen: Array) -> Any:
        return agent.predict(seen, deterministic=False)[0]

    def quality(observation: Array, action: Array) -> Array:
        given = inner_actions(agent, torch.as_tensor(action, dtype=torch.float32))
        return critic(torch.as_tensor(observation, dtype=torch.float32), given)[:, 0].double().numpy()

    def value(observation: Array) -> Array:
        seen = torch.as_tensor(observation, dtype=torch.float32)
        return critic(seen, policy(seen))[:, 0].double().numpy()

    world: Any = agent.env if env is None else env
    symmetry = world.of(agent.symmetry) if hasattr(world, "of") else agent.symmetry  # a delay joins the state
    symmetry.check(world)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(derive(seed, "bound of an agent"))
        steps = visited(world, episodes, length, seed, wander)
        return bound_of(world, symmetry, steps, quality, value, float(agent.model.gamma))


def bound_of(
    env: Any,
    symmetry: EnvSymmetry,
    steps: Steps,
    quality: Callable[[Array, Array], Array],
    value: Callable[[Array], Array],
    discount: float,
) -> LearntBound:
    """The same for any values.

    * `env`, `symmetry`: with a declared state. `steps`: visited ones. `quality(observation, action)`: Q, [N]. `value(observation)`: V, [N].
      `discount`: of the values.
    """
    sizes = scales(steps.state, symmetry.layout("state").field_of_channel)
    here, after = value(steps.observation), _looks(env, steps.after)
    plain = quality(steps.observation, steps.action)
    regularity = _steepest(steps.state / sizes, here)
    rewards = turned = own = 0.0
    gaps = []
    for g in symmetry.group.probes(None, 0):
        if g.is_identity:
            continue
        moved, wanted = moved_steps(env, symmetry, g, steps), symmetry.move(g, steps.after)
        gaps.append(quality(moved.observation, moved.action) - plain)
        rewards = max(rewards, float(np.abs(moved.reward - steps.reward).max()))
        apart = np.sqrt(np.square((moved.after - wanted) / sizes).mean(1))
        change = np.abs(value(_looks(env, moved.after)) - value(_looks(env, wanted))) * ~(moved.ended | steps.ended)
        turned, own = max(turned, float(apart.max())), max(own, float(change.max()))
        if (far := apart > _NEAR).any():
            regularity = max(regularity, float((change[far] / apart[far]).max()))
    regularity = max(regularity, _steepest(steps.after / sizes, value(after)))
    found = np.concatenate(gaps) if gaps else np.zeros(1)

    def bound(change: float) -> float:
        return (rewards + discount * change) / (1 - discount)

    return LearntBound(
        rewards, turned, regularity, float(np.abs(found).max()), bound(regularity * turned), float(np.sqrt(np.square(found).mean())),
        float(np.ptp(plain)), own, bound(own),
    )  # fmt: skip


def _looks(env: Any, states: Array) -> Array:
    return np.stack([np.asarray(env.set_state(s), dtype=np.float64) for s in states])


def _steepest(points: Array, values: Array) -> float:
    """Largest difference of values over the root mean square difference of points, over pairs that are not too near, row by row."""
    worst = 0.0
    for k in range(len(points) - 1):
        apart = np.sqrt(np.square(points[k + 1 :] - points[k]).mean(1))
        far = apart > _NEAR
        if far.any():
            worst = max(worst, float((np.abs(values[k + 1 :] - values[k])[far] / apart[far]).max()))
    return worst
