"""A small agent that learns a model and plans on it, with a symmetry in its networks, in its sampling, in both or in neither."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ..._expect import checked_settings
from ..._seed import derive
from ..._whole import write_whole
from ...symmetry import Symmetry
from ._model_networks import NETWORKS, WorldModel
from ._planner import Planner
from ._planner_actions import ActionSet
from ._replay import Episodes

Told = Callable[[int, int, str], None]


@checked_settings
@dataclass(frozen=True)
class ModelBasedConfig:
    """Settings of a `ModelBasedAgent`.

    * `networks`: "plain", "augmented" (batches moved by random elements) or "equivariant". `sampling`: whether the planner tries all copies
      of its noise under the group.
    * `width`, `depth`: of hidden layers. Equivariant ones have width / sqrt|G| regular fields, so that there are as many weights.
    * `horizon`, `samples`, `elites`, `iterations`, `temperature`, `std`: of the planner, a mixture; `proposals`: whether it tries what the
      policy would do.
    * `discount`: of returns. `rho`: weight of each further step of the loss. `batch`, `learning_rate`: of Adam. `target`: how fast the
      target of the values follows.
    * `first`: random actions before anything is learnt. `every`: actions for each step of learning. `noise`: added to actions while it
      learns, in their unit.
    * `seed`: of weights, noise and batches.
    """

    networks: str = "equivariant"
    sampling: bool = True
    width: int = 48
    depth: int = 2
    horizon: int = 5
    samples: int = 64
    elites: int = 16
    iterations: int = 3
    temperature: float = 0.5
    std: float = 0.7
    proposals: bool = True
    discount: float = 0.97
    rho: float = 0.5
    batch: int = 128
    learning_rate: float = 1e-3
    target: float = 0.02
    first: int = 500
    every: int = 1
    noise: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.networks not in NETWORKS:
            raise OrbitscopeError(f"ModelBasedConfig: `networks` should be one of {', '.join(NETWORKS)}, got {self.networks!r}.")
        for name in ("width", "depth", "horizon", "samples", "batch", "every", "first"):
            if getattr(self, name) < 1:
                raise OrbitscopeError(f"ModelBasedConfig: `{name}` should be at least 1, got {getattr(self, name)}.")


class ModelBasedAgent:
    r"""Learns dynamics, reward, values and a policy from episodes, and acts by planning with them; TD-MPC without an encoder, small.

    $$L = \sum_{t<H} \rho^t \big(|z_{t+1} - o_{t+1}|^2 + (\hat r_t - r_t)^2 + (Q(z_t, a_t) - y_t)^2\big), \quad
      y_t = r_t + \gamma \min_i \bar Q_i(o_{t+1}, \pi(o_{t+1}))$$

    with $z_0 = o_0$ and $z_{t+1} = z_t + f(z_t, a_t)$; the policy climbs Q. States are observations themselves.

    * `symmetry`: of observations and actions, vectors of values under a finite group; an `EnvSymmetry` does too. `actions`: their set.
    * `config`: settings; by default networks and sampling are both equivariant.

    Raises `OrbitscopeError` for a group that does not leave `actions` alone. Where it fails: an environment whose observation does not
    decide what follows. Sources: Hansen, Wang and Su, arXiv 2203.04955; with a group, Zhao et al., arXiv 2412.12237.
    """

    def __init__(self, symmetry: Symmetry | Any, actions: ActionSet, config: ModelBasedConfig | None = None) -> None:
        self.symmetry: Symmetry = getattr(symmetry, "policy", symmetry)
        self.actions, self.config = actions, config or ModelBasedConfig()
        self.model = WorldModel(self.symmetry, actions, self.config.networks, self.config.width, self.config.depth, self.config.seed)
        self.target = WorldModel(self.symmetry, actions, self.config.networks, self.config.width, self.config.depth, self.config.seed)
        self.optimiser = torch.optim.Adam(self.model.learnt(), lr=self.config.learning_rate)
        self.climber = torch.optim.Adam(self.model.policy.parameters(), lr=self.config.learning_rate)
        self.planner = self._planner()
        self.steps = self.updates = 0

    def _planner(self) -> Planner:
        c, m = self.config, self.model
        return Planner(
            m.step, m.cost, self.actions, method="mixture", horizon=c.horizon, samples=c.samples, elites=c.elites, iterations=c.iterations,
            temperature=c.temperature, std=c.std, terminal_value=lambda s: -m.value(s), discount=c.discount, momentum=0.1,
            proposals=self._proposed if c.proposals else None, symmetry=self.symmetry if c.sampling else None, seed=c.seed,
            dtype=torch.float32,
        )  # fmt: skip

    def _proposed(self, states: Tensor) -> Tensor:
        """What the policy would do, [B, 1, H, m]."""
        made = []
        for _ in range(self.config.horizon):
            made.append(self.model.act(states))
            states = self.model.step(states, made[-1])
        return torch.stack(made, 1)[:, None]

    def predict(self, observation: Any, deterministic: bool = True) -> tuple[np.ndarray, None]:
        """The planned action for an `observation` [n] or [B, n], and None, as agents of stable-baselines3 return it.

        `deterministic`: False adds the noise of learning. The rest of the plan is the next warm start: call `reset()` between episodes.
        """
        with torch.no_grad(), self.model.held():
            action = self.planner.command(torch.as_tensor(np.asarray(observation), dtype=torch.float32))
        if not deterministic:
            generator = torch.Generator().manual_seed(derive(self.config.seed, "agent noise", self.steps))
            action = self.actions.project(action + self.config.noise * torch.randn(action.shape, generator=generator))
        return action.numpy().astype(np.float64), None

    def reset(self) -> None:
        """Forget the last plan, at the start of an episode; the noise goes on."""
        self.planner.mean = None

    def learn(
        self, env: Any, steps: int, *, evaluate: Sequence[Any] = (), each: int = 500, progress: Told | None = None
    ) -> list[dict[str, float]]:
        """Act in `env` for so many more `steps`, learning on the way; what was measured on the way, a row for each time.

        * `evaluate`: fresh environments, in one episode of which the return is measured, without noise, always from the same starts.
        * `each`: steps from one measurement to the next. `progress(done, total, words)`: called then.
        """
        episodes, rows = Episodes(self.config.horizon), []
        rng = np.random.default_rng([self.config.seed, 0xA6E7])
        for step in self.practise(env, episodes, steps, rng):
            if evaluate and step % each == 0:
                found = evaluate_agent(self, evaluate)
                rows.append({"step": self.steps, "return": float(found.mean()), "worst": float(found.min()), "updates": self.updates})
                if progress is not None:
                    progress(step, steps, f"mean return {found.mean():.1f}")
                self.reset()
        return rows

    def practise(self, env: Any, episodes: Episodes, steps: int, rng: np.random.Generator) -> Iterator[int]:
        """Act for `steps` steps from the start of an episode, learning on the way; the number of the step after each of them.

        * `env`: a gymnasium environment. `episodes`: what was seen; what is new is added. `rng`: draws the first actions and the start.

        Raises `OrbitscopeError` for rewards and observations that are NaN or infinite.
        """
        now, _ = env.reset(seed=int(rng.integers(2**31)))
        episodes.begin(now)
        self.reset()
        for step in range(1, steps + 1):
            if self.steps < self.config.first:
                action = self.actions.squash(torch.as_tensor(rng.normal(size=self.actions.size))).numpy()
            else:
                action, _ = self.predict(now, deterministic=False)
            now, reward, ended, cut, _ = env.step(action)
            if not (np.isfinite(reward) and np.isfinite(now).all()):
                raise OrbitscopeError(
                    f"learn: the reward or the observation after step {self.steps + 1} is NaN or infinite (reward {reward}). Mend the "
                    "environment."
                )
            episodes.add(action, float(reward), now, bool(ended))
            self.steps += 1
            if self.steps >= self.config.first and self.steps % self.config.every == 0 and episodes.ready:
                self._update(episodes)
            if ended or cut:
                now, _ = env.reset()
                episodes.begin(now)
                self.reset()
            yield step

    def _update(self, episodes: Episodes) -> None:
        """One step of learning."""
        c, m = self.config, self.model
        generator = torch.Generator().manual_seed(derive(c.seed, "agent batch", self.updates))
        seen, done, rewards, goes_on = episodes.batch(c.batch, generator)
        if c.networks == "augmented":
            seen, done = _moved(self.symmetry, seen, done, generator)
        falling = c.rho ** torch.arange(c.horizon, dtype=torch.float32)
        with torch.no_grad(), self.target.held(), m.held():
            aims = rewards + c.discount * goes_on * self.target.value(seen[1:], m.act(seen[1:]))
        with m.held():
            states = [seen[0]]
            for action in done:
                states.append(m.step(states[-1], action))
            z = torch.stack(states)
            gap = (z[1:] - seen[1:]).square().mean(-1) + (m.reward(z[1:], done) - rewards).square()
            gap = gap + sum(0.1 * (q(z[:-1], done) - aims).square() for q in m.values)
            self.optimiser.zero_grad()
            (falling[:, None] * gap).mean(1).sum().backward()
        nn.utils.clip_grad_norm_(m.learnt(), 10.0)
        self.optimiser.step()
        self.climber.zero_grad()
        with m.held():
            (-m.value(z[:-1].detach()).mean()).backward()
        self.climber.step()
        self.updates += 1
        with torch.no_grad():
            for old, new in zip(self.target.parameters(), m.parameters(), strict=True):
                old.lerp_(new, c.target)

    def save(self, folder: Path | str) -> Path:
        """Write weights (safetensors) and settings (JSON) into `folder`; what `load` reads."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        weights = {f"{part}.{k}": v.contiguous() for part in ("model", "target") for k, v in getattr(self, part).state_dict().items()}
        write_whole(folder / "agent.safetensors", lambda part: save_file(weights, part))
        about = {"config": asdict(self.config), "steps": self.steps, "updates": self.updates, "group": self.symmetry.group.name}
        write_whole(folder / "agent.json", lambda part: part.write_text(json.dumps(about, indent=1), encoding="utf-8"))
        return folder

    @classmethod
    def load(cls, folder: Path | str, symmetry: Symmetry | Any, actions: ActionSet) -> "ModelBasedAgent":
        """The agent that `save` wrote into `folder`, for the same `symmetry` and `actions`; raises `OrbitscopeError` for another group."""
        folder = Path(folder)
        if not (folder / "agent.json").is_file():
            raise OrbitscopeError(f"ModelBasedAgent: {folder} holds no agent.json. Give a folder that `save` wrote.")
        about = json.loads((folder / "agent.json").read_text(encoding="utf-8"))
        agent = cls(symmetry, actions, ModelBasedConfig(**about["config"]))
        if agent.symmetry.group.name != about["group"]:
            raise OrbitscopeError(f"ModelBasedAgent: {folder} was learnt with {about['group']}, not {agent.symmetry.group.name}.")
        weights = load_file(folder / "agent.safetensors")
        for part in ("model", "target"):
            getattr(agent, part).load_state_dict({k.removeprefix(f"{part}."): v for k, v in weights.items() if k.startswith(f"{part}.")})
        agent.steps, agent.updates = about["steps"], about["updates"]
        return agent


def evaluate_agent(agent: ModelBasedAgent, environments: Sequence[Any], seed: int = 10_000) -> np.ndarray:
    """Returns of one episode in each of the `environments`, all at once; environment i starts from `seed` + i.

    `agent`: acts without noise.
    """
    agent.planner.mean, calls = None, agent.planner.calls
    agent.planner.calls = 0
    seen = np.stack([env.reset(seed=seed + i)[0] for i, env in enumerate(environments)])
    total, running = np.zeros(len(environments)), np.ones(len(environments), dtype=bool)
    while running.any():
        actions, _ = agent.predict(seen)
        for i in np.flatnonzero(running).tolist():
            seen[i], reward, ended, cut, _ = environments[i].step(actions[i])
            total[i] += reward
            running[i] = not (ended or cut)
    agent.planner.mean, agent.planner.calls = None, calls
    return total


def _moved(symmetry: Symmetry, seen: Tensor, done: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Each sequence [T, B, n] of a batch under an element of its own, drawn anew."""
    elements = list(symmetry.group)
    which = torch.randint(len(elements), (seen.shape[1],), generator=generator)
    seen, done = seen.clone(), done.clone()
    for number, g in enumerate(elements):
        rows = which == number
        for values, action in ((seen, symmetry.input), (done, symmetry.output)):
            some = values[:, rows]
            values[:, rows] = action(g, some.flatten(0, 1)).reshape(some.shape)
    return seen, done
