"""Whether the world of an agent has the symmetry that its maps are asked for: measured in the simulator, in the words of a probe."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr

from ..._errors import OrbitscopeError
from ..._seed import derive
from ...probe import audit
from ...probe.data import with_measured
from ._agent import Agent
from ._agent_probe import ProbedMap
from ._env_audit import audit_environment
from ._env_symmetry import EnvSymmetry
from ._model_learner import ModelLearner
from ._model_probe import dynamics_symmetry

_LAW = "paired steps of the simulator"


def audits_of(
    agent: Agent | ModelLearner, maps: Sequence[ProbedMap], symmetry: EnvSymmetry, *, episodes: int = 16, seed: int = 0
) -> list[xr.Dataset]:
    """For every map of an agent an audit of its examples, as `examine` takes it: is the symmetry there that the map is asked for?

    * `agent`: whose stochastic policy visits the states. `maps`: of `probed_maps`. `symmetry`: of the environment, with the group that is
      asked for. `episodes`: of paired steps. `seed`: of states and draws.

    Each element has the verdict of `audit_environment` on the way of the policy; where that is "exact" a test of the distribution says
    whether what the agent saw is as likely as its moved copy. An environment whose state cannot be set leaves the question open, and
    `attrs["explanation"]` says why.
    """
    env: Any = agent.env
    checked = [audit(m.examples, asked_of(m, symmetry, agent), seed=seed) for m in maps]
    try:
        table = _paired(agent, env.of(symmetry) if hasattr(env, "of") else symmetry, episodes, seed)
    except OrbitscopeError as error:
        return [one.assign_attrs(explanation=f"The environment was not audited: {error}") for one in checked]
    names = table["element"].values.tolist()
    shares = np.fmax(table["transition_share"].values, np.nan_to_num(table["reward_share"].values))
    words, sizes = dict(zip(names, map(str, table["verdict"].values), strict=True)), dict(zip(names, shares.tolist(), strict=True))
    return [with_measured(one, words, sizes, law=_LAW, explanation=str(table.attrs["explanation"])) for one in checked]


def asked_of(found: ProbedMap, symmetry: EnvSymmetry, agent: Agent | ModelLearner) -> Any:
    """The symmetry of a map under the group of another declaration.

    * `found`: of `probed_maps`. `symmetry`: of the environment, with that group. `agent`: PPO has a value, others a critic of actions.
    """
    if found.name == "dynamics":
        return dynamics_symmetry(symmetry)
    return symmetry.policy if found.name == "policy" else symmetry.value if agent.about["agent"] == "ppo" else symmetry.critic


def _paired(agent: Agent | ModelLearner, symmetry: EnvSymmetry, episodes: int, seed: int) -> xr.Dataset:
    def wander(seen: Any) -> Any:
        return agent.predict(seen, deterministic=False)[0]

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "audit on the way of an agent"))
        return audit_environment(agent.env, symmetry, episodes=episodes, length=8, seed=seed, policy=wander, repair=False)
