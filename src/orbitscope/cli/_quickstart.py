"""From nothing to a report: two small data sets, two models on each, and one file that is wrong on purpose."""

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._errors import OrbitscopeError
from .._json import json_text
from .._lock import locked
from .._whole import write_whole
from ._cases import Case, default_workers, run_all

if TYPE_CHECKING:
    import xarray as xr

    from ._progress import Stages

_SCENARIOS = {"navier-stokes": "navier-stokes.gauss", "euler": "euler.riemann"}
_SWAPPED = "navier-stokes-swapped"
_TITLES = {"navier-stokes": "Navier-Stokes", "euler": "Euler", _SWAPPED: "Navier-Stokes, components swapped"}
_MODELS = {"unet": "UNet", "vit": "ViT"}


@dataclass
class Quickstart:
    """Simulate, train, audit, probe and report on two small data sets; interrupted, the same command goes on where it was.

    Also once with the velocity components of the Navier-Stokes file swapped, to show what a wrong convention looks like. The verdict on
    each network is printed as soon as it is there.

    Example: orbitscope quickstart --out quickstart
    """

    out: Path = Path("quickstart")
    """Folder for data, runs, probes and report.html."""
    resolution: int = 24
    """Points per axis."""
    trajectories: int = 160
    """Trajectories per data set."""
    epochs: int = 3
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
        from ._progress import stages

        started = time.perf_counter()
        fresh = not (self.out / "quickstart.json").exists() or self.force
        self._claim()
        cases = self._cases()
        probed = [case.probe for case in cases if case.model]
        with stages() as bars:
            verdicts = _Verdicts(probed, bars, started)
            run_all(in_order(cases), verdicts, self.workers or default_workers(self.device))
            verdicts.look()
        self._report(probed, verdicts.trees)
        seconds = time.perf_counter() - started
        print(f"{seconds:.0f} s" + ("" if fresh else ", what an earlier call had made not counted"))
        if fresh:
            from ..probe import command, machine

            _write(self.out / "timing.json", {"seconds": round(seconds, 1), "machine": machine(), "command": command()})
        return 0

    def _report(self, probed: Sequence[Path], known: dict[Path, "xr.DataTree"]) -> None:
        from rich.console import Console  # nothing large is imported before the workers have begun

        from ..probe import command, open_probe
        from ..report import summary_table, write_report
        from ._output import about_probe, record

        trees = [known[path] if path in known else open_probe(path) for path in probed]
        report = write_report(
            trees, self.out / "report.html", title="Which symmetries have these emulators learnt?", intro=_INTRO, force=True,
            command=command(),
        )  # fmt: skip
        record(report=report, probes=[{"file": path, **about_probe(tree)} for path, tree in zip(probed, trees, strict=True)])
        console = Console()
        console.print(summary_table(trees))
        for tree in trees:
            console.print(f"{tree.attrs['title']}: {_gain(tree)}", highlight=False, soft_wrap=True)
        print(report.resolve())

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

    def _cases(self) -> list[Case]:
        """What is to be done, in the order of the report."""
        files = {name: self.out / "data" / f"{name}.nc" for name in (*_SCENARIOS, _SWAPPED)}
        simulations, audits, models = [], [], []
        for name, data in files.items():
            groups = ("d4",) if name == _SWAPPED else ("d4", "tx", "ty")
            case = Case(_TITLES[name], data, self.out / "audits" / f"{name}.nc", groups, self.seed, device=self.device)
            audits.append(case)
            if name != _SWAPPED:
                swapped = files[_SWAPPED] if name == "navier-stokes" else None
                how = {"scenario": _SCENARIOS[name], "trajectories": self.trajectories, "resolution": self.resolution}
                simulations.append(replace(case, **how, swapped=swapped))
            for model in ("unet",) if name == _SWAPPED else _MODELS:
                label = f"{name}-{model}"
                run, probe = self.out / "runs" / label, self.out / "probes" / f"{label}.nc"
                title = f"{_TITLES[name]}, {_MODELS[model]}"
                models.append(replace(case, title=title, model=model, epochs=self.epochs, run=run, probe=probe))
        return simulations + audits + models


class _Verdicts:
    """Progress that also says what is known: the verdict on each case as soon as its probe is there."""

    def __init__(self, probes: Sequence[Path], bars: "Stages", started: float) -> None:
        self.missing, self.bars, self.started = [path for path in probes if not path.exists()], bars, started
        self.trees: dict[Path, xr.DataTree] = {}

    def __call__(self, stage: str, done: float, total: float, note: str = "") -> None:
        self.bars(stage, done, total, note)
        self.look()

    def look(self) -> None:
        """Say what is there and was not said."""
        for path in [path for path in self.missing if path.exists()]:
            self.missing.remove(path)
            self._say(path)

    def _say(self, path: Path) -> None:
        from ..probe import open_probe
        from ..report import summary_table

        tree = self.trees[path] = open_probe(path)
        self.bars.say(f"[{time.perf_counter() - self.started:6.1f} s] {tree.attrs['title']}: {_gain(tree)}")
        self.bars.say(summary_table([tree]))


def _gain(tree: "xr.DataTree") -> str:
    training = tree["training"].attrs
    error, persistence = training["test_smse"], training["persistence_smse"]
    return f"test SMSE {error:.2e}, persistence {persistence:.2e} ({persistence / error:.1f} times better than persistence)"


def in_order(cases: Sequence[Case]) -> list[Case]:
    """The order of the work: files before what needs them, then the quickest verdict (a ViT's, whose training and probe take two thirds
    of a UNet's), the audits, and the shortest last, so that no core idles at the end."""
    networks = [case for case in cases if case.model]
    first = next((case for case in networks if case.model == "vit"), networks[0] if networks else None)
    return sorted(cases, key=lambda case: (not case.scenario, case is not first, bool(case.model), -len(case.groups), case.model == "vit"))


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
