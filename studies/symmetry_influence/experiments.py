"""The experiments. Each takes a trained run and returns tidy tables (lists of rows) and perhaps a small dataset."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from study import MODELS, TITLES, V4, Place, Run, Settings, train_config

import orbitscope as osc
from orbitscope.emulators import load_run, rollout
from orbitscope.emulators import train as train_emulator
from orbitscope.probe import Adam, GaussNewton, GaussNewtonFull, Kronecker, audit, influence, shift_curve, step_test
from orbitscope.probe import equivariance as equivariance_error

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
        return self.place.tested(self.data, self.test, each or self.probe["per_class"])


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
    """a, h, i: error over D4; coherence in two metrics, with a sweep over the damping."""
    model, (data, _) = c.model(), c.some()
    error = error_rows(equivariance_error(model, data, "d4", trajectories=None, times=c.probe["times"]))
    rows, sweep = [], []
    kept = xr.Dataset()
    for metric in c.probe.get("d4_metrics", ("gauss_newton", "euclidean")):
        shared = influence(model, data, "d4", metric=metric, trajectories=None, times=c.probe["times"])
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
    return {"d4": rows, "damping": sweep}, kept


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
        shared = influence(model, data, f"{word}{points}", elements=names, trajectories=None, times=1, sketch=c.probe["sketch"])
        spread = shared["coherence_error"].median(("bra_time", "bra_trajectory", "ket_time", "ket_trajectory"))
        shared_rows += [
            {"axis": word, "shift": int(g) / 2, **r, "sketch_error": float(spread.sel(element=g))}
            for g, r in coherence_rows(shared).items()
        ]
    return {"shift_error": error, "shift_coherence": shared_rows, "shift_period": periods}, None


def epochs(c: Context) -> tuple[Tables, None]:
    """c: error and coherence over D4 after chosen epochs."""
    data, _ = c.some()
    folder = c.place.run_folder(c.run)
    run = load_run(folder, "last", trust=True)
    validation = {int(h["epoch"]): float(h["validation"]) for h in run.history}
    rows = []
    for epoch in c.place.settings.epochs_at(run.config.epochs):
        model = c.model(epoch)
        error = error_rows(equivariance_error(model, data, "d4", trajectories=None, times=c.probe["times"]))
        shared = coherence_rows(influence(model, data, "d4", trajectories=None, times=c.probe["times"]))
        seen = validation.get(epoch, float("nan"))
        rows += [{"epoch": epoch, "validation": seen, "element": g, "in_v4": g in V4, **error[g], **r} for g, r in shared.items()]
    return {"epochs": rows}, None


def times(c: Context) -> tuple[Tables, xr.Dataset]:
    """d: coherence by time lag within a trajectory, between classes at one time, and against the roll-out error."""
    model, (data, classes) = c.model(), c.some()
    shared = influence(model, data, "d4", elements=c.probe["time_elements"], trajectories=None, times=c.probe["time_times"])
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
        shared = influence(model, data, "d4", elements=c.probe["loss_elements"], trajectories=None, times=1, bra_loss=name)
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
        shared = influence(model, data, "d4", metric=metric, trajectories=None, times=1)
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
        test = step_test(model, data, "d4", metric=metric, trajectories=None, times=1, kets=2, relative=c.probe["step_relative"])
        rows.append({"metric": name, "slope": float(test["slope"]), "correlation": float(test["correlation"])})
    return {"steps": rows}, None


def history(c: Context) -> tuple[Tables, None]:
    """f: curves of the training and its final errors."""
    run = load_run(c.place.run_folder(c.run), "last", trust=True)
    test = run.metrics["test"]
    summary = {
        "parameters": run.parameters, "epochs": run.config.epochs, "test_smse": test["smse"], "persistence_smse": test["smse_persistence"],
        "seconds": sum(h["seconds"] for h in run.history), "test_transitions": test["transitions"],
    }  # fmt: skip
    return {"history": [dict(h) for h in run.history], "runs": [summary]}, None


EXPERIMENTS: dict[str, Callable[[Context], tuple[Tables, xr.Dataset | None]]] = {
    "history": history, "d4": d4, "epochs": epochs, "steps": steps, "times": times, "losses": losses, "translations": translations,
    "metrics": metrics,
}  # fmt: skip


def wanted(settings: Settings, run: Run) -> list[str]:
    """The experiments of a run, in order."""
    if run.model == "small":
        return ["history", "metrics"]
    skipped = {"metrics"} | ({"translations"} if "swapped" in run.dataset else set())
    if run.schedule != settings.main_schedule:
        skipped |= {"translations", "losses"}
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
