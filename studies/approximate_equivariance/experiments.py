"""What one training is asked, as tidy tables (lists of rows)."""

import time
from typing import Any

import numpy as np
import torch
import xarray as xr
from breaking import departure, elements, probe_states, set_rows
from harness import Tell
from plumes import Plumes, Windows, forecasts, initial, plumes, training
from study import DATA, MODELS, DataSet, Place, Run, train_config
from torch import Tensor
from trivial import trivial_forecasts

import orbitscope as osc
from orbitscope.emulators import load_run, rollout
from orbitscope.nn import RelaxedConv, relaxation, strict

Rows = list[dict[str, Any]]


def data_case(place: Place, one: DataSet, tell: Tell) -> None:
    """Simulate a set and measure how much its symmetry is broken."""
    if place.case_file(one.key, "data").exists():
        return
    started = time.process_time()
    found, law = plumes(place, one), initial(place.settings, one)[2]
    tables = set_rows(found, one.data, law, place.settings.probe["times"])
    seconds = time.process_time() - started
    place.write_case(one.key, "data", {"data": one.data, "level": one.level, "seed": one.seed}, tables, seconds)
    tell(f"{one.key}: simulated, {seconds:.0f} s of processor time")


def work(place: Place, run: Run, tell: Tell) -> None:
    """Train and measure; nothing where the case is there."""
    if place.case_file(run.key, "run").exists():
        return
    found, started = plumes(place, run.set), time.process_time()
    folder = place.run_folder(run)
    osc.train(training(found, place.settings), train_config(place.settings, run), folder, progress=None, tensorboard=False)
    seconds = time.process_time() - started
    trained = load_run(folder, "last", place.settings.device, trust=True)
    model, steps = trained.model, forecasts(found, place.settings)
    tables: dict[str, Rows] = {"runs": [_summary(trained, model, seconds)], "errors": []}
    for name, windows in steps.items():
        tables["errors"] += [{"part": name, **row} for row in _errors(model, windows)]
    tables["departure"] = _departure(model, found, run.data, place.settings.probe["times"])
    if run.alpha is not None and any(isinstance(layer, RelaxedConv) for layer in model.modules()):
        tables |= _relaxation(model, steps["domain"])
    shown = _picture(model, steps["domain"]) if run.seed == place.settings.seeds[0] else None
    place.write_case(run.key, "run", run.label, tables, seconds, shown)
    tell(f"{DATA[run.data]} {run.level:g}, {MODELS[run.model]}, alpha {run.alpha}, seed {run.seed}: {seconds:.0f} s of processor time")


def _summary(trained: osc.Run, model: torch.nn.Module, seconds: float) -> dict[str, Any]:
    last = trained.history[-1]
    return {
        "emulator": trained.config.model, "parameters": sum(p.numel() for p in model.parameters()), "epochs": trained.epoch,
        "train_smse": last["train"], "penalty": last.get("relaxation", np.nan), "cpu_seconds": seconds,
    }  # fmt: skip


def _errors(model: torch.nn.Module, windows: Windows) -> Rows:
    """RMSE, with its root, by horizon and field, beside that of each forecast that costs nothing."""
    truth = windows.data.tensor()
    said = {"rmse": torch.from_numpy(rollout(model, windows.data, keep_states=True)["prediction"].values)}
    said |= trivial_forecasts(torch.cat([windows.past, truth[:, :1]], 1), truth.shape[1] - 1)
    rows = []
    for field, part in {"smoke": slice(0, 1), "velocity": slice(1, 3)}.items():
        squares = {name: (states - truth[:, 1:])[:, :, part].double().square() for name, states in said.items()}
        for h in range(truth.shape[1] - 1):
            rows.append({"field": field, "horizon": h + 1, **{name: _root(gap[:, h]) for name, gap in squares.items()}})
    return rows


def _root(squares: Tensor) -> float:
    return float(squares.mean().sqrt())


def _departure(model: torch.nn.Module, found: Plumes, data: str, times: int) -> Rows:
    words = elements(data)
    if not words:
        return []
    x, _, y = probe_states(found, times)
    action = osc.GridAction(osc.Layout.of("smoke", "velocity:vector"), found.whole.grid)
    by = departure(lambda z, _: model(z), x[:, :3], y[:, :3], words, action)
    return [{"element": g, "departure": v} for g, v in by.items()]


def _relaxation(model: torch.nn.Module, domain: Windows) -> dict[str, Rows]:
    """What the weights say was broken, by layer and element; and the error with the relaxation taken out again."""
    table, rows = relaxation(model), []
    for layer in table["layer"].values:
        for g in table["element"].values:
            at = table.sel(layer=layer, element=g)
            rows.append({"layer": str(layer), "element": str(g), "broken": float(at["broken"]), "share": float(at["share"])})
    tight = [row for row in _errors(strict(model), domain) if row["field"] == "velocity"]
    return {"relaxation": rows, "tightened": [{"part": "domain", **row} for row in tight]}


def _picture(model: torch.nn.Module, domain: Windows) -> xr.Dataset:
    """Truth and forecast of the last horizon for one unseen task per side: smoke."""
    data, tasks, _ = domain
    chosen = [next(n for n, t in enumerate(tasks) if t.side == side) for side in sorted({t.side for t in tasks})]
    # The second window: there the plume has grown.
    chosen = [n + len(tasks) // 2 if len(tasks) > 1 else n for n in chosen]
    some = data[np.array(chosen)]
    predicted = rollout(model, some, keep_states=True)["prediction"].values[:, -1, 0]
    names = ("side", "x", "y")
    truth = some.tensor()[:, -1, 0].numpy()
    return xr.Dataset(
        {"truth": (names, truth.astype("f4")), "forecast": (names, predicted.astype("f4"))}, {"side": [tasks[n].side for n in chosen]}
    )
