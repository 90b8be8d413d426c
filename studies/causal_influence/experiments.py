"""One run: train, predict, fine-tune under one element at a time, retrain with subsets of elements; tidy tables (lists of rows)."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import xarray as xr
from study import ELEMENTS, FAMILIES, GROUP, NETWORKS, OPTIMISERS, PHASES, Place, Run, Settings, subsets, train_config, with_copies
from torch import nn

import orbitscope as osc
from orbitscope.emulators import kept_optimiser
from orbitscope.probe import Adam, transfer_predictions

Rows = list[dict[str, Any]]
FIRST = {("late", "sgd"), ("late", "kept"), ("early", "kept")}
"""The fine-tunings that come before the others of any seed."""


def data_of(place: Place, run: Run) -> tuple[osc.Trajectories, osc.Trajectories]:
    """Where is trained, where is tested."""
    return osc.load(place.data_file(run.family, run.seed)), osc.load(place.data_file(run.family))


@torch.no_grad()
def errors(model: nn.Module, data: osc.Trajectories, batch: int = 32) -> tuple[dict[str, float], float]:
    """Mean SMSE over all transitions moved by each element, and that of persistence on the originals."""
    values, action, group = data.tensor(), osc.GridAction(data.layout, data.grid), osc.parse_group(GROUP)
    x, y = values[:, :-1].flatten(0, 1), values[:, 1:].flatten(0, 1)
    found = {}
    for name in ELEMENTS:
        parts = zip(action(group[name], x).split(batch), action(group[name], y).split(batch), strict=True)
        found[name] = float(torch.cat([osc.smse(model(a), b, "none") for a, b in parts]).mean())
    return found, float(osc.smse(x, y))


def trained(place: Place, run: Run, what: str, data: osc.Trajectories, config: osc.TrainConfig) -> nn.Module:
    """The last weights of a training; a folder that is there whole is taken as it is."""
    osc.train(data, config, place.run_folder(run, what), progress=None, tensorboard=False)
    return osc.load_run(place.run_folder(run, what), "last").model


def base_case(place: Place, run: Run) -> dict[str, Any]:
    """Both checkpoints of the training on the originals: errors, and everything that is predicted from them."""
    (train, test), rows, pairs = data_of(place, run), [], []
    for phase in PHASES:
        config = train_config(place.settings, run, early=phase == "early")
        model = trained(place, run, phase, train, config)
        found, still = errors(model, test)
        rows += [{"phase": phase, "element": g, "loss": v, "error": v / still} for g, v in found.items()]
        shown = predictions(place, run, phase, model)
        for g in ELEMENTS:
            for h in ELEMENTS:
                one = shown.sel(ket_element=g, bra_element=h)
                values = {str(n): float(one[n]) for n, v in shown.data_vars.items() if "ket_element" in v.dims}
                pairs.append({"phase": phase, "ket": g, "bra": h, "block": int(one["block"]), **values})
    return {"base": rows, "pairs": pairs}


def predictions(place: Place, run: Run, phase: str, model: nn.Module) -> xr.Dataset:
    """Every predictor [ket_element, bra_element], those of other metrics with their name behind; and the ket's own error."""
    train, test = data_of(place, run)
    probe = {"trajectories": place.settings.probe["trajectories"], "times": place.settings.probe["times"], "seed": run.seed}
    metrics = ("euclidean", Adam.from_run(place.run_folder(run, phase)), "gauss_newton")
    found = transfer_predictions(model, train, test, GROUP, metric=metrics, **probe)
    ket_error = found["error"].isel(ket_element=0, drop=True).rename(bra_element="ket_element")
    return found.assign(ket_error=ket_error.broadcast_like(found["error"]).transpose("ket_element", "bra_element"))


def tuned_case(place: Place, run: Run, phase: str, optimiser: str) -> dict[str, Any]:
    """Fine-tuning under one element at a time: what became of the losses at all others. A row per ket and number of steps."""
    (train, test), tune, folder = data_of(place, run), place.settings.tune, place.run_folder(run, phase)
    model = trained(
        place, run, phase, train, train_config(place.settings, run, early=phase == "early")
    )  # there, unless cases were restored
    pairs = {(p["ket"], p["bra"]): p for p in read(place, run, "base")["pairs"] if p["phase"] == phase}
    names = ("influence", "error")
    arrays = {n: (("ket_element", "bra_element"), [[pairs[g, h][n] for h in ELEMENTS] for g in ELEMENTS]) for n in names}
    known = xr.Dataset(arrays, coords={"ket_element": list(ELEMENTS), "bra_element": list(ELEMENTS)})
    rate = sgd_rate(pairs, tune["fall"]) if optimiser == "sgd" else tune["rate"]
    kinds: dict[str, Any] = {
        "sgd": lambda p: torch.optim.SGD(p, lr=rate), "fresh": lambda p: torch.optim.AdamW(p, lr=rate, weight_decay=0.0),
        "kept": kept_optimiser(folder, model, learning_rate=rate),
    }  # fmt: skip
    found = osc.transfer_test(
        model, train, test, GROUP, optimiser=kinds[optimiser], steps=tune["steps"], batch=tune["batch"], predictions=known,
        blocks=dict.fromkeys(ELEMENTS, 0), trajectories=place.settings.probe["trajectories"], times=place.settings.probe["times"],
        seed=run.seed,
    )  # fmt: skip
    rows = [
        {
            "phase": phase, "optimiser": optimiser, "rate": rate, "steps": int(k), "ket": g,
            **{h: float(found["realised"].sel(steps=k, ket_element=g, bra_element=h)) for h in ELEMENTS},
        }
        for k in found["steps"].values for g in ELEMENTS
    ]  # fmt: skip
    return {"tuned": rows}


def sgd_rate(pairs: dict[tuple[str, str], dict[str, Any]], fall: float) -> float:
    """So that one step takes away at most the part `fall` of any element's own loss, to first order."""
    own = [pairs[g, g] for g in ELEMENTS]
    return min(fall * p["error"] / p["influence"] for p in own if p["influence"] > 0)


def retrained_case(place: Place, run: Run, added: tuple[str, ...]) -> dict[str, Any]:
    """From scratch, with the copies under some elements in the training set: a row of losses."""
    train, test = data_of(place, run)
    config = train_config(place.settings, run, copies=len(added))
    model = trained(place, run, "with-" + "-".join(added), with_copies(train, added), config)
    return {"retrained": [{"added": " ".join(added), **errors(model, test)[0]}]}


def read(place: Place, run: Run, experiment: str) -> dict[str, Any]:
    """The tables of a case that is there."""
    import json

    return json.loads(Path(place.case_file(run.key, experiment)).read_text(encoding="utf-8"))["tables"]


def wanted(settings: Settings, run: Run, rest: bool) -> dict[str, Callable[[Place, Run], dict[str, Any]]]:
    """The cases of a run, in order; `rest`: also those that matter less."""
    cases: dict[str, Callable[[Place, Run], dict[str, Any]]] = {"base": base_case}
    for added in subsets(settings, run):
        cases["retrained-" + "-".join(added)] = lambda place, run, added=added: retrained_case(place, run, added)
    for phase in reversed(PHASES):
        for optimiser in settings.tune.get("optimisers", OPTIMISERS):
            if rest or (phase, optimiser) in FIRST:
                cases[f"tuned-{phase}-{optimiser}"] = lambda place, run, p=phase, o=optimiser: tuned_case(place, run, p, o)
    return cases


def work(place: Place, job: tuple[Run, bool], deadline: float, tell: Callable[[str], None]) -> None:
    """Every case whose file is not there yet; none begins after `deadline` (Unix time)."""
    import lightning_fabric  # noqa: F401 - seconds that belong to no training

    run, rest = job
    title = f"{FAMILIES[run.family]}, {NETWORKS[run.network]}, seed {run.seed}"
    for name, make in wanted(place.settings, run, rest).items():
        if place.case_file(run.key, name).exists():
            continue
        if time.time() > deadline:
            tell(f"{title}: {name} and what follows left out, the time is up")
            return
        started = time.process_time()
        tables = make(place, run)
        seconds = time.process_time() - started
        place.write_case(run.key, name, run.label, tables, seconds)
        tell(f"{title}: {name}, {seconds:.0f} s of processor time")
