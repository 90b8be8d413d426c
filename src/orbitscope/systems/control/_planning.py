"""Episodes of a planner in an environment that is known by name, written and drawn."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from ..._errors import OrbitscopeError
from ..._expect import expect_number
from ..._whole import write_whole
from ...symmetry import Symmetry
from ._balls import BALLS, balls
from ._environments import TRADING, environment, symmetry_of
from ._planner import METHODS, Planner
from ._planner_actions import action_set
from ._planner_audit import decision_errors
from ._simulator import SimulatorModel

Told = Callable[[str, float, float], None]
PLAN_KIND = "orbitscope record of a plan"


def plan_episodes(
    name: str,
    *,
    planner: str = "mppi",
    group: str | None = None,
    episodes: int = 1,
    steps: int | None = None,
    horizon: int = 12,
    samples: int | None = None,
    temperature: float | None = None,
    std: float = 0.7,
    seed: int = 0,
    audited: int = 2,
    progress: Told | None = None,
) -> xr.Dataset:
    """Plan in the environment `name` with its true model: states, actions and rewards, and how far decisions are from commuting.

    * `planner`: "mppi", "cem" or "mixture". `group`: words of a group of the environment; None: the declared one; "none": no group.
    * `episodes`: how many. `steps`: actions in each; None: until it ends.
    * `horizon`, `samples`, `temperature`, `std`: of the `Planner`; None: 256 sequences for balls, whose step is batched, 32 for a simulator
      (or the next multiple of the group's order), and temperature 0.1.
    * `seed`: of starts and noise. `audited`: states at which decisions in turned worlds are compared.
    * `progress(stage, done, total)`: called now and then.

    Balls plan on their own batched step; other environments ask a second copy of the simulator, K H steps for each decision. Raises
    `OrbitscopeError` for an unknown environment or planner, and for a group that does not leave its actions alone.
    """
    if planner not in METHODS:
        raise OrbitscopeError(f"plan: `planner` should be one of {', '.join(METHODS)}, got {planner!r}.")
    for what, value in (("episodes", episodes), ("horizon", horizon), ("audited", audited)):
        expect_number(value, f"plan: `{what}`", whole=True)
        if value < 1:
            raise OrbitscopeError(f"plan: `{what}` should be at least 1, got {value}.")
    env = environment(name)
    made, symmetry = _planner(name, env, planner, group, horizon, samples, temperature, std, seed)
    runs = [_episode(env, made, seed + i, steps, lambda done, total, i=i: _tell(progress, i, done, total)) for i in range(episodes)]
    longest = max(len(r["action"]) for r in runs)
    found = xr.Dataset(
        {what: (dims, np.stack([_padded(r[what], longest + (what == "state")) for r in runs])) for what, dims in _DIMS.items()}
    )
    seen = runs[0]["state"]
    chosen = seen[np.linspace(0, len(seen) - 1, min(audited, len(seen))).astype(int)]
    errors = decision_errors(made, torch.as_tensor(chosen), symmetry, calls=(0,))
    found = found.merge(errors.rename(error="decision_error", scale="decision_scale", state="audited"))
    found = found.merge(_ways(name, found.state.values))
    found = found.assign_coords(component=list(symmetry.input.channels), of_action=list(symmetry.output.channels))
    found.reward.attrs["long_name"] = "reward of the state that the action led to"
    return found.assign_attrs(
        kind=PLAN_KIND, environment=name, planner=planner, group=made.turning.name if made.turning else "none",
        compared=symmetry.group.name, horizon=horizon, samples=made.samples, temperature=made.temperature, std=std, seed=seed,
        model="batched step" if name in BALLS else "simulator",
    )  # fmt: skip


_DIMS = {"state": ("episode", "time", "component"), "action": ("episode", "step", "of_action"), "reward": ("episode", "step")}


def _planner(
    name: str, env: Any, method: str, group: str | None, horizon: int, samples: int | None, temperature: float | None, std: float, seed: int
) -> tuple[Planner, Symmetry]:
    """The planner, and the symmetry that its decisions are held against."""
    declared = symmetry_of(name, None if group in (None, "none") else group)
    if name in BALLS:
        world = balls(name)
        step, cost, actions, usual = world.step, world.cost, world.actions, 256
        symmetry = declared.policy
    else:
        if name == TRADING:
            raise OrbitscopeError(
                "plan: the true model of a market is its own future, which a plan would know. Train an agent: train trading --agent sac."
            )
        model = SimulatorModel(environment(name))
        step, cost, actions, usual = model.step, model.cost, action_set(env.action_space), 32
        if declared.state is None:
            raise OrbitscopeError(f"plan: {name} does not say how its simulator's state moves: EnvSymmetry(..., state=...).")
        symmetry = Symmetry(declared.group, declared.state, declared.action)
    order = 1 if group == "none" else len(declared.group.elements)
    count = samples or -(-usual // order) * order
    elites: dict[str, Any] = {} if method == "mppi" else {"elites": max(4, count // 8)}
    temperature = temperature or (None if method == "cem" else 0.1)
    made = Planner(
        step, cost, actions, method=method, horizon=horizon, samples=count, std=std, temperature=temperature,
        symmetry=None if group == "none" else symmetry, seed=seed, **elites,
    )  # fmt: skip
    return made, symmetry


def _episode(env: Any, planner: Planner, seed: int, steps: int | None, tell: Callable[[int, int], None]) -> dict[str, np.ndarray]:
    """States, actions and rewards of one episode."""
    env.reset(seed=seed)
    planner.mean = None
    states, actions, rewards = [np.asarray(env.get_state(), dtype=np.float64)], [], []
    while steps is None or len(actions) < steps:
        action = planner.command(states[-1]).double().numpy()
        _, reward, ended, cut, _ = env.step(action)
        states.append(np.asarray(env.get_state(), dtype=np.float64))
        actions.append(action)
        rewards.append(float(reward))
        tell(len(actions), steps or 0)
        if ended or cut:
            break
    return {"state": np.stack(states), "action": np.stack(actions), "reward": np.array(rewards)}


def _ways(name: str, states: np.ndarray) -> xr.Dataset:
    """Where bodies go in space, and their targets, of worlds that are places: balls; nothing for others."""
    if name not in BALLS:
        return xr.Dataset()
    world = balls(name)
    place, _, target = np.split(states.reshape(*states.shape[:2], 3 * world.count, world.ndim), 3, axis=2)
    return xr.Dataset(
        {
            "place": (("episode", "time", "body", "axis"), place, {"units": "m"}),
            "target": (("episode", "body", "axis"), target[:, 0], {"units": "m"}),
        },
        {"axis": list("xyz"[: world.ndim])},
    )


def _padded(values: np.ndarray, length: int) -> np.ndarray:
    """NaN behind the end of an episode that was shorter than others."""
    return np.pad(values, [(0, length - len(values))] + [(0, 0)] * (values.ndim - 1), constant_values=np.nan)


def _tell(progress: Told | None, episode: int, done: int, total: int) -> None:
    if progress is not None:
        progress(f"episode {episode + 1}", done, max(total, done))


def save_plan(found: xr.Dataset, path: Path | str) -> Path:
    """Write `found`, what `plan_episodes` returned, to the NetCDF file `path`, whole or not at all."""
    content = found.to_netcdf(engine="h5netcdf")
    write_whole(Path(path), lambda part: part.write_bytes(content))
    return Path(path)


def plan_picture(found: xr.Dataset) -> Any:
    """A figure of matplotlib: the way of the state, rewards, and errors of decisions by element, of what `plan_episodes` `found`."""
    import matplotlib.pyplot as plt

    figure, (way, gain, turn) = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    name = found.attrs["environment"]
    if "place" in found:
        for places, targets in zip(found.place.values, found.target.values, strict=True):
            for i, goal in enumerate(targets):
                x, y = places[:, i, 0], places[:, i, 1]
                (line,) = way.plot(x, y, lw=1.2)
                way.plot(x[0], y[0], "o", color=line.get_color(), ms=4)
                way.plot(goal[0], goal[1], "x", color=line.get_color(), ms=7)
        way.set(xlabel="x (m)", ylabel="y (m)", aspect="equal", title="from the dot to the cross")
    else:
        way.plot(found.state.isel(episode=0), lw=1)
        way.set(xlabel="action", ylabel="components of the state", title="first episode")
    for rewards in found.reward.values:
        gain.plot(rewards, lw=1)
    gain.set(xlabel="action", ylabel="reward", title=f"{name}, {found.attrs['planner']}, group {found.attrs['group']}")
    worst = found.decision_error.max(("call", "audited"))
    turn.bar(range(len(worst)), np.maximum(worst.values, 1e-17), color="#0072B2")
    turn.axhline(float(found.decision_scale), color="k", ls=":", lw=1, label="size of an action")
    way.locator_params(nbins=4)
    turn.set(yscale="log", ylabel="decision-equivariance error", title="does a decision turn with the world?", ylim=(1e-17, 10))
    names = [str(n) for n in worst.element.values]
    few = range(0, len(names), -(-len(names) // 16))
    turn.set_xticks(list(few), [names[i] for i in few], rotation=90 if len(names) > 8 else 0, fontsize=8)
    turn.legend(fontsize=8, frameon=False)
    return figure
