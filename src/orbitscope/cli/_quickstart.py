"""From nothing to a report: two small data sets, two models on each, and one file that is wrong on purpose."""

import json
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._errors import OrbitscopeError
from .._json import json_text
from .._lock import locked
from .._whole import write_whole
from ._cases import Case, default_workers, run_all

if TYPE_CHECKING:
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
    """Trajectories per data set."""
    epochs: int = 6
    """Training epochs of the UNet; the ViT, whose epochs cost a third, gets three times as many."""
    seed: int = 0
    """Seed of all random choices."""
    device: str = "cpu"
    """Where to compute: cpu or cuda."""
    workers: int | None = None
    """Processes, each with one thread; None: one per core."""
    force: bool = False
    """Throw away what `out` holds from other settings."""

    def run(self) -> int:
        self.out.parent.mkdir(parents=True, exist_ok=True)
        with locked(self.out):
            return self._run()

    def _run(self) -> int:
        from rich.console import Console

        from ..probe import command, machine, open_probe
        from ..report import summary_table, write_report
        from ._output import about_probe, record
        from ._progress import stages

        started = time.perf_counter()
        fresh = not (self.out / "quickstart.json").exists() or self.force
        self._claim()
        with stages() as bars:
            cases = self._cases(self._simulate(bars))
            # The longest trainings first, so that no core idles at the end; the audits before all, because the probes use them.
            order = sorted(cases, key=lambda case: ("", "unet", "vit").index(case.model))
            run_all(order, bars, self.workers or default_workers(self.device))
        probed = [case.probe for case in cases if case.model]
        trees = [open_probe(path) for path in probed]
        report = write_report(
            trees, self.out / "report.html", title="Which symmetries have these emulators learnt?", intro=_INTRO, force=True,
            command=command(),
        )  # fmt: skip
        record(report=report, probes=[{"file": path, **about_probe(tree)} for path, tree in zip(probed, trees, strict=True)])
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
        settings = {k: v for k, v in asdict(self).items() if k not in ("out", "force", "device", "workers", "output")}
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
        for folder in ("data", "audits", "runs", "probes"):
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

    def _cases(self, files: dict[str, Path]) -> list[Case]:
        """What is to be done, in the order of the report."""
        audits, models = [], []
        for name, data in files.items():
            groups = ("d4",) if name == _SWAPPED else ("d4", "tx", "ty")
            audit = self.out / "audits" / f"{name}.nc"
            audits.append(Case(_TITLES[name], data, audit, groups, self.seed))
            for model in ("unet",) if name == _SWAPPED else _MODELS:
                label = f"{name}-{model}"
                run, probe = self.out / "runs" / label, self.out / "probes" / f"{label}.nc"
                title = f"{_TITLES[name]}, {_MODELS[model]}"
                models.append(Case(title, data, audit, groups, self.seed, self.device, model, self.epochs, run, probe))
        return audits + models


_INTRO = (
    "Two small emulators were trained on each of two data sets that orbitscope simulated: Gaussian vortices under the incompressible "
    "Navier-Stokes equations, and four-quadrant Riemann problems under the compressible Euler equations. A third file is the first "
    "one with its two velocity components swapped, as happens in practice: it shows what a wrong convention looks like."
)


def _write(path: Path, content: dict[str, Any]) -> None:
    write_whole(path, lambda part: part.write_text(json_text(content, what=str(path), indent=1)))


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
