"""The agent that learns its model, in the stages of a run: what `train ENV --agent model_based` trains, resumes and opens."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ..._seed import derive
from ...training.files import load_weights
from ._agent_networks import NetworkPlan
from ._env_symmetry import EnvSymmetry
from ._environments import environment, symmetry_of
from ._model_based import ModelBasedAgent, ModelBasedConfig
from ._model_networks import WorldModel
from ._planner_actions import action_set
from ._replay import Episodes

STAGE = 2000
MODEL_POLICIES: dict[str, tuple[str, bool]] = {
    "plain": ("plain", False), "augmented": ("augmented", False), "exact": ("equivariant", True),
}  # fmt: skip
"""Word of a policy -> networks and whether sampling has all copies; the option `sampling` changes the second."""


class ModelLearner:
    """A `ModelBasedAgent` in a gymnasium environment, learning stage by stage so that an interrupted training goes on bit for bit.

    * `env`: a gymnasium environment with boxes as spaces, or the name of one. `symmetry`: what is declared of it; None: what the table
      declares of the name.
    * `policy`: "plain" (no group at all), "augmented" (moved batches), "exact" (equivariant networks, and a planner that tries all copies).
    * `seed`: of everything. `options`: settings of `ModelBasedConfig` by their names; "sampling" for the other two corners of the square.

    A stage begins with an episode and with random numbers of its own; what was seen stays. Raises `OrbitscopeError` for unknown names,
    spaces that do not fit the symmetry, a group that moves the box of actions, and an infinite or sampled group where it is built in.
    """

    def __init__(
        self,
        env: Any,
        symmetry: EnvSymmetry | None = None,
        *,
        policy: str = "exact",
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        if policy not in MODEL_POLICIES:
            raise OrbitscopeError(
                f"policy: a model_based agent has one of {', '.join(MODEL_POLICIES)}, got {policy!r}. Relaxed networks are those "
                "of --agent sac and ppo."
            )
        if isinstance(env, str):
            symmetry, env = symmetry_of(env) if symmetry is None else symmetry, environment(env)
        if symmetry is None:
            raise OrbitscopeError("ModelLearner: `symmetry` should say what is declared; only environments of the table know theirs.")
        symmetry.check(env)
        networks, sampling = MODEL_POLICIES[policy]
        given = {"networks": networks, "sampling": sampling, "seed": seed, **(options or {})}
        if given["networks"] != networks:
            raise OrbitscopeError(f"options: `networks` is what the policy says ({policy}: {networks}). Take another policy.")
        self.env, self.symmetry, self.seed, self.stages = env, symmetry, seed, 0
        self.about = {"agent": "model_based", "policy": policy, "seed": seed, "options": dict(options or {})}
        self.agent = ModelBasedAgent(symmetry, action_set(env.action_space), ModelBasedConfig(**given))
        self.episodes = Episodes(self.agent.config.horizon)

    @property
    def steps(self) -> int:
        """Steps in the environment so far."""
        return self.agent.steps

    @steps.setter
    def steps(self, value: int) -> None:
        self.agent.steps = value

    @property
    def parameters(self) -> int:
        """Numbers that are trained, of all networks."""
        return sum(p.numel() for p in self.agent.model.parameters())

    @property
    def weights(self) -> WorldModel:
        """The module whose weights a run keeps: dynamics, reward, values and policy."""
        return self.agent.model

    @property
    def plan(self) -> NetworkPlan:
        """The arm of the networks, as other agents have it."""
        return NetworkPlan(self.about["policy"], self.agent.config.width, self.agent.config.depth)

    @property
    def networks(self) -> dict[str, nn.Module]:
        """The networks by name."""
        m = self.agent.model
        return {"dynamics": m.dynamics, "reward": m.rewards, "values": m.values, "policy": m.policy}

    def learn(self, total_timesteps: int, *, progress: Callable[[str, float, float], None] | None = None) -> "ModelLearner":
        """So many more steps, in stages of `STAGE`; itself.

        * `total_timesteps`: number of steps. `progress(stage, done, total)`: called now and then.
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
        self.agent.planner.calls = 10_000_000 * self.stages  # the noise of a stage is its own, whatever was planned between stages
        rng = np.random.default_rng(derive(self.seed, "model learner stage", self.stages))
        end = goal or self.steps + steps
        for done in self.agent.practise(self.env, self.episodes, steps, rng):
            if progress is not None and done % 50 == 0:
                progress("learn", self.steps, end)
        self.stages += 1

    def predict(self, observation: Any, deterministic: bool = True) -> tuple[NDArray[np.float64], None]:
        """The planned action for an observation [n], or for several [N, n], and None, as of stable-baselines3.

        * `observation`: in the unit of the environment. `deterministic`: False adds the noise of learning.

        The rest of the plan is the next warm start: call `reset()` between episodes. Raises `OrbitscopeError` for another shape or NaN.
        """
        size, values = self.env.observation_space.shape[0], np.asarray(observation)
        if values.ndim not in (1, 2) or values.shape[-1] != size or not np.isfinite(values).all():
            raise OrbitscopeError(f"predict: `observation` should be finite numbers [{size}] or [N, {size}], got {list(values.shape)}.")
        return self.agent.predict(values, deterministic)

    def reset(self) -> None:
        """Forget the last plan, and begin the planner's noise anew: every evaluation sees the same."""
        self.agent.planner.reset()

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All that a training needs to go on: tensors by name, and numbers."""
        agent, found = self.agent, {}
        for part in ("model", "target"):
            found |= {f"{part}.{k}": v for k, v in getattr(agent, part).state_dict().items()}
        for part in ("optimiser", "climber"):
            state = getattr(agent, part).state_dict()["state"]
            found |= {f"{part}.{k}.{entry}": torch.as_tensor(v) for k, values in state.items() for entry, v in values.items()}
        found |= {f"episodes.{k}": v for k, v in self.episodes.state().items()}
        return found, {"steps": self.steps, "stages": self.stages, "updates": agent.updates}

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> "ModelLearner":
        """Go back to a `state`; itself.

        * `tensors`, `numbers`: its two parts.

        Raises `OrbitscopeError` for the state of another agent.
        """
        agent = self.agent
        for part in ("model", "target"):
            load_weights(getattr(agent, part), _under(tensors, f"{part}."), "the state of an agent")
        for part in ("optimiser", "climber"):
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in _under(tensors, f"{part}.").items():
                place, _, entry = key.partition(".")
                state.setdefault(int(place), {})[entry] = value.clone()
            optimiser = getattr(agent, part)
            optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
        self.episodes.restore(_under(tensors, "episodes."))
        agent.steps, self.stages, agent.updates = numbers["steps"], numbers["stages"], numbers["updates"]
        return self

    def save(self, path: str | Path) -> Path:
        """Write weights and settings into the folder `path`, as `ModelBasedAgent.save`; a training goes on from a run folder alone."""
        return self.agent.save(path)

    @classmethod
    def load(cls, path: str | Path, env: Any, symmetry: EnvSymmetry | None = None) -> "ModelLearner":
        """An agent that `save` wrote, to predict with.

        * `path`: the folder. `env`, `symmetry`: as of the class.

        Raises `OrbitscopeError` where it is missing or of another group or environment.
        """
        if isinstance(env, str):
            symmetry, env = symmetry_of(env) if symmetry is None else symmetry, environment(env)
        if symmetry is None:
            raise OrbitscopeError("load: `symmetry` should say what is declared; only environments of the table know theirs.")
        kept = ModelBasedAgent.load(path, symmetry, action_set(env.action_space))
        policy = next(word for word, (networks, _) in MODEL_POLICIES.items() if networks == kept.config.networks)
        made = cls(env, symmetry, policy=policy, seed=kept.config.seed, options={"sampling": kept.config.sampling})
        made.agent = kept
        return made

    def __repr__(self) -> str:
        return f"ModelLearner({self.about['policy']}, {self.symmetry.group.name}, {self.steps:,} steps)"


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
