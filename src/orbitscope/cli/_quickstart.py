"""From nothing to a report: two small data sets, two models on each, and one file that is wrong on purpose."""

import functools
import json
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._errors import OrbitscopeError

if TYPE_CHECKING:
    import xarray as xr

    from ..data import Trajectories
    from ..symmetry import Group
    from ._progress import Stages

_SCENARIOS = {"navier-stokes": "navier-stokes.gauss", "euler": "euler.riemann"}
_SWAPPED = "navier-stokes-swapped"
_TITLES = {"navier-stokes": "Navier-Stokes", "euler": "Euler", _SWAPPED: "Navier-Stokes, components swapped"}
_MODELS = {"unet": "UNet", "vit": "ViT"}


@dataclass
class Quickstart:
    """Simulate, train, audit, probe and report on two small data sets; interrupted, the same command goes on where it was.

    Also once with the velocity components of the Navier-Stokes file swapped, to show what a wrong convention looks like.

    Example: orbitscope quickstart --out quickstart
    """

    out: Path = Path("quickstart")
    """Folder for data, runs, probes and report.html."""
    resolution: int = 32
    """Points per axis."""
    trajectories: int = 160
    """Per data set."""
    epochs: int = 6
    """Of training for the UNet; the ViT, whose epochs cost a third, gets three times as many."""
    seed: int = 0
    """Of everything."""
    device: str = "cpu"
    """cpu or cuda."""
    force: bool = False
    """Throw away what `out` holds from other settings."""

    def run(self) -> int:
        from rich.console import Console

        from ..probe import command, machine
        from ..report import summary_table, write_report
        from ._progress import stages

        started = time.perf_counter()
        fresh = not (self.out / "quickstart.json").exists() or self.force
        self._claim()
        trees, audits = [], {}
        with stages() as bars:
            files = self._simulate(bars)
            for name, model in [(d, m) for d in _SCENARIOS for m in _MODELS] + [(_SWAPPED, "unet")]:
                trees.append(self._case(name, model, files[name], audits, bars))
        report = write_report(
            trees, self.out / "report.html", title="Which symmetries have these emulators learnt?", intro=_INTRO, force=True,
            command=command(),
        )  # fmt: skip
        console = Console()
        console.print(summary_table(trees))
        for tree in trees:
            training = tree["training"].attrs
            ratio = training["persistence_smse"] / training["test_smse"]
            console.print(
                f"{tree.attrs['title']}: test SMSE {training['test_smse']:.2e}, persistence {training['persistence_smse']:.2e} "
                f"({ratio:.1f} times better than persistence)",
                highlight=False, soft_wrap=True,
            )  # fmt: skip
        seconds = time.perf_counter() - started
        console.print(f"{seconds:.0f} s" + ("" if fresh else ", what an earlier call had made not counted"), highlight=False)
        if fresh:
            _write(self.out / "timing.json", {"seconds": round(seconds, 1), "machine": machine(), "command": command()})
        print(report.resolve())
        return 0

    def _claim(self) -> None:
        """One folder, one set of settings: parts made with different ones must not meet in a report."""
        settings = {k: v for k, v in asdict(self).items() if k not in ("out", "force", "device")}
        kept = self.out / "quickstart.json"
        if kept.exists() and not self.force:
            try:
                found = json.loads(kept.read_text())
            except ValueError:
                found = None
            if found != settings:
                raise OrbitscopeError(f"out: {self.out} holds a quickstart with other settings ({found}). Give another --out, or --force.")
        elif self.out.exists() and any(self.out.iterdir()) and not kept.exists():
            raise OrbitscopeError(f"out: {self.out} holds other files. Give another --out.")
        self.out.mkdir(parents=True, exist_ok=True)
        for folder in ("data", "runs", "probes"):
            if self.force and kept.exists():
                _remove(self.out / folder)
            (self.out / folder).mkdir(exist_ok=True)
        _write(kept, settings)

    def _simulate(self, bars: "Stages") -> dict[str, Path]:
        from ..data import load, save
        from ._actions import simulate_to_file

        files = {}
        for name, scenario in _SCENARIOS.items():
            files[name] = self.out / "data" / f"{name}.nc"
            if not files[name].exists():
                simulate_to_file(
                    scenario, files[name], trajectories=self.trajectories, resolution=self.resolution, seed=self.seed, progress=bars
                )
        files[_SWAPPED] = self.out / "data" / f"{_SWAPPED}.nc"
        if not files[_SWAPPED].exists():
            save(load(files["navier-stokes"]).swap_components(), files[_SWAPPED])
        return files

    def _case(self, name: str, model: str, file: Path, audits: "dict[str, dict[str, xr.Dataset]]", bars: "Stages") -> "xr.DataTree":
        from .. import ProbeConfig, TrainConfig, load, load_run, parse_group, train
        from ..probe import open_probe, probe, save_probe
        from ._actions import run_case, tested_on

        label = f"{_TITLES[name]}, {_MODELS[model]}"
        data: Trajectories = load(file)
        times, rate = _TRAINING[model]
        config = TrainConfig(model=model, epochs=times * self.epochs, learning_rate=rate, seeds=(self.seed,), device=self.device)  # pyright: ignore[reportArgumentType]
        folder = train(
            data,
            config,
            self.out / "runs" / f"{name}-{model}",
            progress=lambda p: bars(f"train {label}", round(p.fraction * 100), 100, f"loss {p.loss:.1e}"),
        )
        target = self.out / "probes" / f"{name}-{model}.nc"
        if target.exists():
            return open_probe(target)
        run = load_run(folder, device=self.device)
        groups = [parse_group(g, points=self.resolution) for g in (["d4"] if name == _SWAPPED else ["d4", "tx", "ty"])]
        tree = probe(
            run.model,
            tested_on(run, data),
            groups,
            ProbeConfig(trajectories=8, times=2, influence_elements=8, seed=self.seed),
            audits=_audits(audits, name, groups, data, self.seed, bars),
            progress=lambda stage, done, total: bars(f"probe {label}: {stage}", done, total),
            title=label,
            data_path=str(file),
            **run_case(run),
        )
        save_probe(tree, target, force=True)
        return tree


# Epochs as a multiple of the UNet's, and peak learning rate: what reached the smallest error in half a minute on two cores.
_TRAINING = {"unet": (1, 3e-3), "vit": (3, 4e-3)}

_INTRO = (
    "Two small emulators were trained on each of two data sets that orbitscope simulated: Gaussian vortices under the incompressible "
    "Navier-Stokes equations, and four-quadrant Riemann problems under the compressible Euler equations. A third file is the first "
    "one with its two velocity components swapped, as happens in practice: it shows what a wrong convention looks like."
)


def _write(path: Path, content: dict[str, Any]) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=1))
    part.replace(path)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _audits(
    known: "dict[str, dict[str, xr.Dataset]]", name: str, groups: "list[Group]", data: "Trajectories", seed: int, bars: "Stages"
) -> "dict[str, xr.Dataset]":
    """The audit of a file does not depend on the model: one, kept in `known`, serves both."""
    from ..probe import audit

    results = known.setdefault(name, {})
    for group in groups:
        if group.name not in results:
            results[group.name] = audit(data, group, seed=seed, progress=functools.partial(bars, f"audit {_TITLES[name]}: {group.name}"))
    return results
