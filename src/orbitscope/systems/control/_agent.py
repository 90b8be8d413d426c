"""Agents that learn in any gymnasium environment, with as much of its symmetry as they are given."""

import inspect
import sys
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import HumanOutputFormat, Logger
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ..._expect import near
from ..._seed import derive
from ...training.files import load_weights, read_weights, write_json, write_weights
from ._agent_networks import NetworkPlan
from ._checked_env import looked_at
from ._env_symmetry import EnvSymmetry
from ._environments import environment, symmetry_of
from ._policies import SymmetricPPOPolicy, SymmetricReplayBuffer, SymmetricSACPolicy

Array = NDArray[np.float64]
AGENTS = ("sac", "ppo")
"""The algorithms, those of stable-baselines3."""
STAGE = 2000
"""Steps of a stage: every one begins with an episode and with random numbers of its own, so that a training goes on bit for bit."""
_DEFAULTS: dict[str, dict[str, Any]] = {
    "sac": {"learning_rate": 1e-3, "batch_size": 128, "buffer_size": 200_000, "learning_starts": 500, "gamma": 0.99},
    "ppo": {"learning_rate": 1e-3, "n_steps": 1000, "batch_size": 100, "n_epochs": 5, "gamma": 0.99},
}


class Agent:
    r"""SAC or PPO in a gymnasium environment, with networks that have none of its symmetry, all of it, or a way out of it.

    * `env`: a gymnasium environment with boxes as spaces, or the name of one. `symmetry`: what is declared of it; None: what the table
      declares of the name.
    * `agent`: "sac" or "ppo". `policy`: "plain"; "augmented" (plain networks, moved copies in the replay; SAC alone); "exact" (equivariant
      actor, invariant critics); "relaxed", "residual", "gated" (exact at the start, and free to leave).
    * `width`, `depth`, `banks`: of the networks, as of `NetworkPlan`. `penalty`: weight of `relaxation_penalty` in the losses.
    * `seed`: of first weights, actions, batches and episodes. `options`: of the algorithm of stable-baselines3, by its names; it logs
      nothing unless `verbose` or `tensorboard_log` is among them.

    Weights are saved as safetensors with JSON beside them; nothing is pickled. Raises `OrbitscopeError` for unknown names, spaces that do
    not fit the symmetry, a group that moves the box of actions, and an infinite or sampled group where it is built in.

    Source: Haarnoja et al., Soft Actor-Critic, ICML 2018; Schulman et al., PPO, arXiv 1707.06347; Park et al., AISTATS 2025, for relaxed
    actors and critics (theirs start elsewhere).
    """

    def __init__(
        self, env: Any, symmetry: EnvSymmetry | None = None, *, agent: str = "sac", policy: str = "exact", width: int = 64, depth: int = 2,
        banks: int = 2, penalty: float = 0.0, seed: int = 0, options: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        if agent not in AGENTS:
            raise OrbitscopeError(f"agent: should be one of {', '.join(AGENTS)}, got {agent!r}.")
        if isinstance(env, str):
            symmetry, env = symmetry_of(env) if symmetry is None else symmetry, environment(env)
        if symmetry is None:
            raise OrbitscopeError("Agent: `symmetry` should say what is declared of this environment; only those of the table know theirs.")
        self.plan = NetworkPlan(policy, width, depth, banks)
        if policy == "augmented" and agent == "ppo":
            raise OrbitscopeError(
                "policy: 'augmented' moves what is in a replay buffer, and PPO has none. Take --agent sac, or --policy exact."
            )
        symmetry.check(env)
        if self.plan.strict and (symmetry.group.sampled or not symmetry.group.finite):
            raise OrbitscopeError(
                f"policy: {policy!r} builds a finite group into layers, and {symmetry.group.name} is none. Take d8 for o2, c8 for so2, or "
                "the policy 'augmented' with a sample."
            )
        if penalty and not (self.plan.strict and policy in ("relaxed", "residual")):
            raise OrbitscopeError(
                f"penalty: the policy {policy!r} has no relaxed layers. Take relaxed or residual, or leave the penalty out."
            )
        self.env, self.symmetry, self.seed, self.stages = env, symmetry, seed, 0
        self.about = {
            "agent": agent, "policy": policy, "width": width, "depth": depth, "banks": banks, "penalty": penalty, "seed": seed,
            "options": {**_DEFAULTS[agent], **(options or {})},
        }  # fmt: skip
        kind: Any = SAC if agent == "sac" else PPO
        net = SymmetricSACPolicy if agent == "sac" else SymmetricPPOPolicy
        more: dict[str, Any] = dict(self.about["options"])
        if policy == "augmented":
            more |= {"replay_buffer_class": SymmetricReplayBuffer, "replay_buffer_kwargs": {"symmetry": symmetry}}
        given = {"symmetry": symmetry, "plan": self.plan, "penalty": penalty}
        with _numbers_of(seed, "agent init", 0):
            try:
                self.model = kind(net, looked_at(env), policy_kwargs=given, device="cpu", seed=None, **more)
            except TypeError as error:
                known = inspect.signature(kind).parameters
                meant = "".join(near(name, known, count=1) for name in options or {} if name not in known)
                raise OrbitscopeError(f"agent: {agent} does not take {dict(options or {})} ({error}).{meant}") from error
        if not self.model.tensorboard_log:  # where no logger is set, every start of a learning makes a folder among the temporary ones
            self.model.set_logger(Logger(folder=None, output_formats=[HumanOutputFormat(sys.stdout)] if self.model.verbose else []))

    @property
    def steps(self) -> int:
        """Steps in the environment so far."""
        return int(self.model.num_timesteps)

    @steps.setter
    def steps(self, value: int) -> None:
        self.model.num_timesteps = value

    @property
    def weights(self) -> nn.Module:
        """The module whose weights a run keeps."""
        return self.model.policy

    @property
    def parameters(self) -> int:
        """Numbers that are trained, of actor and critics."""
        return sum(p.numel() for p in self.model.policy.parameters() if p.requires_grad)

    @property
    def networks(self) -> dict[str, nn.Module]:
        """The actor and the critics, for `relaxation` and for probes; see `maps_of` for plain maps of observations."""
        policy = self.model.policy
        return {"actor": policy.actor, "critic": policy.critic} if self.about["agent"] == "sac" else {"policy": policy}

    def learn(self, total_timesteps: int, *, progress: Callable[[str, float, float], None] | None = None) -> "Agent":
        """So many more steps, in stages of `STAGE`; itself.

        * `total_timesteps`: number of steps; a training of n and another of m steps is one of n + m bit for bit where n is whole stages.
        * `progress(stage, done, total)`: called now and then.

        Raises `OrbitscopeError` for rewards that are NaN or infinite, and for observations of another shape than their space has.
        """
        if total_timesteps < 1:
            raise OrbitscopeError(f"learn: `total_timesteps` should be at least 1, got {total_timesteps}.")
        goal = self.steps + total_timesteps
        while self.steps < goal:
            self.stage(min(STAGE, goal - self.steps), progress, goal)
        return self

    def stage(self, steps: int, progress: Callable[[str, float, float], None] | None = None, goal: int | None = None) -> None:
        """One stage of so many steps: a new episode, and random numbers that depend on the seed and the number of the stage alone.

        * `steps`: at least 1. `progress(stage, done, total)`: called now and then. `goal`: the total that it is told.
        """
        with _numbers_of(self.seed, "agent stage", self.stages) as drawn:
            self.model.action_space.seed(drawn)
            self.model.env.seed(drawn)
            self.model._last_obs = None
            self.model.learn(steps, callback=_Watch(progress, goal or self.steps + steps), reset_num_timesteps=False, log_interval=None)
        self.stages += 1

    def predict(self, observation: Any, deterministic: bool = True) -> tuple[Array, None]:
        """The action for an observation [n], or for several [N, n], and None, as of stable-baselines3.

        * `observation`: in the unit of the environment. `deterministic`: the mean of the policy; otherwise one draw.

        Raises `OrbitscopeError` for observations of another shape or with NaN.
        """
        shape, values = self.model.observation_space.shape, np.asarray(observation)
        if values.shape != shape and values.shape[1:] != shape or not np.isfinite(values).all():
            raise OrbitscopeError(
                f"predict: `observation` should be finite numbers {list(shape)} or [N, ...], got shape {list(values.shape)}."
            )
        return self.model.predict(observation, deterministic=deterministic)[0], None

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All that a training needs to go on: tensors by name, and numbers."""
        found = {f"policy.{k}": v for k, v in self.model.policy.state_dict().items()}
        numbers: dict[str, Any] = {"steps": self.steps, "stages": self.stages, "updates": int(self.model._n_updates)}
        for name, optimiser in self._optimisers().items():
            state = optimiser.state_dict()["state"]
            found |= {f"{name}.{k}.{entry}": torch.as_tensor(v) for k, values in state.items() for entry, v in values.items()}
        if self.about["agent"] == "sac":
            found["log_ent_coef"] = self.model.log_ent_coef.detach()
            buffer = self.model.replay_buffer
            count = buffer.buffer_size if buffer.full else buffer.pos
            numbers |= {"place": int(buffer.pos), "full": bool(buffer.full)}
            found |= {f"replay.{name}": torch.from_numpy(getattr(buffer, name)[:count]) for name in _REPLAY}
        return found, numbers

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> "Agent":
        """Go back to a `state`; itself.

        * `tensors`, `numbers`: its two parts.

        Raises `OrbitscopeError` for the state of another agent.
        """
        load_weights(self.model.policy, _under(tensors, "policy."), "the state of an agent")
        self.model.num_timesteps, self.stages, self.model._n_updates = numbers["steps"], numbers["stages"], numbers["updates"]
        for name, optimiser in self._optimisers().items():
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in _under(tensors, f"{name}.").items():
                place, _, entry = key.partition(".")
                state.setdefault(int(place), {})[entry] = value.clone()
            optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
        if self.about["agent"] == "sac":
            self.model.log_ent_coef.data.copy_(tensors["log_ent_coef"])
            buffer = self.model.replay_buffer
            buffer.pos, buffer.full = numbers["place"], numbers["full"]
            for name in _REPLAY:
                rows = tensors[f"replay.{name}"].numpy()
                getattr(buffer, name)[: len(rows)] = rows
        return self

    def _optimisers(self) -> dict[str, torch.optim.Optimizer]:
        policy = self.model.policy
        if self.about["agent"] == "ppo":
            return {"optimiser": policy.optimizer}
        found = {"actor_optimiser": policy.actor.optimizer, "critic_optimiser": policy.critic.optimizer}
        return {**found, "entropy_optimiser": self.model.ent_coef_optimizer} if self.model.ent_coef_optimizer is not None else found

    def save(self, path: str | Path) -> Path:
        """Write the weights to `path`, safetensors, and what they are of to JSON beside it; a training goes on from a run folder alone."""
        path = Path(path).with_suffix(".safetensors")
        about = {**self.about, "steps": self.steps, "group": self.symmetry.group.name}
        write_weights(path, self.model.policy, about)
        write_json(path.with_suffix(".json"), about)
        return path

    @classmethod
    def load(cls, path: str | Path, env: Any, symmetry: EnvSymmetry | None = None) -> "Agent":
        """An agent that `save` wrote, to predict with.

        * `path`: the file. `env`, `symmetry`: as of the class.

        Raises `OrbitscopeError` where the file is missing, damaged or of another group or environment.
        """
        path = Path(path).with_suffix(".safetensors")
        weights, about = read_weights(path)
        keys = ("agent", "policy", "width", "depth", "banks", "penalty", "seed", "options")
        if missing := [k for k in (*keys, "group", "steps") if k not in about]:
            raise OrbitscopeError(f"load: {path} holds no agent: its metadata have no {missing[0]!r}.")
        made = cls(env, symmetry, **{k: about[k] for k in keys})
        if made.symmetry.group.name != about["group"]:
            raise OrbitscopeError(f"load: {path} was trained with the group {about['group']}, now {made.symmetry.group.name} is declared.")
        load_weights(made.model.policy, weights, str(path))
        made.model.num_timesteps = int(about["steps"])
        return made

    def __repr__(self) -> str:
        return f"Agent({self.about['agent']}, {self.about['policy']}, {self.symmetry.group.name}, {self.steps:,} steps)"


_REPLAY = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


def returns(
    agent: Any, env: Any, *, episodes: int = 5, seed: int = 0, observation_noise: float | Array = 0.0, action_noise: float = 0.0
) -> Array:
    """The undiscounted returns of whole episodes under the mean policy, [episodes].

    * `agent`: has `predict`, and `reset` if it remembers a plan. `env`: a gymnasium environment.
    * `episodes`: how many. `seed`: the same one gives the same episodes to every
      agent.
    * `observation_noise`: standard deviation of normal noise on each observation, in its unit, one number or [n]. `action_noise`: the
      same on actions, in units of half their box.
    """
    rng, found = np.random.default_rng(derive(seed, "evaluation noise")), []
    box = env.action_space
    for episode in range(episodes):
        seen, _ = env.reset(seed=int(derive(seed, "evaluation", episode) % 2**31))
        if hasattr(agent, "reset"):
            agent.reset()
        total, over = 0.0, False
        while not over:
            noisy = seen + observation_noise * rng.standard_normal(np.shape(seen))
            action = np.asarray(agent.predict(noisy)[0], dtype=np.float64)
            if action_noise:
                action = action + action_noise * (box.high - box.low) / 2 * rng.standard_normal(action.shape)
            seen, reward, terminated, truncated, _ = env.step(np.clip(action, box.low, box.high))
            total, over = total + float(reward), terminated or truncated
        found.append(total)
    return np.array(found)


class _Watch(BaseCallback):
    """Says how far a stage is, and stops at rewards that are no numbers."""

    def __init__(self, progress: Callable[[str, float, float], None] | None, goal: int) -> None:
        super().__init__()
        self.progress, self.goal = progress, goal

    def _on_step(self) -> bool:
        if not np.isfinite(self.locals["rewards"]).all():
            raise OrbitscopeError(
                f"learn: the reward at step {self.num_timesteps} is {self.locals['rewards'].tolist()}. Mend the environment."
            )
        if self.progress is not None and self.num_timesteps % 100 == 0:
            self.progress("learn", self.num_timesteps, self.goal)
        return True


@contextmanager
def _numbers_of(seed: int, purpose: str, index: int) -> Any:
    """Inside, torch's and numpy's global generators are those of (seed, purpose, index); outside they are as before."""
    drawn = derive(seed, purpose, index) % 2**31
    before = np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(drawn)
        np.random.seed(drawn)
        try:
            yield drawn
        finally:
            np.random.set_state(before)


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
