"""One agent in numbers: how its returns went, what its layers broke, how far its policy and critic are from symmetric."""

from dataclasses import asdict
from typing import Any

import numpy as np
import torch
import xarray as xr

from ..._json import json_text
from ...nn import relaxation
from ._agent import Agent
from ._agent_probe import ProbedMap, probed_maps
from ._agent_runs import AgentRun
from ._learnt_bound import learnt_bound
from ._model_learner import ModelLearner

SUMMARY_KIND = "orbitscope summary of an agent"
_RELAXED = ("relaxed", "residual")


def agent_asymmetry(agent: Agent | ModelLearner, *, episodes: int = 4, length: int = 60, every: int = 5, seed: int = 0) -> xr.Dataset:
    r"""How far the policy and the critic of an agent are from turning with the world, element by element, on its own roll-outs.

    $$\mathrm{gap}(g) = \mathrm{rms}\, \| \pi(go) - g \pi(o) \|, \qquad \mathrm{rms}\, | Q(go, ga) - Q(o, a) |$$

    * `agent`: whose networks and way are meant. `episodes`, `length`, `every`, `seed`: as of `probed_maps`.

    Returns `gap` [map, element] in the unit of actions (half the box for SAC) and of values, and `relative`: over the root mean square of
    the policy's actions, and over the standard deviation of the critic's values. A commutator says nothing of the return: a policy that
    always stands still has none. Raises `OrbitscopeError` as `probed_maps` does.
    """
    maps = probed_maps(agent, episodes=episodes, length=length, every=every, seed=seed)
    elements = [g for g in agent.symmetry.group.probes(None, 0) if not g.is_identity]
    gaps, sizes = np.zeros((len(maps), len(elements))), np.zeros(len(maps))
    with torch.no_grad():
        for k, one in enumerate(maps):
            plain = _answer(one, one.examples.x)
            size = plain.double().square().mean() if one.name == "policy" else plain.double().var()
            sizes[k] = np.sqrt(max(float(size), 1e-12))
            for j, g in enumerate(elements):
                gap = _answer(one, one.symmetry.input(g, one.examples.x)) - one.symmetry.output(g, plain)
                gaps[k, j] = np.sqrt(float(gap.double().square().mean()))
    about = {"sign": "larger is more broken"}
    return xr.Dataset(
        {
            "gap": (("map", "element"), gaps, {"units": "unit of actions and of values", **about}),
            "relative": (("map", "element"), gaps / sizes[:, None], {"units": "1", **about}),
        },
        {"map": [one.name for one in maps], "element": [g.name for g in elements]},
        {"steps": len(maps[0].examples)},
    )


def agent_summary(run: AgentRun, *, episodes: int = 8, seed: int = 0) -> xr.DataTree:
    """What a report says of a trained agent.

    * `run`: of `train_agent` or `open_agent`. `episodes`: roll-outs on which its maps are measured, 100 steps each. `seed`: of those.

    Nodes: `curve` (returns of every evaluation), `asymmetry` (of `agent_asymmetry`), `broken` (of relaxed layers: the change of a kernel
    under an element, layer by layer), `bound` (of `learnt_bound`, where the agent has a critic of actions and the environment a state that
    can be set). Raises `OrbitscopeError` as `probed_maps` does.
    """
    agent = run.agent
    nodes: dict[str, xr.Dataset] = {"curve": _curve(run), "asymmetry": agent_asymmetry(agent, episodes=episodes, length=100, seed=seed)}
    if agent.plan.arm in _RELAXED:
        parts = [relaxation(net).assign_coords(layer=[f"{name}.{x}" for x in _layers(net)]) for name, net in agent.networks.items()]
        broken = xr.concat(parts, "layer")
        nodes["broken"] = broken.sel(element=np.isfinite(broken["broken"].values).any(0))  # the identity breaks nothing
    if isinstance(agent, Agent) and agent.about["agent"] == "sac" and hasattr(agent.env, "set_state") and agent.symmetry.state is not None:
        found = asdict(learnt_bound(agent, episodes=episodes, seed=seed))
        nodes["bound"] = xr.Dataset({name: ((), value) for name, value in found.items()}, attrs={"discount": float(agent.model.gamma)})
    words = {k: str(run.config[k]) for k in ("agent", "policy")}
    about: dict[str, Any] = {
        "kind": SUMMARY_KIND, "environment": run.environment, "group": agent.symmetry.group.name, "path": str(run.path),
        "parameters": agent.parameters, "steps": run.history[-1]["steps"] if run.history else 0, "seed": run.seed,
        "finished": int(run.finished), "config": json_text(dict(run.config), what="config"), **words,
    }  # fmt: skip
    if isinstance(agent, Agent) and agent.plan.arm == "gated":
        about["opened"] = _opened(agent, seed)
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=about), **{f"/{k}": v for k, v in nodes.items()}})


def _curve(run: AgentRun) -> xr.Dataset:
    steps = [int(h["steps"]) for h in run.history]
    found = np.array([h["returns"] for h in run.history], dtype=float).reshape(len(steps), -1 if steps else 0)
    seconds = [float(h["seconds"]) for h in run.history]
    return xr.Dataset(
        {
            "returns": (("steps", "episode"), found, {"long_name": "return of an episode under the mean policy", "units": "reward"}),
            "seconds": ("steps", seconds, {"long_name": "processor time of the stage", "units": "s"}),
        },
        {"steps": steps},
    )


def _layers(net: torch.nn.Module) -> list[str]:
    return [str(v) for v in relaxation(net)["layer"].values]


def _opened(agent: Agent, seed: int) -> float:
    """How far the gate of the actor is open, mean over its own way."""
    (policy, _) = probed_maps(agent, episodes=3, length=60, seed=seed)
    assert isinstance(policy.examples.x, torch.Tensor)
    with torch.no_grad():
        return float(agent.model.policy.actor.latent_pi.opened(policy.examples.x).mean())


def _answer(one: ProbedMap, x: Any) -> torch.Tensor:
    return one.model(*x) if isinstance(x, tuple) else one.model(x)
