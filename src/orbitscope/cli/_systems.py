"""What the verbs do with the scenarios, models and runs of systems."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import xarray as xr
from rich.console import Console
from rich.table import Table

from .._errors import OrbitscopeError
from .._executor import Where
from .._whole import write_whole
from ..data import Examples
from ..probe import KIND, ProbeConfig, audit, command, examine, save_probe
from ..report import summary_table, write_story
from ..symmetry import Symmetry
from ..systems import SystemRun, load_system, of_scenario, open_runs, systems, train_system
from ..training import FitConfig
from ._audit import audit_table
from ._early import check_out
from ._output import about_probe, record, several
from ._progress import stages
from ._view import SHEET_KINDS
from ._where import at_work

SIMULATOR_KIND = "orbitscope audit of a simulator"


def refuse_flags(settings: Any, taken: Sequence[str], what: str) -> None:
    """Raise for a flag that was set and means nothing here, naming those that do."""
    for field in dataclasses.fields(settings):
        if field.name in taken or field.name == "output" or field.default is dataclasses.MISSING:
            continue
        if getattr(settings, field.name) != field.default:
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in taken)
            raise OrbitscopeError(f"--{field.name.replace('_', '-')} has no meaning for {what}. It takes: {flags}.")


def simulate_system(
    scenario: str, out: Path, *, count: int, seed: int, parameters: dict[str, Any], force: bool, executor: Where = None
) -> int:
    """Write the examples of a system's scenario to a file."""
    name = of_scenario(scenario)
    assert name is not None
    check_out(force, out=out)
    with stages() as bars:
        path = load_system(name).simulate(
            scenario, out, count=count, seed=seed, parameters=parameters, force=force, progress=bars, executor=executor
        )  # fmt: skip
    record(file=path)
    print(path)
    return 0


def about_scenarios(wanted: str | None = None) -> list[dict[str, Any]]:
    """What `simulate` takes for the scenarios of systems: all, or the one that is wanted."""
    names = systems() if wanted is None else [n for n in [of_scenario(wanted)] if n]
    found = []
    for system in map(load_system, names):
        plans = system.scenarios.values() if wanted is None else [system.scenario(wanted)]
        found += [
            {"name": p.name, "description": p.description, "initial": dict(p.parameters), "notes": p.notes, "system": system.name}
            for p in plans
        ]
    return found


def about_environments(wanted: str | None = None) -> list[dict[str, Any]]:
    """What is known of all environments that audit, train and plan take by name, or of the one that is wanted."""
    from ..systems.control import environment_spec, environments

    specs = [environment_spec(name.partition("+")[0]) for name in ([wanted] if wanted else environments())]
    return [{"name": s.name, "description": s.description, "group": s.symmetry.group.name, "notes": s.note} for s in specs]


def describe_environments(found: Sequence[dict[str, Any]]) -> str:
    """The same for people."""
    lines = ["environments, with the group that is declared of each (orbitscope audit NAME, train NAME --agent, plan NAME):"]
    return "\n".join([*lines, *(f"  {e['name']} ({e['group']}): {e['description']}" + f". {e['notes']}" * bool(e["notes"]) for e in found)])


def describe_scenarios(found: Sequence[dict[str, Any]]) -> str:
    """The same for people."""
    lines = []
    for about in found:
        lines.append(f"{about['name']}: {about['description']}")
        said = {"--initial": ", ".join(f"{k}={v}" for k, v in about["initial"].items()), "note": about["notes"]}
        lines += [f"  {what:<11} {words}" for what, words in said.items() if words]
    return "\n".join(lines)


def view_system(
    system: str, path: Path, out: Path | None, animation: Path | None = None, *, chosen: Sequence[int], fix: bool, force: bool
) -> int:  # fmt: skip
    """Write a sheet of a mesh or of examples, or an animation where a system has one; print what was mended."""
    if animation is None and (out is None or out.suffix.lower() not in SHEET_KINDS):
        raise OrbitscopeError(f"out: a sheet is one of {', '.join(SHEET_KINDS)}, got {out}. Give --out sheet.png.")
    if animation is not None and animation.suffix.lower() != ".gif":
        raise OrbitscopeError(f"animation: only .gif is written, got {animation}.")
    written = {name: target for name, target in (("out", out), ("animation", animation)) if target is not None}
    check_out(force, **written)
    done: list[str] = []
    if out is not None:
        figure, done = load_system(system).view(path, chosen, fix)
        write_whole(out, lambda part: figure.savefig(part, format=out.suffix.lower()[1:], dpi=150))
    if animation is not None:
        film = load_system(system).movie(path, chosen)
        write_whole(animation, lambda part: part.write_bytes(film))
    record(files=list(written.values()), mended=done)
    for words in done:
        Console(stderr=True).print(f"mended: {words}", highlight=False, soft_wrap=True, markup=False)
    for target in written.values():
        print(target)
    return 0


def audit_system(system: str, path: Path, groups: Sequence[str] | None, *, samples: int, seed: int, out: Path | None, force: bool) -> int:
    """Print the audit of a file of examples by the symmetries of its system, all or those named; 1 if one is no symmetry of its law."""
    check_out(force, out=out)
    made = load_system(system)
    examples = made.probed(made.read(path))
    known = made.symmetries(examples)
    if unknown := [g for g in groups or () if g not in known]:
        said = f"{system} knows {', '.join(known)}" if known else f"{system} declares none for them"
        raise OrbitscopeError(f"--group: {unknown[0]!r} is no symmetry of these examples. {said}.")
    if not known:
        raise OrbitscopeError(f"audit: {system} declares no symmetry of the examples in {path}.")
    asked = {name: known[name] for name in groups or known}
    return audit_by(path, examples, asked, made.law(examples), samples=samples, seed=seed, out=out, force=force)


def audit_by(
    path: Path, examples: Examples, asked: Mapping[str, Symmetry], law: Any, *, samples: int, seed: int, out: Path | None, force: bool
) -> int:
    """Print the audit of examples by symmetries with a name; 1 if one is no symmetry of their `law`."""
    found: dict[str, xr.Dataset] = {}
    for name, symmetry in asked.items():
        with stages() as bars:
            found[name] = audit(examples, symmetry, law=law, samples=samples, seed=seed, progress=partial(bars, f"audit {name}"))
    first = next(iter(found.values()))
    console = Console()
    console.print(f"{path}: {first.attrs['verdict']}. {first.attrs['explanation']}", highlight=False, soft_wrap=True, markup=False)
    for name, table in found.items():
        console.print(audit_table(name, table))
    record(file=path, groups=found, verdict={name: sorted(set(map(str, t["verdict"].values))) for name, t in found.items()})
    if out is not None:
        about = {"kind": KIND, "title": path.name, "data_path": str(path), "command": command(), "data_description": repr(examples)}
        tree = {"/": xr.Dataset(attrs=about), "/audit": xr.Dataset(attrs=first.attrs)}
        save_probe(xr.DataTree.from_dict(tree | {f"/{name.replace('/', '-')}/audit": t for name, t in found.items()}), out, force=force)
        print(out)
    return 1 if any("not a symmetry" in t["verdict"].values for t in found.values()) else 0


def audit_simulators(names: Sequence[str], *, samples: int, seed: int, out: Path | None, force: bool) -> int:
    """Print, for every scenario, whether its simulator has the symmetry that is declared for it; 1 if one has not."""
    if out is not None and len(names) > 1:
        raise OrbitscopeError(f"out: {out} can hold one simulator, and {len(names)} are audited. Audit them one after the other.")
    if samples < 1:
        raise OrbitscopeError(f"samples: should be at least 1, got {samples}.")
    check_out(force, out=out)
    if strange := [name for name in names if of_scenario(name) is None]:
        raise OrbitscopeError(f"audit: no simulator is called {strange[0]!r}: `orbitscope scenarios` lists them.")
    found: dict[str, xr.Dataset] = {}
    console = Console()
    for name in names:
        with several(len(names)), stages() as bars:
            found[name] = load_system(str(of_scenario(name))).audited(name, episodes=max(1, samples // 16), seed=seed, progress=bars)
        attrs = found[name].attrs
        colour = {"holds": "green", "undecided": "yellow"}.get(attrs["verdict"], "red")
        console.print(f"{name}: [bold {colour}]{attrs['verdict']}[/]. {attrs['explanation']}", highlight=False, soft_wrap=True)
        console.print(_simulator_table(found[name]))
    record(simulators=found, verdict={name: table.attrs["verdict"] for name, table in found.items()})
    if out is not None:
        (name, table), *_ = found.items()
        about = xr.Dataset(attrs={"kind": SIMULATOR_KIND, "title": name, "scenario": name, "command": command()})
        save_probe(xr.DataTree.from_dict({"/": about, "/audit": table}), out, force=force)
        print(out)
    return 1 if any(table.attrs["verdict"] == "broken" for table in found.values()) else 0


def _simulator_table(table: xr.Dataset) -> Table:
    shown = Table(title=f"{table.attrs['episodes']} episodes in pairs", title_justify="left")
    for head in ("element", f"gap [{table.attrs['unit']}]", "floor", "verdict"):
        shown.add_column(head, justify="left" if head in ("element", "verdict") else "right")
    for name in table["element"].values.tolist():
        row = table.sel(element=name)
        shown.add_row(name, f"{float(row['gap']):.1e}", f"{float(row['floor']):.1e}", str(row["verdict"].values))
    return shown


def train_model(
    data: Path, model: str, out: Path, config: FitConfig, *, seeds: Sequence[int], preset: str, options: dict[str, Any],
    augment: str | None, force: bool, logger: Any,
) -> int:  # fmt: skip
    """Train a model of a system, print a line for each seed."""
    runs = train_system(
        data, model, out, config, seeds=seeds, preset=preset, options=options, augment=augment, force=force, logger=logger
    )  # fmt: skip
    record(runs=[about_system_run(run) for run in runs])
    for run in runs:
        print(f"{run.path}: {run}")
    return 0


def about_system_run(run: SystemRun) -> dict[str, Any]:
    """What a program should know of a run."""
    return {
        "path": run.path, "system": run.system.name, "model": run.kind, "seed": run.seed, "parameters": run.fit.parameters,
        "metrics": run.fit.metrics, "epochs": len(run.fit.history),
    }  # fmt: skip


def answer_system(model: str, data: Path | None, out: Path, task: str, options: dict[str, Any], *, force: bool) -> int:
    """Ask the runs in a folder; write what each says, and print its errors."""
    runs = open_runs(model)
    if out.suffix.lower() != ".nc":
        raise OrbitscopeError(f"out: what a model says is a NetCDF file, got {out}. Give --out {out.stem}.nc.")
    targets = [out.with_name(f"{out.stem}.seed-{run.seed}{out.suffix}") if len(runs) > 1 else out for run in runs]
    for target in targets:
        check_out(force, out=target)
    said = []
    for run, target in zip(runs, targets, strict=True):
        asked = run.examples["test"] if data is None else run.system.read(data)
        found = run.system.answer(task, run.model, asked, run.examples["train"], options)
        found.attrs |= {"model": run.kind, "model_path": str(run.path), "data_path": str(data or "the test part of the training's file")}
        content = found.to_netcdf(engine="h5netcdf")
        write_whole(target, lambda part, content=content: part.write_bytes(content))
        about = {"file": target, "task": task, "systems": int(found.sizes.get("system", 0))}
        if "error" in found:
            about["median_error"] = float(found["error"].median())
        if "r2" in found:
            about["r2"] = {str(n): float(v) for n, v in zip(found["name"].values, found["r2"].values, strict=True)}
        said.append(about)
        words = [f"median mean square error {about['median_error']:.3g}"] if "error" in found else []
        words += [f"R2 of {n} {v:.3f}" for n, v in about.get("r2", {}).items()]
        print(f"{target}: {about['systems']} systems" + "".join(f", {w}" for w in words))
    record(answers=said)
    return 0


def probe_system(
    model: str, data: Path, out: Path, groups: Sequence[str] | None, config: ProbeConfig, *, title: str | None, force: bool,
    workers: int | None = None, cluster: str | None = None,
) -> int:  # fmt: skip
    """Probe the runs in a folder on the test part of their examples, print the verdict, write the results."""
    runs = open_runs(model, data)
    targets = [out.with_name(f"{out.stem}.seed-{run.seed}{out.suffix}") if len(runs) > 1 else out for run in runs]
    for target in targets:
        check_out(force, out=target)
    trees = []
    with at_work(workers, cluster) as pool:
        for run, target in zip(runs, targets, strict=True):
            with stages() as bars:
                tree = probed(run, groups, config, title=title, data=data, progress=bars, executor=pool)
            trees.append(tree)
            save_probe(tree, target, force=force)
            print(target)
    record(probes=[{"file": target, **about_probe(tree)} for target, tree in zip(targets, trees, strict=True)])
    Console().print(summary_table(trees))
    return 0


def probed(
    run: SystemRun, groups: Sequence[str] | None, config: ProbeConfig, *, title: str | None, data: Path, progress: Any, executor: Where
) -> Any:
    """The tree of `examine` for one run: the symmetries of its system that `groups` names, or all of them."""
    tested = run.system.probed(run.examples["test"])
    known = run.system.symmetries(tested, run.model)
    if unknown := [g for g in groups or () if g not in known]:
        raise OrbitscopeError(f"--group: {unknown[0]!r} is no symmetry of these examples. {run.system.name} knows {', '.join(known)}.")
    asked = [known[g] for g in groups or known]
    about = {
        "model": run.kind, "model_path": str(run.path), "title": title or f"{run.kind}, seed {run.seed}", "training_seed": run.seed,
        "data_path": str(data), "data_part": f"test: {len(tested)} of {sum(len(e) for e in run.examples.values())} examples",
        "training_config": json.dumps(run.fit.metrics),
    }  # fmt: skip
    tree = examine(
        run.system.seen(run.model), tested, asked, config, law=run.system.law(tested), progress=progress, executor=executor, **about
    )
    for name, table in run.system.readings(run.examples["test"], run.model).items():
        tree[name] = xr.DataTree(table)
    return tree


def evaluate_runs(model: Path, episodes: int, seed: int, played: Path | None = None) -> int:
    """Let the policies of the runs in a folder act; print a line for each, the plain rivals behind."""
    rows, runs = [], open_runs(model)
    for run in runs:
        own = played if played is None or len(runs) == 1 else played.with_name(f"{played.stem}-seed-{run.seed}{played.suffix}")
        with stages() as bars:
            found = run.system.evaluate(run, episodes, seed, bars, own)
        for name, one in found.items():
            print(f"{run.path}, {name}: {one}")
            rows.append({"run": run.path, "policy": name, **dataclasses.asdict(one)})
        if own is not None:
            print(own)
    record(evaluations=rows)
    return 0


def story_page(path: Path, system: str, out: Path, *, title: str | None, force: bool) -> int:
    """Write the page on what policies did and print where it is."""
    told = load_system(system).story(path)
    write_story(told, out, title=title or "What did the policy do?", force=force, command=command(), source=str(path))
    record(file=out, answer=told.answer, policies=[dict(zip(told.header, row, strict=True)) for row in told.rows])
    print(told.answer)
    print(out)
    return 0
