"""The experiments. Each takes a trained run and returns tidy tables (lists of rows) and perhaps a small dataset."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr
from study import CLASSES, V4, Place, Run

import orbitscope as osc
from orbitscope.emulators import StateEmulator, load_run, rollout
from orbitscope.probe import (
    Adam,
    GaussNewton,
    GaussNewtonFull,
    Kronecker,
    influence,
    shift_curve,
    standardised_matrix,
    step_test,
)
from orbitscope.probe import equivariance as equivariance_error
from orbitscope.training import SMSE, StateSMSE

Rows = list[dict[str, Any]]
Tables = dict[str, Rows]


@dataclass(frozen=True)
class Context:
    """A finished training and the test trajectories of all classes."""

    place: Place
    run: Run
    data: osc.Trajectories
    test: list[int]

    @property
    def probe(self) -> dict[str, Any]:
        return self.place.settings.probe

    def model(self, epoch: int | None = None) -> Any:
        """The last weights, which the optimiser's state belongs to, or those after an epoch."""
        folder = self.place.run_folder(self.run)
        return load_run(folder, "last" if epoch is None else epoch, self.place.settings.device, trust=True).model

    def some(self, each: int | None = None) -> tuple[osc.Trajectories, list[str]]:
        """Test trajectories, by default those that are few enough for every experiment."""
        return self.place.tested(self.data, self.test, each or self.probe["per_class"])

    def many(self) -> tuple[osc.Trajectories, list[str]]:
        """More of them, for the main result: several mini-batches of one trajectory of each class."""
        return self.some(self.probe.get("d4_per_class", self.probe["per_class"]))

    def loss(self, model: Any) -> StateSMSE | None:
        """What the model was trained on, where that is not the default of the probe."""
        return StateSMSE(model.units) if isinstance(model, StateEmulator) else None


def error_rows(error: xr.Dataset) -> dict[str, dict[str, float]]:
    """Median and quartiles over transitions, by element."""
    out = {}
    for name in error["element"].values:
        one = error.sel(element=name)
        low, middle, high = (float(v) for v in np.quantile(one["relative_error"], [0.25, 0.5, 0.75]))
        out[str(name)] = {
            "relative_error": middle, "relative_error_low": low, "relative_error_high": high,
            "commutator": float(one["commutator"].median()), "skill": float(error["skill"].median()),
        }  # fmt: skip
    return out


def coherence_rows(shared: xr.Dataset) -> dict[str, dict[str, float]]:
    """Response, null and excess, by element."""
    names = ("response", "response_low", "response_high", "null", "null_low", "null_high", "excess", "excess_low", "excess_high", "p_holm")
    extra = ("kept_rank", "condition")
    return {str(g): {n: float(shared[n].sel(element=g)) for n in (*names, *extra)} for g in shared["element"].values}


def d4(c: Context) -> tuple[Tables, xr.Dataset]:
    """a, h, i: error over D4; coherence in two metrics, with a sweep over the damping; standardised influence by mini-batch."""
    model, (data, _) = c.model(), c.many()
    classes = len(CLASSES["euler" if c.run.dataset == "euler" else "navier-stokes"])
    error = error_rows(equivariance_error(model, data, "d4", trajectories=None, times=c.probe["times"]))
    rows, sweep, batches = [], [], []
    kept = xr.Dataset()
    for metric in c.probe.get("d4_metrics", ("gauss_newton", "euclidean")):
        shared = influence(model, data, "d4", metric=metric, trajectories=None, times=c.probe["times"], loss=c.loss(model))
        if len(data) >= 3:
            batches += matrix_rows(standardised_matrix(shared, batch=max(1, min(classes, len(data) // 3))), metric)
        rows += [{"metric": metric, "element": g, **error[g], **r} for g, r in coherence_rows(shared).items()]
        if "response_by_damping" in shared:
            kept = shared[["coherence"]].astype("float32").drop_attrs()
            for value in shared["damping"].values:
                at = shared.sel(damping=value)
                sweep += [
                    {
                        "damping": float(value), "element": str(g), "response": float(at["response_by_damping"].sel(element=g)),
                        "null": float(at["null_by_damping"].sel(element=g)),
                    }
                    for g in shared["element"].values
                ]  # fmt: skip
    return {"d4": rows, "damping": sweep, "matrix": batches}, kept


def matrix_rows(found: xr.Dataset, metric: str) -> Rows:
    """The standardised influence of every mini-batch on its copies, and what it would be if all elements shared alike."""
    return [
        {
            "metric": metric, "element": str(g), "mini_batch": int(b), "standardised": float(found["standardised"].sel(element=g)[n]),
            "uniform": float(found["uniform"][n]), "uniformity": float(found["uniformity"][n]),
        }
        for g in found["element"].values for n, b in enumerate(found["mini_batch"].values)
    ]  # fmt: skip


def translations(c: Context) -> tuple[Tables, None]:
    """b: every shift along each axis, and halves of a cell; coherence through the sketch."""
    model, (data, _) = c.model(), c.some()
    error, shared_rows, periods = [], [], []
    for axis, word in enumerate(("tx", "ty")):
        curve = shift_curve(model, data, axis, parts=2, trajectories=None, times=1)
        medians, highs = curve["relative_error"].median("transition"), curve["relative_error"].quantile(0.75, "transition")
        error += [
            {
                "axis": word, "shift": float(s), "relative_error": float(m), "relative_error_high": float(h), "commutator": float(k),
                "floor": float(f),
            }
            for s, m, h, k, f in zip(
                curve["shift"].values, medians.values, highs.values, curve["commutator"].median("transition").values, curve["floor"].values,
                strict=True,
            )
        ]  # fmt: skip
        periods.append({"axis": word, "period": int(curve["dominant_period"]), "explained": float(curve["dominant_explained"])})
        points, every, step = 2 * data.grid.shape[axis], c.probe["fractional_every"], c.probe.get("shift_step", 1)
        names = [str(k) for k in range(points) if k % (2 * step) == 0 or k % every == 1]
        shared = influence(
            model, data, f"{word}{points}", elements=names, trajectories=None, times=1, sketch=c.probe["sketch"], loss=c.loss(model)
        )
        spread = shared["coherence_error"].median(("bra_time", "bra_trajectory", "ket_time", "ket_trajectory"))
        shared_rows += [
            {"axis": word, "shift": int(g) / 2, **r, "sketch_error": float(spread.sel(element=g))}
            for g, r in coherence_rows(shared).items()
        ]
    return {"shift_error": error, "shift_coherence": shared_rows, "shift_period": periods}, None


def epochs(c: Context) -> tuple[Tables, None]:
    """c: error and coherence over D4 after chosen epochs."""
    (data, _), count = c.some(), c.probe.get("epoch_times", c.probe["times"])
    folder = c.place.run_folder(c.run)
    run = load_run(folder, "last", trust=True)
    validation = {int(h["epoch"]): float(h["validation"]) for h in run.history}
    rows = []
    for epoch in c.place.settings.epochs_at(run.config.epochs):
        model = c.model(epoch)
        error = error_rows(equivariance_error(model, data, "d4", trajectories=None, times=count))
        shared = coherence_rows(influence(model, data, "d4", trajectories=None, times=count, loss=c.loss(model)))
        seen = validation.get(epoch, float("nan"))
        rows += [{"epoch": epoch, "validation": seen, "element": g, "in_v4": g in V4, **error[g], **r} for g, r in shared.items()]
    return {"epochs": rows}, None


def times(c: Context) -> tuple[Tables, xr.Dataset]:
    """d: coherence by time lag within a trajectory, between classes at one time, and against the roll-out error."""
    model, (data, classes) = c.model(), c.some()
    shared = influence(
        model, data, "d4", elements=c.probe["time_elements"], trajectories=None, times=c.probe["time_times"], loss=c.loss(model)
    )
    values = shared["coherence"].transpose("element", "bra_time", "bra_trajectory", "ket_time", "ket_trajectory")
    steps = [int(t) for t in shared["bra_time"].values]
    lags, between = [], []
    for g, block in zip(shared["element"].values, values.values, strict=True):
        for i, t in enumerate(steps):
            for j, u in enumerate(steps):
                own = np.diagonal(block[i, :, j, :])
                apart = block[i, :, j, :][~np.eye(len(classes), dtype=bool)]
                lags.append(
                    {"element": str(g), "lag": abs(t - u), "coherence": float(np.nanmedian(own)), "null": float(np.nanmedian(apart))}
                )
        for a, first in enumerate(classes):
            for b, second in enumerate(classes):
                if a != b:
                    same = [block[i, a, i, b] for i in range(len(steps))]
                    between.append({"element": str(g), "bra_class": first, "ket_class": second, "coherence": float(np.nanmedian(same))})
    forecast = rollout(model, data)["relative_l2"].mean("channel").values
    off = ~np.eye(len(steps), dtype=bool)
    e = values.values[list(shared["element"].values).index("e")]
    rows = [
        {
            "trajectory": k,
            "class": law,
            "rollout_error": float(forecast[k, -1]),
            "cross_time_coherence": float(np.nanmean(e[:, k, :, k][off])),
        }
        for k, law in enumerate(classes)
    ]
    return {"lag": lags, "classes": between, "rollout": rows}, shared[["coherence"]].astype("float32").drop_attrs()


def losses(c: Context) -> tuple[Tables, None]:
    """e: does a step on the data loss also help conservation?"""
    model, (data, _) = c.model(), c.some()
    names = ("mass", "momentum", "energy") if c.run.dataset == "euler" else ("momentum", "energy", "divergence")
    rows = []
    for name in names:
        shared = influence(
            model, data, "d4", elements=c.probe["loss_elements"], trajectories=None, times=1, loss=c.loss(model), bra_loss=name
        )
        rows += [{"bra_loss": name, "element": g, **r} for g, r in coherence_rows(shared).items()]
    return {"losses": rows}, None


def metrics(c: Context) -> tuple[Tables, None]:
    """i: every metric against the full Gauss-Newton metric on a model small enough for it."""
    model, (data, _) = c.model(), c.some(1)
    data = data[: c.probe["full_trajectories"]]
    damping = c.probe["full_damping"]
    made: dict[str, Any] = {
        "gauss_newton_full": GaussNewtonFull(damping, tolerance=1e-4),
        "gauss_newton, element span": GaussNewton(damping),
        "gauss_newton, orbit span": GaussNewton(damping, "orbit"),
        "kronecker": Kronecker(damping),
        "adam": Adam.from_run(c.place.run_folder(c.run)),
        "euclidean": "euclidean",
    }
    rows, truth = [], None
    for name, metric in made.items():
        started = time.perf_counter()
        shared = influence(model, data, "d4", metric=metric, trajectories=None, times=1, loss=c.loss(model))
        seconds, values = time.perf_counter() - started, shared["coherence"].values
        truth = values if truth is None else truth
        distance = np.sqrt(np.nanmean((values - truth) ** 2, axis=(1, 2, 3, 4)))
        rows += [
            {"metric": name, "element": g, "distance": float(d), "residual": float(shared["residual"].max()), "seconds": seconds, **r}
            for d, (g, r) in zip(distance, coherence_rows(shared).items(), strict=True)
        ]
    return {"metrics": rows}, None


def steps(c: Context) -> tuple[Tables, None]:
    """j: small steps really taken, against what the influence predicts."""
    model, (data, _) = c.model(), c.some(1)
    made: dict[str, Any] = {"gauss_newton": "gauss_newton", "euclidean": "euclidean", "adam": Adam.from_run(c.place.run_folder(c.run))}
    rows = []
    for name, metric in made.items():
        test = step_test(
            model, data, "d4", metric=metric, trajectories=None, times=1, kets=2, relative=c.probe["step_relative"], loss=c.loss(model)
        )
        rows.append({"metric": name, "slope": float(test["slope"]), "correlation": float(test["correlation"])})
    return {"steps": rows}, None


def skill(c: Context) -> tuple[Tables, None]:
    """Errors of one step on all test transitions, class by class, beside those of what costs nothing; in units of the state."""
    model, family = c.model(), "euler" if c.run.dataset == "euler" else "navier-stokes"
    loss, rows = c.loss(model) or SMSE(), []
    for k, law in enumerate(CLASSES[family]):
        mine = [i for i in c.test if c.place.class_of(i) == k]
        if not mine:
            continue
        states = c.data[np.array(mine)].tensor()
        target = states[:, 3:].flatten(0, 1)
        x, before, first = (states[:, t : t - 3 or None].flatten(0, 1)[: len(target)] for t in (2, 1, 0))
        known = {"persistence": x, "increment": 2 * x - before, "parabola": 3 * x - 3 * before + first}
        with torch.no_grad():
            known["error"] = torch.cat([model(part) for part in x.split(64)])
        found = {name: float(loss.each(forecast, target, x).double().mean()) for name, forecast in known.items()}
        rows.append({"class": law, "transitions": len(target), **found})
    return {"skill": rows}, None


def history(c: Context) -> tuple[Tables, None]:
    """f: curves of the training and its final errors."""
    run = load_run(c.place.run_folder(c.run), "last", trust=True)
    test = run.metrics["test"]
    summary = {
        "parameters": run.parameters, "epochs": run.config.epochs, "test_smse": test["smse"], "persistence_smse": test["smse_persistence"],
        "seconds": sum(h["seconds"] for h in run.history), "test_transitions": test["transitions"],
    }  # fmt: skip
    return {"history": [dict(h) for h in run.history], "runs": [summary]}, None
