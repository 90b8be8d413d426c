"""Actors and critics of stable-baselines3 on our networks, and a replay buffer that hands out moved copies."""

from typing import Any

import numpy as np
import torch
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.policies import ActorCriticPolicy, ContinuousCritic
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.sac.policies import Actor, SACPolicy
from torch import Tensor, nn

from ...nn import penalised_layers, relaxation_penalty
from ...symmetry import GridAction
from ._agent_networks import Head, NetworkPlan, sizes_of, values_of
from ._env_symmetry import EnvSymmetry
from ._picture_networks import trunk_of


class SymmetricSACPolicy(SACPolicy):
    """Actor and twin critics of SAC with as much of a symmetry as a plan says; anything else as of stable-baselines3's policy.

    * `symmetry`: of the environment. `plan`: how the networks are built. `penalty`: weight of `relaxation_penalty`, in units of the loss.
    """

    def __init__(self, *args: Any, symmetry: EnvSymmetry, plan: NetworkPlan, penalty: float = 0.0, **kwargs: Any) -> None:
        self.symmetry, self.plan, self.penalty = symmetry, plan, penalty
        super().__init__(*args, **{**kwargs, "net_arch": [1]})

    def _build(self, lr_schedule: Any) -> None:
        super()._build(lr_schedule)
        for part in (self.actor, self.critic):
            penalise(part.optimizer, part, self.penalty)

    def make_actor(self, features_extractor: Any = None) -> Actor:
        """An actor whose mean moves as actions do, and whose deviations as their sizes do; `features_extractor` as of SACPolicy."""
        made = super().make_actor(features_extractor)
        trunk = trunk_of(self.plan, self.symmetry)
        made.latent_pi = trunk  # pyright: ignore[reportAttributeAccessIssue]
        made.mu, made.log_std = Head(trunk, self.symmetry.layout("action")), Head(trunk, sizes_of(self.symmetry))  # pyright: ignore[reportAttributeAccessIssue]
        return made.to(self.device)

    def make_critic(self, features_extractor: Any = None) -> ContinuousCritic:
        """Critics whose values nothing moves; `features_extractor` as of SACPolicy."""
        made = super().make_critic(features_extractor)
        for k in range(len(made.q_networks)):
            trunk = trunk_of(self.plan, self.symmetry, critic=True)
            made.q_networks[k] = nn.Sequential(trunk, Head(trunk, values_of(self.symmetry)))
            setattr(made, f"qf{k}", made.q_networks[k])
        return made.to(self.device)


class SymmetricPPOPolicy(ActorCriticPolicy):
    """Actor and critic of PPO with as much of a symmetry as a plan says; anything else as of stable-baselines3's policy.

    * `symmetry`: of the environment. `plan`: how the networks are built. `penalty`: weight of `relaxation_penalty`, in units of the loss.
    """

    def __init__(self, *args: Any, symmetry: EnvSymmetry, plan: NetworkPlan, penalty: float = 0.0, **kwargs: Any) -> None:
        self.symmetry, self.plan, self.penalty = symmetry, plan, penalty
        super().__init__(*args, **{**kwargs, "net_arch": {"pi": [1], "vf": [1]}, "ortho_init": False})

    def _build(self, lr_schedule: Any) -> None:
        super()._build(lr_schedule)
        self.mlp_extractor = _TwoTrunks(self.plan, self.symmetry)  # pyright: ignore[reportAttributeAccessIssue]
        self.action_net = Head(self.mlp_extractor.actor, self.symmetry.layout("action"))
        self.value_net = Head(self.mlp_extractor.critic, values_of(self.symmetry))  # pyright: ignore[reportAttributeAccessIssue]
        # Components that elements exchange have one deviation: it is projected onto what the group leaves alone.
        rep = sizes_of(self.symmetry).fields[0].representation
        mean = np.mean([rep.matrix(g) for g in self.symmetry.group.elements], axis=0) if self.plan.strict else np.eye(len(self.log_std))
        self.register_buffer("tied", torch.tensor(mean, dtype=torch.float32))
        self.tied: Tensor
        with torch.no_grad():  # small first actions, as stable-baselines3 has them
            for p in self.action_net.parameters():
                p.mul_(0.01)
        self.optimizer = self.optimizer_class(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)  # pyright: ignore[reportCallIssue]
        penalise(self.optimizer, self, self.penalty)

    def _get_action_dist_from_latent(self, latent_pi: Tensor) -> Any:
        return self.action_dist.proba_distribution(self.action_net(latent_pi), self.tied @ self.log_std)  # pyright: ignore[reportCallIssue]


class _TwoTrunks(nn.Module):
    def __init__(self, plan: NetworkPlan, symmetry: EnvSymmetry) -> None:
        super().__init__()
        self.actor, self.critic = (trunk_of(plan, symmetry, act=nn.Tanh) for _ in range(2))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        return self.actor(features), self.critic(features)

    def forward_actor(self, features: Tensor) -> Tensor:
        return self.actor(features)

    def forward_critic(self, features: Tensor) -> Tensor:
        return self.critic(features)


class SymmetricReplayBuffer(ReplayBuffer):
    """A replay buffer that hands out every transition moved by an element drawn anew: augmentation without another copy in memory.

    * `symmetry`: of the environment, with a finite or sampled group. Everything else as of `ReplayBuffer`.

    Rewards and ends are left alone, as the symmetry says. Give it to any off-policy algorithm of stable-baselines3:
    `SAC(..., replay_buffer_class=SymmetricReplayBuffer, replay_buffer_kwargs={"symmetry": symmetry})`.
    """

    def __init__(self, *args: Any, symmetry: EnvSymmetry, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.symmetry = symmetry
        self._pictures = isinstance(symmetry.observation, GridAction)
        self._observation = None if self._pictures else torch.tensor(symmetry.matrices("observation"))
        self._action = torch.tensor(symmetry.matrices("action"))

    def _get_samples(self, batch_inds: Any, env: Any = None) -> ReplayBufferSamples:
        found = super()._get_samples(batch_inds, env)
        drawn = torch.from_numpy(np.random.randint(0, len(self._action), size=len(batch_inds)))  # the generator of this library's buffers
        return found._replace(
            observations=self._seen(found.observations, drawn), next_observations=self._seen(found.next_observations, drawn),
            actions=_times(found.actions, self._action, drawn),
        )  # fmt: skip

    def _seen(self, x: Tensor, drawn: Tensor) -> Tensor:
        if self._observation is not None:
            return _times(x, self._observation, drawn)
        moved = x.clone()
        for k, g in enumerate(self.symmetry.group.elements):
            moved[drawn == k] = self.symmetry.observation(g, x[drawn == k])
        return moved


def _times(x: Tensor, matrices: Tensor, drawn: Tensor) -> Tensor:
    return torch.einsum("nij,nj->ni", matrices[drawn].to(x), x)


def penalise(optimiser: torch.optim.Optimizer, module: nn.Module, weight: float) -> None:
    """Add the gradient of `weight` times `relaxation_penalty` before every step of an optimiser; nothing for 0.

    * `optimiser`: of the parameters of `module`, which has relaxed layers.
    """
    if not weight:
        return
    penalised_layers(module)  # raises where there is none

    def add(*_: Any) -> None:
        parameters = [p for group in optimiser.param_groups for p in group["params"]]
        found = torch.autograd.grad(relaxation_penalty(module, weight), parameters, allow_unused=True)
        for p, g in zip(parameters, found, strict=True):
            if g is not None:
                p.grad = g if p.grad is None else p.grad + g

    optimiser.register_step_pre_hook(add)
