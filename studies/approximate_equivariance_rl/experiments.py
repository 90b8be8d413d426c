"""One arm in one environment: trained, evaluated on the way, with noise, under the moved world; and the environment, audited."""

import time
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from study import WIDER, Job, Place, Settings, first_learnt

from orbitscope.systems.control import Agent, audit_environment, environment, epsilons, learnt_bound, probed_maps, returns, symmetry_of


def work(place: Place, job: Job, deadline: float, tell: Any) -> None:
    """Everything about one job, kept when it is whole."""
    if place.case_file(job.key, "control").exists():
        return
    started = time.process_time()
    if job.arm == "environment":
        tables = audited(place.settings, job)
    else:
        agent, tables = trained(place.settings, job)
        agent.save(place.out / "agents" / job.key)  # so that what is measured later needs no training
    seconds = time.process_time() - started
    place.write_case(job.key, "control", job.label, tables, seconds)
    row = next(iter(tables.values()))[0]
    tell(
        f"{job.environment}, {job.size:g}, {job.arm}, seed {job.seed}: "
        + ", ".join(f"{k} {v:.4g}" for k, v in row.items())
        + f"; {seconds:.0f} CPU s"
    )


def audited(settings: Settings, job: Job) -> dict[str, list[dict[str, Any]]]:
    """Table "environments": the measured epsilons."""
    env = environment(job.name(settings.kind), repeat=settings.repeat)
    table = audit_environment(env, symmetry_of(job.environment), repair=False)
    rewards, steps = epsilons(table)
    shares = {name: float(np.nanmax(table[name].values)) for name in ("reward_share", "transition_share")}
    row = {"epsilon_r": rewards, "epsilon_p": steps, **shares, "rollout_error": float(table["rollout_error"].max())}
    if len(env.observation_space.shape) > 1:  # pictures: they may lack a symmetry that the world has
        row |= {f"observation_{what}": float(table[f"observation_{what}"].max()) for what in ("share", "error")}
    return {"environments": [row]}


def trained(settings: Settings, job: Job) -> tuple[Agent, dict[str, list[dict[str, Any]]]]:
    """The agent, and tables "agents" and "bounds" (a row), "curves" (a row for each evaluation) and "noise" (a row for each noise)."""
    name = job.name(settings.kind)
    train, test = (environment(name, repeat=settings.repeat) for _ in range(2))
    options = {"batch_size": settings.batch, "learning_rate": settings.rate, "learning_starts": first_learnt(settings.steps)}
    policy, width = ("exact", 2 * round(WIDER * settings.width / 2)) if job.arm == "wider" else (job.arm, settings.width)
    agent = Agent(train, symmetry_of(job.environment), policy=policy, width=width, seed=job.seed, options=options)
    curves, spent = [], 0.0
    while agent.steps < settings.steps:
        clock = time.process_time()
        agent.stage(min(settings.every, settings.steps - agent.steps))
        spent += time.process_time() - clock
        found = returns(agent, test, episodes=settings.episodes, seed=job.seed)
        curves.append({"steps": agent.steps, "return": float(found.mean())})
    scale = _scales(agent)
    noise = []
    for kind, level in [("observation", n) for n in settings.noises] + [("action", settings.action_noise)]:
        given: dict[str, Any] = {"observation_noise": level * scale} if kind == "observation" else {"action_noise": level}
        found = returns(agent, test, episodes=settings.episodes, seed=job.seed, **given)
        noise.append({"noise": kind, "level": level, "return": float(found.mean())})
    row = {
        "return": float(np.mean([c["return"] for c in curves[-2:]])), "area": float(np.mean([c["return"] for c in curves])),
        "training_seconds": spent, "step_seconds": spent / settings.steps, "parameters": agent.parameters, **_asymmetry(agent),
    }  # fmt: skip
    found: dict[str, Any] = {"agents": [row], "curves": curves, "noise": noise}
    if settings.paired:
        found["bounds"] = [asdict(learnt_bound(agent, test, episodes=settings.paired, seed=job.seed))]
    return agent, found


def _scales(agent: Agent) -> Any:
    """The root mean square of each field of the observation in the replay; of pictures one number, their spread over states."""
    buffer = agent.model.replay_buffer
    seen = buffer.observations[: buffer.pos, 0]
    if seen.ndim > 2:
        return float(np.sqrt(seen.var(0).mean()))
    layout = agent.symmetry.layout("observation")
    size = np.sqrt(np.square(seen).mean(0))
    fields = np.asarray(layout.field_of_channel)
    return np.array([np.sqrt(np.square(size[fields == f]).mean()) for f in fields])


def _asymmetry(agent: Agent) -> dict[str, float]:
    """Commutator of the policy, and of the critic in units of the spread of its values, root mean squares over own roll-outs."""
    found = {}
    for one in probed_maps(agent, episodes=4, length=60, every=5, seed=agent.seed):
        x = one.examples.x
        gaps, sizes = [], []
        with torch.no_grad():
            plain = one.model(*x) if isinstance(x, tuple) else one.model(x)
            for g in agent.symmetry.group.elements[1:]:
                moved = one.symmetry.input(g, x)
                answer = one.model(*moved) if isinstance(moved, tuple) else one.model(moved)
                gaps.append(float((answer - one.symmetry.output(g, plain)).square().mean()))
                sizes.append(float(plain.square().mean() if one.name == "policy" else plain.var()))
        found[f"{one.name}_gap"] = float(np.sqrt(np.mean(gaps)))
        found[f"{one.name}_asymmetry"] = float(np.sqrt(np.mean(gaps) / max(np.mean(sizes), 1e-12)))
    return found
