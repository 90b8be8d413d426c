"""What the verbs do with environments: audit their symmetry, train agents in them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from rich.console import Console
from rich.table import Table

from .._errors import OrbitscopeError
from ..nn import relaxation
from ..probe import ProbeConfig, command, examine, open_results, save_probe
from ..report import summary_table, write_agents, write_environment
from ..systems.control import (
    AUDIT_KIND,
    AgentRun,
    agent_summary,
    asked_of,
    audit_environment,
    audits_of,
    environment,
    environment_spec,
    is_agent_run,
    open_agents,
    probed_maps,
    symmetry_of,
    train_agent,
)
from ._early import check_out
from ._output import about_probe, record, several
from ._progress import stages

_COLOURS = {"exact": "green", "approximate": "yellow", "not a symmetry": "red"}


def audit_environments(
    names: Sequence[str], groups: Sequence[str] | None, *, samples: int, seed: int, out: Path | None, force: bool
) -> int:
    """Print the audit of every environment, by the groups asked for or by what is declared; 1 if something declared is no symmetry."""
    if out is not None and len(names) > 1:
        raise OrbitscopeError(f"out: {out} can hold one environment, and {len(names)} are audited. Audit them one after the other.")
    check_out(force, out=out)
    for name in names:  # all of them before the first is audited
        environment_spec(name.partition("+")[0])
    code = 0
    for name in names:
        with several(len(names)):
            code = max(code, _audited(name, groups, samples, seed, out, force))
    return code


def _audited(name: str, groups: Sequence[str] | None, samples: int, seed: int, out: Path | None, force: bool) -> int:
    console, found = Console(), {}
    env = environment(name)
    for words in groups or (None,):
        symmetry = symmetry_of(name, words)
        symmetry = env.of(symmetry) if hasattr(env, "of") else symmetry
        with stages() as bars:
            table = audit_environment(env, symmetry, episodes=max(1, samples // 2), seed=seed, progress=bars)
        found[symmetry.group.name] = table
        colour = _COLOURS[table.attrs["verdict"]]
        console.print(f"{name}, {symmetry.group.name}: [bold {colour}]{table.attrs['verdict']}[/].", highlight=False, soft_wrap=True)
        console.print(table.attrs["explanation"], highlight=False, soft_wrap=True, markup=False)
        console.print(_shown(symmetry.group.name, table))
    record(environment=name, groups=found, verdict={group: table.attrs["verdict"] for group, table in found.items()})
    if out is not None:
        tree = {"/": xr.Dataset(attrs={"kind": AUDIT_KIND, "title": name, "environment": name, "command": command()})}
        tree |= {f"/{group.replace('/', '-')}": table for group, table in found.items()}
        save_probe(xr.DataTree.from_dict(tree), out, force=force)
        print(out)
    return 1 if any(table.attrs["verdict"] == "not a symmetry" for table in found.values()) else 0


def _shown(group: str, table: xr.Dataset) -> Table:
    shown = Table(title=f"{group}: {table.attrs['steps']} paired steps")
    for head in ("element", "epsilon R", "epsilon P", "share of R", "share of P", "observation", "roll-out", "verdict"):
        shown.add_column(head, justify="left" if head in ("element", "verdict") else "right")
    for name in table["element"].values.tolist():
        row = table.sel(element=name)
        numbers = ("reward_epsilon", "transition_epsilon", "reward_share", "transition_share")
        worst = float(row["observation_error"].max())
        cells = [f"{float(row[n]):.2g}" for n in numbers] + [f"{worst:.2g}", f"{float(row['rollout_error']):.2g}"]
        shown.add_row(name, *cells, str(row["verdict"].values))
    return shown


def describe_audit(path: Path) -> str:
    """Words on a file of `orbitscope audit` of an environment."""
    tree = open_results(path)
    found = {node.attrs["group"]: node.to_dataset() for node in tree.children.values()}
    record(kind="audit of an environment", environment=tree.attrs["environment"], groups=found)
    lines = [f"{tree.attrs['environment']}, audited: {tree.attrs['command']}"]
    return "\n".join(lines + [f"{name}: {one.attrs['verdict']}. {one.attrs['explanation']}" for name, one in found.items()])


def train_in(
    name: str, out: Path, *, agent: str, policy: str, steps: int, group: str | None, seeds: Sequence[int], options: Mapping[str, Any],
    force: bool,
) -> int:  # fmt: skip
    """Train an agent in an environment, print a line for each seed."""
    given = dict(options)
    loop = {k: given.pop(k) for k in ("repeat", "every", "episodes") if k in given}
    with stages() as bars:
        runs = train_agent(
            name, out, agent=agent, policy=policy, steps=steps, group=group, seeds=seeds, options=given, force=force, progress=bars, **loop
        )  # fmt: skip
    record(runs=[about_agent(run) for run in runs])
    for run in runs:
        print(f"{run.path}: {run}")
    return 0


def about_agent(run: AgentRun) -> dict[str, Any]:
    """What a program should know of a run."""
    return {
        "path": run.path, "environment": run.environment, "config": run.config, "seed": run.seed, "parameters": run.agent.parameters,
        "history": run.history, "finished": run.finished,
    }  # fmt: skip


def describe_agents(path: Path) -> str:
    """Words on the runs of agents in a folder: how the returns went, and what relaxed networks have broken, element by element."""
    lines = []
    runs = open_agents(path)
    record(kind="agents", runs=[about_agent(run) for run in runs])
    for run in runs:
        lines.append(f"{run.path}: {run}" + ("" if run.finished else "; not finished: the same command goes on"))
        curve = ", ".join(f"{h['steps']:,}: {np.mean(h['returns']):.4g}" for h in run.history[-6:])
        lines.append(f"  returns by steps    {curve or 'none yet'}")
        for name, network in run.agent.networks.items():
            if run.agent.plan.arm in ("relaxed", "residual"):
                broken = relaxation(network)["broken"].max("layer").dropna("element")  # the identity breaks nothing
                said = ", ".join(f"{g} {float(v):.2g}" for g, v in zip(broken["element"].values.tolist(), broken.values, strict=True))
                lines.append(f"  broken, {name:<11} {said} (0 is strict; the layer that breaks an element most)")
    return "\n".join(lines)


def report_agents(paths: Sequence[Path], out: Path, *, title: str | None, force: bool) -> int:
    """Measure the maps of every agent in run folders, write their page and print where it is."""
    if other := [p for p in paths if not (p.is_dir() and is_agent_run(p))]:
        raise OrbitscopeError(f"probes: runs of agents have a page of their own, and {other[0]} is none. Report it in another call.")
    summaries = []
    with stages() as bars:
        runs = [run for path in paths for run in open_agents(path)]
        for k, run in enumerate(runs):
            summaries.append(agent_summary(run))
            bars("measure", k + 1, len(runs))
    options = {} if title is None else {"title": title}
    write_agents(summaries, out, force=force, command=command(), **options)
    measured = [{name: node.to_dataset() for name, node in tree.children.items()} for tree in summaries]
    record(file=out, runs=[about_agent(run) for run in runs], measured=measured)
    print(out)
    return 0


def report_audit(paths: Sequence[Path], out: Path, *, title: str | None, force: bool) -> int:
    """Write the page on an audited environment and print where it is."""
    if len(paths) > 1:
        raise OrbitscopeError(
            "probes: the audit of an environment has a page of its own. Give its file alone, and the others in another call."
        )
    options = {} if title is None else {"title": title}
    write_environment(paths[0], out, force=force, command=command(), **options)
    record(file=out, audit=paths[0])
    print(describe_audit(paths[0]))
    print(out)
    return 0


def probe_agents(model: str, out: Path, groups: Sequence[str] | None, config: ProbeConfig, *, title: str | None, force: bool) -> int:
    """Probe the maps of every run in a folder: `out` has the policy, files beside it the others; print the verdicts."""
    runs = open_agents(model)
    outs = [out.with_name(f"{out.stem}.seed-{run.seed}{out.suffix}") if len(runs) > 1 else out for run in runs]
    others = [("critic", "dynamics") if run.config["agent"] == "model_based" else ("critic",) for run in runs]
    targets = [(one, *(one.with_name(f"{one.stem}.{m}{one.suffix}") for m in more)) for one, more in zip(outs, others, strict=True)]
    for one in (path for pair in targets for path in pair):
        check_out(force, out=one)
    trees, files = [], []
    for run, pair in zip(runs, targets, strict=True):
        maps = probed_maps(run.agent, seed=config.seed)
        declared = [run.agent.symmetry] if groups is None else [symmetry_of(run.environment, g) for g in groups]
        checked = [audits_of(run.agent, maps, symmetry, seed=config.seed) for symmetry in declared]
        for k, (found, target) in enumerate(zip(maps, pair, strict=True)):
            asked = [asked_of(found, symmetry, run.agent) for symmetry in declared]
            words = f"{run.config['agent']} {run.config['policy']} in {run.environment}, {found.name}"
            with stages() as bars:
                tree = examine(
                    found.model, found.examples, asked, config, progress=bars, model=words, model_path=str(run.path),
                    audits={one.name: audits[k] for one, audits in zip(asked, checked, strict=True)},
                    title=(f"{title}, {found.name}" if title else words) + (f", seed {run.seed}" if len(runs) > 1 else ""),
                    training_seed=run.seed, data_path=run.environment, data_part=f"{len(found.examples)} steps of its own roll-outs",
                )  # fmt: skip
            save_probe(tree, target, force=force)
            print(target)
            trees.append(tree)
            files.append(target)
    record(probes=[{"file": target, **about_probe(tree)} for target, tree in zip(files, trees, strict=True)])
    Console().print(summary_table(trees))
    return 0
