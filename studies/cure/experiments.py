"""One training, watched, and everything that is measured on it afterwards: tidy tables (lists of rows)."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import xarray as xr
from models import GROUP, known, wrapped
from study import AFTER, NETWORKS, TREATMENTS, Place, Run, Settings, penalties, train_config
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from trivial import TRIVIAL, trivial_forecasts

import orbitscope as osc
from orbitscope.probe import audit

Rows = list[dict[str, Any]]


def transitions(data: osc.Trajectories) -> tuple[torch.Tensor, torch.Tensor]:
    """All pairs (x, y), [transition, channel, x, y]."""
    values = data.tensor()
    return values[:, :-1].flatten(0, 1), values[:, 1:].flatten(0, 1)


@torch.no_grad()
def error(model: nn.Module, x: torch.Tensor, y: torch.Tensor, batch: int = 32) -> float:
    """Mean SMSE over transitions."""
    return float(torch.cat([osc.smse(model(a), b, "none") for a, b in zip(x.split(batch), y.split(batch), strict=True)]).mean())


def moved_errors(model: nn.Module, data: osc.Trajectories) -> dict[str, float]:
    """Mean error on (gx, gy) for every element, in parts of persistence's on (x, y)."""
    (x, y), action = transitions(data), osc.GridAction(data.layout, data.grid)
    still = float(osc.smse(x, y))
    return {g.name: error(model, action(g, x), action(g, y)) / still for g in osc.parse_group(GROUP)}


def trivial_errors(data: osc.Trajectories) -> dict[str, float]:
    """Mean SMSE of one step of what costs nothing, over all transitions, in parts of persistence's.

    At the first ones, which have too few states before them, each says what the one before it in the list says.
    """
    values, total = data.tensor(), dict.fromkeys(TRIVIAL, 0.0)
    for t in range(values.shape[1] - 1):
        said = trivial_forecasts(values[:, max(0, t - 2) : t + 1], 1)
        errors = {name: float(osc.smse(forecast[:, 0], values[:, t + 1])) for name, forecast in said.items()}
        last = list(errors.values())[-1]
        total = {name: value + errors.get(name, last) for name, value in total.items()}
    return {name: value / total["persistence"] for name, value in total.items()}


def coherence_rows(shared: xr.Dataset) -> dict[str, dict[str, float]]:
    """Response, null and excess, by element."""
    names = ("response", "null", "excess", "excess_low", "excess_high")
    return {str(g): {n: float(shared[n].sel(element=g)) for n in names} for g in shared["element"].values}


def measured(place: Place, model: nn.Module, trajectories: int) -> tuple[Rows, dict[str, Any]]:
    """The project's own instruments on the test set: a row per element, and the verdict. Coherence on the elements of the settings."""
    data, probe = osc.load(place.data_file("test")), place.settings.probe
    errors = moved_errors(model, data)
    found = osc.equivariance(model, data, GROUP, trajectories=None, times=4)
    shared = osc.influence(model, data, GROUP, elements=probe["elements"], trajectories=trajectories, times=probe["times"])
    words, coherence = osc.verdict(osc.parse_group(GROUP), found, shared), coherence_rows(shared)
    unknown = dict.fromkeys(next(iter(coherence.values())), float("nan"))
    rows = [
        {
            "element": g, "error": value, "relative_error": float(found["relative_error"].sel(element=g).median()),
            "commutator": float(found["commutator"].sel(element=g).median()), "output": str(words["output"].sel(element=g).values),
            "learning": str(words["learning"].sel(element=g).values), **coherence.get(g, unknown),
        }
        for g, value in errors.items()
    ]  # fmt: skip
    return rows, {"learnt_subgroup": words.attrs["learnt_subgroup"]}


def cost(model: nn.Module, data: osc.Trajectories, batch: int = 32) -> dict[str, float]:
    """Parameters, arithmetic of a forward pass, and its processor time, each per state."""
    x = transitions(data)[0][:batch]
    with torch.no_grad():
        with FlopCounterMode(display=False) as counter:
            model(x[:1])
        spent = []
        for _ in range(3):
            started = time.process_time()
            model(x)
            spent.append((time.process_time() - started) / len(x))
    return {
        "parameters": sum(p.numel() for p in model.parameters()), "forward_mflop": counter.get_total_flops() / 1e6,
        "forward_cpu_ms": 1e3 * min(spent),
    }  # fmt: skip


class Watch:
    """Called after every epoch: errors on the validation set as it is and moved, and once the coherence. Its own time does not count."""

    def __init__(self, place: Place, run: Run, epochs: int) -> None:
        self.settings, self.curve, self.early, self.spent = place.settings, [], [], 0.0
        self.per_epoch = self.settings.steps_per_epoch(run.treatment)
        self.data = osc.load(place.data_file("validation"))
        self.x, self.y = (part[::2] for part in transitions(self.data))  # neighbours in time say little more
        self.persistence = float(osc.smse(self.x, self.y))
        action, g = osc.GridAction(self.data.layout, self.data.grid), osc.parse_group(GROUP)[self.settings.unseen]
        self.moved = action(g, self.x), action(g, self.y)
        self.when = max(1, round(self.settings.probe["early"] * epochs))
        self.every = max(1, epochs // self.settings.probe["points"])

    def __call__(self, seed: int, epoch: int, model: nn.Module) -> None:
        """One point of the curves."""
        started, still, step = time.process_time(), self.persistence, epoch * self.per_epoch
        if epoch % self.every == 0:
            point = {"step": step, "epoch": epoch, "validation": error(model, self.x, self.y), "moved": error(model, *self.moved)}
            self.curve.append({k: v / still if k in ("validation", "moved") else v for k, v in point.items()})
        if epoch == self.when:
            probe = self.settings.probe
            shared = osc.influence(model, self.data, GROUP, elements=probe["elements"], trajectories=probe["trajectories"], times=1)
            self.early = [{"step": step, "element": g, **row} for g, row in coherence_rows(shared).items()]
        self.spent += time.process_time() - started


def train_case(place: Place, run: Run) -> None:
    """Train from the beginning, whatever is there: the processor time of half a training is no use.

    Of several weights of the penalty the one is kept whose error on the validation set, mean of as it is and moved, is least at the end.
    """
    tried = [_trained(place, run, alpha) for alpha in penalties(place.settings, run)]
    best = min(tried, key=lambda one: one["choice"])
    choices = [{k: one["summary"][k] for k in ("alpha", "cpu_seconds")} | {"validation": one["choice"]} for one in tried if len(tried) > 1]
    tables = {"curve": best["curve"], "early": best["early"], "runs": [best["summary"]], "alphas": choices}
    place.write_case(run.key, "training", run.label, tables, sum(one["summary"]["cpu_seconds"] for one in tried))


def _trained(place: Place, run: Run, alpha: float | None) -> dict[str, Any]:
    """One training, watched: its curves, what it cost, and the error that a choice goes by."""
    config, started = train_config(place.settings, run, alpha), time.process_time()
    watch, folder = Watch(place, run, config.epochs), place.run_folder(run, alpha)
    setup = time.process_time() - started
    data = place.training_data(run.seed, run.treatment)
    osc.train(data, config, folder, force=True, progress=None, tensorboard=False, on_epoch=watch)
    seconds = time.process_time() - started - watch.spent - setup
    found = osc.load_run(folder, "last", place.settings.device, trust=True)
    still = float(osc.smse(*transitions(data)))
    by_epoch = {h["epoch"]: h["train"] / still for h in found.history}
    curve = [{**point, "train": by_epoch.get(point["epoch"], float("nan"))} for point in watch.curve]
    model = found.model
    summary = {
        "alpha": alpha, "cpu_seconds": seconds, "steps": curve[-1]["step"], "trajectories": data.trajectories, **cost(model, watch.data),
        **{k: v for k, v in found.history[-1].items() if k == "relaxation"},
    }  # fmt: skip
    last = (error(model, watch.x, watch.y) + error(model, *watch.moved)) / (2 * watch.persistence)
    return {"curve": curve, "early": watch.early, "summary": summary, "choice": last}


def probe_case(place: Place, run: Run) -> None:
    """What the training came to."""
    model, started = osc.load_run(place.trained(run), "last", place.settings.device, trust=True).model, time.process_time()
    rows, words = measured(place, model, place.settings.probe["trajectories"])
    place.write_case(run.key, "probe", run.label, {"elements": rows, "words": [words]}, time.process_time() - started)


def after_case(place: Place, run: Run) -> None:
    """The failing model itself, averaged: no training. Rows name their own treatment. Coherence 1 by construction: few trajectories do."""
    model, started = osc.load_run(place.trained(run), "last", place.settings.device, trust=True).model, time.process_time()
    data, elements, words, runs = osc.load(place.data_file("validation")), [], [], []
    for treatment in AFTER:
        label = {"treatment": treatment}
        cured = wrapped(model, "framed" if treatment == "framed_after" else "averaging", data.layout, data.grid).eval()
        rows, said = measured(place, cured, place.settings.probe["after"])
        elements += [{**label, **row} for row in rows]
        words.append({**label, **said})
        runs.append({**label, "cpu_seconds": 0.0, "steps": 0, "trajectories": 0, **cost(cured, data)})
    tables = {"elements": elements, "words": words, "runs": runs}
    place.write_case(run.key, "after", run.label, tables, time.process_time() - started)


def wanted(settings: Settings, run: Run) -> dict[str, Callable[[Place, Run], None]]:
    """The cases of a run, in order."""
    cases = {"training": train_case, "probe": probe_case}
    return {**cases, "after": after_case} if run.treatment == "plain" else cases


def work(place: Place, run: Run, deadline: float, tell: Callable[[str], None]) -> None:
    """Every case whose file is not there yet; none begins after `deadline` (Unix time)."""
    import lightning_fabric  # noqa: F401 - seconds that belong to no training

    known()
    title = f"{NETWORKS[run.network]}, {TREATMENTS[run.treatment].title}, seed {run.seed}"
    for name, make in wanted(place.settings, run).items():
        if place.case_file(run.key, name).exists():
            continue
        if time.time() > deadline:
            tell(f"{title}: {name} and what follows left out, the time is up")
            return
        started = time.process_time()
        make(place, run)
        tell(f"{title}: {name}, {time.process_time() - started:.0f} s of processor time")


def audit_case(place: Place, tell: Callable[[str], None]) -> None:
    """What the file of the first seed says about every element, and what forecasts that cost nothing make of the test set."""
    if place.case_file("audit", "audit").exists():
        return
    data = osc.load(place.data_file("train", place.settings.seeds[0]))
    found = audit(data, GROUP, samples=min(32, data.trajectories * (data.times - 1)))
    rows = [
        {
            "file": found.attrs["verdict"], "element": str(g), "residual": float(found["residual"].sel(element=g)),
            "p_value": float(found["p_value"].sel(element=g)), "verdict": str(found["verdict"].sel(element=g).values),
        }
        for g in found["element"].values
    ]  # fmt: skip
    nothing = trivial_errors(osc.load(place.data_file("test")))
    place.write_case("audit", "audit", {}, {"audit": rows, "trivial": [nothing]}, 0.0)
    tell(f"audit: {found.attrs['verdict']}, {np.unique(found['verdict'].values).tolist()}")
