"""The loss along straight lines, for every element: between checkpoints, between seeds, and from a model to its group average."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from experiments import Context, Rows, Tables
from study import MODELS, TITLES, Place, Run, train_config

import orbitscope as osc
from orbitscope.emulators import load_run, train
from orbitscope.nn import Symmetrized
from orbitscope.probe import loss_along_line
from orbitscope.symmetry import GridAction


def basin(c: Context) -> tuple[Tables, None]:
    """g: from the first checkpoint after the start to the last weights (weights), and from the model to its average over D4 (answers).

    An average of the weights over D4 is not defined for these networks: strided convolutions see the cells of a grid from one side, a
    position embedding belongs to its patch, and neither has an action of D4 on its weights. So the answers are averaged.
    """
    model, (data, _) = c.model(), c.some()
    config = load_run(c.place.run_folder(c.run), "last", trust=True).config
    early = min(e for e in c.place.settings.epochs_at(config.epochs) if e > 0)
    rows = []
    if early < config.epochs:
        rows += line_rows(c, c.model(early), model, data, "checkpoints", "weights")
    average = Symmetrized(model, "d4", GridAction(data.layout, data.grid))
    rows += line_rows(c, model, average, data, "average", "answers")
    return {"basin": rows}, None


def line_rows(c: Context, first: Any, second: Any, data: osc.Trajectories, kind: str, space: Any) -> Rows:
    """Mean loss at every point and element, and the barrier of the element."""
    points = 3 if space == "answers" else c.probe["line_points"]
    found: xr.Dataset = loss_along_line(
        first, second, data, "d4", space=space, points=points, elements=c.probe.get("line_elements"), trajectories=None,
        times=c.probe["times"], loss=c.loss(c.model()),
    )  # fmt: skip
    means, barriers = found["loss"].mean("transition"), found["relative_barrier"]
    return [
        {
            "kind": kind, "element": str(g), "position": float(a), "loss": float(means.sel(element=g)[k]),
            "relative_barrier": float(barriers.sel(element=g)),
        }
        for g in found["element"].values for k, a in enumerate(found["position"].values)
    ]  # fmt: skip


def seeds_job(place: Place, run: Run, tell: Callable[[str], None]) -> None:
    """The line from a run to that of the next seed, on trajectories that neither has trained on; nothing while one of them is missing.

    A run whose cases were restored is trained again for its weights: they have the same bits.
    """
    path, seeds = place.case_file(run.key, "seeds"), place.settings.seeds
    other = Run(run.dataset, run.model, run.schedule, seeds[(seeds.index(run.seed) + 1) % len(seeds)])
    if path.exists() or other == run or not all(place.case_file(r.key, "history").exists() for r in (run, other)):
        return
    for r in (run, other):
        train(place.dataset(r.dataset), train_config(place.settings, r), place.run_folder(r), progress=None, tensorboard=False)
    runs = [load_run(place.run_folder(r), "last", place.settings.device, trust=True) for r in (run, other)]
    if not all(r.finished for r in runs):
        return
    started, common = time.perf_counter(), sorted(set(runs[0].split["test"]) & set(runs[1].split["test"]))
    c = Context(place, run, place.dataset(run.dataset), common)
    data, _ = c.some()
    rows = line_rows(c, runs[0].model, runs[1].model, data, "seeds", "weights") if np.size(data.tensor()) else []
    place.write_case(run.key, "seeds", run.label, {"basin": rows}, time.perf_counter() - started)
    tell(f"{TITLES[run.dataset]}, {MODELS[run.model]}, seeds {run.seed} and {other.seed}: line")
