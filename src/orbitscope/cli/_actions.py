"""What the verbs do, on files."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import torch
import xarray as xr
from rich.console import Console

from .._errors import OrbitscopeError, reading
from .._executor import Where
from .._json import json_text
from ..data import KEPT, Shard, Trajectories, Writer, folder_files, holds, is_pattern, kept
from ..discover import holds_discovery
from ..emulators import SIDECAR, Run, load_run, load_runs
from ..physics import Scenario, planned, simulate
from ..probe import KIND, Adam, ProbeConfig, examine, kind_of, load_model, open_probe, save_probe
from ..report import summary_table
from ..systems import is_system_run
from ._discover import describe_discovery
from ._early import check_law, check_out, read_groups
from ._guests import adapted
from ._output import about_probe, about_run, record
from ._progress import stages
from ._where import at_work
from ._words import load_words


def simulate_to_file(
    name: str,
    out: Path,
    *,
    trajectories: int,
    resolution: int,
    frames: int | None = None,
    t_end: float | None = None,
    refine: int = 1,
    seed: int = 0,
    device: str = "cpu",
    batch: int | None = None,
    shard: Shard | None = None,
    initial: Mapping[str, Any] | None = None,
    law: Mapping[str, Any] | None = None,
    keep: Sequence[str] = (),
    force: bool = False,
    progress: Callable[[str, float, float], None] | None = None,
    executor: Where = None,
) -> Path:
    """Simulate into a file, chunk by chunk; goes on with an unfinished one. With `shard`, only the trajectories of that part.

    `initial` and `law` are parameters of the initial states and of the equation, `keep` the fields to store; all of it stands in the
    provenance.
    """
    plan, solver = planned(name, initial or {}, law or {})
    frames, t_end = plan.frames if frames is None else frames, plan.t_end if t_end is None else t_end
    if frames < 2:
        raise OrbitscopeError(f"simulate: `frames` must be at least 2, got {frames}: a trajectory needs a transition.")
    provenance = {
        "scenario": plan.name, "equation": solver.name, "parameters": solver.parameters, "seed": seed, "resolution": resolution,
        "refine": refine, "t_end": t_end,
    }  # fmt: skip
    if plan.initial_parameters:
        provenance["initial_parameters"] = plan.initial_parameters
    if plan.notes:  # what a published description leaves open
        provenance["notes"] = plan.notes
    if unknown := [n for n in keep if n not in {f.name for f in solver.layout.fields}]:
        known = ", ".join(f.name for f in solver.layout.fields)
        raise OrbitscopeError(f"--keep: {plan.name} has no field {', '.join(unknown)}. Known: {known}.")
    layout, channels = kept(solver.layout, keep)
    if layout != solver.layout:
        provenance[KEPT] = [f.name for f in layout.fields]
    options = {
        "equation": solver,
        "trajectories": trajectories,
        "resolution": resolution,
        "frames": frames,
        "t_end": t_end,
        "seed": seed,
        "refine": refine,
        "device": device,
        "batch": batch,
    }
    simulate(plan, **options)  # a generator: this only checks the arguments, before any file is made
    mine, stage = range(trajectories), f"simulate {plan.name}"
    if shard is not None:
        mine, stage = shard.indices(trajectories), f"{stage}, part {shard}"
        provenance["shard"] = shard.describe(trajectories)
    described = (layout, solver.grid(resolution), t_end / (frames - 1), len(mine), frames, provenance)
    if not force and holds(out, *described):  # the same command again: there is nothing left to do
        Console(stderr=True).print(f"{out} is there already, made with the same settings", highlight=False, soft_wrap=True)
        return Path(out)
    with Writer(out, *described, force=force) as writer:
        missing = [mine[i] for i in writer.missing]
        done = len(mine) - len(missing)
        with contextlib.closing(simulate(plan, indices=missing, executor=executor, **options)) as chunks:
            for indices, values in chunks:
                writer.write([i - mine.start for i in indices], values[:, :, channels])
                done += len(indices)
                if progress is not None:
                    progress(stage, done, len(mine))
    return Path(out)


def probe_to_file(
    model: str,
    path: Path,
    out: Path,
    groups: Sequence[str],
    config: ProbeConfig,
    *,
    weights: Path | None = None,
    frames: int | None = None,
    law: str | None = None,
    title: str | None = None,
    device: str = "auto",
    force: bool = False,
    options: Sequence[str] = (),
    trust: bool = False,
    like: str | None = None,
    words: Sequence[str] = (),
    workers: int | None = None,
    cluster: str | None = None,
) -> int:
    """Probe a model (each seed of a run) on a file, print the verdict, write the result."""
    groups = read_groups(groups)
    check_law(law)
    place = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    found = _models(model, weights, frames, out, place, trust)  # what can be refused is refused before the data are read
    for target, *_ in found:
        check_out(force, out=target)
    trajectories = load_words(path, options)
    _say_notes(trajectories)
    cases = [(out, net, about, trajectories if run is None else tested_on(run, trajectories)) for out, net, about, run in found]
    if like is not None or words:
        cases = adapted(cases, trajectories, like, words, frames)
    trees = []
    with at_work(workers, cluster) as pool:
        for (target, module, about, tested), (*_, run) in zip(cases, found, strict=True):
            part = (
                "all"
                if run is None or run.part(trajectories) is None
                else f"test: {len(tested)} of {len(run.cut(trajectories))} trajectories"
            )
            about = {**about, "data_path": str(path), "data_part": part, **({"title": title} if title else {})}
            mine = config
            if config.metric == "adam":
                module, mine = _with_optimiser(str(about.get("model_path", model)), config, place, trust)
            with stages() as bars:
                tree = examine(
                    module, tested, list(groups), mine, audit_data=trajectories, law=law, progress=bars,
                    planned=lambda plan: Console(stderr=True).print(f"memory: {plan}", highlight=False, soft_wrap=True),
                    executor=pool, **about,
                )  # fmt: skip
            trees.append(tree)
            save_probe(tree, target, force=force)
            print(target)
    record(probes=[{"file": target, **about_probe(tree)} for (target, *_), tree in zip(cases, trees, strict=True)])
    Console().print(summary_table(trees))
    return 0


def _with_optimiser(path: str, config: ProbeConfig, device: str, trust: bool) -> tuple[torch.nn.Module, ProbeConfig]:
    """The last weights of a run, whose training state holds the moments, and the metric made of them."""
    metric = Adam.from_run(path, trust=trust)
    return load_run(path, "last", device, trust=trust).model, replace(config, metric=metric)


def describe(path: Path, options: Sequence[str] = (), *, trust: bool = False) -> str:
    """Words on a file of trajectories, a probe, or a run folder."""
    record(path=path)
    run = (path / SIDECAR).exists() or any(path.glob(f"*/{SIDECAR}"))
    several = path.is_dir() and (path.suffix == ".zarr" or (folder_files(path) and not (path / SIDECAR).exists()) or not run)
    if options or several:
        return _describe_data(path, options)
    if path.is_dir() and is_system_run(path, "agent"):
        from ._environments import describe_agents

        return describe_agents(path)
    if path.is_dir():
        runs = load_runs(path, trust=trust)
        record(kind="run", runs=[about_run(run) for run in runs])
        return "\n".join(f"{run.path}: {run}\n  layout {run.layout}; grid {run.grid}; dt {run.dt:g}" for run in runs)
    if not path.exists() and not is_pattern(path):
        raise OrbitscopeError(f"info: there is no file or folder {path}.")
    if holds_discovery(path):
        return describe_discovery(path)
    from ._examples import describe_examples, holds_examples

    if holds_examples(path):
        return describe_examples(path)
    kind = kind_of(path) if path.is_file() and h5py.is_hdf5(path) else None
    if kind is not None and kind.endswith("of an environment"):
        from ._environments import describe_audit

        return describe_audit(path)
    if kind is not None and kind.endswith("of a plan"):
        from ._plan import describe_plan

        return describe_plan(path)
    if kind != KIND:  # what a file is, before any of its values are read
        return _describe_data(path)
    with reading(path, "info"):
        return _describe_probe(open_probe(path))


def _describe_data(path: Path, options: Sequence[str] = ()) -> str:
    data = load_words(path, options)
    record(
        kind="trajectories", trajectories=data.trajectories, times=data.times, dt=data.dt, layout=data.layout.to_dict(),
        grid=data.grid.to_dict(), provenance=data.provenance, notes=data.notes,
    )  # fmt: skip
    return data.describe()


def _describe_probe(tree: xr.DataTree) -> str:
    record(kind="probe", **about_probe(tree))
    title = tree.attrs.get("title", tree.attrs.get("model", "without a title"))
    lines = [f"{title}: {tree.attrs.get('data_description', 'data not described')}"]
    lines.append(f"made by: {tree.attrs.get('command', 'not recorded')}")
    for name, node in tree.children.items():
        if "verdict" in node:
            words = node["verdict"].attrs
            lines += [f"{name}: {words[k]}" for k in ("sentence_data", "sentence_output", "sentence_learning", "sentence_next")]
    return "\n".join(lines)


def about_scenario(plan: Scenario) -> dict[str, Any]:
    """What `simulate` takes for it."""
    solver = plan.equation()
    return {
        "name": plan.name, "alias": plan.alias, "description": plan.description, "initial": plan.initial_parameters,
        "equation": solver.parameters, "fields": str(solver.layout), "frames": plan.frames, "t_end": plan.t_end,
        "grid": str(solver.grid(64)), "notes": plan.notes,
    }  # fmt: skip


def describe_scenario(plan: Scenario) -> str:
    """The same for people."""
    about = about_scenario(plan)
    said = {f"--{flag}": ", ".join(f"{k}={v}" for k, v in about[flag].items()) for flag in ("initial", "equation")}
    said |= {"fields": about["fields"], "note": about["notes"]}
    said["default"] = f"{plan.frames} states up to t = {plan.t_end:g}, {about['grid']} at --resolution 64"
    title = f"{plan.name}" + (f" ({plan.alias})" if plan.alias else "") + f": {plan.description}"
    order = ("--initial", "--equation", "fields", "default", "note")
    return "\n".join([title, *(f"  {what:<11} {said[what]}" for what in order if said[what])])


def training_curves(run: Run) -> xr.Dataset:
    """The history of a run for the report."""
    epochs = [int(h["epoch"]) for h in run.history]
    test = run.metrics.get("test") or run.metrics.get("validation") or {}
    return xr.Dataset(
        {f"{part}_loss": ("epoch", [h[part] for h in run.history]) for part in ("train", "validation")},
        coords={"epoch": epochs},
        attrs={
            "test_smse": test.get("smse", float("nan")),
            "persistence_smse": test.get("smse_persistence", float("nan")),
            "epochs": run.epoch,
            "seconds": sum(h["seconds"] for h in run.history),
            "schedule": run.config.schedule,
            "parameters": run.parameters,
        },
    )


def run_case(run: Run) -> dict[str, Any]:
    """What the report should know of a run."""
    return {
        "model": f"{run.config.model} {run.config.preset}" + (f", {run.config.frames} frames" if run.config.frames > 1 else ""),
        "model_path": str(run.path),
        "training": training_curves(run),
        "training_seed": run.seed,
        "training_config": json_text(run.config.to_dict(), what="training_config"),
    }


def tested_on(run: Run, trajectories: Trajectories) -> Trajectories:
    """The test trajectories, if the data have the shape of those that the run was trained on; else all of them."""
    tested = run.part(trajectories)
    return run.cut(trajectories) if tested is None else tested


def _models(
    model: str, weights: Path | None, frames: int | None, out: Path, device: str, trust: bool
) -> list[tuple[Path, torch.nn.Module, dict[str, Any], Run | None]]:
    """Every model with the file for its result, what the report should know of it, and its run if it has one."""
    if Path(model).is_dir() and weights is None:
        runs = load_runs(model, device=device, trust=trust)
        several = len(runs) > 1
        if frames is not None and (wrong := [run for run in runs if run.config.frames != frames]):
            raise OrbitscopeError(
                f"frames: {wrong[0].path} was trained with frames = {wrong[0].config.frames}, not {frames}. Leave it out."
            )
        return [
            (
                out.with_name(f"{out.stem}.seed-{run.seed}{out.suffix}") if several else out,
                run.model,
                {**run_case(run), "title": f"{run.config.model} {run.config.preset}" + (f", seed {run.seed}" if several else "")},
                run,
            )
            for run in runs
        ]
    return [
        (
            out,
            load_model(model, weights, device=device, frames=frames, trust=trust),
            {"model": model, "model_path": model, "title": model},
            None,
        )
    ]


def _say_notes(trajectories: Trajectories) -> None:
    console = Console(stderr=True)
    for note in trajectories.notes:
        console.print(note, style="dim", highlight=False, soft_wrap=True, markup=False)
