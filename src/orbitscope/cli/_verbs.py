"""The verbs: their settings are the flags, and the names in a TOML file; `run` does the work."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from ._quickstart import Quickstart

Device = Literal["auto", "cpu", "cuda"]
Positional = tyro.conf.Positional


@dataclass
class Simulate:
    """Make trajectories and write them to one file. Interrupted, the same command goes on where it was.

    Example: orbitscope simulate navier-stokes.gauss --trajectories 64 --resolution 64 --seed 0 --out ns.nc
    """

    scenario: Positional[str]
    """Such as navier-stokes.gauss or euler.riemann; PDEgym's names (NS-Gauss, CE-RP, ...) do as well. `orbitscope scenarios` lists all,
    with their parameters."""
    out: Path
    """File to write: .nc is PDEgym NetCDF, .h5 or .hdf5 is The Well."""
    trajectories: int = 64
    """How many."""
    resolution: int = 64
    """Points per axis; in a box that is not square, as the scenario says."""
    frames: int | None = None
    """Stored states per trajectory; None: 21."""
    t_end: float | None = None
    """Time of the last state; None: 1.0."""
    refine: int = 1
    """Solve on so many times finer a grid and store averages."""
    seed: int = 0
    """Of the initial conditions."""
    initial: tuple[str, ...] = ()
    """Parameters of the law of initial states, such as p=3 amplitude=0.05; in a TOML file the table [initial]."""
    equation: tuple[str, ...] = ()
    """Parameters of the equation and its solver, such as viscosity=1e-3 cfl=0.3; in a TOML file the table [equation]."""
    keep: tuple[str, ...] = ()
    """Store only these fields; none given: all."""
    device: Device = "auto"
    """Where to compute; auto: the CPU (compiled)."""
    batch: int | None = None
    """Trajectories at a time; changes memory and speed, never the numbers. None: what fits in some 128 MiB."""
    shard: str | None = None
    """K/N such as 3/16: only the third of sixteen parts, for `orbitscope assemble`. Under torchrun each rank makes one by itself."""
    force: bool = False
    """Replace an existing file."""

    def run(self) -> int:
        from ..data import Shard
        from ._actions import simulate_to_file
        from ._progress import stages
        from ._words import parse_words

        rank = Shard.from_environment() if self.shard is None else None
        shard = Shard.parse(self.shard) if self.shard is not None else rank
        with stages() as bars:
            path = simulate_to_file(
                self.scenario, self.out if rank is None else rank.path(self.out), trajectories=self.trajectories,
                resolution=self.resolution, frames=self.frames, t_end=self.t_end, refine=self.refine, seed=self.seed,
                device="cpu" if self.device == "auto" else self.device, batch=self.batch, shard=shard,
                initial=parse_words(self.initial, "--initial"), law=parse_words(self.equation, "--equation"), keep=self.keep,
                force=self.force, progress=bars,
            )  # fmt: skip
        print(path)
        return 0


@dataclass
class Scenarios:
    """The scenarios that `simulate` knows, with their parameters and defaults, and what their published descriptions leave open.

    Example: orbitscope scenarios euler.curved
    """

    name: Positional[str | None] = None
    """One scenario; none given: all."""

    def run(self) -> int:
        from ._actions import describe_scenarios

        print(describe_scenarios(self.name))
        return 0


@dataclass
class Assemble:
    """One file from several: the parts that `simulate --shard` made, or files that agree. Stored values are copied bit for bit.

    Example: orbitscope assemble ns.shard-*.nc --out ns.nc
    """

    files: Positional[tuple[Path, ...]]
    """Every part, in any order; other files in the order wanted."""
    out: Path
    """File to write."""
    force: bool = False
    """Replace an existing file."""

    def run(self) -> int:
        from ..data import assemble

        print(assemble(self.files, self.out, force=self.force))
        return 0


@dataclass
class Train:
    """Train an emulator, state -> next state. Interrupted, the same command goes on where it was, bit for bit.

    Example: orbitscope train ns.nc --model unet --preset small --epochs 10 --out runs/unet
    """

    data: Positional[Path]
    """File of trajectories; also a folder or a pattern ("CE-RP_*.nc") of numbered files."""
    out: Path
    """Folder of the run; several seeds make seed-0, seed-1, ... in it."""
    model: str = "unet"
    """unet, vit, resnet, fno, or "package.module:callable"."""
    preset: str = "small"
    """small, medium or paper."""
    override: tuple[str, ...] = ()
    """Single options of the model, such as width=32."""
    residual: bool = True
    """Predict the increment instead of the next state."""
    epochs: int = 10
    """Passes over the training transitions."""
    batch: int = 32
    """Transitions per step."""
    learning_rate: float = 5e-4
    """Peak rate of AdamW."""
    weight_decay: float = 1e-4
    """Decoupled weight decay."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Of the learning rate."""
    clip: float = 1.0
    """Largest gradient norm; 0: no clipping."""
    seed: tuple[int, ...] = (0,)
    """One run per seed."""
    device: Device = "auto"
    """auto: a GPU where there is one."""
    devices: int = 1
    """Processes, data-parallel: gloo on the CPU, NCCL on GPUs."""
    precision: Literal["32", "64", "bf16"] = "32"
    """Of the arithmetic; bf16 is mixed."""
    augment: str | None = None
    """Group, such as d4 or d4*tx*ty: move every transition of every step by a random element of it."""
    relaxation: float | None = None
    """Weight of the penalty on broken symmetry, for models with relaxed layers."""
    keep: Literal["best", "all"] = "best"
    """all: also the weights after every epoch."""
    load: tuple[str, ...] = ()
    """How to read the file, such as land=0 box=-30,-28,40,41 depth=1 (ocean), tracer=true, variable=solution, dt=0.1,
    layout=density,velocity:vector, extent=1,2 boundary=periodic,wall; in a TOML file the table [load]."""
    force: bool = False
    """Replace an existing run."""

    def run(self) -> int:
        from .. import TrainConfig, load_runs, train
        from ._words import load_words, parse_words

        overrides = parse_words(self.override, "--override")
        config = TrainConfig(
            model=self.model, preset=self.preset, overrides=overrides, residual=self.residual, epochs=self.epochs,
            batch=self.batch, learning_rate=self.learning_rate, weight_decay=self.weight_decay, schedule=self.schedule, clip=self.clip,
            seeds=self.seed, device=self.device, devices=self.devices, precision=self.precision, keep=self.keep,
            augment=self.augment, relaxation=self.relaxation,
        )  # fmt: skip
        out = train(load_words(self.data, self.load), config, self.out, force=self.force)
        for run in load_runs(out):
            print(f"{run.path}: {run}")
        return 0


@dataclass
class Audit:
    """Which symmetries have the physics and the file, does the file keep its declared convention, and what in it deserves a second look?
    Exit code 1 if it does not, or if it shares states with another part of its split.

    Example: orbitscope audit ns.nc --group d4 tx
    """

    data: Positional[Path]
    """File of trajectories; also a folder or a pattern ("CE-RP_*.nc") of numbered files."""
    group: tuple[str, ...] = ("d4",)
    """Groups: d4, c4, tx, ty, tx16, so2/16, d4*tx8*ty8, ..."""
    law: str | None = None
    """Equation (navier-stokes, euler); None: what the file says it is."""
    samples: int = 128
    """Trajectories for the two-sample test."""
    seed: int = 0
    """Of the random choices."""
    out: Path | None = None
    """NetCDF file for the numbers, if wanted."""
    screening: bool = True
    """List broken, frozen, copied and outlying trajectories; reads the whole file."""
    splits: tuple[Path, ...] = ()
    """Files of the other parts of the split, or the folder of a run: no state may be in two parts."""
    fix: Path | None = None
    """Write a corrected copy of a refused file here, with the change in its history."""
    choose: str | None = None
    """With --fix: the name of one reading, where several fit alike."""
    load: tuple[str, ...] = ()
    """How to read the file, such as land=0 box=-30,-28,40,41 depth=1 (ocean), tracer=true, variable=solution, dt=0.1,
    layout=density,velocity:vector, extent=1,2 boundary=periodic,wall; in a TOML file the table [load]."""
    force: bool = False
    """Replace an existing file."""

    def run(self) -> int:
        from ._audit import audit_file

        return audit_file(
            self.data, self.group, law=self.law, samples=self.samples, seed=self.seed, out=self.out, force=self.force, options=self.load,
            screening=self.screening, splits=self.splits, fix=self.fix, choose=self.choose,
        )  # fmt: skip


@dataclass
class Probe:
    """Which symmetries has a model learnt? Audits the data, measures equivariance error and influence, and says it in words.

    A run folder is probed on the trajectories that it was tested on, if the file is the one that it was trained on.

    Example: orbitscope probe runs/unet ns.nc --group d4 tx ty --metric gauss_newton --out probe.nc
    """

    model: Positional[str]
    """Run folder, torch.export file (.pt2), or "package.module:callable"."""
    data: Positional[Path]
    """File of trajectories; also a folder or a pattern ("CE-RP_*.nc") of numbered files."""
    out: Path
    """NetCDF file for the result; several seeds make several files."""
    weights: Path | None = None
    """safetensors for "package.module:callable"."""
    group: tuple[str, ...] = ("d4",)
    """Groups: d4, c4, tx, ty, tx16, so2/16, d4*tx8*ty8, ..."""
    metric: Literal["gauss_newton", "euclidean", "gauss_newton_full", "kronecker", "adam"] = "gauss_newton"
    """Of parameter space, for the influence. adam: the optimiser's own, from the training state of a run (its last weights)."""
    damping: float | None = None
    """Of the Gauss-Newton metrics; None: 1e-6."""
    bra_loss: Literal["smse", "mass", "momentum", "energy", "divergence", "residual"] = "smse"
    """Whose response the influence measures: the training loss, or a conservation law of the prediction."""
    sketch: int | None = None
    """Random output probes per example, for gauss_newton on groups of hundreds of shifts; None: exact. 64 is a good start."""
    memory: str | None = None
    """Budget such as 4GiB: batch sizes are planned from it, and the plan is printed first."""
    steps: int = 2
    """Steps that are really taken, to see whether the influence predicts them; 0: none."""
    trajectories: int = 8
    """For the influence; the equivariance error takes four times as many."""
    times: int = 2
    """Transitions per trajectory, evenly spread."""
    tolerance: float = 1.25
    """Relative error up to which an element holds."""
    influence_elements: int = 16
    """At most so many elements of a group get an influence; all get an error."""
    law: str | None = None
    """Equation (navier-stokes, euler) for the audit; None: what the file says it is."""
    title: str | None = None
    """Name of this case in the report."""
    seed: int = 0
    """Of the random choices."""
    device: Device = "auto"
    """auto: a GPU where there is one."""
    load: tuple[str, ...] = ()
    """How to read the file, such as land=0 box=-30,-28,40,41 depth=1 (ocean), tracer=true, variable=solution, dt=0.1,
    layout=density,velocity:vector, extent=1,2 boundary=periodic,wall; in a TOML file the table [load]."""
    force: bool = False
    """Replace an existing file."""

    def run(self) -> int:
        from .. import ProbeConfig
        from ._actions import probe_to_file

        config = ProbeConfig(
            trajectories=self.trajectories, times=self.times, metric=self.metric, damping=self.damping, tolerance=self.tolerance,
            influence_elements=self.influence_elements, seed=self.seed, bra_loss=None if self.bra_loss == "smse" else self.bra_loss,
            sketch=self.sketch, memory=self.memory, steps=self.steps,
        )  # fmt: skip
        return probe_to_file(
            self.model,
            self.data,
            self.out,
            self.group,
            config,
            weights=self.weights,
            law=self.law,
            title=self.title,
            device=self.device,
            force=self.force,
            options=self.load,
        )


@dataclass
class Report:
    """One HTML page, without any network, from one or more probes.

    Example: orbitscope report probe.nc --out report.html
    """

    probes: Positional[tuple[Path, ...]]
    """Files of `orbitscope probe`."""
    out: Path = Path("report.html")
    """File to write."""
    title: str = "Symmetry report"
    """Headline."""
    force: bool = False
    """Replace an existing file."""

    def run(self) -> int:
        from ._actions import report_to_file

        return report_to_file(self.probes, self.out, title=self.title, force=self.force)


@dataclass
class Info:
    """What is in a file of trajectories, a probe or a run folder.

    Example: orbitscope info ns.nc
    """

    path: Positional[Path]
    """File or folder."""
    load: tuple[str, ...] = ()
    """How to read the file, such as land=0 box=-30,-28,40,41 depth=1 (ocean), tracer=true, variable=solution, dt=0.1,
    layout=density,velocity:vector, extent=1,2 boundary=periodic,wall; in a TOML file the table [load]."""
    check: bool = False
    """Also read every trajectory and compare its checksum; exit code 1 where one is damaged."""

    def run(self) -> int:
        from ._actions import describe
        from ._progress import stages

        print(describe(self.path, self.load))
        if not self.check:
            return 0
        from ..data import check
        from ..data._many import several

        damaged = False
        for path in several(self.path) or [self.path]:
            with stages() as bars:
                found = check(path, lambda done, total: bars("check", done, total))
            print(found if path == self.path else f"{path}\n{found}")
            damaged = damaged or bool(found.damaged)
        return 1 if damaged else 0


@dataclass
class Repair:
    """Simulate the damaged trajectories of a file again, from its provenance, and put them in their places.

    The result must have the checksums that were written, bit for bit; else nothing is changed.

    Example: orbitscope repair ns.nc
    """

    data: Positional[Path]
    """File that `orbitscope simulate` made."""
    accept: bool = False
    """Take a trajectory that comes out with another checksum (another version of the solver, another machine)."""
    device: Device = "auto"
    """Where to compute, which should be where the file was made; auto: the CPU."""

    def run(self) -> int:
        from ._progress import stages
        from ._repair import repair_file

        with stages() as bars:
            mended = repair_file(self.data, accept=self.accept, device="cpu" if self.device == "auto" else self.device, progress=bars)
        words = f"trajectories {', '.join(map(str, mended))} simulated again and put in place" if mended else "nothing is damaged"
        print(f"{self.data}: {words}")
        return 0


@dataclass
class View:
    """Pictures of a file of trajectories: a sheet of a few states, and an animation.

    Example: orbitscope view ns.nc --out sheet.png --animation movie.gif
    """

    data: Positional[Path]
    """File of trajectories; also a folder or a pattern ("CE-RP_*.nc") of numbered files."""
    out: Path | None = None
    """Picture sheet to write: .png, .pdf or .svg."""
    animation: Path | None = None
    """Animation to write: .gif, every stored time."""
    trajectory: tuple[int, ...] = ()
    """Which ones, numbered from 0; none given: the first two."""
    times: int = 5
    """Columns of the sheet, evenly spread over time."""
    field: tuple[str, ...] = ()
    """Which fields; none given: all."""
    fps: float = 8.0
    """Pictures per second of the animation."""
    load: tuple[str, ...] = ()
    """How to read the file, such as land=0 box=-30,-28,40,41 depth=1 (ocean), tracer=true, variable=solution, dt=0.1,
    layout=density,velocity:vector, extent=1,2 boundary=periodic,wall; in a TOML file the table [load]."""
    force: bool = False
    """Replace existing files."""

    def run(self) -> int:
        from ._view import view_file

        for path in view_file(
            self.data, self.out, self.animation, trajectories=self.trajectory, times=self.times, fields=self.field, fps=self.fps,
            options=self.load, force=self.force,
        ):  # fmt: skip
            print(path)
        return 0


@dataclass
class Epochs:
    """Symmetry over a training: equivariance error and coherence at every kept checkpoint, on the trajectories held out for testing.

    Example: orbitscope epochs runs/unet ns.nc --group d4 --out epochs.nc --picture epochs.png
    """

    run_folder: Positional[Path]
    """Folder of a run trained with --keep all; several seeds are read together."""
    data: Positional[Path]
    """File of trajectories."""
    out: Path
    """NetCDF file for the numbers."""
    picture: Path | None = None
    """Curves to draw: .png, .pdf or .svg."""
    group: str = "d4"
    """c4, d4, tx8, ..."""
    every: int = 1
    """Every so many epochs."""
    trajectories: int = 8
    """How many."""
    times: int = 2
    """Transitions per trajectory."""
    metric: Literal["gauss_newton", "euclidean"] = "gauss_newton"
    """Of parameter space."""
    coherence: bool = True
    """Also the influence, which costs most."""
    seed: int = 0
    """Of the random choices."""
    load: tuple[str, ...] = ()
    """How to read the file, as for `orbitscope probe`."""
    force: bool = False
    """Replace existing files."""

    def run(self) -> int:
        from ._epochs import epochs_to_file

        return epochs_to_file(
            self.run_folder, self.data, self.out, self.group, picture=self.picture, every=self.every, trajectories=self.trajectories,
            times=self.times, metric=self.metric, coherence=self.coherence, seed=self.seed, force=self.force, options=self.load,
        )  # fmt: skip


_ALL = (Simulate, Scenarios, Train, Epochs, Audit, Probe, Report, Quickstart, Info, View, Assemble, Repair)
BY_NAME: dict[str, type] = {c.__name__.lower(): c for c in _ALL}
