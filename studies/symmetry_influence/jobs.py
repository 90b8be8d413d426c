"""What is measured on which run, in order, and the audit of the files."""

import time
from collections.abc import Callable

import experiments as of
import xarray as xr
from basins import basin
from experiments import Context, Tables
from study import MODELS, TITLES, Place, Run, Settings, train_config

from orbitscope.emulators import load_run
from orbitscope.emulators import train as train_emulator
from orbitscope.probe import audit

EXPERIMENTS: dict[str, Callable[[Context], tuple[Tables, xr.Dataset | None]]] = {
    "history": of.history, "skill": of.skill, "d4": of.d4, "times": of.times, "epochs": of.epochs, "translations": of.translations,
    "basin": basin, "losses": of.losses, "steps": of.steps, "metrics": of.metrics,
}  # fmt: skip


def wanted(settings: Settings, run: Run) -> list[str]:
    """The experiments of a run, in order."""
    if run.model == "small":
        return ["history", "skill", "metrics"]
    skipped = {"metrics"} | ({"translations"} if "swapped" in run.dataset else set())
    if run.schedule != settings.main_schedule:
        skipped |= {"translations", "losses", "times", "steps", "basin"}
    if run.seed != settings.seeds[0]:
        skipped |= {"steps"}  # no published statement rests on it, and what it checks is arithmetic
        skipped |= {"translations"} if run.dataset == "navier-stokes" else set()  # the published ones are of Euler
    skipped |= set(EXPERIMENTS) - set(settings.experiments) if settings.experiments else set()
    return [name for name in EXPERIMENTS if name not in skipped]


def work(place: Place, run: Run, deadline: float, tell: Callable[[str], None]) -> None:
    """Train, then every experiment whose file is not there yet; none begins after `deadline` (Unix time)."""
    todo = [name for name in wanted(place.settings, run) if not place.case_file(run.key, name).exists()]
    title = f"{TITLES[run.dataset]}, {MODELS[run.model]}, {run.schedule}, seed {run.seed}"
    if not todo or time.time() > deadline:
        return
    data, started = place.dataset(run.dataset), time.perf_counter()
    train_emulator(data, train_config(place.settings, run), place.run_folder(run), progress=None, tensorboard=False)
    tell(f"{title}: trained, {time.perf_counter() - started:.0f} s")
    context = Context(place, run, data, load_run(place.run_folder(run), "last", trust=True).split["test"])
    for name in todo:
        if time.time() > deadline:
            tell(f"{title}: {name} and what follows left out, the time is up")
            return
        started = time.perf_counter()
        tables, dataset = EXPERIMENTS[name](context)
        seconds = time.perf_counter() - started
        place.write_case(run.key, name, run.label, tables, seconds, dataset)
        tell(f"{title}: {name}, {seconds:.0f} s")


def audit_case(place: Place, name: str, tell: Callable[[str], None]) -> None:
    """What the file itself says about D4."""
    path = place.case_file(f"audit_{name}", "audit")
    if path.exists():
        return
    found = audit(place.dataset(name), "d4", samples=32)
    rows = [
        {
            "dataset": name, "file": found.attrs["verdict"], "element": str(g), "residual": float(found["residual"].sel(element=g)),
            "p_value": float(found["p_value"].sel(element=g)), "verdict": str(found["verdict"].sel(element=g).values),
        }
        for g in found["element"].values
    ]  # fmt: skip
    place.write_case(f"audit_{name}", "audit", {"dataset": name}, {"audit": rows}, 0.0)
    tell(f"{TITLES[name]}: audit")
