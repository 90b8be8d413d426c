"""Runs of agents: trained stage by stage into a folder, gone on with bit for bit, opened again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ..._lock import locked
from ...training.files import BEST, LAST, SIDECAR, entries, load_weights, read_json, read_weights, seed_folders, write_json, write_weights
from ._agent import STAGE, Agent, returns
from ._environments import environment, symmetry_of
from ._model_learner import ModelLearner

AGENT_STATE = "state.safetensors"
_OWN = ("width", "depth", "banks", "penalty")
_FILES = {SIDECAR, BEST, LAST, AGENT_STATE}


@dataclass(frozen=True, eq=False)
class AgentRun:
    """A trained agent with how it went.

    * `path`: the run folder. `environment`: name of the environment. `agent`: with the weights of the best evaluation.
    * `history`: one entry per stage: "steps", "returns" of the evaluation's episodes, "seconds" of the processor. `config`: its settings.
    * `finished`: whether all steps were done.
    """

    path: Path
    environment: str
    agent: Agent | ModelLearner
    history: tuple[Mapping[str, Any], ...]
    config: Mapping[str, Any]
    finished: bool

    @property
    def seed(self) -> int:
        """Of the training."""
        return int(self.config["seed"])

    def __str__(self) -> str:
        last = self.history[-1] if self.history else {"steps": 0, "returns": [float("nan")]}
        best = max((float(np.mean(h["returns"])) for h in self.history), default=float("nan"))
        words = f"{self.config['agent']} {self.config['policy']} in {self.environment}: return {np.mean(last['returns']):.4g}"
        return f"{words} after {last['steps']:,} steps (best {best:.4g}); {self.agent.parameters:,} parameters"


def train_agent(
    name: str, out: str | Path, *, agent: str = "sac", policy: str = "exact", steps: int = 50_000, group: str | None = None,
    seeds: Sequence[int] = (0,), repeat: int = 1, every: int = STAGE, episodes: int = 5, options: Mapping[str, Any] | None = None,
    force: bool = False, progress: Callable[[str, float, float], None] | None = None,
) -> list[AgentRun]:  # fmt: skip
    """Train an agent in an environment that is known by name, into a run folder for each seed.

    * `name`: of the environment, "reacher", "reacher+wind=0.2". `out`: folder; several seeds make seed-0, seed-1, ... in it.
    * `agent`, `policy`: as of `Agent`; "model_based" is a `ModelLearner`. `group`: word of another group than the declared one.
    * `repeat`: steps of the task for which an action holds; the table's environments take it.
    * `steps`: of the agent in all; more of them go on with a run that is there. `every`: steps of a stage, after each of which all is
      written. `episodes`: that the mean policy then plays, whole ones.
    * `seeds`: one run each. `options`: width, depth, banks and penalty of the networks, and options of the algorithm by its names;
      of "model_based" those of `ModelBasedConfig`.
    * `force`: whether a run that is there is replaced. `progress(stage, done, total)`: called now and then.

    Interrupted, the same call goes on from the last whole stage, bit for bit. Raises `OrbitscopeError` for unknown names and options, and
    for a folder that holds another run.
    """
    if steps < 1 or every < 1 or episodes < 1:
        raise OrbitscopeError(f"train: `steps`, `every` and `episodes` should be at least 1, got {steps}, {every} and {episodes}.")
    given = dict(options or {})
    own = {k: given.pop(k) for k in _OWN if k in given}
    folders = seed_folders(Path(out), seeds)
    for seed, folder in folders.items():
        config = {
            "environment": name, "agent": agent, "policy": policy, "group": group, "repeat": repeat, "every": every, "episodes": episodes,
            "seed": seed, "networks": own, "options": given,
        }  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / SIDECAR):
            _trained(folder, config, steps, force, progress)
    return [open_agent(folder) for folder in folders.values()]


def _trained(folder: Path, config: dict[str, Any], steps: int, force: bool, progress: Callable[[str, float, float], None] | None) -> None:
    foreign = sorted(
        p.name for p in folder.iterdir() if p.name not in _FILES and not p.name.startswith(".") and not p.name.endswith(".part")
    )
    if foreign and not (folder / SIDECAR).exists():
        raise OrbitscopeError(f"out: {folder} holds other files ({', '.join(foreign[:3])}); give a folder of its own.")
    made, test = _made(config), _environment(config)
    history: list[dict[str, Any]] = []
    if (folder / SIDECAR).exists() and not force:
        kept = read_json(folder / SIDECAR).get("config", {}).get("agent", {})
        if changed := [k for k in config if kept.get(k) != config[k]]:
            raise OrbitscopeError(
                f"out: {folder} holds a run with {changed[0]} = {kept.get(changed[0])!r}, now {config[changed[0]]!r}. Give another folder, "
                "or force=True (--force) to replace it."
            )
        if (folder / AGENT_STATE).exists():
            tensors, numbers = read_weights(folder / AGENT_STATE)
            made.restore(tensors, numbers)
            history = list(numbers["history"])
    if not (folder / SIDECAR).exists() or force:
        for name in _FILES:
            (folder / name).unlink(missing_ok=True)
        _write_sidecar(folder, config, made, history, finished=False)
    while made.steps < steps:
        before = _processor()
        made.stage(min(config["every"], steps - made.steps), progress, steps)
        spent = _processor() - before
        found = returns(made, test, episodes=config["episodes"], seed=config["seed"])
        history.append({"steps": made.steps, "returns": found.tolist(), "seconds": round(spent, 3)})
        if progress is not None:
            progress("learn", made.steps, steps)
        _write(folder, config, made, history, finished=made.steps >= steps)
    if (folder / SIDECAR).exists() and not read_json(folder / SIDECAR)["finished"]:
        _write_sidecar(folder, config, made, history, finished=True)


def _write(folder: Path, config: dict[str, Any], made: Agent | ModelLearner, history: list[dict[str, Any]], *, finished: bool) -> None:
    """The state last but one: whoever finds the sidecar older than it goes on from the state."""
    scores = [float(np.mean(h["returns"])) for h in history]
    if scores[-1] >= max(scores):
        write_weights(folder / BEST, made.weights, {"steps": made.steps})
    write_weights(folder / LAST, made.weights, {"steps": made.steps})
    tensors, numbers = made.state()
    write_weights(folder / AGENT_STATE, _Tensors(tensors), {**numbers, "history": history})
    _write_sidecar(folder, config, made, history, finished=finished)


def _write_sidecar(
    folder: Path, config: dict[str, Any], made: Agent | ModelLearner, history: list[dict[str, Any]], *, finished: bool
) -> None:
    about = {
        "config": {"agent": config}, "seed": config["seed"], "group": made.symmetry.group.name, "parameters": made.parameters,
        "history": history, "finished": finished, "steps": made.steps,
    }  # fmt: skip
    write_json(folder / SIDECAR, about)


def is_agent_run(path: str | Path) -> bool:
    """Whether a run of an agent, or the runs of several seeds, lie in the folder `path`."""
    found = _folders(Path(path))
    return bool(found) and "agent" in read_json(found[0] / SIDECAR).get("config", {})


def open_agents(path: str | Path) -> list[AgentRun]:
    """The runs of all seeds in the folder `path`, one for the folder of a single run; raises `OrbitscopeError` where there is none."""
    found = _folders(Path(path))
    if not found:
        raise OrbitscopeError(f"open_agents: {path} holds no run.")
    return [open_agent(folder) for folder in found]


def open_agent(path: str | Path, which: str = "best") -> AgentRun:
    """The run in one folder.

    * `path`: the folder. `which`: the weights of the "best" evaluation, or of the "last" stage.

    Raises `OrbitscopeError` where it holds no agent, or one whose weights do not fit.
    """
    folder = Path(path)
    kept = read_json(folder / SIDECAR)
    if "agent" not in kept.get("config", {}):
        raise OrbitscopeError(f"open_agent: {folder} holds a run, but not of an agent.")
    kinds = {"environment": str, "agent": str, "policy": str, "repeat": int, "seed": int, "networks": dict, "options": dict}
    config = entries(kept["config"]["agent"], folder / SIDECAR, kinds, "Train again with force=True (--force).")
    made = _made(config)
    file = folder / (BEST if which == "best" and (folder / BEST).exists() else LAST)
    if file.exists():
        weights, about = read_weights(file)
        load_weights(made.weights, weights, str(file))
        made.steps = int(about.get("steps", 0))
    return AgentRun(folder, config["environment"], made, tuple(kept.get("history", ())), config, bool(kept.get("finished")))


def _environment(config: Mapping[str, Any]) -> Any:
    return environment(config["environment"], **({"repeat": config["repeat"]} if config["repeat"] != 1 else {}))


def _made(config: Mapping[str, Any]) -> Agent | ModelLearner:
    env, symmetry = _environment(config), symmetry_of(config["environment"], config["group"])
    common = {"policy": config["policy"], "seed": config["seed"]}
    if config["agent"] == "model_based":
        return ModelLearner(env, symmetry, **common, options={**config["networks"], **config["options"]})
    return Agent(env, symmetry, agent=config["agent"], **common, options=config["options"], **config["networks"])


def _folders(path: Path) -> list[Path]:
    if (path / SIDECAR).is_file():
        return [path]
    found = [p for p in path.glob("seed-*") if (p / SIDECAR).is_file() and p.name.removeprefix("seed-").isdigit()]
    return sorted(found, key=lambda p: int(p.name.removeprefix("seed-")))


def _processor() -> float:
    import time

    return time.process_time()


class _Tensors(nn.Module):
    """Tensors by name, as what writes the weights of a module takes them."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.tensors = dict(tensors)

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return {k: torch.as_tensor(v) for k, v in self.tensors.items()}
