"""What is measured: on the data before any model, and on every trained network. Tidy tables (lists of rows) and a small dataset."""

import copy
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import xarray as xr
from moves import augmented, gaps, tested
from study import BACKBONES, OWN, SHORT, TESTS, TITLES, Place, Run, together, train_config
from torch import Tensor
from trivial import trivial_forecasts

import orbitscope as osc
from orbitscope.emulators import Run as Trained
from orbitscope.emulators import build, energy_spectrum, ese, load_run, rmse, rollout, spectrum_error
from orbitscope.emulators import train as train_emulator
from orbitscope.probe import audit

Rows = list[dict[str, Any]]
#: A forecast beyond so many units, or not finite, counts as this.
BOUND = 1e3


def unit_of(place: Place, dataset: str) -> float:
    """The unit of all errors: the scale of the training windows (root mean square of a vector, standard deviation of a scalar)."""
    return float(osc.Normalisation.fit(place.sets(dataset, "train")).scale[0])


def errors(prediction: Tensor, data: osc.Trajectories, first: int, unit: float) -> dict[str, float]:
    """RMSE over all steps, of the first and of the last one; error of E(k); the published ESE."""
    target = data.tensor()[:, first : first + prediction.shape[1]]
    window = "none" if data.grid.periodic else "hann"
    several = prediction.shape[1] > 1 and prediction.shape[2] == 2
    return {
        "rmse": rmse(prediction, target) / unit,
        "rmse_first": rmse(prediction[:, 0], target[:, 0]) / unit,
        "rmse_last": rmse(prediction[:, -1], target[:, -1]) / unit,
        "spectrum": spectrum_error(prediction, target, data.grid, window),
        "ese": ese(prediction, target) if several else float("nan"),
    }


def divergence(states: Tensor) -> float:
    """Root mean square of the divergence over that of all derivatives, central differences inside the window; NaN for a scalar."""
    if states.shape[-3] != 2:
        return float("nan")
    rows = [(states[..., 2:, 1:-1] - states[..., :-2, 1:-1]) / 2, (states[..., 1:-1, 2:] - states[..., 1:-1, :-2]) / 2]
    whole = sum(r.square().mean() for r in rows)
    return float(((rows[0][..., 0, :, :] + rows[1][..., 1, :, :]).square().mean() / (2 * whole)).sqrt())


def by_step(prediction: Tensor, data: osc.Trajectories, first: int, unit: float) -> list[float]:
    target = data.tensor()[:, first : first + prediction.shape[1]]
    return [rmse(prediction[:, h], target[:, h]) / unit for h in range(prediction.shape[1])]


def spectrum(states: Tensor, data: osc.Trajectories) -> list[float]:
    """Mean over samples and times."""
    return (
        energy_spectrum(states, data.grid, "none" if data.grid.periodic else "hann")[1].mean((0, 1)).tolist()[: data.grid.shape[0] // 2 + 1]
    )


def data_case(place: Place, dataset: str, tell: Callable[[str], None]) -> None:
    """What the data say of themselves: sizes, persistence on every test set, spectrum, and the audit of C4."""
    path = place.case_file(f"data_{dataset}", "data")
    if path.exists():
        return
    s, unit, started = place.settings, unit_of(place, dataset), time.process_time()
    rows, steps, spectra = [], [], []
    for name in TESTS:
        data = tested(place, dataset, name, unit)
        if data is None:
            continue
        made = trivial_forecasts(data.tensor()[:, : s.frames], s.steps)
        target = data.tensor()[:, s.frames : s.frames + s.steps]
        size = float(data.tensor().square().mean().sqrt()) / unit
        # What stands still has no turbulent energy, and no spectrum of it.
        found = {**errors(made["persistence"], data, s.frames, unit), "ese": float("nan")}
        found |= {"divergence": divergence(data.tensor()[:, s.frames :]), "windows": len(data), "rms": size}
        for word in [w for w in made if w != "persistence"]:
            found |= {word: rmse(made[word], target) / unit, f"{word}_first": rmse(made[word][:, 0], target[:, 0]) / unit}
        rows.append({"test": name, **found})
        each = {word: by_step(forecast, data, s.frames, unit) for word, forecast in made.items()}
        each["rmse"] = each.pop("persistence")
        steps += [{"test": name, "step": h + 1, **{word: values[h] for word, values in each.items()}} for h in range(s.steps)]
        if name == "original":
            truth = data.tensor()[:, s.frames :]
            spectra = [{"shell": j, "energy": e / unit**2} for j, e in enumerate(spectrum(truth, data))]
    train = place.sets(dataset, "train")
    sizes = {key: len(place.sets(dataset, key)) for key in ("train", "validation")}
    for c, name in enumerate(train.layout.channel_names):
        sizes[f"rms {name[-1]}"] = float(train.tensor()[:, :, c].square().mean().sqrt()) / unit
    label = {"dataset": dataset}
    tables = {
        "persistence": rows, "persistence_steps": steps, "true_spectrum": spectra, "audit": _audit(place, dataset),
        "sizes": [{**sizes, "unit": unit, "length": train.times}],
    }  # fmt: skip
    place.write_case(f"data_{dataset}", "data", label, tables, time.process_time() - started)
    tell(f"{TITLES[dataset]}: data and audit")


def _audit(place: Place, dataset: str) -> Rows:
    """Is the file as symmetric as a network that commutes with quarter turns would have it? One state per window is asked for."""
    train = place.sets(dataset, "train")
    found = audit(train, "c4", samples=256)
    return [
        {
            "element": str(g), "p_value": float(found["p_value"].sel(element=g)), "verdict": str(found["verdict"].sel(element=g).values),
            "file": found.attrs["verdict"],
        }
        for g in found["element"].values
    ]  # fmt: skip


def work(place: Place, run: Run, deadline: float, tell: Callable[[str], None]) -> None:
    """Train one network and measure it."""
    if place.case_file(run.key, "run").exists() or time.time() > deadline:
        return
    title = f"{TITLES[run.dataset]}, {BACKBONES[run.backbone]}, {SHORT[run.variant]}, seed {run.seed}"
    seconds = _train(place, run)
    started = time.process_time()
    kept = load_run(place.run_folder(run), "best", trust=True)
    tables, pictures = _measure(place, run, kept)
    tables["runs"] = [
        {
            "parameters": kept.parameters, "seconds": seconds, "epochs": kept.config.epochs, "best_epoch": kept.epoch,
            "validation": kept.metrics["validation"]["smse"], "persistence": kept.metrics["validation"]["smse_persistence"],
            "measuring_seconds": time.process_time() - started,
        }
    ]  # fmt: skip
    if run.windows:  # of these the page says only how errors fall
        tables = {"complexity": [{k: row[k] for k in ("test", "rmse", "rmse_first")} for row in tables["tests"]]}
        place.write_case(run.key, "run", run.label, tables, seconds)
        tell(f"{title}, {run.windows} windows: {seconds:.0f} CPU s, RMSE {tables['complexity'][0]['rmse']:.3f}")
        return
    place.write_case(run.key, "run", run.label, tables, seconds, pictures)
    tell(f"{title}: {seconds:.0f} CPU s, RMSE {tables['tests'][0]['rmse']:.3f}")


def _train(place: Place, run: Run) -> float:
    """CPU seconds; those of a training that was interrupted count from the interruption."""
    s, unit = place.settings, unit_of(place, run.dataset)
    training, epochs = place.sets(run.dataset, "train"), s.training["epochs"]
    if run.windows:  # as many steps as with all: more passes
        epochs = max(1, round(epochs * len(training) / run.windows))
        training = training[fewer(len(training), run.windows, run.seed)]
    symmetry = run.variant.removeprefix("augmented ")
    if symmetry != run.variant and symmetry != "rotation":
        copies = s.training["copies"]
        training, epochs = augmented(place, run.dataset, symmetry, copies, unit, training), max(1, epochs // copies)
    validation = place.sets(run.dataset, "validation")
    config = train_config(s, run, (len(training), len(validation)), epochs)
    started = time.process_time()
    train_emulator(together(training, validation), config, place.run_folder(run), progress=None, tensorboard=False)
    return time.process_time() - started


def fewer(total: int, count: int, seed: int) -> list[int]:
    """`count` of the training windows; every seed draws others, and a larger number holds the smaller."""
    return sorted(np.random.default_rng((seed, 17)).permutation(total)[:count].tolist())


def _wide(place: Place, dataset: str, kept: Trained) -> torch.nn.Module | None:
    """The same weights for windows twice as wide: some layers know the size of their grid."""
    if not place.has(dataset, "wide"):
        return None
    grid, c = place.sets(dataset, "wide").grid, kept.layout.channels
    backbone = build(
        kept.config.model, kept.config.preset, channels_in=kept.config.frames * c, channels_out=c, layout=kept.layout, grid=grid,
        resolution=(grid.shape[0], grid.shape[1]), residual=True,
        differences=kept.config.differences, **dict[str, Any](kept.config.overrides),
    )  # fmt: skip
    weights = kept.model.backbone.state_dict()
    if any(value.shape != weights[name].shape for name, value in backbone.state_dict().items()):
        return None  # tied to one grid, as a ViT is by what it knows of places
    backbone.load_state_dict(weights)
    wide = copy.deepcopy(kept.model)
    wide.backbone = backbone
    return wide.eval()


def _measure(place: Place, run: Run, kept: Trained) -> tuple[dict[str, Rows], xr.Dataset]:
    s, unit, model = place.settings, unit_of(place, run.dataset), kept.model
    rows, steps, spectra, pictures = [], [], [], {}
    for name in TESTS:
        data = tested(place, run.dataset, name, unit)
        if data is None:
            continue
        states = torch.from_numpy(rollout(model, data, s.steps, start=s.frames - 1, keep_states=True)["prediction"].values)
        wild = ~(states.abs() < BOUND * unit)
        states = torch.where(wild, BOUND * unit * torch.ones_like(states), states)
        blown = float(wild.any(-1).any(-1).any(-1).any(-1).float().mean())
        rows.append({"test": name, **errors(states, data, s.frames, unit), "divergence": divergence(states), "wild": blown})
        if run.windows:
            continue
        steps += [{"test": name, "step": h + 1, "rmse": e} for h, e in enumerate(by_step(states, data, s.frames, unit))]
        if name == "original":
            spectra = [{"shell": j, "energy": e / unit**2} for j, e in enumerate(spectrum(states, data))]
        if run.seed == s.seeds[0] and name in ("original", *(t for own in OWN.values() for t in own)):
            seen = torch.stack([data.tensor()[0, s.frames + s.steps // 2 - 1], states[0, s.steps // 2 - 1]]) / unit
            if name == "original":
                chosen = [0, s.steps // 2 - 1, s.steps - 1]
                kept_states = torch.stack([data.tensor()[0, s.frames :][chosen], states[0, chosen]]) / unit
                pictures["norms"] = (("what", "step", "channel", "x", "y"), kept_states.numpy().astype(np.float32))
            pictures[name.replace(" ", "_").replace("/", "-")] = (("what", "channel", "x", "y"), seen.numpy().astype(np.float32))
    if run.windows:
        return {"tests": rows}, xr.Dataset()
    wide = _wide(place, run.dataset, kept)
    found = [{"symmetry": k, "error": g.error, "increment": g.increment} for k, g in gaps(place, run.dataset, model, wide, unit).items()]
    content = xr.Dataset(pictures, {"what": ["truth", "forecast"]}) if pictures else xr.Dataset()
    return {"tests": rows, "steps": steps, "spectra": spectra, "equivariance": found}, content
